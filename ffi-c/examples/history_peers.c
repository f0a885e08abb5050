/* A triple and both ids come from a factory; a first store, by hand; later, from what was stored. */
iotkm_history_peer peer;
iotkm_history_id id;
uint8_t blob[IOTKM_HISTORY_PEER_BLOB_MAX], fingerprint[10];
uint16_t slot;
uint32_t version, generation;
if (iotkm_history_peer_size() != sizeof peer) return;
iotkm_history_peer_provision(&peer, 1, &own_id, &peer_id, &iotkm_suite_0, &triple);
iotkm_history_peer_set_psk(&peer, psk);                        /* goes into every exchange, where both have it */
iotkm_history_peer_store(&peer, &cx);                          /* by the platform's store_write, or: */
iotkm_history_peer_seal(&peer, &cx, blob, sizeof blob, &len, &version);
iotkm_history_peer_wipe(&peer);
iotkm_history_peer_restore(&peer, &cx, 1, version, blob, len); /* version: of a monotonic counter, if there is one */
iotkm_history_peer_id(&peer, &id);
iotkm_history_peer_slot(&peer, &slot);
iotkm_history_peer_generation(&peer, &generation);
iotkm_history_peer_fingerprint(&peer, fingerprint);
