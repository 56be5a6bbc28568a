//! How a group of keys is declared, once: the file, the environment, the flags,
//! `dirtyd check`, the pages and the JSON Schema are visits of the groups.

/// Declares a group of keys: the values that were written, each with a method
/// that returns the value or its default.
macro_rules! keys {
    (
        $(#[$attribute:meta])*
        pub struct $group:ident {
            $(
                $(#[doc = $doc:literal])+
                $name:ident: $type:ty $(= $default:expr)?, $rules:expr;
            )+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Default, Clone, PartialEq)]
        pub struct $group {
            $($(#[doc = $doc])+ pub $name: $crate::config::slot::Slot<$type>,)+
        }

        impl $group {
            $($(
                /// The value of the key, or its default.
                pub fn $name(&self) -> $type {
                    self.$name.value.clone().unwrap_or_else(|| $default)
                }
            )?)+
        }

        impl $crate::config::table::Overlay for $group {
            fn overlaid_with(&self, over: &Self) -> Self {
                Self { $($name: self.$name.overlaid_with(&over.$name),)+ }
            }
        }

        impl $crate::config::table::Table for $group {
            fn visit<V: $crate::config::table::Visit>(&mut self, visit: &mut V) {
                $(
                    let key = $crate::config::key::Key {
                        name: stringify!($name),
                        doc: &[$($doc),+],
                        default: None $(.or(Some($default)))?,
                        rules: $rules,
                    };
                    visit.key(&key, &mut self.$name);
                )+
            }
        }
    };
}
pub(super) use keys;
