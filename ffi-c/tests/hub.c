/* A hub with three devices on one socket: whose is what, members that leave and come back, misuse. */
#include "pair.h"

enum { DEVICES = 3 };

static side device[DEVICES], hub_side;
static struct {
    iotkm_hub hub;
    iotkm_hub_member members[DEVICES];
    iotkm_association association[DEVICES];
    iotkm_history_peer peer[DEVICES];
    iotkm_history_entry entries[DEVICES][ENTRIES];
    iotkm_history_memory memory[DEVICES];
    uint32_t number[DEVICES];
    unsigned established[DEVICES];
} h;

static int hub_send(void *ctx, const iotkm_addr *to, const uint8_t *bytes, size_t len) {
    side *s = &device[to->bytes[0] - 1];
    (void)ctx;
    CHECK(to->len == 1 && to->bytes[0] <= DEVICES && s->in_count < WIRE && len <= MTU);
    memcpy(s->in[s->in_count].bytes, bytes, len);
    s->in[s->in_count++].len = len;
    return 0;
}

static void hub_event(void *ctx, const iotkm_event *event) {
    (void)ctx;
    CHECK(event->member < DEVICES);
    if (event->kind == IOTKM_EVENT_ESTABLISHED) h.established[event->member]++;
}

static void hub_drain(void) {
    uint8_t out[MTU];
    OK(iotkm_hub_drain(&h.hub, &hub_side.cx, out, sizeof out, &hub_side.wake_at));
}

/* Lets everybody talk; the last message for the hub's application and whose it was. */
static void talk(const char *text, unsigned member) {
    iotkm_received received;
    unsigned i, busy, heard = 0;
    for (i = 0; i < DEVICES; i++) side_drain(&device[i]);
    hub_drain();
    do {
        busy = hub_side.in_count;
        for (i = 0; i < hub_side.in_count; i++) {
            /* The wire keeps the sender in front. */
            iotkm_addr from = {1, {0}};
            from.bytes[0] = hub_side.in[i].bytes[0];
            OK(iotkm_hub_receive(&h.hub, &hub_side.cx, &from, hub_side.in[i].bytes + 1, hub_side.in[i].len - 1, &received));
            if (received.payload) {
                heard++;
                CHECK(text && received.payload_len == strlen(text) && memcmp(received.payload, text, strlen(text)) == 0);
                CHECK(received.member == h.number[member]);
            }
            hub_drain();
        }
        hub_side.in_count = 0;
        for (i = 0; i < DEVICES; i++) busy += side_take(&device[i]);
    } while (busy);
    CHECK(heard == (text ? 1 : 0));
}

static int device_send(void *ctx, const iotkm_addr *to, const uint8_t *bytes, size_t len) {
    side *s = (side *)ctx;
    (void)to;
    CHECK(hub_side.in_count < WIRE && len < MTU);
    hub_side.in[hub_side.in_count].bytes[0] = s->addr.bytes[0];
    memcpy(hub_side.in[hub_side.in_count].bytes + 1, bytes, len);
    hub_side.in[hub_side.in_count++].len = len + 1;
    return 0;
}

static void hub_association(unsigned i, uint32_t wanted) {
    OK(iotkm_history_open(&h.association[i], &h.peer[i], h.entries[i], ENTRIES, &iotkm_suite_0, NULL, &h.memory[i]));
    OK(iotkm_history_join(&h.association[i], &h.hub, wanted, &h.number[i]));
}

static void say_to(unsigned i, const char *text) {
    uint8_t out[MTU];
    size_t len;
    iotkm_addr to;
    unsigned before = device[i].got_count;
    OK(iotkm_send(&h.association[i], &hub_side.cx, (const uint8_t *)text, strlen(text), out, sizeof out, &len, &to));
    OK(iotkm_hub_touch(&h.hub, h.number[i]));
    OK(hub_send(NULL, &to, out, len));
    talk(NULL, 0);
    CHECK(device[i].got_count == before + 1 && device[i].got_len == strlen(text) && memcmp(device[i].got, text, strlen(text)) == 0);
}

static void say_from(unsigned i, const char *text) {
    uint8_t out[MTU];
    size_t len;
    iotkm_addr to;
    OK(iotkm_send(&device[i].a, &device[i].cx, (const uint8_t *)text, strlen(text), out, sizeof out, &len, &to));
    OK(device_send(&device[i], &to, out, len));
    talk(text, i);
}

