//! Adds an item to a list in somebody's file (an array of TOML, the handlers of a `plugin!`) so that
//! comments, order and indentation stay as they are.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A list in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    /// Its brackets and all between them.
    pub(super) whole: Range<usize>,
    /// Where its last item ends, if it has one.
    pub(super) last_end: Option<usize>,
    /// How lists are written where it stands.
    pub(super) style: Style,
}

/// How a language writes lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// What begins a comment that runs to the end of its line.
    pub(super) comment: Option<&'static str>,
    /// Whether a comma may follow the last item.
    pub(super) trailing_comma: bool,
}

impl Style {
    pub(super) const TOML: Self = Self { comment: Some("#"), trailing_comma: true };
    pub(super) const RUST: Self = Self { comment: Some("//"), trailing_comma: true };
    pub(super) const JSON: Self = Self { comment: None, trailing_comma: false };
}

impl List {
    /// The text with `item` at the end of the list. Further lines of an item are indented as its first.
    pub(super) fn push(&self, text: &str, item: &str) -> String {
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let insert = |at: usize, what: &str| format!("{}{what}{}", &text[..at], &text[at..]);
        let close = self.whole.end - 1;
        let Some(last) = self.last_end else {
            let line = line_start(text, close);
            let indent = &text[line..close];
            if line > self.whole.start && indent.trim().is_empty() {
                let indent = format!("{indent}    ");
                let comma = if self.style.trailing_comma { "," } else { "" };
                let item = indented(item, newline, &indent);
                return insert(line, &format!("{indent}{item}{comma}{newline}"));
            }
            return format!("{}{item}{}", &text[..=self.whole.start], &text[close..]);
        };
        let mut rest = &text[last..close];
        let skip_blanks = |rest: &mut &str| *rest = rest.trim_start_matches([' ', '\t']);
        skip_blanks(&mut rest);
        let has_comma = rest.starts_with(',');
        if has_comma {
            rest = &rest[1..];
            skip_blanks(&mut rest);
        }
        if self.style.comment.is_some_and(|comment| rest.starts_with(comment)) {
            rest = &rest[rest.find(['\r', '\n']).unwrap_or(rest.len())..];
        }
        let begins_line = {
            let line = line_start(text, last);
            line > self.whole.start && text[line..].starts_with([' ', '\t'])
        };
        if !begins_line || !rest.starts_with(['\r', '\n']) {
            return insert(last, &format!(", {item}"));
        }
        let line_end = close - rest.len();
        let line = line_start(text, last);
        let indent: String = text[line..].chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
        let comma = if has_comma { "," } else { "" };
        let item = indented(item, newline, &indent);
        let with_item = insert(line_end, &format!("{newline}{indent}{item}{comma}"));
        if has_comma { with_item } else { format!("{},{}", &with_item[..last], &with_item[last..]) }
    }
}

fn indented(item: &str, newline: &str, indent: &str) -> String {
    item.replace('\n', &format!("{newline}{indent}"))
}

/// Where the line of this position begins.
fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The array of strings `key` at the top of a TOML document with `item` at its end; none when there is
/// no such array.
pub(super) fn push_to_toml(text: &str, key: &str, item: &str) -> Option<String> {
    let quoted = format!("\"{item}\"");
    let (list, mut items) = strings(text, key)?;
    let after = list.push(text, &quoted);
    items.push(item.to_owned());
    // What the parser reads counts, whatever the text looked like.
    (strings(&after, key)?.1 == items).then_some(after)
}

fn strings(text: &str, key: &str) -> Option<(List, Vec<String>)> {
    let table = DeTable::parse(text).ok()?;
    let value = table.get_ref().get(key)?;
    let DeValue::Array(array) = value.get_ref() else { return None };
    let items =
        array.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()?;
    let last_end = array.iter().last().map(|item| item.span().end);
    Some((List { whole: value.span(), last_end, style: Style::TOML }, items))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_added_and_everything_else_stays() {
        let cases = [
            ("services = []", "services = [\"x\"]"),
            ("services = [ ]\n", "services = [\"x\"]\n"),
            ("services = [\"a\"] # mine\n", "services = [\"a\", \"x\"] # mine\n"),
            ("services = [\"a\", ]", "services = [\"a\", \"x\", ]"),
            ("# top\n\nservices = ['a',\n  'b']\n", "# top\n\nservices = ['a',\n  'b', \"x\"]\n"),
            (
                "services = [\n    \"a\", # the first\n    \"b\", # ] the last\n    # \"c\",\n]\n[service.a]\n",
                "services = [\n    \"a\", # the first\n    \"b\", # ] the last\n    \"x\",\n    # \"c\",\n]\n[service.a]\n",
            ),
            (
                "services = [\n\t\"a\",\n\t\"b\" # no comma\n]\n",
                "services = [\n\t\"a\",\n\t\"b\", # no comma\n\t\"x\"\n]\n",
            ),
            ("services = [\n  # none yet\n]\n", "services = [\n  # none yet\n    \"x\",\n]\n"),
            ("services = [\r\n  \"a\",\r\n]\r\n", "services = [\r\n  \"a\",\r\n  \"x\",\r\n]\r\n"),
            ("services = [\"a\"\n  , \"b\"\n  ,\n]\n", "services = [\"a\"\n  , \"b\",\n  \"x\"\n  ,\n]\n"),
        ];
        for (before, after) in cases {
            assert_eq!(push_to_toml(before, "services", "x").as_deref(), Some(after), "{before}");
        }
    }

    #[test]
    fn what_is_no_list_of_strings_is_left_alone() {
        for text in ["", "services = \"a\"", "services = [1]", "services = [", "[x]\nservices = [\"a\"]"] {
            assert_eq!(push_to_toml(text, "services", "x"), None, "{text}");
        }
    }
}
