//! A cart as it is typed: `bread`, `bread*2`, `tea=3.50`, `gift=20*2`, `"hair cut@25"`.

use super::Fault;
use crate::rpc::api::CartLine;
use protocol::money::Currency;

/// The lines of a cart.
pub(super) fn lines(words: &[String], currency: &Currency) -> Result<Vec<CartLine>, Fault> {
    words.iter().map(|word| line(word, currency)).collect()
}

fn line(word: &str, currency: &Currency) -> Result<CartLine, Fault> {
    let (rest, quantity) = match word.rsplit_once('*') {
        Some((rest, count)) => {
            let count = count
                .parse::<u32>()
                .map_err(|_| Fault::Usage(format!("«{word}»: how many? as in bread*2")))?;
            (rest, Some(count))
        }
        None => (word, None),
    };
    let price = |text: &str| currency.parse(text).map_err(|flaw| Fault::Usage(format!("«{word}»: {flaw}")));
    if let Some((name, text)) = rest.rsplit_once('@') {
        return Ok(CartLine { sku: None, name: Some(name.to_owned()), quantity, price: Some(price(text)?) });
    }
    let (sku, typed) = match rest.rsplit_once('=') {
        Some((sku, text)) => (sku, Some(price(text)?)),
        None => (rest, None),
    };
    Ok(CartLine { sku: Some(sku.to_owned()), name: None, quantity, price: typed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_a_line() {
        let eur = Currency::new("EUR", 2).unwrap();
        let read = |word: &str| {
            let line = line(word, &eur).unwrap();
            (line.sku, line.name, line.quantity, line.price.map(|price| price.get()))
        };
        assert_eq!(read("bread"), (Some("bread".into()), None, None, None));
        assert_eq!(read("bread*2"), (Some("bread".into()), None, Some(2), None));
        assert_eq!(read("tea=3.50"), (Some("tea".into()), None, None, Some(350)));
        assert_eq!(read("gift=20*3"), (Some("gift".into()), None, Some(3), Some(2000)));
        assert_eq!(read("hair cut@25"), (None, Some("hair cut".into()), None, Some(2500)));
        for bad in ["bread*x", "tea=1,50", "cut@"] {
            assert!(line(bad, &eur).is_err(), "{bad}");
        }
    }
}
