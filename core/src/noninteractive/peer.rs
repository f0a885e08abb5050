//! A peer: how far the progression with it has come, and how that is stored.

use super::progress::{Parties, Progress};
use crate::association::{Addr, Device, Error, Slot};
use crate::cose::Reference;
use crate::cose::ticket::{NAME_MAX, REFERENCE_LEN};
use crate::crypto::Secret;
use crate::crypto::keys::KeySlot;
use crate::engine::drops::Dropped;
use crate::engine::session::ConnectionId;
use crate::engine::state::{self, Kind};
use crate::engine::wire::{self, Reader, Writer};
use crate::phase1::{Facts, Subject};
use core::fmt;

/// What a handshake has led to, as far as it has come.
#[derive(Clone, Debug)]
pub(super) struct State<const N: usize> {
    pub parties: Parties,
    /// At the epoch after the one in use: no key that a record was sealed under can be computed from it.
    pub progress: Progress<N>,
    /// The last epoch.
    pub last: u32,
    /// An epoch, in seconds.
    pub interval: u32,
    /// How a restart goes on: the session's resume root and name, both connection ids, the peer's address.
    pub root: Secret<32>,
    pub session: u32,
    pub cid: ConnectionId,
    pub own_cid: ConnectionId,
    pub addr: Addr,
}

impl<const N: usize> State<N> {
    const LEN: usize = 32 + 1 + 2 + Progress::<N>::LEN + 4 + 4 + 32 + 4 + 2 * (1 + 8) + 1 + Addr::MAX;

    fn write(&self, w: &mut Writer<'_>) {
        let Parties { bind, a, slot } = &self.parties;
        w.put(bind).put(&[u8::from(*a)]).put(&slot.0.to_be_bytes());
        self.progress.write(w);
        w.put(&self.last.to_be_bytes()).put(&self.interval.to_be_bytes());
        w.put(self.root.expose()).put(&self.session.to_be_bytes());
        w.short(self.cid.as_bytes()).short(self.own_cid.as_bytes()).short(self.addr.as_bytes());
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Dropped> {
        let bind = r.array()?;
        let a = r.u8()?;
        let slot = KeySlot(r.u16()?);
        let progress = Progress::read(r)?;
        let (last, interval) = (r.u32()?, r.u32()?);
        let (root, session) = (r.secret()?, r.u32()?);
        let mut cid = || ConnectionId::new(r.short(ConnectionId::MAX)?).ok_or(Dropped::Malformed);
        let (theirs, own_cid) = (cid()?, cid()?);
        let addr = Addr::new(r.short(Addr::MAX)?).ok_or(Dropped::Malformed)?;
        if a > 1 || interval == 0 {
            return Err(Dropped::Malformed);
        }
        let parties = Parties { bind, a: a == 1, slot };
        Ok(Self { parties, progress, last, interval, root, session, cid: theirs, own_cid, addr })
    }
}

/// What this device knows about one peer; lies in the caller's memory and is stored in its slot. Elements of the group have
/// `N` bytes, credentials at most `C`.
#[derive(Clone)]
pub struct Peer<const N: usize, const C: usize> {
    slot: Slot,
    version: u32,
    pub(super) me: Subject,
    pub(super) id: Option<Subject>,
    pub(super) psk: Option<Secret<32>>,
    kept: [u8; C],
    kept_len: usize,
    /// How often it became another; not stored.
    pub(super) names: u32,
    pub(super) shown: Option<Reference>,
    /// The public key of the credential that is kept, an element; its number; the earlier end of both, in seconds since 1970.
    pub(super) y: [u8; N],
    pub(super) serial: u32,
    pub(super) ends: u64,
    pub(super) state: Option<State<N>>,
}

impl<const N: usize, const C: usize> fmt::Debug for Peer<N, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Peer");
        f.field("id", &self.id).field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}

impl<const N: usize, const C: usize> Peer<N, C> {
    const TEXT_MAX: usize = 2 * (1 + NAME_MAX) + 1 + 32 + REFERENCE_LEN + 2 + C + N + 4 + 8 + State::<N>::LEN;
    /// The longest blob of a stored peer in bytes: what its slot must hold.
    pub const BLOB_MAX: usize = Self::TEXT_MAX + state::OVERHEAD;

    /// A peer with whom there was no handshake yet; without a name, whoever comes first. A psk goes into every handshake.
    ///
    /// # Errors
    /// [`Error::BadArgument`] where both names are the same.
    pub fn new(slot: Slot, me: Subject, id: Option<Subject>, psk: Option<Secret<32>>) -> Result<Self, Error> {
        if Some(me) == id {
            return Err(Error::BadArgument);
        }
        Ok(Self {
            slot,
            version: 0,
            me,
            id,
            psk,
            kept: [0; C],
            kept_len: 0,
            names: 0,
            shown: None,
            y: [0; N],
            serial: 0,
            ends: 0,
            state: None,
        })
    }

