//! From a merged object to its rule.

use std::collections::BTreeSet;

use super::SchemaError;
use super::compile::Compiler;
use super::flatten::{Additional, Shape, Site};
use super::keyword::error;
use super::node::{NodeId, ObjectRule, Prop};
use super::pattern;

/// Properties up to this number are compared one by one: their lengths differ more often than not.
const COMPARED: usize = 16;
/// Bounded because their indices are.
const MAX_PROPERTIES: usize = u16::MAX as usize;

/// Keys that no checked object may have (wire protocol §3.5): a guest written in JavaScript could be
/// harmed by merely copying them.
pub(super) const FORBIDDEN: [&str; 3] = ["__proto__", "constructor", "prototype"];

impl<'s> Compiler<'s> {
    pub fn shape(&mut self, shape: Shape<'s>) -> Result<ObjectRule, SchemaError> {
        let at = shape.at.as_str();
        let required: BTreeSet<&str> = shape.required.iter().copied().collect();
        for name in required.iter().copied().chain(shape.props.iter().map(|(name, _)| *name)) {
            if FORBIDDEN.contains(&name) {
                return Err(error(
                    at,
                    "properties",
                    format!("`{name}` is never accepted as a key; rename it"),
                ));
            }
        }
        let patterns: Result<Box<[_]>, SchemaError> = shape
            .patterns
            .iter()
            .map(|(text, site)| {
                let regex =
                    pattern::compile(text).map_err(|message| error(at, "patternProperties", message))?;
                Ok((regex, self.schema(site.0, &site.1)?))
            })
            .collect();
        let patterns = patterns?;
        let additional = match &shape.additional {
            Additional::Unsaid | Additional::Closed => None,
            Additional::Open(sites) => Some(self.sites(sites)?),
        };
        let mut props = Vec::new();
        for (name, sites) in &shape.props {
            props.push(Prop { name: (*name).into(), node: Some(self.sites(sites)?) });
        }
        for name in &required {
            if shape.props.iter().any(|(known, _)| known == name) {
                continue;
            }
            if additional.is_none() && !patterns.iter().any(|(regex, _)| regex.is_match(name)) {
                return Err(error(
                    at,
                    "required",
                    format!(
                        "`{name}` is required but not among the properties, so no object could pass; declare it"
                    ),
                ));
            }
            props.push(Prop { name: (*name).into(), node: None });
        }
        if props.len() > MAX_PROPERTIES {
            return Err(error(at, "properties", "more than 65535 properties; use `additionalProperties`"));
        }
        // Stable, so that the rest stays as declared.
        props.sort_by_key(|prop| !required.contains(&*prop.name));
        let mut sorted: Vec<u16> = Vec::new();
        if props.len() > COMPARED {
            sorted.extend((0..=u16::MAX).take(props.len()));
            sorted
                .sort_by(|left, right| props[usize::from(*left)].name.cmp(&props[usize::from(*right)].name));
        }
        let names: Result<Box<[NodeId]>, SchemaError> =
            shape.names.iter().map(|(schema, at)| self.schema(schema, at)).collect();
        Ok(ObjectRule {
            required: required.len(),
            props: props.into(),
            sorted: sorted.into(),
            patterns,
            names: names?,
            additional,
            min: shape.min,
            max: shape.max.unwrap_or(usize::MAX),
        })
    }

    /// What a value must be that several parts speak of; equal parts count once.
    fn sites(&mut self, sites: &[Site<'s>]) -> Result<NodeId, SchemaError> {
        let mut all = Vec::new();
        for (index, (schema, at)) in sites.iter().enumerate() {
            if !sites[..index].iter().any(|(earlier, _)| earlier == schema) {
                all.push(self.schema(schema, at)?);
            }
        }
        Ok(self.all_of(all))
    }
}
