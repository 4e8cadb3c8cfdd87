//! `security`: most of it keeps people out, so leaving it out is a risk; `access` is honoured.

use roxmltree::Node;

use super::{
    super::{findings::Findings, note::NoteKind, values::ssl_flags},
    elements, is, not_honoured, tag, value,
};

/// Kinds of login that may be switched on, and what they are called.
const LOGINS: &[(&str, &str)] = &[
    ("basicAuthentication", "basic authentication"),
    ("digestAuthentication", "digest authentication"),
    ("clientCertificateMappingAuthentication", "login by client certificate"),
    ("iisClientCertificateMappingAuthentication", "login by client certificate"),
];

/// Remarks on the section.
pub(super) fn look(section: Node<'_, '_>, findings: &mut Findings<'_>) {
    look_for_risks(section, findings);
    for child in elements(section) {
        if is(child, "requestFiltering") {
            request_filtering(child, findings);
        } else if is(child, "dynamicIpSecurity") {
            not_honoured(
                child,
                "dynamicIpSecurity",
                "clients are not refused for asking too often",
                "call UseRateLimiter in the application",
                findings,
            );
        }
    }
}

/// What keeps people out.
fn look_for_risks(section: Node<'_, '_>, findings: &mut Findings<'_>) {
    for child in elements(section) {
        if is(child, "authentication") {
            elements(child).for_each(|login| authentication(login, findings));
        } else if is(child, "authorization") {
            authorization(child, findings);
        } else if is(child, "ipSecurity") {
            ip_security(child, findings);
        } else if is(child, "access") {
            access(child, findings);
        }
    }
}

fn risk(
    node: Node<'_, '_>,
    code: &'static str,
    section: &'static str,
    text: impl Into<String>,
    findings: &mut Findings<'_>,
) {
    findings.risk(&tag(node), code, section, text);
}

fn authentication(login: Node<'_, '_>, findings: &mut Findings<'_>) {
    let enabled = value(login, "enabled");
    if is(login, "anonymousAuthentication") && enabled.eq_ignore_ascii_case("false") {
        let text =
            "anonymousAuthentication is off, but everyone is let in: let the application ask for a login";
        risk(login, "anonymous-authentication", "anonymousAuthentication", text, findings);
    } else if enabled.eq_ignore_ascii_case("true") {
        if is(login, "windowsAuthentication") {
            let text = "windowsAuthentication is on, but Windows authentication cannot work here: nobody is asked to \
                        log in, and the application sees no identity";
            risk(login, "windows-authentication", "windowsAuthentication", text, findings);
        } else if let Some((name, what)) = LOGINS.iter().find(|(name, _)| is(login, name)) {
            let text = format!("{name} is on, but there is no {what} here");
            risk(login, "authentication", name, text, findings);
        }
    }
}

fn authorization(section: Node<'_, '_>, findings: &mut Findings<'_>) {
    let open_to_all = |rule: Node<'_, '_>| {
        is(rule, "add")
            && value(rule, "accessType").eq_ignore_ascii_case("Allow")
            && value(rule, "users") == "*"
            && matches!(value(rule, "verbs"), "" | "*")
    };
    if elements(section).any(|rule| !open_to_all(rule)) {
        let text = "authorization: its rules are not applied, everyone is let in";
        risk(section, "authorization", "authorization", text, findings);
    }
}

fn ip_security(section: Node<'_, '_>, findings: &mut Findings<'_>) {
    let closed = value(section, "allowUnlisted").eq_ignore_ascii_case("false");
    if closed || elements(section).any(|entry| is(entry, "add")) {
        let text = "ipSecurity: addresses are not checked, everyone is let in; restrict them in the firewall";
        risk(section, "ip-security", "ipSecurity", text, findings);
    }
}

/// What it demands is enforced; what it hopes for depends on the listeners.
fn access(section: Node<'_, '_>, findings: &mut Findings<'_>) {
    let given = value(section, "sslFlags");
    let Ok(demands) = ssl_flags(given) else { return };
    let has = |flag: &str| given.split(',').any(|other| other.trim().eq_ignore_ascii_case(flag));
    let mut note = |kind, code, text: &str| findings.note(&tag(section), kind, code, text);
    if demands.tls {
        let text =
            "access sslFlags: plain http is answered 403.4; `ancm run` needs an https:// address for it";
        note(NoteKind::Honoured, "access", text);
    }
    if demands.certificate {
        let text = "access sslFlags: clients without a certificate are answered 403.7; `ancm run` needs \
                    --tls-client-cert request for it";
        note(NoteKind::Honoured, "access", text);
    } else if has("SslNegotiateCert") {
        let text = "access sslFlags: clients are asked for a certificate only with --tls-client-cert request";
        note(NoteKind::Info, "negotiate-certificate", text);
    }
    if has("SslMapCert") {
        let text = "access sslFlags: a client certificate is not mapped to a Windows account; the application sees it";
        note(NoteKind::NotHonoured, "map-certificate", text);
    }
}

