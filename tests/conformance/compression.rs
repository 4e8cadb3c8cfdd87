//! What an application has compressed: `CompressionTests.cs`.

use crate::support::{
    app::App,
    client::{Client, get},
    frontend::Frontend,
};

#[test]
fn Z1_compressed_body_of_the_application_passes_byte_for_byte() {
    let Some(app) = App::site() else { return };
    let frontend = Frontend::serve(&app);
    let accept = "Accept-Encoding: gzip, deflate, br";
    let passed = frontend.connect().exchange(get("/gzip", &[accept]));
    // The same from the application itself, for which one needs its token.
    let environment = frontend.get("/env").json();
    let token =
        format!("MS-ASPNETCORE-TOKEN: {}", environment["ASPNETCORE_TOKEN"].as_str().expect("a token"));
    let backend = ([127, 0, 0, 1], frontend.started(1).port).into();
    let original = Client::connect(backend).exchange(get("/gzip", &[accept, &token]));
    assert_eq!(original.body[..2], [0x1f, 0x8b], "the magic number of gzip");
    assert_eq!(passed.body, original.body);
    for response in [&passed, &original] {
        assert_eq!(response.head.all("content-encoding"), ["gzip"]);
        assert_eq!(response.head.all("content-length"), [response.body.len().to_string()]);
    }
}
