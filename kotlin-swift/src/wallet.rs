//! A device's wallet.

use crate::error::IotkmError;
use crate::lock::Shared;
use crate::peer::{Sealed, stored};
use crate::signing::Agent;
use crate::surroundings::{BlobStore, Device};
use crate::ticket_message::written;
use crate::tickets::{RevocationList, Ticket};
use iotkm::UnixTime;
use iotkm::cose::revocation::{LIST_MAX, LIST_OVERHEAD};
use iotkm::cose::ticket::TICKET_MAX_FFC;
use iotkm::cose::wallet::NotTaken;
use iotkm::cose::{Agent as CoreAgent, Message, WalletIn};
use iotkm::phase1::{Credentials, Lend};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) type Core = WalletIn<'static, Vec<u8>, Vec<u8>>;

/// A wallet borrows its names. Here they live as long as the process, each once.
pub(crate) fn lasting(name: String) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.insert(name);
    name
}

impl From<NotTaken> for IotkmError {
    fn from(why: NotTaken) -> Self {
        match why {
            NotTaken::Refused(reason) => reason.into(),
            NotTaken::Full => Self::Full,
        }
    }
}

/// What a device holds of tickets: its own (both in the overlap), the newest revocation list, the floor time. Times are
/// seconds since 1970; `wall` is none without a clock.
///
/// Whatever changes it is stored before it is acknowledged: while `needsStore`, `save`; then send `acknowledgement`. Every
/// method may throw `Busy`.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Wallet {
    name: &'static str,
    core: Arc<Shared<Core>>,
}

/// What a device holds of credentials, lent to its associations.
pub(crate) struct Lent<C>(Arc<Shared<C>>);

impl<C> Lent<C> {
    pub(crate) fn new(of: &Arc<Shared<C>>) -> Self {
        Self(of.clone())
    }
}

impl<C: Credentials> Lend for Lent<C> {
    fn lend(&self, work: &mut dyn FnMut(&mut dyn Credentials)) {
        // Refused to a callback that came back while they are lent: then nothing goes on.
        let _ = self.0.with(|credentials| {
            work(credentials);
            Ok(())
        });
    }
}

impl Wallet {
    /// For an association.
    pub(crate) fn lent(&self) -> Lent<Core> {
        Lent::new(&self.core)
    }
}

pub(crate) fn milliseconds(wall: Option<u64>) -> Option<UnixTime> {
    wall.map(|seconds| UnixTime(seconds.saturating_mul(1000)))
}

#[uniffi::export]
impl Wallet {
    /// An empty wallet of the device of this name, which goes by this agent.
    ///
    /// # Errors
    /// `BadArgument` for names that no ticket can have, or a key that is none.
    #[uniffi::constructor]
    pub fn new(name: String, agent: Agent) -> Result<Self, IotkmError> {
        let key = agent.key()?;
        let (name, agent) = (lasting(name), CoreAgent { name: lasting(agent.name), key });
        let ticket = || vec![0; TICKET_MAX_FFC];
        let list = vec![0; LIST_MAX.saturating_mul(4).saturating_add(LIST_OVERHEAD)];
        Ok(Self { name, core: Arc::new(Shared::new(Core::within(agent, name, [ticket(), ticket()], list)?)) })
    }

    /// Takes in what `store` has in this slot, where the wallet is empty. All of it is verified again.
    ///
    /// # Errors
    /// `NotFound`, `Store`, `Vault`; as `restore`.
    pub fn load(&self, device: &Device, store: Arc<dyn BlobStore>, slot: u16) -> Result<(), IotkmError> {
        let stored = stored(&*store, slot)?;
        self.restore(device, stored.bytes, stored.floor)
    }

    /// Takes in what `seal` sealed, where the wallet is empty; `floor` is the slot's monotonic counter, 0 without one.
    ///
    /// # Errors
    /// `BadBlob`, also of another device or agent; `BlobRolledBack`; `WrongState` where something is here already; `Vault`.
    pub fn restore(&self, device: &Device, blob: Vec<u8>, floor: u32) -> Result<(), IotkmError> {
        let device = device.known()?.device;
        let mut work = vec![0; blob.len()];
        self.core.with(|core| Ok(core.open(&device, floor, &blob, &mut work)?))
    }

    /// Seals the wallet and writes it to its slot.
    ///
    /// # Errors
    /// `Vault`, `Store`.
    pub fn save(&self, device: &Device, store: Arc<dyn BlobStore>, slot: u16) -> Result<(), IotkmError> {
        let sealed = self.seal(device)?;
        store.write(slot, sealed.version, sealed.bytes).map_err(|e| IotkmError::Store { reason: e.reason() })?;
        self.persisted()
    }

