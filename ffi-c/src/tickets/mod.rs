//! Tickets: read, checked, issued; a device's wallet; who sees to tickets.

pub mod agent;
pub mod list;
pub mod ticket;
pub mod wallet;

pub mod external;

pub mod message;

pub mod ticket_agent;

pub mod operator;

use self::ticket::IOTKM_NAME_TEXT;
use crate::raw::Out;
use crate::status::{Failure, Outcome, iotkm_status::*};
use core::ffi::c_char;
use core_of_iotkm::UnixTime;
use core_of_iotkm::cose::ticket::NAME_MAX;
use core_of_iotkm::cose::wallet::NotTaken;
use core_of_iotkm::cose::{IssueError, Refused};
use core_of_iotkm::crypto::keys::KeyError;

impl From<Refused> for Failure {
    fn from(reason: Refused) -> Self {
        Self { status: reason.code(), needed: 0 }
    }
}

impl From<NotTaken> for Failure {
    fn from(reason: NotTaken) -> Self {
        match reason {
            NotTaken::Refused(reason) => reason.into(),
            NotTaken::Full => IOTKM_E_FULL.into(),
        }
    }
}

impl From<IssueError> for Failure {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Refused(reason) => reason.into(),
            IssueError::BufferTooSmall { .. } => IOTKM_E_BUFFER_TOO_SMALL.into(),
            IssueError::Unstored => IOTKM_E_WRONG_STATE.into(),
            IssueError::Key(KeyError::Pending) => IOTKM_E_KEY_PENDING.into(),
            // Only of a key that is elsewhere.
            IssueError::Key(KeyError::NoKey) => IOTKM_E_HOOK.into(),
            _ => IOTKM_E_BAD_ARGUMENT.into(),
        }
    }
}

/// A name as C reads it. None holds a NUL: control characters are refused.
pub(crate) fn name(text: &str) -> [c_char; IOTKM_NAME_TEXT] {
    let mut name = [0; NAME_MAX + 1];
    name.iter_mut().zip(text.bytes().take(NAME_MAX)).for_each(|(to, from)| *to = from as c_char);
    name
}

/// Seconds since 1970 as the core has time, where they are known.
pub(crate) const fn wall(seconds: u64) -> Option<UnixTime> {
    if seconds == 0 { None } else { Some(UnixTime(seconds.saturating_mul(1000))) }
}

/// Says whether something was new, where C wants to know.
pub(crate) unsafe fn news(place: *mut bool, is_new: bool) -> Outcome {
    if !place.is_null() {
        Out::new(place)?.set(is_new);
    }
    Ok(())
}
