//! One node of a vector: an association or a pairing, made from the vector's description.

use crate::centre::City;
use crate::side::{self, Side};
use crate::{chip, epochs};
use crate::{hex, unhex};
use iotkm::crypto::cpace::{CPACE_P256, CPACE_RISTRETTO255, Cpace};
use iotkm::crypto::{self, Rng, RngError, Secret, Suite};
use iotkm::engine::Config;
use iotkm::history::pairing::{PairingMemory, Setup};
use iotkm::history::{Entry, History, HistoryMemory, Id, Pairing, Peer, Triple};
use iotkm::{Addr, Association, Cx, Device, Error, Event, Instant, NoKeys, Output, Slot, StaticKeys, UnixTime};
use serde_json::{Value, json};

/// Log entries of each association.
pub const LOG: usize = 24;
type Memory = HistoryMemory<Peer, Vec<Entry>, 2, 256>;

/// Randomness that a vector gives, or that is noted for one.
#[derive(Debug)]
pub enum Source {
    /// Gives what the vector has; fails if a call wants another length.
    Given(Vec<Vec<u8>>),
    /// Makes bytes from a counter and notes them.
    Noted(u64, Vec<Vec<u8>>),
}

impl Rng for Source {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        match self {
            Self::Given(draws) => {
                if draws.is_empty() || draws[0].len() != out.len() {
                    return Err(RngError);
                }
                out.copy_from_slice(&draws.remove(0));
            }
            Self::Noted(seed, draws) => {
                for (at, chunk) in (0u32..).zip(out.chunks_mut(32)) {
                    let bytes = crypto::kdf::hash(&[b"iotkm vector", &seed.to_be_bytes(), &at.to_be_bytes()]);
                    chunk.copy_from_slice(&bytes[..chunk.len()]);
                }
                *seed += 1;
                draws.push(out.to_vec());
            }
        }
        Ok(())
    }
}

/// A suite by its name in a vector: `0` or `0_symmetric`.
pub fn suite(name: &str) -> &'static Suite {
    match name {
        "0" => &crypto::SUITE_0,
        "0_symmetric" => &crypto::SUITE_0_SYMMETRIC,
        "1" => &crypto::SUITE_1,
        "1_symmetric" => &crypto::SUITE_1_SYMMETRIC,
        "2" => &crypto::SUITE_2,
        "2_symmetric" => &crypto::SUITE_2_SYMMETRIC,
        "3" => &crypto::SUITE_3,
        "3_symmetric" => &crypto::SUITE_3_SYMMETRIC,
        "4" => &crypto::SUITE_4,
        "4_symmetric" => &crypto::SUITE_4_SYMMETRIC,
        "5" => &crypto::SUITE_5,
        "5_symmetric" => &crypto::SUITE_5_SYMMETRIC,
        "-21" => &crypto::SUITE_FFC2048,
        "-22" => &crypto::SUITE_FFC3072,
        other => panic!("no suite {other}"),
    }
}

#[expect(clippy::large_enum_variant, reason = "two of them in a test")]
enum Kind {
    History(History<Peer, Vec<Entry>, Memory>),
    Pairing(Pairing<PairingMemory<2, 256>>),
    Interactive(Box<Side>),
    Noninteractive(Box<dyn epochs::Side>),
    Chip(Box<chip::Side>),
    Centre(Box<City>),
}

impl Kind {
    fn association(&mut self) -> Option<&mut dyn Association> {
        match self {
            Self::History(a) => Some(a),
            Self::Pairing(_) => None,
            Self::Interactive(a) => Some(&mut **a),
            Self::Noninteractive(a) => Some(a.association()),
            Self::Chip(a) => a.association(),
            Self::Centre(a) => a.association(),
        }
    }
}

/// A node.
pub struct Node {
    kind: Kind,
    about: Value,
    device: Device,
    keys: Box<dyn StaticKeys>,
    stored: Option<(u16, Vec<u8>)>,
    /// Its randomness.
    pub source: Source,
}

pub(crate) fn text<'a>(about: &'a Value, key: &str) -> &'a str {
    about[key].as_str().unwrap_or_else(|| panic!("no {key}"))
}

fn id(about: &Value, key: &str) -> Id {
    Id::new(&unhex(&about[key])).expect("an id")
}

