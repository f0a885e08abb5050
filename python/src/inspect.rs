//! What anybody may read off a datagram, a ticket, a credential or a stored blob, without a key.

use crate::values::{Bytes, bad_argument, hex};
use iotkm::cose::{Message, RevocationList, Ticket};
use iotkm::engine::drops::Dropped;
use iotkm::engine::state;
use iotkm::engine::wire::{self, Kind, Reader, engine};
use iotkm::noninteractive::issue::read_request;
use iotkm::noninteractive::setting::{SETTING_2, SETTING_FFC2048, SETTING_FFC3072};
use iotkm::noninteractive::{Credential, credential};
use iotkm::{history, interactive, microcert, noninteractive, phase1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Names and values, in order.
struct Seen<'py>(Bound<'py, PyDict>);

impl<'py> Seen<'py> {
    fn new(py: Python<'py>, what: &str, data: &[u8]) -> PyResult<Self> {
        let dict = PyDict::new(py);
        dict.set_item("what", what)?;
        dict.set_item("bytes", data.len())?;
        Ok(Self(dict))
    }
    fn put(&self, name: &str, value: impl IntoPyObject<'py>) -> PyResult<()> {
        self.0.set_item(name, value)
    }
    fn hex(&self, name: &str, bytes: &[u8]) -> PyResult<()> {
        self.put(name, hex(bytes))
    }
    fn len(&self, name: &str, bytes: &[u8]) -> PyResult<()> {
        self.put(name, bytes.len())
    }
}

/// Why a message's fields are not shown.
enum Unread {
    Python(PyErr),
    Malformed,
}

impl From<PyErr> for Unread {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}
impl From<Dropped> for Unread {
    fn from(_: Dropped) -> Self {
        Self::Malformed
    }
}

/// What anybody may read off a datagram, a ticket, a revocation list, a credential, a request, a message about tickets or a stored
/// blob: a dict of names and values, first of all ``what``. No signature is looked at, and nothing secret is in it.
///
/// Args:
///     data: a whole datagram, ticket or list, or a blob as `Persist` or `export` gave it.
///     cid_len: length in bytes of the receiver's connection id, which records do not say.
///
/// Raises:
///     BadArgumentError: it is none of these.
///
/// Examples:
///     >>> from iotkm import inspect
///     >>> inspect(bytes.fromhex("1e0001" + "00" * 10))
///     {'what': 'record', 'bytes': 13, 'control': True, 'generation_low': 2, 'number_low': 1, 'sealed_bytes': 10}
///     >>> inspect(bytes.fromhex("16400000000000000000"))
///     {'what': 'handshake', 'bytes': 10, 'scheme': 'history', 'message': 'C4', 'run_low': 0, 'tag': '0000000000000000'}
#[pyfunction]
#[pyo3(signature = (data, *, cid_len=0))]
pub fn inspect<'py>(py: Python<'py>, data: Bytes, cid_len: usize) -> PyResult<Bound<'py, PyDict>> {
    if let Some(seen) = object(py, &data)? {
        return Ok(seen.0);
    }
    if let Some(name) = blob(&data) {
        let seen = Seen::new(py, name, &data)?;
        let version = data.get(1..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |v| u32::from_be_bytes(*v));
        seen.put("version", version)?;
        let beside = if state::has_beside(&data) { Some(state::Beside::in_blob(&data).len()) } else { None };
        let clear = beside.map_or(0, |len| len.saturating_add(state::LENGTH_LEN));
        seen.put("sealed_bytes", data.len().saturating_sub(state::OVERHEAD).saturating_sub(clear))?;
        if beside.is_some_and(|len| len > 0) {
            shown_ticket(&seen, "ticket", state::Beside::in_blob(&data))?;
        }
        return Ok(seen.0);
    }
    match wire::classify(&data) {
        Ok(Kind::Record) => match record(py, &data, cid_len)? {
            Some(seen) => Ok(seen.0),
            None => Err(bad_argument(py, "a record that is too short")),
        },
        Ok(Kind::Handshake { scheme, message, run }) => {
            let (scheme_name, name) = names(scheme, message);
            let seen = Seen::new(py, "handshake", &data)?;
            seen.put("scheme", scheme_name)?;
            seen.put("message", name)?;
            seen.put("run_low", run)?;
            match fields(&seen, name, scheme, &data, cid_len) {
                Ok(()) => Ok(seen.0),
                Err(Unread::Malformed) => {
                    seen.put("malformed", true)?;
                    Ok(seen.0)
                }
                Err(Unread::Python(error)) => Err(error),
            }
        }
        Err(_) => {
            let known = "a ticket, a revocation list, a credential, a request, nor a stored blob";
            Err(bad_argument(py, &format!("neither a datagram of wire version 1, nor {known}")))
        }
    }
}

