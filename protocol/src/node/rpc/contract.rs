//! One text that makes the server's trait, the dispatcher, the client and the discovery document.

use std::future::Future;
use std::pin::Pin;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Caller, ErrorInfo, RpcError, Scope};

/// A future that the dispatcher can hold without knowing its type.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a program offers: the text of `rpc_contract!` as data.
#[derive(Debug)]
pub struct Contract {
    /// The name for people.
    pub title: &'static str,
    /// The version of the contract.
    pub version: &'static str,
    /// The contract's doc lines.
    pub doc: &'static [&'static str],
    /// Every method, in the order of the text.
    pub methods: Vec<MethodInfo>,
    /// The errors of the application.
    pub errors: &'static [ErrorInfo],
}

/// What is known about a method.
#[derive(Clone, Copy, Debug)]
pub struct MethodInfo {
    /// Its name, say `wallet.unlock`.
    pub name: &'static str,
    /// The permission it needs; `None` if every admitted caller may call it.
    pub scope: Option<Scope>,
    /// Its doc lines: the first says what the caller gets, the others describe.
    pub doc: &'static [&'static str],
    /// The schema of its parameters.
    pub params: fn(&mut SchemaGenerator) -> Schema,
    /// The schema of its result.
    pub result: fn(&mut SchemaGenerator) -> Schema,
}

impl MethodInfo {
    /// The first doc line.
    pub fn summary(&self) -> &'static str {
        self.doc.first().map_or("", |line| line.trim())
    }

    /// The doc lines after the first.
    pub fn description(&self) -> String {
        text_of(self.doc.get(1..).unwrap_or_default())
    }
}

/// Doc lines as one text.
pub(super) fn text_of(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}

/// What the server calls; made by the contract's `into_service`.
pub trait Service: Send + Sync + 'static {
    /// What is offered.
    fn contract(&self) -> &'static Contract;

    /// Whether a caller may call what the server itself answers (`events.list`), beyond his scopes: who has roles of
    /// its own says so here.
    fn admits(&self, caller: &Caller, method: &str) -> Result<(), RpcError> {
        let _ = (caller, method);
        Ok(())
    }

    /// Carries out `method`. The server has already checked the scope.
    ///
    /// The future is dropped when the caller goes away or the deadline passes: state that must not stop
    /// halfway belongs to a task of its own.
    fn call<'a>(
        &'a self,
        caller: &'a Caller,
        method: &'a str,
        params: Value,
    ) -> BoxFuture<'a, Result<Value, RpcError>>;
}

/// No parameters, or nothing to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// What `system.version` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SystemVersion {
    /// The program that answers.
    pub program: String,
    /// Its version.
    pub version: String,
    /// The versions of the interface it speaks.
    pub api: Vec<u32>,
}

