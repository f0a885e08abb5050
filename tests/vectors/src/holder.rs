//! What is in `primitives/credentials.json` of messages 5 to 7: the messages, and devices that get their next credential by
//! them.

use crate::credentials::{ISSUED, Office, lists};
use crate::hex;
use crate::node::Source;
use crate::tickets::{sentence, written};
use iotkm::cose::message::Acknowledged;
use iotkm::cose::wallet::NotTaken;
use iotkm::cose::{Message, Reference, RevocationList};
use iotkm::crypto::Secret;
use iotkm::noninteractive::holder::{BLOB_OVERHEAD, HolderIn, holder_len};
use iotkm::noninteractive::renewal::Told;
use iotkm::noninteractive::{Credential, Operator};
use iotkm::{Device, Error, UnixTime};
use serde_json::{Value, json};

const HOUR: u64 = 3600;
/// When the next credential is issued: in the second half of the first one's life.
pub const AGAIN: u32 = ISSUED + 18 * HOUR as u32;
/// How long before its end a device asks, in seconds; it is cut to half of its life.
const LEAD: u64 = 7 * 24 * HOUR;
/// Room for a list of 16 serials.
const LIST: usize = 200 + 4 * 16;

type Own<'n> = HolderIn<'n, Vec<u8>, Vec<u8>>;

fn list(number: u32, issued_at: u64, serials: &[u32]) -> Vec<u8> {
    let mut out = [0; 400];
    let len = RevocationList::issue(&lists(), "acme", issued_at, number, serials, &mut out).expect("a list");
    out[..len].to_vec()
}

/// The messages of these issues.
pub fn messages(issued: &[&Value]) -> Value {
    let one = |kind: &str, object: &[u8], message: &Message<'_>| {
        let bytes = written(message);
        json!({ "kind": kind, "object": hex(object), "bytes": hex(&bytes) })
    };
    let mut all = vec![one("credential_due", &[], &Message::CredentialDue)];
    for issued in issued {
        let (asked, answer) = (crate::unhex(&issued["request"]), crate::unhex(&issued["answer"]));
        all.push(one("credential_request", &asked, &Message::CredentialRequest(&asked)));
        all.push(one("credential_answer", &answer, &Message::CredentialAnswer(&answer)));
    }
    all.into()
}

/// A device through its renewal.
struct Life<'n> {
    operator: Operator<'n>,
    device: Device,
    holder: Own<'n>,
    blob: (Vec<u8>, u32),
    steps: Vec<Value>,
}

