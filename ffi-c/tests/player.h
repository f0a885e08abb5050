/* Plays test vectors (tests/vectors) through the C interface: takes calls, a line each, and says all that comes out. vectors.py
 * writes those lines and compares.
 *
 *   N name other suite cpace device id peer sk t li psk place wall mtu cid rekey_after     a node; - where there is nothing
 *   T name other suites device id peer psk wall mtu cid life agent agent_key key ticket    a node with a ticket
 *   K name other suite device id peer psk wall mtu cid rekey_after interval length life operator operator_key lists_key key
 *     next_key credential                                                                 a node with a credential
 *   R bytes                                                                                what the next call draws
 *   C name now verb [argument...]                                                          a call
 *
 * and those of player_tickets.h, player_credentials.h, player_microcert.h and player_renewal.h. Needs neither a heap nor stdio, so that it plays on a board too. Who includes it defines before
 *
 *   static void say(const char *text);
 *   static void broken(const char *what);      does not return
 */
#ifndef PLAYER_H
#define PLAYER_H

#include "player_credentials.h"
#include "player_microcert.h"
#include "player_renewal.h"
#include "player_words.h"

enum { LOG = 24, STORED = IOTKM_NONINTERACTIVE_PEER_BLOB_MAX_FFC };

/* What a node has of the scheme that it is of. */
typedef struct {
    iotkm_history_pairing pairing;
    iotkm_history_peer peer;
    iotkm_history_entry entries[LOG];
    iotkm_history_memory memory;
    const iotkm_suite *suite;
} paired;

typedef struct {
    iotkm_interactive_peer_ffc peer;
    union {
        iotkm_interactive_memory curve;
        iotkm_interactive_memory_ffc ffc;
    } memory;
    iotkm_interactive_setup setup;
    const iotkm_suite *suites[8];
    int is_ffc;
    iotkm_static_key_ffc key;
    iotkm_wallet wallet;
    uint8_t purse[2 * IOTKM_TICKET_MAX_FFC + LIST_ROOM];
    iotkm_agent agent;
    char agent_name[IOTKM_NAME_TEXT], me[IOTKM_NAME_TEXT], other[IOTKM_NAME_TEXT];
    uint8_t agent_key[32], psk[32];
    size_t psk_len;
} ticketed;

typedef struct {
    iotkm_noninteractive_peer_ffc peer;
    union {
        iotkm_noninteractive_memory curve;
        iotkm_noninteractive_memory_ffc ffc;
    } memory;
    iotkm_noninteractive_setup setup;
    const iotkm_noninteractive_suite *suite;
    int is_ffc;
    iotkm_static_key_ffc keys[2];
    iotkm_holder holder;
    uint8_t held[IOTKM_HOLDER_MEMORY_FFC + LIST_ROOM];
    iotkm_credential_operator operators;
    iotkm_agent agent;
    char agent_name[IOTKM_NAME_TEXT], me[IOTKM_NAME_TEXT], other[IOTKM_NAME_TEXT];
    uint8_t lists_key[32], key[IOTKM_OPERATOR_KEY_MAX], psk[32];
    size_t psk_len;
} credited;

typedef struct {
    char name[4];
    enum { PAIRED, TICKETED, CREDITED, LAMP, CITY } kind;
    iotkm_association *a;
    iotkm_noninteractive session; /* the longest of all */
    union {
        paired paired;
        ticketed ticketed;
        credited credited;
    } as;
    iotkm_platform platform;
    iotkm_cx cx;
    iotkm_config config;
    iotkm_addr other;
    uint8_t secret[32], place[32], stored[STORED];
    size_t stored_len;
    uint64_t wall;
} node;

static node nodes[2];
static unsigned node_count;

static void id(iotkm_history_id *id) {
    memset(id, 0, sizeof *id);
    id->len = (uint8_t)unhex(id->bytes, sizeof id->bytes);
}

/* ---- history ---- */

static void open_paired(node *n) {
    paired *p = &n->as.paired;
    OK(iotkm_history_open(n->a, &p->peer, p->entries, LOG, p->suite, &n->config, &p->memory));
}

/* ---- interactive ---- */

static void open_ticketed(node *n) {
    ticketed *t = &n->as.ticketed;
    if (t->is_ffc) OK(iotkm_interactive_open_ffc(n->a, &t->peer, &t->wallet, &t->setup, &n->config, &t->memory.ffc));
    else OK(iotkm_interactive_open(n->a, &t->peer.peer, &t->wallet, &t->setup, &n->config, &t->memory.curve));
}

