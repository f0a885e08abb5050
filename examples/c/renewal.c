/* An operator's devices get their next credentials over associations, in one program: the lamp has a clock and asks in time, the
 * switch has none and is told.
 *
 * A part of the next key is the device's own, so the device asks, again and again until it is answered; the operator keeps each
 * request with its answer, gives the same one the same, and sends it until the device says that it is stored. Time is played. */
#include <iotkm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 1, NEXT = 2, HOLDER = 1, KEYS = 2, PEERS = 4 }; /* numbers of keys; slots */
enum { MESSAGE = IOTKM_CREDENTIAL_ANSWER_MAX + IOTKM_TICKET_MESSAGE_OVERHEAD, DATAGRAM = 1200 };

/* Whoever has a credential. */
typedef struct {
    const char *name;
    iotkm_platform platform;
    iotkm_cx cx;
    iotkm_static_key key, next;
    bool has_next;
    iotkm_holder holder;
    uint8_t held[IOTKM_HOLDER_MEMORY + IOTKM_REVOCATION_LIST_OVERHEAD];
} holder;

/* One end of a session. */
typedef struct end {
    holder *whose;
    struct end *far;
    iotkm_noninteractive_peer peer;
    iotkm_noninteractive_memory memory;
    iotkm_noninteractive session;
    uint8_t in[DATAGRAM]; /* what was sent to this end: here never more than one datagram */
    size_t in_len;
    uint8_t heard[MESSAGE];
    size_t heard_len;
} end;

/* A device; what the operator has of it, stored before it leaves. */
typedef struct {
    holder own;
    end near, far; /* its end of the session, the operator's */
    uint8_t request[IOTKM_CREDENTIAL_REQUEST_MAX], answer[IOTKM_CREDENTIAL_ANSWER_MAX];
    size_t request_len, answer_len;
} device;

static const uint64_t DAY = 86400; /* s */
static uint64_t now_s = UINT64_C(1800000000); /* since 1970 */
static const iotkm_noninteractive_suite *const suite = &iotkm_noninteractive_suite_4;
static const uint8_t lists_secret[32] = {9}, devices_secret[32] = {1}; /* 32 random bytes each in real life */
static const iotkm_addr there = {1, {1}};
static uint8_t operators_secret[32], operators_key[32], lists_key[32];
static uint32_t serial; /* of iotkm_ticket_agent_number() in real life: none is given twice */
static iotkm_agent agent;
static iotkm_credential_operator operators;
static holder centre; /* where the operator's sessions end */
static iotkm_operator op;
static iotkm_operator_entry entries[100];
static device lamp, wall_switch;

static void must(int status) {
    if (status == 0) return;
    fprintf(stderr, "%s\n", iotkm_strerror(status));
    exit(1);
}

/* In the field it is kept: see iotkm_posix.h. */
static int store(void *ctx, uint16_t slot, const uint8_t *bytes, size_t len) {
    (void)ctx, (void)slot, (void)bytes, (void)len;
    return 0;
}

/* ---- the key in use and the next one ---- */

static int public_key(void *ctx, uint16_t number, int curve, uint8_t *share, size_t len) {
    holder *h = (holder *)ctx;
    int status = iotkm_static_key_public_key(&h->key, number, curve, share, len);
    return status == IOTKM_KEY_NONE && h->has_next ? iotkm_static_key_public_key(&h->next, number, curve, share, len) : status;
}

static int agree(void *ctx, uint16_t number, int curve, const uint8_t *share, uint8_t *secret, size_t len) {
    holder *h = (holder *)ctx;
    int status = iotkm_static_key_agree(&h->key, number, curve, share, secret, len);
    return status == IOTKM_KEY_NONE && h->has_next ? iotkm_static_key_agree(&h->next, number, curve, share, secret, len) : status;
}

static int step(void *ctx, uint16_t number, int curve, const iotkm_step *what, uint8_t *out) {
    holder *h = (holder *)ctx;
    int status = iotkm_static_key_step(&h->key, number, curve, what, out);
    return status == IOTKM_KEY_NONE && h->has_next ? iotkm_static_key_step(&h->next, number, curve, what, out) : status;
}