int main(void) {
    static iotkm_history_triple triple = {{1}, {2}, {3}};
    iotkm_history_id hub_id = {3, "hub"};
    iotkm_received received;
    uint8_t blob[IOTKM_SESSION_BLOB_MAX], junk[8] = {0};
    uint32_t number = 77;
    uint16_t count;
    size_t len;
    unsigned i;

    side_init(&hub_side, &hub_side, 9);
    hub_side.platform.send = hub_send;
    hub_side.platform.event = hub_event;
    IS(iotkm_hub_timeout(&h.hub, &hub_side.cx), IOTKM_E_NOT_SET_UP);
    IS(iotkm_hub_timeout(NULL, &hub_side.cx), IOTKM_E_NULL);
    IS(iotkm_hub_open(NULL, &hub_side.cx, h.members, DEVICES, 0), IOTKM_E_NULL);
    IS(iotkm_hub_open(&h.hub, NULL, h.members, DEVICES, 0), IOTKM_E_NULL);
    IS(iotkm_hub_open(&h.hub, &hub_side.cx, NULL, DEVICES, 0), IOTKM_E_NULL);
    IS(iotkm_hub_open(&h.hub, &hub_side.cx, h.members, 0, 0), IOTKM_E_BAD_ARGUMENT);
    hub_side.random_fails = 1;
    IS(iotkm_hub_open(&h.hub, &hub_side.cx, h.members, DEVICES, 0), IOTKM_E_RNG);
    hub_side.random_fails = 0;
    OK(iotkm_hub_open(&h.hub, &hub_side.cx, h.members, DEVICES, 0));
    IS(iotkm_hub_leave(&h.hub, 0), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_hub_touch(&h.hub, 5), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_history_join(&h.association[0], &h.hub, IOTKM_HUB_NOBODY, &number), IOTKM_E_NOT_SET_UP);

    for (i = 0; i < DEVICES; i++) {
        iotkm_history_id id;
        triple.sk[1] = (uint8_t)i; /* each its own */
        side_init(&device[i], &hub_side, (uint8_t)(i + 1));
        device[i].platform.send = device_send;
        id = id_of(&device[i]);
        OK(iotkm_history_peer_provision(&device[i].peer, 1, &id, &hub_id, &iotkm_suite_0, &triple));
        OK(iotkm_history_peer_provision(&h.peer[i], (uint16_t)i, &hub_id, &id, &iotkm_suite_0, &triple));
        side_open(&device[i], &iotkm_suite_0);
        hub_association(i, i == 0 ? 2 : IOTKM_HUB_NOBODY);
    }
    CHECK(h.number[0] == 2 && h.number[1] != h.number[2]);
    IS(iotkm_history_join(&h.association[0], &h.hub, IOTKM_HUB_NOBODY, &number), IOTKM_E_BUSY);
    IS(iotkm_history_join(&device[0].a, &h.hub, IOTKM_HUB_NOBODY, &number), IOTKM_E_FULL);
    IS(iotkm_history_join(&device[0].a, &h.hub, 2, &number), IOTKM_E_FULL);
    IS(iotkm_history_join(&device[0].a, &h.hub, 3, &number), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_history_join(&device[0].a, &h.hub, 3, NULL), IOTKM_E_NULL);
    CHECK(number == 77);
    IS(iotkm_wipe(&h.association[0]), IOTKM_E_BUSY);

    /* Two devices call, the hub calls the third. */
    OK(iotkm_history_connect(&device[0].a, &device[0].cx, &hub_side.addr));
    OK(iotkm_history_connect(&device[1].a, &device[1].cx, &hub_side.addr));
    OK(iotkm_history_connect(&h.association[2], &hub_side.cx, &device[2].addr));
    OK(iotkm_hub_touch(&h.hub, h.number[2]));
    talk(NULL, 0);
    for (i = 0; i < DEVICES; i++) {
        CHECK(h.established[h.number[i]] == 1 && iotkm_is_established(&h.association[i]) == 1);
        say_from(i, i ? "one of many" : "the first");
        say_to(i, "heard");
    }

    /* Whose nobody knows. */
    OK(iotkm_hub_receive(&h.hub, &hub_side.cx, &device[0].addr, junk, sizeof junk, &received));
    CHECK(received.payload == NULL && received.member == IOTKM_HUB_NOBODY);
    OK(iotkm_hub_drops(&h.hub, IOTKM_DROPPED_VERSION, &count));
    CHECK(count == 1);
    IS(iotkm_hub_drops(&h.hub, 99, &count), IOTKM_E_BAD_ARGUMENT);

    /* The hub starts again: a stored session goes on at the number that it knows. */
    OK(iotkm_export(&h.association[0], &hub_side.cx, blob, sizeof blob, &len));
    OK(iotkm_hub_leave(&h.hub, h.number[0]));
    IS(iotkm_history_join(&device[0].a, &h.hub, IOTKM_HUB_NOBODY, &number), IOTKM_E_WRONG_STATE); /* it has a session of its own */
    OK(iotkm_wipe(&h.association[0]));
    hub_association(0, h.number[0]);
    CHECK(h.number[0] == 2);
    OK(iotkm_restore(&h.association[0], &hub_side.cx, blob, len));
    OK(iotkm_hub_touch(&h.hub, h.number[0]));
    talk(NULL, 0);
    say_to(0, "back again");
    say_from(0, "welcome");

    hub_side.cx.now_ms += 1000;
    OK(iotkm_hub_timeout(&h.hub, &hub_side.cx));
    hub_drain();
    OK(iotkm_hub_wipe(&h.hub));
    IS(iotkm_hub_wipe(&h.hub), IOTKM_E_NOT_SET_UP);
    for (i = 0; i < DEVICES; i++) {
        CHECK(iotkm_is_established(&h.association[i]) == 1);
        OK(iotkm_wipe(&h.association[i]));
        OK(iotkm_wipe(&device[i].a));
        OK(iotkm_history_peer_wipe(&h.peer[i]));
    }
    return 0;
}
