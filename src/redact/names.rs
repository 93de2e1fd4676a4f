//! The words of `keys.rs`: names in normal form (lower case, without separators).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::engine::Place;
use super::keys::{self, Class, Kind};
use super::pairs::{NameSort, ValueSort};

/// Longest name of words that is not searched for a secret itself.
const PLAIN_MAX: usize = 15;
/// Fewest digits of a number that is secret by them.
const DIGITS_MIN: usize = 9;

type Table = HashMap<&'static [u8], Class, foldhash::quality::RandomState>;
/// Words by their last byte, or by their first, each list in the order of its table.
type Lists<T> = Vec<Vec<(&'static [u8], T)>>;

static EXACT_BY_NAME: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table::default();
    for (class, names) in EXACT {
        for name in words(names) {
            table.entry(name).or_insert(*class);
        }
    }
    table
});
static TAILS_BY_END: LazyLock<Lists<Class>> =
    LazyLock::new(|| ends(TAILS.iter().map(|(tail, class)| (tail.as_bytes(), *class))));
static PASS_BY_END: LazyLock<Lists<()>> =
    LazyLock::new(|| ends(words(PASS_TAILS).map(|tail| (tail, ()))));
static NEUTRAL_BY_END: LazyLock<Lists<()>> =
    LazyLock::new(|| ends(words(NEUTRAL_TAILS).map(|tail| (tail, ()))));

static PASS_BY_HEAD: LazyLock<Lists<()>> = LazyLock::new(|| {
    by(words(PASS_HEADS).map(|head| (head, ())), |word| {
        word.first()
    })
});

