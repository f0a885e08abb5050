/* An operator: a device that is renewed over a living association, one that is away, one whose ticket is revoked; what can be
 * done wrong. */
#include "agency.h"

enum { MEMORY = 2 * IOTKM_TICKET_MAX + LIST, ROOM = IOTKM_TICKET_MAX + IOTKM_TICKET_MESSAGE_OVERHEAD };

/* All of an operator's functions on memory that is none. */
static void no_operator(iotkm_operator *op, int status) {
    static const uint8_t nothing[12] = {0};
    iotkm_renewal renewal;
    iotkm_ticket ticket;
    char device[IOTKM_NAME_TEXT];
    uint8_t reference[IOTKM_REFERENCE_LEN];
    uint64_t wake_at;
    bool flag;
    memset(&ticket, 0, sizeof ticket);
    IS(iotkm_operator_knows(op, &ticket), status);
    IS(iotkm_operator_forget(op, "lamp"), status);
    IS(iotkm_operator_ask(op, NOW, device), status);
    IS(iotkm_operator_wake_at(op, &wake_at), status);
    IS(iotkm_operator_issued(op, &ticket), status);
    IS(iotkm_operator_waiting_for(op, "lamp", &flag, reference), status);
    IS(iotkm_operator_handle(op, "lamp", nothing, sizeof nothing, &flag), status);
    IS(iotkm_operator_device_at(op, 0, &renewal), status);
    IS(iotkm_operator_wipe(op), status);
}

static iotkm_operator op;
static iotkm_operator_entry entries[2];

static void wakes(uint64_t wanted) {
    uint64_t wake_at;
    OK(iotkm_operator_wake_at(&op, &wake_at));
    CHECK(wake_at == wanted);
}

static void asks(uint64_t now, const char *wanted) {
    char device[IOTKM_NAME_TEXT];
    OK(iotkm_operator_ask(&op, now, device));
    CHECK(strcmp(device, wanted) == 0);
}

