//! A real browser and a page with a login form: what people see.

use std::fs;

use luckystack_tests::guests::repository;
use luckystack_tests::{Account, Browser, Host, Page, Project, Visitor};
use serde_json::Value;

use crate::identity_door::{door, restart};

/// The sample page, served by the host itself.
fn site() -> Project {
    let mut project = door();
    for file in ["index.html", "login.js"] {
        let text = fs::read_to_string(repository().join("tests/browser/login").join(file)).unwrap();
        project = project.write(&format!("public/{file}"), &text);
    }
    project.set("paths.public=public")
}

async fn log_in(page: &Page, account: &Account) {
    page.fill("#email", &account.email).await;
    page.fill("#password", &account.password).await;
    page.click("#submit").await;
    page.until_shown("#inside").await;
    assert_eq!(page.text("#name").await, account.name);
}

async fn registered(host: &Host) -> Account {
    let ann = Account::of("Ann");
    let mut visitor = Visitor::of(host);
    visitor.register(&ann).await;
    visitor.log_out().await;
    ann
}

#[tokio::test]
async fn somebody_logs_in_stays_so_and_is_replaced_by_himself_elsewhere() {
    let project = site();
    let mut host = project.serve(&[]).await;
    let ann = registered(&host).await;
    let browser = Browser::start().await;
    let page = browser.open().await;
    page.go(host.url()).await;
    page.until_shown("#login").await;
    assert_eq!(page.run("document.body.dataset.providers").await, "credentials");

    page.fill("#email", &ann.email).await;
    page.fill("#password", "wrong password").await;
    page.click("#submit").await;
    page.until("document.querySelector('#reason').textContent === 'login.wrongPassword'").await;
    page.picture("1-refused").await;

    log_in(&page, &ann).await;
    page.picture("2-logged-in").await;
    let cookies = page.cookies().await;
    let [cookie] = &cookies[..] else { panic!("one cookie: {cookies:?}") };
    assert_eq!((&cookie["name"], &cookie["httpOnly"]), (&"token".into(), &Value::Bool(true)));
    assert_eq!(cookie["sameSite"], "Strict");
    assert_eq!(page.run("document.cookie").await, "", "scripts do not see it");

    page.reload().await;
    page.until_shown("#inside").await;

    // The host goes away and comes back.
    host = restart(host, &project).await;
    page.reload().await;
    page.until_shown("#inside").await;
    assert_eq!(page.text("#name").await, ann.name);
    page.picture("3-after-a-restart").await;

    // Another browser, with nothing of the first.
    let second = Browser::start().await;
    let elsewhere = second.open().await;
    elsewhere.go(host.url()).await;
    log_in(&elsewhere, &ann).await;
    page.click("#ask").await;
    page.until_shown("#login").await;
    page.picture("4-replaced").await;
    elsewhere.reload().await;
    elsewhere.until_shown("#inside").await;

    elsewhere.click("#leave").await;
    elsewhere.until_shown("#login").await;
    assert_eq!(elsewhere.cookies().await, Vec::<Value>::new());
}

#[tokio::test]
async fn with_tokens_the_page_keeps_the_session_itself() {
    let project = site().set("session.based_token=true");
    let host = project.serve(&[]).await;
    let ann = registered(&host).await;
    let browser = Browser::start().await;
    let page = browser.open().await;
    let url = format!("{}/?token-mode", host.url());
    page.go(&url).await;
    log_in(&page, &ann).await;
    assert_eq!(page.cookies().await, Vec::<Value>::new());
    let token = page.run("sessionStorage.getItem('token')").await;
    assert!(crate::identity_door::is_secret(&token), "{token}");
    let host = restart(host, &project).await;
    page.reload().await;
    page.until_shown("#inside").await;
    page.picture("5-with-a-token").await;
    // Another tab has a storage of its own, so nobody is signed in there.
    let other = browser.open().await;
    other.go(&format!("{}/?token-mode", host.url())).await;
    other.until_shown("#login").await;
    page.click("#leave").await;
    page.until_shown("#login").await;
}

/// A page of somebody else, open beside the app in the same browser.
#[tokio::test]
async fn a_foreign_page_in_the_same_browser_gets_nothing() {
    let host = site().start().await;
    let foreign = site().beside(&host).start().await;
    let ann = registered(&host).await;
    let browser = Browser::start().await;
    let page = browser.open().await;
    page.go(host.url()).await;
    log_in(&page, &ann).await;
    let other = browser.open().await;
    // Another origin of the same site: a browser sends its strict cookies along.
    other.go(foreign.url()).await;
    let attempts = format!(
        "(async () => {{
            const tried = [];
            for (const [method, path] of [['POST', '/api/gate/change/v1'], ['POST', '/auth/logout'], ['GET', '/auth/csrf']]) {{
                const options = {{ method, credentials: 'include', body: method === 'POST' ? '{{}}' : undefined }};
                for (const mode of ['cors', 'no-cors']) {{
                    tried.push(await fetch('{}' + path, {{ ...options, mode }}).then((r) => r.type, () => 'failed'));
                }}
            }}
            return tried.join(' ');
        }})()",
        host.url()
    );
    let tried = other.run(&attempts).await;
    assert!(!tried.as_str().unwrap().contains("cors"), "no answer can be read: {tried}");
    page.click("#ask").await;
    page.until("document.body.dataset.asked === '3'").await;
    page.until_shown("#inside").await;
}
