//! Who sits at this process: the operating system's user, for the record.

use std::os::unix::fs::MetadataExt as _;

use crate::domain::{Actor, Untrusted};

/// Longest name of a user in the record, in characters.
const USER_CHARS_MAX: usize = 32;

/// The user that this process belongs to, under the name given with `--operator`, if any.
pub fn current(name: Option<String>) -> Actor {
    let uid = std::fs::metadata("/proc/self").or_else(|_| std::fs::metadata(".")).map_or(0, |own| own.uid());
    let user = user_name(uid).or_else(|| std::env::var("USER").ok()).unwrap_or_else(|| format!("uid {uid}"));
    let user = Untrusted::new(user).sanitize(USER_CHARS_MAX).to_string();
    Actor::Operator { user, uid, name }
}

fn user_name(uid: u32) -> Option<String> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let own: u32 = fields.nth(1)?.parse().ok()?;
        (own == uid).then(|| name.to_owned())
    })
}
