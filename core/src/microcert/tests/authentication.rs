//! Authentication, sessions, signatures, without a hazard.

use super::*;
use crate::association::Authenticated;
use crate::engine::drops::Dropped;
use crate::microcert::Leaf;

#[test]
fn a_device_and_its_centre() {
    for suite in SUITES {
        let mut city = City::new();
        let mut lamp = Lamp::of(&mut city, "lamp", suite, false);
        assert!(!lamp.chip().is_confirmed());
        lamp.authenticate(&mut city);
        assert_eq!(lamp.events, [Event::Authenticated]);
        assert_eq!(city.events, [(id("lamp"), CentreEvent::Authenticated)]);
        assert!(lamp.chip().is_confirmed(), "the first authentication confirms the enrolment");
        assert!(city.session.is_none());
        assert_eq!(city.row("lamp").counter(), 1);
        lamp.authenticate(&mut city);
        assert_eq!(city.row("lamp").counter(), 2);
    }
}

#[test]
fn bytes_on_the_air() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.with(&city, |a, cx| a.authenticate(cx, &addr("centre"))).unwrap();
    let auth = lamp.flush(&city).remove(0);
    let answer = city.hear("lamp", &auth).unwrap();
    assert_eq!((auth.len(), answer.len()), (32, 19), "51 in all with an id of 4 bytes");
}

#[test]
fn a_session_both_ways() {
    for suite in SUITES {
        let mut city = City::new();
        let mut lamp = Lamp::of(&mut city, "lamp", suite, false);
        lamp.connect(&mut city);
        assert!(established(&lamp.events));
        let mut served = served(&mut city);
        assert_eq!(served.id(), &id("lamp"));
        let device = city.device.clone();
        let mut rng = Seeded(77);
        let mut cx =
            Cx { now: Instant(city.now), wall: None, place: &[], rng: &mut rng, device: &device, keys: &NoKeys };
        let mut out = [0; 200];
        let Output::Event(Event::Established { fingerprint, initiator: false }) = served.poll(&mut cx, &mut out) else {
            panic!()
        };
        assert_eq!(Some(fingerprint), lamp.a.as_ref().unwrap().fingerprint());
        assert_eq!(served.assurance().unwrap().authenticated, Authenticated::Enrolled);

        let mut up = lamp.with(&city, |a, cx| {
            let mut out = [0; 200];
            a.send(cx, b"21 degrees", &mut out).unwrap().bytes.to_vec()
        });
        let received = served.handle_input(&mut cx, &addr("lamp"), &mut up).unwrap().unwrap();
        assert_eq!(received.payload, b"21 degrees");
        let down = served.send(&mut cx, b"light", &mut out).unwrap().bytes.to_vec();
        assert_eq!(lamp.hear(&city, &down).unwrap(), b"light");
        let export = |a: &dyn Association| {
            let mut key = [0; 16];
            a.exporter(b"test", &[], &mut key).unwrap();
            key
        };
        assert_eq!(export(&served), export(lamp.a.as_ref().unwrap()));

        // The centre goes on from stored state.
        let mut blob = [0; crate::engine::BLOB_MAX];
        let len = served.export(&mut cx, &mut blob).unwrap();
        let mut again = Served::at_rest(id("lamp"), suite, Config::default(), Box::<ServedMemory>::default()).unwrap();
        again.restore(&mut cx, &blob[..len]).unwrap();
        for _ in 0..6 {
            let Output::Datagram { bytes, .. } = again.poll(&mut cx, &mut out) else { break };
            lamp.hear(&city, bytes);
            for mut datagram in lamp.flush(&city) {
                again.handle_input(&mut cx, &addr("lamp"), &mut datagram).unwrap();
            }
        }
        assert!(again.is_established());
    }
}

/// Both lost their power: the device goes first, as it had started the session, and the centre has room to answer it.
#[test]
fn both_sides_go_on_from_stored_state() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.connect(&mut city);
    let mut served = served(&mut city);
    let device = city.device.clone();
    let mut rng = Seeded(78);
    let mut cx = Cx { now: Instant(city.now), wall: None, place: &[], rng: &mut rng, device: &device, keys: &NoKeys };
    let mut out = [0; 200];
    while !matches!(served.poll(&mut cx, &mut out), Output::Idle { .. }) {}
    let mut theirs = [0; crate::engine::BLOB_MAX];
    let len = served.export(&mut cx, &mut theirs).unwrap();
    let mut again = Served::at_rest(id("lamp"), lamp.suite, Config::default(), Box::<ServedMemory>::default()).unwrap();
    again.restore(&mut cx, &theirs[..len]).unwrap();

    let mut own = [0; crate::engine::BLOB_MAX];
    let len = lamp.with(&city, |a, cx| a.export(cx, &mut own)).unwrap();
    lamp.reboot();
    lamp.with(&city, |a, cx| a.restore(cx, &own[..len])).unwrap();
    for _ in 0..4 {
        for mut datagram in lamp.flush(&city) {
            let _ = again.handle_input(&mut cx, &addr("lamp"), &mut datagram);
        }
        loop {
            match again.poll(&mut cx, &mut out) {
                Output::Datagram { bytes, .. } => drop(lamp.hear(&city, bytes)),
                Output::Idle { .. } => break,
                _ => {}
            }
        }
    }
    assert!(again.is_established());
    assert_eq!(again.fingerprint(), lamp.with(&city, |a, _| a.fingerprint()));
    let mut up = lamp.with(&city, |a, cx| a.send(cx, b"dusk", &mut [0; 200]).unwrap().bytes.to_vec());
    assert_eq!(again.handle_input(&mut cx, &addr("lamp"), &mut up).unwrap().unwrap().payload, b"dusk");
}

