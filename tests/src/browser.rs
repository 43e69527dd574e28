//! A real browser without a window: Chromium, spoken to over its DevTools protocol.
//!
//! The protocol travels over a pipe that only this process holds, so no port is open and nothing has to be
//! installed besides the browser itself.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;

use crate::guests::target;
use crate::programs::program;

/// How long anything on a page may take to show, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// Chromium reads commands from descriptor 3 and writes to 4; programs are started with 0 to 2.
const WITH_PIPES: &str = "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>/dev/null";

/// Nothing but what the test asks for: no first-run pages, no calls home, no other protocols.
const ARGUMENTS: [&str; 14] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--remote-debugging-pipe",
    "about:blank",
];

/// A running browser with a profile of its own. Dropping it kills it.
#[derive(Debug)]
pub struct Browser {
    wire: Arc<Wire>,
    _child: Child,
    _profile: TempDir,
}

/// A tab.
#[derive(Debug)]
pub struct Page {
    wire: Arc<Wire>,
    session: String,
}

/// The pipe to the browser: commands out, answers in.
#[derive(Debug)]
struct Wire {
    commands: tokio::sync::Mutex<ChildStdin>,
    number: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Result<Value, String>>>>,
}

impl Browser {
    /// Starts one with an empty profile.
    pub async fn start() -> Browser {
        let chromium = program("chromium", &["/usr/bin"], "chromium");
        let profile = tempfile::Builder::new().prefix("luckystack-browser-").tempdir().unwrap();
        let mut child = Command::new("/bin/sh")
            .args(["-c", WITH_PIPES, "sh"])
            .arg(chromium)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(ARGUMENTS)
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let wire = Arc::new(Wire {
            commands: tokio::sync::Mutex::new(child.stdin.take().unwrap()),
            number: AtomicU64::new(1),
            waiting: Mutex::default(),
        });
        tokio::spawn(Arc::clone(&wire).listen(child.stdout.take().unwrap()));
        let browser = Browser { wire, _child: child, _profile: profile };
        let started = browser.wire.ask(None, "Browser.getVersion", json!({})).await;
        assert!(started["product"].is_string(), "{started}");
        browser
    }

    /// Opens a tab, empty at first.
    pub async fn open(&self) -> Page {
        let target = self.wire.ask(None, "Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.wire.ask(None, "Target.attachToTarget", attach).await;
        let session = attached["sessionId"].as_str().unwrap().to_owned();
        Page { wire: Arc::clone(&self.wire), session }
    }
}

impl Page {
    /// Goes to an address and waits until the page is there.
    pub async fn go(&self, url: &str) {
        let went = self.ask("Page.navigate", json!({ "url": url })).await;
        assert_eq!(went["errorText"], Value::Null, "{url}: {went}");
        self.until(&format!(
            "location.href.startsWith({}) && document.readyState === 'complete'",
            json!(url)
        ))
        .await;
    }

    /// Loads the page again, as its user would.
    pub async fn reload(&self) {
        self.run("window.isOld = true").await;
        self.ask("Page.reload", json!({ "ignoreCache": true })).await;
        self.until("!window.isOld && document.readyState === 'complete'").await;
    }

    /// Waits until an expression of the page is true, whatever navigations happen meanwhile.
    pub async fn until(&self, expression: &str) {
        // Looked at after every frame of the page, in the page.
        let promise = format!(
            "new Promise(done => {{ const look = () => ({expression}) ? done(true) : setTimeout(look, 10); look(); }})"
        );
        let wait = async {
            // A page that goes away takes its promises with it: the next one is asked again.
            while self.evaluate(&promise).await != Ok(Value::Bool(true)) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let shown = self.evaluate("document.body.innerText").await;
            panic!("the page never came to {expression}; it shows {shown:?}");
        }
    }

    /// Waits until an element is on the page and shown.
    pub async fn until_shown(&self, selector: &str) {
        let selector = json!(selector);
        self.until(&format!("document.querySelector({selector})?.checkVisibility() === true")).await;
    }

    /// Types into a field.
    pub async fn fill(&self, selector: &str, text: &str) {
        self.until_shown(selector).await;
        let selector = json!(selector);
        self.run(&format!(
            "document.querySelector({selector}).focus(), document.querySelector({selector}).select()"
        ))
        .await;
        self.ask("Input.insertText", json!({ "text": text })).await;
    }

