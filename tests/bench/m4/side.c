#include "side.h"
#include "bench.h"

#include <string.h>

static const uint8_t secret[32] = "a device's own, for measuring";

/* Repeatable and worthless as randomness. */
static int fill(void *ctx, uint8_t *out, size_t length)
{
    static uint32_t state = 1;
    (void)ctx;
    while (length-- > 0) {
        state = state * 1664525u + 1013904223u;
        *out++ = (uint8_t)(state >> 24);
    }
    return 0;
}

static int store(void *ctx, uint16_t slot, const uint8_t *bytes, size_t length)
{
    struct side *side = ctx;
    (void)slot;
    bench_expect(length <= sizeof side->slot);
    memcpy(side->slot, bytes, length);
    side->stored++;
    return 0;
}

static int put(void *ctx, const iotkm_addr *to, const uint8_t *bytes, size_t length)
{
    struct side *side = ctx;
    (void)to;
    bench_expect(side->sent < WIRE && length <= DATAGRAM);
    side->wire[side->sent].length = length;
    memcpy(side->wire[side->sent++].bytes, bytes, length);
    return 0;
}

static void happened(void *ctx, const iotkm_event *event)
{
    struct side *side = ctx;
    side->established += event->kind == IOTKM_EVENT_ESTABLISHED;
    side->authenticated += event->kind == IOTKM_EVENT_AUTHENTICATED;
    side->paired += event->kind == IOTKM_EVENT_PAIRED;
}

void side_init(struct side *side, char peer)
{
    memset(side, 0, sizeof *side);
    side->peer_addr = (iotkm_addr) { 1, { (uint8_t)peer } };
    side->platform = (iotkm_platform) { .struct_size = sizeof side->platform, .device_secret = secret, .random = fill,
                                        .store_write = store, .store_ctx = side, .send = put, .send_ctx = side,
                                        .event = happened, .event_ctx = side };
    side->cx = (iotkm_cx) { .platform = &side->platform, .now_ms = 1000 };
}

void side_drain(struct side *side)
{
    static uint8_t buffer[DATAGRAM];
    bench_expect(iotkm_drain(&side->association, &side->cx, buffer, sizeof buffer, &side->wake_at) == IOTKM_OK);
}

size_t side_receive(struct side *side, uint8_t *datagram, size_t length)
{
    iotkm_received received;
    bench_expect(iotkm_receive(&side->association, &side->cx, &side->peer_addr, datagram, length, &received) == IOTKM_OK);
    side_drain(side);
    return received.payload ? received.payload_len : 0;
}

unsigned side_take_all(struct side *side, struct side *from)
{
    unsigned count = from->sent;
    from->sent = 0;
    for (unsigned i = 0; i < count; i++)
        side_receive(side, from->wire[i].bytes, from->wire[i].length);
    return count;
}
