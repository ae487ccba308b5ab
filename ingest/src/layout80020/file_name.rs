//! File names: `80020_<INN>_<YYYYMMDD>_<number>[_<area>].xml`.

/// The parts of a name that follows the pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileName<'a> {
    pub(super) class: &'a str,
    pub(super) inn: &'a str,
    /// Eight digits.
    pub(super) day: &'a str,
    pub(super) number: &'a str,
}

impl<'a> FileName<'a> {
    /// `None` if the name does not follow the pattern: then it says nothing.
    pub(super) fn read(name: &'a str) -> Option<Self> {
        let name = name.rsplit(['/', '\\']).next()?;
        let mut parts = name.split('.').next()?.split('_');
        let (class, inn, day, number) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let follows = matches!(class, "80020" | "80040")
            && [inn, day, number].into_iter().chain(parts).all(is_number)
            && day.len() == 8;
        follows.then_some(Self { class, inn, day, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let table = [
            ("80020_6600000000_20260301_7.xml", Some(("6600000000", "20260301", "7"))),
            ("80020_6600000000_20260301_0007.XML", Some(("6600000000", "20260301", "0007"))),
            ("80040_1_20260301_7_4200003300.xml", Some(("1", "20260301", "7"))),
            ("in/box\\80020_1_20260301_7.xml.gz", Some(("1", "20260301", "7"))),
            ("80020_1_20260301.xml", None),
            ("80030_1_20260301_7.xml", None),
            ("80020_1_260301_7.xml", None),
            ("80020_x_20260301_7.xml", None),
            ("80020_1_20260301_7 (2).xml", None),
            ("town.csv", None),
            ("", None),
        ];
        for (name, want) in table {
            let got = FileName::read(name).map(|name| (name.inn, name.day, name.number));
            assert_eq!(got, want, "{name:?}");
        }
    }
}
