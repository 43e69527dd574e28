//! What `luckystack-host new` makes, and empty handler files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use luckystack_devkit::{
    BuildRequest, Created, InPreset, Injected, Language, New, ScaffoldError, Toolchain, What, inject_empty,
    scaffold,
};
use luckystack_topology::{Overrides, Topology, discover, load, validate};

use crate::support::{Kept, target_dir};

/// A project in a folder of its own, outside of any checkout.
struct Project(tempfile::TempDir);

impl Project {
    /// With these files.
    fn new(files: &[(&str, &str)]) -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            project.save(path, text);
        }
        project
    }

    /// With one empty preset.
    fn plain() -> Self {
        Self::new(&[("presets/main.toml", "services = []\n")])
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn save(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn topology(&self) -> Topology {
        load(&self.path("presets"), &Overrides::default()).topology.unwrap()
    }

    fn try_new(&self, what: What, name: &str, language: Language) -> Result<Created, ScaffoldError> {
        let request = New { what, name, service: None, language, version: 1, presets: &[] };
        scaffold(&self.topology(), &request)
    }

    fn create(&self, what: What, name: &str, language: Language) -> Created {
        self.try_new(what, name, language).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn refusal(&self, what: What, name: &str, language: Language) -> String {
        let before = self.files();
        let error = self.try_new(what, name, language).unwrap_err().to_string();
        assert_eq!(self.files(), before, "{name} was refused and yet something was written");
        error
    }

    /// Every file and folder, with the content.
    fn files(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut open = vec![self.0.path().to_owned()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let below = path.strip_prefix(self.0.path()).unwrap().display().to_string();
                if path.is_dir() {
                    found.push((below, "a folder".to_owned()));
                    open.push(path);
                } else {
                    found.push((below, fs::read_to_string(path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }

    /// Builds every source of a service as the host does, and answers with the components.
    async fn build(&self, service: &str) -> Vec<PathBuf> {
        let topology = self.topology();
        let (services, findings) = discover(&topology);
        assert!(findings.iter().all(|finding| !finding.is_error()), "{findings:?}");
        let findings = validate(&topology, &services.iter().map(Into::into).collect::<Vec<_>>(), &|_| None);
        assert!(findings.iter().all(|finding| !finding.is_error()), "{findings:?}");
        let found = services.iter().find(|found| found.service == service).unwrap();
        let mut components = Vec::new();
        for source in &found.sources {
            let request = BuildRequest {
                language: source.language,
                service: service.to_owned(),
                name: source.name.clone(),
                dir: source.dir.clone(),
                nested: source.nested,
                output_dir: found.dir.clone(),
                target_dir: target_dir(),
            };
            let toolchain = Toolchain::find_or_install(source.language, &Kept::default()).await;
            let toolchain = toolchain.unwrap_or_else(|error| panic!("{error}"));
            let built = toolchain.build(&request, &Kept::default()).await;
            components.push(built.unwrap_or_else(|error| panic!("{error}")).component);
        }
        components
    }

    /// Runs the command that the person who scaffolds is told to test with.
    fn run_test(&self, created: &Created) {
        let output = Command::new("sh")
            .args(["-c", &created.test])
            // One folder for all: what the handlers depend on is compiled once.
            .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("scaffolded"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{}\n{text}", created.test);
    }
}

/// Names of the files made, below the project.
fn names(project: &Project, created: &Created) -> Vec<String> {
    let below = |path: &PathBuf| path.strip_prefix(project.0.path()).unwrap().display().to_string();
    created.files.iter().map(below).collect()
}

// ---------------------------------------------------------------------------------------------
// Each language

#[tokio::test]
async fn a_rust_service_builds_and_its_tests_pass_outside_of_a_checkout() {
    let project = Project::plain();
    let created = project.create(What::Service, "garage", Language::Rust);
    assert_eq!(created.route, "api/garage/hello/v1");
    assert_eq!(
        names(&project, &created),
        ["plugins/garage/Cargo.toml", "plugins/garage/src/lib.rs", "plugins/garage/src/hello.rs",]
    );
    assert_eq!(created.preset, InPreset::Listed { preset: "main".into(), added: true });
    assert_eq!(
        created.call.as_deref(),
        Some(
            "curl -H 'origin: http://localhost:4100' -H 'content-type: application/json' -d '{\"name\":\"Ada\"}' \
             http://localhost:4100/api/garage/hello/v1"
        )
    );
    assert_eq!(created.changed, [project.path("presets/main.toml")]);
    project.create(What::Api, "garage/listCars", Language::Rust);
    project.create(What::Api, "garage/reports/match", Language::Rust);
    project.create(What::Sync, "garage/moveCar", Language::Rust);
    let library = project.read("plugins/garage/src/lib.rs");
    assert!(
        library.contains(
            "handlers = [hello::hello, list_cars::list_cars, match_::match_, move_car_sync::move_car, \
             move_car_sync::move_car_client]"
        ),
        "{library}"
    );
    assert_eq!(project.build("garage").await, [project.path("plugins/garage/garage.wasm")]);
    project.run_test(&created);
}

#[tokio::test]
async fn a_python_service_builds_and_its_tests_pass() {
    let project = Project::plain();
    let created = project.create(What::Service, "weather", Language::Python);
    assert_eq!(
        names(&project, &created),
        ["plugins/weather/_api/hello_v1.py", "plugins/weather/_api/test_hello_v1.py",]
    );
    let page = project.create(What::Api, "weather/reports/list-2", Language::Python);
    let sync = project.create(What::Sync, "weather/warn", Language::Python);
    assert_eq!(names(&project, &page)[0], "plugins/weather/reports/_api/list-2_v1.py");
    assert_eq!(
        names(&project, &sync)[..2],
        ["plugins/weather/_sync/warn_server_v1.py", "plugins/weather/_sync/warn_client_v1.py",]
    );
    assert_eq!(project.build("weather").await, [project.path("plugins/weather/weather.wasm")]);
    for created in [created, page, sync] {
        project.run_test(&created);
    }
}

#[tokio::test]
async fn a_typescript_service_builds_and_its_tests_pass() {
    let project = Project::plain();
    let created = project.create(What::Service, "board", Language::TypeScript);
    assert_eq!(
        names(&project, &created),
        [
            "plugins/board/_api/hello_v1.ts",
            "plugins/board/_api/hello_v1.test.ts",
            "plugins/board/package.json",
        ]
    );
    project.create(What::Api, "board/cards/listAll", Language::TypeScript);
    let sync = project.create(What::Sync, "board/moveCard", Language::TypeScript);
    assert_eq!(
        names(&project, &sync)[..2],
        ["plugins/board/_sync/moveCard_server_v1.ts", "plugins/board/_sync/moveCard_client_v1.ts",]
    );
    assert_eq!(project.build("board").await, [project.path("plugins/board/board.wasm")]);
    project.run_test(&created);
}

#[tokio::test]
async fn a_c_service_builds_and_its_tests_pass() {
    let project = Project::plain();
    let created = project.create(What::Service, "units", Language::C);
    assert_eq!(names(&project, &created)[..2], ["plugins/units/plugin.json", "plugins/units/hello.c"]);
    let second = project.create(What::Api, "units/tables/getAll", Language::C);
    project.create(What::Sync, "units/share", Language::C);
    assert_eq!(project.build("units").await, [project.path("plugins/units/units.wasm")]);
    for created in [created, second] {
        project.run_test(&created);
    }
}

#[tokio::test]
async fn handlers_in_several_languages_live_in_one_service() {
    let project = Project::plain();
    project.create(What::Service, "mixed", Language::Rust);
    let files = |what, name, language| names(&project, &project.create(what, name, language));
    // A cargo package brings its own name and shares its folder; others get one.
    assert_eq!(files(What::Api, "mixed/a", Language::Python)[0], "plugins/mixed/_api/a_v1.py");
    assert_eq!(files(What::Api, "mixed/b", Language::TypeScript)[0], "plugins/mixed/_ts/_api/b_v1.ts");
    assert_eq!(files(What::Api, "mixed/c", Language::C)[0], "plugins/mixed/_c/plugin.json");
    assert_eq!(
        files(What::Api, "mixed/d", Language::C),
        ["plugins/mixed/_c/d.c", "plugins/mixed/_c/tests/d_test.c",]
    );
    assert_eq!(files(What::Api, "mixed/e", Language::TypeScript)[0], "plugins/mixed/_ts/_api/e_v1.ts");
    let (services, findings) = discover(&project.topology());
    assert_eq!(findings, []);
    let mut found: Vec<_> = services[0].sources.iter().map(|source| source.language).collect();
    found.sort();
    assert_eq!(found, Language::ALL);
    // None of the components takes another's place.
    let components: std::collections::BTreeSet<PathBuf> = project.build("mixed").await.into_iter().collect();
    assert_eq!(components.len(), 4, "{components:?}");
}

#[tokio::test]
async fn the_root_service_has_handlers_too() {
    let project = Project::plain();
    let files = |name, language| names(&project, &project.create(What::Api, name, language));
    assert_eq!(files("system/ping", Language::TypeScript)[0], "plugins/_api/ping_v1.ts");
    assert_eq!(files("system/pong", Language::Rust)[0], "plugins/_rust/Cargo.toml");
    assert_eq!(files("system/pang", Language::C)[0], "plugins/_c/plugin.json");
    assert_eq!(project.read("presets/main.toml"), "services = [\"system\"]\n");
    let (services, findings) = discover(&project.topology());
    assert_eq!(findings, []);
    assert_eq!((services.len(), services[0].sources.len()), (1, 3));
    assert!(project.read("plugins/_rust/Cargo.toml").contains("name = \"system-rust\""));
}

// ---------------------------------------------------------------------------------------------
// Names

#[test]
fn a_name_that_breaks_a_rule_is_refused_with_it_and_nothing_is_written() {
    let project = Project::plain();
    project.create(What::Service, "garage", Language::Rust);
    let letters = "must begin with a letter and hold only A-Z a-z 0-9 `_` `-`";
    let cases = [
        (What::Service, "1st", letters),
        (What::Service, "my service", letters),
        (What::Service, "../up", letters),
        (What::Service, "", "the name is empty"),
        (What::Service, "api", "it is the prefix of API routes"),
        (What::Service, "functions", "it is the folder of the project functions"),
        (What::Service, "node_modules", "it is the package folder of npm"),
        (What::Service, "a/b", "a service has one segment"),
        (What::Service, "system", "always there"),
        (What::Service, "garage", "the service `garage` exists"),
        (What::Api, "listCars", "`SERVICE/listCars`"),
        (What::Api, "garage/", "the name is empty"),
        (What::Api, "garage//x", "empty segment"),
        (What::Api, "garage/_x", letters),
        (What::Api, "garage/a.b", letters),
        (What::Api, "garrage/x", "there is no service `garrage`"),
        (What::Api, "system/page/x", "`system` has no pages"),
        (What::Sync, "garage/é", letters),
    ];
    for language in Language::ALL {
        for (what, name, rule) in cases {
            let error = project.refusal(what, name, language);
            assert!(error.contains(rule), "{name:?}: {error}");
        }
        let long = format!("garage/{}", "x".repeat(129));
        assert!(project.refusal(What::Api, &long, language).contains("129 bytes long; at most 128"));
    }
}

#[test]
fn a_service_can_be_named_apart_and_a_version_chosen() {
    let project = Project::plain();
    project.create(What::Service, "garage", Language::Rust);
    let topology = project.topology();
    let request = New {
        what: What::Api,
        name: "listCars",
        service: Some("garage"),
        language: Language::Rust,
        version: 3,
        presets: &[],
    };
    let created = scaffold(&topology, &request).unwrap();
    assert_eq!(created.route, "api/garage/listCars/v3");
    assert_eq!(created.call.unwrap(), "curl 'http://localhost:4100/api/garage/listCars/v3?name=Ada'");
    let text = project.read("plugins/garage/src/list_cars_v3.rs");
    assert!(text.contains("#[api(name = \"listCars\", version = 3, login = false)]"), "{text}");
    let error = scaffold(&topology, &New { name: "a/b", ..request }).unwrap_err().to_string();
    assert!(error.contains("a route name holds no slash"), "{error}");
}

// ---------------------------------------------------------------------------------------------
// Nothing is overwritten

#[test]
fn an_existing_file_is_named_and_kept() {
    for language in Language::ALL {
        let project = Project::plain();
        project.create(What::Service, "garage", language);
        for what in [What::Api, What::Sync] {
            project.create(what, "garage/wash", language);
            let error = project.refusal(what, "garage/wash", language);
            assert!(error.contains("wash") && error.contains("is not overwritten"), "{error}");
        }
    }
}

#[test]
fn a_test_file_that_exists_keeps_the_handler_from_being_made() {
    let project = Project::plain();
    project.create(What::Service, "garage", Language::Python);
    project.save("plugins/garage/_api/test_wash_v1.py", "mine");
    let error = project.refusal(What::Api, "garage/wash", Language::Python);
    assert!(error.contains("test_wash_v1.py exists"), "{error}");
}

#[test]
fn a_rust_library_without_a_list_of_handlers_is_left_alone() {
    let project = Project::plain();
    project.create(What::Service, "garage", Language::Rust);
    project.save("plugins/garage/src/lib.rs", "luckystack::plugin!(include!(\"list\"));\n");
    let error = project.refusal(What::Api, "garage/wash", Language::Rust);
    assert!(error.contains("src/lib.rs") && error.contains("`wash::wash` in `handlers`"), "{error}");
    project.save("plugins/garage/src/wash/mod.rs", "");
    assert!(project.refusal(What::Api, "garage/wash", Language::Rust).contains("src/wash exists"));
}

#[test]
fn a_component_that_was_dropped_in_is_not_taken_for_the_new_plugins() {
    let project = Project::new(&[
        ("presets/main.toml", "services = [\"garage\"]\n"),
        ("plugins/garage/garage.wasm", "somebody's"),
    ]);
    for (language, file) in [
        (Language::Rust, "plugins/garage/_rust/Cargo.toml"),
        (Language::TypeScript, "plugins/garage/_ts/_api/wash_v1.ts"),
    ] {
        assert_eq!(names(&project, &project.create(What::Api, "garage/wash", language))[0], file);
    }
    let (services, _) = discover(&project.topology());
    assert!(services[0].sources.iter().all(|source| source.name != "garage"), "{services:?}");
}

// ---------------------------------------------------------------------------------------------
// Presets

#[test]
fn the_only_preset_gets_the_service_and_keeps_its_comments() {
    let before = "# Who runs what.\nservices = [\n    \"system\", # the root\n]\n\n[service.system]\ndeadline = \"2s\"\n";
    let project = Project::new(&[("presets/main.toml", before), ("plugins/_x/x.wasm", "")]);
    project.create(What::Service, "garage", Language::TypeScript);
    assert_eq!(
        project.read("presets/main.toml"),
        before.replace("# the root\n", "# the root\n    \"garage\",\n")
    );
    assert!(project.topology().preset_of("garage").is_some());
}

#[test]
fn the_named_preset_gets_the_service() {
    let project =
        Project::new(&[("presets/a.toml", "services = []\n"), ("presets/b.toml", "services = ['system']\n")]);
    let presets = ["b".to_owned()];
    let request = New {
        what: What::Service,
        name: "garage",
        service: None,
        language: Language::Python,
        version: 1,
        presets: &presets,
    };
    let created = scaffold(&project.topology(), &request).unwrap();
    assert_eq!(created.preset, InPreset::Listed { preset: "b".into(), added: true });
    assert_eq!(project.read("presets/a.toml"), "services = []\n");
    assert_eq!(project.read("presets/b.toml"), "services = ['system', \"garage\"]\n");

    let before = project.files();
    let unknown = ["c".to_owned()];
    let request = New { name: "other", presets: &unknown, ..request };
    let error = scaffold(&project.topology(), &request).unwrap_err().to_string();
    assert!(error.contains("there is no preset `c`") && error.contains("`a`, `b`"), "{error}");
    assert_eq!(project.files(), before);
}

#[test]
fn among_several_presets_the_choice_is_left_to_a_person() {
    let project =
        Project::new(&[("presets/a.toml", "services = []\n"), ("presets/b.toml", "services = []\n")]);
    let created = project.create(What::Service, "garage", Language::Python);
    let files = vec![project.path("presets/a.toml"), project.path("presets/b.toml")];
    assert_eq!(created.preset, InPreset::AddYourself { item: "\"garage\"".into(), files });
    assert_eq!(project.read("presets/a.toml"), "services = []\n");
}

#[test]
fn a_project_without_presets_gets_its_first() {
    let project = Project::new(&[("presets/project.toml", "name = \"app\"\n")]);
    let created = project.create(What::Service, "garage", Language::Python);
    assert_eq!(created.preset, InPreset::Listed { preset: "main".into(), added: true });
    assert_eq!(project.read("presets/main.toml"), "services = [\"garage\"]\n");
    let created = project.create(What::Api, "garage/wash", Language::Python);
    assert_eq!(created.preset, InPreset::Listed { preset: "main".into(), added: false });
}

// ---------------------------------------------------------------------------------------------
// The Rust SDK

#[test]
fn in_a_checkout_the_sdk_is_depended_on_where_it_is() {
    let project = Project::new(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"plugins/listed-*\", \"sdk/rust\"]\nexclude = [\"plugins/out\"]\n",
        ),
        ("sdk/rust/Cargo.toml", "[package]\nname = \"luckystack\"\n"),
        ("sdk/rust/macros/Cargo.toml", "[package]\nname = \"luckystack-macros\"\n"),
        ("presets/main.toml", "services = []\n"),
    ]);
    let manifest = |service: &str| {
        project.create(What::Service, service, Language::Rust);
        project.read(&format!("plugins/{service}/Cargo.toml"))
    };
    let foreign = manifest("garage");
    assert!(foreign.contains("luckystack = { path = \"../../sdk/rust\" }"), "{foreign}");
    // Cargo would refuse a package in the folder of a workspace that does not list it.
    assert!(foreign.contains("\n[workspace]\n"), "{foreign}");
    assert!(!manifest("listed-one").contains("[workspace]"));
    assert!(!manifest("out").contains("[workspace]"));
    assert!(!project.path(".luckystack").exists());
}

// ---------------------------------------------------------------------------------------------
// Empty handler files

fn injected(project: &Project, dir: &str, service: &str, nested: bool) -> Vec<Result<String, String>> {
    let results = inject_empty(&project.path(dir), service, nested);
    results
        .into_iter()
        .map(|result| match result {
            Ok(Injected { file, handler }) => {
                assert!(!fs::read_to_string(file).unwrap().trim().is_empty());
                Ok(handler)
            }
            Err(error) => Err(error.to_string()),
        })
        .collect()
}

#[test]
fn an_empty_handler_file_gets_its_template() {
    let files = [
        "plugins/board/_api/getAll_v1.ts",
        "plugins/board/_api/other_v2.js",
        "plugins/board/_api/third_v1.py",
        "plugins/board/cards/old/_api/list_v1.ts",
        "plugins/board/_sync/move_server_v1.ts",
        "plugins/board/_sync/move_client_v1.ts",
        "plugins/board/_sync/alone_client_v1.ts",
        "plugins/board/_sync/told_server_v1.py",
        "plugins/board/_sync/told_client_v1.py",
        "plugins/board/_hooks/preApiExecute.ts",
        "plugins/board/_hooks/postApiExecute.py",
    ];
    let project = Project::new(&files.map(|file| (file, " \n")));
    let mut found = injected(&project, "plugins/board", "board", true);
    found.sort();
    let expected = [
        "api/board/cards/old/list/v1",
        "api/board/getAll/v1",
        "api/board/other/v2",
        "api/board/third/v1",
        "postApiExecute",
        "preApiExecute",
        "sync/board/alone/v1",
        "sync/board/move/v1",
        "sync/board/move/v1",
        "sync/board/told/v1",
        "sync/board/told/v1",
    ];
    assert_eq!(found, expected.map(|name| Ok(name.to_owned())));
    let text = project.read(files[0]);
    assert!(text.contains("httpMethod = 'GET'") && text.contains("'board.nameEmpty'"), "{text}");
    assert!(project.read(files[3]).contains("GET /api/board/cards/old/list/v1"));
    // The client half takes its types from the server half, where there is one.
    assert!(project.read(files[5]).contains("from './move_server_v1.ts'"));
    assert!(!project.read(files[6]).contains("_server_v1"));
    // They are files with something in them now.
    assert_eq!(injected(&project, "plugins/board", "board", true), []);
}

#[tokio::test]
async fn what_was_an_empty_file_builds() {
    let files = [
        ("presets/main.toml", "services = [\"board\"]\n"),
        ("plugins/board/_api/getAll_v1.ts", ""),
        ("plugins/board/_api/other_v2.js", ""),
        ("plugins/board/cards/_api/list_v1.ts", ""),
        ("plugins/board/_sync/move_server_v1.ts", ""),
        ("plugins/board/_sync/move_client_v1.ts", ""),
        ("plugins/board/_sync/alone_client_v1.ts", ""),
        ("plugins/board/_hooks/preApiExecute.ts", ""),
        ("plugins/board/_hooks/postApiExecute.js", ""),
        ("plugins/board/_py/_api/third_v1.py", ""),
        ("plugins/board/_py/_sync/told_server_v1.py", ""),
        ("plugins/board/_py/_sync/told_client_v1.py", ""),
        ("plugins/board/_py/_hooks/postApiExecute.py", ""),
    ];
    let project = Project::new(&files);
    assert!(injected(&project, "plugins/board", "board", true).iter().all(Result::is_ok));
    assert!(injected(&project, "plugins/board/_py", "board", true).iter().all(Result::is_ok));
    assert!(files.iter().all(|(file, _)| !project.read(file).is_empty()));
    assert_eq!(project.build("board").await.len(), 2);
}

#[test]
fn what_is_not_empty_or_no_handler_is_left_alone() {
    let files = [
        ("plugins/board/_api/getAll_v1.ts", "// mine\n"),
        ("plugins/board/_api/getAll_v1.test.ts", ""),
        ("plugins/board/_api/test_getAll_v1.py", ""),
        ("plugins/board/_api/__init__.py", ""),
        ("plugins/board/_api/types.d.ts", ""),
        ("plugins/board/_api/notes.md", ""),
        ("plugins/board/_hooks/helpers.py", ""),
        ("plugins/board/_functions/geo.ts", ""),
        ("plugins/board/lib/util.ts", ""),
        ("plugins/board/_other/_api/x_v1.ts", ""),
        ("plugins/board/node_modules/p/_api/x_v1.ts", ""),
    ];
    let project = Project::new(&files);
    let before = project.files();
    assert_eq!(injected(&project, "plugins/board", "board", true), []);
    assert_eq!(project.files(), before);
}

#[test]
fn an_empty_file_with_an_invalid_name_is_reported_and_left_empty() {
    let cases = [
        ("plugins/board/_api/getAll.ts", "ends with its version: `getAll_v1`"),
        ("plugins/board/_api/2nd_v1.py", "must begin with a letter"),
        ("plugins/board/_sync/move_v1.ts", "`move_server_v1` or `move_client_v1`"),
        ("plugins/board/_hooks/preApiExcute.ts", "did you mean `preApiExecute`?"),
        ("plugins/board/my page/_api/x_v1.ts", "cannot be the name of a page"),
    ];
    for (file, rule) in cases {
        let project = Project::new(&[(file, "")]);
        let found = injected(&project, "plugins/board", "board", true);
        let [Err(error)] = &found[..] else { panic!("{file}: {found:?}") };
        let path = project.path(file).display().to_string();
        assert!(error.starts_with(&path) && error.contains(rule), "{error}");
        assert_eq!(project.read(file), "");
    }
}

#[test]
fn the_root_service_has_no_pages_to_fill() {
    let project = Project::new(&[("plugins/_api/ping_v1.ts", ""), ("plugins/board/_api/x_v1.ts", "")]);
    assert_eq!(injected(&project, "plugins", "system", false), [Ok("api/system/ping/v1".to_owned())]);
    assert_eq!(project.read("plugins/board/_api/x_v1.ts"), "");
}
