//! E-mail: SMTP, or a development outbox that shows messages in the terminal.

use std::sync::Arc;

use luckystack_topology::EmailConfig;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
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
#[derive(Clone, Debug)]
pub struct Mailer {}

impl Mailer {
    /// SMTP as configured; without it the outbox: every message goes to `show`, unless `production`, where
    /// sending fails with a message that says what to configure.
    pub fn new(
        config: &EmailConfig,
        production: bool,
        show: Arc<dyn Fn(&SentMessage) + Send + Sync>,
    ) -> Result<Self, String> {
        let _ = (config, production, show);
        unimplemented!()
    }

    /// Sends a message, between the hooks `preEmailSend` and `postEmailSend` of the identity that owns it.
    pub async fn send(&self, message: &Message) -> Result<(), String> {
        let _ = message;
        unimplemented!()
    }
}
