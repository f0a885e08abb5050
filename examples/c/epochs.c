/* Self-certified keys of one operator, in one program: a switch meets a lamp, once; then both compute new keys every minute and
 * send nothing for it. A lamp whose credential was revoked is turned away.
 *
 * The operator would run elsewhere (`iotkm ca`, for one): it answers a device's request, and never knows the device's key. */
#include <iotkm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 1, LIST = IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 16 }; /* the key's number; room for a list of 16 */

typedef struct {
    const char *name;
    iotkm_platform platform;
    iotkm_cx cx;
    iotkm_static_key key;
    iotkm_holder holder;
    uint8_t held[IOTKM_HOLDER_MEMORY + LIST];
    iotkm_noninteractive_peer peer;
    iotkm_noninteractive_memory memory;
    iotkm_noninteractive session;
    uint64_t wake_at;
    uint8_t in[1200]; /* what was sent to this side */
    size_t in_len;
    unsigned said;
} device;

static const uint32_t NOW = 1800000000; /* s since 1970 */
static const iotkm_noninteractive_suite *const suite = &iotkm_noninteractive_suite_4;
static const uint8_t lists_secret[32] = {9}, devices_secret[32] = {1}; /* 32 random bytes each in real life */
static uint8_t operators_secret[32], operators_key[32], lists_key[32];
static iotkm_agent agent;
static iotkm_credential_operator operators;
static device wall_switch, lamp;

static void must(int status) {
    if (status == 0) return;
    fprintf(stderr, "%s\n", iotkm_strerror(status));
    exit(1);
}

static int send_to(void *ctx, const iotkm_addr *to, const uint8_t *bytes, size_t len) {
    device *other = (device *)ctx;
    (void)to;
    memcpy(other->in, bytes, len);
    other->in_len = len;
    other->said++;
    return 0;
}

/* A device in the field keeps it: see iotkm_posix.h. */
static int store(void *ctx, uint16_t slot, const uint8_t *bytes, size_t len) {
    (void)ctx, (void)slot, (void)bytes, (void)len;
    return 0;
}

static void on_event(void *ctx, const iotkm_event *event) {
    const device *d = (const device *)ctx;
    if (event->kind == IOTKM_EVENT_ESTABLISHED) printf("%s: a session\n", d->name);
    if (event->kind == IOTKM_EVENT_TERMINATED) printf("%s: the session has ended\n", d->name);
    if (event->kind == IOTKM_EVENT_HINT) printf("%s: the other side does not take the credential\n", d->name);
}

/* The device asks with half of a key; of the answer it makes the whole one, which nobody else can. */
static void enrol(device *d, uint32_t serial) {
    uint8_t request[IOTKM_CREDENTIAL_REQUEST_MAX], answer[IOTKM_CREDENTIAL_ANSWER_MAX];
    iotkm_static_key half;
    iotkm_credential_terms terms;
    iotkm_credential credential;
    size_t len, answer_len;
    must(iotkm_static_key_generate(&half, &d->cx, 0, &iotkm_growing_ristretto255));
    must(iotkm_credential_request(&half, d->name, request, sizeof request, &len));

    memset(&terms, 0, sizeof terms); /* the operator, who knows that the device it talks to is this one */
    terms.issuer = agent.name;
    terms.issued_at = NOW;
    terms.life_h = 365 * 24;
    terms.serial = serial;
    must(iotkm_credential_issue(&d->cx, suite, operators_secret, &terms, request, len, answer, sizeof answer, &answer_len));

    must(iotkm_holder_accept(&d->holder, &d->cx, &half, answer, answer_len, KEY, &d->key, &credential));
    must(iotkm_static_key_store(&d->key, &d->cx, 2)); /* first the key, then what it is for */
    must(iotkm_holder_install(&d->holder, &d->cx, credential.bytes, credential.len));
    must(iotkm_static_key_wipe(&half));
}

static void set_up(device *d, device *other, const char *name, const char *others_name, uint32_t serial) {
    iotkm_noninteractive_setup setup;
    d->name = name;
    d->platform.struct_size = sizeof d->platform;
    d->platform.device_secret = devices_secret;
    d->platform.send = send_to;
    d->platform.send_ctx = other;
    d->platform.store_write = store;
    d->platform.event = on_event;
    d->platform.event_ctx = d;
    d->platform.public_key = iotkm_static_key_public_key; /* or a secure element's */
    d->platform.agree = iotkm_static_key_agree;
    d->platform.step = iotkm_static_key_step;
    d->platform.keys_ctx = &d->key;
    d->cx.platform = &d->platform;
    d->cx.wall_ms = (uint64_t)NOW * 1000;
    must(iotkm_holder_init(&d->holder, &operators, name, d->held, sizeof d->held));
    enrol(d, serial);
    must(iotkm_noninteractive_peer_init(&d->peer, suite, 1, name, others_name, NULL));
    memset(&setup, 0, sizeof setup);
    setup.struct_size = sizeof setup;
    setup.key = KEY;
    setup.interval_s = 60;
    must(iotkm_noninteractive_open(&d->session, &d->peer, &d->holder, &setup, NULL, &d->memory));
}

