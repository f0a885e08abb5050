//! Vectors of those who see to tickets: `primitives/renewal.json`. A ticket agent through two lives, and an operator who has the
//! agent's tickets renewed. Keys are those of `tickets.json`.
//!
//! ```json
//! { "agent":        { "name", "algorithm", "secret", "public" },
//!   "device_secret": "...",
//!   "ticket_agent": [ { "do": "issue", "request", "now", "returns" } ],
//!   "operator":     { "capacity", "lead", "retry", "steps": [ { "do": "ask", "now", "returns", then the state } ] } }
//! ```
//! The agent's steps: `issue` what a `request` (a message) asks for; `revoke` these `serials`; `seal`, which gives blob and
//! version; `persisted`; `restore` from the last blob. The operator's: it `knows` a ticket, may `ask`, had one `issued`, must
//! `handle` a message of a `device`'s, may `forget` one. `returns` is what came of it, or the code of why not. After each of
//! the operator's steps: `wake_at`, and each device with its end, when it was asked for, and the reference of what waits.

use crate::hex;
use crate::tickets::{Issuer, NOW, device_key, sentence, written};
use iotkm::cose::message::{Acknowledged, Request};
use iotkm::cose::operator::{Entry, Next};
use iotkm::cose::ticket::TICKET_MAX_FFC;
use iotkm::cose::{DeviceKey, IssueError, KeyGroup, Message, Operator, Ticket, TicketAgent};
use iotkm::crypto::Secret;
use iotkm::{Device, Error};
use serde_json::{Value, json};

const DAY: u64 = 86_400;

fn code(error: IssueError) -> i32 {
    match error {
        IssueError::Refused(reason) => reason.code(),
        _ => Error::WrongState.code(),
    }
}

/// An agent's request for a device.
fn request(device: &str, lifetime: u64) -> Vec<u8> {
    let (_, key) = device_key(KeyGroup::X25519, &format!("renewal device {device}"));
    let key = DeviceKey::new(KeyGroup::X25519, &key).expect("its length");
    written(&Message::Request(Request { subject: device, key, scope: "", lifetime }))
}

/// One that works through its steps.
struct Desk {
    issuer: Issuer,
    device: Device,
    agent: TicketAgent,
    blob: (Vec<u8>, u32),
    steps: Vec<Value>,
}

impl Desk {
    fn issue(&mut self, device: &str, lifetime: u64, now: u64) -> Vec<u8> {
        let (asked, mut out) = (request(device, lifetime), [0; TICKET_MAX_FFC]);
        let Ok(Message::Request(read)) = Message::read(&asked) else { unreachable!("it was written here") };
        let issued = self.agent.issue(&*self.issuer.signer, now, &read, &mut out).map(|len| out[..len].to_vec());
        let returns = issued.as_ref().map_or_else(|error| json!(code(*error)), |ticket| json!(hex(ticket)));
        self.steps.push(json!({ "do": "issue", "request": hex(&asked), "now": now, "returns": returns }));
        issued.unwrap_or_default()
    }

    fn revoke(&mut self, serials: &[u32], now: u64) {
        let mut out = [0; 400];
        let issued = self.agent.revoke(&*self.issuer.signer, now, serials, &mut out);
        let returns = issued.map_or_else(|error| json!(code(error)), |len| json!(hex(&out[..len])));
        self.steps.push(json!({ "do": "revoke", "serials": serials, "now": now, "returns": returns }));
    }

    fn seal(&mut self) {
        let mut blob = [0; TicketAgent::BLOB_MAX];
        let (len, version) = self.agent.seal(&self.device, &mut blob).expect("room");
        self.blob = (blob[..len].to_vec(), version);
        self.steps.push(json!({ "do": "seal", "returns": { "blob": hex(&blob[..len]), "version": version } }));
    }

    fn persisted(&mut self) {
        self.agent.persisted();
        self.steps.push(json!({ "do": "persisted" }));
    }

    fn restore(&mut self) {
        self.agent = TicketAgent::restore(&self.device, self.blob.1, &self.blob.0).expect("it opens");
        self.steps.push(json!({ "do": "restore", "floor": self.blob.1, "returns": self.agent.name() }));
    }
}

/// One that works through its steps.
struct Office {
    operator: Operator<[Entry; 2]>,
    steps: Vec<Value>,
}

