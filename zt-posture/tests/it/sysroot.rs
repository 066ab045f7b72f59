//! The sysroot against trees that try to get out, block or swell.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use zt_posture::{MAX_ENTRIES, MAX_FILE_BYTES, ReadFault, Sysroot};

use crate::fixture::Fixture;

fn fault(fixture: &Fixture, path: &str) -> ReadFault {
    Sysroot::open(&fixture.root()).unwrap().read(path).unwrap_err().fault()
}

#[test]
fn links_end_inside() {
    let fixture = Fixture::new(&["file /in/side inside", "dir /a/b/c"]);
    fs::write(fixture.outer().join("secret"), "outside").unwrap();
    let secret = fixture.outer().join("secret").canonicalize().unwrap();
    let sysroot = Sysroot::open(&fixture.root()).unwrap();
    for target in
        [secret.to_str().unwrap(), "../secret", "../../../../secret", "/../secret", "../a/../../secret"]
    {
        let link = fixture.path("/a/link");
        let _ = fs::remove_file(&link);
        symlink(target, &link).unwrap();
        assert_eq!(fault(&fixture, "/a/link"), ReadFault::Missing, "{target}");
        assert!(!sysroot.exists("/a/link").unwrap(), "{target}");
    }
    assert_eq!(fault(&fixture, "/../secret"), ReadFault::Missing);
    assert_eq!(fault(&fixture, "a/b/../../../secret"), ReadFault::Missing);
    for (link, target) in
        [("/a/b/abs", "/in/side"), ("/a/b/rel", "../../in/side"), ("/a/b/over", "../../../../in/side")]
    {
        symlink(target, fixture.path(link)).unwrap();
        assert_eq!(sysroot.read_text(link).unwrap(), "inside", "{target}");
    }
}

#[test]
fn links_in_the_middle_of_a_path_end_inside() {
    let fixture =
        Fixture::new(&["link /etc /usr/etc", "file /usr/etc/x inside", "link /up ../..", "file /x root"]);
    fs::write(fixture.outer().join("x"), "outside").unwrap();
    let sysroot = Sysroot::open(&fixture.root()).unwrap();
    assert_eq!(sysroot.read_text("/etc/x").unwrap(), "inside");
    assert_eq!(sysroot.read_text("/up/x").unwrap(), "root");
    assert_eq!(sysroot.list("/etc").unwrap(), ["x"]);
}

#[test]
fn magic_links_are_not_followed() {
    let sysroot = Sysroot::open(Path::new("/")).unwrap();
    for path in
        ["/proc/self/root/etc/passwd", "/proc/self/cwd/Cargo.toml", "/proc/self/exe", "/proc/self/fd/0"]
    {
        assert_eq!(sysroot.read(path).unwrap_err().fault(), ReadFault::Loop, "{path}");
    }
}

#[test]
fn circles_and_long_chains_of_links_end() {
    let fixture = Fixture::new(&["link /a b", "link /b a", "file /l0 x"]);
    (1..=50).for_each(|n| symlink(format!("l{}", n - 1), fixture.path(&format!("/l{n}"))).unwrap());
    assert_eq!(fault(&fixture, "/a"), ReadFault::Loop);
    assert_eq!(fault(&fixture, "/l50"), ReadFault::Loop);
    assert_eq!(Sysroot::open(&fixture.root()).unwrap().read("/l10").unwrap(), b"x");
}

#[test]
fn only_regular_files_are_opened() {
    let fixture = Fixture::new(&["fifo /fifo", "dir /dir", "link /link fifo", "file /file x"]);
    let socket = UnixListener::bind(fixture.path("/socket")); // fails where the path is too long for a socket
    assert_eq!(fault(&fixture, "/fifo"), ReadFault::WrongType("FIFO"));
    assert_eq!(fault(&fixture, "/link"), ReadFault::WrongType("FIFO"));
    assert_eq!(fault(&fixture, "/dir"), ReadFault::WrongType("directory"));
    if socket.is_ok() {
        assert_eq!(fault(&fixture, "/socket"), ReadFault::WrongType("socket"));
    }
    let listed = Sysroot::open(&fixture.root()).unwrap().list("/file").unwrap_err();
    assert_eq!(listed.to_string(), "`/file` is a regular file");
    let machine = Sysroot::open(Path::new("/")).unwrap();
    assert_eq!(machine.read("/dev/zero").unwrap_err().fault(), ReadFault::WrongType("character device"));
}

