//! One POST, with an end: to an address that was checked, over TLS, redirects not followed, of the answer only the status.

use crate::shop::hook::Hook;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use protocol::sign::EventSignature;
use protocol::time::Timestamp;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// From the look-up of the name to the last byte that is read.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest address.
const URL_MAX: usize = 1024;
/// Most bytes of an answer's head.
const HEAD_MAX: usize = 16 << 10;
/// Most bytes of an answer's body that are read, so that the connection can be used again; nobody looks at them.
const ANSWER_MAX: usize = 16 << 10;

/// How near a webhook may be: who can post to any address finds out who listens in the shop's own network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Over TLS, to machines that anybody could reach.
    Outside,
    /// Anywhere; without TLS on this machine only.
    Near,
    /// Anywhere, without TLS too: anybody on the way reads along.
    Unsealed,
}

impl Leave {
    /// What the owner has said of it.
    pub fn of(hook: &Hook) -> Leave {
        Leave::given(hook.near, hook.insecure)
    }

    /// To somebody's webhook: the owner's may be near.
    pub fn given(near: bool, insecure: bool) -> Leave {
        match (near, insecure) {
            (false, _) => Leave::Outside,
            (true, false) => Leave::Near,
            (true, true) => Leave::Unsealed,
        }
    }
}

const ONLY_OWNER: &str =
    "on this machine, in its own network or without TLS: such a webhook is the owner's to add";

/// Whether everybody could reach this address: it is no one's own network, and nothing of ours.
fn is_outside(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, third, _] = ip.octets();
            let shared = first == 100 && (64..128).contains(&second);
            let special = (first, second, third) == (192, 0, 0) || (first == 198 && second & 0xfe == 18);
            let own = ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared;
            !own && !special && (1..224).contains(&first)
        }
        // Of the others, the ones that hold an older address could be a way to it.
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            let tunnel = first == 0x2002 || (first, second) == (0x2001, 0);
            first & 0xe000 == 0x2000 && !tunnel
        }
    }
}

/// Where a webhook listens.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    tls: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
    leave: Leave,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Target {
    /// Reads an address, or says what is wrong with it.
    pub fn parse(url: &str, leave: Leave) -> Result<Target, String> {
        if url.len() > URL_MAX {
            return Err(format!("an address has at most {URL_MAX} bytes"));
        }
        let uri: Uri = url.parse().map_err(|_| "that is no address: write https://host/path".to_owned())?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => {
                return Err(
                    "a webhook's address begins with https:// (or http://, on this machine)".to_owned()
                );
            }
        };
        let authority = uri.authority().ok_or("the address names no host")?;
        if authority.as_str().contains('@') {
            return Err("no name and password in the address: put a secret into the path".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err("the address names no host".to_owned());
        }
        let ip = host.parse::<IpAddr>().ok();
        let here = host == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
        if leave == Leave::Outside && (!tls || here || ip.is_some_and(|ip| !is_outside(ip))) {
            return Err(ONLY_OWNER.to_owned());
        }
        if !tls && !here && leave != Leave::Unsealed {
            let why = "without TLS anybody on the way reads every event: use https://, or say --insecure";
            return Err(why.to_owned());
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let authority = authority.as_str().to_owned();
        Ok(Target { tls, host, port, authority, path, leave })
    }

    /// Whether its name may lead there.
    fn may_be_at(&self, ip: IpAddr) -> bool {
        match self.leave {
            Leave::Outside => is_outside(ip),
            // «localhost» is what the machine says it is: without TLS it has to be this machine.
            Leave::Near => self.tls || ip.is_loopback(),
            Leave::Unsealed => true,
        }
    }

    /// What may be shown to everybody: no path, which may be a secret.
    pub fn shown(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }
}

/// Why an event was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Another status than 2xx.
    #[error("it answered {0}")]
    Status(u16),
    /// It would like to be somewhere else.
    #[error("it answered {0}, a redirect: those are not followed, give the address itself")]
    Redirect(u16),
    /// Nobody listens there any more.
    #[error("it answered 410: nobody listens there any more")]
    Gone,
    /// No end in time.
    #[error("no answer within 15 s")]
    Late,
    /// No connection.
    #[error("{0}")]
    Unreachable(String),
    /// The connection broke, or it does not speak HTTP.
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// What is sent.
pub(super) struct Posting<'a> {
    pub(super) signed: EventSignature,
    pub(super) at: Timestamp,
    pub(super) event: Option<u64>,
    pub(super) body: &'a [u8],
}

