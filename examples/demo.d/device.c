/* The device of examples/demo: pairs with a hub, sends it what this machine measures, renews keys, survives a power cut.
 *
 *     device FOLDER HOST PORT
 *
 * FOLDER keeps what has to survive. What a device has buttons for comes as lines on standard input: `pair SECRET`, `connect`,
 * `read`, `update`, `close`; at the end of input it ends. What happens goes out as lines, for people and for stage.py.
 * A shorter program to start from is ../c/device.c. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <iotkm_posix.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HUB = 1, ATTEMPTS = 2, SESSION = 3, ENTRIES = 48 }; /* slots; messages that the log holds */

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
static iotkm_association *active; /* the pairing's, or the one with the hub; NULL before either */

static int paired, changed, ended, resume_failed; /* what an event said, for after the drain */

static void must(int status, const char *what) {
    if (status == 0) return;
    printf("error %s: %s\n", what, status == -1 ? strerror(errno) : iotkm_strerror(status));
    exit(1);
}

/* ---- what happened ---- */

static const char *stage_name(uint32_t stage) {
    static const char *const names[] = {"run", "pairing", "exchange", "update", "resume"};
    return stage < sizeof names / sizeof *names ? names[stage] : names[0];
}

static const char *reason_text(uint32_t reason) {
    switch (reason) {
    case IOTKM_REASON_NO_ANSWER: return "no answer within all tries";
    case IOTKM_REASON_PAIR_AGAIN: return "the hub has moved past these keys: pair again";
    case IOTKM_REASON_UNKNOWN: return "the hub does not have what was named";
    case IOTKM_REASON_SUPERSEDED: return "the hub's run went first";
    case IOTKM_REASON_WRONG_SECRET: return "the secret is not the same on both sides";
    case IOTKM_REASON_LOCKED: return "too many failed attempts";
    case IOTKM_REASON_NO_RECORD: return "the log holds no record that can be used";
    default: return "randomness or storage failed, or it was cancelled";
    }
}

static void on_event(void *ctx, const iotkm_event *event) {
    char text[IOTKM_FINGERPRINT_TEXT];
    (void)ctx;
    switch (event->kind) {
    case IOTKM_EVENT_PAIRED:
    case IOTKM_EVENT_ESTABLISHED:
        must(iotkm_fingerprint_text(event->fingerprint, text), "fingerprint");
        printf("%s %s\n", event->kind == IOTKM_EVENT_PAIRED ? "paired" : "session", text);
        if (event->kind == IOTKM_EVENT_PAIRED) paired = 1;
        else changed = 1;
        break;
    case IOTKM_EVENT_RESUMED:
        printf("resumed %u\n", (unsigned)event->generation);
        changed = 1;
        break;
    case IOTKM_EVENT_REKEYED:
    case IOTKM_EVENT_PEER_MOVED:
        changed = 1;
        break;
    case IOTKM_EVENT_UPDATE_AGREED:
        printf("agreed %u\n", (unsigned)event->generation);
        break;
    case IOTKM_EVENT_KEY_REPLACED:
        printf("keys %u\n", (unsigned)event->generation);
        break;
    case IOTKM_EVENT_TERMINATED:
        ended = 1;
        break;
    case IOTKM_EVENT_FAILED:
        if (event->stage == IOTKM_STAGE_RESUME) resume_failed = 1; /* an exchange will do */
        else printf("failed %s: %s\n", stage_name(event->stage), reason_text(event->reason));
        break;
    case IOTKM_EVENT_UPDATE_FAILED:
        printf("failed update: %s\n", reason_text(event->reason));
        break;
    case IOTKM_EVENT_STORE_FAILED:
        printf("failed storage: slot %u cannot be written; is the disk full?\n", (unsigned)event->slot);
        break;
    default:
        break;
    }
}

static void open_association(void) {
    must(iotkm_history_open(&association, &peer, entries, ENTRIES, &iotkm_suite_0, NULL, &memory), "open");
    active = &association;
}

