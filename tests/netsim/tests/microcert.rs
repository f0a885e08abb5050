//! The microcert scheme: bad lines, power cut at every write, clocks, floods, and a city over the years.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::crypto::{Rng, SUITE_0_SYMMETRIC};
use iotkm::engine::rekey::Pending;
use iotkm::microcert::CentreEvent;
use iotkm::microcert::centre::Standing;
use iotkm::{Association, Error, Event};
use iotkm_netsim::city::{City, DAY, Lamp, Town, addr};
use iotkm_netsim::{Link, SimRng};

const MINUTE: u64 = 60_000;

/// Each of these is authenticated anew, with or without a session, whatever it takes.
fn all_come(town: &mut Town, session: bool, context: &str) {
    for lamp in 0..town.lamps.len() {
        let mut done = false;
        for _ in 0..6 {
            let one = &mut town.lamps[lamp];
            one.events.clear();
            one.start(&town.city, session).unwrap();
            let came = move |town: &Town| {
                let came = |e: &Event| matches!(e, Event::Authenticated | Event::Established { .. });
                town.lamps[lamp].events.iter().any(came)
            };
            done = town.drive(5 * MINUTE, came);
            if done {
                break;
            }
        }
        let one = &town.lamps[lamp];
        assert!(done, "{context}: {} never came: {:?} {:?}", one.name, one.events, town.city.events.last());
    }
}

/// Until all have the seed that the centre has, and nothing is half done.
fn all_settle(town: &mut Town, context: &str) {
    for _ in 0..20 {
        if (0..town.lamps.len()).all(|lamp| town.settled(lamp)) {
            return;
        }
        all_come(town, false, context);
        town.drive(2 * MINUTE, |_| false);
    }
    for lamp in 0..town.lamps.len() {
        let settled = town.settled(lamp);
        let row = town.city.row(&town.lamps[lamp].name);
        let chip = town.lamps[lamp].a.chip();
        assert!(settled, "{context}: {chip:?} {:?} {}", row.pending_state(), row.generation());
    }
}

#[test]
fn bad_lines() {
    for seed in 0..25 {
        let mut town = Town::new(seed, Link::BAD, 6);
        let context = format!("seed {seed}");
        all_come(&mut town, true, &context);
        for generation in 1..=2 {
            for lamp in 0..6 {
                town.city.update(&format!("lamp-{lamp}")).unwrap();
            }
            all_settle(&mut town, &context);
            all_come(&mut town, false, &context);
            for lamp in &town.lamps {
                assert_eq!(
                    (lamp.a.chip().generation(), lamp.a.chip().pending_state()),
                    (generation, Pending::None),
                    "{context}"
                );
            }
        }
        assert_eq!(town.city.told(CentreEvent::Tampered) + town.city.told(CentreEvent::CloneSuspected), 0, "{context}");
        // Records in what sessions there are.
        town.link = Link::GOOD;
        all_come(&mut town, true, &context);
        let Town { city, lamps, .. } = &mut town;
        for lamp in lamps {
            let mut out = [0; 100];
            let mut served = city.sessions.remove(&lamp.name).unwrap();
            let said = lamp.with(city, |a, cx| {
                let mut record = a.send(cx, b"light", &mut out).unwrap().bytes.to_vec();
                served.poll(cx, &mut [0; 100]);
                let received = served.handle_input(cx, &addr("x"), &mut record).unwrap();
                received.map(|received| received.payload.to_vec())
            });
            assert_eq!(said.unwrap(), b"light", "{context}");
        }
    }
}

