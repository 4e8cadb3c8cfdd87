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
    gate, handler_settings, rules, settings, site,
    source::Source,
    survey, variables, xml,
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

/// An application that another one lies below, and inherits from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The folder of its `web.config`, which may have none.
    pub folder: PathBuf,
    /// The path from it to the other one, such as `shop` or `shop/admin`.
    pub below: String,
}

/// Whose settings are wanted of a file.
#[derive(Clone, Copy, Debug)]
enum Reach<'a> {
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
    load_inheriting(site_root, &[], ignored)
}

/// The same for an application that lies below others in the site, and inherits from their files.
///
/// What they say outside of any `location`, in a `location path="."` and in a `location` about this very application is
/// what this application's own file then changes; unless they say `inheritInChildApplications="false"`, as published
/// files do. No folder is looked into but those that are given: a `web.config` in some folder further up is none of
/// this site.
///
/// # Errors
///
/// As [`load`] has, for each of the files.
pub fn load_inheriting<S: AsRef<str>>(
    site_root: &Path,
    parents: &[Parent],
    ignored: &[S],
) -> Result<Loaded, ConfigErrors> {
    let environment = variables::Environment::of_process();
    let environment = &|name: &str| environment.get(name);
    let mut config = Config::default();
    let mut notes = Vec::new();
    for parent in parents {
        let inherited = examine_from(config, &parent.folder, environment, Reach::Below(&parent.below));
        let inherited = inherited.into_result()?.guarded(ignored)?;
        config = inherited.config;
        notes.extend(inherited.notes.into_iter().filter(|note| note.kind == NoteKind::Risk));
    }
    let loaded = examine_from(config, site_root, environment, Reach::Own).into_result()?;
    let mut loaded = loaded.guarded(ignored)?;
    loaded.notes.extend(notes);
    gate::ignore_access(&mut loaded.config, &mut loaded.notes, ignored);
    loaded.config.parents = parents.to_vec();
    loaded.config.ignored_sections = ignored.iter().map(|section| section.as_ref().to_owned()).collect();
    Ok(loaded)
}

