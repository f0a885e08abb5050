//! Credentials of the noninteractive scheme: what they are, whose, how a device asks for one.

use crate::history::Suite;
use crate::platform::Platform;
use crate::signing::VerifyKey;
use crate::static_key::{StaticKey, group_of};
use crate::values::{self, Bytes, bad_argument, bytes, ticket_refused};
use crate::wallet::lasting;
use iotkm::cose::{self, IssueError, Refused};
use iotkm::crypto::{Rng, RngError, Secret, Suite as CoreSuite};
use iotkm::engine::wire::Writer;
use iotkm::noninteractive::credential::reference;
use iotkm::noninteractive::{self as core, Setting, issue, setting};
use iotkm::{Device, Error};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The longest share of all in bytes (FFC 3072).
const SHARE: usize = 384;

/// The setting of a suite.
///
/// # Errors
/// `BadArgumentError` for one without Diffie-Hellman.
pub(crate) fn setting_of(py: Python<'_>, suite: Option<&Suite>) -> PyResult<&'static Setting> {
    let suite = suite.map_or(&iotkm::crypto::SUITE_0, Suite::core);
    settings(suite).ok_or_else(|| bad_argument(py, "suites are SUITE_0 to SUITE_5, SUITE_FFC2048 and SUITE_FFC3072"))
}

fn settings(suite: &CoreSuite) -> Option<&'static Setting> {
    suite.dh.as_ref()?;
    Some(match suite.id {
        0 => &setting::SETTING_0,
        1 => &setting::SETTING_1,
        2 => &setting::SETTING_2,
        3 => &setting::SETTING_3,
        4 => &setting::SETTING_4,
        5 => &setting::SETTING_5,
        -21 => &setting::SETTING_FFC2048,
        -22 => &setting::SETTING_FFC3072,
        _ => return None,
    })
}

/// The name of a setting's suite.
pub(crate) fn suite_name(setting: &Setting) -> &'static str {
    crate::history::suite_named(setting.suite.id).unwrap_or("")
}

/// Bytes that live as long as the process, each once: as names do.
fn lasting_bytes(key: &[u8]) -> &'static [u8] {
    static KEYS: Mutex<BTreeSet<&'static [u8]>> = Mutex::new(BTreeSet::new());
    let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
    keys.get(key).copied().unwrap_or_else(|| {
        let key: &'static [u8] = Box::leak(key.into());
        keys.insert(key);
        key
    })
}

/// A self-certified credential: a name and a time, from which, with the operator's key, anybody computes the public key of its
/// owner. It is not signed: that it is not made up shows the handshake. Times are seconds since 1970.
///
/// Args:
///     data: the credential's bytes.
///     suite: the suite of its operator.
///
/// Raises:
///     TicketRefusedError: it is none.
///
/// Examples:
///     >>> from iotkm import SUITE_2, Credential
///     >>> Credential(bytes.fromhex("000000076b49d200" "0018" "046c616d70") + bytes(32), suite=SUITE_2)
///     <Credential 7 for "lamp" until 1800086400>
#[pyclass(frozen, eq, hash, module = "iotkm")]
#[derive(Clone)]
pub struct Credential {
    data: Vec<u8>,
    setting: &'static Setting,
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}
impl Eq for Credential {}
impl std::hash::Hash for Credential {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.data.hash(state);
    }
}

impl Credential {
    /// One that was read before.
    pub(crate) const fn known(data: Vec<u8>, setting: &'static Setting) -> Self {
        Self { data, setting }
    }

    pub(crate) fn written(credential: &core::Credential<'_>, setting: &'static Setting) -> Self {
        let mut data = vec![0; credential.len()];
        credential.write(&mut Writer::new(&mut data));
        Self { data, setting }
    }

    /// What stands for it.
    pub(crate) fn named(&self) -> cose::Reference {
        reference(&self.data)
    }

