//! How much the error pages of an application may say.

use super::Config;

/// A link for error pages.
// ANCM: config_utility.h and file_utility.cpp.
const LINK: &str = "ANCM_ADDITIONAL_ERROR_PAGE_LINK";

impl Config {
    /// Whether failures may be shown in detail, to whoever asks.
    // ANCM: the process's own environment is asked first here, other than for the backend; an empty value is none.
    pub fn shows_details(&self, environment: &dyn Fn(&str) -> Option<String>) -> bool {
        let value = |name: &str| {
            let given = |value: &String| !value.is_empty();
            let own = environment(name).filter(given);
            own.or_else(|| self.variable(name).map(str::to_owned).filter(given)).unwrap_or_default()
        };
        let detailed = value("ASPNETCORE_DETAILEDERRORS");
        detailed == "1"
            || detailed.eq_ignore_ascii_case("true")
            || ["ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT"]
                .iter()
                .any(|name| value(name).eq_ignore_ascii_case("development"))
    }
}

/// The administrator's link for error pages, if there is one.
pub(crate) fn link(environment: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    environment(LINK).filter(|link| !link.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    fn find(pairs: Pairs<'_>, name: &str) -> Option<String> {
        pairs.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn knows_when_details_may_be_shown() {
        let cases: [(Pairs<'_>, Pairs<'_>, bool); 9] = [
            (&[], &[], false),
            (&[], &[("ASPNETCORE_DETAILEDERRORS", "1")], true),
            (&[], &[("ASPNETCORE_DETAILEDERRORS", "TRUE")], true),
            (&[], &[("ASPNETCORE_DETAILEDERRORS", "yes")], false),
            (&[], &[("aspnetcore_environment", "development")], true),
            (&[("DOTNET_ENVIRONMENT", "Development")], &[], true),
            (
                &[("ASPNETCORE_ENVIRONMENT", "Production")],
                &[("ASPNETCORE_ENVIRONMENT", "Development")],
                false,
            ),
            (&[("ASPNETCORE_ENVIRONMENT", "")], &[("ASPNETCORE_ENVIRONMENT", "Development")], true),
            (&[("ASPNETCORE_ENVIRONMENT", "Staging")], &[], false),
        ];
        for (inherited, configured, expected) in cases {
            let variables = configured.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            let config = Config { environment_variables: variables.collect(), ..Config::default() };
            let shows = config.shows_details(&|name| find(inherited, name));
            assert_eq!(shows, expected, "{inherited:?} {configured:?}");
        }
    }

    #[test]
    fn an_empty_link_is_none() {
        let of = |value: &str| link(&|name| find(&[("ANCM_ADDITIONAL_ERROR_PAGE_LINK", value)], name));
        assert_eq!(of("https://help.test").as_deref(), Some("https://help.test"));
        assert_eq!(of(""), None);
    }
}