static void operators(void) {
    static iotkm_ticket_agent a;
    uint8_t bytes[4][IOTKM_TICKET_MAX], reference[IOTKM_REFERENCE_LEN];
    iotkm_ticket lamp, plug, door, next;
    iotkm_renewal renewal;
    bool flag;

    side_init(&s, &other, 's');
    OK(iotkm_ticket_agent_init(&a, "acme"));
    OK(iotkm_ticket_agent_store(&a, &s.cx, AGENTS));
    OK(iotkm_ticket_verify(bytes[0], issue(&a, "lamp", NOW, 30 * DAY, bytes[0]), &agent, &lamp));
    OK(iotkm_ticket_verify(bytes[1], issue(&a, "plug", NOW, 20 * DAY, bytes[1]), &agent, &plug));
    OK(iotkm_ticket_verify(bytes[2], issue(&a, "door", NOW, 20 * DAY, bytes[2]), &agent, &door));
    OK(iotkm_ticket_verify(bytes[3], issue(&a, "lamp", NOW + 25 * DAY, 30 * DAY, bytes[3]), &agent, &next));

    no_operator(NULL, IOTKM_E_NULL);
    no_operator(&op, IOTKM_E_NOT_SET_UP);
    IS(iotkm_operator_init(NULL, entries, 2, 7 * DAY, DAY), IOTKM_E_NULL);
    IS(iotkm_operator_init(&op, NULL, 2, 7 * DAY, DAY), IOTKM_E_NULL);
    IS(iotkm_operator_init(&op, entries, 0, 7 * DAY, DAY), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_operator_init(&op, entries, (size_t)-1 / 8, 7 * DAY, DAY), IOTKM_E_BAD_ARGUMENT);
    CHECK(is_all(&op, 0, sizeof op));
    OK(iotkm_operator_init(&op, entries, 2, 7 * DAY, DAY));
    wakes(IOTKM_NEVER);
    asks(UINT64_MAX, "");
    IS(iotkm_operator_device_at(&op, 0, &renewal), IOTKM_E_EMPTY);
    IS(iotkm_operator_issued(&op, &lamp), IOTKM_E_BAD_ARGUMENT);
    OK(iotkm_operator_knows(&op, &lamp));
    OK(iotkm_operator_knows(&op, &plug));
    IS(iotkm_operator_knows(&op, &door), IOTKM_E_FULL);
    door.len--;
    IS(iotkm_operator_knows(&op, &door), IOTKM_E_REFUSED_ENCODING);
    door.len++;

    /* The most urgent first; again after a day. */
    wakes(NOW + 13 * DAY);
    asks(NOW + 12 * DAY, "");
    asks(NOW + 25 * DAY, "plug");
    asks(NOW + 25 * DAY, "lamp");
    asks(NOW + 25 * DAY, "");
    wakes(NOW + 26 * DAY);
    OK(iotkm_operator_device_at(&op, 0, &renewal));
    CHECK(strcmp(renewal.device, "lamp") == 0 && renewal.expires == NOW + 30 * DAY && renewal.asked_at == NOW + 25 * DAY && !renewal.is_waiting);
    asks(NOW + 26 * DAY, "plug");

    /* An answer. */
    IS(iotkm_operator_issued(&op, &lamp), IOTKM_E_BAD_ARGUMENT); /* it has that */
    IS(iotkm_operator_issued(&op, &door), IOTKM_E_BAD_ARGUMENT);
    OK(iotkm_operator_waiting_for(&op, "lamp", &flag, reference));
    CHECK(!flag && is_all(reference, 0, sizeof reference));
    OK(iotkm_operator_issued(&op, &next));
    OK(iotkm_operator_waiting_for(&op, "lamp", &flag, reference));
    CHECK(flag && memcmp(reference, next.reference, sizeof reference) == 0);
    OK(iotkm_operator_device_at(&op, 0, &renewal));
    CHECK(renewal.is_waiting && memcmp(renewal.waiting, reference, sizeof reference) == 0 && renewal.asked_at == 0);
    IS(iotkm_operator_device_at(&op, 2, &renewal), IOTKM_E_EMPTY);
    IS(iotkm_operator_handle(&op, "lamp", (const uint8_t *)"\x01", 1, &flag), IOTKM_E_REFUSED_ENCODING);
    OK(iotkm_operator_handle(&op, "lamp", (const uint8_t *)"\x82\x04\x38\xce", 4, &flag)); /* refused: that is no acknowledgement */
    CHECK(!flag);

    IS(iotkm_operator_knows(&op, NULL), IOTKM_E_NULL);
    IS(iotkm_operator_issued(&op, NULL), IOTKM_E_NULL);
    IS(iotkm_operator_forget(&op, NULL), IOTKM_E_NULL);
    IS(iotkm_operator_ask(&op, NOW + 99 * DAY, NULL), IOTKM_E_NULL);
    IS(iotkm_operator_wake_at(&op, NULL), IOTKM_E_NULL);
    IS(iotkm_operator_waiting_for(&op, "lamp", NULL, reference), IOTKM_E_NULL);
    IS(iotkm_operator_waiting_for(&op, "lamp", &flag, NULL), IOTKM_E_NULL);
    IS(iotkm_operator_handle(&op, "lamp", NULL, 4, &flag), IOTKM_E_NULL);
    IS(iotkm_operator_handle(&op, "lamp", bytes[0], 4, NULL), IOTKM_E_NULL);
    IS(iotkm_operator_handle(&op, "\xff", bytes[0], 4, &flag), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_operator_device_at(&op, 0, NULL), IOTKM_E_NULL);
    wakes(NOW + 27 * DAY); /* what was wrong changed nothing */

    OK(iotkm_operator_forget(&op, "plug"));
    OK(iotkm_operator_forget(&op, "nobody"));
    wakes(IOTKM_NEVER); /* the lamp's waits for the lamp */
    OK(iotkm_operator_knows(&op, &door));
    OK(iotkm_operator_wipe(&op));
    CHECK(is_all(&op, 0, sizeof op));
    no_operator(&op, IOTKM_E_NOT_SET_UP);
    OK(iotkm_ticket_agent_wipe(&a));
}

/* ---- over associations ---- */

typedef struct {
    side s;
    iotkm_interactive_peer peer;
    iotkm_interactive_memory memory;
    iotkm_wallet wallet;
    iotkm_static_key key;
    uint8_t purse[MEMORY];
} device;

static device centre, lamp;
static iotkm_ticket_agent numbers;
static uint8_t ready[IOTKM_TICKET_MAX], list[LIST];
static size_t ready_len, list_len;

static void device_init(device *d, side *its_other, const char *name, const char *peer, uint64_t life) {
    static const iotkm_suite *const suites[] = {&iotkm_suite_4};
    uint8_t ticket[IOTKM_TICKET_MAX], share[32];
    iotkm_ticket_message request = request_of(name, life);
    iotkm_interactive_setup setup;
    size_t len;
    side_init(&d->s, its_other, (uint8_t)name[0]);
    d->s.cx.wall_ms = NOW * 1000;
    d->s.platform.public_key = iotkm_static_key_public_key;
    d->s.platform.agree = iotkm_static_key_agree;
    d->s.platform.keys_ctx = &d->key;
    OK(iotkm_static_key_generate(&d->key, &d->s.cx, 1, &iotkm_x25519));
    OK(iotkm_static_key_public_key(&d->key, 1, IOTKM_CURVE_X25519, share, sizeof share));
    OK(iotkm_wallet_init(&d->wallet, &agent, name, d->purse, IOTKM_TICKET_MAX, LIST));
    request.key = share;
    OK(iotkm_ticket_agent_issue(&numbers, &iotkm_signing_eddsa, seed, NOW, &request, ticket, sizeof ticket, &len));
    OK(iotkm_wallet_install(&d->wallet, &d->s.cx, ticket, len, NULL));
    OK(iotkm_interactive_peer_init(&d->peer, 1, name, peer, NULL));
    memset(&setup, 0, sizeof setup);
    setup.struct_size = sizeof setup;
    setup.kem = &iotkm_x25519;
    setup.suites = suites;
    setup.suite_count = 1;
    setup.key = 1;
    OK(iotkm_interactive_open(&d->s.a, &d->peer, &d->wallet, &setup, NULL, &d->memory));
}

