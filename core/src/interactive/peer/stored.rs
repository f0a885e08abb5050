//! How a peer is stored: read, written, sealed.

use super::super::master::Master;
use super::{Peer, Tickets, Whom};
use crate::association::{Device, Error, Slot};
use crate::cose::Reference;
use crate::cose::ticket::NAME_MAX;
use crate::crypto::secret;
use crate::engine::drops::Dropped;
use crate::engine::rekey::{Pending, Replacement};
use crate::engine::state::{self, Beside, Kind};
use crate::engine::wire::{Reader, Writer};
use crate::phase1::Subject;

impl<const T: usize> Peer<T> {
    pub(in crate::interactive) const TEXT_MAX: usize =
        2 * (1 + NAME_MAX) + 1 + Replacement::LEN + 2 + 2 * Master::LEN + 2 * 32 + 4 + 8 + 8 + 8;
    /// The longest blob of a stored peer in bytes: what its slot must hold.
    pub const BLOB_MAX: usize = state::OVERHEAD + Self::TEXT_MAX + T + state::LENGTH_LEN;

    /// Opens a stored peer, in `work`: as much memory as the blob has bytes. `floor` is the value of the slot's monotonic
    /// counter, 0 where there is none.
    ///
    /// # Errors
    /// [`Error::BadBlob`], [`Error::BlobRolledBack`].
    pub fn restore(device: &Device, slot: Slot, floor: u32, blob: &[u8], work: &mut [u8]) -> Result<Self, Error> {
        let opened = state::open(device, Kind::InteractivePeer, floor, blob, work);
        let (version, len) = opened.map_err(|e| if e == Error::BlobRolledBack { e } else { Error::BadBlob })?;
        let text = work.get(..len).ok_or(Error::BadBlob)?;
        let peer = Self::read(slot, version, text, Beside::in_blob(blob)).map_err(|_| Error::BadBlob);
        secret::wipe(work);
        peer
    }

    pub(in crate::interactive) fn read(slot: Slot, version: u32, text: &[u8], ticket: &[u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(text);
        let me = Subject::read(r.short(NAME_MAX)?).ok_or(Dropped::Malformed)?;
        let name = Subject::read(r.short(NAME_MAX)?);
        let flags = r.u8()?;
        let is = |bit: u8| flags & bit != 0;
        let whom = match (name, is(32)) {
            (None, false) => Whom::Anyone,
            (Some(scope), false) => Whom::Scope(scope),
            (Some(id), true) if id != me => Whom::Known(id),
            _ => return Err(Dropped::Malformed),
        };
        let replacement = Replacement::read(&mut r)?;
        let ahead = r.u16()?;
        let current = if is(1) { Some(Master::read(&mut r)?) } else { None };
        let pending = match (is(2), is(128), &current) {
            (false, false, _) => None,
            (true, false, _) => Some(Master::read(&mut r)?),
            (true, true, Some(current)) => Some(current.next(r.secret()?)),
            _ => return Err(Dropped::Malformed),
        };
        let gone = if is(4) { Some(r.secret()?) } else { None };
        let psk = if is(8) { Some(r.secret()?) } else { None };
        let mut peer =
            Self { current, pending, gone, replacement, ahead, as_s: is(16), ..Self::of(slot, me, whom, psk) };
        if is(64) {
            let (serial, ends) = (r.u32()?, r.u64()?);
            peer.tickets = Some(Tickets { serial, ends, shown: Reference(r.array()?), shown_ends: r.u64()? });
        }
        r.end()?;
        if !peer.take(ticket) || peer.pending.is_some() != (replacement.pending() != Pending::None) {
            return Err(Dropped::Malformed);
        }
        peer.version = version;
        Ok(peer)
    }

    /// Writes what is stored; its length.
    ///
    /// # Errors
    /// The size that `out` needs.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, usize> {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let keys = bit(self.current.is_some(), 1) | bit(self.pending.is_some(), 2) | bit(self.as_s, 16);
        let known = bit(matches!(self.whom, Whom::Known(_)), 32) | bit(self.tickets.is_some(), 64);
        let follows = self.current.as_ref().zip(self.pending.as_ref()).is_some_and(|(old, new)| new.follows(old));
        let mut w = Writer::new(out);
        w.short(self.me.as_bytes()).short(match &self.whom {
            Whom::Known(name) | Whom::Scope(name) => name.as_bytes(),
            Whom::Anyone => &[],
        });
        let others = bit(self.gone.is_some(), 4) | bit(self.psk.is_some(), 8) | bit(follows, 128);
        w.put(&[keys | known | others]);
        self.replacement.write(&mut w);
        w.put(&self.ahead.to_be_bytes());
        // The next PMK of the same phase 1 is a key and no more.
        let pending = self.pending.as_ref().filter(|_| !follows);
        [self.current.as_ref(), pending].into_iter().flatten().for_each(|master| master.write(&mut w));
        let next = self.pending.as_ref().filter(|_| follows).map(Master::key);
        for secret in [next, self.gone.as_ref(), self.psk.as_ref()].into_iter().flatten() {
            w.put(secret.expose());
        }
        if let Some(Tickets { serial, ends, shown, shown_ends }) = &self.tickets {
            w.put(&serial.to_be_bytes()).put(&ends.to_be_bytes()).put(&shown.0).put(&shown_ends.to_be_bytes());
        }
        w.finish()
    }

    /// Seals the peer for its slot; the blob's length and version.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn seal(&mut self, device: &Device, out: &mut [u8]) -> Result<(usize, u32), Error> {
        let beside = self.beside().len_in(Kind::InteractivePeer);
        let room = out.get_mut(state::OVERHEAD..out.len().saturating_sub(beside)).unwrap_or_default();
        let len = self.write(room).map_err(|len| state::too_long(room, len.saturating_add(beside)))?;
        let version = self.next_version();
        Ok((state::seal_beside(device, Kind::InteractivePeer, version, out, len, &self.beside())?, version))
    }

    /// What is stored beside the rest: the ticket.
    pub fn beside(&self) -> Beside<'_> {
        Beside { bytes: self.ticket(), hash: self.cred }
    }

    /// Counts a write.
    pub const fn next_version(&mut self) -> u32 {
        self.version = self.version.saturating_add(1);
        self.version
    }
}
