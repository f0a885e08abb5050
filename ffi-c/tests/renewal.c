/* A device's next credential over an association with its operator, whatever is lost or cut off. */
#include "pair.h"

enum { LIST = IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 4, MEMORY = IOTKM_HOLDER_MEMORY + LIST, HOLDER = 0, PEER = 1, KEYS = 2 };
enum { HOUR = 3600, FIRST = 5, MESSAGE = IOTKM_CREDENTIAL_ANSWER_MAX + IOTKM_TICKET_MESSAGE_OVERHEAD };
static const uint32_t NOW = 1750000000;

typedef struct {
    side s;
    const char *name;
    iotkm_noninteractive_peer peer;
    iotkm_noninteractive_memory memory;
    iotkm_holder holder;
    iotkm_static_key keys[2];
    unsigned key_count;
    uint8_t purse[MEMORY];
} device;

static device lamp, centre;
static uint8_t lists_secret[32], lists_key[IOTKM_AGENT_KEY_MAX], x[32], y[32], work[2 * (IOTKM_HOLDER_BLOB_OVERHEAD + MEMORY)];
static iotkm_agent agent;
static iotkm_credential_operator office;
static iotkm_operator op;
static iotkm_operator_entry entries[1];
static uint32_t serial;
static uint8_t answer[IOTKM_CREDENTIAL_ANSWER_MAX];
static size_t answer_len;

/* ---- the keys of both credentials ---- */

static int either_public(void *ctx, uint16_t key, int curve, uint8_t *share, size_t len) {
    device *d = (device *)ctx;
    unsigned i;
    int status = IOTKM_KEY_NONE;
    for (i = 0; i < d->key_count && status == IOTKM_KEY_NONE; i++) status = iotkm_static_key_public_key(&d->keys[i], key, curve, share, len);
    return status;
}
static int either_agree(void *ctx, uint16_t key, int curve, const uint8_t *share, uint8_t *secret, size_t len) {
    device *d = (device *)ctx;
    unsigned i;
    int status = IOTKM_KEY_NONE;
    for (i = 0; i < d->key_count && status == IOTKM_KEY_NONE; i++) status = iotkm_static_key_agree(&d->keys[i], key, curve, share, secret, len);
    return status;
}
static int either_step(void *ctx, uint16_t key, int curve, const iotkm_step *step, uint8_t *out) {
    device *d = (device *)ctx;
    unsigned i;
    int status = IOTKM_KEY_NONE;
    for (i = 0; i < d->key_count && status == IOTKM_KEY_NONE; i++) status = iotkm_static_key_step(&d->keys[i], key, curve, step, out);
    return status;
}

/* ---- the operator ---- */

static void office_opens(const iotkm_noninteractive_suite *suite) {
    memset(lists_secret, 9, sizeof lists_secret);
    OK(iotkm_signing_public_key(&iotkm_signing_eddsa, lists_secret, lists_key, sizeof lists_key, &agent.key_len));
    agent.name = "acme";
    agent.signature = &iotkm_eddsa;
    agent.key = lists_key;
    OK(iotkm_operator_key_generate(suite, &centre.s.cx, x));
    OK(iotkm_operator_key_public(suite, x, y, sizeof y, &office.key_len));
    office.suite = suite;
    office.agent = &agent;
    office.key = y;
}

static void issues(const uint8_t *request, size_t len, uint16_t hours) {
    iotkm_credential_terms terms;
    memset(&terms, 0, sizeof terms);
    terms.issuer = "acme";
    terms.issued_at = (uint32_t)(centre.s.cx.wall_ms / 1000);
    terms.life_h = hours;
    terms.serial = ++serial;
    OK(iotkm_credential_issue(&centre.s.cx, office.suite, x, &terms, request, len, answer, sizeof answer, &answer_len));
}

/* What an answer begins with. */
static iotkm_credential in_answer(void) {
    iotkm_credential credential;
    OK(iotkm_credential_read(office.suite, answer, answer_len - IOTKM_CREDENTIAL_ANSWER_OVERHEAD, &credential));
    return credential;
}

/* ---- a device ---- */

static void stores(device *d) { OK(iotkm_holder_store(&d->holder, &d->s.cx, HOLDER, work, sizeof work)); }

/* The power goes: what is stored is left. */
static void cut_off(device *d) {
    OK(iotkm_holder_wipe(&d->holder));
    OK(iotkm_holder_init(&d->holder, &office, d->name, d->purse, sizeof d->purse));
    OK(iotkm_holder_load(&d->holder, &d->s.cx, HOLDER, work, sizeof work));
}

