//! Bootstrapping (section 3.A): the operator issues self-certified keys. It knows every private key.

use super::keys::{self, Long};
use crate::association::Error;
use crate::crypto::group::{GroupError, PublishedGroup, Scalar};
use crate::crypto::{Rng, Secret};
use crate::engine::drops::Dropped;
use crate::interactive::Subject;
use crate::interactive::published::phase1::{Guarantee, bad};
use core::fmt;

/// The operator OP and its key pair.
pub struct PublishedOperator {
    group: &'static dyn PublishedGroup,
    x_z: Scalar,
    y_z: Long,
}

impl fmt::Debug for PublishedOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublishedOperator(..)")
    }
}

fn failed(error: GroupError) -> Error {
    match error {
        GroupError::Rng(_) => Error::Rng,
        GroupError::BadElement => Error::BadArgument,
    }
}

impl PublishedOperator {
    /// A new operator.
    ///
    /// # Errors
    /// [`Error::Rng`].
    pub fn generate(group: &'static dyn PublishedGroup, rng: &mut dyn Rng) -> Result<Self, Error> {
        let (mut x_z, mut y_z) = (Secret::zero(), Long::zero());
        group.generate(rng, &mut x_z, y_z.as_mut()).map_err(failed)?;
        Ok(Self { group, x_z, y_z })
    }

    /// y_Z, which every node has.
    pub fn public_key(&self) -> &[u8] {
        keys::cut(self.group, &self.y_z)
    }

    /// x_Z.
    pub const fn private_key(&self) -> &Scalar {
        &self.x_z
    }

    /// Issues the private key for a device: draws k_A.
    ///
    /// # Errors
    /// [`Error::Rng`].
    pub fn issue(&self, rng: &mut dyn Rng, id: Subject) -> Result<PublishedCredential, Error> {
        let (mut k, mut r) = (Secret::zero(), Long::zero());
        self.group.generate(rng, &mut k, r.as_mut()).map_err(failed)?;
        let guarantee = keys::cut(self.group, &r);
        let x = keys::private_key(self.group, &self.x_z, &k, id.as_bytes(), guarantee).map_err(failed)?;
        let y = keys::public_key(self.group, self.public_key(), id.as_bytes(), guarantee).map_err(failed)?;
        Ok(PublishedCredential { group: self.group, y_z: self.y_z.clone(), id, r, x, y })
    }
}

/// What a device has from the operator: y_Z, its guarantee r_A and its private key `x_A,0`.
#[derive(Clone)]
pub struct PublishedCredential {
    pub(super) group: &'static dyn PublishedGroup,
    y_z: Long,
    id: Subject,
    r: Long,
    x: Scalar,
    y: Long,
}

impl fmt::Debug for PublishedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublishedCredential({:?}, ..)", self.id)
    }
}

impl PublishedCredential {
    /// ID_A.
    pub const fn id(&self) -> &Subject {
        &self.id
    }

    /// r_A.
    pub fn guarantee(&self) -> &[u8] {
        keys::cut(self.group, &self.r)
    }

    /// `x_A,0`.
    pub const fn private_key(&self) -> &Scalar {
        &self.x
    }

    /// `y_A,0`, which the ticket names.
    pub fn public_key(&self) -> &[u8] {
        keys::cut(self.group, &self.y)
    }
}

impl Guarantee for PublishedCredential {
    fn own(&self) -> &[u8] {
        self.guarantee()
    }

    /// "The public key of A can be computed by any node that has y_Z, ID_A and r_A."
    fn check(&self, name: &Subject, key: &[u8], guarantee: &[u8]) -> Result<(), Dropped> {
        let y_z = keys::cut(self.group, &self.y_z);
        let y = keys::public_key(self.group, y_z, name.as_bytes(), guarantee).map_err(bad)?;
        if keys::cut(self.group, &y) == key { Ok(()) } else { Err(Dropped::Forged) }
    }
}
