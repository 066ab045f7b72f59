use proptest::prelude::*;

use super::*;

fn words(text: &str) -> Vec<&str> {
    lex(text)
        .map(|placed| placed.expect("a token"))
        .map(|placed| text.get(placed.start..placed.end).expect("whole characters"))
        .collect()
}

#[test]
fn strings_and_comments_hide_what_is_in_them() {
    assert_eq!(words(r#"a "b; } // \" )" c"#), ["a", r#""b; } // \" )""#, "c"]);
    assert_eq!(words("a // \" ( \n b"), ["a", "b"]);
    assert_eq!(words("a // \" ( \r b"), ["a", "b"], "Cedar ends a comment at a carriage return too");
    assert_eq!(words(r#""\\" b "\"" c"#), [r#""\\""#, "b", r#""\"""#, "c"]);
    assert_eq!(words("a / / b"), ["a", "/", "/", "b"]);
    assert_eq!(words("a && b || c & d"), ["a", "&&", "b", "||", "c", "&", "d"]);
    assert_eq!(words("1if _x9 ünder"), ["1", "if", "_x9", "ü", "nder"]);
}

#[test]
fn a_string_that_does_not_end_is_an_error_on_its_line() {
    for text in ["\n\"abc", "\n\"abc\\\"", "\n\"a\\\nb\"", "\n\"abc\\"] {
        assert_eq!(lex(text).find(Result::is_err), Some(Err(UnclosedString { line: 2 })), "{text:?}");
    }
}

/// The bytes of `text` that a reader sees: strings and comments are blanked out. Byte by byte, in one state machine.
fn visible(text: &str) -> Option<String> {
    #[derive(PartialEq)]
    enum State {
        Code,
        Comment,
        Text,
        Escape,
    }
    let mut state = State::Code;
    let mut seen = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (&state, c) {
            (State::Code, '/') if chars.peek() == Some(&'/') => state = State::Comment,
            (State::Code, '"') => state = State::Text,
            (State::Code, c) if !c.is_whitespace() => seen.push(c),
            (State::Comment, '\n' | '\r') | (State::Text, '"') => state = State::Code,
            (State::Text, '\\') => state = State::Escape,
            (State::Escape, '\n') => return None,
            (State::Escape, _) => state = State::Text,
            _ => {}
        }
    }
    (state == State::Code || state == State::Comment).then_some(seen)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn agrees_with_a_naive_lexer(text in r#"([ab1_.&|(){}\[\]/"\\;\n\r é]|//|&&|"a"){0,40}"#) {
        let tokens: Result<Vec<_>, _> = lex(&text).collect();
        let seen = tokens.ok().map(|tokens| {
            let shown = tokens.iter().filter(|placed| placed.token != Token::Text);
            shown.map(|placed| text.get(placed.start..placed.end).expect("whole characters")).collect::<String>()
        });
        prop_assert_eq!(seen, visible(&text));
    }

    #[test]
    fn never_panics(text in any::<String>()) {
        let mut end = 0;
        for placed in lex(&text).map_while(Result::ok) {
            prop_assert!(end <= placed.start && placed.start < placed.end && placed.end <= text.len());
            end = placed.end;
        }
    }
}
