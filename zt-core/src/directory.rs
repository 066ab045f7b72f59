//! A directory that is a file: people and their devices, for sites without a provider that reports them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::device::KeyBinding;
use crate::event::Event;
use crate::id::{DeviceId, GroupId, Issuer, NameError, check_name};
use crate::identity::{AttributeValue, Subject};
use crate::key::{PublicKey, PublicKeyError};
use crate::site::attributes::{AttributeTable, check_attributes, read_attributes};
use crate::site::source::{At, Text, decode, excerpt, parsed};
use crate::site::{AttributeError, Claim, InFile, Malformed, Site};

/// The most users of a directory.
pub const MAX_USERS: usize = 100_000;
/// The most devices of a directory.
pub const MAX_DEVICES: usize = 100_000;

/// Why a directory file was refused, with file and line; no directory comes of it.
pub type DirectoryError = InFile<DirectoryFault>;

/// What is wrong with a directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryFault {
    /// The text cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A text is no name.
    #[error("`{0}` is no name: {1}")]
    Name(String, NameError),
    /// A text is no public key, or one that is not safe to use.
    #[error("`{0}` cannot be a device's key: {1}")]
    Key(String, PublicKeyError),
    /// Attributes of a user are not as they should be.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// There is more of something than a directory may hold.
    #[error("{count} {what}, {most} is the most")]
    TooMany {
        /// Of what, in the plural.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// Two users have the same name.
    #[error("there is another user `{0}`")]
    DuplicateName(String),
    /// Two users are the same person.
    #[error("subject `{}` of `{}` is also user `{other}`", .subject.name(), .subject.issuer())]
    DuplicateSubject {
        /// The person.
        subject: Subject,
        /// The name of the user who is that person already.
        other: String,
    },
    /// Two devices have the same id.
    #[error("there is another device `{0}`")]
    DuplicateDevice(DeviceId),
    /// Two devices are pinned to the same key.
    #[error("key `{key}` is also that of device `{other}`")]
    DuplicateKey {
        /// The key.
        key: PublicKey,
        /// The device that has it already.
        other: DeviceId,
    },
    /// The owner of a device is no user of the directory.
    #[error("no user `{0}`")]
    UnknownUser(String),
    /// A group that the site does not declare.
    #[error("group `{0}` is not declared by the site")]
    UndeclaredGroup(GroupId),
    /// The site has no claim by which the user's provider could put them into the group.
    #[error("group `{group}` has no claim of `{issuer}`")]
    NoClaim {
        /// The group.
        group: GroupId,
        /// The provider.
        issuer: Issuer,
    },
    /// Every claim that puts the user into the group puts them into another one too, which is not named.
    #[error("whoever is in group `{group}` is in group `{other}` too; name both")]
    ImpliedGroup {
        /// The group that is named.
        group: GroupId,
        /// The one that is not.
        other: GroupId,
    },
}

/// People and their devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    users: BTreeMap<String, User>,
    devices: BTreeMap<DeviceId, OwnedDevice>,
}

/// A person in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// What the directory calls them; of no meaning elsewhere.
    pub name: String,
    /// Who it is.
    pub subject: Subject,
    /// The groups that the directory names.
    pub groups: BTreeSet<GroupId>,
    /// The claims that put them into these groups, and into no others.
    pub claims: BTreeSet<String>,
    /// What else is known.
    pub attributes: BTreeMap<String, AttributeValue>,
}

/// A device in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedDevice {
    /// The device.
    pub id: DeviceId,
    /// The person who may use it.
    pub owner: Subject,
    /// Which WireGuard key it may come with.
    pub key: KeyBinding,
}

impl Directory {
    /// Reads a directory file for `site`, whose groups it may name.
    ///
    /// # Errors
    /// The first fault that is found, with its line.
    pub fn parse(file: &str, text: &str, site: &Site) -> Result<Self, DirectoryError> {
        parse(text, site).map_err(|at| at.in_file(file, text))
    }

