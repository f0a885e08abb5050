/* Plays the vectors of issuing (tests/vectors/primitives/credentials.json). After
 *
 *   O name suite x key lists_key                                                          the operator
 *
 * each of these lines says what came of it; R lines before are what is drawn:
 *
 *   B device serial issued_at life                                                        a split issue, both sides
 *   P device serial issued_at life                                                        a printed one
 *   F device k1 wall answer                                                               a device takes an answer
 *   X kind object                                                                         writes a message, and reads it
 *   U device device_secret lead                                                           a holder; it says nothing
 *   E wall do bytes|counter                                                               a step of its, and how it is then
 */
#ifndef PLAYER_CREDENTIALS_H
#define PLAYER_CREDENTIALS_H

#include "player_words.h"

static struct {
    const iotkm_noninteractive_suite *suite;
    const iotkm_kem *kem;
    int is_ffc, curve;
    char name[IOTKM_NAME_TEXT];
    uint8_t x[32], key[IOTKM_OPERATOR_KEY_MAX], lists_key[32];
    iotkm_agent agent;
    iotkm_credential_operator operators;
} office;

/* The device that asks. */
static struct {
    char name[IOTKM_NAME_TEXT];
    uint8_t secret[32], held[IOTKM_HOLDER_MEMORY_FFC];
    iotkm_platform platform;
    iotkm_cx cx;
    iotkm_holder holder;
    iotkm_static_key_ffc half, key;
} asker;

static uint8_t request_bytes[IOTKM_CREDENTIAL_REQUEST_MAX_FFC + IOTKM_TICKET_MESSAGE_OVERHEAD];
static uint8_t answer_bytes[IOTKM_CREDENTIAL_ANSWER_MAX_FFC + IOTKM_TICKET_MESSAGE_OVERHEAD];

static void set_office(void) {
    uint8_t key[IOTKM_OPERATOR_KEY_MAX];
    size_t len;
    memset(&office, 0, sizeof office);
    text(office.name);
    office.kem = growing(peek());
    office.is_ffc = peek()[0] == '-';
    office.curve = is(peek(), "-21") ? IOTKM_CURVE_FFC2048 : is(peek(), "-22") ? IOTKM_CURVE_FFC3072
                   : office.kem == &iotkm_growing_p256 ? IOTKM_CURVE_P256 : IOTKM_CURVE_RISTRETTO255;
    office.suite = credited_suite(word());
    CHECK(unhex(office.x, 32) == 32);
    office.operators.key_len = unhex(office.key, sizeof office.key);
    CHECK(unhex(office.lists_key, 32) == 32);
    office.agent.name = office.name;
    office.agent.signature = &iotkm_eddsa;
    office.agent.key = office.lists_key;
    office.agent.key_len = sizeof office.lists_key;
    office.operators.suite = office.suite;
    office.operators.agent = &office.agent;
    office.operators.key = office.key;
    OK(iotkm_operator_key_public(office.suite, office.x, key, sizeof key, &len));
    CHECK(len == office.operators.key_len && memcmp(key, office.key, len) == 0);
}

static void set_asker(void) {
    memset(&asker, 0, sizeof asker);
    asker.platform.struct_size = sizeof asker.platform;
    asker.platform.device_secret = asker.secret;
    asker.platform.random = given;
    asker.cx.platform = &asker.platform;
    text(asker.name);
    OK(iotkm_holder_init(&asker.holder, &office.operators, asker.name, asker.held, sizeof asker.held));
}

static int accepts(size_t len, iotkm_credential *credential) {
    if (office.is_ffc) return iotkm_holder_accept_ffc(&asker.holder, &asker.cx, &asker.half, answer_bytes, len, 1, &asker.key, credential);
    return iotkm_holder_accept(&asker.holder, &asker.cx, &asker.half.key, answer_bytes, len, 1, &asker.key.key, credential);
}

/* What the device has then: the credential, what stands for it, its public key. */
static void say_taken(const iotkm_credential *credential) {
    uint8_t key[IOTKM_OPERATOR_KEY_MAX];
    iotkm_credential kept;
    say_hex(credential->bytes, credential->len);
    say_hex(credential->reference, sizeof credential->reference);
    OK(iotkm_static_key_public_key(&asker.key, 1, office.curve, key, office.operators.key_len));
    say_hex(key, office.operators.key_len);
    OK(iotkm_holder_install(&asker.holder, &asker.cx, credential->bytes, credential->len));
    OK(iotkm_holder_credential(&asker.holder, &kept));
    CHECK(strcmp(kept.subject, asker.name) == 0 && kept.serial == credential->serial && kept.expires == credential->expires);
}

