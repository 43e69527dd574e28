//! Running the compiler and the linker.

use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::Mutex;

use super::SDK;
use super::find::CToolchain;
use super::manifest::Plugin;
use crate::error::BuildError;
use crate::language::BuildRequest;
use crate::process::{self, Line};
use crate::progress::{Event, Progress};
use crate::sdk;

/// How every file is compiled.
pub(crate) const COMPILE: [&str; 6] =
    ["--target=wasm32-wasi", "-std=gnu17", "-O2", "-g0", "-ffunction-sections", "-fdata-sections"];
/// How a plugin is linked: without a `main`, with a stack of 256 KiB (a reader 127 levels deep needs a tenth).
pub(crate) const LINK: [&str; 5] =
    ["--target=wasm32-wasi", "-O2", "-mexec-model=reactor", "-Wl,--no-entry", "-Wl,-z,stack-size=262144"];

/// Compilers at once, for one plugin.
const JOBS: usize = 4;

/// Two plugins at once would both compile the SDK.
static COMPILING_SDK: Mutex<()> = Mutex::const_new(());

/// A compiler with the SDK at hand, for one build.
pub(crate) struct Compiler<'a> {
    toolchain: &'a CToolchain,
    name: &'a str,
    progress: &'a dyn Progress,
    /// The target folder, as an absolute path.
    pub(crate) target: PathBuf,
    /// Where the SDK's files are.
    sdk: PathBuf,
    /// Where its objects are.
    objects: PathBuf,
}

/// A plugin's own files, compiled.
pub(crate) struct Compiled {
    pub(crate) objects: Vec<PathBuf>,
    /// Every file that was read, but for those of the C library.
    pub(crate) inputs: Vec<PathBuf>,
}

/// What one run of a tool printed, and how it ended.
struct Ran {
    status: std::process::ExitStatus,
    output: String,
}

impl<'a> Compiler<'a> {
    /// Unpacks and compiles the SDK where that has not been done yet.
    pub(crate) async fn new(
        toolchain: &'a CToolchain,
        request: &'a BuildRequest,
        progress: &'a dyn Progress,
    ) -> Result<Self, BuildError> {
        let io = |action, path: &Path| BuildError::io(&request.name, action, path.to_owned());
        let target = std::path::absolute(&request.target_dir).map_err(io("find", &request.target_dir))?;
        let sdk = sdk::unpack(&target, "c-sdk", &[("", SDK)]).map_err(io("unpack the SDK to", &target))?;
        let name = format!("c-objects-{}-{}", sdk::digest(&[SDK]), toolchain.key());
        let objects = target.join("luckystack").join(name);
        let compiler = Self { toolchain, name: &request.name, progress, target, sdk, objects };
        compiler.compile_sdk().await?;
        Ok(compiler)
    }

    async fn compile_sdk(&self) -> Result<(), BuildError> {
        let _alone = COMPILING_SDK.lock().await;
        if self.objects.is_dir() {
            return Ok(());
        }
        let parent = self.target.join("luckystack");
        let made = tempfile::Builder::new().prefix(".compiling-").tempdir_in(&parent);
        let made = made.map_err(BuildError::io(self.name, "create a folder in", &parent))?;
        let files: Vec<&str> = SDK.iter().map(|(path, _)| *path).filter(|path| is_compiled(path)).collect();
        let commands = files.iter().map(|file| {
            let mut command = self.compiler(&self.sdk);
            command.arg("-c").arg(file).arg("-Iinclude").arg("-o").arg(made.path().join(object_name(file)));
            command
        });
        self.run_all(commands.collect()).await?;
        crate::install::put_in_place(&made.keep(), &self.objects).map_err(BuildError::io(
            self.name,
            "write",
            &self.objects,
        ))
    }

    /// The object of one of the SDK's files.
    pub(crate) fn sdk_object(&self, file: &str) -> PathBuf {
        self.objects.join(object_name(file))
    }

    /// Compiles the plugin's own files and what was made from its `plugin.json`.
    pub(crate) async fn plugin(
        &self,
        dir: &Path,
        work: &Path,
        sources: &[PathBuf],
    ) -> Result<Compiled, BuildError> {
        let mut commands = Vec::new();
        let mut objects = Vec::new();
        for (n, source) in sources.iter().enumerate() {
            let object = work.join(format!("{n}.o"));
            let mut command = self.compiler(dir);
            // As the author knows it: messages repeat it.
            command
                .args(["-Wall", "-Wno-missing-field-initializers", "-MMD", "-MF"])
                .arg(work.join(format!("{n}.d")));
            command.arg("-include").arg(work.join("plugin_json.h"));
            command.arg("-I").arg(self.sdk.join("include")).arg("-I.").arg("-Iinclude");
            command.arg("-c").arg(source.strip_prefix(dir).unwrap_or(source)).arg("-o").arg(&object);
            commands.push(command);
            objects.push(object);
        }
        let table = work.join("plugin.o");
        let mut command = self.compiler(work);
        command.arg("-I").arg(self.sdk.join("include")).arg("-I").arg(self.sdk.join("src"));
        command.args(["-c", "plugin.c", "-o"]).arg(&table);
        commands.push(command);
        objects.push(table);
        self.run_all(commands).await?;

        let mut inputs = Vec::new();
        for (n, source) in sources.iter().enumerate() {
            let path = work.join(format!("{n}.d"));
            let text = std::fs::read_to_string(&path).map_err(BuildError::io(self.name, "read", &path))?;
            let read = dependencies(&text).into_iter().map(|path| dir.join(path));
            inputs.push(source.clone());
            // Its own files change with the settings, and those made from plugin.json with that.
            inputs.extend(read.filter(|path| !path.starts_with(&self.target)));
        }
        inputs.sort();
        inputs.dedup();
        Ok(Compiled { objects, inputs })
    }

