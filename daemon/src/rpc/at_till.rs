//! A till chosen by name: which shops are near, and what waits to be paid at the one whose code was read (M2, SPEC §3.11).

use super::api::{NearShop, NearShops, TillSale};
use super::server::Desk;
use super::{api, code};
use crate::engine::near;
use protocol::bank::Party;
use protocol::body::Text;
use protocol::code::{PublicCode, request_uri};
use protocol::money::Units;
use protocol::node::rpc::{Retry, RpcError};
use protocol::pay::AmountRule;
use protocol::shop::{LINES_MAX, NAME_MAX, TILL_MAX};
use protocol::wire::{self, ErrorCode, PayAnswer, PayAsk, ShopAnswer, ShopAsk, TillAsk, TillCode};

/// Most tills of a shop that are shown.
const TILLS_MAX: usize = 32;

impl Desk {
    /// Certified shops in the local network whose name fits.
    async fn near(&self, name: Option<&str>) -> Result<Vec<Party>, RpcError> {
        let mut near = near::certified(self.shared(), self.net()).map_err(|fault| code::store(&fault))?;
        if near.is_empty() {
            // A shop that has opened since.
            self.link().sync_directory().await;
            near = near::certified(self.shared(), self.net()).map_err(|fault| code::store(&fault))?;
        }
        near.retain(|party| name.is_none_or(|name| fits(name, party.certificate.name.as_str())));
        near.retain(|party| party.owner() != self.owner().key);
        Ok(near)
    }

    pub(super) async fn shops_near(&self, asked: api::NearQuery) -> Result<NearShops, RpcError> {
        let near = self.near(asked.name.as_deref()).await?;
        let shown = near.into_iter().map(|party| async move {
            let tills = match self.ask_shop(&party, ShopAsk::Tills).await {
                Ok(ShopAnswer::Tills(tills)) => Some(tills),
                Ok(_) | Err(_) => None,
            };
            let plain = |till: &String| Text::new(till, TILL_MAX).ok().map(|text| text.to_string());
            NearShop {
                shop: PublicCode::of(party.owner()),
                name: party.certificate.name.to_string(),
                answers: tills.is_some(),
                tills: tills.unwrap_or_default().iter().take(TILLS_MAX).filter_map(plain).collect(),
            }
        });
        Ok(NearShops { shops: futures::future::join_all(shown).await })
    }

    /// The one shop that is meant. Its name is the directory's: a stranger may announce himself, but nothing about himself.
    async fn shop_at_hand(&self, name: Option<&str>) -> Result<Party, RpcError> {
        let mut near = self.near(name).await?;
        match (near.pop(), near.is_empty(), name) {
            (Some(one), true, _) => Ok(one),
            (Some(last), false, _) => {
                near.push(last);
                let list = near.iter().map(|party| {
                    let shop = PublicCode::of(party.owner()).to_string();
                    serde_json::json!({ "name": party.certificate.name.as_str(), "shop": shop })
                });
                let names: Vec<&str> = near.iter().map(|party| party.certificate.name.as_str()).collect();
                let why = format!("several shops are meant: {}", names.join(", "));
                Err(code::reason_of("several_shops", why)
                    .detail("shops", list.collect::<Vec<_>>())
                    .hint("say which: its name, or its public code"))
            }
            // Not near, or in a network that announces nobody: then the whole name or the code is needed.
            (None, _, Some(name)) => self.shop(name).await.map_err(|fault| match fault.reason.as_ref() {
                "not_found" => {
                    let why = format!("no shop near by is called «{name}», and none anywhere exactly so");
                    code::reason_of("not_found", why).hint("stermina shop near")
                }
                _ => fault,
            }),
            (None, _, None) => {
                let why = "no shop is near: say which one is meant";
                Err(code::reason_of("not_found", why).hint("stermina shop near"))
            }
        }
    }

    pub(super) async fn sale_at_till(&self, asked: api::TillQuery) -> Result<TillSale, RpcError> {
        let digits: TillCode = asked.code.trim().parse().map_err(|flaw: wire::NoTillCode| {
            code::reason_of("other_till_code", format!("«{}»: {flaw}", asked.code.trim()))
        })?;
        let till = Text::new(asked.till.as_deref().unwrap_or(""), TILL_MAX)
            .map_err(|flaw| code::reason_of("bad_text", format!("the till: {flaw}")))?;
        let party = self.shop_at_hand(asked.name.as_deref()).await?;
        let ask = TillAsk { till: till.to_string(), code: digits };
        match self.ask_shop(&party, ShopAsk::Till(ask)).await? {
            ShopAnswer::Till(sale) => self.show_sale(&party, *sale),
            _ => Err(odd("it answered something else")),
        }
    }

