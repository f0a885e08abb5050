//! The known breaks of paper 000, section 3: each succeeds on Published and fails on Hardened.

use crate::hardened::{Loot, pair, stored};
use iotkm::crypto::group::{FFC2048, PublishedGroup, Scalar};
use iotkm::crypto::keys::{StaticKeys, Step};
use iotkm::crypto::{PrimeGroup, Secret};
use iotkm::engine::published::encrypt;
use iotkm::noninteractive::Setting;
use iotkm::noninteractive::keys as hardened;
use iotkm::noninteractive::published::keys::{cut, h};
use iotkm::noninteractive::published::{DATA_HEAD, PublishedProgression};
use iotkm::noninteractive::setting::{SETTING_0, SETTING_2, SETTING_FFC2048};
use iotkm_attacks::tickets::NAMES;
use iotkm_attacks::tickets::published::{self, Noninteractive, TERMS};
use iotkm_netsim::Net;

/// One session key is used for so many ms.
const INTERVAL: u64 = TERMS.interval as u64 * 1_000;

/// a and b say something under each of the first `to` session keys: what was sent.
fn traffic(net: &mut Net<Noninteractive, Noninteractive>, to: u32) -> Vec<(u32, Vec<u8>)> {
    let begin = net.now;
    let mut sent = Vec::new();
    for t in 1..=to {
        net.drive(begin + u64::from(t - 1) * INTERVAL + 1_000 - net.now, |_| false);
        for from_a in [true, false] {
            let start = net.trace.len();
            assert!(net.say(from_a, format!("in minute {t}").as_bytes()));
            sent.push((t, net.trace[start].1.clone()));
        }
    }
    net.drive(1_000, |_| false);
    sent
}

/// A recorded message, opened with what somebody takes for its key.
fn open(key: &Secret<32>, message: &[u8]) -> Vec<u8> {
    let (head, text) = message[2..].split_at(DATA_HEAD);
    let mut text = text.to_vec();
    encrypt(key.expose(), u32::from_be_bytes(head[4..].try_into().unwrap()), &mut text);
    text
}

fn named(message: &[u8]) -> u32 {
    u32::from_be_bytes(message[2..6].try_into().unwrap())
}

// ---- all keys, past and future, from one state ----

#[test]
fn every_key_past_and_future_from_one_state_on_published() {
    let (mut net, _) = published::noninteractive(1);
    assert!(published::begin(&mut net));
    let early = traffic(&mut net, 4);
    // In minute 4 somebody copies what one of the devices has stored, once.
    let (_, blob) = net.a.stored[&1].clone();
    let seized = PublishedProgression::restore(&net.a.device, &blob).unwrap();
    let later = traffic(&mut net, 4);

    let mut opened = 0;
    for (_, message) in early.iter().chain(&later) {
        let t = named(message);
        let key = seized.session_key(&FFC2048, t).unwrap();
        assert!(open(&key, message).starts_with(b"in minute "), "session {t}");
        opened += 1;
    }
    assert_eq!((opened, named(&later.last().unwrap().1)), (16, 7), "both directions");
    println!(
        "{opened} of {opened} messages of sessions 1 to 7: one stored state of {} bytes, seized in session 4",
        blob.len()
    );
}

