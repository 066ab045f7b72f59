//! From the text of a site file to a site.

use super::check::{self, Place, Refusal};
use super::fault::{Kind, SiteError, SiteFault};
use super::file::SiteFile;
use super::source::{At, Text, decode};
use super::{Site, SiteDescription};
use crate::event::SiteSource;

impl Site {
    /// Reads a site file. Limits are counts and hold for every machine; nothing outside the text matters.
    ///
    /// # Errors
    /// The first fault that is found, with its line.
    pub fn parse(source: &SiteSource) -> Result<Self, SiteError> {
        parse(&source.text).map_err(|at| at.in_file(&source.file, &source.text))
    }

    /// Makes a site of its parts, by the rules that hold for a file too.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn new(description: SiteDescription) -> Result<Self, SiteFault> {
        check::site(description).map_err(|refusal| refusal.fault)
    }
}

fn parse(text: &str) -> Result<Site, At<SiteFault>> {
    let file: SiteFile = decode(text)?;
    let description = file.description()?;
    check::site(description).map_err(|Refusal { place, fault }| At::new(file.offset(&place), fault))
}

impl SiteFile {
    /// Where a part of the description stands in the text.
    fn offset(&self, place: &Place) -> usize {
        let pools = self.pools.as_ref();
        let pool = |text: Option<&Text>| text.map(offset).or(pools.map(|pools| pools.span().start));
        let found = match place {
            Place::Lease => self.site.lease.as_ref().map(offset),
            Place::MaxSession => self.site.max_session.as_ref().map(offset),
            Place::PoolV4 => pool(pools.and_then(|pools| pools.get_ref().v4.as_ref())),
            Place::PoolV6 => pool(pools.and_then(|pools| pools.get_ref().v6.as_ref())),
            Place::Listed(kind, index) => self.id(*kind, *index).map(offset),
            Place::Endpoint(index) => self.gateway.get(*index).map(|gateway| offset(&gateway.endpoint)),
            Place::GatewayAddress(index, address) => self
                .gateway
                .get(*index)
                .and_then(|gateway| {
                    gateway.addresses.iter().find(|text| text.get_ref().parse() == Ok(*address))
                })
                .map(offset),
            Place::ResourceGateways(index) => {
                self.resource.get(*index).map(|resource| offset(&resource.gateways))
            }
            Place::ResourcePrefix(index, prefix) => self
                .resource
                .get(*index)
                .and_then(|resource| {
                    resource.addresses.iter().find(|text| text.get_ref().parse() == Ok(*prefix))
                })
                .map(offset),
            Place::ResourceSegment(index, segment) => self
                .resource
                .get(*index)
                .and_then(|resource| resource.segments.iter().find(|text| text.get_ref() == segment.as_str()))
                .map(offset),
            Place::ResourceApproval(index) => {
                self.resource.get(*index).and_then(|resource| Some(resource.approval.as_ref()?.span().start))
            }
        };
        found.unwrap_or(0)
    }

    fn id(&self, kind: Kind, index: usize) -> Option<&Text> {
        match kind {
            Kind::Group => self.group.get(index).map(|group| &group.id),
            Kind::Segment => self.segment.get(index).map(|segment| &segment.id),
            Kind::Window => self.window.get(index).map(|window| &window.id),
            Kind::Fact => self.fact.get(index).map(|fact| &fact.id),
            Kind::Gateway => self.gateway.get(index).map(|gateway| &gateway.id),
            Kind::Resource => self.resource.get(index).map(|resource| &resource.id),
        }
    }
}

fn offset(text: &Text) -> usize {
    text.span().start
}
