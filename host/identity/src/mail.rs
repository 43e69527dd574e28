//! E-mail: SMTP, or a development outbox that shows messages in the terminal.

mod smtp;
pub(crate) mod texts;

use std::sync::Arc;

use luckystack_sessions::{Hooks, NoHooks};
use luckystack_topology::EmailConfig;
use serde_json::{Value, json};

use self::smtp::Smtp;

/// One message.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Receiver.
    pub to: String,
    /// Subject.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// A message of the outbox.
pub type SentMessage = Message;

/// Sends e-mails. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    way: Way,
    hooks: Arc<dyn Hooks>,
}

#[derive(Clone)]
enum Way {
    Smtp(Arc<Smtp>),
    Outbox(Arc<dyn Fn(&SentMessage) + Send + Sync>),
    /// Production without SMTP.
    None,
}

impl Mailer {
    /// SMTP as configured; without it the outbox: every message goes to `show`, unless `production`, where
    /// sending fails with a message that says what to configure.
    ///
    /// `smtps://` speaks TLS from the first byte (port 465). `smtp://` (port 587) upgrades by STARTTLS:
    /// `?tls=required` sends nothing without it, `?tls=opportunistic` uses it where it is offered,
    /// `?tls=none` does not. Left out, it is `required` with a password in the URL and `opportunistic`
    /// without. Fails when `from` or the URL cannot be used, and says which; the URL, which may hold a
    /// password, is not repeated.
    pub fn new(
        config: &EmailConfig,
        production: bool,
        show: Arc<dyn Fn(&SentMessage) + Send + Sync>,
    ) -> Result<Self, String> {
        let way = match &config.smtp_url {
            Some(url) => Way::Smtp(Arc::new(Smtp::new(url, config.from.as_deref())?)),
            None if production => Way::None,
            None => Way::Outbox(show),
        };
        Ok(Self { way, hooks: Arc::new(NoHooks) })
    }

    /// The same with the hooks of an identity.
    pub(crate) fn with_hooks(self, hooks: Arc<dyn Hooks>) -> Self {
        Self { hooks, ..self }
    }

    /// Whether there is a way to send at all.
    pub(crate) fn can_send(&self) -> bool {
        !matches!(self.way, Way::None)
    }

    /// Sends a message, between the hooks `preEmailSend` (which may stop it) and `postEmailSend` of the
    /// identity that owns it.
    ///
    /// The error is for the log: it names the receiver's server's or the hook's answer, never the text.
    pub async fn send(&self, message: &Message) -> Result<(), String> {
        let payload = || {
            json!({
                "message": { "to": message.to, "subject": message.subject, "text": message.text },
                "adapter": self.adapter(),
            })
        };
        if let Some(stop) = self.hooks.ask_with("preEmailSend", payload).await {
            return Err(format!("the hook preEmailSend stopped it: {}", stop.error_code));
        }
        let sent = self.deliver(message).await;
        if self.hooks.wanted("postEmailSend") {
            let mut payload = payload();
            payload["ok"] = Value::Bool(sent.is_ok());
            match &sent {
                Ok(Some(id)) => payload["messageId"] = Value::from(id.as_str()),
                Ok(None) => {}
                Err(reason) => payload["reason"] = Value::from(reason.as_str()),
            }
            self.hooks.tell("postEmailSend", payload);
        }
        sent.map(|_| ())
    }

    /// The message's id, where it got one.
    async fn deliver(&self, message: &Message) -> Result<Option<String>, String> {
        match &self.way {
            Way::Smtp(smtp) => smtp.send(message).await.map(Some),
            Way::Outbox(show) => {
                show(message);
                Ok(None)
            }
            Way::None => Err("e-mails cannot be sent: set email.smtp_url and email.from in the project's \
                              configuration (smtp_url = \"smtps://user:password@smtp.example.com\")"
                .to_owned()),
        }
    }

    fn adapter(&self) -> &'static str {
        match self.way {
            Way::Smtp(_) => "smtp",
            Way::Outbox(_) => "console",
            Way::None => "none",
        }
    }
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer").field("adapter", &self.adapter()).finish_non_exhaustive()
    }
}

/// The text, which may hold codes and links, is not printed.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("to", &self.to)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}
