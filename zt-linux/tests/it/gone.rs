//! Links that are no more what they were.

use rtnetlink::LinkUnspec;
use zt_linux::{ApplyError, FindError, Link, LinkConfig, LinkError, Mtu, Netlink, Route, Tun};

use crate::namespace::{Others, alone, name, tun};

/// Every operation finds that the link is gone.
async fn assert_gone(link: &Link) {
    let is_gone = |error: &LinkError| matches!(error, LinkError::Gone { name, index } if name == link.name() && *index == link.index());
    assert!(is_gone(&link.state().await.unwrap_err()));
    assert!(is_gone(&link.observe().await.unwrap_err()));
    assert!(is_gone(&link.set_up().await.unwrap_err()));
    assert!(is_gone(&link.set_down().await.unwrap_err()));
    assert!(is_gone(&link.set_mtu(Mtu::MIN).await.unwrap_err()));
    for wanted in [LinkConfig::default(), wanted()] {
        let error = link.apply(&wanted).await.unwrap_err();
        assert!(matches!(&error, ApplyError::Link(error) if is_gone(error)), "{error:?}");
    }
}

fn wanted() -> LinkConfig {
    let addresses = ["10.98.0.1".parse().unwrap()].into();
    LinkConfig { addresses, routes: [Route::new("10.99.0.0/24".parse().unwrap())].into() }
}

#[test]
fn a_deleted_link_is_gone() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = tun(&netlink, "zt0").await;
        assert_eq!(tun.link().apply(&wanted()).await.unwrap().total(), 2);
        Others::open().delete_link(tun.link().index()).await;
        assert_gone(tun.link()).await;
        let missing = Link::find(&netlink, &name("zt0")).await;
        assert!(matches!(missing, Err(FindError::NotFound(found)) if found == name("zt0")));
    });
}

#[test]
fn a_link_of_the_same_name_is_another_link() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let first = tun(&netlink, "zt0").await;
        Others::open().delete_link(first.link().index()).await;
        let second: Tun = tun(&netlink, "zt0").await;
        assert_ne!(first.link().index(), second.link().index());
        let before = (second.link().state().await.unwrap(), second.link().observe().await.unwrap());
        assert_gone(first.link()).await;
        let after = (second.link().state().await.unwrap(), second.link().observe().await.unwrap());
        assert_eq!(after, before);
        assert_eq!(second.link().apply(&wanted()).await.unwrap().total(), 2);
    });
}

#[test]
fn a_renamed_link_is_gone_until_it_is_found_anew() {
    alone(|| async {
        let netlink = Netlink::open().unwrap();
        let tun = tun(&netlink, "zt0").await;
        let others = Others::open();
        let index = tun.link().index();
        let rename = |to: &str| {
            let message = LinkUnspec::new_with_index(index).name(to.to_owned()).build();
            others.handle().link().set(message).execute()
        };
        tun.link().set_down().await.unwrap();
        rename("zt1").await.unwrap();
        assert_gone(tun.link()).await;
        let found = Link::find(&netlink, &name("zt1")).await.unwrap();
        assert_eq!(found.index(), index);
        found.set_up().await.unwrap();
        assert_eq!(found.apply(&wanted()).await.unwrap().total(), 2);
        found.set_down().await.unwrap();
        rename("zt0").await.unwrap();
        tun.link().set_up().await.unwrap();
        assert_gone(&found).await;
    });
}
