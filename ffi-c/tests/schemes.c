/* One hub on one socket for devices of three schemes: paired, with a ticket, with a credential. First messages find whose they are. */
#include "pair.h"

enum { PAIRED, TICKETED, CREDENTIALED, DEVICES, TICKET_KEY = 1, CREDENTIAL_KEY = 5, LIST = IOTKM_REVOCATION_LIST_OVERHEAD + 4 };
static const uint32_t NOW = 1750000000, YEAR = 31536000;
static const char *const names[] = {"paired", "ticketed", "credentialed", "hub"};

/* What each of the three devices has, and the hub of all: the fourth. */
static struct {
    side s;
    iotkm_static_key ticket_key, credential_key;
    iotkm_wallet wallet;
    iotkm_holder holder;
    uint8_t purse[2 * IOTKM_TICKET_MAX + LIST], held[IOTKM_HOLDER_MEMORY + LIST];
} have[DEVICES + 1];

/* An association of each scheme, the device's and the hub's. */
typedef struct {
    iotkm_history_peer peer;
    iotkm_history_entry entries[ENTRIES];
    iotkm_history_memory memory;
    iotkm_interactive_peer ticket_peer;
    iotkm_interactive_memory ticket_memory;
    iotkm_noninteractive_peer credential_peer;
    iotkm_noninteractive_memory credential_memory;
    iotkm_noninteractive any; /* the longest */
} end;
static end device_end[DEVICES], hub_end[DEVICES];

static iotkm_hub hub;
static iotkm_hub_member members[DEVICES];
static uint32_t number[DEVICES];
static unsigned established[DEVICES];
static uint8_t first[MTU]; /* what the hub took last, which nobody had an answer to */
static size_t first_len;
static uint8_t seed[32] = {7}, agents_key[IOTKM_AGENT_KEY_MAX], office_x[32], office_y[32];
static iotkm_agent agent;
static iotkm_credential_operator office;

static iotkm_association *association(end *e) { return &e->any.association; }

static const iotkm_static_key *key_of(void *ctx, int curve) {
    unsigned who = ((side *)ctx)->addr.bytes[0] - 1u;
    return curve == IOTKM_CURVE_X25519 ? &have[who].ticket_key : &have[who].credential_key;
}
static int key_public(void *ctx, uint16_t key, int curve, uint8_t *share, size_t len) {
    return iotkm_static_key_public_key((void *)key_of(ctx, curve), key, curve, share, len);
}
static int key_agree(void *ctx, uint16_t key, int curve, const uint8_t *share, uint8_t *secret, size_t len) {
    return iotkm_static_key_agree((void *)key_of(ctx, curve), key, curve, share, secret, len);
}
static int key_step(void *ctx, uint16_t key, int curve, const iotkm_step *step, uint8_t *out) {
    return iotkm_static_key_step((void *)key_of(ctx, curve), key, curve, step, out);
}

/* On the wire the sender stands in front of the datagram. */
static int send_from(void *ctx, const iotkm_addr *to, const uint8_t *bytes, size_t len) {
    side *s = &have[to->bytes[0] - 1].s;
    CHECK(to->len == 1 && to->bytes[0] <= DEVICES + 1 && s->in_count < WIRE && len < MTU);
    s->in[s->in_count].bytes[0] = ((side *)ctx)->addr.bytes[0];
    memcpy(s->in[s->in_count].bytes + 1, bytes, len);
    s->in[s->in_count++].len = len + 1;
    return 0;
}

static void on_event(void *ctx, const iotkm_event *event) {
    (void)ctx;
    if (event->kind == IOTKM_EVENT_ESTABLISHED && event->member < DEVICES) established[event->member]++;
}

static void drain(unsigned who) {
    uint8_t out[MTU];
    side *s = &have[who].s;
    if (who == DEVICES) OK(iotkm_hub_drain(&hub, &s->cx, out, sizeof out, &s->wake_at));
    else OK(iotkm_drain(association(&device_end[who]), &s->cx, out, sizeof out, &s->wake_at));
}

