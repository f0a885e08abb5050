/* Noninteractive: a key of which the device made one half and the operator the other, a hub with such a key, one handshake; from then
   on both have new keys with each epoch, and nothing is said for it. The console takes
       provision NAME HUB OPERATOR KEY LISTS    in the factory: what this device, its hub and their operator are called, the operator's
                                                public key (ristretto255) and the one that signs its revocation lists (Ed25519),
                                                64 hexadecimal digits each
       connect                                  a handshake, in place of the session that there is
       epoch                                    says which one it is

   A device that was provisioned asks for its credential on the line that is its radio later, until it gets it: what goes each way is
   public, and of no use to anybody else. From then on revocation lists come as payloads of the session: what begins with the tag of a
   signed object is one, all else is the application's. */
#include "device.h"
#include "session.h"
#include "text.h"

#include <string.h>

enum {
    KEY = 0,                /* number of the static key */
    LISTED = 32,            /* serials that there is room for in a revocation list */
    PURSE = IOTKM_HOLDER_MEMORY + IOTKM_REVOCATION_LIST_OVERHEAD + 4 * LISTED,
    INTERVAL_S = 1,         /* an epoch: a test has no hour to wait */
    EPOCHS = 10000,         /* after so many there has to be another handshake */
    TRIES = 6,              /* how often a message goes out: gives up after 23 s */
    AGAIN_MS = 5000,        /* pause before another try when the hub does not answer */
    SIGNED = 0xD2,          /* the tag of COSE_Sign1 */
    BUFFER = 1280,          /* the longest datagram (the library's default MTU is 1200), two blobs of the holder or of the hub */
};
_Static_assert(2 * (IOTKM_HOLDER_BLOB_OVERHEAD + PURSE) <= BUFFER && 2 * IOTKM_NONINTERACTIVE_PEER_BLOB_MAX <= BUFFER, "room");

static const iotkm_noninteractive_suite *const suite = &iotkm_noninteractive_suite_4;
static const iotkm_kem *const kem = &iotkm_growing_ristretto255;
static const iotkm_addr hub_addr = { 1, { 0 } }; /* there is one line, and one hub at its other end */

static struct {
    char own[IOTKM_NAME_TEXT], hub[IOTKM_NAME_TEXT], office[IOTKM_NAME_TEXT];
    uint8_t key[32], lists[32];
} names; /* as they are stored */

static uint8_t secret[32];
static iotkm_cx cx;
static uint8_t buffer[BUFFER];

static iotkm_static_key half, key;
static iotkm_agent lists;
static iotkm_credential_operator office;
static iotkm_holder holder;
static uint8_t purse[PURSE];
static iotkm_noninteractive_peer hub;
static iotkm_noninteractive_memory memory;
static iotkm_noninteractive association;

static bool is_open, is_asking;         /* for a credential */
static uint64_t wake_at, ask_at, connect_at = IOTKM_NEVER;

static void say_epoch(void)
{
    uint32_t epoch;
    if (is_open && iotkm_noninteractive_epoch(&association.association, &epoch) == IOTKM_OK)
        device_says("epoch", true, epoch);
}

/* ---- events ---- */

static void on_event(void *ctx, const iotkm_event *event)
{
    (void)ctx;
    switch (event->kind) {
    case IOTKM_EVENT_ESTABLISHED:
        session_says("session", event);
        connect_at = IOTKM_NEVER;
        break;
    case IOTKM_EVENT_RESUMED:
        device_says("resumed", true, event->generation);
        connect_at = IOTKM_NEVER;
        break;
    case IOTKM_EVENT_REKEYED:
        device_says("keys", true, event->generation);
        break;
    case IOTKM_EVENT_REKEY_NEEDED: /* the last epoch has begun */
        connect_at = cx.now_ms;
        break;
    case IOTKM_EVENT_TERMINATED: /* whoever ended it connects again; should nobody, this side does */
        device_says("ended", false, 0);
        connect_at = cx.now_ms + AGAIN_MS;
        break;
    case IOTKM_EVENT_HINT: /* it may be forged: only that nothing else comes is a failure */
        device_says("hint", true, event->reason);
        break;
    case IOTKM_EVENT_STORE_FAILED:
        device_says("store-failed", true, event->slot);
        break;
    case IOTKM_EVENT_FAILED: /* where the hub has forgotten the session, a handshake; else another try */
        device_says(event->stage == IOTKM_STAGE_RESUME ? "resume-failed" : "connect-failed", true, event->reason);
        connect_at = cx.now_ms + (event->stage == IOTKM_STAGE_RESUME ? 0 : AGAIN_MS);
        break;
    default: /* others are for the curious, and later versions may have more */
        break;
    }
}

