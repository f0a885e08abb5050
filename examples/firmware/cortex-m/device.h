/* The device's key management: one hub, met once by pairing, then sessions that are renewed and resumed for as long as the
   device lives. Knows the library and the store, nothing of the board. */
#ifndef DEVICE_H
#define DEVICE_H

#include <iotkm.h>

/* Slots of the store. */
enum { SLOT_SECRET = 0, SLOT_HUB = 1, SLOT_ATTEMPTS = 2, SLOT_SESSION = 3 };

/* Tells the user: a word, and a number where `has_number`. main.c prints it. */
void device_says(const char *word, bool has_number, uint32_t number);
void device_says_text(const char *word, const char *text);

/* Sets up from what is stored, and goes on with the hub if there is one. `platform` has its hooks but for `event`, which is
   set here. A status of iotkm.h, here and below. */
int device_start(iotkm_platform *platform, uint64_t now_ms);

/* Pairs with the hub, whose user has opened its window, by the secret that the user typed here too. */
int device_pair(const char *secret);

/* Takes in a datagram, which it may overwrite; `payload` points into it, or is NULL. */
int device_receive(uint8_t *datagram, size_t length, const uint8_t **payload, size_t *payload_length);

/* Sends to the hub's application. */
int device_send(const uint8_t *payload, size_t length);

/* Asks the hub for new keys made from what both said. */
int device_update(void);

/* Ends the session and forgets it; the keys for the next stay. */
int device_close(void);

/* To be called at every turn of the main loop: sends, stores, wakes up what is due. */
int device_run(uint64_t now_ms);

#endif