fn blob(data: &[u8]) -> Option<&'static str> {
    let kinds = [
        (state::Kind::Session, "stored session"),
        (state::Kind::HistoryPeer, "stored peer"),
        (state::Kind::Attempts, "stored pairing attempts"),
        (state::Kind::InteractivePeer, "stored interactive peer"),
        (state::Kind::NoninteractivePeer, "stored noninteractive peer"),
        (state::Kind::Chip, "stored chip"),
        (state::Kind::KeySeed, "stored key seed"),
        (state::Kind::TicketAgent, "stored ticket agent"),
        (state::Kind::Wallet, "stored ticket wallet"),
        (state::Kind::Holder, "stored holder of a credential"),
        (state::Kind::StaticKey, "stored static key"),
    ];
    let first = *data.first()?;
    let named = kinds.into_iter().find(|(kind, _)| *kind as u8 == first && data.len() > state::OVERHEAD);
    named.map(|(_, name)| name)
}

fn signed<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Option<Seen<'py>>> {
    if let Ok(ticket) = Ticket::peek(data) {
        let seen = Seen::new(py, "ticket", data)?;
        put_ticket(&seen, &ticket)?;
        return Ok(Some(seen));
    }
    if let Ok(list) = RevocationList::peek(data) {
        let seen = Seen::new(py, "revocation list", data)?;
        seen.put("agent", list.issuer())?;
        seen.put("number", list.number())?;
        seen.put("issued_at", list.issued_at())?;
        seen.put("serials", list.serials().collect::<Vec<_>>())?;
        return Ok(Some(seen));
    }
    Ok(None)
}

/// Tickets, lists, credentials, and what is said about them.
fn object<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Option<Seen<'py>>> {
    if let Some(seen) = signed(py, data)? {
        return Ok(Some(seen));
    }
    if let Ok(message) = Message::read(data) {
        return said(py, data, &message).map(Some);
    }
    // Names and lengths have to fit: a datagram begins above, a blob's version is no text.
    if data.first().is_some_and(|first| *first < 0x10)
        && let Some(seen) = self_certified(py, data)?
    {
        return Ok(Some(seen));
    }
    asked(py, data)
}

/// A device's request for a credential.
fn asked<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Option<Seen<'py>>> {
    let settings = [&SETTING_2, &SETTING_FFC2048, &SETTING_FFC3072];
    let read = settings.into_iter().find_map(|setting| read_request(data, setting).ok());
    let Some((name, share)) = read else { return Ok(None) };
    let seen = Seen::new(py, "request for a credential", data)?;
    seen.put("device", name)?;
    seen.hex("share", share)?;
    Ok(Some(seen))
}

fn self_certified<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Option<Seen<'py>>> {
    for setting in [&SETTING_2, &SETTING_FFC2048, &SETTING_FFC3072] {
        if let Ok(credential) = Credential::read(data, setting) {
            let seen = Seen::new(py, "credential", data)?;
            put_credential(&seen, &credential, data)?;
            return Ok(Some(seen));
        }
        // An answer to a device's request: s stands behind it, which without the device's own part is of no use.
        let Some((front, _)) = data.split_last_chunk::<32>() else { continue };
        if let Ok(credential) = Credential::read(front, setting) {
            let seen = Seen::new(py, "answer to a request for a credential", data)?;
            put_credential(&seen, &credential, front)?;
            return Ok(Some(seen));
        }
    }
    Ok(None)
}

