/* Stored by a program's own means, and back; of suite -21 likewise. */
static const iotkm_noninteractive_suite *const ffc = &iotkm_noninteractive_suite_ffc2048;
static iotkm_noninteractive_peer peer;
static iotkm_noninteractive_peer_ffc longer;
static uint8_t blob[IOTKM_NONINTERACTIVE_PEER_BLOB_MAX], work[2 * IOTKM_NONINTERACTIVE_PEER_BLOB_MAX_FFC];
uint8_t credential[IOTKM_CREDENTIAL_MAX];
char name[IOTKM_NAME_TEXT];
uint32_t version, epoch;
uint16_t slot;
if (iotkm_noninteractive_peer_size() != sizeof peer || iotkm_noninteractive_peer_ffc_size() != sizeof longer) return;
iotkm_noninteractive_peer_init(&peer, suite, 1, "lamp-7", "hub", psk);
iotkm_noninteractive_peer_store(&peer, &cx, work, sizeof work);
iotkm_noninteractive_peer_seal(&peer, &cx, blob, sizeof blob, &len, &version);
iotkm_noninteractive_peer_wipe(&peer);
iotkm_noninteractive_peer_restore(&peer, suite, &cx, 1, version, blob, len, work, sizeof work);
iotkm_noninteractive_peer_name(&peer, name);
iotkm_noninteractive_peer_slot(&peer, &slot);
iotkm_noninteractive_peer_epoch(&peer, &epoch);
iotkm_noninteractive_peer_credential(&peer, credential, sizeof credential, &len);
if (iotkm_noninteractive_peer_load_ffc(&longer, ffc, &cx, 2, work, sizeof work) == IOTKM_E_EMPTY)
    iotkm_noninteractive_peer_init_ffc(&longer, ffc, 2, "lamp-7", "hub", NULL);
iotkm_noninteractive_peer_wipe(&longer.peer);
iotkm_noninteractive_peer_restore_ffc(&longer, ffc, &cx, 2, 0, bytes, len, work, sizeof work);
