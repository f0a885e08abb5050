/* One socket, up to a hundred peers: the hub takes what comes and says whose it was. */
static iotkm_hub hub;
static iotkm_hub_member members[100];
uint32_t number;
uint16_t unknown;
iotkm_hub_open(&hub, &cx, members, 100, 0);
iotkm_history_join(&a, &hub, IOTKM_HUB_NOBODY, &number);       /* an association that has no session yet */
while (my_wait(wake_at, datagram, sizeof datagram, &datagram_len, &from)) {
    iotkm_hub_receive(&hub, &cx, &from, datagram, datagram_len, &received);
    if (received.payload) my_application(received.payload, received.payload_len);          /* of received.member */
    iotkm_hub_timeout(&hub, &cx);
    iotkm_send(&a, &cx, payload, payload_len, out, sizeof out, &len, &to);
    iotkm_hub_touch(&hub, number);                             /* after verbs on an association itself */
    iotkm_hub_drain(&hub, &cx, out, sizeof out, &wake_at);
}
/* Without hooks: */
while (iotkm_hub_poll(&hub, &cx, out, sizeof out, &output) == IOTKM_OK && output.kind != IOTKM_OUTPUT_IDLE)
    if (output.kind == IOTKM_OUTPUT_PERSIST) iotkm_hub_persisted(&hub, output.member, output.slot, 0);
iotkm_hub_drops(&hub, IOTKM_DROPPED_NO_KEY, &unknown);
iotkm_hub_leave(&hub, number);
iotkm_hub_wipe(&hub);
