//! What all objects around one of the core's associations share: lock, surroundings, storage.

use crate::error::IotkmError;
use crate::lock::Shared;
use crate::surroundings::{BlobStore, Cx, Device};
use crate::values::{Event, Output, Received, addr, slot};
use iotkm::{Addr, Association, Output as CoreOutput, Slot, StoreError};
use std::sync::Arc;
use zeroize::Zeroizing;

/// One of the core's associations and what it is lent.
pub(crate) struct Driver<A> {
    pub(crate) device: Arc<Device>,
    pub(crate) store: Option<Arc<dyn BlobStore>>,
    state: Shared<State<A>>,
}

/// What the lock guards.
pub(crate) struct State<A> {
    pub(crate) core: A,
    pub(crate) out: Vec<u8>,
    /// What the store said when it last failed.
    reason: String,
}

/// One step of a poll.
enum Step {
    Give(Output),
    Grow(usize),
    Again,
}

impl<A> State<A> {
    /// Of `core`, whose outputs are usually at most `room` bytes.
    pub(crate) fn new(core: A, room: usize) -> Self {
        Self { core, out: vec![0; room], reason: String::new() }
    }

    /// Polls with `next`, which polls the core once, and `persisted`, which answers it; writes to the store by itself
    /// where there is one.
    pub(crate) fn drive<W>(
        &mut self,
        cx: &mut iotkm::Cx<'_>,
        store: Option<&dyn BlobStore>,
        mut next: impl FnMut(&mut A, &mut iotkm::Cx<'_>, &mut [u8], &mut dyn FnMut(CoreOutput<'_>)) -> W,
        mut persisted: impl FnMut(&mut A, &W, Slot, Result<(), StoreError>),
    ) -> Result<(W, Output), IotkmError> {
        loop {
            let room = self.out.len();
            let mut step = Step::Again;
            let mut wanted = None;
            let whose = next(&mut self.core, cx, &mut self.out, &mut |output| {
                step = match output {
                    CoreOutput::Datagram { to, bytes } => {
                        Step::Give(Output::Datagram { to: to.as_bytes().to_vec(), bytes: bytes.to_vec() })
                    }
                    CoreOutput::Persist { slot, version, bytes } => match store {
                        Some(store) => {
                            wanted = Some((slot, store.write(slot.0, version, bytes.to_vec())));
                            Step::Again
                        }
                        None => Step::Give(Output::Persist { slot: slot.0, version, bytes: bytes.to_vec() }),
                    },
                    CoreOutput::Event(event) => Step::Give(Output::Happened { event: event.into() }),
                    CoreOutput::Idle { wake_at } => Step::Give(Output::Idle { wake_at: wake_at.map(|at| at.0) }),
                    CoreOutput::BufferTooSmall { needed } => Step::Grow(needed),
                    _ => Step::Grow(0), // an output that is younger than this list
                };
            });
            if let Some((slot, stored)) = wanted {
                let stored = stored.map_err(|e| {
                    self.reason = e.reason();
                    StoreError
                });
                persisted(&mut self.core, &whose, slot, stored);
            }
            match step {
                Step::Again => {}
                Step::Grow(needed) if needed > room => self.out.resize(needed, 0),
                Step::Grow(_) => return Err(IotkmError::Broken),
                Step::Give(mut output) => {
                    if let Output::Happened { event: Event::StoreFailed { reason, .. } } = &mut output {
                        *reason = std::mem::take(&mut self.reason);
                    }
                    return Ok((whose, output));
                }
            }
        }
    }
}

impl<A: Association> State<A> {
    /// Polls an association.
    pub(crate) fn poll(&mut self, cx: &mut iotkm::Cx<'_>, store: Option<&dyn BlobStore>) -> Result<Output, IotkmError> {
        let next = |core: &mut A, cx: &mut iotkm::Cx<'_>, out: &mut [u8], give: &mut dyn FnMut(CoreOutput<'_>)| {
            give(core.poll(cx, out));
        };
        Ok(self.drive(cx, store, next, |core, (), slot, stored| core.persisted(slot, stored))?.1)
    }
}

impl<A> Driver<A> {
    /// Drives `core`, whose outputs are usually at most `room` bytes.
    pub(crate) fn new(device: Arc<Device>, store: Option<Arc<dyn BlobStore>>, core: A, room: usize) -> Self {
        Self { device, store, state: Shared::new(State::new(core, room)) }
    }

    /// Calls `f` alone with the association.
    pub(crate) fn core<R>(&self, f: impl FnOnce(&mut A) -> Result<R, IotkmError>) -> Result<R, IotkmError> {
        self.state.with(|state| f(&mut state.core))
    }

    /// Calls `f` alone with the association and its surroundings.
    pub(crate) fn call<R>(
        &self,
        cx: &Cx,
        f: impl FnOnce(&mut A, &mut iotkm::Cx<'_>) -> Result<R, IotkmError>,
    ) -> Result<R, IotkmError> {
        self.state.with(|state| self.device.with(cx, |cx| f(&mut state.core, cx)))
    }

    /// As [`State::drive`].
    pub(crate) fn drive<W>(
        &self,
        cx: &Cx,
        next: impl FnMut(&mut A, &mut iotkm::Cx<'_>, &mut [u8], &mut dyn FnMut(CoreOutput<'_>)) -> W,
        persisted: impl FnMut(&mut A, &W, Slot, Result<(), StoreError>),
    ) -> Result<(W, Output), IotkmError> {
        self.state.with(|state| self.device.with(cx, |cx| state.drive(cx, self.store.as_deref(), next, persisted)))
    }
}

impl<A: Association> Driver<A> {
    pub(crate) fn handle_input(&self, cx: &Cx, from: &[u8], datagram: Vec<u8>) -> Result<Option<Received>, IotkmError> {
        let from: Addr = addr(from)?;
        let mut datagram = Zeroizing::new(datagram);
        self.call(cx, |core, cx| Ok(core.handle_input(cx, &from, &mut datagram)?.map(Received::from)))
    }

    pub(crate) fn handle_timeout(&self, cx: &Cx) -> Result<(), IotkmError> {
        self.call(cx, |core, cx| Ok(core.handle_timeout(cx)?))
    }

    pub(crate) fn poll(&self, cx: &Cx) -> Result<Output, IotkmError> {
        self.state.with(|state| self.device.with(cx, |cx| state.poll(cx, self.store.as_deref())))
    }

    pub(crate) fn persisted(&self, number: u16, stored: bool) -> Result<(), IotkmError> {
        self.core(|core| {
            core.persisted(slot(number), if stored { Ok(()) } else { Err(StoreError) });
            Ok(())
        })
    }
}
