//! From the bytes of a file to a configuration: the order of the steps.
//!
//! Everything between the folder and the [`Config`] is put together here; each step has a file of its own.

use std::path::{Path, PathBuf};

use ancm_tower::contract;

use super::{
    Config, ConfigErrors, Note, NoteKind, absent, encoding,
    error::{Fault, Position},
    file,
    findings::Findings,
    handler_settings, inheriting, rules, settings, site,
    source::Source,
    survey, xml,
};

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Where they come from.
    pub file: PathBuf,
    /// What is worth knowing about them.
    pub notes: Vec<Note>,
}

/// Whose settings are wanted of a file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reach<'a> {
    /// Those of the application in its folder.
    Own,
    /// What an application at this path below it inherits.
    Below(&'a str),
}

/// Everything that one reading of a file has found, be it good or bad.
#[derive(Debug)]
pub(crate) struct Examination {
    /// As far as it could be read.
    pub(crate) config: Config,
    pub(crate) file: PathBuf,
    pub(crate) notes: Vec<Note>,
    /// Empty if the configuration can be used.
    pub(crate) errors: ConfigErrors,
    /// Which attributes the file gives, and where.
    pub(crate) given: Vec<(&'static str, Position)>,
    /// Which attributes files above it give.
    pub(crate) inherited: Vec<&'static str>,
}

/// Reads the `web.config` of a folder, `%NAME%` being variables of this process.
///
/// # Errors
///
/// All that is wrong with the file, or the one thing that keeps it from being read. A file that keeps people out by
/// means that do not exist here ([`GUARDED_SECTIONS`](super::GUARDED_SECTIONS)) is refused as well.
pub fn load(site_root: &Path) -> Result<Loaded, ConfigErrors> {
    load_ignoring::<&str>(site_root, &[])
}

/// The same, letting these sections pass although they keep people out.
///
/// # Errors
///
/// As [`load`] has, but for these sections.
pub fn load_ignoring<S: AsRef<str>>(site_root: &Path, ignored: &[S]) -> Result<Loaded, ConfigErrors> {
    inheriting::load_inheriting(site_root, &[], ignored)
}

/// Understands the bytes of a file; touches nothing but its arguments.
///
/// Risks are among the notes; other than for [`load`], they are no errors here.
///
/// # Errors
///
/// All that is wrong with it.
pub fn parse(
    bytes: &[u8],
    path: &Path,
    site_root: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, ConfigErrors> {
    understand(bytes, path, site_root, environment).into_result()
}

/// Reads the `web.config` of a folder, beginning with what is inherited.
pub(super) fn examine_from(
    inherited: Config,
    folder: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
    reach: Reach<'_>,
) -> Examination {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let config = Config { site_root: folder.clone(), ..inherited };
    let expected = folder.join(contract::WEB_CONFIG_FILE);
    let is_parent = matches!(reach, Reach::Below(_));
    let found = match file::find(&folder) {
        Ok(found) => found,
        // On the way to an application there need be no folders: its path is not where it lies.
        Err(fault)
            if is_parent && (fault.code == file::MISSING || matches!(folder.try_exists(), Ok(false))) =>
        {
            return Examination::nothing(config, expected);
        }
        Err(fault) => return Examination::failed(config, expected, *fault),
    };
    let mut examination = match file::read(&found.path) {
        Ok(bytes) => understand_from(config, &bytes, &found.path, environment, reach),
        Err(fault) => Examination::failed(config, found.path, *fault),
    };
    if !found.ignored.is_empty() {
        let text = format!("web.config is used; {} is not read", found.ignored.join(", "));
        examination.notes.push(Note::new(NoteKind::Warning, "several-files", text));
    }
    examination
}

pub(super) fn understand(
    bytes: &[u8],
    path: &Path,
    site_root: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Examination {
    let config = Config { site_root: site_root.to_owned(), ..Config::default() };
    understand_from(config, bytes, path, environment, Reach::Own)
}

fn understand_from(
    mut config: Config,
    bytes: &[u8],
    path: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
    reach: Reach<'_>,
) -> Examination {
    // Known only when a process is started; what we were started with is not meant.
    let environment = &|name: &str| {
        let of_start = name.eq_ignore_ascii_case(contract::variable::HTTP_PLATFORM_PORT);
        (!of_start).then(|| environment(name)).flatten()
    };
    if bytes.len() as u64 > file::LARGEST {
        return Examination::failed(config, path.to_owned(), file::too_large());
    }
    let source = match encoding::decode(bytes) {
        Ok(text) => Source::new(text),
        Err(undecodable) => {
            let source = Source::new(undecodable.text);
            let mut findings = Findings::new(&source, environment);
            findings.fault(&undecodable.range, undecodable.fault);
            return findings.into_examination(config, path);
        }
    };
    let mut findings = Findings::new(&source, environment);
    match xml::parse(&source) {
        Err(misfit) => findings.fault(&misfit.range, misfit.fault),
        Ok(document) => read(&document, &mut config, &mut findings, reach),
    }
    findings.into_examination(config, path)
}

fn read(
    document: &roxmltree::Document<'_>,
    config: &mut Config,
    findings: &mut Findings<'_>,
    reach: Reach<'_>,
) {
    if let Some(range) = xml::transform(document) {
        let message = "this is a transform: it changes another web.config and is none itself";
        let fix = "put the file here that publishing makes of it (`dotnet publish -c Release`)";
        findings.fault(&range, Fault::new("transform", message).fix(fix));
        return;
    }
    let layout = match reach {
        Reach::Own => xml::layout(document),
        Reach::Below(path) => xml::inherited(document, path),
    };
    let inherits = !config.process_path.is_empty();
    site::read(&layout, config, findings);
    let node = settings::read(&layout, config, findings);
    match (node, reach) {
        (_, Reach::Below(_)) => {}
        (Some(node), Reach::Own) => {
            rules::check(node, config, findings);
            handler_settings::remark(node, config, findings);
        }
        (None, Reach::Own) if inherits => {}
        (None, Reach::Own) => {
            let (fault, range) = absent::explain(document, &layout);
            findings.fault(&range, fault);
        }
    }
    survey::survey(&layout, findings);
}

// === impl Examination ===

impl Examination {
    fn failed(config: Config, file: PathBuf, fault: Fault) -> Self {
        let errors = ConfigErrors::new(&file, vec![fault], 0);
        Self { config, file, notes: Vec::new(), errors, given: Vec::new(), inherited: Vec::new() }
    }

    fn nothing(config: Config, file: PathBuf) -> Self {
        let errors = ConfigErrors::new(&file, Vec::new(), 0);
        Self { config, file, notes: Vec::new(), errors, given: Vec::new(), inherited: Vec::new() }
    }

    pub(super) fn into_result(self) -> Result<Loaded, ConfigErrors> {
        let Self { config, file, notes, errors, .. } = self;
        if errors.faults().is_empty() { Ok(Loaded { config, file, notes }) } else { Err(errors) }
    }
}

impl Findings<'_> {
    fn into_examination(self, config: Config, path: &Path) -> Examination {
        let Self { faults, more_faults, mut notes, given, .. } = self;
        notes.sort_by_key(|note| note.position);
        Examination {
            config,
            file: path.to_owned(),
            notes,
            errors: ConfigErrors::new(path, faults, more_faults),
            given,
            inherited: Vec::new(),
        }
    }
}