/* Sends and stores what waits, then does what the events ask for; when to wake up. */
static uint64_t drain(void) {
    uint8_t blob[IOTKM_SESSION_BLOB_MAX];
    uint64_t wake_at = IOTKM_NEVER;
    size_t len;
    if (active == NULL) return wake_at;
    must(iotkm_drain(active, &cx, buffer, sizeof buffer, &wake_at), "drain");
    if (ended) { /* a session that has ended is not to be resumed */
        ended = 0;
        must(iotkm_posix_store_erase(&store, SESSION), "storage");
    }
    if (changed && iotkm_is_established(active) == 1) { /* to go on from here after a power cut */
        changed = 0;
        must(iotkm_export(active, &cx, blob, sizeof blob, &len), "export");
        must(iotkm_posix_store_write(&store, SESSION, blob, len), "storage");
    }
    if (paired) {
        paired = 0;
        must(iotkm_history_pairing_take_peer(&pairing, &peer), "peer");
        must(iotkm_wipe(&pairing.association), "wipe");
        open_association();
        return drain();
    }
    if (resume_failed) {
        resume_failed = 0;
        must(iotkm_history_connect(active, &cx, &hub), "connect");
        return drain();
    }
    return wake_at;
}

/* ---- what this machine measures ---- */

/* The first bytes of a file as text; 0 if there is none. */
static int look(const char *file, char *text, size_t capacity) {
    ssize_t got;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    got = read(fd, text, capacity - 1);
    close(fd);
    if (got <= 0) return 0;
    text[got] = '\0';
    return 1;
}

/* The reading of that number; 0 where this machine has no such thing. */
static int measure(int which, char *reading, size_t capacity) {
    char text[512], file[64];
    const char *found;
    double value = 0;
    int zone;
    switch (which) {
    case 0:
        if (!look("/proc/loadavg", text, sizeof text)) return 0;
        snprintf(reading, capacity, "load %.2f", strtod(text, NULL));
        return 1;
    case 1:
        if (!look("/proc/meminfo", text, sizeof text) || !(found = strstr(text, "MemAvailable:"))) return 0;
        snprintf(reading, capacity, "free memory %.0f MB", strtod(found + 13, NULL) / 1024);
        return 1;
    case 2:
        for (zone = 0; zone < 10; zone++) {
            snprintf(file, sizeof file, "/sys/class/thermal/thermal_zone%d/temp", zone);
            if (look(file, text, sizeof text) && (value = strtod(text, NULL) / 1000) > 0) break;
        }
        if (value <= 0) return 0;
        snprintf(reading, capacity, "temperature %.1f C", value);
        return 1;
    default:
        if (!look("/proc/uptime", text, sizeof text)) snprintf(text, sizeof text, "%.0f", (double)iotkm_posix_now_ms() / 1000);
        snprintf(reading, capacity, "up for %.0f s", strtod(text, NULL));
        return 1;
    }
}

/* ---- the buttons ---- */

static void read_and_send(void) {
    uint8_t out[128];
    char reading[48];
    iotkm_addr to;
    size_t len;
    int which;
    for (which = 0; which < 4; which++) {
        if (!measure(which, reading, sizeof reading)) continue;
        must(iotkm_send(active, &cx, (const uint8_t *)reading, strlen(reading), out, sizeof out, &len, &to), "send");
        printf("sent %s\n", reading);
        must(iotkm_posix_udp_send(&udp, &to, out, len), "socket");
        drain();
    }
}

static void pair(const char *secret) {
    iotkm_history_id id = {6, "device"};
    must(iotkm_history_pairing_open(&pairing, &id, &iotkm_suite_0, &iotkm_cpace_ristretto255, HUB, ATTEMPTS, NULL), "pairing");
    must(iotkm_history_pairing_load_attempts(&pairing, &cx, ATTEMPTS), "attempts");
    must(iotkm_history_pairing_start(&pairing, &cx, &hub, (const uint8_t *)secret, strlen(secret)), "pairing");
    active = &pairing.association;
}

