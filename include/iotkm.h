/* iotkm: key management for the Internet of Things.
 *
 * Two devices that share keys (or are about to) talk in datagrams, over whatever carries them. The library has no thread, no
 * heap, no clock, no socket and no file of its own: it works in memory that you lend it, and you carry its datagrams, keep its
 * stored state and tell it the time.
 *
 * What the devices have says which scheme they talk, and what to open first:
 *
 * - history: a person who pairs them (iotkm_history_pairing_open()), or a triple of keys from a factory
 *   (iotkm_history_peer_provision()); then iotkm_history_open(). Programs: examples/c/one.c, device.c, hub.c.
 * - interactive: a static key each, and an agent's ticket for it (iotkm_static_key_generate(), iotkm_wallet_init(),
 *   iotkm_interactive_peer_init()); then iotkm_interactive_open(). Program: examples/c/tickets.c.
 * - noninteractive: a self-certified key each, half of it the operator's (iotkm_credential_request(), iotkm_holder_init(),
 *   iotkm_noninteractive_peer_init()); then iotkm_noninteractive_open(). New keys with each epoch, without a message for it.
 *   Programs: examples/c/epochs.c, renewal.c.
 * - microcert: a key seed that an authentication centre has too (iotkm_chip_enrol()); then iotkm_microcert_open(). The centre itself is
 *   an iotkm_centre, or `iotkm centre` of the Python package. Program: examples/c/meter.c.
 *
 * From there on all are iotkm_association, with the same verbs; many on one socket are an iotkm_hub. Each group of functions
 * here begins with an example; this is the loop of a whole program:
 *
 *     iotkm_platform platform = {0};                      // the hooks: randomness, slots, a socket
 *     iotkm_cx cx = {0};                                  // the surroundings of each call
 *     iotkm_history_peer peer;                            // what is known of the other side
 *     iotkm_association a;
 *     static iotkm_history_entry entries[48];
 *     static iotkm_history_memory memory;
 *
 *     platform.struct_size = sizeof platform;             // and its other fields
 *     cx.platform = &platform;
 *     iotkm_history_peer_load(&peer, &cx, SLOT);
 *     iotkm_history_open(&a, &peer, entries, 48, &iotkm_suite_0, NULL, &memory);
 *     iotkm_history_connect(&a, &cx, &to);
 *     for (;;) {
 *         int got;
 *         iotkm_drain(&a, &cx, buffer, sizeof buffer, &wake_at);      // sends and stores what waits, by the hooks
 *         got = my_wait(wake_at, buffer, sizeof buffer, &len, &from);
 *         cx.now_ms = my_clock();
 *         if (got) iotkm_receive(&a, &cx, &from, buffer, len, &received);
 *         else iotkm_timeout(&a, &cx);
 *         if (got && received.payload) my_application(received.payload, received.payload_len);
 *         // iotkm_send(&a, &cx, payload, payload_len, out, sizeof out, &out_len, &to) once it is established
 *     }
 *
 * Names that end in _ffc are for the groups of suites -21 and -22, whose keys are 256 and 384 bytes; those without take 32.
 * Lengths are bytes; times are ms on the clock of `now_ms` where a name ends in _ms, else seconds since 1970. Examples leave
 * out what a call returns; look at it.
 *
 * What you promise, in every call:
 * - A pointer is NULL or points to what its type says, for the length that goes with it, during the call; what is lent (the
 *   function says so) for longer. NULL is refused (IOTKM_E_NULL) but where a function allows it; bytes of length 0 may be NULL.
 * - Objects (iotkm_association, iotkm_history_...) lie where you put them, aligned as their type, and do not move once they
 *   are set up. A constructor takes any memory; every other function refuses what was never set up or is wiped.
 * - One call at a time on an object and all that it was lent. Different objects may be used in different threads.
 * - Hooks return 0 for ok, and do not call back into the object whose call they serve (IOTKM_E_BUSY); those of
 *   iotkm_drain() may.
 *
 * What you get: a function returns an int, IOTKM_OK or a negative iotkm_status. Each says which in particular; besides those,
 * any may say IOTKM_E_NULL, IOTKM_E_NOT_SET_UP, IOTKM_E_BUSY, IOTKM_E_STRUCT_SIZE and IOTKM_E_INTERNAL, one of a scheme
 * IOTKM_E_SCHEME, one that uses hooks IOTKM_E_HOOK. Outputs come last and are written only where IOTKM_OK is returned, but that
 * buffers may hold rubbish after an error; an error changes nothing else. What comes from the network is never an error: it is
 * dropped and counted.
 *
 * Link with -Wl,--gc-sections (or the like): what is not named is not linked. Firmware may define `void iotkm_panic(void)`,
 * which must not return, to take the place of the library's endless loop should a bug in the library be found out at run time.
 */


#ifndef IOTKM_H
#define IOTKM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


// ---- sizes, numbers and their names ----

// What `store_read` returns for a slot that was never written.
#define IOTKM_STORE_EMPTY 1

// What `agree` and `public_key` return while a slow token works: they are asked the same again later, and nothing has
// happened until then.
#define IOTKM_KEY_PENDING 1

// What `agree` and `public_key` return where there is no such key, or not of that group.
#define IOTKM_KEY_NONE 2

// What `agree` returns for a share that is no element of the group, or whose secret is all zero.
#define IOTKM_KEY_BAD_ELEMENT 3

// The longest address in bytes.
#define IOTKM_ADDR_MAX 22

// `wake_at_ms` where there is nothing to wake up for.
#define IOTKM_NEVER UINT64_MAX

// The longest blob of iotkm_export() in bytes.
#define IOTKM_SESSION_BLOB_MAX 106

// Length of a fingerprint's text with its NUL: four groups of four.
#define IOTKM_FINGERPRINT_TEXT 20

// The longest id in bytes.
#define IOTKM_HISTORY_ID_MAX 16

// The longest blob of a stored peer in bytes: what its slot must hold.
#define IOTKM_HISTORY_PEER_BLOB_MAX 335

// The longest user's secret in bytes.
#define IOTKM_HISTORY_SK_MAX 64

// Failed attempts after which pairing is locked until iotkm_history_pairing_unlock().
#define IOTKM_HISTORY_ATTEMPTS 5

// The blob of the count of attempts in bytes: what its slot must hold.
#define IOTKM_HISTORY_ATTEMPTS_BLOB 22

// The smallest MTU in bytes for iotkm_history_open_small().
#define IOTKM_HISTORY_MTU_SMALL 160

// No member of a hub: an output of the hub's own, or an association that is in none.
#define IOTKM_HUB_NOBODY UINT32_MAX

// Length of a stored static key in bytes.
#define IOTKM_STATIC_KEY_BLOB 54

// The longest public key of an agent in bytes.
#define IOTKM_AGENT_KEY_MAX 65

// Length of a signature in bytes.
#define IOTKM_SIGNATURE_LEN 64

// Bytes of a revocation list besides four for each serial, at most.
#define IOTKM_REVOCATION_LIST_OVERHEAD 160

// Serials that a revocation list holds, at most.
#define IOTKM_REVOCATION_LIST_SERIALS 16384

// The longest name or scope in bytes.
#define IOTKM_NAME_MAX 32

// Length of a name's or scope's text with its NUL.
#define IOTKM_NAME_TEXT 33

// The longest ticket in bytes where the device's key is of X25519 or P-256.
#define IOTKM_TICKET_MAX 288

// The longest ticket in bytes, whatever the key.
#define IOTKM_TICKET_MAX_FFC 640

// Length of what stands for a ticket in bytes.
#define IOTKM_REFERENCE_LEN 8

// Bytes of a wallet's blob besides its memory: its slot must hold both.
#define IOTKM_WALLET_BLOB_OVERHEAD 41

// The longest acknowledgement or refusal in bytes.
#define IOTKM_WALLET_ANSWER_MAX 16

// Bytes of a message with a ticket or a revocation list besides that, at most, and of one with a request for a credential or an
// answer to it. A request for a ticket has no more than a ticket.
#define IOTKM_TICKET_MESSAGE_OVERHEAD 7

// The longest blob of a stored ticket agent in bytes.
#define IOTKM_TICKET_AGENT_BLOB_MAX 62

// The longest blob of a stored peer in bytes: what its slot must hold.
#define IOTKM_INTERACTIVE_PEER_BLOB_MAX 711

// The longest blob of a stored iotkm_interactive_peer_ffc in bytes.
#define IOTKM_INTERACTIVE_PEER_BLOB_MAX_FFC 1063

// Bytes of a holder's memory besides its revocation list.
#define IOTKM_HOLDER_MEMORY 107

// Bytes of a holder's blob besides its memory: its slot must hold both.
#define IOTKM_HOLDER_BLOB_OVERHEAD 65

// IOTKM_HOLDER_MEMORY for credentials of any group.
#define IOTKM_HOLDER_MEMORY_FFC 811

// The longest credential in bytes.
#define IOTKM_CREDENTIAL_MAX 75

// The longest request for a credential in bytes.
#define IOTKM_CREDENTIAL_REQUEST_MAX 65

// The longest answer to one in bytes.
#define IOTKM_CREDENTIAL_ANSWER_MAX 107

// Bytes of an answer besides the credential that it begins with.
#define IOTKM_CREDENTIAL_ANSWER_OVERHEAD 32

// The longest credential of any group in bytes.
#define IOTKM_CREDENTIAL_MAX_FFC 427

// The longest request for a credential of any group in bytes.
#define IOTKM_CREDENTIAL_REQUEST_MAX_FFC 417

// The longest answer to one in bytes.
#define IOTKM_CREDENTIAL_ANSWER_MAX_FFC 459

// The longest public key of an operator's for credentials in bytes.
#define IOTKM_OPERATOR_KEY_MAX 384

// The smallest MTU in bytes for iotkm_noninteractive_open_small().
#define IOTKM_NONINTERACTIVE_MTU_SMALL 256

// The longest blob of a stored peer in bytes: what its slot must hold.
#define IOTKM_NONINTERACTIVE_PEER_BLOB_MAX 568

// The longest blob of a stored iotkm_noninteractive_peer_ffc in bytes.
#define IOTKM_NONINTERACTIVE_PEER_BLOB_MAX_FFC 1558

// Length in bytes of the blob in the chip's seed slot: what that slot must hold. It is written seldom.
#define IOTKM_CHIP_SEED_BLOB_MAX 1005

// The longest blob in bytes of the chip's other slot, which is written every 32 micro-certificates.
#define IOTKM_CHIP_STATE_BLOB_MAX 174

// The longest deposit in bytes.
#define IOTKM_CHIP_DEPOSIT_MAX 1023

// Bytes of memory for iotkm_chip_load(): both blobs, and one to open them in.
#define IOTKM_CHIP_WORK ((2 * IOTKM_CHIP_SEED_BLOB_MAX) + IOTKM_CHIP_STATE_BLOB_MAX)

// The longest signature in bytes.
#define IOTKM_SIGNATURE_MAX 83

// The smallest MTU in bytes for iotkm_microcert_open().
#define IOTKM_MICROCERT_MTU_MIN 108

// What `row_swap` returns where another version is stored than the one that it replaces: nothing was written.
#define IOTKM_CENTRE_STALE 1

// What the hooks of a key store return for bytes that are not what was sealed for this place.
#define IOTKM_CENTRE_TAMPERED 1

// The longest state of a row in bytes.
#define IOTKM_CENTRE_STATE_MAX 154

// Bytes of a row's sealed seed.
#define IOTKM_CENTRE_SEED_LEN 992

// Bytes of the centre's keys.
#define IOTKM_CENTRE_KEYS_LEN 96

// The longest invitation in bytes.
#define IOTKM_CENTRE_INVITATION_MAX 59

// Bytes of the word that an enrolment is done.
#define IOTKM_CENTRE_CONFIRMATION_LEN 20

// The longest answer of a centre's in bytes: room for iotkm_centre_receive().
#define IOTKM_CENTRE_REPLY_MAX 128

// What a message from the operator asks of a device with a holder.
typedef enum {
    // Nothing: it is another one's.
    IOTKM_TOLD_NOTHING = 0,
    // To iotkm_holder_ask().
    IOTKM_TOLD_ASK = 1,
    // To iotkm_holder_store() what needs it, then to send what iotkm_holder_acknowledgement() writes.
    IOTKM_TOLD_ACKNOWLEDGE = 2,
    // To store the key that was set up (iotkm_static_key_store()) beside the one in use and let the platform's hooks find it; then
    // to iotkm_holder_install() the credential, and on as for IOTKM_TOLD_ACKNOWLEDGE. Nothing has changed yet.
    IOTKM_TOLD_NEXT = 3,
} iotkm_told;

// What functions return: `IOTKM_OK`, or a negative number that never changes its meaning. After an error nothing has changed.
// From -101 on they are the languages' own, of one table: -110 to -117 are Python's (`iotkm/_errors.py` has it).
typedef enum {
    // Done.
    IOTKM_OK = 0,
    // The output buffer is too small: iotkm_needed() says which size will do.
    IOTKM_E_BUFFER_TOO_SMALL = -1,
    // There is no session yet, or it has ended: connect and wait for IOTKM_EVENT_ESTABLISHED.
    IOTKM_E_NOT_ESTABLISHED = -2,
    // That call does not fit the state: a run of this kind is under way, or the memory for runs was released.
    IOTKM_E_WRONG_STATE = -3,
    // Outputs are waiting: poll until idle first.
    IOTKM_E_UNDRAINED = -4,
    // The payload does not fit a datagram of the configured size: iotkm_needed() says how long it may be.
    IOTKM_E_TOO_LONG = -5,
    // An argument is out of range: see the function.
    IOTKM_E_BAD_ARGUMENT = -6,
    // The source of randomness failed: call again when it works.
    IOTKM_E_RNG = -7,
    // The keys are used up and the peer has not followed to new ones: update or connect again.
    IOTKM_E_KEY_EXHAUSTED = -8,
    // The blob does not open: another device's, damaged, or another kind of state.
    IOTKM_E_BAD_BLOB = -9,
    // The blob is older than the monotonic counter says: an old copy was put back.
    IOTKM_E_BLOB_ROLLED_BACK = -10,
    // This peer was paired with another suite, or with Diffie-Hellman the other way.
    IOTKM_E_SUITE_MISMATCH = -11,
    // The log holds no usable record yet: exchange messages first.
    IOTKM_E_NO_RECORD = -12,
    // Too many failed pairing attempts: ask the user, then unlock.
    IOTKM_E_LOCKED = -13,
    // No room is left in the table that this needs.
    IOTKM_E_FULL = -14,
    // There is no credential of this device's that is valid now.
    IOTKM_E_NO_CREDENTIAL = -15,
    // The key seed is not for this time: enrol the device anew.
    IOTKM_E_SEED_EXPIRED = -16,
    // The device is revoked, and its seed killed.
    IOTKM_E_REVOKED = -17,
    // The centre's database failed; nothing has changed.
    IOTKM_E_STORE = -18,
    // The centre's key store failed, or something in its database is not what was sealed there.
    IOTKM_E_KEY_STORE = -19,
    // A pointer that must not be NULL is.
    IOTKM_E_NULL = -101,
    // The object was never set up, or was wiped.
    IOTKM_E_NOT_SET_UP = -102,
    // A `struct_size` field is not the size of its structure.
    IOTKM_E_STRUCT_SIZE = -103,
    // A hook of the platform failed, or is needed here and missing.
    IOTKM_E_HOOK = -104,
    // A bug in this library; the association can only be wiped. Please report it.
    IOTKM_E_INTERNAL = -105,
    // The object is in use: a hook called back into the verb that called it, or an association still holds the peer.
    IOTKM_E_BUSY = -106,
    // The association is of another scheme than the function.
    IOTKM_E_SCHEME = -107,
    // The store holds nothing in that slot.
    IOTKM_E_EMPTY = -108,
    // The token that holds the key has not finished: call again.
    IOTKM_E_KEY_PENDING = -109,
    // Refused: not the deterministic CBOR of such an object.
    IOTKM_E_REFUSED_ENCODING = -201,
    // Refused: signed with another algorithm than the agent's.
    IOTKM_E_REFUSED_ALGORITHM = -202,
    // Refused: a header that is not known and must be, or that nobody signed.
    IOTKM_E_REFUSED_HEADER = -203,
    // Refused: a claim is missing, out of range, or contradicts another one.
    IOTKM_E_REFUSED_CLAIMS = -204,
    // Refused: the device's key is of a kind that is not known here.
    IOTKM_E_REFUSED_KEY = -205,
    // Refused: another agent issued it.
    IOTKM_E_REFUSED_AGENT = -206,
    // Refused: it is about another device.
    IOTKM_E_REFUSED_SUBJECT = -207,
    // Refused: the signature does not verify.
    IOTKM_E_REFUSED_SIGNATURE = -208,
    // Refused: it is over.
    IOTKM_E_REFUSED_EXPIRED = -209,
    // Refused: it begins later.
    IOTKM_E_REFUSED_NOT_YET_VALID = -210,
    // Refused: the newest revocation list names it.
    IOTKM_E_REFUSED_REVOKED = -211,
    // Refused: a newer one is here already.
    IOTKM_E_REFUSED_OLDER = -212,
} iotkm_status;

// What iotkm_poll() hands out.
typedef enum {
    // Nothing to do before `wake_at_ms` (then call iotkm_timeout()), or before the next input.
    IOTKM_OUTPUT_IDLE = 0,
    // Send `bytes` to `to`.
    IOTKM_OUTPUT_DATAGRAM = 1,
    // Store `bytes` in `slot`, whole or not at all, then call iotkm_persisted(). Datagrams that depend on them wait.
    IOTKM_OUTPUT_PERSIST = 2,
    // Tell the application of `event`.
    IOTKM_OUTPUT_EVENT = 3,
    // The next output needs a buffer of `needed` bytes: poll again with that. Nothing is lost.
    IOTKM_OUTPUT_BUFFER_TOO_SMALL = 4,
} iotkm_output_kind;

// What happened. Small and without secrets.
typedef enum {
    // None, or one that this header does not know yet: ignore it.
    IOTKM_EVENT_NONE = 0,
    // The peer is authenticated and both directions have keys: `fingerprint`, `initiator`.
    IOTKM_EVENT_ESTABLISHED = 1,
    // The session went on from stored state under new keys: `generation`.
    IOTKM_EVENT_RESUMED = 2,
    // Both directions moved to the next generation of record keys: `generation`.
    IOTKM_EVENT_REKEYED = 3,
    // The keys are near the end of their use: start a key update or a new exchange.
    IOTKM_EVENT_REKEY_NEEDED = 4,
    // Pairing is done and stored: `fingerprint`, for people to compare where there is doubt.
    IOTKM_EVENT_PAIRED = 5,
    // A key update was agreed; the next exchange runs under the new triple: `generation`.
    IOTKM_EVENT_UPDATE_AGREED = 6,
    // A key update failed; the session lives on under its keys: `reason`. IOTKM_REASON_UNKNOWN, perhaps several times, is
    // normal after the peer's restart: its log is gone, and this side remembers records that it does not.
    IOTKM_EVENT_UPDATE_FAILED = 7,
    // The new triple replaced the old one, which is erased: `generation`.
    IOTKM_EVENT_KEY_REPLACED = 8,
    // The session has ended, by this side or the peer; connect again to go on.
    IOTKM_EVENT_TERMINATED = 9,
    // The peer's newest record came from a new address, and that address answered a challenge: `to`.
    IOTKM_EVENT_PEER_MOVED = 10,
    // A run ended without its goal: `stage`, `reason`.
    IOTKM_EVENT_FAILED = 11,
    // The store refused a write: what depends on it waits and is tried again: `slot`.
    IOTKM_EVENT_STORE_FAILED = 12,
    // Something that nobody vouches for hints at this, and nothing has changed: to be shown to a user who waits: `reason`.
    IOTKM_EVENT_HINT = 13,
    // The peer has answered a ping: it is there and has the long-term key.
    IOTKM_EVENT_PEER_ALIVE = 14,
    // Both sides are authenticated, without a session.
    IOTKM_EVENT_AUTHENTICATED = 15,
} iotkm_event_kind;

// Which part of a protocol an event speaks of.
typedef enum {
    // None, or one that this header does not know yet.
    IOTKM_STAGE_NONE = 0,
    // First contact.
    IOTKM_STAGE_PAIRING = 1,
    // Agreeing on session keys.
    IOTKM_STAGE_EXCHANGE = 2,
    // Replacing the long-term key.
    IOTKM_STAGE_UPDATE = 3,
    // Going on from stored state.
    IOTKM_STAGE_RESUME = 4,
    // Showing each other credentials: phase 1 of the schemes that have one.
    IOTKM_STAGE_AUTHENTICATION = 5,
    // Asking whether the peer is there.
    IOTKM_STAGE_PING = 6,
} iotkm_stage;

// Why a run ended or an update failed.
typedef enum {
    // None, or one that this header does not know yet.
    IOTKM_REASON_NONE = 0,
    // No answer within all tries: the peer is away, or no longer knows this key. If it stays so, pair again.
    IOTKM_REASON_NO_ANSWER = 1,
    // The peer proved that it has moved past this side's key (this side was rolled back): pair again.
    IOTKM_REASON_PAIR_AGAIN = 2,
    // The peer does not have the record, key or state that was named.
    IOTKM_REASON_UNKNOWN = 3,
    // The other side's run went first.
    IOTKM_REASON_SUPERSEDED = 4,
    // The secret that the user entered is not the same on both sides.
    IOTKM_REASON_WRONG_SECRET = 5,
    // Too many failed attempts: the user has to open the window again.
    IOTKM_REASON_LOCKED = 6,
    // The log holds no record that can be used.
    IOTKM_REASON_NO_RECORD = 7,
    // The user or the application ended it.
    IOTKM_REASON_CANCELLED = 8,
    // Randomness or storage failed.
    IOTKM_REASON_RESOURCE = 9,
    // No suite in common.
    IOTKM_REASON_NO_SUITE = 10,
    // A credential is not accepted, or is over: expired or revoked.
    IOTKM_REASON_CREDENTIAL = 11,
    // One side has a psk for the other, which has none.
    IOTKM_REASON_PSK = 12,
    // The centre has revoked this device: its seed is killed.
    IOTKM_REASON_REVOKED = 13,
    // The key seed is not for this time: enrol the device anew.
    IOTKM_REASON_SEED_EXPIRED = 14,
} iotkm_reason;

// What a peer proved to know.
typedef enum {
    // Nobody was authenticated.
    IOTKM_AUTHENTICATED_NOBODY = 0,
    // The peer of a pairing under the user's secret, by the triple that came of it.
    IOTKM_AUTHENTICATED_PAIRED_PEER = 1,
    // The holder of a credential of the same authority, by its static key and what came of that.
    IOTKM_AUTHENTICATED_HOLDER = 2,
    // A device and the centre that it is enrolled with, by its key seed.
    IOTKM_AUTHENTICATED_ENROLLED = 3,
} iotkm_authenticated;

// Why a datagram was dropped.
typedef enum {
    // Too short, too long, or a field out of range.
    IOTKM_DROPPED_MALFORMED = 0,
    // Another wire version, another scheme, or a message number that nobody sends.
    IOTKM_DROPPED_VERSION = 1,
    // A tag did not verify.
    IOTKM_DROPPED_FORGED = 2,
    // A record or message that was already accepted, or is too old to tell.
    IOTKM_DROPPED_REPLAYED = 3,
    // No key for it: unknown hint, generation or connection id, or no session.
    IOTKM_DROPPED_NO_KEY = 4,
    // It does not belong to what this side is doing now.
    IOTKM_DROPPED_UNEXPECTED = 5,
    // No memory for another run, or for reassembly.
    IOTKM_DROPPED_NO_ROOM = 6,
    // Answering would send an unproven address more than three times what it sent.
    IOTKM_DROPPED_AMPLIFICATION = 7,
    // Too many, too fast: a limit on attempts or searches.
    IOTKM_DROPPED_RATE_LIMITED = 8,
    // An element that is not in the group.
    IOTKM_DROPPED_BAD_ELEMENT = 9,
    // Randomness failed.
    IOTKM_DROPPED_RNG = 10,
} iotkm_dropped;

// What is known of the seed that is to replace a chip's.
typedef enum {
    // There is none.
    IOTKM_PENDING_NONE = 0,
    // This device has answered; whether the centre has it is not known.
    IOTKM_PENDING_ANSWERED = 1,
    // The centre has it, too: it is used from the next micro-certificate on.
    IOTKM_PENDING_CONFIRMED = 2,
} iotkm_pending;

// What happened, for the operator.
typedef enum {
    // Nothing, or something that this header does not know yet.
    IOTKM_CENTRE_NOTHING = 0,
    // The device is authenticated.
    IOTKM_CENTRE_AUTHENTICATED = 1,
    // It is, and a new seed has been agreed on: it will come with that next.
    IOTKM_CENTRE_UPDATE_AGREED = 2,
    // It is, with its new seed: the old one is erased.
    IOTKM_CENTRE_KEY_REPLACED = 3,
    // It is genuine, but was not fresh, and got a challenge: no clock, a wrong one, or a counter that is behind.
    IOTKM_CENTRE_CHALLENGED = 4,
    // As before, and it used a counter that another one with the same seed has used: one of the two is a clone.
    IOTKM_CENTRE_CLONE_SUSPECTED = 5,
    // It is revoked, and has been told so: end its sessions.
    IOTKM_CENTRE_REVOKED = 6,
    // It has killed its seed: end its sessions.
    IOTKM_CENTRE_KILLED = 7,
    // Its seed is not for this year: enrol it anew. Nobody vouches for this.
    IOTKM_CENTRE_SEED_EXPIRED = 8,
    // What is sealed in its row is not what was sealed there: restore it from the back-up.
    IOTKM_CENTRE_WAS_TAMPERED = 9,
} iotkm_centre_event;

