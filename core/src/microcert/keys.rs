//! The key schedule: one function for each equation of `spec.md`.

use super::csk::Selected;
use super::seed::{ROW_LEN, SEED_LEN, Seed, YEARS};
use super::wire::Stamp;
use crate::crypto::secret::declassify;
use crate::crypto::sha256::Sha256;
use crate::crypto::{Prk, Secret, kdf};
use crate::engine::transcript::Transcript;
use crate::history::Id;

/// The scheme's name in every info string: short, so that a label of four letters and a transcript fit one block of SHA-256.
pub const NAME: &str = "mcert";
/// Length of a random number in bytes: 64 bits, 16 hexadecimal digits.
pub const RANDOM_LEN: usize = 8;
/// Length of a challenge in bytes.
pub const CHALLENGE_LEN: usize = 8;
/// Length of what either side brings to a new seed, in bytes.
pub const NEW_LEN: usize = 16;
/// Length in bytes of a tag on what replaces or ends a seed.
pub const TAG_LEN: usize = 16;
/// Length in bytes of what seals a part of a row to its place.
pub const BIND_LEN: usize = 16;

/// Flag of an enrolment: the device has no clock.
pub const CLOCKLESS: u8 = 1;
/// Flag of a row: it is revoked. Not part of th_0.
pub const REVOKED: u8 = 2;

/// What an enrolment fixes; part of every transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Number of the suite.
    pub suite: i8,
    /// [`CLOCKLESS`], or nothing.
    pub flags: u8,
    /// Generation of the seed: how often it was replaced.
    pub generation: u32,
    /// The device's id.
    pub device: Id,
    /// The centre's id.
    pub centre: Id,
}

/// `th_0 = SHA-256(lv("mcert", 01 || suite || flags, generation, id_D, id_C))`, profile 1: Hardened.
pub fn th_0(terms: &Terms) -> Transcript {
    let fixed = [1, terms.suite as u8, terms.flags & CLOCKLESS];
    let (device, centre) = (terms.device.as_bytes(), terms.centre.as_bytes());
    Transcript::new(&[NAME.as_bytes(), &fixed, &terms.generation.to_be_bytes(), device, centre])
}

/// What all keys of one micro-certificate come from, CSK's equation:
/// `prk = HKDF-Extract(lv(random, time, counter, challenge), the 16 rows)`.
pub fn csk(rows: &Selected, stamp: &Stamp, challenge: &[u8]) -> Prk {
    csk_from(stamp, challenge, &mut |message| message.update(rows.expose()))
}

/// As [`csk`], of rows that are written from where they lie.
pub(super) fn csk_from(stamp: &Stamp, challenge: &[u8], rows: &mut dyn FnMut(&mut Sha256)) -> Prk {
    let (time, counter) = (stamp.time.to_be_bytes(), stamp.counter.to_be_bytes());
    let len = [0, challenge.len() as u8];
    let salt: [&[u8]; 8] = [&[0, RANDOM_LEN as u8], &stamp.random, &[0, 4], &time, &[0, 4], &counter, &len, challenge];
    Prk::extract_from(NAME, &salt, rows)
}

/// What a key of one micro-certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// K_auth, from the device to the centre.
    Auth,
    /// K_auth, from the centre to the device.
    Answer,
    /// K_auth, for the centre's opening.
    Challenge,
    /// K_sign.
    Sign,
}

/// `expand(prk, "auth" | "ans" | "chal" | "sign", th)`, for one message; nonce all zero, the key is used once.
pub fn once_key(prk: &Prk, purpose: Use, th: &Transcript) -> Secret<32> {
    let label = match purpose {
        Use::Auth => "auth",
        Use::Answer => "ans",
        Use::Challenge => "chal",
        Use::Sign => "sign",
    };
    prk.secret(label, &[th.as_bytes()])
}

