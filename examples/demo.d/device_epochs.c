/* A device of the demo's fleet that speaks noninteractive: a self-certified credential, one handshake, and then every session key
 * without a message.
 *
 * Its buttons: `provision NAME HUB OPERATOR KEY LISTS` (in the factory: the names, and in hexadecimal digits the operator's public
 * key and the one that signs its revocation lists), `answer MESSAGE` (the operator's, to what it then asks for), `connect`,
 * `sleep MS` (radio off, and the clock stands still), `read`, `close`. */
#define _POSIX_C_SOURCE 200809L

#include "device.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    NAMES = 1, HALF = 2, STATIC_KEY = 3, HOLDER = 4, HUB = 5, /* slots */
    KEY = 0,                                                  /* number of the static key */
    PURSE = IOTKM_HOLDER_MEMORY + IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 32, /* room for a list of 32 serials */
    EPOCH_S = 2,                                              /* an hour in real life */
    EPOCHS = 10000                                            /* until there has to be another handshake */
};

const char device_place[] = "";

static const iotkm_noninteractive_suite *const suite = &iotkm_noninteractive_suite_4;
static const iotkm_kem *const kem = &iotkm_growing_ristretto255;

static struct {
    char own[IOTKM_NAME_TEXT], hub[IOTKM_NAME_TEXT], operator_[IOTKM_NAME_TEXT];
    uint8_t key[32], lists[32];
} names; /* as they are stored */

static iotkm_static_key half, key;
static iotkm_agent agent;
static iotkm_credential_operator operator_;
static iotkm_holder holder;
static uint8_t purse[PURSE], work[2 * (IOTKM_HOLDER_BLOB_OVERHEAD + PURSE)];
static uint8_t peer_work[2 * IOTKM_NONINTERACTIVE_PEER_BLOB_MAX];
static iotkm_noninteractive_peer peer;
static iotkm_noninteractive_memory memory;
static iotkm_noninteractive association;

/* A run to begin as soon as none is under way; NULL: none. */
static int (*wanted)(iotkm_association *, const iotkm_cx *, const iotkm_addr *);

/* ---- the credential ---- */

static void open_holder(void) {
    agent.name = names.operator_;
    agent.signature = &iotkm_eddsa;
    agent.key = names.lists;
    agent.key_len = sizeof names.lists;
    operator_.suite = suite;
    operator_.agent = &agent;
    operator_.key = names.key;
    operator_.key_len = sizeof names.key;
    must(iotkm_holder_init(&holder, &operator_, names.own, purse, sizeof purse), "holder");
}

/* Half of the key to be, drawn here; the other half is the operator's, who never learns the whole. */
static void ask_for_credential(void) {
    uint8_t request[IOTKM_CREDENTIAL_REQUEST_MAX];
    size_t len, i;
    int status = iotkm_static_key_load(&half, &cx, KEY, kem, HALF);
    if (status == IOTKM_E_EMPTY) {
        must(iotkm_static_key_generate(&half, &cx, KEY, kem), "half of a key");
        status = iotkm_static_key_store(&half, &cx, HALF);
    }
    must(status, "half of a key");
    must(iotkm_credential_request(&half, names.own, request, sizeof request, &len), "request");
    printf("request ");
    for (i = 0; i < len; i++) printf("%02x", request[i]);
    printf("\n");
}

static void take_answer(const uint8_t *answer, size_t len) {
    iotkm_credential credential;
    must(iotkm_holder_accept(&holder, &cx, &half, answer, len, KEY, &key, &credential), "the operator's answer");
    must(iotkm_static_key_store(&key, &cx, STATIC_KEY), "storage"); /* before the credential: without it that is nothing */
    must(iotkm_holder_install(&holder, &cx, credential.bytes, credential.len), "credential");
    must(iotkm_holder_store(&holder, &cx, HOLDER, work, sizeof work), "storage");
    must(iotkm_static_key_wipe(&half), "wipe");
    must(iotkm_posix_store_erase(&store, HALF), "storage");
    printf("has %u for %s, %u bytes\n", (unsigned)credential.serial, credential.subject, (unsigned)credential.len);
}

