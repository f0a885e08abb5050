/* What a caller can do wrong: each gives its own number, and changes nothing. */
#include "pair.h"

static side a, b;
static iotkm_history_pairing pairing;

enum { CANARY = 0xa5 };

static int untouched(const void *memory, size_t len) {
    const uint8_t *p = (const uint8_t *)memory;
    while (len--) {
        if (*p++ != CANARY) return 0;
    }
    return 1;
}

static int zero(const void *memory, size_t len) {
    const uint8_t *p = (const uint8_t *)memory;
    while (len--) {
        if (*p++ != 0) return 0;
    }
    return 1;
}

/* Outputs of every kind, to see that a failure writes none. */
static struct {
    uint8_t bytes[600];
    size_t len;
    iotkm_addr addr;
    iotkm_received received;
    iotkm_output output;
    iotkm_assurance_record assurance;
    iotkm_history_id id;
    uint64_t wake_at;
    uint32_t number;
    uint16_t count;
} o;

static void canary(void) { memset(&o, CANARY, sizeof o); }

/* All verbs on memory that is no association. */
static void no_association(iotkm_association *x, int status) {
    uint8_t byte = 0;
    canary();
    IS(iotkm_send(x, &a.cx, &byte, 1, o.bytes, sizeof o.bytes, &o.len, &o.addr), status);
    IS(iotkm_receive(x, &a.cx, &b.addr, o.bytes, 4, &o.received), status);
    IS(iotkm_timeout(x, &a.cx), status);
    IS(iotkm_poll(x, &a.cx, o.bytes, sizeof o.bytes, &o.output), status);
    IS(iotkm_drain(x, &a.cx, o.bytes, sizeof o.bytes, &o.wake_at), status);
    IS(iotkm_persisted(x, 1, 0), status);
    IS(iotkm_exporter(x, "label", NULL, 0, o.bytes, 32), status);
    IS(iotkm_export(x, &a.cx, o.bytes, sizeof o.bytes, &o.len), status);
    IS(iotkm_restore(x, &a.cx, &byte, 1), status);
    IS(iotkm_is_established(x), status);
    IS(iotkm_peer_addr(x, &o.addr), status);
    IS(iotkm_assurance(x, &o.assurance), status);
    IS(iotkm_fingerprint(x, o.bytes), status);
    IS(iotkm_drops(x, IOTKM_DROPPED_FORGED, &o.count), status);
    IS(iotkm_close(x), status);
    CHECK(iotkm_needed(x) == 0);
    IS(iotkm_history_connect(x, &a.cx, &b.addr), status);
    IS(iotkm_history_update(x, &a.cx), status);
    IS(iotkm_history_is_named_by(x, &byte, 1), status);
    IS(iotkm_history_release(x), status);
    IS(iotkm_history_lend(x, &a.memory), status);
    IS(iotkm_wipe(x), status);
    CHECK(untouched(&o, sizeof o));
}

static void no_peer(iotkm_history_peer *x, int status) {
    iotkm_association fresh;
    canary();
    memset(&fresh, 0, sizeof fresh);
    IS(iotkm_history_peer_seal(x, &a.cx, o.bytes, sizeof o.bytes, &o.len, &o.number), status);
    IS(iotkm_history_peer_store(x, &a.cx), status);
    IS(iotkm_history_peer_id(x, &o.id), status);
    IS(iotkm_history_peer_slot(x, &o.count), status);
    IS(iotkm_history_peer_generation(x, &o.number), status);
    IS(iotkm_history_peer_fingerprint(x, o.bytes), status);
    IS(iotkm_history_peer_set_psk(x, NULL), status);
    IS(iotkm_history_peer_wipe(x), status);
    IS(iotkm_history_open(&fresh, x, a.entries, ENTRIES, &iotkm_suite_0, NULL, &a.memory), status);
    IS(iotkm_history_open_small(&fresh, x, NULL, 0, &iotkm_suite_0, NULL, (iotkm_history_memory_small *)&a.memory), status);
    CHECK(untouched(&o, sizeof o) && zero(&fresh, sizeof fresh));
}

