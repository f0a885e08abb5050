//! A fleet's credentials are renewed over its associations with the operator: bad links, sleepers, devices without a clock,
//! power cuts on both sides at every step.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::cose::operator::Entry;
use iotkm::cose::{Message, Operator, Reference, Refused};
use iotkm::crypto::Secret;
use iotkm::crypto::hpke::Kem;
use iotkm::crypto::keys::{GrowingKey, KeyError, KeySlot, StaticKey, StaticKeys, Step};
use iotkm::engine::wire::Reader;
use iotkm::noninteractive::Credential;
use iotkm::noninteractive::credential::HOUR;
use iotkm::noninteractive::issue::read_request;
use iotkm::noninteractive::renewal::Told;
use iotkm::noninteractive::setting::SETTING_0;
use iotkm::phase1::Subject;
use iotkm::{Association, Device, UnixTime};
use iotkm_netsim::epochs::{Assoc, Held, Lab, NAMES, Office, Other, Plan, SLOT, WALL};
use iotkm_netsim::node::{Keys, Node};
use iotkm_netsim::{Link, Net, SimRng};
use std::collections::{BTreeMap, BTreeSet};

const FLEET: usize = 40;
const LIFE: u16 = 10;
const TICK: u64 = 5_000;
/// Slots of a device's storage, besides its peer's: the holder, and from then on its keys.
const HOLDER: u16 = 2;
const KEYS: [u16; 2] = [3, 4];

type Pair = Lab<32>;

/// A device's two private keys.
struct Ring([Option<GrowingKey<32>>; 2]);

impl Ring {
    fn ask(&self, f: &dyn Fn(&GrowingKey<32>) -> Result<(), KeyError>) -> Result<(), KeyError> {
        let found = self.0.iter().flatten().map(f).find(|done| *done != Err(KeyError::NoKey));
        found.unwrap_or(Err(KeyError::NoKey))
    }
}

impl StaticKeys for Ring {
    fn public_key(&self, slot: KeySlot, kem: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError> {
        let share = std::cell::RefCell::new(share);
        self.ask(&|key| key.public_key(slot, kem, &mut share.borrow_mut()))
    }
    fn agree(&self, slot: KeySlot, kem: &dyn Kem, theirs: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        let secret = std::cell::RefCell::new(secret);
        self.ask(&|key| key.agree(slot, kem, theirs, &mut secret.borrow_mut()))
    }
    fn step(&self, slot: KeySlot, kem: &dyn Kem, step: &Step<'_>, out: &mut [u8]) -> Result<(), KeyError> {
        let out = std::cell::RefCell::new(out);
        self.ask(&|key| key.step(slot, kem, step, &mut out.borrow_mut()))
    }
}

fn bytes(message: &Message<'_>) -> Vec<u8> {
    let mut out = [0; 600];
    let len = message.write(&mut out).unwrap();
    out[..len].to_vec()
}

fn seconds(now: u64) -> u32 {
    WALL + (now / 1000) as u32
}

/// The credential in front of an answer.
fn issued(answer: &[u8]) -> Credential<'_> {
    Credential::take(&mut Reader::new(answer), &SETTING_0).unwrap()
}

/// A device's requests and their answers.
type Answered = Vec<(Vec<u8>, Vec<u8>)>;

/// The operator: what it knows by heart, and its records, which outlive its program.
struct Desk {
    office: Office,
    operator: Operator<Vec<Entry>>,
    records: BTreeMap<String, Answered>,
}

impl Desk {
    fn new(office: Office) -> Self {
        let mut desk = Self { office, operator: Operator::new(vec![], 0, 0), records: BTreeMap::new() };
        desk.restart();
        desk
    }

    fn restart(&mut self) {
        self.operator = Operator::new(vec![Entry::FREE; FLEET], 3 * HOUR, 600);
        for n in 0..FLEET {
            let first = u64::from(WALL) + u64::from(LIFE) * HOUR;
            let last = self.records.get(name(n)).and_then(|all| all.last());
            self.operator.holds(name(n), last.map_or(first, |(_, answer)| issued(answer).expires())).unwrap();
        }
    }

