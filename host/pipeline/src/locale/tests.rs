use proptest::prelude::*;

use super::*;

fn locales(files: &[(&str, &str)]) -> Locales {
    let mut locales = Locales::default();
    for (language, text) in files {
        let problems = locales.add(language, Path::new("test.json"), text.as_bytes());
        assert_eq!(problems, []);
    }
    locales
}

fn param(key: &'static str, value: impl Into<ParamValue>) -> ErrorParam {
    ErrorParam { key: key.into(), value: value.into() }
}

#[test]
fn nested_and_dotted_keys_are_the_same() {
    let locales = locales(&[(
        "en",
        r#"{"a": {"b": {"c": "nested"}, "d.e": "mixed"}, "f.g": "dotted", "h": "plain\n"}"#,
    )]);
    for (code, text) in [("a.b.c", "nested"), ("a.d.e", "mixed"), ("f.g", "dotted"), ("h", "plain\n")] {
        assert_eq!(locales.translate("en", code, &[]).as_deref(), Some(text));
    }
    for missing in ["a", "a.b", "", "A.b.c"] {
        assert_eq!(locales.translate("en", missing, &[]), None);
    }
}

#[test]
fn a_missing_text_falls_back_to_the_default_language() {
    let locales = locales(&[("en", r#"{"a": "english", "b": "only"}"#), ("nl", r#"{"a": "dutch"}"#)]);
    assert_eq!(locales.translate("nl", "a", &[]).unwrap(), "dutch");
    assert_eq!(locales.translate("nl", "b", &[]).unwrap(), "only");
    assert_eq!(locales.translate("xx", "b", &[]).unwrap(), "only");
    assert_eq!(locales.translate("nl", "c", &[]), None);
    assert_eq!(locales.with_default("nl").translate("en", "b", &[]).unwrap(), "only");
}

#[test]
fn placeholders_are_replaced_once() {
    let params = [param("a", "{{b}}"), param("b", 7u64), param("c", true)];
    for (text, expected) in [
        ("{{a}} {{ b }}{{c}}", "{{b}} 7true"),
        ("{{unknown}} {{b}}", "{{unknown}} 7"),
        ("{{b", "{{b"),
        ("}}{{b}}{{", "}}7{{"),
        ("{{{b}}}", "{7}"),
        ("{{{{b}}", "{{7"),
        ("no braces", "no braces"),
    ] {
        assert_eq!(fill(text, &params), expected, "{text}");
    }
    assert!(matches!(fill("{{a}}", &[]), Cow::Borrowed("{{a}}")));
}

#[test]
fn the_first_supported_preference_wins() {
    let locales = locales(&[("en", "{}"), ("nl", "{}"), ("de", "{}")]);
    for (session, x_language, accept, expected) in [
        (None, None, None, "en"),
        (Some("nl"), Some("de"), Some("de"), "nl"),
        (Some("fr"), Some("de"), None, "de"),
        (Some(""), None, Some("nl-BE,nl;q=0.9"), "nl"),
        (Some("NL-be"), None, None, "nl"),
        (None, Some("fr, de-AT;q=0.1, nl"), Some("nl"), "de"),
        (None, Some("fr"), Some("nl"), "en"),
        (None, Some(" "), Some("nl"), "nl"),
        (None, None, Some("*"), "en"),
        (None, None, Some("fr;q=1, ;, en-US"), "en"),
        (None, None, Some("q=0.1;nl,nld"), "en"),
    ] {
        assert_eq!(locales.negotiate(session, x_language, accept), expected);
    }
    let german = locales.clone().with_default("de");
    assert_eq!((german.negotiate(None, None, None), german.default_language()), ("de", "de"));
    assert_eq!(Locales::default().negotiate(Some("nl"), None, Some("nl")), "en");
}

#[test]
fn a_folder_loads_what_is_whole_and_reports_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("en.json", b"\xef\xbb\xbf{\"a\": \"A\"}");
    write("nl.json", b"{\n  \"a\": \"A\",\n  \"b\" \"B\"\n}");
    write(
        "de.json",
        b"{\"a\": 1,\n \"b\": [\"x\"], \"c\": \"C\", \"d\": {\"e\": null, \"f\": \"F\"}, \"d.f\": \"F2\"}",
    );
    write("fr.json", b"[]");
    write("it.json", b"{\"a\": \"\xff\"}");
    write("nl-BE.json", b"{}");
    write("notes.txt", b"not read");
    std::fs::create_dir(folder.path().join("es.json")).unwrap();

    let (locales, problems) = Locales::load(folder.path());
    assert_eq!(locales.languages().collect::<Vec<_>>(), ["de", "en"]);
    assert_eq!(locales.translate("de", "c", &[]).unwrap(), "C");
    assert_eq!(locales.translate("de", "d.f", &[]).unwrap(), "F2");
    assert_eq!(locales.translate("en", "a", &[]).unwrap(), "A");

    let found: Vec<(String, usize, usize)> = problems
        .iter()
        .map(|problem| {
            (problem.file.file_name().unwrap().to_string_lossy().into(), problem.line, problem.column)
        })
        .collect();
    let at = |file: &str, line, column| (file.to_owned(), line, column);
    assert_eq!(
        found,
        [
            at("de.json", 1, 2),
            at("de.json", 2, 2),
            at("de.json", 2, 30),
            at("de.json", 2, 52),
            at("es.json", 1, 1),
            at("fr.json", 1, 1),
            at("it.json", 1, 8),
            at("nl-BE.json", 1, 1),
            at("nl.json", 3, 7),
        ]
    );
    assert!(problems.iter().all(|problem| !problem.message.is_empty() && !problem.remedy.is_empty()));
    let last = problems.last().unwrap().to_string();
    assert!(last.ends_with("nl.json:3:7: not valid JSON: expected `:` after the key; correct the file; until then this language is not offered"), "{last}");
}

#[test]
fn a_folder_that_is_not_there_is_no_problem_but_a_file_in_its_place_is() {
    let folder = tempfile::tempdir().unwrap();
    let (locales, problems) = Locales::load(&folder.path().join("none"));
    assert_eq!((locales.languages().count(), problems.len()), (0, 0));
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    assert_eq!(Locales::load(&file).1.len(), 1);
}

#[test]
fn a_file_too_large_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("en.json")).unwrap();
    file.set_len(MAX_FILE_BYTES + 1).unwrap();
    let (_, problems) = Locales::load(folder.path());
    assert!(problems[0].message.contains("larger than 8 MiB"));
}

