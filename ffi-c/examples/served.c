/* A session that a device was granted, in the hub with all others, at the place that its connection id (of iotkm_centre_receive()) names;
 * and one from before a restart. */
static iotkm_served_memory memory, other_memory;
iotkm_config config = {0};
uint32_t number;
iotkm_served_open(&a, &session, NULL, &memory);
iotkm_served_join(&a, &hub, 9, &number);
if (iotkm_served_release(&a) == IOTKM_OK) iotkm_served_lend(&a, &memory);
config.struct_size = sizeof config;
config.cid_len = 4;
config.cid[3] = 9;
iotkm_served_at_rest(&b, &peer_id, &iotkm_suite_0_symmetric, &config, &other_memory);
iotkm_restore(&b, &cx, blob, blob_len);