    /// Presses a button with the mouse.
    pub async fn click(&self, selector: &str) {
        self.until_shown(selector).await;
        let at = self
            .run(&format!(
                "(() => {{ const box = document.querySelector({}).getBoundingClientRect();
                 return {{ x: box.x + box.width / 2, y: box.y + box.height / 2 }}; }})()",
                json!(selector)
            ))
            .await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": at["x"], "y": at["y"], "button": "left", "clickCount": 1,
            });
            self.ask("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Where the middle of an element is.
    pub async fn middle(&self, selector: &str) -> (f64, f64) {
        let at = self
            .run(&format!(
                "(() => {{ const box = document.querySelector({}).getBoundingClientRect();
                 return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
                json!(selector)
            ))
            .await;
        (at[0].as_f64().unwrap(), at[1].as_f64().unwrap())
    }

    /// Moves the mouse from where the path begins along it; with `button`, pressed.
    pub async fn mouse(&self, path: &[(f64, f64)], button: bool) {
        for (x, y) in path {
            let buttons = u8::from(button);
            let event = json!({ "type": "mouseMoved", "x": x, "y": y, "buttons": buttons });
            self.ask("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Presses the mouse where it is, or lets go.
    pub async fn mouse_button(&self, (x, y): (f64, f64), down: bool) {
        let kind = if down { "mousePressed" } else { "mouseReleased" };
        let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
        self.ask("Input.dispatchMouseEvent", event).await;
    }

    /// Presses a key and lets go of it: `ArrowUp`, `Enter`, ` `.
    pub async fn key(&self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            " " => " ",
            _ => "",
        };
        let down = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        let code = if key == " " { "Space" } else { key };
        for kind in [down, "keyUp"] {
            let event = json!({ "type": kind, "key": key, "code": code, "text": text });
            self.ask("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Gives the page this many pixels; with `phone` as a small screen that is touched.
    pub async fn size(&self, width: u32, height: u32, phone: bool) {
        let scale = if phone { 2 } else { 1 };
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone });
        self.ask("Emulation.setDeviceMetricsOverride", metrics).await;
        self.ask("Emulation.setTouchEmulationEnabled", json!({ "enabled": phone })).await;
    }

    /// The colours that the system prefers: `light` or `dark`.
    pub async fn colours(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.ask("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// The text of an element.
    pub async fn text(&self, selector: &str) -> String {
        let text = self.run(&format!("document.querySelector({}).innerText", json!(selector))).await;
        text.as_str().unwrap().to_owned()
    }

    /// Runs a script in the page; its value, or that of the promise that it gives.
    pub async fn run(&self, script: &str) -> Value {
        self.evaluate(script).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    async fn evaluate(&self, script: &str) -> Result<Value, String> {
        let params = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let mut given = self.wire.try_ask(Some(&self.session), "Runtime.evaluate", params).await?;
        match given.get("exceptionDetails") {
            Some(exception) => Err(exception.to_string()),
            None => Ok(given["result"]["value"].take()),
        }
    }

    /// The browser's cookies of the page, those that scripts cannot see included.
    pub async fn cookies(&self) -> Vec<Value> {
        let cookies = self.ask("Network.getCookies", json!({})).await;
        cookies["cookies"].as_array().unwrap().clone()
    }

    /// Saves what the page looks like as `target/test-browser/<name>.png`.
    pub async fn picture(&self, name: &str) {
        let picture = self.ask("Page.captureScreenshot", json!({ "format": "png" })).await;
        let bytes = BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        let dir = target().join("test-browser");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(Path::new(name).with_extension("png")), bytes).unwrap();
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        self.wire.ask(Some(&self.session), method, params).await
    }
}

impl Wire {
    async fn ask(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.try_ask(session, method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    async fn try_ask(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value, String> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().unwrap().insert(number, sender);
        let mut command = json!({ "id": number, "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.commands.lock().await.write_all(&bytes).await.map_err(|error| error.to_string())?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err("the browser is gone".to_owned()),
            Err(_) => Err("the browser does not answer".to_owned()),
        }
    }

    /// Hands out answers to the end of the browser; events are nobody's.
    async fn listen(self: Arc<Self>, from: ChildStdout) {
        let mut from = BufReader::new(from);
        let mut message = Vec::new();
        while from.read_until(0, &mut message).await.is_ok_and(|read| read > 0) {
            message.pop();
            let mut answer: Value = serde_json::from_slice(&message).unwrap_or_default();
            message.clear();
            let Some(number) = answer["id"].as_u64() else { continue };
            let Some(waiting) = self.waiting.lock().unwrap().remove(&number) else { continue };
            let answer = match answer.get("error") {
                Some(error) => Err(error.to_string()),
                None => Ok(answer["result"].take()),
            };
            let _ = waiting.send(answer);
        }
        self.waiting.lock().unwrap().clear();
    }
}
