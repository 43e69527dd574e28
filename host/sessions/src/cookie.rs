//! Reading the cookies that a browser sends (wire protocol §2.2), for every transport.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The first cookie of that name with a value among the lines of a `Cookie` header: percent-decoded, raw
/// where that fails.
///
/// ```
/// use luckystack_sessions::cookie::find;
/// assert_eq!(find(["a=1; token=x%20y"], "token").as_deref(), Some("x y"));
/// ```
pub fn find<'h>(lines: impl IntoIterator<Item = &'h str>, name: &str) -> Option<Cow<'h, str>> {
    lines
        .into_iter()
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, value)| *key == name && !value.is_empty())
        .map(|(_, value)| percent_decode_str(value).decode_utf8().unwrap_or(Cow::Borrowed(value)))
}