static void device_wipe(device *d) {
    OK(iotkm_wipe(&d->s.a));
    OK(iotkm_interactive_peer_wipe(&d->peer));
    OK(iotkm_wallet_wipe(&d->wallet));
    OK(iotkm_static_key_wipe(&d->key));
}

/* Sends a payload; what came is in the other side's `got`. */
static void carries(side *from, const uint8_t *payload, size_t len) {
    uint8_t out[MTU];
    iotkm_addr to;
    size_t out_len;
    OK(iotkm_send(&from->a, &from->cx, payload, len, out, sizeof out, &out_len, &to));
    OK(test_send(from, &to, out, out_len));
    settle(&centre.s, &lamp.s, 0);
    CHECK(from->other->got_len == len && memcmp(from->other->got, payload, len) == 0);
}

/* The operator asks the agent for the lamp's next ticket, in the agent's own words. */
static void renew(uint64_t now) {
    uint8_t bytes[ROOM];
    iotkm_ticket_message request;
    iotkm_ticket ticket;
    size_t len;
    asks(now, "lamp");
    OK(iotkm_ticket_request(&lamp.s.cx, 1, &iotkm_x25519, "lamp", NULL, 30 * DAY, bytes, sizeof bytes, &len));
    OK(iotkm_ticket_message_read(bytes, len, &request));
    OK(iotkm_ticket_agent_issue(&numbers, &iotkm_signing_eddsa, seed, now, &request, ready, sizeof ready, &ready_len));
    OK(iotkm_ticket_verify(ready, ready_len, &agent, &ticket));
    OK(iotkm_operator_issued(&op, &ticket));
}

/* Sends the device a ticket or a list. What it says to that: whether its operator now knows that it has the ticket. */
static bool push(uint32_t kind, const uint8_t *object, size_t object_len) {
    static uint8_t work[IOTKM_WALLET_BLOB_OVERHEAD + MEMORY];
    uint8_t out[MTU];
    iotkm_ticket_message message;
    bool due, acknowledged;
    size_t len;
    int status;
    memset(&message, 0, sizeof message);
    message.kind = kind;
    message.bytes = object;
    message.len = object_len;
    OK(iotkm_ticket_message_write(&message, out, sizeof out, &len));
    carries(&centre.s, out, len);
    status = iotkm_wallet_handle(&lamp.wallet, &lamp.s.cx, lamp.s.got, lamp.s.got_len, &due);
    if (status == IOTKM_OK) {
        CHECK(due);
        if (iotkm_wallet_store(&lamp.wallet, &lamp.s.cx, 2, work, sizeof work) != IOTKM_OK) {
            IS(iotkm_wallet_acknowledgement(&lamp.wallet, out, sizeof out, &len), IOTKM_E_WRONG_STATE);
            return false;
        }
        OK(iotkm_wallet_acknowledgement(&lamp.wallet, out, sizeof out, &len));
    } else {
        OK(iotkm_wallet_refusal(status, out, sizeof out, &len));
    }
    carries(&lamp.s, out, len);
    OK(iotkm_operator_handle(&op, "lamp", centre.s.got, centre.s.got_len, &acknowledged));
    if (status == IOTKM_OK) OK(iotkm_interactive_recheck(&lamp.s.a, &lamp.s.cx));
    return acknowledged;
}

static uint32_t newest(device *d) {
    iotkm_ticket ticket;
    OK(iotkm_wallet_ticket(&d->wallet, &d->s.cx, &ticket));
    return ticket.serial;
}

/* So many days later. */
static void days(unsigned count) {
    centre.s.cx.now_ms += count * DAY * 1000;
    lamp.s.cx.now_ms = centre.s.cx.now_ms;
    centre.s.cx.wall_ms += count * DAY * 1000;
    lamp.s.cx.wall_ms = centre.s.cx.wall_ms;
}

