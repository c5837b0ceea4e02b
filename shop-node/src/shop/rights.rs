//! Who may do what: three roles, a list of methods, caps, and a token for each person.

use super::change::{Change, Decision, Draft, Happening};
use super::{Refusal, Shop};
use protocol::body::Text;
use protocol::id::Digest;
use protocol::money::Units;
use protocol::time::{Day, Timestamp};
use serde::{Deserialize, Serialize};

/// Most people with a token.
const STAFF_MAX: usize = 500;

/// What somebody is in the shop. A later one may all that an earlier one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// A program that may only look.
    Viewer,
    /// Sells, gives back up to a cap of the day (nothing without one), makes X reports.
    Cashier,
    /// Also changes the catalogue, gives back without a cap of his own, closes the day.
    Manager,
    /// Everything.
    Owner,
}

impl Role {
    /// The word for programs.
    pub fn word(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Cashier => "cashier",
            Role::Manager => "manager",
            Role::Owner => "owner",
        }
    }

    /// The role with this word, if a person can have it.
    pub fn of_word(word: &str) -> Option<Role> {
        [Role::Cashier, Role::Manager, Role::Owner].into_iter().find(|role| role.word() == word)
    }
}

/// The least role for each method of the shop, and for those of the workstation that its people may call. What is not
/// here is the owner's.
const METHODS: &[(&str, Role)] = &[
    ("shop.status", Role::Viewer),
    ("shop.settings", Role::Viewer),
    ("item.list", Role::Viewer),
    ("catalogue.export", Role::Viewer),
    ("sale.show", Role::Viewer),
    ("sale.wait", Role::Viewer),
    ("sale.list", Role::Viewer),
    ("sale.receipt", Role::Viewer),
    ("refund.show", Role::Viewer),
    ("wallet.status", Role::Viewer),
    ("sale.open", Role::Cashier),
    ("sale.change", Role::Cashier),
    ("sale.ask", Role::Cashier),
    ("till.code", Role::Cashier),
    ("sale.cancel", Role::Cashier),
    ("refund.make", Role::Cashier),
    ("order.list", Role::Cashier),
    ("order.show", Role::Cashier),
    ("order.accept", Role::Cashier),
    ("order.ready", Role::Cashier),
    ("order.code", Role::Cashier),
    ("refund.list", Role::Cashier),
    ("report.x", Role::Cashier),
    ("wallet.lock", Role::Cashier),
    ("wallet.balance", Role::Manager),
    ("doubt.list", Role::Manager),
    ("item.put", Role::Manager),
    ("catalogue.import", Role::Manager),
    ("order.settings", Role::Manager),
    ("order.refuse", Role::Manager),
    ("order.refund", Role::Manager),
    ("order.dispute", Role::Manager),
    ("item.content", Role::Manager),
    ("report.z", Role::Manager),
    ("report.list", Role::Manager),
    ("report.show", Role::Manager),
    ("report.day", Role::Manager),
    ("sweep.now", Role::Manager),
    ("sweep.status", Role::Manager),
    ("sweep.list", Role::Manager),
    ("sweep.renumber", Role::Manager),
    ("backup.status", Role::Manager),
    ("webhook.add", Role::Manager),
    ("webhook.list", Role::Manager),
    ("webhook.remove", Role::Manager),
    ("webhook.resume", Role::Manager),
    ("webhook.test", Role::Manager),
    ("audit.list", Role::Manager),
    ("staff.list", Role::Manager),
];

/// Whether `role` may call `method`.
pub fn may(role: Role, method: &str) -> bool {
    let least = METHODS.iter().find(|(name, _)| *name == method).map_or(Role::Owner, |(_, least)| *least);
    role >= least
}

/// The methods that the list names.
pub fn listed() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|(name, _)| *name)
}

/// Somebody who works in the shop. The token itself is not kept, only its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staff {
    /// His id.
    pub id: String,
    /// His name.
    pub name: String,
    /// What he is.
    pub role: Role,
    /// Digest of his token.
    pub secret: Digest,
    /// Most units of one refund.
    pub refund_max: Option<Units>,
    /// Most units of all his refunds on a business day.
    pub refund_day: Option<Units>,
    /// What he has given back, and on which day.
    pub refunded: (Day, Units),
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The name for the audit log.
    pub name: String,
    /// What he may do.
    pub role: Role,
    /// His id among the staff.
    pub staff: Option<String>,
    /// A program's token, whose cap the wallet counts.
    pub token: Option<String>,
}

impl Actor {
    /// The shop itself: what follows from what was heard.
    pub fn shop() -> Actor {
        Actor { name: "shop".to_owned(), role: Role::Owner, staff: None, token: None }
    }
}

