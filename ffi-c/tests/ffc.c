/* The FFC groups: longer peers, keys and memory, for tickets and for credentials. What is the same for any group, interactive.c
 * and noninteractive.c test. */
#include "pair.h"

#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif
#ifndef VALGRIND_MAKE_MEM_DEFINED
#define VALGRIND_MAKE_MEM_DEFINED(at, len) 0
#endif

enum { KEY = 5, KEY_SLOT = 2, HOLDER_SLOT = 3, TICKETS = 2 * IOTKM_TICKET_MAX_FFC, LIST = IOTKM_REVOCATION_LIST_OVERHEAD };
static const uint32_t NOW = 1750000000;

typedef struct {
    side s;
    iotkm_static_key_ffc key;
    iotkm_interactive_peer_ffc peer;
    iotkm_interactive_memory_ffc memory;
    iotkm_wallet wallet;
    iotkm_noninteractive_peer_ffc other;
    iotkm_noninteractive_memory_ffc few;
    iotkm_holder holder;
    uint8_t purse[TICKETS + LIST];
} device;

static device a, b;
static uint8_t seed[32], agent_key[32], x[32], y[IOTKM_OPERATOR_KEY_MAX], work[2 * IOTKM_NONINTERACTIVE_PEER_BLOB_MAX_FFC];
static iotkm_agent agent;
static iotkm_credential_operator office;
static const char *const names[] = {"lamp", "switch"};
static device *const devices[] = {&a, &b};

static void starts(void) {
    memset(seed, 7, sizeof seed);
    OK(iotkm_signing_public_key(&iotkm_signing_eddsa, seed, agent_key, sizeof agent_key, &agent.key_len));
    agent.name = "acme";
    agent.signature = &iotkm_eddsa;
    agent.key = agent_key;
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    side_init(&a.s, &b.s, 'a');
    side_init(&b.s, &a.s, 'b');
}

static void has_key(device *d) {
    d->s.platform.public_key = iotkm_static_key_public_key;
    d->s.platform.agree = iotkm_static_key_agree;
    d->s.platform.step = iotkm_static_key_step;
    d->s.platform.keys_ctx = &d->key;
}

/* Stored, and back. */
static void keeps(device *d, iotkm_static_key_ffc *key, uint16_t number, const iotkm_kem *kem, const iotkm_kem *another) {
    OK(iotkm_static_key_store(&key->key, &d->s.cx, KEY_SLOT));
    OK(iotkm_static_key_wipe(&key->key));
    IS(iotkm_static_key_store(&key->key, &d->s.cx, KEY_SLOT), IOTKM_E_NOT_SET_UP);
    IS(iotkm_static_key_load_ffc(key, &d->s.cx, number, another, KEY_SLOT), IOTKM_E_BAD_BLOB);
    IS(iotkm_static_key_load(&key->key, &d->s.cx, number, kem, KEY_SLOT), IOTKM_E_BAD_ARGUMENT);
    OK(iotkm_static_key_load_ffc(key, &d->s.cx, number, kem, KEY_SLOT));
}

static void tell(side *s, const char *text) {
    size_t len = strlen(text), out_len;
    uint8_t out[MTU];
    iotkm_addr to;
    OK(iotkm_send(&s->a, &s->cx, (const uint8_t *)text, len, out, sizeof out, &out_len, &to));
    OK(test_send(s, &to, out, out_len));
    settle(&a.s, &b.s, 0);
    CHECK(s->other->got_len == len && memcmp(s->other->got, text, len) == 0);
}

static void established(void) {
    settle(&a.s, &b.s, 0);
    CHECK(iotkm_is_established(&a.s.a) == 1 && iotkm_is_established(&b.s.a) == 1);
    tell(&a.s, "on");
    tell(&b.s, "off");
}

/* ---- interactive ---- */

static const iotkm_suite *const suites[] = {&iotkm_suite_ffc2048};

static iotkm_interactive_setup setup_of(void) {
    iotkm_interactive_setup setup;
    memset(&setup, 0, sizeof setup);
    setup.struct_size = sizeof setup;
    setup.kem = &iotkm_ffc2048;
    setup.suites = suites;
    setup.suite_count = 1;
    setup.key = KEY;
    return setup;
}

