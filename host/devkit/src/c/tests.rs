use super::*;

#[test]
fn the_whole_sdk_is_embedded() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/c"));
    for folder in ["generated", "include", "src"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let below = path.strip_prefix(root).unwrap().to_str().unwrap();
            let is_source = below.ends_with(".c") || below.ends_with(".h");
            assert!(!is_source || SDK.iter().any(|(path, _)| *path == below), "{below} is not in SDK");
        }
    }
}

#[test]
fn the_generated_bindings_are_those_of_the_contract() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut sha = Sha256::new();
    for (path, text) in sdk::WIT {
        // They are listed in the order of their paths, which is that of the script.
        assert!(root.join("wit").join(path).is_file());
        sha.update(text);
    }
    let digest: String = sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let kept = std::fs::read_to_string(root.join("sdk/c/generated/WIT_SHA256")).unwrap();
    assert_eq!(kept.trim(), digest, "wit/ changed: run sdk/c/regenerate.sh");
}

#[test]
fn c_files_of_the_folder_and_of_src_are_sources() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("src/deeper")).unwrap();
    for file in ["b.c", "a.c", ".#a.c", "a.h", "src/c.c", "src/deeper/d.c", "notes.txt"] {
        std::fs::write(dir.path().join(file), "").unwrap();
    }
    let found: Vec<_> = sources(dir.path())
        .unwrap()
        .iter()
        .map(|path| path.strip_prefix(dir.path()).unwrap().to_owned())
        .collect();
    assert_eq!(found, ["a.c", "b.c", "src/c.c"].map(PathBuf::from));
}
