//! What a device with a credential holds.

use crate::credentials::{Credential, CredentialOperator, CredentialRequest, Issued, SHARE, curve};
use crate::error::IotkmError;
use crate::lock::Shared;
use crate::peer::{Sealed, stored};
use crate::static_key::StaticKey;
use crate::surroundings::{BlobStore, Cx, Device};
use crate::ticket_message::written;
use crate::tickets::RevocationList;
use crate::wallet::{Lent, lasting, milliseconds};
use iotkm::cose::revocation::{LIST_MAX, LIST_OVERHEAD};
use iotkm::cose::{Message, Refused};
use iotkm::noninteractive::holder::holder_len;
use iotkm::noninteractive::renewal;
use iotkm::noninteractive::{self as core, issue};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The longest REQUEST in bytes.
pub(crate) const REQUEST: usize = 1 + 32 + SHARE;

/// The core's, with room for whatever there is.
pub(crate) type Core = core::Holder<'static, { holder_len(SHARE) }, { LIST_MAX * 4 + LIST_OVERHEAD }>;

/// What a device holds: its own credential, its operator's newest revocation list, the floor time. Times are seconds since
/// 1970; `wall` is none without a clock.
///
/// The next credential comes over the association with the operator:
///
/// ```text
/// if now >= holder.dueAt(7 days) { holder.ask(device); holder.save(device, store, 2) }
/// if let message = holder.request() { operator.send(cx, message) }         // again and again, until
/// switch holder.handle(payload, now) {
/// case Next(issued): store issued.key (StaticKey.seal), put it under nextKey of the vault;
///                    holder.install(issued.credential, now); fall through
/// case Acknowledge:  holder.save(device, store, 2); operator.send(cx, holder.acknowledgement())
/// case Ask:          as above: it is due
/// case Nothing:      it was none for a holder }
/// ```
///
/// Whatever changes it is stored before it counts: while `needsStore`, `save`. A new credential has a new private key: store
/// that first, under another number of the vault's; associations that there are go on under the old one until they end.
/// Every method may throw `Busy`.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Holder {
    name: &'static str,
    pub(crate) operator: core::Operator<'static>,
    core: Arc<Shared<Core>>,
}

/// What a message from the operator asks of the device.
#[derive(Clone, uniffi::Enum)]
pub enum Told {
    /// Nothing: it is another one's.
    Nothing,
    /// To `ask`.
    Ask,
    /// To send `acknowledgement`, once nothing `needsStore`.
    Acknowledge,
    /// To store the private key, beside the one in use; then to `install` the credential, to `save`, and to acknowledge. Nothing
    /// has changed yet.
    Next {
        /// The credential and its private key.
        issued: Issued,
    },
}

impl Holder {
    /// For an association.
    pub(crate) fn lent(&self) -> Lent<Core> {
        Lent::new(&self.core)
    }
}

#[uniffi::export]
impl Holder {
    /// Without a credential yet: of the device of this name, which goes by this operator.
    ///
    /// # Errors
    /// `BadArgument` for names that no credential can have, or keys that are none.
    #[uniffi::constructor]
    pub fn new(name: String, operator: CredentialOperator) -> Result<Self, IotkmError> {
        let (name, operator) = (lasting(name), operator.core()?);
        Ok(Self { name, operator, core: Arc::new(Shared::new(Core::new(operator, name)?)) })
    }

    /// Takes in what `store` has in this slot, where nothing is here yet.
    ///
    /// # Errors
    /// `NotFound`, `Store`, `Vault`; as `restore`.
    pub fn load(&self, device: &Device, store: Arc<dyn BlobStore>, slot: u16) -> Result<(), IotkmError> {
        let stored = stored(&*store, slot)?;
        self.restore(device, stored.bytes, stored.floor)
    }

    /// Takes in what `seal` sealed, where nothing is here yet; `floor` is the slot's monotonic counter, 0 without one.
    ///
    /// # Errors
    /// `BadBlob`, also of another device or operator; `BlobRolledBack`; `WrongState` where something is here already;
    /// `Vault`.
    pub fn restore(&self, device: &Device, blob: Vec<u8>, floor: u32) -> Result<(), IotkmError> {
        let device = device.known()?.device;
        let mut work = Zeroizing::new(vec![0; blob.len()]);
        self.core.with(|core| {
            if core.credential().is_some() || core.floor() != 0 || core.list_number() != 0 {
                return Err(IotkmError::WrongState);
            }
            *core = Core::restore(self.operator, self.name, &device, floor, &blob, &mut work)?;
            Ok(())
        })
    }

    /// Seals the holder and writes it to its slot.
    ///
    /// # Errors
    /// `Vault`, `Store`.
    pub fn save(&self, device: &Device, store: Arc<dyn BlobStore>, slot: u16) -> Result<(), IotkmError> {
        let sealed = self.seal(device)?;
        store.write(slot, sealed.version, sealed.bytes).map_err(|e| IotkmError::Store { reason: e.reason() })?;
        self.persisted()
    }

