//! Devices: how they are made, what is refused, how they end.

use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, unshare};
use tokio::time::timeout;
use zt_linux::{CreateError, Link, LinkState, Mtu, Netlink, PacketError, Tun};

use crate::namespace::{Others, PATIENCE, alone, name, tun};

#[test]
fn a_device_is_a_link_until_it_is_dropped() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let mtu = Mtu::new(1_300).unwrap();
        for _ in 0..2 {
            let tun = Tun::create(&netlink, Some(&name("zt0")), mtu).await.unwrap();
            assert_eq!(tun.link().name().as_str(), "zt0");
            assert_eq!(tun.link().state().await.unwrap(), LinkState { up: false, mtu: 1_300 });
            assert_eq!(Link::find(&netlink, &name("zt0")).await.unwrap().index(), tun.link().index());
            drop(tun);
            assert!(Link::find(&netlink, &name("zt0")).await.is_err());
        }
    });
}

#[test]
fn the_kernel_picks_a_name() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let first = Tun::create(&netlink, None, Mtu::default()).await.unwrap();
        let second = Tun::create(&netlink, None, Mtu::default()).await.unwrap();
        assert_eq!(first.link().name().as_str(), "tun0");
        assert_eq!(second.link().name().as_str(), "tun1");
        assert_eq!(second.link().state().await.unwrap().mtu, 1_420);
    });
}

#[test]
fn the_least_and_the_greatest_mtu_are_taken() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        for mtu in [Mtu::MIN, Mtu::MAX] {
            let tun = Tun::create(&netlink, None, mtu).await.unwrap();
            assert_eq!(tun.link().state().await.unwrap().mtu, u32::from(mtu.bytes()));
        }
    });
}

#[test]
fn a_name_that_is_taken_is_left_alone() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let first = tun(&netlink, "zt0").await;
        for taken in ["zt0", "lo"] {
            let refused = Tun::create(&netlink, Some(&name(taken)), Mtu::MIN).await;
            assert!(matches!(refused, Err(CreateError::NameTaken(found)) if found.as_str() == taken));
        }
        assert_eq!(first.link().state().await.unwrap(), LinkState { up: true, mtu: 1_420 });
    });
}

#[test]
fn a_persistent_device_of_others_is_not_taken_over() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let theirs =
            tun_rs::DeviceBuilder::new().name("theirs").inherit_enable_state().build_async().unwrap();
        theirs.persist().unwrap();
        drop(theirs);
        let before = Link::find(&netlink, &name("theirs")).await.unwrap();
        let refused = Tun::create(&netlink, Some(&name("theirs")), Mtu::MIN).await;
        assert!(matches!(refused, Err(CreateError::NameTaken(_))));
        assert_eq!(before.state().await.unwrap(), LinkState { up: false, mtu: 1_500 });
    });
}

/// With nothing at `/dev/net/tun`, nothing is put there either.
#[test]
fn without_the_device_node_there_is_no_device() {
    alone(|| async {
        // for this thread only
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let nothing = None::<&str>;
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).unwrap();
        mount(nothing, "/dev/net", Some("tmpfs"), MsFlags::empty(), nothing).unwrap();
        let netlink = Netlink::open().unwrap();
        let refused = Tun::create(&netlink, None, Mtu::default()).await;
        assert!(matches!(refused, Err(CreateError::NoTun)), "{refused:?}");
        assert_eq!(std::fs::read_dir("/dev/net").unwrap().count(), 0);
        umount("/dev/net").unwrap();
        Tun::create(&netlink, None, Mtu::default()).await.unwrap();
    });
}

#[test]
fn a_device_without_its_link_is_gone() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = tun(&netlink, "zt0").await;
        // the kernel's own packets of a link that has come up may be first
        let receiving = async {
            loop {
                if let Err(error) = tun.receive().await {
                    break error;
                }
            }
        };
        let deleting = async { Others::open().delete_link(tun.link().index()).await };
        let (error, ()) = timeout(PATIENCE, async { tokio::join!(receiving, deleting) }).await.unwrap();
        assert!(matches!(error, PacketError::Gone), "{error:?}");
        let mut packet = [0; 28];
        packet[0] = 0x45;
        assert!(matches!(tun.send(&packet).await, Err(PacketError::Gone)));
    });
}
