//! Credentials of the noninteractive scheme: what they are, who issues them, how a device asks for one. Times are seconds
//! since 1970.

use crate::agent::TicketAgent;
use crate::error::IotkmError;
use crate::holder::REQUEST;
use crate::secret::SecretBytes;
use crate::signing::{Agent, Algorithm};
use crate::static_key::{Curve, StaticKey, curve_of};
use crate::surroundings::{Cx, Device};
use crate::values::Suite;
use crate::wallet::{lasting, milliseconds};
use iotkm::cose::{IssueError, Reference, Refused, TicketAgent as CoreAgent};
use iotkm::crypto::Rng;
use iotkm::crypto::group::Scalar;
use iotkm::engine::wire::Writer;
use iotkm::noninteractive::credential::{credential_max, reference};
use iotkm::noninteractive::{self as core, Setting, issue, setting};
use iotkm::phase1::Subject;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The longest share of all in bytes (FFC 3072).
pub(crate) const SHARE: usize = 384;
/// The longest ANSWER.
const ANSWER: usize = credential_max(SHARE) + 32;

/// The setting of a suite with Diffie-Hellman.
pub(crate) fn setting_of(suite: Suite) -> Result<&'static Setting, IotkmError> {
    Ok(match suite {
        Suite::Suite0 => &setting::SETTING_0,
        Suite::Suite1 => &setting::SETTING_1,
        Suite::Suite2 => &setting::SETTING_2,
        Suite::Suite3 => &setting::SETTING_3,
        Suite::Suite4 => &setting::SETTING_4,
        Suite::Suite5 => &setting::SETTING_5,
        Suite::SuiteFfc2048 => &setting::SETTING_FFC2048,
        Suite::SuiteFfc3072 => &setting::SETTING_FFC3072,
        _ => return Err(IotkmError::BadArgument),
    })
}

/// The curve of a setting's keys.
pub(crate) fn curve(setting: &Setting) -> Result<Curve, IotkmError> {
    curve_of(setting.kem).map_err(|_| IotkmError::BadArgument)
}

/// A key in its group's own form: in P-256 that with an even y.
fn scalar_of(key: &StaticKey) -> Result<Scalar, IotkmError> {
    key.scalar(|scalar| Ok(scalar.clone()))
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

/// A self-certified credential: a name and a time, from which, with the operator's key, anybody computes the public key of
/// its owner. It is not signed: that it is not made up shows the handshake.
#[derive(uniffi::Object)]
#[uniffi::export(Debug)]
pub struct Credential {
    bytes: Vec<u8>,
    setting: &'static Setting,
}

/// What a credential says.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct CredentialClaims {
    /// The device's name.
    pub device: String,
    /// The operator's number for it.
    pub serial: u32,
    /// When it was issued.
    pub issued_at: u32,
    /// How long it is valid, in hours.
    pub life: u16,
    /// From when on it is no longer valid.
    pub expires: u64,
    /// The paper's r: what the public key is computed from. As long as the curve says.
    pub r: Vec<u8>,
}

impl Credential {
    /// One that was read before.
    pub(crate) const fn known(bytes: Vec<u8>, setting: &'static Setting) -> Self {
        Self { bytes, setting }
    }

    pub(crate) fn written(credential: &core::Credential<'_>, setting: &'static Setting) -> Self {
        let mut bytes = vec![0; credential.len()];
        credential.write(&mut Writer::new(&mut bytes));
        Self { bytes, setting }
    }

    /// What stands for it.
    pub(crate) fn named(&self) -> Reference {
        reference(&self.bytes)
    }

    pub(crate) fn inner(&self) -> Result<core::Credential<'_>, IotkmError> {
        Ok(core::Credential::read(&self.bytes, self.setting)?)
    }
}

#[uniffi::export]
impl Credential {
    /// Reads a credential of an operator with this suite.
    ///
    /// # Errors
    /// `Refused`; `BadArgument` for a symmetric suite.
    #[uniffi::constructor]
    pub fn new(suite: Suite, bytes: Vec<u8>) -> Result<Self, IotkmError> {
        let credential = Self { bytes, setting: setting_of(suite)? };
        credential.inner()?;
        Ok(credential)
    }

