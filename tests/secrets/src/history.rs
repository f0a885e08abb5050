//! The history scheme: exchange, records, update, resume, and what goes wrong on the way.

use crate::side::{
    Marked, Party, SecretRng, Side, Watched, address, assert_secret, device, fails, key, published, run,
};
use crate::side::{run_forging, show, surroundings, tell, with_marked};
use crate::{Scenario, Verdict};
use iotkm::crypto::{self, Suite};
use iotkm::engine::Config;
use iotkm::engine::session::ConnectionId;
use iotkm::engine::timers::Timer;
use iotkm::history::{Entry, Exchange, History, Id, Peer, Triple};
use iotkm::hub::{Hub, Limits, Place, Route};
use iotkm::{Addr, Association, Device, Event, NoKeys, Output, Slot};

type Log = Vec<Entry>;
type Memory = Watched<Exchange<Peer, Log>, 2, 256>;
type Assoc = History<Peer, Log, Memory>;

const SLOT: Slot = Slot(1);
const NOW: u64 = 1_000;

/// The list.
pub const SCENARIOS: &[Scenario] = &[
    ("history, suite 0", Verdict::Silent, || life(&crypto::SUITE_0)),
    ("history, suite 1", Verdict::Silent, || talk(&crypto::SUITE_1)),
    ("history, suite 2", Verdict::Silent, || life(&crypto::SUITE_2)),
    ("history, suite 3", Verdict::Silent, || talk(&crypto::SUITE_3)),
    ("history, suite 4", Verdict::Silent, || life(&crypto::SUITE_4)),
    ("history, suite 5", Verdict::Silent, || life(&crypto::SUITE_5)),
    ("history, suite 0 without Diffie-Hellman", Verdict::Silent, || life(&crypto::SUITE_0_SYMMETRIC)),
    ("history, suite 4 without Diffie-Hellman", Verdict::Silent, || life(&crypto::SUITE_4_SYMMETRIC)),
    ("history, a side that was rolled back", Verdict::Silent, rolled_back),
    ("history, a log that was lost", Verdict::Silent, lost_log),
    ("history, small datagrams", Verdict::Silent, fragments),
    ("history, both connect at once", Verdict::Silent, glare),
    ("history, a psk", Verdict::Silent, psk),
    ("history, a new address", Verdict::Silent, moved),
    ("history, a hub that asks for cookies", Verdict::Silent, hub),
    ("history, only the triple is secret", Verdict::Silent, || alone(Marked { keys: true, ..Marked::NONE })),
    ("history, only randomness is secret", Verdict::Silent, || alone(Marked { random: true, ..Marked::NONE })),
    ("history, only the device's secret is", Verdict::Silent, only_the_device),
];

const NAMES: [&[u8]; 2] = [b"aaaaaaaa", b"bbbbbbbb"];

fn triple() -> Triple {
    Triple::new(key(1), key(2), key(3), 0)
}

fn peer(who: usize, suite: &'static Suite) -> Peer {
    let [me, other] = [who, 1 - who].map(|who| Id::new(NAMES[who]).expect("short"));
    Peer::provisioned(SLOT, me, other, suite, triple()).unwrap_or_else(fails)
}

fn open(peer: Peer, suite: &'static Suite, config: Config) -> Assoc {
    History::open(peer, vec![Entry::EMPTY; 9], suite, config, Memory::new()).unwrap_or_else(fails)
}

/// Two provisioned sides, with connection ids of different lengths.
fn sides(suite: &'static Suite, config: Config) -> [Side<Assoc>; 2] {
    [0, 1].map(|who| {
        let cid = ConnectionId::new(&b"cid"[..3 * who]).expect("short");
        let (mut peer, mut blob) = (peer(who, suite), [0; Peer::BLOB_MAX]);
        let (len, _) = peer.seal(&device(who as u8 + 1), &mut blob).unwrap_or_else(fails);
        let mut side = Side::new(open(peer, suite, Config { cid, ..config }), who as u8 + 1);
        side.stored.insert(SLOT.0, published(&blob[..len]));
        side
    })
}

fn connect(a: &mut Side<Assoc>, b: &mut Side<Assoc>) {
    let to = b.addr();
    a.with(NOW, |a, cx| a.connect(cx, &to)).unwrap_or_else(fails);
    run(NOW, a, b);
    assert!(a.a.is_established() && b.a.is_established(), "{:?} {:?}", a.events, b.events);
    a.assert_same_keys(b);
}

/// The side starts again from what it has stored.
fn restart(side: &mut Side<Assoc>, suite: &'static Suite, blob: &[u8]) {
    let config = Config { cid: *side.a.cid(), ..Config::default() };
    let peer = Peer::restore(&side.device, SLOT, 0, blob).unwrap_or_else(fails);
    show(&peer);
    side.a = open(peer, suite, config);
}

