/* The noninteractive scheme: credentials by both ways of issuing, a handshake, epochs without a message, restarts, revocation. */
#include "pair.h"

enum { LIST = IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 4, MEMORY = IOTKM_HOLDER_MEMORY + LIST, PEER = 1, HOLDER = 2, KEY = 3 };
static const uint32_t NOW = 1750000000;
enum { HOUR = 3600, INTERVAL = 60 };

typedef struct {
    side s;
    iotkm_noninteractive_peer peer;
    iotkm_noninteractive_memory memory;
    iotkm_holder holder;
    iotkm_static_key key;
    uint8_t purse[MEMORY];
    int answers; /* how often a step says IOTKM_KEY_PENDING before it is done; below 0: what it says instead */
    unsigned steps;
} device;

static device a, b;
static uint8_t lists_secret[32], lists_key[IOTKM_AGENT_KEY_MAX], x[32], y[32], work[2 * (IOTKM_HOLDER_BLOB_OVERHEAD + MEMORY)];
static uint8_t peer_work[2 * IOTKM_NONINTERACTIVE_PEER_BLOB_MAX];
static iotkm_agent agent;
static iotkm_credential_operator office;
static uint32_t serial;

/* A token may be slow. */
static int slow_step(void *ctx, uint16_t key, int curve, const iotkm_step *step, uint8_t *out) {
    device *d = (device *)ctx;
    if (d->answers < 0) return d->answers;
    if (d->answers > 0) return d->answers--, IOTKM_KEY_PENDING;
    d->steps++;
    return iotkm_static_key_step(&d->key, key, curve, step, out);
}
static int slow_agree(void *ctx, uint16_t key, int curve, const uint8_t *share, uint8_t *secret, size_t len) {
    return iotkm_static_key_agree(&((device *)ctx)->key, key, curve, share, secret, len);
}
static int slow_public(void *ctx, uint16_t key, int curve, uint8_t *share, size_t len) {
    return iotkm_static_key_public_key(&((device *)ctx)->key, key, curve, share, len);
}

static int is_p256(const iotkm_noninteractive_suite *suite) {
    return suite == &iotkm_noninteractive_suite_2 || suite == &iotkm_noninteractive_suite_3 || suite == &iotkm_noninteractive_suite_5;
}
static const iotkm_kem *kem_of(const iotkm_noninteractive_suite *suite) {
    return is_p256(suite) ? &iotkm_growing_p256 : &iotkm_growing_ristretto255;
}

static void office_opens(const iotkm_noninteractive_suite *suite) {
    side clerk;
    memset(lists_secret, 9, sizeof lists_secret);
    OK(iotkm_signing_public_key(&iotkm_signing_eddsa, lists_secret, lists_key, sizeof lists_key, &agent.key_len));
    agent.name = "acme";
    agent.signature = &iotkm_eddsa;
    agent.key = lists_key;
    side_init(&clerk, &clerk, 'o');
    OK(iotkm_operator_key_generate(suite, &clerk.cx, x));
    OK(iotkm_operator_key_public(suite, x, y, sizeof y, &office.key_len));
    office.suite = suite;
    office.agent = &agent;
    office.key = y;
}

static iotkm_credential_terms terms_of(uint32_t now, uint16_t hours) {
    iotkm_credential_terms terms;
    memset(&terms, 0, sizeof terms);
    terms.issuer = "acme";
    terms.issued_at = now;
    terms.life_h = hours;
    terms.serial = ++serial;
    return terms;
}

static void answered(const side *clerk, const iotkm_static_key *half, const char *name, uint32_t now, uint16_t hours, uint8_t *answer, size_t *len) {
    uint8_t request[IOTKM_CREDENTIAL_REQUEST_MAX];
    iotkm_credential_terms terms = terms_of(now, hours);
    char asks[IOTKM_NAME_TEXT];
    size_t request_len;
    OK(iotkm_credential_request(half, name, request, sizeof request, &request_len));
    OK(iotkm_credential_requested(office.suite, request, request_len, asks));
    CHECK(strcmp(asks, name) == 0);
    OK(iotkm_credential_issue(&clerk->cx, office.suite, x, &terms, request, request_len, answer, IOTKM_CREDENTIAL_ANSWER_MAX, len));
}

