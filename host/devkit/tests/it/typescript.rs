//! TypeScript plugins, built with the machine's real Node and the real packages.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use luckystack_devkit::{
    BuildError, BuildRequest, Built, Event, Freshness, Language, Progress, Quiet, Staleness, Toolchain,
    freshness,
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use wit_component::DecodedWasm;

use crate::support::{Sources, project};

/// Keeps what the tools printed.
#[derive(Default)]
struct Heard {
    colour: bool,
    output: Mutex<String>,
}

impl Progress for Heard {
    fn event(&self, event: Event<'_>) {
        if let Event::Output { text } = event {
            self.output.lock().unwrap().push_str(text);
        }
    }

    fn colour(&self) -> bool {
        self.colour
    }
}

async fn toolchain() -> &'static Toolchain {
    static TOOLCHAIN: OnceCell<Toolchain> = OnceCell::const_new();
    TOOLCHAIN
        .get_or_init(|| async {
            let found = Toolchain::find_or_install(Language::TypeScript, &Quiet).await;
            found.unwrap_or_else(|error| panic!("{error}"))
        })
        .await
}

/// The service `notes` in the folder `notes`; results go to `out` and `target`.
fn request(sources: &Sources) -> BuildRequest {
    BuildRequest {
        language: Language::TypeScript,
        service: "notes".into(),
        name: "notes".into(),
        dir: sources.path("notes"),
        nested: true,
        output_dir: sources.path("out"),
        target_dir: sources.path("target"),
    }
}

async fn build(sources: &Sources) -> Result<Built, BuildError> {
    toolchain().await.build(&request(sources), &Quiet).await
}

/// What a build that must fail says.
async fn refusal(sources: &Sources) -> String {
    build(sources).await.unwrap_err().to_string()
}

/// The builder's part of the last build's manifest.
fn manifest(sources: &Sources) -> Value {
    let cache = sources.path("target/luckystack/typescript");
    let file = fs::read_dir(cache)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("manifest-"))
        .unwrap();
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn interfaces(component: &Path) -> (Vec<String>, Vec<String>) {
    let bytes = fs::read(component).unwrap();
    let DecodedWasm::Component(resolve, world) = wit_component::decode(&bytes).unwrap() else {
        panic!("this is a WIT package, not a component");
    };
    let world = &resolve.worlds[world];
    // The small engine keeps the function that it was initialised with.
    let names = |items: Vec<_>| {
        items.into_iter().map(|key| resolve.name_world_key(key)).filter(|name| name != "init").collect()
    };
    (names(world.imports.keys().collect()), names(world.exports.keys().collect()))
}

const PLAIN: &str = "export interface ApiParams { data: { text: string } }\n\
    export const main = async ({ data }: ApiParams) => ({ status: 'success', result: data.text });\n";

#[tokio::test]
async fn an_original_handler_file_compiles_unchanged_without_its_project() {
    let handler = "import { AuthProps, SessionLayout } from '../../../../config';\n\
        import { Functions, ApiResponse, MaybePromise, ApiStreamEmitter } from '../../../../src/_sockets/apiTypes.generated';\n\
        import { sleep, tryCatch } from '@luckystack/core';\n\
        import { createStreamThrottle } from '@luckystack/sync';\n\
        export const rateLimit: number | false = 20;\n\
        export const httpMethod: 'GET' | 'POST' | 'PUT' | 'DELETE' = 'POST';\n\
        export const auth: AuthProps = { login: true, additional: [] };\n\
        export interface ApiParams { data: { title: string }; user: SessionLayout; functions: Functions; stream: ApiStreamEmitter; }\n\
        export const main = async ({ data, user, functions, stream }: ApiParams): Promise<ApiResponse> => {\n\
          const throttle = createStreamThrottle({ flushAtChars: 4 });\n\
          throttle.push(data.title, stream);\n\
          const [error, km] = await tryCatch(async () => functions.geo.distance({ from: user.home, to: [0, 0] }));\n\
          if (error) return { status: 'error', errorCode: 'notes.nowhere' };\n\
          await sleep(1);\n\
          return { status: 'success', result: { km } };\n\
        };\n";
    let sync = "import { AuthProps, SessionLayout } from '../../../config';\n\
        import { Functions, SyncServerResponse, SyncServerStreamEmitter, SyncBroadcastStreamEmitter, SyncStreamToEmitter } from '../../_sockets/apiTypes.generated';\n\
        export const auth: AuthProps = { login: false };\n\
        export interface SyncParams { clientInput: { message: string }; user: SessionLayout | null; functions: Functions; roomCode: string;\n\
          stream: SyncServerStreamEmitter; broadcastStream: SyncBroadcastStreamEmitter; streamTo: SyncStreamToEmitter; }\n\
        export const main = async ({ clientInput, user, roomCode, broadcastStream, streamTo }: SyncParams): Promise<SyncServerResponse> => {\n\
          broadcastStream({ chunk: clientInput.message });\n\
          streamTo(['token'], { chunk: roomCode });\n\
          return { status: 'success', message: clientInput.message, senderId: user?.id ?? 'anonymous' };\n\
        };\n";
    let sources =
        Sources::new().file("notes/_api/add_v1.ts", handler).file("notes/_sync/say_server_v2.ts", sync);
    let built = build(&sources).await.unwrap();
    let (imports, exports) = interfaces(&built.component);
    let own = |name: &str| format!("luckystack:plugin/{name}@0.1.0");
    assert_eq!(exports, [own("plugin"), own("api"), own("sync-server")]);
    assert!(imports.contains(&own("function-call")) && !imports.iter().any(|name| name.contains("keyvalue")));
    let routes = &manifest(&sources)["routes"];
    assert_eq!(
        routes[0]["input"],
        json!({
            "type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"],
        })
    );
    assert_eq!(routes[1]["kind"], "sync-server");
    assert_eq!(routes[1]["version"], 2);
    assert_eq!(routes[1]["input"]["required"], json!(["message"]));
}

