//! The ticket: a CWT (RFC 8392) that binds a device's name to its public key (RFC 8747) for a time.

use super::cbor::{CborError, Entries, Key, Reader, Writer};
use super::sign1::{self, IssueError, Refused, Sign1};
use crate::association::UnixTime;
use crate::crypto::kdf::hash;
use crate::crypto::sign::{PublicKey, Signer};

/// Longest names (agent, device) and scope in bytes of UTF-8.
pub const NAME_MAX: usize = 32;
/// Longest ticket in bytes where the device's key is X25519 or P-256.
pub const TICKET_MAX: usize = 288;
/// Longest ticket in bytes, whatever the key.
pub const TICKET_MAX_FFC: usize = 640;
/// Length of a reference in bytes.
pub const REFERENCE_LEN: usize = 8;
/// How far a device's wall clock may lag behind its agent's, in seconds: a ticket begins that much earlier for it.
pub const LEEWAY: u64 = 300;

/// Registered claims (RFC 8392, section 4; scope: RFC 9200), and our own of the revocation list.
pub(super) mod claim {
    pub const ISS: i32 = 1;
    pub const SUB: i32 = 2;
    pub const EXP: i32 = 4;
    pub const NBF: i32 = 5;
    pub const IAT: i32 = 6;
    pub const CTI: i32 = 7;
    pub const CNF: i32 = 8;
    pub const SCOPE: i32 = 9;
    pub const REVOKED: i32 = -65537;
}
/// cnf's only member (RFC 8747, section 3.2).
const COSE_KEY: i32 = 1;
/// Parameters of a COSE_Key (RFC 9052, section 7.1; RFC 9053, section 7).
mod parameter {
    pub const KTY: i32 = 1;
    pub const CRV: i32 = -1;
    pub const X: i32 = -2;
    pub const Y: i32 = -3;
}
/// Private key type of the subgroups of Z_p*.
const KTY_FFC: i64 = -65558;

/// Seconds since 1970, as agents count. By hand, in digits of 16 bits: who divides 64 bits links 900 bytes for it on a small
/// processor.
#[inline(never)]
pub fn seconds(time: UnixTime) -> u64 {
    let (mut quotient, mut rest) = (0u64, 0u32);
    for shift in [48, 32, 16, 0] {
        let digit = time.0.wrapping_shr(shift) as u16;
        let part = rest << 16 | u32::from(digit);
        quotient = quotient << 16 | u64::from(part / 1000);
        rest = part % 1000;
    }
    quotient
}

/// Which group a device's key is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyGroup {
    /// X25519: 32 bytes.
    X25519,
    /// P-256: x alone, 32 bytes; y is even.
    P256,
    /// The 2048-bit subgroup, suite -21: 256 bytes.
    Ffc2048,
    /// The 3072-bit subgroup, suite -22: 384 bytes.
    Ffc3072,
}

impl KeyGroup {
    const ALL: [Self; 4] = [Self::X25519, Self::P256, Self::Ffc2048, Self::Ffc3072];

    /// Length of a public key in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::X25519 | Self::P256 => 32,
            Self::Ffc2048 => 256,
            Self::Ffc3072 => 384,
        }
    }

    /// COSE's key type and curve; for FFC our own, the curve being the suite.
    const fn cose(self) -> (i64, i64) {
        match self {
            Self::X25519 => (1, 4),
            Self::P256 => (2, 1),
            Self::Ffc2048 => (KTY_FFC, -21),
            Self::Ffc3072 => (KTY_FFC, -22),
        }
    }

    /// The name, the same in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X25519 => "x25519",
            Self::P256 => "p256",
            Self::Ffc2048 => "ffc2048",
            Self::Ffc3072 => "ffc3072",
        }
    }

    /// The group of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }
}

/// A device's public key as a ticket holds it. Whether the bytes are an element of the group is seen where they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceKey<'a> {
    group: KeyGroup,
    bytes: &'a [u8],
}

impl<'a> DeviceKey<'a> {
    /// A key of that group.
    ///
    /// # Errors
    /// [`Refused::Key`] for another length than the group's.
    pub fn new(group: KeyGroup, bytes: &'a [u8]) -> Result<Self, Refused> {
        if bytes.len() == group.key_len() { Ok(Self { group, bytes }) } else { Err(Refused::Key) }
    }

    /// Its group.
    pub const fn group(&self) -> KeyGroup {
        self.group
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        let (kty, curve) = self.group.cose();
        let point = self.group == KeyGroup::P256;
        w.map(if point { 4 } else { 3 }).key(parameter::KTY).int(kty);
        w.key(parameter::CRV).int(curve).key(parameter::X).bytes(self.bytes);
        if point {
            w.key(parameter::Y).no();
        }
    }

