#include "holder.h"
#include "bench.h"

#include <string.h>

void holder_init(struct holder *holder, const char *name, const char *peer, const iotkm_agent *agent, const iotkm_kem *kem)
{
    uint8_t scalar[32];
    memset(holder, 0, sizeof *holder);
    memset(scalar, name[0], sizeof scalar);
    side_init(&holder->side, peer[0]);
    holder->side.platform.public_key = iotkm_static_key_public_key;
    holder->side.platform.agree = iotkm_static_key_agree;
    holder->side.platform.keys_ctx = &holder->key;
    bench_expect(iotkm_static_key_import(&holder->key, KEY, kem, scalar) == IOTKM_OK);
    bench_expect(iotkm_wallet_init(&holder->wallet, agent, name, holder->purse, IOTKM_TICKET_MAX, LIST) == IOTKM_OK);
    bench_expect(iotkm_interactive_peer_init(&holder->peer, 1, name, peer, NULL) == IOTKM_OK);
}

static iotkm_interactive_setup setup(const iotkm_kem *kem, const iotkm_suite *const *suite)
{
    return (iotkm_interactive_setup) { .struct_size = sizeof(iotkm_interactive_setup), .kem = kem, .suites = suite,
                                       .suite_count = 1, .key = KEY };
}

static const iotkm_config config = { .struct_size = sizeof config, .mtu = DATAGRAM };

void holder_open_leaf(struct holder *holder, const iotkm_kem *kem, const iotkm_suite *const *suite)
{
    iotkm_interactive_setup with = setup(kem, suite);
    bench_expect(iotkm_interactive_open_leaf(&holder->side.association, &holder->peer, &holder->wallet, &with, &config,
                                             &holder->small) == IOTKM_OK);
}

void holder_open(struct holder *holder, const iotkm_kem *kem, const iotkm_suite *const *suite)
{
    iotkm_interactive_setup with = setup(kem, suite);
    bench_expect(iotkm_interactive_open(&holder->side.association, &holder->peer, &holder->wallet, &with, &config,
                                        &holder->memory) == IOTKM_OK);
}

void holder_connect(struct holder *holder)
{
    struct side *side = &holder->side;
    bench_expect(iotkm_interactive_connect(&side->association, &side->cx, &side->peer_addr) == IOTKM_OK);
    side_drain(side);
}
