//! Passwords and codes told by what is said around them: by the program of a command line, by a statement of SQL, by
//! a sentence.

use super::super::check;
use super::super::spans::Rank;
use super::{Find, Rule, head, row};

pub(super) const RULES: &[Rule] = &[
    head("curl-user", &["-u ", "--user ", "-u'", "-u\"", "--user="], r#"(?:-u|--user)[\s=]{0,3}["']?[^\s:"'/]{0,64}:([^\s"']{3,128})"#, &["curl -u elastic:<A12> https://x", "curl --user 'bob:<A12>' x"])
        .word()
        .rank(Rank::Context)
        .checked(is_login)
        .not(&["docker run -u 1000:1000 image", "id -u user"]),
    head("mysql-password", &[" -p", "--password "], r#"(?: -p|--password )["']?([^\s"']{6,128})"#, &["--password <A12>", "7z a -p<A12> backup.7z", "docker login -u ci -p<A12> x"])
        .rank(Rank::Context)
        .checked(is_mixed_password)
        .not(&["ssh -p 2222 host", "mkdir -p /var/lib/x", "cp -preserve a b", "nmap -p1-65535 host", "--password --verbose", "x -port=8080", "go test ./internal/mysql -parallel 4", "docker run --name mysql -p3306:3306/tcp"]),
    command("mysql-login", &["mysql", "mariadb"], r#"(?i:mysql|mariadb)[a-z-]{0,12}\s[^|]{0,200}?-u\s?\S{1,64}[^|]{0,120}?\s-p["']?([^\s"']{4,128})"#, &["mysqldump -h db -u root -p<A12> shop", "mysql -e 'a; b' -uroot -p'<A12>'"])
        .not(&["docker exec mysql-1 mysql -u root -p shop", "mysql -u root -h db -P 3306", "mysql is up"]),
    command("sshpass", &["sshpass"], r#"sshpass\s{1,2}-p\s{0,2}["']?([^\s"']{3,128})"#, &["sshpass -p <A12> ssh root@host"])
        .not(&["sshpass -f /run/secret ssh x"]),
    command("redis-cli", &["redis-cli", "valkey-cli"], r#"(?:redis|valkey)-cli\s[^\n|;]{0,120}?(?:\s-a|--pass)\s{1,2}["']?([^\s"']{3,128})"#, &["redis-cli -h cache -a <A12> ping", "redis-cli  -a <A12>"])
        .not(&["redis-cli -h cache-a ping"]),
    command("registry-login", &["docker login", "podman login", "buildah login", "nerdctl login", "registry login", "az login", "acr login"], r#"(?:docker|podman|buildah|nerdctl|registry|az|acr) login\s[^\n|;]{0,160}?-p\s{1,2}["']?([^\s"']{3,128})"#, &["docker login -u ci -p <A24> registry.example.com"])
        .not(&["docker login registry.example.com", "docker login --password-stdin"]),
    command("mongo-password", &["mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport", "mongo -"], r#"mongo[a-z]{0,8}\s[^\n|;]{0,160}?(?:\s-p|--password)[\s=]{1,2}["']?([^\s"']{4,128})"#, &["mongosh -u admin -p <A12> --host db", "mongosh --username x --password <a12> x"])
        .not(&["mongo -host db -p 27017:27017", "mongodump --host mongo-primary-0 --out /backup", "mongodump --port=27017", "mongorestore --parallel"]),
    command("ldap-password", &["ldapsearch", "ldapmodify", "ldapadd", "ldapdelete", "ldapwhoami", "ldappasswd"], r#"ldap[a-z]{3,8}\s[^\n|;]{0,160}?\s-w\s{1,2}["']?([^\s"']{3,128})"#, &["ldapsearch -x -D cn=admin -w <A12> -b dc=x"])
        .not(&["ldapsearch -x -W -b dc=x", "ldapsearch -x -H ldap://dc-west.example.com -b dc=x"]),
    command("smb-password", &["smbclient", "rpcclient", "smbmap"], r#"(?:smbclient|rpcclient|smbmap)\s[^\n|;]{0,160}?-U\s?["']?[^\s%"']{1,64}%([^\s"'%]{3,128})"#, &["smbclient //host/share -U 'bob%<A12>'"])
        .not(&["smbclient //host/share -U bob", "smbclient //host/My%20Files -N"]),
    command("openssl-pass", &["-pass"], r#"-pass(?:in|out)?\s{1,2}pass:["']?([^\s"']{3,128})"#, &["openssl rsa -passin pass:<A12> -in k.pem"])
        .not(&["openssl rsa -passin env:PW", "tar -passive"]),
    row("sql-password", &["identified by", "identified with"], Find::Around(160, r#"(?i)(?:user|role|to|grant|alter)\s[^;\n]{1,140}?identified\s{1,2}(?:with\s{1,2}["'`]?\w{1,40}["'`]?\s{1,2})?(?:by|as)\s{1,2}(?:password\s{1,2}|values\s{1,2})?\\{0,2}["'`]((?:[^"'`\\]|''){1,256})"#), &["CREATE USER 'bob'@'%' IDENTIFIED BY '<A12>'", "ALTER USER bob IDENTIFIED WITH mysql_native_password BY '<A12>';", "CREATE USER b IDENTIFIED BY 'x''<A12>'"])
        .rank(Rank::Context)
        .checked(is_password)
        .not(&["the order is identified by its id", "IDENTIFIED BY ?", "the node identified by 'node-3' left the cluster", "the column is identified by \"order_id\""]),
    row("sql-role", &["password '", "password('", "password ('", "password = '", "password= '", "password = n'", "password n'"], Find::Around(120, r"(?i)(?:role|user|login|set)\s[^;\n]{0,100}?password\s{0,2}(?:=\s{0,2})?\(?\s{0,2}n?'((?:[^'\\\s]|''){4,256})"), &["CREATE ROLE app LOGIN PASSWORD '<A12>'", "SET PASSWORD FOR 'bob' = PASSWORD('<A12>')", "CREATE LOGIN bob WITH PASSWORD = N'<A12>'"])
        .rank(Rank::Context)
        .checked(is_password)
        .not(&["password 'must have a digit'", "password '?'", "PASSWORD('*')", "Rename field password 'passwd_old'", "validator password 'minLength' failed"]),
    head("one-time-code", &["verification code", "security code", "confirmation code", "login code", "sign-in code", "authentication code", "2fa code", "one-time", "one time", "otp is", "otp:", "passcode is", "pin is"], r#"(?i)(?:(?:verification|security|confirmation|login|sign-in|authentication|2fa|one[- ]time) (?:pass)?(?:code|word|pin)|otp|passcode|pin)\b(?: for \S{1,64})?(?: is|\s{0,2}[:=])\s{0,2}["'*]{0,2}([A-Z]-\d{4,8}|\d{3}[ -]\d{3}|\d{4,8})(?:[^\d-]|\z)"#, &["sent: your verification code is <d6>", "login code: <d6>.", "OTP is <d4>"])
        .word()
        .rank(Rank::Context)
        .not(&["verification code is wrong", "security code: 12", "one time 2026-11-21"]),
    row("one-time-code-before", &[" is your "], Find::Around(14, r"(?i)\b([A-Z]-\d{4,8}|\d{3}[ -]\d{3}|\d{4,8}) is your (?:[A-Za-z0-9]{1,24} ){0,3}(?:code|pin|otp|password)\b"), &["<d6> is your Example verification code"])
        .rank(Rank::Context)
        .not(&["12345 is your order", "99501 is your postcode", "48291034 is your shipping confirmation", "2024 is your last chance to update your password", "This is your verification code"]),
    row("stripe-client-secret", &["_secret_"], Find::Around(64, r"\b(?:pi|seti|src|cs|si|ephkey|vs)_(?:test_|live_)?[A-Za-z0-9]{10,48}_secret_[A-Za-z0-9]{10,}"), &["client confirmed pi_<A24>_secret_<A25>"])
        .not(&["aws_secret_access_key_rotated", "the_secret_garden", "api_paymentsservice_secret_configuration"]),
    head("paseto", &["v1.local.", "v2.local.", "v3.local.", "v4.local.", "v1.public.", "v2.public.", "v3.public.", "v4.public."], r"v[1-4]\.(?:local|public)\.[A-Za-z0-9_-]{32,}(?:\.[A-Za-z0-9_-]{1,1024})?", &["v4.local.<w120>", "v2.public.<w120>.<w24>"])
        .word()
        .checked(is_paseto)
        .not(&["api.v1.public.orders", "rpc v1.local.ListOrganizationRepositoriesByLanguageRequest ok"]),
    row("fcm-token", &[":apa91b"], Find::Around(170, r"[A-Za-z0-9_-]{11,163}:APA91b[A-Za-z0-9_-]{100,}"), &["push to <w22>:APA91b<w134> failed"]),
    head("expo-push-token", &["exponentpushtoken[", "expopushtoken["], r"(?i)expo(?:nent)?pushtoken\[([A-Za-z0-9_-]{10,64})\]", &["ExponentPushToken[<w22>]"]),
];

/// A password among the arguments of a program.
const fn command(
    id: &'static str,
    keywords: &'static [&'static str],
    regex: &'static str,
    hits: &'static [&'static str],
) -> Rule {
    head(id, keywords, regex, hits)
        .word()
        .rank(Rank::Context)
        .checked(is_password)
}

/// Not the number of a group (`1000:1000`).
fn is_login(text: &[u8]) -> bool {
    !text.iter().all(u8::is_ascii_digit) && !check::is_placeholder(text)
}

/// Not the number of a group and not another flag.
fn is_password(text: &[u8]) -> bool {
    !text.iter().all(|b| {
        b.is_ascii_digit() || *b == b':' && text.iter().filter(|b| **b == b':').count() == 1
    }) && !text.starts_with(b"-")
        && !check::is_placeholder(text)
}

/// Behind any program: letters and digits, no setting (`-port=8080`) and no ports (`-p3306:3306/tcp`).
fn is_mixed_password(text: &[u8]) -> bool {
    let is_ports = text.ends_with(b"/tcp") || text.ends_with(b"/udp");
    check::mixed(text) && !text.contains(&b'=') && !is_ports && is_password(text)
}

/// Drawn by a machine behind its version and purpose.
fn is_paseto(text: &[u8]) -> bool {
    let body = text.splitn(3, |b| *b == b'.').nth(2).unwrap_or_default();
    check::mixed(body)
}
