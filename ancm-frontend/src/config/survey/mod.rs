//! Looks at everything beside `aspNetCore`: what IIS would do with it, and what we do.
//!
//! Three kinds of silence must not be confused. Some sections do nothing for an ASP.NET Core application under IIS
//! either, since its handler takes every path; some do something that we do not; and leaving out a few of them
//! opens a site to people whom IIS would refuse.

use roxmltree::Node;

use super::{
    error::quoted,
    findings::Findings,
    nearest::nearest,
    note::NoteKind,
    xml::{self, Layout, elements, is, tag, value},
};

mod elsewhere;
mod rewrite;
mod security;

/// What becomes of a section.
#[derive(Clone, Copy)]
enum Verdict {
    /// It is read, or says what holds anyway.
    Silent,
    /// It does nothing for such an application, under IIS neither.
    NoEffect(&'static str),
    /// IIS would do something: what it is that does not happen, and what to do instead.
    NotHonoured(&'static str, &'static str),
    /// It depends on what it says.
    Look(fn(Node<'_, '_>, &mut Findings<'_>)),
}

const STATIC: &str = "the application serves its files itself";
const CLASSIC: &str = "only applications of the old .NET Framework read it";
const UNCOMPRESSED: &str = "answers are compressed by the application only";
const COMPRESS: &str = "call UseResponseCompression there";

/// The sections of `system.webServer`.
static SECTIONS: &[(&str, Verdict)] = &[
    ("aspNetCore", Verdict::Silent),
    (
        "applicationInitialization",
        Verdict::NotHonoured(
            "no page is requested to warm the application up",
            "let it do so itself before it listens: requests are held until then",
        ),
    ),
    ("asp", Verdict::NoEffect(CLASSIC)),
    ("caching", Verdict::Look(caching)),
    ("cgi", Verdict::NoEffect("the application handles every path")),
    ("cors", Verdict::NotHonoured("cross-origin requests are left to the application", "call UseCors there")),
    ("defaultDocument", Verdict::NoEffect(STATIC)),
    ("directoryBrowse", Verdict::NoEffect(STATIC)),
    ("fastCgi", Verdict::NoEffect("the application handles every path")),
    ("globalModules", Verdict::Silent),
    ("handlers", Verdict::Look(handlers)),
    ("httpCompression", Verdict::NotHonoured(UNCOMPRESSED, COMPRESS)),
    ("httpErrors", Verdict::Look(http_errors)),
    (
        "httpLogging",
        Verdict::NotHonoured("what is logged is set on ancm itself", "set RUST_LOG=info,access=info"),
    ),
    ("httpPlatform", Verdict::Silent),
    ("httpProtocol", Verdict::Look(http_protocol)),
    ("httpRedirect", Verdict::Look(http_redirect)),
    ("httpTracing", Verdict::Silent),
    ("iisnode", Verdict::NotHonoured("only aspNetCore is started", "write httpPlatform to start node")),
    (
        "isapiFilters",
        Verdict::NotHonoured("filters of IIS are not loaded", "do in the application what they did"),
    ),
    ("management", Verdict::Silent),
    ("modules", Verdict::Silent),
    ("odbcLogging", Verdict::Silent),
    ("rewrite", Verdict::Look(rewrite::look)),
    ("security", Verdict::Look(security::look)),
    (
        "serverRuntime",
        Verdict::NotHonoured("requests are never read ahead", "remove it: an application does not notice"),
    ),
    ("serverSideInclude", Verdict::NoEffect(STATIC)),
    ("staticContent", Verdict::NoEffect(STATIC)),
    ("tracing", Verdict::Silent),
    ("urlCompression", Verdict::Look(url_compression)),
    ("validation", Verdict::Silent),
    ("webdav", Verdict::NoEffect("there is no WebDAV module")),
    ("webSocket", Verdict::Silent),
];

/// What stands beside `system.webServer` and deserves a word.
static BESIDE: &[(&str, Verdict)] = &[
    ("system.web", Verdict::NoEffect(CLASSIC)),
    ("appSettings", Verdict::NoEffect("ASP.NET Core reads appsettings.json and the environment")),
    ("connectionStrings", Verdict::NoEffect("ASP.NET Core reads appsettings.json and the environment")),
    (
        "system.applicationHost",
        Verdict::NotHonoured("sites are set up on ancm itself", "use --listen and --app"),
    ),
    ("system.ftpServer", Verdict::NotHonoured("FTP is not served", "run a server for it beside ancm")),
];

/// Remarks on all sections of a file.
pub(super) fn survey(layout: &Layout<'_, '_>, findings: &mut Findings<'_>) {
    for (_, web_server) in &layout.web_servers {
        elsewhere::look(*web_server, findings);
        for section in elements(*web_server) {
            judge(section, SECTIONS, true, findings);
        }
    }
    for node in &layout.others {
        judge(*node, BESIDE, false, findings);
    }
    for (path, location) in &layout.below {
        elsewhere::look(*location, findings);
        for section in xml::web_servers(*location).into_iter().flat_map(|(_, node)| elements(node)) {
            part(path, section, findings);
        }
    }
}

/// A section for a part of the site.
fn part(path: &str, section: Node<'_, '_>, findings: &mut Findings<'_>) {
    if is(section, "security") {
        security::look(section, findings);
    } else if is(section, "httpProtocol") {
        http_protocol(section, findings);
    } else if !is(section, "webSocket") {
        let name = section.tag_name().name();
        let text = format!(
            "location {}: {} is not read for a part of the site; make that part an application of its own (--app)",
            quoted(path),
            quoted(name)
        );
        findings.note(&tag(section), NoteKind::NotHonoured, "location", text);
    }
}

fn judge(
    section: Node<'_, '_>,
    table: &[(&'static str, Verdict)],
    report_unknown: bool,
    findings: &mut Findings<'_>,
) {
    let name = section.tag_name().name();
    match table.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some((known, Verdict::NoEffect(why))) => {
            findings.note(&tag(section), NoteKind::NoEffect, "section", format!("{known}: {why}"));
        }
        Some((known, Verdict::NotHonoured(what, instead))) => {
            not_honoured(section, known, what, instead, findings);
        }
        Some((_, Verdict::Look(look))) => look(section, findings),
        None if report_unknown => {
            let meant = nearest(name, table.iter().map(|(known, _)| *known));
            let meant = meant.map_or_else(String::new, |meant| format!("; {meant} may be meant"));
            let text = format!("{} is not a section of IIS{meant}", quoted(name));
            findings.note(&tag(section), NoteKind::Warning, "unknown-section", text);
        }
        Some((_, Verdict::Silent)) | None => {}
    }
}

/// Says what does not happen, and what to do instead.
fn not_honoured(node: Node<'_, '_>, subject: &str, what: &str, instead: &str, findings: &mut Findings<'_>) {
    let text = format!("{subject}: {what}; {instead}");
    findings.note(&tag(node), NoteKind::NotHonoured, "section", text);
}

fn handlers(section: Node<'_, '_>, findings: &mut Findings<'_>) {
    for add in elements(section).filter(|node| is(*node, "add")) {
        let (path, verb, module) = (value(add, "path"), value(add, "verb"), value(add, "modules"));
        let ours = ["aspnetcoremodule", "httpplatformhandler"];
        if !ours.iter().any(|ours| module.to_ascii_lowercase().starts_with(ours)) {
            let text = format!(
                "handlers: {} does not run here; the application gets {}, so let it answer that",
                quoted(module),
                quoted(path)
            );
            findings.note(&tag(add), NoteKind::NotHonoured, "other-handler", text);
        } else if !matches!(path, "*" | "") || !matches!(verb, "*" | "") {
            let text = format!(
                "handlers: the application gets every request, not only {} {}; let it refuse the others",
                quoted(verb),
                quoted(path)
            );
            findings.note(&tag(add), NoteKind::NotHonoured, "narrow-handler", text);
        }
    }
}

fn http_errors(section: Node<'_, '_>, findings: &mut Findings<'_>) {
    let known = [
        "existingResponse",
        "errorMode",
        "defaultPath",
        "defaultResponseMode",
        "detailedMoreInformationLink",
        "allowAbsolutePathsWhenDelegated",
        "configSource",
        "lockAttributes",
    ];
    for given in section.attributes() {
        if !known.iter().any(|name| name.eq_ignore_ascii_case(given.name())) {
            let meant =
                nearest(given.name(), known).map_or_else(String::new, |meant| format!("; {meant} is meant"));
            let text = format!("httpErrors has no attribute {}{meant}", quoted(given.name()));
            findings.note(&given.range(), NoteKind::Warning, "unknown-attribute", text);
        }
    }
    let pages = elements(section).filter(|node| is(*node, "error")).count();
    let instead = "call UseStatusCodePagesWithReExecute in the application";
    if pages > 0 {
        let s = if pages == 1 { " is" } else { "s are" };
        not_honoured(section, "httpErrors", &format!("{pages} error page{s} not used"), instead, findings);
    } else if value(section, "existingResponse").eq_ignore_ascii_case("Replace") {
        let what = "answers of the application are not replaced";
        not_honoured(section, "httpErrors", what, instead, findings);
    }
}

fn http_protocol(section: Node<'_, '_>, findings: &mut Findings<'_>) {
    if value(section, "allowKeepAlive").eq_ignore_ascii_case("false") {
        let (what, instead) = ("connections are kept alive all the same", "remove it: clients may end them");
        not_honoured(section, "httpProtocol", what, instead, findings);
    }
    for child in elements(section) {
        if is(child, "redirectHeaders") && elements(child).any(|node| is(node, "add")) {
            not_honoured(
                child,
                "redirectHeaders",
                "they are not added",
                "add them in the application",
                findings,
            );
        }
    }
}

fn http_redirect(section: Node<'_, '_>, findings: &mut Findings<'_>) {
    if value(section, "enabled").eq_ignore_ascii_case("true") {
        let text = format!("requests are not redirected to {}", quoted(value(section, "destination")));
        not_honoured(section, "httpRedirect", &text, "redirect them in the application", findings);
    }
}

fn caching(section: Node<'_, '_>, findings: &mut Findings<'_>) {
    let is_off = |name| value(section, name).eq_ignore_ascii_case("false");
    if !(is_off("enabled") && is_off("enableKernelCache")) {
        let instead = "call UseOutputCache in the application, or put a cache in front";
        not_honoured(section, "caching", "answers are not cached", instead, findings);
    }
}

fn url_compression(section: Node<'_, '_>, findings: &mut Findings<'_>) {
    if !value(section, "doDynamicCompression").eq_ignore_ascii_case("false") {
        not_honoured(section, "urlCompression", UNCOMPRESSED, COMPRESS, findings);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Note, NoteKind, parse};

    /// Notes on a file that has these beside `aspNetCore`, or beside `system.webServer`.
    pub(super) fn notes(inside: &str, beside: &str) -> Vec<Note> {
        let text = format!(
            "<configuration><location path='.'><system.webServer><aspNetCore processPath='a'/></system.webServer>\
             </location><system.webServer>\n{inside}</system.webServer>{beside}</configuration>"
        );
        parse(text.as_bytes(), Path::new("w"), Path::new("/s"), &|_| None).unwrap().notes
    }

    pub(super) fn assert_notes(inside: &str, beside: &str, expected: &[(NoteKind, &str)]) {
        let notes = notes(inside, beside);
        assert_eq!(notes.len(), expected.len(), "{inside}{beside}: {notes:?}");
        for (note, (kind, part)) in notes.iter().zip(expected) {
            assert_eq!(note.kind, *kind, "{note}");
            assert!(note.text.contains(part), "{note}");
            let advises = note.kind != NoteKind::NotHonoured || note.text.contains("; ");
            assert!(advises, "what is to be done? {note}");
        }
    }

    #[test]
    fn is_silent_on_what_holds_anyway() {
        for inside in [
            "<handlers><remove name='WebDAV'/><add name='a' path='*' verb='*' modules='AspNetCoreModuleV2'/></handlers>",
            "<modules runAllManagedModulesForAllRequests='true'><remove name='WebDAVModule'/></modules>",
            "<validation validateIntegratedModeConfiguration='false'/>",
            "<httpErrors existingResponse='PassThrough' errorMode='Detailed'/>",
            "<httpProtocol><customHeaders><clear/><remove name='X-Powered-By'/></customHeaders></httpProtocol>",
            "<webSocket enabled='false'/><httpRedirect enabled='false'/>",
            "<caching enabled='false' enableKernelCache='false'/><urlCompression doDynamicCompression='false'/>",
        ] {
            assert_notes(inside, "", &[]);
        }
    }

    #[test]
    fn names_what_has_no_effect_under_iis_either() {
        let no_effect = NoteKind::NoEffect;
        assert_notes(
            "<staticContent/><defaultDocument/>",
            "",
            &[(no_effect, "staticContent"), (no_effect, "default")],
        );
        assert_notes(
            "",
            "<system.web/><runtime/><connectionStrings/>",
            &[(no_effect, "system.web"), (no_effect, "conn")],
        );
    }

    #[test]
    fn names_what_iis_would_do() {
        let not = NoteKind::NotHonoured;
        for (inside, part) in [
            ("<httpProtocol allowKeepAlive='false'/>", "kept alive"),
            ("<httpErrors><error statusCode='404' path='x'/></httpErrors>", "1 error page"),
            ("<httpErrors existingResponse='Replace'/>", "not replaced"),
            ("<httpRedirect enabled='true' destination='http://x'/>", "http://x"),
            ("<applicationInitialization/>", "warm"),
            ("<caching/>", "UseOutputCache"),
            ("<cors/>", "UseCors"),
            ("<httpCompression/>", "UseResponseCompression"),
            ("<urlCompression doStaticCompression='true'/>", "UseResponseCompression"),
            ("<httpLogging/>", "access=info"),
            ("<iisnode/>", "httpPlatform"),
            ("<isapiFilters/>", "filters"),
            ("<serverRuntime/>", "ahead"),
            ("<httpProtocol><redirectHeaders><add/></redirectHeaders></httpProtocol>", "not added"),
            ("<handlers><add name='n' path='x.js' verb='*' modules='iisnode'/></handlers>", "\"iisnode\""),
            (
                "<handlers><add name='n' path='api/*' verb='GET' modules='AspNetCoreModule'/></handlers>",
                "\"api/*\"",
            ),
        ] {
            assert_notes(inside, "", &[(not, part)]);
        }
    }

    #[test]
    fn names_what_is_misspelt() {
        let warning = NoteKind::Warning;
        assert_notes(
            "<rewrit/>",
            "",
            &[(warning, "\"rewrit\" is not a section of IIS; rewrite may be meant")],
        );
        assert_notes(
            "<httpErrors existingReponse='PassThrough'/>",
            "",
            &[(warning, "existingResponse is meant")],
        );
    }

    #[test]
    fn a_risk_is_not_lost_behind_many_other_notes() {
        let inside = "<caching/>".repeat(2_000) + "<security><ipSecurity allowUnlisted='false'/></security>";
        let notes = notes(&inside, "");
        assert_eq!(notes.len(), 501);
        assert_eq!(notes[500].kind, NoteKind::Risk);
    }

    #[test]
    fn settings_for_a_part_of_the_site_are_named_with_their_risks() {
        let security = "<system.webServer><security><authentication>\
            <windowsAuthentication enabled='true'/></authentication></security></system.webServer>";
        let more = "<system.webServer><caching/></system.webServer>";
        let beside = format!("<location path='admin'>{security}{more}</location>");
        let expected =
            [(NoteKind::Risk, "Windows authentication"), (NoteKind::NotHonoured, "\"admin\": \"caching\"")];
        assert_notes("", &beside, &expected);
    }
}
