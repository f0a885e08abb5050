//! A device of the microcert scheme.

use crate::node::{common, config, suite, text};
use crate::{hex, unhex};
use iotkm::microcert::{Chip, Microcert, MicrocertMemory, Slots};
use iotkm::{Addr, Association, Cx, Device, Error, Slot};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SLOTS: Slots = Slots { seed: Slot(1), state: Slot(2) };

/// How far it is.
#[expect(clippy::large_enum_variant, reason = "one of them in a test")]
#[derive(Default)]
enum Stage {
    #[default]
    Nothing,
    Enrolled(Chip),
    Open(Microcert<Chip, Box<MicrocertMemory<Chip>>>),
}

/// A device and its two slots.
#[derive(Default)]
pub struct Side {
    stage: Stage,
    stored: BTreeMap<u16, Vec<u8>>,
}

impl Side {
    /// The association, once it is opened.
    pub fn association(&mut self) -> Option<&mut dyn Association> {
        match &mut self.stage {
            Stage::Open(a) => Some(a),
            _ => None,
        }
    }

    /// Notes what was stored.
    pub fn store(&mut self, slot: Slot, bytes: Vec<u8>) {
        self.stored.insert(slot.0, bytes);
    }

    /// What a chip without an association has to store.
    pub fn drain(&mut self, device: &Device) -> Vec<Value> {
        let mut outputs = Vec::new();
        if let Stage::Enrolled(chip) = &mut self.stage {
            while chip.needs_store().is_some() {
                let mut out = [0; Chip::SEED_MAX];
                let (slot, len, version) = chip.seal(device, &mut out).expect("room");
                outputs.push(json!({ "persist": slot.0, "version": version, "bytes": hex(&out[..len]) }));
                self.stored.insert(slot.0, out[..len].to_vec());
                chip.persisted();
            }
        }
        outputs
    }

    fn open(&mut self, about: &Value, chip: Chip) {
        let open = Microcert::open(chip, suite(text(about, "suite")), config(about), Box::default());
        self.stage = Stage::Open(open.expect("valid"));
    }

    fn chip(&self) -> &Chip {
        match &self.stage {
            Stage::Nothing => panic!("no chip yet"),
            Stage::Enrolled(chip) => chip,
            Stage::Open(a) => a.chip(),
        }
    }

    /// One call.
    ///
    /// # Errors
    /// The call's.
    pub fn call(&mut self, about: &Value, cx: &mut Cx<'_>, other: &Addr, step: &Value) -> Result<Value, Error> {
        let bytes = |key: &str| unhex(&step[key]);
        match (text(step, "do"), &mut self.stage) {
            ("enrol", _) => {
                let chip = Chip::enrol(SLOTS, &bytes("bytes"), cx.rng)?;
                let mut out = [0; Chip::DEPOSIT_MAX];
                let len = chip.deposit(&mut out)?;
                self.stage = Stage::Enrolled(chip);
                return Ok(json!({ "bytes": hex(&out[..len]) }));
            }
            ("confirm", Stage::Enrolled(chip)) => chip.confirm(&bytes("bytes"))?,
            ("open", stage) => {
                let Stage::Enrolled(chip) = std::mem::take(stage) else { panic!("no chip to open") };
                self.open(about, chip);
            }
            ("restart", _) => {
                let blob = |key, slot| if step.get(key).is_some() { bytes(key) } else { self.stored[&slot].clone() };
                let (seed, state) = (blob("seed", 1), blob("state", 2));
                let mut work = [0; Chip::SEED_MAX];
                let chip = Chip::restore(cx.device, SLOTS, [0, 0], &seed, &state, &mut work)?;
                self.open(about, chip);
                if let (true, Stage::Open(a)) = (step.get("bytes").is_some(), &mut self.stage) {
                    a.restore(cx, &bytes("bytes"))?;
                }
            }
            ("chip", _) => {
                let chip = self.chip();
                let (first, last) = chip.years();
                return Ok(json!({
                    "generation": chip.generation(), "years": [first, last], "floor": chip.floor().0 / 1_000,
                    "confirmed": chip.is_confirmed(), "revoked": chip.is_dead(),
                }));
            }
            ("connect", Stage::Open(a)) => a.connect(cx, other)?,
            ("authenticate", Stage::Open(a)) => a.authenticate(cx, other)?,
            ("sign", Stage::Open(a)) => {
                let mut out = [0; 100];
                let len = a.sign(cx, &bytes("payload"), &mut out)?;
                return Ok(json!({ "bytes": hex(&out[..len]) }));
            }
            (_, Stage::Open(a)) => return common(a, cx, other, step),
            (verb, _) => panic!("{verb} before it is opened"),
        }
        Ok(json!({}))
    }
}
