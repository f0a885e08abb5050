//! Issuing: the operator's side and the device's.
//!
//! ```text
//! split     REQUEST   device -> operator   short(id) | R_1 = g^k1
//!           ANSWER    operator -> device   credential | s,  r = R_1 g^k2,  s = x_Z h + k2;   x = s + k1
//! printed   operator -> device, secretly   credential | x,  r = g^k,       x = x_Z h + k
//! ```
//! In a split issue nothing is secret on the way, and the operator never learns x: s is a Schnorr signature of the
//! credential whose nonce the device has shifted by its own. Printed issue is the paper's; its operator knows every key.

use super::credential::{Credential, implied};
use super::{Operator, Setting, keys};
use crate::association::UnixTime;
use crate::cose::ticket::{NAME_MAX, is_name};
use crate::cose::{IssueError, Refused, TicketAgent};
use crate::crypto::group::{GroupError, Scalar, lend};
use crate::crypto::keys::KeyError;
use crate::crypto::secret::{ct_eq, declassify};
use crate::crypto::{Rng, Secret};
use crate::engine::wire::{Reader, Writer};
use core::fmt;
use core::str;

/// Draws of k until both r and y have shares: in P-256 one in four does, elsewhere every one.
const DRAWS: usize = 256;

/// The operator's private key x_Z, for credentials of one group, whose shares have `SHARE` bytes. How credentials are
/// numbered, and revocation lists issued, is [`TicketAgent`]'s.
pub struct OperatorKey<const SHARE: usize = 32> {
    setting: &'static Setting,
    x: Scalar,
    y: [u8; SHARE],
}

impl<const SHARE: usize> fmt::Debug for OperatorKey<SHARE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperatorKey({:?}, ..)", self.setting.kem)
    }
}

/// What the operator says in a credential.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The operator's name.
    pub operator: &'a str,
    /// The device's name.
    pub subject: &'a str,
    /// When it is issued, in seconds since 1970.
    pub now: u32,
    /// How long it is valid, in hours.
    pub life: u16,
    /// A number that is never given twice.
    pub serial: u32,
}

impl<const SHARE: usize> OperatorKey<SHARE> {
    /// A new key.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when randomness fails, or where `SHARE` is not the length of the group's shares.
    pub fn generate(setting: &'static Setting, rng: &mut dyn Rng) -> Result<Self, KeyError> {
        if setting.group.share_len() != SHARE {
            return Err(KeyError::Failed);
        }
        let mut key = Self { setting, x: Secret::zero(), y: [0; SHARE] };
        setting.group.generate(rng, &mut key.x, &mut key.y)?;
        Ok(key)
    }

    /// The key with this scalar, as [`scalar`](Self::scalar) gave it.
    ///
    /// # Errors
    /// [`KeyError::Failed`] for a scalar that is zero or whose element has no share.
    pub fn new(setting: &'static Setting, x: Scalar) -> Result<Self, KeyError> {
        let mut key = Self { setting, x, y: [0; SHARE] };
        if setting.group.share_len() != SHARE || key.x == Secret::zero() {
            return Err(KeyError::Failed);
        }
        lend(setting.group.element_len(), &mut |element| {
            setting.group.base(&key.x, element);
            // A public key.
            setting.group.share_of_element(declassify(element), &mut key.y)
        })
        .map_err(|_| KeyError::Failed)?;
        Ok(key)
    }

    /// x_Z, to be stored sealed.
    pub const fn scalar(&self) -> &Scalar {
        &self.x
    }

    /// y_Z, as a share.
    pub const fn share(&self) -> &[u8; SHARE] {
        &self.y
    }

