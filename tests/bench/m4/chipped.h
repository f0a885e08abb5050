/* The device's side of the microcert scheme for measuring. */
#ifndef CHIPPED_H
#define CHIPPED_H

#include "side.h"

enum { CLOCK = 1800000000 }; /* s since 1970 */

struct chipped {
    struct side side;
    iotkm_chip chip;
    iotkm_microcert_memory memory;
};

/* Sets the hooks up. */
void chipped_init(struct chipped *chipped);

/* Opens an association of a chip that is set up. */
void chipped_open(struct chipped *chipped, const iotkm_suite *suite);

#endif
