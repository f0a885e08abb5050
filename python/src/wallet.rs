//! The device's wallet.

use crate::association::Guarded;
use crate::platform::Platform;
use crate::signing::VerifyKey;
use crate::ticket_message::{reference, write};
use crate::tickets::{RevocationList, Ticket};
use crate::values::{self, Bytes, bytes, ticket_refused};
use iotkm::cose::revocation::{LIST_MAX, LIST_OVERHEAD};
use iotkm::cose::ticket::TICKET_MAX_FFC;
use iotkm::cose::wallet::NotTaken;
use iotkm::cose::{self, Agent, Message};
use iotkm::interactive::Lend;
use iotkm::phase1::Credentials;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The core's, with room for whatever there is.
pub type Core = cose::Wallet<'static, TICKET_MAX_FFC, { LIST_MAX * 4 + LIST_OVERHEAD }>;

/// Wallets and holders borrow their names. Here they live as long as the process, each once.
pub(crate) fn lasting(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    names.get(name).copied().unwrap_or_else(|| {
        let name: &'static str = Box::leak(name.into());
        names.insert(name);
        name
    })
}

pub(crate) fn not_taken(py: Python<'_>, why: NotTaken) -> PyErr {
    match why {
        NotTaken::Refused(reason) => ticket_refused(py, reason),
        NotTaken::Full => values::error(py, iotkm::Error::Full),
    }
}

/// What a device holds: its own tickets (both in the overlap), the newest revocation list, the floor time. Times are
/// seconds since 1970.
///
/// Whatever changes it is stored before it is acknowledged: while `needs_store`, `seal`, store, `persisted`; then send
/// `acknowledgement`.
///
/// Args:
///     platform: the surroundings: device secret, wall clock.
///     device: the device's name, as its tickets have it.
///     agent: the name of the agent that it goes by.
///     key: the agent's key.
///
/// Raises:
///     BadArgumentError: names that no ticket can have.
///
/// Examples:
///     >>> from iotkm import Platform, SigningKey, Ticket, Wallet, write_ticket_message
///     >>> key = SigningKey("EdDSA", bytes(32))
///     >>> ticket = Ticket.issue(key, agent="acme", device="lamp-7", group="x25519", key=bytes([9]) * 32,
///     ...                       serial=1, issued_at=1_800_000_000, expires=1_900_000_000)
///     >>> platform = Platform(bytes(32), wall=lambda: 1_800_000_100_000)
///     >>> wallet = Wallet(platform, device="lamp-7", agent="acme", key=key.public_key)
///     >>> wallet.handle(write_ticket_message(ticket))  # as the operator pushed it
///     True
///     >>> wallet.acknowledgement() is None, wallet.needs_store
///     (True, True)
///     >>> blob, version = wallet.seal()  # store it, then
///     >>> wallet.persisted()
///     >>> wallet.acknowledgement() is None
///     False
///     >>> wallet.ticket == ticket, wallet.floor
///     (True, 1800000000)
///     >>> wallet
///     <Wallet of 'lamp-7' by 'acme', 1 tickets, list 0>
#[pyclass(frozen, module = "iotkm")]
pub struct Wallet {
    platform: Py<Platform>,
    device: &'static str,
    core: Arc<Guarded<Box<Core>>>,
}

/// A wallet or a holder, lent to associations.
#[derive(Debug)]
pub struct Shared<C>(Arc<Guarded<Box<C>>>);

impl<C> Shared<C> {
    /// For one association.
    pub(crate) fn new(core: &Arc<Guarded<Box<C>>>) -> Self {
        Self(Arc::clone(core))
    }
}

impl<C: Credentials> Lend for Shared<C> {
    fn lend(&self, work: &mut dyn FnMut(&mut dyn Credentials)) {
        // A refusal is a callback's that came back while the wallet is lent: then nothing goes on.
        let _ = self.0.with(|credentials| {
            work(&mut **credentials);
            Ok(())
        });
    }
}

impl Wallet {
    /// For an association.
    pub(crate) fn shared(&self) -> Shared<Core> {
        Shared::new(&self.core)
    }

    fn made(platform: Py<Platform>, device: &'static str, core: Box<Core>) -> Self {
        Self { platform, device, core: Arc::new(Guarded::new(core)) }
    }