    /// What a device has said; the answer, and whether the power goes before that is sent.
    fn told(&mut self, device: &str, payload: &[u8], now: u32, rng: &mut SimRng) -> (Option<Vec<u8>>, bool) {
        match Message::read(payload) {
            Ok(Message::CredentialRequest(request)) => {
                if read_request(request, &SETTING_0).map(|(name, _)| name) != Ok(device) {
                    return (Some(bytes(&Message::Refused(Refused::Subject.code().into()))), false);
                }
                let all = self.records.entry(device.to_owned()).or_default();
                let known = all.iter().find(|(asked, _)| asked == request).map(|(_, answer)| answer.clone());
                let answer = known.unwrap_or_else(|| {
                    let answer = self.office.answer(request, now, LIFE);
                    all.push((request.to_vec(), answer.clone()));
                    answer
                });
                let reference = Reference::of(&answer[..answer.len() - 32]);
                self.operator.waits(device, reference, issued(&answer).expires()).unwrap();
                (Some(bytes(&Message::CredentialAnswer(&answer))), rng.percent(20))
            }
            Ok(message) => {
                self.operator.handle(device, &message);
                (None, false)
            }
            Err(_) => (None, false),
        }
    }
}

fn name(n: usize) -> &'static str {
    format!("device {n}").leak()
}

/// A device, and the operator's end of their association.
struct One {
    net: Pair,
    name: &'static str,
    plan: Plan,
    rng: SimRng,
    say_at: u64,
    asleep_until: u64,
    cuts: u32,
    alone: u64,
    done: bool,
}

impl One {
    fn new(desk: &mut Desk, n: usize, at_desk: &(Held, Secret<32>)) -> Self {
        let mut plan = Plan::new(&SETTING_0);
        (plan.life, plan.slots) = (LIFE, [KeySlot(1), KeySlot(2)]);
        (plan.terms.interval, plan.terms.length) = (1800, 1000);
        let (mut held, key) = desk.office.enrol(name(n), LIFE);
        let end = |held: Held, me: &str, other: &str, who: usize| {
            let [id, other] = [me, other].map(|name| Subject::new(name).unwrap());
            let mut peer = Other::<32>::new(SLOT, id, Some(other), None).unwrap();
            let device = Device::new(Secret::new([(2 * n + who) as u8; 32]));
            let mut blob = [0; 3000];
            let (len, version) = peer.seal(&device, &mut blob).unwrap();
            let mut node = Node::new(plan.open(held, peer), NAMES[who].as_bytes(), (2 * n + who) as u64, device);
            node.wall = Some(u64::from(WALL) * 1000);
            node.key = Some(|a: &Assoc<32>| a.session().map(|s| (s.fingerprint(), s.generation())));
            node.stored.insert(SLOT.0, (version, blob[..len].to_vec()));
            node
        };
        let mut b = end(at_desk.0.clone(), "desk", name(n), 1);
        b.keys = Keys(Box::new(Ring([Some(grown(1, &at_desk.1)), None])));
        let mut blob = [0; Held::BLOB_MAX];
        let device = Device::new(Secret::new([(2 * n) as u8; 32]));
        let (len, version) = held.seal(&device, &mut blob).unwrap();
        held.persisted();
        let mut a = end(held, name(n), "desk", 0);
        a.stored.insert(HOLDER, (version, blob[..len].to_vec()));
        a.stored.insert(KEYS[0], (0, key.key().scalar().expose().to_vec()));
        a.keys = keys(&a);
        if n % 4 == 3 {
            a.wall = None; // it is told
        }
        let asleep_until = if n % 3 == 1 { 8 * 3_600_000 + 400_000 } else { 0 };
        let net = Net::new(n as u64, Link { delay: (1, 400), ..Link::BAD }, a, b);
        let rng = SimRng::new(n as u64 + 900);
        Self { net, name: name(n), plan, rng, say_at: 0, asleep_until, cuts: 0, alone: 0, done: false }
    }

    /// A side's program starts from what is stored.
    fn reboot(&mut self, who: usize, desk: &mut Desk) {
        self.cuts += 1;
        let now = self.net.now;
        let side = self.net.side(who);
        let blob = side.stored[&SLOT.0].1.clone();
        let peer = Other::<32>::restore(&side.device, SLOT, 0, &blob, &mut [0; 3000]).unwrap();
        let held = if who == 0 {
            let (operator, blob) = (desk.office.operator(), &side.stored[&HOLDER].1);
            Held::restore(operator, self.name, &side.device, 0, blob, &mut [0; Held::BLOB_MAX]).unwrap()
        } else {
            desk.restart();
            side.a.credentials().borrow().clone()
        };
        side.a = self.plan.open(held, peer);
        if who == 0 {
            side.keys = keys(side);
        }
        side.clock.1 = 5 - now as i64;
        if self.net.go_on(who).is_err() {
            let _ = self.net.shake(who);
        }
    }