fn resume(a: &mut Side<Assoc>, b: &mut Side<Assoc>, suite: &'static Suite) {
    let mut blob = [0; 256];
    let len = a.with(NOW, |a, cx| a.export(cx, &mut blob)).unwrap_or_else(fails);
    let (session, peer) = (published(&blob[..len]), a.stored[&SLOT.0].clone());
    restart(a, suite, &peer);
    a.with(NOW, |a, cx| a.restore(cx, &session)).unwrap_or_else(fails);
    run(NOW, a, b);
    assert!(a.events.iter().any(|event| matches!(event, Event::Resumed { .. })));
    a.assert_same_keys(b);
}

fn update(a: &mut Side<Assoc>, b: &mut Side<Assoc>) {
    update_forging(a, b, true);
}

fn update_forging(a: &mut Side<Assoc>, b: &mut Side<Assoc>, forging: bool) {
    let next = a.a.peer().generation() + 1;
    a.with(NOW, |a, cx| a.update(cx)).unwrap_or_else(fails);
    run_forging(NOW, a, b, |_| forging);
    assert_eq!((a.a.peer().generation(), b.a.peer().generation()), (next, next), "{:?} {:?}", a.events, b.events);
    assert_eq!(a.a.peer().fingerprint(), b.a.peer().fingerprint());
    a.assert_same_keys(b);
}

/// An exchange and a record each way.
fn talk(suite: &'static Suite) {
    let [mut a, mut b] = sides(suite, Config::default());
    connect(&mut a, &mut b);
    tell(NOW, &mut a, &mut b, b"a reading");
    tell(NOW, &mut b, &mut a, b"an answer");
}

/// All that two devices do while nothing goes wrong.
fn life(suite: &'static Suite) {
    let [mut a, mut b] = sides(suite, Config { rekey_after: 3, ..Config::default() });
    connect(&mut a, &mut b);
    for n in 0..5 {
        tell(NOW, &mut a, &mut b, format!("reading {n}").as_bytes());
        tell(NOW, &mut b, &mut a, format!("answer {n}").as_bytes());
    }
    assert!(a.events.iter().any(|event| matches!(event, Event::Rekeyed { .. })));
    update(&mut a, &mut b);
    tell(NOW, &mut a, &mut b, b"under the new triple");
    update(&mut b, &mut a);
    resume(&mut a, &mut b, suite);
    tell(NOW, &mut a, &mut b, b"resumed");
    resume(&mut b, &mut a, suite);
    a.with(NOW, |a, _| a.close()).unwrap_or_else(fails);
    run(NOW, &mut a, &mut b);
    assert!(!a.a.is_established() && !b.a.is_established());
}

fn rolled_back() {
    let suite = &crypto::SUITE_4_SYMMETRIC;
    let [mut a, mut b] = sides(suite, Config::default());
    connect(&mut a, &mut b);
    let old = a.stored[&SLOT.0].clone();
    tell(NOW, &mut b, &mut a, b"a reading");
    update(&mut a, &mut b);
    restart(&mut a, suite, &old);
    let to = b.addr();
    a.with(NOW, |a, cx| a.connect(cx, &to)).unwrap_or_else(fails);
    run(NOW, &mut a, &mut b);
    let again = Event::Failed { stage: iotkm::Stage::Exchange, reason: iotkm::Reason::PairAgain };
    assert!(a.events.contains(&again), "{:?}", a.events);
}

fn lost_log() {
    let suite = &crypto::SUITE_0;
    let [mut a, mut b] = sides(suite, Config::default());
    connect(&mut a, &mut b);
    for n in 0..5 {
        tell(NOW, &mut b, &mut a, format!("reading {n}").as_bytes());
    }
    resume(&mut b, &mut a, suite);
    a.with(NOW, |a, cx| a.update(cx)).unwrap_or_else(fails);
    run(NOW, &mut a, &mut b);
    assert!(a.events.iter().any(|event| matches!(event, Event::UpdateFailed { .. })), "{:?}", a.events);
}

fn fragments() {
    for suite in [&crypto::SUITE_3, &crypto::SUITE_4_SYMMETRIC] {
        let [mut a, mut b] = sides(suite, Config { mtu: 60, ..Config::default() });
        let to = b.addr();
        a.with(NOW, |a, cx| a.connect(cx, &to)).unwrap_or_else(fails);
        // A changed piece would cost a retransmission.
        run_forging(NOW, &mut a, &mut b, |_| false);
        a.assert_same_keys(&b);
        tell(NOW, &mut b, &mut a, b"a reading");
        update_forging(&mut a, &mut b, false);
    }
}

fn glare() {
    let [mut a, mut b] = sides(&crypto::SUITE_4, Config::default());
    let (to_a, to_b) = (a.addr(), b.addr());
    a.with(NOW, |a, cx| a.connect(cx, &to_b)).unwrap_or_else(fails);
    b.with(NOW, |b, cx| b.connect(cx, &to_a)).unwrap_or_else(fails);
    run(NOW, &mut a, &mut b);
    a.assert_same_keys(&b);
}