/* Takes in what was sent to this side, does what is due, and answers. */
static void turn(device *d, const iotkm_addr *other) {
    uint8_t out[1200];
    iotkm_received received = {NULL, 0, 0, NULL, 0, 0};
    size_t len = d->in_len;
    d->in_len = 0;
    if (len > 0) must(iotkm_receive(&d->session.association, &d->cx, other, d->in, len, &received));
    else must(iotkm_timeout(&d->session.association, &d->cx));
    if (received.payload) printf("%s hears: %.*s\n", d->name, (int)received.payload_len, (const char *)received.payload);
    must(iotkm_drain(&d->session.association, &d->cx, out, sizeof out, &d->wake_at));
}

int main(void) {
    iotkm_addr at_switch = {1, {1}}, at_lamp = {1, {2}};
    static const uint32_t revoked[] = {2};
    uint8_t list[LIST];
    uint32_t epoch;
    unsigned i, said;
    size_t len;

    wall_switch.platform.struct_size = sizeof wall_switch.platform;
    wall_switch.platform.device_secret = devices_secret;
    wall_switch.cx.platform = &wall_switch.platform;
    must(iotkm_operator_key_generate(suite, &wall_switch.cx, operators_secret));
    must(iotkm_operator_key_public(suite, operators_secret, operators_key, sizeof operators_key, &operators.key_len));
    must(iotkm_signing_public_key(&iotkm_signing_eddsa, lists_secret, lists_key, sizeof lists_key, &agent.key_len));
    agent.name = "acme";
    agent.signature = &iotkm_eddsa;
    agent.key = lists_key;
    operators.suite = suite;
    operators.agent = &agent;
    operators.key = operators_key;
    set_up(&wall_switch, &lamp, "switch", "lamp", 1);
    set_up(&lamp, &wall_switch, "lamp", "switch", 2);

    must(iotkm_noninteractive_connect(&wall_switch.session.association, &wall_switch.cx, &at_lamp));
    do {
        turn(&wall_switch, &at_lamp);
        turn(&lamp, &at_switch);
    } while (wall_switch.in_len > 0);

    /* An hour goes by: a new key every minute. */
    said = wall_switch.said + lamp.said;
    while (wall_switch.cx.now_ms < 3600000) {
        uint64_t next = wall_switch.wake_at < lamp.wake_at ? wall_switch.wake_at : lamp.wake_at;
        if (next > wall_switch.cx.now_ms) wall_switch.cx.now_ms = lamp.cx.now_ms = next < 3600000 ? next : 3600000;
        turn(&wall_switch, &at_lamp);
        turn(&lamp, &at_switch);
    }
    must(iotkm_noninteractive_epoch(&lamp.session.association, &epoch));
    printf("epoch %u, after %u more datagrams\n", (unsigned)epoch, wall_switch.said + lamp.said - said);
    must(iotkm_send(&wall_switch.session.association, &wall_switch.cx, (const uint8_t *)"light, please", 13, lamp.in, sizeof lamp.in,
                    &lamp.in_len, &at_lamp));
    turn(&lamp, &at_switch);

    /* The lamp is stolen. Its credential is number 2. */
    must(iotkm_revocation_list_issue(&iotkm_signing_eddsa, lists_secret, agent.name, NOW + 60, 1, revoked, 1, list, sizeof list, &len));
    must(iotkm_holder_revoke(&wall_switch.holder, &wall_switch.cx, list, len, NULL));
    must(iotkm_noninteractive_recheck(&wall_switch.session.association, &wall_switch.cx));
    turn(&wall_switch, &at_lamp);
    turn(&lamp, &at_switch); /* it is told, once */
    must(iotkm_noninteractive_connect(&lamp.session.association, &lamp.cx, &at_switch));
    for (i = 0; i < 2; i++) {
        turn(&lamp, &at_switch);
        turn(&wall_switch, &at_lamp);
    }
    turn(&lamp, &at_switch);

    must(iotkm_wipe(&wall_switch.session.association));
    must(iotkm_wipe(&lamp.session.association));
    must(iotkm_noninteractive_peer_wipe(&wall_switch.peer));
    must(iotkm_noninteractive_peer_wipe(&lamp.peer));
    must(iotkm_holder_wipe(&wall_switch.holder));
    must(iotkm_holder_wipe(&lamp.holder));
    must(iotkm_static_key_wipe(&wall_switch.key));
    must(iotkm_static_key_wipe(&lamp.key));
    memset(operators_secret, 0, sizeof operators_secret);
    return 0;
}
