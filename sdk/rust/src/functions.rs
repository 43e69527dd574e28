//! Calling functions of other plugins, of the project and of the host by name.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{HandlerError, host};

/// Calls a function by its full name, such as `geo/distance`.
///
/// # Errors
/// The function's own; `functions.notFound` when nobody provides it, `functions.callDepthExceeded` past 8
/// nested calls; internal when the arguments or the result do not fit their types.
pub fn call<A: Serialize, R: DeserializeOwned>(name: &str, args: &A) -> Result<R, HandlerError> {
    let result = host::call_function(name, &serde_json::to_vec(args)?)?;
    serde_json::from_slice(&result)
        .map_err(|error| HandlerError::internal(format_args!("the result of `{name}` does not fit: {error}")))
}
