//! A person at a browser, as a host sees one: cookies, an origin, CSRF tokens, session storage.
//!
//! It does what the stock front end does (wire protocol §10.4, §10.6) and nothing that a browser would not.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::client::{Answer, Call, Connection};
use crate::host::Host;

/// The route that a stock front end asks first.
const SESSION: &str = "/api/system/session/v1";

/// How a session travels (wire protocol §5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In the cookie.
    Cookie,
    /// In a header, kept by the page.
    Token,
}

/// Somebody to register.
#[derive(Clone, Debug)]
pub struct Account {
    /// Shown name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// Password.
    pub password: String,
}

/// A browser with one page open.
#[derive(Clone, Debug)]
pub struct Visitor {
    address: SocketAddr,
    mode: Mode,
    cookies: Vec<Cookie>,
    /// `sessionStorage["token"]`
    stored: Option<String>,
    /// The CSRF token that the page remembers.
    csrf: Option<String>,
    /// Headers of every request.
    headers: Vec<(String, String)>,
}

/// A cookie as a browser keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Name.
    pub name: String,
    /// Value, as it was set.
    pub value: String,
    /// For which paths.
    pub path: String,
}

impl Account {
    /// Somebody with this name; the rest follows from it.
    pub fn of(name: &str) -> Account {
        let lower = name.to_lowercase();
        Account {
            name: name.to_owned(),
            email: format!("{lower}@example.com"),
            password: format!("correct horse of {lower}"),
        }
    }

    /// The body of a registration.
    pub fn registration(&self) -> Value {
        json!({
            "email": self.email,
            "password": self.password,
            "name": self.name,
            "confirmPassword": self.password,
        })
    }

    /// The body of a login.
    pub fn login(&self) -> Value {
        json!({ "email": self.email, "password": self.password })
    }
}

impl Visitor {
    /// Somebody new, in cookie mode.
    pub fn of(host: &Host) -> Visitor {
        Visitor::with_mode(host, Mode::Cookie)
    }

    /// Somebody new.
    pub fn with_mode(host: &Host, mode: Mode) -> Visitor {
        Visitor {
            address: host.address(),
            mode,
            cookies: Vec::new(),
            stored: None,
            csrf: None,
            headers: Vec::new(),
        }
    }

    /// Comes through a proxy that says this address; hosts believe it with `http.trust_proxy`.
    pub fn from(self, ip: &str) -> Visitor {
        self.header("x-forwarded-for", ip)
    }