static void enrol(device *d, const char *name, device *other, uint16_t hours) {
    uint8_t request[IOTKM_CREDENTIAL_REQUEST_MAX];
    const iotkm_kem *kem = office.suite == &iotkm_noninteractive_suite_2 ? &iotkm_growing_p256 : &iotkm_growing_ristretto255;
    iotkm_static_key half;
    iotkm_credential credential;
    size_t len;
    d->name = name;
    OK(iotkm_holder_init(&d->holder, &office, name, d->purse, sizeof d->purse));
    OK(iotkm_static_key_generate(&half, &d->s.cx, 0, kem));
    OK(iotkm_credential_request(&half, name, request, sizeof request, &len));
    issues(request, len, hours);
    OK(iotkm_holder_accept(&d->holder, &d->s.cx, &half, answer, answer_len, FIRST, &d->keys[0], &credential));
    d->key_count = 1;
    OK(iotkm_holder_install(&d->holder, &d->s.cx, credential.bytes, credential.len));
    OK(iotkm_static_key_wipe(&half));
    stores(d);
    d->s.platform.public_key = either_public;
    d->s.platform.agree = either_agree;
    d->s.platform.step = either_step;
    d->s.platform.keys_ctx = d;
    OK(iotkm_noninteractive_peer_init(&d->peer, office.suite, PEER, name, other == &lamp ? "lamp" : "centre", NULL));
}

static void opens(device *d) {
    iotkm_noninteractive_setup setup;
    memset(&setup, 0, sizeof setup);
    setup.struct_size = sizeof setup;
    setup.key = FIRST;
    setup.has_next_key = true;
    setup.next_key = FIRST + 1;
    OK(iotkm_noninteractive_open((iotkm_noninteractive *)&d->s.a, &d->peer, &d->holder, &setup, NULL, &d->memory));
}

static void meet(void) {
    opens(&lamp);
    opens(&centre);
    OK(iotkm_noninteractive_connect(&lamp.s.a, &lamp.s.cx, &centre.s.addr));
    settle(&lamp.s, &centre.s, 0);
    CHECK(iotkm_is_established(&lamp.s.a) == 1 && iotkm_is_established(&centre.s.a) == 1);
}

static void part(void) {
    OK(iotkm_wipe(&lamp.s.a));
    OK(iotkm_wipe(&centre.s.a));
}

/* A message through the session; the far side has it in `got`. */
static void says(device *from, const uint8_t *message, size_t len) {
    uint8_t out[MTU];
    iotkm_addr to;
    size_t out_len;
    OK(iotkm_send(&from->s.a, &from->s.cx, message, len, out, sizeof out, &out_len, &to));
    OK(test_send(&from->s, &to, out, out_len));
    settle(&lamp.s, &centre.s, 0);
    CHECK(from->s.other->got_len == len && memcmp(from->s.other->got, message, len) == 0);
}

static void says_this(device *from, uint32_t kind, const uint8_t *bytes, size_t len) {
    uint8_t out[MESSAGE];
    iotkm_ticket_message message;
    memset(&message, 0, sizeof message);
    message.kind = kind;
    message.bytes = bytes;
    message.len = len;
    OK(iotkm_ticket_message_write(&message, out, sizeof out, &len));
    says(from, out, len);
}

static int lamp_handles(iotkm_told *told, iotkm_credential *next) {
    return iotkm_holder_handle(&lamp.holder, &lamp.s.cx, lamp.s.got, lamp.s.got_len, FIRST + 1, &lamp.keys[1], next, told);
}

static uint32_t serial_of_lamp(void) {
    iotkm_credential own;
    OK(iotkm_holder_credential(&lamp.holder, &own));
    return own.serial;
}

static void begin(const iotkm_noninteractive_suite *suite) {
    memset(&lamp, 0, sizeof lamp);
    memset(&centre, 0, sizeof centre);
    side_init(&lamp.s, &centre.s, 'a');
    side_init(&centre.s, &lamp.s, 'b');
    serial = 0;
    office_opens(suite);
    enrol(&centre, "centre", &lamp, 2400);
    enrol(&lamp, "lamp", &centre, 240);
    OK(iotkm_operator_init(&op, entries, 1, 72 * HOUR, HOUR));
}

static void end(void) {
    device *all[2] = {&lamp, &centre};
    unsigned i, key;
    for (i = 0; i < 2; i++) {
        OK(iotkm_noninteractive_peer_wipe(&all[i]->peer));
        OK(iotkm_holder_wipe(&all[i]->holder));
        for (key = 0; key < all[i]->key_count; key++) OK(iotkm_static_key_wipe(&all[i]->keys[key]));
    }
    OK(iotkm_operator_wipe(&op));
}

