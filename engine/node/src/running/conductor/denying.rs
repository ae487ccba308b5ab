//! What is not permitted: of peers and operators by the rules of who may propose, of all others at the desk. Kept in the store,
//! many with one write, so that who asks often does not keep the disk busy.

use std::sync::Arc;

use tallywatt_consensus::machine::MemberError;
use tallywatt_consensus::members::Standing;
use tallywatt_core::agreement::Party;
use tokio::sync::oneshot;

use super::Conductor;
use crate::node::NodeError;
use crate::store::{Asker, Denied};

/// Denials that wait for the next write; of more in a moment the rest are only logged where they were made.
const WAITING_COUNT_MAX: usize = 1_024;

/// A denial that waits for the next write, and who waits for that.
pub(super) type Waiting = (Denied, Option<oneshot::Sender<()>>);

impl Conductor {
    /// Keeps a denial with the next write.
    pub(super) fn denied(&mut self, denied: Denied, stored: Option<oneshot::Sender<()>>) {
        if self.denied.len() < WAITING_COUNT_MAX {
            self.denied.push((denied, stored));
        }
    }

    /// Notes that a party may not propose what it did, if that is why the member refuses it.
    pub(super) fn deny_proposal(&mut self, who: &str, command: &str, error: &NodeError) {
        let NodeError::Member { source: MemberError::Invalid(invalid), .. } = error else { return };
        if invalid.is_denial() {
            let (now_unix_s, asked) = ((self.parts.clock)(), format!("propose: {command}"));
            let denied = Denied::new(Asker::Party, now_unix_s, who, &asked, &invalid.to_string());
            self.denied(denied, None);
        }
    }

    /// Makes what was denied durable.
    pub(super) fn store_denied(&mut self) {
        if self.denied.is_empty() {
            return;
        }
        let (denied, waiting): (Vec<Denied>, Vec<_>) = std::mem::take(&mut self.denied).into_iter().unzip();
        match self.parts.node.store().store_denials(&denied) {
            Ok(()) => {
                for stored in waiting.into_iter().flatten() {
                    // Who asked may be gone.
                    let _ = stored.send(());
                }
            }
            // A stranger's word must not stop the node; a disk that takes nothing does so with the next block.
            Err(error) => self.log(&format!("{} denials are not kept: {error}", denied.len())),
        }
    }

    /// Every denial that is kept.
    pub(super) fn denials(&mut self) -> Result<Vec<Denied>, String> {
        self.store_denied();
        self.parts.node.store().denials().map_err(|error| error.to_string())
    }

    /// Shows the desk, if there is one, who is granted what, and the newest head once it is sealed.
    pub(super) fn show_desk(&self) {
        let Some(desk) = &self.parts.desk else { return };
        let (member, access) = (self.parts.node.member(), self.parts.node.books().access());
        let size = member.size();
        desk.send_if_modified(|view| {
            let is_granted = !Arc::ptr_eq(&view.access, access);
            if is_granted {
                view.access = Arc::clone(access);
            }
            let is_known = view.sealed.as_ref().is_some_and(|(known, _)| *known == size);
            let mut is_sealed = !is_known && size > 0 && member.standing(size) == Standing::Sealed;
            if is_sealed {
                match member.head_note(size) {
                    Ok(Some(note)) => view.sealed = Some((size, note.encode().into())),
                    Ok(None) => {}
                    Err(_) => is_sealed = false,
                }
            }
            is_granted || is_sealed
        });
    }
}

/// A party's node, in words.
pub(super) fn node_of(party: Party) -> String {
    format!("the {party}'s node")
}
