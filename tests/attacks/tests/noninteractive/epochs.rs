//! What epochs must resist: replays, delay, clocks, restarts, and a thief who comes later.

use iotkm::crypto::kdf::Prk;
use iotkm::crypto::{Secret, Suite};
use iotkm::engine::session::{Common, Keys, Session, Terms};
use iotkm::engine::state::{self, Kind};
use iotkm::engine::transcript::Transcript;
use iotkm::noninteractive::keys;
use iotkm::noninteractive::setting::SETTING_0;
use iotkm::noninteractive::wire::LAG;
use iotkm::{Association, Instant};
use iotkm_attacks::mallory;
use iotkm_netsim::epochs::{Lab, Other, Plan, addr, lab};
use iotkm_netsim::{Link, SimRng};

fn joined(seed: u64) -> Lab<32> {
    let mut net = lab::<32>(&Plan::new(&SETTING_0), seed, Link::GOOD);
    net.shake(0).unwrap();
    assert!(net.drive(5_000, Lab::joined) && net.chat(2_000), "{}", net.report());
    net
}

/// a says this; the record, which does not arrive.
fn held_back(net: &mut Lab<32>, text: &[u8]) -> Vec<u8> {
    let start = net.trace.len();
    assert!(net.say(true, text), "{}", net.report());
    net.cut();
    net.trace[start].1.clone()
}

fn heard(net: &Lab<32>, text: &[u8]) -> usize {
    net.b.received.iter().filter(|got| *got == text).count()
}

// ---- replayed epochs ----

#[test]
fn records_of_an_epoch_are_taken_once_in_it_and_never_after_the_next() {
    let mut net = joined(1);
    net.trace.clear();
    let mut old: Vec<Vec<u8>> = Vec::new();
    for epoch in 0..8 {
        assert!(net.chat(2_000), "{}", net.report());
        old.extend(net.trace.drain(..).map(|(_, bytes)| bytes));
        let count = (net.a.received.len(), net.b.received.len());
        let at = net.epochs();
        for bytes in &old {
            for to_b in [true, false] {
                for from in [addr(0), addr(1), mallory()] {
                    net.inject(to_b, &from, bytes);
                }
            }
        }
        assert_eq!((net.a.received.len(), net.b.received.len()), count, "round {epoch}");
        assert_eq!(net.epochs(), at, "nothing old moves anybody");
        net.drive(60_000, |_| false);
    }
    assert!(net.joined() && net.chat(2_000), "{}", net.report());
    println!("{} records of eight epochs, each six ways in each epoch: none came twice", old.len());
}

/// LAG is a word of one epoch: once it is past, it says nothing; of another session it never does.
#[test]
fn replayed_lag() {
    let mut net = joined(2);
    let mut lags = Vec::new();
    for _ in 0..4 {
        // b's clock falls behind; it is told.
        net.side(1).clock.1 -= 200_000;
        net.trace.clear();
        assert!(net.chat(20_000), "{}", net.report());
        lags.extend(net.trace.iter().map(|(_, b)| b.clone()).filter(|b| b[0] == 0x12 && b[1] >> 4 == LAG));
        net.drive(120_000, |_| false);
        let at = net.epochs();
        for bytes in &lags {
            for to_b in [true, false] {
                net.inject(to_b, &mallory(), bytes);
            }
        }
        assert_eq!(net.epochs(), at);
    }
    assert!(!lags.is_empty(), "somebody said LAG");
    net.shake(0).unwrap();
    net.drive(5_000, |_| false);
    let at = net.epochs();
    assert_eq!(at, (Some(1), Some(1)), "{}", net.report());
    for bytes in &lags {
        net.inject(true, &mallory(), bytes);
        net.inject(false, &mallory(), bytes);
    }
    net.drive(3_000, |_| false);
    assert_eq!(net.epochs(), at);
    assert!(net.joined() && net.chat(2_000));
}

/// Made-up LAGs, near and far: none moves anybody, and both go on.
#[test]
fn forged_lag() {
    let mut net = joined(3);
    let mut rng = SimRng::new(3);
    let at = net.epochs();
    for epoch in (0..200).chain([999, 1_000, 1_001, u32::MAX]) {
        for _ in 0..20 {
            let mut lag = vec![0x12, LAG << 4 | (epoch & 15) as u8];
            lag.extend(epoch.to_be_bytes());
            let mut rest = [0; 20];
            iotkm::crypto::Rng::fill(&mut rng, &mut rest).unwrap();
            lag.extend(rest);
            net.inject(true, &addr(0), &lag);
            net.inject(false, &mallory(), &lag);
        }
    }
    assert_eq!(net.epochs(), at);
    assert!(net.joined() && net.chat(2_000), "{}", net.report());
}

