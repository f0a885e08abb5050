/* Static keys, in memory and in another process; tickets, revocation lists, a device's wallet; what can be done wrong. */
#define _POSIX_C_SOURCE 200809L
#include "element.h"

enum { CANARY = 0xa5, LIST = IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 4, MEMORY = 2 * IOTKM_TICKET_MAX + LIST };
static const uint64_t NOW = UINT64_C(1800000000), YEAR = 31536000;

static side s, other;

static int is_all(const void *memory, int byte, size_t len) {
    const uint8_t *p = (const uint8_t *)memory;
    while (len--) {
        if (*p++ != byte) return 0;
    }
    return 1;
}

static void unhex(const char *digits, uint8_t *out) {
    unsigned byte;
    for (; *digits; digits += 2) {
        CHECK(sscanf(digits, "%2x", &byte) == 1);
        *out++ = (uint8_t)byte;
    }
}

/* RFC 7748, section 6.1. */
static uint8_t alice[32], alice_public[32], bob_public[32], shared[32];

static void constants(void) {
    unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", alice);
    unhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", alice_public);
    unhex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", bob_public);
    unhex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", shared);
}

static void static_keys(void) {
    static iotkm_static_key key, again;
    uint8_t share[32], secret[32], zeros[32];
    iotkm_platform without;
    size_t len;

    side_init(&s, &other, 's');
    memset(zeros, 0, sizeof zeros);
    IS(iotkm_static_key_public_key(&key, 1, IOTKM_CURVE_X25519, share, 32), IOTKM_E_NOT_SET_UP);
    IS(iotkm_static_key_agree(NULL, 1, IOTKM_CURVE_X25519, share, secret, 32), IOTKM_E_NULL);
    IS(iotkm_static_key_import(&key, 1, &iotkm_ffc2048, alice), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_static_key_import(&key, 1, &iotkm_p256, zeros), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_static_key_import(&key, 1, NULL, alice), IOTKM_E_NULL);
    IS(iotkm_static_key_import(&key, 1, &iotkm_x25519, NULL), IOTKM_E_NULL);
    IS(iotkm_static_key_import(NULL, 1, &iotkm_x25519, alice), IOTKM_E_NULL);
    s.random_fails = 1;
    IS(iotkm_static_key_generate(&key, &s.cx, 1, &iotkm_x25519), IOTKM_E_RNG);
    s.random_fails = 0;
    IS(iotkm_static_key_load(&key, &s.cx, 1, &iotkm_x25519, 2), IOTKM_E_EMPTY);
    IS(iotkm_static_key_load(&key, &s.cx, 1, &iotkm_x25519, SLOTS), IOTKM_E_HOOK);
    IS(iotkm_static_key_store(&key, &s.cx, 2), IOTKM_E_NOT_SET_UP);
    IS(iotkm_static_key_wipe(&key), IOTKM_E_NOT_SET_UP);
    CHECK(is_all(&key, 0, sizeof key));

    OK(iotkm_static_key_import(&key, 1, &iotkm_x25519, alice));
    OK(iotkm_static_key_public_key(&key, 1, IOTKM_CURVE_X25519, share, 32));
    CHECK(memcmp(share, alice_public, 32) == 0);
    OK(iotkm_static_key_agree(&key, 1, IOTKM_CURVE_X25519, bob_public, secret, 32));
    CHECK(memcmp(secret, shared, 32) == 0);
    IS(iotkm_static_key_agree(&key, 2, IOTKM_CURVE_X25519, bob_public, secret, 32), IOTKM_KEY_NONE);
    IS(iotkm_static_key_agree(&key, 1, IOTKM_CURVE_P256, bob_public, secret, 32), IOTKM_KEY_NONE);
    IS(iotkm_static_key_agree(&key, 1, IOTKM_CURVE_X25519, bob_public, secret, 31), IOTKM_KEY_NONE);
    IS(iotkm_static_key_agree(&key, 1, IOTKM_CURVE_X25519, zeros, secret, 32), IOTKM_KEY_BAD_ELEMENT);
    IS(iotkm_static_key_agree(&key, 1, IOTKM_CURVE_X25519, NULL, secret, 32), IOTKM_E_NULL);
    IS(iotkm_static_key_public_key(&key, 1, IOTKM_CURVE_X25519, NULL, 32), IOTKM_E_NULL);

    s.store_fails = 1;
    IS(iotkm_static_key_store(&key, &s.cx, 2), IOTKM_E_HOOK);
    s.store_fails = 0;
    OK(iotkm_static_key_store(&key, &s.cx, 2));
    CHECK(s.slot_len[2] == IOTKM_STATIC_KEY_BLOB);
    for (len = 0; len + 32 <= s.slot_len[2]; len++) CHECK(memcmp(s.slot[2] + len, alice, 32) != 0);
    OK(iotkm_static_key_load(&again, &s.cx, 7, &iotkm_x25519, 2));
    OK(iotkm_static_key_public_key(&again, 7, IOTKM_CURVE_X25519, share, 32));
    CHECK(memcmp(share, alice_public, 32) == 0);
    OK(iotkm_static_key_wipe(&again));
    IS(iotkm_static_key_load(&again, &s.cx, 7, &iotkm_p256, 2), IOTKM_E_BAD_BLOB);
    s.secret[0] ^= 1; /* another device */
    IS(iotkm_static_key_load(&again, &s.cx, 7, &iotkm_x25519, 2), IOTKM_E_BAD_BLOB);
    s.secret[0] ^= 1;
    s.slot[2][40] ^= 1;
    IS(iotkm_static_key_load(&again, &s.cx, 7, &iotkm_x25519, 2), IOTKM_E_BAD_BLOB);
    without = s.platform;
    without.store_read = NULL;
    s.cx.platform = &without;
    IS(iotkm_static_key_load(&again, &s.cx, 7, &iotkm_x25519, 2), IOTKM_E_HOOK);
    s.cx.platform = &s.platform;
    CHECK(is_all(&again, 0, sizeof again));
    OK(iotkm_static_key_wipe(&key));
    CHECK(is_all(&key, 0, sizeof key));
}

