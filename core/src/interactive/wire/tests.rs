#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]

use super::*;
use crate::cose::Reference;
use crate::cose::ticket::TICKET_MAX_FFC as TICKET_MAX;
use crate::crypto::aead::MAX_TAG;
use crate::crypto::group::LONGEST;
use crate::phase1::keys::PRE_LEN;
use crate::phase1::wire::{Hint, M1, M2, M3, Rekey, Shown, Suites, lone_tag};

const MESSAGE_MAX: usize = 2 + 2 + 9 + 2 + TICKET_MAX + LONGEST + MAX_TAG;
use std::vec::Vec;

const LENS: Lens = Lens { share: 32, tag: 8 };
const FFC: Lens = Lens { share: 256, tag: 8 };

fn written(tail: usize, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = [0; MESSAGE_MAX];
    let mut w = Writer::new(&mut out);
    write(&mut w);
    w.put(&[7; LONGEST + MAX_TAG][..tail]);
    let len = w.finish().unwrap();
    out[..len].to_vec()
}

/// Cut anywhere or longer, a message is malformed; nothing but exactly itself is read.
fn only_whole(message: &[u8], read: &dyn Fn(&[u8]) -> Result<(), Dropped>) {
    assert_eq!(read(message), Ok(()));
    for len in 0..message.len() {
        assert_eq!(read(&message[..len]), Err(Dropped::Malformed), "cut to {len} of {}", message.len());
    }
    let longer: Vec<u8> = message.iter().copied().chain([0]).collect();
    assert_eq!(read(&longer), Err(Dropped::Malformed), "longer than {}", message.len());
}

fn m1s() -> Vec<M1<'static>> {
    static TICKET: [u8; TICKET_MAX] = [9; TICKET_MAX];
    let plain = M1 {
        nonce: [1, 2, 3, 4, 5, 6, 7, 0xab],
        suites: Suites::new(&[2]).unwrap(),
        cid: ConnectionId::NONE,
        shown: Shown::Reference(Reference([5; 8])),
        known: Some(Reference([6; 8])),
        psk: false,
        rekey: None,
    };
    let rekey = Some(Rekey { hint: [1, 2, 3, 4], attempt: 0x1234 });
    let whole = M1 {
        suites: Suites::new(&[0, 1, 4, 0xeb, 0xea]).unwrap(),
        cid: ConnectionId::new(&[3; 8]).unwrap(),
        shown: Shown::Ticket(&TICKET),
        known: None,
        psk: true,
        ..plain
    };
    std::vec![plain, whole, M1 { rekey, ..plain }, M1 { rekey, ..whole }]
}

#[test]
fn m1_comes_back_and_only_whole() {
    for m1 in m1s() {
        let tag = if m1.rekey.is_some() { LONG_TAG } else { 0 };
        let bytes = written(tag, |w| m1.write(w, NUMBER));
        let (read, body, rest) = M1::read(&bytes).unwrap();
        assert_eq!(read, m1);
        assert_eq!([body, rest].concat(), bytes);
        assert_eq!(rest.len(), tag);
        only_whole(&bytes, &|m| M1::read(m).map(|_| ()));
    }
    let first = m1s()[1];
    assert_eq!(first.suites.numbers().collect::<Vec<_>>(), [0, 1, 4, -21, -22]);
}

#[test]
fn m1_with_what_nobody_sends() {
    let good = written(0, |w| m1s()[0].write(w, NUMBER));
    let with = |at: usize, byte: u8| {
        let mut bad = good.clone();
        bad[at] = byte;
        M1::read(&bad).map(|_| ())
    };
    assert_eq!(with(1, 0x1a), Err(Dropped::Malformed), "rrrr is R's");
    assert_eq!(with(2, 0x10 | good[2]), Err(Dropped::Malformed), "an unknown flag");
    assert_eq!(with(11, 0), Err(Dropped::Malformed), "no suite");
    assert_eq!(with(11, 9), Err(Dropped::Malformed), "nine suites");
    assert_eq!(with(13, 9), Err(Dropped::Malformed), "a long connection id");
    assert!(Suites::new(&[0, 2, 0]).is_err(), "a suite twice");
    // A ticket of no bytes, and one that is too long.
    for len in [0u16, TICKET_MAX as u16 + 1] {
        let mut bad = written(0, |w| m1s()[1].write(w, NUMBER));
        let at = 2 + 1 + 8 + 6 + 9;
        bad[at..at + 2].copy_from_slice(&len.to_be_bytes());
        bad.truncate(at + 2);
        bad.extend(std::iter::repeat_n(9, usize::from(len)));
        assert_eq!(M1::read(&bad).map(|_| ()), Err(Dropped::Malformed));
    }
}

#[test]
fn m2_comes_back_and_only_whole() {
    let lens = |suite: i8| match suite {
        2 => Some(LENS),
        -21 => Some(FFC),
        _ => None,
    };
    let named = M2 { suite: 2, cid: ConnectionId::NONE, ticket: None };
    let whole = M2 { suite: -21, cid: ConnectionId::new(&[3; 8]).unwrap(), ticket: Some(&[4; 200]) };
    for (m2, of) in [(named, LENS), (whole, FFC)] {
        let bytes = written(of.share + of.tag, |w| m2.write(w, NUMBER, 5));
        let (read, ends) = M2::read(&bytes, &lens).unwrap();
        assert_eq!(read, m2);
        assert_eq!([ends.head, ends.share, ends.tag].concat(), bytes);
        assert_eq!((ends.share.len(), ends.tag.len()), (of.share, of.tag));
        only_whole(&bytes, &|m| M2::read(m, &lens).map(|_| ()));
    }
    let other = written(40, |w| M2 { suite: 0, ..named }.write(w, NUMBER, 5));
    assert_eq!(M2::read(&other, &lens).map(|_| ()), Err(Dropped::Unexpected), "not offered");
}

