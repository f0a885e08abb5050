/* The history scheme, both sides on one board: the exchange without and with Diffie-Hellman, pairing, and 64-byte records. */
#include "bench.h"
#include "paired.h"

#include <string.h>

static struct paired device, hub;

static void exchange(void)
{
    paired_connect(&device);
    while (side_take_all(&hub.side, &device.side) + side_take_all(&device.side, &hub.side) > 0) { }
    bench_expect(device.side.established == 1 && hub.side.established == 1 && device.side.stored > 0);
}

static void both(const iotkm_suite *suite)
{
    paired_init(&device, 'd', 'h', suite);
    paired_init(&hub, 'h', 'd', suite);
}

static void symmetric(void) { both(&iotkm_suite_4_symmetric); }
static void with_aes(void) { both(&iotkm_suite_0_symmetric); }
static void with_x25519(void) { both(&iotkm_suite_4); }
static void with_p256(void) { both(&iotkm_suite_2); }

/* ---- pairing: the hub's window is open ---- */

static iotkm_history_pairing pairing[2];

static void pairing_drain(unsigned who, struct side *side)
{
    static uint8_t buffer[SLOT_MAX];
    bench_expect(iotkm_drain(&pairing[who].association, &side->cx, buffer, sizeof buffer, &side->wake_at) == IOTKM_OK);
}

static unsigned pairing_take_all(struct side *from, unsigned who, struct side *to)
{
    unsigned count = from->sent;
    from->sent = 0;
    for (unsigned i = 0; i < count; i++) {
        iotkm_received received;
        bench_expect(iotkm_receive(&pairing[who].association, &to->cx, &to->peer_addr, from->wire[i].bytes, from->wire[i].length,
                                   &received) == IOTKM_OK);
        pairing_drain(who, to);
    }
    return count;
}

static void pairings(void)
{
    const iotkm_history_id ids[] = { { 1, { 'd' } }, { 1, { 'h' } } };
    const iotkm_config config = { .struct_size = sizeof config, .mtu = MTU };
    symmetric();
    for (unsigned i = 0; i < 2; i++)
        bench_expect(iotkm_history_pairing_open(&pairing[i], &ids[i], &iotkm_suite_4_symmetric, &iotkm_cpace_ristretto255, 1, 2,
                                                &config) == IOTKM_OK);
}

static void pair(void)
{
    static const uint8_t sk[] = "correct horse";
    bench_expect(iotkm_history_pairing_listen(&pairing[1], &hub.side.cx, sk, sizeof sk - 1, 60000) == IOTKM_OK);
    pairing_drain(1, &hub.side);
    bench_expect(iotkm_history_pairing_start(&pairing[0], &device.side.cx, &device.side.peer_addr, sk, sizeof sk - 1) == IOTKM_OK);
    pairing_drain(0, &device.side);
    while (pairing_take_all(&device.side, 1, &hub.side) + pairing_take_all(&hub.side, 0, &device.side) > 0) { }
    bench_expect(device.side.paired == 1 && hub.side.paired == 1 && device.side.stored > 0 && hub.side.stored > 0);
}

/* ---- records ---- */

static uint8_t record[MTU];
static size_t record_length;

static void seal(void)
{
    static const uint8_t plain[64] = "64 bytes";
    iotkm_addr to;
    bench_expect(iotkm_send(&device.side.association, &device.side.cx, plain, sizeof plain, record, sizeof record, &record_length, &to)
                 == IOTKM_OK);
}

static void open(void)
{
    iotkm_received received;
    bench_expect(iotkm_receive(&hub.side.association, &hub.side.cx, &hub.side.peer_addr, record, record_length, &received) == IOTKM_OK);
    bench_expect(received.payload_len == 64 && memcmp(received.payload, "64 bytes", 9) == 0);
}

/* A first record each: it hashes the place for the log, the next ones do not while the device stays where it is. */
static void session_with(void (*sides)(void))
{
    sides();
    exchange();
    seal();
    open();
}

static void session(void) { session_with(symmetric); }
static void session_aes(void) { session_with(with_aes); }

const struct bench benches[] = {
    { "history.symmetric", exchange, symmetric },
    { "history.aes", exchange, with_aes },
    { "history.dh.x25519", exchange, with_x25519 },
    { "history.dh.p256", exchange, with_p256 },
    { "history.cpace", pair, pairings },
    { "record.suite_4.seal64", seal, session },
    { "record.suite_4.open64", open, 0 },
    { "record.suite_0.seal64", seal, session_aes },
    { "record.suite_0.open64", open, 0 },
    { 0 },
};
