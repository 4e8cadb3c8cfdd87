//! Reads the file of an application together with those that it inherits from.

use std::path::Path;

use super::{
    Config, ConfigErrors, Loaded, Note, NoteKind, Parent, Stamps, file, gate,
    reading::{Examination, Reach, examine_from},
    variables,
};

/// Reads the `web.config` of an application that lies below others in the site, and inherits from their files.
///
/// What they say outside of any `location`, in a `location path="."` and in a `location` about this very application is
/// what this application's own file then changes; unless they say `inheritInChildApplications="false"`, as published
/// files do. No folder is looked into but those that are given: a `web.config` in some folder further up is none of
/// this site. [`parents`](super::parents) says which they are.
///
/// # Errors
///
/// As [`load`](super::load) has, for each of the files.
pub fn load_inheriting<S: AsRef<str>>(
    site_root: &Path,
    parents: &[Parent],
    ignored: &[S],
) -> Result<Loaded, ConfigErrors> {
    let environment = variables::Environment::of_process();
    let environment = &|name: &str| environment.get(name);
    let seen = Stamps::take(site_root, parents);
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
    loaded.config.seen = Some(seen.with_files(site_root, &loaded.config.recycle_on_file_change));
    loaded.config.parents = parents.to_vec();
    loaded.config.ignored_sections = ignored.iter().map(|section| section.as_ref().to_owned()).collect();
    Ok(loaded)
}

/// Reads the file of a configuration anew, and those that it inherits from, as they were read before.
///
/// # Errors
///
/// As [`load`](super::load) has.
pub fn reload(config: &Config) -> Result<Loaded, ConfigErrors> {
    let mut loaded = load_inheriting(&config.site_root, &config.parents, &config.ignored_sections)?;
    loaded.config.path_base.clone_from(&config.path_base);
    Ok(Loaded { config: loaded.config.served_over(config.transport)?, ..loaded })
}

