/* The device of the demo's first part: pairs with a hub, sends it what this machine measures, renews keys, survives a power cut.
 *
 * Its buttons: `pair SECRET`, `connect`, `read`, `update`, `close`. */
#include "device.h"

#include <stdio.h>
#include <string.h>

enum { HUB = 1, ATTEMPTS = 2, ENTRIES = 48 }; /* slots; messages that the log holds */

const char device_place[] = "kitchen";

static iotkm_history_pairing pairing;
static iotkm_history_peer peer;
static iotkm_history_entry entries[ENTRIES];
static iotkm_history_memory memory;
static iotkm_association association;

static int paired, changed, ended, resume_failed; /* what an event said, for after the drain */

void device_event(const iotkm_event *event) {
    switch (event->kind) {
    case IOTKM_EVENT_PAIRED: paired = 1; break;
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

static void open_association(void) {
    must(iotkm_history_open(&association, &peer, entries, ENTRIES, &iotkm_suite_0, NULL, &memory), "open");
    active = &association;
}

/* Sends and stores what waits, then does what the events ask for. */
uint64_t device_drain(void) {
    uint64_t wake_at = IOTKM_NEVER;
    if (active == NULL) return wake_at;
    must(iotkm_drain(active, &cx, buffer, sizeof buffer, &wake_at), "drain");
    if (ended) { /* a session that has ended is not to be resumed */
        ended = 0;
        session_forget();
    }
    if (changed && iotkm_is_established(active) == 1) { /* to go on from here after a power cut */
        changed = 0;
        session_store();
    }
    if (paired) {
        paired = 0;
        must(iotkm_history_pairing_take_peer(&pairing, &peer), "peer");
        must(iotkm_wipe(&pairing.association), "wipe");
        open_association();
        return device_drain();
    }
    if (resume_failed) {
        resume_failed = 0;
        must(iotkm_history_connect(active, &cx, &hub), "connect");
        return device_drain();
    }
    return wake_at;
}

void device_heard(const uint8_t *payload, size_t len) { printf("heard %.*s\n", (int)len, (const char *)payload); }

static void pair(const char *secret) {
    iotkm_history_id id = {6, "device"};
    must(iotkm_history_pairing_open(&pairing, &id, &iotkm_suite_0, &iotkm_cpace_ristretto255, HUB, ATTEMPTS, NULL), "pairing");
    must(iotkm_history_pairing_load_attempts(&pairing, &cx, ATTEMPTS), "attempts");
    must(iotkm_history_pairing_start(&pairing, &cx, &hub, (const uint8_t *)secret, strlen(secret)), "pairing");
    active = &pairing.association;
}

int device_press(const char *button) {
    if (strncmp(button, "pair ", 5) == 0) pair(button + 5);
    else if (active == NULL) must(IOTKM_E_WRONG_STATE, "pair first");
    else if (strcmp(button, "connect") == 0) must(iotkm_history_connect(active, &cx, &hub), "connect");
    else if (strcmp(button, "update") == 0) must(iotkm_history_update(active, &cx), "update");
    else return 0;
    return 1;
}

/* What is left of the last run: the peer, and its session where there was one. */
void device_start(void) {
    uint32_t generation;
    int status = iotkm_history_peer_load(&peer, &cx, HUB);
    if (status == IOTKM_E_EMPTY) {
        printf("ready new\n");
        return;
    }
    must(status, "stored keys");
    must(iotkm_history_peer_generation(&peer, &generation), "generation");
    printf("ready %u\n", (unsigned)generation);
    open_association();
    if (!session_restore()) must(iotkm_history_connect(active, &cx, &hub), "connect");
}

void device_end(void) {
    if (active) must(iotkm_wipe(active), "wipe");
}