/* ---- the operator's key ---- */

static void issue(const uint8_t *request, size_t len, uint64_t life_s, uint8_t *answer, size_t *answer_len) {
    iotkm_credential_terms terms;
    memset(&terms, 0, sizeof terms);
    terms.issuer = agent.name;
    terms.issued_at = (uint32_t)now_s;
    terms.life_h = (uint16_t)(life_s / 3600);
    terms.serial = ++serial;
    must(iotkm_credential_issue(&centre.cx, suite, operators_secret, &terms, request, len, answer, IOTKM_CREDENTIAL_ANSWER_MAX, answer_len));
}

/* ---- what has a credential ---- */

static void keep(holder *h) {
    static uint8_t work[IOTKM_HOLDER_BLOB_OVERHEAD + sizeof h->held];
    if (iotkm_holder_needs_store(&h->holder) == 1) must(iotkm_holder_store(&h->holder, &h->cx, HOLDER, work, sizeof work));
}

/* The first one, at the factory's bench. */
static void enrol(holder *h, const char *name, uint64_t life_s) {
    uint8_t request[IOTKM_CREDENTIAL_REQUEST_MAX], answer[IOTKM_CREDENTIAL_ANSWER_MAX];
    iotkm_static_key half;
    iotkm_credential credential;
    size_t len;
    h->name = name;
    h->platform.struct_size = sizeof h->platform;
    h->platform.device_secret = devices_secret;
    h->platform.store_write = store;
    h->platform.public_key = public_key;
    h->platform.agree = agree;
    h->platform.step = step;
    h->platform.keys_ctx = h;
    h->cx.platform = &h->platform;
    h->cx.wall_ms = now_s * 1000;
    must(iotkm_holder_init(&h->holder, &operators, name, h->held, sizeof h->held));
    must(iotkm_static_key_generate(&half, &h->cx, 0, &iotkm_growing_ristretto255));
    must(iotkm_credential_request(&half, name, request, sizeof request, &len));
    issue(request, len, life_s, answer, &len);
    must(iotkm_holder_accept(&h->holder, &h->cx, &half, answer, len, KEY, &h->key, &credential));
    must(iotkm_static_key_wipe(&half));
    must(iotkm_static_key_store(&h->key, &h->cx, KEYS));
    must(iotkm_holder_install(&h->holder, &h->cx, credential.bytes, credential.len));
    keep(h);
    if (h != &centre) must(iotkm_operator_knows_credential(&op, &credential));
}

/* ---- sessions ---- */

static void opens(end *e, holder *whose, uint16_t slot, end *far, const char *peer) {
    iotkm_noninteractive_setup setup;
    memset(&setup, 0, sizeof setup);
    setup.struct_size = sizeof setup;
    setup.key = KEY;
    setup.next_key = NEXT;
    setup.has_next_key = true;
    e->whose = whose;
    e->far = far;
    must(iotkm_noninteractive_peer_init(&e->peer, suite, slot, whose->name, peer, NULL));
    must(iotkm_noninteractive_open(&e->session, &e->peer, &whose->holder, &setup, NULL, &e->memory));
}

/* Takes in what was sent to this end, and answers; whether that was anything. */
static int turn(end *e) {
    iotkm_received received = {NULL, 0, 0, NULL, 0, 0};
    iotkm_association *a = &e->session.association;
    iotkm_output output;
    size_t len = e->in_len;
    e->in_len = 0;
    if (len > 0) must(iotkm_receive(a, &e->whose->cx, &there, e->in, len, &received));
    if (received.payload) memcpy(e->heard, received.payload, e->heard_len = received.payload_len);
    do {
        must(iotkm_poll(a, &e->whose->cx, e->far->in, sizeof e->far->in, &output));
        if (output.kind == IOTKM_OUTPUT_DATAGRAM) e->far->in_len = output.len;
        if (output.kind == IOTKM_OUTPUT_PERSIST) must(iotkm_persisted(a, output.slot, store(NULL, output.slot, output.bytes, output.len)));
    } while (output.kind != IOTKM_OUTPUT_IDLE);
    return len > 0;
}

