//! serde_json is the measure: the same bytes, or the same refusal.

use std::fmt::{self, Display};

use proptest::prelude::*;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

#[track_caller]
fn assert_same(value: &(impl Serialize + ?Sized)) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let expected = serde_json::to_vec(value).map(text).map_err(|error| error.to_string());
    let mut out = b"before".to_vec();
    let got = super::append(&mut out, value).map(|()| text(out.split_off(6))).map_err(|e| e.to_string());
    assert_eq!(got, expected);
    assert_eq!(out[..6], *b"before");
}

/// Every shape of serde's data model but the enum variants.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Any {
    Unit,
    UnitStruct(UnitStruct),
    Bool(bool),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    U128(u128),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    I128(i128),
    F32(f32),
    F64(f64),
    Char(char),
    Text(String),
    Shown(Shown),
    Bytes(Bytes),
    Option(Option<Box<Any>>),
    Newtype(Newtype),
    Seq(Vec<Any>),
    Tuple(Box<(Any, Any)>),
    TupleStruct(TupleStruct),
    Map(Map),
    Struct(Box<Struct>),
    NoFields(NoFields),
    Variant(Box<Variant>),
    Raw(Box<RawValue>),
    Value(Value),
}

#[derive(Debug, Clone, Serialize)]
struct UnitStruct;

#[derive(Debug, Clone, Serialize)]
struct NoFields {}

#[derive(Debug, Clone, Serialize)]
struct Newtype(Box<Any>);

#[derive(Debug, Clone, Serialize)]
struct TupleStruct(Box<Any>, u8);

#[derive(Debug, Clone, Serialize)]
enum Variant {
    Unit,
    Newtype(Any),
    Tuple(Any, Any),
    Struct { a: Any, b: Any },
    NoItems(),
    NoFields {},
}

/// Keys of every length and kind that is written differently.
#[derive(Debug, Clone, Serialize)]
struct Struct {
    #[serde(rename = "")]
    empty: Any,
    a: Any,
    #[serde(rename = "sevenxx")]
    seven: Any,
    #[serde(rename = "eightxxx")]
    eight: Any,
    #[serde(rename = "twelvexxxxxx")]
    twelve: Any,
    #[serde(rename = "thirteenxxxxx")]
    thirteen: Any,
    #[serde(rename = "sixteenxxxxxxxxx")]
    sixteen: Any,
    #[serde(rename = "seventeenxxxxxxxx")]
    seventeen: Any,
    #[serde(rename = "a key of more than sixty-four bytes, which no frame or word-wise copy holds")]
    long: Any,
    #[serde(rename = "\"")]
    quote: Any,
    #[serde(rename = "twelve bytes\u{1}")]
    control_at_the_end: Any,
    #[serde(rename = "back\\slash")]
    backslash: Any,
    #[serde(rename = "straße 𝄞")]
    unicode: Any,
    #[serde(skip_serializing_if = "Option::is_none")]
    absent: Option<u8>,
}

#[derive(Debug, Clone)]
struct Bytes(Vec<u8>);

#[derive(Debug, Clone)]
struct Map(Vec<(Key, Any)>);

/// Serialised by what its `Display` says, one piece at a time.
#[derive(Debug, Clone)]
struct Shown(Vec<String>);

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Key {
    Text(String),
    Char(char),
    Shown(Shown),
    Newtype(Box<NewtypeKey>),
    Some(Option<String>),
    Variant(Box<Variant>),
    Bool(bool),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    U128(u128),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    I128(i128),
    F32(f32),
    F64(f64),
    Bytes(Bytes),
    Unit,
    UnitStruct(UnitStruct),
    Seq(Vec<u8>),
    Tuple((u8, u8)),
    TupleStruct(Box<TupleStruct>),
    Struct(NoFields),
    Map(std::collections::BTreeMap<u8, u8>),
}

#[derive(Debug, Clone, Serialize)]
struct NewtypeKey(Key);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Without a length, as an iterator of unknown size gives it.
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| f.write_str(piece))
    }
}

fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        6 => prop::char::range(' ', '~'),
        1 => prop::char::range('\0', '\x1f'),
        1 => prop::sample::select(vec!['"', '\\', '\x7f', '\u{80}', 'é', '€', '\u{2028}', '𝄞', '\u{10ffff}']),
        1 => any::<char>(),
    ];
    let clean = "[a-zA-Z0-9 é-]{0,90}";
    prop_oneof![clean, prop::collection::vec(character, 0..90).prop_map(String::from_iter)]
}

