/* Stored by a program's own means, and back. A credential that came with its private key, on a bench. */
static uint8_t memory[IOTKM_HOLDER_MEMORY_FFC + IOTKM_REVOCATION_LIST_OVERHEAD];
static uint8_t blob[IOTKM_HOLDER_BLOB_OVERHEAD + sizeof memory], work[sizeof blob];
static iotkm_holder holder;
static iotkm_static_key key;
static iotkm_static_key_ffc half, long_key;
iotkm_credential credential;
uint64_t floor_s;
uint32_t version;
iotkm_holder_init(&holder, &operators, "lamp-7", memory, sizeof memory);
if (blob_len > 0) iotkm_holder_restore(&holder, &cx, 0, blob, blob_len, work, sizeof work);
if (iotkm_holder_accept_printed(&holder, &cx, bytes, len, scalar, 5, &key) == IOTKM_OK)
    iotkm_holder_install(&holder, &cx, bytes, len);
if (iotkm_holder_needs_store(&holder) == 1
    && iotkm_holder_seal(&holder, &cx, blob, sizeof blob, &blob_len, &version) == IOTKM_OK) {
    my_store(blob, blob_len);
    iotkm_holder_persisted(&holder);
}
iotkm_holder_floor(&holder, &floor_s);                         /* it is at least that late */
/* With suite -21 or -22, an operator's answer to what the half asked for: */
iotkm_static_key_generate_ffc(&half, &cx, 0, &iotkm_growing_ffc2048);
if (iotkm_holder_accept_ffc(&holder, &cx, &half, bytes, len, 5, &long_key, &credential) == IOTKM_OK)
    iotkm_holder_install(&holder, &cx, credential.bytes, credential.len);
if (iotkm_holder_accept_printed_ffc(&holder, &cx, bytes, len, scalar, 5, &long_key) != IOTKM_OK) return;
