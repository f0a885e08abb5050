/* An operator renews its devices' tickets over associations, in one program: the lamp is on, the switch sleeps, and is stolen.
 *
 * The operator asks the agent for the next ticket before the one that a device holds ends, keeps it, and sends it whenever a
 * session with the device comes up, until the device says that it is stored. Nothing is lost in this room; on a bad link send
 * again what is not acknowledged after a while. Time is played: a month passes at once. */
#include <iotkm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 1, WALLET = 1, NUMBERS = 2, PEERS = 3 }; /* a key's number, slots */
enum { LIST = IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 16, MESSAGE = IOTKM_TICKET_MAX + IOTKM_TICKET_MESSAGE_OVERHEAD, DATAGRAM = 1200 };

/* Whoever has a ticket. */
typedef struct {
    const char *name;
    iotkm_platform platform;
    iotkm_cx cx;
    iotkm_static_key key;
    iotkm_wallet wallet;
    uint8_t purse[2 * IOTKM_TICKET_MAX + LIST];
    uint8_t request[IOTKM_TICKET_MAX]; /* how its tickets are asked for */
    size_t request_len;
} holder;

/* One end of a session. */
typedef struct end {
    holder *whose;
    struct end *far;
    iotkm_interactive_peer peer;
    iotkm_interactive_memory memory;
    iotkm_association session;
    uint8_t in[DATAGRAM]; /* what was sent to this end: here never more than one datagram */
    size_t in_len;
    uint8_t heard[MESSAGE];
    size_t heard_len;
} end;

/* A device; what the operator has of it. */
typedef struct {
    holder own;
    end near, far; /* its end of the session, the operator's */
    uint8_t next[IOTKM_TICKET_MAX]; /* the ticket that waits for it */
    size_t next_len;
} device;

static const uint64_t DAY = 86400; /* s */
static uint64_t now_s = UINT64_C(1800000000); /* since 1970 */
static const uint8_t agents_secret[32] = {9}, devices_secret[32] = {1}; /* 32 random bytes each in real life */
static const iotkm_addr there = {1, {1}};
static uint8_t agents_key[32];
static iotkm_agent agent;          /* what all go by */
static iotkm_ticket_agent numbers; /* what the agent itself has, beside its secret */
static holder centre;              /* the operator's own ticket, and where its sessions end */
static iotkm_operator op;
static iotkm_operator_entry entries[100];
static device lamp, wall_switch, *const devices[] = {&lamp, &wall_switch};
static uint8_t list[LIST]; /* the newest revocation list */
static size_t list_len;

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

/* ---- the ticket agent ---- */

/* Answers a request: a ticket, of a number that was stored as given before. */
static size_t agent_answers(const uint8_t *message, size_t message_len, uint8_t *ticket) {
    iotkm_ticket_message request;
    size_t len;
    int status;
    must(iotkm_ticket_message_read(message, message_len, &request));
    do status = iotkm_ticket_agent_issue(&numbers, &iotkm_signing_eddsa, agents_secret, now_s, &request, ticket, IOTKM_TICKET_MAX, &len);
    while (status == IOTKM_E_WRONG_STATE && iotkm_ticket_agent_store(&numbers, &centre.cx, NUMBERS) == IOTKM_OK); /* 256 more */
    must(status);
    return len;
}

/* ---- what has a ticket ---- */

static void set_up(holder *h, const char *name, uint64_t lifetime_s) {
    uint8_t ticket[IOTKM_TICKET_MAX];
    size_t len;
    h->name = name;
    h->platform.struct_size = sizeof h->platform;
    h->platform.device_secret = devices_secret;
    h->platform.store_write = store;
    h->platform.public_key = iotkm_static_key_public_key; /* or a secure element's */
    h->platform.agree = iotkm_static_key_agree;
    h->platform.keys_ctx = &h->key;
    h->cx.platform = &h->platform;
    h->cx.wall_ms = now_s * 1000;
    must(iotkm_static_key_generate(&h->key, &h->cx, KEY, &iotkm_x25519));
    must(iotkm_ticket_request(&h->cx, KEY, &iotkm_x25519, name, NULL, lifetime_s, h->request, sizeof h->request, &h->request_len));
    must(iotkm_wallet_init(&h->wallet, &agent, name, h->purse, IOTKM_TICKET_MAX, LIST));
    len = agent_answers(h->request, h->request_len, ticket);
    must(iotkm_wallet_install(&h->wallet, &h->cx, ticket, len, NULL));
}

/* ---- sessions ---- */

