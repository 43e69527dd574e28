//! The canonical ABI by hand: where results lie in memory, and the code that returns them.

use std::fmt::Write;

use super::{Act, Chunk, Export};

/// Below are null and its neighbours.
const FIRST: usize = 1024;
const PAGE: usize = 64 << 10;
/// Near the end of the address space, and aligned.
const WILD: i32 = -16;

/// Recipients that a client half can answer at once.
pub(super) const MANY: usize = 64;
/// Bytes of a `result<json, handler-error>`.
const OUTCOME: usize = 24;

/// Hands arguments ever new memory; each call starts again at the base.
pub(super) const REALLOC: &str = "
(func (export \"cabi_realloc\") (param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
  (global.set $heap (i32.add (local.get $at) (local.get $len)))
  (block $fits
    (br_if $fits (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
    (br_if $fits (i32.ne (i32.const -1)
      (memory.grow (i32.add (i32.shr_u (local.get $len) (i32.const 16)) (i32.const 1)))))
    unreachable)
  (local.get $at))";

/// Hands out memory that is not there.
pub(super) const WILD_REALLOC: &str =
    "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const -16))";

/// The module's static data.
pub(super) struct Data(Vec<u8>);

impl Data {
    pub(super) fn new() -> Data {
        Data(vec![0; FIRST])
    }

    /// Adds bytes, aligned for any record; where they lie.
    fn put(&mut self, bytes: &[u8]) -> u32 {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let at = self.0.len();
        self.0.extend_from_slice(bytes);
        u32::try_from(at).unwrap()
    }

    /// Adds text and returns pointer and length as the ABI has them.
    fn list(&mut self, bytes: &[u8]) -> [u8; 8] {
        let (at, len) = (self.put(bytes), u32::try_from(bytes.len()).unwrap());
        pair(at, len)
    }

    pub(super) fn end(&self) -> usize {
        self.0.len().next_multiple_of(16)
    }

    pub(super) fn pages(&self) -> u32 {
        u32::try_from(self.end() / PAGE + 1).unwrap()
    }

    /// The data segment as text.
    pub(super) fn segment(&self) -> String {
        let mut text = format!("(data (i32.const {FIRST}) \"");
        for byte in &self.0[FIRST..] {
            write!(text, "\\{byte:02x}").unwrap();
        }
        text.push_str("\")\n");
        text
    }
}

fn pair(at: u32, len: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&at.to_le_bytes());
    bytes[4..].copy_from_slice(&len.to_le_bytes());
    bytes
}

/// A variant's case whose payload is aligned to four bytes.
fn case(tag: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag, 0, 0, 0];
    bytes.extend_from_slice(payload);
    bytes
}

fn option_u16(value: Option<u16>) -> [u8; 4] {
    let [low, high] = value.unwrap_or(0).to_le_bytes();
    [u8::from(value.is_some()), 0, low, high]
}

/// The result that carries `list` as a success.
fn success(export: Export, list: [u8; 8]) -> Vec<u8> {
    match export {
        Export::Plugin => list.to_vec(),
        // `result::ok`
        Export::Api | Export::Functions | Export::SyncServer | Export::SyncClient => case(0, &list),
        // `outcome::replace`, `option::some`
        Export::Hooks | Export::ErrorFormatter => case(1, &list),
    }
}

/// The result that carries an error code.
fn failure(export: Export, code: [u8; 8], status: Option<u16>) -> Vec<u8> {
    match export {
        // `result::err(handler-error)`: code, no parameters, status
        Export::Api | Export::Functions | Export::SyncServer | Export::SyncClient => {
            case(1, &[&code[..], &[0; 8], &option_u16(status)].concat())
        }
        // `outcome::stop`: code, status, no override
        Export::Hooks => case(2, &[&code[..], &option_u16(status), &[0; 12]].concat()),
        Export::Plugin | Export::ErrorFormatter => panic!("{export:?} cannot return an error"),
    }
}

impl Act {
    /// The code of an exported function that does this.
    pub(super) fn body(&self, export: Export, data: &mut Data) -> String {
        let result = match self {
            Act::Give(bytes) => {
                let list = data.list(bytes);
                success(export, list)
            }
            Act::Fail(code, status) => {
                let code = data.list(code.as_bytes());
                failure(export, code, *status)
            }
            Act::Nothing => case(0, &[0; 28]),
            Act::InvalidUtf8 if export == Export::Plugin => data.list(b"{\"name\":\"\xff\xfe\"}").to_vec(),
            Act::InvalidUtf8 => {
                let code = data.list(b"code.\xff\xfe");
                failure(export, code, None)
            }
            Act::WildLength => success(export, pair(1024, u32::MAX - 15)),
            Act::WildTag => case(9, &[0; 28]),
            Act::Trap => return "unreachable".into(),
            Act::Spin => return "(loop $again (br $again)) unreachable".into(),
            Act::Recurse => {
                let (label, arity) =
                    (export.interface().replace('-', "_"), export.params().matches("i32").count());
                let args: String = (0..arity).map(|n| format!("(local.get {n})")).collect();
                return format!("(call ${label} {args})");
            }
            Act::Grow => {
                // Asks again however often it is refused.
                return "(loop $again (drop (memory.grow (i32.const 16))) (br $again)) unreachable".into();
            }
            Act::OutOfBounds => return format!("(i32.load (i32.const {WILD}))"),
            Act::DivideByZero => return "(i32.div_u (i32.const 1) (i32.const 0))".into(),
            Act::WildPointer => return format!("(i32.const {WILD})"),
            Act::Count => {
                let text = br#"{"status":"success","result":0}"#;
                let at = data.put(text);
                let digit = usize::try_from(at).unwrap() + text.len() - 2;
                let result = data.put(&success(export, pair(at, u32::try_from(text.len()).unwrap())));
                return format!(
                    "(i32.store8 (i32.const {digit}) (i32.add (i32.load8_u (i32.const {digit})) (i32.const 1)))\n\
                     (i32.const {result})"
                );
            }
            Act::Say(chunks, bytes) => {
                let mut code = String::new();
                for chunk in chunks {
                    let (function, chunk) = match chunk {
                        Chunk::Emit(chunk) => ("emit", chunk),
                        Chunk::Broadcast(chunk) => ("broadcast", chunk),
                    };
                    let (at, len) = (data.put(chunk), chunk.len());
                    writeln!(code, "(drop (call ${function} (i32.const {at}) (i32.const {len})))").unwrap();
                }
                return code + &Act::Give(bytes.clone()).body(export, data);
            }
            Act::UntilAborted(chunk, bytes) => {
                let (at, len) = (data.put(chunk), chunk.len());
                let then = Act::Give(bytes.clone()).body(export, data);
                return format!(
                    "(loop $again (drop (call $emit (i32.const {at}) (i32.const {len})))\n\
                     (br_if $again (i32.eqz (call $aborted))))\n{then}"
                );
            }
            Act::EmitForever(chunk) => {
                let (at, len) = (data.put(chunk), chunk.len());
                return format!(
                    "(loop $again (drop (call $emit (i32.const {at}) (i32.const {len}))) (br $again)) unreachable"
                );
            }
        };
        if export == Export::SyncClient {
            return one_for_each(&result, data);
        }
        let at = data.put(&result);
        format!("(i32.const {at})")
    }
}

/// The code of a client half that returns the same for each of its recipients.
fn one_for_each(result: &[u8], data: &mut Data) -> String {
    let mut result = result.to_vec();
    result.resize(OUTCOME, 0);
    let at = data.put(&result.repeat(MANY));
    let list = data.put(&pair(at, 0));
    // The tenth parameter is the number of recipients.
    format!("(i32.store (i32.const {}) (local.get 9))\n(i32.const {list})", list + 4)
}