impl Node {
    /// Makes the node that `about` describes.
    pub fn new(about: &Value, source: Source) -> Self {
        let secret: [u8; 32] = unhex(&about["device"]).try_into().expect("32 bytes");
        let device = Device::new(Secret::new(secret));
        if about.get("ticket").is_some() {
            let kind = Kind::Interactive(Box::new(side::fresh(about)));
            return Self { kind, about: about.clone(), device, keys: side::keys(about), stored: None, source };
        }
        if about.get("credential").is_some() {
            let kind = Kind::Noninteractive(epochs::fresh(about));
            return Self { kind, about: about.clone(), device, keys: epochs::keys(about), stored: None, source };
        }
        let microcert = if about.get("chip").is_some() {
            Some(Kind::Chip(Box::default()))
        } else {
            about.get("keys").map(|_| Kind::Centre(Box::new(City::new(about))))
        };
        if let Some(kind) = microcert {
            return Self { kind, about: about.clone(), device, keys: Box::new(NoKeys), stored: None, source };
        }
        let suite = suite(text(about, "suite"));
        let kind = if about.get("cpace").is_some() {
            let cpace: &'static dyn Cpace =
                if text(about, "cpace") == "p256" { &CPACE_P256 } else { &CPACE_RISTRETTO255 };
            let setup = Setup { me: id(about, "id"), suite, cpace, peer_slot: Slot(1), attempts_slot: Slot(2) };
            Kind::Pairing(Pairing::open(setup, config(about), PairingMemory::new()).expect("valid"))
        } else {
            let key = |name| Secret::new(<[u8; 32]>::try_from(unhex(&about[name])).expect("32 bytes"));
            let triple = Triple::new(key("sk"), key("t"), key("li"), 0);
            let mut peer =
                Peer::provisioned(Slot(1), id(about, "id"), id(about, "peer"), suite, triple).expect("valid");
            if about.get("psk").is_some() {
                peer.set_psk(Some(key("psk")));
            }
            Kind::History(open(about, peer))
        };
        Self { kind, about: about.clone(), device, keys: Box::new(NoKeys), stored: None, source }
    }

    fn with<T>(&mut self, now: u64, f: impl FnOnce(&mut Kind, &mut Cx<'_>) -> T) -> T {
        let place = self.about.get("place").map(unhex).unwrap_or_default();
        let wall = self.about["wall"].as_u64().map(|w| UnixTime(w + now));
        let (now, rng, device, keys) = (Instant(now), &mut self.source, &self.device, &*self.keys);
        f(&mut self.kind, &mut Cx { now, wall, place: &place, rng, device, keys })
    }

    /// Makes one call: what the step says it returns.
    pub fn call(&mut self, step: &Value) -> Value {
        let now = step["now"].as_u64().expect("a time");
        let other = Addr::new(text(&self.about, "other").as_bytes()).expect("short");
        let step = step.clone();
        let about = self.about.clone();
        if step["do"] == "restart" && !matches!(self.kind, Kind::Chip(_) | Kind::Centre(_)) {
            let stored = || self.stored.clone().expect("something stored").1;
            let blob = if step.get("peer").is_some() { unhex(&step["peer"]) } else { stored() };
            self.kind = match &self.kind {
                Kind::Interactive(a) => Kind::Interactive(Box::new(side::again(&self.about, a, &self.device, &blob))),
                Kind::Noninteractive(a) => Kind::Noninteractive(a.again(&self.about, &self.device, &blob)),
                _ => {
                    let peer = Peer::restore(&self.device, Slot(1), 0, &blob).expect("it opens");
                    Kind::History(open(&self.about, peer))
                }
            };
        }
        self.with(now, |kind, cx| match kind {
            Kind::History(a) => history(a, cx, &other, &step),
            Kind::Pairing(p) => pairing(p, cx, &other, &step),
            Kind::Interactive(a) => side::call(a, cx, &other, &step),
            Kind::Noninteractive(a) => a.call(cx, &other, &step),
            Kind::Chip(a) => a.call(&about, cx, &other, &step),
            Kind::Centre(a) => a.call(&about, cx, &other, &step),
        })
        .unwrap_or_else(|e| json!({ "error": e.code() }))
    }

    /// Everything that comes out until idle.
    pub fn drain(&mut self, now: u64) -> (Vec<Value>, Option<u64>) {
        let mut outputs = match &mut self.kind {
            Kind::Chip(a) => a.drain(&self.device),
            Kind::Centre(a) => a.drain(),
            _ => Vec::new(),
        };
        if !matches!(self.kind, Kind::Pairing(_)) && self.kind.association().is_none() {
            return (outputs, None);
        }
        loop {
            let mut stored = None;
            let (output, wake) = self.with(now, |kind, cx| {
                let mut out = [0; 2500];
                let output = match kind {
                    Kind::Pairing(p) => p.poll(cx, &mut out),
                    _ => kind.association().expect("no pairing").poll(cx, &mut out),
                };
                match output {
                    Output::Datagram { to, bytes } => {
                        let to = std::str::from_utf8(to.as_bytes()).expect("a name");
                        (Some(json!({ "datagram": to, "bytes": hex(bytes) })), None)
                    }
                    Output::Persist { slot, version, bytes } => {
                        stored = Some((slot, bytes.to_vec()));
                        (Some(json!({ "persist": slot.0, "version": version, "bytes": hex(bytes) })), None)
                    }
                    Output::Event(event) => (Some(event_json(&event)), None),
                    Output::Idle { wake_at } => (None, wake_at.map(|w| w.0)),
                    other => panic!("{other:?}"),
                }
            });
            if let Some((slot, bytes)) = stored {
                if let Kind::Chip(a) = &mut self.kind {
                    a.store(slot, bytes);
                } else if slot.0 == 1 {
                    self.stored = Some((slot.0, bytes));
                }
                match &mut self.kind {
                    Kind::Pairing(p) => p.persisted(slot, Ok(())),
                    kind => kind.association().expect("no pairing").persisted(slot, Ok(())),
                }
            }
            match output {
                Some(output) => outputs.push(output),
                None => return (outputs, wake),
            }
        }
    }

    /// Whether it has a session.
    pub fn is_established(&mut self) -> bool {
        self.kind.association().is_some_and(|a| a.is_established())
    }
}

pub(crate) fn config(about: &Value) -> Config {
    let cid = about.get("cid").map(|c| iotkm::engine::ConnectionId::new(&unhex(c)).expect("short"));
    let mtu = about["mtu"].as_u64().unwrap_or(1200) as u16;
    let default = Config::default();
    let rekey_after = about["rekey_after"].as_u64().map_or(default.rekey_after, |n| n as u32);
    Config { mtu, cid: cid.unwrap_or_default(), rekey_after, ..default }
}

fn open(about: &Value, peer: Peer) -> History<Peer, Vec<Entry>, Memory> {
    let suite = suite(text(about, "suite"));
    History::open(peer, vec![Entry::EMPTY; LOG], suite, config(about), Memory::new()).expect("valid")
}

fn history(
    a: &mut History<Peer, Vec<Entry>, Memory>,
    cx: &mut Cx<'_>,
    other: &Addr,
    step: &Value,
) -> Result<Value, Error> {
    match text(step, "do") {
        "connect" => a.connect(cx, other)?,
        "update" => a.update(cx)?,
        "restart" => {
            if step.get("bytes").is_some() {
                a.restore(cx, &unhex(&step["bytes"]))?;
            }
        }
        _ => return common(a, cx, other, step),
    }
    Ok(json!({}))
}

/// What every association can do.
pub(crate) fn common(a: &mut dyn Association, cx: &mut Cx<'_>, other: &Addr, step: &Value) -> Result<Value, Error> {
    let mut out = [0; 2500];
    let bytes = |key: &str| unhex(&step[key]);
    Ok(match text(step, "do") {
        "timeout" => {
            a.handle_timeout(cx)?;
            json!({})
        }
        "input" => match a.handle_input(cx, other, &mut bytes("bytes"))? {
            Some(r) => json!({ "payload": hex(r.payload), "time": r.time.map(|t| t.0), "place": hex(r.place) }),
            None => json!({}),
        },
        "send" => json!({ "bytes": hex(a.send(cx, &bytes("payload"), &mut out)?.bytes) }),
        "export" => {
            let len = a.export(cx, &mut out)?;
            json!({ "bytes": hex(&out[..len]) })
        }
        "exporter" => {
            let mut key = [0; 40];
            a.exporter(&bytes("label"), &bytes("context"), &mut key)?;
            json!({ "bytes": hex(&key) })
        }
        other => panic!("no verb {other}"),
    })
}

fn pairing(
    p: &mut Pairing<PairingMemory<2, 256>>,
    cx: &mut Cx<'_>,
    other: &Addr,
    step: &Value,
) -> Result<Value, Error> {
    match text(step, "do") {
        "listen" => p.listen(cx, &unhex(&step["secret"]), step["window"].as_u64().expect("ms"))?,
        "start" => p.start(cx, other, &unhex(&step["secret"]))?,
        "timeout" => p.handle_timeout(cx)?,
        "input" => {
            p.handle_input(cx, other, &mut unhex(&step["bytes"]))?;
        }
        other => panic!("no verb {other}"),
    }
    Ok(json!({}))
}

/// `PairAgain` as `pair_again`.
pub(crate) fn snake(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(c.to_lowercase());
    }
    text
}

