//! Makes the vectors: a life of two devices for each suite, pairings, small networks.

use crate::hex;
use crate::node::{Node, Source};
use serde_json::{Value, json};

/// A vector in the making.
pub(crate) struct Maker {
    pub(crate) nodes: [Node; 2],
    pub(crate) steps: Vec<Value>,
    pub(crate) now: u64,
    /// By how much each node's clock is behind.
    pub(crate) behind: [u64; 2],
    pub(crate) flying: Vec<(usize, Value)>,
}

const NAMES: [&str; 2] = ["a", "b"];

impl Maker {
    pub(crate) fn new(a: &Value, b: &Value) -> Self {
        let nodes = [Node::new(a, Source::Noted(1, Vec::new())), Node::new(b, Source::Noted(1_001, Vec::new()))];
        Self { nodes, steps: Vec::new(), now: 1_000, behind: [0; 2], flying: Vec::new() }
    }

    /// What this node's clock says.
    pub(crate) fn time(&self, node: usize) -> u64 {
        self.now - self.behind[node]
    }

    /// One call and all that comes of it; what it returned.
    pub(crate) fn step(&mut self, node: usize, verb: &str, args: Value) -> Value {
        self.now += 5;
        let mut step = json!({ "now": self.time(node), "node": NAMES[node], "do": verb });
        let fields = step.as_object_mut().expect("an object");
        fields.extend(args.as_object().cloned().unwrap_or_default());
        let step_so_far = step.clone();
        let now = self.time(node);
        let n = &mut self.nodes[node];
        let returns = n.call(&step_so_far);
        let (outputs, wake) = n.drain(now);
        let Source::Noted(_, draws) = &mut n.source else { panic!("noted") };
        let random: Vec<Value> = std::mem::take(draws).iter().map(|d| hex(d)).collect();
        for output in &outputs {
            if output.get("datagram").is_some() {
                self.flying.push((1 - node, output["bytes"].clone()));
            }
        }
        let fields = step.as_object_mut().expect("an object");
        fields.insert("random".into(), random.into());
        fields.insert("returns".into(), returns.clone());
        fields.insert("outputs".into(), outputs.into());
        fields.insert("wake".into(), wake.into());
        self.steps.push(step);
        returns
    }

    /// Delivers everything until nothing flies.
    pub(crate) fn deliver(&mut self) {
        while !self.flying.is_empty() {
            self.deliver_one();
        }
    }

    pub(crate) fn deliver_one(&mut self) {
        let (to, bytes) = self.flying.remove(0);
        self.step(to, "input", json!({ "bytes": bytes }));
    }

    /// The blob that this node stored last.
    pub(crate) fn stored(&self, node: usize) -> Value {
        let of_node = self.steps.iter().rev().filter(|s| s["node"] == NAMES[node]);
        let mut outputs = of_node.flat_map(|s| s["outputs"].as_array().into_iter().flatten().rev());
        outputs.find(|o| o.get("persist").is_some()).expect("something stored")["bytes"].clone()
    }

    pub(crate) fn say(&mut self, from: usize, payload: &[u8]) {
        let sent = self.step(from, "send", json!({ "payload": hex(payload) }));
        self.step(1 - from, "input", json!({ "bytes": sent["bytes"] }));
        self.deliver();
    }

    pub(crate) fn finish(self, name: &str, a: Value, b: Value) -> Value {
        json!({ "name": name, "a": a, "b": b, "steps": self.steps })
    }
}

fn nodes(suite: &str) -> (Value, Value) {
    let about = |id: &str, peer: &str, other: &str, place: &str, device: u8| {
        json!({
            "id": hex(id.as_bytes()), "peer": hex(peer.as_bytes()), "other": other, "suite": suite,
            "device": hex(&[device; 32]), "place": hex(place.as_bytes()), "wall": 1_750_000_000_000u64,
            "sk": hex(&[0x11; 32]), "t": hex(&[0x22; 32]), "li": hex(&[0x33; 32]),
        })
    };
    (about("sensor-1", "gateway", "b", "roof", 0xa1), about("gateway", "sensor-1", "a", "cellar", 0xb2))
}

