#include "text.h"

#include <string.h>

const char *text_decimal(char buffer[TEXT_DECIMAL], uint32_t value)
{
    char *first = buffer + TEXT_DECIMAL - 1;
    *first = '\0';
    do
        *--first = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    return first;
}

uint32_t text_number(const char *text)
{
    uint32_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint32_t)(*text - '0');
    return value;
}

const char *text_after(const char *line, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(line, word, length) != 0)
        return NULL;
    return line[length] == ' ' ? line + length + 1 : line[length] == '\0' ? line + length : NULL;
}

const char *text_word(const char *line, char *word, size_t capacity)
{
    size_t length = 0;
    while (*line != '\0' && *line != ' ') {
        if (length + 1 < capacity)
            word[length++] = *line;
        line++;
    }
    word[length] = '\0';
    return *line == ' ' ? line + 1 : line;
}

static int nibble(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

const char *text_unhex(const char *line, uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++, line += 2) {
        int high = nibble(line[0]), low = high < 0 ? -1 : nibble(line[1]);
        if (low < 0)
            return NULL;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    if (*line != '\0' && *line != ' ')
        return NULL;
    return *line == ' ' ? line + 1 : line;
}
