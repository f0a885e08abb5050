/* Plays test vectors (tests/vectors) through the C interface: takes calls, a line each, and says all that comes out. vectors.py
 * writes those lines and compares.
 *
 *   N name other suite cpace device id peer sk t li psk place wall mtu cid rekey_after     a node; - where there is nothing
 *   R bytes                                                                                what the next call draws
 *   C name now verb [argument...]                                                          a call
 *
 * Needs neither a heap nor stdio, so that it plays on a board too. Who includes it defines before
 *
 *   static void say(const char *text);
 *   static void broken(const char *what);      does not return
 */
#ifndef PLAYER_H
#define PLAYER_H

#include <iotkm.h>
#include <string.h>

#define CHECK(what) ((what) ? (void)0 : broken(#what))
#define OK(call) ok((call), #call)

enum { LOG = 24, LINE = 8192, DATAGRAM = 1500 };

typedef struct {
    char name[4];
    iotkm_association *a;
    iotkm_association association;
    iotkm_history_pairing pairing;
    iotkm_history_peer peer;
    iotkm_history_entry entries[LOG];
    iotkm_history_memory memory;
    iotkm_platform platform;
    iotkm_cx cx;
    const iotkm_suite *suite;
    iotkm_config config;
    iotkm_addr other;
    uint8_t secret[32], place[32], stored[512];
    size_t stored_len;
    uint64_t wall;
} node;

static node nodes[2];
static unsigned node_count;
static struct { uint8_t bytes[64]; size_t len; } draws[8];
static unsigned draw_count, drawn;
static const char *line;

static void ok(int status, const char *call) {
    if (status != IOTKM_OK) {
        say(iotkm_strerror(status));
        say(": ");
        broken(call);
    }
}

static int given(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    if (drawn == draw_count || draws[drawn].len != len) return -1;
    memcpy(out, draws[drawn++].bytes, len);
    return 0;
}

/* ---- words of the line ---- */

/* The next one, valid until the next call; - where there is none. */
static const char *word(void) {
    static char text[LINE / 2];
    size_t len = 0;
    while (*line == ' ' || *line == '\n') line++;
    while (*line && *line != ' ' && *line != '\n') {
        CHECK(len + 1 < sizeof text);
        text[len++] = *line++;
    }
    text[len] = '\0';
    return len ? text : "-";
}

static int is(const char *a, const char *b) { return strcmp(a, b) == 0; }

static uint64_t number(void) {
    const char *digits = word();
    uint64_t value = 0;
    for (; *digits >= '0' && *digits <= '9'; digits++) value = value * 10 + (uint64_t)(*digits - '0');
    return value;
}

