/* The microcert scheme in C: a chip's life with a centre, its slots, sessions, signatures, update, revocation; what is refused; the
 * key store behind hooks. */
#include "town.h"

enum { SEED = 1, STATE = 2 };

static side meter, desk; /* the device; the centre's surroundings, and its end of a session */
static iotkm_chip chip;
static iotkm_microcert_memory memory;
static iotkm_served_memory served_memory;
static town city;
static const iotkm_suite *suite;
static iotkm_history_id id = {4, "m-17"};
static iotkm_accepted session;
static iotkm_handled handled;
static uint8_t work[IOTKM_CHIP_WORK], last[MTU];
static size_t last_len;
static int has_session;
static int (*open_device)(iotkm_association *, iotkm_chip *, const iotkm_suite *, const iotkm_config *,
                          iotkm_microcert_memory *) = iotkm_microcert_open;

static iotkm_chip_record info(void) {
    iotkm_chip_record record;
    OK(iotkm_chip_info(&chip, &record));
    return record;
}

/* The chip invited, enrolled and stored, an association at rest. */
static void enrol(bool clockless) {
    uint8_t invitation[IOTKM_CENTRE_INVITATION_MAX], deposit[IOTKM_CHIP_DEPOSIT_MAX], word[IOTKM_CENTRE_CONFIRMATION_LEN];
    iotkm_history_id who;
    size_t len;
    OK(iotkm_centre_invite(&city.centre, &desk.cx, &id, suite, clockless, invitation, sizeof invitation, &len));
    OK(iotkm_chip_enrol(&chip, &meter.cx, SEED, STATE, invitation, len));
    CHECK(iotkm_chip_needs_store(&chip) == 1);
    OK(iotkm_chip_store(&chip, &meter.cx, work, sizeof work));
    CHECK(iotkm_chip_needs_store(&chip) == 0 && meter.slot_len[SEED] == IOTKM_CHIP_SEED_BLOB_MAX && meter.slot_len[STATE] > 0);
    IS(iotkm_chip_deposit(&chip, deposit, 900, &len), IOTKM_E_BUFFER_TOO_SMALL);
    OK(iotkm_chip_deposit(&chip, deposit, sizeof deposit, &len));
    OK(iotkm_centre_enrol(&city.centre, &desk.cx, deposit, len, word, &who));
    CHECK(who.len == 4 && memcmp(who.bytes, "m-17", 4) == 0 && city.seeds_written == 1);
    IS(iotkm_centre_invite(&city.centre, &desk.cx, &id, suite, clockless, invitation, sizeof invitation, &len), IOTKM_E_WRONG_STATE);
    CHECK(!info().confirmed);
    word[7] ^= 1;
    IS(iotkm_chip_confirm(&chip, word, sizeof word), IOTKM_E_BAD_ARGUMENT);
    word[7] ^= 1;
    OK(iotkm_chip_confirm(&chip, word, sizeof word));
    IS(iotkm_chip_confirm(&chip, word, sizeof word), IOTKM_E_WRONG_STATE);
    IS(iotkm_chip_deposit(&chip, deposit, sizeof deposit, &len), IOTKM_E_WRONG_STATE);
    CHECK(info().confirmed && info().clockless == clockless && info().generation == 0);
    CHECK(info().id.len == 4 && info().centre.len == 4 && memcmp(info().centre.bytes, "city", 4) == 0);
    CHECK(info().first_year == 2025 && info().last_year == 2029 && !info().revoked && info().pending == IOTKM_PENDING_NONE);
    CHECK(info().floor_ms == desk.cx.wall_ms);
}

static void begin(const iotkm_suite *with, bool clockless) {
    suite = with;
    side_init(&meter, &desk, 'm');
    side_init(&desk, &meter, 'c');
    town_open(&city);
    has_session = 0;
    enrol(clockless);
    OK(open_device(&meter.a, &chip, suite, NULL, &memory));
}

static void end(void) {
    OK(iotkm_wipe(&meter.a));
    OK(iotkm_chip_wipe(&chip));
    if (has_session) OK(iotkm_accepted_wipe(&session));
    OK(iotkm_centre_wipe(&city.centre));
}

