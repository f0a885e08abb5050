/* Stored by a program's own means, and back; a peer's ticket, outside of an association. */
static uint8_t memory[2 * IOTKM_TICKET_MAX + IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 32];
static uint8_t blob[IOTKM_WALLET_BLOB_OVERHEAD + sizeof memory], work[sizeof blob];
static iotkm_wallet wallet;
iotkm_ticket ticket;
uint64_t floor_s;
uint32_t version;
iotkm_wallet_init(&wallet, &agent, "lamp-7", memory, IOTKM_TICKET_MAX, sizeof memory - 2 * IOTKM_TICKET_MAX);
if (blob_len > 0) iotkm_wallet_restore(&wallet, &cx, 0, blob, blob_len, work, sizeof work);
if (iotkm_wallet_needs_store(&wallet) == 1
    && iotkm_wallet_seal(&wallet, &cx, blob, sizeof blob, &blob_len, &version) == IOTKM_OK) {
    my_store(blob, blob_len);
    iotkm_wallet_persisted(&wallet);
}
if (iotkm_wallet_check(&wallet, &cx, bytes, len, &ticket) == IOTKM_OK
    && my_protocol_authenticates(ticket.key, ticket.key_len))
    iotkm_wallet_saw(&wallet, &ticket);
iotkm_wallet_floor(&wallet, &floor_s);                         /* it is at least that late */
