//! Loss, duplicates, forgery, replay, wrong clocks, clones, exhaustion, misuse.

use super::*;
use crate::association::{Reason, Stage};
use crate::engine::drops::Dropped;

fn auth(lamp: &mut Lamp, city: &City) -> Vec<u8> {
    lamp.with(city, |a, cx| a.connect(cx, &addr("centre"))).unwrap();
    lamp.flush(city).remove(0)
}

#[test]
fn a_lost_answer_comes_again_and_is_the_same() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    let auth = auth(&mut lamp, &city);
    let answer = city.hear("lamp", &auth).unwrap();
    let (unwraps, swaps) = (city.keys.unwraps, city.rows.swaps);
    for _ in 0..20 {
        assert_eq!(city.hear("lamp", &auth).as_ref(), Some(&answer));
    }
    assert_eq!((city.keys.unwraps, city.rows.swaps), (unwraps, swaps), "from memory");
    lamp.hear(&city, &answer);
    lamp.flush(&city);
    assert!(established(&lamp.events));
    assert_eq!(lamp.hear(&city, &answer), None);
    assert_eq!(lamp.a.as_ref().unwrap().drops().get(Dropped::Unexpected), 1);
}

#[test]
fn an_answer_that_the_centre_forgot_costs_a_challenge() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    let auth = auth(&mut lamp, &city);
    city.hear("lamp", &auth).unwrap();
    city.restart();
    lamp.wait(&mut city, 2);
    assert!(established(&lamp.events));
    assert_eq!(city.events.iter().filter(|(_, e)| *e == CentreEvent::Challenged).count(), 1);
    assert!(!city.events.iter().any(|(_, e)| *e == CentreEvent::CloneSuspected));
}

#[test]
fn every_bit_of_every_message_counts() {
    for clockless in [false, true] {
        let mut city = City::new();
        let mut lamp = Lamp::of(&mut city, "lamp", &SUITE_0_SYMMETRIC, clockless);
        lamp.is_well(&mut city);
        let mut datagram = auth(&mut lamp, &city);
        let mut messages = 0;
        let wanted = if clockless { 4 } else { 2 };
        while messages < wanted {
            let state = |city: &mut City| city.row("lamp");
            let before = state(&mut city);
            for bit in 0..datagram.len() * 8 {
                let mut forged = datagram.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                // Nobody's share is used up for this test.
                city.pass(40);
                city.wall -= 40_000;
                let reply = city.hear("mallory", &forged);
                assert!(reply.is_none() || reply.as_ref().unwrap().len() == 22, "bit {bit}: {reply:?}");
                assert_eq!(state(&mut city), before, "bit {bit}");
            }
            assert!(city.session.is_none());
            let reply = city.hear("lamp", &datagram).unwrap();
            messages += 1;
            let events = lamp.events.len();
            for bit in 0..reply.len() * 8 {
                let mut forged = reply.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(lamp.hear(&city, &forged), None);
                assert!(lamp.flush(&city).is_empty(), "bit {bit}");
            }
            for len in 0..reply.len() {
                lamp.hear(&city, &reply[..len]);
                assert!(lamp.flush(&city).is_empty());
            }
            assert_eq!(lamp.events.len(), events);
            lamp.hear(&city, &reply);
            messages += 1;
            if let Some(next) = lamp.flush(&city).pop() {
                datagram = next;
            }
        }
        assert!(established(&lamp.events));
    }
}

#[test]
fn replays_lead_nowhere() {
    for clockless in [false, true] {
        let mut city = City::new();
        let mut lamp = Lamp::of(&mut city, "lamp", &SUITE_0_SYMMETRIC, clockless);
        lamp.connect(&mut city);
        lamp.connect(&mut city);
        city.session = None;
        city.restart();
        let (row, events) = (city.row("lamp"), lamp.events.len());
        for datagram in lamp.sent.clone() {
            let reply = city.hear("mallory", &datagram);
            // A CHALLENGE at most, which nobody but the device can answer; the device does not.
            if let Some(reply) = reply {
                assert_eq!(reply[1] >> 4, 3);
                lamp.hear(&city, &reply);
            }
        }
        assert_eq!(city.row("lamp"), row);
        assert!(city.session.is_none() && lamp.flush(&city).is_empty());
        assert_eq!(lamp.events.len(), events);
        lamp.is_well(&mut city);
    }
}