// How far a device is, for its centre.
typedef enum {
    // It may authenticate itself.
    IOTKM_STANDING_ENROLLED = 0,
    // It is revoked, and told so as soon as it comes.
    IOTKM_STANDING_REVOKED = 1,
    // It has killed its seed.
    IOTKM_STANDING_KILLED = 2,
} iotkm_standing;

// Which group a device's key is of, as COSE numbers curves.
typedef enum {
    // P-256: x alone, 32 bytes; y is even.
    IOTKM_CURVE_P256 = 1,
    // X25519: 32 bytes.
    IOTKM_CURVE_X25519 = 4,
    // The 2048-bit subgroup of suite -21: 256 bytes.
    IOTKM_CURVE_FFC2048 = -21,
    // The 3072-bit subgroup of suite -22: 384 bytes.
    IOTKM_CURVE_FFC3072 = -22,
    // ristretto255, of credentials alone: 32 bytes.
    IOTKM_CURVE_RISTRETTO255 = -23,
} iotkm_curve;

// What a message says, by its number on the wire.
typedef enum {
    // Operator to agent: a ticket for this device, please: `subject`, `scope`, `curve`, `key`, `key_len`, `lifetime_s`.
    IOTKM_TICKET_MESSAGE_REQUEST = 0,
    // Agent to operator, operator to device: a ticket: `bytes`, `len`.
    IOTKM_TICKET_MESSAGE_TICKET = 1,
    // Agent to operator, operator to device: a revocation list: `bytes`, `len`.
    IOTKM_TICKET_MESSAGE_LIST = 2,
    // Device to operator: what it now holds, in storage: `ticket`, `list_number`.
    IOTKM_TICKET_MESSAGE_ACKNOWLEDGED = 3,
    // Device to operator, agent to operator: what came was not taken: `code`.
    IOTKM_TICKET_MESSAGE_REFUSED = 4,
    // Operator to device: ask for your next credential. For one that cannot tell: it has no clock.
    IOTKM_TICKET_MESSAGE_CREDENTIAL_DUE = 5,
    // Device to operator: a request for a credential, for iotkm_credential_issue(): `bytes`, `len`.
    IOTKM_TICKET_MESSAGE_CREDENTIAL_REQUEST = 6,
    // Operator to device: the answer to that: `bytes`, `len`.
    IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER = 7,
} iotkm_ticket_message_kind;

// ---- types ----

// A group in which a pairing proves that both sides know the user's secret (CPace, draft-irtf-cfrg-cpace): one of the values
// below.
typedef struct iotkm_cpace iotkm_cpace;

// A group that static keys are of: one of the values below.
typedef struct iotkm_kem iotkm_kem;

// A suite of the noninteractive scheme: cipher, and the group of credentials and their keys. One of the values below; what a
// program does not name it does not link.
typedef struct iotkm_noninteractive_suite iotkm_noninteractive_suite;

// How an agent's signatures are checked: one of the values below.
typedef struct iotkm_signature iotkm_signature;

// How an agent signs: one of the values below, each of which says what the `key` beside it is. Devices do not name them.
typedef struct iotkm_signing iotkm_signing;

// A cipher suite: one of the values below. What a program does not name it does not link, if it links with
// `-Wl,--gc-sections` or the like.
typedef struct iotkm_suite iotkm_suite;

// One relation to one peer, whatever the scheme; it lies where you put it and may not be moved. A constructor of a scheme
// (iotkm_history_open()) sets it up, iotkm_wipe() ends it.
typedef struct {
    uint64_t opaque[54];
} iotkm_association;

// A peer's address: bytes that only the application understands (IPv6 address, port and scope fit).
typedef struct {
    // How many of `bytes` are used.
    uint8_t len;
    // The address.
    uint8_t bytes[IOTKM_ADDR_MAX];
} iotkm_addr;

// An event: `kind` says which of the other fields count; the rest are zero.
typedef struct {
    // What happened: an iotkm_event_kind.
    uint32_t kind;
    // Generation of a key.
    uint32_t generation;
    // Which part of the protocol: an iotkm_stage.
    uint32_t stage;
    // Why: an iotkm_reason.
    uint32_t reason;
    // The slot that was not written.
    uint16_t slot;
    // Whether this side started the run.
    bool initiator;
    // The same on both sides: see iotkm_fingerprint_text().
    uint8_t fingerprint[10];
    // The peer's new address.
    iotkm_addr to;
    // In a hub: whose; else IOTKM_HUB_NOBODY.
    uint32_t member;
} iotkm_event;

// (a^u b)^(h key + k): a self-certified key of one epoch, applied to the other side's. A token that multiplies points gives
// P = (a^u b)^key, and the rest is done outside of it: P^h (a^u b)^k.
typedef struct {
    // h: an exponent, 32 bytes in the group's order (ristretto255: little-endian, else big-endian).
    const uint8_t *h;
    // k, likewise: secret.
    const uint8_t *k;
    // u, likewise.
    const uint8_t *u;
    // a: an element of the group, `len` bytes.
    const uint8_t *a;
    // b, likewise.
    const uint8_t *b;
    // Length of an element in bytes: ristretto255 32, P-256 65 (04 | x | y), FFC 256 and 384.
    size_t len;
} iotkm_step;

// What the library needs from the device. Hooks return 0 for ok; each gets its context as first argument. Fill a whole
// structure with zeros first: hooks that are 0 are not there.
typedef struct {
    // sizeof(iotkm_platform).
    size_t struct_size;
    // 32 bytes that only this device has and that never change (fuses, secure element, a file): stored state opens under
    // them alone.
    const uint8_t *device_secret;
    // Fills `out` with `len` random bytes from a source fit for keys. NULL: the operating system's, where the library was
    // built with it.
    int (*random)(void *ctx, uint8_t *out, size_t len);
    // For `random`.
    void *random_ctx;
    // Reads a slot into `out`, its length into `len`; IOTKM_STORE_EMPTY if there is nothing. For iotkm_*_load().
    int (*store_read)(void *ctx, uint16_t slot, uint8_t *out, size_t capacity, size_t *len);
    // Writes a slot: when it returns 0, the bytes survive a power cut; whenever power fails, the slot has its old bytes or
    // the new ones, whole. For iotkm_drain() and iotkm_*_store().
    int (*store_write)(void *ctx, uint16_t slot, const uint8_t *bytes, size_t len);
    // Forgets a slot; for a slot without anything that is ok too.
    int (*store_erase)(void *ctx, uint16_t slot);
    // For the three above.
    void *store_ctx;
    // Sends a datagram. For iotkm_drain(). A datagram that cannot be sent now may be lost: return 0.
    int (*send)(void *ctx, const iotkm_addr *to, const uint8_t *bytes, size_t len);
    // For `send`.
    void *send_ctx;
    // Told what happened. For iotkm_drain(); optional.
    void (*event)(void *ctx, const iotkm_event *event);
    // For `event`.
    void *event_ctx;
    // Told which call failed with which status, for a developer's log; optional.
    void (*log)(void *ctx, const char *call, int status);
    // For `log`.
    void *log_ctx;
    // Writes the public key of a static key that this device holds (in a secure element, or in memory: see
    // iotkm_static_key_public_key()). `key` is the application's number of it; `curve` its group, as COSE numbers it: 4
    // X25519, 1 P-256, -21 and -22 FFC 2048 and 3072. `share` has `len` bytes: 32, 32 (x alone), 256, 384. Returns 0, an
    // IOTKM_KEY_..., or anything else where the token failed. NULL: no static keys. -23 is ristretto255, 32 bytes.
    int (*public_key)(void *ctx, uint16_t key, int curve, uint8_t *share, size_t len);
    // Writes the secret that this key shares with the holder of `share` (ECDH: x of the product), both of `len` bytes as
    // above. A token that wants the whole point of P-256 may take either y. It checks that the share is in the group.
    // Returns as `public_key`. Whatever fails leaves the association as it was.
    int (*agree)(void *ctx, uint16_t key, int curve, const uint8_t *share, uint8_t *secret, size_t len);
    // Writes what a self-certified key gives: the noninteractive scheme needs it, once an epoch; others do not. `out` has
    // `step->len` bytes. Returns as `agree`. iotkm_static_key_step() does it in memory; a token has to give whole points.
    int (*step)(void *ctx, uint16_t key, int curve, const iotkm_step *step, uint8_t *out);
    // For the three above.
    void *keys_ctx;
    // As `agree`, with a public key that somebody keeps: the same will be asked again, and the secret may be remembered.
    // iotkm_remembered_agree() does that. NULL: `agree` is asked each time.
    int (*agree_known)(void *ctx, uint16_t key, int curve, const uint8_t *share, uint8_t *secret, size_t len);
    // For `agree_known`.
    void *agree_known_ctx;
} iotkm_platform;

// The surroundings of a call: keep one, and set `now_ms` before each round of calls.
typedef struct {
    // The hooks.
    const iotkm_platform *platform;
    // Monotonic time in ms; where it starts does not matter.
    uint64_t now_ms;
    // Wall-clock time in ms since 1970-01-01 00:00 UTC; 0: unknown.
    uint64_t wall_ms;
    // Where this device is, in the application's own format; the history scheme sends and logs it with each message. May
    // be NULL.
    const uint8_t *place;
    // Length of `place` in bytes, at most 32.
    size_t place_len;
} iotkm_cx;

// A message from the peer's application.
typedef struct {
    // What it sent, in the memory of the datagram; NULL: the datagram held nothing for the application.
    const uint8_t *payload;
    // Length of `payload` in bytes; an empty message has 0 and a `payload` that is not NULL.
    size_t payload_len;
    // The sender's wall-clock time in ms since 1970; 0: not given.
    uint64_t time_ms;
    // The sender's place, in the memory of the datagram.
    const uint8_t *place;
    // Length of `place` in bytes; 0: not given.
    size_t place_len;
    // In a hub: whose; else IOTKM_HUB_NOBODY.
    uint32_t member;
} iotkm_received;

// An output: `kind` says which of the other fields count; the rest are zero.
typedef struct {
    // What to do: an iotkm_output_kind.
    uint32_t kind;
    // Where to send.
    iotkm_addr to;
    // What to send or store; it lies in the buffer that iotkm_poll() was given.
    const uint8_t *bytes;
    // Length of `bytes`.
    size_t len;
    // Where to store.
    uint16_t slot;
    // Counts the writes to the slot: where there is a monotonic counter for it, set it to this once the bytes are safe.
    uint32_t version;
    // Size in bytes of a buffer that will do.
    size_t needed;
    // When to wake up, on the clock of `now_ms`; IOTKM_NEVER: not before the next input. Whoever stops its clock to sleep does
    // so where this is far off: the other side forgets an unfinished run after 200 s, and this one asks it in vain until its
    // tries are over.
    uint64_t wake_at_ms;
    // In a hub: whose; IOTKM_HUB_NOBODY: the hub's own, or no hub.
    uint32_t member;
    // What happened.
    iotkm_event event;
} iotkm_output;

// Who was authenticated by what, and what would survive which theft: for the application's policy.
typedef struct {
    // What the peer proved to know: an iotkm_authenticated.
    uint32_t authenticated;
    // Records that may still be sent under the current key generation.
    uint32_t budget;
    // Records before this instant stay secret if all that this device holds now is stolen; IOTKM_NEVER: none do.
    uint64_t forward_secrecy_since_ms;
    // A passive thief of everything held before this instant reads nothing sent after it; IOTKM_NEVER: he does.
    uint64_t healing_since_ms;
    // Whether wall-clock time was available in the newest call.
    bool clock;
} iotkm_assurance_record;

// What this device knows about one peer: ids, the triple and its successor, counters. It is stored in a slot, and lent to
// one association at a time, which keeps it up to date there.
typedef struct {
    uint64_t opaque[60];
} iotkm_history_peer;

// A device's name: 1 to 16 bytes (an EUI-64, a UUID, a short text), unique among one user's devices.
typedef struct {
    // How many of `bytes` are used.
    uint8_t len;
    // The id.
    uint8_t bytes[IOTKM_HISTORY_ID_MAX];
} iotkm_history_id;

// The three keys that two devices share, each 32 uniform random bytes. Wipe it after use.
typedef struct {
    // The user's secret.
    uint8_t sk[32];
    // The time.
    uint8_t t[32];
    // The place.
    uint8_t li[32];
} iotkm_history_triple;

// A pairing: wanted only while two devices meet for the first time. The verbs work on its `association`: iotkm_drain(),
// iotkm_receive(), iotkm_timeout(), iotkm_wipe().
typedef struct {
    // For the verbs.
    iotkm_association association;
    uint64_t opaque[228];
} iotkm_history_pairing;

// What an association is told when it is set up. Fill the whole structure with zeros first: what is 0 is the default.
typedef struct {
    // sizeof(iotkm_config).
    size_t struct_size;
    // The longest datagram in bytes that the network carries, at least 32; 0: 1200.
    uint16_t mtu;
    // How often a message is sent before giving up, with pauses of 1, 2, 4, 8, 8, ... seconds; 0: 24.
    uint8_t tries;
    // Length of the connection id in bytes, at most 8; 0: none.
    uint8_t cid_len;
    // The connection id under which this side wants to receive: for hubs. On one socket all must have the same length.
    uint8_t cid[8];
    // Records sent under one key before the next begins, at most 2^20; 0: 2^20.
    uint32_t rekey_after;
} iotkm_config;

// An entry of the log of messages.
typedef struct {
    uint64_t opaque[7];
} iotkm_history_entry;

// Memory for two runs at once (one of this side's, one of the peer's) and for putting together messages at a small MTU.
typedef struct {
    uint64_t opaque[119];
} iotkm_history_memory;

// Memory for one run at a time, where no message is longer than the MTU: see iotkm_history_open_small().
typedef struct {
    uint64_t opaque[46];
} iotkm_history_memory_small;

// Many associations on one socket: it finds out whose each datagram is, at the same cost however many there are, and asks
// strangers for a cookie first when it is busy. It lies where you put it and may not be moved.
typedef struct {
    uint64_t opaque[32];
} iotkm_hub;

// What a hub needs for each member.
typedef struct {
    uint64_t opaque[24];
} iotkm_hub_member;

// A source of randomness around another one, hedged by the device's secret: whoever does not know that learns nothing from a
// weak, known or chosen source (RFC 8937's idea). Needs: no (counter, 32 bytes of the source) comes twice.
typedef struct {
    uint64_t opaque[8];
} iotkm_hedge;

// A static key of a curve in memory (of any group: iotkm_static_key_ffc), for devices without a secure element. Let `public_key`
// and `agree` of a platform be iotkm_static_key_public_key and iotkm_static_key_agree (of a key of iotkm_growing_...: `step`
// iotkm_static_key_step), and `keys_ctx` the key. Where there are several, hooks of your own ask one after the other until one
// does not say IOTKM_KEY_NONE.
typedef struct {
    uint64_t opaque[16];
} iotkm_static_key;

// A static key of any group in memory: longer than an iotkm_static_key, which it begins with.
typedef struct {
    // For all functions here but those that end in _ffc.
    iotkm_static_key key;
    uint64_t opaque[44];
} iotkm_static_key_ffc;

// What a device's static keys share with the peers that it met last: of a first contact with one of them the key is asked half as
// often. That is worth it where the key is slow (a secure element, a token), or where a hub meets many. In memory only; it may not
// be moved. Let `agree_known` of the platform be iotkm_remembered_agree and `agree_known_ctx` this.
//
// It costs little: who reads these secrets can be nobody's peer by them, since the keys themselves go into every session.
typedef struct {
    uint64_t opaque[7];
} iotkm_remembered;

// Memory for one peer.
typedef struct {
    uint64_t opaque[9];
} iotkm_remembered_peer;

// The agent whose tickets a device goes by. What it points to lies elsewhere, for as long as it is used.
typedef struct {
    // The agent's name: 1 to IOTKM_NAME_MAX bytes.
    const char *name;
    // How it signs.
    const iotkm_signature *signature;
    // Its public key.
    const uint8_t *key;
    // Length of `key` in bytes.
    size_t key_len;
} iotkm_agent;

// A revocation list: the serials of an agent's tickets that are no longer good.
typedef struct {
    // The agent's name.
    char issuer[IOTKM_NAME_TEXT];
    // When it was issued, in seconds since 1970.
    uint64_t issued_at;
    // Its number; a higher one is newer.
    uint32_t number;
    // How many serials it holds.
    uint32_t count;
    // The whole list, where it was given.
    const uint8_t *bytes;
    // Length of `bytes`.
    size_t len;
} iotkm_revocation_list;

// A ticket: an agent's word that a device has a key, for a time. Times are seconds since 1970-01-01 00:00 UTC, texts UTF-8.
typedef struct {
    // The agent's name.
    char issuer[IOTKM_NAME_TEXT];
    // The device's name.
    char subject[IOTKM_NAME_TEXT];
    // What the device may do: words with blanks between them, or empty.
    char scope[IOTKM_NAME_TEXT];
    // When it was issued.
    uint64_t issued_at;
    // From when on it is valid.
    uint64_t not_before;
    // From when on it is no longer valid.
    uint64_t expires;
    // The agent's number for it, never given twice.
    uint32_t serial;
    // What stands for it: the front of its SHA-256.
    uint8_t reference[IOTKM_REFERENCE_LEN];
    // The group of the device's key: an iotkm_curve.
    int curve;
    // The device's public key, within `bytes`.
    const uint8_t *key;
    // Length of `key` in bytes.
    size_t key_len;
    // The whole ticket, where it was given or (from a wallet) in the wallet's memory, until that changes.
    const uint8_t *bytes;
    // Length of `bytes`.
    size_t len;
} iotkm_ticket;

// What a ticket shall say: see iotkm_ticket. Fill the whole structure with zeros first.
typedef struct {
    // The agent's name.
    const char *issuer;
    // The device's name.
    const char *subject;
    // What the device may do; NULL: nothing in particular.
    const char *scope;
    // When it is issued.
    uint64_t issued_at;
    // From when on it is valid; 0: from when it is issued.
    uint64_t not_before;
    // From when on it is no longer valid.
    uint64_t expires;
    // A number that is never given twice.
    uint32_t serial;
    // The group of the device's key: an iotkm_curve.
    int curve;
    // The device's public key.
    const uint8_t *key;
    // Length of `key` in bytes.
    size_t key_len;
} iotkm_claims;

// What a device holds of tickets: two of its own (one takes the other's place), the newest revocation list, and how late it is
// at least. It lies where you put it and may not be moved; associations are lent it, several at once if need be.
//
// Whatever changes it is stored before it is acknowledged: while iotkm_wallet_needs_store() says 1, iotkm_wallet_store().
typedef struct {
    uint64_t opaque[36];
} iotkm_wallet;

// What agent, operator and device say to each other, as the payload of an association's records: `kind` says which of the other
// fields count; the rest are zero. Texts are UTF-8. To write one, fill the whole structure with zeros first.
typedef struct {
    // What it says: an iotkm_ticket_message_kind.
    uint32_t kind;
    // The group of the device's key: an iotkm_curve.
    int curve;
    // The device's name.
    char subject[IOTKM_NAME_TEXT];
    // What it may do: words with blanks between them, or empty.
    char scope[IOTKM_NAME_TEXT];
    // The device's public key; of a message that was read, within its bytes. That it is the device's, the operator answers for.
    const uint8_t *key;
    // Length of `key` in bytes.
    size_t key_len;
    // How long the ticket shall be valid, in seconds.
    uint64_t lifetime_s;
    // A ticket, a list, a request for a credential or an answer; of a message that was read, within its bytes. Nobody has looked
    // at its signature yet: iotkm_ticket_verify(), iotkm_revocation_list_verify().
    const uint8_t *bytes;
    // Length of `bytes`.
    size_t len;
    // What stands for the newest ticket, or for the credential.
    uint8_t ticket[IOTKM_REFERENCE_LEN];
    // The number of the revocation list; 0: none.
    uint32_t list_number;
    // Why: an iotkm_status that says refused, or what another version of this library says.
    int64_t code;
} iotkm_ticket_message;

// A ticket agent's numbers: none is given twice, wherever its power is cut. Its key is given to each call (see iotkm_signing);
// which tickets it issued is its caller's record. Devices do not have one: they go by an iotkm_agent.
//
// Numbers count from 1, and 256 are reserved with each write to storage. So store it before the first number, and again
// whenever a call says IOTKM_E_WRONG_STATE; also after a start, which goes on behind the numbers that were reserved.
typedef struct {
    uint64_t opaque[16];
} iotkm_ticket_agent;

// An operator's view of its devices: when each one's ticket or credential ends, and how far the next one is. It holds none: those
// that wait for their devices, its caller keeps, and how each ticket is asked for (iotkm_ticket_request()). It may not be moved.
// Times are seconds since 1970-01-01 00:00 UTC.
//
// Nothing of it need be stored: after a start say again which tickets there are (iotkm_operator_knows(),
// iotkm_operator_issued()). An acknowledgement forgotten that way costs one more push.
//
// Of credentials the same (iotkm_operator_knows_credential(), iotkm_operator_issued_credential()), but who is asked is the device
// itself, by an IOTKM_TICKET_MESSAGE_CREDENTIAL_DUE: a part of its next key is its own.
typedef struct {
    uint64_t opaque[8];
} iotkm_operator;

// A device in an operator's memory: as many of these as it can know devices.
typedef struct {
    uint64_t opaque[9];
} iotkm_operator_entry;

// A credential: a name and a time, from which, with its operator's key, anybody computes the device's public key. Nothing in
// it is signed: it says nothing until its owner has been through a handshake.
typedef struct {
    // The device's name.
    char subject[IOTKM_NAME_TEXT];
    // When it was issued, and from when on it is valid, in seconds since 1970.
    uint64_t issued_at;
    // From when on it is no longer valid, in seconds since 1970.
    uint64_t expires;
    // The operator's number for it, never given twice.
    uint32_t serial;
    // What stands for it: the front of its SHA-256.
    uint8_t reference[IOTKM_REFERENCE_LEN];
    // The whole credential, where it was given or (from a holder) in the holder's memory, until that changes.
    const uint8_t *bytes;
    // Length of `bytes`.
    size_t len;
} iotkm_credential;

// How far a device's next ticket is.
typedef struct {
    // The device's name.
    char device[IOTKM_NAME_TEXT];
    // When the ticket or the credential that it holds ends.
    uint64_t expires;
    // When the agent (for a credential the device) was asked for the next one; 0: not asked, or it has come.
    uint64_t asked_at;
    // Whether the next one waits for the device.
    bool is_waiting;
    // What stands for that.
    uint8_t waiting[IOTKM_REFERENCE_LEN];
} iotkm_renewal;

// What this device knows about one peer: its name and ticket, the pairwise master key and its successor. It is stored in a
// slot, and lent to one association at a time, which keeps it up to date there.
typedef struct {
    uint64_t opaque[108];
} iotkm_interactive_peer;

// What an association with tickets is told when it is set up. Fill the whole structure with zeros first.
typedef struct {
    // sizeof(iotkm_interactive_setup).
    size_t struct_size;
    // The group of this device's static key and of all tickets: iotkm_x25519 or iotkm_p256; with iotkm_interactive_open_ffc()
    // also iotkm_ffc2048 or iotkm_ffc3072.
    const iotkm_kem *kem;
    // The suites that this side would use, its favourite first, all of that group. The array is lent until iotkm_wipe().
    const iotkm_suite *const *suites;
    // How many `suites` there are: 1 to 8.
    size_t suite_count;
    // The number of the static key that this device's ticket is for, as the platform's hooks know it.
    uint16_t key;
    // Whether another key takes its place: `next_key` counts too.
    bool has_next_key;
    // The number of that one.
    uint16_t next_key;
    // How long what a first contact agrees on shall live, in seconds; the shorter of both sides' wishes counts. 0: no wish.
    uint32_t life_s;
} iotkm_interactive_setup;

// Memory for two runs at once (one of this side's, one of the peer's) and for putting together messages at a small MTU.
typedef struct {
    uint64_t opaque[380];
} iotkm_interactive_memory;

// A peer whose tickets may be of the FFC groups: longer than an iotkm_interactive_peer, which it begins with.
typedef struct {
    // For all functions here but those that end in _ffc.
    iotkm_interactive_peer peer;
    uint64_t opaque[44];
} iotkm_interactive_peer_ffc;

// Memory for two runs at once where tickets and shares may be of the FFC groups: see iotkm_interactive_open_ffc().
typedef struct {
    uint64_t opaque[712];
} iotkm_interactive_memory_ffc;

// Memory for one run at a time, where no message is longer than the MTU: see iotkm_interactive_open_leaf().
typedef struct {
    uint64_t opaque[130];
} iotkm_interactive_memory_small;