static void no_pairing(iotkm_history_pairing *x, int status) {
    canary();
    IS(iotkm_history_pairing_restore_attempts(x, &a.cx, 0, o.bytes, 22), status);
    IS(iotkm_history_pairing_load_attempts(x, &a.cx, 2), status);
    IS(iotkm_history_pairing_attempts(x, &o.number), status);
    IS(iotkm_history_pairing_unlock(x), status);
    IS(iotkm_history_pairing_listen(x, &a.cx, o.bytes, 8, 1000), status);
    IS(iotkm_history_pairing_start(x, &a.cx, &b.addr, o.bytes, 8), status);
    IS(iotkm_history_pairing_cancel(x), status);
    IS(iotkm_history_pairing_take_peer(x, &a.peer), status);
    CHECK(untouched(&o, sizeof o));
}

static void never_set_up(void) {
    static iotkm_association x;
    static iotkm_history_peer p;
    side_init(&a, &b, 'a');
    side_init(&b, &a, 'b');
    no_association(&x, IOTKM_E_NOT_SET_UP);
    no_association(NULL, IOTKM_E_NULL);
    no_association((iotkm_association *)((uint8_t *)&x + 1), IOTKM_E_BAD_ARGUMENT);
    no_peer(&p, IOTKM_E_NOT_SET_UP);
    no_peer(NULL, IOTKM_E_NULL);
    no_pairing(&pairing, IOTKM_E_NOT_SET_UP);
    no_pairing(NULL, IOTKM_E_NULL);
    memset(&x, 0xaa, sizeof x);
    memset(&p, 0xaa, sizeof p);
    no_association(&x, IOTKM_E_NOT_SET_UP);
    no_peer(&p, IOTKM_E_NOT_SET_UP);
}

