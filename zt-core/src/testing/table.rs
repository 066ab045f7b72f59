//! A policy engine whose policies are lines `group resource` or `group resource approved`.

use std::collections::BTreeSet;

use crate::decide::{
    ClassId, Decide, Decision, DecisionSink, DenyCause, Effect, PolicyError, PolicyIndex, PolicyVersion,
    Remedy, ResourceClasses, SessionFacts, Validity, View,
};
use crate::event::PolicySource;
use crate::id::ResourceId;
use crate::site::{ResourceIndex, Site};

/// Permits whoever is in a group to reach a resource; a line `group resource` for each permit, with `approved` after it
/// if that takes an approved request.
#[derive(Debug, Default)]
pub struct TableEngine {
    classes: ResourceClasses,
    permits: Vec<Permit>,
}

#[derive(Debug)]
struct Permit {
    line: String,
    group: String,
    resource: ResourceIndex,
    /// The resource, if a request for it has to be approved.
    approved: Option<ResourceId>,
}

impl Permit {
    fn is_for(&self, facts: &SessionFacts<'_>) -> bool {
        let is_approved = self.approved.as_ref().is_none_or(|resource| facts.approved.contains(resource));
        is_approved && facts.groups().iter().any(|group| group.as_str() == self.group)
    }
}

impl Decide for TableEngine {
    fn load(&mut self, source: &PolicySource, site: &Site) -> Result<PolicyVersion, PolicyError> {
        let mut permits = Vec::new();
        for (file, text) in &source.policies {
            for (number, line) in (1_u32..).zip(text.lines()) {
                let error = |problem: &str| PolicyError {
                    place: format!("{file}:{number}"),
                    problem: problem.into(),
                };
                let (group, resource) = line.split_once(' ').ok_or_else(|| error("no resource"))?;
                let resource_alone = resource.strip_suffix(" approved");
                let (resource, approved) = (resource_alone.unwrap_or(resource), resource_alone.is_some());
                let mut resources = (0..).map(ResourceIndex).zip(site.resources());
                let found = resources.find(|(_, present)| present.id.as_str() == resource);
                let (resource, declared) = found.ok_or_else(|| error("no such resource"))?;
                let (line, group) = (line.to_owned(), group.to_owned());
                let approved = approved.then(|| declared.id.clone());
                permits.push(Permit { line, group, resource, approved });
            }
        }
        let count = u32::try_from(site.resources().len()).unwrap_or(u32::MAX);
        self.classes = ResourceClasses::new((0..count).map(|index| vec![ResourceIndex(index)]).collect());
        self.permits = permits;
        let lines: Vec<&str> = self.permits.iter().map(|permit| permit.line.as_str()).collect();
        Ok(PolicyVersion(<sha2::Sha256 as sha2::Digest>::digest(lines.join("\n")).into()))
    }

    fn classes(&self) -> &ResourceClasses {
        &self.classes
    }

    fn view(&self, facts: &SessionFacts<'_>, view: &mut View) -> Validity {
        view.clear();
        for permit in &self.permits {
            view.push([[u8::from(permit.is_for(facts))].as_slice()]);
        }
        Validity::Unlimited
    }

    fn affected(&self, before: &View, after: &View, classes: &mut Vec<ClassId>) {
        let turned = self.permits.iter().zip(before.values().zip(after.values()));
        let turned = turned.filter(|(_, (before, after))| before != after);
        let resources: BTreeSet<_> = turned.map(|(permit, _)| permit.resource).collect();
        classes.extend(resources.into_iter().map(|resource| ClassId(resource.0)));
    }

    fn decide(&self, facts: &SessionFacts<'_>, classes: &[ClassId], sink: &mut dyn DecisionSink) {
        for class in classes {
            let holds = |permit: &Permit| {
                permit.is_for(facts) && self.classes.members(*class).contains(&permit.resource)
            };
            let permits = (0..).map(PolicyIndex).zip(&self.permits);
            let because: Vec<_> =
                permits.filter(|(_, permit)| holds(permit)).map(|(index, _)| index).collect();
            let effect =
                if because.is_empty() { Effect::Deny(DenyCause::NotPermitted) } else { Effect::Allow };
            sink.decided(*class, Decision { effect, because: &because, valid: Validity::Unlimited });
        }
    }

    fn remedies(&self, _: &SessionFacts<'_>, _: ClassId) -> Vec<Remedy> {
        Vec::new()
    }

    fn policy_name(&self, policy: PolicyIndex) -> &str {
        let index = usize::try_from(policy.0).ok();
        index.and_then(|index| self.permits.get(index)).map_or("", |permit| permit.line.as_str())
    }
}