// What a device holds: its own credential, its operator's newest revocation list, and how late it is at least. It lies where
// you put it and may not be moved; associations are lent it, several at once if need be.
//
// Whatever changes it is stored before it counts: while iotkm_holder_needs_store() says 1, iotkm_holder_store(). A new
// credential has a new private key: store that first; associations that there are go on under the old one until they end.
typedef struct {
    uint64_t opaque[41];
} iotkm_holder;

// Whose credentials a device goes by. What it points to lies elsewhere, for as long as it is used.
typedef struct {
    // The suite of its credentials.
    const iotkm_noninteractive_suite *suite;
    // Its name, and the key that signs its revocation lists: another one than `key`.
    const iotkm_agent *agent;
    // The public key of iotkm_operator_key_public().
    const uint8_t *key;
    // Length of `key` in bytes: 32; of the FFC groups 256 and 384.
    size_t key_len;
} iotkm_credential_operator;

// What an operator says in a credential. Fill the whole structure with zeros first.
typedef struct {
    // The operator's name.
    const char *issuer;
    // When it is issued, in seconds since 1970.
    uint32_t issued_at;
    // A number that is never given twice.
    uint32_t serial;
    // How long it is valid, in hours: at least 1.
    uint16_t life_h;
} iotkm_credential_terms;

// An association of this scheme: longer than an iotkm_association, which it begins with.
typedef struct {
    // For the verbs, and all functions here but the constructors.
    iotkm_association association;
    uint64_t opaque[19];
} iotkm_noninteractive;

// What this device knows about one peer: its name and credential, and how far the progression with it has come. It is stored
// in a slot, and lent to one association at a time, which keeps it up to date there.
typedef struct {
    uint64_t opaque[82];
} iotkm_noninteractive_peer;

// What an association with credentials is told when it is set up. Fill the whole structure with zeros first: what is 0 is the
// default. The three times are the wish of the side that connects, and hold for both.
typedef struct {
    // sizeof(iotkm_noninteractive_setup).
    size_t struct_size;
    // The number of the static key of this device's credential, as the platform's hooks know it.
    uint16_t key;
    // Whether another credential takes the place of that one: `next_key` counts too.
    bool has_next_key;
    // The number of its key.
    uint16_t next_key;
    // The length of an epoch in seconds; 0: 3600.
    uint32_t interval_s;
    // After how many epochs there has to be another handshake, at most 65535; 0: 8760.
    uint16_t length;
    // After how many seconds there has to be one; 0: `length` alone says so.
    uint32_t life_s;
} iotkm_noninteractive_setup;

// Memory for two runs at once (one of this side's, one of the peer's) and for putting together messages at a small MTU.
typedef struct {
    uint64_t opaque[234];
} iotkm_noninteractive_memory;

// Memory for one run at a time, where no message is longer than the MTU: see iotkm_noninteractive_open_small().
typedef struct {
    uint64_t opaque[90];
} iotkm_noninteractive_memory_small;

// A peer with a credential of an FFC group: longer than an iotkm_noninteractive_peer, which it begins with.
typedef struct {
    // For all functions here but those that end in _ffc.
    iotkm_noninteractive_peer peer;
    uint64_t opaque[122];
} iotkm_noninteractive_peer_ffc;

// Memory for two runs at once with the FFC groups: see iotkm_noninteractive_open_ffc().
typedef struct {
    uint64_t opaque[710];
} iotkm_noninteractive_memory_ffc;

// What a device has of its enrolment with one centre: key seed, counters, floor time. It is stored in two slots, and lent to
// one association at a time, which keeps it up to date there.
typedef struct {
    uint64_t opaque[155];
} iotkm_chip;

// A chip's two blobs, and what keeps old ones from being put back.
typedef struct {
    // The slot of the seed.
    uint16_t seed_slot;
    // The slot of all else.
    uint16_t state_slot;
    // Value of the seed slot's monotonic counter, 0 where there is none.
    uint32_t seed_floor;
    // Likewise of the other slot.
    uint32_t state_floor;
    // What is in the seed slot.
    const uint8_t *seed;
    // Its length in bytes.
    size_t seed_len;
    // What is in the other slot.
    const uint8_t *state;
    // Its length in bytes.
    size_t state_len;
} iotkm_chip_stored;

// What may be shown of a chip.
typedef struct {
    // The device's id.
    iotkm_history_id id;
    // The centre's.
    iotkm_history_id centre;
    // Number of the suite that it was enrolled with.
    int suite;
    // Whether it was enrolled as a device without a clock.
    bool clockless;
    // Whether the centre has confirmed the enrolment.
    bool confirmed;
    // Whether it was revoked: the seed is killed.
    bool revoked;
    // How often the seed was replaced.
    uint32_t generation;
    // What is known of the seed that is to replace it: an iotkm_pending.
    uint32_t pending;
    // The first year whose row is still there; above `last_year` where none is.
    uint16_t first_year;
    // The last year that the seed is for.
    uint16_t last_year;
    // The newest time that the centre gave, in ms since 1970: it is at least that late.
    uint64_t floor_ms;
} iotkm_chip_record;

// Memory for a run of a device's.
typedef struct {
    uint64_t opaque[48];
} iotkm_microcert_memory;

// One centre: many devices, whose rows are in a database of the program's. It has no session and no timer: each datagram is
// answered at once, or not at all.
typedef struct {
    uint64_t opaque[20];
} iotkm_centre;

// Where a centre's rows and keys are. Hooks return 0 for ok, IOTKM_STORE_EMPTY, IOTKM_CENTRE_STALE or IOTKM_CENTRE_TAMPERED where
// that is said, anything else for a failure; each gets its context first. Fill the whole structure with zeros first.
typedef struct {
    // sizeof(iotkm_centre_stores).
    size_t struct_size;
    // Reads a device's row: its state, of at most `capacity` (IOTKM_CENTRE_STATE_MAX) bytes, and its sealed seed
    // (IOTKM_CENTRE_SEED_LEN). IOTKM_STORE_EMPTY where there is none.
    int (*row_read)(void *ctx,
                    const iotkm_history_id *id,
                    uint8_t *state,
                    size_t capacity,
                    size_t *state_len,
                    uint8_t *seed);
    // Writes a device's row if the stored one has the version before `version`, or if there is none and that is 1; else
    // IOTKM_CENTRE_STALE. `seed` NULL: it stays as it is. It is durable when this returns 0.
    int (*row_swap)(void *ctx,
                    const iotkm_history_id *id,
                    uint32_t version,
                    const uint8_t *state,
                    size_t state_len,
                    const uint8_t *seed);
    // For the two above.
    void *rows_ctx;
    // K_trans, K_store and K_mac, 32 random bytes each, in memory; NULL: they are in a token behind the hooks below.
    const uint8_t *keys;
    // Writes a chip's transport key, 16 bytes: AES-256-CMAC under K_trans of u32 1, `iotkm1 microcert transport`, 0, the id, u32 128.
    int (*transport_key)(void *ctx, const iotkm_history_id *id, uint8_t *key);
    // Unwraps a seed (AES key wrap under the transport key, 984 bytes) and seals it for its place, 992 bytes.
    // IOTKM_CENTRE_TAMPERED where it is not that chip's.
    int (*transcrypt)(void *ctx,
                      const iotkm_history_id *id,
                      const uint8_t *bind,
                      const uint8_t *transported,
                      uint8_t *stored);
    // Opens sixteen rows of a stored seed, 16 bytes each, whose numbers these are, once its tag has verified.
    int (*rows)(void *ctx, const uint8_t *bind, const uint8_t *stored, const uint8_t *numbers, uint8_t *rows);
    // Seals all but the last 16 bytes, where they lie, for the place that the 16 bytes of `bind` name: AES-256-CBC under K_store,
    // its IV AES-256-CMAC under K_mac of 1 and `bind`; the last 16 bytes are that of 2, `bind` and the ciphertext.
    int (*seal)(void *ctx, const uint8_t *bind, uint8_t *text, size_t len);
    // Opens what `seal` sealed, where it lies.
    int (*open)(void *ctx, const uint8_t *bind, uint8_t *text, size_t len);
    // For the five above.
    void *keys_ctx;
} iotkm_centre_stores;

// A cell of the table that bounds how many seeds are unwrapped for nothing: four for each device are plenty.
typedef struct {
    uint32_t opaque[2];
} iotkm_centre_share;

// Room for an answer that a device may not have got: as many as devices are at it at a time, and some more.
typedef struct {
    uint8_t opaque[83];
} iotkm_centre_kept;

// What a centre is told when it is set up. Fill the whole structure with zeros first: what is 0 is the default. What it points to
// is lent until iotkm_centre_wipe().
typedef struct {
    // sizeof(iotkm_centre_setup).
    size_t struct_size;
    // Its id.
    iotkm_history_id id;
    // The suites of its devices: ..._symmetric ones.
    const iotkm_suite *const *suites;
    // How many: 1 to 8.
    size_t suite_count;
    // How far a device's clock may be from the centre's, in seconds; 0: 300.
    uint32_t window_s;
    // How long a challenge is good for, in seconds; 0: 60.
    uint32_t challenge_s;
    // How long after its end a year's row is kept, in seconds: as long, signatures of that year verify; 0: 31 days.
    uint32_t grace_s;
    // Where its rows and keys are.
    const iotkm_centre_stores *stores;
    // A table of cells.
    iotkm_centre_share *shares;
    // How many.
    size_t share_count;
    // A table of answers.
    iotkm_centre_kept *answers;
    // How many; may be 0.
    size_t answer_count;
} iotkm_centre_setup;

// What came of a datagram.
typedef struct {
    // What goes back to where it came from, in the buffer that iotkm_centre_receive() was given; NULL: nothing.
    const uint8_t *reply;
    // Its length in bytes.
    size_t reply_len;
    // What happened: an iotkm_centre_event.
    uint32_t event;
    // Whose it was, where something happened.
    iotkm_history_id id;
    // Whether a session was granted, which takes the place of any that this device had: see iotkm_served_open().
    bool has_session;
} iotkm_handled;

// A session that a device was granted, to be made an association of. It holds keys: open it, or wipe it.
typedef struct {
    uint64_t opaque[28];
} iotkm_accepted;

// What may be shown of a device of a centre's.
typedef struct {
    // Number of the suite that it was enrolled with.
    int suite;
    // Whether it was enrolled as a device without a clock.
    bool clockless;
    // How far it is: an iotkm_standing.
    uint32_t standing;
    // How often its seed was replaced.
    uint32_t generation;
    // Whether a new seed is wanted and not there yet.
    bool updating;
    // What is known of the seed that is to replace it: an iotkm_pending.
    uint32_t pending;
    // The first year whose row is still there; above `last_year` where none is.
    uint16_t first_year;
    // The last year that the seed is for.
    uint16_t last_year;
    // The lowest counter that is taken from it.
    uint32_t counter;
    // When it was authenticated last, in ms since 1970; 0: never.
    uint64_t seen_ms;
} iotkm_device_record;

// Who signed, and when.
typedef struct {
    // The device.
    iotkm_history_id id;
    // When, by its own clock, in ms since 1970; seconds are whole.
    uint64_t time_ms;
    // How many micro-certificates and signatures it had made before.
    uint32_t counter;
} iotkm_signed;

// Memory for the runs of a centre's session.
typedef struct {
    uint64_t opaque[64];
} iotkm_served_memory;

// A part of what is to be signed.
typedef struct {
    // The bytes.
    const uint8_t *bytes;
    // Length of `bytes`.
    size_t len;
} iotkm_part;

// A signature key that lives elsewhere: the key of iotkm_signing_external.
typedef struct {
    // How it signs.
    const iotkm_signature *signature;
    // Its public key. What the hook gives is checked with it.
    const uint8_t *key;
    // Length of `key` in bytes.
    size_t key_len;
    // Writes the signature, IOTKM_SIGNATURE_LEN bytes (of ES256 r | s), of a message in up to four parts, one after the other.
    // Returns 0; IOTKM_KEY_PENDING while the token works: the call then says IOTKM_E_KEY_PENDING, to be made again as it was;
    // anything else where it failed (IOTKM_E_HOOK). No number is used up then.
    int (*sign)(void *ctx, const iotkm_part *parts, size_t count, uint8_t *signature);
    // For `sign`.
    void *sign_ctx;
} iotkm_external_key;































#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// ---- algorithms: what is not named is not linked ----

// Suite 0: AES-CCM with 8-byte tags, X25519. The default.
extern const iotkm_suite iotkm_suite_0;

// Suite 0 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
extern const iotkm_suite iotkm_suite_0_symmetric;

// Suite 1: AES-CCM with 16-byte tags, X25519.
extern const iotkm_suite iotkm_suite_1;

// Suite 1 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
extern const iotkm_suite iotkm_suite_1_symmetric;

// Suite 2: AES-CCM with 8-byte tags, P-256.
extern const iotkm_suite iotkm_suite_2;

// Suite 2 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
extern const iotkm_suite iotkm_suite_2_symmetric;

// Suite 3: AES-CCM with 16-byte tags, P-256.
extern const iotkm_suite iotkm_suite_3;

// Suite 3 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
extern const iotkm_suite iotkm_suite_3_symmetric;

// Suite 4: ChaCha20/Poly1305, X25519: the fastest on a microcontroller without AES hardware.
extern const iotkm_suite iotkm_suite_4;

// Suite 4 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
extern const iotkm_suite iotkm_suite_4_symmetric;

// Suite 5: ChaCha20/Poly1305, P-256.
extern const iotkm_suite iotkm_suite_5;

// Suite 5 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
extern const iotkm_suite iotkm_suite_5_symmetric;

// Suite -21: AES-CCM with 8-byte tags, a subgroup of Z_p* with p of 2048 bits: the papers' setting.
extern const iotkm_suite iotkm_suite_ffc2048;

// Suite -22: AES-CCM with 8-byte tags, a subgroup of Z_p* with p of 3072 bits.
extern const iotkm_suite iotkm_suite_ffc3072;

// ristretto255, with SHA-512. Goes with suites 0, 1 and 4.
extern const iotkm_cpace iotkm_cpace_ristretto255;

// P-256. Goes with suites 2, 3 and 5.
extern const iotkm_cpace iotkm_cpace_p256;

// X25519. Goes with suites 0, 1 and 4.
extern const iotkm_kem iotkm_x25519;

// P-256. Goes with suites 2, 3 and 5.
extern const iotkm_kem iotkm_p256;

// A subgroup of Z_p* with p of 2048 bits. Goes with suite -21.
extern const iotkm_kem iotkm_ffc2048;

// A subgroup of Z_p* with p of 3072 bits. Goes with suite -22.
extern const iotkm_kem iotkm_ffc3072;

// ristretto255, for keys of credentials: with iotkm_noninteractive_suite_0, 1 and 4.
extern const iotkm_kem iotkm_growing_ristretto255;

// P-256, for keys of credentials: with iotkm_noninteractive_suite_2, 3 and 5.
extern const iotkm_kem iotkm_growing_p256;

// The subgroup of Z_p* with p of 2048 bits, for keys of credentials: with iotkm_noninteractive_suite_ffc2048.
extern const iotkm_kem iotkm_growing_ffc2048;

// The subgroup of Z_p* with p of 3072 bits, for keys of credentials: with iotkm_noninteractive_suite_ffc3072.
extern const iotkm_kem iotkm_growing_ffc3072;

// Ed25519; keys have 32 bytes.
extern const iotkm_signature iotkm_eddsa;

// ECDSA on P-256 with SHA-256; keys have 65 bytes, 04 | x | y.
extern const iotkm_signature iotkm_es256;

// Ed25519; the key is a seed, 32 uniformly random bytes to be kept secret.
extern const iotkm_signing iotkm_signing_eddsa;

// ECDSA on P-256 with SHA-256, deterministic (RFC 6979); the key is a scalar, 32 bytes, big-endian, to be kept secret.
extern const iotkm_signing iotkm_signing_es256;

// A key that lives elsewhere; the key is an iotkm_external_key.
extern const iotkm_signing iotkm_signing_external;

// Suite 0: AES-CCM with 8-byte tags, ristretto255.
extern const iotkm_noninteractive_suite iotkm_noninteractive_suite_0;

// Suite 1: AES-CCM with 16-byte tags, ristretto255.
extern const iotkm_noninteractive_suite iotkm_noninteractive_suite_1;

// Suite 2: AES-CCM with 8-byte tags, P-256.
extern const iotkm_noninteractive_suite iotkm_noninteractive_suite_2;

// Suite 3: AES-CCM with 16-byte tags, P-256.
extern const iotkm_noninteractive_suite iotkm_noninteractive_suite_3;

// Suite 4: ChaCha20/Poly1305, ristretto255: the fastest on a microcontroller without AES hardware.
extern const iotkm_noninteractive_suite iotkm_noninteractive_suite_4;

// Suite 5: ChaCha20/Poly1305, P-256.
extern const iotkm_noninteractive_suite iotkm_noninteractive_suite_5;

// Suite -21: AES-CCM with 8-byte tags, a subgroup of Z_p* with p of 2048 bits: the papers' setting. Peers and memory are those
// that end in _ffc.
extern const iotkm_noninteractive_suite iotkm_noninteractive_suite_ffc2048;

// Suite -22: AES-CCM with 8-byte tags, a subgroup of Z_p* with p of 3072 bits. Peers and memory are those that end in _ffc.
extern const iotkm_noninteractive_suite iotkm_noninteractive_suite_ffc3072;

// ---- errors ----

// What is wrong and how to mend it, in one line of English; never NULL. Programs that do not call it do not link the texts.
// Shown in examples/c/one.c.
const char *iotkm_strerror(int status);

// ---- the verbs, on associations of any scheme ----

// Example:
//
//     /* The size as both see it; whom the session is with; what its keys are good for. */
//     iotkm_assurance_record standing;
//     uint8_t fingerprint[10], key[32];
//     char text[IOTKM_FINGERPRINT_TEXT];
//     uint16_t forged;
//     if (iotkm_association_size() != sizeof a) return;              /* another version of the library */
//     iotkm_fingerprint(&a, fingerprint);
//     iotkm_fingerprint_text(fingerprint, text);                     /* ABCD-EFGH-IJKL-MN23, the same on both sides */
//     iotkm_peer_addr(&a, &from);
//     iotkm_assurance(&a, &standing);
//     if (standing.budget < 100) iotkm_history_update(&a, &cx);      /* so few records are left under these keys */
//     iotkm_exporter(&a, "mqtt", NULL, 0, key, sizeof key);          /* for another protocol */
//     iotkm_drops(&a, IOTKM_DROPPED_FORGED, &forged);
//     if (iotkm_send(&a, &cx, payload, payload_len, out, sizeof out, &len, &to) == IOTKM_E_TOO_LONG)
//         payload_len = iotkm_needed(&a);                            /* so much fits */

// sizeof(iotkm_association) as the library was built: compare it with yours where header and library may differ.
size_t iotkm_association_size(void);

// Seals `payload` into `out` as one datagram for the peer, to be sent to the address `to`.
//
// `out` needs room for the payload and the overhead; the configured MTU always does. It must not overlap the payload.
// Errors: IOTKM_E_NOT_ESTABLISHED, IOTKM_E_BUFFER_TOO_SMALL, IOTKM_E_TOO_LONG, IOTKM_E_KEY_EXHAUSTED, IOTKM_E_UNDRAINED.
int iotkm_send(iotkm_association *association,
               const iotkm_cx *cx,
               const uint8_t *payload,
               size_t payload_len,
               uint8_t *out,
               size_t out_capacity,
               size_t *out_len,
               iotkm_addr *to);

// Takes in one datagram from the address `from`, in whose memory it opens what the peer sent.
//
// `received->payload` is NULL if there is nothing for the application. Whatever does not parse or verify is dropped and
// counted (iotkm_drops()), never an error. Errors: IOTKM_E_UNDRAINED, IOTKM_E_RNG.
int iotkm_receive(iotkm_association *association,
                  const iotkm_cx *cx,
                  const iotkm_addr *from,
                  uint8_t *datagram,
                  size_t datagram_len,
                  iotkm_received *received);

// Does what is due at `cx->now_ms`. Calls too early or too often do nothing. Errors: IOTKM_E_UNDRAINED, IOTKM_E_RNG.
int iotkm_timeout(iotkm_association *association,
                  const iotkm_cx *cx);

// Hands out the next thing to do: call it after every other verb until it says IOTKM_OUTPUT_IDLE (or let iotkm_drain() do
// all that). `out` is where the output's bytes go; the MTU, or the blob's size if that is larger, will do.
// Shown in examples/c/operator.c.
int iotkm_poll(iotkm_association *association,
               const iotkm_cx *cx,
               uint8_t *out,
               size_t out_capacity,
               iotkm_output *output);

// The answer to IOTKM_OUTPUT_PERSIST: `status` is 0 if the bytes are safe in that slot, anything else if they could not be
// written.
// Shown in examples/c/operator.c.
int iotkm_persisted(iotkm_association *association,
                    uint16_t slot,
                    int status);

// Key material for another protocol (RFC 5705): the same on both sides for the same label (at most 255 bytes) and context.
// `len` is at most 8160. Errors: IOTKM_E_NOT_ESTABLISHED, IOTKM_E_BAD_ARGUMENT.
int iotkm_exporter(iotkm_association *association,
                   const char *label,
                   const uint8_t *context,
                   size_t context_len,
                   uint8_t *out,
                   size_t len);

// Seals the session into `out`, to go on after a restart with three short messages: iotkm_restore(). The blob holds no key
// that a record was or will be sealed under. IOTKM_SESSION_BLOB_MAX bytes will do.
// Errors: IOTKM_E_NOT_ESTABLISHED, IOTKM_E_BUFFER_TOO_SMALL.
// Shown in examples/firmware/cortex-m/session.c.
int iotkm_export(iotkm_association *association,
                 const iotkm_cx *cx,
                 uint8_t *out,
                 size_t out_capacity,
                 size_t *out_len);

// Goes on from a blob of iotkm_export(), on an association that was just set up: IOTKM_EVENT_RESUMED says when new keys are
// there. Export again after that: the old blob is of no more use. Errors: IOTKM_E_BAD_BLOB, IOTKM_E_WRONG_STATE (a session
// or a run is there), IOTKM_E_RNG.
int iotkm_restore(iotkm_association *association,
                  const iotkm_cx *cx,
                  const uint8_t *blob,
                  size_t blob_len);

// 1 if there is a session to send on, 0 if not, or an error.
// Shown in examples/c/operator.c.
int iotkm_is_established(iotkm_association *association);

// The peer's current address. Error: IOTKM_E_NOT_ESTABLISHED before it is known.
int iotkm_peer_addr(iotkm_association *association, iotkm_addr *addr);

// The session's standing. Error: IOTKM_E_NOT_ESTABLISHED.
int iotkm_assurance(iotkm_association *association, iotkm_assurance_record *assurance);

// The session's fingerprint, 10 bytes, the same on both sides. Error: IOTKM_E_NOT_ESTABLISHED.
int iotkm_fingerprint(iotkm_association *association, uint8_t *fingerprint);

// Writes 10 bytes of a fingerprint as text for people: four groups of four letters or digits, like `ABCD-EFGH-IJKL-MN23`,
// and a NUL; IOTKM_FINGERPRINT_TEXT (20) bytes in all.
int iotkm_fingerprint_text(const uint8_t *fingerprint,
                           char *text);

// How many datagrams were dropped for this reason (IOTKM_DROPPED_...), 65535 meaning that many or more.
// Error: IOTKM_E_BAD_ARGUMENT for a reason that does not exist.
int iotkm_drops(iotkm_association *association, uint32_t reason, uint16_t *count);

// The size in bytes that the newest IOTKM_E_BUFFER_TOO_SMALL or IOTKM_E_TOO_LONG of this association named; 0 if none did.
size_t iotkm_needed(iotkm_association *association);

// Ends the session: the peer is told by one datagram (poll), the keys are wiped when that is handed out.
// Error: IOTKM_E_NOT_ESTABLISHED.
// Shown in examples/c/device.c.
int iotkm_close(iotkm_association *association);

// Wipes the association and the memory that it was lent, telling nobody. What it held (a peer) may be used again; the
// association itself is refused by every function but a constructor. Error: IOTKM_E_NOT_SET_UP where there is nothing to
// wipe, IOTKM_E_BUSY while it is in a hub.
int iotkm_wipe(iotkm_association *association);

// Polls until idle: sends, stores and reports what comes out by the platform's hooks `send`, `store_write` and `event`, and
// writes when to call iotkm_timeout(). Call it after every other verb. `out` as in iotkm_poll().
//
// A failed `store_write` is reported to the association, which waits and tries again; a failed `send` ends the call with
// IOTKM_E_HOOK, and the rest waits. Error: IOTKM_E_BUFFER_TOO_SMALL.
int iotkm_drain(iotkm_association *association,
                const iotkm_cx *cx,
                uint8_t *out,
                size_t out_capacity,
                uint64_t *wake_at_ms);

// ---- history: peers ----

