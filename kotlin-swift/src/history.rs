//! The association of two paired devices: the core's verbs, one Rust call each.

use crate::driver::Driver;
use crate::error::IotkmError;
use crate::peer::{Peer, PeerInfo, info};
use crate::secret::SecretBytes;
use crate::surroundings::{BlobStore, Cx, Device};
use crate::values::{Assurance, Config, Output, Received, Sent, Suite, addr, drops};
use iotkm::Association;
use iotkm::history::{Entry, History as CoreHistory, HistoryMemory, Peer as CorePeer};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

type Log = Vec<Entry>;
type Memory = HistoryMemory<CorePeer, Log, 2, REASSEMBLY>;
pub(crate) type Core = CoreHistory<CorePeer, Log, Memory>;

/// Room for a message that came in pieces: none of the scheme's is longer.
const REASSEMBLY: usize = 256;

/// The history scheme between this device and one peer. Every method may throw `Busy`.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct History(pub(crate) Driver<Core>);

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
        let core = peer.take(|peer| Ok(Core::open(peer, log, suite.core(), core, Memory::new())?))?;
        Ok(Self(Driver::new(device, store, core, usize::from(config.mtu).max(CorePeer::BLOB_MAX))))
    }

    /// Starts an exchange with the peer at this address (up to 22 bytes that the application understands).
    ///
    /// # Errors
    /// `WrongState` while a run of this side's is under way; `Rng`, `Vault`, `Undrained`, `BadArgument`.
    pub fn connect(&self, cx: Cx, to: Vec<u8>) -> Result<(), IotkmError> {
        let to = addr(&to)?;
        self.0.call(&cx, |core, cx| Ok(core.connect(cx, &to)?))
    }

    /// Goes on from a blob that `export` sealed on this device. Export again after `Resumed`.
    ///
    /// # Errors
    /// `BadBlob`; `WrongState` with a session or a run; `Rng`, `Vault`.
    pub fn restore(&self, cx: Cx, blob: Vec<u8>) -> Result<(), IotkmError> {
        self.0.call(&cx, |core, cx| Ok(core.restore(cx, &blob)?))
    }

    /// Asks the peer for a new triple from a record of the log: `UpdateAgreed` or `UpdateFailed` tells how it went.
    ///
    /// # Errors
    /// `NotEstablished`; `NoRecord` before any usable message; `WrongState` while an update is under way; `Rng`, `Vault`.
    pub fn update(&self, cx: Cx) -> Result<(), IotkmError> {
        self.0.call(&cx, |core, cx| Ok(core.update(cx)?))
    }

    /// Seals a message as one datagram for the peer, to be sent now.
    ///
    /// # Errors
    /// `NotEstablished`, `TooLong`, `KeyExhausted`, `BadArgument` (a place of more than 32 bytes), `Undrained`.
    pub fn send(&self, cx: Cx, payload: Vec<u8>) -> Result<Sent, IotkmError> {
        self.0.state(|state| {
            self.0.device.with(&cx, |cx| {
                let sent = state.core.send(cx, &payload, &mut state.out)?;
                Ok(Sent { to: sent.to.as_bytes().to_vec(), bytes: sent.bytes.to_vec() })
            })
        })
    }

    /// Takes in one datagram; what the peer's application sent, if it holds that. Whatever does not parse or verify is
    /// dropped and counted (`drops`).
    ///
    /// # Errors
    /// `Undrained`, `BadArgument` (an address of more than 22 bytes), `Rng`, `Vault`.
    pub fn handle_input(&self, cx: Cx, from: Vec<u8>, datagram: Vec<u8>) -> Result<Option<Received>, IotkmError> {
        self.0.handle_input(&cx, &from, datagram)
    }

    /// Does what is due now. Calls too early or too often do nothing.
    ///
    /// # Errors
    /// `Undrained`, `Rng`, `Vault`.
    pub fn handle_timeout(&self, cx: Cx) -> Result<(), IotkmError> {
        self.0.handle_timeout(&cx)
    }

    /// The next thing to do. Call it until `Idle` after every other call.
    ///
    /// # Errors
    /// `Vault`: nothing is lost, poll again.
    pub fn poll(&self, cx: Cx) -> Result<Output, IotkmError> {
        self.0.poll(&cx)
    }

    /// The answer to `Persist`: whether the blob is stored.
    ///
    /// # Errors
    /// `Busy`.
    pub fn persisted(&self, slot: u16, stored: bool) -> Result<(), IotkmError> {
        self.0.persisted(slot, stored)
    }

    /// Seals the session for a restart that goes on with three short messages.
    ///
    /// # Errors
    /// `NotEstablished`, `Vault`.
    pub fn export(&self, cx: Cx) -> Result<Vec<u8>, IotkmError> {
        self.0.call(&cx, export)
    }

    /// Key material for another protocol, as RFC 5705: the same on both sides for the same label and context.
    ///
    /// # Errors
    /// `NotEstablished`; `BadArgument` for more than 8160 bytes.
    pub fn exporter(&self, label: String, context: Vec<u8>, length: u32) -> Result<Arc<SecretBytes>, IotkmError> {
        let length =
            usize::try_from(length).ok().filter(|length| *length <= 255 * 32).ok_or(IotkmError::BadArgument)?;
        self.0.core(|core| {
            let mut out = Zeroizing::new(vec![0; length]);
            core.exporter(label.as_bytes(), &context, &mut out)?;
            Ok(Arc::new(SecretBytes::of(out)))
        })
    }

    /// Whether there is a session to send on.
    ///
    /// # Errors
    /// `Busy`.
    pub fn is_established(&self) -> Result<bool, IotkmError> {
        self.0.core(|core| Ok(core.is_established()))
    }

    /// The peer's current address, once it is known.
    ///
    /// # Errors
    /// `Busy`.
    pub fn peer_addr(&self) -> Result<Option<Vec<u8>>, IotkmError> {
        self.0.core(|core| Ok(core.peer_addr().map(|addr| addr.as_bytes().to_vec())))
    }

    /// What is public of the peer.
    ///
    /// # Errors
    /// `Busy`.
    pub fn peer(&self) -> Result<PeerInfo, IotkmError> {
        self.0.core(|core| Ok(info(core.peer())))
    }

    /// The session's standing, if there is a session.
    ///
    /// # Errors
    /// `Busy`.
    pub fn assurance(&self) -> Result<Option<Assurance>, IotkmError> {
        self.0.core(|core| Ok(core.assurance().map(Assurance::from)))
    }

    /// The session's fingerprint, the same on both sides.
    ///
    /// # Errors
    /// `Busy`.
    pub fn fingerprint(&self) -> Result<Option<String>, IotkmError> {
        self.0.core(|core| Ok(core.fingerprint().map(|f| f.to_string())))
    }

    /// How many datagrams were dropped, by reason; 65535 means that many or more.
    ///
    /// # Errors
    /// `Busy`.
    pub fn drops(&self) -> Result<HashMap<String, u16>, IotkmError> {
        self.0.core(|core| Ok(drops(core.drops())))
    }

    /// Ends the session: the peer is told once, the keys are wiped when that is sent.
    ///
    /// # Errors
    /// `NotEstablished`.
    pub fn close(&self) -> Result<(), IotkmError> {
        self.0.core(|core| Ok(core.close()?))
    }

    /// Ends every run and the session without telling anybody, and wipes their keys.
    ///
    /// # Errors
    /// `Busy`.
    pub fn wipe(&self) -> Result<(), IotkmError> {
        self.0.core(|core| {
            core.wipe();
            Ok(())
        })
    }

    /// Gives the peer back, wiping the session. This object is used up then.
    ///
    /// # Errors
    /// `Busy`; `WrongState` the second time.
    pub fn into_peer(&self) -> Result<Arc<Peer>, IotkmError> {
        Ok(Arc::new(Peer::of(self.0.take()?.into_peer())))
    }
}

/// Seals the session.
pub(crate) fn export(core: &mut Core, cx: &mut iotkm::Cx<'_>) -> Result<Vec<u8>, IotkmError> {
    let mut blob = vec![0; iotkm::engine::BLOB_MAX];
    let len = core.export(cx, &mut blob)?;
    blob.truncate(len);
    Ok(blob)
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.core(|core| {
            let name = core.fingerprint().map_or("no session".to_owned(), |f| f.to_string());
            Ok(format!("History({:?}, {name})", core.peer().id()))
        });
        f.write_str(text.as_deref().unwrap_or("History(busy)"))
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
