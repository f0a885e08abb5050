//! HPKE (RFC 9180), export-only: "encrypts with S's public key" without a byte on the air.
//!
//! The KEM gives sender and recipient an [`Exporter`]; what a paper encrypts (its random numbers N_0, N_1, N_2) are exports
//! of it, chosen by the sender's ephemeral key, and the ephemeral key is the paper's g^N itself: a scheme draws it once and
//! gives it to [`encapsulate`]. Base mode authenticates nobody; in Auth mode the recipient knows that the holder of the
//! sender's static key made it. HKDF-SHA256 throughout.
//!
//! | static | KEM | `enc` and public keys in contexts |
//! |---|---|---|
//! | [`DHKEM_X25519`] | 0x0020, registered | 32 bytes |
//! | [`DHKEM_P256`] | 0x0010, registered | 65 bytes, uncompressed; x alone travels |
//! | [`KEM_RISTRETTO255`] | ours | 32 bytes |
//! | [`KEM_FFC2048`], [`KEM_FFC3072`] | ours | 256, 384 bytes |
//!
//! **Ours** are the registered construction with a label where the KEM's number stands: suite_id is `"KEM" || label`, and
//! `"HPKE" || label || 0x0001 || 0xffff` (RFC 9180, sections 4.1 and 5.1).

use super::group::p256::{element, encode, lift};
use super::group::{FFC2048, FFC3072, GroupError, P256, Ristretto255, Scalar, X25519, lend};
use super::kdf::hkdf_expand;
use super::keys::{KeyError, KeySlot, StaticKeys};
use super::sha256::{Hmac, Sha256};
use super::{Dh, Secret};
use core::fmt;

/// A group as a key encapsulation mechanism.
pub trait Kem: Sync {
    /// What stands for this KEM in every label: the registered number as two bytes, or our name of it.
    fn label(&self) -> &'static [u8];

    /// The curve as COSE numbers it (RFC 9053, table 18: P-256 is 1, X25519 is 4), ours as their suites: what tokens and
    /// credentials call it.
    fn curve(&self) -> i8;

    /// The group of its keys.
    fn group(&self) -> &'static dyn Dh;

    /// Length of a public key in contexts in bytes.
    fn public_len(&self) -> usize;

    /// The share in a public key, which may be one itself.
    fn share<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        key
    }

    /// Writes the public key that goes into contexts ([`public_len`](Self::public_len) bytes), from that itself or from a
    /// share.
    ///
    /// # Errors
    /// [`GroupError::BadElement`] for what is neither. Elements are checked by [`Dh::agree`].
    fn public(&self, key: &[u8], out: &mut [u8]) -> Result<(), GroupError> {
        if key.len() != self.public_len() {
            return Err(GroupError::BadElement);
        }
        out.get_mut(..key.len()).ok_or(GroupError::BadElement)?.copy_from_slice(key);
        Ok(())
    }
}

impl fmt::Debug for dyn Kem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kem({})", self.label().escape_ascii())
    }
}

macro_rules! kem {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $curve:literal, $label:expr, $group:expr, $len:literal $(, $($item:item)*)?) => {
        #[doc = concat!("The type of [`", stringify!($name), "`].")]
        pub struct $kind;
        $(#[$doc])*
        pub static $name: $kind = $kind;
        impl Kem for $kind {
            fn label(&self) -> &'static [u8] {
                $label
            }
            fn curve(&self) -> i8 {
                $curve
            }
            fn group(&self) -> &'static dyn Dh {
                &$group
            }
            fn public_len(&self) -> usize {
                $len
            }
            $($($item)*)?
        }
    };
}

kem! {
    /// DHKEM(X25519, HKDF-SHA256).
    DHKEM_X25519, DhkemX25519, 4, &[0x00, 0x20], X25519, 32
}
kem! {
    /// DHKEM(P-256, HKDF-SHA256). A share is completed with the even y, as it was made.
    DHKEM_P256, DhkemP256, 1, &[0x00, 0x10], P256, 65,
    fn share<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        if key.len() == 65 { key.get(1..33).unwrap_or_default() } else { key }
    }
    fn public(&self, key: &[u8], out: &mut [u8]) -> Result<(), GroupError> {
        let point = if key.len() == 65 { element(key)? } else { lift(key)? };
        out.get_mut(..65).ok_or(GroupError::BadElement)?.copy_from_slice(&encode(&point));
        Ok(())
    }
}
kem! {
    /// The same construction on [`Ristretto255`]: for keys that are also exponents of an algebra.
    KEM_RISTRETTO255, KemRistretto255, -23, b"iotkm ristretto255", Ristretto255, 32
}
kem! {
    /// The same construction on [`FFC2048`].
    KEM_FFC2048, KemFfc2048, -21, b"iotkm FFC2048", FFC2048, 256
}
kem! {
    /// The same construction on [`FFC3072`].
    KEM_FFC3072, KemFfc3072, -22, b"iotkm FFC3072", FFC3072, 384
}

