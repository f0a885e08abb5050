//! The key schedule: one function for each equation of `spec.md`.

use super::Setting;
use super::credential::Credential;
use crate::crypto::group::{GroupError, Scalar};
use crate::crypto::{Prk, Secret};
use crate::engine::transcript::Transcript;
use crate::phase1::keys::Numbers;

/// The scheme's name in every info string: short, so that a label of four letters and a transcript fit one block of SHA-256.
pub const NAME: &str = "nonint";
/// Length of a lag message's tag in bytes.
pub const LAG_LEN: usize = 16;
/// Length of a lag message's pre-tag in bytes.
pub const PRE_LEN: usize = 4;

/// `Scalar(prk, label, context)`: 48 bytes, reduced; zero is refused.
fn scalar(setting: &Setting, prk: &Prk, label: &str, context: &[&[u8]], out: &mut Scalar) -> Result<(), GroupError> {
    setting.group.reduce(prk.secret::<48>(label, context).expose(), out)
}

/// `h(ID, r)` of issuing: `Scalar(lv(operator, y_Z, KEM, id, iat, life, serial, r), "issue")`.
///
/// # Errors
/// It is zero.
pub fn credential_hash(
    setting: &Setting,
    operator: &str,
    yz: &[u8],
    credential: &Credential<'_>,
    h: &mut Scalar,
) -> Result<(), GroupError> {
    let Credential { serial, issued_at, life, subject, r } = credential;
    let (iat, life, serial) = (issued_at.to_be_bytes(), life.to_be_bytes(), serial.to_be_bytes());
    let fields: [&[u8]; 8] =
        [operator.as_bytes(), yz, setting.kem.label(), subject.as_bytes(), &iat, &life, &serial, r];
    scalar(setting, &Prk::extract(NAME, &[], &fields), "issue", &[], h)
}

/// `h(ID_X, r_X,t)` of the progression: `Scalar(lv(bind, r_X,t), "step", side | t)`; `bind` stands for both credentials.
///
/// # Errors
/// It is zero.
pub fn step_hash(
    setting: &Setting,
    bind: &[u8; 32],
    a: bool,
    epoch: u32,
    r: &[u8],
    h: &mut Scalar,
) -> Result<(), GroupError> {
    let prk = Prk::extract(NAME, &[], &[bind, r]);
    scalar(setting, &prk, "step", &[&[u8::from(a)], &epoch.to_be_bytes()], h)
}

/// `PMK = KDF(lv(N_A1, N_S1, K_DH, psk), 0, "pmk", th_3)`.
pub fn pmk(a: &Numbers, s: &Numbers, dh: &[u8], psk: Option<&Secret<32>>, th_3: &Transcript) -> Secret<32> {
    let psk: &[u8] = psk.map_or(&[], |psk| psk.expose());
    Prk::extract(NAME, &[], &[a.n1.expose(), s.n1.expose(), dh, psk]).secret("pmk", &[th_3.as_bytes()])
}

/// What chain and session come from: `extract(PMK, N_A0, N_S0)`.
pub fn base_prk(pmk: &Secret<32>, a: &Numbers, s: &Numbers) -> Prk {
    Prk::extract(NAME, &[pmk.expose()], &[a.n0.expose(), s.n0.expose()])
}

/// The root, chain_0: `expand(prk, "base", th_4)`.
pub fn root(prk: &Prk, th_4: &Transcript) -> Secret<32> {
    prk.secret("base", &[th_4.as_bytes()])
}

/// `chain_{t+1} = KDF(chain_t, 0, "chain")`; chain_0 is the root.
pub fn next_chain(chain: &Secret<32>) -> Secret<32> {
    Prk::new(NAME, chain.expose()).secret("chain", &[])
}

/// `V_t = Scalar(KDF(chain_t, 0, "v"))`.
///
/// # Errors
/// It is zero.
pub fn v(setting: &Setting, chain: &Secret<32>, v: &mut Scalar) -> Result<(), GroupError> {
    scalar(setting, &Prk::new(NAME, chain.expose()), "v", &[], v)
}

/// `K_t = KDF(y_S,t^x_A,t, chain_t, "epoch", t)`.
pub fn epoch_key(chain: &Secret<32>, product: &[u8], epoch: u32) -> Secret<32> {
    Prk::extract(NAME, &[chain.expose()], &[product]).secret("epoch", &[&epoch.to_be_bytes()])
}

/// The tag by which A (`a`) or S says that it is in epoch t: `KDF(chain_t, 0, "lag", side | t)`.
pub fn lag_tag(chain: &Secret<32>, a: bool, epoch: u32) -> [u8; LAG_LEN] {
    let mut tag = [0; LAG_LEN];
    Prk::new(NAME, chain.expose()).expand("lag", &[&[u8::from(a)], &epoch.to_be_bytes()], &mut tag);
    tag
}

/// What is looked at before any chain is moved: `KDF(resume root, 0, "pre", side | t)`.
pub fn lag_pre(root: &Secret<32>, a: bool, epoch: u32) -> [u8; PRE_LEN] {
    let mut pre = [0; PRE_LEN];
    Prk::new(NAME, root.expose()).expand("pre", &[&[u8::from(a)], &epoch.to_be_bytes()], &mut pre);
    pre
}
