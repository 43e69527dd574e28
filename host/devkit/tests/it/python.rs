//! Python plugins, built with the machine's own Python and componentize-py.

use std::fs;
use std::io::Read;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::support::{Kept, Sources};
use luckystack_devkit::{
    BuildError, BuildRequest, Freshness, Language, Quiet, Staleness, Toolchain, freshness,
};
use tokio::sync::OnceCell;
use wit_component::DecodedWasm;

/// The toolchain, installed if need be, once for all tests.
async fn toolchain() -> &'static Toolchain {
    static TOOLCHAIN: OnceCell<Toolchain> = OnceCell::const_new();
    TOOLCHAIN
        .get_or_init(|| async {
            let found = Toolchain::find_or_install(Language::Python, &Kept::default()).await;
            found.unwrap_or_else(|error| panic!("{error}"))
        })
        .await
}

fn request(sources: &Sources) -> BuildRequest {
    BuildRequest {
        language: Language::Python,
        service: "weather".into(),
        name: "weather".into(),
        ..sources.request("")
    }
}

const HANDLER: &str = "from dataclasses import dataclass\n\
    from luckystack import api\n\n\
    @dataclass\nclass Greet:\n    name: str\n\n\
    @api\ndef greet(input: Greet) -> str:\n    return f\"hello, {input.name}\"\n";

/// What a component imports and exports.
fn interfaces(component: &[u8]) -> (Vec<String>, Vec<String>) {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component).unwrap() else {
        panic!("this is a WIT package, not a component");
    };
    let world = &resolve.worlds[world];
    let names = |items: Vec<_>| items.into_iter().map(|key| resolve.name_world_key(key)).collect();
    (names(world.imports.keys().collect()), names(world.exports.keys().collect()))
}

#[tokio::test]
async fn decorated_functions_become_a_component_that_exports_just_what_it_needs() {
    let sources = Sources::new()
        .file("greet.py", HANDLER)
        .file("pyproject.toml", "[project]\nname = \"weather\"\nversion = \"1.2.0\"\n");
    let request = request(&sources);
    let kept = Kept::default();
    let built = toolchain().await.build(&request, &kept).await.unwrap();
    assert_eq!(built.component, sources.path("out/weather.wasm"));
    assert_eq!(*kept.events.lock().unwrap(), ["compiling weather", "encoding weather", "built weather"]);

    let bytes = fs::read(&built.component).unwrap();
    assert_eq!(bytes.len() as u64, built.bytes);
    let (imports, exports) = interfaces(&bytes);
    // The interface `exports` is componentize-py's own.
    assert_eq!(exports, ["exports", "luckystack:plugin/plugin@0.1.0", "luckystack:plugin/api@0.1.0"]);
    for asks_for_a_grant in
        ["wasi:keyvalue", "wasi:http", "luckystack:plugin/accounts", "luckystack:plugin/uploads"]
    {
        assert!(!imports.iter().any(|name| name.starts_with(asks_for_a_grant)), "{imports:?}");
    }

    // The author's folder holds what it held before.
    assert!(!sources.path("__pycache__").exists());
    assert_eq!(freshness(&request, &built.component).unwrap(), Freshness::Fresh);
    sources.save("_api/more_v1.py", HANDLER);
    assert_eq!(
        freshness(&request, &built.component).unwrap(),
        Freshness::Stale(Staleness::Changed(sources.path("_api/more_v1.py")))
    );
}

#[tokio::test]
async fn importing_accounts_and_uploads_asks_for_their_grants() {
    let uses = "from luckystack import accounts, uploads\n\n".to_owned() + HANDLER;
    let sources = Sources::new().file("greet.py", &uses);
    let built = toolchain().await.build(&request(&sources), &Quiet).await.unwrap();
    let (imports, _) = interfaces(&fs::read(&built.component).unwrap());
    for name in ["luckystack:plugin/accounts@0.1.0", "luckystack:plugin/uploads@0.1.0"] {
        assert!(imports.iter().any(|import| import == name), "{imports:?}");
    }
}