fn put_ticket(seen: &Seen<'_>, ticket: &Ticket<'_>) -> PyResult<()> {
    let claims = ticket.claims();
    seen.put("agent", claims.issuer)?;
    seen.put("device", claims.subject)?;
    seen.put("serial", claims.serial)?;
    seen.put("issued_at", claims.issued_at)?;
    seen.put("not_before", claims.begins())?;
    seen.put("expires", claims.expires)?;
    seen.put("scope", claims.scope)?;
    seen.put("group", claims.key.group().name())?;
    seen.hex("key", claims.key.as_bytes())?;
    seen.hex("reference", &ticket.reference().0)
}

fn put_credential(seen: &Seen<'_>, credential: &Credential<'_>, data: &[u8]) -> PyResult<()> {
    seen.put("device", credential.subject)?;
    seen.put("serial", credential.serial)?;
    seen.put("issued_at", credential.issued_at)?;
    seen.put("expires", credential.expires())?;
    seen.hex("r", credential.r)?;
    seen.hex("reference", &credential::reference(data).0)
}

/// What holds something else.
fn held<'py>(py: Python<'py>, what: &str, data: &[u8], inner: Option<Seen<'py>>) -> PyResult<Seen<'py>> {
    let seen = Seen::new(py, what, data)?;
    match inner {
        Some(inner) => seen.put("holds", inner.0)?,
        None => seen.put("malformed", true)?,
    }
    Ok(seen)
}

fn said<'py>(py: Python<'py>, data: &[u8], message: &Message<'_>) -> PyResult<Seen<'py>> {
    match message {
        Message::Request(request) => {
            let seen = Seen::new(py, "ticket request", data)?;
            seen.put("device", request.subject)?;
            seen.put("scope", request.scope)?;
            seen.put("lifetime", request.lifetime)?;
            seen.put("group", request.key.group().name())?;
            seen.hex("key", request.key.as_bytes())?;
            Ok(seen)
        }
        Message::Ticket(ticket) => held(py, "message with a ticket", data, signed(py, ticket)?),
        Message::List(list) => held(py, "message with a revocation list", data, signed(py, list)?),
        Message::Acknowledged(held) => {
            let seen = Seen::new(py, "acknowledgement of a ticket", data)?;
            seen.hex("ticket", &held.ticket.0)?;
            seen.put("list_number", held.list)?;
            Ok(seen)
        }
        Message::Refused(code) => {
            let seen = Seen::new(py, "refusal of a ticket", data)?;
            seen.put("code", *code)?;
            Ok(seen)
        }
        Message::CredentialDue => Seen::new(py, "message: ask for a credential", data),
        Message::CredentialRequest(request) => {
            held(py, "message with a request for a credential", data, asked(py, request)?)
        }
        Message::CredentialAnswer(answer) => {
            held(py, "message with an answer to a request for a credential", data, self_certified(py, answer)?)
        }
        _ => Seen::new(py, "message about tickets", data),
    }
}

fn record<'py>(py: Python<'py>, data: &[u8], cid_len: usize) -> PyResult<Option<Seen<'py>>> {
    let mut r = Reader::new(data);
    let mut read = || -> Result<_, Dropped> { Ok((r.u8()?, r.take(cid_len)?, r.u16()?)) };
    let Ok((first, cid, number)) = read() else { return Ok(None) };
    let seen = Seen::new(py, "record", data)?;
    seen.put("control", first & wire::CONTROL != 0)?;
    seen.put("generation_low", first & 3)?;
    if cid_len > 0 {
        seen.hex("cid", cid)?;
    }
    seen.put("number_low", number)?;
    seen.len("sealed_bytes", r.rest())?;
    Ok(Some(seen))
}

