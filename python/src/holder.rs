//! What a device with a credential holds.

use crate::association::Guarded;
use crate::credentials::{Credential, CredentialOperator, CredentialRequest, key};
use crate::platform::Platform;
use crate::static_key::StaticKey;
use crate::ticket_message::write;
use crate::tickets::RevocationList;
use crate::values::{self, Bytes, bad_argument, bytes, key_failed, ticket_refused};
use crate::wallet::{Shared, lasting, not_taken};
use iotkm::Error;
use iotkm::cose::revocation::{LIST_MAX, LIST_OVERHEAD};
use iotkm::cose::{Message, Refused};
use iotkm::noninteractive::holder::holder_len;
use iotkm::noninteractive::renewal::Told;
use iotkm::noninteractive::{self as core, Setting, issue};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes};
use std::sync::Arc;

/// The longest REQUEST in bytes.
const REQUEST: usize = 1 + 32 + 384;

/// The core's, with room for whatever there is.
pub type Core = core::Holder<'static, { holder_len(384) }, { LIST_MAX * 4 + LIST_OVERHEAD }>;

/// What a device holds: its own credential, its operator's newest revocation list, the floor time. Times are seconds since
/// 1970.
///
/// The next credential comes over the association with the operator: `ask` in time (`due_at`), store, send `request`, again and
/// again until `handle` gives what the operator answered; store that, `install`, store, send `acknowledgement`.
/// `iotkm.aio.Receiver` does it.
///
/// Whatever changes it is stored before it counts: while `needs_store`, `seal`, store, `persisted`. A new credential has a new
/// private key: store that first (`StaticKey.seal`), and put it into another slot of the platform (`Platform.set_key`);
/// associations that there are go on under the old key until they end.
///
/// Args:
///     platform: the surroundings: device secret, wall clock.
///     device: the device's name, as its credential has it.
///     operator: whose credentials count.
///
/// Raises:
///     BadArgumentError: no credential can have that name.
///
/// Examples:
///     >>> from iotkm import CredentialOperator, CredentialRequest, Holder, OperatorKey, Platform, SigningKey, TicketAgent
///     >>> platform = Platform(bytes(32), wall=lambda: 1_800_000_100_000)
///     >>> key, lists = OperatorKey.generate(platform), SigningKey("EdDSA", bytes(32))
///     >>> agent = TicketAgent("acme")
///     >>> _ = agent.seal(platform)
///     >>> agent.persisted()
///     >>> acme = CredentialOperator("acme", key=key.public_key, lists=lists.public_key)
///     >>> holder = Holder(platform, device="lamp-7", operator=acme)
///     >>> asked = CredentialRequest(platform, "lamp-7")
///     >>> answer = key.issue(platform, agent, asked.request, now=1_800_000_000, life=24)
///     >>> credential, secret_key = holder.accept(asked, answer)
///     >>> stored = secret_key.seal(platform)  # first the key, then
///     >>> holder.install(credential)
///     >>> blob, version = holder.seal()  # store it, then
///     >>> holder.persisted()
///     >>> holder.needs_store, holder.credential == credential, holder.floor
///     (False, True, 1800000000)
///     >>> holder
///     <Holder of 'lamp-7' by 'acme', until 1800086400, list 0>
#[pyclass(frozen, module = "iotkm")]
pub struct Holder {
    platform: Py<Platform>,
    device: &'static str,
    operator: Py<CredentialOperator>,
    core: Arc<Guarded<Box<Core>>>,
}

impl Holder {
    fn made(platform: Py<Platform>, device: &'static str, operator: Py<CredentialOperator>, core: Box<Core>) -> Self {
        Self { platform, device, operator, core: Arc::new(Guarded::new(core)) }
    }

    /// For an association.
    pub(crate) fn shared(&self) -> Shared<Core> {
        Shared::new(&self.core)
    }

    /// Its operator's suite and group.
    pub(crate) fn setting(&self) -> &'static Setting {
        self.operator.get().inner.setting
    }

    /// Calls the core's, without the interpreter lock.
    fn with<X: Send>(&self, py: Python<'_>, f: impl FnOnce(&mut Core) -> X + Send) -> PyResult<X> {
        py.detach(|| self.core.with(|holder| Ok(f(holder))))
    }
}

#[pymethods]
impl Holder {
    /// The longest blob of a stored holder in bytes.
    #[classattr]
    const BLOB_MAX: usize = Core::BLOB_MAX;

    #[new]
    #[pyo3(signature = (platform, *, device, operator))]
    fn new(py: Python<'_>, platform: Py<Platform>, device: &str, operator: Py<CredentialOperator>) -> PyResult<Self> {
        let device = lasting(device);
        let core = Core::new(operator.get().inner, device).map_err(|e| values::error(py, e))?;
        Ok(Self::made(platform, device, operator, Box::new(core)))
    }

