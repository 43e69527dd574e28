//! Where a PostgreSQL server is: the url of the configuration, with the parameters that Prisma knows, since
//! an application's `DATABASE_URL` is written for it.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use crate::UserError;

/// Connections of one host. Logins are few at a time: passwords are checked as many at once as there are
/// cores.
const CONNECTIONS: u32 = 10;
/// How long to wait for one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Parameters of the url that the driver reads itself.
const DRIVERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// An address, read.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) options: PgConnectOptions,
    pub(super) connections: u32,
    pub(super) patience: Duration,
    /// `host:port/database`: what messages say.
    pub(super) shown: String,
}

impl Address {
    /// Reads `postgres://user:password@host:port/database?sslmode=…`. Errors repeat no part of it but names of
    /// parameters.
    pub(super) fn parse(text: &str) -> Result<Self, UserError> {
        let mut url = Url::parse(text)
            .ok()
            .filter(|url| ["postgres", "postgresql"].contains(&url.scheme()))
            .ok_or_else(|| wrong("it is no address such as postgres://user:password@host:5432/database"))?;
        let mut connections = CONNECTIONS;
        let mut patience = PATIENCE;
        let mut schema = None;
        let mut verifies = false;
        let mut is_pooled = false;
        let mut rest = Vec::new();
        for (name, value) in url.query_pairs() {
            match &*name {
                "connection_limit" => connections = number(&name, &value)?.max(1),
                "connect_timeout" | "pool_timeout" => {
                    let seconds = u64::from(number(&name, &value)?);
                    patience = if seconds == 0 { patience } else { Duration::from_secs(seconds) };
                }
                "schema" => schema = Some(value.into_owned()),
                "pgbouncer" => is_pooled = value == "true",
                "sslaccept" => verifies = value == "strict",
                // Of no meaning here: statements are few and prepared once per connection.
                "socket_timeout" => {}
                _ if DRIVERS.contains(&&*name) || name.starts_with("options[") => {
                    rest.push((name.into_owned(), value.into_owned()));
                }
                _ => return Err(wrong(&format!("its parameter `{name}` is not known; remove it"))),
            }
        }
        url.set_query(None);
        if !rest.is_empty() {
            url.query_pairs_mut().extend_pairs(rest);
        }
        let options = PgConnectOptions::from_str(url.as_str());
        let mut options = options.map_err(|_| wrong("a part or a parameter of it has a wrong value"))?;
        if let Some(schema) = schema {
            let is_name = schema.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_$-".contains(&byte));
            if schema.is_empty() || !is_name {
                return Err(wrong("its parameter `schema` is no name of a schema"));
            }
            options = options.options([("search_path", format!("\"{schema}\""))]);
        }
        if verifies && matches!(options.get_ssl_mode(), PgSslMode::Require) {
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
        if is_pooled {
            options = options.statement_cache_capacity(0);
        }
        let host = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => options.get_host().to_owned(),
        };
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        let shown = format!("{host}:{}/{database}", options.get_port());
        // Statements are written to no log: their errors tell what matters.
        Ok(Self { options: options.disable_statement_logging(), connections, patience, shown })
    }
}

fn number(name: &str, value: &str) -> Result<u32, UserError> {
    value.parse().map_err(|_| wrong(&format!("its parameter `{name}` is no whole number")))
}

fn wrong(reason: &str) -> UserError {
    UserError::Store(format!("users.url cannot be used: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_of_prisma_are_understood() {
        let address = Address::parse(
            "postgresql://me:s3cret%2F@db.example:6543/app?schema=tenant_1&connection_limit=3&pool_timeout=7\
             &sslmode=require&sslaccept=strict&pgbouncer=true&application_name=luckystack",
        )
        .unwrap();
        assert_eq!(address.shown, "db.example:6543/app");
        assert_eq!((address.connections, address.patience), (3, Duration::from_secs(7)));
        assert!(matches!(address.options.get_ssl_mode(), PgSslMode::VerifyFull));
        assert_eq!(address.options.get_options(), Some("-c search_path=\"tenant_1\""));
        assert_eq!(address.options.get_username(), "me");
        assert_eq!(address.options.get_application_name(), Some("luckystack"));

        let plain = Address::parse("postgres://me@db.example").unwrap();
        assert_eq!(plain.shown, "db.example:5432/me");
        assert_eq!((plain.connections, plain.patience), (CONNECTIONS, PATIENCE));
    }

    #[test]
    fn a_wrong_address_is_refused_without_being_repeated() {
        let wrong = [
            ("", "no address"),
            ("mysql://me:s3cret@db/app", "no address"),
            ("postgres://me:s3cret@db:notaport/app", "no address"),
            ("postgres://me:s3cret@db/app?sslmode=s3cret", "wrong value"),
            ("postgres://me:s3cret@db/app?connection_limit=s3cret", "`connection_limit`"),
            ("postgres://me:s3cret@db/app?schema=s3cret;DROP", "`schema`"),
            ("postgres://me:s3cret@db/app?colour=s3cret", "`colour`"),
        ];
        for (url, expected) in wrong {
            let Err(error) = Address::parse(url) else { panic!("{url}") };
            let message = error.to_string();
            assert!(message.contains(expected) && !message.contains("s3cret"), "{message}");
        }
    }
}