#[test]
fn nothing_is_unwrapped_for_what_cannot_be() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    let auth = auth(&mut lamp, &city);
    city.hear("lamp", &auth).unwrap();
    let unwraps = city.keys.unwraps;
    let mut other = auth.clone();
    other[5] ^= 1;
    assert_eq!(city.hear("mallory", &other), None, "another id");
    let mut serial = auth.clone();
    serial[6] = 9;
    assert_eq!(city.hear("mallory", &serial), None, "another generation");
    let mut year = auth.clone();
    year[7..11].copy_from_slice(&1_000_000_000u32.to_be_bytes());
    assert_eq!(city.hear("mallory", &year), None, "a year without a row");
    let mut long = auth.clone();
    long.resize(120, 0);
    assert_eq!(city.hear("mallory", &long), None, "too long");
    let mut proof = auth.clone();
    proof[1] = proof[1] & 15 | 0x40;
    assert_eq!(city.hear("mallory", &proof), None, "a PROOF that is not fresh");
    assert_eq!(city.keys.unwraps, unwraps);
}

/// "No single datagram": and many cost the centre little, and an honest device a cookie.
#[test]
fn a_flood_of_claims_has_a_limit() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    let real = auth(&mut lamp, &city);
    let unwraps = city.keys.unwraps;
    let mut cookies = 0;
    for n in 0..1_000u32 {
        let mut forged = real.clone();
        forged[11..15].copy_from_slice(&n.to_be_bytes());
        let reply = city.hear("mallory", &forged);
        cookies += usize::from(reply.is_some());
        assert!(reply.is_none_or(|reply| reply.len() == 10), "a cookie request, nothing else");
    }
    assert!(city.keys.unwraps - unwraps <= 8, "{}", city.keys.unwraps - unwraps);
    assert_eq!(cookies, 992);
    // The device is asked for a cookie, too, and shows it.
    let reply = city.hear("lamp", &real).unwrap();
    lamp.hear(&city, &reply);
    lamp.talk(&mut city);
    assert!(established(&lamp.events));
    // Mallory, who receives at its own address, uses up its own share only.
    let mut forged = real.clone();
    forged[11] ^= 1;
    let request = city.hear("mallory", &forged).unwrap();
    let mut echo = [&[0x10, 0x30][..], &request[2..], &forged].concat();
    let unwraps = city.keys.unwraps;
    for n in 0..100 {
        echo[22] = n;
        assert_eq!(city.hear("mallory", &echo), None);
    }
    assert_eq!(city.keys.unwraps - unwraps, 8);
    city.pass(60);
    lamp.is_well(&mut city);
}

/// Also a device that has to be told that the centre has another seed is asked for a cookie in a flood.
#[test]
fn in_a_flood_a_device_with_another_seed_is_asked_for_a_cookie() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    let old = lamp.stored.clone();
    city.with(|c, stores, _| c.update(stores, &id("lamp"))).unwrap();
    lamp.is_well(&mut city);
    lamp.stored = old;
    lamp.reboot();
    lamp.with(&city, |a, cx| a.authenticate(cx, &addr("centre"))).unwrap();
    let real = lamp.flush(&city).remove(0);
    let mut forged = real.clone();
    forged[6] = 1;
    for n in 0..8 {
        forged[11] = n;
        city.hear("mallory", &forged);
    }
    let reply = city.hear("lamp", &real);
    assert_eq!(reply.map(|reply| reply.len()), Some(10), "a cookie request");
}

