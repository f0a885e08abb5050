//! Makes the vectors of the microcert scheme: a is the device, b the centre.

use crate::hex;
use crate::make::{Maker, with};
use serde_json::{Value, json};

const DAY: u64 = 86_400_000;
/// 2026-02-20 01:06:40 UTC.
const WALL: u64 = 1_771_549_600_000;

fn nodes(number: &str) -> (Value, Value) {
    let suite = format!("{number}_symmetric");
    let keys: Vec<u8> = (0..96).collect();
    let device = json!({
        "chip": { "seed": 1, "state": 2 }, "id": hex(b"lamp"), "other": "b", "suite": suite,
        "device": hex(&[0xa1; 32]), "wall": WALL,
    });
    let centre = json!({
        "id": hex(b"city centre"), "other": "a", "suites": [suite], "device": hex(&[0xb2; 32]), "wall": WALL,
        "keys": hex(&keys), "cid": "b1",
    });
    (device, centre)
}

/// A vector in the making, and who is in it.
struct Town {
    m: Maker,
    name: String,
    a: Value,
    b: Value,
}

impl Town {
    /// A device that is enrolled and opened.
    fn new(name: &str, (a, b): (Value, Value), clockless: bool, confirmed: bool) -> Self {
        let mut town = Self { m: Maker::new(&a, &b), name: name.into(), a, b };
        let (id, suite) = (town.a["id"].clone(), town.a["suite"].clone());
        let invitation = town.m.step(1, "invite", json!({ "id": id, "suite": suite, "clockless": clockless }));
        let deposit = town.m.step(0, "enrol", json!({ "bytes": invitation["bytes"] }));
        let done = town.m.step(1, "enrol", json!({ "bytes": deposit["bytes"] }));
        if confirmed {
            town.m.step(0, "confirm", json!({ "bytes": done["bytes"] }));
        } else {
            let again = town.m.step(1, "enrol", json!({ "bytes": deposit["bytes"] }));
            assert_eq!(done["id"], again["id"]);
        }
        town.m.step(0, "open", json!({}));
        town
    }

    /// The device's or the centre's call, and all that is said after it.
    fn run(&mut self, node: usize, verb: &str) -> Value {
        let args = if node == 1 { json!({ "id": self.a["id"] }) } else { json!({}) };
        let returns = self.m.step(node, verb, args);
        self.m.deliver();
        returns
    }

    /// How often an event is in the vector from this step on.
    fn count(&self, from: usize, node: &str, event: &str) -> usize {
        let steps = self.m.steps[from..].iter().filter(|step| step["node"] == node);
        let outputs = steps.flat_map(|step| step["outputs"].as_array().into_iter().flatten());
        outputs.filter(|output| output["event"] == event || output["reason"] == event).count()
    }

    /// A call of the device's, and what must be told on either side.
    fn tells(&mut self, verb: &str, device: &[&str], centre: &[&str]) {
        let from = self.m.steps.len();
        self.run(0, verb);
        self.told(from, device, centre);
    }

    fn told(&self, from: usize, device: &[&str], centre: &[&str]) {
        for (node, events) in [("a", device), ("b", centre)] {
            for event in events {
                assert!(self.count(from, node, event) > 0, "{}: {node} tells not of {event}", self.name);
            }
        }
    }

    fn well(&mut self) {
        let from = self.m.steps.len();
        self.tells("authenticate", &["authenticated"], &[]);
        assert_eq!(self.count(from, "b", "challenged"), 0, "{}", self.name);
    }

    fn talk(&mut self) {
        self.m.say(0, b"21.5 degrees");
        self.m.say(1, b"light");
        let heard = self.m.steps.iter().rev().take(4).filter(|step| step["returns"].get("payload").is_some()).count();
        assert_eq!(heard, 2, "{}", self.name);
    }

    /// A signature, and whether the centre takes it.
    fn sign(&mut self, data: &[u8], good: bool) -> Value {
        let mut signed = self.m.step(0, "sign", json!({ "payload": hex(data) }));
        if signed.get("error").is_some() {
            signed = self.m.step(0, "sign", json!({ "payload": hex(data) }));
        }
        self.verify(&signed["bytes"], data, good);
        signed["bytes"].clone()
    }

