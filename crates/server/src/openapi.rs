//! The API reference as an OpenAPI 3.1 document, written from the registry.
//!
//! REST operations are its paths. Commands of the gateway are no HTTP, so OpenAPI has no place for
//! them; the extension `x-gateway-commands` lists them with the same schemas, in the same document so
//! that shared types are described once. The sentences come from `spec/endpoints.toml`.

use std::collections::{BTreeMap, BTreeSet};

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use teahouse_core::operation::{About, Access, FieldInfo, Registry, Served, million_servcmd};

const ENDPOINTS: &str = include_str!("../../../spec/endpoints.toml");

const SCHEMAS: &str = "/components/schemas";

#[derive(Deserialize)]
struct Endpoints {
    endpoint: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    path: String,
    about: String,
}

/// The document for all operations of `registry`.
///
/// # Panics
/// `spec/endpoints.toml`, which is compiled in, is malformed; a test reads it.
#[must_use]
pub fn document(registry: &Registry) -> Value {
    let endpoints: Endpoints = toml::from_str(ENDPOINTS).expect("the compiled-in table is valid");
    let sentences: BTreeMap<String, String> =
        endpoints.endpoint.into_iter().map(|row| (row.path, row.about)).collect();
    let settings = SchemaSettings::draft2020_12()
        .for_serialize()
        .with(|settings| settings.definitions_path = SCHEMAS.into());
    let mut schemas = settings.into_generator();
    let described: Vec<Described<'_>> =
        registry.iter().map(|served| Described::new(served, &sentences, &mut schemas)).collect();
    let definitions = schemas.take_definitions(true);

    let mut paths = Map::new();
    let mut commands = Map::new();
    for operation in &described {
        let about = operation.about;
        if about.rest {
            paths.insert(format!("/v4/{}", about.path), operation.path_item(&definitions));
        }
        if about.gateway {
            commands.insert(about.path.replacen('/', ".", 1), operation.command(&definitions));
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Teahouse",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "The REST operations that backends call as administrators, and in \
                `x-gateway-commands` the commands that clients send over WebSocket. Every answer has \
                HTTP status 200; `ErrorCode` says whether the call succeeded, and docs/errors.md what \
                it means otherwise. Fields that are not listed are ignored.",
        },
        "paths": paths,
        "x-gateway-commands": commands,
        "components": { "parameters": parameters(), "schemas": {} },
    });
    document["components"]["schemas"] = used_schemas(&document, definitions);
    document
}

/// One operation with its schemas.
struct Described<'a> {
    about: &'a About,
    sentence: &'a str,
    request: Value,
    response: Value,
}

impl<'a> Described<'a> {
    fn new(
        served: &'a Served,
        sentences: &'a BTreeMap<String, String>,
        schemas: &mut SchemaGenerator,
    ) -> Self {
        let (fields, response) = served.describe(schemas);
        Self {
            about: &served.about,
            sentence: sentences.get(served.about.path).map_or("", String::as_str),
            request: request(fields),
            response: response.to_value(),
        }
    }

    fn path_item(&self, definitions: &Map<String, Value>) -> Value {
        let service = self.about.path.split('/').next().unwrap_or_default();
        let parameters = PARAMETERS
            .iter()
            .map(|(name, ..)| json!({ "$ref": format!("#/components/parameters/{name}") }));
        json!({ "post": {
            "operationId": self.about.path.replace('/', "."),
            "tags": [service],
            "summary": self.sentence,
            "description": format!(
                "At most {} calls a second and app, unless its settings say otherwise.",
                self.about.calls_per_second
            ),
            "parameters": parameters.collect::<Value>(),
            "requestBody": {
                "required": true,
                "content": { "application/json": { "schema": self.request } },
            },
            "responses": { "200": {
                "description": "The result, or why there is none.",
                "content": { "application/json": { "schema": self.reply(definitions) } },
            } },
        } })
    }

