//! Translations of error codes and the choice of a language (wire protocol §1.8).
//!
//! Locale files are the operator's: one `<language>.json` each, nested objects or dotted keys or both.
//! The rule kept here: a broken file or entry is reported with file, line, column and remedy while
//! everything else loads, and a call is never refused for want of a translation.
//!
//! Negotiation is on the path of every call and allocates nothing.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::envelope::{ErrorParam, ParamValue};
use crate::json::{Cursor, Kind, Text, decode, line_column, scan};

/// The language of callers who prefer none that exists, unless configured otherwise.
pub const DEFAULT_LANGUAGE: &str = "en";

/// Largest locale file read. The largest real ones are a few hundred kilobytes.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// The loaded languages.
#[derive(Clone, Debug)]
pub struct Locales {
    default: Arc<str>,
    /// Few enough that comparing beats hashing.
    languages: Vec<Language>,
}

#[derive(Clone, Debug)]
struct Language {
    name: Arc<str>,
    texts: HashMap<Box<str>, Box<str>>,
}

/// Something wrong with a locale file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}; {remedy}", file.display())]
pub struct LocaleProblem {
    /// The file.
    pub file: PathBuf,
    /// Line in it, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// Collects one file's texts and what is wrong with them.
struct Loader<'f> {
    file: &'f Path,
    text: &'f [u8],
    texts: HashMap<Box<str>, Box<str>>,
    problems: Vec<LocaleProblem>,
}

// --- Locales ---

impl Default for Locales {
    fn default() -> Self {
        Locales { default: DEFAULT_LANGUAGE.into(), languages: Vec::new() }
    }
}

impl Locales {
    /// Loads every `*.json` of a folder. A folder that does not exist holds no languages, which is no
    /// problem.
    pub fn load(dir: &Path) -> (Self, Vec<LocaleProblem>) {
        let mut locales = Locales::default();
        let mut problems = Vec::new();
        let mut files: Vec<PathBuf> = match std::fs::read_dir(dir) {
            Ok(entries) => entries
                .filter_map(|entry| entry.ok().map(|entry| entry.path()))
                .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
                .collect(),
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                problems.push(LocaleProblem::new(
                    dir,
                    &[],
                    0,
                    format!("the locale folder cannot be read: {error}"),
                    "make it a folder that the host's user may read",
                ));
                Vec::new()
            }
        };
        files.sort();
        for file in &files {
            let name = file.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
            if !is_language(&name) {
                problems.push(LocaleProblem::new(
                    file,
                    &[],
                    0,
                    format!("`{name}` is no language that a caller can be given"),
                    "name the file after the language alone in lower case, such as nl.json for nl-BE and nl",
                ));
                continue;
            }
            match read_limited(file) {
                Ok(text) => problems.extend(locales.add(&name, file, &text)),
                Err(message) => problems.push(LocaleProblem::new(
                    file,
                    &[],
                    0,
                    message,
                    "make it a readable JSON file of at most 8 MiB",
                )),
            }
        }
        (locales, problems)
    }

    /// The same with another default language.
    #[must_use]
    pub fn with_default(mut self, language: &str) -> Self {
        self.default = language.into();
        self
    }

    /// Adds one language from a file's bytes. Nothing is added when the bytes are no JSON object.
    pub fn add(&mut self, language: &str, file: &Path, text: &[u8]) -> Vec<LocaleProblem> {
        // Editors on Windows like to add a byte order mark; for files on disk that is no mistake.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut loader = Loader { file, text, texts: HashMap::new(), problems: Vec::new() };
        match scan(text) {
            Ok(Kind::Object) => {
                let mut cursor = Cursor::new(text);
                cursor.space();
                loader.object(&mut cursor, &mut String::new());
                self.languages.retain(|known| *known.name != *language);
                self.languages.push(Language { name: language.into(), texts: loader.texts });
                loader.problems
            }
            Ok(_) => vec![LocaleProblem::new(
                file,
                text,
                0,
                "the file holds no JSON object".into(),
                "write {\"code\": \"text\"}, nested or with dotted keys",
            )],
            Err(error) => vec![LocaleProblem::new(
                file,
                text,
                error.offset,
                format!("not valid JSON: expected {}", error.expected),
                "correct the file; until then this language is not offered",
            )],
        }
    }

    /// The loaded languages' names.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.languages.iter().map(|language| &*language.name)
    }

    /// The default language's name.
    pub fn default_language(&self) -> &str {
        &self.default
    }

    /// The language for a caller: the session's, else the first that the `x-language` header names, or
    /// `accept-language` when there is no `x-language`, else the default. Weights are not sorted.
    ///
    /// ```
    /// use luckystack_pipeline::locale::Locales;
    /// let mut locales = Locales::default();
    /// locales.add("nl", "nl.json".as_ref(), b"{}");
    /// assert_eq!(locales.negotiate(None, None, Some("fr;q=0.9, nl-BE, en")), "nl");
    /// assert_eq!(locales.negotiate(None, None, Some("fr")), "en");
    /// ```
    pub fn negotiate(
        &self,
        session_language: Option<&str>,
        x_language: Option<&str>,
        accept_language: Option<&str>,
    ) -> &str {
        self.pick(session_language, x_language, accept_language)
    }

    /// The same, shared: what a call carries along. No allocation.
    pub fn negotiate_shared(
        &self,
        session_language: Option<&str>,
        x_language: Option<&str>,
        accept_language: Option<&str>,
    ) -> Arc<str> {
        Arc::clone(self.pick(session_language, x_language, accept_language))
    }

    fn pick(
        &self,
        session_language: Option<&str>,
        x_language: Option<&str>,
        accept_language: Option<&str>,
    ) -> &Arc<str> {
        let header = x_language.filter(|header| !header.trim().is_empty()).or(accept_language);
        session_language
            .and_then(|candidate| self.supported(candidate))
            .or_else(|| header?.split(',').find_map(|candidate| self.supported(candidate)))
            .unwrap_or(&self.default)
    }

    /// The text of a code in that language, or in the default language, with `{{param}}` placeholders
    /// replaced. A placeholder without a parameter stays as it is; replaced text is not looked at
    /// again.
    pub fn translate(&self, language: &str, code: &str, params: &[ErrorParam]) -> Option<Cow<'_, str>> {
        let text = self.text(language, code).or_else(|| self.text(&self.default, code))?;
        Some(fill(text, params))
    }

    fn text(&self, language: &str, code: &str) -> Option<&str> {
        let language = self.languages.iter().find(|known| *known.name == *language)?;
        language.texts.get(code).map(|text| &**text)
    }

    /// The supported language of a candidate such as ` nl-BE;q=0.8`.
    fn supported(&self, candidate: &str) -> Option<&Arc<str>> {
        let end = candidate.find([';', '-']).unwrap_or(candidate.len());
        let candidate = candidate[..end].trim();
        self.languages
            .iter()
            .map(|language| &language.name)
            .chain([&self.default])
            .find(|name| name.eq_ignore_ascii_case(candidate))
    }
}

