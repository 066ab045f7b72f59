//! What is decided again after a change: exactly where some policy that applies reads a value that is now another one.
//!
//! What policies read is traced here by a naive interpreter, which goes through all policies for each resource, without
//! an index, and has Cedar evaluate whatever it comes across. It evaluates every operand, also those that the ones
//! before them leave out.

#![expect(clippy::wildcard_enum_match_arm, reason = "what is read on its own is told from what is walked")]

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;

use cedar_policy::pst::{
    self, BinaryOp, Clause, EntityOrSlot, Expr, PrincipalConstraint, ResourceConstraint, Var,
};
use cedar_policy::{Entities, Expression, Policy, Request, eval_expression};
use proptest::prelude::*;
use zt_core::decide::{ClassId, Decide as _, Effect, View};

use crate::differential::{Facts, facts, policy, request, source};
use crate::world::{World, that_load};

/// What was read, as it stands in the policy, with the value that it had.
type Trace = BTreeMap<String, String>;

struct Interpreter<'a> {
    request: &'a Request,
    entities: &'a Entities,
    trace: Trace,
}

impl Interpreter<'_> {
    fn policy(&mut self, text: &str) {
        let policy = Policy::parse(None, text).expect("a policy");
        let pst::Policy::Static(policy) = policy.to_pst().expect("a tree") else { panic!("a template") };
        let policy = policy.body();
        let resource = match &policy.resource {
            ResourceConstraint::Any | ResourceConstraint::Is(_) => "true".to_owned(),
            ResourceConstraint::Eq(named) => format!("resource == {}", entity(named)),
            ResourceConstraint::In(named) | ResourceConstraint::IsIn(_, named) => {
                format!("resource in {}", entity(named))
            }
        };
        if self.value(&resource) != "Ok(Bool(true))" {
            return;
        }
        let principal = match &policy.principal {
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => "true".to_owned(),
            PrincipalConstraint::Eq(named) => format!("principal == {}", entity(named)),
            PrincipalConstraint::In(named) | PrincipalConstraint::IsIn(_, named) => {
                format!("principal in {}", entity(named))
            }
        };
        self.read(principal.clone());
        if self.value(&principal) != "Ok(Bool(true))" {
            return;
        }
        for clause in policy.clauses() {
            match clause {
                Clause::When(expr) | Clause::Unless(expr) => self.expr(expr),
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::GetAttr { .. } | Expr::HasAttr { .. } => self.read(expr.to_string()),
            Expr::BinaryOp { op: BinaryOp::In | BinaryOp::Contains, left, .. }
                if !matches!(**left, Expr::Set(_)) =>
            {
                self.read(expr.to_string());
            }
            Expr::BinaryOp { op: BinaryOp::Eq, left, .. } if matches!(**left, Expr::Var(Var::Principal)) => {
                self.read(expr.to_string());
            }
            // The time is read by how the comparison comes out.
            Expr::BinaryOp { op: BinaryOp::Less | BinaryOp::LessEq, .. }
                if expr.to_string().contains("context.now") || expr.to_string().contains(".age") =>
            {
                self.read(expr.to_string());
            }
            Expr::BinaryOp { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            Expr::UnaryOp { expr, .. } | Expr::Like { expr, .. } | Expr::Is { expr, .. } => self.expr(expr),
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                [cond, then_expr, else_expr].into_iter().for_each(|expr| self.expr(expr));
            }
            Expr::Set(elements) => elements.iter().for_each(|expr| self.expr(expr)),
            _ => {}
        }
    }

    fn read(&mut self, text: String) {
        let value = self.value(&text);
        self.trace.insert(text, value);
    }

    fn value(&self, text: &str) -> String {
        let expression = Expression::from_str(text).expect("an expression");
        let value = eval_expression(self.request, self.entities, &expression);
        // What an error says may name values that nobody reads.
        value.map_or_else(|_| "failed".to_owned(), |value| format!("Ok({value:?})"))
    }
}

