/* Plays test vectors on the board: player.h, each line a datagram on the radio, what comes of a call one datagram back. */
#include "board.h"
#include "semihost.h"
#include "slip.h"

#include <string.h>

static char said[8192];
static size_t said_length;
static struct slip radio;

static void say(const char *text)
{
    size_t length = strlen(text);
    if (length > sizeof said - said_length)
        semihost_exit(3);
    memcpy(said + said_length, text, length);
    said_length += length;
}

static void answer(void)
{
    slip_send(&radio, (const uint8_t *)said, said_length);
    said_length = 0;
}

static _Noreturn void broken(const char *what)
{
    say("not so: ");
    say(what);
    answer();
    semihost_exit(1);
}

#include "../../ffi-c/tests/player.h"

void iotkm_panic(void);
void iotkm_panic(void) { broken("no panic"); }

int main(void)
{
    static uint8_t datagram[LINE / 2];
    board_init();
    slip_init(&radio, UART_RADIO, datagram, sizeof datagram - 1);
    for (;;) {
        size_t length;
        while ((length = slip_receive(&radio)) > 0) {
            datagram[length] = '\0';
            if (play((const char *)datagram))
                answer();
        }
        board_idle();
    }
}