/// The tag of what replaces or ends a seed: `expand(prk, label, th || fields, 16)`, label "order" from the centre, "new" from
/// the device; at most two fields.
pub fn order_tag(prk: &Prk, label: &str, th: &Transcript, fields: &[&[u8]]) -> [u8; TAG_LEN] {
    let mut tag = [0; TAG_LEN];
    let mut context: [&[u8]; 3] = [th.as_bytes(), &[], &[]];
    context.iter_mut().skip(1).zip(fields).for_each(|(to, from)| *to = from);
    prk.expand(label, &context, &mut tag);
    tag
}

/// The root of the next seed: `expand(prk, "next", th_1 || attempt || N_C || N_D)`, prk and th_1 those of the device's answer.
pub fn next_root(prk: &Prk, th_1: &Transcript, attempt: u16, n_c: &[u8; NEW_LEN], n_d: &Secret<NEW_LEN>) -> Secret<32> {
    prk.secret("next", &[th_1.as_bytes(), &attempt.to_be_bytes(), n_c, n_d.expose()])
}

/// A seed's root, to make [`row`]s from.
pub fn of_root(root: &Secret<32>) -> Prk {
    Prk::new(NAME, root.expose())
}

/// A row of the seed that a root stands for: `expand(root, "row", number, 16)`.
pub fn row(root: &Prk, number: u8, out: &mut [u8; ROW_LEN]) {
    root.expand("row", &[&[number]], out);
}

/// What is left of a seed that is replaced or ended: `expand(extract(M, D and R rows), "gone")`. It proves that its holder had
/// the seed, and gives none of its keys.
pub fn gone_key(seed: &Seed) -> Secret<32> {
    gone_key_of(seed.rows())
}

/// As [`gone_key`], of the rows that `seed` begins with.
pub(super) fn gone_key_of(seed: &[u8]) -> Secret<32> {
    let lasting = seed.get(YEARS * ROW_LEN..SEED_LEN).unwrap_or(&[]);
    Prk::extract(NAME, &[], &[lasting]).secret("gone", &[])
}

/// The tag of GONE: `expand(gone key, "left", th_a || generation, 16)`.
pub fn gone_tag(gone: &Secret<32>, th_a: &Transcript, generation: u32) -> [u8; TAG_LEN] {
    let mut tag = [0; TAG_LEN];
    Prk::new(NAME, gone.expose()).expand("left", &[th_a.as_bytes(), &generation.to_be_bytes()], &mut tag);
    tag
}

/// The tag of DEAD: `expand(gone key, "dead", th_0, 16)`.
pub fn dead_tag(gone: &Secret<32>, th_0: &Transcript) -> [u8; TAG_LEN] {
    let mut tag = [0; TAG_LEN];
    Prk::new(NAME, gone.expose()).expand("dead", &[th_0.as_bytes()], &mut tag);
    // Sent in clear.
    *declassify(&tag)
}

/// The centre's word that an enrolment is done: `expand(gone key, "conf", th_0 || time, 16)`.
pub fn confirmation_tag(gone: &Secret<32>, th_0: &Transcript, time: u32) -> [u8; TAG_LEN] {
    let mut tag = [0; TAG_LEN];
    Prk::new(NAME, gone.expose()).expand("conf", &[th_0.as_bytes(), &time.to_be_bytes()], &mut tag);
    tag
}

/// What a centre keeps sealed of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// Its rows.
    Rows = 0,
    /// The root of the next one and the gone key of the one before.
    Spare = 1,
}

/// What seals a part of a row to its place: `SHA-256(th_0 || base year || flags || part)[..16]`. No other id, generation, year
/// or standing opens it.
pub fn bind(terms: &Terms, base: u16, part: Sealed) -> [u8; BIND_LEN] {
    bind_under(&th_0(terms), terms.flags, base, part)
}

/// As [`bind`], where th_0 is known.
pub(super) fn bind_under(th_0: &Transcript, flags: u8, base: u16, part: Sealed) -> [u8; BIND_LEN] {
    let hash = kdf::hash_then(th_0.as_bytes(), &[&base.to_be_bytes(), &[flags, part as u8]]);
    hash.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
