//! The interactive scheme: peers with tickets, the association.

use crate::association::{Held, verbs};
use crate::error::IotkmError;
use crate::peer::{Holding, Kept, Sealed, stored};
use crate::secret::SecretBytes;
use crate::surroundings::{BlobStore, Cx, Device};
use crate::tickets::Ticket;
use crate::values::{Config, Suite, addr, slot};
use crate::wallet::{self, Lent, Wallet};
use iotkm::cose::ticket::TICKET_MAX_FFC;
use iotkm::crypto::Suite as CoreSuite;
use iotkm::crypto::hpke::{DHKEM_P256, DHKEM_X25519, KEM_FFC2048, KEM_FFC3072, Kem};
use iotkm::engine::rekey;
use iotkm::interactive::{Any, InteractiveMemory, Peer, Setup, Subject};
use iotkm::{Error, KeySlot, Slot};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

type CorePeer = Peer<TICKET_MAX_FFC>;
type Purse = Lent<wallet::Core>;
type Memory = Box<InteractiveMemory<CorePeer, Purse, 2, REASSEMBLY, Any, TICKET_MAX_FFC>>;
pub(crate) type Core = iotkm::interactive::Interactive<CorePeer, Purse, Memory, Any, TICKET_MAX_FFC>;

/// Room for a message that came in pieces: M2 with the longest ticket and share.
const REASSEMBLY: usize = 2048;
/// Suites that one side may offer.
const SUITES_MAX: usize = 8;

impl Kept for CorePeer {
    fn slot(&self) -> Slot {
        self.slot()
    }
    fn seal(&mut self, device: &iotkm::Device, out: &mut Vec<u8>) -> Result<(usize, u32), Error> {
        out.resize(Self::BLOB_MAX, 0);
        self.seal(device, out)
    }
}

/// What this device knows about one peer with a ticket: the pairwise master key (PMK) and its successor, and the peer's
/// ticket. An association takes it over; the handle is used up then.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct TicketPeer(Holding<CorePeer>);

/// What becomes of a key replacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Pending {
    /// None is under way.
    None,
    /// This side has answered, and waits for the peer's confirmation.
    Answered,
    /// Both have the new key; the next run is under it.
    Confirmed,
}

impl From<rekey::Pending> for Pending {
    fn from(pending: rekey::Pending) -> Self {
        match pending {
            rekey::Pending::None => Self::None,
            rekey::Pending::Answered(_) => Self::Answered,
            rekey::Pending::Confirmed(_) => Self::Confirmed,
        }
    }
}

/// What may be shown of a peer with a ticket.
#[derive(Clone, Debug, uniffi::Record)]
pub struct TicketPeerInfo {
    /// Where it is stored.
    pub slot: u16,
    /// The peer's name; none as long as it may be anyone.
    pub id: Option<String>,
    /// This device's name, as its tickets have it.
    pub own_id: String,
    /// How many runs have replaced the PMK; 0: there is none yet.
    pub generation: u32,
    /// The newest replacement.
    pub pending: Pending,
    /// The suite that was agreed, once there is a PMK.
    pub suite: Option<Suite>,
    /// The peer's ticket, as it was shown or renewed last.
    pub ticket: Option<Arc<Ticket>>,
}

pub(crate) fn subject(name: &str) -> Result<Subject, IotkmError> {
    Subject::new(name).ok_or(IotkmError::BadArgument)
}

pub(crate) fn text(subject: &Subject) -> String {
    String::from_utf8_lossy(subject.as_bytes()).into_owned()
}

fn info(peer: &CorePeer) -> TicketPeerInfo {
    TicketPeerInfo {
        slot: peer.slot().0,
        id: peer.id().map(text),
        own_id: text(peer.own_id()),
        generation: peer.generation(),
        pending: peer.pending().into(),
        suite: peer.suite().and_then(|id| Suite::named((id, true))),
        ticket: Some(peer.ticket()).filter(|bytes| !bytes.is_empty()).map(|bytes| Arc::new(Ticket(bytes.to_vec()))),
    }
}

#[uniffi::export]
impl TicketPeer {
    /// A device that is known by name, with whom there was no run yet. Names are 1 to 32 bytes of UTF-8, as tickets have
    /// them. `psk`: 32 bytes from elsewhere (another scheme's exporter) that go into every phase 1; both sides must have
    /// it, or neither.
    ///
    /// # Errors
    /// `BadArgument` for a name that no ticket can have, both the same, or a psk of another length.
    #[uniffi::constructor(default(psk = None))]
    pub fn named(
        slot_number: u16,
        own_id: String,
        id: String,
        psk: Option<Arc<SecretBytes>>,
    ) -> Result<Self, IotkmError> {
        let psk = psk.map(|psk| psk.key()).transpose()?;
        Ok(Self(Holding::new(CorePeer::new(slot(slot_number), subject(&own_id)?, subject(&id)?, psk)?)))
    }