#[tokio::test]
async fn handlers_that_save_and_end_sessions_compile_unchanged_and_need_no_grant() {
    let head = "import { AuthProps, SessionLayout } from '../../config';\n\
        import { Functions, ApiResponse } from '../_sockets/apiTypes.generated';\n";
    let logout = "export const rateLimit: number | false = 30;\n\
        export const auth: AuthProps = { login: false };\n\
        export const httpMethod = 'DELETE' as const;\n\
        export interface ApiParams { data: Record<string, never>; user: SessionLayout | null; functions: Functions; }\n\
        export const main = async ({ user, functions }: ApiParams): Promise<ApiResponse> => {\n\
          if (user?.token) await functions.tryCatch.tryCatch(() => functions.session.deleteSession(user.token));\n\
          return { status: 'success', result: true };\n\
        };\n";
    let update = "export const auth: AuthProps = { login: true };\n\
        export interface ApiParams { data: { theme?: 'light' | 'dark' }; user: SessionLayout; functions: Functions; }\n\
        export const main = async ({ data, user, functions }: ApiParams): Promise<ApiResponse> => {\n\
          if (!user.token) return { status: 'error', errorCode: 'session.invalid' };\n\
          await functions.session.saveSession(user.token, { ...user, theme: data.theme });\n\
          const now = await functions.session.getSession(user.token);\n\
          return { status: 'success', result: { theme: now?.theme } };\n\
        };\n";
    let sources = Sources::new()
        .file("notes/_api/logout_v1.ts", &format!("{head}{logout}"))
        .file("notes/_api/updateUser_v1.ts", &format!("{head}{update}"));
    let (imports, _) = interfaces(&build(&sources).await.unwrap().component);
    for name in ["accounts", "uploads"] {
        assert!(!imports.contains(&format!("luckystack:plugin/{name}@0.1.0")), "{imports:?}");
    }
}

#[tokio::test]
async fn schemas_say_what_the_types_say_and_refuse_what_they_cannot() {
    let handler = "type Kind = 'a' | 'b';\n\
        interface Tree { name: string; kids: Tree[] }\n\
        export interface ApiParams { data: {\n\
          /** What it is called.\n * @maxLength 80 */ name: string;\n\
          kind: Kind; flag: boolean; mixed: string | true | null; when?: Date; any: unknown;\n\
          counts: Record<string, number>; byNumber: { [key: number]: string }; picked: Pick<{ x: number; y: number }, 'x'>;\n\
          both: { a: string } & { b?: number }; tree: Tree;\n\
          pair?: [number, string]; call?: () => void; set?: Set<string>; big?: bigint;\n\
        } }\n\
        export const main = (_: ApiParams) => ({ status: 'success' as const, result: { n: 1, list: ['x'] } });\n";
    let sources = Sources::new().file("notes/_api/typed_v1.ts", handler);
    let heard = Heard::default();
    toolchain().await.build(&request(&sources), &heard).await.unwrap();
    let route = &manifest(&sources)["routes"][0];
    let date =
        json!({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]});
    let object = |properties: Value, required: Value| json!({"type": "object", "properties": properties, "required": required});
    let expected = [
        ("name", json!({"type": "string", "description": "What it is called.", "maxLength": 80})),
        ("kind", json!({"enum": ["a", "b"]})),
        ("flag", json!({"type": "boolean"})),
        ("mixed", json!({"anyOf": [{"const": true}, {"type": "null"}, {"type": "string"}]})),
        ("when", date),
        ("any", json!(true)),
        ("counts", json!({"type": "object", "additionalProperties": {"type": "number"}})),
        (
            "byNumber",
            json!({"type": "object", "patternProperties": {"^-?[0-9]+([.][0-9]+)?$": {"type": "string"}}}),
        ),
        ("picked", object(json!({"x": {"type": "number"}}), json!(["x"]))),
        ("both", object(json!({"a": {"type": "string"}, "b": {"type": "number"}}), json!(["a"]))),
        ("tree", json!({"$ref": "#/$defs/Tree"})),
        ("pair", json!(false)),
        ("call", json!(false)),
        ("set", json!(false)),
        ("big", json!(false)),
    ];
    for (name, schema) in expected {
        assert_eq!(route["input"]["properties"][name], schema, "{name}");
    }
    let kids = json!({"type": "array", "items": {"$ref": "#/$defs/Tree"}});
    let tree = object(json!({"name": {"type": "string"}, "kids": kids}), json!(["name", "kids"]));
    assert_eq!(route["input"]["$defs"], json!({"Tree": tree}));
    assert_eq!(route["output"]["properties"]["list"], json!({"type": "array", "items": {"type": "string"}}));

    let output = heard.output.into_inner().unwrap();
    for named in [
        "typed_v1.ts",
        "`data.pair` has the type `[number, string]`, a tuple",
        "`data.call`",
        "`data.set`",
        "`data.big`",
    ] {
        assert!(output.contains(named), "{named}: {output}");
    }
}

