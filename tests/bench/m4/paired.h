/* One side of the history scheme for measuring, with provisioned keys. */
#ifndef PAIRED_H
#define PAIRED_H

#include "side.h"

enum { MTU = 256, ENTRIES = 12 };

struct paired {
    struct side side;
    iotkm_history_peer peer;
    iotkm_history_entry entries[ENTRIES];
    iotkm_history_memory_small memory;
};

/* Sets a side up, whose name is one letter, with the triple that both are given. */
void paired_init(struct paired *paired, char name, char peer, const iotkm_suite *suite);

void paired_connect(struct paired *paired);

#endif
