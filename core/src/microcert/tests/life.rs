//! Years, update, revocation: the life of a seed.

use super::*;
use crate::association::{Reason, Stage};
use crate::microcert::centre::Standing;

const DAY: u64 = 86_400;

fn update(city: &mut City, lamp: &Lamp) {
    let name = id(lamp.name);
    city.with(|c, stores, _| c.update(stores, &name)).unwrap();
}

#[test]
fn a_seed_lives_five_years_and_is_erased_as_it_goes() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    for year in 2026..=2030 {
        lamp.is_well(&mut city);
        lamp.is_well(&mut city);
        assert_eq!(lamp.chip().years(), (year, 2030));
        assert_eq!(city.row("lamp").years(), (year, 2030), "since February is past the grace");
        lamp.reboot();
        assert_eq!(lamp.chip().years(), (year, 2030), "stored");
        city.pass(365 * DAY);
    }
    assert_eq!(lamp.with(&city, |a, cx| a.connect(cx, &addr("centre"))), Err(Error::SeedExpired));
    // A device that thinks that it is time still is told, and the operator, too.
    lamp.clock = Some(-(60 * DAY as i64));
    lamp.with(&city, |a, cx| a.authenticate(cx, &addr("centre"))).unwrap();
    lamp.talk(&mut city);
    let failed = Event::Failed { stage: Stage::Authentication, reason: Reason::SeedExpired };
    assert_eq!(lamp.events, [Event::Authenticated, failed]);
    assert_eq!(city.newest(), Some(CentreEvent::SeedExpired));
}

#[test]
fn a_year_ends_and_its_last_minutes_still_count() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    // 2026-12-31 23:59:59
    city.wall = 1_798_761_599_000;
    lamp.is_well(&mut city);
    city.pass(12);
    lamp.clock = Some(-100);
    lamp.is_well(&mut city);
    assert_eq!(city.events.len(), 1, "no challenge");
    assert_eq!(lamp.chip().years().0, 2027, "the centre said that it is another year");
    assert_eq!(city.row("lamp").years().0, 2026, "for its grace");
    lamp.is_well(&mut city);
    city.pass(40 * DAY);
    lamp.clock = Some(0);
    lamp.is_well(&mut city);
    assert_eq!(city.row("lamp").years().0, 2027);
    lamp.is_well(&mut city);
}

#[test]
fn erased_years_are_gone_on_either_side() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    let (old, recorded) = (city.rows.clone(), lamp.sent[0].clone());
    city.pass(365 * DAY);
    lamp.is_well(&mut city);
    lamp.is_well(&mut city);
    assert_ne!(city.rows.rows[&b"lamp"[..]].1, old.rows[&b"lamp"[..]].1, "sealed anew, without that row");
    let unwraps = city.keys.unwraps;
    assert_eq!(city.hear("mallory", &recorded), None);
    assert_eq!(city.keys.unwraps, unwraps);
}

#[test]
fn what_is_erased_is_zero() {
    use crate::microcert::Seed;
    use crate::microcert::seed::{Expired, SEED_LEN};
    let mut seed = Seed::new(Secret::new([7; SEED_LEN]), 2026);
    let day = |year| Date::of(Date::new_year(year));
    assert!(seed.erase_before(2028) && !seed.erase_before(2028));
    assert!(seed.rows()[..32] == [0; 32] && seed.rows()[32..] == [7; SEED_LEN - 32]);
    assert!(seed.select(&day(2027)) == Err(Expired) && seed.select(&day(2028)).is_ok());
    seed.erase();
    assert_eq!(seed.rows(), &[0; SEED_LEN]);
    assert!((2025..2033).all(|year| seed.select(&day(year)) == Err(Expired)));
}

