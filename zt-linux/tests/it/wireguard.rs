//! WireGuard links: made where the kernel has WireGuard, refused by name where it has not.

use zt_linux::{CreateWireGuardError, DeleteWireGuardError, Link, LinkError, Netlink};

use crate::namespace::{alone, name, tun};
use crate::permission::set_net_admin;

#[test]
fn a_wireguard_link_is_made_down_and_deleted_or_the_module_is_missing() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        match Link::create_wireguard(&netlink, &name("zt0")).await {
            Ok(link) => {
                assert!(!link.state().await.unwrap().up);
                let again = Link::create_wireguard(&netlink, &name("zt0")).await;
                assert!(matches!(again, Err(CreateWireGuardError::NameTaken(_))));
                link.delete_wireguard().await.unwrap();
                let gone = link.delete_wireguard().await;
                assert!(matches!(gone, Err(DeleteWireGuardError::Link(LinkError::Gone { .. }))));
            }
            Err(error) => assert!(matches!(error, CreateWireGuardError::NoModule), "{error:?}"),
        }
        assert!(Link::find(&netlink, &name("zt0")).await.is_err());
    });
}

#[test]
fn a_name_that_another_link_has_is_left_to_it() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = tun(&netlink, "zt0").await;
        for taken in ["zt0", "lo"] {
            let refused = Link::create_wireguard(&netlink, &name(taken)).await.unwrap_err();
            assert!(matches!(refused, CreateWireGuardError::NameTaken(it) if it == name(taken)));
        }
        let refused = tun.link().delete_wireguard().await;
        assert!(matches!(refused, Err(DeleteWireGuardError::OtherKind(_))));
        assert!(tun.link().state().await.unwrap().up);
    });
}

#[test]
fn without_the_capability_there_is_no_wireguard_link() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        set_net_admin(false);
        let refused = Link::create_wireguard(&netlink, &name("zt0")).await.unwrap_err();
        assert!(matches!(refused, CreateWireGuardError::NoPermission), "{refused:?}");
        assert!(refused.to_string().contains("CAP_NET_ADMIN"));
        assert!(Link::find(&netlink, &name("zt0")).await.is_err());
    });
}
