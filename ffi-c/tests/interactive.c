/* The interactive scheme: two devices with tickets of one agent, one of which keeps its key in another process. */
#define _POSIX_C_SOURCE 200809L
#include "element.h"

enum { LIST = IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 4, MEMORY = 2 * IOTKM_TICKET_MAX + LIST };
static const uint64_t NOW = UINT64_C(1750000000), YEAR = 31536000;

typedef struct {
    side s;
    iotkm_interactive_peer peer;
    iotkm_interactive_memory memory;
    iotkm_wallet wallet;
    iotkm_static_key key;
    uint8_t purse[MEMORY];
} device;

static device a, b;
static element token;
static uint8_t seed[32], agent_key[32], work[2 * (IOTKM_WALLET_BLOB_OVERHEAD + MEMORY)];
static iotkm_agent agent;
static const iotkm_suite *const curve_suites[] = {&iotkm_suite_4, &iotkm_suite_0, &iotkm_suite_1};
static const iotkm_suite *const p256_suites[] = {&iotkm_suite_2};

static void install(device *d, const iotkm_kem *kem, const char *name, uint32_t serial, uint64_t expires) {
    uint8_t ticket[IOTKM_TICKET_MAX], share[32];
    iotkm_claims claims;
    size_t len;
    memset(&claims, 0, sizeof claims);
    claims.curve = kem == &iotkm_p256 ? IOTKM_CURVE_P256 : IOTKM_CURVE_X25519;
    OK(d->s.platform.public_key(d->s.platform.keys_ctx, kem == &iotkm_p256 ? 2 : 1, claims.curve, share, 32));
    claims.issuer = "acme";
    claims.subject = name;
    claims.scope = "light";
    claims.issued_at = NOW;
    claims.expires = expires;
    claims.serial = serial;
    claims.key = share;
    claims.key_len = 32;
    OK(iotkm_ticket_issue(&iotkm_signing_eddsa, seed, &claims, ticket, sizeof ticket, &len));
    OK(iotkm_wallet_install(&d->wallet, &d->s.cx, ticket, len, NULL));
}

static iotkm_interactive_setup setup_of(const iotkm_kem *kem) {
    iotkm_interactive_setup setup;
    memset(&setup, 0, sizeof setup);
    setup.struct_size = sizeof setup;
    setup.kem = kem;
    setup.suites = kem == &iotkm_p256 ? p256_suites : curve_suites;
    setup.suite_count = kem == &iotkm_p256 ? 1 : 3;
    setup.key = kem == &iotkm_p256 ? 2 : 1;
    return setup;
}

static void device_open(device *d, const iotkm_kem *kem) {
    iotkm_interactive_setup setup = setup_of(kem);
    OK(iotkm_interactive_open(&d->s.a, &d->peer, &d->wallet, &setup, NULL, &d->memory));
}

/* Both devices, strangers. b keeps its key in memory, a in another process. */
static void both(const iotkm_kem *kem) {
    uint8_t scalar[32], other[32];
    memset(seed, 7, sizeof seed);
    memset(scalar, 3, sizeof scalar);
    memset(other, 4, sizeof other);
    OK(iotkm_signing_public_key(&iotkm_signing_eddsa, seed, agent_key, sizeof agent_key, &agent.key_len));
    agent.name = "acme";
    agent.signature = &iotkm_eddsa;
    agent.key = agent_key;
    side_init(&a.s, &b.s, 'a');
    side_init(&b.s, &a.s, 'b');
    element_starts(&token, &a.s.platform, scalar, scalar);
    OK(iotkm_static_key_import(&b.key, kem == &iotkm_p256 ? 2 : 1, kem, other));
    b.s.platform.public_key = iotkm_static_key_public_key;
    b.s.platform.agree = iotkm_static_key_agree;
    b.s.platform.keys_ctx = &b.key;
    OK(iotkm_wallet_init(&a.wallet, &agent, "lamp", a.purse, IOTKM_TICKET_MAX, LIST));
    OK(iotkm_wallet_init(&b.wallet, &agent, "switch", b.purse, IOTKM_TICKET_MAX, LIST));
    install(&a, kem, "lamp", 1, NOW + YEAR);
    install(&b, kem, "switch", 2, NOW + YEAR);
    OK(iotkm_interactive_peer_init(&a.peer, 1, "lamp", "switch", NULL));
    OK(iotkm_interactive_peer_init_anyone(&b.peer, 1, "switch", "light", NULL));
    device_open(&a, kem);
    device_open(&b, kem);
}