#[test]
fn an_update_replaces_the_seed() {
    for (suite, clockless) in [(&SUITE_0_SYMMETRIC, false), (&SUITE_4_SYMMETRIC, true)] {
        let mut city = City::new();
        let mut lamp = Lamp::of(&mut city, "lamp", suite, clockless);
        lamp.is_well(&mut city);
        for generation in 1..=3 {
            let (before, seed) = (city.row("lamp").seed().to_vec(), lamp.stored[&1].clone());
            update(&mut city, &lamp);
            assert!(city.row("lamp").is_updating());
            lamp.connect(&mut city);
            assert!(established(&lamp.events));
            assert!(lamp.saw(&Event::UpdateAgreed { generation }), "{:?}", lamp.events);
            assert!(lamp.saw(&Event::KeyReplaced { generation }), "{:?}", lamp.events);
            assert_eq!(lamp.chip().generation(), generation);
            let row = city.row("lamp");
            assert_eq!((row.generation(), row.is_updating()), (generation, false));
            assert_ne!(row.seed()[..], before);
            assert_ne!(lamp.stored[&1], seed);
            lamp.reboot();
            lamp.is_well(&mut city);
            assert_eq!(city.newest(), Some(CentreEvent::Authenticated));
            lamp.events.clear();
            city.pass(400 * DAY);
        }
        assert_eq!(lamp.chip().years().1, city.row("lamp").years().1);
        assert!(lamp.chip().years().1 > 2030, "five years from the update on");
    }
}

/// The centre asks what it does not take for fresh over and over, unless the device brings its part where it is taken.
#[test]
fn an_update_with_a_wrong_clock() {
    for clock in [Some(7_200), Some(-7_200), Some(200), Some(-200), None] {
        let mut city = City::new();
        let mut lamp = Lamp::new(&mut city, "lamp");
        city.pass(DAY);
        lamp.clock = clock;
        for generation in 1..=2 {
            update(&mut city, &lamp);
            lamp.authenticate(&mut city);
            assert!(lamp.saw(&Event::KeyReplaced { generation }), "{clock:?}: {:?}", lamp.events);
            city.pass(30);
        }
    }
}

/// Whatever message of an update is lost, once or from then on for a while: it is finished or undone, and goes through in the end.
#[test]
fn an_update_over_a_bad_line() {
    for clockless in [false, true] {
        for lost in 0..40u32 {
            for run in [1, 3, 30] {
                let mut city = City::new();
                let mut lamp = Lamp::of(&mut city, "lamp", &SUITE_0_SYMMETRIC, clockless);
                lamp.is_well(&mut city);
                update(&mut city, &lamp);
                lamp.with(&city, |a, cx| a.connect(cx, &addr("centre"))).unwrap();
                let mut n = 0;
                let goes = |n: &mut u32| {
                    *n += 1;
                    *n <= lost || *n > lost + run
                };
                for _ in 0..1_500 {
                    while let Some(datagram) = lamp.flush(&city).pop() {
                        if goes(&mut n)
                            && let Some(reply) = city.hear("lamp", &datagram)
                            && goes(&mut n)
                        {
                            lamp.hear(&city, &reply);
                        }
                    }
                    city.pass(1);
                    lamp.with(&city, |a, cx| a.handle_timeout(cx)).unwrap();
                }
                for _ in 0..3 {
                    lamp.is_well(&mut city);
                }
                let generations = (lamp.chip().generation(), city.row("lamp").generation());
                assert_eq!(generations, (1, 1), "lost {lost}, {run} in a row");
            }
        }
    }
}

#[test]
fn a_device_rolled_back_past_an_update_is_told() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    let old = lamp.stored.clone();
    update(&mut city, &lamp);
    lamp.is_well(&mut city);
    assert_eq!(lamp.chip().generation(), 1);
    lamp.stored = old;
    lamp.reboot();
    lamp.events.clear();
    lamp.authenticate(&mut city);
    let failed = Event::Failed { stage: Stage::Authentication, reason: Reason::PairAgain };
    assert_eq!(lamp.events, [failed]);
}

#[test]
fn a_database_rolled_back_past_an_update_is_told_of() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    let old = city.rows.clone();
    update(&mut city, &lamp);
    lamp.is_well(&mut city);
    city.rows = old;
    lamp.events.clear();
    lamp.authenticate(&mut city);
    let failed = Event::Failed { stage: Stage::Authentication, reason: Reason::PairAgain };
    assert_eq!(lamp.events, [failed]);
}

