//! What all spans and metrics are from: this process of this service.

use opentelemetry_proto::tonic::{
    common::v1::{InstrumentationScope, KeyValue},
    resource::v1::Resource as Message,
};

use super::attribute::{number, text};

/// Attributes of the operator's own, as other programs with OpenTelemetry read them.
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
/// The name of the service, likewise.
const SERVICE: &str = "OTEL_SERVICE_NAME";
/// The version of the semantic conventions that names are from.
pub const SCHEMA: &str = "https://opentelemetry.io/schemas/1.45.0";

/// Who sends.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource(pub(super) Message);

impl Resource {
    /// This process. What its environment says overrides the rest.
    pub fn of_process(proc_name: &str) -> Self {
        let (service, attributes) = (std::env::var(SERVICE), std::env::var(ATTRIBUTES));
        let random = (fastrand::u64(..), fastrand::u64(..));
        let mut resource = Self::new(proc_name, std::process::id(), random);
        match attributes.map(|list| read(&list)) {
            Ok(Some(attributes)) => attributes.into_iter().for_each(|own| resource.set(own)),
            Ok(None) => tracing::warn!(
                "{ATTRIBUTES} is not a list like `key=value,other=value` with percent-encoded values; it is ignored"
            ),
            Err(_) => {}
        }
        if let Some(service) = service.ok().filter(|name| !name.is_empty()) {
            resource.set(text("service.name", service));
        }
        resource
    }

    fn new(proc_name: &str, pid: u32, random: (u64, u64)) -> Self {
        let attributes = vec![
            text("service.name", proc_name),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.instance.id", uuid(random)),
            number("process.pid", pid),
        ];
        Self(Message { attributes, ..Message::default() })
    }

    fn set(&mut self, own: KeyValue) {
        match self.0.attributes.iter_mut().find(|attribute| attribute.key == own.key) {
            Some(attribute) => *attribute = own,
            None => self.0.attributes.push(own),
        }
    }
}

/// Which part of the process makes spans and metrics.
pub fn scope() -> InstrumentationScope {
    let (name, version) = ("dirtyd".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    InstrumentationScope { name, version, ..InstrumentationScope::default() }
}

/// Attributes as the environment has them. `None` if any is malformed: then all are
/// ignored, as the specification asks.
fn read(list: &str) -> Option<Vec<KeyValue>> {
    let pairs = list.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        let (key, value) = (decoded(key.trim())?, decoded(value.trim())?);
        (!key.is_empty()).then(|| text(key, value))
    };
    pairs.map(pair).collect()
}

/// Text without its percent-encoding.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut parts = text.split('%');
    bytes.extend_from_slice(parts.next()?.as_bytes());
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// A random UUID, of version 4.
fn uuid((high, low): (u64, u64)) -> String {
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0b11 << 62) | 0b10 << 62;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_process_is_named_with_its_service_version_and_an_id_of_its_own() {
        let Resource(message) = Resource::new("ml", 42, (u64::MAX, 0));
        let expected = [
            text("service.name", "ml"),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.instance.id", "ffffffff-ffff-4fff-8000-000000000000"),
            number("process.pid", 42),
        ];
        assert_eq!(message.attributes, expected);
    }

    #[test]
    fn attributes_of_the_environment_are_added_and_override() {
        let own = read(" deployment.environment.name=production , service.name=a%20b%2Cc,")
            .expect("a list");
        let mut resource = Resource::new("ml", 42, (0, 0));
        own.into_iter().for_each(|own| resource.set(own));
        let attributes = &resource.0.attributes;
        assert_eq!(attributes[0], text("service.name", "a b,c"));
        assert_eq!(attributes[4], text("deployment.environment.name", "production"));
        assert_eq!(attributes.len(), 5);
    }

    #[test]
    fn a_malformed_list_is_ignored_as_a_whole() {
        for list in ["a", "a=b,c", "=b", "a=%", "a=%4", "a=%zz", "a=%+1", "a=%ff", "a=%c3"] {
            assert_eq!(read(list), None, "{list}");
        }
        assert_eq!(read(""), Some(Vec::new()));
        assert_eq!(read("a="), Some(vec![text("a", "")]));
    }

    proptest! {
        #[test]
        fn whatever_the_environment_holds_is_read_without_harm(list in any::<String>()) {
            let _ = read(&list);
        }
    }
}
