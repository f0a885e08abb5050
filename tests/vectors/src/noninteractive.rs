//! Makes the vectors of the noninteractive scheme.

use crate::credentials::{ISSUED, Office, lists};
use crate::hex;
use crate::make::{Maker, with};
use crate::node::Node;
use iotkm::cose::RevocationList;
use serde_json::{Value, json};

const NAMES: [&str; 2] = ["sensor-1", "gateway"];
/// Hours.
const LIFE: u16 = 20_000;
/// An epoch, in ms.
const EPOCH: u64 = 60_000;

/// Both nodes, with credentials of one operator: a's by split issue, b's as printed.
fn nodes(number: &str) -> (Value, Value) {
    let mut office = Office::new(number);
    let [a, b] = [0, 1].map(|who| {
        let issued = office.issue(NAMES[who], LIFE, who == 0);
        json!({
            "operator": hex(b"acme"), "operator_key": office.about["key"], "lists_key": office.about["lists_key"],
            "id": hex(NAMES[who].as_bytes()), "peer": hex(NAMES[1 - who].as_bytes()), "other": if who == 0 { "b" } else { "a" },
            "suite": number, "device": hex(&(if who == 0 { [0xa1; 32] } else { [0xb2; 32] })), "wall": 1_750_000_000_000u64,
            "key": issued["x"], "credential": issued["credential"], "interval": 60, "length": 40,
        })
    });
    (a, b)
}

fn both(m: &mut Maker, name: &str) {
    assert!(m.nodes.iter_mut().all(Node::is_established), "{name}");
}

/// What the vector is for: a message of this number was sent.
fn said(m: &Maker, message: u8, name: &str) {
    let begins = format!("\"12{message:x}");
    assert!(m.steps.iter().any(|step| step["outputs"].to_string().contains(&begins)), "{name}");
}

fn told(m: &Maker, event: &str, times: usize, name: &str) {
    let of = |step: &&Value| step["outputs"].to_string().contains(&format!("\"{event}\""));
    let got = m.steps.iter().filter(of).count();
    if got != times {
        for s in &m.steps {
            let o: Vec<String> = s["outputs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|o| {
                    if o.get("bytes").is_some() {
                        format!(
                            "{}{}",
                            if o.get("persist").is_some() { "P" } else { "D" },
                            &o["bytes"].as_str().unwrap()[..4]
                        )
                    } else {
                        o.to_string()
                    }
                })
                .collect();
            eprintln!(
                "{} {} {} {} -> {:?} wake {}",
                s["now"],
                s["node"],
                s["do"],
                s["returns"].to_string().len(),
                o,
                s["wake"]
            );
        }
    }
    assert_eq!(got, times, "{name}: {event}");
}

fn connect(m: &mut Maker, node: usize, name: &str) {
    m.step(node, "connect", json!({}));
    m.deliver();
    both(m, name);
}

/// A node's timer, as often as it is due, and what comes of it.
fn timers(m: &mut Maker, node: usize) {
    for _ in 0..4 {
        let last = m.steps.iter().rev().find(|step| step["node"] == ["a", "b"][node]);
        let due = last.and_then(|step| step["wake"].as_u64()).is_some_and(|at| at <= m.time(node));
        if due {
            m.step(node, "timeout", json!({}));
            m.deliver();
        }
    }
}

/// Epochs go by for both, one after the other.
fn epochs(m: &mut Maker, count: u64) {
    m.now += count * EPOCH;
    timers(m, 0);
    timers(m, 1);
}

/// This node's clock stands still while epochs go by for the other; then the other says something.
fn sleep(m: &mut Maker, node: usize, count: u64) {
    m.now += count * EPOCH;
    m.behind[node] += count * EPOCH;
    timers(m, 1 - node);
    m.say(1 - node, b"are you there?");
    timers(m, node);
    timers(m, 1 - node);
    timers(m, node);
}

fn talk(m: &mut Maker, name: &str) {
    for (from, text) in [(0, &b"21.5 C"[..]), (1, b"thanks")] {
        let sent = m.step(from, "send", json!({ "payload": hex(text) }));
        m.step(1 - from, "input", json!({ "bytes": sent["bytes"] }));
        let heard = m.steps.last().map(|step| step["returns"]["payload"] == hex(text));
        assert_eq!(heard, Some(true), "{name}");
        m.deliver();
    }
}