static void settle(device *d) {
    while (turn(&d->near) + turn(&d->far) > 0) {}
}

static void comes_up(device *d) {
    must(iotkm_noninteractive_connect(&d->near.session.association, &d->own.cx, &there));
    settle(d);
}

static void say(device *d, end *e, const uint8_t *payload, size_t len) {
    iotkm_addr to;
    must(iotkm_send(&e->session.association, &e->whose->cx, payload, len, e->far->in, sizeof e->far->in, &e->far->in_len, &to));
    settle(d);
}

/* ---- a device ---- */

/* Asks, or asks again. */
static void asks(device *d) {
    uint8_t request[MESSAGE];
    size_t len;
    must(iotkm_holder_ask(&d->own.holder, &d->own.cx));
    keep(&d->own); /* what was drawn for it, before it leaves */
    must(iotkm_holder_request(&d->own.holder, request, sizeof request, &len));
    say(d, &d->near, request, len);
}

/* Does what the operator says. */
static void takes(device *d) {
    uint8_t answer[IOTKM_WALLET_ANSWER_MAX];
    holder *h = &d->own;
    iotkm_credential credential;
    iotkm_told told;
    size_t len;
    int status = iotkm_holder_handle(&h->holder, &h->cx, d->near.heard, d->near.heard_len, NEXT, &h->next, &credential, &told);
    if (status != IOTKM_OK) {
        must(iotkm_wallet_refusal(status, answer, sizeof answer, &len));
        say(d, &d->near, answer, len);
        return;
    }
    if (told == IOTKM_TOLD_ASK) asks(d);
    if (told == IOTKM_TOLD_NEXT) {
        must(iotkm_static_key_store(&h->next, &h->cx, KEYS + 1)); /* first the key, then what it is for */
        h->has_next = true;
        must(iotkm_holder_install(&h->holder, &h->cx, credential.bytes, credential.len));
    }
    if (told == IOTKM_TOLD_NEXT || told == IOTKM_TOLD_ACKNOWLEDGE) {
        keep(h);
        must(iotkm_holder_acknowledgement(&h->holder, answer, sizeof answer, &len));
        say(d, &d->near, answer, len);
    }
}

/* ---- the operator ---- */

static void tells(device *d, uint32_t kind, const uint8_t *bytes, size_t len) {
    uint8_t out[MESSAGE];
    iotkm_ticket_message message;
    memset(&message, 0, sizeof message);
    message.kind = kind;
    message.bytes = bytes;
    message.len = len;
    must(iotkm_ticket_message_write(&message, out, sizeof out, &len));
    say(d, &d->far, out, len);
}

/* Answers a request, each only once; hears what is stored. */
static void hears(device *d, bool answer_is_lost) {
    char name[IOTKM_NAME_TEXT];
    iotkm_ticket_message said;
    iotkm_credential credential;
    bool acknowledged;
    must(iotkm_ticket_message_read(d->far.heard, d->far.heard_len, &said));
    if (said.kind != IOTKM_TICKET_MESSAGE_CREDENTIAL_REQUEST) return;
    must(iotkm_credential_requested(suite, said.bytes, said.len, name));
    if (strcmp(name, d->own.name) != 0) return; /* it asks in another's name */
    if (d->request_len != said.len || memcmp(d->request, said.bytes, said.len) != 0) {
        issue(said.bytes, said.len, 30 * DAY, d->answer, &d->answer_len);
        memcpy(d->request, said.bytes, d->request_len = said.len); /* and here both are stored */
    }
    must(iotkm_credential_read(suite, d->answer, d->answer_len - IOTKM_CREDENTIAL_ANSWER_OVERHEAD, &credential));
    must(iotkm_operator_issued_credential(&op, &credential));
    if (answer_is_lost) return;
    tells(d, IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER, d->answer, d->answer_len);
    takes(d);
    must(iotkm_operator_handle(&op, d->own.name, d->far.heard, d->far.heard_len, &acknowledged));
    if (acknowledged) printf("%s has stored credential %u\n", d->own.name, (unsigned)credential.serial);
}

