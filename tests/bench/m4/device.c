/* What a device links: one side of the history scheme under SUITE, with provisioned keys, or under PAIRING with first contact.
   It is linked for its size; it also runs, as far as one side gets alone. */
#include "bench.h"
#include "paired.h"

static struct paired device;

#ifdef PAIRING
static void first_contact(void)
{
    static iotkm_history_pairing pairing;
    const iotkm_history_id own = { 1, { 'd' } };
    static uint8_t out[MTU];
    bench_expect(iotkm_history_pairing_open(&pairing, &own, &SUITE, &PAIRING, 1, 2, 0) == IOTKM_OK);
    bench_expect(iotkm_history_pairing_listen(&pairing, &device.side.cx, (const uint8_t *)"secret", 6, 60000) == IOTKM_OK);
    bench_expect(iotkm_drain(&pairing.association, &device.side.cx, out, sizeof out, &device.side.wake_at) == IOTKM_OK);
    bench_expect(iotkm_history_pairing_take_peer(&pairing, &device.peer) == IOTKM_E_WRONG_STATE);
    bench_expect(iotkm_wipe(&pairing.association) == IOTKM_OK);
}
#endif

static void life(void)
{
    static uint8_t datagram[MTU];
    size_t length;
    iotkm_addr to;
    paired_init(&device, 'd', 'h', &SUITE);
#ifdef PAIRING
    first_contact();
#endif
    paired_connect(&device);
    bench_expect(device.side.sent == 1);
    side_receive(&device.side, datagram, sizeof datagram);
    bench_expect(iotkm_timeout(&device.side.association, &device.side.cx) == IOTKM_OK);
    bench_expect(iotkm_send(&device.side.association, &device.side.cx, datagram, 1, datagram + 1, MTU - 1, &length, &to)
                 == IOTKM_E_NOT_ESTABLISHED);
}

const struct bench benches[] = { { "device.start", life, 0 }, { 0 } };