    /// Whoever comes first with a ticket in whose scope this word (at most 32 bytes) stands; anybody where it is empty. From
    /// then on it is that device's.
    ///
    /// # Errors
    /// `BadArgument`, as `named`.
    #[uniffi::constructor(default(scope = "", psk = None))]
    pub fn anyone(
        slot_number: u16,
        own_id: String,
        scope: String,
        psk: Option<Arc<SecretBytes>>,
    ) -> Result<Self, IotkmError> {
        let psk = psk.map(|psk| psk.key()).transpose()?;
        Ok(Self(Holding::new(CorePeer::anyone(slot(slot_number), subject(&own_id)?, &scope, psk)?)))
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
        let device = device.known()?.device;
        let mut work = Zeroizing::new(vec![0; blob.len()]);
        Ok(Self(Holding::new(CorePeer::restore(&device, slot(slot_number), floor, &blob, &mut work)?)))
    }

    /// Seals the peer and writes it to its slot. An association does this by itself.
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

    /// What may be shown of it.
    ///
    /// # Errors
    /// `WrongState` once an association has it.
    pub fn info(&self) -> Result<TicketPeerInfo, IotkmError> {
        self.0.with(|peer| Ok(info(peer)))
    }
}

impl fmt::Debug for TicketPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.info() {
            Ok(info) => write!(f, "TicketPeer({}, {})", info.own_id, info.id.as_deref().unwrap_or("anyone yet")),
            Err(_) => f.write_str("TicketPeer(in use)"),
        }
    }
}

impl fmt::Display for TicketPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How an association of the interactive scheme is set up.
#[derive(Clone, Debug, uniffi::Record)]
pub struct TicketSetup {
    /// What this side would use, its favourite first: 1 to 8 of the group of the tickets, none of them symmetric.
    pub suites: Vec<Suite>,
    /// The vault's number of the static key that this device's ticket vouches for.
    #[uniffi(default = 0)]
    pub key: u16,
    /// The number of the key of the next ticket, where that is another one.
    #[uniffi(default = None)]
    pub next_key: Option<u16>,
    /// How many seconds what is agreed shall live, until tickets are shown again; 0: as long as they do.
    #[uniffi(default = 0)]
    pub life: u32,
}

/// A list of suites that lasts as long as the process, each list once.
fn lasting(suites: &[&'static CoreSuite]) -> &'static [&'static CoreSuite] {
    static LISTS: Mutex<BTreeMap<Vec<i8>, &'static [&'static CoreSuite]>> = Mutex::new(BTreeMap::new());
    let mut lists = LISTS.lock().unwrap_or_else(PoisonError::into_inner);
    let ids = suites.iter().map(|suite| suite.id).collect();
    lists.entry(ids).or_insert_with(|| Box::leak(suites.to_vec().into_boxed_slice()))
}

fn kem_of(suite: &CoreSuite) -> &'static dyn Kem {
    match suite.id {
        2 | 3 | 5 => &DHKEM_P256,
        -21 => &KEM_FFC2048,
        -22 => &KEM_FFC3072,
        _ => &DHKEM_X25519,
    }
}

impl TicketSetup {
    fn core(&self) -> Result<Setup, IotkmError> {
        let suites: Vec<_> = self.suites.iter().map(|suite| suite.core()).collect();
        let first = suites.first().filter(|_| suites.len() <= SUITES_MAX && suites.iter().all(|s| s.dh.is_some()));
        let kem = kem_of(first.ok_or(IotkmError::BadArgument)?);
        let slots = [self.key, self.next_key.unwrap_or(self.key)].map(KeySlot);
        Ok(Setup { kem, suites: lasting(&suites), slots, life: self.life })
    }
}

/// The interactive scheme between this device and one peer: tickets authenticate both, the session's keys are agreed anew
/// with every run. At rest it answers the peer's runs. Every method may throw `Busy`.
///
/// ```text
/// let wallet = Wallet(name, agent); wallet.load(device, store, 2)          // its ticket, as the operator sent it
/// let peer = TicketPeer.named(1, name, "gateway")                          // or TicketPeer.restore(device, store, 1)
/// let gateway = Interactive.open(device, peer, wallet, TicketSetup([Suite0]), Config(), store)
/// gateway.connect(cx, address)                                             // then poll until Idle, after every call
/// ```
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Interactive(pub(crate) Held);

