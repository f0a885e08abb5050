/* What came over an association; an answer to what is not taken. */
iotkm_ticket_message said, answer = {0};
int status = iotkm_ticket_message_read(received.payload, received.payload_len, &said);
if (status == IOTKM_OK && said.kind == IOTKM_TICKET_MESSAGE_ACKNOWLEDGED) my_application(said.ticket, sizeof said.ticket);
answer.kind = IOTKM_TICKET_MESSAGE_REFUSED;
answer.code = status;
if (status != IOTKM_OK) iotkm_ticket_message_write(&answer, out, sizeof out, &len);
