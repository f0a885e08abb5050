//! The Published profile on the simulated network, and its guesser.

use crate::{Dictionary, Transcript, xor};
use iotkm::engine::published::published_header;
use iotkm::history::Id;
use iotkm::history::published::keys::{self, PublishedTriple, Value};
use iotkm::history::published::wire::message;
use iotkm::history::published::{PublishedEntry, PublishedHistory, PublishedPairing};
use iotkm::history::wire::NUMBER;
use iotkm::{Association, Device, Event, Slot};
use iotkm_netsim::{Link, Net, Node};
use std::collections::HashMap;

/// An association with its log.
pub type Side = PublishedHistory<Vec<PublishedEntry>>;
/// Two of them.
pub type Lab = Net<Side, Side>;

/// The names of both.
pub const NAMES: [&[u8]; 2] = [b"phone", b"drone"];

fn device(who: usize) -> Device {
    Device::new(iotkm::crypto::Secret::new([who as u8 + 1; 32]))
}

/// A message of the Published profile.
pub fn message(number: u8, body: &[u8]) -> Vec<u8> {
    [&published_header(NUMBER, number), body].concat()
}

/// The number of a message.
pub fn number(bytes: &[u8]) -> u8 {
    bytes[1] >> 4
}

/// The first message of this number in a transcript.
pub fn first(transcript: &Transcript, wanted: u8) -> &[u8] {
    transcript.iter().map(|(_, bytes)| &bytes[..]).find(|b| number(b) == wanted).expect("it was sent")
}

/// Two devices pair under these secrets.
pub fn pair(seed: u64, sk: [&[u8]; 2]) -> Net<PublishedPairing, PublishedPairing> {
    let node = |who: usize| {
        let a = PublishedPairing::open(Id::new(NAMES[who]).unwrap(), Slot(1), sk[who]).unwrap();
        Node::new(a, NAMES[who], seed * 2 + who as u64, device(who))
    };
    let mut net = Net::new(seed, Link::GOOD, node(0), node(1));
    net.b.a.listen();
    let (now, to) = (net.now, net.b.addr);
    net.a.with(now, |a, cx| a.start(cx, &to)).unwrap();
    net.drive(5_000, |n| n.a.saw(paired) && n.b.saw(paired));
    net
}

fn paired(event: &Event) -> bool {
    matches!(event, Event::Paired { .. })
}

/// Two devices that have paired under this secret.
pub fn lab(seed: u64, sk: &[u8]) -> Lab {
    let mut net = pair(seed, [sk, sk]);
    let mut side = |who: usize| {
        let pairing = if who == 0 { &mut net.a.a } else { &mut net.b.a };
        let a = PublishedHistory::open(pairing.take_peer().expect("paired"), vec![PublishedEntry::EMPTY; 16]);
        Node::new(a, NAMES[who], seed * 2 + 100 + who as u64, device(who))
    };
    let (a, b) = (side(0), side(1));
    Net::new(seed, Link::GOOD, a, b)
}

/// a starts an exchange; whether both complete it.
pub fn connect(net: &mut Lab) -> bool {
    let (now, to) = (net.now, net.b.addr);
    let started = net.a.with(now, |a, cx| a.connect(cx, &to)).is_ok();
    started && net.drive(5_000, |n| n.a.a.is_established() && n.b.a.is_established())
}

/// b asks for an update.
pub fn update(net: &mut Lab) {
    let now = net.now;
    net.b.with(now, |b, cx| b.update(cx)).unwrap();
    net.flush();
}

/// Whether both have the same three values.
pub fn same_triple(net: &Lab) -> bool {
    net.a.a.peer().triple() == net.b.a.peer().triple()
}

/// What a guesser found.
#[derive(Debug)]
pub struct Found {
    /// The three values.
    pub triple: PublishedTriple,
    /// SK, if it was in what was found.
    pub sk: Vec<u8>,
    /// R_I and R_R.
    pub keys: [Value; 2],
}

/// Offline: from one recorded exchange and one record of the initiator's to all three values and both keys. Two values
/// by a meet in the middle on C1, the third because a record decrypted under it must make sense.
pub fn guess(transcript: &Transcript, dictionary: &Dictionary) -> Option<Found> {
    let value = |wanted| -> Value { first(transcript, wanted)[2..].try_into().unwrap() };
    let (c1, c2, c3) = (value(message::C1), value(message::C2), value(message::C3));
    let record = &first(transcript, message::DATA)[2..];

    let sks: Vec<Value> = dictionary.sk.iter().map(|sk| keys::value(sk)).collect();
    let lis: HashMap<Value, usize> = dictionary.li.iter().enumerate().map(|(i, li)| (keys::value(li), i)).collect();
    let ts: HashMap<Value, u64> = dictionary.t.clone().map(|t| (keys::time(t), t)).collect();
    let other = |v: &Value| -> Value { xor(v, &c1).try_into().unwrap() };

    let mut candidates = Vec::new();
    for (i, sk) in sks.iter().enumerate() {
        if let Some(t) = ts.get(&other(sk)) {
            candidates.extend(lis.keys().map(|li| ([*sk, keys::time(*t), *li], *li, i)));
        }
        if lis.contains_key(&other(sk)) {
            candidates.extend(ts.keys().map(|t| ([*sk, *t, other(sk)], *t, i)));
        }
    }
    for li in lis.keys() {
        if ts.contains_key(&other(li)) {
            candidates.extend(sks.iter().enumerate().map(|(i, sk)| ([*sk, other(li), *li], *sk, i)));
        }
    }
    for (values, unused, sk) in candidates {
        let r_r = keys::c2(&c2, &unused);
        let r_i = keys::c3(&c3, &r_r);
        let (n, text) = record.split_first_chunk::<4>()?;
        let mut text = text.to_vec();
        keys::encrypt(&r_i, u32::from_be_bytes(*n), &mut text);
        let t = u64::from_be_bytes(text[..8].try_into().unwrap());
        if t.abs_diff(*dictionary.t.start()) < 1 << 36 {
            let sk = dictionary.sk[sk].clone();
            return Some(Found { triple: PublishedTriple::new(values), sk, keys: [r_i, r_r] });
        }
    }
    None
}
