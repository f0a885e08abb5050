//! Tickets: the encodings that are refused, the objects, the agent, the operator and the device.

use crate::hex;
use iotkm::association::UnixTime;
use iotkm::cose::cbor::{CborError, Reader, Writer};
use iotkm::cose::message::{Acknowledged, Request};
use iotkm::cose::operator::{Entry, Next};
use iotkm::cose::revocation::{LIST_MAX, LIST_OVERHEAD};
use iotkm::cose::ticket::{LEEWAY, TICKET_MAX, TICKET_MAX_FFC};
use iotkm::cose::wallet::NotTaken;
use iotkm::cose::{
    Agent, Claims, DeviceKey, IssueError, KeyGroup, Message, Operator, Refused, RevocationList, Ticket, TicketAgent,
    Wallet,
};
use iotkm::crypto::Secret;
use iotkm::crypto::sign::{Ed25519Key, Es256Key, Signer};
use iotkm::{Device, Error};
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000;
const YEAR: u64 = 365 * 86_400;
type Pocket<'n> = Wallet<'n, TICKET_MAX, { LIST_OVERHEAD + 16 }>;

fn ed25519() -> Ed25519Key {
    Ed25519Key::new(Secret::new([7; 32]))
}

fn agent(signer: &dyn Signer) -> Agent<'static> {
    Agent { name: "acme", key: signer.public_key().unwrap() }
}

fn claims(group: KeyGroup, bytes: &[u8]) -> Claims<'_> {
    let key = DeviceKey::new(group, bytes).unwrap();
    let (issuer, subject, scope) = ("acme", "lamp-7", "");
    Claims { issuer, subject, expires: NOW + YEAR, not_before: None, issued_at: NOW, serial: 1, key, scope }
}

fn issue(signer: &dyn Signer, claims: &Claims<'_>) -> Vec<u8> {
    let mut out = [0; TICKET_MAX_FFC];
    let len = Ticket::issue(signer, claims, &mut out).unwrap();
    out[..len].to_vec()
}

fn list(signer: &dyn Signer, number: u32, serials: &[u32]) -> Vec<u8> {
    let mut out = vec![0; LIST_OVERHEAD + serials.len() * 4];
    let len = RevocationList::issue(signer, "acme", NOW, number, serials, &mut out).unwrap();
    out[..len].to_vec()
}

/// A signed object around any payload, with any protected header.
fn signed(signer: &dyn Signer, protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let item = |bytes: &[u8]| {
        let mut out = vec![0; bytes.len() + 9];
        let mut w = Writer::new(&mut out);
        let len = w.bytes(bytes).finish().unwrap();
        out.truncate(len);
        out
    };
    let (protected, payload) = (item(protected), item(payload));
    let mut signature = [0; 64];
    signer.sign(&[b"\x84\x6aSignature1", &protected, b"\x40", &payload], &mut signature).unwrap();
    [&[0xd2, 0x84][..], &protected, &[0xa0], &payload, &item(&signature)].concat()
}

