//! The noninteractive scheme: peers with credentials, the association.

use crate::association::{Held, verbs};
use crate::credentials::{Credential, SHARE, setting_of};
use crate::error::IotkmError;
use crate::holder::{self, Holder};
use crate::interactive::{subject, text};
use crate::member::{Member, Verbs};
use crate::peer::{Holding, Kept, Sealed, stored};
use crate::secret::SecretBytes;
use crate::surroundings::{BlobStore, Cx, Device};
use crate::values::{Config, Suite, addr, slot};
use crate::wallet::Lent;
use iotkm::crypto::Secret;
use iotkm::noninteractive::credential::credential_max;
use iotkm::noninteractive::exchange::flight_max;
use iotkm::noninteractive::setting::{SETTING_0, SETTING_2, SETTING_FFC2048, SETTING_FFC3072};
use iotkm::noninteractive::wire::Terms;
use iotkm::noninteractive::{NoninteractiveMemory, Options, Peer, Setting};
use iotkm::phase1::Subject;
use iotkm::{Addr, Association as _, Error, KeySlot, Slot};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The longest credential and flight of all.
const CREDENTIAL: usize = credential_max(SHARE);
const FLIGHT: usize = flight_max(SHARE);
/// Room for a message that came in pieces: M2 with the longest credential and share.
const REASSEMBLY: usize = 2048;

type CorePeer<const N: usize> = Peer<N, CREDENTIAL>;
type Purse = Lent<holder::Core>;
type Memory<const N: usize> = Box<NoninteractiveMemory<CorePeer<N>, Purse, N, CREDENTIAL, FLIGHT, 2, REASSEMBLY>>;
/// The core's association, for a group whose elements have `N` bytes.
pub(crate) type Core<const N: usize> =
    iotkm::noninteractive::Noninteractive<CorePeer<N>, Purse, Memory<N>, N, CREDENTIAL, FLIGHT>;

/// A peer of whatever group.
trait AnyPeer: Send {
    fn slot(&self) -> Slot;
    fn seal(&mut self, device: &iotkm::Device, out: &mut Vec<u8>) -> Result<(usize, u32), Error>;
    fn info(&self) -> CredentialPeerInfo;
    fn copy(&self) -> Box<dyn AnyPeer>;
    /// Gives itself to a new association.
    fn open(self: Box<Self>, holder: Purse, options: &Options<'_>) -> Result<(Box<dyn Verbs>, Group), Error>;
}

impl<const N: usize> AnyPeer for CorePeer<N> {
    fn slot(&self) -> Slot {
        Self::slot(self)
    }
    fn seal(&mut self, device: &iotkm::Device, out: &mut Vec<u8>) -> Result<(usize, u32), Error> {
        out.resize(Self::BLOB_MAX, 0);
        Self::seal(self, device, out)
    }
    fn info(&self) -> CredentialPeerInfo {
        let setting: &'static Setting = match N {
            65 => &SETTING_2,
            256 => &SETTING_FFC2048,
            384 => &SETTING_FFC3072,
            _ => &SETTING_0,
        };
        CredentialPeerInfo {
            slot: Self::slot(self).0,
            id: self.id().map(text),
            own_id: text(self.own_id()),
            epoch: self.epoch().map(|next| next.saturating_sub(1)),
            credential: Some(self.kept())
                .filter(|kept| !kept.is_empty())
                .map(|kept| Arc::new(Credential::known(kept.to_vec(), setting))),
        }
    }
    fn copy(&self) -> Box<dyn AnyPeer> {
        Box::new(self.clone())
    }
    fn open(self: Box<Self>, holder: Purse, options: &Options<'_>) -> Result<(Box<dyn Verbs>, Group), Error> {
        let core = Core::<N>::open(*self, holder, options, Memory::<N>::default())?;
        Ok((Box::new(core), Group { own: |member| Some(member.own::<Core<N>>()?), peer: back::<N> }))
    }
}

fn back<const N: usize>(held: &Held) -> Result<Box<dyn AnyPeer>, IotkmError> {
    Ok(Box::new(held.take::<Core<N>>()?.into_peer()))
}

impl Clone for Box<dyn AnyPeer> {
    fn clone(&self) -> Self {
        self.copy()
    }
}

impl Kept for Box<dyn AnyPeer> {
    fn slot(&self) -> Slot {
        (**self).slot()
    }
    fn seal(&mut self, device: &iotkm::Device, out: &mut Vec<u8>) -> Result<(usize, u32), Error> {
        (**self).seal(device, out)
    }
}

