//! `rewrite`: names each rule that is switched on, since a redirect to HTTPS often stands nowhere else.

use roxmltree::Node;

use super::{
    super::{error::quoted, findings::Findings},
    NoteKind, elements, is, tag, value,
};

/// Remarks on the section.
pub(super) fn look(section: Node<'_, '_>, findings: &mut Findings<'_>) {
    for list in elements(section) {
        let outbound = is(list, "outboundRules");
        if outbound || is(list, "rules") || is(list, "globalRules") {
            for rule in elements(list).filter(|node| is(*node, "rule")) {
                if !value(rule, "enabled").eq_ignore_ascii_case("false") {
                    let text = describe(rule, outbound);
                    findings.note(&tag(rule), NoteKind::NotHonoured, "rewrite-rule", text);
                }
            }
        }
    }
}

/// ASP.NET Core understands such rules itself.
const INSTEAD: &str = "let UseRewriter in the application read the rules, by AddIISUrlRewrite";

fn describe(rule: Node<'_, '_>, outbound: bool) -> String {
    let name = quoted(value(rule, "name"));
    if outbound {
        return format!("rewrite: rule {name} does not change answers; let the application set its headers");
    }
    let action = elements(rule).find(|node| is(*node, "action"));
    let kind = action.map_or("", |action| value(action, "type"));
    let url = action.map_or("", |action| value(action, "url"));
    if kind.eq_ignore_ascii_case("Redirect") && url.to_ascii_lowercase().starts_with("https://") {
        return format!(
            "rewrite: rule {name} does not redirect to https; call UseHttpsRedirection in the application"
        );
    }
    let does = match kind.to_ascii_lowercase().as_str() {
        "redirect" => format!("does not redirect to {}", quoted(url)),
        "rewrite" => format!("does not rewrite to {}", quoted(url)),
        "customresponse" | "abortrequest" => "does not refuse requests".to_owned(),
        _ => "does nothing".to_owned(),
    };
    format!("rewrite: rule {name} {does}; {INSTEAD}")
}

#[cfg(test)]
mod tests {
    use super::super::{NoteKind, tests::assert_notes};

    fn assert_rule(rule: &str, part: &str) {
        assert_notes(
            &format!("<rewrite><rules>{rule}</rules></rewrite>"),
            "",
            &[(NoteKind::NotHonoured, part)],
        );
    }

    #[test]
    fn each_rule_is_named_with_what_it_would_do() {
        assert_rule(
            "<rule name='HTTPS'><action type='Redirect' url='https://{HTTP_HOST}/{R:1}'/></rule>",
            "\"HTTPS\" does not redirect to https; call UseHttpsRedirection",
        );
        assert_rule(
            "<rule name='www'><action type='Redirect' url='http://x'/></rule>",
            "redirect to \"http://x\"",
        );
        assert_rule("<rule name='spa'><action type='Rewrite' url='/'/></rule>", "rewrite to \"/\"");
        assert_rule("<rule name='no'><action type='AbortRequest'/></rule>", "refuse");
    }

    #[test]
    fn a_rule_that_is_switched_off_is_not() {
        assert_notes("<rewrite><rules><rule name='a' enabled='false'/></rules></rewrite>", "", &[]);
    }

    #[test]
    fn outbound_rules_are_named_too() {
        let rules = "<rewrite><outboundRules><rule name='hsts'/></outboundRules></rewrite>";
        assert_notes(rules, "", &[(NoteKind::NotHonoured, "\"hsts\" does not change answers")]);
    }
}
