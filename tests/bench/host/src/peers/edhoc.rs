//! EDHOC (RFC 9528) by lakers: method 3 (static Diffie-Hellman on both sides), suite 2 (P-256, AES-CCM-8), credentials by
//! reference, three messages, both sides; keys and credentials of RFC 9529, section 3.
//!
//! It is interactive's phase 1 with less: no ticket and so no agent, end or revocation is looked at, the last message is not
//! answered, no PMK is stored, and there is no phase 2: who wants new keys runs it again. Its elliptic curve is the p256
//! crate of a generation before ours, without tables.

use lakers::{
    Credential, CredentialTransfer, EDHOCMethod, EDHOCSuite, EdhocInitiator, EdhocResponder, credential_check_or_fetch,
};
use lakers_crypto_rustcrypto::Crypto;
use rand_core::{CryptoRng, Error, RngCore, impls};

use crate::lab::Problem;
use crate::ops::{Op, repeat};

const CRED_I: &str = "a2027734322d35302d33312d46462d45462d33372d33322d333908a101a5010202412b2001215820ac75e9ece3e50bfc8ed6039988\
    9522405c47bf16df96660a41298cb4307f7eb62258206e5de611388a4b8a8211334ac7d37ecb52a387d257e6db3c2a93df21ff3affc8";
const CRED_R: &str = "a2026008a101a5010202410a2001215820bbc34960526ea4d32e940cad2a234148ddc21791a12afbcbac93622046dd44f02258204519e2\
    57236b2a0ce2023f0931f1f386ca7afda64fcde0108c224c51eabf6072";
const I: &str = "fb13adeb6518cee5f88417660841142e830a81fe334380a953406a1305e8706b";
const R: &str = "72cc4761dbd4c78f758931aa589d348d1ef874a7e303ede2f140dcf3e6aa4aac";

fn unhex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// As cheap as our own sides'.
#[derive(Clone, Copy)]
struct Cheap(u64);

impl RngCore for Cheap {
    fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        impls::fill_bytes_via_next(self, out);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Cheap {}

pub fn static_dh() -> Result<Box<dyn Op>, Problem> {
    let credential = |digits| Credential::parse_ccs(&unhex(digits)).expect("a credential");
    let (cred_i, cred_r) = (credential(CRED_I), credential(CRED_R));
    let key = |digits| <[u8; 32]>::try_from(unhex(digits)).expect("32 bytes");
    let (i, r) = (key(I), key(R));
    let mut seed = 0;
    repeat(move || {
        seed += 2;
        let crypto = |seed| Crypto::new(Cheap(seed));
        let initiator = EdhocInitiator::new(crypto(seed), EDHOCMethod::StatStat, EDHOCSuite::CipherSuite2);
        let responder = EdhocResponder::new(crypto(seed + 1), EDHOCMethod::StatStat, r, cred_r);
        let (initiator, message_1) = initiator.prepare_message_1(None, &None).expect("message 1");
        let (responder, ..) = responder.process_message_1(&message_1).expect("its own");
        let (responder, message_2) =
            responder.prepare_message_2(CredentialTransfer::ByReference, None, &None).expect("message 2");
        let (mut initiator, _, id_r, _) = initiator.parse_message_2(&message_2).expect("its own");
        let theirs = credential_check_or_fetch(Some(cred_r), id_r).expect("known");
        initiator.set_identity(i, cred_i).expect("a key");
        let initiator = initiator.verify_message_2(theirs).expect("authentic");
        let (_, message_3, ours) =
            initiator.prepare_message_3(CredentialTransfer::ByReference, &None).expect("message 3");
        let (responder, id_i, _) = responder.parse_message_3(&message_3).expect("its own");
        let theirs = credential_check_or_fetch(Some(cred_i), id_i).expect("known");
        let (_, same) = responder.verify_message_3(theirs).expect("authentic");
        assert_eq!(ours, same);
        [message_1.len, message_2.len, message_3.len].iter().sum::<usize>() as u64
    })
}