/* The same request, wherever the key is; a token that is slow, or broken, or not there. */
static void secure_element(void) {
    static iotkm_static_key key;
    static element token;
    uint8_t in_memory[IOTKM_TICKET_MAX], request[IOTKM_TICKET_MAX];
    size_t len, again;

    side_init(&s, &other, 's');
    OK(iotkm_static_key_import(&key, 1, &iotkm_x25519, alice));
    IS(iotkm_ticket_request(&s.cx, 1, &iotkm_x25519, "lamp-7", NULL, YEAR, request, sizeof request, &len), IOTKM_E_HOOK);
    s.platform.public_key = iotkm_static_key_public_key;
    s.platform.agree = iotkm_static_key_agree;
    s.platform.keys_ctx = &key;
    OK(iotkm_ticket_request(&s.cx, 1, &iotkm_x25519, "lamp-7", "light", YEAR, in_memory, sizeof in_memory, &len));
    CHECK(in_memory[0] == 0x85 && in_memory[1] == 0x00 && in_memory[2] == 0x66); /* [0, "lamp-7", ... */

    element_starts(&token, &s.platform, alice, alice);
    OK(iotkm_ticket_request(&s.cx, 1, &iotkm_x25519, "lamp-7", "light", YEAR, request, sizeof request, &again));
    CHECK(again == len && memcmp(request, in_memory, len) == 0);
    OK(iotkm_ticket_request(&s.cx, 2, &iotkm_p256, "lamp-7", "light", YEAR, request, sizeof request, &again));
    CHECK(again != len || memcmp(request, in_memory, len) != 0);
    memset(&again, CANARY, sizeof again);
    token.answers = 1;
    IS(iotkm_ticket_request(&s.cx, 1, &iotkm_x25519, "lamp-7", NULL, YEAR, request, sizeof request, &again), IOTKM_E_KEY_PENDING);
    token.answers = -7;
    IS(iotkm_ticket_request(&s.cx, 1, &iotkm_x25519, "lamp-7", NULL, YEAR, request, sizeof request, &again), IOTKM_E_HOOK);
    token.answers = 0;
    IS(iotkm_ticket_request(&s.cx, 9, &iotkm_x25519, "lamp-7", NULL, YEAR, request, sizeof request, &again), IOTKM_E_HOOK);
    IS(iotkm_ticket_request(&s.cx, 1, &iotkm_x25519, "", NULL, YEAR, request, sizeof request, &again), IOTKM_E_REFUSED_CLAIMS);
    IS(iotkm_ticket_request(&s.cx, 1, &iotkm_x25519, "a name of more than thirty-two bytes", NULL, YEAR, request, sizeof request, &again), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_ticket_request(&s.cx, 1, &iotkm_x25519, "\xff", NULL, YEAR, request, sizeof request, &again), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_ticket_request(&s.cx, 1, &iotkm_x25519, "lamp-7", "light", YEAR, request, len - 1, &again), IOTKM_E_BUFFER_TOO_SMALL);
    IS(iotkm_ticket_request(NULL, 1, &iotkm_x25519, "lamp-7", NULL, YEAR, request, len, &again), IOTKM_E_NULL);
    IS(iotkm_ticket_request(&s.cx, 1, NULL, "lamp-7", NULL, YEAR, request, len, &again), IOTKM_E_NULL);
    IS(iotkm_ticket_request(&s.cx, 1, &iotkm_x25519, NULL, NULL, YEAR, request, len, &again), IOTKM_E_NULL);
    IS(iotkm_ticket_request(&s.cx, 1, &iotkm_x25519, "lamp-7", NULL, YEAR, NULL, len, &again), IOTKM_E_NULL);
    IS(iotkm_ticket_request(&s.cx, 1, &iotkm_x25519, "lamp-7", NULL, YEAR, request, len, NULL), IOTKM_E_NULL);
    CHECK(is_all(&again, CANARY, sizeof again));
    element_ends(&token);
    IS(iotkm_ticket_request(&s.cx, 1, &iotkm_x25519, "lamp-7", NULL, YEAR, request, sizeof request, &again), IOTKM_E_HOOK);
    OK(iotkm_static_key_wipe(&key));
}