/// The power of a device goes after any write, the centre's store fails at any write, while seeds are replaced and on bad lines:
/// nothing is lost, no counter comes twice ([`Town::flush`]).
#[test]
fn power() {
    for seed in 0..60 {
        let mut rng = SimRng::new(seed);
        let link = if seed % 2 == 0 { Link::GOOD } else { Link::BAD };
        let mut town = Town::new(seed, link, 4);
        let context = format!("seed {seed}");
        all_come(&mut town, false, &context);
        for round in 0..4 {
            for lamp in 0..4 {
                town.city.update(&format!("lamp-{lamp}")).unwrap();
                town.lamps[lamp].writes_left = Some(rng.below(6) as u32);
                town.lamps[lamp].start(&town.city, rng.percent(50)).unwrap();
            }
            if round % 2 == 1 {
                town.city.rows.writes_left = Some(rng.below(8) as u32);
            }
            let cut = rng.below(2 * MINUTE);
            town.drive(cut, |_| false);
            town.lamps.iter_mut().for_each(Lamp::reboot);
            town.city.restart();
            town.drive(30_000, |_| false);
        }
        all_settle(&mut town, &context);
        for lamp in 0..4 {
            town.lamps[lamp].reboot();
        }
        all_come(&mut town, true, &context);
    }
}

/// Where either side's power goes while a seed is killed, it is killed in the end, and never authenticated again.
#[test]
fn revoked_on_bad_lines() {
    for seed in 0..20 {
        let mut rng = SimRng::new(seed);
        let mut town = Town::new(seed, Link::BAD, 4);
        let context = format!("seed {seed}");
        all_come(&mut town, false, &context);
        for lamp in 0..4 {
            // Some within an update.
            if lamp % 2 == 1 {
                town.city.update(&format!("lamp-{lamp}")).unwrap();
                town.lamps[lamp].start(&town.city, false).unwrap();
                let time = rng.below(20_000);
                town.drive(time, |_| false);
            }
            town.city.revoke(&format!("lamp-{lamp}")).unwrap();
            town.lamps[lamp].writes_left = Some(rng.below(5) as u32);
            town.lamps[lamp].events.clear();
        }
        town.city.events.clear();
        for _ in 0..25 {
            for lamp in 0..4 {
                if town.lamps[lamp].dead {
                    town.lamps[lamp].reboot();
                }
                town.lamps[lamp].start(&town.city, true).unwrap();
            }
            town.drive(4 * MINUTE, |_| false);
        }
        for lamp in 0..4 {
            let name = format!("lamp-{lamp}");
            let chip = town.lamps[lamp].restored();
            assert_eq!(
                (chip.is_dead(), town.city.row(&name).standing()),
                (true, Standing::Killed),
                "{context}, {name}"
            );
            assert!(chip.years().0 > chip.years().1 && town.city.row(&name).seed() == &[0; 992]);
        }
        assert_eq!(
            town.city.told(CentreEvent::Authenticated) + town.city.told(CentreEvent::KeyReplaced),
            0,
            "{context}"
        );
    }
}

/// Clocks that drift, that are wrong either way, that are set back or forth, or that stop: all get in, and get their update.
#[test]
fn clocks() {
    let hours = |h: i64| h * 3_600_000;
    for (at, (off, ppm)) in
        [(0, 100), (0, -100), (hours(2), 0), (hours(-2), 500), (hours(24 * 200), 0), (hours(-24 * 900), 0)]
            .into_iter()
            .enumerate()
    {
        let mut town = Town::new(at as u64, Link { loss: 10, ..Link::BAD }, 3);
        let context = format!("off {off}, drift {ppm}");
        for lamp in &mut town.lamps {
            lamp.clock = Some((off, ppm));
        }
        for day in 0..12 {
            if day % 4 == 1 {
                for lamp in 0..3 {
                    town.city.update(&format!("lamp-{lamp}")).unwrap();
                }
            }
            if day == 7 {
                town.lamps[0].clock = None;
                town.lamps[1].clock = Some((hours(-30), 0));
                town.lamps[2].clock = Some((hours(30), 0));
            }
            all_come(&mut town, day % 2 == 0, &context);
            town.drive(DAY, |_| false);
            for lamp in &town.lamps {
                assert!(lamp.a.chip().floor().0 <= town.city.wall(), "{context}: a floor in the future");
            }
        }
        all_settle(&mut town, &context);
        let generations: Vec<_> = town.lamps.iter().map(|lamp| lamp.a.chip().generation()).collect();
        assert_eq!(generations, [3; 3], "{context}");
    }
}

