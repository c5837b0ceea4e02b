//! The contract as a document: OpenRPC 1.3, from the same types that are spoken.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::contract::text_of;
use super::error::SHARED;
use super::events::{EventsList, EventsPage, EventsSubscribe, EventsUnsubscribe, Subscribed, Unsubscribed};
use super::{Contract, Empty, ErrorInfo, MethodInfo, Scope, SystemVersion};

/// The discovery document of a contract: what `rpc.discover` answers.
pub fn openrpc(contract: &Contract) -> Value {
    let mut generator = SchemaSettings::draft07()
        .with(|settings| {
            settings.meta_schema = None;
            settings.definitions_path = "/components/schemas".into();
        })
        .into_generator();
    let methods: Vec<Value> =
        contract.methods.iter().chain(BUILT_IN).map(|info| method(info, &mut generator)).collect();
    let errors: Map<String, Value> =
        SHARED.iter().chain(contract.errors).map(|info| (info.reason.to_owned(), error(info))).collect();
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": contract.title,
            "version": contract.version,
            "description": text_of(contract.doc),
        },
        "methods": methods,
        "components": { "schemas": generator.take_definitions(true), "errors": errors },
    })
}

/// Methods that every contract offers.
pub(super) const BUILT_IN: &[MethodInfo] = &[
    MethodInfo {
        name: "rpc.discover",
        scope: None,
        doc: &[" Describes every method of this interface as an OpenRPC document."],
        params: Empty::json_schema,
        result: Value::json_schema,
    },
    MethodInfo {
        name: "system.version",
        scope: None,
        doc: &[" Says which program answers and which versions of the interface it speaks."],
        params: Empty::json_schema,
        result: |generator| generator.subschema_for::<SystemVersion>(),
    },
    MethodInfo {
        name: "events.list",
        scope: Some(Scope::Read),
        doc: &[
            " Lists events after a number, or waits for the first one.",
            " Ask again with the number of the last event that was handled: none is ever missed.",
        ],
        params: EventsList::json_schema,
        result: |generator| generator.subschema_for::<EventsPage>(),
    },
    MethodInfo {
        name: "events.subscribe",
        scope: Some(Scope::Read),
        doc: &[
            " Sends events after a number as `events.event` notifications, on a WebSocket only.",
            " A slow reader gets them late, not fewer. `events.end` says that no more will come, and why.",
        ],
        params: EventsSubscribe::json_schema,
        result: |generator| generator.subschema_for::<Subscribed>(),
    },
    MethodInfo {
        name: "events.unsubscribe",
        scope: Some(Scope::Read),
        doc: &[" Ends a subscription of this WebSocket."],
        params: EventsUnsubscribe::json_schema,
        result: |generator| generator.subschema_for::<Unsubscribed>(),
    },
];

fn method(info: &MethodInfo, generator: &mut SchemaGenerator) -> Value {
    let params = (info.params)(generator).to_value();
    let result = (info.result)(generator).to_value();
    let errors = ["invalid_params", "forbidden", "deadline", "internal"];
    let mut method = json!({
        "name": info.name,
        "summary": info.summary(),
        "paramStructure": "by-name",
        "params": descriptors(&params),
        "result": { "name": "result", "schema": result },
        "errors": errors.map(|reason| json!({ "$ref": format!("#/components/errors/{reason}") })),
        "x-scope": info.scope.map(Scope::name),
    });
    let description = info.description();
    if let (Some(fields), false) = (method.as_object_mut(), description.is_empty()) {
        fields.insert("description".to_owned(), json!(description));
    }
    method
}

/// One content descriptor for each property of the parameter object.
fn descriptors(params: &Value) -> Vec<Value> {
    let required = |name: &str| {
        let names = params.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|one| one == name))
    };
    let properties = params.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| json!({ "name": name, "required": required(name), "schema": schema }))
        .collect()
}

fn error(info: &ErrorInfo) -> Value {
    json!({ "code": info.code, "message": info.meaning, "data": { "reason": info.reason } })
}