    async fn ask_shop(&self, party: &Party, ask: ShopAsk) -> Result<ShopAnswer, RpcError> {
        let answer = self.contacts().speak(party, None, PayAsk::Shop(Box::new(ask))).await;
        match answer.map_err(|fault| odd(&fault.to_string()))? {
            PayAnswer::Shop(answer) => Ok(*answer),
            PayAnswer::Error(said) => Err(match said {
                ErrorCode::OtherTillCode => code::reason_of("other_till_code", said.text()),
                ErrorCode::NothingToPay => code::reason_of("nothing_to_pay", said.text()).retry(Retry::Later),
                ErrorCode::TooManyTries => code::reason_of("too_many_codes", said.text()).retry(Retry::Later),
                ErrorCode::WhichTill => code::reason_of("which_till", said.text()).hint("name the till"),
                _ => code::reason_of("no_shop", said.text()),
            }),
            _ => Err(odd("it answered something else")),
        }
    }

    /// What the shop says that waits there: a request that it has signed, and lines that come to the same.
    fn show_sale(&self, party: &Party, sale: wire::TillSale) -> Result<TillSale, RpcError> {
        let shared = self.shared();
        let uri = request_uri(&sale.request);
        let request = sale.request.verify_request(shared.keys().bank(), &party.identity.node, shared.now());
        let request = request.map_err(|flaw| odd(&format!("its request: {flaw}")))?;
        let AmountRule::Exactly(units) = request.amount else {
            return Err(odd("its request has no amount of its own"));
        };
        if request.payee() != party.owner() || sale.lines.is_empty() || sale.lines.len() > LINES_MAX {
            return Err(odd("its sale makes no sense"));
        }
        let unreadable = |_| odd("its sale can't be read");
        let till = Text::new(&sale.till, TILL_MAX).map_err(unreadable)?;
        let (mut lines, mut sum) = (Vec::new(), Units::ZERO);
        for line in sale.lines {
            let name = Text::new(&line.name, NAME_MAX).map_err(unreadable)?.to_string();
            let cost = line.price.times(line.quantity).and_then(|cost| sum.plus(cost));
            sum = cost.map_err(|_| odd("its lines come to more than there is"))?;
            lines.push(api::TillLine { name, quantity: line.quantity, price: line.price });
        }
        if sum != units {
            return Err(odd("its lines do not come to what it asks for"));
        }
        Ok(TillSale {
            shop: PublicCode::of(party.owner()),
            name: party.certificate.name.to_string(),
            till: till.to_string(),
            uri,
            units,
            memo: request.memo.to_string(),
            expires: request.expires,
            lines,
        })
    }
}

fn odd(why: &str) -> RpcError {
    code::reason_of("shop_unreachable", format!("the shop: {why}")).retry(Retry::Later)
}

/// Whether a name is what a pattern says: `*` for anything, `?` for one character, letters in any case.
fn fits(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.trim().to_lowercase().chars().collect();
    let name: Vec<char> = name.to_lowercase().chars().collect();
    // Where the last star stands, and up to where it reaches so far.
    let (mut at, mut read, mut star) = (0, 0, None);
    while let Some(letter) = name.get(read) {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == letter => (at, read) = (at + 1, read + 1),
            _ => match star {
                Some((place, reached)) => {
                    star = Some((place, reached + 1));
                    (at, read) = (place + 1, reached + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// M2: names are found as people write them.
    #[test]
    fn a_pattern_means_names() {
        for (pattern, name) in [
            ("mess*", "Mess hall"),
            ("*hall", "Mess hall"),
            ("M?ss h*l", "Mess hall"),
            ("mess hall", "Mess hall"),
            ("*", ""),
            ("**a*a", "banana"),
            ("caffè", "CAFFÈ"),
        ] {
            assert!(fits(pattern, name), "{pattern} is {name}");
        }
        for (pattern, name) in
            [("mess", "Mess hall"), ("", "Mess hall"), ("hall*", "Mess hall"), ("?", "ab"), ("*a", "ab")]
        {
            assert!(!fits(pattern, name), "{pattern} is not {name}");
        }
        let (many, long) = ("*a".repeat(30), "a".repeat(40));
        assert!(fits(&many, &long) && !fits(&format!("{many}b"), &long), "in no time");
    }
}
