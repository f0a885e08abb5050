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

/* iotkm_microcert_open() or iotkm_microcert_open_leaf(). */
typedef int chipped_opener(iotkm_association *, iotkm_chip *, const iotkm_suite *, const iotkm_config *, iotkm_microcert_memory *);

/* Opens an association of a chip that is set up. */
void chipped_open(struct chipped *chipped, chipped_opener *open, const iotkm_suite *suite);

#endif
