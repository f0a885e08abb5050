/* The microcert scheme for the player of vectors: a device and its centre.
 *
 *   J name other suite device wall cid                 a device
 *   M name other suites device id keys wall cid        a centre, its rows in memory
 *
 * Their calls are those of player.h and: enrol, confirm, open, authenticate, connect, sign, chip of a device; invite, enrol, update,
 * revoke, verify, row of a centre. */
#ifndef PLAYER_MICROCERT_H
#define PLAYER_MICROCERT_H

#include "player_words.h"

enum { CELLS = 256, KEPT = 16 };

/* A device. */
static struct {
    iotkm_chip chip;
    iotkm_microcert_memory memory;
    const iotkm_suite *suite;
    int has_chip, is_open;
    uint8_t seed[IOTKM_CHIP_SEED_BLOB_MAX], state[IOTKM_CHIP_STATE_BLOB_MAX];
    size_t seed_len, state_len;
} lamp;

/* A centre, one row, what came of a call. */
static struct {
    iotkm_centre centre;
    iotkm_centre_setup setup;
    iotkm_centre_stores stores;
    const iotkm_suite *suites[2];
    iotkm_centre_share shares[CELLS];
    iotkm_centre_kept answers[KEPT];
    uint8_t keys[IOTKM_CENTRE_KEYS_LEN];
    iotkm_served_memory memory;
    int has_session;
    struct {
        iotkm_history_id id;
        uint32_t version;
        uint8_t state[IOTKM_CENTRE_STATE_MAX], seed[IOTKM_CENTRE_SEED_LEN];
        size_t state_len;
    } row;
    int written, seed_written;
    iotkm_handled handled;
    uint8_t reply[IOTKM_CENTRE_REPLY_MAX];
} city;

static void short_id(iotkm_history_id *id) {
    memset(id, 0, sizeof *id);
    id->len = (uint8_t)unhex(id->bytes, sizeof id->bytes);
}

/* ---- a device ---- */

static void lamp_open(iotkm_association *a, const iotkm_config *config) {
    OK(iotkm_microcert_open(a, &lamp.chip, lamp.suite, config, &lamp.memory));
    lamp.is_open = 1;
}

static void lamp_stored(uint16_t slot, const uint8_t *bytes, size_t len) {
    if (slot == 1) memcpy(lamp.seed, bytes, lamp.seed_len = len);
    else memcpy(lamp.state, bytes, lamp.state_len = len);
}

/* What a chip without an association has to store. */
static void lamp_drain(const iotkm_cx *cx) {
    static uint8_t out[IOTKM_CHIP_SEED_BLOB_MAX];
    uint32_t version;
    uint16_t slot;
    size_t len;
    while (iotkm_chip_needs_store(&lamp.chip) == 1) {
        OK(iotkm_chip_seal(&lamp.chip, cx, out, sizeof out, &len, &slot, &version));
        say("persist");
        say_number(slot);
        say_number(version);
        say_hex(out, len);
        say("\n");
        lamp_stored(slot, out, len);
        OK(iotkm_chip_persisted(&lamp.chip));
    }
    say("wake -\n");
}

/* After a restart: what it stored, or what is put back. */
static void lamp_restart(iotkm_association *a, const iotkm_cx *cx, const iotkm_config *config) {
    static uint8_t session[DATAGRAM], work[IOTKM_CHIP_SEED_BLOB_MAX];
    iotkm_chip_stored stored;
    size_t session_len = unhex(session, sizeof session), len;
    if ((len = unhex(work, sizeof work)) != 0) lamp_stored(1, work, len);
    if ((len = unhex(work, sizeof work)) != 0) lamp_stored(2, work, len);
    if (lamp.is_open) OK(iotkm_wipe(a));
    OK(iotkm_chip_wipe(&lamp.chip));
    memset(&stored, 0, sizeof stored);
    stored.seed_slot = 1;
    stored.seed = lamp.seed;
    stored.seed_len = lamp.seed_len;
    stored.state_slot = 2;
    stored.state = lamp.state;
    stored.state_len = lamp.state_len;
    OK(iotkm_chip_restore(&lamp.chip, cx, &stored, work, sizeof work));
    lamp_open(a, config);
    if (session_len) OK(iotkm_restore(a, cx, session, session_len));
}

static void says_error(int status) {
    if (status == 0) return;
    CHECK(status == IOTKM_E_SEED_EXPIRED || status == IOTKM_E_REVOKED);
    say(" -");
    say_digits((uint64_t)-status);
}

