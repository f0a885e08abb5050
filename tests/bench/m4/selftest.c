/* Entries whose cost is known beforehand: shows that the harness counts right. `-DWRONG` adds one with a wrong result. */
#include "bench.h"

static void instructions_2000(void)
{
    uint32_t rounds = 1000;
    __asm__ volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(rounds)::"cc");
}

static void stack_512(void)
{
    volatile uint32_t frame[128];
    for (unsigned i = 0; i < 128; i++)
        frame[i] = i;
    bench_expect(frame[127] == 127);
}

#ifdef WRONG
static void wrong(void) { bench_expect(false); }
#endif

static unsigned prepared;
static void prepare(void) { prepared++; }
static void expects_prepared(void) { bench_expect(prepared == 1); }

const struct bench benches[] = {
    { "instructions_2000", instructions_2000, 0 },
    { "stack_512", stack_512, 0 },
    { "prepared", expects_prepared, prepare },
#ifdef WRONG
    { "wrong", wrong, 0 },
#endif
    { 0 },
};