/// Handshake by value; epochs by both clocks, by a record, over a jump, by LAG; an exporter; a restart that resumes, from
/// storage and from an exported session; the last epoch and the end; a handshake by reference.
fn life(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    connect(&mut m, 0, name);
    talk(&mut m, name);
    epochs(&mut m, 1);
    talk(&mut m, name);
    // a is in the next epoch, b hears it from a's record.
    m.now += EPOCH;
    timers(&mut m, 0);
    talk(&mut m, name);
    timers(&mut m, 1);
    epochs(&mut m, 4);
    talk(&mut m, name);
    sleep(&mut m, 1, 3);
    said(&m, 5, name);
    talk(&mut m, name);
    for node in 0..2 {
        m.step(node, "exporter", json!({ "label": hex(b"mqtt"), "context": hex(b"room 5") }));
    }
    for node in 0..2 {
        m.step(node, "restart", json!({}));
        m.step(node, "go_on", json!({}));
        m.deliver();
        timers(&mut m, 1 - node);
        talk(&mut m, name);
        epochs(&mut m, 2);
        talk(&mut m, name);
    }
    let blob = m.step(0, "export", json!({}));
    m.step(0, "restart", json!({ "bytes": blob["bytes"] }));
    m.deliver();
    talk(&mut m, name);
    told(&m, "resumed", 6, name);
    let begun = m.steps.iter().flat_map(|step| step["outputs"].as_array().into_iter().flatten());
    let newest = begun.filter_map(|output| output["generation"].as_u64()).max().expect("an epoch");
    epochs(&mut m, 40 - newest);
    told(&m, "rekey_needed", 2, name);
    talk(&mut m, name);
    epochs(&mut m, 1);
    told(&m, "terminated", 2, name);
    connect(&mut m, 1, name);
    talk(&mut m, name);
    m.finish(name, a, b)
}

/// Each message of the handshake is lost once, and comes late: what timers do.
fn loss(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    connect(&mut m, 0, name);
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
        both(&mut m, name);
        talk(&mut m, name);
    }
    m.finish(name, a, b)
}

/// S has forgotten A's credential: HINT, and M1 with it.
fn hint(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    connect(&mut m, 0, name);
    m.step(1, "restart", json!({ "peer": "" }));
    connect(&mut m, 0, name);
    said(&m, 9, name);
    talk(&mut m, name);
    m.finish(name, a, b)
}

/// Restarts: from older storage, with the other side some epochs ahead; the answering side is the one behind; both at once.
fn resume(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    connect(&mut m, 0, name);
    let old = m.stored(0);
    epochs(&mut m, 1);
    epochs(&mut m, 1);
    talk(&mut m, name);
    // a is put back by two epochs, and has slept.
    m.step(0, "restart", json!({ "peer": old }));
    m.step(0, "go_on", json!({}));
    m.deliver();
    timers(&mut m, 1);
    talk(&mut m, name);
    // b, who answers, has slept: a says so.
    m.now += 3 * EPOCH;
    m.behind[1] += 3 * EPOCH;
    timers(&mut m, 0);
    m.step(0, "restart", json!({}));
    m.step(0, "go_on", json!({}));
    m.deliver();
    timers(&mut m, 1);
    timers(&mut m, 0);
    said(&m, 5, name);
    talk(&mut m, name);
    // Both at once.
    for node in [0, 1] {
        m.step(node, "restart", json!({}));
    }
    for node in [0, 1] {
        m.step(node, "go_on", json!({}));
    }
    m.deliver();
    for node in [0, 1] {
        timers(&mut m, node);
    }
    both(&mut m, name);
    talk(&mut m, name);
    epochs(&mut m, 1);
    talk(&mut m, name);
    m.finish(name, a, b)
}

/// Epochs that are used up after three records.
fn records(name: &str, (a, b): (Value, Value)) -> Value {
    let three = json!({ "rekey_after": 3 });
    let (a, b) = (with(a, three.clone()), with(b, three));
    let mut m = Maker::new(&a, &b);
    connect(&mut m, 0, name);
    for from in [0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0] {
        m.say(from, b"one of many");
        timers(&mut m, from);
        timers(&mut m, 1 - from);
    }
    talk(&mut m, name);
    m.finish(name, a, b)
}