/// Reads the `web.config` of a folder and tells all there is to say about it; of those above it, only what matters to it.
pub(crate) fn examine(
    site_root: &Path,
    parents: &[Parent],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Examination {
    let mut config = Config::default();
    let (mut inherited, mut risks) = (Vec::new(), Vec::new());
    for parent in parents {
        let above = examine_from(config, &parent.folder, environment, Reach::Below(&parent.below));
        if !above.errors.faults().is_empty() {
            return above;
        }
        inherited.extend(above.given.iter().map(|(name, _)| *name));
        risks.extend(above.notes.iter().filter(|note| note.kind == NoteKind::Risk).map(|note| {
            let place = note.position.map_or_else(String::new, |position| format!(":{position}"));
            let text = format!("{}{place}: {}", above.file.display(), note.text);
            Note { position: None, text, ..note.clone() }
        }));
        config = above.config;
    }
    let mut examination = examine_from(config, site_root, environment, Reach::Own);
    examination.inherited = inherited;
    examination.notes.extend(risks);
    if parents.is_empty() {
        remark_on_file_above(&mut examination);
    }
    examination
}

fn remark_on_file_above(examination: &mut Examination) {
    let above = examination.config.site_root.parent().and_then(|folder| file::find(folder).ok());
    if let Some(above) = above {
        let text = format!(
            "{} is not read: a site begins with the folder that is served, whatever lies above it",
            above.path.display()
        );
        examination.notes.push(Note::new(NoteKind::Info, "file-above", text));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::load, *};

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

    fn limit(bytes: u32) -> String {
        format!(
            "<security><requestFiltering><requestLimits maxAllowedContentLength='{bytes}'/></requestFiltering></security>"
        )
    }

    #[test]
    fn a_location_about_a_part_of_the_application_is_inherited_by_that_part() {
        let parent = location("path='shop/Up'", &(limit(99) + &header("X-Up")))
            + &location("path='shop/own'", &(limit(7) + "<webSocket enabled='false'/>"))
            + &location("path='shop/own/tls'", "<security><access sslFlags='Ssl'/></security>")
            + &location("path='shopping/up'", &limit(5));
        let own = web_server(&(header("X-Own") + &limit(10) + "<aspNetCore processPath='own'/>"))
            + &location("path='own'", &limit(8));
        let config = inheriting(&parent, &own).unwrap().config;
        assert_eq!(config.max_allowed_content_length, 10);
        let parts: Vec<_> = config.locations.iter().map(|part| part.path.as_str()).collect();
        assert_eq!(parts, ["/up", "/own/tls", "/own"]);
        assert!(config.locations[1].access.tls && !config.locations[1].web_socket_enabled);
        // The nearer file wins, whatever part a file further up speaks about.
        assert_eq!(config.locations[0].max_allowed_content_length, 10);
        assert_eq!(config.locations[2].max_allowed_content_length, 8);
        assert!(!config.locations[2].web_socket_enabled && !config.locations[2].access.tls);
        let names: Vec<_> =
            config.locations[0].custom_headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["X-Up", "X-Own"]);
    }

    #[test]
    fn what_the_application_says_of_a_part_holds_in_a_part_of_that_which_is_inherited() {
        let parent = location("path='shop/a/b'", &limit(7)) + &location("path='shop/ab'", &limit(7));
        let tls = |flags: &str| format!("<security><access sslFlags='{flags}'/></security>");
        let own = web_server("<aspNetCore processPath='own'/>")
            + &location("path='a'", &tls("Ssl"))
            + &location("path='a/c'", &tls("None"))
            + &location("path='a/b/d'", "<webSocket enabled='false'/>");
        let config = inheriting(&parent, &own).unwrap().config;
        let of = |path: &str| config.locations.iter().find(|part| part.path == path).unwrap();
        assert_eq!((of("/a/b").max_allowed_content_length, of("/a/b").access.tls), (7, true));
        assert_eq!((of("/a").max_allowed_content_length, of("/a").access.tls), (30_000_000, true));
        assert!(!of("/ab").access.tls && !of("/a/c").access.tls);
        assert_eq!(of("/a/b/d").max_allowed_content_length, 7, "the nearest around it counts");
    }

    #[test]
    fn a_location_about_a_folder_on_the_way_is_inherited_unless_it_is_kept() {
        let at = |parent: &str| {
            let (parent, own) = (folder(parent), folder(&web_server("<aspNetCore processPath='own'/>")));
            let parent = Parent { folder: parent.path().into(), below: "area/shop".into() };
            load_inheriting::<&str>(own.path(), &[parent], &[])
        };
        let on_the_way = location("path='Area'", &(limit(4) + &header("X-Area")));
        let nearest = location("path='area/shop'", &limit(5));
        let config = at(&(nearest.clone() + &on_the_way + &web_server(&limit(3)))).unwrap().config;
        assert_eq!(config.max_allowed_content_length, 5);
        assert_eq!(config.custom_headers.len(), 1);
        let kept = location("path='area' inheritInChildApplications='false'", &limit(4));
        assert_eq!(at(&kept).unwrap().config.max_allowed_content_length, 30_000_000);
    }

    #[test]
    fn a_section_may_stand_in_each_location_that_is_inherited() {
        let off = "<webSocket enabled='false'/>";
        let parent = web_server("<webSocket enabled='true'/>")
            + &location("path='.'", "<webSocket enabled='true'/>")
            + &location("path='shop'", off);
        let config = inheriting(&parent, &web_server("<aspNetCore processPath='own'/>")).unwrap().config;
        assert!(!config.web_socket_enabled);
    }

    #[test]
    fn what_keeps_people_out_of_a_part_further_up_or_down_is_a_risk_too() {
        let closed = "<security><ipSecurity allowUnlisted='false'/></security>";
        for path in ["shop", "shop/admin", "shop\\admin\\x"] {
            let parent = location(&format!("path='{path}'"), closed);
            let errors = inheriting(&parent, &web_server("<aspNetCore processPath='own'/>")).unwrap_err();
            assert_eq!(errors.faults()[0].code, "risk", "{path}");
        }
        let (parent, own) = (folder(&location("path='area'", closed)), folder(""));
        let parent = Parent { folder: parent.path().into(), below: "area/shop".into() };
        let examination = examine(own.path(), &[parent], &|_| None);
        assert!(examination.notes.iter().any(|note| note.kind == NoteKind::Risk), "{examination:?}");
        let elsewhere = location("path='shopping'", closed);
        inheriting(&elsewhere, &web_server("<aspNetCore processPath='own'/>")).unwrap();
    }

    #[test]
    fn a_folder_on_the_way_need_not_be_there() {
        let own = folder(&web_server("<aspNetCore processPath='own'/>"));
        let parent = Parent { folder: own.path().join("gone"), below: "x".into() };
        load_inheriting::<&str>(own.path(), &[parent], &[]).unwrap();
    }

    #[test]
    fn what_is_inherited_is_told_apart_from_what_the_file_says_itself() {
        let parent = folder(&web_server(
            "<aspNetCore processPath='a' startupTimeLimit='7'/><security><ipSecurity allowUnlisted='false'/></security>",
        ));
        let own = folder(&web_server("<aspNetCore processPath='own'/>"));
        let above = Parent { folder: parent.path().into(), below: "x".into() };
        let examination = examine(own.path(), &[above], &|_| None);
        assert_eq!(examination.config.startup_time_limit.as_secs(), 7);
        assert!(examination.inherited.contains(&"startupTimeLimit"));
        let risk = examination.notes.iter().find(|note| note.kind == NoteKind::Risk).unwrap();
        assert_eq!(risk.position, None);
        let place = format!("{}:1:", parent.path().join("web.config").display());
        assert!(risk.text.starts_with(&place), "{}", risk.text);
    }

    #[test]
    fn no_folder_further_up_is_looked_into() {
        let outer = folder("<this is='no XML");
        let inner = outer.path().join("site");
        fs::create_dir(&inner).unwrap();
        let text = format!("<configuration>{}</configuration>", web_server("<aspNetCore processPath='a'/>"));
        fs::write(inner.join("web.config"), text).unwrap();
        assert_eq!(load(&inner).unwrap().config.process_path, "a");
        let notes = examine(&inner, &[], &|_| None).notes;
        assert!(notes[0].text.ends_with("whatever lies above it"), "{notes:?}");
    }
}
