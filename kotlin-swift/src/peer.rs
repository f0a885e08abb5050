//! Peers: what is stored of them, until an association takes them. The history scheme's.

use crate::error::IotkmError;
use crate::lock::Shared;
use crate::secret::SecretBytes;
use crate::surroundings::{BlobStore, Device, Stored};
use crate::values::{Suite, slot};
use iotkm::history::{Id, Peer as CorePeer, Triple};
use iotkm::{Error, Slot};
use std::fmt;
use std::sync::Arc;

/// What is stored in a slot and belongs to one association at a time.
pub(crate) trait Kept {
    /// Its slot.
    fn slot(&self) -> Slot;
    /// Seals it: the blob's length and version.
    fn seal(&mut self, device: &iotkm::Device, out: &mut Vec<u8>) -> Result<(usize, u32), Error>;
}

/// A peer until an association takes it.
pub(crate) struct Holding<P>(Shared<Option<P>>);

impl<P> Holding<P> {
    pub(crate) fn new(peer: P) -> Self {
        Self(Shared::new(Some(peer)))
    }

    /// Lends the peer.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut P) -> Result<R, IotkmError>) -> Result<R, IotkmError> {
        self.0.with(|peer| f(peer.as_mut().ok_or(IotkmError::WrongState)?))
    }

    /// Gives a copy to an association; where that fails, the peer is still here.
    pub(crate) fn take<R>(&self, open: impl FnOnce(P) -> Result<R, IotkmError>) -> Result<R, IotkmError>
    where
        P: Clone,
    {
        self.0.with(|peer| {
            let result = open(peer.as_ref().ok_or(IotkmError::WrongState)?.clone())?;
            *peer = None;
            Ok(result)
        })
    }
}

impl<P> Holding<P> {
    /// Gives it to an association, if it `fits`: what is refused is still here, and there are never two.
    pub(crate) fn give<R>(
        &self,
        fits: impl FnOnce(&mut P) -> Result<(), IotkmError>,
        open: impl FnOnce(P) -> Result<R, IotkmError>,
    ) -> Result<R, IotkmError> {
        self.0.with(|held| {
            fits(held.as_mut().ok_or(IotkmError::WrongState)?)?;
            open(held.take().ok_or(IotkmError::WrongState)?)
        })
    }
}

impl<P: Kept> Holding<P> {
    /// Seals it.
    pub(crate) fn seal(&self, device: &Device) -> Result<Sealed, IotkmError> {
        self.with(|peer| seal(peer, device))
    }

    /// Seals it and writes it to its slot.
    pub(crate) fn save(&self, device: &Device, store: &dyn BlobStore) -> Result<(), IotkmError> {
        self.with(|peer| {
            let sealed = seal(peer, device)?;
            let written = store.write(peer.slot().0, sealed.version, sealed.bytes);
            written.map_err(|e| IotkmError::Store { reason: e.reason() })
        })
    }
}

fn seal(peer: &mut impl Kept, device: &Device) -> Result<Sealed, IotkmError> {
    let known = device.known()?;
    let mut bytes = Vec::new();
    let (len, version) = peer.seal(&known.device, &mut bytes)?;
    bytes.truncate(len);
    Ok(Sealed { version, bytes })
}

/// What `store` has in this slot.
pub(crate) fn stored(store: &dyn BlobStore, slot: u16) -> Result<Stored, IotkmError> {
    let stored = store.read(slot).map_err(|e| IotkmError::Store { reason: e.reason() })?;
    stored.ok_or(IotkmError::NotFound)
}

impl Kept for CorePeer {
    fn slot(&self) -> Slot {
        self.slot()
    }
    fn seal(&mut self, device: &iotkm::Device, out: &mut Vec<u8>) -> Result<(usize, u32), Error> {
        out.resize(Self::BLOB_MAX, 0);
        self.seal(device, out)
    }
}

/// What this device knows about one peer: the triple (SK, T, LI), its successor, counters. An association takes it over;
/// the handle is used up then.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Peer(pub(crate) Holding<CorePeer>);

/// A peer's sealed blob.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Sealed {
    /// Counts the writes to the peer's slot.
    pub version: u32,
    /// The blob.
    pub bytes: Vec<u8>,
}

