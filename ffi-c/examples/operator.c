/* Tickets are asked for a week before their predecessors end, and again after a day. */
static iotkm_operator op;
static iotkm_operator_entry entries[1000];
char device[IOTKM_NAME_TEXT];
uint8_t reference[IOTKM_REFERENCE_LEN];
iotkm_ticket ticket;
iotkm_credential credential;
iotkm_renewal renewal;
uint64_t wake_at_s, now_s = cx.wall_ms / 1000;
bool is_waiting, acknowledged;
size_t i;
iotkm_operator_init(&op, entries, 1000, 7 * 86400, 86400);
if (iotkm_ticket_verify(bytes, len, &agent, &ticket) == IOTKM_OK) iotkm_operator_knows(&op, &ticket);
/* At wake_at_s: a request to the agent for each device that is named. */
iotkm_operator_wake_at(&op, &wake_at_s);
while (iotkm_operator_ask(&op, now_s, device) == IOTKM_OK && device[0]) my_request(device);
/* The agent's answer: keep it. */
if (iotkm_ticket_verify(bytes, len, &agent, &ticket) == IOTKM_OK) iotkm_operator_issued(&op, &ticket);
/* An association with the device comes up: send what waits, as a message. What it says then: drop what is acknowledged. */
iotkm_operator_waiting_for(&op, "lamp-7", &is_waiting, reference);
iotkm_operator_handle(&op, "lamp-7", received.payload, received.payload_len, &acknowledged);
/* With credentials: who is named by iotkm_operator_ask() is sent IOTKM_TICKET_MESSAGE_CREDENTIAL_DUE, and asks; the answer waits. */
if (iotkm_credential_read(suite, bytes, len, &credential) == IOTKM_OK) iotkm_operator_knows_credential(&op, &credential);
if (iotkm_credential_read(suite, bytes, len - IOTKM_CREDENTIAL_ANSWER_OVERHEAD, &credential) == IOTKM_OK)
    iotkm_operator_issued_credential(&op, &credential);
/* Who is late? */
for (i = 0; iotkm_operator_device_at(&op, i, &renewal) == IOTKM_OK; i++) {
    if (renewal.expires <= now_s) my_warning(renewal.device);
}
iotkm_operator_forget(&op, "lamp-7");
iotkm_operator_wipe(&op);
