//! The C SDK's JSON reader and writer, compiled for this machine, against another implementation; and its
//! throttle.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::project;

/// The reader and writer, compiled for this machine, with a sanitizer where the compiler has one.
fn harness(dir: &Path) -> PathBuf {
    compiled(dir, "json", &[])
}

/// `sdk/c/tests/<test>.c` with the reader, the writer and these files.
fn compiled(dir: &Path, test: &str, more_files: &[&str]) -> PathBuf {
    let sdk = project().join("sdk/c");
    let program = dir.join(test);
    let compile = |compiler: &str, more: &[&str]| {
        let mut command = Command::new(compiler);
        command.args(["-std=gnu17", "-O1", "-g", "-Wall", "-Wextra", "-Werror"]).args(more);
        command.arg("-I").arg(sdk.join("include")).arg(sdk.join("tests").join(test).with_extension("c"));
        let files = ["arena.c", "json_read.c", "json_write.c"];
        command.args(files.iter().chain(more_files).map(|file| sdk.join("src").join(file)));
        command.arg("-o").arg(&program).arg("-lm").output()
    };
    let sanitized = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    let mut said = String::new();
    for (compiler, more) in [("cc", &sanitized[..]), ("cc", &[])] {
        match compile(compiler, more) {
            Ok(output) if output.status.success() => return program,
            Ok(output) => said.push_str(&String::from_utf8_lossy(&output.stderr)),
            Err(error) => writeln!(said, "{compiler}: {error}").unwrap(),
        }
    }
    panic!("these tests need a C compiler for this machine, called `cc`:\n{said}");
}

/// What the C reader makes of documents: for each, the lines of `sdk/c/tests/json.c`.
fn read_in_c(harness: &Path, documents: &[Vec<u8>]) -> Vec<(String, String)> {
    let file = harness.with_extension("in");
    let mut bytes = Vec::new();
    for document in documents {
        bytes.extend(u32::try_from(document.len()).unwrap().to_le_bytes());
        bytes.extend(document);
    }
    fs::write(&file, bytes).unwrap();
    let output = Command::new(harness).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines().map(str::to_owned);
    let mut found = Vec::new();
    while let (Some(bits), Some(plain)) = (lines.next(), lines.next()) {
        found.push((bits, plain));
    }
    assert_eq!(found.len(), documents.len());
    found
}

/// Bytes that break JSON, here and there.
const ODD: &[u8] = b"\"\\{}[],:0-e.u\x00\x80\xffx ";

/// Numbers that look random and are the same at each run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_of<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

/// A document, and what the harness should print of it: its numbers as the bits of their doubles.
fn document(dice: &mut Dice, depth: u32, text: &mut String, expected: &mut String) {
    let space =
        |dice: &mut Dice, text: &mut String| text.push_str(dice.one_of(&["", "", "", " ", "\n\t", "\r\n "]));
    space(dice, text);
    match dice.below(if depth == 0 { 6 } else { 9 }) {
        0 => {
            let word = dice.one_of(&["null", "true", "false"]);
            text.push_str(word);
            expected.push_str(word);
        }
        1 | 2 => string(dice, text, expected),
        3..=5 => number(dice, text, expected),
        kind => {
            let (open, close) = if kind == 6 { ('[', ']') } else { ('{', '}') };
            text.push(open);
            expected.push(open);
            let items = dice.below(5);
            for n in 0..items {
                if n > 0 {
                    text.push(',');
                    expected.push(',');
                }
                if open == '{' {
                    space(dice, text);
                    string(dice, text, expected);
                    space(dice, text);
                    text.push(':');
                    expected.push(':');
                }
                document(dice, depth - 1, text, expected);
            }
            space(dice, text);
            text.push(close);
            expected.push(close);
        }
    }
    space(dice, text);
}

fn string(dice: &mut Dice, text: &mut String, expected: &mut String) {
    let pieces = [
        "a", "key", "é", "東", "🚚", "\"", "\\", "\n", "\t", "\u{1}", "\u{8}", "\u{c}", "\u{7f}", "/", "?",
        "\u{ffff}",
    ];
    let mut value = String::new();
    text.push('"');
    for _ in 0..dice.below(6) {
        let piece = dice.one_of(&pieces);
        value.push_str(piece);
        if dice.below(3) == 0 {
            for unit in piece.encode_utf16() {
                write!(text, "\\u{unit:04x}").unwrap();
            }
        } else {
            let quoted = Value::from(piece).to_string();
            text.push_str(&quoted[1..quoted.len() - 1]);
        }
    }
    text.push('"');
    expected.push_str(&Value::from(value).to_string());
}

