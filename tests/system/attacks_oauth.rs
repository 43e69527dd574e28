//! OAuth at the door: other people's states and codes, other providers' answers, other people's pages.

use luckystack_tests::{Call, Visitor};
use serde_json::Value;

use crate::identity_door::door;
use crate::identity_oauth::{BEGIN, acme, assert_refused, begin, come_by, way_back};

#[tokio::test]
async fn a_login_that_began_in_another_browser_does_not_end_in_this_one() {
    let (provider, project) = acme(door()).await;
    let host = project.start().await;
    // Eve has her own login nearly done, and sends its last step to somebody else.
    let mut eve = Visitor::of(&host);
    let location = begin(&mut eve, BEGIN).await;
    let callback = provider.log_in(&location, "eve").await;
    let mut victim = Visitor::of(&host);
    assert_refused(&victim.send(Call::get(way_back(&callback))).await);
    assert_eq!(victim.session().await, Value::Null);
    // It is spent: not even she gets in with it.
    assert_refused(&eve.send(Call::get(way_back(&callback))).await);

    // The victim has begun one, too: the nonce is another.
    let location = begin(&mut eve, BEGIN).await;
    let callback = provider.log_in(&location, "eve").await;
    begin(&mut victim, BEGIN).await;
    assert_refused(&victim.clone().send(Call::get(way_back(&callback))).await);
    // A made-up nonce, and the state itself as one, are not it either.
    let state = callback.split("state=").nth(1).unwrap().split('&').next().unwrap();
    for nonce in ["", "0", state, &"0".repeat(64)] {
        let mut eve = Visitor::of(&host);
        let location = begin(&mut eve, BEGIN).await;
        let callback = provider.log_in(&location, "eve").await;
        victim.plant("ls-oauth-state", nonce);
        assert_refused(&victim.send(Call::get(way_back(&callback))).await);
    }
    assert_eq!(victim.session().await, Value::Null);
}

#[tokio::test]
async fn codes_states_and_issuers_are_not_exchanged_for_others() {
    let (provider, project) = acme(door()).await;
    // The same provider under a second name: an answer that belongs to one is none to the other.
    let host = project
        .set(&format!("oauth.twin.issuer={}", provider.issuer()))
        .set(&format!("oauth.twin.client_id={}", provider.client_id()))
        .set(&format!("oauth.twin.client_secret={}", provider.client_secret()))
        .start()
        .await;
    let fresh = async || {
        let mut visitor = Visitor::of(&host);
        let location = begin(&mut visitor, BEGIN).await;
        let callback = provider.log_in(&location, "jane").await;
        (visitor, way_back(&callback).to_owned())
    };
    let (mut visitor, path) = fresh().await;
    let twin = path.replace("/auth/callback/acme", "/auth/callback/twin");
    assert_refused(&visitor.send(Call::get(&twin)).await);

    let part = |path: &str, name: &str| {
        let query = path.split_once('?').unwrap().1;
        query.split('&').find(|pair| pair.starts_with(&format!("{name}="))).unwrap().to_owned()
    };
    // Somebody else's code in the place of one's own: the verifier is not its.
    let (mut visitor, own) = fresh().await;
    let (_, other) = fresh().await;
    let injected = own.replace(&part(&own, "code"), &part(&other, "code"));
    assert_refused(&visitor.send(Call::get(&injected)).await);
    // Another issuer, none at all, no state, no code, an error beside the code.
    for change in ["iss=http%3A%2F%2Fevil.example", "", "state", "code", "error"] {
        let (mut visitor, path) = fresh().await;
        let path = match change {
            "state" | "code" => path.replace(&part(&path, change), "x=y"),
            "error" => format!("{path}&error=access_denied"),
            change => path.replace(&part(&path, "iss"), change),
        };
        assert_refused(&visitor.send(Call::get(&path)).await);
        assert_eq!(visitor.session().await, Value::Null, "{change}");
    }
    // Untouched it leads in, once, however often it is sent at the same time.
    let (visitor, path) = fresh().await;
    let sent = (0..4).map(|_| {
        let (mut visitor, path) = (visitor.clone(), path.clone());
        async move { visitor.send(Call::get(&path)).await.status }
    });
    let mut statuses = futures::future::join_all(sent).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [302, 401, 401, 401]);
}

/// Where a login leads to is a page of the app or of an allowed origin, whatever the link said.
#[tokio::test]
async fn no_link_to_a_login_leads_away() {
    let (provider, project) = acme(door()).await;
    let host = project.set("http.cors.allowed_origins=[\"https://shop.example.com\"]").start().await;
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let long = format!("/{}", "a".repeat(2100));
    for (return_url, leads_to) in [
        ("/inbox", "/inbox"),
        ("/inbox?next=//evil.example#top", "/inbox?next=//evil.example"),
        ("https://shop.example.com/cart?x=1", "https://shop.example.com/cart?x=1"),
        ("", "/"),
        ("//evil.example", "/"),
        ("///evil.example", "/"),
        ("////evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\/evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("/%5cevil.example", "/"),
        ("/%2fevil.example", "/"),
        ("/%252fevil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        ("\t//evil.example", "/"),
        (" //evil.example", "/"),
        ("/.//evil.example", "/"),
        ("/a/..//evil.example", "/"),
        ("/inbox\r\nSet-Cookie: evil=1", "/"),
        ("/inbox\0", "/"),
        ("https:evil.example", "/"),
        ("https:/evil.example", "/"),
        ("https://evil.example", "/"),
        ("http:evil.example", "/"),
        ("HTTPS://EVIL.example", "/"),
        ("https://shop.example.com@evil.example", "/"),
        ("https://shop.example.com:443@evil.example", "/"),
        ("https://evil.example#@shop.example.com", "/"),
        ("https://evil.example\\@shop.example.com", "/"),
        ("https://shop.example.com.evil.example", "/"),
        ("https://shop.example.com:8443/", "/"),
        ("http://shop.example.com/", "/"),
        ("https://user@shop.example.com/", "/"),
        ("https://shop.example.com%2eevil.example/", "/"),
        ("https://shop。example.com.evil.example/", "/"),
        ("https://ѕhop.example.com/", "/"),
        ("javascript:alert(1)", "/"),
        ("JavaScript:alert(1)//https://shop.example.com", "/"),
        ("java\nscript:alert(1)", "/"),
        ("data:text/html,<script>alert(1)</script>", "/"),
        ("blob:https://shop.example.com/x", "/"),
        ("file:///etc/passwd", "/"),
        ("evil.example", "/"),
        ("?next=//evil.example", "/"),
        ("#//evil.example", "/"),
        (&long, "/"),
    ] {
        let path = format!("{BEGIN}?return_url={}", encoded(return_url));
        let mut visitor = Visitor::of(&host);
        let answer = come_by(&provider, &mut visitor, &path, "jane").await;
        assert_eq!((answer.status, answer.header("location")), (302, Some(leads_to)), "{return_url:?}");
        assert!(answer.headers.get_all("set-cookie").iter().count() == 2, "{return_url:?}");
    }
}
