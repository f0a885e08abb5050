/* Numbers and words of text; printf and its like would bring a heap. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

#define TEXT_DECIMAL 11u /* the longest 32-bit number and its end */

/* Writes into `buffer` and returns where in it the text starts. */
const char *text_decimal(char buffer[TEXT_DECIMAL], uint32_t value);

uint32_t text_number(const char *text);

/* What follows the word in the line, or NULL if the line starts with another. */
const char *text_after(const char *line, const char *word);

/* Copies the line's first word, without its end if it is too long for `capacity`, and returns what follows it. */
const char *text_word(const char *line, char *word, size_t capacity);

/* Reads the line's first word as hexadecimal digits, exactly `length` bytes, and returns what follows it; NULL if it is not that. */
const char *text_unhex(const char *line, uint8_t *bytes, size_t length);

#endif