/* Asks for a ticket, and is issued it. */
static void has_ticket(device *d, const char *name, uint32_t serial) {
    static uint8_t request[IOTKM_TICKET_MAX_FFC], ticket[IOTKM_TICKET_MAX_FFC], share[256];
    iotkm_claims claims;
    size_t len;
    OK(iotkm_static_key_generate_ffc(&d->key, &d->s.cx, KEY, &iotkm_ffc2048));
    keeps(d, &d->key, KEY, &iotkm_ffc2048, &iotkm_ffc3072);
    has_key(d);
    OK(iotkm_ticket_request(&d->s.cx, KEY, &iotkm_ffc2048, name, NULL, 3600, request, sizeof request, &len));
    OK(iotkm_static_key_public_key(&d->key, KEY, IOTKM_CURVE_FFC2048, share, sizeof share));
    IS(iotkm_static_key_public_key(&d->key, KEY, IOTKM_CURVE_FFC2048, share, 32), IOTKM_KEY_NONE);
    memset(&claims, 0, sizeof claims);
    claims.issuer = "acme";
    claims.subject = name;
    claims.scope = "";
    claims.issued_at = NOW;
    claims.expires = NOW + 3600;
    claims.serial = serial;
    claims.curve = IOTKM_CURVE_FFC2048;
    claims.key = share;
    claims.key_len = sizeof share;
    OK(iotkm_ticket_issue(&iotkm_signing_eddsa, seed, &claims, ticket, sizeof ticket, &len));
    CHECK(len > IOTKM_TICKET_MAX);
    OK(iotkm_wallet_init(&d->wallet, &agent, name, d->purse, IOTKM_TICKET_MAX_FFC, LIST));
    OK(iotkm_wallet_install(&d->wallet, &d->s.cx, ticket, len, NULL));
}

static void interactive(void) {
    static iotkm_interactive_memory curves;
    static iotkm_hub_member members[1];
    iotkm_interactive_setup setup = setup_of();
    iotkm_interactive_peer curve;
    uint8_t ticket[IOTKM_TICKET_MAX_FFC];
    char name[IOTKM_NAME_TEXT];
    iotkm_hub hub;
    uint32_t member, generation;
    uint16_t slot;
    unsigned i;
    size_t len;

    starts();
    for (i = 0; i < 2; i++) has_ticket(devices[i], names[i], i + 1);
    /* Peers and memory of a curve's are too short for this. */
    OK(iotkm_interactive_peer_init(&curve, 1, "lamp", "switch", NULL));
    IS(iotkm_interactive_open_ffc(&a.s.a, (iotkm_interactive_peer_ffc *)&curve, &a.wallet, &setup, NULL, &a.memory), IOTKM_E_SUITE_MISMATCH);
    IS(iotkm_interactive_open(&a.s.a, &curve, &a.wallet, &setup, NULL, &curves), IOTKM_E_BAD_ARGUMENT);
    OK(iotkm_interactive_peer_wipe(&curve));
    OK(iotkm_interactive_peer_init_ffc(&a.peer, 1, "lamp", "switch", NULL));
    IS(iotkm_interactive_open(&a.s.a, &a.peer.peer, &a.wallet, &setup, NULL, &curves), IOTKM_E_SUITE_MISMATCH);
    OK(iotkm_interactive_peer_init_anyone_ffc(&b.peer, 1, "switch", NULL, NULL));
    CHECK(iotkm_interactive_peer_ffc_size() == sizeof a.peer);

    for (i = 0; i < 2; i++) OK(iotkm_interactive_open_ffc(&devices[i]->s.a, &devices[i]->peer, &devices[i]->wallet, &setup, NULL, &devices[i]->memory));
    OK(iotkm_hub_open(&hub, &a.s.cx, members, 1, 0));
    IS(iotkm_interactive_join(&a.s.a, &hub, IOTKM_HUB_NOBODY, &member), IOTKM_E_SCHEME);
    OK(iotkm_interactive_join_ffc(&a.s.a, &hub, IOTKM_HUB_NOBODY, &member));
    OK(iotkm_hub_wipe(&hub));
    OK(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr));
    established();
    OK(iotkm_interactive_peer_ticket(&a.peer.peer, ticket, sizeof ticket, &len));
    CHECK(len > IOTKM_TICKET_MAX);

    OK(iotkm_interactive_release(&a.s.a));
    IS(iotkm_interactive_lend(&a.s.a, &curves), IOTKM_E_BAD_ARGUMENT);
    OK(iotkm_interactive_lend_ffc(&a.s.a, &a.memory));

    /* After a restart: phase 2 alone. */
    OK(iotkm_interactive_peer_generation(&a.peer.peer, &generation));
    OK(iotkm_wipe(&a.s.a));
    OK(iotkm_interactive_peer_store(&a.peer.peer, &a.s.cx, work, sizeof work));
    OK(iotkm_interactive_peer_wipe(&a.peer.peer));
    IS(iotkm_interactive_peer_load(&a.peer.peer, &a.s.cx, 1, work, sizeof work), IOTKM_E_BAD_BLOB);
    OK(iotkm_interactive_peer_load_ffc(&a.peer, &a.s.cx, 1, work, sizeof work));
    OK(iotkm_interactive_peer_name(&a.peer.peer, name));
    OK(iotkm_interactive_peer_slot(&a.peer.peer, &slot));
    CHECK(strcmp(name, "switch") == 0 && slot == 1);
    OK(iotkm_interactive_open_ffc(&a.s.a, &a.peer, &a.wallet, &setup, NULL, &a.memory));
    OK(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr));
    established();
    OK(iotkm_interactive_peer_generation(&a.peer.peer, &member));
    CHECK(member > generation);
    for (i = 0; i < 2; i++) {
        OK(iotkm_wipe(&devices[i]->s.a));
        OK(iotkm_interactive_peer_wipe(&devices[i]->peer.peer));
        OK(iotkm_wallet_wipe(&devices[i]->wallet));
        OK(iotkm_static_key_wipe(&devices[i]->key.key));
    }
}

