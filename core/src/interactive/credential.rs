//! Whether the other side's ticket will do: for A when M2 comes, for S when M1 does.

use crate::association::UnixTime;
use crate::cose::{Refused, Ticket, Wallet};

/// Whom the other side has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected<'a> {
    /// Anybody with a ticket of the agent.
    Anyone,
    /// The device of this name.
    Subject(&'a str),
    /// A device that has this word in its ticket's scope.
    Scope(&'a str),
}

impl Expected<'_> {
    /// Whether a ticket is such a device's.
    pub fn accepts(&self, ticket: &Ticket<'_>) -> bool {
        match self {
            Self::Anyone => true,
            Self::Subject(name) => ticket.claims().subject == *name,
            Self::Scope(word) => ticket.claims().scope.split(' ').any(|has| !has.is_empty() && has == *word),
        }
    }
}

/// The other side's ticket, if it will do beside this side's `own`: the agent's, valid now, not revoked, of the same group,
/// not this device's under any name, and whom `expected` wants. Nothing has changed afterwards; once the run has shown
/// that the other side is its owner, [`Wallet::saw`] is told.
///
/// # Errors
/// [`Refused`]: [`Refused::Key`] for another group and for this device's own key, [`Refused::Subject`] for its own name and
/// where somebody else is expected.
pub fn acceptable<'t, const T: usize, const L: usize>(
    wallet: &Wallet<'_, T, L>,
    own: &Ticket<'_>,
    shown: &'t [u8],
    expected: Expected<'_>,
    wall: Option<UnixTime>,
) -> Result<Ticket<'t>, Refused> {
    // What costs nothing first; it decides nothing by itself.
    let (ours, theirs) = (own.claims(), Ticket::peek(shown)?);
    if theirs.claims().key.group() != ours.key.group() || theirs.claims().key.as_bytes() == ours.key.as_bytes() {
        return Err(Refused::Key);
    }
    if theirs.claims().subject == ours.subject || !expected.accepts(&theirs) {
        return Err(Refused::Subject);
    }
    wallet.check(shown, wall)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::{Expected, acceptable};
    use crate::association::UnixTime;
    use crate::cose::{Agent, Claims, DeviceKey, KeyGroup, Refused, RevocationList, Ticket, Wallet};
    use crate::crypto::Secret;
    use crate::crypto::sign::{Ed25519Key, Signer};
    use std::vec::Vec;

    const NOW: u64 = 1_800_000_000;

    fn signer(seed: u8) -> Ed25519Key {
        Ed25519Key::new(Secret::new([seed; 32]))
    }

    fn claims<'a>(subject: &'a str, key: &'a [u8]) -> Claims<'a> {
        Claims {
            issuer: "acme",
            subject,
            expires: NOW + 1000,
            not_before: None,
            issued_at: NOW,
            serial: 7,
            key: DeviceKey::new(KeyGroup::X25519, key).unwrap(),
            scope: "light heat",
        }
    }

    fn issue(by: u8, claims: &Claims<'_>) -> Vec<u8> {
        let mut out = [0; 288];
        let len = Ticket::issue(&signer(by), claims, &mut out).unwrap();
        out[..len].to_vec()
    }

    fn at(seconds: u64) -> Option<UnixTime> {
        Some(UnixTime(seconds * 1000))
    }

    fn wallet() -> Wallet<'static, 288, 200> {
        let agent = Agent { name: "acme", key: signer(1).public_key().unwrap() };
        let mut wallet = Wallet::new(agent, "lamp").unwrap();
        wallet.install(&issue(1, &Claims { serial: 1, ..claims("lamp", &[1; 32]) }), at(NOW)).unwrap();
        wallet
    }

    /// What becomes of this ticket, shown to the lamp.
    fn shown(ticket: &[u8], expected: Expected<'_>, now: u64) -> Result<(), Refused> {
        let wallet = wallet();
        let own = wallet.ticket(at(NOW)).unwrap();
        acceptable(&wallet, &own, ticket, expected, at(now)).map(|_| ())
    }

    #[test]
    fn a_good_ticket_of_whom_one_expects() {
        let ticket = issue(1, &claims("switch", &[2; 32]));
        for expected in [Expected::Anyone, Expected::Subject("switch"), Expected::Scope("heat")] {
            assert_eq!(shown(&ticket, expected, NOW), Ok(()));
        }
        for other in [Expected::Subject("switc"), Expected::Scope("hea"), Expected::Scope("")] {
            assert_eq!(shown(&ticket, other, NOW), Err(Refused::Subject));
        }
    }

    #[test]
    fn forged_expired_early_or_another_agents() {
        let good = claims("switch", &[2; 32]);
        let with = |by: u8, claims: &Claims<'_>, now: u64| shown(&issue(by, claims), Expected::Anyone, now);
        assert_eq!(with(2, &good, NOW), Err(Refused::Signature), "another agent of the same name");
        assert_eq!(with(1, &Claims { issuer: "other", ..good }, NOW), Err(Refused::Agent));
        assert_eq!(with(1, &good, NOW + 1000), Err(Refused::Expired));
        assert_eq!(with(1, &Claims { not_before: Some(NOW + 900), ..good }, NOW), Err(Refused::NotYetValid));
        let mut forged = issue(1, &good);
        for at in [forged.len() - 1, forged.len() - 70] {
            forged[at] ^= 1;
            assert!(shown(&forged, Expected::Anyone, NOW).is_err());
            forged[at] ^= 1;
        }
    }

    #[test]
    fn revoked() {
        let mut wallet = wallet();
        let mut list = [0; 200];
        let len = RevocationList::issue(&signer(1), "acme", NOW, 1, &[7], &mut list).unwrap();
        wallet.revoke(&list[..len]).unwrap();
        let ticket = issue(1, &claims("switch", &[2; 32]));
        let own = wallet.ticket(at(NOW)).unwrap();
        assert_eq!(acceptable(&wallet, &own, &ticket, Expected::Anyone, at(NOW)), Err(Refused::Revoked));
    }

    #[test]
    fn nobody_is_this_device_and_no_key_of_another_group_will_do() {
        let own_name = issue(1, &claims("lamp", &[2; 32]));
        assert_eq!(shown(&own_name, Expected::Anyone, NOW), Err(Refused::Subject));
        let own_key = issue(1, &claims("switch", &[1; 32]));
        assert_eq!(shown(&own_key, Expected::Anyone, NOW), Err(Refused::Key));
        let key = DeviceKey::new(KeyGroup::P256, &[2; 32]).unwrap();
        let other_group = issue(1, &Claims { key, ..claims("switch", &[2; 32]) });
        assert_eq!(shown(&other_group, Expected::Anyone, NOW), Err(Refused::Key));
    }

    /// A ticket proves nothing about who shows it: a clock moves when the run has.
    #[test]
    fn a_ticket_alone_moves_no_clock() {
        let mut wallet = wallet();
        let later = issue(1, &Claims { issued_at: NOW + 500, ..claims("switch", &[2; 32]) });
        let own = wallet.ticket(at(NOW)).unwrap();
        let ticket = acceptable(&wallet, &own, &later, Expected::Anyone, at(NOW + 500)).unwrap();
        assert_eq!(wallet.floor(), NOW);
        wallet.saw(&ticket);
        assert_eq!(wallet.floor(), NOW + 500);
    }
}
