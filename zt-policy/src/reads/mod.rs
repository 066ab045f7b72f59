//! What the condition of a policy reads, found in its text and not by running it.
//!
//! Every part of the condition counts, also one that the parts before it may leave out.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a few forms are told from all others, whose parts are walked in any case"
)]

mod slot;

use std::collections::BTreeSet;

use cedar_policy::pst::{BinaryOp, Clause, EntityUID, Expr, Literal, Template, Var};
use zt_core::id::{FactName, GroupId, WindowId};
use zt_core::site::Site;

use crate::constants::Constants;
use crate::person::Person;
use crate::time::{Instant, attributes, context_path, threshold};
pub(crate) use slot::{Field, Slot};

/// What a condition reads.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    /// Of the session.
    pub(crate) slots: BTreeSet<Slot>,
    /// Of the resource.
    pub(crate) resource: ResourceReads,
}

/// What a condition reads of the resource.
#[derive(Debug, Default)]
pub(crate) struct ResourceReads {
    /// `resource.ATTRIBUTE` and `resource has ATTRIBUTE`
    pub(crate) attributes: BTreeSet<String>,
    /// The segments and resources with which it compares the resource.
    pub(crate) named: BTreeSet<(String, String)>,
    /// `context.approved.contains(resource)`
    pub(crate) approval: bool,
    /// The resource in any other way, so that no two resources are the same to it.
    pub(crate) identity: bool,
}

impl Reads {
    /// What a policy reads that obeys [`crate::rules`].
    pub(crate) fn of(policy: &Template, site: &Site, constants: &mut Constants) -> Self {
        let mut walk = Walk { site, constants, reads: Self::default() };
        for clause in policy.clauses() {
            match clause {
                Clause::When(expr) | Clause::Unless(expr) => walk.expr(expr),
            }
        }
        walk.reads
    }
}

struct Walk<'a> {
    site: &'a Site,
    constants: &'a mut Constants,
    reads: Reads,
}