// Example:
//
//     /* A triple and both ids come from a factory; a first store, by hand; later, from what was stored. */
//     iotkm_history_peer peer;
//     iotkm_history_id id;
//     uint8_t blob[IOTKM_HISTORY_PEER_BLOB_MAX], fingerprint[10];
//     uint16_t slot;
//     uint32_t version, generation;
//     if (iotkm_history_peer_size() != sizeof peer) return;
//     iotkm_history_peer_provision(&peer, 1, &own_id, &peer_id, &iotkm_suite_0, &triple);
//     iotkm_history_peer_set_psk(&peer, psk);                        /* goes into every exchange, where both have it */
//     iotkm_history_peer_store(&peer, &cx);                          /* by the platform's store_write, or: */
//     iotkm_history_peer_seal(&peer, &cx, blob, sizeof blob, &len, &version);
//     iotkm_history_peer_wipe(&peer);
//     iotkm_history_peer_restore(&peer, &cx, 1, version, blob, len); /* version: of a monotonic counter, if there is one */
//     iotkm_history_peer_id(&peer, &id);
//     iotkm_history_peer_slot(&peer, &slot);
//     iotkm_history_peer_generation(&peer, &generation);
//     iotkm_history_peer_fingerprint(&peer, fingerprint);

// sizeof(iotkm_history_peer) as the library was built.
size_t iotkm_history_peer_size(void);

// Sets a peer up whose triple came from elsewhere: a factory, another scheme's iotkm_exporter(). Both sides name the same
// suite; it is fixed from here on. Store the peer afterwards: iotkm_history_peer_store().
// Error: IOTKM_E_BAD_ARGUMENT where an id is empty or too long, or both are the same.
int iotkm_history_peer_provision(iotkm_history_peer *peer,
                                 uint16_t slot,
                                 const iotkm_history_id *own_id,
                                 const iotkm_history_id *peer_id,
                                 const iotkm_suite *suite,
                                 const iotkm_history_triple *triple);

// Sets a peer up from the blob in its slot. `floor` is the value of the slot's monotonic counter, 0 where there is none.
// Errors: IOTKM_E_BAD_BLOB, IOTKM_E_BLOB_ROLLED_BACK.
int iotkm_history_peer_restore(iotkm_history_peer *peer,
                               const iotkm_cx *cx,
                               uint16_t slot,
                               uint32_t floor,
                               const uint8_t *blob,
                               size_t blob_len);

// Seals the peer for its slot, with the number of this write in `version` for a monotonic counter. An association does this
// by itself (IOTKM_OUTPUT_PERSIST); this is for peers that were just provisioned. Errors: IOTKM_E_BUFFER_TOO_SMALL (room for
// IOTKM_HISTORY_PEER_BLOB_MAX bytes will do); IOTKM_E_BUSY while an association holds the peer.
int iotkm_history_peer_seal(iotkm_history_peer *peer,
                            const iotkm_cx *cx,
                            uint8_t *out,
                            size_t out_capacity,
                            size_t *out_len,
                            uint32_t *version);

// iotkm_history_peer_restore() with what the platform's `store_read` finds in the slot.
// Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK, IOTKM_E_BAD_BLOB.
int iotkm_history_peer_load(iotkm_history_peer *peer, const iotkm_cx *cx, uint16_t slot);

// iotkm_history_peer_seal(), and the platform's `store_write` to the peer's slot.
// Errors: IOTKM_E_HOOK; IOTKM_E_BUSY while an association holds the peer.
int iotkm_history_peer_store(iotkm_history_peer *peer, const iotkm_cx *cx);

// The peer's id.
int iotkm_history_peer_id(const iotkm_history_peer *peer, iotkm_history_id *id);

// The slot that the peer is stored in.
int iotkm_history_peer_slot(const iotkm_history_peer *peer, uint16_t *slot);

// Generation of the current triple: how many updates were completed.
int iotkm_history_peer_generation(const iotkm_history_peer *peer, uint32_t *generation);

// Fingerprint of the current triple, 10 bytes, the same on both sides while both have the same triple.
int iotkm_history_peer_fingerprint(const iotkm_history_peer *peer, uint8_t *fingerprint);

// 32 bytes of key material from elsewhere (another scheme's iotkm_exporter()) that go into every exchange from now on; NULL:
// none. Both sides must do the same; store the peer afterwards. Error: IOTKM_E_BUSY while an association holds the peer.
int iotkm_history_peer_set_psk(iotkm_history_peer *peer,
                               const uint8_t *psk);

// Wipes the peer from memory; its slot stays as it is. Error: IOTKM_E_BUSY while an association holds the peer.
int iotkm_history_peer_wipe(iotkm_history_peer *peer);

// ---- history: first contact ----

// Example:
//
//     /* The side on which the user opens a window of two minutes; the other side says iotkm_history_pairing_start(). */
//     static iotkm_history_pairing pairing;
//     static iotkm_history_peer peer;
//     uint32_t attempts;
//     iotkm_history_pairing_open(&pairing, &own_id, &iotkm_suite_0, &iotkm_cpace_ristretto255, 1, 2, NULL);
//     iotkm_history_pairing_restore_attempts(&pairing, &cx, 0, blob, blob_len);       /* of slot 2, if it holds anything */
//     iotkm_history_pairing_attempts(&pairing, &attempts);
//     if (attempts == 0 && user_says_so()) iotkm_history_pairing_unlock(&pairing);
//     iotkm_history_pairing_listen(&pairing, &cx, (const uint8_t *)"0815 4711", 9, 120000);
//     /* ... iotkm_drain(), iotkm_receive(), iotkm_timeout() on &pairing.association, until IOTKM_EVENT_PAIRED; or: */
//     if (user_gives_up()) iotkm_history_pairing_cancel(&pairing);
//     else iotkm_history_pairing_take_peer(&pairing, &peer);
//     iotkm_wipe(&pairing.association);

// Sets a pairing up, at rest.
//
// `own_id` is this device's. `suite` is for all that follows with the new peer; both sides name the same, and the same
// `cpace`. `config` may be NULL. The new peer will be stored in `peer_slot`, the count of failed attempts in
// `attempts_slot`, one for the whole device; give the stored count back by iotkm_history_pairing_load_attempts(), or a power
// cut would give an attacker new guesses. Errors: IOTKM_E_BAD_ARGUMENT for an id that is empty or too long.
int iotkm_history_pairing_open(iotkm_history_pairing *pairing,
                               const iotkm_history_id *own_id,
                               const iotkm_suite *suite,
                               const iotkm_cpace *cpace,
                               uint16_t peer_slot,
                               uint16_t attempts_slot,
                               const iotkm_config *config);

// Takes over the stored count of failed attempts. `floor` is the value of the slot's monotonic counter, 0 where there is
// none. Errors: IOTKM_E_BAD_BLOB, IOTKM_E_BLOB_ROLLED_BACK.
int iotkm_history_pairing_restore_attempts(iotkm_history_pairing *pairing,
                                           const iotkm_cx *cx,
                                           uint32_t floor,
                                           const uint8_t *blob,
                                           size_t blob_len);

// iotkm_history_pairing_restore_attempts() with what the platform's `store_read` finds in `attempts_slot`; where there is
// nothing yet, that is ok. Errors: IOTKM_E_HOOK, IOTKM_E_BAD_BLOB.
// Shown in examples/c/device.c.
int iotkm_history_pairing_load_attempts(iotkm_history_pairing *pairing,
                                        const iotkm_cx *cx,
                                        uint16_t attempts_slot);

// Failed attempts so far; at IOTKM_HISTORY_ATTEMPTS pairing is locked.
int iotkm_history_pairing_attempts(iotkm_history_pairing *pairing, uint32_t *attempts);

// The user has acted, at the device: attempts start anew.
int iotkm_history_pairing_unlock(iotkm_history_pairing *pairing);

// Opens the window for `window_ms`: the first device that knows the user's secret is paired. `sk` is the secret as
// OpaqueString (RFC 8265) in UTF-8, 1 to IOTKM_HISTORY_SK_MAX bytes. IOTKM_EVENT_PAIRED or IOTKM_EVENT_FAILED tells.
// Errors: IOTKM_E_BAD_ARGUMENT, IOTKM_E_LOCKED, IOTKM_E_WRONG_STATE while one is under way, IOTKM_E_UNDRAINED, IOTKM_E_RNG.
int iotkm_history_pairing_listen(iotkm_history_pairing *pairing,
                                 const iotkm_cx *cx,
                                 const uint8_t *sk,
                                 size_t sk_len,
                                 uint64_t window_ms);

// Pairs with the device at this address, whose window is open. `sk`, events and errors as for
// iotkm_history_pairing_listen().
int iotkm_history_pairing_start(iotkm_history_pairing *pairing,
                                const iotkm_cx *cx,
                                const iotkm_addr *to,
                                const uint8_t *sk,
                                size_t sk_len);

// Closes the window, ends a run, forgets the secret.
int iotkm_history_pairing_cancel(iotkm_history_pairing *pairing);

// Sets `peer` up as the new peer, once, after IOTKM_EVENT_PAIRED; it is stored already. Keep the pairing a while longer (a
// minute), to answer the other side if it did not hear the end. Error: IOTKM_E_WRONG_STATE where there is none.
int iotkm_history_pairing_take_peer(iotkm_history_pairing *pairing,
                                    iotkm_history_peer *peer);

// ---- history: associations ----

// Example:
//
//     /* A sensor that only ever talks to its hub; a device with little memory; memory that sessions share. */
//     static iotkm_history_memory_small small;
//     static iotkm_history_memory runs;
//     static iotkm_history_entry entries[48];
//     iotkm_config config = {0};
//     config.struct_size = sizeof config;
//     config.mtu = IOTKM_HISTORY_MTU_SMALL;
//     iotkm_history_open_leaf(&a, &history_peer, &iotkm_suite_4, &config, &small);
//     iotkm_wipe(&a);
//     iotkm_history_open_small(&a, &history_peer, entries, 48, &iotkm_suite_4, &config, &small);
//     iotkm_wipe(&a);
//     iotkm_history_open(&a, &history_peer, entries, 48, &iotkm_suite_0, NULL, &runs);
//     iotkm_history_connect(&a, &cx, &to);
//     /* Once it is established it needs the memory for runs no longer: another association may have it meanwhile. */
//     if (iotkm_history_release(&a) == IOTKM_OK) iotkm_history_lend(&a, &runs);
//     /* Without a hub, whose is a first message? */
//     if (iotkm_history_is_named_by(&a, datagram, datagram_len) == 1)
//         iotkm_receive(&a, &cx, &from, datagram, datagram_len, &received);

// Sets up an association with a paired peer, at rest: it answers the peer, and starts by itself on iotkm_history_connect().
//
// `entries` is the log of what is said, from which key updates are made: two thirds for what this side sends, a third for
// what it receives; 48 are a good number, none means no updates. `suite` is the one that the peer was paired with. `config`
// may be NULL. Peer, entries and memory are lent until iotkm_wipe().
// Errors: IOTKM_E_SUITE_MISMATCH, IOTKM_E_BAD_ARGUMENT, IOTKM_E_BUSY where another association holds the peer.
int iotkm_history_open(iotkm_association *association,
                       iotkm_history_peer *peer,
                       iotkm_history_entry *entries,
                       size_t entry_count,
                       const iotkm_suite *suite,
                       const iotkm_config *config,
                       iotkm_history_memory *memory);

// iotkm_history_open() with less memory. While a run is under way the peer's own runs are not answered, and the MTU must be
// at least IOTKM_HISTORY_MTU_SMALL. Errors: as there.
int iotkm_history_open_small(iotkm_association *association,
                             iotkm_history_peer *peer,
                             iotkm_history_entry *entries,
                             size_t entry_count,
                             const iotkm_suite *suite,
                             const iotkm_config *config,
                             iotkm_history_memory_small *memory);

// iotkm_history_open() for a leaf of a star, at two thirds of the code: it connects by itself, to one hub that stays at its
// address, and connects again after a restart. It does not answer the peer's own exchanges, nor iotkm_export(),
// iotkm_restore() and key updates (whose peer sees no answer), and cannot join an iotkm_hub. The MTU must be at least
// IOTKM_HISTORY_MTU_SMALL. Errors: as there.
int iotkm_history_open_leaf(iotkm_association *association,
                            iotkm_history_peer *peer,
                            const iotkm_suite *suite,
                            const iotkm_config *config,
                            iotkm_history_memory_small *memory);

// Starts an exchange with the peer at this address. A session that there is goes on until the new one is complete:
// IOTKM_EVENT_ESTABLISHED or IOTKM_EVENT_FAILED tells.
// Errors: IOTKM_E_WRONG_STATE while a run of this side's is under way; IOTKM_E_UNDRAINED, IOTKM_E_RNG.
int iotkm_history_connect(iotkm_association *association,
                          const iotkm_cx *cx,
                          const iotkm_addr *to);

// Asks the peer for a new triple from a record of the log. IOTKM_EVENT_UPDATE_AGREED or IOTKM_EVENT_UPDATE_FAILED tells how
// it went; once agreed, the session ends and this side connects again under the new triple by itself.
// Errors: IOTKM_E_NOT_ESTABLISHED; IOTKM_E_NO_RECORD where nothing was received yet whose elements are unique;
// IOTKM_E_WRONG_STATE while an update is under way; IOTKM_E_UNDRAINED, IOTKM_E_RNG.
int iotkm_history_update(iotkm_association *association,
                         const iotkm_cx *cx);

// 1 if a datagram is a first message that names this association's peer, 0 if not, or an error: for programs that keep
// several associations on one socket without an iotkm_hub.
int iotkm_history_is_named_by(iotkm_association *association,
                              const uint8_t *datagram,
                              size_t datagram_len);

// Takes the memory for runs back (and wipes it), if no run needs it: a session goes on without. Runs, key updates, resume and
// a peer's new address need it again: iotkm_history_lend(). Error: IOTKM_E_WRONG_STATE while it is needed, or not there.
int iotkm_history_release(iotkm_association *association);

// Lends memory for runs again, until iotkm_wipe() or iotkm_history_release(). Error: IOTKM_E_WRONG_STATE where there is some.
int iotkm_history_lend(iotkm_association *association,
                       iotkm_history_memory *memory);

// Takes an association into a hub, which from now on receives, times out and polls for it; other verbs are called on the
// association, and iotkm_hub_touch() after each. `wanted` is the member's number where it had one before a restart (its
// stored session knows it), or IOTKM_HUB_NOBODY: any that is free. Writes the number. Let it join
// before it connects or is restored: from here on the hub says what datagrams to it begin with, and its peer is told then. The
// association is lent until iotkm_hub_leave().
// Errors: IOTKM_E_FULL, IOTKM_E_BUSY where it is in a hub already, IOTKM_E_WRONG_STATE where it has a session or a run that began
// elsewhere, IOTKM_E_BAD_ARGUMENT.
int iotkm_history_join(iotkm_association *association,
                       iotkm_hub *hub,
                       uint32_t wanted,
                       uint32_t *member);

// ---- hubs: many associations on one socket ----

// Example:
//
//     /* One socket, up to a hundred peers: the hub takes what comes and says whose it was. */
//     static iotkm_hub hub;
//     static iotkm_hub_member members[100];
//     uint32_t number;
//     uint16_t unknown;
//     iotkm_hub_open(&hub, &cx, members, 100, 0);
//     iotkm_history_join(&a, &hub, IOTKM_HUB_NOBODY, &number);       /* an association that has no session yet */
//     while (my_wait(wake_at, datagram, sizeof datagram, &datagram_len, &from)) {
//         iotkm_hub_receive(&hub, &cx, &from, datagram, datagram_len, &received);
//         if (received.payload) my_application(received.payload, received.payload_len);          /* of received.member */
//         iotkm_hub_timeout(&hub, &cx);
//         iotkm_send(&a, &cx, payload, payload_len, out, sizeof out, &len, &to);
//         iotkm_hub_touch(&hub, number);                             /* after verbs on an association itself */
//         iotkm_hub_drain(&hub, &cx, out, sizeof out, &wake_at);
//     }
//     /* Without hooks: */
//     while (iotkm_hub_poll(&hub, &cx, out, sizeof out, &output) == IOTKM_OK && output.kind != IOTKM_OUTPUT_IDLE)
//         if (output.kind == IOTKM_OUTPUT_PERSIST) iotkm_hub_persisted(&hub, output.member, output.slot, 0);
//     iotkm_hub_drops(&hub, IOTKM_DROPPED_NO_KEY, &unknown);
//     iotkm_hub_leave(&hub, number);
//     iotkm_hub_wipe(&hub);

// Sets an empty hub up for up to `count` members, whose memory `members` is lent until iotkm_hub_wipe(). `busy`: with so many
// members in the middle of a run, strangers are asked for a cookie first; 0: 64. Errors: IOTKM_E_BAD_ARGUMENT for no or more
// than 2^20 members, IOTKM_E_RNG.
int iotkm_hub_open(iotkm_hub *hub,
                   const iotkm_cx *cx,
                   iotkm_hub_member *members,
                   size_t count,
                   uint32_t busy);

// Takes a member out; its association goes on by itself. Error: IOTKM_E_BAD_ARGUMENT where there is none.
int iotkm_hub_leave(iotkm_hub *hub, uint32_t member);

// Tells the hub that verbs were called on a member's association itself (iotkm_history_connect(), iotkm_send(), ...), so that
// it is polled and its timer kept: call it after each. Error: IOTKM_E_BAD_ARGUMENT where there is none.
int iotkm_hub_touch(iotkm_hub *hub,
                    uint32_t member);

// iotkm_receive() for a hub: `received->member` says whose it is.
int iotkm_hub_receive(iotkm_hub *hub,
                      const iotkm_cx *cx,
                      const iotkm_addr *from,
                      uint8_t *datagram,
                      size_t datagram_len,
                      iotkm_received *received);

// iotkm_timeout() for a hub. It serves one member a call: poll until idle, and call again while the time to wake up is past.
int iotkm_hub_timeout(iotkm_hub *hub,
                      const iotkm_cx *cx);

// iotkm_poll() for a hub: `output->member` says whose it is.
int iotkm_hub_poll(iotkm_hub *hub,
                   const iotkm_cx *cx,
                   uint8_t *out,
                   size_t out_capacity,
                   iotkm_output *output);

// iotkm_persisted() for a member of a hub.
int iotkm_hub_persisted(iotkm_hub *hub, uint32_t member, uint16_t slot, int status);

// iotkm_drain() for a hub: `event->member` says whose an event is.
int iotkm_hub_drain(iotkm_hub *hub,
                    const iotkm_cx *cx,
                    uint8_t *out,
                    size_t out_capacity,
                    uint64_t *wake_at_ms);

// iotkm_drops() for what the hub dropped before any member saw it.
int iotkm_hub_drops(iotkm_hub *hub, uint32_t reason, uint16_t *count);

// Ends a hub: its members leave it, and go on by themselves. Error: IOTKM_E_NOT_SET_UP.
int iotkm_hub_wipe(iotkm_hub *hub);

// ---- randomness from a source that may be weak ----

// Example:
//
//     /* The source may repeat itself after a restart: a counter that never does goes in, and the device's secret. */
//     static iotkm_hedge hedge;
//     static iotkm_platform hedged;
//     if (iotkm_hedge_init(&hedge, &platform, boot_count) != IOTKM_OK) return;
//     hedged = platform;
//     hedged.random = iotkm_hedge_random;
//     hedged.random_ctx = &hedge;
//     cx.platform = &hedged;
//     /* ... */
//     iotkm_hedge_wipe(&hedge);

// Sets a hedge up around the `random` of this platform, whose `device_secret` it takes too. Then let another platform's
// `random` be iotkm_hedge_random and its `random_ctx` the hedge. `counter` is 0; or, where the source may say the same after
// each boot, a number that was raised and stored at this boot, times 2^32.
int iotkm_hedge_init(iotkm_hedge *hedge,
                     const iotkm_platform *source,
                     uint64_t counter);

// A `random` hook whose context is a hedge. Errors: IOTKM_E_RNG where the source fails, IOTKM_E_NOT_SET_UP.
int iotkm_hedge_random(void *hedge, uint8_t *out, size_t len);

// Wipes a hedge. Error: IOTKM_E_NOT_SET_UP.
int iotkm_hedge_wipe(iotkm_hedge *hedge);

// ---- static keys in memory ----

// Example:
//
//     /* A key that a factory made, and one of a group whose shares are longer. */
//     static iotkm_static_key key;
//     static iotkm_static_key_ffc long_key;
//     iotkm_static_key_import(&key, 1, &iotkm_p256, scalar);
//     iotkm_static_key_store(&key, &cx, 7);
//     if (iotkm_static_key_load_ffc(&long_key, &cx, 2, &iotkm_ffc2048, 8) == IOTKM_E_EMPTY) {
//         iotkm_static_key_generate_ffc(&long_key, &cx, 2, &iotkm_ffc2048);          /* or iotkm_static_key_import_ffc() */
//         iotkm_static_key_store(&long_key.key, &cx, 8);
//     }
//     platform.public_key = iotkm_static_key_public_key;
//     platform.agree = iotkm_static_key_agree;
//     platform.keys_ctx = &long_key;
//     /* ... */
//     iotkm_static_key_wipe(&long_key.key);
//     if (iotkm_static_key_import_ffc(&long_key, 2, &iotkm_ffc3072, scalar) != IOTKM_OK) return;

// Sets up a new key. `number` is the application's, by which associations name it. Store it: iotkm_static_key_store().
// Errors: IOTKM_E_RNG; IOTKM_E_BAD_ARGUMENT for a group that is no curve.
// Shown in examples/c/tickets.c.
int iotkm_static_key_generate(iotkm_static_key *key,
                              const iotkm_cx *cx,
                              uint16_t number,
                              const iotkm_kem *kem);

// iotkm_static_key_generate() for any group. Error: IOTKM_E_RNG.
int iotkm_static_key_generate_ffc(iotkm_static_key_ffc *key,
                                  const iotkm_cx *cx,
                                  uint16_t number,
                                  const iotkm_kem *kem);

// Sets a key up from its scalar, 32 bytes: X25519 and ristretto255 little-endian, the others big-endian. Where the point of P-256
// has an odd y the scalar is replaced by its negative: the public key, x, is the same.
// Error: IOTKM_E_BAD_ARGUMENT for a scalar that is zero or not below the order, or a group that is no curve.
int iotkm_static_key_import(iotkm_static_key *key,
                            uint16_t number,
                            const iotkm_kem *kem,
                            const uint8_t *scalar);

// iotkm_static_key_import() for any group. Error: IOTKM_E_BAD_ARGUMENT for a scalar that is zero or not below the order.
int iotkm_static_key_import_ffc(iotkm_static_key_ffc *key,
                                uint16_t number,
                                const iotkm_kem *kem,
                                const uint8_t *scalar);

// Sets a key up from what iotkm_static_key_store() put in this slot.
// Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK; IOTKM_E_BAD_BLOB, also for a key of another group;
// IOTKM_E_BAD_ARGUMENT for a group that is no curve.
// Shown in examples/firmware/cortex-m/interactive.c.
int iotkm_static_key_load(iotkm_static_key *key,
                          const iotkm_cx *cx,
                          uint16_t number,
                          const iotkm_kem *kem,
                          uint16_t slot);

// iotkm_static_key_load() for any group. Errors: IOTKM_E_EMPTY, IOTKM_E_HOOK, IOTKM_E_BAD_BLOB.
int iotkm_static_key_load_ffc(iotkm_static_key_ffc *key,
                              const iotkm_cx *cx,
                              uint16_t number,
                              const iotkm_kem *kem,
                              uint16_t slot);

// Seals the key under the device's secret and writes it to this slot, IOTKM_STATIC_KEY_BLOB bytes. Error: IOTKM_E_HOOK.
int iotkm_static_key_store(const iotkm_static_key *key,
                           const iotkm_cx *cx,
                           uint16_t slot);

// A `public_key` hook whose context is a static key.
int iotkm_static_key_public_key(void *key, uint16_t number, int curve, uint8_t *share, size_t len);

// An `agree` hook whose context is a static key.
int iotkm_static_key_agree(void *key,
                           uint16_t number,
                           int curve,
                           const uint8_t *share,
                           uint8_t *secret,
                           size_t len);

// A `step` hook whose context is a static key: of iotkm_growing_..., others say IOTKM_KEY_NONE.
// Shown in examples/c/epochs.c.
int iotkm_static_key_step(void *key, uint16_t number, int curve, const iotkm_step *step, uint8_t *out);

// Wipes a key from memory; its slot stays as it is. Error: IOTKM_E_NOT_SET_UP.
int iotkm_static_key_wipe(iotkm_static_key *key);

// ---- static keys: what they share with known peers ----

// Example:
//
//     /* A secure element that takes its time, and eight peers that are met again and again. */
//     static iotkm_remembered remembered;
//     static iotkm_remembered_peer peers[8];
//     iotkm_remembered_init(&remembered, &platform, peers, 8);       /* after public_key and agree were filled in */
//     platform.agree_known = iotkm_remembered_agree;
//     platform.agree_known_ctx = &remembered;
//     /* ... once the key has been replaced: */
//     iotkm_remembered_forget(&remembered);
//     /* ... */
//     platform.agree_known = NULL;
//     iotkm_remembered_wipe(&remembered);

// Remembers nothing yet, and at most the `count` peers met last. The keys are those behind the `agree` of `platform`, and what it
// is now counts. `peers` is lent until iotkm_remembered_wipe().
// Errors: IOTKM_E_BAD_ARGUMENT for no peers or more than 65536; IOTKM_E_HOOK for a platform without `agree`.
int iotkm_remembered_init(iotkm_remembered *remembered,
                          const iotkm_platform *platform,
                          iotkm_remembered_peer *peers,
                          size_t count);

