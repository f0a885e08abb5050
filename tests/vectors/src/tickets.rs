//! Vectors of tickets: `primitives/tickets.json`. Objects with every value on the way, what is refused and why, messages, and
//! a device's wallet through a life. All keys come from sentences.
//!
//! ```json
//! { "agents":   [ { "name", "algorithm", "secret", "public" } ],
//!   "tickets":  [ { "agent": 0, "device", "group", "private", "key", "serial", "issued_at", "expires", ...,
//!                   "cose_key", "protected", "payload", "signed", "signature", "bytes", "hash", "reference" } ],
//!   "lists":    [ { "agent": 0, "number", "issued_at", "serials", "protected", ... "bytes" } ],
//!   "refused":  [ { "kind": "ticket", "agent": 0, "bytes", "reason", "code" } ],
//!   "messages": [ { "kind": "request", ..., "bytes" } ],
//!   "wallet":   { "agent": 0, "device", "device_secret", "steps": [ { "do", "bytes", "wall", "returns", then the state } ] } }
//! ```
//! `signed` is what the signature is over. A wallet's step is `install`, `revoke`, `check` or `saw` of a signed object, `handle`
//! of a message, or `store`: seal, store, persisted; `returns` is true or false, the code of why not, or the blob.

use crate::hex;
use iotkm::cose::cbor::{Reader, Writer};
use iotkm::cose::message::{Acknowledged, Request};
use iotkm::cose::ticket::TICKET_MAX_FFC;
use iotkm::cose::wallet::NotTaken;
use iotkm::cose::{Agent, Claims, DeviceKey, KeyGroup, Message, Refused, RevocationList, Ticket, Wallet};
use iotkm::crypto::hpke::{DHKEM_P256, DHKEM_X25519, KEM_FFC2048, KEM_FFC3072, Kem};
use iotkm::crypto::keys::{KeySlot, StaticKey, StaticKeys};
use iotkm::crypto::sign::{Ed25519Key, Es256Key, PublicKey, Signer};
use iotkm::crypto::{Secret, kdf};
use iotkm::{Device, UnixTime};
use serde_json::{Map, Value, json};

pub(crate) const NOW: u64 = 1_800_000_000;
const YEAR: u64 = 31_536_000;

pub(crate) fn sentence(text: &str) -> [u8; 32] {
    kdf::hash(&[text.as_bytes()])
}

pub(crate) struct Issuer {
    pub(crate) name: &'static str,
    algorithm: &'static str,
    secret: [u8; 32],
    pub(crate) signer: Box<dyn Signer>,
}

impl Issuer {
    pub(crate) fn all() -> [Self; 2] {
        let (one, two) = (sentence("tickets agent 0"), sentence("tickets agent 1"));
        let ed25519 = Box::new(Ed25519Key::new(Secret::new(one)));
        let es256 = Box::new(Es256Key::new(Secret::new(two)));
        [
            Self { name: "acme", algorithm: "EdDSA", secret: one, signer: ed25519 },
            Self { name: "t\u{fc}v", algorithm: "ES256", secret: two, signer: es256 },
        ]
    }
    fn public(&self) -> PublicKey {
        self.signer.public_key().expect("a key")
    }
    pub(crate) fn json(&self) -> Value {
        let (secret, public) = (hex(&self.secret), hex(self.public().as_bytes()));
        json!({ "name": self.name, "algorithm": self.algorithm, "secret": secret, "public": public })
    }
    fn agent(&self) -> Agent<'static> {
        Agent { name: self.name, key: self.public() }
    }
    fn issue(&self, claims: &Claims<'_>) -> Vec<u8> {
        let mut out = [0; TICKET_MAX_FFC];
        let len = Ticket::issue(&*self.signer, claims, &mut out).expect("a ticket");
        out[..len].to_vec()
    }
    fn list(&self, number: u32, issued_at: u64, serials: &[u32]) -> Vec<u8> {
        let mut out = [0; 400];
        let len = RevocationList::issue(&*self.signer, self.name, issued_at, number, serials, &mut out);
        out[..len.expect("a list")].to_vec()
    }
}

/// A device's private and public key.
pub(crate) fn device_key(group: KeyGroup, text: &str) -> ([u8; 32], Vec<u8>) {
    fn share<const N: usize>(kem: &'static dyn Kem, secret: [u8; 32]) -> Vec<u8> {
        let key = StaticKey::<N>::new(KeySlot(0), kem, &Secret::new(secret)).expect("a scalar in range");
        let mut share = [0; N];
        key.public_key(KeySlot(0), kem, &mut share).expect("its share");
        share.to_vec()
    }
    let secret = sentence(text);
    let share = match group {
        KeyGroup::X25519 => share::<32>(&DHKEM_X25519, secret),
        KeyGroup::P256 => share::<32>(&DHKEM_P256, secret),
        KeyGroup::Ffc2048 => share::<256>(&KEM_FFC2048, secret),
        _ => share::<384>(&KEM_FFC3072, secret),
    };
    (secret, share)
}