/// No psk here, a psk there; a credential that is revoked, in a session and in M1; one that is over.
fn refusal(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    connect(&mut m, 0, name);
    let mut out = [0; 200];
    let len = RevocationList::issue(&lists(), "acme", ISSUED.into(), 1, &[1], &mut out).expect("room");
    m.step(1, "revoke", json!({ "list": hex(&out[..len]) }));
    told(&m, "terminated", 1, name);
    m.step(0, "connect", json!({}));
    m.deliver();
    said(&m, 9, name);
    m.finish(name, a, b)
}

fn psk_on_one_side(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    m.step(0, "connect", json!({}));
    m.deliver();
    m.step(1, "connect", json!({}));
    m.deliver();
    said(&m, 9, name);
    assert!(!m.nodes[0].is_established() && !m.nodes[1].is_established());
    m.finish(name, a, b)
}

/// Both start at once.
fn glare(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    for _ in 0..2 {
        m.step(0, "connect", json!({}));
        m.step(1, "connect", json!({}));
        m.deliver();
        both(&mut m, name);
        talk(&mut m, name);
    }
    m.finish(name, a, b)
}

/// A new credential with a new key: the session goes on under the old one, the next handshake is by value under the new.
fn renewal(name: &str, (a, b): (Value, Value), next: &Value) -> Value {
    let mut m = Maker::new(&a, &b);
    connect(&mut m, 0, name);
    m.step(0, "install", json!({ "credential": next["credential"] }));
    talk(&mut m, name);
    epochs(&mut m, 1);
    talk(&mut m, name);
    connect(&mut m, 1, name);
    talk(&mut m, name);
    epochs(&mut m, 1);
    talk(&mut m, name);
    m.finish(name, a, b)
}

/// All vectors: file name and contents.
pub fn all() -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> = Vec::new();
    let mut add = |file: &str, vector: Value| all.push((format!("noninteractive/{file}"), vector));
    for number in ["0", "1", "2", "3", "4", "5", "-21", "-22"] {
        let name = format!("a life with suite {number}");
        add(&format!("life-suite-{}", number.replace('-', "minus-")), life(&name, nodes(number)));
    }
    add("loss", loss("lost and late messages", nodes("2")));
    add("hint", hint("a credential that was forgotten", nodes("2")));
    add("resume", resume("restarts", nodes("0")));
    add("records", records("epochs of three records", nodes("2")));
    add("refusal", refusal("a revoked credential", nodes("2")));
    add("glare", glare("both at once", nodes("2")));
    let psk = json!({ "psk": hex(&[0x44; 32]) });
    let (a, b) = nodes("0");
    add("psk", life("a psk from elsewhere", (with(a, psk.clone()), with(b, psk.clone()))));
    let (a, b) = nodes("2");
    add("psk-on-one-side", psk_on_one_side("a psk on one side only", (with(a, psk), b)));
    let (a, b) = nodes("2");
    let (a, b) = (with(a, json!({ "mtu": 64, "cid": "a1" })), with(b, json!({ "mtu": 64, "cid": "b1b2b3b4" })));
    add("small-mtu", life("datagrams of 64 bytes, connection ids", (a, b)));
    let mut office = Office::new("2");
    let _first_two = [0, 1].map(|who| office.issue(NAMES[who], LIFE, who == 0));
    let next = office.issue(NAMES[0], LIFE + 1, true);
    let (a, b) = nodes("2");
    let a = with(a, json!({ "next_key": next["x"] }));
    add("renewal", renewal("a new credential", (a, b), &next));
    // F of 90 s ends in the second epoch, whatever l says; neither knows the other's name or the time.
    let stranger = |mut about: Value| {
        about.as_object_mut().expect("an object").retain(|key, _| key != "peer");
        with(about, json!({ "wall": null, "life": 90 }))
    };
    let (a, b) = nodes("4");
    add("anybody", anybody("whoever comes first", (stranger(a), stranger(b))));
    all
}

fn anybody(name: &str, (a, b): (Value, Value)) -> Value {
    let mut m = Maker::new(&a, &b);
    connect(&mut m, 0, name);
    talk(&mut m, name);
    epochs(&mut m, 1);
    told(&m, "rekey_needed", 2, name);
    talk(&mut m, name);
    epochs(&mut m, 1);
    told(&m, "terminated", 2, name);
    connect(&mut m, 1, name);
    talk(&mut m, name);
    m.finish(name, a, b)
}
