//! The JSON Schema of the file, for editors.

use schemars::{Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Map, Value as Json, json};

use super::{
    Raw,
    key::Key,
    slot::Slot,
    table::{Placed, Table, Visit},
    value::Value,
};

/// The JSON Schema (draft 7, which all editors know) of a configuration file.
pub fn schema() -> Schema {
    let mut generator = SchemaSettings::draft07().into_generator();
    let mut table = object::<Raw>(&mut generator);
    table.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
    table.insert("title".to_owned(), json!("The configuration of dirtyd"));
    table.into()
}

/// The schema of a table and all below.
fn object<T: Table>(generator: &mut SchemaGenerator) -> Map<String, Json> {
    let mut object = Object { generator, properties: Map::new(), required: Vec::new() };
    T::default().visit(&mut object);
    let (properties, required) = (object.properties, object.required);
    let mut schema = Map::from_iter([
        ("type".to_owned(), json!("object")),
        ("properties".to_owned(), Json::Object(properties)),
        ("additionalProperties".to_owned(), json!(false)),
    ]);
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

struct Object<'a> {
    generator: &'a mut SchemaGenerator,
    properties: Map<String, Json>,
    required: Vec<&'static str>,
}

impl Visit for Object<'_> {
    fn key<T: Value>(&mut self, key: &Key<T>, _: &mut Slot<T>) {
        let mut schema = T::json_schema(self.generator);
        let (least, most) = key.range();
        for (name, bound) in [("minimum", least), ("maximum", most)] {
            // Those of durations and sizes hold for strings, too; a schema cannot say so.
            if let Some(toml::Value::Integer(bound)) = bound {
                schema.insert(name.to_owned(), json!(bound));
            }
        }
        let description = format!("{}. (A change needs: {}.)", key.sentence(), key.rules.takes);
        schema.insert("description".to_owned(), json!(description));
        if let Some(default) = &key.default {
            schema.insert("default".to_owned(), json!(default.toml()));
        }
        if let Some(alias) = key.rules.alias {
            let mut other = schema.clone();
            other.insert(
                "description".to_owned(),
                json!(format!("gunicorn's name of {}", key.name)),
            );
            other.insert("deprecated".to_owned(), json!(true));
            self.properties.insert(alias.to_owned(), other.into());
        }
        self.required.extend(key.rules.required.then_some(key.name));
        self.properties.insert(key.name.to_owned(), schema.into());
    }

    fn table<T: Table>(&mut self, name: &'static str, _: &mut Option<T>) {
        let table = object::<T>(self.generator);
        self.properties.insert(name.to_owned(), Json::Object(table));
    }

    fn tables<T: Table>(&mut self, name: &'static str, _: &mut Option<Vec<Placed<T>>>) {
        let items = object::<T>(self.generator);
        let list = json_schema!({ "type": "array", "items": items });
        self.properties.insert(name.to_owned(), list.into());
    }
}
