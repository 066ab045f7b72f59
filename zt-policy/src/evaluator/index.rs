//! Which policies a request can concern, by their scopes.

use crate::evaluator::fast_hash::FastMap;
use crate::evaluator::scope::{Constraint, Scope};
use crate::evaluator::symbols::{TextId, Uid};
use crate::evaluator::value::{Layer, Span};

/// Policies by their scopes.
///
/// Finding them takes time by the ancestors of principal, action and resource that policies name, and by the policies
/// found; not by those in the index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    principals: Side,
    actions: Side,
    resources: Side,
    /// By action and principal.
    groups: FastMap<(Key, Key), u32>,
    /// By group and resource.
    buckets: FastMap<(u32, Key), Span>,
    policies: Vec<u32>,
}

/// An entity of a request: its uid, its type and its ancestors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) uid: Uid,
    pub(crate) type_name: TextId,
    pub(crate) ancestors: &'a [Uid],
}

/// Memory that is used again from one search to the next.
#[derive(Debug, Default)]
pub(crate) struct Search {
    principals: Vec<Key>,
    actions: Vec<Key>,
    resources: Vec<Key>,
    /// The policies found, in ascending order.
    pub(crate) found: Vec<u32>,
}

impl Index {
    /// An index of the scopes of the policies 0, 1, ..
    pub(crate) fn new(scopes: impl IntoIterator<Item = Scope>) -> Self {
        let mut index = Self::default();
        let mut buckets: FastMap<(u32, Key), Vec<u32>> = FastMap::default();
        for (policy, scope) in (0_u32..).zip(scopes) {
            let (principal, resource) =
                (index.principals.key(scope.principal), index.resources.key(scope.resource));
            for action in scope.actions {
                let next = u32::try_from(index.groups.len()).unwrap_or(u32::MAX);
                let action = index.actions.key(action);
                let group = *index.groups.entry((action, principal)).or_insert(next);
                buckets.entry((group, resource)).or_default().push(policy);
            }
        }
        for (key, mut policies) in buckets {
            let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            let span =
                Span { layer: Layer::Policy, start: count(index.policies.len()), len: count(policies.len()) };
            index.buckets.insert(key, span);
            index.policies.append(&mut policies);
        }
        index
    }

    /// Finds the policies whose scopes hold.
    pub(crate) fn search(&self, [principal, action, resource]: [Subject<'_>; 3], search: &mut Search) {
        self.principals.matching(principal, &mut search.principals);
        self.actions.matching(action, &mut search.actions);
        self.resources.matching(resource, &mut search.resources);
        search.found.clear();
        for action in &search.actions {
            for principal in &search.principals {
                let Some(group) = self.groups.get(&(*action, *principal)) else { continue };
                for resource in &search.resources {
                    if let Some(bucket) = self.buckets.get(&(*group, *resource)) {
                        search.found.extend_from_slice(bucket.of(&self.policies));
                    }
                }
            }
        }
        search.found.sort_unstable();
        search.found.dedup();
    }
}

/// A constraint that policies have on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key(u32);

/// The constraints on one side.
#[derive(Debug, Default)]
struct Side {
    keys: FastMap<Constraint, Key>,
    /// Uids from this one on are in no constraint.
    bound: u32,
}

impl Side {
    fn key(&mut self, constraint: Constraint) -> Key {
        let next = Key(u32::try_from(self.keys.len()).unwrap_or(u32::MAX));
        match constraint {
            Constraint::Any | Constraint::Is(_) => {}
            Constraint::Equal(uid) | Constraint::In(uid) | Constraint::IsIn(_, uid) => {
                self.bound = self.bound.max(uid.0.saturating_add(1));
            }
        }
        *self.keys.entry(constraint).or_insert(next)
    }

    fn matching(&self, subject: Subject<'_>, found: &mut Vec<Key>) {
        found.clear();
        let mut add = |constraint| found.extend(self.keys.get(&constraint));
        add(Constraint::Any);
        add(Constraint::Is(subject.type_name));
        add(Constraint::Equal(subject.uid));
        let own_again = subject.ancestors.iter().filter(|ancestor| **ancestor != subject.uid);
        for ancestor in std::iter::once(&subject.uid).chain(own_again) {
            // Uids are numbered from those in policies on, so most groups of most people end here.
            if ancestor.0 < self.bound {
                add(Constraint::In(*ancestor));
                add(Constraint::IsIn(subject.type_name, *ancestor));
            }
        }
    }
}
