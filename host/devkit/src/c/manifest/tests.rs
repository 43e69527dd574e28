use super::*;

fn plugin(json: &str) -> Result<Plugin, String> {
    Plugin::parse(json.as_bytes(), "units", "units")
}

#[test]
fn service_and_name_are_filled_in_and_the_schema_is_left_out() {
    let plugin = plugin(r#"{"$schema": "../x.json", "version": "1.0.0"}"#).unwrap();
    assert_eq!(plugin.manifest, r#"{"name":"units","service":"units","version":"1.0.0"}"#);
}

#[test]
fn every_kind_of_handler_gets_its_symbol_and_its_export() {
    let plugin = plugin(
        r#"{"version": "1", "errorFormatter": "global",
            "routes": [
                {"kind": "api", "name": "to-metric", "version": 2},
                {"kind": "api", "name": "list", "page": "units/old/rare", "version": 1},
                {"kind": "sync-server", "name": "move", "version": 1},
                {"kind": "sync-client", "name": "move", "version": 1}],
            "hooks": [{"hook": "postApiExecute"}, {"hook": "postApiExecute", "order": 2}],
            "functions": [{"name": "units/convert"}]}"#,
    )
    .unwrap();
    let found: Vec<_> = plugin.handlers.iter().map(|h| (&*h.name, &*h.symbol, &*h.definition)).collect();
    assert_eq!(
        found,
        [
            ("api/units/to-metric/v2", "api_to_metric_v2", "LS_API(to_metric, 2)"),
            ("api/units/old/rare/list/v1", "api_old_rare_list_v1", "LS_API(old_rare_list, 1)"),
            ("sync/units/move/v1", "sync_server_move_v1", "LS_SYNC_SERVER(move, 1)"),
            ("sync/units/move/v1", "sync_client_move_v1", "LS_SYNC_CLIENT(move, 1)"),
            ("units/convert", "function_units_convert", "LS_FUNCTION(units_convert)"),
            ("postApiExecute", "hook_postApiExecute", "LS_HOOK(postApiExecute)"),
            ("an error formatter", "error_formatter", "LS_ERROR_FORMATTER"),
        ]
    );
    assert_eq!(plugin.exports().len(), 12);
    assert!(plugin.table().contains("{\"sync/units/move/v1\", ls_sync_client_move_v1},"));
    assert!(plugin.declarations().contains("typedef char plugin_json_lists_api_to_metric_v2;\n"));
}

#[test]
fn a_missing_handler_is_explained() {
    let plugin =
        plugin(r#"{"version": "1", "routes": [{"kind": "api", "name": "a", "version": 1}]}"#).unwrap();
    assert_eq!(
        plugin.remedies("wasm-ld: error: plugin.o: undefined symbol: ls_api_a_v1"),
        "\nplugin.json lists api/units/a/v1: define it with LS_API(a, 1) { ... }, or take it out"
    );
    assert_eq!(plugin.remedies("undefined symbol: ls_api_a_v11"), "");
}

#[test]
fn what_cannot_be_built_is_refused_with_the_place() {
    for (json, expected) in [
        ("[]", "it is no JSON object: invalid type: sequence, expected a map at line 1 column 0"),
        (
            r#"{"version": "1", "service": "other"}"#,
            "`service` is \"other\", but its folder belongs to units; leave it out, the build fills it in",
        ),
        ("{}", "`version` is missing; add `\"version\": \"1.0.0\"`"),
        (r#"{"version": "1", "routes": {}}"#, "`routes` is no list"),
        (
            r#"{"version": "1", "routes": [{"kind": "api", "name": "a b", "version": 1}]}"#,
            "routes[0]: `a b` is no name: it begins with a letter and holds A-Z a-z 0-9 _ -",
        ),
        (
            r#"{"version": "1", "routes": [{"kind": "api", "name": "a", "version": "1"}]}"#,
            "routes[0]: `version` is missing or no whole number; add `\"version\": 1`",
        ),
        (
            r#"{"version": "1", "routes": [{"kind": "apis", "name": "a", "version": 1}]}"#,
            "routes[0]: `kind` is `apis`; it is `api`, `sync-server` or `sync-client`",
        ),
        (
            r#"{"version": "1", "routes": [{"kind": "api", "name": "a", "page": "unitsx", "version": 1}]}"#,
            "routes[0]: `page` is `unitsx`; it begins with the service, `units/`",
        ),
        (
            r#"{"version": "1", "functions": [{"name": "a/b-c"}, {"name": "a/b_c"}]}"#,
            "a/b-c and a/b_c would both be LS_FUNCTION(a_b_c): rename one",
        ),
    ] {
        assert_eq!(plugin(json).unwrap_err(), expected, "{json}");
    }
}

#[test]
fn any_text_survives_as_a_c_literal() {
    assert_eq!(literal("a\"\\?\u{e9}\n1"), "\"a\\\"\\\\\\077\\303\\251\\0121\"");
}
