/* A leaf, without sessions. Then one that has them: it authenticates, without a session; signs a reading for whoever asks the centre; then a session, at the centre's time. A device behind
 * a gateway is in a hub; memory that is only needed for a run is given back. */
static iotkm_microcert_memory memory;
uint8_t signature[IOTKM_SIGNATURE_MAX];
uint32_t number;
uint64_t now;
iotkm_microcert_open_leaf(&a, &chip, &iotkm_suite_4_symmetric, NULL, &memory);
iotkm_microcert_authenticate(&a, &cx, &to);
iotkm_wipe(&a);
iotkm_microcert_open(&a, &chip, &iotkm_suite_4_symmetric, NULL, &memory);
iotkm_microcert_join(&a, &hub, IOTKM_HUB_NOBODY, &number);
iotkm_microcert_authenticate(&a, &cx, &to);
iotkm_drain(&a, &cx, buffer, sizeof buffer, &wake_at);
while (iotkm_microcert_sign(&a, &cx, payload, payload_len, signature, sizeof signature, &len) == IOTKM_E_UNDRAINED)
    iotkm_drain(&a, &cx, buffer, sizeof buffer, &wake_at);
iotkm_microcert_connect(&a, &cx, &to);
iotkm_microcert_time(&a, cx.now_ms, &now);
if (now != 0) cx.wall_ms = now;
if (iotkm_microcert_release(&a) == IOTKM_OK) iotkm_microcert_lend(&a, &memory);