// An `agree_known` hook whose context is an iotkm_remembered: what was asked before it answers itself.
int iotkm_remembered_agree(void *remembered,
                           uint16_t key,
                           int curve,
                           const uint8_t *share,
                           uint8_t *secret,
                           size_t len);

// Wipes what was remembered: after a key was replaced by another of the same number. Error: IOTKM_E_NOT_SET_UP.
int iotkm_remembered_forget(iotkm_remembered *remembered);

// Wipes all of it; the peers' memory is the caller's again. Error: IOTKM_E_NOT_SET_UP.
int iotkm_remembered_wipe(iotkm_remembered *remembered);

// ---- tickets: agents ----

// Writes the public key of an agent's key; IOTKM_AGENT_KEY_MAX bytes will do.
// Errors: IOTKM_E_BUFFER_TOO_SMALL; IOTKM_E_BAD_ARGUMENT for a key that is none.
// Shown in examples/c/tickets.c.
int iotkm_signing_public_key(const iotkm_signing *signing,
                             const void *key,
                             uint8_t *out,
                             size_t out_capacity,
                             size_t *out_len);

// Signs any bytes: IOTKM_SIGNATURE_LEN of them come of it, of ES256 r | s. Tickets and lists are signed by their own calls.
// Errors: IOTKM_E_BAD_ARGUMENT for a key that is none; IOTKM_E_HOOK and IOTKM_E_KEY_PENDING of a key that is elsewhere.
int iotkm_signing_sign(const iotkm_signing *signing,
                       const void *key,
                       const uint8_t *message,
                       size_t message_len,
                       uint8_t *signature);

// ---- tickets: revocation lists ----

// Example:
//
//     /* What came from the agent: is a serial in it? */
//     iotkm_revocation_list list;
//     if (iotkm_revocation_list_peek(bytes, len, &list) != IOTKM_OK) return;         /* to show it: nobody vouches for it yet */
//     if (iotkm_revocation_list_verify(bytes, len, &agent, &list) != IOTKM_OK) return;
//     if (iotkm_revocation_list_contains(&list, 4711) == 1) my_warning("4711 is revoked");

// Reads a list that this agent signed; `list` points into `bytes`. Errors: IOTKM_E_REFUSED_..., IOTKM_E_BAD_ARGUMENT for an
// agent that is none.
int iotkm_revocation_list_verify(const uint8_t *bytes,
                                 size_t len,
                                 const iotkm_agent *agent,
                                 iotkm_revocation_list *list);

// Reads a list that nobody vouches for: to show it, or where it was verified before. Error: IOTKM_E_REFUSED_...
int iotkm_revocation_list_peek(const uint8_t *bytes,
                               size_t len,
                               iotkm_revocation_list *list);

// 1 if the list names the ticket of this serial, 0 if not, or an error.
int iotkm_revocation_list_contains(const iotkm_revocation_list *list, uint32_t serial);

// Issues a list into `out`, signed with the agent's key (see iotkm_signing). `serials` rise, none comes twice; a number
// is never given twice (iotkm_ticket_agent_revoke() sees to that). Errors: IOTKM_E_REFUSED_CLAIMS for serials in another order,
// IOTKM_E_BUFFER_TOO_SMALL (IOTKM_REVOCATION_LIST_OVERHEAD and four bytes for each serial will do), IOTKM_E_BAD_ARGUMENT.
// Shown in examples/c/tickets.c.
int iotkm_revocation_list_issue(const iotkm_signing *signing,
                                const void *key,
                                const char *issuer,
                                uint64_t issued_at,
                                uint32_t number,
                                const uint32_t *serials,
                                size_t count,
                                uint8_t *out,
                                size_t out_capacity,
                                size_t *out_len);

// ---- tickets ----

// Example:
//
//     /* Somebody shows a ticket. That he is its owner it does not say: iotkm_interactive_connect() finds that out. */
//     iotkm_ticket ticket;
//     if (iotkm_ticket_verify(bytes, len, &agent, &ticket) != IOTKM_OK) return;
//     if (iotkm_ticket_check(&ticket, cx.wall_ms / 1000, 0) == IOTKM_E_REFUSED_EXPIRED) my_warning(ticket.subject);
//     if (iotkm_ticket_peek(bytes, len, &ticket) == IOTKM_OK) my_warning(ticket.issuer);         /* to show, unverified */

// Reads a ticket that this agent signed; `ticket` points into `bytes`. Whether it is valid now, iotkm_ticket_check() says, or
// iotkm_wallet_check(), which knows what was revoked. Errors: IOTKM_E_REFUSED_..., IOTKM_E_BAD_ARGUMENT for an agent that is
// none.
int iotkm_ticket_verify(const uint8_t *bytes,
                        size_t len,
                        const iotkm_agent *agent,
                        iotkm_ticket *ticket);

// Reads a ticket that nobody vouches for: to show it, or where it was verified before. Error: IOTKM_E_REFUSED_...
int iotkm_ticket_peek(const uint8_t *bytes,
                      size_t len,
                      iotkm_ticket *ticket);

// Whether a ticket is valid at this time. `wall_s`: the wall clock in seconds since 1970, 0 without one; `floor_s`: the newest
// time of issue of anything that the agent signed. A clock may lag 300 s behind the agent's; without one the floor counts, and
// nobody can tell whether a ticket has begun. Errors: IOTKM_E_REFUSED_EXPIRED, IOTKM_E_REFUSED_NOT_YET_VALID.
int iotkm_ticket_check(const iotkm_ticket *ticket,
                       uint64_t wall_s,
                       uint64_t floor_s);

// Writes what an operator sends an agent: a ticket, please, for this device, whose static key `key` of the group `kem` the
// platform's `public_key` gives. `scope` may be NULL; `lifetime_s`: how long it shall be valid, in seconds.
// Errors: IOTKM_E_HOOK where there is no such key, IOTKM_E_KEY_PENDING while the token works (call again),
// IOTKM_E_BUFFER_TOO_SMALL (IOTKM_TICKET_MAX bytes will do, IOTKM_TICKET_MAX_FFC for FFC), IOTKM_E_REFUSED_CLAIMS for a name
// that no ticket can have.
// Shown in examples/c/operator.c.
int iotkm_ticket_request(const iotkm_cx *cx,
                         uint16_t key,
                         const iotkm_kem *kem,
                         const char *subject,
                         const char *scope,
                         uint64_t lifetime_s,
                         uint8_t *out,
                         size_t out_capacity,
                         size_t *out_len);

// Issues a ticket into `out`, signed with the agent's key (see iotkm_signing). Numbers are the caller's affair, or
// iotkm_ticket_agent_issue()'s.
// Errors: IOTKM_E_REFUSED_CLAIMS or IOTKM_E_REFUSED_KEY where nobody would accept it, IOTKM_E_BUFFER_TOO_SMALL
// (IOTKM_TICKET_MAX bytes will do, IOTKM_TICKET_MAX_FFC for FFC), IOTKM_E_BAD_ARGUMENT.
// Shown in examples/c/tickets.c.
int iotkm_ticket_issue(const iotkm_signing *signing,
                       const void *key,
                       const iotkm_claims *claims,
                       uint8_t *out,
                       size_t out_capacity,
                       size_t *out_len);

// ---- tickets: a device ----

// Example:
//
//     /* Stored by a program's own means, and back; a peer's ticket, outside of an association. */
//     static uint8_t memory[2 * IOTKM_TICKET_MAX + IOTKM_REVOCATION_LIST_OVERHEAD + 4 * 32];
//     static uint8_t blob[IOTKM_WALLET_BLOB_OVERHEAD + sizeof memory], work[sizeof blob];
//     static iotkm_wallet wallet;
//     iotkm_ticket ticket;
//     uint64_t floor_s;
//     uint32_t version;
//     iotkm_wallet_init(&wallet, &agent, "lamp-7", memory, IOTKM_TICKET_MAX, sizeof memory - 2 * IOTKM_TICKET_MAX);
//     if (blob_len > 0) iotkm_wallet_restore(&wallet, &cx, 0, blob, blob_len, work, sizeof work);
//     if (iotkm_wallet_needs_store(&wallet) == 1
//         && iotkm_wallet_seal(&wallet, &cx, blob, sizeof blob, &blob_len, &version) == IOTKM_OK) {
//         my_store(blob, blob_len);
//         iotkm_wallet_persisted(&wallet);
//     }
//     if (iotkm_wallet_check(&wallet, &cx, bytes, len, &ticket) == IOTKM_OK
//         && my_protocol_authenticates(ticket.key, ticket.key_len))
//         iotkm_wallet_saw(&wallet, &ticket);
//     iotkm_wallet_floor(&wallet, &floor_s);                         /* it is at least that late */

// Sets an empty wallet up, of the device named `me`, which goes by `agent`. `memory` has 2 x `ticket_max` + `list_max` bytes:
// IOTKM_TICKET_MAX (for FFC keys IOTKM_TICKET_MAX_FFC) for each of two tickets, IOTKM_REVOCATION_LIST_OVERHEAD and four for
// each serial for the list. The memory, both names and the agent's key are lent until iotkm_wallet_wipe().
// Error: IOTKM_E_BAD_ARGUMENT for names that no ticket can have, a key that is none, or `ticket_max` too large.
int iotkm_wallet_init(iotkm_wallet *wallet,
                      const iotkm_agent *agent,
                      const char *me,
                      uint8_t *memory,
                      size_t ticket_max,
                      size_t list_max);

// Takes in what is stored, where the wallet is empty; it is empty still after an error. Every signature is verified again.
// `floor` is the value of the slot's monotonic counter, 0 where there is none; `work` has as many bytes as the blob.
// Errors: IOTKM_E_BAD_BLOB, also of another device or agent; IOTKM_E_BLOB_ROLLED_BACK; IOTKM_E_WRONG_STATE where something is
// here already.
int iotkm_wallet_restore(iotkm_wallet *wallet,
                         const iotkm_cx *cx,
                         uint32_t floor,
                         const uint8_t *blob,
                         size_t blob_len,
                         uint8_t *work,
                         size_t work_len);

// iotkm_wallet_restore() with what the platform's `store_read` finds in the slot. `work` has room for two blobs: 2 x
// (IOTKM_WALLET_BLOB_OVERHEAD + 2 x `ticket_max` + `list_max`) bytes.
// Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK; as there.
// Shown in examples/firmware/cortex-m/interactive.c.
int iotkm_wallet_load(iotkm_wallet *wallet,
                      const iotkm_cx *cx,
                      uint16_t slot,
                      uint8_t *work,
                      size_t work_len);

// Seals the wallet into `out`, with the number of this write in `version` for a monotonic counter; once it is stored, call
// iotkm_wallet_persisted(). Error: IOTKM_E_BUFFER_TOO_SMALL.
int iotkm_wallet_seal(iotkm_wallet *wallet,
                      const iotkm_cx *cx,
                      uint8_t *out,
                      size_t out_capacity,
                      size_t *out_len,
                      uint32_t *version);

// What iotkm_wallet_seal() gave last is stored.
int iotkm_wallet_persisted(iotkm_wallet *wallet);

// iotkm_wallet_seal() into `work`, the platform's `store_write` to this slot, iotkm_wallet_persisted(). `work` has room for a blob:
// IOTKM_WALLET_BLOB_OVERHEAD and the wallet's memory. Errors: IOTKM_E_HOOK, IOTKM_E_BUFFER_TOO_SMALL.
// Shown in examples/c/operator.c.
int iotkm_wallet_store(iotkm_wallet *wallet,
                       const iotkm_cx *cx,
                       uint16_t slot,
                       uint8_t *work,
                       size_t work_len);

// 1 if there is something to store (a ticket, a list, a floor that rose by an hour or more), 0 if not, or an error.
int iotkm_wallet_needs_store(const iotkm_wallet *wallet);

// Takes one of this device's tickets in; `is_new` (may be NULL): whether it was not there yet. The oldest of three goes. Errors:
// IOTKM_E_REFUSED_..., IOTKM_E_FULL for one that is longer than `ticket_max`.
// Shown in examples/c/tickets.c.
int iotkm_wallet_install(iotkm_wallet *wallet,
                         const iotkm_cx *cx,
                         const uint8_t *ticket,
                         size_t ticket_len,
                         bool *is_new);

// Takes a revocation list in; `is_new` as above. Errors: IOTKM_E_REFUSED_... (IOTKM_E_REFUSED_OLDER for a lower number than
// the one here has), IOTKM_E_FULL for one that is longer than `list_max`.
// Shown in examples/c/tickets.c.
int iotkm_wallet_revoke(iotkm_wallet *wallet,
                        const iotkm_cx *cx,
                        const uint8_t *list,
                        size_t list_len,
                        bool *is_new);

// Takes a message from the operator in, a ticket or a list as the payload of an association's record; `due`: whether an
// acknowledgement is due, by iotkm_wallet_acknowledgement() once nothing needs to be stored.
// Errors: IOTKM_E_REFUSED_..., to be answered with iotkm_wallet_refusal(); IOTKM_E_FULL.
// Shown in examples/c/operator.c.
int iotkm_wallet_handle(iotkm_wallet *wallet,
                        const iotkm_cx *cx,
                        const uint8_t *message,
                        size_t message_len,
                        bool *due);

// Writes what to tell the operator: what is here, and stored. Errors: IOTKM_E_WRONG_STATE while the newest is not stored,
// or without a ticket; IOTKM_E_BUFFER_TOO_SMALL (IOTKM_WALLET_ANSWER_MAX bytes will do).
// Shown in examples/c/operator.c.
int iotkm_wallet_acknowledgement(const iotkm_wallet *wallet,
                                 uint8_t *out,
                                 size_t out_capacity,
                                 size_t *out_len);

// Writes what to tell the operator when iotkm_wallet_handle(), or iotkm_holder_handle(), returned `status`. Errors: as above.
int iotkm_wallet_refusal(int status,
                         uint8_t *out,
                         size_t out_capacity,
                         size_t *out_len);

// This device's ticket to show now: the one that ends later, where it has begun. It lies in the wallet's memory.
// Error: IOTKM_E_NO_CREDENTIAL where none is valid.
// Shown in examples/c/operator.c.
int iotkm_wallet_ticket(const iotkm_wallet *wallet,
                        const iotkm_cx *cx,
                        iotkm_ticket *ticket);

// This device's tickets, valid or not, the one that ends later first: `index` is 0 or 1.
// Error: IOTKM_E_NO_CREDENTIAL where there is none.
// Shown in examples/firmware/cortex-m/interactive.c.
int iotkm_wallet_ticket_at(const iotkm_wallet *wallet, size_t index, iotkm_ticket *ticket);

// Checks a peer's ticket: agent, signature, end, revocation; `ticket` points into `bytes`. A ticket alone does not say who
// shows it. Error: IOTKM_E_REFUSED_...
int iotkm_wallet_check(const iotkm_wallet *wallet,
                       const iotkm_cx *cx,
                       const uint8_t *bytes,
                       size_t len,
                       iotkm_ticket *ticket);

// The owner of a ticket that iotkm_wallet_check() took has shown to be it, by more than the ticket: it is at least as late as the
// agent issued that (iotkm_wallet_floor()). Associations say so by themselves. Error: IOTKM_E_REFUSED_... where `ticket` is none.
int iotkm_wallet_saw(iotkm_wallet *wallet,
                     const iotkm_ticket *ticket);

// The newest time of issue of anything that the agent signed, in seconds since 1970: it is at least that late.
int iotkm_wallet_floor(const iotkm_wallet *wallet,
                       uint64_t *floor_s);

// The number of the revocation list; 0: none.
// Shown in examples/c/operator.c.
int iotkm_wallet_list_number(const iotkm_wallet *wallet, uint32_t *number);

// Wipes a wallet from memory, what it was lent with it; its slot stays as it is. Error: IOTKM_E_BUSY while an association
// holds it.
// Shown in examples/c/tickets.c.
int iotkm_wallet_wipe(iotkm_wallet *wallet);

// ---- tickets: what agent, operator and device say to each other ----

// Example:
//
//     /* What came over an association; an answer to what is not taken. */
//     iotkm_ticket_message said, answer = {0};
//     int status = iotkm_ticket_message_read(received.payload, received.payload_len, &said);
//     if (status == IOTKM_OK && said.kind == IOTKM_TICKET_MESSAGE_ACKNOWLEDGED) my_application(said.ticket, sizeof said.ticket);
//     answer.kind = IOTKM_TICKET_MESSAGE_REFUSED;
//     answer.code = status;
//     if (status != IOTKM_OK) iotkm_ticket_message_write(&answer, out, sizeof out, &len);

// Reads a message; `message` points into `bytes`. Errors: IOTKM_E_REFUSED_ENCODING, IOTKM_E_REFUSED_CLAIMS,
// IOTKM_E_REFUSED_KEY for what is none; say so to the sender if you like (IOTKM_TICKET_MESSAGE_REFUSED).
int iotkm_ticket_message_read(const uint8_t *bytes, size_t len, iotkm_ticket_message *message);

// Writes a message. What it points to does not lie in `out`. Errors: IOTKM_E_BUFFER_TOO_SMALL (the length of what it holds
// and IOTKM_TICKET_MESSAGE_OVERHEAD will do, for all others IOTKM_TICKET_MAX, where it is about a key of FFC
// IOTKM_TICKET_MAX_FFC); IOTKM_E_REFUSED_CLAIMS or IOTKM_E_REFUSED_KEY where its receiver would refuse it;
// IOTKM_E_BAD_ARGUMENT for a kind or a curve that is none.
int iotkm_ticket_message_write(const iotkm_ticket_message *message,
                               uint8_t *out,
                               size_t out_capacity,
                               size_t *out_len);

// ---- tickets: a ticket agent ----

// Example:
//
//     /* An agent's start: its numbers from its slot, 256 more of them stored; its key from its own place, or a token's. */
//     static iotkm_ticket_agent issuer;
//     static const uint32_t stolen[] = {3, 8};
//     uint8_t ticket[IOTKM_TICKET_MAX], signature[IOTKM_SIGNATURE_LEN];
//     char name[IOTKM_NAME_TEXT];
//     iotkm_ticket_message request;
//     uint32_t serial;
//     uint64_t now_s = cx.wall_ms / 1000;
//     if (iotkm_ticket_agent_load(&issuer, &cx, SLOT) == IOTKM_E_EMPTY) iotkm_ticket_agent_init(&issuer, "acme");
//     iotkm_ticket_agent_store(&issuer, &cx, SLOT);
//     iotkm_ticket_agent_name(&issuer, name);
//     /* An operator's message, answered: a ticket of the next number. */
//     iotkm_ticket_message_read(bytes, len, &request);
//     iotkm_ticket_agent_issue(&issuer, &iotkm_signing_eddsa, secret, now_s, &request, ticket, sizeof ticket, &len);
//     /* The next revocation list; a credential's number; another text, signed by a key that is elsewhere. */
//     iotkm_ticket_agent_revoke(&issuer, &iotkm_signing_eddsa, secret, now_s, stolen, 2, out, sizeof out, &len);
//     iotkm_ticket_agent_number(&issuer, &serial);
//     iotkm_signing_sign(&iotkm_signing_external, &token, payload, payload_len, signature);
//     iotkm_ticket_agent_wipe(&issuer);
//     /* Numbers from a database, one at a time; or stored by hand. */
//     iotkm_ticket_agent_init_with_number(&issuer, "acme", next_serial());
//     iotkm_ticket_agent_restore(&issuer, &cx, 0, blob, blob_len);
//     iotkm_ticket_agent_seal(&issuer, &cx, out, sizeof out, &len, &serial);
//     my_store(out, len);
//     iotkm_ticket_agent_persisted(&issuer);

// Sets up an agent that has issued nothing; `issuer` is its name in tickets.
// Error: IOTKM_E_BAD_ARGUMENT for a name that no ticket can have.
int iotkm_ticket_agent_init(iotkm_ticket_agent *agent, const char *issuer);

// For a caller who keeps the numbers (in a database) and has given this one to nobody: one ticket or credential can be issued
// under it, and no other. Error: IOTKM_E_BAD_ARGUMENT, also for the last number there is.
int iotkm_ticket_agent_init_with_number(iotkm_ticket_agent *agent,
                                        const char *issuer,
                                        uint32_t serial);

// Sets an agent up from what was stored. `floor` is the value of the slot's monotonic counter, 0 where there is none.
// Errors: IOTKM_E_BAD_BLOB, also of another device; IOTKM_E_BLOB_ROLLED_BACK where it is older than `floor`.
int iotkm_ticket_agent_restore(iotkm_ticket_agent *agent,
                               const iotkm_cx *cx,
                               uint32_t floor,
                               const uint8_t *blob,
                               size_t blob_len);

// iotkm_ticket_agent_restore() with what the platform's `store_read` finds in the slot.
// Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK; as there.
int iotkm_ticket_agent_load(iotkm_ticket_agent *agent, const iotkm_cx *cx, uint16_t slot);

// Reserves numbers and seals the agent into `out`, with the number of this write in `version` for a monotonic counter; once it
// is stored, call iotkm_ticket_agent_persisted(). Error: IOTKM_E_BUFFER_TOO_SMALL (IOTKM_TICKET_AGENT_BLOB_MAX bytes will do).
int iotkm_ticket_agent_seal(iotkm_ticket_agent *agent,
                            const iotkm_cx *cx,
                            uint8_t *out,
                            size_t out_capacity,
                            size_t *out_len,
                            uint32_t *version);

// What iotkm_ticket_agent_seal() gave last is stored.
int iotkm_ticket_agent_persisted(iotkm_ticket_agent *agent);

// iotkm_ticket_agent_seal(), the platform's `store_write` to this slot, iotkm_ticket_agent_persisted(). Error: IOTKM_E_HOOK.
int iotkm_ticket_agent_store(iotkm_ticket_agent *agent,
                             const iotkm_cx *cx,
                             uint16_t slot);

// Writes the agent's name, IOTKM_NAME_TEXT bytes with its NUL.
int iotkm_ticket_agent_name(const iotkm_ticket_agent *agent, char *issuer);

// Issues what a message asks for (IOTKM_TICKET_MESSAGE_REQUEST) into `out`, from `now_s` on, in seconds since 1970. What the
// message points to does not lie in `out`. Who may ask for what, the caller says. Errors, after which no number is used up:
// IOTKM_E_WRONG_STATE where none is reserved in storage; IOTKM_E_REFUSED_CLAIMS or IOTKM_E_REFUSED_KEY where nobody would accept
// it; IOTKM_E_BUFFER_TOO_SMALL (IOTKM_TICKET_MAX bytes will do, IOTKM_TICKET_MAX_FFC for FFC); IOTKM_E_BAD_ARGUMENT for another
// message or a key that is none; IOTKM_E_HOOK and IOTKM_E_KEY_PENDING of a key that is elsewhere.
int iotkm_ticket_agent_issue(iotkm_ticket_agent *agent,
                             const iotkm_signing *signing,
                             const void *key,
                             uint64_t now_s,
                             const iotkm_ticket_message *request,
                             uint8_t *out,
                             size_t out_capacity,
                             size_t *out_len);

// Gives the next number for something else that this agent issues (iotkm_credential_terms), which is never given again.
// Error: IOTKM_E_WRONG_STATE where none is reserved in storage.
int iotkm_ticket_agent_number(iotkm_ticket_agent *agent,
                              uint32_t *serial);

// Issues the next revocation list into `out`. `serials` rise, none comes twice; those of tickets that are over need not be
// there. Errors: as iotkm_ticket_agent_issue(); IOTKM_E_REFUSED_CLAIMS for serials in another order, IOTKM_E_BUFFER_TOO_SMALL
// (IOTKM_REVOCATION_LIST_OVERHEAD and four bytes for each serial will do).
int iotkm_ticket_agent_revoke(iotkm_ticket_agent *agent,
                              const iotkm_signing *signing,
                              const void *key,
                              uint64_t now_s,
                              const uint32_t *serials,
                              size_t count,
                              uint8_t *out,
                              size_t out_capacity,
                              size_t *out_len);

// Wipes an agent from memory; its slot stays as it is.
int iotkm_ticket_agent_wipe(iotkm_ticket_agent *agent);

// ---- tickets: an operator ----

// Example:
//
//     /* Tickets are asked for a week before their predecessors end, and again after a day. */
//     static iotkm_operator op;
//     static iotkm_operator_entry entries[1000];
//     char device[IOTKM_NAME_TEXT];
//     uint8_t reference[IOTKM_REFERENCE_LEN];
//     iotkm_ticket ticket;
//     iotkm_credential credential;
//     iotkm_renewal renewal;
//     uint64_t wake_at_s, now_s = cx.wall_ms / 1000;
//     bool is_waiting, acknowledged;
//     size_t i;
//     iotkm_operator_init(&op, entries, 1000, 7 * 86400, 86400);
//     if (iotkm_ticket_verify(bytes, len, &agent, &ticket) == IOTKM_OK) iotkm_operator_knows(&op, &ticket);
//     /* At wake_at_s: a request to the agent for each device that is named. */
//     iotkm_operator_wake_at(&op, &wake_at_s);
//     while (iotkm_operator_ask(&op, now_s, device) == IOTKM_OK && device[0]) my_request(device);
//     /* The agent's answer: keep it. */
//     if (iotkm_ticket_verify(bytes, len, &agent, &ticket) == IOTKM_OK) iotkm_operator_issued(&op, &ticket);
//     /* An association with the device comes up: send what waits, as a message. What it says then: drop what is acknowledged. */
//     iotkm_operator_waiting_for(&op, "lamp-7", &is_waiting, reference);
//     iotkm_operator_handle(&op, "lamp-7", received.payload, received.payload_len, &acknowledged);
//     /* With credentials: who is named by iotkm_operator_ask() is sent IOTKM_TICKET_MESSAGE_CREDENTIAL_DUE, and asks; the answer waits. */
//     if (iotkm_credential_read(suite, bytes, len, &credential) == IOTKM_OK) iotkm_operator_knows_credential(&op, &credential);
//     if (iotkm_credential_read(suite, bytes, len - IOTKM_CREDENTIAL_ANSWER_OVERHEAD, &credential) == IOTKM_OK)
//         iotkm_operator_issued_credential(&op, &credential);
//     /* Who is late? */
//     for (i = 0; iotkm_operator_device_at(&op, i, &renewal) == IOTKM_OK; i++) {
//         if (renewal.expires <= now_s) my_warning(renewal.device);
//     }
//     iotkm_operator_forget(&op, "lamp-7");
//     iotkm_operator_wipe(&op);