/* A split issue, with restarts in between. */
static void enrol(device *d, const char *name, uint16_t hours) {
    iotkm_static_key half;
    iotkm_credential credential;
    uint8_t answer[IOTKM_CREDENTIAL_ANSWER_MAX];
    size_t len;
    OK(iotkm_holder_init(&d->holder, &office, name, d->purse, sizeof d->purse));
    OK(iotkm_static_key_generate(&half, &d->s.cx, 0, kem_of(office.suite)));
    OK(iotkm_static_key_store(&half, &d->s.cx, KEY));
    OK(iotkm_static_key_wipe(&half));
    OK(iotkm_static_key_load(&half, &d->s.cx, 0, kem_of(office.suite), KEY));
    answered(&d->s, &half, name, NOW, hours, answer, &len);
    OK(iotkm_holder_accept(&d->holder, &d->s.cx, &half, answer, len, 5, &d->key, &credential));
    CHECK(strcmp(credential.subject, name) == 0 && credential.serial == serial && credential.expires == NOW + HOUR * (uint64_t)hours);
    OK(iotkm_static_key_store(&d->key, &d->s.cx, KEY));
    OK(iotkm_holder_install(&d->holder, &d->s.cx, credential.bytes, credential.len));
    OK(iotkm_static_key_wipe(&half));
    CHECK(iotkm_holder_needs_store(&d->holder) == 1);
    OK(iotkm_holder_store(&d->holder, &d->s.cx, HOLDER, work, sizeof work));
    CHECK(iotkm_holder_needs_store(&d->holder) == 0);
    OK(iotkm_holder_wipe(&d->holder));
    OK(iotkm_static_key_wipe(&d->key));
    OK(iotkm_holder_init(&d->holder, &office, name, d->purse, sizeof d->purse));
    OK(iotkm_holder_load(&d->holder, &d->s.cx, HOLDER, work, sizeof work));
    OK(iotkm_static_key_load(&d->key, &d->s.cx, 5, kem_of(office.suite), KEY));
    OK(iotkm_holder_credential(&d->holder, &credential));
    CHECK(credential.serial == serial);
    d->s.platform.public_key = slow_public;
    d->s.platform.agree = slow_agree;
    d->s.platform.step = slow_step;
    d->s.platform.keys_ctx = d;
}

static iotkm_noninteractive_setup setup_of(uint16_t length) {
    iotkm_noninteractive_setup setup;
    memset(&setup, 0, sizeof setup);
    setup.struct_size = sizeof setup;
    setup.key = 5;
    setup.interval_s = INTERVAL;
    setup.length = length;
    return setup;
}

static iotkm_noninteractive *long_one(side *s) { return (iotkm_noninteractive *)&s->a; }

static void device_open(device *d, uint16_t length) {
    iotkm_noninteractive_setup setup = setup_of(length);
    OK(iotkm_noninteractive_open(long_one(&d->s), &d->peer, &d->holder, &setup, NULL, &d->memory));
}

/* Both devices, strangers. */
static void both(const iotkm_noninteractive_suite *suite, uint16_t length, const uint8_t *psk) {
    office_opens(suite);
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    side_init(&a.s, &b.s, 'a');
    side_init(&b.s, &a.s, 'b');
    CHECK(sizeof(iotkm_noninteractive) <= sizeof a.s.a + sizeof a.s.more && (uint8_t *)a.s.more == (uint8_t *)(&a.s.a + 1));
    enrol(&a, "lamp", 24);
    enrol(&b, "switch", 24);
    OK(iotkm_noninteractive_peer_init(&a.peer, suite, PEER, "lamp", "switch", psk));
    OK(iotkm_noninteractive_peer_init(&b.peer, suite, PEER, "switch", NULL, psk));
    device_open(&a, length);
    device_open(&b, length);
}

static void ends(void) {
    device *all[2] = {&a, &b};
    unsigned i;
    for (i = 0; i < 2; i++) {
        OK(iotkm_wipe(&all[i]->s.a));
        OK(iotkm_noninteractive_peer_wipe(&all[i]->peer));
        OK(iotkm_holder_wipe(&all[i]->holder));
        OK(iotkm_static_key_wipe(&all[i]->key));
    }
}

