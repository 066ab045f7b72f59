//! A thread that may not change links.

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use zt_linux::{ApplyError, CreateError, Link, LinkConfig, LinkError, Mtu, Netlink, Tun};

use crate::namespace::{alone, name, tun};

/// Takes CAP_NET_ADMIN from the calling thread, or gives it back.
pub(crate) fn set_net_admin(may: bool) {
    let mut sets = capabilities(None).unwrap();
    sets.effective.set(CapabilitySet::NET_ADMIN, may);
    set_capabilities(None, sets).unwrap();
}

#[test]
fn without_the_capability_nothing_is_made_or_changed() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = tun(&netlink, "zt0").await;
        let link = tun.link();
        let addresses = ["10.98.0.1".parse().unwrap()].into();
        let wanted = LinkConfig { addresses, ..LinkConfig::default() };
        let before = (link.state().await.unwrap(), link.observe().await.unwrap());

        set_net_admin(false);
        for wanted in [None, Some(&name("zt1"))] {
            let refused = Tun::create(&netlink, wanted, Mtu::default()).await.unwrap_err();
            assert!(matches!(refused, CreateError::NoPermission), "{refused:?}");
            assert!(refused.to_string().contains("CAP_NET_ADMIN"));
        }
        assert!(matches!(link.set_down().await, Err(LinkError::NoPermission)));
        assert!(matches!(link.set_mtu(Mtu::MIN).await, Err(LinkError::NoPermission)));
        assert!(matches!(link.apply(&wanted).await, Err(ApplyError::Link(LinkError::NoPermission))));
        // to look is for everybody
        assert_eq!((link.state().await.unwrap(), link.observe().await.unwrap()), before);
        assert!(Link::find(&netlink, &name("zt1")).await.is_err());
        assert!(Link::find(&netlink, &name("tun0")).await.is_err());

        set_net_admin(true);
        assert_eq!(link.apply(&wanted).await.unwrap().total(), 1);
        Tun::create(&netlink, Some(&name("zt1")), Mtu::default()).await.unwrap();
    });
}

/// Each failure gives back what it opened.
#[test]
fn a_refused_device_leaves_no_descriptor_behind() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let open = || {
            let files = std::fs::read_dir("/proc/thread-self/fd").unwrap();
            let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
            targets.filter(|target| target.ends_with("net/tun")).count()
        };
        set_net_admin(false);
        // other tests have devices open in this process, for a while
        for _ in 0..200 {
            assert!(Tun::create(&netlink, None, Mtu::default()).await.is_err());
        }
        assert!(open() < 100);
    });
}
