/* In the factory: an invitation in, a deposit out; from then on its slots 1 and 2. By a program's own means, with monotonic counters,
 * iotkm_chip_seal() and iotkm_chip_restore(). */
static iotkm_chip chip;
static uint8_t work[IOTKM_CHIP_WORK], deposit[IOTKM_CHIP_DEPOSIT_MAX];
iotkm_chip_record about;
iotkm_chip_stored stored = {0};
uint16_t slot;
uint32_t version;
if (iotkm_chip_size() != sizeof chip) return;
if (iotkm_chip_load(&chip, &cx, 1, 2, work, sizeof work) == IOTKM_E_EMPTY) {
    iotkm_chip_enrol(&chip, &cx, 1, 2, bytes, len);
    iotkm_chip_store(&chip, &cx, work, sizeof work);
    iotkm_chip_deposit(&chip, deposit, sizeof deposit, &len);
    my_store(deposit, len);                             // to the centre, which answers
    iotkm_chip_confirm(&chip, bytes, IOTKM_CENTRE_CONFIRMATION_LEN);
    iotkm_chip_store(&chip, &cx, work, sizeof work);
}
iotkm_chip_info(&chip, &about);
if (about.revoked) my_warning("revoked");
while (iotkm_chip_needs_store(&chip) == 1) {
    iotkm_chip_seal(&chip, &cx, buffer, sizeof buffer, &len, &slot, &version);
    my_store(buffer, len);
    iotkm_chip_persisted(&chip);
}
iotkm_chip_wipe(&chip);
stored.seed_slot = 1;
stored.seed = bytes;
stored.seed_len = len;
stored.state_slot = 2;
stored.state = blob;
stored.state_len = blob_len;
stored.state_floor = version;
iotkm_chip_restore(&chip, &cx, &stored, work, sizeof work);
