/* The noninteractive scheme, a device that connects and its hub on one board, what the device takes: the handshake, and an epoch,
   for which nothing is sent. */
#include "bench.h"
#include "enrolled.h"

static struct enrolled device, hub;
static uint8_t secret[32], key[32], lists_key[IOTKM_AGENT_KEY_MAX];
static iotkm_agent lists = { .name = "office", .signature = &iotkm_eddsa, .key = lists_key, .key_len = 32 };
static iotkm_credential_operator office = { .agent = &lists, .key = key, .key_len = sizeof key };

static void enrol(struct enrolled *side, const char *name, uint32_t serial, const iotkm_kem *kem)
{
    static uint8_t request[IOTKM_CREDENTIAL_REQUEST_MAX], answer[IOTKM_CREDENTIAL_ANSWER_MAX];
    const iotkm_credential_terms terms = { .issuer = "office", .issued_at = 1800000000, .serial = serial, .life_h = 1000 };
    size_t length = enrolled_ask(side, name, &office, kem, request);
    bench_expect(iotkm_credential_issue(&side->side.cx, office.suite, secret, &terms, request, length, answer, sizeof answer,
                                        &length) == IOTKM_OK);
    bench_expect(enrolled_accept(side, answer, length));
}

static void strangers(const iotkm_noninteractive_suite *suite, const iotkm_kem *kem)
{
    static const uint8_t agents[32] = { 9 };
    static struct side clerk;
    office.suite = suite;
    side_init(&clerk, 0);
    bench_expect(iotkm_signing_public_key(&iotkm_signing_eddsa, agents, lists_key, sizeof lists_key, &lists.key_len) == IOTKM_OK);
    bench_expect(iotkm_operator_key_generate(suite, &clerk.cx, secret) == IOTKM_OK);
    bench_expect(iotkm_operator_key_public(suite, secret, key, sizeof key, &office.key_len) == IOTKM_OK);
    enrol(&device, "device", 1, kem);
    enrol(&hub, "hub", 2, kem);
    enrolled_open(&device, "device", "hub", suite);
    enrolled_open(&hub, "hub", "device", suite);
}

static void strangers_ristretto255(void) { strangers(&iotkm_noninteractive_suite_4, &iotkm_growing_ristretto255); }
static void strangers_p256(void) { strangers(&iotkm_noninteractive_suite_2, &iotkm_growing_p256); }

static void hub_turn(void) { side_take_all(&hub.side, &device.side); }

static void wake(struct side *side)
{
    do {
        bench_expect(iotkm_timeout(&side->association, &side->cx) == IOTKM_OK);
        side_drain(side);
    } while (side->wake_at <= side->cx.now_ms);
}

static void handshake(void)
{
    bench_expect(enrolled_connect(&device) == IOTKM_OK);
    side_drain(&device.side);
    do
        bench_aside(hub_turn);
    while (side_take_all(&device.side, &hub.side) > 0);
    bench_expect(device.side.established == 1 && hub.side.established == 1);
}

static void met_ristretto255(void)
{
    strangers_ristretto255();
    handshake();
    wake(&device.side);
}

static void met_p256(void)
{
    strangers_p256();
    handshake();
    wake(&device.side);
}

static void epoch(void)
{
    uint32_t number = 0;
    device.side.cx.now_ms += INTERVAL_S * 1000;
    wake(&device.side);
    bench_expect(iotkm_noninteractive_epoch(&device.side.association, &number) == IOTKM_OK && number == 2);
    bench_expect(device.side.sent == 0);
}

static void both(void)
{
    handshake();
    wake(&device.side);
    epoch();
}

const struct bench benches[] = {
    { "noninteractive.ristretto255", both, strangers_ristretto255 },
    { "noninteractive.p256", both, strangers_p256 },
    { "noninteractive.handshake.ristretto255", handshake, strangers_ristretto255 },
    { "noninteractive.epoch.ristretto255", epoch, met_ristretto255 },
    { "noninteractive.handshake.p256", handshake, strangers_p256 },
    { "noninteractive.epoch.p256", epoch, met_p256 },
    { 0 },
};
