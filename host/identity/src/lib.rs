//! Who somebody is: registration, login, second factors, and the rules between (wire protocol §5.5 to 5.7).
//!
//! Transports ask [`Identity`] and get an [`AuthReply`]: status, body, and the session to hand out. How a
//! session travels (cookie or header) is the transport's affair.
//!
//! The rule of this crate: **an answer tells a stranger nothing he could not have known.** Unknown users,
//! wrong passwords and unknown e-mails take the same time and look the same; codes are compared in constant
//! time, spent once, and counted where a restart does not forget. What cannot be counted is refused.
#![warn(missing_docs)]

mod accounts;
mod arrival;
mod avatar;
mod clock;
mod credentials;
mod email_address;
mod email_change;
mod email_code;
mod identity;
mod input;
mod links;
mod lockout;
mod lookup;
mod mail;
mod oauth_login;
mod one_time_code;
mod redirect;
mod refusal;
mod reset;
mod second_factor;
mod secret;
mod settings;
mod throttle;

pub use accounts::AccountError;
pub use identity::{AuthReply, AuthRequest, Begin, Callback, Identity, Parts};
pub use mail::{Mailer, Message, SentMessage};
