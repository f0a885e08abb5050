/* mbedTLS: a DTLS 1.2 handshake, both sides in memory, without a cookie.
 *
 *     mbedtls dtls12_psk              a shared key alone
 *     mbedtls dtls12_dhe_psk          a shared key and Diffie-Hellman in the 2048-bit group of RFC 7919
 *     mbedtls dtls12_ecdhe_ecdsa      certificates of P-256 on both sides, and Diffie-Hellman on that curve */
#include "peer.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/dhm.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <string.h>

/* Datagrams on their way to one side. */
typedef struct {
    unsigned char bytes[16][1024];
    size_t length[16], first, next, total;
} queue;

typedef struct {
    mbedtls_ssl_context ssl;
    queue *in, *out;
    int timer; /* only whether it runs: nothing is lost here, so it never ends */
} side;

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;
static mbedtls_ssl_config client_conf, server_conf;

static int send_datagram(void *ctx, const unsigned char *bytes, size_t length)
{
    queue *q = ((side *)ctx)->out;
    peer_check(q->next < 16 && length <= sizeof q->bytes[0], "send");
    memcpy(q->bytes[q->next], bytes, length);
    q->length[q->next++] = length;
    q->total += length;
    return (int)length;
}

static int receive_datagram(void *ctx, unsigned char *bytes, size_t max)
{
    queue *q = ((side *)ctx)->in;
    if (q->first == q->next)
        return MBEDTLS_ERR_SSL_WANT_READ;
    size_t length = q->length[q->first];
    peer_check(length <= max, "receive");
    memcpy(bytes, q->bytes[q->first++], length);
    return (int)length;
}

static void set_timer(void *ctx, uint32_t intermediate, uint32_t final)
{
    (void)intermediate;
    ((side *)ctx)->timer = final != 0;
}

static int get_timer(void *ctx)
{
    return ((side *)ctx)->timer ? 0 : -1;
}

/* A certificate that signs itself, and is all that its owner trusts: each side has the other's. */
static void certificate(mbedtls_x509_crt *cert, mbedtls_pk_context *key)
{
    static unsigned char der[1024];
    mbedtls_x509write_cert write;
    mbedtls_mpi serial;
    mbedtls_pk_init(key);
    mbedtls_x509_crt_init(cert);
    mbedtls_x509write_crt_init(&write);
    mbedtls_mpi_init(&serial);
    peer_check(mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0 &&
                   mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(*key), mbedtls_ctr_drbg_random, &drbg) == 0 &&
                   mbedtls_mpi_lset(&serial, 1) == 0,
               "mbedtls_ecp_gen_key");
    mbedtls_x509write_crt_set_subject_key(&write, key);
    mbedtls_x509write_crt_set_issuer_key(&write, key);
    mbedtls_x509write_crt_set_md_alg(&write, MBEDTLS_MD_SHA256);
    peer_check(mbedtls_x509write_crt_set_subject_name(&write, "CN=" PEER_IDENTITY) == 0 &&
                   mbedtls_x509write_crt_set_issuer_name(&write, "CN=" PEER_IDENTITY) == 0 &&
                   mbedtls_x509write_crt_set_serial(&write, &serial) == 0 &&
                   mbedtls_x509write_crt_set_validity(&write, "20200101000000", "20991231235959") == 0,
               "mbedtls_x509write_crt");
    int len = mbedtls_x509write_crt_der(&write, der, sizeof der, mbedtls_ctr_drbg_random, &drbg);
    peer_check(len > 0 && mbedtls_x509_crt_parse_der(cert, der + sizeof der - len, (size_t)len) == 0, "mbedtls_x509_crt_parse_der");
    mbedtls_mpi_free(&serial);
    mbedtls_x509write_crt_free(&write);
}

static void certify(mbedtls_ssl_config *conf, mbedtls_pk_context *key, mbedtls_x509_crt *own, mbedtls_x509_crt *other)
{
    peer_check(mbedtls_ssl_conf_own_cert(conf, own, key) == 0, "mbedtls_ssl_conf_own_cert");
    mbedtls_ssl_conf_ca_chain(conf, other, NULL);
    mbedtls_ssl_conf_authmode(conf, MBEDTLS_SSL_VERIFY_REQUIRED);
}