pub(crate) fn with(mut about: Value, more: Value) -> Value {
    about.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    about
}

/// Exchange, data, an update by the responder, the next session, an exporter, a restart that resumes.
fn life(name: &str, a: Value, b: Value) -> Value {
    let mut m = Maker::new(&a, &b);
    m.step(0, "connect", json!({}));
    m.deliver();
    assert!(m.nodes.iter_mut().all(Node::is_established), "{name}");
    m.say(0, b"21.5 C");
    m.say(1, b"thanks");
    m.say(0, b"21.6 C");
    m.step(1, "update", json!({}));
    m.deliver();
    assert!(m.nodes.iter_mut().all(Node::is_established), "{name}");
    m.say(0, b"after the update");
    for node in 0..2 {
        m.step(node, "exporter", json!({ "label": hex(b"mqtt"), "context": hex(b"room 5") }));
    }
    let blob = m.step(0, "export", json!({}));
    m.step(0, "restart", json!({ "bytes": blob["bytes"] }));
    m.deliver();
    m.say(0, b"back again");
    m.say(1, b"welcome");
    m.finish(name, a, b)
}

/// The first message is lost, the answer comes late: what a timer does.
fn loss(name: &str, a: Value, b: Value) -> Value {
    let mut m = Maker::new(&a, &b);
    m.step(0, "connect", json!({}));
    m.flying.clear();
    m.now += 1_000;
    m.step(0, "timeout", json!({}));
    let (_, c1) = m.flying[0].clone();
    m.deliver();
    m.step(1, "input", json!({ "bytes": c1 }));
    m.say(1, b"late, but here");
    m.finish(name, a, b)
}

/// Runs above 15, by restarts: numbers are reserved 16 at a time.
fn run_numbers(name: &str, a: Value, b: Value) -> Value {
    let mut m = Maker::new(&a, &b);
    for text in [&b"run 0"[..], b"run 16", b"run 32"] {
        m.step(0, "connect", json!({}));
        m.deliver();
        m.say(0, text);
        m.say(1, text);
        m.step(0, "restart", json!({}));
    }
    m.step(1, "connect", json!({}));
    m.deliver();
    m.say(1, b"the other's run 0");
    m.finish(name, a, b)
}

/// Keys that are used up after three records.
fn rekeying(name: &str, a: Value, b: Value) -> Value {
    let three = json!({ "rekey_after": 3 });
    let (a, b) = (with(a, three.clone()), with(b, three));
    let mut m = Maker::new(&a, &b);
    m.step(0, "connect", json!({}));
    m.deliver();
    for from in [0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0] {
        m.say(from, b"one of many");
    }
    m.finish(name, a, b)
}

/// Either side goes on from a stored session; the one that lost its log refuses to update from a record of before.
fn resume(name: &str, a: Value, b: Value) -> Value {
    let mut m = Maker::new(&a, &b);
    for node in [1, 0] {
        m.step(node, "connect", json!({})); // stores
        m.deliver();
    }
    for node in [1, 0] {
        m.say(0, b"before");
        m.say(0, b"before again");
        let blob = m.step(node, "export", json!({}));
        m.step(node, "restart", json!({ "bytes": blob["bytes"] }));
        m.deliver();
        m.say(node, b"after");
        m.say(1 - node, b"after that");
    }
    let asked = m.steps.len();
    m.step(1, "update", json!({}));
    m.deliver();
    let asks = m.steps[asked..].iter().filter(|s| s["random"][0].as_str().is_some_and(|r| r.len() == 6)).count();
    assert!(asks > 1 && m.nodes.iter_mut().all(Node::is_established), "{name}: one refused, one answered: {asks}");
    m.say(0, b"updated");
    m.finish(name, a, b)
}

/// A peer that is put back to before an update hears that its triple is gone.
fn gone(name: &str, a: Value, b: Value) -> Value {
    let mut m = Maker::new(&a, &b);
    m.step(0, "connect", json!({}));
    m.deliver();
    m.say(1, b"to update from");
    let old = m.stored(0);
    m.step(0, "update", json!({}));
    m.deliver();
    m.say(0, b"updated");
    m.step(0, "restart", json!({ "peer": old }));
    m.step(0, "connect", json!({}));
    m.deliver();
    assert!(m.steps.last().is_some_and(|s| s["outputs"].to_string().contains("pair_again")), "{name}");
    m.finish(name, a, b)
}

