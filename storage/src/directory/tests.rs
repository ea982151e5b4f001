use std::collections::BTreeMap;

use tempfile::TempDir;

use super::*;

const NODE: i32 = 1;

/// Every file below, with its content; directories with `None`.
fn snapshot(path: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(path).into_iter().flatten() {
        let path = entry.unwrap().path();
        all.insert(path.clone(), fs::read(&path).ok());
        all.extend(snapshot(&path));
    }
    all
}

fn identity_text(edit: &[(&str, &str)]) -> String {
    let identity = Identity {
        format_version: FORMAT_VERSION,
        directory_id: Uuid([7; 16]),
        cluster_id: "ours".to_owned(),
        node_id: NODE,
    };
    edit.iter().fold(identity.to_text(), |text, (from, to)| text.replace(from, to))
}

fn refusal(result: Result<Vec<LockedDirectory>, StorageError>) -> String {
    match result {
        Err(StorageError::Refused(sentence)) => sentence,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn what_is_not_ours_is_refused_and_left_alone() {
    let check = |files: &[(&str, &str)], expected: &str| {
        let root = TempDir::new().unwrap();
        let (path, fresh) = (root.path().join("data"), root.path().join("fresh"));
        fs::create_dir(&path).unwrap();
        for (name, content) in files {
            let file = path.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        let before = snapshot(root.path());
        let sentence = refusal(open_all(&[fresh, path.clone()], NODE, Some("ours")));
        assert!(sentence.contains(expected) && sentence.contains(path.to_str().unwrap()), "{sentence}");
        assert_eq!(snapshot(root.path()), before, "{expected}");
    };
    let damaged = |from, to| identity_text(&[(from, to)]);
    check(&[("meta.properties", "version=1")], "belongs to Apache Kafka (it holds meta.properties)");
    check(&[("orders-0/00000000000000000000.log", "")], "such as orders-0");
    check(&[("recovery-point-offset-checkpoint", "0"), ("a", "")], "Apache Kafka");
    check(&[("photo.jpg", "x"), (".lock", "")], "such as photo.jpg");
    check(&[(IDENTITY_FILE, &damaged("format.version=1", "format.version=99"))], "newer msgloop (format 99");
    check(&[(IDENTITY_FILE, "format.version=99")], "newer msgloop (format 99");
    check(&[(IDENTITY_FILE, "")], "damaged msgloop.properties: format.version");
    check(&[(IDENTITY_FILE, &damaged("directory.id=", "directory.id=!"))], "damaged msgloop.properties: directory.id");
    check(&[(IDENTITY_FILE, &damaged("node.id=1", "node.id=2"))], "belongs to node 2, not to node 1");
    check(&[(IDENTITY_FILE, &damaged("ours", "theirs"))], "belongs to cluster theirs, not to cluster ours");
}

#[test]
fn paths_that_cannot_be_log_directories_are_refused() {
    let root = TempDir::new().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "x").unwrap();
    let check = |path: PathBuf, expected: &str| {
        let sentence = refusal(open_all(&[path], NODE, None));
        assert!(sentence.contains(expected), "{sentence}");
    };
    check(file.clone(), "is not a directory");
    check(file.join("below"), "cannot be");
    check("/proc/msgloop/data".into(), "cannot be");
    assert_eq!(fs::read(&file).unwrap(), b"x");
}

#[test]
fn a_new_directory_is_made_private_and_found_again() {
    let root = TempDir::new().unwrap();
    let paths = [root.path().join("a/b"), root.path().join("c")];
    fs::create_dir(&paths[1]).unwrap();
    fs::create_dir(paths[1].join("lost+found")).unwrap();
    let first: Vec<Identity> = open_all(&paths, NODE, None).unwrap().iter().map(|one| one.identity().clone()).collect();
    assert_eq!(first[0].cluster_id, first[1].cluster_id);
    assert_ne!(first[0].directory_id, first[1].directory_id);
    for path in &paths {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, DIRECTORY_MODE);
    }
    let more = [paths[0].clone(), paths[1].clone(), root.path().join("new")];
    let again = open_all(&more, NODE, None).unwrap();
    assert_eq!(again[0].identity(), &first[0]);
    assert_eq!(again[1].identity(), &first[1]);
    assert_eq!(again[2].identity().cluster_id, first[0].cluster_id);
    assert_eq!(again[0].log_directory().id, first[0].directory_id);
}

#[test]
fn a_directory_in_use_is_refused_with_its_holder() {
    let root = TempDir::new().unwrap();
    let paths = [root.path().join("used")];
    let held = open_all(&paths, NODE, None).unwrap();
    let fresh = root.path().join("fresh");
    let sentence = refusal(open_all(&[fresh.clone(), paths[0].clone()], NODE, None));
    assert!(sentence.contains(&format!("is in use by another process (process {})", std::process::id())), "{sentence}");
    assert!(!fresh.exists());
    drop(held);
    open_all(&paths, NODE, None).unwrap();
}

#[test]
fn the_same_directory_twice_is_refused() {
    let root = TempDir::new().unwrap();
    let (path, link) = (root.path().join("a"), root.path().join("link"));
    let twice = refusal(open_all(&[path.clone(), path.clone()], NODE, None));
    assert!(twice.contains("listed twice") && !path.exists(), "{twice}");
    drop(open_all(std::slice::from_ref(&path), NODE, None).unwrap());
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(refusal(open_all(&[path.clone(), link], NODE, None)).contains("listed twice"));
    let copy = root.path().join("copy");
    fs::create_dir(&copy).unwrap();
    fs::copy(path.join(IDENTITY_FILE), copy.join(IDENTITY_FILE)).unwrap();
    assert!(refusal(open_all(&[path, copy], NODE, None)).contains("is a copy of"));
}

#[test]
fn a_start_that_died_while_taking_a_directory_over_is_repeated() {
    let root = TempDir::new().unwrap();
    fs::write(root.path().join(IDENTITY_TEMPORARY), "format.ver").unwrap();
    let opened = open_all(&[root.path().to_owned()], NODE, Some("c")).unwrap();
    assert_eq!(opened[0].identity().cluster_id, "c");
    assert!(!root.path().join(IDENTITY_TEMPORARY).exists());
}
