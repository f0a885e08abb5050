//! Both phases, each side with what it alone knows, on every suite: both come to the same, and nobody else does.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]

use super::keys::{self, NAME, Says, Terms, Yield};
use super::wire::{K1, NUMBER, write_k2};
use crate::cose::Reference;
use crate::crypto::group::{LONGEST, Scalar};
use crate::crypto::hpke::{self, DHKEM_P256, DHKEM_X25519, KEM_FFC2048, KEM_FFC3072, Kem, OwnKey};
use crate::crypto::keys::{KeySlot, StaticKey, StaticKeys};
use crate::crypto::{self, Rng, RngError, Secret, Suite, kdf};
use crate::engine::session::ConnectionId;
use crate::engine::transcript::Transcript;
use crate::engine::wire::{HEADER_LEN, Writer, header};
use crate::phase1::keys as one;
use crate::phase1::keys::{Confirms, Cred, N_LEN, Numbers};
use crate::phase1::wire::{M1, M2, M3, Shown, Suites};
use std::boxed::Box;
use std::vec::Vec;

struct Counting(u64);

impl Rng for Counting {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        for chunk in out.chunks_mut(32) {
            self.0 += 1;
            let hash = kdf::hash(&[&self.0.to_be_bytes()]);
            chunk.copy_from_slice(&hash[..chunk.len()]);
        }
        Ok(())
    }
}

fn suites() -> [(&'static Suite, &'static dyn Kem); 8] {
    use crypto::*;
    [
        (&SUITE_0, &DHKEM_X25519),
        (&SUITE_1, &DHKEM_X25519),
        (&SUITE_2, &DHKEM_P256),
        (&SUITE_3, &DHKEM_P256),
        (&SUITE_4, &DHKEM_X25519),
        (&SUITE_5, &DHKEM_P256),
        (&SUITE_FFC2048, &KEM_FFC2048),
        (&SUITE_FFC3072, &KEM_FFC3072),
    ]
}

const SLOT: KeySlot = KeySlot(1);

struct Device {
    suite: &'static Suite,
    kem: &'static dyn Kem,
    keys: Box<dyn StaticKeys>,
    public: Vec<u8>,
    cred: Cred,
}

impl Device {
    fn new(suite: &'static Suite, kem: &'static dyn Kem, name: &str, rng: &mut Counting) -> Self {
        let keys: Box<dyn StaticKeys> = match kem.group().share_len() {
            32 => Box::new(StaticKey::<32>::generate(SLOT, kem, rng).unwrap()),
            256 => Box::new(StaticKey::<256>::generate(SLOT, kem, rng).unwrap()),
            _ => Box::new(StaticKey::<384>::generate(SLOT, kem, rng).unwrap()),
        };
        let mut public = std::vec![0; kem.group().share_len()];
        keys.public_key(SLOT, kem, &mut public).unwrap();
        let cred = one::cred(&[name.as_bytes(), &public].concat());
        Self { suite, kem, keys, public, cred }
    }
    fn own(&self) -> OwnKey<'_> {
        OwnKey { keys: &*self.keys, slot: SLOT }
    }
    fn share(&self, rng: &mut Counting) -> (Scalar, Vec<u8>) {
        let (mut scalar, mut share) = (Secret::zero(), std::vec![0; self.public.len()]);
        self.kem.group().generate(rng, &mut scalar, &mut share).unwrap();
        (scalar, share)
    }
    fn dh(&self, scalar: &Scalar, share: &[u8]) -> Vec<u8> {
        let mut out = std::vec![0; self.kem.group().secret_len()];
        self.kem.group().agree(scalar, share, &mut out).unwrap();
        out
    }
}

fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = [0; 64];
    let mut w = Writer::new(&mut out);
    write(&mut w);
    let len = w.finish().unwrap();
    out[..len].to_vec()
}

/// What a side has after phase 1.
struct Agreed {
    pmk: Secret<32>,
    bind: Transcript,
    n_a0: Secret<N_LEN>,
    n_s0: Secret<N_LEN>,
}