#[test]
fn a_database_rolled_back_within_an_update() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    let old = city.rows.clone();
    update(&mut city, &lamp);
    // Until the device has the new seed confirmed, and no further.
    lamp.with(&city, |a, cx| a.authenticate(cx, &addr("centre"))).unwrap();
    for _ in 0..2 {
        let datagram = lamp.flush(&city).remove(0);
        let reply = city.hear("lamp", &datagram).unwrap();
        lamp.hear(&city, &reply);
    }
    lamp.flush(&city);
    assert!(lamp.chip().pending_state() != crate::engine::rekey::Pending::None);
    city.rows = old;
    lamp.wait(&mut city, 30);
    assert_eq!(lamp.chip().generation(), 0);
    assert_eq!(lamp.chip().pending_state(), crate::engine::rekey::Pending::None, "only HASNOT drops it");
    lamp.is_well(&mut city);
    update(&mut city, &lamp);
    lamp.is_well(&mut city);
    lamp.is_well(&mut city);
    assert_eq!((lamp.chip().generation(), city.row("lamp").generation()), (1, 1));
}

/// Put back to where it had asked for another attempt: the part that comes does not answer that question.
#[test]
fn a_database_rolled_back_between_two_attempts() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    update(&mut city, &lamp);
    let mut asked = |city: &mut City| {
        lamp.with(city, |a, cx| a.authenticate(cx, &addr("centre"))).unwrap();
        let auth = lamp.flush(city).remove(0);
        let ask = city.hear("lamp", &auth).unwrap();
        lamp.hear(city, &ask);
        let part = lamp.flush(city).remove(0);
        lamp.reboot();
        (part, city.rows.clone())
    };
    let (_, first) = asked(&mut city);
    let (part, _) = asked(&mut city);
    city.rows = first;
    city.events.clear();
    assert!(city.hear("lamp", &part).is_some());
    assert_eq!(city.events, [(id("lamp"), CentreEvent::Authenticated)], "no seed is agreed on");
    for _ in 0..3 {
        lamp.is_well(&mut city);
    }
    assert_eq!((lamp.chip().generation(), city.row("lamp").generation()), (1, 1));
}

#[test]
fn a_device_rolled_back_within_an_update() {
    for kept in 1..4 {
        let mut city = City::new();
        let mut lamp = Lamp::new(&mut city, "lamp");
        lamp.is_well(&mut city);
        update(&mut city, &lamp);
        let old = lamp.stored.clone();
        // Until the centre has the new seed confirmed, and no further.
        lamp.with(&city, |a, cx| a.authenticate(cx, &addr("centre"))).unwrap();
        for _ in 0..kept {
            let datagram = lamp.flush(&city).remove(0);
            let reply = city.hear("lamp", &datagram).unwrap();
            lamp.hear(&city, &reply);
        }
        if city.row("lamp").generation() == 1 {
            continue;
        }
        lamp.stored = old;
        lamp.reboot();
        for _ in 0..3 {
            lamp.is_well(&mut city);
        }
        assert_eq!((lamp.chip().generation(), city.row("lamp").generation()), (1, 1));
    }
}

#[test]
fn a_device_that_is_revoked_within_an_update() {
    for kept in 0..3 {
        let mut city = City::new();
        let mut lamp = Lamp::new(&mut city, "lamp");
        lamp.is_well(&mut city);
        update(&mut city, &lamp);
        lamp.with(&city, |a, cx| a.authenticate(cx, &addr("centre"))).unwrap();
        for _ in 0..kept {
            let datagram = lamp.flush(&city).remove(0);
            let reply = city.hear("lamp", &datagram).unwrap();
            lamp.hear(&city, &reply);
        }
        city.with(|c, stores, _| c.revoke(stores, &id("lamp"))).unwrap();
        lamp.talk(&mut city);
        assert!(lamp.chip().is_dead());
        assert_eq!(city.row("lamp").standing(), Standing::Killed, "after {kept} round trips");
    }
}

/// Of a killed device nothing is left at the centre: neither the seed, nor what was sealed beside it, nor the wish for another.
#[test]
fn a_killed_devices_row_is_empty() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    update(&mut city, &lamp);
    lamp.is_well(&mut city);
    let before = city.rows.clone();
    assert!(spare(&before.rows[&b"lamp"[..]].0).is_some());
    update(&mut city, &lamp);
    city.with(|c, stores, _| c.revoke(stores, &id("lamp"))).unwrap();
    assert!(!city.row("lamp").is_updating());
    lamp.connect(&mut city);
    let (state, seed) = &city.rows.rows[&b"lamp"[..]];
    assert!(spare(state).is_none() && seed[..] == [0; Row::SEED_LEN]);
    // It says so to a database that was put back, too, which has not revoked it: its row stays as it is, for the audit.
    city.rows = before.clone();
    lamp.reboot();
    lamp.connect(&mut city);
    assert_eq!(city.rows.rows, before.rows);
}