/* ---- the hub ---- */

static int send_to_hub(const uint8_t *bytes, size_t length)
{
    return cx.platform->send(cx.platform->send_ctx, &hub_addr, bytes, length) == 0 ? IOTKM_OK : IOTKM_E_HOOK;
}

static int drain(void)
{
    return is_open ? iotkm_drain(&association.association, &cx, buffer, sizeof buffer, &wake_at) : IOTKM_OK;
}

/* From where the stored peer left off, if it did. */
static int open_hub(void)
{
    const iotkm_noninteractive_setup setup = { .struct_size = sizeof setup, .key = KEY, .interval_s = INTERVAL_S, .length = EPOCHS };
    const iotkm_config config = { .struct_size = sizeof config, .tries = TRIES };
    int status = iotkm_noninteractive_peer_load(&hub, suite, &cx, SLOT_HUB, buffer, sizeof buffer);
    if (status == IOTKM_E_EMPTY)
        status = iotkm_noninteractive_peer_init(&hub, suite, SLOT_HUB, names.own, names.hub, NULL);
    if (status == IOTKM_OK)
        status = iotkm_noninteractive_open(&association, &hub, &holder, &setup, &config, &memory);
    is_open = status == IOTKM_OK;
    if (status == IOTKM_OK && iotkm_noninteractive_go_on(&association.association, &cx) != IOTKM_OK)
        connect_at = cx.now_ms;
    return status;
}

static int connect(void)
{
    connect_at = IOTKM_NEVER;
    int status = iotkm_noninteractive_connect(&association.association, &cx, &hub_addr);
    return status == IOTKM_E_WRONG_STATE ? IOTKM_OK : status; /* a run is under way already */
}

/* ---- the credential ---- */

static int load_half(void)
{
    int status = iotkm_static_key_load(&half, &cx, KEY, kem, SLOT_HALF);
    if (status != IOTKM_E_EMPTY)
        return status;
    status = iotkm_static_key_generate(&half, &cx, KEY, kem);
    return status == IOTKM_OK ? iotkm_static_key_store(&half, &cx, SLOT_HALF) : status;
}

static int load_holder(void)
{
    lists = (iotkm_agent) { .name = names.office, .signature = &iotkm_eddsa, .key = names.lists, .key_len = sizeof names.lists };
    office = (iotkm_credential_operator) { .suite = suite, .agent = &lists, .key = names.key, .key_len = sizeof names.key };
    int status = iotkm_holder_init(&holder, &office, names.own, purse, sizeof purse);
    if (status == IOTKM_OK)
        status = iotkm_holder_load(&holder, &cx, SLOT_WALLET, buffer, sizeof buffer);
    return status == IOTKM_E_EMPTY ? IOTKM_OK : status;
}

static int ask(void)
{
    uint8_t request[IOTKM_CREDENTIAL_REQUEST_MAX];
    size_t length;
    ask_at = cx.now_ms + AGAIN_MS;
    int status = iotkm_credential_request(&half, names.own, request, sizeof request, &length);
    return status == IOTKM_OK ? send_to_hub(request, length) : status;
}

static void show_holder(void)
{
    iotkm_credential credential;
    uint32_t number;
    if (iotkm_holder_credential(&holder, &credential) == IOTKM_OK)
        device_says("credential", true, credential.serial);
    if (iotkm_holder_list_number(&holder, &number) == IOTKM_OK && number > 0)
        device_says("list", true, number);
}

/* With names and a credential there is a hub to connect to; else there is something to ask for. */
static int take_up(void)
{
    iotkm_credential credential;
    int status = load_holder();
    if (status != IOTKM_OK)
        return status;
    is_asking = iotkm_holder_credential(&holder, &credential) != IOTKM_OK;
    if (is_asking) {
        device_says("asking", false, 0);
        status = load_half();
        return status == IOTKM_OK ? ask() : status;
    }
    show_holder();
    status = iotkm_static_key_load(&key, &cx, KEY, kem, SLOT_KEY);
    return status == IOTKM_OK ? open_hub() : status;
}

static int store_holder(void)
{
    return iotkm_holder_needs_store(&holder) == 1 ? iotkm_holder_store(&holder, &cx, SLOT_WALLET, buffer, sizeof buffer) : IOTKM_OK;
}

