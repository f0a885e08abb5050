/* Microcert: a key seed that the city's centre has too; symmetric cryptography alone. The console takes
       authenticate   both show each other who they are, without a session
       connect        likewise, with a session in place of the one that there is
       sign TEXT      sends that with this device's signature before it, for whoever asks the centre later

   A device without a seed waits for its invitation on the line that is its radio later: in the factory, for it brings a key. What it
   answers is sealed under that, and goes out at every start until the centre has said that it has it.

   There is no clock at first: the centre's challenge brings the time, which this device keeps until its next reset. A session costs so
   little that none is stored. What the centre wants, a new seed or this one's end, comes with an authentication, by itself. */
#include "device.h"
#include "session.h"
#include "text.h"

#include <string.h>

enum {
    SEED = SLOT_KEY,
    STATE = SLOT_HUB,
    TRIES = 6,              /* how often a message goes out: gives up after 23 s */
    AGAIN_MS = 5000,        /* pause before another try when the centre does not answer */
    BUFFER = 1280,          /* the longest datagram, a deposit, a blob of the chip */
};
_Static_assert(IOTKM_CHIP_DEPOSIT_MAX <= BUFFER && IOTKM_CHIP_SEED_BLOB_MAX <= BUFFER, "room");

static const iotkm_suite *const suite = &iotkm_suite_4_symmetric;
static const iotkm_addr centre = { 1, { 0 } }; /* there is one line, and the centre at its other end */

static uint8_t secret[32];
static iotkm_cx cx;
static uint8_t buffer[BUFFER];

static iotkm_chip chip;
static iotkm_microcert_memory memory;
static iotkm_association association;

static bool is_open, is_asking;         /* for the confirmation */
static uint64_t wake_at, ask_at, connect_at = IOTKM_NEVER;

static void on_event(void *ctx, const iotkm_event *event)
{
    (void)ctx;
    switch (event->kind) {
    case IOTKM_EVENT_ESTABLISHED:
        session_says("session", event);
        connect_at = IOTKM_NEVER;
        break;
    case IOTKM_EVENT_AUTHENTICATED:
        device_says("authenticated", false, 0);
        break;
    case IOTKM_EVENT_KEY_REPLACED:
        device_says("seed", true, event->generation);
        break;
    case IOTKM_EVENT_TERMINATED:
        device_says("ended", false, 0);
        connect_at = cx.now_ms + AGAIN_MS;
        break;
    case IOTKM_EVENT_STORE_FAILED:
        device_says("store-failed", true, event->slot);
        break;
    case IOTKM_EVENT_FAILED:
        device_says(event->reason == IOTKM_REASON_REVOKED ? "revoked" : "connect-failed", true, event->reason);
        connect_at = event->reason == IOTKM_REASON_NO_ANSWER ? cx.now_ms + AGAIN_MS : IOTKM_NEVER;
        break;
    default: /* others are for the curious, and later versions may have more */
        break;
    }
}

static int send_to_centre(const uint8_t *bytes, size_t length)
{
    return cx.platform->send(cx.platform->send_ctx, &centre, bytes, length) == 0 ? IOTKM_OK : IOTKM_E_HOOK;
}

static int drain(void)
{
    return is_open ? iotkm_drain(&association, &cx, buffer, sizeof buffer, &wake_at) : IOTKM_OK;
}

/* ---- enrolment ---- */

static int ask(void)
{
    size_t length;
    ask_at = cx.now_ms + AGAIN_MS;
    int status = iotkm_chip_deposit(&chip, buffer, sizeof buffer, &length);
    return status == IOTKM_OK ? send_to_centre(buffer, length) : status;
}

static int open_chip(void)
{
    const iotkm_config config = { .struct_size = sizeof config, .tries = TRIES };
    int status = iotkm_microcert_open(&association, &chip, suite, &config, &memory);
    is_open = status == IOTKM_OK;
    connect_at = cx.now_ms;
    return status == IOTKM_OK ? drain() : status;
}

/* Whoever asks at this point is the centre, or in the factory; the seed is stored before anybody else has it. */
static int take_invitation(const uint8_t *invitation, size_t length)
{
    int status = iotkm_chip_enrol(&chip, &cx, SEED, STATE, invitation, length);
    if (status == IOTKM_E_BAD_ARGUMENT) { /* a datagram of somebody's */
        device_says("refused", false, 0);
        return IOTKM_OK;
    }
    if (status == IOTKM_OK)
        status = iotkm_chip_store(&chip, &cx, buffer, sizeof buffer);
    is_asking = status == IOTKM_OK;
    device_says("enrolled", false, 0);
    return status == IOTKM_OK ? ask() : status;
}

