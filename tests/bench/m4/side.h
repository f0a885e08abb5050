/* One side of the history scheme for measuring: provisioned keys, hooks into RAM, a wire that is a buffer. */
#ifndef SIDE_H
#define SIDE_H

#include <iotkm.h>

enum { MTU = 256, ENTRIES = 12, WIRE = 4, SLOT_MAX = 352 };

struct side {
    iotkm_association association;
    iotkm_history_peer peer;
    iotkm_history_entry entries[ENTRIES];
    iotkm_history_memory_small memory;
    iotkm_platform platform;
    iotkm_cx cx;
    iotkm_addr peer_addr;
    uint64_t wake_at;
    unsigned sent, established, paired, stored;
    struct {
        size_t length;
        uint8_t bytes[MTU];
    } wire[WIRE]; /* what this side sent and nobody took yet */
    uint8_t slot[SLOT_MAX];
};

/* Sets a side up, whose name is one letter, with the triple that both are given. */
void side_init(struct side *side, char name, char peer, const iotkm_suite *suite);

/* Sends and stores what waits. */
void side_drain(struct side *side);

/* Takes in one datagram and drains. The payload's length, 0 where there is none. */
size_t side_receive(struct side *side, uint8_t *datagram, size_t length);

void side_connect(struct side *side);

#endif
