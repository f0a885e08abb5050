//! The end of a session whose peer may be there, but must not stay: told in one record, with the keys gone before it leaves.

use super::endpoint::control;
use super::memory::{Half, Run};
use super::scheme::{Io, Scheme};
use super::session::ConnectionId;
use crate::crypto::Suite;
use crate::crypto::aead::MAX_TAG;

/// Header, CLOSE, tag.
const RECORD_MAX: usize = 3 + ConnectionId::MAX + 1 + MAX_TAG;

impl<S: Scheme> Io<'_, S> {
    /// Ends the session, and a resume that would lead to one, at once: whoever asks finds none. The record that tells the peer
    /// is sealed first and waits in a free place for runs; where there is none, or it is lost, the peer finds out by itself.
    /// Whether there was anything to end.
    #[inline(never)]
    pub fn part(&mut self, suite: &'static Suite) -> bool {
        let resumes = |half: &&mut Half<S>| matches!(half.run, Some(Run::Resuming(_) | Run::Answering { .. }));
        let resuming = self.halves.iter_mut().filter(resumes).map(Half::clear).count() > 0;
        let ended = self.session.is_some();
        if ended {
            let _ = self.tell(suite);
            self.end_session();
        }
        ended || resuming
    }

    fn tell(&mut self, suite: &'static Suite) -> Option<()> {
        let (common, peer) = (self.common(suite), (*self.peer)?);
        let place = self.free_place(&S::is_half_open).ok()?;
        let session = self.session.as_mut()?;
        let mut record = [0; RECORD_MAX];
        *record.get_mut(session.header_len())? = control::CLOSE;
        let (len, _) = session.seal(&common, true, &mut record, 1).ok()?;
        let flight = &mut self.halves.get_mut(place)?.flight;
        flight.reset(peer, None);
        flight.put(false, &[record.get(..len)?]);
        flight.again();
        Some(())
    }
}