/* What the meter sent goes to the centre, whose answers go back; how many answers. */
static unsigned turn(void) {
    unsigned i, answers = 0, count = desk.in_count;
    uint8_t out[IOTKM_CENTRE_REPLY_MAX];
    desk.in_count = 0;
    for (i = 0; i < count; i++) {
        memcpy(last, desk.in[i].bytes, last_len = desk.in[i].len);
        if (has_session) OK(iotkm_accepted_wipe(&session));
        OK(iotkm_centre_receive(&city.centre, &desk.cx, &meter.addr, (const uint8_t *)"\x05", 1, desk.in[i].bytes, desk.in[i].len, out,
                                sizeof out, &handled, &session));
        has_session = handled.has_session;
        if (handled.reply) {
            CHECK(handled.reply == out);
            OK(test_send(&desk, &meter.addr, handled.reply, handled.reply_len));
            answers++;
        }
    }
    side_take(&meter);
    return answers;
}

/* Both talk, hours go by, until nothing is said any more. */
static void talk(void) {
    side_drain(&meter);
    while (turn() + desk.in_count) {}
}

static void authenticates(void) {
    unsigned before = meter.events[IOTKM_EVENT_AUTHENTICATED];
    OK(iotkm_microcert_authenticate(&meter.a, &meter.cx, &desk.addr));
    talk();
    CHECK(meter.events[IOTKM_EVENT_AUTHENTICATED] == before + 1);
}

static void tell(side *s, const char *text) {
    size_t len = strlen(text), out_len;
    uint8_t out[MTU];
    iotkm_addr to;
    OK(iotkm_send(&s->a, &s->cx, (const uint8_t *)text, len, out, sizeof out, &out_len, &to));
    OK(test_send(s, &to, out, out_len));
    side_take(s->other);
    CHECK(s->other->got_len == len && memcmp(s->other->got, text, len) == 0);
}

/* The power goes; what was stored comes back. */
static void restart(void) {
    OK(iotkm_wipe(&meter.a));
    OK(iotkm_chip_wipe(&chip));
    OK(iotkm_chip_load(&chip, &meter.cx, SEED, STATE, work, sizeof work));
    OK(open_device(&meter.a, &chip, suite, NULL, &memory));
}