#[test]
fn a_wrong_clock_is_set_right() {
    for off in [-400, 400, -86_400 * 40, 86_400 * 200, 86_400 * 365 * 3] {
        let mut city = City::new();
        let mut lamp = Lamp::new(&mut city, "lamp");
        lamp.clock = Some(off);
        lamp.connect(&mut city);
        assert!(established(&lamp.events), "{off}: {:?}", city.events);
        assert_eq!(lamp.a.as_ref().unwrap().time(Instant(city.now)).unwrap().0, city.wall);
        assert_eq!(lamp.chip().floor().0, city.wall);
    }
    // Within the window the answer tells it.
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.clock = Some(-200);
    lamp.is_well(&mut city);
    assert_eq!(city.events.len(), 1);
    assert_eq!(lamp.a.as_ref().unwrap().time(Instant(city.now)).unwrap().0, city.wall);
    // A clock beyond the seed's years is an error of the caller's, who may say that there is none.
    lamp.clock = Some(86_400 * 365 * 6);
    assert_eq!(lamp.with(&city, |a, cx| a.connect(cx, &addr("centre"))), Err(Error::SeedExpired));
    lamp.clock = None;
    lamp.is_well(&mut city);
}

#[test]
fn a_centre_that_has_lost_the_time_is_not_believed() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    let floor = lamp.chip().floor();
    city.wall -= 86_400_000;
    lamp.clock = Some(86_400);
    lamp.with(&city, |a, cx| a.authenticate(cx, &addr("centre"))).unwrap();
    lamp.talk(&mut city);
    assert_eq!(lamp.events, [Event::Authenticated], "the one before");
    assert_eq!(lamp.chip().floor(), floor);
}

#[test]
fn held_back_datagrams_are_worth_nothing_later() {
    // An AUTH that was held back until the window is over.
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    let first = auth(&mut lamp, &city);
    city.pass(301);
    assert_eq!(city.hear("mallory", &first).unwrap()[1] >> 4, 3, "a claim now");
    assert!(city.session.is_none());
    // A PROOF that was held back until its challenge is over.
    let mut meter = Lamp::of(&mut city, "meter", &SUITE_0_SYMMETRIC, true);
    let first = auth(&mut meter, &city);
    let opening = city.hear("meter", &first).unwrap();
    meter.hear(&city, &opening);
    let proof = meter.flush(&city).remove(0);
    city.pass(61);
    assert_eq!(city.hear("mallory", &proof), None);
    // A CHALLENGE that was got before the device asked.
    meter.wait(&mut city, 210);
    meter.events.clear();
    let second = auth(&mut meter, &city);
    meter.hear(&city, &opening);
    assert!(meter.flush(&city).is_empty());
    let opening = city.hear("meter", &second).unwrap();
    meter.hear(&city, &opening);
    meter.talk(&mut city);
    assert!(established(&meter.events));
}

/// A PROOF of a time that is still to come: the centre's clock was ahead when it gave the challenge, and is set right now.
#[test]
fn a_proof_is_not_kept_for_later() {
    let mut city = City::new();
    let mut meter = Lamp::of(&mut city, "meter", &SUITE_0_SYMMETRIC, true);
    city.wall += 3_600_000;
    let first = auth(&mut meter, &city);
    let opening = city.hear("meter", &first).unwrap();
    meter.hear(&city, &opening);
    let proof = meter.flush(&city).remove(0);
    city.wall -= 3_600_000;
    assert_eq!(city.hear("meter", &proof), None);
    city.wall += 3_600_000;
    assert_eq!(city.hear("meter", &proof).unwrap()[1] >> 4, 2, "an hour later it would have been good");
}

