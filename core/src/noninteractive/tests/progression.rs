use super::*;
use crate::crypto::PrimeGroup;
use crate::crypto::group::{Dh, GroupError, Scalar};
use crate::crypto::hpke::Kem;
use crate::crypto::keys::{GrowingKey, KeyError, KeySlot, StaticKey, StaticKeys, Step};
use crate::engine::wire::{Reader, Writer};
use crate::noninteractive::keys;
use crate::noninteractive::progress::{Parties, Progress};
use std::vec::Vec;

/// Both sides at epoch 1, with their static keys.
struct Pair<const N: usize, const SHARE: usize> {
    setting: &'static Setting,
    parties: [Parties; 2],
    y: [[u8; N]; 2],
    at: [Progress<N>; 2],
    keys: [GrowingKey<SHARE>; 2],
}

fn pair<const N: usize, const SHARE: usize>(setting: &'static Setting) -> Pair<N, SHARE> {
    let (rng, group) = (&mut Seeded(20), setting.group);
    let mut statics = || {
        let key = StaticKey::<SHARE>::generate(KeySlot(1), setting.kem, rng).unwrap();
        GrowingKey::new(key, group).unwrap()
    };
    let keys = [statics(), statics()];
    let element = |share: &[u8]| {
        let mut element = [0; N];
        group.element_of_share(share, &mut element).unwrap();
        element
    };
    let mut once = || {
        let (mut n, mut share) = (Secret::zero(), [0; SHARE]);
        group.generate(rng, &mut n, &mut share).unwrap();
        (n, element(&share))
    };
    let [(n_a, g_a), (n_s, g_s)] = [once(), once()];
    let parties = |a: bool| Parties { bind: [5; 32], a, slot: KeySlot(1) };
    let root = || Secret::new([3; 32]);
    Pair {
        setting,
        parties: [parties(true), parties(false)],
        y: [element(keys[1].key().share()), element(keys[0].key().share())],
        at: [
            Progress::start(setting, root(), n_a, &g_s).unwrap(),
            Progress::start(setting, root(), n_s, &g_a).unwrap(),
        ],
        keys,
    }
}

fn both<const N: usize, const SHARE: usize>(pair: &mut Pair<N, SHARE>) -> Secret<32> {
    let [a, s] = [0, 1].map(|i| pair.at[i].key(pair.setting, &pair.parties[i], &pair.y[i], &pair.keys[i]).unwrap());
    assert_eq!(a, s);
    a
}

fn both_sides_agree<const N: usize, const SHARE: usize>(setting: &'static Setting, epochs: u32) {
    let mut pair = pair::<N, SHARE>(setting);
    let mut seen: Vec<Secret<32>> = Vec::new();
    for epoch in 1..=epochs {
        pair.at.iter_mut().for_each(|at| at.advance(setting, epoch).unwrap());
        let key = both(&mut pair);
        assert!(!seen.contains(&key), "epoch {epoch}");
        seen.push(key);
    }
    // A jump leads to the same key as going step by step.
    let mut jumped = self::pair::<N, SHARE>(setting);
    jumped.at[1].advance(setting, epochs).unwrap();
    jumped.at[0] = pair.at[0].clone();
    assert_eq!(both(&mut jumped), seen[seen.len() - 1]);
}

#[test]
fn every_group() {
    both_sides_agree::<32, 32>(&SETTING_0, 6);
    both_sides_agree::<65, 32>(&SETTING_2, 6);
    both_sides_agree::<256, 256>(&SETTING_FFC2048, 2);
}

/// The paper's own equation, written out with exponents.
#[test]
fn is_the_papers_equation() {
    let mut pair = pair::<65, 32>(&SETTING_2);
    let (group, zero) = (SETTING_2.group, Secret::zero());
    let parties = pair.parties[0].clone();
    let mul = |a: &Scalar, b: &Scalar| {
        let mut out = Secret::zero();
        group.mul_add(a, b, &zero, &mut out).unwrap();
        out
    };
    let base = |k: &Scalar| {
        let mut out = [0; 65];
        group.base(k, &mut out);
        out
    };
    // x_X,t = x_X,0 h(X, g^K_X,t) + K_X,t; K_t = KDF(g^(x_A,t x_S,t)).
    let x = |i: usize, k: &Scalar| {
        let (mut h, mut x) = (Secret::zero(), Secret::zero());
        keys::step_hash(&SETTING_2, &parties.bind, i == 0, 1, &base(k), &mut h).unwrap();
        group.mul_add(pair.keys[i].key().scalar(), &h, k, &mut x).unwrap();
        x
    };
    let ks: Vec<Scalar> = pair.at.iter().map(stored_k).collect();
    let exponent = mul(&x(0, &ks[0]), &x(1, &ks[1]));
    let chain = keys::next_chain(&Secret::new([3; 32]));
    let expected = keys::epoch_key(&chain, &base(&exponent), 1);
    assert_eq!(both(&mut pair), expected);
}

