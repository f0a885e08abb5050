use super::*;
use crate::association::UnixTime;
use crate::cose::wallet::NotTaken;
use crate::cose::{Refused, RevocationList};
use crate::noninteractive::credential::{Credential, credential_max};
use crate::noninteractive::holder::holder_len;
use crate::noninteractive::wire::{Lag, Terms};
use crate::noninteractive::{Holder, Peer};
use crate::phase1::{Credentials, Expected, Subject, Wanted};
use crate::{Device, Error, Slot};
use std::boxed::Box;
use std::vec::Vec;

const NOW: u32 = 1_800_000_000;
type Held = Holder<'static, { holder_len(32) }, 300>;

fn device(seed: u8) -> Device {
    Device::new(Secret::new([seed; 32]))
}

/// An operator, and a printed credential of this name, number and life.
struct Office {
    key: &'static OperatorKey<32>,
    agent: TicketAgent,
}

impl Office {
    fn new() -> Self {
        let key = OperatorKey::generate(&SETTING_2, &mut Seeded(30)).unwrap();
        Self { key: Box::leak(Box::new(key)), agent: agent("acme") }
    }
    fn operator(&self) -> Operator<'static> {
        operator(&SETTING_2, self.key)
    }
    fn issue(&mut self, name: &str, now: u32, life: u16) -> Vec<u8> {
        let mut out = [0; 100];
        let (len, _) = self.key.issue_printed(&mut self.agent, &mut Seeded(31), now, life, name, &mut out).unwrap();
        out[..len].to_vec()
    }
}

fn read(bytes: &[u8]) -> Credential<'_> {
    Credential::read(bytes, &SETTING_2).unwrap()
}

fn at(seconds: u32) -> Option<UnixTime> {
    Some(UnixTime(u64::from(seconds) * 1000))
}

#[test]
fn a_holder_takes_its_own_and_the_newest() {
    let mut office = Office::new();
    let mut held = Held::new(office.operator(), "lamp").unwrap();
    assert!(held.own(None, at(NOW)).is_none() && !held.needs_store());
    let (first, second) = (office.issue("lamp", NOW, 10), office.issue("lamp", NOW + 3600, 10));
    let others = office.issue("door", NOW, 10);
    assert_eq!(held.install(&read(&others), at(NOW)), Err(NotTaken::Refused(Refused::Subject)));
    held.install(&read(&second), at(NOW + 3600)).unwrap();
    assert_eq!(held.install(&read(&first), at(NOW + 3600)), Err(NotTaken::Refused(Refused::Older)));
    assert_eq!(held.own(None, at(NOW + 3600)).unwrap().0.bytes, second);
    assert!(held.own(None, at(NOW + 11 * 3600)).is_none(), "over");
    assert_eq!(held.floor(), u64::from(NOW) + 3600);
    assert!(held.needs_store());
}

#[test]
fn a_holder_checks_the_others() {
    let mut office = Office::new();
    let mut held = Held::new(office.operator(), "lamp").unwrap();
    held.install(&read(&office.issue("lamp", NOW, 10)), None).unwrap();
    let me = Subject::new("lamp").unwrap();
    let check = |held: &Held, shown: &[u8], now: u32, expected: Expected<'_>| {
        let wanted = Wanted { me: &me, expected, kem: SETTING_2.kem, wall: at(now) };
        held.check(shown, false, &wanted, &mut [0; 65]).map(|facts| facts.serial)
    };
    let (door, lamp) = (office.issue("door", NOW, 10), office.issue("lamp", NOW, 10));
    let serial = read(&door).serial;
    assert_eq!(check(&held, &door, NOW, Expected::Anyone), Ok(serial));
    let gate = Subject::new("gate").unwrap();
    assert_eq!(check(&held, &door, NOW, Expected::Subject(&gate)), Err(Refused::Subject));
    assert_eq!(check(&held, &lamp, NOW, Expected::Anyone), Err(Refused::Subject), "its own name");
    assert_eq!(check(&held, &door, NOW + 36_000, Expected::Anyone), Err(Refused::Expired));
    let mut outside = door.clone();
    outside[15..].fill(0xff);
    assert_eq!(check(&held, &outside, NOW, Expected::Anyone), Err(Refused::Key));

    let signer = Ed25519Key::new(Secret::new([9; 32]));
    let list = |number: u32, serials: &[u32]| {
        let mut out = [0; 200];
        let len = RevocationList::issue(&signer, "acme", u64::from(NOW), number, serials, &mut out).unwrap();
        out[..len].to_vec()
    };
    let newest = list(2, &[serial]);
    assert_eq!(held.revoke(&newest), Ok(true));
    assert_eq!(held.revoke(&newest), Ok(false));
    assert_eq!(held.revoke(&list(1, &[])), Err(NotTaken::Refused(Refused::Older)));
    assert_eq!(check(&held, &door, NOW, Expected::Anyone), Err(Refused::Revoked));
    assert!(held.is_over(u64::MAX, Some(serial), None) && !held.is_over(u64::MAX, Some(serial + 9), None));

    // Stored, and its own device's only.
    let mut blob = [0; Held::BLOB_MAX];
    let (len, version) = held.seal(&device(1), &mut blob).unwrap();
    held.persisted();
    assert!(!held.needs_store());
    let restore = |device: &Device, me: &'static str, floor: u32, blob: &[u8]| {
        Held::restore(office.operator(), me, device, floor, blob, &mut [0; Held::BLOB_MAX])
    };
    let again = restore(&device(1), "lamp", version, &blob[..len]).unwrap();
    assert_eq!(again.credential(), held.credential());
    assert_eq!(check(&again, &door, NOW, Expected::Anyone), Err(Refused::Revoked));
    assert_eq!(restore(&device(2), "lamp", 0, &blob[..len]).unwrap_err(), Error::BadBlob);
    assert_eq!(restore(&device(1), "door", 0, &blob[..len]).unwrap_err(), Error::BadBlob);
    assert_eq!(restore(&device(1), "lamp", version + 1, &blob[..len]).unwrap_err(), Error::BlobRolledBack);
}