static void opens(end *e, holder *whose, uint16_t slot, end *far, const char *peer) {
    static const iotkm_suite *const suites[] = {&iotkm_suite_4};
    iotkm_interactive_setup setup;
    memset(&setup, 0, sizeof setup);
    setup.struct_size = sizeof setup;
    setup.kem = &iotkm_x25519;
    setup.suites = suites;
    setup.suite_count = 1;
    setup.key = KEY;
    e->whose = whose;
    e->far = far;
    must(iotkm_interactive_peer_init(&e->peer, slot, whose->name, peer, NULL));
    must(iotkm_interactive_open(&e->session, &e->peer, &whose->wallet, &setup, NULL, &e->memory));
}

/* Takes in what was sent to this end, and answers; whether that was anything. */
static int turn(end *e) {
    iotkm_received received = {NULL, 0, 0, NULL, 0, 0};
    iotkm_output output;
    size_t len = e->in_len;
    e->in_len = 0;
    if (len > 0) must(iotkm_receive(&e->session, &e->whose->cx, &there, e->in, len, &received));
    if (received.payload) memcpy(e->heard, received.payload, e->heard_len = received.payload_len);
    do {
        must(iotkm_poll(&e->session, &e->whose->cx, e->far->in, sizeof e->far->in, &output));
        if (output.kind == IOTKM_OUTPUT_DATAGRAM) e->far->in_len = output.len;
        if (output.kind == IOTKM_OUTPUT_PERSIST) must(iotkm_persisted(&e->session, output.slot, store(NULL, output.slot, output.bytes, output.len)));
        if (output.kind == IOTKM_OUTPUT_EVENT && output.event.kind == IOTKM_EVENT_HINT) printf("%s is turned away\n", e->whose->name);
    } while (output.kind != IOTKM_OUTPUT_IDLE);
    return len > 0;
}

static void settle(device *d) {
    while (turn(&d->near) + turn(&d->far) > 0) {}
}

static void say(end *e, const uint8_t *payload, size_t len) {
    iotkm_addr to;
    must(iotkm_send(&e->session, &e->whose->cx, payload, len, e->far->in, sizeof e->far->in, &e->far->in_len, &to));
}

/* ---- a device ---- */

/* Takes what the operator sent, stores it, says so. */
static void takes(device *d) {
    static uint8_t work[IOTKM_WALLET_BLOB_OVERHEAD + sizeof d->own.purse];
    uint8_t answer[IOTKM_WALLET_ANSWER_MAX];
    size_t len;
    bool due;
    int status = iotkm_wallet_handle(&d->own.wallet, &d->own.cx, d->near.heard, d->near.heard_len, &due);
    if (status == IOTKM_OK) {
        must(iotkm_wallet_store(&d->own.wallet, &d->own.cx, WALLET, work, sizeof work));
        if (due) must(iotkm_wallet_acknowledgement(&d->own.wallet, answer, sizeof answer, &len));
    } else {
        must(iotkm_wallet_refusal(status, answer, sizeof answer, &len));
    }
    if (status != IOTKM_OK || due) say(&d->near, answer, len);
    settle(d);
    must(iotkm_interactive_recheck(&d->near.session, &d->own.cx)); /* shows the operator the new ticket; ends what the list names */
    settle(d);
}

static uint32_t ticket_of(device *d) {
    iotkm_ticket ticket;
    must(iotkm_wallet_ticket(&d->own.wallet, &d->own.cx, &ticket));
    return ticket.serial;
}

/* ---- the operator ---- */

/* Asks the agent for every ticket that is due. */
static void renew(void) {
    char name[IOTKM_NAME_TEXT];
    iotkm_ticket ticket;
    for (;;) {
        device *d;
        must(iotkm_operator_ask(&op, now_s, name));
        if (name[0] == '\0') return;
        d = strcmp(name, lamp.own.name) == 0 ? &lamp : &wall_switch;
        d->next_len = agent_answers(d->own.request, d->own.request_len, d->next);
        must(iotkm_ticket_verify(d->next, d->next_len, &agent, &ticket));
        must(iotkm_operator_issued(&op, &ticket));
    }
}

/* Sends a device a ticket or a list, and hears what it says to that. */
static void push(device *d, uint32_t kind, const uint8_t *object, size_t object_len) {
    uint8_t out[MESSAGE];
    iotkm_ticket_message message;
    bool acknowledged;
    size_t len;
    memset(&message, 0, sizeof message);
    message.kind = kind;
    message.bytes = object;
    message.len = object_len;
    must(iotkm_ticket_message_write(&message, out, sizeof out, &len));
    say(&d->far, out, len);
    settle(d);
    takes(d);
    must(iotkm_operator_handle(&op, d->own.name, d->far.heard, d->far.heard_len, &acknowledged));
    if (acknowledged) d->next_len = 0;
}

