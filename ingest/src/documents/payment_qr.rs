//! The text of a payment order's square code, GOST R 56042-2014: what a bank's till or telephone reads off a bill.
//!
//! ```text
//! ST00012|Name=…|PersonalAcc=20 digits|BankName=…|BIC=9 digits|CorrespAcc=…|PayeeINN=…|PersAcc=…|PaymPeriod=MMYYYY|Sum=kopecks
//! └ 2: UTF-8
//! ```
//!
//! * The five details of the payee come first, in this order; what else there is, in any order, each key once.
//! * `Sum` is whole kopecks. A value holds no `|`: the standard has no way to write one.
//! * Only UTF-8 is read and written; a text that says Windows-1251 or KOI8-R is refused, since its bytes would be others.

use std::fmt;

/// Most bytes of a text: what the largest square code holds.
pub const PAYMENT_QR_SIZE_MAX: usize = 2_953;

const HEAD: &str = "ST0001";
const UTF_8: char = '2';
/// The payee's details: key, most characters, and how many digits exactly.
const DETAILS: [(&str, usize, Option<usize>); 5] = [
    ("Name", 160, None),
    ("PersonalAcc", 20, Some(20)),
    ("BankName", 45, None),
    ("BIC", 9, Some(9)),
    ("CorrespAcc", 20, None),
];
const SUM: &str = "Sum";
const PURPOSE: &str = "Purpose";
const PURPOSE_SIZE_MAX: usize = 210;

/// Why a text is no payment order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PaymentQrError {
    /// Another head, or another encoding.
    #[error("a payment order begins with ST00012, this with {0:?}")]
    Head(String),
    /// Too many bytes.
    #[error("{0} bytes, a square code holds {PAYMENT_QR_SIZE_MAX}")]
    Size(usize),
    /// A field without a key, a value, or a sign between them.
    #[error("field {0:?} is not Key=Value")]
    Field(String),
    /// The same key again.
    #[error("{0} stands twice")]
    Twice(String),
    /// A detail of the payee that is missing, or out of its place.
    #[error("{0} is missing, or out of its place")]
    Missing(&'static str),
    /// A value that is too long, or holds what it may not.
    #[error("{key} {value:?} is not {want}")]
    Value {
        /// Whose.
        key: String,
        /// What it is.
        value: String,
        /// What it may be.
        want: &'static str,
    },
}

/// A payment order, as fields in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentQr {
    fields: Vec<(String, String)>,
}

impl PaymentQr {
    /// The payment order of this text.
    ///
    /// # Errors
    /// [`PaymentQrError`].
    pub fn parse(text: &str) -> Result<Self, PaymentQrError> {
        if text.len() > PAYMENT_QR_SIZE_MAX {
            return Err(PaymentQrError::Size(text.len()));
        }
        let (head, rest) = text.split_once('|').unwrap_or((text, ""));
        if head.strip_prefix(HEAD) != Some("2") {
            return Err(PaymentQrError::Head(head.chars().take(16).collect()));
        }
        let mut fields = Vec::new();
        for field in rest.split('|').filter(|_| !rest.is_empty()) {
            let parts = field.split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty());
            let (key, value) = parts.ok_or_else(|| PaymentQrError::Field(field.to_owned()))?;
            fields.push((key.to_owned(), value.to_owned()));
        }
        Self { fields }.checked()
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// With a key's value in the place of the one there is, or at the end.
    ///
    /// # Errors
    /// [`PaymentQrError`].
    pub fn with(mut self, key: &str, value: &str) -> Result<Self, PaymentQrError> {
        match self.fields.iter_mut().find(|(known, _)| known == key) {
            Some(field) => value.clone_into(&mut field.1),
            None => self.fields.push((key.to_owned(), value.to_owned())),
        }
        self.checked()
    }

