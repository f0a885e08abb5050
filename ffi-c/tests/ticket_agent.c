/* Signature keys in memory and elsewhere, messages about tickets, a ticket agent; what can be done wrong. */
#include "agency.h"

/* ---- keys ---- */

typedef struct {
    const iotkm_signing *signing;
    const uint8_t *secret;
    int answer, lies;
    unsigned asked;
    iotkm_ticket_agent *busy; /* with the call that this serves */
} token;

static int token_signs(void *ctx, const iotkm_part *parts, size_t count, uint8_t *signature) {
    token *t = (token *)ctx;
    uint8_t message[1024];
    size_t len = 0, i;
    uint32_t number;
    t->asked++;
    if (t->busy) IS(iotkm_ticket_agent_number(t->busy, &number), IOTKM_E_BUSY);
    if (t->answer != 0) return t->answer;
    for (i = 0; i < count; i++) {
        CHECK(len + parts[i].len <= sizeof message);
        if (parts[i].len > 0) memcpy(message + len, parts[i].bytes, parts[i].len);
        len += parts[i].len;
    }
    OK(iotkm_signing_sign(t->signing, t->secret, message, len, signature));
    if (t->lies) signature[9] ^= 1;
    return 0;
}

static void elsewhere(const iotkm_signing *signing, const iotkm_signature *signature) {
    static const char text[] = "a text";
    iotkm_ticket_message request = request_of("lamp", DAY);
    iotkm_ticket_agent numbers;
    iotkm_external_key key;
    token t;
    uint8_t public_key[IOTKM_AGENT_KEY_MAX], made[IOTKM_SIGNATURE_LEN], same[IOTKM_SIGNATURE_LEN];
    uint8_t ticket[IOTKM_TICKET_MAX], again[IOTKM_TICKET_MAX];
    size_t len, more;

    memset(&t, 0, sizeof t);
    memset(&key, 0, sizeof key);
    t.signing = signing;
    t.secret = seed;
    OK(iotkm_signing_public_key(signing, seed, public_key, sizeof public_key, &key.key_len));
    key.signature = signature;
    key.key = public_key;
    OK(iotkm_signing_public_key(&iotkm_signing_external, &key, ticket, sizeof ticket, &len));
    CHECK(len == key.key_len && memcmp(ticket, public_key, len) == 0);
    memset(made, CANARY, sizeof made);
    IS(iotkm_signing_sign(&iotkm_signing_external, &key, (const uint8_t *)text, 6, made), IOTKM_E_HOOK); /* there is no hook */
    key.sign = token_signs;
    key.sign_ctx = &t;

    /* The same ticket, wherever the key is; what fails uses no number up. */
    OK(iotkm_ticket_agent_init_with_number(&numbers, "acme", 77));
    t.answer = IOTKM_KEY_PENDING;
    IS(iotkm_signing_sign(&iotkm_signing_external, &key, (const uint8_t *)text, 6, made), IOTKM_E_KEY_PENDING);
    IS(iotkm_ticket_agent_issue(&numbers, &iotkm_signing_external, &key, NOW, &request, ticket, sizeof ticket, &len), IOTKM_E_KEY_PENDING);
    t.answer = -5;
    IS(iotkm_signing_sign(&iotkm_signing_external, &key, (const uint8_t *)text, 6, made), IOTKM_E_HOOK);
    IS(iotkm_ticket_agent_issue(&numbers, &iotkm_signing_external, &key, NOW, &request, ticket, sizeof ticket, &len), IOTKM_E_HOOK);
    t.answer = 0;
    t.lies = 1;
    IS(iotkm_signing_sign(&iotkm_signing_external, &key, (const uint8_t *)text, 6, made), IOTKM_E_HOOK);
    IS(iotkm_ticket_agent_issue(&numbers, &iotkm_signing_external, &key, NOW, &request, ticket, sizeof ticket, &len), IOTKM_E_HOOK);
    CHECK(is_all(made, CANARY, sizeof made));
    t.lies = 0;
    OK(iotkm_signing_sign(&iotkm_signing_external, &key, (const uint8_t *)text, 6, made));
    OK(iotkm_signing_sign(signing, seed, (const uint8_t *)text, 6, same));
    CHECK(memcmp(made, same, sizeof made) == 0);
    t.asked = 0;
    t.busy = &numbers;
    OK(iotkm_ticket_agent_issue(&numbers, &iotkm_signing_external, &key, NOW, &request, ticket, sizeof ticket, &len));
    CHECK(t.asked == 1);
    IS(iotkm_ticket_agent_issue(&numbers, signing, seed, NOW, &request, again, sizeof again, &more), IOTKM_E_WRONG_STATE);
    OK(iotkm_ticket_agent_init_with_number(&numbers, "acme", 77));
    OK(iotkm_ticket_agent_issue(&numbers, signing, seed, NOW, &request, again, sizeof again, &more));
    CHECK(len == more && memcmp(ticket, again, len) == 0);

    key.key_len--;
    IS(iotkm_signing_public_key(&iotkm_signing_external, &key, ticket, sizeof ticket, &len), IOTKM_E_BAD_ARGUMENT);
    key.key_len++;
    key.signature = NULL;
    IS(iotkm_signing_public_key(&iotkm_signing_external, &key, ticket, sizeof ticket, &len), IOTKM_E_NULL);
    IS(iotkm_signing_public_key(&iotkm_signing_external, NULL, ticket, sizeof ticket, &len), IOTKM_E_NULL);
}

