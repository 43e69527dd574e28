//! TypeScript's notation for a [`Type`].

use serde_json::Value;

use crate::schema::{Array, Docs, Object, Type};
use crate::text::{comment, property, quote};

/// Tuples are written for arrays of up to this fixed length, if their items' text is short: tuples of
/// tuples of tuples multiply.
const TUPLE: u64 = 8;
const SHORT: usize = 40;
/// What any key may hold is written up to this length, as it repeats all named ones.
const INDEX: usize = 200;

/// How a type is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer<'n> {
    /// Names of the definitions, by their index.
    pub names: &'n [String],
    /// With comments, a line for each property; else on one line.
    pub lines: bool,
}

impl Printer<'_> {
    /// The type's text. Its first line is not indented; the others are, by `indent` and more.
    pub fn print(&self, ty: &Type, indent: &str) -> String {
        match ty {
            Type::Any => "unknown".to_owned(),
            Type::Never => "never".to_owned(),
            Type::Null => "null".to_owned(),
            Type::Boolean => "boolean".to_owned(),
            Type::Number(_) => "number".to_owned(),
            Type::Text(_) => "string".to_owned(),
            Type::Value(value) => literal(value),
            Type::Array(array) => self.array(array, indent),
            Type::Tuple(first, rest) => {
                let mut parts: Vec<String> = first.iter().map(|part| self.print(part, indent)).collect();
                if let Some(rest) = rest {
                    parts.push(format!("...{}", self.array_of(rest, indent)));
                }
                format!("[{}]", parts.join(", "))
            }
            Type::Object(object) => self.object(object, indent),
            Type::Union(parts) | Type::OneOf(parts) => self.joined(parts, " | ", indent),
            Type::All(parts) => self.joined(parts, " & ", indent),
            Type::Named(index) => self.names[*index].clone(),
        }
    }

    fn joined(&self, parts: &[Type], separator: &str, indent: &str) -> String {
        let mut texts: Vec<String> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for part in parts {
            let mut text = self.print(part, indent);
            // In an intersection a union needs its parentheses; in a union they do no harm.
            if matches!(part, Type::Union(_) | Type::OneOf(_) | Type::All(_)) {
                text = format!("({text})");
            }
            // Number and integer are one type here.
            if seen.insert(text.clone()) {
                texts.push(text);
            }
        }
        texts.join(separator)
    }

    fn array(&self, array: &Array, indent: &str) -> String {
        match (array.min, array.max) {
            (_, Some(0)) => "[]".to_owned(),
            (Some(min), Some(max)) if min == max && max <= TUPLE => {
                let item = self.print(&array.items, indent);
                if item.len() <= SHORT {
                    format!("[{}]", vec![item; max as usize].join(", "))
                } else {
                    list_of(&array.items, item)
                }
            }
            _ => self.array_of(&array.items, indent),
        }
    }

    fn array_of(&self, items: &Type, indent: &str) -> String {
        list_of(items, self.print(items, indent))
    }

    fn object(&self, object: &Object, indent: &str) -> String {
        if object.is_empty() {
            return "Record<string, never>".to_owned();
        }
        let inner = format!("{indent}  ");
        let mut members: Vec<(String, String)> = Vec::new();
        let mut types: Vec<String> = Vec::new();
        for field in &object.fields {
            let mark = if field.required { "" } else { "?" };
            let ty = self.print(&field.ty, &inner);
            members.push((self.docs(&field.docs, &inner), format!("{}{mark}: {ty}", property(&field.name))));
            types.push(ty);
        }
        if let Some(index) = self.index(object, types, &inner) {
            members.push((String::new(), format!("[key: string]: {index}")));
        }
        if !self.lines {
            let members: Vec<String> = members.into_iter().map(|(_, member)| member).collect();
            return format!("{{ {} }}", members.join("; "));
        }
        let mut out = "{\n".to_owned();
        for (docs, member) in members {
            out.push_str(&docs);
            out.push_str(&inner);
            out.push_str(&member);
            out.push_str(";\n");
        }
        out.push_str(indent);
        out.push('}');
        out
    }

    /// What any key may hold: TypeScript wants the named ones, whose types' texts these are, among it.
    fn index(&self, object: &Object, named: Vec<String>, indent: &str) -> Option<String> {
        let others: Vec<&Type> = object.patterns.iter().map(|(_, ty)| ty).chain(object.rest()).collect();
        if others.is_empty() {
            return None;
        }
        let own = others.into_iter().map(|ty| self.print(ty, indent));
        let mut texts: Vec<String> = Vec::new();
        // Alone it repeats nothing.
        let limit = if named.is_empty() && object.patterns.len() <= 1 { usize::MAX } else { INDEX };
        let mut length = 0;
        for text in own.chain(named) {
            if !texts.contains(&text) {
                length += text.len();
                texts.push(text);
            }
            if length > limit || texts.iter().any(|text| text == "unknown") {
                return Some("unknown".to_owned());
            }
        }
        if object.fields.iter().any(|field| !field.required) {
            texts.push("undefined".to_owned());
        }
        Some(texts.join(" | "))
    }

    pub fn docs(&self, docs: &Docs, indent: &str) -> String {
        if self.lines { comment(docs.text.as_deref(), docs.deprecated, indent) } else { String::new() }
    }
}

fn list_of(items: &Type, text: String) -> String {
    match items {
        Type::Union(_) | Type::OneOf(_) | Type::All(_) => format!("({text})[]"),
        _ => format!("{text}[]"),
    }
}

/// A JSON value as a type.
fn literal(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quote(text),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "Record<string, never>".to_owned(),
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", property(name), literal(value)))
                .collect();
            format!("{{ {} }}", members.join("; "))
        }
    }
}

/// A JSON value as an expression.
pub(crate) fn expression(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quote(text),
        Value::Array(items) => format!("[{}]", items.iter().map(expression).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", crate::text::key(name), expression(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
    }
}
