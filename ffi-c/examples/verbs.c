/* The size as both see it; whom the session is with; what its keys are good for. */
iotkm_assurance_record standing;
uint8_t fingerprint[10], key[32];
char text[IOTKM_FINGERPRINT_TEXT];
uint16_t forged;
if (iotkm_association_size() != sizeof a) return;              /* another version of the library */
iotkm_fingerprint(&a, fingerprint);
iotkm_fingerprint_text(fingerprint, text);                     /* ABCD-EFGH-IJKL-MN23, the same on both sides */
iotkm_peer_addr(&a, &from);
iotkm_assurance(&a, &standing);
if (standing.budget < 100) iotkm_history_update(&a, &cx);      /* so few records are left under these keys */
iotkm_exporter(&a, "mqtt", NULL, 0, key, sizeof key);          /* for another protocol */
iotkm_drops(&a, IOTKM_DROPPED_FORGED, &forged);
if (iotkm_send(&a, &cx, payload, payload_len, out, sizeof out, &len, &to) == IOTKM_E_TOO_LONG)
    payload_len = iotkm_needed(&a);                            /* so much fits */