static void meet(ticketed *t) {
    const uint8_t *psk = t->psk_len ? t->psk : NULL;
    if (t->is_ffc) OK(iotkm_interactive_peer_init_ffc(&t->peer, 1, t->me, t->other, psk));
    else OK(iotkm_interactive_peer_init(&t->peer.peer, 1, t->me, t->other, psk));
}

/* The word is a list of suites with commas between. */
static void suite_list(ticketed *t) {
    char names[32], *name = names, *end;
    strncpy(names, word(), sizeof names - 1);
    names[sizeof names - 1] = '\0';
    do {
        if ((end = strchr(name, ',')) != NULL) *end = '\0';
        CHECK(t->setup.suite_count < 8);
        t->suites[t->setup.suite_count++] = suite(name);
        name = end + 1;
    } while (end);
    t->setup.suites = t->suites;
    t->is_ffc = names[0] == '-';
    if (t->is_ffc) t->setup.kem = is(names, "-21") ? &iotkm_ffc2048 : &iotkm_ffc3072;
    else t->setup.kem = strchr("014", names[0]) ? &iotkm_x25519 : &iotkm_p256;
}

/* ---- noninteractive ---- */

static void open_credited(node *n) {
    credited *c = &n->as.credited;
    if (c->is_ffc) OK(iotkm_noninteractive_open_ffc(&n->session, &c->peer, &c->holder, &c->setup, &n->config, &c->memory.ffc));
    else OK(iotkm_noninteractive_open(&n->session, &c->peer.peer, &c->holder, &c->setup, &n->config, &c->memory.curve));
}

static void meet_credited(credited *c) {
    const char *other = c->other[0] ? c->other : NULL;
    const uint8_t *psk = c->psk_len ? c->psk : NULL;
    if (c->is_ffc) OK(iotkm_noninteractive_peer_init_ffc(&c->peer, c->suite, 1, c->me, other, psk));
    else OK(iotkm_noninteractive_peer_init(&c->peer.peer, c->suite, 1, c->me, other, psk));
}

/* Both keys are asked, one after the other. */
static int either_public_key(void *ctx, uint16_t key, int curve, uint8_t *share, size_t len) {
    iotkm_static_key_ffc *keys = (iotkm_static_key_ffc *)ctx;
    int status = iotkm_static_key_public_key(&keys[0].key, key, curve, share, len);
    return status == IOTKM_KEY_NONE ? iotkm_static_key_public_key(&keys[1].key, key, curve, share, len) : status;
}
static int either_agree(void *ctx, uint16_t key, int curve, const uint8_t *share, uint8_t *secret, size_t len) {
    iotkm_static_key_ffc *keys = (iotkm_static_key_ffc *)ctx;
    int status = iotkm_static_key_agree(&keys[0].key, key, curve, share, secret, len);
    return status == IOTKM_KEY_NONE ? iotkm_static_key_agree(&keys[1].key, key, curve, share, secret, len) : status;
}
static int either_step(void *ctx, uint16_t key, int curve, const iotkm_step *step, uint8_t *out) {
    iotkm_static_key_ffc *keys = (iotkm_static_key_ffc *)ctx;
    int status = iotkm_static_key_step(&keys[0].key, key, curve, step, out);
    return status == IOTKM_KEY_NONE ? iotkm_static_key_step(&keys[1].key, key, curve, step, out) : status;
}

/* ---- nodes ---- */

/* What both kinds of lines begin with. */
static node *new_node(void) {
    node *n = &nodes[node_count++];
    const char *text;
    CHECK(node_count <= 2);
    memset(n, 0, sizeof *n);
    strncpy(n->name, word(), sizeof n->name - 1);
    text = word();
    n->other.len = (uint8_t)strlen(text);
    memcpy(n->other.bytes, text, n->other.len);
    n->a = &n->session.association;
    n->platform.struct_size = sizeof n->platform;
    n->platform.device_secret = n->secret;
    n->platform.random = given;
    n->cx.platform = &n->platform;
    n->config.struct_size = sizeof n->config;
    return n;
}