static void a_life(const iotkm_suite *with) {
    uint8_t signature[IOTKM_SIGNATURE_MAX];
    size_t len;
    uint64_t time;
    iotkm_signed by;
    iotkm_assurance_record assurance;
    iotkm_device_record device;
    uint8_t mine[10], theirs[10];
    begin(with, false);

    OK(iotkm_microcert_time(&meter.a, meter.cx.now_ms, &time));
    CHECK(time == 0);
    authenticates();
    CHECK(handled.event == IOTKM_CENTRE_AUTHENTICATED && handled.id.len == 4 && !handled.has_session);
    OK(iotkm_microcert_time(&meter.a, meter.cx.now_ms + 5000, &time));
    CHECK(time == desk.cx.wall_ms + 5000);
    CHECK(iotkm_is_established(&meter.a) == 0);

    /* A session, whose other end is an association like any other. */
    OK(iotkm_microcert_connect(&meter.a, &meter.cx, &desk.addr));
    IS(iotkm_microcert_connect(&meter.a, &meter.cx, &desk.addr), IOTKM_E_WRONG_STATE);
    talk();
    CHECK(meter.events[IOTKM_EVENT_ESTABLISHED] == 1 && handled.has_session);
    OK(iotkm_served_open(&desk.a, &session, NULL, &served_memory));
    IS(iotkm_served_open(&desk.a, &session, NULL, &served_memory), IOTKM_E_NOT_SET_UP);
    has_session = 0;
    side_drain(&desk);
    CHECK(desk.events[IOTKM_EVENT_ESTABLISHED] == 1);
    OK(iotkm_fingerprint(&meter.a, mine));
    OK(iotkm_fingerprint(&desk.a, theirs));
    CHECK(memcmp(mine, theirs, 10) == 0);
    OK(iotkm_assurance(&meter.a, &assurance));
    CHECK(assurance.authenticated == IOTKM_AUTHENTICATED_ENROLLED);
    OK(iotkm_microcert_release(&meter.a));
    IS(iotkm_microcert_release(&meter.a), IOTKM_E_WRONG_STATE);
    IS(iotkm_microcert_connect(&meter.a, &meter.cx, &desk.addr), IOTKM_E_WRONG_STATE);
    tell(&meter, "231 V");
    tell(&desk, "thank you");
    OK(iotkm_microcert_lend(&meter.a, &memory));
    OK(iotkm_served_release(&desk.a));
    OK(iotkm_served_lend(&desk.a, &served_memory));

    /* One starts again and goes on in three messages, then the other. */
    {
        uint8_t blob[IOTKM_SESSION_BLOB_MAX];
        size_t blob_len;
        iotkm_config config;
        memset(&config, 0, sizeof config);
        config.struct_size = sizeof config;
        config.cid_len = 1;
        config.cid[0] = 5;
        OK(iotkm_export(&meter.a, &meter.cx, blob, sizeof blob, &blob_len));
        restart();
        OK(iotkm_restore(&meter.a, &meter.cx, blob, blob_len));
        settle(&meter, &desk, 0);
        CHECK(meter.events[IOTKM_EVENT_RESUMED] == 1 && desk.events[IOTKM_EVENT_RESUMED] == 1);
        tell(&meter, "230 V");
        OK(iotkm_export(&desk.a, &desk.cx, blob, sizeof blob, &blob_len));
        OK(iotkm_wipe(&desk.a));
        OK(iotkm_served_at_rest(&desk.a, &id, suite, &config, &served_memory));
        OK(iotkm_restore(&desk.a, &desk.cx, blob, blob_len));
        settle(&meter, &desk, 0);
        CHECK(meter.events[IOTKM_EVENT_RESUMED] == 2 && desk.events[IOTKM_EVENT_RESUMED] == 2);
        tell(&desk, "231 V");
    }
    OK(iotkm_close(&desk.a));
    side_drain(&desk);
    side_take(&meter);
    CHECK(meter.events[IOTKM_EVENT_TERMINATED] == 1);
    OK(iotkm_wipe(&desk.a));

    /* Signatures: a counter is stored before it is used. */
    IS(iotkm_microcert_sign(&meter.a, &meter.cx, (const uint8_t *)"1500 kWh", 8, signature, sizeof signature, &len), IOTKM_E_UNDRAINED);
    side_drain(&meter);
    IS(iotkm_microcert_sign(&meter.a, &meter.cx, (const uint8_t *)"1500 kWh", 8, signature, 10, &len), IOTKM_E_BUFFER_TOO_SMALL);
    CHECK(iotkm_needed(&meter.a) > 10 && iotkm_needed(&meter.a) <= sizeof signature);
    OK(iotkm_microcert_sign(&meter.a, &meter.cx, (const uint8_t *)"1500 kWh", 8, signature, sizeof signature, &len));
    OK(iotkm_centre_verify(&city.centre, &desk.cx, signature, len, (const uint8_t *)"1500 kWh", 8, &by));
    CHECK(by.id.len == 4 && by.time_ms == meter.cx.wall_ms && by.counter > 1);
    IS(iotkm_centre_verify(&city.centre, &desk.cx, signature, len, (const uint8_t *)"1400 kWh", 8, &by), IOTKM_E_REFUSED_SIGNATURE);
    IS(iotkm_centre_verify(&city.centre, &desk.cx, signature, 7, (const uint8_t *)"1500 kWh", 8, &by), IOTKM_E_REFUSED_SIGNATURE);

    /* A new seed, and a reset after it. */
    OK(iotkm_centre_device(&city.centre, &desk.cx, &id, &device));
    CHECK(device.standing == IOTKM_STANDING_ENROLLED && device.generation == 0 && !device.updating && device.seen_ms == desk.cx.wall_ms);
    CHECK(device.counter > 1 && device.first_year == 2025 && device.last_year == 2029 && !device.clockless);
    CHECK(device.pending == IOTKM_PENDING_NONE && device.suite == info().suite);
    OK(iotkm_centre_update(&city.centre, &desk.cx, &id));
    OK(iotkm_centre_device(&city.centre, &desk.cx, &id, &device));
    CHECK(device.updating);
    authenticates();
    CHECK(info().generation == 1 && meter.events[IOTKM_EVENT_UPDATE_AGREED] == 1 && meter.events[IOTKM_EVENT_KEY_REPLACED] == 1);
    CHECK(handled.event == IOTKM_CENTRE_KEY_REPLACED);
    restart();
    authenticates();
    IS(iotkm_centre_verify(&city.centre, &desk.cx, signature, len, (const uint8_t *)"1500 kWh", 8, &by), IOTKM_E_REFUSED_SIGNATURE);

    /* Revoked: killed on both sides, for good. */
    OK(iotkm_centre_revoke(&city.centre, &desk.cx, &id));
    IS(iotkm_centre_update(&city.centre, &desk.cx, &id), IOTKM_E_REVOKED);
    OK(iotkm_microcert_authenticate(&meter.a, &meter.cx, &desk.addr));
    talk();
    OK(iotkm_centre_device(&city.centre, &desk.cx, &id, &device));
    CHECK(device.standing == IOTKM_STANDING_KILLED);
    CHECK(handled.event == IOTKM_CENTRE_KILLED && info().revoked && info().first_year > info().last_year);
    CHECK(meter.events[IOTKM_EVENT_FAILED] == 1);
    IS(iotkm_microcert_sign(&meter.a, &meter.cx, (const uint8_t *)"x", 1, signature, sizeof signature, &len), IOTKM_E_REVOKED);
    restart();
    CHECK(info().revoked);
    end();
}