/// A connection that may be used again.
pub(super) struct Line {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Posts events.
#[derive(Default)]
pub(super) struct Poster {
    /// Whom the machine trusts, as it was read when it last worked.
    tls: Mutex<Option<TlsConnector>>,
}

impl Poster {
    /// Posts over `line`, or over a new one that is left there.
    pub(super) async fn post(
        &self,
        line: &mut Option<Line>,
        target: &Target,
        posting: Posting<'_>,
    ) -> Result<(), Failure> {
        let exchange = async {
            let used = line.take().filter(|open| open.sender.is_ready());
            let answered = match used {
                // One that was closed in this moment says nothing about the receiver.
                Some(mut open) => match open.sender.send_request(request(target, &posting)?).await {
                    Ok(answer) => Some((open, answer)),
                    Err(_) => None,
                },
                None => None,
            };
            let (open, answer) = match answered {
                Some(answered) => answered,
                None => {
                    let mut open = self.connect(target).await?;
                    let asked = open.sender.send_request(request(target, &posting)?).await;
                    (open, asked.map_err(|why| broken(&why))?)
                }
            };
            let status = answer.status();
            if is_read(answer).await {
                *line = Some(open);
            }
            taken(status)
        };
        tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| Failure::Late)?
    }

    async fn connect(&self, target: &Target) -> Result<Line, Failure> {
        let unreachable = |why: std::io::Error| Failure::Unreachable(format!("no connection: {why}"));
        let found =
            tokio::net::lookup_host((target.host.as_str(), target.port)).await.map_err(unreachable)?;
        let found: Vec<_> = found.filter(|address| target.may_be_at(address.ip())).collect();
        if found.is_empty() {
            return Err(Failure::Unreachable(format!("its name leads {ONLY_OWNER}")));
        }
        let tcp = TcpStream::connect(&found[..]).await.map_err(unreachable)?;
        // Small and at once.
        tcp.set_nodelay(true).map_err(unreachable)?;
        if !target.tls {
            return speak(tcp).await;
        }
        let name = ServerName::try_from(target.host.clone()).map_err(|_| {
            Failure::Unreachable("its host has no name that a certificate can have".to_owned())
        })?;
        let secured = self.connector()?.connect(name, tcp).await;
        let secured = secured.map_err(|why| {
            // The machine's certificates may be others by now: they are read again for the next one.
            *self.kept() = None;
            Failure::Unreachable(format!("no TLS connection: {why}"))
        })?;
        speak(secured).await
    }

    fn kept(&self) -> MutexGuard<'_, Option<TlsConnector>> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connector(&self) -> Result<TlsConnector, Failure> {
        let mut kept = self.kept();
        if let Some(known) = kept.as_ref() {
            return Ok(known.clone());
        }
        let read = trusted().and_then(connector).map_err(Failure::Unreachable)?;
        Ok(kept.insert(read).clone())
    }
}

/// Whom the machine's owner trusts.
fn trusted() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (good, _) = roots.add_parsable_certificates(found.certs);
    if good == 0 {
        return Err("this machine trusts no certificate authority: install its ca-certificates".to_owned());
    }
    Ok(roots)
}

