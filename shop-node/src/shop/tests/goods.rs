//! The catalogue, its prices, its file.

use super::*;

/// M4: fixed, suggested and free prices; a cart that breaks a rule names its line.
#[test]
fn prices_keep_their_rules() {
    let mut scene = Scene::new();
    let decision = scene.shop.import(three_items(), false, &boss(), NOON).unwrap();
    scene.decide(decision);
    let line = |sku: &str, quantity, price: Option<u64>| CartLine {
        sku: Some(sku.to_owned()),
        name: None,
        quantity,
        price: price.map(units),
    };
    let total = |scene: &Scene, cart: Vec<CartLine>| {
        let new = NewSale { cart, ..scene.new_sale("x", 1, None) };
        let mut shop = scene.shop.clone();
        let opened = shop.clone().open_a_sale(new, None, &boss(), NOON)?;
        Ok(opened.commit::<()>(&mut shop, |_| Ok(())).unwrap().total.get())
    };
    let good = vec![
        line("bread", 2, None),
        line("tea", 1, None),
        line("tea", 1, Some(100)),
        line("tip", 1, Some(50)),
    ];
    assert_eq!(total(&scene, good), Ok(600 + 450 + 100 + 50));
    for (bad, words) in [
        (line("bread", 1, Some(299)), "costs 3.00 EUR"),
        (line("tip", 1, None), "say how much"),
        (line("tip", 1, Some(49)), "0.50 EUR to 50.00 EUR"),
        (line("tip", 1, Some(5001)), "0.50 EUR to 50.00 EUR"),
        (line("cake", 1, None), "no article «cake»"),
        (line("bread", 0, None), "1 to"),
        (line("bread", 100_001, None), "1 to"),
        (CartLine { sku: None, name: None, quantity: 1, price: Some(units(1)) }, "what is it"),
        (CartLine { sku: None, name: Some("x".into()), quantity: 1, price: None }, "a price is needed"),
        (CartLine { sku: None, name: Some("a\u{7}".into()), quantity: 1, price: Some(units(1)) }, "control"),
    ] {
        match total(&scene, vec![line("bread", 1, None), bad]) {
            Err(Refusal::Line { line: 2, why }) => assert!(why.contains(words), "{why}"),
            other => panic!("{words}: {other:?}"),
        }
    }
    assert!(matches!(total(&scene, Vec::new()), Err(Refusal::Lines(200))));
    assert!(matches!(total(&scene, vec![line("bread", 1, None); 201]), Err(Refusal::Lines(200))));
    let free = CartLine { sku: None, name: Some("air".into()), quantity: 1, price: Some(Units::ZERO) };
    assert!(matches!(total(&scene, vec![free]), Err(Refusal::Value(_))), "nobody can pay nothing");
    let dear = CartLine { sku: None, name: Some("x".into()), quantity: 2, price: Some(Units::MAX) };
    assert!(matches!(total(&scene, vec![dear]), Err(Refusal::Range(_))));
    // An article that is not sold any more; a sale keeps the price that it was opened with.
    let ended = Item { active: false, ..item("bread", "Bread", Price::Fixed(units(300))) };
    let decision = scene.shop.put_item(ended, &boss(), NOON).unwrap();
    scene.decide(decision);
    assert!(matches!(total(&scene, vec![line("bread", 1, None)]), Err(Refusal::Line { .. })));
}

/// What is exported reads back the same; `replace` ends what is not in the file; a look changes nothing.
#[test]
fn a_catalogue_comes_back_as_it_went() {
    let mut scene = Scene::new();
    let mut items = three_items();
    items.push(item("apo", "'=quoted", Price::Fixed(units(1))));
    items.push(Item { digital: true, ..item("song", "Söng \"live\"\nno", Price::Fixed(units(99))) });
    items[4].name = "Söng \"live\"; x".to_owned();
    let decision = scene.shop.import(items.clone(), false, &boss(), NOON).unwrap();
    assert_eq!(scene.decide(decision).added, 5);
    let text = csv::write(scene.shop.items().values(), &keeper().currency);
    assert!(text.contains("'=Tip") && text.contains("''=quoted"), "{text}");
    let read = csv::read(&text, &keeper().currency).unwrap();
    let done = scene.shop.would_import(read.clone(), true, &boss(), NOON).unwrap();
    assert_eq!((done.same, done.added, done.changed, done.ended, done.version), (5, 0, 0, 0, 1));
    let excel = format!("\u{feff}{}", text.replace("\r\n", "\n"));
    assert_eq!(csv::read(&excel, &keeper().currency).unwrap(), read);
    let decision = scene.shop.import(read[..2].to_vec(), true, &boss(), NOON).unwrap();
    let done = scene.decide(decision);
    assert_eq!((done.same, done.ended, done.version), (2, 3, 2));
    scene.starts_again();
    assert_eq!(scene.shop.items().values().filter(|item| item.active).count(), 2);
    assert_eq!(scene.shop.version(), 2);
}