/* No clock, or a wrong one: the centre's challenge. */
static void without_a_clock(void) {
    begin(&iotkm_suite_4_symmetric, true);
    authenticates();
    OK(iotkm_wipe(&meter.a));
    OK(iotkm_chip_wipe(&chip));
    OK(iotkm_centre_wipe(&city.centre));

    begin(&iotkm_suite_4_symmetric, false);
    meter.cx.wall_ms = 0;
    authenticates();
    meter.cx.wall_ms = desk.cx.wall_ms + 3600000;
    authenticates();
    CHECK(handled.event == IOTKM_CENTRE_AUTHENTICATED);
    end();
}

/* A leaf has no session and says so; a record is nothing to it. The rest it does as well: challenge, signature, update, revocation. */
static void a_leaf(bool clockless) {
    uint8_t bytes[IOTKM_SESSION_BLOB_MAX] = {0x18}, signature[IOTKM_SIGNATURE_MAX];
    iotkm_received received;
    iotkm_signed by;
    iotkm_addr to;
    size_t len;
    uint64_t time;
    uint16_t dropped;
    open_device = iotkm_microcert_open_leaf;
    begin(&iotkm_suite_4_symmetric, clockless);
    IS(iotkm_microcert_connect(&meter.a, &meter.cx, &desk.addr), IOTKM_E_WRONG_STATE);
    side_drain(&meter);
    CHECK(desk.in_count == 0);
    authenticates();
    OK(iotkm_microcert_time(&meter.a, meter.cx.now_ms, &time));
    CHECK(time == desk.cx.wall_ms && iotkm_is_established(&meter.a) == 0);
    IS(iotkm_send(&meter.a, &meter.cx, bytes, 1, bytes + 1, 100, &len, &to), IOTKM_E_NOT_ESTABLISHED);
    IS(iotkm_close(&meter.a), IOTKM_E_NOT_ESTABLISHED);
    IS(iotkm_export(&meter.a, &meter.cx, bytes, sizeof bytes, &len), IOTKM_E_WRONG_STATE);
    IS(iotkm_restore(&meter.a, &meter.cx, bytes, sizeof bytes), IOTKM_E_WRONG_STATE);
    OK(iotkm_receive(&meter.a, &meter.cx, &desk.addr, bytes, 40, &received));
    OK(iotkm_drops(&meter.a, IOTKM_DROPPED_NO_KEY, &dropped));
    CHECK(!received.payload && dropped == 1);
    while (iotkm_microcert_sign(&meter.a, &meter.cx, (const uint8_t *)"1500 kWh", 8, signature, sizeof signature, &len)
           == IOTKM_E_UNDRAINED)
        side_drain(&meter);
    OK(iotkm_centre_verify(&city.centre, &desk.cx, signature, len, (const uint8_t *)"1500 kWh", 8, &by));
    OK(iotkm_microcert_release(&meter.a));
    OK(iotkm_microcert_lend(&meter.a, &memory));
    OK(iotkm_centre_update(&city.centre, &desk.cx, &id));
    authenticates();
    CHECK(info().generation == 1 && meter.events[IOTKM_EVENT_KEY_REPLACED] == 1);
    restart();
    authenticates();
    OK(iotkm_centre_revoke(&city.centre, &desk.cx, &id));
    OK(iotkm_microcert_authenticate(&meter.a, &meter.cx, &desk.addr));
    talk();
    CHECK(handled.event == IOTKM_CENTRE_KILLED && info().revoked);
    end();
    open_device = iotkm_microcert_open;
}

