//! What an application inherits from: the files above it in its site.
//!
//! IIS reads a `web.config` at each step of an application's path: at the root of its site, in each folder or
//! application on the way, and at last in its own folder.

use std::{
    cmp::Reverse,
    path::{Path, PathBuf},
};

use crate::binding::Binding;

/// A folder that an application lies below in its site, and inherits from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The folder of its `web.config`, which may have none.
    pub folder: PathBuf,
    /// The path from it to the application, such as `shop` or `shop/admin`.
    pub below: String,
}

/// What an application inherits from, given all applications and their folders; the outermost first.
///
/// Those are the applications above it for the same host, and the folders within them on the way to it.
///
/// # Example
///
/// ```
/// use ancm_frontend::config;
///
/// let site = [("/".parse()?, "/srv/main".into()), ("/shop/admin".parse()?, "/srv/admin".into())];
/// let parents = config::parents(&site[1].0, &site);
/// assert_eq!(parents[0].folder.to_str(), Some("/srv/main"));
/// assert_eq!(parents[1].folder.to_str(), Some("/srv/main/shop"));
/// assert_eq!(parents[1].below, "admin");
/// # Ok::<(), ancm_frontend::binding::BindingError>(())
/// ```
pub fn parents(of: &Binding, applications: &[(Binding, PathBuf)]) -> Vec<Parent> {
    let above =
        |(binding, folder): &'_ (Binding, PathBuf)| Some((of.below(binding)?.to_owned(), folder.clone()));
    let mut above: Vec<(String, PathBuf)> = applications.iter().filter_map(above).collect();
    above.sort_by_key(|(below, _)| Reverse(below.len()));
    let mut parents = Vec::new();
    for (index, (below, folder)) in above.iter().enumerate() {
        let nearer = above.get(index + 1).map_or("", |(below, _)| below);
        add_folders(folder, below, nearer, &mut parents);
    }
    parents
}

/// The folder of an application, and those in it on the way down, until a nearer application takes over.
fn add_folders(folder: &Path, below: &str, nearer: &str, parents: &mut Vec<Parent>) {
    let (mut folder, mut below) = (folder.to_owned(), below);
    while below.len() > nearer.len() {
        parents.push(Parent { folder: folder.clone(), below: below.to_owned() });
        let Some((segment, rest)) = below.split_once('/') else { return };
        folder.push(segment);
        below = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parents_of(binding: &str, applications: &[(&str, &str)]) -> Vec<(String, String)> {
        let applications: Vec<_> =
            applications.iter().map(|(at, folder)| (at.parse().unwrap(), PathBuf::from(folder))).collect();
        let parents = parents(&binding.parse().unwrap(), &applications);
        parents.into_iter().map(|parent| (parent.folder.display().to_string(), parent.below)).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(folder, below)| ((*folder).to_owned(), (*below).to_owned())).collect()
    }

    #[test]
    fn each_step_of_the_path_is_a_folder_or_an_application() {
        let site = [("/a/b/c/d", "own"), ("/A/b", "B"), ("/", "R"), ("/a/bb", "no"), ("h/a", "no")];
        assert_eq!(
            parents_of("/a/b/c/d", &site),
            pairs(&[("R", "a/b/c/d"), ("R/a", "b/c/d"), ("B", "c/d"), ("B/c", "d")])
        );
        assert_eq!(parents_of("/a/b", &site), pairs(&[("R", "a/b"), ("R/a", "b")]));
    }

    #[test]
    fn an_application_with_none_above_it_inherits_nothing() {
        assert_eq!(parents_of("/", &[("/", "R"), ("/a", "A")]), []);
        assert_eq!(parents_of("/b/c", &[("/a", "A"), ("/b/c", "own"), ("/b/c/d", "inner")]), []);
    }
}
