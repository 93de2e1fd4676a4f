//! Monitoring, analytics, productivity, identity.

use super::super::check;
use super::{Find, Rule, head, row};

pub(super) const RULES: &[Rule] = &[
    head(
        "newrelic",
        &["nrak-", "nrjs-", "nrii-", "nral-", "nrra-", "nrsp-"],
        r"NR(?:AK-[A-Z0-9]{27}|JS-[a-f0-9]{19}|II-[A-Za-z0-9_-]{32}|AL-[a-f0-9]{36,40}|RA-[a-f0-9]{42}|SP-[a-z]{2}[A-Za-z0-9]{30,})",
        &["NRAK-<U27>", "NRII-<w32>"],
    ),
    row(
        "newrelic-license",
        &["nral"],
        Find::Around(40, r"[a-f0-9]{36}NRAL|eu01xx[a-f0-9]{30}NRAL"),
        &["<h36>NRAL"],
    ),
    row(
        "datadog",
        &["datadog", "dd_api", "dd-api", "dd_app", "dd-app"],
        Find::Around(
            0,
            r#"(?i)(?:datadog|dd)[a-z_ -]{0,28}["']?\s{0,3}(?:=>|[:=])\s{0,3}["']?((?:ddp[a-z]_)?[a-z0-9]{32,40})(?:[^a-z0-9]|$)"#,
        ),
        &["DD_API_KEY=<h32>", "dd-application-key: <h40>"],
    ),
    head(
        "datadog-pub",
        &["pub", "ddapp_"],
        r"(?:pub[a-f0-9]{32}|ddapp_[A-Za-z0-9]{30,})",
        &["clientToken pub<h32>"],
    )
    .word()
    .checked(check::digit)
    .not(&["publication", "pub"]),
    head(
        "grafana",
        &["glsa_", "glc_"],
        r"(?:glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|glc_[A-Za-z0-9+/]{32,}={0,3})",
        &["glsa_<A32>_<h8>", "glc_<b120>=="],
    ),
    head(
        "grafana-legacy",
        &["eyjrijoi"],
        r"eyJrIjoi[A-Za-z0-9+/_-]{60,}={0,3}",
        &["eyJrIjoi<A80>=="],
    ),
    head(
        "sentry",
        &["sntrys_", "sntryu_", "sntryi_"],
        r"sntry[sui]_[A-Za-z0-9=_+/-]{40,}",
        &["sntryu_<h64>", "sntrys_eyJ<b100>_<A43>"],
    ),
    row(
        "sentry-dsn",
        &["sentry.io"],
        Find::Around(
            80,
            r"https?://([a-f0-9]{32}(?::[a-f0-9]{32})?)@[a-z0-9.]{0,40}sentry\.io",
        ),
        &["https://<h32>@o123.ingest.sentry.io/456"],
    ),
    head(
        "honeycomb",
        &["hcaik_", "hcxik_", "hcalk_", "hcblk_"],
        r"hc[a-z]{2,3}k_[A-Za-z0-9]{40,}",
        &["hcaik_<a58>"],
    ),
    head(
        "posthog",
        &["phc_", "phx_", "phs_", "pha_", "phr_"],
        r"ph[a-z]_[A-Za-z0-9_-]{30,}",
        &["phc_<A43>", "phs_<A47>"],
    )
    .word(),
    head(
        "mixpanel",
        &["mixpanel"],
        r#"(?i)mixpanel[a-z_ -]{0,24}["']?\s{0,3}(?:=>|[:=])\s{0,3}["']?([a-f0-9]{32})"#,
        &["MIXPANEL_TOKEN=<h32>"],
    ),
    head(
        "launchdarkly",
        &["sdk-", "api-", "mob-", "launchdarkly-secret-", "launchdarkly-private-"],
        r"(?:sdk|api|mob|launchdarkly-(?:secret|private))-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        &["sdk-<h8>-<h4>-<h4>-<h4>-<h12>"],
    )
    .word(),
    head(
        "devcycle",
        &["dvc_"],
        r"dvc_(?:client|server|mobile)_[a-zA-Z0-9_]{24,}",
        &["dvc_server_<a32>"],
    )
    .word(),
    head(
        "pagerduty",
        &["pagerduty", "pdus+"],
        r#"(?i)(?:pdus\+_?[A-Za-z0-9_+-]{18,}|pagerduty[a-z_ -]{0,24}["']?\s{0,3}(?:=>|[:=])\s{0,3}["']?([A-Za-z0-9_+-]{20,32}))"#,
        &["PAGERDUTY_TOKEN=<A20>"],
    ),
    head(
        "opsgenie",
        &["opsgenie", "genie key", "geniekey"],
        r#"(?i)(?:opsgenie[a-z_ -]{0,24}["']?\s{0,3}(?:=>|[:=])\s{0,3}["']?|genie ?key\s{1,3})([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"#,
        &["GenieKey <h8>-<h4>-<h4>-<h4>-<h12>"],
    ),
    head(
        "airtable",
        &["pat"],
        r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}",
        &["pat<A14>.<h64>"],
    )
    .word(),
    row(
        "airtable-oauth",
        &[".v1."],
        Find::Around(
            24,
            r"[A-Za-z0-9]{7,18}\.v1\.[A-Za-z0-9_-]{6,80}\.[A-Za-z0-9_-]{10,}",
        ),
        &["<A16>.v1.<w40>.<w43>"],
    ),
    head(
        "notion",
        &["secret_", "ntn_"],
        r"(?:secret_[A-Za-z0-9]{40,}|ntn_[A-Za-z0-9]{40,})",
        &["secret_<A43>", "ntn_<A46>"],
    )
    .word()
    .checked(check::mixed),
    head(
        "asana",
        &["asana"],
        r#"(?i)asana[a-z_ -]{0,24}["']?\s{0,3}(?:=>|[:=])\s{0,3}["']?(\d{1,2}/\d{10,20}(?:/\d{10,20})?:[a-f0-9]{32})"#,
        &["asana_pat=2/<d16>/<d16>:<h32>"],
    ),
    head(
        "clickup",
        &["pk_"],
        r"pk_\d{6,12}_[A-Z0-9]{32}",
        &["pk_<d8>_<U32>"],
    )
    .word(),
    head(
        "monday",
        &["eyjhbgc"],
        r"eyJhbGc[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{40,}\.[A-Za-z0-9_-]{20,}",
        &["eyJhbGcJPzI1NiIsInR5cCI6IkpXVCJ9.<w80>.<w43>"],
    ),
    head(
        "dropbox",
        &["sl."],
        r"sl\.(?:u\.)?[A-Za-z0-9_=-]{100,}",
        &["sl.<w140>"],
    )
    .word(),
    head(
        "box-jwt",
        &["box_"],
        r#"box_(?:developer|access)_token["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9]{32})"#,
        &["box_developer_token=<A32>"],
    ),
    head(
        "contentful",
        &["cfpat-"],
        r"CFPAT-[A-Za-z0-9_-]{40,}",
        &["CFPAT-<w43>"],
    ),
    head(
        "algolia",
        &["x-algolia"],
        r"(?i)x-algolia-api-key\s{0,2}[:=]\s{0,2}([a-f0-9]{32})",
        &["x-algolia-api-key: <h32>"],
    ),
    head(
        "mapbox",
        &["sk.eyj", "pk.eyj", "tk.eyj"],
        r"[spt]k\.eyJ[A-Za-z0-9_-]{40,}\.[A-Za-z0-9_-]{20,}",
        &["sk.eyJ<w70>.<w22>"],
    ),
    head(
        "okta",
        &["ssws "],
        r"(?i)ssws\s{1,3}([A-Za-z0-9_-]{40,})",
        &["Authorization: SSWS 00<w40>"],
    ),
    row(
        "okta-token",
        &["okta"],
        Find::Around(
            0,
            r#"(?i)okta[a-z0-9_ .-]{0,24}["']?\s{0,3}(?:=>|[:=])\s{0,3}["']?(00[A-Za-z0-9_-]{39,41})(?:[^A-Za-z0-9_-]|$)"#,
        ),
        &["oktaApiToken: 00<w40>"],
    ),
    head(
        "onelogin-auth0",
        &["auth0_client_secret"],
        r#"(?i)auth0_client_secret["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9_-]{40,})"#,
        &["AUTH0_CLIENT_SECRET=<w64>"],
    ),
    head(
        "clerk",
        &["sk_test_", "sk_live_"],
        r"sk_(?:test|live)_[A-Za-z0-9]{40,}",
        &["sk_live_<A42>"],
    ),
    head(
        "stytch",
        &["secret-test-", "secret-live-"],
        r"secret-(?:test|live)-[A-Za-z0-9_=-]{32,}",
        &["secret-live-<w36>="],
    ),
    head(
        "workos",
        &["sk_"],
        r"sk_[A-Za-z0-9]{20,}(?:_[A-Za-z0-9]{16,})?",
        &["sk_<A80>"],
    )
    .word()
    .checked(check::is_credential)
    .not(&["sk_learn_pipeline_feature_engineering", "sk_buff"]),
    head(
        "unkey",
        &["unkey_"],
        r"unkey_[A-Za-z0-9]{20,}",
        &["unkey_<A24>"],
    ),
    head(
        "zuplo",
        &["zpka_"],
        r"zpka_[a-f0-9]{32}_[a-f0-9]{8}",
        &["zpka_<h32>_<h8>"],
    ),
    head(
        "apify",
        &["apify_api_"],
        r"apify_api_[A-Za-z0-9-]{30,}",
        &["apify_api_<A36>"],
    ),
    head(
        "wakatime",
        &["waka_"],
        r"waka_[A-Za-z0-9-]{36,}",
        &["waka_<A44>"],
    ),
    head(
        "thunderstore",
        &["tss_"],
        r"tss_[A-Za-z0-9_-]{28,}",
        &["tss_<w32>"],
    )
    .word(),
    head(
        "canva",
        &["cnvca"],
        r"cnvca[A-Za-z0-9_-]{40,}",
        &["cnvca<w51>"],
    ),
    head(
        "pinterest",
        &["pina_", "pinr"],
        r"pina_[A-Za-z0-9]{32,}|pinr\.[A-Za-z0-9]{32,}",
        &["pina_<A36>"],
    ),
    head(
        "voiceflow",
        &["vf.dm.", "vf.ws."],
        r"VF\.(?:DM|WS|WSC)\.[a-fA-F0-9]{24}\.[A-Za-z0-9]{16}",
        &["VF.DM.<h24>.<A16>"],
    ),
    head(
        "fullstory",
        &["na1.", "eu1."],
        r"(?:na1|eu1)\.[A-Za-z0-9+/]{60,}={0,2}",
        &["na1.<b100>"],
    )
    .word(),
    head(
        "hubspot",
        &["pat-na", "pat-eu"],
        r"pat-(?:na|eu)\d?-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        &["pat-na1-<h8>-<h4>-<h4>-<h4>-<h12>"],
    ),
    head(
        "zoho",
        &["1000."],
        r"1000\.[a-f0-9]{32}\.[a-f0-9]{32}",
        &["1000.<h32>.<h32>"],
    )
    .word(),
    head(
        "intra42",
        &["s-s4t2"],
        r"s-s4t2(?:ud|af)-[a-f0-9]{64}",
        &["s-s4t2ud-<h64>"],
    ),
    head(
        "settlemint",
        &["sm_aat_", "sm_pat_", "sm_sat_"],
        r"sm_[aps]at_[A-Za-z0-9]{16,}",
        &["sm_pat_<A16>"],
    ),
    head(
        "ubidots",
        &["bbff-", "bbus-"],
        r"BB(?:FF|US)-[A-Za-z0-9]{30,}",
        &["BBFF-<A32>"],
    ),
    row(
        "maxmind-key",
        &["_mmk"],
        Find::Around(40, r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk"),
        &["<A6>_<A29>_mmk"],
    ),
    head(
        "minimax",
        &["sk-api-"],
        r"sk-api-[A-Za-z0-9_-]{60,}",
        &["sk-api-<w110>"],
    ),
    head(
        "cosmo",
        &["cosmo_"],
        r"cosmo_[a-f0-9]{32}",
        &["cosmo_<h32>"],
    ),
    head(
        "typeform",
        &["tfp_"],
        r"tfp_[A-Za-z0-9_.=-]{40,}",
        &["tfp_<w59>"],
    )
    .word(),
    head("readme", &["rdme_"], r"rdme_[a-z0-9]{60,}", &["rdme_<a70>"]),
    head(
        "frameio",
        &["fio-u-"],
        r"fio-u-[A-Za-z0-9_=-]{60,}",
        &["fio-u-<w64>"],
    ),
    head(
        "duffel",
        &["duffel_"],
        r"duffel_(?:test|live)_[A-Za-z0-9_=-]{40,}",
        &["duffel_live_<w43>"],
    ),
    head(
        "shodan-censys",
        &["censys"],
        r#"(?i)censys[a-z_ -]{0,24}["']?\s{0,3}[:=]\s{0,3}["']?([A-Za-z0-9]{32})(?:[^A-Za-z0-9]|$)"#,
        &["CENSYS_API_SECRET=<A32>"],
    ),
    head(
        "facebook",
        &["eaac", "eaab", "eaag"],
        r"EAA[A-Z][A-Za-z0-9]{60,}",
        &["EAACEdEose0cBA<A120>"],
    )
    .word(),
    head(
        "instagram",
        &["igqv", "igaa"],
        r"IG(?:QV|AA)[A-Za-z0-9_-]{60,}",
        &["IGQVJ<w120>"],
    )
    .word(),
    head(
        "twitter-bearer",
        &["aaaaa"],
        r"A{20,24}[A-Za-z0-9%]{50,}",
        &["AAAAAAAAAAAAAAAAAAAAA<A82>"],
    )
    .word()
    .checked(check::mixed),
    head(
        "linkedin",
        &["aqv", "aqw", "aqx", "aqu"],
        r"AQ[UVWX][A-Za-z0-9_-]{60,}",
        &["AQV<w180>"],
    )
    .word()
    .checked(check::mixed),
    head(
        "coinbase-keyname",
        &["/apikeys/"],
        r"/apiKeys/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",
        &["organizations/x/apiKeys/<h8>-<h4>-<h4>-<h4>-<h12>"],
    ),
    head("nightfall", &["nf-"], r"NF-[A-Za-z0-9]{32}", &["NF-<A32>"]).word(),
    head(
        "llama-storecove",
        &["storecove_"],
        r"storecove_[A-Za-z0-9]{30,}",
        &["storecove_<A40>"],
    ),
];