    /// A step of the device's: whether the power goes right here.
    fn cut(&mut self) -> bool {
        self.cuts < 6 && self.rng.percent(20)
    }

    fn store(&mut self) -> bool {
        if self.cut() {
            return false;
        }
        let mut blob = [0; Held::BLOB_MAX];
        let device = &self.net.a.device;
        let mut held = self.net.a.a.credentials().borrow_mut();
        let (len, version) = held.seal(device, &mut blob).unwrap();
        held.persisted();
        drop(held);
        self.net.a.stored.insert(HOLDER, (version, blob[..len].to_vec()));
        !self.cut()
    }

    /// What the device's program does; `false`: the power went.
    fn device(&mut self) -> bool {
        let now = self.net.now;
        let wall = self.net.a.wall.map(|w| UnixTime(w + now));
        for payload in std::mem::take(&mut self.net.a.received) {
            let Ok(message) = Message::read(&payload) else { continue };
            let told = self.net.a.a.credentials().borrow_mut().handle(&message, wall);
            match told {
                Ok(Told::Ask) if !self.done => {
                    if !self.ask() {
                        return false;
                    }
                }
                Ok(Told::Next(credential, x)) => {
                    let free = self.free_slot();
                    if self.cut() {
                        return false;
                    }
                    self.net.a.stored.insert(KEYS[free], (0, x.expose().to_vec()));
                    self.net.a.keys = keys(&self.net.a);
                    self.net.a.a.credentials().borrow_mut().install(&credential, wall).unwrap();
                    if !self.store() {
                        return false;
                    }
                    self.acknowledge();
                }
                Ok(Told::Acknowledge) => self.acknowledge(),
                Err(refused) => panic!("{}: {refused:?}", self.name),
                Ok(_) => {}
            }
        }
        let (due, asking) = {
            let held = self.net.a.a.credentials().borrow();
            (wall.is_some_and(|wall| wall.0 / 1000 >= held.due_at(4 * HOUR)), held.is_asking())
        };
        if due && !asking && !self.ask() {
            return false;
        }
        if asking && now >= self.say_at {
            let mut out = [0; 100];
            let len = self.net.a.a.credentials().borrow().request(&mut out).unwrap();
            self.net.say(true, &bytes(&Message::CredentialRequest(&out[..len])));
            self.say_at = now + 20_000;
        }
        true
    }

    fn ask(&mut self) -> bool {
        let node = &mut self.net.a;
        node.a.credentials().borrow_mut().ask(&mut node.rng).unwrap();
        let dirty = node.a.credentials().borrow().needs_store();
        !dirty || self.store()
    }

    fn acknowledge(&mut self) {
        let said = self.net.a.a.credentials().borrow().acknowledgement();
        if let Some(said) = said {
            self.net.say(true, &bytes(&said));
        }
    }

    /// Where the key of the credential in use is not.
    fn free_slot(&self) -> usize {
        let held = self.net.a.a.credentials().borrow();
        let mut element = [0; 32];
        held.operator().public_key(&held.credential().unwrap(), &mut element).unwrap();
        let used = |slot: &u16| {
            let scalar = self.net.a.stored.get(slot).map(|(_, x)| Secret::new(x[..].try_into().unwrap()));
            scalar.is_some_and(|x| *grown(1, &x).key().share() == element)
        };
        assert!(KEYS.iter().any(used), "at every moment it has the key of its credential");
        usize::from(used(&KEYS[0]))
    }

