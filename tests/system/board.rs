//! The board of the examples in real browsers: what two people see of each other. What they see is also in
//! `target/test-browser/board-*.png`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use luckystack_devkit::Language;
use luckystack_tests::guests::repository;
use luckystack_tests::languages::example;
use luckystack_tests::{Browser, Host, Page, Project, Socket, Visitor};
use serde_json::{Value, json};

use crate::project;

/// How long nothing may happen, to tell that something never does.
const A_WHILE: Duration = Duration::from_millis(400);

/// The board as its README starts it, with its page.
fn board() -> Project {
    let bytes = |language| fs::read(example("board", language)).unwrap();
    let preset = fs::read_to_string(repository().join("presets/board.toml")).unwrap();
    let mut project = project()
        .file("board", "board.wasm", &bytes(Language::Rust))
        .file("board", "privacy.wasm", &bytes(Language::TypeScript))
        .preset("board", &preset)
        .set("paths.public=public/board");
    let page = repository().join("public/board");
    for file in files_below(&page) {
        let text = fs::read_to_string(page.join(&file)).unwrap();
        project = project.write(&format!("public/board/{file}"), &text);
    }
    project
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            found.extend(files_below(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.push(name);
        }
    }
    found
}

/// Somebody in front of a browser of their own.
struct Person {
    page: Page,
    _browser: Browser,
}

impl Person {
    /// At the door.
    async fn come(host: &Host, colours: &str) -> Person {
        let browser = Browser::start().await;
        let page = browser.open().await;
        page.size(1200, 800, false).await;
        page.colours(colours).await;
        page.go(host.url()).await;
        page.until_shown("#door").await;
        Person { page, _browser: browser }
    }

    /// Inside, as a guest.
    async fn join(host: &Host, name: &str, colours: &str) -> Person {
        let person = Person::come(host, colours).await;
        person.page.fill("#guest-name", name).await;
        person.page.click("#guest button").await;
        person.until_inside().await;
        person
    }

    async fn until_inside(&self) {
        self.page.until("document.body.dataset.view === 'board'").await;
        self.page.until("document.getElementById('link').dataset.state === 'live'").await;
    }

    /// Writes a card and waits until it is there.
    async fn add(&self, column: &str, text: &str, private: bool) {
        let below = format!(".column[data-column={column}]");
        self.page.click(&format!("{below} .add")).await;
        self.page.fill(&format!("{below} textarea"), text).await;
        if private {
            self.page.click(&format!("{below} .composer .switch input")).await;
        }
        self.page.click(&format!("{below} .composer .primary")).await;
        self.until_seen(column, text).await;
        self.page.click(&format!("{below} .composer .quiet")).await;
    }

    /// Waits until a card is in a column.
    async fn until_seen(&self, column: &str, text: &str) {
        self.page.until(&format!("({COLUMNS}).{column}.includes({})", json!(text))).await;
    }

    /// The texts of the cards, by column.
    async fn sees(&self) -> Value {
        self.page.run(COLUMNS).await
    }

    async fn until_sees(&self, expected: &Value) {
        self.page.until(&format!("JSON.stringify({COLUMNS}) === {}", json!(expected.to_string()))).await;
    }

    /// The selector of a card.
    async fn card(&self, text: &str) -> String {
        let id = self
            .page
            .run(&format!(
                "[...document.querySelectorAll('.columns .card')].find((card) => \
                 card.querySelector('p').textContent === {}).dataset.id",
                json!(text)
            ))
            .await;
        format!(".columns .card[data-id={}]", id.as_str().unwrap())
    }

    async fn picture(&self, name: &str) {
        // What glides or fades has come to rest.
        let rest = "Promise.all(document.getAnimations().filter((one) => \
                    one.effect.getTiming().iterations !== Infinity).map((one) => one.finished.catch(() => {}))).then(() => true)";
        self.page.run(rest).await;
        self.page.picture(&format!("board-{name}")).await;
    }
}

/// `{"doing": […], "done": […], "todo": […]}`; keys in the order in which `serde_json` writes them.
const COLUMNS: &str = "Object.fromEntries(['doing', 'done', 'todo'].map((column) => [column, \
    [...document.querySelectorAll(`.cards[data-column=${column}] .card p`)].map((text) => text.textContent)]))";

