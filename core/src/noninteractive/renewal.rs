//! The next credential over an association with the operator, before the one here ends: the device's part of a split issue,
//! in messages of the tickets' page ([`Message`]).
//!
//! ```text
//!   device                                                   operator
//!     |<-- CredentialDue ---------------------------------------| it ends soon (a device with a clock knows by itself)
//!     | k1 drawn, stored                                        |
//!     |--- CredentialRequest     short(id) | g^k1 ------------->| issued, stored with the request;
//!     |<-- CredentialAnswer      credential | s ----------------| the same for the same request, ever again
//!     | x = s + k1 stored; then, in one write,                  |
//!     | the credential is in and k1 is out                      |
//!     |--- Acknowledged ---------------------------------------->|
//! ```
//! Whatever is lost or cut off, the device says the same request again: until its answer is stored it has k1, afterwards it
//! acknowledges.

use super::HolderIn;
use super::credential::{Credential, HOUR};
use super::issue;
use crate::association::{Error, UnixTime};
use crate::cose::message::{Acknowledged, Message};
use crate::cose::wallet::NotTaken;
use crate::cose::{Reference, Refused};
use crate::crypto::Rng;
use crate::crypto::Secret;
use crate::crypto::group::{Scalar, lend};
use crate::crypto::secret::declassify;
use crate::engine::wire::Writer;

/// What a message from the operator asks of the device.
#[derive(Debug)]
pub enum Told<'m> {
    /// Nothing: it is another one's.
    Nothing,
    /// To [`ask`](HolderIn::ask).
    Ask,
    /// To acknowledge, once nothing [`needs_store`](HolderIn::needs_store).
    Acknowledge,
    /// To store this private key, beside the one in use; then to [`install`](HolderIn::install) the credential, and to
    /// acknowledge once that is stored. Nothing has changed yet.
    Next(Credential<'m>, Scalar),
}

impl<'n, C: AsRef<[u8]> + AsMut<[u8]>, L: AsRef<[u8]> + AsMut<[u8]>> HolderIn<'n, C, L> {
    /// From when on to ask for the next credential, in seconds since 1970: `lead` seconds before this one ends, but not in
    /// the first half of its life, when the one before it may still be in use. 0 without a credential.
    pub fn due_at(&self, lead: u64) -> u64 {
        let at = |own: Credential<'_>| {
            let half = u64::from(own.life).saturating_mul(HOUR) / 2;
            own.expires().saturating_sub(lead.min(half))
        };
        self.credential().map_or(0, at)
    }

    /// Begins to ask for the next credential: draws k1, unless an answer is awaited already. Store, then send the
    /// [`request`](Self::request).
    ///
    /// # Errors
    /// [`Error::Rng`].
    pub fn ask(&mut self, rng: &mut dyn Rng) -> Result<(), Error> {
        if self.half.is_none() {
            let group = self.operator().setting.group;
            let mut half = Secret::zero();
            lend(group.share_len(), &mut |share| group.generate(rng, &mut half, share)).map_err(|_| Error::Rng)?;
            self.half = Some(half);
            self.changed();
        }
        Ok(())
    }

    /// Whether an answer is awaited: the [`request`](Self::request) goes out again until it is there.
    pub const fn is_asking(&self) -> bool {
        self.half.is_some()
    }

    /// Writes REQUEST, for a [`Message::CredentialRequest`], into `out`; its length. It is the same each time.
    ///
    /// # Errors
    /// [`Error::WrongState`] where nothing is asked, or what was drawn is not stored; [`Error::BufferTooSmall`].
    pub fn request(&self, out: &mut [u8]) -> Result<usize, Error> {
        let half = self.half.as_ref().filter(|_| !self.is_dirty()).ok_or(Error::WrongState)?;
        let group = self.operator().setting.group;
        let mut w = Writer::new(out);
        w.short(self.device().as_bytes());
        lend(group.element_len(), &mut |element| {
            group.base(half, element);
            // It is sent.
            lend(group.share_len(), &mut |share| {
                group.share_of_element(declassify(element), share).map(|()| {
                    w.put(share);
                })
            })
        })
        .map_err(|_| Error::WrongState)?;
        w.finish().map_err(|needed| Error::BufferTooSmall { needed })
    }

    /// A message from the operator: a revocation list is taken in; of all else it says what is to be done. What came before is
    /// acknowledged again.
    ///
    /// # Errors
    /// [`NotTaken`]: answer [`Message::Refused`]. [`Refused::Signature`] also for an answer to no request of this device's.
    pub fn handle<'m>(&mut self, message: &Message<'m>, wall: Option<UnixTime>) -> Result<Told<'m>, NotTaken> {
        match message {
            Message::List(list) => self.revoke(list).map(|_| Told::Acknowledge),
            Message::CredentialDue => Ok(Told::Ask),
            Message::CredentialAnswer(answer) => self.answered(answer, wall).map_err(NotTaken::Refused),
            _ => Ok(Told::Nothing),
        }
    }

    fn answered<'m>(&self, answer: &'m [u8], wall: Option<UnixTime>) -> Result<Told<'m>, Refused> {
        let own = self.bytes();
        if !own.is_empty() && answer.starts_with(own) {
            return Ok(Told::Acknowledge);
        }
        let half = self.half.as_ref().ok_or(Refused::Signature)?;
        let (credential, x) = issue::accept(self.operator(), self.device(), half, answer, wall, self.floor())?;
        self.acceptable(&credential, wall)?;
        Ok(Told::Next(credential, x))
    }

    /// What to tell the operator; `None` while something is not stored, or without a credential.
    pub fn acknowledgement(&self) -> Option<Message<'static>> {
        if self.is_dirty() || self.bytes().is_empty() {
            return None;
        }
        Some(Message::Acknowledged(Acknowledged { ticket: Reference::of(self.bytes()), list: self.list_number() }))
    }
}