static void keys(void) {
    /* RFC 8032, section 7.1, test 2. */
    static const uint8_t secret[32] = {0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f,
                                       0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb};
    static const uint8_t starts[8] = {0x92, 0xa0, 0x09, 0xa9, 0xf0, 0xd4, 0xca, 0xb8}, zeros[32] = {0};
    uint8_t signature[IOTKM_SIGNATURE_LEN], message = 0x72;
    OK(iotkm_signing_sign(&iotkm_signing_eddsa, secret, &message, 1, signature));
    CHECK(memcmp(signature, starts, sizeof starts) == 0 && signature[63] == 0x00 && signature[62] == 0x0c);
    memset(signature, CANARY, sizeof signature);
    IS(iotkm_signing_sign(&iotkm_signing_es256, zeros, &message, 1, signature), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_signing_sign(NULL, secret, &message, 1, signature), IOTKM_E_NULL);
    IS(iotkm_signing_sign(&iotkm_signing_eddsa, NULL, &message, 1, signature), IOTKM_E_NULL);
    IS(iotkm_signing_sign(&iotkm_signing_eddsa, secret, NULL, 1, signature), IOTKM_E_NULL);
    IS(iotkm_signing_sign(&iotkm_signing_eddsa, secret, &message, 1, NULL), IOTKM_E_NULL);
    CHECK(is_all(signature, CANARY, sizeof signature));
    elsewhere(&iotkm_signing_eddsa, &iotkm_eddsa);
    elsewhere(&iotkm_signing_es256, &iotkm_es256);
}

/* ---- messages ---- */