static uint8_t seed[32], public_key[IOTKM_AGENT_KEY_MAX], device_key[32];
static iotkm_agent agent;

static iotkm_claims claims_of(const char *subject, uint32_t serial) {
    iotkm_claims claims;
    memset(&claims, 0, sizeof claims);
    claims.issuer = "acme";
    claims.subject = subject;
    claims.issued_at = NOW;
    claims.expires = NOW + YEAR;
    claims.serial = serial;
    claims.curve = IOTKM_CURVE_X25519;
    claims.key = device_key;
    claims.key_len = sizeof device_key;
    return claims;
}

static size_t issue(const iotkm_claims *claims, uint8_t *out) {
    size_t len;
    OK(iotkm_ticket_issue(&iotkm_signing_eddsa, seed, claims, out, IOTKM_TICKET_MAX, &len));
    return len;
}

static size_t revoke(uint32_t number, const uint32_t *serials, size_t count, uint8_t *out) {
    size_t len;
    OK(iotkm_revocation_list_issue(&iotkm_signing_eddsa, seed, "acme", NOW, number, serials, count, out, LIST, &len));
    return len;
}

static void an_agent(void) {
    memset(seed, 7, sizeof seed);
    memset(device_key, 9, sizeof device_key);
    OK(iotkm_signing_public_key(&iotkm_signing_eddsa, seed, public_key, sizeof public_key, &agent.key_len));
    CHECK(agent.key_len == 32);
    agent.name = "acme";
    agent.signature = &iotkm_eddsa;
    agent.key = public_key;
}

/* The ticket of the tickets' page. */
static const char *const PAGE =
    "d28445a201270440a0584ca6016461636d6502666c616d702d37041a6d2b0580061a6b49d20007440000000108a101a301012004215820"
    "09090909090909090909090909090909090909090909090909090909090909095840"
    "ef70f6e3ee009dfc468b38f560eba7bbe48e1a8b3cee9342083ba0d85c899ed6"
    "f428a92899a45bd5509c33f60bf3f7e469727257d2ac128935f1f6bbbfbfbc05";

