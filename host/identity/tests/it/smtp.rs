//! Sending to a mail server that speaks just enough SMTP.

use std::sync::Arc;

use luckystack_identity::{Mailer, Message};
use luckystack_topology::EmailConfig;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// What a server heard.
#[derive(Debug, PartialEq)]
enum Heard {
    From(String),
    To(String),
    Data(String),
}

/// A server on a port of its own that refuses receivers at `refused.example`.
async fn server() -> (u16, UnboundedReceiver<Heard>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, heard) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                let (read, mut write) = stream.into_split();
                let mut lines = BufReader::new(read).lines();
                write.write_all(b"220 test\r\n").await.unwrap();
                while let Ok(Some(line)) = lines.next_line().await {
                    let answer = match line.get(..4).unwrap_or_default() {
                        "EHLO" => "250-test\r\n250 8BITMIME",
                        "MAIL" => {
                            sender.send(Heard::From(line.clone())).unwrap();
                            "250 ok"
                        }
                        "RCPT" if line.contains("refused.example") => "550 nobody here",
                        "RCPT" => {
                            sender.send(Heard::To(line.clone())).unwrap();
                            "250 ok"
                        }
                        "DATA" => {
                            write.write_all(b"354 go on\r\n").await.unwrap();
                            let mut data = String::new();
                            while let Ok(Some(line)) = lines.next_line().await {
                                if line == "." {
                                    break;
                                }
                                data.push_str(line.strip_prefix('.').unwrap_or(&line));
                                data.push('\n');
                            }
                            sender.send(Heard::Data(data)).unwrap();
                            "250 ok"
                        }
                        "QUIT" => "221 bye",
                        _ => "500 what?",
                    };
                    write.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
                }
            });
        }
    });
    (port, heard)
}

fn mailer(url: String) -> Mailer {
    let config = EmailConfig { from: Some("Fleet <no-reply@example.com>".to_owned()), smtp_url: Some(url) };
    Mailer::new(&config, true, Arc::new(|_: &Message| panic!("shown"))).unwrap()
}

fn message(to: &str, subject: &str, text: &str) -> Message {
    Message { to: to.to_owned(), subject: subject.to_owned(), text: text.to_owned() }
}

#[tokio::test]
async fn a_message_arrives_as_it_was_written() {
    let (port, mut heard) = server().await;
    let link = format!("https://app.example.com/reset-password?token={}", "0123456789abcdef".repeat(4));
    let text = format!("Hello,\n\n    {link}\n\n.\nBcc: eve@example.com\n");
    let sent = message("ann@example.com", "Hi\r\nBcc: eve@example.com", &text);
    mailer(format!("smtp://127.0.0.1:{port}")).send(&sent).await.unwrap();
    let Some(Heard::From(from)) = heard.recv().await else { panic!("no sender") };
    assert!(from.contains("<no-reply@example.com>"), "{from}");
    assert_eq!(heard.recv().await, Some(Heard::To("RCPT TO:<ann@example.com>".to_owned())));
    let Some(Heard::Data(data)) = heard.recv().await else { panic!("no data") };
    let (headers, body) = data.split_once("\n\n").unwrap();
    assert!(
        headers.contains("From: \"Fleet\" <no-reply@example.com>")
            || headers.contains("From: Fleet <no-reply@example.com>"),
        "{headers}"
    );
    assert!(headers.contains("To: ann@example.com") && headers.contains("Message-ID: <"), "{headers}");
    assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{headers}");
    assert!(body.contains(&link), "the link is in one piece: {body}");
    assert!(body.contains("\n.\nBcc: eve@example.com"));
    assert!(heard.try_recv().is_err(), "one receiver only");
}

#[tokio::test]
async fn what_the_server_says_no_to_is_an_error() {
    let (port, _heard) = server().await;
    let mailer = mailer(format!("smtp://127.0.0.1:{port}"));
    let error = mailer.send(&message("ann@refused.example", "Hi", "secret 123456")).await.unwrap_err();
    assert!(error.contains("nobody here") && !error.contains("123456"), "{error}");
    let error =
        mailer.send(&message("ann@example.com\r\nRCPT TO:<eve@example.com>", "Hi", "x")).await.unwrap_err();
    assert!(error.contains("receiver"), "{error}");
}

#[tokio::test]
async fn without_the_encryption_that_was_asked_for_nothing_is_sent() {
    let (port, mut heard) = server().await;
    for url in [
        format!("smtp://127.0.0.1:{port}?tls=required"),
        format!("smtp://me:hunter2@127.0.0.1:{port}"),
        format!("smtps://127.0.0.1:{port}"),
    ] {
        let error = mailer(url).send(&message("ann@example.com", "Hi", "x")).await.unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let sent = mailer(format!("smtp://127.0.0.1:{port}")).send(&message("ann@example.com", "Hi", "x")).await;
    assert!(sent.is_err());
}

#[tokio::test]
async fn production_without_a_server_says_what_to_configure() {
    let show = Arc::new(|_: &Message| panic!("shown"));
    let mailer = Mailer::new(&EmailConfig::default(), true, show).unwrap();
    let error = mailer.send(&message("ann@example.com", "Hi", "x")).await.unwrap_err();
    assert!(error.contains("email.smtp_url") && error.contains("email.from"), "{error}");
    assert!(!format!("{mailer:?}").contains("example"));
}