static void messages(void) {
    static uint8_t long_list[IOTKM_REVOCATION_LIST_OVERHEAD + 4 * IOTKM_REVOCATION_LIST_SERIALS], long_out[sizeof long_list + 7];
    static uint32_t serials[IOTKM_REVOCATION_LIST_SERIALS];
    uint8_t out[IOTKM_TICKET_MAX], ffc[384];
    iotkm_ticket_message message = request_of("lamp", 60), read, untouched;
    size_t len, i, none = 77;

    memset(&untouched, CANARY, sizeof untouched);
    strcpy(message.scope, "light heat");
    OK(iotkm_ticket_message_write(&message, out, sizeof out, &len));
    OK(iotkm_ticket_message_read(out, len, &read));
    CHECK(read.kind == message.kind && read.curve == message.curve && read.lifetime_s == 60);
    CHECK(strcmp(read.subject, "lamp") == 0 && strcmp(read.scope, "light heat") == 0);
    CHECK(read.key_len == 32 && memcmp(read.key, device_key, 32) == 0 && read.key > out && read.key < out + len);
    CHECK(read.bytes == NULL && read.len == 0 && read.list_number == 0 && read.code == 0);
    for (i = 0; i < len; i++) {
        IS(iotkm_ticket_message_read(out, i, &untouched), IOTKM_E_REFUSED_ENCODING);
        IS(iotkm_ticket_message_write(&message, out + sizeof out - i, i, &none), IOTKM_E_BUFFER_TOO_SMALL);
    }
    OK(iotkm_ticket_message_write(&message, out, sizeof out, &len));
    OK(iotkm_ticket_message_read(out, len, &read));
    IS(iotkm_ticket_message_write(&read, out, sizeof out, &none), IOTKM_E_BAD_ARGUMENT); /* its key lies there */

    message.subject[0] = '\n';
    IS(iotkm_ticket_message_write(&message, out, sizeof out, &none), IOTKM_E_REFUSED_CLAIMS);
    memset(message.subject, 'x', sizeof message.subject); /* no NUL */
    IS(iotkm_ticket_message_write(&message, out, sizeof out, &none), IOTKM_E_BAD_ARGUMENT);
    message = request_of("", 60);
    IS(iotkm_ticket_message_write(&message, out, sizeof out, &none), IOTKM_E_REFUSED_CLAIMS);
    message = request_of("lamp", 60);
    message.curve = IOTKM_CURVE_RISTRETTO255;
    IS(iotkm_ticket_message_write(&message, out, sizeof out, &none), IOTKM_E_BAD_ARGUMENT);
    message = request_of("lamp", 60);
    message.key_len = 31;
    IS(iotkm_ticket_message_write(&message, out, sizeof out, &none), IOTKM_E_REFUSED_KEY);
    message.key_len = 32;
    message.key = NULL;
    IS(iotkm_ticket_message_write(&message, out, sizeof out, &none), IOTKM_E_NULL);
    message.kind = IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER + 1;
    IS(iotkm_ticket_message_write(&message, out, sizeof out, &none), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_ticket_message_write(NULL, out, sizeof out, &none), IOTKM_E_NULL);
    message = request_of("lamp", 60);
    IS(iotkm_ticket_message_write(&message, NULL, sizeof out, &none), IOTKM_E_NULL);
    IS(iotkm_ticket_message_write(&message, out, sizeof out, NULL), IOTKM_E_NULL);
    IS(iotkm_ticket_message_read(NULL, 3, &untouched), IOTKM_E_NULL);
    IS(iotkm_ticket_message_read(out, 3, NULL), IOTKM_E_NULL);
    IS(iotkm_ticket_message_read((const uint8_t *)"\x82\x09\x01", 3, &untouched), IOTKM_E_REFUSED_CLAIMS);
    CHECK(is_all(&untouched, CANARY, sizeof untouched) && none == 77);

    /* The longest request there is. */
    memset(ffc, 2, sizeof ffc);
    message = request_of("a name of as many as thirty-two!", UINT64_MAX);
    strcpy(message.scope, message.subject);
    message.curve = IOTKM_CURVE_FFC3072;
    message.key = ffc;
    message.key_len = sizeof ffc;
    OK(iotkm_ticket_message_write(&message, long_out, IOTKM_TICKET_MAX_FFC, &len));

    memset(&message, 0, sizeof message);
    message.kind = IOTKM_TICKET_MESSAGE_ACKNOWLEDGED;
    memset(message.ticket, 5, sizeof message.ticket);
    message.list_number = UINT32_MAX;
    OK(iotkm_ticket_message_write(&message, out, IOTKM_WALLET_ANSWER_MAX, &len));
    OK(iotkm_ticket_message_read(out, len, &read));
    CHECK(read.kind == message.kind && is_all(read.ticket, 5, 8) && read.list_number == UINT32_MAX);
    memset(&message, 0, sizeof message);
    message.kind = IOTKM_TICKET_MESSAGE_REFUSED;
    message.code = IOTKM_E_REFUSED_OLDER;
    OK(iotkm_ticket_message_write(&message, out, IOTKM_WALLET_ANSWER_MAX, &len));
    OK(iotkm_ticket_message_read(out, len, &read));
    CHECK(read.kind == message.kind && read.code == IOTKM_E_REFUSED_OLDER);

    /* The longest list there is. */
    for (i = 0; i < IOTKM_REVOCATION_LIST_SERIALS; i++) serials[i] = (uint32_t)i;
    OK(iotkm_revocation_list_issue(&iotkm_signing_eddsa, seed, "acme", NOW, 1, serials, IOTKM_REVOCATION_LIST_SERIALS, long_list, sizeof long_list, &len));
    memset(&message, 0, sizeof message);
    message.kind = IOTKM_TICKET_MESSAGE_LIST;
    message.bytes = long_list;
    message.len = len;
    OK(iotkm_ticket_message_write(&message, long_out, len + IOTKM_TICKET_MESSAGE_OVERHEAD, &i));
    CHECK(i == len + IOTKM_TICKET_MESSAGE_OVERHEAD);
    OK(iotkm_ticket_message_read(long_out, i, &read));
    CHECK(read.kind == message.kind && read.len == len && memcmp(read.bytes, long_list, len) == 0);
    IS(iotkm_ticket_message_write(&read, long_out, sizeof long_out, &none), IOTKM_E_BAD_ARGUMENT); /* it lies there */
}

