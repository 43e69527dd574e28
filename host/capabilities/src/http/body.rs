//! Bodies with bounds: their size and, for answers, the time between two pieces.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::{Error, WasiBody};

/// Largest body in either direction: as much as an instance's memory by default. Larger ones could
/// only pass through, and a call has not the time for that.
pub(super) const MAX_BODY: u64 = 64 << 20;

/// The body of an answer. It holds its request's place until its end is reached or it is dropped.
pub(super) struct Incoming {
    inner: hyper::body::Incoming,
    left: u64,
    patience: Pin<Box<Sleep>>,
    between_bytes: Duration,
    deadline: Instant,
    /// Whether `patience` runs: it measures waiting, not the time that the guest takes to ask.
    waiting: bool,
    place: Option<OwnedSemaphorePermit>,
}

/// The body of a request.
pub(super) struct Outgoing {
    inner: WasiBody,
    left: u64,
}

impl Incoming {
    pub(super) fn new(
        inner: hyper::body::Incoming,
        between_bytes: Duration,
        deadline: Instant,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let ended = inner.is_end_stream();
        Incoming {
            inner,
            left: MAX_BODY,
            patience: Box::pin(tokio::time::sleep_until(deadline)),
            between_bytes,
            deadline,
            waiting: false,
            place: (!ended).then_some(place),
        }
    }

    fn next(
        &mut self,
        frame: Option<Result<Frame<Bytes>, hyper::Error>>,
    ) -> Option<Result<Frame<Bytes>, Error>> {
        let frame = frame.map(|frame| {
            count(frame.map_err(Error::from)?, &mut self.left, || Error::HttpResponseBodySize(Some(MAX_BODY)))
        });
        if !matches!(frame, Some(Ok(_))) || self.inner.is_end_stream() {
            self.place = None;
        }
        frame
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            self.waiting = false;
            return Poll::Ready(self.next(frame));
        }
        if !self.waiting {
            self.waiting = true;
            let until = Instant::now().checked_add(self.between_bytes).unwrap_or(self.deadline);
            let until = until.min(self.deadline);
            self.patience.as_mut().reset(until);
        }
        match self.patience.as_mut().poll(cx) {
            Poll::Ready(()) => {
                self.place = None;
                Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Outgoing {
    pub(super) fn new(inner: WasiBody) -> Self {
        Outgoing { inner, left: MAX_BODY }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        Pin::new(&mut this.inner).poll_frame(cx).map(|frame| {
            frame.map(|frame| count(frame?, &mut this.left, || Error::HttpRequestBodySize(Some(MAX_BODY))))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn count(frame: Frame<Bytes>, left: &mut u64, error: impl Fn() -> Error) -> Result<Frame<Bytes>, Error> {
    let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
    *left = left.checked_sub(bytes).ok_or_else(error)?;
    Ok(frame)
}
