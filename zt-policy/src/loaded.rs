//! What is in force: one bundle, compiled for one site.

use std::collections::BTreeMap;
use std::sync::Arc;

use zt_core::decide::{PolicyError, PolicyVersion};
use zt_core::event::PolicySource;
use zt_core::id::FactName;
use zt_core::site::{FactDeclaration, Site};

use crate::conditions::Conditions;
use crate::conform::Attributes;
use crate::entities::Families;
use crate::evaluator::{Graph, Program, Symbols, Uid};
use crate::index::{Index, Read};
use crate::policies::{self, Policy};
use crate::problem::{all, at};
use crate::schema::{self, schema_text};
use crate::{caps, version};

/// A bundle that passed every check, with all that decisions need besides facts.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) version: PolicyVersion,
    /// The names of the policies, sorted; the place of a name is the index of its policy.
    pub(crate) names: Vec<String>,
    /// The texts of the policies, for those who ask what would help: their trees take far more room.
    pub(crate) texts: Vec<Box<str>>,
    pub(crate) conditions: Conditions,
    pub(crate) index: Index,
    /// The resources that stand for the classes, and their segments.
    pub(crate) graph: Graph,
    /// The resource that stands for each class.
    pub(crate) resources: Vec<Uid>,
    /// `Zt::Action::"connect"`
    pub(crate) connect: Uid,
    pub(crate) user_attributes: Attributes,
    /// The facts that the site declared.
    pub(crate) facts: Arc<BTreeMap<FactName, FactDeclaration>>,
}

impl Loaded {
    /// Compiles `source` for `site`. To be called on a deep stack: Cedar recurses.
    pub(crate) fn new(source: &PolicySource, site: &Site) -> Result<Self, PolicyError> {
        caps::check(source)?;
        let generated = schema_text(site);
        let schema = schema::load(source, &generated)?;
        let families = Families::new(&schema.cedar, &schema.resource_attributes)?;
        let misfits = site.resources().iter().filter_map(|resource| families.check(resource).err());
        all(misfits.collect())?;
        let policies = policies::load(source, &schema.cedar, site)?;
        Self::compile(policies, site, schema, version::version(source, site, &generated))
    }

    /// Compiles policies that were checked.
    pub(crate) fn compile(
        policies: Vec<Policy>,
        site: &Site,
        schema: schema::Loaded,
        version: PolicyVersion,
    ) -> Result<Self, PolicyError> {
        let families = Families::new(&schema.cedar, &schema.resource_attributes)?;
        let mut symbols = Symbols::default();
        let connect = symbols.uid("Zt::Action", "connect");
        let programs: Vec<_> =
            policies.iter().map(|policy| lower(policy, &mut symbols)).collect::<Result<_, _>>()?;
        let reads = policies.iter().map(|policy| Read { policy: policy.tree.body(), reads: &policy.reads });
        let index = Index::new(&reads.collect::<Vec<_>>(), site);
        let representatives = || {
            let first = index.classes().iter().filter_map(|(_, members)| members.first());
            first.filter_map(|member| site.resource(*member))
        };
        let resources = representatives().map(|resource| symbols.uid("Zt::Resource", resource.id.as_str()));
        let resources: Vec<_> = resources.collect();
        let graph = Graph::new(symbols, &families.all(representatives())?);
        let graph = graph.map_err(|error| at("site", error.to_string()))?;
        let conditions = Conditions::new(programs.into_iter().zip(index.taken()), &graph, &resources);
        let (names, texts) = policies.into_iter().map(|policy| (policy.name, policy.text)).unzip();
        Ok(Self {
            version,
            names,
            texts,
            conditions,
            index,
            graph,
            resources,
            connect,
            user_attributes: schema.user_attributes,
            facts: Arc::clone(&site.facts),
        })
    }
}

fn lower(policy: &Policy, symbols: &mut Symbols) -> Result<Program, PolicyError> {
    let refuse = |problem: String| at(&policy.place, format!("policy `{}`: {problem}", policy.name));
    Program::lower(policy.tree.body(), symbols).map_err(|error| refuse(error.to_string()))
}
