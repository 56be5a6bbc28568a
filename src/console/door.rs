//! Who may come in, and what that one may do.

use std::{fs, io, path::Path};

use http::{HeaderMap, header};

use super::listener::Arrival;
use crate::{
    config::{AdminRight, Config},
    server::Insight,
};

/// The shortest token: one that is shorter could be guessed.
const SHORTEST: usize = 16;

/// What decides who comes in.
pub struct Door {
    token: Option<String>,
    operate: bool,
}

/// What whoever has come may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// Look.
    Look,
    /// Look, restart workers and cancel calls.
    Operate,
}

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It does not know the token.
    NoToken,
    /// It names another host: a page of that host has sent it.
    OtherHost,
}

/// Whoever is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visitor {
    /// Somebody on this machine.
    Anybody,
    /// A user who may do this.
    User(May),
}

impl Door {
    /// As it is configured.
    ///
    /// # Errors
    /// The token cannot be read, or is too short.
    pub fn new(config: &Config) -> io::Result<Self> {
        let token = config.observe.token_file.as_deref().map(read).transpose()?;
        Ok(Self { token, operate: config.observe.operate })
    }

    /// Who has come; `None` if that one may not even look.
    pub fn visitor(&self, arrival: &Arrival, insight: &Insight) -> Option<Visitor> {
        let Arrival::Unix(_, peer, groups) = arrival else { return Some(Visitor::Anybody) };
        match insight.right(peer, groups)? {
            AdminRight::None => None,
            AdminRight::Read => Some(Visitor::User(May::Look)),
            AdminRight::Full => Some(Visitor::User(self.most())),
        }
    }

    /// The most that anybody may do.
    fn most(&self) -> May {
        if self.operate { May::Operate } else { May::Look }
    }

    /// What a request with these headers may do.
    ///
    /// # Errors
    /// It may do nothing.
    pub fn may(&self, visitor: Visitor, headers: &HeaderMap) -> Result<May, Closed> {
        match (&self.token, visitor) {
            (Some(token), _) if !knows(token, headers) => Err(Closed::NoToken),
            (_, Visitor::User(may)) => Ok(may),
            (Some(_), Visitor::Anybody) => Ok(self.most()),
            // A page of another site whose name leads to this machine is at home here for
            // its browser.
            (None, Visitor::Anybody) if !is_own_host(headers) => Err(Closed::OtherHost),
            (None, Visitor::Anybody) => Ok(May::Look),
        }
    }
}

fn read(path: &Path) -> io::Result<String> {
    let named =
        |why: String| io::Error::other(format!("observe.token_file: {}: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let token = text.trim().to_owned();
    match token.len() >= SHORTEST && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(token),
        false => Err(named(format!(
            "the token must have {SHORTEST} visible ASCII characters or more, without a space"
        ))),
    }
}

/// Whether a request has the token: as a bearer, or as the password of any user.
fn knows(token: &str, headers: &HeaderMap) -> bool {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let Some(value) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let Some((scheme, credentials)) = value.split_once(' ') else { return false };
    let credentials = credentials.trim();
    let given = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => credentials.as_bytes().to_vec(),
        "basic" => {
            let decoded = STANDARD.decode(credentials).unwrap_or_default();
            let colon = decoded.iter().position(|byte| *byte == b':');
            colon.map(|at| decoded[at + 1..].to_vec()).unwrap_or_default()
        }
        _ => return false,
    };
    is_same(&given, token.as_bytes())
}

/// Whether two texts are the same, in a time that tells nothing of where they differ.
fn is_same(given: &[u8], known: &[u8]) -> bool {
    let differ = given.iter().zip(known).fold(0, |differ, (a, b)| differ | (a ^ b));
    std::hint::black_box(differ) == 0 && given.len() == known.len()
}

/// Whether the host that a request names is an address, or this machine.
fn is_own_host(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let Ok(authority) = http::uri::Authority::try_from(host.as_bytes()) else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn door(token: bool, operate: bool) -> Door {
        Door { token: token.then(|| TOKEN.to_owned()), operate }
    }

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().expect("a value"))])
    }

    fn host(host: &str) -> HeaderMap {
        headers(header::HOST, host)
    }

    #[test]
    fn without_a_token_anybody_may_look_who_names_this_machine() {
        let door = door(false, false);
        for own in ["localhost:9464", "127.0.0.1", "[::1]:9464", "LOCALHOST"] {
            assert_eq!(door.may(Visitor::Anybody, &host(own)), Ok(May::Look), "{own}");
        }
        assert_eq!(door.may(Visitor::Anybody, &HeaderMap::new()), Ok(May::Look));
        for other in ["evil.example:9464", "localhost.evil.example", "a b"] {
            let closed = door.may(Visitor::Anybody, &host(other));
            assert_eq!(closed, Err(Closed::OtherHost), "{other}");
        }
    }

    #[test]
    fn a_token_is_asked_of_everybody_and_lets_operate_if_that_is_configured() {
        let bearer = headers(header::AUTHORIZATION, &format!("Bearer {TOKEN}"));
        // "me:" and the token.
        let basic = headers(header::AUTHORIZATION, "Basic bWU6MDEyMzQ1Njc4OWFiY2RlZg==");
        for (operate, may) in [(false, May::Look), (true, May::Operate)] {
            for known in [&bearer, &basic] {
                assert_eq!(door(true, operate).may(Visitor::Anybody, known), Ok(may));
            }
            let user = Visitor::User(May::Look);
            assert_eq!(door(true, operate).may(user, &bearer), Ok(May::Look));
        }
        for wrong in ["Bearer 0123456789abcdeX", "Bearer 0123", "Basic x", "Digest a", TOKEN] {
            let headers = headers(header::AUTHORIZATION, wrong);
            let closed = door(true, true).may(Visitor::User(May::Operate), &headers);
            assert_eq!(closed, Err(Closed::NoToken), "{wrong}");
        }
        assert!(door(true, true).may(Visitor::Anybody, &host("localhost")).is_err());
    }

    #[test]
    fn a_token_that_could_be_guessed_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        for (text, fits) in
            [("0123456789abcdef\n", true), ("short", false), ("0123 456789abcdef", false)]
        {
            fs::write(&file, text).expect("written");
            assert_eq!(read(&file).is_ok(), fits, "{text:?}");
        }
        let error = read(&folder.path().join("none")).expect_err("no file").to_string();
        assert!(error.starts_with("observe.token_file: "), "{error}");
    }
}