static void over_associations(void) {
    static const uint32_t revoked[] = {2};
    iotkm_ticket held;
    iotkm_ticket_message said;
    uint32_t number, first;

    side_init(&s, &other, 's');
    OK(iotkm_ticket_agent_init(&numbers, "acme"));
    OK(iotkm_ticket_agent_store(&numbers, &s.cx, AGENTS));
    device_init(&centre, &lamp.s, "centre", "lamp", 400 * DAY);
    device_init(&lamp, &centre.s, "lamp", "centre", 30 * DAY);
    OK(iotkm_operator_init(&op, entries, 2, 7 * DAY, DAY));
    OK(iotkm_wallet_ticket(&lamp.wallet, &lamp.s.cx, &held));
    OK(iotkm_operator_knows(&op, &held));
    OK(iotkm_interactive_connect(&lamp.s.a, &lamp.s.cx, &centre.s.addr));
    settle(&centre.s, &lamp.s, 0);
    CHECK(iotkm_is_established(&centre.s.a) == 1 && newest(&lamp) == 2);

    /* Renewed while the session lives: nothing ends. A device that cannot store it does not say that it has it. */
    days(25);
    renew(NOW + 25 * DAY);
    lamp.s.store_fails = 1;
    CHECK(!push(IOTKM_TICKET_MESSAGE_TICKET, ready, ready_len));
    lamp.s.store_fails = 0;
    CHECK(push(IOTKM_TICKET_MESSAGE_TICKET, ready, ready_len) && newest(&lamp) == 3);
    settle(&centre.s, &lamp.s, 0);
    CHECK(!push(IOTKM_TICKET_MESSAGE_TICKET, ready, ready_len)); /* again: said again, and no news */
    CHECK(iotkm_is_established(&centre.s.a) == 1 && lamp.s.events[IOTKM_EVENT_TERMINATED] == 0);
    first = lamp.s.got_count;

    /* Away while the next one is issued: it waits, whatever is said meanwhile, and the lamp gets it when it comes up. */
    (void)iotkm_close(&lamp.s.a);
    settle(&centre.s, &lamp.s, 0);
    days(25);
    renew(NOW + 50 * DAY);
    wakes(IOTKM_NEVER);
    CHECK(lamp.s.got_count == first && newest(&lamp) == 3);
    OK(iotkm_interactive_connect(&lamp.s.a, &lamp.s.cx, &centre.s.addr));
    settle(&centre.s, &lamp.s, 0);
    CHECK(iotkm_is_established(&centre.s.a) == 1);
    CHECK(push(IOTKM_TICKET_MESSAGE_TICKET, ready, ready_len) && newest(&lamp) == 4);
    wakes(NOW + 73 * DAY);

    /* Another device's ticket is refused, and the operator hears why. */
    ready_len = issue(&numbers, "plug", NOW + 50 * DAY, DAY, ready);
    CHECK(!push(IOTKM_TICKET_MESSAGE_TICKET, ready, ready_len) && newest(&lamp) == 4);
    OK(iotkm_ticket_message_read(centre.s.got, centre.s.got_len, &said));
    CHECK(said.kind == IOTKM_TICKET_MESSAGE_REFUSED && said.code == IOTKM_E_REFUSED_SUBJECT);

    /* Revoked: the list goes the same way, and so does the centre that goes by it. */
    OK(iotkm_ticket_agent_revoke(&numbers, &iotkm_signing_eddsa, seed, NOW + 50 * DAY, revoked, 1, list, sizeof list, &list_len));
    CHECK(!push(IOTKM_TICKET_MESSAGE_LIST, list, list_len)); /* taken, but no ticket waits */
    OK(iotkm_ticket_message_read(centre.s.got, centre.s.got_len, &said));
    OK(iotkm_wallet_list_number(&lamp.wallet, &number));
    CHECK(said.kind == IOTKM_TICKET_MESSAGE_ACKNOWLEDGED && said.list_number == 1 && number == 1 && newest(&lamp) == 4);
    number = 4;
    OK(iotkm_ticket_agent_revoke(&numbers, &iotkm_signing_eddsa, seed, NOW + 50 * DAY, &number, 1, list, sizeof list, &list_len));
    OK(iotkm_wallet_revoke(&centre.wallet, &centre.s.cx, list, list_len, NULL));
    OK(iotkm_interactive_recheck(&centre.s.a, &centre.s.cx));
    settle(&centre.s, &lamp.s, 0);
    CHECK(iotkm_is_established(&centre.s.a) == 0);
    OK(iotkm_operator_forget(&op, "lamp"));

    device_wipe(&centre);
    device_wipe(&lamp);
    OK(iotkm_operator_wipe(&op));
    OK(iotkm_ticket_agent_wipe(&numbers));
}

int main(void) {
    an_agent();
    operators();
    over_associations();
    return 0;
}
