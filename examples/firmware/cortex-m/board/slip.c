#include "slip.h"

enum { END = 0xC0, ESC = 0xDB, ESC_END = 0xDC, ESC_ESC = 0xDD };

void slip_init(struct slip *slip, enum uart uart, uint8_t *buffer, size_t capacity)
{
    *slip = (struct slip) { .uart = uart, .buffer = buffer, .capacity = capacity };
}

static void take(struct slip *slip, uint8_t byte)
{
    if (slip->escaped) {
        slip->escaped = false;
        if (byte != ESC_END && byte != ESC_ESC)
            slip->broken = true;
        byte = byte == ESC_END ? END : ESC;
    } else if (byte == ESC) {
        slip->escaped = true;
        return;
    }
    if (slip->length == slip->capacity)
        slip->broken = true;
    else
        slip->buffer[slip->length++] = byte;
}

size_t slip_receive(struct slip *slip)
{
    int byte;
    while ((byte = uart_get(slip->uart)) >= 0) {
        if (byte != END) {
            take(slip, (uint8_t)byte);
            continue;
        }
        size_t length = slip->broken || slip->escaped ? 0 : slip->length;
        slip->length = 0;
        slip->broken = slip->escaped = false;
        if (length > 0)
            return length;
    }
    return 0;
}

void slip_send(const struct slip *slip, const uint8_t *datagram, size_t length)
{
    uart_put(slip->uart, END); /* ends whatever noise came before */
    for (size_t i = 0; i < length; i++) {
        if (datagram[i] == END || datagram[i] == ESC) {
            uart_put(slip->uart, ESC);
            uart_put(slip->uart, datagram[i] == END ? ESC_END : ESC_ESC);
        } else {
            uart_put(slip->uart, datagram[i]);
        }
    }
    uart_put(slip->uart, END);
}
