//! Vectors of issuing: `primitives/credentials.json`. Both ways with every draw and every value on the way, what is refused
//! and why. All keys come from sentences.
//!
//! ```json
//! { "operators":   [ { "name", "suite", "x", "key", "lists_key" } ],
//!   "credentials": [ { "operator": 0, "split": true, "device", "serial", "issued_at", "life",
//!                      "device_draws", "operator_draws", "request", "k1", "answer" (split), "h", "credential",
//!                      "reference", "y", "x", "key" } ],
//!   "refused":     [ { "kind": "answer", "operator": 0, "device", "k1", "wall", "bytes", "reason", "code" } ],
//!   "messages":    [ { "kind": "credential_request", "object", "bytes" } ],
//!   "holders":     [ { "operator": 0, "device", "device_secret", "lead", "steps": [ { "do", "wall", "returns",
//!                      then the state } ] } ] }
//! ```
//! `key` is a public key as a share, `y` as an element; scalars are in the group's byte order. `device_draws` and
//! `operator_draws` are the random bytes in their order; what was thrown away is among them.
//!
//! A holder's step is `handle` of a message (`bytes`), `install` of a credential (`bytes`), `ask` with what it draws (`random`),
//! `store`: seal, store, persisted; or `restore`: an empty holder in its place, and the last blob, with the slot's monotonic counter
//! at `counter`. `returns`: of `handle` `nothing`, `ask`, `acknowledge`, or the credential and its private key; of `install` true;
//! of `store` blob and version; the code of why not. The state: `due_at` with the holder's `lead`, `serial` of its credential, and
//! the messages `request` and `acknowledgement`, where there are any.

use crate::epochs::setting;
use crate::make::with;
use crate::node::Source;
use crate::{hex, holder};
use iotkm::cose::{Reference, TicketAgent};
use iotkm::crypto::sign::{Ed25519Key, PublicKey, Signer};
use iotkm::crypto::{Secret, kdf};
use iotkm::noninteractive::issue::{OperatorKey, accept, check, request};
use iotkm::noninteractive::{Credential, Operator, Setting, keys};
use iotkm::{Device, UnixTime};
use serde_json::{Value, json};

/// When credentials were issued, in seconds since 1970; the nodes of vectors have later clocks.
pub const ISSUED: u32 = 1_740_000_000;
/// The suite of each group's operator.
const SUITES: [&str; 4] = ["0", "2", "-21", "-22"];

fn sentence(text: &str) -> [u8; 32] {
    kdf::hash(&[text.as_bytes()])
}

/// What signs the operator's revocation lists.
pub fn lists() -> Ed25519Key {
    Ed25519Key::new(Secret::new(sentence("credentials lists")))
}

fn draws(source: &mut Source) -> Value {
    let Source::Noted(_, draws) = source else { panic!("noted") };
    std::mem::take(draws).iter().map(|draw| hex(draw)).collect()
}

/// An operator at work, over any group.
pub struct Office {
    setting: &'static Setting,
    agent: TicketAgent,
    source: Source,
    make: fn(&mut Self, u32, &str, u16, bool) -> Value,
    /// Its name, suite and keys.
    pub about: Value,
}

impl Office {
    /// The operator `acme` with this suite's group.
    pub fn new(number: &str) -> Self {
        let setting = setting(number);
        let make = match setting.group.share_len() {
            32 => Self::issued::<32>,
            256 => Self::issued::<256>,
            _ => Self::issued::<384>,
        };
        let (x, key) = match setting.group.share_len() {
            32 => Self::key::<32>(setting),
            256 => Self::key::<256>(setting),
            _ => Self::key::<384>(setting),
        };
        let mut agent = TicketAgent::new("acme").expect("a name");
        agent.seal(&Device::new(Secret::new([0; 32])), &mut [0; TicketAgent::BLOB_MAX]).expect("room");
        agent.persisted();
        let lists_key = lists().public_key().expect("in memory");
        let about = json!({
            "name": "acme", "suite": number, "x": hex(x.expose()), "key": hex(&key), "lists_key": hex(lists_key.as_bytes()),
        });
        Self { setting, agent, source: Source::Noted(5_001, Vec::new()), make, about }
    }

    fn key<const SHARE: usize>(setting: &'static Setting) -> (Secret<32>, Vec<u8>) {
        let key = OperatorKey::<SHARE>::generate(setting, &mut Source::Noted(4_001, Vec::new())).expect("drawn");
        (key.scalar().clone(), key.share().to_vec())
    }