static unsigned drops(uint32_t reason) {
    uint16_t count;
    OK(iotkm_centre_drops(&city.centre, reason, &count));
    return count;
}

/* The same datagram again gets the same answer; altered or from nobody, none. A store that fails, likewise, and nothing has changed. */
static void what_is_refused(void) {
    uint8_t out[IOTKM_CENTRE_REPLY_MAX], first[IOTKM_CENTRE_REPLY_MAX];
    iotkm_history_id nobody = {1, "x"};
    iotkm_centre_setup setup;
    iotkm_device_record device;
    size_t first_len;
    begin(&iotkm_suite_0_symmetric, false);
    authenticates();
#define AGAIN() \
    iotkm_centre_receive(&city.centre, &desk.cx, &meter.addr, NULL, 0, last, last_len, out, sizeof out, &handled, &session)
    OK(AGAIN());
    CHECK(handled.reply && handled.event == IOTKM_CENTRE_NOTHING);
    memcpy(first, handled.reply, first_len = handled.reply_len);
    OK(AGAIN());
    CHECK(handled.reply_len == first_len && memcmp(first, handled.reply, first_len) == 0);
    OK(iotkm_centre_forget_answers(&city.centre));
    OK(AGAIN()); /* then it is a claim like any other that is not fresh */
    CHECK(handled.event == IOTKM_CENTRE_CHALLENGED);
    last[last_len - 1] ^= 1;
    OK(AGAIN());
    CHECK(!handled.reply && drops(IOTKM_DROPPED_FORGED) == 1);
    last[2] = 'x';
    OK(AGAIN());
    CHECK(!handled.reply && drops(IOTKM_DROPPED_NO_KEY) == 1);
    IS(iotkm_centre_drops(&city.centre, 99, (uint16_t *)out), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_centre_receive(&city.centre, &desk.cx, &meter.addr, NULL, 9, last, last_len, out, sizeof out, &handled, &session),
       IOTKM_E_NULL);
    IS(iotkm_centre_receive(&city.centre, &desk.cx, &meter.addr, NULL, 0, last, last_len, out, 100, &handled, &session),
       IOTKM_E_BUFFER_TOO_SMALL);
    IS(iotkm_centre_receive(&city.centre, &desk.cx, &meter.addr, NULL, 0, last, last_len, out, sizeof out, &handled, NULL), IOTKM_E_NULL);

    /* The database fails while the meter asks; it asks again. */
    OK(iotkm_microcert_authenticate(&meter.a, &meter.cx, &desk.addr));
    side_drain(&meter);
    memcpy(last, desk.in[0].bytes, last_len = desk.in[0].len);
    for (city.fails = 1; city.fails;) IS(AGAIN(), IOTKM_E_STORE);
    city.stale = 2;
    IS(AGAIN(), IOTKM_E_STORE);
    city.stale = 1; /* another process was quicker: once more */
    OK(AGAIN());
    CHECK(handled.event == IOTKM_CENTRE_AUTHENTICATED);
    talk();
    CHECK(meter.events[IOTKM_EVENT_AUTHENTICATED] == 2);
    city.rows[0].seed[100] ^= 1;
    OK(iotkm_microcert_authenticate(&meter.a, &meter.cx, &desk.addr));
    talk();
    CHECK(handled.event == IOTKM_CENTRE_WAS_TAMPERED && handled.id.len == 4);
    city.rows[0].seed[100] ^= 1;
    desk.cx.wall_ms = 0;
    IS(AGAIN(), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_centre_revoke(&city.centre, &desk.cx, &nobody), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_centre_update(&city.centre, &desk.cx, &nobody), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_centre_device(&city.centre, &desk.cx, &nobody, &device), IOTKM_E_EMPTY);
    OK(iotkm_centre_wipe(&city.centre));
    IS(iotkm_centre_wipe(&city.centre), IOTKM_E_NOT_SET_UP);

    setup = town_setup(&city);
    setup.share_count = 0;
    IS(iotkm_centre_open(&city.centre, &setup), IOTKM_E_BAD_ARGUMENT);
    setup = town_setup(&city);
    setup.suite_count = 0;
    IS(iotkm_centre_open(&city.centre, &setup), IOTKM_E_BAD_ARGUMENT);
    setup = town_setup(&city);
    setup.struct_size = 8;
    IS(iotkm_centre_open(&city.centre, &setup), IOTKM_E_STRUCT_SIZE);
    setup = town_setup(&city);
    OK(iotkm_centre_open(&city.centre, &setup));

    /* The chip. */
    IS(iotkm_chip_wipe(&chip), IOTKM_E_BUSY);
    IS(iotkm_chip_store(&chip, &meter.cx, work, sizeof work), IOTKM_E_BUSY);
    IS(iotkm_chip_enrol(&chip, &meter.cx, SEED, SEED, (const uint8_t *)"x", 1), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_history_connect(&meter.a, &meter.cx, &desk.addr), IOTKM_E_SCHEME);
    IS(iotkm_served_release(&meter.a), IOTKM_E_SCHEME);
    OK(iotkm_wipe(&meter.a));
    IS(iotkm_microcert_open(&meter.a, &chip, &iotkm_suite_4_symmetric, NULL, &memory), IOTKM_E_SUITE_MISMATCH);
    IS(iotkm_microcert_open(&meter.a, &chip, &iotkm_suite_0, NULL, &memory), IOTKM_E_SUITE_MISMATCH);
    {
        iotkm_config config;
        memset(&config, 0, sizeof config);
        config.struct_size = sizeof config;
        config.mtu = IOTKM_MICROCERT_MTU_MIN - 1;
        IS(iotkm_microcert_open(&meter.a, &chip, suite, &config, &memory), IOTKM_E_BAD_ARGUMENT);
        config.mtu = IOTKM_MICROCERT_MTU_MIN;
        OK(iotkm_microcert_open(&meter.a, &chip, suite, &config, &memory));
        OK(iotkm_wipe(&meter.a));
    }
    CHECK(iotkm_chip_size() == sizeof chip);
    OK(iotkm_chip_wipe(&chip));
    IS(iotkm_chip_wipe(&chip), IOTKM_E_NOT_SET_UP);
    IS(iotkm_chip_needs_store(&chip), IOTKM_E_NOT_SET_UP);
    OK(iotkm_centre_wipe(&city.centre));
}

