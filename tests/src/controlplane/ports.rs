//! Free ports on loopback.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);

/// Ports that nobody listens on. All are held until all are found, so that they differ.
pub(super) fn free<const COUNT: usize>() -> io::Result<[u16; COUNT]> {
    let mut held = Vec::new();
    let mut ports = [0; COUNT];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

/// Waits until nobody listens on the ports any more.
pub(super) fn wait_until_free(ports: &[u16]) {
    let end = Instant::now() + PATIENCE;
    let is_taken = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_err();
    while ports.iter().any(is_taken) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
}
