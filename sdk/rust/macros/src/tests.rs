//! What an author sees when an attribute or `plugin!` is wrong: one line a case.

use proc_macro2::TokenStream;
use syn::Result;

use crate::{handler, plugin};

type Attribute = fn(TokenStream, TokenStream) -> Result<TokenStream>;

fn api(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    handler::api(args, item, handler::Side::Api)
}

fn sync_server(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    handler::api(args, item, handler::Side::SyncServer)
}

const FUNCTION: &str = "fn f(ctx: &Ctx, input: I) -> Result<T, HandlerError> {}";

fn refused(attribute: Attribute, args: &str, item: &str) -> String {
    match attribute(args.parse().unwrap(), item.parse().unwrap()) {
        Ok(_) => panic!("({args}) on `{item}` is accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_wrong_attribute_names_the_key_and_the_rule() {
    let cases: &[(Attribute, &str, &str)] = &[
        (api, "ratelimit = 60", "unknown key of #[api]: `ratelimit`; did you mean `rate_limit`?"),
        (api, "verison = 2", "unknown key of #[api]: `verison`; did you mean `version`?"),
        (
            api,
            "name = \"get/all\"",
            "`get/all` cannot name a route: use a letter, then letters, digits, `_` and `-`, at most 128",
        ),
        (api, "name", "expected `name = …`"),
        (api, "name = 5", "expected string literal"),
        (api, "name = \"a\", name = \"b\"", "`name` is set twice"),
        (api, "version = 1000001", "`version` is a number from 0 to 1000000"),
        (api, "version = -1", "`version` is a number from 0 to 1000000"),
        (
            api,
            "page = \"admin//users\"",
            "`admin//users` cannot be a page: use parts joined by `/`, each a letter, then letters, digits, `_` and `-`, at most 128 in all",
        ),
        (api, "method = \"get\"", "unknown method `get`; did you mean `GET`?"),
        (api, "method = \"PATCH\"", "unknown method `PATCH`; there is `GET`, `POST`, `PUT`, `DELETE`"),
        (api, "rate_limit = 0", "`rate_limit` is a number from 1 to 4294967295"),
        (api, "rate_limit = true", "`rate_limit` is a number of calls, or `false` for none"),
        (api, "validation = \"none\"", "unknown validation `none`; there is `strict`, `relaxed`, `skip`"),
        (
            api,
            "additional = [{ value = true }]",
            "a predicate names the `key` of the session object it looks at",
        ),
        (api, "additional = [{ key = \"\" }]", "`key` names a key of the session object"),
        (
            api,
            "additional = [{ key = \"a\", nulish = true }]",
            "unknown key of a predicate: `nulish`; did you mean `nullish`?",
        ),
        (
            api,
            "additional = [{ key = \"a\", type = \"bool\" }]",
            "unknown type `bool`; there is `string`, `number`, `boolean`, `object`, `undefined`",
        ),
        (
            api,
            "additional = [{ key = \"a\", value = undefined }]",
            "expected a string, a number, `true`, `false` or `null`",
        ),
        (
            sync_server,
            "method = \"GET\"",
            "unknown key of #[sync_server]: `method`; there is `name`, `version`, `page`, `login`, `additional`, `rate_limit`, `validation`, `error_formatter`, `stream`",
        ),
        (handler::hook, "", "#[hook] begins with a name in quotes: `#[hook(\"…\")]`"),
        (handler::hook, "order = 1", "#[hook] begins with a name in quotes: `#[hook(\"…\")]`"),
        (handler::hook, "\"preApiExcute\"", "unknown hook `preApiExcute`; did you mean `preApiExecute`?"),
        (handler::hook, "\"whenever\"", "unknown hook `whenever`; its names are in the wire protocol, §11"),
        (handler::hook, "\"postLogin\", order = 1001", "`order` is a number from -1000 to 1000"),
        (
            handler::hook,
            "\"postLogin\", routes = [\"vehicles\"]",
            "`vehicles` is neither a full route (`api/vehicles/getAll/v1`) nor a prefix ending in `/` (`api/vehicles/`)",
        ),
        (
            handler::function,
            "\"distance\"",
            "`distance` cannot name a function: use `group/name`, each part a letter, then letters, digits, `_` and `-`, at most 128 in all",
        ),
        (handler::function, "\"geo/distance\", version = 1", "#[function] takes no `version`"),
    ];
    for (attribute, args, message) in cases {
        assert_eq!(refused(*attribute, args, FUNCTION), *message, "({args})");
    }
}

#[test]
fn a_function_of_another_shape_is_told_the_right_one() {
    let expected =
        "#[api] goes on a function of this shape: `fn(ctx: &Ctx, input: I) -> Result<T, HandlerError>`";
    assert_eq!(refused(api, "", "fn f(a: A, b: B) {}"), expected);
    assert_eq!(refused(api, "", "fn f(c: &Ctx, a: A, b: B) {}"), expected);
    assert_eq!(
        refused(handler::sync_client, "", "fn f(to: &Recipient, input: I) {}"),
        "#[sync_client] goes on a function of this shape: `fn(to: &Recipient, input: &I, server: &S) -> Result<T, HandlerError>`"
    );
    for (item, start) in [
        (
            "async fn f() {}",
            "#[api] cannot be on an `async fn`: imports block until they are done, so remove `async`",
        ),
        ("unsafe fn f() {}", "#[api] cannot be on an `unsafe fn`"),
        ("fn f<T>(input: T) {}", "#[api] cannot be on a generic function"),
        ("struct S;", "#[api] goes on a function: "),
    ] {
        let message = refused(api, "", item);
        assert!(message.starts_with(start), "{message}");
    }
    let long = format!("/// {}\nfn f() {{}}", "x".repeat(2001));
    assert!(refused(api, "", &long).contains("at most 2000 characters"));
}

#[test]
fn a_plugin_names_what_it_lacks() {
    let refused = |input: &str| plugin::plugin(input.parse().unwrap()).unwrap_err().to_string();
    assert!(refused("handlers = []").starts_with("plugin! needs `service`"));
    assert!(refused("service = \"a\"").starts_with("plugin! needs `handlers`"));
    assert_eq!(refused("servcie = \"a\""), "unknown key of plugin!: `servcie`; did you mean `service`?");
    assert_eq!(refused("service = \"a\", handlers = [x, y::z, y::z]"), "`y::z` is listed twice");
    assert!(refused("service = \"_a\", handlers = []").starts_with("`_a` cannot be a service"));
    assert!(
        refused("service = \"a\", name = \"a b\", handlers = []").starts_with("`a b` cannot name a plugin")
    );
    let two = "{ \"n\", \"v\", \"\", \"s\" } [error_formatter (a) error_formatter (b)]";
    let message = plugin::exports(two.parse().unwrap()).unwrap_err().to_string();
    assert_eq!(message, "a plugin has one #[error_formatter]; remove one from `handlers`");
}

#[test]
fn only_interfaces_with_handlers_are_exported() {
    let exports = |list: &str| {
        let input = format!("{{ \"n\", \"v\", \"\", \"s\" }} [{list}]");
        plugin::exports(input.parse().unwrap()).unwrap().to_string()
    };
    let all = [
        ("api", "export_api"),
        ("sync_server", "export_sync_server"),
        ("sync_client", "export_sync_client"),
        ("hook", "export_hooks"),
        ("function", "export_functions"),
        ("error_formatter", "export_error_formatter"),
    ];
    for (kind, _) in all {
        let text = exports(&format!("{kind} (f)"));
        assert!(text.contains("export_manifest"));
        for (other, export) in all {
            assert_eq!(text.contains(&format!("{export} !")), kind == other, "{kind}: {export}");
        }
        assert!(!text.contains("export_user_store"));
    }
    let input = "{ \"n\", \"v\", \"\", \"s\", store::Users } []";
    let text = plugin::exports(input.parse().unwrap()).unwrap().to_string();
    assert!(text.contains("export_user_store !") && text.contains("by_id :: < store :: Users >"), "{text}");
}