    pub(crate) fn inner(&self, py: Python<'_>) -> PyResult<core::Credential<'_>> {
        core::Credential::read(&self.data, self.setting).map_err(|reason| ticket_refused(py, reason))
    }
}

#[pymethods]
impl Credential {
    #[new]
    #[pyo3(signature = (data, *, suite=None))]
    fn new(py: Python<'_>, data: Bytes, suite: Option<&Suite>) -> PyResult<Self> {
        let credential = Self { data: data.to_vec(), setting: setting_of(py, suite)? };
        credential.inner(py)?;
        Ok(credential)
    }

    /// Raises where the credential is over or has not begun.
    ///
    /// Args:
    ///     wall: now; ``None``: without a clock.
    ///     floor: the newest time of issue of anything that the operator is known to have issued.
    ///
    /// Raises:
    ///     TicketRefusedError: ``reason`` is ``"expired"`` or ``"not_yet_valid"``.
    #[pyo3(signature = (wall, floor=0))]
    fn check(&self, py: Python<'_>, wall: Option<u64>, floor: u64) -> PyResult<()> {
        let wall = wall.map(|seconds| iotkm::UnixTime(seconds.saturating_mul(1000)));
        self.inner(py)?.valid_at(wall, floor).map_err(|reason| ticket_refused(py, reason))
    }

    /// The device's name.
    #[getter]
    fn device(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.inner(py)?.subject.into())
    }
    /// The operator's number for it.
    #[getter]
    fn serial(&self, py: Python<'_>) -> PyResult<u32> {
        Ok(self.inner(py)?.serial)
    }
    /// When it was issued.
    #[getter]
    fn issued_at(&self, py: Python<'_>) -> PyResult<u32> {
        Ok(self.inner(py)?.issued_at)
    }
    /// How long it is valid, in hours.
    #[getter]
    fn life(&self, py: Python<'_>) -> PyResult<u16> {
        Ok(self.inner(py)?.life)
    }
    /// From when on it is no longer valid.
    #[getter]
    fn expires(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.inner(py)?.expires())
    }
    /// The paper's r: what the public key is computed from.
    #[getter]
    fn r<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(bytes(py, self.inner(py)?.r))
    }
    /// The group of the device's key.
    #[getter]
    fn group(&self) -> &'static str {
        crate::static_key::name_of(self.setting.kem)
    }
    /// The 8 bytes that stand for it.
    #[getter]
    fn reference<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.named().0)
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.data)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let credential = self.inner(py)?;
        let (serial, subject) = (credential.serial, credential.subject);
        Ok(format!("<Credential {serial} for {subject:?} until {}>", credential.expires()))
    }
}

/// Who issues the credentials that a device goes by: what everybody may know of it.
///
/// Args:
///     name: its name, at most 32 bytes in UTF-8.
///     suite: the suite of its credentials, and with it the group; ``None``: `SUITE_0`.
///     key: y_Z, as `OperatorKey.public_key` gives it.
///     lists: the key that signs its revocation lists.
///
/// Raises:
///     BadArgumentError: no credential can have that name; the key is none of the suite's group.
///
/// Examples:
///     >>> from iotkm import SUITE_2, CredentialOperator, OperatorKey, SigningKey
///     >>> key, lists = OperatorKey(bytes([7]) * 32, suite=SUITE_2), SigningKey("EdDSA", bytes(32))
///     >>> CredentialOperator("acme", key=key.public_key, lists=lists.public_key, suite=SUITE_2)
///     <CredentialOperator 'acme', SUITE_2>
#[pyclass(frozen, module = "iotkm")]
pub struct CredentialOperator {
    pub(crate) inner: core::Operator<'static>,
}