static int take_confirmation(const uint8_t *word, size_t length)
{
    int status = iotkm_chip_confirm(&chip, word, length);
    if (status == IOTKM_E_BAD_ARGUMENT) {
        device_says("refused", false, 0);
        return IOTKM_OK;
    }
    is_asking = false;
    device_says("confirmed", false, 0);
    if (status == IOTKM_OK)
        status = iotkm_chip_store(&chip, &cx, buffer, sizeof buffer);
    return status == IOTKM_OK ? open_chip() : status;
}

/* ---- life ---- */

static int begin(int (*verb)(iotkm_association *, const iotkm_cx *, const iotkm_addr *))
{
    int status = is_open ? verb(&association, &cx, &centre) : IOTKM_E_WRONG_STATE;
    connect_at = IOTKM_NEVER;
    return status == IOTKM_E_WRONG_STATE && is_open ? IOTKM_OK : status; /* a run is under way already */
}

int device_start(iotkm_platform *platform, uint64_t now_ms)
{
    static uint8_t work[IOTKM_CHIP_WORK];
    iotkm_chip_record about;
    platform->struct_size = sizeof *platform;
    platform->device_secret = secret;
    platform->event = on_event;
    cx.platform = platform;
    cx.now_ms = now_ms;
    int status = session_load_secret(platform, secret);
    if (status == IOTKM_OK)
        status = iotkm_chip_load(&chip, &cx, SEED, STATE, work, sizeof work);
    if (status == IOTKM_E_EMPTY) {
        device_says("unenrolled", false, 0);
        return IOTKM_OK;
    }
    if (status == IOTKM_OK)
        status = iotkm_chip_info(&chip, &about);
    if (status != IOTKM_OK)
        return status;
    device_says("seed", true, about.generation);
    if (about.confirmed || about.revoked)
        return open_chip();
    is_asking = true;
    return ask();
}

static int sign(const char *text)
{
    static uint8_t payload[IOTKM_SIGNATURE_MAX + 64];
    size_t signature_length, length = strlen(text);
    if (!is_open || length > 64)
        return IOTKM_E_BAD_ARGUMENT;
    int status = iotkm_microcert_sign(&association, &cx, (const uint8_t *)text, length, payload, IOTKM_SIGNATURE_MAX, &signature_length);
    if (status == IOTKM_E_UNDRAINED) { /* a counter is stored first */
        status = drain();
        if (status == IOTKM_OK)
            status = iotkm_microcert_sign(&association, &cx, (const uint8_t *)text, length, payload, IOTKM_SIGNATURE_MAX,
                                          &signature_length);
    }
    if (status != IOTKM_OK)
        return status;
    memcpy(payload + signature_length, text, length);
    return device_send(payload, signature_length + length);
}

int device_obey(const char *line)
{
    const char *rest;
    int status;
    if (text_after(line, "authenticate"))
        status = begin(iotkm_microcert_authenticate);
    else if (text_after(line, "connect"))
        status = begin(iotkm_microcert_connect);
    else if ((rest = text_after(line, "sign")) != NULL)
        status = sign(rest);
    else
        return DEVICE_NO_SUCH_WORD;
    return status == IOTKM_OK ? drain() : status;
}

int device_receive(uint8_t *datagram, size_t length, const uint8_t **payload, size_t *payload_length)
{
    iotkm_received received = { 0 };
    *payload = NULL;
    if (is_asking)
        return take_confirmation(datagram, length);
    if (!is_open)
        return take_invitation(datagram, length);
    int status = iotkm_receive(&association, &cx, &centre, datagram, length, &received);
    *payload = received.payload;
    *payload_length = received.payload_len;
    return status == IOTKM_OK ? drain() : status;
}

int device_send(const uint8_t *payload, size_t length)
{
    size_t out_length;
    iotkm_addr to;
    if (!is_open)
        return IOTKM_E_NOT_ESTABLISHED;
    int status = iotkm_send(&association, &cx, payload, length, buffer, sizeof buffer, &out_length, &to);
    if (status == IOTKM_OK)
        status = send_to_centre(buffer, out_length);
    return status == IOTKM_OK ? drain() : status;
}

int device_close(void)
{
    int status = is_open ? iotkm_close(&association) : IOTKM_E_NOT_ESTABLISHED;
    return status == IOTKM_OK ? drain() : status;
}

int device_run(uint64_t now_ms)
{
    int status = IOTKM_OK;
    cx.now_ms = now_ms;
    if (is_asking && now_ms >= ask_at)
        status = ask();
    if (status == IOTKM_OK && is_open)
        status = iotkm_microcert_time(&association, now_ms, &cx.wall_ms);
    if (status == IOTKM_OK && is_open && now_ms >= wake_at)
        status = iotkm_timeout(&association, &cx);
    if (status == IOTKM_OK)
        status = drain();
    if (status == IOTKM_OK && is_open && now_ms >= connect_at)
        status = begin(iotkm_microcert_connect);
    return status == IOTKM_OK ? drain() : status;
}
