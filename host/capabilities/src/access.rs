//! What sessions, accounts and uploads have in common: they are somebody else's, and asked for by guests.

use futures::future::BoxFuture;
use luckystack_plugins::HandlerError;
use tracing::Instrument;

/// Future of an answer; the error is what the guest, and by default its client, gets to know.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, HandlerError>>;

/// The error of a host without login.
pub(crate) fn no_login() -> HandlerError {
    HandlerError::new("auth.disabled", 404)
}

/// Runs to the end whatever becomes of the call. A call that meets its deadline in the middle must not
/// leave a password changed and the sessions of the old one alive.
pub(crate) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, HandlerError>> + Send + 'static,
) -> Result<T, HandlerError> {
    tokio::spawn(work.in_current_span()).await.unwrap_or_else(|error| {
        tracing::error!(%error, "work for a guest did not end");
        Err(HandlerError::new("api.internalServerError", 500))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_goes_on_when_its_call_is_dropped() {
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (go_on, goes_on) = tokio::sync::oneshot::channel::<()>();
        let (done, ends) = tokio::sync::oneshot::channel();
        let call = tokio::spawn(to_its_end(async move {
            let _ = begun.send(());
            let _ = goes_on.await;
            let _ = done.send(());
            Ok(())
        }));
        begins.await.unwrap();
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        go_on.send(()).unwrap();
        ends.await.unwrap();
    }

    #[tokio::test]
    async fn work_that_panics_is_an_internal_error() {
        let error = to_its_end::<()>(async { panic!("asked to") }).await.unwrap_err();
        assert_eq!((&*error.error_code, error.http_status), ("api.internalServerError", Some(500)));
    }
}
