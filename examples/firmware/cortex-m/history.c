/* History: one hub, met once by pairing, then sessions that are renewed and resumed for as long as the device lives. The console
   takes
       pair SECRET    meets the hub, whose user enters the same secret there and opens the window
       update         asks the hub for new keys made from what both said */
#include "device.h"
#include "session.h"
#include "text.h"

#include <string.h>

enum {
    ENTRIES = 24,           /* messages that the log holds: what key updates are made from */
    UPDATE_EVERY = 32,      /* messages sent before the keys are updated */
    LINGER_MS = 60000,      /* how long a finished pairing still answers a hub that did not hear its end */
    AGAIN_MS = 5000,        /* pause before another try when the hub does not answer */
    RESUME_MS = 8000,       /* how long a hub may take to go on with a stored session, before a new one is tried */
    BUFFER = 1280,          /* the longest datagram (the library's default MTU is 1200) or blob */
};

static const iotkm_suite *const suite = &iotkm_suite_4;
static const iotkm_cpace *const cpace = &iotkm_cpace_ristretto255;
static const iotkm_history_id own_id = { 6, "device" };
static const iotkm_addr hub_addr = { 1, { 0 } }; /* there is one line, and one hub at its other end */

static uint8_t secret[32];
static iotkm_cx cx;
static uint8_t buffer[BUFFER];

static iotkm_history_peer hub;
static iotkm_history_entry entries[ENTRIES];
static iotkm_history_memory memory;
static iotkm_association association;
static iotkm_history_pairing pairing;

static bool is_open, is_pairing;        /* which of the two associations there are */
static bool new_peer, new_session;      /* events that device_run() acts upon */
static uint64_t wake_at, pairing_wake_at, connect_at = IOTKM_NEVER, resume_ends_at = IOTKM_NEVER, pairing_ends_at;
static unsigned sent; /* since the last key update */

/* ---- events: told to the user, and remembered until the call that they came out of is over ---- */

static void on_failure(const iotkm_event *event)
{
    static const char *const stages[] = { "failed", "pairing-failed", "exchange-failed", "update-failed", "resume-failed" };
    device_says(stages[event->stage <= IOTKM_STAGE_RESUME ? event->stage : 0], true, event->reason);
    if (event->stage == IOTKM_STAGE_PAIRING)
        pairing_ends_at = 0;
    else if (event->stage == IOTKM_STAGE_RESUME)
        resume_ends_at = cx.now_ms;
    else if (event->reason != IOTKM_REASON_PAIR_AGAIN)
        connect_at = cx.now_ms + AGAIN_MS;
}

static void on_event(void *ctx, const iotkm_event *event)
{
    (void)ctx;
    switch (event->kind) {
    case IOTKM_EVENT_PAIRED:
        session_says("paired", event);
        new_peer = true;
        break;
    case IOTKM_EVENT_ESTABLISHED:
        session_says("session", event);
        new_session = true;
        break;
    case IOTKM_EVENT_RESUMED:
        device_says("resumed", true, event->generation);
        resume_ends_at = IOTKM_NEVER;
        new_session = true;
        break;
    case IOTKM_EVENT_KEY_REPLACED:
        device_says("keys", true, event->generation);
        sent = 0;
        break;
    case IOTKM_EVENT_UPDATE_FAILED:
        device_says("update-failed", true, event->reason);
        break;
    case IOTKM_EVENT_TERMINATED: /* whoever ended it connects again; should nobody, this side does */
        device_says("ended", false, 0);
        connect_at = cx.now_ms + AGAIN_MS;
        break;
    case IOTKM_EVENT_STORE_FAILED:
        device_says("store-failed", true, event->slot);
        break;
    case IOTKM_EVENT_FAILED:
        on_failure(event);
        break;
    default: /* others are for the curious, and later versions may have more */
        break;
    }
}

/* ---- life ---- */

static int drain(void)
{
    int status = IOTKM_OK;
    if (is_pairing)
        status = iotkm_drain(&pairing.association, &cx, buffer, sizeof buffer, &pairing_wake_at);
    if (status == IOTKM_OK && is_open)
        status = iotkm_drain(&association, &cx, buffer, sizeof buffer, &wake_at);
    return status;
}

static int open_hub(void)
{
    int status = iotkm_history_open(&association, &hub, entries, ENTRIES, suite, NULL, &memory);
    is_open = status == IOTKM_OK;
    return status;
}

static int close_hub(void)
{
    if (!is_open)
        return IOTKM_OK;
    is_open = false;
    connect_at = resume_ends_at = IOTKM_NEVER;
    int status = iotkm_wipe(&association);
    return status == IOTKM_OK ? iotkm_history_peer_wipe(&hub) : status;
}

int device_start(iotkm_platform *platform, uint64_t now_ms)
{
    platform->struct_size = sizeof *platform;
    platform->device_secret = secret;
    platform->event = on_event;
    cx.platform = platform;
    cx.now_ms = now_ms;
    cx.place = (const uint8_t *)"field 7";
    cx.place_len = 7;
    int status = session_load_secret(platform, secret);
    if (status == IOTKM_OK)
        status = iotkm_history_peer_load(&hub, &cx, SLOT_HUB);
    if (status == IOTKM_E_EMPTY) {
        device_says("unpaired", false, 0);
        return IOTKM_OK;
    }
    if (status == IOTKM_OK)
        status = open_hub();
    if (status != IOTKM_OK)
        return status;
    if (session_restore(&association, &cx) == IOTKM_OK)
        resume_ends_at = now_ms + RESUME_MS;
    else
        connect_at = now_ms;
    return IOTKM_OK;
}

