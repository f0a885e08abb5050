//! CPace (draft-irtf-cfrg-cpace-21): a low-entropy code in, a key out, one guess a run for whoever is in between.
//!
//! Suites CPACE-RISTR255-SHA512 and CPACE-P256_XMD:SHA-256_SSWU_NU_-SHA256. Key confirmation is the caller's, over the
//! transcript it has anyway.

use super::group::{GroupError, PrimeGroup, Ristretto255, Scalar, p256, ristretto};
use super::secret::declassify;
use super::{Rng, Secret};
use ::p256::elliptic_curve::point::AffineCoordinates;
use ::p256::hash2curve::{ExpandMsgXmd, encode_from_bytes};
use ::p256::{NistP256, ProjectivePoint};
use curve25519_dalek::ristretto::RistrettoPoint;
use sha2::digest::Output;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

/// The longest share on the wire, in bytes.
pub const MAX_SHARE: usize = 32;

/// The longest ISK, in bytes.
pub const MAX_ISK: usize = 64;

/// What both sides enter into the generator. What is not used is empty.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The password-related string: the code itself, or what a slow hash made of it.
    pub prs: &'a [u8],
    /// Channel identifier: who talks to whom, over what.
    pub ci: &'a [u8],
    /// Session identifier, unique per run.
    pub sid: &'a [u8],
}

/// One side's message.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// Its share.
    pub share: &'a [u8],
    /// Its associated data.
    pub ad: &'a [u8],
}

/// Which of the messages comes first in the transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One's own.
    Initiator,
    /// The peer's.
    Responder,
    /// The greater one: neither side need know who began (the draft's `transcript_oc`).
    Parallel,
}

/// A CPace suite.
pub trait Cpace: Sync {
    /// A number for the wire: 1 ristretto255, 2 P-256.
    fn id(&self) -> u8;

    /// Length of a share on the wire in bytes, at most [`MAX_SHARE`].
    fn share_len(&self) -> usize;

    /// Length of the intermediate session key in bytes, at most [`MAX_ISK`].
    fn isk_len(&self) -> usize;

    /// Draws a scalar and writes one's own share, [`share_len`](Self::share_len) bytes.
    ///
    /// # Errors
    /// [`GroupError::Rng`] when randomness fails.
    fn start(
        &self,
        inputs: &Inputs<'_>,
        rng: &mut dyn Rng,
        scalar: &mut Scalar,
        share: &mut [u8],
    ) -> Result<(), GroupError>;

    /// Writes the ISK, [`isk_len`](Self::isk_len) bytes. It is equal on both sides if code, inputs and messages are;
    /// derive keys from it, and confirm them before use.
    ///
    /// # Errors
    /// [`GroupError::BadElement`] for a share that is not in the group, or its identity: the run is over.
    fn finish(
        &self,
        scalar: &Scalar,
        sid: &[u8],
        own: Message<'_>,
        peer: Message<'_>,
        role: Role,
        isk: &mut [u8],
    ) -> Result<(), GroupError>;
}

/// CPACE-RISTR255-SHA512.
pub static CPACE_RISTRETTO255: CpaceRistretto255 = CpaceRistretto255;

/// CPACE-P256_XMD:SHA-256_SSWU_NU_-SHA256.
pub static CPACE_P256: CpaceP256 = CpaceP256;

/// The type of [`CPACE_RISTRETTO255`].
pub struct CpaceRistretto255;

/// The type of [`CPACE_P256`].
///
/// A share is x alone, of the point with even y: the draft allows either sign, and its transcript still gets the whole
/// point. A peer's share may also be the draft's uncompressed point.
pub struct CpaceP256;

const RISTRETTO_DSI: &[u8] = b"CPaceRistretto255";
const RISTRETTO_ISK: &[u8] = b"CPaceRistretto255_ISK";
const P256_DSI: &[u8] = b"CPaceP256_XMD:SHA-256_SSWU_NU_";
const P256_DST: &[u8] = b"CPaceP256_XMD:SHA-256_SSWU_NU__DST";
const P256_ISK: &[u8] = b"CPaceP256_XMD:SHA-256_SSWU_NU__ISK";

impl Cpace for CpaceRistretto255 {
    fn id(&self) -> u8 {
        1
    }

    fn share_len(&self) -> usize {
        32
    }

    fn isk_len(&self) -> usize {
        64
    }

    fn start(
        &self,
        inputs: &Inputs<'_>,
        rng: &mut dyn Rng,
        scalar: &mut Scalar,
        share: &mut [u8],
    ) -> Result<(), GroupError> {
        Ristretto255.random_scalar(rng, scalar)?;
        put(share, ristretto::power(&ristretto_generator(inputs), scalar)?.as_bytes())
    }

    fn finish(
        &self,
        scalar: &Scalar,
        sid: &[u8],
        own: Message<'_>,
        peer: Message<'_>,
        role: Role,
        isk: &mut [u8],
    ) -> Result<(), GroupError> {
        let k = ristretto::power(&ristretto::element(peer.share)?, scalar)?;
        put(isk, &session_key::<Sha512>(RISTRETTO_ISK, sid, k.as_bytes(), own, peer, role))
    }
}

impl Cpace for CpaceP256 {
    fn id(&self) -> u8 {
        2
    }

    fn share_len(&self) -> usize {
        32
    }

    fn isk_len(&self) -> usize {
        32
    }