    /// Throws where it is over or has not begun. `wall`: now, or none without a clock; `floor`: the newest time of issue of
    /// anything that the operator is known to have issued.
    ///
    /// # Errors
    /// `Refused`.
    #[uniffi::method(default(floor = 0))]
    pub fn check(&self, wall: Option<u64>, floor: u64) -> Result<(), IotkmError> {
        Ok(self.inner()?.valid_at(milliseconds(wall), floor)?)
    }

    /// What it says.
    ///
    /// # Errors
    /// None that a credential has.
    pub fn claims(&self) -> Result<CredentialClaims, IotkmError> {
        let read = self.inner()?;
        Ok(CredentialClaims {
            device: read.subject.to_owned(),
            serial: read.serial,
            issued_at: read.issued_at,
            life: read.life,
            expires: read.expires(),
            r: read.r.to_vec(),
        })
    }

    /// The 8 bytes that stand for it.
    pub fn reference(&self) -> Vec<u8> {
        self.named().0.to_vec()
    }

    /// The whole credential.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inner() {
            Ok(read) => write!(f, "Credential({}, {}, until {})", read.serial, read.subject, read.expires()),
            Err(_) => f.write_str("Credential(?)"),
        }
    }
}

/// Who issues the credentials that a device goes by: what everybody may know of it.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct CredentialOperator {
    /// Its name, 1 to 32 bytes of UTF-8.
    pub name: String,
    /// The suite of its credentials, and with it the group; not a symmetric one.
    pub suite: Suite,
    /// y_Z, as `OperatorKey.publicKey` gives it.
    pub key: Vec<u8>,
    /// How its revocation lists are signed.
    pub lists_algorithm: Algorithm,
    /// The public key that they are signed with: another one than y_Z.
    pub lists_key: Vec<u8>,
}

impl CredentialOperator {
    pub(crate) fn core(&self) -> Result<core::Operator<'static>, IotkmError> {
        let setting = setting_of(self.suite)?;
        let mut element = vec![0; setting.group.element_len()];
        if self.key.len() != setting.group.share_len()
            || setting.group.element_of_share(&self.key, &mut element).is_err()
        {
            return Err(IotkmError::BadArgument);
        }
        CoreAgent::new(&self.name)?;
        let lists =
            Agent { name: self.name.clone(), algorithm: self.lists_algorithm, key: self.lists_key.clone() }.key()?;
        Ok(core::Operator { name: lasting(self.name.clone()), setting, key: lasting_bytes(&self.key), lists })
    }
}

/// The public key that belongs to a credential, as `StaticKey.publicKey` has it: y_Z^h r.
///
/// # Errors
/// `Refused` where its r is no element of the group; `BadArgument` for an operator whose keys are none.
#[uniffi::export]
pub fn credential_key(operator: CredentialOperator, credential: Arc<Credential>) -> Result<Vec<u8>, IotkmError> {
    let operator = operator.core()?;
    let mut element = vec![0; operator.setting.group.element_len()];
    operator.public_key(&credential.inner()?, &mut element)?;
    Ok(operator.setting.kem.share(&element).to_vec())
}

/// A private key x_Z of whatever group.
enum Key {
    Short(issue::OperatorKey<32>),
    Ffc2048(issue::OperatorKey<256>),
    Ffc3072(issue::OperatorKey<384>),
}

/// What all of them have.
macro_rules! each {
    ($key:expr, $its:ident => $what:expr) => {
        match $key {
            Key::Short($its) => $what,
            Key::Ffc2048($its) => $what,
            Key::Ffc3072($its) => $what,
        }
    };
}

/// The operator's private key x_Z, for credentials of one group. It is never shown. Numbers come from a `TicketAgent`.
///
/// ```text
/// let key = OperatorKey.generate(device, Suite0); store key.seal(device)
/// let acme = CredentialOperator("acme", Suite0, key.publicKey(), lists.algorithm(), lists.publicKey())
/// // A request came over the association with the lamp, or on the bench:
/// if requestedDevice(Suite0, request) == "lamp-7"
///     answer = key.issue(device, agent, request, now, life: 720)       // hours; for Holder.accept or Holder.handle
/// ```
#[derive(uniffi::Object)]
#[uniffi::export(Debug)]
pub struct OperatorKey {
    suite: Suite,
    setting: &'static Setting,
    key: Key,
}