    /// Opens a stored holder.
    ///
    /// Args:
    ///     platform: the same device secret that sealed it.
    ///     device: as it was made with; likewise `operator`.
    ///     blob: what was stored.
    ///     floor: the value of the slot's monotonic counter, 0 where there is none.
    ///
    /// Raises:
    ///     BadBlobError: it does not open here, or is another device's or operator's.
    ///     BlobRolledBackError: it is older than `floor`.
    #[staticmethod]
    #[pyo3(signature = (platform, *, device, operator, blob, floor=0))]
    fn restore(
        py: Python<'_>,
        platform: Py<Platform>,
        device: &str,
        operator: Py<CredentialOperator>,
        blob: Bytes,
        floor: u32,
    ) -> PyResult<Self> {
        let device = lasting(device);
        let (secret, inner) = (&platform.get().device, operator.get().inner);
        let core = py.detach(|| {
            let mut work = vec![0; blob.len()];
            Core::restore(inner, device, secret, floor, &blob, &mut work).map(Box::new)
        });
        Ok(Self::made(platform, device, operator, core.map_err(|e| values::error(py, e))?))
    }

    /// Puts what was stored back into a holder that was just made, as `restore` does; what was taken in since then stays where
    /// it is newer. `iotkm.aio.Hub` does this with its storage.
    ///
    /// Raises:
    ///     as `restore`; nothing has changed then.
    #[pyo3(signature = (blob, *, floor=0))]
    fn load(&self, py: Python<'_>, blob: Bytes, floor: u32) -> PyResult<()> {
        let (secret, inner, wall) =
            (&self.platform.get().device, self.operator.get().inner, self.platform.get().wall()?);
        let loaded = self.with(py, |holder| {
            let mut work = vec![0; blob.len()];
            let mut stored = Box::new(Core::restore(inner, self.device, secret, floor, &blob, &mut work)?);
            if let Some(own) = holder.credential().filter(|own| stored.credential().as_ref() != Some(own)) {
                // What is older is not missed.
                let _ = stored.install(&own, wall);
            }
            let _ = stored.revoke(holder.list_bytes());
            *holder = *stored;
            Ok(())
        })?;
        loaded.map_err(|e| values::error(py, e))
    }

