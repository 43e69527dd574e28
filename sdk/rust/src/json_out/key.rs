//! Keys of maps: text, or a number or truth value in quotes; nothing else.

use std::fmt::Display;

use serde::ser::{Error as _, Impossible};
use serde::{Serialize, Serializer};
use serde_json::Error;

use super::Json;

/// Writes one key at the end of the buffer.
pub(super) struct Key<'a>(pub(super) &'a mut Vec<u8>);

type No = Impossible<(), Error>;

#[cold]
fn no_text<T>() -> Result<T, Error> {
    Err(Error::custom("key must be a string"))
}

#[cold]
fn not_finite() -> Result<(), Error> {
    Err(Error::custom("float key must be finite (got NaN or +/-inf)"))
}

impl Key<'_> {
    #[inline]
    fn quoted<T: Serialize>(self, value: T) -> Result<(), Error> {
        self.0.push(b'"');
        value.serialize(Json(self.0))?;
        self.0.push(b'"');
        Ok(())
    }
}

macro_rules! quoted {
    ($($method:ident($type:ty)),* $(,)?) => {
        $(
            fn $method(self, value: $type) -> Result<(), Error> {
                self.quoted(value)
            }
        )*
    };
}

impl Serializer for Key<'_> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = No;
    type SerializeTuple = No;
    type SerializeTupleStruct = No;
    type SerializeTupleVariant = No;
    type SerializeMap = No;
    type SerializeStruct = No;
    type SerializeStructVariant = No;

    quoted! {
        serialize_bool(bool),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_u128(u128),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_i128(i128),
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), Error> {
        Json(self.0).serialize_str(value)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        if value.is_finite() { self.quoted(value) } else { not_finite() }
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        if value.is_finite() { self.quoted(value) } else { not_finite() }
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        Json(self.0).serialize_char(value)
    }

    fn serialize_bytes(self, _value: &[u8]) -> Result<(), Error> {
        no_text()
    }

    fn serialize_none(self) -> Result<(), Error> {
        no_text()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        no_text()
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Error> {
        no_text()
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), Error> {
        no_text()
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<No, Error> {
        no_text()
    }

    fn serialize_tuple(self, _len: usize) -> Result<No, Error> {
        no_text()
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<No, Error> {
        no_text()
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<No, Error> {
        no_text()
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<No, Error> {
        no_text()
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<No, Error> {
        no_text()
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<No, Error> {
        no_text()
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        Json(self.0).collect_str(value)
    }
}