/* Whether it was a verb of a device's. */
static int lamp_verb(iotkm_association *a, const iotkm_cx *cx, const iotkm_config *config, const iotkm_addr *to, const char *verb) {
    static uint8_t bytes[DATAGRAM];
    iotkm_chip_record about;
    size_t len;
    int status;
    if (is(verb, "enrol")) {
        len = unhex(bytes, sizeof bytes);
        OK(iotkm_chip_enrol(&lamp.chip, cx, 1, 2, bytes, len));
        OK(iotkm_chip_deposit(&lamp.chip, bytes, sizeof bytes, &len));
        say_hex(bytes, len);
        lamp.has_chip = 1;
    } else if (is(verb, "confirm")) {
        len = unhex(bytes, sizeof bytes);
        OK(iotkm_chip_confirm(&lamp.chip, bytes, len));
    } else if (is(verb, "open")) {
        lamp_open(a, config);
    } else if (is(verb, "restart")) {
        lamp_restart(a, cx, config);
    } else if (is(verb, "authenticate")) {
        says_error(iotkm_microcert_authenticate(a, cx, to));
    } else if (is(verb, "connect")) {
        says_error(iotkm_microcert_connect(a, cx, to));
    } else if (is(verb, "sign")) {
        static uint8_t signature[IOTKM_SIGNATURE_MAX];
        size_t signature_len;
        len = unhex(bytes, sizeof bytes);
        status = iotkm_microcert_sign(a, cx, bytes, len, signature, sizeof signature, &signature_len);
        says_error(status);
        if (status == 0) say_hex(signature, signature_len);
    } else if (is(verb, "chip")) {
        OK(iotkm_chip_info(&lamp.chip, &about));
        say_number(about.confirmed);
        say_number(about.floor_ms / 1000);
        say_number(about.generation);
        say_number(about.revoked);
        say_number(about.first_year);
        say_number(about.last_year);
    } else {
        return 0;
    }
    return 1;
}

static void make_lamp(uint8_t secret[32], uint64_t *wall, iotkm_config *config) {
    memset(&lamp, 0, sizeof lamp);
    lamp.suite = suite(word());
    CHECK(unhex(secret, 32) == 32);
    *wall = number();
    config->cid_len = (uint8_t)unhex(config->cid, sizeof config->cid);
}

/* ---- a centre ---- */

static int city_read(void *ctx, const iotkm_history_id *id, uint8_t *state, size_t capacity, size_t *len, uint8_t *seed) {
    (void)ctx, (void)capacity;
    if (!city.row.version || id->len != city.row.id.len || memcmp(id->bytes, city.row.id.bytes, id->len) != 0) return IOTKM_STORE_EMPTY;
    memcpy(state, city.row.state, *len = city.row.state_len);
    memcpy(seed, city.row.seed, sizeof city.row.seed);
    return 0;
}

static int city_swap(void *ctx, const iotkm_history_id *id, uint32_t version, const uint8_t *state, size_t len, const uint8_t *seed) {
    (void)ctx;
    if (version != city.row.version + 1) return IOTKM_CENTRE_STALE;
    CHECK(!city.written && len <= sizeof city.row.state);
    city.row.id = *id;
    city.row.version = version;
    memcpy(city.row.state, state, city.row.state_len = len);
    if (seed) memcpy(city.row.seed, seed, sizeof city.row.seed);
    city.written = 1;
    city.seed_written = seed != NULL;
    return 0;
}

static void make_city(uint8_t secret[32], uint64_t *wall, iotkm_config *config) {
    memset(&city, 0, sizeof city);
    city.suites[0] = suite(word());
    CHECK(unhex(secret, 32) == 32);
    short_id(&city.setup.id);
    CHECK(unhex(city.keys, sizeof city.keys) == sizeof city.keys);
    *wall = number();
    config->cid_len = (uint8_t)unhex(config->cid, sizeof config->cid);
    city.stores.struct_size = sizeof city.stores;
    city.stores.row_read = city_read;
    city.stores.row_swap = city_swap;
    city.stores.keys = city.keys;
    city.setup.struct_size = sizeof city.setup;
    city.setup.suites = city.suites;
    city.setup.suite_count = 1;
    city.setup.stores = &city.stores;
    city.setup.shares = city.shares;
    city.setup.share_count = CELLS;
    city.setup.answers = city.answers;
    city.setup.answer_count = KEPT;
    OK(iotkm_centre_open(&city.centre, &city.setup));
}

/* Whether a datagram is for the centre, not for a session: of this scheme, or the echo of a cookie. */
static int is_centres(const uint8_t *datagram, size_t len) {
    return len > 1 && (datagram[0] == 0x15 || (datagram[0] == 0x10 && datagram[1] >> 4 == 3));
}

static void city_hear(iotkm_association *a, const iotkm_cx *cx, const iotkm_config *config, const iotkm_addr *from,
                      const uint8_t *datagram, size_t len) {
    static iotkm_accepted session;
    OK(iotkm_centre_receive(&city.centre, cx, from, config->cid, config->cid_len, datagram, len, city.reply, sizeof city.reply,
                            &city.handled, &session));
    if (!city.handled.has_session) return;
    if (city.has_session) OK(iotkm_wipe(a));
    OK(iotkm_served_open(a, &session, config, &city.memory));
    city.has_session = 1;
}