static void tickets(void) {
    uint8_t page[IOTKM_TICKET_MAX], bytes[IOTKM_TICKET_MAX], es[IOTKM_TICKET_MAX], es_key[IOTKM_AGENT_KEY_MAX];
    iotkm_claims claims = claims_of("lamp-7", 1);
    iotkm_ticket ticket, untouched;
    iotkm_agent wrong;
    size_t len, i, none;

    unhex(PAGE, page);
    len = issue(&claims, bytes);
    CHECK(len == strlen(PAGE) / 2 && memcmp(bytes, page, len) == 0);
    OK(iotkm_ticket_verify(bytes, len, &agent, &ticket));
    CHECK(strcmp(ticket.issuer, "acme") == 0 && strcmp(ticket.subject, "lamp-7") == 0 && ticket.scope[0] == 0);
    CHECK(ticket.issued_at == NOW && ticket.not_before == NOW && ticket.expires == NOW + YEAR && ticket.serial == 1);
    CHECK(ticket.curve == IOTKM_CURVE_X25519 && ticket.key_len == 32 && memcmp(ticket.key, device_key, 32) == 0);
    CHECK(ticket.bytes == bytes && ticket.len == len && ticket.key > bytes && ticket.key < bytes + len);
    OK(iotkm_ticket_check(&ticket, NOW, 0));
    OK(iotkm_ticket_check(&ticket, NOW - 300, 0)); /* a clock that lags */
    OK(iotkm_ticket_check(&ticket, 0, 0));         /* none */
    IS(iotkm_ticket_check(&ticket, NOW - 301, 0), IOTKM_E_REFUSED_NOT_YET_VALID);
    IS(iotkm_ticket_check(&ticket, NOW + YEAR, 0), IOTKM_E_REFUSED_EXPIRED);
    IS(iotkm_ticket_check(&ticket, 0, NOW + YEAR), IOTKM_E_REFUSED_EXPIRED);
    IS(iotkm_ticket_check(&ticket, NOW, NOW + YEAR), IOTKM_E_REFUSED_EXPIRED);
    IS(iotkm_ticket_check(NULL, NOW, 0), IOTKM_E_NULL);

    memset(&untouched, CANARY, sizeof untouched);
    for (i = 0; i < len; i++) {
        int status;
        IS(iotkm_ticket_verify(bytes, i, &agent, &untouched), IOTKM_E_REFUSED_ENCODING);
        bytes[i] ^= 4;
        status = iotkm_ticket_verify(bytes, len, &agent, &untouched);
        CHECK(status <= IOTKM_E_REFUSED_ENCODING && status >= IOTKM_E_REFUSED_OLDER);
        bytes[i] ^= 4;
    }
    wrong = agent;
    wrong.name = "other";
    IS(iotkm_ticket_verify(bytes, len, &wrong, &untouched), IOTKM_E_REFUSED_AGENT);
    wrong = agent;
    memset(es, 1, 32);
    OK(iotkm_signing_public_key(&iotkm_signing_es256, es, es_key, sizeof es_key, &wrong.key_len));
    CHECK(wrong.key_len == 65);
    IS(iotkm_ticket_verify(bytes, len, &wrong, &untouched), IOTKM_E_BAD_ARGUMENT); /* a key of another algorithm */
    wrong.key = es_key;
    wrong.signature = &iotkm_es256;
    IS(iotkm_ticket_verify(bytes, len, &wrong, &untouched), IOTKM_E_REFUSED_ALGORITHM);
    wrong.key = NULL;
    IS(iotkm_ticket_verify(bytes, len, &wrong, &untouched), IOTKM_E_NULL);
    wrong.key = es_key;
    wrong.name = "";
    IS(iotkm_ticket_verify(NULL, len, &agent, &untouched), IOTKM_E_NULL);
    IS(iotkm_ticket_verify(bytes, len, NULL, &untouched), IOTKM_E_NULL);
    IS(iotkm_ticket_verify(bytes, len, &agent, NULL), IOTKM_E_NULL);
    IS(iotkm_ticket_peek(bytes, len - 1, &untouched), IOTKM_E_REFUSED_ENCODING);
    CHECK(is_all(&untouched, CANARY, sizeof untouched));
    OK(iotkm_ticket_peek(bytes, len, &ticket));

    /* The other algorithm; a scope; a later beginning. */
    memset(es, 1, 32);
    claims.scope = "light heat";
    claims.not_before = NOW + 1000;
    OK(iotkm_ticket_issue(&iotkm_signing_es256, es, &claims, bytes, sizeof bytes, &len));
    wrong.name = "acme";
    OK(iotkm_ticket_verify(bytes, len, &wrong, &ticket));
    CHECK(strcmp(ticket.scope, "light heat") == 0 && ticket.not_before == NOW + 1000 && ticket.issued_at == NOW);

    none = 77;
    claims = claims_of("", 1);
    IS(iotkm_ticket_issue(&iotkm_signing_eddsa, seed, &claims, bytes, sizeof bytes, &none), IOTKM_E_REFUSED_CLAIMS);
    claims = claims_of("lamp-7", 1);
    claims.expires = NOW;
    IS(iotkm_ticket_issue(&iotkm_signing_eddsa, seed, &claims, bytes, sizeof bytes, &none), IOTKM_E_REFUSED_CLAIMS);
    claims = claims_of("lamp-7", 1);
    claims.key_len = 31;
    IS(iotkm_ticket_issue(&iotkm_signing_eddsa, seed, &claims, bytes, sizeof bytes, &none), IOTKM_E_REFUSED_KEY);
    claims = claims_of("lamp-7", 1);
    claims.curve = 3;
    IS(iotkm_ticket_issue(&iotkm_signing_eddsa, seed, &claims, bytes, sizeof bytes, &none), IOTKM_E_BAD_ARGUMENT);
    claims = claims_of("lamp-7", 1);
    IS(iotkm_ticket_issue(&iotkm_signing_eddsa, seed, &claims, bytes, 100, &none), IOTKM_E_BUFFER_TOO_SMALL);
    memset(es, 0, 32);
    IS(iotkm_ticket_issue(&iotkm_signing_es256, es, &claims, bytes, sizeof bytes, &none), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_ticket_issue(NULL, seed, &claims, bytes, sizeof bytes, &none), IOTKM_E_NULL);
    IS(iotkm_ticket_issue(&iotkm_signing_eddsa, NULL, &claims, bytes, sizeof bytes, &none), IOTKM_E_NULL);
    IS(iotkm_ticket_issue(&iotkm_signing_eddsa, seed, NULL, bytes, sizeof bytes, &none), IOTKM_E_NULL);
    IS(iotkm_signing_public_key(&iotkm_signing_eddsa, seed, bytes, 31, &none), IOTKM_E_BUFFER_TOO_SMALL);
    CHECK(none == 77);
}

