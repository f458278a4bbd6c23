//! A document of any form must neither panic nor take long, and comparing versions with what it says must not either.

use package_versions::SCHEMES;
use std::convert::Infallible;
use vulnerabilities::feeds::{Item, alpine_secdb, debian_tracker, form_of, osv, rustsec};
use vulnerabilities::{affects, rating};

/// A document with advisories.
pub fn feed(input: &[u8]) {
    let _ = form_of(input);
    let mut items: Vec<Item> = osv(input).unwrap_or_default();
    items.extend(rustsec(input));
    items.extend(alpine_secdb(input).map(|(_, items)| items).unwrap_or_default());
    let _ = debian_tracker(input, &mut |item| {
        items.push(item);
        Ok::<_, Infallible>(())
    });
    for (_, advisory) in items.iter().flat_map(|item| &item.advisories) {
        let _ = rating(advisory);
        for scheme in SCHEMES {
            let _ = affects(scheme, advisory, "1.2.3-4");
        }
    }
}
