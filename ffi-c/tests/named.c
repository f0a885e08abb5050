/* Names one suite, or no scheme at all, or tickets, or who sees to them: what the image has besides is linked for nothing. */
#include <iotkm.h>
#include <string.h>

static iotkm_association a;
static iotkm_platform p;
static iotkm_cx cx;
static uint8_t secret[32], bytes[600];

static int fill(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    memset(out, 4, len);
    return 0;
}

#ifdef PANIC
void iotkm_panic(void);
void iotkm_panic(void) {
    for (;;) secret[0]++;
}
#endif

int main(void) {
    iotkm_addr to = {1, {1}};
    iotkm_output output;
    iotkm_received received;
    size_t len;
    int status = 0;
    p.struct_size = sizeof p;
    p.device_secret = secret;
    p.random = fill;
    cx.platform = &p;
#ifdef SUITE
    static iotkm_history_peer peer;
    static iotkm_history_entry entries[48];
    static iotkm_history_memory_small memory;
    static const iotkm_history_id one = {1, {1}}, two = {1, {2}};
    static const iotkm_history_triple triple = {{1}, {2}, {3}};
    status |= iotkm_history_peer_provision(&peer, 1, &one, &two, &SUITE, &triple);
    status |= iotkm_history_open_small(&a, &peer, entries, 48, &SUITE, NULL, &memory);
    status |= iotkm_history_connect(&a, &cx, &to);
    status |= iotkm_history_update(&a, &cx) == IOTKM_E_NOT_ESTABLISHED ? 0 : 1;
#endif
#ifdef INTERACTIVE
    static iotkm_wallet purse;
    static iotkm_interactive_peer hub;
    static iotkm_interactive_memory_small runs;
    static const iotkm_suite *const suites[] = {&iotkm_suite_4};
    static iotkm_interactive_setup setup;
    setup.struct_size = sizeof setup;
    setup.kem = &iotkm_x25519;
    setup.suites = suites;
    setup.suite_count = 1;
    status |= iotkm_interactive_peer_init(&hub, 1, "lamp", "hub", NULL);
    (void)iotkm_interactive_open_leaf(&a, &hub, &purse, &setup, NULL, &runs);
    (void)iotkm_interactive_connect(&a, &cx, &to);
#endif
#ifdef NONINTERACTIVE
    static iotkm_holder held;
    static iotkm_static_key half, whole;
    static iotkm_noninteractive_peer other;
    static iotkm_noninteractive_memory_small few;
    static iotkm_noninteractive epochs;
    static iotkm_noninteractive_setup wish;
    static const iotkm_agent lists = {"acme", &iotkm_eddsa, bytes, 32};
    static const iotkm_credential_operator operators = {&NONINTERACTIVE, &lists, bytes, 32};
    iotkm_credential credential;
    wish.struct_size = sizeof wish;
    p.public_key = iotkm_static_key_public_key;
    p.agree = iotkm_static_key_agree;
    p.step = iotkm_static_key_step;
    (void)iotkm_static_key_load(&half, &cx, 0, &GROWING, 1);
    (void)iotkm_credential_request(&half, "lamp", bytes, sizeof bytes, &len);
    (void)iotkm_holder_init(&held, &operators, "lamp", bytes + 100, IOTKM_HOLDER_MEMORY);
    (void)iotkm_holder_load(&held, &cx, 1, bytes + 300, 300);
    (void)iotkm_holder_accept(&held, &cx, &half, bytes, 90, 1, &whole, &credential);
    (void)iotkm_holder_install(&held, &cx, bytes, 50);
    (void)iotkm_noninteractive_peer_init(&other, &NONINTERACTIVE, 1, "lamp", "hub", NULL);
    (void)iotkm_noninteractive_open_small(&epochs, &other, &held, &wish, NULL, &few);
    (void)iotkm_noninteractive_connect(&epochs.association, &cx, &to);
    (void)iotkm_noninteractive_go_on(&epochs.association, &cx);
#endif
#ifdef TICKETS
    static iotkm_wallet wallet;
    static const iotkm_agent agent = {"acme", &iotkm_eddsa, bytes, 32};
    iotkm_ticket ticket;
    size_t request;
    (void)iotkm_ticket_request(&cx, 1, &iotkm_x25519, "lamp", NULL, 60, bytes, sizeof bytes, &request);
    (void)iotkm_wallet_init(&wallet, &agent, "lamp", bytes, 200, 100);
    (void)iotkm_wallet_load(&wallet, &cx, 1, bytes, sizeof bytes);
    (void)iotkm_wallet_install(&wallet, &cx, bytes, 100, NULL);
    (void)iotkm_wallet_check(&wallet, &cx, bytes, 100, &ticket);
#endif
#ifdef MICROCERT
    static iotkm_chip chip;
    static iotkm_microcert_memory run;
    static uint8_t work[IOTKM_CHIP_WORK];
    (void)iotkm_chip_load(&chip, &cx, 1, 2, work, sizeof work);
    (void)iotkm_chip_enrol(&chip, &cx, 1, 2, bytes, 50);
    (void)MICROCERT(&a, &chip, &iotkm_suite_4_symmetric, NULL, &run);
    (void)iotkm_microcert_authenticate(&a, &cx, &to);
#endif
#ifdef OPERATOR
    static iotkm_operator op;
    static iotkm_operator_entry entries[2];
    iotkm_ticket held;
    bool acknowledged;
    (void)iotkm_operator_init(&op, entries, 2, 600, 60);
    (void)iotkm_ticket_peek(bytes, 100, &held);
    (void)iotkm_operator_knows(&op, &held);
    (void)iotkm_operator_issued(&op, &held);
    (void)iotkm_operator_handle(&op, "lamp", bytes, 20, &acknowledged);
#endif
#ifdef AGENT
    static iotkm_ticket_agent numbers;
    iotkm_ticket_message asked;
    (void)iotkm_ticket_agent_load(&numbers, &cx, 1);
    (void)iotkm_ticket_agent_store(&numbers, &cx, 1);
    (void)iotkm_ticket_message_read(bytes, 50, &asked);
    (void)iotkm_ticket_agent_issue(&numbers, &AGENT, secret, 60, &asked, bytes + 100, 300, &len);
    (void)iotkm_ticket_agent_revoke(&numbers, &AGENT, secret, 60, NULL, 0, bytes + 100, 300, &len);
#endif
    (void)iotkm_poll(&a, &cx, bytes, sizeof bytes, &output);
    (void)iotkm_persisted(&a, 1, 0);
    (void)iotkm_receive(&a, &cx, &to, bytes, 20, &received);
    (void)iotkm_timeout(&a, &cx);
    (void)iotkm_send(&a, &cx, bytes, 10, bytes + 100, 500, &len, &to);
    return status;
}