/// What ends an association's hope is believed to its last bit only.
#[test]
fn every_bit_of_gone_counts() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    let old = lamp.stored.clone();
    city.with(|c, stores, _| c.update(stores, &id("lamp"))).unwrap();
    lamp.is_well(&mut city);
    lamp.stored = old;
    lamp.reboot();
    lamp.events.clear();
    let auth = auth(&mut lamp, &city);
    let gone = city.hear("lamp", &auth).unwrap();
    assert_eq!((gone[1] >> 4, gone.len()), (5, 22));
    for bit in 0..gone.len() * 8 {
        let mut forged = gone.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        lamp.hear(&city, &forged);
        assert!(lamp.flush(&city).is_empty() && lamp.events.is_empty(), "bit {bit}");
    }
    lamp.hear(&city, &gone);
    lamp.flush(&city);
    assert_eq!(lamp.events, [Event::Failed { stage: Stage::Authentication, reason: Reason::PairAgain }]);
}

#[test]
fn a_deposit_is_worth_nothing_once_its_device_has_come() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    let mut deposit = [0; Chip::DEPOSIT_MAX];
    let len = lamp.chip().deposit(&mut deposit).unwrap();
    city.enrol(&deposit[..len]).unwrap();
    lamp.is_well(&mut city);
    assert_eq!(city.enrol(&deposit[..len]), Err(Error::WrongState));
}

/// Neither a centre whose clock is behind nor one whose clock is years ahead moves a device's floor; a restart takes no more than an
/// hour of it back.
#[test]
fn a_floor_only_rises() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    city.pass(7_200);
    lamp.is_well(&mut city);
    let floor = lamp.chip().floor();
    assert_eq!(floor.0, city.wall);
    lamp.flush(&city);
    lamp.reboot();
    assert_eq!(lamp.chip().floor(), floor, "stored");
    (city.wall, lamp.clock) = (city.wall - 100_000, Some(100));
    lamp.is_well(&mut city);
    assert_eq!(lamp.chip().floor(), floor);
    (city.wall, lamp.clock) = (city.wall + 6 * 365 * 86_400_000, None);
    lamp.events.clear();
    lamp.authenticate(&mut city);
    assert_eq!(lamp.events, [Event::Failed { stage: Stage::Authentication, reason: Reason::SeedExpired }]);
    assert_eq!((lamp.chip().floor(), lamp.chip().years()), (floor, (2026, 2030)));
    (city.wall, lamp.clock) = (city.wall + 100_000 - 6 * 365 * 86_400_000, Some(0));
    lamp.is_well(&mut city);
}

#[test]
fn reflections_are_nobodys() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    let auth = auth(&mut lamp, &city);
    lamp.hear(&city, &auth);
    assert!(lamp.flush(&city).is_empty());
    let answer = city.hear("lamp", &auth).unwrap();
    assert_eq!(city.hear("lamp", &answer), None);
    for number in 0..16 {
        let mut reflected = auth.clone();
        reflected[1] = number << 4;
        lamp.hear(&city, &reflected);
        assert!(lamp.flush(&city).is_empty());
    }
    assert!(!established(&lamp.events));
}

#[test]
fn a_device_that_was_rolled_back_goes_on_and_a_clone_is_seen() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    let old = lamp.stored.clone();
    for _ in 0..100 {
        lamp.authenticate(&mut city);
    }
    assert!(city.row("lamp").counter() > 100);
    lamp.stored = old.clone();
    lamp.reboot();
    city.events.clear();
    lamp.is_well(&mut city);
    let names: Vec<_> = city.events.iter().map(|(_, event)| *event).collect();
    assert_eq!(names, [CentreEvent::Challenged, CentreEvent::Authenticated]);

    // A clone that was made of a device that goes on: the same counter comes twice.
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    let mut clone = Lamp::new(&mut city, "clone");
    clone.stored = lamp.stored.clone();
    clone.name = "lamp";
    clone.reboot();
    lamp.reboot();
    lamp.is_well(&mut city);
    clone.is_well(&mut city);
    assert_eq!(city.events[0].1, CentreEvent::CloneSuspected);
}

