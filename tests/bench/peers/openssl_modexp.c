/* OpenSSL: a power modulo 2048 bits in constant time, with an exponent of 256 bits, as one Diffie-Hellman operation in suite -21
 * is. What can be prepared is. */
#include "peer.h"

#include <openssl/bn.h>

static BIGNUM *p, *base, *exponent, *result;
static BN_CTX *ctx;
static BN_MONT_CTX *mont;

static size_t power(void)
{
    peer_check(BN_mod_exp_mont_consttime(result, base, exponent, p, ctx, mont), "BN_mod_exp_mont_consttime");
    return 0;
}

int main(void)
{
    p = BN_new(), base = BN_new(), exponent = BN_new(), result = BN_new();
    ctx = BN_CTX_new(), mont = BN_MONT_CTX_new();
    peer_check(p && base && exponent && result && ctx && mont, "allocation");
    /* Any odd modulus of that length takes as long. */
    peer_check(BN_rand(p, 2048, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD), "BN_rand");
    peer_check(BN_rand_range(base, p), "BN_rand_range");
    peer_check(BN_rand(exponent, 256, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY), "BN_rand");
    peer_check(BN_MONT_CTX_set(mont, p, ctx), "BN_MONT_CTX_set");
    BN_set_flags(exponent, BN_FLG_CONSTTIME);
    int status = peer_serve(power);
    BN_MONT_CTX_free(mont);
    BN_CTX_free(ctx);
    BN_clear_free(result), BN_clear_free(exponent), BN_free(base), BN_free(p);
    return status;
}
