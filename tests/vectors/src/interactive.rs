//! Makes the vectors of the interactive scheme.

use crate::hex;
use crate::make::{Maker, with};
use crate::node::{Node, suite};
use iotkm::cose::{Claims, DeviceKey, KeyGroup, Ticket};
use iotkm::crypto::sign::{Ed25519Key, Signer};
use iotkm::crypto::{Dh, Rng, RngError, Secret};
use iotkm::interactive::wire::message;
use serde_json::{Value, json};

const NAMES: [&str; 2] = ["sensor-1", "gateway"];
/// When tickets were issued; the nodes' clocks are later.
const ISSUED: u64 = 1_740_000_000;

struct Fixed(u8);

impl Rng for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        out.fill(self.0);
        Ok(())
    }
}

fn agent() -> Ed25519Key {
    Ed25519Key::new(Secret::new([0xa9; 32]))
}

/// The static key of this node in a group: the scalar, the share.
fn key(who: usize, group: &dyn Dh) -> (Secret<32>, Vec<u8>) {
    let (mut scalar, mut share) = (Secret::zero(), vec![0; group.share_len()]);
    group.generate(&mut Fixed(0x51 + who as u8), &mut scalar, &mut share).expect("drawn");
    (scalar, share)
}

fn ticket(who: usize, number: &str, serial: u32, expires: u64) -> Vec<u8> {
    let group = match number {
        "0" | "1" | "4" => KeyGroup::X25519,
        "2" | "3" | "5" => KeyGroup::P256,
        "-21" => KeyGroup::Ffc2048,
        _ => KeyGroup::Ffc3072,
    };
    let (_, share) = key(who, suite(number).dh.expect("a group"));
    let key = DeviceKey::new(group, &share).expect("its length");
    let (issuer, subject, issued_at) = ("acme", NAMES[who], ISSUED);
    let claims = Claims { issuer, subject, expires, not_before: None, issued_at, serial, key, scope: "lab" };
    let mut out = [0; 640];
    let len = Ticket::issue(&agent(), &claims, &mut out).expect("issued");
    out[..len].to_vec()
}

/// Both nodes; `numbers` are their suites, favourite first.
fn nodes(numbers: &[&str]) -> (Value, Value) {
    let public = agent().public_key().expect("in memory");
    let [a, b] = [0, 1].map(|who| {
        let (scalar, _) = key(who, suite(numbers[0]).dh.expect("a group"));
        json!({
            "agent": hex(b"acme"), "agent_key": hex(public.as_bytes()),
            "id": hex(NAMES[who].as_bytes()), "peer": hex(NAMES[1 - who].as_bytes()), "other": if who == 0 { "b" } else { "a" },
            "suites": numbers, "device": hex(&(if who == 0 { [0xa1; 32] } else { [0xb2; 32] })), "wall": 1_750_000_000_000u64,
            "key": hex(scalar.expose()), "ticket": hex(&ticket(who, numbers[0], who as u32 + 1, ISSUED + 100_000_000)),
        })
    });
    (a, b)
}

fn both(m: &mut Maker, name: &str) {
    assert!(m.nodes.iter_mut().all(Node::is_established), "{name}");
}

/// What the vector is for: a message of this number was sent.
fn said(m: &Maker, message: u8, name: &str) {
    let begins = format!("\"11{message:x}");
    assert!(m.steps.iter().any(|step| step["outputs"].to_string().contains(&begins)), "{name}");
}

fn run(m: &mut Maker, node: usize, verb: &str, name: &str) {
    m.step(node, verb, json!({}));
    m.deliver();
    both(m, name);
}

/// Both phases by value; data; phase 2 by either side; a ping; phase 1 again, by reference; an exporter; a restart that
/// resumes.
fn life(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    run(&mut m, 0, "connect", name);
    m.say(0, b"21.5 C");
    m.say(1, b"thanks");
    run(&mut m, 0, "connect", name);
    run(&mut m, 1, "connect", name);
    m.say(1, b"under the next keys");
    run(&mut m, 0, "ping", name);
    run(&mut m, 1, "ping", name);
    run(&mut m, 1, "authenticate", name);
    m.say(0, b"under another PMK");
    for node in 0..2 {
        m.step(node, "exporter", json!({ "label": hex(b"mqtt"), "context": hex(b"room 5") }));
    }
    for node in 0..2 {
        let blob = m.step(node, "export", json!({}));
        m.step(node, "restart", json!({ "bytes": blob["bytes"] }));
        m.deliver();
        m.say(node, b"back again");
        m.say(1 - node, b"welcome");
    }
    m.finish(name, a, b)
}