    /// What devices go by.
    pub fn operator(&self) -> Operator<'static> {
        let lists: PublicKey = lists().public_key().expect("in memory");
        Operator { name: "acme", setting: self.setting, key: crate::unhex(&self.about["key"]).leak(), lists }
    }

    /// A credential and all that led to it; `life` in hours.
    pub fn issue(&mut self, device: &str, life: u16, split: bool) -> Value {
        self.issue_at(ISSUED, device, life, split)
    }

    fn issue_at(&mut self, now: u32, device: &str, life: u16, split: bool) -> Value {
        (self.make)(self, now, device, life, split)
    }

    fn issued<const SHARE: usize>(&mut self, now: u32, device: &str, life: u16, split: bool) -> Value {
        let x = Secret::new(crate::unhex(&self.about["x"]).try_into().expect("32 bytes"));
        let key = OperatorKey::<SHARE>::new(self.setting, x).expect("as it was");
        assert_eq!(hex(key.share()), self.about["key"]);
        let operator = self.operator();
        let wall = Some(UnixTime(u64::from(now) * 1000));
        let mut out = vec![0; 600];
        let (mut about, bytes, x) = if split {
            let mut asked = vec![0; 600];
            let (len, k1) = request(self.setting, device, &mut self.source, &mut asked).expect("room");
            asked.truncate(len);
            let of_device = draws(&mut self.source);
            let issued = key.issue(&mut self.agent, &mut self.source, now, life, &asked, &mut out);
            out.truncate(issued.expect("issued"));
            let of_operator = draws(&mut self.source);
            let (credential, x) = accept(&operator, device, &k1, &out, wall, 0).expect("its own");
            let bytes = out[..credential.len()].to_vec();
            let about = json!({
                "device_draws": of_device, "operator_draws": of_operator,
                "request": hex(&asked), "k1": hex(k1.expose()), "answer": hex(&out),
            });
            (about, bytes, x)
        } else {
            let issued =
                key.issue_printed(&mut self.agent, &mut self.source, now, life, device, &mut out).expect("issued");
            out.truncate(issued.0);
            (json!({ "operator_draws": draws(&mut self.source) }), out, issued.1)
        };
        let credential = Credential::read(&bytes, self.setting).expect("a credential");
        check(&operator, device, &credential, &x, wall, 0).expect("its key");
        let mut h = Secret::zero();
        keys::credential_hash(self.setting, "acme", key.share(), &credential, &mut h).expect("not zero");
        let mut y = vec![0; self.setting.group.element_len()];
        operator.public_key(&credential, &mut y).expect("an element");
        let mut share = vec![0; SHARE];
        self.setting.group.share_of_element(&y, &mut share).expect("chosen so");
        let more = json!({
            "h": hex(h.expose()), "credential": hex(&bytes), "reference": hex(&Reference::of(&bytes).0),
            "y": hex(&y), "x": hex(x.expose()), "key": hex(&share),
        });
        about = with(about, more);
        let front = json!({
            "split": split, "device": device, "serial": credential.serial, "issued_at": now, "life": life,
        });
        with(front, about)
    }

    /// Answers that a device does not take.
    fn refused(&mut self) -> Vec<Value> {
        let good = self.issue("lamp-1", 24, true);
        let answer = crate::unhex(&good["answer"]);
        let k1: Secret<32> = Secret::new(crate::unhex(&good["k1"]).try_into().expect("32 bytes"));
        let other = crate::unhex(&self.issue("lamp-1", 24, true)["answer"]);
        let flipped = |at: usize| {
            let mut bytes = answer.clone();
            bytes[at] ^= 1;
            bytes
        };
        let now = u64::from(ISSUED);
        let no_life = [&answer[..8], &[0, 0], &answer[10..]].concat();
        let r = 11 + "lamp-1".len();
        let cases = [
            ("lamp-1", now, answer[..answer.len() - 1].to_vec()),
            ("lamp-1", now, [&answer[..], &[0]].concat()),
            ("lamp-1", now, no_life),
            ("lamp-1", now, flipped(3)),
            ("lamp-1", now, flipped(answer.len() - 20)),
            ("lamp-1", now, flipped(r + 1)),
            ("lamp-1", now, [&answer[..r], &vec![0; answer.len() - r - 32], &answer[answer.len() - 32..]].concat()),
            ("lamp-1", now, other),
            ("lamp-2", now, answer.clone()),
            ("lamp-1", now - 301, answer.clone()),
            ("lamp-1", now + 24 * 3600, answer.clone()),
        ];
        let operator = self.operator();
        let one = |(device, at, bytes): (&str, u64, Vec<u8>)| {
            let taken = accept(&operator, device, &k1, &bytes, Some(UnixTime(at * 1000)), 0);
            let reason = taken.expect_err("it is refused");
            json!({
                "kind": "answer", "device": device, "k1": hex(k1.expose()), "wall": at, "bytes": hex(&bytes),
                "reason": reason.name(), "code": reason.code(),
            })
        };
        cases.into_iter().map(one).collect()
    }
}

/// All of them.
pub fn vectors() -> Value {
    let mut offices = SUITES.map(Office::new);
    let [mut credentials, mut refused, mut holders]: [Vec<Value>; 3] = Default::default();
    for (at, office) in offices.iter_mut().enumerate() {
        let by = |value| with(json!({ "operator": at }), value);
        let longest = "a name of exactly 32 characters.";
        let first = office.issue("lamp-1", 24, true);
        let other = office.issue(longest, u16::MAX, true);
        let printed = office.issue("lamp-1", 1, false);
        let next = office.issue_at(holder::AGAIN, "lamp-1", 48, true);
        holders.push(by(holder::holder(office, &first, &next, &other)));
        credentials.extend([first, other, printed, next].map(by));
        refused.extend(office.refused().into_iter().map(by));
    }
    let next: Vec<_> = credentials.iter().filter(|issued| issued["issued_at"] == holder::AGAIN).collect();
    let messages = holder::messages(&next);
    let operators: Value = offices.into_iter().map(|office| office.about).collect();
    json!({
        "operators": operators, "credentials": credentials, "refused": refused, "messages": messages,
        "holders": holders,
    })
}