fn number(dice: &mut Dice, text: &mut String, expected: &mut String) {
    let written = loop {
        let candidate = match dice.below(6) {
            0 => dice.below(1000).to_string(),
            1 => format!("-{}", dice.next()),
            2 => format!("{}{:020}", dice.below(1000) + 1, dice.next()),
            3 => format!(
                "{}.{:0width$}",
                dice.below(100),
                dice.below(1000),
                width = usize::try_from(dice.below(25)).unwrap()
            ),
            4 => {
                let exponent = dice.below(700).cast_signed() - 350;
                format!("{}.{}{}{exponent}", dice.below(10), dice.next(), dice.one_of(&["e", "E"]))
            }
            _ => format!("{:e}", f64::from_bits(dice.next())),
        };
        if candidate.parse::<f64>().is_ok_and(f64::is_finite) {
            break candidate;
        }
    };
    write!(expected, "\"#{:016x}\"", written.parse::<f64>().unwrap().to_bits()).unwrap();
    text.push_str(&written);
}

#[test]
fn the_c_reader_and_writer_agree_with_another_on_random_documents() {
    let dir = tempfile::tempdir().unwrap();
    let harness = harness(dir.path());
    let mut dice = Dice(0x5eed);
    let (mut documents, mut expected) = (Vec::new(), Vec::new());
    for _ in 0..4000 {
        let (mut text, mut line) = (String::new(), String::new());
        document(&mut dice, 5, &mut text, &mut line);
        documents.push(text.into_bytes());
        expected.push(line);
    }
    let found = read_in_c(&harness, &documents);
    for ((document, expected), (bits, _)) in documents.iter().zip(&expected).zip(&found) {
        assert_eq!(bits, expected, "{}", String::from_utf8_lossy(document));
    }
    // What the writer made of them is JSON to the other reader, and reads back as the same.
    let again: Vec<_> = found.iter().map(|(_, plain)| plain.clone().into_bytes()).collect();
    for ((plain, (bits, _)), (first, _)) in again.iter().zip(read_in_c(&harness, &again)).zip(&found) {
        serde_json::from_slice::<Value>(plain).unwrap();
        assert_eq!(bits, *first, "{}", String::from_utf8_lossy(plain));
    }
}

#[test]
fn the_c_reader_refuses_what_another_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let harness = harness(dir.path());
    let mut dice = Dice(0xbad);
    let mut documents: Vec<Vec<u8>> = [
        "",
        " ",
        "nul",
        "truee",
        "01",
        "1.",
        ".5",
        "-",
        "+1",
        "1e",
        "1e+",
        "0x10",
        "1e400",
        "-1e400",
        "NaN",
        "Infinity",
        "\"",
        "\"\\\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u123g\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\n\"",
        "\"a\u{0}b\"",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "1 2",
        "[]]",
        "\u{feff}1",
        "// x\n1",
        "'a'",
        "[1}",
        "\"\\",
        "\"\\u",
        "-0",
        "1E5",
        "1e-400",
        "\u{0}",
        "1\u{0}",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    for bytes in [
        &b"\"\xff\""[..],
        b"\"\xc0\x80\"",
        b"\"\xe0\x80\x80\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\xe6\x9d",
        b"\"\xf0\x9f\x9a\"",
    ] {
        documents.push(bytes.to_vec());
    }
    for depth in [126, 127, 128, 129, 5000] {
        documents.push(["[".repeat(depth), "]".repeat(depth)].concat().into_bytes());
        documents.push(["{\"a\":".repeat(depth), "1".to_owned(), "}".repeat(depth)].concat().into_bytes());
    }
    for _ in 0..6000 {
        let (mut text, mut line) = (String::new(), String::new());
        document(&mut dice, 3, &mut text, &mut line);
        let mut bytes = text.into_bytes();
        for _ in 0..=dice.below(2) {
            let at = usize::try_from(dice.below(bytes.len() as u64 + 1)).unwrap();
            let odd = ODD[usize::try_from(dice.below(ODD.len() as u64)).unwrap()];
            match dice.below(4) {
                0 => bytes.insert(at, odd),
                1 => bytes.truncate(at),
                _ if at == bytes.len() => {}
                2 => bytes[at] = odd,
                _ => drop(bytes.remove(at)),
            }
        }
        documents.push(bytes);
    }
    let mut refused = 0;
    for (document, (bits, _)) in documents.iter().zip(read_in_c(&harness, &documents)) {
        let other = serde_json::from_slice::<Value>(document).is_err();
        assert_eq!(bits == "invalid", other, "{:?}", String::from_utf8_lossy(document));
        refused += u32::from(other);
    }
    assert!(refused > 2000, "only {refused} were refused: the mistakes are too tame");
}

#[test]
fn a_throttle_sends_by_length_by_time_and_at_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(compiled(dir.path(), "throttle", &["throttle.c"])).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
