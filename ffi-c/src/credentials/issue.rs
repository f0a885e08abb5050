//! Credentials: read, asked for, issued.

use crate::association::logged;
use crate::noninteractive::suite::iotkm_noninteractive_suite;
use crate::platform::{iotkm_cx, with_cx};
use crate::raw::{self, Out};
use crate::static_key::{growing, iotkm_static_key};
use crate::status::{Outcome, iotkm_status::*, text as nul};
use crate::tickets::agent::text;
use crate::tickets::name;
use crate::tickets::ticket::{IOTKM_NAME_TEXT, IOTKM_REFERENCE_LEN};
use core::ffi::{c_char, c_int};
use core_of_iotkm::cose::IssueError;
use core_of_iotkm::cose::ticket::NAME_MAX;
use core_of_iotkm::crypto::keys::KeyError;
use core_of_iotkm::crypto::{Rng, Secret};
use core_of_iotkm::noninteractive::credential::{credential_max, reference};
use core_of_iotkm::noninteractive::issue::{OperatorKey, Terms, read_request};
use core_of_iotkm::noninteractive::{Credential, Setting};
use core_of_iotkm::phase1::Subject;

/// The longest credential in bytes.
pub const IOTKM_CREDENTIAL_MAX: usize = 75;
/// The longest request for a credential in bytes.
pub const IOTKM_CREDENTIAL_REQUEST_MAX: usize = 65;
/// The longest answer to one in bytes.
pub const IOTKM_CREDENTIAL_ANSWER_MAX: usize = 107;
/// Bytes of an answer besides the credential that it begins with.
pub const IOTKM_CREDENTIAL_ANSWER_OVERHEAD: usize = 32;
/// The longest credential of any group in bytes.
pub const IOTKM_CREDENTIAL_MAX_FFC: usize = 427;
/// The longest request for a credential of any group in bytes.
pub const IOTKM_CREDENTIAL_REQUEST_MAX_FFC: usize = 417;
/// The longest answer to one in bytes.
pub const IOTKM_CREDENTIAL_ANSWER_MAX_FFC: usize = 459;
/// The longest public key of an operator's for credentials in bytes.
pub const IOTKM_OPERATOR_KEY_MAX: usize = 384;
const _: () = assert!(
    IOTKM_CREDENTIAL_MAX_FFC == credential_max(384)
        && IOTKM_CREDENTIAL_REQUEST_MAX_FFC == 1 + NAME_MAX + 384
        && IOTKM_CREDENTIAL_ANSWER_MAX_FFC == credential_max(384) + 32
);
const _: () = assert!(
    IOTKM_CREDENTIAL_MAX == credential_max(32)
        && IOTKM_CREDENTIAL_REQUEST_MAX == 1 + NAME_MAX + 32
        && IOTKM_CREDENTIAL_ANSWER_MAX == IOTKM_CREDENTIAL_MAX + IOTKM_CREDENTIAL_ANSWER_OVERHEAD
);

/// A credential: a name and a time, from which, with its operator's key, anybody computes the device's public key. Nothing in
/// it is signed: it says nothing until its owner has been through a handshake.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_credential {
    /// The device's name.
    pub subject: [c_char; IOTKM_NAME_TEXT],
    /// When it was issued, and from when on it is valid, in seconds since 1970.
    pub issued_at: u64,
    /// From when on it is no longer valid, in seconds since 1970.
    pub expires: u64,
    /// The operator's number for it, never given twice.
    pub serial: u32,
    /// What stands for it: the front of its SHA-256.
    pub reference: [u8; IOTKM_REFERENCE_LEN],
    /// The whole credential, where it was given or (from a holder) in the holder's memory, until that changes.
    pub bytes: *const u8,
    /// Length of `bytes`.
    pub len: usize,
}

impl iotkm_credential {
    /// The credential of these bytes, as C sees it.
    pub(super) fn of(bytes: &[u8], setting: &Setting) -> Outcome<Self> {
        let credential = Credential::read(bytes, setting)?;
        Ok(Self {
            subject: name(credential.subject),
            issued_at: credential.issued_at.into(),
            expires: credential.expires(),
            serial: credential.serial,
            reference: reference(bytes).0,
            bytes: bytes.as_ptr(),
            len: bytes.len(),
        })
    }
}

/// Reads a credential of this suite's; `credential` points into `bytes`. Error: IOTKM_E_REFUSED_CLAIMS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_credential_read(
    suite: *const iotkm_noninteractive_suite,
    bytes: *const u8,
    len: usize,
    credential: *mut iotkm_credential,
) -> c_int {
    raw::plainly(|| {
        let (place, suite) = (Out::new(credential)?, iotkm_noninteractive_suite::get(suite)?);
        place.set(iotkm_credential::of(raw::bytes(bytes, len)?, suite.setting)?);
        Ok(())
    })
}

