//! Those who see to tickets: the agent that numbers them, the operator that has them renewed. Times are seconds since 1970.

use crate::credentials::Credential;
use crate::error::IotkmError;
use crate::lock::Shared;
use crate::peer::{Sealed, stored};
use crate::signing::SigningKey;
use crate::surroundings::{BlobStore, Device};
use crate::ticket_message::TicketRequest;
use crate::tickets::{RevocationList, Ticket};
use iotkm::cose::operator::{Entry, Next};
use iotkm::cose::ticket::TICKET_MAX_FFC;
use iotkm::cose::{Message, Operator as CoreOperator, TicketAgent as CoreAgent};
use std::fmt;
use std::sync::Arc;

/// What numbers an agent's tickets, an operator's credentials, and their lists: no number is given twice, wherever the power
/// is cut. Before anything is issued it has to be stored (`save`), which reserves 256 numbers. Which tickets it issued is its
/// caller's record. Every method may throw `Busy`.
///
/// ```text
/// let agent = TicketAgent("acme")                        // or TicketAgent.restore(device, store, 1)
/// agent.save(device, store, 1)                           // at the start, and whenever issue throws WrongState
/// let ticket = agent.issue(key, TicketRequest("lamp-7", X25519, itsPublicKey, lifetime: 86400), now)
/// let list = agent.revoke(key, [ticket.claims().serial], now)
/// ```
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct TicketAgent(Shared<CoreAgent>);

#[uniffi::export]
impl TicketAgent {
    /// One that has numbered nothing. It begins with 1.
    ///
    /// # Errors
    /// `BadArgument` for a name that no ticket can have.
    #[uniffi::constructor]
    pub fn new(name: String) -> Result<Self, IotkmError> {
        Ok(Self(Shared::new(CoreAgent::new(&name)?)))
    }

    /// For a caller who keeps the numbers (in a database) and has given this one to nobody: one ticket or credential can be
    /// issued under it, and no other.
    ///
    /// # Errors
    /// `BadArgument` for a name that no ticket can have, or the last number there is.
    #[uniffi::constructor]
    pub fn with_number(name: String, serial: u32) -> Result<Self, IotkmError> {
        Ok(Self(Shared::new(CoreAgent::with_number(&name, serial)?)))
    }

    /// The one that `store` has in this slot: it goes on behind the numbers that were reserved.
    ///
    /// # Errors
    /// `NotFound`, `Store`, `Vault`, `BadBlob`, `BlobRolledBack`.
    #[uniffi::constructor]
    pub fn restore(device: &Device, store: Arc<dyn BlobStore>, slot: u16) -> Result<Self, IotkmError> {
        let stored = stored(&*store, slot)?;
        Self::from_blob(device, stored.floor, stored.bytes)
    }

    /// The one in this blob. `floor` is the value of the slot's monotonic counter, 0 where there is none.
    ///
    /// # Errors
    /// `Vault`, `BadBlob`, `BlobRolledBack`.
    #[uniffi::constructor]
    pub fn from_blob(device: &Device, floor: u32, blob: Vec<u8>) -> Result<Self, IotkmError> {
        Ok(Self(Shared::new(CoreAgent::restore(&device.known()?.device, floor, &blob)?)))
    }

    /// Reserves numbers, seals, and writes to its slot.
    ///
    /// # Errors
    /// `Vault`, `Store`.
    pub fn save(&self, device: &Device, store: Arc<dyn BlobStore>, slot: u16) -> Result<(), IotkmError> {
        let sealed = self.seal(device)?;
        store.write(slot, sealed.version, sealed.bytes).map_err(|e| IotkmError::Store { reason: e.reason() })?;
        self.persisted()
    }

    /// Reserves numbers and seals, for an application that stores by itself; then call `persisted`.
    ///
    /// # Errors
    /// `Vault`.
    pub fn seal(&self, device: &Device) -> Result<Sealed, IotkmError> {
        let device = device.known()?.device;
        self.0.with(|agent| {
            let mut bytes = vec![0; CoreAgent::BLOB_MAX];
            let (len, version) = agent.seal(&device, &mut bytes)?;
            bytes.truncate(len);
            Ok(Sealed { version, bytes })
        })
    }