/// The centre has moved to the new seed, and the device was not told so before it is revoked.
#[test]
fn a_device_that_is_revoked_at_the_end_of_an_update() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    update(&mut city, &lamp);
    lamp.with(&city, |a, cx| a.authenticate(cx, &addr("centre"))).unwrap();
    for round in 0..3 {
        let datagram = lamp.flush(&city).remove(0);
        let reply = city.hear("lamp", &datagram).unwrap();
        if round < 2 {
            lamp.hear(&city, &reply);
        }
    }
    lamp.reboot();
    assert_eq!((lamp.chip().generation(), city.row("lamp").generation()), (0, 1));
    city.with(|c, stores, _| c.revoke(stores, &id("lamp"))).unwrap();
    lamp.connect(&mut city);
    assert!(lamp.chip().is_dead());
    assert_eq!(city.row("lamp").standing(), Standing::Killed);
}

#[test]
fn a_revoked_device_kills_its_seed() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.connect(&mut city);
    city.session = None;
    let stolen = lamp.stored.clone();
    city.with(|c, stores, _| c.revoke(stores, &id("lamp"))).unwrap();
    assert_eq!(city.row("lamp").standing(), Standing::Revoked);
    lamp.events.clear();
    city.events.clear();
    lamp.connect(&mut city);
    let failed = Event::Failed { stage: Stage::Authentication, reason: Reason::Revoked };
    assert_eq!(lamp.events, [failed]);
    assert!(!lamp.a.as_ref().unwrap().is_established() && city.session.is_none());
    assert_eq!(city.events, [(id("lamp"), CentreEvent::Revoked), (id("lamp"), CentreEvent::Killed)]);
    assert_eq!(city.row("lamp").standing(), Standing::Killed);
    assert_eq!(city.row("lamp").seed(), &[0; Row::SEED_LEN]);
    assert!(lamp.chip().is_dead());
    assert_eq!(lamp.with(&city, |a, cx| a.sign(cx, b"", &mut [0; 200])), Err(Error::Revoked));
    lamp.reboot();
    assert!(lamp.chip().is_dead());
    let (first, last) = lamp.chip().years();
    assert!(first > last, "erased");
    // A copy that was made before gets nowhere.
    lamp.stored = stolen;
    lamp.reboot();
    lamp.events.clear();
    lamp.authenticate(&mut city);
    assert!(lamp.events.is_empty() && city.newest() == Some(CentreEvent::Killed));
}

#[test]
fn a_killed_seed_is_told_of_until_the_centre_has_heard() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.is_well(&mut city);
    city.with(|c, stores, _| c.revoke(stores, &id("lamp"))).unwrap();
    lamp.with(&city, |a, cx| a.connect(cx, &addr("centre"))).unwrap();
    let auth = lamp.flush(&city).remove(0);
    let answer = city.hear("lamp", &auth).unwrap();
    lamp.hear(&city, &answer);
    lamp.flush(&city); // lost
    lamp.reboot();
    lamp.connect(&mut city);
    assert_eq!(city.row("lamp").standing(), Standing::Killed);
    // Nobody else can say so.
    let mut door = Lamp::new(&mut city, "door");
    door.is_well(&mut city);
    city.with(|c, stores, _| c.revoke(stores, &id("door"))).unwrap();
    let mut dead = lamp.sent.last().unwrap().clone();
    dead[2..6].copy_from_slice(b"door");
    assert_eq!(city.hear("mallory", &dead), None);
    assert_eq!(city.row("door").standing(), Standing::Revoked);
}

#[test]
fn seconds_are_those_of_a_division() {
    let of = crate::microcert::chip::seconds;
    for bit in 0..64 {
        for around in 0..4_000 {
            let ms = (1u64 << bit).wrapping_add(around * 999).wrapping_sub(2_000_000);
            assert_eq!(of(ms), u32::try_from(ms / 1_000).unwrap_or(u32::MAX), "{ms}");
        }
    }
    for ms in [u64::from(u32::MAX) * 1_000 + 999, u64::from(u32::MAX) * 1_000 + 1_000, 999, 1_000, 1_771_549_600_123] {
        assert_eq!(of(ms), u32::try_from(ms / 1_000).unwrap_or(u32::MAX), "{ms}");
    }
}