/// The parts of a COSE_Sign1 object.
fn parts(bytes: &[u8]) -> Map<String, Value> {
    let mut r = Reader::new(bytes);
    r.tag(18);
    r.items(4);
    let protected = r.bytes();
    r.map();
    let payload = r.bytes();
    let signature = r.bytes();
    r.end().expect("COSE_Sign1");
    let mut signed = vec![0; bytes.len() + 64];
    let mut w = Writer::new(&mut signed);
    w.items(4).text("Signature1").bytes(protected).bytes(&[]).bytes(payload);
    let mut map = Map::new();
    map.insert("protected".into(), hex(protected));
    map.insert("payload".into(), hex(payload));
    map.insert("signed".into(), hex(w.written()));
    map.insert("signature".into(), hex(signature));
    map.insert("bytes".into(), hex(bytes));
    map
}

fn with(mut value: Value, more: Map<String, Value>) -> Value {
    value.as_object_mut().expect("an object").extend(more);
    value
}

fn tickets(issuers: &[Issuer; 2]) -> Value {
    let groups = [KeyGroup::X25519, KeyGroup::P256, KeyGroup::Ffc2048, KeyGroup::Ffc3072];
    let cases = groups.into_iter().flat_map(|group| [0, 1].map(|by| (group, by)));
    let one = |(serial, (group, by)): (usize, (KeyGroup, usize))| {
        let serial = serial as u32 + 1;
        let device = format!("lamp-{serial}");
        let (private, key) = device_key(group, &format!("tickets device {serial}"));
        let claims = Claims {
            issuer: issuers[by].name,
            subject: &device,
            expires: NOW + YEAR * u64::from(serial),
            not_before: serial.is_multiple_of(3).then_some(NOW + 86_400),
            issued_at: NOW,
            serial,
            key: DeviceKey::new(group, &key).expect("its length"),
            scope: if serial.is_multiple_of(2) { "light heat" } else { "" },
        };
        let bytes = issuers[by].issue(&claims);
        let ticket = Ticket::verify(&bytes, &issuers[by].agent()).expect("it verifies");
        let mut request = [0; 500];
        let asked = Request { subject: "x", key: claims.key, scope: "", lifetime: 0 };
        let len = Message::Request(asked).write(&mut request).expect("room");
        let value = json!({
            "agent": by,
            "device": device,
            "group": group.name(),
            "private": hex(&private),
            "key": hex(&key),
            "serial": serial,
            "issued_at": claims.issued_at,
            "not_before": claims.not_before,
            "expires": claims.expires,
            "scope": claims.scope,
            // What stands between head, name and scope, lifetime.
            "cose_key": hex(&request[4..len - 2]),
        });
        let mut more = parts(&bytes);
        more.insert("hash".into(), hex(&kdf::hash(&[&bytes])));
        more.insert("reference".into(), hex(&ticket.reference().0));
        with(value, more)
    };
    cases.enumerate().map(one).collect()
}

fn lists(issuers: &[Issuer; 2]) -> Value {
    let cases: [(usize, u32, &[u32]); 4] =
        [(0, 1, &[]), (0, 2, &[1]), (1, 256, &[1, 2, 0xffff_ffff]), (0, u32::MAX, &[0, 23, 24, 255, 256, 65_536])];
    let one = |(by, number, serials): (usize, u32, &[u32])| {
        let bytes = issuers[by].list(number, NOW, serials);
        RevocationList::verify(&bytes, &issuers[by].agent()).expect("it verifies");
        with(json!({ "agent": by, "number": number, "issued_at": NOW, "serials": serials }), parts(&bytes))
    };
    cases.map(one).into_iter().collect()
}

