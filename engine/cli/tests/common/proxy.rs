//! What may lie between two nodes: a TCP proxy on each way, which passes on, delays, swallows or refuses.
//!
//! ```text
//!   grid ─▶ proxy grid→bank ─▶ bank        each node finds the others at addresses of its own,
//!   bank ─▶ proxy bank→grid ─▶ grid        so a fault lies on one way, or on both
//! ```

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a way does with what is sent over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As if it were not there.
    Open,
    /// Each piece comes so much later, answers too.
    Slow(Duration),
    /// It takes everything and gives nothing on, as a network that is cut does.
    Swallows,
    /// It ends every connection.
    Refuses,
}

/// How often a thread that waits looks whether something has changed.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// What one read takes at most.
const PIECE_SIZE: usize = 64 << 10;

/// One way from a node to another. Its threads end with the process of the test.
pub struct Proxy {
    pub address: SocketAddr,
    way: Arc<Mutex<Way>>,
}

impl Proxy {
    /// A way to `target`, open.
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let way = Arc::new(Mutex::new(Way::Open));
        let shared = Arc::clone(&way);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let way = Arc::clone(&shared);
                std::thread::spawn(move || connect(near, target, &way));
            }
        });
        Self { address, way }
    }

    pub fn set(&self, way: Way) {
        *self.way.lock().unwrap() = way;
    }
}

fn connect(near: TcpStream, target: SocketAddr, way: &Arc<Mutex<Way>>) {
    if *way.lock().unwrap() == Way::Refuses {
        return;
    }
    let Ok(far) = TcpStream::connect(target) else { return };
    let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) else { return };
    let way_too = Arc::clone(way);
    std::thread::spawn(move || carry(far_too, near_too, &way_too));
    carry(near, far, way);
}

/// Carries bytes from one stream to the other until either ends, or the way refuses.
fn carry(mut from: TcpStream, mut to: TcpStream, way: &Mutex<Way>) {
    let _ = to.set_nodelay(true);
    let _ = from.set_read_timeout(Some(Duration::from_millis(50)));
    let mut piece = vec![0; PIECE_SIZE];
    loop {
        if *way.lock().unwrap() == Way::Refuses {
            break;
        }
        let size = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(size) => size,
            Err(error)
                if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) =>
            {
                continue;
            }
            Err(_) => break,
        };
        let came = Instant::now();
        // What was swallowed never comes, also when the way is open again: the connection is of no more use.
        let is_lost = loop {
            match *way.lock().unwrap() {
                Way::Open => break false,
                Way::Slow(time) if came.elapsed() >= time => break false,
                Way::Slow(_) => {}
                Way::Swallows | Way::Refuses => break true,
            }
            std::thread::sleep(LOOK_EVERY);
        };
        if is_lost {
            while *way.lock().unwrap() == Way::Swallows {
                std::thread::sleep(LOOK_EVERY);
            }
            break;
        }
        if to.write_all(&piece[..size]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