fn connector(roots: RootCertStore) -> Result<TlsConnector, String> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Line, Failure> {
    let shaken = http1::Builder::new().max_buf_size(HEAD_MAX).handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(|why| broken(&why))?;
    // Its end shows in the sender.
    let driver = tokio::spawn(async move { drop(connection.await) });
    Ok(Line { sender, driver })
}

fn broken(why: &hyper::Error) -> Failure {
    Failure::Broken(why.to_string())
}

fn request(target: &Target, posting: &Posting<'_>) -> Result<Request<Full<Bytes>>, Failure> {
    let signature = STANDARD.encode(posting.signed.signature);
    let mut request = Request::post(target.path.as_str())
        .header(HOST, target.authority.as_str())
        .header(USER_AGENT, concat!("stermina-shop/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", posting.signed.id.as_str())
        .header("webhook-timestamp", posting.at.0)
        .header("webhook-signature", format!("v1a,{signature}"));
    if let Some(event) = posting.event {
        request = request.header("stermina-event", event);
    }
    let body = Full::new(Bytes::copy_from_slice(posting.body));
    request.body(body).map_err(|_| Failure::Unreachable("its address can't be asked for".to_owned()))
}

/// Reads an answer to its end, if that is near: only then the connection can be used again.
async fn is_read(answer: Response<Incoming>) -> bool {
    let mut body = answer.into_body();
    let mut bytes = 0_usize;
    let reading = async {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            bytes = bytes.saturating_add(frame.data_ref().map_or(0, Bytes::len));
            if bytes > ANSWER_MAX {
                return false;
            }
        }
        true
    };
    // The status has been told: whoever goes on talking does not hold up the next event.
    tokio::time::timeout(Duration::from_secs(1), reading).await.unwrap_or(false)
}