/// RFC 8949, appendix A: what is deterministic there is read, what is not is refused.
#[test]
fn appendix_a() {
    let whole = |digits: &str| {
        let bytes = hex(digits);
        let mut r = Reader::new(&bytes);
        r.skip();
        r.end()
    };
    for digits in [
        "00",
        "01",
        "0a",
        "17",
        "1818",
        "1819",
        "1864",
        "1903e8",
        "1a000f4240",
        "1b000000e8d4a51000",
        "1bffffffffffffffff",
        "c249010000000000000000",
        "3bffffffffffffffff",
        "20",
        "29",
        "3863",
        "3903e7",
        "f4",
        "f5",
        "f6",
        "f7",
        "c074323031332d30332d32315432303a30343a30305a",
        "c11a514b67b0",
        "d74401020304",
        "d818456449455446",
        "40",
        "4401020304",
        "60",
        "6161",
        "6449455446",
        "62225c",
        "62c3bc",
        "63e6b0b4",
        "64f0908591",
        "80",
        "83010203",
        "8301820203820405",
        "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
        "a0",
        "a201020304",
        "a26161016162820203",
        "826161a161626163",
        "a56161614161626142616361436164614461656145",
    ] {
        assert_eq!(whole(digits), Ok(()), "{digits}");
    }
    for digits in [
        // Indefinite lengths.
        "5f42010243030405ff",
        "7f657374726561646d696e67ff",
        "9fff",
        "9f018202039f0405ffff",
        "83018202039f0405ff",
        "bf61610161629f0203ffff",
        "826161bf61626163ff",
        // Longer than need be.
        "1800",
        "1817",
        "190000",
        "1900ff",
        "1a0000ffff",
        "1b00000000ffffffff",
        "3817",
        "5801ff",
        "7800",
        "9800",
        "b800",
        "d801f6",
    ] {
        assert_eq!(whole(digits), Err(CborError::NotCanonical), "{digits}");
    }
    for digits in [
        // Floats, simple values that nobody assigned, reserved arguments, text that is none.
        "f90000",
        "fa47c35000",
        "fb3ff199999999999a",
        "f97e00",
        "f0",
        "f8ff",
        "f818",
        "1c",
        "5d",
        "fc",
        "61ff",
        "62c328",
    ] {
        assert_eq!(whole(digits), Err(CborError::Unexpected), "{digits}");
    }
    for digits in ["", "18", "19ff", "1a000000", "42ff", "6261", "82", "8201", "a1", "a101", "c1", "9bffffffffffffffff"]
    {
        assert_eq!(whole(digits), Err(CborError::Truncated), "{digits}");
    }
    for digits in ["a201000100", "a202000100", "a2200000 00", "a2616100616100", "a1a20100010000"] {
        assert_eq!(whole(digits), Err(CborError::KeyOrder), "{digits}");
    }
    assert_eq!(whole("0000"), Err(CborError::Trailing));
    assert_eq!(whole(&"81".repeat(9)), Err(CborError::TooDeep));
    assert_eq!(whole(&"c1".repeat(1000)), Err(CborError::TooDeep));
}

