//! Every equation of the page, against values computed from the page alone (Python's hashlib and cryptography).

use super::*;
use crate::association::Slot;
use crate::crypto::SUITE_0_SYMMETRIC;
use crate::engine::once::seal_once;
use crate::engine::session::ConnectionId;
use crate::engine::wire::{Writer, header};
use crate::microcert::chip::{Chip, Slots};
use crate::microcert::csk::Date;
use crate::microcert::enrolment::Invitation;
use crate::microcert::keystore::{KeyStore, STORED_LEN, SoftKeys, TRANSPORTED_LEN};
use crate::microcert::wire::{self, Answer, Critical, NUMBER, Opening, Order, message};
use std::format;
use std::string::String;
use std::vec::Vec;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const TIME: u32 = 1_771_549_600; // 2026-02-20 01:06:40
const STAMP: Stamp =
    Stamp { time: TIME, random: [0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7], counter: 0x0102_0304 };
const RANDOM_C: [u8; RANDOM_LEN] = [0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7];

fn seed() -> Seed {
    Seed::new(Secret::new(core::array::from_fn(|i| (i * 7 + 3) as u8)), 2025)
}

fn terms() -> Terms {
    let id = |name: &[u8]| Id::new(name).unwrap();
    Terms { suite: 0, flags: 0, generation: 3, device: id(b"lamp"), centre: id(b"city centre") }
}

fn prk(challenge: &[u8]) -> Prk {
    csk(&seed().select(&Date::of(TIME)).unwrap(), &STAMP, challenge)
}

/// A micro-certificate, th_1 and th_a.
fn certificate(number: u8, text: &[u8]) -> (Vec<u8>, Transcript, Transcript) {
    let mut out = [0; wire::AUTH_MAX];
    let mut w = Writer::new(&mut out);
    wire::write_clear(&mut w, number, &terms().device, 3, &STAMP);
    let th_1 = th_0(&terms()).then(&[w.written()]);
    let purpose = if number == message::SIGNATURE { Use::Sign } else { Use::Auth };
    let key = once_key(&prk(&[]), purpose, &th_1);
    let th_a = th_1.then(&[seal_once(&SUITE_0_SYMMETRIC, &key, &mut w, |w| {
        w.put(text);
    })]);
    (w.written().to_vec(), th_1, th_a)
}

fn auth() -> (Vec<u8>, Transcript, Transcript) {
    let critical = Critical { session: ConnectionId::new(&[0x55, 0x66]), ..Critical::default() };
    let mut text = [0; 3];
    critical.write(&mut Writer::new(&mut text));
    assert_eq!(Critical::read(&text), Ok(critical));
    certificate(message::AUTH, &text)
}