/* Slots: by hand, rolled back, damaged, empty; a seed that has expired. */
static void slots(void) {
    iotkm_chip_stored stored;
    uint8_t blob[IOTKM_CHIP_SEED_BLOB_MAX];
    uint16_t slot;
    uint32_t version;
    size_t len;
    begin(&iotkm_suite_4_symmetric, false);
    OK(iotkm_wipe(&meter.a));
    memset(&stored, 0, sizeof stored);
    stored.seed_slot = SEED;
    stored.state_slot = STATE;
    stored.seed = meter.slot[SEED];
    stored.seed_len = meter.slot_len[SEED];
    stored.state = meter.slot[STATE];
    /* The confirmation is not stored yet. */
    CHECK(iotkm_chip_needs_store(&chip) == 1);
    IS(iotkm_chip_seal(&chip, &meter.cx, blob, 30, &len, &slot, &version), IOTKM_E_BUFFER_TOO_SMALL);
    OK(iotkm_chip_seal(&chip, &meter.cx, blob, sizeof blob, &len, &slot, &version));
    CHECK(slot == STATE && version == 2 && len <= IOTKM_CHIP_STATE_BLOB_MAX);
    memcpy(meter.slot[STATE], blob, stored.state_len = meter.slot_len[STATE] = len);
    OK(iotkm_chip_persisted(&chip));
    CHECK(iotkm_chip_needs_store(&chip) == 0);
    OK(iotkm_chip_wipe(&chip));
    stored.state_floor = 2;
    stored.seed_floor = 1;
    OK(iotkm_chip_restore(&chip, &meter.cx, &stored, work, IOTKM_CHIP_SEED_BLOB_MAX));
    OK(iotkm_chip_wipe(&chip));
    stored.state_floor = 3;
    IS(iotkm_chip_restore(&chip, &meter.cx, &stored, work, sizeof work), IOTKM_E_BLOB_ROLLED_BACK);
    stored.state_floor = 0;
    stored.state_slot = SEED;
    IS(iotkm_chip_restore(&chip, &meter.cx, &stored, work, sizeof work), IOTKM_E_BAD_ARGUMENT);
    meter.slot[SEED][500] ^= 1;
    IS(iotkm_chip_load(&chip, &meter.cx, SEED, STATE, work, sizeof work), IOTKM_E_BAD_BLOB);
    meter.slot[SEED][500] ^= 1;
    IS(iotkm_chip_load(&chip, &meter.cx, SEED, STATE, work, 1000), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_chip_load(&chip, &meter.cx, 3, STATE, work, sizeof work), IOTKM_E_EMPTY);
    OK(iotkm_chip_load(&chip, &meter.cx, SEED, STATE, work, sizeof work));
    OK(iotkm_microcert_open(&meter.a, &chip, suite, NULL, &memory));
    meter.store_fails = 1; /* nothing leaves before its counter is reserved */
    OK(iotkm_microcert_authenticate(&meter.a, &meter.cx, &desk.addr));
    side_drain(&meter);
    CHECK(desk.in_count == 0 && meter.events[IOTKM_EVENT_STORE_FAILED] == 1);
    meter.store_fails = 0;
    meter.cx.now_ms = meter.wake_at;
    OK(iotkm_timeout(&meter.a, &meter.cx));
    talk();
    CHECK(meter.events[IOTKM_EVENT_AUTHENTICATED] == 1);
    meter.cx.wall_ms = desk.cx.wall_ms = UINT64_C(1900000000000); /* 2030 */
    IS(iotkm_microcert_authenticate(&meter.a, &meter.cx, &desk.addr), IOTKM_E_SEED_EXPIRED);
    end();
}

