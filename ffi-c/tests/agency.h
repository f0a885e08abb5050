/* A ticket agent, for the tests of those who see to tickets. */
#ifndef AGENCY_H
#define AGENCY_H

#include "pair.h"

enum { CANARY = 0xa5, LIST = IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 4, AGENTS = 3 };
static const uint64_t NOW = UINT64_C(1800000000), DAY = 86400;

static side s, other;
static uint8_t seed[32], agent_key[IOTKM_AGENT_KEY_MAX], device_key[32];
static iotkm_agent agent;

static int is_all(const void *memory, int byte, size_t len) {
    const uint8_t *p = (const uint8_t *)memory;
    while (len--) {
        if (*p++ != byte) return 0;
    }
    return 1;
}

static void an_agent(void) {
    memset(seed, 7, sizeof seed);
    memset(device_key, 9, sizeof device_key);
    OK(iotkm_signing_public_key(&iotkm_signing_eddsa, seed, agent_key, sizeof agent_key, &agent.key_len));
    agent.name = "acme";
    agent.signature = &iotkm_eddsa;
    agent.key = agent_key;
}

static iotkm_ticket_message request_of(const char *subject, uint64_t lifetime_s) {
    iotkm_ticket_message message;
    memset(&message, 0, sizeof message);
    message.kind = IOTKM_TICKET_MESSAGE_REQUEST;
    message.curve = IOTKM_CURVE_X25519;
    strcpy(message.subject, subject);
    message.key = device_key;
    message.key_len = sizeof device_key;
    message.lifetime_s = lifetime_s;
    return message;
}

/* Issues a ticket of the agent's next number. */
static size_t issue(iotkm_ticket_agent *a, const char *subject, uint64_t now, uint64_t life, uint8_t *out) {
    iotkm_ticket_message request = request_of(subject, life);
    size_t len;
    OK(iotkm_ticket_agent_issue(a, &iotkm_signing_eddsa, seed, now, &request, out, IOTKM_TICKET_MAX, &len));
    return len;
}

#endif
