//! The paper's equations, one function each.

use super::wire::NUMBER_LEN;
use crate::crypto::group::{GroupError, PublishedGroup, Scalar, lend};
use crate::crypto::sha256::{HASH_LEN, Hmac};
use crate::crypto::{Rng, Secret, kdf};
use crate::engine::published::encrypt;

/// A random number of the paper's: N_0, N_1, N_2, R.
pub type Number = [u8; NUMBER_LEN];

/// `H(K_DH xor pad(N_S) xor pad(N_A))`: K_M and V of both N_0s, PMK of both N_1s. The numbers are at the end, as integers
/// are.
pub fn agreed(dh: &[u8], n_s: &Number, n_a: &Number) -> Secret<32> {
    let (head, tail) = dh.split_at(dh.len().saturating_sub(NUMBER_LEN));
    let mut low = Secret::<NUMBER_LEN>::zero();
    for (low, ((dh, s), a)) in low.as_mut().iter_mut().zip(tail.iter().zip(n_s).zip(n_a)) {
        *low = dh ^ s ^ a;
    }
    Secret::new(kdf::hash(&[head, low.expose()]))
}

/// The same, of the secret that `share` and `scalar` have together.
///
/// # Errors
/// [`GroupError::BadElement`].
pub fn agree<const N: usize>(
    group: &dyn PublishedGroup,
    scalar: &Scalar,
    share: &[u8],
    numbers: [[&Number; 2]; N],
) -> Result<[Secret<32>; N], GroupError> {
    lend(group.secret_len(), &mut |dh| {
        group.agree(scalar, share, dh)?;
        Ok(numbers.map(|[n_s, n_a]| agreed(dh, n_s, n_a)))
    })
}

/// `V_K{fields}`: HMAC of the fields, one behind the other.
pub fn v(key: &[u8; 32], fields: &[&[u8]]) -> [u8; HASH_LEN] {
    let (mac, mut tag) = (Hmac::new(&[key]), [0; HASH_LEN]);
    let mut message = mac.message();
    fields.iter().for_each(|field| message.update(field));
    mac.finish(&mut message, &mut tag);
    tag
}

/// "Encrypts using S's public key", which the paper leaves open: ElGamal, hashed. `out` begins with room for g^r; the text
/// behind it is encrypted in place.
///
/// # Errors
/// [`GroupError`].
pub fn encrypt_to(
    group: &dyn PublishedGroup,
    rng: &mut dyn Rng,
    public: &[u8],
    out: &mut [u8],
) -> Result<(), GroupError> {
    let (share, text) = out.split_at_mut_checked(group.share_len()).ok_or(GroupError::BadElement)?;
    let mut r = Secret::zero();
    group.generate(rng, &mut r, share)?;
    mask(group, &r, public, text)
}

/// "Decrypts it using its private key": the text, in place.
///
/// # Errors
/// [`GroupError::BadElement`], also where it is too short.
pub fn decrypt<'t>(group: &dyn PublishedGroup, x: &Scalar, bytes: &'t mut [u8]) -> Result<&'t [u8], GroupError> {
    let (share, text) = bytes.split_at_mut_checked(group.share_len()).ok_or(GroupError::BadElement)?;
    mask(group, x, share, text)?;
    Ok(text)
}

fn mask(group: &dyn PublishedGroup, scalar: &Scalar, share: &[u8], text: &mut [u8]) -> Result<(), GroupError> {
    lend(group.secret_len(), &mut |secret| {
        group.agree(scalar, share, secret)?;
        encrypt(&kdf::hash(&[secret]), 0, text);
        Ok(())
    })
}
