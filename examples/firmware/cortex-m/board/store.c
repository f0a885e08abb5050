/* Two copies a slot, in a sector each. A write goes to the copy that is not in force; its header, programmed last and covered
   by the checksum, is what puts it in force. */
#include "store.h"

#include <stdbool.h>
#include <string.h>

struct header {
    uint32_t magic, sequence, length, checksum;
};
#define MAGIC 0x4B544F49u

_Static_assert(sizeof(struct header) == FLASH_SECTOR - STORE_MAX, "STORE_MAX is what a sector holds beside the header");

static uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t length)
{
    crc = ~crc;
    while (length-- > 0) {
        crc ^= *bytes++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static uint32_t checksum(const struct header *header, const uint8_t *value)
{
    return crc32(crc32(0, (const uint8_t *)header, offsetof(struct header, checksum)), value, header->length);
}

static bool load(uint32_t sector, struct header *header)
{
    memcpy(header, flash_at(sector), sizeof *header);
    return header->magic == MAGIC && header->length <= STORE_MAX
        && header->checksum == checksum(header, flash_at(sector) + sizeof *header);
}

/* Which of the slot's sectors is in force, with its header; -1 for none. */
static int in_force(uint16_t slot, struct header *newest)
{
    int which = -1;
    for (int copy = 0; copy < 2; copy++) {
        struct header header;
        if (!load(2u * slot + (uint32_t)copy, &header))
            continue;
        if (which < 0 || (int32_t)(header.sequence - newest->sequence) > 0) { /* the numbers may wrap */
            which = copy;
            *newest = header;
        }
    }
    return which;
}

static bool has_slot(uint16_t slot) { return slot < flash_sectors() / 2; }

int store_read(void *ctx, uint16_t slot, uint8_t *data, size_t capacity, size_t *length)
{
    (void)ctx;
    struct header header;
    if (!has_slot(slot))
        return STORE_NO_SLOT;
    int copy = in_force(slot, &header);
    if (copy < 0)
        return STORE_EMPTY;
    if (header.length > capacity)
        return STORE_TOO_LONG;
    memcpy(data, flash_at(2u * slot + (uint32_t)copy) + sizeof header, header.length);
    *length = header.length;
    return STORE_OK;
}

int store_write(void *ctx, uint16_t slot, const uint8_t *data, size_t length)
{
    (void)ctx;
    struct header old = { 0 };
    if (!has_slot(slot))
        return STORE_NO_SLOT;
    if (length > STORE_MAX)
        return STORE_TOO_LONG;
    int copy = in_force(slot, &old);
    uint32_t sector = 2u * slot + (copy == 0 ? 1 : 0);

    struct header header = { .magic = MAGIC, .sequence = old.sequence + 1, .length = (uint32_t)length };
    header.checksum = checksum(&header, data);
    uint8_t last[4] = { 0xFF, 0xFF, 0xFF, 0xFF };
    size_t whole = length & ~(size_t)3;
    memcpy(last, data + whole, length - whole);
    flash_erase(sector);
    flash_program(sector, sizeof header, data, whole);
    if (whole < length)
        flash_program(sector, sizeof header + whole, last, 4);
    flash_program(sector, 0, (const uint8_t *)&header, sizeof header);

    return load(sector, &header) && memcmp(flash_at(sector) + sizeof header, data, length) == 0 ? STORE_OK : STORE_FAILED;
}

/* The copy in force goes last: a cut between the two must not bring an older value back. */
int store_erase(void *ctx, uint16_t slot)
{
    (void)ctx;
    struct header header;
    if (!has_slot(slot))
        return STORE_NO_SLOT;
    uint32_t last = in_force(slot, &header) == 1 ? 1 : 0;
    flash_erase(2u * slot + 1 - last);
    flash_erase(2u * slot + last);
    return STORE_OK;
}