/* ---- a ticket agent ---- */

static uint32_t serial_of(const uint8_t *ticket, size_t len) {
    iotkm_ticket shown;
    OK(iotkm_ticket_verify(ticket, len, &agent, &shown));
    return shown.serial;
}

/* All of an agent's functions on memory that is none. */
static void no_agent(iotkm_ticket_agent *a, int status) {
    iotkm_ticket_message request = request_of("lamp", DAY);
    uint8_t out[IOTKM_TICKET_MAX];
    char name[IOTKM_NAME_TEXT];
    uint32_t number;
    size_t len;
    IS(iotkm_ticket_agent_seal(a, &s.cx, out, sizeof out, &len, &number), status);
    IS(iotkm_ticket_agent_persisted(a), status);
    IS(iotkm_ticket_agent_store(a, &s.cx, AGENTS), status);
    IS(iotkm_ticket_agent_name(a, name), status);
    IS(iotkm_ticket_agent_issue(a, &iotkm_signing_eddsa, seed, NOW, &request, out, sizeof out, &len), status);
    IS(iotkm_ticket_agent_number(a, &number), status);
    IS(iotkm_ticket_agent_revoke(a, &iotkm_signing_eddsa, seed, NOW, NULL, 0, out, sizeof out, &len), status);
    IS(iotkm_ticket_agent_wipe(a), status);
}

