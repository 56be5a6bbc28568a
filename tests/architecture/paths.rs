//! The paths that a module's code names, macros included, as they are written.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, ExprMethodCall, ExprUnsafe, ImplItemFn, Item, ItemFn, ItemImpl, ItemMod, ItemTrait,
    ItemUse, Macro, Meta, Signature, UseTree, Visibility,
    visit::{self, Visit},
};

/// What a module's code names.
#[derive(Default)]
pub struct Paths {
    /// Every path, by its segments.
    pub used: BTreeSet<Vec<String>>,
    /// The names that `use` brings in, with the paths behind them.
    pub imports: BTreeMap<String, Vec<String>>,
    /// The methods that are called.
    pub methods: BTreeSet<String>,
    /// Whether there is unsafe code.
    pub has_unsafe: bool,
}

impl Paths {
    /// Of the items of a module, without those of the modules in it.
    pub fn of(items: &[Item]) -> Self {
        let mut paths = Self::default();
        items.iter().for_each(|item| paths.visit_item(item));
        paths
    }

    fn import(&mut self, before: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| match name.to_string() {
            name if name == "self" && !before.is_empty() => before.to_vec(),
            name => [before, &[name]].concat(),
        };
        match tree {
            UseTree::Path(path) => self.import(&with(&path.ident), &path.tree),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(before, tree));
            }
            UseTree::Glob(_) => drop(self.used.insert(before.to_vec())),
            UseTree::Name(name) => {
                let path = with(&name.ident);
                let own = path.last().cloned().unwrap_or_default();
                self.used.insert(path.clone());
                self.imports.insert(own, path);
            }
            UseTree::Rename(rename) => {
                let path = with(&rename.ident);
                self.used.insert(path.clone());
                self.imports.insert(rename.rename.to_string(), path);
            }
        }
    }

    /// Finds the paths in the tokens of a macro, whose grammar nobody knows.
    fn scan(&mut self, tokens: TokenStream) {
        let (mut path, mut colons) = (Vec::new(), 0);
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.used.insert(std::mem::take(&mut path));
                    }
                    path.push(name.to_string());
                }
                other => {
                    self.used.insert(std::mem::take(&mut path));
                    if let TokenTree::Group(group) = other {
                        self.scan(group.stream());
                    }
                }
            }
            colons = 0;
        }
        self.used.insert(path);
        self.used.remove(&Vec::new());
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(item) {
            visit::visit_item(self, item);
        }
    }

    /// The modules in a module stand for themselves.
    fn visit_item_mod(&mut self, _: &'ast ItemMod) {}

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.import(&[], &item.tree);
    }

    /// `pub(super)` names nothing that is used.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.used.insert(path.segments.iter().map(|part| part.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.scan(call.tokens.clone());
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !is_test_only(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.methods.insert(call.method.to_string());
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_unsafe(&mut self, block: &'ast ExprUnsafe) {
        self.has_unsafe = true;
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_signature(&mut self, signature: &'ast Signature) {
        self.has_unsafe |= matches!(signature.safety, syn::Safety::Unsafe(_));
        visit::visit_signature(self, signature);
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        self.has_unsafe |= item.unsafety.is_some();
        visit::visit_item_impl(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        self.has_unsafe |= item.unsafety.is_some();
        visit::visit_item_trait(self, item);
    }
}

/// Whether an item is compiled only for tests.
pub fn is_test(item: &Item) -> bool {
    match item {
        Item::Const(item) => is_test_only(&item.attrs),
        Item::Fn(ItemFn { attrs, .. })
        | Item::Impl(ItemImpl { attrs, .. })
        | Item::Mod(ItemMod { attrs, .. })
        | Item::Use(ItemUse { attrs, .. }) => is_test_only(attrs),
        _ => false,
    }
}

/// Whether there is a `#[cfg(test)]`. What is compiled for other reasons, too,
/// belongs to the crate.
fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string() == "test",
        _ => false,
    })
}
