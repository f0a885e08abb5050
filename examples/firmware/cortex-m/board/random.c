/* This board has no random source, so a third UART stands for one: send how many bytes (1-255), receive that many. A test can
   feed it a seed and get the same run twice, or leave it mute and see how the firmware takes that. */
#include "board.h"
#include "uart.h"

#define PATIENCE_MS 3000u

int board_random(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    while (len > 0) {
        uint8_t part = len > 255 ? 255 : (uint8_t)len;
        while (uart_get(UART_ENTROPY) >= 0) { /* an answer that came too late is nobody's */
        }
        uart_put(UART_ENTROPY, part);
        for (uint8_t i = 0; i < part; i++) {
            uint64_t deadline = board_ms() + PATIENCE_MS;
            int byte;
            while ((byte = uart_get(UART_ENTROPY)) < 0)
                if (board_ms() >= deadline)
                    return -1;
            *out++ = (uint8_t)byte;
        }
        len -= part;
    }
    return 0;
}
