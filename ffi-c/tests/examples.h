/* What the examples in iotkm.h take as given: ffi-c/tests/examples.py makes a function of each. */
#ifndef EXAMPLES_H
#define EXAMPLES_H

#include <iotkm.h>

enum { SLOT = 1 };

extern iotkm_platform platform;
extern iotkm_cx cx;
extern iotkm_association a, b, c;
extern iotkm_addr to, from;
extern iotkm_received received;
extern iotkm_output output;
extern iotkm_history_id own_id, peer_id;
extern iotkm_history_triple triple;
extern iotkm_history_peer history_peer;
extern iotkm_interactive_peer interactive_peer;
extern iotkm_interactive_peer_ffc long_peer;
extern iotkm_noninteractive_peer noninteractive_peer;
extern iotkm_noninteractive_peer_ffc long_other;
extern iotkm_hub hub;
extern iotkm_wallet wallet;
extern iotkm_holder holder;
extern iotkm_chip chip;
extern iotkm_accepted session;
extern iotkm_agent agent;
extern iotkm_external_key token;
extern iotkm_credential_operator operators;
extern const iotkm_noninteractive_suite *suite;
extern uint8_t out[1500], datagram[1500], buffer[1500];
extern const uint8_t *bytes, *blob, *payload, *psk, *scalar, *secret;
extern size_t len, datagram_len, blob_len, payload_len;
extern uint16_t this_year;
extern uint64_t wake_at, boot_count;

int my_wait(uint64_t wake_at, uint8_t *datagram, size_t capacity, size_t *len, iotkm_addr *from);
uint64_t my_clock(void);
void my_application(const uint8_t *payload, size_t len);
int my_row_read(void *ctx, const iotkm_history_id *id, uint8_t *state, size_t capacity, size_t *state_len, uint8_t *seed);
int my_row_swap(void *ctx, const iotkm_history_id *id, uint32_t version, const uint8_t *state, size_t state_len, const uint8_t *seed);
void my_send(const iotkm_addr *to, const uint8_t *bytes, size_t len);
void my_store(const uint8_t *blob, size_t len);
void my_warning(const char *about);
void my_request(const char *device);
int my_protocol_authenticates(const uint8_t *key, size_t len);
uint32_t next_serial(void);
int user_says_so(void);
int user_gives_up(void);
int user_knows(const char *name);

#endif
