/* The words of the lines that a player of vectors takes, and what it says: player.h. */
#ifndef PLAYER_WORDS_H
#define PLAYER_WORDS_H

#include <iotkm.h>
#include <string.h>

#define CHECK(what) ((what) ? (void)0 : broken(#what))
#define OK(call) ok((call), #call)

enum { LINE = 8192, DATAGRAM = 1500 };

static struct { uint8_t bytes[976]; size_t len; } draws[16];
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

/* The same, without taking it. */
static const char *peek(void) {
    const char *here = line, *next = word();
    line = here;
    return next;
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

/* A name, IOTKM_NAME_TEXT bytes. */
static void text(char *name) {
    size_t len = unhex((uint8_t *)name, IOTKM_NAME_TEXT - 1);
    name[len] = '\0';
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

static void say_digits(uint64_t value) {
    char digits[21], *at = digits + sizeof digits - 1;
    *at = '\0';
    do *--at = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    say(at);
}

static void say_number(uint64_t value) {
    say(" ");
    say_digits(value);
}

static void say_addr(const iotkm_addr *addr) {
    char text[sizeof addr->bytes + 1];
    memcpy(text, addr->bytes, addr->len);
    text[addr->len] = '\0';
    say(text);
}

static const iotkm_suite *suite(const char *name) {
    static const struct { const char *name; const iotkm_suite *suite; } suites[] = {
        {"0", &iotkm_suite_0}, {"0_symmetric", &iotkm_suite_0_symmetric}, {"1", &iotkm_suite_1},
        {"1_symmetric", &iotkm_suite_1_symmetric}, {"2", &iotkm_suite_2}, {"2_symmetric", &iotkm_suite_2_symmetric},
        {"3", &iotkm_suite_3}, {"3_symmetric", &iotkm_suite_3_symmetric}, {"4", &iotkm_suite_4},
        {"4_symmetric", &iotkm_suite_4_symmetric}, {"5", &iotkm_suite_5}, {"5_symmetric", &iotkm_suite_5_symmetric},
        {"-21", &iotkm_suite_ffc2048}, {"-22", &iotkm_suite_ffc3072},
    };
    unsigned i;
    for (i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        if (is(suites[i].name, name)) return suites[i].suite;
    }
    CHECK(!"a suite of that name");
    return NULL;
}

static const iotkm_noninteractive_suite *credited_suite(const char *name) {
    static const iotkm_noninteractive_suite *const suites[] = {
        &iotkm_noninteractive_suite_0, &iotkm_noninteractive_suite_1, &iotkm_noninteractive_suite_2,
        &iotkm_noninteractive_suite_3, &iotkm_noninteractive_suite_4, &iotkm_noninteractive_suite_5,
    };
    if (is(name, "-21")) return &iotkm_noninteractive_suite_ffc2048;
    if (is(name, "-22")) return &iotkm_noninteractive_suite_ffc3072;
    CHECK(name[0] >= '0' && name[0] <= '5' && name[1] == '\0');
    return suites[name[0] - '0'];
}

/* The group of that suite's keys. */
static const iotkm_kem *growing(const char *name) {
    if (is(name, "-21")) return &iotkm_growing_ffc2048;
    if (is(name, "-22")) return &iotkm_growing_ffc3072;
    return strchr("014", name[0]) ? &iotkm_growing_ristretto255 : &iotkm_growing_p256;
}

#endif
