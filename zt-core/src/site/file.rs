//! The shape of a site file, and how it is read as a description.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::attributes::{AttributeTable, read_attributes};
use super::clock::ClockTime;
use super::description::SiteDescription;
use super::fault::SiteFault;
use super::limits::{DEFAULT_LEASE, DEFAULT_MAX_SESSION};
use super::source::{At, Text, excerpt, parsed};
use super::{ApprovalRule, Claim, DefaultRoute, FactDeclaration, Gateway, Pools, Resource, Window};
use crate::device::FactKind;
use crate::id::{Issuer, NameError, WindowId};
use crate::net::{Prefix, PrefixError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SiteFile {
    #[serde(default)]
    pub(super) site: SettingsTable,
    pub(super) pools: Option<Spanned<PoolsTable>>,
    #[serde(default)]
    pub(super) group: Vec<GroupTable>,
    #[serde(default)]
    pub(super) segment: Vec<SegmentTable>,
    #[serde(default)]
    pub(super) window: Vec<WindowTable>,
    #[serde(default)]
    pub(super) fact: Vec<FactTable>,
    #[serde(default)]
    pub(super) gateway: Vec<GatewayTable>,
    #[serde(default)]
    pub(super) resource: Vec<ResourceTable>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SettingsTable {
    pub(super) lease: Option<Text>,
    pub(super) max_session: Option<Text>,
    #[serde(default)]
    default_route: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PoolsTable {
    pub(super) v4: Option<Text>,
    pub(super) v6: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupTable {
    pub(super) id: Text,
    #[serde(default)]
    claims: Vec<ClaimTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimTable {
    issuer: Text,
    value: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SegmentTable {
    pub(super) id: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowTable {
    pub(super) id: Text,
    zone: Text,
    days: Spanned<Vec<Text>>,
    from: Text,
    to: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FactTable {
    pub(super) id: Text,
    kind: Text,
    max_age: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GatewayTable {
    pub(super) id: Text,
    group: Text,
    pub(super) endpoint: Text,
    #[serde(default)]
    pub(super) addresses: Vec<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceTable {
    pub(super) id: Text,
    pub(super) gateways: Text,
    #[serde(default)]
    pub(super) addresses: Vec<Text>,
    #[serde(default)]
    services: Vec<Text>,
    #[serde(default)]
    pub(super) segments: Vec<Text>,
    #[serde(default)]
    attributes: AttributeTable,
    pub(super) approval: Option<Spanned<ApprovalTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApprovalTable {
    by: Vec<Text>,
    count: u32,
    #[serde(rename = "for")]
    longest: Text,
}

type Read<T> = Result<T, At<SiteFault>>;

impl SiteFile {
    pub(super) fn description(&self) -> Read<SiteDescription> {
        let span = |text: &Option<Text>, default| text.as_ref().map_or(Ok(default), duration);
        Ok(SiteDescription {
            lease: span(&self.site.lease, DEFAULT_LEASE)?,
            max_session: span(&self.site.max_session, DEFAULT_MAX_SESSION)?,
            default_route: if self.site.default_route { DefaultRoute::Carve } else { DefaultRoute::Refuse },
            pools: self
                .pools
                .as_ref()
                .map_or(Ok(Pools { v4: None, v6: None }), |pools| pools.get_ref().read())?,
            groups: read_all(&self.group, |group| Ok((name(&group.id)?, read_set(&group.claims, claim)?)))?,
            segments: read_all(&self.segment, |segment| name(&segment.id))?,
            windows: read_all(&self.window, WindowTable::read)?,
            facts: read_all(&self.fact, |fact| Ok((name(&fact.id)?, fact.read()?)))?,
            gateways: read_all(&self.gateway, |gateway| Ok((name(&gateway.id)?, gateway.read()?)))?,
            resources: read_all(&self.resource, ResourceTable::read)?,
        })
    }
}

impl PoolsTable {
    fn read(&self) -> Read<Pools> {
        let pool = |text: &Option<Text>| text.as_ref().map(prefix).transpose();
        Ok(Pools { v4: pool(&self.v4)?, v6: pool(&self.v6)? })
    }
}

impl WindowTable {
    fn read(&self) -> Read<(WindowId, Window)> {
        let days = read_set(self.days.get_ref(), |day| parsed(day, str::parse))?;
        let clock = |text: &Text| -> Read<ClockTime> { parsed(text, str::parse) };
        let (from, to) = (clock(&self.from)?, clock(&self.to)?);
        let window = Window::new(self.zone.get_ref(), days, from, to).map_err(|error| {
            let place = match error {
                super::WindowError::NoDays => self.days.span(),
                super::WindowError::Empty(_) => self.to.span(),
                super::WindowError::StartsAtEndOfDay | super::WindowError::Clock(_) => self.from.span(),
                super::WindowError::UnknownZone(_) | super::WindowError::Day(_) => self.zone.span(),
            };
            At::new(place.start, error)
        })?;
        Ok((name(&self.id)?, window))
    }
}

impl FactTable {
    fn read(&self) -> Read<FactDeclaration> {
        let kind = match self.kind.get_ref().as_str() {
            "bool" => FactKind::Bool,
            "long" => FactKind::Long,
            "string" => FactKind::String,
            other => return Err(At::new(self.kind.span().start, SiteFault::FactKind(excerpt(other)))),
        };
        Ok(FactDeclaration { kind, max_age: duration(&self.max_age)? })
    }
}

impl GatewayTable {
    fn read(&self) -> Read<Gateway> {
        Ok(Gateway {
            group: name(&self.group)?,
            endpoint: parsed(&self.endpoint, endpoint)?,
            addresses: read_set(&self.addresses, |text| parsed(text, address))?,
        })
    }
}

impl ResourceTable {
    fn read(&self) -> Read<Resource> {
        Ok(Resource {
            id: name(&self.id)?,
            gateways: name(&self.gateways)?,
            prefixes: read_set(&self.addresses, prefix)?,
            services: read_set(&self.services, |text| parsed(text, str::parse))?,
            segments: read_set(&self.segments, name)?,
            attributes: read_attributes(&self.attributes)?,
            approval: self.approval.as_ref().map(|rule| rule.get_ref().read()).transpose()?,
        })
    }
}

impl ApprovalTable {
    fn read(&self) -> Read<ApprovalRule> {
        Ok(ApprovalRule {
            approvers: read_set(&self.by, name)?,
            count: self.count,
            longest: duration(&self.longest)?,
        })
    }
}

fn read_all<T, U>(items: &[T], read: impl Fn(&T) -> Read<U>) -> Read<Vec<U>> {
    items.iter().map(read).collect()
}

fn read_set<T, U: Ord>(items: &[T], read: impl Fn(&T) -> Read<U>) -> Read<BTreeSet<U>> {
    items.iter().map(read).collect()
}

fn name<T: TryFrom<String, Error = NameError>>(text: &Text) -> Read<T> {
    parsed(text, |name| T::try_from(name.to_owned()).map_err(|error| SiteFault::Name(excerpt(name), error)))
}

fn claim(claim: &ClaimTable) -> Read<Claim> {
    Ok(Claim { issuer: name::<Issuer>(&claim.issuer)?, value: claim.value.get_ref().clone() })
}

fn prefix(text: &Text) -> Read<Prefix> {
    parsed(text, str::parse)
}

fn address(text: &str) -> Result<IpAddr, SiteFault> {
    match text.parse() {
        Ok(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() => Err(PrefixError::Mapped(excerpt(text)).into()),
        Ok(address) => Ok(address),
        Err(_) => Err(SiteFault::Address(excerpt(text))),
    }
}

fn endpoint(text: &str) -> Result<SocketAddr, SiteFault> {
    text.parse().map_err(|_| SiteFault::Endpoint(excerpt(text)))
}

fn duration(text: &Text) -> Read<Duration> {
    parsed(text, |digits| parse_duration(digits).ok_or_else(|| SiteFault::Duration(excerpt(digits))))
}

/// `5s`, `15m`, `8h` or `2d`; not zero, and nothing but a plain number before the unit.
fn parse_duration(text: &str) -> Option<Duration> {
    let units = [("s", 1_u64), ("m", 60), ("h", 3_600), ("d", 86_400)];
    let (digits, unit) = units.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit)))?;
    if digits.starts_with('0') || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(unit).map(Duration::from_secs)
}
