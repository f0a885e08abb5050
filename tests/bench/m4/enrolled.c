#include "enrolled.h"
#include "bench.h"

#include <string.h>

size_t enrolled_ask(struct enrolled *enrolled, const char *name, const iotkm_credential_operator *office, const iotkm_kem *kem,
                    uint8_t request[IOTKM_CREDENTIAL_REQUEST_MAX])
{
    struct side *side = &enrolled->side;
    size_t length = 0;
    memset(enrolled, 0, sizeof *enrolled);
    side_init(side, 0);
    side->platform.public_key = iotkm_static_key_public_key;
    side->platform.agree = iotkm_static_key_agree;
    side->platform.step = iotkm_static_key_step;
    side->platform.keys_ctx = &enrolled->key;
    bench_expect(iotkm_holder_init(&enrolled->holder, office, name, enrolled->purse, sizeof enrolled->purse) == IOTKM_OK);
    bench_expect(iotkm_static_key_generate(&enrolled->half, &side->cx, 0, kem) == IOTKM_OK);
    bench_expect(iotkm_credential_request(&enrolled->half, name, request, IOTKM_CREDENTIAL_REQUEST_MAX, &length) == IOTKM_OK);
    return length;
}

bool enrolled_accept(struct enrolled *enrolled, const uint8_t *answer, size_t length)
{
    iotkm_credential credential;
    const iotkm_cx *cx = &enrolled->side.cx;
    return iotkm_holder_accept(&enrolled->holder, cx, &enrolled->half, answer, length, CREDENTIAL_KEY, &enrolled->key, &credential)
            == IOTKM_OK
        && iotkm_holder_install(&enrolled->holder, cx, credential.bytes, credential.len) == IOTKM_OK;
}

void enrolled_open(struct enrolled *enrolled, const char *name, const char *peer, const iotkm_noninteractive_suite *suite)
{
    static const iotkm_noninteractive_setup setup = { .struct_size = sizeof setup, .key = CREDENTIAL_KEY,
                                                      .interval_s = INTERVAL_S, .length = 100 };
    const iotkm_config config = { .struct_size = sizeof config, .mtu = IOTKM_NONINTERACTIVE_MTU_SMALL };
    enrolled->side.peer_addr = (iotkm_addr) { 1, { (uint8_t)peer[0] } };
    bench_expect(iotkm_noninteractive_peer_init(&enrolled->peer, suite, 1, name, peer, NULL) == IOTKM_OK);
    bench_expect(iotkm_noninteractive_open_small(&enrolled->side.longer, &enrolled->peer, &enrolled->holder, &setup, &config,
                                                 &enrolled->memory) == IOTKM_OK);
}

int enrolled_connect(struct enrolled *enrolled)
{
    struct side *side = &enrolled->side;
    return iotkm_noninteractive_connect(&side->association, &side->cx, &side->peer_addr);
}
