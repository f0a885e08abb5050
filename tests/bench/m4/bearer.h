/* One side of the interactive scheme for measuring: a static key, a wallet. */
#ifndef BEARER_H
#define BEARER_H

#include "side.h"

enum { KEY = 1, LIST = IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 16 };

struct bearer {
    struct side side;
    iotkm_interactive_peer peer;
    iotkm_interactive_memory memory;
    iotkm_interactive_memory_small small;
    iotkm_static_key key;
    iotkm_wallet wallet;
    uint8_t purse[2 * IOTKM_TICKET_MAX + LIST];
};

/* Sets a side up whose name is a word, with an empty wallet. */
void bearer_init(struct bearer *bearer, const char *name, const char *peer, const iotkm_agent *agent, const iotkm_kem *kem);

/* Opens it for one suite: as a device that connects to its hub, or in full. `suite` is lent. */
void bearer_open_leaf(struct bearer *bearer, const iotkm_kem *kem, const iotkm_suite *const *suite);
void bearer_open(struct bearer *bearer, const iotkm_kem *kem, const iotkm_suite *const *suite);

void bearer_connect(struct bearer *bearer);

#endif