/// The example of spec.md, byte for byte.
#[test]
fn example_of_the_page() {
    let ticket = issue(&ed25519(), &claims(KeyGroup::X25519, &[9; 32]));
    let page: String = include_str!("../../src/cose/spec.md")
        .split("```hex\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap()
        .lines()
        .map(|line| line.split(" # ").next().unwrap())
        .collect();
    assert_eq!(ticket, hex(&page), "{}", ticket.iter().map(|b| format!("{b:02x}")).collect::<String>());
    assert_eq!(ticket.len(), 153);
    let point = issue(&Es256Key::new(Secret::new([7; 32])), &claims(KeyGroup::P256, &[9; 32]));
    assert_eq!(point.len(), 155);
}

#[test]
fn longest() {
    let name = "x".repeat(32);
    let mut long = Claims { issuer: &name, subject: &name, scope: &name, ..claims(KeyGroup::P256, &[1; 32]) };
    (long.not_before, long.issued_at, long.expires) = (Some(u64::MAX - 2), u64::MAX - 2, u64::MAX);
    assert!(issue(&ed25519(), &long).len() <= TICKET_MAX);
    let bytes = [1; 384];
    long.key = DeviceKey::new(KeyGroup::Ffc3072, &bytes).unwrap();
    let ticket = issue(&ed25519(), &long);
    assert!(ticket.len() > TICKET_MAX && Ticket::peek(&ticket).is_ok());
    let mut short = [0; 100];
    let needed = ticket.len();
    assert_eq!(Ticket::issue(&ed25519(), &long, &mut short), Err(IssueError::BufferTooSmall { needed }));
    let most: Vec<u32> = (0..LIST_MAX as u32).collect();
    assert!(RevocationList::peek(&list(&ed25519(), u32::MAX, &most)).is_ok());
    let padded = [&ticket[..], &[0; 200]].concat();
    assert_eq!(Ticket::peek(&padded), Err(Refused::Encoding(CborError::TooLong)));
}

#[test]
fn refused_tickets() {
    let signer = ed25519();
    let ticket = issue(&signer, &claims(KeyGroup::X25519, &[9; 32]));
    let read = |bytes: &[u8]| Ticket::verify(bytes, &agent(&signer)).map(|_| ());
    assert_eq!(read(&ticket), Ok(()));
    // 2 bytes of head, 6 of protected header, 1 of the empty map, 2 of the payload's length, 66 of signature.
    let payload = &ticket[11..ticket.len() - 66];
    let header = hex("a201270440");
    assert_eq!(signed(&signer, &header, payload), ticket);
    for len in 0..ticket.len() {
        assert_eq!(read(&ticket[..len]), Err(Refused::Encoding(CborError::Truncated)), "{len}");
    }
    assert_eq!(read(&[&ticket[..], &[0]].concat()), Err(Refused::Encoding(CborError::Trailing)));
    // Headers. One that is known to nobody here may be signed; a critical one may not, nor any outside the signature.
    for header in ["a10127", "a201270441aa"] {
        assert_eq!(read(&signed(&signer, &hex(header), payload)), Ok(()));
    }
    for (header, why) in [
        ("a2012702811861", Refused::Header),
        ("a0", Refused::Algorithm),
        ("", Refused::Encoding(CborError::Truncated)),
        ("a10126", Refused::Algorithm),
        ("a101382e", Refused::Algorithm),
        ("a1013807", Refused::Encoding(CborError::NotCanonical)),
        ("a201270127", Refused::Encoding(CborError::KeyOrder)),
        ("a1012700", Refused::Encoding(CborError::Trailing)),
        ("a1016545643235", Refused::Encoding(CborError::Unexpected)),
    ] {
        assert_eq!(read(&signed(&signer, &hex(header), payload)), Err(why), "{header}");
    }
    let mut outside = ticket.clone();
    outside.splice(8..9, hex("a10441aa"));
    assert_eq!(read(&outside), Err(Refused::Header));
    assert_eq!(read(&ticket[1..]), Err(Refused::Encoding(CborError::Unexpected)), "the tag is part of it");
    // The payload: claims replaced, dropped, doubled, out of order.
    let with = |from: &str, to: &str| {
        let (from, to) = (hex(from), hex(to));
        let at = payload.windows(from.len()).position(|w| w == from).unwrap();
        let changed = [&payload[..at], &to, &payload[at + from.len()..]].concat();
        read(&signed(&signer, &header, &changed))
    };
    let key = format!("08a101a301012004215820{}", "09".repeat(32));
    for (from, to, why) in [
        ("a6", "a7", Refused::Encoding(CborError::Truncated)),
        ("a6", "a5", Refused::Encoding(CborError::Trailing)),
        ("a6", "bf", Refused::Encoding(CborError::NotCanonical)),
        ("016461636d65", "016461636d66", Refused::Agent),
        ("016461636d65", "0160", Refused::Claims),
        ("016461636d65", "016461630a65", Refused::Claims),
        ("016461636d65", "0178046163 6d65", Refused::Encoding(CborError::NotCanonical)),
        ("016461636d65", "0144 61636d65", Refused::Encoding(CborError::Unexpected)),
        ("02666c", "01666c", Refused::Encoding(CborError::KeyOrder)),
        ("02666c", "03666c", Refused::Claims),
        ("041a6d2b", "041a5d2b", Refused::Claims),
        ("0744 00000001", "074100", Refused::Encoding(CborError::Unexpected)),
        ("0744 00000001", "1801", Refused::Encoding(CborError::NotCanonical)),
        (&key, "08a10341aa", Refused::Key),
        (&key, &key.replace("a301", "a401"), Refused::Key),
        (&key, &key.replace("2004", "2005"), Refused::Key),
        (&key, &key.replace("0101", "0102"), Refused::Key),
        (&key, &key.replace("5820", "581f"), Refused::Key),
        (&key, &format!("{}2341aa", key.replace("a301", "a401")), Refused::Key),
    ] {
        let got = with(from, to);
        // Where the length no longer fits, what follows cannot be read either.
        assert!(got == Err(why) || (why == Refused::Key && matches!(got, Err(Refused::Encoding(_)))), "{to}: {got:?}");
    }
    // A claim of a later version is passed over.
    let last = payload.len();
    let more = [&hex("a7")[..], &payload[1..last], &hex("1864a10102")].concat();
    assert_eq!(read(&signed(&signer, &header, &more)), Ok(()));
    // Another key, another agent, a list.
    let other = Ed25519Key::new(Secret::new([8; 32]));
    assert_eq!(Ticket::verify(&ticket, &agent(&other)), Err(Refused::Signature));
    assert_eq!(Ticket::verify(&ticket, &agent(&Es256Key::new(Secret::new([7; 32])))), Err(Refused::Algorithm));
    let foreign = Agent { name: "other", key: signer.public_key().unwrap() };
    assert_eq!(Ticket::verify(&ticket, &foreign), Err(Refused::Agent));
    assert_eq!(read(&list(&signer, 1, &[])), Err(Refused::Claims));
    assert_eq!(RevocationList::peek(&ticket), Err(Refused::Claims));
}

#[test]
fn refused_lists() {
    let signer = ed25519();
    let read = |serials: &str| {
        let payload = hex(&format!("a4016461636d65061a6b49d20007 44000000013a00010000{serials}"));
        RevocationList::verify(&signed(&signer, &hex("a10127"), &payload), &agent(&signer)).map(|_| ())
    };
    assert_eq!(read("48 00000001 00000002"), Ok(()));
    assert_eq!(read("40"), Ok(()));
    assert_eq!(read("48 00000002 00000001"), Err(Refused::Claims));
    assert_eq!(read("48 00000001 00000001"), Err(Refused::Claims));
    assert_eq!(read("43 000000"), Err(Refused::Claims));
    assert_eq!(read("80"), Err(Refused::Encoding(CborError::Unexpected)));
    let mut out = [0; 300];
    let unordered = RevocationList::issue(&signer, "acme", NOW, 1, &[2, 1], &mut out);
    assert_eq!(unordered, Err(IssueError::Refused(Refused::Claims)));
    let bytes = list(&signer, 3, &[2, 5, 900]);
    let read = RevocationList::verify(&bytes, &agent(&signer)).unwrap();
    assert_eq!((read.number(), read.issued_at(), read.issuer()), (3, NOW, "acme"));
    assert_eq!(read.serials().collect::<Vec<_>>(), [2, 5, 900]);
    assert!(read.contains(5) && read.contains(900) && !read.contains(4) && !read.contains(0));
}

#[test]
fn with_and_without_a_clock() {
    let signer = ed25519();
    let mut early = claims(KeyGroup::X25519, &[9; 32]);
    early.not_before = Some(NOW + 1000);
    let bytes = issue(&signer, &early);
    let ticket = Ticket::verify(&bytes, &agent(&signer)).unwrap();
    let begins = NOW + 1000 - LEEWAY;
    let end = NOW + YEAR;
    for (wall, floor, valid) in [
        (Some(begins - 1), 0, Err(Refused::NotYetValid)),
        (Some(begins), 0, Ok(())),
        (Some(end - 1), 0, Ok(())),
        (Some(end), 0, Err(Refused::Expired)),
        // A clock that is behind what the agent signed is not believed.
        (Some(0), end, Err(Refused::Expired)),
        (Some(0), NOW + 1000, Ok(())),
        (None, 0, Ok(())),
        (None, end - 1, Ok(())),
        (None, end, Err(Refused::Expired)),
    ] {
        assert_eq!(ticket.valid_at(wall, floor), valid, "{wall:?} {floor}");
    }
}

#[test]
fn agent_repeats_no_number_wherever_it_is_cut() {
    let signer = ed25519();
    let device = Device::new(Secret::new([1; 32]));
    let mut agent = TicketAgent::new("acme").unwrap();
    let key = DeviceKey::new(KeyGroup::X25519, &[9; 32]).unwrap();
    let request = Request { subject: "lamp-7", key, scope: "", lifetime: YEAR };
    let (mut out, mut blob, mut stored) = ([0; TICKET_MAX], [0; TicketAgent::BLOB_MAX], None::<Vec<u8>>);
    assert_eq!(agent.issue(&signer, NOW, &request, &mut out), Err(IssueError::Unstored));
    let (mut seen, mut lists) = (Vec::new(), Vec::new());
    for step in 0..1500u32 {
        match agent.issue(&signer, NOW, &request, &mut out) {
            Ok(len) => seen.push(Ticket::peek(&out[..len]).unwrap().claims().serial),
            Err(IssueError::Unstored) => {
                let (len, _) = agent.seal(&device, &mut blob).unwrap();
                // Every third time the power goes while it is being written.
                if step % 3 != 0 {
                    stored = Some(blob[..len].to_vec());
                    agent.persisted();
                }
            }
            other => panic!("{other:?}"),
        }
        if let Ok(len) = agent.revoke(&signer, NOW, &[1], &mut out) {
            lists.push(RevocationList::peek(&out[..len]).unwrap().number());
        }
        if step % 37 == 0 {
            agent = stored.as_ref().map_or_else(
                || TicketAgent::new("acme").unwrap(),
                |blob| TicketAgent::restore(&device, 0, blob).unwrap(),
            );
        }
    }
    assert!(seen.len() > 1000 && seen.is_sorted_by(|a, b| a < b));
    assert!(lists.len() > 1000 && lists.is_sorted_by(|a, b| a < b));
    let blob = stored.unwrap();
    assert_eq!(TicketAgent::restore(&device, u32::MAX, &blob).unwrap_err(), Error::BlobRolledBack);
    let other = Device::new(Secret::new([2; 32]));
    assert_eq!(TicketAgent::restore(&other, 0, &blob).unwrap_err(), Error::BadBlob);
    assert_eq!(TicketAgent::new("").unwrap_err(), Error::BadArgument);
}

#[test]
fn wallet() {
    let signer = ed25519();
    let agent = agent(&signer);
    let device = Device::new(Secret::new([1; 32]));
    let wall = |seconds: u64| Some(UnixTime(seconds * 1000));
    let mut wallet = Pocket::new(agent, "lamp-7").unwrap();
    assert!(wallet.ticket(None).is_none() && wallet.acknowledgement().is_none() && !wallet.needs_store());
    let numbered = |serial: u32, from: u64, to: u64| {
        let claims = Claims { serial, issued_at: from, expires: to, ..claims(KeyGroup::X25519, &[9; 32]) };
        issue(&signer, &claims)
    };
    let first = numbered(1, NOW, NOW + 1000);
    let second = numbered(2, NOW + 800, NOW + 2000);
    let third = numbered(3, NOW + 1800, NOW + 3000);
    assert_eq!(wallet.install(&first, wall(NOW)), Ok(true));
    // Nothing is acknowledged that is not stored.
    assert!(wallet.needs_store() && wallet.acknowledgement().is_none());
    let mut blob = [0; Pocket::BLOB_MAX];
    let store = |wallet: &mut Pocket<'static>, blob: &mut [u8]| {
        let (len, _) = wallet.seal(&device, blob).unwrap();
        wallet.persisted();
        assert!(!wallet.needs_store());
        len
    };
    store(&mut wallet, &mut blob);
    let Some(Message::Acknowledged(held)) = wallet.acknowledgement() else { panic!() };
    assert_eq!(held, Acknowledged { ticket: Ticket::peek(&first).unwrap().reference(), list: 0 });
    assert_eq!(wallet.handle(&Message::Ticket(&first), wall(NOW)), Ok(true), "said again");
    assert!(!wallet.needs_store());
    // Both in the overlap; a store that was under way does not cover what came meanwhile.
    wallet.seal(&device, &mut blob).unwrap();
    assert_eq!(wallet.install(&second, wall(NOW + 800)), Ok(true));
    wallet.persisted();
    assert!(wallet.needs_store());
    let len = store(&mut wallet, &mut blob);
    let mut work = [0; Pocket::BLOB_MAX];
    let mut again = Pocket::restore(agent, "lamp-7", &device, 0, &blob[..len], &mut work).unwrap();
    for wallet in [&wallet, &again] {
        assert_eq!(wallet.tickets().map(|t| t.claims().serial).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(wallet.floor(), NOW + 800);
        assert_eq!(wallet.ticket(wall(NOW + 900)).unwrap().claims().serial, 2);
        assert!(wallet.named(Ticket::peek(&first).unwrap().reference()).is_some());
        assert!(wallet.ticket(wall(NOW + 2000)).is_none());
    }
    assert_eq!(again.install(&third, wall(NOW + 1900)), Ok(true));
    assert_eq!(again.tickets().map(|t| t.claims().serial).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(again.install(&first, None), Err(Refused::Expired.into()), "the floor says so");
    // Without a clock the floor moves with peers' tickets, once their owners have shown to be that.
    let peer = issue(&signer, &Claims { subject: "hub", serial: 9, ..claims(KeyGroup::X25519, &[8; 32]) });
    assert_eq!(again.check(&peer, None).unwrap().claims().subject, "hub");
    let late = Claims { subject: "hub", serial: 10, issued_at: NOW + 3000, ..claims(KeyGroup::X25519, &[8; 32]) };
    let late = issue(&signer, &late);
    let seen = again.check(&late, None).unwrap();
    assert!(again.ticket(None).is_some());
    again.saw(&seen);
    assert!(again.ticket(None).is_none());
    // A forged one does not.
    let forger = Ed25519Key::new(Secret::new([8; 32]));
    let far = Claims { issued_at: NOW + 5000, ..claims(KeyGroup::X25519, &[8; 32]) };
    assert_eq!(again.check(&issue(&forger, &far), None), Err(Refused::Signature));
    assert_eq!(again.floor(), NOW + 3000);
    // Lists: newer ones only.
    assert_eq!(again.revoke(&list(&signer, 2, &[10])), Ok(true));
    assert_eq!(again.check(&late, None), Err(Refused::Revoked));
    assert_eq!(again.revoke(&list(&signer, 1, &[])), Err(Refused::Older.into()));
    assert_eq!(again.revoke(&list(&signer, 2, &[])), Err(Refused::Older.into()), "two of one number");
    assert_eq!(again.revoke(&list(&signer, 2, &[10])), Ok(false));
    assert_eq!(again.revoke(&list(&forger, 3, &[])), Err(Refused::Signature.into()));
    assert_eq!(again.revoke(&list(&signer, 3, &(1..=30).collect::<Vec<_>>())), Err(NotTaken::Full));
    assert_eq!((again.list_number(), again.needs_store()), (2, true));
    assert_eq!(again.install(&peer, None), Err(Refused::Subject.into()));
    assert_eq!(wallet.revoke(&list(&signer, 4, &[2])), Ok(true));
    assert_eq!(wallet.ticket(wall(NOW + 900)).unwrap().claims().serial, 1, "its own is revoked: the other");
    assert_eq!(wallet.install(&second, wall(NOW + 900)), Err(Refused::Revoked.into()));
    // The blob: of this device, this agent, this name, and not an old one.
    let restore = |agent, me, device: &Device, floor, blob: &[u8]| {
        Pocket::restore(agent, me, device, floor, blob, &mut [0; Pocket::BLOB_MAX]).map(|_| ()).unwrap_err()
    };
    let blob = &blob[..len];
    assert_eq!(restore(agent, "lamp-7", &device, 9, blob), Error::BlobRolledBack);
    assert_eq!(restore(agent, "lamp-8", &device, 0, blob), Error::BadBlob);
    assert_eq!(restore(agent, "lamp-7", &Device::new(Secret::new([2; 32])), 0, blob), Error::BadBlob);
    let foreign = Agent { name: "acme", key: forger.public_key().unwrap() };
    assert_eq!(restore(foreign, "lamp-7", &device, 0, blob), Error::BadBlob);
}

/// From the request to the acknowledgement, with a device that is away and an agent that does not answer at first.
#[test]
fn operator() {
    let signer = ed25519();
    let party = agent(&signer);
    let device = Device::new(Secret::new([1; 32]));
    let mut agent = TicketAgent::new("acme").unwrap();
    agent.seal(&device, &mut [0; TicketAgent::BLOB_MAX]).unwrap();
    agent.persisted();
    let mut operator = Operator::new([Entry::FREE; 2], 100, 10);
    let mut line = [0; 400];
    let mut tickets = Vec::new();
    for (name, expires) in [("lamp", NOW + 1000), ("lock", NOW + 500)] {
        let ticket = issue(&signer, &Claims { subject: name, expires, ..claims(KeyGroup::X25519, &[9; 32]) });
        operator.knows(&Ticket::peek(&ticket).unwrap()).unwrap();
        tickets.push(ticket);
    }
    let third = issue(&signer, &Claims { subject: "third", ..claims(KeyGroup::X25519, &[9; 32]) });
    assert_eq!(operator.knows(&Ticket::peek(&third).unwrap()), Err(Error::Full));
    assert_eq!(operator.issued(&Ticket::peek(&third).unwrap()), Err(Error::BadArgument));
    assert_eq!(operator.ask(NOW), None);
    assert_eq!(operator.wake_at(), Some(NOW + 400));
    assert_eq!(operator.ask(NOW + 400), Some("lock"));
    assert_eq!(operator.ask(NOW + 401), None);
    assert_eq!(operator.wake_at(), Some(NOW + 410));
    assert_eq!(operator.ask(NOW + 410), Some("lock"), "no answer: again");
    let key = DeviceKey::new(KeyGroup::X25519, &[9; 32]).unwrap();
    let request = Request { subject: "lock", key, scope: "door", lifetime: 2000 };
    let len = Message::Request(request).write(&mut line).unwrap();
    let Message::Request(asked) = Message::read(&line[..len]).unwrap() else { panic!() };
    let mut out = [0; TICKET_MAX];
    let len = agent.issue(&signer, NOW + 410, &asked, &mut out).unwrap();
    let next = Ticket::verify(&out[..len], &party).unwrap();
    assert_eq!((next.claims().scope, next.claims().expires), ("door", NOW + 2410));
    operator.issued(&next).unwrap();
    assert_eq!(operator.issued(&next), Err(Error::BadArgument), "that one waits already");
    assert_eq!(operator.ask(NOW + 490), None, "asked for, not yet delivered");
    // The device was away; now it is there.
    let mut wallet = Wallet::<TICKET_MAX, 0>::new(party, "lock").unwrap();
    wallet.install(&tickets[1], None).unwrap();
    wallet.persisted();
    assert_eq!(operator.waiting_for("lamp"), None);
    assert_eq!(operator.waiting_for("lock"), Some(next.reference()));
    let len = Message::Ticket(next.as_bytes()).write(&mut line).unwrap();
    for _ in 0..2 {
        assert_eq!(wallet.handle(&Message::read(&line[..len]).unwrap(), None), Ok(true));
    }
    wallet.seal(&device, &mut [0; Wallet::<TICKET_MAX, 0>::BLOB_MAX]).unwrap();
    wallet.persisted();
    let mut answer = [0; 32];
    let len = wallet.acknowledgement().unwrap().write(&mut answer).unwrap();
    let answer = Message::read(&answer[..len]).unwrap();
    assert!(!operator.handle("lamp", &answer), "another device's word");
    assert!(operator.handle("lock", &answer) && !operator.handle("lock", &answer));
    let lock = operator.entries().iter().find(|e| e.name() == "lock").unwrap();
    assert_eq!((lock.expires(), lock.next()), (NOW + 2410, Next::None));
    operator.forget("lamp");
    operator.knows(&Ticket::peek(&third).unwrap()).unwrap();
}

#[test]
fn messages() {
    let key = DeviceKey::new(KeyGroup::P256, &[9; 32]).unwrap();
    for message in [
        Message::Request(Request { subject: "lamp", key, scope: "", lifetime: YEAR }),
        Message::Ticket(b"ticket"),
        Message::List(b"list"),
        Message::Acknowledged(Acknowledged { ticket: iotkm::cose::Reference([1; 8]), list: u32::MAX }),
        Message::Refused(i64::from(Refused::Expired.code())),
        Message::CredentialDue,
        Message::CredentialRequest(b"request"),
        Message::CredentialAnswer(b"answer"),
    ] {
        let mut out = [0; 100];
        let len = message.write(&mut out).unwrap();
        assert_eq!(Message::read(&out[..len]), Ok(message));
        assert_eq!(message.write(&mut out[..len - 1]), Err(len));
        for cut in 0..len {
            assert!(Message::read(&out[..cut]).is_err());
        }
    }
    for bad in [
        "80",
        "8108",
        "820541aa",
        "8106",
        "83010203",
        "8203f6",
        "9f0141aaff",
        "820141aa00",
        "83034800000000000000011b0000000100000000",
    ] {
        assert!(Message::read(&hex(bad)).is_err(), "{bad}");
    }
}

prop_compose! {
    fn any_claims()(
        issuer in "[a-z]{1,32}", subject in "[a-zäöü0-9-]{1,16}", scope in "[a-z ]{0,32}", serial: u32,
        issued_at in 0..u64::MAX / 2, life in 1..u64::MAX / 2, late: bool, group in 0..4usize, byte: u8,
    ) -> (String, String, String, u32, u64, u64, bool, usize, u8) {
        (issuer, subject, scope, serial, issued_at, life, late, group, byte)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_written_is_read((issuer, subject, scope, serial, issued_at, life, late, group, byte) in any_claims()) {
        let group = [KeyGroup::X25519, KeyGroup::P256, KeyGroup::Ffc2048, KeyGroup::Ffc3072][group];
        let bytes = vec![byte; group.key_len()];
        let claims = Claims {
            issuer: &issuer, subject: &subject, scope: &scope, serial, issued_at,
            expires: issued_at + life, not_before: late.then(|| issued_at + life / 2),
            key: DeviceKey::new(group, &bytes).unwrap(),
        };
        let signer = ed25519();
        let ticket = issue(&signer, &claims);
        let agent = Agent { name: &issuer, key: signer.public_key().unwrap() };
        let read = Ticket::verify(&ticket, &agent).unwrap();
        prop_assert_eq!(read.claims(), &claims);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let mut r = Reader::new(&bytes);
        r.skip();
        let _ = (Ticket::peek(&bytes).is_ok(), RevocationList::peek(&bytes).is_ok(), Message::read(&bytes).is_ok());
    }
}

/// Every bit of a ticket and of a list counts.
#[test]
fn any_flipped_bit_is_refused() {
    let signer = ed25519();
    let agent = agent(&signer);
    let flips = |whole: &[u8], refuses: &dyn Fn(&[u8]) -> bool| {
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(refuses(&flipped), "bit {bit}");
        }
    };
    let ticket = issue(&signer, &Claims { scope: "door", ..claims(KeyGroup::P256, &[9; 32]) });
    flips(&ticket, &|bytes| Ticket::verify(bytes, &agent).is_err());
    flips(&list(&signer, 1, &[1, 2, 3]), &|bytes| RevocationList::verify(bytes, &agent).is_err());
}
