//! The power goes at every write, on either side.

use super::*;
use crate::association::{Reason, Stage};

/// What is said until all is done, with as many writes as are left; the lines are good.
fn go(city: &mut City, lamp: &mut Lamp) {
    lamp.with(city, |a, cx| a.authenticate(cx, &addr("centre"))).unwrap();
    for _ in 0..30 {
        for datagram in lamp.flush(city) {
            if let Ok(Some(reply)) = city.try_hear("lamp", &datagram) {
                lamp.hear(city, &reply);
            }
        }
    }
}

#[test]
fn the_devices_power_goes_at_every_write_of_an_update() {
    for writes in 0..12 {
        let mut city = City::new();
        let mut lamp = Lamp::new(&mut city, "lamp");
        lamp.is_well(&mut city);
        lamp.flush(&city);
        let before = city.rows.clone();
        city.with(|c, stores, _| c.update(stores, &id("lamp"))).unwrap();
        lamp.writes = Some(writes);
        go(&mut city, &mut lamp);
        lamp.reboot();
        city.pass(5);
        for _ in 0..3 {
            lamp.is_well(&mut city);
            lamp.reboot();
        }
        assert_eq!((lamp.chip().generation(), city.row("lamp").generation()), (1, 1), "after {writes} writes");

        // A centre that is rolled back past the update can prove that it was, whatever was cut off then.
        city.rows = before;
        city.restart();
        city.pass(60);
        lamp.events.clear();
        lamp.authenticate(&mut city);
        let failed = Event::Failed { stage: Stage::Authentication, reason: Reason::PairAgain };
        assert!(lamp.saw(&failed), "after {writes} writes: {:?}", lamp.events);
    }
}

#[test]
fn the_centres_power_goes_at_every_write_of_an_update() {
    for writes in 0..6 {
        let mut city = City::new();
        let mut lamp = Lamp::new(&mut city, "lamp");
        lamp.is_well(&mut city);
        city.with(|c, stores, _| c.update(stores, &id("lamp"))).unwrap();
        city.rows.writes = Some(writes);
        go(&mut city, &mut lamp);
        city.restart();
        city.rows.writes = None;
        lamp.wait(&mut city, 250);
        for _ in 0..3 {
            lamp.is_well(&mut city);
        }
        assert_eq!((lamp.chip().generation(), city.row("lamp").generation()), (1, 1), "after {writes} writes");
    }
}

#[test]
fn no_counter_comes_twice() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..200u32 {
        lamp.authenticate(&mut city);
        let mut out = [0; 200];
        if let Ok(len) = lamp.with(&city, |a, cx| a.sign(cx, b"x", &mut out)) {
            assert!(seen.insert(out[..len][19..23].to_vec()));
        }
        lamp.flush(&city);
        assert!(seen.insert(lamp.sent.last().unwrap()[19..23].to_vec()));
        if n % 7 == 3 {
            lamp.reboot();
        }
    }
    assert!(!city.events.iter().any(|(_, event)| *event != CentreEvent::Authenticated));
}

/// The power goes whenever something has left: its counter is reserved in storage by then.
#[test]
fn no_counter_comes_twice_after_any_cut() {
    for signs in [false, true] {
        let mut city = City::new();
        let mut lamp = Lamp::new(&mut city, "lamp");
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let said = if signs {
                let mut out = [0; 200];
                let mut sign = |lamp: &mut Lamp| lamp.with(&city, |a, cx| a.sign(cx, b"x", &mut out));
                if sign(&mut lamp) == Err(Error::Undrained) {
                    lamp.flush(&city);
                    sign(&mut lamp).unwrap();
                }
                out.to_vec()
            } else {
                lamp.with(&city, |a, cx| a.authenticate(cx, &addr("centre"))).unwrap();
                lamp.flush(&city).remove(0)
            };
            assert!(seen.insert(said[19..23].to_vec()), "signs: {signs}");
            lamp.reboot();
        }
    }
}

#[test]
fn the_power_goes_while_a_seed_is_killed() {
    for writes in 0..4 {
        let mut city = City::new();
        let mut lamp = Lamp::new(&mut city, "lamp");
        lamp.is_well(&mut city);
        lamp.flush(&city);
        city.with(|c, stores, _| c.revoke(stores, &id("lamp"))).unwrap();
        lamp.writes = Some(writes);
        go(&mut city, &mut lamp);
        lamp.reboot();
        city.pass(5);
        lamp.connect(&mut city);
        assert!(lamp.chip().is_dead());
        lamp.reboot();
        lamp.connect(&mut city);
        let (first, last) = lamp.chip().years();
        assert!(lamp.chip().is_dead() && first > last, "after {writes} writes");
        assert_eq!(city.row("lamp").standing(), crate::microcert::centre::Standing::Killed);
    }
}

/// The year that is over is erased in one slot, the floor that says so is in the other.
#[test]
fn the_power_goes_while_a_year_is_erased() {
    for (writes, updated) in (0..6).flat_map(|writes| [(writes, false), (writes, true)]) {
        let mut city = City::new();
        let mut lamp = Lamp::of(&mut city, "meter", &SUITE_0_SYMMETRIC, true);
        lamp.is_well(&mut city);
        lamp.flush(&city);
        city.pass(330 * 86_400);
        if updated {
            city.with(|c, stores, _| c.update(stores, &id("meter"))).unwrap();
        }
        lamp.writes = Some(writes);
        lamp.with(&city, |a, cx| a.authenticate(cx, &addr("centre"))).unwrap();
        for _ in 0..9 {
            for datagram in lamp.flush(&city) {
                city.hear("meter", &datagram).into_iter().for_each(|reply| drop(lamp.hear(&city, &reply)));
            }
        }
        lamp.reboot();
        for _ in 0..3 {
            city.pass(5);
            lamp.is_well(&mut city);
        }
        assert_eq!(lamp.chip().years().0, 2027, "after {writes} writes");
    }
}

#[test]
fn new_years() {
    use crate::microcert::Date;
    assert_eq!((Date::new_year(1970), Date::new_year(2027)), (0, 1_798_761_600));
    for year in 1970..=2105 {
        let begins = Date::new_year(year);
        assert_eq!(Date::of(begins).year(), year);
        assert!(begins == 0 || Date::of(begins - 1).year() == year - 1);
    }
}

#[test]
fn stored_state_of_others_does_not_open() {
    let mut city = City::new();
    let lamp = Lamp::new(&mut city, "lamp");
    let (seed, state) = (&lamp.stored[&1].1, &lamp.stored[&2].1);
    let mut work = [0; Chip::SEED_MAX];
    let mut open = |floors, seed: &[u8], state: &[u8], device: &Device| {
        Chip::restore(device, SLOTS, floors, seed, state, &mut work).err()
    };
    assert_eq!(open([1, 1], seed, state, &lamp.device), None);
    assert_eq!(open([2, 1], seed, state, &lamp.device), Some(Error::BlobRolledBack));
    assert_eq!(open([1, 2], seed, state, &lamp.device), Some(Error::BlobRolledBack));
    assert_eq!(open([1, 1], state, seed, &lamp.device), Some(Error::BadBlob));
    assert_eq!(open([1, 1], seed, state, &city.device), Some(Error::BadBlob));
    for at in (0..seed.len()).step_by(97) {
        let mut bad = seed.clone();
        bad[at] ^= 1;
        assert_eq!(open([0, 0], &bad, state, &lamp.device), Some(Error::BadBlob));
    }
}
