//! Runs a program in a process group of its own and hands out its output line by line.
//!
//! The rule: when the future is dropped, the whole group ends. A compiler's children (rustc, linkers,
//! build scripts) would otherwise go on working, and hold locks, for a result that nobody wants.

use std::io;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;

/// A line, without its line end, and where it was printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// On standard output.
    Out(String),
    /// On standard error.
    Err(String),
}

/// Ends the group when dropped, unless its leader has ended by itself.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.take()
            && let Err(error) = kill_process_group(group, Signal::KILL)
        {
            tracing::debug!(%error, group = group.as_raw_nonzero(), "process group already gone");
        }
    }
}

/// Runs `command` without input and calls `line` for everything that it prints.
pub(crate) async fn run(mut command: Command, mut line: impl FnMut(Line)) -> io::Result<ExitStatus> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        // The group guard ends all of them; this makes the runtime reap the leader.
        .kill_on_drop(true)
        .spawn()?;
    let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let mut group = Group(id);

    let (send, mut lines) = mpsc::channel(64);
    let out = child.stdout.take().map(|pipe| read_lines(pipe, send.clone(), Line::Out));
    let err = child.stderr.take().map(|pipe| read_lines(pipe, send, Line::Err));
    let readers = async {
        // Both pipes must be emptied side by side, or a full one blocks the program.
        let (out, err) = tokio::join!(run_optional(out), run_optional(err));
        out.and(err)
    };
    let consume = async {
        while let Some(next) = lines.recv().await {
            line(next);
        }
    };
    let (read, ()) = tokio::join!(readers, consume);
    read?;
    let status = child.wait().await?;
    group.0 = None;
    Ok(status)
}

async fn run_optional(reader: Option<impl Future<Output = io::Result<()>>>) -> io::Result<()> {
    match reader {
        Some(reader) => reader.await,
        None => Ok(()),
    }
}

async fn read_lines(
    pipe: impl AsyncRead + Unpin,
    send: mpsc::Sender<Line>,
    wrap: fn(String) -> Line,
) -> io::Result<()> {
    let mut pipe = BufReader::new(pipe);
    let mut bytes = Vec::new();
    while pipe.read_until(b'\n', &mut bytes).await? > 0 {
        let text = String::from_utf8_lossy(&bytes);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if send.send(wrap(text.to_owned())).await.is_err() {
            return Ok(());
        }
        bytes.clear();
    }
    Ok(())
}
