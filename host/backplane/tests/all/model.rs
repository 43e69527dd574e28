//! Random operations give the answers of a model that is too simple to be wrong, in every store.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use luckystack_backplane::{Backplane, BackplaneError};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};

use crate::{LONG, Stand};

const KEYS: &[&str] = &["a", "a:1", "a:2", "a*", "b[1]", "ü", ""];
const VALUES: &[&[u8]] = &[b"", b"x", b"1", b"07", b"-3", b"\0\xff"];
const MEMBERS: &[&str] = &["m", "1", "", "ü"];

#[derive(Clone, Debug)]
enum Operation {
    Get,
    GetLiving,
    Set(&'static [u8], bool),
    SetNew(&'static [u8], bool),
    Swap(&'static [u8], &'static [u8], bool),
    Take,
    Delete,
    Expire,
    Clear,
    Count,
    Counted,
    Add(&'static str),
    Remove(&'static str),
    Members,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Nothing,
    Is(bool),
    Value(Option<Bytes>),
    /// And whether it ends.
    Living(Option<(Bytes, bool)>),
    Number(u64),
    Counted(Option<(u64, bool)>),
    Members(Vec<String>),
    Refused,
}

/// Entries and whether they end.
#[derive(Default)]
struct Model(BTreeMap<&'static str, (Entry, bool)>);

enum Entry {
    Value(Vec<u8>),
    Set(Vec<&'static str>),
}

impl Model {
    /// None is a refusal.
    fn answer(&mut self, key: &'static str, operation: &Operation) -> Option<Answer> {
        let entry = self.0.get_mut(key);
        let value = match &entry {
            Some((Entry::Value(value), ends)) => Some(Some((value.clone(), *ends))),
            Some((Entry::Set(_), _)) => None,
            None => Some(None),
        };
        let number = value.clone().map(|value| {
            value.map(|(value, ends)| {
                let text = String::from_utf8(value).ok()?;
                let number: i64 = text.parse().ok()?;
                (number.to_string() == text).then_some((number, ends))
            })
        });
        Some(match *operation {
            Operation::Get => Answer::Value(value?.map(|(value, _)| value.into())),
            Operation::GetLiving => Answer::Living(value?.map(|(value, ends)| (value.into(), ends))),
            Operation::Set(value, ends) => {
                self.0.insert(key, (Entry::Value(value.to_vec()), ends));
                Answer::Nothing
            }
            Operation::SetNew(value, ends) => {
                let is_new = entry.is_none();
                if is_new {
                    self.0.insert(key, (Entry::Value(value.to_vec()), ends));
                }
                Answer::Is(is_new)
            }
            Operation::Swap(expected, new, ends) => {
                let is_expected = value?.is_some_and(|(value, _)| value == expected);
                if is_expected {
                    self.0.insert(key, (Entry::Value(new.to_vec()), ends));
                }
                Answer::Is(is_expected)
            }
            Operation::Take => {
                let value = value?;
                self.0.remove(key);
                Answer::Value(value.map(|(value, _)| value.into()))
            }
            Operation::Delete => Answer::Is(self.0.remove(key).is_some()),
            Operation::Expire => Answer::Is(entry.map(|(_, ends)| *ends = true).is_some()),
            Operation::Clear => {
                let before = self.0.len();
                self.0.retain(|other, _| !other.starts_with(key));
                Answer::Number((before - self.0.len()) as u64)
            }
            Operation::Count => {
                let number = match number? {
                    None => 1,
                    Some(number) => number?.0 + 1,
                };
                self.0.insert(key, (Entry::Value(number.to_string().into()), true));
                Answer::Counted(Some((number.max(0) as u64, true)))
            }
            Operation::Counted => match number? {
                None => Answer::Counted(None),
                Some(number) => {
                    let (number, ends) = number?;
                    Answer::Counted(Some((number.max(0) as u64, ends)))
                }
            },
            Operation::Add(member) => {
                let (entry, ends) = self.0.entry(key).or_insert_with(|| (Entry::Set(Vec::new()), true));
                let Entry::Set(members) = entry else { return None };
                *ends = true;
                if !members.contains(&member) {
                    members.push(member);
                }
                Answer::Nothing
            }
            Operation::Remove(member) => {
                let left = match entry {
                    None => 1,
                    Some((Entry::Value(_), _)) => return None,
                    Some((Entry::Set(members), _)) => {
                        members.retain(|present| *present != member);
                        members.len()
                    }
                };
                if left == 0 {
                    self.0.remove(key);
                }
                Answer::Nothing
            }
            Operation::Members => match entry {
                None => Answer::Members(Vec::new()),
                Some((Entry::Value(_), _)) => return None,
                Some((Entry::Set(members), _)) => {
                    Answer::Members(members.iter().map(|&member| member.to_owned()).collect())
                }
            },
        })
    }
}

async fn ask(backplane: &dyn Backplane, key: &str, operation: &Operation) -> Result<Answer, BackplaneError> {
    let life = |ends: bool| ends.then_some(LONG);
    let counted = |count: luckystack_backplane::Count| (count.count, count.remaining > Duration::ZERO);
    Ok(match *operation {
        Operation::Get => Answer::Value(backplane.get(key).await?),
        Operation::GetLiving => {
            let living = backplane.get_living(key).await?;
            Answer::Living(living.map(|living| (living.value, living.remaining.is_some())))
        }
        Operation::Set(value, ends) => {
            backplane.set(key, Bytes::from_static(value), life(ends)).await?;
            Answer::Nothing
        }
        Operation::SetNew(value, ends) => {
            Answer::Is(backplane.set_new(key, Bytes::from_static(value), life(ends)).await?)
        }
        Operation::Swap(expected, value, ends) => {
            let (expected, value) = (Bytes::from_static(expected), Bytes::from_static(value));
            Answer::Is(backplane.swap(key, expected, value, life(ends)).await?)
        }
        Operation::Take => Answer::Value(backplane.take(key).await?),
        Operation::Delete => Answer::Is(backplane.delete(key).await?),
        Operation::Expire => Answer::Is(backplane.expire(key, LONG).await?),
        Operation::Clear => Answer::Number(backplane.clear(key).await?),
        Operation::Count => Answer::Counted(Some(counted(backplane.count(key, LONG).await?))),
        Operation::Counted => Answer::Counted(backplane.counted(key).await?.map(counted)),
        Operation::Add(member) => {
            backplane.add(key, member, LONG).await?;
            Answer::Nothing
        }
        Operation::Remove(member) => {
            backplane.remove(key, member).await?;
            Answer::Nothing
        }
        Operation::Members => Answer::Members(backplane.members(key).await?),
    })
}

fn operations() -> impl Strategy<Value = Vec<(&'static str, Operation)>> {
    let value = || select(VALUES);
    let member = || select(MEMBERS);
    let operation = prop_oneof![
        1 => Just(Operation::Get),
        1 => Just(Operation::GetLiving),
        1 => (value(), any::<bool>()).prop_map(|(value, ends)| Operation::Set(value, ends)),
        1 => (value(), any::<bool>()).prop_map(|(value, ends)| Operation::SetNew(value, ends)),
        1 => (value(), value(), any::<bool>()).prop_map(|(old, new, ends)| Operation::Swap(old, new, ends)),
        1 => Just(Operation::Take),
        1 => Just(Operation::Delete),
        1 => Just(Operation::Expire),
        1 => Just(Operation::Clear),
        3 => Just(Operation::Count),
        1 => Just(Operation::Counted),
        4 => member().prop_map(Operation::Add),
        2 => member().prop_map(Operation::Remove),
        2 => Just(Operation::Members),
    ];
    proptest::collection::vec((select(KEYS), operation), 1..40)
}

/// Runs sequences against one store.
fn holds(stand: Stand, runtime: &tokio::runtime::Runtime) {
    let is_ordered = stand.redis.is_none();
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(200) });
    let run = runner.run(&operations(), |operations| {
        let mut model = Model::default();
        runtime.block_on(async {
            stand.backplane.clear("").await.unwrap();
            for (n, (key, operation)) in operations.iter().enumerate() {
                let mut expected = model.answer(key, operation).unwrap_or(Answer::Refused);
                let mut answer = match ask(&*stand.backplane, key, operation).await {
                    Ok(answer) => answer,
                    Err(BackplaneError::Refused { .. }) => Answer::Refused,
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                };
                if let (Answer::Members(expected), Answer::Members(answer), false) =
                    (&mut expected, &mut answer, is_ordered)
                {
                    expected.sort();
                    answer.sort();
                }
                prop_assert_eq!(answer, expected, "operation {}: {:?} of {:?}", n, operation, key);
            }
            Ok(())
        })
    });
    if let Err(error) = run {
        panic!("{error}");
    }
}

#[test]
fn memory_answers_like_the_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stand = runtime.block_on(Stand::memory());
    holds(stand, &runtime);
}

#[test]
fn sqlite_answers_like_the_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stand = runtime.block_on(Stand::sqlite());
    holds(stand, &runtime);
}

#[test]
fn redis_answers_like_the_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stand = runtime.block_on(Stand::redis());
    holds(stand, &runtime);
}