#[test]
fn resources_fail_and_nothing_happens() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    let auth = auth(&mut lamp, &city);
    let row = city.row("lamp");
    city.keys.broken = true;
    assert_eq!(city.try_hear("lamp", &auth), Err(Error::KeyStore));
    city.keys.broken = false;
    city.rows.writes = Some(0);
    assert_eq!(city.try_hear("lamp", &auth), Err(Error::Store));
    city.rows.writes = None;
    let rng = core::mem::replace(&mut city.rng, Seeded(u64::MAX));
    assert_eq!(city.try_hear("lamp", &auth), Err(Error::Rng));
    city.rng = rng;
    assert_eq!(city.row("lamp"), row);
    // Somebody else writes the row once: it is read again. Twice: the device asks again.
    city.rows.races = 2;
    assert_eq!(city.try_hear("lamp", &auth), Err(Error::Store));
    city.rows.races = 1;
    let answer = city.hear("lamp", &auth).unwrap();
    lamp.hear(&city, &answer);
    lamp.flush(&city);
    assert!(established(&lamp.events));

    let rng = core::mem::replace(&mut lamp.rng, Seeded(u64::MAX));
    let before = std::format!("{:?}", lamp.chip());
    assert_eq!(lamp.with(&city, |a, cx| a.connect(cx, &addr("centre"))), Err(Error::Rng));
    assert_eq!(lamp.with(&city, |a, cx| a.sign(cx, b"", &mut [0; 200])), Err(Error::Rng));
    assert_eq!(before, std::format!("{:?}", lamp.chip()));
    lamp.rng = rng;
    lamp.is_well(&mut city);
}

#[test]
fn a_tampered_row_is_noticed() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    let mut door = Lamp::new(&mut city, "door");
    lamp.is_well(&mut city);
    door.is_well(&mut city);
    let honest = city.rows.clone();
    let tried = |city: &mut City, lamp: &mut Lamp| {
        city.pass(100);
        city.events.clear();
        lamp.events.clear();
        lamp.authenticate(city);
        let newest = city.newest();
        lamp.wait(city, 200);
        assert!(!lamp.saw(&Event::Authenticated));
        newest
    };
    // Any byte of the sealed seed; another device's seed; a standing, a base year, a suite that is not its.
    for at in [0, 500, 975, 976, 991] {
        city.rows.rows.get_mut(&b"lamp"[..]).unwrap().1[at] ^= 1;
        assert_eq!(tried(&mut city, &mut lamp), Some(CentreEvent::Tampered), "{at}");
        city.rows = honest.clone();
    }
    let other = city.rows.rows[&b"door"[..]].1.clone();
    city.rows.rows.get_mut(&b"lamp"[..]).unwrap().1 = other;
    assert_eq!(tried(&mut city, &mut lamp), Some(CentreEvent::Tampered));
    city.rows = honest.clone();
    city.with(|c, stores, _| c.revoke(stores, &id("lamp"))).unwrap();
    let flags = &mut city.rows.rows.get_mut(&b"lamp"[..]).unwrap().0[10];
    assert_eq!(*flags, 2);
    *flags = 0;
    assert_eq!(tried(&mut city, &mut lamp), Some(CentreEvent::Tampered), "a revocation is not taken back");
    city.rows = honest;
    city.pass(60);
    lamp.is_well(&mut city);
}

