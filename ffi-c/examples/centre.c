/* A centre over a program's database, with its keys in memory. */
static iotkm_centre centre;
static iotkm_centre_share shares[4000];
static iotkm_centre_kept answers[100];
static const iotkm_suite *const suites[] = {&iotkm_suite_0_symmetric, &iotkm_suite_4_symmetric};
iotkm_centre_stores stores = {0};
iotkm_centre_setup setup = {0};
iotkm_handled handled;
iotkm_signed by;
iotkm_device_record device;
uint8_t word[IOTKM_CENTRE_CONFIRMATION_LEN];
uint16_t forged;
stores.struct_size = sizeof stores;
stores.row_read = my_row_read;
stores.row_swap = my_row_swap;
stores.keys = secret;                                   // IOTKM_CENTRE_KEYS_LEN bytes
setup.struct_size = sizeof setup;
setup.id = own_id;
setup.suites = suites;
setup.suite_count = 2;
setup.stores = &stores;
setup.shares = shares;
setup.share_count = 4000;
setup.answers = answers;
setup.answer_count = 100;
iotkm_centre_open(&centre, &setup);

iotkm_centre_invite(&centre, &cx, &peer_id, suites[0], false, out, sizeof out, &len);   // to the chip, offline
iotkm_centre_enrol(&centre, &cx, bytes, len, word, &peer_id);                           // what it answered

iotkm_centre_receive(&centre, &cx, &from, NULL, 0, datagram, datagram_len, out, sizeof out, &handled, &session);
if (handled.reply) my_send(&from, handled.reply, handled.reply_len);
if (handled.has_session) iotkm_accepted_wipe(&session);
if (handled.event == IOTKM_CENTRE_CLONE_SUSPECTED) iotkm_centre_revoke(&centre, &cx, &handled.id);
if (handled.event == IOTKM_CENTRE_AUTHENTICATED && iotkm_centre_device(&centre, &cx, &handled.id, &device) == IOTKM_OK
    && device.last_year - 1 <= this_year)
    iotkm_centre_update(&centre, &cx, &handled.id);
if (iotkm_centre_verify(&centre, &cx, bytes, len, payload, payload_len, &by) == IOTKM_OK) my_application(payload, payload_len);
iotkm_centre_drops(&centre, IOTKM_DROPPED_FORGED, &forged);
iotkm_centre_forget_answers(&centre);                   // the database lost a commit
iotkm_centre_wipe(&centre);