    fn start(
        &self,
        inputs: &Inputs<'_>,
        rng: &mut dyn Rng,
        scalar: &mut Scalar,
        share: &mut [u8],
    ) -> Result<(), GroupError> {
        super::group::P256.random_scalar(rng, scalar)?;
        let point = p256::power(*p256_generator(inputs)?, scalar)?;
        p256::take_even(scalar, &point);
        put(share, &point.x())
    }

    fn finish(
        &self,
        scalar: &Scalar,
        sid: &[u8],
        own: Message<'_>,
        peer: Message<'_>,
        role: Role,
        isk: &mut [u8],
    ) -> Result<(), GroupError> {
        let whole = |share: &[u8]| if share.len() == 32 { p256::lift(share) } else { p256::element(share) };
        let theirs = whole(peer.share)?;
        let k = Zeroizing::new(p256::power(theirs.into(), scalar)?.x());
        // One's own share has left, or is about to.
        let own = Message { share: &p256::encode(&whole(declassify(own.share))?), ad: own.ad };
        let peer = Message { share: &p256::encode(&theirs), ad: peer.ad };
        put(isk, &session_key::<Sha256>(P256_ISK, sid, &k, own, peer, role))
    }
}

/// `calculate_generator` of section 8.3. Apart from its caller, as the two powers are, so that their stacks do not add up.
#[inline(never)]
fn ristretto_generator(inputs: &Inputs<'_>) -> Zeroizing<RistrettoPoint> {
    with_generator_string(RISTRETTO_DSI, inputs, 128, |parts| {
        let mut h = Sha512::new();
        for part in parts {
            h.update(part);
        }
        let uniform = Secret::<64>::new(h.finalize().into());
        Zeroizing::new(RistrettoPoint::from_uniform_bytes(uniform.expose()))
    })
}

/// `calculate_generator` of section 8.4.3.
#[inline(never)]
fn p256_generator(inputs: &Inputs<'_>) -> Result<Zeroizing<ProjectivePoint>, GroupError> {
    with_generator_string(P256_DSI, inputs, 64, |parts| {
        encode_from_bytes::<NistP256, ExpandMsgXmd<Sha256>>(parts, &[P256_DST]).map(Zeroizing::new)
    })
    .map_err(|_| GroupError::BadElement)
}

fn put(out: &mut [u8], bytes: &[u8]) -> Result<(), GroupError> {
    out.get_mut(..bytes.len()).ok_or(GroupError::BadElement)?.copy_from_slice(bytes);
    Ok(())
}

/// Hands on the parts of `generator_string(DSI, PRS, CI, sid, s_in_bytes)` (appendix A.2): zeros fill the hash's first
/// block, so that its time tells nothing of a code's length.
fn with_generator_string<R>(dsi: &[u8], inputs: &Inputs<'_>, block: usize, then: impl FnOnce(&[&[u8]]) -> R) -> R {
    let Inputs { prs, ci, sid } = *inputs;
    let dsi_len = Leb128::new(dsi.len());
    let prs_len = Leb128::new(prs.len());
    let used = [dsi_len.bytes().len(), dsi.len(), prs_len.bytes().len(), prs.len(), 1];
    let pad = used.iter().fold(block, |left, part| left.saturating_sub(*part));
    let zeros = [0; 128];
    then(&[
        dsi_len.bytes(),
        dsi,
        prs_len.bytes(),
        prs,
        Leb128::new(pad).bytes(),
        zeros.get(..pad).unwrap_or_default(),
        Leb128::new(ci.len()).bytes(),
        ci,
        Leb128::new(sid.len()).bytes(),
        sid,
    ])
}

/// `H(lv_cat(DSI || "_ISK", sid, K) || transcript)` (section 7.2).
fn session_key<H: Digest>(
    dsi: &[u8],
    sid: &[u8],
    k: &[u8],
    own: Message<'_>,
    peer: Message<'_>,
    role: Role,
) -> Zeroizing<Output<H>> {
    let mut h = H::new();
    lv(&mut h, &[dsi, sid, k]);
    let own_first = match role {
        Role::Initiator => true,
        Role::Responder => false,
        Role::Parallel => {
            h.update(b"oc");
            // Shares of one suite have one length, so that the order of the fields is that of their encodings.
            let ad_len = |message: &Message<'_>| Leb128::new(message.ad.len()).bytes;
            (own.share, ad_len(&own), own.ad) > (peer.share, ad_len(&peer), peer.ad)
        }
    };
    let (first, second) = if own_first { (own, peer) } else { (peer, own) };
    lv(&mut h, &[first.share, first.ad, second.share, second.ad]);
    Zeroizing::new(h.finalize())
}

/// The draft's `lv_cat` (appendix A.1.3), hashed.
fn lv<H: Digest>(h: &mut H, fields: &[&[u8]]) {
    for field in fields {
        h.update(Leb128::new(field.len()).bytes());
        h.update(field);
    }
}

/// A length in LEB128: seven bits a byte, the lowest first.
struct Leb128 {
    bytes: [u8; 10],
    used: usize,
}

impl Leb128 {
    fn new(length: usize) -> Self {
        let mut bytes = [0; 10];
        let mut used = 0usize;
        let mut left = length;
        for byte in &mut bytes {
            *byte = (left & 0x7f) as u8;
            used = used.saturating_add(1);
            left >>= 7;
            if left == 0 {
                break;
            }
            *byte |= 0x80;
        }
        Self { bytes, used }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }
}
