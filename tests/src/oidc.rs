//! A real OpenID Connect provider of a test's own (`oidc-provider` on Node, `tests/oidc`), and a browser
//! that walks through its forms.
//!
//! ```text
//! provider = OidcProvider::start(&["http://127.0.0.1:4000/auth/callback/acme"])
//! location = where the app under test sends the browser to log in
//! callback = provider.log_in(location, "jane")     // …/auth/callback/acme?code=…&state=…&iss=…
//! ```
//!
//! Whoever logs in as `jane` has the subject `jane`, the verified e-mail `jane@example.com`, the name
//! `jane of the provider` and the picture `https://pictures.example.com/jane.png`.

use std::net::SocketAddr;
use std::process::Stdio;

use http::Method;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::client::{Answer, Call, Connection};
use crate::host::PATIENCE;
use crate::programs::{node_program, program};

/// More pages than a login has.
const MAX_STEPS: usize = 20;

/// A running provider with one client. Dropping it kills it.
#[derive(Debug)]
pub struct OidcProvider {
    issuer: String,
    _child: Child,
}

impl OidcProvider {
    /// Starts one that sends people back to these addresses alone, and waits until it listens. Installs
    /// it first if it is missing.
    pub async fn start(redirect_uris: &[&str]) -> OidcProvider {
        let dir = tokio::task::spawn_blocking(|| node_program("oidc")).await.unwrap();
        let mut child = Command::new(program("node", &[], "nodejs"))
            .arg(dir.join("server.mjs"))
            .args(redirect_uris)
            // It ends with its input, should this process not live to kill it.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it did not start");
        let line = line.unwrap().expect("it ended; run tests/oidc/server.mjs to see why");
        // Whatever else it prints is read as well: it would fail otherwise.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let said: Value = serde_json::from_str(&line).unwrap();
        OidcProvider { issuer: said["issuer"].as_str().unwrap().to_owned(), _child: child }
    }

    /// `http://127.0.0.1:<port>`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The id of its client.
    pub fn client_id(&self) -> &'static str {
        "luckystack-test"
    }

    /// The secret of its client.
    pub fn client_secret(&self) -> &'static str {
        "luckystack-test-secret-of-forty-characters"
    }

    /// Goes to `location` with a new browser, logs in under a name and consents. Returns where the browser
    /// is sent in the end, without going there.
    pub async fn log_in(&self, location: &str, login: &str) -> String {
        let fields = [("login", login), ("password", "any")];
        self.walk(location, |page| page.form(&fields)).await
    }

    /// Goes to `location` with a new browser and turns away at the first form.
    pub async fn refuse(&self, location: &str) -> String {
        self.walk(location, Page::abort).await
    }

    /// Follows redirects and does what `choose` says on pages, until the browser is sent away.
    async fn walk(&self, location: &str, choose: impl Fn(&Page) -> Step) -> String {
        let mut browser = Browser { issuer: self.issuer.clone(), cookies: Vec::new() };
        let mut step = Step::get(location);
        for _ in 0..MAX_STEPS {
            let answer = browser.send(&step).await;
            step = match answer.header("location") {
                Some(next) if next.starts_with('/') || is_below(next, &self.issuer) => Step::get(next),
                Some(away) => return away.to_owned(),
                None => choose(&Page { step, answer }),
            };
        }
        panic!("{location} leads in circles");
    }
}

/// Where the browser goes next.
struct Step {
    method: Method,
    url: String,
    body: String,
}

/// What it sees.
struct Page {
    step: Step,
    answer: Answer,
}

struct Browser {
    issuer: String,
    /// Name, path and value.
    cookies: Vec<(String, String, String)>,
}

impl Step {
    fn get(url: &str) -> Step {
        Step { method: Method::GET, url: url.to_owned(), body: String::new() }
    }
}

impl Page {
    /// Sends the page's form with its own hidden fields and those of `known` that it asks for.
    fn form(&self, known: &[(&str, &str)]) -> Step {
        let html = self.answer.text();
        let action = attribute(&html, "<form", "action").unwrap_or_else(|| self.fail("there is no form"));
        let mut fields = Vec::new();
        for input in html.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap()) {
            let Some(name) = value(input, "name") else { continue };
            let given = known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            if let Some(text) = given.or_else(|| value(input, "value")) {
                fields.push(format!("{name}={}", encode(&text)));
            }
        }
        Step { method: Method::POST, url: action, body: fields.join("&") }
    }

    /// Follows the page's link that says no.
    fn abort(&self) -> Step {
        let html = self.answer.text();
        let link = html.split("<a").find(|link| link.contains("/abort"));
        let href = link.and_then(|link| value(link, "href"));
        Step::get(&href.unwrap_or_else(|| self.fail("there is no way out")))
    }

    fn fail(&self, why: &str) -> ! {
        panic!("{why} at {}: {} {}", self.step.url, self.answer.status, self.answer.text())
    }
}

impl Browser {
    async fn send(&mut self, step: &Step) -> Answer {
        let path = step.url.strip_prefix(&self.issuer).unwrap_or(&step.url);
        let authority = self.issuer.strip_prefix("http://").unwrap();
        let address: SocketAddr = authority.parse().unwrap();
        let mut call = Call::new(step.method.clone(), path);
        if step.method == Method::POST {
            call = call.body("application/x-www-form-urlencoded", step.body.clone());
        }
        let bare = path.split('?').next().unwrap();
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(|(_, path, _)| path == "/" || is_below(bare, path))
            .map(|(name, _, value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            call = call.header("cookie", &cookies.join("; "));
        }
        let tcp = TcpStream::connect(address).await.unwrap();
        let answer = Connection::over(tcp, authority).await.send(call).await;
        for cookie in answer.headers.get_all("set-cookie") {
            self.keep(cookie.to_str().unwrap());
        }
        answer
    }

    /// Keeps or, without a value, forgets a cookie.
    fn keep(&mut self, cookie: &str) {
        let mut parts = cookie.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let path = parts.find_map(|part| part.strip_prefix("path=")).unwrap_or("/");
        self.cookies.retain(|(kept, at, _)| (&**kept, &**at) != (name, path));
        if !value.is_empty() {
            self.cookies.push((name.to_owned(), path.to_owned(), value.to_owned()));
        }
    }
}

/// Whether `path` is `folder` or something in it.
fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// An attribute of the first element that begins so.
fn attribute(html: &str, element: &str, name: &str) -> Option<String> {
    let (_, rest) = html.split_once(element)?;
    value(rest.split('>').next()?, name)
}

/// An attribute within an element.
fn value(element: &str, name: &str) -> Option<String> {
    let (_, rest) = element.split_once(&format!("{name}=\""))?;
    Some(rest.split('"').next()?.replace("&#x2F;", "/").replace("&amp;", "&"))
}

/// For a form.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| match b {
            b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect()
}
