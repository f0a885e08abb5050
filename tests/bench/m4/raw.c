/* The primitives alone, each checked by a published answer: SHA-256 and HMAC of FIPS 180-2 and RFC 4231, AES of FIPS 197,
   X25519 of RFC 7748, 2G of P-256. Sealed records are opened again. */
#include "bench.h"

#include <stddef.h>
#include <string.h>

void raw_sha256_block(uint32_t state[8], const uint8_t block[64]);
void raw_sha256(const uint8_t *data, size_t len, uint8_t out[32]);
bool raw_hmac(const uint8_t key[32], const uint8_t *data, size_t len, uint8_t out[32]);
void raw_aes128(const uint8_t key[16], uint8_t block[16]);
bool raw_ccm_seal(const uint8_t key[16], const uint8_t nonce[13], const uint8_t header[3], uint8_t text[64], uint8_t tag[8]);
bool raw_ccm_open(const uint8_t key[16], const uint8_t nonce[13], const uint8_t header[3], uint8_t text[64], const uint8_t tag[8]);
bool raw_chacha_seal(const uint8_t key[32], const uint8_t nonce[12], const uint8_t header[3], uint8_t text[64], uint8_t tag[16]);
bool raw_chacha_open(const uint8_t key[32], const uint8_t nonce[12], const uint8_t header[3], uint8_t text[64],
                     const uint8_t tag[16]);
void raw_x25519(const uint8_t scalar[32], const uint8_t point[32], uint8_t out[32]);
bool raw_p256(const uint8_t scalar[32], uint8_t out[32]);

static const uint8_t key[32], nonce[13], header[3];
static const uint8_t plain[64] = "what do ya want for nothing?";
static uint8_t text[64], tag[16];

static void expect_starts(const uint8_t *got, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t want[4] = { a, b, c, d };
    bench_expect(memcmp(got, want, 4) == 0);
}

static void sha256_block(void)
{
    uint32_t state[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    static const uint8_t abc[64] = { 'a', 'b', 'c', 0x80, [63] = 24 };
    raw_sha256_block(state, abc);
    bench_expect(state[0] == 0xba7816bf);
}

static void sha256(void)
{
    uint8_t out[32];
    raw_sha256((const uint8_t *)"abc", 3, out);
    expect_starts(out, 0xba, 0x78, 0x16, 0xbf);
}

static void hmac(void)
{
    static const uint8_t jefe[32] = "Jefe"; /* HMAC fills keys up with zeros anyway */
    uint8_t out[32];
    bench_expect(raw_hmac(jefe, plain, 28, out));
    expect_starts(out, 0x5b, 0xdc, 0xc1, 0x46);
}

static void aes128(void)
{
    uint8_t count[16], block[16];
    for (uint8_t i = 0; i < 16; i++) {
        count[i] = i;
        block[i] = (uint8_t)(i << 4 | i);
    }
    raw_aes128(count, block);
    expect_starts(block, 0x69, 0xc4, 0xe0, 0xd8);
}

static void fresh(void) { memcpy(text, plain, sizeof text); }
static void ccm_seal(void) { bench_expect(raw_ccm_seal(key, nonce, header, text, tag)); }
static void ccm_open(void) { bench_expect(raw_ccm_open(key, nonce, header, text, tag)); }
static void chacha_seal(void) { bench_expect(raw_chacha_seal(key, nonce, header, text, tag)); }
static void chacha_open(void) { bench_expect(raw_chacha_open(key, nonce, header, text, tag)); }

static void x25519(void)
{
    static const uint8_t alice[32] = { 0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
                                       0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a };
    static const uint8_t base[32] = { 9 };
    uint8_t out[32];
    raw_x25519(alice, base, out);
    expect_starts(out, 0x85, 0x20, 0xf0, 0x09);
}

static void p256(void)
{
    static const uint8_t two[32] = { [31] = 2 };
    uint8_t out[32];
    bench_expect(raw_p256(two, out));
    expect_starts(out, 0x7c, 0xf2, 0x7b, 0x18);
}

const struct bench benches[] = {
    { "raw.sha256.block", sha256_block, 0 },
    { "raw.sha256.short", sha256, 0 },
    { "raw.hmac.28", hmac, 0 },
    { "raw.aes128", aes128, 0 },
    { "raw.ccm.seal64", ccm_seal, fresh },
    { "raw.ccm.open64", ccm_open, 0 },
    { "raw.chacha.seal64", chacha_seal, fresh },
    { "raw.chacha.open64", chacha_open, 0 },
    { "raw.x25519", x25519, 0 },
    { "raw.p256", p256, 0 },
    { 0 },
};
