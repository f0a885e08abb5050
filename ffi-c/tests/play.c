/* Plays test vectors (tests/vectors) through the C interface: reads calls from stdin, a line each, and prints all that comes
 * out. vectors.py writes those lines and compares.
 *
 *   N name other suite cpace device id peer sk t li psk place wall mtu cid rekey_after     a node; - where there is nothing
 *   R bytes                                                                    what the next call draws
 *   C name now verb [argument...]                                              a call
 */
#include "pair.h"

enum { LOG = 24, LINE = 8192 };

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

static int given(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    if (drawn == draw_count || draws[drawn].len != len) return -1;
    memcpy(out, draws[drawn++].bytes, len);
    return 0;
}

static size_t unhex(const char *text, uint8_t *out, size_t capacity) {
    size_t len = strcmp(text, "-") == 0 ? 0 : strlen(text) / 2, i;
    CHECK(len <= capacity);
    for (i = 0; i < len; i++) {
        unsigned byte;
        CHECK(sscanf(text + 2 * i, "%2x", &byte) == 1);
        out[i] = (uint8_t)byte;
    }
    return len;
}

static void hex(const uint8_t *bytes, size_t len) {
    putchar(' ');
    if (len == 0) putchar('-');
    while (len--) printf("%02x", *bytes++);
}

static const char *word(void) {
    const char *next = strtok(NULL, " \n");
    return next ? next : "-";
}

static const iotkm_suite *suite(const char *name) {
    static const struct { const char *name; const iotkm_suite *suite; } suites[] = {
        {"0", &iotkm_suite_0}, {"0_symmetric", &iotkm_suite_0_symmetric}, {"1", &iotkm_suite_1},
        {"1_symmetric", &iotkm_suite_1_symmetric}, {"2", &iotkm_suite_2}, {"2_symmetric", &iotkm_suite_2_symmetric},
        {"3", &iotkm_suite_3}, {"3_symmetric", &iotkm_suite_3_symmetric}, {"4", &iotkm_suite_4},
        {"4_symmetric", &iotkm_suite_4_symmetric}, {"5", &iotkm_suite_5}, {"5_symmetric", &iotkm_suite_5_symmetric},
    };
    unsigned i;
    for (i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        if (strcmp(suites[i].name, name) == 0) return suites[i].suite;
    }
    CHECK(!"a suite of that name");
    return NULL;
}

static void id(iotkm_history_id *id) {
    memset(id, 0, sizeof *id);
    id->len = (uint8_t)unhex(word(), id->bytes, sizeof id->bytes);
}

static void open(node *n) {
    OK(iotkm_history_open(&n->association, &n->peer, n->entries, LOG, n->suite, &n->config, &n->memory));
    n->a = &n->association;
}

static void make_node(void) {
    node *n = &nodes[node_count++];
    iotkm_history_id me, peer;
    iotkm_history_triple triple;
    uint8_t psk[32];
    size_t psk_len;
    const char *cpace, *text;

    CHECK(node_count <= 2);
    memset(n, 0, sizeof *n);
    strncpy(n->name, word(), sizeof n->name - 1);
    text = word();
    n->other.len = (uint8_t)strlen(text);
    memcpy(n->other.bytes, text, n->other.len);
    n->suite = suite(word());
    cpace = word();
    CHECK(unhex(word(), n->secret, 32) == 32);
    id(&me);
    id(&peer);
    CHECK(unhex(word(), triple.sk, 32) == 32 && unhex(word(), triple.t, 32) == 32 && unhex(word(), triple.li, 32) == 32);
    psk_len = unhex(word(), psk, sizeof psk);
    n->platform.struct_size = sizeof n->platform;
    n->platform.device_secret = n->secret;
    n->platform.random = given;
    n->cx.platform = &n->platform;
    n->cx.place = n->place;
    n->cx.place_len = unhex(word(), n->place, sizeof n->place);
    n->wall = strtoull(word(), NULL, 10);
    n->config.struct_size = sizeof n->config;
    n->config.mtu = (uint16_t)atoi(word());
    n->config.cid_len = (uint8_t)unhex(word(), n->config.cid, sizeof n->config.cid);
    n->config.rekey_after = (uint32_t)strtoul(word(), NULL, 10);
    if (strcmp(cpace, "-") != 0) {
        const iotkm_cpace *group = strcmp(cpace, "p256") == 0 ? &iotkm_cpace_p256 : &iotkm_cpace_ristretto255;
        OK(iotkm_history_pairing_open(&n->pairing, &me, n->suite, group, 1, 2, &n->config));
        n->a = &n->pairing.association;
    } else {
        OK(iotkm_history_peer_provision(&n->peer, 1, &me, &peer, n->suite, &triple));
        if (psk_len) OK(iotkm_history_peer_set_psk(&n->peer, psk));
        open(n);
    }
}

static void print_event(const iotkm_event *event) {
    static const char *const names[] = {
        "none", "established", "resumed", "rekeyed", "rekey_needed", "paired", "update_agreed", "update_failed",
        "key_replaced", "terminated", "peer_moved", "failed", "store_failed",
    };
    char text[IOTKM_FINGERPRINT_TEXT];
    CHECK(event->kind < sizeof names / sizeof names[0]);
    printf("event %s", names[event->kind]);
    OK(iotkm_fingerprint_text(event->fingerprint, text));
    switch (event->kind) {
    case IOTKM_EVENT_ESTABLISHED: printf(" %s %d", text, event->initiator); break;
    case IOTKM_EVENT_PAIRED: printf(" %s", text); break;
    case IOTKM_EVENT_RESUMED:
    case IOTKM_EVENT_REKEYED:
    case IOTKM_EVENT_UPDATE_AGREED:
    case IOTKM_EVENT_KEY_REPLACED: printf(" %u", (unsigned)event->generation); break;
    default: break;
    }
    putchar('\n');
}

