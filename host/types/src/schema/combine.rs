//! Types out of types: any of several, exactly one, all.

use serde_json::Value;

use super::Type;

/// Parts that are compared with each other, which is quadratic.
const COMPARED: usize = 256;

/// Any of these, without repetition and with null last.
pub(super) fn union(parts: Vec<Type>) -> Type {
    let mut flat: Vec<Type> = Vec::new();
    let mut null = false;
    for part in parts {
        match part {
            Type::Any => return Type::Any,
            Type::Never => {}
            Type::Null => null = true,
            Type::Union(parts) => {
                for part in parts {
                    if part == Type::Null { null = true } else { push(&mut flat, part) }
                }
            }
            other => push(&mut flat, other),
        }
    }
    if null {
        flat.push(Type::Null);
    }
    match flat.len() {
        0 => Type::Never,
        1 => flat.remove(0),
        _ => Type::Union(flat),
    }
}

fn push(flat: &mut Vec<Type>, ty: Type) {
    // Values are unique already, and there may be thousands.
    if matches!(ty, Type::Value(_)) || flat.len() > COMPARED || !flat.contains(&ty) {
        flat.push(ty);
    }
}

/// Exactly one of these; a plain union where no value can be two of them.
pub(super) fn one_of(parts: Vec<Type>) -> Type {
    let fields =
        parts.iter().map(|part| if let Type::Object(object) = part { object.fields.len() } else { 1 });
    let distinct = parts.len() <= COMPARED
        && fields.sum::<usize>() <= 8 * COMPARED
        && parts
            .iter()
            .enumerate()
            .all(|(index, left)| parts[..index].iter().all(|right| disjoint(left, right)));
    match parts.len() {
        1 => union(parts),
        _ if distinct => union(parts),
        _ => Type::OneOf(parts),
    }
}

/// Whether surely no value is of both types.
fn disjoint(left: &Type, right: &Type) -> bool {
    match (left, right) {
        (Type::Never, _) | (_, Type::Never) => true,
        (Type::Union(parts), other) | (other, Type::Union(parts)) => {
            parts.iter().all(|part| disjoint(part, other))
        }
        (Type::Any | Type::Named(_) | Type::OneOf(_) | Type::All(_), _)
        | (_, Type::Any | Type::Named(_) | Type::OneOf(_) | Type::All(_)) => false,
        (Type::Value(left), Type::Value(right)) => match (left.as_f64(), right.as_f64()) {
            (Some(left), Some(right)) => left != right,
            _ => left != right,
        },
        (Type::Object(left), Type::Object(right)) => left.fields.iter().any(|field| {
            let same = right.fields.iter().find(|other| other.name == field.name);
            match same {
                Some(other) => field.required && other.required && disjoint(&field.ty, &other.ty),
                // The other one is closed to it.
                None => field.required && right.patterns.is_empty() && right.rest().is_none(),
            }
        }),
        (left, right) => kind(left) != kind(right),
    }
}

fn kind(ty: &Type) -> u8 {
    match ty {
        Type::Null | Type::Value(Value::Null) => 0,
        Type::Boolean | Type::Value(Value::Bool(_)) => 1,
        Type::Number(_) | Type::Value(Value::Number(_)) => 2,
        Type::Text(_) | Type::Value(Value::String(_)) => 3,
        Type::Array(_) | Type::Tuple(..) | Type::Value(Value::Array(_)) => 4,
        Type::Object(_) | Type::Value(Value::Object(_)) => 5,
        Type::Any | Type::Never | Type::Union(_) | Type::OneOf(_) | Type::All(_) | Type::Named(_) => 6,
    }
}

/// All of these at once.
pub(super) fn all_of(mut parts: Vec<Type>) -> Type {
    parts.retain(|part| *part != Type::Any);
    let mut all: Vec<Type> = Vec::new();
    for part in parts {
        if all.len() > COMPARED || !all.contains(&part) {
            all.push(part);
        }
    }
    match all.len() {
        0 => Type::Any,
        1 => all.remove(0),
        _ if all.contains(&Type::Never) => Type::Never,
        _ => Type::All(all),
    }
}
