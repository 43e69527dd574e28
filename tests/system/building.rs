//! Sources beside a running host: built on start and on save, side by side, restarted by a save; and
//! `luckystack-host build` and `types`, which do it once.

use std::fs;

use luckystack_devkit::Language;
use luckystack_tests::Project;
use luckystack_tests::guests::Guest;
use luckystack_tests::languages::example;
use serde_json::json;

use crate::project;

const HANDLER: &str = "export const auth = { login: false };\n\
    export interface ApiParams { data: { name: string } }\n\
    export const main = async ({ data }: ApiParams) => ({ status: 'success' as const, result: `hello ${data.name}` });\n";

fn greetings() -> Project {
    project()
        .preset("all", "services = [\"greetings\"]\n")
        .write("plugins/greetings/package.json", "{ \"name\": \"greetings\" }\n")
        .write("plugins/greetings/_api/greet_v1.ts", HANDLER)
        .builds()
}

#[tokio::test]
async fn a_typescript_handler_is_built_on_start_and_on_save() {
    let host = greetings().start_with(&["--dev"]).await;
    host.wait_for_log("added     greetings").await;
    let greet = async || host.post("/api/greetings/greet/v1", &json!({ "name": "Ada" })).await.result();
    assert_eq!(greet().await, "hello Ada");

    let file = host.dir().join("plugins/greetings/_api/greet_v1.ts");
    fs::write(&file, HANDLER.replace("hello", "good day")).unwrap();
    host.wait_for_log("swapped   greetings").await;
    assert_eq!(greet().await, "good day Ada");

    // An error of types is the compiler's own, with file and line; what served serves on.
    fs::write(&file, HANDLER.replace("data.name", "data.nam")).unwrap();
    host.wait_for_log("failed    plugins/greetings").await;
    assert!(host.log().contains("greet_v1.ts(3,"), "{}", host.log());
    assert_eq!(greet().await, "good day Ada");

    // An empty file in a known place becomes a handler; the broken one beside it is mended.
    fs::write(&file, HANDLER).unwrap();
    fs::write(host.dir().join("plugins/greetings/_api/listAll_v2.ts"), "").unwrap();
    host.wait_for_log("template  ").await;
    host.wait_for_log_line("swapped   greetings", 2).await;
    let template = fs::read_to_string(host.dir().join("plugins/greetings/_api/listAll_v2.ts")).unwrap();
    assert!(template.contains("export const main"), "{template}");
    assert_eq!(host.get("/api/greetings/listAll/v2?name=Ada").await.status, 200, "{}", host.log());
    assert_eq!(greet().await, "hello Ada");
}

#[tokio::test]
async fn a_save_during_a_build_restarts_it_and_the_host_answers_meanwhile() {
    let host = greetings().forged_into("greetings").start_with(&["--dev"]).await;
    let file = host.dir().join("plugins/greetings/_api/greet_v1.ts");
    for round in 0..5 {
        fs::write(&file, HANDLER.replace("hello", &format!("round {round}"))).unwrap();
        host.wait_for_log_line("compiling greetings", round + 1).await;
        assert_eq!(host.get("/api/greetings/getForged/v1").await.result(), "forged");
    }
    host.wait_for_log("added     greetings: greetings").await;
    let answer = host.post("/api/greetings/greet/v1", &json!({ "name": "Ada" })).await;
    assert_eq!(answer.result(), "round 4 Ada", "the last save wins");
}

#[tokio::test]
async fn build_writes_components_once_and_fails_with_the_errors() {
    let project = greetings();
    let built = project.run(&["build"]).await;
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let component = project.dir().join("plugins/greetings/greetings.wasm");
    let plain = fs::metadata(&component).unwrap().len();

    let built = project.run(&["build", "--release", "plugins/greetings"]).await;
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert!(fs::metadata(&component).unwrap().len() <= plain);
    let checked = project.run(&["check", "--strict"]).await;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));

    let before = fs::read(&component).unwrap();
    let project = project.write("plugins/greetings/_api/greet_v1.ts", "export const main = (\n");
    let failed = project.run(&["build"]).await;
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(
        !failed.status.success() && told.contains("greet_v1.ts:2:") && told.contains("1 failed"),
        "{told}"
    );
    assert_eq!(fs::read(&component).unwrap(), before, "a failed build leaves what was there");

    let nowhere = project.run(&["build", "presets"]).await;
    let told = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert!(!nowhere.status.success() && told.contains("presets: no sources to build"), "{told}");
}

#[tokio::test]
async fn types_are_written_checked_and_kept_current() {
    let project = project().guest(Guest::Vehicles).write(
        "presets/project.toml",
        "[paths]\nplugins = \"plugins\"\ntypes = \"src/generated\"\n\n[listen]\nport = 0\n",
    );
    let out = project.dir().join("src/generated/apiTypes.generated.ts");
    let missing = project.run(&["types", "--check"]).await;
    assert!(!missing.status.success());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("apiTypes.generated.ts is missing"));
    assert!(project.run(&["types"]).await.status.success());
    assert!(fs::read_to_string(&out).unwrap().contains("'getAll'"));
    assert!(project.run(&["types", "--check"]).await.status.success());

    let host = project.start_with(&["--dev"]).await;
    let extra = luckystack_tests::Forge::new("vehicles", "extra")
        .api("getExtra", luckystack_tests::Act::success(json!(1)));
    fs::write(host.dir().join("plugins/vehicles/extra.wasm"), extra.build()).unwrap();
    host.wait_for_log("written   ").await;
    assert!(fs::read_to_string(&out).unwrap().contains("'getExtra'"));
}

#[tokio::test]
async fn the_examples_in_typescript_python_and_c_answer() {
    let mut project = project().guest(Guest::Functions);
    for (service, language) in
        [("notes", Language::TypeScript), ("weather", Language::Python), ("units", Language::C)]
    {
        let component = example(service, language);
        project = project.file(service, &format!("{service}.wasm"), &fs::read(component).unwrap());
    }
    let host = project.service("notes", "grants.keyvalue = true").start().await;
    let banner = host.banner();
    for service in ["notes", "weather", "units"] {
        let routes = banner.lines().filter(|line| line.contains(&format!("/api/{service}/"))).count();
        assert!(routes >= 2, "{service}: {banner}");
        let streams =
            banner.lines().any(|line| line.contains(&format!("/api/{service}/")) && line.contains(" stream"));
        assert!(streams, "{service} has a route that streams: {banner}");
    }
    assert!(!banner.contains("skipped"), "{banner}");
}
