//! JSON in which an object is an object. Derived readers also take a list for a struct, field by position: what a list means
//! would change with the sequence of the fields.

use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

/// Reads a text as `serde_json::from_str` does, and refuses a list in place of an object.
pub fn from_str<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    from_slice(text.as_bytes())
}

/// Reads bytes as `serde_json::from_slice` does, and refuses a list in place of an object.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let reader = &mut serde_json::Deserializer::from_slice(bytes);
    let read = T::deserialize(Objects(&mut *reader))?;
    reader.end()?;
    Ok(read)
}

/// A deserializer that refuses a list in place of an object, at any depth.
///
/// What serde keeps in a buffer (untagged and internally tagged enums, flattened fields) is read from there, past this.
pub struct Objects<D>(pub D);

macro_rules! forward {
    ($($method:ident($($name:ident: $type:ty),*)),+ $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, $($name: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method($($name,)* Inside { visitor, is_struct: false })
        }
    )+};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Objects<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = Inside {
            visitor,
            is_struct: true,
        };
        self.0.deserialize_struct(name, fields, visitor)
    }

    forward! {
        deserialize_any(),
        deserialize_bool(),
        deserialize_i8(),
        deserialize_i16(),
        deserialize_i32(),
        deserialize_i64(),
        deserialize_i128(),
        deserialize_u8(),
        deserialize_u16(),
        deserialize_u32(),
        deserialize_u64(),
        deserialize_u128(),
        deserialize_f32(),
        deserialize_f64(),
        deserialize_char(),
        deserialize_str(),
        deserialize_string(),
        deserialize_bytes(),
        deserialize_byte_buf(),
        deserialize_option(),
        deserialize_unit(),
        deserialize_unit_struct(name: &'static str),
        deserialize_newtype_struct(name: &'static str),
        deserialize_seq(),
        deserialize_tuple(len: usize),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_map(),
        deserialize_enum(name: &'static str, variants: &'static [&'static str]),
        deserialize_identifier(),
        deserialize_ignored_any(),
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

struct Inside<V> {
    visitor: V,
    is_struct: bool,
}

macro_rules! visit {
    ($($method:ident($type:ty)),+ $(,)?) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.visitor.$method(value)
        }
    )+};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Inside<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    visit! {
        visit_bool(bool),
        visit_i8(i8),
        visit_i16(i16),
        visit_i32(i32),
        visit_i64(i64),
        visit_i128(i128),
        visit_u8(u8),
        visit_u16(u16),
        visit_u32(u32),
        visit_u64(u64),
        visit_u128(u128),
        visit_f32(f32),
        visit_f64(f64),
        visit_char(char),
        visit_str(&str),
        visit_borrowed_str(&'de str),
        visit_string(String),
        visit_bytes(&[u8]),
        visit_borrowed_bytes(&'de [u8]),
        visit_byte_buf(Vec<u8>),
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Objects(inner))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Objects(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        match self.is_struct {
            true => Err(A::Error::invalid_type(Unexpected::Seq, &"an object")),
            false => self.visitor.visit_seq(Parts(list)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Parts(map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, choice: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Parts(choice))
    }
}

/// What is inside of something: elements, fields, or the content of a variant.
struct Parts<A>(A);

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Parts<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        self.0.next_element_seed(Seed(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Parts<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        self.0.next_value_seed(Seed(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Parts<A> {
    type Error = A::Error;
    type Variant = Parts<A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Parts<A::Variant>), A::Error> {
        let (variant, content) = self.0.variant_seed(seed)?;
        Ok((variant, Parts(content)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Parts<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.0.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.0.newtype_variant_seed(Seed(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = Inside {
            visitor,
            is_struct: false,
        };
        self.0.tuple_variant(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = Inside {
            visitor,
            is_struct: true,
        };
        self.0.struct_variant(fields, visitor)
    }
}

struct Seed<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Objects(inner))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use serde::Deserialize;
    use serde_json::value::RawValue;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Point {
        x: i64,
        name: Option<String>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    enum Shape {
        Empty,
        Dot(Point),
        Pair(i64, i64),
        Line { from: Point },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Wrapper(Point);

    #[test]
    fn list_in_place_of_an_object_is_refused_at_any_depth() {
        fn refused<T: DeserializeOwned + fmt::Debug>(json: &str) {
            let error = from_str::<T>(json).expect_err(json);
            assert!(error.to_string().contains("expected an object"), "{error}");
        }
        assert!(serde_json::from_str::<Point>("[1,\"a\"]").is_ok());
        refused::<Point>("[1,\"a\"]");
        refused::<Point>("[]");
        refused::<Option<Point>>("[1,null]");
        refused::<Wrapper>("[1,null]");
        refused::<Vec<Point>>("[[1,null]]");
        refused::<(i64, Point)>("[1,[1,null]]");
        refused::<BTreeMap<String, Point>>("{\"a\":[1,null]}");
        refused::<Shape>("{\"Dot\":[1,null]}");
        refused::<Shape>("{\"Line\":[{\"x\":1}]}");
        refused::<Shape>("{\"Line\":{\"from\":[1,null]}}");
    }

    #[test]
    fn everything_else_is_read_as_before() {
        let point = Point {
            x: 1,
            name: Some("é".to_owned()),
        };
        let json = "{\"x\":1,\"name\":\"\\u00e9\"}";
        assert_eq!(from_str::<Wrapper>(json).ok(), Some(Wrapper(point)));
        assert_eq!(from_str::<Shape>("\"Empty\"").ok(), Some(Shape::Empty));
        let pair = from_str::<Shape>("{\"Pair\":[1,2]}");
        assert_eq!(pair.ok(), Some(Shape::Pair(1, 2)));
        let raw = from_str::<Box<RawValue>>(" [1, 2] ").expect("any JSON");
        assert_eq!(raw.get(), "[1, 2]");
        let value = from_str::<serde_json::Value>("[[1], {\"a\": []}]");
        assert!(value.is_ok());
        assert!(from_str::<Point>("{\"x\":1} x").is_err());
        assert!(from_slice::<Point>(b"{\"x\":1,\"name\":\"\xff\"}").is_err());
    }
}
