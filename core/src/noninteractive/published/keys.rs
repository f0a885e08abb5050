//! The paper's equations, one function each. A number modulo p is as long as p.

use crate::crypto::group::{GroupError, LONGEST, PublishedGroup, Scalar, lend};
use crate::crypto::{Secret, kdf};
use crate::engine::wire;

/// An element, or a number modulo p, of the longest group.
pub type Long = Secret<LONGEST>;

/// `h(ID, r)`.
pub fn h(id: &[u8], r: &[u8]) -> [u8; 32] {
    kdf::hash(&[id, r])
}

/// As many bytes of it as the group's elements have.
pub fn cut<'l>(group: &dyn PublishedGroup, long: &'l Long) -> &'l [u8] {
    long.expose().get(..group.element_len()).unwrap_or_default()
}

/// A 32-byte number as one modulo p.
pub fn number(group: &dyn PublishedGroup, bytes: &[u8; 32]) -> Long {
    let mut long = Long::zero();
    let len = group.element_len();
    wire::copy(long.as_mut().get_mut(len.saturating_sub(32)..len).unwrap_or_default(), bytes);
    long
}

fn times(group: &dyn PublishedGroup, a: &mut Long, b: &Long) -> Result<(), GroupError> {
    group.times(a.as_mut().get_mut(..group.element_len()).unwrap_or_default(), cut(group, b))
}

/// `base^exponent`, the exponent being 32 bytes of any value.
fn power(group: &dyn PublishedGroup, base: &[u8], exponent: &[u8; 32]) -> Result<Long, GroupError> {
    let exponent = group.exponent(cut(group, &number(group, exponent)))?;
    let mut out = Long::zero();
    group.power(base, &exponent, out.as_mut())?;
    Ok(out)
}

/// `s_A = x_Z h(ID_A, r_A) + k_A mod q`.
///
/// # Errors
/// [`GroupError::BadElement`] for zero.
pub fn private_key(
    group: &dyn PublishedGroup,
    x_z: &Scalar,
    k: &Scalar,
    id: &[u8],
    r: &[u8],
) -> Result<Scalar, GroupError> {
    let mut x = Scalar::zero();
    group.mul_add(x_z, &Secret::new(h(id, r)), k, &mut x)?;
    Ok(x)
}

/// `y_A = y_Z^h(ID_A, r_A) r_A mod p`, and `y_A,t` from `y_A,0` and `r_A,t`.
///
/// # Errors
/// [`GroupError::BadElement`].
pub fn public_key(group: &dyn PublishedGroup, y: &[u8], id: &[u8], r: &[u8]) -> Result<Long, GroupError> {
    let mut key = power(group, y, &h(id, r))?;
    group.times(key.as_mut().get_mut(..group.element_len()).unwrap_or_default(), r)?;
    Ok(key)
}

/// `K_A,t = N_A V^(t-1) mod p`.
///
/// # Errors
/// [`GroupError::BadElement`] for a number that is not below p.
pub fn k(group: &dyn PublishedGroup, n: &Scalar, v: &Secret<32>, t: u32) -> Result<Long, GroupError> {
    let (mut k, v) = (number(group, n.expose()), number(group, v.expose()));
    for _ in 1..t {
        times(group, &mut k, &v)?;
    }
    Ok(k)
}

/// `r_A,t = g^K_A,t mod p`, for A itself.
///
/// # Errors
/// [`GroupError::BadElement`] for zero.
pub fn own_r(group: &dyn PublishedGroup, k: &Long) -> Result<Long, GroupError> {
    let exponent = group.exponent(cut(group, k))?;
    let mut r = Long::zero();
    group.base(&exponent, r.as_mut());
    Ok(r)
}

/// `r_S,t = (g^NS)^(V^(t-1)) mod p`, which A "can derive for each session because A knows g^NS and V".
///
/// # Errors
/// [`GroupError::BadElement`].
pub fn peer_r(group: &dyn PublishedGroup, share: &[u8], v: &Secret<32>, t: u32) -> Result<Long, GroupError> {
    let mut r = Long::zero();
    wire::copy(r.as_mut(), share);
    for _ in 1..t {
        r = power(group, cut(group, &r), v.expose())?;
    }
    Ok(r)
}

/// `x_A,t = x_A,0 h(ID_A, r_A,t) + K_A,t mod p`.
///
/// # Errors
/// [`GroupError::BadElement`] for a number that is not below p.
pub fn x(group: &dyn PublishedGroup, x_0: &Scalar, id: &[u8], r: &[u8], k: &Long) -> Result<Long, GroupError> {
    let mut x = number(group, x_0.expose());
    times(group, &mut x, &number(group, &h(id, r)))?;
    group.plus(x.as_mut().get_mut(..group.element_len()).unwrap_or_default(), cut(group, k))?;
    Ok(x)
}

/// `K_t = h(y_S,t^x_A,t mod p)`.
///
/// # Errors
/// [`GroupError::BadElement`].
pub fn session(group: &dyn PublishedGroup, y: &Long, x: &Long) -> Result<Secret<32>, GroupError> {
    let exponent = group.exponent(cut(group, x))?;
    lend(group.element_len(), &mut |secret| {
        group.power(cut(group, y), &exponent, secret)?;
        Ok(Secret::new(kdf::hash(&[secret])))
    })
}