static void drain(node *n) {
    for (;;) {
        uint8_t out[1500];
        iotkm_output output;
        OK(iotkm_poll(n->a, &n->cx, out, sizeof out, &output));
        switch (output.kind) {
        case IOTKM_OUTPUT_IDLE:
            if (output.wake_at_ms == IOTKM_NEVER) printf("wake -\n");
            else printf("wake %llu\n", (unsigned long long)output.wake_at_ms);
            return;
        case IOTKM_OUTPUT_DATAGRAM:
            printf("datagram %.*s", output.to.len, (const char *)output.to.bytes);
            hex(output.bytes, output.len);
            putchar('\n');
            break;
        case IOTKM_OUTPUT_PERSIST:
            printf("persist %u %u", output.slot, (unsigned)output.version);
            hex(output.bytes, output.len);
            putchar('\n');
            if (output.slot == 1) {
                memcpy(n->stored, output.bytes, output.len);
                n->stored_len = output.len;
            }
            OK(iotkm_persisted(n->a, output.slot, 0));
            break;
        case IOTKM_OUTPUT_EVENT: print_event(&output.event); break;
        default: CHECK(!"an output of a known kind");
        }
    }
}

static void call(void) {
    const char *name = word(), *verb;
    node *n = strcmp(name, nodes[0].name) == 0 ? &nodes[0] : &nodes[1];
    uint8_t bytes[1500], out[1500];
    char label[64];
    size_t len, stored_len;
    iotkm_addr to;
    iotkm_received received;

    n->cx.now_ms = strtoull(word(), NULL, 10);
    n->cx.wall_ms = n->wall + n->cx.now_ms;
    verb = word();
    printf("%s", verb);
    if (strcmp(verb, "connect") == 0) {
        OK(iotkm_history_connect(n->a, &n->cx, &n->other));
    } else if (strcmp(verb, "update") == 0) {
        OK(iotkm_history_update(n->a, &n->cx));
    } else if (strcmp(verb, "timeout") == 0) {
        OK(iotkm_timeout(n->a, &n->cx));
    } else if (strcmp(verb, "input") == 0) {
        len = unhex(word(), bytes, sizeof bytes);
        OK(iotkm_receive(n->a, &n->cx, &n->other, bytes, len, &received));
        if (received.payload) {
            hex(received.payload, received.payload_len);
            printf(" %llu", (unsigned long long)received.time_ms);
            hex(received.place, received.place_len);
        }
    } else if (strcmp(verb, "send") == 0) {
        len = unhex(word(), bytes, sizeof bytes);
        OK(iotkm_send(n->a, &n->cx, bytes, len, out, sizeof out, &len, &to));
        hex(out, len);
    } else if (strcmp(verb, "export") == 0) {
        OK(iotkm_export(n->a, &n->cx, out, sizeof out, &len));
        hex(out, len);
    } else if (strcmp(verb, "exporter") == 0) {
        label[unhex(word(), (uint8_t *)label, sizeof label - 1)] = 0;
        len = unhex(word(), bytes, sizeof bytes);
        OK(iotkm_exporter(n->a, label, bytes, len, out, 40));
        hex(out, 40);
    } else if (strcmp(verb, "restart") == 0) {
        OK(iotkm_wipe(n->a));
        len = unhex(word(), bytes, sizeof bytes);
        stored_len = unhex(word(), out, sizeof out);
        if (stored_len) OK(iotkm_history_peer_restore(&n->peer, &n->cx, 1, 0, out, stored_len));
        else OK(iotkm_history_peer_restore(&n->peer, &n->cx, 1, 0, n->stored, n->stored_len));
        open(n);
        if (len) OK(iotkm_restore(n->a, &n->cx, bytes, len));
    } else if (strcmp(verb, "listen") == 0) {
        len = unhex(word(), bytes, sizeof bytes);
        OK(iotkm_history_pairing_listen(&n->pairing, &n->cx, bytes, len, strtoull(word(), NULL, 10)));
    } else if (strcmp(verb, "start") == 0) {
        len = unhex(word(), bytes, sizeof bytes);
        OK(iotkm_history_pairing_start(&n->pairing, &n->cx, &n->other, bytes, len));
    } else {
        CHECK(!"a verb of that name");
    }
    putchar('\n');
    drain(n);
    if (drawn != draw_count) printf("%u draws left\n", draw_count - drawn);
    drawn = draw_count = 0;
}

int main(void) {
    char line[LINE];
    while (fgets(line, sizeof line, stdin)) {
        const char *what = strtok(line, " \n");
        if (!what) continue;
        if (*what == 'N') make_node();
        else if (*what == 'C') call();
        else {
            CHECK(*what == 'R' && draw_count < 8);
            draws[draw_count].len = unhex(word(), draws[draw_count].bytes, sizeof draws[0].bytes);
            draw_count++;
        }
    }
    return 0;
}