// Sets up an operator that knows nobody, with room for `count` devices in `entries`, which are lent until
// iotkm_operator_wipe(). `lead_s`: how many seconds before a ticket's end the next one is asked for; `retry_s`: after how many
// seconds without an answer it is asked for again. Error: IOTKM_E_BAD_ARGUMENT for no room at all.
int iotkm_operator_init(iotkm_operator *op,
                        iotkm_operator_entry *entries,
                        size_t count,
                        uint64_t lead_s,
                        uint64_t retry_s);

// A device and the ticket that it holds, which somebody has verified. Error: IOTKM_E_FULL where no place is free.
int iotkm_operator_knows(iotkm_operator *op,
                         const iotkm_ticket *ticket);

// iotkm_operator_knows() of a device that holds a credential. Error: IOTKM_E_FULL where no place is free.
int iotkm_operator_knows_credential(iotkm_operator *op, const iotkm_credential *credential);

// Drops a device; for one that is not known that is ok too.
int iotkm_operator_forget(iotkm_operator *op, const char *device);

// Writes the name of the device whose next ticket is to be asked for now, the most urgent first, IOTKM_NAME_TEXT bytes with its
// NUL: send the agent a request (for a credential the device IOTKM_TICKET_MESSAGE_CREDENTIAL_DUE), then ask here again. Empty:
// there is none.
int iotkm_operator_ask(iotkm_operator *op,
                       uint64_t now_s,
                       char *device);

// When iotkm_operator_ask() will have something; IOTKM_NEVER: as things are, never.
int iotkm_operator_wake_at(const iotkm_operator *op, uint64_t *wake_at_s);

// The agent's answer, verified (iotkm_ticket_verify()), for one of the devices; the caller keeps it until it is acknowledged.
// Error: IOTKM_E_BAD_ARGUMENT where there is no such device, or it has one that ends no earlier.
int iotkm_operator_issued(iotkm_operator *op,
                          const iotkm_ticket *ticket);

// A device's request for a credential was answered (iotkm_credential_issue()), with this one in the answer: it waits for the
// device until it is acknowledged, in place of what waited before, since that was the answer to a request that the device has lost.
// The caller stores request and answer before this, and gives the same request the same answer. Error: IOTKM_E_BAD_ARGUMENT where
// there is no such device.
int iotkm_operator_issued_credential(iotkm_operator *op,
                                     const iotkm_credential *credential);

// What stands for the ticket or the credential that waits for a device, IOTKM_REFERENCE_LEN bytes, where `is_waiting`: send it
// (IOTKM_TICKET_MESSAGE_TICKET, IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER) now and whenever an association with the device comes up,
// until it is acknowledged.
int iotkm_operator_waiting_for(const iotkm_operator *op,
                               const char *device,
                               bool *is_waiting,
                               uint8_t *reference);

// Takes in a message from the device of that name, the payload of a record of its association; `acknowledged`: whether its next
// ticket or credential is now there, and the caller may drop it. Errors: IOTKM_E_REFUSED_... for what is no message.
int iotkm_operator_handle(iotkm_operator *op,
                          const char *device,
                          const uint8_t *message,
                          size_t message_len,
                          bool *acknowledged);

// The devices, to look through: `index` counts from 0. Error: IOTKM_E_EMPTY where there are not so many.
int iotkm_operator_device_at(const iotkm_operator *op, size_t index, iotkm_renewal *renewal);

// Wipes an operator from memory, and what it was lent.
int iotkm_operator_wipe(iotkm_operator *op);

// ---- interactive: associations ----

// Example:
//
//     /* A leaf of a star; an association of suite -21 in a hub; one that gives its memory back meanwhile. */
//     static iotkm_interactive_memory_small small;
//     static iotkm_interactive_memory runs;
//     static iotkm_interactive_memory_ffc long_runs;
//     static const iotkm_suite *const suites[] = {&iotkm_suite_ffc2048};
//     iotkm_interactive_setup setup = {0};
//     uint32_t number;
//     setup.struct_size = sizeof setup;
//     setup.kem = &iotkm_ffc2048;
//     setup.suites = suites;
//     setup.suite_count = 1;
//     setup.key = 2;
//     iotkm_interactive_open_ffc(&a, &long_peer, &wallet, &setup, NULL, &long_runs);
//     iotkm_interactive_join_ffc(&a, &hub, IOTKM_HUB_NOBODY, &number);               /* of a curve: iotkm_interactive_join() */
//     if (iotkm_interactive_release(&a) == IOTKM_OK) iotkm_interactive_lend_ffc(&a, &long_runs);
//     setup.kem = &iotkm_x25519;                                     /* and its suites */
//     iotkm_interactive_open_leaf(&b, &interactive_peer, &wallet, &setup, NULL, &small);
//     iotkm_interactive_open(&c, &interactive_peer, &wallet, &setup, NULL, &runs);
//     if (iotkm_interactive_is_named_by(&c, datagram, datagram_len) == 1)
//         iotkm_receive(&c, &cx, &from, datagram, datagram_len, &received);
//     iotkm_interactive_join(&c, &hub, IOTKM_HUB_NOBODY, &number);
//     if (iotkm_interactive_release(&c) == IOTKM_OK) iotkm_interactive_lend(&c, &runs);

// Sets up an association with this peer, at rest: it answers the peer, and starts by itself on iotkm_interactive_connect(). `wallet`
// holds this device's tickets and may be lent to many associations. `config` may be NULL. Peer, wallet and memory are lent until
// iotkm_wipe(). Errors: IOTKM_E_SUITE_MISMATCH where the setup lacks the suite that was agreed with this peer;
// IOTKM_E_BAD_ARGUMENT; IOTKM_E_BUSY where another association holds the peer.
int iotkm_interactive_open(iotkm_association *association,
                           iotkm_interactive_peer *peer,
                           iotkm_wallet *wallet,
                           const iotkm_interactive_setup *setup,
                           const iotkm_config *config,
                           iotkm_interactive_memory *memory);

// iotkm_interactive_open() for tickets and suites of any group, the FFC ones too, with more memory. Errors: as there, and
// IOTKM_E_SUITE_MISMATCH for a peer that was not set up as an iotkm_interactive_peer_ffc.
int iotkm_interactive_open_ffc(iotkm_association *association,
                               iotkm_interactive_peer_ffc *peer,
                               iotkm_wallet *wallet,
                               const iotkm_interactive_setup *setup,
                               const iotkm_config *config,
                               iotkm_interactive_memory_ffc *memory);

// iotkm_interactive_open() for a leaf of a star, with less code and memory: it connects by itself, to one hub that stays at its
// address, and connects again after a restart. It does not answer the peer's own runs, nor iotkm_export() and iotkm_restore(). The
// MTU must hold the longest message: 500 bytes and the longer of both tickets will do. Errors: as there.
int iotkm_interactive_open_leaf(iotkm_association *association,
                                iotkm_interactive_peer *peer,
                                iotkm_wallet *wallet,
                                const iotkm_interactive_setup *setup,
                                const iotkm_config *config,
                                iotkm_interactive_memory_small *memory);

// Starts a run with the peer at this address: phase 2 where there is a pairwise master key, else phase 1 and then phase 2. A session
// that there is goes on until the new keys are agreed: IOTKM_EVENT_ESTABLISHED or IOTKM_EVENT_FAILED tells.
// Errors: IOTKM_E_NO_CREDENTIAL where no ticket is valid; IOTKM_E_WRONG_STATE while a run of this side's is under way;
// IOTKM_E_KEY_EXHAUSTED, IOTKM_E_UNDRAINED, IOTKM_E_RNG.
int iotkm_interactive_connect(iotkm_association *association,
                              const iotkm_cx *cx,
                              const iotkm_addr *to);

// Starts phase 1 although there is a pairwise master key: a new one takes its place, with the tickets that both have now.
// Errors: as iotkm_interactive_connect().
// Shown in examples/c/tickets.c.
int iotkm_interactive_authenticate(iotkm_association *association,
                                   const iotkm_cx *cx,
                                   const iotkm_addr *to);

// Asks whether the peer is there and has the pairwise master key: IOTKM_EVENT_PEER_ALIVE, or IOTKM_EVENT_FAILED of
// IOTKM_STAGE_PING. It replaces nothing and stores nothing.
// Errors: IOTKM_E_NOT_ESTABLISHED without such a key; IOTKM_E_WRONG_STATE while a ping is out; IOTKM_E_UNDRAINED, IOTKM_E_RNG.
// Shown in examples/firmware/cortex-m/interactive.c.
int iotkm_interactive_ping(iotkm_association *association,
                           const iotkm_cx *cx,
                           const iotkm_addr *to);

// Says that the wallet has changed: a new ticket of this side's is sent to the peer; a revocation list that names the peer's ends
// the association (IOTKM_EVENT_TERMINATED). Error: IOTKM_E_UNDRAINED.
// Shown in examples/c/tickets.c.
int iotkm_interactive_recheck(iotkm_association *association,
                              const iotkm_cx *cx);

// 1 if a datagram is a first message that names this association's peer, 0 if not, or an error: for programs that keep
// several associations on one socket without an iotkm_hub.
int iotkm_interactive_is_named_by(iotkm_association *association,
                                  const uint8_t *datagram,
                                  size_t datagram_len);

// iotkm_history_join() for associations of this scheme.
int iotkm_interactive_join(iotkm_association *association, iotkm_hub *hub, uint32_t wanted, uint32_t *member);

// iotkm_history_join() for associations of iotkm_interactive_open_ffc().
int iotkm_interactive_join_ffc(iotkm_association *association,
                               iotkm_hub *hub,
                               uint32_t wanted,
                               uint32_t *member);

// Takes the memory for runs back (and wipes it), if no run needs it: a session goes on without. Runs, pings, tickets, resume and a
// peer's new address need it again: iotkm_interactive_lend(). Error: IOTKM_E_WRONG_STATE while it is needed, or not there.
int iotkm_interactive_release(iotkm_association *association);

// Lends memory for runs again, until iotkm_wipe() or iotkm_interactive_release(). Errors: IOTKM_E_WRONG_STATE where there is some;
// IOTKM_E_BAD_ARGUMENT for an association of iotkm_interactive_open_ffc().
int iotkm_interactive_lend(iotkm_association *association,
                           iotkm_interactive_memory *memory);

// iotkm_interactive_lend() for associations of iotkm_interactive_open_ffc().
int iotkm_interactive_lend_ffc(iotkm_association *association, iotkm_interactive_memory_ffc *memory);

// ---- interactive: peers ----

// Example:
//
//     /* A hub's peer, for the first who comes with a ticket for lights; later, what is known of it. */
//     static iotkm_interactive_peer peer;
//     static iotkm_interactive_peer_ffc longer;
//     static uint8_t blob[IOTKM_INTERACTIVE_PEER_BLOB_MAX], ticket[IOTKM_TICKET_MAX];
//     static uint8_t work[2 * IOTKM_INTERACTIVE_PEER_BLOB_MAX_FFC];
//     char name[IOTKM_NAME_TEXT];
//     uint32_t version, generation;
//     uint16_t slot;
//     if (iotkm_interactive_peer_size() != sizeof peer || iotkm_interactive_peer_ffc_size() != sizeof longer) return;
//     iotkm_interactive_peer_init_anyone(&peer, 1, "hub", "light", psk);
//     iotkm_interactive_peer_store(&peer, &cx, work, sizeof work);   /* or, where the program stores by itself: */
//     iotkm_interactive_peer_seal(&peer, &cx, blob, sizeof blob, &len, &version);
//     iotkm_interactive_peer_wipe(&peer);
//     iotkm_interactive_peer_restore(&peer, &cx, 1, version, blob, len, work, sizeof work);
//     iotkm_interactive_peer_name(&peer, name);
//     iotkm_interactive_peer_slot(&peer, &slot);
//     iotkm_interactive_peer_generation(&peer, &generation);
//     iotkm_interactive_peer_ticket(&peer, ticket, sizeof ticket, &len);
//     /* Of any group: */
//     if (iotkm_interactive_peer_load_ffc(&longer, &cx, 2, work, sizeof work) == IOTKM_E_EMPTY)
//         iotkm_interactive_peer_init_ffc(&longer, 2, "hub", "lamp-7", NULL);
//     iotkm_interactive_peer_wipe(&longer.peer);
//     iotkm_interactive_peer_init_anyone_ffc(&longer, 2, "hub", NULL, NULL);
//     iotkm_interactive_peer_wipe(&longer.peer);
//     iotkm_interactive_peer_restore_ffc(&longer, &cx, 2, 0, bytes, len, work, sizeof work);

// sizeof(iotkm_interactive_peer) as the library was built.
size_t iotkm_interactive_peer_size(void);

// sizeof(iotkm_interactive_peer_ffc) as the library was built.
size_t iotkm_interactive_peer_ffc_size(void);

// Sets a peer up with whom there was no run yet, and which its association stores in `slot`. `me`, `them`: both names, as their
// tickets have them. `psk`: 32 bytes of key material from elsewhere (another scheme's iotkm_exporter()) that go into every first
// contact; NULL: none; both sides must do the same.
// Error: IOTKM_E_BAD_ARGUMENT for a name that no ticket can have, and where both are the same.
// Shown in examples/c/tickets.c.
int iotkm_interactive_peer_init(iotkm_interactive_peer *peer,
                                uint16_t slot,
                                const char *me,
                                const char *them,
                                const uint8_t *psk);

// iotkm_interactive_peer_init() for tickets of any group.
int iotkm_interactive_peer_init_ffc(iotkm_interactive_peer_ffc *peer,
                                    uint16_t slot,
                                    const char *me,
                                    const char *them,
                                    const uint8_t *psk);

// Sets a peer up for whoever comes first with a ticket in whose scope this word stands (NULL: with any ticket of the agent); from
// then on it is that device's. Otherwise as iotkm_interactive_peer_init().
int iotkm_interactive_peer_init_anyone(iotkm_interactive_peer *peer,
                                       uint16_t slot,
                                       const char *me,
                                       const char *scope,
                                       const uint8_t *psk);

// iotkm_interactive_peer_init_anyone() for tickets of any group.
int iotkm_interactive_peer_init_anyone_ffc(iotkm_interactive_peer_ffc *peer,
                                           uint16_t slot,
                                           const char *me,
                                           const char *scope,
                                           const uint8_t *psk);

// Sets a peer up from the blob in its slot. `floor` is the value of the slot's monotonic counter, 0 where there is none; `work` has
// as many bytes as the blob. Errors: IOTKM_E_BAD_BLOB, IOTKM_E_BLOB_ROLLED_BACK.
int iotkm_interactive_peer_restore(iotkm_interactive_peer *peer,
                                   const iotkm_cx *cx,
                                   uint16_t slot,
                                   uint32_t floor,
                                   const uint8_t *blob,
                                   size_t blob_len,
                                   uint8_t *work,
                                   size_t work_len);

// iotkm_interactive_peer_restore() for tickets of any group.
int iotkm_interactive_peer_restore_ffc(iotkm_interactive_peer_ffc *peer,
                                       const iotkm_cx *cx,
                                       uint16_t slot,
                                       uint32_t floor,
                                       const uint8_t *blob,
                                       size_t blob_len,
                                       uint8_t *work,
                                       size_t work_len);

// iotkm_interactive_peer_restore() with what the platform's `store_read` finds in the slot; `work` has 2 x
// IOTKM_INTERACTIVE_PEER_BLOB_MAX bytes. Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK, IOTKM_E_BAD_BLOB.
// Shown in examples/firmware/cortex-m/interactive.c.
int iotkm_interactive_peer_load(iotkm_interactive_peer *peer,
                                const iotkm_cx *cx,
                                uint16_t slot,
                                uint8_t *work,
                                size_t work_len);

// iotkm_interactive_peer_load() for tickets of any group; `work` has 2 x IOTKM_INTERACTIVE_PEER_BLOB_MAX_FFC bytes.
int iotkm_interactive_peer_load_ffc(iotkm_interactive_peer_ffc *peer,
                                    const iotkm_cx *cx,
                                    uint16_t slot,
                                    uint8_t *work,
                                    size_t work_len);

// Seals the peer for its slot, with the number of this write in `version` for a monotonic counter. An association does this by
// itself (IOTKM_OUTPUT_PERSIST); this is for peers that were just set up. Errors: IOTKM_E_BUFFER_TOO_SMALL (room for
// IOTKM_INTERACTIVE_PEER_BLOB_MAX bytes will do); IOTKM_E_BUSY while an association holds the peer.
int iotkm_interactive_peer_seal(iotkm_interactive_peer *peer,
                                const iotkm_cx *cx,
                                uint8_t *out,
                                size_t out_capacity,
                                size_t *out_len,
                                uint32_t *version);

// iotkm_interactive_peer_seal() into `work` (IOTKM_INTERACTIVE_PEER_BLOB_MAX bytes will do), and the platform's `store_write` to
// the peer's slot. Errors: IOTKM_E_HOOK, IOTKM_E_BUFFER_TOO_SMALL; IOTKM_E_BUSY while an association holds the peer.
int iotkm_interactive_peer_store(iotkm_interactive_peer *peer,
                                 const iotkm_cx *cx,
                                 uint8_t *work,
                                 size_t work_len);

// Writes the peer's name, IOTKM_NAME_TEXT bytes with its NUL; an empty text where it is not known yet.
int iotkm_interactive_peer_name(const iotkm_interactive_peer *peer, char *text);

// The slot that the peer is stored in.
int iotkm_interactive_peer_slot(const iotkm_interactive_peer *peer, uint16_t *slot);

// Writes the peer's ticket, for iotkm_ticket_peek(): IOTKM_TICKET_MAX bytes will do (IOTKM_TICKET_MAX_FFC where it is longer).
// Errors: IOTKM_E_NO_CREDENTIAL where there is none yet, IOTKM_E_BUFFER_TOO_SMALL.
int iotkm_interactive_peer_ticket(const iotkm_interactive_peer *peer,
                                  uint8_t *out,
                                  size_t out_capacity,
                                  size_t *out_len);

// How often the pairwise master key was replaced since the first contact.
int iotkm_interactive_peer_generation(const iotkm_interactive_peer *peer, uint32_t *generation);

// Wipes the peer from memory; its slot stays as it is. Error: IOTKM_E_BUSY while an association holds the peer.
int iotkm_interactive_peer_wipe(iotkm_interactive_peer *peer);

// ---- credentials: a device ----

// Example:
//
//     /* Stored by a program's own means, and back. A credential that came with its private key, on a bench. */
//     static uint8_t memory[IOTKM_HOLDER_MEMORY_FFC + IOTKM_REVOCATION_LIST_OVERHEAD];
//     static uint8_t blob[IOTKM_HOLDER_BLOB_OVERHEAD + sizeof memory], work[sizeof blob];
//     static iotkm_holder holder;
//     static iotkm_static_key key;
//     static iotkm_static_key_ffc half, long_key;
//     iotkm_credential credential;
//     uint64_t floor_s;
//     uint32_t version;
//     iotkm_holder_init(&holder, &operators, "lamp-7", memory, sizeof memory);
//     if (blob_len > 0) iotkm_holder_restore(&holder, &cx, 0, blob, blob_len, work, sizeof work);
//     if (iotkm_holder_accept_printed(&holder, &cx, bytes, len, scalar, 5, &key) == IOTKM_OK)
//         iotkm_holder_install(&holder, &cx, bytes, len);
//     if (iotkm_holder_needs_store(&holder) == 1
//         && iotkm_holder_seal(&holder, &cx, blob, sizeof blob, &blob_len, &version) == IOTKM_OK) {
//         my_store(blob, blob_len);
//         iotkm_holder_persisted(&holder);
//     }
//     iotkm_holder_floor(&holder, &floor_s);                         /* it is at least that late */
//     /* With suite -21 or -22, an operator's answer to what the half asked for: */
//     iotkm_static_key_generate_ffc(&half, &cx, 0, &iotkm_growing_ffc2048);
//     if (iotkm_holder_accept_ffc(&holder, &cx, &half, bytes, len, 5, &long_key, &credential) == IOTKM_OK)
//         iotkm_holder_install(&holder, &cx, credential.bytes, credential.len);
//     if (iotkm_holder_accept_printed_ffc(&holder, &cx, bytes, len, scalar, 5, &long_key) != IOTKM_OK) return;

// Sets an empty holder up, of the device named `me`, which goes by `operator`. `memory` has IOTKM_HOLDER_MEMORY
// bytes (IOTKM_HOLDER_MEMORY_FFC for an FFC suite), and for a
// revocation list IOTKM_REVOCATION_LIST_OVERHEAD and four for each serial. The memory, `me`, and what the operator points to are
// lent until iotkm_holder_wipe().
// Error: IOTKM_E_BAD_ARGUMENT for names that no credential can have, keys that are none, or too little memory.
int iotkm_holder_init(iotkm_holder *holder,
                      const iotkm_credential_operator *operator_,
                      const char *me,
                      uint8_t *memory,
                      size_t memory_len);

// Takes in what is stored, where the holder is empty; it is empty still after an error. `floor` is the value of the slot's
// monotonic counter, 0 where there is none; `work` has as many bytes as the blob.
// Errors: IOTKM_E_BAD_BLOB, also of another device or operator; IOTKM_E_BLOB_ROLLED_BACK; IOTKM_E_WRONG_STATE where something
// is here already.
int iotkm_holder_restore(iotkm_holder *holder,
                         const iotkm_cx *cx,
                         uint32_t floor,
                         const uint8_t *blob,
                         size_t blob_len,
                         uint8_t *work,
                         size_t work_len);

// iotkm_holder_restore() with what the platform's `store_read` finds in the slot. `work` has room for two blobs: 2 x
// (IOTKM_HOLDER_BLOB_OVERHEAD and the holder's memory). Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK; as there.
// Shown in examples/firmware/cortex-m/noninteractive.c.
int iotkm_holder_load(iotkm_holder *holder,
                      const iotkm_cx *cx,
                      uint16_t slot,
                      uint8_t *work,
                      size_t work_len);

// Seals the holder into `out`, with the number of this write in `version` for a monotonic counter; once it is stored, call
// iotkm_holder_persisted(). Error: IOTKM_E_BUFFER_TOO_SMALL.
int iotkm_holder_seal(iotkm_holder *holder,
                      const iotkm_cx *cx,
                      uint8_t *out,
                      size_t out_capacity,
                      size_t *out_len,
                      uint32_t *version);

// What iotkm_holder_seal() gave last is stored.
int iotkm_holder_persisted(iotkm_holder *holder);

// iotkm_holder_seal() into `work`, the platform's `store_write` to this slot, iotkm_holder_persisted(). `work` has room for a blob:
// IOTKM_HOLDER_BLOB_OVERHEAD and the holder's memory. Errors: IOTKM_E_HOOK, IOTKM_E_BUFFER_TOO_SMALL.
int iotkm_holder_store(iotkm_holder *holder,
                       const iotkm_cx *cx,
                       uint16_t slot,
                       uint8_t *work,
                       size_t work_len);

// 1 if there is something to store (a credential, what was drawn to ask for one, a list, a floor that rose by an hour or more), 0
// if not, or an error.
int iotkm_holder_needs_store(const iotkm_holder *holder);

// Checks the operator's answer to iotkm_credential_request(), whose `half` this is: sets `key` up, the credential's private key
// of this number, and `credential`, which points into `answer`. Then store the key (iotkm_static_key_store()), let the
// platform's hooks find it, iotkm_holder_install(), iotkm_holder_store(). `key` may be `half`'s memory only after that was wiped.
// Errors: IOTKM_E_REFUSED_SIGNATURE where it is not this operator's answer to this request, another IOTKM_E_REFUSED_...;
// IOTKM_E_BAD_ARGUMENT for a half of another kind.
// Shown in examples/c/epochs.c.
int iotkm_holder_accept(const iotkm_holder *holder,
                        const iotkm_cx *cx,
                        const iotkm_static_key *half,
                        const uint8_t *answer,
                        size_t answer_len,
                        uint16_t number,
                        iotkm_static_key *key,
                        iotkm_credential *credential);

// iotkm_holder_accept() with a suite of any group.
int iotkm_holder_accept_ffc(const iotkm_holder *holder,
                            const iotkm_cx *cx,
                            const iotkm_static_key_ffc *half,
                            const uint8_t *answer,
                            size_t answer_len,
                            uint16_t number,
                            iotkm_static_key_ffc *key,
                            iotkm_credential *credential);