static void ends(void) {
    OK(iotkm_wipe(&a.s.a));
    OK(iotkm_wipe(&b.s.a));
    OK(iotkm_interactive_peer_wipe(&a.peer));
    OK(iotkm_interactive_peer_wipe(&b.peer));
    OK(iotkm_wallet_wipe(&a.wallet));
    OK(iotkm_wallet_wipe(&b.wallet));
    OK(iotkm_static_key_wipe(&b.key));
    element_ends(&token);
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

static void life(const iotkm_kem *kem) {
    iotkm_assurance_record assurance;
    char name[IOTKM_NAME_TEXT];
    uint8_t blob[IOTKM_SESSION_BLOB_MAX], list[LIST];
    static const uint32_t revoked[] = {1};
    uint32_t generation, before;
    size_t len;

    both(kem);
    OK(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr));
    settle(&a.s, &b.s, 0);
    CHECK(iotkm_is_established(&a.s.a) == 1 && iotkm_is_established(&b.s.a) == 1);
    CHECK(a.s.events[IOTKM_EVENT_ESTABLISHED] == 1 && b.s.events[IOTKM_EVENT_ESTABLISHED] == 1);
    CHECK(memcmp(a.s.fingerprint, b.s.fingerprint, 10) == 0 && token.agreed > 0);
    OK(iotkm_interactive_peer_name(&b.peer, name));
    CHECK(strcmp(name, "lamp") == 0);
    OK(iotkm_assurance(&b.s.a, &assurance));
    CHECK(assurance.authenticated == IOTKM_AUTHENTICATED_HOLDER);
    tell(&a.s, "on");
    tell(&b.s, "off");

    /* Phase 2 again, from the other side: new keys without the static ones. */
    OK(iotkm_interactive_peer_generation(&a.peer, &before));
    token.agreed = 0;
    OK(iotkm_interactive_connect(&b.s.a, &b.s.cx, &a.s.addr));
    settle(&a.s, &b.s, 0);
    OK(iotkm_interactive_peer_generation(&a.peer, &generation));
    CHECK(generation == before + 1 && token.agreed == 0);
    tell(&b.s, "again");

    /* Is it there? */
    OK(iotkm_interactive_ping(&a.s.a, &a.s.cx, &b.s.addr));
    settle(&a.s, &b.s, 0);
    CHECK(a.s.events[IOTKM_EVENT_PEER_ALIVE] == 1);

    /* A new ticket on the living association; a new phase 1. */
    install(&b, kem, "switch", 3, NOW + 2 * YEAR);
    OK(iotkm_interactive_recheck(&b.s.a, &b.s.cx));
    settle(&a.s, &b.s, 0);
    tell(&a.s, "still there");
    OK(iotkm_interactive_authenticate(&a.s.a, &a.s.cx, &b.s.addr));
    settle(&a.s, &b.s, 0);
    CHECK(token.agreed > 0);
    tell(&a.s, "newly met");

    /* Restarts: of the session, then of everything. */
    OK(iotkm_export(&a.s.a, &a.s.cx, blob, sizeof blob, &len));
    OK(iotkm_wipe(&a.s.a));
    OK(iotkm_interactive_peer_wipe(&a.peer));
    OK(iotkm_interactive_peer_load(&a.peer, &a.s.cx, 1, work, sizeof work));
    device_open(&a, kem);
    OK(iotkm_restore(&a.s.a, &a.s.cx, blob, len));
    settle(&a.s, &b.s, 0);
    CHECK(a.s.events[IOTKM_EVENT_RESUMED] == 1);
    tell(&a.s, "resumed");
    OK(iotkm_wipe(&a.s.a));
    OK(iotkm_interactive_peer_wipe(&a.peer));
    OK(iotkm_interactive_peer_load(&a.peer, &a.s.cx, 1, work, sizeof work));
    device_open(&a, kem);
    token.agreed = 0;
    OK(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr));
    settle(&a.s, &b.s, 0);
    CHECK(iotkm_is_established(&a.s.a) == 1 && token.agreed == 0);
    tell(&b.s, "back");

    /* a's ticket is revoked: b turns it away. */
    OK(iotkm_revocation_list_issue(&iotkm_signing_eddsa, seed, "acme", NOW, 1, revoked, 1, list, sizeof list, &len));
    OK(iotkm_wallet_revoke(&b.wallet, &b.s.cx, list, len, NULL));
    OK(iotkm_interactive_recheck(&b.s.a, &b.s.cx));
    settle(&a.s, &b.s, 0);
    CHECK(b.s.events[IOTKM_EVENT_TERMINATED] == 1 && iotkm_is_established(&b.s.a) == 0);
    (void)iotkm_close(&a.s.a);
    settle(&a.s, &b.s, 0);
    OK(iotkm_interactive_authenticate(&a.s.a, &a.s.cx, &b.s.addr));
    settle(&a.s, &b.s, 300000);
    CHECK(a.s.events[IOTKM_EVENT_FAILED] > 0 && iotkm_is_established(&b.s.a) == 0);
    ends();
}