fn stored_k<const N: usize>(progress: &Progress<N>) -> Scalar {
    let mut text = [0; 1000];
    progress.write(&mut Writer::new(&mut text));
    Secret::new(text[36..68].try_into().unwrap())
}

#[test]
fn stored_and_read_again() {
    let mut pair = pair::<65, 32>(&SETTING_2);
    pair.at[0].advance(&SETTING_2, 3).unwrap();
    let mut text = [0; Progress::<65>::LEN];
    let mut w = Writer::new(&mut text);
    pair.at[0].write(&mut w);
    assert_eq!(w.finish(), Ok(Progress::<65>::LEN));
    pair.at[0] = Progress::read(&mut Reader::new(&text)).unwrap();
    pair.at[1].advance(&SETTING_2, 3).unwrap();
    both(&mut pair);
}

/// Everything that a state seized at epoch t holds, both sides' with static keys, tried on every epoch before: neither a
/// field as it is, nor what the equations make of it, is a key of an earlier epoch or leads to one.
#[test]
fn a_seized_state_opens_nothing_before() {
    let mut pair = pair::<65, 32>(&SETTING_2);
    let mut past = Vec::new();
    for epoch in 1..5 {
        pair.at.iter_mut().for_each(|at| at.advance(&SETTING_2, epoch).unwrap());
        past.push(both(&mut pair));
    }
    pair.at.iter_mut().for_each(|at| at.advance(&SETTING_2, 5).unwrap());
    let mut loot: Vec<Secret<32>> = Vec::new();
    for (at, key) in pair.at.iter().zip(&pair.keys) {
        let mut text = [0; Progress::<65>::LEN];
        at.write(&mut Writer::new(&mut text));
        loot.extend(text.windows(32).map(|window| Secret::new(window.try_into().unwrap())));
        loot.push(key.key().scalar().clone());
    }
    for secret in loot {
        assert!(!past.contains(&secret));
        // As chain, with the true exponents and products: only the chain of that epoch gives its key.
        for epoch in 1..5 {
            let mut forged = self::pair::<65, 32>(&SETTING_2);
            let n = stored_k(&forged.at[0]);
            let mut at = Progress::start(&SETTING_2, secret.clone(), n, &[0; 65]).unwrap();
            at.advance(&SETTING_2, epoch).unwrap();
            forged.at[0].advance(&SETTING_2, epoch).unwrap();
            assert_ne!(at.lag_tag(true, epoch), forged.at[0].lag_tag(true, epoch));
        }
    }
    // Going back is not offered: a state stays where it is.
    let here = pair.at[0].lag_tag(true, 5);
    pair.at[0].advance(&SETTING_2, 2).unwrap();
    assert_eq!((pair.at[0].epoch(), pair.at[0].lag_tag(true, 5)), (5, here));
}

/// A group that counts its operations.
struct Counting;

static COUNTS: std::sync::Mutex<[usize; 3]> = std::sync::Mutex::new([0; 3]);
static COUNTING: Setting = Setting { group: &Counting, ..SETTING_2 };

fn count(i: usize) {
    COUNTS.lock().unwrap()[i] += 1;
}

impl Dh for Counting {
    fn share_len(&self) -> usize {
        SETTING_2.group.share_len()
    }
    fn secret_len(&self) -> usize {
        SETTING_2.group.secret_len()
    }
    fn generate(&self, rng: &mut dyn Rng, scalar: &mut Scalar, share: &mut [u8]) -> Result<(), GroupError> {
        SETTING_2.group.generate(rng, scalar, share)
    }
    fn agree(&self, scalar: &Scalar, share: &[u8], out: &mut [u8]) -> Result<(), GroupError> {
        SETTING_2.group.agree(scalar, share, out)
    }
}

