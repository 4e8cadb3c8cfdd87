//! How long it takes to understand a `web.config`.
//!
//!     cargo bench --bench config
//!
//! A frontend reads the file when it starts and whenever the file changes; somebody waits for it then, and requests
//! may be held meanwhile.

use std::{fmt::Write, hint::black_box, path::Path, time::Duration};

use ancm_frontend::config::{ConfigErrors, Loaded, parse};
use criterion::{BenchmarkId, Criterion, Throughput};

/// What `dotnet publish` writes.
const PUBLISHED: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <location path="." inheritInChildApplications="false">
    <system.webServer>
      <handlers>
        <add name="aspNetCore" path="*" verb="*" modules="AspNetCoreModuleV2" resourceType="Unspecified" />
      </handlers>
      <aspNetCore processPath="dotnet" arguments=".\Shop.dll" stdoutLogEnabled="false" stdoutLogFile=".\logs\stdout" hostingModel="inprocess" />
    </system.webServer>
  </location>
</configuration>
<!--ProjectGuid: 5C9D3A0B-7E44-4C3A-9A42-9B1C6A5E2D10-->
"#;

/// Each setting that there is, and variables.
const EVERYTHING: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <location path="." inheritInChildApplications="false">
    <system.webServer>
      <security>
        <requestFiltering removeServerHeader="true">
          <requestLimits maxAllowedContentLength="104857600" />
        </requestFiltering>
      </security>
      <httpProtocol>
        <customHeaders>
          <add name="X-Content-Type-Options" value="nosniff" />
          <remove name="X-Powered-By" />
        </customHeaders>
      </httpProtocol>
      <handlers>
        <add name="aspNetCore" path="*" verb="*" modules="AspNetCoreModuleV2" resourceType="Unspecified" />
      </handlers>
      <aspNetCore processPath="%APPS%/shop/Shop" arguments="--mode web --data &quot;%APPS%/data files&quot;"
                  startupTimeLimit="60" shutdownTimeLimit="20" rapidFailsPerMinute="5" requestTimeout="00:05:00"
                  stdoutLogEnabled="true" stdoutLogFile="%APPS%/logs/stdout" processesPerApplication="2"
                  forwardWindowsAuthToken="false" disableStartUpErrorPage="true" hostingModel="OutOfProcess">
        <environmentVariables>
          <environmentVariable name="ASPNETCORE_ENVIRONMENT" value="Production" />
          <environmentVariable name="ConnectionStrings__Shop" value="Host=db;Database=shop;Username=shop" />
          <environmentVariable name="DOTNET_gcServer" value="1" />
        </environmentVariables>
        <handlerSettings>
          <handlerSetting name="debugLevel" value="file" />
        </handlerSettings>
      </aspNetCore>
    </system.webServer>
  </location>
</configuration>
"#;

/// Nearly everything here is wrong.
const FAULTY: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <system.webServer>
    <aspNetCore procesPath="dotnet" startupTimeLimit="7200" shutdownTimeLimit="-1" rapidFailsPerMinute="many"
                requestTimeout="5 minutes" processesPerApplication="0" hostingModel="both" stdoutLogEnabled="yes">
      <environmentVariables>
        <environmentVariable name="A" value="1" />
        <environmentVariable name="a" value="2" />
        <environmentVariable value="3" />
      </environmentVariables>
    </aspNetCore>
  </system.webServer>
</configuration>
"#;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let rewrites = with_rewrite_rules(400);
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain(EVERYTHING.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let files: [(&str, &[u8]); 5] = [
        ("as published", PUBLISHED.as_bytes()),
        ("every setting", EVERYTHING.as_bytes()),
        ("every setting, UTF-16", &utf16),
        ("every setting, and 400 rewrite rules", rewrites.as_bytes()),
        ("full of faults", FAULTY.as_bytes()),
    ];
    let mut group = criterion.benchmark_group("web.config");
    for (name, bytes) in files {
        let understood = understand(bytes);
        assert_eq!(understood.is_ok(), name != "full of faults", "{name}: {:?}", understood.err());
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| understand(black_box(bytes)));
        });
    }
    group.finish();
    criterion.final_summary();
}

fn understand(bytes: &[u8]) -> Result<Loaded, ConfigErrors> {
    let (file, site) = (Path::new("/srv/shop/web.config"), Path::new("/srv/shop"));
    parse(bytes, file, site, &|name| (name == "APPS").then(|| "/srv".to_owned()))
}

/// A file as sites of a certain age have it: most of it is for another module.
fn with_rewrite_rules(rules: usize) -> String {
    let mut rewrite = String::from("<rewrite><rules>\n");
    for rule in 0..rules {
        // Writing into a string does not fail.
        let _ = writeln!(
            rewrite,
            r#"<rule name="moved {rule}"><match url="^old/{rule}$" /><action type="Redirect" url="/new/{rule}" /></rule>"#
        );
    }
    rewrite.push_str("</rules></rewrite>\n");
    EVERYTHING.replacen("<handlers>", &(rewrite + "<handlers>"), 1)
}