static void lists(void) {
    static const uint32_t serials[] = {3, 8, 70000};
    static const uint32_t unordered[] = {8, 3};
    uint8_t bytes[LIST];
    iotkm_revocation_list list, untouched;
    iotkm_ticket ticket;
    size_t len = revoke(5, serials, 3, bytes), i, none = 77;

    OK(iotkm_revocation_list_verify(bytes, len, &agent, &list));
    CHECK(strcmp(list.issuer, "acme") == 0 && list.issued_at == NOW && list.number == 5 && list.count == 3 && list.len == len);
    IS(iotkm_revocation_list_contains(&list, 3), 1);
    IS(iotkm_revocation_list_contains(&list, 70000), 1);
    IS(iotkm_revocation_list_contains(&list, 4), 0);
    IS(iotkm_revocation_list_contains(NULL, 4), IOTKM_E_NULL);
    memset(&untouched, CANARY, sizeof untouched);
    for (i = 0; i < len; i++) {
        IS(iotkm_revocation_list_peek(bytes, i, &untouched), IOTKM_E_REFUSED_ENCODING);
        bytes[i] ^= 4;
        CHECK(iotkm_revocation_list_verify(bytes, len, &agent, &untouched) <= IOTKM_E_REFUSED_ENCODING);
        bytes[i] ^= 4;
    }
    IS(iotkm_revocation_list_verify(bytes, len, NULL, &untouched), IOTKM_E_NULL);
    IS(iotkm_ticket_peek(bytes, len, &ticket), IOTKM_E_REFUSED_CLAIMS); /* a list is no ticket */
    CHECK(is_all(&untouched, CANARY, sizeof untouched));
    IS(iotkm_revocation_list_issue(&iotkm_signing_eddsa, seed, "acme", NOW, 1, unordered, 2, bytes, LIST, &none), IOTKM_E_REFUSED_CLAIMS);
    IS(iotkm_revocation_list_issue(&iotkm_signing_eddsa, seed, "acme", NOW, 1, serials, 3, bytes, 50, &none), IOTKM_E_BUFFER_TOO_SMALL);
    IS(iotkm_revocation_list_issue(&iotkm_signing_eddsa, seed, "acme", NOW, 1, NULL, 3, bytes, LIST, &none), IOTKM_E_NULL);
    IS(iotkm_revocation_list_issue(&iotkm_signing_eddsa, seed, NULL, NOW, 1, serials, 3, bytes, LIST, &none), IOTKM_E_NULL);
    CHECK(none == 77);
    CHECK(revoke(6, NULL, 0, bytes) == len - 3 * 4);
}