#[pymethods]
impl CredentialOperator {
    #[new]
    #[pyo3(signature = (name, *, key, lists, suite=None))]
    fn new(py: Python<'_>, name: &str, key: Bytes, lists: &VerifyKey, suite: Option<&Suite>) -> PyResult<Self> {
        let setting = setting_of(py, suite)?;
        let mut element = vec![0; setting.group.element_len()];
        if key.len() != setting.group.share_len() || setting.group.element_of_share(&key, &mut element).is_err() {
            return Err(bad_argument(py, "these bytes are no operator's key of the suite's group"));
        }
        cose::TicketAgent::new(name).map_err(|e| values::error(py, e))?;
        let inner = core::Operator { name: lasting(name), setting, key: lasting_bytes(&key), lists: lists.0 };
        Ok(Self { inner })
    }

    /// The public key that belongs to a credential, as `StaticKey.public_key` has it: y_Z^h r.
    ///
    /// Raises:
    ///     TicketRefusedError: its r is no element of the group.
    fn public_key<'py>(&self, py: Python<'py>, credential: &Credential) -> PyResult<Bound<'py, PyBytes>> {
        let (operator, read) = (&self.inner, credential.inner(py)?);
        let mut element = vec![0; operator.setting.group.element_len()];
        let made = py.detach(|| operator.public_key(&read, &mut element));
        made.map_err(|reason| ticket_refused(py, reason))?;
        Ok(bytes(py, operator.setting.kem.share(&element)))
    }

    /// Its name.
    #[getter]
    const fn name(&self) -> &'static str {
        self.inner.name
    }
    /// y_Z.
    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, self.inner.key)
    }
    /// The key that signs its revocation lists.
    #[getter]
    const fn lists(&self) -> VerifyKey {
        VerifyKey(self.inner.lists)
    }
    /// The name of the suite of its credentials.
    #[getter]
    fn suite(&self) -> &'static str {
        suite_name(self.inner.setting)
    }

    fn __repr__(&self) -> String {
        format!("<CredentialOperator '{}', {}>", self.inner.name, self.suite())
    }
}

/// A secret as if it had just been drawn: groups that draw more than its bytes take them for a big-endian number.
pub(crate) struct Given<'a>(pub &'a Secret<32>);

impl Rng for Given<'_> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        let (head, tail) = out.split_last_chunk_mut::<32>().ok_or(RngError)?;
        head.fill(0);
        *tail = *self.0.expose();
        Ok(())
    }
}

/// A device's private key.
pub(crate) fn key(setting: &Setting, x: &Secret<32>) -> Option<StaticKey> {
    StaticKey::in_memory(group_of(setting.kem)?, x).ok()
}

/// Seals a private key.
///
/// # Errors
/// The core's.
pub(crate) fn sealed(device: &Device, setting: &Setting, scalar: &Secret<32>) -> Result<Vec<u8>, Error> {
    key(setting, scalar).ok_or(Error::BadArgument)?.sealed(device)
}

/// Opens a stored private key.
///
/// # Errors
/// [`Error::BadBlob`].
pub(crate) fn opened(device: &Device, setting: &Setting, blob: &[u8]) -> Result<Secret<32>, Error> {
    let group = group_of(setting.kem).ok_or(Error::BadBlob)?;
    StaticKey::opened(group, device, blob)?.scalar().cloned().ok_or(Error::BadBlob)
}

/// A device's request for a credential, and the secret k1 that only its answer can be used with. `request` goes to the
/// operator; what comes back, `Holder.accept` takes with this. In between it can be stored (`seal`, `restore`).
///
/// Args:
///     platform: where randomness comes from.
///     device: the device's name, 1 to 32 bytes in UTF-8.
///     suite: the operator's; ``None``: `SUITE_0`.
///
/// Raises:
///     TicketRefusedError: no credential can have that name.
///     RngError: randomness failed.
///
/// Examples:
///     >>> from iotkm import SUITE_2, CredentialRequest, Platform
///     >>> platform = Platform(bytes(32))
///     >>> asked = CredentialRequest(platform, "lamp-7", suite=SUITE_2)
///     >>> len(asked.request)
///     39
///     >>> blob = asked.seal(platform)
///     >>> CredentialRequest.restore(platform, blob=blob, device="lamp-7", suite=SUITE_2).request == asked.request
///     True
#[pyclass(frozen, module = "iotkm")]
pub struct CredentialRequest {
    pub(crate) setting: &'static Setting,
    device: String,
    request: Vec<u8>,
    pub(crate) k1: Secret<32>,
}