#[test]
fn a_peer_is_stored() {
    let [me, other] = ["lamp", "door"].map(|name| Subject::new(name).unwrap());
    type P = Peer<65, { credential_max(32) }>;
    assert_eq!(P::new(Slot(1), me, Some(me), None).unwrap_err(), Error::BadArgument);
    for (id, psk) in [(None, None), (Some(other), Some(Secret::new([4; 32])))] {
        let mut peer = P::new(Slot(1), me, id, psk).unwrap();
        let mut blob = [0; P::BLOB_MAX];
        let (len, version) = peer.seal(&device(1), &mut blob).unwrap();
        for room in 0..len {
            let mut small = std::vec![0; room];
            assert_eq!(peer.seal(&device(1), &mut small), Err(Error::BufferTooSmall { needed: len }));
            assert!(small.iter().all(|byte| *byte == 0), "nothing that is not sealed stays in {room} bytes");
        }
        let restore = |floor: u32, blob: &[u8]| P::restore(&device(1), Slot(1), floor, blob, &mut [0; P::BLOB_MAX]);
        let again = restore(version, &blob[..len]).unwrap();
        assert_eq!((again.id(), again.own_id(), again.epoch()), (id.as_ref(), &me, None));
        assert_eq!(restore(version + 1, &blob[..len]).unwrap_err(), Error::BlobRolledBack);
        for at in 0..len {
            let mut damaged = blob;
            damaged[at] ^= 1;
            assert!(restore(0, &damaged[..len]).is_err(), "byte {at}");
        }
    }
}

#[test]
fn messages() {
    let lag = Lag { epoch: 0x0102_0304, pre: [5; 4], tag: [6; 16] };
    let mut out = [0; 26];
    lag.write(&mut crate::engine::wire::Writer::new(&mut out));
    assert_eq!(out[..10], [0x12, 0x54, 1, 2, 3, 4, 5, 5, 5, 5]);
    assert_eq!(Lag::read(&out), Ok(lag));
    assert!((0..26).all(|len| Lag::read(&out[..len]).is_err()));
    out[1] ^= 1;
    assert!(Lag::read(&out).is_err(), "another epoch's low bits");

    let last = |life, interval, length| Terms { life, interval, length }.last();
    assert_eq!([last(0, 60, 9), last(60, 60, 9), last(61, 60, 9), last(6000, 60, 9)], [9, 1, 2, 9]);
    assert!(Terms::read(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 9]).is_err(), "an epoch of no time");
    assert!(Terms::read(&[0, 0, 0, 1, 0, 0, 0, 1, 0, 0]).is_err(), "no epoch");
    assert!(Terms::read(&[0, 0, 0, 1, 0, 0, 0, 1, 0, 1]).is_ok());
}

/// What an association takes in memory: see GOALS; a change is to be noticed.
#[test]
fn sizes() {
    use crate::noninteractive::exchange::{Exchange, flight_max};
    use crate::noninteractive::{Noninteractive, NoninteractiveMemory};
    use core::cell::RefCell;
    const C: usize = credential_max(32);
    const F: usize = flight_max(32);
    type P = Peer<65, C>;
    type Lent<'a> = &'a RefCell<Held>;
    type Memory<'a> = NoninteractiveMemory<&'a mut P, Lent<'a>, 65, C, F, 2, 0>;
    type Assoc<'a> = Noninteractive<&'a mut P, Lent<'a>, &'a mut Memory<'a>, 65, C, F>;
    let (association, peer, run) = (size_of::<Assoc<'_>>(), size_of::<P>(), size_of::<Memory<'_>>());
    assert!(association <= 512 && peer <= 576 && run <= 1400, "{association} {peer} {run}");
    assert!(size_of::<Exchange<&mut P, Lent<'_>, 65, C, F>>() <= 192);
}
