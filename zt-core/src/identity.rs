//! People: who somebody is according to an identity provider, and how sure we are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{GroupId, Issuer, NameError, check_name};
use crate::time::Timestamp;

/// A person, as one identity provider names them: the pair of issuer and subject, compared byte by byte.
///
/// Never an e-mail address or a display name, which can pass from one person to another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Subject(Arc<Named>);

#[derive(PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename = "Subject")]
struct Named {
    issuer: Issuer,
    #[serde(deserialize_with = "crate::identity::named")]
    name: Box<str>,
}

impl Subject {
    /// The subject `name` of `issuer` (the OpenID Connect claims `sub` and `iss`).
    ///
    /// # Errors
    /// If `name` is empty, too long or has control characters.
    pub fn new(issuer: Issuer, name: &str) -> Result<Self, NameError> {
        check_name(name).map(|()| Self(Arc::new(Named { issuer, name: name.into() })))
    }

    /// The identity provider.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.0.issuer
    }

    /// The provider's name for the person.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The same subject, with an equal issuer that others have too.
    pub(crate) fn with_issuer(&self, issuer: Issuer) -> Self {
        if std::ptr::eq(issuer.as_str(), self.issuer().as_str()) {
            return self.clone();
        }
        Self(Arc::new(Named { issuer, name: self.0.name.clone() }))
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name(), self.issuer())
    }
}

fn named<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Box<str>, D::Error> {
    let text = String::deserialize(deserializer)?;
    check_name(&text).map_err(serde::de::Error::custom)?;
    Ok(text.into())
}

/// What the controller holds of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Who it is.
    pub subject: Subject,
    /// What is known of them; people of whom the same is known share it.
    pub profile: Arc<Profile>,
    /// Whether the account may hold sessions at all.
    pub account: Account,
    /// When the person's sessions were last revoked; a login from before then is void.
    pub revoked_at: Timestamp,
}

/// What is known of a person besides who they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Profile {
    /// The group claims as the provider states them, in ascending order.
    pub claims: Box<[Arc<str>]>,
    /// The declared groups that follow from the claims.
    pub groups: Groups,
    /// What else is known, for policies that ask for it.
    pub attributes: BTreeMap<String, AttributeValue>,
}

/// A set of groups, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "BTreeSet<GroupId>")]
pub struct Groups(Box<[GroupId]>);

impl Groups {
    /// Whether a group is among them.
    #[must_use]
    pub fn contains(&self, group: &str) -> bool {
        self.0.binary_search_by(|known| known.as_str().cmp(group)).is_ok()
    }

    /// The groups, in ascending order.
    pub fn iter(&self) -> std::slice::Iter<'_, GroupId> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<BTreeSet<GroupId>> for Groups {
    fn from(groups: BTreeSet<GroupId>) -> Self {
        Self(groups.into_iter().collect())
    }
}

impl FromIterator<GroupId> for Groups {
    fn from_iter<I: IntoIterator<Item = GroupId>>(groups: I) -> Self {
        groups.into_iter().collect::<BTreeSet<_>>().into()
    }
}

impl<'a> IntoIterator for &'a Groups {
    type Item = &'a GroupId;
    type IntoIter = std::slice::Iter<'a, GroupId>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Whether an account may hold sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Account {
    /// It may.
    Enabled,
    /// The provider or an operator has disabled it.
    Disabled,
}

/// The value of an attribute that a site gives to a person or a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A text.
    String(String),
    /// A set of texts.
    Strings(BTreeSet<String>),
}

/// How a person proved who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assurance {
    /// When the person last showed themselves to the provider (`auth_time`).
    pub authenticated_at: Timestamp,
    /// The last second factor.
    pub mfa: Mfa,
    /// The provider's name for the class of the login (`acr`); empty if it gave none.
    pub acr: Arc<str>,
}

/// A person's last second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mfa {
    /// None was shown.
    Absent,
    /// One was shown then.
    At(Timestamp),
}
