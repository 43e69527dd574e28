use proptest::prelude::*;
use serde_json::json;

use super::*;

fn column(name: &str, kind: Kind) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        sql_type: String::new(),
        exact_type: String::new(),
        required: false,
        has_default: false,
        is_computed: false,
    }
}

fn text(name: &str) -> Column {
    column(name, Kind::Text { most: None })
}

fn table(more: Vec<Column>) -> Table {
    let mut columns: Vec<Column> = ["id", "email", "name", "provider", "password"].map(text).into();
    columns.extend(more);
    Table::new(columns)
}

fn fields(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn kinds_take_what_they_can_hold() {
    let choice = || Kind::Choice { allowed: vec!["nl".to_owned(), "en".to_owned()] };
    let text = |text: &str| Some(Cell::Text(text.to_owned()));
    let table = [
        (Kind::Text { most: None }, json!("é"), text("é")),
        (Kind::Text { most: Some(1) }, json!("é"), text("é")),
        (Kind::Text { most: Some(1) }, json!("éé"), None),
        (Kind::Text { most: None }, json!(1), None),
        (Kind::Text { most: None }, json!("a\0"), None),
        (Kind::Bool, json!(true), Some(Cell::Bool(true))),
        (Kind::Bool, json!(1), None),
        (Kind::Bool, json!("true"), None),
        (Kind::Integer { bits: 16 }, json!(32767), Some(Cell::Integer(32767))),
        (Kind::Integer { bits: 16 }, json!(-32768), Some(Cell::Integer(-32768))),
        (Kind::Integer { bits: 16 }, json!(32768), None),
        (Kind::Integer { bits: 16 }, json!(-32769), None),
        (Kind::Integer { bits: 64 }, json!(i64::MIN), Some(Cell::Integer(i64::MIN))),
        (Kind::Integer { bits: 64 }, json!(u64::MAX), None),
        (Kind::Integer { bits: 64 }, json!(1.0), None),
        (Kind::Number, json!(1.5), Some(Cell::Number(1.5))),
        (Kind::Number, json!(3), Some(Cell::Integer(3))),
        (Kind::Number, json!("3"), None),
        (Kind::Date, json!("2026-01-02"), text("2026-01-02T00:00:00.000Z")),
        (Kind::Date, json!("2026-01-02T03:04:05"), None),
        (Kind::Day, json!("2026-01-02T00:00:00Z"), text("2026-01-02T00:00:00.000Z")),
        (Kind::Day, json!("2026-01-02T00:00:01Z"), None),
        (Kind::Json, json!({ "a": 1 }), text("{\"a\":1}")),
        (Kind::Json, json!("a"), text("\"a\"")),
        (Kind::Json, json!({ "a": ["\0"] }), None),
        (Kind::Json, json!({ "\0": 1 }), None),
        (Kind::Codes, json!(["a"]), text("[\"a\"]")),
        (Kind::Codes, json!("[\"a\"]"), text("[\"a\"]")),
        (Kind::Codes, json!([1]), None),
        (Kind::Codes, json!("{}"), None),
        (choice(), json!("nl"), text("nl")),
        (choice(), json!("NL"), None),
        (choice(), json!(1), None),
        (Kind::List, json!(["a", 1, null]), text("[\"a\",1,null]")),
        (Kind::List, json!([[1]]), None),
        (Kind::List, json!("a"), None),
        (Kind::Other, json!("10.0.0.1"), text("10.0.0.1")),
        (Kind::Other, json!(5), text("5")),
        (Kind::Other, json!([5]), None),
    ];
    for (kind, value, expected) in table {
        assert_eq!(kind.cell(&value, "field").ok(), expected, "{kind:?} {value}");
        assert_eq!(kind.cell(&Value::Null, "field").unwrap(), Cell::Null);
    }
}

#[test]
fn a_reason_repeats_no_secret_and_not_much_else() {
    let choice = Kind::Choice { allowed: vec!["a".to_owned(), "b".to_owned()] };
    for secret in SECRET {
        let error = choice.cell(&json!("s3cret"), secret).unwrap_err().to_string();
        assert!(error.contains("a, b") && !error.contains("s3cret"), "{error}");
    }
    let error = choice.cell(&json!("x".repeat(5000)), "language").unwrap_err().to_string();
    assert!(error.len() < 150, "{error}");
}

#[test]
fn a_change_names_columns_and_puts_the_rest_aside() {
    let with_extra = table(vec![column(EXTRA, Kind::Json), column("updatedAt", Kind::Date)]);
    let plan = with_extra.change(&fields(json!({ "name": "A", "colour": "red", "size": null }))).unwrap();
    assert_eq!(plan.cells[0], (2, Cell::Text("A".to_owned())));
    assert_eq!(with_extra.columns[plan.cells[1].0].name, "updatedAt");
    assert_eq!(plan.extra, fields(json!({ "name": null, "colour": "red", "size": null })));

    let without = table(vec![]);
    assert!(without.change(&fields(json!({ "colour": "red" }))).is_err());
    assert!(without.change(&fields(json!({ "extra": {} }))).is_err());
    // A column of that name that holds something else is a column like any other.
    let number = table(vec![column(EXTRA, Kind::Bool)]);
    assert!(number.change(&fields(json!({ "extra": true }))).is_ok());
    assert!(number.change(&fields(json!({ "colour": "red" }))).is_err());
}

#[test]
fn a_new_user_needs_only_the_columns_that_are_there() {
    let mut theme = column("theme", Kind::Choice { allowed: vec!["light".to_owned(), "dark".to_owned()] });
    let user = || NewUser { email: "a@b.c".to_owned(), ..NewUser::default() };
    let named = |table: &Table| {
        let plan = table.insertion(user(), "1".to_owned()).unwrap();
        plan.cells.iter().map(|(at, _)| table.columns[*at].name.clone()).collect::<Vec<_>>()
    };
    let always = ["id", "email", "name", "provider", "password"];
    assert_eq!(named(&table(vec![])), always);
    assert_eq!(named(&table(vec![theme.clone()])), [&always[..], &["theme"]].concat());
    theme.has_default = true;
    assert_eq!(named(&table(vec![theme])), always);

    let mut numbered = table(vec![]);
    numbered.columns[0].kind = Kind::Integer { bits: 32 };
    assert_eq!(named(&numbered), always[1..]);
}

#[test]
fn a_column_with_a_value_comes_before_a_field_put_aside() {
    let values =
        vec![("a".to_owned(), json!(1)), ("b".to_owned(), Value::Null), ("c".to_owned(), Value::Null)];
    let record = record(values, Some(r#"{ "a": 2, "b": 2, "d": 2 }"#));
    assert_eq!(record, fields(json!({ "a": 1, "b": 2, "c": null, "d": 2 })));
    for broken in ["", "[]", "{", "null"] {
        assert_eq!(super::record(vec![("a".to_owned(), json!(1))], Some(broken)), fields(json!({ "a": 1 })));
    }
}

proptest! {
    /// What is put aside is what was put aside before, changed as asked.
    #[test]
    fn fields_put_aside_follow_every_change(
        steps in prop::collection::vec(
            prop::collection::hash_map("[a-e]", prop::option::of("[^\\x00]{0,8}"), 0..4), 0..8)
    ) {
        let table = table(vec![column(EXTRA, Kind::Json), text("e")]);
        let (mut stored, mut expected) = (None, Map::new());
        for step in steps {
            let changes: Map<String, Value> = step.into_iter().map(|(k, v)| (k, json!(v))).collect();
            let plan = table.change(&changes).unwrap();
            if let Some(Cell::Text(text)) = table.extra_after(stored.as_deref(), &plan).unwrap() {
                stored = Some(text);
            }
            for (field, value) in changes {
                if value.is_null() || field == "e" {
                    expected.remove(&field);
                } else {
                    expected.insert(field, value);
                }
            }
            prop_assert_eq!(record(vec![], stored.as_deref()), expected.clone());
        }
    }
}
