/* A sensor that only ever talks to its hub; a device with little memory; memory that sessions share. */
static iotkm_history_memory_small small;
static iotkm_history_memory runs;
static iotkm_history_entry entries[48];
iotkm_config config = {0};
config.struct_size = sizeof config;
config.mtu = IOTKM_HISTORY_MTU_SMALL;
iotkm_history_open_leaf(&a, &history_peer, &iotkm_suite_4, &config, &small);
iotkm_wipe(&a);
iotkm_history_open_small(&a, &history_peer, entries, 48, &iotkm_suite_4, &config, &small);
iotkm_wipe(&a);
iotkm_history_open(&a, &history_peer, entries, 48, &iotkm_suite_0, NULL, &runs);
iotkm_history_connect(&a, &cx, &to);
/* Once it is established it needs the memory for runs no longer: another association may have it meanwhile. */
if (iotkm_history_release(&a) == IOTKM_OK) iotkm_history_lend(&a, &runs);
/* Without a hub, whose is a first message? */
if (iotkm_history_is_named_by(&a, datagram, datagram_len) == 1)
    iotkm_receive(&a, &cx, &from, datagram, datagram_len, &received);
