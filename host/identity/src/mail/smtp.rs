//! Sending over SMTP.
//!
//! A message is built by the library from parsed addresses and an encoded subject, so nothing that a person
//! typed can become a header of its own.

use std::time::Duration;

use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, Mailbox, MessageBuilder};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Url;

use super::Message;

/// One command of a conversation with a server.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// A whole message, the wait for a free connection included. People wait for it.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections at once: more than a mail server's usual limit for one client would only be refused.
const CONNECTIONS: usize = 8;

/// Longest line (RFC 5322 §2.1.1, without its end).
const MAX_LINE_BYTES: usize = 998;

/// A server to send through.
pub(super) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    places: Semaphore,
}

impl Smtp {
    pub(super) fn new(url: &str, from: Option<&str>) -> Result<Self, String> {
        let from = from.ok_or("email.from is missing: write from = \"App <no-reply@example.com>\"")?;
        let from = from.parse::<Mailbox>().map_err(|error| {
            format!("email.from is no sender ({error}): write from = \"App <no-reply@example.com>\"")
        })?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(server(url)?.as_str())
            .map_err(|error| format!("email.smtp_url cannot be used: {error}"))?
            .timeout(Some(COMMAND_TIMEOUT))
            .build();
        Ok(Self { transport, from, places: Semaphore::new(CONNECTIONS) })
    }

    /// Sends; the message's id.
    pub(super) async fn send(&self, message: &Message) -> Result<String, String> {
        let message = self.build(message)?;
        let id = message.headers().get_raw("Message-ID").unwrap_or_default().to_owned();
        let sending = async {
            let _place = self.places.acquire().await.map_err(|error| error.to_string())?;
            self.transport.send(message).await.map_err(|error| format!("the mail server: {error}"))
        };
        match timeout(SEND_TIMEOUT, sending).await {
            Ok(sent) => sent.map(|_| id),
            Err(_) => Err(format!("the mail server took more than {} s", SEND_TIMEOUT.as_secs())),
        }
    }

    pub(super) fn build(&self, message: &Message) -> Result<lettre::Message, String> {
        let to = message.to.parse::<Address>().map_err(|error| format!("the receiver: {error}"))?;
        MessageBuilder::new()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(one_line(&message.subject))
            .date_now()
            .message_id(None)
            .header(ContentType::TEXT_PLAIN)
            .body(body(&message.text))
            .map_err(|error| format!("the message: {error}"))
    }
}

/// The text as it travels: as it is where it can be, so that links stay in one piece even where somebody
/// looks at the source, else encoded.
fn body(text: &str) -> Body {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let is_plain = text.is_ascii() && text.lines().all(|line| line.len() <= MAX_LINE_BYTES);
    if !is_plain {
        return Body::new(text);
    }
    Body::dangerous_pre_encoded(text.replace('\n', "\r\n").into_bytes(), ContentTransferEncoding::SevenBit)
}