    /// Seals the holder, for an application that stores by itself; then call `persisted`.
    ///
    /// # Errors
    /// `Vault`.
    pub fn seal(&self, device: &Device) -> Result<Sealed, IotkmError> {
        let device = device.known()?.device;
        self.core.with(|core| {
            let mut bytes = vec![0; Core::BLOB_MAX];
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

    /// Whether there is something to store: a credential, a list, or a floor that rose by an hour or more.
    ///
    /// # Errors
    /// `Busy`.
    pub fn needs_store(&self) -> Result<bool, IotkmError> {
        self.core.with(|core| Ok(core.needs_store()))
    }

    /// Takes the operator's answer to a request of this device's: the credential, and its private key. Nothing has changed
    /// afterwards: store the key (`StaticKey.seal`), then `install` the credential.
    ///
    /// # Errors
    /// `Refused`; its reason is "signature" where it is not this operator's answer to this request. `BadArgument` for a
    /// request of another group.
    pub fn accept(&self, asked: &CredentialRequest, answer: Vec<u8>, wall: Option<u64>) -> Result<Issued, IotkmError> {
        let setting = self.operator.setting;
        if asked.setting.kem.label() != setting.kem.label() {
            return Err(IotkmError::BadArgument);
        }
        let floor = self.floor()?;
        let (credential, x) = asked.key.scalar(|k1| {
            let taken = issue::accept(&self.operator, self.name, k1, &answer, milliseconds(wall), floor)?;
            Ok((Credential::written(&taken.0, setting), taken.1))
        })?;
        let key = Arc::new(StaticKey::of(curve(setting)?, &x)?);
        Ok(Issued { credential: Arc::new(credential), key })
    }

    /// Checks a credential and its private key, as they came by printed issue or out of storage: the name is this device's,
    /// it is valid, and the paper's g^x = y. Nothing has changed afterwards.
    ///
    /// # Errors
    /// `Refused`.
    pub fn check(&self, credential: &Credential, key: &StaticKey, wall: Option<u64>) -> Result<(), IotkmError> {
        if curve(self.operator.setting)? != key.curve() {
            return Err(Refused::Key.into());
        }
        let floor = self.floor()?;
        let read = credential.inner()?;
        key.scalar(|x| Ok(issue::check(&self.operator, self.name, &read, x, milliseconds(wall), floor)?))
    }

    /// Takes this device's credential in, in place of the one before. That the device has its private key, `accept` or
    /// `check` has shown.
    ///
    /// # Errors
    /// `Refused`; its reason is "older" for one that ends before the one here.
    pub fn install(&self, credential: &Credential, wall: Option<u64>) -> Result<(), IotkmError> {
        let read = credential.inner()?;
        self.core.with(|core| Ok(core.install(&read, milliseconds(wall))?))
    }

    /// From when on to ask for the next credential: `lead` seconds before this one ends, but not in the first half of its life,
    /// when the one before it may still be in use. 0: there is none.
    ///
    /// # Errors
    /// `Busy`.
    pub fn due_at(&self, lead: u64) -> Result<u64, IotkmError> {
        self.core.with(|core| Ok(core.due_at(lead)))
    }

    /// Begins to ask for the next credential, unless an answer is awaited already: `save`, then send `request`.
    ///
    /// # Errors
    /// `Rng`, `Vault`.
    pub fn ask(&self, device: &Device) -> Result<(), IotkmError> {
        let cx = Cx::none();
        self.core.with(|core| device.with(&cx, |cx| Ok(core.ask(cx.rng)?)))
    }

    /// Whether an answer is awaited.
    ///
    /// # Errors
    /// `Busy`.
    pub fn is_asking(&self) -> Result<bool, IotkmError> {
        self.core.with(|core| Ok(core.is_asking()))
    }

    /// The message with this device's request for its operator, the same each time; none while it is not stored, or where nothing
    /// is asked.
    ///
    /// # Errors
    /// `Busy`.
    pub fn request(&self) -> Result<Option<Vec<u8>>, IotkmError> {
        self.core.with(|core| {
            let mut out = vec![0; REQUEST];
            let Ok(len) = core.request(&mut out) else { return Ok(None) };
            out.truncate(len);
            written(&Message::CredentialRequest(&out)).map(Some)
        })
    }

    /// A message from the operator: a revocation list is taken in; of all else it says what is to be done. What came before is
    /// to be acknowledged again.
    ///
    /// # Errors
    /// `Refused`, `Full`: answer a `Refusal` with its `code`. The reason "signature" also for an answer to no request that is
    /// out.
    pub fn handle(&self, message: Vec<u8>, wall: Option<u64>) -> Result<Told, IotkmError> {
        let message = Message::read(&message)?;
        let told = self.core.with(|core| Ok(core.handle(&message, milliseconds(wall))?))?;
        let setting = self.operator.setting;
        Ok(match told {
            renewal::Told::Nothing => Told::Nothing,
            renewal::Told::Ask => Told::Ask,
            renewal::Told::Acknowledge => Told::Acknowledge,
            renewal::Told::Next(credential, x) => {
                let key = Arc::new(StaticKey::of(curve(setting)?, &x)?);
                Told::Next { issued: Issued { credential: Arc::new(Credential::written(&credential, setting)), key } }
            }
        })
    }

    /// What to tell the operator; none while something is not stored, or without a credential.
    ///
    /// # Errors
    /// `Busy`.
    pub fn acknowledgement(&self) -> Result<Option<Vec<u8>>, IotkmError> {
        self.core.with(|core| core.acknowledgement().map(|message| written(&message)).transpose())
    }

    /// Takes a revocation list in. Whether it is new.
    ///
    /// # Errors
    /// `Refused`; its reason is "older" where a newer one is here.
    pub fn revoke(&self, list: &RevocationList) -> Result<bool, IotkmError> {
        self.core.with(|core| Ok(core.revoke(&list.0)?))
    }

    /// Its own credential, valid or not.
    ///
    /// # Errors
    /// `Busy`.
    pub fn credential(&self) -> Result<Option<Arc<Credential>>, IotkmError> {
        let setting = self.operator.setting;
        self.core.with(|core| Ok(core.credential().map(|own| Arc::new(Credential::written(&own, setting)))))
    }

    /// The newest time of issue of anything that the operator is known to have issued: it is at least that late.
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

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Holder({})", self.name)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
