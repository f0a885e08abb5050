/* A device of the demo's fleet that speaks interactive: its static key never leaves it, an agent's ticket says whose it is.
 *
 * Its buttons: `provision NAME HUB AGENT KEY` (in the factory: the names, and the agent's public key in hexadecimal digits),
 * `ticket MESSAGE` (the agent's answer to what it then asks for), `connect`, `report` (a reading that goes out with the next new
 * keys), `authenticate`, `read`, `close`. */
#include "device.h"

#include <stdio.h>
#include <string.h>

enum {
    NAMES = 1, STATIC_KEY = 2, WALLET = 3, HUB = 4, /* slots */
    KEY = 0,                                        /* number of the static key */
    LIST = IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 32, /* room for a list of 32 serials */
    PURSE = 2 * IOTKM_TICKET_MAX + LIST,
    YEAR = 31536000,                                /* s */
    CBOR_ARRAY = 4                                  /* in the upper three bits of a byte: begins a message of the operator's */
};

const char device_place[] = "";

static struct {
    char own[IOTKM_NAME_TEXT], hub[IOTKM_NAME_TEXT], agent[IOTKM_NAME_TEXT];
    uint8_t key[32];
} names; /* as they are stored */

static iotkm_static_key key;
static iotkm_agent agent;
static iotkm_wallet wallet;
static uint8_t purse[PURSE], work[2 * (IOTKM_WALLET_BLOB_OVERHEAD + PURSE)];
static iotkm_interactive_peer peer;
static iotkm_interactive_memory memory;
static iotkm_association association;

/* A run to begin as soon as none is under way; NULL: none. */
static int (*wanted)(iotkm_association *, const iotkm_cx *, const iotkm_addr *);
static int changed, ended, resume_failed; /* what an event said, for after the drain */
static char held[48];                     /* a reading that goes out with the next new keys */

/* ---- tickets ---- */

static void say_ticket(const char *word, const iotkm_ticket *ticket) {
    printf("%s %u for %s, %u bytes\n", word, (unsigned)ticket->serial, ticket->subject, (unsigned)ticket->len);
}

/* With a ticket there is a hub to connect to. */
static void open_association(void) {
    static const iotkm_suite *const suites[] = {&iotkm_suite_4};
    iotkm_interactive_setup setup;
    int status = iotkm_interactive_peer_load(&peer, &cx, HUB, work, sizeof work);
    if (status == IOTKM_E_EMPTY) status = iotkm_interactive_peer_init(&peer, HUB, names.own, names.hub, NULL);
    must(status, "stored keys");
    memset(&setup, 0, sizeof setup);
    setup.struct_size = sizeof setup;
    setup.kem = &iotkm_x25519;
    setup.suites = suites;
    setup.suite_count = 1;
    setup.key = KEY;
    must(iotkm_interactive_open(&association, &peer, &wallet, &setup, NULL, &memory), "open");
    active = &association;
}

/* The static key, the wallet, and what there is in it. */
static void take_up(void) {
    iotkm_ticket ticket;
    int status = iotkm_static_key_load(&key, &cx, KEY, &iotkm_x25519, STATIC_KEY);
    if (status == IOTKM_E_EMPTY) {
        must(iotkm_static_key_generate(&key, &cx, KEY, &iotkm_x25519), "static key");
        status = iotkm_static_key_store(&key, &cx, STATIC_KEY);
    }
    must(status, "static key");
    platform.public_key = iotkm_static_key_public_key; /* or a secure element's */
    platform.agree = iotkm_static_key_agree;
    platform.keys_ctx = &key;
    agent.name = names.agent;
    agent.signature = &iotkm_eddsa;
    agent.key = names.key;
    agent.key_len = sizeof names.key;
    must(iotkm_wallet_init(&wallet, &agent, names.own, purse, IOTKM_TICKET_MAX, LIST), "wallet");
    status = iotkm_wallet_load(&wallet, &cx, WALLET, work, sizeof work);
    if (status != IOTKM_E_EMPTY) must(status, "stored tickets");
    if (iotkm_wallet_ticket(&wallet, &cx, &ticket) == IOTKM_OK) open_association();
}

static void ask_for_ticket(void) {
    size_t len, i;
    must(iotkm_ticket_request(&cx, KEY, &iotkm_x25519, names.own, "demo", YEAR, work, sizeof work, &len), "request");
    printf("request ");
    for (i = 0; i < len; i++) printf("%02x", work[i]);
    printf("\n");
}

/* A ticket or a list, from the factory or from the operator: stored, then acknowledged. */
static void take_message(const uint8_t *message, size_t len) {
    uint8_t answer[IOTKM_WALLET_ANSWER_MAX], out[128];
    size_t answer_len, out_len;
    iotkm_ticket ticket;
    iotkm_addr to;
    uint32_t list;
    bool due;
    int status = iotkm_wallet_handle(&wallet, &cx, message, len, &due);
    if (status == IOTKM_OK && iotkm_wallet_needs_store(&wallet) == 1) {
        must(iotkm_wallet_store(&wallet, &cx, WALLET, work, sizeof work), "storage");
        must(iotkm_wallet_ticket_at(&wallet, 0, &ticket), "ticket");
        must(iotkm_wallet_list_number(&wallet, &list), "list");
        say_ticket("has", &ticket);
        if (list > 0) printf("list %u\n", (unsigned)list);
    }
    if (active == NULL || iotkm_is_established(active) != 1) {
        must(status, "what the agent sent");
        return;
    }
    if (status == IOTKM_OK && due) must(iotkm_wallet_acknowledgement(&wallet, answer, sizeof answer, &answer_len), "answer");
    else if (status != IOTKM_OK) must(iotkm_wallet_refusal(status, answer, sizeof answer, &answer_len), "answer");
    if (due || status != IOTKM_OK) {
        must(iotkm_send(active, &cx, answer, answer_len, out, sizeof out, &out_len, &to), "send");
        must(iotkm_posix_udp_send(&udp, &to, out, out_len), "socket");
        device_drain();
    }
    must(iotkm_interactive_recheck(active, &cx), "recheck"); /* the hub gets the new ticket */
}