/// The subject without what would break its line.
fn one_line(subject: &str) -> String {
    subject.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// The URL with what it leaves out.
fn server(url: &str) -> Result<Url, String> {
    let mut server = Url::parse(url).map_err(|error| format!("email.smtp_url is no URL: {error}"))?;
    let mut tls = None;
    for (name, value) in server.query_pairs() {
        match (&*name, &*value) {
            ("tls", "required" | "opportunistic" | "none") => tls = Some(value.into_owned()),
            ("tls", _) => {
                return Err("email.smtp_url: tls is one of required, opportunistic and none".to_owned());
            }
            (other, _) => {
                return Err(format!("email.smtp_url: `{other}` is not understood; only ?tls= is"));
            }
        }
    }
    let has_password = !server.username().is_empty() || server.password().is_some();
    match (server.scheme(), tls.as_deref()) {
        ("smtps", None | Some("required")) => server.set_query(None),
        ("smtps", Some(_)) => {
            return Err(
                "email.smtp_url: smtps:// is TLS from the first byte; use smtp:// for less".to_owned()
            );
        }
        ("smtp", Some("none")) => {
            server.set_query(None);
            if server.port().is_none() {
                server.set_port(Some(587)).map_err(|()| "email.smtp_url names no host".to_owned())?;
            }
        }
        ("smtp", tls) => {
            // A password is not risked on a connection that somebody may have kept from being encrypted.
            let tls = tls.unwrap_or(if has_password { "required" } else { "opportunistic" });
            server.set_query(Some(&format!("tls={tls}")));
        }
        (other, _) => {
            return Err(format!("email.smtp_url begins with {other}://: use smtp:// or smtps://"));
        }
    }
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::{Smtp, body, server};
    use crate::mail::Message;

    #[test]
    fn a_password_is_only_sent_encrypted_unless_asked_otherwise() {
        let asked = |url| server(url).unwrap().query().map(str::to_owned);
        assert_eq!(asked("smtp://mail.example.com").as_deref(), Some("tls=opportunistic"));
        assert_eq!(asked("smtp://me:pw@mail.example.com").as_deref(), Some("tls=required"));
        assert_eq!(
            asked("smtp://me:pw@mail.example.com?tls=opportunistic").as_deref(),
            Some("tls=opportunistic")
        );
        assert_eq!(asked("smtp://mail.example.com:25?tls=required").as_deref(), Some("tls=required"));
        assert_eq!(asked("smtp://mail.example.com?tls=none"), None);
        assert_eq!(asked("smtps://me:pw@mail.example.com"), None);
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_repeating_it() {
        for (url, says) in [
            ("smtp://me:hunter2@mail.example.com?tls=maybe", "required, opportunistic and none"),
            ("smtp://me:hunter2@mail.example.com?pool=3", "`pool`"),
            ("smtps://me:hunter2@mail.example.com?tls=none", "first byte"),
            ("http://me:hunter2@mail.example.com", "http://"),
            ("mail.example.com", "no URL"),
        ] {
            let error = server(url).unwrap_err();
            assert!(error.contains(says) && !error.contains("hunter2"), "{error}");
        }
        let from = |from| Smtp::new("smtp://mail.example.com", from).err().unwrap_or_default();
        assert!(from(None).contains("email.from"));
        assert!(from(Some("nobody")).contains("email.from"));
        assert_eq!(from(Some("App <no-reply@example.com>")), "");
    }

    #[test]
    fn lines_stay_whole_where_mail_can_carry_them() {
        let of = |text: &str| {
            let body = body(text);
            (body.encoding().to_string(), String::from_utf8(body.into_vec()).unwrap())
        };
        let link = "x".repeat(300);
        assert_eq!(of(&format!("a\n{link}\r\n.\rb")), ("7bit".into(), format!("a\r\n{link}\r\n.\r\nb")));
        assert_ne!(of("Grüße").0, "7bit");
        assert_ne!(of(&"x".repeat(2000)).0, "7bit");
    }

    #[tokio::test]
    async fn nothing_that_was_typed_becomes_a_header() {
        let smtp = Smtp::new("smtp://mail.example.com", Some("App <no-reply@example.com>")).unwrap();
        for (to, subject) in [
            ("ann@example.com", "Hello\r\nBcc: eve@example.com"),
            ("ann@example.com", "Hello\nBcc: eve@example.com\n\nBody"),
            ("ann@example.com", "Grüße\r\n\r\nBcc: eve@example.com"),
        ] {
            let message =
                Message { to: to.into(), subject: subject.into(), text: "Hi\r\n.\r\nBcc: x".into() };
            let bytes = smtp.build(&message).unwrap().formatted();
            let text = String::from_utf8(bytes).unwrap();
            let (headers, _) = text.split_once("\r\n\r\n").unwrap();
            assert!(!headers.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{headers}");
            assert_eq!(smtp.build(&message).unwrap().envelope().to().len(), 1);
        }
        for to in ["ann@example.com\r\nBcc: eve@example.com", "ann@example.com, eve@example.com", "", "ann"] {
            let message = Message { to: to.into(), subject: "Hello".into(), text: "Hi".into() };
            assert!(smtp.build(&message).is_err(), "{to}");
        }
    }
}
