//! What the Hardened profile of section 5 must resist, one test for each.

use iotkm::crypto::SUITE_0_SYMMETRIC;
use iotkm::microcert::centre::Standing;
use iotkm::microcert::{CentreEvent, Chip};
use iotkm::{Association, Error, Event, Reason, Stage};
use iotkm_netsim::city::{City, DAY, Lamp};

fn city() -> (City, Lamp) {
    let mut city = City::new(7, (256, 16));
    let mut lamp = Lamp::new(&mut city, "lamp", &SUITE_0_SYMMETRIC, false);
    assert!(lamp.authenticate(&mut city));
    city.events.clear();
    (city, lamp)
}

fn opening(city: &City, lamp: &mut Lamp) -> Vec<u8> {
    lamp.start(city, true).unwrap();
    lamp.drain(city).remove(0)
}

/// The number of a message of the scheme; 0 for the engine's, a cookie's request.
fn number(datagram: &[u8]) -> u8 {
    if datagram[0] == 0x15 { datagram[1] >> 4 } else { 0 }
}

/// Whoever has all that was ever said, and nothing else, gets no ANSWER but the one that it has, and no session.
#[test]
fn replay() {
    let (mut city, mut lamp) = city();
    let mut said = Vec::new();
    for _ in 0..20 {
        let auth = opening(&city, &mut lamp);
        let answer = city.hear("lamp", &auth).unwrap();
        lamp.hear(&city, &answer);
        lamp.drain(&city);
        said.push((auth, answer));
        city.now += 3_000;
    }
    let (sessions, counter) = (city.sessions.len(), city.row("lamp").counter());
    city.sessions.clear();
    city.events.clear();
    for wait in [0, 1_000, 299_000, DAY] {
        city.now += wait;
        for (auth, answer) in &said {
            let reply = city.hear("mallory", auth);
            assert!(reply.is_none_or(|reply| &reply == answer || number(&reply) != 2));
            assert_eq!(city.hear("mallory", answer), None);
            assert_eq!(lamp.hear(&city, answer), None);
        }
    }
    assert_eq!((city.sessions.len(), sessions, city.row("lamp").counter()), (0, 1, counter));
    assert_eq!(city.told(CentreEvent::Authenticated), 0);
}

/// Each side's own messages, sent back to it or to the other of its kind.
#[test]
fn reflection() {
    let (mut city, mut lamp) = city();
    let mut door = Lamp::new(&mut city, "door", &SUITE_0_SYMMETRIC, true);
    let (auth, claim) = (opening(&city, &mut lamp), opening(&city, &mut door));
    let (answer, challenge) = (city.hear("lamp", &auth).unwrap(), city.hear("door", &claim).unwrap());
    assert_eq!((number(&answer), number(&challenge)), (2, 3));
    let rows = city.rows.rows.clone();
    for datagram in [&answer, &challenge] {
        assert_eq!(city.hear("lamp", datagram), None);
    }
    for (lamp, others) in [(&mut lamp, [&auth, &claim, &challenge]), (&mut door, [&auth, &claim, &answer])] {
        for datagram in others {
            lamp.hear(&city, datagram);
            assert!(lamp.drain(&city).is_empty() && !lamp.a.is_established());
        }
    }
    assert_eq!(city.rows.rows, rows);
    lamp.hear(&city, &answer);
    assert!(lamp.a.is_established());
}

/// Openings that a device without a clock is brought to make before they are wanted, and challenges asked for ahead.
#[test]
fn pre_played_openings() {
    let (mut city, _) = city();
    let mut meter = Lamp::new(&mut city, "meter", &SUITE_0_SYMMETRIC, true);
    // Mallory sits on the line: takes the claim, has it challenged, keeps the proof.
    let mut proofs = Vec::new();
    for _ in 0..3 {
        let claim = opening(&city, &mut meter);
        let challenge = city.hear("mallory", &claim).unwrap();
        meter.hear(&city, &challenge);
        proofs.extend(meter.drain(&city));
        meter.reboot();
    }
    assert!(proofs.iter().all(|proof| number(proof) == 4));
    // In time the first one that comes is the device's word; that ends the others, and later all are nothing.
    let mut later = City::new(8, (256, 16));
    (later.rows, later.now) = (city.rows.clone(), city.now + 61_000);
    assert!(proofs.iter().all(|proof| later.hear("mallory", proof).is_none()), "after its time");
    assert_eq!(city.hear("mallory", &proofs[1]).map(|reply| number(&reply)), Some(2));
    assert_eq!(city.hear("mallory", &proofs[0]), None, "the counter is past it");
    assert_eq!(city.hear("mallory", &proofs[2]), None, "the challenge was for the counter before");
    assert_eq!(city.told(CentreEvent::Authenticated), 1);
    // The device never took part in it: no session of Mallory's.
    assert!(!meter.a.is_established());
}

