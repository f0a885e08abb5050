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
    state: Shared<Option<State<A>>>,
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

impl<A> Driver<A> {
    /// Drives `core`, whose outputs are usually at most `room` bytes.
    pub(crate) fn new(device: Arc<Device>, store: Option<Arc<dyn BlobStore>>, core: A, room: usize) -> Self {
        let state = State { core, out: vec![0; room], reason: String::new() };
        Self { device, store, state: Shared::new(Some(state)) }
    }

    /// Calls `f` alone with the state; `WrongState` where it was taken out.
    pub(crate) fn state<R>(&self, f: impl FnOnce(&mut State<A>) -> Result<R, IotkmError>) -> Result<R, IotkmError> {
        self.state.with(|state| f(state.as_mut().ok_or(IotkmError::WrongState)?))
    }

    /// Calls `f` alone with the association.
    pub(crate) fn core<R>(&self, f: impl FnOnce(&mut A) -> Result<R, IotkmError>) -> Result<R, IotkmError> {
        self.state(|state| f(&mut state.core))
    }

    /// Calls `f` alone with the association and its surroundings.
    pub(crate) fn call<R>(
        &self,
        cx: &Cx,
        f: impl FnOnce(&mut A, &mut iotkm::Cx<'_>) -> Result<R, IotkmError>,
    ) -> Result<R, IotkmError> {
        self.state(|state| self.device.with(cx, |cx| f(&mut state.core, cx)))
    }

    /// Takes the association out for good.
    pub(crate) fn take(&self) -> Result<A, IotkmError> {
        self.state.with(|state| Ok(state.take().ok_or(IotkmError::WrongState)?.core))
    }

    /// Gives the association to `taker`, which gives it back where it has no room.
    pub(crate) fn give<R>(&self, taker: impl FnOnce(A) -> Result<R, A>) -> Result<R, IotkmError> {
        self.state.with(|state| {
            let State { core, out, reason } = state.take().ok_or(IotkmError::WrongState)?;
            taker(core).map_err(|core| {
                *state = Some(State { core, out, reason });
                IotkmError::Full
            })
        })
    }

    /// Polls with `next`, which polls the core once, and `persisted`, which answers it; writes to the store by itself
    /// where there is one.
    pub(crate) fn drive<W>(
        &self,
        cx: &Cx,
        mut next: impl FnMut(&mut A, &mut iotkm::Cx<'_>, &mut [u8], &mut dyn FnMut(CoreOutput<'_>)) -> W,
        mut persisted: impl FnMut(&mut A, &W, Slot, Result<(), StoreError>),
    ) -> Result<(W, Output), IotkmError> {
        self.state(|state| {
            self.device.with(cx, |cx| {
                loop {
                    let room = state.out.len();
                    let mut step = Step::Again;
                    let mut wanted = None;
                    let whose = next(&mut state.core, cx, &mut state.out, &mut |output| {
                        step = match output {
                            CoreOutput::Datagram { to, bytes } => {
                                Step::Give(Output::Datagram { to: to.as_bytes().to_vec(), bytes: bytes.to_vec() })
                            }
                            CoreOutput::Persist { slot, version, bytes } => match &self.store {
                                Some(store) => {
                                    wanted = Some((slot, store.write(slot.0, version, bytes.to_vec())));
                                    Step::Again
                                }
                                None => Step::Give(Output::Persist { slot: slot.0, version, bytes: bytes.to_vec() }),
                            },
                            CoreOutput::Event(event) => Step::Give(Output::Happened { event: event.into() }),
                            CoreOutput::Idle { wake_at } => {
                                Step::Give(Output::Idle { wake_at: wake_at.map(|at| at.0) })
                            }
                            CoreOutput::BufferTooSmall { needed } => Step::Grow(needed),
                            _ => Step::Grow(0), // an output that is younger than this list
                        };
                    });
                    if let Some((slot, stored)) = wanted {
                        let stored = stored.map_err(|e| {
                            state.reason = e.reason();
                            StoreError
                        });
                        persisted(&mut state.core, &whose, slot, stored);
                    }
                    match step {
                        Step::Again => {}
                        Step::Grow(needed) if needed > room => state.out.resize(needed, 0),
                        Step::Grow(_) => return Err(IotkmError::Broken),
                        Step::Give(mut output) => {
                            if let Output::Happened { event: Event::StoreFailed { reason, .. } } = &mut output {
                                *reason = std::mem::take(&mut state.reason);
                            }
                            return Ok((whose, output));
                        }
                    }
                }
            })
        })
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
        let next = |core: &mut A, cx: &mut iotkm::Cx<'_>, out: &mut [u8], give: &mut dyn FnMut(CoreOutput<'_>)| {
            give(core.poll(cx, out));
        };
        Ok(self.drive(cx, next, |core, (), slot, stored| core.persisted(slot, stored))?.1)
    }

    pub(crate) fn persisted(&self, number: u16, stored: bool) -> Result<(), IotkmError> {
        self.core(|core| {
            core.persisted(slot(number), if stored { Ok(()) } else { Err(StoreError) });
            Ok(())
        })
    }
}
