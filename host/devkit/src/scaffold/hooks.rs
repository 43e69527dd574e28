//! Names of the framework's hooks (wire protocol §11), for handler files that are called after them.

/// All of them.
pub(super) const HOOKS: &[&str] = &[
    "preHttpRequest",
    "postHttpRequest",
    "preSocketMessage",
    "preApiValidate",
    "postApiValidate",
    "preApiExecute",
    "postApiExecute",
    "preApiRespond",
    "transformApiResponse",
    "postApiRespond",
    "preSyncAuthorize",
    "preSyncValidate",
    "preSyncExecute",
    "postSyncAuthorize",
    "postSyncValidate",
    "postSyncExecute",
    "preSyncFanout",
    "postSyncFanout",
    "preSyncRecipient",
    "preSyncStream",
    "postSyncStream",
    "apiError",
    "syncError",
    "apiAuthRejected",
    "rateLimitExceeded",
    "corsRejected",
    "csrfMismatch",
    "preSessionRefresh",
    "postSessionRefresh",
    "sessionCreated",
    "sessionRevoked",
    "onUploadStart",
    "onUploadComplete",
    "preAvatarServe",
    "postAvatarServe",
    "preServerStop",
    "onSocketConnect",
    "onSocketDisconnect",
    "preRoomJoin",
    "preRoomLeave",
    "postRoomJoin",
    "postRoomLeave",
    "onLocationUpdate",
    "preLogin",
    "postLogin",
    "preRegister",
    "postRegister",
    "preLogout",
    "postLogout",
    "preSessionCreate",
    "postSessionCreate",
    "preSessionDelete",
    "postSessionDelete",
    "passwordResetRequested",
    "prePasswordResetCompleted",
    "passwordResetCompleted",
    "prePasswordChanged",
    "passwordChanged",
    "preEmailChange",
    "postEmailChangeRequested",
    "postEmailChanged",
    "loginFailed",
    "preAccountDelete",
    "postAccountDelete",
    "prePresenceUpdate",
    "postPresenceUpdate",
    "postSocketReconnect",
    "postDisconnectGraceExpired",
    "preProxyRequest",
    "proxyRequestGate",
    "postProxyResponse",
    "preEmailSend",
    "postEmailSend",
    "preCronRun",
    "postCronRun",
    "preErrorNormalize",
    "postErrorNormalize",
];

/// The hook that was probably meant.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let wanted = name.to_ascii_lowercase();
    HOOKS
        .iter()
        .map(|hook| (distance(&wanted, &hook.to_ascii_lowercase()), *hook))
        .min()
        .filter(|(distance, hook)| *distance <= hook.len() / 4)
        .map(|(_, hook)| hook)
}

/// How many characters must be changed, added or taken away to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, a) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in b.bytes().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_one_of_the_rust_sdk() {
        let sdk = include_str!("../../../../sdk/rust/macros/src/names.rs");
        let list = sdk.split("const HOOKS").nth(1).and_then(|rest| rest.split("];").next()).unwrap();
        let known: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
        assert_eq!(HOOKS, known);
    }

    #[test]
    fn a_slip_of_the_fingers_finds_its_hook() {
        assert_eq!(nearest("preApiExcute"), Some("preApiExecute"));
        assert_eq!(nearest("preapiexecute"), Some("preApiExecute"));
        assert_eq!(nearest("something"), None);
    }
}