/// Writes what a device sends its operator: a credential, please, for this name. `half` is a new key of the suite's group
/// (iotkm_static_key_generate() or ..._ffc() with iotkm_growing_...), half of the device's key to be: keep it, stored, until
/// the answer is there (iotkm_holder_accept()), then wipe it. Nothing here is secret; that it is this device's the operator has
/// to know. Errors: IOTKM_E_BUFFER_TOO_SMALL (IOTKM_CREDENTIAL_REQUEST_MAX bytes will do, ..._MAX_FFC for those groups);
/// IOTKM_E_BAD_ARGUMENT for a name that no credential can have, or another kind of key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_credential_request(
    half: *const iotkm_static_key,
    subject: *const c_char,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    raw::plainly(|| {
        let (subject, out) = (super::subject(subject)?, raw::bytes_mut(out, out_capacity)?);
        let mut out_len = Some(Out::new(out_len)?);
        growing(half, &mut |key| {
            let name = subject.as_bytes();
            let parts: [&[u8]; 3] = [&[name.len() as u8], name, key.share()];
            let len = parts.iter().fold(0usize, |len, part| len.saturating_add(part.len()));
            let to = out.get_mut(..len).ok_or(IOTKM_E_BUFFER_TOO_SMALL)?;
            to.iter_mut().zip(parts.into_iter().flatten()).for_each(|(to, from)| *to = *from);
            out_len.take().ok_or(IOTKM_E_INTERNAL)?.set(len);
            Ok(())
        })
    })
}

/// Writes the name of the device that asks, IOTKM_NAME_TEXT bytes with its NUL. Error: IOTKM_E_REFUSED_CLAIMS for what is no
/// request of this suite's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_credential_requested(
    suite: *const iotkm_noninteractive_suite,
    request: *const u8,
    request_len: usize,
    subject: *mut c_char,
) -> c_int {
    raw::plainly(|| {
        let place = Out::new(subject.cast::<[c_char; IOTKM_NAME_TEXT]>())?;
        let suite = iotkm_noninteractive_suite::get(suite)?;
        let (subject, _) = read_request(raw::bytes(request, request_len)?, suite.setting)?;
        Subject::new(subject).ok_or(IOTKM_E_REFUSED_CLAIMS)?;
        place.set(name(subject));
        Ok(())
    })
}

/// What an operator says in a credential. Fill the whole structure with zeros first.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_credential_terms {
    /// The operator's name.
    pub issuer: *const c_char,
    /// When it is issued, in seconds since 1970.
    pub issued_at: u32,
    /// A number that is never given twice.
    pub serial: u32,
    /// How long it is valid, in hours: at least 1.
    pub life_h: u16,
}

fn failed(error: IssueError) -> crate::status::Failure {
    match error {
        IssueError::Key(KeyError::Failed) => IOTKM_E_RNG.into(),
        other => other.into(),
    }
}

/// An operator's key of any group.
trait Office {
    fn scalar(&self) -> &Secret<32>;
    fn share(&self) -> &[u8];
    fn sign(
        &self,
        rng: &mut dyn Rng,
        terms: &Terms<'_>,
        theirs: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(usize, Secret<32>), IssueError>;
}

impl<const SHARE: usize> Office for OperatorKey<SHARE> {
    fn scalar(&self) -> &Secret<32> {
        self.scalar()
    }
    fn share(&self) -> &[u8] {
        self.share()
    }
    fn sign(
        &self,
        rng: &mut dyn Rng,
        terms: &Terms<'_>,
        theirs: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(usize, Secret<32>), IssueError> {
        self.sign(rng, terms, theirs, out)
    }
}

/// Calls `f` with the key of this scalar, or a new one.
fn with_key(
    suite: &iotkm_noninteractive_suite,
    x: Result<Secret<32>, &mut dyn Rng>,
    f: &mut dyn FnMut(&dyn Office) -> Outcome,
) -> Outcome {
    fn of<const SHARE: usize>(
        setting: &'static Setting,
        x: Result<Secret<32>, &mut dyn Rng>,
        f: &mut dyn FnMut(&dyn Office) -> Outcome,
    ) -> Outcome {
        f(&match x {
            Ok(x) => OperatorKey::<SHARE>::new(setting, x).map_err(|_| IOTKM_E_BAD_ARGUMENT)?,
            Err(rng) => OperatorKey::generate(setting, rng).map_err(|_| IOTKM_E_RNG)?,
        })
    }
    match suite.setting.group.share_len() {
        32 => of::<32>(suite.setting, x, f),
        256 => of::<256>(suite.setting, x, f),
        _ => of::<384>(suite.setting, x, f),
    }
}

unsafe fn scalar(secret: *const u8) -> Outcome<Secret<32>> {
    Ok(Secret::new(*raw::read::<[u8; 32]>(secret.cast())?))
}

/// Makes an operator's private key, 32 bytes to be kept secret: who has it can be every device. Errors: IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_operator_key_generate(
    suite: *const iotkm_noninteractive_suite,
    cx: *const iotkm_cx,
    secret: *mut u8,
) -> c_int {
    let made = raw::inside(|| {
        let suite = iotkm_noninteractive_suite::get(suite)?;
        let mut place = Some(Out::new(secret.cast::<[u8; 32]>())?);
        with_cx(cx, None, &mut |cx| {
            with_key(suite, Err(&mut *cx.rng), &mut |key| {
                place.take().ok_or(IOTKM_E_INTERNAL)?.set(*key.scalar().expose());
                Ok(())
            })
        })
    });
    logged(cx, nul!("iotkm_operator_key_generate"), made)
}

/// Writes the public key of an operator's private key: what devices have of it. It has 32 bytes, of the FFC groups 256 and 384:
/// IOTKM_OPERATOR_KEY_MAX will do.
/// Errors: IOTKM_E_BAD_ARGUMENT for bytes that are no such key, IOTKM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_operator_key_public(
    suite: *const iotkm_noninteractive_suite,
    secret: *const u8,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    raw::plainly(|| {
        let (out, out_len) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?);
        let (suite, secret, mut place) = (iotkm_noninteractive_suite::get(suite)?, scalar(secret)?, Some(out_len));
        with_key(suite, Ok(secret), &mut |key| {
            let share = key.share();
            out.get_mut(..share.len()).ok_or(IOTKM_E_BUFFER_TOO_SMALL)?.copy_from_slice(share);
            place.take().ok_or(IOTKM_E_INTERNAL)?.set(share.len());
            Ok(())
        })
    })
}

