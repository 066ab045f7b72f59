//! What a policy may not say, although Cedar would take it.
//!
//! * Time, but in the four ways of [`crate::time`]: a decision whose end cannot be computed would outlive its reasons.
//! * The context, its posture or a fact as a whole: time would hide in it.
//! * Attributes and ancestors of anything but the session's own principal, resource and context. Only these are in
//!   the entity store, and Cedar takes an entity that is not there for one without ancestors.
//! * Groups, segments, resources and windows that the site does not declare, and a status that no fact has.
//! * In a forbid: arithmetic and `offset`, which can fail, and `has` on the context, which lifts the forbid when a
//!   fact disappears.
//!
//! What it may not make of facts that are not known is in [`crate::unknown`].

use cedar_policy::pst::{
    BinaryOp, Clause, Effect, EntityOrSlot, EntityUID, Expr, Literal, PrincipalConstraint,
    ResourceConstraint, Template, UnaryOp, Var,
};
use zt_core::device::FactStatus;
use zt_core::id::ResourceId;
use zt_core::site::Site;

use crate::constants::Constants;
use crate::person::Person;
use crate::time::{attributes, context_path, threshold};

/// Checks a policy; gives everything that is wrong with it.
pub(crate) fn check(policy: &Template, site: &Site, constants: &mut Constants) -> Result<(), Vec<String>> {
    let mut walk = Walk { forbid: policy.effect == Effect::Forbid, site, constants, problems: Vec::new() };
    for named in scope(policy) {
        walk.name(named);
    }
    for clause in policy.clauses() {
        match clause {
            Clause::When(expr) | Clause::Unless(expr) => walk.expr(expr),
        }
    }
    if walk.problems.is_empty() { Ok(()) } else { Err(walk.problems) }
}

fn scope(policy: &Template) -> impl Iterator<Item = &EntityUID> {
    let principal = match &policy.principal {
        PrincipalConstraint::Eq(named) | PrincipalConstraint::In(named) => Some(named),
        PrincipalConstraint::IsIn(_, named) => Some(named),
        PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
    };
    let resource = match &policy.resource {
        ResourceConstraint::Eq(named) | ResourceConstraint::In(named) => Some(named),
        ResourceConstraint::IsIn(_, named) => Some(named),
        ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
    };
    principal.into_iter().chain(resource).filter_map(|named| match named {
        EntityOrSlot::Entity(named) => Some(named),
        EntityOrSlot::Slot(_) => None,
    })
}

struct Walk<'a> {
    forbid: bool,
    site: &'a Site,
    constants: &'a mut Constants,
    problems: Vec<String>,
}

