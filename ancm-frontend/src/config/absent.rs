//! Says why a file has no `aspNetCore` element where it must be.

use std::ops::Range;

use roxmltree::{Document, Node};

use super::{
    error::{Fault, quoted},
    nearest::nearest,
    xml::{Layout, elements, is, tag},
};

const PATH: &str = "configuration/system.webServer/aspNetCore";

/// The fault, and its place.
pub(super) fn explain(document: &Document<'_>, layout: &Layout<'_, '_>) -> (Fault, Range<usize>) {
    let root = document.root_element();
    let fault = |message: String| Fault::new("missing-section", message).about("aspNetCore");
    if let Some(node) = root.descendants().find(|node| is(*node, "aspNetCore")) {
        return misplaced(node, layout);
    }
    if let Some(node) = misspelt(root, layout) {
        let message = format!("{} is not an element of this place", quoted(node.tag_name().name()));
        let meant = if layout.web_servers.is_empty() { "system.webServer" } else { "aspNetCore" };
        return (fault(message).fix(format!("write {meant}")), tag(node));
    }
    let web_server_child = |name| {
        layout.web_servers.iter().flat_map(|(_, node)| elements(*node)).find(move |node| is(*node, name))
    };
    if let Some(node) = web_server_child("iisnode") {
        let message =
            "this site is made for iisnode, which is not supported: there is no aspNetCore".to_owned();
        let fix = "add <aspNetCore processPath=\"node\" arguments=\"server.js\" />; its process must listen on the port in PORT";
        return (fault(message).fix(fix), tag(node));
    }
    if let Some(comment) = commented_out(document) {
        let message = "aspNetCore stands in a comment only".to_owned();
        return (fault(message).fix("run `dotnet publish`, or remove the comment marks"), comment.range());
    }
    let message =
        format!("there is no {PATH}: in a source folder the file has none, `dotnet publish` adds it");
    (fault(message).fix("run `dotnet publish -c Release` and serve the folder that it writes"), tag(root))
}

fn misplaced(node: Node<'_, '_>, layout: &Layout<'_, '_>) -> (Fault, Range<usize>) {
    let location = node.ancestors().find(|above| is(*above, "location"));
    if let Some((path, _)) = layout.below.iter().find(|(_, below)| Some(*below) == location) {
        let message = format!("aspNetCore is for the path {} only, not for this folder", quoted(path));
        let fix = "serve that folder, or write <location path=\".\">";
        return (Fault::new("missing-section", message).about("aspNetCore").fix(fix), tag(node));
    }
    let parent = node.parent_element().map_or("", |parent| parent.tag_name().name());
    let message = format!("aspNetCore stands in {}, where it means nothing", quoted(parent));
    let fix = format!("move it to {PATH}");
    (Fault::new("missing-section", message).about("aspNetCore").fix(fix), tag(node))
}

/// The element that was probably meant to be `aspNetCore` or the `system.webServer` around it.
fn misspelt<'a, 'i>(root: Node<'a, 'i>, layout: &Layout<'a, 'i>) -> Option<Node<'a, 'i>> {
    let near = |node: &Node<'a, 'i>, name| nearest(node.tag_name().name(), [name]).is_some();
    if layout.web_servers.is_empty() {
        let places = elements(root).filter(|node| is(*node, "location")).chain([root]);
        return places
            .flat_map(elements)
            .find(|node| near(node, "system.webServer") && !is(*node, "system.web"));
    }
    layout.web_servers.iter().flat_map(|(_, node)| elements(*node)).find(|node| near(node, "aspNetCore"))
}

fn commented_out<'a, 'i>(document: &'a Document<'i>) -> Option<Node<'a, 'i>> {
    let mut comments = document.root().descendants().filter(Node::is_comment);
    comments
        .find(|comment| comment.text().is_some_and(|text| text.to_ascii_lowercase().contains("<aspnetcore")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse;

    fn fault(inside: &str) -> String {
        let text = format!("<configuration>\n{inside}</configuration>");
        let errors = parse(text.as_bytes(), Path::new("w"), Path::new("/s"), &|_| None).unwrap_err();
        assert_eq!(errors.faults().len(), 1);
        errors.to_string()
    }

    fn web_server(inside: &str) -> String {
        format!("<system.webServer>{inside}</system.webServer>")
    }

    #[test]
    fn a_file_of_a_source_folder_says_that_publishing_adds_the_section() {
        for inside in [String::new(), web_server("<handlers/>"), "<system.web/>".into()] {
            let text = fault(&inside);
            assert!(
                text.starts_with("w:1:1: there is no configuration/system.webServer/aspNetCore: in a source"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_section_in_a_comment_is_found() {
        let text = fault(&web_server("<!-- <aspNetCore processPath='x'/> -->"));
        assert!(text.starts_with("w:2:19: aspNetCore stands in a comment only"), "{text}");
    }

    #[test]
    fn a_misspelt_element_is_named_with_the_right_name() {
        let text = fault(&web_server("<aspNetCor processPath='x'/>"));
        assert!(text.contains("w:2:19: \"aspNetCor\"") && text.ends_with("write aspNetCore"), "{text}");
        let text = fault("<systemwebServer><aspnetcor/></systemwebServer>");
        assert!(
            text.contains("w:2:1: \"systemwebServer\"") && text.ends_with("write system.webServer"),
            "{text}"
        );
    }

    #[test]
    fn a_section_in_another_place_says_where_it_belongs() {
        let text = fault("<aspNetCore processPath='x'/>");
        assert!(text.contains("stands in \"configuration\""), "{text}");
        let text = fault(&format!("<location path='admin'>{}</location>", web_server("<aspNetCore/>")));
        assert!(text.contains("is for the path \"admin\" only"), "{text}");
    }

    #[test]
    fn sites_of_other_modules_are_told_so() {
        let text = fault(&web_server("<iisnode watchedFiles='*.js'/>"));
        assert!(text.contains("made for iisnode"), "{text}");
    }
}
