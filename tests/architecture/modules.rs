//! The modules of the crate, found as the compiler finds them: from `lib.rs` on,
//! by their `mod` items. Tests are left out.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Expr, ExprLit, Item, ItemMod, Lit, Meta};

use super::paths::{self, Paths};

/// The path of a module or an item. A path of this crate begins with `crate`.
pub type ModulePath = Vec<String>;

/// One module.
pub struct Module {
    /// Its file.
    pub file: PathBuf,
    /// The module that is the whole file: itself, or the one around it.
    pub of_file: ModulePath,
    /// What its code names.
    pub paths: Paths,
}

/// All modules, by their paths.
pub type Modules = BTreeMap<ModulePath, Module>;

/// Reads a crate, from the file of its root on.
pub fn read(root: &Path) -> Modules {
    let mut modules = Modules::new();
    let path = vec!["crate".to_owned()];
    read_file(&mut modules, root, root.parent().expect("a folder"), path);
    modules
}

fn read_file(modules: &mut Modules, file: &Path, children: &Path, path: ModulePath) {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    add(modules, parsed.items, file, children, path.clone(), path);
}

fn add(
    modules: &mut Modules,
    items: Vec<Item>,
    file: &Path,
    children: &Path,
    path: ModulePath,
    of_file: ModulePath,
) {
    let items: Vec<Item> = items.into_iter().filter(|item| !paths::is_test(item)).collect();
    let module =
        Module { file: file.to_owned(), of_file: of_file.clone(), paths: Paths::of(&items) };
    assert!(modules.insert(path.clone(), module).is_none(), "{path:?} is there twice");
    for item in items {
        let Item::Mod(ItemMod { ident, attrs, content, .. }) = item else { continue };
        let name = ident.to_string();
        let child = [&path[..], std::slice::from_ref(&name)].concat();
        if let Some((_, items)) = content {
            add(modules, items, file, &children.join(name), child, of_file.clone());
            continue;
        }
        let (alone, folder) = (children.join(format!("{name}.rs")), children.join(&name));
        let within = folder.join("mod.rs");
        let named = path_attribute(&attrs).map(|path| file.with_file_name(path));
        let file = named.unwrap_or(if alone.exists() { alone } else { within });
        read_file(modules, &file, &folder, child);
    }
}

/// The file that `#[path = "..."]` names.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}