/// The scheme's own verbs, for a group of whatever length.
trait Own {
    fn connect(&mut self, cx: &mut iotkm::Cx<'_>, to: &Addr) -> Result<(), Error>;
    fn go_on(&mut self, cx: &mut iotkm::Cx<'_>) -> Result<(), Error>;
    fn epoch(&self) -> Option<u32>;
    fn info(&self) -> CredentialPeerInfo;
}

impl<const N: usize> Own for Core<N> {
    fn connect(&mut self, cx: &mut iotkm::Cx<'_>, to: &Addr) -> Result<(), Error> {
        Self::connect(self, cx, to)
    }
    fn go_on(&mut self, cx: &mut iotkm::Cx<'_>) -> Result<(), Error> {
        Self::go_on(self, cx)
    }
    fn epoch(&self) -> Option<u32> {
        Self::epoch(self)
    }
    fn info(&self) -> CredentialPeerInfo {
        AnyPeer::info(self.peer())
    }
}

/// How an association of one group is reached.
#[derive(Clone, Copy)]
struct Group {
    own: fn(&mut Member) -> Option<&mut dyn Own>,
    peer: fn(&Held) -> Result<Box<dyn AnyPeer>, IotkmError>,
}

/// What this device knows about one peer with a credential, and how far the two have come. An association takes it over; the
/// handle is used up then.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct CredentialPeer(Holding<Box<dyn AnyPeer>>);

/// What may be shown of a peer with a credential.
#[derive(Clone, Debug, uniffi::Record)]
pub struct CredentialPeerInfo {
    /// Where it is stored.
    pub slot: u16,
    /// The peer's name; none as long as it may be anyone.
    pub id: Option<String>,
    /// This device's name, as its credential has it.
    pub own_id: String,
    /// The epoch that was reached; none before a handshake.
    pub epoch: Option<u32>,
    /// The peer's credential, as it was shown last.
    pub credential: Option<Arc<Credential>>,
}

impl CredentialPeer {
    fn of(
        suite: Suite,
        slot_number: u16,
        me: &str,
        id: Option<&str>,
        psk: Option<Arc<SecretBytes>>,
    ) -> Result<Self, IotkmError> {
        fn new<const N: usize>(
            slot: Slot,
            me: Subject,
            id: Option<Subject>,
            psk: Option<Secret<32>>,
        ) -> Result<Box<dyn AnyPeer>, Error> {
            Ok(Box::new(CorePeer::<N>::new(slot, me, id, psk)?))
        }
        let (slot, me) = (slot(slot_number), subject(me)?);
        let id = id.map(subject).transpose()?;
        let psk = psk.map(|psk| psk.key()).transpose()?;
        Ok(Self(Holding::new(match setting_of(suite)?.group.element_len() {
            65 => new::<65>(slot, me, id, psk)?,
            256 => new::<256>(slot, me, id, psk)?,
            384 => new::<384>(slot, me, id, psk)?,
            _ => new::<32>(slot, me, id, psk)?,
        })))
    }
}

#[uniffi::export]
impl CredentialPeer {
    /// A device that is known by name, with whom there was no handshake yet. Names are 1 to 32 bytes of UTF-8, as
    /// credentials have them; `suite`: the operator's. `psk`: 32 bytes from elsewhere (another scheme's exporter) that go
    /// into every handshake; both sides must have it, or neither.
    ///
    /// # Errors
    /// `BadArgument` for a name that no credential can have, both the same, a psk of another length, or a symmetric suite.
    #[uniffi::constructor(default(psk = None))]
    pub fn named(
        suite: Suite,
        slot_number: u16,
        own_id: String,
        id: String,
        psk: Option<Arc<SecretBytes>>,
    ) -> Result<Self, IotkmError> {
        Self::of(suite, slot_number, &own_id, Some(&id), psk)
    }

    /// Whoever comes first with a credential. From then on it is that device's.
    ///
    /// # Errors
    /// `BadArgument`, as `named`.
    #[uniffi::constructor(default(psk = None))]
    pub fn anyone(
        suite: Suite,
        slot_number: u16,
        own_id: String,
        psk: Option<Arc<SecretBytes>>,
    ) -> Result<Self, IotkmError> {
        Self::of(suite, slot_number, &own_id, None, psk)
    }

    /// The peer that `store` has in this slot.
    ///
    /// # Errors
    /// `NotFound`, `Store`, `Vault`; `BadBlob` for another device's, another group's or a damaged blob; `BlobRolledBack`.
    #[uniffi::constructor]
    pub fn restore(device: &Device, suite: Suite, store: Arc<dyn BlobStore>, slot: u16) -> Result<Self, IotkmError> {
        let stored = stored(&*store, slot)?;
        Self::from_blob(device, suite, slot, stored.floor, stored.bytes)
    }

    /// The peer in this blob. `floor` is the value of the slot's monotonic counter, 0 where there is none.
    ///
    /// # Errors
    /// `Vault`, `BadBlob`, `BlobRolledBack`.
    #[uniffi::constructor]
    pub fn from_blob(
        device: &Device,
        suite: Suite,
        slot_number: u16,
        floor: u32,
        blob: Vec<u8>,
    ) -> Result<Self, IotkmError> {
        fn open<const N: usize>(
            device: &iotkm::Device,
            slot: Slot,
            floor: u32,
            blob: &[u8],
        ) -> Result<Box<dyn AnyPeer>, Error> {
            let mut work = Zeroizing::new(vec![0; blob.len()]);
            Ok(Box::new(CorePeer::<N>::restore(device, slot, floor, blob, &mut work)?))
        }
        let (device, slot) = (device.known()?.device, slot(slot_number));
        Ok(Self(Holding::new(match setting_of(suite)?.group.element_len() {
            65 => open::<65>(&device, slot, floor, &blob)?,
            256 => open::<256>(&device, slot, floor, &blob)?,
            384 => open::<384>(&device, slot, floor, &blob)?,
            _ => open::<32>(&device, slot, floor, &blob)?,
        })))
    }

    /// Seals the peer and writes it to its slot. An association does this by itself.
    ///
    /// # Errors
    /// `Vault`, `Store`; `WrongState` once an association has it.
    pub fn save(&self, device: &Device, store: Arc<dyn BlobStore>) -> Result<(), IotkmError> {
        self.0.save(device, &*store)
    }

    /// Seals the peer, for an application that stores by itself.
    ///
    /// # Errors
    /// `Vault`; `WrongState` once an association has it.
    pub fn seal(&self, device: &Device) -> Result<Sealed, IotkmError> {
        self.0.seal(device)
    }

    /// What may be shown of it.
    ///
    /// # Errors
    /// `WrongState` once an association has it.
    pub fn info(&self) -> Result<CredentialPeerInfo, IotkmError> {
        self.0.with(|peer| Ok(peer.info()))
    }
}

impl fmt::Debug for CredentialPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.info() {
            Ok(info) => write!(f, "CredentialPeer({}, {})", info.own_id, info.id.as_deref().unwrap_or("anyone yet")),
            Err(_) => f.write_str("CredentialPeer(in use)"),
        }
    }
}

