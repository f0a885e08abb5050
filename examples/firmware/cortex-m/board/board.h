/* What the firmware needs of its board. Nothing here knows iotkm; port these few functions and the rest moves along. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

/* Starts the millisecond tick and the UARTs. */
void board_init(void);

/* Milliseconds since this boot; never goes back. */
uint64_t board_ms(void);

/* Sleeps until something happens, at most until the next tick: a caller that just missed an interrupt loses 1 ms. */
void board_idle(void);

/* Resets the whole board. RAM is set up anew, what flash.h keeps stays. */
_Noreturn void board_reset(void);

/* Random bytes: 0, or negative when the source does not answer. `ctx` is unused; the shape is that of a platform hook. */
int board_random(void *ctx, uint8_t *out, size_t len);

/* The stack is painted at boot: the most bytes ever used since, and how many there are. */
uint32_t board_stack_used(void);
uint32_t board_stack_size(void);

/* Paints again what lies below the caller, so that board_stack_below() measures one call alone: the bytes it reached below
   `mark`, which board_stack_paint() returned. */
uintptr_t board_stack_paint(void);
uint32_t board_stack_below(uintptr_t mark);

#endif
