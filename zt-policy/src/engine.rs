//! The engine: what is in force, and how it is replaced.

use zt_core::decide::{
    ClassId, Decide, DecisionSink, PolicyError, PolicyIndex, PolicyVersion, ResourceClasses, SessionFacts,
    Validity, View,
};
use zt_core::event::PolicySource;
use zt_core::site::Site;

use crate::evaluate;
use crate::loaded::Loaded;

/// The stack that policies are compiled on, and evaluated on where the caller's has no room: enough for any text
/// within the limits, whoever calls.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// What a decision wants of the caller's stack, so that its outcome cannot depend on it; with less, it is made on a
/// stack of its own. The deepest policies within the limits take more than 1 MiB, and far more without optimisation.
const STACK_FOR_DECISION_BYTES: usize = 16 * 1024 * 1024;

/// Cedar behind [`Decide`].
///
/// Before the first [`load`](Decide::load) it knows no classes of resources and allows nothing.
///
/// A call to [`decide`](Decide::decide) from a thread with less than 16 MiB of stack makes itself a stack, which takes
/// some 20 microseconds.
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
        self.loaded.as_ref().is_none_or(|loaded| loaded.policies.names.is_empty())
    }
}

impl Decide for PolicyEngine {
    fn load(&mut self, source: &PolicySource, site: &Site) -> Result<PolicyVersion, PolicyError> {
        let loaded = stacker::grow(STACK_BYTES, || Loaded::new(source, site))?;
        let version = loaded.version;
        self.loaded = Some(loaded);
        Ok(version)
    }

    fn classes(&self) -> &ResourceClasses {
        self.loaded.as_ref().map_or(&self.none, |loaded| &loaded.classes)
    }

    fn view(&self, facts: &SessionFacts<'_>, view: &mut View) -> Validity {
        view.clear();
        Validity::Until(facts.now)
    }

    fn affected(&self, _: &View, _: &View, classes: &mut Vec<ClassId>) {
        classes.extend(self.classes().iter().map(|(class, _)| class));
    }

    fn decide(&self, facts: &SessionFacts<'_>, classes: &[ClassId], sink: &mut dyn DecisionSink) {
        let Some(loaded) = &self.loaded else { return evaluate::deny(classes, Validity::Unlimited, sink) };
        stacker::maybe_grow(STACK_FOR_DECISION_BYTES, STACK_BYTES, || {
            evaluate::decide(loaded, facts, classes, sink);
        });
    }

    fn policy_name(&self, policy: PolicyIndex) -> &str {
        let names = self.loaded.as_ref().map_or(&[][..], |loaded| &loaded.policies.names);
        let name = usize::try_from(policy.0).ok().and_then(|index| names.get(index));
        name.map_or("(no such policy)", String::as_str)
    }
}