    /// Exactly the members that [`write`](Self::write) gives: a private key, say, has no place in a ticket.
    pub(super) fn read(r: &mut Reader<'a>) -> Result<Self, Refused> {
        let mut entries = r.map();
        let mut field = |r: &mut Reader<'a>, wanted: i32| match entries.next(r) {
            Some(Key::Int(key)) if key == wanted => Ok(()),
            _ => Err(r.or(Refused::Key)),
        };
        field(r, parameter::KTY)?;
        let kty = r.int();
        field(r, parameter::CRV)?;
        let curve = r.int();
        let group = KeyGroup::ALL.into_iter().find(|group| group.cose() == (kty, curve));
        let group = group.ok_or_else(|| r.or(Refused::Key))?;
        field(r, parameter::X)?;
        let bytes = r.bytes();
        if group == KeyGroup::P256 {
            field(r, parameter::Y)?;
            r.no();
            r.ok().map_err(|_| Refused::Key)?;
        }
        end(entries, r)?;
        Self::new(group, bytes)
    }
}

/// A key has nothing else in it.
fn end<'a>(mut entries: Entries<'a>, r: &mut Reader<'a>) -> Result<(), Refused> {
    if entries.next(r).is_some() {
        return Err(Refused::Key);
    }
    Ok(r.ok()?)
}

/// What a ticket says. Times are seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims<'a> {
    /// The agent's name.
    pub issuer: &'a str,
    /// The device's name.
    pub subject: &'a str,
    /// From when on it is no longer valid.
    pub expires: u64,
    /// From when on it is valid, where that is not when it was issued.
    pub not_before: Option<u64>,
    /// When it was issued.
    pub issued_at: u64,
    /// The agent's number for it, never given twice.
    pub serial: u32,
    /// The device's public key.
    pub key: DeviceKey<'a>,
    /// What the device may do: words behind each other, or empty.
    pub scope: &'a str,
}

/// A name as it may stand in a ticket: 1 to 32 bytes of text that no terminal takes for a command.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && is_text(name)
}

fn is_text(text: &str) -> bool {
    text.len() <= NAME_MAX && !text.chars().any(char::is_control)
}

impl<'a> Claims<'a> {
    /// From when on it is valid.
    pub fn begins(&self) -> u64 {
        self.not_before.unwrap_or(self.issued_at)
    }

    fn check(&self) -> Result<(), Refused> {
        let names = is_name(self.issuer) && is_name(self.subject) && is_text(self.scope);
        let times = self.issued_at < self.expires && self.begins() < self.expires;
        if names && times { Ok(()) } else { Err(Refused::Claims) }
    }

    fn write(&self, w: &mut Writer<'_>) {
        let optional = u64::from(self.not_before.is_some()).saturating_add(u64::from(!self.scope.is_empty()));
        w.map(6u64.saturating_add(optional));
        w.key(claim::ISS).text(self.issuer).key(claim::SUB).text(self.subject).key(claim::EXP).uint(self.expires);
        if let Some(begins) = self.not_before {
            w.key(claim::NBF).uint(begins);
        }
        w.key(claim::IAT).uint(self.issued_at).key(claim::CTI).bytes(&self.serial.to_be_bytes());
        w.key(claim::CNF).map(1).key(COSE_KEY);
        self.key.write(w);
        if !self.scope.is_empty() {
            w.key(claim::SCOPE).text(self.scope);
        }
    }

    fn read(payload: &'a [u8]) -> Result<Self, Refused> {
        let mut r = Reader::new(payload);
        let mut entries = r.map();
        let (mut issuer, mut subject, mut scope) = (None, None, "");
        let (mut expires, mut not_before, mut issued_at) = (None, None, None);
        let (mut serial, mut device) = (None, None);
        while let Some(key) = entries.next(&mut r) {
            match key {
                Key::Int(claim::ISS) => issuer = Some(r.text()),
                Key::Int(claim::SUB) => subject = Some(r.text()),
                Key::Int(claim::EXP) => expires = Some(r.uint()),
                Key::Int(claim::NBF) => not_before = Some(r.uint()),
                Key::Int(claim::IAT) => issued_at = Some(r.uint()),
                Key::Int(claim::CTI) => serial = Some(u32::from_be_bytes(r.array())),
                Key::Int(claim::CNF) => device = Some(confirmation(&mut r)?),
                Key::Int(claim::SCOPE) => scope = r.text(),
                // A revocation list is no ticket.
                Key::Int(claim::REVOKED) => return Err(Refused::Claims),
                // RFC 8392, section 3: claims that are not understood are ignored.
                _ => r.skip(),
            }
        }
        r.end()?;
        let claims = Self {
            issuer: issuer.ok_or(Refused::Claims)?,
            subject: subject.ok_or(Refused::Claims)?,
            expires: expires.ok_or(Refused::Claims)?,
            not_before,
            issued_at: issued_at.ok_or(Refused::Claims)?,
            serial: serial.ok_or(Refused::Claims)?,
            key: device.ok_or(Refused::Key)?,
            scope,
        };
        claims.check()?;
        Ok(claims)
    }
}

