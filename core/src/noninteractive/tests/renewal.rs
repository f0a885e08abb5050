#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

use super::*;
use crate::association::UnixTime;
use crate::cose::message::Acknowledged;
use crate::cose::operator::{Entry, Operator as Desk};
use crate::cose::wallet::NotTaken;
use crate::cose::{Message, Reference, Refused, RevocationList};
use crate::crypto::keys::{KEY_BLOB, KeySlot, StaticKey};
use crate::noninteractive::Holder;
use crate::noninteractive::credential::{Credential, HOUR};
use crate::noninteractive::holder::holder_len;
use crate::noninteractive::issue::{self, check};
use crate::noninteractive::renewal::Told;
use crate::{Device, Error};
use std::boxed::Box;
use std::vec::Vec;

const NOW: u32 = 1_800_000_000;
const LIFE: u16 = 240;
/// When the first credential is nearly over.
const LATER: u32 = NOW + 230 * HOUR as u32;
type Held = Holder<'static, { holder_len(32) }, 200>;

fn at(seconds: u32) -> Option<UnixTime> {
    Some(UnixTime(u64::from(seconds) * 1000))
}

/// An operator: its key, its numbers, and its records of requests and answers, which outlive its program.
struct Office {
    setting: &'static Setting,
    key: &'static OperatorKey<32>,
    agent: TicketAgent,
    records: Vec<(Vec<u8>, Vec<u8>)>,
    rng: Seeded,
}

impl Office {
    fn new(setting: &'static Setting) -> Self {
        let key = Box::leak(Box::new(OperatorKey::generate(setting, &mut Seeded(50)).unwrap()));
        Self { setting, key, agent: agent("acme"), records: Vec::new(), rng: Seeded(60) }
    }

    fn operator(&self) -> Operator<'static> {
        operator(self.setting, self.key)
    }

    /// The same answer to the same request.
    fn answer(&mut self, request: &[u8], now: u32) -> Vec<u8> {
        if let Some((_, answer)) = self.records.iter().find(|(asked, _)| asked == request) {
            return answer.clone();
        }
        let mut out = [0; 200];
        let len = self.key.issue(&mut self.agent, &mut self.rng, now, LIFE, request, &mut out).unwrap();
        self.records.push((request.to_vec(), out[..len].to_vec()));
        out[..len].to_vec()
    }
}

/// What of a device survives a power cut: its holder, and two private keys.
#[derive(Clone, Default)]
struct Flash {
    holder: Vec<u8>,
    keys: [Option<Vec<u8>>; 2],
}

/// The power went.
#[derive(Debug)]
struct Off;

struct Lamp {
    device: Device,
    flash: Flash,
    /// Steps until the power goes.
    left: Option<usize>,
    rng: Seeded,
}

impl Lamp {
    /// A device with its first credential.
    fn new(office: &mut Office) -> Self {
        let device = Device::new(Secret::new([3; 32]));
        let mut lamp = Self { device, flash: Flash::default(), left: None, rng: Seeded(70) };
        let mut asked = [0; 100];
        let (len, k1) = issue::request(office.setting, "lamp", &mut lamp.rng, &mut asked).unwrap();
        let answer = office.answer(&asked[..len], NOW);
        let operator = office.operator();
        let (credential, x) = issue::accept(&operator, "lamp", &k1, &answer, at(NOW), 0).unwrap();
        lamp.keep(0, &x, office).unwrap();
        let mut held = Held::new(operator, "lamp").unwrap();
        held.install(&credential, at(NOW)).unwrap();
        lamp.store(&mut held).unwrap();
        lamp
    }