/* ---- noninteractive ---- */

static const iotkm_noninteractive_suite *const suite = &iotkm_noninteractive_suite_ffc2048;

static void has_credential(device *d, const char *name, uint32_t serial) {
    uint8_t request[IOTKM_CREDENTIAL_REQUEST_MAX_FFC], answer[IOTKM_CREDENTIAL_ANSWER_MAX_FFC];
    iotkm_static_key_ffc half;
    iotkm_static_key curve;
    iotkm_credential_terms terms;
    iotkm_credential credential;
    size_t len;
    memset(&terms, 0, sizeof terms);
    terms.issuer = "acme";
    terms.issued_at = NOW;
    terms.life_h = 24;
    terms.serial = serial;
    OK(iotkm_static_key_generate_ffc(&half, &d->s.cx, 0, &iotkm_growing_ffc2048));
    keeps(d, &half, 0, &iotkm_growing_ffc2048, &iotkm_growing_ffc3072);
    OK(iotkm_credential_request(&half.key, name, request, sizeof request, &len));
    OK(iotkm_credential_issue(&d->s.cx, suite, x, &terms, request, len, answer, sizeof answer, &len));
    OK(iotkm_holder_init(&d->holder, &office, name, d->purse, IOTKM_HOLDER_MEMORY_FFC + LIST));
    IS(iotkm_holder_accept(&d->holder, &d->s.cx, &half.key, answer, len, KEY, &curve, &credential), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_holder_accept_ffc(&d->holder, &d->s.cx, &half, answer, len, KEY, &half, &credential), IOTKM_E_BAD_ARGUMENT);
    answer[len - 1] ^= 1;
    IS(iotkm_holder_accept_ffc(&d->holder, &d->s.cx, &half, answer, len, KEY, &d->key, &credential), IOTKM_E_REFUSED_SIGNATURE);
    answer[len - 1] ^= 1;
    OK(iotkm_holder_accept_ffc(&d->holder, &d->s.cx, &half, answer, len, KEY, &d->key, &credential));
    OK(iotkm_holder_install(&d->holder, &d->s.cx, credential.bytes, credential.len));
    OK(iotkm_holder_store(&d->holder, &d->s.cx, HOLDER_SLOT, work, sizeof work));
    OK(iotkm_static_key_wipe(&half.key));
    has_key(d);
}

static void opens(device *d) {
    iotkm_noninteractive_setup setup;
    memset(&setup, 0, sizeof setup);
    setup.struct_size = sizeof setup;
    setup.key = KEY;
    setup.interval_s = 60;
    OK(iotkm_noninteractive_open_ffc((iotkm_noninteractive *)&d->s.a, &d->other, &d->holder, &setup, NULL, &d->few));
}

