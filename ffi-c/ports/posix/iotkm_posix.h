/* What iotkm asks of its platform, on Linux, macOS and the BSDs: randomness, slots in a directory, clocks, UDP.
 *
 *     iotkm_posix_store store;
 *     iotkm_posix_udp udp;
 *     uint8_t secret[32];
 *     iotkm_platform platform;
 *
 *     iotkm_posix_store_open(&store, "/var/lib/device");
 *     iotkm_posix_secret(&store, secret);
 *     iotkm_posix_udp_open(&udp, "::", "4711");
 *     iotkm_posix_platform(&platform, &store, &udp, secret);
 *
 * Functions return 0, or -1 with errno set, unless they say otherwise. */
#ifndef IOTKM_POSIX_H
#define IOTKM_POSIX_H

#include <iotkm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A directory with one file a slot. One process at a time: a second one would be a clone. */
typedef struct {
    int dir;
} iotkm_posix_store;

/* A UDP socket. */
typedef struct {
    int fd;
} iotkm_posix_udp;

/* ---- randomness: `random` ---- */

/* The operating system's, which waits at boot until it is good. The context is not used. */
int iotkm_posix_random(void *ctx, uint8_t *out, size_t len);

/* ---- slots: `store_read`, `store_write`, `store_erase`, with a store as their context ---- */

/* Opens the directory, making it (mode 700) where it is not there. EWOULDBLOCK: another process has it open. */
int iotkm_posix_store_open(iotkm_posix_store *store, const char *directory);
void iotkm_posix_store_close(iotkm_posix_store *store);

/* `out` and `*len` are written only for 0. IOTKM_STORE_EMPTY: nothing there. EFBIG: more than `capacity` bytes. */
int iotkm_posix_store_read(void *store, uint16_t slot, uint8_t *out, size_t capacity, size_t *len);

/* A new file, synced, renamed over the old one, and the directory synced: the slot has its old bytes or the new ones, whole,
 * whenever the power fails; after 0 the new ones. */
int iotkm_posix_store_write(void *store, uint16_t slot, const uint8_t *bytes, size_t len);

/* After 0 the slot is empty, for good. */
int iotkm_posix_store_erase(void *store, uint16_t slot);

/* The device's secret, drawn at the first call and kept in the store's directory. Where there is a secure element or a key
 * ring, have that keep it. */
int iotkm_posix_secret(iotkm_posix_store *store, uint8_t secret[32]);

/* ---- clocks: for iotkm_cx ---- */

/* Monotonic, in ms. */
uint64_t iotkm_posix_now_ms(void);

/* Since 1970 in ms; 0 where the clock was never set (it says a year before 2024). */
uint64_t iotkm_posix_wall_ms(void);

/* ---- UDP: `send`, with a socket as its context. Addresses are 4 or 16 bytes, port, and the scope of IPv6 ---- */

/* Opens a socket at this host's address and port, as getaddrinfo() takes them; NULL: any. */
int iotkm_posix_udp_open(iotkm_posix_udp *udp, const char *host, const char *port);
void iotkm_posix_udp_close(iotkm_posix_udp *udp);

/* The first UDP address of a host and port. */
int iotkm_posix_udp_addr(iotkm_addr *addr, const char *host, const char *port);

/* 0 also where the datagram was lost on the way out. */
int iotkm_posix_udp_send(void *udp, const iotkm_addr *to, const uint8_t *bytes, size_t len);

/* Waits for a datagram until `wake_at_ms` on the clock of iotkm_posix_now_ms(), or IOTKM_NEVER. 1: one came, its length is in
 * `*len` and its sender in `*from`; 0: it is time; -1: errno (EINTR: a signal). */
int iotkm_posix_udp_wait(iotkm_posix_udp *udp, uint64_t wake_at_ms, uint8_t *bytes, size_t capacity, size_t *len, iotkm_addr *from);

/* ---- all of it ---- */

/* Fills in a platform. `store` or `udp` may be NULL where the program does not use them. All stay the caller's to keep. */
void iotkm_posix_platform(iotkm_platform *platform, iotkm_posix_store *store, iotkm_posix_udp *udp, const uint8_t secret[32]);

#ifdef __cplusplus
}
#endif

#endif
