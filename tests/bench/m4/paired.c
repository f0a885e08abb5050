#include "paired.h"
#include "bench.h"

#include <string.h>

void paired_init(struct paired *paired, char name, char peer, const iotkm_suite *suite)
{
    const iotkm_history_id own = { 1, { (uint8_t)name } }, other = { 1, { (uint8_t)peer } };
    const iotkm_history_triple triple = { { 1 }, { 2 }, { 3 } };
    const iotkm_config config = { .struct_size = sizeof config, .mtu = MTU };
    iotkm_association *association = &paired->side.association;
    memset(paired, 0, sizeof *paired);
    side_init(&paired->side, peer);
    bench_expect(iotkm_history_peer_provision(&paired->peer, 1, &own, &other, suite, &triple) == IOTKM_OK);
#ifdef LEAF
    bench_expect(iotkm_history_open_leaf(association, &paired->peer, suite, &config, &paired->memory) == IOTKM_OK);
#else
    bench_expect(iotkm_history_open_small(association, &paired->peer, paired->entries, ENTRIES, suite, &config, &paired->memory)
                 == IOTKM_OK);
#endif
}

void paired_connect(struct paired *paired)
{
    struct side *side = &paired->side;
    bench_expect(iotkm_history_connect(&side->association, &side->cx, &side->peer_addr) == IOTKM_OK);
    side_drain(side);
}
