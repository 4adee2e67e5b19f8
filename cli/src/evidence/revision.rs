//! The commit that a working folder is at, read from the files of its git repository.
//!
//! The program `git` is not asked: the configuration of a repository can make it run other programs, and the
//! folder may come from a stranger. Source: gitrepository-layout(5).

use std::fs;
use std::path::{Path, PathBuf};

/// Longest chain of symbolic references that is followed.
const MOST_REFERENCES: usize = 5;

/// Hexadecimal digits of a commit: SHA-1 or SHA-256.
const DIGITS: [usize; 2] = [40, 64];

/// The commit that is checked out in the repository around `folder`; `None` outside of repositories and before
/// the first commit.
pub fn revision(folder: &Path) -> Option<String> {
    let repository = folder.ancestors().find_map(repository)?;
    // The references of a linked working tree are in the repository that it belongs to.
    let common = fs::read_to_string(repository.join("commondir"));
    let common = common.map_or_else(|_| repository.clone(), |path| repository.join(path.trim()));
    let mut content = fs::read_to_string(repository.join("HEAD")).ok()?;
    for _ in 0..MOST_REFERENCES {
        let Some(name) = content.trim().strip_prefix("ref: ") else { break };
        if !is_reference(name) {
            return None;
        }
        content = fs::read_to_string(common.join(name)).ok().or_else(|| packed(&common, name))?;
    }
    commit(content.trim())
}

/// The repository of a working tree; a file `.git` names the repository of a linked one.
fn repository(tree: &Path) -> Option<PathBuf> {
    let git = tree.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    let text = fs::read_to_string(git).ok()?;
    Some(tree.join(text.strip_prefix("gitdir: ")?.trim()))
}

/// Whether a name is that of a branch or tag, and not a path to somewhere else.
fn is_reference(name: &str) -> bool {
    name.starts_with("refs/") && !name.split('/').any(|part| part == "..")
}

/// The commit of a reference in the file of packed references, where each line is a commit and a name.
fn packed(common: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(common.join("packed-refs")).ok()?;
    let commit = text.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' '))?;
    Some(commit.to_owned())
}

fn commit(text: &str) -> Option<String> {
    let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (DIGITS.contains(&text.len()) && is_hexadecimal).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn branches_packed_branches_and_linked_trees() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let below = folder.path().join("deep/er");
        fs::create_dir_all(&below).unwrap();
        write(".git/HEAD", "ref: refs/heads/main\n");
        assert_eq!(revision(&below), None);
        write(".git/packed-refs", &format!("# pack-refs\n{COMMIT} refs/heads/main\n"));
        assert_eq!(revision(&below).as_deref(), Some(COMMIT));
        let other = COMMIT.replace('0', "f");
        write(".git/refs/heads/main", &format!("{other}\n"));
        assert_eq!(revision(&below), Some(other));
        write(".git/worktrees/tree/HEAD", &format!("{COMMIT}\n"));
        write(".git/worktrees/tree/commondir", "../..\n");
        write("tree/.git", "gitdir: ../.git/worktrees/tree\n");
        assert_eq!(revision(&folder.path().join("tree")).as_deref(), Some(COMMIT));
        write(".git/worktrees/tree/HEAD", "ref: refs/heads/../../../secret\n");
        write("secret", &format!("{COMMIT}\n"));
        assert_eq!(revision(&folder.path().join("tree")), None);
        write(".git/HEAD", "not a commit\n");
        assert_eq!(revision(folder.path()), None);
    }
}