    /// Seals the holder: the blob and its version. Store it, then call `persisted`.
    fn seal<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, u32)> {
        let device = &self.platform.get().device;
        let sealed = self.with(py, |holder| {
            let needed = match holder.seal(device, &mut []) {
                Err(Error::BufferTooSmall { needed }) => needed,
                _ => 0,
            };
            let mut out = vec![0; needed];
            holder.seal(device, &mut out).map(|(len, version)| (out, len, version))
        })?;
        let (out, len, version) = sealed.map_err(|e| values::error(py, e))?;
        Ok((bytes(py, out.get(..len).unwrap_or_default()), version))
    }

    /// What `seal` gave last is stored.
    fn persisted(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, Core::persisted)
    }

    /// Whether there is something to store: a credential, a list, or a floor that rose by an hour or more.
    #[getter]
    fn needs_store(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, |holder| holder.needs_store())
    }

    /// Takes the operator's answer to a request of this device's: the credential, and its private key. Nothing has changed
    /// afterwards: store the key (`StaticKey.seal`), then `install` the credential.
    ///
    /// Raises:
    ///     TicketRefusedError: ``reason`` says why; ``"signature"``: it is not this operator's answer to this request.
    ///     BadArgumentError: the request is of another group.
    fn accept(&self, py: Python<'_>, asked: &CredentialRequest, answer: Bytes) -> PyResult<(Credential, StaticKey)> {
        let (operator, setting) = (self.operator.get().inner, self.setting());
        if asked.setting.kem.label() != setting.kem.label() {
            return Err(bad_argument(py, "the request is of another group than the operator's credentials"));
        }
        let wall = self.platform.get().wall()?;
        let accepted = self.with(py, |holder| {
            let taken = issue::accept(&operator, self.device, &asked.k1, &answer, wall, holder.floor());
            taken.map(|(credential, x)| (Credential::written(&credential, setting), x))
        })?;
        let (credential, x) = accepted.map_err(|reason| ticket_refused(py, reason))?;
        let key = key(setting, &x).ok_or_else(|| ticket_refused(py, Refused::Signature))?;
        Ok((credential, key))
    }

    /// Checks a credential and its private key, as they came by `OperatorKey.issue_printed_knowing_the_private_key` or out of
    /// storage: the name is this device's, it is valid, and the paper's g^x = y. Nothing has changed afterwards.
    ///
    /// Raises:
    ///     TicketRefusedError: ``reason`` says why.
    ///     KeyFailedError: the key lives elsewhere.
    fn check(&self, py: Python<'_>, credential: &Credential, key: &StaticKey) -> PyResult<()> {
        let operator = self.operator.get().inner;
        let read = credential.inner(py)?;
        let x = key.scalar().ok_or_else(|| key_failed(py, "only a key in memory can be checked"))?;
        if key.kem().label() != operator.setting.kem.label() {
            return Err(ticket_refused(py, Refused::Key));
        }
        let wall = self.platform.get().wall()?;
        let checked = self.with(py, |holder| issue::check(&operator, self.device, &read, x, wall, holder.floor()))?;
        checked.map_err(|reason| ticket_refused(py, reason))
    }

    /// Takes this device's credential in, in place of the one before. That the device has its private key, `accept` or `check`
    /// has shown.
    ///
    /// Raises:
    ///     TicketRefusedError: ``reason`` says why; ``"older"``: it ends before the one here.
    fn install(&self, py: Python<'_>, credential: &Credential) -> PyResult<()> {
        let wall = self.platform.get().wall()?;
        let read = credential.inner(py)?;
        self.with(py, |holder| holder.install(&read, wall))?.map_err(|why| not_taken(py, why))
    }

    /// From when on to ask for the next credential: `lead` seconds before this one ends, but not in the first half of its life,
    /// when the one before it may still be in use. 0: there is none.
    fn due_at(&self, py: Python<'_>, lead: u64) -> PyResult<u64> {
        self.with(py, |holder| holder.due_at(lead))
    }

    /// Begins to ask for the next credential, unless an answer is awaited already: store, then send `request`.
    ///
    /// Raises:
    ///     RngError: randomness failed.
    fn ask(&self, py: Python<'_>) -> PyResult<()> {
        let platform = self.platform.get();
        py.detach(|| self.core.with(|holder| platform.call(|cx| holder.ask(cx.rng))))
    }

    /// Whether an answer is awaited.
    #[getter]
    fn is_asking(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, |holder| holder.is_asking())
    }

    /// The request to send to the operator, the same each time; ``None`` while it is not stored, or where nothing is asked.
    fn request<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let request = self.with(py, |holder| {
            let mut out = vec![0; REQUEST];
            holder.request(&mut out).ok().map(|len| {
                out.truncate(len);
                out
            })
        })?;
        request.map(|request| write(py, &Message::CredentialRequest(&request))).transpose()
    }

    /// A message from the operator. ``True``: an acknowledgement is due, once nothing `needs_store`; a credential and its
    /// private key: store the key (`StaticKey.seal`), `install` the credential, store, then acknowledge; nothing has changed
    /// yet. ``False``: it is none for a holder, or `CredentialDue`: `ask`.
    ///
    /// Raises:
    ///     TicketRefusedError: it was not taken; answer a `Refusal` with its ``code``. ``"signature"``: it answers no request
    ///         that is out.
    fn handle<'py>(&self, py: Python<'py>, message: Bytes) -> PyResult<Bound<'py, PyAny>> {
        let message = Message::read(&message).map_err(|reason| ticket_refused(py, reason))?;
        let wall = self.platform.get().wall()?;
        let told = self.with(py, |holder| holder.handle(&message, wall))?.map_err(|why| not_taken(py, why))?;
        let setting = self.setting();
        match told {
            Told::Next(credential, x) => {
                let key = key(setting, &x).ok_or_else(|| ticket_refused(py, Refused::Signature))?;
                Ok((Credential::written(&credential, setting), key).into_pyobject(py)?.into_any())
            }
            told => Ok(PyBool::new(py, matches!(told, Told::Acknowledge)).to_owned().into_any()),
        }
    }

    /// What to tell the operator; ``None`` while something is not stored, or without a credential.
    fn acknowledgement<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let message = self.with(py, |holder| holder.acknowledgement())?;
        message.map(|message| write(py, &message)).transpose()
    }

    /// Takes a revocation list in. Whether it is new.
    ///
    /// Raises:
    ///     TicketRefusedError: ``reason`` says why; ``"older"``: a newer one is here.
    fn revoke(&self, py: Python<'_>, revoked: &RevocationList) -> PyResult<bool> {
        self.with(py, |holder| holder.revoke(&revoked.0))?.map_err(|why| not_taken(py, why))
    }

    /// Its own credential, valid or not.
    #[getter]
    fn credential(&self, py: Python<'_>) -> PyResult<Option<Credential>> {
        let setting = self.setting();
        self.with(py, |holder| holder.credential().map(|own| Credential::written(&own, setting)))
    }

    /// The number of the revocation list; 0: none.
    #[getter]
    fn list_number(&self, py: Python<'_>) -> PyResult<u32> {
        self.with(py, |holder| holder.list_number())
    }

    /// The newest time of issue of anything that the operator is known to have issued: it is at least that late.
    #[getter]
    fn floor(&self, py: Python<'_>) -> PyResult<u64> {
        self.with(py, |holder| holder.floor())
    }

    /// The device's name.
    #[getter]
    const fn device(&self) -> &'static str {
        self.device
    }

    /// Its operator.
    #[getter]
    fn operator(&self, py: Python<'_>) -> Py<CredentialOperator> {
        self.operator.clone_ref(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (ends, list) =
            self.with(py, |holder| (holder.credential().map(|own| own.expires()), holder.list_number()))?;
        let own = ends.map_or_else(|| "no credential".into(), |ends| format!("until {ends}"));
        Ok(format!("<Holder of '{}' by '{}', {own}, list {list}>", self.device, self.operator.get().inner.name))
    }
}
