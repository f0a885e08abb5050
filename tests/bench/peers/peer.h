/* What every C peer shares: the host writes a count on one line, the peer does that many handshakes and answers with the
 * nanoseconds they took and the UDP payload bytes of one. In a process of its own a peer can be run by turns with ours, and
 * alone under callgrind. */
#ifndef PEER_H
#define PEER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PEER_IDENTITY "device1"
static const unsigned char PEER_PSK[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static inline void peer_check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

static inline uint64_t peer_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* `handshake` makes both sides, lets them finish, frees them, and returns the bytes that went either way. */
static inline int peer_serve(size_t (*handshake)(void))
{
    unsigned long count;
    while (scanf("%lu", &count) == 1) {
        size_t wire = 0;
        uint64_t start = peer_now_ns();
        for (unsigned long i = 0; i < count; i++)
            wire = handshake();
        printf("%llu %zu\n", (unsigned long long)(peer_now_ns() - start), wire);
        fflush(stdout);
    }
    return 0;
}

#endif
