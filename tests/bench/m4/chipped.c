#include "chipped.h"
#include "bench.h"

#include <string.h>

void chipped_init(struct chipped *chipped)
{
    memset(chipped, 0, sizeof *chipped);
    side_init(&chipped->side, 'c');
    chipped->side.cx.wall_ms = UINT64_C(1000) * CLOCK;
}

void chipped_open(struct chipped *chipped, chipped_opener *open, const iotkm_suite *suite)
{
    const iotkm_config config = { .struct_size = sizeof config, .mtu = IOTKM_MICROCERT_MTU_MIN };
    bench_expect(open(&chipped->side.association, &chipped->chip, suite, &config, &chipped->memory) == IOTKM_OK);
}
