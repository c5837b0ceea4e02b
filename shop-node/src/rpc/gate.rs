//! Who calls the shop: its people by their tokens, programs by the workstation's, the owner by the socket; and the one
//! place where a role is held against a method.

use super::code::{reason_of, store};
use crate::room::Room;
use crate::shop::rights::{Actor, Role, Staff, may};
use daemon::engine::Engine;
use protocol::body;
use protocol::node::rpc::{
    BoxFuture, Caller, Contract, Gate, RpcError, Scope, Scopes, Service, Transport, Value,
};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

/// Marks the token of a person of the shop.
const STAFF: &str = "staff:";

/// Admits the shop's people, and whomever the workstation admits.
pub struct StaffGate {
    room: Room,
    programs: Arc<dyn Gate>,
    staff: RwLock<Vec<Staff>>,
}

impl StaffGate {
    /// With the people as the shop knows them.
    pub fn new(room: Room, programs: Arc<dyn Gate>, staff: Vec<Staff>) -> StaffGate {
        StaffGate { room, programs, staff: RwLock::new(staff) }
    }

    /// Reads them again.
    pub async fn renew(&self) {
        if let Ok(staff) = self.room.look(|shop| shop.staff().cloned().collect::<Vec<_>>()).await {
            *self.staff.write().unwrap_or_else(PoisonError::into_inner) = staff;
        }
    }

    /// What a caller is in the shop.
    pub fn actor(&self, caller: &Caller) -> Actor {
        let Some(token) = &caller.token else {
            return Actor { name: caller.name.clone(), role: Role::Owner, staff: None, token: None };
        };
        let Some(id) = token.strip_prefix(STAFF) else {
            let role = match caller.scopes {
                scopes if scopes.allow(Scope::Admin) => Role::Owner,
                scopes if scopes.allow(Scope::Spend) => Role::Manager,
                scopes if scopes.allow(Scope::Receive) => Role::Cashier,
                _ => Role::Viewer,
            };
            return Actor { name: caller.name.clone(), role, staff: None, token: Some(token.clone()) };
        };
        let staff = self.staff.read().unwrap_or_else(PoisonError::into_inner);
        let found = staff.iter().find(|one| one.id == id && one.ended.is_none());
        // Ended between the door and here: may nothing that counts.
        let role = found.map_or(Role::Viewer, |one| one.role);
        Actor { name: caller.name.clone(), role, staff: Some(id.to_owned()), token: None }
    }
}

/// The digest of a token: what is kept of it.
pub(super) fn digest_of(secret: &str) -> protocol::id::Digest {
    body::digest("token", secret.as_bytes())
}

impl Gate for StaffGate {
    fn admit(&self, secret: &str) -> Option<Caller> {
        // Digests are compared, so the time it takes says nothing about the secret.
        let shown = digest_of(secret);
        let staff = self.staff.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = staff.iter().find(|one| one.secret == shown && one.ended.is_none()) {
            // The role, not the scopes, says what somebody may: see [`House`].
            let scopes: Scopes = Scope::ALL.into_iter().collect();
            return Some(Caller::token(format!("{STAFF}{}", one.id), one.name.clone(), scopes));
        }
        drop(staff);
        self.programs.admit(secret)
    }
}

/// The shop's methods and the workstation's, behind the roles.
pub struct House {
    /// The shop's.
    pub shop: Arc<dyn Service>,
    /// The workstation's.
    pub workstation: Arc<dyn Service>,
    /// Who is who.
    pub gate: Arc<StaffGate>,
    /// Where the audit log is.
    pub room: Room,
    /// The clock.
    pub engine: Engine,
}

/// Both contracts as one.
pub fn contract() -> &'static Contract {
    static BOTH: LazyLock<Contract> = LazyLock::new(|| {
        let shop = super::api::TillClient::contract();
        let workstation = daemon::rpc::api::WorkstationClient::contract();
        Contract {
            title: shop.title,
            version: shop.version,
            doc: shop.doc,
            methods: shop.methods.iter().chain(&workstation.methods).copied().collect(),
            errors: shop.errors,
        }
    });
    &BOTH
}

