//! What a plugin that keeps the accounts is asked, and what it answers (WIT `user-store`).
//!
//! Records cross as JSON that nobody has looked at: whoever asks checks them.

use bytes::Bytes;

use crate::bindings::exports::luckystack::plugin::user_store::Guest;
use crate::call::HandlerError;

/// One operation of WIT `user-store`.
#[derive(Clone)]
pub enum UserRequest {
    /// `by-id`
    ById {
        /// The user.
        id: String,
    },
    /// `by-email`
    ByEmail {
        /// Trimmed, lower case.
        email: String,
        /// At this provider; at any when absent.
        provider: Option<String>,
    },
    /// `create`
    Create {
        /// The record, a JSON object without id and dates.
        user: Bytes,
        /// Whether the e-mail must be new to all providers.
        unique_email: bool,
    },
    /// `update`
    Update {
        /// The user.
        id: String,
        /// Fields to set; null removes one.
        changes: Bytes,
    },
    /// `spend-recovery-code`
    SpendRecoveryCode {
        /// The user.
        id: String,
        /// Hash of the code.
        code_hash: String,
    },
    /// `delete`
    Delete {
        /// The user.
        id: String,
    },
}

/// What it answers.
#[derive(Clone, PartialEq, Eq)]
pub enum UserAnswer {
    /// A record as unchecked JSON; none when there is no such user.
    Record(Option<Vec<u8>>),
    /// Whether there was something to spend or delete.
    Done(bool),
}

impl UserRequest {
    /// The operation's name in the contract, such as `by-id`: for logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            UserRequest::ById { .. } => "by-id",
            UserRequest::ByEmail { .. } => "by-email",
            UserRequest::Create { .. } => "create",
            UserRequest::Update { .. } => "update",
            UserRequest::SpendRecoveryCode { .. } => "spend-recovery-code",
            UserRequest::Delete { .. } => "delete",
        }
    }

    pub(crate) async fn run(
        &self,
        store: &Guest,
        mut context: impl wasmtime::AsContextMut<Data: Send>,
    ) -> wasmtime::Result<Result<UserAnswer, HandlerError>> {
        let context = &mut context;
        Ok(match self {
            UserRequest::ById { id } => store.call_by_id(context, id).await?.map(UserAnswer::Record),
            UserRequest::ByEmail { email, provider } => {
                store.call_by_email(context, email, provider.as_deref()).await?.map(UserAnswer::Record)
            }
            UserRequest::Create { user, unique_email } => {
                let created = store.call_create(context, user, *unique_email).await?;
                created.map(|record| UserAnswer::Record(Some(record)))
            }
            UserRequest::Update { id, changes } => {
                store.call_update(context, id, changes).await?.map(UserAnswer::Record)
            }
            UserRequest::SpendRecoveryCode { id, code_hash } => {
                store.call_spend_recovery_code(context, id, code_hash).await?.map(UserAnswer::Done)
            }
            UserRequest::Delete { id } => store.call_delete(context, id).await?.map(UserAnswer::Done),
        })
    }
}

impl UserAnswer {
    /// Size of what crossed back.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            UserAnswer::Record(record) => record.as_ref().map_or(0, Vec::len),
            UserAnswer::Done(_) => 0,
        }
    }
}

/// Records hold secrets, and e-mail addresses are nobody's business: neither is printed.
impl std::fmt::Debug for UserRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("UserRequest").field(&self.name()).finish()
    }
}

/// Records hold secrets: they are not printed.
impl std::fmt::Debug for UserAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            UserAnswer::Record(record) => {
                write!(f, "Record({})", if record.is_some() { "…" } else { "none" })
            }
            UserAnswer::Done(done) => write!(f, "Done({done})"),
        }
    }
}