fn reply(number: u8, purpose: Use, write: impl FnOnce(&mut Writer<'_>, &Transcript)) -> (Vec<u8>, Transcript) {
    let mut out = [0; wire::REPLY_MAX];
    let mut w = Writer::new(&mut out);
    w.put(&header(NUMBER, number, STAMP.counter)).put(&RANDOM_C);
    let th = auth().2.then(&[w.written()]);
    let key = once_key(&prk(&[]), purpose, &th);
    let th_3 = th.then(&[seal_once(&SUITE_0_SYMMETRIC, &key, &mut w, |w| write(w, &th))]);
    (w.written().to_vec(), th_3)
}

#[test]
fn csk_as_the_page_has_it() {
    assert_eq!(hex(th_0(&terms()).as_bytes()), "d59c9e268fc342bbbf58c6b214d0c3e9977a0034230efc4eb81877ca9e7c2fea");
    let probe = Transcript::from([0x11; 32]);
    let auth = once_key(&prk(&[]), Use::Auth, &probe);
    assert_eq!(hex(auth.expose()), "0ff681de68db3dff1b792a7fe9f404a11ef1f70725b77e6dac196ba2cc962443");
    let challenged = once_key(&prk(&[0xc0; 8]), Use::Auth, &probe);
    assert_eq!(hex(challenged.expose()), "ab0b41ef49e1e775fe27402ff8c6ea21a96c3af4c0f221bf1bc42aac955ca7f0");
}

#[test]
fn messages_as_the_page_has_them() {
    let (auth, _, th_a) = auth();
    assert_eq!(hex(&auth), "15136c616d70036997b3a0a0a1a2a3a4a5a6a701020304cc608fad9c2b36570e747c");
    assert_eq!(hex(th_a.as_bytes()), "e8f7e3de6bbf7818f9f555c5c726e231d226cac6e08e4fb3388cc363f54c602a");
    let (answer, th_3) = reply(message::ANSWER, Use::Answer, |w, th_2| {
        Answer::write_head(w, Some(&ConnectionId::NONE), Some(TIME + 100), true);
        let start = w.len();
        Order::Ask { attempt: 7, n_c: [0x0c; NEW_LEN] }.write(w);
        let tag = order_tag(&prk(&[]), "order", th_2, &[&w.written()[start..]]);
        assert_eq!(hex(&tag), "0318ea5f10f7f15979701bf7bf650c6c");
        w.put(&tag);
    });
    assert_eq!(
        hex(&answer),
        "1524b0b1b2b3b4b5b6b755de20152d580bb93dfd077c6607be63db2c8c1ad0f67fec8a2200bd18cdfafb548b53e24dcef6ed35291c68eeb511e3"
    );
    assert_eq!(hex(th_3.as_bytes()), "b3303f2ac97721ccbad05a98a6c9f2cc7d992e302985a02b32a212bb07759720");
    let opening = Opening { time: TIME + 7, counter: STAMP.counter + 40, challenge: [0xc0; CHALLENGE_LEN] };
    let (challenge, _) = reply(message::CHALLENGE, Use::Challenge, |w, _| opening.write(w));
    assert_eq!(hex(&challenge), "1534b0b1b2b3b4b5b6b7c565e164315bb3adb691f9cbfe487c8f265c466efd4e1a2f");
    let (signature, ..) = certificate(message::SIGNATURE, &kdf::hash(&[b"42 degrees"]));
    assert_eq!(
        hex(&signature),
        "15836c616d70036997b3a0a0a1a2a3a4a5a6a7010203047dafbceddc700dfe51f35bca0412cf044cd009b6dffb4c0ff8e01189502b41cc6997ae24218c2ec3"
    );
    assert_eq!(signature.len(), wire::signature_len(&terms().device, &SUITE_0_SYMMETRIC));
}

#[test]
fn replacement_as_the_page_has_it() {
    let (_, th_1, th_a) = auth();
    let n_d = Secret::new([0x0d; NEW_LEN]);
    let tag = order_tag(&prk(&[]), "new", &th_1, &[&7u16.to_be_bytes(), n_d.expose()]);
    assert_eq!(hex(&tag), "64bdfb1482ebda41f0a30b956b8fae78");
    let root = next_root(&prk(&[]), &th_1, 7, &[0x0c; NEW_LEN], &n_d);
    assert_eq!(hex(root.expose()), "8baea27e55071bb61cf1e0a31fe906e26acad940405d47f27da7808983d7b563");
    let next = Seed::of_root(&root, 2026);
    assert_eq!(hex(&next.rows()[..16]), "830ff6acdacf7be2809b65d980a29968");
    assert_eq!(hex(&next.rows()[960..]), "0e4d9f6d15b9dc10989dc581dbec747f");
    assert_eq!(hex(&kdf::hash(&[next.rows()])), "1c3bdd5b3f85b6ed14b37e1ead7fd0bd466b2dde9c49ab813ff2a18f45aff2b3");
    let date = Date::of(TIME);
    assert_eq!(next.select(&date), crate::microcert::seed::select_of_root(&root, 2026, &date));
    let gone = gone_key(&seed());
    assert_eq!(hex(gone.expose()), "fce215da3572a84e39d27f7baa72684c80e3a6611c7b9ac54048dad64ce80e29");
    assert_eq!(hex(&gone_tag(&gone, &th_a, 4)), "871fe6486936a15cf8e370624c23df1b");
    assert_eq!(hex(&dead_tag(&gone, &th_0(&terms()))), "e7493cf8ffc071d47ab439e019385629");
    assert_eq!(hex(&confirmation_tag(&gone, &th_0(&terms()), TIME)), "c7895e88c9746c6191437f6f67f74e1e");
    let revoked = Terms { flags: REVOKED, ..terms() };
    assert_eq!(hex(&bind(&revoked, 2025, Sealed::Rows)), "b629e3436e524f003bdacbc232283365");
    assert_eq!(hex(&bind(&revoked, 2025, Sealed::Spare)), "7fbf582a4ac201c2ae6d9313b8ce780e");
}

#[test]
fn transport_and_storage_as_the_page_has_them() {
    let mut keys = SoftKeys::new(&Secret::new(core::array::from_fn(|i| i as u8)));
    let key = keys.transport_key(&terms().device).unwrap();
    assert_eq!(hex(key.expose()), "411a21a87620373f706d722271f395c1");
    let invitation =
        Invitation { suite: 0, flags: 0, base: 2025, time: TIME, device: terms().device, centre: terms().centre, key };
    let chip = Chip::with(Slots { seed: Slot(1), state: Slot(2) }, &invitation, seed());
    let mut deposit = [0; Chip::DEPOSIT_MAX];
    let len = chip.deposit(&mut deposit).unwrap();
    let transported: &[u8; TRANSPORTED_LEN] = deposit[..len].last_chunk().unwrap();
    assert_eq!(hex(&deposit[..22]), "01000007e9046c616d700b636974792063656e747265");
    assert_eq!(hex(&kdf::hash(&[transported])), "f348ddf1ba695cc2af372449438d8aaffbf97e7875f95edad50cd6ec7351b77e");
    let bind = bind(&terms(), 2025, Sealed::Rows);
    let mut stored = [0; STORED_LEN];
    keys.transcrypt(&terms().device, &bind, transported, &mut stored).unwrap();
    assert_eq!(hex(&stored[..16]), "ff5de092642fc0ce11169cf2459d34b9");
    assert_eq!(hex(&kdf::hash(&[&stored])), "24ed799744fdfe98c8919c3dc20a229d227043c39a7eb8558ed60a824989aee0");
    for time in [TIME, TIME + 86_400 * 400, 1_735_689_600, 1_893_455_999] {
        let date = Date::of(time);
        assert_eq!(keys.rows(&bind, &stored, &date, 2025).unwrap(), seed().select(&date).unwrap());
    }
    let mut opened = stored;
    keys.open(&bind, &mut opened).unwrap();
    assert_eq!(opened[..SEED_LEN], seed().rows()[..]);
}