impl fmt::Display for CredentialPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How an association of the noninteractive scheme is set up. `interval`, `length` and `life` are the wish of the side that
/// connects.
#[derive(Clone, Debug, uniffi::Record)]
pub struct CredentialSetup {
    /// The length of an epoch in seconds, at least 1.
    #[uniffi(default = 3600)]
    pub interval: u32,
    /// After how many epochs there has to be another handshake, at least 1.
    #[uniffi(default = 8760)]
    pub length: u16,
    /// After how many seconds; 0: `length` alone says so.
    #[uniffi(default = 0)]
    pub life: u32,
    /// The vault's number of the static key that this device's credential implies. The vault has to answer `power` for it.
    #[uniffi(default = 0)]
    pub key: u16,
    /// The number of the key of the next credential, while one takes the other's place.
    #[uniffi(default = None)]
    pub next_key: Option<u16>,
}

/// The noninteractive scheme between this device and one peer: after one handshake both compute the keys of every epoch by
/// themselves, and send nothing for it. At rest it answers the peer's handshakes. `Rekeyed` tells of every epoch, `RekeyNeeded`
/// of the last one, `Terminated` of the end: of the epochs, of a credential, by revocation. Every method may throw `Busy`.
///
/// ```text
/// let asked = CredentialRequest(device, Suite0, name)                      // asked.request goes to the operator
/// let issued = holder.accept(asked, answer, wall)                          // its answer; store issued.key, then
/// holder.install(issued.credential, wall); holder.save(device, store, 2)
/// let peer = CredentialPeer.named(Suite0, 1, name, "gateway")              // or CredentialPeer.restore(device, Suite0, store, 1)
/// let gateway = Noninteractive.open(device, peer, holder, CredentialSetup(), Config(), store)
/// gateway.connect(cx, address)                                             // then poll until Idle, after every call
/// ```
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Noninteractive(pub(crate) Held, Group);