impl Walk<'_> {
    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Var(Var::Principal) => self.slot(Slot::Principal),
            Expr::Var(Var::Resource) => self.reads.resource.identity = true,
            Expr::GetAttr { .. } => self.attribute(expr),
            Expr::HasAttr { expr, attrs } => self.has(expr, &attrs.head),
            Expr::BinaryOp { op, left, right } => self.binary(*op, left, right),
            Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } => self.expr(expr),
            Expr::Is { expr, in_expr, .. } => match in_expr {
                Some(ancestor) => self.ancestry(expr, ancestor),
                // There is one type of principals and one of resources.
                None if matches!(**expr, Expr::Var(_)) => {}
                None => self.expr(expr),
            },
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                [cond, then_expr, else_expr].into_iter().for_each(|expr| self.expr(expr));
            }
            Expr::Set(elements) => elements.iter().for_each(|element| self.expr(element)),
            Expr::Record(fields) => fields.values().for_each(|field| self.expr(field)),
            Expr::Literal(_) | Expr::Var(_) | Expr::Slot(_) | Expr::Unknown { .. } | _ => {}
        }
    }

    fn attribute(&mut self, expr: &Expr) {
        match attributes(expr) {
            (Expr::Var(Var::Principal), path) => {
                self.reads.slots.extend(path.first().map(|name| Slot::Attribute((*name).to_owned())));
            }
            (Expr::Var(Var::Resource), path) => {
                self.reads.resource.attributes.extend(path.first().map(|name| (*name).to_owned()));
            }
            (Expr::Var(Var::Context), path) => self.context(&path),
            (root, _) => self.expr(root),
        }
    }

    fn context(&mut self, path: &[&str]) {
        let instants = [Instant::SessionStart, Instant::Login, Instant::SecondFactor];
        match path {
            ["session", "startedAt"] => self.slot(Slot::Instant(Instant::SessionStart)),
            ["session", "authenticatedAt"] => self.slot(Slot::Instant(Instant::Login)),
            ["session", "mfa", "at"] => self.slot(Slot::Instant(Instant::SecondFactor)),
            ["session", "mfa", "present"] => self.slot(Slot::MfaPresent),
            ["session", "acr"] => self.slot(Slot::Acr),
            ["session", "mfa"] => {
                self.reads.slots.extend([Slot::MfaPresent, Slot::Instant(Instant::SecondFactor)]);
            }
            ["session"] => {
                self.reads.slots.extend([Slot::MfaPresent, Slot::Acr]);
                self.reads.slots.extend(instants.map(Slot::Instant));
            }
            ["device", ..] => self.slot(Slot::Device),
            ["posture", fact, field] => self.fact(fact, field),
            _ => {}
        }
    }

    fn fact(&mut self, name: &str, field: &str) {
        let Some((name, _)) = self.site.facts.get_key_value(name) else { return };
        let field = match field {
            "status" => Field::Status,
            "value" => Field::Value,
            "source" => Field::Source,
            "tier" => Field::Tier,
            _ => return,
        };
        let name: FactName = name.clone();
        self.slot(Slot::Fact(name, field));
    }

    fn has(&mut self, expr: &Expr, name: &str) {
        match attributes(expr) {
            (Expr::Var(Var::Principal), path) if path.is_empty() => {
                self.slot(Slot::HasAttribute(name.to_owned()));
            }
            (Expr::Var(Var::Resource), path) if path.is_empty() => {
                self.reads.resource.attributes.insert(name.to_owned());
            }
            // What the context has is the same for all.
            (Expr::Var(Var::Context), _) => {}
            _ => self.expr(expr),
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        match op {
            BinaryOp::Less | BinaryOp::LessEq | BinaryOp::Greater | BinaryOp::GreaterEq => {
                if let Some(found) = threshold((op, left, right), self.site, self.constants) {
                    return self.slot(Slot::Turned(found));
                }
            }
            BinaryOp::In => return self.ancestry(left, right),
            BinaryOp::Contains if self.in_context(left, right) => return,
            BinaryOp::Eq | BinaryOp::NotEq if self.equality(left, right) || self.equality(right, left) => {
                return;
            }
            _ => {}
        }
        self.expr(left);
        self.expr(right);
    }

    /// `context.windows.contains(..)` and `context.approved.contains(resource)`; false if it is neither.
    fn in_context(&mut self, left: &Expr, right: &Expr) -> bool {
        match (context_path(left).as_deref(), right) {
            (Some(["windows"]), Expr::Literal(Literal::String(window))) => {
                self.reads.slots.extend(WindowId::new(window).ok().map(Slot::Window));
                true
            }
            (Some(["approved"]), Expr::Var(Var::Resource)) => {
                self.reads.resource.approval = true;
                true
            }
            _ => false,
        }
    }

    /// `principal == USER`, `resource == RESOURCE`; false if it is neither.
    fn equality(&mut self, left: &Expr, right: &Expr) -> bool {
        match (left, right) {
            (Expr::Var(Var::Principal), Expr::Literal(Literal::EntityUID(named))) => {
                self.slot(Slot::Is(Person::parse(named.eid.as_str()).into_iter().collect()));
                true
            }
            (Expr::Var(Var::Resource), Expr::Literal(Literal::EntityUID(named))) => {
                self.reads.resource.named.insert(key(named));
                true
            }
            _ => false,
        }
    }

    fn ancestry(&mut self, of: &Expr, ancestor: &Expr) {
        let mut named = Vec::new();
        literals(ancestor, &mut named);
        match of {
            Expr::Var(Var::Principal) => {
                // A list is asked as a whole; where conditions choose between entities, each is read.
                let lists = if is_list(ancestor) {
                    vec![named]
                } else {
                    named.into_iter().map(|one| vec![one]).collect()
                };
                self.reads.slots.extend(lists.iter().map(|list| membership(list)));
            }
            Expr::Var(Var::Resource) => self.reads.resource.named.extend(named.into_iter().map(key)),
            _ => self.expr(of),
        }
        self.ancestor(ancestor);
    }

    /// What is named as an ancestor has been noted; anything else in its place is read.
    fn ancestor(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(_) => {}
            Expr::Set(elements) => elements.iter().for_each(|element| self.ancestor(element)),
            _ => self.expr(expr),
        }
    }

    fn slot(&mut self, slot: Slot) {
        self.reads.slots.insert(slot);
    }
}

fn is_list(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(_) => true,
        Expr::Set(elements) => elements.iter().all(|element| matches!(&**element, Expr::Literal(_))),
        _ => false,
    }
}

/// Whether the principal is in, or is, one of these; in Cedar they are of one type.
fn membership(list: &[&EntityUID]) -> Slot {
    let ids = || list.iter().map(|named| named.eid.as_str());
    if list.iter().any(|named| named.ty.to_string() == "Zt::Group") {
        Slot::Member(ids().filter_map(|id| GroupId::new(id).ok()).collect())
    } else {
        Slot::Is(ids().filter_map(Person::parse).collect())
    }
}

/// The type and the id of an entity.
pub(crate) fn key(named: &EntityUID) -> (String, String) {
    (named.ty.to_string(), named.eid.to_string())
}

/// Every entity that is named anywhere in `expr`.
fn literals<'a>(expr: &'a Expr, found: &mut Vec<&'a EntityUID>) {
    match expr {
        Expr::Literal(Literal::EntityUID(named)) => found.push(named),
        Expr::Set(elements) => elements.iter().for_each(|element| literals(element, found)),
        Expr::IfThenElse { then_expr, else_expr, .. } => {
            literals(then_expr, found);
            literals(else_expr, found);
        }
        _ => {}
    }
}