fn is_language(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn read_limited(file: &Path) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    // Asked of the path first: opening a pipe would wait for a writer.
    let is_file = std::fs::metadata(file).map(|metadata| metadata.is_file());
    if !is_file.map_err(|error| format!("the file cannot be read: {error}"))? {
        return Err("this is not a file".into());
    }
    std::fs::File::open(file)
        .and_then(|open| open.take(MAX_FILE_BYTES + 1).read_to_end(&mut text))
        .map_err(|error| format!("the file cannot be read: {error}"))?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err("the file is larger than 8 MiB".into());
    }
    Ok(text)
}

fn fill<'t>(text: &'t str, params: &[ErrorParam]) -> Cow<'t, str> {
    if params.is_empty() || !text.contains("{{") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        let Some(length) = rest[open + 2..].find("}}") else { break };
        let name = rest[open + 2..open + 2 + length].trim();
        match params.iter().find(|param| param.key == name) {
            Some(param) => {
                out.push_str(&rest[..open]);
                match &param.value {
                    ParamValue::Str(text) => out.push_str(text),
                    ParamValue::Num(number) => out.push_str(number.as_str()),
                    ParamValue::Bool(true) => out.push_str("true"),
                    ParamValue::Bool(false) => out.push_str("false"),
                }
                rest = &rest[open + 2 + length + 2..];
            }
            // Only the first brace is passed over, so that `{{{{a}}` still finds its `{{a}}`.
            None => {
                out.push_str(&rest[..open + 1]);
                rest = &rest[open + 1..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

// --- LocaleProblem ---

impl LocaleProblem {
    fn new(file: &Path, text: &[u8], offset: usize, message: String, remedy: &str) -> Self {
        let (line, column) = line_column(text, offset);
        LocaleProblem { file: file.to_owned(), line, column, message, remedy: remedy.to_owned() }
    }
}

// --- Loader ---

impl Loader<'_> {
    /// Flattens the object that starts here under `prefix`. The document is known to be valid, so the
    /// cursor's errors, which end the walk, do not happen; its depth is bounded.
    fn object(&mut self, cursor: &mut Cursor<'_>, prefix: &mut String) {
        let mut open = cursor.enter(b'}');
        while open {
            let start = cursor.pos;
            let Ok(key) = cursor.key() else { return };
            let outer = prefix.len();
            if outer > 0 {
                prefix.push('.');
            }
            prefix.push_str(&self.decode(key));
            self.member(cursor, prefix, start);
            prefix.truncate(outer);
            let Ok(more) = cursor.more(b'}') else { return };
            open = more;
        }
    }

    fn member(&mut self, cursor: &mut Cursor<'_>, code: &mut String, start: usize) {
        match cursor.kind() {
            Ok(Kind::Object) => return self.object(cursor, code),
            Ok(Kind::String) => {
                let Ok(value) = cursor.string() else { return };
                let text = self.decode(value).into_owned();
                if self.texts.insert(code.as_str().into(), text.into()).is_some() {
                    self.problem(
                        start,
                        format!("`{code}` is defined twice"),
                        "keep one of them; the last is used",
                    );
                }
                return;
            }
            _ => {}
        }
        self.problem(
            start,
            format!("`{code}` is neither a text nor an object of texts"),
            "put the text in double quotes, or remove the key",
        );
        // Valid already, so skipping cannot fail.
        let _ = cursor.value(0);
    }

    fn decode(&self, text: Text) -> Cow<'_, str> {
        decode(&self.text[text.start..text.end])
    }

    fn problem(&mut self, offset: usize, message: String, remedy: &str) {
        self.problems.push(LocaleProblem::new(self.file, self.text, offset, message, remedy));
    }
}