static unsigned nibble(char digit) {
    CHECK((digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f'));
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static size_t unhex(uint8_t *out, size_t capacity) {
    const char *text = word();
    size_t len = is(text, "-") ? 0 : strlen(text) / 2, i;
    CHECK(len <= capacity);
    for (i = 0; i < len; i++) out[i] = (uint8_t)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
    return len;
}

/* ---- saying ---- */

static void say_hex(const uint8_t *bytes, size_t len) {
    char two[3] = {0, 0, 0};
    say(" ");
    if (len == 0) say("-");
    while (len--) {
        two[0] = "0123456789abcdef"[*bytes >> 4];
        two[1] = "0123456789abcdef"[*bytes++ & 15];
        say(two);
    }
}

static void say_number(uint64_t value) {
    char digits[22], *at = digits + sizeof digits - 1;
    *at = '\0';
    do *--at = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    *--at = ' ';
    say(at);
}

static void say_addr(const iotkm_addr *addr) {
    char text[sizeof addr->bytes + 1];
    memcpy(text, addr->bytes, addr->len);
    text[addr->len] = '\0';
    say(text);
}

/* ---- nodes ---- */

static const iotkm_suite *suite(const char *name) {
    static const struct { const char *name; const iotkm_suite *suite; } suites[] = {
        {"0", &iotkm_suite_0}, {"0_symmetric", &iotkm_suite_0_symmetric}, {"1", &iotkm_suite_1},
        {"1_symmetric", &iotkm_suite_1_symmetric}, {"2", &iotkm_suite_2}, {"2_symmetric", &iotkm_suite_2_symmetric},
        {"3", &iotkm_suite_3}, {"3_symmetric", &iotkm_suite_3_symmetric}, {"4", &iotkm_suite_4},
        {"4_symmetric", &iotkm_suite_4_symmetric}, {"5", &iotkm_suite_5}, {"5_symmetric", &iotkm_suite_5_symmetric},
    };
    unsigned i;
    for (i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        if (is(suites[i].name, name)) return suites[i].suite;
    }
    CHECK(!"a suite of that name");
    return NULL;
}

static void id(iotkm_history_id *id) {
    memset(id, 0, sizeof *id);
    id->len = (uint8_t)unhex(id->bytes, sizeof id->bytes);
}

static void open(node *n) {
    OK(iotkm_history_open(&n->association, &n->peer, n->entries, LOG, n->suite, &n->config, &n->memory));
    n->a = &n->association;
}

static void make_node(void) {
    node *n = &nodes[node_count++];
    iotkm_history_id me, peer;
    iotkm_history_triple triple;
    const iotkm_cpace *group = NULL;
    uint8_t psk[32];
    size_t psk_len;
    const char *text;

    CHECK(node_count <= 2);
    memset(n, 0, sizeof *n);
    strncpy(n->name, word(), sizeof n->name - 1);
    text = word();
    n->other.len = (uint8_t)strlen(text);
    memcpy(n->other.bytes, text, n->other.len);
    n->suite = suite(word());
    text = word();
    if (!is(text, "-")) group = is(text, "p256") ? &iotkm_cpace_p256 : &iotkm_cpace_ristretto255;
    CHECK(unhex(n->secret, 32) == 32);
    id(&me);
    id(&peer);
    CHECK(unhex(triple.sk, 32) == 32 && unhex(triple.t, 32) == 32 && unhex(triple.li, 32) == 32);
    psk_len = unhex(psk, sizeof psk);
    n->platform.struct_size = sizeof n->platform;
    n->platform.device_secret = n->secret;
    n->platform.random = given;
    n->cx.platform = &n->platform;
    n->cx.place = n->place;
    n->cx.place_len = unhex(n->place, sizeof n->place);
    n->wall = number();
    n->config.struct_size = sizeof n->config;
    n->config.mtu = (uint16_t)number();
    n->config.cid_len = (uint8_t)unhex(n->config.cid, sizeof n->config.cid);
    n->config.rekey_after = (uint32_t)number();
    if (group) {
        OK(iotkm_history_pairing_open(&n->pairing, &me, n->suite, group, 1, 2, &n->config));
        n->a = &n->pairing.association;
    } else {
        OK(iotkm_history_peer_provision(&n->peer, 1, &me, &peer, n->suite, &triple));
        if (psk_len) OK(iotkm_history_peer_set_psk(&n->peer, psk));
        open(n);
    }
}

static void say_event(const iotkm_event *event) {
    static const char *const names[] = {
        "none", "established", "resumed", "rekeyed", "rekey_needed", "paired", "update_agreed", "update_failed",
        "key_replaced", "terminated", "peer_moved", "failed", "store_failed", "hint",
    };
    char text[IOTKM_FINGERPRINT_TEXT];
    CHECK(event->kind < sizeof names / sizeof names[0]);
    say("event ");
    say(names[event->kind]);
    OK(iotkm_fingerprint_text(event->fingerprint, text));
    switch (event->kind) {
    case IOTKM_EVENT_ESTABLISHED:
    case IOTKM_EVENT_PAIRED:
        say(" ");
        say(text);
        if (event->kind == IOTKM_EVENT_ESTABLISHED) say_number((uint64_t)event->initiator);
        break;
    case IOTKM_EVENT_RESUMED:
    case IOTKM_EVENT_REKEYED:
    case IOTKM_EVENT_UPDATE_AGREED:
    case IOTKM_EVENT_KEY_REPLACED: say_number(event->generation); break;
    default: break;
    }
    say("\n");
}

static void drain(node *n) {
    for (;;) {
        static uint8_t out[DATAGRAM];
        iotkm_output output;
        OK(iotkm_poll(n->a, &n->cx, out, sizeof out, &output));
        switch (output.kind) {
        case IOTKM_OUTPUT_IDLE:
            say("wake");
            if (output.wake_at_ms == IOTKM_NEVER) say(" -");
            else say_number(output.wake_at_ms);
            say("\n");
            return;
        case IOTKM_OUTPUT_DATAGRAM:
            say("datagram ");
            say_addr(&output.to);
            say_hex(output.bytes, output.len);
            say("\n");
            break;
        case IOTKM_OUTPUT_PERSIST:
            say("persist");
            say_number(output.slot);
            say_number(output.version);
            say_hex(output.bytes, output.len);
            say("\n");
            if (output.slot == 1) {
                memcpy(n->stored, output.bytes, output.len);
                n->stored_len = output.len;
            }
            OK(iotkm_persisted(n->a, output.slot, 0));
            break;
        case IOTKM_OUTPUT_EVENT: say_event(&output.event); break;
        default: CHECK(!"an output of a known kind");
        }
    }
}

static void call(void) {
    static uint8_t bytes[DATAGRAM], out[DATAGRAM];
    char verb[16], label[64];
    node *n = is(word(), nodes[0].name) ? &nodes[0] : &nodes[1];
    size_t len, stored_len;
    iotkm_addr to;
    iotkm_received received;

    n->cx.now_ms = number();
    n->cx.wall_ms = n->wall + n->cx.now_ms;
    memset(verb, 0, sizeof verb);
    strncpy(verb, word(), sizeof verb - 1);
    say(verb);
    if (is(verb, "connect")) {
        OK(iotkm_history_connect(n->a, &n->cx, &n->other));
    } else if (is(verb, "update")) {
        OK(iotkm_history_update(n->a, &n->cx));
    } else if (is(verb, "timeout")) {
        OK(iotkm_timeout(n->a, &n->cx));
    } else if (is(verb, "input")) {
        len = unhex(bytes, sizeof bytes);
        OK(iotkm_receive(n->a, &n->cx, &n->other, bytes, len, &received));
        if (received.payload) {
            say_hex(received.payload, received.payload_len);
            say_number(received.time_ms);
            say_hex(received.place, received.place_len);
        }
    } else if (is(verb, "send")) {
        len = unhex(bytes, sizeof bytes);
        OK(iotkm_send(n->a, &n->cx, bytes, len, out, sizeof out, &len, &to));
        say_hex(out, len);
    } else if (is(verb, "export")) {
        OK(iotkm_export(n->a, &n->cx, out, sizeof out, &len));
        say_hex(out, len);
    } else if (is(verb, "exporter")) {
        label[unhex((uint8_t *)label, sizeof label - 1)] = 0;
        len = unhex(bytes, sizeof bytes);
        OK(iotkm_exporter(n->a, label, bytes, len, out, 40));
        say_hex(out, 40);
    } else if (is(verb, "restart")) {
        OK(iotkm_wipe(n->a));
        len = unhex(bytes, sizeof bytes);
        stored_len = unhex(out, sizeof out);
        if (stored_len) OK(iotkm_history_peer_restore(&n->peer, &n->cx, 1, 0, out, stored_len));
        else OK(iotkm_history_peer_restore(&n->peer, &n->cx, 1, 0, n->stored, n->stored_len));
        open(n);
        if (len) OK(iotkm_restore(n->a, &n->cx, bytes, len));
    } else if (is(verb, "listen")) {
        len = unhex(bytes, sizeof bytes);
        OK(iotkm_history_pairing_listen(&n->pairing, &n->cx, bytes, len, number()));
    } else if (is(verb, "start")) {
        len = unhex(bytes, sizeof bytes);
        OK(iotkm_history_pairing_start(&n->pairing, &n->cx, &n->other, bytes, len));
    } else {
        CHECK(!"a verb of that name");
    }
    say("\n");
    drain(n);
    CHECK(drawn == draw_count);
    drawn = draw_count = 0;
}

/* Does what a line says; whether something was said. */
static int play(const char *said) {
    line = said;
    said = word();
    if (is(said, "N")) {
        make_node();
    } else if (is(said, "C")) {
        call();
        return 1;
    } else if (!is(said, "-")) {
        CHECK(is(said, "R") && draw_count < sizeof draws / sizeof draws[0]);
        draws[draw_count].len = unhex(draws[draw_count].bytes, sizeof draws[0].bytes);
        draw_count++;
    }
    return 0;
}

#endif