fn psk() {
    let suite = &crypto::SUITE_0_SYMMETRIC;
    let [mut a, mut b] = [0, 1].map(|who| {
        let (device, mut blob) = (device(who as u8 + 1), [0; Peer::BLOB_MAX]);
        let mut peer = peer(who, suite);
        peer.set_psk(Some(key(9)));
        let (len, _) = peer.seal(&device, &mut blob).unwrap_or_else(fails);
        let restored = Peer::restore(&device, SLOT, 0, &published(&blob[..len])).unwrap_or_else(fails);
        Side::new(open(restored, suite, Config::default()), who as u8 + 1)
    });
    connect(&mut a, &mut b);
}

fn moved() {
    let [mut a, mut b] = sides(&crypto::SUITE_4_SYMMETRIC, Config::default());
    connect(&mut a, &mut b);
    a.moves_to(7);
    tell(NOW, &mut a, &mut b, b"from elsewhere");
    assert_eq!(b.a.peer_addr(), Some(address(7)));
}

/// One class of secrets at a time: each is enough to keep the session's keys secret.
fn alone(marked: Marked) {
    with_marked(marked, || {
        let [mut a, mut b] = sides(&crypto::SUITE_0_SYMMETRIC, Config::default());
        connect(&mut a, &mut b);
        tell(NOW, &mut b, &mut a, b"a reading");
        update(&mut a, &mut b);
    });
}

fn only_the_device() {
    let suite = &crypto::SUITE_4_SYMMETRIC;
    with_marked(Marked { device: true, ..Marked::NONE }, || {
        let mut blob = [0; Peer::BLOB_MAX];
        let device = device(1);
        let (len, _) = peer(0, suite).seal(&device, &mut blob).unwrap_or_else(fails);
        assert_secret("sealed keys", &blob[len - 96..len]);
        let restored = Peer::restore(&device, SLOT, 0, &published(&blob[..len])).unwrap_or_else(fails);
        let mut a = Side::new(open(restored, suite, Config::default()), 1);
        let mut b = Side::new(open(peer(1, suite), suite, Config::default()), 2);
        let to = b.addr();
        a.with(NOW, |a, cx| a.connect(cx, &to)).unwrap_or_else(fails);
        run(NOW, &mut a, &mut b);
        // Keys that were read from a sealed blob are secret, and so is what comes of them.
        let mut exported = [0; 32];
        a.a.exporter(b"label", b"", &mut exported).unwrap_or_else(fails);
        assert_secret("exporter", &exported);
    });
}

/// A hub that always asks strangers for a cookie.
struct HubSide {
    hub: Hub<Assoc, Vec<Place<Assoc>>, Vec<Timer>, Vec<Route>>,
    rng: SecretRng,
    device: Device,
}

impl Party for HubSide {
    fn addr(&self) -> Addr {
        address(9)
    }

    fn drain(&mut self, now: u64) -> Vec<(Addr, Vec<u8>)> {
        let (mut sent, mut out) = (Vec::new(), [0; 1500]);
        show(&self.hub);
        loop {
            let mut cx = surroundings(now, &mut self.rng, &self.device, &NoKeys);
            match self.hub.poll(&mut cx, &mut out) {
                (_, Output::Datagram { to, bytes }) => sent.push((to, published(bytes))),
                (Some(index), Output::Persist { slot, .. }) => self.hub.persisted(index, slot, Ok(())),
                (_, Output::Event(event)) => show(&event),
                (_, Output::Idle { .. }) => return sent,
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    fn input(&mut self, now: u64, from: &Addr, datagram: &[u8]) {
        let mut datagram = datagram.to_vec();
        let mut cx = surroundings(now, &mut self.rng, &self.device, &NoKeys);
        self.hub.handle_input(&mut cx, from, &mut datagram).unwrap_or_else(fails);
    }
}

fn hub() {
    let suite = &crypto::SUITE_4_SYMMETRIC;
    let (mut rng, device) = (SecretRng::new(9), device(9));
    let mut cx = surroundings(NOW, &mut rng, &device, &NoKeys);
    let (places, timers, routes) =
        (vec![Place::free(), Place::free()], vec![Timer::NONE; 2], vec![Route::default(); 32]);
    let mut hub = Hub::new(&mut cx, places, timers, routes, Limits { busy: 0 }).unwrap_or_else(fails);
    hub.insert(open(peer(1, suite), suite, Config::default())).unwrap();
    let mut hub = HubSide { hub, rng, device };
    let mut a = Side::new(open(peer(0, suite), suite, Config::default()), 1);
    let to = hub.addr();
    a.with(NOW, |a, cx| a.connect(cx, &to)).unwrap_or_else(fails);
    run(NOW, &mut a, &mut hub);
    assert!(a.a.is_established(), "{:?} {:?}", a.events, hub.hub.drops());
    let record = a.say(NOW, b"to the hub");
    hub.input(NOW, &a.addr(), &record);
}
