//! What waits to be handed out: notes for the application, and what is to be stored or sent before anything else.

use crate::association::{Reason, Stage};

/// A happening on its way to becoming an [`Event`](crate::Event): smaller, since what can be looked up is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// See [`Event::Established`](crate::Event::Established).
    Established,
    /// See [`Event::PeerMoved`](crate::Event::PeerMoved).
    PeerMoved,
    /// See [`Event::Resumed`](crate::Event::Resumed).
    Resumed,
    /// See [`Event::Rekeyed`](crate::Event::Rekeyed).
    Rekeyed,
    /// See [`Event::RekeyNeeded`](crate::Event::RekeyNeeded).
    RekeyNeeded,
    /// See [`Event::Paired`](crate::Event::Paired).
    Paired,
    /// See [`Event::UpdateAgreed`](crate::Event::UpdateAgreed).
    UpdateAgreed,
    /// See [`Event::UpdateFailed`](crate::Event::UpdateFailed).
    UpdateFailed(Reason),
    /// See [`Event::Hint`](crate::Event::Hint).
    Hint(Reason),
    /// See [`Event::KeyReplaced`](crate::Event::KeyReplaced).
    KeyReplaced,
    /// See [`Event::PeerAlive`](crate::Event::PeerAlive).
    PeerAlive,
    /// See [`Event::Authenticated`](crate::Event::Authenticated).
    Authenticated,
    /// See [`Event::Terminated`](crate::Event::Terminated).
    Terminated,
    /// See [`Event::Failed`](crate::Event::Failed).
    Failed(Stage, Reason),
}

/// Whether the scheme's state is stored as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Store {
    /// It is.
    #[default]
    Clean,
    /// It has to be stored before anything else leaves.
    Wanted,
    /// [`Output::Persist`](crate::Output::Persist) is out, unanswered.
    Asked,
    /// It is out, and the state has changed since.
    AskedAgain,
    /// The store refused; the application is not told yet.
    Failed,
    /// The store refused; it is asked again at the next timeout.
    Refused,
}

/// Places for notes that wait.
const NOTES: usize = 5;

/// What waits to be handed out.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    notes: [Option<Note>; NOTES],
    /// Whether the state has to be stored.
    pub store: Store,
    /// An empty control record shows the peer that this side has followed to its generation.
    pub sign: bool,
    /// A closing control record ends the session.
    pub close: bool,
    /// The answer to a path challenge.
    pub path_response: Option<[u8; 8]>,
}

impl Outbox {
    /// Adds a note. One call makes at most three, and callers drain before the next, so there is room; but while the
    /// store refuses, notes wait through many calls. Then an older one goes: of the same kind if there is one.
    pub fn note(&mut self, note: Note) {
        if self.notes.last().is_some_and(Option::is_some) {
            let kind = core::mem::discriminant(&note);
            let alike = |n: &Option<Note>| n.is_some_and(|n| core::mem::discriminant(&n) == kind);
            let goes = self.notes.iter().position(alike).unwrap_or(0);
            if let Some(rest) = self.notes.get_mut(goes..) {
                rest.rotate_left(1);
            }
            if let Some(last) = self.notes.last_mut() {
                *last = None;
            }
        }
        if let Some(free) = self.notes.iter_mut().find(|n| n.is_none()) {
            *free = Some(note);
        }
    }
    /// Takes the oldest note.
    pub fn take(&mut self) -> Option<Note> {
        let first = self.notes.first_mut()?.take();
        self.notes.rotate_left(1);
        first
    }
    /// Whether a note waits.
    pub fn has_notes(&self) -> bool {
        self.notes.first().is_some_and(Option::is_some)
    }
    /// The scheme's state has changed: store it before anything else leaves.
    pub const fn want_store(&mut self) {
        self.store = match self.store {
            Store::Asked | Store::AskedAgain => Store::AskedAgain,
            _ => Store::Wanted,
        };
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test")]
mod tests {
    use super::{NOTES, Note, Outbox};

    #[test]
    fn the_newest_notes_are_kept() {
        let mut outbox = Outbox::default();
        outbox.note(Note::Established);
        for _ in 0..20 {
            outbox.note(Note::Rekeyed);
        }
        outbox.note(Note::Terminated);
        outbox.note(Note::Paired);
        let mut taken = std::vec::Vec::new();
        while let Some(note) = outbox.take() {
            taken.push(note);
        }
        assert_eq!(taken.len(), NOTES);
        assert!(!outbox.has_notes());
        assert_eq!(taken[NOTES - 2..], [Note::Terminated, Note::Paired]);
    }
}
