//! The tree of a `web.config`, and the parts of it that speak about this application.
//!
//! A file may speak about it twice: in `location path="."` (what the .NET SDK writes) and outside of any `location`.
//! Both halves count. Names are compared without regard to case, and namespaces are ignored, since old tools put
//! one on the root.

use std::ops::Range;

use roxmltree::{Attribute, Document, Node, ParsingOptions};

use super::{
    error::{Fault, quoted},
    malformed,
    source::Source,
};

/// Far more than 1 MiB of real settings has.
const MOST_NODES: u32 = 200_000;
/// The parser compares each attribute of an element with all others.
const MOST_ATTRIBUTES: usize = 4_096;
/// The parser copies the prefixes of an element to each element inside of it.
const MOST_PREFIXES: usize = 256;

/// `http://schemas.microsoft.com/XML-Document-Transform`.
const TRANSFORM_NAMESPACE: &str = "XML-Document-Transform";

/// Which part of a file an element stands in; the later one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// Outside of any `location`.
    Outer,
    /// In a `location` that names this folder.
    Here,
    /// In a `location` that names a path below, so many segments down.
    Below(usize),
}

/// A file, sorted by whom it speaks about.
#[derive(Debug, Default)]
pub(super) struct Layout<'a, 'i> {
    /// Each `system.webServer` about this application, the one that wins last.
    pub(super) web_servers: Vec<(Scope, Node<'a, 'i>)>,
    /// `location`s about some path below it, as they write it.
    pub(super) below: Vec<(String, Node<'a, 'i>)>,
    /// What else there is beside `system.webServer`.
    pub(super) others: Vec<Node<'a, 'i>>,
}

/// The one fault of a file that is no tree, and its place.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) fault: Fault,
    pub(super) range: Range<usize>,
}

/// The tree, or the one fault that keeps it from being one, with its place.
pub(super) fn parse(source: &Source) -> Result<Document<'_>, Box<Misfit>> {
    let text = source.text();
    if let Some(at) = overloaded_tag(text) {
        let message = format!("an element has more than {MOST_ATTRIBUTES} attributes");
        return Err(misfit(Fault::new("not-xml", message).fix("restore the file"), at..at + 1));
    }
    if let Some((at, _)) = text.match_indices("xmlns:").nth(MOST_PREFIXES) {
        let message = format!("the file declares more than {MOST_PREFIXES} prefixes");
        return Err(misfit(Fault::new("not-xml", message).fix("restore the file"), at..at + 1));
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, entity_resolver: None };
    let document =
        Document::parse_with_options(text, options).map_err(|error| malformed::explain(&error, source))?;
    check_root(&document)?;
    Ok(document)
}

/// Sorts the children of the root.
pub(super) fn layout<'a, 'i>(document: &'a Document<'i>) -> Layout<'a, 'i> {
    let mut layout = Layout::default();
    for child in elements(document.root_element()) {
        if is(child, "system.webServer") {
            layout.web_servers.push((Scope::Outer, child));
        } else if is(child, "location") {
            let path = attribute(child, "path").map_or("", |path| path.value());
            if matches!(path.trim(), "" | "." | "./") {
                let inside = elements(child).map(|inner| (is(inner, "system.webServer"), inner));
                for (web_server, inner) in inside {
                    if web_server {
                        layout.web_servers.push((Scope::Here, inner));
                    } else {
                        layout.others.push(inner);
                    }
                }
            } else {
                layout.below.push((path.to_owned(), child));
            }
        } else {
            layout.others.push(child);
        }
    }
    layout.web_servers.sort_by_key(|(scope, _)| *scope);
    layout
}

/// What of a file an application at this path below it inherits.
pub(super) fn inherited<'a, 'i>(document: &'a Document<'i>, below: &str) -> Layout<'a, 'i> {
    let Layout { web_servers, below: locations, .. } = layout(document);
    let application = segments(below);
    let is_kept = |node: Node<'_, '_>| node.parent_element().is_some_and(keeps_for_itself);
    let mut inherited = Layout {
        web_servers: web_servers.into_iter().filter(|(_, node)| !is_kept(*node)).collect(),
        ..Layout::default()
    };
    for (path, location) in locations {
        let path = segments(&path);
        if application.starts_with(&path) {
            let is_its_own = path.len() == application.len();
            if is_its_own || !keeps_for_itself(location) {
                let found = web_servers_of(location, Scope::Below(path.len()));
                inherited.web_servers.extend(found);
            }
        } else if let Some(part) = path.strip_prefix(application.as_slice()) {
            inherited.below.push((part.join("/"), location));
        }
    }
    inherited.web_servers.sort_by_key(|(scope, _)| *scope);
    inherited
}

/// Whether applications below do not inherit what stands in an element.
fn keeps_for_itself(element: Node<'_, '_>) -> bool {
    is(element, "location") && value(element, "inheritInChildApplications").eq_ignore_ascii_case("false")
}

/// The steps of a path, in one case.
fn segments(path: &str) -> Vec<String> {
    let steps = path.split(['/', '\\']).map(str::trim).filter(|step| !matches!(*step, "" | "."));
    steps.map(str::to_lowercase).collect()
}

/// Each `system.webServer` of a `location` about a path below.
pub(super) fn web_servers<'a, 'i>(location: Node<'a, 'i>) -> Vec<(Scope, Node<'a, 'i>)> {
    web_servers_of(location, Scope::Here)
}

fn web_servers_of<'a, 'i>(location: Node<'a, 'i>, scope: Scope) -> Vec<(Scope, Node<'a, 'i>)> {
    let inside = elements(location).filter(|inner| is(*inner, "system.webServer"));
    inside.map(|inner| (scope, inner)).collect()
}