/// How the two sides see a run differently, and who is lied to.
#[derive(Clone, Copy, Default)]
struct Twist<'a> {
    /// S takes A's ticket for this one.
    cred_a_at_s: Option<Cred>,
    /// S reads another list of suites.
    suites_at_s: Option<&'a [u8]>,
    psk_of_a: Option<&'a Secret<32>>,
    psk_of_s: Option<&'a Secret<32>>,
    /// S's Auth mode is made with this device's key.
    sender: Option<&'a Device>,
}

#[derive(Debug, PartialEq, Eq)]
enum Stops {
    M2,
    M3Pre,
    M3,
    M4,
}

fn m1(suites: &[u8], nonce: [u8; 8], psk: bool) -> Vec<u8> {
    let (shown, known) = (Shown::Reference(Reference([1; 8])), Some(Reference([2; 8])));
    let suites = Suites::new(suites).unwrap();
    written(|w| M1 { nonce, suites, cid: ConnectionId::NONE, shown, known, psk, rekey: None }.write(w, NUMBER))
}

fn confirmed(which: Confirms, len: usize, pmk: &Secret<32>, th: &Transcript, a: &Numbers, s: &Numbers) -> Vec<u8> {
    let mut tag = std::vec![0; len];
    one::confirm(&keys::of(pmk), which, th, [a, s], &mut tag);
    tag
}

/// Phase 1 between A and S; where it stops, if a tag does not verify.
fn phase_1(a: &Device, s: &Device, rng: &mut Counting, twist: Twist<'_>) -> Result<(Agreed, Agreed), Stops> {
    let (suite, kem) = (a.suite, a.kem);
    let offered = [suite.id as u8];
    let mut nonce = [0; 8];
    rng.fill(&mut nonce).unwrap();
    let sent = m1(&offered, nonce, false);
    let th_1_a = one::th_1(NAME, &a.cred, &sent);

    // S: M2.
    let got = m1(twist.suites_at_s.unwrap_or(&offered), nonce, false);
    let th_1_s = one::th_1(NAME, &twist.cred_a_at_s.unwrap_or(a.cred), &got);
    let (ns, gns) = s.share(rng);
    let head = written(|w| M2 { suite: suite.id, cid: ConnectionId::NONE, ticket: None }.write(w, NUMBER, 0));
    let info = one::info_2(&th_1_s, &[], &s.cred, &[&head]);
    let sender = Some(twist.sender.unwrap_or(s).own());
    let exporter = hpke::encapsulate(kem, &ns, &gns, &a.public, sender, &[info.as_bytes()]).unwrap();
    let (num_s_at_s, e_2_s) = one::m2_numbers(&exporter);
    let th_2_s = info.then(&[&gns]);
    let mut tag_2 = std::vec![0; suite.mac_len];
    one::m2_tag(NAME, &e_2_s, &th_2_s, &mut tag_2);

    // A: M3.
    let info = one::info_2(&th_1_a, &[], &s.cred, &[&head]);
    let exporter = hpke::decapsulate(kem, &gns, a.own(), Some(&s.public), &[info.as_bytes()]).unwrap();
    let (num_s_at_a, e_2_a) = one::m2_numbers(&exporter);
    let th_2_a = info.then(&[&gns]);
    let mut expected = std::vec![0; suite.mac_len];
    one::m2_tag(NAME, &e_2_a, &th_2_a, &mut expected);
    if expected != tag_2 {
        return Err(Stops::M2);
    }
    let (na, gna) = a.share(rng);
    let head = written(|w| M3::write(w, NUMBER, 0, &3600u32.to_be_bytes()));
    let info = one::info_3(&th_2_a, &tag_2, &head);
    let exporter = hpke::encapsulate(kem, &na, &gna, &s.public, None, &[info.as_bytes()]).unwrap();
    let num_a_at_a = one::m3_numbers(&exporter);
    let h_3 = info.then(&[&gna]);
    let pre = one::m3_pre(NAME, &e_2_a, &h_3);
    let th_3_a = h_3.then(&[&pre]);
    let pmk_a = keys::pmk(&num_a_at_a, &num_s_at_a, &a.dh(&na, &gns), twist.psk_of_a, &th_3_a);
    let tag_3 = confirmed(Confirms::M3, suite.mac_len, &pmk_a, &th_3_a, &num_a_at_a, &num_s_at_a);

    // S: M4.
    let info = one::info_3(&th_2_s, &tag_2, &head);
    let h_3 = info.then(&[&gna]);
    if one::m3_pre(NAME, &e_2_s, &h_3) != pre {
        return Err(Stops::M3Pre);
    }
    let exporter = hpke::decapsulate(kem, &gna, s.own(), None, &[info.as_bytes()]).unwrap();
    let num_a_at_s = one::m3_numbers(&exporter);
    let th_3_s = h_3.then(&[&pre]);
    let pmk_s = keys::pmk(&num_a_at_s, &num_s_at_s, &s.dh(&ns, &gna), twist.psk_of_s, &th_3_s);
    if confirmed(Confirms::M3, suite.mac_len, &pmk_s, &th_3_s, &num_a_at_s, &num_s_at_s) != tag_3 {
        return Err(Stops::M3);
    }
    let head = header(NUMBER, crate::phase1::wire::message::M4, 0);
    let (th_4_a, th_4_s) = (th_3_a.then(&[&tag_3, &head]), th_3_s.then(&[&tag_3, &head]));
    let tag_4 = confirmed(Confirms::M4, suite.mac_len, &pmk_s, &th_4_s, &num_a_at_s, &num_s_at_s);
    if confirmed(Confirms::M4, suite.mac_len, &pmk_a, &th_4_a, &num_a_at_a, &num_s_at_a) != tag_4 {
        return Err(Stops::M4);
    }
    assert_ne!(tag_3, tag_4);
    let of = |pmk, bind, a: &Numbers, s: &Numbers| Agreed { pmk, bind, n_a0: a.n0.clone(), n_s0: s.n0.clone() };
    Ok((of(pmk_a, th_4_a, &num_a_at_a, &num_s_at_a), of(pmk_s, th_4_s, &num_a_at_s, &num_s_at_s)))
}

