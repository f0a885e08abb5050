/* A centre with its rows in memory: for tests. */
#ifndef TOWN_H
#define TOWN_H

#include "pair.h"

enum { ROWS = 3, SHARES = 16, ANSWERS = 4 };

typedef struct {
    iotkm_centre centre;
    iotkm_centre_stores stores;
    iotkm_centre_share shares[SHARES];
    iotkm_centre_kept answers[ANSWERS];
    struct {
        iotkm_history_id id;
        uint32_t version;
        uint8_t state[IOTKM_CENTRE_STATE_MAX], seed[IOTKM_CENTRE_SEED_LEN];
        size_t state_len;
    } rows[ROWS];
    unsigned seeds_written;
    int fails, stale; /* the next calls fail; the next writes find another version */
    uint8_t keys[IOTKM_CENTRE_KEYS_LEN];
} town;

static int town_find(const town *t, const iotkm_history_id *id) {
    int i;
    for (i = 0; i < ROWS; i++)
        if (t->rows[i].version && t->rows[i].id.len == id->len && memcmp(t->rows[i].id.bytes, id->bytes, id->len) == 0) return i;
    return -1;
}

static int town_read(void *ctx, const iotkm_history_id *id, uint8_t *state, size_t capacity, size_t *state_len, uint8_t *seed) {
    town *t = (town *)ctx;
    int row = town_find(t, id);
    if (t->fails > 0 && t->fails--) return -1;
    if (row < 0) return IOTKM_STORE_EMPTY;
    CHECK(capacity == IOTKM_CENTRE_STATE_MAX);
    memcpy(state, t->rows[row].state, *state_len = t->rows[row].state_len);
    memcpy(seed, t->rows[row].seed, IOTKM_CENTRE_SEED_LEN);
    return 0;
}

static int town_swap(void *ctx, const iotkm_history_id *id, uint32_t version, const uint8_t *state, size_t len, const uint8_t *seed) {
    town *t = (town *)ctx;
    int row = town_find(t, id);
    if (t->fails > 0 && t->fails--) return -1;
    if (t->stale > 0 && t->stale--) return IOTKM_CENTRE_STALE;
    if ((row < 0 ? 0 : t->rows[row].version) + 1 != version) return IOTKM_CENTRE_STALE;
    if (row < 0)
        for (row = 0; row < ROWS && t->rows[row].version; row++) {}
    CHECK(row < ROWS && len <= IOTKM_CENTRE_STATE_MAX);
    CHECK(seed || version > 1);
    t->rows[row].id = *id;
    t->rows[row].version = version;
    memcpy(t->rows[row].state, state, t->rows[row].state_len = len);
    if (seed) memcpy(t->rows[row].seed, seed, IOTKM_CENTRE_SEED_LEN);
    t->seeds_written += seed != NULL;
    return 0;
}

static const iotkm_suite *const town_suites[] = {&iotkm_suite_0_symmetric, &iotkm_suite_4_symmetric};

static iotkm_centre_setup town_setup(town *t) {
    iotkm_centre_setup setup;
    memset(&setup, 0, sizeof setup);
    setup.struct_size = sizeof setup;
    setup.id.len = 4;
    memcpy(setup.id.bytes, "city", 4);
    setup.suites = town_suites;
    setup.suite_count = 2;
    setup.stores = &t->stores;
    setup.shares = t->shares;
    setup.share_count = SHARES;
    setup.answers = t->answers;
    setup.answer_count = ANSWERS;
    return setup;
}

static void town_open(town *t) {
    iotkm_centre_setup setup;
    memset(t, 0, sizeof *t);
    memset(t->keys, 7, sizeof t->keys);
    t->stores.struct_size = sizeof t->stores;
    t->stores.row_read = town_read;
    t->stores.row_swap = town_swap;
    t->stores.rows_ctx = t;
    t->stores.keys = t->keys;
    setup = town_setup(t);
    OK(iotkm_centre_open(&t->centre, &setup));
}

#endif
