//! Generated files, checked by those who will read them: tsc, node with both versions of zod, and a
//! validator of OpenAPI. What they need is installed from npm on first use.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests: a failure is a failed test")]

mod agreement;
mod examples;
mod files;
mod frontend;
mod hostile;
mod openapi;
mod support;
mod validation;
