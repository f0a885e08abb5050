/* What a device links: one side of the interactive scheme under KEM and SUITE, with tickets of an agent that signs with
   SIGNATURE, whose keys have KEY_LENGTH bytes. It is linked for its size; it also runs, as far as one side gets without a
   ticket. */
#include "agent_key.h"
#include "bench.h"
#include "bearer.h"

static struct bearer device;

static void life(void)
{
    static const iotkm_suite *const suite = &SUITE;
    static const iotkm_agent agent = { .name = "agent", .signature = &SIGNATURE, .key = agent_key, .key_len = KEY_LENGTH };
    static uint8_t datagram[DATAGRAM];
    struct side *side = &device.side;
    size_t length;
    iotkm_addr to;
    bearer_init(&device, "device", "hub", &agent, &KEM);
    bench_expect(iotkm_wallet_install(&device.wallet, &side->cx, datagram, 200, NULL) < 0);
    bearer_open_leaf(&device, &KEM, &suite);
    bench_expect(iotkm_interactive_connect(&side->association, &side->cx, &side->peer_addr) == IOTKM_E_NO_CREDENTIAL);
    side_receive(side, datagram, sizeof datagram);
    bench_expect(iotkm_timeout(&side->association, &side->cx) == IOTKM_OK);
    bench_expect(iotkm_send(&side->association, &side->cx, datagram, 1, datagram + 1, DATAGRAM - 1, &length, &to)
                 == IOTKM_E_NOT_ESTABLISHED);
}

const struct bench benches[] = { { "device.start", life, 0 }, { 0 } };