#[test]
fn m3_comes_back_and_only_whole() {
    for lens in [LENS, FFC, Lens { tag: LONG_TAG, ..LENS }] {
        let bytes = written(lens.share + PRE_LEN + lens.tag, |w| M3::write(w, NUMBER, 3, &86_400u32.to_be_bytes()));
        let m3 = M3::read(&bytes, lens, 4).unwrap();
        assert_eq!(m3.terms, 86_400u32.to_be_bytes());
        assert_eq!([m3.head, m3.share, m3.pre, m3.tag].concat(), bytes);
        assert_eq!(m3.share.len(), lens.share);
        only_whole(&bytes, &|m| M3::read(m, lens, 4).map(|_| ()));
    }
}

#[test]
fn k1_and_k2_come_back_and_only_whole() {
    let k1 = K1 { hint: [1, 2, 3, 4], attempt: 0x321, long: false, holds: false, cid: ConnectionId::NONE };
    let more = K1 { long: true, holds: true, cid: ConnectionId::new(&[3; 8]).unwrap(), ..k1 };
    for (k1, lens) in [(k1, LENS), (more, FFC), (K1 { long: true, holds: true, ..k1 }, LENS)] {
        let tag = k1.tag_len(lens.tag);
        let bytes = written(lens.share + tag, |w| k1.write(w));
        let (read, ends) = K1::read(&bytes, lens).unwrap();
        assert_eq!(read, k1);
        assert_eq!([ends.head, ends.share, ends.tag].concat(), bytes);
        only_whole(&bytes, &|m| K1::read(m, lens).map(|_| ()));
        let mut bad = bytes;
        bad[1] ^= 1;
        assert_eq!(K1::read(&bad, lens).map(|_| ()), Err(Dropped::Malformed), "rrrr is the attempt's");

        let lens = Lens { tag, ..lens };
        let bytes = written(lens.share + lens.tag, |w| write_k2(w, k1.attempt, &k1.cid));
        assert_eq!(read_k2(&bytes, lens).unwrap().0, k1.cid);
        only_whole(&bytes, &|m| read_k2(m, lens).map(|_| ()));
    }
}

#[test]
fn short_ones_come_back_and_only_whole() {
    let m1 = [0xab; 32];
    let bytes = written(0, |w| Hint::NoSuite.write(w, NUMBER, 4, &m1));
    assert_eq!(Hint::read(&bytes), Ok((Hint::NoSuite, [0xab; 8])));
    only_whole(&bytes, &|m| Hint::read(m).map(|_| ()));
    for reason in [0, 6] {
        let mut bad = bytes.clone();
        bad[2] = reason;
        assert_eq!(Hint::read(&bad), Err(Dropped::Malformed));
    }

    let bytes = written(LONG_TAG, |w| write_refuse(w, 4, 300));
    assert_eq!(read_refuse(&bytes), Ok((300, &[7; LONG_TAG][..])));
    only_whole(&bytes, &|m| read_refuse(m).map(|_| ()));

    let ping = Ping { hint: [1; 4], nonce: [2; 8] };
    let bytes = written(8, |w| ping.write(w));
    assert_eq!(Ping::read(&bytes, 8), Ok((ping, &[7; 8][..])));
    only_whole(&bytes, &|m| Ping::read(m, 8).map(|_| ()));

    only_whole(&bytes[..10], &|m| lone_tag(m, 8).map(|_| ()));

    let bytes = written(LONG_TAG + 20, |w| {
        w.put(&header(NUMBER, message::K3, 1));
    });
    let (tag, record) = read_closing(&bytes).unwrap();
    assert_eq!((tag.len(), record.len()), (LONG_TAG, 20));
    assert!(read_closing(&bytes[..HEADER_LEN + LONG_TAG]).unwrap().1.is_empty());
    assert_eq!(read_closing(&bytes[..HEADER_LEN + LONG_TAG - 1]), Err(Dropped::Malformed));
}

/// Section 10 of the page.
#[test]
fn lengths_are_as_the_page_says() {
    let m1 = written(0, |w| m1s()[0].write(w, NUMBER)).len();
    let m2 = written(40, |w| M2 { suite: 2, cid: ConnectionId::NONE, ticket: None }.write(w, NUMBER, 0)).len();
    let m3 = written(32 + PRE_LEN + 8, |w| M3::write(w, NUMBER, 0, &[0; 4])).len();
    assert_eq!((m1, m2, m3), (30, 45, 50));
    assert_eq!(m1 + m2 + m3 + HEADER_LEN + 8, 135);

    let k1 = K1 { hint: [0; 4], attempt: 1, long: false, holds: false, cid: ConnectionId::NONE };
    for (share, all) in [(256, 577), (384, 833)] {
        let k1 = written(share + 8, |w| k1.write(w)).len();
        let k2 = written(share + 8, |w| write_k2(w, 1, &ConnectionId::NONE)).len();
        assert_eq!(k1 + k2 + 2 * (HEADER_LEN + LONG_TAG), all);
    }
}