/// Numbers and names of the messages of each scheme.
const ENGINE: [(u8, &str); 6] = [
    (engine::FRAGMENT, "FRAGMENT"),
    (engine::COOKIE_REQUEST, "COOKIE_REQUEST"),
    (engine::COOKIE_ECHO, "COOKIE_ECHO"),
    (engine::RESUME_1, "RESUME_1"),
    (engine::RESUME_2, "RESUME_2"),
    (engine::RESUME_3, "RESUME_3"),
];
const HISTORY: [(u8, &str); 13] = {
    use history::wire::message as m;
    [
        (m::C1, "C1"),
        (m::C2, "C2"),
        (m::C3, "C3"),
        (m::C4, "C4"),
        (m::C5, "C5"),
        (m::ACK, "ACK"),
        (m::GONE, "GONE"),
        (m::P1, "P1"),
        (m::P2, "P2"),
        (m::P3, "P3"),
        (m::P4, "P4"),
        (m::P5, "P5"),
        (m::P6, "P6"),
    ]
};
const INTERACTIVE: [(u8, &str); 13] = {
    use interactive::wire::message as m;
    [
        (m::M1, "M1"),
        (m::M2, "M2"),
        (m::M3, "M3"),
        (m::M4, "M4"),
        (m::HINT, "HINT"),
        (m::K1, "K1"),
        (m::K2, "K2"),
        (m::K3, "K3"),
        (m::K4, "K4"),
        (m::GONE, "GONE"),
        (m::REFUSE, "REFUSE"),
        (m::PING, "PING"),
        (m::PONG, "PONG"),
    ]
};

const NONINTERACTIVE: [(u8, &str); 6] = {
    use phase1::wire::message as m;
    [(m::M1, "M1"), (m::M2, "M2"), (m::M3, "M3"), (m::M4, "M4"), (m::HINT, "HINT"), (noninteractive::wire::LAG, "LAG")]
};

const MICROCERT: [(u8, &str); 7] = {
    use microcert::wire::message as m;
    [
        (m::AUTH, "AUTH"),
        (m::ANSWER, "ANSWER"),
        (m::CHALLENGE, "CHALLENGE"),
        (m::PROOF, "PROOF"),
        (m::GONE, "GONE"),
        (m::DEAD, "DEAD"),
        (m::SIGNATURE, "SIGNATURE"),
    ]
};

