//! What can be repeated and measured, by name. Cryptographic set-up that a device does once stays outside of the repetition.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::{Problem, failed};
use crate::ours::{crypto, history, hub, interactive, microcert, noninteractive, record};
use crate::peers::{aead, edhoc, noise};

pub struct Run {
    pub time: Duration,
    /// UDP payload bytes of one, both directions; 0 where nothing travels.
    pub wire: u64,
}

pub trait Op {
    fn run(&mut self, count: u64) -> Result<Run, Problem>;
}

/// An op in this process: a closure that does it once and returns its bytes on the wire.
pub fn repeat<F: FnMut() -> u64 + 'static>(once: F) -> Result<Box<dyn Op>, Problem> {
    struct Repeat<F>(F);
    impl<F: FnMut() -> u64> Op for Repeat<F> {
        fn run(&mut self, count: u64) -> Result<Run, Problem> {
            let start = Instant::now();
            let mut wire = 0;
            for _ in 0..count {
                wire = black_box((self.0)());
            }
            Ok(Run { time: start.elapsed(), wire })
        }
    }
    Ok(Box::new(Repeat(once)))
}

pub fn open(name: &str) -> Result<Box<dyn Op>, Problem> {
    if let Some(pattern) = name.strip_prefix("snow.") {
        return if pattern == "record" { noise::record() } else { noise::handshake(pattern) };
    }
    if let Some(group) = name.strip_prefix("interactive.phase1.") {
        return interactive::phase1(group);
    }
    if let Some(group) = name.strip_prefix("interactive.phase2.") {
        return interactive::phase2(group);
    }
    // Phase 1: HPKE in Auth and in Base mode, and g^(NA NS); and the g^NA of the K1 that comes with the end of it. Phase 2:
    // g^(NA NS).
    if let Some(group) = name.strip_prefix("operations.phase1.") {
        return match group.strip_suffix(".remembered") {
            // Without what two static keys share, which each side knows.
            Some(group) => interactive::operations(group, 3, 6),
            None => interactive::operations(group, 3, 8),
        };
    }
    if let Some(group) = name.strip_prefix("operations.phase2.") {
        return interactive::operations(group, 2, 2);
    }
    match name {
        "aead.aes_ccm_8.cached" => aead::cached::<aead::AesCcm8>(),
        "aead.aes_ccm_8.rekeyed" => aead::rekeyed::<aead::AesCcm8>(),
        "aead.chacha20_poly1305.cached" => aead::cached::<aead::ChaCha20Poly1305>(),
        "aead.chacha20_poly1305.rekeyed" => aead::rekeyed::<aead::ChaCha20Poly1305>(),
        "crypto.aes_ccm_8" => crypto::seal_and_open(&iotkm::crypto::aead::AES_CCM_8),
        "crypto.chacha20_poly1305" => crypto::seal_and_open(&iotkm::crypto::aead::CHACHA20_POLY1305),
        "crypto.x25519" => crypto::diffie_hellman(&iotkm::crypto::group::X25519),
        "crypto.p256" => crypto::diffie_hellman(&iotkm::crypto::group::P256),
        "crypto.ffc2048" => crypto::diffie_hellman(&iotkm::crypto::group::FFC2048),
        "crypto.ffc2048.modexp" => crypto::modexp(&iotkm::crypto::group::FFC2048),
        "history.symmetric" => history::exchange(&iotkm::crypto::SUITE_0_SYMMETRIC),
        "history.symmetric.suite_4" => history::exchange(&iotkm::crypto::SUITE_4_SYMMETRIC),
        "history.dh.x25519" => history::exchange(&iotkm::crypto::SUITE_0),
        "history.dh.p256" => history::exchange(&iotkm::crypto::SUITE_2),
        "hub.datagram.10" => hub::datagram(10),
        "hub.datagram.1000" => hub::datagram(1_000),
        "hub.datagram.100000" => hub::datagram(100_000),
        "lakers.static_dh" => edhoc::static_dh(),
        "microcert" => microcert::authenticate(&iotkm::crypto::SUITE_0_SYMMETRIC, false),
        "microcert.session" => microcert::authenticate(&iotkm::crypto::SUITE_0_SYMMETRIC, true),
        "microcert.suite_4" => microcert::authenticate(&iotkm::crypto::SUITE_4_SYMMETRIC, false),
        "noninteractive.p256" => noninteractive::handshake(),
        "noninteractive.p256.epoch" => noninteractive::epoch(),
        "record.suite_0" => record::seal_and_open(&iotkm::crypto::SUITE_0_SYMMETRIC),
        "record.suite_4" => record::seal_and_open(&iotkm::crypto::SUITE_4_SYMMETRIC),
        _ => Served::open(name),
    }
}

/// The peers written in C: op, program, and the Debian package that it needs to be built. The program is told the rest of
/// the op's name.
const C_PEERS: &[(&str, &str, &str)] = &[
    ("openssl.dtls12_psk", "openssl", "libssl-dev"),
    ("openssl.dtls12_dhe_psk", "openssl", "libssl-dev"),
    ("openssl.dtls12_ecdhe_ecdsa", "openssl", "libssl-dev"),
    ("openssl.modexp2048", "openssl_modexp", "libssl-dev"),
    ("mbedtls.dtls12_psk", "mbedtls", "libmbedtls-dev"),
    ("mbedtls.dtls12_dhe_psk", "mbedtls", "libmbedtls-dev"),
    ("mbedtls.dtls12_ecdhe_ecdsa", "mbedtls", "libmbedtls-dev"),
];

/// The program that serves an op: reads counts, answers with nanoseconds and bytes (`peers/peer.h`).
pub fn command(name: &str) -> Result<Command, Problem> {
    if let Some((_, program, package)) = C_PEERS.iter().find(|(op, ..)| *op == name) {
        let path = PathBuf::from(std::env::var_os("IOTKM_BENCH_PEERS").unwrap_or_default()).join(program);
        if !path.exists() {
            return Err(Problem::Missing(package));
        }
        let mut command = Command::new(path);
        command.args(name.split_once('.').map(|(_, kind)| kind));
        return Ok(command);
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", name]);
    Ok(command)
}

/// An op in another process.
struct Served {
    child: Child,
    counts: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Served {
    fn open(name: &str) -> Result<Box<dyn Op>, Problem> {
        if !C_PEERS.iter().any(|(op, ..)| *op == name) {
            return Err(failed(format!("no op {name}")));
        }
        let mut child = command(name)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let counts = child.stdin.take().ok_or_else(|| failed("no input"))?;
        let answers = BufReader::new(child.stdout.take().ok_or_else(|| failed("no output"))?);
        Ok(Box::new(Self { child, counts, answers }))
    }
}

impl Op for Served {
    fn run(&mut self, count: u64) -> Result<Run, Problem> {
        writeln!(self.counts, "{count}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let (time, wire) = line.trim().split_once(' ').ok_or_else(|| failed("a peer died; its message is above"))?;
        Ok(Run { time: Duration::from_nanos(time.parse()?), wire: wire.parse()? })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It would end with its input; this only does not wait for that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
