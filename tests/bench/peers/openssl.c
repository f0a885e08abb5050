/* OpenSSL: a DTLS 1.2 PSK handshake, both sides in memory. No session cache, no tickets, no cookie: the shortest it can do. */
#include "peer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
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

static SSL_CTX *context(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    peer_check(ctx != NULL, "SSL_CTX_new");
    peer_check(SSL_CTX_set_min_proto_version(ctx, DTLS1_2_VERSION), "SSL_CTX_set_min_proto_version");
    SSL_CTX_set_security_level(ctx, 0); /* above it an 8-byte tag is refused */
    peer_check(SSL_CTX_set_cipher_list(ctx, "PSK-AES128-CCM8"), "SSL_CTX_set_cipher_list");
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_ENCRYPT_THEN_MAC | SSL_OP_NO_QUERY_MTU);
    peer_check(SSL_CTX_set1_sigalgs_list(ctx, "ECDSA+SHA256"), "SSL_CTX_set1_sigalgs_list"); /* unused, but offered */
    return ctx;
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

int main(void)
{
    client_ctx = context(DTLS_client_method());
    server_ctx = context(DTLS_server_method());
    SSL_CTX_set_psk_client_callback(client_ctx, client_psk);
    SSL_CTX_set_psk_server_callback(server_ctx, server_psk);
    int status = peer_serve(handshake);
    SSL_CTX_free(client_ctx);
    SSL_CTX_free(server_ctx);
    return status;
}