    /// Links objects into a core module.
    pub(crate) async fn link(
        &self,
        dir: &Path,
        objects: &[PathBuf],
        module: &Path,
        plugin: &Plugin,
    ) -> Result<(), BuildError> {
        let mut command = self.toolchain.command(dir, &self.target);
        command.args(LINK).arg(self.colour()).args(objects).arg("-o").arg(module);
        let ran = self.run(command).await?;
        if !ran.status.success() {
            let output = ran.output.trim_end();
            let output = format!("{output}{}", plugin.remedies(output));
            return Err(BuildError::Compile {
                plugin: self.name.to_owned(),
                status: ran.status.to_string(),
                output,
            });
        }
        self.show(&ran.output);
        Ok(())
    }

    fn compiler(&self, dir: &Path) -> Command {
        let mut command = self.toolchain.command(dir, &self.target);
        command.args(COMPILE).arg(self.colour());
        command
    }

    fn colour(&self) -> &'static str {
        if self.progress.colour() { "-fdiagnostics-color=always" } else { "-fdiagnostics-color=never" }
    }

    /// Runs compilers side by side. What all of them say is shown; one error is enough to fail.
    async fn run_all(&self, commands: Vec<Command>) -> Result<(), BuildError> {
        use futures::StreamExt;
        let runs = commands.into_iter().map(|command| self.run(command));
        let ran: Vec<_> = futures::stream::iter(runs).buffered(JOBS).collect().await;
        let mut failed: Option<(String, String)> = None;
        for ran in ran {
            let ran = ran?;
            match &mut failed {
                _ if ran.status.success() => self.show(&ran.output),
                Some((_, output)) => output.push_str(&ran.output),
                None => failed = Some((ran.status.to_string(), ran.output)),
            }
        }
        match failed {
            Some((status, output)) => {
                Err(BuildError::Compile { plugin: self.name.to_owned(), status, output })
            }
            None => Ok(()),
        }
    }

    async fn run(&self, command: Command) -> Result<Ran, BuildError> {
        let mut output = String::new();
        let status = process::run(command, |line| {
            let (Line::Out(text) | Line::Err(text)) = line;
            output.push_str(&text);
            output.push('\n');
        });
        let status = status.await.map_err(|source| BuildError::Run {
            plugin: self.name.to_owned(),
            program: self.toolchain.program().to_owned(),
            source,
        })?;
        Ok(Ran { status, output })
    }

    /// Warnings.
    fn show(&self, output: &str) {
        if !output.trim().is_empty() {
            self.progress.event(Event::Output { text: output.trim_end() });
        }
    }
}

/// The files that are compiled by themselves: the generated bindings are included by those of `src/`.
fn is_compiled(path: &str) -> bool {
    path.ends_with(".c") && (path.starts_with("src/") || path.ends_with("_component_type.c"))
}

fn object_name(file: &str) -> String {
    format!("{}.o", file.trim_end_matches(".c").replace('/', "-"))
}

/// The files in a dependency file as make reads it: `target: file file\ with\ spaces \`.
fn dependencies(text: &str) -> Vec<PathBuf> {
    let text = text.split_once(": ").map_or("", |(_, files)| files);
    let mut found = Vec::new();
    let mut file = String::new();
    let mut bytes = text.chars().peekable();
    while let Some(c) = bytes.next() {
        match (c, bytes.peek()) {
            ('\\', Some(&next @ (' ' | '#'))) => {
                file.push(next);
                bytes.next();
            }
            ('$', Some('$')) => {
                file.push('$');
                bytes.next();
            }
            ('\\', Some('\n' | '\r')) => {}
            (' ' | '\n' | '\r', _) => {
                if !file.is_empty() {
                    found.push(PathBuf::from(std::mem::take(&mut file)));
                }
            }
            _ => file.push(c),
        }
    }
    if !file.is_empty() {
        found.push(PathBuf::from(file));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_file_is_read_as_make_reads_it() {
        let text = "/out/0.o: units.c \\\n  my\\ table.h sub/a$$b.h \\\n  c\\#.h\n";
        assert_eq!(dependencies(text), ["units.c", "my table.h", "sub/a$b.h", "c#.h"].map(PathBuf::from));
        assert!(dependencies("").is_empty());
    }
}
