/* A leaf of a star; an association of suite -21 in a hub; one that gives its memory back meanwhile. */
static iotkm_interactive_memory_small small;
static iotkm_interactive_memory runs;
static iotkm_interactive_memory_ffc long_runs;
static const iotkm_suite *const suites[] = {&iotkm_suite_ffc2048};
iotkm_interactive_setup setup = {0};
uint32_t number;
setup.struct_size = sizeof setup;
setup.kem = &iotkm_ffc2048;
setup.suites = suites;
setup.suite_count = 1;
setup.key = 2;
iotkm_interactive_open_ffc(&a, &long_peer, &wallet, &setup, NULL, &long_runs);
iotkm_interactive_join_ffc(&a, &hub, IOTKM_HUB_NOBODY, &number);               /* of a curve: iotkm_interactive_join() */
if (iotkm_interactive_release(&a) == IOTKM_OK) iotkm_interactive_lend_ffc(&a, &long_runs);
setup.kem = &iotkm_x25519;                                     /* and its suites */
iotkm_interactive_open_leaf(&b, &interactive_peer, &wallet, &setup, NULL, &small);
iotkm_interactive_open(&c, &interactive_peer, &wallet, &setup, NULL, &runs);
if (iotkm_interactive_is_named_by(&c, datagram, datagram_len) == 1)
    iotkm_receive(&c, &cx, &from, datagram, datagram_len, &received);
iotkm_interactive_join(&c, &hub, IOTKM_HUB_NOBODY, &number);
if (iotkm_interactive_release(&c) == IOTKM_OK) iotkm_interactive_lend(&c, &runs);
