//! Every sentence in the code of the daemon and of the client that its commands use.

use std::{fmt::Write as _, fs, str::FromStr as _};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::LitStr;

use super::golden;
use crate::{
    architecture::house::{CLIENT, DAEMON, House},
    support::repository,
};

/// Parts of paths whose texts nobody sees but us.
const INTERNAL: [&str; 3] = ["simulation", "internals", "/tests"];

#[test]
fn every_sentence_of_the_code_was_read() {
    let mut text = String::new();
    for house in [&*DAEMON, &*CLIENT] {
        write_house(&mut text, house);
    }
    golden("source.txt", &text);
}

fn write_house(text: &mut String, house: &House) {
    for (path, module) in &house.modules {
        let file = module.file.strip_prefix(repository()).expect("in the repository");
        let file = file.to_string_lossy();
        if *path != module.of_file || INTERNAL.iter().any(|part| file.contains(part)) {
            continue;
        }
        let source = fs::read_to_string(&module.file).expect("source");
        let mut sentences = Vec::new();
        collect(TokenStream::from_str(&source).expect("tokens"), &mut sentences);
        if !sentences.is_empty() {
            writeln!(text, "{file}").expect("a string");
            for sentence in sentences {
                writeln!(text, "  {}", sentence.replace('\n', "\\n")).expect("a string");
            }
        }
    }
}

/// Collects the sentences in `tokens`, but not those of tests and of attributes; an
/// attribute `error` has the message of an error.
fn collect(tokens: TokenStream, sentences: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut is_test = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(hash) if hash.as_char() == '#' => {
                // `#![...]` is an attribute of what it stands in.
                tokens.next_if(
                    |next| matches!(next, TokenTree::Punct(bang) if bang.as_char() == '!'),
                );
                let Some(TokenTree::Group(attribute)) = tokens.peek() else { continue };
                if attribute.delimiter() != Delimiter::Bracket {
                    continue;
                }
                let inner = attribute.stream().to_string();
                is_test |= inner.starts_with("cfg") && inner.contains("test");
                if inner.starts_with("error") {
                    collect(attribute.stream(), sentences);
                }
                tokens.next();
            }
            TokenTree::Group(group) => {
                let ends_item = group.delimiter() == Delimiter::Brace;
                if !is_test {
                    collect(group.stream(), sentences);
                }
                is_test &= !ends_item;
            }
            TokenTree::Punct(end) if end.as_char() == ';' => is_test = false,
            TokenTree::Literal(literal) if !is_test => {
                let text = syn::parse_str::<LitStr>(&literal.to_string());
                sentences
                    .extend(text.map(|text| text.value()).ok().filter(|text| is_sentence(text)));
            }
            _ => {}
        }
    }
}

/// Whether a text has three words.
fn is_sentence(text: &str) -> bool {
    let is_word = |word: &&str| word.chars().filter(char::is_ascii_alphabetic).count() > 1;
    text.split_whitespace().filter(is_word).count() >= 3
}
