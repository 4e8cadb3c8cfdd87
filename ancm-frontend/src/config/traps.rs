//! What real files look like: each way to write one that has misled a reader of `web.config` before.

use std::path::Path;

use super::{ConfigErrors, Loaded, NoteKind, parse};

const APP: &str = "<aspNetCore processPath='dotnet' arguments='.\\App.dll' />";

fn parsed(text: &str) -> Result<Loaded, ConfigErrors> {
    let environment = |name: &str| name.eq_ignore_ascii_case("home").then(|| "/home/x".to_owned());
    parse(text.as_bytes(), Path::new("w"), Path::new("/s"), &environment)
}

/// A file with this inside of `system.webServer`.
fn file(inside: &str) -> String {
    format!("<configuration><system.webServer>{inside}</system.webServer></configuration>")
}

fn codes(loaded: &Loaded) -> Vec<&str> {
    loaded.notes.iter().map(|note| note.code).collect()
}

#[test]
fn trap_1_byte_order_marks_and_declarations_of_every_kind() {
    for declaration in [
        "",
        "<?xml version='1.0'?>",
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n",
        "<?xml version='1.0' encoding='UTF-8'?>",
    ] {
        let text = format!("{declaration}{}", file(APP));
        parsed(&text).unwrap();
        parsed(&format!("\u{feff}{text}")).unwrap();
    }
    let utf16 = format!("\u{feff}<?xml version='1.0' encoding='utf-16'?>{}", file(APP));
    let bytes: Vec<u8> = utf16.encode_utf16().flat_map(u16::to_le_bytes).collect();
    parse(&bytes, Path::new("w"), Path::new("/s"), &|_| None).unwrap();
}

#[test]
fn trap_2_a_stray_letter_before_the_declaration() {
    let text = parsed(&format!("b<?xml version='1.0'?>{}", file(APP))).unwrap_err().to_string();
    assert!(text.starts_with("w:1:1: this is not XML: it begins with \"b\""), "{text}");
}

#[test]
fn trap_3_comments_before_after_and_in_place_of_things() {
    let text = format!(
        "<?xml version='1.0'?><!-- лицензия --><configuration><system.webServer>{APP}<!-- {} --></system.webServer>\
         </configuration>\n<!--ProjectGuid: 1-->",
        "<aspNetCore processPath='other'/>"
    );
    assert_eq!(parsed(&text).unwrap().config.process_path, "dotnet");
    let only = parsed(&file(&format!("<!-- {APP} -->"))).unwrap_err().to_string();
    assert!(only.contains("aspNetCore stands in a comment only"), "{only}");
}

#[test]
fn trap_4_a_source_folder_has_no_section_yet() {
    let text = parsed(&file("<handlers/>")).unwrap_err().to_string();
    assert!(text.contains("dotnet publish"), "{text}");
}

#[test]
fn trap_5_both_halves_of_a_file_count() {
    let text = format!(
        "<configuration><location path='.'><system.webServer><handlers/>{APP}</system.webServer></location>\
         <system.webServer><security><requestFiltering removeServerHeader='true'><requestLimits \
         maxAllowedContentLength='104857600'/></requestFiltering></security><httpProtocol><customHeaders>\
         <add name='X-Frame-Options' value='DENY'/></customHeaders></httpProtocol></system.webServer></configuration>"
    );
    let config = parsed(&text).unwrap().config;
    assert_eq!((config.process_path.as_str(), config.max_allowed_content_length), ("dotnet", 104_857_600));
    assert!(config.remove_server_header);
    assert_eq!(config.custom_headers.len(), 1);
}

#[test]
fn trap_6_locations_with_and_without_a_path() {
    for location in [
        "<location path='.' inheritInChildApplications='false'>",
        "<location path=\".\">",
        "<location>",
        "<location path=''>",
        "<LOCATION Path='./' allowOverride='true'>",
    ] {
        let end = if location.starts_with("<L") { "</LOCATION>" } else { "</location>" };
        let text = format!(
            "<configuration>{location}<system.webServer>{APP}</system.webServer>{end}</configuration>"
        );
        assert_eq!(parsed(&text).unwrap().config.process_path, "dotnet", "{location}");
    }
    let text = format!(
        "<configuration><location path='sub'><system.webServer>{APP}</system.webServer></location></configuration>"
    );
    assert!(parsed(&text).unwrap_err().to_string().contains("is for the path \"sub\" only"));
}

#[test]
fn trap_7_a_processing_instruction_is_no_markup() {
    let inside = "<aspNetCore processPath='a'><environmentVariables>\
        <?ap-config <environmentVariable name='A' value='b' /> ?></environmentVariables></aspNetCore>";
    assert!(parsed(&file(inside)).unwrap().config.environment_variables.is_empty());
}