#[tokio::test]
async fn two_people_see_each_others_cards_pointers_and_words() {
    let host = board().start().await;
    let ada = Person::come(&host, "light").await;
    ada.picture("1-door").await;
    ada.page.fill("#guest-name", "Ada Lovelace").await;
    ada.page.click("#guest button").await;
    ada.until_inside().await;
    ada.picture("2-empty").await;
    let bob = Person::join(&host, "Bob & Co", "dark").await;
    ada.page.until("document.querySelectorAll('#people li').length === 2").await;

    ada.add("todo", "Write the invitation", false).await;
    ada.add("todo", "Find a room with a window for twelve people", false).await;
    bob.until_seen("todo", "Find a room with a window for twelve people").await;
    bob.add("doing", "Order the cake", false).await;
    ada.until_seen("doing", "Order the cake").await;
    ada.add("todo", "A surprise for Bob", true).await;
    bob.add("done", "Pick a date", false).await;
    ada.until_seen("done", "Pick a date").await;
    // What came after it is there, so it would be there too.
    assert_eq!(
        bob.sees().await,
        json!({
            "doing": ["Order the cake"], "done": ["Pick a date"],
            "todo": ["Write the invitation", "Find a room with a window for twelve people"],
        })
    );

    // With the mouse.
    let from = ada.page.middle(&ada.card("Write the invitation").await).await;
    let (x, y) = ada.page.middle(&ada.card("Order the cake").await).await;
    ada.page.mouse(&[from], false).await;
    ada.page.mouse_button(from, true).await;
    ada.page.mouse(&[(from.0 + 20.0, from.1), (x - 40.0, y), (x, y - 20.0)], true).await;
    ada.page.until_shown(".ghost").await;
    ada.picture("3-dragging").await;
    bob.page.until_shown(".pointer").await;
    bob.picture("4-the-other-sees-the-pointer").await;
    ada.page.mouse_button((x, y - 20.0), false).await;
    let moved = json!({
        "doing": ["Write the invitation", "Order the cake"], "done": ["Pick a date"],
        "todo": ["Find a room with a window for twelve people"],
    });
    bob.until_sees(&moved).await;
    let mut of_ada = moved.clone();
    of_ada["todo"].as_array_mut().unwrap().push("A surprise for Bob".into());
    ada.until_sees(&of_ada).await;

    // With the keyboard.
    let card = bob.card("Order the cake").await;
    bob.page.run(&format!("document.querySelector({}).focus()", json!(card))).await;
    bob.page.key(" ").await;
    bob.page.key("ArrowRight").await;
    bob.picture("5-lifted-by-keys").await;
    bob.page.key(" ").await;
    bob.page.until("document.getElementById('said').textContent.startsWith('Dropped: Done')").await;
    ada.page.until(&format!("({COLUMNS}).done.includes('Order the cake')")).await;

    // While it is written.
    bob.page.click(".column[data-column=todo] .add").await;
    bob.page.fill(".column[data-column=todo] textarea", "Ask Grace abo").await;
    ada.page.until("document.querySelector('.column[data-column=todo] .writes').textContent !== ''").await;
    let writes = ada.page.text(".column[data-column=todo] .writes").await;
    assert_eq!(writes, "Bob & Co is writing", "a name is shown as it was typed");
    ada.picture("6-the-other-writes").await;
    bob.page.key("Escape").await;

    // On a phone, and as another colour.
    bob.page.size(390, 844, true).await;
    bob.picture("7-phone").await;
    assert_eq!(bob.page.run("document.documentElement.scrollWidth <= innerWidth").await, true);
}

#[tokio::test]
async fn a_private_card_never_leaves_for_somebody_else() {
    let host = board().start().await;
    let ada = Person::join(&host, "Ada", "light").await;
    // A third person hears everything that a page would.
    let mut visitor = Visitor::of(&host);
    visitor.register(&luckystack_tests::Account::of("Spy")).await;
    let mut spy = Socket::of(&host, visitor.token().unwrap()).await;
    spy.request("joinRoom", json!({ "group": "board-main" })).await;

    ada.add("todo", "a secret of mine", true).await;
    ada.add("doing", "everybody knows", false).await;
    let card = ada.card("a secret of mine").await;
    let (id, rest) = card.split_once("data-id=").map(|(_, rest)| rest.split_once(']').unwrap()).unwrap();
    assert_eq!(rest, "");
    for route in ["moveCard", "editCard", "removeCard"] {
        let data =
            if route == "moveCard" { json!({ "id": id, "column": "done" }) } else { json!({ "id": id }) };
        let answer = spy.sync(&format!("sync/board/{route}/v1"), "board-main", data).await;
        assert_eq!(answer["errorCode"], "board.noSuchCard", "{route}: {answer}");
    }

    let heard: Vec<_> = spy.rest().await.into_iter().filter(|event| event.name == "sync").collect();
    let all = format!("{heard:?}");
    assert!(all.contains("everybody knows") && !all.contains("a secret of mine"), "{all}");
    let whole = spy.api("api/board/get/v1", json!({ "board": "main" })).await;
    assert!(!whole.to_string().contains("a secret of mine"), "{whole}");

    // Shared and hidden again: it comes and goes on the other screen.
    let bob = Person::join(&host, "Bob", "light").await;
    let toggle = async || {
        ada.page.click(&card).await;
        ada.page.until_shown("#editor").await;
        ada.picture("8-editor").await;
        ada.page.click("#editor-private").await;
        ada.page.click("#editor .primary").await;
    };
    toggle().await;
    bob.until_seen("todo", "a secret of mine").await;
    toggle().await;
    bob.until_sees(&json!({ "doing": ["everybody knows"], "done": [], "todo": [] })).await;
    ada.until_seen("todo", "a secret of mine").await;
}

#[tokio::test]
async fn the_page_says_when_the_host_is_gone_and_goes_on_when_it_is_back() {
    let project = board();
    let mut host = project.serve(&[]).await;
    let ada = Person::join(&host, "Ada", "light").await;
    ada.add("todo", "Before", false).await;
    let port = host.port();
    host.terminate();
    assert!(host.exit().await.success(), "{}", host.log());
    drop(host);
    ada.page.until_shown("#lost").await;
    ada.picture("9-reconnecting").await;
    let host = project.serve(&["--port", &port.to_string()]).await;
    ada.until_inside().await;
    // Cards are kept by the host that is gone; sessions are kept on disk.
    ada.until_sees(&json!({ "doing": [], "done": [], "todo": [] })).await;
    ada.add("done", "After", false).await;

    ada.page.click("#leave").await;
    ada.page.until_shown("#again").await;
    ada.picture("10-back-at-the-door").await;
    ada.page.click("#again").await;
    ada.until_inside().await;
    ada.until_seen("done", "After").await;
    // Nothing is left of whoever closes the page.
    let bob = Person::join(&host, "Bob", "light").await;
    ada.page.until("document.querySelectorAll('#people li').length === 2").await;
    tokio::time::sleep(A_WHILE).await;
    bob.page.go("about:blank").await;
    ada.page.until("document.querySelectorAll('#people li').length === 1").await;
}
