/* Both sides in one program, with keys that a factory gave them: the shortest one that says something. */
#include <iotkm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    iotkm_platform platform;
    iotkm_cx cx;
    iotkm_history_peer peer;
    iotkm_history_memory memory;
    iotkm_association association;
    uint8_t in[1200]; /* what was sent to this side */
    size_t in_len;
} side;

static side alice, bob;
static const uint8_t alices_secret[32] = {1}, bobs_secret[32] = {2}; /* 32 random bytes in a real device */

static void must(int status) {
    if (status == 0) return;
    fprintf(stderr, "%s\n", iotkm_strerror(status));
    exit(1);
}

static int send_to(void *ctx, const iotkm_addr *to, const uint8_t *bytes, size_t len) {
    side *other = (side *)ctx;
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

static void set_up(side *s, side *other, const uint8_t *secret, const char *name, const char *other_name) {
    static const iotkm_history_triple factory = {{1}, {2}, {3}}; /* 96 random bytes in a real factory */
    iotkm_history_id own = {5, {0}}, its = {5, {0}};
    memcpy(own.bytes, name, 5);
    memcpy(its.bytes, other_name, 5);
    s->platform.struct_size = sizeof s->platform;
    s->platform.device_secret = secret;
    s->platform.send = send_to;
    s->platform.send_ctx = other;
    s->platform.store_write = store;
    s->cx.platform = &s->platform;
    must(iotkm_history_peer_provision(&s->peer, 1, &own, &its, &iotkm_suite_0, &factory));
    must(iotkm_history_open(&s->association, &s->peer, NULL, 0, &iotkm_suite_0, NULL, &s->memory));
}

/* Takes in what was sent to this side, and answers. */
static void turn(side *s, const iotkm_addr *other) {
    uint8_t out[1200];
    uint64_t wake_at;
    iotkm_received received = {NULL, 0, 0, NULL, 0, 0};
    size_t len = s->in_len;
    s->in_len = 0;
    if (len > 0) must(iotkm_receive(&s->association, &s->cx, other, s->in, len, &received));
    if (received.payload) printf("%.*s\n", (int)received.payload_len, (const char *)received.payload);
    must(iotkm_drain(&s->association, &s->cx, out, sizeof out, &wake_at));
}

int main(void) {
    iotkm_addr at_alice = {1, {1}}, at_bob = {1, {2}};
    set_up(&alice, &bob, alices_secret, "alice", "bob..");
    set_up(&bob, &alice, bobs_secret, "bob..", "alice");

    must(iotkm_history_connect(&alice.association, &alice.cx, &at_bob));
    do {
        turn(&alice, &at_bob);
        turn(&bob, &at_alice);
    } while (alice.in_len > 0);

    must(iotkm_send(&alice.association, &alice.cx, (const uint8_t *)"hello, bob", 10, bob.in, sizeof bob.in, &bob.in_len, &at_bob));
    turn(&bob, &at_alice);
    must(iotkm_wipe(&alice.association));
    must(iotkm_wipe(&bob.association));
    must(iotkm_history_peer_wipe(&alice.peer));
    must(iotkm_history_peer_wipe(&bob.peer));
    return 0;
}