/* A token that is slow or broken, or gone: nothing changes, and it goes on when the token works. */
static void tokens(void) {
    uint32_t generation;

    both(&iotkm_x25519);
    token.answers = -9;
    OK(iotkm_interactive_connect(&b.s.a, &b.s.cx, &a.s.addr));
    side_drain(&b.s);
    CHECK(a.s.in_count == 1);
    side_take(&a.s);
    CHECK(b.s.in_count == 0 && iotkm_is_established(&a.s.a) == 0);
    OK(iotkm_interactive_peer_generation(&a.peer, &generation));
    CHECK(generation == 0);
    token.answers = 2;
    settle(&a.s, &b.s, 60000);
    CHECK(iotkm_is_established(&a.s.a) == 1 && iotkm_is_established(&b.s.a) == 1);
    tell(&b.s, "at last");
    ends();

    both(&iotkm_x25519);
    a.s.platform.agree = NULL; /* no static keys at all */
    OK(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr));
    settle(&a.s, &b.s, 300000);
    CHECK(a.s.events[IOTKM_EVENT_FAILED] == 1 && iotkm_is_established(&a.s.a) == 0);
    a.s.platform.agree = element_agree;
    OK(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr));
    settle(&a.s, &b.s, 0);
    CHECK(iotkm_is_established(&a.s.a) == 1);
    ends();
}

/* What two static keys share is asked of the token once, until it is told to forget, or another peer takes the place. */
static void remembers(void) {
    iotkm_remembered remembered;
    iotkm_remembered_peer places[1];
    static const uint8_t share[32] = {9};
    uint8_t secret[32], again[32];
    unsigned i;

    for (i = 0; i < 2; i++) {
        const iotkm_kem *kem = i ? &iotkm_p256 : &iotkm_x25519;
        uint16_t key = i ? 2 : 1;
        int curve = i ? IOTKM_CURVE_P256 : IOTKM_CURVE_X25519;
        both(kem);
        OK(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr));
        settle(&a.s, &b.s, 0);
        CHECK(token.agreed == 2); /* with b's own key and with its ephemeral one */
        OK(iotkm_remembered_init(&remembered, &a.s.platform, places, 1));
        a.s.platform.agree_known = iotkm_remembered_agree;
        a.s.platform.agree_known_ctx = &remembered;
        for (token.agreed = 0; token.agreed < 6;) {
            unsigned before = token.agreed;
            OK(iotkm_interactive_authenticate(&a.s.a, &a.s.cx, &b.s.addr));
            settle(&a.s, &b.s, 0);
            tell(&a.s, "met again");
            CHECK(token.agreed == before + (before == 0 || before == 4 ? 2u : 1u));
            if (token.agreed == 4) OK(iotkm_remembered_forget(&remembered));
        }
        if (curve == IOTKM_CURVE_X25519) {
            /* Another peer's takes the one place, and is the same from memory. */
            OK(iotkm_remembered_agree(&remembered, key, curve, share, secret, 32));
            token.agreed = 0;
            OK(iotkm_remembered_agree(&remembered, key, curve, share, again, 32));
            CHECK(token.agreed == 0 && memcmp(secret, again, 32) == 0);
            token.answers = 1;
            IS(iotkm_remembered_agree(&remembered, 9, curve, share, again, 32), IOTKM_KEY_PENDING);
            IS(iotkm_remembered_agree(&remembered, 9, curve, share, again, 32), IOTKM_KEY_NONE);
            token.agreed = 0;
            OK(iotkm_interactive_authenticate(&a.s.a, &a.s.cx, &b.s.addr));
            settle(&a.s, &b.s, 0);
            CHECK(token.agreed == 2);
        }
        OK(iotkm_remembered_wipe(&remembered));
        IS(iotkm_remembered_agree(&remembered, key, curve, share, secret, 32), IOTKM_E_NOT_SET_UP);
        IS(iotkm_remembered_forget(&remembered), IOTKM_E_NOT_SET_UP);
        IS(iotkm_remembered_wipe(&remembered), IOTKM_E_NOT_SET_UP);
        /* As a token that failed: nothing has changed. */
        OK(iotkm_interactive_authenticate(&a.s.a, &a.s.cx, &b.s.addr));
        settle(&a.s, &b.s, 1000);
        tell(&a.s, "still the old session");
        ends();
    }
    IS(iotkm_remembered_init(&remembered, &a.s.platform, places, 0), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_remembered_init(&remembered, &a.s.platform, NULL, 1), IOTKM_E_NULL);
    a.s.platform.agree = NULL;
    IS(iotkm_remembered_init(&remembered, &a.s.platform, places, 1), IOTKM_E_HOOK);
}

