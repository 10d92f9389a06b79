//! Who sits at this command line, as the system knows it, for the audit: not what the environment says, which anybody
//! may write.

use std::fs;

/// What the kernel says if nobody logged in.
const NOBODY: u32 = u32::MAX;
const PASSWD: &str = "/etc/passwd";
/// Linux: who logged in, whoever he has become since.
const LOGINUID: &str = "/proc/self/loginuid";

/// `user ana`, `user root (logged in as ana)`, or a number where the system has no name.
pub(super) fn here() -> String {
    let login = fs::read_to_string(LOGINUID)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let names = fs::read_to_string(PASSWD).unwrap_or_default();
    called(rustix::process::getuid().as_raw(), login, &names)
}

fn called(uid: u32, login: Option<u32>, passwd: &str) -> String {
    let name = |uid| name_of(uid, passwd).unwrap_or_else(|| uid.to_string());
    match login.filter(|login| *login != uid && *login != NOBODY) {
        Some(login) => format!("user {} (logged in as {})", name(uid), name(login)),
        None => format!("user {}", name(uid)),
    }
}

/// `name:password:uid:…`, a line for each.
fn name_of(uid: u32, passwd: &str) -> Option<String> {
    let uid = uid.to_string();
    let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let line = lines.find(|line| line.get(2) == Some(&uid.as_str()))?;
    line.first().map(|name| super::output::escaped(name).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_his_name_and_who_became_another_both() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nana:x:1000:1000::/home/ana:/bin/sh\n";
        assert_eq!(called(1000, None, passwd), "user ana");
        assert_eq!(called(1000, Some(1000), passwd), "user ana");
        assert_eq!(called(0, Some(1000), passwd), "user root (logged in as ana)");
        assert_eq!(called(0, Some(NOBODY), passwd), "user root");
        assert_eq!(called(7, None, passwd), "user 7");
    }
}