static void noninteractive(void) {
    static iotkm_noninteractive_memory curves;
    static iotkm_noninteractive_peer curve;
    static iotkm_noninteractive none;
    static iotkm_hub_member members[1];
    iotkm_noninteractive_setup setup;
    iotkm_credential credential;
    iotkm_hub hub;
    uint8_t bytes[IOTKM_CREDENTIAL_MAX_FFC];
    uint32_t member, epoch;
    unsigned i;
    size_t len;

    starts();
    office.suite = suite;
    office.agent = &agent;
    office.key = y;
    OK(iotkm_operator_key_generate(suite, &a.s.cx, x));
    IS(iotkm_operator_key_public(suite, x, y, 255, &office.key_len), IOTKM_E_BUFFER_TOO_SMALL);
    OK(iotkm_operator_key_public(suite, x, y, sizeof y, &office.key_len));
    CHECK(office.key_len == 256);
    for (i = 0; i < 2; i++) has_credential(devices[i], names[i], i + 1);
    IS(iotkm_noninteractive_peer_init(&curve, suite, 1, "lamp", "switch", NULL), IOTKM_E_BAD_ARGUMENT);
    OK(iotkm_noninteractive_peer_init_ffc(&a.other, suite, 1, "lamp", "switch", NULL));
    OK(iotkm_noninteractive_peer_init_ffc(&b.other, suite, 1, "switch", NULL, NULL));
    CHECK(iotkm_noninteractive_peer_ffc_size() == sizeof a.other);
    memset(&setup, 0, sizeof setup);
    setup.struct_size = sizeof setup;
    setup.key = KEY;
    IS(iotkm_noninteractive_open(&none, &a.other.peer, &a.holder, &setup, NULL, &curves), IOTKM_E_BAD_ARGUMENT);
    for (i = 0; i < 2; i++) opens(devices[i]);
    OK(iotkm_hub_open(&hub, &a.s.cx, members, 1, 0));
    IS(iotkm_noninteractive_join(&a.s.a, &hub, IOTKM_HUB_NOBODY, &member), IOTKM_E_SCHEME);
    OK(iotkm_noninteractive_join_ffc(&a.s.a, &hub, IOTKM_HUB_NOBODY, &member));
    OK(iotkm_hub_wipe(&hub));
    OK(iotkm_noninteractive_connect(&a.s.a, &a.s.cx, &b.s.addr));
    established();
    OK(iotkm_noninteractive_peer_credential(&a.other.peer, bytes, sizeof bytes, &len));
    OK(iotkm_credential_read(suite, bytes, len, &credential));
    CHECK(len > IOTKM_CREDENTIAL_MAX && strcmp(credential.subject, "switch") == 0);

    OK(iotkm_noninteractive_release(&a.s.a));
    IS(iotkm_noninteractive_lend(&a.s.a, &curves), IOTKM_E_BAD_ARGUMENT);
    OK(iotkm_noninteractive_lend_ffc(&a.s.a, &a.few));

    /* Epochs go by; a goes on after a restart. */
    settle(&a.s, &b.s, 200000);
    OK(iotkm_noninteractive_epoch(&a.s.a, &epoch));
    CHECK(epoch >= 3);
    tell(&b.s, "later");
    OK(iotkm_wipe(&a.s.a));
    OK(iotkm_noninteractive_peer_store(&a.other.peer, &a.s.cx, work, sizeof work));
    OK(iotkm_noninteractive_peer_wipe(&a.other.peer));
    IS(iotkm_noninteractive_peer_load(&a.other.peer, suite, &a.s.cx, 1, work, sizeof work), IOTKM_E_BAD_ARGUMENT);
    OK(iotkm_noninteractive_peer_load_ffc(&a.other, suite, &a.s.cx, 1, work, sizeof work));
    opens(&a);
    OK(iotkm_noninteractive_go_on(&a.s.a, &a.s.cx));
    established();
    CHECK(a.s.events[IOTKM_EVENT_RESUMED] == 1);
    for (i = 0; i < 2; i++) {
        OK(iotkm_wipe(&devices[i]->s.a));
        OK(iotkm_noninteractive_peer_wipe(&devices[i]->other.peer));
        OK(iotkm_holder_wipe(&devices[i]->holder));
        OK(iotkm_static_key_wipe(&devices[i]->key.key));
    }
}

/* A key that takes another one's memory leaves nothing of it there. */
static void replaced(void) {
    uint8_t before[32], after[32];
    iotkm_static_key_ffc key;
    size_t at, found = 0;
    memset(before, 0x41, sizeof before);
    memset(after, 0x42, sizeof after);
    memset(&key, 0, sizeof key);
    OK(iotkm_static_key_import_ffc(&key, KEY, &iotkm_ffc2048, before));
    /* Between the fields lies what nobody has written. */
    (void)VALGRIND_MAKE_MEM_DEFINED(&key, sizeof key);
    for (at = 0; at + sizeof before <= sizeof key; at++)
        found += memcmp((const uint8_t *)&key + at, before, sizeof before) == 0;
    CHECK(found == 1);
    OK(iotkm_static_key_import_ffc(&key, KEY, &iotkm_x25519, after));
    (void)VALGRIND_MAKE_MEM_DEFINED(&key, sizeof key);
    for (at = 0; at + 4 <= sizeof key; at++) found += memcmp((const uint8_t *)&key + at, before, 4) == 0;
    CHECK(found == 1);
    OK(iotkm_static_key_wipe(&key.key));
}

int main(void) {
    iotkm_static_key curve;
    starts();
    IS(iotkm_static_key_generate(&curve, &a.s.cx, KEY, &iotkm_ffc2048), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_static_key_import(&curve, KEY, &iotkm_ffc3072, seed), IOTKM_E_BAD_ARGUMENT);
    replaced();
    interactive();
    noninteractive();
    return 0;
}
