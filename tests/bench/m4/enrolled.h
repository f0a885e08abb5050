/* One side of the noninteractive scheme for measuring: a self-certified key. */
#ifndef ENROLLED_H
#define ENROLLED_H

#include "side.h"

enum { CREDENTIAL_KEY = 1, INTERVAL_S = 60 };

struct enrolled {
    struct side side;
    iotkm_noninteractive_peer peer;
    iotkm_noninteractive_memory_small memory;
    iotkm_static_key half, key;
    iotkm_holder holder;
    uint8_t purse[IOTKM_HOLDER_MEMORY + IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 16];
};

/* Sets a side up whose name is a word, with half of a key, and asks for a credential; the length of what it asks. */
size_t enrolled_ask(struct enrolled *enrolled, const char *name, const iotkm_credential_operator *office, const iotkm_kem *kem,
                    uint8_t request[IOTKM_CREDENTIAL_REQUEST_MAX]);

/* Takes the answer; whether it is any good. */
bool enrolled_accept(struct enrolled *enrolled, const uint8_t *answer, size_t length);

void enrolled_open(struct enrolled *enrolled, const char *name, const char *peer, const iotkm_noninteractive_suite *suite);
int enrolled_connect(struct enrolled *enrolled);

#endif
