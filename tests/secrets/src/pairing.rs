//! Pairing of the history scheme: the user's secret, the PAKE, the first triple.

use crate::side::{Side, Watched, code, fails, run_forging, show};
use crate::{Scenario, Verdict};
use iotkm::crypto::cpace::{CPACE_P256, CPACE_RISTRETTO255, Cpace};
use iotkm::crypto::{self, Suite};
use iotkm::engine::Config;
use iotkm::history::pairing::{Pair, Setup};
use iotkm::history::wire::message;
use iotkm::history::{Id, Pairing, Peer};
use iotkm::{Event, Slot};

type Memory = Watched<Pair, 2, 256>;
type PairingSide = Side<Pairing<Memory>>;

const PEER: Slot = Slot(7);
const ATTEMPTS: Slot = Slot(1);

/// The list.
pub const SCENARIOS: &[Scenario] = &[
    ("pairing, ristretto255", Verdict::Silent, || pair(&CPACE_RISTRETTO255, &crypto::SUITE_0)),
    ("pairing, P-256", Verdict::Silent, || pair(&CPACE_P256, &crypto::SUITE_5)),
    ("pairing, another secret", Verdict::Silent, strangers),
];

fn side(seed: u8, me: &[u8], cpace: &'static dyn Cpace, suite: &'static Suite) -> PairingSide {
    let me = Id::new(me).expect("short");
    let setup = Setup { me, suite, cpace, peer_slot: PEER, attempts_slot: ATTEMPTS };
    Side::new(Pairing::open(setup, Config::default(), Memory::new()).expect("valid"), seed)
}

fn attempt(a: &mut PairingSide, b: &mut PairingSide, ours: &str, theirs: &str) {
    let to = crate::side::address(2);
    b.with(0, |b, cx| b.listen(cx, &code(theirs), 60_000)).unwrap_or_else(fails);
    a.with(0, |a, cx| a.start(cx, &to, &code(ours))).unwrap_or_else(fails);
    // Half of all changed P2 have a share too, and each such costs both sides an attempt.
    run_forging(0, a, b, |bytes| bytes[1] >> 4 != message::P2);
}

fn paired(side: &PairingSide) -> bool {
    side.events.iter().any(|event| matches!(event, Event::Paired { .. }))
}

fn pair(cpace: &'static dyn Cpace, suite: &'static Suite) {
    let (mut a, mut b) = (side(1, b"phone", cpace, suite), side(2, b"drone", cpace, suite));
    attempt(&mut a, &mut b, "our very own secret", "our very own secret");
    assert!(paired(&a) && paired(&b), "{:?} {:?}", a.events, b.events);
    let fingerprints = [a, b].map(|mut side| {
        let peer = side.a.take_peer().expect("paired");
        show(&peer);
        let restored = Peer::restore(&side.device, PEER, 0, &side.stored[&PEER.0]).unwrap_or_else(fails);
        assert_eq!(restored.fingerprint(), peer.fingerprint());
        side.a.restore_attempts(&side.device, 0, &side.stored[&ATTEMPTS.0]).unwrap_or_else(fails);
        peer.fingerprint()
    });
    assert_eq!(fingerprints[0], fingerprints[1]);
}

fn strangers() {
    let (cpace, suite) = (&CPACE_RISTRETTO255, &crypto::SUITE_0);
    let (mut a, mut b) = (side(1, b"phone", cpace, suite), side(2, b"drone", cpace, suite));
    attempt(&mut a, &mut b, "our very own secret", "our very own secrex");
    assert!(!paired(&a) && !paired(&b));
    assert!(b.a.attempts() > 0);
}
