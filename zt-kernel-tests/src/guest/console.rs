//! The way to the host.

use std::io::{self, Write as _};

use zt_kernel_tests::console::Line;

/// Says a line, on a line of its own whatever stood on the console.
pub(crate) fn say(line: &Line) {
    let mut out = io::stdout().lock();
    // In one piece; if the host does not hear it, it misses it.
    drop(out.write_all(format!("\n{line}\n").as_bytes()).and_then(|()| out.flush()));
}

/// Tells the host something worth knowing about the case that runs.
pub(crate) fn note(text: &str) {
    say(&Line::Note { text: text.to_owned() });
}