fn confirmation<'a>(r: &mut Reader<'a>) -> Result<DeviceKey<'a>, Refused> {
    let mut entries = r.map();
    if entries.next(r) != Some(Key::Int(COSE_KEY)) {
        return Err(r.or(Refused::Key));
    }
    let key = DeviceKey::read(r)?;
    end(entries, r)?;
    Ok(key)
}

/// Eight bytes that stand for a ticket which the other side has: the front of its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference(pub [u8; REFERENCE_LEN]);

impl Reference {
    /// Of these bytes.
    pub fn of(ticket: &[u8]) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = hash(&[ticket]);
        Self([a, b, c, d, e, f, g, h])
    }
}

/// Who issues the tickets that a device goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent<'n> {
    /// The agent's name, as tickets give it.
    pub name: &'n str,
    /// The agent's key.
    pub key: PublicKey,
}

impl Agent<'_> {
    pub(super) fn vouches(&self, object: &Sign1<'_>, issuer: &str) -> Result<(), Refused> {
        // The name first: it says what is wrong where another agent's ticket comes.
        if issuer != self.name {
            return Err(Refused::Agent);
        }
        object.verify(&self.key)
    }
}

/// A ticket and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket<'a> {
    claims: Claims<'a>,
    bytes: &'a [u8],
}

impl<'a> Ticket<'a> {
    /// Reads a ticket that is signed by `agent`. Whether it is valid now, [`valid_at`](Self::valid_at) says.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verify(bytes: &'a [u8], agent: &Agent<'_>) -> Result<Self, Refused> {
        let ticket = Self::peek(bytes)?;
        ticket.signed_by(agent)?;
        Ok(ticket)
    }

    /// Whether this agent signed it. By itself: a signature takes much of the stack, and what was read may lie above.
    #[inline(never)]
    pub(crate) fn signed_by(&self, agent: &Agent<'_>) -> Result<(), Refused> {
        agent.vouches(&Sign1::read(self.bytes, TICKET_MAX_FFC)?, self.claims.issuer)
    }

    /// Reads a ticket without looking at its signature: to show it, or where it was verified before.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn peek(bytes: &'a [u8]) -> Result<Self, Refused> {
        let object = Sign1::read(bytes, TICKET_MAX_FFC)?;
        Ok(Self { claims: Claims::read(object.payload())?, bytes })
    }

    /// Writes a ticket into `out`; its length.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn issue(signer: &dyn Signer, claims: &Claims<'_>, out: &mut [u8]) -> Result<usize, IssueError> {
        claims.check()?;
        sign1::sign(signer, out, |w| claims.write(w))
    }

    /// What it says.
    pub const fn claims(&self) -> &Claims<'a> {
        &self.claims
    }

    /// The whole ticket.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What stands for it.
    pub fn reference(&self) -> Reference {
        Reference::of(self.bytes)
    }

    /// Whether it is valid. `wall` is the device's wall clock in seconds, where it has one; `floor` is the newest time
    /// of issue of anything that the agent signed: it is at least that late. Without a clock the floor alone counts, and
    /// nobody can tell whether a ticket has begun.
    ///
    /// # Errors
    /// [`Refused::Expired`], [`Refused::NotYetValid`].
    pub fn valid_at(&self, wall: Option<u64>, floor: u64) -> Result<(), Refused> {
        valid_at(self.claims.begins(), self.claims.expires, wall, floor)
    }
}

/// Whether what is valid from `begins` to `expires` is valid now: see [`Ticket::valid_at`].
pub(crate) fn valid_at(begins: u64, expires: u64, wall: Option<u64>, floor: u64) -> Result<(), Refused> {
    let now = wall.unwrap_or(floor).max(floor);
    if now >= expires {
        return Err(Refused::Expired);
    }
    if wall.is_some() && now.saturating_add(LEEWAY) < begins {
        return Err(Refused::NotYetValid);
    }
    Ok(())
}

impl From<CborError> for IssueError {
    fn from(error: CborError) -> Self {
        Self::Refused(error.into())
    }
}