/* A peer that was set up is stored, and comes back; what is known of it can be asked. */
static void peers(void) {
    iotkm_interactive_peer peer;
    iotkm_ticket read;
    uint8_t blob[IOTKM_INTERACTIVE_PEER_BLOB_MAX], ticket[IOTKM_TICKET_MAX];
    char name[IOTKM_NAME_TEXT];
    uint32_t version, again;
    uint16_t slot;
    size_t len;

    both(&iotkm_x25519);
    OK(iotkm_interactive_peer_init(&peer, 2, "lamp", "third", NULL));
    IS(iotkm_interactive_peer_store(&peer, &a.s.cx, work, 10), IOTKM_E_BUFFER_TOO_SMALL);
    a.s.store_fails = 1;
    IS(iotkm_interactive_peer_store(&peer, &a.s.cx, work, sizeof work), IOTKM_E_HOOK);
    a.s.store_fails = 0;
    OK(iotkm_interactive_peer_store(&peer, &a.s.cx, work, sizeof work));
    OK(iotkm_interactive_peer_wipe(&peer));
    OK(iotkm_interactive_peer_load(&peer, &a.s.cx, 2, work, sizeof work));
    OK(iotkm_interactive_peer_name(&peer, name));
    OK(iotkm_interactive_peer_slot(&peer, &slot));
    CHECK(strcmp(name, "third") == 0 && slot == 2);
    IS(iotkm_interactive_peer_ticket(&peer, ticket, sizeof ticket, &len), IOTKM_E_NO_CREDENTIAL);
    OK(iotkm_interactive_peer_seal(&peer, &a.s.cx, blob, sizeof blob, &len, &version));
    OK(iotkm_interactive_peer_seal(&peer, &a.s.cx, blob, sizeof blob, &len, &again));
    CHECK(again == version + 1);
    OK(iotkm_interactive_peer_wipe(&peer));
    /* A monotonic counter that has gone past this blob. */
    IS(iotkm_interactive_peer_restore(&peer, &a.s.cx, 2, again + 1, blob, len, work, sizeof work), IOTKM_E_BLOB_ROLLED_BACK);
    blob[len - 1] ^= 1;
    IS(iotkm_interactive_peer_restore(&peer, &a.s.cx, 2, 0, blob, len, work, sizeof work), IOTKM_E_BAD_BLOB);
    blob[len - 1] ^= 1;
    OK(iotkm_interactive_peer_restore(&peer, &a.s.cx, 2, again, blob, len, work, sizeof work));
    OK(iotkm_interactive_peer_wipe(&peer));

    IS(iotkm_interactive_peer_seal(&a.peer, &a.s.cx, blob, sizeof blob, &len, &version), IOTKM_E_BUSY);
    OK(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr));
    settle(&a.s, &b.s, 0);
    IS(iotkm_interactive_peer_ticket(&a.peer, ticket, 20, &len), IOTKM_E_BUFFER_TOO_SMALL);
    OK(iotkm_interactive_peer_ticket(&a.peer, ticket, sizeof ticket, &len));
    OK(iotkm_ticket_verify(ticket, len, &agent, &read));
    CHECK(read.serial == 2 && read.expires == NOW + YEAR);
    ends();
}

