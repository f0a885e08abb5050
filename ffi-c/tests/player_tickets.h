/* Plays the vectors of tickets (tests/vectors/primitives/tickets.json). After
 *
 *   A name algorithm secret public                                                        the agent
 *
 * each of these lines says what came of it:
 *
 *   I device curve key serial issued_at not_before expires scope                          issues a ticket
 *   L number issued_at serial,serial...                                                   issues a list
 *   V ticket|list bytes                                                                   verifies
 *   Q device curve key lifetime scope                                                     writes a request
 *   W device device_secret                                                                a wallet; it says nothing
 *   S wall do bytes                                                                       a step of its
 */
#ifndef PLAYER_TICKETS_H
#define PLAYER_TICKETS_H

#include "player_words.h"

enum { LIST_ROOM = IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 16 };

static struct {
    char name[IOTKM_NAME_TEXT];
    int signs_with_p256;
    uint8_t secret[32], key[IOTKM_AGENT_KEY_MAX];
    iotkm_agent agent;
} authority;

static struct {
    char name[IOTKM_NAME_TEXT];
    uint8_t secret[32], purse[2 * IOTKM_TICKET_MAX + LIST_ROOM];
    iotkm_platform platform;
    iotkm_cx cx;
    iotkm_wallet wallet;
} purse;

/* A ticket or a blob, and the key in a ticket. */
static uint8_t object[IOTKM_WALLET_BLOB_OVERHEAD + 2 * IOTKM_TICKET_MAX + LIST_ROOM], share[384];

static void set_agent(void) {
    const char *algorithm;
    uint8_t key[IOTKM_AGENT_KEY_MAX];
    size_t len;
    text(authority.name);
    algorithm = word();
    authority.signs_with_p256 = is(algorithm, "ES256");
    CHECK(authority.signs_with_p256 || is(algorithm, "EdDSA"));
    CHECK(unhex(authority.secret, 32) == 32);
    authority.agent.key_len = unhex(authority.key, sizeof authority.key);
    authority.agent.name = authority.name;
    authority.agent.key = authority.key;
    authority.agent.signature = authority.signs_with_p256 ? &iotkm_es256 : &iotkm_eddsa;
    OK(iotkm_signing_public_key(authority.signs_with_p256 ? &iotkm_signing_es256 : &iotkm_signing_eddsa, authority.secret, key,
                                sizeof key, &len));
    CHECK(len == authority.agent.key_len && memcmp(key, authority.key, len) == 0);
}

static const iotkm_signing *signing(void) {
    return authority.signs_with_p256 ? &iotkm_signing_es256 : &iotkm_signing_eddsa;
}

static int curve(void) {
    const char *name = word();
    if (is(name, "x25519")) return IOTKM_CURVE_X25519;
    if (is(name, "p256")) return IOTKM_CURVE_P256;
    return is(name, "ffc2048") ? IOTKM_CURVE_FFC2048 : IOTKM_CURVE_FFC3072;
}

static void say_status(int status) {
    say(status < 0 ? " -" : " ");
    say_digits((uint64_t)(status < 0 ? -status : status));
}

static void issue_ticket(void) {
    char device[IOTKM_NAME_TEXT], scope[IOTKM_NAME_TEXT];
    iotkm_claims claims;
    iotkm_ticket ticket;
    size_t len;
    memset(&claims, 0, sizeof claims);
    claims.issuer = authority.name;
    claims.subject = device;
    claims.scope = scope;
    claims.key = share;
    text(device);
    claims.curve = curve();
    claims.key_len = unhex(share, sizeof share);
    claims.serial = (uint32_t)number();
    claims.issued_at = number();
    claims.not_before = number();
    claims.expires = number();
    text(scope);
    OK(iotkm_ticket_issue(signing(), authority.secret, &claims, object, sizeof object, &len));
    say("ticket");
    say_hex(object, len);
    OK(iotkm_ticket_verify(object, len, &authority.agent, &ticket));
    CHECK(strcmp(ticket.subject, device) == 0 && strcmp(ticket.scope, scope) == 0 && ticket.serial == claims.serial);
    CHECK(ticket.issued_at == claims.issued_at && ticket.expires == claims.expires && ticket.curve == claims.curve);
    CHECK(ticket.key_len == claims.key_len && memcmp(ticket.key, share, claims.key_len) == 0);
    say_hex(ticket.reference, sizeof ticket.reference);
}

/* serial,serial..., 16 at most; how many. */
static size_t serials(uint32_t *out) {
    const char *digits = word();
    size_t count = 0;
    while (*digits >= '0' && *digits <= '9') {
        uint32_t serial = 0;
        CHECK(count < 16);
        for (; *digits >= '0' && *digits <= '9'; digits++) serial = serial * 10 + (uint32_t)(*digits - '0');
        out[count++] = serial;
        if (*digits == ',') digits++;
    }
    return count;
}

static void issue_list(void) {
    uint32_t revoked[16], list_number = (uint32_t)number();
    uint64_t issued_at = number();
    iotkm_revocation_list list;
    size_t count = serials(revoked), len;
    OK(iotkm_revocation_list_issue(signing(), authority.secret, authority.name, issued_at, list_number, revoked, count, object,
                                   sizeof object, &len));
    say("list");
    say_hex(object, len);
    OK(iotkm_revocation_list_verify(object, len, &authority.agent, &list));
    CHECK(list.number == list_number && list.count == count);
    while (count--) CHECK(iotkm_revocation_list_contains(&list, revoked[count]) == 1);
}

