//! Directory files.

use zt_core::controller::Controller;
use zt_core::directory::Directory;
use zt_core::event::Event;
use zt_core::testing::TableEngine;

use crate::example::{START, handle, site, source};
use crate::site::assert_in_text;

/// Takes `bytes` for a directory file of the example site.
///
/// A text that is refused has its fault on one of its lines. Of one that is accepted, everybody is in the groups that
/// were named and in no others, and the controller takes all that follows from it, once and again.
pub fn body(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let site = site();
    let directory = match Directory::parse("directory.toml", text, &site) {
        Ok(directory) => directory,
        Err(error) => return assert_in_text(text, error.line(), &error.to_string()),
    };
    for user in directory.users() {
        assert_eq!(
            site.groups_of(&user.subject, &user.claims),
            user.groups,
            "{} is in other groups",
            user.name
        );
        assert!(directory.devices_of(&user.subject).all(|device| device.owner == user.subject));
    }
    let mut controller = Controller::new(TableEngine::default());
    let load = Event::SiteLoaded(source());
    for event in [load].into_iter().chain(directory.events()).chain(directory.events()) {
        let outcome = handle(&mut controller, START, event);
        assert_eq!(outcome.refusal, None, "what a valid directory says was refused");
    }
    for device in directory.devices() {
        assert_eq!(controller.device(&device.id).map(|known| &known.owner), Some(&device.owner));
    }
}