static void meets(const uint8_t *of_a, const uint8_t *of_b) {
    both(&iotkm_x25519);
    OK(iotkm_wipe(&a.s.a));
    OK(iotkm_wipe(&b.s.a));
    OK(iotkm_interactive_peer_wipe(&a.peer));
    OK(iotkm_interactive_peer_wipe(&b.peer));
    OK(iotkm_interactive_peer_init(&a.peer, 1, "lamp", "switch", of_a));
    OK(iotkm_interactive_peer_init(&b.peer, 1, "switch", "lamp", of_b));
    device_open(&b, &iotkm_x25519);
}

/* A leaf connects, talks, and connects again after a restart; it answers nobody. */
static void leaf(void) {
    static iotkm_interactive_memory_small memory;
    iotkm_interactive_setup setup = setup_of(&iotkm_x25519);
    uint8_t blob[IOTKM_SESSION_BLOB_MAX];
    uint32_t before, generation;
    size_t len;
    int restarts;

    meets(NULL, NULL);
    for (restarts = 0; restarts < 2; restarts++) {
        OK(iotkm_interactive_open_leaf(&a.s.a, &a.peer, &a.wallet, &setup, NULL, &memory));
        OK(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr));
        settle(&a.s, &b.s, 0);
        CHECK(iotkm_is_established(&a.s.a) == 1 && iotkm_is_established(&b.s.a) == 1);
        tell(&a.s, "22 W");
        tell(&b.s, "off");
        IS(iotkm_export(&a.s.a, &a.s.cx, blob, sizeof blob, &len), IOTKM_E_WRONG_STATE);
        OK(iotkm_interactive_peer_generation(&a.peer, &before));
        OK(iotkm_interactive_connect(&b.s.a, &b.s.cx, &a.s.addr));
        settle(&a.s, &b.s, 300000);
        CHECK(b.s.events[IOTKM_EVENT_FAILED] == (unsigned)restarts + 1);
        OK(iotkm_interactive_peer_generation(&a.peer, &generation));
        CHECK(generation == before);
        tell(&a.s, "still here");
        OK(iotkm_wipe(&a.s.a));
        OK(iotkm_interactive_peer_wipe(&a.peer));
        OK(iotkm_interactive_peer_load(&a.peer, &a.s.cx, 1, work, sizeof work));
    }
    device_open(&a, &iotkm_x25519);
    ends();
}

/* Key material from elsewhere goes into the first contact: both have the same, or there is none. */
static void psk(void) {
    static const uint8_t one[32] = {1}, other[32] = {2};
    const uint8_t *const cases[][2] = {{one, one}, {one, other}, {one, NULL}, {NULL, one}};
    unsigned i;
    for (i = 0; i < 4; i++) {
        meets(cases[i][0], cases[i][1]);
        device_open(&a, &iotkm_x25519);
        OK(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr));
        settle(&a.s, &b.s, 300000);
        CHECK(iotkm_is_established(&a.s.a) == (i == 0) && iotkm_is_established(&b.s.a) == (i == 0));
        /* That one side has none is said in clear; that they differ nobody says. */
        CHECK((a.s.events[IOTKM_EVENT_HINT] > 0) == (i > 1));
        if (i == 0) tell(&a.s, "on");
        ends();
    }
}

