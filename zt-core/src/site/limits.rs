//! How much a site may hold. Limits that decide acceptance are counts, so that every replica agrees.

use std::time::Duration;

/// The shortest lease.
pub const MIN_LEASE: Duration = Duration::from_secs(5);
/// The longest lease.
pub const MAX_LEASE: Duration = Duration::from_hours(1);
/// The lease of a site that names none.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(60);
/// The longest session of a site that names none.
pub const DEFAULT_MAX_SESSION: Duration = Duration::from_hours(12);
/// The longest that a site may let sessions last, and facts be believed.
pub const MAX_SPAN: Duration = Duration::from_hours(365 * 24);

/// The most resources of a site.
pub const MAX_RESOURCES: usize = 100_000;
/// The most prefixes of a resource.
pub const MAX_PREFIXES: usize = 256;
/// The most services of a resource.
pub const MAX_SERVICES: usize = 64;
/// The most segments that a resource belongs to.
pub const MAX_SEGMENTS_OF_RESOURCE: usize = 64;
/// The most gateways of a site.
pub const MAX_GATEWAYS: usize = 1_024;
/// The most addresses of a gateway.
pub const MAX_GATEWAY_ADDRESSES: usize = 64;
/// The most groups of a site.
pub const MAX_GROUPS: usize = 10_000;
/// The most claims that put people into one group.
pub const MAX_CLAIMS: usize = 256;
/// The most segments of a site.
pub const MAX_SEGMENTS: usize = 10_000;
/// The most windows of a site.
pub const MAX_WINDOWS: usize = 256;
/// The most facts of a site.
pub const MAX_FACTS: usize = 256;
/// The most attributes of a person or a resource.
pub const MAX_ATTRIBUTES: usize = 64;
/// The most texts in one attribute.
pub const MAX_ATTRIBUTE_TEXTS: usize = 256;
/// The most bytes of one text in an attribute.
pub const MAX_ATTRIBUTE_BYTES: usize = 1_024;
