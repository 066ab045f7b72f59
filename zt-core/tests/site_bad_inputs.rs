//! Every rule of a site file, broken once: the fault, its line and its words.
//!
//! The line that an error has to name is marked `# here`. Names start with the catalogue's number of the bad input.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    reason = "a test that fails says so by panicking"
)]

use zt_core::event::SiteSource;
use zt_core::id::NameError;
use zt_core::net::PrefixError;
use zt_core::site::{AttributeError, Kind, Malformed, Site, SiteFault, Special, WindowError};

const BASE: &str = r#"
[pools]
v4 = "10.99.0.0/24"
v6 = "fd5a:7a74:9a00:1::/64"

[[segment]]
id = "staging"

[[gateway]]
id = "gw-1"
group = "main"
endpoint = "192.0.2.1:51820"
addresses = ["10.98.0.1", "fd5a:7a74:9a00:2::1"]

[[gateway]]
id = "gw-2"
group = "other"
endpoint = "[2001:db8::2]:51820"
"#;

fn parse(text: &str) -> Result<Site, zt_core::site::SiteError> {
    Site::parse(&SiteSource { file: "site.toml".into(), text: text.into() })
}

/// A resource behind `main`, after the base.
fn resource(addresses: &str) -> String {
    named_resource("one", "main", addresses)
}

fn named_resource(id: &str, gateways: &str, addresses: &str) -> String {
    format!(
        "[[resource]]\nid = '{id}'\ngateways = '{gateways}'\naddresses = {addresses} # here\nservices = ['tcp/443']\n"
    )
}

macro_rules! refused {
    ($($name:ident: $text:expr, $fault:pat, $words:expr;)*) => {$(
        #[test]
        fn $name() {
            let text = format!("{BASE}{}", $text);
            let error = parse(&text).unwrap_err();
            let marked: Vec<_> =
                text.lines().zip(1..).filter(|(line, _)| line.contains("# here")).map(|(_, n)| n).collect();
            assert!(matches!(error.fault(), $fault), "{error} is {:?}", error.fault());
            assert!(marked.contains(&error.line()), "{error}, expected at {marked:?}");
            assert!(error.to_string().contains($words), "`{error}` lacks `{}`", $words);
            assert!(error.to_string().starts_with(&format!("site.toml:{}: ", error.line())), "{error}");
        }
    )*};
}

#[test]
fn the_base_of_all_rows_is_valid() {
    parse(BASE).unwrap();
    parse(&format!("{BASE}{}", resource("['10.0.0.0/24', '2001:db8:1::/48', '198.51.100.7']"))).unwrap();
}