/// A file and a FIFO that change places all the time: every read ends, and gives the file or a fault.
#[test]
fn a_file_that_turns_into_a_fifo_does_not_block() {
    let fixture = Fixture::new(&["file /file x", "fifo /fifo", "file /it x"]);
    let sysroot = Sysroot::open(&fixture.root()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for name in ["/fifo", "/file"] {
                    fs::hard_link(fixture.path(name), fixture.path("/next")).unwrap();
                    fs::rename(fixture.path("/next"), fixture.path("/it")).unwrap();
                    let _ = fs::remove_file(fixture.path("/next")); // a rename onto itself leaves it
                }
            }
        });
        let outcomes: Vec<_> =
            (0..3_000).map(|_| sysroot.read("/it").map_err(|error| error.fault())).collect();
        done.store(true, Ordering::Relaxed);
        for outcome in outcomes {
            assert!(
                matches!(outcome.as_deref(), Ok(b"x") | Err(ReadFault::WrongType("FIFO"))),
                "{outcome:?}"
            );
        }
    });
}

#[test]
fn sizes_and_numbers_are_bounded() {
    let fixture = Fixture::new(&["dir /many"]);
    let most = usize::try_from(MAX_FILE_BYTES).unwrap();
    fs::write(fixture.path("/most"), vec![b'x'; most]).unwrap();
    fs::write(fixture.path("/more"), vec![b'x'; most + 1]).unwrap();
    (0..MAX_ENTRIES).for_each(|n| fs::write(fixture.path(&format!("/many/{n}")), "").unwrap());
    let sysroot = Sysroot::open(&fixture.root()).unwrap();
    assert_eq!(sysroot.read("/most").unwrap().len(), most);
    assert_eq!(fault(&fixture, "/more"), ReadFault::TooLarge);
    let names = sysroot.list("/many").unwrap();
    assert!(names.len() == MAX_ENTRIES && names.is_sorted());
    fs::write(fixture.path("/many/more"), "").unwrap();
    assert_eq!(sysroot.list("/many").unwrap_err().fault(), ReadFault::TooMany);
    // files of /proc have no size that could be asked for
    assert!(!Sysroot::open(Path::new("/")).unwrap().read("/proc/self/mountinfo").unwrap().is_empty());
}

#[test]
fn what_is_no_text_is_refused() {
    let fixture = Fixture::new(&["dir /names"]);
    fs::write(fixture.path("/file"), b"\xff").unwrap();
    fs::write(fixture.path("/names").join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    let sysroot = Sysroot::open(&fixture.root()).unwrap();
    assert_eq!(sysroot.read_text("/file").unwrap_err().to_string(), "`/file` is not UTF-8");
    assert_eq!(sysroot.list("/names").unwrap_err().fault(), ReadFault::NotText);
    assert!(matches!(sysroot.read("/fi\0le").unwrap_err().fault(), ReadFault::Os(_)));
    assert!(sysroot.exists("/file/below").is_err());
}

#[test]
fn what_may_not_be_read_says_so() {
    let fixture = Fixture::new(&["file /secret x"]);
    fs::set_permissions(fixture.path("/secret"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(fixture.path("/secret")).is_ok() {
        println!("skipped: root may read everything");
        return;
    }
    assert_eq!(fault(&fixture, "/secret"), ReadFault::Denied);
    assert!(Sysroot::open(&fixture.root()).unwrap().exists("/secret").unwrap());
}