/// A static key of this side's.
#[derive(Clone, Copy)]
pub struct OwnKey<'a> {
    /// Where it is.
    pub keys: &'a dyn StaticKeys,
    /// Which it is.
    pub slot: KeySlot,
}

/// What a sender gets, and a recipient from what the sender sent: a source of secrets that only these two know.
#[derive(Clone)]
pub struct Exporter {
    secret: Secret<32>,
    label: &'static [u8],
}

impl Exporter {
    /// `Context.Export(context, L)` (section 5.3): as many bytes as `out` has (at most 255 x 32); the context is the
    /// parts, one after the other.
    pub fn export(&self, context: &[&[u8]], out: &mut [u8]) {
        let length = (out.len() as u16).to_be_bytes();
        let head: [&[u8]; 2] = [&length, VERSION];
        hkdf_expand(&Hmac::new(&[self.secret.expose()]), &[&head, &hpke(self.label), &[b"sec"], context], out);
    }

    /// [`export`](Self::export) into a secret of `N` bytes.
    pub fn secret<const N: usize>(&self, context: &[&[u8]]) -> Secret<N> {
        let mut out = Secret::zero();
        self.export(context, out.as_mut());
        out
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exporter(..)")
    }
}

const VERSION: &[u8] = b"HPKE-v1";