/* ---- the key store behind hooks: a mock that says what it is asked ---- */

static int key_status;
static unsigned asked[5];

static int hook_key(void *ctx, const iotkm_history_id *who, uint8_t *key) {
    CHECK(ctx == &asked && who->len == 4);
    asked[0]++;
    memset(key, 3, 16);
    return key_status;
}
static int hook_transcrypt(void *ctx, const iotkm_history_id *who, const uint8_t *bind, const uint8_t *transported, uint8_t *stored) {
    CHECK(ctx == &asked && who->len == 4 && bind);
    asked[1]++;
    memset(stored, 0, IOTKM_CENTRE_SEED_LEN);
    memcpy(stored, transported, 984);
    return key_status;
}
static int hook_rows(void *ctx, const uint8_t *bind, const uint8_t *stored, const uint8_t *numbers, uint8_t *rows) {
    CHECK(ctx == &asked && bind && stored);
    /* 15 June 2025: the first year, June, the 15th, and the fixed ones. */
    CHECK(numbers[0] == 0 && numbers[1] == 5 + 5 && numbers[2] == 17 + 14 && numbers[3] == 48 && numbers[15] == 60);
    asked[2]++;
    memset(rows, 0, 256);
    return key_status;
}
static int hook_seal(void *ctx, const uint8_t *bind, uint8_t *text, size_t len) {
    CHECK(ctx == &asked && bind && len % 16 == 0);
    asked[3]++;
    memset(text + len - 16, 0, 16);
    return key_status;
}
static int hook_open(void *ctx, const uint8_t *bind, uint8_t *text, size_t len) {
    CHECK(ctx == &asked && bind && text && len % 16 == 0);
    asked[4]++;
    return key_status;
}