/* All of a wallet's functions on memory that is none. */
static void no_wallet(iotkm_wallet *w, int status) {
    uint8_t bytes[16];
    iotkm_ticket ticket;
    uint64_t floor;
    uint32_t number;
    size_t len;
    bool flag;
    memset(bytes, CANARY, sizeof bytes);
    IS(iotkm_wallet_restore(w, &s.cx, 0, bytes, 4, bytes + 8, 4), status);
    IS(iotkm_wallet_load(w, &s.cx, 1, bytes, sizeof bytes), status);
    IS(iotkm_wallet_seal(w, &s.cx, bytes, sizeof bytes, &len, &number), status);
    IS(iotkm_wallet_persisted(w), status);
    IS(iotkm_wallet_store(w, &s.cx, 1, bytes, sizeof bytes), status);
    IS(iotkm_wallet_needs_store(w), status);
    IS(iotkm_wallet_install(w, &s.cx, bytes, 4, &flag), status);
    IS(iotkm_wallet_revoke(w, &s.cx, bytes, 4, &flag), status);
    IS(iotkm_wallet_handle(w, &s.cx, bytes, 4, &flag), status);
    IS(iotkm_wallet_acknowledgement(w, bytes, sizeof bytes, &len), status);
    IS(iotkm_wallet_ticket(w, &s.cx, &ticket), status);
    IS(iotkm_wallet_ticket_at(w, 0, &ticket), status);
    IS(iotkm_wallet_check(w, &s.cx, bytes, 4, &ticket), status);
    IS(iotkm_wallet_floor(w, &floor), status);
    IS(iotkm_wallet_list_number(w, &number), status);
    IS(iotkm_wallet_wipe(w), status);
    CHECK(is_all(bytes, CANARY, sizeof bytes));
}