fn terms(suite: &Suite, agreed: &Agreed, step: u32) -> Terms {
    Terms { suite: suite.id, psk: false, step, side: true, bind: agreed.bind }
}

/// One side's view of phase 2, from the messages that both saw.
fn phase_2(device: &Device, agreed: &Agreed, terms: &Terms, seen: &Seen, scalar: &Scalar, theirs: &[u8]) -> View {
    let suite = device.suite;
    let mut view = View { tag_1: std::vec![0; suite.mac_len], tag_2: std::vec![0; suite.mac_len], out: Yield::none() };
    let th_1 = keys::run_th_1(terms, &seen.k1);
    keys::k1_tag(&keys::of(&agreed.pmk), &th_1, &mut view.tag_1);
    let th_2 = th_1.then(&[&view.tag_1, &seen.k2]);
    keys::k2_tag(&keys::of(&agreed.pmk), &th_2, &mut view.tag_2);
    let th_3 = th_2.then(&[&view.tag_2]);
    let prk = keys::run_prk(&keys::of(&agreed.pmk), &agreed.n_a0, &agreed.n_s0, &device.dh(scalar, theirs));
    view.out.derive(&prk, &th_3);
    view
}

struct Seen {
    k1: Vec<u8>,
    k2: Vec<u8>,
}

struct View {
    tag_1: Vec<u8>,
    tag_2: Vec<u8>,
    out: Yield,
}

#[test]
fn both_sides_agree_on_every_suite() {
    for (suite, kem) in suites() {
        let rng = &mut Counting(0);
        let (a, s) = (Device::new(suite, kem, "a", rng), Device::new(suite, kem, "s", rng));
        let psk = Secret::new([7; 32]);
        let psk = Twist { psk_of_a: Some(&psk), psk_of_s: Some(&psk), ..Twist::default() };
        for twist in [Twist::default(), psk] {
            let (mut at_a, mut at_s) = phase_1(&a, &s, rng, twist).unwrap();
            let mut step = 0;
            for _ in 0..2 {
                assert_eq!(at_a.pmk, at_s.pmk);
                assert_eq!(at_a.bind, at_s.bind);
                let ((na, gna), (ns, gns)) = (a.share(rng), s.share(rng));
                let hint = keys::hint(&keys::aux(&at_a.pmk, step), true);
                let k1 = K1 { hint, attempt: 1, long: false, holds: false, cid: ConnectionId::NONE };
                let k1 = [written(|w| k1.write(w)), gna.clone()].concat();
                let k2 = [written(|w| write_k2(w, 1, &ConnectionId::NONE)), gns.clone()].concat();
                let seen = Seen { k1, k2 };
                let of_a = phase_2(&a, &at_a, &terms(suite, &at_a, step), &seen, &na, &gns);
                let of_s = phase_2(&s, &at_s, &terms(suite, &at_s, step), &seen, &ns, &gna);
                assert_eq!((&of_a.tag_1, &of_a.tag_2), (&of_s.tag_1, &of_s.tag_2));
                assert_eq!((of_a.out.k3(), of_a.out.k4()), (of_s.out.k3(), of_s.out.k4()));
                assert_ne!(of_a.out.k3(), of_a.out.k4());
                assert_ne!(of_a.out.pmk, at_a.pmk);
                // The next run is made under what this one gave: PMK moves on.
                (at_a.pmk, at_s.pmk, step) = (of_a.out.pmk.clone(), of_s.out.pmk.clone(), step + 1);
            }
        }
    }
}