static void configure(mbedtls_ssl_config *conf, int endpoint, const int *suites)
{
    static const int hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_NONE}; /* without certificates: unused, but offered */
    static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_NONE};
    static const unsigned char p[] = MBEDTLS_DHM_RFC7919_FFDHE2048_P_BIN, g[] = MBEDTLS_DHM_RFC7919_FFDHE2048_G_BIN;
    mbedtls_ssl_config_init(conf);
    peer_check(mbedtls_ssl_config_defaults(conf, endpoint, MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT) == 0,
               "mbedtls_ssl_config_defaults");
    mbedtls_ssl_conf_rng(conf, mbedtls_ctr_drbg_random, &drbg);
    mbedtls_ssl_conf_ciphersuites(conf, suites);
    mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_sig_hashes(conf, hashes);
    mbedtls_ssl_conf_curves(conf, curves);
    if (endpoint == MBEDTLS_SSL_IS_SERVER)
        peer_check(mbedtls_ssl_conf_dh_param_bin(conf, p, sizeof p, g, sizeof g) == 0, "mbedtls_ssl_conf_dh_param_bin");
    mbedtls_ssl_conf_encrypt_then_mac(conf, MBEDTLS_SSL_ETM_DISABLED);
    mbedtls_ssl_conf_session_tickets(conf, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    mbedtls_ssl_conf_dtls_cookies(conf, NULL, NULL, NULL);
    peer_check(mbedtls_ssl_conf_psk(conf, PEER_PSK, sizeof PEER_PSK, (const unsigned char *)PEER_IDENTITY,
                                    sizeof PEER_IDENTITY - 1) == 0,
               "mbedtls_ssl_conf_psk");
}

static void open_side(side *s, const mbedtls_ssl_config *conf, queue *in, queue *out)
{
    mbedtls_ssl_init(&s->ssl);
    peer_check(mbedtls_ssl_setup(&s->ssl, conf) == 0, "mbedtls_ssl_setup");
    s->in = in;
    s->out = out;
    s->timer = 0;
    mbedtls_ssl_set_bio(&s->ssl, s, send_datagram, receive_datagram, NULL);
    mbedtls_ssl_set_timer_cb(&s->ssl, s, set_timer, get_timer);
}

static int step(side *s)
{
    int r = mbedtls_ssl_handshake(&s->ssl);
    peer_check(r == 0 || r == MBEDTLS_ERR_SSL_WANT_READ, "mbedtls_ssl_handshake");
    return r == 0;
}

static size_t handshake(void)
{
    static queue up, down;
    static side client, server;
    up.first = up.next = up.total = 0;
    down.first = down.next = down.total = 0;
    open_side(&client, &client_conf, &down, &up);
    open_side(&server, &server_conf, &up, &down);
    for (int done = 0, turns = 0; done != 3; turns++) {
        peer_check(turns < 10, "handshake");
        done = step(&client) | step(&server) << 1;
    }
    mbedtls_ssl_free(&client.ssl);
    mbedtls_ssl_free(&server.ssl);
    return up.total + down.total;
}

int main(int argc, char **argv)
{
    static int suites[] = {MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, 0};
    static mbedtls_pk_context key[2];
    static mbedtls_x509_crt cert[2];
    const char *kind = argc == 2 ? argv[1] : "";
    int certified = strcmp(kind, "dtls12_ecdhe_ecdsa") == 0;
    if (certified)
        suites[0] = MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8;
    else if (strcmp(kind, "dtls12_dhe_psk") == 0)
        suites[0] = MBEDTLS_TLS_DHE_PSK_WITH_AES_128_CCM_8;
    else
        peer_check(strcmp(kind, "dtls12_psk") == 0, "a kind of handshake");
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    peer_check(mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0) == 0, "mbedtls_ctr_drbg_seed");
    configure(&client_conf, MBEDTLS_SSL_IS_CLIENT, suites);
    configure(&server_conf, MBEDTLS_SSL_IS_SERVER, suites);
    if (certified) {
        certificate(&cert[0], &key[0]);
        certificate(&cert[1], &key[1]);
        certify(&client_conf, &key[0], &cert[0], &cert[1]);
        certify(&server_conf, &key[1], &cert[1], &cert[0]);
    }
    int status = peer_serve(handshake);
    mbedtls_ssl_config_free(&client_conf);
    mbedtls_ssl_config_free(&server_conf);
    for (int i = 0; i < 2 && certified; i++) {
        mbedtls_x509_crt_free(&cert[i]);
        mbedtls_pk_free(&key[i]);
    }
    mbedtls_ctr_drbg_free(&drbg);
    mbedtls_entropy_free(&entropy);
    return status;
}
