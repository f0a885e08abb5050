/* A hub for one device: opens a window for pairing if it knows none, then answers each reading.
 *
 *     hub FOLDER PORT [SECRET [READINGS]]
 *
 * FOLDER keeps what has to survive; SECRET is what the user enters on both sides. It ends after READINGS, if given. */
#include <errno.h>
#include <iotkm_posix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEVICE = 1, ATTEMPTS = 2, ENTRIES = 48, WINDOW_MS = 60000 };

static iotkm_posix_store store;
static iotkm_posix_udp udp;
static iotkm_platform platform;
static iotkm_cx cx;
static uint8_t buffer[1280];

static iotkm_history_pairing pairing;
static iotkm_history_peer peer;
static iotkm_history_entry entries[ENTRIES];
static iotkm_history_memory memory;
static iotkm_association association;

static int paired, failed, ended;

static void must(int status, const char *what) {
    if (status == 0) return;
    fprintf(stderr, "hub: %s: %s\n", what, status == -1 ? strerror(errno) : iotkm_strerror(status));
    exit(1);
}

static void on_event(void *ctx, const iotkm_event *event) {
    char text[IOTKM_FINGERPRINT_TEXT];
    (void)ctx;
    switch (event->kind) {
    case IOTKM_EVENT_PAIRED:
    case IOTKM_EVENT_ESTABLISHED:
        must(iotkm_fingerprint_text(event->fingerprint, text), "fingerprint");
        printf("hub: %s, %s\n", event->kind == IOTKM_EVENT_PAIRED ? "paired" : "session", text);
        if (event->kind == IOTKM_EVENT_PAIRED) paired = 1;
        break;
    case IOTKM_EVENT_KEY_REPLACED:
        printf("hub: keys of generation %u\n", (unsigned)event->generation);
        break;
    case IOTKM_EVENT_TERMINATED:
        ended = 1;
        break;
    case IOTKM_EVENT_FAILED:
        printf("hub: stage %u failed for reason %u\n", (unsigned)event->stage, (unsigned)event->reason);
        failed = 1;
        break;
    default:
        break;
    }
}

/* Waits for a datagram or a timer, handles it, answers a reading; how many readings that were. */
static int step(iotkm_association *a) {
    uint64_t wake_at;
    size_t len;
    int readings = 0;
    iotkm_addr from, to;
    iotkm_received received;
    must(iotkm_drain(a, &cx, buffer, sizeof buffer, &wake_at), "drain");
    int got = iotkm_posix_udp_wait(&udp, wake_at, buffer, sizeof buffer, &len, &from);
    cx.now_ms = iotkm_posix_now_ms();
    cx.wall_ms = iotkm_posix_wall_ms();
    if (got == 1) {
        must(iotkm_receive(a, &cx, &from, buffer, len, &received), "receive");
        if (received.payload) {
            printf("hub: %.*s in the %.*s\n", (int)received.payload_len, (const char *)received.payload,
                   (int)received.place_len, (const char *)received.place);
            readings = 1;
        }
        must(iotkm_drain(a, &cx, buffer, sizeof buffer, &wake_at), "drain");
    }
    must(iotkm_timeout(a, &cx), "timeout");
    must(iotkm_drain(a, &cx, buffer, sizeof buffer, &wake_at), "drain");
    if (readings && iotkm_is_established(a) == 1) {
        must(iotkm_send(a, &cx, (const uint8_t *)"thanks", 6, buffer, sizeof buffer, &len, &to), "send");
        must(iotkm_posix_udp_send(&udp, &to, buffer, len), "socket");
    }
    return readings;
}

int main(int count, char **arguments) {
    uint8_t device_secret[32];
    iotkm_history_id id = {3, "hub"};
    int wanted = count > 4 ? atoi(arguments[4]) : -1, readings = 0, status;
    uint64_t hurry;

    if (count < 3) {
        fprintf(stderr, "hub FOLDER PORT [SECRET [READINGS]]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    must(iotkm_posix_store_open(&store, arguments[1]), arguments[1]);
    must(iotkm_posix_secret(&store, device_secret), "secret");
    if (iotkm_posix_udp_open(&udp, "::", arguments[2]) != 0) must(iotkm_posix_udp_open(&udp, NULL, arguments[2]), arguments[2]);
    iotkm_posix_platform(&platform, &store, &udp, device_secret);
    platform.event = on_event;
    cx.platform = &platform;
    cx.now_ms = iotkm_posix_now_ms();
    cx.wall_ms = iotkm_posix_wall_ms();
    cx.place = (const uint8_t *)"hall";
    cx.place_len = 4;

    status = iotkm_history_peer_load(&peer, &cx, DEVICE);
    if (status == IOTKM_E_EMPTY && count > 3) {
        must(iotkm_history_pairing_open(&pairing, &id, &iotkm_suite_0, &iotkm_cpace_ristretto255, DEVICE, ATTEMPTS, NULL), "pairing");
        must(iotkm_history_pairing_load_attempts(&pairing, &cx, ATTEMPTS), "attempts");
        must(iotkm_history_pairing_listen(&pairing, &cx, (const uint8_t *)arguments[3], strlen(arguments[3]), WINDOW_MS), "window");
        while (!paired && !failed) step(&pairing.association);
        if (failed) return 1;
        status = iotkm_history_pairing_take_peer(&pairing, &peer);
        /* The device may not have heard the end: a program with more to do would keep the pairing for a minute. */
        must(iotkm_wipe(&pairing.association), "wipe");
    }
    must(status, "no stored keys: pair first");
    must(iotkm_history_open(&association, &peer, entries, ENTRIES, &iotkm_suite_0, NULL, &memory), "open");
    while (wanted < 0 || readings < wanted) readings += step(&association);
    hurry = cx.now_ms + 3000;
    for (ended = 0; !ended && cx.now_ms < hurry;) step(&association);
    must(iotkm_wipe(&association), "wipe");
    must(iotkm_history_peer_wipe(&peer), "wipe");
    iotkm_posix_udp_close(&udp);
    iotkm_posix_store_close(&store);
    printf("hub: %d readings\n", readings);
    return 0;
}
