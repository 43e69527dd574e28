//! The attribute macros of the luckystack guest SDK. Use them through the crate `luckystack`.
//!
//! Each attribute leaves the function as it is and puts two items beside it, both called
//! `__luckystack_handler_FUNCTION`: a constant that describes the handler, and a macro that tells
//! [`plugin!`] what kind it is, so that only the interfaces in use are exported. Everything that can be
//! wrong with names and keys is wrong at compile time, at the token that is wrong.
#![warn(missing_docs)]

mod args;
mod handler;
mod json;
mod names;
mod plugin;
mod signature;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes a function an API handler: `fn(ctx: &Ctx, input: I) -> Result<T, HandlerError>`, where either
/// parameter may be left out.
///
/// | key | means | without it |
/// |---|---|---|
/// | `name = "getById"` | leaf name of the route | the function's name in camelCase |
/// | `version = 2` | version of the route | 1 |
/// | `page = "admin/users"` | nested page; begins with the service | the service |
/// | `method = "GET"` | HTTP method | inferred from the name (wire protocol §1.4) |
/// | `login = true` | a session is required | public; with `additional`, required |
/// | `additional = [{ key = "admin", value = true }]` | predicates on the session object (§1.5); a predicate may have `value`, `type`, `nullish`, `mustBeFalsy` | none |
/// | `rate_limit = 60`, `rate_limit = false` | calls per window and caller | the project's default |
/// | `validation = "strict"`, `"relaxed"`, `"skip"` | whether the host checks the input (§3.5) | strict |
/// | `error_formatter` | the plugin's `#[error_formatter]` rewrites this route's errors | it does not |
/// | `stream = Position` | type of the chunks sent with `ctx.stream` | it does not stream |
///
/// The doc comment is the route's description.
#[proc_macro_attribute]
pub fn api(args: TokenStream, item: TokenStream) -> TokenStream {
    run(handler::api(args.into(), item.into(), handler::Side::Api))
}

/// Makes a function the server half of a sync handler: like [`macro@api`], without `method`, `error_formatter`
/// included. `ctx.room()` is the receiver that the caller named.
#[proc_macro_attribute]
pub fn sync_server(args: TokenStream, item: TokenStream) -> TokenStream {
    run(handler::api(args.into(), item.into(), handler::Side::SyncServer))
}

/// Makes a function the client half of a sync handler, run for each recipient:
/// `fn(to: &Recipient, input: &I, server: &S) -> Result<T, HandlerError>`, where `S` is what the server
/// half returned; `server`, or both, may be left out.
///
/// Keys: `name`, `version`, `page`, as for [`macro@api`].
#[proc_macro_attribute]
pub fn sync_client(args: TokenStream, item: TokenStream) -> TokenStream {
    run(handler::sync_client(args.into(), item.into()))
}

/// Subscribes a function to a hook of the framework (wire protocol §11):
/// `#[hook("preApiExecute")] fn(event: E) -> R`, where `E` is any type that deserialises from the payload
/// and `R` is nothing, `Outcome`, or a `Result` of these.
///
/// | key | means | without it |
/// |---|---|---|
/// | `order = -10` | lower runs first | 0 |
/// | `payload = ["routeName"]` | the fields wanted; ask for what is used | all of them |
/// | `routes = ["api/vehicles/"]` | only for these routes, or prefixes ending in `/` | all |
#[proc_macro_attribute]
pub fn hook(args: TokenStream, item: TokenStream) -> TokenStream {
    run(handler::hook(args.into(), item.into()))
}

/// Offers a function to other plugins by name: `#[function("geo/distance")] fn(args: A) -> Result<T, HandlerError>`.
#[proc_macro_attribute]
pub fn function(args: TokenStream, item: TokenStream) -> TokenStream {
    run(handler::function(args.into(), item.into()))
}

/// Rewrites error answers: `fn(event: ErrorEvent) -> Option<Value>`; none leaves the error as it is
/// (wire protocol §1.9). It serves the routes that say `error_formatter`; as `#[error_formatter(global)]`
/// those of every service.
#[proc_macro_attribute]
pub fn error_formatter(args: TokenStream, item: TokenStream) -> TokenStream {
    run(handler::error_formatter(args.into(), item.into()))
}

/// Makes the crate a plugin.
///
/// ```ignore
/// luckystack::plugin! {
///     service = "vehicles",
///     description = "The fleet and where it is",
///     handlers = [get_all, positions::track],
/// }
/// ```
///
/// `user_store = TYPE`, for a plugin that keeps the accounts of the project, names a type that implements
/// `luckystack::users::UserStore`.
///
/// `service` is the folder that the plugin is loaded from. `name` and `version` are the package's unless
/// set. A handler that is annotated and not listed is reported by the compiler as never used. Lists of
/// more than about 100 handlers need `#![recursion_limit = "512"]` at the top of the crate.
///
/// It defines the static `PLUGIN`, for tests with `luckystack::testing`.
#[proc_macro]
pub fn plugin(input: TokenStream) -> TokenStream {
    run(plugin::plugin(input.into()))
}

/// The last step of [`plugin!`], when the kinds of all handlers are known.
#[doc(hidden)]
#[proc_macro]
pub fn __plugin_exports(input: TokenStream) -> TokenStream {
    run(plugin::exports(input.into()))
}

fn run(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(|error| error.to_compile_error()).into()
}
