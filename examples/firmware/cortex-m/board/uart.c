#include "uart.h"

struct uart_registers {
    volatile uint32_t data, state, control, interrupt, baud_divisor;
};
#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CONTROL_TX 1u
#define CONTROL_RX 2u
#define CONTROL_RX_IRQ 8u
#define INTERRUPT_RX 2u

#define NVIC_ENABLE (*(volatile uint32_t *)0xE000E100u)
#define SYSCLK_HZ 25000000u
#define BAUD 115200u
#define RING 512u /* a power of two, so that the free-running indices may wrap */

static struct uart_registers *const registers[UART_COUNT] = {
    (struct uart_registers *)0x40004000u, (struct uart_registers *)0x40005000u, (struct uart_registers *)0x40006000u
};
static struct ring {
    volatile uint32_t head, tail; /* the interrupt writes head, the program writes tail */
    uint8_t bytes[RING];
} rings[UART_ENTROPY];            /* the entropy source is asked and polled, it needs none */

void uart_init(void)
{
    for (unsigned i = 0; i < UART_COUNT; i++) {
        registers[i]->baud_divisor = SYSCLK_HZ / BAUD;
        registers[i]->control = CONTROL_TX | CONTROL_RX | (i < UART_ENTROPY ? CONTROL_RX_IRQ : 0);
    }
    NVIC_ENABLE = 1u << 0 | 1u << 2; /* receive interrupts of UART 0 and 1 */
}

/* A full ring holds the line up instead of losing bytes: the byte stays in the UART, and the sender sees that (here QEMU's
   chardev; on a real board the RTS line). */
static void received(unsigned i)
{
    struct ring *ring = &rings[i];
    registers[i]->interrupt = INTERRUPT_RX; /* first, or a byte that comes right after the loop would never be noticed */
    while (registers[i]->state & STATE_RX_FULL) {
        if (ring->head - ring->tail == RING) {
            registers[i]->control &= ~CONTROL_RX_IRQ;
            break;
        }
        ring->bytes[ring->head % RING] = (uint8_t)registers[i]->data;
        ring->head++;
    }
}

void uart0_received(void) { received(0); }
void uart1_received(void) { received(1); }

int uart_get(enum uart uart)
{
    if (uart == UART_ENTROPY)
        return registers[uart]->state & STATE_RX_FULL ? (int)(uint8_t)registers[uart]->data : -1;
    struct ring *ring = &rings[uart];
    if (ring->head == ring->tail)
        return -1;
    uint8_t byte = ring->bytes[ring->tail % RING];
    ring->tail++;
    if (!(registers[uart]->control & CONTROL_RX_IRQ)) { /* there is room again: fetch what was held up */
        __asm__ volatile("cpsid i" ::: "memory");
        registers[uart]->control |= CONTROL_RX_IRQ;
        received(uart);
        __asm__ volatile("cpsie i" ::: "memory");
    }
    return byte;
}

void uart_put(enum uart uart, uint8_t byte)
{
    while (registers[uart]->state & STATE_TX_FULL) {
    }
    registers[uart]->data = byte;
}

void uart_print(enum uart uart, const char *text)
{
    while (*text)
        uart_put(uart, (uint8_t)*text++);
}