verbs!(Interactive);

#[uniffi::export]
impl Interactive {
    /// An association at rest. It takes the peer over; the wallet is shared by all associations of the device. With a
    /// `store`, `poll` writes to it by itself; without, it hands out `Persist`.
    ///
    /// # Errors
    /// `BadArgument` for a setup or a configuration out of range, or suites of several groups; `SuiteMismatch` where the
    /// suite that was agreed with this peer is not among them; `WrongState` for a peer in use. The peer is still there then.
    #[uniffi::constructor]
    pub fn open(
        device: Arc<Device>,
        peer: &TicketPeer,
        wallet: &Wallet,
        setup: TicketSetup,
        config: Config,
        store: Option<Arc<dyn BlobStore>>,
    ) -> Result<Self, IotkmError> {
        let (setup, core) = (setup.core()?, config.core()?);
        let core = peer.0.take(|peer| Ok(Core::open(peer, wallet.lent(), setup, core, Memory::default())?))?;
        Ok(Self(Held::new(device, store, Box::new(core), usize::from(config.mtu).max(CorePeer::BLOB_MAX))))
    }

    /// Starts a run with the peer at this address (up to 22 bytes): tickets are shown where there is no common key yet, or no
    /// longer; then session keys are agreed. A session that there is goes on until the new keys are there. Once the peer's
    /// first answer under the common key is here, `send` works: that payload goes with the next message.
    ///
    /// # Errors
    /// `WrongState` while a run of this side's is under way; `NoCredential` where tickets have to be shown and none of this
    /// side's is valid; `KeyExhausted` after 65535 attempts under one key; `Rng`, `Vault`, `Undrained`, `BadArgument`.
    pub fn connect(&self, cx: Cx, to: Vec<u8>) -> Result<(), IotkmError> {
        let to = addr(&to)?;
        self.0.own_call(&cx, |core: &mut Core, cx| core.connect(cx, &to))
    }

    /// Shows tickets although there is a common key: a new one takes its place, with the tickets that both have now.
    ///
    /// # Errors
    /// As `connect`.
    pub fn authenticate(&self, cx: Cx, to: Vec<u8>) -> Result<(), IotkmError> {
        let to = addr(&to)?;
        self.0.own_call(&cx, |core: &mut Core, cx| core.authenticate(cx, &to))
    }

    /// Asks whether the peer is there and has the common key: `PeerAlive`, or `Failed` of `Ping`. Nothing is replaced or
    /// stored.
    ///
    /// # Errors
    /// `NotEstablished` without a common key; `WrongState` while a ping is out; `Rng`, `Vault`, `Undrained`, `BadArgument`.
    pub fn ping(&self, cx: Cx, to: Vec<u8>) -> Result<(), IotkmError> {
        let to = addr(&to)?;
        self.0.own_call(&cx, |core: &mut Core, cx| core.ping(cx, &to))
    }

    /// The wallet has changed: a new ticket of this side's is sent to the peer; a revocation list that names the peer's ends
    /// the association (`Terminated`).
    ///
    /// # Errors
    /// `Undrained`, `Vault`.
    pub fn recheck(&self, cx: Cx) -> Result<(), IotkmError> {
        self.0.own_call(&cx, |core: &mut Core, cx| core.recheck(cx))
    }

    /// What may be shown of the peer.
    ///
    /// # Errors
    /// `Busy`.
    pub fn peer(&self) -> Result<TicketPeerInfo, IotkmError> {
        self.0.own(|core: &mut Core| Ok(info(core.peer())))
    }

    /// Gives the peer back, wiping the session. This object is used up then.
    ///
    /// # Errors
    /// `Busy`; `WrongState` the second time, and in a hub.
    pub fn into_peer(&self) -> Result<Arc<TicketPeer>, IotkmError> {
        Ok(Arc::new(TicketPeer(Holding::new(self.0.take::<Core>()?.into_peer()))))
    }
}

impl fmt::Debug for Interactive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f, "Interactive", |member| {
            member.own().map_or_else(String::new, |core: &mut Core| {
                let peer = core.peer();
                format!("{}, generation {}", peer.id().map_or_else(|| "anyone".to_owned(), text), peer.generation())
            })
        })
    }
}
