//! A way from the namespace of a node to the loopback of the machine.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::os::fd::AsFd as _;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Carries connections to a port of the node's loopback on to the same port of the machine's.
#[derive(Debug)]
pub(super) struct Relay(JoinHandle<()>);

impl Relay {
    /// For the namespace that this process is in.
    pub(super) fn start(pid: i32, port: u16) -> io::Result<Self> {
        // A thread of its own enters the namespace; the socket stays there when it has ended.
        let listen = std::thread::spawn(move || listen(pid, port));
        let listener = listen.join();
        let listener = listener.map_err(|_| io::Error::other("the thread ended"))??;
        let listener = TcpListener::from_std(listener)?;
        Ok(Self(tokio::spawn(carry(listener, port))))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn listen(pid: i32, port: u16) -> io::Result<StdListener> {
    let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn carry(listener: TcpListener, port: u16) {
    while let Ok((mut near, _)) = listener.accept().await {
        tokio::spawn(async move {
            // Either side ends it; the other one sees that.
            if let Ok(mut far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                let _ = copy_bidirectional(&mut near, &mut far).await;
            }
        });
    }
}
