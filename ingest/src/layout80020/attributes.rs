//! The attributes of one element, as far as they are read.

/// Those that the layout does not define, or that say nothing of a value (`errofmeasuring`, `param1`), are passed over.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    pub(super) class: Option<String>,
    pub(super) version: Option<String>,
    pub(super) number: Option<String>,
    pub(super) code: Option<String>,
    pub(super) code_from: Option<String>,
    pub(super) code_to: Option<String>,
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
    pub(super) summer: Option<String>,
    pub(super) status: Option<String>,
    pub(super) extended: Option<String>,
    /// The same, as most senders misspell it.
    pub(super) exstended: Option<String>,
}

impl Attributes {
    pub(super) fn keep(&mut self, name: &str, value: &str) {
        let place = match name {
            "class" => &mut self.class,
            "version" => &mut self.version,
            "number" => &mut self.number,
            "code" => &mut self.code,
            "codefrom" => &mut self.code_from,
            "codeto" => &mut self.code_to,
            "start" => &mut self.start,
            "end" => &mut self.end,
            "summer" => &mut self.summer,
            "status" => &mut self.status,
            "extendedstatus" => &mut self.extended,
            "exstendedstatus" => &mut self.exstended,
            _ => return,
        };
        *place = Some(value.to_owned());
    }
}
