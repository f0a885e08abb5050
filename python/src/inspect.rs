//! What anybody may read off a datagram or a stored blob, without a key.

use crate::values::{Bytes, bad_argument, hex};
use iotkm::cose::{RevocationList, Ticket};
use iotkm::engine::state;
use iotkm::engine::wire::{self, Kind, engine};
use iotkm::history::wire::{C1, NUMBER as HISTORY, message};
use pyo3::prelude::*;
use pyo3::types::PyDict;

const fn engine_message(number: u8) -> &'static str {
    match number {
        engine::FRAGMENT => "FRAGMENT",
        engine::COOKIE_REQUEST => "COOKIE_REQUEST",
        engine::COOKIE_ECHO => "COOKIE_ECHO",
        engine::RESUME_1 => "RESUME_1",
        engine::RESUME_2 => "RESUME_2",
        engine::RESUME_3 => "RESUME_3",
        _ => "?",
    }
}

const fn history_message(number: u8) -> &'static str {
    match number {
        message::C1 => "C1",
        message::C2 => "C2",
        message::C3 => "C3",
        message::C4 => "C4",
        message::C5 => "C5",
        message::ACK => "ACK",
        message::GONE => "GONE",
        message::P1 => "P1",
        message::P2 => "P2",
        message::P3 => "P3",
        message::P4 => "P4",
        message::P5 => "P5",
        message::P6 => "P6",
        _ => "?",
    }
}

/// What anybody may read off a datagram, a ticket, a revocation list or a stored blob: a dict of names and values,
/// first of all ``what``. No signature is looked at.
///
/// Args:
///     data: a whole datagram, ticket or list, or a blob as `Persist` or `export` gave it.
///     cid_len: length in bytes of the receiver's connection id, which records do not say.
///
/// Raises:
///     BadArgumentError: it is neither.
///
/// Examples:
///     >>> from iotkm import inspect
///     >>> inspect(bytes.fromhex("1e0001" + "00" * 10))
///     {'what': 'record', 'bytes': 13, 'control': True, 'generation_low': 2, 'number_low': 1, 'sealed_bytes': 10}
///     >>> inspect(bytes.fromhex("16400000000000000000"))
///     {'what': 'handshake', 'bytes': 10, 'scheme': 'history', 'message': 'C4', 'run_low': 0}
#[pyfunction]
#[pyo3(signature = (data, *, cid_len=0))]
pub fn inspect<'py>(py: Python<'py>, data: Bytes, cid_len: usize) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    if let Ok(ticket) = Ticket::peek(&data) {
        let claims = ticket.claims();
        dict.set_item("what", "ticket")?;
        dict.set_item("bytes", data.len())?;
        dict.set_item("agent", claims.issuer)?;
        dict.set_item("device", claims.subject)?;
        dict.set_item("serial", claims.serial)?;
        dict.set_item("issued_at", claims.issued_at)?;
        dict.set_item("not_before", claims.begins())?;
        dict.set_item("expires", claims.expires)?;
        dict.set_item("scope", claims.scope)?;
        dict.set_item("group", claims.key.group().name())?;
        dict.set_item("key", hex(claims.key.as_bytes()))?;
        dict.set_item("reference", hex(&ticket.reference().0))?;
        return Ok(dict);
    }
    if let Ok(list) = RevocationList::peek(&data) {
        dict.set_item("what", "revocation list")?;
        dict.set_item("bytes", data.len())?;
        dict.set_item("agent", list.issuer())?;
        dict.set_item("number", list.number())?;
        dict.set_item("issued_at", list.issued_at())?;
        dict.set_item("serials", list.serials().collect::<Vec<_>>())?;
        return Ok(dict);
    }
    let first = data.first().copied().unwrap_or(0);
    let blob = [
        (state::Kind::Session, "stored session"),
        (state::Kind::HistoryPeer, "stored peer"),
        (state::Kind::Attempts, "stored pairing attempts"),
        (state::Kind::TicketAgent, "stored ticket agent"),
        (state::Kind::Wallet, "stored ticket wallet"),
    ];
    if let Some((_, name)) = blob.into_iter().find(|(kind, _)| *kind as u8 == first && data.len() > state::OVERHEAD) {
        let version = data.get(1..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |v| u32::from_be_bytes(*v));
        dict.set_item("what", name)?;
        dict.set_item("bytes", data.len())?;
        dict.set_item("version", version)?;
        dict.set_item("sealed_bytes", data.len().saturating_sub(state::OVERHEAD))?;
        return Ok(dict);
    }
    let neither = || bad_argument(py, "neither a datagram of wire version 1 nor a stored blob");
    match wire::classify(&data).map_err(|_| neither())? {
        Kind::Record => {
            let header = cid_len.saturating_add(3);
            let number = data.get(cid_len.saturating_add(1)..).and_then(|rest| rest.first_chunk::<2>());
            let number = u16::from_be_bytes(*number.ok_or_else(neither)?);
            dict.set_item("what", "record")?;
            dict.set_item("bytes", data.len())?;
            dict.set_item("control", first & wire::CONTROL != 0)?;
            dict.set_item("generation_low", first & 3)?;
            if cid_len > 0 {
                dict.set_item("cid", hex(data.get(1..cid_len.saturating_add(1)).unwrap_or(&[])))?;
            }
            dict.set_item("number_low", number)?;
            dict.set_item("sealed_bytes", data.len().saturating_sub(header))?;
        }
        Kind::Handshake { scheme, message: number, run } => {
            let (scheme, name) = match scheme {
                wire::ENGINE => ("engine".into(), engine_message(number)),
                HISTORY => ("history".into(), history_message(number)),
                other => (format!("scheme {other}"), "?"),
            };
            dict.set_item("what", "handshake")?;
            dict.set_item("bytes", data.len())?;
            dict.set_item("scheme", scheme)?;
            dict.set_item("message", name)?;
            dict.set_item("run_low", run)?;
            if name == "C1"
                && let Ok(c1) = C1::peek(&data)
            {
                dict.set_item("run", c1.run)?;
                dict.set_item("hint", hex(&c1.hint))?;
                dict.set_item("cid", hex(c1.cid.as_bytes()))?;
            }
        }
    }
    Ok(dict)
}
