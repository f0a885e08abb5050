#include "semihost.h"
#include "text.h"

#define SYS_WRITE0 0x04u
#define SYS_EXIT_EXTENDED 0x20u
#define APPLICATION_EXIT 0x20026u

static void call(uint32_t operation, const void *argument)
{
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

void semihost_print(const char *text) { call(SYS_WRITE0, text); }

void semihost_result(const char *name, uint32_t value, const char *unit)
{
    char digits[TEXT_DECIMAL];
    semihost_print(name);
    semihost_print(" ");
    semihost_print(text_decimal(digits, value));
    semihost_print(" ");
    semihost_print(unit);
    semihost_print("\n");
}

void semihost_exit(int code)
{
    const uint32_t block[2] = { APPLICATION_EXIT, (uint32_t)code };
    call(SYS_EXIT_EXTENDED, block);
    for (;;) {
    }
}