/// A copy of a chip, at the same time or later: the centre's operator hears of it.
#[test]
fn cloned_ids() {
    let (mut city, mut lamp) = city();
    lamp.reboot();
    let copy = lamp.stored.clone();
    assert!(lamp.authenticate(&mut city));
    let mut clone = lamp;
    clone.stored = copy;
    clone.rng = iotkm_netsim::SimRng::new(99);
    clone.reboot();
    clone.authenticate(&mut city);
    assert_eq!(city.told(CentreEvent::CloneSuspected), 1, "{:?}", city.events);
    // An id alone is nothing: another device's seed under this one's name.
    let mut door = Lamp::new(&mut city, "door", &SUITE_0_SYMMETRIC, false);
    let mut auth = opening(&city, &mut door);
    auth[2..6].copy_from_slice(b"lamp");
    assert_eq!(city.hear("door", &auth), None);
}

/// A whole database of yesterday: what was answered since is not answered again to any use, an update is told of, a revoked
/// device that has heard of it stays dead.
#[test]
fn rolled_back_database() {
    let (mut city, mut lamp) = city();
    let yesterday = city.rows.clone();
    let auth = opening(&city, &mut lamp);
    let answer = city.hear("lamp", &auth).unwrap();
    lamp.hear(&city, &answer);
    lamp.drain(&city);
    // Replayed to the old row within the window: once, and the session that comes of it has keys that nobody else knows.
    city.rows = yesterday.clone();
    city.restart();
    assert_eq!(city.hear("mallory", &auth).map(|reply| reply == answer), Some(false));
    let fingerprint = city.sessions["lamp"].fingerprint();
    assert!(fingerprint.is_some() && fingerprint != lamp.a.fingerprint());
    assert!(lamp.authenticate(&mut city));
    // Past an update: the device says so, and is not taken in by the old seed.
    city.update("lamp").unwrap();
    assert!(lamp.authenticate(&mut city));
    assert_eq!(lamp.a.chip().generation(), 1);
    city.rows = yesterday.clone();
    city.restart();
    assert!(!lamp.authenticate(&mut city));
    assert_eq!(lamp.events, [Event::Failed { stage: Stage::Authentication, reason: Reason::PairAgain }]);
    // Past a revocation.
    let (mut city, mut lamp) = self::city();
    let yesterday = city.rows.clone();
    city.revoke("lamp").unwrap();
    assert!(!lamp.authenticate(&mut city));
    city.rows = yesterday;
    city.restart();
    lamp.reboot();
    assert!(!lamp.authenticate(&mut city));
    assert!(lamp.a.chip().is_dead() && city.told(CentreEvent::Authenticated) == 0);
}

/// Every byte of a row, changed: the device is not authenticated, or it is and the byte was of no weight to that; never is anybody
/// else, and a revocation is not taken back.
#[test]
fn tampered_rows() {
    let (mut city, mut lamp) = city();
    let honest = city.rows.clone();
    let (state, seed) = honest.rows[&b"lamp"[..]].clone();
    let mut noticed = 0;
    for at in 0..state.len() + seed.len() {
        let mut row = (state.clone(), seed.clone());
        if at < state.len() {
            row.0[at] ^= 1
        } else {
            row.1[at - state.len()] ^= 1
        }
        city.rows.rows.insert(b"lamp".to_vec(), row);
        city.restart();
        city.events.clear();
        let auth = opening(&city, &mut lamp);
        let reply = city.try_hear("lamp", &auth);
        noticed += usize::from(city.told(CentreEvent::Tampered) == 1 || reply.is_err());
        assert!(at < state.len() || city.told(CentreEvent::Tampered) == 1, "byte {at} of the sealed seed");
        assert!(city.events.iter().all(|(name, _)| name == "lamp"), "byte {at}");
        lamp.reboot();
        city.now += 5_000;
        city.rows = honest.clone();
    }
    assert!(noticed > 992, "{noticed}");
    // A row under another's name, and a standing that is taken back.
    let mut door = Lamp::new(&mut city, "door", &SUITE_0_SYMMETRIC, false);
    let mut swapped = city.rows.rows[&b"lamp"[..]].clone();
    swapped.1.clone_from(&city.rows.rows[&b"door"[..]].1);
    city.rows.rows.insert(b"lamp".to_vec(), swapped);
    for lamp in [&mut lamp, &mut door] {
        city.events.clear();
        let auth = opening(&city, lamp);
        let answered = city.hear(&lamp.name, &auth).is_some();
        assert_eq!(answered, lamp.name == "door");
    }
    city.rows = honest;
    city.revoke("lamp").unwrap();
    assert_eq!(city.row("lamp").standing(), Standing::Revoked);
    city.rows.rows.get_mut(&b"lamp"[..]).unwrap().0[10] &= !2;
    assert_eq!(city.row("lamp").standing(), Standing::Enrolled);
    lamp.reboot();
    city.events.clear();
    assert!(!lamp.authenticate(&mut city));
    assert!(city.told(CentreEvent::Tampered) > 0 && city.told(CentreEvent::Authenticated) == 0);
}