static void ticket_agent(void) {
    static iotkm_ticket_agent a, again;
    static const uint32_t revoked[] = {1, 5}, unordered[] = {5, 1};
    iotkm_ticket_message request = request_of("lamp", DAY);
    iotkm_revocation_list list;
    uint8_t ticket[IOTKM_TICKET_MAX], bytes[LIST], blob[IOTKM_TICKET_AGENT_BLOB_MAX], old[IOTKM_TICKET_AGENT_BLOB_MAX];
    char name[IOTKM_NAME_TEXT];
    uint32_t number, version, old_version, i, last;
    size_t len, old_len, none = 77;

    side_init(&s, &other, 's');
    no_agent(NULL, IOTKM_E_NULL);
    no_agent(&a, IOTKM_E_NOT_SET_UP);
    IS(iotkm_ticket_agent_init(NULL, "acme"), IOTKM_E_NULL);
    IS(iotkm_ticket_agent_init(&a, NULL), IOTKM_E_NULL);
    IS(iotkm_ticket_agent_init(&a, ""), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_ticket_agent_init(&a, "a name of more than thirty-two bytes"), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_ticket_agent_init_with_number(&a, "acme", UINT32_MAX), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_ticket_agent_load(&a, &s.cx, AGENTS), IOTKM_E_EMPTY);
    IS(iotkm_ticket_agent_load(&a, &s.cx, SLOTS), IOTKM_E_HOOK);
    CHECK(is_all(&a, 0, sizeof a));

    /* Nothing before a number is stored. */
    OK(iotkm_ticket_agent_init(&a, "acme"));
    OK(iotkm_ticket_agent_name(&a, name));
    CHECK(strcmp(name, "acme") == 0);
    IS(iotkm_ticket_agent_name(&a, NULL), IOTKM_E_NULL);
    IS(iotkm_ticket_agent_issue(&a, &iotkm_signing_eddsa, seed, NOW, &request, ticket, sizeof ticket, &none), IOTKM_E_WRONG_STATE);
    IS(iotkm_ticket_agent_revoke(&a, &iotkm_signing_eddsa, seed, NOW, NULL, 0, bytes, sizeof bytes, &none), IOTKM_E_WRONG_STATE);
    IS(iotkm_ticket_agent_number(&a, &number), IOTKM_E_WRONG_STATE);
    s.store_fails = 1;
    IS(iotkm_ticket_agent_store(&a, &s.cx, AGENTS), IOTKM_E_HOOK);
    IS(iotkm_ticket_agent_number(&a, &number), IOTKM_E_WRONG_STATE);
    s.store_fails = 0;
    IS(iotkm_ticket_agent_seal(&a, &s.cx, old, 20, &none, &number), IOTKM_E_BUFFER_TOO_SMALL);
    OK(iotkm_ticket_agent_init(&a, "acme"));
    OK(iotkm_ticket_agent_seal(&a, &s.cx, old, sizeof old, &old_len, &old_version));
    IS(iotkm_ticket_agent_number(&a, &number), IOTKM_E_WRONG_STATE); /* sealed is not stored */
    OK(iotkm_ticket_agent_persisted(&a));
    for (i = 1; i <= 256; i++) {
        if (i % 3 == 0) OK(iotkm_ticket_agent_number(&a, &number)); /* tickets and credentials count together */
        else number = serial_of(ticket, issue(&a, "lamp", NOW, DAY, ticket));
        CHECK(number == i);
    }
    IS(iotkm_ticket_agent_issue(&a, &iotkm_signing_eddsa, seed, NOW, &request, ticket, sizeof ticket, &none), IOTKM_E_WRONG_STATE);
    IS(iotkm_ticket_agent_number(&a, &number), IOTKM_E_WRONG_STATE);
    OK(iotkm_ticket_agent_store(&a, &s.cx, AGENTS));
    CHECK(serial_of(ticket, issue(&a, "lamp", NOW, DAY, ticket)) == 257);

    /* What is refused uses no number up. */
    request.lifetime_s = UINT64_MAX;
    IS(iotkm_ticket_agent_issue(&a, &iotkm_signing_eddsa, seed, NOW, &request, ticket, sizeof ticket, &none), IOTKM_E_REFUSED_CLAIMS);
    request.lifetime_s = 0;
    IS(iotkm_ticket_agent_issue(&a, &iotkm_signing_eddsa, seed, NOW, &request, ticket, sizeof ticket, &none), IOTKM_E_REFUSED_CLAIMS);
    request = request_of("lamp", DAY);
    request.key_len = 31;
    IS(iotkm_ticket_agent_issue(&a, &iotkm_signing_eddsa, seed, NOW, &request, ticket, sizeof ticket, &none), IOTKM_E_REFUSED_KEY);
    request = request_of("lamp", DAY);
    request.kind = IOTKM_TICKET_MESSAGE_TICKET;
    IS(iotkm_ticket_agent_issue(&a, &iotkm_signing_eddsa, seed, NOW, &request, ticket, sizeof ticket, &none), IOTKM_E_BAD_ARGUMENT);
    request = request_of("lamp", DAY);
    IS(iotkm_ticket_agent_issue(&a, &iotkm_signing_eddsa, seed, NOW, &request, ticket, 100, &none), IOTKM_E_BUFFER_TOO_SMALL);
    IS(iotkm_ticket_agent_issue(&a, NULL, seed, NOW, &request, ticket, sizeof ticket, &none), IOTKM_E_NULL);
    IS(iotkm_ticket_agent_issue(&a, &iotkm_signing_eddsa, NULL, NOW, &request, ticket, sizeof ticket, &none), IOTKM_E_NULL);
    IS(iotkm_ticket_agent_issue(&a, &iotkm_signing_eddsa, seed, NOW, NULL, ticket, sizeof ticket, &none), IOTKM_E_NULL);
    IS(iotkm_ticket_agent_issue(&a, &iotkm_signing_eddsa, seed, NOW, &request, NULL, sizeof ticket, &none), IOTKM_E_NULL);
    IS(iotkm_ticket_agent_issue(&a, &iotkm_signing_eddsa, seed, NOW, &request, ticket, sizeof ticket, NULL), IOTKM_E_NULL);
    memcpy(ticket, device_key, 32);
    request.key = ticket;
    IS(iotkm_ticket_agent_issue(&a, &iotkm_signing_eddsa, seed, NOW, &request, ticket, sizeof ticket, &none), IOTKM_E_BAD_ARGUMENT);
    IS(iotkm_ticket_agent_number(&a, NULL), IOTKM_E_NULL);
    CHECK(serial_of(ticket, issue(&a, "lamp", NOW, DAY, ticket)) == 258);

    /* Lists have numbers of their own. */
    IS(iotkm_ticket_agent_revoke(&a, &iotkm_signing_eddsa, seed, NOW, unordered, 2, bytes, sizeof bytes, &none), IOTKM_E_REFUSED_CLAIMS);
    IS(iotkm_ticket_agent_revoke(&a, &iotkm_signing_eddsa, seed, NOW, revoked, 2, bytes, 50, &none), IOTKM_E_BUFFER_TOO_SMALL);
    IS(iotkm_ticket_agent_revoke(&a, &iotkm_signing_eddsa, seed, NOW, NULL, 2, bytes, sizeof bytes, &none), IOTKM_E_NULL);
    for (i = 1; i <= 2; i++) {
        OK(iotkm_ticket_agent_revoke(&a, &iotkm_signing_eddsa, seed, NOW, revoked, 2, bytes, sizeof bytes, &len));
        OK(iotkm_revocation_list_verify(bytes, len, &agent, &list));
        CHECK(list.number == i && list.count == 2 && iotkm_revocation_list_contains(&list, 5) == 1);
    }
    CHECK(none == 77);

    /* The next start goes on behind what was reserved, after another write. */
    OK(iotkm_ticket_agent_number(&a, &last));
    OK(iotkm_ticket_agent_load(&again, &s.cx, AGENTS));
    IS(iotkm_ticket_agent_number(&again, &number), IOTKM_E_WRONG_STATE);
    OK(iotkm_ticket_agent_store(&again, &s.cx, AGENTS));
    OK(iotkm_ticket_agent_number(&again, &number));
    CHECK(number > last && number == 513);
    OK(iotkm_ticket_agent_name(&again, name));
    CHECK(strcmp(name, "acme") == 0);
    OK(iotkm_ticket_agent_seal(&again, &s.cx, blob, sizeof blob, &len, &version));
    CHECK(version > old_version);
    OK(iotkm_ticket_agent_wipe(&again));
    CHECK(is_all(&again, 0, sizeof again));

    /* An old copy, another device's, a damaged one; and another kind of state. */
    IS(iotkm_ticket_agent_restore(&again, &s.cx, version, old, old_len), IOTKM_E_BLOB_ROLLED_BACK);
    IS(iotkm_ticket_agent_restore(&again, &s.cx, 0, old, old_len - 1), IOTKM_E_BAD_BLOB);
    s.secret[0] ^= 1;
    IS(iotkm_ticket_agent_restore(&again, &s.cx, 0, old, old_len), IOTKM_E_BAD_BLOB);
    s.secret[0] ^= 1;
    old[30] ^= 1;
    IS(iotkm_ticket_agent_restore(&again, &s.cx, 0, old, old_len), IOTKM_E_BAD_BLOB);
    IS(iotkm_ticket_agent_restore(&again, &s.cx, 0, NULL, old_len), IOTKM_E_NULL);
    IS(iotkm_ticket_agent_restore(&again, NULL, 0, old, old_len), IOTKM_E_NULL);
    IS(iotkm_ticket_agent_restore(NULL, &s.cx, 0, old, old_len), IOTKM_E_NULL);
    CHECK(is_all(&again, 0, sizeof again));
    OK(iotkm_ticket_agent_restore(&again, &s.cx, version, blob, len));
    OK(iotkm_ticket_agent_wipe(&again));
    OK(iotkm_ticket_agent_wipe(&a));
    no_agent(&a, IOTKM_E_NOT_SET_UP);
}

int main(void) {
    an_agent();
    keys();
    messages();
    ticket_agent();
    return 0;
}
