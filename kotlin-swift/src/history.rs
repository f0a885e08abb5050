//! The association of two paired devices.

use crate::association::{Held, verbs};
use crate::error::IotkmError;
use crate::peer::{Peer, PeerInfo, info};
use crate::surroundings::{BlobStore, Cx, Device};
use crate::values::{Config, Suite, addr};
use iotkm::history::{Entry, History as CoreHistory, HistoryMemory, Peer as CorePeer};
use std::fmt;
use std::sync::Arc;

type Log = Vec<Entry>;
type Memory = HistoryMemory<CorePeer, Log, 2, REASSEMBLY>;
pub(crate) type Core = CoreHistory<CorePeer, Log, Memory>;

/// Room for a message that came in pieces: none of the scheme's is longer.
const REASSEMBLY: usize = 256;

/// The history scheme between this device and one peer. Every method may throw `Busy`.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct History(pub(crate) Held);

verbs!(History);

#[uniffi::export]
impl History {
    /// An association with a paired peer, at rest: it answers the peer's runs, and starts one on `connect`. It takes the
    /// peer over. With a `store`, `poll` writes to it by itself; without, it hands out `Persist`.
    ///
    /// # Errors
    /// `SuiteMismatch` where the peer was paired with another suite; `BadArgument`; `WrongState` for a peer in use. The
    /// peer is still there then.
    #[uniffi::constructor]
    pub fn open(
        device: Arc<Device>,
        peer: &Peer,
        suite: Suite,
        config: Config,
        store: Option<Arc<dyn BlobStore>>,
    ) -> Result<Self, IotkmError> {
        let core = config.core()?;
        let log = vec![Entry::EMPTY; usize::from(config.log)];
        let core = peer.0.take(|peer| Ok(Core::open(peer, log, suite.on_curve()?, core, Memory::new())?))?;
        Ok(Self(Held::new(device, store, Box::new(core), usize::from(config.mtu).max(CorePeer::BLOB_MAX))))
    }

    /// Starts an exchange with the peer at this address (up to 22 bytes that the application understands).
    ///
    /// # Errors
    /// `WrongState` while a run of this side's is under way; `Rng`, `Vault`, `Undrained`, `BadArgument`.
    pub fn connect(&self, cx: Cx, to: Vec<u8>) -> Result<(), IotkmError> {
        let to = addr(&to)?;
        self.0.own_call(&cx, |core: &mut Core, cx| core.connect(cx, &to))
    }

    /// Asks the peer for a new triple from a record of the log: `UpdateAgreed` or `UpdateFailed` tells how it went.
    ///
    /// # Errors
    /// `NotEstablished`; `NoRecord` before any usable message; `WrongState` while an update is under way; `Rng`, `Vault`.
    pub fn update(&self, cx: Cx) -> Result<(), IotkmError> {
        self.0.own_call(&cx, |core: &mut Core, cx| core.update(cx))
    }

    /// What is public of the peer.
    ///
    /// # Errors
    /// `Busy`.
    pub fn peer(&self) -> Result<PeerInfo, IotkmError> {
        self.0.own(|core: &mut Core| Ok(info(core.peer())))
    }

    /// Gives the peer back, wiping the session. This object is used up then.
    ///
    /// # Errors
    /// `Busy`; `WrongState` the second time, and in a hub.
    pub fn into_peer(&self) -> Result<Arc<Peer>, IotkmError> {
        Ok(Arc::new(Peer::of(self.0.take::<Core>()?.into_peer())))
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f, "History", |member| {
            member.own().map_or_else(String::new, |core: &mut Core| format!("{:?}", core.peer().id()))
        })
    }
}
