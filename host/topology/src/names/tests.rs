use proptest::prelude::*;

use super::*;

#[test]
fn transport_names_follow_the_grammar() {
    type Case =
        (Prefix, &'static str, Result<(&'static str, &'static str, &'static str, &'static str), NameError>);
    let cases: &[Case] = &[
        (Prefix::Api, "api/a/b/v1", Ok(("api/a/b/v1", "a", "b", "v1"))),
        (Prefix::Api, "a/b/v1", Ok(("api/a/b/v1", "a", "b", "v1"))),
        (Prefix::Api, "  /a/b/v1/ \n", Ok(("api/a/b/v1", "a", "b", "v1"))),
        (Prefix::Api, "\u{feff}a\\b\\v1", Ok(("api/a/b/v1", "a", "b", "v1"))),
        (Prefix::Api, "\\\\a/b/v1\\", Ok(("api/a/b/v1", "a", "b", "v1"))),
        (Prefix::Sync, "sync/board/moveCard/v2", Ok(("sync/board/moveCard/v2", "board", "moveCard", "v2"))),
        (Prefix::Sync, "api/a/b/v1", Ok(("sync/api/a/b/v1", "api", "a/b", "v1"))),
        // Only one prefix is dropped, and only a whole segment is a prefix.
        (Prefix::Api, "api/api/b/v1", Ok(("api/api/b/v1", "api", "b", "v1"))),
        (Prefix::Api, "apiary/b/v1", Ok(("api/apiary/b/v1", "apiary", "b", "v1"))),
        (Prefix::Api, "admin/users/list/v1", Ok(("api/admin/users/list/v1", "admin", "users/list", "v1"))),
        (Prefix::Api, "a/b/v99999999999999999999", {
            Ok(("api/a/b/v99999999999999999999", "a", "b", "v99999999999999999999"))
        }),
        (Prefix::Api, "ä/ö ü/v1", Ok(("api/ä/ö ü/v1", "ä", "ö ü", "v1"))),
        (Prefix::Api, "", Err(NameError::Empty)),
        (Prefix::Api, " // ", Err(NameError::Empty)),
        (Prefix::Api, "a//b/v1", Err(NameError::EmptySegment)),
        (Prefix::Api, "a\\/b/v1", Err(NameError::EmptySegment)),
        (Prefix::Api, "api", Err(NameError::TooShort)),
        (Prefix::Api, "v1", Err(NameError::TooShort)),
        (Prefix::Api, "api/system/v1", Err(NameError::TooShort)),
        (Prefix::Api, "system/v1", Err(NameError::TooShort)),
        (Prefix::Api, "a/b/c", Err(NameError::NoVersion)),
        (Prefix::Api, "a/b/v", Err(NameError::NoVersion)),
        (Prefix::Api, "a/b/V1", Err(NameError::NoVersion)),
        (Prefix::Api, "a/b/v1 /", Err(NameError::NoVersion)),
        (Prefix::Api, "a/b/v1.0", Err(NameError::NoVersion)),
        (Prefix::Api, "a/b/v١", Err(NameError::NoVersion)),
        // JavaScript keeps a NEL where Rust would trim it.
        (Prefix::Api, "a/b/v1\u{85}", Err(NameError::NoVersion)),
    ];
    for (prefix, raw, expected) in cases {
        let parsed = parse_transport_name(*prefix, raw);
        let seen = parsed.as_ref().map(|p| (p.full.as_ref(), p.service(), p.name(), p.version()));
        assert_eq!(seen.map_err(Clone::clone), *expected, "{raw:?}");
    }
}

#[test]
fn a_normal_name_is_not_copied() {
    for raw in ["api/vehicles/getAll/v1", " /api/vehicles/getAll/v1/ "] {
        assert!(matches!(parse_transport_name(Prefix::Api, raw).unwrap().full, Cow::Borrowed(_)), "{raw}");
    }
}

#[test]
fn methods_are_inferred_by_plain_prefix() {
    use Method::{Delete, Get, Post, Put};
    for (name, method) in [
        ("getAll", Get),
        ("GETALL", Get),
        ("getaway", Get),
        ("listen", Get),
        ("fetchOne", Get),
        ("deleteOne", Delete),
        ("RemoveOne", Delete),
        ("updateUser", Put),
        ("edit", Put),
        ("patch-it", Put),
        ("create", Post),
        ("ge", Post),
        ("", Post),
        ("v1", Post),
        ("äget", Post),
        ("api/vehicles/getAll/v1", Get),
        ("api/get/create/v1", Post),
        ("get/v1", Get),
        ("api/x/v1/v2", Post),
    ] {
        assert_eq!(Method::infer(name), method, "{name}");
    }
}

#[test]
fn strict_names_name_the_rule_they_break() {
    for (name, rule) in [
        ("vehicles", None),
        ("admin/users", None),
        ("A-b_9", None),
        ("system", None),
        ("admin/api", None),
        ("", Some("empty")),
        ("admin//users", Some("empty segment")),
        ("/admin", Some("empty segment")),
        ("9lives", Some("begin with a letter")),
        ("_host", Some("reserved: it is the host's own namespace")),
        ("a b", Some("A-Z a-z 0-9")),
        ("größe", Some("A-Z a-z 0-9")),
        ("functions", Some("reserved: it is the folder of the project functions")),
        ("api/x", Some("`api` is reserved")),
        ("sync", Some("`sync` is reserved")),
        ("socket.io", Some("`socket.io` is reserved")),
        ("target", Some("reserved")),
        ("node_modules", Some("reserved")),
        ("a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", Some("17 segments; at most 16")),
    ] {
        let message = validate_service_name(name).err().map(|e| e.to_string());
        match (rule, &message) {
            (None, None) => {}
            (Some(rule), Some(message)) => assert!(message.contains(rule), "{name}: {message}"),
            _ => panic!("{name}: {message:?}"),
        }
    }
    assert_eq!(validate_leaf_name("a/b"), Err(NameError::SlashInLeaf));
    assert_eq!(validate_leaf_name("api"), Ok(()));
    assert_eq!(validate_leaf_name(&"x".repeat(129)), Err(NameError::TooLong { len: 129 }));
    assert_eq!(validate_leaf_name(&"x".repeat(128)), Ok(()));
}

#[test]
fn kinds_prefixes_and_methods_have_their_wire_names() {
    for (kind, text, prefix) in [
        (RouteKind::Api, "\"api\"", Prefix::Api),
        (RouteKind::SyncServer, "\"sync-server\"", Prefix::Sync),
        (RouteKind::SyncClient, "\"sync-client\"", Prefix::Sync),
    ] {
        assert_eq!(serde_json::to_string(&kind).unwrap(), text);
        assert_eq!(serde_json::from_str::<RouteKind>(text).unwrap(), kind);
        assert_eq!(format!("\"{kind}\""), text);
        assert_eq!(kind.prefix(), prefix);
    }
    for method in [Method::Get, Method::Post, Method::Put, Method::Delete] {
        assert_eq!(serde_json::to_string(&method).unwrap(), format!("\"{}\"", method.as_str()));
    }
}

#[test]
fn a_route_name_knows_its_full_name_and_service_key() {
    let name = RouteName::try_new("admin/users", "list", 3).unwrap();
    assert_eq!(name.full(Prefix::Api), "api/admin/users/list/v3");
    assert_eq!(name.service_key(), "admin");
    assert!(RouteName::try_new("admin", "a/b", 1).is_err());
}

proptest! {
    #[test]
    fn parsing_never_panics_and_is_idempotent(raw in r"[\PC\s/\\]{0,40}") {
        for prefix in [Prefix::Api, Prefix::Sync] {
            if let Ok(first) = parse_transport_name(prefix, &raw) {
                let again = parse_transport_name(prefix, &first.full).unwrap();
                prop_assert_eq!(&again, &first);
                prop_assert!(matches!(again.full, Cow::Borrowed(_)));
                prop_assert_eq!(
                    format!("{prefix}/{}/{}/{}", first.service(), first.name(), first.version()),
                    first.full.as_ref()
                );
            }
        }
    }

    #[test]
    fn name_like_input_parses_and_is_idempotent(
        raw in r"[ /\\]{0,2}((api|sync)[/\\])?([a-z]{1,3}[/\\]){1,5}v[0-9]{1,25}[ /\\]{0,2}"
    ) {
        if let Ok(first) = parse_transport_name(Prefix::Api, &raw) {
            prop_assert_eq!(&parse_transport_name(Prefix::Api, &first.full).unwrap(), &first);
        }
    }

    #[test]
    fn every_strict_route_is_reachable_over_a_transport(
        service in "[A-Za-z][A-Za-z0-9_-]{0,8}(/[A-Za-z][A-Za-z0-9_-]{0,8}){0,3}",
        leaf in "[A-Za-z][A-Za-z0-9_-]{0,8}",
        version: u32,
    ) {
        if let Ok(route) = RouteName::try_new(&service, &leaf, version) {
            let full = route.full(Prefix::Api);
            let parsed = parse_transport_name(Prefix::Api, &full).unwrap();
            prop_assert_eq!(parsed.service(), route.service_key());
            prop_assert_eq!(parsed.full.as_ref(), full.as_str());
        }
    }

    #[test]
    fn inference_and_strict_checks_never_panic(raw in r"\PC{0,40}") {
        let _ = Method::infer(&raw);
        let _ = validate_service_name(&raw);
        let _ = validate_leaf_name(&raw);
    }
}