    /// Answers a device's request: writes ANSWER into `out`; its length. `now` is seconds since 1970, `life` hours. That the
    /// request is that device's, the caller answers for.
    ///
    /// # Errors
    /// [`IssueError`]; [`Refused::Claims`] and [`Refused::Key`] in it for a request that is none.
    pub fn issue(
        &self,
        agent: &mut TicketAgent,
        rng: &mut dyn Rng,
        now: u32,
        life: u16,
        request: &[u8],
        out: &mut [u8],
    ) -> Result<usize, IssueError> {
        let (subject, theirs) = read_request(request, self.setting)?;
        self.number(agent, rng, (now, life, subject), Some(theirs), out).map(|(len, _)| len)
    }

    /// Issues as printed: writes the credential into `out`; its length and the device's private key, which the operator now
    /// knows too. `now` is seconds since 1970, `life` hours.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn issue_printed(
        &self,
        agent: &mut TicketAgent,
        rng: &mut dyn Rng,
        now: u32,
        life: u16,
        subject: &str,
        out: &mut [u8],
    ) -> Result<(usize, Scalar), IssueError> {
        self.number(agent, rng, (now, life, subject), None, out)
    }

    fn number(
        &self,
        agent: &mut TicketAgent,
        rng: &mut dyn Rng,
        (now, life, subject): (u32, u16, &str),
        theirs: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(usize, Scalar), IssueError> {
        let mut name = [0; NAME_MAX];
        let len = crate::engine::wire::copy(&mut name, agent.name().as_bytes());
        let operator = name.get(..len).and_then(|name| str::from_utf8(name).ok()).unwrap_or_default();
        agent.number(|serial| self.sign(rng, &Terms { operator, subject, now, life, serial }, theirs, out))
    }

    /// Issues with a number of the caller's: [`issue`](Self::issue) with what the device drew (`theirs`, of
    /// [`read_request`]), [`issue_printed`](Self::issue_printed) without. What is in `out` then, its length, and s or the
    /// private key.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn sign(
        &self,
        rng: &mut dyn Rng,
        terms: &Terms<'_>,
        theirs: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(usize, Scalar), IssueError> {
        if !is_name(terms.subject) || !is_name(terms.operator) || terms.life == 0 {
            return Err(Refused::Claims.into());
        }
        let group = self.setting.group;
        let mut r = [0; SHARE];
        for _ in 0..DRAWS {
            let (mut k, mut h, mut s) = (Secret::zero(), Secret::zero(), Secret::zero());
            group.random_scalar(rng, &mut k).map_err(|_| IssueError::Key(KeyError::Failed))?;
            match self.shifted(&k, theirs, &mut r) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(_) => return Err(Refused::Key.into()),
            }
            let Terms { subject, now: issued_at, life, serial, .. } = *terms;
            let credential = Credential { serial, issued_at, life, subject, r: &r };
            let signed = keys::credential_hash(self.setting, terms.operator, &self.y, &credential, &mut h)
                .and_then(|()| group.mul_add(&self.x, &h, &k, &mut s));
            if signed.is_err() || !self.has_share(&h, &r) {
                continue;
            }
            let mut w = Writer::new(out);
            credential.write(&mut w);
            if theirs.is_some() {
                // It goes over the air; without k1 it is of no use.
                w.put(declassify(s.expose()));
            }
            let len = w.finish().map_err(|needed| IssueError::BufferTooSmall { needed })?;
            return Ok((len, s));
        }
        Err(IssueError::Key(KeyError::Failed))
    }

    /// `r = R_1 g^k`; whether it has a share.
    fn shifted(&self, k: &Scalar, theirs: Option<&[u8]>, r: &mut [u8; SHARE]) -> Result<bool, GroupError> {
        let group = self.setting.group;
        lend(group.element_len(), &mut |sum| {
            match theirs {
                None => group.base(k, sum),
                Some(share) => lend(group.element_len(), &mut |base| {
                    group.base(&group.one(), base);
                    lend(group.element_len(), &mut |element| {
                        group.element_of_share(share, element)?;
                        group.double_power(element, &group.one(), base, k, sum)
                    })
                })?,
            }
            // It is sent; one without a share is thrown away.
            Ok(group.share_of_element(declassify(sum), r).is_ok())
        })
    }

    /// Whether y_Z^h r has a share.
    fn has_share(&self, h: &Scalar, r: &[u8; SHARE]) -> bool {
        lend(self.setting.group.element_len(), &mut |y| implied(self.setting, &self.y, h, r, y)).is_ok()
    }
}