/// The database and another centre's keys, or none: nobody is authenticated, no signature checks, no deposit is read. What lies in it
/// is no seed: no row of the chip's is in it.
#[test]
fn stolen_database_without_k_store() {
    let (mut city, mut lamp) = city();
    let signature = lamp.sign(&city, b"42 degrees");
    assert!(city.with(|c, stores, _| c.verify(stores, &signature, b"42 degrees")).unwrap().is_some());
    let auth = opening(&city, &mut lamp);
    let mut thief = City::new(666, (256, 16));
    (thief.rows, thief.now) = (city.rows.clone(), city.now);
    thief.set_keys(City::keys(13));
    assert_eq!(thief.hear("lamp", &auth), None);
    assert_eq!(thief.told(CentreEvent::Tampered), 1);
    assert!(thief.with(|c, stores, _| c.verify(stores, &signature, b"42 degrees")).unwrap().is_none());
    assert!(thief.revoke("lamp").is_err());
    // A new device: what it brings to the city is nothing to the thief.
    let mut door = Lamp::new(&mut city, "door", &SUITE_0_SYMMETRIC, false);
    let mut deposit = [0; Chip::DEPOSIT_MAX];
    let len = door.restored().deposit(&mut deposit).unwrap();
    let taken = thief.with(|c, stores, now| c.enrol(stores, now, &deposit[..len], &mut [0; 20]));
    assert_eq!(taken, Err(Error::BadArgument));
    // Two devices of equal seeds would have rows that share no block: sealed each to its place.
    let (a, b) = (&city.rows.rows[&b"lamp"[..]].1, &city.rows.rows[&b"door"[..]].1);
    assert!(a.chunks(16).all(|block| !b.chunks(16).any(|other| block == other)));
    assert!(door.authenticate(&mut city));
}

/// A device whose clock is wrong by any amount is authenticated by challenge only, an opening of another time never as it is; a
/// centre whose clock is wrong erases nothing for good within the grace, and one that is set back is not believed.
#[test]
fn wrong_clocks() {
    let (mut city, mut lamp) = city();
    for seconds in [301, -301, 7_200, -7_200, 86_400 * 300, -86_400 * 300] {
        lamp.clock = Some((seconds * 1_000, 0));
        city.events.clear();
        let auth = opening(&city, &mut lamp);
        let reply = city.hear("lamp", &auth).unwrap();
        let behind_floor = lamp.a.chip().floor().0 + 300_000 > city.wall() && seconds < 0;
        assert!(number(&reply) == 3 || behind_floor, "{seconds}: {reply:02x?}");
        lamp.hear(&city, &reply);
        lamp.talk(&mut city);
        assert!(lamp.a.is_established(), "{seconds}: {:?}", lamp.events);
        assert!(lamp.a.chip().floor().0 <= city.wall());
        city.now += 3_600_000;
    }
    lamp.clock = Some((0, 0));
    assert!(lamp.authenticate(&mut city));
    let floor = lamp.a.chip().floor();
    city.off = -(10 * DAY as i64);
    assert!(!lamp.authenticate(&mut city), "a centre that lost the time is not believed");
    assert_eq!(lamp.a.chip().floor(), floor);
    lamp.reboot();
    city.off = 0;
    city.restart();
    assert!(lamp.authenticate(&mut city));
}

/// An update that ends at any message, on either side, and with either side put back: one seed for both in the end, never two.
#[test]
fn half_finished_updates() {
    for cut in 0..6 {
        for (device_back, centre_back) in [(false, false), (true, false), (false, true)] {
            let (mut city, mut lamp) = city();
            lamp.reboot();
            let (chip, rows) = (lamp.stored.clone(), city.rows.clone());
            city.update("lamp").unwrap();
            lamp.start(&city, true).unwrap();
            let mut flying = lamp.drain(&city);
            for n in 0..cut {
                let Some(datagram) = flying.pop() else { break };
                if n % 2 == 0 {
                    flying.extend(city.hear("lamp", &datagram));
                } else {
                    lamp.hear(&city, &datagram);
                    flying.extend(lamp.drain(&city));
                }
            }
            let over = lamp.a.chip().generation() != city.row("lamp").generation() || lamp.a.chip().generation() == 1;
            if device_back {
                lamp.stored = chip;
            }
            if centre_back {
                city.rows = rows;
                city.update("lamp").unwrap();
            }
            lamp.reboot();
            city.restart();
            city.now += 10_000;
            let again = Event::Failed { stage: Stage::Authentication, reason: Reason::PairAgain };
            for _ in 0..8 {
                lamp.authenticate(&mut city);
                // Nobody is silent for ever: a device whose seed the centre has not tries both.
                for _ in 0..30 {
                    city.now += 8_000;
                    lamp.with(&city, |a, cx| a.handle_timeout(cx)).unwrap();
                    lamp.talk(&mut city);
                }
            }
            let (device, centre) = (lamp.a.chip().generation(), city.row("lamp").generation());
            let told = lamp.events.contains(&again);
            let context = format!("cut {cut}, back {device_back} {centre_back}: {device} {centre} {:?}", lamp.events);
            assert!((device, centre) == (1, 1) || (told && over && (device_back || centre_back)), "{context}");
        }
    }
}
