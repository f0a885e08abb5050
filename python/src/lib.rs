//! Python's door to iotkm: the module `iotkm._iotkm`. It adds nothing but the language: the verbs are the core's.
//!
//! | module | what |
//! |---|---|
//! | [`agent`], [`wallet`] | ticket agent and operator; the device's tickets |
//! | [`association`] | the verbs that every scheme's association has; a scheme's class adds its own |
//! | [`centre`] | the microcert scheme's authentication centre |
//! | [`credentials`], [`issuing`] | credentials; the operator who issues them |
//! | [`holder`] | what a device with a credential holds |
//! | [`hub`], [`member`] | many associations on one socket; what it holds many of |
//! | [`history`], [`pairing`] | the history scheme |
//! | [`interactive`] | the interactive scheme |
//! | [`inspect`] | what anybody may read off a datagram or a blob |
//! | [`microcert`] | the microcert scheme: the device |
//! | [`noninteractive`] | the noninteractive scheme |
//! | [`platform`] | the surroundings of a call: device secret, randomness, clocks, place |
//! | [`signing`], [`static_key`] | keys, here or elsewhere |
//! | [`tickets`], [`ticket_message`] | tickets and revocation lists; what is said about them |
//! | [`values`] | bytes in; outputs, events and errors out |
//!
//! The classes that hold no secret (outputs, events, errors) are Python's own, in `iotkm/_outputs.py` and
//! `iotkm/_errors.py`. Calls release the interpreter lock while the core works, and take it again for callbacks.

use pyo3::prelude::*;

pub mod agent;
pub mod association;
pub mod centre;
mod centre_stores;
pub mod credentials;
pub mod history;
pub mod holder;
pub mod hub;
pub mod inspect;
pub mod interactive;
pub mod issuing;
pub mod member;
pub mod microcert;
pub mod noninteractive;
pub mod pairing;
pub mod platform;
pub mod signing;
pub mod static_key;
pub mod ticket_message;
pub mod tickets;
pub mod values;
pub mod wallet;

#[pymodule]
fn _iotkm(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<platform::Platform>()?;
    module.add_class::<association::Association>()?;
    module.add_function(wrap_pyfunction!(inspect::inspect, module)?)?;
    module.add_class::<hub::Hub>()?;
    history::register(module)?;
    interactive::register(module)?;
    noninteractive::register(module)?;
    microcert::register(module)?;
    centre::register(module)?;
    credentials::register(module)?;
    module.add_class::<issuing::OperatorKey>()?;
    module.add_class::<holder::Holder>()?;
    module.add_class::<pairing::Pairing>()?;
    agent::register(module)?;
    signing::register(module)?;
    tickets::register(module)?;
    module.add_class::<static_key::StaticKey>()?;
    module.add_class::<wallet::Wallet>()?;
    module.add_function(wrap_pyfunction!(ticket_message::read_ticket_message, module)?)?;
    module.add_function(wrap_pyfunction!(ticket_message::write_ticket_message, module)?)?;
    values::register(module)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