/* Lets all talk until nothing is on the wire, and one step of time after. */
static void talk(void) {
    unsigned who, i, busy;
    for (who = 0; who <= DEVICES; who++) drain(who);
    do {
        busy = 0;
        for (who = 0; who <= DEVICES; who++) {
            side *s = &have[who].s;
            for (i = 0; i < s->in_count; i++, busy++) {
                iotkm_addr from = {1, {0}};
                iotkm_received received;
                from.bytes[0] = s->in[i].bytes[0];
                if (who == DEVICES) memcpy(first, s->in[i].bytes + 1, first_len = s->in[i].len - 1);
                if (who == DEVICES) OK(iotkm_hub_receive(&hub, &s->cx, &from, s->in[i].bytes + 1, s->in[i].len - 1, &received));
                else OK(iotkm_receive(association(&device_end[who]), &s->cx, &from, s->in[i].bytes + 1, s->in[i].len - 1, &received));
                if (received.payload) {
                    CHECK(who != DEVICES || received.member == number[from.bytes[0] - 1]);
                    memcpy(s->got, received.payload, received.payload_len);
                    s->got_len = received.payload_len;
                }
                drain(who);
            }
            s->in_count = 0;
        }
        for (who = 0; who < DEVICES && busy == 0; who++) OK(iotkm_timeout(association(&device_end[who]), &have[who].s.cx));
        if (busy == 0) OK(iotkm_hub_timeout(&hub, &have[DEVICES].s.cx));
        for (who = 0; who <= DEVICES; who++) drain(who), busy += have[who].s.in_count;
    } while (busy);
}

static void is_issued(unsigned who) {
    uint8_t ticket[IOTKM_TICKET_MAX], share[32], request[IOTKM_CREDENTIAL_REQUEST_MAX], answer[IOTKM_CREDENTIAL_ANSWER_MAX];
    iotkm_claims claims;
    iotkm_static_key half;
    iotkm_credential_terms terms;
    iotkm_credential credential;
    const iotkm_cx *cx = &have[who].s.cx;
    size_t len, answer_len;
    memset(&claims, 0, sizeof claims);
    memset(&terms, 0, sizeof terms);

    OK(iotkm_static_key_generate(&have[who].ticket_key, cx, TICKET_KEY, &iotkm_x25519));
    OK(iotkm_static_key_public_key(&have[who].ticket_key, TICKET_KEY, IOTKM_CURVE_X25519, share, 32));
    claims.issuer = agent.name;
    claims.subject = names[who];
    claims.scope = "";
    claims.issued_at = NOW;
    claims.expires = NOW + YEAR;
    claims.serial = terms.serial = who + 1;
    claims.curve = IOTKM_CURVE_X25519;
    claims.key = share;
    claims.key_len = 32;
    OK(iotkm_ticket_issue(&iotkm_signing_eddsa, seed, &claims, ticket, sizeof ticket, &len));
    OK(iotkm_wallet_init(&have[who].wallet, &agent, names[who], have[who].purse, IOTKM_TICKET_MAX, LIST));
    OK(iotkm_wallet_install(&have[who].wallet, cx, ticket, len, NULL));

    terms.issuer = agent.name;
    terms.issued_at = NOW;
    terms.life_h = 24;
    OK(iotkm_holder_init(&have[who].holder, &office, names[who], have[who].held, sizeof have[who].held));
    OK(iotkm_static_key_generate(&half, cx, 0, &iotkm_growing_ristretto255));
    OK(iotkm_credential_request(&half, names[who], request, sizeof request, &len));
    OK(iotkm_credential_issue(cx, office.suite, office_x, &terms, request, len, answer, sizeof answer, &answer_len));
    OK(iotkm_holder_accept(&have[who].holder, cx, &half, answer, answer_len, CREDENTIAL_KEY, &have[who].credential_key, &credential));
    OK(iotkm_holder_install(&have[who].holder, cx, credential.bytes, credential.len));
    OK(iotkm_static_key_wipe(&half));
}

