//! Who may speak at all: the checks before any byte of a body is read.
//!
//! A page on another site runs in the same machine's browser and can send requests to loopback. It is
//! kept out three times: by `Host` (DNS rebinding), by `Origin` and `Sec-Fetch-Site`, and by a secret
//! that no browser sends by itself.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use subtle::ConstantTimeEq;

use super::{Caller, Gate, RpcError, Transport};

/// No secret is longer than this.
const SECRET_LIMIT: usize = 512;

/// Says no to an HTTP request: the status, and the error as a program reads it.
pub(super) type Refused = (StatusCode, RpcError);

/// The way in to one listener.
#[derive(Clone)]
pub(super) enum Wall {
    /// The unix socket, whose peer is our own user.
    Socket,
    /// Loopback HTTP under these names.
    Http(Arc<[String]>),
}

/// What a request showed; kept by long sessions, to be admitted again for each call.
#[derive(Clone)]
pub(super) enum Credential {
    /// The unix socket itself.
    Owner,
    /// A cookie or a token.
    Secret(String, Transport),
}

/// Knows the cookie of this run and asks the gate about everything else.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) cookie: Arc<str>,
    pub(super) gate: Arc<dyn Gate>,
}

impl Wall {
    /// The names a listener at `address` answers to.
    pub(super) fn http(address: SocketAddr) -> Self {
        let port = address.port();
        let mut hosts = ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")).to_vec();
        hosts.push(address.to_string());
        Self::Http(hosts.into())
    }

    /// Refuses requests that came by a foreign name or from a foreign page.
    pub(super) fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Refused> {
        let hosts: &[String] = match self {
            Self::Http(hosts) => hosts,
            Self::Socket => &[],
        };
        let known = |name: &str| hosts.iter().any(|host| host.eq_ignore_ascii_case(name));
        if matches!(self, Self::Http(_)) {
            let host = only(headers, &HOST).ok().flatten();
            let authority = uri.authority().map(|authority| authority.as_str());
            if !host.is_some_and(known) || !authority.is_none_or(known) {
                let why = "this interface answers only under the name of this machine's loopback";
                return Err((StatusCode::FORBIDDEN, RpcError::refused("wrong_host", why)));
            }
        }
        let foreign = |why| (StatusCode::FORBIDDEN, RpcError::refused("foreign_origin", why));
        let origin = only(headers, &ORIGIN).map_err(|()| foreign("the request names several origins"))?;
        if origin.is_some_and(|origin| !origin.strip_prefix("http://").is_some_and(known)) {
            return Err(foreign("a page of another site may not call this interface"));
        }
        let site = only(headers, &HeaderName::from_static("sec-fetch-site"));
        match site.map_err(|()| foreign("the request names several sites"))? {
            None | Some("same-origin" | "none") => Ok(()),
            Some(_) => Err(foreign("a page of another site may not call this interface")),
        }
    }

    /// What the request shows to be let in.
    pub(super) fn credential(&self, headers: &HeaderMap) -> Result<Credential, Refused> {
        let refused = || (StatusCode::UNAUTHORIZED, RpcError::unauthorized());
        let transport = match self {
            Self::Socket => Transport::Socket,
            Self::Http(_) => Transport::Http,
        };
        match (only(headers, &AUTHORIZATION).map_err(|()| refused())?, transport) {
            (None, Transport::Socket) => Ok(Credential::Owner),
            (None, Transport::Http) => Err(refused()),
            (Some(text), _) => match secret_of(text) {
                Some(secret) if (1..=SECRET_LIMIT).contains(&secret.len()) => {
                    Ok(Credential::Secret(secret, transport))
                }
                Some(_) | None => Err(refused()),
            },
        }
    }
}

impl Door {
    /// Who stands behind a credential right now.
    pub(super) fn admit(&self, credential: &Credential) -> Option<Caller> {
        match credential {
            Credential::Owner => Some(Caller::owner(Transport::Socket)),
            Credential::Secret(secret, transport) => {
                if bool::from(secret.as_bytes().ct_eq(self.cookie.as_bytes())) {
                    return Some(Caller::owner(*transport));
                }
                self.gate.admit(secret).map(|caller| Caller { transport: *transport, ..caller })
            }
        }
    }
}

/// The one value of a header; an error if there are several or it is no plain text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

/// The secret of `Bearer SECRET`. Deliberately no `Basic`: a browser that has it once sends it by itself.
fn secret_of(authorization: &str) -> Option<String> {
    let (scheme, value) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_as_bearer_only() {
        assert_eq!(secret_of("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(secret_of("bearer  abc ").as_deref(), Some("abc"));
        for bad in ["", "abc", "Digest abc", "Basic b3duZXI6YTpi", "Basic b3duZXI6YQ=="] {
            assert_eq!(secret_of(bad), None, "{bad}");
        }
    }
}
