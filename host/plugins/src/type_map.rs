//! A small map from a type to one value of it, for data that capabilities keep per service and per
//! instance without this crate knowing their types.

use std::any::{Any, TypeId};

/// One value per type. Linear: capabilities are counted on two hands.
#[derive(Default)]
pub struct TypeMap(Vec<(TypeId, Box<dyn Any + Send + Sync>)>);

impl TypeMap {
    /// Stores `value`, replacing an earlier one of the same type.
    pub fn insert<T: Any + Send + Sync>(&mut self, value: T) {
        let id = TypeId::of::<T>();
        self.0.retain(|(other, _)| *other != id);
        self.0.push((id, Box::new(value)));
    }

    /// The stored value of type `T`.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        self.0.iter().find(|(other, _)| *other == id).and_then(|(_, value)| value.downcast_ref())
    }

    /// The stored value of type `T`, made by `init` when there is none.
    pub fn get_or_insert_with<T: Any + Send + Sync>(&mut self, init: impl FnOnce() -> T) -> &mut T {
        let id = TypeId::of::<T>();
        let index = match self.0.iter().position(|(other, _)| *other == id) {
            Some(index) => index,
            None => {
                self.0.push((id, Box::new(init())));
                self.0.len() - 1
            }
        };
        #[expect(clippy::unwrap_used, reason = "the entry was stored under T's own id")]
        self.0[index].1.downcast_mut().unwrap()
    }
}

impl std::fmt::Debug for TypeMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TypeMap({} values)", self.0.len())
    }
}
