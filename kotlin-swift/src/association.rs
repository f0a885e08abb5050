//! What all schemes' associations share: where the core's is, by itself or in a hub, and the verbs that all have.

use crate::driver::State;
use crate::error::IotkmError;
use crate::hub::Many;
use crate::member::{Member, Verbs};
use crate::secret::SecretBytes;
use crate::surroundings::{BlobStore, Cx, Device};
use crate::values::{Output, Received, Sent, addr};
use crate::{lock::Shared, values};
use iotkm::engine::BLOB_MAX;
use iotkm::{Association as _, StoreError};
use std::fmt;
use std::mem;
use std::sync::Arc;
use zeroize::Zeroizing;

/// More than any header, tag, stamp and resume message before a record's payload, in bytes.
const BESIDES: usize = 256;

/// Where the core's association is.
enum Home {
    Here(State<Member>),
    /// In this place.
    Hub(Arc<Many>, usize),
    /// It gave its peer back.
    Nowhere,
}

/// An association of whatever scheme, and what it is lent.
pub(crate) struct Held {
    device: Arc<Device>,
    store: Option<Arc<dyn BlobStore>>,
    room: usize,
    home: Shared<Home>,
}

impl Held {
    /// Around `core`, whose outputs are usually at most `room` bytes.
    pub(crate) fn new(
        device: Arc<Device>,
        store: Option<Arc<dyn BlobStore>>,
        core: Box<dyn Verbs>,
        room: usize,
    ) -> Self {
        let state = State::new(Member(core), room);
        Self { device, store, room, home: Shared::new(Home::Here(state)) }
    }

    /// Calls `f` alone with the association.
    pub(crate) fn reach<R>(&self, f: impl FnOnce(&mut Member) -> Result<R, IotkmError>) -> Result<R, IotkmError> {
        self.home.with(|home| match home {
            Home::Here(state) => f(&mut state.core),
            Home::Hub(hub, place) => hub.core(|hub| hub.with(*place, f).unwrap_or(Err(IotkmError::WrongState))),
            Home::Nowhere => Err(IotkmError::WrongState),
        })
    }