static void constructors(void) {
    iotkm_history_triple triple;
    iotkm_history_id me, it, bad;
    iotkm_config config;
    uint8_t blob[IOTKM_HISTORY_PEER_BLOB_MAX];
    size_t len;
    uint32_t version;

    side_init(&a, &b, 'a');
    side_init(&b, &a, 'b');
    me = id_of(&a);
    it = bad = id_of(&b);
    memset(&triple, 1, sizeof triple);
    memset(&config, 0, sizeof config);

    IS(iotkm_history_peer_provision(NULL, 1, &me, &it, &iotkm_suite_0, &triple), IOTKM_E_NULL);
    IS(iotkm_history_peer_provision(&a.peer, 1, NULL, &it, &iotkm_suite_0, &triple), IOTKM_E_NULL);
    IS(iotkm_history_peer_provision(&a.peer, 1, &me, NULL, &iotkm_suite_0, &triple), IOTKM_E_NULL);
    IS(iotkm_history_peer_provision(&a.peer, 1, &me, &it, NULL, &triple), IOTKM_E_NULL);
    IS(iotkm_history_peer_provision(&a.peer, 1, &me, &it, &iotkm_suite_0, NULL), IOTKM_E_NULL);
    IS(iotkm_history_peer_provision(&a.peer, 1, &me, &me, &iotkm_suite_0, &triple), IOTKM_E_BAD_ARGUMENT);
    bad.len = 0;
    IS(iotkm_history_peer_provision(&a.peer, 1, &me, &bad, &iotkm_suite_0, &triple), IOTKM_E_BAD_ARGUMENT);
    bad.len = 17;
    IS(iotkm_history_peer_provision(&a.peer, 1, &me, &bad, &iotkm_suite_0, &triple), IOTKM_E_BAD_ARGUMENT);
    CHECK(zero(&a.peer, sizeof a.peer));
    side_provision(&a, &iotkm_suite_0);

    IS(iotkm_history_open(NULL, &a.peer, a.entries, ENTRIES, &iotkm_suite_0, NULL, &a.memory), IOTKM_E_NULL);
    IS(iotkm_history_open(&a.a, &a.peer, NULL, ENTRIES, &iotkm_suite_0, NULL, &a.memory), IOTKM_E_NULL);
    IS(iotkm_history_open(&a.a, &a.peer, a.entries, ENTRIES, NULL, NULL, &a.memory), IOTKM_E_NULL);
    IS(iotkm_history_open(&a.a, &a.peer, a.entries, ENTRIES, &iotkm_suite_0, NULL, NULL), IOTKM_E_NULL);
    IS(iotkm_history_open(&a.a, &a.peer, a.entries, 65536, &iotkm_suite_0, NULL, &a.memory), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_history_open(&a.a, &a.peer, a.entries, ENTRIES, &iotkm_suite_0, &config, &a.memory), IOTKM_E_STRUCT_SIZE);
    config.struct_size = sizeof config;
    config.mtu = 31;
    IS(iotkm_history_open(&a.a, &a.peer, a.entries, ENTRIES, &iotkm_suite_0, &config, &a.memory), IOTKM_E_BAD_ARGUMENT);
    config.mtu = IOTKM_HISTORY_MTU_SMALL - 1;
    IS(iotkm_history_open_small(&a.a, &a.peer, NULL, 0, &iotkm_suite_0, &config, (iotkm_history_memory_small *)&a.memory), IOTKM_E_BAD_ARGUMENT);
    config.cid_len = 9;
    IS(iotkm_history_open(&a.a, &a.peer, a.entries, ENTRIES, &iotkm_suite_0, &config, &a.memory), IOTKM_E_BAD_ARGUMENT);
    config.cid_len = 0;
    config.rekey_after = (1u << 20) + 1;
    IS(iotkm_history_open(&a.a, &a.peer, a.entries, ENTRIES, &iotkm_suite_0, &config, &a.memory), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_history_open(&a.a, &a.peer, a.entries, ENTRIES, &iotkm_suite_0_symmetric, NULL, &a.memory), IOTKM_E_SUITE_MISMATCH);
    IS(iotkm_history_open(&a.a, &a.peer, a.entries, ENTRIES, &iotkm_suite_4, NULL, &a.memory), IOTKM_E_SUITE_MISMATCH);
    CHECK(zero(&a.a, sizeof a.a));

    /* Stored peers: too little room, wrong device, damaged, old, missing, a store that fails. */
    canary();
    for (len = 0; len < 5; len++) IS(iotkm_history_peer_seal(&a.peer, &a.cx, o.bytes, len, &o.len, &o.number), IOTKM_E_BUFFER_TOO_SMALL);
    IS(iotkm_history_peer_seal(&a.peer, &a.cx, NULL, 400, &o.len, &o.number), IOTKM_E_NULL);
    IS(iotkm_history_peer_seal(&a.peer, &a.cx, o.bytes, sizeof o.bytes, NULL, &o.number), IOTKM_E_NULL);
    IS(iotkm_history_peer_seal(&a.peer, &a.cx, o.bytes, sizeof o.bytes, &o.len, NULL), IOTKM_E_NULL);
    IS(iotkm_history_peer_seal(&a.peer, NULL, o.bytes, sizeof o.bytes, &o.len, &o.number), IOTKM_E_NULL);
    CHECK(o.len == (size_t)-1 / 255 * CANARY && o.number == UINT32_MAX / 255 * CANARY);
    OK(iotkm_history_peer_seal(&a.peer, &a.cx, blob, sizeof blob, &len, &version));
    IS(iotkm_history_peer_restore(&b.peer, &b.cx, 1, 0, blob, len), IOTKM_E_BAD_BLOB);
    IS(iotkm_history_peer_restore(&b.peer, &a.cx, 1, version + 1, blob, len), IOTKM_E_BLOB_ROLLED_BACK);
    IS(iotkm_history_peer_restore(&b.peer, &a.cx, 1, 0, blob, 0), IOTKM_E_BAD_BLOB);
    IS(iotkm_history_peer_restore(&b.peer, &a.cx, 1, 0, blob, len - 1), IOTKM_E_BAD_BLOB);
    IS(iotkm_history_peer_restore(&b.peer, &a.cx, 1, 0, NULL, len), IOTKM_E_NULL);
    IS(iotkm_history_peer_restore(NULL, &a.cx, 1, 0, blob, len), IOTKM_E_NULL);
    IS(iotkm_history_peer_load(&b.peer, &a.cx, 1), IOTKM_E_EMPTY);
    IS(iotkm_history_peer_load(&b.peer, &a.cx, SLOTS), IOTKM_E_HOOK);
    CHECK(zero(&b.peer, sizeof b.peer));
    a.store_fails = 1;
    IS(iotkm_history_peer_store(&a.peer, &a.cx), IOTKM_E_HOOK);
    a.store_fails = 0;
    OK(iotkm_history_peer_store(&a.peer, &a.cx));
    a.platform.store_read = NULL;
    a.platform.store_write = NULL;
    IS(iotkm_history_peer_load(&b.peer, &a.cx, 1), IOTKM_E_HOOK);
    IS(iotkm_history_peer_store(&a.peer, &a.cx), IOTKM_E_HOOK);
    OK(iotkm_history_peer_wipe(&a.peer));
    CHECK(zero(&a.peer, sizeof a.peer));

    IS(iotkm_history_pairing_open(NULL, &me, &iotkm_suite_0, &iotkm_cpace_p256, 1, 2, NULL), IOTKM_E_NULL);
    IS(iotkm_history_pairing_open(&pairing, NULL, &iotkm_suite_0, &iotkm_cpace_p256, 1, 2, NULL), IOTKM_E_NULL);
    IS(iotkm_history_pairing_open(&pairing, &bad, &iotkm_suite_0, &iotkm_cpace_p256, 1, 2, NULL), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_history_pairing_open(&pairing, &me, NULL, &iotkm_cpace_p256, 1, 2, NULL), IOTKM_E_NULL);
    IS(iotkm_history_pairing_open(&pairing, &me, &iotkm_suite_0, NULL, 1, 2, NULL), IOTKM_E_NULL);
    CHECK(zero(&pairing, sizeof pairing));
}

