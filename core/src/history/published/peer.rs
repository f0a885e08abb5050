//! What a device stores of one peer: the three values, and after an exchange R_I and R_R ("SecureStore").

use super::keys::{PublishedTriple, Value};
use crate::association::{Device, Error, Slot};
use crate::crypto::Secret;
use crate::engine::drops::Dropped;
use crate::engine::state::{self, Kind};
use crate::engine::wire::{Reader, Writer};
use crate::history::Id;

/// One peer, in the caller's memory and its slot.
#[derive(Clone, Debug)]
pub struct PublishedPeer {
    slot: Slot,
    version: u32,
    pub(super) me: Id,
    pub(super) id: Id,
    pub(super) triple: PublishedTriple,
    pub(super) keys: Option<[Secret<32>; 2]>,
}

impl PublishedPeer {
    const TEXT_MAX: usize = 2 * (1 + Id::MAX) + 5 * 32;
    /// The longest blob of a stored peer in bytes.
    pub const BLOB_MAX: usize = Self::TEXT_MAX + state::OVERHEAD;

    /// A peer with this triple.
    ///
    /// # Errors
    /// [`Error::BadArgument`] where both ids are the same.
    pub fn provisioned(slot: Slot, me: Id, peer: Id, triple: PublishedTriple) -> Result<Self, Error> {
        if me == peer {
            return Err(Error::BadArgument);
        }
        Ok(Self { slot, version: 0, me, id: peer, triple, keys: None })
    }

    /// Opens a stored peer.
    ///
    /// # Errors
    /// [`Error::BadBlob`].
    pub fn restore(device: &Device, slot: Slot, blob: &[u8]) -> Result<Self, Error> {
        let mut text = Secret::<{ Self::TEXT_MAX }>::zero();
        let opened = state::open(device, Kind::PublishedHistoryPeer, 0, blob, text.as_mut());
        let (version, len) = opened.map_err(|_| Error::BadBlob)?;
        let text = text.expose().get(..len).ok_or(Error::BadBlob)?;
        Self::read(slot, version, text).map_err(|_| Error::BadBlob)
    }

    fn read(slot: Slot, version: u32, text: &[u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(text);
        let me = Id::new(r.short(Id::MAX)?).ok_or(Dropped::Malformed)?;
        let id = Id::new(r.short(Id::MAX)?).ok_or(Dropped::Malformed)?;
        let triple = PublishedTriple::new([r.array()?, r.array()?, r.array()?]);
        let rest = r.rest();
        let mut r = Reader::new(rest);
        let keys = if rest.is_empty() { None } else { Some([Secret::new(r.array()?), Secret::new(r.array()?)]) };
        r.end()?;
        Ok(Self { slot, version, me, id, triple, keys })
    }

    pub(super) fn write(&self, out: &mut [u8]) -> Result<usize, usize> {
        let mut w = Writer::new(out);
        w.short(self.me.as_bytes()).short(self.id.as_bytes());
        self.triple.values().into_iter().chain(self.keys.iter().flatten().map(Secret::expose)).for_each(|value| {
            w.put(value);
        });
        w.finish()
    }

    pub(super) const fn next_version(&mut self) -> (Slot, u32) {
        self.version = self.version.saturating_add(1);
        (self.slot, self.version)
    }

    /// The peer's id (PeerID).
    pub const fn id(&self) -> &Id {
        &self.id
    }

    /// The three values.
    pub const fn triple(&self) -> &PublishedTriple {
        &self.triple
    }

    /// R_I and R_R of the last exchange.
    pub fn keys(&self) -> Option<[&Value; 2]> {
        self.keys.as_ref().map(|keys| keys.each_ref().map(Secret::expose))
    }
}
