//! What the Hardened profile of section 3 must resist: credentials, and state seized later.

use crate::hardened::{Loot, pair, stored};
use iotkm::cose::{Refused, TicketAgent};
use iotkm::crypto::group::Scalar;
use iotkm::crypto::keys::{StaticKeys, Step};
use iotkm::crypto::{Rng, Secret};
use iotkm::noninteractive::credential::Credential;
use iotkm::noninteractive::issue::{OperatorKey, accept, check, request};
use iotkm::noninteractive::keys;
use iotkm::noninteractive::setting::{SETTING_0, SETTING_2, SETTING_FFC2048};
use iotkm::noninteractive::{Operator, Setting};
use iotkm::{Device, UnixTime};
use iotkm_attacks::tickets::{AGENT, NAMES, VALID, agent as lists};
use iotkm_netsim::SimRng;

const NOW: u32 = VALID.0 as u32;

fn at(seconds: u64) -> Option<UnixTime> {
    Some(UnixTime(seconds * 1_000))
}

fn numbers() -> TicketAgent {
    let mut agent = TicketAgent::new(AGENT).unwrap();
    agent.seal(&Device::new(Secret::new([7; 32])), &mut [0; 200]).unwrap();
    agent.persisted();
    agent
}

fn operator<'a, const SHARE: usize>(setting: &'static Setting, key: &'a OperatorKey<SHARE>) -> Operator<'a> {
    Operator { name: AGENT, setting, key: key.share(), lists: lists().key }
}

/// k1, and the operator's answer for the lamp.
fn issued<const SHARE: usize>(
    setting: &'static Setting,
    key: &OperatorKey<SHARE>,
    rng: &mut SimRng,
) -> (Scalar, Vec<u8>) {
    let (mut asked, mut answer) = ([0; 500], vec![0; 500]);
    let (len, k1) = request(setting, NAMES[0], rng, &mut asked).unwrap();
    let len = key.issue(&mut numbers(), rng, NOW, 24, &asked[..len], &mut answer).unwrap();
    answer.truncate(len);
    (k1, answer)
}

// ---- swapped ids ----

/// The lamp's r under another name, another serial, another time: its public key is not the lamp's, nor is anybody's known.
#[test]
fn swapped_ids() {
    for setting in [&SETTING_0, &SETTING_2] {
        let rng = &mut SimRng::new(1);
        let key = OperatorKey::<32>::generate(setting, rng).unwrap();
        let ours = operator(setting, &key);
        let (k1, answer) = issued(setting, &key, rng);
        let (credential, x) = accept(&ours, NAMES[0], &k1, &answer, at(NOW.into()), 0).unwrap();
        let mut real = vec![0; setting.group.element_len()];
        ours.public_key(&credential, &mut real).unwrap();
        let changed = [
            Credential { subject: NAMES[1], ..credential },
            Credential { serial: credential.serial + 1, ..credential },
            Credential { life: credential.life * 2, ..credential },
            Credential { issued_at: credential.issued_at + 1, ..credential },
        ];
        for forged in changed {
            let mut y = vec![0; setting.group.element_len()];
            if ours.public_key(&forged, &mut y).is_ok() {
                assert_ne!(y, real, "{forged:?}");
            }
            assert!(check(&ours, forged.subject, &forged, &x, None, 0).is_err(), "{forged:?}");
        }
    }
}

// ---- r of another operator, or chosen ----

#[test]
fn r_of_another_operator() {
    for setting in [&SETTING_0, &SETTING_2] {
        let rng = &mut SimRng::new(2);
        let keys = [(); 2].map(|()| OperatorKey::<32>::generate(setting, rng).unwrap());
        let (ours, theirs) = (operator(setting, &keys[0]), operator(setting, &keys[1]));
        let (k1, answer) = issued(setting, &keys[1], rng);
        let (credential, x) = accept(&theirs, NAMES[0], &k1, &answer, None, 0).unwrap();
        assert!(check(&ours, NAMES[0], &credential, &x, None, 0).is_err());
        assert!(accept(&ours, NAMES[0], &k1, &answer, None, 0).is_err());
    }
}

/// Who picks r so that y comes out right would have to know r before h, which has r in it: g^x / y_Z^h is never that r.
#[test]
fn r_that_is_made_to_fit() {
    let (setting, rng) = (&SETTING_0, &mut SimRng::new(3));
    let key = OperatorKey::<32>::generate(setting, rng).unwrap();
    let ours = operator(setting, &key);
    let group = setting.group;
    let mut r = [0; 32];
    group.base(&group.one(), &mut r);
    for round in 0..200u32 {
        // x is hers; r = g^x y_Z^-h for the h of the r before.
        let (mut x, mut h, mut minus) = (Scalar::zero(), Scalar::zero(), Scalar::zero());
        group.random_scalar(rng, &mut x).unwrap();
        let before = r;
        let credential = Credential { serial: round, issued_at: NOW, life: 24, subject: NAMES[0], r: &before };
        keys::credential_hash(setting, AGENT, key.share(), &credential, &mut h).unwrap();
        negate(setting, &h, &mut minus);
        let mut g = [0; 32];
        group.base(&group.one(), &mut g);
        group.double_power(key.share(), &minus, &g, &x, &mut r).unwrap();
        let forged = Credential { r: &r, ..credential };
        assert!(check(&ours, NAMES[0], &forged, &x, None, 0).is_err());
    }
}

/// `-a`: ristretto255's order is little-endian.
fn negate(setting: &Setting, a: &Scalar, out: &mut Scalar) {
    let mut less_one = [0; 32];
    less_one[..16].copy_from_slice(&0x14de_f9de_a2f7_9cd6_5812_631a_5cf5_d3ec_u128.to_le_bytes());
    less_one[31] = 0x10;
    setting.group.mul_add(a, &Scalar::new(less_one), &Scalar::zero(), out).unwrap();
}