fn taken(status: StatusCode) -> Result<(), Failure> {
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::GONE => Err(Failure::Gone),
        status if status.is_redirection() => Err(Failure::Redirect(status.as_u16())),
        status => Err(Failure::Status(status.as_u16())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::sign::Signer;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    /// An address is https, or on this machine, or somebody has said that it may be read on the way.
    #[test]
    fn addresses_are_checked_and_shown_without_their_secrets() {
        for good in
            ["https://shop.example/a?b=c", "http://127.0.0.1:9000/x", "http://[::1]/x", "http://localhost"]
        {
            assert!(Target::parse(good, Leave::Near).is_ok(), "{good}");
        }
        for bad in [
            "ftp://shop.example/x",
            "shop.example/x",
            "/x",
            "",
            "https://",
            "https://me:word@shop.example/x",
            "http://shop.example/x",
            "http://10.0.0.7/x",
            "http://127.0.0.1.example/x",
            "https://shop.example/ä b",
        ] {
            assert!(Target::parse(bad, Leave::Near).is_err(), "{bad}");
        }
        assert!(Target::parse("http://10.0.0.7/x", Leave::Unsealed).is_ok());
        assert!(Target::parse(&format!("https://a.example/{}", "x".repeat(URL_MAX)), Leave::Near).is_err());
        let secret = Target::parse("https://shop.example:8443/hook/sesame?key=open", Leave::Near).unwrap();
        assert_eq!(format!("{secret:?}"), "https://shop.example:8443");
    }

    /// Review of issue 4: the staff's webhooks go out of the house, whatever a name says where it leads.
    #[tokio::test]
    async fn only_the_owner_s_webhooks_may_be_near() {
        for url in [
            "http://127.0.0.1:9000/x",
            "http://localhost/x",
            "http://shop.example/x",
            "https://localhost/x",
            "https://127.0.0.1/x",
            "https://192.168.1.1/x",
            "https://[::1]/x",
            "https://[::ffff:10.0.0.7]/x",
        ] {
            assert_eq!(Target::parse(url, Leave::Outside).unwrap_err(), ONLY_OWNER, "{url}");
        }
        let near =
            ["10.1.2.3", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "198.19.0.1"];
        let near_6 = [
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "::ffff:127.0.0.1",
        ];
        for ip in near.iter().chain(&near_6) {
            assert!(!is_outside(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["9.9.9.9", "100.128.0.1", "172.32.0.1", "2620:fe::fe", "2001:4860::8888"] {
            assert!(is_outside(ip.parse().unwrap()), "{ip}");
        }
        // A name that anybody may have, and that leads to this machine.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("https://shop.example:{port}/x");
        let target = Target { host: "localhost".to_owned(), ..Target::parse(&url, Leave::Outside).unwrap() };
        let shop = Signer::from_secret(&[7; 32]);
        let refused = Poster::default().post(&mut None, &target, posting(&shop)).await.unwrap_err();
        assert!(refused.to_string().contains(ONLY_OWNER), "{refused}");
    }

    fn posting(signer: &Signer) -> Posting<'static> {
        let body = br#"{"kind":"sale","seq":7}"#;
        Posting { signed: signer.sign_event("7", Timestamp(9), body), at: Timestamp(9), event: Some(7), body }
    }

    /// A receiver over TLS whose certificate is for `localhost`: takes one post, and gives its head and body back.
    async fn receives(config: ServerConfig) -> (u16, JoinHandle<std::io::Result<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let took = tokio::spawn(async move {
            let (tcp, _) = listener.accept().await?;
            let mut tls = TlsAcceptor::from(Arc::new(config)).accept(tcp).await?;
            let mut heard = Vec::new();
            while !heard.ends_with(b"\"seq\":7}") {
                tls.read_buf(&mut heard).await?;
            }
            tls.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
            tls.flush().await?;
            Ok(String::from_utf8_lossy(&heard).into_owned())
        });
        (port, took)
    }

    /// Issue 4, webhooks: events go over TLS to whom the machine trusts, and to nobody else.
    #[tokio::test]
    async fn over_tls_only_to_whom_the_machine_trusts() {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let serving = || {
            let provider = Arc::new(aws_lc_rs::default_provider());
            let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let key = PrivateKeyDer::try_from(made.key_pair.serialize_der()).unwrap();
            config
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
                .unwrap()
        };
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let trusting = Poster::default();
        *trusting.kept() = Some(connector(roots).unwrap());
        let shop = Signer::from_secret(&[7; 32]);

        let (port, took) = receives(serving()).await;
        let target = Target::parse(&format!("https://localhost:{port}/secret"), Leave::Near).unwrap();
        trusting.post(&mut None, &target, posting(&shop)).await.unwrap();
        assert!(trusting.kept().is_some());
        let heard = took.await.unwrap().unwrap();
        assert!(heard.starts_with("POST /secret HTTP/1.1"), "{heard}");
        assert!(
            heard.contains("webhook-id: evt_7\r\n") && heard.contains("stermina-event: 7\r\n"),
            "{heard}"
        );

        let (port, took) = receives(serving()).await;
        let other = Target::parse(&format!("https://127.0.0.1:{port}/secret"), Leave::Near).unwrap();
        let refused = trusting.post(&mut None, &other, posting(&shop)).await.unwrap_err();
        assert!(matches!(refused, Failure::Unreachable(_)), "another name than the certificate's: {refused}");
        assert!(took.await.unwrap().is_err(), "nothing was said");

        let (port, took) = receives(serving()).await;
        let target = Target::parse(&format!("https://localhost:{port}/secret"), Leave::Near).unwrap();
        let stranger = Poster::default();
        *stranger.kept() = Some(connector(RootCertStore::empty()).unwrap());
        let refused = stranger.post(&mut None, &target, posting(&shop)).await.unwrap_err();
        assert!(matches!(refused, Failure::Unreachable(_)), "{refused}");
        assert!(took.await.unwrap().is_err(), "nothing was said");
        assert!(stranger.kept().is_none(), "certificates that were installed meanwhile help");
    }
}