#[test]
fn misuse() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    assert_eq!(lamp.with(&city, |a, cx| a.sign(cx, b"", &mut [0; 10])), Err(Error::BufferTooSmall { needed: 63 }));
    lamp.with(&city, |a, cx| a.connect(cx, &addr("centre"))).unwrap();
    assert_eq!(lamp.with(&city, |a, cx| a.authenticate(cx, &addr("centre"))), Err(Error::WrongState));
    lamp.talk(&mut city);
    assert_eq!(lamp.chip().deposit(&mut [0; 2_000]), Err(Error::WrongState), "confirmed");
    let mut chip = lamp.a.take().unwrap().into_chip();
    let mut open = |suite, mtu| {
        let config = Config { mtu, ..Config::default() };
        Microcert::open(&mut chip, suite, config, Box::<MicrocertMemory<&mut Chip>>::default()).err()
    };
    assert_eq!(open(&SUITE_4_SYMMETRIC, 1200), Some(Error::SuiteMismatch));
    assert_eq!(open(&crate::crypto::SUITE_0, 1200), Some(Error::SuiteMismatch), "with Diffie-Hellman");
    let least = crate::microcert::wire::FLIGHT_MAX as u16;
    assert_eq!(
        (open(&SUITE_0_SYMMETRIC, least - 1), open(&SUITE_0_SYMMETRIC, least)),
        (Some(Error::BadArgument), None)
    );
    assert_eq!(Chip::enrol(SLOTS, b"nonsense", &mut Seeded(1)).err(), Some(Error::BadArgument));

    // Each invitation is used once, and an id has one seed.
    let mut out = [0; 100];
    let again = |c: &mut AuthCenter<Vec<Share>, Vec<Kept>>, stores: &mut Stores<'_>, now| {
        c.invite(stores, &id("lamp"), &SUITE_0_SYMMETRIC, false, now, &mut out)
    };
    assert_eq!(city.with(again), Err(Error::WrongState));
    let invitation = city.invite("door", &SUITE_0_SYMMETRIC, false);
    let deposit = |seed| {
        let chip = Chip::enrol(SLOTS, &invitation, &mut Seeded(seed)).unwrap();
        let mut out = [0; Chip::DEPOSIT_MAX];
        let len = chip.deposit(&mut out).unwrap();
        (chip, out[..len].to_vec())
    };
    let ((mut chip, first), (_, second)) = (deposit(1), deposit(2));
    for at in [0, 1, 2, 3, 5, 6, 8, 12, 30, 500, first.len() - 1] {
        let mut forged = first.clone();
        forged[at] ^= 1;
        // A base year is bound by nothing but the seed's use: the device would never be authenticated.
        assert!(city.enrol(&forged).is_err() || at == 3 || at == 2, "{at}");
        city.rows.rows.remove(&b"door"[..]);
    }
    let confirmation = city.enrol(&first).unwrap();
    assert_eq!(city.enrol(&second), Err(Error::WrongState));
    assert_eq!(city.enrol(&first).unwrap(), confirmation, "the same again");
    for at in 0..confirmation.len() {
        let mut forged = confirmation.clone();
        forged[at] ^= 1;
        assert_eq!(chip.confirm(&forged), Err(Error::BadArgument));
    }
    chip.confirm(&confirmation).unwrap();
    assert!(chip.is_confirmed());
    assert_eq!(chip.confirm(&confirmation), Err(Error::WrongState));

    let nobody = id("nobody");
    assert_eq!(city.with(|c, stores, _| c.update(stores, &nobody)), Err(Error::BadArgument));
    assert_eq!(city.with(|c, stores, _| c.revoke(stores, &nobody)), Err(Error::BadArgument));
    let none: [Share; 0] = [];
    let centre = AuthCenter::new(id("c"), &[], CentreConfig::default(), none, [Kept::default(); 1]);
    assert_eq!(centre.err(), Some(Error::BadArgument));
}

#[test]
fn a_centre_that_does_not_answer() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.with(&city, |a, cx| a.connect(cx, &addr("centre"))).unwrap();
    let mut sent = lamp.flush(&city).len();
    for _ in 0..250 {
        city.pass(1);
        lamp.with(&city, |a, cx| a.handle_timeout(cx)).unwrap();
        sent += lamp.flush(&city).len();
    }
    assert_eq!(sent, 24);
    let failed = Event::Failed { stage: Stage::Authentication, reason: Reason::NoAnswer };
    assert_eq!(lamp.events, [failed]);
    lamp.is_well(&mut city);
}