    fn tick(&mut self, desk: &mut Desk) {
        let asleep = self.net.now < self.asleep_until;
        if asleep != self.net.a.dead && asleep {
            self.net.a.dead = true;
        }
        self.net.drive(TICK, |_| false);
        if asleep {
            return;
        }
        if self.net.a.dead {
            self.net.a.dead = false;
            self.reboot(0, desk);
        }
        self.alone = if self.net.joined() { 0 } else { self.alone + TICK };
        if self.alone > 120_000 {
            let _ = self.net.shake(0);
            self.alone = 0;
        }
        if !self.device() {
            self.reboot(0, desk);
            return;
        }
        for payload in std::mem::take(&mut self.net.b.received) {
            let (answer, off) = desk.told(self.name, &payload, seconds(self.net.now), &mut self.rng);
            if off && self.cuts < 6 {
                self.reboot(1, desk);
                return;
            }
            if let Some(answer) = answer {
                self.net.say(false, &answer);
            }
        }
        self.done |= desk.records.contains_key(self.name) && !self.net.a.a.credentials().borrow().is_asking();
    }
}

fn grown(slot: u16, x: &Secret<32>) -> GrowingKey<32> {
    GrowingKey::new(StaticKey::new(KeySlot(slot), SETTING_0.kem, x).unwrap(), SETTING_0.group).unwrap()
}

fn keys(node: &Node<Assoc<32>>) -> Keys {
    let at = |n: usize| {
        let (_, x) = node.stored.get(&KEYS[n])?;
        Some(grown(n as u16 + 1, &Secret::new(x[..].try_into().unwrap())))
    };
    Keys(Box::new(Ring([at(0), at(1)])))
}

#[test]
fn a_fleets_credentials_are_renewed_over_its_associations() {
    let mut desk = Desk::new(Office::new(&SETTING_0, 7));
    let (held, key) = desk.office.enrol("desk", 1000);
    let own = (held, key.key().scalar().clone());
    let mut fleet: Vec<One> = (0..FLEET).map(|n| One::new(&mut desk, n, &own)).collect();
    let ends = u64::from(LIFE) * 3_600_000;
    while fleet[0].net.now < ends - 60_000 {
        for one in &mut fleet {
            one.tick(&mut desk);
        }
        // Who is due and has not asked is told, where there is a session.
        while let Some(due) = desk.operator.ask(seconds(fleet[0].net.now).into()).map(str::to_owned) {
            let one = fleet.iter_mut().find(|one| one.name == due).unwrap();
            one.net.say(false, &bytes(&Message::CredentialDue));
        }
    }
    let mut serials = BTreeSet::new();
    for one in &mut fleet {
        let all = &desk.records[one.name];
        assert_eq!(all.len(), 1, "{} was issued one, cut {} times", one.name, one.cuts);
        let next = issued(&all[0].1);
        assert!(serials.insert(next.serial));
        {
            let held = one.net.a.a.credentials().borrow();
            assert_eq!(held.credential(), Some(next), "{}", one.name);
            assert!(!held.is_asking());
        }
        // What there was goes on under the old one; then a handshake under the new one, which lives on when the old is over.
        assert!(one.net.drive(200_000, Lab::joined) || one.net.shake(0).is_ok());
        let old = one.net.a.a.fingerprint();
        let _ = one.net.shake(0);
        assert!(one.net.drive(300_000, |n| n.joined() && n.a.a.fingerprint() != old), "{}", one.net.report());
        one.net.drive(ends, |n| n.now > ends + 600_000);
        assert!(one.net.chat(60_000), "{}: {}", one.name, one.net.report());
        assert_eq!(one.net.b.a.peer().serial(), Some(next.serial));
    }
    let cuts: u32 = fleet.iter().map(|one| one.cuts).sum();
    assert!(cuts > FLEET as u32, "the power went {cuts} times");
    let held = desk.operator.entries().iter().filter(|e| e.expires() > u64::from(WALL) + ends / 1000).count();
    assert_eq!(held, FLEET, "the operator knows");
}

/// A device cannot ask in another's name.
#[test]
fn a_request_in_anothers_name_is_refused() {
    let mut desk = Desk::new(Office::new(&SETTING_0, 8));
    let mut out = [0; 100];
    let mut rng = SimRng::new(1);
    let (len, _) = iotkm::noninteractive::issue::request(&SETTING_0, name(1), &mut rng, &mut out).unwrap();
    let message = bytes(&Message::CredentialRequest(&out[..len]));
    let (answer, _) = desk.told(name(0), &message, WALL, &mut rng);
    assert_eq!(answer.unwrap(), bytes(&Message::Refused(Refused::Subject.code().into())));
    assert!(desk.records.is_empty());
}
