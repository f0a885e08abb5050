/* A secure element for tests: the key is in another process, which answers through a socket. */
#ifndef ELEMENT_H
#define ELEMENT_H

#include "pair.h"
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct element {
    int fd;
    pid_t pid;
    int answers; /* how often it says IOTKM_KEY_PENDING before it does what it is asked; below 0: what it says instead */
    unsigned agreed;
} element;

typedef struct { uint8_t agree; uint16_t key; int curve; size_t len; uint8_t share[384]; } element_request;
typedef struct { int status; uint8_t bytes[384]; } element_answer;

/* The other process: makes its keys, then answers until nobody asks any more. */
static void element_serves(int fd, const uint8_t *x25519, const uint8_t *p256) {
    iotkm_static_key keys[2];
    element_request request;
    element_answer answer;
    OK(iotkm_static_key_import(&keys[0], 1, &iotkm_x25519, x25519));
    OK(iotkm_static_key_import(&keys[1], 2, &iotkm_p256, p256));
    while (read(fd, &request, sizeof request) == (ssize_t)sizeof request) {
        iotkm_static_key *key = &keys[request.curve == IOTKM_CURVE_P256];
        memset(&answer, 0, sizeof answer);
        answer.status = request.agree
            ? iotkm_static_key_agree(key, request.key, request.curve, request.share, answer.bytes, request.len)
            : iotkm_static_key_public_key(key, request.key, request.curve, answer.bytes, request.len);
        if (write(fd, &answer, sizeof answer) != (ssize_t)sizeof answer) break;
    }
    _exit(0);
}

static int element_asks(element *e, const element_request *request, uint8_t *out) {
    element_answer answer;
    if (e->answers < 0) return e->answers;
    if (e->answers > 0) return e->answers--, IOTKM_KEY_PENDING;
    if (write(e->fd, request, sizeof *request) != (ssize_t)sizeof *request) return -1;
    if (read(e->fd, &answer, sizeof answer) != (ssize_t)sizeof answer) return -1;
    if (answer.status == 0) memcpy(out, answer.bytes, request->len);
    return answer.status;
}

static int element_public_key(void *ctx, uint16_t key, int curve, uint8_t *share, size_t len) {
    element_request request;
    memset(&request, 0, sizeof request);
    request.key = key;
    request.curve = curve;
    request.len = len;
    return element_asks((element *)ctx, &request, share);
}

static int element_agree(void *ctx, uint16_t key, int curve, const uint8_t *share, uint8_t *secret, size_t len) {
    element_request request;
    memset(&request, 0, sizeof request);
    request.agree = 1;
    request.key = key;
    request.curve = curve;
    request.len = len;
    memcpy(request.share, share, len);
    ((element *)ctx)->agreed++;
    return element_asks((element *)ctx, &request, secret);
}

/* Starts it with key 1 of X25519 and key 2 of P-256, and lets the platform ask it. */
static void element_starts(element *e, iotkm_platform *platform, const uint8_t *x25519, const uint8_t *p256) {
    int ends[2];
    memset(e, 0, sizeof *e);
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    e->pid = fork();
    CHECK(e->pid >= 0);
    if (e->pid == 0) {
        close(ends[0]);
        element_serves(ends[1], x25519, p256);
    }
    close(ends[1]);
    e->fd = ends[0];
    platform->public_key = element_public_key;
    platform->agree = element_agree;
    platform->keys_ctx = e;
}

static void element_ends(element *e) {
    int status;
    close(e->fd);
    CHECK(waitpid(e->pid, &status, 0) == e->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#endif
