//! placeholder
/// p
#[derive(Debug)]
pub struct Pairing;
