//! Phase 2: every session key from what phase 1 left, which is all that is stored.

use super::keys::{self, Long};
use crate::association::{Device, Error};
use crate::cose::ticket::NAME_MAX;
use crate::crypto::Secret;
use crate::crypto::group::{GroupError, LONGEST, PublishedGroup, Scalar};
use crate::engine::drops::Dropped;
use crate::engine::state::{self, Kind};
use crate::engine::wire::{Reader, Writer};
use crate::interactive::Subject;
use crate::interactive::published::PublishedTerms;
use crate::interactive::published::phase1::Agreed;
use core::fmt;

/// One side's state: what it knows of both, for good.
#[derive(Clone)]
pub struct PublishedProgression {
    pub(super) version: u32,
    me: Subject,
    peer: Subject,
    pub(super) was_a: bool,
    pub(super) terms: PublishedTerms,
    x_0: Scalar,
    n: Scalar,
    v: Secret<32>,
    pub(super) pmk: Secret<32>,
    y_0: Long,
    share: Long,
}

impl fmt::Debug for PublishedProgression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublishedProgression({:?}, ..)", self.peer)
    }
}

impl PublishedProgression {
    const TEXT_MAX: usize = 2 * (1 + NAME_MAX) + 1 + 12 + 4 * 32 + 2 * LONGEST;
    /// The longest blob of a stored state in bytes.
    pub const BLOB_MAX: usize = Self::TEXT_MAX + state::OVERHEAD;

    pub(super) fn new(me: Subject, x_0: &Scalar, was_a: bool, agreed: Agreed) -> Self {
        let Agreed { peer, key, pmk, n, share, v, terms, .. } = agreed;
        let (y_0, share) = (Long::new(key), Long::new(share));
        Self { version: 0, me, peer, was_a, terms, x_0: x_0.clone(), n, v, pmk, y_0, share }
    }

    /// Opens a stored state.
    ///
    /// # Errors
    /// [`Error::BadBlob`].
    pub fn restore(device: &Device, blob: &[u8]) -> Result<Self, Error> {
        let mut text = Secret::<{ Self::TEXT_MAX }>::zero();
        let opened = state::open(device, Kind::PublishedNoninteractivePeer, 0, blob, text.as_mut());
        let (version, len) = opened.map_err(|_| Error::BadBlob)?;
        let text = text.expose().get(..len).ok_or(Error::BadBlob)?;
        Self::read(version, text).map_err(|_| Error::BadBlob)
    }

    fn read(version: u32, text: &[u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(text);
        let me = Subject::read(r.short(NAME_MAX)?).ok_or(Dropped::Malformed)?;
        let peer = Subject::read(r.short(NAME_MAX)?).ok_or(Dropped::Malformed)?;
        let was_a = r.u8()? != 0;
        let terms = PublishedTerms { length: r.u32()?, interval: r.u32()?, life: r.u32()? };
        let (x_0, n, v, pmk) = (r.secret()?, r.secret()?, r.secret()?, r.secret()?);
        let (y_0, share) = (r.secret()?, r.secret()?);
        r.end()?;
        Ok(Self { version, me, peer, was_a, terms, x_0, n, v, pmk, y_0, share })
    }

    pub(super) fn write(&self, out: &mut [u8]) -> Result<usize, usize> {
        let mut w = Writer::new(out);
        w.short(self.me.as_bytes()).short(self.peer.as_bytes()).put(&[u8::from(self.was_a)]);
        let PublishedTerms { length, interval, life } = self.terms;
        [length, interval, life].iter().for_each(|n| _ = w.put(&n.to_be_bytes()));
        [&self.x_0, &self.n, &self.v, &self.pmk].iter().for_each(|secret| _ = w.put(secret.expose()));
        w.put(self.y_0.expose()).put(self.share.expose());
        w.finish()
    }

    /// The peer's name.
    pub const fn peer(&self) -> &Subject {
        &self.peer
    }

    /// l, T and F.
    pub const fn terms(&self) -> PublishedTerms {
        self.terms
    }

    /// V, the same in every session.
    pub const fn v(&self) -> &Secret<32> {
        &self.v
    }

    /// `x_A,t`, this side's private key of session t.
    ///
    /// # Errors
    /// [`GroupError::BadElement`] for a number that no exponent may be.
    pub fn x(&self, group: &dyn PublishedGroup, t: u32) -> Result<Long, GroupError> {
        let k = keys::k(group, &self.n, &self.v, t)?;
        let r = keys::own_r(group, &k)?;
        keys::x(group, &self.x_0, self.me.as_bytes(), keys::cut(group, &r), &k)
    }

    /// `r_A,t`, this side's.
    ///
    /// # Errors
    /// As [`x`](Self::x).
    pub fn own_r(&self, group: &dyn PublishedGroup, t: u32) -> Result<Long, GroupError> {
        keys::own_r(group, &keys::k(group, &self.n, &self.v, t)?)
    }

    /// `r_S,t`, the peer's.
    ///
    /// # Errors
    /// As [`x`](Self::x).
    pub fn peer_r(&self, group: &dyn PublishedGroup, t: u32) -> Result<Long, GroupError> {
        keys::peer_r(group, keys::cut(group, &self.share), &self.v, t)
    }

    /// `y_S,t`, the peer's public key of session t.
    ///
    /// # Errors
    /// As [`x`](Self::x).
    pub fn y(&self, group: &dyn PublishedGroup, t: u32) -> Result<Long, GroupError> {
        let r = self.peer_r(group, t)?;
        keys::public_key(group, keys::cut(group, &self.y_0), self.peer.as_bytes(), keys::cut(group, &r))
    }

    /// `K_t = h(y_S,t^x_A,t)`, for any t from 1 on, past or future.
    ///
    /// # Errors
    /// As [`x`](Self::x).
    pub fn session_key(&self, group: &dyn PublishedGroup, t: u32) -> Result<Secret<32>, GroupError> {
        keys::session(group, &self.y(group, t)?, &self.x(group, t)?)
    }
}