static void a_token(void) {
    uint8_t invitation[IOTKM_CENTRE_INVITATION_MAX], deposit[IOTKM_CHIP_DEPOSIT_MAX], word[IOTKM_CENTRE_CONFIRMATION_LEN];
    iotkm_history_id who;
    size_t len;
    suite = &iotkm_suite_4_symmetric;
    side_init(&meter, &desk, 'm');
    side_init(&desk, &meter, 'c');
    town_open(&city);
    city.stores.keys = NULL;
    IS(iotkm_centre_invite(&city.centre, &desk.cx, &id, suite, false, invitation, sizeof invitation, &len), IOTKM_E_KEY_STORE);
    city.stores.transport_key = hook_key;
    city.stores.transcrypt = hook_transcrypt;
    city.stores.rows = hook_rows;
    city.stores.seal = hook_seal;
    city.stores.open = hook_open;
    city.stores.keys_ctx = &asked;
    key_status = -1;
    IS(iotkm_centre_invite(&city.centre, &desk.cx, &id, suite, false, invitation, sizeof invitation, &len), IOTKM_E_KEY_STORE);
    key_status = 0;
    OK(iotkm_centre_invite(&city.centre, &desk.cx, &id, suite, false, invitation, sizeof invitation, &len));
    OK(iotkm_chip_enrol(&chip, &meter.cx, SEED, STATE, invitation, len));
    OK(iotkm_chip_deposit(&chip, deposit, sizeof deposit, &len));
    key_status = IOTKM_CENTRE_TAMPERED;
    IS(iotkm_centre_enrol(&city.centre, &desk.cx, deposit, len, word, &who), IOTKM_E_BAD_ARGUMENT);
    key_status = 0;
    OK(iotkm_centre_enrol(&city.centre, &desk.cx, deposit, len, word, &who));
    OK(iotkm_microcert_open(&meter.a, &chip, suite, NULL, &memory));
    OK(iotkm_microcert_authenticate(&meter.a, &meter.cx, &desk.addr));
    talk();
    CHECK(!handled.reply && drops(IOTKM_DROPPED_FORGED) == 1); /* its rows are zeros */
    OK(iotkm_centre_revoke(&city.centre, &desk.cx, &id));
    CHECK(asked[0] == 2 && asked[1] == 2 && asked[2] == 1 && asked[3] > 0 && asked[4] > 0);
    end();
}

/* A session of a centre's in a hub, at the place that its connection id names; and a gateway's association with a centre. */
static void in_a_hub(void) {
    static iotkm_hub hub;
    static iotkm_hub_member members[8];
    uint32_t number;
    begin(&iotkm_suite_4_symmetric, false);
    OK(iotkm_hub_open(&hub, &desk.cx, members, 8, 0));
    OK(iotkm_microcert_connect(&meter.a, &meter.cx, &desk.addr));
    talk();
    OK(iotkm_served_open(&desk.a, &session, NULL, &served_memory));
    has_session = 0;
    IS(iotkm_served_join(&meter.a, &hub, 5, &number), IOTKM_E_SCHEME);
    IS(iotkm_served_join(&desk.a, &hub, IOTKM_HUB_NOBODY, &number), IOTKM_E_WRONG_STATE);
    OK(iotkm_served_join(&desk.a, &hub, 5, &number));
    CHECK(number == 5);
    OK(iotkm_hub_leave(&hub, number));
    IS(iotkm_microcert_join(&meter.a, &hub, IOTKM_HUB_NOBODY, &number), IOTKM_E_WRONG_STATE);
    restart();
    OK(iotkm_microcert_join(&meter.a, &hub, IOTKM_HUB_NOBODY, &number));
    IS(iotkm_wipe(&meter.a), IOTKM_E_BUSY);
    OK(iotkm_hub_leave(&hub, number));
    OK(iotkm_wipe(&meter.a));
    OK(iotkm_microcert_open_leaf(&meter.a, &chip, suite, NULL, &memory));
    IS(iotkm_microcert_join(&meter.a, &hub, IOTKM_HUB_NOBODY, &number), IOTKM_E_SCHEME);
    OK(iotkm_hub_wipe(&hub));
    OK(iotkm_wipe(&desk.a));
    end();
}

int main(void) {
    CHECK(strstr(iotkm_strerror(IOTKM_E_SEED_EXPIRED), "seed") && strstr(iotkm_strerror(IOTKM_E_REVOKED), "revoked"));
    CHECK(strstr(iotkm_strerror(IOTKM_E_STORE), "store") || strstr(iotkm_strerror(IOTKM_E_STORE), "database"));
    CHECK(strcmp(iotkm_strerror(IOTKM_E_KEY_STORE), "unknown status") != 0);
    a_life(&iotkm_suite_0_symmetric);
    a_life(&iotkm_suite_4_symmetric);
    a_leaf(false);
    a_leaf(true);
    without_a_clock();
    what_is_refused();
    slots();
    a_token();
    in_a_hub();
    return 0;
}
