//! The promises of the front door, over a real store of users and the backplanes that need no server.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failure is a failed test")]

mod accounts;
mod credentials;
mod email_code;
mod faults;
mod house;
mod lockout;
mod oauth;
mod second_factor;
mod smtp;