    fn verify(&mut self, signature: &Value, data: &[u8], good: bool) {
        let verified = self.m.step(1, "verify", json!({ "bytes": signature, "payload": hex(data) }));
        assert_eq!(verified.get("counter").is_some(), good, "{}", self.name);
    }

    /// The timers of the device, until the centre's answers stop coming or its tries are used up.
    fn timers(&mut self, most: usize) {
        for _ in 0..most {
            self.timers_without(1);
            self.m.deliver();
        }
    }

    /// The timers of the device; nothing arrives.
    fn timers_without(&mut self, most: usize) {
        for _ in 0..most {
            let last = self.m.steps.iter().rev().find(|step| step["node"] == "a");
            let Some(at) = last.and_then(|step| step["wake"].as_u64()) else { return };
            self.m.now = self.m.now.max(at);
            self.m.step(0, "timeout", json!({}));
        }
    }

    /// What this node stored last in a slot, or in a part of the row.
    fn stored(&self, slot: u64) -> Value {
        let outputs = self.m.steps.iter().rev().flat_map(|s| s["outputs"].as_array().into_iter().flatten().rev());
        outputs.filter(|o| o["persist"] == slot).map(|o| o["bytes"].clone()).next().expect("something stored")
    }

    fn row(&self) -> Value {
        let part = |name: &str| {
            let outputs = self.m.steps.iter().rev().flat_map(|s| s["outputs"].as_array().into_iter().flatten().rev());
            outputs.filter_map(|o| o.get(name).filter(|_| o.get("row").is_some()).cloned()).next().expect("a row")
        };
        json!({ "id": self.a["id"], "state": part("state"), "seed": part("seed") })
    }

    fn chip(&self) -> Value {
        json!({ "seed": self.stored(1), "state": self.stored(2) })
    }

    fn look(&mut self, generation: u32) {
        assert_eq!(self.run(0, "chip")["generation"], generation, "{}", self.name);
        assert_eq!(self.run(1, "row")["generation"], generation, "{}", self.name);
    }

    fn finish(self) -> Value {
        self.m.finish(&self.name, self.a, self.b)
    }
}

/// Enrolment; authentication with and without a session; records, an exporter, a signature, either side's resume; an update; a
/// restart; a year that is over; revocation.
fn life(name: &str, nodes: (Value, Value)) -> Value {
    let mut t = Town::new(name, nodes, false, true);
    t.well();
    t.tells("connect", &["established"], &["authenticated", "established"]);
    t.talk();
    for node in 0..2 {
        t.m.step(node, "exporter", json!({ "label": hex(b"mqtt"), "context": hex(b"room 5") }));
    }
    let first = t.sign(b"42 degrees", true);
    t.verify(&first, b"43 degrees", false);
    let blob = t.m.step(0, "export", json!({}));
    t.m.step(0, "restart", json!({ "bytes": blob["bytes"] }));
    t.m.deliver();
    t.talk();
    let blob = t.m.step(1, "export", json!({}));
    t.m.step(1, "restart", json!({ "id": t.a["id"], "suite": t.a["suite"], "bytes": blob["bytes"] }));
    t.m.deliver();
    t.talk();
    assert_eq!(t.count(0, "a", "resumed") + t.count(0, "b", "resumed"), 4, "{name}");
    t.run(1, "update");
    t.tells("authenticate", &["update_agreed", "key_replaced"], &["update_agreed", "key_replaced"]);
    t.look(1);
    t.tells("connect", &["established"], &[]);
    t.talk();
    t.verify(&first, b"42 degrees", false);
    t.m.step(0, "restart", json!({}));
    t.well();
    t.sign(b"", true);
    t.m.now += 400 * DAY;
    t.well();
    t.well();
    assert_eq!(t.run(0, "chip")["years"][0], 2027);
    assert_eq!(t.run(1, "row")["years"][0], 2027);
    t.run(1, "revoke");
    t.tells("connect", &["revoked"], &["revoked", "killed"]);
    t.timers(3);
    t.tells("authenticate", &["revoked"], &[]);
    assert_eq!(t.m.step(0, "sign", json!({ "payload": "" }))["error"], -17);
    assert_eq!(t.run(0, "chip")["revoked"], true);
    assert_eq!(t.run(1, "row")["standing"], "killed");
    t.finish()
}

