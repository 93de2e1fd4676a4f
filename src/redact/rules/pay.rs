//! Payments, shops, messages, mail.

use super::super::check;
use super::{Find, Rule, head, row};

pub(super) const RULES: &[Rule] = &[
    head(
        "stripe",
        &[
            "sk_test", "sk_live", "sk_prod", "rk_test", "rk_live", "rk_prod",
        ],
        r"[sr]k_(?:test|live|prod)_[A-Za-z0-9_]{10,}",
        &["sk_live_<A24>", "rk_test_<A99>"],
    ),
    head(
        "stripe-webhook",
        &["whsec_"],
        r"whsec_[A-Za-z0-9+/=_-]{24,}",
        &["whsec_<b32>"],
    ),
    head(
        "checkout",
        &["sk_sbox_", "sk_"],
        r"sk_(?:sbox_|test_)?[a-z0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}",
        &["sk_<h8>-<h4>-<h4>-<h4>-<h12>"],
    )
    .word(),
    head(
        "square",
        &["eaaa", "sq0"],
        r"(?:EAAA[A-Za-z0-9_+=-]{22,}|sq0[a-z]{3}-[A-Za-z0-9_-]{22,})",
        &["EAAA<w60>", "sq0csp-<w43>"],
    )
    .word()
    .checked(check::mixed),
    head(
        "paypal-braintree",
        &["access_token$"],
        r"access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32}",
        &["access_token$production$<a16>$<h32>"],
    ),
    head(
        "shopify",
        &["shpat_", "shpca_", "shppa_", "shpss_", "shpua_"],
        r"shp(?:at|ca|pa|ss|ua)_[A-Za-z0-9]{32}",
        &["shpat_<h32>", "shpss_<A32>"],
    ),
    head(
        "flutterwave",
        &["flwseck", "flwpubk"],
        r"FLW(?:SECK|PUBK)(?:_TEST)?-[a-zA-Z0-9]{12,32}(?:-X)?",
        &["FLWSECK_TEST-<h32>-X", "FLWSECK-<h12>"],
    ),
    head(
        "paystack",
        &["sk_test_", "sk_live_"],
        r"sk_(?:test|live)_[a-f0-9]{40}",
        &["sk_test_<h40>"],
    ),
    head(
        "asaas",
        &["$aact_"],
        r"\$aact_(?:prod_|hmlg_)?[A-Za-z0-9:=]{24,}",
        &["$aact_prod_<A40>"],
    ),
    head(
        "easypost",
        &["ezak", "eztk"],
        r"EZ[AT]K[A-Za-z0-9]{54}",
        &["EZAK<A54>"],
    )
    .word(),
    head(
        "shippo",
        &["shippo_"],
        r"shippo_(?:live|test)_[a-f0-9]{40}",
        &["shippo_live_<h40>"],
    ),
    head(
        "lob",
        &["live_", "test_"],
        r"(?:live|test)_(?:pub_)?[a-f0-9]{31,40}",
        &["live_<h35>"],
    )
    .word()
    .not(&["test_database", "live_reload"]),
    head(
        "plaid",
        &[
            "access-sandbox-",
            "access-development-",
            "access-production-",
        ],
        r"access-(?:sandbox|development|production)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        &["access-sandbox-<h8>-<h4>-<h4>-<h4>-<h12>"],
    ),
    head(
        "paddle",
        &["pdl_"],
        r"pdl_(?:live|sdbx|ntfset)_[A-Za-z0-9_]{30,}",
        &["pdl_live_apikey_<a26>_<A22>_<A3>"],
    ),
    head(
        "pagarme",
        &["ak_live_", "ak_test_", "ek_live_", "ek_test_"],
        r"[ae]k_(?:live|test)_[A-Za-z0-9]{25,}",
        &["ak_live_<A30>"],
    ),
    head(
        "polar",
        &["polar_"],
        r"polar_(?:at|oat|pat|cs|rs|ci|rt|ac|whs)_[A-Za-z0-9_-]{20,}",
        &["polar_oat_<A40>"],
    ),
    head(
        "razorpay",
        &["rzp_live_", "rzp_test_"],
        r"rzp_(?:live|test)_[A-Za-z0-9]{14,}",
        &["rzp_live_<A14>"],
    ),
    head(
        "mercadopago",
        &["app_usr-", "test-"],
        r"(?:APP_USR|TEST)-\d{10,19}-\d{6}-[a-f0-9]{32}-\d{5,12}",
        &["APP_USR-<d16>-<d6>-<h32>-<d9>"],
    )
    .word(),
    head(
        "adyen",
        &["aqe"],
        r"AQE[a-z]{1,6}[A-Za-z0-9+/]{60,}(?:={0,2})-[A-Za-z0-9+/=]{40,}-[^\s]{12,}",
        &["AQEyhmfx<b80>-<b44>-<A16>"],
    )
    .word(),
    head(
        "ebay",
        &["prd-", "sbx-"],
        r"(?:PRD|SBX)-[0-9a-f]{8,13}(?:-[0-9a-f]{4}){3,4}(?:-[0-9a-f]{4,12})?",
        &["PRD-<h12>-<h4>-<h4>-<h4>-<h4>"],
    )
    .word(),
    row(
        "ebay-app-id",
        &["-prd-", "-sbx-"],
        Find::Around(
            40,
            r"[A-Za-z0-9]{3,16}-[A-Za-z0-9]{3,16}-(?:PRD|SBX)-[a-f0-9]{8,10}-[a-f0-9]{8}",
        ),
        &["MyApp-MyApp-PRD-<h8>-<h8>"],
    ),
    head(
        "slack-token",
        &[
            "xoxa-", "xoxb-", "xoxc-", "xoxd-", "xoxe-", "xoxe.", "xoxo-", "xoxp-", "xoxr-",
            "xoxs-",
        ],
        r"xox[a-z][.-](?:xox[a-z]-)?[A-Za-z0-9%+/=-]{10,}",
        &[
            "xoxb-<d12>-<d13>-<A24>",
            "xoxe.xoxp-1-<A160>",
            "xoxa-8-<a12>",
        ],
    ),
    head(
        "slack-app",
        &["xapp-"],
        r"xapp-(?:\d-[A-Z0-9]{5,20}-)?\d{5,20}-[A-Za-z0-9/]{10,}",
        &["xapp-1-A<U10>-<d13>-<h64>", "xapp-<d12>-<A24>"],
    ),
    head(
        "slack-webhook",
        &["hooks.slack.com/"],
        r"hooks\.slack\.com/((?:services|workflows|triggers)/[A-Za-z0-9+/_-]{30,})",
        &[
            "https://hooks.slack.com/services/T<U8>/B<U8>/<A24>",
            "https://hooks.slack.com/workflows/T<U8>/A<U10>/<d18>/<A24>",
        ],
    ),
    head(
        "teams-webhook",
        &["webhook.office.com/", "outlook.office.com/webhook/"],
        r"(?:webhook\.office\.com/|outlook\.office\.com/)(webhookb?2?/[A-Za-z0-9@/-]{60,})",
        &[
            "https://x.webhook.office.com/webhookb2/<h8>-<h4>-<h4>-<h4>-<h12>@<h8>-<h4>-<h4>-<h4>-<h12>/IncomingWebhook/<h32>/<h8>-<h4>-<h4>-<h4>-<h12>",
        ],
    ),
    head(
        "teams-workflow",
        &["logic.azure.com"],
        r"logic\.azure\.com(?::443)?/workflows/[a-z0-9]{32}/[^\s?]{1,200}\?[^\s]{0,300}sig=([A-Za-z0-9_%-]{40,})",
        &[
            "https://prod-1.westus.logic.azure.com:443/workflows/0123456789abcdef0123456789abcdef/triggers/manual/paths/invoke?api-version=2016-06-01&sig=<w43>",
        ],
    ),
    head(
        "discord-webhook",
        &["/api/webhooks/"],
        r"/api/webhooks/(\d{15,22}/[A-Za-z0-9_-]{50,})",
        &["https://discord.com/api/webhooks/<d18>/<w68>"],
    ),
    row(
        "discord-bot",
        &["discord"],
        Find::Around(
            0,
            r#"(?i)discord[a-z0-9_ -]{0,24}["']?\s{0,3}(?:=>|[:=])\s{0,3}["']?([MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38})"#,
        ),
        &["DISCORD_TOKEN=MT<A22>.<A6>.<w38>"],
    ),
    row(
        "telegram",
        &[":aa"],
        Find::Around(12, r"\d{5,12}:AA[A-Za-z0-9_-]{32,33}"),
        &["bot<d10>:AA<w33>"],
    )
    .checked(check::mixed),
    head(
        "zapier-webhook",
        &["hooks.zapier.com/"],
        r"hooks\.zapier\.com/(hooks/catch/\d{4,12}/[a-z0-9]{5,})",
        &["https://hooks.zapier.com/hooks/catch/<d7>/<a12>"],
    ),
    head(
        "twilio",
        &[
            "sk0", "sk1", "sk2", "sk3", "sk4", "sk5", "sk6", "sk7", "sk8", "sk9", "ska", "skb",
            "skc", "skd", "ske", "skf",
        ],
        r"SK[0-9a-f]{32}",
        &["SK<h32>"],
    )
    .word(),
    head(
        "twilio-account",
        &[
            "ac0", "ac1", "ac2", "ac3", "ac4", "ac5", "ac6", "ac7", "ac8", "ac9", "aca", "acb",
            "acc", "acd", "ace", "acf",
        ],
        r"AC[0-9a-f]{32}",
        &["AC<h32>"],
    )
    .word(),
    head(
        "sendgrid",
        &["sg."],
        r"SG\.[A-Za-z0-9_=-]{16,64}\.[A-Za-z0-9_=-]{16,}",
        &["SG.<w22>.<w43>"],
    )
    .word(),
    head(
        "sendgrid-one-part",
        &["sg."],
        r"SG\.[A-Za-z0-9_=.-]{60,}",
        &["SG.<w66>"],
    )
    .word(),
    head(
        "mailgun",
        &["key-", "pubkey-"],
        r"(?:pub)?key-[0-9a-f]{32}",
        &["key-<h32>"],
    ),
    row(
        "mailchimp",
        &[
            "-us1", "-us2", "-us3", "-us4", "-us5", "-us6", "-us7", "-us8", "-us9",
        ],
        Find::Around(32, r"[0-9a-f]{32}-us\d{1,2}"),
        &["<h32>-us12"],
    )
    .checked(is_mailchimp),
    head("mandrill", &["md-"], r"md-[A-Za-z0-9_-]{22}", &["md-<w22>"])
        .word()
        .checked(check::mixed),
    head(
        "brevo",
        &["xkeysib-", "xsmtpsib-"],
        r"x(?:key|smtp)sib-[a-f0-9]{64}-[A-Za-z0-9]{16}",
        &["xkeysib-<h64>-<A16>"],
    ),
    head(
        "mailersend",
        &["mlsn."],
        r"mlsn\.[a-z0-9]{40,}",
        &["mlsn.<a64>"],
    ),
    head(
        "resend",
        &["re_"],
        r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}",
        &["re_<A8>_<A24>"],
    )
    .word(),
    head(
        "postmark",
        &["x-postmark"],
        r"(?i)x-postmark-(?:server|account)-token\s{0,2}[:=]\s{0,2}([0-9a-f-]{36})",
        &["X-Postmark-Server-Token: <h8>-<h4>-<h4>-<h4>-<h12>"],
    ),
    head(
        "onesignal",
        &["os_v2_"],
        r"os_v2_(?:app|org)_[a-z0-9]{40,}",
        &["os_v2_app_<a103>"],
    ),
    head(
        "lark-app",
        &["cli_"],
        r"cli_[A-Za-z0-9]{16,20}",
        &["cli_<A16>"],
    )
    .word()
    .checked(check::mixed),
    head(
        "telnyx",
        &["key01"],
        r"KEY01[A-Za-z0-9]{27,}_[A-Za-z0-9]{20,}",
        &["KEY01<H30>_<A22>"],
    )
    .word(),
    head(
        "amplitude-plivo",
        &["mamd", "samd"],
        r"[MS]A(?:MD|NJ|ZJ)[A-Z0-9]{16,20}",
        &["MAMD<U16>"],
    )
    .word()
    .checked(check::digit),
    head("klaviyo", &["pk_"], r"pk_[0-9a-f]{34}", &["pk_<h34>"]).word(),
    head(
        "twitch-stream",
        &["live_"],
        r"live_\d{6,12}_[A-Za-z0-9]{20,}",
        &["live_<d9>_<A30>"],
    )
    .word(),
    head(
        "gc-notify",
        &["gcntfy-"],
        r"gcntfy-[A-Za-z0-9_-]{0,100}[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        &["ApiKey-v1 gcntfy-k-<h8>-<h4>-<h4>-<h4>-<h12>-<h8>-<h4>-<h4>-<h4>-<h12>"],
    ),
];

fn is_mailchimp(text: &[u8]) -> bool {
    text.len() >= 36 && check::digit(text.get(..32).unwrap_or_default())
}
