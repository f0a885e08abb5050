/* mbedTLS: a DTLS 1.2 PSK handshake, both sides in memory, without a cookie. */
#include "peer.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <string.h>

/* Datagrams on their way to one side. */
typedef struct {
    unsigned char bytes[16][512];
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

static void configure(mbedtls_ssl_config *conf, int endpoint)
{
    static const int suites[] = {MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, 0};
    static const int hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_NONE}; /* unused, but offered */
    mbedtls_ssl_config_init(conf);
    peer_check(mbedtls_ssl_config_defaults(conf, endpoint, MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT) == 0,
               "mbedtls_ssl_config_defaults");
    mbedtls_ssl_conf_rng(conf, mbedtls_ctr_drbg_random, &drbg);
    mbedtls_ssl_conf_ciphersuites(conf, suites);
    mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_sig_hashes(conf, hashes);
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

int main(void)
{
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    peer_check(mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0) == 0, "mbedtls_ctr_drbg_seed");
    configure(&client_conf, MBEDTLS_SSL_IS_CLIENT);
    configure(&server_conf, MBEDTLS_SSL_IS_SERVER);
    int status = peer_serve(handshake);
    mbedtls_ssl_config_free(&client_conf);
    mbedtls_ssl_config_free(&server_conf);
    mbedtls_ctr_drbg_free(&drbg);
    mbedtls_entropy_free(&entropy);
    return status;
}
