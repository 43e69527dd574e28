//! Plugins in C: built with the machine's real toolchain, and the SDK's JSON reader against another one.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use luckystack_devkit::{BuildError, BuildRequest, Freshness, Language, Staleness, Toolchain, freshness};
use serde_json::Value;
use tokio::sync::OnceCell;
use wit_component::DecodedWasm;

use crate::support::{Kept, Sources, project, target_dir};

const MANIFEST: &str =
    r#"{ "version": "1.0.0", "routes": [{ "kind": "api", "name": "double", "version": 1 }] }"#;
const DOUBLE: &str = "#include <luckystack.h>\n#include \"factor.h\"\n\nLS_API(double, 1)\n{\n    \
    ls_put_number(ls_out(call), NULL, FACTOR * ls_number(input, \"value\", 0));\n    return LS_OK;\n}\n";

async fn toolchain() -> &'static Toolchain {
    static TOOLCHAIN: OnceCell<Toolchain> = OnceCell::const_new();
    TOOLCHAIN
        .get_or_init(|| async {
            let found = Toolchain::find_or_install(Language::C, &Kept::default()).await;
            found.unwrap_or_else(|error| panic!("{error}"))
        })
        .await
}

fn plugin() -> Sources {
    Sources::new()
        .file("units/plugin.json", MANIFEST)
        .file("units/double.c", DOUBLE)
        .file("units/factor.h", "#define FACTOR 2\n")
}

fn request(sources: &Sources) -> BuildRequest {
    BuildRequest {
        language: Language::C,
        service: "units".into(),
        name: "units".into(),
        ..sources.request("units")
    }
}

async fn build(sources: &Sources) -> Result<Vec<u8>, BuildError> {
    let built = toolchain().await.build(&request(sources), &Kept::default()).await?;
    Ok(fs::read(built.component).unwrap())
}

