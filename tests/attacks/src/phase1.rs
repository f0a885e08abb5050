//! Attacks on phase 1, which are the same for both schemes that begin with it. Each panics where it succeeds.

use crate::cheats::{Copied, Impersonator};
use crate::{mallory, probe};
use iotkm::crypto::hpke::Kem;
use iotkm::engine::drops::Dropped;
use iotkm::engine::wire::header;
use iotkm::phase1::wire::message::{HINT, M1, M2, M3, M4};
use iotkm::{Addr, Association, Error, Event};
use iotkm_netsim::node::Keys;
use iotkm_netsim::{Net, Node, SimRng};

/// Two nodes of a scheme that begins with phase 1.
pub trait Begins {
    /// The association.
    type A: Association;
    /// The scheme's number.
    const NUMBER: u8;

    /// Two nodes that have not met; b takes anybody.
    fn lab(seed: u64) -> Net<Self::A, Self::A>;
    /// The KEM of their credentials.
    fn kem() -> &'static dyn Kem;
    /// Starts phase 1, whatever there is.
    ///
    /// # Errors
    /// As the verb.
    fn begin(node: &mut Node<Self::A>, now: u64, to: &Addr) -> Result<(), Error>;
    /// The credential that a node shows.
    fn credential(node: &Node<Self::A>) -> Vec<u8>;
}

/// A network of that scheme's.
pub type Lab<B> = Net<<B as Begins>::A, <B as Begins>::A>;

/// The number of a handshake message; `None` for what is none of this scheme.
pub fn number<B: Begins>(bytes: &[u8]) -> Option<u8> {
    (bytes[0] == header(B::NUMBER, 0, 0)[0]).then(|| bytes[1] >> 4)
}

/// a starts phase 1; whether both are through.
pub fn meet<B: Begins>(net: &mut Lab<B>) -> bool {
    let (now, to) = (net.now, net.b.addr);
    let before = (net.a.a.fingerprint(), net.b.a.fingerprint());
    B::begin(&mut net.a, now, &to).expect("at rest");
    net.drive(60_000, |n| {
        let after = (n.a.a.fingerprint(), n.b.a.fingerprint());
        after.0.is_some() && after.0 == after.1 && after != before
    })
}

fn established(event: &Event) -> bool {
    matches!(event, Event::Established { .. })
}

/// Nobody has been taken for anybody.
fn nobody<B: Begins>(net: &mut Lab<B>) {
    net.drive(210_000, |_| false);
    assert!(!net.a.saw(established) && !net.b.saw(established), "{:?} {:?}", net.a.events, net.b.events);
    assert!(!net.a.a.is_established() && !net.b.a.is_established());
}

fn has<B: Begins>(net: &Lab<B>, wanted: u8) -> bool {
    net.trace.iter().any(|(_, bytes)| number::<B>(bytes) == Some(wanted))
}

/// The first message of this number.
pub fn message<B: Begins>(net: &Lab<B>, wanted: u8) -> Vec<u8> {
    let found = net.trace.iter().find(|(_, bytes)| number::<B>(bytes) == Some(wanted));
    found.expect("it was sent").1.clone()
}

/// With a's own static key the attacker is b for a: M2 she can make, as the page says, and nothing behind it.
pub fn kci_against_a<B: Begins>() {
    for guess in [0, 1, 2, 0xff] {
        let mut net = B::lab(100);
        let stolen = Copied::of(&mut net.a.keys);
        let (victim, shown) = (stolen.public(B::kem()), Copied::of(&mut net.b.keys).public(B::kem()));
        net.b.keys = Keys(Box::new(Impersonator { shown, victim, stolen, guess }));
        let (now, to) = (net.now, net.b.addr);
        B::begin(&mut net.a, now, &to).expect("at rest");
        net.drive(1_000, |_| false);
        assert!(has::<B>(&net, M3), "M2 alone proves nothing");
        // M4 at random, too: a says nothing about it.
        let (m3, mut rng) = (message::<B>(&net, M3), SimRng::new(5));
        for _ in 0..500 {
            let mut m4 = header(B::NUMBER, M4, u32::from(m3[1] & 15)).to_vec();
            let mut tag = vec![0; if rng.percent(50) { 8 } else { 16 }];
            iotkm::crypto::Rng::fill(&mut rng, &mut tag).expect("simulated");
            m4.extend(tag);
            assert!(probe(&mut net, false, &m4).is_empty());
        }
        nobody::<B>(&mut net);
    }
}

