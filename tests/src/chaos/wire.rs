//! A wire that can be cut: a forwarder in front of a program, which tells others the forwarder's address as its own.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::patience::{runtime, wait};
use crate::process::{Setting, free_port};

/// The wire of one program.
#[derive(Debug)]
pub(super) struct Wire {
    inside: u16,
    outside: u16,
    whole: Arc<watch::Sender<bool>>,
}

impl Wire {
    /// A wire to a program that will listen at its inner end.
    ///
    /// # Panics
    /// On a machine without free ports.
    pub(super) fn new() -> Wire {
        let inside = free_port();
        let listener = wait(TcpListener::bind(("127.0.0.1", 0))).expect("a machine has a free port");
        let outside = listener.local_addr().expect("a bound socket has an address").port();
        let (whole, seen) = watch::channel(true);
        runtime().spawn(forward(listener, inside, seen));
        Wire { inside, outside, whole: Arc::new(whole) }
    }

    /// How the program at its end meets the network.
    pub(super) fn setting(&self) -> Setting {
        Setting {
            external: vec![format!("/ip4/127.0.0.1/tcp/{}", self.outside)],
            ..Setting::on_port(self.inside)
        }
    }

    /// Ends every connection over it, and lets no new one through.
    pub(super) fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Lets connections through again.
    pub(super) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn forward(listener: TcpListener, inside: u16, seen: watch::Receiver<bool>) {
    while let Ok((outer, _)) = listener.accept().await {
        // Over a cut wire nobody gets through: the connection ends here.
        if *seen.borrow() {
            tokio::spawn(carry(outer, inside, seen.clone()));
        }
    }
}

async fn carry(mut outer: TcpStream, inside: u16, mut seen: watch::Receiver<bool>) {
    let Ok(mut inner) = TcpStream::connect(("127.0.0.1", inside)).await else { return };
    tokio::select! {
        // Either end closed it: both are dropped.
        _ = copy_bidirectional(&mut outer, &mut inner) => {}
        _ = seen.wait_for(|whole| !whole) => {}
    }
}