static void make_paired(void) {
    node *n = new_node();
    paired *p = &n->as.paired;
    iotkm_history_id me, peer;
    iotkm_history_triple triple;
    const iotkm_cpace *group = NULL;
    uint8_t psk[32];
    size_t psk_len;
    const char *text;

    p->suite = suite(word());
    text = word();
    if (!is(text, "-")) group = is(text, "p256") ? &iotkm_cpace_p256 : &iotkm_cpace_ristretto255;
    CHECK(unhex(n->secret, 32) == 32);
    id(&me);
    id(&peer);
    CHECK(unhex(triple.sk, 32) == 32 && unhex(triple.t, 32) == 32 && unhex(triple.li, 32) == 32);
    psk_len = unhex(psk, sizeof psk);
    n->cx.place = n->place;
    n->cx.place_len = unhex(n->place, sizeof n->place);
    n->wall = number();
    n->config.mtu = (uint16_t)number();
    n->config.cid_len = (uint8_t)unhex(n->config.cid, sizeof n->config.cid);
    n->config.rekey_after = (uint32_t)number();
    if (group) {
        OK(iotkm_history_pairing_open(&p->pairing, &me, p->suite, group, 1, 2, &n->config));
        n->a = &p->pairing.association;
    } else {
        OK(iotkm_history_peer_provision(&p->peer, 1, &me, &peer, p->suite, &triple));
        if (psk_len) OK(iotkm_history_peer_set_psk(&p->peer, psk));
        open_paired(n);
    }
}

static void make_ticketed(void) {
    static uint8_t ticket[IOTKM_TICKET_MAX_FFC];
    node *n = new_node();
    ticketed *t = &n->as.ticketed;
    uint8_t scalar[32];
    size_t len;

    n->kind = TICKETED;
    t->setup.struct_size = sizeof t->setup;
    t->setup.key = 1;
    suite_list(t);
    CHECK(unhex(n->secret, 32) == 32);
    text(t->me);
    text(t->other);
    t->psk_len = unhex(t->psk, sizeof t->psk);
    n->wall = number();
    n->config.mtu = (uint16_t)number();
    n->config.cid_len = (uint8_t)unhex(n->config.cid, sizeof n->config.cid);
    t->setup.life_s = (uint32_t)number();
    text(t->agent_name);
    CHECK(unhex(t->agent_key, 32) == 32);
    CHECK(unhex(scalar, sizeof scalar) == sizeof scalar);
    len = unhex(ticket, sizeof ticket);
    t->agent.name = t->agent_name;
    t->agent.signature = &iotkm_eddsa;
    t->agent.key = t->agent_key;
    t->agent.key_len = sizeof t->agent_key;
    if (t->is_ffc) OK(iotkm_static_key_import_ffc(&t->key, 1, t->setup.kem, scalar));
    else OK(iotkm_static_key_import(&t->key.key, 1, t->setup.kem, scalar));
    n->platform.public_key = iotkm_static_key_public_key;
    n->platform.agree = iotkm_static_key_agree;
    n->platform.keys_ctx = &t->key;
    OK(iotkm_wallet_init(&t->wallet, &t->agent, t->me, t->purse,
                         t->is_ffc ? IOTKM_TICKET_MAX_FFC : IOTKM_TICKET_MAX, LIST_ROOM));
    OK(iotkm_wallet_install(&t->wallet, &n->cx, ticket, len, NULL));
    meet(t);
    open_ticketed(n);
}

