/* A device: pairs with a hub once, then sends a reading a second and renews its keys from what was said.
 *
 *     device FOLDER HOST PORT [SECRET [READINGS]]
 *
 * FOLDER keeps what has to survive. SECRET is what the user enters on both sides; without it the device uses the keys that it
 * stored. It ends after READINGS (5) that were sent. */
#include <errno.h>
#include <iotkm_posix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HUB = 1, ATTEMPTS = 2, ENTRIES = 48 }; /* slots; messages that the log holds */

static iotkm_posix_store store;
static iotkm_posix_udp udp;
static iotkm_platform platform;
static iotkm_cx cx;
static iotkm_addr hub;
static uint8_t buffer[1280];

static iotkm_history_pairing pairing;
static iotkm_history_peer peer;
static iotkm_history_entry entries[ENTRIES];
static iotkm_history_memory memory;
static iotkm_association association;

static int paired, failed, answers, generation;

static void must(int status, const char *what) {
    if (status == 0) return;
    fprintf(stderr, "device: %s: %s\n", what, status == -1 ? strerror(errno) : iotkm_strerror(status));
    exit(1);
}

static void on_event(void *ctx, const iotkm_event *event) {
    char text[IOTKM_FINGERPRINT_TEXT];
    (void)ctx;
    switch (event->kind) {
    case IOTKM_EVENT_PAIRED:
    case IOTKM_EVENT_ESTABLISHED:
        must(iotkm_fingerprint_text(event->fingerprint, text), "fingerprint");
        printf("device: %s, %s\n", event->kind == IOTKM_EVENT_PAIRED ? "paired" : "session", text);
        if (event->kind == IOTKM_EVENT_PAIRED) paired = 1;
        break;
    case IOTKM_EVENT_KEY_REPLACED:
        generation = (int)event->generation;
        printf("device: keys of generation %d\n", generation);
        break;
    case IOTKM_EVENT_FAILED:
        printf("device: stage %u failed for reason %u\n", (unsigned)event->stage, (unsigned)event->reason);
        failed = 1;
        break;
    case IOTKM_EVENT_HINT:
        /* Anybody can send what looks like this: worth a look at the other side's window and secret, no more. */
        printf("device: %s\n", event->reason == IOTKM_REASON_WRONG_SECRET ? "perhaps the secrets differ" : "a hint");
        break;
    default:
        break;
    }
}

/* Sends and stores what waits, then sleeps until a datagram comes, or `until_ms`. */
static void step(iotkm_association *a, uint64_t until_ms) {
    uint64_t wake_at;
    size_t len;
    iotkm_addr from;
    iotkm_received received;
    must(iotkm_drain(a, &cx, buffer, sizeof buffer, &wake_at), "drain");
    if (until_ms < wake_at) wake_at = until_ms;
    int got = iotkm_posix_udp_wait(&udp, wake_at, buffer, sizeof buffer, &len, &from);
    cx.now_ms = iotkm_posix_now_ms();
    cx.wall_ms = iotkm_posix_wall_ms();
    if (got == 1) {
        must(iotkm_receive(a, &cx, &from, buffer, len, &received), "receive");
        if (received.payload) {
            printf("device: the hub says %.*s\n", (int)received.payload_len, (const char *)received.payload);
            answers++;
        }
        must(iotkm_drain(a, &cx, buffer, sizeof buffer, &wake_at), "drain");
    }
    must(iotkm_timeout(a, &cx), "timeout");
    must(iotkm_drain(a, &cx, buffer, sizeof buffer, &wake_at), "drain");
}

static void pair(const char *secret) {
    iotkm_history_id id = {6, "device"};
    must(iotkm_history_pairing_open(&pairing, &id, &iotkm_suite_0, &iotkm_cpace_ristretto255, HUB, ATTEMPTS, NULL), "pairing");
    must(iotkm_history_pairing_load_attempts(&pairing, &cx, ATTEMPTS), "attempts");
    must(iotkm_history_pairing_start(&pairing, &cx, &hub, (const uint8_t *)secret, strlen(secret)), "start");
    while (!paired && !failed) step(&pairing.association, IOTKM_NEVER);
    if (failed) exit(1);
    must(iotkm_history_pairing_take_peer(&pairing, &peer), "peer");
    must(iotkm_wipe(&pairing.association), "wipe");
}

int main(int count, char **arguments) {
    uint8_t device_secret[32], out[128];
    char reading[32];
    int i, readings = count > 5 ? atoi(arguments[5]) : 5;
    size_t len;
    uint64_t next;
    iotkm_addr to;

    if (count < 4) {
        fprintf(stderr, "device FOLDER HOST PORT [SECRET [READINGS]]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    must(iotkm_posix_store_open(&store, arguments[1]), arguments[1]);
    must(iotkm_posix_secret(&store, device_secret), "secret");
    must(iotkm_posix_udp_addr(&hub, arguments[2], arguments[3]), arguments[2]);
    must(iotkm_posix_udp_open(&udp, hub.len == 6 ? "0.0.0.0" : "::", "0"), "socket");
    iotkm_posix_platform(&platform, &store, &udp, device_secret);
    platform.event = on_event;
    cx.platform = &platform;
    cx.now_ms = iotkm_posix_now_ms();
    cx.wall_ms = iotkm_posix_wall_ms();
    cx.place = (const uint8_t *)"kitchen";
    cx.place_len = 7;

    if (count > 4 && *arguments[4]) {
        pair(arguments[4]);
    } else {
        must(iotkm_history_peer_load(&peer, &cx, HUB), "no stored keys: pair first");
    }
    must(iotkm_history_open(&association, &peer, entries, ENTRIES, &iotkm_suite_0, NULL, &memory), "open");
    must(iotkm_history_connect(&association, &cx, &hub), "connect");
    for (i = 0; i < readings;) {
        next = cx.now_ms + 200;
        while (cx.now_ms < next) step(&association, next);
        if (failed) return 1;
        if (iotkm_is_established(&association) != 1) continue;
        snprintf(reading, sizeof reading, "%d.%d C", 20 + i, i % 10);
        must(iotkm_send(&association, &cx, (const uint8_t *)reading, strlen(reading), out, sizeof out, &len, &to), "send");
        must(iotkm_posix_udp_send(&udp, &to, out, len), "socket");
        i++;
        /* Halfway, new keys out of what was said: the session ends, and this side connects again by itself. */
        if (i == (readings + 1) / 2 && answers > 0) must(iotkm_history_update(&association, &cx), "update");
    }
    next = cx.now_ms + 500;
    while (cx.now_ms < next) step(&association, next);
    if (iotkm_is_established(&association) == 1) must(iotkm_close(&association), "close");
    step(&association, cx.now_ms);
    must(iotkm_wipe(&association), "wipe");
    must(iotkm_history_peer_wipe(&peer), "wipe");
    iotkm_posix_udp_close(&udp);
    iotkm_posix_store_close(&store);
    printf("device: %d readings, %d answers\n", readings, answers);
    return answers > 0 ? 0 : 1;
}
