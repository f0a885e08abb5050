//! A node of the noninteractive scheme.

use crate::node::{common, config, suite, text};
use crate::unhex;
use iotkm::crypto::Secret;
use iotkm::crypto::keys::GrowingKey;
use iotkm::crypto::sign::{Ed25519, PublicKey};
use iotkm::noninteractive::credential::credential_max;
use iotkm::noninteractive::exchange::flight_max;
use iotkm::noninteractive::holder::holder_len;
use iotkm::noninteractive::wire::Terms;
use iotkm::noninteractive::{
    Credential, Holder, Noninteractive, NoninteractiveMemory, Operator, Options, Peer, Setting, setting,
};
use iotkm::phase1::Subject;
use iotkm::{Addr, Association, Cx, Device, Error, KeySlot, Slot, StaticKey, StaticKeys};
use serde_json::{Value, json};
use std::cell::RefCell;

/// Where a node's first key is, and its next one's.
const SLOTS: [KeySlot; 2] = [KeySlot(1), KeySlot(2)];
/// Bytes of a revocation list that a node takes.
const LIST: usize = 200;

type Held<const H: usize> = RefCell<Holder<'static, H, LIST>>;
type Memory<const N: usize, const C: usize, const F: usize, const H: usize> =
    NoninteractiveMemory<Peer<N, C>, Held<H>, N, C, F, 2, 1200>;
type Assoc<const N: usize, const C: usize, const F: usize, const H: usize> =
    Noninteractive<Peer<N, C>, Held<H>, Memory<N, C, F, H>, N, C, F>;

/// The suite of a vector, and its group.
pub fn setting(number: &str) -> &'static Setting {
    match number {
        "0" => &setting::SETTING_0,
        "1" => &setting::SETTING_1,
        "2" => &setting::SETTING_2,
        "3" => &setting::SETTING_3,
        "4" => &setting::SETTING_4,
        "5" => &setting::SETTING_5,
        "-21" => &setting::SETTING_FFC2048,
        "-22" => &setting::SETTING_FFC3072,
        other => panic!("no suite {other}: {:?}", suite(other)),
    }
}

/// A side over any group.
pub trait Side {
    /// The verbs that every association has.
    fn association(&mut self) -> &mut dyn Association;
    /// The same side after a restart; what it holds is what it was. An empty blob: it has forgotten its peer.
    fn again(&self, about: &Value, device: &Device, blob: &[u8]) -> Box<dyn Side>;
    /// One call.
    ///
    /// # Errors
    /// As the verb.
    fn call(&mut self, cx: &mut Cx<'_>, other: &Addr, step: &Value) -> Result<Value, Error>;
}

fn keep<const SHARE: usize>(about: &Value) -> Vec<&'static dyn StaticKeys> {
    let setting = setting(text(about, "suite"));
    let scalars = ["key", "next_key"].into_iter().filter_map(|name| about.get(name));
    let key = |(slot, scalar): (KeySlot, &Value)| -> &'static dyn StaticKeys {
        let scalar = Secret::new(unhex(scalar).try_into().expect("32 bytes"));
        let key = StaticKey::<SHARE>::new(slot, setting.kem, &scalar).expect("an exponent");
        Box::leak(Box::new(GrowingKey::new(key, setting.group).expect("of the group")))
    };
    SLOTS.into_iter().zip(scalars).map(key).collect()
}

/// Its static keys.
pub fn keys(about: &Value) -> Box<dyn StaticKeys> {
    let keys = match setting(text(about, "suite")).group.share_len() {
        32 => keep::<32>(about),
        256 => keep::<256>(about),
        _ => keep::<384>(about),
    };
    Box::new(&*keys.leak())
}

fn name(about: &Value, key: &str) -> &'static str {
    String::from_utf8(unhex(&about[key])).expect("text").leak()
}