/// A credential and its private key.
#[derive(Clone, uniffi::Record)]
pub struct Issued {
    /// The credential, to be installed once the key is stored.
    pub credential: Arc<Credential>,
    /// The private key, for the vault.
    pub key: Arc<StaticKey>,
}

impl OperatorKey {
    /// The key that `make` makes on the suite's curve.
    fn of(suite: Suite, make: impl FnOnce(Curve) -> Result<StaticKey, IotkmError>) -> Result<Self, IotkmError> {
        let setting = setting_of(suite)?;
        let x = scalar_of(&make(curve(setting)?)?)?;
        let key = match setting.group.share_len() {
            256 => issue::OperatorKey::new(setting, x).map(Key::Ffc2048),
            384 => issue::OperatorKey::new(setting, x).map(Key::Ffc3072),
            _ => issue::OperatorKey::new(setting, x).map(Key::Short),
        };
        Ok(Self { suite, setting, key: key.map_err(|_| IotkmError::BadArgument)? })
    }

    fn stored(&self) -> Result<StaticKey, IotkmError> {
        StaticKey::of(curve(self.setting)?, each!(&self.key, key => key.scalar()))
    }

    /// Issues with this device's randomness and a number of this agent's.
    fn issued<R>(
        &self,
        device: &Device,
        agent: &TicketAgent,
        issue: impl FnOnce(&mut CoreAgent, &mut dyn Rng) -> Result<R, IssueError>,
    ) -> Result<R, IotkmError> {
        agent.with(|agent| drawn(device, |rng| issue(agent, rng)))
    }
}

/// Issues, or asks, with this device's randomness: all that can fail about a key then.
fn drawn<R>(device: &Device, f: impl FnOnce(&mut dyn Rng) -> Result<R, IssueError>) -> Result<R, IotkmError> {
    let cx = Cx::none();
    device.with(&cx, |cx| {
        f(cx.rng).map_err(|error| match error {
            IssueError::Key(_) => IotkmError::Rng { reason: String::new() },
            error => error.into(),
        })
    })
}

#[uniffi::export]
impl OperatorKey {
    /// The key with this secret of 32 bytes: little-endian for suites 0, 1 and 4, big-endian for the others.
    ///
    /// # Errors
    /// `BadArgument` for a secret that is none, or a symmetric suite.
    #[uniffi::constructor]
    pub fn new(suite: Suite, secret: Arc<SecretBytes>) -> Result<Self, IotkmError> {
        Self::of(suite, |curve| StaticKey::new(curve, secret))
    }

    /// A new key; save it (`seal`).
    ///
    /// # Errors
    /// `Rng`, `Vault`; `BadArgument` for a symmetric suite.
    #[uniffi::constructor]
    pub fn generate(device: &Device, suite: Suite) -> Result<Self, IotkmError> {
        Self::of(suite, |curve| StaticKey::generate(device, curve))
    }

    /// A key that `seal` sealed on this device.
    ///
    /// # Errors
    /// `BadBlob`, also for a key of another group; `Vault`.
    #[uniffi::constructor]
    pub fn restore(device: &Device, suite: Suite, blob: Vec<u8>) -> Result<Self, IotkmError> {
        Self::of(suite, |curve| StaticKey::restore(device, curve, blob))
    }

    /// Seals the key under the device's secret, to be stored.
    ///
    /// # Errors
    /// `Vault`.
    pub fn seal(&self, device: &Device) -> Result<Vec<u8>, IotkmError> {
        self.stored()?.seal(device)
    }

    /// The suite of its credentials.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// y_Z: what devices have of it.
    pub fn public_key(&self) -> Vec<u8> {
        each!(&self.key, key => key.share().to_vec())
    }

    /// Answers a device's request (`CredentialRequest.request`): the ANSWER for `Holder.accept`. Neither is secret on the
    /// way, and the device's private key is never the operator's. That the request is that device's, the caller answers for.
    /// `now`: seconds since 1970; `life`: hours.
    ///
    /// # Errors
    /// `WrongState` where no number is reserved in storage: `TicketAgent.save` first. `Refused` for what is no request of
    /// this suite's; `Rng`, `Vault`. No number is used up then.
    pub fn issue(
        &self,
        device: &Device,
        agent: &TicketAgent,
        request: Vec<u8>,
        now: u32,
        life: u16,
    ) -> Result<Vec<u8>, IotkmError> {
        let mut out = vec![0; ANSWER];
        let len = self.issued(
            device,
            agent,
            |agent, rng| each!(&self.key, key => key.issue(agent, rng, now, life, &request, &mut out)),
        )?;
        out.truncate(len);
        Ok(out)
    }