/// K1 and K3 are lost, K4 comes late: what timers do.
fn loss(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    run(&mut m, 0, "connect", name);
    for lost in 0..4 {
        m.step(lost % 2, "connect", json!({}));
        (0..lost).for_each(|_| m.deliver_one());
        m.flying.clear();
        m.now += 1_000;
        m.step(lost % 2, "timeout", json!({}));
        let again = m.flying.first().cloned();
        m.deliver();
        if let Some((to, bytes)) = again {
            m.step(to, "input", json!({ "bytes": bytes }));
            m.deliver();
        }
        m.say(0, b"late, but here");
        m.say(1, b"so it is");
    }
    m.finish(name, a, b)
}

/// A side that was put back to before a phase 2 hears that its PMK is gone, and begins phase 1.
fn gone(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    run(&mut m, 0, "connect", name);
    let old = m.stored(0);
    run(&mut m, 0, "connect", name);
    m.step(0, "restart", json!({ "peer": old }));
    run(&mut m, 0, "connect", name);
    said(&m, message::GONE, name);
    m.say(0, b"one PMK again");
    m.finish(name, a, b)
}

/// A side that lost its power after K1 asks with an attempt that was answered: refused, and asked above it.
fn refuse(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    run(&mut m, 0, "connect", name);
    let old = m.stored(0);
    m.step(0, "connect", json!({}));
    m.deliver_one();
    m.flying.clear();
    m.step(0, "restart", json!({ "peer": old }));
    run(&mut m, 0, "connect", name);
    said(&m, message::REFUSE, name);
    m.say(1, b"refused, and asked again");
    m.finish(name, a, b)
}

/// S has forgotten A's ticket: HINT, and M1 with the ticket.
fn hint(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    run(&mut m, 0, "connect", name);
    m.step(1, "restart", json!({ "peer": "" }));
    run(&mut m, 0, "authenticate", name);
    said(&m, message::HINT, name);
    m.say(0, b"by value after all");
    m.finish(name, a, b)
}

/// The next tickets of both go to the peer on the living association; then phase 1 by their references.
fn renewal(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    run(&mut m, 0, "connect", name);
    for who in [0, 1] {
        let next = ticket(who, "2", who as u32 + 11, ISSUED + 200_000_000);
        m.step(who, "install", json!({ "ticket": hex(&next) }));
        m.deliver();
        m.say(who, b"the same session");
    }
    run(&mut m, 1, "authenticate", name);
    m.say(0, b"by the new references");
    m.finish(name, a, b)
}

/// Both start at once, in phase 1 and in phase 2.
fn glare(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    for verb in ["connect", "connect", "authenticate"] {
        m.step(0, verb, json!({}));
        m.step(1, verb, json!({}));
        m.deliver();
        both(&mut m, name);
        m.say(0, b"one of them");
        m.say(1, b"went on");
    }
    m.finish(name, a, b)
}

/// All vectors: file name and contents.
pub fn all() -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> = Vec::new();
    let mut add = |file: &str, vector: Value| all.push((format!("interactive/{file}"), vector));
    for number in ["0", "1", "2", "3", "4", "5", "-21", "-22"] {
        let name = format!("a life with suite {number}");
        add(&format!("life-suite-{}", number.replace('-', "minus-")), life(&name, nodes(&[number])));
    }
    add("loss", loss("lost and late messages", nodes(&["2"])));
    add("gone", gone("a side that was put back", nodes(&["2"])));
    add("refuse", refuse("an attempt that was answered", nodes(&["2"])));
    add("hint", hint("a ticket that was forgotten", nodes(&["2"])));
    add("renewal", renewal("new tickets", nodes(&["2"])));
    add("glare", glare("both at once", nodes(&["2"])));
    let ((a, b), psk) = (nodes(&["0"]), json!({ "psk": hex(&[0x44; 32]) }));
    add("psk", life("a psk from elsewhere", (with(a, psk.clone()), with(b, psk))));
    let (a, b) = nodes(&["4", "0"]);
    let other = json!({ "suites": ["1", "0"], "life": 3_600 });
    add("suites", life("the first of A's suites that S has", (a, with(b, other))));
    let (a, b) = nodes(&["2"]);
    let (a, b) = (with(a, json!({ "mtu": 64, "cid": "a1" })), with(b, json!({ "mtu": 64, "cid": "b1b2b3b4" })));
    add("small-mtu", life("datagrams of 64 bytes, connection ids", (a, b)));
    all
}
