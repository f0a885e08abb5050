#define _DEFAULT_SOURCE /* flock */
#define _DARWIN_C_SOURCE
#define _POSIX_C_SOURCE 200809L

#include "iotkm_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/random.h>
#endif

static int fails(int error) {
    errno = error;
    return -1;
}

/* Closes after a failure, whose errno stays. */
static int close_failed(int fd) {
    int error = errno;
    if (fd >= 0) close(fd);
    return fails(error);
}

/* Up to `capacity` bytes; how many, or -1. */
static ssize_t read_all(int fd, uint8_t *out, size_t capacity) {
    size_t len = 0;
    while (len < capacity) {
        ssize_t got = read(fd, out + len, capacity - len);
        if (got == 0) break;
        if (got < 0 && errno != EINTR) return -1;
        if (got > 0) len += (size_t)got;
    }
    return (ssize_t)len;
}

static int write_all(int fd, const uint8_t *bytes, size_t len) {
    while (len > 0) {
        ssize_t put = write(fd, bytes, len);
        if (put < 0 && errno != EINTR) return -1;
        if (put > 0) bytes += put, len -= (size_t)put;
    }
    return 0;
}

/* ---- randomness ---- */

int iotkm_posix_random(void *ctx, uint8_t *out, size_t len) {
    int fd;
    ssize_t got;
    (void)ctx;
#ifdef __linux__
    while (len > 0) {
        got = getrandom(out, len, 0);
        if (got < 0 && errno == ENOSYS) break; /* Linux before 3.17 */
        if (got < 0 && errno != EINTR) return -1;
        if (got > 0) out += got, len -= (size_t)got;
    }
#endif
    if (len == 0) return 0;
    fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    got = read_all(fd, out, len);
    if (got < 0) return close_failed(fd);
    close(fd);
    return (size_t)got == len ? 0 : fails(EIO);
}

/* ---- slots ---- */

int iotkm_posix_store_open(iotkm_posix_store *store, const char *directory) {
    int dir;
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) return -1;
    dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || flock(dir, LOCK_EX | LOCK_NB) != 0) return close_failed(dir);
    store->dir = dir;
    return 0;
}

void iotkm_posix_store_close(iotkm_posix_store *store) {
    close(store->dir);
    store->dir = -1;
}

/* 0, -1, or IOTKM_STORE_EMPTY. */
static int read_file(int dir, const char *name, uint8_t *out, size_t capacity, size_t *len) {
    uint8_t more;
    ssize_t got;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return errno == ENOENT ? IOTKM_STORE_EMPTY : -1;
    got = read_all(fd, out, capacity);
    if (got < 0) return close_failed(fd);
    if ((size_t)got == capacity && read_all(fd, &more, 1) != 0) {
        errno = EFBIG;
        return close_failed(fd);
    }
    close(fd);
    *len = (size_t)got;
    return 0;
}

static int write_file(int dir, const char *name, const uint8_t *bytes, size_t len) {
    char fresh[32];
    int fd;
    snprintf(fresh, sizeof fresh, "%s.new", name);
    fd = openat(dir, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return -1;
    if (write_all(fd, bytes, len) != 0 || fsync(fd) != 0) return close_failed(fd);
    if (close(fd) != 0) return -1;
    if (renameat(dir, fresh, dir, name) != 0) return -1;
    return fsync(dir);
}

static void slot_name(char name[16], uint16_t slot) { snprintf(name, 16, "slot-%u", (unsigned)slot); }

int iotkm_posix_store_read(void *ctx, uint16_t slot, uint8_t *out, size_t capacity, size_t *len) {
    char name[16];
    slot_name(name, slot);
    return read_file(((iotkm_posix_store *)ctx)->dir, name, out, capacity, len);
}

int iotkm_posix_store_write(void *ctx, uint16_t slot, const uint8_t *bytes, size_t len) {
    char name[16];
    slot_name(name, slot);
    return write_file(((iotkm_posix_store *)ctx)->dir, name, bytes, len);
}

int iotkm_posix_store_erase(void *ctx, uint16_t slot) {
    iotkm_posix_store *store = (iotkm_posix_store *)ctx;
    char name[16];
    slot_name(name, slot);
    if (unlinkat(store->dir, name, 0) != 0 && errno != ENOENT) return -1;
    return fsync(store->dir);
}

int iotkm_posix_secret(iotkm_posix_store *store, uint8_t secret[32]) {
    size_t len;
    int status = read_file(store->dir, "secret", secret, 32, &len);
    if (status == 0) return len == 32 ? 0 : fails(EINVAL);
    if (status != IOTKM_STORE_EMPTY || iotkm_posix_random(NULL, secret, 32) != 0) return -1;
    return write_file(store->dir, "secret", secret, 32);
}

/* ---- clocks ---- */

static uint64_t clock_ms(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t) != 0) return 0;
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t iotkm_posix_now_ms(void) { return clock_ms(CLOCK_MONOTONIC); }

uint64_t iotkm_posix_wall_ms(void) {
    uint64_t ms = clock_ms(CLOCK_REALTIME);
    return ms < UINT64_C(1704067200000) ? 0 : ms;
}

/* ---- UDP ---- */

