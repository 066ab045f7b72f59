//! People: who somebody is according to an identity provider, and how sure we are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{GroupId, Issuer, NameError, check_name};
use crate::time::Timestamp;

/// A person, as one identity provider names them: the pair of issuer and subject, compared byte by byte.
///
/// Never an e-mail address or a display name, which can pass from one person to another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    issuer: Issuer,
    #[serde(deserialize_with = "crate::identity::named")]
    name: std::sync::Arc<str>,
}

impl Subject {
    /// The subject `name` of `issuer` (the OpenID Connect claims `sub` and `iss`).
    ///
    /// # Errors
    /// If `name` is empty, too long or has control characters.
    pub fn new(issuer: Issuer, name: &str) -> Result<Self, NameError> {
        check_name(name).map(|()| Self { issuer, name: name.into() })
    }

    /// The identity provider.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The provider's name for the person.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.name, self.issuer)
    }
}

fn named<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<std::sync::Arc<str>, D::Error> {
    let text = String::deserialize(deserializer)?;
    check_name(&text).map_err(serde::de::Error::custom)?;
    Ok(text.into())
}

/// What the controller holds of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Who it is.
    pub subject: Subject,
    /// The group claims as the provider states them.
    pub claims: BTreeSet<String>,
    /// The declared groups that follow from the claims.
    pub groups: BTreeSet<GroupId>,
    /// What else is known, for policies that ask for it.
    pub attributes: BTreeMap<String, AttributeValue>,
    /// Whether the account may hold sessions at all.
    pub account: Account,
    /// When the person's sessions were last revoked; a login from before then is void.
    pub revoked_at: Timestamp,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    pub acr: String,
}

/// A person's last second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mfa {
    /// None was shown.
    Absent,
    /// One was shown then.
    At(Timestamp),
}
