//! Kinds that belong to no one service: tokens and keys by standard, passwords by what stands before them.

use super::super::spans::Rank;
use super::super::{assigned, check, shapes, urls};
use super::{Find, Rule, head, row};

pub(super) const RULES: &[Rule] = &[
    row("jwt", &["eyj", "ewog", "ew0k", "eyak", "eyan"], Find::Code(shapes::jwt), &[
        "Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ<w60>.<w43>",
        "token eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.<w80>.<w16>.<w40>.<w22> used",
        "?t=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9%2EeyJ<w60>%2E<w43>",
        r"line\neyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ<w60>.<w43>\n",
        "cut eyJhbGciOiJIUzI1NiIsImtpZCI6IngifQ.eyJ<w60>",
    ])
    .not(&["cursor eyJpZCI6MTIzLCJjcmVhdGVkX2F0IjoiMjAyNi0xMS0yMSJ9", "keyJar", "eyJust"]),
    row("jwt-base64", &["zxlk", "v3dvz0lb", "wwogicag"], Find::Code(shapes::wrapped_jwt), &[]),
    row("jwk", &["\"kty\""], Find::Code(shapes::jwk_at), &[
        r#"{"kty":"EC","crv":"P-256","d":"<w43>"}"#,
        r#"{ "kty": "oct", "k": "<w22>" }"#,
    ]).not(&[r#"{"kty":"RSA","n":"0vx7agoebGcQSuu","e":"AQAB"}"#]),
    head("jwk-part", &["\"d\":", "\"d\" :", "\"k\":", "\"k\" :"], r#""[dk]"\s{0,2}:\s{0,2}"([A-Za-z0-9_-]{22,4000})""#, &["\"d\": \"<w43>\""])
        .rank(Rank::Shape)
        .checked(check::is_random)
        .not(&[r#""k":"short""#]),
    head("network-credential", &["networkcredential("], r#"(?i)networkcredential\(\s{0,2}"[^"]{0,128}",\s{0,2}"([^"]{4,256})""#, &["NetworkCredential(\"ci\", \"<A27>\")"]).rank(Rank::Context),
    row("private-key", &["private key"], Find::Code(shapes::pem), &[
        "-----BEGIN RSA PRIVATE KEY-----\n<b64>\n<b64>\n-----END RSA PRIVATE KEY-----",
        r"-----BEGIN OPENSSH PRIVATE KEY-----\n<b64>\n<b40>\n-----END OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n<b64>\n=<b4>\n-----END PGP PRIVATE KEY BLOCK-----",
        "cut: -----BEGIN EC PRIVATE KEY-----\n<b64>\n<b20>",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n<b64>\n-----END ENCRYPTED PRIVATE KEY-----",
    ])
    .not(&["-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----", "the PRIVATE KEY of a pair"]),
    row("private-key-base64", &["ls0tls1crudjti", "b3blbnnzac1rzxktdje", "miiev", "miieo", "miiep", "miieu", "miicx", "miicw", "miicd", "miiboa", "miibog", "miibow", "miiboq", "mhcca", "mighag", "mieaf", "miijq", "miijr", "miijk", "zwqyntuxoq"], Find::Code(shapes::key_material), &[
        "key LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpN<b120>",
        "data: MIIEpAIBAAKCAQEA<b64>\n        <b64>\n  <b30>",
    ]),
    head("age", &["age-secret-key-"], r"(?i)AGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]{50,}", &["AGE-SECRET-KEY-1<U58>"]),
    head("putty-key", &["putty-user-key-file"], r"PuTTY-User-Key-File-[\s\S]{1,3000}", &["PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nPrivate-Lines: 1\n<b64>"]),
    head("password-hash", &["$2a$", "$2b$", "$2y$", "$1$", "$5$", "$6$", "$8$", "$9$", "$y$", "$apr1$", "$argon2", "$scrypt", "$pbkdf2", "$7$", "$krb5", "{ssha}", "{ssha512}", "pbkdf2_sha256$", "$p$", "$h$", "$sha1$"], r"(?i)(?:\$2[aby]\$\d\d\$[A-Za-z0-9./]{53}|\$(?:1|5|6|8|9|7|y|apr1|sha1)\$[A-Za-z0-9./=$,-]{16,200}|\$[ph]\$[A-Za-z0-9./]{31}|\$(?:argon2|scrypt|pbkdf2)[A-Za-z0-9+/=,.$-]{16,300}|\$krb5[a-z0-9]{2,8}\$[^\s]{32,4000}|\{ssha(?:512)?\}[A-Za-z0-9+/=]{28,}|pbkdf2_sha256\$\d{1,8}\$[^\s$]{1,64}\$[A-Za-z0-9+/=]{40,})", &[
        "bob:$2b$12$<A53>:",
        "$6$<A8>$<A86>",
        "$argon2id$v=19$m=65536,t=3,p=4$<A22>$<A43>",
        "pbkdf2_sha256$260000$<A12>$<b43>=",
    ]),
    head("ntlm", &["tlrmtvntuaad", "tlrmtvntuaab"], r"TlRMTVNTUAA[A-Za-z0-9+/=]{30,}", &["NTLM TlRMTVNTUAADAAAA<b100>"]),
    head("bearer", &["bearer"], r#"(?i)bearer[\s:]{1,3}\\{0,2}["']?([A-Za-z0-9._~+/=-]{8,4000})"#, &["curl -H 'Authorization: Bearer <A32>'", "bearer <h40>"])
        .word()
        .rank(Rank::Context)
        .checked(check::is_credential)
        .not(&["bearer authentication failed", "Bearer realm=\"api\"", "bearer of bad news"]),
    head("basic", &["basic "], r"(?i)basic\s{1,3}([A-Za-z0-9+/]{8,2000}={0,2})", &["Authorization: Basic dXNlcjo<A24>"])
        .word()
        .rank(Rank::Shape)
        .checked(check::is_basic)
        .not(&["basic authentication required", "Basic realm"]),
    head("auth-scheme", &["token ", "apikey ", "negotiate ", "authorization:", "digest "], r#"(?i)(?:(?:token|apikey|negotiate)\s{1,2}|authorization:\s{0,2}(?:[A-Za-z0-9-]{2,24}\s{1,2})?)\\{0,2}["']?([A-Za-z0-9._~+/=:-]{16,4000})"#, &["Authorization: token <h40>", "Negotiate YII<b120>"])
        .word()
        .rank(Rank::Context)
        .checked(check::is_credential)
        .not(&["token validation of the principal", "apikey configuration missing"]),
    row("url-userinfo", &["://"], Find::Code(urls::userinfo), &[
        "postgres://svc:<A16>@db-1.internal:5432/orders",
        "mongodb+srv://u:<A8>@<A8>@cluster0.mongodb.net/x",
        "redis://:<A16>@cache:6379/0",
        "amqp://u:<A6>%40<A6>@mq/",
        "mongodb://r:<A12>@h1:27017,h2:27017/x?y=z",
        "postgres://u:<A8>/<A8>@host/db",
        "https://<A40>@example.com/x",
        "https://<A40>:x-oauth-basic@github.com/x",
    ])
    .not(&[
        "https://example.com:8080/@scope/package", "ssh://git@github.com/x", "https://user@example.com/",
        "http://[::1]:8080/x@y", "https://example.com/a:b@c", "postgres://user:${PASSWORD}@host/db",
    ]),
    row("path-token", &["/reset", "/verify", "/confirm", "/invite", "/magic", "/activate", "/unsubscribe", "/token/", "/password"], Find::Code(urls::path_token), &[
        "GET /v1/password/reset/<A43>",
        "/verify-email/<A32>?x=1",
    ])
    .rank(Rank::Context)
    .not(&["/confirm/orders-2026-11-21/overview", "/reset/9d8f7a6b-1111-4222-8333-444455556666"]),
    head("curl-user", &["-u ", "--user ", "-u'", "-u\"", "--user="], r#"(?:-u|--user)[\s=]{0,3}["']?[^\s:"'/]{0,64}:([^\s"']{3,128})"#, &["curl -u elastic:<A12> https://x", "curl --user 'bob:<A12>' x"])
        .word()
        .rank(Rank::Context)
        .checked(is_password)
        .not(&["docker run -u 1000:1000 image", "id -u user"]),
    head("mysql-password", &[" -p", "--password "], r#"(?: -p|--password )["']?([^\s"']{6,128})"#, &["--password <A12>"])
        .rank(Rank::Context)
        .checked(check::mixed)
        .not(&["ssh -p 2222 host", "mkdir -p /var/lib/x", "cp -preserve a b", "nmap -p1-65535 host"]),
    row("assigned", KEYWORDS, Find::Code(assigned::find), &[
        "password=<A12>",
        r#"{"pwd": "<A12>"}"#,
        r#"{\"secret\":\"<A20>\"}"#,
        "client_secret => '<A20>'",
        "GET /x?page=1&access_token=<A40>&y=2",
        "?code=<A12>",
        "<password><A12></password>",
        r#"<add key="Password" value="<A12>" />"#,
        r#"{"name":"X-Api-Key","value":"<A20>"}"#,
        "Server=db;User Id=sa;Password=<A12>;Encrypt=yes",
        "jdbc:postgresql://h/db?user=x&password=<A12>",
        "Authorization: Custom <A24>",
        "Cookie: sid=<A24>; theme=<A8>",
        "weatherstack KEY <h32>",
        "exoscale_token: <A40>",
        "mysqladmin --password <A10>",
        "the password is '<A9>'",
        "cloudplanSECRET-<A32>",
        "setopt(CURLOPT_XOAUTH2_BEARER, \"<A40>\")",
    ])
    .rank(Rank::Context)
    .not(&[
        "token_type=bearer", "max_tokens=4096", "password policy check passed", "password: must be longer",
        "token validated for principal", "secret_name: db-main", "sort_key=created_at", "password=${DB_PASSWORD}",
        "password=null", "cache key user:12345:profile", "next_page_token=", "key=value", "dsn=2.0.0", "access denied", "key-value store of orders", "the password is required", "my-password-reset job", "Invalid token: expired",
        "code=404", "author=John", "pinned: true", "session started", "public_key = \"9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit\"",
        "X-API-Name\": \"NRG0-Hermes-INTERNAL-API", "IceSSL.KeyFile=s_rsa1024_priv.pem", "credentialsId: 'ff083f76-7804-4ef1-80e4-fe975bb9141b'",
    ]),
];

/// Words of names, and `key` and other short ones with what makes them a name.
const KEYWORDS: &[&str] = &[
    "passw",
    "passphrase",
    "passcode",
    "pass=",
    "pass:",
    "pass\"",
    "pass'",
    "pwd",
    "pw=",
    "pw:",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "api key",
    "key=",
    "key:",
    "key\"",
    "key'",
    "key ",
    "key\\",
    "key`",
    "key>",
    "key\t",
    "key,",
    "access_key",
    "accesskey",
    "credential",
    "creds",
    "cookie",
    "authorization",
    "auth=",
    "auth:",
    "auth\"",
    "auth_",
    "sessionid",
    "session_id",
    "session=",
    "sessid",
    "session\"",
    "sid=",
    "sid\"",
    "sid:",
    "sig=",
    "signature",
    "code=",
    "code\"",
    "otp",
    "cvv",
    "cvc",
    "pin=",
    "pin:",
    "pin\"",
    "jwt",
    "bearer",
    "assertion",
    "dsn=",
    "dsn:",
    "dsn\"",
    "connectionstring",
    "connection_string",
    "connection string",
    "database_url",
    "databaseurl",
    "_uri=",
    "_uri\"",
    "iban",
    "ssn",
    "saml",
    "verifier",
    "pat=",
    "pat:",
    "pat ",
    "pat\"",
    "salt",
    "psk",
    "ticket=",
    "mnemonic",
    "private",
    "cardnumber",
    "card_number",
    "card number",
    "account_number",
    "accountnumber",
    "routing",
    "hash=",
    "hmac",
    "access=",
    "invite=",
    "oobcode",
    "key_base",
    "keypass",
    "storepass",
    "senha",
    "passwort",
    "verify=",
    "reset=",
    "magic=",
    "refresh=",
    "tk=",
];

/// Not the number of a group or a port.
fn is_password(text: &[u8]) -> bool {
    !text.iter().all(u8::is_ascii_digit) && !check::is_placeholder(text)
}
