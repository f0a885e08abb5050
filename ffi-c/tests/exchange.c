/* The life of an association: exchange, data, key update, export and restore, stored and loaded peers, close. */
#include "pair.h"

static side a, b;

static void life(const iotkm_suite *suite) {
    uint8_t one[10], two[10], blob[IOTKM_SESSION_BLOB_MAX], key[2][40], byte = 7;
    char text[IOTKM_FINGERPRINT_TEXT];
    size_t len;
    uint32_t generation;
    iotkm_assurance_record assurance;

    pair_up(&a, &b, suite);
    CHECK(a.events[IOTKM_EVENT_ESTABLISHED] == 1 && b.events[IOTKM_EVENT_ESTABLISHED] == 1);
    OK(iotkm_fingerprint(&a.a, one));
    OK(iotkm_fingerprint(&b.a, two));
    CHECK(memcmp(one, two, 10) == 0 && memcmp(one, a.fingerprint, 10) == 0);
    OK(iotkm_fingerprint_text(one, text));
    CHECK(strlen(text) == 19 && text[4] == '-' && text[9] == '-' && text[14] == '-');
    OK(iotkm_assurance(&a.a, &assurance));
    CHECK(assurance.authenticated == IOTKM_AUTHENTICATED_PAIRED_PEER && assurance.clock && assurance.budget > 1000);
    OK(iotkm_exporter(&a.a, "test", &byte, 1, key[0], sizeof key[0]));
    OK(iotkm_exporter(&b.a, "test", &byte, 1, key[1], sizeof key[1]));
    CHECK(memcmp(key[0], key[1], sizeof key[0]) == 0);

    say(&a, "21.5 C");
    say(&b, "ok");
    say(&b, "");
    CHECK(b.got_count == 1 && a.got_count == 2);

    /* A new triple from the log; the next exchange runs under it. */
    OK(iotkm_history_update(&b.a, &b.cx));
    settle(&a, &b, 20000);
    OK(iotkm_history_peer_generation(&a.peer, &generation));
    CHECK(generation == 1 && a.events[IOTKM_EVENT_KEY_REPLACED] == 1 && b.events[IOTKM_EVENT_KEY_REPLACED] == 1);
    say(&a, "again");

    /* Side a restarts and goes on from what it stored. */
    OK(iotkm_export(&a.a, &a.cx, blob, sizeof blob, &len));
    CHECK(len <= sizeof blob);
    OK(iotkm_wipe(&a.a));
    OK(iotkm_history_peer_wipe(&a.peer));
    OK(iotkm_history_peer_load(&a.peer, &a.cx, 1));
    side_open(&a, suite);
    OK(iotkm_restore(&a.a, &a.cx, blob, len));
    settle(&a, &b, 0);
    CHECK(a.events[IOTKM_EVENT_RESUMED] == 1);
    say(&a, "back");
    say(&b, "welcome");

    /* It also comes back by an exchange alone. */
    OK(iotkm_wipe(&a.a));
    OK(iotkm_history_peer_load(&a.peer, &a.cx, 1));
    OK(iotkm_history_open(&a.a, &a.peer, NULL, 0, suite, NULL, &a.memory));
    OK(iotkm_history_connect(&a.a, &a.cx, &b.addr));
    settle(&a, &b, 0);
    say(&b, "hello again");
    OK(iotkm_history_release(&a.a));
    say(&a, "without memory for runs");
    OK(iotkm_history_lend(&a.a, &a.memory));

    a.events[IOTKM_EVENT_TERMINATED] = 0; /* the update ended a session too */
    OK(iotkm_close(&b.a));
    side_drain(&b);
    side_take(&a);
    CHECK(a.events[IOTKM_EVENT_TERMINATED] == 1 && iotkm_is_established(&a.a) == 0);
    pair_down(&a, &b);
}

/* A leaf: it connects, talks and connects again; what it does without looks like silence to its peer. */
static void leaf(void) {
    static iotkm_history_memory_small memory;
    iotkm_config config;
    uint8_t blob[IOTKM_SESSION_BLOB_MAX];
    size_t len;
    uint32_t generation;
    int again;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.mtu = 100;
    pair_up(&a, &b, &iotkm_suite_4);
    OK(iotkm_wipe(&a.a));
    IS(iotkm_history_open_leaf(&a.a, &a.peer, &iotkm_suite_4, &config, &memory), IOTKM_E_BAD_ARGUMENT);
    config.mtu = IOTKM_HISTORY_MTU_SMALL;
    for (again = 0; again < 2; again++) {
        OK(iotkm_history_open_leaf(&a.a, &a.peer, &iotkm_suite_4, &config, &memory));
        OK(iotkm_history_connect(&a.a, &a.cx, &b.addr));
        settle(&a, &b, 0);
        say(&a, "leaf");
        say(&b, "hub");
        IS(iotkm_export(&a.a, &a.cx, blob, sizeof blob, &len), IOTKM_E_WRONG_STATE);
        IS(iotkm_history_update(&a.a, &a.cx), IOTKM_E_NO_RECORD);
        OK(iotkm_history_update(&b.a, &b.cx));
        settle(&a, &b, 600000);
        CHECK(b.events[IOTKM_EVENT_UPDATE_FAILED] == 1u + (unsigned)again);
        say(&a, "still here");
        OK(iotkm_wipe(&a.a));
        OK(iotkm_history_peer_load(&a.peer, &a.cx, 1));
    }
    OK(iotkm_history_open_leaf(&a.a, &a.peer, &iotkm_suite_4, &config, &memory));
    b.events[IOTKM_EVENT_FAILED] = 0;
    OK(iotkm_history_connect(&b.a, &b.cx, &a.addr));
    settle(&a, &b, 600000);
    CHECK(b.events[IOTKM_EVENT_FAILED] == 1 && iotkm_is_established(&a.a) == 0);
    OK(iotkm_history_peer_generation(&b.peer, &generation));
    CHECK(generation == 0);
    pair_down(&a, &b);
}

int main(void) {
    const iotkm_suite *suites[] = {
        &iotkm_suite_0, &iotkm_suite_0_symmetric, &iotkm_suite_1, &iotkm_suite_1_symmetric,
        &iotkm_suite_2, &iotkm_suite_2_symmetric, &iotkm_suite_3, &iotkm_suite_3_symmetric,
        &iotkm_suite_4, &iotkm_suite_4_symmetric, &iotkm_suite_5, &iotkm_suite_5_symmetric,
    };
    unsigned i;
    CHECK(iotkm_association_size() == sizeof(iotkm_association));
    CHECK(iotkm_history_peer_size() == sizeof(iotkm_history_peer));
    for (i = 0; i < sizeof suites / sizeof suites[0]; i++) life(suites[i]);
    leaf();
    return 0;
}
