//! Both sides' state machines of exchange, data, update and resume, driven by the input.
#![no_main]

use iotkm::crypto::{SUITE_0_SYMMETRIC, Secret};
use iotkm::engine::{Config, ConnectionId};
use iotkm::history::{Entry, History, HistoryMemory, Id, Peer, Triple};
use iotkm::{Association, Slot};
use iotkm_fuzz::{Input, Node, addr, deliver, forge};
use libfuzzer_sys::fuzz_target;

type Memory = HistoryMemory<Peer, Vec<Entry>, 2, 200>;
type Assoc = History<Peer, Vec<Entry>, Memory>;

fn config(flags: u8) -> Config {
    let cid = if flags & 1 == 0 { ConnectionId::NONE } else { ConnectionId::new(&[9, 8]).unwrap_or_default() };
    Config { cid, mtu: if flags & 2 == 0 { 1200 } else { 40 }, tries: 3, rekey_after: if flags & 4 == 0 { 1 << 20 } else { 2 } }
}

fn open(peer: Peer, flags: u8) -> Assoc {
    History::open(peer, vec![Entry::EMPTY; 9], &SUITE_0_SYMMETRIC, config(flags), Memory::new()).expect("valid")
}

fn node(me: u8, other: u8, flags: u8) -> Node<Assoc> {
    let id = |n| Id::new(&[n]).expect("short");
    let triple = Triple::new(Secret::new([1; 32]), Secret::new([2; 32]), Secret::new([3; 32]), 0);
    let peer = Peer::provisioned(Slot(1), id(me), id(other), &SUITE_0_SYMMETRIC, triple).expect("two ids");
    Node::new(open(peer, flags), u64::from(me))
}

fn restart(node: &mut Node<Assoc>, session: Option<Vec<u8>>, flags: u8) {
    let Some((_, blob)) = node.stored.first().cloned() else { return };
    let peer = Peer::restore(&node.device, Slot(1), 0, &blob).expect("our own blob");
    node.a = open(peer, flags);
    if let Some(session) = session {
        let _ = node.with(1, |a, cx| a.restore(cx, &session));
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let flags = input.byte();
    let mut nodes = [node(1, 2, flags), node(2, 1, flags)];
    let mut exported: [Option<Vec<u8>>; 2] = [None, None];
    let mut now = 1_000u64;
    for _ in 0..200 {
        if !input.more() {
            break;
        }
        let op = input.byte();
        let me = usize::from(op & 1);
        let (left, right) = nodes.split_at_mut(1);
        let (this, that) = if me == 0 { (&mut left[0], &mut right[0]) } else { (&mut right[0], &mut left[0]) };
        let other = addr(2 - me as u8);
        match op >> 1 & 15 {
            0 => drop(this.with(now, |a, cx| a.connect(cx, &other))),
            1..=6 => deliver(&mut input, now, that, this, 2 - me as u8),
            7 => forge(&mut input, now, this),
            8 => {
                let payload = input.bytes();
                let mut out = [0; 1500];
                let sent = this.with(now, |a, cx| a.send(cx, payload, &mut out).ok().map(|s| s.bytes.to_vec()));
                this.sent.extend(sent);
            }
            9 => drop(this.with(now, |a, cx| a.update(cx))),
            10 => {
                now += u64::from(input.byte()) * 100;
                let _ = this.with(now, |a, cx| a.handle_timeout(cx));
            }
            11 => {
                let mut out = [0; 300];
                exported[me] = this.with(now, |a, cx| a.export(cx, &mut out).ok()).map(|n| out[..n].to_vec());
            }
            12 => restart(this, exported[me].clone(), flags),
            13 => this.rng.broken = !this.rng.broken,
            14 => this.store_broken = !this.store_broken,
            _ => drop(this.a.close()),
        }
        this.drain(now);
    }
    let key = |node: &Node<Assoc>| {
        let mut out = [0; 16];
        node.a.exporter(b"x", b"", &mut out).ok().map(|()| (node.a.session().map(|s| (s.id(), s.is_initiator())), node.a.fingerprint(), out))
    };
    if let (Some((Some((id_a, i_a)), f_a, a)), Some((Some((id_b, i_b)), f_b, b))) = (key(&nodes[0]), key(&nodes[1])) {
        if f_a == f_b {
            assert!(a == b && id_a == id_b && i_a != i_b, "one transcript, two keys");
        }
    }
});
