/* The baseline: board and harness without anything to measure. */
#include "bench.h"

const struct bench benches[] = { { 0 } };
