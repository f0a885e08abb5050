/* The device's key management with one hub, as the main loop sees it. One of these files makes it, whichever is linked:

       history.c        paired once with the hub by what a user types; keys that are renewed from what both said
       interactive.c    a ticket of the agent that the hub trusts too; keys that are renewed with every session
       noninteractive.c a credential of the hub's operator; keys that change with time, and nothing said
       microcert.c      a key seed that an authentication centre has too

   They know the library and the store, nothing of the board. */
#ifndef DEVICE_H
#define DEVICE_H

#include <iotkm.h>

/* Slots of the store. */
enum {
    SLOT_SECRET = 0,
    SLOT_HUB = 1,
    SLOT_ATTEMPTS = 2,
    SLOT_SESSION = 3,
    SLOT_KEY = 4,
    SLOT_WALLET = 5,
    SLOT_NAMES = 6,
    SLOT_HALF = 7,
};

/* Tells the user: a word, and a number where `has_number`. main.c prints it. */
void device_says(const char *word, bool has_number, uint32_t number);
void device_says_text(const char *word, const char *text);

/* Sets up from what is stored, and goes on with the hub if there is one. `platform` has its hooks but for `event` and those of
   static keys, which are set here. A status of iotkm.h, here and below. */
int device_start(iotkm_platform *platform, uint64_t now_ms);

/* Does what a line of the user's says that is the scheme's affair: its file says what there is. */
enum { DEVICE_NO_SUCH_WORD = 1 };
int device_obey(const char *line);

/* Takes in a datagram, which it may overwrite; `payload` points into it, or is NULL. */
int device_receive(uint8_t *datagram, size_t length, const uint8_t **payload, size_t *payload_length);

/* Sends to the hub's application. */
int device_send(const uint8_t *payload, size_t length);

/* Ends the session and forgets it; the keys for the next stay. */
int device_close(void);

/* To be called at every turn of the main loop: sends, stores, wakes up what is due. */
int device_run(uint64_t now_ms);

#endif