    /// Sends a header with every request.
    pub fn header(mut self, name: &str, value: &str) -> Visitor {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same browser, its page loaded from another host of the app.
    pub fn at(&self, host: &Host) -> Visitor {
        Visitor { address: host.address(), ..self.clone() }
    }

    /// Sends a request with what a browser adds by itself: cookies, and what the page keeps as token.
    pub async fn send(&mut self, call: Call) -> Answer {
        let mut connection = Connection::open(self.address).await;
        self.send_over(&mut connection, call).await
    }

    /// The same over a kept connection.
    pub async fn send_over(&mut self, connection: &mut Connection, call: Call) -> Answer {
        let answer = connection.send(self.dressed(call)).await;
        self.keep(&answer);
        answer
    }

    /// The request as the browser sends it.
    pub fn dressed(&self, mut call: Call) -> Call {
        let path = call.path().split('?').next().unwrap_or_default().to_owned();
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .filter(|cookie| path.starts_with(&cookie.path))
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        if !cookies.is_empty() {
            call = call.header("cookie", &cookies.join("; "));
        }
        if let (Mode::Token, Some(token)) = (self.mode, &self.stored) {
            call = call.header("authorization", &format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            call = call.header(name, value);
        }
        call
    }

    /// Takes what an answer leaves in a browser.
    pub fn keep(&mut self, answer: &Answer) {
        for line in answer.headers.get_all("set-cookie") {
            self.keep_cookie(line.to_str().unwrap());
        }
        if let Some(token) = answer.header("x-session-token") {
            self.stored = Some(token.to_owned());
        }
    }

    fn keep_cookie(&mut self, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let attribute = |wanted: &str| {
            line.split(';').skip(1).find_map(|part| {
                let (key, value) = part.trim().split_once('=')?;
                key.eq_ignore_ascii_case(wanted).then_some(value)
            })
        };
        let path = attribute("path").unwrap_or("/").to_owned();
        self.cookies.retain(|cookie| cookie.name != name || cookie.path != path);
        if attribute("max-age") != Some("0") {
            self.cookies.push(Cookie { name: name.to_owned(), value: value.to_owned(), path });
        }
    }

    /// `httpFetch` (§10.4): with a CSRF token where one is needed, fetched when it is not known, and once
    /// more when it was the wrong one.
    pub async fn fetch(&mut self, call: Call) -> Answer {
        if self.mode == Mode::Token || call.is_safe() {
            return self.send(call).await;
        }
        for _ in 0..2 {
            if self.csrf.is_none() {
                let answer = self.send(Call::get("/auth/csrf")).await;
                if answer.status == 200 {
                    self.csrf = answer.json()["csrfToken"].as_str().map(str::to_owned);
                }
            }
            let dressed = match &self.csrf {
                Some(token) => call.clone().header("x-csrf-token", token),
                None => call.clone(),
            };
            let answer = self.send(dressed).await;
            if answer.status != 403 || !answer.text().contains("auth.csrfMismatch") {
                return answer;
            }
            self.csrf = None;
        }
        self.send(call).await
    }

    /// Posts a JSON body to a route of the app, as its page does.
    pub async fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.fetch(Call::post(path).json(body)).await
    }

    /// Sends the login form (§10.6): a login, or a registration when the body has its fields.
    pub async fn submit(&mut self, body: &Value) -> Answer {
        self.submit_to("/auth/api/credentials", body).await
    }

    /// The same to another route that logs in.
    pub async fn submit_to(&mut self, path: &str, body: &Value) -> Answer {
        let based = if self.mode == Mode::Token { "true" } else { "false" };
        let answer = self.send(Call::post(path).json(body).header("x-session-based-token", based)).await;
        if answer.status == 200 && answer.json()["authenticated"] == true {
            // The page loads anew.
            self.csrf = None;
        }
        answer
    }

    /// Registers somebody, who is then signed in. The session, as the answer has it.
    pub async fn register(&mut self, account: &Account) -> Value {
        self.arrive(account.registration(), "login.userCreated").await
    }

    /// Logs somebody in. The session, as the answer has it.
    pub async fn log_in(&mut self, account: &Account) -> Value {
        self.arrive(account.login(), "login.loggedIn").await
    }

    async fn arrive(&mut self, body: Value, reason: &str) -> Value {
        let answer = self.submit(&body).await;
        let mut body = answer.json();
        assert_eq!((answer.status, &body["reason"]), (200, &json!(reason)), "{body}");
        assert_eq!((&body["status"], &body["authenticated"]), (&json!(true), &json!(true)), "{body}");
        body["session"].take()
    }

    /// `POST /auth/logout`, as the sample front end does.
    pub async fn log_out(&mut self) -> Answer {
        let answer = self.fetch(Call::post("/auth/logout").json(&json!({}))).await;
        if answer.status == 200 {
            self.stored = None;
        }
        answer
    }

    /// What the front end asks first: the session without its secrets, or null.
    pub async fn session(&mut self) -> Value {
        self.post(SESSION, &json!({})).await.result()
    }

    /// The token that it would present.
    pub fn token(&self) -> Option<&str> {
        match self.mode {
            Mode::Token => self.stored.as_deref(),
            Mode::Cookie => self.cookie("token"),
        }
    }

    /// A cookie's value.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|cookie| cookie.name == name).map(|cookie| &*cookie.value)
    }

    /// Puts a cookie into the browser, as somebody with a hand in it could.
    pub fn plant(&mut self, name: &str, value: &str) {
        self.keep_cookie(&format!("{name}={value}; Path=/"));
    }

    /// Its CSRF token, asked for now.
    pub async fn csrf(&mut self) -> String {
        let answer = self.send(Call::get("/auth/csrf")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["csrfToken"].as_str().unwrap().to_owned()
    }
}