static int logged_status;
static const char *logged_call;

static void test_log(void *ctx, const char *call, int status) {
    (void)ctx;
    logged_call = call;
    logged_status = status;
}

static void surroundings(void) {
    iotkm_cx cx;
    iotkm_platform platform;
    iotkm_addr bad = b.addr;

    side_init(&a, &b, 'a');
    side_init(&b, &a, 'b');
    side_provision(&a, &iotkm_suite_0);
    side_open(&a, &iotkm_suite_0);
    cx = a.cx;
    platform = a.platform;
    cx.platform = &platform;

    IS(iotkm_history_connect(&a.a, NULL, &b.addr), IOTKM_E_NULL);
    IS(iotkm_history_connect(&a.a, &cx, NULL), IOTKM_E_NULL);
    bad.len = IOTKM_ADDR_MAX + 1;
    IS(iotkm_history_connect(&a.a, &cx, &bad), IOTKM_E_BAD_ARGUMENT);
    cx.platform = NULL;
    IS(iotkm_history_connect(&a.a, &cx, &b.addr), IOTKM_E_NULL);
    cx.platform = &platform;
    platform.struct_size = 0;
    IS(iotkm_history_connect(&a.a, &cx, &b.addr), IOTKM_E_STRUCT_SIZE);
    platform.struct_size = (size_t)-1;
    IS(iotkm_history_connect(&a.a, &cx, &b.addr), IOTKM_E_STRUCT_SIZE);
    platform.struct_size = sizeof platform - 1;
    IS(iotkm_history_connect(&a.a, &cx, &b.addr), IOTKM_E_STRUCT_SIZE);
    platform.struct_size = sizeof platform;
    platform.device_secret = NULL;
    IS(iotkm_history_connect(&a.a, &cx, &b.addr), IOTKM_E_NULL);
    platform.device_secret = a.secret;
    cx.place_len = 33;
    IS(iotkm_history_connect(&a.a, &cx, &b.addr), IOTKM_E_BAD_ARGUMENT);
    cx.place_len = 3;
    cx.place = NULL;
    IS(iotkm_history_connect(&a.a, &cx, &b.addr), IOTKM_E_NULL);
    cx.place_len = 0;
    a.random_fails = 1;
    platform.log = test_log;
    IS(iotkm_history_connect(&a.a, &cx, &b.addr), IOTKM_E_RNG);
    CHECK(logged_status == IOTKM_E_RNG && strcmp(logged_call, "iotkm_history_connect") == 0);
    a.random_fails = 0;
    OK(iotkm_history_connect(&a.a, &cx, &b.addr)); /* after all that */
    IS(iotkm_history_connect(&a.a, &cx, &b.addr), IOTKM_E_WRONG_STATE);
    OK(iotkm_wipe(&a.a));
    CHECK(zero(&a.a, sizeof a.a));
}

static int busy_status;

static int calls_back(void *ctx, uint8_t *out, size_t len) {
    busy_status = iotkm_wipe(&a.a);
    return test_random(ctx, out, len);
}

