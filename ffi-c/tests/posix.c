/* The POSIX port: slots that survive, one process a store, the secret, clocks, UDP. */
#define _POSIX_C_SOURCE 200809L
#include "pair.h"
#include <errno.h>
#include <fcntl.h>
#include <iotkm_posix.h>
#include <sys/stat.h>
#include <unistd.h>

static void slots(const char *folder) {
    iotkm_posix_store store, second;
    uint8_t in[64], out[64], one[32], two[32];
    char path[512];
    struct stat status;
    size_t len = 7;
    int fd;

    OK(iotkm_posix_store_open(&store, folder));
    CHECK(stat(folder, &status) == 0 && (status.st_mode & 0777) == 0700);
    CHECK(iotkm_posix_store_open(&second, folder) == -1 && errno == EWOULDBLOCK);
    CHECK(iotkm_posix_store_read(&store, 3, out, sizeof out, &len) == IOTKM_STORE_EMPTY && len == 7);
    OK(iotkm_posix_store_erase(&store, 3));
    memset(in, 1, sizeof in);
    OK(iotkm_posix_store_write(&store, 3, in, 64));
    memset(in, 2, sizeof in);
    OK(iotkm_posix_store_write(&store, 3, in, 10));
    OK(iotkm_posix_store_read(&store, 3, out, sizeof out, &len));
    CHECK(len == 10 && memcmp(in, out, 10) == 0);
    OK(iotkm_posix_store_read(&store, 3, out, 10, &len));
    CHECK(iotkm_posix_store_read(&store, 3, out, 9, &len) == -1 && errno == EFBIG);

    /* Power fails in the middle of a write: half a new file lies about. */
    snprintf(path, sizeof path, "%s/slot-3.new", folder);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0 && write(fd, "half of something longer", 24) == 24 && close(fd) == 0);
    OK(iotkm_posix_store_read(&store, 3, out, sizeof out, &len));
    CHECK(len == 10 && memcmp(in, out, 10) == 0);
    memset(in, 3, sizeof in);
    OK(iotkm_posix_store_write(&store, 3, in, 5));
    OK(iotkm_posix_store_read(&store, 3, out, sizeof out, &len));
    CHECK(len == 5 && memcmp(in, out, 5) == 0);

    /* A write that cannot be done leaves the old bytes. */
    snprintf(path, sizeof path, "%s/slot-3.new", folder);
    CHECK(mkdir(path, 0700) == 0);
    CHECK(iotkm_posix_store_write(&store, 3, in, 64) == -1);
    OK(iotkm_posix_store_read(&store, 3, out, sizeof out, &len));
    CHECK(len == 5 && rmdir(path) == 0);

    OK(iotkm_posix_secret(&store, one));
    iotkm_posix_store_close(&store);
    OK(iotkm_posix_store_open(&store, folder));
    OK(iotkm_posix_secret(&store, two));
    CHECK(memcmp(one, two, 32) == 0);
    OK(iotkm_posix_store_read(&store, 3, out, sizeof out, &len));
    OK(iotkm_posix_store_erase(&store, 3));
    CHECK(iotkm_posix_store_read(&store, 3, out, sizeof out, &len) == IOTKM_STORE_EMPTY);
    iotkm_posix_store_close(&store);
    CHECK(iotkm_posix_store_open(&store, "/nowhere/at/all") == -1 && errno == ENOENT);
}

static void network(const char *host) {
    iotkm_posix_udp a, b;
    iotkm_addr to_b, from, nobody;
    uint8_t bytes[16];
    size_t len = 0;
    uint64_t before = iotkm_posix_now_ms();

    if (iotkm_posix_udp_open(&a, host, "47110") != 0) {
        printf("no %s here\n", host);
        return;
    }
    OK(iotkm_posix_udp_open(&b, host, "47111"));
    CHECK(iotkm_posix_udp_open(&b, host, "47111") == -1 && errno == EADDRINUSE);
    OK(iotkm_posix_udp_addr(&to_b, host, "47111"));
    OK(iotkm_posix_udp_send(&a, &to_b, (const uint8_t *)"hello", 5));
    CHECK(iotkm_posix_udp_wait(&b, IOTKM_NEVER, bytes, sizeof bytes, &len, &from) == 1);
    CHECK(len == 5 && memcmp(bytes, "hello", 5) == 0);
    OK(iotkm_posix_udp_send(&b, &from, (const uint8_t *)"", 0));
    CHECK(iotkm_posix_udp_wait(&a, IOTKM_NEVER, bytes, sizeof bytes, &len, &from) == 1 && len == 0);
    CHECK(from.len == to_b.len && memcmp(from.bytes, to_b.bytes, from.len) == 0);
    CHECK(iotkm_posix_udp_wait(&a, before + 30, bytes, sizeof bytes, &len, &from) == 0);
    CHECK(iotkm_posix_now_ms() >= before + 29);
    CHECK(iotkm_posix_udp_wait(&a, 0, bytes, sizeof bytes, &len, &from) == 0);
    memset(&nobody, 0, sizeof nobody);
    CHECK(iotkm_posix_udp_send(&a, &nobody, bytes, 1) == -1 && errno == EINVAL);
    iotkm_posix_udp_close(&a);
    iotkm_posix_udp_close(&b);
    CHECK(iotkm_posix_udp_addr(&to_b, "no such host.invalid", "1") == -1);
}

int main(int count, char **arguments) {
    uint8_t one[40] = {0}, two[40] = {0};
    char folder[400];
    CHECK(count == 2);
    snprintf(folder, sizeof folder, "%s/store-%ld", arguments[1], (long)getpid());
    slots(folder);
    OK(iotkm_posix_random(NULL, one, sizeof one));
    OK(iotkm_posix_random(NULL, two, sizeof two));
    CHECK(memcmp(one, two, sizeof one) != 0);
    CHECK(iotkm_posix_wall_ms() > UINT64_C(1704067200000));
    network("127.0.0.1");
    network("::1");
    return 0;
}
