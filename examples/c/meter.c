/* A meter of a city's: enrolled once, then it authenticates itself with the city's centre, and the centre with it, over UDP; in the
 * session that comes of it, it sends signed readings. The centre is `iotkm centre serve`, or any other.
 *
 *     iotkm centre invite CENTRE meter-17 --out invitation
 *     meter enrol FOLDER invitation deposit           the invitation holds a key, and is emptied
 *     iotkm centre enrol CENTRE deposit
 *     meter FOLDER HOST PORT [READINGS]
 *
 * FOLDER keeps what has to survive. */
#include <errno.h>
#include <iotkm_posix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 1, STATE = 2 }; /* slots */

static iotkm_posix_store store;
static iotkm_posix_udp udp;
static iotkm_platform platform;
static iotkm_cx cx;
static iotkm_addr centre;
static iotkm_chip chip;
static iotkm_microcert_memory memory;
static iotkm_association association;
static uint8_t buffer[1280], work[IOTKM_CHIP_WORK];
static int failed;

static void must(int status, const char *what) {
    if (status == 0) return;
    fprintf(stderr, "meter: %s: %s\n", what, status == -1 ? strerror(errno) : iotkm_strerror(status));
    exit(1);
}

static void on_event(void *ctx, const iotkm_event *event) {
    (void)ctx;
    if (event->kind == IOTKM_EVENT_ESTABLISHED) printf("meter: a session\n");
    if (event->kind == IOTKM_EVENT_KEY_REPLACED) printf("meter: seed %u\n", (unsigned)event->generation);
    if (event->kind == IOTKM_EVENT_TERMINATED) printf("meter: the session has ended\n");
    if (event->kind == IOTKM_EVENT_FAILED) {
        printf("meter: %s\n", event->reason == IOTKM_REASON_REVOKED ? "revoked" : "no session");
        failed = 1;
    }
}

static size_t read_file(const char *name, uint8_t *bytes, size_t capacity) {
    FILE *file = fopen(name, "rb");
    size_t len = file ? fread(bytes, 1, capacity, file) : 0;
    must(!file || ferror(file) || fclose(file) ? -1 : 0, name);
    return len;
}

static void write_file(const char *name, const uint8_t *bytes, size_t len) {
    FILE *file = fopen(name, "wb");
    must(!file || fwrite(bytes, 1, len, file) != len || fclose(file) ? -1 : 0, name);
}

/* The chip makes its seed and stores it before anybody else has it. */
static void enrol(const char *invitation, const char *deposit) {
    uint8_t invited[IOTKM_CENTRE_INVITATION_MAX], out[IOTKM_CHIP_DEPOSIT_MAX];
    size_t len = read_file(invitation, invited, sizeof invited);
    must(iotkm_chip_enrol(&chip, &cx, SEED, STATE, invited, len), invitation);
    must(iotkm_chip_store(&chip, &cx, work, sizeof work), "store");
    must(iotkm_chip_deposit(&chip, out, sizeof out, &len), "deposit");
    write_file(deposit, out, len);
    memset(invited, 0, sizeof invited);
    write_file(invitation, invited, 0);
    must(iotkm_chip_wipe(&chip), "wipe");
}

static void drain(uint64_t *wake_at) { must(iotkm_drain(&association, &cx, buffer, sizeof buffer, wake_at), "drain"); }

/* Sends and stores what waits, then sleeps until a datagram comes, or `until_ms`. */
static void step(uint64_t until_ms) {
    uint64_t wake_at;
    size_t len;
    iotkm_addr from;
    iotkm_received received;
    int got;
    drain(&wake_at);
    got = iotkm_posix_udp_wait(&udp, wake_at < until_ms ? wake_at : until_ms, buffer, sizeof buffer, &len, &from);
    cx.now_ms = iotkm_posix_now_ms();
    cx.wall_ms = iotkm_posix_wall_ms();
    if (got == 1) must(iotkm_receive(&association, &cx, &from, buffer, len, &received), "receive");
    drain(&wake_at);
    must(iotkm_timeout(&association, &cx), "timeout");
    drain(&wake_at);
}

/* The reading, and the meter's signature for whoever asks the centre later. Its counter may have to be stored first. */
static void send_reading(int number) {
    uint8_t payload[IOTKM_SIGNATURE_MAX + 32], out[256];
    char *text = (char *)payload + IOTKM_SIGNATURE_MAX;
    size_t len, signature_len;
    uint64_t wake_at;
    iotkm_addr to;
    int status, text_len = snprintf(text, 32, "%d kWh", 1500 + number);
    do {
        drain(&wake_at);
        status = iotkm_microcert_sign(&association, &cx, (const uint8_t *)text, (size_t)text_len, payload, IOTKM_SIGNATURE_MAX,
                                      &signature_len);
    } while (status == IOTKM_E_UNDRAINED);
    must(status, "sign");
    memmove(payload + signature_len, text, (size_t)text_len);
    must(iotkm_send(&association, &cx, payload, signature_len + (size_t)text_len, out, sizeof out, &len, &to), "send");
    must(iotkm_posix_udp_send(&udp, &to, out, len), "socket");
}

int main(int count, char **arguments) {
    uint8_t device_secret[32];
    int i, enrols = count == 5 && strcmp(arguments[1], "enrol") == 0, readings = count > 4 ? atoi(arguments[4]) : 3;
    iotkm_chip_record about;
    uint64_t until;

    if (count < 4) {
        fprintf(stderr, "meter enrol FOLDER INVITATION DEPOSIT\nmeter FOLDER HOST PORT [READINGS]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    must(iotkm_posix_store_open(&store, arguments[enrols ? 2 : 1]), "folder");
    must(iotkm_posix_secret(&store, device_secret), "secret");
    if (!enrols) {
        must(iotkm_posix_udp_addr(&centre, arguments[2], arguments[3]), arguments[2]);
        must(iotkm_posix_udp_open(&udp, centre.len == 6 ? "0.0.0.0" : "::", "0"), "socket");
    }
    iotkm_posix_platform(&platform, &store, enrols ? NULL : &udp, device_secret);
    platform.event = on_event;
    cx.platform = &platform;
    cx.now_ms = iotkm_posix_now_ms();
    cx.wall_ms = iotkm_posix_wall_ms();
    if (enrols) {
        enrol(arguments[3], arguments[4]);
        iotkm_posix_store_close(&store);
        return 0;
    }

    must(iotkm_chip_load(&chip, &cx, SEED, STATE, work, sizeof work), "not enrolled");
    must(iotkm_microcert_open(&association, &chip, &iotkm_suite_0_symmetric, NULL, &memory), "open");
    must(iotkm_microcert_connect(&association, &cx, &centre), "connect");
    while (iotkm_is_established(&association) != 1 && !failed) step(IOTKM_NEVER);
    for (i = 0; i < readings && !failed; i++) {
        send_reading(i);
        for (until = cx.now_ms + 100; cx.now_ms < until;) step(until);
    }
    if (iotkm_is_established(&association) == 1) must(iotkm_close(&association), "close");
    step(cx.now_ms);
    must(iotkm_chip_info(&chip, &about), "info");
    printf("meter: %s, seed %u until %u\n", about.confirmed ? "enrolled" : "not confirmed", (unsigned)about.generation,
           (unsigned)about.last_year);
    must(iotkm_wipe(&association), "wipe");
    must(iotkm_chip_wipe(&chip), "wipe");
    iotkm_posix_udp_close(&udp);
    iotkm_posix_store_close(&store);
    return failed;
}
