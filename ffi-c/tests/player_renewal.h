/* Plays the vectors of agent and operator (tests/vectors/primitives/renewal.json), after the line of an agent (player_tickets.h)
 * and
 *
 *   G device_secret                                    a ticket agent, its numbers new
 *   H capacity lead retry                              an operator; neither says anything
 *
 * Each of these lines says what came of it:
 *
 *   Y issue now request | revoke now serial,serial... | seal | persisted | restore floor                    the agent's steps
 *   Z knows ticket | ask now | issued ticket | handle device message | forget device                        the operator's
 */
#ifndef PLAYER_RENEWAL_H
#define PLAYER_RENEWAL_H

#include "player_tickets.h"

static struct {
    uint8_t secret[32], blob[IOTKM_TICKET_AGENT_BLOB_MAX], in[IOTKM_TICKET_MAX];
    size_t blob_len;
    iotkm_platform platform;
    iotkm_cx cx;
    iotkm_ticket_agent agent;
    iotkm_operator_entry entries[2];
    iotkm_operator op;
} bureau;

static void set_up_numbers(void) {
    memset(&bureau, 0, sizeof bureau);
    CHECK(unhex(bureau.secret, 32) == 32);
    bureau.platform.struct_size = sizeof bureau.platform;
    bureau.platform.device_secret = bureau.secret;
    bureau.platform.random = given;
    bureau.cx.platform = &bureau.platform;
    OK(iotkm_ticket_agent_init(&bureau.agent, authority.name));
}

static void set_up_operator(void) {
    size_t capacity = (size_t)number();
    uint64_t lead = number(), retry = number();
    CHECK(capacity <= sizeof bureau.entries / sizeof bureau.entries[0]);
    OK(iotkm_operator_init(&bureau.op, bureau.entries, capacity, lead, retry));
}

static void agents_step(void) {
    char verb[16] = {0}, name[IOTKM_NAME_TEXT];
    iotkm_ticket_message request;
    uint32_t revoked[16], version;
    uint64_t now;
    size_t len = 0, count;
    int status = IOTKM_OK;
    strncpy(verb, word(), sizeof verb - 1);
    say(verb);
    if (is(verb, "issue")) {
        now = number();
        OK(iotkm_ticket_message_read(bureau.in, unhex(bureau.in, sizeof bureau.in), &request));
        status = iotkm_ticket_agent_issue(&bureau.agent, signing(), authority.secret, now, &request, object, sizeof object, &len);
    } else if (is(verb, "revoke")) {
        now = number();
        count = serials(revoked);
        status = iotkm_ticket_agent_revoke(&bureau.agent, signing(), authority.secret, now, revoked, count, object, sizeof object, &len);
    } else if (is(verb, "seal")) {
        OK(iotkm_ticket_agent_seal(&bureau.agent, &bureau.cx, bureau.blob, sizeof bureau.blob, &bureau.blob_len, &version));
        say_hex(bureau.blob, bureau.blob_len);
        say_number(version);
        return;
    } else if (is(verb, "persisted")) {
        OK(iotkm_ticket_agent_persisted(&bureau.agent));
        return;
    } else {
        CHECK(is(verb, "restore"));
        OK(iotkm_ticket_agent_wipe(&bureau.agent));
        OK(iotkm_ticket_agent_restore(&bureau.agent, &bureau.cx, (uint32_t)number(), bureau.blob, bureau.blob_len));
        OK(iotkm_ticket_agent_name(&bureau.agent, name));
        say_hex((const uint8_t *)name, strlen(name));
        return;
    }
    if (status == IOTKM_OK) say_hex(object, len);
    else say_status(status);
}

/* What the step returned, and how the operator is now. */
static void operators_step(void) {
    char verb[16] = {0}, device[IOTKM_NAME_TEXT];
    iotkm_ticket ticket;
    iotkm_renewal renewal;
    uint64_t wake_at;
    bool acknowledged = false;
    size_t i, len;
    int status = IOTKM_OK;
    strncpy(verb, word(), sizeof verb - 1);
    say(verb);
    if (is(verb, "knows") || is(verb, "issued")) {
        OK(iotkm_ticket_peek(bureau.in, unhex(bureau.in, sizeof bureau.in), &ticket));
        status = is(verb, "knows") ? iotkm_operator_knows(&bureau.op, &ticket) : iotkm_operator_issued(&bureau.op, &ticket);
        say_status(status < 0 ? status : 1);
    } else if (is(verb, "ask")) {
        OK(iotkm_operator_ask(&bureau.op, number(), device));
        say_hex((const uint8_t *)device, strlen(device));
    } else if (is(verb, "handle")) {
        text(device);
        len = unhex(bureau.in, sizeof bureau.in);
        status = iotkm_operator_handle(&bureau.op, device, bureau.in, len, &acknowledged);
        say_status(status < 0 ? status : acknowledged);
    } else {
        CHECK(is(verb, "forget"));
        text(device);
        OK(iotkm_operator_forget(&bureau.op, device));
    }
    OK(iotkm_operator_wake_at(&bureau.op, &wake_at));
    say_number(wake_at == IOTKM_NEVER ? 0 : wake_at);
    for (i = 0; iotkm_operator_device_at(&bureau.op, i, &renewal) == IOTKM_OK; i++) {
        uint8_t reference[IOTKM_REFERENCE_LEN];
        bool is_waiting;
        OK(iotkm_operator_waiting_for(&bureau.op, renewal.device, &is_waiting, reference));
        CHECK(is_waiting == renewal.is_waiting && memcmp(reference, renewal.waiting, sizeof reference) == 0);
        say_hex((const uint8_t *)renewal.device, strlen(renewal.device));
        say_number(renewal.expires);
        say_number(renewal.asked_at);
        say_hex(renewal.waiting, is_waiting ? sizeof renewal.waiting : 0);
    }
}

/* Does what a line says that begins with this word; 0 for one of another kind. */
static int renewal(const char *said) {
    if (is(said, "G")) set_up_numbers();
    else if (is(said, "H")) set_up_operator();
    else if (is(said, "Y")) agents_step();
    else if (is(said, "Z")) operators_step();
    else return 0;
    say("\n");
    return 1;
}

#endif
