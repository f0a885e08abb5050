/* Vector table, reset, faults, and the painted stack. */
#include "board.h"
#include "semihost.h"
#include "uart.h"

#define PAINT 0xA5C3A5C3u
#define SCB_AIRCR (*(volatile uint32_t *)0xE000ED0Cu)
#define AIRCR_SYSRESETREQ 0x05FA0004u

extern uint32_t stack_bottom[], stack_top[], data_start[], data_end[], data_load[], bss_start[], bss_end[];

int main(void);
_Noreturn void board_start(void);
void board_tick(void);

static uintptr_t stack_pointer(void)
{
    uintptr_t sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    return sp;
}

/* Inlined, so that no frame of its own lies where it paints. `volatile`: the compiler may not know that this is its stack. */
static inline __attribute__((always_inline)) void paint(uintptr_t below)
{
    for (volatile uint32_t *word = stack_bottom; (uintptr_t)word < below; word++)
        *word = PAINT;
}

static uintptr_t lowest_used(void)
{
    const volatile uint32_t *word = stack_bottom;
    while (word < stack_top && *word == PAINT)
        word++;
    return (uintptr_t)word;
}

uint32_t board_stack_size(void) { return (uint32_t)((uintptr_t)stack_top - (uintptr_t)stack_bottom); }
uint32_t board_stack_used(void) { return (uint32_t)((uintptr_t)stack_top - lowest_used()); }

/* Leaf functions without a frame: their stack pointer is the one the measured call starts from. */
__attribute__((noinline)) uintptr_t board_stack_paint(void)
{
    uintptr_t mark = stack_pointer();
    paint(mark);
    return mark;
}

uint32_t board_stack_below(uintptr_t mark)
{
    uintptr_t lowest = lowest_used();
    return lowest < mark ? (uint32_t)(mark - lowest) : 0;
}

_Noreturn void board_reset(void)
{
    __asm__ volatile("cpsid i\n dsb" ::: "memory");
    SCB_AIRCR = AIRCR_SYSRESETREQ;
    for (;;)
        __asm__ volatile("wfi");
}

_Noreturn void board_start(void)
{
    paint(stack_pointer());
    for (uint32_t *to = data_start, *from = data_load; to < data_end;)
        *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;)
        *to++ = 0;
    semihost_exit(main());
}

/* A fault or an interrupt nobody asked for: a test must see it, a device must not go on. */
_Noreturn static void fault(void)
{
    uint32_t exception;
    __asm__ volatile("mrs %0, ipsr" : "=r"(exception));
    semihost_result("fault.exception", exception, "number");
    semihost_exit(255);
}

typedef void (*handler)(void);

static const struct {
    uint32_t *stack;
    handler system[15];
    handler irq[3]; /* no others are ever enabled */
} vectors __attribute__((section(".vectors"), used)) = {
    .stack = stack_top,
    .system = { board_start, fault, fault, fault, fault, fault, [10] = fault, [13] = fault, [14] = board_tick },
    .irq = { [0] = uart0_received, [2] = uart1_received },
};
