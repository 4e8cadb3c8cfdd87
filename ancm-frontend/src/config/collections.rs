//! Reads the three lists inside of `aspNetCore`.
//!
//! Each has `clear`, which drops what stands before it. Of two entries of the same name the last wins.

use std::collections::HashMap;

use roxmltree::Node;

use super::{
    Config,
    error::{Fault, quoted},
    findings::Findings,
    note::NoteKind,
    settings::unknown_element,
    variables::{expand, native_path},
    xml::{attribute, elements, is, tag},
};

/// `environmentVariables`: names and values, `%NAME%` replaced in values.
// ANCM: environmentvariablehash.h: names without regard to case, the last entry wins.
pub(super) fn environment_variables(node: Node<'_, '_>, config: &mut Config, findings: &mut Findings<'_>) {
    let list = std::mem::take(&mut config.environment_variables);
    let entries = named_entries(node, "environmentVariable", list, findings);
    config.environment_variables = entries;
}

/// `handlerSettings`: names and values.
// ANCM: config_utility.h takes the first of two, which lets an inherited one win; there is nothing to inherit here.
pub(super) fn handler_settings(node: Node<'_, '_>, config: &mut Config, findings: &mut Findings<'_>) {
    let list = std::mem::take(&mut config.handler_settings);
    config.handler_settings = named_entries(node, "handlerSetting", list, findings);
}

/// `recycleOnFileChange`: paths.
pub(super) fn recycle_on_file_change(node: Node<'_, '_>, config: &mut Config, findings: &mut Findings<'_>) {
    for child in elements(node) {
        if is(child, "clear") {
            config.recycle_on_file_change.clear();
        } else if is(child, "file") {
            if let Some(path) =
                required(child, "path", findings).filter(|path| not_empty(child, "path", path, findings))
            {
                let path = native_path(&expand(path, findings.environment));
                config.recycle_on_file_change.push(path);
            }
        } else {
            findings.fault(
                &tag(child),
                unknown_element("recycleOnFileChange", child.tag_name().name(), &["file", "clear"]),
            );
        }
    }
}

fn named_entries(
    node: Node<'_, '_>,
    item: &'static str,
    mut list: Vec<(String, String)>,
    findings: &mut Findings<'_>,
) -> Vec<(String, String)> {
    let mut places: HashMap<String, usize> =
        list.iter().enumerate().map(|(place, (name, _))| (name.to_ascii_uppercase(), place)).collect();
    let variables = item == "environmentVariable";
    for child in elements(node) {
        if is(child, "clear") {
            list.clear();
            places.clear();
            continue;
        }
        if !is(child, item) {
            findings.fault(&tag(child), wrong_item(node.tag_name().name(), child.tag_name().name(), item));
            continue;
        }
        unknown_attributes(child, item, findings);
        let name = required(child, "name", findings).filter(|name| not_empty(child, "name", name, findings));
        let value = required(child, "value", findings);
        let (Some(name), Some(value)) = (name, value) else { continue };
        if variables && name.contains('=') {
            let message = format!("a variable cannot have the name {}", quoted(name));
            findings.fault(&tag(child), Fault::new("bad-name", message).about("name").fix("remove the ="));
            continue;
        }
        let value = if variables { expand(value, findings.environment) } else { value.to_owned() };
        let entry = (name.to_owned(), value);
        if let Some(&place) = places.get(&name.to_ascii_uppercase()) {
            findings.note(
                &tag(child),
                NoteKind::Warning,
                "repeated-entry",
                repeated(item, &list[place].0, name),
            );
            list[place] = entry;
        } else {
            places.insert(name.to_ascii_uppercase(), list.len());
            list.push(entry);
        }
    }
    list
}

fn repeated(item: &str, earlier: &str, name: &str) -> String {
    if earlier == name {
        return format!("{item} {} is given twice; this one wins", quoted(name));
    }
    let (name, earlier) = (quoted(name), quoted(earlier));
    format!("{item} {name} differs from {earlier} in case only; they are one, and this wins")
}

fn wrong_item(parent: &str, name: &str, item: &'static str) -> Fault {
    let fault = unknown_element(parent, name, &[item, "clear"]);
    if name.eq_ignore_ascii_case("add") {
        fault.fix(format!("write {item} instead of add"))
    } else if name.eq_ignore_ascii_case("remove") {
        fault.fix("leave the entry out, or write <clear /> before those that are to stay")
    } else {
        fault
    }
}

fn unknown_attributes(node: Node<'_, '_>, item: &str, findings: &mut Findings<'_>) {
    for given in node.attributes() {
        if !["name", "value"].iter().any(|known| known.eq_ignore_ascii_case(given.name())) {
            let message = format!("{item} has no attribute {}", quoted(given.name()));
            let fault = Fault::new("unknown-attribute", message).about(given.name()).allowed("name, value");
            findings.fault(&given.range(), fault.fix("remove it, or write the right name"));
        }
    }
}

/// The value of an attribute that must be given.
fn required<'a>(node: Node<'a, '_>, name: &'static str, findings: &mut Findings<'_>) -> Option<&'a str> {
    let found = attribute(node, name).map(|attribute| attribute.value());
    if found.is_none() {
        let message = format!("{} has no {name}", node.tag_name().name());
        findings.fault(
            &tag(node),
            Fault::new("missing-attribute", message).about(name).fix(format!("add {name}=\"…\"")),
        );
    }
    found
}

fn not_empty(node: Node<'_, '_>, name: &'static str, value: &str, findings: &mut Findings<'_>) -> bool {
    if value.is_empty() {
        let range = attribute(node, name).map_or_else(|| tag(node), |attribute| attribute.range());
        findings.fault(
            &range,
            Fault::new("empty-value", format!("{name} is empty")).about(name).fix("give it a value"),
        );
    }
    !value.is_empty()
}