/// What the chain is for: the algebra can be run backwards, hashing cannot.
#[test]
fn no_past_key_from_one_state_on_hardened() {
    let setting = &SETTING_FFC2048;
    let [mut a, mut s] = pair::<256, 256>(setting, 1);
    let mut past = Vec::new();
    for t in 1..=4 {
        let key = a.key_of(t);
        assert_eq!(key, s.key_of(t));
        past.push((key, Loot::of(&a.at)));
    }
    let (third, truth) = &past[2];

    // All of one side is stolen in epoch 4, its static key too. V_4 comes from chain_4: K_3 and r_3 from K_4 and r_4.
    let loot = Loot::of(&a.at);
    let mut v = Scalar::zero();
    hardened::v(setting, &loot.chain, &mut v).unwrap();
    let back = invert(setting, &v, &minus_one().1);
    let (k, mut r) = (mul_add(&loot.k, &back, &Scalar::zero()), [0; 256]);
    setting.group.power(&loot.r, &back, &mut r).unwrap();
    assert_eq!((&k, r), (&truth.k, truth.r), "she is right so far");
    let (mut own, mut h, mut u) = ([0; 256], Scalar::zero(), Scalar::zero());
    setting.group.base(&k, &mut own);
    let parties = &a.parties;
    hardened::step_hash(setting, &parties.bind, true, 3, &own, &mut h).unwrap();
    hardened::step_hash(setting, &parties.bind, false, 3, &r, &mut u).unwrap();
    let (step, mut product) = (Step { h: &h, k: &k, a: &a.y, u: &u, b: &r }, [0; 256]);
    a.key.step(parties.slot, setting.kem, &step, &mut product).unwrap();
    assert_eq!(&hardened::epoch_key(&truth.chain, &product, 3), third, "and here: y^x of epoch 3");

    // The chain of epoch 3 is missing: nothing that she has, or gets from it, is that.
    let mut guesses = vec![loot.chain.clone(), loot.k.clone(), v, back, Secret::zero(), Secret::new(parties.bind)];
    guesses.extend(stored(&a.at).windows(32).map(|window| Secret::new(window.try_into().unwrap())));
    for guess in &guesses {
        for chain in [guess.clone(), hardened::next_chain(guess)] {
            assert!(!past[..3].iter().any(|(key, _)| *key == hardened::epoch_key(&chain, &product, 3)));
        }
    }
    println!(
        "epoch 3 from a state of epoch 4: the exponents come back, {} guesses at chain_3 do not",
        2 * guesses.len()
    );
}

// ---- x_A,0 from two x_A,t ----

/// Modulo q: a b + c.
fn mul_add(a: &Scalar, b: &Scalar, c: &Scalar) -> Scalar {
    let mut out = Scalar::zero();
    FFC2048.mul_add(a, b, c, &mut out).unwrap();
    out
}

/// -1 modulo q, and the exponent q - 2, which inverts.
fn minus_one() -> (Scalar, [u8; 32]) {
    // q has 256 bits, so 2^256 - 1 modulo q is 2^256 - 1 - q.
    let (mut wide, mut rest) = ([0; 48], Scalar::zero());
    wide[16..].fill(0xff);
    FFC2048.reduce(&wide, &mut rest).unwrap();
    let q = rest.expose().map(|byte| !byte);
    let less = |n: u8| {
        let mut out = q;
        out[31] = out[31].checked_sub(n).expect("no borrow, as q ends");
        out
    };
    (Scalar::new(less(1)), less(2))
}

/// `1 / a`, in a group whose exponent q - 2 is this.
fn invert(setting: &Setting, a: &Scalar, exponent: &[u8; 32]) -> Scalar {
    let (group, zero) = (setting.group, Scalar::zero());
    let mut power = group.one();
    for bit in (0..256).map(|i| exponent[i / 8] >> (7 - i % 8) & 1) {
        let mut square = Scalar::zero();
        group.mul_add(&power, &power, &zero, &mut square).unwrap();
        power = square;
        if bit == 1 {
            let mut product = Scalar::zero();
            group.mul_add(&power, a, &zero, &mut product).unwrap();
            power = product;
        }
    }
    power
}

