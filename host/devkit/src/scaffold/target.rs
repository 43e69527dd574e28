//! What is to be made, from what was typed: `vehicles/getAll`, or `getAll` and `--service vehicles`.

use luckystack_topology::{
    Method, NameError, Prefix, RouteName, SYSTEM, validate_leaf_name, validate_service_name,
};

use super::What;
use super::error::ScaffoldError;

/// The handler that every new service begins with.
const FIRST_HANDLER: &str = "hello";

/// Which kind of handler a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Api,
    SyncServer,
    SyncClient,
}

/// A route to make, with every name checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The service: the first segment, whose folder it goes to.
    pub(super) service: String,
    /// The page: the service, or a page below it (`vehicles/reports`).
    pub(super) page: String,
    /// The leaf name.
    pub(super) name: String,
    pub(super) version: u32,
}

impl Target {
    /// Reads what was typed.
    pub(super) fn read(
        what: What,
        text: &str,
        service: Option<&str>,
        version: u32,
    ) -> Result<Self, ScaffoldError> {
        let (page, leaf) = match (what, service) {
            (What::Service, Some(_)) => return Err(wrong(text, "--service is for `new api` and `new sync`")),
            (What::Service, None) => (text, FIRST_HANDLER),
            (_, Some(service)) => (service, text),
            (_, None) => text.rsplit_once('/').ok_or_else(|| {
                wrong(text, &format!("name the service too: `SERVICE/{text}`, or `{text} --service SERVICE`"))
            })?,
        };
        if what == What::Service && text == SYSTEM {
            let instead = "`system` is the root service and always there; add a handler with\n    \
                           luckystack-host new api system/NAME --lang LANGUAGE";
            return Err(wrong(text, instead));
        }
        validate_service_name(page).map_err(|rule| name_error(page, "a service", rule))?;
        validate_leaf_name(leaf).map_err(|rule| name_error(leaf, "a handler", rule))?;
        let key = page.split('/').next().unwrap_or(page);
        if what == What::Service && page != key {
            let instead = format!(
                "a service has one segment; a page below it comes to be with its first handler:\n    \
                 luckystack-host new api {page}/NAME --lang LANGUAGE"
            );
            return Err(wrong(text, &instead));
        }
        if key == SYSTEM && page != SYSTEM {
            return Err(wrong(text, "`system` has no pages; its handlers are called `system/NAME`"));
        }
        Ok(Self { service: key.to_owned(), page: page.to_owned(), name: leaf.to_owned(), version })
    }

    /// `api/vehicles/getAll/v1`
    pub(super) fn full(&self, prefix: Prefix) -> String {
        RouteName { service: &self.page, name: &self.name, version: self.version }.full(prefix)
    }

    /// The method that clients call it with.
    pub(super) fn method(&self) -> Method {
        Method::infer(&self.name)
    }

    /// The page below the service, as a folder: empty, or `reports`.
    pub(super) fn below(&self) -> &str {
        self.page.strip_prefix(self.service.as_str()).unwrap_or("").trim_start_matches('/')
    }
}

fn wrong(name: &str, problem: &str) -> ScaffoldError {
    ScaffoldError::Target { name: name.to_owned(), problem: problem.to_owned() }
}

fn name_error(name: &str, what: &'static str, rule: NameError) -> ScaffoldError {
    ScaffoldError::Name { name: name.to_owned(), what, rule }
}

impl Kind {
    /// What its full name begins with.
    pub(super) fn prefix(self) -> Prefix {
        match self {
            Self::Api => Prefix::Api,
            Self::SyncServer | Self::SyncClient => Prefix::Sync,
        }
    }
}
