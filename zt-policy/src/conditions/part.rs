//! The parts of conditions, and which of them are the same.

use std::collections::HashMap;

use crate::evaluator::{Node, Program, Symbols, Uid, Value, Variable};

/// A part of a condition; all of them have to hold, in order. Parts of one number are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Does not read the resource.
    Session(usize),
    /// Reads the resource only.
    Resource(usize),
    /// Reads both.
    Both,
}

/// Numbers parts.
pub(super) struct Numbers<'p> {
    symbols: &'p Symbols,
    session: Numbering<'p>,
    resource: Numbering<'p>,
}

#[derive(Default)]
struct Numbering<'p> {
    known: HashMap<&'p Node, usize>,
    count: usize,
}

impl<'p> Numbers<'p> {
    pub(super) fn new(symbols: &'p Symbols) -> Self {
        Self { symbols, session: Numbering::default(), resource: Numbering::default() }
    }

    /// How many parts read the resource only.
    pub(super) const fn resource_parts(&self) -> usize {
        self.resource.count
    }

    pub(super) fn part(&mut self, program: &'p Program, part: &'p Node) -> Part {
        let is_resource = |node: &Node| matches!(node, Node::Variable(Variable::Resource));
        // The person of a session is no entity of the site.
        let is_person = |value: &Value| matches!(value, Value::Entity(uid) if self.is_user(*uid));
        let is_session = |node: &Node| {
            matches!(node, Node::Variable(_)) && !is_resource(node)
                || matches!(node, Node::Constant(value) if is_person(value))
        };
        // Equal constants may lie in different places of different policies.
        let is_pooled =
            |node: &Node| matches!(node, Node::Constant(Value::Ip(_) | Value::Set(_) | Value::Record(_)));
        let key = (!part.has(&is_pooled)).then_some(part);
        if !part.has(&is_resource) {
            return Part::Session(self.session.number(key));
        }
        let pooled = &program.constants;
        let mut pooled = pooled.elements.iter().chain(pooled.fields.iter().map(|field| &field.value));
        if part.has(&is_session) || pooled.any(is_person) {
            return Part::Both;
        }
        Part::Resource(self.resource.number(key))
    }

    fn is_user(&self, uid: Uid) -> bool {
        let ty = self.symbols.parts(uid).and_then(|(ty, _)| self.symbols.text_of(ty));
        ty.is_none_or(|ty| ty == "Zt::User")
    }
}

impl<'p> Numbering<'p> {
    /// The number of a part; a new one if it cannot be compared.
    fn number(&mut self, part: Option<&'p Node>) -> usize {
        let next = self.count;
        let number = part.map_or(next, |part| *self.known.entry(part).or_insert(next));
        self.count = self.count.saturating_add(usize::from(number == next));
        number
    }
}

#[cfg(test)]
mod tests {
    use cedar_policy::pst;

    use super::*;

    /// The parts of policies with these conditions.
    fn parts(conditions: &[&str]) -> Vec<Vec<Part>> {
        let mut symbols = Symbols::default();
        let lower = |condition: &&str| {
            let text = format!("permit (principal, action, resource) when {{ {condition} }};");
            let policy = cedar_policy::Policy::parse(None, text).expect("a policy");
            let Ok(pst::Policy::Static(tree)) = policy.to_pst() else { panic!("a tree") };
            Program::lower(tree.body(), &mut symbols).expect("a program")
        };
        let programs: Vec<_> = conditions.iter().map(lower).collect();
        let mut numbers = Numbers::new(&symbols);
        let mut parts = Vec::new();
        for program in &programs {
            parts.push(program.parts().iter().map(|part| numbers.part(program, part)).collect());
        }
        parts
    }

    #[test]
    fn parts_are_told_by_what_they_read() {
        for (condition, expected) in [
            ("context.session.mfa.present", Part::Session(0)),
            ("principal.level > 3", Part::Session(0)),
            ("resource.level < 3", Part::Resource(0)),
            (r#"resource in [Zt::Segment::"a", Zt::Segment::"b"]"#, Part::Resource(0)),
            ("resource.level < context.level", Part::Both),
            ("resource.owner == principal", Part::Both),
            // Who asks may be just this person, of whom the site knows nothing.
            (r#"Zt::User::"x".level > 3"#, Part::Session(0)),
            (r#"resource.open || Zt::User::"x".level > 3"#, Part::Both),
            (r#"resource in [Zt::User::"x", Zt::Segment::"a"]"#, Part::Both),
        ] {
            assert_eq!(parts(&[condition]), [[expected]], "{condition}");
        }
    }

    #[test]
    fn equal_parts_have_one_number_and_others_do_not() {
        let parts = parts(&[
            r#"context.a == 1 && context.b == ip("10.0.0.1") && resource.c"#,
            "context.a == 1 && resource.c",
            r#"context.a == 2 && context.b == ip("10.0.0.2") && resource.d"#,
        ]);
        let (session, resource) = (Part::Session, Part::Resource);
        assert_eq!(parts[0], [session(0), session(1), resource(0)]);
        assert_eq!(parts[1], [session(0), resource(0)]);
        assert_eq!(parts[2], [session(2), session(3), resource(1)]);
    }
}
