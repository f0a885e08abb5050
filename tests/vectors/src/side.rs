//! A node of the interactive scheme.

use crate::node::{common, config, suite, text};
use crate::unhex;
use iotkm::cose::ticket::TICKET_MAX_FFC as ROOM;
use iotkm::cose::{Agent, Wallet};
use iotkm::crypto::hpke::{DHKEM_P256, DHKEM_X25519, KEM_FFC2048, KEM_FFC3072, Kem};
use iotkm::crypto::sign::{Ed25519, PublicKey};
use iotkm::crypto::{Secret, Suite};
use iotkm::interactive::{Any, Interactive, InteractiveMemory, Peer, Setup, Subject};
use iotkm::{Addr, Cx, Device, Error, KeySlot, Slot, StaticKey, StaticKeys};
use serde_json::{Value, json};
use std::cell::RefCell;

type Purse = RefCell<Wallet<'static, ROOM, 200>>;
type Memory = InteractiveMemory<Peer<ROOM>, Purse, 2, 1200, Any, ROOM>;
/// An association, with room for any group's tickets.
pub type Side = Interactive<Peer<ROOM>, Purse, Memory, Any, ROOM>;

const KEY: KeySlot = KeySlot(1);

fn kem(about: &Value) -> &'static dyn Kem {
    match suites(about)[0].id {
        0 | 1 | 4 => &DHKEM_X25519,
        2 | 3 | 5 => &DHKEM_P256,
        -21 => &KEM_FFC2048,
        _ => &KEM_FFC3072,
    }
}

fn suites(about: &Value) -> &'static [&'static Suite] {
    let numbers = about["suites"].as_array().expect("a list");
    numbers.iter().map(|number| suite(number.as_str().expect("a name"))).collect::<Vec<_>>().leak()
}

fn secret(about: &Value, key: &str) -> Secret<32> {
    Secret::new(unhex(&about[key]).try_into().expect("32 bytes"))
}

fn name(about: &Value, key: &str) -> &'static str {
    String::from_utf8(unhex(&about[key])).expect("text").leak()
}

/// Its static key.
pub fn keys(about: &Value) -> Box<dyn StaticKeys> {
    let (kem, scalar) = (kem(about), secret(about, "key"));
    match kem.group().share_len() {
        32 => Box::new(StaticKey::<32>::new(KEY, kem, &scalar).expect("a scalar")),
        256 => Box::new(StaticKey::<256>::new(KEY, kem, &scalar).expect("a scalar")),
        _ => Box::new(StaticKey::<384>::new(KEY, kem, &scalar).expect("a scalar")),
    }
}

fn open(about: &Value, peer: Peer<ROOM>, purse: Purse) -> Side {
    let life = about["life"].as_u64().unwrap_or(0) as u32;
    let setup = Setup { kem: kem(about), suites: suites(about), slots: [KEY; 2], life };
    Side::open(peer, purse, setup, config(about), Memory::new()).expect("valid")
}

fn peer(about: &Value) -> Peer<ROOM> {
    let [me, id] = ["id", "peer"].map(|key| Subject::new(name(about, key)).expect("a name"));
    let psk = about.get("psk").map(|_| secret(about, "psk"));
    Peer::new(Slot(1), me, id, psk).expect("two names")
}

/// A side that has met nobody.
pub fn fresh(about: &Value) -> Side {
    let key = PublicKey::new(&Ed25519, &unhex(&about["agent_key"])).expect("a key");
    let mut wallet = Wallet::new(Agent { name: name(about, "agent"), key }, name(about, "id")).expect("names");
    wallet.install(&unhex(&about["ticket"]), None).expect("its own");
    open(about, peer(about), RefCell::new(wallet))
}

/// The same side after a restart; its wallet is what it was. An empty blob: it has forgotten its peer.
pub fn again(about: &Value, side: &Side, device: &Device, blob: &[u8]) -> Side {
    let purse = RefCell::new(side.credentials().borrow().clone());
    let stored = || Peer::restore(device, Slot(1), 0, blob, &mut vec![0; blob.len()]).expect("it opens");
    open(about, if blob.is_empty() { peer(about) } else { stored() }, purse)
}

/// One call.
pub fn call(a: &mut Side, cx: &mut Cx<'_>, other: &Addr, step: &Value) -> Result<Value, Error> {
    match text(step, "do") {
        "connect" => a.connect(cx, other)?,
        "authenticate" => a.authenticate(cx, other)?,
        "ping" => a.ping(cx, other)?,
        "install" => {
            a.credentials().borrow_mut().install(&unhex(&step["ticket"]), cx.wall).expect("its own");
            a.recheck(cx)?;
        }
        "restart" => {
            if step.get("bytes").is_some() {
                a.restore(cx, &unhex(&step["bytes"]))?;
            }
        }
        _ => return common(a, cx, other, step),
    }
    Ok(json!({}))
}