    /// What `seal` gave last is stored.
    ///
    /// # Errors
    /// `Busy`.
    pub fn persisted(&self) -> Result<(), IotkmError> {
        self.0.with(|agent| {
            agent.persisted();
            Ok(())
        })
    }

    /// Issues what was asked for, from `now` on.
    ///
    /// # Errors
    /// `WrongState` where no number is reserved in storage: `save`, then again. `Refused` where nobody would accept it;
    /// `BadArgument` for a key of ristretto255; `Vault` where the key did not sign. No number is used up then.
    pub fn issue(&self, signer: &SigningKey, request: TicketRequest, now: u64) -> Result<Arc<Ticket>, IotkmError> {
        let request = request.core()?;
        let mut out = vec![0; TICKET_MAX_FFC];
        let len = self.0.with(|agent| signer.with(|key| agent.issue(key, now, &request, &mut out)))?;
        out.truncate(len);
        Ok(Arc::new(Ticket(out)))
    }

    /// Issues the next revocation list. Serials rise, 16384 at most; those of tickets that are over need not be there.
    ///
    /// # Errors
    /// As `issue`.
    pub fn revoke(&self, signer: &SigningKey, serials: Vec<u32>, now: u64) -> Result<Arc<RevocationList>, IotkmError> {
        let mut out = RevocationList::room(&serials);
        let len = self.0.with(|agent| signer.with(|key| agent.revoke(key, now, &serials, &mut out)))?;
        out.truncate(len);
        Ok(Arc::new(RevocationList(out)))
    }

    /// Its name.
    ///
    /// # Errors
    /// `Busy`.
    pub fn name(&self) -> Result<String, IotkmError> {
        self.0.with(|agent| Ok(agent.name().to_owned()))
    }
}

impl TicketAgent {
    /// For who else issues with its numbers.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut CoreAgent) -> Result<R, IotkmError>) -> Result<R, IotkmError> {
        self.0.with(f)
    }
}

/// Devices that an operator knows at most.
const CAPACITY_MAX: u32 = 1 << 24;

/// An operator's view of its devices: when each one's ticket or credential ends, and how far the next one is. It holds none:
/// those that wait for their devices, its caller keeps. Every method may throw `Busy`.
///
/// Nothing of it need be stored: after a start say again which tickets there are (`knows`, `issued`). Of credentials the same, but
/// `ask` names a device to send `CredentialDue` to; what its request is answered with, `issuedCredential` makes wait for it.
///
/// ```text
/// let operator = Operator(capacity: 100, lead: 7 days, retry: 1 day)       // in seconds
/// operator.knows(ticket)                                                   // each that a device holds
/// while let device = operator.ask(now)                                     // again at wakeAt
///     send a Request for it to the agent
/// operator.issued(ticket)                                                  // the agent's answer, verified; keep it
/// if let reference = operator.waitingFor("lamp-7")                         // whenever a session with the lamp comes up
///     lamp.send(cx, writeTicketMessage(Ticket(the kept one)))
/// operator.handle("lamp-7", payload)                                       // what the lamp says: true once it has it
/// ```
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Operator(Shared<CoreOperator<Vec<Entry>>>);

/// A device in an `Operator`. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Renewal {
    /// Its name.
    pub device: String,
    /// When the ticket or the credential that it holds ends.
    pub expires: u64,
    /// When the agent (for a credential the device) was asked for the next one, where it has not answered.
    pub asked_at: Option<u64>,
    /// The reference of what waits for the device, 8 bytes.
    pub waiting: Option<Vec<u8>>,
}

impl From<&Entry> for Renewal {
    fn from(entry: &Entry) -> Self {
        let (asked_at, waiting) = match entry.next() {
            Next::None => (None, None),
            Next::Asked(at) => (Some(at), None),
            Next::Waiting { ticket, .. } => (None, Some(ticket.0.to_vec())),
        };
        Self { device: entry.name().to_owned(), expires: entry.expires(), asked_at, waiting }
    }
}

#[uniffi::export]
impl Operator {
    /// One that knows nobody yet. `capacity`: how many devices it can know, 1 to 2^24; `lead`: how many seconds before a
    /// ticket's end the next one is asked for; `retry`: after how many seconds without an answer it is asked for again.
    ///
    /// # Errors
    /// `BadArgument` for another capacity.
    #[uniffi::constructor]
    pub fn new(capacity: u32, lead: u64, retry: u64) -> Result<Self, IotkmError> {
        if capacity == 0 || capacity > CAPACITY_MAX {
            return Err(IotkmError::BadArgument);
        }
        Ok(Self(Shared::new(CoreOperator::new(vec![Entry::FREE; capacity as usize], lead, retry))))
    }

