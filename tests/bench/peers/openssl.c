/* OpenSSL: a DTLS 1.2 handshake, both sides in memory. No session cache, no tickets, no cookie: the shortest it can do.
 *
 *     openssl dtls12_psk              a shared key alone
 *     openssl dtls12_dhe_psk          a shared key and Diffie-Hellman in the 2048-bit group of RFC 7919
 *     openssl dtls12_ecdhe_ecdsa      certificates of P-256 on both sides, and Diffie-Hellman on that curve */
#include "peer.h"

#include <openssl/dh.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

static SSL_CTX *client_ctx, *server_ctx;

static unsigned int client_psk(SSL *ssl, const char *hint, char *identity, unsigned int max_identity, unsigned char *psk,
                               unsigned int max_psk)
{
    (void)ssl, (void)hint;
    if (max_identity < sizeof PEER_IDENTITY || max_psk < sizeof PEER_PSK)
        return 0;
    memcpy(identity, PEER_IDENTITY, sizeof PEER_IDENTITY);
    memcpy(psk, PEER_PSK, sizeof PEER_PSK);
    return sizeof PEER_PSK;
}

static unsigned int server_psk(SSL *ssl, const char *identity, unsigned char *psk, unsigned int max_psk)
{
    (void)ssl;
    if (strcmp(identity, PEER_IDENTITY) != 0 || max_psk < sizeof PEER_PSK)
        return 0;
    memcpy(psk, PEER_PSK, sizeof PEER_PSK);
    return sizeof PEER_PSK;
}

/* A certificate that signs itself, and is all that its owner trusts: each side has the other's. */
static X509 *certificate(EVP_PKEY *key)
{
    X509 *cert = X509_new();
    peer_check(cert != NULL && X509_set_version(cert, 2) && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), "X509_new");
    peer_check(X509_gmtime_adj(X509_getm_notBefore(cert), -3600) && X509_gmtime_adj(X509_getm_notAfter(cert), 86400), "dates");
    X509_NAME *name = X509_get_subject_name(cert);
    peer_check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)PEER_IDENTITY, -1, -1, 0), "name");
    peer_check(X509_set_issuer_name(cert, name) && X509_set_pubkey(cert, key) && X509_sign(cert, key, EVP_sha256()), "X509_sign");
    return cert;
}

static EVP_PKEY *ffdhe2048(void)
{
    EVP_PKEY *group = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
    peer_check(ctx != NULL && EVP_PKEY_paramgen_init(ctx) == 1 && EVP_PKEY_CTX_set_dh_nid(ctx, NID_ffdhe2048) == 1 &&
                   EVP_PKEY_paramgen(ctx, &group) == 1,
               "EVP_PKEY_paramgen");
    EVP_PKEY_CTX_free(ctx);
    return group;
}

static SSL_CTX *context(const SSL_METHOD *method, const char *ciphers)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    peer_check(ctx != NULL, "SSL_CTX_new");
    peer_check(SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION), "SSL_CTX_set_min_proto_version");
    SSL_CTX_set_security_level(ctx, 0); /* above it an 8-byte tag is refused */
    peer_check(SSL_CTX_set_cipher_list(ctx, ciphers), "SSL_CTX_set_cipher_list");
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_ENCRYPT_THEN_MAC | SSL_OP_NO_QUERY_MTU);
    peer_check(SSL_CTX_set1_sigalgs_list(ctx, "ECDSA+SHA256"), "SSL_CTX_set1_sigalgs_list"); /* without certificates: unused, but offered */
    peer_check(SSL_CTX_set1_groups_list(ctx, "P-256:ffdhe2048"), "SSL_CTX_set1_groups_list");
    peer_check(SSL_CTX_set0_tmp_dh_pkey(ctx, ffdhe2048()), "SSL_CTX_set0_tmp_dh_pkey");
    SSL_CTX_set_psk_client_callback(ctx, client_psk);
    SSL_CTX_set_psk_server_callback(ctx, server_psk);
    return ctx;
}

static void certify(SSL_CTX *ctx, EVP_PKEY *key, X509 *own, X509 *other)
{
    peer_check(SSL_CTX_use_certificate(ctx, own) && SSL_CTX_use_PrivateKey(ctx, key), "SSL_CTX_use_certificate");
    peer_check(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), other), "X509_STORE_add_cert");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static SSL *side(SSL_CTX *ctx, BIO *in, BIO *out)
{
    SSL *ssl = SSL_new(ctx);
    peer_check(ssl != NULL, "SSL_new");
    BIO_up_ref(in);
    BIO_up_ref(out);
    SSL_set_bio(ssl, in, out);
    SSL_set_mtu(ssl, 1400);
    return ssl;
}

static BIO *link_bio(void)
{
    BIO *bio = BIO_new(BIO_s_mem());
    peer_check(bio != NULL, "BIO_new");
    BIO_set_mem_eof_return(bio, -1); /* empty means: try again */
    return bio;
}

static int step(SSL *ssl)
{
    int r = SSL_do_handshake(ssl);
    if (r != 1 && SSL_get_error(ssl, r) != SSL_ERROR_WANT_READ) {
        ERR_print_errors_fp(stderr);
        peer_check(0, "SSL_do_handshake");
    }
    return r == 1;
}

static size_t handshake(void)
{
    BIO *up = link_bio(), *down = link_bio();
    SSL *client = side(client_ctx, down, up), *server = side(server_ctx, up, down);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    for (int done = 0, turns = 0; done != 3; turns++) {
        peer_check(turns < 10, "handshake");
        done = step(client) | step(server) << 1;
    }
    size_t wire = BIO_number_written(up) + BIO_number_written(down);
    SSL_free(client);
    SSL_free(server);
    BIO_free(up);
    BIO_free(down);
    return wire;
}

int main(int argc, char **argv)
{
    const char *kind = argc == 2 ? argv[1] : "", *ciphers = "PSK-AES128-CCM8";
    int certified = strcmp(kind, "dtls12_ecdhe_ecdsa") == 0;
    if (certified)
        ciphers = "ECDHE-ECDSA-AES128-CCM8";
    else if (strcmp(kind, "dtls12_dhe_psk") == 0)
        ciphers = "DHE-PSK-AES128-CCM8";
    else
        peer_check(strcmp(kind, "dtls12_psk") == 0, "a kind of handshake");
    client_ctx = context(DTLS_client_method(), ciphers);
    server_ctx = context(DTLS_server_method(), ciphers);
    if (certified) {
        EVP_PKEY *key[2] = {EVP_EC_gen("P-256"), EVP_EC_gen("P-256")};
        X509 *cert[2] = {certificate(key[0]), certificate(key[1])};
        certify(client_ctx, key[0], cert[0], cert[1]);
        certify(server_ctx, key[1], cert[1], cert[0]);
        for (int i = 0; i < 2; i++) {
            X509_free(cert[i]);
            EVP_PKEY_free(key[i]);
        }
    }
    int status = peer_serve(handshake);
    SSL_CTX_free(client_ctx);
    SSL_CTX_free(server_ctx);
    return status;
}
