use super::*;
use crate::association::UnixTime;
use crate::cose::{IssueError, Refused};
use crate::crypto::group::Scalar;
use crate::noninteractive::credential::{Credential, HOUR, credential_max};
use crate::noninteractive::issue::{accept, check, request};
use std::vec;
use std::vec::Vec;

const NOW: u32 = 1_800_000_000;

fn at(seconds: u64) -> Option<UnixTime> {
    Some(UnixTime(seconds * 1000))
}

/// REQUEST, k1, ANSWER.
fn split<const SHARE: usize>(
    setting: &'static Setting,
    key: &OperatorKey<SHARE>,
    subject: &str,
    rng: &mut Seeded,
) -> (Scalar, Vec<u8>) {
    let (mut asked, mut answer) = (vec![0; 500], vec![0; 500]);
    let (len, k1) = request(setting, subject, rng, &mut asked).unwrap();
    let mut agent = agent("acme");
    let len = key.issue(&mut agent, rng, NOW, 24, &asked[..len], &mut answer).unwrap();
    answer.truncate(len);
    (k1, answer)
}

fn issued_and_taken<const SHARE: usize>(setting: &'static Setting) {
    let rng = &mut Seeded(1);
    let key = OperatorKey::<SHARE>::generate(setting, rng).unwrap();
    let operator = operator(setting, &key);
    for subject in ["lamp", "lamp-001", "a name of exactly 32 characters."] {
        let (k1, answer) = split(setting, &key, subject, rng);
        let (credential, x) = accept(&operator, subject, &k1, &answer, at(NOW.into()), 0).unwrap();
        assert_eq!((credential.len(), credential.subject), (11 + subject.len() + SHARE, subject));
        assert_eq!((credential.serial, credential.expires()), (1, u64::from(NOW) + 24 * HOUR));
        assert!(credential.len() <= credential_max(SHARE));
        // The operator's part alone is not the key.
        let s: Scalar = Secret::new(answer[answer.len() - 32..].try_into().unwrap());
        assert!(check(&operator, subject, &credential, &s, None, 0).is_err());
        // Stored and read again.
        let bytes = &answer[..answer.len() - 32];
        assert_eq!(Credential::read(bytes, setting).unwrap(), credential);
        assert_eq!(check(&operator, subject, &credential, &x, None, 0), Ok(()));
        // Every bit of it is part of the key.
        for at in 0..bytes.len() {
            let mut forged = bytes.to_vec();
            forged[at] ^= 1;
            let Ok(forged) = Credential::read(&forged, setting) else { continue };
            assert!(check(&operator, subject, &forged, &x, None, 0).is_err(), "byte {at}");
        }
        for len in 0..answer.len() {
            assert!(accept(&operator, subject, &k1, &answer[..len], None, 0).is_err());
        }
    }
}

#[test]
fn split_issue() {
    issued_and_taken::<32>(&SETTING_0);
    issued_and_taken::<32>(&SETTING_2);
}

#[test]
fn split_issue_ffc() {
    let rng = &mut Seeded(1);
    let key = OperatorKey::<256>::generate(&SETTING_FFC2048, rng).unwrap();
    let (k1, answer) = split(&SETTING_FFC2048, &key, "lamp", rng);
    assert!(accept(&operator(&SETTING_FFC2048, &key), "lamp", &k1, &answer, at(NOW.into()), 0).is_ok());
}

#[test]
fn printed_issue() {
    for setting in [&SETTING_0, &SETTING_2] {
        let rng = &mut Seeded(3);
        let key = OperatorKey::<32>::generate(setting, rng).unwrap();
        let mut out = [0; 100];
        let (len, x) = key.issue_printed(&mut agent("acme"), rng, NOW, 1, "lamp", &mut out).unwrap();
        let credential = Credential::read(&out[..len], setting).unwrap();
        assert_eq!(check(&operator(setting, &key), "lamp", &credential, &x, at(NOW.into()), 0), Ok(()));
    }
}

