//! What a request is for.

use http::Method;

/// What a path stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `/`: what this is.
    Index,
    /// `/v1`: the apps.
    Apps,
    /// `/metrics`: all metrics.
    Metrics,
    /// `/healthz`: whether the arbiter lives.
    Lives,
    /// `/readyz`: whether it takes calls.
    Ready,
    /// `/v1/{app}/{action}`: a call.
    Call {
        /// The app.
        app: String,
        /// The action.
        action: String,
    },
}

/// Why a request is for nothing. The messages are complete sentences without a period;
/// the client reads them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTarget {
    /// Nothing is there.
    #[error(
        "there is nothing at this path; POST /v1/APP/ACTION calls an action, GET /v1 lists the apps"
    )]
    Path,
    /// Something is there, but not for this method.
    #[error("the method is {method}, but this path needs {allowed}")]
    Method {
        /// The method.
        method: Method,
        /// Those that it takes.
        allowed: &'static str,
    },
    /// It is encoded badly.
    #[error("the path is not percent-encoded UTF-8")]
    Encoding,
}

impl Target {
    /// What a request is for.
    ///
    /// # Errors
    /// It is for nothing.
    pub fn of(method: &Method, path: &str) -> Result<Self, NoTarget> {
        let target = Self::at(path)?;
        let allowed = match target {
            Self::Index | Self::Apps | Self::Metrics | Self::Lives | Self::Ready => "GET",
            // A call without arguments is one line of curl.
            Self::Call { .. } => "POST, GET",
        };
        match allowed.split(", ").any(|allowed| allowed == method.as_str()) {
            true => Ok(target),
            false => Err(NoTarget::Method { method: method.clone(), allowed }),
        }
    }

    fn at(path: &str) -> Result<Self, NoTarget> {
        let Some(rest) = path.strip_prefix("/v1") else {
            return match path {
                "/" => Ok(Self::Index),
                "/metrics" => Ok(Self::Metrics),
                "/healthz" => Ok(Self::Lives),
                "/readyz" => Ok(Self::Ready),
                _ => Err(NoTarget::Path),
            };
        };
        if rest.is_empty() || rest == "/" {
            return Ok(Self::Apps);
        }
        let rest = rest.strip_prefix('/').ok_or(NoTarget::Path)?;
        let (app, action) = rest.split_once('/').ok_or(NoTarget::Path)?;
        if app.is_empty() || action.is_empty() || action.contains('/') {
            return Err(NoTarget::Path);
        }
        Ok(Self::Call { app: decoded(app)?, action: decoded(action)? })
    }
}

/// A part of a path without its percent-encoding.
fn decoded(part: &str) -> Result<String, NoTarget> {
    if !part.contains('%') {
        return Ok(part.to_owned());
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(part.len()), part.as_bytes());
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        bytes.push(match first {
            b'%' => {
                let digits = rest.get(..2).ok_or(NoTarget::Encoding)?;
                rest = &rest[2..];
                let digit = |byte: u8| (byte as char).to_digit(16).ok_or(NoTarget::Encoding);
                (digit(digits[0])? * 16 + digit(digits[1])?) as u8
            }
            byte => *byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| NoTarget::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_app_and_action() {
        let call =
            |app: &str, action: &str| Target::Call { app: app.into(), action: action.into() };
        for (path, target) in [
            ("/", Ok(Target::Index)),
            ("/metrics", Ok(Target::Metrics)),
            ("/healthz", Ok(Target::Lives)),
            ("/readyz", Ok(Target::Ready)),
            ("/v1", Ok(Target::Apps)),
            ("/v1/", Ok(Target::Apps)),
            ("/v1/story:Story/tell", Ok(call("story:Story", "tell"))),
            ("/v1/a%3aA/b%20c", Ok(call("a:A", "b c"))),
            ("/v1/a%2Fb/c", Ok(call("a/b", "c"))),
            ("/v1/%C3%BC/c", Ok(call("ü", "c"))),
            ("/v1/a/b/c", Err(NoTarget::Path)),
            ("/v1/a", Err(NoTarget::Path)),
            ("/v1/a/", Err(NoTarget::Path)),
            ("/v1//a", Err(NoTarget::Path)),
            ("/v10/a/b", Err(NoTarget::Path)),
            ("/favicon.ico", Err(NoTarget::Path)),
            ("/v1/a/%", Err(NoTarget::Encoding)),
            ("/v1/a/%f", Err(NoTarget::Encoding)),
            ("/v1/a/%+1", Err(NoTarget::Encoding)),
            ("/v1/a/%ff", Err(NoTarget::Encoding)),
        ] {
            assert_eq!(Target::at(path), target, "{path}");
        }
    }

    #[test]
    fn a_method_that_a_path_does_not_take_is_named() {
        let refused = Target::of(&Method::DELETE, "/v1/a/b").expect_err("refused").to_string();
        assert_eq!(refused, "the method is DELETE, but this path needs POST, GET");
        assert!(Target::of(&Method::POST, "/v1").is_err());
        assert!(Target::of(&Method::GET, "/v1/a/b").is_ok());
    }
}