/// A suite_id in parts.
type Id = [&'static [u8]; 3];

fn kem_id(kem: &dyn Kem) -> Id {
    [b"KEM", kem.label(), b""]
}

/// With HKDF-SHA256, and the AEAD's number that says that there is none.
fn hpke(label: &'static [u8]) -> Id {
    [b"HPKE", label, &[0x00, 0x01, 0xff, 0xff]]
}

/// An HMAC being written.
struct Mac {
    key: Hmac,
    message: Sha256,
}

impl Mac {
    fn new(key: &[u8]) -> Self {
        let key = Hmac::new(&[key]);
        let message = key.message();
        Self { key, message }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.message.update(bytes);
    }

    fn labels(&mut self, id: &Id, label: &[u8]) {
        [VERSION].iter().chain(id).chain(&[label]).for_each(|part| self.update(part));
    }

    fn finish(&mut self) -> Secret<32> {
        let mut tag = Secret::zero();
        self.key.finish(&mut self.message, tag.as_mut());
        tag
    }
}

/// `LabeledExtract(salt, label, ikm)` (section 4), up to the ikm.
fn extract(id: &Id, salt: &[u8], label: &[u8]) -> Mac {
    let mut mac = Mac::new(salt);
    mac.labels(id, label);
    mac
}

/// `LabeledExpand(prk, label, info, 32)`, up to the info; [`expanded`] ends it.
fn expand(id: &Id, prk: &Secret<32>, label: &[u8]) -> Mac {
    let mut mac = Mac::new(prk.expose());
    mac.update(&32u16.to_be_bytes());
    mac.labels(id, label);
    mac
}

fn expanded(mac: &mut Mac) -> Secret<32> {
    mac.update(&[1]);
    mac.finish()
}

/// Writes a secret of the group's.
type Agree<'a> = &'a mut dyn FnMut(&mut [u8]) -> Result<(), KeyError>;

/// Adds what `agree` writes to the ikm.
fn mix(kem: &dyn Kem, ikm: &mut Mac, agree: Agree<'_>) -> Result<(), KeyError> {
    lend(kem.group().secret_len(), &mut |secret| {
        agree(secret)?;
        ikm.update(secret);
        Ok(())
    })
}

/// `ExtractAndExpand`'s first half (section 4.1) of one or two secrets. By itself: below it the stack is deepest.
#[inline(never)]
fn extracted(kem: &dyn Kem, first: Agree<'_>, second: Option<Agree<'_>>) -> Result<Secret<32>, KeyError> {
    let mut ikm = extract(&kem_id(kem), &[], b"eae_prk");
    mix(kem, &mut ikm, first)?;
    if let Some(second) = second {
        mix(kem, &mut ikm, second)?;
    }
    Ok(ikm.finish())
}

/// Whose public key it is that goes into a context.
#[derive(Clone, Copy)]
enum Public<'a> {
    Theirs(&'a [u8]),
    Own(OwnKey<'a>),
}

/// Its second half, and the key schedule. The context: `enc`, the recipient's key, in Auth mode the sender's.
#[inline(never)]
fn exporter(
    kem: &dyn Kem,
    dh: &Secret<32>,
    context: [Option<Public<'_>>; 3],
    info: &[&[u8]],
) -> Result<Exporter, KeyError> {
    let mut shared = expand(&kem_id(kem), dh, b"shared_secret");
    for key in context.iter().flatten() {
        match key {
            Public::Theirs(key) => add(kem, &mut shared, key)?,
            Public::Own(own) => add_own(kem, &mut shared, *own)?,
        }
    }
    let [_, _, sender] = context;
    Ok(schedule(kem, &expanded(&mut shared), sender.is_some(), info))
}

/// Adds a public key to the KEM's context.
fn add(kem: &dyn Kem, context: &mut Mac, key: &[u8]) -> Result<(), KeyError> {
    lend(kem.public_len(), &mut |public| {
        kem.public(key, public)?;
        context.update(public);
        Ok(())
    })
}

fn add_own(kem: &dyn Kem, context: &mut Mac, own: OwnKey<'_>) -> Result<(), KeyError> {
    lend(kem.group().share_len(), &mut |share| {
        own.keys.public_key(own.slot, kem, share)?;
        add(kem, context, share)
    })
}

/// The key schedule (section 5.1) without a psk, of which only the exporter's secret is made.
fn schedule(kem: &dyn Kem, shared: &Secret<32>, auth: bool, info: &[&[u8]]) -> Exporter {
    let id = hpke(kem.label());
    let psk_id_hash = extract(&id, &[], b"psk_id_hash").finish();
    let mut info_hash = extract(&id, &[], b"info_hash");
    info.iter().for_each(|part| info_hash.update(part));
    let secret = extract(&id, shared.expose(), b"secret").finish();
    let mut exporter = expand(&id, &secret, b"exp");
    exporter.update(&[if auth { 2 } else { 0 }]);
    exporter.update(psk_id_hash.expose());
    exporter.update(info_hash.finish().expose());
    Exporter { secret: expanded(&mut exporter), label: kem.label() }
}

/// The sender's side: `scalar` is its ephemeral key, whose public key `enc` it sends; `recipient` is the recipient's public
/// key (a share, or as it stands in contexts). With a `sender` it is Auth mode.
///
/// # Errors
/// [`KeyError::BadElement`] for a public key that is none; what `sender` says.
pub fn encapsulate(
    kem: &dyn Kem,
    scalar: &Scalar,
    enc: &[u8],
    recipient: &[u8],
    sender: Option<OwnKey<'_>>,
    info: &[&[u8]],
) -> Result<Exporter, KeyError> {
    let share = kem.share(recipient);
    let mut second = |out: &mut [u8]| sender.map_or(Ok(()), |own| own.keys.agree_known(own.slot, kem, share, out));
    let second: Option<Agree<'_>> = if sender.is_some() { Some(&mut second) } else { None };
    let dh = extracted(kem, &mut |out| Ok(kem.group().agree(scalar, share, out)?), second)?;
    exporter(kem, &dh, [Some(Public::Theirs(enc)), Some(Public::Theirs(recipient)), sender.map(Public::Own)], info)
}

/// The recipient's side: `enc` as it came, and in Auth mode the public key of the `sender` that is expected.
///
/// # Errors
/// [`KeyError::BadElement`] for `enc` or a public key that is none; what `own` says.
pub fn decapsulate(
    kem: &dyn Kem,
    enc: &[u8],
    own: OwnKey<'_>,
    sender: Option<&[u8]>,
    info: &[&[u8]],
) -> Result<Exporter, KeyError> {
    let OwnKey { keys, slot } = own;
    let mut second =
        |out: &mut [u8]| sender.map_or(Ok(()), |sender| keys.agree_known(slot, kem, kem.share(sender), out));
    let second: Option<Agree<'_>> = if sender.is_some() { Some(&mut second) } else { None };
    let dh = extracted(kem, &mut |out| keys.agree(slot, kem, kem.share(enc), out), second)?;
    exporter(kem, &dh, [Some(Public::Theirs(enc)), Some(Public::Own(own)), sender.map(Public::Theirs)], info)
}