/* One end of what `scheme` is between a device and the hub. */
static void opens(end *e, unsigned scheme, unsigned me, unsigned it) {
    static const iotkm_suite *const suites[] = {&iotkm_suite_0};
    iotkm_interactive_setup tickets;
    iotkm_noninteractive_setup credentials;
    uint16_t slot = me == DEVICES ? (uint16_t)it : 0;
    memset(&tickets, 0, sizeof tickets);
    memset(&credentials, 0, sizeof credentials);
    if (scheme == PAIRED) {
        iotkm_history_id mine = id_of(&have[me].s), its = id_of(&have[it].s);
        iotkm_history_triple triple = {{1}, {2}, {3}};
        OK(iotkm_history_peer_provision(&e->peer, slot, &mine, &its, &iotkm_suite_0, &triple));
        OK(iotkm_history_open(association(e), &e->peer, e->entries, ENTRIES, &iotkm_suite_0, NULL, &e->memory));
    } else if (scheme == TICKETED) {
        OK(iotkm_interactive_peer_init(&e->ticket_peer, slot, names[me], names[it], NULL));
        tickets.struct_size = sizeof tickets;
        tickets.kem = &iotkm_x25519;
        tickets.suites = suites;
        tickets.suite_count = 1;
        tickets.key = TICKET_KEY;
        OK(iotkm_interactive_open(association(e), &e->ticket_peer, &have[me].wallet, &tickets, NULL, &e->ticket_memory));
    } else {
        OK(iotkm_noninteractive_peer_init(&e->credential_peer, office.suite, slot, names[me], names[it], NULL));
        credentials.struct_size = sizeof credentials;
        credentials.key = CREDENTIAL_KEY;
        credentials.interval_s = 3600;
        OK(iotkm_noninteractive_open(&e->any, &e->credential_peer, &have[me].holder, &credentials, NULL, &e->credential_memory));
    }
}

static void connects(unsigned who) {
    iotkm_association *a = association(&device_end[who]);
    const iotkm_cx *cx = &have[who].s.cx;
    const iotkm_addr *to = &have[DEVICES].s.addr;
    if (who == PAIRED) OK(iotkm_history_connect(a, cx, to));
    else if (who == TICKETED) OK(iotkm_interactive_connect(a, cx, to));
    else OK(iotkm_noninteractive_connect(a, cx, to));
    talk();
}

/* Whoever has no hub asks each association whether a first message is its peer's. */
static void is_told_apart(unsigned who) {
    static int (*const is_named_by[])(iotkm_association *, const uint8_t *, size_t) = {
        iotkm_history_is_named_by, iotkm_interactive_is_named_by, iotkm_noninteractive_is_named_by};
    unsigned i;
    for (i = 0; i <= who; i++) {
        int wanted = i == who ? 1 : 0;
        CHECK(is_named_by[i](association(&hub_end[i]), first, first_len) == wanted);
        CHECK(is_named_by[i](association(&device_end[i]), first, first_len) == 0);
    }
    IS(is_named_by[(who + 1) % DEVICES](association(&hub_end[who]), first, first_len), IOTKM_E_SCHEME);
    IS(is_named_by[who](association(&hub_end[who]), NULL, 9), IOTKM_E_NULL);
}

static void joins(unsigned who) {
    iotkm_association *a = association(&hub_end[who]);
    uint32_t wanted = IOTKM_HUB_NOBODY;
    /* Each scheme has its own way in. */
    IS((who == PAIRED ? iotkm_interactive_join : iotkm_history_join)(a, &hub, wanted, &number[who]), IOTKM_E_SCHEME);
    if (who == PAIRED) OK(iotkm_history_join(a, &hub, wanted, &number[who]));
    else if (who == TICKETED) OK(iotkm_interactive_join(a, &hub, wanted, &number[who]));
    else OK(iotkm_noninteractive_join(a, &hub, wanted, &number[who]));
}

