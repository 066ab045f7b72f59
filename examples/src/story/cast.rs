//! Who and what the story is about; a site that lacks any of it cannot play the story.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use zt_core::directory::{Directory, DirectoryError};
use zt_core::id::{DeviceId, GatewayId, ResourceId};
use zt_core::identity::Subject;
use zt_core::net::Protocol;
use zt_core::site::{Site, SiteError};

use crate::site_files::SiteFiles;

/// Why a site cannot play the story.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CastError {
    /// `site.toml` is not valid.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// `directory.toml` is not valid.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A person is missing from the directory.
    #[error("directory.toml: the story needs a person named `{0}`")]
    Person(&'static str),
    /// A person has no device.
    #[error("directory.toml: the story needs a device, without a pinned key, of `{0}`")]
    Device(&'static str),
    /// A resource is missing, or does not serve what the story needs on an IPv4 host address.
    #[error("site.toml: the story needs a resource `{name}` with {protocol} on a single IPv4 address")]
    Resource {
        /// Its name.
        name: &'static str,
        /// What it is to serve.
        protocol: &'static str,
    },
    /// The site has no gateway.
    #[error("site.toml: the story needs a gateway on a loopback address, with port 0")]
    Gateway,
}

/// A person with the device they use.
#[derive(Debug, Clone)]
pub struct Person {
    /// The name in the directory.
    pub name: &'static str,
    /// The person.
    pub subject: Subject,
    /// What the identity provider says of the person.
    pub claims: BTreeSet<String>,
    /// The device.
    pub device: DeviceId,
}

/// Everybody and everything in the story.
#[derive(Debug, Clone)]
pub struct Cast {
    /// A developer.
    pub dana: Person,
    /// Another developer.
    pub devon: Person,
    /// Somebody of operations.
    pub oscar: Person,
    /// Somebody whose session is short.
    pub olga: Person,
    /// The Kubernetes API of staging.
    pub staging: SocketAddr,
    /// The host next to it, on the same port.
    pub neighbour: SocketAddr,
    /// Another port of it.
    pub other_port: SocketAddr,
    /// Grafana.
    pub grafana: SocketAddr,
    /// Prometheus.
    pub prometheus: SocketAddr,
    /// The wiki over TCP.
    pub wiki: SocketAddr,
    /// The wiki's UDP service.
    pub wiki_udp: SocketAddr,
    /// The gateway.
    pub gateway: GatewayId,
    /// Where it listens.
    pub endpoint: SocketAddr,
}

impl Cast {
    /// Reads the texts of a site, all but the policies, and finds everybody and everything in them.
    ///
    /// # Errors
    /// If a text is not valid, or the first that the site lacks.
    pub fn read(files: &SiteFiles) -> Result<(Self, Directory), CastError> {
        let site = Site::parse(&files.site)?;
        let (name, text) = &files.directory;
        let directory = Directory::parse(name, text, &site)?;
        Ok((Self::find(&site, &directory)?, directory))
    }

    fn find(site: &Site, directory: &Directory) -> Result<Self, CastError> {
        let (gateway, declared) = site.gateways.iter().next().ok_or(CastError::Gateway)?;
        if !declared.endpoint.ip().is_loopback() || declared.endpoint.port() != 0 {
            return Err(CastError::Gateway);
        }
        let staging = resource(site, "staging-k8s", Protocol::Tcp)?;
        let other_port = if staging.port() == 22 { 2_222 } else { 22 };
        Ok(Self {
            dana: person(directory, "dana")?,
            devon: person(directory, "devon")?,
            oscar: person(directory, "oscar")?,
            olga: person(directory, "olga")?,
            staging,
            neighbour: SocketAddr::new(next(staging.ip()), staging.port()),
            other_port: SocketAddr::new(staging.ip(), other_port),
            grafana: resource(site, "grafana", Protocol::Tcp)?,
            prometheus: resource(site, "prometheus", Protocol::Tcp)?,
            wiki: resource(site, "wiki", Protocol::Tcp)?,
            wiki_udp: resource(site, "wiki", Protocol::Udp)?,
            gateway: gateway.clone(),
            endpoint: declared.endpoint,
        })
    }

    /// Everybody.
    #[must_use]
    pub const fn people(&self) -> [&Person; 4] {
        [&self.dana, &self.devon, &self.oscar, &self.olga]
    }

    /// Every TCP address that has a listener behind the gateway, whether anybody may reach it or not.
    #[must_use]
    pub const fn listeners(&self) -> [SocketAddr; 6] {
        [self.staging, self.neighbour, self.other_port, self.grafana, self.prometheus, self.wiki]
    }
}

fn person(directory: &Directory, name: &'static str) -> Result<Person, CastError> {
    let user = directory.user(name).ok_or(CastError::Person(name))?;
    let mut devices = directory.devices_of(&user.subject);
    let device = devices.find(|device| device.key == zt_core::device::KeyBinding::AtLogin);
    let device = device.ok_or(CastError::Device(name))?.id.clone();
    Ok(Person { name, subject: user.subject.clone(), claims: user.claims.clone(), device })
}

fn resource(site: &Site, name: &'static str, protocol: Protocol) -> Result<SocketAddr, CastError> {
    let protocol_name = if protocol == Protocol::Tcp { "tcp" } else { "udp" };
    let error = CastError::Resource { name, protocol: protocol_name };
    let id = ResourceId::new(name).map_err(|_| error.clone())?;
    let found =
        site.resource_index(&id).and_then(|index| site.resource(index)).ok_or_else(|| error.clone())?;
    let mut hosts = found.prefixes.iter().filter(|prefix| prefix.is_host() && prefix.address().is_ipv4());
    let service = found.services.iter().find(|service| service.protocol == protocol);
    match (hosts.next(), service) {
        (Some(host), Some(service)) => Ok(SocketAddr::new(host.address(), service.ports.first)),
        (Some(_) | None, _) => Err(error),
    }
}

/// The address after this one; the one before, for the last there is.
fn next(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => std::net::Ipv4Addr::from_bits(v4.to_bits() ^ 1).into(),
        IpAddr::V6(v6) => std::net::Ipv6Addr::from_bits(v6.to_bits() ^ 1).into(),
    }
}
