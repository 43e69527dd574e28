//! Lines for the host's log, which adds the service, the route and the request id.
//!
//! ```
//! # use luckystack::log;
//! log::info!("imported {} vehicles", 20);
//! ```

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Step by step.
    Trace,
    /// For finding faults.
    Debug,
    /// Ordinary events.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

/// Writes a line; `context` says where it comes from, by habit the module path.
pub fn log(level: Level, context: &str, message: &str) {
    crate::host::log(level, context, message);
}

macro_rules! level_macros {
    ($d:tt $($export:ident $name:ident $level:ident $doc:literal;)*) => {$(
        #[doc = $doc]
        #[doc(hidden)]
        #[macro_export]
        macro_rules! $export {
            ($d($d arg:tt)+) => {
                $crate::log::log($crate::log::Level::$level, ::core::module_path!(), &::std::format!($d($d arg)+))
            };
        }
        #[doc(inline)]
        pub use $export as $name;
    )*};
}

level_macros! { $
    __log_trace trace Trace "Logs a step, formatted like `format!`.";
    __log_debug debug Debug "Logs for finding faults, formatted like `format!`.";
    __log_info info Info "Logs an ordinary event, formatted like `format!`.";
    __log_warn warn Warn "Logs something to look at, formatted like `format!`.";
    __log_error error Error "Logs a failure, formatted like `format!`.";
}
