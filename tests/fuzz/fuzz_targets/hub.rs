//! A hub fed with anything from anywhere.
#![no_main]

use iotkm::crypto::{SUITE_0_SYMMETRIC, Secret};
use iotkm::engine::Config;
use iotkm::engine::timers::Timer;
use iotkm::history::{Entry, History, HistoryMemory, Id, Peer, Triple};
use iotkm::hub::{Hub, Limits, Place, Route};
use iotkm::{Association, Cx, Device, Instant, NoKeys, Output, Slot};
use iotkm_fuzz::{Input, Node, Source, addr};
use libfuzzer_sys::fuzz_target;

type Memory = HistoryMemory<Peer, Vec<Entry>, 2, 0>;
type Assoc = History<Peer, Vec<Entry>, Memory>;

fn open(me: u8, other: u8, n: u8) -> Assoc {
    let id = |n| Id::new(&[n]).expect("short");
    let triple = Triple::new(Secret::new([n; 32]), Secret::new([2; 32]), Secret::new([3; 32]), 0);
    let peer = Peer::provisioned(Slot(n.into()), id(me), id(other), &SUITE_0_SYMMETRIC, triple).expect("two ids");
    History::open(peer, Vec::new(), &SUITE_0_SYMMETRIC, Config::default(), Memory::new()).expect("valid")
}

fuzz_target!(|data: &[u8]| {
    const COUNT: u8 = 5;
    let mut input = Input(data);
    let device = Device::new(Secret::new([1; 32]));
    let mut rng = Source::default();
    let mut now = 1_000u64;
    let mut cx = Cx { now: Instant(now), wall: None, place: b"", rng: &mut rng, device: &device, keys: &NoKeys };
    let places: Vec<Place<Assoc>> = (0..COUNT).map(|_| Place::free()).collect();
    let limits = Limits { busy: 3 };
    let mut hub =
        Hub::new(&mut cx, places, vec![Timer::NONE; COUNT.into()], vec![Route::default(); 24], limits).expect("valid");
    let mut devices: Vec<Node<Assoc>> = (0..COUNT).map(|n| Node::new(open(n + 1, 100, n), u64::from(n))).collect();
    for n in 0..COUNT {
        assert!(hub.insert(open(100, n + 1, n)).is_ok());
    }
    for _ in 0..200 {
        if !input.more() {
            break;
        }
        let op = input.byte();
        let n = usize::from(op % COUNT);
        let mut to_hub: Option<(u8, Vec<u8>)> = None;
        match op >> 4 {
            0 => {
                let _ = devices[n].with(now, |a, cx| a.connect(cx, &addr(200)));
                devices[n].drain(now);
            }
            1..=6 => to_hub = devices[n].sent.pop().map(|bytes| (n as u8, bytes)),
            7 => to_hub = Some((input.byte(), input.bytes().to_vec())),
            8 => {
                let mut out = [0; 200];
                let sent = devices[n].with(now, |a, cx| a.send(cx, b"hello", &mut out).ok().map(|s| s.bytes.to_vec()));
                devices[n].sent.extend(sent);
            }
            9 => drop(hub.remove(n)),
            10 => drop(hub.insert(open(100, n as u8 + 1, n as u8))),
            11 => now += u64::from(input.byte()) * 100,
            _ => {
                let _ = devices[n].with(now, |a, cx| a.handle_timeout(cx));
                devices[n].drain(now);
            }
        }
        let mut cx =
            Cx { now: Instant(now), wall: None, place: b"", rng: &mut rng, device: &device, keys: &NoKeys };
        if let Some((from, mut bytes)) = to_hub {
            let _ = hub.handle_input(&mut cx, &addr(from), &mut bytes).map(|r| r.map(|(i, _)| i));
        }
        let _ = hub.handle_timeout(&mut cx);
        let mut out = [0; 1500];
        for round in 0.. {
            assert!(round < 500, "never idle");
            match hub.poll(&mut cx, &mut out) {
                (_, Output::Idle { .. }) => break,
                (Some(i), Output::Persist { slot, .. }) => hub.persisted(i, slot, Ok(())),
                (_, Output::Datagram { to, bytes }) => {
                    let n = usize::from(to.as_bytes().first().copied().unwrap_or(0));
                    if let Some(d) = devices.get_mut(n) {
                        let mut bytes = bytes.to_vec();
                        let _ = d.with(now, |a, cx| a.handle_input(cx, &addr(200), &mut bytes).map(|r| r.is_some()));
                        d.drain(now);
                    }
                }
                _ => {}
            }
        }
    }
});