// ---- delay ----

#[test]
fn delayed_records() {
    for (late, taken) in [(1_000, 1), (50_000, 1), (125_000, 0), (600_000, 0)] {
        let mut net = joined(4);
        let record = held_back(&mut net, b"late");
        net.drive(late, |_| false);
        let at = net.epochs();
        for _ in 0..3 {
            net.inject(true, &addr(0), &record);
        }
        assert_eq!(heard(&net, b"late"), taken, "{late} ms: {}", net.report());
        assert_eq!(net.epochs(), at);
        assert!(net.chat(2_000), "{}", net.report());
    }
}

// ---- clock skew ----

/// Whoever holds back and lets go of records at will moves a clock to where the other side is, and no further.
#[test]
fn clocks_go_forward_to_the_peers_and_no_further() {
    let mut net = joined(5);
    net.side(0).clock = (0, 300_000);
    net.drive(10_000, |_| false);
    let ahead = net.epochs().0.unwrap();
    assert!(ahead > net.epochs().1.unwrap() + 2, "{}", net.report());
    let mut records: Vec<_> = (0..20).map(|_| held_back(&mut net, b"ahead")).collect();
    records.reverse();
    for record in &records {
        net.inject(true, &addr(0), record);
        assert!(net.epochs().1.unwrap() <= ahead, "{}", net.report());
    }
    assert!(net.chat(20_000) && net.joined(), "{}", net.report());
    assert!(net.epochs().1.unwrap() <= net.epochs().0.unwrap() + 1);
    // Nothing takes it back.
    let before = net.epochs();
    for record in &records {
        net.inject(true, &addr(0), record);
    }
    assert!(net.epochs() >= before);
}

// ---- reboot ----

/// A copy of what was stored, put back: what was recorded under the keys of then is nothing to it.
#[test]
fn old_state_takes_no_old_record() {
    let plan = Plan::new(&SETTING_0);
    let mut net = joined(6);
    let copy = net.b.stored.clone();
    let records: Vec<_> = (0..5).map(|_| held_back(&mut net, b"recorded")).collect();
    net.drive(10_000, |_| false);
    net.b.stored = copy;
    net.reboot(&plan, 1);
    net.go_on(1).unwrap();
    for record in &records {
        net.inject(true, &addr(0), record);
    }
    assert_eq!(heard(&net, b"recorded"), 0);
    net.drive(30_000, Lab::joined);
    for record in &records {
        net.inject(true, &addr(0), record);
    }
    assert_eq!(heard(&net, b"recorded"), 0, "{}", net.report());
    assert!(net.chat(20_000), "{}", net.report());
}

// ---- state seized later ----

/// What a thief reads in a device's storage with the device's own secret.
fn stolen(net: &mut Lab<32>, who: usize) -> Vec<u8> {
    let side = net.side(who);
    let (_, blob) = side.stored[&iotkm_netsim::epochs::SLOT.0].clone();
    let mut text = vec![0; blob.len()];
    let (_, len) = state::open(&side.device, Kind::NoninteractivePeer, 0, &blob, &mut text).unwrap();
    text.truncate(len);
    assert!(Other::<32>::restore(&side.device, iotkm_netsim::epochs::SLOT, 0, &blob, &mut vec![0; blob.len()]).is_ok());
    text
}

/// Whether this record opens under key and IV.
fn opens(suite: &Suite, key: &[u8], iv: &[u8], epoch: u32, record: &[u8]) -> bool {
    let number = u16::from_be_bytes([record[1], record[2]]);
    let mut nonce = iv.to_vec();
    let at = nonce.len() - 4;
    for (byte, bit) in nonce[at..].iter_mut().zip(u32::from(number).to_be_bytes()) {
        *byte ^= bit;
    }
    let (text, tag) = record[3..].split_at(record.len() - 3 - suite.aead.tag_len());
    let aad = [&record[..3], &epoch.to_be_bytes()].concat();
    suite.aead.open(key, &nonce, &aad, &mut text.to_vec(), tag).is_ok()
}