// Checks what iotkm_credential_issue_printed_knowing_the_private_key() gave, or that a stored private key is the credential's:
// sets `key` up from the private key `x`, 32 bytes. Then as after iotkm_holder_accept().
// Errors: IOTKM_E_REFUSED_SIGNATURE where x is not this credential's, another IOTKM_E_REFUSED_...
int iotkm_holder_accept_printed(const iotkm_holder *holder,
                                const iotkm_cx *cx,
                                const uint8_t *credential,
                                size_t credential_len,
                                const uint8_t *x,
                                uint16_t number,
                                iotkm_static_key *key);

// iotkm_holder_accept_printed() with a suite of any group.
int iotkm_holder_accept_printed_ffc(const iotkm_holder *holder,
                                    const iotkm_cx *cx,
                                    const uint8_t *credential,
                                    size_t credential_len,
                                    const uint8_t *x,
                                    uint16_t number,
                                    iotkm_static_key_ffc *key);

// Takes this device's credential in, in place of the one before. That the device has its private key, iotkm_holder_accept()
// has shown. Errors: IOTKM_E_REFUSED_..., IOTKM_E_REFUSED_OLDER for one that ends before the one here.
int iotkm_holder_install(iotkm_holder *holder,
                         const iotkm_cx *cx,
                         const uint8_t *credential,
                         size_t credential_len);

// Takes a revocation list in; `is_new` (may be NULL): whether it was not there yet. Then iotkm_noninteractive_recheck().
// Errors: IOTKM_E_REFUSED_... (IOTKM_E_REFUSED_OLDER for a number that is not above the one here), IOTKM_E_FULL for one that is
// longer than the memory for it.
// Shown in examples/c/epochs.c.
int iotkm_holder_revoke(iotkm_holder *holder,
                        const iotkm_cx *cx,
                        const uint8_t *list,
                        size_t list_len,
                        bool *is_new);

// This device's credential, valid or not. It lies in the holder's memory. Error: IOTKM_E_NO_CREDENTIAL where there is none.
// Shown in examples/firmware/cortex-m/noninteractive.c.
int iotkm_holder_credential(const iotkm_holder *holder,
                            iotkm_credential *credential);

// The newest time of issue of anything that the operator issued, in seconds since 1970: it is at least that late.
int iotkm_holder_floor(const iotkm_holder *holder,
                       uint64_t *floor_s);

// The number of the revocation list; 0: none.
// Shown in examples/firmware/cortex-m/noninteractive.c.
int iotkm_holder_list_number(const iotkm_holder *holder, uint32_t *number);

// Wipes a holder from memory; its slot stays as it is. Error: IOTKM_E_BUSY while an association holds it.
// Shown in examples/c/epochs.c.
int iotkm_holder_wipe(iotkm_holder *holder);

// ---- credentials: asked for, issued ----

// Example:
//
//     /* The operator: who asks? Then the answer; or, for a device that cannot draw randomness, credential and key in one. */
//     char subject[IOTKM_NAME_TEXT];
//     uint8_t answer[IOTKM_CREDENTIAL_ANSWER_MAX], x[32];
//     iotkm_credential credential;
//     iotkm_credential_terms terms = {0};
//     terms.issuer = "acme";
//     terms.issued_at = (uint32_t)(cx.wall_ms / 1000);
//     terms.serial = next_serial();
//     terms.life_h = 24 * 365;
//     if (iotkm_credential_requested(suite, bytes, len, subject) != IOTKM_OK || !user_knows(subject)) return;
//     iotkm_credential_issue(&cx, suite, secret, &terms, bytes, len, answer, sizeof answer, &len);
//     terms.serial = next_serial();
//     iotkm_credential_issue_printed_knowing_the_private_key(&cx, suite, secret, &terms, "lamp-8", x,
//                                                            answer, sizeof answer, &len);
//     if (iotkm_credential_read(suite, answer, len, &credential) == IOTKM_OK) my_warning(credential.subject);

// Reads a credential of this suite's; `credential` points into `bytes`. Error: IOTKM_E_REFUSED_CLAIMS.
int iotkm_credential_read(const iotkm_noninteractive_suite *suite,
                          const uint8_t *bytes,
                          size_t len,
                          iotkm_credential *credential);

// Writes what a device sends its operator: a credential, please, for this name. `half` is a new key of the suite's group
// (iotkm_static_key_generate() or ..._ffc() with iotkm_growing_...), half of the device's key to be: keep it, stored, until
// the answer is there (iotkm_holder_accept()), then wipe it. Nothing here is secret; that it is this device's the operator has
// to know. Errors: IOTKM_E_BUFFER_TOO_SMALL (IOTKM_CREDENTIAL_REQUEST_MAX bytes will do, ..._MAX_FFC for those groups);
// IOTKM_E_BAD_ARGUMENT for a name that no credential can have, or another kind of key.
// Shown in examples/c/epochs.c.
int iotkm_credential_request(const iotkm_static_key *half,
                             const char *subject,
                             uint8_t *out,
                             size_t out_capacity,
                             size_t *out_len);

// Writes the name of the device that asks, IOTKM_NAME_TEXT bytes with its NUL. Error: IOTKM_E_REFUSED_CLAIMS for what is no
// request of this suite's.
int iotkm_credential_requested(const iotkm_noninteractive_suite *suite,
                               const uint8_t *request,
                               size_t request_len,
                               char *subject);

// Makes an operator's private key, 32 bytes to be kept secret: who has it can be every device. Errors: IOTKM_E_RNG.
// Shown in examples/c/epochs.c.
int iotkm_operator_key_generate(const iotkm_noninteractive_suite *suite,
                                const iotkm_cx *cx,
                                uint8_t *secret);

// Writes the public key of an operator's private key: what devices have of it. It has 32 bytes, of the FFC groups 256 and 384:
// IOTKM_OPERATOR_KEY_MAX will do.
// Errors: IOTKM_E_BAD_ARGUMENT for bytes that are no such key, IOTKM_E_BUFFER_TOO_SMALL.
// Shown in examples/c/epochs.c.
int iotkm_operator_key_public(const iotkm_noninteractive_suite *suite,
                              const uint8_t *secret,
                              uint8_t *out,
                              size_t out_capacity,
                              size_t *out_len);

// Answers a device's request with the operator's private key: the answer for iotkm_holder_accept() or iotkm_holder_handle(); it
// begins with the credential, and has IOTKM_CREDENTIAL_ANSWER_OVERHEAD bytes more. Neither is secret on the
// way, and the device's private key is never the operator's. That the request is that device's, the caller answers for.
// Errors: IOTKM_E_REFUSED_CLAIMS for what is no request, or names or times that cannot be; IOTKM_E_REFUSED_KEY for an element
// outside the group; IOTKM_E_BUFFER_TOO_SMALL (IOTKM_CREDENTIAL_ANSWER_MAX bytes will do, ..._MAX_FFC for those groups),
// IOTKM_E_BAD_ARGUMENT, IOTKM_E_RNG.
int iotkm_credential_issue(const iotkm_cx *cx,
                           const iotkm_noninteractive_suite *suite,
                           const uint8_t *secret,
                           const iotkm_credential_terms *terms,
                           const uint8_t *request,
                           size_t request_len,
                           uint8_t *out,
                           size_t out_capacity,
                           size_t *out_len);

// Issues as the paper prints it: a credential into `out`, and its private key into `x`, 32 bytes, both for
// iotkm_holder_accept_printed(). So the operator can be the device, and whoever reads them on their way too: for devices that
// cannot draw randomness, on a bench where nobody listens. Wipe `x` after use. Errors: as iotkm_credential_issue().
int iotkm_credential_issue_printed_knowing_the_private_key(const iotkm_cx *cx,
                                                           const iotkm_noninteractive_suite *suite,
                                                           const uint8_t *secret,
                                                           const iotkm_credential_terms *terms,
                                                           const char *subject,
                                                           uint8_t *x,
                                                           uint8_t *out,
                                                           size_t out_capacity,
                                                           size_t *out_len);

// ---- credentials: a device's next one, over an association ----

// Example:
//
//     /* The next credential, in the session with the operator: asked for a week before this one ends. */
//     enum { NEXT = 6, NEXT_SLOT = 3 };
//     static iotkm_static_key_ffc long_next;
//     static iotkm_static_key next;                                  /* where the platform's hooks find it: beside the one in use */
//     static uint8_t work[IOTKM_HOLDER_BLOB_OVERHEAD + IOTKM_HOLDER_MEMORY + IOTKM_REVOCATION_LIST_OVERHEAD];
//     iotkm_credential credential;
//     iotkm_told told;
//     uint64_t due_at_s;
//     int status;
//     iotkm_holder_due_at(&holder, 7 * 86400, &due_at_s);
//     if (cx.wall_ms / 1000 >= due_at_s) iotkm_holder_ask(&holder, &cx);
//     if (iotkm_holder_needs_store(&holder) == 1) iotkm_holder_store(&holder, &cx, SLOT, work, sizeof work);
//     /* Whenever the session comes up, and after a while without an answer: */
//     if (iotkm_holder_is_asking(&holder) == 1 && iotkm_holder_request(&holder, buffer, sizeof buffer, &len) == IOTKM_OK)
//         iotkm_send(&a, &cx, buffer, len, out, sizeof out, &datagram_len, &to);
//     /* What the operator says: */
//     status = iotkm_holder_handle(&holder, &cx, received.payload, received.payload_len, NEXT, &next, &credential, &told);
//     if (status != IOTKM_OK) {
//         iotkm_wallet_refusal(status, buffer, sizeof buffer, &len);
//         iotkm_send(&a, &cx, buffer, len, out, sizeof out, &datagram_len, &to);
//         return;
//     }
//     if (told == IOTKM_TOLD_ASK) iotkm_holder_ask(&holder, &cx);    /* and on as above: a device without a clock */
//     if (told == IOTKM_TOLD_NEXT && iotkm_static_key_store(&next, &cx, NEXT_SLOT) == IOTKM_OK)
//         iotkm_holder_install(&holder, &cx, credential.bytes, credential.len);
//     if (told == IOTKM_TOLD_NEXT || told == IOTKM_TOLD_ACKNOWLEDGE) {
//         iotkm_holder_store(&holder, &cx, SLOT, work, sizeof work);
//         if (iotkm_holder_acknowledgement(&holder, buffer, sizeof buffer, &len) == IOTKM_OK)
//             iotkm_send(&a, &cx, buffer, len, out, sizeof out, &datagram_len, &to);
//     }
//     /* With suite -21 or -22: */
//     iotkm_holder_handle_ffc(&holder, &cx, received.payload, received.payload_len, NEXT, &long_next, &credential, &told);

// From when on to ask for the next credential, in seconds since 1970: `lead_s` seconds before this one ends, but not in the first
// half of its life, when the one before it may still be in use. 0: there is none.
int iotkm_holder_due_at(const iotkm_holder *holder,
                        uint64_t lead_s,
                        uint64_t *due_at_s);

// Begins to ask for the next credential, unless an answer is awaited already: iotkm_holder_store(), then send what
// iotkm_holder_request() writes. Error: IOTKM_E_RNG.
int iotkm_holder_ask(iotkm_holder *holder,
                     const iotkm_cx *cx);

// 1 if an answer is awaited, 0 if not, or an error.
int iotkm_holder_is_asking(const iotkm_holder *holder);

// Writes the message for the operator, the same each time: send it whenever an association with the operator comes up, and after
// a while without an answer. Errors: IOTKM_E_WRONG_STATE where nothing is asked, or that is not stored;
// IOTKM_E_BUFFER_TOO_SMALL (IOTKM_CREDENTIAL_REQUEST_MAX and IOTKM_TICKET_MESSAGE_OVERHEAD bytes will do, ..._MAX_FFC for those
// groups).
int iotkm_holder_request(const iotkm_holder *holder,
                         uint8_t *out,
                         size_t out_capacity,
                         size_t *out_len);

// A message from the operator, the payload of an association's record: a revocation list is taken in; of all else `told` says what
// is to be done. With IOTKM_TOLD_NEXT, `key` is set up, the next credential's private key of this number, which is not the
// number of the one in use, as its memory is not; and `credential`, which points into `message`. What came before is to be
// acknowledged again.
// Errors: IOTKM_E_REFUSED_..., to be answered with iotkm_wallet_refusal(); IOTKM_E_REFUSED_SIGNATURE also for an answer to no
// request that is out. IOTKM_E_FULL for a list that is longer than the memory for it.
int iotkm_holder_handle(iotkm_holder *holder,
                        const iotkm_cx *cx,
                        const uint8_t *message,
                        size_t message_len,
                        uint16_t number,
                        iotkm_static_key *key,
                        iotkm_credential *credential,
                        iotkm_told *told);

// iotkm_holder_handle() with a suite of any group.
int iotkm_holder_handle_ffc(iotkm_holder *holder,
                            const iotkm_cx *cx,
                            const uint8_t *message,
                            size_t message_len,
                            uint16_t number,
                            iotkm_static_key_ffc *key,
                            iotkm_credential *credential,
                            iotkm_told *told);

// Writes what to tell the operator: what is here, and stored. Errors: IOTKM_E_WRONG_STATE while something is not stored, or without
// a credential; IOTKM_E_BUFFER_TOO_SMALL (IOTKM_WALLET_ANSWER_MAX bytes will do).
int iotkm_holder_acknowledgement(const iotkm_holder *holder,
                                 uint8_t *out,
                                 size_t out_capacity,
                                 size_t *out_len);

// ---- noninteractive: associations ----

// Example:
//
//     /* With little memory; with suite -21, in a hub; one that gives its memory back meanwhile. */
//     static iotkm_noninteractive one, other;
//     static iotkm_noninteractive_memory_small small;
//     static iotkm_noninteractive_memory runs;
//     static iotkm_noninteractive_memory_ffc long_runs;
//     iotkm_noninteractive_setup setup = {0};
//     uint32_t number;
//     setup.struct_size = sizeof setup;
//     setup.key = 5;
//     setup.interval_s = 3600;
//     iotkm_noninteractive_open_small(&one, &noninteractive_peer, &holder, &setup, NULL, &small);
//     iotkm_noninteractive_join(&one.association, &hub, IOTKM_HUB_NOBODY, &number);
//     if (iotkm_noninteractive_release(&one.association) == IOTKM_OK) iotkm_noninteractive_lend(&one.association, &runs);
//     iotkm_noninteractive_open_ffc(&other, &long_other, &holder, &setup, NULL, &long_runs);
//     iotkm_noninteractive_join_ffc(&other.association, &hub, IOTKM_HUB_NOBODY, &number);
//     if (iotkm_noninteractive_release(&other.association) == IOTKM_OK)
//         iotkm_noninteractive_lend_ffc(&other.association, &long_runs);
//     if (iotkm_noninteractive_is_named_by(&one.association, datagram, datagram_len) == 1)
//         iotkm_receive(&one.association, &cx, &from, datagram, datagram_len, &received);

// Sets up an association with this peer, at rest: it answers the peer, and starts by itself on iotkm_noninteractive_connect(), or
// goes on where it was before a restart on iotkm_noninteractive_go_on(). `holder` has this device's credential and may be lent
// to many associations; its operator's suite is theirs. `config` may be NULL. Peer, holder and memory are lent until
// iotkm_wipe(). IOTKM_EVENT_REKEYED tells of every epoch, IOTKM_EVENT_REKEY_NEEDED of the last one, IOTKM_EVENT_TERMINATED of
// the end: of the epochs, of a credential, by revocation.
// Errors: IOTKM_E_SUITE_MISMATCH where the peer was set up with another group than the holder's; IOTKM_E_BAD_ARGUMENT;
// IOTKM_E_BUSY where another association holds the peer.
// Shown in examples/c/epochs.c.
int iotkm_noninteractive_open(iotkm_noninteractive *association,
                              iotkm_noninteractive_peer *peer,
                              iotkm_holder *holder,
                              const iotkm_noninteractive_setup *setup,
                              const iotkm_config *config,
                              iotkm_noninteractive_memory *memory);

// iotkm_noninteractive_open() with less memory. While a run is under way the peer's own runs are not answered, and the MTU must be
// at least IOTKM_NONINTERACTIVE_MTU_SMALL. Errors: as there.
int iotkm_noninteractive_open_small(iotkm_noninteractive *association,
                                    iotkm_noninteractive_peer *peer,
                                    iotkm_holder *holder,
                                    const iotkm_noninteractive_setup *setup,
                                    const iotkm_config *config,
                                    iotkm_noninteractive_memory_small *memory);

// iotkm_noninteractive_open() with the FFC groups, with more memory. Errors: as there.
int iotkm_noninteractive_open_ffc(iotkm_noninteractive *association,
                                  iotkm_noninteractive_peer_ffc *peer,
                                  iotkm_holder *holder,
                                  const iotkm_noninteractive_setup *setup,
                                  const iotkm_config *config,
                                  iotkm_noninteractive_memory_ffc *memory);

// Starts a handshake with the peer at this address. A session that there is goes on until the new one is complete:
// IOTKM_EVENT_ESTABLISHED or IOTKM_EVENT_FAILED tells.
// Errors: IOTKM_E_NO_CREDENTIAL where this device has none that is valid; IOTKM_E_WRONG_STATE while a run of this side's is
// under way; IOTKM_E_UNDRAINED, IOTKM_E_RNG.
// Shown in examples/c/epochs.c.
int iotkm_noninteractive_connect(iotkm_association *association,
                                 const iotkm_cx *cx,
                                 const iotkm_addr *to);

// Goes on from the stored peer after a restart, in three messages: IOTKM_EVENT_RESUMED says when. Where IOTKM_EVENT_FAILED
// comes in its place, iotkm_noninteractive_connect().
// Errors: IOTKM_E_NOT_ESTABLISHED where nothing is stored; IOTKM_E_WRONG_STATE where there is a session or a run already;
// IOTKM_E_UNDRAINED, IOTKM_E_RNG.
// Shown in examples/firmware/cortex-m/noninteractive.c.
int iotkm_noninteractive_go_on(iotkm_association *association,
                               const iotkm_cx *cx);

// Says that the holder has changed: a revocation list that names the peer's credential ends the association
// (IOTKM_EVENT_TERMINATED). Errors: IOTKM_E_UNDRAINED, IOTKM_E_RNG.
// Shown in examples/c/epochs.c.
int iotkm_noninteractive_recheck(iotkm_association *association, const iotkm_cx *cx);

// The epoch in use, from 1 on. Error: IOTKM_E_NOT_ESTABLISHED.
// Shown in examples/c/epochs.c.
int iotkm_noninteractive_epoch(iotkm_association *association, uint32_t *epoch);

// 1 if a datagram is a first message that names this association's peer, 0 if not, or an error: for programs that keep
// several associations on one socket without an iotkm_hub.
int iotkm_noninteractive_is_named_by(iotkm_association *association,
                                     const uint8_t *datagram,
                                     size_t datagram_len);

// Takes the memory for runs back (and wipes it), if no run needs it: a session goes on without, epoch after epoch. Handshakes, resume
// and a peer's new address need it again: iotkm_noninteractive_lend(). Error: IOTKM_E_WRONG_STATE while it is needed, or not
// there.
int iotkm_noninteractive_release(iotkm_association *association);

// Lends memory for runs again, until iotkm_wipe() or iotkm_noninteractive_release(). Errors: IOTKM_E_WRONG_STATE where there is
// some; IOTKM_E_BAD_ARGUMENT for an association of iotkm_noninteractive_open_ffc().
int iotkm_noninteractive_lend(iotkm_association *association,
                              iotkm_noninteractive_memory *memory);

// iotkm_noninteractive_lend() for associations of iotkm_noninteractive_open_ffc().
int iotkm_noninteractive_lend_ffc(iotkm_association *association, iotkm_noninteractive_memory_ffc *memory);

// iotkm_history_join() for associations of this scheme.
int iotkm_noninteractive_join(iotkm_association *association,
                              iotkm_hub *hub,
                              uint32_t wanted,
                              uint32_t *member);

// iotkm_history_join() for associations of iotkm_noninteractive_open_ffc().
int iotkm_noninteractive_join_ffc(iotkm_association *association,
                                  iotkm_hub *hub,
                                  uint32_t wanted,
                                  uint32_t *member);

// ---- noninteractive: peers ----

// Example:
//
//     /* Stored by a program's own means, and back; of suite -21 likewise. */
//     static const iotkm_noninteractive_suite *const ffc = &iotkm_noninteractive_suite_ffc2048;
//     static iotkm_noninteractive_peer peer;
//     static iotkm_noninteractive_peer_ffc longer;
//     static uint8_t blob[IOTKM_NONINTERACTIVE_PEER_BLOB_MAX], work[2 * IOTKM_NONINTERACTIVE_PEER_BLOB_MAX_FFC];
//     uint8_t credential[IOTKM_CREDENTIAL_MAX];
//     char name[IOTKM_NAME_TEXT];
//     uint32_t version, epoch;
//     uint16_t slot;
//     if (iotkm_noninteractive_peer_size() != sizeof peer || iotkm_noninteractive_peer_ffc_size() != sizeof longer) return;
//     iotkm_noninteractive_peer_init(&peer, suite, 1, "lamp-7", "hub", psk);
//     iotkm_noninteractive_peer_store(&peer, &cx, work, sizeof work);
//     iotkm_noninteractive_peer_seal(&peer, &cx, blob, sizeof blob, &len, &version);
//     iotkm_noninteractive_peer_wipe(&peer);
//     iotkm_noninteractive_peer_restore(&peer, suite, &cx, 1, version, blob, len, work, sizeof work);
//     iotkm_noninteractive_peer_name(&peer, name);
//     iotkm_noninteractive_peer_slot(&peer, &slot);
//     iotkm_noninteractive_peer_epoch(&peer, &epoch);
//     iotkm_noninteractive_peer_credential(&peer, credential, sizeof credential, &len);
//     if (iotkm_noninteractive_peer_load_ffc(&longer, ffc, &cx, 2, work, sizeof work) == IOTKM_E_EMPTY)
//         iotkm_noninteractive_peer_init_ffc(&longer, ffc, 2, "lamp-7", "hub", NULL);
//     iotkm_noninteractive_peer_wipe(&longer.peer);
//     iotkm_noninteractive_peer_restore_ffc(&longer, ffc, &cx, 2, 0, bytes, len, work, sizeof work);

// sizeof(iotkm_noninteractive_peer) as the library was built.
size_t iotkm_noninteractive_peer_size(void);

// sizeof(iotkm_noninteractive_peer_ffc) as the library was built.
size_t iotkm_noninteractive_peer_ffc_size(void);

// Sets a peer up with whom there was no handshake yet, and which its association stores in `slot`. `me`, `them`: both names, as
// their credentials have them; `them` may be NULL: whoever comes first, and from then on it is that device's. `psk`: 32 bytes
// of key material from elsewhere (another scheme's iotkm_exporter()) that go into every handshake; NULL: none; both sides must
// do the same. Error: IOTKM_E_BAD_ARGUMENT for a name that no credential can have, where both are the same, and for an FFC suite.
int iotkm_noninteractive_peer_init(iotkm_noninteractive_peer *peer,
                                   const iotkm_noninteractive_suite *suite,
                                   uint16_t slot,
                                   const char *me,
                                   const char *them,
                                   const uint8_t *psk);

// iotkm_noninteractive_peer_init() with a suite of any group.
int iotkm_noninteractive_peer_init_ffc(iotkm_noninteractive_peer_ffc *peer,
                                       const iotkm_noninteractive_suite *suite,
                                       uint16_t slot,
                                       const char *me,
                                       const char *them,
                                       const uint8_t *psk);

// Sets a peer up from the blob in its slot. `floor` is the value of the slot's monotonic counter, 0 where there is none; `work`
// has as many bytes as the blob. Errors: IOTKM_E_BAD_BLOB, also of another group; IOTKM_E_BLOB_ROLLED_BACK.
int iotkm_noninteractive_peer_restore(iotkm_noninteractive_peer *peer,
                                      const iotkm_noninteractive_suite *suite,
                                      const iotkm_cx *cx,
                                      uint16_t slot,
                                      uint32_t floor,
                                      const uint8_t *blob,
                                      size_t blob_len,
                                      uint8_t *work,
                                      size_t work_len);

// iotkm_noninteractive_peer_restore() with a suite of any group.
int iotkm_noninteractive_peer_restore_ffc(iotkm_noninteractive_peer_ffc *peer,
                                          const iotkm_noninteractive_suite *suite,
                                          const iotkm_cx *cx,
                                          uint16_t slot,
                                          uint32_t floor,
                                          const uint8_t *blob,
                                          size_t blob_len,
                                          uint8_t *work,
                                          size_t work_len);

// iotkm_noninteractive_peer_restore() with what the platform's `store_read` finds in the slot; `work` has 2 x
// IOTKM_NONINTERACTIVE_PEER_BLOB_MAX bytes. Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK, IOTKM_E_BAD_BLOB.
// Shown in examples/firmware/cortex-m/noninteractive.c.
int iotkm_noninteractive_peer_load(iotkm_noninteractive_peer *peer,
                                   const iotkm_noninteractive_suite *suite,
                                   const iotkm_cx *cx,
                                   uint16_t slot,
                                   uint8_t *work,
                                   size_t work_len);