static void wrong_order(void) {
    uint8_t out[MTU], byte = 1;
    iotkm_addr to;
    iotkm_output output;
    size_t len;

    side_init(&a, &b, 'a');
    side_init(&b, &a, 'b');
    side_provision(&a, &iotkm_suite_0);
    side_open(&a, &iotkm_suite_0);
    canary();
    IS(iotkm_send(&a.a, &a.cx, &byte, 1, out, sizeof out, &o.len, &o.addr), IOTKM_E_NOT_ESTABLISHED);
    IS(iotkm_exporter(&a.a, "label", NULL, 0, o.bytes, 32), IOTKM_E_NOT_ESTABLISHED);
    IS(iotkm_export(&a.a, &a.cx, o.bytes, sizeof o.bytes, &o.len), IOTKM_E_NOT_ESTABLISHED);
    IS(iotkm_peer_addr(&a.a, &o.addr), IOTKM_E_NOT_ESTABLISHED);
    IS(iotkm_assurance(&a.a, &o.assurance), IOTKM_E_NOT_ESTABLISHED);
    IS(iotkm_fingerprint(&a.a, o.bytes), IOTKM_E_NOT_ESTABLISHED);
    IS(iotkm_close(&a.a), IOTKM_E_NOT_ESTABLISHED);
    IS(iotkm_history_update(&a.a, &a.cx), IOTKM_E_NOT_ESTABLISHED);
    IS(iotkm_restore(&a.a, &a.cx, &byte, 1), IOTKM_E_BAD_BLOB);
    IS(iotkm_history_lend(&a.a, &a.memory), IOTKM_E_WRONG_STATE);
    CHECK(iotkm_is_established(&a.a) == 0 && untouched(&o, sizeof o));
    OK(iotkm_persisted(&a.a, 1, 0)); /* nobody asked: ignored */
    OK(iotkm_persisted(&a.a, 99, -1));

    /* The peer is the association's until that is wiped. */
    IS(iotkm_history_peer_wipe(&a.peer), IOTKM_E_BUSY);
    IS(iotkm_history_peer_store(&a.peer, &a.cx), IOTKM_E_BUSY);
    IS(iotkm_history_peer_set_psk(&a.peer, NULL), IOTKM_E_BUSY);
    IS(iotkm_history_open(&b.a, &a.peer, NULL, 0, &iotkm_suite_0, NULL, &b.memory), IOTKM_E_BUSY);
    OK(iotkm_history_peer_slot(&a.peer, &o.count));
    CHECK(o.count == 1);

    /* A hook that calls back. */
    a.platform.random = calls_back;
    OK(iotkm_history_connect(&a.a, &a.cx, &b.addr));
    CHECK(busy_status == IOTKM_E_BUSY);
    a.platform.random = test_random;
    IS(iotkm_history_release(&a.a), IOTKM_E_WRONG_STATE);

    /* Too little room: the output waits. */
    OK(iotkm_poll(&a.a, &a.cx, NULL, 0, &output));
    CHECK(output.kind == IOTKM_OUTPUT_BUFFER_TOO_SMALL && output.needed > 0 && output.needed <= IOTKM_HISTORY_PEER_BLOB_MAX);
    IS(iotkm_drain(&a.a, &a.cx, out, 1, &o.wake_at), IOTKM_E_BUFFER_TOO_SMALL);
    OK(iotkm_poll(&a.a, &a.cx, out, output.needed, &output));
    CHECK(output.kind == IOTKM_OUTPUT_PERSIST && output.slot == 1 && output.bytes == out);

    /* A store that fails: told once, tried again later, and nothing leaves before. */
    OK(iotkm_persisted(&a.a, output.slot, -5));
    a.store_fails = 1;
    side_drain(&a);
    CHECK(a.events[IOTKM_EVENT_STORE_FAILED] == 1 && b.in_count == 0 && a.wake_at != IOTKM_NEVER);
    a.store_fails = 0;
    a.cx.now_ms = a.wake_at;
    OK(iotkm_timeout(&a.a, &a.cx));
    side_drain(&a);
    CHECK(b.in_count > 0);
    OK(iotkm_wipe(&a.a));
    OK(iotkm_history_peer_wipe(&a.peer));

    pair_up(&a, &b, &iotkm_suite_1);
    IS(iotkm_history_update(&a.a, &a.cx), IOTKM_E_NO_RECORD);
    canary();
    IS(iotkm_send(&a.a, NULL, &byte, 1, out, sizeof out, &o.len, &o.addr), IOTKM_E_NULL);
    IS(iotkm_send(&a.a, &a.cx, NULL, 1, out, sizeof out, &o.len, &o.addr), IOTKM_E_NULL);
    IS(iotkm_send(&a.a, &a.cx, &byte, 1, NULL, sizeof out, &o.len, &o.addr), IOTKM_E_NULL);
    IS(iotkm_send(&a.a, &a.cx, &byte, 1, out, sizeof out, NULL, &o.addr), IOTKM_E_NULL);
    IS(iotkm_send(&a.a, &a.cx, &byte, 1, out, sizeof out, &o.len, NULL), IOTKM_E_NULL);
    IS(iotkm_send(&a.a, &a.cx, out + 5, 1, out, sizeof out, &o.len, &o.addr), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_send(&a.a, &a.cx, (uint8_t *)a.in, MTU, out, sizeof out, &o.len, &o.addr), IOTKM_E_TOO_LONG);
    CHECK(iotkm_needed(&a.a) > 1000 && iotkm_needed(&a.a) < MTU);
    IS(iotkm_send(&a.a, &a.cx, &byte, 1, NULL, 0, &o.len, &o.addr), IOTKM_E_BUFFER_TOO_SMALL);
    len = iotkm_needed(&a.a);
    IS(iotkm_send(&a.a, &a.cx, &byte, 1, out, len - 1, &o.len, &o.addr), IOTKM_E_BUFFER_TOO_SMALL);
    CHECK(untouched(&o, sizeof o));
    OK(iotkm_send(&a.a, &a.cx, &byte, 1, out, len, &o.len, &to));
    CHECK(o.len == len);
    side_drain(&a);

    IS(iotkm_receive(&b.a, NULL, &a.addr, out, len, &o.received), IOTKM_E_NULL);
    IS(iotkm_receive(&b.a, &b.cx, NULL, out, len, &o.received), IOTKM_E_NULL);
    IS(iotkm_receive(&b.a, &b.cx, &a.addr, NULL, len, &o.received), IOTKM_E_NULL);
    IS(iotkm_receive(&b.a, &b.cx, &a.addr, out, len, NULL), IOTKM_E_NULL);
    OK(iotkm_receive(&b.a, &b.cx, &a.addr, NULL, 0, &o.received)); /* an empty datagram is a peer's affair */
    CHECK(o.received.payload == NULL);
    OK(iotkm_receive(&b.a, &b.cx, &a.addr, out, len, &o.received));
    CHECK(o.received.payload_len == 1 && *o.received.payload == 1);
    side_drain(&b);
    OK(iotkm_drops(&b.a, IOTKM_DROPPED_MALFORMED, &o.count));
    CHECK(o.count == 1);

    canary();
    IS(iotkm_drops(&b.a, 99, &o.count), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_drops(&b.a, 0, NULL), IOTKM_E_NULL);
    IS(iotkm_exporter(&a.a, NULL, NULL, 0, o.bytes, 32), IOTKM_E_NULL);
    IS(iotkm_exporter(&a.a, "l", NULL, 1, o.bytes, 32), IOTKM_E_NULL);
    IS(iotkm_exporter(&a.a, "l", NULL, 0, NULL, 32), IOTKM_E_NULL);
    IS(iotkm_exporter(&a.a, "l", NULL, 0, (uint8_t *)a.in, 8161), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_export(&a.a, &a.cx, o.bytes, 20, &o.len), IOTKM_E_BUFFER_TOO_SMALL);
    CHECK(iotkm_needed(&a.a) > 20 && iotkm_needed(&a.a) <= IOTKM_SESSION_BLOB_MAX);
    IS(iotkm_export(&a.a, &a.cx, NULL, 200, &o.len), IOTKM_E_NULL);
    IS(iotkm_export(&a.a, &a.cx, o.bytes, sizeof o.bytes, NULL), IOTKM_E_NULL);
    IS(iotkm_peer_addr(&a.a, NULL), IOTKM_E_NULL);
    IS(iotkm_assurance(&a.a, NULL), IOTKM_E_NULL);
    IS(iotkm_fingerprint(&a.a, NULL), IOTKM_E_NULL);
    IS(iotkm_fingerprint_text(NULL, (char *)o.bytes), IOTKM_E_NULL);
    IS(iotkm_fingerprint_text(o.bytes, NULL), IOTKM_E_NULL);
    IS(iotkm_poll(&a.a, &a.cx, out, sizeof out, NULL), IOTKM_E_NULL);
    IS(iotkm_drain(&a.a, &a.cx, out, sizeof out, NULL), IOTKM_E_NULL);
    IS(iotkm_drain(&a.a, NULL, out, sizeof out, &o.wake_at), IOTKM_E_NULL);
    CHECK(untouched(o.bytes + 22, sizeof o.bytes - 22) && untouched(&o.len, sizeof o.len) && untouched(&o.count, sizeof o.count));

    OK(iotkm_export(&a.a, &a.cx, out, sizeof out, &len));
    IS(iotkm_restore(&a.a, &a.cx, out, len), IOTKM_E_WRONG_STATE);
    IS(iotkm_restore(&a.a, &a.cx, NULL, len), IOTKM_E_NULL);

    /* Undrained: the event of the close waits. */
    OK(iotkm_close(&b.a));
    side_drain(&b);
    CHECK(a.in_count == 1);
    OK(iotkm_receive(&a.a, &a.cx, &b.addr, a.in[0].bytes, a.in[0].len, &o.received));
    IS(iotkm_timeout(&a.a, &a.cx), IOTKM_E_UNDRAINED);
    side_drain(&a);
    a.platform.send = NULL;
    OK(iotkm_history_connect(&a.a, &a.cx, &b.addr));
    IS(iotkm_drain(&a.a, &a.cx, out, sizeof out, &o.wake_at), IOTKM_E_HOOK);
    pair_down(&a, &b);
    no_association(&a.a, IOTKM_E_NOT_SET_UP);
    no_peer(&a.peer, IOTKM_E_NOT_SET_UP);
}