/// What is public of a peer.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct PeerInfo {
    /// The peer's id.
    pub id: Vec<u8>,
    /// This device's own id towards that peer.
    pub own_id: Vec<u8>,
    /// Where it is stored.
    pub slot: u16,
    /// How many updates were completed.
    pub generation: u32,
    /// The suite that it was paired with.
    pub suite: Option<Suite>,
    /// For people to compare; the same on both sides while both have the same triple.
    pub fingerprint: String,
}

#[uniffi::export]
impl Peer {
    /// A peer whose triple came from elsewhere (a factory, another scheme's exporter): three keys of 32 uniform bytes.
    /// Ids are 1 to 16 bytes, unique among one user's devices. Store it (`save` or `seal`) before it is used.
    ///
    /// # Errors
    /// `BadArgument` for ids that are equal or too long, or keys that are not 32 bytes.
    #[uniffi::constructor]
    pub fn provisioned(
        slot_number: u16,
        me: Vec<u8>,
        peer: Vec<u8>,
        suite: Suite,
        sk: Arc<SecretBytes>,
        t: Arc<SecretBytes>,
        li: Arc<SecretBytes>,
    ) -> Result<Self, IotkmError> {
        let id = |bytes: &[u8]| Id::new(bytes).ok_or(IotkmError::BadArgument);
        let triple = Triple::new(sk.key()?, t.key()?, li.key()?, 0);
        Ok(Self::of(CorePeer::provisioned(slot(slot_number), id(&me)?, id(&peer)?, suite.on_curve()?, triple)?))
    }

    /// The peer that `store` has in this slot.
    ///
    /// # Errors
    /// `NotFound`, `Store`, `Vault`; `BadBlob` for another device's or a damaged blob; `BlobRolledBack`.
    #[uniffi::constructor]
    pub fn restore(device: &Device, store: Arc<dyn BlobStore>, slot: u16) -> Result<Self, IotkmError> {
        let stored = stored(&*store, slot)?;
        Self::from_blob(device, slot, stored.floor, stored.bytes)
    }

    /// The peer in this blob. `floor` is the value of the slot's monotonic counter, 0 where there is none.
    ///
    /// # Errors
    /// `Vault`, `BadBlob`, `BlobRolledBack`.
    #[uniffi::constructor]
    pub fn from_blob(device: &Device, slot_number: u16, floor: u32, blob: Vec<u8>) -> Result<Self, IotkmError> {
        let known = device.known()?;
        Ok(Self::of(CorePeer::restore(&known.device, slot(slot_number), floor, &blob)?))
    }

    /// Seals the peer and writes it to its slot.
    ///
    /// # Errors
    /// `Vault`, `Store`; `WrongState` once an association has it.
    pub fn save(&self, device: &Device, store: Arc<dyn BlobStore>) -> Result<(), IotkmError> {
        self.0.save(device, &*store)
    }

    /// Seals the peer, for an application that stores by itself.
    ///
    /// # Errors
    /// `Vault`; `WrongState` once an association has it.
    pub fn seal(&self, device: &Device) -> Result<Sealed, IotkmError> {
        self.0.seal(device)
    }

    /// Key material from elsewhere that goes into every exchange from now on, or (`null`, `nil`) stops doing so. Both
    /// sides must do the same; save the peer afterwards.
    ///
    /// # Errors
    /// `BadArgument` unless it is 32 bytes; `WrongState` once an association has it.
    pub fn set_psk(&self, psk: Option<Arc<SecretBytes>>) -> Result<(), IotkmError> {
        let psk = psk.map(|secret| secret.key()).transpose()?;
        self.0.with(|peer| {
            peer.set_psk(psk);
            Ok(())
        })
    }

    /// What is public of it.
    ///
    /// # Errors
    /// `WrongState` once an association has it.
    pub fn info(&self) -> Result<PeerInfo, IotkmError> {
        self.0.with(|peer| Ok(info(peer)))
    }
}

impl Peer {
    pub(crate) fn of(peer: CorePeer) -> Self {
        Self(Holding::new(peer))
    }
}

pub(crate) fn info(peer: &CorePeer) -> PeerInfo {
    PeerInfo {
        id: peer.id().as_bytes().to_vec(),
        own_id: peer.own_id().as_bytes().to_vec(),
        slot: peer.slot().0,
        generation: peer.generation(),
        suite: Suite::named(peer.suite()),
        fingerprint: peer.fingerprint().to_string(),
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.with(|peer| Ok(format!("{peer:?}"))) {
            Ok(text) => f.write_str(&text),
            Err(_) => f.write_str("Peer(in use)"),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