static void make_credited(void) {
    node *n = new_node();
    credited *c = &n->as.credited;
    static uint8_t credential[IOTKM_CREDENTIAL_MAX_FFC];
    uint8_t scalar[32];
    unsigned key;
    const iotkm_kem *kem;
    size_t len;

    n->kind = CREDITED;
    c->is_ffc = peek()[0] == '-';
    kem = growing(peek());
    c->suite = credited_suite(word());
    CHECK(unhex(n->secret, 32) == 32);
    text(c->me);
    text(c->other);
    c->psk_len = unhex(c->psk, sizeof c->psk);
    n->wall = number();
    n->config.mtu = (uint16_t)number();
    n->config.cid_len = (uint8_t)unhex(n->config.cid, sizeof n->config.cid);
    n->config.rekey_after = (uint32_t)number();
    c->setup.struct_size = sizeof c->setup;
    c->setup.interval_s = (uint32_t)number();
    c->setup.length = (uint16_t)number();
    c->setup.life_s = (uint32_t)number();
    text(c->agent_name);
    c->operators.key_len = unhex(c->key, sizeof c->key);
    CHECK(unhex(c->lists_key, 32) == 32);
    c->agent.name = c->agent_name;
    c->agent.signature = &iotkm_eddsa;
    c->agent.key = c->lists_key;
    c->agent.key_len = sizeof c->lists_key;
    c->operators.suite = c->suite;
    c->operators.agent = &c->agent;
    c->operators.key = c->key;
    c->setup.key = 1;
    c->setup.next_key = 2;
    for (key = 0; key < 2; key++) {
        len = unhex(scalar, sizeof scalar);
        if (len == 0) OK(iotkm_static_key_import(&c->keys[key].key, 9, &iotkm_x25519, c->lists_key));
        else if (c->is_ffc) OK(iotkm_static_key_import_ffc(&c->keys[key], (uint16_t)(key + 1), kem, scalar));
        else OK(iotkm_static_key_import(&c->keys[key].key, (uint16_t)(key + 1), kem, scalar));
    }
    c->setup.has_next_key = len != 0;
    n->platform.public_key = either_public_key;
    n->platform.agree = either_agree;
    n->platform.step = either_step;
    n->platform.keys_ctx = c->keys;
    OK(iotkm_holder_init(&c->holder, &c->operators, c->me, c->held, sizeof c->held));
    len = unhex(credential, sizeof credential);
    OK(iotkm_holder_install(&c->holder, &n->cx, credential, len));
    meet_credited(c);
    open_credited(n);
}

static void make_microcert(int kind) {
    node *n = new_node();
    n->kind = kind ? CITY : LAMP;
    if (kind) make_city(n->secret, &n->wall, &n->config);
    else make_lamp(n->secret, &n->wall, &n->config);
}

/* ---- events and calls ---- */

