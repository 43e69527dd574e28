//! Arrays and objects.
//!
//! Each carries the byte that goes before its next item: the opening bracket once, then commas. So a
//! bracket and the key behind it are written in one step.

use serde::Serialize;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Error;

use super::key::Key;
use super::{Json, text};

/// How serde_json's own types (`RawValue`; `Number`, if its digits are kept) mark that they are not to
/// be written as the structs that they pose as.
const MARK: &str = "$serde_json::private::";

/// `[…]`
pub(super) struct Items<'a> {
    out: &'a mut Vec<u8>,
    before: u8,
}

/// `{"variant":[…]}`
pub(super) struct VariantItems<'a>(pub(super) Items<'a>);

/// `{…}`
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    before: u8,
}

/// `{"variant":{…}}`
pub(super) struct VariantObject<'a>(pub(super) Object<'a>);

/// A struct: an object, or what only serde_json can write.
pub(super) enum Fields<'a> {
    Object(Object<'a>),
    Marked { out: &'a mut Vec<u8>, name: &'static str },
}

/// A marked struct with its one field, put together again for serde_json.
struct Marked<'a, T: ?Sized> {
    name: &'static str,
    key: &'static str,
    value: &'a T,
}

impl<'a> Items<'a> {
    #[inline]
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, before: b'[' }
    }

    #[inline(always)]
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.out.push(self.before);
        self.before = b',';
        value.serialize(Json(self.out))
    }

    #[inline(always)]
    fn close(self) -> &'a mut Vec<u8> {
        if self.before == b'[' {
            self.out.push(b'[');
        }
        self.out.push(b']');
        self.out
    }
}

impl<'a> Object<'a> {
    #[inline]
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, before: b'{' }
    }

    #[inline(always)]
    fn field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        text::key(self.out, self.before, key);
        self.before = b',';
        value.serialize(Json(self.out))
    }

    #[inline(always)]
    fn close(self) -> &'a mut Vec<u8> {
        if self.before == b'{' {
            self.out.push(b'{');
        }
        self.out.push(b'}');
        self.out
    }
}

impl<'a> Fields<'a> {
    #[inline(always)]
    pub(super) fn new(out: &'a mut Vec<u8>, name: &'static str) -> Self {
        if name.starts_with(MARK) { Self::Marked { out, name } } else { Self::Object(Object::new(out)) }
    }
}

impl<T: Serialize + ?Sized> Serialize for Marked<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct(self.name, 1)?;
        fields.serialize_field(self.key, self.value)?;
        fields.end()
    }
}

impl SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeTuple for Items<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeTupleStruct for Items<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.item(value)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeTupleVariant for VariantItems<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.0.item(value)
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.0.close().push(b'}');
        Ok(())
    }
}

impl SerializeMap for Object<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.out.push(self.before);
        self.before = b',';
        key.serialize(Key(self.out))
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.out.push(b':');
        value.serialize(Json(self.out))
    }

    #[inline]
    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Error;

    #[inline(always)]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        match self {
            Self::Object(object) => object.field(key, value),
            Self::Marked { out, name } => serde_json::to_writer(&mut **out, &Marked { name, key, value }),
        }
    }

    #[inline(always)]
    fn end(self) -> Result<(), Error> {
        if let Self::Object(object) = self {
            object.close();
        }
        Ok(())
    }
}

impl SerializeStructVariant for VariantObject<'_> {
    type Ok = ();
    type Error = Error;

    #[inline(always)]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.0.field(key, value)
    }

    #[inline(always)]
    fn end(self) -> Result<(), Error> {
        self.0.close().push(b'}');
        Ok(())
    }
}