#[test]
fn nobody_elses() {
    for setting in [&SETTING_0, &SETTING_2] {
        let rng = &mut Seeded(4);
        let key = OperatorKey::<32>::generate(setting, rng).unwrap();
        let other = OperatorKey::<32>::generate(setting, rng).unwrap();
        let ours = operator(setting, &key);
        let (k1, answer) = split(setting, &key, "lamp", rng);
        // Of another operator's key, or of another's name.
        let taken = |operator: &Operator<'_>, subject: &str, answer: &[u8]| {
            accept(operator, subject, &k1, answer, at(NOW.into()), 0).map(|_| ())
        };
        assert_eq!(taken(&ours, "lamp", &answer), Ok(()));
        assert!(taken(&operator(setting, &other), "lamp", &answer).is_err(), "r of another operator");
        assert!(taken(&Operator { name: "acm", ..ours }, "lamp", &answer).is_err());
        // Swapped ids: as it is, and renamed.
        assert_eq!(taken(&ours, "door", &answer), Err(Refused::Subject));
        let at = answer.windows(4).position(|w| w == b"lamp").unwrap();
        let mut renamed = answer.clone();
        renamed[at..at + 4].copy_from_slice(b"door");
        assert!(taken(&ours, "door", &renamed).is_err());
        // For another request.
        let (k2, _) = split(setting, &key, "lamp", rng);
        assert!(accept(&ours, "lamp", &k2, &answer, None, 0).is_err());
    }
}

#[test]
fn times_and_fields() {
    let rng = &mut Seeded(5);
    let key = OperatorKey::<32>::generate(&SETTING_2, rng).unwrap();
    let operator = operator(&SETTING_2, &key);
    let (k1, answer) = split(&SETTING_2, &key, "lamp", rng);
    let taken = |wall, floor| accept(&operator, "lamp", &k1, &answer, wall, floor).map(|_| ());
    let now = u64::from(NOW);
    assert_eq!(taken(at(now + 24 * HOUR - 1), 0), Ok(()));
    assert_eq!(taken(at(now + 24 * HOUR), 0), Err(Refused::Expired));
    assert_eq!(taken(None, now + 24 * HOUR), Err(Refused::Expired));
    assert_eq!(taken(at(now - 301), 0), Err(Refused::NotYetValid));
    let mut agent = agent("acme");
    let issue = |agent: &mut TicketAgent, life, request: &[u8]| {
        key.issue(agent, &mut Seeded(6), NOW, life, request, &mut [0; 100]).map(|_| ())
    };
    let mut asked = [0; 37];
    request(&SETTING_2, "lamp", rng, &mut asked).unwrap();
    assert_eq!(issue(&mut agent, 0, &asked), Err(IssueError::Refused(Refused::Claims)));
    assert_eq!(issue(&mut agent, 1, &asked[..36]), Err(IssueError::Refused(Refused::Claims)));
    // No point of the curve has this x.
    let mut outside = asked;
    outside[5..].fill(0xff);
    assert_eq!(issue(&mut agent, 1, &outside), Err(IssueError::Refused(Refused::Key)));
    // What was refused took no number; nothing is issued that is not reserved in storage.
    for serial in 1..=256 {
        assert_eq!(agent.number(Ok), Ok(serial));
    }
    assert_eq!(issue(&mut agent, 1, &asked), Err(IssueError::Unstored));
}

/// An r outside of the subgroup, of small order, or no element.
#[test]
fn r_outside_the_group() {
    let rng = &mut Seeded(8);
    let key = OperatorKey::<256>::generate(&SETTING_FFC2048, rng).unwrap();
    let y = |r: &[u8]| {
        let credential = Credential { serial: 1, issued_at: NOW, life: 1, subject: "lamp", r };
        operator(&SETTING_FFC2048, &key).public_key(&credential, &mut [0; 256])
    };
    let (mut one, mut two) = ([0; 256], [0; 256]);
    (one[255], two[255]) = (1, 2);
    for r in [[0; 256], one, two, [0xff; 256]] {
        assert_eq!(y(&r), Err(Refused::Key));
    }
    assert_eq!(y(key.share()), Ok(()));
    // P-256 has a point whose x is 0.
    for (setting, refused) in [(&SETTING_0, &[[0; 32], [0xff; 32]][..]), (&SETTING_2, &[[0xff; 32]])] {
        let key = OperatorKey::<32>::generate(setting, rng).unwrap();
        for &r in refused {
            let credential = Credential { serial: 1, issued_at: NOW, life: 1, subject: "lamp", r: &r };
            assert_eq!(operator(setting, &key).public_key(&credential, &mut [0; 65]), Err(Refused::Key));
        }
    }
}