    /// Opens a stored peer, in `work`: as much memory as the blob has bytes, erased afterwards. `floor` is the value of the
    /// slot's monotonic counter, 0 where there is none.
    ///
    /// # Errors
    /// [`Error::BadBlob`], [`Error::BlobRolledBack`].
    pub fn restore(device: &Device, slot: Slot, floor: u32, blob: &[u8], work: &mut [u8]) -> Result<Self, Error> {
        let opened = state::open(device, Kind::NoninteractivePeer, floor, blob, work);
        let (version, len) = opened.map_err(|e| if e == Error::BlobRolledBack { e } else { Error::BadBlob })?;
        let read = Self::read(slot, version, work.get(..len).unwrap_or_default());
        crate::crypto::secret::wipe(work);
        read.map_err(|_| Error::BadBlob)
    }

    fn read(slot: Slot, version: u32, text: &[u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(text);
        let flags = r.u8()?;
        let me = Subject::read(r.short(NAME_MAX)?).ok_or(Dropped::Malformed)?;
        let id = Subject::read(r.short(NAME_MAX)?);
        let psk = if flags & 1 != 0 { Some(r.secret()?) } else { None };
        let shown = if flags & 2 != 0 { Some(Reference(r.array()?)) } else { None };
        let mut kept = [0; C];
        let kept_len = usize::from(r.u16()?);
        kept.get_mut(..kept_len).ok_or(Dropped::Malformed)?.copy_from_slice(r.take(kept_len)?);
        let (y, serial, ends) = (r.array()?, r.u32()?, r.u64()?);
        let state = if flags & 4 != 0 { Some(State::read(&mut r)?) } else { None };
        r.end()?;
        if flags > 7 || Some(me) == id {
            return Err(Dropped::Malformed);
        }
        Ok(Self { slot, version, me, id, psk, kept, kept_len, names: 0, shown, y, serial, ends, state })
    }

    pub(super) fn write(&self, out: &mut [u8]) -> Result<usize, usize> {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let mut w = Writer::new(out);
        w.put(&[bit(self.psk.is_some(), 1) | bit(self.shown.is_some(), 2) | bit(self.state.is_some(), 4)]);
        w.short(self.me.as_bytes()).short(self.id.as_ref().map_or(&[], Subject::as_bytes));
        if let Some(psk) = &self.psk {
            w.put(psk.expose());
        }
        if let Some(shown) = &self.shown {
            w.put(&shown.0);
        }
        w.put(&(self.kept_len as u16).to_be_bytes()).put(self.kept());
        w.put(&self.y).put(&self.serial.to_be_bytes()).put(&self.ends.to_be_bytes());
        if let Some(state) = &self.state {
            state.write(&mut w);
        }
        w.finish()
    }

    /// Seals the peer for its slot; the blob's length and version.
    /// [`Output::Persist`](crate::Output::Persist) does this by itself; this is for peers that were just made.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn seal(&mut self, device: &Device, out: &mut [u8]) -> Result<(usize, u32), Error> {
        let room = out.get_mut(state::OVERHEAD..).unwrap_or_default();
        let len = self.write(room).map_err(|needed| state::too_long(room, needed))?;
        let version = self.next_version();
        Ok((state::seal(device, Kind::NoninteractivePeer, version, out, len)?, version))
    }

    pub(super) const fn next_version(&mut self) -> u32 {
        self.version = self.version.saturating_add(1);
        self.version
    }

    /// The slot that it is stored in.
    pub const fn slot(&self) -> Slot {
        self.slot
    }
    /// The peer's name, once it is known.
    pub const fn id(&self) -> Option<&Subject> {
        self.id.as_ref()
    }
    /// This device's name.
    pub const fn own_id(&self) -> &Subject {
        &self.me
    }
    /// The epoch that the stored progression stands at, one above the one in use; `None` without one.
    pub fn epoch(&self) -> Option<u32> {
        self.state.as_ref().map(|state| state.progress.epoch())
    }
    /// The number of the peer's credential, where there is a progression.
    pub fn serial(&self) -> Option<u32> {
        self.state.as_ref().map(|_| self.serial)
    }
    /// The peer's credential.
    pub fn kept(&self) -> &[u8] {
        self.kept.get(..self.kept_len).unwrap_or_default()
    }

    /// The peer has shown to be this credential's owner.
    pub(super) fn met(&mut self, facts: &Facts, credential: &[u8], key: &[u8], ends: u64, shown: Reference) {
        self.id = Some(facts.subject);
        self.names = self.names.wrapping_add(1);
        (self.serial, self.ends) = (facts.serial, ends);
        wire::copy(&mut self.y, key);
        self.kept_len = 0;
        if credential.len() <= C {
            self.kept_len = wire::copy(&mut self.kept, credential);
        }
        self.shown = Some(shown);
    }
}