static void press(const char *button) {
    uint16_t replayed;
    if (strncmp(button, "pair ", 5) == 0) {
        pair(button + 5);
    } else if (active == NULL) {
        must(IOTKM_E_WRONG_STATE, "pair first");
    } else if (strcmp(button, "connect") == 0) {
        must(iotkm_history_connect(active, &cx, &hub), "connect");
    } else if (strcmp(button, "read") == 0) {
        read_and_send();
    } else if (strcmp(button, "update") == 0) {
        must(iotkm_history_update(active, &cx), "update");
    } else if (strcmp(button, "close") == 0) {
        must(iotkm_drops(active, IOTKM_DROPPED_REPLAYED, &replayed), "drops");
        printf("refused %u\n", (unsigned)replayed);
        must(iotkm_close(active), "close");
    }
    drain();
}

/* Takes in what was typed; 0 at the end of input. */
static int typed(void) {
    static char line[128];
    static size_t len;
    ssize_t got = read(STDIN_FILENO, line + len, sizeof line - len);
    char *end;
    if (got <= 0) return 0;
    len += (size_t)got;
    while ((end = memchr(line, '\n', len)) != NULL) {
        size_t used = (size_t)(end - line) + 1;
        *end = '\0';
        press(line);
        memset(line, 0, used); /* it may be a secret */
        memmove(line, line + used, len - used);
        len -= used;
    }
    return len < sizeof line;
}

static void arrived(void) {
    iotkm_received received;
    iotkm_addr from;
    size_t len;
    if (iotkm_posix_udp_wait(&udp, 0, buffer, sizeof buffer, &len, &from) != 1 || active == NULL) return;
    must(iotkm_receive(active, &cx, &from, buffer, len, &received), "receive");
    if (received.payload) printf("heard %.*s\n", (int)received.payload_len, (const char *)received.payload);
}

/* What is left of the last run: the peer, and its session where there was one. */
static void start(void) {
    uint8_t blob[IOTKM_SESSION_BLOB_MAX];
    uint32_t generation;
    size_t len;
    int status = iotkm_history_peer_load(&peer, &cx, HUB);
    if (status == IOTKM_E_EMPTY) {
        printf("ready new\n");
        return;
    }
    must(status, "stored keys");
    must(iotkm_history_peer_generation(&peer, &generation), "generation");
    printf("ready %u\n", (unsigned)generation);
    open_association();
    if (iotkm_posix_store_read(&store, SESSION, blob, sizeof blob, &len) == 0
        && iotkm_restore(active, &cx, blob, len) == IOTKM_OK) return;
    must(iotkm_history_connect(active, &cx, &hub), "connect");
}

static void look_at_clock(void) {
    cx.now_ms = iotkm_posix_now_ms();
    cx.wall_ms = iotkm_posix_wall_ms();
}

int main(int count, char **arguments) {
    uint8_t secret[32];
    struct pollfd inputs[2];
    uint64_t wake_at, left;

    if (count != 4) {
        fprintf(stderr, "device FOLDER HOST PORT\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    must(iotkm_posix_store_open(&store, arguments[1]), arguments[1]);
    must(iotkm_posix_secret(&store, secret), "secret");
    must(iotkm_posix_udp_addr(&hub, arguments[2], arguments[3]), arguments[2]);
    must(iotkm_posix_udp_open(&udp, hub.len == 6 ? "0.0.0.0" : "::", "0"), "socket");
    iotkm_posix_platform(&platform, &store, &udp, secret);
    platform.event = on_event;
    cx.platform = &platform;
    cx.place = (const uint8_t *)"kitchen";
    cx.place_len = 7;
    look_at_clock();

    start();
    inputs[0].fd = STDIN_FILENO;
    inputs[1].fd = udp.fd;
    inputs[0].events = inputs[1].events = POLLIN;
    for (;;) {
        wake_at = drain();
        left = wake_at > cx.now_ms ? wake_at - cx.now_ms : 0;
        if (poll(inputs, 2, left > 60000 ? 60000 : (int)left) < 0 && errno != EINTR) must(-1, "poll");
        look_at_clock();
        if (inputs[1].revents) arrived();
        drain();
        if (active) must(iotkm_timeout(active, &cx), "timeout");
        drain();
        if (inputs[0].revents && !typed()) break;
    }
    if (active) must(iotkm_wipe(active), "wipe");
    iotkm_posix_udp_close(&udp);
    iotkm_posix_store_close(&store);
    return 0;
}
