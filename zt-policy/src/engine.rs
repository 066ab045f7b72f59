//! The engine: what is in force, and how it is replaced.

use zt_core::decide::{
    ClassId, Decide, DecisionSink, PolicyError, PolicyIndex, PolicyVersion, Remedy, ResourceClasses,
    SessionFacts, Validity, View,
};
use zt_core::event::PolicySource;
use zt_core::site::Site;

use crate::evaluate;
use crate::evaluator::stack::deep;
use crate::index::unfit;
use crate::loaded::Loaded;
use crate::remedies;
use crate::session::unfit_until;

/// Cedar behind [`Decide`].
///
/// Before the first [`load`](Decide::load) it knows no classes of resources and allows nothing.
#[derive(Debug, Default)]
pub struct PolicyEngine {
    loaded: Option<Loaded>,
    none: ResourceClasses,
}

impl PolicyEngine {
    /// An engine without policies, which allows nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The version in force; `None` before the first load.
    #[must_use]
    pub fn version(&self) -> Option<PolicyVersion> {
        self.loaded.as_ref().map(|loaded| loaded.version)
    }

    /// Whether no policy at all is in force, so that nobody may reach anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.loaded.as_ref().is_none_or(|loaded| loaded.names.is_empty())
    }
}

impl Decide for PolicyEngine {
    fn load(&mut self, source: &PolicySource, site: &Site) -> Result<PolicyVersion, PolicyError> {
        let loaded = deep(|| Loaded::new(source, site))?;
        let version = loaded.version;
        self.loaded = Some(loaded);
        Ok(version)
    }

    fn classes(&self) -> &ResourceClasses {
        self.loaded.as_ref().map_or(&self.none, |loaded| loaded.index.classes())
    }

    fn view(&self, facts: &SessionFacts<'_>, view: &mut View) -> Validity {
        let Some(loaded) = &self.loaded else {
            unfit(view);
            return Validity::Unlimited;
        };
        match unfit_until(loaded, facts) {
            None => loaded.index.view(facts, view),
            Some(valid) => {
                unfit(view);
                valid
            }
        }
    }

    fn affected(&self, before: &View, after: &View, classes: &mut Vec<ClassId>) {
        if let Some(loaded) = &self.loaded {
            loaded.index.affected(before, after, classes);
        }
    }

    fn decide(&self, facts: &SessionFacts<'_>, classes: &[ClassId], sink: &mut dyn DecisionSink) {
        match &self.loaded {
            None => evaluate::deny(classes, Validity::Unlimited, sink),
            Some(loaded) => evaluate::decide(loaded, facts, classes, sink),
        }
    }

    fn remedies(&self, facts: &SessionFacts<'_>, class: ClassId) -> Vec<Remedy> {
        let Some(loaded) = &self.loaded else { return Vec::new() };
        deep(|| remedies::remedies(loaded, facts, class))
    }

    fn policy_name(&self, policy: PolicyIndex) -> &str {
        let names = self.loaded.as_ref().map_or(&[][..], |loaded| &loaded.names);
        let name = usize::try_from(policy.0).ok().and_then(|index| names.get(index));
        name.map_or("(no such policy)", String::as_str)
    }
}