#[test]
fn the_private_key_from_two_session_private_keys_on_published() {
    let (mut net, credential) = published::noninteractive(2);
    assert!(published::begin(&mut net));
    let lamp = net.a.a.progression().unwrap();
    // Two of the lamp's private keys, each of one session and worth no more than that session, says the paper.
    let (t, leaked) = (3, [3, 4].map(|t| lamp.x(&FFC2048, t).unwrap()));
    // The switch knows V, hence every r_A,t.
    let switch = net.b.a.progression().unwrap();
    let v = switch.v().clone();
    let [h_t, h_next] = [t, t + 1].map(|t| {
        let r = switch.peer_r(&FFC2048, t).unwrap();
        Scalar::new(h(NAMES[0].as_bytes(), cut(&FFC2048, &r)))
    });
    let [x_t, x_next] = leaked.map(|x| FFC2048.exponent(cut(&FFC2048, &x)).unwrap());

    // x_t = x_0 h_t + K_t,  x_t+1 = x_0 h_t+1 + K_t V: K_t goes out, x_0 = (x_t V - x_t+1) / (h_t V - h_t+1).
    let ((minus, inverting), zero) = (minus_one(), Scalar::zero());
    let above = mul_add(&x_t, &v, &mul_add(&x_next, &minus, &zero));
    let below = mul_add(&h_t, &v, &mul_add(&h_next, &minus, &zero));
    let x_0 = mul_add(&above, &invert(&SETTING_FFC2048, &below, &inverting), &zero);
    let mut y = [0; 256];
    FFC2048.base(&x_0, &mut y);
    assert_eq!(y, credential.public_key(), "x_A,0: the lamp's for good");
    assert_eq!(&x_0, credential.private_key());
    println!("x_A,0: two x_A,t and V, 4 multiplications and one inversion modulo q");
}

/// The same equation is there; what it needs is nowhere to be had: x_A,t is neither stored nor handed out.
#[test]
fn no_session_private_key_is_ever_there_on_hardened() {
    let [mut a, mut s] = pair::<65, 32>(&SETTING_2, 2);
    let mut seen = Vec::new();
    for t in 1..=4 {
        assert_eq!(a.key_of(t), s.key_of(t));
        for side in [&a, &s] {
            let (mut own, mut h, mut x) = ([0; 65], Scalar::zero(), Scalar::zero());
            SETTING_2.group.base(&Loot::of(&side.at).k, &mut own);
            hardened::step_hash(&SETTING_2, &side.parties.bind, side.parties.a, t, &own, &mut h).unwrap();
            SETTING_2.group.mul_add(side.key.key().scalar(), &h, &Loot::of(&side.at).k, &mut x).unwrap();
            seen.push(x);
        }
        for text in [stored(&a.at), stored(&s.at)] {
            for secret in seen.iter().chain([a.key.key().scalar(), s.key.key().scalar()]) {
                assert!(!text.windows(32).any(|window| window == secret.expose()), "x_A,t or x_A,0 in epoch {t}");
            }
        }
    }
}

// ---- modulo p for exponents ----

#[test]
fn both_sides_disagree_on_published() {
    for seed in 0..4 {
        let (mut net, _) = published::noninteractive(10 + seed);
        assert!(published::begin(&mut net));
        let key = |side: &Noninteractive, t| side.progression().unwrap().session_key(&FFC2048, t).unwrap();
        let first = (1..=12).find(|t| key(&net.a.a, *t) != key(&net.b.a, *t)).expect("they disagree");
        assert!((8..=9).contains(&first));
        assert!((first..=12).all(|t| key(&net.a.a, t) != key(&net.b.a, t)), "and never agree again");

        let sent = traffic(&mut net, first);
        let garbage = &net.b.received[sent.len() / 2 - 1];
        assert_eq!(net.b.received[0], b"in minute 1");
        assert_ne!(garbage, format!("in minute {first}").as_bytes(), "and nobody notices");
        println!("no attack needed: session {first} has two keys");
    }
}

#[test]
fn both_sides_agree_for_ever_on_hardened() {
    let [mut a, mut s] = pair::<32, 32>(&SETTING_0, 3);
    for t in (1..=40).chain([41, 100, 1_000, 5_000]) {
        assert_eq!(a.key_of(t), s.key_of(t), "epoch {t}");
    }
    let [mut a, mut s] = pair::<256, 256>(&SETTING_FFC2048, 4);
    for t in [1, 8, 9, 10, 30] {
        assert_eq!(a.key_of(t), s.key_of(t), "epoch {t}, where Published is done with at 9");
    }
}
