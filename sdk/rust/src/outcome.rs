//! What a hook decides (wire protocol §11).

use std::borrow::Cow;

use serde::Serialize;

/// What happens after a hook: nothing, another response, or an end.
///
/// Hooks that only observe return nothing at all; hooks that guard may also return
/// `Result<(), HandlerError>`, where an error made by [`error!`](crate::error!) stops the call with its
/// code and status.
#[derive(Debug)]
#[must_use = "a hook decides by returning this"]
pub struct Outcome(pub(crate) Decision);

#[derive(Debug)]
pub(crate) enum Decision {
    Proceed,
    Replace(Vec<u8>),
    Stop { code: Cow<'static, str>, status: Option<u16>, override_output: Option<Vec<u8>> },
}

impl Outcome {
    /// Go on.
    pub fn proceed() -> Self {
        Self(Decision::Proceed)
    }

    /// Go on with this as the response (`preApiRespond`, `transformApiResponse`); elsewhere the same as
    /// [`Outcome::proceed`].
    ///
    /// # Errors
    /// When `response` has no JSON form.
    pub fn replace(response: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self(Decision::Replace(serde_json::to_vec(response)?)))
    }

    /// End here with this error code. Ignored by hooks that only observe.
    pub fn stop(code: impl Into<Cow<'static, str>>) -> Self {
        Self(Decision::Stop { code: code.into(), status: None, override_output: None })
    }

    /// The HTTP status of a stop; without it the stage's default, 403 for API hooks.
    pub fn status(mut self, http_status: u16) -> Self {
        if let Decision::Stop { status, .. } = &mut self.0 {
            *status = Some(http_status);
        }
        self
    }

    /// `preSyncRecipient` only: end here, but deliver this as `serverOutput` instead of skipping the
    /// recipient.
    ///
    /// # Errors
    /// When `output` has no JSON form.
    pub fn override_output(
        code: impl Into<Cow<'static, str>>,
        output: &impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        let override_output = Some(serde_json::to_vec(output)?);
        Ok(Self(Decision::Stop { code: code.into(), status: None, override_output }))
    }
}
