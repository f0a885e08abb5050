/* Two sides of the history scheme in one program, on a wire in memory: for tests. */
#ifndef PAIR_H
#define PAIR_H

#include <iotkm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what) ((what) ? (void)0 : failed(#what, __FILE__, __LINE__))
#define IS(call, status) is((call), (status), #call, __FILE__, __LINE__)
#define OK(call) IS(call, IOTKM_OK)

static void failed(const char *what, const char *file, int line) {
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    exit(1);
}

static void is(int got, int wanted, const char *call, const char *file, int line) {
    if (got != wanted) {
        fprintf(stderr, "%s:%d: %s is %d (%s), not %d\n", file, line, call, got, iotkm_strerror(got), wanted);
        exit(1);
    }
}

enum { MTU = 1200, WIRE = 8, SLOTS = 4, ENTRIES = 48 };

typedef struct side {
    iotkm_association a;
    uint64_t more[20]; /* behind it: an iotkm_noninteractive is longer */
    iotkm_history_peer peer;
    iotkm_history_entry entries[ENTRIES];
    iotkm_history_memory memory;
    iotkm_platform platform;
    iotkm_cx cx;
    uint8_t secret[32];
    uint32_t seed;
    int random_fails, store_fails;
    struct side *other;
    iotkm_addr addr;
    uint8_t slot[SLOTS][2048];
    size_t slot_len[SLOTS];
    unsigned events[16];
    uint8_t fingerprint[10];
    uint8_t got[MTU];
    size_t got_len;
    unsigned got_count;
    uint64_t got_time, wake_at;
    struct { uint8_t bytes[MTU]; size_t len; } in[WIRE];
    unsigned in_count;
} side;

/* Repeatable and worthless as randomness. */
static int test_random(void *ctx, uint8_t *out, size_t len) {
    side *s = (side *)ctx;
    if (s->random_fails) return -1;
    while (len--) {
        s->seed = s->seed * 1664525u + 1013904223u;
        *out++ = (uint8_t)(s->seed >> 24);
    }
    return 0;
}

static int test_read(void *ctx, uint16_t slot, uint8_t *out, size_t capacity, size_t *len) {
    side *s = (side *)ctx;
    if (slot >= SLOTS || s->slot_len[slot] > capacity) return -1;
    if (s->slot_len[slot] == 0) return IOTKM_STORE_EMPTY;
    memcpy(out, s->slot[slot], s->slot_len[slot]);
    *len = s->slot_len[slot];
    return 0;
}

static int test_write(void *ctx, uint16_t slot, const uint8_t *bytes, size_t len) {
    side *s = (side *)ctx;
    if (s->store_fails || slot >= SLOTS || len > sizeof s->slot[slot]) return -1;
    memcpy(s->slot[slot], bytes, len);
    s->slot_len[slot] = len;
    return 0;
}

static int test_erase(void *ctx, uint16_t slot) {
    side *s = (side *)ctx;
    if (slot >= SLOTS) return -1;
    s->slot_len[slot] = 0;
    return 0;
}

static int test_send(void *ctx, const iotkm_addr *to, const uint8_t *bytes, size_t len) {
    side *s = (side *)ctx;
    CHECK(to->len == s->other->addr.len && memcmp(to->bytes, s->other->addr.bytes, to->len) == 0);
    CHECK(len <= MTU && s->other->in_count < WIRE);
    memcpy(s->other->in[s->other->in_count].bytes, bytes, len);
    s->other->in[s->other->in_count++].len = len;
    return 0;
}

static void test_event(void *ctx, const iotkm_event *event) {
    side *s = (side *)ctx;
    CHECK(event->kind < 16);
    s->events[event->kind]++;
    if (event->kind == IOTKM_EVENT_ESTABLISHED || event->kind == IOTKM_EVENT_PAIRED) memcpy(s->fingerprint, event->fingerprint, 10);
}

