//! Which applications are served and where, as it is written on the command line.
//!
//! # Example
//!
//! ```
//! use ancm_frontend::cli::applications::Place;
//!
//! let place: Place = "shop.example.com/cart=/srv/cart".parse()?;
//! assert_eq!((place.binding.to_string().as_str(), place.dir.to_str()), ("shop.example.com/cart", Some("/srv/cart")));
//! # Ok::<(), ancm_frontend::cli::applications::PlaceError>(())
//! ```

use std::{path::PathBuf, str::FromStr};

use clap::Args;

use crate::{
    binding::{Binding, BindingError},
    config::{self, Parent},
};

/// The applications of a command.
#[derive(Clone, Debug, Default, Args)]
pub struct Applications {
    /// The folder that holds web.config; the same as --app /=DIR [default: ., unless there is --app]
    pub dir: Option<PathBuf>,
    /// An application of several: where it is served, with or without a host, and its folder; may be repeated
    #[arg(long = "app", value_name = "[HOST]/PATH=DIR", env = "ANCM_FRONTEND_APP", value_delimiter = ',')]
    pub places: Vec<Place>,
}

/// An application: where it is served, and from which folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where.
    pub binding: Binding,
    /// Its folder.
    pub dir: PathBuf,
}

/// An application and what it inherits from.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) binding: Binding,
    pub(super) dir: PathBuf,
    pub(super) parents: Vec<Parent>,
}

/// Why a text is no [`Place`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// No equals sign.
    #[error("the folder is missing: write {0}=DIR, for example /shop=/srv/shop")]
    NoDir(String),
    /// No binding.
    #[error(transparent)]
    Binding(#[from] BindingError),
}

/// Two applications at the same place.
#[derive(Debug, thiserror::Error)]
#[error(
    "{binding} is given to two applications, in {} and in {}: give one of them another path, or a host of its own \
     (--app shop.example.com/=DIR)",
    first.display(),
    second.display()
)]
pub(super) struct Twice {
    binding: Binding,
    first: PathBuf,
    second: PathBuf,
}

// === impl Place ===

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (binding, dir) = text.split_once('=').unwrap_or((text, ""));
        // What is wrong about the left side is said first: it may be a folder.
        let parsed = binding.parse()?;
        if dir.is_empty() {
            return Err(PlaceError::NoDir(binding.to_owned()));
        }
        Ok(Self { binding: parsed, dir: dir.into() })
    }
}

// === impl Applications ===

impl Applications {
    /// Serves the folder alone.
    pub fn only(dir: PathBuf) -> Self {
        Self { dir: Some(dir), places: Vec::new() }
    }

    /// Whether they were given by their places, so that each is to be called by it.
    pub(super) fn are_named(&self) -> bool {
        !self.places.is_empty()
    }

    /// All of them, the folder that stands alone first, each with what it inherits from.
    pub(super) fn placed(&self) -> Result<Vec<Placed>, Twice> {
        let alone = match &self.dir {
            Some(dir) => Some(dir.clone()),
            None => self.places.is_empty().then(|| PathBuf::from(".")),
        };
        let alone = alone.map(|dir| (Binding::root(), dir));
        let named = self.places.iter().map(|place| (place.binding.clone(), place.dir.clone()));
        let all: Vec<(Binding, PathBuf)> = alone.into_iter().chain(named).collect();
        for (index, (binding, second)) in all.iter().enumerate() {
            if let Some((_, first)) = all[..index].iter().find(|(other, _)| other.is_same_as(binding)) {
                let (binding, first, second) = (binding.clone(), first.clone(), second.clone());
                return Err(Twice { binding, first, second });
            }
        }
        let placed = |(binding, dir): &(Binding, PathBuf)| Placed {
            binding: binding.clone(),
            dir: dir.clone(),
            parents: config::parents(binding, &all),
        };
        Ok(all.iter().map(placed).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applications(dir: Option<&str>, places: &[&str]) -> Applications {
        let places = places.iter().map(|text| text.parse().unwrap()).collect();
        Applications { dir: dir.map(PathBuf::from), places }
    }

    fn shown(dir: Option<&str>, places: &[&str]) -> Vec<String> {
        let shown = |placed: &Placed| {
            let parents: Vec<_> =
                placed.parents.iter().map(|parent| parent.folder.display().to_string()).collect();
            format!("{}={} {}", placed.binding, placed.dir.display(), parents.join(" "))
        };
        applications(dir, places).placed().unwrap().iter().map(shown).collect()
    }

    #[test]
    fn a_folder_alone_is_served_at_the_root() {
        assert_eq!(shown(None, &[]), ["/=. "]);
        assert_eq!(shown(Some("x"), &[]), ["/=x "]);
        assert_eq!(shown(Some("x"), &["/app=y"]), ["/=x ", "/app=y x"]);
        assert_eq!(shown(None, &["/app=y"]), ["/app=y "]);
    }

    #[test]
    fn a_place_that_is_none_says_what_to_write() {
        for (text, part) in [
            ("/srv/shop", "write /srv/shop=DIR"),
            ("/shop=", "write /shop=DIR"),
            ("shop=/srv/shop", "begins with a slash"),
            ("shop.example.com:80/=x", "the port after -l"),
        ] {
            let error = text.parse::<Place>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert_eq!("/=a=b".parse::<Place>().unwrap().dir, PathBuf::from("a=b"));
    }

    #[test]
    fn two_at_the_same_place_are_refused_with_both_folders() {
        for (dir, places) in [(Some("one"), ["/=two", "/x=y"]), (None, ["/App/=one", "/app=two"])] {
            let error = applications(dir, &places).placed().unwrap_err().to_string();
            assert!(error.contains("in one and in two: give one of them another path"), "{error}");
        }
    }
}