    fn checked(self) -> Result<Self, PaymentQrError> {
        for (at, (key, value)) in self.fields.iter().enumerate() {
            if self.fields[..at].iter().any(|(known, _)| known == key) {
                return Err(PaymentQrError::Twice(key.clone()));
            }
            let refused = |want| PaymentQrError::Value { key: key.clone(), value: value.clone(), want };
            if !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(PaymentQrError::Field(format!("{key}={value}")));
            }
            if value.is_empty() || value.contains('|') || value.chars().any(char::is_control) {
                return Err(refused("a line of text without |"));
            }
            let is_digits = value.bytes().all(|byte| byte.is_ascii_digit());
            if key == SUM && !(is_digits && value.len() <= 18) {
                return Err(refused("whole kopecks"));
            }
            if key == PURPOSE && value.chars().count() > PURPOSE_SIZE_MAX {
                return Err(refused("at most 210 characters"));
            }
        }
        for (at, (key, most, digits)) in DETAILS.into_iter().enumerate() {
            let field = self.fields.get(at).filter(|(known, _)| known == key);
            let (_, value) = field.ok_or(PaymentQrError::Missing(key))?;
            let refused = |want| PaymentQrError::Value { key: key.to_owned(), value: value.clone(), want };
            if value.chars().count() > most {
                return Err(refused("that short"));
            }
            let is_digits = value.bytes().all(|byte| byte.is_ascii_digit());
            if digits.is_some_and(|count| value.len() != count || !is_digits) {
                return Err(refused("so many digits"));
            }
        }
        let bytes = self.to_string().len();
        if bytes > PAYMENT_QR_SIZE_MAX { Err(PaymentQrError::Size(bytes)) } else { Ok(self) }
    }
}

impl fmt::Display for PaymentQr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HEAD}{UTF_8}")?;
        self.fields.iter().try_for_each(|(key, value)| write!(f, "|{key}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sample of another implementation's own page, as domain.md §5.5 quotes it, without the field it leaves out.
    const SAMPLE: &str = "ST00012|Name=ООО «Три кита»|PersonalAcc=40702810138250123017|BankName=ОАО \"БАНК\"|BIC=044525225|CorrespAcc=30101810400000000225|PayeeINN=6200098765|LastName=Иванов|Sum=100000";

    #[test]
    fn the_sample_reads_and_writes_back() {
        let order = PaymentQr::parse(SAMPLE).unwrap();
        assert_eq!(order.to_string(), SAMPLE);
        assert_eq!((order.get("Sum"), order.get("BIC")), (Some("100000"), Some("044525225")));
        assert_eq!((order.get("Name"), order.get("name")), (Some("ООО «Три кита»"), None));
        let more = order.with("Sum", "180000").unwrap().with("PersAcc", "A-1").unwrap();
        assert_eq!(more.to_string(), SAMPLE.replace("100000", "180000") + "|PersAcc=A-1");
    }

    #[test]
    fn what_is_refused() {
        let table = [
            ("ST00012", "ST00011", "begins with ST00012, this with \"ST00011\""),
            ("ST00012", "ST00022", "begins with ST00012"),
            ("|BIC=044525225", "", "BIC is missing, or out of its place"),
            (
                "Name=ООО «Три кита»|PersonalAcc=40702810138250123017",
                "PersonalAcc=40702810138250123017|Name=O",
                "Name is missing",
            ),
            ("=044525225", "=04452522", "BIC \"04452522\" is not so many digits"),
            ("40702810138250123017", "4070281013825012301X", "is not so many digits"),
            ("ОАО \"БАНК\"", &"б".repeat(46), "is not that short"),
            ("Sum=100000", "Sum=1000.00", "Sum \"1000.00\" is not whole kopecks"),
            ("Sum=100000", "Sum=-1", "is not whole kopecks"),
            ("Sum=100000", "Sum=", "field \"Sum=\" is not Key=Value"),
            ("Sum=100000", "Sum", "field \"Sum\" is not Key=Value"),
            ("Sum=100000", "BIC=044525225", "BIC stands twice"),
            ("Sum=100000", "Су=1", "is not Key=Value"),
            ("Sum=100000", "Note=a\tb", "is not a line of text without |"),
            ("Sum=100000", &format!("Purpose={}", "x".repeat(211)), "is not at most 210 characters"),
            ("Sum=100000", &format!("Note={}", "x".repeat(3_000)), "bytes, a square code holds 2953"),
        ];
        for (from, to, want) in table {
            let text = SAMPLE.replacen(from, to, 1);
            assert_ne!(text, SAMPLE, "{to}");
            let error = PaymentQr::parse(&text).unwrap_err().to_string();
            assert!(error.contains(want), "{to}: {error}");
        }
        let order = PaymentQr::parse(SAMPLE).unwrap();
        assert!(order.clone().with("Note", "a|Sum=1").is_err(), "a value cannot bring a field of its own");
        assert!(order.clone().with("No te", "a").is_err());
        assert!(order.with("Sum", "1e9").is_err());
    }
}