#[test]
fn trap_8_stray_text_between_elements() {
    let headers = "<httpProtocol><customHeaders><add name='A' value='b' />;\n<add name='C' value='d' />;\
        </customHeaders></httpProtocol>";
    let loaded = parsed(&file(&format!("{APP}{headers}"))).unwrap();
    assert_eq!(loaded.config.custom_headers.len(), 2);
    assert_eq!(codes(&loaded).iter().filter(|code| **code == "stray-text").count(), 2);
}

#[test]
fn trap_9_any_case_of_names_and_words() {
    let text = "<Configuration><SYSTEM.WEBSERVER><aspnetcore PROCESSPATH='a' HostingModel='InPROCESS' \
        stdoutLogEnabled='True'/><websocket Enabled='False'/><SECURITY><requestfiltering REMOVESERVERHEADER='True'>\
        <requestlimits MAXURL='5'/></requestfiltering></SECURITY></SYSTEM.WEBSERVER></Configuration>";
    let config = parsed(text).unwrap().config;
    assert!(config.stdout_log_enabled && config.remove_server_header && !config.web_socket_enabled);
    assert_eq!(config.max_url, Some(5));
}

#[test]
fn trap_10_any_order_of_sections_entries_and_attributes() {
    let text = file(
        "<webSocket enabled='false'/><handlers><add name='aspNetCore' path='*' verb='*' modules='AspNetCoreModuleV2'/>\
         <remove name='WebDAV'/></handlers>\n<aspNetCore\n\targuments='x'\n\tprocessPath='a'>\n<environmentVariables>\
         <environmentVariable value='1' name='A'/></environmentVariables></aspNetCore><modules/>",
    );
    let loaded = parsed(&text).unwrap();
    assert_eq!(loaded.config.variable("a"), Some("1"));
    assert_eq!(codes(&loaded), [""; 0]);
}

#[test]
fn trap_11_namespaces_on_the_root_and_inside() {
    let text = format!(
        "<configuration xmlns:xdt='http://schemas.microsoft.com/XML-Document-Transform' \
         xmlns='http://schemas.microsoft.com/.NetConfiguration/v2.0'><runtime><assemblyBinding \
         xmlns='urn:schemas-microsoft-com:asm.v1'><dependentAssembly/></assemblyBinding></runtime>\
         <system.webServer>{APP}</system.webServer></configuration>"
    );
    assert_eq!(parsed(&text).unwrap().config.process_path, "dotnet");
}

#[cfg(unix)]
#[test]
fn trap_12_entities_quotes_and_variables_in_values() {
    let inside = "<aspNetCore processPath='a' arguments='&quot;x y&quot; &amp;&amp; a>b' stdoutLogFile='\\\\?\\%home%\\L'/>\
        <httpProtocol><customHeaders><add name='CSP' value=\"default-src 'self' data:\"/></customHeaders></httpProtocol>";
    let config = parsed(&file(inside)).unwrap().config;
    assert_eq!(config.arguments, "\"x y\" && a>b");
    assert_eq!(config.stdout_log_file, "/home/x/L");
    assert_eq!(config.custom_headers[0].1, "default-src 'self' data:");
}

#[test]
fn trap_13_misspelt_names_get_the_near_one() {
    let loaded = parsed(&file(&format!("{APP}<httpErrors existingReponse='PassThrough'/>"))).unwrap();
    assert!(loaded.notes[0].text.ends_with("existingResponse is meant"), "{:?}", loaded.notes);
    let text = parsed(&file(&format!("{APP}<webSocket enable='false'/>"))).unwrap_err().to_string();
    assert!(text.ends_with("fix: write enabled"), "{text}");
}

#[test]
fn trap_14_leftovers_of_another_machine() {
    let text = format!(
        "<configuration><system.web><compilation tempDirectory='C:\\Inetpub\\vhosts\\x\\tmp'/></system.web>\
         <system.webServer>{}</system.webServer></configuration>",
        "<aspNetCore processPath='bin\\Debug\\net8.0\\App.exe' arguments='C:\\x\\App.dll'/>"
    );
    let loaded = parsed(&text).unwrap();
    assert_eq!(loaded.config.process_path, r"bin\Debug\net8.0\App.exe");
    assert_eq!(loaded.notes[0].kind, NoteKind::NoEffect);
}

#[test]
fn trap_15_a_section_twice_is_a_fault_and_a_group_twice_is_none() {
    let text = format!(
        "<configuration><system.webServer>{APP}</system.webServer><system.webServer><webSocket \
        enabled='false'/></system.webServer></configuration>"
    );
    assert!(!parsed(&text).unwrap().config.web_socket_enabled);
    for section in
        [APP, "<webSocket/>", "<security><requestFiltering><requestLimits/></requestFiltering></security>"]
    {
        let text = parsed(&file(&format!("{APP}{section}{section}"))).unwrap_err().to_string();
        assert!(text.contains("is given twice"), "{text}");
    }
}
