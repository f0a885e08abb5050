//! What a peer that has the keys may send: control records of any content, in any state.
#![no_main]

use iotkm::crypto::{SUITE_0_SYMMETRIC, Secret};
use iotkm::engine::Config;
use iotkm::history::{Entry, History, HistoryMemory, Id, Peer, Triple};
use iotkm::{Association, Slot};
use iotkm_fuzz::{Input, Node, addr, deliver};
use libfuzzer_sys::fuzz_target;

type Memory = HistoryMemory<Peer, Vec<Entry>, 2, 200>;
type Assoc = History<Peer, Vec<Entry>, Memory>;

fn node(me: u8, other: u8) -> Node<Assoc> {
    let id = |n| Id::new(&[n]).expect("short");
    let triple = Triple::new(Secret::new([1; 32]), Secret::new([2; 32]), Secret::new([3; 32]), 0);
    let peer = Peer::provisioned(Slot(1), id(me), id(other), &SUITE_0_SYMMETRIC, triple).expect("two ids");
    let a = History::open(peer, vec![Entry::EMPTY; 9], &SUITE_0_SYMMETRIC, Config::default(), Memory::new()).expect("valid");
    Node::new(a, u64::from(me))
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let (mut a, mut b) = (node(1, 2), node(2, 1));
    let mut now = 1_000;
    a.with(now, |a, cx| a.connect(cx, &addr(2))).expect("at rest");
    a.drain(now);
    for _ in 0..3 {
        deliver(&mut Input(&[0]), now, &mut a, &mut b, 1);
        deliver(&mut Input(&[0]), now, &mut b, &mut a, 2);
    }
    assert!(a.a.is_established() && b.a.is_established());
    for _ in 0..50 {
        if !input.more() {
            break;
        }
        let op = input.byte();
        let (this, that) = if op & 1 == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
        match op >> 1 & 7 {
            0..=3 => {
                let body = input.bytes();
                this.with(now, |a, cx| a.fuzz_control(cx, &addr(2 - (op & 1)), body));
            }
            4 => drop(this.with(now, |a, cx| a.update(cx))),
            5 => {
                now += u64::from(input.byte()) * 100;
                let _ = this.with(now, |a, cx| a.handle_timeout(cx));
            }
            6 => {
                let mut out = [0; 200];
                let sent = this.with(now, |a, cx| a.send(cx, b"reading", &mut out).ok().map(|s| s.bytes.to_vec()));
                this.sent.extend(sent);
            }
            _ => deliver(&mut input, now, that, this, 2 - (op & 1)),
        }
        this.drain(now);
    }
});
