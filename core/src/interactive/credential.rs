//! The device's wallet as phase 1 sees it: its own ticket, and whether the other side's will do.

use crate::association::UnixTime;
use crate::cose::ticket::seconds;
use crate::cose::{KeyGroup, Reference, Refused, Ticket, WalletIn};
use crate::engine::wire::copy;
use crate::phase1::credential::reference;
use crate::phase1::{Credentials, Facts, Own, Subject, Wanted, keys};

const fn curve(group: KeyGroup) -> i8 {
    match group {
        KeyGroup::X25519 => 4,
        KeyGroup::P256 => 1,
        KeyGroup::Ffc2048 => -21,
        KeyGroup::Ffc3072 => -22,
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>, L: AsRef<[u8]> + AsMut<[u8]>> Credentials for WalletIn<'_, T, L> {
    fn own(&self, known: Option<&Reference>, wall: Option<UnixTime>) -> Option<(Own<'_>, u64)> {
        let good = |ticket: &Ticket<'_>| self.still_good(ticket, wall).is_ok();
        let named = known.and_then(|known| {
            let mut hashed = self.tickets().map(|ticket| (keys::cred(ticket.as_bytes()), ticket));
            hashed.find(|(cred, _)| reference(cred) == *known).filter(|(_, ticket)| good(ticket))
        });
        let (cred, ticket) = match named {
            Some((cred, ticket)) => (Some(cred), ticket),
            None => (None, self.ticket(wall)?),
        };
        let own = Own { bytes: ticket.as_bytes(), key: Some(ticket.claims().key.as_bytes()), cred };
        Some((own, ticket.claims().expires))
    }

    fn check(&self, shown: &[u8], seen: bool, wanted: &Wanted<'_>, key: &mut [u8]) -> Result<Facts, Refused> {
        // What costs nothing first; it decides nothing by itself.
        let ticket = Ticket::peek(shown)?;
        let claims = ticket.claims();
        if curve(claims.key.group()) != wanted.kem.curve() {
            return Err(Refused::Key);
        }
        let subject = Subject::new(claims.subject).ok_or(Refused::Claims)?;
        if subject == *wanted.me || !wanted.expected.accepts(subject.as_bytes(), claims.scope) {
            return Err(Refused::Subject);
        }
        self.still_good(&ticket, wanted.wall)?;
        if !seen {
            ticket.signed_by(self.agent())?;
        }
        let key_len = copy(key, claims.key.as_bytes());
        Ok(Facts { subject, serial: claims.serial, ends: claims.expires, key_len })
    }

    fn saw(&mut self, shown: &[u8]) {
        if let Ok(ticket) = Ticket::peek(shown) {
            WalletIn::saw(self, &ticket);
        }
    }

    fn is_over(&self, ends: u64, serial: Option<u32>, wall: Option<UnixTime>) -> bool {
        let now = wall.map_or(0, seconds).max(self.floor());
        now >= ends || serial.is_some_and(|serial| self.has_revoked(serial))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use crate::association::UnixTime;
    use crate::cose::{Agent, Claims, DeviceKey, KeyGroup, Refused, RevocationList, Ticket, Wallet};
    use crate::crypto::Secret;
    use crate::crypto::hpke::DHKEM_X25519;
    use crate::crypto::sign::{Ed25519Key, Signer};
    use crate::phase1::{Credentials, Expected, Subject, Wanted};
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

    fn check(wallet: &Wallet<'_, 288, 200>, ticket: &[u8], expected: Expected<'_>, now: u64) -> Result<(), Refused> {
        let me = Subject::new("lamp").unwrap();
        let wanted = Wanted { me: &me, expected, kem: &DHKEM_X25519, wall: at(now) };
        let mut key = [0; 65];
        let facts = Credentials::check(wallet, ticket, false, &wanted, &mut key)?;
        assert_eq!((facts.serial, facts.ends, facts.key_len), (7, NOW + 1000, 32));
        Ok(())
    }

    /// What becomes of this ticket, shown to the lamp.
    fn shown(ticket: &[u8], expected: Expected<'_>, now: u64) -> Result<(), Refused> {
        check(&wallet(), ticket, expected, now)
    }

    #[test]
    fn a_good_ticket_of_whom_one_expects() {
        let ticket = issue(1, &claims("switch", &[2; 32]));
        let names = ["switch", "switc"].map(|name| Subject::new(name).unwrap());
        for expected in [Expected::Anyone, Expected::Subject(&names[0]), Expected::Scope("heat")] {
            assert_eq!(shown(&ticket, expected, NOW), Ok(()));
        }
        for other in [Expected::Subject(&names[1]), Expected::Scope("hea"), Expected::Scope("")] {
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
        assert_eq!(check(&wallet, &ticket, Expected::Anyone, NOW), Err(Refused::Revoked));
        assert!(wallet.is_over(u64::MAX, Some(7), None) && !wallet.is_over(u64::MAX, Some(8), None));
    }

    #[test]
    fn nobody_is_this_device_and_no_key_of_another_group_will_do() {
        let own_name = issue(1, &claims("lamp", &[2; 32]));
        assert_eq!(shown(&own_name, Expected::Anyone, NOW), Err(Refused::Subject));
        let key = DeviceKey::new(KeyGroup::P256, &[2; 32]).unwrap();
        let other_group = issue(1, &Claims { key, ..claims("switch", &[2; 32]) });
        assert_eq!(shown(&other_group, Expected::Anyone, NOW), Err(Refused::Key));
    }

    /// A ticket proves nothing about who shows it: a clock moves when the run has.
    #[test]
    fn a_ticket_alone_moves_no_clock() {
        let mut wallet = wallet();
        let later = issue(1, &Claims { issued_at: NOW + 500, ..claims("switch", &[2; 32]) });
        check(&wallet, &later, Expected::Anyone, NOW + 500).unwrap();
        assert_eq!(wallet.floor(), NOW);
        Credentials::saw(&mut wallet, &later);
        assert_eq!(wallet.floor(), NOW + 500);
    }
}