static void renewed(const iotkm_noninteractive_suite *suite) {
    uint8_t request[2][MESSAGE], said[IOTKM_WALLET_ANSWER_MAX], reference[IOTKM_REFERENCE_LEN], theirs[IOTKM_CREDENTIAL_MAX];
    char name[IOTKM_NAME_TEXT];
    iotkm_ticket_message heard;
    iotkm_credential credential;
    iotkm_renewal renewal;
    iotkm_told told;
    uint64_t due_at;
    size_t request_len, len;
    bool flag;

    begin(suite);
    credential = in_answer();
    OK(iotkm_operator_knows_credential(&op, &credential));
    OK(iotkm_holder_due_at(&lamp.holder, 1 * HOUR, &due_at));
    CHECK(due_at == NOW + 239 * HOUR);
    OK(iotkm_holder_due_at(&lamp.holder, UINT64_MAX, &due_at));
    CHECK(due_at == NOW + 120 * HOUR);
    CHECK(iotkm_holder_is_asking(&lamp.holder) == 0);
    IS(iotkm_holder_request(&lamp.holder, request[0], MESSAGE, &len), IOTKM_E_WRONG_STATE);
    meet();

    /* 200 hours later the device is told to ask: k1 is drawn and stored. */
    lamp.s.cx.wall_ms += UINT64_C(200) * HOUR * 1000;
    centre.s.cx.wall_ms = lamp.s.cx.wall_ms;
    OK(iotkm_operator_ask(&op, centre.s.cx.wall_ms / 1000, name));
    CHECK(strcmp(name, "lamp") == 0);
    says_this(&centre, IOTKM_TICKET_MESSAGE_CREDENTIAL_DUE, NULL, 0);
    OK(lamp_handles(&told, &credential));
    CHECK(told == IOTKM_TOLD_ASK && iotkm_holder_is_asking(&lamp.holder) == 0);
    OK(iotkm_holder_ask(&lamp.holder, &lamp.s.cx));
    CHECK(iotkm_holder_is_asking(&lamp.holder) == 1 && iotkm_holder_needs_store(&lamp.holder) == 1);
    IS(iotkm_holder_request(&lamp.holder, request[0], MESSAGE, &len), IOTKM_E_WRONG_STATE);
    stores(&lamp);
    OK(iotkm_holder_request(&lamp.holder, request[0], MESSAGE, &request_len));
    IS(iotkm_holder_request(&lamp.holder, request[1], request_len - 1, &len), IOTKM_E_BUFFER_TOO_SMALL);
    OK(iotkm_holder_ask(&lamp.holder, &lamp.s.cx));
    CHECK(iotkm_holder_needs_store(&lamp.holder) == 0);

    /* The operator answers, and its answer is lost with the device's power: it asks with the same request, and gets the same. */
    says(&lamp, request[0], request_len);
    OK(iotkm_ticket_message_read(centre.s.got, centre.s.got_len, &heard));
    CHECK(heard.kind == IOTKM_TICKET_MESSAGE_CREDENTIAL_REQUEST);
    OK(iotkm_credential_requested(suite, heard.bytes, heard.len, name));
    CHECK(strcmp(name, "lamp") == 0);
    issues(heard.bytes, heard.len, 240);
    credential = in_answer();
    OK(iotkm_operator_issued_credential(&op, &credential));
    OK(iotkm_operator_waiting_for(&op, "lamp", &flag, reference));
    CHECK(flag && memcmp(reference, credential.reference, sizeof reference) == 0);
    part();
    cut_off(&lamp);
    CHECK(iotkm_holder_is_asking(&lamp.holder) == 1 && iotkm_holder_needs_store(&lamp.holder) == 0);
    OK(iotkm_holder_request(&lamp.holder, request[1], MESSAGE, &len));
    CHECK(len == request_len && memcmp(request[0], request[1], len) == 0);
    meet();

    /* Half of the answer, another's, and the whole: nothing has changed until it is installed. */
    says_this(&centre, IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER, answer, answer_len - 1);
    IS(lamp_handles(&told, &credential), IOTKM_E_REFUSED_CLAIMS);
    answer[answer_len - 20] ^= 1;
    says_this(&centre, IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER, answer, answer_len);
    answer[answer_len - 20] ^= 1;
    IS(lamp_handles(&told, &credential), IOTKM_E_REFUSED_SIGNATURE);
    OK(iotkm_wallet_refusal(IOTKM_E_REFUSED_SIGNATURE, said, sizeof said, &len));
    says(&lamp, said, len);
    OK(iotkm_operator_handle(&op, "lamp", centre.s.got, centre.s.got_len, &flag));
    CHECK(!flag);
    says_this(&centre, IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER, answer, answer_len);
    OK(lamp_handles(&told, &credential));
    CHECK(told == IOTKM_TOLD_NEXT && credential.serial == serial && serial_of_lamp() == serial - 1);
    CHECK(iotkm_holder_is_asking(&lamp.holder) == 1 && iotkm_holder_needs_store(&lamp.holder) == 0);
    OK(iotkm_static_key_wipe(&lamp.keys[1]));
    part();
    cut_off(&lamp);
    meet();
    says_this(&centre, IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER, answer, answer_len);
    OK(lamp_handles(&told, &credential));
    CHECK(told == IOTKM_TOLD_NEXT);
    OK(iotkm_static_key_store(&lamp.keys[1], &lamp.s.cx, KEYS));
    lamp.key_count = 2;
    OK(iotkm_holder_install(&lamp.holder, &lamp.s.cx, credential.bytes, credential.len));
    CHECK(iotkm_holder_is_asking(&lamp.holder) == 0 && serial_of_lamp() == serial);
    IS(iotkm_holder_acknowledgement(&lamp.holder, said, sizeof said, &len), IOTKM_E_WRONG_STATE);
    IS(iotkm_holder_request(&lamp.holder, request[1], MESSAGE, &len), IOTKM_E_WRONG_STATE);
    stores(&lamp);

    /* It is cut off before it says so: the answer comes again, and is acknowledged. */
    part();
    cut_off(&lamp);
    meet();
    says_this(&centre, IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER, answer, answer_len);
    OK(lamp_handles(&told, &credential));
    CHECK(told == IOTKM_TOLD_ACKNOWLEDGE);
    OK(iotkm_holder_acknowledgement(&lamp.holder, said, sizeof said, &len));
    says(&lamp, said, len);
    OK(iotkm_operator_handle(&op, "lamp", centre.s.got, centre.s.got_len, &flag));
    CHECK(flag);
    OK(iotkm_operator_waiting_for(&op, "lamp", &flag, reference));
    OK(iotkm_operator_device_at(&op, 0, &renewal));
    CHECK(!flag && !renewal.is_waiting && renewal.expires == NOW + 440 * HOUR);

    /* That last handshake was under the new one. Its end is the new one's. */
    part();
    OK(iotkm_noninteractive_peer_credential(&centre.peer, theirs, sizeof theirs, &len));
    OK(iotkm_credential_read(suite, theirs, len, &credential));
    CHECK(credential.serial == serial && credential.expires == NOW + 440 * HOUR);
    end();
}

