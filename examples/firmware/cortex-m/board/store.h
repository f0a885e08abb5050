/* Slots of stored state in the data flash, each written whole or not at all, in the shape of the library's storage hooks. */
#ifndef STORE_H
#define STORE_H

#include "flash.h"

#define STORE_MAX (FLASH_SECTOR - 16u) /* the longest value */

enum { STORE_OK = 0, STORE_EMPTY = 1, STORE_NO_SLOT = -1, STORE_TOO_LONG = -2, STORE_FAILED = -3 };

/* The value last written, into `data`, its length into `length`; STORE_EMPTY where there is none. */
int store_read(void *ctx, uint16_t slot, uint8_t *data, size_t capacity, size_t *length);

/* 0 when the value is stored for good. Power may fail at any moment: then the slot has its old value or the new one. */
int store_write(void *ctx, uint16_t slot, const uint8_t *data, size_t length);

/* A cut in the middle leaves the value or nothing, never an older value. */
int store_erase(void *ctx, uint16_t slot);

#endif