/// Whoever floods the centre with openings of everybody's costs it eight unwraps for each, and honest devices a cookie.
#[test]
fn a_flood() {
    let mut town = Town::new(1, Link::GOOD, 12);
    all_come(&mut town, false, "before");
    let mut real: Vec<Vec<u8>> = Vec::new();
    for lamp in &mut town.lamps {
        lamp.start(&town.city, false).unwrap();
        real.extend(lamp.drain(&town.city).into_iter().take(1));
        lamp.reboot();
    }
    let (unwraps, mut rng) = (town.city.keys.unwraps, SimRng::new(9));
    for n in 0..20_000u64 {
        let mut forged = real[n as usize % 12].clone();
        let at = forged.len() - 20;
        rng.fill(&mut forged[at..]).unwrap();
        let reply = town.city.hear(&format!("from {}", rng.below(500)), &forged);
        assert!(reply.is_none_or(|reply| reply.len() == 10), "nothing but a cookie's request");
    }
    let cost = town.city.keys.unwraps - unwraps;
    assert!(cost <= 12 * 8, "{cost} unwraps");
    all_come(&mut town, true, "after");
    println!("20000 forged openings of 12 devices cost {cost} unwraps");
}

/// Tables of a size that is no use: everybody gets in all the same.
#[test]
fn full_tables() {
    let mut town = Town::new(3, Link { loss: 20, ..Link::BAD }, 24);
    let mut city = City::new(3, (4, 1));
    (city.rows, city.now) = (town.city.rows.clone(), town.city.now);
    town.city = city;
    for lamp in 0..24 {
        town.lamps[lamp].start(&town.city, true).unwrap();
    }
    let all =
        |town: &Town| town.lamps.iter().all(|lamp| lamp.events.iter().any(|e| matches!(e, Event::Established { .. })));
    if !town.drive(10 * MINUTE, all) {
        all_come(&mut town, true, "later");
    }
}

/// What belongs elsewhere: nothing comes of it, on either side.
#[test]
fn misuse() {
    let mut town = Town::new(4, Link::GOOD, 3);
    all_come(&mut town, false, "before");
    let mut said = Vec::new();
    for lamp in &mut town.lamps {
        lamp.start(&town.city, true).unwrap();
        said.push(lamp.drain(&town.city).remove(0));
    }
    let rows = town.city.rows.rows.clone();
    // Another device's name on it; the centre's own messages; other schemes; pieces.
    let mut rng = SimRng::new(5);
    for n in 0..3_000u64 {
        let mut datagram = said[rng.below(3) as usize].clone();
        match n % 6 {
            0 => datagram[7] = b'0' + (datagram[7] - b'0' + 1) % 3,
            1 => datagram[1] = (rng.next() as u8) << 4 | datagram[1] & 15,
            2 => datagram[0] = rng.next() as u8,
            3 => datagram.truncate(rng.below(datagram.len() as u64) as usize),
            4 => datagram.push(rng.next() as u8),
            _ => datagram = (0..rng.below(130)).map(|_| rng.next() as u8).collect(),
        }
        if said.contains(&datagram) {
            continue;
        }
        town.city.hear("mallory", &datagram);
        for lamp in &mut town.lamps {
            assert_eq!(lamp.hear(&town.city, &datagram), None);
            assert!(lamp.drain(&town.city).iter().all(|sent| sent[..2] == [0x10, 0x30]), "but cookies");
        }
    }
    assert_eq!(town.city.rows.rows, rows);
    for (lamp, datagram) in town.lamps.iter_mut().zip(said) {
        assert_eq!(lamp.with(&town.city, |a, cx| a.connect(cx, &addr("city"))), Err(Error::WrongState));
        let mut reply = town.city.hear(&lamp.name, &datagram);
        if reply.as_ref().is_some_and(|reply| reply[..2] == [0x10, 0x20]) {
            lamp.hear(&town.city, &reply.unwrap());
            let echo = lamp.drain(&town.city).remove(0);
            reply = town.city.hear(&lamp.name, &echo);
        }
        lamp.hear(&town.city, &reply.unwrap());
        lamp.drain(&town.city);
        assert!(lamp.events.iter().any(|event| matches!(event, Event::Established { .. })), "{:?}", lamp.events);
    }
}

