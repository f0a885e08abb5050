/* Data flash: erased a sector at a time, programmed a word at a time, kept over a reset and a power cut. */
#ifndef FLASH_H
#define FLASH_H

#include <stddef.h>
#include <stdint.h>

#define FLASH_SECTOR 4096u

uint32_t flash_sectors(void);
const uint8_t *flash_at(uint32_t sector);
void flash_erase(uint32_t sector);

/* `offset` and `length` are multiples of 4; only bits that are 1 can change. */
void flash_program(uint32_t sector, size_t offset, const uint8_t *bytes, size_t length);

/* For tests: the board resets in place of the `words`-th word changed from now on, as if the power had failed there. */
void flash_cut_after(uint32_t words);

#endif
