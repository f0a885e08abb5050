/* What a device links: one side of the interactive scheme under KEM and SUITE, with tickets of an agent that signs with
   SIGNATURE, whose keys have KEY_LENGTH bytes. It is linked for its size; it also runs, as far as one side gets without a
   ticket. */
#include "bench.h"
#include "holder.h"

static struct holder device;

static void life(void)
{
    static const iotkm_suite *const suite = &SUITE;
    static const uint8_t agent_key[] = { /* any point of P-256; its front stands for a key of Ed25519 */
        0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2,
        0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
        0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16,
        0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
    };
    static const iotkm_agent agent = { .name = "agent", .signature = &SIGNATURE, .key = agent_key, .key_len = KEY_LENGTH };
    static uint8_t datagram[DATAGRAM];
    struct side *side = &device.side;
    size_t length;
    iotkm_addr to;
    holder_init(&device, "device", "hub", &agent, &KEM);
    bench_expect(iotkm_wallet_install(&device.wallet, &side->cx, datagram, 200, NULL) < 0);
    holder_open_leaf(&device, &KEM, &suite);
    bench_expect(iotkm_interactive_connect(&side->association, &side->cx, &side->peer_addr) == IOTKM_E_NO_CREDENTIAL);
    side_receive(side, datagram, sizeof datagram);
    bench_expect(iotkm_timeout(&side->association, &side->cx) == IOTKM_OK);
    bench_expect(iotkm_send(&side->association, &side->cx, datagram, 1, datagram + 1, DATAGRAM - 1, &length, &to)
                 == IOTKM_E_NOT_ESTABLISHED);
}

const struct bench benches[] = { { "device.start", life, 0 }, { 0 } };