fn ends<T>(all: impl Iterator<Item = (&'static [u8], T)>) -> Lists<T> {
    by(all, |word| word.last())
}

fn by<T>(
    all: impl Iterator<Item = (&'static [u8], T)>,
    byte: impl Fn(&'static [u8]) -> Option<&'static u8>,
) -> Lists<T> {
    let mut lists: Lists<T> = (0..256).map(|_| Vec::new()).collect();
    for (word, with) in all {
        let byte = byte(word).copied().unwrap_or(0);
        if let Some(list) = lists.get_mut(usize::from(byte)) {
            list.push((word, with));
        }
    }
    lists
}

/// The first word of a table that a name ends with.
fn end_of<'e, T>(ends: &'e Lists<T>, name: &[u8]) -> Option<&'e (&'static [u8], T)> {
    let list = ends.get(usize::from(*name.last()?))?;
    list.iter().find(|(word, _)| name.ends_with(word))
}

/// Whether a name begins with a word of a table.
fn begins(heads: &Lists<()>, name: &[u8]) -> bool {
    let first = name
        .first()
        .and_then(|first| heads.get(usize::from(*first)));
    first.is_some_and(|list| list.iter().any(|(word, ())| name.starts_with(word)))
}

/// The class of a name in normal form.
pub(super) fn class(name: &[u8]) -> Class {
    if let Some(class) = exact(name) {
        return class;
    }
    if name.len() < 4 || is_guarded(name) {
        return Class::Pass;
    }
    let stem = stem(name);
    if stem.len() != name.len()
        && let Some(class) = exact(stem)
        && keys::is_sensitive(class)
    {
        return class;
    }
    if is_guarded(stem) {
        return Class::Pass;
    }
    end_of(&TAILS_BY_END, stem).map_or(Class::Pass, |(_, class)| *class)
}

/// The class of a name that stands in the table itself.
pub(super) fn exact(name: &[u8]) -> Option<Class> {
    EXACT_BY_NAME.get(name).copied()
}

/// Every name whose value is secret whatever it is, or where it looks random.
#[cfg(test)]
pub(super) fn sensitive() -> impl Iterator<Item = (Class, &'static str)> {
    EXACT
        .iter()
        .filter(|(class, _)| keys::is_sensitive(*class))
        .flat_map(|(class, names)| names.split_ascii_whitespace().map(|name| (*class, name)))
}

/// Whether a parameter of a query string is secret there, under a name that says nothing elsewhere.
pub(super) fn is_param(name: &[u8]) -> bool {
    words(PARAMS).any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether a name is searched for a secret itself: it is long, or holds as many digits as a number that is one.
pub(super) fn is_searched(name: &[u8]) -> bool {
    name.len() > PLAIN_MAX
        || name.len() >= DIGITS_MIN
            && name.iter().filter(|b| b.is_ascii_digit()).count() >= DIGITS_MIN
}

/// Whether the value of a name, or of a path of names with dots, may be a query string.
pub(super) fn holds_query(path: &[u8]) -> bool {
    QUERIES.iter().any(|known| {
        let at = path.len().checked_sub(known.len());
        let Some((before, last)) = at.and_then(|at| path.split_at_checked(at)) else {
            return false;
        };
        last.eq_ignore_ascii_case(known) && matches!(before.last(), None | Some(b'.'))
    })
}

/// Where a text stands: at the beginning of a query string where its name is that of one and it looks like one, too
/// (`code=…&state=…`; `code=ENOENT errno=2` is a message).
pub(super) fn place(holds_query: bool, text: &[u8]) -> Place {
    if holds_query && is_query(text) {
        Place::Query
    } else {
        Place::Text
    }
}

fn is_query(text: &[u8]) -> bool {
    let name = text
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || b"_-.[]%".contains(b));
    text.get(name.count()) == Some(&b'=') && !text.iter().any(u8::is_ascii_whitespace)
}

/// Whether what stands below a name says what is wrong with each value, not the value.
pub(super) fn tells_errors(name: &[u8]) -> bool {
    words(ERRORS).any(|known| name == known)
}

/// Whether a name tells about a secret without being one.
pub(super) fn is_guarded(name: &[u8]) -> bool {
    end_of(&PASS_BY_END, name).is_some() || begins(&PASS_BY_HEAD, name)
}

/// The name without words that say nothing about its kind (`password2`, `token_value`).
fn stem(name: &[u8]) -> &[u8] {
    let mut name = name;
    loop {
        let shorter = end_of(&NEUTRAL_BY_END, name)
            .and_then(|(tail, ())| name.strip_suffix(*tail))
            .or_else(|| {
                let (last, rest) = name.split_last()?;
                last.is_ascii_digit().then_some(rest)
            });
        match shorter {
            Some(rest) if rest.len() >= 3 => name = rest,
            _ => return name,
        }
    }
}

fn words(list: &str) -> impl Iterator<Item = &[u8]> {
    list.split_ascii_whitespace().map(str::as_bytes)
}

const EXACT: &[(Class, &str)] = &[
    (
        Class::Secret(Kind::Password),
        "password passwd pwd pass passphrase passcode newpassword oldpassword currentpassword \
         confirmpassword passwordconfirmation userpassword dbpassword mysqlpwd pgpassword \
         pword passwords dbpass userpass smtppass mailpass mysqlpass ftppass authpass sshpass \
         adminpass rootpass userpw dbpw psw pw pswd passwort contrasena motdepasse senha \
         mypass requirepass",
    ),
    (
        Class::Secret(Kind::Secret),
        "secret secrets clientsecret appsecret sharedsecret signingsecret secretkey \
         webhooksecret secretaccesskey awssecretaccesskey privatekey sshkey masterkey \
         encryptionkey hmackey apikey xapikey accesskey accountkey subscriptionkey \
         ocpapimsubscriptionkey consumersecret apikeys secretkeybase apisecret xgoogapikey \
         credential credentials keypass storepass keymaterial privatekeypem privatekeyid \
         authkey integrationkey deploykey licensekey servicekey signingkey xfunctionskey \
         sharedaccesskey storageaccountkey ddapikey ddapplicationkey kmssecret secretid \
         xhubsignature xhubsignature256 stripesignature xsignature xamzsignature \
         xgoogsignature xtwiliosignature xslacksignature presharedkey psk seedphrase mnemonic \
         apisecretkey appkey applicationkey consumerkey streamkey secretstring",
    ),
    (
        Class::Secret(Kind::Token),
        "token accesstoken refreshtoken idtoken authtoken bearertoken sessiontoken csrftoken \
         xcsrftoken xsrftoken xxsrftoken csrf xsrf apitoken oauthtoken devicetoken pushtoken \
         fcmtoken resettoken invitetoken magictoken jwt assertion clientassertion \
         samlresponse samlrequest codeverifier xauthtoken xaccesstoken xamzsecuritytoken \
         xvaulttoken xgitlabtoken privatetoken jobtoken xshopifyaccesstoken \
         xforwardedaccesstoken xauthrequestaccesstoken csrfmiddlewaretoken authenticitytoken \
         requestverificationtoken bearer authorizationcode authcode idtokenhint logintoken \
         personalaccesstoken xoauth2bearer oauth2bearer xgoogiapjwtassertion \
         xmsclientprincipal sastoken tkn",
    ),
    (
        Class::Scheme,
        "authorization proxyauthorization xauthorization xforwardedauthorization \
         httpauthorization xoriginalauthorization authheader authorizationheader \
         httpproxyauthorization",
    ),
    (
        Class::Cookie,
        "cookie setcookie cookies xcookie cookie2 setcookie2 httpcookie rawcookie",
    ),
    (
        Class::Secret(Kind::Session),
        "sessionid sid phpsessid jsessionid connectsid aspnetsessionid usersession sessid \
         sessionkey sessioncookie xsessionid sessionhash gitlabsession",
    ),
    (Class::Random(Kind::Session), "session sess"),
    (Class::Random(Kind::Token), "pat sas refresh"),
    (
        Class::Secret(Kind::OneTime),
        "otp totp mfacode twofactor twofactorcode 2facode verificationcode smscode pin \
         recoverycode recoverycodes backupcode backupcodes otpcode onetimecode \
         onetimepassword pincode mfatoken totpcode emailcode loginpin",
    ),
    (
        Class::Random(Kind::Secret),
        "salt seed signature sig hmac auth authentication creds cred pepper",
    ),
    (
        Class::Secret(Kind::Card),
        "cardnumber pan ccnumber creditcard creditcardnumber cardno ccnum debitcard \
         primaryaccountnumber track1 track2 trackdata cardpan paymentcard ccno",
    ),
    (
        Class::Secret(Kind::Cvv),
        "cvv cvc cvv2 cvc2 securitycode cardcvv cardcvc cvn cardsecuritycode",
    ),
    (
        Class::Secret(Kind::Bank),
        "iban accountnumber routingnumber sortcode bankaccount bankaccountnumber acctnumber \
         accountno bankaccountiban",
    ),
    (
        Class::Secret(Kind::Ssn),
        "ssn socialsecuritynumber socialsecurity taxid nationalid ssnumber itin",
    ),
    (
        Class::Secret(Kind::Connection),
        "connectionstring dsn databaseurl jdbcurl redisurl amqpurl mongouri mongodburi \
         mongourl dburl dburi databaseuri sentrydsn connstr connectionuri postgresurl \
         rabbitmqurl celerybrokerurl brokerurl sqlalchemydatabaseuri datasourceurl",
    ),
    (
        Class::PairName(NameSort::Name),
        "name key header k headername param parameterkey parametername paramname",
    ),
    (
        Class::PairName(NameSort::Field),
        "attribute attributename field fieldname property propertyname loc",
    ),
    (
        Class::PairName(NameSort::Label),
        "label id path option optionname variable",
    ),
    (Class::PairName(NameSort::Operation), "op"),
    (
        Class::PairValue(ValueSort::Value),
        "value v stringvalue intvalue val values headervalue arrayvalue rejectedvalue \
         invalidvalue attemptedvalue oldvalue newvalue previousvalue currentvalue parametervalue \
         optionvalue",
    ),
    (
        Class::PairValue(ValueSort::Change),
        "old new from to before after input",
    ),
    (
        Class::Pass,
        "tokens keys cookieconsent author authority authorized authenticated passed passing \
         secretary spin",
    ),
];

/// Ends of names, the longest first where one holds another.
const TAILS: &[(&str, Class)] = &[
    ("password", Class::Secret(Kind::Password)),
    ("passwd", Class::Secret(Kind::Password)),
    ("passphrase", Class::Secret(Kind::Password)),
    ("passcode", Class::Secret(Kind::Password)),
    ("pass", Class::Secret(Kind::Password)),
    ("pwd", Class::Secret(Kind::Password)),
    ("passw", Class::Secret(Kind::Password)),
    ("secretaccess", Class::Secret(Kind::Secret)),
    ("secret", Class::Secret(Kind::Secret)),
    ("sessiontoken", Class::Secret(Kind::Session)),
    ("token", Class::Secret(Kind::Token)),
    ("accesskey", Class::Secret(Kind::Secret)),
    ("secretkey", Class::Secret(Kind::Secret)),
    ("privatekey", Class::Secret(Kind::Secret)),
    ("apikey", Class::Secret(Kind::Secret)),
    ("signingkey", Class::Secret(Kind::Secret)),
    ("encryptionkey", Class::Secret(Kind::Secret)),
    ("masterkey", Class::Secret(Kind::Secret)),
    ("accountkey", Class::Secret(Kind::Secret)),
    ("subscriptionkey", Class::Secret(Kind::Secret)),
    ("applicationkey", Class::Secret(Kind::Secret)),
    ("consumerkey", Class::Secret(Kind::Secret)),
    ("authkey", Class::Secret(Kind::Secret)),
    ("sharedkey", Class::Secret(Kind::Secret)),
    ("sshkey", Class::Secret(Kind::Secret)),
    ("credentials", Class::Secret(Kind::Secret)),
    ("credential", Class::Random(Kind::Secret)),
    ("authorization", Class::Scheme),
    ("cookie", Class::Cookie),
    ("sessionid", Class::Secret(Kind::Session)),
    ("sessid", Class::Secret(Kind::Session)),
    ("sessioncookie", Class::Secret(Kind::Session)),
    ("jwt", Class::Secret(Kind::Token)),
    ("bearer", Class::Secret(Kind::Token)),
    ("cardnumber", Class::Secret(Kind::Card)),
    ("creditcard", Class::Secret(Kind::Card)),
    ("securitycode", Class::Secret(Kind::Cvv)),
    ("cvv", Class::Secret(Kind::Cvv)),
    ("cvc", Class::Secret(Kind::Cvv)),
    ("iban", Class::Secret(Kind::Bank)),
    ("connectionstring", Class::Secret(Kind::Connection)),
    ("databaseurl", Class::Secret(Kind::Connection)),
    ("mongouri", Class::Secret(Kind::Connection)),
    ("apptoken", Class::Secret(Kind::Token)),
    ("signature", Class::Random(Kind::Secret)),
    ("auth", Class::Random(Kind::Secret)),
    ("creds", Class::Random(Kind::Secret)),
    ("pat", Class::Random(Kind::Token)),
    ("key", Class::Random(Kind::Secret)),
    ("access", Class::Random(Kind::Secret)),
    ("private", Class::Random(Kind::Secret)),
];

/// Ends that say nothing about the kind.
const NEUTRAL_TAILS: &str = "\
     value string text raw plaintext plain base64 b64 encoded hash hashed new old confirm \
     confirmation confirmed again repeat repeated current header prod dev test live staging \
     stage production env param field input backup primary secondary main default sha256 hex \
     pem";

/// Ends of names that describe a secret: its kind, age, size, owner, place, never itself.
const PASS_TAILS: &str = "\
     type types count name names arn version policy expiresat expiresin expires expiry \
     expiration expired changedat createdat updatedat usedat issuedat revokedat rotatedat at \
     ttl length len size limit limits max min status state enabled disabled required valid \
     invalid url uri urls endpoint path file filename dir method methods scope scopes issuer \
     audience provider format prefix suffix hint age lastfour last4 last level strength index \
     usage used error errors reason attempts failures failed duration maxage lifetime timeout \
     present exists missing keyid keyids id ids publickey sortkey primarykey foreignkey \
     partitionkey cachekey objectkey bucketkey idempotencykey routingkey messagekey groupkey \
     shardkey dedupkey deduplicationkey lookupkey indexkey uniquekey compositekey rowkey \
     hashkey rangekey parentkey projectkey issuekey configkey settingkey translationkey \
     labelkey tagkey eventkey statekey featurekey flagkey metrickey fieldkey tenantkey hotkey \
     shortcutkey blobkey s3key queuekey limitkey lockkey rediskey sequencekey analysiskey \
     resourcekey publishablekey monkey turkey hockey jockey whiskey donkey pagetoken \
     nexttoken continuationtoken synctoken cancellationtoken column rotation manager service \
     server host port user username email domain region source kind class mode flow flag \
     action event date time timestamp check checks validation validator message description \
     comment label title consent rate budget cost price usagetokens bypass compass surpass \
     trespass underpass lastpass multipass firstpass secondpass";

/// Beginnings of names that describe a secret.
const PASS_HEADS: &str = "\
     haspassw hassecret hastoken hasapikey ispassw issecret istoken maxtoken mintoken \
     numtoken totaltoken minpassw maxpassw requirepassw shouldpassw forgotpassw publickey";

/// Names of objects that say of each field what is wrong with it.
const ERRORS: &str = "\
     errors validationerrors fielderrors formerrors modelerrors errormessages violations \
     modelstate";

/// Names of values that begin with a parameter.
const QUERIES: [&[u8]; 9] = [
    b"query",
    b"querystring",
    b"query_string",
    b"qs",
    b"search",
    b"args",
    b"fragment",
    b"form",
    b"body",
];

/// Parameters of a query string that are secret there and ordinary words elsewhere.
const PARAMS: &str = "\
     code key auth ticket access credential tk sig signature session invite hash st hmac \
     relaystate oobcode verify reset magic pass pw";
