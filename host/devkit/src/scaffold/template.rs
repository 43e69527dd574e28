//! Fills templates: `{{name}}` stands for a value.

/// The template with every placeholder filled.
///
/// Values are names that were checked before, so that none needs escaping in any language.
pub(super) fn fill(template: &str, values: &[(&str, impl AsRef<str>)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("{{{{{name}}}}}"), value.as_ref());
    }
    debug_assert!(!text.contains("{{"), "a placeholder is not filled: {text}");
    text
}
