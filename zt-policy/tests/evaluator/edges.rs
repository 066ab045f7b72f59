//! Cedar's semantics at the edges, case by case: true, false or failed must be what Cedar says, and what stands here.

use std::str::FromStr as _;

use cedar_policy::{Context, Entities, EvalResult, Expression, PolicySet, Request, eval_expression};
use zt_policy::{Answer, Evaluator};

use crate::compare::{check, expected};

const TRUE: Option<bool> = Some(true);
const FALSE: Option<bool> = Some(false);
const FAILS: Option<bool> = None;

const CASES: &[(&str, Option<bool>)] = &[
    // Addresses: host bits are kept for `==` and dropped for `isInRange`; the two versions never meet.
    (r#"ip("10.0.0.1") == ip("10.0.0.1/32")"#, TRUE),
    (r#"ip("10.0.0.1/24") == ip("10.0.0.0/24")"#, FALSE),
    (r#"ip("10.0.0.1/24").isInRange(ip("10.0.0.9/24"))"#, TRUE),
    (r#"ip("10.0.0.0/23").isInRange(ip("10.0.0.0/24"))"#, FALSE),
    (r#"ip("10.0.0.0/24").isInRange(ip("0.0.0.0/0"))"#, TRUE),
    (r#"ip("0.0.0.0/0").isInRange(ip("0.0.0.0/0"))"#, TRUE),
    (r#"ip("::ffff:a00:1").isInRange(ip("10.0.0.0/8"))"#, FALSE),
    (r#"ip("10.0.0.1").isInRange(ip("::/0"))"#, FALSE),
    (r#"ip("2001:db8::1").isInRange(ip("2001:db8::/32"))"#, TRUE),
    (r#"ip("::1").isLoopback() && ip("127.1.2.3").isLoopback()"#, TRUE),
    (r#"ip("127.0.0.1/7").isLoopback() || ip("::1/127").isLoopback()"#, FALSE),
    (r#"ip("224.0.0.0/4").isMulticast() && ip("ff00::/8").isMulticast()"#, TRUE),
    (r#"ip("224.0.0.0/3").isMulticast() || ip("ff00::/7").isMulticast()"#, FALSE),
    (r#"ip("::ffff:a00:1").isIpv6() && !ip("::ffff:a00:1").isIpv4()"#, TRUE),
    (r#"ip("::ffff:10.0.0.1").isIpv6()"#, FAILS),
    (r#"ip("010.0.0.1").isIpv4()"#, FAILS),
    (r#"ip("10.0.0.1/08").isIpv4()"#, FAILS),
    (r#"ip("10.0.0.1/33").isIpv4()"#, FAILS),
    (r#"ip("10.0.0.1/").isIpv4()"#, FAILS),
    (r#"ip("10.0.0.1/+8").isIpv4()"#, FAILS),
    (r#"ip("fe80::1%eth0").isIpv6()"#, FAILS),
    (r#"ip("").isIpv6()"#, FAILS),
    (r#""10.0.0.1".isIpv4()"#, FAILS),
    // Decimals: four places, no operators.
    (r#"decimal("1.5") == decimal("1.5000")"#, TRUE),
    (r#"decimal("-0.5").lessThan(decimal("0.0"))"#, TRUE),
    (r#"decimal("-0.0") == decimal("0.0")"#, TRUE),
    (r#"decimal("922337203685477.5807").greaterThan(decimal("-922337203685477.5808"))"#, TRUE),
    (r#"decimal("922337203685477.5808") == decimal("0.0")"#, FAILS),
    (r#"decimal("1.23456") == decimal("0.0")"#, FAILS),
    (r#"decimal("1.") == decimal("0.0")"#, FAILS),
    (r#"decimal(".5") == decimal("0.0")"#, FAILS),
    (r#"decimal("+1.5") == decimal("0.0")"#, FAILS),
    (r#"decimal("٣.5") == decimal("0.0")"#, FAILS),
    (r#"decimal("1.5") < decimal("2.5")"#, FAILS),
    (r#"decimal("1.5") == 1"#, FALSE),
    // Instants and spans.
    (r#"datetime("2024-02-29") == datetime("2024-02-29T00:00:00Z")"#, TRUE),
    (r#"datetime("2024-02-29T12:00:00+0200") == datetime("2024-02-29T10:00:00Z")"#, TRUE),
    (r#"datetime("0000-01-01") < datetime("9999-12-31T23:59:59.999-2359")"#, TRUE),
    (r#"datetime("2023-02-29") == datetime("2024-01-01")"#, FAILS),
    (r#"datetime("1900-02-29") == datetime("2024-01-01")"#, FAILS),
    (r#"datetime("2000-02-29").toTime() == duration("0ms")"#, TRUE),
    (r#"datetime("2024-01-01T24:00:00Z") == datetime("2024-01-01")"#, FAILS),
    (r#"datetime("2024-01-01T23:59:60Z") == datetime("2024-01-01")"#, FAILS),
    (r#"datetime("2024-01-01T00:00:00+2400") == datetime("2024-01-01")"#, FAILS),
    (r#"datetime("2024-01-01T00:00:00") == datetime("2024-01-01")"#, FAILS),
    (r#"datetime("2024-01-01T00:00:00.1Z") == datetime("2024-01-01")"#, FAILS),
    (r#"datetime("2024-01-01T00:00:00z") == datetime("2024-01-01")"#, FAILS),
    (r#"datetime("2024-1-01") == datetime("2024-01-01")"#, FAILS),
    (r#"datetime("+024-01-01") == datetime("2024-01-01")"#, FAILS),
    (r#"datetime("1969-12-31T23:59:59.999Z").toDate() == datetime("1969-12-31")"#, TRUE),
    (r#"datetime("1969-12-31T23:59:59.999Z").toTime() == duration("23h59m59s999ms")"#, TRUE),
    (r#"datetime("1969-12-31").toTime() == duration("0ms")"#, TRUE),
    (
        r#"datetime("1970-01-01").offset(duration("-9223372036854775808ms")).toDate() == datetime("1970-01-01")"#,
        FAILS,
    ),
    (r#"datetime("1970-01-01").offset(duration("9223372036854775807ms")) > datetime("1970-01-01")"#, TRUE),
    (r#"datetime("1970-01-02").offset(duration("9223372036854775807ms")) > datetime("1970-01-01")"#, FAILS),
    (
        r#"datetime("1969-01-01").durationSince(datetime("1970-01-01").offset(duration("9223372036854775807ms"))) < duration("0ms")"#,
        FAILS,
    ),
    (r#"duration("-1d2h3m4s5ms").toMilliseconds() == -93784005"#, TRUE),
    (r#"duration("-1ms").toSeconds() == 0 && duration("-36h").toDays() == -1"#, TRUE),
    (r#"duration("60m") == duration("1h") && duration("0d0h") == duration("0ms")"#, TRUE),
    (r#"duration("-9223372036854775808ms").toMilliseconds() == -9223372036854775808"#, TRUE),
    (r#"duration("9223372036854775808ms") == duration("0ms")"#, FAILS),
    (r#"duration("106751991168d") == duration("0ms")"#, FAILS),
    (r#"duration("-106751991167d7h12m55s808ms") < duration("0ms")"#, TRUE),
    (r#"duration("1h1d") == duration("0ms")"#, FAILS),
    (r#"duration("1h2h") == duration("0ms")"#, FAILS),
    (r#"duration("5") == duration("0ms")"#, FAILS),
    (r#"duration("-") == duration("0ms")"#, FAILS),
    (r#"duration("") == duration("0ms")"#, FAILS),
    (r#"duration("--1h") == duration("0ms")"#, FAILS),
    (r#"duration("1H") == duration("0ms")"#, FAILS),
    (r#"duration("1h") < datetime("2024-01-01")"#, FAILS),
    (r#"duration("1h") < 5"#, FAILS),
    // Constructors take any text, not only constants.
    (r#"ip(context.ip).isInRange(ip("10.0.0.0/8"))"#, TRUE),
    (r#"[ip(context.ip)].contains(ip("10.0.0.7/32"))"#, TRUE),
    (r#"datetime(context.text) == datetime("2024-01-01")"#, FAILS),
    (r#"ip(1).isIpv4()"#, FAILS),
    // Numbers.
    ("-9223372036854775808 == -9223372036854775807 - 1", TRUE),
    ("-(-9223372036854775807 - 1) == 0", FAILS),
    ("9223372036854775807 + 1 == 0", FAILS),
    ("-9223372036854775808 - 1 == 0", FAILS),
    ("9223372036854775807 * 2 == 0", FAILS),
    (r#"1 + "a" == 1"#, FAILS),
    (r#""a" < "b""#, FAILS),
    // What comes after the end of a chain is not evaluated; what comes before must be of the right type.
    ("true || context.missing", TRUE),
    ("false && context.missing", FALSE),
    ("true && 1", FAILS),
    ("1 && true", FAILS),
    ("false || 1", FAILS),
    ("(true || 1) && !(false && 1)", TRUE),
    ("if true then true else context.missing", TRUE),
    ("if 1 then true else true", FAILS),
    ("if false then context.missing else 1 == 2", FALSE),
    ("!1", FAILS),
    ("context", FAILS),
    ("5", FAILS),
    // Equality is across all types, and never fails by itself.
    (r#"1 == "1""#, FALSE),
    (r#"[] == {}"#, FALSE),
    (r#"[1, 2, 2] == [2, 1]"#, TRUE),
    ("[[1, 2], [3]] == [[3], [2, 1], [3]]", TRUE),
    ("[[]] == []", FALSE),
    ("{} == {}", TRUE),
    (r#"{"a": 1, "b": [1]} == {"b": [1, 1], "a": 1}"#, TRUE),
    (r#"{"a": 1} == {"a": 1, "b": 1}"#, FALSE),
    (r#"{"a": {"b": {"c": [1]}}} == {"a": {"b": {"c": [1]}}}"#, TRUE),
    (r#"{"a": 1 + 1} == {"a": 2}"#, TRUE),
    (r#"[principal, resource] == [resource, principal, principal]"#, TRUE),
    (r#"context.numbers == [3, 2, 1] && context.nested == {"a": {"b": [1]}}"#, TRUE),
    (r#"context == context && {"a": context} == {"a": context}"#, TRUE),
    (r#"context.missing == context.missing"#, FAILS),
    // Sets.
    ("[].isEmpty() && ![1].isEmpty()", TRUE),
    ("{}.isEmpty()", FAILS),
    ("[1, 2].containsAll([]) && ![].containsAny([1])", TRUE),
    ("[1, 2].containsAll([2, 1, 2]) && [1, 2].containsAny([3, 2])", TRUE),
    (r#"[1, "1"].contains("1") && ![1].contains("1")"#, TRUE),
    ("[[1], [2]].contains([2])", TRUE),
    ("[1, 1 + 1].contains(2) && [principal].contains(principal)", TRUE),
    (r#"[1, context.missing].contains(1)"#, FAILS),
    ("[1].containsAll(1)", FAILS),
    ("(1).contains(1)", FAILS),
    (r#"[{"a": 1}, {"a": 2}].contains({"a": 2})"#, TRUE),
    // Attributes and `has`.
    ("context has nested.a.b && context.nested.a has b", TRUE),
    ("context has nested.x.y", FALSE),
    ("context has text.y", FAILS),
    ("context has text && context.text has y", FAILS),
    (r#"context has "two words""#, FALSE),
    (r#"User::"absent" has x"#, FALSE),
    (r#"User::"absent".x == 1"#, FAILS),
    ("principal.name == \"alice\" && principal has name && !(principal has nick)", TRUE),
    ("principal.nick == \"al\"", FAILS),
    ("principal.friend.name == \"bob\" && principal has friend.name", TRUE),
    (r#"{"a": {"b": 7}}.a.b == 7 && {"a": 1} has a"#, TRUE),
    ("(1) has a", FAILS),
    ("[1] has a", FAILS),
    // Tags.
    (r#"principal.hasTag("team") && principal.getTag("team") == "red""#, TRUE),
    (r#"principal.hasTag("name")"#, FALSE),
    (r#"principal.getTag("name") == "alice""#, FAILS),
    (r#"User::"absent".hasTag("team")"#, FALSE),
    (r#"User::"absent".getTag("team") == "red""#, FAILS),
    (r#"principal.hasTag(1)"#, FAILS),
    (r#"context.hasTag("team")"#, FAILS),
    (r#"principal.hasTag(context.tag) && principal.getTag(context.tag) == "red""#, TRUE),
    // Hierarchy: one that is not there has no ancestors, but is in itself.
    (r#"principal in Group::"staff" && principal in Group::"all""#, TRUE),
    (r#"principal in [Group::"x", Group::"all"]"#, TRUE),
    (r#"principal in []"#, FALSE),
    (r#"principal in [Group::"all", 1]"#, FAILS),
    (r#"principal in 1"#, FAILS),
    (r#"1 in principal"#, FAILS),
    (r#"User::"absent" in User::"absent" && !(User::"absent" in Group::"all")"#, TRUE),
    (r#"principal in principal && !(Group::"all" in principal)"#, TRUE),
    ("principal is User && !(principal is Group)", TRUE),
    (r#"principal is User in Group::"all""#, TRUE),
    ("principal is Group in context.missing", FALSE),
    ("principal is User in context.missing", FAILS),
    ("1 is User", FAILS),
    (r#"User::"a" == Group::"a""#, FALSE),
    (r#"User::"a\u{301}" == User::"á""#, FALSE),
    // Patterns.
    (r#""" like "" && "" like "*" && !("a" like "")"#, TRUE),
    (r#""ab*c" like "a*\*c" && "ab*c" like "ab\*c""#, TRUE),
    (r#""abbc" like "a\*c""#, FALSE),
    (r#""aXbXc" like "a*b*c" && "mississippi" like "m*iss*ip*i""#, TRUE),
    (r#""mississippi" like "m*issip*iss*""#, FALSE),
    (r#""straße" like "*ß?" || "straße" like "stra*e""#, TRUE),
    (r#""aab" like "a*b*b""#, FALSE),
    (r#"1 like "1""#, FAILS),
    (r#"context.text like "*world""#, TRUE),
    (r#""a\0b" like "a\0*""#, TRUE),
    // Deep enough for a stack of its own, and for a chain not to count.
    ("!!!!!true || false", FAILS),
];

#[test]
fn edges() {
    let entities = Entities::from_json_str(
        r#"[
            {"uid": {"type": "User", "id": "alice"}, "tags": {"team": "red"},
             "attrs": {"name": "alice", "friend": {"__entity": {"type": "User", "id": "bob"}}},
             "parents": [{"type": "Group", "id": "staff"}]},
            {"uid": {"type": "User", "id": "bob"}, "attrs": {"name": "bob"}, "parents": []},
            {"uid": {"type": "Group", "id": "staff"}, "attrs": {}, "parents": [{"type": "Group", "id": "all"}]}
        ]"#,
        None,
    );
    let entities = entities.unwrap();
    let context = r#"{"ip": "10.0.0.7", "text": "hello world", "tag": "team", "numbers": [1, 2, 3, 2],
        "nested": {"a": {"b": [1]}}, "at": {"__extn": {"fn": "datetime", "arg": "2024-01-01"}}}"#;
    let context = Context::from_json_str(context, None).unwrap();
    let uid = |text: &str| text.parse().unwrap();
    let request =
        Request::new(uid("User::\"alice\""), uid("Action::\"view\""), uid("Photo::\"beach\""), context, None);
    let request = request.unwrap();
    let mut answer = Answer::new();
    for (expression, wanted) in CASES {
        let Ok(parsed) = Expression::from_str(expression) else {
            assert_eq!(*wanted, FAILS, "{expression} does not parse");
            continue;
        };
        let cedar = match eval_expression(&request, &entities, &parsed) {
            Ok(EvalResult::Bool(value)) => Some(value),
            Ok(_) | Err(_) => FAILS,
        };
        assert_eq!(cedar, *wanted, "what Cedar says of {expression}");
        let policies = format!("permit (principal, action, resource) when {{ {expression} }};");
        let policies = PolicySet::from_str(&policies).unwrap();
        let evaluator = Evaluator::new(policies.clone()).unwrap();
        assert_eq!(evaluator.unlowered().count(), 0, "{expression}");
        let store = evaluator.store(entities.clone()).unwrap();
        let prepared = store.prepare(request.clone()).unwrap();
        check(&evaluator, &prepared, &expected(&policies, &entities, &request), &mut answer)
            .unwrap_or_else(|difference| panic!("{expression}: {difference}"));
        assert!(answer.is_lowered());
        assert_eq!(answer.errors().is_empty(), wanted.is_some(), "{expression}");
        assert_eq!(!answer.reason().is_empty(), *wanted == TRUE, "{expression}");
    }
}
