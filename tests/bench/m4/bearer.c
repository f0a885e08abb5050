#include "bearer.h"
#include "bench.h"

#include <string.h>

void bearer_init(struct bearer *bearer, const char *name, const char *peer, const iotkm_agent *agent, const iotkm_kem *kem)
{
    uint8_t scalar[32];
    memset(bearer, 0, sizeof *bearer);
    memset(scalar, name[0], sizeof scalar);
    side_init(&bearer->side, peer[0]);
    bearer->side.platform.public_key = iotkm_static_key_public_key;
    bearer->side.platform.agree = iotkm_static_key_agree;
    bearer->side.platform.keys_ctx = &bearer->key;
    bench_expect(iotkm_static_key_import(&bearer->key, KEY, kem, scalar) == IOTKM_OK);
    bench_expect(iotkm_wallet_init(&bearer->wallet, agent, name, bearer->purse, IOTKM_TICKET_MAX, LIST) == IOTKM_OK);
    bench_expect(iotkm_interactive_peer_init(&bearer->peer, 1, name, peer, NULL) == IOTKM_OK);
}

static iotkm_interactive_setup setup(const iotkm_kem *kem, const iotkm_suite *const *suite)
{
    return (iotkm_interactive_setup) { .struct_size = sizeof(iotkm_interactive_setup), .kem = kem, .suites = suite,
                                       .suite_count = 1, .key = KEY };
}

static const iotkm_config config = { .struct_size = sizeof config, .mtu = DATAGRAM };

void bearer_open_leaf(struct bearer *bearer, const iotkm_kem *kem, const iotkm_suite *const *suite)
{
    iotkm_interactive_setup with = setup(kem, suite);
    bench_expect(iotkm_interactive_open_leaf(&bearer->side.association, &bearer->peer, &bearer->wallet, &with, &config,
                                             &bearer->small) == IOTKM_OK);
}

void bearer_open(struct bearer *bearer, const iotkm_kem *kem, const iotkm_suite *const *suite)
{
    iotkm_interactive_setup with = setup(kem, suite);
    bench_expect(iotkm_interactive_open(&bearer->side.association, &bearer->peer, &bearer->wallet, &with, &config,
                                        &bearer->memory) == IOTKM_OK);
}

void bearer_connect(struct bearer *bearer)
{
    struct side *side = &bearer->side;
    bench_expect(iotkm_interactive_connect(&side->association, &side->cx, &side->peer_addr) == IOTKM_OK);
    side_drain(side);
}
