//! Which passwords are taken (wire protocol §5.5).

use luckystack_topology::PasswordPolicyConfig;

/// The rules of a project.
#[derive(Clone, Debug)]
pub struct PasswordPolicy {}

impl PasswordPolicy {
    /// The rules as configured.
    #[must_use]
    pub fn new(config: &PasswordPolicyConfig) -> Self {
        let _ = config;
        unimplemented!()
    }

    /// The reason of the first rule that the password breaks, such as `login.passwordTooCommon`.
    pub fn check(&self, password: &str) -> Result<(), &'static str> {
        let _ = password;
        unimplemented!()
    }
}
