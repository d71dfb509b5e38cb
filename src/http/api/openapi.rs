//! The OpenAPI document: its paths are made from the table that dispatches requests, its schemas stand in
//! `schemas.json`.

use crate::http::api::call::{Reply, json};
use crate::http::api::table::{Needs, ROWS, Row};
use http::StatusCode;
use serde_json::{Map, Value, json as value};
use std::sync::LazyLock;

const SCHEMAS: &str = include_str!("schemas.json");

static DOCUMENT: LazyLock<Value> = LazyLock::new(make);

/// The document.
pub fn document() -> Reply {
    json(StatusCode::OK, &*DOCUMENT)
}

fn make() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for row in &*ROWS {
        let path = paths.entry(format!("/api/v1{}", row.path)).or_insert_with(|| value!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(row.method.as_str().to_lowercase(), operation(row));
        }
    }
    let schemas: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
    value!({
        "openapi": "3.1.0",
        "info": {
            "title": "Holdfast admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Accounts, grants, repositories and the audit trail. Lists come in pages: `n` entries after `last`; \
                `next` of an answer is the `last` of the next request. Errors have the form of the distribution API.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "basic": { "type": "http", "scheme": "basic" },
                "token": { "type": "http", "scheme": "bearer", "description": "An access token with the scope registry:api:*, or a personal access token that may use the API" },
            },
        },
        "security": [{ "basic": [] }, { "token": [] }],
    })
}

fn operation(row: &Row) -> Value {
    let mut responses = Map::new();
    let (status, answer) = row.answer;
    let mut success = value!({ "description": "Done" });
    if !answer.is_empty() {
        success = value!({ "description": row.summary, "content": content(answer) });
    }
    responses.insert(status.to_string(), success);
    responses.insert("default".into(), value!({ "description": "An error", "content": content("Errors") }));
    let mut operation = value!({
        "operationId": format!("{:?}", row.operation),
        "summary": row.summary,
        "parameters": parameters(row),
        "responses": responses,
        "x-needs": needs(row.needs),
    });
    if let Some(operation) = operation.as_object_mut() {
        if !row.body.is_empty() {
            operation
                .insert("requestBody".into(), value!({ "required": true, "content": content(row.body) }));
        }
        if row.needs == Needs::Nothing {
            operation.insert("security".into(), value!([]));
        }
    }
    operation
}

fn parameters(row: &Row) -> Vec<Value> {
    let mut parameters: Vec<Value> = row
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| value!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let query = |name: &str, kind: &str, what: &str| value!({ "name": name, "in": "query", "description": what, "schema": { "type": kind } });
    if row.is_list() {
        parameters.push(query("n", "integer", "Entries of a page, at most 1000"));
        parameters.push(query("last", "string", "Entries after this one"));
    }
    for (name, what) in row.queries() {
        parameters.push(query(name, "string", what));
    }
    parameters
}

fn needs(needs: Needs) -> String {
    match needs {
        Needs::Nothing => "nothing".into(),
        Needs::Account => "an account".into(),
        Needs::Administrator => "an administrator".into(),
        Needs::Repository(action) => format!("{action} on the repository"),
    }
}

fn content(schema: &str) -> Value {
    value!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(to)) => into.push(to.clone()),
                _ => references(value, into),
            }),
            Value::Array(list) => list.iter().for_each(|value| references(value, into)),
            _ => {}
        }
    }

    #[test]
    fn every_row_is_told_and_every_schema_is_there_and_used() {
        let document = make();
        let told: usize =
            document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
        assert_eq!(told, ROWS.len());
        let mut used = Vec::new();
        references(&document, &mut used);
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for reference in &used {
            let name = reference.strip_prefix("#/components/schemas/").unwrap();
            assert!(schemas.contains_key(name), "{name} is not there");
        }
        for name in schemas.keys() {
            assert!(used.iter().any(|u| u.ends_with(&format!("/{name}"))), "{name} is used nowhere");
        }
    }
}
