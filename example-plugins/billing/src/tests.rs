use super::*;
use luckystack::testing;
use std::time::Duration;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn input(customer: &str) -> Value {
    json!({
        "customer": { "name": customer },
        "lines": [
            { "text": "Wheels", "quantity": 4, "unitPrice": 12_950 },
            { "text": "Paint", "quantity": 1, "unitPrice": 49_900 },
        ],
        "currency": "EUR",
    })
}

fn create(input: &Value) -> Result<Value, HandlerError> {
    testing::call_route(&PLUGIN, testing::call().route("api/billing/createInvoice/v1").build(), input)
}

fn list(input: &Value) -> Vec<Value> {
    let ctx = testing::call().route("api/billing/listInvoices/v1").build();
    let answer = testing::call_route(&PLUGIN, ctx, input).unwrap();
    answer["result"].as_array().unwrap().clone()
}

#[test]
fn an_invoice_is_numbered_summed_and_answered_with_201() {
    testing::set_now(Duration::from_millis(1_000));
    let answer = create(&input("Ada")).unwrap();
    assert_eq!(answer["httpStatus"], 201);
    let invoice = &answer["result"];
    assert_eq!((&invoice["number"], &invoice["total"]), (&json!(1), &json!(4 * 12_950 + 49_900)));
    assert_eq!(invoice["dueAt"], 1_000 + 14 * DAY_MS);
    assert_eq!(invoice.get("note"), None);

    let mut with_term = input("Ada");
    with_term["dueDays"] = json!(30);
    with_term["note"] = json!("by bike");
    let invoice = &create(&with_term).unwrap()["result"];
    assert_eq!((&invoice["number"], &invoice["note"]), (&json!(2), &json!("by bike")));
    assert_eq!(invoice["dueAt"], 1_000 + 30 * DAY_MS);
}

#[test]
fn invoices_are_listed_newest_first_and_by_customer() {
    for customer in ["Ada", "Bob", "Ada"] {
        create(&input(customer)).unwrap();
    }
    let numbers =
        |invoices: Vec<Value>| invoices.iter().map(|invoice| invoice["number"].as_u64()).collect::<Vec<_>>();
    assert_eq!(numbers(list(&json!({}))), [Some(3), Some(2), Some(1)]);
    assert_eq!(numbers(list(&json!({ "customer": "Ada" }))), [Some(3), Some(1)]);
}

#[test]
fn a_damaged_record_hides_no_other() {
    create(&input("Ada")).unwrap();
    kv::open().unwrap().set("invoice/damaged", b"{").unwrap();
    assert_eq!(list(&json!({})).len(), 1);
    assert!(testing::logs().iter().any(|(_, line)| line.contains("invoice/damaged")));
}

#[test]
fn what_a_schema_cannot_say_is_checked_and_named() {
    let mut nameless = input(" ");
    assert_eq!(create(&nameless).unwrap_err().code(), "billing.customerNameEmpty");
    nameless["customer"]["name"] = json!("Ada");
    nameless["lines"][1]["quantity"] = json!(0);
    let error = create(&nameless).unwrap_err();
    assert_eq!(error.code(), "billing.quantityZero");
    assert_eq!(error.params().collect::<Vec<_>>(), [("line", json!(2))]);
    nameless["lines"] = json!([]);
    assert_eq!(create(&nameless).unwrap_err().code(), "billing.noLines");
}

#[test]
fn an_input_of_another_shape_is_refused() {
    let mut pounds = input("Ada");
    pounds["currency"] = json!("GBP");
    let error = create(&pounds).unwrap_err();
    assert_eq!((error.code(), error.http_status()), ("api.invalidInputType", Some(400)));
    assert!(testing::logs().iter().any(|(_, line)| line.contains("GBP")), "the reason is in the log");
}
