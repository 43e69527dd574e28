//! The service `billing`: invoices, kept in the service's key-value store (its preset grants `keyvalue`).
//!
//! It shows nested and optional inputs, an enum, checks that a schema cannot express, and a store.

use luckystack::prelude::*;

/// What a client sends.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct NewInvoice {
    customer: Customer,
    #[schemars(length(min = 1, max = 100))]
    lines: Vec<Line>,
    currency: Currency,
    /// Days until it is due; 14 when not given.
    #[serde(default)]
    due_days: Option<u32>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Customer {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vat_number: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Line {
    text: String,
    #[schemars(range(min = 1))]
    quantity: u32,
    /// In cents, so that sums are exact.
    unit_price: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum Currency {
    #[serde(rename = "EUR")]
    Eur,
    #[serde(rename = "USD")]
    Usd,
}

/// What is stored, and what clients see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Invoice {
    number: u64,
    customer: Customer,
    lines: Vec<Line>,
    currency: Currency,
    /// In cents.
    total: u64,
    /// Milliseconds since 1970.
    created_at: u64,
    /// Milliseconds since 1970.
    due_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ListInvoices {
    /// Only those of this customer.
    #[serde(default)]
    customer: Option<String>,
}

/// Invoices, newest first.
#[api]
fn list_invoices(input: ListInvoices) -> Result<Vec<Invoice>, HandlerError> {
    let store = kv::open()?;
    let keys: Vec<String> = store.keys()?.into_iter().filter(|key| key.starts_with("invoice/")).collect();
    let mut invoices = Vec::with_capacity(keys.len());
    for (key, bytes) in store.get_many(&keys)? {
        match luckystack::serde_json::from_slice::<Invoice>(&bytes) {
            Ok(invoice) if input.customer.as_ref().is_none_or(|name| *name == invoice.customer.name) => {
                invoices.push(invoice);
            }
            Ok(_) => {}
            // One damaged record should not hide the others.
            Err(error) => log::error!("{key} is not an invoice: {error}"),
        }
    }
    invoices.sort_by_key(|invoice| std::cmp::Reverse(invoice.number));
    Ok(invoices)
}

/// Adds an invoice.
#[api(rate_limit = 30)]
fn create_invoice(ctx: &Ctx, input: NewInvoice) -> Result<Response<Invoice>, HandlerError> {
    if input.customer.name.trim().is_empty() {
        return Err(error!("billing.customerNameEmpty"));
    }
    if input.lines.is_empty() {
        return Err(error!("billing.noLines"));
    }
    if let Some(at) = input.lines.iter().position(|line| line.quantity == 0) {
        return Err(error!("billing.quantityZero", line = at + 1));
    }
    // 100 lines of the largest numbers still fit.
    let total = input.lines.iter().map(|line| u64::from(line.quantity) * u64::from(line.unit_price)).sum();

    let store = kv::open()?;
    let created_at = time::now_ms();
    let invoice = Invoice {
        // Counted by the store, so that two calls at once cannot get the same number.
        number: store.increment("invoices", 1)?,
        customer: input.customer,
        lines: input.lines,
        currency: input.currency,
        total,
        created_at,
        due_at: created_at + u64::from(input.due_days.unwrap_or(14)) * 24 * 60 * 60 * 1000,
        note: input.note,
    };
    store.set_json(&format!("invoice/{:010}", invoice.number), &invoice)?;
    log::info!(
        "invoice {} for {} {:?}, asked for by {}",
        invoice.number,
        invoice.total,
        invoice.currency,
        ctx.ip()
    );
    Ok(Response::new(invoice).status(201))
}

luckystack::plugin! {
    service = "billing",
    description = "Invoices and their lines",
    handlers = [list_invoices, create_invoice],
}

#[cfg(test)]
mod tests;