impl<'n> Life<'n> {
    fn empty(operator: Operator<'n>) -> Own<'n> {
        let own = vec![0; holder_len(operator.setting.group.share_len())];
        Own::within(operator, "lamp-1", own, vec![0; LIST]).expect("names")
    }

    /// A step, what came of it, and how the holder is then.
    fn did(&mut self, verb: &str, wall: Option<u64>, about: Value, returns: Value) {
        let holder = &self.holder;
        let mut request = [0; 500];
        let request = holder.request(&mut request).ok().map(|len| request[..len].to_vec());
        let step = json!({
            "do": verb,
            "wall": wall,
            "returns": returns,
            "floor": holder.floor(),
            "list_number": holder.list_number(),
            "serial": holder.credential().map(|own| own.serial),
            "due_at": holder.due_at(LEAD),
            "is_asking": holder.is_asking(),
            "needs_store": holder.needs_store(),
            "request": request.map(|bytes| hex(&written(&Message::CredentialRequest(&bytes)))),
            "acknowledgement": holder.acknowledgement().map(|message| hex(&written(&message))),
        });
        self.steps.push(crate::make::with(step, about));
    }

    fn install(&mut self, wall: u64, bytes: &[u8]) {
        let credential = Credential::read(bytes, self.operator.setting).expect("a credential");
        let taken = self.holder.install(&credential, Some(UnixTime(wall * 1000))).map(|()| true);
        let returns = taken.map_or_else(code, Value::from);
        self.did("install", Some(wall), json!({ "bytes": hex(bytes) }), returns);
    }

    fn handle(&mut self, wall: Option<u64>, message: &[u8]) {
        let at = wall.map(|wall| UnixTime(wall * 1000));
        let returns = match Message::read(message) {
            Err(reason) => json!(reason.code()),
            Ok(read) => match self.holder.handle(&read, at) {
                Err(why) => code(why),
                Ok(Told::Nothing) => json!("nothing"),
                Ok(Told::Ask) => json!("ask"),
                Ok(Told::Acknowledge) => json!("acknowledge"),
                Ok(Told::Next(credential, x)) => {
                    let mut bytes = vec![0; credential.len()];
                    credential.write(&mut iotkm::engine::wire::Writer::new(&mut bytes));
                    json!({ "credential": hex(&bytes), "x": hex(x.expose()) })
                }
            },
        };
        self.did("handle", wall, json!({ "bytes": hex(message) }), returns);
    }

    fn answered(&mut self, wall: Option<u64>, answer: &[u8]) {
        self.handle(wall, &written(&Message::CredentialAnswer(answer)));
    }

    fn ask(&mut self, draws: &Value) {
        let given = draws.as_array().expect("draws").iter().map(crate::unhex).collect();
        let mut source = Source::Given(given);
        self.holder.ask(&mut source).expect("drawn");
        assert!(matches!(&source, Source::Given(left) if left.is_empty()), "all of it");
        self.did("ask", None, json!({ "random": draws }), Value::Null);
    }

    fn store(&mut self) {
        let mut blob = [0; BLOB_OVERHEAD + 1000];
        let (len, version) = self.holder.seal(&self.device, &mut blob).expect("room");
        self.holder.persisted();
        self.blob = (blob[..len].to_vec(), version);
        self.did("store", None, json!({}), json!({ "blob": hex(&blob[..len]), "version": version }));
    }

    /// The power goes: what is stored is left.
    fn restore(&mut self) {
        self.holder = Self::empty(self.operator);
        let (blob, floor) = &self.blob;
        self.holder.open(&self.device, *floor, blob, &mut vec![0; blob.len()]).expect("it opens");
        self.did("restore", None, json!({ "counter": floor }), Value::Null);
    }
}

fn code(why: NotTaken) -> Value {
    match why {
        NotTaken::Refused(reason) => json!(reason.code()),
        NotTaken::Full => json!(Error::Full.code()),
    }
}

/// The device `lamp-1` gets the credential `next` after `first`; `other` is somebody else's.
pub fn holder(office: &Office, first: &Value, next: &Value, other: &Value) -> Value {
    let secret = sentence("credentials holder device secret");
    let (operator, device) = (office.operator(), Device::new(Secret::new(secret)));
    let mut life =
        Life { operator, device, holder: Life::empty(operator), blob: Default::default(), steps: Vec::new() };
    let bytes = |issued: &Value, name: &str| crate::unhex(&issued[name]);
    let (answer, serial) = (bytes(next, "answer"), first["serial"].as_u64().expect("a number") as u32);
    let due = written(&Message::CredentialDue);
    let (start, again) = (u64::from(ISSUED), u64::from(AGAIN));
    let mut wrong = answer.clone();
    let at = wrong.len() - 20;
    wrong[at] ^= 1;

    life.handle(Some(start), &due);
    life.install(start, &bytes(first, "credential"));
    life.store();
    life.handle(Some(start + HOUR), &written(&Message::List(&list(1, start + HOUR, &[99]))));
    life.store();
    life.answered(Some(again), &answer);
    life.handle(None, &due);
    life.ask(&next["device_draws"]);
    life.ask(&json!([]));
    life.store();
    life.restore();
    life.handle(None, &due);
    life.answered(Some(again), &wrong);
    life.answered(Some(again), &answer[..answer.len() - 1]);
    life.answered(Some(again), &bytes(other, "answer"));
    life.answered(Some(again), &bytes(first, "answer"));
    life.answered(Some(again - 301), &answer);
    life.answered(Some(again + 48 * HOUR), &answer);
    // The power goes while it is not stored.
    life.answered(None, &answer);
    life.restore();
    life.answered(Some(again), &answer);
    life.install(again, &bytes(next, "credential"));
    life.answered(Some(again), &answer);
    life.store();
    life.restore();
    life.answered(Some(again), &answer);
    life.install(again, &bytes(first, "credential"));
    life.handle(Some(again), &[0x81, 8]);
    let held = Acknowledged { ticket: Reference([0; 8]), list: 0 };
    life.handle(Some(again), &written(&Message::Acknowledged(held)));
    life.handle(Some(again + HOUR), &written(&Message::List(&list(2, again + HOUR, &[serial, 99]))));
    life.handle(Some(again + HOUR), &written(&Message::List(&list(1, start + HOUR, &[99]))));
    life.store();
    // Its own is revoked.
    let next_serial = next["serial"].as_u64().expect("a number") as u32;
    life.handle(Some(again + HOUR), &written(&Message::List(&list(3, again + HOUR, &[serial, next_serial]))));
    json!({ "device": "lamp-1", "device_secret": hex(&secret), "lead": LEAD, "steps": life.steps })
}
