//! What an application made for `HttpPlatformHandler` finds in its environment, beside what all find.
//!
//! The names differ from those of ANCM, the values do not. Such an application checks no token, so whoever can connect to
//! its port on this machine can ask it anything; that is so under IIS as well.

use ancm_tower::contract::variable;

use super::{Sources, Variables};
use crate::config::Config;

const TOKEN: &str = "HTTP_PLATFORM_TOKEN";
const APPL_PATH: &str = "HTTP_PLATFORM_APPL_PATH";
const IIS_HTTPAUTH: &str = "HTTP_PLATFORM_IIS_HTTPAUTH";
const IIS_WEBSOCKETS_SUPPORTED: &str = "HTTP_PLATFORM_IIS_WEBSOCKETS_SUPPORTED";

/// Sets them; `web.config` cannot change them.
pub(super) fn set(variables: &mut Variables, sources: &Sources, config: &Config, port: u16, token: &str) {
    let websockets = sources.websockets && config.web_socket_enabled;
    variables.set(variable::HTTP_PLATFORM_PORT, port.to_string());
    variables.set(TOKEN, token);
    variables.set(APPL_PATH, sources.appl_path.as_str());
    variables.set(IIS_HTTPAUTH, "anonymous;");
    variables.set(IIS_WEBSOCKETS_SUPPORTED, if websockets { "true" } else { "false" });
}
