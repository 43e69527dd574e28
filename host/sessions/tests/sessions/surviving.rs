//! Sessions in a file: they survive the host.

use std::sync::Arc;

use luckystack_backplane::{Backplane as _, SharedBackplane, Sqlite};
use luckystack_sessions::EndReason;

use crate::*;

#[tokio::test]
async fn sessions_survive_a_restart_and_ends_do_too() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backplane.db");
    let (kept, ended) = {
        let store = Arc::new(Sqlite::open(&file).await.unwrap());
        let backplane: SharedBackplane = store.clone();
        let sessions = open(&backplane, &unlimited()).await;
        let kept = sessions.create(user("u1"), None).await.unwrap().token.clone();
        let ended = sessions.create(user("u1"), None).await.unwrap().token.clone();
        sessions.update(&kept, &mut |fields| drop(fields.insert("name".into(), "new".into()))).await.unwrap();
        assert!(sessions.end(&ended, EndReason::Logout).await.unwrap());
        store.close().await;
        (kept, ended)
    };
    let backplane: SharedBackplane = Arc::new(Sqlite::open(&file).await.unwrap());
    let sessions = open(&backplane, &unlimited()).await;
    assert_eq!(name(&live(&sessions, &kept).await.unwrap()), "new");
    assert!(live(&sessions, &ended).await.is_none());
    assert_eq!(sessions.of_user("u1").await.unwrap(), [kept.as_str()]);
    // Oldest first, also after a restart.
    let newer = sessions.create(user("u1"), None).await.unwrap().token.clone();
    assert_eq!(sessions.of_user("u1").await.unwrap(), [kept, newer]);
}
