/* Numbers as text; printf would bring a heap. */
#ifndef TEXT_H
#define TEXT_H

#include <stdint.h>

#define TEXT_DECIMAL 11u /* the longest 32-bit number and its end */

/* Writes into `buffer` and returns where in it the text starts. */
const char *text_decimal(char buffer[TEXT_DECIMAL], uint32_t value);

#endif
