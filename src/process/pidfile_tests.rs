use std::os::unix::fs::symlink;

use super::*;

fn directory() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("name.pid");
    (dir, path)
}

#[test]
fn it_is_empty_until_published_and_gone_with_its_owner() {
    let (_dir, path) = directory();
    let file = PidFile::take(&path).expect("free");
    assert_eq!(fs::read_to_string(&path).expect("there"), "");
    file.publish().expect("written");
    assert_eq!(fs::read_to_string(&path).expect("there"), format!("{}\n", std::process::id()));
    drop(file);
    assert!(!path.exists());
}

#[test]
fn whatever_nobody_holds_is_replaced() {
    let planted: [&[u8]; 6] =
        [b"", b"1\n", b"-1\n", b"99999999999999999999\n", b"\x00\xff\xfe", b"no pid"];
    for content in planted {
        let (_dir, path) = directory();
        fs::write(&path, content).expect("planted");
        assert!(holder(&path).expect("readable").is_none(), "{content:?} names nobody");
        let file = PidFile::take(&path).expect("free");
        file.publish().expect("written");
        assert_eq!(fs::read_to_string(&path).expect("there"), format!("{}\n", std::process::id()));
    }
}

#[test]
fn links_are_not_followed() {
    let (dir, path) = directory();
    let precious = dir.path().join("precious");
    fs::write(&precious, "1\n").expect("written");
    symlink(&precious, &path).expect("planted");
    assert!(holder(&path).expect("readable").is_none());
    drop(PidFile::take(&path).expect("free"));

    fs::hard_link(&precious, &path).expect("planted");
    assert!(holder(&path).expect("readable").is_none());
    drop(PidFile::take(&path).expect("free"));
    assert_eq!(fs::read_to_string(&precious).expect("there"), "1\n");
}

#[test]
fn a_fifo_neither_blocks_nor_stays() {
    let (_dir, path) = directory();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("planted");
    assert!(holder(&path).expect("readable").is_none());
    assert!(PidFile::take(&path).is_ok());
}

#[test]
fn only_its_own_file_is_removed() {
    let (dir, path) = directory();
    let file = PidFile::take(&path).expect("free");
    let moved = dir.path().join("moved.pid");
    fs::rename(&path, &moved).expect("renamed by another");
    fs::write(&path, "another's").expect("written");
    drop(file);
    assert!(!moved.exists(), "it follows its file");
    assert!(path.exists(), "it leaves another's");

    let file = PidFile::take(&path).expect("free");
    fs::remove_file(&path).expect("removed by another");
    fs::write(&path, "another's").expect("written");
    drop(file);
    assert!(path.exists());
}
