//! The authentication centre of the microcert scheme, over rows in memory.

use crate::node::{common, config, snake, suite, text};
use crate::{hex, unhex};
use iotkm::engine::ConnectionId;
use iotkm::engine::wire::{ENGINE, Kind, classify, engine};
use iotkm::microcert::centre::{Change, Kept, ServedMemory, Share};
use iotkm::microcert::{AuthCenter, CentreConfig, Id, Row, SeedStore, Served, SoftKeys, Stores, wire};
use iotkm::{Addr, Association, Cx, Error, StoreError, crypto::Secret};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Entries of the centre's two tables.
const SHARES: usize = 256;
const ANSWERS: usize = 16;

/// Rows, and what was written to them since they were asked.
#[derive(Default)]
struct Rows {
    rows: BTreeMap<Vec<u8>, (Vec<u8>, Vec<u8>)>,
    written: Vec<Value>,
}

impl SeedStore for Rows {
    fn get(&mut self, id: &Id, row: &mut Row) -> Result<bool, StoreError> {
        match self.rows.get(id.as_bytes()) {
            None => Ok(false),
            Some((state, seed)) if row.read(state, seed) => Ok(true),
            Some(_) => Err(StoreError),
        }
    }

    fn swap(&mut self, row: &Row, change: Change) -> Result<bool, StoreError> {
        let mut out = [0; Row::STATE_MAX];
        let len = row.write_state(&mut out).map_err(|_| StoreError)?;
        let (state, seed) = (out[..len].to_vec(), row.seed().to_vec());
        let mut written = json!({ "row": hex(row.id().as_bytes()), "version": row.version(), "state": hex(&state) });
        if change == Change::Seed {
            written["seed"] = hex(&seed);
        }
        self.written.push(written);
        self.rows.insert(row.id().as_bytes().to_vec(), (state, seed));
        Ok(true)
    }
}

/// A centre, its keys and its rows, and its side of the newest session.
pub struct City {
    centre: AuthCenter<Vec<Share>, Vec<Kept>>,
    rows: Rows,
    keys: SoftKeys,
    served: Option<Served<Box<ServedMemory>>>,
    outputs: Vec<Value>,
}

fn id(value: &Value) -> Id {
    Id::new(&unhex(value)).expect("an id")
}

fn centre(about: &Value) -> AuthCenter<Vec<Share>, Vec<Kept>> {
    let names = about["suites"].as_array().expect("a list");
    let suites = names.iter().map(|name| suite(name.as_str().expect("a name"))).collect::<Vec<_>>().leak();
    let (shares, answers) = (vec![Share::default(); SHARES], vec![Kept::default(); ANSWERS]);
    AuthCenter::new(id(&about["id"]), suites, CentreConfig::default(), shares, answers).expect("valid")
}

impl City {
    /// The centre that `about` describes; it has no devices.
    pub fn new(about: &Value) -> Self {
        let keys = SoftKeys::new(&Secret::new(unhex(&about["keys"]).try_into().expect("96 bytes")));
        Self { centre: centre(about), rows: Rows::default(), keys, served: None, outputs: Vec::new() }
    }

    /// Its side of the newest session.
    pub fn association(&mut self) -> Option<&mut dyn Association> {
        self.served.as_mut().map(|served| served as &mut dyn Association)
    }

    /// What it wrote, noticed and answered.
    pub fn drain(&mut self) -> Vec<Value> {
        let mut outputs = std::mem::take(&mut self.rows.written);
        outputs.append(&mut self.outputs);
        outputs
    }

    fn hear(&mut self, about: &Value, cx: &mut Cx<'_>, from: &Addr, datagram: &[u8]) -> Result<(), Error> {
        let mut out = [0; 128];
        let cid = ConnectionId::new(&unhex(&about["cid"])).expect("short");
        let mut stores = Stores { seeds: &mut self.rows, keys: &mut self.keys };
        let handled = self.centre.handle_input(cx, &mut stores, from, &cid, datagram, &mut out)?;
        if let Some((id, event)) = handled.event {
            self.outputs.push(json!({ "event": snake(&format!("{event:?}")), "id": hex(id.as_bytes()) }));
        }
        if let Some(reply) = handled.reply {
            let to = std::str::from_utf8(from.as_bytes()).expect("a name");
            self.outputs.push(json!({ "datagram": to, "bytes": hex(reply) }));
        }
        let mut session = handled.session;
        if session.is_some() {
            self.served = Some(Served::open(&mut session, config(about), Box::default()).expect("valid"));
        }
        Ok(())
    }

    /// One call.
    ///
    /// # Errors
    /// The call's.
    pub fn call(&mut self, about: &Value, cx: &mut Cx<'_>, other: &Addr, step: &Value) -> Result<Value, Error> {
        let bytes = |key: &str| unhex(&step[key]);
        let stores = &mut Stores { seeds: &mut self.rows, keys: &mut self.keys };
        let now = cx.wall.expect("a centre has a clock");
        match text(step, "do") {
            "invite" => {
                let (suite, clockless) = (suite(text(step, "suite")), step["clockless"] == true);
                let mut out = [0; 100];
                let len = self.centre.invite(stores, &id(&step["id"]), suite, clockless, now, &mut out)?;
                return Ok(json!({ "bytes": hex(&out[..len]) }));
            }
            "enrol" => {
                let mut confirmation = [0; 20];
                let id = self.centre.enrol(stores, now, &bytes("bytes"), &mut confirmation)?;
                return Ok(json!({ "id": hex(id.as_bytes()), "bytes": hex(&confirmation) }));
            }
            "update" => self.centre.update(stores, &id(&step["id"]))?,
            "revoke" => self.centre.revoke(stores, &id(&step["id"]))?,
            "verify" => {
                return Ok(match self.centre.verify(stores, &bytes("bytes"), &bytes("payload"))? {
                    Some(s) => json!({ "id": hex(s.id.as_bytes()), "time": s.time.0 / 1_000, "counter": s.counter }),
                    None => json!({}),
                });
            }
            "row" => {
                let mut row = Row::none();
                assert!(self.rows.get(&id(&step["id"]), &mut row).expect("it reads"), "no row");
                return Ok(json!({
                    "standing": snake(&format!("{:?}", row.standing())), "generation": row.generation(),
                    "updating": row.is_updating(), "years": [row.years().0, row.years().1], "counter": row.counter(),
                }));
            }
            "restart" => {
                self.centre = centre(about);
                self.served = None;
                if step.get("seed").is_some() {
                    self.rows.rows.insert(bytes("id"), (bytes("state"), bytes("seed")));
                }
                if step.get("bytes").is_some() {
                    let suite = suite(text(step, "suite"));
                    let served = Served::at_rest(id(&step["id"]), suite, config(about), Box::default());
                    self.served.insert(served.expect("valid")).restore(cx, &bytes("bytes"))?;
                }
            }
            "input" if is_centres(&bytes("bytes")) => self.hear(about, cx, other, &bytes("bytes"))?,
            _ => return common(self.served.as_mut().expect("a session"), cx, other, step),
        }
        Ok(json!({}))
    }
}

/// Whether a datagram is for the centre, not for a session.
fn is_centres(datagram: &[u8]) -> bool {
    match classify(datagram) {
        Ok(Kind::Handshake { scheme: ENGINE, message, .. }) => message == engine::COOKIE_ECHO,
        Ok(Kind::Handshake { scheme, .. }) => scheme == wire::NUMBER,
        _ => false,
    }
}