/// Without a clock: CHALLENGE and PROOF, with a session, an update in PROOF, a signature of the floor's time.
fn clockless(name: &str, (a, b): (Value, Value)) -> Value {
    let mut t = Town::new(name, (with(a, json!({ "wall": null })), b), true, false);
    t.m.now += 3 * DAY;
    t.tells("authenticate", &["authenticated"], &["challenged", "authenticated"]);
    t.tells("connect", &["established"], &["challenged", "authenticated"]);
    t.talk();
    t.sign(b"no clock", true);
    t.run(1, "update");
    t.tells("connect", &["update_agreed", "key_replaced"], &["update_agreed", "key_replaced"]);
    t.look(1);
    t.m.now += 370 * DAY;
    t.tells("authenticate", &["authenticated"], &["challenged", "authenticated"]);
    t.finish()
}

/// A clock that is wrong by two hours, either way: CHALLENGE, an update.
fn wrong_clock(name: &str, (a, b): (Value, Value), wall: u64) -> Value {
    let mut t = Town::new(name, (with(a, json!({ "wall": wall })), b), false, true);
    t.m.now += DAY;
    t.run(1, "update");
    t.tells("authenticate", &["update_agreed", "key_replaced"], &["challenged"]);
    t.look(1);
    t.finish()
}

/// AUTH is lost; ANSWER is lost, and is the same again; the centre has forgotten it: CHALLENGE. A late copy.
fn loss(name: &str, nodes: (Value, Value)) -> Value {
    let mut t = Town::new(name, nodes, false, false);
    t.m.step(0, "connect", json!({}));
    t.m.flying.clear();
    t.timers(1);
    t.talk();
    for forgets in [false, true] {
        t.m.step(0, "authenticate", json!({}));
        let (_, auth) = t.m.flying[0].clone();
        t.m.deliver_one();
        t.m.flying.clear();
        if forgets {
            t.m.step(1, "restart", json!({}));
        }
        let from = t.m.steps.len();
        t.timers(1);
        t.told(from, &["authenticated"], if forgets { &["challenged"] } else { &[] });
        t.m.step(1, "input", json!({ "bytes": auth }));
        t.m.flying.clear();
    }
    t.well();
    t.finish()
}

/// A device that is put back to before its last authentications: a counter that is behind; its clone.
fn restored(name: &str, nodes: (Value, Value)) -> Value {
    let mut t = Town::new(name, nodes, false, true);
    t.m.step(0, "restart", json!({}));
    let old = t.chip();
    t.well();
    t.m.step(0, "restart", old.clone());
    t.tells("authenticate", &["authenticated"], &["clone_suspected"]);
    t.well();
    t.m.step(0, "restart", old);
    t.tells("connect", &["established"], &["challenged"]);
    t.talk();
    t.finish()
}

/// An update that is cut off at each message in turn, and goes on by itself; by a device that goes on, or that starts again.
fn half_updated(name: &str, nodes: (Value, Value)) -> Value {
    let mut t = Town::new(name, nodes, false, true);
    for round in 1..=10 {
        t.run(1, "update");
        t.m.step(0, "authenticate", json!({}));
        (0..round / 2).for_each(|_| t.m.deliver_one());
        t.m.flying.clear();
        if round % 2 == 0 {
            t.m.step(0, "restart", json!({}));
        } else {
            t.timers(2);
        }
        t.run(0, "authenticate");
        t.timers(1);
        t.run(0, "authenticate");
        t.look(round);
    }
    t.finish()
}

