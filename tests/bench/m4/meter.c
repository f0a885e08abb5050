/* What a device links: the microcert scheme under SUITE, with a chip that is in its slots; with SESSIONS all of it, else a leaf, which
   with SIGNS signs, too; with ENROLS also what makes a chip. It is linked for its size; it also runs, as far as one side gets without
   a chip. */
#include "bench.h"
#include "chipped.h"

#ifdef SESSIONS
#define OPEN iotkm_microcert_open
#else
#define OPEN iotkm_microcert_open_leaf
#endif

static struct chipped device;

static void life(void)
{
    static uint8_t datagram[DATAGRAM], work[IOTKM_CHIP_WORK];
    struct side *side = &device.side;
    size_t length;
    iotkm_addr to;
    chipped_init(&device);
#ifdef ENROLS
    bench_expect(iotkm_chip_enrol(&device.chip, &side->cx, 1, 2, datagram, 50) == IOTKM_E_BAD_ARGUMENT);
    bench_expect(iotkm_chip_store(&device.chip, &side->cx, work, sizeof work) == IOTKM_E_NOT_SET_UP);
    bench_expect(iotkm_chip_deposit(&device.chip, datagram, sizeof datagram, &length) == IOTKM_E_NOT_SET_UP);
#endif
    bench_expect(iotkm_chip_load(&device.chip, &side->cx, 1, 2, work, sizeof work) == IOTKM_E_HOOK);
    bench_expect(OPEN(&side->association, &device.chip, &SUITE, 0, &device.memory) == IOTKM_E_NOT_SET_UP);
    bench_expect(iotkm_microcert_authenticate(&side->association, &side->cx, &side->peer_addr) == IOTKM_E_NOT_SET_UP);
    bench_expect(iotkm_receive(&side->association, &side->cx, &side->peer_addr, datagram, 64, &(iotkm_received) { 0 })
                 == IOTKM_E_NOT_SET_UP);
    bench_expect(iotkm_timeout(&side->association, &side->cx) == IOTKM_E_NOT_SET_UP);
    bench_expect(iotkm_drain(&side->association, &side->cx, datagram, sizeof datagram, &side->wake_at) == IOTKM_E_NOT_SET_UP);
#ifdef SIGNS
    bench_expect(iotkm_microcert_sign(&side->association, &side->cx, work, 8, datagram, sizeof datagram, &length)
                 == IOTKM_E_NOT_SET_UP);
#endif
#ifdef SESSIONS
    bench_expect(iotkm_microcert_connect(&side->association, &side->cx, &side->peer_addr) == IOTKM_E_NOT_SET_UP);
    bench_expect(iotkm_send(&side->association, &side->cx, datagram, 1, datagram + 1, DATAGRAM - 1, &length, &to)
                 == IOTKM_E_NOT_SET_UP);
#endif
    (void)length, (void)to;
}

const struct bench benches[] = { { "device.start", life, 0 }, { 0 } };