#[tokio::test]
async fn errors_are_shown_as_the_tools_say_them_and_the_old_component_stays() {
    let sources = Sources::new().file("notes/_api/add_v1.ts", PLAIN);
    let built = build(&sources).await.unwrap();
    let before = fs::read(&built.component).unwrap();

    sources.save("notes/_api/add_v1.ts", &PLAIN.replace("data.text", "data.txt"));
    let error = refusal(&sources).await;
    assert!(error.contains("_api/add_v1.ts(2,87): error TS2551: Property 'txt' does not exist"), "{error}");
    sources.save("notes/_api/add_v1.ts", "export const main = () => {\n  return { status: 'success' \n");
    let error = refusal(&sources).await;
    assert!(error.contains("_api/add_v1.ts:3:0:"), "{error}");
    sources.save("notes/_api/add_v1.ts", "import { z } from 'zod';\nexport const main = () => z;\n");
    let error = refusal(&sources).await;
    assert!(error.contains("Could not resolve \"zod\""), "{error}");
    sources.save("notes/_api/add_v1.ts", &format!("throw new Error('too early');\n{PLAIN}"));
    let error = refusal(&sources).await;
    assert!(error.contains("too early"), "{error}");

    let colours = Heard { colour: true, ..Heard::default() };
    sources.save("notes/_api/add_v1.ts", &PLAIN.replace("data.text", "data.txt"));
    let error = toolchain().await.build(&request(&sources), &colours).await.unwrap_err().to_string();
    assert!(error.contains("\u{1b}["), "{error}");
    assert_eq!(fs::read(&built.component).unwrap(), before);
}

#[tokio::test]
async fn files_that_are_no_handlers_are_refused_with_the_rule() {
    let cases = [
        ("_api/add.ts", PLAIN, "such as `add_v1.ts`"),
        ("_api/1st_v1.ts", PLAIN, "must begin with a letter"),
        ("_api/add_v01.ts", PLAIN, "leading zero"),
        ("_sync/say_v1.ts", PLAIN, "such as `say_server_v1.ts`"),
        ("_api/deep/add_v1.ts", PLAIN, "stands directly in `_api`"),
        ("_api/add_v1.ts", " \n", "the file is empty"),
        ("_api/add_v1.ts", "export const other = 1;", "it exports no function `main`"),
        ("_functions/host.ts", "export const a = () => 1;", "the group `host` is taken"),
        ("helper.ts", "export const a = 1;", "no handlers"),
    ];
    for (file, text, expected) in cases {
        let error = refusal(&Sources::new().file(&format!("notes/{file}"), text)).await;
        assert!(error.contains(expected), "{file}: {error}");
    }
}

