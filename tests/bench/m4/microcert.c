/* The microcert scheme, a device and its centre on one board, what the device takes: a leaf's authentication, with a challenge, a
   signature; one with a session. */
#include "bench.h"
#include "chipped.h"
#include "semihost.h"

#include <string.h>

static struct chipped device;
static struct side office;

/* ---- the centre, with a row ---- */

static iotkm_centre centre;
static iotkm_centre_share shares[4];
static iotkm_centre_kept answers[2];
static uint8_t keys[IOTKM_CENTRE_KEYS_LEN];
static struct {
    uint32_t version;
    size_t length;
    uint8_t state[IOTKM_CENTRE_STATE_MAX], seed[IOTKM_CENTRE_SEED_LEN];
} row;

static int row_read(void *ctx, const iotkm_history_id *id, uint8_t *state, size_t capacity, size_t *length, uint8_t *seed)
{
    (void)ctx, (void)id, (void)capacity;
    if (row.version == 0)
        return IOTKM_STORE_EMPTY;
    memcpy(state, row.state, *length = row.length);
    memcpy(seed, row.seed, sizeof row.seed);
    return 0;
}

static int row_swap(void *ctx, const iotkm_history_id *id, uint32_t version, const uint8_t *state, size_t length, const uint8_t *seed)
{
    (void)ctx, (void)id;
    row.version = version;
    memcpy(row.state, state, row.length = length);
    if (seed)
        memcpy(row.seed, seed, sizeof row.seed);
    return 0;
}

static const iotkm_centre_stores stores = { .struct_size = sizeof stores, .row_read = row_read, .row_swap = row_swap, .keys = keys };

static void enrol(chipped_opener *open, const iotkm_suite *suite, bool clockless)
{
    static const iotkm_suite *suites[1];
    static uint8_t paper[IOTKM_CHIP_DEPOSIT_MAX], work[IOTKM_CHIP_SEED_BLOB_MAX], word[IOTKM_CENTRE_CONFIRMATION_LEN];
    const iotkm_history_id id = { 4, { 'm', '-', '1', '7' } };
    iotkm_history_id who;
    size_t length;
    suites[0] = suite;
    const iotkm_centre_setup setup = { .struct_size = sizeof setup, .id = { 4, { 'c', 'i', 't', 'y' } }, .suites = suites,
                                       .suite_count = 1, .stores = &stores, .shares = shares, .share_count = 4,
                                       .answers = answers, .answer_count = 2 };
    row.version = 0;
    side_init(&office, 'd');
    office.cx.wall_ms = UINT64_C(1000) * CLOCK;
    chipped_init(&device);
    bench_expect(iotkm_centre_open(&centre, &setup) == IOTKM_OK);
    bench_expect(iotkm_centre_invite(&centre, &office.cx, &id, suite, clockless, paper, sizeof paper, &length) == IOTKM_OK);
    bench_expect(iotkm_chip_enrol(&device.chip, &device.side.cx, 1, 2, paper, length) == IOTKM_OK);
    bench_expect(iotkm_chip_deposit(&device.chip, paper, sizeof paper, &length) == IOTKM_OK);
    bench_expect(iotkm_centre_enrol(&centre, &office.cx, paper, length, word, &who) == IOTKM_OK);
    bench_expect(iotkm_chip_confirm(&device.chip, word, sizeof word) == IOTKM_OK);
    bench_expect(iotkm_chip_store(&device.chip, &device.side.cx, work, sizeof work) == IOTKM_OK);
    chipped_open(&device, open, suite);
}

/* The centre's turn: its answer, in the device's place for what it is sent. */
static uint8_t reply[IOTKM_CENTRE_REPLY_MAX];
static size_t reply_length;

static void office_turn(void)
{
    struct side *side = &device.side;
    iotkm_handled handled;
    iotkm_accepted session;
    reply_length = 0;
    for (; side->sent > 0; side->sent--) {
        bench_expect(iotkm_centre_receive(&centre, &office.cx, &office.peer_addr, NULL, 0, side->wire[side->sent - 1].bytes,
                                          side->wire[side->sent - 1].length, reply, sizeof reply, &handled, &session) == IOTKM_OK);
        reply_length = handled.reply_len;
    }
}

static void run(int (*verb)(iotkm_association *, const iotkm_cx *, const iotkm_addr *))
{
    struct side *side = &device.side;
    bench_expect(verb(&side->association, &side->cx, &side->peer_addr) == IOTKM_OK);
    side_drain(side);
    for (;;) {
        bench_aside(office_turn);
        if (reply_length == 0)
            break;
        side_receive(side, reply, reply_length);
    }
}

static void authenticate(void)
{
    run(iotkm_microcert_authenticate);
    bench_expect(device.side.authenticated > 0);
}

static void connect(void)
{
    run(iotkm_microcert_connect);
    bench_expect(device.side.established == 1);
}

static void sign(void)
{
    static uint8_t signature[IOTKM_SIGNATURE_MAX];
    size_t length;
    bench_expect(iotkm_microcert_sign(&device.side.association, &device.side.cx, (const uint8_t *)"1500 kWh", 8, signature,
                                      sizeof signature, &length) == IOTKM_OK);
}

/* The first one stores the counters of the next 31, and the word that the enrolment is done: what is measured is one of those. */
static void enrolled(void)
{
    enrol(iotkm_microcert_open_leaf, &iotkm_suite_4_symmetric, false);
    authenticate();
}

static void enrolled_whole(void)
{
    enrol(iotkm_microcert_open, &iotkm_suite_4_symmetric, false);
    authenticate();
}

/* As before; and the bytes of the association that are ever written until there is a session: there is room for a larger one of
   another kind. */
static void established(void)
{
    uint8_t *bytes = (uint8_t *)&device.side.association;
    uint32_t size = sizeof device.side.association;
    enrolled_whole();
    bench_expect(iotkm_wipe(&device.side.association) == IOTKM_OK);
    memset(bytes, 0xA5, size);
    chipped_open(&device, iotkm_microcert_open, &iotkm_suite_4_symmetric);
    connect();
    while (size > 0 && bytes[size - 1] == 0xA5)
        size--;
    semihost_result("microcert.whole.ram", size, "B");
    enrolled_whole();
}

static void enrolled_aes(void)
{
    enrol(iotkm_microcert_open_leaf, &iotkm_suite_0_symmetric, false);
    authenticate();
}

static void enrolled_first(void) { enrol(iotkm_microcert_open_leaf, &iotkm_suite_4_symmetric, false); }

static void clockless(void)
{
    enrol(iotkm_microcert_open_leaf, &iotkm_suite_4_symmetric, true);
    authenticate();
}

const struct bench benches[] = {
    { "microcert", authenticate, enrolled },
    { "microcert.session", connect, established },
    { "microcert.challenge", authenticate, clockless },
    { "microcert.store", authenticate, enrolled_first },
    { "microcert.sign", sign, enrolled },
    { "microcert.aes", authenticate, enrolled_aes },
    { 0 },
};
