/* What a device links: one side of the noninteractive scheme under SUITE, with a key of KEM, whose operator signs its revocation
   lists with SIGNATURE, whose keys have KEY_LENGTH bytes. It is linked for its size; it also runs, as far as one side gets without
   a credential. */
#include "agent_key.h"
#include "bench.h"
#include "enrolled.h"

static struct enrolled device;

static void life(void)
{
    static const uint8_t key[32] = { 1 };
    static const iotkm_agent lists = { .name = "office", .signature = &SIGNATURE, .key = agent_key, .key_len = KEY_LENGTH };
    static const iotkm_credential_operator office = { .suite = &SUITE, .agent = &lists, .key = key, .key_len = sizeof key };
    static uint8_t request[IOTKM_CREDENTIAL_REQUEST_MAX], datagram[DATAGRAM];
    struct side *side = &device.side;
    size_t length = enrolled_ask(&device, "device", &office, &KEM, request);
    iotkm_addr to;
    bench_expect(!enrolled_accept(&device, request, length));
    enrolled_open(&device, "device", "hub", &SUITE);
    bench_expect(enrolled_connect(&device) == IOTKM_E_NO_CREDENTIAL);
    side_receive(side, datagram, 64);
    bench_expect(iotkm_timeout(&side->association, &side->cx) == IOTKM_OK);
    bench_expect(iotkm_send(&side->association, &side->cx, datagram, 1, datagram + 1, DATAGRAM - 1, &length, &to)
                 == IOTKM_E_NOT_ESTABLISHED);
}

const struct bench benches[] = { { "device.start", life, 0 }, { 0 } };
