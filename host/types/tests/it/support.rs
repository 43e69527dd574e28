//! Manifests, and the npm packages that check what is generated from them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use luckystack_plugins::Manifest;
use luckystack_types::{File, Options, generate};

pub fn manifest(text: &str) -> Manifest {
    Manifest::parse(text).unwrap_or_else(|error| panic!("{}", error.message))
}

/// Everything that a manifest can say.
pub fn fleet() -> Manifest {
    manifest(include_str!("../fixtures/fleet.json"))
}

/// The manifests of the example plugins, as their components describe themselves.
pub fn examples() -> Vec<Manifest> {
    [
        include_str!("../fixtures/vehicles.json"),
        include_str!("../fixtures/billing.json"),
        include_str!("../fixtures/audit.json"),
        include_str!("../fixtures/functions.json"),
        include_str!("../fixtures/session.json"),
    ]
    .map(manifest)
    .into()
}

pub fn generated(manifests: &[Manifest]) -> Vec<File> {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    generate(&manifests.iter().collect::<Vec<_>>(), &Options::new(at))
}

pub fn text<'f>(files: &'f [File], name: &str) -> &'f str {
    &files.iter().find(|file| file.name == name).expect("the file is generated").content
}

/// Which zod to check with.
#[derive(Clone, Copy, Debug)]
pub enum Zod {
    Three,
    Four,
}

/// A folder of its own in which npm's packages can be imported.
pub struct Workspace {
    dir: PathBuf,
    packages: PathBuf,
}

impl Workspace {
    pub fn new(test: &str, zod: Zod) -> Self {
        let (name, version) = match zod {
            Zod::Three => ("zod3", "zod@3.25.76"),
            Zod::Four => ("zod4", "zod@4.3.6"),
        };
        let packages =
            installed(name, &["typescript@5.9.3", version, "@seriousme/openapi-schema-validator@2.4.1"]);
        // Below the packages, where node and tsc look for them.
        let dir = packages.join("tests").join(test);
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        fs::create_dir_all(&dir).unwrap();
        Workspace { dir, packages }
    }

    pub fn write(&self, name: &str, content: &str) {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn write_all(&self, files: &[File]) {
        for file in files {
            self.write(file.name, &file.content);
        }
    }

    /// What tsc says about every `.ts` file of the folder, at its strictest.
    pub fn type_check(&self) -> Result<(), String> {
        self.write(
            "tsconfig.json",
            r#"{ "compilerOptions": {
                    "strict": true, "target": "es2022", "module": "esnext", "moduleResolution": "bundler",
                    "exactOptionalPropertyTypes": true, "noUncheckedIndexedAccess": true, "noUnusedLocals": true,
                    "noUnusedParameters": true, "noImplicitReturns": true, "noPropertyAccessFromIndexSignature": true,
                    "isolatedModules": true, "skipLibCheck": true, "outDir": "out", "types": []
                }, "include": ["*.ts"] }"#,
        );
        run(&self.dir, &self.packages.join("node_modules/.bin/tsc"), &["--project", ".", "--pretty", "false"])
            .map(drop)
    }

    /// Runs a module that tsc has compiled, and returns what it prints.
    pub fn node(&self, module: &str) -> Result<String, String> {
        self.write("package.json", r#"{ "type": "module" }"#);
        run(&self.dir, Path::new("node"), &[module])
    }
}

fn run(dir: &Path, program: &Path, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).current_dir(dir).output().expect("node is installed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let out = text(&output.stdout);
    if output.status.success() { Ok(out) } else { Err(out + &text(&output.stderr)) }
}

/// The folder of these packages, installed once for all tests and test runs.
fn installed(name: &str, packages: &[&str]) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("types-npm");
    let dir = root.join(name);
    fs::create_dir_all(&dir).unwrap();
    // Freed when the file is closed, by whatever end.
    let lock = fs::File::create(root.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let wanted = packages.join("\n");
    let done = dir.join("installed.txt");
    if fs::read_to_string(&done).is_ok_and(|found| found == wanted) {
        return dir;
    }
    fs::write(dir.join("package.json"), "{ \"private\": true }\n").unwrap();
    let mut args =
        vec!["install", "--no-audit", "--no-fund", "--no-progress", "--save-exact", "--ignore-scripts"];
    args.extend(packages);
    run(&dir, Path::new("npm"), &args).unwrap_or_else(|error| panic!("npm install failed: {error}"));
    fs::write(done, wanted).unwrap();
    dir
}
