//! OpenSSH's sshd, one process a connection, with keys and settings in a folder of the test.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use super::programs::program;

/// A listening server, whose only account is that of whoever tests, and who may only use Git.
#[derive(Debug, Clone)]
pub struct Sshd {
    address: SocketAddr,
    folder: PathBuf,
}

impl Sshd {
    /// Starts with new keys.
    pub fn start(folder: &Path) -> Self {
        let sshd = program("sshd", "openssh-server");
        let git_shell = program("git-shell", "git");
        std::fs::create_dir_all(folder).unwrap();
        if rustix::process::getuid().is_root() {
            // Root's sshd wants this folder, which Debian's start script makes.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            folder: folder.to_owned(),
        };
        for name in ["host", "user", "stranger"] {
            server.make_key(name);
        }
        let shown = folder.display();
        let settings = format!(
            "HostKey {shown}/host\nAuthorizedKeysFile {shown}/authorized_keys\nPidFile none\n\
             UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             StrictModes no\nPermitUserRC no\nAcceptEnv GIT_PROTOCOL\n"
        );
        std::fs::write(folder.join("sshd_config"), settings).unwrap();
        let public = std::fs::read_to_string(folder.join("user.pub")).unwrap();
        let forced = format!(
            "restrict,command=\"{} -c \\\"$SSH_ORIGINAL_COMMAND\\\"\" {public}",
            git_shell.display()
        );
        std::fs::write(folder.join("authorized_keys"), forced).unwrap();
        let config = folder.join("sshd_config");
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let log = log.try_clone().unwrap();
                serve(&sshd, &config, stream, log);
            }
        });
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The key that it lets in.
    pub fn key(&self) -> PathBuf {
        self.folder.join("user")
    }

    /// A key that it does not know.
    pub fn strange_key(&self) -> PathBuf {
        self.folder.join("stranger")
    }

    /// The host is given another key.
    pub fn change_host_key(&self) {
        self.make_key("host");
    }

    /// Writes a file that says which key the host at this address has now.
    pub fn write_known_hosts(&self, address: SocketAddr) -> PathBuf {
        let key = std::fs::read_to_string(self.folder.join("host.pub")).unwrap();
        let file = self.folder.join("known_hosts");
        let line = format!("[{}]:{} {key}", address.ip(), address.port());
        std::fs::write(&file, line).unwrap();
        file
    }

    fn make_key(&self, name: &str) {
        for file in [name.to_owned(), format!("{name}.pub")] {
            let _ = std::fs::remove_file(self.folder.join(file));
        }
        let made = Command::new(program("ssh-keygen", "openssh-client"))
            .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
            .arg(self.folder.join(name))
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "ssh-keygen: {made}");
    }
}

/// The whole connection is the program's: it ends with it.
fn serve(sshd: &Path, config: &Path, stream: TcpStream, log: File) {
    let input = OwnedFd::from(stream);
    let output = input.try_clone().unwrap();
    let child = Command::new(sshd)
        .args(["-i", "-e", "-f"])
        .arg(config)
        .stdin(input)
        .stdout(output)
        .stderr(log)
        .spawn();
    let mut child = child.unwrap();
    thread::spawn(move || child.wait());
}