static int to_addr(iotkm_addr *addr, const struct sockaddr_storage *from) {
    memset(addr, 0, sizeof *addr);
    if (from->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof in);
        memcpy(addr->bytes, &in.sin_addr, 4);
        memcpy(addr->bytes + 4, &in.sin_port, 2);
        addr->len = 6;
        return 0;
    }
    if (from->ss_family == AF_INET6) {
        struct sockaddr_in6 in;
        uint32_t scope;
        memcpy(&in, from, sizeof in);
        scope = in.sin6_scope_id;
        memcpy(addr->bytes, &in.sin6_addr, 16);
        memcpy(addr->bytes + 16, &in.sin6_port, 2);
        memcpy(addr->bytes + 18, &scope, 4);
        addr->len = 22;
        return 0;
    }
    return fails(EAFNOSUPPORT);
}

static socklen_t from_addr(struct sockaddr_storage *to, const iotkm_addr *addr) {
    memset(to, 0, sizeof *to);
    if (addr->len == 6) {
        struct sockaddr_in in;
        memset(&in, 0, sizeof in);
        in.sin_family = AF_INET;
        memcpy(&in.sin_addr, addr->bytes, 4);
        memcpy(&in.sin_port, addr->bytes + 4, 2);
        memcpy(to, &in, sizeof in);
        return sizeof in;
    }
    if (addr->len == 22) {
        struct sockaddr_in6 in;
        uint32_t scope;
        memset(&in, 0, sizeof in);
        in.sin6_family = AF_INET6;
        memcpy(&in.sin6_addr, addr->bytes, 16);
        memcpy(&in.sin6_port, addr->bytes + 16, 2);
        memcpy(&scope, addr->bytes + 18, 4);
        in.sin6_scope_id = scope;
        memcpy(to, &in, sizeof in);
        return sizeof in;
    }
    return 0;
}

static int resolve(struct addrinfo **found, const char *host, const char *port, int flags) {
    struct addrinfo hints;
    int status;
    memset(&hints, 0, sizeof hints);
    hints.ai_socktype = SOCK_DGRAM;
    hints.ai_flags = flags;
    status = getaddrinfo(host, port, &hints, found);
    if (status == 0) return 0;
    return status == EAI_SYSTEM ? -1 : fails(EHOSTUNREACH);
}

int iotkm_posix_udp_open(iotkm_posix_udp *udp, const char *host, const char *port) {
    struct addrinfo *found;
    int fd;
    if (resolve(&found, host, port, AI_PASSIVE) != 0) return -1;
    fd = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
    if (fd >= 0 && (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0)) {
        close_failed(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    if (fd < 0) return -1;
    udp->fd = fd;
    return 0;
}

void iotkm_posix_udp_close(iotkm_posix_udp *udp) {
    close(udp->fd);
    udp->fd = -1;
}

int iotkm_posix_udp_addr(iotkm_addr *addr, const char *host, const char *port) {
    struct addrinfo *found;
    struct sockaddr_storage first;
    if (resolve(&found, host, port, 0) != 0) return -1;
    memset(&first, 0, sizeof first);
    memcpy(&first, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return to_addr(addr, &first);
}

int iotkm_posix_udp_send(void *ctx, const iotkm_addr *addr, const uint8_t *bytes, size_t len) {
    struct sockaddr_storage to;
    socklen_t to_len = from_addr(&to, addr);
    if (to_len == 0) return fails(EINVAL);
    if (sendto(((iotkm_posix_udp *)ctx)->fd, bytes, len, 0, (struct sockaddr *)&to, to_len) >= 0) return 0;
    /* What the network does to a datagram is not the sender's failure: it is sent again in time. */
    return errno == EBADF || errno == ENOTSOCK || errno == EMSGSIZE ? -1 : 0;
}

int iotkm_posix_udp_wait(iotkm_posix_udp *udp, uint64_t wake_at_ms, uint8_t *bytes, size_t capacity, size_t *len, iotkm_addr *from) {
    struct sockaddr_storage sender;
    socklen_t sender_len = sizeof sender;
    struct pollfd wait;
    ssize_t got;
    uint64_t now = iotkm_posix_now_ms(), left = wake_at_ms > now ? wake_at_ms - now : 0;
    int timeout = wake_at_ms == IOTKM_NEVER ? -1 : left > 60000 ? 60000 : (int)left, ready;
    wait.fd = udp->fd;
    wait.events = POLLIN;
    ready = poll(&wait, 1, timeout);
    if (ready <= 0) return ready;
    memset(&sender, 0, sizeof sender);
    got = recvfrom(udp->fd, bytes, capacity, 0, (struct sockaddr *)&sender, &sender_len);
    if (got < 0) return errno == ECONNREFUSED ? 0 : -1; /* an answer to an earlier send */
    if (to_addr(from, &sender) != 0) return -1;
    *len = (size_t)got;
    return 1;
}

/* ---- all of it ---- */

void iotkm_posix_platform(iotkm_platform *platform, iotkm_posix_store *store, iotkm_posix_udp *udp, const uint8_t secret[32]) {
    memset(platform, 0, sizeof *platform);
    platform->struct_size = sizeof *platform;
    platform->device_secret = secret;
    platform->random = iotkm_posix_random;
    if (store) {
        platform->store_read = iotkm_posix_store_read;
        platform->store_write = iotkm_posix_store_write;
        platform->store_erase = iotkm_posix_store_erase;
        platform->store_ctx = store;
    }
    if (udp) {
        platform->send = iotkm_posix_udp_send;
        platform->send_ctx = udp;
    }
}
