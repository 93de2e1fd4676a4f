//! Clouds and the services that run on them.

use super::super::check;
use super::super::spans::Rank;
use super::{Find, Rule, head, row};

pub(super) const RULES: &[Rule] = &[
    head("aws-key-id", &["akia", "asia", "abia", "acca", "a3t"], r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z2-7]{16}", &["key AKIA<U16> denied", "A3TX<U16>", r"\nASIA<U16>\n"])
        .word()
        .not(&["AKIA is a prefix", "xAKIAIOSFODNN7ABCDEFG", "asian markets in AKIAIOSF"]),
    head("aws-secret-key", &["secretaccesskey", "secret_access_key", "aws_secret", "awssecret", "aws_key", "aws secret", "aws-secret"], r#"[A-Za-z _-]{6,40}\\{0,3}["']?\s{0,3}(?:=>|:=|[:=,>])\s{0,3}\\{0,3}["']?([A-Za-z0-9/+=]{40})(?:[^A-Za-z0-9/+=]|$)"#, &["aws_secret_access_key = <b40>", r#""SecretAccessKey":"<b40>""#]),
    head("aws-session-token", &["fwogzxivyxdz", "iqojb3jpz2lux2vj", "fqogzxivyxdz"], r"(?:FwoGZXIvYXdz|IQoJb3JpZ2luX2Vj|FQoGZXIvYXdz)[A-Za-z0-9/+=%-]{80,}", &["X-Amz-Security-Token=IQoJb3JpZ2luX2Vj<b200>"]),
    head("aws-bedrock", &["abskq", "absk", "bedrock-api-key-"], r"(?:ABSK[A-Za-z0-9+/]{60,}={0,2}|bedrock-api-key-[A-Za-z0-9+/=_-]{20,})", &["ABSKQmVk<b120>=", "bedrock-api-key-<A60>"]).word(),
    head("aws-appsync", &["da2-"], r"da2-[a-z0-9]{26}", &["apiKey: da2-<a26>"]).word(),
    head("aws-presigned", &["x-amz-signature"], r"(?i)x-amz-signature(?:=|%3d)([0-9a-f]{64})", &["&X-Amz-Signature=<h64>&x"]),
    head("google-api-key", &["aiza"], r"AIza[A-Za-z0-9_-]{34,35}", &["key=AIza<w35>", "AIza<w34>"]).word(),
    head("google-oauth", &["ya29."], r"ya29\.[A-Za-z0-9_-]{20,}", &["ya29.a0<w120>"]).word(),
    head("google-client-secret", &["gocspx-"], r"GOCSPX-[A-Za-z0-9_-]{24,}", &["GOCSPX-<w28>"]),
    head("google-refresh-token", &["1//0"], r"1//0[A-Za-z0-9_-]{38,}", &["1//0g<w60>"]).word().not(&["1//0 is not it"]),
    head("google-signed-url", &["x-goog-signature", "googleaccessid"], r"(?i)(?:x-goog-signature|googleaccessid=[^&\s]{1,128}&(?:expires=\d{1,12}&)?signature)(?:=|%3d)([A-Za-z0-9%+/=_-]{32,})", &["X-Goog-Signature=<h64>", "GoogleAccessId=a@b.iam&Expires=17000000&Signature=<b80>"]),
    head("azure-storage-key", &["accountkey="], r"(?i)accountkey=([A-Za-z0-9+/%]{40,}={0,2})", &["AccountName=x;AccountKey=<b86>==;EndpointSuffix=y"]),
    head("azure-shared-access-key", &["sharedaccesskey="], r"(?i)sharedaccesskey=([A-Za-z0-9+/%]{32,}={0,2})", &["SharedAccessKeyName=Root;SharedAccessKey=<b43>="]),
    head("azure-sas", &["sig="], r"(?i)sig=([A-Za-z0-9%+/]{40,}(?:=|%3d){0,2})", &["?sv=2022-11-02&ss=b&sig=<b43>%3D&se=x"]),
    row("azure-client-secret", &["0q~", "1q~", "2q~", "3q~", "4q~", "5q~", "6q~", "7q~", "8q~", "9q~"], Find::Around(3, r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"), &["secret abc8Q~<w34>", "_V28Q~<w34>"]),
    row("azure-key", &["azdo", "jqqj99", "acrgw", "aaacax"], Find::Around(84, r"[A-Za-z0-9]{44,80}(?:AZDO|AAAC|AACA|ACOG|JQQJ99|ACRGw)[A-Za-z0-9]{2,12}"), &["pat <A76>AZDOabc1"]),
    head("azure-function-key", &["?code=", "&code="], r"[?&]code=([A-Za-z0-9_/%-]{40,}={0,2})", &["https://f.azurewebsites.net/api/x?code=<w54>=="]),
    row("azure-appconfig", &[".azconfig.io;id="], Find::Around(82, r"(?i)(?:Endpoint=)?https://[a-z0-9-]{1,64}\.azconfig\.io;Id=[^;\s]{1,64};Secret=[A-Za-z0-9+/=]{36,64}"), &["Endpoint=https://foo.azconfig.io;Id=ab-s0:x;Secret=<b44>", "https://foo.azconfig.io;Id=ab-s0:x;Secret=<b44>"]).not(&["https://foo.azconfig.io/kv?api-version=1.0"]),
    head("digitalocean", &["doo_v1_", "dop_v1_", "dor_v1_"], r"do[opr]_v1_[a-f0-9]{40,}", &["dop_v1_<h64>", "doo_v1_<h64>"]),
    head("alibaba-key-id", &["ltai"], r"LTAI[A-Za-z0-9]{12,20}", &["LTAI5t<A18>"]).word().checked(check::mixed),
    head("tencent-secret-id", &["akid"], r"AKID[A-Za-z0-9]{32}", &["AKID<A32>"]).word(),
    head("ibm-cloud", &["ibm_api", "ibmcloud", "ibm_cloud", "ibm cloud"], r#"[A-Za-z _-]{6,40}["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9_-]{44})"#, &["IBMCLOUD_API_KEY=<w44>"]),
    head("oracle-ocid-key", &["ocid1.credential"], r"ocid1\.credential\.[a-z0-9.]{20,}", &["ocid1.credential.oc1.<a60>"]),
    head("yandex", &["aqvn", "t1.9eu", "ycaj"], r"(?:AQVN[A-Za-z0-9_-]{35,38}|t1\.9eu[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{60,}|YCAJE[A-Za-z0-9_-]{20})", &["AQVN<w36>", "t1.9euelZ<w80>.<w86>"]).word(),
    head("scaleway", &["scw"], r"SCW[A-Z0-9]{17}", &["SCW<U17>"]).word().checked(check::digit),
    head("upcloud", &["ucat_"], r"ucat_[A-Za-z0-9]{20,}", &["ucat_<U26>"]),
    head("exoscale", &["exo"], r"EXO[a-f0-9]{24}", &["EXO<h24>"]).word(),
    head("linode", &["linode"], r#"linode[A-Za-z _-]{0,20}["']?\s{0,3}[:=]\s{0,3}["']?([a-f0-9]{64})"#, &["linode_token=<h64>"]),
    head("cloudflare", &["cloudflare", "cf_api"], r#"(?i)(?:cloudflare|cf_api)[A-Za-z _-]{0,20}["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9_-]{37,40})(?:[^A-Za-z0-9_-]|$)"#, &["CLOUDFLARE_API_TOKEN=<w40>"]),
    head("cloudflare-origin-ca", &["v1.0-"], r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}", &["v1.0-<h24>-<h146>"]).word(),
    head("flyio", &["fo1_", "fm1r_", "fm2_", "fm1a_", "flyv1 "], r"(?:fo1_[A-Za-z0-9_-]{43}|fm[12][ar]?_[A-Za-z0-9+/=,_-]{100,}|FlyV1 [A-Za-z0-9+/=,_-]{60,})", &["fo1_<w43>", "FlyV1 fm1r_<b300>,fm1a_<b200>"]).word(),
    head("heroku", &["hrku-"], r"HRKU-[A-Za-z0-9_-]{36,}", &["HRKU-AA<w58>"]),
    head("heroku-key", &["heroku"], r#"(?i)heroku[a-z0-9_ .-]{0,32}["']?\s{0,3}(?:=>|[:=])\s{0,3}["']?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"#, &["HEROKU_API_KEY=<h8>-<h4>-<h4>-<h4>-<h12>"]),
    head("fastly", &["fastly"], r#"(?i)fastly[a-z_ -]{0,24}["']?\s{0,3}(?:=>|[:=])\s{0,3}["']?([A-Za-z0-9_-]{32})(?:[^A-Za-z0-9_-]|$)"#, &["Fastly-Key: <w32>", "FASTLY_API_TOKEN=<w32>"]),
    head("vault", &["hvs.", "hvb.", "hvr."], r"hv[sbr]\.[A-Za-z0-9_-]{20,}", &["X-Vault-Token hvs.CAES<w90>", "hvb.<w150>"]),
    head("vault-legacy", &[" s.", "\"s.", "'s.", "=s.", ":s.", "b.aaaaaq"], r#"(?:[\s"'=:](s\.[A-Za-z0-9]{24})(?:[^A-Za-z0-9]|$)|b\.AAAAAQ[A-Za-z0-9_-]{80,})"#, &["token s.<A24>", "b.AAAAAQ<w100>"]).checked(is_legacy_vault).not(&["hosts.abcdefghijklmnopqrstuvwx", "at s.internal"]),
    row("terraform", &[".atlasv1.", "atlasv1-"], Find::Around(20, r"[A-Za-z0-9.]{4,18}[.-]?atlasv1[.-][A-Za-z0-9_=-]{50,}"), &["<A14>.atlasv1.<w67>"]),
    head("kubernetes-openshift", &["sha256~"], r"sha256~[A-Za-z0-9_-]{43}", &["Bearer sha256~<w43>"]),
    // The name of a project is drawn at random, and is all that a public key is good for.
    row("supabase-project", &[".supabase.co"], Find::Around(32, r"//([a-z0-9]{16,24})\.supabase\.co"), &["SUPABASE_URL=https://<a20>.supabase.co"]).not(&["https://status.supabase.co/", "https://supabase.com/docs"]),
    head("supabase", &["sbp_", "sb_secret_"], r"(?:sbp_[A-Za-z0-9_]{40,}|sb_secret_[A-Za-z0-9_-]{20,})", &["sbp_<h40>", "sb_secret_<w31>"]),
    head("planetscale", &["pscale_"], r"pscale_(?:tkn|oauth|pw|app)_[A-Za-z0-9=._-]{32,}", &["pscale_tkn_<w43>", "pscale_pw_<w43>"]),
    head("neon", &["napi_"], r"napi_[a-z0-9]{60,}", &["napi_<a64>"]),
    head("render", &["rnd_"], r"rnd_[A-Za-z0-9]{28,}", &["rnd_<A28>"]).word(),
    head("netlify", &["nfp_"], r"nfp_[A-Za-z0-9_-]{36,}", &["nfp_<A36>"]),
    head("vercel", &["vck_", "vcp_"], r"vc[kp]_[A-Za-z0-9]{40,}", &["vcp_<A56>"]),
    head("scalingo", &["tk-us-"], r"tk-us-[A-Za-z0-9_-]{40,}", &["tk-us-<w48>"]),
    head("clickhouse", &["4b1d"], r"4b1d[A-Za-z0-9]{38}", &["4b1d<A38>"]).word(),
    head("databricks", &["dapi", "dose", "dkea"], r"(?:dapi|dose|dkea)[0-9a-f]{32}(?:-\d)?", &["dapi<h32>-2"]),
    head("dynatrace", &["dt0c01.", "dt0s0"], r"dt0[a-z]\d{2}\.[A-Za-z0-9]{8,24}\.[A-Za-z0-9]{64}", &["dt0c01.<U24>.<U64>"]),
    head("elastic-cloud", &["essu_"], r"essu_[A-Za-z0-9_=-]{40,}", &["essu_<w80>"]),
    head("confluent-cflt", &["cflt"], r"cflt[A-Za-z0-9+/]{60}", &["cflt<b60>"]).word(),
    head("pulumi", &["pul-"], r"pul-[a-f0-9]{40}", &["pul-<h40>"]).word(),
    head("infracost", &["ico-"], r"ico-[A-Za-z0-9]{32}", &["ico-<A32>"]).word(),
    head("tailscale", &["tskey-"], r"tskey-[a-z]{2,10}-[A-Za-z0-9_-]{10,}", &["tskey-auth-k<A16>-<A32>"]),
    head("cloudsmith", &["csa_"], r"csa_[a-f0-9]{30,}[A-Za-z0-9]{0,10}", &["csa_<h36>"]).word(),
    head("harness", &["pat.", "sat."], r"[ps]at\.[A-Za-z0-9_-]{22}\.[a-f0-9]{24}\.[A-Za-z0-9]{20}", &["pat.<w22>.<h24>.<A20>"]).word(),
    head("prefect", &["pnu_", "pnb_"], r"pn[ub]_[A-Za-z0-9]{36}", &["pnu_<A36>"]).word(),
    head("azure-devops-url", &["dev.azure.com:"], r"(?i)dev\.azure\.com:([a-z0-9]{52})@", &["https://dev.azure.com:<a52>@dev.azure.com/x"]),
    head("sidekiq", &["contribsys"], r#"(?i)contribsys(?:\.com|__com)?["']?\s{0,3}[:=]?\s{0,3}["']?([a-f0-9]{8}:[a-f0-9]{8})"#, &["BUNDLE_GEMS__CONTRIBSYS__COM=<h8>:<h8>"]),
    head("softlayer", &["softlayer.com/soap/", "softlayer-api-key", "softlayer_key"], r#"softlayer(?:\.com/soap/v\d(?:\.\d)?/|[_-](?:api[_-])?key["']?[\s:=]{1,4}["']?)([a-z0-9]{64})"#, &["http://api.softlayer.com/soap/v3/<a64>", "--softlayer-api-key \"<a64>\""]),
    head("cloudant", &["cloudant"], r#"(?i)cloudant[a-z_ -]{0,20}["']?\s{0,3}[:=]\s{0,3}["']?([0-9a-f]{64}|[a-z]{24})(?:[^0-9a-z]|$)"#, &["cloudant_password = <h64>"]),
    head("google-service-account", &["\"private_key_id\""], r#""private_key_id"\s{0,4}:\s{0,4}"([a-f0-9]{40})""#, &[r#"{"private_key_id": "<h40>"}"#]).rank(Rank::Shape),
];

/// Sixteen and more digits and letters mixed, as the old tokens of Vault are; `s.` begins many a
/// path too.
fn is_legacy_vault(text: &[u8]) -> bool {
    text.starts_with(b"b.")
        || text.len() == 26 && check::mixed(text) && text.iter().any(u8::is_ascii_uppercase)
}
