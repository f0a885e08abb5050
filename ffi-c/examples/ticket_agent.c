/* An agent's start: its numbers from its slot, 256 more of them stored; its key from its own place, or a token's. */
static iotkm_ticket_agent issuer;
static const uint32_t stolen[] = {3, 8};
uint8_t ticket[IOTKM_TICKET_MAX], signature[IOTKM_SIGNATURE_LEN];
char name[IOTKM_NAME_TEXT];
iotkm_ticket_message request;
uint32_t serial;
uint64_t now_s = cx.wall_ms / 1000;
if (iotkm_ticket_agent_load(&issuer, &cx, SLOT) == IOTKM_E_EMPTY) iotkm_ticket_agent_init(&issuer, "acme");
iotkm_ticket_agent_store(&issuer, &cx, SLOT);
iotkm_ticket_agent_name(&issuer, name);
/* An operator's message, answered: a ticket of the next number. */
iotkm_ticket_message_read(bytes, len, &request);
iotkm_ticket_agent_issue(&issuer, &iotkm_signing_eddsa, secret, now_s, &request, ticket, sizeof ticket, &len);
/* The next revocation list; a credential's number; another text, signed by a key that is elsewhere. */
iotkm_ticket_agent_revoke(&issuer, &iotkm_signing_eddsa, secret, now_s, stolen, 2, out, sizeof out, &len);
iotkm_ticket_agent_number(&issuer, &serial);
iotkm_signing_sign(&iotkm_signing_external, &token, payload, payload_len, signature);
iotkm_ticket_agent_wipe(&issuer);
/* Numbers from a database, one at a time; or stored by hand. */
iotkm_ticket_agent_init_with_number(&issuer, "acme", next_serial());
iotkm_ticket_agent_restore(&issuer, &cx, 0, blob, blob_len);
iotkm_ticket_agent_seal(&issuer, &cx, out, sizeof out, &len, &serial);
my_store(out, len);
iotkm_ticket_agent_persisted(&issuer);
