//! Phase 1's key schedule: one function for each equation of `interactive/spec.md`, section 4. `name` is the scheme's in
//! every info string.

use crate::crypto::hpke::Exporter;
use crate::crypto::kdf::hash;
use crate::crypto::{Prk, Secret};
use crate::engine::transcript::Transcript;
use crate::engine::wire::Reader;

/// Length of R in bytes.
pub const NONCE_LEN: usize = 8;
/// Length of N_0 and N_2 in bytes.
pub const N_LEN: usize = 16;
/// Length of a hint in bytes.
pub const HINT_LEN: usize = 4;
/// Length of M3's pre-tag in bytes.
pub const PRE_LEN: usize = 4;
/// Length of a tag by which a master key is replaced, in bytes.
pub const LONG_TAG: usize = 16;

/// The profile's number in th_0.
pub const HARDENED: u8 = 1;

/// Hash of a whole ticket: `cred`.
pub type Cred = [u8; 32];

/// `cred = H(T)`.
pub fn cred(ticket: &[u8]) -> Cred {
    hash(&[ticket])
}

/// `th_0 = H(lv(name, profile || 1))`, moved on by A's ticket and M1 without its tag: `th_1`.
pub fn th_1(name: &'static str, cred_a: &Cred, m1: &[u8]) -> Transcript {
    Transcript::new(&[name.as_bytes(), &[HARDENED, 1]]).then(&[cred_a, m1])
}

/// The tag of M1 on a rekey: `KDF(PMK, 0, "m1", th_1)`.
pub fn m1_tag(name: &'static str, pmk: &Secret<32>, th_1: &Transcript) -> [u8; LONG_TAG] {
    let mut tag = [0; LONG_TAG];
    Prk::new(name, pmk.expose()).expand("m1", &[th_1.as_bytes()], &mut tag);
    tag
}

/// HPKE's info in M2, `H(th_1 || tag_1 || cred_S || M2 up to g^NS)`; `tag_1` is empty but on a rekey.
pub fn info_2(th_1: &Transcript, tag_1: &[u8], cred_s: &Cred, head: &[&[u8]]) -> Transcript {
    let [front, rest] = [head.first(), head.get(1)].map(|part| part.copied().unwrap_or(&[]));
    th_1.then(&[tag_1, cred_s, front, rest])
}

/// HPKE's info in M3, `H(th_2 || tag_2 || M3 up to g^NA)`.
pub fn info_3(th_2: &Transcript, tag_2: &[u8], head: &[u8]) -> Transcript {
    th_2.then(&[tag_2, head])
}

/// The three numbers that one side "encrypts" to the other: exports of its HPKE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// N_0: kept, and part of every later session key.
    pub n0: Secret<N_LEN>,
    /// N_1: part of PMK.
    pub n1: Secret<32>,
    /// N_2: part of the tags that confirm.
    pub n2: Secret<N_LEN>,
}

/// `N_S0 || N_S1 || N_S2 || E_2 = Export("m2", 96)`.
pub fn m2_numbers(exporter: &Exporter) -> (Numbers, Secret<32>) {
    let all: Secret<96> = exporter.secret(&[b"m2"]);
    let mut r = Reader::new(all.expose());
    (numbers(&mut r), part(&mut r))
}

/// `N_A0 || N_A1 || N_A2 = Export("m3", 64)`.
pub fn m3_numbers(exporter: &Exporter) -> Numbers {
    let all: Secret<64> = exporter.secret(&[b"m3"]);
    numbers(&mut Reader::new(all.expose()))
}

fn numbers(r: &mut Reader<'_>) -> Numbers {
    Numbers { n0: part(r), n1: part(r), n2: part(r) }
}

/// The lengths above add up: there is always as much left.
fn part<const N: usize>(r: &mut Reader<'_>) -> Secret<N> {
    r.secret().unwrap_or(Secret::zero())
}

/// The tag of M2: `KDF(E_2, 0, "m2", th_2)`.
pub fn m2_tag(name: &'static str, e_2: &Secret<32>, th_2: &Transcript, tag: &mut [u8]) {
    Prk::new(name, e_2.expose()).expand("m2", &[th_2.as_bytes()], tag);
}

/// The pre-tag of M3, which S checks before it computes anything else: `KDF(E_2, 0, "m3", h_3)`.
pub fn m3_pre(name: &'static str, e_2: &Secret<32>, h_3: &Transcript) -> [u8; PRE_LEN] {
    let mut tag = [0; PRE_LEN];
    Prk::new(name, e_2.expose()).expand("m3", &[h_3.as_bytes()], &mut tag);
    tag
}

/// What both numbers N_1, the ephemeral secret and the psk extract to: `prk`.
pub fn prk(name: &'static str, a: &Numbers, s: &Numbers, dh: &[u8], psk: Option<&Secret<32>>) -> Prk {
    let psk: &[u8] = psk.map_or(&[], |psk| psk.expose());
    Prk::extract(name, &[], &[a.n1.expose(), s.n1.expose(), dh, psk])
}

/// Which of phase 1's last two messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirms {
    /// M3: A has PMK.
    M3,
    /// M4: S has it too.
    M4,
}

/// The tags of M3 and M4: `KDF(PMK, 0, "m3"|"m4", th || N_A2 || N_S2)`; `pmk` is PMK's PRK.
pub fn confirm(pmk: &Prk, which: Confirms, th: &Transcript, [a, s]: [&Numbers; 2], tag: &mut [u8]) {
    let label = match which {
        Confirms::M3 => "m3",
        Confirms::M4 => "m4",
    };
    pmk.expand(label, &[th.as_bytes(), a.n2.expose(), s.n2.expose()], tag);
}

/// Draw number `n` of S for this M1: `KDF(secret of the window, 0, "rand", n || H(M1))`.
pub fn window_draw(name: &'static str, window: &Secret<32>, n: u8, m1: &[u8; 32], out: &mut [u8]) {
    Prk::new(name, window.expose()).expand("rand", &[&[n], m1], out);
}