refused! {
    // What is no site file at all.
    b17_a_text_that_is_not_toml: "[[resource]]\nid = staging # here", SiteFault::Malformed(Malformed::Syntax { .. }), "id = staging";
    a_duplicate_field: "[[segment]]\nid = 'a'\nid = 'b' # here", SiteFault::Malformed(Malformed::Syntax { .. }), "duplicate key";
    an_unknown_table: "[nonsense] # here", SiteFault::Malformed(Malformed::UnknownField(_)), "unknown field `nonsense`";
    an_unknown_field: "[[segment]]\nid = 'a'\nprobe = 1 # here", SiteFault::Malformed(Malformed::UnknownField(_)), "unknown field `probe`";
    an_unknown_field_of_a_claim: "[[group]]\nid = 'a'\nclaims = [{ issuer = 'i', valve = 'v', value = 'v' }] # here", SiteFault::Malformed(Malformed::UnknownField(_)), "unknown field `valve`";
    a_missing_field: "[[gateway]] # here\nid = 'a'", SiteFault::Malformed(Malformed::Shape { .. }), "missing field `group`";
    a_value_of_the_wrong_type: "[[segment]]\nid = 5 # here", SiteFault::Malformed(Malformed::Shape { .. }), "integer `5`";
    b10_lists_nested_without_end: format!("x = {} # here", "[".repeat(100_000)), SiteFault::Malformed(Malformed::Syntax { .. }), "recursion depth";

    // Names.
    an_empty_id: "[[segment]]\nid = '' # here", SiteFault::Name(_, NameError::Empty), "empty name";
    b12_an_id_of_64_kib: format!("[[segment]]\nid = '{}' # here", "a".repeat(65_536)), SiteFault::Name(_, NameError::TooLong(65_536)), "65536 bytes";
    b20_an_id_with_an_escape_sequence: "[[segment]]\nid = \"a\\u001b[2J\" # here", SiteFault::Name(_, NameError::Control(_)), "`a\\u{1b}[2J` is no name";
    an_empty_claim: "[[group]]\nid = 'a' # here\nclaims = [{ issuer = 'i', value = '' }]", SiteFault::Name(_, NameError::Empty), "empty name";
    a_second_group_of_one_id: "[[group]]\nid = 'a'\n[[group]]\nid = 'a' # here", SiteFault::Duplicate { kind: Kind::Group, .. }, "another group `a`";
    a_second_segment_of_one_id: "[[segment]]\nid = 'staging' # here", SiteFault::Duplicate { kind: Kind::Segment, .. }, "another segment `staging`";
    a_second_window_of_one_id: format!("{0}{0}", "[[window]]\nid = 'w' # here\nzone = 'UTC'\ndays = ['mon']\nfrom = '08:00'\nto = '09:00'\n"), SiteFault::Duplicate { kind: Kind::Window, .. }, "another window `w`";
    a_second_fact_of_one_id: format!("{0}{0}", "[[fact]]\nid = 'f' # here\nkind = 'bool'\nmax-age = '1h'\n"), SiteFault::Duplicate { kind: Kind::Fact, .. }, "another fact `f`";
    a_second_gateway_of_one_id: "[[gateway]]\nid = 'gw-1' # here\ngroup = 'main'\nendpoint = '192.0.2.3:51820'", SiteFault::Duplicate { kind: Kind::Gateway, .. }, "another gateway `gw-1`";
    a_second_resource_of_one_id: format!("{}[[resource]]\nid = 'one' # here\ngateways = 'main'\naddresses = ['10.0.1.0/24']\nservices = ['echo']", resource("['10.0.0.0/24']")), SiteFault::Duplicate { kind: Kind::Resource, .. }, "another resource `one`";

    // Approvals.
    approvers_who_are_not_declared: format!("{}approval = {{ by = ['nobody'], count = 1, for = '1h' }} # here", resource("['10.0.0.0/24']").replace("# here", "")), SiteFault::UnknownApprovers(_), "no group `nobody`";
    an_approval_by_nobody: format!("{}approval = {{ by = [], count = 1, for = '1h' }} # here", resource("['10.0.0.0/24']").replace("# here", "")), SiteFault::ApprovalCount { groups: 0, .. }, "1 approvals by 0 groups";
    an_approval_that_takes_no_approver: format!("[[group]]\nid = 'sre'\n{}approval = {{ by = ['sre'], count = 0, for = '1h' }} # here", resource("['10.0.0.0/24']").replace("# here", "")), SiteFault::ApprovalCount { count: 0, .. }, "0 approvals";
    an_approval_for_ever: format!("[[group]]\nid = 'sre'\n{}approval = {{ by = ['sre'], count = 1, for = '99999d' }} # here", resource("['10.0.0.0/24']").replace("# here", "")), SiteFault::SpanOutOfRange(_), "out of range";

    // Prefixes, addresses, services.
    b5_host_bits_are_refused: resource("['10.0.0.1/24']"), SiteFault::Prefix(PrefixError::HostBits { .. }), "`10.0.0.1/24` has host bits set; the prefix would be `10.0.0.0/24`";
    b8_an_ipv4_mapped_prefix_is_refused: resource("['::ffff:10.0.0.1']"), SiteFault::Prefix(PrefixError::Mapped(_)), "IPv4-mapped";
    b8_a_zone_id_is_refused: resource("['fe80::1%eth0']"), SiteFault::Prefix(PrefixError::Syntax(_)), "`fe80::1%eth0`";
    b8_leading_zeros_are_refused: resource("['010.0.0.1']"), SiteFault::Prefix(PrefixError::Syntax(_)), "`010.0.0.1`";
    b8_a_short_address_is_refused: resource("['10.1']"), SiteFault::Prefix(PrefixError::Syntax(_)), "`10.1`";
    b8_a_length_of_33_is_refused: resource("['10.0.0.0/33']"), SiteFault::Prefix(PrefixError::Length(33)), "33";
    b8_a_length_with_a_leading_zero_is_refused: resource("['10.0.0.0/08']"), SiteFault::Prefix(PrefixError::Syntax(_)), "`10.0.0.0/08`";
    the_line_of_the_prefix_is_named: resource("[\n'10.0.0.0/24',\n'10.0.1.1/24', # here\n]"), SiteFault::Prefix(PrefixError::HostBits { .. }), "10.0.1.1/24";
    a_port_of_zero: "[[resource]]\nid = 'one'\ngateways = 'main'\naddresses = ['10.0.0.1']\nservices = ['tcp/443',\n'tcp/0'] # here", SiteFault::Service(_), "`tcp/0`";
    b8_a_mapped_address_of_a_gateway: "[[gateway]]\nid = 'a'\ngroup = 'main'\nendpoint = '192.0.2.3:1'\naddresses = ['::ffff:10.0.0.1'] # here", SiteFault::Prefix(PrefixError::Mapped(_)), "`::ffff:10.0.0.1`";
    b8_a_mapped_endpoint: "[[gateway]]\nid = 'a'\ngroup = 'main'\nendpoint = '[::ffff:10.0.0.1]:1' # here", SiteFault::Prefix(PrefixError::Mapped(_)), "IPv4-mapped";
    b8_an_endpoint_with_a_zone: "[[gateway]]\nid = 'a'\ngroup = 'main'\nendpoint = '[fe80::1%3]:1' # here", SiteFault::Endpoint(_), "without a zone";
    an_endpoint_without_a_port: "[[gateway]]\nid = 'a'\ngroup = 'main'\nendpoint = '192.0.2.3' # here", SiteFault::Endpoint(_), "`192.0.2.3`";
    b8_a_prefix_for_the_address_of_a_gateway: "[[gateway]]\nid = 'a'\ngroup = 'main'\nendpoint = '192.0.2.3:1'\naddresses = ['10.0.0.0/24'] # here", SiteFault::Address(_), "`10.0.0.0/24`";
    an_endpoint_where_nobody_listens: "[[gateway]]\nid = 'a'\ngroup = 'main'\nendpoint = '0.0.0.0:51820' # here", SiteFault::GatewayAddress(_), "`0.0.0.0`";
    two_gateways_with_one_endpoint: "[[gateway]]\nid = 'a'\ngroup = 'main'\nendpoint = '192.0.2.1:51820' # here", SiteFault::EndpointTaken { .. }, "gateway `gw-1`";

    // Gateways and pools.
    a_gateway_address_in_a_pool: "[[gateway]]\nid = 'a'\ngroup = 'main'\nendpoint = '192.0.2.3:1'\naddresses = ['10.98.0.9',\n'10.99.0.1'] # here", SiteFault::GatewayInPool { .. }, "`10.99.0.1` of gateway `a` lies in pool `10.99.0.0/24`";
    a_gateway_endpoint_in_a_pool: "[[gateway]]\nid = 'a'\ngroup = 'main'\nendpoint = '[fd5a:7a74:9a00:1::9]:1' # here", SiteFault::GatewayInPool { .. }, "lies in pool";
    b6_a_resource_that_overlaps_a_pool: resource("['10.0.0.1', '10.99.0.128/25']"), SiteFault::OverlapsPool { .. }, "`10.99.0.128/25` of resource `one` overlaps pool `10.99.0.0/24`";
    b6_a_resource_around_a_pool: resource("['10.96.0.0/12']"), SiteFault::OverlapsPool { .. }, "overlaps pool";
    b6_a_resource_that_is_one_address_of_a_pool: resource("['10.99.0.7']"), SiteFault::OverlapsPool { .. }, "overlaps pool";
    b6_a_resource_that_overlaps_the_ipv6_pool: resource("['fd5a:7a74:9a00::/48']"), SiteFault::OverlapsPool { .. }, "overlaps pool";
    a_resource_that_holds_an_endpoint: resource("['192.0.2.0/24']"), SiteFault::HoldsEndpoint { .. }, "endpoint address `192.0.2.1`";
    a_resource_that_is_an_endpoint: resource("['2001:db8::2']"), SiteFault::HoldsEndpoint { .. }, "endpoint address `2001:db8::2`";

    // Resources.
    a_resource_without_addresses: "[[resource]]\nid = 'one' # here\ngateways = 'main'\naddresses = []\nservices = ['echo']", SiteFault::NoAddresses(_), "`one` has no addresses";
    a_resource_without_services: "[[resource]]\nid = 'one' # here\ngateways = 'main'\naddresses = ['10.0.0.1']", SiteFault::NoServices(_), "`one` has no services";
    a_gateway_group_without_gateways: "[[resource]]\nid = 'one'\ngateways = 'mian' # here\naddresses = ['10.0.0.1']\nservices = ['echo']", SiteFault::UnknownGatewayGroup(_), "group `mian`";
    an_undeclared_segment: "[[resource]]\nid = 'one'\ngateways = 'main'\naddresses = ['10.0.0.1']\nservices = ['echo']\nsegments = ['staging',\n'stagign'] # here", SiteFault::UnknownSegment(_), "segment `stagign`";
    b6_one_prefix_behind_two_gateway_groups: format!("{}{}", named_resource("one", "main", "['10.0.0.0/24']"), named_resource("two", "other", "['10.0.0.0/24']")), SiteFault::SharedPrefix { .. }, "`10.0.0.0/24` of resource `two` is also that of `one`";
    b9_an_attribute_that_is_a_fraction: "[[resource]]\nid = 'one'\ngateways = 'main'\naddresses = ['10.0.0.1']\nservices = ['echo']\n[resource.attributes]\nrisk = 0.5 # here", SiteFault::Attribute(AttributeError::Type { .. }), "attribute `risk` is a fraction";
    b9_an_attribute_beyond_64_bits: "[[resource]]\nid = 'one'\ngateways = 'main'\naddresses = ['10.0.0.1']\nservices = ['echo']\n[resource.attributes]\nrisk = 9223372036854775808 # here", SiteFault::Malformed(_), "risk = 9223372036854775808";
    an_attribute_that_is_a_table: "[[resource]]\nid = 'one'\ngateways = 'main'\naddresses = ['10.0.0.1']\nservices = ['echo']\nattributes = { owner = { team = 'x' } } # here", SiteFault::Attribute(AttributeError::Type { .. }), "a table";
    an_attribute_that_is_a_list_of_numbers: "[[resource]]\nid = 'one'\ngateways = 'main'\naddresses = ['10.0.0.1']\nservices = ['echo']\nattributes = { owner = [1] } # here", SiteFault::Attribute(AttributeError::Type { .. }), "a list of other things";

    // Special addresses.
    loopback_addresses: resource("['127.0.0.0/8']"), SiteFault::SpecialAddresses { special: Special::Loopback, .. }, "`127.0.0.0/8` of resource `one` overlaps the loopback addresses";
    link_local_addresses: resource("['169.254.0.0/24']"), SiteFault::SpecialAddresses { special: Special::LinkLocal, .. }, "link-local";
    multicast_addresses: resource("['239.0.0.0/8']"), SiteFault::SpecialAddresses { special: Special::Multicast, .. }, "multicast";
    the_broadcast_address: resource("['255.255.255.254/31']"), SiteFault::SpecialAddresses { special: Special::Broadcast, .. }, "broadcast";
    unspecified_addresses: resource("['0.0.0.0/8']"), SiteFault::SpecialAddresses { special: Special::Unspecified, .. }, "unspecified";
    link_local_addresses_of_ipv6: resource("['fe80::/64']"), SiteFault::SpecialAddresses { special: Special::LinkLocal, .. }, "link-local";
    multicast_addresses_of_ipv6: resource("['ff02::/16']"), SiteFault::SpecialAddresses { special: Special::Multicast, .. }, "multicast";
    b8_a_prefix_around_the_mapped_addresses: resource("['::fffe:0:0/95']"), SiteFault::SpecialAddresses { special: Special::Mapped, .. }, "IPv4-mapped";

    // Default routes.
    b7_everything: resource("['0.0.0.0/0']"), SiteFault::DefaultRoute { .. }, "default-route = true";
    b7_everything_of_ipv6: resource("['::/0']"), SiteFault::DefaultRoute { .. }, "`::/0`";
    b7_two_halves: resource("['0.0.0.0/1', '128.0.0.0/1']"), SiteFault::DefaultRoute { .. }, "`0.0.0.0/1`";
    b7_four_quarters: resource("['0.0.0.0/2', '64.0.0.0/2', '128.0.0.0/2', '192.0.0.0/2']"), SiteFault::DefaultRoute { .. }, "`0.0.0.0/2`";
    b7_two_halves_of_ipv6: resource("['::/1', '8000::/1']"), SiteFault::DefaultRoute { .. }, "`::/1`";
    b7_halves_of_two_resources_of_one_group: format!("{}{}", named_resource("one", "main", "['0.0.0.0/1']"), named_resource("two", "main", "['128.0.0.0/1']")), SiteFault::DefaultRoute { .. }, "behind `main`";
    b7_everything_but_multicast: resource("['0.0.0.0/1', '128.0.0.0/2', '192.0.0.0/3', '240.0.0.0/4']"), SiteFault::DefaultRoute { .. }, "`0.0.0.0/1`";
    b7_halves_behind_two_groups_are_no_sum: format!("{}{}", named_resource("one", "main", "['128.0.0.0/1']"), named_resource("two", "other", "['0.0.0.0/1']")), SiteFault::SpecialAddresses { .. }, "overlaps";

    // Windows and facts.
    a_window_in_an_unknown_zone: "[[window]]\nid = 'w'\nzone = 'Europe/Atlantis' # here\ndays = ['mon']\nfrom = '08:00'\nto = '09:00'", SiteFault::Window(WindowError::UnknownZone(_)), "`Europe/Atlantis`";
    a_zone_in_the_wrong_spelling: "[[window]]\nid = 'w'\nzone = 'europe/berlin' # here\ndays = ['mon']\nfrom = '08:00'\nto = '09:00'", SiteFault::Window(WindowError::UnknownZone(_)), "`europe/berlin`";
    a_zone_that_is_a_path: "[[window]]\nid = 'w'\nzone = '../etc/localtime' # here\ndays = ['mon']\nfrom = '08:00'\nto = '09:00'", SiteFault::Window(WindowError::UnknownZone(_)), "not a time zone";
    a_window_without_days: "[[window]]\nid = 'w'\nzone = 'UTC'\ndays = [] # here\nfrom = '08:00'\nto = '09:00'", SiteFault::Window(WindowError::NoDays), "without days";
    a_window_on_an_unknown_day: "[[window]]\nid = 'w'\nzone = 'UTC'\ndays = ['Monday'] # here\nfrom = '08:00'\nto = '09:00'", SiteFault::Window(WindowError::Day(_)), "`Monday`";
    a_window_from_eight_to_eight: "[[window]]\nid = 'w'\nzone = 'UTC'\ndays = ['mon']\nfrom = '08:00'\nto = '08:00' # here", SiteFault::Window(WindowError::Empty(_)), "from `08:00` to `08:00` is empty";
    a_window_from_the_end_of_a_day: "[[window]]\nid = 'w'\nzone = 'UTC'\ndays = ['mon']\nfrom = '24:00' # here\nto = '08:00'", SiteFault::Window(WindowError::StartsAtEndOfDay), "`24:00`";
    a_window_to_one_past_midnight: "[[window]]\nid = 'w'\nzone = 'UTC'\ndays = ['mon']\nfrom = '08:00'\nto = '24:01' # here", SiteFault::Window(WindowError::Clock(_)), "`24:01`";
    a_window_from_a_short_time: "[[window]]\nid = 'w'\nzone = 'UTC'\ndays = ['mon']\nfrom = '8:00' # here\nto = '09:00'", SiteFault::Window(WindowError::Clock(_)), "`8:00`";
    an_unknown_kind_of_fact: "[[fact]]\nid = 'f'\nkind = 'float' # here\nmax-age = '1h'", SiteFault::FactKind(_), "`float`";
    a_fact_that_is_never_too_old: "[[fact]]\nid = 'f' # here\nkind = 'bool'\nmax-age = '366d'", SiteFault::SpanOutOfRange(_), "out of range";

    // Durations and settings.
    a_lease_of_four_seconds: "[site]\nlease = '4s' # here", SiteFault::LeaseOutOfRange(_), "a lease of 4s";
    a_lease_of_more_than_an_hour: "[site]\nlease = '61m' # here", SiteFault::LeaseOutOfRange(_), "a lease of 3660s";
    sessions_without_end: "[site]\nmax-session = '400d' # here", SiteFault::SpanOutOfRange(_), "out of range";
    a_duration_of_zero: "[site]\nmax-session = '0s' # here", SiteFault::Duration(_), "`0s`";
    a_duration_without_a_unit: "[site]\nlease = '5' # here", SiteFault::Duration(_), "`5`";
    a_duration_with_a_sign: "[site]\nlease = '+5s' # here", SiteFault::Duration(_), "`+5s`";
    a_duration_with_a_space: "[site]\nlease = '5 s' # here", SiteFault::Duration(_), "`5 s`";
    a_duration_of_two_units: "[site]\nlease = '1m5s' # here", SiteFault::Duration(_), "`1m5s`";
    a_duration_without_digits: "[site]\nlease = 's' # here", SiteFault::Duration(_), "`s`";
    a_duration_beyond_64_bits: "[site]\nlease = '18446744073709551615d' # here", SiteFault::Duration(_), "18446744073709551615d";
}