    /// Calls the core's, without the interpreter lock.
    fn with<X: Send>(&self, py: Python<'_>, f: impl FnOnce(&mut Core) -> X + Send) -> PyResult<X> {
        py.detach(|| self.core.with(|wallet| Ok(f(wallet))))
    }
}

#[pymethods]
impl Wallet {
    /// The longest blob of a stored wallet in bytes.
    #[classattr]
    const BLOB_MAX: usize = Core::BLOB_MAX;

    #[new]
    #[pyo3(signature = (platform, *, device, agent, key))]
    fn new(py: Python<'_>, platform: Py<Platform>, device: &str, agent: &str, key: &VerifyKey) -> PyResult<Self> {
        let (device, agent) = (lasting(device), Agent { name: lasting(agent), key: key.0 });
        let core = Core::new(agent, device).map_err(|e| values::error(py, e))?;
        Ok(Self::made(platform, device, Box::new(core)))
    }

    /// Opens a stored wallet. All that is in it is verified again.
    ///
    /// Args:
    ///     platform: the same device secret that sealed it.
    ///     device: as it was made with; likewise `agent` and `key`.
    ///     blob: what was stored.
    ///     floor: the value of the slot's monotonic counter, 0 where there is none.
    ///
    /// Raises:
    ///     BadBlobError: it does not open here, or is another device's or agent's.
    ///     BlobRolledBackError: it is older than `floor`.
    #[staticmethod]
    #[pyo3(signature = (platform, *, device, agent, key, blob, floor=0))]
    fn restore(
        py: Python<'_>,
        platform: Py<Platform>,
        device: &str,
        agent: &str,
        key: &VerifyKey,
        blob: Bytes,
        floor: u32,
    ) -> PyResult<Self> {
        let (device, agent) = (lasting(device), Agent { name: lasting(agent), key: key.0 });
        let secret = &platform.get().device;
        let core = py.detach(|| {
            let mut work = vec![0; blob.len()];
            Core::restore(agent, device, secret, floor, &blob, &mut work).map(Box::new)
        });
        Ok(Self::made(platform, device, core.map_err(|e| values::error(py, e))?))
    }

    /// Puts what was stored back into a wallet that was just made, as `restore` does; what was taken in since then stays where
    /// it is newer. `iotkm.aio.Hub` does this with its storage.
    ///
    /// Raises:
    ///     as `restore`; nothing has changed then.
    #[pyo3(signature = (blob, *, floor=0))]
    fn load(&self, py: Python<'_>, blob: Bytes, floor: u32) -> PyResult<()> {
        let (secret, wall) = (&self.platform.get().device, self.platform.get().wall()?);
        let loaded = self.with(py, |wallet| {
            let mut work = vec![0; blob.len()];
            let mut stored = Box::new(Core::restore(*wallet.agent(), self.device, secret, floor, &blob, &mut work)?);
            for own in wallet.tickets() {
                // What is older is not missed.
                let _ = stored.install(own.as_bytes(), wall);
            }
            let _ = stored.revoke(wallet.list_bytes());
            *wallet = *stored;
            Ok(())
        })?;
        loaded.map_err(|e| values::error(py, e))
    }

