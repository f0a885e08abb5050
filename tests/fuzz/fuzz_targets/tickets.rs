//! Tickets, lists and messages: read or refused; what is read is written back byte for byte where that is defined.
#![no_main]

use iotkm::cose::cbor::Reader;
use iotkm::cose::{Agent, Message, RevocationList, Ticket, Wallet};
use iotkm::crypto::Secret;
use iotkm::crypto::sign::{Ed25519Key, Signer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut r = Reader::new(data);
    r.skip();
    if r.ok().is_ok() {
        // Deterministic: whatever stands before the end was one whole item.
        let item = r.since(data);
        let mut again = Reader::new(item);
        again.skip();
        again.end().expect("one item");
    }
    if let Ok(ticket) = Ticket::peek(data) {
        assert_eq!(ticket.as_bytes(), data);
        assert!(ticket.claims().begins() < ticket.claims().expires);
    }
    if let Ok(list) = RevocationList::peek(data) {
        assert!(list.serials().all(|serial| list.contains(serial)));
    }
    if let Ok(message) = Message::read(data) {
        let mut out = vec![0; data.len()];
        assert_eq!(message.write(&mut out), Ok(data.len()));
        assert_eq!(out, data);
        // A message from anybody changes nothing: no byte string of a fuzzer's is signed.
        let key = Ed25519Key::new(Secret::new([7; 32])).public_key().expect("a seed");
        let mut wallet = Wallet::<288, 256>::new(Agent { name: "acme", key }, "nobody").expect("names");
        let _ = wallet.handle(&message, None);
        assert!(wallet.tickets().next().is_none());
    }
});
