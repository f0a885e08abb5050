//! Resume: three messages from a stored session to new keys, without the handshake.
//!
//! ```text
//!  A (restored)                                        B (live, or restored too)
//!  R1   header, B's cid, salt_A, tag            -->
//!                                               <--    R2   header, A's cid, salt_A, salt_B, generation, tag
//!  R3   header, B's cid, salt_A, tag [record]   -->    new keys on both sides; B answers with a record
//! ```
//! Tags (16 bytes) and the new PRK come from the resume root, `KDF(master, 0, "resume")`, and both salts, 8 bytes each.
//! B keeps one random number a resume and derives salt_B from it and salt_A: a replayed R1 gets the same answer and
//! changes nothing. Since both sides bring salt, a blob that was copied or put back leads to keys that never were.

use super::drops::Dropped;
use super::session::{ConnectionId, Keys};
use super::transcript::Transcript;
use super::wire::{self, Reader, Writer};
use crate::crypto::{Prk, Secret, secret::ct_eq};

/// Length of a salt in bytes.
pub const SALT_LEN: usize = 8;
/// Whatever restores a key carries a tag of this length in bytes.
pub const TAG_LEN: usize = 16;
/// The longest of the three messages in bytes.
pub const MAX_LEN: usize = wire::HEADER_LEN + ConnectionId::MAX + 2 * SALT_LEN + 4 + TAG_LEN;

/// A salt.
pub type Salt = [u8; SALT_LEN];

/// The resume root of a session.
pub fn root(master: &Prk) -> Secret<32> {
    master.secret("resume", &[])
}

/// What both sides know of the session that is to go on.
#[derive(Clone, Debug)]
pub struct Root {
    /// The resume root.
    pub root: Secret<32>,
    /// The scheme's name, for the KDF.
    pub scheme: &'static str,
    /// The session's name.
    pub session: u32,
    /// Whether the restored side (A) had started the session's run.
    pub a_is_initiator: bool,
}

impl Root {
    fn th(&self, parts: &[&[u8]]) -> Transcript {
        let side = [u8::from(self.a_is_initiator)];
        Transcript::new(&[self.scheme.as_bytes(), b"resume", &self.session.to_be_bytes(), &side]).then(parts)
    }

    fn tag(&self, label: &str, th: &Transcript) -> [u8; TAG_LEN] {
        let mut tag = [0; TAG_LEN];
        Prk::new(self.scheme, self.root.expose()).expand(label, &[th.as_bytes()], &mut tag);
        tag
    }

    /// salt_B for this salt_A and B's random number of this resume.
    pub fn salt_b(&self, nonce: &Secret<16>, salt_a: &Salt) -> Salt {
        let mut salt = [0; SALT_LEN];
        Prk::new(self.scheme, self.root.expose()).expand("salt", &[nonce.expose(), salt_a], &mut salt);
        salt
    }

    /// Writes R1.
    pub fn write_1(&self, w: &mut Writer<'_>, cid: &ConnectionId, salt_a: &Salt) {
        let tag = self.tag("r1", &self.th(&[salt_a]));
        w.put(&wire::header(wire::ENGINE, wire::engine::RESUME_1, 0)).put(cid.as_bytes()).put(salt_a).put(&tag);
    }

    /// Reads R1 (behind header and connection id): salt_A.
    ///
    /// # Errors
    /// Malformed or forged.
    pub fn read_1(&self, body: &[u8]) -> Result<Salt, Dropped> {
        let mut r = Reader::new(body);
        let salt_a: Salt = r.array()?;
        self.check("r1", &self.th(&[&salt_a]), r.take(TAG_LEN)?)?;
        r.end()?;
        Ok(salt_a)
    }

    /// Writes R2.
    pub fn write_2(&self, w: &mut Writer<'_>, cid: &ConnectionId, salt_a: &Salt, salt_b: &Salt, generation: u32) {
        let tag = self.tag("r2", &self.th(&[salt_a, salt_b, &generation.to_be_bytes()]));
        w.put(&wire::header(wire::ENGINE, wire::engine::RESUME_2, 0)).put(cid.as_bytes());
        w.put(salt_a).put(salt_b).put(&generation.to_be_bytes()).put(&tag);
    }

    /// Reads R2: salt_B and the generation of the new keys. It must answer `salt_a`.
    ///
    /// # Errors
    /// Malformed, forged, or an answer to another R1.
    pub fn read_2(&self, body: &[u8], salt_a: &Salt) -> Result<(Salt, u32), Dropped> {
        let mut r = Reader::new(body);
        if r.array::<SALT_LEN>()? != *salt_a {
            return Err(Dropped::Unexpected);
        }
        let salt_b: Salt = r.array()?;
        let generation = r.u32()?;
        self.check("r2", &self.th(&[salt_a, &salt_b, &generation.to_be_bytes()]), r.take(TAG_LEN)?)?;
        r.end()?;
        Ok((salt_b, generation))
    }

    /// Writes R3.
    pub fn write_3(&self, w: &mut Writer<'_>, cid: &ConnectionId, salt_a: &Salt, salt_b: &Salt, generation: u32) {
        let tag = self.tag("r3", &self.th(&[salt_a, salt_b, &generation.to_be_bytes()]));
        w.put(&wire::header(wire::ENGINE, wire::engine::RESUME_3, 0)).put(cid.as_bytes()).put(salt_a).put(&tag);
    }

    /// Length of R3 behind header and connection id; a record may follow.
    pub const BODY_3: usize = SALT_LEN + TAG_LEN;

    /// salt_A of an R3, to derive salt_B from before [`check_3`](Self::check_3).
    ///
    /// # Errors
    /// Malformed.
    pub fn salt_of_3(body: &[u8]) -> Result<Salt, Dropped> {
        Reader::new(body).array()
    }

    /// Checks R3.
    ///
    /// # Errors
    /// Malformed or forged.
    pub fn check_3(&self, body: &[u8], salt_a: &Salt, salt_b: &Salt, generation: u32) -> Result<(), Dropped> {
        let tag = body.get(SALT_LEN..Self::BODY_3).ok_or(Dropped::Malformed)?;
        self.check("r3", &self.th(&[salt_a, salt_b, &generation.to_be_bytes()]), tag)
    }

    /// The new session's keys.
    pub fn keys(&self, salt_a: &Salt, salt_b: &Salt, generation: u32) -> Keys {
        let th = self.th(&[salt_a, salt_b, &generation.to_be_bytes()]);
        let prk = Prk::extract(self.scheme, &[self.root.expose()], &[salt_a, salt_b]);
        let mut keys = Keys::none();
        keys.keep(&prk, &th);
        keys
    }

    fn check(&self, label: &str, th: &Transcript, tag: &[u8]) -> Result<(), Dropped> {
        if ct_eq(&self.tag(label, th), tag) { Ok(()) } else { Err(Dropped::Forged) }
    }
}
