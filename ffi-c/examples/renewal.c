/* The next credential, in the session with the operator: asked for a week before this one ends. */
enum { NEXT = 6, NEXT_SLOT = 3 };
static iotkm_static_key_ffc long_next;
static iotkm_static_key next;                                  /* where the platform's hooks find it: beside the one in use */
static uint8_t work[IOTKM_HOLDER_BLOB_OVERHEAD + IOTKM_HOLDER_MEMORY + IOTKM_REVOCATION_LIST_OVERHEAD];
iotkm_credential credential;
iotkm_told told;
uint64_t due_at_s;
int status;
iotkm_holder_due_at(&holder, 7 * 86400, &due_at_s);
if (cx.wall_ms / 1000 >= due_at_s) iotkm_holder_ask(&holder, &cx);
if (iotkm_holder_needs_store(&holder) == 1) iotkm_holder_store(&holder, &cx, SLOT, work, sizeof work);
/* Whenever the session comes up, and after a while without an answer: */
if (iotkm_holder_is_asking(&holder) == 1 && iotkm_holder_request(&holder, buffer, sizeof buffer, &len) == IOTKM_OK)
    iotkm_send(&a, &cx, buffer, len, out, sizeof out, &datagram_len, &to);
/* What the operator says: */
status = iotkm_holder_handle(&holder, &cx, received.payload, received.payload_len, NEXT, &next, &credential, &told);
if (status != IOTKM_OK) {
    iotkm_wallet_refusal(status, buffer, sizeof buffer, &len);
    iotkm_send(&a, &cx, buffer, len, out, sizeof out, &datagram_len, &to);
    return;
}
if (told == IOTKM_TOLD_ASK) iotkm_holder_ask(&holder, &cx);    /* and on as above: a device without a clock */
if (told == IOTKM_TOLD_NEXT && iotkm_static_key_store(&next, &cx, NEXT_SLOT) == IOTKM_OK)
    iotkm_holder_install(&holder, &cx, credential.bytes, credential.len);
if (told == IOTKM_TOLD_NEXT || told == IOTKM_TOLD_ACKNOWLEDGE) {
    iotkm_holder_store(&holder, &cx, SLOT, work, sizeof work);
    if (iotkm_holder_acknowledgement(&holder, buffer, sizeof buffer, &len) == IOTKM_OK)
        iotkm_send(&a, &cx, buffer, len, out, sizeof out, &datagram_len, &to);
}
/* With suite -21 or -22: */
iotkm_holder_handle_ffc(&holder, &cx, received.payload, received.payload_len, NEXT, &long_next, &credential, &told);