/// Pools stand before the base's other parts, so they have texts of their own.
#[test]
fn pools_are_checked() {
    let refused = |text: &str| {
        let error = parse(text).unwrap_err();
        (error.line(), error.fault().clone())
    };
    assert!(matches!(refused(""), (1, SiteFault::NoPool)));
    assert!(matches!(refused("\n[pools]\n"), (2, SiteFault::NoPool)));
    assert!(matches!(refused("[pools]\nv4 = 'fd00::/64'"), (2, SiteFault::PoolFamily(_))));
    assert!(matches!(refused("[pools]\n\nv6 = '10.0.0.0/24'"), (3, SiteFault::PoolFamily(_))));
    assert!(matches!(refused("[pools]\nv4 = '10.0.0.0/31'"), (2, SiteFault::PoolTooSmall(_))));
    assert!(matches!(refused("[pools]\nv6 = 'fd00::/127'"), (2, SiteFault::PoolTooSmall(_))));
    assert!(matches!(refused("[pools]\nv4 = '127.0.0.0/24'"), (2, SiteFault::SpecialPool { .. })));
    assert!(matches!(refused("[pools]\nv6 = 'fe80::/64'"), (2, SiteFault::SpecialPool { .. })));
    assert!(matches!(refused("[pools]\nv4 = '10.0.0.1/24'"), (2, SiteFault::Prefix(_))));
    parse("[pools]\nv4 = '10.0.0.0/30'").unwrap();
    parse("[pools]\nv6 = '2001:db8::/126'").unwrap();
}

#[test]
fn b10_a_text_beyond_the_limit_is_not_even_parsed() {
    let text = "#".repeat(zt_core::site::MAX_TEXT_BYTES + 1);
    assert!(matches!(parse(&text).unwrap_err().fault(), SiteFault::Malformed(Malformed::TooLong(_))));
}

/// Names and values come from outside; an error must stay on one line of a log.
#[test]
fn b20_errors_have_no_control_characters() {
    let text = format!("{BASE}{}", resource(r#"["10.0.0.1\n\u001b[31m"]"#));
    let error = Site::parse(&SiteSource { file: "a\nb".into(), text }).unwrap_err().to_string();
    assert!(!error.chars().any(char::is_control), "{error}");
}
