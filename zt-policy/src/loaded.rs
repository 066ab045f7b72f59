//! What is in force: one bundle, compiled for one site.

use cedar_policy::Schema;
use zt_core::decide::{PolicyError, PolicyVersion, ResourceClasses};
use zt_core::event::PolicySource;
use zt_core::site::{Resource, ResourceIndex, Site};

use crate::entities::{Family, Names, resource};
use crate::policies::{self, Policies};
use crate::schema::schema_text;
use crate::{caps, problem, schema, version};

/// A bundle that passed every check, with all that decisions need besides facts.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) version: PolicyVersion,
    pub(crate) schema: Schema,
    pub(crate) names: Names,
    pub(crate) policies: Policies,
    pub(crate) classes: ResourceClasses,
    /// The resource that stands for each class, and its entities.
    pub(crate) resources: Vec<(Resource, Family)>,
}

impl Loaded {
    /// Compiles `source` for `site`. To be called on a deep stack: Cedar recurses.
    pub(crate) fn new(source: &PolicySource, site: &Site) -> Result<Self, PolicyError> {
        caps::check(source)?;
        let generated = schema_text(site);
        let schema = schema::load(source, &generated)?;
        let names = Names::new()?;
        let policies = policies::load(source, &schema, site)?;
        let mut resources = Vec::new();
        let mut problems = Vec::new();
        for declared in site.resources() {
            match resource(declared, &names, &schema) {
                Ok(family) => resources.push((declared.clone(), family)),
                Err(error) => problems.push(error),
            }
        }
        problem::all(problems)?;
        let classes = (0..).map(ResourceIndex).zip(&resources).map(|(index, _)| vec![index]).collect();
        Ok(Self {
            version: version::version(source, site, &generated),
            schema,
            names,
            policies,
            classes: ResourceClasses::new(classes),
            resources,
        })
    }
}