/* The other half. The whole key is stored before the credential that needs it; the half is of no more use then. */
static int take_answer(const uint8_t *answer, size_t length)
{
    iotkm_credential credential;
    int status = iotkm_holder_accept(&holder, &cx, &half, answer, length, KEY, &key, &credential);
    if (status != IOTKM_OK) {
        device_says_text("refused", iotkm_strerror(status));
        return IOTKM_OK;
    }
    status = iotkm_static_key_store(&key, &cx, SLOT_KEY);
    if (status == IOTKM_OK)
        status = iotkm_holder_install(&holder, &cx, credential.bytes, credential.len);
    if (status == IOTKM_OK)
        status = store_holder();
    if (status == IOTKM_OK)
        status = iotkm_static_key_wipe(&half);
    if (status == IOTKM_OK && cx.platform->store_erase(cx.platform->store_ctx, SLOT_HALF) != 0)
        status = IOTKM_E_HOOK;
    is_asking = false;
    show_holder();
    return status == IOTKM_OK ? open_hub() : status;
}

static int take_list(const uint8_t *list, size_t length)
{
    int status = iotkm_holder_revoke(&holder, &cx, list, length, NULL);
    if (status != IOTKM_OK) {
        device_says_text("refused", iotkm_strerror(status));
        return IOTKM_OK;
    }
    status = store_holder();
    show_holder();
    return status == IOTKM_OK ? iotkm_noninteractive_recheck(&association.association, &cx) : status;
}

static int provision(const char *line)
{
    if (is_open || is_asking) /* once */
        return IOTKM_E_WRONG_STATE;
    line = text_word(line, names.own, sizeof names.own);
    line = text_word(line, names.hub, sizeof names.hub);
    line = text_word(line, names.office, sizeof names.office);
    if ((line = text_unhex(line, names.key, sizeof names.key)) == NULL || text_unhex(line, names.lists, sizeof names.lists) == NULL)
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
    platform->event = on_event;
    platform->public_key = iotkm_static_key_public_key; /* or a secure element's */
    platform->agree = iotkm_static_key_agree;
    platform->step = iotkm_static_key_step;
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
    return status == 0 ? take_up() : IOTKM_E_HOOK;
}

int device_obey(const char *line)
{
    const char *rest;
    int status = IOTKM_OK;
    if ((rest = text_after(line, "provision")) != NULL)
        status = provision(rest);
    else if (text_after(line, "connect"))
        status = is_open ? connect() : IOTKM_E_WRONG_STATE;
    else if (text_after(line, "epoch"))
        say_epoch();
    else
        return DEVICE_NO_SUCH_WORD;
    return status == IOTKM_OK ? drain() : status;
}

int device_receive(uint8_t *datagram, size_t length, const uint8_t **payload, size_t *payload_length)
{
    iotkm_received received = { 0 };
    int status = IOTKM_OK;
    *payload = NULL;
    if (is_asking)
        return take_answer(datagram, length);
    if (is_open)
        status = iotkm_receive(&association.association, &cx, &hub_addr, datagram, length, &received);
    if (status == IOTKM_OK && received.payload && received.payload_len > 0 && received.payload[0] == SIGNED) {
        status = drain();
        if (status == IOTKM_OK)
            status = take_list(received.payload, received.payload_len);
    } else {
        *payload = received.payload;
        *payload_length = received.payload_len;
    }
    return status == IOTKM_OK ? drain() : status;
}

int device_send(const uint8_t *payload, size_t length)
{
    size_t out_length;
    iotkm_addr to;
    if (!is_open)
        return IOTKM_E_NOT_ESTABLISHED;
    int status = iotkm_send(&association.association, &cx, payload, length, buffer, sizeof buffer, &out_length, &to);
    if (status == IOTKM_OK)
        status = send_to_hub(buffer, out_length);
    return status == IOTKM_OK ? drain() : status;
}

int device_close(void)
{
    int status = is_open ? iotkm_close(&association.association) : IOTKM_E_NOT_ESTABLISHED;
    return status == IOTKM_OK ? drain() : status;
}

int device_run(uint64_t now_ms)
{
    int status = IOTKM_OK;
    cx.now_ms = now_ms;
    if (is_asking && now_ms >= ask_at)
        status = ask();
    if (status == IOTKM_OK && is_open && now_ms >= wake_at)
        status = iotkm_timeout(&association.association, &cx);
    if (status == IOTKM_OK)
        status = drain();
    if (status == IOTKM_OK && is_open && now_ms >= connect_at)
        status = connect();
    return status == IOTKM_OK ? drain() : status;
}
