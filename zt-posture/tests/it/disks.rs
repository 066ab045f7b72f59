//! `disk_encrypted`.

use zt_posture::names::DISK_ENCRYPTED;

use crate::fixture::check;

/// A disk with two partitions: 8:0, 8:1, 8:2.
const DISK: &str = r"
    file /sys/devices/pci/block/sda/dev 8:0\n
    dir /sys/devices/pci/block/sda/slaves
    file /sys/devices/pci/block/sda/sda1/dev 8:1\n
    file /sys/devices/pci/block/sda/sda1/partition 1\n
    file /sys/devices/pci/block/sda/sda2/dev 8:2\n
    file /sys/devices/pci/block/sda/sda2/partition 2\n
    link /sys/dev/block/8:0 ../../devices/pci/block/sda
    link /sys/dev/block/8:1 ../../devices/pci/block/sda/sda1
    link /sys/dev/block/8:2 ../../devices/pci/block/sda/sda2
";

/// A mapping or array of the number 253:N, on nothing yet.
fn device(minor: u32, uuid: Option<&str>) -> String {
    let directory = format!("/sys/devices/virtual/block/dm-{minor}");
    let mut table = format!(
        "file {directory}/dev 253:{minor}\ndir {directory}/slaves\nlink /sys/dev/block/253:{minor} ../..{}\n",
        directory.trim_start_matches("/sys")
    );
    if let Some(uuid) = uuid {
        table += &format!("file {directory}/dm/uuid {uuid}\\n\nfile {directory}/dm/name map{minor}\\n\n");
    }
    table
}

/// Puts 253:N on another device.
fn on(minor: u32, name: &str) -> String {
    let target = if name.starts_with("dm-") {
        format!("../../{name}")
    } else {
        format!("../../../../pci/block/sda/{name}")
    };
    format!("link /sys/devices/virtual/block/dm-{minor}/slaves/{name} {target}\n")
}

fn root(number: &str, filesystem: &str, source: &str) -> String {
    format!(
        "file /proc/self/mountinfo 22 27 0:21 / /proc rw,relatime - proc proc rw\\n\
         27 1 {number} / / rw,relatime shared:1 master:2 - {filesystem} {source} rw\\n\
         28 27 8:1 / /boot rw - ext4 /dev/sda1 rw\\n\n"
    )
}

fn disk(case: &str, tables: &[&str], expected: &str) {
    check(case, DISK_ENCRYPTED, &[&[DISK], tables].concat(), expected);
}

#[test]
fn a_root_on_dm_crypt_passes() {
    let root = root("253:0", "ext4", "/dev/mapper/map0");
    for kind in ["LUKS1", "LUKS2", "PLAIN", "TCRYPT", "BITLK", "LOOPAES", "FVAULT2"] {
        let luks = device(0, Some(&format!("CRYPT-{kind}-5c9f-luks")));
        disk(kind, &[&root, &luks, &on(0, "sda2")], "pass true: /sys/dev/block/253:0/dm/uuid");
    }
    for kind in
        ["CRYPT-VERITY-5c9f", "CRYPT-INTEGRITY-5c9f", "CRYPT-", "LVM-CRYPT-LUKS2-5c9f", "crypt-luks2-5c9f"]
    {
        let other = device(0, Some(kind));
        disk(kind, &[&root, &other, &on(0, "sda2")], "fail false: /sys/dev/block/253:0/slaves/sda2/..");
    }
}

#[test]
fn layers_are_followed_down() {
    let root = root("253:1", "xfs", "/dev/mapper/vg-root");
    let volume = device(1, Some("LVM-abcdef"));
    let luks = device(0, Some("CRYPT-LUKS2-5c9f-luks")) + &on(0, "sda2");
    let plain = device(2, Some("LVM-abcdef")) + &on(2, "sda1");
    let lvm_on_luks = [root.as_str(), &volume, &luks, &on(1, "dm-0")];
    disk("LVM on LUKS", &lvm_on_luks, "pass true: /sys/dev/block/253:1/slaves/dm-0/dm/uuid");
    let lvm = [root.as_str(), &volume, &on(1, "sda2")];
    disk("LVM alone", &lvm, "fail false: /sys/dev/block/253:1/slaves/sda2/..");
    let half = [root.as_str(), &volume, &luks, &plain, &on(1, "dm-0"), &on(1, "dm-2")];
    disk("one of two volumes is plain", &half, "fail false: /sys/dev/block/253:1/slaves/dm-2/slaves/sda1/..");
    let hollow = device(2, Some("LVM-abcdef"));
    let unclear = [root.as_str(), &volume, &luks, &hollow, &on(1, "dm-0"), &on(1, "dm-2")];
    let reason = "unknown false: `/sys/dev/block/253:1/slaves/dm-2` is a mapping onto nothing";
    disk("one of two volumes is not clear", &unclear, reason);
    let array = device(1, None) + &on(1, "dm-0");
    disk("an array on LUKS", &[&root, &array, &luks], "pass true: /sys/dev/block/253:1/slaves/dm-0/dm/uuid");
    let circle = [root.as_str(), &volume, &plain, &on(1, "dm-2"), &on(2, "dm-1"), &luks];
    disk("a plain part", &circle, "fail false: /sys/dev/block/253:1/slaves/dm-2/slaves/sda1/..");
    let endless = [root.as_str(), &volume, &on(1, "dm-1")];
    disk("a circle", &endless, "unknown false: more than 16 devices lie one on the other");
    let mut wide = [root.as_str(), &volume].concat();
    (3..73).for_each(|minor| {
        wide += &(on(1, &format!("dm-{minor}")) + &device(minor, Some("CRYPT-LUKS2-5c9f")))
    });
    disk("70 volumes", &[&wide], "unknown false: more than 64 devices lie under `/`");
}

