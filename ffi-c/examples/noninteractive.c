/* With little memory; with suite -21, in a hub; one that gives its memory back meanwhile. */
static iotkm_noninteractive one, other;
static iotkm_noninteractive_memory_small small;
static iotkm_noninteractive_memory runs;
static iotkm_noninteractive_memory_ffc long_runs;
iotkm_noninteractive_setup setup = {0};
uint32_t number;
setup.struct_size = sizeof setup;
setup.key = 5;
setup.interval_s = 3600;
iotkm_noninteractive_open_small(&one, &noninteractive_peer, &holder, &setup, NULL, &small);
iotkm_noninteractive_join(&one.association, &hub, IOTKM_HUB_NOBODY, &number);
if (iotkm_noninteractive_release(&one.association) == IOTKM_OK) iotkm_noninteractive_lend(&one.association, &runs);
iotkm_noninteractive_open_ffc(&other, &long_other, &holder, &setup, NULL, &long_runs);
iotkm_noninteractive_join_ffc(&other.association, &hub, IOTKM_HUB_NOBODY, &number);
if (iotkm_noninteractive_release(&other.association) == IOTKM_OK)
    iotkm_noninteractive_lend_ffc(&other.association, &long_runs);
if (iotkm_noninteractive_is_named_by(&one.association, datagram, datagram_len) == 1)
    iotkm_receive(&one.association, &cx, &from, datagram, datagram_len, &received);