fn event_json(event: &Event) -> Value {
    let reason = |r: &iotkm::Reason| snake(&format!("{r:?}"));
    match event {
        Event::Established { fingerprint, initiator } => {
            json!({ "event": "established", "fingerprint": fingerprint.to_string(), "initiator": initiator })
        }
        Event::Resumed { generation } => json!({ "event": "resumed", "generation": generation }),
        Event::Rekeyed { generation } => json!({ "event": "rekeyed", "generation": generation }),
        Event::Paired { fingerprint } => json!({ "event": "paired", "fingerprint": fingerprint.to_string() }),
        Event::UpdateAgreed { generation } => json!({ "event": "update_agreed", "generation": generation }),
        Event::UpdateFailed { reason: r } => json!({ "event": "update_failed", "reason": reason(r) }),
        Event::KeyReplaced { generation } => json!({ "event": "key_replaced", "generation": generation }),
        Event::RekeyNeeded => json!({ "event": "rekey_needed" }),
        Event::Terminated => json!({ "event": "terminated" }),
        Event::Authenticated => json!({ "event": "authenticated" }),
        Event::PeerAlive => json!({ "event": "peer_alive" }),
        Event::Hint { reason: r } => json!({ "event": "hint", "reason": reason(r) }),
        Event::Failed { stage, reason: r } => {
            json!({ "event": "failed", "stage": snake(&format!("{stage:?}")), "reason": reason(r) })
        }
        other => panic!("no vector has {other:?}"),
    }
}
