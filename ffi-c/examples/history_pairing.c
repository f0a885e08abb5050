/* The side on which the user opens a window of two minutes; the other side says iotkm_history_pairing_start(). */
static iotkm_history_pairing pairing;
static iotkm_history_peer peer;
uint32_t attempts;
iotkm_history_pairing_open(&pairing, &own_id, &iotkm_suite_0, &iotkm_cpace_ristretto255, 1, 2, NULL);
iotkm_history_pairing_restore_attempts(&pairing, &cx, 0, blob, blob_len);       /* of slot 2, if it holds anything */
iotkm_history_pairing_attempts(&pairing, &attempts);
if (attempts == 0 && user_says_so()) iotkm_history_pairing_unlock(&pairing);
iotkm_history_pairing_listen(&pairing, &cx, (const uint8_t *)"0815 4711", 9, 120000);
/* ... iotkm_drain(), iotkm_receive(), iotkm_timeout() on &pairing.association, until IOTKM_EVENT_PAIRED; or: */
if (user_gives_up()) iotkm_history_pairing_cancel(&pairing);
else iotkm_history_pairing_take_peer(&pairing, &peer);
iotkm_wipe(&pairing.association);