fn names(scheme: u8, message: u8) -> (String, &'static str) {
    let (scheme, messages): (String, &[(u8, &'static str)]) = match scheme {
        wire::ENGINE => ("engine".into(), &ENGINE),
        history::wire::NUMBER => ("history".into(), &HISTORY),
        interactive::wire::NUMBER => ("interactive".into(), &INTERACTIVE),
        noninteractive::wire::NUMBER => ("noninteractive".into(), &NONINTERACTIVE),
        microcert::wire::NUMBER => ("microcert".into(), &MICROCERT),
        other => (format!("scheme {other}"), &[]),
    };
    (scheme, messages.iter().find(|(number, _)| *number == message).map_or("?", |(_, name)| name))
}

/// The fields of a handshake message. Where the suite decides a length that the message does not say, what is left is
/// counted, not taken apart.
fn fields(seen: &Seen<'_>, name: &str, scheme: u8, data: &[u8], cid_len: usize) -> Result<(), Unread> {
    let mut r = Reader::new(data);
    r.take(wire::HEADER_LEN)?;
    match scheme {
        wire::ENGINE => engine_fields(seen, name, r, cid_len),
        history::wire::NUMBER => history_fields(seen, name, r),
        interactive::wire::NUMBER => interactive_fields(seen, name, data, r, cid_len),
        noninteractive::wire::NUMBER => noninteractive_fields(seen, name, data, r, cid_len),
        microcert::wire::NUMBER => microcert_fields(seen, name, data, r),
        _ => Ok(seen.len("body_bytes", r.rest())?),
    }
}

fn engine_fields(seen: &Seen<'_>, name: &str, mut r: Reader<'_>, cid_len: usize) -> Result<(), Unread> {
    match name {
        "FRAGMENT" => {
            let (id, place, len) = (r.u8()?, r.u8()?, r.u16()?);
            seen.put("id", id)?;
            seen.put("piece", place >> 4)?;
            seen.put("last_piece", place & 15)?;
            seen.put("message_bytes", len)?;
            seen.len("piece_bytes", r.rest())?;
        }
        "COOKIE_REQUEST" => seen.hex("cookie", r.rest())?,
        "COOKIE_ECHO" => {
            seen.hex("cookie", r.take(8)?)?;
            let rest = r.rest();
            // Not one in another, as deep as a datagram is long.
            if matches!(wire::classify(rest)?, Kind::Handshake { scheme, .. } if scheme == wire::ENGINE) {
                return Err(Unread::Malformed);
            }
            seen.put("holds", inspect(seen.0.py(), Bytes(rest.to_vec().into()), cid_len)?)?;
        }
        _ => {
            seen.hex("cid", r.take(cid_len)?)?;
            seen.hex("salt_a", r.take(8)?)?;
            if name == "RESUME_2" {
                seen.hex("salt_b", r.take(8)?)?;
                seen.put("generation", r.u32()?)?;
            }
            seen.hex("tag", r.take(16)?)?;
            if name == "RESUME_3" {
                seen.len("record_bytes", r.rest())?;
            } else {
                r.end()?;
            }
        }
    }
    Ok(())
}

fn history_fields(seen: &Seen<'_>, name: &str, mut r: Reader<'_>) -> Result<(), Unread> {
    match name {
        "C1" => {
            seen.put("run", r.u32()?)?;
            seen.hex("hint", r.take(4)?)?;
            seen.hex("nonce", r.take(8)?)?;
            seen.hex("cid", r.short(8)?)?;
            seen.hex("tag", r.rest())?;
        }
        "C2" => {
            seen.hex("nonce", r.take(8)?)?;
            seen.len("sealed_bytes", r.rest())?;
        }
        "C3" | "P4" | "P5" => seen.len("sealed_bytes", r.rest())?,
        "C4" | "C5" | "ACK" | "GONE" | "P6" => seen.hex("tag", r.rest())?,
        "P1" | "P3" => {
            seen.hex("nonce", r.take(16)?)?;
            seen.hex("id", r.short(16)?)?;
            seen.put("suite", r.u8()? as i8)?;
            seen.put("dh", r.u8()? != 0)?;
            seen.put("group", r.u8()?)?;
            if name == "P3" {
                seen.hex("share", r.take(32)?)?;
                seen.hex("tag", r.take(16)?)?;
            }
            r.end()?;
        }
        "P2" => {
            seen.hex("nonce", r.take(16)?)?;
            seen.hex("id", r.short(16)?)?;
            seen.hex("share", r.take(32)?)?;
            r.end()?;
        }
        _ => seen.len("body_bytes", r.rest())?,
    }
    Ok(())
}

/// Why there is no M2, in words.
const fn hint(reason: u8) -> &'static str {
    match reason {
        1 => "send your ticket",
        2 => "no suite in common",
        3 => "your ticket is not accepted",
        4 => "you have no psk",
        5 => "you have a psk",
        _ => "?",
    }
}

fn shown_ticket(seen: &Seen<'_>, name: &str, ticket: &[u8]) -> PyResult<()> {
    let py = seen.0.py();
    let inner = match signed(py, ticket)? {
        Some(inner) => Some(inner),
        None => self_certified(py, ticket)?,
    };
    match inner {
        Some(inner) => seen.put(name, inner.0),
        None => seen.hex(name, ticket),
    }
}

fn noninteractive_fields(
    seen: &Seen<'_>,
    name: &str,
    data: &[u8],
    mut r: Reader<'_>,
    cid_len: usize,
) -> Result<(), Unread> {
    match name {
        "M3" => {
            seen.put("life", r.u32()?)?;
            seen.put("interval", r.u32()?)?;
            seen.put("chain", r.u16()?)?;
            seen.len("share_and_tags_bytes", r.rest())?;
        }
        "LAG" => {
            seen.put("epoch", r.u32()?)?;
            seen.hex("pre", r.take(4)?)?;
            seen.hex("tag", r.take(16)?)?;
            r.end()?;
        }
        // The rest of phase 1 is the same for both schemes.
        _ => interactive_fields(seen, name, data, r, cid_len)?,
    }
    Ok(())
}

fn microcert_fields(seen: &Seen<'_>, name: &str, data: &[u8], mut r: Reader<'_>) -> Result<(), Unread> {
    match name {
        "AUTH" | "PROOF" | "SIGNATURE" => {
            let cert = microcert::wire::Certificate::read(data)?;
            seen.hex("id", cert.id.as_bytes())?;
            seen.put("generation_low", cert.serial)?;
            seen.put("time", cert.stamp.time)?;
            seen.hex("random", &cert.stamp.random)?;
            seen.put("counter", cert.stamp.counter)?;
            seen.len("sealed_bytes", cert.text)?;
        }
        "DEAD" => {
            let dead = microcert::wire::Dead::read(data)?;
            seen.hex("id", dead.id.as_bytes())?;
            seen.put("generation_low", dead.serial)?;
            seen.hex("tag", &dead.tag)?;
        }
        "GONE" => {
            seen.put("generation", r.u32()?)?;
            seen.hex("tag", r.rest())?;
        }
        _ => seen.len("body_bytes", r.rest())?,
    }
    Ok(())
}

fn interactive_fields(
    seen: &Seen<'_>,
    name: &str,
    data: &[u8],
    mut r: Reader<'_>,
    cid_len: usize,
) -> Result<(), Unread> {
    use interactive::wire::{K1, read_closing, read_refuse};
    use phase1::wire::{M1, Shown};
    match name {
        "M1" => {
            let (m1, _, tag) = M1::read(data)?;
            seen.hex("nonce", &m1.nonce)?;
            seen.put("suites", m1.suites.numbers().collect::<Vec<i8>>())?;
            seen.hex("cid", m1.cid.as_bytes())?;
            seen.put("psk", m1.psk)?;
            match m1.shown {
                Shown::Reference(reference) => seen.hex("reference", &reference.0)?,
                Shown::Ticket(ticket) => shown_ticket(seen, "ticket", ticket)?,
            }
            if let Some(known) = m1.known {
                seen.hex("known", &known.0)?;
            }
            if let Some(rekey) = m1.rekey {
                seen.hex("hint", &rekey.hint)?;
                seen.put("attempt", rekey.attempt)?;
                seen.hex("tag", tag)?;
            }
        }
        "M2" => {
            let flags = r.u8()?;
            seen.put("suite", r.u8()? as i8)?;
            seen.hex("cid", r.short(8)?)?;
            if flags & 1 != 0 {
                let len = usize::from(r.u16()?);
                shown_ticket(seen, "ticket", r.take(len)?)?;
            }
            seen.len("share_and_tag_bytes", r.rest())?;
        }
        "M3" => {
            seen.put("life", r.u32()?)?;
            seen.len("share_and_tags_bytes", r.rest())?;
        }
        "HINT" => {
            seen.put("reason", hint(r.u8()?))?;
            seen.hex("about", r.take(8)?)?;
            r.end()?;
        }
        "K1" => {
            let (k1, rest) = K1::peek(data)?;
            seen.hex("hint", &k1.hint)?;
            seen.put("attempt", k1.attempt)?;
            seen.put("long_tags", k1.long)?;
            seen.put("holds_pending", k1.holds)?;
            seen.hex("cid", k1.cid.as_bytes())?;
            seen.len("share_and_tag_bytes", rest)?;
        }
        "K2" => {
            seen.hex("cid", r.short(8)?)?;
            seen.len("share_and_tag_bytes", r.rest())?;
        }
        "K3" | "K4" => {
            let (tag, rest) = read_closing(data)?;
            seen.hex("tag", tag)?;
            if !rest.is_empty() {
                match record(seen.0.py(), rest, cid_len)? {
                    Some(inner) => seen.put("record", inner.0)?,
                    None => return Err(Unread::Malformed),
                }
            }
        }
        "REFUSE" => {
            let (answered, tag) = read_refuse(data)?;
            seen.put("answered", answered)?;
            seen.hex("tag", tag)?;
        }
        "PING" => {
            seen.hex("hint", r.take(4)?)?;
            seen.hex("nonce", r.take(8)?)?;
            seen.hex("tag", r.rest())?;
        }
        "M4" | "GONE" | "PONG" => seen.hex("tag", r.rest())?,
        _ => seen.len("body_bytes", r.rest())?,
    }
    Ok(())
}
