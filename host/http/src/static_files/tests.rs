use std::fs;

use http_body_util::BodyExt;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::body::ReplyBody;
use crate::lifecycle::Registry;

/// A folder `public` with files, beside a file that nobody may read.
fn folder() -> (TempDir, StaticFiles) {
    let dir = tempfile::tempdir().unwrap();
    let public = dir.path().join("public");
    fs::create_dir_all(public.join("assets/deep")).unwrap();
    fs::write(dir.path().join("secret.js"), "secret").unwrap();
    for (name, text) in [
        ("index.html", "index"),
        ("logo.svg", "logo"),
        ("server.js", "server"),
        ("app.js", "app"),
        ("app.js.map", "map"),
        ("notes.txt", "notes"),
        (".hidden.js", "hidden"),
        ("assets/a.css", "css"),
        ("assets/deep/b.woff2", "font"),
        ("assets/plain", "plain"),
        ("assets/c.js.map", "map"),
    ] {
        fs::write(public.join(name), text).unwrap();
    }
    fs::write(public.join("assets/large.bin"), vec![7u8; 200_000]).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("../secret.js", public.join("leak.js")).unwrap();
        symlink("..", public.join("assets/up")).unwrap();
        symlink("../..", public.join("assets/out")).unwrap();
        symlink("app.js", public.join("alias.js")).unwrap();
    }
    let files = StaticFiles::open(&public).unwrap();
    (dir, files)
}

async fn body_of(answer: Answer) -> Bytes {
    let guard = Registry::new().register(1).state.begin(false);
    ReplyBody::new(answer.content, false, guard).collect().await.unwrap().to_bytes()
}

async fn get(files: &StaticFiles, path: &str) -> (u16, Option<String>, Bytes) {
    let answer = files.serve(path, &HeaderMap::new()).await;
    let kind = answer.content_type.as_ref().map(|value| value.to_str().unwrap().to_owned());
    (answer.status.as_u16(), kind, body_of(answer).await)
}

#[tokio::test]
async fn files_are_served_by_the_rules_of_the_protocol() {
    let (_dir, files) = folder();
    let cases: &[(&str, Option<(&str, &str)>)] = &[
        ("/", Some(("index", "text/html; charset=utf-8"))),
        ("/any/page", Some(("index", "text/html; charset=utf-8"))),
        ("/index.html", Some(("index", "text/html; charset=utf-8"))),
        ("/logo.svg", Some(("logo", "image/svg+xml"))),
        ("/app.js", Some(("app", "text/javascript; charset=utf-8"))),
        ("/alias.js", Some(("app", "text/javascript; charset=utf-8"))),
        ("/assets/a.css", Some(("css", "text/css; charset=utf-8"))),
        ("/assets/deep/b.woff2", Some(("font", "font/woff2"))),
        ("/assets/plain", Some(("plain", "application/octet-stream"))),
        ("/assets/up/app.js", Some(("app", "text/javascript; charset=utf-8"))),
        ("/server.js", None),
        ("/app.js.map", None),
        ("/assets/c.js.map", None),
        ("/notes.txt", None),
        ("/deep/app.js", None),
        ("/missing.js", None),
        ("/assets/missing.js", None),
        ("/assets/", None),
        ("/assets/deep", None),
        ("/assets/../app.js", None),
        ("/assets/../../secret.js", None),
        ("/../secret.js", None),
        ("/..\\secret.js", None),
        ("/assets//a.css", None),
        ("/assets/a.css\0", None),
        ("/leak.js", None),
        ("/assets/out/secret.js", None),
        ("/.hidden.js", None),
        ("//etc/hostname.js", None),
        ("*", None),
    ];
    for (path, expected) in cases {
        let (status, kind, body) = get(&files, path).await;
        match expected {
            Some((text, content_type)) => {
                assert_eq!(
                    (status, kind.as_deref(), &*body),
                    (200, Some(*content_type), text.as_bytes()),
                    "{path}"
                );
            }
            None => assert_eq!((status, &*body), (404, &b"Not Found"[..]), "{path}"),
        }
    }
}

#[tokio::test]
async fn a_large_file_comes_in_pieces_and_whole() {
    let (_dir, files) = folder();
    let (status, _, body) = get(&files, "/assets/large.bin").await;
    assert_eq!((status, body.len()), (200, 200_000));
    assert!(body.iter().all(|byte| *byte == 7));
}

#[tokio::test]
async fn a_client_that_has_the_file_is_told_so() {
    let (_dir, files) = folder();
    let first = files.serve("/app.js", &HeaderMap::new()).await;
    let etag = first.headers.iter().find(|(name, _)| name == ETAG).unwrap().1.clone();
    for (known, status) in [
        (etag.to_str().unwrap().to_owned(), 304),
        (format!("\"x\", {}", etag.to_str().unwrap()), 304),
        ("*".to_owned(), 304),
        ("\"x\"".to_owned(), 200),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, HeaderValue::from_str(&known).unwrap());
        assert_eq!(files.serve("/app.js", &headers).await.status.as_u16(), status, "{known}");
    }
}

#[tokio::test]
async fn the_icon_is_served_only_where_there_is_one() {
    let (dir, files) = folder();
    assert!(files.favicon(&HeaderMap::new()).await.is_none());
    fs::write(dir.path().join("public/favicon.ico"), "icon").unwrap();
    let icon = files.favicon(&HeaderMap::new()).await.unwrap();
    assert_eq!(icon.content_type.as_ref().unwrap(), "image/x-icon");
}

#[test]
fn a_missing_folder_is_named() {
    let message = StaticFiles::open(Path::new("no/such/folder")).unwrap_err().to_string();
    assert!(message.contains("no/such/folder") && message.contains("paths.public"), "{message}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_is_not_a_file() {
    let (dir, files) = folder();
    let pipe = dir.path().join("public/assets/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(get(&files, "/assets/pipe").await.0, 404);
}

proptest! {
    #[test]
    fn nothing_outside_the_folder_is_ever_read(
        parts in proptest::collection::vec("(\\.\\.|\\.|assets|up|out|leak\\.js|secret\\.js|app\\.js|[ -~]{0,5}|\\PC{0,3})", 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_dir, files) = folder();
            let path = format!("/{}", parts.join("/"));
            let (status, _, body) = get(&files, &path).await;
            prop_assert!(matches!(status, 200 | 404));
            prop_assert_ne!(&*body, b"secret");
            Ok(())
        })?;
    }
}