fn entity(named: &EntityOrSlot) -> String {
    match named {
        EntityOrSlot::Entity(named) => named.to_string(),
        EntityOrSlot::Slot(_) => panic!("a slot"),
    }
}

/// What each policy reads for a resource.
fn traces(texts: &[&str], facts: &Facts, resource: &str) -> Vec<Trace> {
    let (request, entities) = (request(facts, resource), facts.entities());
    let trace = |text: &&str| {
        let mut interpreter = Interpreter { request: &request, entities: &entities, trace: Trace::new() };
        interpreter.policy(text);
        interpreter.trace
    };
    texts.iter().map(trace).collect()
}

/// The classes, each with one resource in it.
fn classes(world: &World) -> Vec<(ClassId, String)> {
    let name = |index| world.site.resource(index).expect("a resource").id.to_string();
    world.engine.classes().iter().map(|(class, members)| (class, name(members[0]))).collect()
}

fn view(world: &World) -> View {
    let mut view = View::new();
    let _ = world.engine.view(&world.facts(), &mut view);
    view
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn inv_p7_what_is_decided_again_is_what_reads_something_that_changed(
        texts in prop::collection::vec(policy(), 1..6),
        before in facts(),
        other in facts(),
        mixed in prop::collection::vec(any::<bool>(), 10),
    ) {
        let texts = that_load(&texts, source);
        prop_assume!(!texts.is_empty());
        let after = before.mixed_with(&other, &mixed);
        let (mut was, mut is) = (World::with(&source(&texts)), World::with(&source(&texts)));
        before.put_into(&mut was);
        after.put_into(&mut is);
        let mut affected = Vec::new();
        was.engine.affected(&view(&was), &view(&is), &mut affected);
        prop_assert!(affected.is_sorted(), "{:?}", affected);
        let affected: BTreeSet<_> = affected.into_iter().collect();
        let mut read_differently = BTreeSet::new();
        for (class, resource) in classes(&was) {
            if traces(&texts, &before, &resource) != traces(&texts, &after, &resource) {
                read_differently.insert(class);
            }
        }
        prop_assert_eq!(&affected, &read_differently);
        prop_assert_eq!(view(&was) == view(&is), affected.is_empty(), "a view changes just when something does");
        for (class, _) in classes(&was).into_iter().filter(|(class, _)| !affected.contains(class)) {
            let (was, is) = (was.ask_class(class), is.ask_class(class));
            prop_assert_eq!((was.effect, was.because), (is.effect, is.because));
        }
    }

    /// Sessions with equal views get equal decisions, and what time alone changes comes when it was said to.
    #[test]
    fn inv_p7_a_view_says_all_that_decisions_depend_on(
        texts in prop::collection::vec(policy(), 1..6),
        facts in facts(),
        minutes in 0..400_i64,
    ) {
        let texts = that_load(&texts, source);
        prop_assume!(!texts.is_empty());
        let mut world = World::with(&source(&texts));
        facts.put_into(&mut world);
        let mut now = View::new();
        let valid = world.engine.view(&world.facts(), &mut now);
        let answers = |world: &World| {
            let answer = |(class, _)| { let answer = world.ask_class(class); (answer.effect, answer.because) };
            classes(world).into_iter().map(answer).collect::<Vec<(Effect, Vec<String>)>>()
        };
        let at_first = answers(&world);
        world.now = zt_core::time::Timestamp::from_millis(world.now.as_millis() + minutes * 60_000);
        let turned = match valid {
            zt_core::decide::Validity::Unlimited => false,
            zt_core::decide::Validity::Until(at) => at <= world.now,
        };
        if !turned {
            prop_assert_eq!(&view(&world), &now, "nothing was to turn by then");
        }
        if view(&world) == now {
            prop_assert_eq!(answers(&world), at_first);
        }
    }
}