/// Reads the parameters of a method; an error names the field at fault.
pub fn decode_params<P: DeserializeOwned>(params: Value) -> Result<P, RpcError> {
    let error = match P::deserialize(&params) {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    let why = error.to_string();
    let field = match why.split('`').nth(1) {
        Some(named) if why.starts_with("missing field") || why.starts_with("unknown field") => {
            Some(named.to_owned())
        }
        _ => guilty::<P>(&params, &why),
    };
    let refusal = match &field {
        Some(field) if !why.contains(field.as_str()) => RpcError::invalid_params(format!("{field}: {why}")),
        _ => RpcError::invalid_params(why),
    };
    Err(match field {
        Some(field) => refusal.detail("field", field),
        None => refusal,
    })
}

/// The field without which the complaint would be another one.
fn guilty<P: DeserializeOwned>(params: &Value, why: &str) -> Option<String> {
    let fields = params.as_object()?;
    fields.keys().take(64).find_map(|name| {
        let mut rest = fields.clone();
        rest.remove(name);
        let other = P::deserialize(&Value::Object(rest)).err();
        other.is_none_or(|error| error.to_string() != why).then(|| name.clone())
    })
}

/// Writes the result of a method.
pub fn encode_result<R: Serialize>(result: &R) -> Result<Value, RpcError> {
    serde_json::to_value(result).map_err(|error| {
        tracing::error!(%error, "a result does not fit into JSON");
        RpcError::internal()
    })
}

/// Makes a contract: the trait a server implements, a typed client, and the method list.
///
/// Parameters and results derive `Serialize`, `Deserialize` and `JsonSchema`; parameters also say
/// `#[serde(deny_unknown_fields)]`. A method without parameters takes [`Empty`](crate::node::rpc::Empty).
/// The names `into_service`, `new`, `connection` and `contract` are taken.
///
/// ```
/// use std::sync::Arc;
///
/// use protocol::node::host::signals::Shutdown;
/// use protocol::node::rpc::{
///     Caller, Connection, NoTokens, RpcError, Scope, ServeConfig, Silent, rpc_contract, serve, socket_in,
/// };
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// rpc_contract! {
///     /// The workstation as programs see it.
///     pub trait Workstation, client WorkstationClient,
///     title "stermina workstation", version "1" {
///         /// Opens the reserve for spending for a time.
///         ///
///         /// A wrong code makes the next try wait longer.
///         "wallet.unlock" (Scope::Spend) unlock(Unlock) -> Unlocked;
///     }
/// }
///
/// #[derive(Serialize, Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// pub struct Unlock {
///     /// The private code.
///     pub code: String,
///     /// For how long.
///     pub seconds: u32,
/// }
///
/// #[derive(Serialize, Deserialize, JsonSchema)]
/// pub struct Unlocked {
///     /// When it locks itself again, in seconds since 1970.
///     pub until: u64,
/// }
///
/// struct Desk;
///
/// impl Workstation for Desk {
///     async fn unlock(&self, _caller: &Caller, asked: Unlock) -> Result<Unlocked, RpcError> {
///         if asked.code != "0000" {
///             return Err(RpcError::new(-14, "wrong_code", "the code is wrong").hint("try again in 2 s"));
///         }
///         Ok(Unlocked { until: u64::from(asked.seconds) })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let runtime_dir = folder.path().to_owned();
/// let (stop, shutdown) = Shutdown::new(); // a program takes `signals::shutdown()?`
/// let config = ServeConfig {
///     socket: Some(socket_in(&runtime_dir)),
///     http: Some("127.0.0.1:0".parse()?),
///     runtime_dir: runtime_dir.clone(),
///     program: "sterminad",
///     version: env!("CARGO_PKG_VERSION"),
///     limits: Default::default(),
/// };
/// let events = Arc::new(Silent::default());
/// let running =
///     serve(config, Desk.into_service(), Arc::new(NoTokens), events, axum::Router::new(), shutdown).await?;
///
/// let client = WorkstationClient::new(Connection::to(&runtime_dir).await?);
/// let unlocked = client.unlock(Unlock { code: "0000".into(), seconds: 60 }).await?;
/// assert_eq!(unlocked.until, 60);
///
/// stop.now();
/// running.finished().await;
/// # Ok(())
/// # }
/// ```
#[macro_export]
macro_rules! rpc_contract {
    (
        $(#[doc = $about:literal])*
        $vis:vis trait $service:ident, client $client:ident,
        title $title:literal, version $version:literal $(, errors($errors:expr))? {
            $(
                $(#[doc = $doc:literal])*
                $name:literal ($scope:expr) $method:ident($params:ty) -> $result:ty;
            )*
        }
    ) => {
        $(#[doc = $about])*
        $vis trait $service: Send + Sync + 'static {
            $(
                $(#[doc = $doc])*
                fn $method(
                    &self,
                    caller: &$crate::node::rpc::Caller,
                    params: $params,
                ) -> impl ::std::future::Future<Output = ::std::result::Result<$result, $crate::node::rpc::RpcError>> + Send;
            )*

            /// The same as something the server can call by name.
            fn into_service(self) -> ::std::sync::Arc<dyn $crate::node::rpc::Service>
            where
                Self: Sized,
            {
                struct Dispatch<T>(T);
                impl<T: $service> $crate::node::rpc::Service for Dispatch<T> {
                    fn contract(&self) -> &'static $crate::node::rpc::Contract {
                        $client::contract()
                    }

                    fn call<'a>(
                        &'a self,
                        caller: &'a $crate::node::rpc::Caller,
                        method: &'a str,
                        params: $crate::node::rpc::Value,
                    ) -> $crate::node::rpc::BoxFuture<
                        'a,
                        ::std::result::Result<$crate::node::rpc::Value, $crate::node::rpc::RpcError>,
                    > {
                        match method {
                            $(
                                $name => Box::pin(async move {
                                    let params: $params = $crate::node::rpc::decode_params(params)?;
                                    let result: $result = self.0.$method(caller, params).await?;
                                    $crate::node::rpc::encode_result(&result)
                                }),
                            )*
                            unknown => Box::pin(::std::future::ready(Err(
                                $crate::node::rpc::RpcError::method_not_found(unknown),
                            ))),
                        }
                    }
                }
                ::std::sync::Arc::new(Dispatch(self))
            }
        }

        #[doc = concat!("Calls a ", $title, ".")]
        #[derive(Clone, Debug)]
        $vis struct $client {
            connection: $crate::node::rpc::Connection,
        }

        #[allow(dead_code, reason = "a program calls the methods it needs")]
        impl $client {
            /// Calls over `connection`.
            $vis fn new(connection: $crate::node::rpc::Connection) -> Self {
                Self { connection }
            }

            /// The connection, for calls that no method covers.
            $vis fn connection(&self) -> &$crate::node::rpc::Connection {
                &self.connection
            }

            /// What is offered.
            $vis fn contract() -> &'static $crate::node::rpc::Contract {
                static CONTRACT: ::std::sync::LazyLock<$crate::node::rpc::Contract> =
                    ::std::sync::LazyLock::new(|| $crate::node::rpc::Contract {
                        title: $title,
                        version: $version,
                        doc: &[$($about),*],
                        methods: vec![$(
                            $crate::node::rpc::MethodInfo {
                                name: $name,
                                scope: Some($scope),
                                doc: &[$($doc),*],
                                params: <$params as $crate::node::rpc::JsonSchema>::json_schema,
                                result: |generator| generator.subschema_for::<$result>(),
                            },
                        )*],
                        errors: $crate::rpc_contract!(@errors $($errors)?),
                    });
                &CONTRACT
            }

            $(
                $(#[doc = $doc])*
                $vis async fn $method(
                    &self,
                    params: $params,
                ) -> ::std::result::Result<$result, $crate::node::rpc::CallError> {
                    self.connection.call($name, &params).await
                }
            )*
        }
    };
    (@errors) => { &[] };
    (@errors $errors:expr) => { $errors };
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only reading is tested")]
    struct Pay {
        to: String,
        units: u64,
        memo: Option<String>,
    }

    #[test]
    fn a_bad_parameter_is_named() {
        for (params, field, words) in [
            (json!({ "to": "bob" }), "units", "missing field `units`"),
            (json!({ "to": "bob", "units": 1, "unit": 2 }), "unit", "unknown field `unit`"),
            (json!({ "to": "bob", "units": "1" }), "units", "units: invalid type"),
            (json!({ "to": "bob", "units": -1 }), "units", "units: invalid value"),
            (json!({ "to": 3, "units": 1 }), "to", "invalid type"),
            (json!({ "to": "bob", "units": 1, "memo": [] }), "memo", "memo: invalid type"),
        ] {
            let error = decode_params::<Pay>(params).unwrap_err();
            assert_eq!(error.details.get("field"), Some(&json!(field)), "{error}");
            assert!(error.message.contains(words), "{error}");
            assert_eq!(error.reason, "invalid_params");
        }
        assert!(decode_params::<Pay>(json!({ "to": "bob", "units": 1 })).is_ok());
    }
}
