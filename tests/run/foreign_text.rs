//! What others wrote, quoted in an error: a terminal must not obey it.

use std::os::unix::ffi::OsStrExt as _;
use std::process::Output;

use andon::domain::Untrusted;
use rstest::rstest;

use super::place::Place;

/// Sets the title, turns the text around, hides, piles up.
const EVIL: &str = "e\u{1b}]0;mine\u{7}\u{9b}2J\u{202e}\u{2066}\u{200b}\u{1bca0}\u{13430}\u{3164}\u{301}\u{301}\u{301}\u{301}z";

/// Everything on stderr is visible, and something was taken out of it.
fn assert_harmless(output: &Output) {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_ne!(output.status.code(), Some(0), "{said:?}");
    for line in said.lines() {
        assert_eq!(Untrusted::new(line).sanitize(usize::MAX).as_str(), line);
    }
    assert!(said.contains('…'), "nothing was taken out: {said:?}");
}

#[rstest]
#[case::an_option(&["run", "--EVIL"])]
#[case::a_subcommand(&["EVIL"])]
#[case::a_value(&["run", "--speed", "EVIL"])]
#[case::a_market(&["run", "--market", "EVIL"])]
#[case::a_set_option(&["config", "check", "--set", "risk.EVIL=1"])]
#[case::a_set_value(&["config", "check", "--set", "orchestration.consensus.high=EVIL"])]
#[case::a_replay(&["run", "--market", "replay:EVIL.csv"])]
#[case::a_script(&["run", "--operator-script", "EVIL"])]
#[case::a_directory(&["since", "1h", "--data-dir", "EVIL"])]
#[case::a_time(&["since", "EVIL"])]
#[case::an_id(&["audit", "show", "--id", "EVIL"])]
#[case::a_symbol(&["why", "EVIL"])]
#[case::a_backup(&["state", "import", "EVIL", "--data-dir", "new"])]
fn arguments_and_file_names_are_quoted_harmlessly(#[case] args: &[&str]) {
    let place = Place::new();
    let args: Vec<String> = args.iter().map(|arg| arg.replace("EVIL", EVIL)).collect();
    assert_harmless(&place.andon(&args.iter().map(String::as_str).collect::<Vec<_>>()));
}

#[rstest]
#[case::a_key("risk.yaml", "EVIL: 1\n", &["config", "check", "--config", "."])]
#[case::a_value("risk.yaml", "size: {balanced_pct: EVIL}\n", &["config", "check", "--config", "."])]
#[case::broken_yaml("risk.yaml", "size: *EVIL\n", &["config", "check", "--config", "."])]
#[case::a_command("s.yaml", "- { at: 1h, do: EVIL }\n", &["run", "--speed", "max", "--no-console", "--operator-script", "s.yaml"])]
#[case::an_instant("s.yaml", "- { at: EVIL, do: pause }\n", &["run", "--speed", "max", "--no-console", "--operator-script", "s.yaml"])]
#[case::a_row("XBTUSDT_1.csv", "EVIL,1,1,1,1,1,1\n", &["run", "--speed", "max", "--no-console", "--market", "replay:XBTUSDT_1.csv"])]
fn what_is_in_files_is_quoted_harmlessly(#[case] name: &str, #[case] content: &str, #[case] args: &[&str]) {
    let place = Place::new();
    // YAML itself refuses control characters, and names them by number.
    let evil =
        if name.ends_with("yaml") { EVIL.replace(|c: char| c.is_control(), "") } else { EVIL.to_owned() };
    place.write(name, &content.replace("EVIL", &evil));
    assert_harmless(&place.andon(args));
}

#[test]
fn a_manifest_of_a_backup_is_quoted_harmlessly() {
    let place = Place::new();
    let mut file = tar_header(EVIL);
    file.extend([0; 1_024]);
    std::fs::write(place.path().join("b.tar"), file).unwrap();
    assert_harmless(&place.andon(&["state", "import", "b.tar", "--data-dir", "new"]));
}

/// The header of an empty file of this name (ustar).
fn tar_header(name: &str) -> Vec<u8> {
    let mut header = vec![0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000600\0");
    header[124..136].copy_from_slice(b"00000000000\0");
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..263].copy_from_slice(b"ustar\0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}

#[test]
fn a_line_break_in_a_name_makes_no_message_of_its_own() {
    let place = Place::new();
    let name = std::ffi::OsStr::from_bytes(b"x\nandon: all is well\n.yaml");
    std::fs::write(place.path().join(name), "a: 1\n").unwrap();
    let output = place.andon(&["config", "check", "--config", "."]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().filter(|line| line.starts_with("andon:")).count(), 1, "{said}");
}

#[test]
fn a_long_value_does_not_bury_what_to_do() {
    let place = Place::new();
    place.write("risk.yaml", &format!("size: {{balanced_pct: {}}}\n", "x".repeat(100_000)));
    let output = place.andon(&["config", "check", "--config", "."]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.len() < 4_000, "{} bytes", said.len());
    assert!(said.contains("risk.yaml:1:8: size.balanced_pct") && said.contains('…'), "{said}");
}