#[test]
fn a_plain_root_fails() {
    disk("a partition", &[&root("8:2", "ext4", "/dev/sda2")], "fail false: /sys/dev/block/8:2/..");
    disk("a whole disk", &[&root("8:0", "ext4", "/dev/root")], "fail false: /sys/dev/block/8:0");
}

#[test]
fn btrfs_is_found_by_its_devices() {
    let luks = device(0, Some("CRYPT-LUKS2-5c9f-luks")) + &on(0, "sda2");
    let member = |name: &str, target: &str| {
        format!("link /sys/fs/btrfs/5c9f/devices/{name} ../../../../devices/{target}\n")
    };
    let encrypted = member("dm-0", "virtual/block/dm-0");
    let plain = member("sda1", "pci/block/sda/sda1");
    let features = "dir /sys/fs/btrfs/features\n";
    let mapped = root("0:24", "btrfs", "/dev/mapper/map0");
    let passed = "pass true: /sys/fs/btrfs/5c9f/devices/dm-0/dm/uuid";
    disk("on LUKS", &[&mapped, &luks, &encrypted, features], passed);
    let numbered = root("0:24", "btrfs", "/dev/dm-0");
    disk("on LUKS, by number", &[&numbered, &luks, &encrypted, features], passed);
    let failed = "fail false: /sys/fs/btrfs/5c9f/devices/sda1/..";
    disk("half", &[&mapped, &luks, &encrypted, &plain, features], failed);
    disk("plain", &[&root("0:24", "btrfs", "/dev/sda1"), &plain], failed);
    let strange = "unknown false: no filesystem of `/sys/fs/btrfs` has the device `/dev/root`";
    disk("not found", &[&root("0:24", "btrfs", "/dev/root"), &luks, &encrypted], strange);
    disk("nothing of btrfs", &[&mapped, &luks], "unknown false: `/sys/fs/btrfs` is missing");
}

#[test]
fn what_cannot_be_told_is_unknown() {
    for filesystem in ["overlay", "zfs", "tmpfs", "nfs4"] {
        let expected =
            format!("unknown false: `/` is of type `{filesystem}`, which has no block device of its own");
        disk(filesystem, &[&root("0:45", filesystem, "none")], &expected);
    }
    disk("no /proc", &[], "unknown false: `/proc/self/mountinfo` is missing");
    let chroot = r"file /proc/self/mountinfo 28 27 8:1 / /boot rw - ext4 /dev/sda1 rw\n";
    disk("chroot", &[chroot], "unknown false: `/proc/self/mountinfo`: no mount on `/`");
    let two = r"file /proc/self/mountinfo 1 0 253:0 / / rw - ext4 a rw\n2 1 8:2 / / rw - ext4 b rw\n";
    disk("two roots", &[two], "unknown false: `/proc/self/mountinfo`: several filesystems on `/`");
    let broken = r"file /proc/self/mountinfo 1 0 8;2 / / rw - ext4 a rw\n";
    disk("broken", &[broken], "unknown false: `/proc/self/mountinfo`: line 1 is not well-formed");
    disk(
        "no such device",
        &[&root("9:9", "ext4", "/dev/x")],
        "unknown false: `/sys/dev/block/9:9/dev` is missing",
    );
    let root = root("253:0", "ext4", "/dev/mapper/map0");
    let nothing = device(0, Some("LVM-abcdef"));
    disk("on nothing", &[&root, &nothing], "unknown false: `/sys/dev/block/253:0` is a mapping onto nothing");
    let file = device(0, None) + "file /sys/devices/virtual/block/dm-0/loop/backing_file /x.img\n";
    disk("a file", &[&root, &file], "unknown false: `/sys/dev/block/253:0` is a file on another filesystem");
    let fifo = device(0, None) + "fifo /sys/devices/virtual/block/dm-0/dm/uuid\n" + &on(0, "sda2");
    disk("FIFO", &[&root, &fifo], "unknown false: `/sys/dev/block/253:0/dm/uuid` is a FIFO");
    let half = "file /sys/dev/block/253:0/dev 253:0";
    disk("half of /sys", &[&root, half], "unknown false: `/sys/dev/block/253:0/slaves` is missing");
}