/// Answers a device's request with the operator's private key: the answer for iotkm_holder_accept() or iotkm_holder_handle(); it
/// begins with the credential, and has IOTKM_CREDENTIAL_ANSWER_OVERHEAD bytes more. Neither is secret on the
/// way, and the device's private key is never the operator's. That the request is that device's, the caller answers for.
/// Errors: IOTKM_E_REFUSED_CLAIMS for what is no request, or names or times that cannot be; IOTKM_E_REFUSED_KEY for an element
/// outside the group; IOTKM_E_BUFFER_TOO_SMALL (IOTKM_CREDENTIAL_ANSWER_MAX bytes will do, ..._MAX_FFC for those groups),
/// IOTKM_E_BAD_ARGUMENT, IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_credential_issue(
    cx: *const iotkm_cx,
    suite: *const iotkm_noninteractive_suite,
    secret: *const u8,
    terms: *const iotkm_credential_terms,
    request: *const u8,
    request_len: usize,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    let issued = raw::inside(|| {
        let suite = iotkm_noninteractive_suite::get(suite)?;
        let (subject, theirs) = read_request(raw::bytes(request, request_len)?, suite.setting)?;
        let (out, out_len) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?);
        let (len, _) = sign((cx, suite, secret), terms, subject, Some(theirs), out)?;
        out_len.set(len);
        Ok(())
    });
    logged(cx, nul!("iotkm_credential_issue"), issued)
}

unsafe fn sign(
    (cx, suite, secret): (*const iotkm_cx, &iotkm_noninteractive_suite, *const u8),
    terms: *const iotkm_credential_terms,
    subject: &str,
    theirs: Option<&[u8]>,
    out: &mut [u8],
) -> Outcome<(usize, Secret<32>)> {
    let iotkm_credential_terms { issuer, issued_at: now, serial, life_h: life } = *raw::read(terms)?;
    let terms = Terms { operator: text(issuer)?, subject, now, life, serial };
    let mut signed = Err(IOTKM_E_INTERNAL.into());
    with_cx(cx, None, &mut |cx| {
        with_key(suite, Ok(scalar(secret)?), &mut |key| {
            signed = key.sign(cx.rng, &terms, theirs, out).map_err(failed);
            Ok(())
        })
    })?;
    signed
}

/// Issues as the paper prints it: a credential into `out`, and its private key into `x`, 32 bytes, both for
/// iotkm_holder_accept_printed(). So the operator can be the device, and whoever reads them on their way too: for devices that
/// cannot draw randomness, on a bench where nobody listens. Wipe `x` after use. Errors: as iotkm_credential_issue().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_credential_issue_printed_knowing_the_private_key(
    cx: *const iotkm_cx,
    suite: *const iotkm_noninteractive_suite,
    secret: *const u8,
    terms: *const iotkm_credential_terms,
    subject: *const c_char,
    x: *mut u8,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    let issued = raw::inside(|| {
        let suite = iotkm_noninteractive_suite::get(suite)?;
        let place = Out::new(x.cast::<[u8; 32]>())?;
        let (out, out_len) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?);
        let (len, x) = sign((cx, suite, secret), terms, text(subject)?, None, out)?;
        place.set(*x.expose());
        out_len.set(len);
        Ok(())
    });
    logged(cx, nul!("iotkm_credential_issue_printed_knowing_the_private_key"), issued)
}
