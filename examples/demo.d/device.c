/* A device of examples/demo:
 *
 *     device FOLDER HOST PORT
 *
 * FOLDER keeps what has to survive. What a device has buttons for comes as lines on standard input (device_history.c,
 * device_tickets.c and device_epochs.c list theirs); at the end of input it ends. What happens goes out as lines, for people and for stage.py.
 * A shorter program to start from is ../c/device.c. */
#define _POSIX_C_SOURCE 200809L

#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SESSION = 100, LINE = 1024 }; /* the session's slot; the longest line */

iotkm_posix_store store;
iotkm_posix_udp udp;
iotkm_platform platform;
iotkm_cx cx;
iotkm_addr hub;
uint8_t buffer[1280];
iotkm_association *active;
uint64_t slept_ms;

void must(int status, const char *what) {
    if (status == 0) return;
    printf("error %s: %s\n", what, status == -1 ? strerror(errno) : iotkm_strerror(status));
    exit(1);
}

/* ---- what happened ---- */

static const char *stage_name(uint32_t stage) {
    switch (stage) {
    case IOTKM_STAGE_PAIRING: return "pairing";
    case IOTKM_STAGE_EXCHANGE: return "exchange";
    case IOTKM_STAGE_UPDATE: return "update";
    case IOTKM_STAGE_RESUME: return "resume";
    case IOTKM_STAGE_AUTHENTICATION: return "authentication";
    default: return "run";
    }
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
    case IOTKM_REASON_CREDENTIAL: return "its ticket is not accepted";
    default: return "randomness or storage failed, or it was cancelled";
    }
}

void say_event(const iotkm_event *event) {
    char text[IOTKM_FINGERPRINT_TEXT];
    switch (event->kind) {
    case IOTKM_EVENT_PAIRED:
    case IOTKM_EVENT_ESTABLISHED:
        must(iotkm_fingerprint_text(event->fingerprint, text), "fingerprint");
        printf("%s %s\n", event->kind == IOTKM_EVENT_PAIRED ? "paired" : "session", text);
        break;
    case IOTKM_EVENT_RESUMED: printf("resumed %u\n", (unsigned)event->generation); break;
    case IOTKM_EVENT_UPDATE_AGREED: printf("agreed %u\n", (unsigned)event->generation); break;
    case IOTKM_EVENT_KEY_REPLACED: printf("keys %u\n", (unsigned)event->generation); break;
    case IOTKM_EVENT_TERMINATED: printf("ended\n"); break;
    case IOTKM_EVENT_HINT: printf("hint %s\n", reason_text(event->reason)); break;
    case IOTKM_EVENT_FAILED: printf("failed %s: %s\n", stage_name(event->stage), reason_text(event->reason)); break;
    case IOTKM_EVENT_UPDATE_FAILED: printf("failed update: %s\n", reason_text(event->reason)); break;
    case IOTKM_EVENT_STORE_FAILED:
        printf("failed storage: slot %u cannot be written; is the disk full?\n", (unsigned)event->slot);
        break;
    default: break;
    }
}

static void on_event(void *ctx, const iotkm_event *event) {
    (void)ctx;
    device_event(event);
}

/* ---- the session ---- */

void session_store(void) {
    uint8_t blob[IOTKM_SESSION_BLOB_MAX];
    size_t len;
    must(iotkm_export(active, &cx, blob, sizeof blob, &len), "export");
    must(iotkm_posix_store_write(&store, SESSION, blob, len), "storage");
}

int session_restore(void) {
    uint8_t blob[IOTKM_SESSION_BLOB_MAX];
    size_t len;
    return iotkm_posix_store_read(&store, SESSION, blob, sizeof blob, &len) == 0
        && iotkm_restore(active, &cx, blob, len) == IOTKM_OK;
}

void session_forget(void) { must(iotkm_posix_store_erase(&store, SESSION), "storage"); }

void send_message(const char *text) {
    uint8_t out[256];
    iotkm_addr to;
    size_t len;
    must(iotkm_send(active, &cx, (const uint8_t *)text, strlen(text), out, sizeof out, &len, &to), "send");
    printf("sent %s\n", text);
    must(iotkm_posix_udp_send(&udp, &to, out, len), "socket");
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

int measure(int which, char *reading, size_t capacity) {
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

size_t unhex(const char *text, uint8_t *out, size_t capacity) {
    size_t len = 0;
    unsigned byte;
    while (len < capacity && sscanf(text + 2 * len, "%2x", &byte) == 1) out[len++] = (uint8_t)byte;
    return len;
}

static void read_and_send(void) {
    char reading[48];
    int which;
    for (which = 0; which < READINGS; which++) {
        if (!measure(which, reading, sizeof reading)) continue;
        send_message(reading);
        device_drain();
    }
}

/* ---- the buttons ---- */

static void press(const char *line) {
    uint16_t replayed;
    if (active != NULL && strcmp(line, "read") == 0) {
        read_and_send();
    } else if (active != NULL && strcmp(line, "close") == 0) {
        must(iotkm_drops(active, IOTKM_DROPPED_REPLAYED, &replayed), "drops");
        printf("refused %u\n", (unsigned)replayed);
        if (iotkm_is_established(active) == 1) must(iotkm_close(active), "close");
    } else if (!device_press(line)) {
        must(IOTKM_E_WRONG_STATE, "no such button now");
    }
    device_drain();
}

/* Takes in what was typed; 0 at the end of input. */
static int typed(void) {
    static char line[LINE];
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
    if (received.payload) device_heard(received.payload, received.payload_len);
}

static void look_at_clock(void) {
    cx.now_ms = iotkm_posix_now_ms() - slept_ms;
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
    cx.place = (const uint8_t *)device_place;
    cx.place_len = strlen(device_place);
    look_at_clock();

    device_start();
    inputs[0].fd = STDIN_FILENO;
    inputs[1].fd = udp.fd;
    inputs[0].events = inputs[1].events = POLLIN;
    for (;;) {
        wake_at = device_drain();
        left = wake_at > cx.now_ms ? wake_at - cx.now_ms : 0;
        if (poll(inputs, 2, left > 60000 ? 60000 : (int)left) < 0 && errno != EINTR) must(-1, "poll");
        look_at_clock();
        if (inputs[1].revents) arrived();
        device_drain();
        if (active) must(iotkm_timeout(active, &cx), "timeout");
        device_drain();
        if (inputs[0].revents && !typed()) break;
    }
    device_end();
    iotkm_posix_udp_close(&udp);
    iotkm_posix_store_close(&store);
    return 0;
}