verbs!(Noninteractive);

#[uniffi::export]
impl Noninteractive {
    /// An association at rest. It takes the peer over; the holder is shared by all associations of the device, its operator's
    /// suite is theirs. With a `store`, `poll` writes to it by itself; without, it hands out `Persist`.
    ///
    /// # Errors
    /// `BadArgument` for a setup or a configuration out of range, or a peer of another group; `WrongState` for a peer in use.
    /// The peer is still there then.
    #[uniffi::constructor]
    pub fn open(
        device: Arc<Device>,
        peer: &CredentialPeer,
        holder: &Holder,
        setup: CredentialSetup,
        config: Config,
        store: Option<Arc<dyn BlobStore>>,
    ) -> Result<Self, IotkmError> {
        let engine = config.core()?;
        let options = Options {
            setting: holder.operator.setting,
            slots: [setup.key, setup.next_key.unwrap_or(setup.key)].map(KeySlot),
            terms: Terms { life: setup.life, interval: setup.interval, length: setup.length },
            config: &engine,
        };
        let (core, group) = peer.0.take(|peer| Ok(peer.open(holder.lent(), &options)?))?;
        let room = usize::from(config.mtu).max(CorePeer::<SHARE>::BLOB_MAX);
        Ok(Self(Held::new(device, store, core, room), group))
    }

    /// Starts a handshake with the peer at this address (up to 22 bytes). A session that there is goes on until the new one is
    /// complete.
    ///
    /// # Errors
    /// `WrongState` while a run of this side's is under way; `NoCredential` where none of this side's is valid; `Rng`,
    /// `Vault`, `Undrained`, `BadArgument`.
    pub fn connect(&self, cx: Cx, to: Vec<u8>) -> Result<(), IotkmError> {
        let to = addr(&to)?;
        self.0.call(&cx, |member, cx| Ok(self.own(member)?.connect(cx, &to)?))
    }

    /// Goes on from the stored peer after a restart, in three messages: `Resumed` says when. Where `Failed` of `Resume` comes
    /// in its place, `connect`.
    ///
    /// # Errors
    /// `NotEstablished` where nothing is stored; `WrongState` with a session or a run; `Rng`, `Vault`, `Undrained`.
    pub fn go_on(&self, cx: Cx) -> Result<(), IotkmError> {
        self.0.call(&cx, |member, cx| Ok(self.own(member)?.go_on(cx)?))
    }

    /// The holder has changed: a revocation list that names the peer's credential, or this side's, ends the association
    /// (`Terminated`).
    ///
    /// # Errors
    /// `Undrained`, `Rng`, `Vault`.
    pub fn recheck(&self, cx: Cx) -> Result<(), IotkmError> {
        self.0.call(&cx, |member, cx| Ok(member.handle_timeout(cx)?))
    }

    /// The epoch in use; none without a session.
    ///
    /// # Errors
    /// `Busy`.
    pub fn epoch(&self) -> Result<Option<u32>, IotkmError> {
        self.0.reach(|member| Ok(self.own(member)?.epoch()))
    }

    /// What may be shown of the peer.
    ///
    /// # Errors
    /// `Busy`.
    pub fn peer(&self) -> Result<CredentialPeerInfo, IotkmError> {
        self.0.reach(|member| Ok(self.own(member)?.info()))
    }

    /// Gives the peer back, wiping the session. This object is used up then.
    ///
    /// # Errors
    /// `Busy`; `WrongState` the second time, and in a hub.
    pub fn into_peer(&self) -> Result<Arc<CredentialPeer>, IotkmError> {
        Ok(Arc::new(CredentialPeer(Holding::new((self.1.peer)(&self.0)?))))
    }
}

impl Noninteractive {
    fn own<'m>(&self, member: &'m mut Member) -> Result<&'m mut dyn Own, IotkmError> {
        (self.1.own)(member).ok_or(IotkmError::Broken)
    }
}

impl fmt::Debug for Noninteractive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f, "Noninteractive", |member| {
            self.own(member).map_or_else(
                |_| String::new(),
                |own| {
                    let epoch = own.epoch().map_or_else(String::new, |epoch| format!(", epoch {epoch}"));
                    own.info().id.unwrap_or_else(|| "anyone".to_owned()) + &epoch
                },
            )
        })
    }
}