/// Names of what a component imports and exports.
fn interfaces(bytes: &[u8]) -> (Vec<String>, Vec<String>) {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(bytes).unwrap() else {
        panic!("this is a WIT package, not a component");
    };
    let world = &resolve.worlds[world];
    let names = |items: Vec<_>| items.into_iter().map(|key| resolve.name_world_key(key)).collect();
    (names(world.imports.keys().collect()), names(world.exports.keys().collect()))
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_c_plugin_becomes_a_component_that_exports_what_plugin_json_says_and_imports_what_it_uses() {
    let sources = plugin();
    let kept = Kept::default();
    let built = toolchain().await.build(&request(&sources), &kept).await.unwrap();
    assert_eq!(built.component, sources.path("out/units.wasm"));
    assert_eq!(*kept.events.lock().unwrap(), ["compiling units", "encoding units", "built units"]);

    let bytes = fs::read(&built.component).unwrap();
    let (imports, exports) = interfaces(&bytes);
    // The SDK logs what goes wrong. No WASI beside that, although the C library is linked.
    assert_eq!(imports, ["luckystack:plugin/types@0.1.0", "wasi:logging/logging@0.1.0-draft"]);
    assert_eq!(exports, ["luckystack:plugin/plugin@0.1.0", "luckystack:plugin/api@0.1.0"]);
    assert!(bytes.len() < 100_000, "{} bytes", bytes.len());
    assert!(contains(&bytes, "ls_api_double_v1"), "functions keep their names for the backtrace of a trap");
    assert!(!contains(&bytes, ".debug_info"));
    assert!(contains(&bytes, r#"{"name":"units","routes":[{"kind":"api""#));
}

#[tokio::test]
async fn what_the_c_library_asks_an_operating_system_for_becomes_imports_of_the_contract() {
    let sources = plugin();
    let printing = DOUBLE.replace(
        "    return LS_OK;",
        "    srand((unsigned)time(NULL));\n    printf(\"%f %d\\n\", ls_number(input, \"value\", 0), rand());\n    return LS_OK;",
    );
    let printing = format!("#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>\n{printing}");
    sources.save("units/double.c", &printing);
    let (imports, _) = interfaces(&build(&sources).await.unwrap());
    assert!(imports.iter().any(|name| name == "wasi:clocks/wall-clock@0.2.12"), "{imports:?}");

    // There are no files: that is said when the component is made, with the import's name.
    let opening = printing.replace("    srand", "    if (fopen(\"x\", \"r\")) return LS_FAILED;\n    srand");
    sources.save("units/double.c", &opening);
    let error = build(&sources).await.unwrap_err();
    assert!(matches!(&error, BuildError::Encode { .. }), "{error}");
    assert!(error.to_string().contains("wasi_snapshot_preview1"), "{error}");
}

#[tokio::test]
async fn a_mistake_in_c_is_shown_as_the_compiler_says_it_and_the_old_component_stays() {
    let sources = plugin();
    let before = build(&sources).await.unwrap();
    sources.save("units/double.c", &DOUBLE.replace("NULL, FACTOR", "NUL, FACTOR"));
    let error = build(&sources).await.unwrap_err().to_string();
    assert!(error.starts_with("units: compiling failed (exit status: 1)\ndouble.c:6:"), "{error}");
    assert!(error.contains("error: use of undeclared identifier 'NUL'"), "{error}");
    assert_eq!(fs::read(sources.path("out/units.wasm")).unwrap(), before);

    let colours = Kept { colour: true, ..Kept::default() };
    let error = toolchain().await.build(&request(&sources), &colours).await.unwrap_err().to_string();
    assert!(error.contains("\u{1b}["), "{error}");
}

#[tokio::test]
async fn plugin_json_and_the_handlers_must_agree() {
    let sources = plugin();
    sources.save("units/double.c", &DOUBLE.replace("LS_API(double, 1)", "LS_API(treble, 1)"));
    let error = build(&sources).await.unwrap_err().to_string();
    assert!(error.contains("unknown type name 'plugin_json_lists_api_treble_v1'"), "{error}");

    sources.save("units/double.c", "#include <luckystack.h>\n");
    let error = build(&sources).await.unwrap_err().to_string();
    assert!(error.contains("undefined symbol: ls_api_double_v1"), "{error}");
    let remedy =
        "plugin.json lists api/units/double/v1: define it with LS_API(double, 1) { ... }, or take it out";
    assert!(error.ends_with(remedy), "{error}");

    sources.save("units/plugin.json", "{ \"version\": \"1.0.0\", }");
    let error = build(&sources).await.unwrap_err().to_string();
    assert!(error.contains("plugin.json: it is no JSON object: trailing comma at line 1"), "{error}");
}

#[tokio::test]
async fn sources_headers_and_the_manifest_of_a_c_plugin_make_its_component_stale() {
    let sources = plugin();
    let request = request(&sources);
    let component = request.component().unwrap();
    assert_eq!(freshness(&request, &component).unwrap(), Freshness::Missing);
    let first = build(&sources).await.unwrap();
    assert_eq!(freshness(&request, &component).unwrap(), Freshness::Fresh);
    for (file, text) in [
        ("units/factor.h", "#define FACTOR 3\n"),
        ("units/plugin.json", MANIFEST),
        ("units/double.c", DOUBLE),
        ("units/src/more.c", "int more;\n"),
    ] {
        sources.save(file, text);
        let changed = fs::canonicalize(sources.path(file)).unwrap();
        let found = freshness(&request, &component).unwrap();
        let Freshness::Stale(Staleness::Changed(path)) = found else { panic!("{file}: {found:?}") };
        assert_eq!(fs::canonicalize(path).unwrap(), changed);
        // Dated back, as `file` does, so that the next build is newer.
        let an_hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        fs::File::options().write(true).open(changed).unwrap().set_modified(an_hour_ago).unwrap();
        let bytes = build(&sources).await.unwrap();
        assert_eq!(freshness(&request, &component).unwrap(), Freshness::Fresh, "{file}");
        assert!(file != "units/factor.h" || bytes != first);
    }
}

#[tokio::test]
async fn the_example_and_the_conformance_suite_in_c_build() {
    for (dir, service, handlers) in
        [("example-plugins/units", "units", 3), ("tests/conformance/c", "conformance", 4)]
    {
        let request = BuildRequest {
            language: Language::C,
            service: service.into(),
            name: service.into(),
            nested: true,
            dir: project().join(dir),
            output_dir: target_dir().join("c").join(service),
            target_dir: target_dir(),
        };
        let built = toolchain().await.build(&request, &Kept::default()).await.unwrap();
        let (_, exports) = interfaces(&fs::read(built.component).unwrap());
        assert_eq!(exports.len(), handlers, "{exports:?}");
    }
}

#[tokio::test]
async fn every_kind_of_handler_exports_its_interface_and_every_helper_links() {
    let manifest = r#"{ "version": "1.0.0", "errorFormatter": "global",
        "routes": [
            { "kind": "api", "name": "everything", "version": 1 },
            { "kind": "api", "name": "getRare", "page": "everything/rare", "version": 1, "errorFormatter": true },
            { "kind": "sync-server", "name": "move", "version": 1 },
            { "kind": "sync-client", "name": "move", "version": 1 }],
        "hooks": [{ "hook": "preApiExecute", "payload": ["routeName"] }],
        "functions": [{ "name": "everything/double" }] }"#;
    let sources = Sources::new()
        .file("everything/plugin.json", manifest)
        .file("everything/src/everything.c", include_str!("everything.c"));
    let request = BuildRequest {
        language: Language::C,
        service: "everything".into(),
        name: "everything".into(),
        output_dir: target_dir().join("c/everything"),
        ..sources.request("everything")
    };
    let built = toolchain().await.build(&request, &Kept::default()).await.unwrap();
    let (imports, exports) = interfaces(&fs::read(built.component).unwrap());
    let named = |names: &[&str]| {
        names.iter().map(|name| format!("luckystack:plugin/{name}@0.1.0")).collect::<Vec<_>>()
    };
    let interfaces = ["plugin", "api", "sync-server", "sync-client", "hooks", "functions", "error-formatter"];
    let (mut found, mut expected) = (exports, named(&interfaces));
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    let mut expected = named(&["types", "stream", "function-call", "session-api"]);
    expected.extend(
        [
            "wasi:logging/logging@0.1.0-draft",
            "wasi:clocks/wall-clock@0.2.12",
            "wasi:random/random@0.2.12",
            "wasi:config/store@0.2.0-rc.1",
            "wasi:keyvalue/store@0.2.0-draft",
            "wasi:keyvalue/atomics@0.2.0-draft",
        ]
        .map(str::to_owned),
    );
    assert_eq!(imports, expected);
}

// ---------------------------------------------------------------------------------------------

/// The reader and writer, compiled for this machine, with a sanitizer where the compiler has one.
fn harness(dir: &Path) -> PathBuf {
    let sdk = project().join("sdk/c");
    let program = dir.join("json");
    let compile = |compiler: &str, more: &[&str]| {
        let mut command = Command::new(compiler);
        command.args(["-std=gnu17", "-O1", "-g", "-Wall", "-Wextra", "-Werror"]).args(more);
        command.arg("-I").arg(sdk.join("include")).arg(sdk.join("tests/json.c"));
        command.args(["arena.c", "json_read.c", "json_write.c"].map(|file| sdk.join("src").join(file)));
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