    /// Calls `f` alone with the association and its surroundings.
    pub(crate) fn call<R>(
        &self,
        cx: &Cx,
        f: impl FnOnce(&mut Member, &mut iotkm::Cx<'_>) -> Result<R, IotkmError>,
    ) -> Result<R, IotkmError> {
        self.reach(|member| self.device.with(cx, |cx| f(member, cx)))
    }

    /// As [`reach`](Self::reach), the scheme's own part.
    pub(crate) fn own<E: Verbs, R>(&self, f: impl FnOnce(&mut E) -> Result<R, IotkmError>) -> Result<R, IotkmError> {
        self.reach(|member| f(member.own().ok_or(IotkmError::Broken)?))
    }

    /// As [`call`](Self::call), the scheme's own part.
    pub(crate) fn own_call<E: Verbs, R>(
        &self,
        cx: &Cx,
        f: impl FnOnce(&mut E, &mut iotkm::Cx<'_>) -> Result<R, iotkm::Error>,
    ) -> Result<R, IotkmError> {
        self.call(cx, |member, cx| Ok(f(member.own().ok_or(IotkmError::Broken)?, cx)?))
    }

    /// What only an association outside of a hub may be asked.
    pub(crate) fn here<R>(
        &self,
        cx: &Cx,
        f: impl FnOnce(&mut State<Member>, &mut iotkm::Cx<'_>) -> Result<R, IotkmError>,
    ) -> Result<R, IotkmError> {
        self.home.with(|home| match home {
            Home::Here(state) => self.device.with(cx, |cx| f(state, cx)),
            _ => Err(IotkmError::WrongState),
        })
    }

    /// Polls it, outside of a hub.
    pub(crate) fn poll(&self, cx: &Cx) -> Result<Output, IotkmError> {
        self.here(cx, |state, cx| state.poll(cx, self.store.as_deref()))
    }

    /// Takes the scheme's own part out for good.
    pub(crate) fn take<E: Verbs>(&self) -> Result<E, IotkmError> {
        self.home.with(|home| match mem::replace(home, Home::Nowhere) {
            Home::Here(state) => state.core.into_own().ok_or(IotkmError::Broken),
            elsewhere => {
                *home = elsewhere;
                Err(IotkmError::WrongState)
            }
        })
    }

    /// Moves it into a hub, to this place or any; its place.
    pub(crate) fn move_in(&self, hub: &Arc<Many>, place: Option<usize>) -> Result<usize, IotkmError> {
        if !Arc::ptr_eq(&self.device, &hub.device) {
            return Err(IotkmError::BadArgument);
        }
        self.home.with(|home| {
            hub.core(|many| {
                let state = match mem::replace(home, Home::Nowhere) {
                    Home::Here(state) => state,
                    elsewhere => {
                        *home = elsewhere;
                        return Err(IotkmError::WrongState);
                    }
                };
                let taken = match place {
                    None => many.insert(state.core),
                    Some(place) => many.insert_at(place, state.core).map(|()| place),
                };
                match taken {
                    Ok(place) => {
                        *home = Home::Hub(hub.clone(), place);
                        Ok(place)
                    }
                    Err((core, error)) => {
                        *home = Home::Here(State::new(core, self.room));
                        Err(error.into())
                    }
                }
            })
        })
    }

    /// Moves it out of this hub.
    pub(crate) fn move_out(&self, hub: &Arc<Many>) -> Result<(), IotkmError> {
        self.home.with(|home| match home {
            Home::Hub(its, place) if Arc::ptr_eq(its, hub) => {
                let core = hub.core(|many| many.remove(*place).ok_or(IotkmError::Broken))?;
                *home = Home::Here(State::new(core, self.room));
                Ok(())
            }
            _ => Err(IotkmError::WrongState),
        })
    }

    pub(crate) fn send(&self, cx: &Cx, payload: &[u8]) -> Result<Sent, IotkmError> {
        self.call(cx, |member, cx| {
            let mut out = vec![0; payload.len().saturating_add(BESIDES)];
            let sent = member.send(cx, payload, &mut out)?;
            Ok(Sent { to: sent.to.as_bytes().to_vec(), bytes: sent.bytes.to_vec() })
        })
    }

    pub(crate) fn handle_input(&self, cx: &Cx, from: &[u8], datagram: Vec<u8>) -> Result<Option<Received>, IotkmError> {
        let from = addr(from)?;
        let mut datagram = Zeroizing::new(datagram);
        self.here(cx, |state, cx| Ok(state.core.handle_input(cx, &from, &mut datagram)?.map(Received::from)))
    }

    pub(crate) fn persisted(&self, number: u16, stored: bool) -> Result<(), IotkmError> {
        self.reach(|member| {
            member.persisted(values::slot(number), if stored { Ok(()) } else { Err(StoreError) });
            Ok(())
        })
    }

    pub(crate) fn export(&self, cx: &Cx) -> Result<Vec<u8>, IotkmError> {
        self.call(cx, |member, cx| {
            let mut blob = vec![0; BLOB_MAX];
            let len = member.export(cx, &mut blob)?;
            blob.truncate(len);
            Ok(blob)
        })
    }

    pub(crate) fn exporter(&self, label: &str, context: &[u8], length: u32) -> Result<Arc<SecretBytes>, IotkmError> {
        let length =
            usize::try_from(length).ok().filter(|length| *length <= 255 * 32).ok_or(IotkmError::BadArgument)?;
        self.reach(|member| {
            let mut out = Zeroizing::new(vec![0; length]);
            member.exporter(label.as_bytes(), context, &mut out)?;
            Ok(Arc::new(SecretBytes::of(out)))
        })
    }

    /// For people, without secrets: the scheme, what it says of itself, the session.
    pub(crate) fn show(
        &self,
        f: &mut fmt::Formatter<'_>,
        scheme: &str,
        about: impl FnOnce(&mut Member) -> String,
    ) -> fmt::Result {
        let text = self.reach(|member| {
            let session = member.fingerprint().map_or("no session".to_owned(), |f| f.to_string());
            Ok(format!("{scheme}({}, {session})", about(member)))
        });
        f.write_str(text.as_deref().unwrap_or(&format!("{scheme}(not here)")))
    }
}

/// The verbs that every association has, on a type around a [`Held`].
macro_rules! verbs {
    ($Scheme:ident) => {
        #[uniffi::export]
        impl $Scheme {
            /// Seals a message as one datagram for the peer, to be sent now.
            ///
            /// # Errors
            /// `NotEstablished`, `TooLong`, `KeyExhausted`, `BadArgument` (a place of more than 32 bytes), `Undrained`.
            pub fn send(&self, cx: $crate::Cx, payload: Vec<u8>) -> Result<$crate::Sent, $crate::IotkmError> {
                self.0.send(&cx, &payload)
            }

            /// Takes in one datagram; what the peer's application sent, if it holds that. Whatever does not parse or
            /// verify is dropped and counted (`drops`).
            ///
            /// # Errors
            /// `Undrained`, `BadArgument` (an address of more than 22 bytes), `Rng`, `Vault`; `WrongState` in a hub.
            pub fn handle_input(
                &self,
                cx: $crate::Cx,
                from: Vec<u8>,
                datagram: Vec<u8>,
            ) -> Result<Option<$crate::Received>, $crate::IotkmError> {
                self.0.handle_input(&cx, &from, datagram)
            }

            /// Does what is due now. Calls too early or too often do nothing.
            ///
            /// # Errors
            /// `Undrained`, `Rng`, `Vault`; `WrongState` in a hub.
            pub fn handle_timeout(&self, cx: $crate::Cx) -> Result<(), $crate::IotkmError> {
                self.0.here(&cx, |state, cx| Ok(iotkm::Association::handle_timeout(&mut state.core, cx)?))
            }

            /// The next thing to do. Call it until `Idle` after every other call.
            ///
            /// # Errors
            /// `Vault`: nothing is lost, poll again. `WrongState` in a hub: poll that.
            pub fn poll(&self, cx: $crate::Cx) -> Result<$crate::Output, $crate::IotkmError> {
                self.0.poll(&cx)
            }

            /// The answer to `Persist`: whether the blob is stored.
            ///
            /// # Errors
            /// `Busy`.
            pub fn persisted(&self, slot: u16, stored: bool) -> Result<(), $crate::IotkmError> {
                self.0.persisted(slot, stored)
            }

            /// Seals the session for a restart that goes on with three short messages.
            ///
            /// # Errors
            /// `NotEstablished`, `Vault`.
            pub fn export(&self, cx: $crate::Cx) -> Result<Vec<u8>, $crate::IotkmError> {
                self.0.export(&cx)
            }

            /// Goes on from a blob that `export` sealed on this device. Export again after `Resumed`.
            ///
            /// # Errors
            /// `BadBlob`; `WrongState` with a session or a run; `Rng`, `Vault`.
            pub fn restore(&self, cx: $crate::Cx, blob: Vec<u8>) -> Result<(), $crate::IotkmError> {
                self.0.call(&cx, |member, cx| Ok(member.0.restore(cx, &blob)?))
            }

            /// Key material for another protocol, as RFC 5705: the same on both sides for the same label and context.
            ///
            /// # Errors
            /// `NotEstablished`; `BadArgument` for more than 8160 bytes.
            pub fn exporter(
                &self,
                label: String,
                context: Vec<u8>,
                length: u32,
            ) -> Result<std::sync::Arc<$crate::SecretBytes>, $crate::IotkmError> {
                self.0.exporter(&label, &context, length)
            }

            /// Whether there is a session to send on.
            ///
            /// # Errors
            /// `Busy`.
            pub fn is_established(&self) -> Result<bool, $crate::IotkmError> {
                self.0.reach(|member| Ok(iotkm::Association::is_established(member)))
            }

            /// The peer's current address, once it is known.
            ///
            /// # Errors
            /// `Busy`.
            pub fn peer_addr(&self) -> Result<Option<Vec<u8>>, $crate::IotkmError> {
                self.0.reach(|member| Ok(iotkm::Association::peer_addr(member).map(|addr| addr.as_bytes().to_vec())))
            }

            /// The session's standing, if there is a session.
            ///
            /// # Errors
            /// `Busy`.
            pub fn assurance(&self) -> Result<Option<$crate::Assurance>, $crate::IotkmError> {
                self.0.reach(|member| Ok(iotkm::Association::assurance(member).map($crate::Assurance::from)))
            }

            /// The session's fingerprint, the same on both sides.
            ///
            /// # Errors
            /// `Busy`.
            pub fn fingerprint(&self) -> Result<Option<String>, $crate::IotkmError> {
                self.0.reach(|member| Ok(iotkm::Association::fingerprint(member).map(|f| f.to_string())))
            }

            /// How many datagrams were dropped, by reason; 65535 means that many or more.
            ///
            /// # Errors
            /// `Busy`.
            pub fn drops(&self) -> Result<std::collections::HashMap<String, u16>, $crate::IotkmError> {
                self.0.reach(|member| Ok($crate::values::drops(iotkm::Association::drops(member))))
            }

            /// Whether a first message names this peer: to find the association for a datagram from an unknown address.
            ///
            /// # Errors
            /// `Busy`.
            pub fn is_named_by(&self, datagram: Vec<u8>) -> Result<bool, $crate::IotkmError> {
                self.0.reach(|member| Ok(iotkm::hub::Routed::is_named(member, &datagram)))
            }

            /// Ends the session: the peer is told once, the keys are wiped when that is sent.
            ///
            /// # Errors
            /// `NotEstablished`.
            pub fn close(&self) -> Result<(), $crate::IotkmError> {
                self.0.reach(|member| Ok(member.0.close()?))
            }

            /// Ends every run and the session without telling anybody, and wipes their keys.
            ///
            /// # Errors
            /// `Busy`.
            pub fn wipe(&self) -> Result<(), $crate::IotkmError> {
                self.0.reach(|member| {
                    member.0.wipe();
                    Ok(())
                })
            }
        }

        impl std::fmt::Display for $Scheme {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(self, f)
            }
        }
    };
}
pub(crate) use verbs;