/// A file with mistakes: each is named by line and column, and nothing of it is taken.
#[test]
fn a_bad_file_is_refused_as_a_whole() {
    let eur = keeper().currency;
    for (text, line, column, words) in [
        ("", 1, "sku", "needed"),
        ("sku;name;price\nbread;Bread;1,50", 2, "price", "not an amount"),
        ("sku,name,price\nbread,Bread,-1", 2, "price", "not an amount"),
        ("sku,name,price\nbread,Bread,1.234", 2, "price", "more decimals"),
        ("sku,name,price\nbread,Bread,=1+1", 2, "price", "not an amount"),
        ("sku,name,price\nbread,Bread,", 2, "price", "needed"),
        ("sku,name,price\nbread,,1", 2, "name", "needed"),
        ("sku,name,price\n,Bread,1", 2, "sku", "one word"),
        ("sku,name,price\na b,Bread,1", 2, "sku", "one word"),
        ("sku,name,price\na*b,Bread,1", 2, "sku", "one word"),
        ("sku,name,price\nbread,Bread,1\nmilk,Milk,2\nbread,More,3", 4, "sku", "line 2, too"),
        ("sku,name,price\nbread,Bread", 2, "", "2 cells"),
        ("sku,name,price\nbread,Bread,1,x", 2, "", "4 cells"),
        ("sku,name,prise\nbread,Bread,1", 1, "prise", "unknown column"),
        ("sku,sku,name\na,b,c", 1, "sku", "twice"),
        ("sku,name,rule,price\na,b,gift,1", 2, "rule", "none of"),
        ("sku,name,rule,price,min,max\na,b,free,1,,2", 2, "price", "has none"),
        ("sku,name,rule,min\na,b,free,1", 2, "max", "needs its most"),
        ("sku,name,rule,min,max\na,b,free,3,2", 2, "max", "less than"),
        ("sku,name,price,min\na,b,1,1", 2, "rule", "beside the rule"),
        ("sku,name,price,active\na,b,1,maybe", 2, "active", "neither"),
        ("sku,name,price\na,\u{202e}b,1", 2, "name", "control"),
        ("sku,name,price", 0, "", "no article"),
    ] {
        let flaws = csv::read(text, &eur).unwrap_err();
        let flaw = &flaws[0];
        assert_eq!((flaw.line, flaw.column.as_str()), (line, column), "{text:?}: {flaws:?}");
        assert!(flaw.why.contains(words), "{text:?}: {}", flaw.why);
    }
    let huge = format!("sku,name,price\n{}", "x,y,1\n".repeat(400_000));
    assert!(csv::read(&huge, &eur).unwrap_err()[0].why.contains("at most"));
    let many: String = (0..200).map(|n| format!("a{n},,\n")).collect();
    assert_eq!(csv::read(&format!("sku,name,price\n{many}"), &eur).unwrap_err().len(), 100);
    let quote = csv::read("sku,name,price\n\"a,b,1", &eur);
    assert!(quote.is_err(), "an open quote takes the rest");
}

proptest::proptest! {
    /// Nonsense is refused or read, and never panics; what is read is written so that it reads back the same.
    #[test]
    fn nonsense_never_panics(text in "[a-z0-9,;\"'=\n\r\\-+@.áß]{0,120}", header in proptest::bool::ANY) {
        let eur = keeper().currency;
        let text = if header { format!("sku,name,price\n{text}") } else { text };
        if let Ok(items) = csv::read(&text, &eur) {
            let again = csv::read(&csv::write(&items, &eur), &eur);
            proptest::prop_assert_eq!(again, Ok(items));
        }
    }
}
