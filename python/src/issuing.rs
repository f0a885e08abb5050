//! The operator who issues credentials.

use crate::agent::TicketAgent;
use crate::credentials::{Credential, Given, key, opened, sealed, setting_of, suite_name};
use crate::history::Suite;
use crate::platform::{Platform, secret};
use crate::static_key::StaticKey;
use crate::values::{self, Bytes, bad_argument, bytes};
use iotkm::Error;
use iotkm::cose::{self, IssueError};
use iotkm::crypto::{Rng, Secret};
use iotkm::noninteractive::credential::credential_max;
use iotkm::noninteractive::{Setting, issue};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The longest ANSWER in bytes.
const ANSWER: usize = credential_max(384) + 32;

/// An operator's private key x_Z of whatever group.
trait Issuing: Send + Sync {
    fn share(&self) -> &[u8];
    fn scalar(&self) -> &Secret<32>;
    fn issue(
        &self,
        agent: &mut cose::TicketAgent,
        rng: &mut dyn Rng,
        about: (u32, u16, &Wanted<'_>),
        out: &mut [u8],
    ) -> Result<(usize, Option<Secret<32>>), IssueError>;
}

/// What is to be issued.
enum Wanted<'a> {
    /// An answer to this REQUEST.
    Split(&'a [u8]),
    /// A credential of this name, and its private key.
    Printed(&'a str),
}

impl<const LEN: usize> Issuing for issue::OperatorKey<LEN> {
    fn share(&self) -> &[u8] {
        Self::share(self)
    }
    fn scalar(&self) -> &Secret<32> {
        Self::scalar(self)
    }
    fn issue(
        &self,
        agent: &mut cose::TicketAgent,
        rng: &mut dyn Rng,
        (now, life, wanted): (u32, u16, &Wanted<'_>),
        out: &mut [u8],
    ) -> Result<(usize, Option<Secret<32>>), IssueError> {
        match wanted {
            Wanted::Split(request) => Ok((Self::issue(self, agent, rng, now, life, request, out)?, None)),
            Wanted::Printed(subject) => {
                let (len, x) = self.issue_printed(agent, rng, now, life, subject, out)?;
                Ok((len, Some(x)))
            }
        }
    }
}

/// The operator's private key x_Z, for credentials of one group. It is never shown. Numbers, of credentials as of tickets
/// and revocation lists, come from a `TicketAgent`.
///
/// Args:
///     secret: 32 bytes: the private key; little-endian for `SUITE_0`, `SUITE_1`, `SUITE_4` (of which the top four bits do not
///         count), big-endian for the others.
///     suite: the suite of its credentials; ``None``: `SUITE_0`.
///
/// Raises:
///     BadArgumentError: not a private key of the suite's group.
///
/// Examples:
///     >>> from iotkm import SUITE_2, CredentialRequest, CredentialOperator, Holder, OperatorKey, Platform, SigningKey, TicketAgent
///     >>> platform, lists = Platform(bytes(32)), SigningKey("EdDSA", bytes(32))
///     >>> key, agent = OperatorKey.generate(platform, suite=SUITE_2), TicketAgent("acme")
///     >>> _ = agent.seal(platform)  # reserves 256 numbers: store it, then
///     >>> agent.persisted()
///     >>> asked = CredentialRequest(platform, "lamp-7", suite=SUITE_2)  # at the device
///     >>> answer = key.issue(platform, agent, asked.request, now=1_800_000_000, life=24)  # at the operator
///     >>> acme = CredentialOperator("acme", key=key.public_key, lists=lists.public_key, suite=SUITE_2)
///     >>> device = Platform(bytes([1]) * 32, wall=lambda: 1_800_000_000_000)
///     >>> holder = Holder(device, device="lamp-7", operator=acme)
///     >>> credential, secret_key = holder.accept(asked, answer)
///     >>> credential, secret_key.public_key == acme.public_key(credential)
///     (<Credential 1 for "lamp-7" until 1800086400>, True)
#[pyclass(frozen, module = "iotkm")]
pub struct OperatorKey {
    setting: &'static Setting,
    key: Box<dyn Issuing>,
}

impl OperatorKey {
    fn drawn(setting: &'static Setting, rng: &mut dyn Rng) -> Result<Self, Error> {
        let key: Result<Box<dyn Issuing>, _> = match setting.group.share_len() {
            256 => issue::OperatorKey::<256>::generate(setting, rng).map(|key| Box::new(key) as _),
            384 => issue::OperatorKey::<384>::generate(setting, rng).map(|key| Box::new(key) as _),
            _ => issue::OperatorKey::<32>::generate(setting, rng).map(|key| Box::new(key) as _),
        };
        Ok(Self { setting, key: key.map_err(|_| Error::Rng)? })
    }

    fn issued(
        &self,
        py: Python<'_>,
        (platform, agent): (&Platform, &TicketAgent),
        about: (u32, u16, &Wanted<'_>),
    ) -> PyResult<(Vec<u8>, Option<Secret<32>>)> {
        let mut out = vec![0; ANSWER];
        let (len, x) = agent.with(py, |agent| {
            // Whether anything was issued is told apart from what the platform's callbacks raise.
            let done = platform.call(|cx| match self.key.issue(agent, cx.rng, about, &mut out) {
                Err(IssueError::Key(_)) => Err(Error::Rng),
                done => Ok(done),
            })?;
            done.map_err(|error| Python::attach(|py| crate::signing::issued(py, error, None)))
        })?;
        out.truncate(len);
        Ok((out, x))
    }
}

#[pymethods]
impl OperatorKey {
    #[new]
    #[pyo3(signature = (secret, *, suite=None))]
    fn new(py: Python<'_>, secret: Bytes, suite: Option<&Suite>) -> PyResult<Self> {
        let setting = setting_of(py, suite)?;
        let secret = self::secret(py, &secret, "a private key")?;
        let key = py.detach(|| Self::drawn(setting, &mut Given(&secret)));
        key.map_err(|_| bad_argument(py, "these bytes are no private key of the suite's group"))
    }

    /// A new key, of the platform's randomness.
    ///
    /// Raises:
    ///     RngError: randomness failed.
    #[staticmethod]
    #[pyo3(signature = (platform, *, suite=None))]
    fn generate(py: Python<'_>, platform: &Platform, suite: Option<&Suite>) -> PyResult<Self> {
        let setting = setting_of(py, suite)?;
        py.detach(|| platform.call(|cx| Self::drawn(setting, cx.rng)))
    }

    /// Opens a stored key.
    ///
    /// Args:
    ///     platform: the same device secret that sealed it.
    ///     blob: what was stored.
    ///     suite: as it was made with.
    ///
    /// Raises:
    ///     BadBlobError: it does not open here, or is of another group.
    #[staticmethod]
    #[pyo3(signature = (platform, *, blob, suite=None))]
    fn restore(py: Python<'_>, platform: &Platform, blob: Bytes, suite: Option<&Suite>) -> PyResult<Self> {
        let setting = setting_of(py, suite)?;
        let scalar = opened(&platform.device, setting, &blob).map_err(|e| values::error(py, e))?;
        py.detach(|| Self::drawn(setting, &mut Given(&scalar))).map_err(|_| values::error(py, Error::BadBlob))
    }

    /// Seals the key: a blob, to be stored.
    fn seal<'py>(&self, py: Python<'py>, platform: &Platform) -> PyResult<Bound<'py, PyBytes>> {
        let blob = sealed(&platform.device, self.setting, self.key.scalar()).map_err(|e| values::error(py, e))?;
        Ok(bytes(py, &blob))
    }

    /// y_Z: what devices have of it.
    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, self.key.share())
    }

