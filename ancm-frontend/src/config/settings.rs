//! Reads the honoured elements into a [`Config`], by the list in `attributes.rs`.

use roxmltree::Node;

use super::{
    Config,
    attributes::{self, ASP_NET_CORE, Attribute, HTTP_PLATFORM, Taken},
    collections,
    error::{Fault, quoted},
    findings::Findings,
    http_platform,
    nearest::nearest,
    note::NoteKind,
    values::span_text,
    xml::{self, Layout, Scope, elements, is, tag},
};

const CHILDREN: &[&str] = &["environmentVariables", "handlerSettings", "recycleOnFileChange"];

/// Reads what says how the application is run; gives the last such element, if any.
pub(super) fn read<'a, 'i>(
    layout: &Layout<'a, 'i>,
    config: &mut Config,
    findings: &mut Findings<'_>,
) -> Option<Node<'a, 'i>> {
    let mut last = None;
    for node in once_per_scope(&layout.web_servers, &[ASP_NET_CORE], findings) {
        read_attributes(node, ASP_NET_CORE, &[], config, findings);
        read_children(node, config, findings);
        last = Some(node);
    }
    let others = xml::sections(&layout.web_servers, &[HTTP_PLATFORM]);
    if last.is_some() {
        for (_, node) in others {
            let text = "httpPlatform: aspNetCore is there as well, and that is what counts";
            findings.note(&tag(node), NoteKind::Warning, "two-launchers", text);
        }
    } else if !others.is_empty() {
        last = http_platform::read(layout, config, findings);
    }
    last
}

/// The element at a path, at most one of each half of the file: IIS refuses a second one.
pub(super) fn once_per_scope<'a, 'i>(
    web_servers: &[(Scope, Node<'a, 'i>)],
    path: &[&str],
    findings: &mut Findings<'_>,
) -> Vec<Node<'a, 'i>> {
    let mut found: Vec<(Scope, Node<'a, 'i>)> = Vec::new();
    for (scope, node) in xml::sections(web_servers, path) {
        if found.last().is_some_and(|(last, _)| *last == scope) {
            let name = path.last().copied().unwrap_or_default();
            let fault = Fault::new("repeated-section", format!("{name} is given twice")).about(name);
            findings.fault(&tag(node), fault.fix("move its settings into the first one"));
        } else {
            found.push((scope, node));
        }
    }
    if let [(_, outer), (_, _)] = found.as_slice() {
        let name = path.last().copied().unwrap_or_default();
        let text = format!("{name} is given outside of <location> too; what <location> says wins");
        findings.note(&tag(*outer), NoteKind::Warning, "section-in-both-halves", text);
    }
    found.into_iter().map(|(_, node)| node).collect()
}

/// Reads the attributes of an element that are in the list; `tolerated` are others that it may have.
pub(super) fn read_attributes(
    node: Node<'_, '_>,
    element: &'static str,
    tolerated: &[&'static str],
    config: &mut Config,
    findings: &mut Findings<'_>,
) {
    let mut seen: Vec<&str> = Vec::new();
    for given in node.attributes() {
        let range = given.range();
        if is_general(given.name()) || tolerated.iter().any(|name| name.eq_ignore_ascii_case(given.name())) {
            continue;
        }
        let Some(attribute) = attributes::find(element, given.name()) else {
            findings.fault(&range, unknown_attribute(element, given.name(), tolerated));
            continue;
        };
        if seen.contains(&attribute.name) {
            let fault = Fault::new("repeated-attribute", format!("{} is given twice", attribute.name));
            findings.fault(&range, fault.about(attribute.name).fix("keep one of the two"));
            continue;
        }
        seen.push(attribute.name);
        findings.give(attribute.name, &range);
        match attribute.set(config, given.value(), findings.environment) {
            Ok(Taken::AsWritten) => {}
            Ok(Taken::AsMinutes) => {
                let span = span_text(config.request_timeout);
                let text = format!(
                    "{}={} is taken for minutes; write {span}",
                    attribute.name,
                    quoted(given.value())
                );
                findings.note(&range, NoteKind::Warning, "bare-minutes", text);
            }
            Err(refused) => {
                let message = format!("{}={} {}", attribute.name, quoted(given.value()), refused.problem);
                let fault = Fault::new(refused.code, message).about(attribute.name).fix(refused.fix);
                findings.fault(&range, with_range(fault, attribute));
            }
        }
    }
}

/// Reads the lists inside of an element that describes an application.
pub(super) fn read_children(node: Node<'_, '_>, config: &mut Config, findings: &mut Findings<'_>) {
    stray_text(node, findings);
    for child in elements(node) {
        if is(child, "environmentVariables") {
            collections::environment_variables(child, config, findings);
        } else if is(child, "handlerSettings") {
            collections::handler_settings(child, config, findings);
        } else if is(child, "recycleOnFileChange") {
            collections::recycle_on_file_change(child, config, findings);
        } else {
            let parent = node.tag_name().name();
            findings.fault(&tag(child), unknown_element(parent, child.tag_name().name(), CHILDREN));
        }
    }
}

/// Remarks on text between the children of an element.
pub(super) fn stray_text(node: Node<'_, '_>, findings: &mut Findings<'_>) {
    for child in node.children() {
        if child.is_text() && !child.text().unwrap_or_default().trim().is_empty() {
            let stray = quoted(child.text().unwrap_or_default().trim());
            findings.note(
                &child.range(),
                NoteKind::Warning,
                "stray-text",
                format!("{stray} between elements is ignored"),
            );
        }
    }
}

/// Attributes that IIS takes on every element; they are about other files than this.
fn is_general(name: &str) -> bool {
    ["lockItem", "lockAttributes", "lockElements", "lockAllAttributesExcept", "lockAllElementsExcept"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

fn unknown_attribute(element: &str, name: &str, tolerated: &[&'static str]) -> Fault {
    let known: Vec<_> =
        attributes::of(element).map(|attribute| attribute.name).chain(tolerated.iter().copied()).collect();
    let message = format!("{element} has no attribute {}", quoted(name));
    let fault = Fault::new("unknown-attribute", message).about(name);
    match nearest(name, known.iter().copied()) {
        _ if name.eq_ignore_ascii_case("configSource") => fault.fix("move the settings of that file to here"),
        Some(meant) => fault.fix(format!("write {meant}")),
        None => fault.allowed(known.join(", ")).fix("remove it"),
    }
}

/// The fault of an element that its parent does not have.
pub(super) fn unknown_element(parent: &str, name: &str, known: &[&'static str]) -> Fault {
    let message = format!("{parent} has no element {}", quoted(name));
    let fault = Fault::new("unknown-element", message).about(name);
    match nearest(name, known.iter().copied()) {
        Some(meant) => fault.fix(format!("write {meant}")),
        None => fault.allowed(known.join(", ")).fix("remove it"),
    }
}

fn with_range(fault: Fault, attribute: &Attribute) -> Fault {
    match attribute.allowed() {
        Some(allowed) => fault.allowed(allowed),
        None => fault,
    }
}