impl Office {
    fn did(&mut self, mut step: Value, returns: Value) {
        let one = |entry: &Entry| {
            let (asked_at, waiting) = match entry.next() {
                Next::None => (None, None),
                Next::Asked(at) => (Some(at), None),
                Next::Waiting { ticket, .. } => (None, Some(hex(&ticket.0))),
            };
            json!({ "device": entry.name(), "expires": entry.expires(), "asked_at": asked_at, "waiting": waiting })
        };
        let devices: Value = self.operator.entries().iter().filter(|e| **e != Entry::FREE).map(one).collect();
        let state = [("returns", returns), ("wake_at", json!(self.operator.wake_at())), ("devices", devices)];
        step.as_object_mut().expect("an object").extend(state.map(|(name, value)| (name.to_owned(), value)));
        self.steps.push(step);
    }

    fn knows(&mut self, ticket: &[u8]) {
        let known = self.operator.knows(&Ticket::peek(ticket).expect("a ticket"));
        let returns = known.map_or_else(|error| json!(error.code()), |()| json!(true));
        self.did(json!({ "do": "knows", "ticket": hex(ticket) }), returns);
    }

    fn ask(&mut self, now: u64) {
        let asked = json!(self.operator.ask(now));
        self.did(json!({ "do": "ask", "now": now }), asked);
    }

    fn issued(&mut self, ticket: &[u8]) {
        let taken = self.operator.issued(&Ticket::peek(ticket).expect("a ticket"));
        let returns = taken.map_or_else(|error| json!(error.code()), |()| json!(true));
        self.did(json!({ "do": "issued", "ticket": hex(ticket) }), returns);
    }

    fn handle(&mut self, device: &str, message: &[u8]) {
        let done = Message::read(message).map(|read| self.operator.handle(device, &read));
        let returns = done.map_or_else(|reason| json!(reason.code()), |done| json!(done));
        self.did(json!({ "do": "handle", "device": device, "message": hex(message) }), returns);
    }

    fn forget(&mut self, device: &str) {
        self.operator.forget(device);
        self.did(json!({ "do": "forget", "device": device }), Value::Null);
    }
}

fn acknowledged(ticket: &[u8]) -> Vec<u8> {
    let ticket = Ticket::peek(ticket).expect("a ticket").reference();
    written(&Message::Acknowledged(Acknowledged { ticket, list: 0 }))
}

/// All of them.
pub fn vectors() -> Value {
    let [issuer, _] = Issuer::all();
    let secret = sentence("renewal device secret");
    let (name, about) = (issuer.name, issuer.json());
    let agent = TicketAgent::new(name).expect("a name");
    let device = Device::new(Secret::new(secret));
    let mut desk = Desk { issuer, device, agent, blob: (Vec::new(), 0), steps: Vec::new() };
    desk.issue("lamp", 30 * DAY, NOW);
    desk.revoke(&[], NOW);
    desk.seal();
    desk.issue("lamp", 30 * DAY, NOW);
    desk.persisted();
    let lamp = desk.issue("lamp", 30 * DAY, NOW);
    let plug = desk.issue("plug", 20 * DAY, NOW);
    let switch = desk.issue("switch", 20 * DAY, NOW);
    desk.issue("lamp", u64::MAX, NOW);
    desk.revoke(&[2, 1], NOW);
    desk.revoke(&[1, 2], NOW);
    let next = desk.issue("lamp", 30 * DAY, NOW + 25 * DAY);
    desk.restore();
    desk.issue("lamp", 30 * DAY, NOW);
    desk.seal();
    desk.persisted();
    desk.issue("lamp", 30 * DAY, NOW);
    desk.revoke(&[3], NOW);

    let (lead, retry) = (7 * DAY, DAY);
    let mut office = Office { operator: Operator::new([Entry::FREE; 2], lead, retry), steps: Vec::new() };
    let later = NOW + 25 * DAY;
    office.knows(&lamp);
    office.knows(&plug);
    office.knows(&switch);
    office.ask(NOW);
    office.ask(later);
    office.ask(later);
    office.ask(later);
    office.ask(later + DAY);
    office.issued(&lamp);
    office.issued(&switch);
    office.issued(&next);
    office.handle("lamp", &acknowledged(&lamp));
    office.handle("plug", &acknowledged(&next));
    office.handle("lamp", &[1]);
    office.handle("lamp", &acknowledged(&next));
    office.handle("lamp", &acknowledged(&next));
    office.forget("plug");
    office.knows(&switch);
    office.knows(&lamp);
    json!({
        "agent": about,
        "device_secret": hex(&secret),
        "ticket_agent": desk.steps,
        "operator": { "capacity": 2, "lead": lead, "retry": retry, "steps": office.steps },
    })
}