/* ---- what happens ---- */

void device_event(const iotkm_event *event) {
    switch (event->kind) {
    case IOTKM_EVENT_ESTABLISHED:
    case IOTKM_EVENT_RESUMED:
    case IOTKM_EVENT_REKEYED:
    case IOTKM_EVENT_PEER_MOVED: changed = 1; break;
    case IOTKM_EVENT_TERMINATED: ended = 1; break;
    case IOTKM_EVENT_FAILED:
        if (event->stage == IOTKM_STAGE_RESUME) {
            resume_failed = 1; /* an exchange will do */
            return;
        }
        break;
    default: break;
    }
    say_event(event);
}

/* iotkm_drain() by hand, for the sake of what is held: sent as soon as the new keys are stored, it goes with K3 in one datagram. */
uint64_t device_drain(void) {
    iotkm_output output;
    if (active == NULL) return IOTKM_NEVER;
    for (;;) {
        must(iotkm_poll(active, &cx, buffer, sizeof buffer, &output), "poll");
        if (output.kind == IOTKM_OUTPUT_IDLE) break;
        switch (output.kind) {
        case IOTKM_OUTPUT_DATAGRAM:
            must(iotkm_posix_udp_send(&udp, &output.to, output.bytes, output.len), "socket");
            break;
        case IOTKM_OUTPUT_PERSIST:
            must(iotkm_persisted(active, output.slot, iotkm_posix_store_write(&store, output.slot, output.bytes, output.len)), "storage");
            if (held[0] && iotkm_is_established(active) == 1) {
                send_message(held);
                held[0] = '\0';
            }
            break;
        case IOTKM_OUTPUT_EVENT: device_event(&output.event); break;
        default: must(IOTKM_E_BUFFER_TOO_SMALL, "poll");
        }
    }
    if (ended) { /* a session that has ended is not to be resumed */
        ended = 0;
        session_forget();
    }
    if (changed && iotkm_is_established(active) == 1) { /* to go on from here after a power cut */
        changed = 0;
        session_store();
    }
    if (resume_failed) {
        resume_failed = 0;
        wanted = iotkm_interactive_connect;
    }
    if (wanted) {
        int status = wanted(active, &cx, &hub);
        if (status != IOTKM_E_WRONG_STATE) {
            must(status, "connect");
            wanted = NULL;
            return device_drain();
        }
    }
    return output.wake_at_ms;
}

void device_heard(const uint8_t *payload, size_t len) {
    uint8_t message[1024];
    if (len > 0 && len <= sizeof message && payload[0] >> 5 == CBOR_ARRAY) {
        memcpy(message, payload, len); /* it lies in the datagram's memory, which the drain needs */
        device_drain();                /* what came with it may have to be stored first */
        take_message(message, len);
    } else {
        printf("heard %.*s\n", (int)len, (const char *)payload);
    }
}

/* ---- the buttons ---- */

static void provision(const char *line) {
    char digits[65];
    if (active || names.own[0]) must(IOTKM_E_WRONG_STATE, "provisioned already");
    if (sscanf(line, "%32s %32s %32s %64s", names.own, names.hub, names.agent, digits) != 4
        || unhex(digits, names.key, sizeof names.key) != sizeof names.key)
        must(IOTKM_E_BAD_ARGUMENT, "provision");
    must(iotkm_posix_store_write(&store, NAMES, (const uint8_t *)&names, sizeof names), "storage");
    take_up();
    ask_for_ticket();
}

int device_press(const char *button) {
    uint8_t message[512];
    if (strncmp(button, "provision ", 10) == 0) {
        provision(button + 10);
    } else if (strncmp(button, "ticket ", 7) == 0) {
        take_message(message, unhex(button + 7, message, sizeof message));
        if (active == NULL) open_association();
    } else if (active == NULL) {
        must(IOTKM_E_NO_CREDENTIAL, "no ticket yet");
    } else if (strcmp(button, "report") == 0) {
        measure(READINGS - 1, held, sizeof held);
        wanted = iotkm_interactive_connect;
    } else if (strcmp(button, "connect") == 0) {
        wanted = iotkm_interactive_connect;
    } else if (strcmp(button, "authenticate") == 0) {
        wanted = iotkm_interactive_authenticate;
    } else {
        return 0;
    }
    return 1;
}

/* What is left of the last run. */
void device_start(void) {
    uint32_t generation;
    size_t len;
    int status = iotkm_posix_store_read(&store, NAMES, (uint8_t *)&names, sizeof names, &len);
    if (status == IOTKM_STORE_EMPTY) {
        printf("ready new\n");
        return;
    }
    must(status, "stored names");
    take_up();
    if (active == NULL) {
        printf("ready new\n");
        ask_for_ticket();
        return;
    }
    must(iotkm_interactive_peer_generation(&peer, &generation), "generation");
    printf("ready %u\n", (unsigned)generation);
    if (!session_restore()) wanted = iotkm_interactive_connect;
}

void device_end(void) {
    if (active) must(iotkm_wipe(active), "wipe");
    if (active) must(iotkm_interactive_peer_wipe(&peer), "wipe");
    if (names.own[0]) must(iotkm_wallet_wipe(&wallet), "wipe");
    if (names.own[0]) must(iotkm_static_key_wipe(&key), "wipe");
}