/// A centre that says nothing while a new seed waits: it is tried twice, then the current one. Then it is there again.
fn silent(name: &str, nodes: (Value, Value)) -> Value {
    let mut t = Town::new(name, nodes, false, true);
    t.run(1, "update");
    t.m.step(0, "authenticate", json!({}));
    (0..4).for_each(|_| t.m.deliver_one());
    for _ in 0..30 {
        t.m.flying.clear();
        t.timers_without(1);
    }
    assert_eq!(t.count(0, "a", "update_failed"), 1, "{name}");
    t.m.flying.clear();
    for _ in 0..2 {
        t.well();
    }
    t.look(1);
    t.finish()
}

/// A chip that is put back to where it had answered, after all is done: GONE says that the new seed is good.
fn gone_on(name: &str, nodes: (Value, Value)) -> Value {
    let mut t = Town::new(name, nodes, false, true);
    t.run(1, "update");
    t.m.step(0, "authenticate", json!({}));
    (0..2).for_each(|_| t.m.deliver_one());
    let chip = t.chip();
    t.m.deliver();
    t.look(1);
    t.m.step(0, "restart", chip);
    t.tells("authenticate", &["key_replaced"], &[]);
    t.look(1);
    t.finish()
}

/// A database that is put back within an update has not what the device counts on: HASNOT, asked for again.
fn has_not(name: &str, nodes: (Value, Value)) -> Value {
    let mut t = Town::new(name, nodes, false, true);
    t.run(1, "update");
    t.m.step(0, "authenticate", json!({}));
    (0..2).for_each(|_| t.m.deliver_one());
    let old = t.row();
    t.m.deliver_one();
    t.m.deliver_one();
    t.m.flying.clear();
    t.m.step(1, "restart", old);
    let from = t.m.steps.len();
    for _ in 0..3 {
        t.timers(100);
        t.run(0, "authenticate");
    }
    t.told(from, &["authenticated"], &[]);
    t.look(1);
    t.finish()
}

/// Whoever is put back past an update hears, or says, that the seed is gone.
fn gone(name: &str, nodes: (Value, Value), device: bool) -> Value {
    let mut t = Town::new(name, nodes, false, true);
    t.well();
    t.m.step(0, "restart", json!({}));
    let (chip, row) = (t.chip(), t.row());
    t.run(1, "update");
    t.tells("authenticate", &["key_replaced"], &["key_replaced"]);
    if device {
        t.m.step(0, "restart", chip);
    } else {
        t.m.step(1, "restart", row);
    }
    t.tells("authenticate", &["pair_again"], &[]);
    t.finish()
}

/// A device that is put back within an update lost what it had: the centre drops that, too, and asks again.
fn put_back(name: &str, nodes: (Value, Value)) -> Value {
    let mut t = Town::new(name, nodes, false, true);
    t.well();
    t.m.step(0, "restart", json!({}));
    let chip = t.chip();
    t.run(1, "update");
    t.m.step(0, "authenticate", json!({}));
    (0..3).for_each(|_| t.m.deliver_one());
    t.m.flying.clear();
    t.m.step(0, "restart", chip);
    t.tells("authenticate", &["authenticated", "key_replaced"], &["key_replaced"]);
    t.look(1);
    t.finish()
}

/// All five years, one after the other; then it has expired.
fn years(name: &str, nodes: (Value, Value)) -> Value {
    let mut t = Town::new(name, nodes, false, true);
    for year in 2026..=2030 {
        t.well();
        t.well();
        assert_eq!(t.run(0, "chip")["years"], json!([year, 2030]));
        assert_eq!(t.run(1, "row")["years"], json!([year, 2030]));
        t.m.now += 365 * DAY;
    }
    for verb in ["connect", "authenticate"] {
        assert_eq!(t.run(0, verb)["error"], -16);
    }
    assert_eq!(t.m.step(0, "sign", json!({ "payload": "" }))["error"], -16);
    t.finish()
}