static void says(unsigned who, const char *text) {
    uint8_t out[MTU];
    iotkm_addr to;
    size_t len;
    OK(iotkm_send(association(&device_end[who]), &have[who].s.cx, (const uint8_t *)text, strlen(text), out, sizeof out, &len, &to));
    OK(send_from(&have[who].s, &to, out, len));
    talk();
    CHECK(have[DEVICES].s.got_len == strlen(text) && memcmp(have[DEVICES].s.got, text, strlen(text)) == 0);
}

int main(void) {
    unsigned who;
    agent.name = "acme";
    agent.signature = &iotkm_eddsa;
    agent.key = agents_key;
    OK(iotkm_signing_public_key(&iotkm_signing_eddsa, seed, agents_key, sizeof agents_key, &agent.key_len));
    for (who = 0; who <= DEVICES; who++) {
        side *s = &have[who].s;
        side_init(s, s, (uint8_t)(who + 1));
        s->platform.send = send_from;
        s->platform.event = on_event;
        s->platform.public_key = key_public;
        s->platform.agree = key_agree;
        s->platform.step = key_step;
        s->platform.keys_ctx = s;
    }
    office.suite = &iotkm_noninteractive_suite_0;
    office.agent = &agent;
    office.key = office_y;
    OK(iotkm_operator_key_generate(office.suite, &have[DEVICES].s.cx, office_x));
    OK(iotkm_operator_key_public(office.suite, office_x, office_y, sizeof office_y, &office.key_len));
    for (who = 0; who <= DEVICES; who++) is_issued(who);

    OK(iotkm_hub_open(&hub, &have[DEVICES].s.cx, members, DEVICES, 0));
    for (who = 0; who < DEVICES; who++) opens(&device_end[who], who, who, DEVICES);
    for (who = 0; who < DEVICES; who++) {
        uint16_t before, after;
        opens(&hub_end[who], who, DEVICES, who);
        /* A scheme of which nobody has joined is nobody's. */
        OK(iotkm_hub_drops(&hub, IOTKM_DROPPED_NO_KEY, &before));
        connects(who);
        OK(iotkm_hub_drops(&hub, IOTKM_DROPPED_NO_KEY, &after));
        is_told_apart(who);
        CHECK(after > before && iotkm_is_established(association(&device_end[who])) == 0);
        joins(who);
        /* What is sent again a second later finds its way. */
        have[who].s.cx.now_ms += 1000;
        have[DEVICES].s.cx.now_ms += 1000;
        OK(iotkm_timeout(association(&device_end[who]), &have[who].s.cx));
        talk();
        CHECK(established[number[who]] == 1 && iotkm_is_established(association(&device_end[who])) == 1);
    }
    for (who = 0; who < DEVICES; who++) says(who, names[who]);

    OK(iotkm_hub_wipe(&hub));
    for (who = 0; who < DEVICES; who++) {
        OK(iotkm_wipe(association(&hub_end[who])));
        OK(iotkm_wipe(association(&device_end[who])));
    }
    OK(iotkm_history_peer_wipe(&hub_end[PAIRED].peer));
    OK(iotkm_interactive_peer_wipe(&hub_end[TICKETED].ticket_peer));
    OK(iotkm_noninteractive_peer_wipe(&hub_end[CREDENTIALED].credential_peer));
    for (who = 0; who <= DEVICES; who++) {
        OK(iotkm_wallet_wipe(&have[who].wallet));
        OK(iotkm_holder_wipe(&have[who].holder));
        OK(iotkm_static_key_wipe(&have[who].ticket_key));
        OK(iotkm_static_key_wipe(&have[who].credential_key));
    }
    return 0;
}
