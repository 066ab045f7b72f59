//! Some policies of a set as a set.

use cedar_policy::{Policy, PolicySet};

use crate::evaluator::compiled::CompileError;

/// A set of some policies of `set`, with the templates of those that are links.
pub(crate) fn subset<'p>(
    set: &PolicySet,
    policies: impl IntoIterator<Item = &'p Policy>,
) -> Result<PolicySet, CompileError> {
    let mut found = PolicySet::new();
    for policy in policies {
        let template = policy.template_id().and_then(|id| set.template(id));
        let added = match (template, policy.template_links()) {
            (Some(template), Some(values)) => {
                let known = found.template(template.id()).is_some();
                let added = if known { Ok(()) } else { found.add_template(template.clone()) };
                let (template, id) = (template.id().clone(), policy.id().clone());
                if added.is_ok() { found.link(template, id, values) } else { added }
            }
            (_, _) => found.add(policy.clone()),
        };
        added
            .map_err(|error| CompileError::Policy { id: policy.id().clone(), problem: error.to_string() })?;
    }
    Ok(found)
}