    fn step(&mut self) -> Result<(), Off> {
        match &mut self.left {
            Some(0) => Err(Off),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn store(&mut self, held: &mut Held) -> Result<(), Off> {
        self.step()?;
        let mut blob = [0; Held::BLOB_MAX];
        let (len, _) = held.seal(&self.device, &mut blob).unwrap();
        self.flash.holder = blob[..len].to_vec();
        self.step()?;
        held.persisted();
        Ok(())
    }

    fn keep(&mut self, slot: usize, x: &Secret<32>, office: &Office) -> Result<(), Off> {
        self.step()?;
        let key = StaticKey::<32>::new(KeySlot(slot as u16), office.setting.kem, x).unwrap();
        let mut blob = [0; KEY_BLOB];
        let len = key.seal(&self.device, &mut blob).unwrap();
        self.flash.keys[slot] = Some(blob[..len].to_vec());
        Ok(())
    }

    fn restored(&self, office: &Office) -> Held {
        let mut work = [0xaa; Held::BLOB_MAX];
        let held = Held::restore(office.operator(), "lamp", &self.device, 0, &self.flash.holder, &mut work).unwrap();
        assert!(work[..self.flash.holder.len()].iter().all(|byte| *byte == 0), "k1 stays nowhere");
        held
    }

    /// Where the key of this credential is.
    fn slot_of(&self, office: &Office, credential: &Credential<'_>) -> Option<usize> {
        (0..2).find(|slot| {
            let Some(blob) = &self.flash.keys[*slot] else { return false };
            let key = StaticKey::<32>::restore(KeySlot(0), office.setting.kem, &self.device, blob).unwrap();
            check(&office.operator(), "lamp", credential, key.scalar(), None, 0).is_ok()
        })
    }

    /// From a start to the acknowledgement of the second credential.
    fn run(&mut self, office: &mut Office) -> Result<Acknowledged, Off> {
        let mut held = self.restored(office);
        let own = held.credential().unwrap();
        let using = self.slot_of(office, &own).expect("at every moment it has a credential and its key");
        if own.issued_at == NOW {
            held.ask(&mut self.rng).unwrap();
            if held.needs_store() {
                self.store(&mut held)?;
            }
            let mut asked = [0; 100];
            let len = held.request(&mut asked).unwrap();
            self.step()?;
            let answer = office.answer(&asked[..len], LATER);
            self.step()?;
            let Told::Next(credential, x) = held.handle(&Message::CredentialAnswer(&answer), at(LATER)).unwrap() else {
                panic!("it was asked for")
            };
            self.keep(1 - using, &x, office)?;
            held.install(&credential, at(LATER)).unwrap();
            assert_eq!(held.acknowledgement(), None, "nothing is said before it is stored");
            self.store(&mut held)?;
        }
        self.step()?;
        let Some(Message::Acknowledged(said)) = held.acknowledgement() else { panic!("it is stored") };
        Ok(said)
    }
}

#[test]
fn a_power_cut_anywhere_loses_nothing_and_issues_nothing_twice() {
    for (setting, cuts) in [(&SETTING_0, 11), (&SETTING_2, 1)] {
        for (first, second) in (0..11).flat_map(|first| (0..cuts).map(move |second| (first, second))) {
            let office = &mut Office::new(setting);
            let mut lamp = Lamp::new(office);
            for left in [first, second] {
                lamp.left = Some(left);
                let _ = lamp.run(office);
            }
            lamp.left = None;
            let said = lamp.run(office).unwrap();
            assert_eq!(office.records.len(), 2, "cut at {first}, {second}");
            let answer = &office.records[1].1;
            let credential = &answer[..answer.len() - 32];
            assert_eq!(said, Acknowledged { ticket: Reference::of(credential), list: 0 });
            let held = lamp.restored(office);
            assert!(held.bytes() == credential && !held.is_asking());
        }
    }
    // The count of cuts is more than there are steps.
    let office = &mut Office::new(&SETTING_0);
    let mut lamp = Lamp::new(office);
    lamp.left = Some(10);
    assert!(lamp.run(office).is_ok());
}

#[test]
fn when_to_ask() {
    let office = &mut Office::new(&SETTING_0);
    let lamp = Lamp::new(office);
    let held = lamp.restored(office);
    let ends = u64::from(NOW) + u64::from(LIFE) * HOUR;
    assert_eq!(held.due_at(5 * HOUR), ends - 5 * HOUR);
    assert_eq!(held.due_at(u64::MAX), ends - u64::from(LIFE) * HOUR / 2, "not in the first half of its life");
    assert_eq!(Held::new(office.operator(), "lamp").unwrap().due_at(1), 0, "at once");
}

#[test]
fn asked_again_and_answered_again() {
    let office = &mut Office::new(&SETTING_0);
    let mut lamp = Lamp::new(office);
    let mut held = lamp.restored(office);
    let (mut first, mut again) = ([0; 37], [0; 37]);
    assert_eq!(held.request(&mut first), Err(Error::WrongState), "nothing is asked");
    held.ask(&mut lamp.rng).unwrap();
    assert!(held.is_asking() && held.needs_store());
    assert_eq!(held.request(&mut first), Err(Error::WrongState), "nothing is stored");
    lamp.store(&mut held).unwrap();
    assert_eq!(held.request(&mut first[..20]), Err(Error::BufferTooSmall { needed: 37 }));
    assert_eq!(held.request(&mut first), Ok(37));
    held.ask(&mut lamp.rng).unwrap();
    assert!(!held.needs_store(), "an answer is awaited");
    let mut held = lamp.restored(office);
    assert!(held.is_asking());
    assert_eq!((held.request(&mut again), again), (Ok(37), first), "the same, also after a restart");

    let answer = office.answer(&first, LATER);
    let push = Message::CredentialAnswer(&answer);
    for _ in 0..2 {
        assert!(matches!(held.handle(&push, at(LATER)), Ok(Told::Next(..))), "nothing has changed yet");
    }
    let Ok(Told::Next(credential, _)) = held.handle(&push, at(LATER)) else { panic!() };
    held.install(&credential, at(LATER)).unwrap();
    assert!(matches!(held.handle(&push, at(LATER)), Ok(Told::Acknowledge)), "said again, acknowledged again");
    assert!(!held.is_asking() && held.acknowledgement().is_none());
    lamp.store(&mut held).unwrap();
    assert!(held.acknowledgement().is_some());
    // What belongs to no request of its own any more, or comes to somebody who asked for nothing.
    let old = office.records[0].1.clone();
    let refused = |held: &mut Held, answer: &[u8]| {
        held.handle(&Message::CredentialAnswer(answer), at(LATER)).map(|_| ()).unwrap_err()
    };
    assert_eq!(refused(&mut held, &old), NotTaken::Refused(Refused::Signature));
    // The next time it is another one.
    held.ask(&mut lamp.rng).unwrap();
    lamp.store(&mut held).unwrap();
    assert!(held.request(&mut again).is_ok() && again != first);
    assert!(matches!(held.handle(&Message::CredentialDue, at(LATER)), Ok(Told::Ask)));
    assert!(matches!(held.handle(&Message::Refused(-1), at(LATER)), Ok(Told::Nothing)));
}

#[test]
fn forged_answers_change_nothing() {
    let office = &mut Office::new(&SETTING_0);
    let mut lamp = Lamp::new(office);
    let mut held = lamp.restored(office);
    held.ask(&mut lamp.rng).unwrap();
    lamp.store(&mut held).unwrap();
    let mut asked = [0; 37];
    held.request(&mut asked).unwrap();
    let answer = office.answer(&asked, LATER);
    let before = (held.bytes().to_vec(), held.floor());
    let mut tried = 0;
    let mut refused = |held: &mut Held, answer: &[u8]| {
        assert!(matches!(held.handle(&Message::CredentialAnswer(answer), at(LATER)), Err(NotTaken::Refused(_))));
        assert!(!held.needs_store() && held.is_asking());
        assert_eq!((held.bytes(), held.floor()), (&before.0[..], before.1));
        tried += 1;
    };
    for at in 0..answer.len() {
        let mut forged = answer.clone();
        forged[at] ^= 1 << (at % 8);
        refused(&mut held, &forged);
        refused(&mut held, &answer[..at]);
    }
    // Another operator's; another device's; to another request of its own; one that ends before the one here.
    let other = &mut Office::new(&SETTING_0);
    other.key = Box::leak(Box::new(OperatorKey::generate(&SETTING_0, &mut Seeded(99)).unwrap()));
    refused(&mut held, &other.answer(&asked, LATER));
    let mut theirs = [0; 37];
    issue::request(&SETTING_0, "door", &mut Seeded(5), &mut theirs).unwrap();
    refused(&mut held, &office.answer(&theirs, LATER));
    issue::request(&SETTING_0, "lamp", &mut Seeded(5), &mut theirs).unwrap();
    refused(&mut held, &office.answer(&theirs, LATER));
    let mut short = [0; 100];
    let len = office.key.issue(&mut office.agent, &mut office.rng, LATER, 1, &asked, &mut short).unwrap();
    refused(&mut held, &short[..len]);
    assert_eq!(tried, 2 * answer.len() + 4);
    assert!(matches!(held.handle(&Message::CredentialAnswer(&answer), at(LATER)), Ok(Told::Next(..))));
    // A revoked one is not taken either.
    let serial = Credential::take(&mut crate::engine::wire::Reader::new(&answer), &SETTING_0).unwrap().serial;
    let (signer, mut list) = (Ed25519Key::new(Secret::new([9; 32])), [0; 200]);
    let len = RevocationList::issue(&signer, "acme", LATER.into(), 1, &[serial], &mut list).unwrap();
    assert!(matches!(held.handle(&Message::List(&list[..len]), at(LATER)), Ok(Told::Acknowledge)));
    lamp.store(&mut held).unwrap();
    let again = held.handle(&Message::CredentialAnswer(&answer), at(LATER));
    assert!(matches!(again, Err(NotTaken::Refused(Refused::Revoked))));
    let Some(Message::Acknowledged(said)) = held.acknowledgement() else { panic!() };
    assert_eq!((said.ticket, said.list), (Reference::of(held.bytes()), 1));
}

/// Blobs without k1 are as they always were; one with half of it is none.
#[test]
fn the_blob() {
    let office = &mut Office::new(&SETTING_0);
    let mut lamp = Lamp::new(office);
    let plain = lamp.flash.holder.len();
    let mut held = lamp.restored(office);
    held.ask(&mut lamp.rng).unwrap();
    lamp.store(&mut held).unwrap();
    assert_eq!(lamp.flash.holder.len(), plain + 32);
    let mut text = [0; Held::BLOB_MAX];
    let kind = crate::engine::state::Kind::Holder;
    let (_, len) = crate::engine::state::open(&lamp.device, kind, 0, &lamp.flash.holder, &mut text).unwrap();
    for cut in 1..32 {
        let mut blob = [0; Held::BLOB_MAX];
        blob[crate::engine::state::OVERHEAD..][..len - cut].copy_from_slice(&text[..len - cut]);
        let len = crate::engine::state::seal(&lamp.device, kind, 9, &mut blob, len - cut).unwrap();
        let restored = Held::restore(office.operator(), "lamp", &lamp.device, 0, &blob[..len], &mut [0; 400]);
        assert_eq!(restored.unwrap_err(), Error::BadBlob, "{cut}");
    }
}

/// A list whose length no blob can say is not taken.
#[test]
fn the_longest_list() {
    let office = Office::new(&SETTING_0);
    let mut held = Box::new(Holder::<'static, { holder_len(32) }, 66_000>::new(office.operator(), "lamp").unwrap());
    let (signer, mut out) = (Ed25519Key::new(Secret::new([9; 32])), std::vec![0; 66_000]);
    for (number, count, fits) in [(1, 16_384, false), (2, 16_300, true)] {
        let serials: Vec<u32> = (1..=count).collect();
        let len = RevocationList::issue(&signer, "acme", NOW.into(), number, &serials, &mut out).unwrap();
        assert_eq!(held.revoke(&out[..len]), if fits { Ok(true) } else { Err(NotTaken::Full) });
    }
}

/// The operator's desk: who is told, what waits, who has acknowledged.
#[test]
fn the_operators_desk() {
    let mut desk = Desk::new([Entry::FREE; 2], 100, 10);
    let (first, second) = (Reference([1; 8]), Reference([2; 8]));
    desk.holds("lamp", 1000).unwrap();
    desk.holds("door", 2000).unwrap();
    assert_eq!(desk.holds("gate", 1), Err(Error::Full));
    assert_eq!(desk.holds("", 1), Err(Error::BadArgument));
    assert_eq!(desk.ask(899), None);
    assert_eq!(desk.wake_at(), Some(900));
    assert_eq!(desk.ask(900), Some("lamp"));
    assert_eq!(desk.ask(909), None);
    assert_eq!(desk.ask(910), Some("lamp"));
    assert_eq!(desk.waits("gate", first, 5000), Err(Error::BadArgument));
    desk.waits("lamp", first, 5000).unwrap();
    assert_eq!(desk.ask(950), None);
    assert_eq!(desk.waiting_for("lamp"), Some(first));
    // It has lost what it asked with, and asks anew: the answer to that one waits.
    desk.waits("lamp", second, 4900).unwrap();
    let said = |ticket| Message::Acknowledged(Acknowledged { ticket, list: 0 });
    assert!(!desk.handle("lamp", &said(first)) && !desk.handle("door", &said(second)));
    assert!(desk.handle("lamp", &said(second)) && !desk.handle("lamp", &said(second)));
    assert_eq!(desk.entries()[0].expires(), 4900);
}