/// Three hundred chips, one centre, six years: they come every two months, get a new seed every year or so, some are revoked,
/// some lose their power within an update, some are away for long; old years are erased on both sides.
#[test]
fn a_city_over_the_years() {
    const CHIPS: usize = 300;
    let mut rng = SimRng::new(2);
    let mut city = City::new(2, (4 * CHIPS, 64));
    let mut lamps: Vec<Lamp> =
        (0..CHIPS).map(|n| Lamp::new(&mut city, &format!("chip-{n}"), &SUITE_0_SYMMETRIC, n % 10 == 9)).collect();
    let mut revoked = vec![false; CHIPS];
    let (mut came, mut cut, mut away) = (0u32, 0u32, vec![0u32; CHIPS]);
    for turn in 0..36u32 {
        city.now += 60 * DAY;
        for n in 0..CHIPS {
            let (lamp, name) = (&mut lamps[n], format!("chip-{n}"));
            // Seeds that are not replaced within five years expire: the operator sees to it every year or so.
            if !revoked[n] && (turn as usize + n).is_multiple_of(7) {
                city.update(&name).unwrap();
            }
            if !revoked[n] && rng.below(1_000) < 4 {
                city.revoke(&name).unwrap();
                revoked[n] = true;
            }
            if away[n] > 0 {
                away[n] -= 1;
                continue;
            }
            if rng.percent(3) {
                away[n] = rng.below(9) as u32;
            }
            if rng.percent(10) {
                lamp.writes_left = Some(rng.below(6) as u32);
            }
            lamp.events.clear();
            lamp.start(&city, rng.percent(30)).unwrap();
            lamp.talk(&mut city);
            came += 1;
            if lamp.dead {
                cut += 1;
                lamp.reboot();
                city.now += 1_000;
                lamp.start(&city, false).unwrap();
                lamp.talk(&mut city);
            }
            lamp.writes_left = None;
            assert_eq!(lamp.a.chip().is_dead(), revoked[n], "{name} in turn {turn}: {:?}", lamp.events);
        }
    }
    let year = 2032;
    let mut left = 0;
    for n in 0..CHIPS {
        let (lamp, name) = (&mut lamps[n], format!("chip-{n}"));
        if revoked[n] {
            lamp.start(&city, false).unwrap();
            lamp.talk(&mut city);
            assert_eq!((lamp.a.chip().is_dead(), city.row(&name).standing()), (true, Standing::Killed), "{name}");
            continue;
        }
        for _ in 0..4 {
            assert!(lamp.authenticate(&mut city) || !lamp.events.is_empty(), "{name}");
        }
        left += 1;
        let (chip, row) = (lamp.a.chip(), city.row(&name));
        assert_eq!((chip.generation(), chip.pending_state()), (row.generation(), Pending::None), "{name}");
        assert!(!row.is_updating() && row.generation() >= 3, "{name}: {}", row.generation());
        assert_eq!(chip.years().0, year.max(chip.years().1 - 4), "{name}: what is over is erased");
        assert!(row.years().0 >= year - 1 || row.years().0 == row.years().1 - 4, "{name}: {:?}", row.years());
    }
    let killed = revoked.iter().filter(|revoked| **revoked).count();
    assert!(cut > 100 && left > 150 && killed > 10, "{cut} power cuts, {left} left, {killed} revoked");
    println!("{came} authentications of {CHIPS} chips in six years, {cut} power cuts, {left} left");
}