// ---- r outside the subgroup ----

#[test]
fn r_outside_the_subgroup() {
    let rng = &mut SimRng::new(4);
    let key = OperatorKey::<256>::generate(&SETTING_FFC2048, rng).unwrap();
    let ours = operator(&SETTING_FFC2048, &key);
    let (k1, answer) = issued(&SETTING_FFC2048, &key, rng);
    let (good, _) = accept(&ours, NAMES[0], &k1, &answer, None, 0).unwrap();
    let number = |low: u8| {
        let mut number = [0; 256];
        number[255] = low;
        number
    };
    let mut random = [0; 256];
    rng.fill(&mut random).unwrap();
    random[0] &= 0x7f;
    for r in [number(0), number(1), number(2), number(3), random, [0xff; 256]] {
        let credential = Credential { r: &r, ..good };
        assert_eq!(ours.public_key(&credential, &mut [0; 256]), Err(Refused::Key));
    }
    // ristretto255: the identity, a negative number, one above p; P-256: no point has these x.
    let (mut odd, mut one, mut two) = ([0; 32], [0; 32], [0; 32]);
    (odd[0], one[31], two[31]) = (1, 1, 2);
    for (setting, outside) in [(&SETTING_0, [[0; 32], odd, [0xff; 32]]), (&SETTING_2, [one, two, [0xff; 32]])] {
        let key = OperatorKey::<32>::generate(setting, rng).unwrap();
        let mut y = vec![0; setting.group.element_len()];
        for r in outside {
            let credential = Credential { r: &r, ..good };
            assert_eq!(operator(setting, &key).public_key(&credential, &mut y), Err(Refused::Key), "{r:02x?}");
        }
    }
}

// ---- expired and revoked ----

#[test]
fn credentials_that_are_over() {
    let rng = &mut SimRng::new(5);
    let key = OperatorKey::<32>::generate(&SETTING_0, rng).unwrap();
    let ours = operator(&SETTING_0, &key);
    let (k1, answer) = issued(&SETTING_0, &key, rng);
    let end = u64::from(NOW) + 24 * 3_600;
    let taken = |wall, floor| accept(&ours, NAMES[0], &k1, &answer, wall, floor).map(|_| ());
    assert_eq!(taken(at(end - 1), 0), Ok(()));
    for (wall, floor) in [(at(end), 0), (None, end), (at(end - 1), end)] {
        assert_eq!(taken(wall, floor), Err(Refused::Expired));
    }
    assert_eq!(taken(at(u64::from(NOW) - 301), 0), Err(Refused::NotYetValid));
}

// ---- state seized later ----

/// Both sides' whole state in epoch 5, both static keys too: no key of epochs 1 to 4 is in it, nor comes of it by hashing.
#[test]
fn both_states_seized_later() {
    let [mut a, mut s] = pair::<32, 32>(&SETTING_0, 6);
    let past: Vec<_> = (1..=4).map(|t| a.key_of(t)).collect();
    for (t, key) in (1..).zip(&past) {
        assert_eq!(s.key_of(t), *key);
    }
    assert_eq!(a.key_of(5), s.key_of(5));
    let loot: Vec<Secret<32>> = [stored(&a.at), stored(&s.at)]
        .iter()
        .flat_map(|text| text.windows(32).map(|window| Secret::new(window.try_into().unwrap())).collect::<Vec<_>>())
        .chain([a.key.key().scalar().clone(), s.key.key().scalar().clone(), Secret::new(a.parties.bind)])
        .collect();
    for secret in loot {
        assert!(!past.contains(&secret));
        let mut chain = secret;
        for _ in 0..8 {
            for product in [&Loot::of(&a.at).r[..], &Loot::of(&s.at).r, &a.y, &s.y, &[]] {
                assert!((1..).zip(&past).all(|(t, key)| keys::epoch_key(&chain, product, t) != *key));
            }
            chain = keys::next_chain(&chain);
        }
    }
}

/// All of a side but its static key, which is in a secure element: later epochs need that key.
#[test]
fn state_without_the_static_key() {
    let [mut a, mut s] = pair::<32, 32>(&SETTING_0, 7);
    assert_eq!(a.key_of(3), s.key_of(3));
    let mut stolen = a.at.clone();
    let real = s.key_of(4);
    stolen.advance(&SETTING_0, 4).unwrap();
    let [mut other, _] = pair::<32, 32>(&SETTING_0, 8);
    other.at = stolen.clone();
    other.parties = a.parties.clone();
    assert_ne!(other.key_of(4), real, "with a static key of her own");
    // y_S,t^K_A,t alone, and with what is public in place of the rest.
    let loot = Loot::of(&{
        other.key_of(4);
        other.at.clone()
    });
    let zero_h = Step { h: &Scalar::zero(), k: &loot.k, a: &a.y, u: &SETTING_0.group.one(), b: &loot.r };
    let mut product = [0; 32];
    other.key.step(a.parties.slot, SETTING_0.kem, &zero_h, &mut product).unwrap();
    for guess in [product, loot.r, a.y] {
        assert_ne!(keys::epoch_key(&loot.chain, &guess, 4), real);
    }
}

/// What the page says that it does not resist: with the static key the future is open until the next phase 1.
#[test]
fn not_resisted_state_and_static_key_open_what_comes() {
    let [mut a, mut s] = pair::<32, 32>(&SETTING_0, 9);
    assert_eq!(a.key_of(3), s.key_of(3));
    let mut stolen = a.at.clone();
    stolen.advance(&SETTING_0, 9).unwrap();
    assert_eq!(stolen.key(&SETTING_0, &a.parties, &a.y, &a.key).unwrap(), s.key_of(9));
}
