/* The source may repeat itself after a restart: a counter that never does goes in, and the device's secret. */
static iotkm_hedge hedge;
static iotkm_platform hedged;
if (iotkm_hedge_init(&hedge, &platform, boot_count) != IOTKM_OK) return;
hedged = platform;
hedged.random = iotkm_hedge_random;
hedged.random_ctx = &hedge;
cx.platform = &hedged;
/* ... */
iotkm_hedge_wipe(&hedge);