/// Somebody new.
#[derive(Clone, Debug)]
pub struct NewStaff {
    /// His id.
    pub id: String,
    /// His name.
    pub name: String,
    /// What he is.
    pub role: Role,
    /// Digest of his token.
    pub secret: Digest,
    /// Most units of one refund.
    pub refund_max: Option<Units>,
    /// Most units of all his refunds on a business day.
    pub refund_day: Option<Units>,
}

impl Shop {
    /// Takes somebody on.
    pub fn add_staff(&self, new: NewStaff, actor: &Actor, now: Timestamp) -> Result<Decision<()>, Refusal> {
        Text::new(&new.name, 64).map_err(|flaw| Refusal::Text(format!("the name: {flaw}")))?;
        if new.name.trim().is_empty() {
            return Err(Refusal::Value("a name is needed: it stands in the audit log".to_owned()));
        }
        if self.staff().filter(|one| one.ended.is_none()).count() >= STAFF_MAX {
            return Err(Refusal::TooMany("500 people work here: end some tokens first"));
        }
        if self.staff().any(|one| one.ended.is_none() && one.name == new.name) {
            return Err(Refusal::Value(format!("{} works here already; end that token first", new.name)));
        }
        let mut draft = Draft::at(self, now);
        let role = Some(new.role.word().to_owned());
        draft.event(Happening::Staff { staff: new.id.clone(), role });
        draft.audit(actor, "staff.add", "done", format!("{} {} ({})", new.role.word(), new.name, new.id));
        draft.put(Change::Staff(Staff {
            id: new.id,
            name: new.name,
            role: new.role,
            secret: new.secret,
            refund_max: new.refund_max,
            refund_day: new.refund_day,
            refunded: (Day(0), Units::ZERO),
            ended: None,
        }));
        Ok(draft.decide(()))
    }

    /// Ends somebody's token at once, and the webhooks that he added. Which webhooks these were.
    pub fn end_staff(
        &self,
        id: &str,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Decision<Vec<String>>, Refusal> {
        let found = self.staff().find(|one| one.id == id && one.ended.is_none());
        let staff = found.ok_or(Refusal::NotFound("person"))?.clone();
        let mut draft = Draft::at(self, now);
        draft.event(Happening::Staff { staff: staff.id.clone(), role: None });
        draft.audit(actor, "staff.end", "done", format!("{} ({})", staff.name, staff.id));
        let hooks = self.end_hooks(&mut draft, &staff, actor);
        draft.put(Change::Staff(Staff { ended: Some(now), ..staff }));
        Ok(draft.decide(hooks))
    }

    /// Counts a refund against a person's caps.
    pub(super) fn count_refund(&self, draft: &mut Draft, actor: &Actor, units: Units) -> Result<(), Refusal> {
        let Some(staff) = actor.staff.as_ref().and_then(|id| self.staff.get(id)) else { return Ok(()) };
        let today = self.settings().day_of(draft.now());
        let given = if staff.refunded.0 == today { staff.refunded.1 } else { Units::ZERO };
        // Without a cap of the day, one for each refund is none: many small ones get past it.
        let of_day = match staff.role {
            Role::Owner | Role::Manager => staff.refund_day,
            Role::Cashier | Role::Viewer => Some(staff.refund_day.unwrap_or_default()),
        };
        let of_day = of_day.map(|cap| cap.minus(given).unwrap_or_default());
        let left = match (staff.refund_max, of_day) {
            (Some(one), Some(day)) => Some(one.min(day)),
            (one, day) => one.or(day),
        };
        if let Some(left) = left.filter(|left| units > *left) {
            return Err(Refusal::OverCap { left, asked: units });
        }
        draft.put(Change::Staff(Staff { refunded: (today, given.plus(units)?), ..staff.clone() }));
        Ok(())
    }
    /// Counts what a person gives back of what the bank holds, before it is asked for.
    pub fn count_held(&self, actor: &Actor, units: Units, now: Timestamp) -> Result<Decision<()>, Refusal> {
        let mut draft = Draft::at(self, now);
        self.count_refund(&mut draft, actor, units)?;
        Ok(draft.decide(()))
    }

    /// It came to nothing.
    pub fn uncount_held(&self, actor: &Actor, units: Units, now: Timestamp) -> Decision<()> {
        let mut draft = Draft::at(self, now);
        if let Some(staff) = actor.staff.as_ref().and_then(|id| self.staff.get(id)) {
            let (day, given) = staff.refunded;
            let refunded = (day, given.minus(units).unwrap_or_default());
            draft.put(Change::Staff(Staff { refunded, ..staff.clone() }));
        }
        draft.decide(())
    }
}
