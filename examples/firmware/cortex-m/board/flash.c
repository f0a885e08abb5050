/* The emulated data flash: a memory that neither the startup code nor QEMU's reset touches (it is in no section of the image),
   and that QEMU can keep in a file, so that it outlives the process too. */
#include "flash.h"
#include "board.h"

#include <string.h>

extern uint8_t store_start[], store_end[];

static uint32_t cut;

void flash_cut_after(uint32_t words) { cut = words; }

static void change(volatile uint32_t *word, uint32_t value)
{
    if (cut > 0 && --cut == 0)
        board_reset();
    *word = value;
}

uint32_t flash_sectors(void) { return (uint32_t)((uintptr_t)store_end - (uintptr_t)store_start) / FLASH_SECTOR; }
const uint8_t *flash_at(uint32_t sector) { return store_start + sector * FLASH_SECTOR; }

void flash_erase(uint32_t sector)
{
    volatile uint32_t *word = (volatile uint32_t *)(void *)(store_start + sector * FLASH_SECTOR);
    for (size_t i = 0; i < FLASH_SECTOR / 4; i++)
        change(word + i, UINT32_MAX);
}

void flash_program(uint32_t sector, size_t offset, const uint8_t *bytes, size_t length)
{
    volatile uint32_t *word = (volatile uint32_t *)(void *)(store_start + sector * FLASH_SECTOR + offset);
    for (size_t i = 0; i < length / 4; i++) {
        uint32_t value;
        memcpy(&value, bytes + 4 * i, 4);
        change(word + i, word[i] & value);
    }
}
