//! `luckystack-host functions`: who provides what, and what is shadowed.

use crate::boot::Loaded;
use crate::terminal::line;

/// Prints the functions that can be called, the provider that is called first.
pub(crate) fn print(loaded: &Loaded, json: bool) -> anyhow::Result<()> {
    let listing: Vec<_> = loaded.table.functions().listing().collect();
    if json {
        let functions: Vec<_> = listing
            .iter()
            .map(|(name, providers)| {
                let all: Vec<_> = providers.iter().map(|provider| provider.describe()).collect();
                serde_json::json!({ "name": name, "provider": all.first(), "shadowed": all.get(1..) })
            })
            .collect();
        line(serde_json::to_string_pretty(&serde_json::json!({ "functions": functions }))?);
        return Ok(());
    }
    let width = listing.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, providers) in listing {
        let mut providers = providers.iter().map(|provider| provider.describe());
        let called = providers.next().unwrap_or_default();
        let shadowed: Vec<_> = providers.collect();
        let shadows =
            if shadowed.is_empty() { String::new() } else { format!("  shadows {}", shadowed.join(", ")) };
        line(format!("{name:<width$}  {called}{shadows}"));
    }
    Ok(())
}
