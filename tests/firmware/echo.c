/* The smoke image: shows that the board support works, without the library. Datagrams come back as they are; the console takes
   the words below. Slot 0 counts boots, slot 1 holds what a test stores. */
#include "board.h"
#include "console.h"
#include "semihost.h"
#include "slip.h"
#include "store.h"

#include <string.h>

static uint32_t number_after(const char *line)
{
    uint32_t value = 0;
    while (*line && *line != ' ')
        line++;
    while (*line == ' ')
        line++;
    for (; *line >= '0' && *line <= '9'; line++)
        value = value * 10 + (uint32_t)(*line - '0');
    return value;
}

static bool is(const char *line, const char *word) { return strncmp(line, word, strlen(word)) == 0; }

static uint32_t count_boot(void)
{
    uint32_t boots = 0;
    size_t length;
    store_read(NULL, 0, (uint8_t *)&boots, sizeof boots, &length);
    boots++;
    store_write(NULL, 0, (const uint8_t *)&boots, sizeof boots);
    return boots;
}

/* The length depends on the value, so that odd lengths and whole words occur. */
static size_t pattern(uint32_t value, uint8_t bytes[16])
{
    memset(bytes, (int)value, 16);
    return 5 + value % 11;
}

static void store(uint32_t value)
{
    uint8_t bytes[16];
    size_t length = pattern(value, bytes);
    console_number("stored", (uint32_t)-store_write(NULL, 1, bytes, length));
}

static void load(void)
{
    uint8_t bytes[16], expected[16];
    size_t length;
    int status = store_read(NULL, 1, bytes, sizeof bytes, &length);
    if (status == STORE_EMPTY)
        console_print("loaded nothing");
    else if (status == STORE_OK && length == pattern(bytes[0], expected) && memcmp(bytes, expected, length) == 0)
        console_number("loaded", bytes[0]);
    else
        console_print("loaded garbage");
}

static void random_bytes(uint32_t length)
{
    uint8_t bytes[64];
    if (length > sizeof bytes || board_random(NULL, bytes, length) != 0)
        console_print("random failed");
    else
        console_hex("random", bytes, length);
}

/* volatile, or the compiler would see that nothing comes of it */
static uint32_t deeper(uint32_t level)
{
    volatile uint32_t frame[64] = { level };
    return level > 0 ? deeper(level - 1) + frame[0] : 0;
}

static void obey(const char *line)
{
    if (is(line, "reset"))
        board_reset();
    else if (is(line, "cut"))
        flash_cut_after(number_after(line));
    else if (is(line, "store"))
        store(number_after(line));
    else if (is(line, "erase"))
        console_number("erased", (uint32_t)-store_erase(NULL, 1));
    else if (is(line, "load"))
        load();
    else if (is(line, "random"))
        random_bytes(number_after(line));
    else if (is(line, "time"))
        console_number("time", (uint32_t)board_ms());
    else if (is(line, "deep"))
        console_number("deep", deeper(number_after(line)));
    else if (is(line, "crash"))
        __asm__ volatile("udf #0");
    else if (is(line, "sleep"))
        for (uint64_t until = board_ms() + number_after(line); board_ms() < until;) /* busy: what arrives has to wait */
            board_idle();
    else if (is(line, "exit"))
        semihost_exit((int)number_after(line));
    else
        console_print("what?");
    semihost_result("stack.used", board_stack_used(), "B");
}

int main(void)
{
    static uint8_t datagram[1280];
    struct slip radio;
    board_init();
    slip_init(&radio, UART_RADIO, datagram, sizeof datagram);
    semihost_result("stack.size", board_stack_size(), "B");
    console_number("boot", count_boot());
    for (;;) {
        size_t length;
        const char *line;
        while ((length = slip_receive(&radio)) > 0)
            slip_send(&radio, datagram, length);
        while ((line = console_line()) != NULL)
            obey(line);
        board_idle();
    }
}
