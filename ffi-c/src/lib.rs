//! iotkm for C. `include/iotkm.h` is made from this crate and says what each item does; here is how.
//!
//! | module | what |
//! |---|---|
//! | [`status`] | numbers for errors, and their texts |
//! | [`raw`] | every look through a C pointer: the reviewed part |
//! | [`object`] | memory of the caller's that holds one of our values: set up, in use, wiped |
//! | [`platform`] | the hooks, and what goes into each call |
//! | [`output`] | what comes out of a call |
//! | [`association`] | the verbs, on associations of any scheme |
//! | [`drain`] | poll, with the hooks |
//! | [`suites`] | the values that a program names to link an algorithm |
//! | [`history`] | the history scheme |
//! | [`interactive`] | the interactive scheme |
//! | [`noninteractive`] | the noninteractive scheme |
//! | [`microcert`] | the microcert scheme: chips, associations, a centre |
//! | [`credentials`] | self-certified keys: issued, taken, held, renewed |
//! | `lent`, `stored` | what associations are lent; peers of any length |
//! | [`hub`] | many associations on one socket |
//! | [`hedge`] | randomness from a source that may be weak |
//! | [`static_key`] | static keys in memory, behind the hooks of a secure element |
//! | [`remembered`] | what a static key shares with the peers met last |
//! | [`tickets`] | tickets, revocation lists, a device's wallet; the ticket agent, the operator |
//!
//! A function that C calls is `unsafe`: what the head of `iotkm.h` asks of the caller is its safety contract. It hands its
//! pointers to [`raw`], which checks what can be checked, and has no pointer of its own.

#![cfg_attr(not(feature = "std"), no_std)]
#![allow(unsafe_code, reason = "this is where C comes in")]
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "the contract of a function for C covers its body; lines of `raw` say their own"
)]
#![allow(clippy::missing_safety_doc, reason = "the contract is the same everywhere, and stands at the head of iotkm.h")]
#![allow(non_camel_case_types, non_upper_case_globals, reason = "names as C shows them")]

// The header follows this order.
pub mod status;

pub mod platform;

pub mod output;

pub mod suites;

pub mod association;

pub mod drain;

pub mod history;

pub mod hub;

pub mod hedge;

pub mod static_key;

pub mod remembered;

pub mod tickets;

pub mod interactive;

pub mod credentials;

pub mod noninteractive;

pub mod microcert;

pub mod object;
#[cfg(not(feature = "std"))]
mod panic;
pub mod raw;

mod lent;

mod stored;
