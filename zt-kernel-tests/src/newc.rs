//! Archives in cpio's format "newc", which kernels unpack as their initramfs.

use std::io::{self, Write};

const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_644;
const PROGRAM: u32 = 0o100_755;
const CHARACTER_DEVICE: u32 = 0o020_600;
const TRAILER: &str = "TRAILER!!!";

/// Writes an archive. What it holds belongs to root, and is from 1970.
pub(crate) struct Archive<W> {
    to: W,
    entries: u32,
}

impl<W: Write> Archive<W> {
    /// An archive that is written as it is filled.
    pub(crate) const fn new(to: W) -> Self {
        Self { to, entries: 0 }
    }

    /// Adds a directory. Those above it have to be there.
    pub(crate) fn directory(&mut self, path: &str) -> io::Result<()> {
        self.entry(path, DIRECTORY, (0, 0), &[])
    }

    /// Adds a file.
    pub(crate) fn file(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.entry(path, FILE, (0, 0), content)
    }

    /// Adds a file that can be run.
    pub(crate) fn program(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.entry(path, PROGRAM, (0, 0), content)
    }

    /// Adds a character device, by its major and minor number.
    pub(crate) fn character_device(&mut self, path: &str, numbers: (u32, u32)) -> io::Result<()> {
        self.entry(path, CHARACTER_DEVICE, numbers, &[])
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.entry(TRAILER, 0, (0, 0), &[])?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) -> io::Result<()> {
        let (major, minor) = device;
        let size = u32::try_from(content.len()).map_err(|_| io::Error::other(format!("{path} has 4 GiB")))?;
        let name_size = u32::try_from(path.len().saturating_add(1)).map_err(io::Error::other)?;
        self.entries = self.entries.saturating_add(1);
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, major, minor, name_size, 0];
        write!(self.to, "070701")?;
        for field in fields {
            write!(self.to, "{field:08x}")?;
        }
        write!(self.to, "{path}\0")?;
        let head = 110_usize.saturating_add(path.len()).saturating_add(1);
        self.pad(head)?;
        self.to.write_all(content)?;
        self.pad(content.len())
    }

    /// Fills up with zeros to the next multiple of four.
    fn pad(&mut self, length: usize) -> io::Result<()> {
        let zeros = length.next_multiple_of(4).saturating_sub(length);
        self.to.write_all([0; 3].get(..zeros).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "offsets in a short archive")]

    use super::*;

    fn sample() -> Vec<u8> {
        let mut archive = Archive::new(Vec::new());
        archive.directory("dev").unwrap();
        archive.character_device("dev/console", (5, 1)).unwrap();
        archive.program("init", b"\x7fELF").unwrap();
        for (length, name) in ["", "a", "ab", "abc", "abcd", "abcde"].into_iter().enumerate() {
            archive.file(&format!("file-{name}"), &vec![b'x'; length]).unwrap();
        }
        archive.finish().unwrap()
    }

    /// An entry: mode, device, path and content.
    type Entry = (u32, (u32, u32), String, Vec<u8>);

    /// Reads an archive naively, up to its trailer.
    fn read(bytes: &[u8]) -> Vec<Entry> {
        let (mut at, mut entries) = (0, Vec::new());
        loop {
            let field = |number: usize| {
                let text = std::str::from_utf8(&bytes[at + 6 + number * 8..][..8]).unwrap();
                usize::from_str_radix(text, 16).unwrap()
            };
            let number = |at| u32::try_from(field(at)).unwrap();
            assert_eq!(&bytes[at..at + 6], b"070701");
            let name =
                std::str::from_utf8(&bytes[at + 110..][..field(11)]).unwrap().strip_suffix('\0').unwrap();
            if name == TRAILER {
                return entries;
            }
            let content = (at + 110 + field(11)).next_multiple_of(4);
            let end = content + field(6);
            let device = (number(9), number(10));
            entries.push((number(1), device, name.to_owned(), bytes[content..end].to_vec()));
            at = end.next_multiple_of(4);
        }
    }

    #[test]
    fn what_was_written_can_be_read() {
        let entries = read(&sample());
        assert_eq!(entries.len(), 9);
        assert_eq!(entries[0], (0o040_755, (0, 0), "dev".to_owned(), vec![]));
        assert_eq!(entries[1], (0o020_600, (5, 1), "dev/console".to_owned(), vec![]));
        assert_eq!(entries[2], (0o100_755, (0, 0), "init".to_owned(), b"\x7fELF".to_vec()));
        assert_eq!(entries[8], (0o100_644, (0, 0), "file-abcde".to_owned(), vec![b'x'; 5]));
    }

    /// Field by field as cpio(5) lays it out: inode, mode, owner, group, links, time, size, two devices, name's size.
    #[test]
    fn a_header_has_its_fields_in_order() {
        let mut archive = Archive::new(Vec::new());
        archive.character_device("dev/console", (5, 1)).unwrap();
        let bytes = archive.finish().unwrap();
        let fields = ["00000001", "00002180", "00000000", "00000000", "00000001", "00000000", "00000000"];
        let devices = ["00000000", "00000000", "00000005", "00000001"];
        let expected = format!("070701{}{}0000000c00000000dev/console\0", fields.concat(), devices.concat());
        assert_eq!(String::from_utf8_lossy(&bytes[..expected.len()]), expected);
    }
}