fn pair() -> (Device, Device, Counting) {
    let mut rng = Counting(100);
    let a = Device::new(&crypto::SUITE_2, &DHKEM_P256, "a", &mut rng);
    let s = Device::new(&crypto::SUITE_2, &DHKEM_P256, "s", &mut rng);
    (a, s, rng)
}

fn stops(twist: Twist<'_>) -> Option<Stops> {
    let (a, s, mut rng) = pair();
    phase_1(&a, &s, &mut rng, twist).err()
}

#[test]
fn unknown_key_share_stops_at_m2() {
    // S takes A for a third device that has a ticket with A's public key: another subject, the same key.
    let (a, ..) = pair();
    let third = one::cred(&[b"m", &a.public[..]].concat());
    assert_eq!(stops(Twist { cred_a_at_s: Some(third), ..Twist::default() }), Some(Stops::M2));
}

#[test]
fn a_shorter_list_of_suites_stops_at_m2() {
    assert_eq!(stops(Twist { suites_at_s: Some(&[3, 2]), ..Twist::default() }), Some(Stops::M2));
}

#[test]
fn m2_needs_the_static_key_of_s() {
    let (_, _, mut rng) = pair();
    let other = Device::new(&crypto::SUITE_2, &DHKEM_P256, "s", &mut rng);
    assert_eq!(stops(Twist { sender: Some(&other), ..Twist::default() }), Some(Stops::M2));
}

#[test]
fn a_psk_on_one_side_stops_at_m3() {
    let psk = Secret::new([7; 32]);
    assert_eq!(stops(Twist { psk_of_a: Some(&psk), ..Twist::default() }), Some(Stops::M3));
    assert_eq!(stops(Twist { psk_of_s: Some(&psk), ..Twist::default() }), Some(Stops::M3));
    assert_eq!(
        stops(Twist { psk_of_a: Some(&psk), psk_of_s: Some(&Secret::zero()), ..Twist::default() }),
        Some(Stops::M3)
    );
}

/// Whoever has A's static key (but not S's) makes an M2 that A takes, and no M4.
#[test]
fn a_stolen_static_key_of_a_makes_nobody_s() {
    let (a, s, mut rng) = pair();
    let kem = a.kem;
    let th_1 = one::th_1(NAME, &a.cred, &m1(&[2], [3; 8], false));
    let (ns, gns) = s.share(&mut rng);
    let head = written(|w| M2 { suite: 2, cid: ConnectionId::NONE, ticket: None }.write(w, NUMBER, 0));
    let info = one::info_2(&th_1, &[], &s.cred, &[&head]);
    // The thief computes what A would: both group operations of Auth mode have A's scalar in them.
    let forged = hpke::decapsulate(kem, &gns, a.own(), Some(&s.public), &[info.as_bytes()]).unwrap();
    let honest = hpke::encapsulate(kem, &ns, &gns, &a.public, Some(s.own()), &[info.as_bytes()]).unwrap();
    assert_eq!(one::m2_numbers(&forged), one::m2_numbers(&honest), "M2 proves nothing then: the page says so");
    // M3 is for S's static key: A's numbers stay closed to the thief, who has only its own.
    let (na, gna) = a.share(&mut rng);
    let info = one::info_3(&info.then(&[&gns]), &[], &written(|w| M3::write(w, NUMBER, 0, &[0; 4])));
    let sent = hpke::encapsulate(kem, &na, &gna, &s.public, None, &[info.as_bytes()]).unwrap();
    let tried = hpke::decapsulate(kem, &gna, a.own(), None, &[info.as_bytes()]).unwrap();
    assert_ne!(one::m3_numbers(&sent), one::m3_numbers(&tried));
}

