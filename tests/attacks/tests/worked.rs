//! Both roles of the Published profiles of paper 000, message for message, against what Python computes
//! (`worked/make.py`).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::cose::{Agent, Claims, DeviceKey, KeyGroup, Ticket};
use iotkm::crypto::group::FFC2048;
use iotkm::crypto::sign::{Ed25519Key, Signer};
use iotkm::crypto::{Rng, RngError, Secret, kdf};
use iotkm::interactive::Subject;
use iotkm::interactive::published::{PublishedDevice, PublishedInteractive, PublishedTerms};
use iotkm::noninteractive::published::keys::{cut, h};
use iotkm::noninteractive::published::{PublishedNoninteractive, PublishedOperator};
use iotkm::{Addr, Association, Cx, Device, Event, Instant, NoKeys, Output, Slot, UnixTime};
use std::collections::{HashMap, VecDeque};

const TERMS: PublishedTerms = PublishedTerms { length: 12, interval: 60, life: 3600 };

/// What Python says.
struct Worked(HashMap<&'static str, Vec<u8>>);

impl Worked {
    fn read(text: &'static str) -> Self {
        let hex =
            |hex: &str| (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        Self(text.lines().map(|line| line.split_once(" = ").unwrap()).map(|(name, value)| (name, hex(value))).collect())
    }

    fn get(&self, name: &str) -> &[u8] {
        self.0.get(name).unwrap_or_else(|| panic!("{name} is not in the file"))
    }

    fn scalar(&self, name: &str) -> Secret<32> {
        Secret::new(self.get(name).try_into().unwrap())
    }
}

/// SHA-256(name | u32 0) | SHA-256(name | u32 1) | ...
struct Stream(&'static str, u32, VecDeque<u8>);

impl Stream {
    fn new(name: &'static str) -> Self {
        Self(name, 0, VecDeque::new())
    }
}

impl Rng for Stream {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        while self.2.len() < out.len() {
            self.2.extend(kdf::hash(&[self.0.as_bytes(), &self.1.to_be_bytes()]));
            self.1 += 1;
        }
        out.fill_with(|| self.2.pop_front().unwrap());
        Ok(())
    }
}

/// One side, driven by hand.
struct Side<A> {
    a: A,
    rng: Stream,
    device: Device,
    now: u64,
    blob: Vec<u8>,
    events: Vec<Event>,
}

impl<A: Association> Side<A> {
    fn new(a: A, name: &'static str) -> Self {
        let device = Device::new(Secret::new([1; 32]));
        Self { a, rng: Stream::new(name), device, now: 1_000, blob: Vec::new(), events: Vec::new() }
    }

    fn with<T>(&mut self, f: impl FnOnce(&mut A, &mut Cx<'_>) -> T) -> T {
        let Self { a, rng, device, now, .. } = self;
        let (now, wall) = (Instant(*now), Some(UnixTime(1_800_000_000_000)));
        f(a, &mut Cx { now, wall, place: &[], rng, device, keys: &NoKeys })
    }

    /// The datagram that it sends now, if there is one.
    fn sends(&mut self) -> Option<Vec<u8>> {
        let mut sent = None;
        loop {
            let mut out = [0; 2048];
            let (mut stored, mut noted) = (None, None);
            let idle = self.with(|a, cx| match a.poll(cx, &mut out) {
                Output::Datagram { bytes, .. } => sent.replace(bytes.to_vec()).is_some(),
                Output::Persist { slot, bytes, .. } => stored.replace((slot, bytes.to_vec())).is_some(),
                Output::Event(event) => noted.replace(event).is_some(),
                Output::Idle { .. } => true,
                other => panic!("{other:?}"),
            });
            self.events.extend(noted);
            if let Some((slot, blob)) = stored {
                self.blob = blob;
                self.a.persisted(slot, Ok(()));
            }
            if idle {
                return sent;
            }
        }
    }

    fn takes(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let (from, mut bytes) = (peer(), datagram.to_vec());
        self.with(|a, cx| a.handle_input(cx, &from, &mut bytes).unwrap().map(|got| got.payload.to_vec()))
    }

    fn says(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = [0; 100];
        self.with(|a, cx| a.send(cx, text, &mut out).unwrap().bytes.to_vec())
    }
}

fn peer() -> Addr {
    Addr::new(b"peer").unwrap()
}

/// Each side sends what Python says it does.
fn exchange<A: Association, B: Association>(a: &mut Side<A>, b: &mut Side<B>, worked: &Worked, names: &[&str]) {
    for (i, name) in names.iter().enumerate() {
        let sent = if i % 2 == 0 { a.sends() } else { b.sends() };
        let sent = sent.unwrap_or_else(|| panic!("{name} is sent"));
        assert_eq!(sent, worked.get(name), "{name}");
        if i % 2 == 0 {
            b.takes(&sent)
        } else {
            a.takes(&sent)
        };
    }
    assert_eq!((a.sends(), b.sends()), (None, None), "nothing more");
}

fn ticket(subject: &str, serial: u32, public: &[u8]) -> Vec<u8> {
    let claims = Claims {
        issuer: "acme",
        subject,
        expires: 1_900_000_000,
        not_before: None,
        issued_at: 1_700_000_000,
        serial,
        key: DeviceKey::new(KeyGroup::Ffc2048, public).unwrap(),
        scope: "",
    };
    let mut out = [0; 640];
    let len = Ticket::issue(&signer(), &claims, &mut out).unwrap();
    out[..len].to_vec()
}

fn signer() -> Ed25519Key {
    Ed25519Key::new(Secret::new([7; 32]))
}

fn agent() -> Agent<'static> {
    Agent { name: "acme", key: signer().public_key().unwrap() }
}

#[test]
fn interactive() {
    use iotkm::crypto::PrimeGroup;
    let worked = Worked::read(include_str!("../worked/interactive.txt"));
    let issued = [("lamp", 1, "A"), ("hub", 2, "S")].map(|(name, serial, side)| {
        let (x, mut y) = (worked.scalar(&format!("x_{side}")), [0; 256]);
        FFC2048.base(&x, &mut y);
        let ticket = ticket(name, serial, &y);
        assert_eq!(ticket, worked.get(&format!("T_{side}")));
        (ticket, x)
    });
    let side = |(ticket, x): &'static (Vec<u8>, Secret<32>), name| {
        let device = PublishedDevice::new(&FFC2048, ticket, x.clone(), agent()).unwrap();
        Side::new(PublishedInteractive::open(device, Slot(1), None), name)
    };
    let [a, s] = Box::leak(Box::new(issued));
    let (mut a, mut s) = (side(a, "lamp"), side(s, "hub"));

    a.with(|a, cx| a.connect(cx, &peer(), TERMS)).unwrap();
    exchange(&mut a, &mut s, &worked, &["M1", "M2", "M3", "M4", "K1", "K2", "K3", "K4"]);
    let same = |a: &Side<PublishedInteractive<'static>>, s: &Side<PublishedInteractive<'static>>, pmk, k_m| {
        for (side, peer) in [(a, "hub"), (s, "lamp")] {
            let record = side.a.peer().unwrap();
            assert_eq!(record.id().as_bytes(), peer.as_bytes());
            assert_eq!(record.pmk().expose(), worked.get(pmk));
            assert_eq!(side.a.session_key().unwrap().expose(), worked.get(k_m));
        }
    };
    same(&a, &s, "PMK", "K_M");
    assert_eq!(a.a.peer().unwrap().zeros().map(|n| &n[..]), [worked.get("N_S0"), worked.get("N_A0")]);
    assert_eq!(a.says(b"the light is on"), worked.get("DATA A"));
    assert_eq!(s.takes(worked.get("DATA A")).unwrap(), b"the light is on");
    assert_eq!(s.says(b"switch it off"), worked.get("DATA S"));
    assert_eq!(a.takes(worked.get("DATA S")).unwrap(), b"switch it off");

    // The next session key, asked for by S; then the next PMK.
    s.with(|s, cx| s.rekey(cx, &peer())).unwrap();
    exchange(&mut s, &mut a, &worked, &["K1'", "K2'", "K3'", "K4'"]);
    same(&a, &s, "PMK", "K_M'");
    a.with(|a, cx| a.connect(cx, &peer(), TERMS)).unwrap();
    exchange(&mut a, &mut s, &worked, &["M1''", "M2''", "M3''", "M4''", "K1''", "K2''", "K3''", "K4''"]);
    same(&a, &s, "PMK''", "K_M''");
}

#[test]
fn noninteractive() {
    let worked = Worked::read(include_str!("../worked/noninteractive.txt"));
    let mut rng = Stream::new("operator");
    let operator = PublishedOperator::generate(&FFC2048, &mut rng).unwrap();
    assert_eq!(operator.public_key(), worked.get("y_Z"));
    let issued = [("lamp", 1, "A"), ("hub", 2, "S")].map(|(name, serial, side)| {
        let credential = operator.issue(&mut rng, Subject::new(name).unwrap()).unwrap();
        assert_eq!(credential.guarantee(), worked.get(&format!("r_{side}")));
        assert_eq!(credential.private_key().expose(), worked.get(&format!("x_{side}")));
        assert_eq!(credential.public_key(), worked.get(&format!("y_{side}")));
        let ticket = ticket(name, serial, credential.public_key());
        assert_eq!(ticket, worked.get(&format!("T_{side}")));
        (ticket, credential)
    });
    let [mut a, mut s] = issued.each_ref().map(|(ticket, credential)| {
        let name = if credential.id().as_bytes() == b"lamp" { "lamp" } else { "hub" };
        let device = PublishedDevice::new(&FFC2048, ticket, credential.private_key().clone(), agent()).unwrap();
        Side::new(PublishedNoninteractive::open(device, credential.clone(), Slot(1)).unwrap(), name)
    });
    a.with(|a, cx| a.connect(cx, &peer(), TERMS)).unwrap();
    exchange(&mut a, &mut s, &worked, &["M1", "M2", "M3", "M4"]);

    let group = &FFC2048;
    for (side, me, name) in [(&a, "A", "lamp"), (&s, "S", "hub")] {
        let state = side.a.progression().unwrap();
        assert_eq!(state.v().expose(), worked.get("V"));
        for t in 1..=12 {
            let of = |what: &str| worked.get(&format!("{what} {me} {t}"));
            let r = state.own_r(group, t).unwrap();
            assert_eq!(cut(group, &r), of("r"));
            assert_eq!(h(name.as_bytes(), cut(group, &r)), kdf::hash(&[name.as_bytes(), of("r")]));
            assert_eq!(cut(group, &state.x(group, t).unwrap()), of("x"));
            assert_eq!(cut(group, &state.y(group, t).unwrap()), of("y of the other"));
            assert_eq!(state.session_key(group, t).unwrap().expose(), of("K"));
        }
    }
    assert_eq!(a.says(b"on"), worked.get("DATA A 1"));
    assert_eq!(s.takes(worked.get("DATA A 1")).unwrap(), b"on");
    a.now += 4 * 60_000;
    assert_eq!(a.says(b"on"), worked.get("DATA A 5"));
    assert_eq!(s.takes(worked.get("DATA A 5")).unwrap(), b"on");
}
