/* What the demo's devices have in common, whatever scheme they speak: device.c keeps the platform, the clock and the socket, and
 * asks the scheme's file (device_history.c, device_tickets.c, device_epochs.c) for the rest. */
#ifndef DEVICE_H
#define DEVICE_H

#include <iotkm_posix.h>
#include <stddef.h>
#include <stdint.h>

/* ---- device.c, for the schemes ---- */

extern iotkm_posix_store store;
extern iotkm_posix_udp udp;
extern iotkm_platform platform;
extern iotkm_cx cx;
extern iotkm_addr hub;             /* where the hub is */
extern uint8_t buffer[1280];       /* a datagram, or what is to be stored */
extern uint64_t slept_ms;          /* how long the device's clock stood still */
extern iotkm_association *active;  /* what datagrams and the time go to; NULL: nothing yet */

/* Ends the program where a status is not 0, and says what was to be done. */
void must(int status, const char *what);

/* Sends a message in the session, and says so. */
void send_message(const char *text);

/* Something that this machine measures, by its number from 0 to READINGS - 1; 0 where it has no such thing. */
enum { READINGS = 4 };
int measure(int which, char *reading, size_t capacity);

/* The session in its slot, to go on after a power cut: stored, taken back (0 if there is none that can be), forgotten. */
void session_store(void);
int session_restore(void);
void session_forget(void);

/* Bytes from hexadecimal digits, up to something else; how many. */
size_t unhex(const char *text, uint8_t *out, size_t capacity);

/* What an event says, for people; those without words of their own say nothing. */
void say_event(const iotkm_event *event);

/* ---- the scheme's file, for device.c ---- */

extern const char device_place[]; /* what it tells of where it is; may be empty */

void device_start(void);                               /* takes up what is stored */
void device_event(const iotkm_event *event);           /* during device_drain() */
uint64_t device_drain(void);                           /* sends and stores what waits; when to wake up */
void device_heard(const uint8_t *payload, size_t len); /* the hub's application said so */
int device_press(const char *line);                    /* a button; 0: there is no such button */
void device_end(void);                                 /* wipes what it holds */

#endif
