//! Self-certified keys: issued, taken, held, renewed.

pub mod holder;
pub mod issue;
pub mod renewal;

use crate::status::{Outcome, iotkm_status::*};
use crate::tickets::agent::text;
use core::ffi::c_char;
use core_of_iotkm::phase1::Subject;

/// A device's name.
pub(crate) unsafe fn subject(name: *const c_char) -> Outcome<Subject> {
    Ok(Subject::new(text(name)?).ok_or(IOTKM_E_BAD_ARGUMENT)?)
}
