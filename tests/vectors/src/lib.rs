//! Test vectors: what they are, how they are made, how they are played.
//!
//! A vector is a JSON file: two nodes, and the calls that were made on them, in order. Each step has the node, the verb,
//! its arguments, the time, the random bytes that the call drew, and all that came out: datagrams, blobs to store, events.
//! A player in any language makes the nodes, gives each call the same time and the same bytes, and compares everything. Every
//! byte string is hexadecimal.
//!
//! ```json
//! { "now": 1000, "node": "a", "do": "connect", "random": ["..."],
//!   "outputs": [ { "persist": 1, "version": 1, "bytes": "..." }, { "datagram": "b", "bytes": "..." } ] }
//! ```
//!
//! | do | arguments | result |
//! |---|---|---|
//! | `connect` | | |
//! | `input` | `bytes` (from the other node) | `payload`, `time`, `place`, where the application got something |
//! | `send` | `payload` | `bytes` |
//! | `update`, `timeout` | | |
//! | `export` | | `bytes` |
//! | `restart` | a new association from the last stored peer, or from `peer`, an older one; `bytes`, if there, is an exported session to go on from | |
//! | `exporter` | `label`, `context` | `bytes` |
//! | `listen` (`window`), `start` | pairing; the secret is the vector's | |
//! | `authenticate`, `ping` | interactive | |
//! | `install` | interactive: `ticket`, the node's next one, which goes to the peer; noninteractive: `credential`, the node's next one | |
//! | `go_on` | noninteractive: goes on from what is stored, after a `restart` without `bytes` | |
//! | `revoke` | noninteractive: `list`, a revocation list, and then what `timeout` does | |
//!
//! A node of the interactive scheme (`interactive/*.json`) has the agent's name and key, its ticket, its static key (the
//! scalar, in the group's byte order), its suites, both names, perhaps a psk and F (`life`). A `restart` with an empty
//! `peer` has forgotten its peer.
//!
//! A node of the noninteractive scheme (`noninteractive/*.json`; `primitives/credentials.json` has how credentials come about)
//! has a `credential`, its private `key` (the scalar, in the group's byte order), perhaps the `next_key` of one to be installed,
//! the operator's name, `operator_key` (a share) and `lists_key` (Ed25519), both names (no `peer`: it takes whoever comes), its
//! suite (0, 1 and 4 with ristretto255), `interval` (T, seconds), `length` (l) and perhaps `life` (F, seconds) and a psk. It is
//! without a wall clock where `wall` is null. The two nodes' `now` are two clocks: one may stand still while the other runs. Data
//! has neither time nor place in `interactive/` and `noninteractive/`.
//!
//! The microcert scheme (`microcert/*.json`): a is a device (`chip`: its slots; `id`, its `suite`, perhaps without `wall`), b
//! the centre (`keys`: K_trans, K_store and K_mac; `id`, `suites`, `cid`: what every session of its gets; a table of 256 shares
//! and one of 16 answers). A player for devices alone plays a's steps only. The device's calls:
//!
//! | do | arguments | result |
//! |---|---|---|
//! | `enrol` | `bytes`: an invitation | `bytes`: the deposit; the chip is stored, there is no association yet |
//! | `confirm` | `bytes` | |
//! | `open` | makes the association of the chip | |
//! | `connect`, `authenticate` | | |
//! | `sign` | `payload` | `bytes` |
//! | `restart` | the chip is restored from what is stored, or from `seed` and `state`, older ones, and opened; `bytes` as above | |
//! | `chip` | | `generation`, `years`, `floor` (s), `confirmed`, `revoked` |
//!
//! and the centre's, where `input`, `send`, `export`, `exporter`, `timeout` are its session's as soon as there is one, but for
//! `input` of a datagram of the scheme's own, or a cookie's echo, which are the centre's:
//!
//! | do | arguments | result |
//! |---|---|---|
//! | `invite` | `id`, `suite`, `clockless` | `bytes` |
//! | `enrol` | `bytes`: a deposit | `id`, `bytes`: the confirmation |
//! | `update`, `revoke` | `id` | |
//! | `verify` | `bytes`: a signature, `payload` | `id`, `time` (s), `counter`, or nothing |
//! | `row` | `id` | `standing`, `generation`, `updating`, `years`, `counter` |
//! | `restart` | its memory is gone; `state` and `seed`: `id`'s row is an older one; `bytes`: `id`'s session of `suite` goes on | |
//!
//! What the centre puts out: `{ "row": id, "version", "state" }` with `seed` where that was written, too; events with an `id`; its
//! answer; then what its session puts out. Errors are `{ "error": code }`.
//!
//! `values` are what the call computed on the way, each where it first comes: `name value`, where the name is the label of
//! the specification's `expand` (`c2` is C2's key, `key` both session keys, `upd` the chain of an update, `sk` `t` `li` the
//! next triple), or `extract`, `hash` (the transcripts, in order), `dh`, `isk`, in noninteractive `r` (this side's, then
//! the other's), `y`, `product` (elements). The second implementation, tests/interop,
//! writes and checks them. Players need not.
//!
//! A `persist` output is answered "stored" at once. Outputs are drained until idle after every step; `wake` is the idle
//! output's time, if any.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

pub mod centre;
pub mod chip;
pub mod credentials;
pub mod epochs;
pub mod holder;
pub mod hpke;
pub mod interactive;
pub mod make;
pub mod microcert;
pub mod node;
pub mod noninteractive;
pub mod play;
pub mod renewal;
pub mod side;
pub mod tickets;

use serde_json::Value;

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> Value {
    Value::String(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

/// Bytes from hexadecimal.
pub fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("a hexadecimal string");
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hexadecimal")).collect()
}
