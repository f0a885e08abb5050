//! The known breaks of paper 003 on Published.

use crate::matrix::Matrix;
use iotkm::crypto::{Rng, Secret, kdf};
use iotkm::microcert::published::keys::PublishedKey;
use iotkm::microcert::published::{PUBLISHED_MAX, PublishedCentre, PublishedCertificate, PublishedChip, message};
use iotkm::microcert::{Date, Id, Seed};
use iotkm_netsim::SimRng;

/// 2026-02-20 01:06:40
const TIME: u32 = 1_771_549_600;

type Centre = PublishedCentre<Vec<(Id, Seed)>>;

fn city(seed: u64) -> (PublishedChip, Centre, Seed, SimRng) {
    let mut rng = SimRng::new(seed);
    let id = Id::new(b"lamp").unwrap();
    let mut rows = Secret::zero();
    rng.fill(rows.as_mut()).unwrap();
    let seed = || Seed::new(rows.clone(), 2025);
    (PublishedChip::new(id, seed()), PublishedCentre::new(vec![(id, seed())]), seed(), rng)
}

fn authenticate(chip: &PublishedChip, time: u32, rng: &mut SimRng) -> Vec<u8> {
    let mut out = [0; PUBLISHED_MAX];
    let len = chip.authenticate(time, rng, &mut out).unwrap();
    out[..len].to_vec()
}

#[test]
fn the_paper_as_it_is_meant() {
    let (chip, centre, _, mut rng) = city(1);
    let certificate = authenticate(&chip, TIME, &mut rng);
    assert_eq!(centre.check(&certificate).unwrap().as_bytes(), b"lamp");
    for at in 0..certificate.len() {
        let mut forged = certificate.clone();
        forged[at] ^= 1;
        assert_eq!(centre.check(&forged), None);
    }
    let mut out = [0; PUBLISHED_MAX];
    let len = chip.sign(TIME, &mut rng, b"42 degrees", &mut out).unwrap();
    assert!(centre.verify(&out[..len], b"42 degrees").is_some());
    assert!(centre.verify(&out[..len], b"43 degrees").is_none());
    assert_eq!(chip.authenticate(TIME + 6 * 365 * 86_400, &mut rng, &mut out), Ok(0));
}

/// Keys become known: from a captured device's memory, a centre's log, a side channel. How many does it take?
#[test]
fn the_days_matrix_from_known_keys_succeeds_on_published() {
    let mut counts = Vec::new();
    for seed in 0..200 {
        let (chip, centre, secret, mut rng) = city(seed);
        let mut matrix = Matrix::default();
        let mut keys = 0;
        while matrix.size() < 256 {
            // One more key of the day is known, and what went over the air with it.
            let certificate = authenticate(&chip, TIME + keys, &mut rng);
            let read = PublishedCertificate::read(message::AUTH, &certificate).unwrap();
            let key = PublishedKey::csk(&secret.select(&Date::of(TIME)).unwrap(), &read.random);
            matrix.learn(key.0.expose(), &read.random);
            keys += 1;
        }
        assert_eq!(matrix.contradictions, 0);
        counts.push(keys);

        // From here on, nobody needs the device.
        let id = Id::new(b"lamp").unwrap();
        for n in 0..20u32 {
            let (mut random, time) = ([0; 8], TIME + 40_000 + n);
            rng.fill(&mut random).unwrap();
            let key = PublishedKey(Secret::new(matrix.key(&random).unwrap()));
            let mut code: [u8; 16] =
                kdf::hash(&[id.as_bytes(), &time.to_be_bytes(), &random])[..16].try_into().unwrap();
            key.encrypt(&mut code);
            let forged = [&[0xf5, 0x10, 4][..], b"lamp", &time.to_be_bytes(), &random, &code].concat();
            assert_eq!(centre.check(&forged), Some(id), "Mallory is the lamp, all day");
            let mut code = kdf::hash(&[b"all is well"]);
            key.encrypt(&mut code);
            let forged = [&[0xf5, 0x80, 4][..], b"lamp", &time.to_be_bytes(), &random, &code].concat();
            assert_eq!(centre.verify(&forged, b"all is well"), Some(id), "and signs for it");
        }
    }
    counts.sort_unstable();
    let (least, median, most) = (counts[0], counts[counts.len() / 2], counts[counts.len() - 1]);
    println!("the day's matrix, all 256 elements: {median} known keys ({least} to {most} in {} runs)", counts.len());
    assert!((60..140).contains(&median), "about a hundred");
}

#[test]
fn a_replay_succeeds_on_published() {
    let (chip, centre, _, mut rng) = city(3);
    let certificate = authenticate(&chip, TIME, &mut rng);
    for _ in 0..100 {
        assert!(centre.check(&certificate).is_some(), "as often as it is sent, and whenever");
    }
}
