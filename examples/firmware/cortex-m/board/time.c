/* Milliseconds from a free-running timer. The tick carries it over its wraps and wakes the program; ticks that come late or fall
   together, as they do in an emulator, lose no time. */
#include "board.h"
#include "uart.h"

#define SYSCLK_HZ 25000000u
#define TICKS_PER_MS (SYSCLK_HZ / 1000)

#define TIMER_CONTROL (*(volatile uint32_t *)0x40000000u)
#define TIMER_VALUE (*(volatile uint32_t *)0x40000004u) /* counts down */
#define TIMER_RELOAD (*(volatile uint32_t *)0x40000008u)
#define TIMER_ENABLE 1u

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define CSR_CORE_CLOCK_IRQ_ENABLE 7u

static volatile uint64_t milliseconds;
static volatile uint32_t remainder, last = UINT32_MAX;

void board_tick(void);
void board_tick(void)
{
    uint32_t now = TIMER_VALUE, ticks = remainder + (last - now);
    last = now;
    milliseconds += ticks / TICKS_PER_MS;
    remainder = ticks % TICKS_PER_MS;
}

void board_init(void)
{
    TIMER_RELOAD = UINT32_MAX;
    TIMER_VALUE = UINT32_MAX;
    TIMER_CONTROL = TIMER_ENABLE;
    SYST_RVR = TICKS_PER_MS - 1;
    SYST_CVR = 0;
    SYST_CSR = CSR_CORE_CLOCK_IRQ_ENABLE;
    uart_init();
}

uint64_t board_ms(void)
{
    __asm__ volatile("cpsid i" ::: "memory");
    board_tick();
    uint64_t now = milliseconds;
    __asm__ volatile("cpsie i" ::: "memory");
    return now;
}

void board_idle(void) { __asm__ volatile("wfi" ::: "memory"); }
