/* A device that sends readings to its hub: the main loop, and the user's side of it.

   The console takes
       every MS       sends a reading each MS milliseconds; 0: none (at first: 1000)
       send TEXT      sends that
       close          ends the session
       status         prints `status` and three numbers: milliseconds since boot, readings sent, most bytes of stack ever used
       reset  panic   as the reset button; as a bug found at run time
       cut N          for tests: the power fails at the N-th word that the flash changes from now on
   and what the scheme's file says (history.c: pair; the others: provision). It shows what happens, a word first. */
#include "board.h"
#include "console.h"
#include "device.h"
#include "semihost.h"
#include "slip.h"
#include "store.h"
#include "text.h"

#include <string.h>

static struct slip radio;
static uint8_t datagram[1280];
static uint32_t period = 1000, readings;
static uint64_t reading_at;

/* The library's last word when it finds a bug in itself: start over with what is stored, which is whole at any time. */
void iotkm_panic(void);
void iotkm_panic(void) { board_reset(); }

void device_says(const char *word, bool has_number, uint32_t number)
{
    if (has_number)
        console_number(word, number);
    else
        console_print(word);
}

void device_says_text(const char *word, const char *text)
{
    uart_print(UART_CONSOLE, word);
    uart_print(UART_CONSOLE, " ");
    console_print(text);
}

/* A status that is not 0 is worth a look; it never stops the device. */
static void note(int status)
{
    if (status < 0)
        device_says_text("error", iotkm_strerror(status));
}

static int send(void *ctx, const iotkm_addr *to, const uint8_t *bytes, size_t length)
{
    (void)to;
    slip_send(ctx, bytes, length);
    return 0;
}

/* What this device is for: here, how long it has been up. */
static void send_reading(void)
{
    char digits[TEXT_DECIMAL];
    const char *text = text_decimal(digits, (uint32_t)board_ms());
    int status = device_send((const uint8_t *)text, strlen(text));
    if (status == IOTKM_OK)
        readings++;
    else if (status != IOTKM_E_NOT_ESTABLISHED) /* a reading without a session is lost, as the next one will be newer */
        note(status);
}

static void print_status(void)
{
    const uint32_t numbers[] = { (uint32_t)board_ms(), readings, board_stack_used() };
    uart_print(UART_CONSOLE, "status");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char digits[TEXT_DECIMAL];
        uart_print(UART_CONSOLE, " ");
        uart_print(UART_CONSOLE, text_decimal(digits, numbers[i]));
    }
    console_print("");
}

static void obey(const char *line)
{
    const char *rest;
    int status = device_obey(line);
    if (status != DEVICE_NO_SUCH_WORD)
        note(status);
    else if ((rest = text_after(line, "every")) != NULL)
        period = text_number(rest);
    else if ((rest = text_after(line, "send")) != NULL)
        note(device_send((const uint8_t *)rest, strlen(rest)));
    else if (text_after(line, "close"))
        note(device_close());
    else if (text_after(line, "status"))
        print_status();
    else if (text_after(line, "reset"))
        board_reset();
    else if (text_after(line, "panic"))
        iotkm_panic();
    else if ((rest = text_after(line, "cut")) != NULL)
        flash_cut_after(text_number(rest));
    else
        console_print("what?");
}

static void take_datagrams(void)
{
    const uint8_t *payload;
    size_t length;
    while ((length = slip_receive(&radio)) > 0) {
        note(device_receive(datagram, length, &payload, &length));
        if (payload)
            console_hex("heard", payload, length);
    }
}

int main(void)
{
    static iotkm_platform platform = { .random = board_random, .store_read = store_read, .store_write = store_write,
                                       .store_erase = store_erase, .send = send, .send_ctx = &radio };
    const char *line;
    board_init();
    slip_init(&radio, UART_RADIO, datagram, sizeof datagram);
    console_print("boot");
    note(device_start(&platform, board_ms()));
    for (;;) {
        note(device_run(board_ms()));
        take_datagrams();
        while ((line = console_line()) != NULL)
            obey(line);
        if (period > 0 && board_ms() >= reading_at) {
            reading_at = board_ms() + period;
            send_reading();
        }
        board_idle();
    }
}
