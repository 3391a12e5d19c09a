//! TLS before a server that speaks plain HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::certificates::Certified;
use super::https::config;

/// A listening front. It ends when it is dropped.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Front {
    /// A front of this server.
    pub async fn before(server: SocketAddr, certified: Certified) -> Self {
        let acceptor = TlsAcceptor::from(Arc::clone(&config(certified)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(acceptor.clone(), client, server));
            }
        });
        Self { address, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection; whichever end breaks it, it is over.
async fn pass(acceptor: TlsAcceptor, client: TcpStream, server: SocketAddr) {
    let (Ok(mut client), Ok(mut server)) =
        tokio::join!(acceptor.accept(client), TcpStream::connect(server))
    else {
        return;
    };
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}