/* With a credential there is a hub to connect to. */
static void open_association(void) {
    iotkm_noninteractive_setup setup;
    int status = iotkm_noninteractive_peer_load(&peer, suite, &cx, HUB, peer_work, sizeof peer_work);
    if (status == IOTKM_E_EMPTY) status = iotkm_noninteractive_peer_init(&peer, suite, HUB, names.own, names.hub, NULL);
    must(status, "stored keys");
    platform.public_key = iotkm_static_key_public_key; /* or a secure element's */
    platform.agree = iotkm_static_key_agree;
    platform.step = iotkm_static_key_step;
    platform.keys_ctx = &key;
    memset(&setup, 0, sizeof setup);
    setup.struct_size = sizeof setup;
    setup.key = KEY;
    setup.interval_s = EPOCH_S;
    setup.length = EPOCHS;
    must(iotkm_noninteractive_open(&association, &peer, &holder, &setup, NULL, &memory), "open");
    active = &association.association;
}

/* ---- what happens ---- */

void device_event(const iotkm_event *event) {
    if (event->kind == IOTKM_EVENT_REKEYED) printf("epoch %u\n", (unsigned)event->generation);
    else if (event->kind == IOTKM_EVENT_FAILED && event->stage == IOTKM_STAGE_RESUME) wanted = iotkm_noninteractive_connect;
    else say_event(event);
}

/* Sends and stores what waits; a peer in its slot is all that a restart needs. */
uint64_t device_drain(void) {
    uint64_t wake_at;
    if (active == NULL) return IOTKM_NEVER;
    must(iotkm_drain(active, &cx, buffer, sizeof buffer, &wake_at), "drain");
    if (wanted) {
        int status = wanted(active, &cx, &hub);
        if (status != IOTKM_E_WRONG_STATE) {
            must(status, "connect");
            wanted = NULL;
            return device_drain();
        }
    }
    return wake_at;
}

void device_heard(const uint8_t *payload, size_t len) { printf("heard %.*s\n", (int)len, (const char *)payload); }

/* ---- the buttons ---- */

static void provision(const char *line) {
    char digits[2][65];
    if (names.own[0]) must(IOTKM_E_WRONG_STATE, "provisioned already");
    if (sscanf(line, "%32s %32s %32s %64s %64s", names.own, names.hub, names.operator_, digits[0], digits[1]) != 5
        || unhex(digits[0], names.key, sizeof names.key) != sizeof names.key
        || unhex(digits[1], names.lists, sizeof names.lists) != sizeof names.lists)
        must(IOTKM_E_BAD_ARGUMENT, "provision");
    must(iotkm_posix_store_write(&store, NAMES, (const uint8_t *)&names, sizeof names), "storage");
    open_holder();
    ask_for_credential();
}

int device_press(const char *button) {
    uint8_t answer[IOTKM_CREDENTIAL_ANSWER_MAX];
    unsigned ms;
    if (strncmp(button, "provision ", 10) == 0) {
        provision(button + 10);
    } else if (strncmp(button, "answer ", 7) == 0) {
        take_answer(answer, unhex(button + 7, answer, sizeof answer));
        open_association();
    } else if (active == NULL) {
        must(IOTKM_E_NO_CREDENTIAL, "no credential yet");
    } else if (strcmp(button, "connect") == 0) {
        wanted = iotkm_noninteractive_connect;
    } else if (sscanf(button, "sleep %u", &ms) == 1) {
        poll(NULL, 0, (int)ms);
        slept_ms += ms;
        printf("awake\n");
    } else {
        return 0;
    }
    return 1;
}

/* What is left of the last run. */
void device_start(void) {
    uint32_t epoch;
    size_t len;
    int status = iotkm_posix_store_read(&store, NAMES, (uint8_t *)&names, sizeof names, &len);
    if (status == IOTKM_STORE_EMPTY) {
        printf("ready new\n");
        return;
    }
    must(status, "stored names");
    open_holder();
    status = iotkm_holder_load(&holder, &cx, HOLDER, work, sizeof work);
    if (status == IOTKM_E_EMPTY) {
        printf("ready new\n");
        ask_for_credential();
        return;
    }
    must(status, "stored credential");
    must(iotkm_static_key_load(&key, &cx, KEY, kem, STATIC_KEY), "stored key");
    open_association();
    if (iotkm_noninteractive_peer_epoch(&peer, &epoch) == IOTKM_OK) {
        printf("ready %u\n", (unsigned)epoch);
        must(iotkm_noninteractive_go_on(active, &cx), "go on");
    } else {
        printf("ready new\n");
        wanted = iotkm_noninteractive_connect;
    }
}

void device_end(void) {
    if (active) must(iotkm_wipe(active), "wipe");
    if (active) must(iotkm_noninteractive_peer_wipe(&peer), "wipe");
    if (active) must(iotkm_static_key_wipe(&key), "wipe");
    if (names.own[0]) must(iotkm_holder_wipe(&holder), "wipe");
}
