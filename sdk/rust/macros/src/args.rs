//! What stands in an attribute's parentheses: `key = value` pairs, each with a rule.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Ident, LitBool, LitInt, LitStr, Token, Type, braced, bracketed};

use crate::json::{Literal, Members, list};
use crate::names;

/// Everything that any attribute takes; each says which keys are its own.
#[derive(Default)]
pub struct Args {
    pub name: Option<LitStr>,
    pub version: Option<u32>,
    pub page: Option<LitStr>,
    pub stream: Option<Type>,
    pub error_formatter: bool,
    pub global: bool,
    /// The members of the manifest's object, in a fixed order whatever the attribute's.
    pub members: Members,
}

struct Reader<'a> {
    attribute: &'a str,
    known: &'a [&'a str],
    seen: Vec<Ident>,
    method: Option<String>,
    login: Option<bool>,
    additional: Option<String>,
    rate_limit: Option<String>,
    validation: Option<&'static str>,
    order: Option<i32>,
    payload: Option<Vec<String>>,
    routes: Option<Vec<String>>,
    args: Args,
}

/// Reads an attribute's arguments. With `positional`, the first is a string without a key: the name.
pub fn read(attribute: &str, known: &[&str], positional: bool, tokens: TokenStream) -> syn::Result<Args> {
    let empty = tokens.is_empty();
    let parser = |input: ParseStream<'_>| {
        let mut reader = Reader {
            attribute,
            known,
            seen: Vec::new(),
            method: None,
            login: None,
            additional: None,
            rate_limit: None,
            validation: None,
            order: None,
            payload: None,
            routes: None,
            args: Args::default(),
        };
        if positional {
            if empty || !input.peek(LitStr) {
                let message = format!("#[{attribute}] begins with a name in quotes: `#[{attribute}(\"…\")]`");
                return Err(syn::Error::new(if empty { Span::call_site() } else { input.span() }, message));
            }
            reader.args.name = Some(input.parse()?);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        while !input.is_empty() {
            reader.pair(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        reader.finish()
    };
    parser.parse2(tokens)
}

impl Reader<'_> {
    fn pair(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let key = input.call(Ident::parse_any)?;
        let word = key.unraw().to_string();
        if !self.known.contains(&word.as_str()) {
            if self.known.is_empty() {
                return Err(syn::Error::new(key.span(), format!("#[{}] takes no `{word}`", self.attribute)));
            }
            return Err(names::unknown(
                &format!("key of #[{}]:", self.attribute),
                &word,
                self.known,
                key.span(),
            ));
        }
        if self.seen.contains(&key) {
            return Err(syn::Error::new(key.span(), format!("`{word}` is set twice")));
        }
        self.seen.push(key.clone());

        // Flags stand alone, or as `flag = true`.
        if word == "error_formatter" || word == "global" {
            let on = match input.parse::<Option<Token![=]>>()? {
                Some(_) => input.parse::<LitBool>()?.value,
                None => true,
            };
            match word.as_str() {
                "global" => self.args.global = on,
                _ => self.args.error_formatter = on,
            }
            return Ok(());
        }

        input
            .parse::<Token![=]>()
            .map_err(|error| syn::Error::new(error.span(), format!("expected `{word} = …`")))?;
        match word.as_str() {
            "name" => {
                let name: LitStr = input.parse()?;
                names::leaf(&name.value(), name.span())?;
                self.args.name = Some(name);
            }
            "version" => self.args.version = Some(integer(input, "version", 0, 1_000_000)? as u32),
            "page" => {
                let page: LitStr = input.parse()?;
                names::page("page", &page.value(), page.span())?;
                self.args.page = Some(page);
            }
            "stream" => self.args.stream = Some(input.parse()?),
            "method" => {
                let method: LitStr = input.parse()?;
                let known = ["GET", "POST", "PUT", "DELETE"];
                if !known.contains(&method.value().as_str()) {
                    return Err(names::unknown("method", &method.value(), &known, method.span()));
                }
                self.method = Some(method.value());
            }
            "login" => self.login = Some(input.parse::<LitBool>()?.value),
            "additional" => self.additional = Some(predicates(input)?),
            "rate_limit" => {
                self.rate_limit = Some(if input.peek(LitBool) {
                    let off: LitBool = input.parse()?;
                    if off.value {
                        let message = "`rate_limit` is a number of calls, or `false` for none";
                        return Err(syn::Error::new(off.span, message));
                    }
                    "false".to_owned()
                } else {
                    integer(input, "rate_limit", 1, i64::from(u32::MAX))?.to_string()
                });
            }
            "validation" => {
                let mode: LitStr = input.parse()?;
                self.validation = Some(match mode.value().as_str() {
                    "strict" => "\"strict\"",
                    "relaxed" => "\"relaxed\"",
                    "skip" => "{\"input\":\"skip\"}",
                    other => {
                        let known = ["strict", "relaxed", "skip"];
                        return Err(names::unknown("validation", other, &known, mode.span()));
                    }
                });
            }
            "order" => self.order = Some(integer(input, "order", -1000, 1000)? as i32),
            "payload" => self.payload = Some(strings(input, "payload", 20)?),
            "routes" => {
                let span = input.span();
                let routes = strings(input, "routes", 200)?;
                for route in &routes {
                    let full = route.split('/').count() >= 4 && !route.ends_with('/');
                    if !(route.starts_with("api/") || route.starts_with("sync/"))
                        || !(full || route.ends_with('/'))
                    {
                        let message = format!(
                            "`{route}` is neither a full route (`api/vehicles/getAll/v1`) nor a prefix ending in `/` (`api/vehicles/`)"
                        );
                        return Err(syn::Error::new(span, message));
                    }
                }
                self.routes = Some(routes);
            }
            other => return Err(syn::Error::new(key.span(), format!("`{other}` has no rule"))),
        }
        Ok(())
    }

    fn finish(mut self) -> syn::Result<Args> {
        let members = &mut self.args.members;
        if let Some(method) = &self.method {
            members.text("method", method);
        }
        if self.login.is_some() || self.additional.is_some() {
            // A predicate on the session needs one, unless the author says otherwise.
            let mut auth = Members::default();
            auth.raw("login", if self.login.unwrap_or(true) { "true" } else { "false" });
            if let Some(additional) = &self.additional {
                auth.raw("additional", additional);
            }
            members.raw("auth", &auth.into_object());
        }
        if let Some(limit) = &self.rate_limit {
            members.raw("rateLimit", limit);
        }
        if let Some(validation) = self.validation {
            members.raw("validation", validation);
        }
        if self.args.error_formatter {
            members.raw("errorFormatter", "true");
        }
        if let Some(order) = self.order {
            members.raw("order", &order.to_string());
        }
        if let Some(payload) = &self.payload {
            members.raw("payload", &list(payload));
        }
        if let Some(routes) = &self.routes {
            members.raw("routes", &list(routes));
        }
        Ok(self.args)
    }
}

fn integer(input: ParseStream<'_>, key: &str, min: i64, max: i64) -> syn::Result<i64> {
    let span = input.span();
    let negative = input.parse::<Option<Token![-]>>()?.is_some();
    let value: i64 = input.parse::<LitInt>()?.base10_parse()?;
    let value = if negative { -value } else { value };
    match (min..=max).contains(&value) {
        true => Ok(value),
        false => Err(syn::Error::new(span, format!("`{key}` is a number from {min} to {max}"))),
    }
}

fn strings(input: ParseStream<'_>, key: &str, max: usize) -> syn::Result<Vec<String>> {
    let content;
    let bracket = bracketed!(content in input);
    let values = Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?;
    match values.len() <= max {
        true => Ok(values.iter().map(LitStr::value).collect()),
        false => Err(syn::Error::new(bracket.span.join(), format!("`{key}` holds at most {max} values"))),
    }
}

/// `[{ key = "admin", value = true }, …]`
fn predicates(input: ParseStream<'_>) -> syn::Result<String> {
    const KEYS: [&str; 5] = ["key", "value", "type", "nullish", "mustBeFalsy"];
    const TYPES: [&str; 5] = ["string", "number", "boolean", "object", "undefined"];
    let content;
    let bracket = bracketed!(content in input);
    let mut rendered = Vec::new();
    while !content.is_empty() {
        let fields;
        let brace = braced!(fields in content);
        let mut members = Members::default();
        let mut seen: Vec<String> = Vec::new();
        while !fields.is_empty() {
            let key = fields.call(Ident::parse_any)?;
            let word = match key.unraw().to_string().as_str() {
                "must_be_falsy" => "mustBeFalsy".to_owned(),
                other => other.to_owned(),
            };
            if !KEYS.contains(&word.as_str()) {
                return Err(names::unknown("key of a predicate:", &word, &KEYS, key.span()));
            }
            if seen.contains(&word) {
                return Err(syn::Error::new(key.span(), format!("`{word}` is set twice")));
            }
            fields.parse::<Token![=]>()?;
            match word.as_str() {
                "key" => {
                    let name: LitStr = fields.parse()?;
                    if name.value().is_empty() {
                        return Err(syn::Error::new(name.span(), "`key` names a key of the session object"));
                    }
                    members.text("key", &name.value());
                }
                "type" => {
                    let name: LitStr = fields.parse()?;
                    if !TYPES.contains(&name.value().as_str()) {
                        return Err(names::unknown("type", &name.value(), &TYPES, name.span()));
                    }
                    members.text("type", &name.value());
                }
                "value" => members.raw("value", &fields.parse::<Literal>()?.0),
                _ => members.raw(&word, if fields.parse::<LitBool>()?.value { "true" } else { "false" }),
            }
            seen.push(word);
            if !fields.is_empty() {
                fields.parse::<Token![,]>()?;
            }
        }
        if !seen.iter().any(|word| word == "key") {
            let message = "a predicate names the `key` of the session object it looks at";
            return Err(syn::Error::new(brace.span.join(), message));
        }
        rendered.push(members.into_object());
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    match rendered.len() <= 50 {
        true => Ok(format!("[{}]", rendered.join(","))),
        false => Err(syn::Error::new(bracket.span.join(), "`additional` holds at most 50 predicates")),
    }
}