/* What it wrote, noticed and answered. */
static void city_drain(const iotkm_addr *to) {
    static const char *const names[] = {
        "nothing", "authenticated", "update_agreed", "key_replaced", "challenged", "clone_suspected", "revoked", "killed",
        "seed_expired", "tampered",
    };
    if (city.written) {
        say("row");
        say_hex(city.row.id.bytes, city.row.id.len);
        say_number(city.row.version);
        say_hex(city.row.state, city.row.state_len);
        say_hex(city.row.seed, city.seed_written ? sizeof city.row.seed : 0);
        say("\n");
    }
    if (city.handled.event != IOTKM_CENTRE_NOTHING) {
        CHECK(city.handled.event < sizeof names / sizeof names[0]);
        say("event ");
        say(names[city.handled.event]);
        say_hex(city.handled.id.bytes, city.handled.id.len);
        say("\n");
    }
    if (city.handled.reply) {
        say("datagram ");
        say_addr(to);
        say_hex(city.handled.reply, city.handled.reply_len);
        say("\n");
    }
    memset(&city.handled, 0, sizeof city.handled);
    city.written = 0;
}

/* After a restart: with its rows, one of which may be put back, and perhaps a session. */
static void city_restart(iotkm_association *a, const iotkm_cx *cx, const iotkm_config *config) {
    static uint8_t session[DATAGRAM], seed[IOTKM_CENTRE_SEED_LEN], state[IOTKM_CENTRE_STATE_MAX];
    iotkm_history_id id;
    size_t session_len = unhex(session, sizeof session), seed_len = unhex(seed, sizeof seed), len = unhex(state, sizeof state);
    short_id(&id);
    if (city.has_session) OK(iotkm_wipe(a));
    city.has_session = 0;
    OK(iotkm_centre_wipe(&city.centre));
    OK(iotkm_centre_open(&city.centre, &city.setup));
    if (seed_len) {
        city.row.id = id;
        city.row.version = (uint32_t)state[0] << 24 | (uint32_t)state[1] << 16 | (uint32_t)state[2] << 8 | state[3];
        memcpy(city.row.seed, seed, sizeof city.row.seed);
        memcpy(city.row.state, state, city.row.state_len = len);
    }
    if (session_len) {
        OK(iotkm_served_at_rest(a, &id, suite(word()), config, &city.memory));
        OK(iotkm_restore(a, cx, session, session_len));
        city.has_session = 1;
    }
}

static int city_verb(iotkm_association *a, const iotkm_cx *cx, const iotkm_config *config, const iotkm_addr *other, const char *verb) {
    static uint8_t bytes[DATAGRAM], more[DATAGRAM];
    iotkm_device_record about;
    iotkm_history_id id;
    iotkm_signed by;
    size_t len, more_len;
    const char *before = line;
    int status;
    if (is(verb, "input")) {
        len = unhex(bytes, sizeof bytes);
        if (!is_centres(bytes, len)) {
            line = before;
            return 0;
        }
        city_hear(a, cx, config, other, bytes, len);
    } else if (is(verb, "restart")) {
        city_restart(a, cx, config);
    } else if (is(verb, "invite")) {
        const iotkm_suite *with;
        short_id(&id);
        with = suite(word());
        OK(iotkm_centre_invite(&city.centre, cx, &id, with, !is(word(), "-"), bytes, sizeof bytes, &len));
        say_hex(bytes, len);
    } else if (is(verb, "enrol")) {
        len = unhex(bytes, sizeof bytes);
        OK(iotkm_centre_enrol(&city.centre, cx, bytes, len, more, &id));
        say_hex(more, IOTKM_CENTRE_CONFIRMATION_LEN);
        say_hex(id.bytes, id.len);
    } else if (is(verb, "update")) {
        short_id(&id);
        OK(iotkm_centre_update(&city.centre, cx, &id));
    } else if (is(verb, "revoke")) {
        short_id(&id);
        OK(iotkm_centre_revoke(&city.centre, cx, &id));
    } else if (is(verb, "verify")) {
        len = unhex(bytes, sizeof bytes);
        more_len = unhex(more, sizeof more);
        status = iotkm_centre_verify(&city.centre, cx, bytes, len, more, more_len, &by);
        CHECK(status == IOTKM_OK || status == IOTKM_E_REFUSED_SIGNATURE);
        if (status == IOTKM_OK) {
            say_number(by.time_ms / 1000);
            say_number(by.counter);
            say_hex(by.id.bytes, by.id.len);
        }
    } else if (is(verb, "row")) {
        static const char *const standings[] = {" enrolled", " revoked", " killed"};
        short_id(&id);
        OK(iotkm_centre_device(&city.centre, cx, &id, &about));
        say_number(about.counter);
        say_number(about.generation);
        CHECK(about.standing < 3);
        say(standings[about.standing]);
        say_number(about.updating);
        say_number(about.first_year);
        say_number(about.last_year);
    } else {
        return 0;
    }
    return 1;
}

#endif
