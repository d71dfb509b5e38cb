//! As much of JSON Schema as the OpenAPI document uses, strictly: a keyword that is not known fails, and so does a field
//! that no schema names. It must not know the API.

use serde_json::{Map, Value};

/// An OpenAPI document.
pub struct Document(pub Value);

impl Document {
    /// The schema of the body of an answer; `None` if there is none, a panic if such an answer is not told of.
    #[track_caller]
    pub fn answer(&self, path: &str, method: &str, status: u16) -> Option<&Value> {
        let responses = &self.operation(path, method)["responses"];
        let told = match &responses[status.to_string()] {
            Value::Null if status >= 400 => &responses["default"],
            Value::Null => {
                panic!("{method} {path} answers {status}, and the document does not say so: {responses}")
            }
            told => told,
        };
        told.get("content").map(|content| &content["application/json"]["schema"])
    }

    /// The schema of the body of a request, if it has one.
    #[track_caller]
    pub fn body(&self, path: &str, method: &str) -> Option<&Value> {
        let body = self.operation(path, method).get("requestBody")?;
        Some(&body["content"]["application/json"]["schema"])
    }

    /// An operation, which must be there.
    #[track_caller]
    pub fn operation(&self, path: &str, method: &str) -> &Value {
        let operation = &self.0["paths"][path][method.to_lowercase()];
        assert!(operation.is_object(), "the document has no {method} {path}");
        operation
    }

    /// The paths, each with its methods.
    pub fn paths(&self) -> Vec<(String, String, Value)> {
        let mut all = Vec::new();
        for (path, methods) in self.0["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                all.push((path.clone(), method.to_uppercase(), operation.clone()));
            }
        }
        all
    }

    /// Why a value is not what a schema says.
    pub fn fault(&self, schema: &Value, value: &Value) -> Option<String> {
        let mut faults = Vec::new();
        self.check(schema, value, "$", &mut faults);
        (!faults.is_empty()).then(|| faults.join("; "))
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        let schema = schema.as_object().unwrap_or_else(|| panic!("{at}: no schema: {schema}"));
        for (keyword, says) in schema {
            match keyword.as_str() {
                "$ref" => {
                    let pointer = says.as_str().expect("a reference").trim_start_matches('#');
                    let target = self.0.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not there"));
                    self.check(target, value, at, faults);
                }
                "type" => {
                    let kinds: Vec<&str> = match says {
                        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
                        one => one.as_str().into_iter().collect(),
                    };
                    if !kinds.iter().any(|kind| is(value, kind)) {
                        faults.push(format!("{at} is {value}, not {kinds:?}"));
                    }
                }
                "enum" => {
                    if !says.as_array().expect("an enum").contains(value) {
                        faults.push(format!("{at} is {value}, not one of {says}"));
                    }
                }
                "oneOf" => {
                    let fits =
                        says.as_array().expect("schemas").iter().filter(|s| self.fault(s, value).is_none());
                    if fits.count() != 1 {
                        faults.push(format!("{at} is {value}, which fits not just one of {says}"));
                    }
                }
                "items" => {
                    for (nth, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(says, item, &format!("{at}[{nth}]"), faults);
                    }
                }
                "required" => {
                    for name in says.as_array().expect("names").iter().filter_map(Value::as_str) {
                        if value.as_object().is_some_and(|object| !object.contains_key(name)) {
                            faults.push(format!("{at} has no {name}"));
                        }
                    }
                }
                "minimum" | "maximum" => {
                    let (is, bound) = (value.as_i64(), says.as_i64().expect("a bound"));
                    let beyond = |is| if keyword == "minimum" { is < bound } else { is > bound };
                    if is.is_some_and(beyond) {
                        faults.push(format!("{at} is {value}, and {keyword} is {says}"));
                    }
                }
                "properties" | "additionalProperties" => {}
                "description" => assert!(says.is_string()),
                other => panic!("{at}: the keyword {other} is not known to the tests"),
            }
        }
        if let Value::Object(object) = value {
            self.fields(schema, object, at, faults);
        }
    }

    fn fields(
        &self,
        schema: &Map<String, Value>,
        object: &Map<String, Value>,
        at: &str,
        faults: &mut Vec<String>,
    ) {
        let known = schema.get("properties").and_then(Value::as_object);
        for (name, field) in object {
            let at = format!("{at}.{name}");
            match (known.and_then(|known| known.get(name)), schema.get("additionalProperties")) {
                (Some(property), _) => self.check(property, field, &at, faults),
                (None, Some(Value::Bool(false))) => faults.push(format!("{at} is in no schema")),
                (None, Some(more @ Value::Object(_))) => self.check(more, field, &at, faults),
                (None, _) => {}
            }
        }
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        other => panic!("the type {other} is not known to the tests"),
    }
}

#[test]
fn the_checker_finds_what_is_wrong() {
    let schema = serde_json::json!({ "type": "object", "required": ["a"], "additionalProperties": false, "properties": {
        "a": { "type": ["integer", "null"] }, "b": { "type": "array", "items": { "enum": ["x"] } },
        "c": { "oneOf": [{ "type": "null" }, { "type": "string" }] } } });
    let document = Document(Value::Null);
    for (json, fine) in [
        (r#"{"a":1,"b":["x"],"c":null}"#, true),
        (r#"{"a":null,"c":"y"}"#, true),
        (r#"{"a":"1"}"#, false),
        (r#"{"b":[]}"#, false),
        (r#"{"a":1,"b":["y"]}"#, false),
        (r#"{"a":1,"c":2}"#, false),
        (r#"{"a":1,"d":2}"#, false),
        ("[]", false),
    ] {
        let fault = document.fault(&schema, &serde_json::from_str(json).unwrap());
        assert_eq!(fault.is_none(), fine, "{json}: {fault:?}");
    }
}
