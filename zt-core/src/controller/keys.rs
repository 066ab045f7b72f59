//! Whose a key is. A key never changes hands, and one that was revoked is never accepted again.

use std::collections::BTreeSet;

use crate::grant::Refusal;
use crate::id::{DeviceId, GatewayId};
use crate::identity::Subject;
use crate::key::PublicKey;
use crate::store::{Keyed, Table};

/// The keys that ever belonged to somebody, and those that were revoked.
#[derive(Debug, Default)]
pub(super) struct Keys {
    owned: Table<OwnedKey>,
    revoked: BTreeSet<PublicKey>,
}

/// Whose a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyOwner {
    /// A device, in the hands of one person: who had it before may still know the key.
    Device(DeviceId, Subject),
    Gateway(GatewayId),
}

#[derive(Debug)]
struct OwnedKey {
    key: PublicKey,
    owner: KeyOwner,
}

impl Keyed for OwnedKey {
    type Key = PublicKey;

    fn key(&self) -> &PublicKey {
        &self.key
    }
}

impl Keys {
    /// Whose it is, if it ever was somebody's.
    pub(super) fn owner(&self, key: &PublicKey) -> Option<&KeyOwner> {
        self.owned.of(key).map(|owned| &owned.owner)
    }

    /// Says that a key is this owner's, or nobody's, and was not revoked.
    pub(super) fn check(&self, key: PublicKey, owner: &KeyOwner) -> Result<(), Refusal> {
        if self.revoked.contains(&key) {
            return Err(Refusal::KeyRevoked(key));
        }
        match self.owner(&key) {
            Some(known) if known != owner => Err(Refusal::KeyTaken(key)),
            Some(_) | None => Ok(()),
        }
    }

    /// Binds a key to an owner for ever, if they may have it.
    pub(super) fn claim(&mut self, key: PublicKey, owner: KeyOwner) -> Result<(), Refusal> {
        self.check(key, &owner)?;
        if self.owner(&key).is_none() {
            let _slot = self.owned.insert(OwnedKey { key, owner });
        }
        Ok(())
    }

    /// Has a key never accepted again.
    pub(super) fn revoke(&mut self, key: PublicKey) {
        self.revoked.insert(key);
    }
}
