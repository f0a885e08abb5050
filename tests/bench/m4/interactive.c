/* The interactive scheme, a device that connects and its hub on one board, what each of them takes: both phases, X25519 and
   P-256. What the device sends when it has the PMK, K1, is the first of phase 2 and in phase 1 too. */
#include "bench.h"
#include "bearer.h"
#include "semihost.h"

#include <string.h>

static struct bearer device, hub;
static uint8_t agent_key[IOTKM_AGENT_KEY_MAX];
static iotkm_agent agent = { .name = "agent", .key = agent_key };
static const iotkm_signing *signing;
static const uint8_t secret[32] = { 9 }; /* the agent's */

static void issue(struct bearer *bearer, const char *name, uint32_t serial, int curve)
{
    static uint8_t ticket[IOTKM_TICKET_MAX], share[32];
    const iotkm_claims claims = { .issuer = agent.name, .subject = name, .issued_at = 1800000000, .expires = 1900000000,
                                  .serial = serial, .curve = curve, .key = share, .key_len = sizeof share };
    size_t length;
    bench_expect(iotkm_static_key_public_key(&bearer->key, KEY, curve, share, sizeof share) == 0);
    bench_expect(iotkm_ticket_issue(signing, secret, &claims, ticket, sizeof ticket, &length) == IOTKM_OK);
    bench_expect(iotkm_wallet_install(&bearer->wallet, &bearer->side.cx, ticket, length, NULL) == IOTKM_OK);
}

static void strangers(const iotkm_kem *kem, int curve, const iotkm_suite *const *suite)
{
    bench_expect(iotkm_signing_public_key(signing, secret, agent_key, sizeof agent_key, &agent.key_len) == IOTKM_OK);
    bearer_init(&device, "device", "hub", &agent, kem);
    bearer_init(&hub, "hub", "device", &agent, kem);
    issue(&device, "device", 1, curve);
    issue(&hub, "hub", 2, curve);
    bearer_open_leaf(&device, kem, suite);
    bearer_open(&hub, kem, suite);
}

static void strangers_x25519(void)
{
    static const iotkm_suite *const suite = &iotkm_suite_4;
    agent.signature = &iotkm_eddsa;
    signing = &iotkm_signing_eddsa;
    strangers(&iotkm_x25519, IOTKM_CURVE_X25519, &suite);
}

static void strangers_p256(void)
{
    static const iotkm_suite *const suite = &iotkm_suite_2;
    agent.signature = &iotkm_es256;
    signing = &iotkm_signing_es256;
    strangers(&iotkm_p256, IOTKM_CURVE_P256, &suite);
}

static void device_connects(void) { bearer_connect(&device); }
static void device_turn(void) { bench_expect(side_take_all(&device.side, &hub.side) == 1); }
static void hub_turn(void) { bench_expect(side_take_all(&hub.side, &device.side) == 1); }

static void device_authenticates(void)
{
    struct side *side = &device.side;
    bench_expect(iotkm_interactive_authenticate(&side->association, &side->cx, &side->peer_addr) == IOTKM_OK);
    side_drain(side);
}

/* M1 to M4, or K1 to K4, once it has been started. */
static void answered(void)
{
    bench_aside(hub_turn);
    device_turn();
    bench_aside(hub_turn);
    device_turn();
}

static void phase1_by_value(void)
{
    device_connects();
    answered();
}

static void phase1_by_reference(void)
{
    device_authenticates();
    answered();
}

static void phase2(void)
{
    unsigned before = device.side.established;
    device_connects();
    answered();
    bench_expect(device.side.established == before + 1 && hub.side.established == before + 1);
}

static void hub_answers(void)
{
    hub_turn();
    bench_aside(device_turn);
    hub_turn();
    bench_aside(device_turn);
}

static void both_phases(void)
{
    phase1_by_value();
    answered();
    bench_expect(device.side.established == 1 && hub.side.established == 1);
}

static void met_x25519(void)
{
    strangers_x25519();
    both_phases();
}

/* The bytes of the device's association that are ever written: there is room for a larger one of another kind. */
static void established(void)
{
    static const iotkm_suite *const suite = &iotkm_suite_4;
    uint8_t *bytes = (uint8_t *)&device.side.association;
    uint32_t size = sizeof device.side.association;
    strangers_x25519();
    bench_expect(iotkm_wipe(&device.side.association) == IOTKM_OK);
    memset(bytes, 0xA5, size);
    bearer_open_leaf(&device, &iotkm_x25519, &suite);
    both_phases();
    while (size > 0 && bytes[size - 1] == 0xA5)
        size--;
    semihost_result("interactive.ram", size, "B");
}

static void met_p256(void)
{
    strangers_p256();
    both_phases();
}

static void connecting_x25519(void)
{
    strangers_x25519();
    device_connects();
}

static void connecting_p256(void)
{
    strangers_p256();
    device_connects();
}

static void met_connecting_x25519(void)
{
    met_x25519();
    device_connects();
}

static void met_connecting_p256(void)
{
    met_p256();
    device_connects();
}

const struct bench benches[] = {
    { "interactive.x25519", both_phases, strangers_x25519 },
    { "interactive.p256", both_phases, strangers_p256 },
    { "interactive.phase1.x25519.value", phase1_by_value, strangers_x25519 },
    { "interactive.phase1.x25519.value.hub", hub_answers, connecting_x25519 },
    { "interactive.phase1.x25519.reference", phase1_by_reference, met_x25519 },
    { "interactive.phase2.x25519", phase2, established },
    { "interactive.phase2.x25519.hub", hub_answers, met_connecting_x25519 },
    { "interactive.phase1.p256.value", phase1_by_value, strangers_p256 },
    { "interactive.phase1.p256.value.hub", hub_answers, connecting_p256 },
    { "interactive.phase1.p256.reference", phase1_by_reference, met_p256 },
    { "interactive.phase2.p256", phase2, met_p256 },
    { "interactive.phase2.p256.hub", hub_answers, met_connecting_p256 },
    { 0 },
};