/* A side without its association: hooks, time, secret. */
static void side_init(side *s, side *other, uint8_t name) {
    memset(s, 0, sizeof *s);
    s->other = other;
    s->seed = name;
    memset(s->secret, name, sizeof s->secret);
    s->addr.len = 1;
    s->addr.bytes[0] = name;
    s->platform.struct_size = sizeof s->platform;
    s->platform.device_secret = s->secret;
    s->platform.random = test_random;
    s->platform.store_read = test_read;
    s->platform.store_write = test_write;
    s->platform.store_erase = test_erase;
    s->platform.send = test_send;
    s->platform.event = test_event;
    s->platform.random_ctx = s->platform.store_ctx = s->platform.send_ctx = s->platform.event_ctx = s;
    s->cx.platform = &s->platform;
    s->cx.now_ms = 1000;
    s->cx.wall_ms = UINT64_C(1750000000000);
    s->cx.place = (const uint8_t *)"lab";
    s->cx.place_len = 3;
}

static iotkm_history_id id_of(const side *s) {
    iotkm_history_id id;
    memset(&id, 0, sizeof id);
    id.len = 8;
    memset(id.bytes, s->addr.bytes[0], 8);
    return id;
}

static void side_provision(side *s, const iotkm_suite *suite) {
    iotkm_history_triple triple;
    iotkm_history_id me = id_of(s), it = id_of(s->other);
    memset(triple.sk, 1, 32);
    memset(triple.t, 2, 32);
    memset(triple.li, 3, 32);
    OK(iotkm_history_peer_provision(&s->peer, 1, &me, &it, suite, &triple));
}

static void side_open(side *s, const iotkm_suite *suite) {
    OK(iotkm_history_open(&s->a, &s->peer, s->entries, ENTRIES, suite, NULL, &s->memory));
}

static void side_drain(side *s) {
    uint8_t out[2048];
    OK(iotkm_drain(&s->a, &s->cx, out, sizeof out, &s->wake_at));
}

/* Hands over what waits on the wire; how many datagrams that was. */
static unsigned side_take(side *s) {
    unsigned i, count = s->in_count;
    for (i = 0; i < count; i++) {
        iotkm_received received;
        OK(iotkm_receive(&s->a, &s->cx, &s->other->addr, s->in[i].bytes, s->in[i].len, &received));
        if (received.payload) {
            memcpy(s->got, received.payload, received.payload_len);
            s->got_len = received.payload_len;
            s->got_time = received.time_ms;
            s->got_count++;
            CHECK(received.place_len == 0 || (received.place_len == 3 && memcmp(received.place, "lab", 3) == 0));
        }
        side_drain(s);
    }
    s->in_count = 0;
    return count;
}

/* Lets both talk until nothing is on the wire and no timer is nearer than `patience_ms`. */
static void settle(side *a, side *b, uint64_t patience_ms) {
    uint64_t end = a->cx.now_ms + patience_ms;
    side_drain(a);
    side_drain(b);
    for (;;) {
        uint64_t wake;
        while (side_take(a) + side_take(b)) {}
        wake = a->wake_at < b->wake_at ? a->wake_at : b->wake_at;
        if (wake > end) break;
        if (wake > a->cx.now_ms) a->cx.now_ms = b->cx.now_ms = wake;
        OK(iotkm_timeout(&a->a, &a->cx));
        side_drain(a);
        OK(iotkm_timeout(&b->a, &b->cx));
        side_drain(b);
    }
}

static void say(side *s, const char *text) {
    size_t len = strlen(text), out_len;
    uint8_t out[MTU];
    iotkm_addr to;
    OK(iotkm_send(&s->a, &s->cx, (const uint8_t *)text, len, out, sizeof out, &out_len, &to));
    OK(test_send(s, &to, out, out_len));
    side_drain(s);
    side_take(s->other);
    CHECK(s->other->got_len == len && memcmp(s->other->got, text, len) == 0);
    CHECK(s->other->got_time == s->cx.wall_ms);
}

/* Both sides with a session. */
static void pair_up(side *a, side *b, const iotkm_suite *suite) {
    side_init(a, b, 'a');
    side_init(b, a, 'b');
    side_provision(a, suite);
    side_provision(b, suite);
    side_open(a, suite);
    side_open(b, suite);
    OK(iotkm_history_connect(&a->a, &a->cx, &b->addr));
    settle(a, b, 0);
    CHECK(iotkm_is_established(&a->a) == 1 && iotkm_is_established(&b->a) == 1);
}

static void pair_down(side *a, side *b) {
    OK(iotkm_wipe(&a->a));
    OK(iotkm_wipe(&b->a));
    OK(iotkm_history_peer_wipe(&a->peer));
    OK(iotkm_history_peer_wipe(&b->peer));
}

#endif