    /// A device and the ticket that it holds.
    ///
    /// # Errors
    /// `Full`.
    pub fn knows(&self, ticket: &Ticket) -> Result<(), IotkmError> {
        let ticket = ticket.inner()?;
        self.0.with(|operator| Ok(operator.knows(&ticket)?))
    }

    /// A device and the credential that it holds.
    ///
    /// # Errors
    /// `Full`.
    pub fn knows_credential(&self, credential: &Credential) -> Result<(), IotkmError> {
        let credential = credential.inner()?;
        self.0.with(|operator| Ok(operator.holds(credential.subject, credential.expires())?))
    }

    /// Drops a device.
    ///
    /// # Errors
    /// `Busy`.
    pub fn forget(&self, device: &str) -> Result<(), IotkmError> {
        self.0.with(|operator| {
            operator.forget(device);
            Ok(())
        })
    }

    /// The device whose next ticket is to be asked for now, the most urgent first: send a `Request` to the agent (for a
    /// credential, and to the device, `CredentialDue`), then ask here again. None: there is none.
    ///
    /// # Errors
    /// `Busy`.
    pub fn ask(&self, now: u64) -> Result<Option<String>, IotkmError> {
        self.0.with(|operator| Ok(operator.ask(now).map(str::to_owned)))
    }

    /// When `ask` will have something; none: never.
    ///
    /// # Errors
    /// `Busy`.
    pub fn wake_at(&self) -> Result<Option<u64>, IotkmError> {
        self.0.with(|operator| Ok(operator.wake_at()))
    }

    /// The agent's answer, verified, for one of the devices; the caller keeps it until it is acknowledged.
    ///
    /// # Errors
    /// `BadArgument` where there is no such device, or it has one that ends later.
    pub fn issued(&self, ticket: &Ticket) -> Result<(), IotkmError> {
        let ticket = ticket.inner()?;
        self.0.with(|operator| Ok(operator.issued(&ticket)?))
    }

    /// The credential that a device's request was answered with, in place of one that waited: the device has lost what it asked
    /// for that with. The caller keeps the answer, and gives the same one to the same request for ever.
    ///
    /// # Errors
    /// `BadArgument` where there is no such device.
    pub fn issued_credential(&self, credential: &Credential) -> Result<(), IotkmError> {
        let (reference, credential) = (credential.named(), credential.inner()?);
        self.0.with(|operator| Ok(operator.waits(credential.subject, reference, credential.expires())?))
    }

    /// The reference (8 bytes) of the ticket that waits for a device: send that as a message whenever an association with the
    /// device comes up, until it is acknowledged. None: nothing waits.
    ///
    /// # Errors
    /// `Busy`.
    pub fn waiting_for(&self, device: &str) -> Result<Option<Vec<u8>>, IotkmError> {
        self.0.with(|operator| Ok(operator.waiting_for(device).map(|reference| reference.0.to_vec())))
    }

    /// A message from the device of that name, over its association. Whether its next ticket is now acknowledged.
    ///
    /// # Errors
    /// `Refused` for what is no message. Nothing has changed then.
    pub fn handle(&self, device: &str, message: Vec<u8>) -> Result<bool, IotkmError> {
        let message = Message::read(&message)?;
        self.0.with(|operator| Ok(operator.handle(device, &message)))
    }

    /// All devices.
    ///
    /// # Errors
    /// `Busy`.
    pub fn devices(&self) -> Result<Vec<Renewal>, IotkmError> {
        self.0.with(|operator| {
            let known = operator.entries().iter().filter(|entry| **entry != Entry::FREE);
            Ok(known.map(Renewal::from).collect())
        })
    }
}

impl fmt::Debug for TicketAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TicketAgent({})", self.name().as_deref().unwrap_or("busy"))
    }
}

impl fmt::Display for TicketAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.devices() {
            Ok(devices) => write!(f, "Operator({} devices)", devices.len()),
            Err(_) => f.write_str("Operator(busy)"),
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
