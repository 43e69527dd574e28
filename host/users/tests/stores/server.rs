//! One PostgreSQL server for the tests that run at the same time, a database for each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use luckystack_tests::PostgresServer;
use tokio::sync::Mutex;

/// Kept by the tests that use it: the last one to end ends the server.
static RUNNING: Mutex<Weak<PostgresServer>> = Mutex::const_new(Weak::new());
static DATABASES: AtomicUsize = AtomicUsize::new(0);

/// A database of a test's own.
pub struct Database {
    server: Arc<PostgresServer>,
    name: String,
    pub url: String,
}

impl Database {
    pub async fn new() -> Self {
        let server = {
            let mut running = RUNNING.lock().await;
            match running.upgrade() {
                Some(server) => server,
                None => {
                    let server = Arc::new(PostgresServer::start().await);
                    *running = Arc::downgrade(&server);
                    server
                }
            }
        };
        let name = format!("users_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let url = server.create_database(&name).await;
        Self { server, name, url }
    }

    /// Runs statements as another program would.
    pub async fn sql(&self, statements: &str) -> String {
        self.server.sql(&self.name, statements).await
    }
}
