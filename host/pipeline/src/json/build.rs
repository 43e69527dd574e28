//! Flat objects of strings, as a query string or a form becomes one (wire protocol §1.6).

use std::collections::HashMap;

use smallvec::SmallVec;

use super::string::write_str;

/// Pairs up to this number are compared with each other; beyond it an index keeps a request with
/// thousands of keys linear.
const COMPARED: usize = 16;

/// The JSON object of these pairs. Every value is a string; of a repeated key the last value wins, at
/// the place of the first.
///
/// ```
/// let object = luckystack_pipeline::json::flat_object([("a", "1"), ("b", "x\"y"), ("a", "2")]);
/// assert_eq!(object, br#"{"a":"2","b":"x\"y"}"#);
/// ```
pub fn flat_object<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> Vec<u8> {
    let all: SmallVec<[(K, V); 8]> = pairs.into_iter().collect();
    // Indices of the winning pairs, in the order in which their keys appeared first.
    let mut order: SmallVec<[usize; 8]> = SmallVec::new();
    if all.len() <= COMPARED {
        for (index, (key, _)) in all.iter().enumerate() {
            match order.iter_mut().find(|at| all[**at].0.as_ref() == key.as_ref()) {
                Some(earlier) => *earlier = index,
                None => order.push(index),
            }
        }
    } else {
        let mut places: HashMap<&str, usize> = HashMap::with_capacity(all.len());
        for (index, (key, _)) in all.iter().enumerate() {
            let place = *places.entry(key.as_ref()).or_insert(order.len());
            match order.get_mut(place) {
                Some(earlier) => *earlier = index,
                None => order.push(index),
            }
        }
    }
    let mut out = Vec::with_capacity(
        2 + all.iter().map(|(key, value)| key.as_ref().len() + value.as_ref().len() + 6).sum::<usize>(),
    );
    out.push(b'{');
    for (place, index) in order.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let (key, value) = &all[*index];
        write_str(&mut out, key.as_ref());
        out.push(b':');
        write_str(&mut out, value.as_ref());
    }
    out.push(b'}');
    out
}