/* Sends a device what it lacks, if it is there; else says so. */
static void provide(device *d) {
    uint8_t reference[IOTKM_REFERENCE_LEN];
    bool is_waiting;
    int is_up = iotkm_is_established(&d->far.session) == 1;
    must(iotkm_operator_waiting_for(&op, d->own.name, &is_waiting, reference));
    if (is_waiting && !is_up) printf("a ticket waits for %s\n", d->own.name);
    if (list_len > 0 && is_up) push(d, IOTKM_TICKET_MESSAGE_LIST, list, list_len);
    if (is_waiting && is_up) push(d, IOTKM_TICKET_MESSAGE_TICKET, d->next, d->next_len);
}

int main(void) {
    static const uint32_t stolen[] = {3, 5};
    iotkm_ticket ticket;
    uint32_t number;
    unsigned i;

    agent.name = "acme";
    agent.signature = &iotkm_eddsa;
    agent.key = agents_key;
    must(iotkm_signing_public_key(&iotkm_signing_eddsa, agents_secret, agents_key, sizeof agents_key, &agent.key_len));
    must(iotkm_ticket_agent_init(&numbers, agent.name)); /* later: iotkm_ticket_agent_load() */
    set_up(&centre, "centre", 365 * DAY);
    set_up(&lamp.own, "lamp", 30 * DAY);
    set_up(&wall_switch.own, "switch", 30 * DAY);
    must(iotkm_operator_init(&op, entries, 100, 7 * DAY, DAY));
    for (i = 0; i < 2; i++) {
        device *d = devices[i];
        must(iotkm_wallet_ticket(&d->own.wallet, &d->own.cx, &ticket));
        must(iotkm_operator_knows(&op, &ticket));
        opens(&d->near, &d->own, PEERS, &d->far, centre.name);
        opens(&d->far, &centre, (uint16_t)(PEERS + i), &d->near, d->own.name);
    }
    must(iotkm_interactive_connect(&lamp.near.session, &lamp.own.cx, &there));
    settle(&lamp);

    /* 25 days later tickets end within a week. */
    now_s += 25 * DAY;
    centre.cx.now_ms = lamp.own.cx.now_ms = wall_switch.own.cx.now_ms = 25 * DAY * 1000;
    centre.cx.wall_ms = lamp.own.cx.wall_ms = wall_switch.own.cx.wall_ms = now_s * 1000;
    renew();
    for (i = 0; i < 2; i++) provide(devices[i]);
    printf("lamp has ticket %u\n", (unsigned)ticket_of(&lamp));
    must(iotkm_interactive_connect(&wall_switch.near.session, &wall_switch.own.cx, &there));
    settle(&wall_switch);
    provide(&wall_switch);
    printf("switch has ticket %u\n", (unsigned)ticket_of(&wall_switch));

    /* The switch is stolen. The operator and whoever is on hear of it now, the others when they come up. */
    must(iotkm_ticket_agent_revoke(&numbers, &iotkm_signing_eddsa, agents_secret, now_s, stolen, 2, list, sizeof list, &list_len));
    must(iotkm_operator_forget(&op, "switch"));
    must(iotkm_wallet_revoke(&centre.wallet, &centre.cx, list, list_len, NULL));
    for (i = 0; i < 2; i++) {
        must(iotkm_interactive_recheck(&devices[i]->far.session, &centre.cx));
        settle(devices[i]);
        provide(devices[i]);
    }
    must(iotkm_wallet_list_number(&lamp.own.wallet, &number));
    printf("lamp has list %u\n", (unsigned)number);
    must(iotkm_interactive_authenticate(&wall_switch.near.session, &wall_switch.own.cx, &there));
    settle(&wall_switch);

    for (i = 0; i < 2; i++) {
        must(iotkm_wipe(&devices[i]->near.session));
        must(iotkm_wipe(&devices[i]->far.session));
        must(iotkm_interactive_peer_wipe(&devices[i]->near.peer));
        must(iotkm_interactive_peer_wipe(&devices[i]->far.peer));
        must(iotkm_wallet_wipe(&devices[i]->own.wallet));
        must(iotkm_static_key_wipe(&devices[i]->own.key));
    }
    must(iotkm_wallet_wipe(&centre.wallet));
    must(iotkm_static_key_wipe(&centre.key));
    must(iotkm_operator_wipe(&op));
    must(iotkm_ticket_agent_wipe(&numbers));
    return 0;
}