/// With b's own static key the attacker is a for b.
pub fn kci_against_b<B: Begins>() {
    for guess in [0, 1, 2, 0xff] {
        let mut net = B::lab(101);
        let stolen = Copied::of(&mut net.b.keys);
        let (victim, shown) = (stolen.public(B::kem()), Copied::of(&mut net.a.keys).public(B::kem()));
        net.a.keys = Keys(Box::new(Impersonator { shown, victim, stolen, guess }));
        let (now, to) = (net.now, net.b.addr);
        B::begin(&mut net.a, now, &to).expect("at rest");
        nobody::<B>(&mut net);
        assert!(!has::<B>(&net, M3) && !has::<B>(&net, M4), "she cannot read M2");
    }
}

/// Every message of older runs, to both sides, at every step of a newer one, and after it; sent back to its sender, too.
pub fn older_runs<B: Begins>() {
    let mut net = B::lab(102);
    for _ in 0..2 {
        assert!(meet::<B>(&mut net));
        net.drive(30_000, |_| false);
    }
    let mut old: Vec<_> = std::mem::take(&mut net.trace);
    for during in 0..6 {
        let before = (net.a.a.fingerprint(), net.b.a.fingerprint());
        let (events, heard) = ((net.a.events.len(), net.b.events.len()), (net.a.received.len(), net.b.received.len()));
        if during > 0 {
            let (now, to) = (net.now, net.b.addr);
            B::begin(&mut net.a, now, &to).expect("at rest");
            net.flush();
            (1..during).for_each(|_| _ = net.step());
        }
        let through = (net.a.a.fingerprint(), net.b.a.fingerprint());
        let said = (net.a.events.len(), net.b.events.len());
        for (from_a, bytes) in &old {
            for to_b in [true, false] {
                for from in [if *from_a { net.a.addr } else { net.b.addr }, mallory()] {
                    net.inject(to_b, &from, bytes);
                }
            }
        }
        assert_eq!((net.a.a.fingerprint(), net.b.a.fingerprint()), through, "{during}");
        assert_eq!((net.a.received.len(), net.b.received.len()), heard, "{during}");
        assert_eq!((net.a.events.len(), net.b.events.len()), said, "{during}");
        if during > 0 {
            let done = net.drive(60_000, |n| {
                let after = (n.a.a.fingerprint(), n.b.a.fingerprint());
                after.0 == after.1 && after != before
            });
            assert!(done, "{during}: {:?} {:?}", net.a.events, net.b.events);
        } else {
            assert_eq!(said, events);
        }
        net.drive(20_000, |_| false);
        old.append(&mut net.trace);
        old.truncate(60);
    }
    println!("{} messages of older runs, each four ways, at six points of a run: nothing", old.len());
}

/// a's own messages come back to it as b's, as they are and under every other number.
pub fn reflection<B: Begins>() {
    let mut net = B::lab(103);
    let (now, b) = (net.now, net.b.addr);
    B::begin(&mut net.a, now, &b).expect("at rest");
    net.flush();
    for round in 0..6 {
        for (_, bytes) in net.trace.clone().iter().filter(|(from_a, _)| *from_a) {
            for number in 1..=13 {
                let mut back = bytes.clone();
                back[1] = number << 4 | back[1] & 15;
                for from in [b, mallory()] {
                    net.inject(false, &from, &back);
                }
            }
        }
        if round == 1 {
            // From here on with b's answer on the way.
            assert!(net.drive(60_000, |n| n.a.saw(established)), "{:?}", net.a.events);
        }
        if round < 1 {
            assert!(!net.a.saw(established) && !net.a.a.is_established(), "a has authenticated itself");
        }
    }
    assert!(net.b.a.is_established() && net.a.a.fingerprint() == net.b.a.fingerprint());
}

