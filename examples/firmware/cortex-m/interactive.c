/* Interactive: a static key that never leaves the device, a ticket for it, and a hub with a ticket of the same agent. The console
   takes
       provision NAME HUB AGENT KEY    in the factory: what this device and its hub are called, whose tickets they go by, and that
                                       agent's public key (Ed25519, 64 hexadecimal digits)
       authenticate                    shows the hub its ticket anew
       connect                         new keys for the session, and for those that follow
       ping                            asks whether the hub is there

   A device that was provisioned asks for its ticket on the line that is its radio later, until it gets it. From then on tickets
   and revocation lists come as payloads of the session: what begins with a CBOR array is such a message, all else is the
   application's. */
#include "device.h"
#include "session.h"
#include "text.h"

#include <string.h>

enum {
    KEY = 0,                /* number of the static key */
    LISTED = 32,            /* serials that there is room for in a revocation list */
    LIST = IOTKM_REVOCATION_LIST_OVERHEAD + 4 * LISTED,
    PURSE = 2 * IOTKM_TICKET_MAX + LIST,
    LIFETIME_S = 31536000,  /* how long the ticket shall be valid that it asks for */
    RENEW_EVERY = 32,       /* messages sent before the keys are renewed */
    TRIES = 6,              /* how often a message goes out: gives up after 23 s */
    AGAIN_MS = 5000,        /* pause before another try when the hub does not answer */
    RESUME_MS = 8000,       /* how long a hub may take to go on with a stored session, before new keys are tried */
    HELD = 64,              /* bytes that may wait for a session */
    CBOR_ARRAY = 4,         /* in the upper three bits of a first byte */
    WORK = 2 * (IOTKM_WALLET_BLOB_OVERHEAD + PURSE), /* two blobs of the wallet: longer than a datagram, or two of the hub */
};

static const iotkm_kem *const kem = &iotkm_x25519;
static const iotkm_suite *const suites[] = { &iotkm_suite_4 };
static const iotkm_addr hub_addr = { 1, { 0 } }; /* there is one line, and one hub at its other end */

static struct {
    char own[IOTKM_NAME_TEXT], hub[IOTKM_NAME_TEXT], agent[IOTKM_NAME_TEXT];
    uint8_t key[32];
} names; /* as they are stored */

static uint8_t secret[32];
static iotkm_cx cx;
static uint8_t work[WORK];

static iotkm_static_key key;
static iotkm_agent agent;
static iotkm_wallet wallet;
static uint8_t purse[PURSE];
static iotkm_interactive_peer hub;
static iotkm_interactive_memory memory;
static iotkm_association association;

static bool is_open, is_asking;         /* for a first ticket */
static bool new_session;                /* an event that device_run() acts upon */
static uint64_t wake_at, ask_at, connect_at = IOTKM_NEVER, resume_ends_at = IOTKM_NEVER;
static unsigned sent;                   /* since the keys were renewed */
static uint8_t held[HELD];
static size_t held_length;

/* ---- events: told to the user, and remembered until the call that they came out of is over ---- */

static void on_failure(const iotkm_event *event)
{
    static const char *const stages[] = {
        [IOTKM_STAGE_EXCHANGE] = "connect-failed", [IOTKM_STAGE_RESUME] = "resume-failed",
        [IOTKM_STAGE_AUTHENTICATION] = "authentication-failed", [IOTKM_STAGE_PING] = "ping-failed",
    };
    bool has_name = event->stage < sizeof stages / sizeof stages[0] && stages[event->stage];
    device_says(has_name ? stages[event->stage] : "failed", true, event->reason);
    if (event->stage == IOTKM_STAGE_RESUME)
        resume_ends_at = cx.now_ms;
    else if (event->stage != IOTKM_STAGE_PING)
        connect_at = cx.now_ms + AGAIN_MS;
}

