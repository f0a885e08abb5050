//! Pairing: two devices, one secret that their user enters on both, no network.

use crate::driver::Driver;
use crate::error::IotkmError;
use crate::peer::Peer;
use crate::secret::SecretBytes;
use crate::surroundings::{BlobStore, Cx, Device};
use crate::values::{Config, Output, Suite, addr, drops, slot};
use iotkm::crypto::cpace::{self, Cpace};
use iotkm::history::{Id, Pairing as CorePairing, Peer as CorePeer, pairing};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

type Core = CorePairing<pairing::PairingMemory<2, REASSEMBLY>>;

/// Room for a message that came in pieces: none of the scheme's is longer.
const REASSEMBLY: usize = 256;

/// The group of the password-authenticated exchange; both sides must name the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Pace {
    /// ristretto255: with suites 0, 1 and 4.
    Ristretto255,
    /// P-256: with suites 2, 3 and 5.
    P256,
}

impl Pace {
    const fn core(self) -> &'static dyn Cpace {
        match self {
            Self::Ristretto255 => &cpace::CPACE_RISTRETTO255,
            Self::P256 => &cpace::CPACE_P256,
        }
    }
}

/// What a pairing is told when it is opened.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Setup {
    /// This device's id, 1 to 16 bytes, unique among one user's devices.
    pub me: Vec<u8>,
    /// The suite of all later exchanges.
    pub suite: Suite,
    /// The group of the password-authenticated exchange.
    pub pace: Pace,
    /// Where the new peer is stored.
    pub peer_slot: u16,
    /// Where the count of failed attempts is stored; one for the whole device.
    pub attempts_slot: u16,
}

/// A pairing. Both devices are off the network while it runs; the application sees to that.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Pairing(Driver<Core>);

#[uniffi::export]
impl Pairing {
    /// A pairing at rest. With a `store`, the count of failed attempts is taken from it, and `poll` writes to it by
    /// itself; without, see `restore_attempts`.
    ///
    /// # Errors
    /// `BadArgument`, `Vault`, `Store`; `BadBlob` and `BlobRolledBack` for the stored count.
    #[uniffi::constructor]
    pub fn open(
        device: Arc<Device>,
        setup: Setup,
        config: Config,
        store: Option<Arc<dyn BlobStore>>,
    ) -> Result<Self, IotkmError> {
        let inner = pairing::Setup {
            me: Id::new(&setup.me).ok_or(IotkmError::BadArgument)?,
            suite: setup.suite.on_curve()?,
            cpace: setup.pace.core(),
            peer_slot: slot(setup.peer_slot),
            attempts_slot: slot(setup.attempts_slot),
        };
        let mut core = Core::open(inner, config.core()?, pairing::PairingMemory::new())?;
        let read = store.as_ref().map(|store| store.read(setup.attempts_slot)).transpose();
        if let Some(stored) = read.map_err(|e| IotkmError::Store { reason: e.reason() })?.flatten() {
            core.restore_attempts(&device.known()?.device, stored.floor, &stored.bytes)?;
        }
        Ok(Self(Driver::new(device, store, core, usize::from(config.mtu).max(CorePeer::BLOB_MAX))))
    }

    /// Takes over the stored count of failed attempts, where the application stores by itself. Without this after a
    /// restart, a power cut would give an attacker five more guesses.
    ///
    /// # Errors
    /// `BadBlob`, `BlobRolledBack`, `Vault`.
    pub fn restore_attempts(&self, floor: u32, blob: Vec<u8>) -> Result<(), IotkmError> {
        let known = self.0.device.known()?;
        self.0.core(|core| Ok(core.restore_attempts(&known.device, floor, &blob)?))
    }

    /// Opens the window for `window_ms`: the first device that knows `sk` is paired. The caller states with this call
    /// that both devices are off the network. `sk`: see `SecretBytes.opaque_string`; 1 to 64 bytes.
    ///
    /// # Errors
    /// `BadArgument`, `Locked`, `WrongState`, `Rng`, `Vault`.
    pub fn listen(&self, cx: Cx, sk: &SecretBytes, window_ms: u64) -> Result<(), IotkmError> {
        let sk = sk.copy()?;
        self.0.call(&cx, |core, cx| Ok(core.listen(cx, &sk, window_ms)?))
    }

    /// Pairs with the device at this address, whose window is open; `sk` as for `listen`.
    ///
    /// # Errors
    /// As `listen`.
    pub fn start(&self, cx: Cx, to: Vec<u8>, sk: &SecretBytes) -> Result<(), IotkmError> {
        let (to, sk) = (addr(&to)?, sk.copy()?);
        self.0.call(&cx, |core, cx| Ok(core.start(cx, &to, &sk)?))
    }

    /// Closes the window, ends a run, forgets the secret.
    ///
    /// # Errors
    /// `Busy`.
    pub fn cancel(&self) -> Result<(), IotkmError> {
        self.0.core(|core| {
            core.cancel();
            Ok(())
        })
    }

    /// Failed attempts so far; at five the pairing is locked.
    ///
    /// # Errors
    /// `Busy`.
    pub fn attempts(&self) -> Result<u8, IotkmError> {
        self.0.core(|core| Ok(core.attempts()))
    }

    /// The user has acted: attempts start anew.
    ///
    /// # Errors
    /// `Busy`.
    pub fn unlock(&self) -> Result<(), IotkmError> {
        self.0.core(|core| {
            core.unlock();
            Ok(())
        })
    }

    /// The new peer, after `Paired`; it is stored already. Once.
    ///
    /// # Errors
    /// `Busy`.
    pub fn take_peer(&self) -> Result<Option<Arc<Peer>>, IotkmError> {
        self.0.core(|core| Ok(core.take_peer().map(|peer| Arc::new(Peer::of(peer)))))
    }

    /// Takes in one datagram. Whatever does not parse or verify is dropped and counted (`drops`).
    ///
    /// # Errors
    /// `Undrained`, `BadArgument` (an address of more than 22 bytes), `Rng`, `Vault`.
    pub fn handle_input(&self, cx: Cx, from: Vec<u8>, datagram: Vec<u8>) -> Result<(), IotkmError> {
        self.0.handle_input(&cx, &from, datagram).map(|_| ())
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

    /// How many datagrams were dropped, by reason; 65535 means that many or more.
    ///
    /// # Errors
    /// `Busy`.
    pub fn drops(&self) -> Result<HashMap<String, u16>, IotkmError> {
        use iotkm::Association;
        self.0.core(|core| Ok(drops(core.drops())))
    }
}

impl fmt::Debug for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.core(|core| Ok(core.attempts())) {
            Ok(attempts) => write!(f, "Pairing({attempts} failed attempts)"),
            Err(_) => f.write_str("Pairing(busy)"),
        }
    }
}

impl fmt::Display for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
