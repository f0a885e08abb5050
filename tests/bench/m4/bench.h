/* A measuring image is main.c, the board support, and one file that fills in `benches` (an empty list is the baseline that
   sizes are taken against). Each entry is run once from a painted stack and gives the lines
       NAME.instructions N instructions
       NAME.stack N B
   The image ends with 0 only if every expectation held. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

struct bench {
    const char *name;
    void (*run)(void);
    void (*prepare)(void); /* may be null: what must happen before, but does not count */
};

/* Ends with an entry whose name is null. */
extern const struct bench benches[];

/* For use inside run and prepare: a wrong result makes the whole image fail, so that no figure stands for broken code. */
void bench_expect(bool holds);

/* For use inside run: calls `other`, what counts as nobody's (the other side's turn, say). */
void bench_aside(void (*other)(void));

#endif
