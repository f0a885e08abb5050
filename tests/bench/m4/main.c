/* Counts instructions by the emulated clock. Under `-icount shift=S` each instruction takes 2^S ns, so the 25 MHz timer ticks
   once in 40 / 2^S instructions: exact to 40 instructions at S = 0, to one at S = 6. A loop of known length finds S. */
#include "bench.h"
#include "board.h"
#include "semihost.h"

#define TIMER_CONTROL (*(volatile uint32_t *)0x40000000u)
#define TIMER_VALUE (*(volatile uint32_t *)0x40000004u)
#define TIMER_RELOAD (*(volatile uint32_t *)0x40000008u)
#define TICK_NS 40u
#define MAX_SHIFT 10u

static bool all_held = true;
static const char *failed;
static unsigned shift;

void bench_expect(bool holds) { all_held = all_held && holds; }

static uint32_t ticks(void) { return UINT32_MAX - TIMER_VALUE; }

/* Two instructions a round. */
static void known_loop(uint32_t rounds)
{
    __asm__ volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(rounds)::"cc");
}

static void nothing(void) { }

struct cost {
    uint32_t ticks, stack;
};

/* Of the run that is being measured: where its stack starts, the most that was used before the last aside, what asides took. */
static uintptr_t mark;
static uint32_t deepest, aside;

static void note_depth(void)
{
    uint32_t depth = board_stack_below(mark);
    if (depth > deepest)
        deepest = depth;
}

__attribute__((noipa)) void bench_aside(void (*other)(void))
{
    uint32_t start = ticks();
    note_depth();
    other();
    board_stack_paint();
    aside += ticks() - start;
}

/* Not to be specialised for the one that does nothing: what it costs is subtracted from all the others. */
__attribute__((noipa)) static struct cost cost_of(void (*run)(void))
{
    deepest = aside = 0;
    mark = board_stack_paint();
    uint32_t start = ticks();
    run();
    uint32_t taken = ticks() - start - aside;
    note_depth();
    return (struct cost) { .ticks = taken, .stack = deepest };
}

static uint32_t above(uint32_t value, uint32_t base) { return value > base ? value - base : 0; }

static uint32_t instructions(uint32_t ticks) { return (uint32_t)((uint64_t)ticks * TICK_NS >> shift); }

/* True if some S explains what the loop took to one part in a thousand: then emulated time counts instructions. */
static bool calibrate(void)
{
    const uint32_t rounds = 500000;
    uint32_t start = ticks();
    known_loop(rounds);
    uint32_t taken = ticks() - start;
    for (shift = 0; shift <= MAX_SHIFT; shift++) {
        uint32_t counted = instructions(taken), off = counted > 2 * rounds ? counted - 2 * rounds : 2 * rounds - counted;
        if (off < 2 * rounds / 1000) {
            semihost_result("calibration.loop", 2 * rounds, "instructions");
            semihost_result("calibration.counted", counted, "instructions");
            semihost_result("calibration.ticks", taken, "ticks");
            semihost_result("calibration.milli_instructions_per_tick", TICK_NS * 1000 >> shift, "instructions");
            return true;
        }
    }
    return false;
}

static void result(const char *name, const char *what, uint32_t value, const char *unit)
{
    semihost_print(name);
    semihost_result(what, value, unit);
}

static void measure(const struct bench *bench, struct cost empty)
{
    if (bench->prepare)
        bench->prepare();
    struct cost cost = cost_of(bench->run);
    result(bench->name, ".instructions", instructions(above(cost.ticks, empty.ticks)), "instructions");
    result(bench->name, ".stack", above(cost.stack, empty.stack), "B");
    if (!all_held && !failed)
        failed = bench->name;
}

int main(void)
{
    TIMER_RELOAD = UINT32_MAX;
    TIMER_VALUE = UINT32_MAX;
    TIMER_CONTROL = 1;
    if (!calibrate()) {
        semihost_print("error: time does not follow instructions; run with -icount shift=0\n");
        return 2;
    }
    struct cost empty = cost_of(nothing);
    for (const struct bench *bench = benches; bench->name; bench++)
        measure(bench, empty);
    if (failed) {
        semihost_print("error: wrong result in ");
        semihost_print(failed);
        semihost_print("\n");
    }
    return failed ? 1 : 0;
}