    /// Seals the wallet, for an application that stores by itself; then call `persisted`.
    ///
    /// # Errors
    /// `Vault`.
    pub fn seal(&self, device: &Device) -> Result<Sealed, IotkmError> {
        let device = device.known()?.device;
        self.core.with(|core| {
            let needed = match core.seal(&device, &mut []) {
                Err(iotkm::Error::BufferTooSmall { needed }) => needed,
                _ => 0,
            };
            let mut bytes = vec![0; needed];
            let (len, version) = core.seal(&device, &mut bytes)?;
            bytes.truncate(len);
            Ok(Sealed { version, bytes })
        })
    }

    /// What `seal` gave last is stored.
    ///
    /// # Errors
    /// `Busy`.
    pub fn persisted(&self) -> Result<(), IotkmError> {
        self.core.with(|core| {
            core.persisted();
            Ok(())
        })
    }

    /// Whether there is something to store: a ticket, a list, or a floor that rose by an hour or more.
    ///
    /// # Errors
    /// `Busy`.
    pub fn needs_store(&self) -> Result<bool, IotkmError> {
        self.core.with(|core| Ok(core.needs_store()))
    }

    /// Takes one of this device's tickets in. Whether it is new; the oldest of three goes.
    ///
    /// # Errors
    /// `Refused`.
    pub fn install(&self, ticket: &Ticket, wall: Option<u64>) -> Result<bool, IotkmError> {
        self.core.with(|core| Ok(core.install(&ticket.0, milliseconds(wall))?))
    }

    /// Takes a revocation list in. Whether it is new.
    ///
    /// # Errors
    /// `Refused`; its reason is "older" where a newer one is here.
    pub fn revoke(&self, list: &RevocationList) -> Result<bool, IotkmError> {
        self.core.with(|core| Ok(core.revoke(&list.0)?))
    }

    /// A message from the operator: a ticket or a revocation list is taken in. Whether an acknowledgement is due, once
    /// nothing needs to be stored.
    ///
    /// # Errors
    /// `Refused`: answer with `refusal`.
    pub fn handle(&self, message: Vec<u8>, wall: Option<u64>) -> Result<bool, IotkmError> {
        let message = Message::read(&message)?;
        self.core.with(|core| Ok(core.handle(&message, milliseconds(wall))?))
    }

    /// What to tell the operator; none while the newest is not stored, or where there is no ticket.
    ///
    /// # Errors
    /// `Busy`.
    pub fn acknowledgement(&self) -> Result<Option<Vec<u8>>, IotkmError> {
        self.core.with(|core| core.acknowledgement().map(|message| written(&message)).transpose())
    }

    /// What to tell the operator when `handle` threw an error of this code.
    ///
    /// # Errors
    /// `Busy`.
    pub fn refusal(&self, code: i32) -> Result<Vec<u8>, IotkmError> {
        written(&Message::Refused(code.into()))
    }

    /// Checks a peer's ticket: agent, signature, end, revocation. Nothing has changed afterwards.
    ///
    /// # Errors
    /// `Refused`.
    pub fn check(&self, ticket: &Ticket, wall: Option<u64>) -> Result<(), IotkmError> {
        self.core.with(|core| {
            core.check(&ticket.0, milliseconds(wall))?;
            Ok(())
        })
    }

    /// The owner of a peer's ticket has shown to be it: it is at least as late as the agent issued that. Associations do this
    /// by themselves.
    ///
    /// # Errors
    /// `Refused`, as `check`.
    pub fn saw(&self, ticket: &Ticket, wall: Option<u64>) -> Result<(), IotkmError> {
        self.core.with(|core| {
            let ticket = core.check(&ticket.0, milliseconds(wall))?;
            core.saw(&ticket);
            Ok(())
        })
    }

    /// Its own ticket to show now: the one that ends later, where it has begun; none where none is valid.
    ///
    /// # Errors
    /// `Busy`.
    pub fn ticket(&self, wall: Option<u64>) -> Result<Option<Arc<Ticket>>, IotkmError> {
        self.core.with(|core| Ok(core.ticket(milliseconds(wall)).map(|t| Arc::new(Ticket(t.as_bytes().to_vec())))))
    }

    /// Its own tickets, valid or not, the one that ends later first.
    ///
    /// # Errors
    /// `Busy`.
    pub fn tickets(&self) -> Result<Vec<Arc<Ticket>>, IotkmError> {
        self.core.with(|core| Ok(core.tickets().map(|t| Arc::new(Ticket(t.as_bytes().to_vec()))).collect()))
    }

    /// The newest time of issue of anything that the agent signed: it is at least that late.
    ///
    /// # Errors
    /// `Busy`.
    pub fn floor(&self) -> Result<u64, IotkmError> {
        self.core.with(|core| Ok(core.floor()))
    }

    /// The number of the revocation list; 0: none.
    ///
    /// # Errors
    /// `Busy`.
    pub fn list_number(&self) -> Result<u32, IotkmError> {
        self.core.with(|core| Ok(core.list_number()))
    }
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wallet({})", self.name)
    }
}

impl fmt::Display for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