static void misuse(void) {
    static iotkm_association none;
    iotkm_interactive_setup setup = setup_of(&iotkm_x25519);
    iotkm_interactive_peer peer;
    const iotkm_suite *suites[2] = {&iotkm_suite_0, NULL};
    char name[IOTKM_NAME_TEXT];
    uint32_t number;

    both(&iotkm_x25519);
    memset(&peer, 0, sizeof peer);
    IS(iotkm_interactive_connect(&none, &a.s.cx, &b.s.addr), IOTKM_E_NOT_SET_UP);
    IS(iotkm_interactive_ping(&none, &a.s.cx, &b.s.addr), IOTKM_E_NOT_SET_UP);
    IS(iotkm_interactive_authenticate(&none, &a.s.cx, &b.s.addr), IOTKM_E_NOT_SET_UP);
    IS(iotkm_interactive_recheck(&none, &a.s.cx), IOTKM_E_NOT_SET_UP);
    IS(iotkm_interactive_release(&none), IOTKM_E_NOT_SET_UP);
    IS(iotkm_interactive_lend(NULL, &a.memory), IOTKM_E_NULL);
    IS(iotkm_interactive_peer_name(&peer, name), IOTKM_E_NOT_SET_UP);
    IS(iotkm_interactive_peer_generation(NULL, &number), IOTKM_E_NULL);
    IS(iotkm_interactive_peer_wipe(&peer), IOTKM_E_NOT_SET_UP);
    IS(iotkm_interactive_peer_init(&peer, 1, "same", "same", NULL), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_interactive_peer_init(&peer, 1, "", "switch", NULL), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_interactive_peer_init(&peer, 1, "lamp", NULL, NULL), IOTKM_E_NULL);
    IS(iotkm_interactive_peer_load(&peer, &a.s.cx, 3, work, sizeof work), IOTKM_E_EMPTY);
    IS(iotkm_interactive_ping(&a.s.a, &a.s.cx, &b.s.addr), IOTKM_E_NOT_ESTABLISHED);
    IS(iotkm_interactive_connect(&a.s.a, &a.s.cx, NULL), IOTKM_E_NULL);
    IS(iotkm_history_update(&a.s.a, &a.s.cx), IOTKM_E_SCHEME);
    IS(iotkm_interactive_peer_wipe(&a.peer), IOTKM_E_BUSY);
    IS(iotkm_wallet_wipe(&a.wallet), IOTKM_E_BUSY);
    IS(iotkm_interactive_open(&none, &a.peer, &a.wallet, &setup, NULL, &b.memory), IOTKM_E_BUSY);
    OK(iotkm_interactive_peer_init(&peer, 2, "lamp", "third", NULL));
    IS(iotkm_interactive_open(&none, &peer, &a.wallet, NULL, NULL, &b.memory), IOTKM_E_NULL);
    setup.struct_size = 0;
    IS(iotkm_interactive_open(&none, &peer, &a.wallet, &setup, NULL, &b.memory), IOTKM_E_STRUCT_SIZE);
    setup = setup_of(&iotkm_p256);
    setup.kem = &iotkm_x25519; /* suites of another group */
    IS(iotkm_interactive_open(&none, &peer, &a.wallet, &setup, NULL, &b.memory), IOTKM_E_BAD_ARGUMENT);
    setup = setup_of(&iotkm_x25519);
    setup.suites = suites;
    setup.suite_count = 2;
    IS(iotkm_interactive_open(&none, &peer, &a.wallet, &setup, NULL, &b.memory), IOTKM_E_NULL);
    setup.suite_count = 9;
    IS(iotkm_interactive_open(&none, &peer, &a.wallet, &setup, NULL, &b.memory), IOTKM_E_BAD_ARGUMENT);
    a.s.random_fails = 1;
    IS(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr), IOTKM_E_RNG);
    a.s.random_fails = 0;
    a.s.cx.wall_ms += 2 * YEAR * 1000; /* its ticket is over */
    IS(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr), IOTKM_E_NO_CREDENTIAL);
    a.s.cx.wall_ms -= 2 * YEAR * 1000;
    OK(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr));
    IS(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr), IOTKM_E_WRONG_STATE);
    settle(&a.s, &b.s, 0);
    tell(&a.s, "after all that");
    OK(iotkm_interactive_peer_wipe(&peer));
    ends();
}

int main(void) {
    life(&iotkm_x25519);
    life(&iotkm_p256);
    tokens();
    remembers();
    peers();
    leaf();
    psk();
    misuse();
    return 0;
}
