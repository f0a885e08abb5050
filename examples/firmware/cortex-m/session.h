/* What every scheme's file keeps in the store besides its keys: the device's own secret, and the session. */
#ifndef SESSION_H
#define SESSION_H

#include <iotkm.h>

/* The device's own secret. A real device has this in fuses or a secure element; here it is drawn at the first start. */
int session_load_secret(const iotkm_platform *platform, uint8_t secret[32]);

/* Stores the session, where there is one. The blob holds no key of a record: whoever steals it later reads nothing that was
   sent before. */
int session_store(iotkm_association *association, const iotkm_cx *cx);

/* Goes on with the stored session: it takes three short messages. IOTKM_E_EMPTY where there is none, or none that is any good. */
int session_restore(iotkm_association *association, const iotkm_cx *cx);

int session_forget(const iotkm_cx *cx);

/* Shows an event's fingerprint. */
void session_says(const char *word, const iotkm_event *event);

#endif