/* What the operator saw in the last handshake. */
static unsigned shown_by(device *d) {
    uint8_t bytes[IOTKM_CREDENTIAL_MAX];
    iotkm_credential credential;
    size_t len;
    must(iotkm_noninteractive_peer_credential(&d->far.peer, bytes, sizeof bytes, &len));
    must(iotkm_credential_read(suite, bytes, len, &credential));
    return (unsigned)credential.serial;
}

static void set_up(void) {
    centre.platform.struct_size = sizeof centre.platform;
    centre.platform.device_secret = devices_secret;
    centre.cx.platform = &centre.platform;
    must(iotkm_operator_key_generate(suite, &centre.cx, operators_secret));
    must(iotkm_operator_key_public(suite, operators_secret, operators_key, sizeof operators_key, &operators.key_len));
    must(iotkm_signing_public_key(&iotkm_signing_eddsa, lists_secret, lists_key, sizeof lists_key, &agent.key_len));
    agent.name = "acme";
    agent.signature = &iotkm_eddsa;
    agent.key = lists_key;
    operators.suite = suite;
    operators.agent = &agent;
    operators.key = operators_key;
    must(iotkm_operator_init(&op, entries, 100, 3 * DAY, DAY));
    enrol(&centre, "centre", 365 * DAY);
    enrol(&lamp.own, "lamp", 30 * DAY);
    enrol(&wall_switch.own, "switch", 30 * DAY);
}

static void wipe(holder *h) {
    must(iotkm_holder_wipe(&h->holder));
    must(iotkm_static_key_wipe(&h->key));
    if (h->has_next) must(iotkm_static_key_wipe(&h->next));
}

int main(void) {
    device *const devices[] = {&lamp, &wall_switch};
    char name[IOTKM_NAME_TEXT];
    uint64_t due_at_s;
    unsigned i;

    set_up();
    for (i = 0; i < 2; i++) {
        opens(&devices[i]->near, &devices[i]->own, PEERS, &devices[i]->far, centre.name);
        opens(&devices[i]->far, &centre, (uint16_t)(PEERS + i), &devices[i]->near, devices[i]->own.name);
    }

    /* 22 days later. */
    now_s += 22 * DAY;
    centre.cx.wall_ms = lamp.own.cx.wall_ms = now_s * 1000;
    wall_switch.own.cx.wall_ms = 0; /* it has no clock */
    comes_up(&lamp);
    must(iotkm_holder_due_at(&lamp.own.holder, 10 * DAY, &due_at_s));
    if (now_s >= due_at_s) asks(&lamp);
    hears(&lamp, true);
    printf("lamp asks, and hears nothing\n");
    asks(&lamp);
    hears(&lamp, false);
    comes_up(&lamp);
    printf("lamp shows credential %u\n", shown_by(&lamp));

    /* 6 more. Whoever has not asked by itself is told to. */
    now_s += 6 * DAY;
    centre.cx.wall_ms = lamp.own.cx.wall_ms = now_s * 1000;
    comes_up(&wall_switch);
    for (;;) {
        must(iotkm_operator_ask(&op, now_s, name));
        if (name[0] == '\0') break;
        printf("%s is told to ask\n", name);
        tells(&wall_switch, IOTKM_TICKET_MESSAGE_CREDENTIAL_DUE, NULL, 0);
        takes(&wall_switch);
        hears(&wall_switch, false);
    }
    comes_up(&wall_switch);
    printf("switch shows credential %u\n", shown_by(&wall_switch));

    for (i = 0; i < 2; i++) {
        must(iotkm_wipe(&devices[i]->near.session.association));
        must(iotkm_wipe(&devices[i]->far.session.association));
        must(iotkm_noninteractive_peer_wipe(&devices[i]->near.peer));
        must(iotkm_noninteractive_peer_wipe(&devices[i]->far.peer));
        wipe(&devices[i]->own);
    }
    wipe(&centre);
    must(iotkm_operator_wipe(&op));
    memset(operators_secret, 0, sizeof operators_secret);
    return 0;
}
