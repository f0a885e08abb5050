//! The key schedule: one function for each equation of `spec.md`.

use super::peer::{Id, Triple};
use crate::crypto::secret::declassify;
use crate::crypto::{Prk, Secret, Suite};
use crate::engine::transcript::Transcript;

/// The scheme's name in every info string.
pub const NAME: &str = "history";
/// Length of N_I and N_R in bytes.
pub const NONCE_LEN: usize = 8;
/// Length of R_I and R_R in bytes.
pub const R_LEN: usize = 16;
/// Length of a hint in bytes.
pub const HINT_LEN: usize = 4;
/// Runs that share a hint.
pub const WINDOW: u32 = 16;

/// Which two of the three keys a C1 is made with, named by the one that is left over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// T and LI; SK is unused.
    WithoutSk = 0,
    /// SK and LI; T is unused.
    WithoutT = 1,
    /// SK and T; LI is unused.
    WithoutLi = 2,
}

impl Pair {
    /// All three.
    pub const ALL: [Self; 3] = [Self::WithoutSk, Self::WithoutT, Self::WithoutLi];

    /// "Random two of three" (Algorithm 1a, line 2), from one random byte.
    pub const fn from_random(byte: u8) -> Self {
        match byte % 3 {
            0 => Self::WithoutSk,
            1 => Self::WithoutT,
            _ => Self::WithoutLi,
        }
    }

    /// K1 and K2.
    pub const fn two(self, triple: &Triple) -> (&Secret<32>, &Secret<32>) {
        match self {
            Self::WithoutSk => (&triple.t, &triple.li),
            Self::WithoutT => (&triple.sk, &triple.li),
            Self::WithoutLi => (&triple.sk, &triple.t),
        }
    }

    /// The unused key.
    pub const fn unused(self, triple: &Triple) -> &Secret<32> {
        match self {
            Self::WithoutSk => &triple.sk,
            Self::WithoutT => &triple.t,
            Self::WithoutLi => &triple.li,
        }
    }
}

/// What th_0 binds besides the ids.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Number of the suite.
    pub suite: i8,
    /// Whether the exchange has a Diffie-Hellman.
    pub dh: bool,
    /// Whether a psk from elsewhere goes in.
    pub psk: bool,
    /// Generation of the triple.
    pub generation: u32,
}

/// `th_0 = SHA-256(lv("history", profile || suite || flags, generation, id_I, id_R))`, profile 1: Hardened.
pub fn th_0(terms: &Terms, initiator: &Id, responder: &Id) -> Transcript {
    let flags = u8::from(terms.dh) | u8::from(terms.psk) << 1;
    let fixed = [1, terms.suite as u8, flags];
    Transcript::new(&[
        NAME.as_bytes(),
        &fixed,
        &terms.generation.to_be_bytes(),
        initiator.as_bytes(),
        responder.as_bytes(),
    ])
}

/// `aux = KDF(lv(sk, t, li), 0, "aux", generation)`: hints and digests of the log; proves nothing.
pub fn aux(sk: &Secret<32>, t: &Secret<32>, li: &Secret<32>, generation: u32) -> Secret<32> {
    Prk::extract(NAME, &[], &[sk.expose(), t.expose(), li.expose()]).secret("aux", &[&generation.to_be_bytes()])
}

/// The three hints of a window, in the order of [`Pair::ALL`]: `KDF(aux, 0, "hint", side || window)`.
pub fn hints(aux: &Secret<32>, initiator_is_lower: bool, window: u32) -> [u8; 3 * HINT_LEN] {
    let mut hints = [0; 3 * HINT_LEN];
    Prk::new(NAME, aux.expose()).expand("hint", &[&[u8::from(initiator_is_lower)], &window.to_be_bytes()], &mut hints);
    // They are sent in clear, and looked up in tables.
    *declassify(&hints)
}

/// The tag of C1: `KDF(K1 || K2, 0, "c1", th_1)`.
pub fn c1_tag(triple: &Triple, pair: Pair, th_1: &Transcript, tag: &mut [u8]) {
    let (k1, k2) = pair.two(triple);
    Prk::from_parts(NAME, &[k1.expose(), k2.expose()]).expand("c1", &[th_1.as_bytes()], tag);
}

/// The key of C2's AEAD: `KDF(unused, 0, "c2", th_2)`; nonce all zero, the key is used once.
pub fn c2_key(triple: &Triple, pair: Pair, th_2: &Transcript) -> Secret<32> {
    Prk::new(NAME, pair.unused(triple).expose()).secret("c2", &[th_2.as_bytes()])
}

/// The key of C3's AEAD: `KDF(unused || R_R, 0, "c3", th_3)`; nonce all zero, the key is used once.
pub fn c3_key(triple: &Triple, pair: Pair, r_r: &Secret<R_LEN>, th_3: &Transcript) -> Secret<32> {
    Prk::from_parts(NAME, &[pair.unused(triple).expose(), r_r.expose()]).secret("c3", &[th_3.as_bytes()])
}