/// The device's name in its REQUEST, and what it drew: g^k1, as a share.
///
/// # Errors
/// [`Refused::Claims`] for what is no request of this group's.
pub fn read_request<'a>(request: &'a [u8], setting: &Setting) -> Result<(&'a str, &'a [u8]), Refused> {
    let mut r = Reader::new(request);
    let mut fields = || Ok((r.short(NAME_MAX)?, r.take(setting.group.share_len())?));
    let read: Result<_, crate::engine::drops::Dropped> = fields();
    let (subject, share) = read.map_err(|_| Refused::Claims)?;
    r.end().map_err(|_| Refused::Claims)?;
    let subject = str::from_utf8(subject).ok().filter(|name| is_name(name)).ok_or(Refused::Claims)?;
    Ok((subject, share))
}

/// Writes a device's REQUEST into `out`; its length, and k1, to be stored sealed until the answer is there.
///
/// # Errors
/// [`IssueError`].
pub fn request(
    setting: &Setting,
    subject: &str,
    rng: &mut dyn Rng,
    out: &mut [u8],
) -> Result<(usize, Scalar), IssueError> {
    if !is_name(subject) {
        return Err(Refused::Claims.into());
    }
    let share = setting.group.share_len();
    let start = subject.len().saturating_add(1);
    let needed = start.saturating_add(share);
    let room = out.get_mut(..needed).ok_or(IssueError::BufferTooSmall { needed })?;
    Writer::new(room).short(subject.as_bytes());
    let mut k1 = Secret::zero();
    let room = room.get_mut(start..).unwrap_or_default();
    setting.group.generate(rng, &mut k1, room).map_err(|error| IssueError::Key(error.into()))?;
    Ok((needed, k1))
}

/// The device takes ANSWER: its credential, and its private key. `floor` is in seconds, as
/// [`Credential::valid_at`] has it.
///
/// # Errors
/// [`Refused`]: [`Refused::Signature`] where the key is not the credential's, hence for any other operator's.
pub fn accept<'a>(
    operator: &Operator<'_>,
    subject: &str,
    k1: &Scalar,
    answer: &'a [u8],
    wall: Option<UnixTime>,
    floor: u64,
) -> Result<(Credential<'a>, Scalar), Refused> {
    let group = operator.setting.group;
    let mut r = Reader::new(answer);
    let credential = Credential::take(&mut r, operator.setting)?;
    let s: Scalar = r.secret().map_err(|_| Refused::Claims)?;
    r.end().map_err(|_| Refused::Claims)?;
    let mut x = Secret::zero();
    group.mul_add(&s, &group.one(), k1, &mut x).map_err(|_| Refused::Signature)?;
    check(operator, subject, &credential, &x, wall, floor)?;
    Ok((credential, x))
}

/// Whether x is the private key of this credential, and the credential this device's and valid: the paper's `g^x = y`.
/// For a printed issue, and for what was stored.
///
/// # Errors
/// As [`accept`].
pub fn check(
    operator: &Operator<'_>,
    subject: &str,
    credential: &Credential<'_>,
    x: &Scalar,
    wall: Option<UnixTime>,
    floor: u64,
) -> Result<(), Refused> {
    let group = operator.setting.group;
    if credential.subject != subject {
        return Err(Refused::Subject);
    }
    credential.valid_at(wall, floor)?;
    if *x == Secret::zero() {
        return Err(Refused::Signature);
    }
    lend(group.element_len(), &mut |implied| {
        operator.public_key(credential, implied)?;
        lend(group.element_len(), &mut |own| {
            group.base(x, own);
            if ct_eq(own, implied) { Ok(()) } else { Err(Refused::Signature) }
        })
    })
}