fn float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
        (any::<i64>(), 0..20_i32).prop_map(|(digits, decimals)| digits as f64 / 10_f64.powi(decimals)),
        (-2_000_000_000_000_i64..2_000_000_000_000, 0..9_i32)
            .prop_map(|(digits, decimals)| digits as f64 / 10_f64.powi(decimals)),
        // Beside a short decimal: the last bits decide.
        (0_u64..2_000_000_000, 0..7_i32, -3..=3_i64).prop_map(|(digits, decimals, beside)| {
            let bits = (digits as f64 / 10_f64.powi(decimals)).to_bits();
            f64::from_bits(bits.saturating_add_signed(beside))
        }),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    let text_like = prop_oneof![
        text().prop_map(Key::Text),
        any::<char>().prop_map(Key::Char),
        prop::collection::vec(text(), 0..3).prop_map(|pieces| Key::Shown(Shown(pieces))),
        text().prop_map(|text| Key::Some(Some(text))),
        text().prop_map(|text| Key::Newtype(Box::new(NewtypeKey(Key::Text(text))))),
        Just(Key::Variant(Box::new(Variant::Unit))),
        any::<bool>().prop_map(Key::Bool),
    ];
    let numbers = prop_oneof![
        any::<u8>().prop_map(Key::U8),
        any::<u16>().prop_map(Key::U16),
        any::<u32>().prop_map(Key::U32),
        any::<u64>().prop_map(Key::U64),
        any::<u128>().prop_map(Key::U128),
        any::<i8>().prop_map(Key::I8),
        any::<i16>().prop_map(Key::I16),
        any::<i32>().prop_map(Key::I32),
        any::<i64>().prop_map(Key::I64),
        any::<i128>().prop_map(Key::I128),
        any::<f32>().prop_map(Key::F32),
        float().prop_map(Key::F64),
    ];
    prop_oneof![20 => text_like, 20 => numbers, 1 => prop::sample::select(no_keys())]
}

/// What no key of a JSON object can be made of.
fn no_keys() -> Vec<Key> {
    vec![
        Key::Unit,
        Key::UnitStruct(UnitStruct),
        Key::Some(None),
        Key::Bytes(Bytes(vec![1])),
        Key::Seq(vec![1]),
        Key::Tuple((1, 2)),
        Key::TupleStruct(Box::new(TupleStruct(Box::new(Any::Unit), 1))),
        Key::Struct(NoFields {}),
        Key::Map([(1, 2)].into()),
        Key::Variant(Box::new(Variant::Newtype(Any::Unit))),
        Key::Variant(Box::new(Variant::NoItems())),
        Key::Variant(Box::new(Variant::NoFields {})),
        Key::F32(f32::NAN),
        Key::F64(f64::NEG_INFINITY),
        Key::Newtype(Box::new(NewtypeKey(Key::Unit))),
    ]
}

fn leaf() -> impl Strategy<Value = Any> {
    let raw = prop::sample::select(vec!["null", "[ 1 , 2 ]", "{\"a\" : \"b\\u0000\"}", "1.50e+3"]);
    let integers = prop_oneof![
        any::<u8>().prop_map(Any::U8),
        any::<u16>().prop_map(Any::U16),
        any::<u32>().prop_map(Any::U32),
        any::<u64>().prop_map(Any::U64),
        any::<u128>().prop_map(Any::U128),
        any::<i8>().prop_map(Any::I8),
        any::<i16>().prop_map(Any::I16),
        any::<i32>().prop_map(Any::I32),
        any::<i64>().prop_map(Any::I64),
        any::<i128>().prop_map(Any::I128),
    ];
    let fixed = prop::sample::select(vec![
        Any::Unit,
        Any::UnitStruct(UnitStruct),
        Any::Option(None),
        Any::NoFields(NoFields {}),
        Any::Variant(Box::new(Variant::Unit)),
        Any::Variant(Box::new(Variant::NoItems())),
        Any::Variant(Box::new(Variant::NoFields {})),
        Any::Value(json!({"a": [1, -2, 3.5, null, "\u{1}"], "": {}, "b": [], "c": true})),
    ]);
    prop_oneof![
        fixed,
        integers,
        any::<bool>().prop_map(Any::Bool),
        any::<f32>().prop_map(Any::F32),
        float().prop_map(Any::F64),
        any::<char>().prop_map(Any::Char),
        text().prop_map(Any::Text),
        prop::collection::vec(text(), 0..4).prop_map(|pieces| Any::Shown(Shown(pieces))),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Any::Bytes(Bytes(bytes))),
        raw.prop_map(|raw| Any::Raw(RawValue::from_string(raw.into()).unwrap())),
    ]
}