    /// The name of the suite of its credentials.
    #[getter]
    fn suite(&self) -> &'static str {
        suite_name(self.setting)
    }

    /// Answers a device's request (`CredentialRequest.request`): the ANSWER for `Holder.accept`. Neither is secret on the
    /// way, and the device's private key is never the operator's. That the request is that device's, the caller answers for.
    ///
    /// Args:
    ///     platform: where randomness comes from.
    ///     agent: gives the number; its name is the operator's.
    ///     now: seconds since 1970.
    ///     life: how long the credential is valid, in hours.
    ///
    /// Raises:
    ///     WrongStateError: no number is reserved in storage: `TicketAgent.seal`, store, `persisted`, then again.
    ///     TicketRefusedError: it is no request of this suite's.
    ///     RngError: randomness failed. No number is used up.
    #[pyo3(signature = (platform, agent, request, *, now, life))]
    fn issue<'py>(
        &self,
        py: Python<'py>,
        platform: &Platform,
        agent: &TicketAgent,
        request: Bytes,
        now: u32,
        life: u16,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (answer, _) = self.issued(py, (platform, agent), (now, life, &Wanted::Split(&request)))?;
        Ok(bytes(py, &answer))
    }

    /// Issues as the paper prints it: a credential and its private key, both made here. So the operator can be the device, and
    /// whoever reads them on their way too: for devices that cannot draw randomness, on a bench where nobody listens.
    ///
    /// Raises:
    ///     as `issue`.
    #[pyo3(signature = (platform, agent, device, *, now, life))]
    fn issue_printed_knowing_the_private_key(
        &self,
        py: Python<'_>,
        platform: &Platform,
        agent: &TicketAgent,
        device: &str,
        now: u32,
        life: u16,
    ) -> PyResult<(Credential, StaticKey)> {
        let (credential, x) = self.issued(py, (platform, agent), (now, life, &Wanted::Printed(device)))?;
        let key = x.and_then(|x| key(self.setting, &x));
        let key = key.ok_or_else(|| values::key_failed(py, "no private key was issued"))?;
        Ok((Credential::known(credential, self.setting), key))
    }

    fn __repr__(&self) -> String {
        format!("<OperatorKey of {} {}>", self.suite(), values::hex(self.key.share().get(..8).unwrap_or_default()))
    }
}