/// Each element at this path below one of the `system.webServer`s.
pub(super) fn sections<'a, 'i>(
    web_servers: &[(Scope, Node<'a, 'i>)],
    path: &[&str],
) -> Vec<(Scope, Node<'a, 'i>)> {
    let mut found = web_servers.to_vec();
    for name in path {
        found = found
            .into_iter()
            .flat_map(|(scope, node)| {
                elements(node).filter(|child| is(*child, name)).map(move |child| (scope, child))
            })
            .collect();
    }
    found
}

/// The children that are elements.
pub(super) fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

/// Whether an element has this name.
pub(super) fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name().eq_ignore_ascii_case(name)
}

/// An attribute by its name.
pub(super) fn attribute<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Attribute<'a, 'i>> {
    node.attributes().find(|attribute| attribute.name().eq_ignore_ascii_case(name))
}

/// The value of an attribute, or nothing.
pub(super) fn value<'a>(node: Node<'a, '_>, name: &str) -> &'a str {
    attribute(node, name).map_or("", |attribute| attribute.value())
}

/// The `<name` of an element: what to underline when it is about the element as a whole.
pub(super) fn tag(node: Node<'_, '_>) -> Range<usize> {
    let start = node.range().start;
    let text = &node.document().input_text()[start..];
    let length =
        text[1..].find(|c: char| c.is_whitespace() || matches!(c, '/' | '>')).map_or(text.len(), |at| at + 1);
    start..start + length
}

/// The first sign that a file is to be applied to another one and is no configuration itself.
pub(super) fn transform(document: &Document<'_>) -> Option<Range<usize>> {
    let mut attributes = document.root_element().descendants().flat_map(|node| node.attributes());
    let attribute = attributes
        .find(|attribute| attribute.namespace().is_some_and(|uri| uri.ends_with(TRANSFORM_NAMESPACE)))?;
    Some(attribute.range())
}

fn check_root(document: &Document<'_>) -> Result<(), Box<Misfit>> {
    let root = document.root_element();
    if is(root, "configuration") {
        return Ok(());
    }
    let message = format!("the root element is {}, not configuration", quoted(root.tag_name().name()));
    let fix = "wrap the settings in <configuration>, or put the right file here";
    Err(misfit(Fault::new("wrong-root", message).about("configuration").fix(fix), tag(root)))
}

fn overloaded_tag(text: &str) -> Option<usize> {
    let mut at = 0;
    text.split_inclusive('<').find_map(|piece| {
        let start = at;
        at += piece.len();
        let comment = piece.starts_with("!--");
        (!comment && piece.matches('=').count() > MOST_ATTRIBUTES).then_some(start)
    })
}

pub(super) fn misfit(fault: Fault, range: Range<usize>) -> Box<Misfit> {
    Box::new(Misfit { fault, range })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        let source = Source::new(text.into());
        let misfit = parse(&source).map(|_| ()).unwrap_err();
        format!("{} {}", source.position(misfit.range.start), misfit.fault.message)
    }

    #[test]
    fn another_root_is_named() {
        assert_eq!(fault("<html><head/></html>"), "1:1 the root element is \"html\", not configuration");
    }

    #[test]
    fn an_element_with_attributes_without_end_is_refused_at_once() {
        let attributes = (0..10_000).map(|n| format!(" a{n}='x'")).collect::<Vec<_>>().concat();
        assert!(fault(&format!("<configuration{attributes}/>")).contains("more than 4096 attributes"));
        let underlined =
            Source::new(format!("<configuration><!-- {} --></configuration>", "=".repeat(10_000)));
        assert!(parse(&underlined).is_ok());
    }

    #[test]
    fn prefixes_without_end_are_refused_at_once() {
        let elements = (0..3_000).map(|n| format!("<a xmlns:p{n}='u'>")).collect::<Vec<_>>().concat();
        assert!(fault(&format!("<configuration>{elements}")).contains("more than 256 prefixes"));
    }

    #[test]
    fn deeply_nested_elements_are_no_danger() {
        let text = format!("<configuration>{}", "<a>".repeat(150_000));
        assert!(fault(&text).contains("the file ends"));
    }

    #[test]
    fn finds_sections_in_both_halves_whatever_the_case_and_namespace() {
        let text = "<Configuration xmlns='http://schemas.microsoft.com/.NetConfiguration/v2.0'>
            <location path='.'><SYSTEM.webserver><AspNetCore a='1'/></SYSTEM.webserver></location>
            <location><system.webServer><aspNetCore a='2'/></system.webServer></location>
            <location path='sub'><system.webServer><aspNetCore a='3'/></system.webServer></location>
            <system.webServer><aspNetCore a='4'/></system.webServer>
            <appSettings/></Configuration>";
        let source = Source::new(text.into());
        let document = parse(&source).unwrap();
        let layout = layout(&document);
        let found = sections(&layout.web_servers, &["aspNetCore"]);
        let found: Vec<_> = found.iter().map(|(scope, node)| (*scope, value(*node, "A"))).collect();
        assert_eq!(found, [(Scope::Outer, "4"), (Scope::Here, "1"), (Scope::Here, "2")]);
        assert_eq!((layout.below.len(), layout.others.len()), (1, 1));
    }

    #[test]
    fn knows_a_transform_from_a_file_that_only_declares_the_namespace() {
        let namespace = "xmlns:xdt='http://schemas.microsoft.com/XML-Document-Transform'";
        for (attribute, expected) in [("xdt:Transform='Replace'", true), ("", false)] {
            let source = Source::new(format!("<configuration {namespace}><a {attribute}/></configuration>"));
            assert_eq!(transform(&parse(&source).unwrap()).is_some(), expected);
        }
    }
}
