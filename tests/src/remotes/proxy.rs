//! A proxy between a client and a server: the weather on the line.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

/// What has not happened by then never will.
const PATIENCE: Duration = Duration::from_mins(1);

/// What happens to connections that are made from now on. Bytes are those that the server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// All is passed on.
    Fair,
    /// So many bytes are passed on, then nothing more comes; zero: the server seems to hang.
    HangAfter(u64),
    /// So many bytes are passed on, then the connection is reset.
    ResetAfter(u64),
    /// So many bytes are passed on, then the connection is closed as if all had been sent.
    CutAfter(u64),
    /// So many bytes of the client are passed on, and no more.
    HangAfterSent(u64),
}

/// A listening proxy. Dropped, it takes no new connections.
#[derive(Debug, Clone)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<(Mutex<Shared>, Condvar)>,
}

#[derive(Debug)]
struct Shared {
    weather: Weather,
    connections: Vec<Weak<TcpStream>>,
    accepted: u64,
}

impl Proxy {
    /// A proxy before this server.
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            shared: Arc::new((
                Mutex::new(Shared {
                    weather: Weather::Fair,
                    connections: Vec::new(),
                    accepted: 0,
                }),
                Condvar::new(),
            )),
        };
        let passing = proxy.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                passing.pass(client, server);
            }
        });
        proxy
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The weather for connections that are made from now on.
    pub fn set(&self, weather: Weather) {
        self.shared().weather = weather;
    }

    /// Waits until so many connections were made in all.
    pub fn wait_accepted(&self, count: u64) {
        let fewer = |shared: &mut Shared| shared.accepted < count;
        let waited = self
            .shared
            .1
            .wait_timeout_while(self.shared(), PATIENCE, fewer);
        let (shared, time) = waited.unwrap();
        assert!(!time.timed_out(), "only {} connections", shared.accepted);
    }

    /// Connections that were made so far.
    pub fn accepted(&self) -> u64 {
        self.shared().accepted
    }

    /// Cuts every connection that there is.
    pub fn cut_all(&self) {
        for connection in self.shared().connections.drain(..) {
            // It may have ended by itself.
            let _ = connection
                .upgrade()
                .map(|connection| connection.shutdown(Shutdown::Both));
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.0.lock().unwrap()
    }

    fn pass(&self, client: TcpStream, server: SocketAddr) {
        let client = Arc::new(client);
        let weather = {
            let mut shared = self.shared();
            shared.accepted += 1;
            shared.connections.push(Arc::downgrade(&client));
            shared.weather
        };
        self.shared.1.notify_all();
        let Ok(server) = TcpStream::connect(server) else {
            return;
        };
        let server = Arc::new(server);
        let (from, to) = (Arc::clone(&client), Arc::clone(&server));
        let (up, down) = match weather {
            Weather::HangAfterSent(bytes) => (Weather::HangAfter(bytes), Weather::Fair),
            other => (Weather::Fair, other),
        };
        thread::spawn(move || pump(&from, &to, up));
        thread::spawn(move || pump(&server, &client, down));
    }
}

/// Passes bytes on in one direction, as the weather allows.
fn pump(mut from: &TcpStream, mut to: &TcpStream, weather: Weather) {
    let limit = match weather {
        Weather::Fair => u64::MAX,
        Weather::HangAfter(bytes)
        | Weather::ResetAfter(bytes)
        | Weather::CutAfter(bytes)
        | Weather::HangAfterSent(bytes) => bytes,
    };
    let mut passed = 0;
    let mut buffer = [0; 4096];
    while passed < limit {
        let most = usize::try_from(limit - passed).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        match from.read(&mut buffer[..most]) {
            Ok(0) | Err(_) => {
                // The other direction may go on.
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(read) if to.write_all(&buffer[..read]).is_err() => {
                let _ = from.shutdown(Shutdown::Both);
                return;
            }
            Ok(read) => passed += read as u64,
        }
    }
    match weather {
        Weather::ResetAfter(_) => {
            // Closed without waiting for what is unsent, a connection is reset. It is closed once
            // the other direction has ended, too.
            let _ = set_socket_linger(to, Some(Duration::ZERO));
            let _ = to.shutdown(Shutdown::Read);
            let _ = from.shutdown(Shutdown::Both);
        }
        Weather::CutAfter(_) => {
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
        }
        // Nothing is passed on until one end gives up.
        _ => while matches!(from.read(&mut buffer), Ok(1..)) {},
    }
}