static void verify(void) {
    iotkm_ticket ticket;
    iotkm_revocation_list list;
    int is_list = is(word(), "list");
    size_t len = unhex(object, sizeof object);
    say("verify");
    say_status(is_list ? iotkm_revocation_list_verify(object, len, &authority.agent, &list)
                       : iotkm_ticket_verify(object, len, &authority.agent, &ticket));
}

static int given_key(void *ctx, uint16_t key, int wanted, uint8_t *out, size_t len) {
    (void)ctx, (void)key, (void)wanted;
    memcpy(out, share, len);
    return 0;
}

static void request(void) {
    char device[IOTKM_NAME_TEXT], scope[IOTKM_NAME_TEXT];
    static const uint8_t secret[32];
    iotkm_platform platform;
    iotkm_cx cx;
    uint64_t lifetime;
    size_t len;
    int group;
    memset(&platform, 0, sizeof platform);
    memset(&cx, 0, sizeof cx);
    platform.struct_size = sizeof platform;
    platform.device_secret = secret;
    platform.random = given;
    platform.public_key = given_key;
    cx.platform = &platform;
    text(device);
    group = curve();
    CHECK(unhex(share, sizeof share) == 32);
    lifetime = number();
    text(scope);
    OK(iotkm_ticket_request(&cx, 1, group == IOTKM_CURVE_P256 ? &iotkm_p256 : &iotkm_x25519, device, scope, lifetime, object,
                            sizeof object, &len));
    say("request");
    say_hex(object, len);
}

static void set_up_wallet(void) {
    memset(&purse, 0, sizeof purse);
    text(purse.name);
    CHECK(unhex(purse.secret, 32) == 32);
    purse.platform.struct_size = sizeof purse.platform;
    purse.platform.device_secret = purse.secret;
    purse.platform.random = given;
    purse.cx.platform = &purse.platform;
    OK(iotkm_wallet_init(&purse.wallet, &authority.agent, purse.name, purse.purse, IOTKM_TICKET_MAX, LIST_ROOM));
}

/* What the step returned, and how the wallet is now. */
static void wallet_step(void) {
    static uint8_t in[IOTKM_WALLET_BLOB_OVERHEAD + 2 * IOTKM_TICKET_MAX + LIST_ROOM];
    uint8_t answer[IOTKM_WALLET_ANSWER_MAX];
    char verb[16] = {0};
    bool is_new = false;
    iotkm_ticket ticket;
    uint64_t floor;
    uint32_t version = 0, list_number;
    size_t len, i;
    int status;
    purse.cx.wall_ms = number() * 1000;
    strncpy(verb, word(), sizeof verb - 1);
    len = unhex(in, sizeof in);
    say(verb);
    if (is(verb, "store")) {
        OK(iotkm_wallet_seal(&purse.wallet, &purse.cx, object, sizeof object, &len, &version));
        OK(iotkm_wallet_persisted(&purse.wallet));
        say_hex(object, len);
        say_number(version);
    } else {
        if (is(verb, "install")) status = iotkm_wallet_install(&purse.wallet, &purse.cx, in, len, &is_new);
        else if (is(verb, "revoke")) status = iotkm_wallet_revoke(&purse.wallet, &purse.cx, in, len, &is_new);
        else if (is(verb, "handle")) status = iotkm_wallet_handle(&purse.wallet, &purse.cx, in, len, &is_new);
        else if (is(verb, "check")) status = iotkm_wallet_check(&purse.wallet, &purse.cx, in, len, &ticket), is_new = true;
        else if (is(verb, "saw")) {
            OK(iotkm_ticket_peek(in, len, &ticket));
            status = iotkm_wallet_saw(&purse.wallet, &ticket), is_new = true;
        }
        else CHECK(!"a step of that name"), status = 0;
        say_status(status < 0 ? status : is_new);
    }
    OK(iotkm_wallet_floor(&purse.wallet, &floor));
    OK(iotkm_wallet_list_number(&purse.wallet, &list_number));
    say_number(floor);
    say_number(list_number);
    for (i = 0; i < 2; i++) say_number(iotkm_wallet_ticket_at(&purse.wallet, i, &ticket) == IOTKM_OK ? ticket.serial : 0);
    say_number(iotkm_wallet_ticket(&purse.wallet, &purse.cx, &ticket) == IOTKM_OK ? ticket.serial : 0);
    say_number((uint64_t)iotkm_wallet_needs_store(&purse.wallet));
    if (iotkm_wallet_acknowledgement(&purse.wallet, answer, sizeof answer, &len) != IOTKM_OK) len = 0;
    say_hex(answer, len);
}

/* Does what a line says that begins with this word. */
static void tickets(const char *said) {
    if (is(said, "I")) issue_ticket();
    else if (is(said, "L")) issue_list();
    else if (is(said, "V")) verify();
    else if (is(said, "Q")) request();
    else if (is(said, "S")) wallet_step();
    else if (is(said, "A")) set_agent();
    else if (is(said, "W")) set_up_wallet();
    else CHECK(!"a line of that kind");
    say("\n");
}

#endif
