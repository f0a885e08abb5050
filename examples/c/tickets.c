/* Devices with tickets of one agent, in one program: a switch meets a lamp, and a lamp whose ticket was revoked is turned away.
 *
 * The agent would run elsewhere (`iotkm ca`, for one); a device sees no more of it than its public key, its own ticket and the
 * newest revocation list. */
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
    iotkm_wallet wallet;
    uint8_t purse[2 * IOTKM_TICKET_MAX + LIST];
    iotkm_interactive_peer peer;
    iotkm_interactive_memory memory;
    iotkm_association association;
    uint8_t in[1200]; /* what was sent to this side */
    size_t in_len;
} device;

static const uint64_t NOW = UINT64_C(1800000000), YEAR = 31536000; /* s since 1970, s */
static const uint8_t agents_secret[32] = {9}, devices_secret[32] = {1}; /* 32 random bytes each in real life */
static uint8_t agents_key[32];
static iotkm_agent agent;
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
    if (event->kind == IOTKM_EVENT_HINT) printf("%s: the other side does not take the ticket\n", d->name);
}

/* The agent makes a ticket of the device's public key; the device takes it, since its agent has signed it. */
static void issue(device *d, uint32_t serial) {
    uint8_t ticket[IOTKM_TICKET_MAX], share[32];
    iotkm_claims claims;
    size_t len;
    memset(&claims, 0, sizeof claims);
    must(iotkm_static_key_public_key(&d->key, KEY, IOTKM_CURVE_X25519, share, sizeof share));
    claims.issuer = agent.name;
    claims.subject = d->name;
    claims.issued_at = NOW;
    claims.expires = NOW + YEAR;
    claims.serial = serial;
    claims.curve = IOTKM_CURVE_X25519;
    claims.key = share;
    claims.key_len = sizeof share;
    claims.scope = "";
    must(iotkm_ticket_issue(&iotkm_signing_eddsa, agents_secret, &claims, ticket, sizeof ticket, &len));
    must(iotkm_wallet_install(&d->wallet, &d->cx, ticket, len, NULL));
}

static void set_up(device *d, device *other, const char *name, const char *others_name, uint32_t serial) {
    static const iotkm_suite *const suites[] = {&iotkm_suite_4};
    iotkm_interactive_setup setup;
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
    d->platform.keys_ctx = &d->key;
    d->cx.platform = &d->platform;
    d->cx.wall_ms = NOW * 1000;
    must(iotkm_static_key_generate(&d->key, &d->cx, KEY, &iotkm_x25519));
    must(iotkm_wallet_init(&d->wallet, &agent, name, d->purse, IOTKM_TICKET_MAX, LIST));
    issue(d, serial);
    must(iotkm_interactive_peer_init(&d->peer, 1, name, others_name, NULL));
    memset(&setup, 0, sizeof setup);
    setup.struct_size = sizeof setup;
    setup.kem = &iotkm_x25519;
    setup.suites = suites;
    setup.suite_count = 1;
    setup.key = KEY;
    must(iotkm_interactive_open(&d->association, &d->peer, &d->wallet, &setup, NULL, &d->memory));
}

/* Takes in what was sent to this side, and answers. */
static void turn(device *d, const iotkm_addr *other) {
    uint8_t out[1200];
    uint64_t wake_at;
    iotkm_received received = {NULL, 0, 0, NULL, 0, 0};
    size_t len = d->in_len;
    d->in_len = 0;
    if (len > 0) must(iotkm_receive(&d->association, &d->cx, other, d->in, len, &received));
    if (received.payload) printf("%s hears: %.*s\n", d->name, (int)received.payload_len, (const char *)received.payload);
    must(iotkm_drain(&d->association, &d->cx, out, sizeof out, &wake_at));
}

int main(void) {
    iotkm_addr at_switch = {1, {1}}, at_lamp = {1, {2}};
    static const uint32_t revoked[] = {2};
    uint8_t list[LIST];
    size_t len;

    agent.name = "acme";
    agent.signature = &iotkm_eddsa;
    agent.key = agents_key;
    must(iotkm_signing_public_key(&iotkm_signing_eddsa, agents_secret, agents_key, sizeof agents_key, &agent.key_len));
    set_up(&wall_switch, &lamp, "switch", "lamp", 1);
    set_up(&lamp, &wall_switch, "lamp", "switch", 2);

    must(iotkm_interactive_connect(&wall_switch.association, &wall_switch.cx, &at_lamp));
    do {
        turn(&wall_switch, &at_lamp);
        turn(&lamp, &at_switch);
    } while (wall_switch.in_len > 0);
    must(iotkm_send(&wall_switch.association, &wall_switch.cx, (const uint8_t *)"light, please", 13, lamp.in, sizeof lamp.in,
                    &lamp.in_len, &at_lamp));
    turn(&lamp, &at_switch);

    /* The lamp is stolen. Its ticket is number 2. */
    must(iotkm_revocation_list_issue(&iotkm_signing_eddsa, agents_secret, agent.name, NOW + 60, 1, revoked, 1, list, sizeof list, &len));
    must(iotkm_wallet_revoke(&wall_switch.wallet, &wall_switch.cx, list, len, NULL));
    must(iotkm_interactive_recheck(&wall_switch.association, &wall_switch.cx));
    turn(&wall_switch, &at_lamp);
    turn(&lamp, &at_switch); /* it is told, once */
    must(iotkm_interactive_authenticate(&lamp.association, &lamp.cx, &at_switch));
    turn(&lamp, &at_switch);
    turn(&wall_switch, &at_lamp);
    turn(&lamp, &at_switch);

    must(iotkm_wipe(&wall_switch.association));
    must(iotkm_wipe(&lamp.association));
    must(iotkm_interactive_peer_wipe(&wall_switch.peer));
    must(iotkm_interactive_peer_wipe(&lamp.peer));
    must(iotkm_wallet_wipe(&wall_switch.wallet));
    must(iotkm_wallet_wipe(&lamp.wallet));
    must(iotkm_static_key_wipe(&wall_switch.key));
    must(iotkm_static_key_wipe(&lamp.key));
    return 0;
}
