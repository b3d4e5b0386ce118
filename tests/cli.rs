//! The program as the operator's shell sees it: output, error text, exit code.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails as the test does")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use andon::domain::Timestamp;
use andon::store::{DataDir, Holder, InstanceLock};
use rstest::rstest;
use tempfile::TempDir;

/// A home of its own, so that the configuration of whoever runs the tests has no say.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn andon(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_andon"))
            .args(args)
            .current_dir(self.path())
            .env("HOME", self.path())
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_DATA_HOME")
            .output()
            .unwrap()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn assert_fails(output: &Output, code: i32, text: &str) {
    assert_eq!(output.status.code(), Some(code), "{}", stderr(output));
    assert!(stderr(output).contains(text), "{text:?} is not in: {}", stderr(output));
    assert_eq!(stdout(output), "", "an error belongs on stderr");
}

#[test]
fn help_shows_examples_options_and_exit_codes() {
    let output = Home::new().andon(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    for text in
        ["Examples:", "--market <MARKET>", "--speed <N|max>", "Exit codes: 0 ok", "andon config check"]
    {
        assert!(stdout(&output).contains(text), "{text:?} is not in: {}", stdout(&output));
    }
}

#[test]
fn version_is_that_of_the_package() {
    let output = Home::new().andon(&["--version"]);
    assert_eq!(stdout(&output), format!("andon {}\n", env!("CARGO_PKG_VERSION")));
}

#[rstest]
#[case::unknown_option(&["--sped", "max"], "--speed")]
#[case::unknown_word(&["rum"], "run")]
#[case::unknown_market(&["--market", "mars"], "write simulated or replay:FILE")]
#[case::later_market(&["run", "--market", "kraken"], "not in this version")]
#[case::wrong_speed(&["--speed", "0"], "from 1 to 3600, or max")]
#[case::wrong_span(&["--for", "soon"], "such as 90m, 24h or 30d")]
#[case::anchors_at_full_speed(&["--speed", "max", "--anchors", "a"], "--anchors: a run at full speed")]
#[case::missing_candles(&["--market", "replay:none.csv"], "--market replay: none.csv: No such file")]
#[case::candles_are_a_directory(&["--market", "replay:."], "--market replay: .: not a file")]
#[case::missing_script(&["--operator-script", "none.yaml"], "--operator-script: none.yaml: No such file")]
#[case::missing_directory(&["--config", "none"], "none: cannot read this configuration directory")]
#[case::wrong_set(&["--set", "risk.cooldown.losses=0"], "allowed: 1 to 100")]
#[case::unknown_set(&["config", "check", "--set", "riks.size=0"], "did you mean `risk`?")]
#[case::unknown_file(&["config", "show", "keys"], "it is one of orchestration")]
#[case::nothing_ever_ran(&["audit", "verify"], "no run has left data in ")]
#[case::no_journal_there(&["audit", "verify", "--data-dir", "none"], "there is no journal in none")]
fn wrong_usage_exits_2_and_says_what_is_allowed(#[case] args: &[&str], #[case] text: &str) {
    assert_fails(&Home::new().andon(args), 2, text);
}

#[test]
fn the_defaults_are_fine() {
    let output = Home::new().andon(&["config", "check"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("the configuration is fine; its fingerprint is "));
}

#[rstest]
#[case::empty("", "risk.yaml: the file is empty; remove it")]
#[case::broken("stop: [", "risk.yaml:2:1: not readable as YAML")]
#[case::unknown_key("sise:\n  x: 1\n", "risk.yaml:1:1: sise: not a key; did you mean `size`?")]
fn a_wrong_file_exits_2_with_its_line(#[case] yaml: &str, #[case] text: &str) {
    let home = Home::new();
    fs::write(home.path().join("risk.yaml"), yaml).unwrap();
    for args in [&["config", "check", "--config", "."][..], &["--config", "."], &["keys", "--config", "."]] {
        assert_fails(&home.andon(args), 2, text);
    }
}

#[test]
fn the_configuration_at_home_is_found_without_being_named() {
    let home = Home::new();
    let dir = home.path().join(".config/andon");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("portfolio.yaml"), "dca:\n  legs_max: 4\n").unwrap();
    let shown = stdout(&home.andon(&["config", "show", "portfolio"]));
    assert!(shown.contains("  legs_max: 4\n"), "{shown}");
    assert!(shown.starts_with("# portfolio.yaml: the defaults, "), "{shown}");
}

#[test]
fn show_prints_every_file_and_what_set_changed() {
    let output = Home::new().andon(&["config", "show", "--set", "portfolio.dca.legs_max=4"]);
    let text = stdout(&output);
    for file in ["orchestration", "agents", "risk", "portfolio", "execution", "console"] {
        assert!(text.contains(&format!("# {file}.yaml: the defaults")), "{file}");
    }
    assert!(
        text.contains("# portfolio.yaml: the defaults, --set\n") && text.contains("  legs_max: 4\n"),
        "{text}"
    );
}

#[test]
fn init_writes_what_check_accepts_and_overwrites_nothing() {
    let home = Home::new();
    let written = home.andon(&["config", "init", "mine"]);
    assert_eq!(stdout(&written).lines().count(), 6);
    assert_eq!(home.andon(&["config", "check", "--config", "mine"]).status.code(), Some(0));
    assert_fails(&home.andon(&["config", "init", "mine"]), 2, "exists already and is left as it is");
}

#[test]
fn a_warning_is_said_and_stops_nothing() {
    let output = Home::new().andon(&["config", "check", "--set", "orchestration.schedules.concurrent_max=2"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("andon: warning: "), "{}", stderr(&output));
}

#[test]
fn keys_lists_what_each_key_does() {
    let text = stdout(&Home::new().andon(&["keys"]));
    let words = |line: &str| line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>();
    let listed: Vec<_> = text.lines().map(words).collect();
    for (action, key) in [("pause", "p"), ("halt", "H"), ("halt_anywhere", "Ctrl-X")] {
        assert!(listed.contains(&vec![action.to_owned(), key.to_owned()]), "{action} {key}: {text}");
    }
}

/// Leaves the journal of a short run in `<home>/.local/share/andon/<name>`.
fn leave_a_journal(home: &Home, name: &str) -> PathBuf {
    let dir = home.path().join(".local/share/andon").join(name);
    let dir_arg = dir.to_str().unwrap().to_owned();
    let args = ["--no-console", "--speed", "max", "--for", "2h", "--data-dir", &dir_arg];
    let output = home.andon(&args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    dir
}

#[test]
fn audit_verify_says_records_head_and_that_the_chain_is_sound() {
    let home = Home::new();
    let journal = leave_a_journal(&home, "one").join("journal/00000001.log");
    let text = fs::read_to_string(journal).unwrap();
    let head = text.lines().last().unwrap().split(' ').next().unwrap();
    let output = home.andon(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let expected = format!("{} records, head {head}, chain sound\n", text.lines().count());
    assert_eq!(stdout(&output), expected);
}

#[test]
fn audit_verify_names_the_first_bad_record() {
    let home = Home::new();
    let dir = leave_a_journal(&home, "one");
    let journal = dir.join("journal/00000001.log");
    let text = fs::read_to_string(&journal).unwrap();
    let changed: Vec<_> = text
        .lines()
        .enumerate()
        .map(|(i, line)| if i == 4 { line.replacen("\"seq\":5", "\"seq\":6", 1) } else { line.to_owned() })
        .collect();
    fs::write(&journal, changed.join("\n") + "\n").unwrap();
    assert_fails(&home.andon(&["audit", "verify"]), 1, "first bad record #5: ");
}

#[test]
fn audit_verify_notices_records_cut_off_the_end() {
    let home = Home::new();
    let dir = leave_a_journal(&home, "one");
    let journal = dir.join("journal/00000001.log");
    let text = fs::read_to_string(&journal).unwrap();
    let lines: Vec<_> = text.lines().collect();
    fs::write(&journal, lines[..lines.len() - 1].join("\n") + "\n").unwrap();
    assert_fails(&home.andon(&["audit", "verify"]), 1, "are lost");
    // Without `HEAD` the checkpoint still knows, and no backup is made of what is left.
    fs::remove_file(dir.join("journal/HEAD")).unwrap();
    assert_fails(&home.andon(&["audit", "verify"]), 1, "are lost");
    let export = home.andon(&["state", "export", "backup.tar", "--data-dir", dir.to_str().unwrap()]);
    assert_fails(&export, 1, "are lost");
    assert!(!home.path().join("backup.tar").exists());
    // Beside a running instance its marker does.
    let lock = InstanceLock::take(&DataDir::look_at(&dir), Holder { pid: 1, since: Timestamp::from_secs(0) });
    assert_fails(&home.andon(&["audit", "verify"]), 1, "are lost");
    drop(lock.unwrap());
}

#[test]
fn audit_verify_holds_the_journal_against_anchors_that_were_kept_elsewhere() {
    let home = Home::new();
    let journal = leave_a_journal(&home, "one").join("journal/00000001.log");
    let text = fs::read_to_string(journal).unwrap();
    let hashes: Vec<_> = text.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let kept = |anchors: &str| {
        fs::write(home.path().join("kept"), anchors).unwrap();
        home.andon(&["audit", "verify", "--anchors", "kept"])
    };

    let fine = kept(&format!("3 {}\n9 {}\n", hashes[2], hashes[8]));
    assert_eq!(fine.status.code(), Some(0), "{}", stderr(&fine));
    let another = kept(&format!("3 {}\n9 {}\n", hashes[2], hashes[9]));
    assert_fails(&another, 1, "first bad record #9: the chain is not the one that was anchored here");
    let longer = kept(&format!("{} {}\n", hashes.len() + 1, hashes[0]));
    assert_fails(&longer, 1, "are lost");
    assert_fails(&kept(&format!("3 {}\nnine\n", hashes[2])), 2, "--anchors: kept:2: not an anchor: want");
    let none = home.andon(&["audit", "verify", "--anchors", "nothing"]);
    assert_fails(&none, 2, "--anchors: nothing: No such file");
}

#[test]
fn audit_verify_lists_the_directories_when_there_are_several() {
    let home = Home::new();
    for name in ["one", "two"] {
        leave_a_journal(&home, name);
    }
    let output = home.andon(&["audit", "verify"]);
    assert_fails(&output, 2, "andon/one\n");
    assert_fails(&output, 2, "andon/two\n");
}

/// A tar archive with one entry changed.
fn changed_backup(from: &Path, to: &Path, name: &str, change: impl Fn(&mut Vec<u8>)) {
    let mut archive = tar::Archive::new(fs::File::open(from).unwrap());
    let mut builder = tar::Builder::new(fs::File::create(to).unwrap());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let (path, mut header, mut bytes) =
            (entry.path().unwrap().into_owned(), entry.header().clone(), vec![]);
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        if path == Path::new(name) {
            change(&mut bytes);
        }
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, path, bytes.as_slice()).unwrap();
    }
    builder.finish().unwrap();
}

#[test]
fn a_backup_gives_the_same_journal_and_state_elsewhere_and_the_next_run_goes_on_from_it() {
    let home = Home::new();
    let dir = leave_a_journal(&home, "one");
    let often = ["--set", "orchestration.store.segment_records=100"];
    let more = ["--no-console", "--speed", "max", "--for", "1d", "--data-dir", dir.to_str().unwrap()];
    assert_eq!(home.andon(&[&more[..], &often].concat()).status.code(), Some(0));
    assert!(dir.join("journal/00000003.log").exists(), "every segment begins with a state that is compared");
    let head = |name: &str| {
        let output = home.andon(&["audit", "verify", "--data-dir", name]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };

    let exported = home.andon(&["state", "export", "backup.tar"]);
    assert_eq!(exported.status.code(), Some(0), "{}", stderr(&exported));
    let imported = home.andon(&["state", "import", "backup.tar", "--verify", "--data-dir", "copy"]);
    assert_eq!(imported.status.code(), Some(0), "{}", stderr(&imported));

    let state = |text: &str| text.trim_end().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(state(&stdout(&exported)), state(&stdout(&imported)));
    assert_eq!(head("copy"), head(dir.to_str().unwrap()));
    for name in ["venue.log", "identity.json", "run"] {
        assert_eq!(fs::read(home.path().join("copy").join(name)).unwrap(), fs::read(dir.join(name)).unwrap());
    }
    let next = home.andon(&["--no-console", "--speed", "max", "--for", "1h", "--data-dir", "copy"]);
    assert_eq!(next.status.code(), Some(0), "{}", stderr(&next));
    assert!(stdout(&next).contains("paused because restarted"), "{}", stdout(&next));
    assert!(stdout(&next).contains("PAUSED"), "{}", stdout(&next));
    let records = stdout(&home.andon(&["audit", "export", "--data-dir", "copy"]));
    assert_eq!(records.matches("\"run_ended\"").count(), 3, "the runs before the backup and the one after");
    assert!(!records.contains("checkpoint_rebuilt"), "a backup holds no checkpoint, so none is lost");
}

#[test]
fn a_backup_overwrites_nothing() {
    let home = Home::new();
    leave_a_journal(&home, "one");
    assert_eq!(home.andon(&["state", "export", "backup.tar"]).status.code(), Some(0));
    let before = fs::read(home.path().join("backup.tar")).unwrap();

    assert_fails(&home.andon(&["state", "export", "backup.tar"]), 2, "exists already and is left as it is");
    fs::create_dir(home.path().join("full")).unwrap();
    fs::write(home.path().join("full/thesis.tex"), "x").unwrap();
    let refused = home.andon(&["state", "import", "backup.tar", "--data-dir", "full"]);

    assert_fails(&refused, 2, "full is not empty; name a new directory");
    assert_eq!(fs::read(home.path().join("backup.tar")).unwrap(), before);
    assert_eq!(fs::read_dir(home.path().join("full")).unwrap().count(), 1);
}

#[test]
fn a_backup_that_is_not_as_it_was_written_is_refused_and_leaves_no_directory() {
    let home = Home::new();
    leave_a_journal(&home, "one");
    assert_eq!(home.andon(&["state", "export", "backup.tar"]).status.code(), Some(0));
    let (whole, bad) = (home.path().join("backup.tar"), home.path().join("bad.tar"));
    let refused = |text: &str| {
        for verify in [&["--verify"][..], &[]] {
            let import = ["state", "import", "bad.tar", "--data-dir", "copy"];
            assert_fails(&home.andon(&[&import, verify].concat()), 1, text);
            assert!(!home.path().join("copy").exists() && !home.path().join("copy.importing").exists());
        }
    };

    for name in ["venue.log", "run", "journal/00000001.log", "journal/HEAD"] {
        changed_backup(&whole, &bad, name, |bytes| bytes[0] ^= 1);
        refused(&format!("{name} is not as it was exported"));
    }
    let newer = |bytes: &mut Vec<u8>| {
        let text = String::from_utf8(std::mem::take(bytes)).unwrap();
        *bytes = text.replacen("\"andon_backup\": 1", "\"andon_backup\": 2", 1).into_bytes();
    };
    changed_backup(&whole, &bad, "manifest.json", newer);
    refused("is a backup of form 2, written by andon");
    let bytes = fs::read(&whole).unwrap();
    for len in [0, 511, 512, bytes.len() / 2, bytes.len() - 2_048] {
        fs::write(&bad, &bytes[..len]).unwrap();
        refused("no whole backup of andon");
    }
}

#[test]
fn a_backup_whose_state_is_not_what_its_records_say_is_refused_when_it_is_verified() {
    let home = Home::new();
    leave_a_journal(&home, "one");
    assert_eq!(home.andon(&["state", "export", "backup.tar"]).status.code(), Some(0));
    let (whole, changed) = (home.path().join("backup.tar"), home.path().join("changed.tar"));
    let import = |key: &str, value: serde_json::Value, from: &Path| {
        let change = |bytes: &mut Vec<u8>| {
            let mut manifest: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            manifest[key] = value.clone();
            *bytes = serde_json::to_vec(&manifest).unwrap();
        };
        changed_backup(from, &changed, "manifest.json", change);
        home.andon(&["state", "import", "changed.tar", "--verify", "--data-dir", "copy"])
    };

    let refused = import("state", "0".repeat(64).into(), &whole);
    assert_fails(&refused, 1, "together give another state than was written down");

    fs::rename(&changed, home.path().join("other.tar")).unwrap();
    let of_old = import("state_version", 1.into(), &home.path().join("other.tar"));
    assert_eq!(of_old.status.code(), Some(0), "the words were others: {}", stderr(&of_old));
    assert!(
        stdout(&of_old).contains("all records read; the state is in an earlier form"),
        "{}",
        stdout(&of_old)
    );
}

#[test]
fn audit_show_follows_one_leg_from_plan_to_fill() {
    let home = Home::new();
    leave_a_journal(&home, "one");
    let output = home.andon(&["audit", "show", "--id", "p1/0"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for part in ["p1/0 intent", "p1/0 sent", "order_intended", "order_status", " v1 buy ", "(order "] {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    assert!(!text.contains("p1/1") && !text.contains("mark"), "{text}");
}

#[test]
fn audit_export_gives_every_record_and_its_lines_form_the_chain() {
    let home = Home::new();
    let journal = leave_a_journal(&home, "one").join("journal/00000001.log");
    let lines = stdout(&home.andon(&["audit", "export"]));
    assert_eq!(lines.lines().count(), fs::read_to_string(journal).unwrap().lines().count());
    let mut prev = "0".repeat(64);
    for line in lines.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["prev"], prev);
        prev = blake3::hash(line.as_bytes()).to_string();
    }
    let fills = stdout(&home.andon(&["audit", "export", "--kind", "fill,mark", "--since", "1h"]));
    assert!(!fills.is_empty() && fills.lines().count() < lines.lines().count());
    assert!(
        fills.lines().all(|line| line.contains("\"kind\":\"fill\"") || line.contains("\"kind\":\"mark\""))
    );
}

#[test]
fn since_shows_nothing_older() {
    let home = Home::new();
    leave_a_journal(&home, "one");
    let text = stdout(&home.andon(&["since", "01:00"]));
    assert!(text.contains("run_ended") && !text.contains("run_started"), "{text}");
    assert!(text.lines().all(|line| line >= "2024-01-08 01:00:00"), "{text}");
}

#[test]
fn why_tells_what_became_of_the_last_signal_of_each_symbol() {
    let home = Home::new();
    leave_a_journal(&home, "one");
    let decisions = stdout(&home.andon(&["audit", "export", "--kind", "decision"]));
    for symbol in ["BTC/USDT", "XRP/USDT", "XRP/BTC"] {
        let mut records =
            decisions.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let last = records.rfind(|record| record["data"]["signal"]["symbol"] == symbol).unwrap();
        let id = last["data"]["id"].as_u64().unwrap();
        let answer = stdout(&home.andon(&["why", symbol]));
        assert!(answer.starts_with(&format!("{symbol}: d{id} ")), "{answer}");
    }
    assert_eq!(stdout(&home.andon(&["why", "DOGE/USDT"])), "DOGE/USDT: no signal yet\n");
    assert_fails(&home.andon(&["why", "bitcoin"]), 2, "bitcoin");
}

#[test]
fn what_is_asked_of_the_trail_in_wrong_words_is_refused_with_advice() {
    let home = Home::new();
    leave_a_journal(&home, "one");
    assert_fails(&home.andon(&["since", "yesterday"]), 2, "write 22:00");
    assert_fails(&home.andon(&["audit", "show", "--kind", "fills"]), 2, "it is one of state, run_started");
    assert_fails(&home.andon(&["audit", "show", "--id", "seven"]), 2, "write #120 (record)");
    assert_fails(&home.andon(&["handover", "--data-dir", "none"]), 2, "there is no journal in none");
}

#[test]
fn the_handover_page_says_state_positions_alarms_and_what_was_done_by_whom() {
    let home = Home::new();
    let script = home.path().join("operator.yaml");
    fs::write(&script, "- at: 30m\n  do: halt the feed looks wrong\n- at: 40m\n  do: resume\n").unwrap();
    let dir = home.path().join(".local/share/andon/one");
    let (dir, script) = (dir.to_str().unwrap(), script.to_str().unwrap());
    let run =
        ["--no-console", "--speed", "max", "--for", "2h", "--data-dir", dir, "--operator-script", script];
    let output = home.andon(&run);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    let page = stdout(&home.andon(&["handover"]));

    for part in ["STATE HALTED", "by script: the feed looks wrong", "LEVEL NORMAL", "cash: ", "plan p1: "] {
        assert!(page.contains(part), "{part:?} is not in: {page}");
    }
    for part in ["OPEN ALARMS (", "DONE SINCE 2024-01-07 02:00:00", "script      resume REFUSED: "] {
        assert!(page.contains(part), "{part:?} is not in: {page}");
    }
    let held = |line: &&str| line.trim_start().chars().next().is_some_and(|c| c.is_ascii_digit());
    let positions = page.split("POSITIONS (").nth(1).unwrap();
    let counted: usize = positions.split(')').next().unwrap().parse().unwrap();
    assert!(counted > 0, "{page}");
    assert_eq!(positions.lines().skip(1).take_while(held).count(), counted, "{page}");
    assert!(page.lines().count() <= 60, "more than a page: {page}");
}

#[test]
fn the_handover_page_stays_a_page_however_many_legs_wait() {
    let home = Home::new();
    let script = home.path().join("operator.yaml");
    fs::write(&script, "- { at: 5m, do: pause lunch }\n- { at: 12h, do: resume }\n").unwrap();
    let dir = home.path().join(".local/share/andon/one");
    let (dir, script) = (dir.to_str().unwrap(), script.to_str().unwrap());
    let run =
        ["--no-console", "--speed", "max", "--for", "13h", "--data-dir", dir, "--operator-script", script];
    let plan = ["--set", "portfolio.dca.legs_max=60", "--set", "portfolio.dca.spacing=10m"];
    let output = home.andon(&[&run[..], &plan].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));

    let page = stdout(&home.andon(&["handover"]));

    for part in ["waiting: buy ", " more legs", " more alarms"] {
        assert!(page.contains(part), "{part:?} is not in: {page}");
    }
    assert!(page.lines().count() <= 60, "more than a page: {page}");
}

#[test]
fn a_damaged_record_is_named_and_the_rest_of_the_trail_is_still_shown() {
    let home = Home::new();
    let dir = leave_a_journal(&home, "one");
    let journal = dir.join("journal/00000001.log");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replacen("\"seq\":5", "\"seq\":6", 1)).unwrap();
    leave_a_journal(&home, "one");
    let output = home.andon(&["audit", "show"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("record #5 cannot be read"), "{}", stderr(&output));
    assert!(stdout(&output).contains("#4 ") && stdout(&output).contains("HALTED"), "{}", stdout(&output));
}
