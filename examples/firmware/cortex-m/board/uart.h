/* The CMSDK UARTs: received bytes wait in a ring, sent ones are polled out. */
#ifndef UART_H
#define UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum uart {
    UART_RADIO,   /* datagrams, SLIP */
    UART_CONSOLE, /* lines of text: the user's buttons and display */
    UART_ENTROPY, /* random.c */
    UART_COUNT
};

void uart_init(void);

/* The next byte, or -1 when there is none yet. */
int uart_get(enum uart uart);
void uart_put(enum uart uart, uint8_t byte);
void uart_print(enum uart uart, const char *text);

/* Interrupt handlers, for the vector table. */
void uart0_received(void);
void uart1_received(void);

#endif
