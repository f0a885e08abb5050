//! Noise by snow: handshakes of X25519, ChaCha20-Poly1305 and SHA-256 with empty payloads, both sides, and its records.

use std::hint::black_box;

use snow::{Builder, HandshakeState, Keypair, TransportState};

use crate::lab::Problem;
use crate::ops::{Op, repeat};
use crate::peers::aead::PAYLOAD;

/// Static keys exist before; ephemeral ones are part of what is measured.
pub fn handshake(pattern: &str) -> Result<Box<dyn Op>, Problem> {
    let sides = Sides::new(pattern)?;
    repeat(move || {
        let (_, _, wire) = sides.shake_hands();
        wire
    })
}

/// A 64-byte payload sealed and opened.
pub fn record() -> Result<Box<dyn Op>, Problem> {
    let (mut sender, mut receiver, _) = Sides::new("nn")?.shake_hands();
    let (mut sealed, mut opened) = ([0; PAYLOAD + 16], [0; PAYLOAD + 16]);
    repeat(move || {
        let length = sender.write_message(black_box(&[0x42; PAYLOAD]), &mut sealed).expect("snow seals");
        receiver.read_message(black_box(&sealed[..length]), &mut opened).expect("snow opens what it sealed");
        length as u64
    })
}

struct Sides {
    protocol: String,
    initiator: Keypair,
    responder: Keypair,
}

impl Sides {
    fn new(pattern: &str) -> Result<Self, Problem> {
        let (letters, psk) = pattern.split_at(2);
        let protocol = format!("Noise_{}{psk}_25519_ChaChaPoly_SHA256", letters.to_uppercase());
        let builder = Builder::new(protocol.parse()?);
        Ok(Self { initiator: builder.generate_keypair()?, responder: builder.generate_keypair()?, protocol })
    }

    fn shake_hands(&self) -> (TransportState, TransportState, u64) {
        let mut wire = 0;
        let mut sides = [self.side(true), self.side(false)];
        let (mut message, mut payload) = ([0; 256], [0; 256]);
        for turn in 0.. {
            if sides[0].is_handshake_finished() {
                break;
            }
            let length = sides[turn % 2].write_message(&[], &mut message).expect("snow writes in its turn");
            sides[1 - turn % 2].read_message(&message[..length], &mut payload).expect("snow reads what it wrote");
            wire += length as u64;
        }
        let [initiator, responder] = sides.map(|side| side.into_transport_mode().expect("both have finished"));
        (initiator, responder, wire)
    }

    fn side(&self, initiates: bool) -> HandshakeState {
        let pattern = &self.protocol["Noise_".len()..];
        let (mine, theirs) =
            if initiates { (&self.initiator, &self.responder) } else { (&self.responder, &self.initiator) };
        // KK: both sides know the other's key; IK: the initiator does; XX: nobody; NN: there is none.
        let has_static = !pattern.starts_with("NN");
        let knows_peer = pattern.starts_with("KK") || (initiates && pattern.starts_with("IK"));
        let build = || {
            let mut builder = Builder::new(self.protocol.parse()?);
            if has_static {
                builder = builder.local_private_key(&mine.private)?;
            }
            if knows_peer {
                builder = builder.remote_public_key(&theirs.public)?;
            }
            if pattern.contains("psk0") {
                builder = builder.psk(0, &[7; 32])?;
            }
            if initiates { builder.build_initiator() } else { builder.build_responder() }
        };
        build().expect("snow knows the pattern")
    }
}