#[tokio::test]
async fn mistakes_are_shown_as_python_says_them_and_the_old_component_stays() {
    let sources = Sources::new().file("greet.py", HANDLER).file("out/weather.wasm", "old");
    let request = request(&sources);
    let build = async || toolchain().await.build(&request, &Kept::default()).await.unwrap_err().to_string();

    sources.save("greet.py", "def greet(:\n    pass\n");
    let error = build().await;
    assert!(error.starts_with("weather: compiling failed (exit status: 1)\n"), "{error}");
    assert!(error.contains("greet.py\", line 1\n    def greet(:\n"), "{error}");
    assert!(error.contains("SyntaxError: "), "{error}");

    sources.save("greet.py", &HANDLER.replace("name: str", "name: complex"));
    let error = build().await;
    assert!(error.contains("greet.py\", line 8, in greet\n    def greet(input: Greet) -> str:\n"), "{error}");
    assert!(error.contains("parameter `input`: Greet.name: the type complex is not supported"), "{error}");

    sources.save("pyproject.toml", "[project\n");
    let error = build().await;
    assert!(error.contains("pyproject.toml: "), "{error}");
    assert_eq!(fs::read(sources.path("out/weather.wasm")).unwrap(), b"old");
}

/// A wheel with one module, as pip wants it.
fn wheel(folder: &Path, name: &str, tag: &str) {
    let dir = tempfile::tempdir().unwrap();
    let info = dir.path().join(format!("{name}-1.0.dist-info"));
    fs::create_dir(&info).unwrap();
    fs::write(dir.path().join(format!("{name}.py")), "ANSWER = 42\n").unwrap();
    fs::write(info.join("METADATA"), format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")).unwrap();
    fs::write(info.join("WHEEL"), format!("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"))
        .unwrap();
    fs::write(info.join("RECORD"), "").unwrap();
    fs::create_dir_all(folder).unwrap();
    let made = std::process::Command::new("python3")
        .args(["-m", "zipfile", "-c"])
        .arg(folder.join(format!("{name}-1.0-{tag}.whl")))
        .args([format!("{name}.py"), format!("{name}-1.0.dist-info")])
        .current_dir(dir.path())
        .status();
    assert!(made.unwrap().success());
}

#[tokio::test]
async fn packages_in_pure_python_are_part_of_the_component_and_others_are_refused() {
    let handler = format!("import tiny\n{}", HANDLER.replace("{input.name}", "{tiny.ANSWER}"));
    let sources = Sources::new()
        .file("greet.py", &handler)
        .file("requirements.txt", "--no-index\n--find-links wheels\ntiny\n");
    wheel(&sources.path("wheels"), "tiny", "py3-none-any");
    wheel(&sources.path("wheels"), "compiled", "cp314-cp314-manylinux_2_17_x86_64");
    let request = request(&sources);
    toolchain().await.build(&request, &Quiet).await.unwrap();

    // Nothing is installed twice: the wheel may be gone.
    fs::remove_file(sources.path("wheels/tiny-1.0-py3-none-any.whl")).unwrap();
    sources.save("greet.py", "import tiny\nprint(tiny.ANSWER, undefined)\n");
    let error = toolchain().await.build(&request, &Quiet).await.unwrap_err().to_string();
    assert!(error.contains("name 'undefined' is not defined"), "{error}");

    sources.save("requirements.txt", "--no-index\n--find-links wheels\ncompiled\n");
    let error = toolchain().await.build(&request, &Quiet).await.unwrap_err().to_string();
    assert!(error.contains("No matching distribution found for compiled"), "{error}");
    assert!(error.contains("Only packages in pure Python"), "{error}");
}

#[tokio::test]
async fn dropping_the_build_ends_python() {
    let sources = Sources::new();
    let socket = sources.path("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    // A module that says that it is being loaded and then waits for an answer that never comes.
    sources.save(
        "endless.py",
        &format!(
            "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect({socket:?})\ns.send(b'x')\ns.recv(1)\n"
        ),
    );
    let request = request(&sources);
    let toolchain = toolchain().await;
    let building = tokio::spawn(async move { toolchain.build(&request, &Quiet).await });
    let mut stream = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0]).unwrap();
        stream
    })
    .await
    .unwrap();
    building.abort();
    assert!(building.await.unwrap_err().is_cancelled());
    // Python holds the other end; it closes when, and only when, Python is gone.
    let end = tokio::task::spawn_blocking(move || stream.read(&mut [0])).await.unwrap();
    assert_eq!(end.unwrap(), 0);
}

#[tokio::test]
async fn a_folder_without_decorated_functions_says_so() {
    let sources = Sources::new().file("helpers.py", "X = 1\n");
    let error = toolchain().await.build(&request(&sources), &Quiet).await.unwrap_err();
    assert!(matches!(error, BuildError::Compile { .. }));
    assert!(error.to_string().contains("no decorated function was found"), "{error}");
}