    /// Issues as the paper prints it: a credential and its private key, both made here. So the operator can be the device,
    /// and whoever reads them on their way too: for devices that cannot draw randomness, on a bench where nobody listens.
    ///
    /// # Errors
    /// As `issue`.
    pub fn issue_printed_knowing_the_private_key(
        &self,
        device: &Device,
        agent: &TicketAgent,
        name: String,
        now: u32,
        life: u16,
    ) -> Result<Issued, IotkmError> {
        let mut out = vec![0; ANSWER];
        let (len, x) = self.issued(
            device,
            agent,
            |agent, rng| each!(&self.key, key => key.issue_printed(agent, rng, now, life, &name, &mut out)),
        )?;
        out.truncate(len);
        let key = Arc::new(StaticKey::of(curve(self.setting)?, &x)?);
        Ok(Issued { credential: Arc::new(Credential::known(out, self.setting)), key })
    }
}

impl fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperatorKey({:?}, ..)", self.setting.kem)
    }
}

/// A device's request for a credential, by split issue: what it sends, and what it keeps until the answer is there.
#[derive(uniffi::Object)]
#[uniffi::export(Debug)]
pub struct CredentialRequest {
    pub(crate) setting: &'static Setting,
    name: String,
    request: Vec<u8>,
    /// k1.
    pub(crate) key: StaticKey,
}

#[uniffi::export]
impl CredentialRequest {
    /// A new request of the device of this name, for an operator with this suite.
    ///
    /// # Errors
    /// `Refused` for a name that no credential can have; `Rng`, `Vault`; `BadArgument` for a symmetric suite.
    #[uniffi::constructor]
    pub fn new(device: &Device, suite: Suite, name: String) -> Result<Self, IotkmError> {
        let setting = setting_of(suite)?;
        let mut request = vec![0; REQUEST];
        let (len, k1) = drawn(device, |rng| issue::request(setting, &name, rng, &mut request))?;
        request.truncate(len);
        Ok(Self { setting, name, request, key: StaticKey::of(curve(setting)?, &k1)? })
    }

    /// A request whose k1 `seal` sealed on this device.
    ///
    /// # Errors
    /// `BadBlob`, also for one of another group; `Vault`.
    #[uniffi::constructor]
    pub fn restore(device: &Device, suite: Suite, name: String, blob: Vec<u8>) -> Result<Self, IotkmError> {
        let setting = setting_of(suite)?;
        let key = StaticKey::restore(device, curve(setting)?, blob)?;
        let len = u8::try_from(name.len()).map_err(|_| IotkmError::BadArgument)?;
        let request = [vec![len], name.clone().into_bytes(), key.public_key()?].concat();
        Ok(Self { setting, name, request, key })
    }

    /// Seals k1, to be stored until the answer is there.
    ///
    /// # Errors
    /// `Vault`.
    pub fn seal(&self, device: &Device) -> Result<Vec<u8>, IotkmError> {
        self.key.seal(device)
    }

    /// The device's name.
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// What goes to the operator.
    pub fn request(&self) -> Vec<u8> {
        self.request.clone()
    }
}

impl fmt::Debug for CredentialRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CredentialRequest({}, ..)", self.name)
    }
}

/// The name in a device's request for a credential of this suite: whose it says to be, before `OperatorKey.issue`.
///
/// # Errors
/// `Refused` for what is no request of this suite's; `BadArgument` for a symmetric suite.
#[uniffi::export]
pub fn requested_device(suite: Suite, request: Vec<u8>) -> Result<String, IotkmError> {
    let setting = setting_of(suite)?;
    let (name, share) = issue::read_request(&request, setting)?;
    Subject::new(name).ok_or(Refused::Claims)?;
    let mut element = vec![0; setting.group.element_len()];
    setting.group.element_of_share(share, &mut element).map_err(|_| Refused::Claims)?;
    Ok(name.to_owned())
}
