//! Settings of the operator's own rules.

use serde::Deserialize;

/// One rule: `[[redact.rules]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleOptions {
    /// Its name in tags and counts: lower-case letters, digits and dashes.
    pub id: String,
    /// What it looks for; group 1, where there is one, is the secret.
    pub regex: String,
    /// Texts of which one stands, in any case, in every value it is tried on. Without them a literal of the regex.
    pub keywords: Vec<String>,
    /// Paths it is limited to (`ext.customer.number`, `*.note`); none: everywhere.
    pub fields: Vec<String>,
    /// What a find must pass too.
    pub validator: Validator,
    /// What becomes of a find.
    pub action: Action,
    /// Characters a mask leaves at the end, and never more than half.
    pub keep_last: usize,
}

/// What a find must pass beyond the regex.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validator {
    /// Nothing.
    #[default]
    None,
    /// The check digit of payment cards, over its digits.
    Luhn,
    /// The check digits of bank accounts.
    Iban,
    /// The ranges of US social security numbers.
    Ssn,
    /// The header of a JSON Web Token.
    Jwt,
}

/// What becomes of a find.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A tag, by which it can be followed.
    #[default]
    Tag,
    /// Stars and the last characters.
    Mask,
    /// The field goes; text that is no field goes whole.
    Drop,
}

/// Whether a class of personal data is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It stays.
    #[default]
    Off,
    /// By a tag.
    Tag,
    /// By a part of it: the domain of an address, the last two digits of a number, the network of an IP address.
    Mask,
}

/// Classes of personal data: `[redact.personal]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PersonalOptions {
    /// Mail addresses.
    pub email: Mode,
    /// Phone numbers: international ones anywhere, others under a name that says so.
    pub phone: Mode,
    /// IP addresses.
    pub ip: Mode,
}

/// What is no secret, whatever a rule says: `[redact.allow]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AllowOptions {
    /// Paths under which nothing is redacted.
    pub fields: Vec<String>,
    /// Tags of single secrets: whole, or their last part.
    pub tags: Vec<String>,
    /// Secrets that fit one of these from end to end.
    pub regexes: Vec<String>,
}
