/* Test results by way of the debugger (Arm semihosting): the firmware itself talks over its UARTs only. */
#ifndef SEMIHOST_H
#define SEMIHOST_H

#include <stdint.h>

void semihost_print(const char *text);

/* One line for machines: `name value unit`. */
void semihost_result(const char *name, uint32_t value, const char *unit);

/* Ends the emulation; QEMU exits with `code`. */
_Noreturn void semihost_exit(int code);

#endif