static int pair(const char *text)
{
    if (is_pairing)
        iotkm_wipe(&pairing.association);
    is_pairing = false;
    int status = iotkm_history_pairing_open(&pairing, &own_id, suite, cpace, SLOT_HUB, SLOT_ATTEMPTS, NULL);
    if (status == IOTKM_OK)
        status = iotkm_history_pairing_load_attempts(&pairing, &cx, SLOT_ATTEMPTS);
    if (status == IOTKM_OK)
        status = iotkm_history_pairing_start(&pairing, &cx, &hub_addr, (const uint8_t *)text, strlen(text));
    is_pairing = status == IOTKM_OK;
    pairing_ends_at = IOTKM_NEVER;
    return status;
}

/* The new peer takes the place of the one that there was. */
static int take_peer(void)
{
    new_peer = false;
    pairing_ends_at = cx.now_ms + LINGER_MS;
    int status = close_hub();
    if (status == IOTKM_OK)
        status = session_forget(&cx);
    if (status == IOTKM_OK)
        status = iotkm_history_pairing_take_peer(&pairing, &hub);
    if (status == IOTKM_OK)
        status = open_hub();
    connect_at = cx.now_ms;
    return status;
}

static int connect(void)
{
    connect_at = IOTKM_NEVER;
    int status = iotkm_is_established(&association) == 1 ? IOTKM_OK : iotkm_history_connect(&association, &cx, &hub_addr);
    return status == IOTKM_E_WRONG_STATE ? IOTKM_OK : status; /* a run is under way already */
}

/* The hub has forgotten the session that was stored: without it, as after a boot. */
static int give_resume_up(void)
{
    int status = close_hub();
    if (status == IOTKM_OK)
        status = session_forget(&cx);
    if (status == IOTKM_OK)
        status = iotkm_history_peer_load(&hub, &cx, SLOT_HUB);
    if (status == IOTKM_OK)
        status = open_hub();
    connect_at = cx.now_ms;
    return status;
}

int device_receive(uint8_t *datagram, size_t length, const uint8_t **payload, size_t *payload_length)
{
    iotkm_received received = { 0 };
    int status = IOTKM_OK;
    *payload = NULL;
    if (is_pairing && length <= sizeof buffer) { /* it opens in place: a copy, for the session may want it too */
        memcpy(buffer, datagram, length);
        status = iotkm_receive(&pairing.association, &cx, &hub_addr, buffer, length, &received);
    }
    if (status == IOTKM_OK && is_open) {
        status = iotkm_receive(&association, &cx, &hub_addr, datagram, length, &received);
        if (status == IOTKM_OK) {
            *payload = received.payload;
            *payload_length = received.payload_len;
        }
    }
    return status == IOTKM_OK ? drain() : status;
}

static int update(void)
{
    int status = is_open ? iotkm_history_update(&association, &cx) : IOTKM_E_NOT_ESTABLISHED;
    return status == IOTKM_OK ? drain() : status;
}

int device_send(const uint8_t *payload, size_t length)
{
    size_t out_length;
    iotkm_addr to;
    if (!is_open)
        return IOTKM_E_NOT_ESTABLISHED;
    int status = iotkm_send(&association, &cx, payload, length, buffer, sizeof buffer, &out_length, &to);
    if (status == IOTKM_OK && cx.platform->send(cx.platform->send_ctx, &to, buffer, out_length) != 0)
        status = IOTKM_E_HOOK;
    if (status == IOTKM_OK)
        status = drain();
    if (status == IOTKM_OK && ++sent >= UPDATE_EVERY) {
        sent = 0;
        update(); /* another time, where the log does not allow it yet */
    }
    return status;
}

int device_obey(const char *line)
{
    const char *rest;
    if ((rest = text_after(line, "pair")) != NULL)
        return pair(rest);
    return text_after(line, "update") ? update() : DEVICE_NO_SUCH_WORD;
}

int device_close(void)
{
    int status = is_open ? iotkm_close(&association) : IOTKM_E_NOT_ESTABLISHED;
    if (status == IOTKM_OK)
        status = drain();
    return status == IOTKM_OK ? session_forget(&cx) : status;
}

int device_run(uint64_t now_ms)
{
    int status = IOTKM_OK;
    cx.now_ms = now_ms;
    if (is_pairing && now_ms >= pairing_wake_at)
        status = iotkm_timeout(&pairing.association, &cx);
    if (status == IOTKM_OK && is_open && now_ms >= wake_at)
        status = iotkm_timeout(&association, &cx);
    if (status == IOTKM_OK)
        status = drain();
    if (status == IOTKM_OK && new_peer)
        status = take_peer();
    if (status == IOTKM_OK && is_pairing && now_ms >= pairing_ends_at) {
        is_pairing = false;
        status = iotkm_wipe(&pairing.association);
    }
    if (status == IOTKM_OK && is_open && now_ms >= resume_ends_at)
        status = give_resume_up();
    if (status == IOTKM_OK && is_open && now_ms >= connect_at)
        status = connect();
    if (status == IOTKM_OK && new_session) {
        new_session = false;
        connect_at = IOTKM_NEVER;
        status = session_store(&association, &cx);
    }
    return status == IOTKM_OK ? drain() : status;
}
