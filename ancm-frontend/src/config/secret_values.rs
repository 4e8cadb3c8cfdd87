//! Finds the secrets among environment variables, so that they can be kept out of what applications print.
//!
//! # Example
//!
//! ```text
//! API_TOKEN=0123456789                  ─► 0123456789
//! DATABASE=Server=db;Password=hunter2   ─► Server=db;Password=hunter2, hunter2
//! ASPNETCORE_ENVIRONMENT=Production     ─► nothing
//! ```

use super::secrets::{holds_secret, is_secret_name};

/// Shorter ones are words, numbers and switches that would be masked all over the place.
const SHORTEST: usize = 6;

/// The names of passwords in connection strings.
const PASSWORDS: &[&str] = &[
    "password",
    "pwd",
    "passwd",
    "accountkey",
    "sharedaccesskey",
    "sharedaccesssignature",
    "secret",
    "apikey",
];

/// The shell's current folder and the one before, which are no passwords, and stand in whatever names a file.
const FOLDERS: &[&str] = &["PWD", "OLDPWD"];

/// All that must not be seen of these names and values.
pub(crate) fn secret_values<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in variables {
        let has_secret_name = is_secret_name(name) && !FOLDERS.contains(&name);
        if has_secret_name || holds_secret(value) {
            found.push(value);
            found.extend(of_connection_string(value));
            found.extend(of_url(value));
        }
    }
    let unquoted = |text: &&str| text.trim_matches(['"', '\'']).len() >= SHORTEST;
    found.retain(unquoted);
    found.into_iter().map(|text| text.trim_matches(['"', '\'']).to_owned()).collect()
}

/// `Server=db;Password=hunter2`.
fn of_connection_string(value: &str) -> impl Iterator<Item = &str> {
    value.split(';').filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        let name = name.trim();
        PASSWORDS.iter().any(|known| known.eq_ignore_ascii_case(name)).then_some(value.trim())
    })
}

/// `scheme://user:password@host`.
fn of_url(value: &str) -> impl Iterator<Item = &str> {
    value.split("://").skip(1).filter_map(|rest| {
        let authority = rest.split(['/', '?', '#']).next()?;
        let (user, _) = authority.rsplit_once('@')?;
        user.split_once(':').map(|(_, password)| password)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, value: &str) -> Vec<String> {
        secret_values([(name, value)])
    }

    #[test]
    fn a_value_is_secret_by_its_name_or_by_what_it_carries() {
        assert_eq!(found("Payment__ApiKey", "0123456789"), ["0123456789"]);
        assert_eq!(found("X", "Bearer 0123"), ["Bearer 0123"]);
        assert_eq!(found("ASPNETCORE_ENVIRONMENT", "Production"), [""; 0]);
        assert_eq!(found("PWD", "/srv/site"), [""; 0]);
        assert_eq!(found("DB_PWD", "/srv/site"), ["/srv/site"]);
    }

    #[test]
    fn the_password_inside_of_a_value_is_one_by_itself() {
        let value = "Server=db; Password = 'hunter2';User=me";
        assert_eq!(found("ConnectionStrings__Default", value), [value, "hunter2"]);
        let value = "postgres://me:hunter2@db/shop";
        assert_eq!(found("DATABASE", value), [value, "hunter2"]);
    }

    #[test]
    fn short_values_are_not_worth_it() {
        assert_eq!(found("USE_KEYS", "true"), [""; 0]);
        assert_eq!(found("PASSWORD", "12345"), [""; 0]);
        assert_eq!(found("DATABASE", "Server=db;Password=1"), ["Server=db;Password=1"]);
    }
}