    fn command(&self, definitions: &Map<String, Value>) -> Value {
        let mut command = json!({
            "summary": self.sentence,
            "loginRequired": self.about.access == Access::LoggedIn,
            "request": self.request,
        });
        if self.about.one_way {
            command["oneWay"] = json!(true);
        } else {
            command["response"] = self.reply(definitions);
        }
        if self.about.million {
            command["alsoCalled"] = json!([million_servcmd(self.about.path)]);
        }
        command
    }

    /// The envelope and, written out in its place, the operation's own part.
    fn reply(&self, definitions: &Map<String, Value>) -> Value {
        let name = reference(&self.response);
        let mut own = name.and_then(|name| definitions.get(name)).unwrap_or(&self.response).clone();
        if let Some(own) = own.as_object_mut() {
            // What the operation does is said above.
            own.remove("description");
        }
        json!({ "allOf": [{ "$ref": format!("#{SCHEMAS}/{ENVELOPE}") }, own] })
    }
}

fn request(fields: Vec<FieldInfo>) -> Value {
    let required: Vec<&str> =
        fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let properties: Map<String, Value> =
        fields.into_iter().map(|field| (field.name.to_owned(), property(field))).collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn property(field: FieldInfo) -> Value {
    let mut description = field.help;
    if !field.older_names.is_empty() {
        let names: Vec<String> = field.older_names.iter().map(|name| format!("`{name}`")).collect();
        let names = names.join(", ");
        description = format!("{description} Also accepted under the name {names}.");
    }
    let mut schema = field.schema;
    if !description.is_empty() {
        schema.insert("description".to_owned(), json!(description.trim()));
    }
    schema.to_value()
}

/// The query of every REST call: name, schema type, meaning.
const PARAMETERS: &[(&str, &str, &str)] = &[
    ("sdkappid", "integer", "The application."),
    ("identifier", "string", "The caller, an administrator of the application."),
    ("usersig", "string", "The caller's signature, made with the application's key."),
    ("random", "integer", "A random number below 2^32; it need not be new."),
    ("contenttype", "string", "Always `json`."),
];

fn parameters() -> Value {
    let parameter = |(name, kind, about): &(&str, &str, &str)| {
        let mut schema = json!({ "type": kind });
        if *name == "contenttype" {
            schema["const"] = json!("json");
        }
        let parameter = json!({
            "name": name, "in": "query", "required": *name != "random",
            "description": about, "schema": schema,
        });
        ((*name).to_owned(), parameter)
    };
    Value::Object(PARAMETERS.iter().map(parameter).collect())
}

/// The schema of what all answers have in common. No Rust type can take its name: it has a dot.
const ENVELOPE: &str = "Reply.Envelope";

fn envelope() -> Value {
    json!({
        "type": "object",
        "required": ["ActionStatus", "ErrorCode", "ErrorInfo"],
        "properties": {
            "ActionStatus": { "enum": ["OK", "FAIL"], "description": "Whether the call succeeded." },
            "ErrorCode": { "type": "integer", "description": "0 is success; see docs/errors.md." },
            "ErrorInfo": { "type": "string", "description": "What went wrong, for people." },
            "ErrorDisplay": { "type": "string", "description": "Always empty; some services have it." },
        },
    })
}

/// The definitions that `document` leads to, directly or through others.
fn used_schemas(document: &Value, definitions: Map<String, Value>) -> Value {
    let mut wanted = BTreeSet::new();
    let mut to_read = vec![document];
    while let Some(value) = to_read.pop() {
        if let Some(name) = reference(value)
            && wanted.insert(name)
        {
            to_read.extend(definitions.get(name));
        }
        match value {
            Value::Array(items) => to_read.extend(items),
            Value::Object(fields) => to_read.extend(fields.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut used: Map<String, Value> = definitions
        .iter()
        .filter(|(name, _)| wanted.contains(name.as_str()))
        .map(|(name, schema)| (name.clone(), schema.clone()))
        .collect();
    used.insert(ENVELOPE.to_owned(), envelope());
    Value::Object(used)
}

/// The name of the definition that a schema refers to.
fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix('#')?.strip_prefix(SCHEMAS)?.strip_prefix('/')
}
