/* The user's side of the device: lines of text on the console UART. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stddef.h>
#include <stdint.h>

/* Takes in what was typed. A whole line without its end, valid until the next call, or null. Lines that are too long are
   dropped whole. */
const char *console_line(void);

/* `word`, a space and a number, or the bytes in hexadecimal, as a line. */
void console_number(const char *word, uint32_t value);
void console_hex(const char *word, const uint8_t *bytes, size_t length);
void console_print(const char *line);

#endif
