//! What the host writes to people: short, plain, and nothing in it that a stranger chose.

use std::time::Duration;

use super::Message;

/// A code to log in with.
pub(crate) fn login_code(app: &str, to: &str, code: &str, life: Duration) -> Message {
    message(
        to,
        format!("Your code for {app}"),
        format!(
            "Hello,\n\nyour code to log in to {app} is\n\n    {code}\n\nIt works once, for {}. If you did not \
             ask for it, you need not do anything: nobody gets in without it.\n",
            span(life)
        ),
    )
}

/// A code as second factor.
pub(crate) fn second_factor_code(app: &str, to: &str, code: &str, life: Duration) -> Message {
    message(
        to,
        format!("Your code for {app}"),
        format!(
            "Hello,\n\nyour code to finish logging in to {app} is\n\n    {code}\n\nIt works once, for {}. If \
             you are not logging in just now, somebody else knows your password: please change it.\n",
            span(life)
        ),
    )
}

/// A link for a new password.
pub(crate) fn password_reset(app: &str, to: &str, link: &str, life: Duration) -> Message {
    message(
        to,
        format!("A new password for {app}"),
        format!(
            "Hello,\n\nto choose a new password for {app}, open\n\n    {link}\n\nThe link works once, for {}. \
             If you did not ask for it, you need not do anything: your password stays as it is.\n",
            span(life)
        ),
    )
}

/// A link that confirms an e-mail address.
pub(crate) fn email_change(app: &str, to: &str, link: &str, life: Duration) -> Message {
    message(
        to,
        format!("Confirm your e-mail address for {app}"),
        format!(
            "Hello,\n\nto use this e-mail address for your {app} account, open\n\n    {link}\n\nThe link works \
             once, for {}. If you did not ask for it, you need not do anything.\n",
            span(life)
        ),
    )
}

/// To the address that an account had before.
pub(crate) fn email_changed(app: &str, to: &str) -> Message {
    message(
        to,
        format!("Your e-mail address for {app} has changed"),
        format!(
            "Hello,\n\nyour {app} account now has another e-mail address, and this one is no longer used. If \
             that was not you, please get in touch with the people who run {app}.\n"
        ),
    )
}

fn message(to: &str, subject: String, text: String) -> Message {
    Message { to: to.to_owned(), subject, text }
}

/// `10 minutes`, `1 hour`; rounded down to what people say.
fn span(life: Duration) -> String {
    let seconds = life.as_secs();
    let (count, unit) = match seconds {
        0..120 => (seconds.max(1), "second"),
        120..7200 if !seconds.is_multiple_of(3600) => (seconds / 60, "minute"),
        120..172_800 if !seconds.is_multiple_of(86_400) => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{login_code, password_reset, span};

    #[test]
    fn lives_are_said_as_people_say_them() {
        for (seconds, says) in [
            (1, "1 second"),
            (90, "90 seconds"),
            (600, "10 minutes"),
            (3600, "1 hour"),
            (5400, "90 minutes"),
            (7200, "2 hours"),
            (86_400, "1 day"),
            (604_800, "7 days"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), says);
        }
    }

    #[test]
    fn messages_hold_what_they_are_for() {
        let code = login_code("Fleet", "ann@example.com", "123456", Duration::from_secs(600));
        assert_eq!((&*code.to, &*code.subject), ("ann@example.com", "Your code for Fleet"));
        assert!(code.text.contains("\n    123456\n") && code.text.contains("10 minutes"));
        assert!(!format!("{code:?}").contains("123456"), "codes are not printed");
        let link = "https://app.example.com/reset-password?token=abc";
        let reset = password_reset("Fleet", "ann@example.com", link, Duration::from_secs(3600));
        assert!(reset.text.contains(&format!("\n    {link}\n")));
    }
}
