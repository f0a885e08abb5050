/* One side of an association for measuring: hooks into RAM, a wire that is a buffer. */
#ifndef SIDE_H
#define SIDE_H

#include <iotkm.h>

enum { WIRE = 4, DATAGRAM = 800, SLOT_MAX = IOTKM_CHIP_SEED_BLOB_MAX };

struct side {
    union {
        iotkm_association association;
        iotkm_noninteractive longer;
    };
    iotkm_platform platform;
    iotkm_cx cx;
    iotkm_addr peer_addr;
    uint64_t wake_at;
    unsigned sent, established, authenticated, paired, stored;
    struct {
        size_t length;
        uint8_t bytes[DATAGRAM];
    } wire[WIRE]; /* what this side sent and nobody took yet */
    uint8_t slot[SLOT_MAX];
};

/* Sets the hooks up, not the association. */
void side_init(struct side *side, char peer);

/* Sends and stores what waits. */
void side_drain(struct side *side);

/* Takes in one datagram and drains. The payload's length, 0 where there is none. */
size_t side_receive(struct side *side, uint8_t *datagram, size_t length);

/* Takes in all that the other side sent; how many that were. */
unsigned side_take_all(struct side *side, struct side *from);

#endif
