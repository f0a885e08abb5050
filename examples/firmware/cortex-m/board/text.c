#include "text.h"

const char *text_decimal(char buffer[TEXT_DECIMAL], uint32_t value)
{
    char *first = buffer + TEXT_DECIMAL - 1;
    *first = '\0';
    do
        *--first = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    return first;
}
