//! The key schedule: one function for each equation of `spec.md`.

use crate::crypto::secret::declassify;
use crate::crypto::{Prk, Secret};
use crate::engine::session::Keys;
use crate::engine::transcript::Transcript;
use crate::phase1::{
    self,
    keys::{HARDENED, HINT_LEN, LONG_TAG, N_LEN, NONCE_LEN, Numbers},
};

/// The scheme's name in every info string: short, so that a label of four letters and a transcript fit one block of SHA-256.
pub const NAME: &str = "inter";

/// `PMK = KDF(lv(N_A1, N_S1, K_DH, psk), 0, "pmk", th_3)`: what phase 1 is for.
pub fn pmk(a: &Numbers, s: &Numbers, dh: &[u8], psk: Option<&Secret<32>>, th_3: &Transcript) -> Secret<32> {
    phase1::keys::prk(NAME, a, s, dh, psk).secret("pmk", &[th_3.as_bytes()])
}

// ---- what a PMK is called, and what is said about it ----

/// `aux = KDF(PMK, 0, "aux", step)`: hints, and what one says who has left that PMK.
pub fn aux(pmk: &Secret<32>, step: u32) -> Secret<32> {
    Prk::new(NAME, pmk.expose()).secret("aux", &[&step.to_be_bytes()])
}

/// `hint = KDF(aux, 0, "hint", side)`; `side`: whether it is a first message by who was A in phase 1.
pub fn hint(aux: &Secret<32>, side: bool) -> [u8; HINT_LEN] {
    let mut hint = [0; HINT_LEN];
    Prk::new(NAME, aux.expose()).expand("hint", &[&[u8::from(side)]], &mut hint);
    // It is sent in clear, and looked up in tables.
    *declassify(&hint)
}

/// What S says to a K1 instead of answering it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// "I have left that PMK."
    Gone,
    /// "I have answered this attempt already."
    Refuse(u16),
}

/// The tag of GONE and REFUSE: `KDF(aux, 0, "gone"|"ref", th_1 || tag_1 || answered)`.
pub fn says_tag(says: Says, aux: &Secret<32>, th_1: &Transcript, tag_1: &[u8]) -> [u8; LONG_TAG] {
    let (label, answered) = match says {
        Says::Gone => ("gone", None),
        Says::Refuse(answered) => ("ref", Some(answered.to_be_bytes())),
    };
    let answered: &[u8] = answered.as_ref().map_or(&[], |answered| answered);
    let mut tag = [0; LONG_TAG];
    Prk::new(NAME, aux.expose()).expand(label, &[th_1.as_bytes(), tag_1, answered], &mut tag);
    tag
}

/// The tag of PING: `KDF(aux, 0, "ping", R)`.
pub fn ping_tag(aux: &Secret<32>, r: &[u8; NONCE_LEN], tag: &mut [u8]) {
    Prk::new(NAME, aux.expose()).expand("ping", &[r], tag);
}

/// The tag of PONG: `KDF(aux, 0, "pong", tag of PING || R)`.
pub fn pong_tag(aux: &Secret<32>, ping: &[u8], r: &[u8; NONCE_LEN], tag: &mut [u8]) {
    Prk::new(NAME, aux.expose()).expand("pong", &[ping, r], tag);
}

// ---- phase 2 ----

/// What th_0 of phase 2 binds.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Number of the suite.
    pub suite: i8,
    /// Whether a psk went into PMK.
    pub psk: bool,
    /// How often PMK was replaced since phase 1.
    pub step: u32,
    /// Whether A is who was A in phase 1.
    pub side: bool,
    /// th_4 of phase 1.
    pub bind: Transcript,
}

/// `th_0 = H(lv("inter", profile || 2 || suite || psk, step, side, bind))`, moved on by K1 without its tag: `th_1`.
pub fn run_th_1(terms: &Terms, k1: &[u8]) -> Transcript {
    let kind = [HARDENED, 2, terms.suite as u8, u8::from(terms.psk)];
    let (step, side) = (terms.step.to_be_bytes(), [u8::from(terms.side)]);
    Transcript::new(&[NAME.as_bytes(), &kind, &step, &side, terms.bind.as_bytes()]).then(&[k1])
}

/// PMK's PRK.
pub fn of(pmk: &Secret<32>) -> Prk {
    Prk::new(NAME, pmk.expose())
}

/// `V_PMK{g^NA}`: `KDF(PMK, 0, "k1", th_1)`.
pub fn k1_tag(pmk: &Prk, th_1: &Transcript, tag: &mut [u8]) {
    pmk.expand("k1", &[th_1.as_bytes()], tag);
}

/// `V_PMK{g^NS}`: `KDF(PMK, 0, "k2", th_2)`.
pub fn k2_tag(pmk: &Prk, th_2: &Transcript, tag: &mut [u8]) {
    pmk.expand("k2", &[th_2.as_bytes()], tag);
}

/// The run's PRK: `extract(KDF(PMK, 0, "n0", N_A0 || N_S0), K_DH)`, the numbers being phase 1's.
pub fn run_prk(pmk: &Prk, n_a0: &Secret<N_LEN>, n_s0: &Secret<N_LEN>, dh: &[u8]) -> Prk {
    let salt: Secret<32> = pmk.secret("n0", &[n_a0.expose(), n_s0.expose()]);
    Prk::extract(NAME, &[salt.expose()], &[dh])
}

/// What a run of phase 2 yields.
#[derive(Clone, Debug)]
pub struct Yield {
    tags: Secret<{ 2 * LONG_TAG }>,
    /// PMK', which replaces PMK.
    pub pmk: Secret<32>,
    /// The session's keys.
    pub keys: Keys,
}

impl Yield {
    /// None yet: a place for [`derive`](Self::derive) to fill.
    pub const fn none() -> Self {
        Self { tags: Secret::zero(), pmk: Secret::zero(), keys: Keys::none() }
    }

    /// `tag_3 || tag_4`, PMK' and the session's keys, each `KDF(prk, 0, label, th_3)`.
    pub fn derive(&mut self, prk: &Prk, th_3: &Transcript) {
        prk.expand("tag", &[th_3.as_bytes()], self.tags.as_mut());
        prk.expand("pmk", &[th_3.as_bytes()], self.pmk.as_mut());
        self.keys.keep(prk, th_3);
    }

    /// The tag of K3, by which A proves PMK'.
    pub fn k3(&self) -> &[u8] {
        self.tags.expose().first_chunk::<LONG_TAG>().map_or(&[], |tag| tag)
    }

    /// The tag of K4, by which S does.
    pub fn k4(&self) -> &[u8] {
        self.tags.expose().last_chunk::<LONG_TAG>().map_or(&[], |tag| tag)
    }
}

#[cfg(test)]
mod tests;
