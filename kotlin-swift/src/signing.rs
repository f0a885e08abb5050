//! Ticket agents' keys: what signs tickets and revocation lists, and what verifies them.

use crate::error::{CallbackError, IotkmError};
use crate::secret::SecretBytes;
use iotkm::cose::{Agent as CoreAgent, IssueError};
use iotkm::crypto::keys::KeyError;
use iotkm::crypto::sign::{EDDSA, ES256, Ed25519Key, Es256Key, PublicKey, SIGNATURE_LEN, Signer as CoreSigner};
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// How an agent signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Algorithm {
    /// Ed25519: keys of 32 bytes.
    EdDsa,
    /// ECDSA on P-256 with SHA-256: keys of 65 bytes, 04 | x | y.
    Es256,
}

impl Algorithm {
    fn key(self, bytes: &[u8]) -> Result<PublicKey, IotkmError> {
        let key = match self {
            Self::EdDsa => PublicKey::new(&EDDSA, bytes),
            Self::Es256 => PublicKey::new(&ES256, bytes),
        };
        key.map_err(|_| IotkmError::BadArgument)
    }
}

/// The agent whose tickets a device goes by.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Agent {
    /// Its name, 1 to 32 bytes of UTF-8.
    pub name: String,
    /// How it signs.
    pub algorithm: Algorithm,
    /// Its public key.
    pub key: Vec<u8>,
}

impl Agent {
    pub(crate) fn key(&self) -> Result<PublicKey, IotkmError> {
        self.algorithm.key(&self.key)
    }

    pub(crate) fn core(&self) -> Result<CoreAgent<'_>, IotkmError> {
        Ok(CoreAgent { name: &self.name, key: self.key()? })
    }
}

/// Signs with a key that lives elsewhere: Secure Enclave, Android Keystore (both have ES256), a service.
#[uniffi::export(with_foreign)]
pub trait Signer: Send + Sync {
    /// The message's signature, 64 bytes; of ES256 r | s, not DER. The message is not hashed yet.
    ///
    /// # Errors
    /// Whatever keeps it from signing, `Pending` where a slow token works still: nothing is issued then, and no number used
    /// up.
    fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, CallbackError>;
}

enum Place {
    Memory(Box<dyn CoreSigner + Send + Sync>),
    Elsewhere(Arc<dyn Signer>),
}

/// A ticket agent's signature key. It is never shown.
///
/// ```text
/// let key = SigningKey(EdDsa, secret)             // 32 random bytes, kept where only the agent comes
/// let acme = key.agent("acme")                    // what devices go by: Wallet(name, acme)
/// let ticket = agent.issue(key, request, now)     // a TicketAgent gives the number
/// ```
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct SigningKey {
    algorithm: Algorithm,
    public: PublicKey,
    place: Place,
}

impl SigningKey {
    /// Calls `f` with the key.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&dyn CoreSigner) -> Result<R, IssueError>) -> Result<R, IotkmError> {
        let signer = match &self.place {
            Place::Memory(signer) => return Ok(f(&**signer)?),
            Place::Elsewhere(signer) => signer,
        };
        let calling = Calling { signer: &**signer, public: &self.public, reason: RefCell::new(String::new()) };
        f(&calling).map_err(|error| match error {
            IssueError::Key(_) => IotkmError::Vault { reason: calling.reason.take() },
            error => error.into(),
        })
    }
}

#[uniffi::export]
impl SigningKey {
    /// The key with this secret of 32 bytes: an Ed25519 seed, or a P-256 scalar, big-endian.
    ///
    /// # Errors
    /// `BadArgument` for a secret that is none.
    #[uniffi::constructor]
    pub fn new(algorithm: Algorithm, secret: Arc<SecretBytes>) -> Result<Self, IotkmError> {
        let secret = secret.key()?;
        let signer: Box<dyn CoreSigner + Send + Sync> = match algorithm {
            Algorithm::EdDsa => Box::new(Ed25519Key::new(secret)),
            Algorithm::Es256 => Box::new(Es256Key::new(secret)),
        };
        let public = signer.public_key().map_err(|_| IotkmError::BadArgument)?;
        Ok(Self { algorithm, public, place: Place::Memory(signer) })
    }

    /// A key that lives elsewhere. `key`: its public key, 32 bytes for EdDSA, 04 | x | y for ES256; each signature is
    /// checked with it.
    ///
    /// # Errors
    /// `BadArgument` for a public key that is none.
    #[uniffi::constructor]
    pub fn external(algorithm: Algorithm, key: Vec<u8>, signer: Arc<dyn Signer>) -> Result<Self, IotkmError> {
        Ok(Self { algorithm, public: algorithm.key(&key)?, place: Place::Elsewhere(signer) })
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key that verifies: 32 bytes for EdDSA, 04 | x | y for ES256.
    pub fn public_key(&self) -> Vec<u8> {
        self.public.as_bytes().to_vec()
    }

    /// The agent of this name that signs with this key: what devices go by.
    pub fn agent(&self, name: String) -> Agent {
        Agent { name, algorithm: self.algorithm, key: self.public_key() }
    }

    /// Signs bytes: 64. Tickets and lists are signed by their own calls.
    ///
    /// # Errors
    /// `Vault` where a key elsewhere did not sign, or its signature does not verify.
    pub fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, IotkmError> {
        let mut signature = [0; SIGNATURE_LEN];
        self.with(|signer| signer.sign(&[&message], &mut signature).map_err(IssueError::Key))?;
        Ok(signature.to_vec())
    }
}

/// A key elsewhere, during one call: why it failed is kept.
struct Calling<'a> {
    signer: &'a dyn Signer,
    public: &'a PublicKey,
    reason: RefCell<String>,
}

impl CoreSigner for Calling<'_> {
    fn public_key(&self) -> Result<PublicKey, KeyError> {
        Ok(*self.public)
    }

    fn sign(&self, message: &[&[u8]], signature: &mut [u8; SIGNATURE_LEN]) -> Result<(), KeyError> {
        let made = self.signer.sign(message.concat()).map_err(|error| {
            let failure = if error == CallbackError::Pending { KeyError::Pending } else { KeyError::Failed };
            self.reason.replace(error.reason());
            failure
        })?;
        // A token that signs under another key, or wrongly, is seen here, and not by every device.
        let verified = made.try_into().ok().filter(|made| self.public.verify(message, made).is_ok());
        *signature = verified.ok_or_else(|| {
            self.reason.replace("the signature does not verify".to_owned());
            KeyError::Failed
        })?;
        Ok(())
    }
}

impl From<IssueError> for IotkmError {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Refused(reason) => reason.into(),
            IssueError::Unstored => Self::WrongState,
            IssueError::BufferTooSmall { .. } => Self::Full,
            _ => Self::Vault { reason: "the key did not sign".to_owned() },
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?}, ..)", self.algorithm)
    }
}

impl fmt::Display for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
