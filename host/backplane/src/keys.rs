//! How keys are spelt (wire protocol §5.1).

/// Builds the keys of one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    project: Box<str>,
}

impl Keys {
    /// Keys of the project with this name.
    #[must_use]
    pub fn new(project: &str) -> Self {
        Self { project: project.into() }
    }

    /// `<project>` and the namespace, joined by a colon unless the namespace begins with `-` or `:`; then
    /// a colon and the suffix, unless that is empty.
    #[must_use]
    pub fn key(&self, namespace: &str, suffix: &str) -> String {
        let joint = if namespace.starts_with(['-', ':']) { "" } else { ":" };
        let colon = if suffix.is_empty() { "" } else { ":" };
        format!("{}{joint}{namespace}{colon}{suffix}", self.project)
    }

    /// Keys of the projects' own subsystems: `<project>-<namespace>:<suffix>`.
    #[must_use]
    pub fn own(&self, namespace: &str, suffix: &str) -> String {
        self.key(&format!("-{namespace}"), suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::Keys;

    #[test]
    fn keys_are_spelt_as_the_framework_spells_them() {
        let keys = Keys::new("app");
        assert_eq!(keys.key("-session", "abc"), "app-session:abc");
        assert_eq!(keys.key("rate-limit", "ip:1:api:all"), "app:rate-limit:ip:1:api:all");
        assert_eq!(keys.key(":lease", "x"), "app:lease:x");
        assert_eq!(keys.key("rate-limit", ""), "app:rate-limit");
        assert_eq!(keys.own("activeUsers", "u1"), "app-activeUsers:u1");
    }
}
