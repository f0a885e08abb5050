//! What a device stores of one peer: PMK, and the numbers N_S0 and N_A0 of phase 1.

use super::keys::Number;
use crate::association::{Device, Error};
use crate::cose::ticket::NAME_MAX;
use crate::crypto::Secret;
use crate::engine::drops::Dropped;
use crate::engine::state::{self, Kind};
use crate::engine::wire::{Reader, Writer};
use crate::interactive::Subject;

/// One peer, in the caller's memory and a slot of its storage.
#[derive(Clone, Debug)]
pub struct PublishedPeer {
    pub(super) version: u32,
    pub(super) id: Subject,
    pub(super) pmk: Secret<32>,
    pub(super) zeros: Secret<64>,
}

impl PublishedPeer {
    const TEXT_MAX: usize = 33 + 3 * 32;
    /// The longest blob of a stored peer in bytes.
    pub const BLOB_MAX: usize = Self::TEXT_MAX + state::OVERHEAD;

    /// Opens a stored peer.
    ///
    /// # Errors
    /// [`Error::BadBlob`].
    pub fn restore(device: &Device, blob: &[u8]) -> Result<Self, Error> {
        let mut text = Secret::<{ Self::TEXT_MAX }>::zero();
        let opened = state::open(device, Kind::PublishedInteractivePeer, 0, blob, text.as_mut());
        let (version, len) = opened.map_err(|_| Error::BadBlob)?;
        let text = text.expose().get(..len).ok_or(Error::BadBlob)?;
        Self::read(version, text).map_err(|_| Error::BadBlob)
    }

    fn read(version: u32, text: &[u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(text);
        let id = Subject::read(r.short(NAME_MAX)?).ok_or(Dropped::Malformed)?;
        let (pmk, zeros) = (r.secret()?, r.secret()?);
        r.end()?;
        Ok(Self { version, id, pmk, zeros })
    }

    pub(super) fn write(&self, out: &mut [u8]) -> Result<usize, usize> {
        let mut w = Writer::new(out);
        w.short(self.id.as_bytes()).put(self.pmk.expose()).put(self.zeros.expose());
        w.finish()
    }

    /// The peer's name.
    pub const fn id(&self) -> &Subject {
        &self.id
    }

    /// PMK.
    pub const fn pmk(&self) -> &Secret<32> {
        &self.pmk
    }

    /// N_S0 and N_A0.
    pub fn zeros(&self) -> [&Number; 2] {
        let (halves, _) = self.zeros.expose().as_chunks::<32>();
        match halves {
            [n_s0, n_a0] => [n_s0, n_a0],
            _ => [&[0; 32]; 2],
        }
    }
}
