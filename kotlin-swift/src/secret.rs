//! Secret bytes behind a handle.

use crate::error::IotkmError;
use crate::lock::Shared;
use iotkm::crypto::Secret;
use precis_profiles::OpaqueString;
use precis_profiles::precis_core::profile::Profile;
use std::fmt;
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// 1 to 8160 secret bytes. They are shown by nothing but `expose`, and wiped with the handle. Copies that the language
/// makes of what it hands in or gets out are its own to wipe.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct SecretBytes(Shared<Zeroizing<Vec<u8>>>);

#[uniffi::export]
impl SecretBytes {
    /// A secret with these bytes.
    #[uniffi::constructor]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self::of(Zeroizing::new(bytes))
    }

    /// The secret that a user typed, prepared as RFC 8265 says (OpaqueString): what looks the same on two keyboards
    /// becomes the same bytes.
    ///
    /// # Errors
    /// `BadArgument` for an empty text, or characters that RFC 8265 does not allow (control characters, say).
    #[uniffi::constructor]
    pub fn opaque_string(text: String) -> Result<Self, IotkmError> {
        let text = Zeroizing::new(text);
        let prepared = OpaqueString::new().enforce(text.as_str()).map_err(|_| IotkmError::BadArgument)?;
        Ok(Self::of(Zeroizing::new(prepared.into_owned().into_bytes())))
    }

    /// The bytes themselves, to be used by another protocol and then overwritten. Empty once wiped.
    ///
    /// # Errors
    /// `Busy`.
    pub fn expose(&self) -> Result<Vec<u8>, IotkmError> {
        self.0.with(|bytes| Ok(bytes.to_vec()))
    }

    /// Wipes the bytes now.
    ///
    /// # Errors
    /// `Busy`.
    pub fn wipe(&self) -> Result<(), IotkmError> {
        self.0.with(|bytes| {
            bytes.zeroize();
            Ok(())
        })
    }

    /// Whether both are the same, in time that depends on their lengths only.
    ///
    /// # Errors
    /// `Busy`.
    pub fn is_same_as(&self, other: Arc<Self>) -> Result<bool, IotkmError> {
        let other = other.copy()?;
        self.0.with(|bytes| Ok(iotkm::crypto::secret::ct_eq(bytes, &other)))
    }
}

impl SecretBytes {
    pub(crate) fn of(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(Shared::new(bytes))
    }

    /// A copy that wipes itself.
    pub(crate) fn copy(&self) -> Result<Zeroizing<Vec<u8>>, IotkmError> {
        self.0.with(|bytes| Ok(bytes.clone()))
    }

    /// As a key of 32 bytes.
    pub(crate) fn key(&self) -> Result<Secret<32>, IotkmError> {
        self.0.with(|bytes| {
            let mut key = Secret::zero();
            if bytes.len() != key.expose().len() {
                return Err(IotkmError::BadArgument);
            }
            key.as_mut().copy_from_slice(bytes);
            Ok(key)
        })
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(..)")
    }
}

impl fmt::Display for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