// iotkm_noninteractive_peer_load() with a suite of any group; `work` has 2 x IOTKM_NONINTERACTIVE_PEER_BLOB_MAX_FFC bytes.
int iotkm_noninteractive_peer_load_ffc(iotkm_noninteractive_peer_ffc *peer,
                                       const iotkm_noninteractive_suite *suite,
                                       const iotkm_cx *cx,
                                       uint16_t slot,
                                       uint8_t *work,
                                       size_t work_len);

// Seals the peer for its slot, with the number of this write in `version` for a monotonic counter. An association does this by
// itself (IOTKM_OUTPUT_PERSIST); this is for peers that were just set up. Errors: IOTKM_E_BUFFER_TOO_SMALL (room for
// IOTKM_NONINTERACTIVE_PEER_BLOB_MAX bytes will do); IOTKM_E_BUSY while an association holds the peer.
int iotkm_noninteractive_peer_seal(iotkm_noninteractive_peer *peer,
                                   const iotkm_cx *cx,
                                   uint8_t *out,
                                   size_t out_capacity,
                                   size_t *out_len,
                                   uint32_t *version);

// iotkm_noninteractive_peer_seal() into `work` (IOTKM_NONINTERACTIVE_PEER_BLOB_MAX bytes will do), and the platform's
// `store_write` to the peer's slot. Errors: IOTKM_E_HOOK, IOTKM_E_BUFFER_TOO_SMALL; IOTKM_E_BUSY while an association holds
// the peer.
int iotkm_noninteractive_peer_store(iotkm_noninteractive_peer *peer,
                                    const iotkm_cx *cx,
                                    uint8_t *work,
                                    size_t work_len);

// Writes the peer's name, IOTKM_NAME_TEXT bytes with its NUL; an empty text where it is not known yet.
int iotkm_noninteractive_peer_name(const iotkm_noninteractive_peer *peer, char *text);

// The slot that the peer is stored in.
int iotkm_noninteractive_peer_slot(const iotkm_noninteractive_peer *peer, uint16_t *slot);

// The epoch that is stored, from which iotkm_noninteractive_go_on() would go on. Error: IOTKM_E_NOT_ESTABLISHED without one.
int iotkm_noninteractive_peer_epoch(const iotkm_noninteractive_peer *peer,
                                    uint32_t *epoch);

// Writes the peer's credential, for iotkm_credential_read(): IOTKM_CREDENTIAL_MAX bytes will do
// (IOTKM_CREDENTIAL_MAX_FFC where it is of an FFC group).
// Errors: IOTKM_E_NO_CREDENTIAL where there is none yet, IOTKM_E_BUFFER_TOO_SMALL.
int iotkm_noninteractive_peer_credential(const iotkm_noninteractive_peer *peer,
                                         uint8_t *out,
                                         size_t out_capacity,
                                         size_t *out_len);

// Wipes the peer from memory; its slot stays as it is. Error: IOTKM_E_BUSY while an association holds the peer.
int iotkm_noninteractive_peer_wipe(iotkm_noninteractive_peer *peer);

// ---- microcert: chips ----

// Example:
//
//     /* In the factory: an invitation in, a deposit out; from then on its slots 1 and 2. By a program's own means, with monotonic counters,
//      * iotkm_chip_seal() and iotkm_chip_restore(). */
//     static iotkm_chip chip;
//     static uint8_t work[IOTKM_CHIP_WORK], deposit[IOTKM_CHIP_DEPOSIT_MAX];
//     iotkm_chip_record about;
//     iotkm_chip_stored stored = {0};
//     uint16_t slot;
//     uint32_t version;
//     if (iotkm_chip_size() != sizeof chip) return;
//     if (iotkm_chip_load(&chip, &cx, 1, 2, work, sizeof work) == IOTKM_E_EMPTY) {
//         iotkm_chip_enrol(&chip, &cx, 1, 2, bytes, len);
//         iotkm_chip_store(&chip, &cx, work, sizeof work);
//         iotkm_chip_deposit(&chip, deposit, sizeof deposit, &len);
//         my_store(deposit, len);                             // to the centre, which answers
//         iotkm_chip_confirm(&chip, bytes, IOTKM_CENTRE_CONFIRMATION_LEN);
//         iotkm_chip_store(&chip, &cx, work, sizeof work);
//     }
//     iotkm_chip_info(&chip, &about);
//     if (about.revoked) my_warning("revoked");
//     while (iotkm_chip_needs_store(&chip) == 1) {
//         iotkm_chip_seal(&chip, &cx, buffer, sizeof buffer, &len, &slot, &version);
//         my_store(buffer, len);
//         iotkm_chip_persisted(&chip);
//     }
//     iotkm_chip_wipe(&chip);
//     stored.seed_slot = 1;
//     stored.seed = bytes;
//     stored.seed_len = len;
//     stored.state_slot = 2;
//     stored.state = blob;
//     stored.state_len = blob_len;
//     stored.state_floor = version;
//     iotkm_chip_restore(&chip, &cx, &stored, work, sizeof work);

// sizeof(iotkm_chip) as the library was built.
size_t iotkm_chip_size(void);

// Enrols this device by an invitation, which its centre wrote for its id and which came offline, since it brings a key: erase it
// then. The chip makes its seed, 976 random bytes. Store it (iotkm_chip_store()) before iotkm_chip_deposit(), whose bytes go to
// the centre; its answer is for iotkm_chip_confirm(). `seed_slot` and `state_slot` are where the chip will be stored.
// Errors: IOTKM_E_BAD_ARGUMENT for what is no invitation, and where both slots are the same; IOTKM_E_RNG.
int iotkm_chip_enrol(iotkm_chip *chip,
                     const iotkm_cx *cx,
                     uint16_t seed_slot,
                     uint16_t state_slot,
                     const uint8_t *invitation,
                     size_t invitation_len);

// Writes the chip's answer to its invitation, for the centre: the seed, sealed under the key of the invitation.
// IOTKM_CHIP_DEPOSIT_MAX bytes will do. Errors: IOTKM_E_WRONG_STATE once the centre has confirmed, IOTKM_E_BUFFER_TOO_SMALL.
int iotkm_chip_deposit(const iotkm_chip *chip,
                       uint8_t *out,
                       size_t out_capacity,
                       size_t *out_len);

// Takes the centre's word that it has stored the seed, 20 bytes: the key of the invitation is erased. The first authentication
// says as much. Store the chip afterwards.
// Errors: IOTKM_E_BAD_ARGUMENT where it is not that centre's word; IOTKM_E_WRONG_STATE where it came before; IOTKM_E_BUSY while an
// association holds the chip.
int iotkm_chip_confirm(iotkm_chip *chip,
                       const uint8_t *confirmation,
                       size_t confirmation_len);

// 1 if the chip has to be stored, 0 if not, or an error: iotkm_chip_store(), or iotkm_chip_seal(), storage, and
// iotkm_chip_persisted() until it is 0. An association does so by itself (IOTKM_OUTPUT_PERSIST).
int iotkm_chip_needs_store(const iotkm_chip *chip);

// Seals what has to be written next into `out` (IOTKM_CHIP_SEED_BLOB_MAX bytes will do), for `slot`, with the number of this write
// in `version` for a monotonic counter. Say iotkm_chip_persisted() when it is safe, and before the next one.
// Errors: IOTKM_E_BUFFER_TOO_SMALL; IOTKM_E_BUSY while an association holds the chip.
int iotkm_chip_seal(iotkm_chip *chip,
                    const iotkm_cx *cx,
                    uint8_t *out,
                    size_t out_capacity,
                    size_t *out_len,
                    uint16_t *slot,
                    uint32_t *version);

// What iotkm_chip_seal() gave last is safe. Error: IOTKM_E_BUSY while an association holds the chip.
int iotkm_chip_persisted(iotkm_chip *chip);

// Stores all that has to be, by the platform's `store_write`, sealed in `work` (IOTKM_CHIP_SEED_BLOB_MAX bytes will do).
// Errors: IOTKM_E_HOOK (call again), IOTKM_E_BUFFER_TOO_SMALL; IOTKM_E_BUSY while an association holds the chip.
int iotkm_chip_store(iotkm_chip *chip,
                     const iotkm_cx *cx,
                     uint8_t *work,
                     size_t work_len);

// Sets a chip up from its two blobs, opened in `work`: IOTKM_CHIP_SEED_BLOB_MAX bytes, erased afterwards. Store it where
// iotkm_chip_needs_store() says so: the power may have gone between two writes.
// Errors: IOTKM_E_BAD_BLOB, also where the two do not belong together; IOTKM_E_BLOB_ROLLED_BACK; IOTKM_E_BAD_ARGUMENT.
int iotkm_chip_restore(iotkm_chip *chip,
                       const iotkm_cx *cx,
                       const iotkm_chip_stored *stored,
                       uint8_t *work,
                       size_t work_len);

// iotkm_chip_restore() with what the platform's `store_read` finds in both slots; `work` has IOTKM_CHIP_WORK bytes.
// Errors: IOTKM_E_EMPTY where one of them was never written, IOTKM_E_HOOK, IOTKM_E_BAD_BLOB, IOTKM_E_BAD_ARGUMENT.
int iotkm_chip_load(iotkm_chip *chip,
                    const iotkm_cx *cx,
                    uint16_t seed_slot,
                    uint16_t state_slot,
                    uint8_t *work,
                    size_t work_len);

// Writes what may be shown of a chip, also while an association holds it.
int iotkm_chip_info(const iotkm_chip *chip, iotkm_chip_record *record);

// Wipes the chip from memory; its slots stay as they are. Error: IOTKM_E_BUSY while an association holds the chip.
int iotkm_chip_wipe(iotkm_chip *chip);

// ---- microcert: associations with the centre ----

// Example:
//
//     /* A leaf, without sessions. Then one that has them: it authenticates, without a session; signs a reading for whoever asks the centre; then a session, at the centre's time. A device behind
//      * a gateway is in a hub; memory that is only needed for a run is given back. */
//     static iotkm_microcert_memory memory;
//     uint8_t signature[IOTKM_SIGNATURE_MAX];
//     uint32_t number;
//     uint64_t now;
//     iotkm_microcert_open_leaf(&a, &chip, &iotkm_suite_4_symmetric, NULL, &memory);
//     iotkm_microcert_authenticate(&a, &cx, &to);
//     iotkm_wipe(&a);
//     iotkm_microcert_open(&a, &chip, &iotkm_suite_4_symmetric, NULL, &memory);
//     iotkm_microcert_join(&a, &hub, IOTKM_HUB_NOBODY, &number);
//     iotkm_microcert_authenticate(&a, &cx, &to);
//     iotkm_drain(&a, &cx, buffer, sizeof buffer, &wake_at);
//     while (iotkm_microcert_sign(&a, &cx, payload, payload_len, signature, sizeof signature, &len) == IOTKM_E_UNDRAINED)
//         iotkm_drain(&a, &cx, buffer, sizeof buffer, &wake_at);
//     iotkm_microcert_connect(&a, &cx, &to);
//     iotkm_microcert_time(&a, cx.now_ms, &now);
//     if (now != 0) cx.wall_ms = now;
//     if (iotkm_microcert_release(&a) == IOTKM_OK) iotkm_microcert_lend(&a, &memory);

// Sets up an association with the centre that the chip is enrolled with, at rest. `suite` is the one that it was enrolled with, a
// ..._symmetric one. `config` may be NULL; its MTU must be at least IOTKM_MICROCERT_MTU_MIN. Chip and memory are lent until
// iotkm_wipe().
//
// What the centre orders happens by itself, with the next authentication: IOTKM_EVENT_UPDATE_AGREED and
// IOTKM_EVENT_KEY_REPLACED tell of a new seed, IOTKM_EVENT_FAILED with IOTKM_REASON_REVOKED that the seed was killed.
// Errors: IOTKM_E_SUITE_MISMATCH, IOTKM_E_BAD_ARGUMENT, IOTKM_E_BUSY where another association holds the chip.
int iotkm_microcert_open(iotkm_association *association,
                         iotkm_chip *chip,
                         const iotkm_suite *suite,
                         const iotkm_config *config,
                         iotkm_microcert_memory *memory);

// iotkm_microcert_open() for a leaf that authenticates itself and signs, and has no sessions: at two thirds of the code. What the
// centre orders happens all the same. iotkm_microcert_connect() is refused with IOTKM_E_WRONG_STATE, as are iotkm_export() and
// iotkm_restore(); it cannot join an iotkm_hub. Errors: as there.
int iotkm_microcert_open_leaf(iotkm_association *association,
                              iotkm_chip *chip,
                              const iotkm_suite *suite,
                              const iotkm_config *config,
                              iotkm_microcert_memory *memory);

// Authenticates this device and the centre at this address to each other, and starts a session: IOTKM_EVENT_ESTABLISHED or
// IOTKM_EVENT_FAILED tells. A session that there is goes on until the new one is complete. Without a clock (`cx->wall_ms` is 0, or
// it was enrolled so) it takes two messages more.
// Errors: IOTKM_E_SEED_EXPIRED; IOTKM_E_WRONG_STATE while a run is under way, and for a leaf, which has no sessions;
// IOTKM_E_KEY_EXHAUSTED after 2^32 - 1 counters; IOTKM_E_UNDRAINED, IOTKM_E_RNG.
int iotkm_microcert_connect(iotkm_association *association,
                            const iotkm_cx *cx,
                            const iotkm_addr *to);

// iotkm_microcert_connect() without a session: IOTKM_EVENT_AUTHENTICATED tells. Errors: as there.
int iotkm_microcert_authenticate(iotkm_association *association, const iotkm_cx *cx, const iotkm_addr *to);

// Signs data, for whoever asks the centre; the time in it is this device's. IOTKM_SIGNATURE_MAX bytes will do.
// Errors: IOTKM_E_UNDRAINED where a counter has to be stored first: drain and call again; IOTKM_E_SEED_EXPIRED, IOTKM_E_REVOKED,
// IOTKM_E_KEY_EXHAUSTED, IOTKM_E_RNG, IOTKM_E_BUFFER_TOO_SMALL.
int iotkm_microcert_sign(iotkm_association *association,
                         const iotkm_cx *cx,
                         const uint8_t *data,
                         size_t data_len,
                         uint8_t *out,
                         size_t out_capacity,
                         size_t *out_len);

// What time it is by the centre's clock, in ms since 1970, as it said last in this association, to set the device's own: `now_ms`
// as in iotkm_cx. 0: it has said nothing yet.
int iotkm_microcert_time(iotkm_association *association,
                         uint64_t now_ms,
                         uint64_t *wall_ms);

// Takes the memory for runs back (and wipes it), if no run needs it: a session goes on without. Authentication, resume and the
// centre's new address need it again: iotkm_microcert_lend(). Error: IOTKM_E_WRONG_STATE while it is needed, or not there.
int iotkm_microcert_release(iotkm_association *association);

// Lends memory for runs again, until iotkm_wipe() or iotkm_microcert_release(). Error: IOTKM_E_WRONG_STATE where there is some.
int iotkm_microcert_lend(iotkm_association *association,
                         iotkm_microcert_memory *memory);

// iotkm_history_join() for associations of this scheme.
int iotkm_microcert_join(iotkm_association *association, iotkm_hub *hub, uint32_t wanted, uint32_t *member);

// ---- microcert: a centre ----

// Example:
//
//     /* A centre over a program's database, with its keys in memory. */
//     static iotkm_centre centre;
//     static iotkm_centre_share shares[4000];
//     static iotkm_centre_kept answers[100];
//     static const iotkm_suite *const suites[] = {&iotkm_suite_0_symmetric, &iotkm_suite_4_symmetric};
//     iotkm_centre_stores stores = {0};
//     iotkm_centre_setup setup = {0};
//     iotkm_handled handled;
//     iotkm_signed by;
//     iotkm_device_record device;
//     uint8_t word[IOTKM_CENTRE_CONFIRMATION_LEN];
//     uint16_t forged;
//     stores.struct_size = sizeof stores;
//     stores.row_read = my_row_read;
//     stores.row_swap = my_row_swap;
//     stores.keys = secret;                                   // IOTKM_CENTRE_KEYS_LEN bytes
//     setup.struct_size = sizeof setup;
//     setup.id = own_id;
//     setup.suites = suites;
//     setup.suite_count = 2;
//     setup.stores = &stores;
//     setup.shares = shares;
//     setup.share_count = 4000;
//     setup.answers = answers;
//     setup.answer_count = 100;
//     iotkm_centre_open(&centre, &setup);
//     
//     iotkm_centre_invite(&centre, &cx, &peer_id, suites[0], false, out, sizeof out, &len);   // to the chip, offline
//     iotkm_centre_enrol(&centre, &cx, bytes, len, word, &peer_id);                           // what it answered
//     
//     iotkm_centre_receive(&centre, &cx, &from, NULL, 0, datagram, datagram_len, out, sizeof out, &handled, &session);
//     if (handled.reply) my_send(&from, handled.reply, handled.reply_len);
//     if (handled.has_session) iotkm_accepted_wipe(&session);
//     if (handled.event == IOTKM_CENTRE_CLONE_SUSPECTED) iotkm_centre_revoke(&centre, &cx, &handled.id);
//     if (handled.event == IOTKM_CENTRE_AUTHENTICATED && iotkm_centre_device(&centre, &cx, &handled.id, &device) == IOTKM_OK
//         && device.last_year - 1 <= this_year)
//         iotkm_centre_update(&centre, &cx, &handled.id);
//     if (iotkm_centre_verify(&centre, &cx, bytes, len, payload, payload_len, &by) == IOTKM_OK) my_application(payload, payload_len);
//     iotkm_centre_drops(&centre, IOTKM_DROPPED_FORGED, &forged);
//     iotkm_centre_forget_answers(&centre);                   // the database lost a commit
//     iotkm_centre_wipe(&centre);

// Sets a centre up.
// Servers of one centre behind one address share database, keys and device secret (the platform's): so one takes the proof to
// another's challenge. Tables and sessions are each server's own: lead what a session sends to the server that has it.
// Errors: IOTKM_E_BAD_ARGUMENT without suites or without cells, or for a suite with Diffie-Hellman.
int iotkm_centre_open(iotkm_centre *centre,
                      const iotkm_centre_setup *setup);

// Takes in one datagram from the address `from`; what goes back lies in `out` (IOTKM_CENTRE_REPLY_MAX bytes). `cid` is the
// connection id, at most 8 bytes, under which a session that begins is to receive: another one for the next call once it is used.
// `session`, where handled->has_session, is for iotkm_served_open(). Whatever does not parse or verify is dropped and counted.
// Errors: IOTKM_E_STORE, IOTKM_E_KEY_STORE, IOTKM_E_RNG: nothing was answered, the device asks again; IOTKM_E_BAD_ARGUMENT where
// `cx->wall_ms` is 0; IOTKM_E_BUFFER_TOO_SMALL.
int iotkm_centre_receive(iotkm_centre *centre,
                         const iotkm_cx *cx,
                         const iotkm_addr *from,
                         const uint8_t *cid,
                         size_t cid_len,
                         const uint8_t *datagram,
                         size_t datagram_len,
                         uint8_t *out,
                         size_t out_capacity,
                         iotkm_handled *handled,
                         iotkm_accepted *session);

// Writes what makes a chip of this id one of this centre's: IOTKM_CENTRE_INVITATION_MAX bytes will do. It holds a key: it goes to that
// chip offline and is erased. Nothing is stored.
// Errors: IOTKM_E_SUITE_MISMATCH for a suite that is not this centre's; IOTKM_E_WRONG_STATE for an id that is enrolled;
// IOTKM_E_STORE, IOTKM_E_KEY_STORE, IOTKM_E_BUFFER_TOO_SMALL; IOTKM_E_BAD_ARGUMENT where `cx->wall_ms` is 0.
int iotkm_centre_invite(iotkm_centre *centre,
                        const iotkm_cx *cx,
                        const iotkm_history_id *id,
                        const iotkm_suite *suite,
                        bool clockless,
                        uint8_t *out,
                        size_t out_capacity,
                        size_t *out_len);

// Takes a chip's deposit and stores its seed. Writes the confirmation for the chip, IOTKM_CENTRE_CONFIRMATION_LEN bytes, and its id. The
// same deposit again is confirmed again until the chip's first authentication.
// Errors: IOTKM_E_BAD_ARGUMENT for what is no deposit of a chip of this centre's; IOTKM_E_WRONG_STATE where the id has another seed;
// IOTKM_E_SUITE_MISMATCH, IOTKM_E_STORE, IOTKM_E_KEY_STORE.
int iotkm_centre_enrol(iotkm_centre *centre,
                       const iotkm_cx *cx,
                       const uint8_t *deposit,
                       size_t deposit_len,
                       uint8_t *confirmation,
                       iotkm_history_id *id);

// Wants a new seed of this device: it is asked for when the device comes next.
// Errors: IOTKM_E_BAD_ARGUMENT for an id without a row; IOTKM_E_REVOKED; IOTKM_E_WRONG_STATE where somebody else wrote the row in
// between: call again; IOTKM_E_STORE.
int iotkm_centre_update(iotkm_centre *centre,
                        const iotkm_cx *cx,
                        const iotkm_history_id *id);

// Revokes this device: from now on it is not authenticated, and told to kill its seed when it comes next. Sessions that it has
// are yours to end, by iotkm_close() and iotkm_wipe(): they do not know.
// Errors: IOTKM_E_BAD_ARGUMENT for an id without a row; IOTKM_E_WRONG_STATE where somebody else wrote the row in between: call again;
// IOTKM_E_STORE, IOTKM_E_KEY_STORE.
int iotkm_centre_revoke(iotkm_centre *centre,
                        const iotkm_cx *cx,
                        const iotkm_history_id *id);

// Writes what may be shown of this device.
// Errors: IOTKM_E_EMPTY for an id without a row; IOTKM_E_STORE.
int iotkm_centre_device(iotkm_centre *centre,
                        const iotkm_cx *cx,
                        const iotkm_history_id *id,
                        iotkm_device_record *record);

// Whether this is a signature of data by a device of this centre's: by whom and when.
// Errors: IOTKM_E_REFUSED_SIGNATURE where it is not, or no more (revoked, another seed, its year erased); IOTKM_E_STORE,
// IOTKM_E_KEY_STORE.
int iotkm_centre_verify(iotkm_centre *centre,
                        const iotkm_cx *cx,
                        const uint8_t *signature,
                        size_t signature_len,
                        const uint8_t *data,
                        size_t data_len,
                        iotkm_signed *signed_by);

// iotkm_drops() for a centre.
int iotkm_centre_drops(const iotkm_centre *centre, uint32_t reason, uint16_t *count);

// Forgets the answers that are kept: for a store that has lost what it said was durable.
int iotkm_centre_forget_answers(iotkm_centre *centre);

// Ends a centre, and gives back what it was lent. Error: IOTKM_E_NOT_SET_UP.
int iotkm_centre_wipe(iotkm_centre *centre);

// ---- microcert: a centre's sessions ----

// Example:
//
//     /* A session that a device was granted, in the hub with all others, at the place that its connection id (of iotkm_centre_receive()) names;
//      * and one from before a restart. */
//     static iotkm_served_memory memory, other_memory;
//     iotkm_config config = {0};
//     uint32_t number;
//     iotkm_served_open(&a, &session, NULL, &memory);
//     iotkm_served_join(&a, &hub, 9, &number);
//     if (iotkm_served_release(&a) == IOTKM_OK) iotkm_served_lend(&a, &memory);
//     config.struct_size = sizeof config;
//     config.cid_len = 4;
//     config.cid[3] = 9;
//     iotkm_served_at_rest(&b, &peer_id, &iotkm_suite_0_symmetric, &config, &other_memory);
//     iotkm_restore(&b, &cx, blob, blob_len);

// Makes an association of a session that iotkm_centre_receive() granted, and wipes `session`. IOTKM_EVENT_ESTABLISHED is its first
// output. Its connection id is the one that the centre offered; `config` may be NULL. Memory is lent until iotkm_wipe().
// Errors: IOTKM_E_BAD_ARGUMENT for a configuration out of range.
int iotkm_served_open(iotkm_association *association,
                      iotkm_accepted *session,
                      const iotkm_config *config,
                      iotkm_served_memory *memory);

// Wipes a session that is not wanted. Error: IOTKM_E_NOT_SET_UP.
int iotkm_accepted_wipe(iotkm_accepted *session);

// An association with this device that has no session yet, for iotkm_restore() from a blob of iotkm_export(); `config` has the
// connection id that it had. Errors: IOTKM_E_BAD_ARGUMENT.
int iotkm_served_at_rest(iotkm_association *association,
                         const iotkm_history_id *id,
                         const iotkm_suite *suite,
                         const iotkm_config *config,
                         iotkm_served_memory *memory);

// iotkm_microcert_release() for a centre's session.
int iotkm_served_release(iotkm_association *association);

// iotkm_microcert_lend() for a centre's session.
int iotkm_served_lend(iotkm_association *association, iotkm_served_memory *memory);

// iotkm_history_join() for a centre's session: `wanted` is the place that the connection id names under which it began, as a
// big-endian number.
int iotkm_served_join(iotkm_association *association,
                      iotkm_hub *hub,
                      uint32_t wanted,
                      uint32_t *member);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* IOTKM_H */


