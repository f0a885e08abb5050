#include "console.h"
#include "text.h"
#include "uart.h"

const char *console_line(void)
{
    static char line[256];
    static size_t length;
    int byte;
    while ((byte = uart_get(UART_CONSOLE)) >= 0) {
        if (byte != '\n') {
            if (length < sizeof line)
                line[length] = (char)byte;
            length += length <= sizeof line;
            continue;
        }
        size_t whole = length;
        length = 0;
        if (whole < sizeof line) {
            line[whole] = '\0';
            return line;
        }
    }
    return NULL;
}

void console_print(const char *line)
{
    uart_print(UART_CONSOLE, line);
    uart_print(UART_CONSOLE, "\n");
}

void console_number(const char *word, uint32_t value)
{
    char digits[TEXT_DECIMAL];
    uart_print(UART_CONSOLE, word);
    uart_print(UART_CONSOLE, " ");
    console_print(text_decimal(digits, value));
}

void console_hex(const char *word, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    uart_print(UART_CONSOLE, word);
    uart_print(UART_CONSOLE, " ");
    for (size_t i = 0; i < length; i++) {
        uart_put(UART_CONSOLE, (uint8_t)digits[bytes[i] >> 4]);
        uart_put(UART_CONSOLE, (uint8_t)digits[bytes[i] & 15]);
    }
    console_print("");
}