static void hedges(void) {
    static iotkm_hedge hedge;
    iotkm_platform hedged;
    uint8_t one[40], two[40], three[40];

    side_init(&a, &b, 'a');
    IS(iotkm_hedge_random(&hedge, one, sizeof one), IOTKM_E_NOT_SET_UP);
    IS(iotkm_hedge_random(NULL, one, sizeof one), IOTKM_E_NULL);
    IS(iotkm_hedge_init(NULL, &a.platform, 0), IOTKM_E_NULL);
    IS(iotkm_hedge_init(&hedge, NULL, 0), IOTKM_E_NULL);
    CHECK(zero(&hedge, sizeof hedge));
    OK(iotkm_hedge_init(&hedge, &a.platform, 0));
    hedged = a.platform;
    hedged.random = iotkm_hedge_random;
    hedged.random_ctx = &hedge;
    OK(hedged.random(hedged.random_ctx, one, sizeof one));
    a.seed = 'a'; /* the source says the same again */
    OK(hedged.random(hedged.random_ctx, two, sizeof two));
    CHECK(memcmp(one, two, sizeof one) != 0);
    a.seed = 'a';
    OK(iotkm_hedge_init(&hedge, &a.platform, 0)); /* ... at the same count: the same answer */
    OK(hedged.random(hedged.random_ctx, three, sizeof three));
    CHECK(memcmp(one, three, sizeof one) == 0);
    IS(iotkm_hedge_random(&hedge, NULL, 4), IOTKM_E_NULL);
    a.random_fails = 1;
    IS(iotkm_hedge_random(&hedge, one, sizeof one), IOTKM_E_RNG);
    a.random_fails = 0;
    a.cx.platform = &hedged;
    side_provision(&a, &iotkm_suite_0);
    side_open(&a, &iotkm_suite_0);
    OK(iotkm_history_connect(&a.a, &a.cx, &b.addr));
    OK(iotkm_wipe(&a.a));
    OK(iotkm_hedge_wipe(&hedge));
    IS(iotkm_hedge_wipe(&hedge), IOTKM_E_NOT_SET_UP);
    CHECK(zero(&hedge, sizeof hedge));
}

static void texts(void) {
    int status;
    for (status = 0; status >= -15; status--) CHECK(strcmp(iotkm_strerror(status), "unknown status") != 0);
    for (status = -101; status >= -109; status--) CHECK(strcmp(iotkm_strerror(status), "unknown status") != 0);
    for (status = -201; status >= -212; status--) CHECK(strcmp(iotkm_strerror(status), "unknown status") != 0);
    CHECK(strcmp(iotkm_strerror(12345), "unknown status") == 0);
}

int main(void) {
    never_set_up();
    constructors();
    surroundings();
    wrong_order();
    hedges();
    texts();
    return 0;
}
