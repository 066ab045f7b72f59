//! Limits on the texts of a bundle, checked before Cedar's parser sees them.
//!
//! They are counts, never time or stack in hand, so that every replica accepts the same texts.

use zt_core::decide::PolicyError;
use zt_core::event::PolicySource;

use crate::lex::{Placed, Token, lex};
use crate::problem::at;

/// The most bytes that the files of a bundle may have together.
pub const MAX_BUNDLE_BYTES: usize = 32 * 1024 * 1024;
/// The most policies that a bundle may have.
pub const MAX_POLICIES: usize = 100_000;
/// The most bytes that one policy may have.
pub const MAX_POLICY_BYTES: usize = 16 * 1024;
/// The most brackets that may be open at once.
pub const MAX_DEPTH: usize = 64;
/// The most steps that one policy may have: `if`, `&&`, `||`, `!`, `.`, `[`, `+`, `-`, `*`, `when` and `unless`. Each
/// is a level of the tree that Cedar makes of the policy.
pub const MAX_STEPS: usize = 256;
/// The most bytes that the schema files may have together.
pub const MAX_SCHEMA_BYTES: usize = 64 * 1024;

/// One policy's text, within the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Statement<'a> {
    /// From its first token to its semicolon.
    pub(crate) text: &'a str,
    /// The line on which it begins, from 1.
    pub(crate) line: usize,
}

/// Checks the sizes of `source`, and the depth of its schema files.
pub(crate) fn check(source: &PolicySource) -> Result<(), PolicyError> {
    let sum = |mut sizes: std::collections::btree_map::Values<'_, String, String>| {
        sizes.try_fold(0_usize, |sum, text| sum.checked_add(text.len())).unwrap_or(usize::MAX)
    };
    let (policies, schema) = (sum(source.policies.values()), sum(source.schema.values()));
    let bytes = policies.saturating_add(schema);
    if bytes > MAX_BUNDLE_BYTES {
        return Err(at("policy bundle", format!("{bytes} bytes in all, {MAX_BUNDLE_BYTES} is the most")));
    }
    if schema > MAX_SCHEMA_BYTES {
        return Err(at("policy bundle", format!("{schema} bytes of schema, {MAX_SCHEMA_BYTES} is the most")));
    }
    source.schema.iter().try_for_each(|(file, text)| check_schema(file, text))
}

/// Splits the text of a policy file at its semicolons, and checks each policy against the limits.
pub(crate) fn statements<'a>(file: &str, text: &'a str) -> Result<Vec<Statement<'a>>, PolicyError> {
    let mut found = Vec::new();
    let mut open = Brackets::default();
    let mut first: Option<Placed<'a>> = None;
    let mut steps = 0_usize;
    for placed in lex(text) {
        let placed = placed.map_err(|error| at(place(file, error.line), "a string that does not end"))?;
        let start = *first.get_or_insert(placed);
        open.take(file, placed)?;
        steps = steps.saturating_add(usize::from(is_step(placed.token)));
        if placed.end.saturating_sub(start.start) > MAX_POLICY_BYTES {
            return Err(at(
                place(file, start.line),
                format!("a policy of more than {MAX_POLICY_BYTES} bytes"),
            ));
        }
        if steps > MAX_STEPS {
            let problem = format!("a policy of more than {MAX_STEPS} operators and attributes; split it");
            return Err(at(place(file, start.line), problem));
        }
        if placed.token == Token::Symbol(';') && open.0.is_empty() {
            let text = text.get(start.start..placed.end).unwrap_or_default();
            found.push(Statement { text, line: start.line });
            (first, steps) = (None, 0);
        }
    }
    match first {
        None => Ok(found),
        Some(start) => {
            Err(at(place(file, start.line), "a policy that does not end: no `;`, or an open bracket"))
        }
    }
}

/// `file:line`.
pub(crate) fn place(file: &str, line: usize) -> String {
    format!("{file}:{line}")
}

/// How deep the text of a policy can be at most: its steps and brackets; `None` if a string does not end.
pub(crate) fn steps(text: &str) -> Option<usize> {
    lex(text).try_fold(0_usize, |steps, placed| {
        let token = placed.ok()?.token;
        let deeper = is_step(token) || matches!(token, Token::Open(_));
        Some(steps.saturating_add(usize::from(deeper)))
    })
}

fn is_step(token: Token<'_>) -> bool {
    match token {
        Token::Junction | Token::Open('[') | Token::Symbol('.' | '!' | '+' | '-' | '*') => true,
        Token::Word(word) => matches!(word, "if" | "when" | "unless"),
        Token::Open(_) | Token::Close(_) | Token::Text | Token::Number | Token::Symbol(_) => false,
    }
}

fn check_schema(file: &str, text: &str) -> Result<(), PolicyError> {
    let mut open = Brackets::default();
    for placed in lex(text) {
        let placed = placed.map_err(|error| at(place(file, error.line), "a string that does not end"))?;
        // `Set<..>` nests in schemas; in policies these are comparisons.
        let token = |token| Placed { token, ..placed };
        if placed.token == Token::Symbol('<') {
            open.take(file, token(Token::Open('<')))?;
        } else if placed.token == Token::Symbol('>') {
            open.take(file, token(Token::Close('>')))?;
        } else {
            open.take(file, placed)?;
        }
    }
    if open.0.is_empty() { Ok(()) } else { Err(at(file, "a bracket that is not closed")) }
}

/// The brackets that are open.
#[derive(Debug, Default)]
struct Brackets(Vec<char>);

impl Brackets {
    fn take(&mut self, file: &str, placed: Placed<'_>) -> Result<(), PolicyError> {
        match placed.token {
            Token::Open(_) if self.0.len() >= MAX_DEPTH => {
                Err(at(place(file, placed.line), format!("more than {MAX_DEPTH} brackets within each other")))
            }
            Token::Open(bracket) => {
                self.0.push(bracket);
                Ok(())
            }
            Token::Close(bracket) if self.0.pop().and_then(closer) == Some(bracket) => Ok(()),
            Token::Close(bracket) => Err(at(place(file, placed.line), format!("`{bracket}` closes nothing"))),
            Token::Text | Token::Word(_) | Token::Number | Token::Junction | Token::Symbol(_) => Ok(()),
        }
    }
}

const fn closer(open: char) -> Option<char> {
    match open {
        '(' => Some(')'),
        '[' => Some(']'),
        '{' => Some('}'),
        '<' => Some('>'),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