#[test]
fn without_a_clock_a_challenge_comes_first() {
    let mut city = City::new();
    let mut lamp = Lamp::of(&mut city, "meter", &SUITE_0_SYMMETRIC, true);
    city.pass(3 * 86_400);
    lamp.connect(&mut city);
    assert!(established(&lamp.events));
    let names: Vec<_> = city.events.iter().map(|(_, event)| *event).collect();
    assert_eq!(names, [CentreEvent::Challenged, CentreEvent::Authenticated]);
    assert_eq!(lamp.chip().floor().0, city.wall, "it knows the time now");
    assert_eq!(lamp.a.as_ref().unwrap().time(Instant(city.now + 1_500)).unwrap().0, city.wall + 1_500);
}

#[test]
fn signatures() {
    for suite in SUITES {
        let mut city = City::new();
        let mut lamp = Lamp::of(&mut city, "lamp", suite, false);
        let sign = |data: &[u8], lamp: &mut Lamp, city: &City| {
            let mut out = [0; 200];
            let sign = |a: &mut Assoc, cx: &mut Cx<'_>| a.sign(cx, data, &mut out);
            let mut len = lamp.with(city, sign);
            if len == Err(Error::Undrained) {
                lamp.flush(city);
                len = lamp.with(city, |a, cx| a.sign(cx, data, &mut out));
            }
            out[..len.unwrap()].to_vec()
        };
        let verify = |city: &mut City, signature: &[u8], data: &[u8]| {
            city.with(|c, stores, _| c.verify(stores, signature, data)).unwrap()
        };
        let first = sign(b"42 degrees", &mut lamp, &city);
        let second = sign(b"42 degrees", &mut lamp, &city);
        assert_ne!(first, second);
        let signed = verify(&mut city, &first, b"42 degrees").unwrap();
        assert_eq!((signed.id, signed.time.0), (id("lamp"), NOW));
        assert_eq!(verify(&mut city, &second, b"42 degrees").unwrap().counter, signed.counter + 1);
        assert_eq!(verify(&mut city, &first, b"43 degrees"), None);
        for at in 0..first.len() {
            let mut forged = first.clone();
            forged[at] ^= 0x20;
            assert_eq!(verify(&mut city, &forged, b"42 degrees"), None, "byte {at}");
        }
        for len in 0..first.len() {
            assert_eq!(verify(&mut city, &first[..len], b"42 degrees"), None);
        }
        // Forty signatures more than are reserved at a time.
        for _ in 0..70 {
            let signature = sign(b"more", &mut lamp, &city);
            assert!(verify(&mut city, &signature, b"more").is_some());
        }
        lamp.is_well(&mut city);
        assert!(verify(&mut city, &first, b"42 degrees").is_some(), "still");
        // A micro-certificate is no signature, and the other way round.
        let auth = lamp.sent.last().unwrap().clone();
        assert_eq!(verify(&mut city, &auth, b""), None);
        assert_eq!(city.hear("lamp", &first), None);
        city.with(|c, stores, _| c.revoke(stores, &id("lamp"))).unwrap();
        assert_eq!(verify(&mut city, &first, b"42 degrees"), None, "revoked");
    }
}

/// What a leaf sends is what the whole scheme sends; what would begin a session is refused, and nothing else is different.
#[test]
fn a_leaf() {
    let mut city = City::new();
    let mut lamp = Lamp::new(&mut city, "lamp");
    lamp.authenticate(&mut city);
    let (chip, device, seed) = (lamp.chip().clone(), lamp.device.clone(), lamp.rng.0);
    let mut leaf: Microcert<_, Box<MicrocertMemory<Chip, Leaf>>, Leaf> =
        Microcert::open(chip, lamp.suite, Config::default(), Box::default()).unwrap();
    let mut rng = Seeded(seed);
    let wall = Some(UnixTime(city.wall));
    let mut cx = Cx { now: Instant(city.now), wall, place: &[], rng: &mut rng, device: &device, keys: &NoKeys };
    assert_eq!(leaf.connect(&mut cx, &addr("centre")), Err(Error::WrongState));
    leaf.authenticate(&mut cx, &addr("centre")).unwrap();
    let mut out = [0; 200];
    let Output::Datagram { bytes: auth, .. } = leaf.poll(&mut cx, &mut out) else { panic!() };
    lamp.with(&city, |a, cx| a.authenticate(cx, &addr("centre"))).unwrap();
    assert_eq!(lamp.flush(&city).remove(0), auth);
    let mut answer = city.hear("lamp", auth).unwrap();
    assert_eq!(leaf.handle_input(&mut cx, &addr("centre"), &mut answer).unwrap(), None);
    assert!(matches!(leaf.poll(&mut cx, &mut out), Output::Event(Event::Authenticated)));
    assert!(matches!(leaf.poll(&mut cx, &mut out), Output::Idle { wake_at: None }));
    assert_eq!(leaf.handle_input(&mut cx, &addr("centre"), &mut [0x18; 40]).unwrap(), None);
    assert_eq!(leaf.drops().get(Dropped::NoKey), 1, "a record");
    assert_eq!(leaf.send(&mut cx, b"21", &mut out).err(), Some(Error::NotEstablished));
    assert_eq!(leaf.restore(&mut cx, &[0; 100]), Err(Error::WrongState));
    assert_eq!(leaf.close(), Err(Error::NotEstablished));
    let len = leaf.sign(&mut cx, b"42", &mut out).unwrap();
    let signed = city.with(|c, stores, _| c.verify(stores, &out[..len], b"42")).unwrap();
    assert!(signed.is_some());
}
