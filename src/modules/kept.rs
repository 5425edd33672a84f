//! What modules keep for the whole run: made when it is first asked for, gone with the run.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One value of each type, shared by all calls of a run.
#[derive(Debug, Default)]
pub struct Kept(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Kept {
    /// The run's value of that type.
    pub fn of<T: Any + Default + Send + Sync>(&self) -> Arc<T> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = all.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        // The key is the type, so it always is one.
        Arc::clone(kept).downcast().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_one_value_of_a_type_and_another_run_its_own() {
        let (one, other) = (Kept::default(), Kept::default());
        *one.of::<Mutex<u8>>().lock().unwrap() = 7;
        assert_eq!(*one.of::<Mutex<u8>>().lock().unwrap(), 7);
        assert_eq!((*one.of::<Mutex<u16>>().lock().unwrap(), *other.of::<Mutex<u8>>().lock().unwrap()), (0, 0));
    }
}
