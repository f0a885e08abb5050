/* Datagrams on a byte line: SLIP, RFC 1055. No checksum of its own; the datagrams are authenticated anyway. */
#ifndef SLIP_H
#define SLIP_H

#include "uart.h"

struct slip {
    enum uart uart;
    uint8_t *buffer; /* the datagram being received */
    size_t capacity, length;
    bool escaped, broken;
};

void slip_init(struct slip *slip, enum uart uart, uint8_t *buffer, size_t capacity);

/* Takes in what has arrived. The length of a complete datagram, which lies in the buffer until the next call, or 0.
   Datagrams that are too long or wrongly escaped are dropped whole. */
size_t slip_receive(struct slip *slip);
void slip_send(const struct slip *slip, const uint8_t *datagram, size_t length);

#endif