/// One object changed in many ways, each way told apart by why it is refused.
fn refused(issuers: &[Issuer; 2]) -> Value {
    let (_, key) = device_key(KeyGroup::X25519, "tickets device 1");
    let key = DeviceKey::new(KeyGroup::X25519, &key).expect("its length");
    let claims = Claims {
        issuer: "acme",
        subject: "lamp-1",
        expires: NOW + YEAR,
        not_before: None,
        issued_at: NOW,
        serial: 1,
        key,
        scope: "",
    };
    let good = issuers[0].issue(&claims);
    let list = issuers[0].list(1, NOW, &[1, 2]);
    let changed = |from: &[u8], to: &[u8]| {
        let at = good.windows(from.len()).position(|window| window == from).expect("it is there");
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cases = [
        ("ticket", good[..good.len() - 1].to_vec()),
        ("ticket", [&good[..], &[0]].concat()),
        ("ticket", good[1..].to_vec()),
        ("ticket", flipped(good.len() - 1)),
        ("ticket", flipped(good.len() - 70)),
        ("ticket", changed(&[0x45, 0xa2, 0x01, 0x27, 0x04, 0x40], &[0x43, 0xa1, 0x01, 0x26])),
        ("ticket", changed(&[0x45, 0xa2, 0x01, 0x27, 0x04, 0x40], &[0x47, 0xa2, 0x01, 0x27, 0x02, 0x81, 0x18, 0x63])),
        ("ticket", changed(&[0x04, 0x40, 0xa0], &[0x04, 0x40, 0xa1, 0x04, 0x40])),
        ("ticket", changed(b"\x02\x66lamp-1", b"\x01\x66lamp-1")),
        ("ticket", changed(b"\x02\x66lamp-1", b"\x02\x66lamp\x0a1")),
        ("ticket", changed(b"\x02\x66lamp-1", b"\x02\x66lam\xff-1")),
        ("ticket", changed(&[0x01, 0x01, 0x20, 0x04, 0x21], &[0x01, 0x01, 0x20, 0x06, 0x21])),
        ("ticket", changed(&[0x07, 0x44], &[0x07, 0x58, 0x04])),
        ("ticket", issuers[1].issue(&Claims { issuer: "other", ..claims })),
        ("ticket", issuers[1].issue(&claims)),
        ("ticket", vec![0xd2; TICKET_MAX_FFC + 1]),
        ("ticket", list.clone()),
        ("list", good.clone()),
        ("list", [&list[..list.len() - 1], &[list[list.len() - 1] ^ 1]].concat()),
    ];
    let agent = issuers[0].agent();
    let one = |(kind, bytes): (&str, Vec<u8>)| {
        let read = match kind {
            "ticket" => Ticket::verify(&bytes, &agent).map(|_| ()),
            _ => RevocationList::verify(&bytes, &agent).map(|_| ()),
        };
        let reason = read.expect_err("it is refused");
        json!({ "kind": kind, "agent": 0, "bytes": hex(&bytes), "reason": reason.name(), "code": reason.code() })
    };
    cases.map(one).into_iter().collect()
}

pub(crate) fn written(message: &Message<'_>) -> Vec<u8> {
    let mut out = vec![0; message.write(&mut []).expect_err("its length")];
    message.write(&mut out).expect("room");
    assert_eq!(Message::read(&out).as_ref(), Ok(message));
    out
}

fn messages(issuers: &[Issuer; 2]) -> Value {
    let (_, key) = device_key(KeyGroup::P256, "tickets device 3");
    let key = DeviceKey::new(KeyGroup::P256, &key).expect("its length");
    let list = issuers[0].list(2, NOW, &[1]);
    let request = Request { subject: "lamp-3", key, scope: "light", lifetime: YEAR };
    let held = Acknowledged { ticket: iotkm::cose::Reference([1, 2, 3, 4, 5, 6, 7, 8]), list: 300 };
    let request = json!({
        "kind": "request",
        "device": request.subject,
        "group": key.group().name(),
        "key": hex(key.as_bytes()),
        "scope": request.scope,
        "lifetime": request.lifetime,
        "bytes": hex(&written(&Message::Request(request))),
    });
    let list = json!({ "kind": "list", "object": hex(&list), "bytes": hex(&written(&Message::List(&list))) });
    let acknowledged = json!({
        "kind": "acknowledged",
        "ticket": hex(&held.ticket.0),
        "list": held.list,
        "bytes": hex(&written(&Message::Acknowledged(held))),
    });
    let code = i64::from(Refused::Signature.code());
    let refused = json!({ "kind": "refused", "code": code, "bytes": hex(&written(&Message::Refused(code))) });
    [request, list, acknowledged, refused].into_iter().collect()
}

type Small<'n> = Wallet<'n, 288, 400>;

/// A step of a wallet's.
enum Do {
    Install(Vec<u8>),
    Revoke(Vec<u8>),
    Handle(Vec<u8>),
    Check(Vec<u8>),
    Saw(Vec<u8>),
    Store,
}

fn wallet(issuers: &[Issuer; 2]) -> Value {
    let by = &issuers[0];
    let ticket = |subject: &str, serial: u32, issued_at: u64, expires: u64| {
        let (_, key) = device_key(KeyGroup::X25519, &format!("tickets wallet {subject}"));
        let key = DeviceKey::new(KeyGroup::X25519, &key).expect("its length");
        by.issue(&Claims { issuer: by.name, subject, expires, not_before: None, issued_at, serial, key, scope: "" })
    };
    let first = ticket("lamp", 1, NOW, NOW + 1000);
    let second = ticket("lamp", 2, NOW + 700, NOW + 1700);
    let third = ticket("lamp", 3, NOW + 1400, NOW + 2400);
    let peer = ticket("switch", 9, NOW + 800, NOW + 5000);
    let list_1 = by.list(1, NOW + 900, &[4]);
    let list_2 = by.list(2, NOW + 1500, &[4, 9]);
    let push = |ticket: &[u8]| written(&Message::Ticket(ticket));
    let steps = [
        (Some(NOW), Do::Install(first.clone())),
        (Some(NOW), Do::Install(first.clone())),
        (Some(NOW), Do::Store),
        (Some(NOW), Do::Install(ticket("switch", 9, NOW, NOW + 9))),
        (Some(NOW + 100), Do::Check(peer.clone())),
        (Some(NOW + 700), Do::Handle(push(&second))),
        (Some(NOW + 700), Do::Store),
        (Some(NOW + 710), Do::Handle(push(&second))),
        (None, Do::Check(peer.clone())),
        (None, Do::Saw(peer.clone())),
        (Some(NOW + 900), Do::Revoke(list_1.clone())),
        (None, Do::Install(ticket("lamp", 4, NOW + 900, NOW + 9000))),
        (Some(NOW + 1400), Do::Handle(push(&third))),
        (Some(NOW + 1400), Do::Install(first.clone())),
        (Some(NOW + 1400), Do::Store),
        (Some(NOW + 1500), Do::Handle(written(&Message::List(&list_2)))),
        (Some(NOW + 1500), Do::Check(peer)),
        (Some(NOW + 1500), Do::Revoke(list_1)),
        (Some(NOW + 1500), Do::Handle(written(&Message::Refused(-1)))),
        (Some(NOW + 1500), Do::Store),
        (Some(NOW + 2400), Do::Revoke(list_2)),
        (Some(NOW), Do::Install(ticket("lamp", 5, NOW, NOW + 1400))),
    ];
    let secret = sentence("tickets wallet device secret");
    let device = Device::new(Secret::new(secret));
    let mut wallet: Small<'_> = Wallet::new(by.agent(), "lamp").expect("names");
    let one = |(wall, step): (Option<u64>, Do)| {
        let at = wall.map(|seconds| UnixTime(seconds * 1000));
        let answer = |taken: Result<bool, NotTaken>| match taken {
            Ok(new) => json!(new),
            Err(NotTaken::Refused(reason)) => json!(reason.code()),
            Err(NotTaken::Full) => json!(iotkm::Error::Full.code()),
        };
        let (verb, bytes, returns) = match step {
            Do::Install(ticket) => ("install", hex(&ticket), answer(wallet.install(&ticket, at))),
            Do::Revoke(list) => ("revoke", hex(&list), answer(wallet.revoke(&list))),
            Do::Handle(message) => {
                let read = Message::read(&message).expect("a message");
                ("handle", hex(&message), answer(wallet.handle(&read, at)))
            }
            Do::Check(ticket) => {
                let checked = wallet.check(&ticket, at).map(|_| true).map_err(NotTaken::Refused);
                ("check", hex(&ticket), answer(checked))
            }
            Do::Saw(ticket) => {
                wallet.saw(&Ticket::peek(&ticket).expect("a ticket"));
                ("saw", hex(&ticket), json!(true))
            }
            Do::Store => {
                let mut blob = [0; Small::BLOB_MAX];
                let (len, version) = wallet.seal(&device, &mut blob).expect("room");
                wallet.persisted();
                let (agent, blob) = (by.agent(), &blob[..len]);
                let again: Small<'_> =
                    Wallet::restore(agent, "lamp", &device, version, blob, &mut [0; Small::BLOB_MAX])
                        .expect("it opens");
                assert_eq!((again.floor(), again.list_number()), (wallet.floor(), wallet.list_number()));
                ("store", Value::Null, json!({ "blob": hex(blob), "version": version }))
            }
        };
        json!({
            "do": verb,
            "bytes": bytes,
            "wall": wall,
            "returns": returns,
            "floor": wallet.floor(),
            "list_number": wallet.list_number(),
            "tickets": wallet.tickets().map(|ticket| ticket.claims().serial).collect::<Vec<_>>(),
            "shown": wallet.ticket(at).map(|ticket| ticket.claims().serial),
            "needs_store": wallet.needs_store(),
            "acknowledgement": wallet.acknowledgement().map(|message| hex(&written(&message))),
        })
    };
    let steps: Value = steps.map(one).into_iter().collect();
    json!({ "agent": 0, "device": "lamp", "device_secret": hex(&secret), "steps": steps })
}

/// All of them.
pub fn vectors() -> Value {
    let issuers = Issuer::all();
    let agents: Value = issuers.iter().map(Issuer::json).collect();
    json!({
        "agents": agents,
        "tickets": tickets(&issuers),
        "lists": lists(&issuers),
        "refused": refused(&issuers),
        "messages": messages(&issuers),
        "wallet": wallet(&issuers),
    })
}