/// A device whose clock is behind the end of its seed is told.
fn expired(name: &str, (a, b): (Value, Value)) -> Value {
    let mut t = Town::new(name, (with(a, json!({ "wall": WALL - 60 * DAY })), b), false, true);
    t.m.now += 5 * 365 * DAY;
    t.tells("authenticate", &["seed_expired"], &["seed_expired"]);
    t.finish()
}

/// Revoked while an update is half done.
fn revoked_between(name: &str, nodes: (Value, Value)) -> Value {
    let mut t = Town::new(name, nodes, false, true);
    t.run(1, "update");
    t.m.step(0, "authenticate", json!({}));
    (0..4).for_each(|_| t.m.deliver_one());
    t.m.flying.clear();
    t.run(1, "revoke");
    let from = t.m.steps.len();
    t.timers(2);
    t.told(from, &["revoked"], &["revoked", "killed"]);
    t.finish()
}

/// Claims use up the share of an id: a cookie.
fn flood(name: &str, nodes: (Value, Value)) -> Value {
    let mut t = Town::new(name, nodes, true, true);
    for _ in 0..8 {
        t.m.step(0, "authenticate", json!({}));
        t.m.deliver_one();
        t.m.flying.clear();
        t.m.step(0, "restart", json!({}));
    }
    t.tells("connect", &["established"], &["challenged", "authenticated"]);
    let echoed = t.m.steps.iter().any(|step| step["bytes"].as_str().is_some_and(|bytes| bytes.starts_with("1030")));
    assert!(echoed, "{name}: no cookie");
    t.talk();
    t.finish()
}

/// All vectors: file name and contents.
pub fn all() -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> = Vec::new();
    let mut add = |file: &str, vector: Value| all.push((format!("microcert/{file}"), vector));
    for number in ["0", "1", "2", "3", "4", "5"] {
        add(&format!("life-suite-{number}"), life(&format!("a life with suite {number}"), nodes(number)));
    }
    add("clockless", clockless("a device without a clock", nodes("0")));
    add("clockless-chacha", clockless("a device without a clock, ChaCha20/Poly1305", nodes("4")));
    add("clock-ahead", wrong_clock("a clock that is ahead", nodes("2"), WALL + 7_200_000));
    add("clock-behind", wrong_clock("a clock that is behind", nodes("2"), WALL - 7_200_000));
    add("loss", loss("lost messages, and late ones", nodes("0")));
    add("restored", restored("a chip that was put back, and its clone", nodes("0")));
    add("half-updated", half_updated("updates that are cut off", nodes("2")));
    add("silent", silent("a centre that is away within an update", nodes("0")));
    add("gone-on", gone_on("a chip that was put back to its part of an update", nodes("0")));
    add("has-not", has_not("a database that was put back within an update", nodes("0")));
    add("put-back", put_back("a chip that was put back within an update", nodes("0")));
    add("gone-device", gone("a chip that was put back past an update", nodes("0"), true));
    add("gone-centre", gone("a database that was put back past an update", nodes("5"), false));
    add("years", years("five years", nodes("0")));
    add("expired", expired("a seed that has expired", nodes("0")));
    add("revoked-between", revoked_between("revoked within an update", nodes("0")));
    add("flood", flood("more claims than their share", nodes("0")));
    let (a, b) = nodes("4");
    let a = with(a, json!({ "id": hex(b"sixteen-byte-ids"), "cid": "a1a2a3a4a5a6a7a8" }));
    let b = with(b, json!({ "id": hex(b"the-city-s-centr"), "cid": "b1b2b3b4b5b6b7b8" }));
    add("long-ids", life("the longest ids and connection ids", (a, b)));
    let (a, b) = nodes("1");
    let (a, b) = (with(a, json!({ "id": hex(b"l") })), with(b, json!({ "id": hex(b"c"), "cid": "" })));
    add("short-ids", life("the shortest ids, no connection ids", (a, b)));
    add("unconfirmed", {
        let mut t = Town::new("confirmed by the first authentication", nodes("0"), false, false);
        assert_eq!(t.run(0, "chip")["confirmed"], false);
        t.well();
        assert_eq!(t.run(0, "chip")["confirmed"], true);
        t.finish()
    });
    all
}