impl CredentialRequest {
    fn drawn(setting: &'static Setting, device: &str, rng: &mut dyn Rng) -> Result<Self, IssueError> {
        let mut request = vec![0; 1 + 32 + SHARE];
        let (len, k1) = issue::request(setting, device, rng, &mut request)?;
        request.truncate(len);
        Ok(Self { setting, device: device.into(), request, k1 })
    }
}

#[pymethods]
impl CredentialRequest {
    #[new]
    #[pyo3(signature = (platform, device, *, suite=None))]
    fn new(py: Python<'_>, platform: &Platform, device: &str, suite: Option<&Suite>) -> PyResult<Self> {
        let setting = setting_of(py, suite)?;
        py.detach(|| {
            let drawn = platform.call(|cx| match Self::drawn(setting, device, cx.rng) {
                Err(IssueError::Refused(reason)) => Ok(Err(reason)),
                Err(_) => Err(Error::Rng),
                Ok(drawn) => Ok(Ok(drawn)),
            })?;
            drawn.map_err(|reason| Python::attach(|py| ticket_refused(py, reason)))
        })
    }

    /// Opens a stored request.
    ///
    /// Raises:
    ///     BadBlobError: it does not open here, or is of another group.
    #[staticmethod]
    #[pyo3(signature = (platform, *, blob, device, suite=None))]
    fn restore(
        py: Python<'_>,
        platform: &Platform,
        blob: Bytes,
        device: &str,
        suite: Option<&Suite>,
    ) -> PyResult<Self> {
        let setting = setting_of(py, suite)?;
        let k1 = opened(&platform.device, setting, &blob).map_err(|e| values::error(py, e))?;
        Self::drawn(setting, device, &mut Given(&k1)).map_err(|e| crate::signing::issued(py, e, None))
    }

    /// Seals k1: a blob, to be stored until the answer is there.
    fn seal<'py>(&self, py: Python<'py>, platform: &Platform) -> PyResult<Bound<'py, PyBytes>> {
        let blob = sealed(&platform.device, self.setting, &self.k1).map_err(|e| values::error(py, e))?;
        Ok(bytes(py, &blob))
    }

    /// What goes to the operator.
    #[getter]
    fn request<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.request)
    }

    /// The device's name.
    #[getter]
    fn device(&self) -> &str {
        &self.device
    }

    fn __repr__(&self) -> String {
        format!("<CredentialRequest of '{}', {}>", self.device, suite_name(self.setting))
    }
}

/// The name in a device's request.
///
/// Raises:
///     TicketRefusedError: it is no request of this suite's.
///
/// Examples:
///     >>> from iotkm import CredentialRequest, Platform, requested_device
///     >>> requested_device(CredentialRequest(Platform(bytes(32)), "lamp-7").request)
///     'lamp-7'
#[pyfunction]
#[pyo3(signature = (request, *, suite=None))]
fn requested_device(py: Python<'_>, request: Bytes, suite: Option<&Suite>) -> PyResult<String> {
    let setting = setting_of(py, suite)?;
    let (name, share) = issue::read_request(&request, setting).map_err(|reason| ticket_refused(py, reason))?;
    let mut element = vec![0; setting.group.element_len()];
    match setting.group.element_of_share(share, &mut element) {
        Ok(()) => Ok(name.to_owned()),
        Err(_) => Err(ticket_refused(py, Refused::Claims)),
    }
}

/// Adds what this file has for Python.
///
/// # Errors
/// Python's own.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Credential>()?;
    module.add_class::<CredentialOperator>()?;
    module.add_class::<CredentialRequest>()?;
    module.add_function(wrap_pyfunction!(requested_device, module)?)
}
