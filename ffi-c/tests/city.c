/* city FOLDER PORT READINGS: a centre with one device over UDP, for examples/c/meter.c. It writes FOLDER/invitation, waits for
 * FOLDER/deposit, and ends after so many readings whose signature is good and one more session. */
#include "town.h"

#include <iotkm_posix.h>

static town city;
static iotkm_posix_udp udp;
static iotkm_platform platform;
static iotkm_cx cx;
static iotkm_accepted session;
static iotkm_served_memory memory;
static iotkm_association served;
static bool is_open;
static int readings;
static uint64_t wake_at = IOTKM_NEVER;

static void now(void) {
    cx.now_ms = iotkm_posix_now_ms();
    cx.wall_ms = iotkm_posix_wall_ms();
}

static void invite(const char *folder) {
    iotkm_history_id id = {8, "meter-17"};
    uint8_t bytes[IOTKM_CHIP_DEPOSIT_MAX + 1], word[IOTKM_CENTRE_CONFIRMATION_LEN];
    char name[300];
    size_t len;
    FILE *file;
    OK(iotkm_centre_invite(&city.centre, &cx, &id, &iotkm_suite_0_symmetric, false, bytes, sizeof bytes, &len));
    snprintf(name, sizeof name, "%s/invitation", folder);
    CHECK((file = fopen(name, "wb")) && fwrite(bytes, 1, len, file) == len && fclose(file) == 0);
    snprintf(name, sizeof name, "%s/deposit", folder);
    for (len = 0; len < 984;) {
        uint64_t wake = iotkm_posix_now_ms() + 50;
        iotkm_addr from;
        iotkm_posix_udp_wait(&udp, wake, word, sizeof word, &len, &from);
        len = 0;
        if ((file = fopen(name, "rb"))) {
            len = fread(bytes, 1, sizeof bytes, file);
            fclose(file);
        }
    }
    OK(iotkm_centre_enrol(&city.centre, &cx, bytes, len, word, &id));
}

static void drain(void) {
    uint8_t buffer[1280];
    if (is_open) OK(iotkm_drain(&served, &cx, buffer, sizeof buffer, &wake_at));
}

static void hear(const iotkm_received *received) {
    iotkm_signed by;
    size_t len = 2 + 8 + 1 + 16 + 32 + 8; /* of a signature of meter-17's in suite 0 */
    CHECK(received->payload_len > len);
    OK(iotkm_centre_verify(&city.centre, &cx, received->payload, len, received->payload + len, received->payload_len - len, &by));
    printf("city: %.*s: %.*s\n", by.id.len, (const char *)by.id.bytes, (int)(received->payload_len - len),
           (const char *)received->payload + len);
    readings++;
}

static void take(uint8_t *datagram, size_t len, const iotkm_addr *from) {
    uint8_t out[IOTKM_CENTRE_REPLY_MAX];
    iotkm_received received;
    iotkm_handled handled;
    OK(iotkm_centre_receive(&city.centre, &cx, from, NULL, 0, datagram, len, out, sizeof out, &handled, &session));
    if (handled.reply) CHECK(iotkm_posix_udp_send(&udp, from, handled.reply, handled.reply_len) == 0);
    if (handled.event == IOTKM_CENTRE_KEY_REPLACED) printf("city: a new seed\n");
    if (handled.has_session) {
        if (is_open) OK(iotkm_wipe(&served));
        OK(iotkm_served_open(&served, &session, NULL, &memory));
        is_open = true;
    } else if (is_open) {
        OK(iotkm_receive(&served, &cx, from, datagram, len, &received));
        if (received.payload) hear(&received);
    }
}

int main(int count, char **arguments) {
    uint8_t secret[32] = {1}, buffer[1280];
    size_t len;
    iotkm_addr from;
    iotkm_history_id id = {8, "meter-17"};
    int wanted, updated = 0;
    CHECK(count == 4);
    setvbuf(stdout, NULL, _IOLBF, 0);
    wanted = atoi(arguments[3]);
    CHECK(iotkm_posix_udp_open(&udp, "127.0.0.1", arguments[2]) == 0);
    iotkm_posix_platform(&platform, NULL, &udp, secret);
    cx.platform = &platform;
    now();
    town_open(&city);
    invite(arguments[1]);
    while (readings < wanted || !is_open || iotkm_is_established(&served) == 1) {
        drain();
        if (iotkm_posix_udp_wait(&udp, wake_at, buffer, sizeof buffer, &len, &from) == 1) {
            now();
            take(buffer, len, &from);
            drain();
        }
        now();
        if (is_open) OK(iotkm_timeout(&served, &cx));
        if (readings == wanted / 2 && !updated++) OK(iotkm_centre_update(&city.centre, &cx, &id));
    }
    if (is_open) OK(iotkm_wipe(&served));
    OK(iotkm_centre_wipe(&city.centre));
    iotkm_posix_udp_close(&udp);
    return 0;
}