static iotkm_credential_terms read_terms(void) {
    iotkm_credential_terms terms;
    memset(&terms, 0, sizeof terms);
    terms.issuer = office.name;
    terms.serial = (uint32_t)number();
    terms.issued_at = (uint32_t)number();
    terms.life_h = (uint16_t)number();
    asker.cx.wall_ms = (uint64_t)terms.issued_at * 1000;
    return terms;
}

static void split_issue(void) {
    iotkm_credential_terms terms;
    iotkm_credential credential;
    char asks[IOTKM_NAME_TEXT];
    size_t len;
    set_asker();
    terms = read_terms();
    if (office.is_ffc) OK(iotkm_static_key_generate_ffc(&asker.half, &asker.cx, 0, office.kem));
    else OK(iotkm_static_key_generate(&asker.half.key, &asker.cx, 0, office.kem));
    OK(iotkm_credential_request(&asker.half.key, asker.name, request_bytes, sizeof request_bytes, &len));
    OK(iotkm_credential_requested(office.suite, request_bytes, len, asks));
    CHECK(strcmp(asks, asker.name) == 0);
    say("split");
    say_hex(request_bytes, len);
    OK(iotkm_credential_issue(&asker.cx, office.suite, office.x, &terms, request_bytes, len, answer_bytes, sizeof answer_bytes, &len));
    say_hex(answer_bytes, len);
    OK(accepts(len, &credential));
    say_taken(&credential);
}

static void printed_issue(void) {
    iotkm_credential_terms terms;
    iotkm_credential credential;
    uint8_t x[32];
    size_t len;
    set_asker();
    terms = read_terms();
    OK(iotkm_credential_issue_printed_knowing_the_private_key(&asker.cx, office.suite, office.x, &terms, asker.name, x, answer_bytes,
                                                              sizeof answer_bytes, &len));
    say("printed");
    say_hex(x, sizeof x);
    if (office.is_ffc) OK(iotkm_holder_accept_printed_ffc(&asker.holder, &asker.cx, answer_bytes, len, x, 1, &asker.key));
    else OK(iotkm_holder_accept_printed(&asker.holder, &asker.cx, answer_bytes, len, x, 1, &asker.key.key));
    OK(iotkm_credential_read(office.suite, answer_bytes, len, &credential));
    say_taken(&credential);
}

static void take_answer(void) {
    iotkm_credential credential;
    uint8_t k1[32];
    size_t len;
    int status;
    set_asker();
    CHECK(unhex(k1, sizeof k1) == sizeof k1);
    asker.cx.wall_ms = number() * 1000;
    len = unhex(answer_bytes, sizeof answer_bytes);
    if (office.is_ffc) OK(iotkm_static_key_import_ffc(&asker.half, 0, office.kem, k1));
    else OK(iotkm_static_key_import(&asker.half.key, 0, office.kem, k1));
    status = accepts(len, &credential);
    CHECK(status < 0);
    say("refused -");
    say_digits((uint64_t)-status);
}

static void message(void) {
    uint8_t bytes[IOTKM_CREDENTIAL_ANSWER_MAX_FFC + IOTKM_TICKET_MESSAGE_OVERHEAD];
    iotkm_ticket_message written, read;
    size_t len;
    memset(&written, 0, sizeof written);
    if (is(peek(), "credential_due")) written.kind = IOTKM_TICKET_MESSAGE_CREDENTIAL_DUE;
    else written.kind = is(peek(), "credential_request") ? IOTKM_TICKET_MESSAGE_CREDENTIAL_REQUEST : IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER;
    say(word());
    written.len = unhex(answer_bytes, sizeof answer_bytes);
    written.bytes = answer_bytes;
    OK(iotkm_ticket_message_write(&written, bytes, sizeof bytes, &len));
    say_hex(bytes, len);
    OK(iotkm_ticket_message_read(bytes, len, &read));
    CHECK(read.kind == written.kind && read.len == written.len && (read.len == 0 || memcmp(read.bytes, answer_bytes, read.len) == 0));
}

/* ---- a device's next credential ---- */

enum { HELD = IOTKM_HOLDER_MEMORY_FFC + IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 16 };

static struct {
    char name[IOTKM_NAME_TEXT];
    uint8_t secret[32], held[HELD], blob[IOTKM_HOLDER_BLOB_OVERHEAD + HELD], work[IOTKM_HOLDER_BLOB_OVERHEAD + HELD];
    size_t blob_len;
    uint64_t lead;
    iotkm_platform platform;
    iotkm_cx cx;
    iotkm_holder holder;
    iotkm_static_key_ffc next;
} renewing;