impl PrimeGroup for Counting {
    fn element_len(&self) -> usize {
        65
    }
    fn random_scalar(&self, rng: &mut dyn Rng, scalar: &mut Scalar) -> Result<(), GroupError> {
        SETTING_2.group.random_scalar(rng, scalar)
    }
    fn one(&self) -> Scalar {
        SETTING_2.group.one()
    }
    fn reduce(&self, wide: &[u8; 48], scalar: &mut Scalar) -> Result<(), GroupError> {
        SETTING_2.group.reduce(wide, scalar)
    }
    fn mul_add(&self, a: &Scalar, b: &Scalar, c: &Scalar, out: &mut Scalar) -> Result<(), GroupError> {
        SETTING_2.group.mul_add(a, b, c, out)
    }
    fn base(&self, scalar: &Scalar, out: &mut [u8]) {
        count(0);
        SETTING_2.group.base(scalar, out);
    }
    fn power(&self, element: &[u8], scalar: &Scalar, out: &mut [u8]) -> Result<(), GroupError> {
        count(1);
        SETTING_2.group.power(element, scalar, out)
    }
    fn double_power(&self, a: &[u8], x: &Scalar, b: &[u8], y: &Scalar, out: &mut [u8]) -> Result<(), GroupError> {
        count(2);
        SETTING_2.group.double_power(a, x, b, y, out)
    }
    fn element_of_share(&self, share: &[u8], element: &mut [u8]) -> Result<(), GroupError> {
        SETTING_2.group.element_of_share(share, element)
    }
    fn share_of_element(&self, element: &[u8], share: &mut [u8]) -> Result<(), GroupError> {
        SETTING_2.group.share_of_element(element, share)
    }
}

/// A token that is slow at first.
struct Slow<'a>(&'a GrowingKey<32>, std::cell::Cell<u8>);

impl StaticKeys for Slow<'_> {
    fn public_key(&self, slot: KeySlot, kem: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError> {
        self.0.public_key(slot, kem, share)
    }
    fn agree(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        self.0.agree(slot, kem, share, secret)
    }
    fn step(&self, slot: KeySlot, kem: &dyn Kem, step: &Step<'_>, out: &mut [u8]) -> Result<(), KeyError> {
        match self.1.get().checked_sub(1) {
            Some(left) => {
                self.1.set(left);
                Err(KeyError::Pending)
            }
            None => self.0.step(slot, kem, step, out),
        }
    }
}

#[test]
fn three_group_operations_however_many_epochs() {
    let mut pair = pair::<65, 32>(&COUNTING);
    for jump in [1, 1, 40, 1000] {
        let to = pair.at[0].epoch() + jump;
        *COUNTS.lock().unwrap() = [0; 3];
        pair.at[0].advance(&COUNTING, to).unwrap();
        pair.at[0].lag_tag(true, to + 7);
        assert_eq!(*COUNTS.lock().unwrap(), [0; 3], "hashing alone");
        pair.at[0].key(pair.setting, &pair.parties[0], &pair.y[0], &pair.keys[0]).unwrap();
        assert_eq!(*COUNTS.lock().unwrap(), [1; 3]);
    }
}

#[test]
fn a_slow_token_is_asked_again() {
    let mut pair = pair::<65, 32>(&SETTING_2);
    let slow = Slow(&pair.keys[0], std::cell::Cell::new(2));
    for _ in 0..2 {
        assert_eq!(pair.at[0].key(pair.setting, &pair.parties[0], &pair.y[0], &slow).unwrap_err(), KeyError::Pending);
    }
    let a = pair.at[0].key(pair.setting, &pair.parties[0], &pair.y[0], &slow).unwrap();
    assert_eq!(a, pair.at[1].key(pair.setting, &pair.parties[1], &pair.y[1], &pair.keys[1]).unwrap());
    // A token that has no such operation says so.
    struct Plain<'a>(&'a StaticKey);
    impl StaticKeys for Plain<'_> {
        fn public_key(&self, slot: KeySlot, kem: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError> {
            self.0.public_key(slot, kem, share)
        }
        fn agree(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
            self.0.agree(slot, kem, share, secret)
        }
    }
    let plain = Plain(pair.keys[0].key());
    assert_eq!(pair.at[0].key(pair.setting, &pair.parties[0], &pair.y[0], &plain).unwrap_err(), KeyError::NoKey);
}
