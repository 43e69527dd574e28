//! Rendering the parts of a manifest that are known while compiling.

use std::fmt::Write;

use syn::parse::{Parse, ParseStream};
use syn::{Lit, Token};

/// The members of an object, each written behind a comma: they follow members that are already there.
#[derive(Default)]
pub struct Members(pub String);

/// A JSON value written as a Rust literal, or `null`.
pub struct Literal(pub String);

impl Members {
    /// Adds a member whose value is JSON text.
    pub fn raw(&mut self, key: &str, value: &str) {
        let _ = write!(self.0, ",{}:{value}", quoted(key));
    }

    /// Adds a string member.
    pub fn text(&mut self, key: &str, value: &str) {
        self.raw(key, &quoted(value));
    }

    /// The whole as an object of its own.
    pub fn into_object(self) -> String {
        format!("{{{}}}", self.0.trim_start_matches(','))
    }
}

impl Parse for Literal {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(syn::Ident) {
            let word: syn::Ident = input.parse()?;
            return match word == "null" {
                true => Ok(Self("null".to_owned())),
                false => Err(syn::Error::new(
                    word.span(),
                    "expected a string, a number, `true`, `false` or `null`",
                )),
            };
        }
        let sign = if input.parse::<Option<Token![-]>>()?.is_some() { "-" } else { "" };
        let lit: Lit = input.parse()?;
        let expected =
            || syn::Error::new(lit.span(), "expected a string, a number, `true`, `false` or `null`");
        match &lit {
            Lit::Str(text) if sign.is_empty() => Ok(Self(quoted(&text.value()))),
            Lit::Bool(value) if sign.is_empty() => Ok(Self(value.value.to_string())),
            Lit::Int(number) if number.suffix().is_empty() => {
                Ok(Self(format!("{sign}{}", number.base10_digits())))
            }
            Lit::Float(number) if number.suffix().is_empty() => {
                let value: f64 = number.base10_parse()?;
                Ok(Self(format!("{sign}{value:?}")))
            }
            _ => Err(expected()),
        }
    }
}

/// A list of strings.
pub fn list(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", values.join(","))
}

/// A string.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::{Literal, Members, quoted};

    #[test]
    fn strings_are_escaped() {
        assert_eq!(quoted("a \"b\" \\ \n\t é"), "\"a \\\"b\\\" \\\\ \\n\\u0009 é\"");
    }

    #[test]
    fn literals_become_json() {
        for (rust, json) in [
            ("\"x\"", "\"x\""),
            ("true", "true"),
            ("-1_000", "-1000"),
            ("0xff", "255"),
            ("1.50", "1.5"),
            ("1e300", "1e300"),
            ("null", "null"),
        ] {
            assert_eq!(syn::parse_str::<Literal>(rust).unwrap().0, json, "{rust}");
        }
        for rust in ["undefined", "'c'", "b\"x\"", "-true", "1u8"] {
            assert!(syn::parse_str::<Literal>(rust).is_err(), "{rust}");
        }
    }

    #[test]
    fn members_follow_others_or_stand_alone() {
        let mut members = Members::default();
        members.text("method", "GET");
        members.raw("order", "1");
        assert_eq!(members.0, ",\"method\":\"GET\",\"order\":1");
        assert_eq!(members.into_object(), "{\"method\":\"GET\",\"order\":1}");
    }
}