fn held<const H: usize>(about: &Value) -> Held<H> {
    let setting = setting(text(about, "suite"));
    let lists = PublicKey::new(&Ed25519, &unhex(&about["lists_key"])).expect("a key");
    let key = unhex(&about["operator_key"]).leak();
    let operator = Operator { name: name(about, "operator"), setting, key, lists };
    let mut holder = Holder::new(operator, name(about, "id")).expect("names");
    let bytes = unhex(&about["credential"]);
    holder.install(&Credential::read(&bytes, setting).expect("a credential"), None).expect("its own");
    RefCell::new(holder)
}

fn peer<const N: usize, const C: usize>(about: &Value) -> Peer<N, C> {
    let subject = |key| Subject::new(name(about, key)).expect("a name");
    let id = about.get("peer").map(|_| subject("peer"));
    let psk = about.get("psk").map(|psk| Secret::new(unhex(psk).try_into().expect("32 bytes")));
    Peer::new(Slot(1), subject("id"), id, psk).expect("two names")
}

fn open<const N: usize, const C: usize, const F: usize, const H: usize>(
    about: &Value,
    peer: Peer<N, C>,
    held: Held<H>,
) -> Assoc<N, C, F, H> {
    let number = |key: &str, default| about[key].as_u64().unwrap_or(default);
    let terms = Terms {
        life: number("life", 0) as u32,
        interval: number("interval", 60) as u32,
        length: number("length", 1000) as u16,
    };
    let setting = setting(text(about, "suite"));
    let slots = if about.get("next_key").is_some() { SLOTS } else { [SLOTS[0]; 2] };
    let options = Options { setting, slots, terms, config: &config(about) };
    Assoc::open(peer, held, &options, Memory::new()).expect("valid")
}

/// A side that has met nobody.
pub fn fresh(about: &Value) -> Box<dyn Side> {
    fn of<const N: usize, const C: usize, const F: usize, const H: usize>(about: &Value) -> Box<dyn Side> {
        Box::new(open::<N, C, F, H>(about, peer(about), held(about)))
    }
    const C: [usize; 3] = [credential_max(32), credential_max(256), credential_max(384)];
    const F: [usize; 3] = [flight_max(32), flight_max(256), flight_max(384)];
    const H: [usize; 3] = [holder_len(32), holder_len(256), holder_len(384)];
    match setting(text(about, "suite")).group.element_len() {
        32 => of::<32, { C[0] }, { F[0] }, { H[0] }>(about),
        65 => of::<65, { C[0] }, { F[0] }, { H[0] }>(about),
        256 => of::<256, { C[1] }, { F[1] }, { H[1] }>(about),
        _ => of::<384, { C[2] }, { F[2] }, { H[2] }>(about),
    }
}

impl<const N: usize, const C: usize, const F: usize, const H: usize> Side for Assoc<N, C, F, H> {
    fn association(&mut self) -> &mut dyn Association {
        self
    }

    fn again(&self, about: &Value, device: &Device, blob: &[u8]) -> Box<dyn Side> {
        let held = RefCell::new(self.credentials().borrow().clone());
        let stored = || Peer::restore(device, Slot(1), 0, blob, &mut vec![0; blob.len()]).expect("it opens");
        let known = if blob.is_empty() { peer(about) } else { stored() };
        Box::new(open::<N, C, F, H>(about, known, held))
    }

    fn call(&mut self, cx: &mut Cx<'_>, other: &Addr, step: &Value) -> Result<Value, Error> {
        match text(step, "do") {
            "connect" => self.connect(cx, other)?,
            "go_on" => self.go_on(cx)?,
            "install" => {
                let mut held = self.credentials().borrow_mut();
                let bytes = unhex(&step["credential"]);
                let credential = Credential::read(&bytes, held.operator().setting).expect("a credential");
                held.install(&credential, cx.wall).expect("its own");
            }
            "revoke" => {
                self.credentials().borrow_mut().revoke(&unhex(&step["list"])).expect("its operator's");
                self.handle_timeout(cx)?;
            }
            "restart" => {
                if step.get("bytes").is_some() {
                    self.restore(cx, &unhex(&step["bytes"]))?;
                }
            }
            _ => return common(self, cx, other, step),
        }
        Ok(json!({}))
    }
}
