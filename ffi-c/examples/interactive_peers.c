/* A hub's peer, for the first who comes with a ticket for lights; later, what is known of it. */
static iotkm_interactive_peer peer;
static iotkm_interactive_peer_ffc longer;
static uint8_t blob[IOTKM_INTERACTIVE_PEER_BLOB_MAX], ticket[IOTKM_TICKET_MAX];
static uint8_t work[2 * IOTKM_INTERACTIVE_PEER_BLOB_MAX_FFC];
char name[IOTKM_NAME_TEXT];
uint32_t version, generation;
uint16_t slot;
if (iotkm_interactive_peer_size() != sizeof peer || iotkm_interactive_peer_ffc_size() != sizeof longer) return;
iotkm_interactive_peer_init_anyone(&peer, 1, "hub", "light", psk);
iotkm_interactive_peer_store(&peer, &cx, work, sizeof work);   /* or, where the program stores by itself: */
iotkm_interactive_peer_seal(&peer, &cx, blob, sizeof blob, &len, &version);
iotkm_interactive_peer_wipe(&peer);
iotkm_interactive_peer_restore(&peer, &cx, 1, version, blob, len, work, sizeof work);
iotkm_interactive_peer_name(&peer, name);
iotkm_interactive_peer_slot(&peer, &slot);
iotkm_interactive_peer_generation(&peer, &generation);
iotkm_interactive_peer_ticket(&peer, ticket, sizeof ticket, &len);
/* Of any group: */
if (iotkm_interactive_peer_load_ffc(&longer, &cx, 2, work, sizeof work) == IOTKM_E_EMPTY)
    iotkm_interactive_peer_init_ffc(&longer, 2, "hub", "lamp-7", NULL);
iotkm_interactive_peer_wipe(&longer.peer);
iotkm_interactive_peer_init_anyone_ffc(&longer, 2, "hub", NULL, NULL);
iotkm_interactive_peer_wipe(&longer.peer);
iotkm_interactive_peer_restore_ffc(&longer, &cx, 2, 0, bytes, len, work, sizeof work);