#[test]
fn a_language_loaded_again_replaces_itself() {
    let mut locales = locales(&[("en", r#"{"a": "1", "b": "1"}"#), ("en", r#"{"a": "2"}"#)]);
    assert_eq!(locales.translate("en", "a", &[]).unwrap(), "2");
    assert_eq!(locales.translate("en", "b", &[]), None);
    // A broken edit keeps what was there.
    assert_eq!(locales.add("en", Path::new("en.json"), b"{").len(), 1);
    assert_eq!(locales.translate("en", "a", &[]).unwrap(), "2");
}

proptest! {
    #[test]
    fn arbitrary_files_and_headers_never_panic(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            crate::json::tests::any_json().prop_map(|value| value.to_string().into_bytes()),
        ],
        header in any::<String>(),
        text in "[{}a ]{0,20}",
    ) {
        let mut locales = locales(&[("nl", "{}")]);
        for problem in locales.add("en", Path::new("en.json"), &bytes) {
            prop_assert!(problem.line >= 1 && problem.column >= 1);
        }
        prop_assert!(["en", "nl"].contains(&locales.negotiate(Some(&header), Some(&header), Some(&header))));
        let _ = fill(&text, &[param("a", "x")]);
    }

    #[test]
    fn flattened_texts_are_all_found(
        texts in prop::collection::btree_map("[a-c]{1,2}(\\.[a-c]{1,2}){0,2}", ".{0,8}", 0..8),
    ) {
        let flat = serde_json::to_vec(&texts).unwrap();
        let mut locales = Locales::default();
        prop_assert_eq!(locales.add("en", Path::new("en.json"), &flat), []);
        for (code, text) in &texts {
            let found = locales.translate("en", code, &[]);
            prop_assert_eq!(found.as_deref(), Some(text.as_str()));
        }
    }
}