/// CLOSE is lost with the answerer's memory, perhaps even what it had stored: the next exchange is under the current
/// triple, and what becomes of the pending one is asked in it.
fn close_again(name: &str, a: Value, b: Value, put_back: bool) -> Value {
    let mut m = Maker::new(&a, &b);
    m.step(0, "connect", json!({}));
    m.deliver();
    m.say(0, b"to update from");
    let old = m.stored(0);
    m.step(1, "update", json!({}));
    while !m.steps.last().is_some_and(|s| s["outputs"].to_string().contains("update_agreed")) {
        m.deliver_one();
    }
    m.flying.clear();
    m.step(0, "restart", if put_back { json!({ "peer": old }) } else { json!({}) });
    m.step(0, "connect", json!({}));
    m.deliver();
    let saw = |what: &str| m.steps.iter().any(|s| s["outputs"].to_string().contains(what));
    assert!(saw("update_failed") == put_back && saw("key_replaced") != put_back, "{name}");
    m.say(0, b"one triple again");
    m.finish(name, a, b)
}

fn pairing(name: &str, cpace: &str) -> Value {
    let (a, b) = nodes("0");
    let (a, b) = (with(a, json!({ "cpace": cpace })), with(b, json!({ "cpace": cpace })));
    let mut m = Maker::new(&a, &b);
    m.step(1, "listen", json!({ "secret": hex("correct horse".as_bytes()), "window": 60_000 }));
    m.step(0, "start", json!({ "secret": hex("correct horse".as_bytes()) }));
    m.deliver();
    assert!(m.steps.iter().filter(|s| s["outputs"].to_string().contains("paired")).count() == 2, "{name}");
    m.finish(name, a, b)
}

/// All vectors: file name and contents.
pub fn all() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for suite in ["0", "0_symmetric", "1", "2", "2_symmetric", "3", "4", "4_symmetric", "5"] {
        let (a, b) = nodes(suite);
        all.push((format!("history-life-suite-{suite}"), life(&format!("a life with suite {suite}"), a, b)));
    }
    let (a, b) = nodes("0_symmetric");
    for (name, make) in [
        ("run-numbers", run_numbers as fn(&str, Value, Value) -> Value),
        ("rekeying", rekeying),
        ("resume", resume),
        ("gone", gone),
    ] {
        all.push((format!("history-{name}"), make(name, a.clone(), b.clone())));
    }
    let (close, back) = ("close again under the current triple", "an answerer that was put back");
    all.push(("history-close-again".into(), close_again(close, a.clone(), b.clone(), false)));
    all.push(("history-put-back".into(), close_again(back, a.clone(), b.clone(), true)));
    all.push(("history-loss".into(), loss("a lost first message and a late copy", a.clone(), b.clone())));
    let psk = json!({ "psk": hex(&[0x44; 32]) });
    all.push(("history-psk".into(), life("a psk from elsewhere", with(a, psk.clone()), with(b, psk.clone()))));
    let (a, b) = nodes("0");
    all.push(("history-dh-psk".into(), life("Diffie-Hellman and a psk", with(a, psk.clone()), with(b, psk))));
    let (a, b) = nodes("0");
    let (a, b) = (with(a, json!({ "mtu": 48, "cid": "a1" })), with(b, json!({ "mtu": 48, "cid": "b1b2b3b4" })));
    all.push(("history-small-mtu".into(), life("datagrams of 48 bytes, connection ids", a, b)));
    all.push(("history-pairing-ristretto255".into(), pairing("pairing on ristretto255", "ristretto255")));
    all.push(("history-pairing-p256".into(), pairing("pairing on P-256", "p256")));
    all.extend(crate::interactive::all());
    all.extend(crate::noninteractive::all());
    all.extend(crate::microcert::all());
    all
}