static void set_holder(void) {
    memset(&renewing, 0, sizeof renewing);
    text(renewing.name);
    CHECK(unhex(renewing.secret, 32) == 32);
    renewing.lead = number();
    renewing.platform.struct_size = sizeof renewing.platform;
    renewing.platform.device_secret = renewing.secret;
    renewing.platform.random = given;
    renewing.cx.platform = &renewing.platform;
    OK(iotkm_holder_init(&renewing.holder, &office.operators, renewing.name, renewing.held, sizeof renewing.held));
}

static void say_code(int status) {
    say(status < 0 ? " -" : " ");
    say_digits((uint64_t)(status < 0 ? -status : status));
}

static void handles(size_t len) {
    static const char *const names[] = {" nothing", " ask", " acknowledge", " next"};
    uint8_t key[IOTKM_OPERATOR_KEY_MAX];
    iotkm_credential next;
    iotkm_told told;
    int status = office.is_ffc ? iotkm_holder_handle_ffc(&renewing.holder, &renewing.cx, answer_bytes, len, 2, &renewing.next, &next, &told)
                               : iotkm_holder_handle(&renewing.holder, &renewing.cx, answer_bytes, len, 2, &renewing.next.key, &next, &told);
    if (status < 0) {
        say_code(status);
        return;
    }
    say(names[told]);
    if (told != IOTKM_TOLD_NEXT) return;
    say_hex(next.bytes, next.len);
    OK(iotkm_static_key_public_key(&renewing.next, 2, office.curve, key, office.operators.key_len));
    say_hex(key, office.operators.key_len);
}

/* What the step returned, and how the holder is now. */
static void holder_step(void) {
    char verb[16] = {0};
    iotkm_credential own;
    uint64_t floor, due_at;
    uint32_t version = 0, list_number;
    size_t len;
    renewing.cx.wall_ms = number() * 1000;
    strncpy(verb, word(), sizeof verb - 1);
    say(verb);
    if (is(verb, "install")) {
        len = unhex(answer_bytes, sizeof answer_bytes);
        say_code(iotkm_holder_install(&renewing.holder, &renewing.cx, answer_bytes, len));
    } else if (is(verb, "handle")) {
        handles(unhex(answer_bytes, sizeof answer_bytes));
    } else if (is(verb, "ask")) {
        OK(iotkm_holder_ask(&renewing.holder, &renewing.cx));
    } else if (is(verb, "store")) {
        OK(iotkm_holder_seal(&renewing.holder, &renewing.cx, renewing.blob, sizeof renewing.blob, &renewing.blob_len, &version));
        OK(iotkm_holder_persisted(&renewing.holder));
        say_hex(renewing.blob, renewing.blob_len);
        say_number(version);
    } else {
        CHECK(is(verb, "restore"));
        OK(iotkm_holder_wipe(&renewing.holder));
        OK(iotkm_holder_init(&renewing.holder, &office.operators, renewing.name, renewing.held, sizeof renewing.held));
        OK(iotkm_holder_restore(&renewing.holder, &renewing.cx, (uint32_t)number(), renewing.blob, renewing.blob_len, renewing.work,
                                sizeof renewing.work));
    }
    OK(iotkm_holder_floor(&renewing.holder, &floor));
    OK(iotkm_holder_list_number(&renewing.holder, &list_number));
    OK(iotkm_holder_due_at(&renewing.holder, renewing.lead, &due_at));
    say_number(floor);
    say_number(list_number);
    say_number(iotkm_holder_credential(&renewing.holder, &own) == IOTKM_OK ? own.serial : 0);
    say_number(due_at);
    say_number((uint64_t)iotkm_holder_is_asking(&renewing.holder));
    say_number((uint64_t)iotkm_holder_needs_store(&renewing.holder));
    if (iotkm_holder_request(&renewing.holder, request_bytes, sizeof request_bytes, &len) != IOTKM_OK) len = 0;
    say_hex(request_bytes, len);
    if (iotkm_holder_acknowledgement(&renewing.holder, request_bytes, sizeof request_bytes, &len) != IOTKM_OK) len = 0;
    say_hex(request_bytes, len);
}

/* Does what a line says that begins with this word; whether it was one of these. */
static int credentials(const char *said) {
    if (is(said, "O")) set_office();
    else if (is(said, "B")) split_issue();
    else if (is(said, "P")) printed_issue();
    else if (is(said, "F")) take_answer();
    else if (is(said, "X")) message();
    else if (is(said, "U")) set_holder();
    else if (is(said, "E")) holder_step();
    else return 0;
    CHECK(drawn == draw_count);
    drawn = draw_count = 0;
    say("\n");
    return 1;
}

#endif
