//! Books: whom each party grants what.

use std::sync::Arc;

use tallywatt_core::access::{AccessBook, AccessList};
use tallywatt_ledger::access_bytes::{ACCESS_KIND, decode_access_list};

use crate::books::{Books, BooksError};

impl Books {
    /// The access lists of all parties. The value is shared with whoever looks at it, and replaced when a list is published.
    #[must_use]
    pub const fn access(&self) -> &Arc<AccessBook> {
        &self.access
    }

    /// Whether a document, if it is an access list, follows its party's last.
    pub(super) fn check_access(&self, bytes: &[u8]) -> Result<(), BooksError> {
        if bytes.get(1) != Some(&ACCESS_KIND) {
            return Ok(());
        }
        let checked = self.access.check(&read(bytes)?);
        checked.map_err(|error| BooksError::Conflict(error.to_string()))
    }

    pub(super) fn absorb_access(&mut self, bytes: &[u8]) -> Result<(), BooksError> {
        let list = read(bytes)?;
        let taken = Arc::make_mut(&mut self.access).publish(list);
        taken.map_err(|error| BooksError::Conflict(error.to_string()))
    }
}

fn read(bytes: &[u8]) -> Result<AccessList, BooksError> {
    decode_access_list(bytes).map_err(|source| BooksError::Codec { what: "access list", source })
}
