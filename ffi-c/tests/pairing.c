/* First contact: the user's secret, a wrong one, the lock, what is stored, and a session under what came of it. */
#include "pair.h"

static side a, b;
static iotkm_history_pairing pa, pb;

enum { PEER = 1, ATTEMPTS = 2 };

static void drain(side *s, iotkm_history_pairing *p) {
    uint8_t out[MTU];
    OK(iotkm_drain(&p->association, &s->cx, out, sizeof out, &s->wake_at));
}

static unsigned take(side *s, iotkm_history_pairing *p) {
    unsigned i, count = s->in_count;
    for (i = 0; i < count; i++) {
        iotkm_received received;
        OK(iotkm_receive(&p->association, &s->cx, &s->other->addr, s->in[i].bytes, s->in[i].len, &received));
        CHECK(received.payload == NULL);
        drain(s, p);
    }
    s->in_count = 0;
    return count;
}

static void talk(void) {
    drain(&a, &pa);
    drain(&b, &pb);
    while (take(&a, &pa) + take(&b, &pb)) {}
}

static void open_both(const iotkm_suite *suite, const iotkm_cpace *cpace) {
    iotkm_history_id ida = id_of(&a), idb = id_of(&b);
    OK(iotkm_history_pairing_open(&pa, &ida, suite, cpace, PEER, ATTEMPTS, NULL));
    OK(iotkm_history_pairing_open(&pb, &idb, suite, cpace, PEER, ATTEMPTS, NULL));
}

static void try_with(const char *sk) {
    OK(iotkm_history_pairing_listen(&pb, &b.cx, (const uint8_t *)"correct horse", 13, 60000));
    OK(iotkm_history_pairing_start(&pa, &a.cx, &b.addr, (const uint8_t *)sk, strlen(sk)));
    talk();
}

static void meet(const iotkm_suite *suite, const iotkm_cpace *cpace) {
    uint8_t one[10], two[10];
    uint32_t attempts;
    iotkm_history_id id;

    side_init(&a, &b, 'a');
    side_init(&b, &a, 'b');
    open_both(suite, cpace);
    OK(iotkm_history_pairing_load_attempts(&pa, &a.cx, ATTEMPTS));
    IS(iotkm_history_pairing_take_peer(&pa, &a.peer), IOTKM_E_WRONG_STATE);
    try_with("correct horse");
    CHECK(a.events[IOTKM_EVENT_PAIRED] == 1 && b.events[IOTKM_EVENT_PAIRED] == 1);
    CHECK(memcmp(a.fingerprint, b.fingerprint, 10) == 0);
    OK(iotkm_history_pairing_attempts(&pa, &attempts));
    CHECK(attempts == 0);
    OK(iotkm_history_pairing_take_peer(&pa, &a.peer));
    IS(iotkm_history_pairing_take_peer(&pa, &a.peer), IOTKM_E_WRONG_STATE);
    OK(iotkm_wipe(&pa.association));
    OK(iotkm_wipe(&pb.association));
    IS(iotkm_history_pairing_unlock(&pa), IOTKM_E_NOT_SET_UP);

    /* One side goes on with what it was handed, the other with what was stored. */
    OK(iotkm_history_peer_load(&b.peer, &b.cx, PEER));
    OK(iotkm_history_peer_id(&b.peer, &id));
    CHECK(id.len == 8 && id.bytes[0] == 'a');
    OK(iotkm_history_peer_fingerprint(&a.peer, one));
    OK(iotkm_history_peer_fingerprint(&b.peer, two));
    CHECK(memcmp(one, two, 10) == 0);
    side_open(&a, suite);
    side_open(&b, suite);
    OK(iotkm_history_connect(&a.a, &a.cx, &b.addr));
    settle(&a, &b, 0);
    say(&a, "hello");
    say(&b, "hello");
    IS(iotkm_history_pairing_unlock((iotkm_history_pairing *)&a.a), IOTKM_E_SCHEME);
    pair_down(&a, &b);
}

static void wrong_secret(void) {
    uint32_t attempts = 0;
    unsigned i;

    side_init(&a, &b, 'a');
    side_init(&b, &a, 'b');
    open_both(&iotkm_suite_0, &iotkm_cpace_ristretto255);
    IS(iotkm_history_pairing_listen(&pb, &b.cx, NULL, 0, 60000), IOTKM_E_BAD_ARGUMENT);
    for (i = 1; i <= IOTKM_HISTORY_ATTEMPTS; i++) {
        try_with("battery staple");
        CHECK(a.events[IOTKM_EVENT_PAIRED] == 0 && b.events[IOTKM_EVENT_PAIRED] == 0);
        OK(iotkm_history_pairing_attempts(&pb, &attempts));
        CHECK(attempts == i);
        /* The power goes, the attempts stay. */
        OK(iotkm_wipe(&pa.association));
        OK(iotkm_wipe(&pb.association));
        open_both(&iotkm_suite_0, &iotkm_cpace_ristretto255);
        a.slot_len[ATTEMPTS] = 0;
        OK(iotkm_history_pairing_load_attempts(&pb, &b.cx, ATTEMPTS));
    }
    IS(iotkm_history_pairing_listen(&pb, &b.cx, (const uint8_t *)"correct horse", 13, 60000), IOTKM_E_LOCKED);
    OK(iotkm_history_pairing_unlock(&pb));
    drain(&b, &pb);
    try_with("correct horse");
    CHECK(a.events[IOTKM_EVENT_PAIRED] == 1 && b.events[IOTKM_EVENT_PAIRED] == 1);
    OK(iotkm_history_pairing_cancel(&pa));
    OK(iotkm_wipe(&pa.association));
    OK(iotkm_wipe(&pb.association));
}

int main(void) {
    meet(&iotkm_suite_0, &iotkm_cpace_ristretto255);
    meet(&iotkm_suite_2, &iotkm_cpace_p256);
    meet(&iotkm_suite_4_symmetric, &iotkm_cpace_ristretto255);
    wrong_secret();
    return 0;
}
