//! A folder with an application in it, made for one test and gone after it.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{backend, kestrel};

/// Files above this size are linked, not copied: no test writes into them.
const LINKED: u64 = 256 * 1024;

/// An application's folder, and what `ancm` needs in its environment to run it.
#[derive(Debug)]
pub(crate) struct App {
    folder: Arc<TempDir>,
    attributes: Vec<(String, String)>,
    variables: Vec<(String, String)>,
    handler_settings: Vec<(String, String)>,
    body_limit: Option<u64>,
    /// Where .NET is, if the application needs it.
    dotnet: Option<PathBuf>,
}

// === impl App ===

impl App {
    /// A folder with nothing in it.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("ancm test ").tempdir().expect("a temporary folder");
        let folder = Arc::new(folder);
        Self {
            folder,
            attributes: Vec::new(),
            variables: Vec::new(),
            handler_settings: Vec::new(),
            body_limit: None,
            dotnet: None,
        }
    }

    /// An unchanged copy of one of the real applications; None if they are not at hand.
    pub(crate) fn kestrel(name: &str) -> Option<Self> {
        let from = kestrel()?;
        let mut app = Self::empty();
        copy(&from.join(name), app.root());
        app.dotnet = Some(from.join("dotnet"));
        Some(app)
    }

    /// A copy of `site`; its web.config can be changed by the methods below.
    pub(crate) fn site() -> Option<Self> {
        let mut app = Self::kestrel("site")?;
        app.attributes = vec![
            ("processPath".into(), "dotnet".into()),
            ("arguments".into(), r".\Site.dll".into()),
            ("stdoutLogFile".into(), r".\logs\stdout".into()),
            ("hostingModel".into(), "outofprocess".into()),
        ];
        // By default it prints eight lines for each request.
        Some(app.variable("Logging__LogLevel__Microsoft.AspNetCore", "Warning"))
    }

    /// The C# of `tests/apps/wire`, compiled now; None if there is no compiler at hand.
    pub(crate) fn wire() -> Option<Self> {
        let kestrel = kestrel()?;
        let mut app = Self::empty();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/wire");
        #[expect(clippy::disallowed_methods, reason = "a compiler, which ends by itself")]
        let mut compile = Command::new(kestrel.join("compile"));
        let compiled = compile.arg(source).arg(app.root()).arg("Wire").output().expect("it starts");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stdout));
        app.dotnet = Some(kestrel.join("dotnet"));
        Some(app.attribute("processPath", "dotnet").attribute("arguments", r".\Wire.dll"))
    }

    /// The backend of [`backend`], which needs nothing installed and does what the orders say.
    pub(crate) fn misbehaving(orders: &str) -> Self {
        Self::empty()
            .attribute("processPath", &backend::program().display().to_string())
            .attribute("arguments", backend::ARGUMENTS)
            .variable(backend::ORDERS, orders)
    }

    /// Sets an attribute of `aspNetCore`.
    pub(crate) fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.retain(|(other, _)| other != name);
        self.attributes.push((name.into(), value.into()));
        self.written()
    }

    /// Gives the application an environment variable through web.config.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self.written()
    }

    /// Adds a `handlerSetting`.
    pub(crate) fn handler_setting(mut self, name: &str, value: &str) -> Self {
        self.handler_settings.push((name.into(), value.into()));
        self.written()
    }

    /// Sets `maxAllowedContentLength`.
    pub(crate) fn body_limit(mut self, bytes: u64) -> Self {
        self.body_limit = Some(bytes);
        self.written()
    }

    /// Puts more into the `system.webServer` of the web.config that is there.
    pub(crate) fn section(self, xml: &str) -> Self {
        let text = fs::read_to_string(self.path("web.config")).expect("it was written");
        let (before, after) = text.split_once("</system.webServer>").expect("it has one");
        self.write("web.config", format!("{before}{xml}</system.webServer>{after}"));
        self
    }

    fn written(self) -> Self {
        let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let mut attributes = String::new();
        for (name, value) in &self.attributes {
            let _ = write!(attributes, " {name}=\"{}\"", escape(value));
        }
        let mut variables = String::new();
        for (name, value) in &self.variables {
            let value = escape(value);
            let _ = write!(variables, "<environmentVariable name=\"{name}\" value=\"{value}\" />");
        }
        let mut settings = String::new();
        for (name, value) in &self.handler_settings {
            let _ = write!(settings, "<handlerSetting name=\"{name}\" value=\"{}\" />", escape(value));
        }
        let limit = self.body_limit.map(|limit| {
            format!(
                "<security><requestFiltering><requestLimits maxAllowedContentLength=\"{limit}\" />\
                 </requestFiltering></security>"
            )
        });
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<configuration><system.webServer>\
             <aspNetCore{attributes}><environmentVariables>{variables}</environmentVariables>\
             <handlerSettings>{settings}</handlerSettings></aspNetCore>{}</system.webServer></configuration>\n",
            limit.unwrap_or_default()
        );
        self.write("web.config", text);
        self
    }

    /// Keeps the folder there for as long as something runs in it.
    pub(crate) fn keep(&self) -> Arc<TempDir> {
        Arc::clone(&self.folder)
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Writes a file, folders above it included.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    /// Sets one of the `configProperties` in `Site.runtimeconfig.json`.
    pub(crate) fn configure_runtime(&self, property: &str, value: bool) {
        let file = self.path("Site.runtimeconfig.json");
        let mut json: Value = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
        json["runtimeOptions"]["configProperties"][property] = value.into();
        fs::write(file, json.to_string()).expect("a file");
    }

    /// Gives a file another time of change and no other content.
    pub(crate) fn touch(&self, name: &str) {
        let file = fs::File::options().append(true).open(self.path(name)).expect("it is there");
        file.set_modified(SystemTime::now() + Duration::from_secs(1)).expect("a time of change");
    }

    /// Puts `app_offline.htm` there at one stroke, as a deployment does.
    pub(crate) fn take_offline(&self, page: &str) {
        self.write("offline.tmp", page);
        fs::rename(self.path("offline.tmp"), self.path("app_offline.htm")).expect("a file");
    }

    pub(crate) fn bring_online(&self) {
        fs::remove_file(self.path("app_offline.htm")).expect("it is there");
    }

    /// The files of a folder inside, by name.
    pub(crate) fn files(&self, folder: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        files
    }

    /// What a machine with .NET has in its environment.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let Some(dotnet) = &self.dotnet else { return Vec::new() };
        let dotnet = dotnet.display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        vec![("PATH".into(), format!("{dotnet}:{path}")), ("DOTNET_ROOT".into(), dotnet)]
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder to copy").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            fs::create_dir(&to).expect("a folder");
            copy(&from, &to);
            continue;
        }
        let large = entry.metadata().is_ok_and(|metadata| metadata.len() > LINKED);
        if !(large && fs::hard_link(&from, &to).is_ok()) {
            fs::copy(&from, &to).expect("a copy");
        }
    }
}
