//! The scope of a policy: what it is about.

use cedar_policy::{
    ActionConstraint, EntityTypeName, EntityUid, Policy, PrincipalConstraint, ResourceConstraint,
};

use crate::evaluator::symbols::{Symbols, TextId, Uid};

/// The three sides of a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) principal: Constraint,
    /// Of which one has to hold.
    pub(crate) actions: Vec<Constraint>,
    pub(crate) resource: Constraint,
}

/// What one side of a scope asks of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Constraint {
    Any,
    Is(TextId),
    Equal(Uid),
    In(Uid),
    IsIn(TextId, Uid),
}

impl Scope {
    /// The scope of a policy; that of a template's link with the slots filled.
    pub(crate) fn of(policy: &Policy, symbols: &mut Symbols) -> Self {
        let mut names = Names(symbols);
        Self {
            principal: match policy.principal_constraint() {
                PrincipalConstraint::Any => Constraint::Any,
                PrincipalConstraint::Eq(uid) => Constraint::Equal(names.uid(&uid)),
                PrincipalConstraint::In(uid) => Constraint::In(names.uid(&uid)),
                PrincipalConstraint::Is(of) => Constraint::Is(names.type_name(&of)),
                PrincipalConstraint::IsIn(of, uid) => Constraint::IsIn(names.type_name(&of), names.uid(&uid)),
            },
            actions: match policy.action_constraint() {
                ActionConstraint::Any => vec![Constraint::Any],
                ActionConstraint::Eq(uid) => vec![Constraint::Equal(names.uid(&uid))],
                ActionConstraint::In(uids) => uids.iter().map(|uid| Constraint::In(names.uid(uid))).collect(),
            },
            resource: match policy.resource_constraint() {
                ResourceConstraint::Any => Constraint::Any,
                ResourceConstraint::Eq(uid) => Constraint::Equal(names.uid(&uid)),
                ResourceConstraint::In(uid) => Constraint::In(names.uid(&uid)),
                ResourceConstraint::Is(of) => Constraint::Is(names.type_name(&of)),
                ResourceConstraint::IsIn(of, uid) => Constraint::IsIn(names.type_name(&of), names.uid(&uid)),
            },
        }
    }
}

struct Names<'a>(&'a mut Symbols);

impl Names<'_> {
    fn uid(&mut self, uid: &EntityUid) -> Uid {
        self.0.cedar_uid(uid)
    }

    fn type_name(&mut self, of: &EntityTypeName) -> TextId {
        self.0.text(&of.to_string())
    }
}