static void misuse(void) {
    static iotkm_holder none;
    uint8_t message[MESSAGE], said[IOTKM_WALLET_ANSWER_MAX], list[LIST];
    iotkm_ticket_message out;
    iotkm_credential credential, other;
    iotkm_told told = IOTKM_TOLD_NOTHING;
    uint64_t due_at;
    uint32_t number;
    size_t len;

    begin(&iotkm_noninteractive_suite_4);
    credential = in_answer();
    IS(iotkm_holder_due_at(&none, 1, &due_at), IOTKM_E_NOT_SET_UP);
    IS(iotkm_holder_due_at(&lamp.holder, 1, NULL), IOTKM_E_NULL);
    IS(iotkm_holder_ask(&none, &lamp.s.cx), IOTKM_E_NOT_SET_UP);
    IS(iotkm_holder_ask(&lamp.holder, NULL), IOTKM_E_NULL);
    IS(iotkm_holder_is_asking(&none), IOTKM_E_NOT_SET_UP);
    IS(iotkm_holder_is_asking(NULL), IOTKM_E_NULL);
    lamp.s.random_fails = 1;
    IS(iotkm_holder_ask(&lamp.holder, &lamp.s.cx), IOTKM_E_RNG);
    lamp.s.random_fails = 0;
    CHECK(iotkm_holder_is_asking(&lamp.holder) == 0 && iotkm_holder_needs_store(&lamp.holder) == 0);

    memset(message, 0xff, sizeof message);
    memcpy(lamp.s.got, message, lamp.s.got_len = sizeof message);
    CHECK(lamp_handles(&told, &other) == IOTKM_E_REFUSED_ENCODING);
    memset(&out, 0, sizeof out);
    out.kind = IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER + 1;
    IS(iotkm_ticket_message_write(&out, message, sizeof message, &len), IOTKM_E_BAD_ARGUMENT);
    out.kind = IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER;
    out.bytes = answer;
    out.len = answer_len;
    IS(iotkm_ticket_message_write(&out, message, answer_len, &len), IOTKM_E_BUFFER_TOO_SMALL);
    OK(iotkm_ticket_message_write(&out, message, sizeof message, &len));
    memcpy(lamp.s.got, message, lamp.s.got_len = len);
    OK(lamp_handles(&told, &other)); /* its own credential, again */
    CHECK(told == IOTKM_TOLD_ACKNOWLEDGE);

    /* An answer to nothing; one to what was asked, and no place for what it gives. */
    OK(iotkm_holder_ask(&lamp.holder, &lamp.s.cx));
    stores(&lamp);
    OK(iotkm_holder_request(&lamp.holder, message, sizeof message, &len));
    OK(iotkm_ticket_message_read(message, len, &out));
    issues(out.bytes, out.len, 480);
    memset(&out, 0, sizeof out);
    out.kind = IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER;
    out.bytes = answer;
    out.len = answer_len;
    OK(iotkm_ticket_message_write(&out, message, sizeof message, &len));
    IS(iotkm_holder_handle(&centre.holder, &centre.s.cx, message, len, 6, &centre.keys[1], &other, &told), IOTKM_E_REFUSED_SIGNATURE);
    IS(iotkm_holder_handle(&lamp.holder, &lamp.s.cx, message, len, 6, NULL, &other, &told), IOTKM_E_NULL);
    IS(iotkm_holder_handle(&lamp.holder, &lamp.s.cx, message, len, 6, &lamp.keys[1], NULL, &told), IOTKM_E_NULL);
    IS(iotkm_holder_handle(&lamp.holder, &lamp.s.cx, message, len, 6, &lamp.keys[1], &other, NULL), IOTKM_E_NULL);
    IS(iotkm_holder_handle(&lamp.holder, &lamp.s.cx, NULL, len, 6, &lamp.keys[1], &other, &told), IOTKM_E_NULL);
    IS(iotkm_holder_handle(&none, &lamp.s.cx, message, len, 6, &lamp.keys[1], &other, &told), IOTKM_E_NOT_SET_UP);
    CHECK(iotkm_holder_is_asking(&lamp.holder) == 1 && iotkm_holder_needs_store(&lamp.holder) == 0);
    memcpy(lamp.s.got, message, lamp.s.got_len = len);
    OK(lamp_handles(&told, &other));
    CHECK(told == IOTKM_TOLD_NEXT);
    lamp.key_count = 2;

    /* A list is taken in, and what is not stored is not acknowledged. */
    OK(iotkm_revocation_list_issue(&iotkm_signing_eddsa, lists_secret, "acme", NOW, 1, NULL, 0, list, sizeof list, &len));
    out.kind = IOTKM_TICKET_MESSAGE_LIST;
    out.bytes = list;
    out.len = len;
    OK(iotkm_ticket_message_write(&out, work, sizeof work, &len));
    memcpy(lamp.s.got, work, lamp.s.got_len = len);
    OK(lamp_handles(&told, &other));
    OK(iotkm_holder_list_number(&lamp.holder, &number));
    CHECK(told == IOTKM_TOLD_ACKNOWLEDGE && number == 1);
    IS(iotkm_holder_acknowledgement(&lamp.holder, said, sizeof said, &len), IOTKM_E_WRONG_STATE);
    IS(iotkm_holder_request(&lamp.holder, message, sizeof message, &len), IOTKM_E_WRONG_STATE);
    stores(&lamp);
    IS(iotkm_holder_acknowledgement(&lamp.holder, said, 4, &len), IOTKM_E_BUFFER_TOO_SMALL);
    OK(iotkm_holder_acknowledgement(&lamp.holder, said, sizeof said, &len));
    memcpy(lamp.s.got, said, lamp.s.got_len = len);
    OK(lamp_handles(&told, &other));
    CHECK(told == IOTKM_TOLD_NOTHING);

    IS(iotkm_operator_issued_credential(&op, &credential), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_operator_knows_credential(&op, NULL), IOTKM_E_NULL);
    OK(iotkm_operator_knows_credential(&op, &credential));
    memcpy(credential.subject, "bell", 5);
    IS(iotkm_operator_knows_credential(&op, &credential), IOTKM_E_FULL);
    IS(iotkm_operator_issued_credential(&op, &credential), IOTKM_E_BAD_ARGUMENT);
    credential.subject[0] = '\0';
    IS(iotkm_operator_knows_credential(&op, &credential), IOTKM_E_BAD_ARGUMENT);
    end();
}

int main(void) {
    renewed(&iotkm_noninteractive_suite_4);
    renewed(&iotkm_noninteractive_suite_2);
    misuse();
    return 0;
}