impl Walk<'_> {
    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(Literal::EntityUID(named)) => self.name(named),
            Expr::Literal(_) | Expr::Var(Var::Principal | Var::Action | Var::Resource) => {}
            Expr::Var(Var::Context) => self.refuse("`context` is used as a whole; name what is read"),
            Expr::GetAttr { .. } => self.attribute(expr),
            Expr::HasAttr { expr, .. } => self.has(expr),
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::BinaryOp { op, left, right } => self.binary(*op, left, right),
            Expr::Like { expr, .. } => self.expr(expr),
            Expr::Is { expr, in_expr, .. } => match in_expr {
                None => self.expr(expr),
                Some(ancestor) => self.ancestry(expr, ancestor),
            },
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                [cond, then_expr, else_expr].into_iter().for_each(|expr| self.expr(expr));
            }
            Expr::Set(elements) => elements.iter().for_each(|element| self.expr(element)),
            Expr::Record(fields) => fields.values().for_each(|field| self.expr(field)),
            Expr::Slot(_) | Expr::Unknown { .. } | _ => {
                self.refuse("an expression that this version does not know")
            }
        }
    }

    fn attribute(&mut self, expr: &Expr) {
        let (root, path) = attributes(expr);
        match (root, path.as_slice()) {
            (Expr::Var(Var::Context), ["now"]) => self.refuse(
                "`context.now` cannot be scheduled like this; compare `context.now.durationSince(..)` of an \
                 instant of the session with a `duration`, or `context.now` with a `datetime` or such an instant",
            ),
            (Expr::Var(Var::Context), ["posture", fact, "age"]) => self.refuse(format!(
                "`context.posture.{fact}.age` cannot be scheduled like this; compare it with a `duration`"
            )),
            (Expr::Var(Var::Context), ["posture"] | ["posture", _]) => {
                self.refuse(format!("`context.{}` is used as a whole; name what is read", path.join(".")));
            }
            (Expr::Var(Var::Context), ["windows"]) => {
                self.refuse("`context.windows` may only be asked `.contains(\"a declared window\")`");
            }
            (Expr::Var(Var::Context), ["approved"]) => {
                self.refuse("`context.approved` may only be asked `.contains(resource)`");
            }
            (Expr::Var(_), _) => {}
            (root, _) => {
                self.refuse("attributes can be read of `principal`, `resource` and `context` only");
                self.expr(root);
            }
        }
    }

    fn has(&mut self, expr: &Expr) {
        let Expr::Var(of) = attributes(expr).0 else {
            return self.refuse("attributes can be asked of `principal`, `resource` and `context` only");
        };
        if *of == Var::Context && self.forbid {
            self.refuse(
                "`has` on the context in a forbid, which would lift when a fact disappears; facts are always \
                 there, so write `unless { context.posture.FACT.status == \"pass\" }`",
            );
        }
    }

    fn unary(&mut self, op: UnaryOp, expr: &Expr) {
        if op == UnaryOp::Neg && self.forbid {
            self.refuse("arithmetic in a forbid, which would not hold if it overflowed");
        }
        self.expr(expr);
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) {
        match op {
            BinaryOp::Less | BinaryOp::LessEq | BinaryOp::Greater | BinaryOp::GreaterEq => {
                if threshold((op, left, right), self.site, self.constants).is_some() {
                    return;
                }
            }
            BinaryOp::Contains if matches!(context_path(left).as_deref(), Some(["windows"])) => {
                return self.window(right);
            }
            BinaryOp::Contains
                if matches!(context_path(left).as_deref(), Some(["approved"]))
                    && matches!(right, Expr::Var(Var::Resource)) =>
            {
                return;
            }
            BinaryOp::In => return self.ancestry(left, right),
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Offset if self.forbid => {
                self.refuse(format!("`{op}` in a forbid, which would not hold if it overflowed"));
            }
            BinaryOp::Eq | BinaryOp::NotEq => {
                self.status_word(left, right);
                self.status_word(right, left);
            }
            BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Contains
            | BinaryOp::ContainsAll
            | BinaryOp::ContainsAny
            | BinaryOp::GetTag
            | BinaryOp::HasTag
            | BinaryOp::IsInRange
            | BinaryOp::Offset
            | BinaryOp::DurationSince
            | BinaryOp::DecimalLessThan
            | BinaryOp::DecimalLessEq
            | BinaryOp::DecimalGreater
            | BinaryOp::DecimalGreaterEq => {}
            _ => self.refuse("an operator that this version does not know"),
        }
        self.expr(left);
        self.expr(right);
    }

    fn status_word(&mut self, status: &Expr, word: &Expr) {
        let (Some(["posture", _, "status"]), Expr::Literal(Literal::String(word))) =
            (context_path(status).as_deref(), word)
        else {
            return;
        };
        let all = [FactStatus::Pass, FactStatus::Fail, FactStatus::Unknown, FactStatus::Unsupported];
        if !all.iter().any(|known| known.as_str() == word.as_str()) {
            let words = all.map(FactStatus::as_str).join(", ");
            self.refuse(format!("no fact has the status `{word}`; there are {words}"));
        }
    }

    fn ancestry(&mut self, of: &Expr, ancestor: &Expr) {
        if !matches!(of, Expr::Var(Var::Principal | Var::Action | Var::Resource)) {
            self.refuse("`in` can be asked of `principal`, `action` and `resource` only");
        }
        self.expr(ancestor);
    }

    fn window(&mut self, name: &Expr) {
        let Expr::Literal(Literal::String(name)) = name else {
            return self.refuse("`context.windows.contains(..)` takes the name of a declared window");
        };
        if !self.site.windows.contains_key(name.as_str()) {
            self.refuse(format!("the site declares no window `{name}`"));
        }
    }

    fn name(&mut self, named: &EntityUID) {
        let id = named.eid.as_str();
        let (what, known) = match named.ty.to_string().as_str() {
            "Zt::Group" => ("group", self.site.groups.contains_key(id)),
            "Zt::Segment" => ("segment", self.site.segments.contains(id)),
            "Zt::Resource" => ("resource", self.has_resource(id)),
            "Zt::User" if Person::parse(id).is_none() => {
                return self.refuse(format!("`{named}` is no one: people are named `issuer|subject`"));
            }
            // Types that the schema does not know are refused by validation.
            _ => return,
        };
        if !known {
            self.refuse(format!("the site declares no {what} `{id}`"));
        }
    }

    fn has_resource(&self, id: &str) -> bool {
        ResourceId::new(id).is_ok_and(|id| self.site.resource_index(&id).is_some())
    }

    fn refuse(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }
}