/// Reads the file of a configuration anew, and those that it inherits from, as they were read before.
///
/// # Errors
///
/// As [`load`] has.
pub fn reload(config: &Config) -> Result<Loaded, ConfigErrors> {
    let loaded = load_inheriting(&config.site_root, &config.parents, &config.ignored_sections)?;
    Ok(Loaded { config: loaded.config.served_over(config.transport)?, ..loaded })
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

/// Reads the `web.config` of a folder and tells all there is to say about it.
pub(crate) fn examine(site_root: &Path, environment: &dyn Fn(&str) -> Option<String>) -> Examination {
    let mut examination = examine_from(Config::default(), site_root, environment, Reach::Own);
    let above = examination.config.site_root.parent().and_then(|folder| file::find(folder).ok());
    if let Some(above) = above {
        let text = format!(
            "{} is not read: a site begins with the folder that is served, whatever lies above it",
            above.path.display()
        );
        examination.notes.push(Note::new(NoteKind::Info, "file-above", text));
    }
    examination
}

/// The same, beginning with what is inherited.
fn examine_from(
    inherited: Config,
    folder: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
    reach: Reach<'_>,
) -> Examination {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let config = Config { site_root: folder.clone(), ..inherited };
    let expected = folder.join(contract::WEB_CONFIG_FILE);
    let found = match file::find(&folder) {
        Ok(found) => found,
        Err(fault) if matches!(reach, Reach::Below(_)) && fault.code == file::MISSING => {
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
        Self { config, file, notes: Vec::new(), errors, given: Vec::new() }
    }

    fn nothing(config: Config, file: PathBuf) -> Self {
        let errors = ConfigErrors::new(&file, Vec::new(), 0);
        Self { config, file, notes: Vec::new(), errors, given: Vec::new() }
    }

    fn into_result(self) -> Result<Loaded, ConfigErrors> {
        let Self { config, file, notes, errors, given: _ } = self;
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
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder(text: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        if !text.is_empty() {
            fs::write(folder.path().join("web.config"), format!("<configuration>{text}</configuration>"))
                .unwrap();
        }
        folder
    }

    fn web_server(inside: &str) -> String {
        format!("<system.webServer>{inside}</system.webServer>")
    }

    fn location(attributes: &str, inside: &str) -> String {
        format!("<location {attributes}>{}</location>", web_server(inside))
    }

    fn header(name: &str) -> String {
        format!("<httpProtocol><customHeaders><add name='{name}' value='x'/></customHeaders></httpProtocol>")
    }

    fn variable(name: &str) -> String {
        format!(
            "<aspNetCore processPath='parent'><environmentVariables><environmentVariable name='{name}' \
             value='x'/></environmentVariables></aspNetCore>"
        )
    }

    fn inheriting(parent: &str, own: &str) -> Result<Loaded, ConfigErrors> {
        let (parent, own) = (folder(parent), folder(own));
        let parent = Parent { folder: parent.path().into(), below: "shop".into() };
        let loaded = load_inheriting::<&str>(own.path(), &[parent], &[])?;
        assert_eq!(loaded.config.site_root, own.path());
        assert_eq!(reload(&loaded.config).unwrap().config, loaded.config);
        Ok(loaded)
    }

    #[test]
    fn an_application_inherits_what_its_parent_does_not_keep_for_itself() {
        let parent = web_server(&(variable("A") + &header("X-Outer")))
            + &location("path='.' inheritInChildApplications='false'", &header("X-Own"))
            + &location("path='.'", &header("X-Here"))
            + &location("path='SHOP/'", &header("X-Shop"))
            + &location("path='other'", &header("X-Other"));
        let own = web_server(
            "<aspNetCore processPath='own'><environmentVariables><environmentVariable name='B' value='y'/>\
             </environmentVariables></aspNetCore><httpProtocol><customHeaders><remove name='x-here'/>\
             </customHeaders></httpProtocol>",
        );
        let config = inheriting(&parent, &own).unwrap().config;
        assert_eq!(config.process_path, "own");
        let names = |list: &[(String, String)]| list.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&config.environment_variables), ["A", "B"]);
        assert_eq!(names(&config.custom_headers), ["X-Outer", "X-Shop"]);
        assert_eq!(config.locations, []);
    }

    #[test]
    fn what_to_start_may_be_inherited_too() {
        assert_eq!(
            inheriting(&web_server(&variable("A")), &web_server("")).unwrap().config.process_path,
            "parent"
        );
        let published = location("path='.' inheritInChildApplications='false'", &variable("A"));
        let text = inheriting(&published, &web_server("")).unwrap_err().to_string();
        assert!(text.contains("there is no configuration/system.webServer/aspNetCore"), "{text}");
    }

    #[test]
    fn a_parent_without_a_file_has_nothing_to_inherit() {
        let own = web_server("<aspNetCore processPath='own'/>");
        assert_eq!(inheriting("", &own).unwrap().config.process_path, "own");
    }

    #[test]
    fn faults_and_risks_of_a_parent_are_told_with_its_name() {
        let own = web_server("<aspNetCore processPath='own'/>");
        for inside in
            ["<aspNetCore nonsense='1'/>", "<security><ipSecurity allowUnlisted='false'/></security>"]
        {
            let parent = folder(&web_server(inside));
            let own = folder(&own);
            let given = Parent { folder: parent.path().into(), below: "shop".into() };
            let errors = load_inheriting::<&str>(own.path(), &[given], &[]).unwrap_err();
            assert_eq!(errors.file(), parent.path().join("web.config"));
        }
    }

    #[test]
    fn no_folder_further_up_is_looked_into() {
        let outer = folder("<this is='no XML");
        let inner = outer.path().join("site");
        fs::create_dir(&inner).unwrap();
        let text = format!("<configuration>{}</configuration>", web_server("<aspNetCore processPath='a'/>"));
        fs::write(inner.join("web.config"), text).unwrap();
        assert_eq!(load(&inner).unwrap().config.process_path, "a");
        let notes = examine(&inner, &|_| None).notes;
        assert!(notes[0].text.ends_with("whatever lies above it"), "{notes:?}");
    }
}