static void wallets(void) {
    static iotkm_wallet wallet, again;
    static uint8_t memory[MEMORY], more[MEMORY], work[2 * (IOTKM_WALLET_BLOB_OVERHEAD + MEMORY)];
    uint8_t first[IOTKM_TICKET_MAX], second[IOTKM_TICKET_MAX], theirs[IOTKM_TICKET_MAX], list[LIST], message[8 + IOTKM_TICKET_MAX];
    uint8_t answer[IOTKM_WALLET_ANSWER_MAX], same[IOTKM_WALLET_ANSWER_MAX];
    size_t first_len, second_len, theirs_len, list_len, len, answer_len;
    static const uint32_t revoked[] = {9};
    iotkm_claims claims = claims_of("lamp-7", 1);
    iotkm_ticket ticket;
    iotkm_agent wrong = agent;
    uint64_t floor;
    uint32_t number, version;
    bool flag;

    side_init(&s, &other, 's');
    s.cx.wall_ms = (NOW + 100) * 1000;
    no_wallet(NULL, IOTKM_E_NULL);
    no_wallet(&wallet, IOTKM_E_NOT_SET_UP);
    IS(iotkm_wallet_init(NULL, &agent, "lamp-7", memory, IOTKM_TICKET_MAX, LIST), IOTKM_E_NULL);
    IS(iotkm_wallet_init(&wallet, NULL, "lamp-7", memory, IOTKM_TICKET_MAX, LIST), IOTKM_E_NULL);
    IS(iotkm_wallet_init(&wallet, &agent, NULL, memory, IOTKM_TICKET_MAX, LIST), IOTKM_E_NULL);
    IS(iotkm_wallet_init(&wallet, &agent, "", memory, IOTKM_TICKET_MAX, LIST), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_wallet_init(&wallet, &agent, "lamp-7", NULL, IOTKM_TICKET_MAX, LIST), IOTKM_E_NULL);
    IS(iotkm_wallet_init(&wallet, &agent, "lamp-7", memory, IOTKM_TICKET_MAX_FFC + 1, LIST), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_wallet_init(&wallet, &agent, "lamp-7", memory, 10, (size_t)-1), IOTKM_E_BAD_ARGUMENT);
    wrong.key_len = 31;
    IS(iotkm_wallet_init(&wallet, &wrong, "lamp-7", memory, IOTKM_TICKET_MAX, LIST), IOTKM_E_BAD_ARGUMENT);
    CHECK(is_all(&wallet, 0, sizeof wallet));

    /* Empty. */
    OK(iotkm_wallet_init(&wallet, &agent, "lamp-7", memory, IOTKM_TICKET_MAX, LIST));
    IS(iotkm_wallet_load(&wallet, &s.cx, 1, work, sizeof work), IOTKM_E_EMPTY);
    IS(iotkm_wallet_load(&wallet, &s.cx, SLOTS, work, sizeof work), IOTKM_E_HOOK);
    IS(iotkm_wallet_needs_store(&wallet), 0);
    IS(iotkm_wallet_ticket(&wallet, &s.cx, &ticket), IOTKM_E_NO_CREDENTIAL);
    IS(iotkm_wallet_ticket_at(&wallet, 0, &ticket), IOTKM_E_NO_CREDENTIAL);
    IS(iotkm_wallet_acknowledgement(&wallet, answer, sizeof answer, &len), IOTKM_E_WRONG_STATE);
    OK(iotkm_wallet_list_number(&wallet, &number));
    CHECK(number == 0);

    /* Two tickets: one takes the other's place. */
    first_len = issue(&claims, first);
    OK(iotkm_wallet_install(&wallet, &s.cx, first, first_len, &flag));
    CHECK(flag);
    OK(iotkm_wallet_install(&wallet, &s.cx, first, first_len, &flag));
    CHECK(!flag);
    IS(iotkm_wallet_needs_store(&wallet), 1);
    IS(iotkm_wallet_acknowledgement(&wallet, answer, sizeof answer, &len), IOTKM_E_WRONG_STATE); /* not before it is stored */
    s.store_fails = 1;
    IS(iotkm_wallet_store(&wallet, &s.cx, 1, work, sizeof work), IOTKM_E_HOOK);
    IS(iotkm_wallet_acknowledgement(&wallet, answer, sizeof answer, &len), IOTKM_E_WRONG_STATE);
    s.store_fails = 0;
    IS(iotkm_wallet_store(&wallet, &s.cx, 1, work, 60), IOTKM_E_BUFFER_TOO_SMALL);
    OK(iotkm_wallet_store(&wallet, &s.cx, 1, work, sizeof work));
    IS(iotkm_wallet_needs_store(&wallet), 0);
    OK(iotkm_wallet_acknowledgement(&wallet, answer, sizeof answer, &answer_len));
    CHECK(answer_len == 12 && answer[0] == 0x83 && answer[1] == 3); /* [3, reference, 0] */
    IS(iotkm_wallet_acknowledgement(&wallet, same, answer_len - 1, &len), IOTKM_E_BUFFER_TOO_SMALL);
    claims.expires += YEAR;
    claims.serial = 2;
    second_len = issue(&claims, second);
    message[0] = 0x82; /* [1, ticket], as the operator pushes it */
    message[1] = 1;
    message[2] = 0x58;
    message[3] = (uint8_t)second_len;
    memcpy(message + 4, second, second_len);
    OK(iotkm_wallet_handle(&wallet, &s.cx, message, second_len + 4, &flag));
    CHECK(flag);
    OK(iotkm_wallet_ticket(&wallet, &s.cx, &ticket));
    CHECK(ticket.serial == 2 && ticket.bytes >= memory && ticket.bytes < memory + MEMORY);
    OK(iotkm_wallet_ticket_at(&wallet, 1, &ticket));
    CHECK(ticket.serial == 1);
    IS(iotkm_wallet_ticket_at(&wallet, 2, &ticket), IOTKM_E_NO_CREDENTIAL);

    /* What is not taken changes nothing. */
    OK(iotkm_wallet_store(&wallet, &s.cx, 1, work, sizeof work));
    claims = claims_of("lamp-8", 3);
    theirs_len = issue(&claims, theirs);
    IS(iotkm_wallet_install(&wallet, &s.cx, theirs, theirs_len, NULL), IOTKM_E_REFUSED_SUBJECT);
    claims = claims_of("lamp-7", 3);
    claims.expires = NOW + 50;
    len = issue(&claims, message);
    IS(iotkm_wallet_install(&wallet, &s.cx, message, len, &flag), IOTKM_E_REFUSED_EXPIRED);
    claims.expires = NOW + 500;
    len = issue(&claims, message);
    IS(iotkm_wallet_install(&wallet, &s.cx, message, len, &flag), IOTKM_E_REFUSED_OLDER);
    first[60] ^= 1;
    IS(iotkm_wallet_install(&wallet, &s.cx, first, first_len, &flag), IOTKM_E_REFUSED_SIGNATURE);
    first[60] ^= 1;
    IS(iotkm_wallet_handle(&wallet, &s.cx, first, first_len, &flag), IOTKM_E_REFUSED_ENCODING);
    OK(iotkm_wallet_refusal(IOTKM_E_REFUSED_SUBJECT, same, sizeof same, &len));
    CHECK(len == 4 && memcmp(same, "\x82\x04\x38\xce", 4) == 0); /* [4, -207] */
    IS(iotkm_wallet_handle(&wallet, &s.cx, message, 3, NULL), IOTKM_E_NULL);
    IS(iotkm_wallet_needs_store(&wallet), 0);

    /* A peer's ticket: good, then revoked. */
    claims = claims_of("switch", 9);
    theirs_len = issue(&claims, theirs);
    OK(iotkm_wallet_check(&wallet, &s.cx, theirs, theirs_len, &ticket));
    CHECK(strcmp(ticket.subject, "switch") == 0 && ticket.bytes == theirs);
    list_len = revoke(4, revoked, 1, list);
    OK(iotkm_wallet_revoke(&wallet, &s.cx, list, list_len, &flag));
    CHECK(flag);
    IS(iotkm_wallet_check(&wallet, &s.cx, theirs, theirs_len, &ticket), IOTKM_E_REFUSED_REVOKED);
    list_len = revoke(3, NULL, 0, list);
    IS(iotkm_wallet_revoke(&wallet, &s.cx, list, list_len, &flag), IOTKM_E_REFUSED_OLDER);
    OK(iotkm_wallet_list_number(&wallet, &number));
    OK(iotkm_wallet_floor(&wallet, &floor));
    CHECK(number == 4 && floor == NOW);
    s.cx.wall_ms = 0; /* no clock: the floor counts */
    IS(iotkm_wallet_check(&wallet, &s.cx, theirs, theirs_len, &ticket), IOTKM_E_REFUSED_REVOKED);
    OK(iotkm_wallet_ticket(&wallet, &s.cx, &ticket));
    CHECK(ticket.serial == 2);
    OK(iotkm_wallet_store(&wallet, &s.cx, 1, work, sizeof work));
    OK(iotkm_wallet_acknowledgement(&wallet, answer, sizeof answer, &answer_len));

    /* The next start. */
    OK(iotkm_wallet_init(&again, &agent, "lamp-7", more, IOTKM_TICKET_MAX, LIST));
    IS(iotkm_wallet_load(&again, &s.cx, 1, work, 200), IOTKM_E_HOOK);
    s.secret[0] ^= 1;
    IS(iotkm_wallet_load(&again, &s.cx, 1, work, sizeof work), IOTKM_E_BAD_BLOB);
    s.secret[0] ^= 1;
    IS(iotkm_wallet_restore(&again, &s.cx, 99, s.slot[1], s.slot_len[1], work, sizeof work), IOTKM_E_BLOB_ROLLED_BACK);
    IS(iotkm_wallet_restore(&again, &s.cx, 0, s.slot[1], s.slot_len[1] - 1, work, sizeof work), IOTKM_E_BAD_BLOB);
    IS(iotkm_wallet_ticket_at(&again, 0, &ticket), IOTKM_E_NO_CREDENTIAL);
    OK(iotkm_wallet_load(&again, &s.cx, 1, work, sizeof work));
    IS(iotkm_wallet_load(&again, &s.cx, 1, work, sizeof work), IOTKM_E_WRONG_STATE);
    OK(iotkm_wallet_ticket(&again, &s.cx, &ticket));
    CHECK(ticket.serial == 2);
    IS(iotkm_wallet_check(&again, &s.cx, theirs, theirs_len, &ticket), IOTKM_E_REFUSED_REVOKED);
    OK(iotkm_wallet_acknowledgement(&again, same, sizeof same, &len));
    CHECK(len == answer_len && memcmp(same, answer, len) == 0);
    OK(iotkm_wallet_wipe(&again));
    CHECK(is_all(&again, 0, sizeof again));
    OK(iotkm_wallet_init(&again, &agent, "lamp-8", more, IOTKM_TICKET_MAX, LIST)); /* another device's */
    IS(iotkm_wallet_load(&again, &s.cx, 1, work, sizeof work), IOTKM_E_BAD_BLOB);
    OK(iotkm_wallet_wipe(&again));
    OK(iotkm_wallet_init(&again, &agent, "lamp-7", more, 100, 50)); /* too little memory */
    IS(iotkm_wallet_load(&again, &s.cx, 1, work, sizeof work), IOTKM_E_BAD_BLOB);
    IS(iotkm_wallet_install(&again, &s.cx, first, first_len, &flag), IOTKM_E_FULL);
    list_len = revoke(5, revoked, 1, list);
    IS(iotkm_wallet_revoke(&again, &s.cx, list, list_len, &flag), IOTKM_E_FULL);
    IS(iotkm_wallet_needs_store(&again), 0);
    OK(iotkm_wallet_wipe(&again));

    OK(iotkm_wallet_seal(&wallet, &s.cx, work, sizeof work, &len, &version));
    CHECK(version > 3 && len <= IOTKM_WALLET_BLOB_OVERHEAD + MEMORY);
    IS(iotkm_wallet_seal(&wallet, &s.cx, work, len - 1, &len, &version), IOTKM_E_BUFFER_TOO_SMALL);
    OK(iotkm_wallet_persisted(&wallet));
    OK(iotkm_wallet_wipe(&wallet));
    no_wallet(&wallet, IOTKM_E_NOT_SET_UP);
}

int main(void) {
    constants();
    an_agent();
    static_keys();
    secure_element();
    tickets();
    lists();
    wallets();
    return 0;
}