static void say_event(const iotkm_event *event) {
    static const char *const names[] = {
        "none", "established", "resumed", "rekeyed", "rekey_needed", "paired", "update_agreed", "update_failed",
        "key_replaced", "terminated", "peer_moved", "failed", "store_failed", "hint", "peer_alive", "authenticated",
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
    if (n->kind == LAMP && lamp.has_chip && !lamp.is_open) {
        lamp_drain(&n->cx);
        return;
    }
    if (n->kind == CITY) city_drain(&n->other);
    if (n->kind == CITY && !city.has_session) {
        say("wake -\n");
        return;
    }
    for (;;) {
        static uint8_t out[STORED];
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
            if (n->kind == LAMP) lamp_stored(output.slot, output.bytes, output.len);
            else if (output.slot == 1) {
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

/* After a restart: the peer as the argument has it, or as it was stored last, or forgotten. */
static void restart(node *n) {
    static uint8_t session[DATAGRAM], peer[STORED], work[STORED];
    size_t len = unhex(session, sizeof session), peer_len = 0;
    int forgotten = is(peek(), "forgotten");
    if (!forgotten) peer_len = unhex(peer, sizeof peer);
    if (peer_len == 0) memcpy(peer, n->stored, peer_len = n->stored_len);
    OK(iotkm_wipe(n->a));
    if (n->kind == CREDITED) {
        credited *c = &n->as.credited;
        if (forgotten) meet_credited(c);
        else if (c->is_ffc)
            OK(iotkm_noninteractive_peer_restore_ffc(&c->peer, c->suite, &n->cx, 1, 0, peer, peer_len, work, sizeof work));
        else OK(iotkm_noninteractive_peer_restore(&c->peer.peer, c->suite, &n->cx, 1, 0, peer, peer_len, work, sizeof work));
        open_credited(n);
    } else if (n->kind == PAIRED) {
        OK(iotkm_history_peer_restore(&n->as.paired.peer, &n->cx, 1, 0, peer, peer_len));
        open_paired(n);
    } else {
        ticketed *t = &n->as.ticketed;
        if (forgotten) meet(t);
        else if (t->is_ffc) OK(iotkm_interactive_peer_restore_ffc(&t->peer, &n->cx, 1, 0, peer, peer_len, work, sizeof work));
        else OK(iotkm_interactive_peer_restore(&t->peer.peer, &n->cx, 1, 0, peer, peer_len, work, sizeof work));
        open_ticketed(n);
    }
    if (len) OK(iotkm_restore(n->a, &n->cx, session, len));
}

/* Those of one scheme alone; whether it was one. */
static int history_verb(node *n, const char *verb) {
    static uint8_t bytes[IOTKM_HISTORY_SK_MAX];
    size_t len;
    if (is(verb, "connect")) {
        OK(iotkm_history_connect(n->a, &n->cx, &n->other));
    } else if (is(verb, "update")) {
        OK(iotkm_history_update(n->a, &n->cx));
    } else if (is(verb, "listen")) {
        len = unhex(bytes, sizeof bytes);
        OK(iotkm_history_pairing_listen(&n->as.paired.pairing, &n->cx, bytes, len, number()));
    } else if (is(verb, "start")) {
        len = unhex(bytes, sizeof bytes);
        OK(iotkm_history_pairing_start(&n->as.paired.pairing, &n->cx, &n->other, bytes, len));
    } else {
        return 0;
    }
    return 1;
}

static int interactive_verb(node *n, const char *verb) {
    static uint8_t bytes[IOTKM_TICKET_MAX_FFC];
    size_t len;
    if (is(verb, "connect")) {
        OK(iotkm_interactive_connect(n->a, &n->cx, &n->other));
    } else if (is(verb, "authenticate")) {
        OK(iotkm_interactive_authenticate(n->a, &n->cx, &n->other));
    } else if (is(verb, "ping")) {
        OK(iotkm_interactive_ping(n->a, &n->cx, &n->other));
    } else if (is(verb, "install")) {
        len = unhex(bytes, sizeof bytes);
        OK(iotkm_wallet_install(&n->as.ticketed.wallet, &n->cx, bytes, len, NULL));
        OK(iotkm_interactive_recheck(n->a, &n->cx));
    } else {
        return 0;
    }
    return 1;
}

static int noninteractive_verb(node *n, const char *verb) {
    static uint8_t bytes[IOTKM_CREDENTIAL_MAX_FFC];
    size_t len;
    if (is(verb, "connect")) {
        OK(iotkm_noninteractive_connect(n->a, &n->cx, &n->other));
    } else if (is(verb, "go_on")) {
        OK(iotkm_noninteractive_go_on(n->a, &n->cx));
    } else if (is(verb, "install")) {
        len = unhex(bytes, sizeof bytes);
        OK(iotkm_holder_install(&n->as.credited.holder, &n->cx, bytes, len));
    } else if (is(verb, "revoke")) {
        len = unhex(bytes, sizeof bytes);
        OK(iotkm_holder_revoke(&n->as.credited.holder, &n->cx, bytes, len, NULL));
        OK(iotkm_noninteractive_recheck(n->a, &n->cx));
    } else {
        return 0;
    }
    return 1;
}

static int own_verb(node *n, const char *verb) {
    switch (n->kind) {
    case TICKETED: return interactive_verb(n, verb);
    case CREDITED: return noninteractive_verb(n, verb);
    case LAMP: return lamp_verb(n->a, &n->cx, &n->config, &n->other, verb);
    case CITY: return city_verb(n->a, &n->cx, &n->config, &n->other, verb);
    default: return history_verb(n, verb);
    }
}

static void call(void) {
    static uint8_t bytes[DATAGRAM], out[DATAGRAM];
    char verb[16], label[64];
    node *n = is(word(), nodes[0].name) ? &nodes[0] : &nodes[1];
    size_t len;
    iotkm_addr to;
    iotkm_received received;

    n->cx.now_ms = number();
    n->cx.wall_ms = n->wall ? n->wall + n->cx.now_ms : 0;
    memset(verb, 0, sizeof verb);
    strncpy(verb, word(), sizeof verb - 1);
    say(verb);
    if (n->kind >= LAMP && own_verb(n, verb)) {
        /* done */
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
        restart(n);
    } else {
        CHECK(own_verb(n, verb));
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
        make_paired();
    } else if (is(said, "T")) {
        make_ticketed();
    } else if (is(said, "K")) {
        make_credited();
    } else if (is(said, "J") || is(said, "M")) {
        make_microcert(is(said, "M"));
    } else if (is(said, "C")) {
        call();
        return 1;
    } else if (is(said, "R")) {
        CHECK(draw_count < sizeof draws / sizeof draws[0]);
        draws[draw_count].len = unhex(draws[draw_count].bytes, sizeof draws[0].bytes);
        draw_count++;
    } else if (!is(said, "-")) {
        if (!credentials(said) && !renewal(said)) tickets(said);
        return 1;
    }
    return 0;
}

#endif
