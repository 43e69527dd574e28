use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// A machine: fake sysroots and PATH folders in a temporary folder.
struct Machine {
    root: tempfile::TempDir,
    probes: Probes,
}

const HOST: &str = "x86_64-unknown-linux-gnu";

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let bin = root.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let probes = Probes { path: vec![bin], ..Probes::default() };
        Self { root, probes }.file("bin/cargo")
    }

    fn file(self, path: &str) -> Self {
        self.text(path, "")
    }

    fn text(self, path: &str, text: &str) -> Self {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A compiler whose sysroot is the folder `name`; the first one is cargo's.
    fn compiler(mut self, name: &str, version: &str) -> Self {
        self.probes.compilers.push(Compiler {
            rustc: self.root.path().join(name).join("bin/rustc"),
            is_cargos: self.probes.compilers.is_empty(),
            version: version.to_owned(),
            host: HOST.to_owned(),
            sysroot: self.root.path().join(name),
        });
        self
    }

    fn choose(mut self) -> Result<String, String> {
        self.probes.cargo = on_path(&self.probes.path, "cargo");
        let root = format!("{}/", self.root.path().display());
        match choose(&self.probes) {
            Ok(RustToolchain::Prebuilt { rustc: None, .. }) => Ok("prebuilt".to_owned()),
            Ok(RustToolchain::Prebuilt { rustc: Some(rustc), .. }) => {
                Ok(format!("prebuilt with {}", rustc.display()))
            }
            Ok(RustToolchain::BuildStd { rustc, linker, .. }) => {
                Ok(format!("{} builds std, {} links", rustc.display(), linker.display()))
            }
            Err(tried) => Err(tried.iter().map(|one| format!("{}: {}\n", one.what, one.result)).collect()),
        }
        .map(|text| text.replace(&root, ""))
        .map_err(|text: String| text.replace(&root, ""))
    }
}

const STD: &str = "lib/rustlib/wasm32-unknown-unknown/lib/libstd-0123.rlib";
const SOURCES: &str = "lib/rustlib/src/rust/library/Cargo.lock";
const VERSION: &str = "lib/rustlib/src/rust/src/version";
const LLD: &str = "lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld";

#[test]
fn the_target_in_the_sysroot_of_cargos_compiler_comes_first() {
    let machine = Machine::new()
        .compiler("rustup", "1.95.0")
        .compiler("usr", "1.96.0")
        .file(&format!("rustup/{STD}"))
        .file(&format!("usr/{STD}"))
        .file(&format!("usr/{SOURCES}"));
    assert_eq!(machine.choose().unwrap(), "prebuilt");
}

#[test]
fn a_distributions_target_comes_before_building_the_standard_library() {
    let machine = Machine::new()
        .compiler("rustup", "1.95.0")
        .compiler("usr", "1.96.0")
        .file(&format!("rustup/{SOURCES}"))
        .file(&format!("rustup/{LLD}"))
        .file(&format!("usr/{STD}"));
    assert_eq!(machine.choose().unwrap(), "prebuilt with usr/bin/rustc");
}

#[test]
fn debians_compiler_builds_std_and_the_linker_comes_from_rustup() {
    let machine = Machine::new()
        .compiler("rustup", "1.95.0")
        .compiler("usr", "1.96.0")
        .file(&format!("rustup/{LLD}"))
        .file(&format!("usr/{SOURCES}"))
        .text(&format!("usr/{VERSION}"), "1.96.0\n");
    let expected = format!("usr/bin/rustc builds std, rustup/{LLD} links");
    assert_eq!(machine.choose().unwrap(), expected);
}

#[test]
fn the_compilers_own_linker_is_preferred_and_one_on_the_path_is_the_last_resort() {
    let sources = |machine: Machine| machine.compiler("usr", "1.96.0").file(&format!("usr/{SOURCES}"));
    let cases: [(&[&str], &str); 3] = [
        (&[&format!("usr/{LLD}"), "bin/rust-lld", "bin/wasm-ld"], &format!("usr/{LLD}")),
        (&["bin/rust-lld", "bin/wasm-ld"], "bin/rust-lld"),
        (&["bin/wasm-ld"], "bin/wasm-ld"),
    ];
    for (files, linker) in cases {
        let machine = files.iter().fold(sources(Machine::new()), |machine, file| machine.file(file));
        assert_eq!(machine.choose().unwrap(), format!("usr/bin/rustc builds std, {linker} links"));
    }
}

#[test]
fn an_interrupted_installation_of_the_target_does_not_count() {
    let machine = Machine::new()
        .compiler("rustup", "1.95.0")
        .file("rustup/lib/rustlib/wasm32-unknown-unknown/lib/libcore-0123.rlib");
    let error = machine.choose().unwrap_err();
    assert!(error.contains("no wasm32-unknown-unknown in rustup"), "{error}");
}

#[test]
fn sources_of_another_version_are_refused_with_both_versions() {
    let machine = Machine::new()
        .compiler("usr", "1.96.0")
        .file(&format!("usr/{SOURCES}"))
        .file(&format!("usr/{LLD}"))
        .text(&format!("usr/{VERSION}"), "1.85.0\n");
    let error = machine.choose().unwrap_err();
    assert!(error.contains("(1.96.0)") && error.contains("are of version 1.85.0"), "{error}");
}

#[test]
fn a_linker_that_points_to_nothing_is_passed_over_and_named() {
    let machine = Machine::new().compiler("usr", "1.96.0").file(&format!("usr/{SOURCES}"));
    symlink("lld-22", machine.root.path().join("bin/rust-lld")).unwrap();
    let error = machine.choose().unwrap_err();
    assert!(error.contains("its linker bin/rust-lld points to a program that is not installed"), "{error}");
}

#[test]
fn every_compiler_that_was_looked_at_is_named_with_its_reason() {
    let machine =
        Machine::new().compiler("rustup", "1.95.0").compiler("usr", "1.96.0").file(&format!("usr/{SOURCES}"));
    assert_eq!(
        machine.choose().unwrap_err(),
        "rustup/bin/rustc (1.95.0): no wasm32-unknown-unknown in rustup, and no sources of the \
         standard library in rustup/lib/rustlib/src/rust\n\
         usr/bin/rustc (1.96.0): no wasm32-unknown-unknown in usr, and no linker for WebAssembly was \
         found (rust-lld or wasm-ld)\n"
    );
}

#[test]
fn no_cargo_and_no_compiler_are_named() {
    let machine = Machine::new();
    fs::remove_file(machine.root.path().join("bin/cargo")).unwrap();
    assert_eq!(machine.choose().unwrap_err(), "cargo: not on the PATH\n");
    let error = Machine::new().choose().unwrap_err();
    assert_eq!(error, "rustc: neither on the PATH nor at /usr/bin/rustc\n");
}