/// Record keys as section 5 makes them, from what is taken for the salt and K_t.
fn record_keys(suite: &Suite, salt: &[u8], k: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let prk = Prk::extract(keys::NAME, &[salt], &[k]);
    let (mut keys, mut ivs) = (vec![0; 2 * suite.aead.key_len()], vec![0; 2 * suite.aead.nonce_len()]);
    prk.expand("key", &[], &mut keys);
    prk.expand("iv", &[], &mut ivs);
    (0..2).map(|i| (half(&keys, i), half(&ivs, i))).collect()
}

fn half(both: &[u8], which: usize) -> Vec<u8> {
    both.chunks(both.len() / 2).nth(which).unwrap().to_vec()
}

/// She does open what she has salt and K_t of: her tools are sharp.
#[test]
fn the_thiefs_tools() {
    let (prk, th) = (Prk::new(keys::NAME, &[7; 32]), Transcript::new(&[b"a run"]));
    let mut run = Keys::none();
    run.keep(&prk, &th);
    let salt: Secret<32> = prk.secret("root", &[th.as_bytes()]);
    let common = Common { suite: SETTING_0.suite, scheme: keys::NAME, rekey_after: u32::MAX };
    let (now, cid) = (Instant(0), Default::default());
    let terms = Terms { id: 1, generation: 0, initiator: true, cid, now, healed: true, secret: true };
    let mut session = Session::new(&common, &run, &terms);
    session.enter(&common, 5, &Secret::new([9; 32]));
    let mut record = [0; 64];
    record[3..8].copy_from_slice(b"words");
    let (len, _) = session.seal(&common, false, &mut record, 5).unwrap();
    let found = record_keys(common.suite, salt.expose(), &[9; 32]);
    let opened = found.iter().filter(|(key, iv)| opens(common.suite, key, iv, 5, &record[..len])).count();
    assert_eq!(opened, 1, "one of the two directions");
}

/// A whole session is recorded, eight epochs of it. Then both devices are seized with all that they store and both static
/// keys: any 32 bytes of it as salt or as K_t, as chain or as base, open nothing of what was said before.
#[test]
fn everything_stored_and_both_static_keys_afterwards() {
    let mut net = joined(7);
    net.trace.clear();
    for _ in 0..8 {
        assert!(net.chat(2_000), "{}", net.report());
        net.drive(60_000, |_| false);
    }
    let records: Vec<_> = net.trace.iter().filter(|(_, b)| b[0] & 8 != 0).map(|(_, b)| b.clone()).collect();
    let suite = SETTING_0.suite;
    let texts = [stolen(&mut net, 0), stolen(&mut net, 1)];
    let words = |text: &[u8]| -> Vec<Secret<32>> {
        text.windows(32).map(|window| Secret::new(window.try_into().unwrap())).collect()
    };
    let all: Vec<_> = texts.iter().flat_map(|text| words(text)).collect();
    // Both states hold the same chain and resume root: the words that they share.
    let shared: Vec<_> =
        words(&texts[0]).into_iter().filter(|word| texts[1].windows(32).any(|w| w == word.expose())).collect();
    assert!(shared.len() >= 3, "chain, resume root, bind");
    assert!((0..4).all(|low| records.iter().any(|record| record[0] & 3 == low)), "of every epoch");
    let epochs = net.epochs().0.unwrap();
    let mut tried = 0u32;
    for salt in &shared {
        for k in &all {
            for (key, iv) in record_keys(suite, salt.expose(), k.expose()) {
                for record in &records {
                    for epoch in (1..=epochs).filter(|epoch| epoch & 3 == u32::from(record[0] & 3)) {
                        assert!(!opens(suite, &key, &iv, epoch, record));
                    }
                }
                tried += 1;
            }
        }
    }
    println!("{} records, {tried} keys of everything stored: nothing opens", records.len());
    // And the devices themselves, started again by the thief from what they stored: they take none of it.
    let plan = Plan::new(&SETTING_0);
    let count = (net.a.received.len(), net.b.received.len());
    for who in [0, 1] {
        net.reboot(&plan, who);
        for record in &records {
            net.inject(who == 1, &addr(1 - who), record);
        }
    }
    assert_eq!((net.a.received.len(), net.b.received.len()), count);
    assert!(!net.a.a.is_established());
}