static void on_event(const iotkm_event *event)
{
    switch (event->kind) {
    case IOTKM_EVENT_ESTABLISHED:
        session_says("session", event);
        new_session = true;
        sent = 0;
        break;
    case IOTKM_EVENT_RESUMED:
        device_says("resumed", true, event->generation);
        resume_ends_at = IOTKM_NEVER;
        new_session = true;
        break;
    case IOTKM_EVENT_KEY_REPLACED:
        device_says("keys", true, event->generation);
        break;
    case IOTKM_EVENT_REKEY_NEEDED:
        connect_at = cx.now_ms;
        break;
    case IOTKM_EVENT_TERMINATED: /* whoever ended it connects again; should nobody, this side does */
        device_says("ended", false, 0);
        connect_at = cx.now_ms + AGAIN_MS;
        break;
    case IOTKM_EVENT_HINT: /* it may be forged: only that nothing else comes is a failure */
        device_says("hint", true, event->reason);
        break;
    case IOTKM_EVENT_PEER_ALIVE:
        device_says("alive", false, 0);
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

/* ---- the radio ---- */

static int send_to_hub(const uint8_t *bytes, size_t length)
{
    return cx.platform->send(cx.platform->send_ctx, &hub_addr, bytes, length) == 0 ? IOTKM_OK : IOTKM_E_HOOK;
}

static int send_payload(const uint8_t *payload, size_t length)
{
    size_t out_length;
    iotkm_addr to;
    int status = iotkm_send(&association, &cx, payload, length, work, sizeof work, &out_length, &to);
    return status == IOTKM_OK ? send_to_hub(work, out_length) : status;
}

static int store(const iotkm_output *output)
{
    int stored = cx.platform->store_write(cx.platform->store_ctx, output->slot, output->bytes, output->len);
    return iotkm_persisted(&association, output->slot, stored);
}

/* iotkm_drain() by hand, for the sake of what waits: sent as soon as the new keys are stored, it goes with K3 in one datagram. */
static int drain(void)
{
    int status = IOTKM_OK;
    while (status == IOTKM_OK && is_open) {
        iotkm_output output;
        if (held_length > 0 && iotkm_is_established(&association) == 1) {
            status = send_payload(held, held_length);
            if (status == IOTKM_OK)
                held_length = 0;
            else if (status != IOTKM_E_UNDRAINED)
                return status;
        }
        status = iotkm_poll(&association, &cx, work, sizeof work, &output);
        if (status != IOTKM_OK)
            return status;
        if (output.kind == IOTKM_OUTPUT_IDLE) {
            wake_at = output.wake_at_ms;
            return IOTKM_OK;
        }
        if (output.kind == IOTKM_OUTPUT_DATAGRAM)
            status = send_to_hub(output.bytes, output.len);
        else if (output.kind == IOTKM_OUTPUT_PERSIST)
            status = store(&output);
        else if (output.kind == IOTKM_OUTPUT_EVENT)
            on_event(&output.event);
        else
            status = IOTKM_E_BUFFER_TOO_SMALL;
    }
    return status;
}

/* ---- the hub ---- */

static int open_hub(void)
{
    const iotkm_interactive_setup setup = { .struct_size = sizeof setup, .kem = kem, .suites = suites, .suite_count = 1,
                                            .key = KEY };
    const iotkm_config config = { .struct_size = sizeof config, .tries = TRIES };
    int status = iotkm_interactive_peer_load(&hub, &cx, SLOT_HUB, work, sizeof work);
    if (status == IOTKM_E_EMPTY)
        status = iotkm_interactive_peer_init(&hub, SLOT_HUB, names.own, names.hub, NULL);
    if (status == IOTKM_OK)
        status = iotkm_interactive_open(&association, &hub, &wallet, &setup, &config, &memory);
    is_open = status == IOTKM_OK;
    connect_at = cx.now_ms;
    return status;
}

/* The hub has forgotten the session that was stored: without it, as after a boot. */
static int give_resume_up(void)
{
    resume_ends_at = IOTKM_NEVER;
    is_open = false;
    int status = iotkm_wipe(&association);
    if (status == IOTKM_OK)
        status = iotkm_interactive_peer_wipe(&hub);
    if (status == IOTKM_OK)
        status = session_forget(&cx);
    return status == IOTKM_OK ? open_hub() : status;
}

static int connect(void)
{
    connect_at = IOTKM_NEVER;
    int status = iotkm_interactive_connect(&association, &cx, &hub_addr);
    if (status == IOTKM_E_NO_CREDENTIAL) /* it has run out, and nobody pushed the next */
        connect_at = cx.now_ms + AGAIN_MS;
    return status == IOTKM_E_WRONG_STATE ? IOTKM_OK : status; /* a run is under way already */
}

/* ---- tickets ---- */

static int load_key(void)
{
    int status = iotkm_static_key_load(&key, &cx, KEY, kem, SLOT_KEY);
    if (status != IOTKM_E_EMPTY)
        return status;
    status = iotkm_static_key_generate(&key, &cx, KEY, kem);
    return status == IOTKM_OK ? iotkm_static_key_store(&key, &cx, SLOT_KEY) : status;
}

static int load_wallet(void)
{
    agent = (iotkm_agent) { .name = names.agent, .signature = &iotkm_eddsa, .key = names.key, .key_len = sizeof names.key };
    int status = iotkm_wallet_init(&wallet, &agent, names.own, purse, IOTKM_TICKET_MAX, LIST);
    if (status == IOTKM_OK)
        status = iotkm_wallet_load(&wallet, &cx, SLOT_WALLET, work, sizeof work);
    return status == IOTKM_E_EMPTY ? IOTKM_OK : status;
}

static int ask(void)
{
    size_t length;
    ask_at = cx.now_ms + AGAIN_MS;
    int status = iotkm_ticket_request(&cx, KEY, kem, names.own, "field", LIFETIME_S, work, sizeof work, &length);
    return status == IOTKM_OK ? send_to_hub(work, length) : status;
}

static void show_wallet(void)
{
    iotkm_ticket ticket;
    uint32_t list;
    if (iotkm_wallet_ticket(&wallet, &cx, &ticket) == IOTKM_OK)
        device_says("ticket", true, ticket.serial);
    if (iotkm_wallet_list_number(&wallet, &list) == IOTKM_OK && list > 0)
        device_says("list", true, list);
}

/* With names, a key and a ticket there is a hub to connect to; else there is something to ask for. */
static int take_up(void)
{
    iotkm_ticket ticket;
    int status = load_key();
    if (status == IOTKM_OK)
        status = load_wallet();
    if (status != IOTKM_OK)
        return status;
    is_asking = iotkm_wallet_ticket_at(&wallet, 0, &ticket) != IOTKM_OK;
    if (is_asking) {
        device_says("asking", false, 0);
        return ask();
    }
    show_wallet();
    return open_hub();
}

/* What came is stored before it is acknowledged; what is refused is said to be. */
static int take_message(const uint8_t *message, size_t length)
{
    uint8_t answer[IOTKM_WALLET_ANSWER_MAX];
    size_t answer_length = 0;
    bool due = false;
    int status = iotkm_wallet_handle(&wallet, &cx, message, length, &due), told = IOTKM_OK;
    if (status == IOTKM_OK && iotkm_wallet_needs_store(&wallet) == 1)
        status = iotkm_wallet_store(&wallet, &cx, SLOT_WALLET, work, sizeof work);
    if (status == IOTKM_OK && is_asking) {
        is_asking = false;
        show_wallet();
        return open_hub();
    }
    if (status == IOTKM_OK && due) {
        show_wallet();
        told = iotkm_wallet_acknowledgement(&wallet, answer, sizeof answer, &answer_length);
    } else if (status != IOTKM_OK && status != IOTKM_E_HOOK) {
        device_says_text("refused", iotkm_strerror(status));
        told = iotkm_wallet_refusal(status, answer, sizeof answer, &answer_length);
        status = IOTKM_OK;
    }
    if (is_open && told == IOTKM_OK && answer_length > 0)
        told = send_payload(answer, answer_length);
    if (is_open && status == IOTKM_OK && told == IOTKM_OK)
        status = iotkm_interactive_recheck(&association, &cx);
    return status == IOTKM_OK ? told : status;
}

static int provision(const char *line)
{
    if (is_open || is_asking) /* once */
        return IOTKM_E_WRONG_STATE;
    line = text_word(line, names.own, sizeof names.own);
    line = text_word(line, names.hub, sizeof names.hub);
    line = text_word(line, names.agent, sizeof names.agent);
    if (text_unhex(line, names.key, sizeof names.key) == NULL)
        return IOTKM_E_BAD_ARGUMENT;
    const iotkm_platform *platform = cx.platform;
    int status = platform->store_write(platform->store_ctx, SLOT_NAMES, (const uint8_t *)&names, sizeof names);
    return status == 0 ? take_up() : IOTKM_E_HOOK;
}

/* ---- life ---- */

int device_start(iotkm_platform *platform, uint64_t now_ms)
{
    size_t length;
    platform->struct_size = sizeof *platform;
    platform->device_secret = secret;
    platform->public_key = iotkm_static_key_public_key; /* or a secure element's */
    platform->agree = iotkm_static_key_agree;
    platform->keys_ctx = &key;
    cx.platform = platform;
    cx.now_ms = now_ms;
    int status = session_load_secret(platform, secret);
    if (status != IOTKM_OK)
        return status;
    status = platform->store_read(platform->store_ctx, SLOT_NAMES, (uint8_t *)&names, sizeof names, &length);
    if (status == IOTKM_STORE_EMPTY) {
        device_says("unprovisioned", false, 0);
        return IOTKM_OK;
    }
    status = status == 0 ? take_up() : IOTKM_E_HOOK;
    if (status == IOTKM_OK && is_open && session_restore(&association, &cx) == IOTKM_OK) {
        connect_at = IOTKM_NEVER;
        resume_ends_at = now_ms + RESUME_MS;
    }
    return status;
}

int device_obey(const char *line)
{
    const char *rest;
    int status;
    if ((rest = text_after(line, "provision")) != NULL)
        return provision(rest);
    if (text_after(line, "connect"))
        status = is_open ? connect() : IOTKM_E_WRONG_STATE;
    else if (text_after(line, "authenticate"))
        status = is_open ? iotkm_interactive_authenticate(&association, &cx, &hub_addr) : IOTKM_E_WRONG_STATE;
    else if (text_after(line, "ping"))
        status = is_open ? iotkm_interactive_ping(&association, &cx, &hub_addr) : IOTKM_E_WRONG_STATE;
    else
        return DEVICE_NO_SUCH_WORD;
    return status == IOTKM_OK ? drain() : status;
}

int device_receive(uint8_t *datagram, size_t length, const uint8_t **payload, size_t *payload_length)
{
    iotkm_received received = { 0 };
    int status = IOTKM_OK;
    *payload = NULL;
    if (is_asking && datagram[0] >> 5 == CBOR_ARRAY)
        return take_message(datagram, length); /* in clear, but signed by the agent */
    if (is_open)
        status = iotkm_receive(&association, &cx, &hub_addr, datagram, length, &received);
    if (status == IOTKM_OK && received.payload && received.payload_len > 0 && received.payload[0] >> 5 == CBOR_ARRAY) {
        status = drain(); /* what came with it may have to be stored first */
        if (status == IOTKM_OK)
            status = take_message(received.payload, received.payload_len);
    } else if (status == IOTKM_OK) {
        *payload = received.payload;
        *payload_length = received.payload_len;
    }
    return status == IOTKM_OK ? drain() : status;
}

int device_send(const uint8_t *payload, size_t length)
{
    if (!is_open)
        return IOTKM_E_NOT_ESTABLISHED;
    int status = send_payload(payload, length);
    if (status == IOTKM_E_NOT_ESTABLISHED && length <= sizeof held) { /* the newest waits for the session */
        memcpy(held, payload, length);
        held_length = length;
        return drain();
    }
    if (status == IOTKM_OK)
        status = drain();
    if (status == IOTKM_OK && ++sent >= RENEW_EVERY) {
        sent = 0;
        connect_at = cx.now_ms;
    }
    return status;
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
    if (is_asking && now_ms >= ask_at)
        status = ask();
    if (status == IOTKM_OK && is_open && now_ms >= wake_at)
        status = iotkm_timeout(&association, &cx);
    if (status == IOTKM_OK)
        status = drain();
    if (status == IOTKM_OK && is_open && now_ms >= resume_ends_at)
        status = give_resume_up();
    if (status == IOTKM_OK && is_open && now_ms >= connect_at)
        status = connect();
    if (status == IOTKM_OK && new_session) {
        new_session = false;
        status = session_store(&association, &cx);
    }
    return status == IOTKM_OK ? drain() : status;
}
