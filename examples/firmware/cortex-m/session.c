#include "session.h"
#include "device.h"

int session_load_secret(const iotkm_platform *platform, uint8_t secret[32])
{
    size_t length;
    int status = platform->store_read(platform->store_ctx, SLOT_SECRET, secret, 32, &length);
    if (status == IOTKM_STORE_EMPTY) {
        status = platform->random(platform->random_ctx, secret, 32);
        if (status == 0)
            status = platform->store_write(platform->store_ctx, SLOT_SECRET, secret, 32);
    }
    return status == 0 ? IOTKM_OK : IOTKM_E_HOOK;
}

int session_store(iotkm_association *association, const iotkm_cx *cx)
{
    uint8_t blob[IOTKM_SESSION_BLOB_MAX];
    size_t length;
    int status = iotkm_export(association, cx, blob, sizeof blob, &length);
    if (status == IOTKM_E_NOT_ESTABLISHED) /* ended again meanwhile */
        return IOTKM_OK;
    if (status == IOTKM_OK && cx->platform->store_write(cx->platform->store_ctx, SLOT_SESSION, blob, length) != 0)
        status = IOTKM_E_HOOK;
    return status;
}

int session_restore(iotkm_association *association, const iotkm_cx *cx)
{
    uint8_t blob[IOTKM_SESSION_BLOB_MAX];
    size_t length;
    if (cx->platform->store_read(cx->platform->store_ctx, SLOT_SESSION, blob, sizeof blob, &length) != 0)
        return IOTKM_E_EMPTY;
    return iotkm_restore(association, cx, blob, length) == IOTKM_OK ? IOTKM_OK : IOTKM_E_EMPTY;
}

int session_forget(const iotkm_cx *cx)
{
    return cx->platform->store_erase(cx->platform->store_ctx, SLOT_SESSION) == 0 ? IOTKM_OK : IOTKM_E_HOOK;
}

void session_says(const char *word, const iotkm_event *event)
{
    char text[IOTKM_FINGERPRINT_TEXT];
    if (iotkm_fingerprint_text(event->fingerprint, text) == IOTKM_OK)
        device_says_text(word, text);
}