/// The run's PRK: `unused || R_I || R_R` as it is, or the salt under which `lv(dh, psk)` is extracted.
pub fn run_prk(
    triple: &Triple,
    pair: Pair,
    r_i: &Secret<R_LEN>,
    r_r: &Secret<R_LEN>,
    dh: &[u8],
    psk: Option<&Secret<32>>,
) -> Prk {
    let base: [&[u8]; 3] = [pair.unused(triple).expose(), r_i.expose(), r_r.expose()];
    if dh.is_empty() && psk.is_none() {
        return Prk::from_parts(NAME, &base);
    }
    Prk::extract(NAME, &base, &[dh, psk.map_or(&[], |psk| psk.expose())])
}

/// The tags of C4, C5 and ACK.
#[derive(Clone, Debug)]
pub struct Tags {
    all: Secret<48>,
    len: u8,
}

impl Tags {
    /// None yet: a place for [`derive`](Self::derive) to fill.
    pub const fn none() -> Self {
        Self { all: Secret::zero(), len: 0 }
    }
    /// `c4 || c5 || ack = KDF(prk, 0, "tag", th_4)`. The three messages carry nothing but their tag, so one transcript
    /// serves; each tag is sent by one side, once.
    pub fn derive(&mut self, suite: &Suite, prk: &Prk, th_4: &Transcript) {
        self.len = suite.mac_len as u8;
        if let Some(out) = self.all.as_mut().get_mut(..suite.mac_len.saturating_mul(3)) {
            prk.expand("tag", &[th_4.as_bytes()], out);
        }
    }
    fn at(&self, index: usize) -> &[u8] {
        let len = usize::from(self.len);
        let start = len.saturating_mul(index);
        self.all.expose().get(start..start.saturating_add(len)).unwrap_or(&[])
    }
    /// The responder's challenge.
    pub fn c4(&self) -> &[u8] {
        self.at(0)
    }
    /// The initiator's response.
    pub fn c5(&self) -> &[u8] {
        self.at(1)
    }
    /// The responder's acknowledgement.
    pub fn ack(&self) -> &[u8] {
        self.at(2)
    }
}

/// What answers a C1 under a triple that is gone: `KDF(aux of that triple, 0, "gone", th_1 || tag of C1)`.
pub fn gone_tag(aux: &Secret<32>, th_1: &Transcript, c1_tag: &[u8]) -> [u8; 16] {
    let mut tag = [0; 16];
    Prk::new(NAME, aux.expose()).expand("gone", &[th_1.as_bytes(), c1_tag], &mut tag);
    tag
}

/// The digest of a log's element in an update: `KDF(aux, 0, "log." element's name, element)`, 16 bytes.
pub fn log_digest(aux: &Prk, label: &'static str, element: &[u8]) -> [u8; 16] {
    let mut digest = [0; 16];
    aux.expand(label, &[element], &mut digest);
    digest
}

/// The tag of an update message: `KDF(master, 0, label, side || body)`, 16 bytes; `side` says who sent it.
pub fn update_tag(master: &Prk, label: &str, from_initiator: bool, body: &[u8]) -> [u8; 16] {
    let mut tag = [0; 16];
    master.expand(label, &[&[u8::from(from_initiator)], body], &mut tag);
    tag
}

/// The new triple: `chain = KDF(lv(dh), KDF(master, 0, "chain"), "upd", th)`, elements `KDF(chain, 0, "sk"|"t"|"li",
/// digest)` of Data, T and LI of the record. A guessable element still gives a strong key.
pub fn next_triple(master: &Prk, th: &Transcript, dh: &[u8], record: [&[u8; 16]; 3], generation: u32) -> Triple {
    let chain: Secret<32> = master.secret("chain", &[]);
    let root: Secret<32> = Prk::extract(NAME, &[chain.expose()], &[dh]).secret("upd", &[th.as_bytes()]);
    let prk = Prk::new(NAME, root.expose());
    let [t, li, data] = record;
    Triple::new(prk.secret("sk", &[data]), prk.secret("t", &[t]), prk.secret("li", &[li]), generation)
}

/// What pairing derives everything from: `K_P = KDF(ISK, 0, "pair")`.
pub fn pairing_key(isk: &[u8]) -> Secret<32> {
    Prk::extract(NAME, &[], &[isk]).secret("pair", &[])
}

/// A pairing message's tag: `KDF(K_P, 0, label, th)`, 16 bytes.
pub fn pairing_tag(k_p: &Secret<32>, label: &str, th: &Transcript) -> [u8; 16] {
    let mut tag = [0; 16];
    Prk::new(NAME, k_p.expose()).expand(label, &[th.as_bytes()], &mut tag);
    tag
}

/// The key under which a side's T and LI travel: `KDF(K_P, 0, label, th)`; nonce all zero, the key is used once.
pub fn pairing_seal(k_p: &Secret<32>, label: &str, th: &Transcript) -> Secret<32> {
    Prk::new(NAME, k_p.expose()).secret(label, &[th.as_bytes()])
}

/// The first triple: `KDF(K_P, 0, "sk"|"t"|"li", value)`, each with the PAKE's entropy, so that guessing SK, T or LI
/// offline leads nowhere.
pub fn first_triple(k_p: &Secret<32>, sk: &[u8], time: u64, place: &[u8]) -> Triple {
    let prk = Prk::new(NAME, k_p.expose());
    Triple::new(prk.secret("sk", &[sk]), prk.secret("t", &[&time.to_be_bytes()]), prk.secret("li", &[place]), 0)
}