static void meet(void) {
    OK(iotkm_noninteractive_connect(&a.s.a, &a.s.cx, &b.s.addr));
    settle(&a.s, &b.s, 0);
    CHECK(iotkm_is_established(&a.s.a) == 1 && iotkm_is_established(&b.s.a) == 1);
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

static uint32_t epoch_of(device *d) {
    uint32_t epoch = 0;
    OK(iotkm_noninteractive_epoch(&d->s.a, &epoch));
    return epoch;
}

/* Lets time pass for both, and says how many datagrams that took. */
static unsigned pass(uint64_t ms) {
    uint64_t end = a.s.cx.now_ms + ms;
    unsigned said = 0;
    for (;;) {
        uint64_t wake = a.s.wake_at < b.s.wake_at ? a.s.wake_at : b.s.wake_at;
        if (wake > end && a.s.cx.now_ms == end) return said;
        wake = wake < end ? wake : end;
        if (wake > a.s.cx.now_ms) {
            a.s.cx.wall_ms += wake - a.s.cx.now_ms;
            b.s.cx.wall_ms += wake - b.s.cx.now_ms;
            a.s.cx.now_ms = b.s.cx.now_ms = wake;
        }
        OK(iotkm_timeout(&a.s.a, &a.s.cx));
        side_drain(&a.s);
        OK(iotkm_timeout(&b.s.a, &b.s.cx));
        side_drain(&b.s);
        said += side_take(&a.s) + side_take(&b.s);
    }
}

static void restart(device *d, uint16_t length) {
    OK(iotkm_wipe(&d->s.a));
    OK(iotkm_noninteractive_peer_wipe(&d->peer));
    OK(iotkm_noninteractive_peer_load(&d->peer, office.suite, &d->s.cx, PEER, peer_work, sizeof peer_work));
    device_open(d, length);
}

static void life(const iotkm_noninteractive_suite *suite) {
    iotkm_assurance_record assurance;
    iotkm_credential credential;
    char name[IOTKM_NAME_TEXT];
    uint8_t list[LIST], theirs[IOTKM_CREDENTIAL_MAX], exported[2][32], blob[IOTKM_SESSION_BLOB_MAX];
    uint32_t epoch;
    unsigned steps;
    bool is_new;
    size_t len;

    both(suite, 100, NULL);
    IS(iotkm_noninteractive_epoch(&a.s.a, &epoch), IOTKM_E_NOT_ESTABLISHED);
    meet();
    CHECK(a.s.events[IOTKM_EVENT_ESTABLISHED] == 1 && b.s.events[IOTKM_EVENT_ESTABLISHED] == 1);
    CHECK(memcmp(a.s.fingerprint, b.s.fingerprint, 10) == 0);
    OK(iotkm_noninteractive_peer_name(&b.peer, name));
    CHECK(strcmp(name, "lamp") == 0 && epoch_of(&a) == 1 && epoch_of(&b) == 1);
    OK(iotkm_noninteractive_peer_credential(&b.peer, theirs, sizeof theirs, &len));
    OK(iotkm_credential_read(suite, theirs, len, &credential));
    CHECK(strcmp(credential.subject, "lamp") == 0 && credential.issued_at == NOW);
    OK(iotkm_assurance(&b.s.a, &assurance));
    CHECK(assurance.authenticated == IOTKM_AUTHENTICATED_HOLDER);
    tell(&a.s, "on");
    tell(&b.s, "off");

    /* Five epochs, and nothing said. */
    steps = a.steps;
    CHECK(pass(5 * INTERVAL * 1000) == 0 && epoch_of(&a) == 6 && epoch_of(&b) == 6 && a.steps == steps + 5);
    CHECK(a.s.events[IOTKM_EVENT_REKEYED] == 5);
    tell(&a.s, "later");
    OK(iotkm_noninteractive_release(&a.s.a));
    CHECK(pass(INTERVAL * 1000) == 0 && epoch_of(&a) == 7);
    IS(iotkm_noninteractive_release(&a.s.a), IOTKM_E_WRONG_STATE);
    OK(iotkm_noninteractive_lend(&a.s.a, &a.memory));
    IS(iotkm_noninteractive_lend(&a.s.a, &a.memory), IOTKM_E_WRONG_STATE);
    OK(iotkm_exporter(&a.s.a, "psk", NULL, 0, exported[0], 32));
    OK(iotkm_exporter(&b.s.a, "psk", NULL, 0, exported[1], 32));
    CHECK(memcmp(exported[0], exported[1], 32) == 0);

    /* Restarts: from the peer alone, from a blob of the session's beside it. */
    restart(&a, 100);
    OK(iotkm_noninteractive_peer_epoch(&a.peer, &epoch));
    CHECK(epoch == 7);
    OK(iotkm_noninteractive_go_on(&a.s.a, &a.s.cx));
    settle(&a.s, &b.s, 0);
    CHECK(a.s.events[IOTKM_EVENT_RESUMED] == 1 && epoch_of(&a) == epoch_of(&b));
    tell(&a.s, "resumed");
    tell(&b.s, "so I see");
    IS(iotkm_noninteractive_go_on(&a.s.a, &a.s.cx), IOTKM_E_WRONG_STATE);
    OK(iotkm_export(&b.s.a, &b.s.cx, blob, sizeof blob, &len));
    restart(&b, 100);
    OK(iotkm_restore(&b.s.a, &b.s.cx, blob, len));
    settle(&a.s, &b.s, 0);
    CHECK(b.s.events[IOTKM_EVENT_RESUMED] == 2);
    tell(&a.s, "again");

    /* A new handshake while the old session lives. */
    meet();
    CHECK(epoch_of(&a) == 1);
    tell(&b.s, "newly met");

    /* a's credential is revoked: b ends it, and turns a away. */
    OK(iotkm_holder_credential(&a.holder, &credential));
    OK(iotkm_revocation_list_issue(&iotkm_signing_eddsa, lists_secret, "acme", NOW, 1, &credential.serial, 1, list, sizeof list, &len));
    OK(iotkm_holder_revoke(&b.holder, &b.s.cx, list, len, &is_new));
    CHECK(is_new);
    OK(iotkm_noninteractive_recheck(&b.s.a, &b.s.cx));
    settle(&a.s, &b.s, 0);
    CHECK(b.s.events[IOTKM_EVENT_TERMINATED] == 1 && iotkm_is_established(&b.s.a) == 0);
    OK(iotkm_holder_list_number(&b.holder, &epoch));
    CHECK(epoch == 1);
    (void)iotkm_close(&a.s.a);
    settle(&a.s, &b.s, 0);
    OK(iotkm_noninteractive_connect(&a.s.a, &a.s.cx, &b.s.addr));
    settle(&a.s, &b.s, 300000);
    CHECK(a.s.events[IOTKM_EVENT_FAILED] > 0 && iotkm_is_established(&b.s.a) == 0);
    ends();
}

/* The last epoch is announced; then all is over. A credential that ends does the same. */
static void ends_come(void) {
    both(&iotkm_noninteractive_suite_4, 3, NULL);
    meet();
    CHECK(pass(2 * INTERVAL * 1000) == 0 && epoch_of(&a) == 3);
    CHECK(a.s.events[IOTKM_EVENT_REKEY_NEEDED] == 1 && b.s.events[IOTKM_EVENT_REKEY_NEEDED] == 1);
    (void)pass(INTERVAL * 1000);
    CHECK(a.s.events[IOTKM_EVENT_TERMINATED] == 1 && iotkm_is_established(&a.s.a) == 0);
    IS(iotkm_noninteractive_go_on(&a.s.a, &a.s.cx), IOTKM_E_NOT_ESTABLISHED);
    meet();
    ends();

    both(&iotkm_noninteractive_suite_4, 60000, NULL);
    meet();
    (void)pass(UINT64_C(24) * HOUR * 1000);
    CHECK(a.s.events[IOTKM_EVENT_TERMINATED] == 1 && iotkm_is_established(&a.s.a) == 0);
    IS(iotkm_noninteractive_connect(&a.s.a, &a.s.cx, &b.s.addr), IOTKM_E_NO_CREDENTIAL);
    ends();
}

/* One side's clock stands still: the other's record moves it on, and over more than one epoch LAG does. */
static void lags(void) {
    uint8_t out[MTU];
    iotkm_addr to;
    unsigned round;
    size_t len;
    both(&iotkm_noninteractive_suite_2, 100, NULL);
    meet();
    a.s.cx.now_ms += 4 * INTERVAL * 1000;
    OK(iotkm_timeout(&a.s.a, &a.s.cx));
    side_drain(&a.s);
    while (a.s.wake_at <= a.s.cx.now_ms) {
        OK(iotkm_timeout(&a.s.a, &a.s.cx));
        side_drain(&a.s);
    }
    CHECK(epoch_of(&a) == 5 && epoch_of(&b) == 1);
    OK(iotkm_send(&a.s.a, &a.s.cx, (const uint8_t *)"lost", 4, out, sizeof out, &len, &to));
    OK(test_send(&a.s, &to, out, len));
    for (round = 0; round < 6; round++) {
        b.s.cx.now_ms += 500;
        side_take(&b.s);
        OK(iotkm_timeout(&b.s.a, &b.s.cx));
        side_drain(&b.s);
        side_take(&a.s);
        OK(iotkm_timeout(&a.s.a, &a.s.cx));
        side_drain(&a.s);
    }
    CHECK(epoch_of(&a) == 5 && epoch_of(&b) == 5 && b.s.got_count == 0);
    OK(iotkm_send(&a.s.a, &a.s.cx, (const uint8_t *)"heard", 5, out, sizeof out, &len, &to));
    OK(test_send(&a.s, &to, out, len));
    side_take(&b.s);
    CHECK(b.s.got_count == 1 && b.s.got_len == 5);
    ends();
}

/* A psk, on both sides and on one; a token that is slow, broken, gone. */
static void psks_and_tokens(void) {
    static const uint8_t psk[32] = {7};
    both(&iotkm_noninteractive_suite_2, 100, psk);
    meet();
    tell(&a.s, "with a psk");
    ends();

    both(&iotkm_noninteractive_suite_2, 100, psk);
    OK(iotkm_wipe(&a.s.a));
    OK(iotkm_noninteractive_peer_wipe(&a.peer));
    OK(iotkm_noninteractive_peer_init(&a.peer, office.suite, PEER, "lamp", "switch", NULL));
    device_open(&a, 100);
    OK(iotkm_noninteractive_connect(&a.s.a, &a.s.cx, &b.s.addr));
    settle(&a.s, &b.s, 300000);
    CHECK(a.s.events[IOTKM_EVENT_FAILED] == 1 && iotkm_is_established(&b.s.a) == 0);
    ends();

    both(&iotkm_noninteractive_suite_4, 100, NULL);
    a.answers = 3;
    OK(iotkm_noninteractive_connect(&a.s.a, &a.s.cx, &b.s.addr));
    settle(&a.s, &b.s, 5000);
    CHECK(a.answers == 0 && iotkm_is_established(&a.s.a) == 1);
    tell(&a.s, "at last");
    ends();

    both(&iotkm_noninteractive_suite_4, 100, NULL);
    a.answers = -9;
    OK(iotkm_noninteractive_connect(&a.s.a, &a.s.cx, &b.s.addr));
    settle(&a.s, &b.s, 5000);
    CHECK(a.s.events[IOTKM_EVENT_FAILED] == 1 && iotkm_is_established(&a.s.a) == 0);
    ends();
}

/* Issued as printed; renewed beside the old one, under another number. */
static void issued(void) {
    static device c;
    uint8_t credential[IOTKM_CREDENTIAL_MAX], answer[IOTKM_CREDENTIAL_ANSWER_MAX], secret[32];
    iotkm_credential_terms terms;
    iotkm_static_key half;
    iotkm_credential shown;
    uint64_t floor_s;
    size_t len;

    office_opens(&iotkm_noninteractive_suite_2);
    memset(&c, 0, sizeof c);
    side_init(&c.s, &c.s, 'c');
    OK(iotkm_holder_init(&c.holder, &office, "bell", c.purse, sizeof c.purse));
    IS(iotkm_holder_credential(&c.holder, &shown), IOTKM_E_NO_CREDENTIAL);
    terms = terms_of(NOW, 2);
    OK(iotkm_credential_issue_printed_knowing_the_private_key(&c.s.cx, office.suite, x, &terms, "bell", secret, credential, sizeof credential, &len));
    OK(iotkm_holder_accept_printed(&c.holder, &c.s.cx, credential, len, secret, 5, &c.key));
    OK(iotkm_holder_install(&c.holder, &c.s.cx, credential, len));
    OK(iotkm_holder_floor(&c.holder, &floor_s));
    CHECK(floor_s == NOW);
    secret[31] ^= 1;
    IS(iotkm_holder_accept_printed(&c.holder, &c.s.cx, credential, len, secret, 5, &c.key), IOTKM_E_REFUSED_SIGNATURE);
    credential[3] ^= 1;
    secret[31] ^= 1;
    IS(iotkm_holder_accept_printed(&c.holder, &c.s.cx, credential, len, secret, 5, &c.key), IOTKM_E_REFUSED_SIGNATURE);

    /* Another half, another operator, another device, another time. */
    OK(iotkm_static_key_generate(&half, &c.s.cx, 0, &iotkm_growing_p256));
    answered(&c.s, &half, "bell", NOW, 4, answer, &len);
    IS(iotkm_holder_accept(&c.holder, &c.s.cx, &c.key, answer, len, 6, &half, &shown), IOTKM_E_REFUSED_SIGNATURE);
    IS(iotkm_holder_accept(&c.holder, &c.s.cx, &half, answer, len, 6, &half, &shown), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_holder_accept(&c.holder, &c.s.cx, &half, answer, len - 1, 6, &c.key, &shown), IOTKM_E_REFUSED_CLAIMS);
    OK(iotkm_holder_accept(&c.holder, &c.s.cx, &half, answer, len, 6, &c.key, &shown));
    OK(iotkm_holder_install(&c.holder, &c.s.cx, shown.bytes, shown.len));
    OK(iotkm_holder_credential(&c.holder, &shown));
    CHECK(shown.expires == NOW + 4 * HOUR);
    answered(&c.s, &half, "bell", NOW, 1, answer, &len);
    OK(iotkm_holder_accept(&c.holder, &c.s.cx, &half, answer, len, 6, &c.key, &shown));
    IS(iotkm_holder_install(&c.holder, &c.s.cx, shown.bytes, shown.len), IOTKM_E_REFUSED_OLDER);
    answered(&c.s, &half, "door", NOW, 1, answer, &len);
    IS(iotkm_holder_accept(&c.holder, &c.s.cx, &half, answer, len, 6, &c.key, &shown), IOTKM_E_REFUSED_SUBJECT);
    answered(&c.s, &half, "bell", NOW - 10 * HOUR, 1, answer, &len);
    IS(iotkm_holder_accept(&c.holder, &c.s.cx, &half, answer, len, 6, &c.key, &shown), IOTKM_E_REFUSED_EXPIRED);
    answered(&c.s, &half, "bell", NOW, 9, answer, &len);
    y[5] ^= 1; /* the holder's operator is another one now */
    CHECK(iotkm_holder_accept(&c.holder, &c.s.cx, &half, answer, len, 6, &c.key, &shown) < 0);
    y[5] ^= 1;
    OK(iotkm_static_key_wipe(&half));
    OK(iotkm_static_key_wipe(&c.key));
    OK(iotkm_holder_wipe(&c.holder));
}

static void misuse(void) {
    static iotkm_noninteractive none;
    static iotkm_noninteractive_peer peer;
    static iotkm_noninteractive_memory_small small;
    static iotkm_holder holder;
    iotkm_credential_operator other_office;
    iotkm_credential_terms terms;
    iotkm_static_key key;
    iotkm_credential credential;
    iotkm_noninteractive_setup setup = setup_of(9);
    iotkm_config config;
    uint8_t bytes[200], zeros[32];
    char name[IOTKM_NAME_TEXT];
    uint32_t number;
    uint16_t slot;
    size_t len;

    both(&iotkm_noninteractive_suite_4, 100, NULL);
    memset(zeros, 0, sizeof zeros);
    memset(bytes, 1, sizeof bytes);
    IS(iotkm_noninteractive_connect(&none.association, &a.s.cx, &b.s.addr), IOTKM_E_NOT_SET_UP);
    IS(iotkm_noninteractive_go_on(&none.association, &a.s.cx), IOTKM_E_NOT_SET_UP);
    IS(iotkm_noninteractive_recheck(&none.association, &a.s.cx), IOTKM_E_NOT_SET_UP);
    IS(iotkm_noninteractive_release(NULL), IOTKM_E_NULL);
    IS(iotkm_noninteractive_lend(&a.s.a, NULL), IOTKM_E_NULL);
    IS(iotkm_noninteractive_is_named_by(&none.association, bytes, 4), IOTKM_E_NOT_SET_UP);
    CHECK(iotkm_noninteractive_is_named_by(&a.s.a, bytes, sizeof bytes) == 0);
    IS(iotkm_noninteractive_connect(&a.s.a, &a.s.cx, NULL), IOTKM_E_NULL);
    IS(iotkm_interactive_connect(&a.s.a, &a.s.cx, &b.s.addr), IOTKM_E_SCHEME);
    IS(iotkm_history_update(&a.s.a, &a.s.cx), IOTKM_E_SCHEME);
    IS(iotkm_noninteractive_go_on(&a.s.a, &a.s.cx), IOTKM_E_NOT_ESTABLISHED);
    IS(iotkm_export(&a.s.a, &a.s.cx, bytes, sizeof bytes, &len), IOTKM_E_NOT_ESTABLISHED);

    IS(iotkm_noninteractive_peer_name(&peer, name), IOTKM_E_NOT_SET_UP);
    IS(iotkm_noninteractive_peer_epoch(NULL, &number), IOTKM_E_NULL);
    IS(iotkm_noninteractive_peer_slot(&peer, &slot), IOTKM_E_NOT_SET_UP);
    IS(iotkm_noninteractive_peer_wipe(&peer), IOTKM_E_NOT_SET_UP);
    IS(iotkm_noninteractive_peer_wipe(&a.peer), IOTKM_E_BUSY);
    IS(iotkm_noninteractive_peer_store(&a.peer, &a.s.cx, peer_work, sizeof peer_work), IOTKM_E_BUSY);
    IS(iotkm_noninteractive_peer_init(&peer, NULL, 1, "lamp", NULL, NULL), IOTKM_E_NULL);
    IS(iotkm_noninteractive_peer_init(&peer, office.suite, 1, "lamp", "lamp", NULL), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_noninteractive_peer_init(&peer, office.suite, 1, "", NULL, NULL), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_noninteractive_peer_load(&peer, office.suite, &a.s.cx, 0, peer_work, sizeof peer_work), IOTKM_E_EMPTY);
    IS(iotkm_noninteractive_peer_load(&peer, office.suite, &a.s.cx, HOLDER, peer_work, sizeof peer_work), IOTKM_E_BAD_BLOB);
    OK(iotkm_noninteractive_peer_init(&peer, office.suite, 0, "lamp", "bell", NULL));
    IS(iotkm_noninteractive_peer_credential(&peer, bytes, sizeof bytes, &len), IOTKM_E_NO_CREDENTIAL);
    IS(iotkm_noninteractive_peer_epoch(&peer, &number), IOTKM_E_NOT_ESTABLISHED);
    IS(iotkm_noninteractive_peer_seal(&peer, &a.s.cx, bytes, 20, &len, &number), IOTKM_E_BUFFER_TOO_SMALL);
    OK(iotkm_noninteractive_peer_store(&peer, &a.s.cx, peer_work, sizeof peer_work));
    OK(iotkm_noninteractive_peer_wipe(&peer));
    IS(iotkm_noninteractive_peer_load(&peer, &iotkm_noninteractive_suite_2, &a.s.cx, 0, peer_work, sizeof peer_work), IOTKM_E_BAD_BLOB);
    OK(iotkm_noninteractive_peer_load(&peer, office.suite, &a.s.cx, 0, peer_work, sizeof peer_work));
    OK(iotkm_noninteractive_peer_name(&peer, name));
    OK(iotkm_noninteractive_peer_slot(&peer, &slot));
    CHECK(strcmp(name, "bell") == 0 && slot == 0);
    OK(iotkm_noninteractive_peer_seal(&peer, &a.s.cx, peer_work, IOTKM_NONINTERACTIVE_PEER_BLOB_MAX, &len, &number));
    OK(iotkm_noninteractive_peer_wipe(&peer));
    IS(iotkm_noninteractive_peer_restore(&peer, office.suite, &a.s.cx, 0, number + 1, peer_work, len, peer_work + len, len), IOTKM_E_BLOB_ROLLED_BACK);
    OK(iotkm_noninteractive_peer_restore(&peer, office.suite, &a.s.cx, 0, number, peer_work, len, peer_work + len, len));

    IS(iotkm_noninteractive_open(&none, &a.peer, &a.holder, &setup, NULL, &b.memory), IOTKM_E_BUSY);
    IS(iotkm_noninteractive_open(&none, &peer, &holder, &setup, NULL, &b.memory), IOTKM_E_NOT_SET_UP);
    IS(iotkm_noninteractive_open(&none, &peer, &a.holder, NULL, NULL, &b.memory), IOTKM_E_NULL);
    IS(iotkm_noninteractive_open(&none, &peer, &a.holder, &setup, NULL, NULL), IOTKM_E_NULL);
    IS(iotkm_noninteractive_open(NULL, &peer, &a.holder, &setup, NULL, &b.memory), IOTKM_E_NULL);
    setup.struct_size = 1;
    IS(iotkm_noninteractive_open(&none, &peer, &a.holder, &setup, NULL, &b.memory), IOTKM_E_STRUCT_SIZE);
    setup.struct_size = sizeof setup;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.mtu = IOTKM_NONINTERACTIVE_MTU_SMALL - 1;
    IS(iotkm_noninteractive_open_small(&none, &peer, &a.holder, &setup, &config, &small), IOTKM_E_BAD_ARGUMENT);
    OK(iotkm_noninteractive_peer_wipe(&peer));
    OK(iotkm_noninteractive_peer_init(&peer, &iotkm_noninteractive_suite_2, 0, "lamp", "bell", NULL));
    IS(iotkm_noninteractive_open_small(&none, &peer, &a.holder, &setup, NULL, &small), IOTKM_E_SUITE_MISMATCH);
    OK(iotkm_noninteractive_peer_wipe(&peer));

    IS(iotkm_holder_wipe(&a.holder), IOTKM_E_BUSY);
    IS(iotkm_holder_wipe(&holder), IOTKM_E_NOT_SET_UP);
    IS(iotkm_holder_init(&holder, NULL, "lamp", bytes, sizeof bytes), IOTKM_E_NULL);
    IS(iotkm_holder_init(&holder, &office, "lamp", bytes, IOTKM_HOLDER_MEMORY - 1), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_holder_init(&holder, &office, "", bytes, sizeof bytes), IOTKM_E_BAD_ARGUMENT);
    other_office = office;
    other_office.key_len = 31;
    IS(iotkm_holder_init(&holder, &other_office, "lamp", bytes, sizeof bytes), IOTKM_E_BAD_ARGUMENT);
    OK(iotkm_holder_init(&holder, &office, "lamp", bytes, IOTKM_HOLDER_MEMORY));
    IS(iotkm_holder_load(&holder, &a.s.cx, 0, work, sizeof work), IOTKM_E_BAD_BLOB);
    IS(iotkm_holder_load(&holder, &b.s.cx, HOLDER, work, sizeof work), IOTKM_E_BAD_BLOB);
    IS(iotkm_holder_seal(&holder, &a.s.cx, bytes, 3, &len, &number), IOTKM_E_BUFFER_TOO_SMALL);
    OK(iotkm_holder_load(&holder, &a.s.cx, HOLDER, work, sizeof work));
    IS(iotkm_holder_load(&holder, &a.s.cx, HOLDER, work, sizeof work), IOTKM_E_WRONG_STATE);
    OK(iotkm_revocation_list_issue(&iotkm_signing_eddsa, lists_secret, "acme", NOW, 1, NULL, 0, work, sizeof work, &len));
    IS(iotkm_holder_revoke(&holder, &a.s.cx, work, len, NULL), IOTKM_E_FULL);
    work[len - 1] ^= 1;
    IS(iotkm_holder_revoke(&holder, &a.s.cx, work, len, NULL), IOTKM_E_REFUSED_SIGNATURE);
    OK(iotkm_holder_wipe(&holder));
    IS(iotkm_holder_credential(&holder, &credential), IOTKM_E_NOT_SET_UP);

    terms = terms_of(NOW, 1);
    IS(iotkm_operator_key_public(office.suite, zeros, bytes, sizeof bytes, &len), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_operator_key_public(office.suite, x, bytes, 31, &len), IOTKM_E_BUFFER_TOO_SMALL);
    IS(iotkm_operator_key_public(office.suite, NULL, bytes, sizeof bytes, &len), IOTKM_E_NULL);
    a.s.random_fails = 1;
    IS(iotkm_operator_key_generate(office.suite, &a.s.cx, bytes), IOTKM_E_RNG);
    a.s.random_fails = 0;
    OK(iotkm_static_key_generate(&key, &a.s.cx, 0, &iotkm_x25519));
    IS(iotkm_credential_request(&key, "lamp", bytes, sizeof bytes, &len), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_static_key_step(&key, 0, IOTKM_CURVE_X25519, NULL, bytes), IOTKM_E_NULL);
    OK(iotkm_static_key_wipe(&key));
    OK(iotkm_static_key_generate(&key, &a.s.cx, 0, &iotkm_growing_ristretto255));
    IS(iotkm_credential_request(&key, "lamp", bytes, 36, &len), IOTKM_E_BUFFER_TOO_SMALL);
    OK(iotkm_credential_request(&key, "lamp", bytes, 37, &len));
    IS(iotkm_credential_issue(&a.s.cx, office.suite, x, &terms, bytes, len - 1, work, sizeof work, &len), IOTKM_E_REFUSED_CLAIMS);
    IS(iotkm_credential_issue(&a.s.cx, office.suite, x, &terms, bytes, 37, work, 20, &len), IOTKM_E_BUFFER_TOO_SMALL);
    terms.life_h = 0;
    IS(iotkm_credential_issue(&a.s.cx, office.suite, x, &terms, bytes, 37, work, sizeof work, &len), IOTKM_E_REFUSED_CLAIMS);
    terms.life_h = 1;
    a.s.random_fails = 1;
    IS(iotkm_credential_issue(&a.s.cx, office.suite, x, &terms, bytes, 37, work, sizeof work, &len), IOTKM_E_RNG);
    a.s.random_fails = 0;
    memset(bytes + 5, 0xff, 32);
    IS(iotkm_credential_issue(&a.s.cx, office.suite, x, &terms, bytes, 37, work, sizeof work, &len), IOTKM_E_REFUSED_KEY);
    IS(iotkm_credential_read(office.suite, bytes, 5, &credential), IOTKM_E_REFUSED_CLAIMS);
    OK(iotkm_static_key_wipe(&key));
    ends();
}

/* The small memory, and both wiped clean. */
static void small(void) {
    static iotkm_noninteractive_memory_small runs[2];
    iotkm_noninteractive_setup setup = setup_of(100);
    static iotkm_noninteractive nothing;
    both(&iotkm_noninteractive_suite_2, 100, NULL);
    OK(iotkm_wipe(&a.s.a));
    OK(iotkm_wipe(&b.s.a));
    OK(iotkm_noninteractive_open_small(long_one(&a.s), &a.peer, &a.holder, &setup, NULL, &runs[0]));
    OK(iotkm_noninteractive_open_small(long_one(&b.s), &b.peer, &b.holder, &setup, NULL, &runs[1]));
    meet();
    tell(&b.s, "small");
    ends();
    CHECK(memcmp(&a.s.a, &nothing, sizeof nothing) == 0);
    IS(iotkm_wipe(&a.s.a), IOTKM_E_NOT_SET_UP);
}

int main(void) {
    life(&iotkm_noninteractive_suite_4);
    life(&iotkm_noninteractive_suite_2);
    ends_come();
    lags();
    psks_and_tokens();
    issued();
    misuse();
    small();
    return 0;
}