#[tokio::test]
async fn pages_hooks_functions_and_javascript_are_found_and_tests_and_helpers_are_not() {
    let sources = Sources::new()
        .file("notes/package.json", r#"{"version": "2.1.0", "description": "Notes."}"#)
        .file("notes/_api/list_v1.js", "export const main = () => ({ status: 'success' });")
        .file("notes/_api/list_v1.test.ts", "this is no handler")
        .file("notes/_api/_lib/shared_v1.ts", "nor is this")
        .file("notes/old/_api/list_v3.mts", PLAIN)
        .file(
            "notes/_hooks/preApiExecute.ts",
            "export const main = () => ({ stop: { errorCode: 'notes.closed' } });",
        )
        .file(
            "notes/_functions/text.ts",
            "/** Longer. */\nexport const twice = (s: string) => s + s;\nexport function none() {}",
        );
    let built = build(&sources).await.unwrap();
    let manifest = manifest(&sources);
    assert_eq!([&manifest["version"], &manifest["description"]], ["2.1.0", "Notes."]);
    let routes: Vec<_> = manifest["routes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|route| (&route["name"], &route["page"], &route["version"]))
        .collect();
    assert_eq!(
        routes,
        [(&json!("list"), &Value::Null, &json!(1)), (&json!("list"), &json!("notes/old"), &json!(3))]
    );
    assert_eq!(manifest["hooks"][0]["hook"], "preApiExecute");
    assert_eq!(
        manifest["functions"][1],
        json!({
            "name": "text/twice", "description": "Longer.", "input": {"type": "string"}, "output": {"type": "string"},
        })
    );
    let (_, exports) = interfaces(&built.component);
    assert_eq!(exports.len(), 4, "{exports:?}");
}

#[tokio::test]
async fn a_grant_is_asked_for_only_by_what_uses_it_and_requests_need_the_complete_engine() {
    let keeps = "import * as keyvalue from 'luckystack/keyvalue';\nexport const main = () => ({ status: 'success', result: keyvalue.get('x') });";
    let sources = Sources::new().file("notes/_api/get_v1.ts", keeps);
    let (imports, _) = interfaces(&build(&sources).await.unwrap().component);
    assert!(imports.iter().any(|name| name == "wasi:keyvalue/store@0.2.0-draft"), "{imports:?}");

    let own = |name: &str| format!("luckystack:plugin/{name}@0.1.0");
    for (module, call) in
        [("accounts", "accounts.remove('u1')"), ("uploads", "uploads.put('a.bin', new Uint8Array(1))")]
    {
        let uses = format!(
            "import * as {module} from 'luckystack/{module}';\nimport {{ endSession, updateSession }} from 'luckystack';\n\
             export const main = async () => {{ await updateSession({{}}); await endSession(); \
             return {{ status: 'success', result: await {call} }}; }};"
        );
        let (imports, _) =
            interfaces(&build(&Sources::new().file("notes/_api/x_v1.ts", &uses)).await.unwrap().component);
        let others: Vec<_> =
            ["accounts", "uploads"].into_iter().filter(|name| imports.contains(&own(name))).collect();
        assert_eq!(others, [module]);
    }

    let asks = "export const main = async () => ({ status: 'success', result: (await fetch('http://a.example')).status });";
    let error = refusal(&Sources::new().file("notes/_api/ask_v1.ts", asks)).await;
    assert!(error.contains("\"engine\": \"starlingmonkey\""), "{error}");
}

#[tokio::test]
async fn a_changed_file_a_new_handler_and_a_shared_module_make_a_component_stale() {
    let sources = Sources::new()
        .file("notes/_api/add_v1.ts", "import { text } from '../shared';\nexport const main = () => ({ status: 'success', result: text });")
        .file("notes/shared.ts", "export const text = 'one';");
    let built = build(&sources).await.unwrap();
    let state = || freshness(&request(&sources), &built.component).unwrap();
    assert_eq!(state(), Freshness::Fresh);
    sources.save("notes/_api/list_v1.ts", PLAIN);
    assert_eq!(state(), Freshness::Stale(Staleness::Changed(sources.path("notes/_api/list_v1.ts"))));
    fs::remove_file(sources.path("notes/_api/list_v1.ts")).unwrap();
    sources.save("notes/shared.ts", "export const text = 'two';");
    assert!(
        matches!(state(), Freshness::Stale(Staleness::Changed(path)) if path.ends_with("notes/shared.ts"))
    );
    assert!(build(&sources).await.unwrap().changed);
}

#[tokio::test]
async fn a_changed_type_is_in_the_manifest_of_the_next_build() {
    let sources = Sources::new().file("notes/_api/add_v1.ts", PLAIN);
    build(&sources).await.unwrap();
    sources.save("notes/_api/add_v1.ts", &PLAIN.replace("text: string", "text: number"));
    let built = build(&sources).await.unwrap();
    assert_eq!(manifest(&sources)["routes"][0]["input"]["properties"]["text"], json!({"type": "number"}));
    // The component holds it, not only the notes of the build.
    let bytes = fs::read(&built.component).unwrap();
    let text = br#""properties":{"text":{"type":"number"}}"#;
    assert!(bytes.windows(text.len()).any(|window| window == text));
}

#[tokio::test]
async fn the_scripts_of_the_sdk_pass_their_own_tests() {
    let tests = project().join("sdk/typescript/tests");
    let output = tokio::process::Command::new("node").arg("--test").arg(&tests).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