fn value() -> impl Strategy<Value = Any> {
    leaf().prop_recursive(4, 48, 6, |inner| {
        let pair = (inner.clone(), inner.clone());
        let one = inner.clone();
        prop_oneof![
            one.clone().prop_map(|value| Any::Option(Some(Box::new(value)))),
            one.clone().prop_map(|value| Any::Newtype(Newtype(Box::new(value)))),
            one.clone().prop_map(|value| Any::TupleStruct(TupleStruct(Box::new(value), 7))),
            one.clone().prop_map(|value| Any::Variant(Box::new(Variant::Newtype(value)))),
            one.prop_map(|value| Any::Struct(Box::new(same_in_each(value)))),
            pair.clone().prop_map(|pair| Any::Tuple(Box::new(pair))),
            pair.clone().prop_map(|(a, b)| Any::Variant(Box::new(Variant::Tuple(a, b)))),
            pair.prop_map(|(a, b)| Any::Variant(Box::new(Variant::Struct { a, b }))),
            prop::collection::vec(inner.clone(), 0..6).prop_map(Any::Seq),
            prop::collection::vec((key(), inner), 0..6).prop_map(|entries| Any::Map(Map(entries))),
        ]
    })
}

fn same_in_each(value: Any) -> Struct {
    Struct {
        empty: value.clone(),
        a: value.clone(),
        seven: value.clone(),
        eight: value.clone(),
        twelve: value.clone(),
        thirteen: value.clone(),
        sixteen: value.clone(),
        seventeen: value.clone(),
        long: value.clone(),
        quote: value.clone(),
        control_at_the_end: value.clone(),
        backslash: value.clone(),
        unicode: value,
        absent: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn any_value_is_written_as_serde_json_writes_it(value in value()) {
        assert_same(&value);
    }

    #[test]
    fn any_text_is_written_as_serde_json_writes_it(text in text()) {
        assert_same(&text);
    }

    #[test]
    fn any_float_is_written_as_serde_json_writes_it(values in prop::collection::vec(float(), 64)) {
        assert_same(&values);
    }
}

#[test]
fn every_character_of_one_byte_is_escaped_alike_at_every_place() {
    for length in 0..=40 {
        for place in 0..=length {
            for character in (0..=0x7f_u8).map(char::from).chain(['\u{80}', 'é', '€', '𝄞']) {
                let mut text = "x".repeat(length);
                text.insert(place, character);
                assert_same(&text);
            }
        }
    }
}

#[test]
fn long_texts_are_whole() {
    for length in [63, 64, 65, 4095, 4096, 4097, 100_000] {
        assert_same(&"y".repeat(length));
        assert_same(&"z\n".repeat(length));
    }
}

#[test]
fn struct_keys_of_every_length_are_whole() {
    assert_same(&same_in_each(Any::Unit));
}

#[test]
fn what_cannot_be_a_key_is_refused_in_the_same_words() {
    for key in no_keys() {
        let map = Map(vec![(Key::U8(1), Any::Unit), (key, Any::Unit)]);
        assert!(serde_json::to_vec(&map).is_err(), "{map:?}");
        assert_same(&map);
    }
}

#[test]
fn numbers_without_a_json_form_are_null() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_same(&(value, value as f32));
    }
}

#[test]
fn floats_at_the_edges_of_the_short_way() {
    for edge in [0.0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.1, 0.3, 0.5, 1.0, 9.999999, 10.0, 1e8, 1e9, 1e15, 1e16]
    {
        for near in
            [edge, f64::next_up(edge), f64::next_down(edge), edge + 1e-6, edge - 1e-6, edge * 1.000001]
        {
            assert_same(&[near, -near]);
        }
    }
    for value in [0.1 + 0.2, 999_999_999.999_999, 999_999_999.999_999_9, 52.194_3, 4.435_8, f64::MIN_POSITIVE]
    {
        assert_same(&[value, -value]);
    }
    assert_same(&[f64::MAX, f64::EPSILON, 5e-324, -0.0]);
}

#[test]
fn every_multiple_of_a_millionth_up_to_one() {
    let all: Vec<f64> = (0..=1_000_000).map(|millionths| f64::from(millionths) / 1e6).collect();
    assert_same(&all);
}

#[test]
fn integers_at_their_limits() {
    assert_same(&(u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX));
    assert_same(&(i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN));
    assert_same(&(0_u8, 9_u8, 10_u8, 0_i8, -1_i8, i64::MAX, i128::MAX));
}

#[test]
fn a_display_that_fails_is_an_error_and_no_panic() {
    struct Fails;
    impl Display for Fails {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            Err(fmt::Error)
        }
    }
    impl Serialize for Fails {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }
    assert!(super::append(&mut Vec::new(), &Fails).unwrap_err().to_string().contains("Display"));
}
