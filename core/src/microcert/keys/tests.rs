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
    assert_eq!(hex(th_0(&terms()).as_bytes()), "001cbda8d744ac449e4760cf82bc5429ded5115eb2f0cf3e6eb5b56d83a53319");
    let probe = Transcript::from([0x11; 32]);
    let auth = once_key(&prk(&[]), Use::Auth, &probe);
    assert_eq!(hex(auth.expose()), "dd16f8fd9edb7764ef2310b9e681e5af6431f0cdacc24e3e8974d20213e2f26c");
    let challenged = once_key(&prk(&[0xc0; 8]), Use::Auth, &probe);
    assert_eq!(hex(challenged.expose()), "946f3d066d69a92f3e5016b29f167ad1838275daa587f2b16529b9388706c19c");
}

#[test]
fn messages_as_the_page_has_them() {
    let (auth, _, th_a) = auth();
    assert_eq!(hex(&auth), "15136c616d70036997b3a0a0a1a2a3a4a5a6a7010203044dd983389b1a2bb224be2d");
    assert_eq!(hex(th_a.as_bytes()), "d03b90bdcc699b481bfb1ca0b53c11be6ec95039c9a7ee1e2c3f837ffa47c83d");
    let (answer, th_3) = reply(message::ANSWER, Use::Answer, |w, th_2| {
        Answer::write_head(w, Some(&ConnectionId::NONE), Some(TIME + 100), true);
        let start = w.len();
        Order::Ask { attempt: 7, n_c: [0x0c; NEW_LEN] }.write(w);
        let tag = order_tag(&prk(&[]), "order", th_2, &[&w.written()[start..]]);
        assert_eq!(hex(&tag), "2917de4c3cc796071ec0cd6e0a5b9128");
        w.put(&tag);
    });
    assert_eq!(
        hex(&answer),
        "1524b0b1b2b3b4b5b6b7702f7864dec8a8c47d07efbd26573f3e5ca4550e45e385ec9111d99b9d527ffc4a1ec315dfabe84ec77409def5cfacf9"
    );
    assert_eq!(hex(th_3.as_bytes()), "70bd4b4848940cdc2f3370813192757f05716b577e53e1c9675dfa82391f4626");
    let opening = Opening { time: TIME + 7, counter: STAMP.counter + 40, challenge: [0xc0; CHALLENGE_LEN] };
    let (challenge, _) = reply(message::CHALLENGE, Use::Challenge, |w, _| opening.write(w));
    assert_eq!(hex(&challenge), "1534b0b1b2b3b4b5b6b7c09ff83c906f33df8bb12694f9f8ac0316063e438961482a");
    let (signature, ..) = certificate(message::SIGNATURE, &kdf::hash(&[b"42 degrees"]));
    assert_eq!(
        hex(&signature),
        "15836c616d70036997b3a0a0a1a2a3a4a5a6a701020304a0b5563052dc97a1e738a3c61429e14c4c6c5db21b1d08bd6ce2b5e8837d0f3493f728410c562645"
    );
    assert_eq!(signature.len(), wire::signature_len(&terms().device, &SUITE_0_SYMMETRIC));
}

#[test]
fn replacement_as_the_page_has_it() {
    let (_, th_1, th_a) = auth();
    let n_d = Secret::new([0x0d; NEW_LEN]);
    let tag = order_tag(&prk(&[]), "new", &th_1, &[&7u16.to_be_bytes(), n_d.expose()]);
    assert_eq!(hex(&tag), "b13d936639ffbd7c2a7d559acaed476f");
    let root = next_root(&prk(&[]), &th_1, 7, &[0x0c; NEW_LEN], &n_d);
    assert_eq!(hex(root.expose()), "843d661e9b3ee084c575e32594e04a095945de28e339615a886f2ea3a79e5e2c");
    let next = Seed::of_root(&root, 2026);
    assert_eq!(hex(&next.rows()[..16]), "936fe6b3e7c0519e921c69504b05d4dc");
    assert_eq!(hex(&next.rows()[960..]), "5e7297dc7f2d5e1e4bab7d380244d573");
    assert_eq!(hex(&kdf::hash(&[next.rows()])), "87c595fafa448faea0b03c9353647d1a234c5dfe0c9231a22658bce3ff57ee0a");
    let date = Date::of(TIME);
    assert_eq!(next.select(&date), crate::microcert::seed::select_of_root(&root, 2026, &date));
    let gone = gone_key(&seed());
    assert_eq!(hex(gone.expose()), "42193ad50a1371945bcc6cb086181986b50347aadbae40cf931d7064c81cdda9");
    assert_eq!(hex(&gone_tag(&gone, &th_a, 4)), "3aba26221b8c0e258668ebf4ecaa954e");
    assert_eq!(hex(&dead_tag(&gone, &th_0(&terms()))), "a0e618f48690d4157e8678db59500fd7");
    assert_eq!(hex(&confirmation_tag(&gone, &th_0(&terms()), TIME)), "3e4893e84b335cb2c0fa104149ebf52d");
    let revoked = Terms { flags: REVOKED, ..terms() };
    assert_eq!(hex(&bind(&revoked, 2025, Sealed::Rows)), "1aa6fdbe3e7b8cd2ea925c6d25086205");
    assert_eq!(hex(&bind(&revoked, 2025, Sealed::Spare)), "84b6e28d09bb31f4261396c0234d7353");
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
    assert_eq!(hex(&stored[..16]), "27a332e38e28012fcd600cc12f7e6c91");
    assert_eq!(hex(&kdf::hash(&[&stored])), "dfa5c43cd983f524b30e23d0de8b53a9a10d58cbb0c22321340dbf36266e6094");
    for time in [TIME, TIME + 86_400 * 400, 1_735_689_600, 1_893_455_999] {
        let date = Date::of(time);
        assert_eq!(keys.rows(&bind, &stored, &date, 2025).unwrap(), seed().select(&date).unwrap());
    }
    let mut opened = stored;
    keys.open(&bind, &mut opened).unwrap();
    assert_eq!(opened[..SEED_LEN], seed().rows()[..]);
}
