//! Ctrl-C: the first asks to stop at the next safe place, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Failure, code};

/// A flag that the first Ctrl-C sets; the second calls `before_end` and ends the process. One handler serves it.
pub fn flag(before_end: impl Fn() + Send + 'static) -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let handle = Arc::clone(&flag);
    let set = ctrlc::set_handler(move || {
        if handle.swap(true, Ordering::Relaxed) {
            before_end();
            std::process::exit(i32::from(code::INTERRUPTED));
        }
    });
    set.map_err(|error| Failure::usage(format!("cannot listen for Ctrl-C: {error}"), "run it again"))?;
    Ok(flag)
}