impl House {
    async fn carry_out(&self, caller: &Caller, method: &str, params: Value) -> Result<Value, RpcError> {
        let actor = self.gate.actor(caller);
        let is_the_shop_s = self.shop.contract().methods.iter().any(|info| info.name == method);
        if !is_the_shop_s && actor.staff.is_none() {
            // The owner, or a program's token at the workstation: its scopes have been held against the method.
            let done = self.workstation.call(caller, method, params).await;
            return self.noted(&actor, method, done).await;
        }
        if !may(actor.role, method) {
            self.note(&actor, method, "not_your_role").await?;
            let why = format!("a {} may not call {method}", actor.role.word());
            return Err(reason_of("not_your_role", why).detail("role", actor.role.word()));
        }
        if is_the_shop_s {
            return self.shop.call(caller, method, params).await;
        }
        // The wallet knows programs and its owner, not the shop's people: what their role allows is the owner's call.
        let done = self.workstation.call(&Caller::owner(Transport::Http), method, params).await;
        self.noted(&actor, method, done).await
    }

    /// What was done at the workstation past the shop's own rules stands in the audit log.
    async fn noted(
        &self,
        actor: &Actor,
        method: &str,
        done: Result<Value, RpcError>,
    ) -> Result<Value, RpcError> {
        let reads =
            contract().methods.iter().any(|info| info.name == method && info.scope == Some(Scope::Read));
        if !reads {
            let outcome = done.as_ref().err().map_or("done", |error| &*error.reason).to_owned();
            self.note(actor, method, &outcome).await?;
        }
        done
    }

    async fn note(&self, actor: &Actor, method: &str, outcome: &str) -> Result<(), RpcError> {
        let (actor, method, outcome) = (actor.clone(), method.to_owned(), outcome.to_owned());
        let now = self.engine.shared.now();
        let noted = self.room.decide(move |shop, _| Ok(shop.note(&actor, &method, &outcome, now))).await;
        noted.map_err(|fault| match fault {
            crate::room::RoomFault::Store(fault) => store(&fault),
            other => reason_of("stopping", other.to_string()),
        })
    }
}

impl Service for House {
    fn contract(&self) -> &'static Contract {
        contract()
    }

    /// The events tell what everybody pays and is paid: they are for managers, as the reports are.
    fn admits(&self, caller: &Caller, method: &str) -> Result<(), RpcError> {
        let actor = self.gate.actor(caller);
        if method.starts_with("events.") && actor.staff.is_some() && actor.role < Role::Manager {
            let why = format!("a {} may not call {method}", actor.role.word());
            return Err(reason_of("not_your_role", why).detail("role", actor.role.word()));
        }
        Ok(())
    }

    fn call<'a>(
        &'a self,
        caller: &'a Caller,
        method: &'a str,
        params: Value,
    ) -> BoxFuture<'a, Result<Value, RpcError>> {
        Box::pin(self.carry_out(caller, method, params))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list of rights names methods that there are: a name that changed would lock everybody out in silence.
    #[test]
    fn the_rights_name_methods_that_exist() {
        let known: Vec<&str> = contract().methods.iter().map(|info| info.name).collect();
        let unknown: Vec<&str> = crate::shop::rights::listed().filter(|name| !known.contains(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        let mut names = known.clone();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), known.len(), "no name of the shop hides one of the workstation");
    }

    #[test]
    fn a_role_may_what_is_listed_and_no_more() {
        assert!(may(Role::Cashier, "sale.open") && may(Role::Manager, "sale.open"));
        for method in
            ["report.z", "catalogue.import", "staff.add", "payment.pay", "wallet.deposit", "token.create"]
        {
            assert!(!may(Role::Cashier, method), "{method}");
        }
        assert!(may(Role::Manager, "report.z") && !may(Role::Manager, "staff.add"));
        assert!(!may(Role::Manager, "payment.pay") && may(Role::Owner, "payment.pay"));
        assert!(!may(Role::Manager, "wallet.unlock"), "the private code is the owner's");
    }
}