/// Somebody with a good credential of her own puts it where a's stands: b would take a's words for hers. She is in the
/// middle, all else she passes on.
pub fn unknown_key_share<B: Begins>(hers: &[u8]) {
    let mut net = B::lab(104);
    let (now, to) = (net.now, net.b.addr);
    let shown = B::credential(&net.a);
    B::begin(&mut net.a, now, &to).expect("at rest");
    net.flush();
    let mut replaced = 0;
    // Until a gives up.
    let end = net.now + 210_000;
    while net.now < end && net.next_at().is_some() {
        let Some((true, from, bytes)) = net.arriving() else {
            net.step();
            continue;
        };
        let Some(at) = bytes.windows(shown.len()).position(|window| window == shown) else {
            net.step();
            continue;
        };
        // Her credential may be of another length: long(T) in interactive, its own length in noninteractive.
        let mut m1 = bytes[..at].to_vec();
        m1.extend(hers);
        m1.extend(&bytes[at + shown.len()..]);
        if hers.len() != shown.len() && m1[at - 2..at] == (shown.len() as u16).to_be_bytes() {
            m1[at - 2..at].copy_from_slice(&(hers.len() as u16).to_be_bytes());
        }
        net.cut();
        net.inject(true, &from, &m1);
        replaced += 1;
    }
    assert!(replaced > 0, "M1 shows the credential");
    assert!(has::<B>(&net, M2) || has::<B>(&net, HINT), "b looked at hers");
    nobody::<B>(&mut net);
    assert!(!has::<B>(&net, M4));
}

/// HINT is nobody's word: whatever it says about M1, nothing is given up.
pub fn hints_decide_nothing<B: Begins>() {
    let mut net = B::lab(105);
    let (now, to) = (net.now, net.b.addr);
    B::begin(&mut net.a, now, &to).expect("at rest");
    net.flush();
    let m1 = message::<B>(&net, M1);
    let digest = iotkm::crypto::kdf::hash(&[&m1]);
    for reason in 0..=255 {
        for digest in [&digest[..8], &[0; 8]] {
            let hint = [&header(B::NUMBER, HINT, u32::from(m1[1] & 15))[..], &[reason], digest].concat();
            probe(&mut net, false, &hint);
        }
    }
    let offers = |net: &Lab<B>| -> Vec<Vec<u8>> {
        let m1s = net.trace.iter().filter(|(from_a, b)| *from_a && number::<B>(b) == Some(M1));
        m1s.map(|(_, bytes)| bytes[2..].to_vec()).collect()
    };
    // The same suites, the same R, at most the credential itself instead of its name.
    for offer in offers(&net) {
        assert_eq!(offer[1..11], m1[3..13], "R, and how many suites, and the first");
    }
    assert!(net.drive(60_000, |n| n.a.a.is_established() && n.b.a.is_established()), "{:?}", net.a.events);
}

/// The suites in M1, changed on the way: another offer is another run, and nobody finishes it.
pub fn changed_offer<B: Begins>() {
    let mut net = B::lab(106);
    let (now, to) = (net.now, net.b.addr);
    B::begin(&mut net.a, now, &to).expect("at rest");
    net.flush();
    let m1 = message::<B>(&net, M1);
    let count = usize::from(m1[11]);
    for suite in [0u8, 1, 2, 3, 4, 5, 0xeb, 0xea, 24] {
        let mut weaker = m1[..11].to_vec();
        weaker.extend([1, suite]);
        weaker.extend(&m1[12 + count..]);
        if weaker == m1 {
            continue;
        }
        net.cut();
        for m2 in probe(&mut net, true, &weaker) {
            let answers = probe(&mut net, false, &m2);
            assert!(answers.iter().all(|bytes| number::<B>(bytes) != Some(M3)), "suite {suite}");
        }
        net.drive(5_000, |_| false);
    }
    assert!(net.drive(120_000, |n| n.a.a.is_established() && n.b.a.is_established()), "{:?}", net.a.events);
}

/// Shares that are no elements, from somebody with a good credential, in M2 (`who` 1) and in M3 (`who` 0): dropped for what
/// they are.
pub fn no_element<B: Begins>(mut net: Lab<B>, who: usize, what: &[u8]) {
    let (now, to) = (net.now, net.b.addr);
    B::begin(&mut net.a, now, &to).expect("at rest");
    net.drive(2_000, |_| false);
    let victim = if who == 1 { &net.a } else { &net.b };
    let dropped = victim.a.drops().get(Dropped::BadElement);
    assert!(dropped > 0, "{what:02x?} as node {who}: {:?}", victim.a.drops());
    nobody::<B>(&mut net);
    assert!(!has::<B>(&net, M4));
}