    /// Seals the wallet: the blob and its version. Store it, then call `persisted`.
    fn seal<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, u32)> {
        let device = &self.platform.get().device;
        let sealed = self.with(py, |wallet| {
            let needed = wallet.seal(device, &mut []).err().map_or(0, |e| match e {
                iotkm::Error::BufferTooSmall { needed } => needed,
                _ => 0,
            });
            let mut out = vec![0; needed];
            wallet.seal(device, &mut out).map(|(len, version)| (out, len, version))
        })?;
        let (out, len, version) = sealed.map_err(|e| values::error(py, e))?;
        Ok((bytes(py, out.get(..len).unwrap_or_default()), version))
    }

    /// What `seal` gave last is stored.
    fn persisted(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, Core::persisted)
    }

    /// Whether there is something to store: a ticket, a list, or a floor that rose by an hour or more.
    #[getter]
    fn needs_store(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, |wallet| wallet.needs_store())
    }

    /// Takes one of this device's tickets in. Whether it is new; the oldest of three goes.
    ///
    /// Raises:
    ///     TicketRefusedError: ``reason`` says why; ``"older"``: it ends before the two here.
    fn install(&self, py: Python<'_>, ticket: &Ticket) -> PyResult<bool> {
        let wall = self.platform.get().wall()?;
        self.with(py, |wallet| wallet.install(&ticket.0, wall))?.map_err(|why| not_taken(py, why))
    }

    /// Takes a revocation list in. Whether it is new.
    ///
    /// Raises:
    ///     TicketRefusedError: ``reason`` says why; ``"older"``: a newer one is here.
    fn revoke(&self, py: Python<'_>, revoked: &RevocationList) -> PyResult<bool> {
        self.with(py, |wallet| wallet.revoke(&revoked.0))?.map_err(|why| not_taken(py, why))
    }

    /// A message from the operator: a ticket or a revocation list is taken in. Whether an acknowledgement is due, once
    /// nothing `needs_store`; what came before is acknowledged again.
    ///
    /// Raises:
    ///     TicketRefusedError: it was not taken; answer a `Refusal` with its ``code``.
    fn handle(&self, py: Python<'_>, message: Bytes) -> PyResult<bool> {
        let message = Message::read(&message).map_err(|reason| ticket_refused(py, reason))?;
        let wall = self.platform.get().wall()?;
        self.with(py, |wallet| wallet.handle(&message, wall))?.map_err(|why| not_taken(py, why))
    }

    /// What to tell the operator; ``None`` while the newest is not stored, or where there is no ticket.
    fn acknowledgement<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let message = self.with(py, |wallet| wallet.acknowledgement())?;
        message.map(|message| write(py, &message)).transpose()
    }

    /// Checks a peer's ticket: agent, signature, end, revocation. Nothing has changed afterwards.
    ///
    /// Raises:
    ///     TicketRefusedError: ``reason`` says why.
    fn check(&self, py: Python<'_>, ticket: &Ticket) -> PyResult<()> {
        let wall = self.platform.get().wall()?;
        let checked = self.with(py, |wallet| wallet.check(&ticket.0, wall).map(|_| ()))?;
        checked.map_err(|reason| ticket_refused(py, reason))
    }

    /// The owner of a ticket that was checked has shown to be it: it is at least as late as the agent issued that.
    fn saw(&self, py: Python<'_>, ticket: &Ticket) -> PyResult<()> {
        let ticket = ticket.inner(py)?;
        self.with(py, |wallet| wallet.saw(&ticket))
    }

    /// Its own ticket to show now: the one that ends later, where it has begun. ``None``: there is none that is valid.
    #[getter]
    fn ticket(&self, py: Python<'_>) -> PyResult<Option<Ticket>> {
        let wall = self.platform.get().wall()?;
        self.with(py, |wallet| wallet.ticket(wall).map(|ticket| Ticket(ticket.as_bytes().to_vec())))
    }

    /// Its own tickets, valid or not, the one that ends later first.
    #[getter]
    fn tickets(&self, py: Python<'_>) -> PyResult<Vec<Ticket>> {
        self.with(py, |wallet| wallet.tickets().map(|ticket| Ticket(ticket.as_bytes().to_vec())).collect())
    }

    /// Its own ticket that this reference stands for.
    fn named(&self, py: Python<'_>, reference: Bytes) -> PyResult<Option<Ticket>> {
        let reference = self::reference(py, &reference)?;
        self.with(py, |wallet| wallet.named(reference).map(|ticket| Ticket(ticket.as_bytes().to_vec())))
    }

    /// The number of the revocation list; 0: none.
    #[getter]
    fn list_number(&self, py: Python<'_>) -> PyResult<u32> {
        self.with(py, |wallet| wallet.list_number())
    }

    /// The newest time of issue of anything that the agent signed: it is at least that late.
    #[getter]
    fn floor(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |wallet| wallet.floor())
    }

    /// The device's name.
    #[getter]
    const fn device(&self) -> &'static str {
        self.device
    }

    /// The agent's name.
    #[getter]
    fn agent(&self, py: Python<'_>) -> PyResult<&'static str> {
        self.with(py, |wallet| wallet.agent().name)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (agent, tickets, list) =
            self.with(py, |wallet| (wallet.agent().name, wallet.tickets().count(), wallet.list_number()))?;
        Ok(format!("<Wallet of '{}' by '{agent}', {tickets} tickets, list {list}>", self.device))
    }
}
