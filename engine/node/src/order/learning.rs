//! A node that has lost its part of the order, or never had one, votes for nobody before it has learned the order again.
//!
//! ```text
//!   no log, no vote ─▶ mark on disk ─▶ both peers say how far they are ─▶ as far as the further of them ─▶ mark removed, it votes
//! ```
//!
//! Two of three disks hold every agreed entry, this one's may have been one of the two: its vote could make one a leader that
//! has not got the entry, or two leaders in one term. Whoever led with its help is a peer and knows that term; whoever counted
//! its disk is a peer and has that entry. So what both peers have, and their terms, are all that its lost disk can have promised.
//! Entries it takes meanwhile as ever. With one peer away it cannot know, and waits.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tallywatt_consensus::message::Position;
use tallywatt_shards::durable::{self, DurableError};

/// Name of the mark: this node still learns. It outlives a crash, a log that is half there would not say so.
const MARK_NAME: &str = "order.learning";
/// How often a peer that does not say how far it is is asked again.
pub(super) const ASK_EVERY: Duration = Duration::from_millis(300);

/// How far a node is with learning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing to learn.
    Done,
    /// It does not know yet how far the peers are.
    Asking,
    /// It has to come this far.
    Until(Position),
}

/// Whether this node learns the order, and how far it has to come.
#[derive(Debug, Clone)]
pub struct Learning {
    mark: PathBuf,
    state: Arc<Mutex<State>>,
}

impl Learning {
    /// Of the node of `folder`: it learns if its log is empty, or if it did not come to the end of learning before.
    ///
    /// # Errors
    /// [`DurableError`].
    pub fn of(folder: &Path, is_log_empty: bool) -> Result<Self, DurableError> {
        let mark = folder.join(MARK_NAME);
        if is_log_empty {
            durable::write_durably(&mark, b"this node votes for nobody before it has learned the order\n")?;
        }
        let state = if mark.exists() { State::Asking } else { State::Done };
        Ok(Self { mark, state: Arc::new(Mutex::new(state)) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is nothing to learn.
    #[must_use]
    pub fn is_done(&self) -> bool {
        *self.state() == State::Done
    }

    /// Both peers have said how far they are: the furthest of it.
    pub(super) fn set_goal(&self, goal: Position) {
        *self.state() = State::Until(goal);
    }

    /// Whether it may vote in `term` with entries up to `index`.
    pub(super) fn may_vote(&self, term: u64, index: u64) -> bool {
        match *self.state() {
            State::Done => true,
            State::Asking => false,
            State::Until(goal) => term > goal.term && index >= goal.index,
        }
    }

    /// Whether being this far is far enough.
    pub(super) fn is_reached(&self, own: Position) -> bool {
        match *self.state() {
            State::Done => true,
            State::Asking => false,
            State::Until(goal) => own.term >= goal.term && own.index >= goal.index,
        }
    }

    /// It has learned all: it votes as ever, also after a restart.
    ///
    /// # Errors
    /// [`DurableError`].
    pub(super) fn end(&self) -> Result<(), DurableError> {
        durable::remove_if_there(&self.mark)?;
        *self.state() = State::Done;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_vote_before_all_is_learned() {
        let folder = tempfile::tempdir().unwrap();
        let at = |term, index| Position { term, index };
        let learning = Learning::of(folder.path(), true).unwrap();
        assert!(!learning.is_done() && !learning.may_vote(9, 9) && !learning.is_reached(at(9, 9)));
        learning.set_goal(at(4, 20));
        // Its lost vote of term 4 may have been another; an entry below 20 may have been on its lost disk.
        assert!(!learning.may_vote(4, 20) && !learning.may_vote(5, 19) && learning.may_vote(5, 20));
        assert!(
            !learning.is_reached(at(3, 20))
                && !learning.is_reached(at(4, 19))
                && learning.is_reached(at(4, 20))
        );
        // A crash half way: the log is not empty any more, and it has not learned yet.
        assert!(!Learning::of(folder.path(), false).unwrap().is_done());
        learning.end().unwrap();
        assert!(learning.is_done() && learning.may_vote(1, 0));
        assert!(Learning::of(folder.path(), false).unwrap().is_done());
    }
}