#[test]
fn roles_steps_and_runs_have_their_own_tags() {
    let agreed = Agreed {
        pmk: Secret::new([1; 32]),
        bind: Transcript::from([2; 32]),
        n_a0: Secret::new([3; N_LEN]),
        n_s0: Secret::new([4; N_LEN]),
    };
    let terms = terms(&crypto::SUITE_0, &agreed, 0);
    let tag = |terms: &Terms, k1: &[u8]| {
        let mut tag = [0; 16];
        keys::k1_tag(&keys::of(&agreed.pmk), &keys::run_th_1(terms, k1), &mut tag);
        tag
    };
    let k1 = [5; 40];
    let all = [
        tag(&terms, &k1),
        tag(&Terms { side: false, ..terms }, &k1),
        tag(&Terms { step: 1, ..terms }, &k1),
        tag(&Terms { suite: 1, ..terms }, &k1),
        tag(&Terms { psk: true, ..terms }, &k1),
        tag(&Terms { bind: Transcript::default(), ..terms }, &k1),
        tag(&terms, &[6; 40]),
    ];
    for (i, one) in all.iter().enumerate() {
        assert!(!all[..i].contains(one), "{i}");
    }

    // Reflected, S's tag is none of A's; and both sides' hints differ.
    let th = keys::run_th_1(&terms, &k1);
    let (mut one, mut two) = ([0; 16], [0; 16]);
    keys::k1_tag(&keys::of(&agreed.pmk), &th, &mut one);
    keys::k2_tag(&keys::of(&agreed.pmk), &th, &mut two);
    assert_ne!(one, two);
    let aux = keys::aux(&agreed.pmk, 0);
    assert_ne!(keys::hint(&aux, true), keys::hint(&aux, false));
    assert_ne!(keys::hint(&aux, true), keys::hint(&keys::aux(&agreed.pmk, 1), true));
    let said = [Says::Gone, Says::Refuse(0), Says::Refuse(1)].map(|s| keys::says_tag(s, &aux, &th, &one));
    for (i, one) in said.iter().enumerate() {
        assert!(!said[..i].contains(one), "{i}");
    }
    let (mut ping, mut pong) = ([0; 8], [0; 8]);
    keys::ping_tag(&aux, &[1; 8], &mut ping);
    keys::pong_tag(&aux, &ping, &[1; 8], &mut pong);
    assert_ne!(ping, pong);
}

/// PMK and N_0s stolen: an honest run's keys and PMK' hang on its K_DH still.
#[test]
fn a_passive_thief_of_pmk_is_healed_by_one_run() {
    let (n_a0, n_s0) = (Secret::new([3; N_LEN]), Secret::new([4; N_LEN]));
    let (pmk, th) = (Secret::new([1; 32]), Transcript::default());
    let next = |dh: &[u8]| {
        let mut out = Yield::none();
        out.derive(&keys::run_prk(&keys::of(&pmk), &n_a0, &n_s0, dh), &th);
        out
    };
    let (honest, guessed) = (next(&[8; LONGEST]), next(&[9; LONGEST]));
    assert_ne!(honest.pmk, guessed.pmk);
    assert_ne!(honest.k3(), guessed.k3());
    // A leading zero of an FFC secret counts.
    assert_ne!(next(&[0; 256]).pmk, next(&[0; 255]).pmk);
}

#[test]
fn draws_of_s_follow_from_its_secret_and_the_whole_m1() {
    let draw = |window: u8, n: u8, m1: u8| {
        let mut out = [0; 32];
        one::window_draw(NAME, &Secret::new([window; 32]), n, &[m1; 32], &mut out);
        out
    };
    assert_eq!(draw(1, 0, 1), draw(1, 0, 1));
    for other in [draw(2, 0, 1), draw(1, 1, 1), draw(1, 0, 2)] {
        assert_ne!(draw(1, 0, 1), other);
    }
    assert_eq!(m1(&[2], [0; 8], false).len(), HEADER_LEN + 28);
}