    /// What the controller has to be told: first who there is, then which devices they have.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let people = self.users.values().map(|user| Event::IdentityObserved {
            subject: user.subject.clone(),
            claims: user.claims.clone(),
            attributes: user.attributes.clone(),
        });
        let devices = self.devices.values().map(|device| Event::DeviceEnrolled {
            device: device.id.clone(),
            owner: device.owner.clone(),
            key: device.key,
        });
        people.chain(devices).collect()
    }

    /// All users, in the order of their names.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// The user of that name.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// All devices, in the order of their ids.
    pub fn devices(&self) -> impl Iterator<Item = &OwnedDevice> {
        self.devices.values()
    }

    /// The device of that id.
    #[must_use]
    pub fn device(&self, id: &DeviceId) -> Option<&OwnedDevice> {
        self.devices.get(id)
    }

    /// The devices of a person, in the order of their ids.
    pub fn devices_of(&self, owner: &Subject) -> impl Iterator<Item = &OwnedDevice> {
        self.devices.values().filter(move |device| device.owner == *owner)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectoryFile {
    #[serde(default)]
    user: Vec<UserTable>,
    #[serde(default)]
    device: Vec<DeviceTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserTable {
    issuer: Text,
    subject: Text,
    name: Text,
    #[serde(default)]
    groups: Vec<Text>,
    #[serde(default)]
    attributes: AttributeTable,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct DeviceTable {
    id: Text,
    owner: Text,
    public_key: Option<Text>,
}

type Read<T> = Result<T, At<DirectoryFault>>;

/// The groups that each claim leads to.
type GroupsByClaim<'a> = BTreeMap<&'a Claim, BTreeSet<&'a GroupId>>;

fn parse(text: &str, site: &Site) -> Read<Directory> {
    let file: DirectoryFile = decode(text)?;
    let users = read_users(&file.user, site)?;
    let devices = read_devices(&file.device, &users)?;
    Ok(Directory { users, devices })
}

fn read_users(tables: &[UserTable], site: &Site) -> Read<BTreeMap<String, User>> {
    limit(tables, |table| &table.name, ("users", MAX_USERS))?;
    let mut by_claim = GroupsByClaim::new();
    for (group, claims) in &site.groups {
        claims.iter().for_each(|claim| _ = by_claim.entry(claim).or_default().insert(group));
    }
    let mut users = BTreeMap::new();
    let mut names: BTreeMap<Subject, String> = BTreeMap::new();
    for table in tables {
        let user = table.read(site, &by_claim)?;
        if let Some(other) = names.insert(user.subject.clone(), user.name.clone()) {
            let subject = user.subject;
            return Err(at(&table.subject, DirectoryFault::DuplicateSubject { subject, other }));
        }
        let name = user.name.clone();
        if users.insert(name.clone(), user).is_some() {
            return Err(at(&table.name, DirectoryFault::DuplicateName(name)));
        }
    }
    Ok(users)
}

fn read_devices(
    tables: &[DeviceTable],
    users: &BTreeMap<String, User>,
) -> Read<BTreeMap<DeviceId, OwnedDevice>> {
    limit(tables, |table| &table.id, ("devices", MAX_DEVICES))?;
    let mut devices = BTreeMap::new();
    let mut keys: BTreeMap<PublicKey, DeviceId> = BTreeMap::new();
    for table in tables {
        let device = table.read(users)?;
        let id = device.id.clone();
        if let (KeyBinding::Pinned(key), Some(text)) = (device.key, &table.public_key)
            && let Some(other) = keys.insert(key, id.clone())
        {
            return Err(at(text, DirectoryFault::DuplicateKey { key, other }));
        }
        if devices.insert(id.clone(), device).is_some() {
            return Err(at(&table.id, DirectoryFault::DuplicateDevice(id)));
        }
    }
    Ok(devices)
}

impl UserTable {
    fn read(&self, site: &Site, by_claim: &GroupsByClaim<'_>) -> Read<User> {
        let issuer = named(&self.issuer, Issuer::new)?;
        let subject = named(&self.subject, |text| Subject::new(issuer, text))?;
        let name = named(&self.name, |text| check_name(text).map(|()| text.to_owned()))?;
        let groups =
            self.groups.iter().map(|text| named(text, GroupId::new)).collect::<Read<BTreeSet<_>>>()?;
        let claim = |text: &Text| {
            let group = named(text, GroupId::new)?;
            claim_for(&group, subject.issuer(), &groups, (site, by_claim)).map_err(|fault| at(text, fault))
        };
        let claims = self.groups.iter().map(claim).collect::<Read<_>>()?;
        let attributes = read_attributes(&self.attributes)?;
        check_attributes(&attributes).map_err(|error| at(&self.name, error))?;
        Ok(User { name, subject, groups, claims, attributes })
    }
}

/// The first claim of `issuer` that puts people into `group` and into no group that is not `named`.
fn claim_for(
    group: &GroupId,
    issuer: &Issuer,
    named: &BTreeSet<GroupId>,
    (site, by_claim): (&Site, &GroupsByClaim<'_>),
) -> Result<String, DirectoryFault> {
    let declared = site.groups.get(group).ok_or_else(|| DirectoryFault::UndeclaredGroup(group.clone()))?;
    let mut implied = None;
    for claim in declared.iter().filter(|claim| claim.issuer == *issuer) {
        let mut groups = by_claim.get(claim).into_iter().flatten();
        match groups.find(|group| !named.contains(**group)) {
            None => return Ok(claim.value.clone()),
            Some(other) => implied = implied.or(Some((*other).clone())),
        }
    }
    let (group, issuer) = (group.clone(), issuer.clone());
    Err(match implied {
        Some(other) => DirectoryFault::ImpliedGroup { group, other },
        None => DirectoryFault::NoClaim { group, issuer },
    })
}

impl DeviceTable {
    fn read(&self, users: &BTreeMap<String, User>) -> Read<OwnedDevice> {
        let unknown = || at(&self.owner, DirectoryFault::UnknownUser(excerpt(self.owner.get_ref())));
        let owner = users.get(self.owner.get_ref()).ok_or_else(unknown)?;
        let key = match &self.public_key {
            None => KeyBinding::AtLogin,
            Some(text) => KeyBinding::Pinned(parsed(text, |key| {
                key.parse().map_err(|error| DirectoryFault::Key(excerpt(key), error))
            })?),
        };
        Ok(OwnedDevice { id: named(&self.id, DeviceId::new)?, owner: owner.subject.clone(), key })
    }
}

fn named<T>(text: &Text, read: impl FnOnce(&str) -> Result<T, NameError>) -> Read<T> {
    parsed(text, |name| read(name).map_err(|error| DirectoryFault::Name(excerpt(name), error)))
}

fn limit<T>(tables: &[T], place: fn(&T) -> &Text, (what, most): (&'static str, usize)) -> Read<()> {
    match tables.get(most) {
        Some(table) => {
            let count = tables.len();
            Err(at(place(table), DirectoryFault::TooMany { what, count, most }))
        }
        None => Ok(()),
    }
}

fn at(text: &Text, fault: impl Into<DirectoryFault>) -> At<DirectoryFault> {
    At::new(text.span().start, fault)
}