fn request_filtering(section: Node<'_, '_>, findings: &mut Findings<'_>) {
    for child in elements(section) {
        if is(child, "requestLimits") {
            request_limits(child, findings);
        } else {
            denials(child, findings);
        }
    }
}

fn request_limits(section: Node<'_, '_>, findings: &mut Findings<'_>) {
    if elements(section).any(|child| elements(child).any(|entry| is(entry, "add"))) {
        let instead = "measure them in the application; all of a request have at most 32 KiB";
        not_honoured(section, "headerLimits", "single headers are not measured", instead, findings);
    }
}

/// Lists that name what is refused.
fn denials(list: Node<'_, '_>, findings: &mut Findings<'_>) {
    let denied = |node: Node<'_, '_>| value(node, "allowed").eq_ignore_ascii_case("false");
    let adds = || elements(list).filter(|entry| is(*entry, "add"));
    let refuses = if is(list, "verbs") || is(list, "fileExtensions") {
        value(list, "allowUnlisted").eq_ignore_ascii_case("false") || adds().any(denied)
    } else if is(list, "hiddenSegments")
        || is(list, "denyUrlSequences")
        || is(list, "denyQueryStringSequences")
    {
        adds().next().is_some()
    } else {
        is(list, "filteringRules") && elements(list).any(|rule| is(rule, "filteringRule"))
    };
    if refuses {
        let (what, instead) = ("requests that it denies reach the application", "let that refuse them");
        not_honoured(list, list.tag_name().name(), what, instead, findings);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NoteKind, tests::assert_notes};

    fn assert_security(inside: &str, expected: &[(NoteKind, &str)]) {
        assert_notes(&format!("<security>{inside}</security>"), "", expected);
    }

    #[test]
    fn what_keeps_people_out_is_a_risk() {
        for (inside, part) in [
            (
                "<authentication><anonymousAuthentication enabled='false'/></authentication>",
                "everyone is let in",
            ),
            ("<authentication><windowsAuthentication enabled='True'/></authentication>", "cannot work here"),
            (
                "<authentication><basicAuthentication enabled='true'/></authentication>",
                "basicAuthentication is on",
            ),
            (
                "<authorization><remove users='*'/><add accessType='Allow' roles='x'/></authorization>",
                "authorization",
            ),
            ("<ipSecurity allowUnlisted='false'/>", "ipSecurity"),
            ("<ipSecurity><add ipAddress='10.0.0.1' allowed='false'/></ipSecurity>", "ipSecurity"),
        ] {
            assert_security(inside, &[(NoteKind::Risk, part)]);
        }
    }

    #[test]
    fn what_keeps_nobody_out_is_none() {
        for inside in [
            "<authentication><anonymousAuthentication enabled='true'/><windowsAuthentication enabled='false'/></authentication>",
            "<authorization><add accessType='Allow' users='*'/></authorization>",
            "<ipSecurity allowUnlisted='true'/>",
            "<access sslFlags='None'/>",
            "<requestFiltering allowDoubleEscaping='true'><requestLimits maxAllowedContentLength='1'/></requestFiltering>",
            "<requestFiltering><verbs><add verb='PUT' allowed='true'/></verbs></requestFiltering>",
            "<requestFiltering><hiddenSegments><remove segment='bin'/></hiddenSegments></requestFiltering>",
        ] {
            assert_security(inside, &[]);
        }
    }

    #[test]
    fn demands_on_connections_are_honoured_and_say_what_they_need() {
        for (flags, expected) in [
            ("Ssl128", &[(NoteKind::Honoured, "needs an https:// address")][..]),
            (
                "Ssl, SslNegotiateCert, SslRequireCert",
                &[(NoteKind::Honoured, "403.4"), (NoteKind::Honoured, "needs --tls-client-cert request")],
            ),
            ("SslNegotiateCert", &[(NoteKind::Info, "only with --tls-client-cert request")]),
            ("SslMapCert", &[(NoteKind::NotHonoured, "Windows account")]),
        ] {
            assert_security(&format!("<access sslFlags='{flags}'/>"), expected);
        }
    }

    #[test]
    fn denials_and_limits_are_named() {
        for (inside, part) in [
            ("<verbs><add verb='TRACE' allowed='false'/></verbs>", "verbs"),
            ("<fileExtensions allowUnlisted='false'/>", "fileExtensions"),
            ("<hiddenSegments><add segment='x'/></hiddenSegments>", "hiddenSegments"),
            ("<denyUrlSequences><add sequence='..'/></denyUrlSequences>", "denyUrlSequences"),
            (
                "<requestLimits><headerLimits><add header='a' sizeLimit='1'/></headerLimits></requestLimits>",
                "headerLimits",
            ),
        ] {
            assert_security(
                &format!("<requestFiltering>{inside}</requestFiltering>"),
                &[(NoteKind::NotHonoured, part)],
            );
        }
    }
}
