//! Known cases of every scheme, and that each is a total order over all texts.

use super::*;
use proptest::prelude::*;

/// Lines of `LEFT < RIGHT`, `LEFT > RIGHT` or `LEFT == RIGHT`.
fn check(scheme: Scheme, cases: &str) {
    for line in cases.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let [left, relation, right] = words[..] else { panic!("{line}") };
        let expected = match relation {
            "<" => Ordering::Less,
            ">" => Ordering::Greater,
            _ => Ordering::Equal,
        };
        assert_eq!(compare(scheme, left, right), expected, "{scheme:?}: {line}");
        assert_eq!(compare(scheme, right, left), expected.reverse(), "{scheme:?}, turned: {line}");
    }
}

#[test]
fn rpm() {
    check(Scheme::Rpm, include_str!("../tests/data/rpmvercmp-cases.txt"));
    check(
        Scheme::Rpm,
        "1:1.0-1 > 2.0-1
         0:2.0-1 == 2.0-1
         2.0-1.el8 < 2.0-2.el8
         1.0-1 > 1.0~rc1-1
         1.0^git1-1 > 1.0-1",
    );
}

#[test]
fn dpkg() {
    check(
        Scheme::Dpkg,
        "1.0 == 1.0-0
         1:1.0 > 2.0
         1.0~rc1 < 1.0
         1.0~~ < 1.0~
         1.0~rc1-1 < 1.0-1
         1.0-1 < 1.0-1+b1
         1.0-1+deb12u1 > 1.0-1
         2.31-13+deb11u3 < 2.31-13+deb11u11
         1.0a < 1.0+
         1.2.3 < 1.2.10
         0:1 == 1
         9.6.15-0+deb9u1 < 9.6.16-0+deb9u1
         1.1.1d-0+deb10u3 < 1.1.1d-0+deb10u6
         1.2-3-1 > 1.2-2-9
         007 == 7",
    );
}

#[test]
fn apk() {
    check(
        Scheme::Apk,
        "1.2.3 < 1.2.4
         1.2.3-r0 < 1.2.3-r1
         1.2.3 < 1.2.3-r0
         1.2.3_rc1 < 1.2.3
         1.2.3_alpha < 1.2.3_beta
         1.2.3_beta2 < 1.2.3_pre1
         1.2.3_p1 > 1.2.3
         1.2.3_git20200101 > 1.2.3
         1.1.1a < 1.1.1b
         1.1.1 < 1.1.1a
         1.2.10 > 1.2.9
         3.0.12-r4 > 3.0.9-r1
         1.01 < 1.1
         1.0 < 1.01
         1.2.3_rc1-r5 < 1.2.3-r0
         2.4.26-r0 == 2.4.26-r0",
    );
}

#[test]
fn python() {
    check(
        Scheme::Pep440,
        "1.0.dev1 < 1.0a1
         1.0a1 < 1.0b1
         1.0rc1 < 1.0
         1.0 < 1.0.post1
         1!0.1 > 2.0
         1.0 == 1.0.0
         1.0+local > 1.0
         2.10 > 2.9
         nonsense < 0.1",
    );
}

#[test]
fn semantic() {
    check(
        Scheme::Semver,
        "1.0.0-alpha < 1.0.0-alpha.1
         1.0.0-alpha.1 < 1.0.0-alpha.beta
         1.0.0-beta.2 < 1.0.0-beta.11
         1.0.0-rc.1 < 1.0.0
         v1.2.3 == 1.2.3
         1.2 == 1.2.0
         0 < 0.0.1
         1.0.0+incompatible == 1.0.0
         v0.0.0-20200101000000-aaaaaaaaaaaa < v0.0.0-20210101000000-aaaaaaaaaaaa
         v0.0.0-20200101000000-aaaaaaaaaaaa < v0.1.0
         99999999999999999999999.0.0 > 1.0.0",
    );
}

#[test]
fn maven() {
    check(
        Scheme::Maven,
        "1 == 1.0
         1 == 1.0.0
         1.ga == 1
         1-final == 1
         1.0.FINAL == 1.0
         1-snapshot < 1
         1 < 1-sp
         1-alpha < 1-beta
         1-a1 == 1-alpha-1
         1-beta < 1-milestone
         1-milestone < 1-rc
         1-rc == 1-cr
         1-rc < 1-snapshot
         1-foo2 < 1-foo10
         1-foo < 1-1
         1-1 < 1.1
         1-sp < 1-abc
         1.0.0-foo.0.0 == 1-foo
         2.14.1 < 2.15.0
         2.0-beta9 < 2.0
         1.2.3.RELEASE == 1.2.3
         9.0.0.M1 < 9.0.0
         31.1-jre > 31.0-jre",
    );
}

fn version() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{1,2}(\\.[0-9]{1,2}){0,3}(-[a-z]{1,5}\\.?[0-9]?)?",
        "[0-9a-z.~^+_:-]{0,12}",
        "\\PC{0,8}",
    ]
}

proptest! {
    #[test]
    fn every_scheme_is_a_total_order(a in version(), b in version(), c in version()) {
        for scheme in SCHEMES {
            let order = |x: &str, y: &str| compare(scheme, x, y);
            prop_assert_eq!(order(&a, &a), Ordering::Equal);
            prop_assert_eq!(order(&a, &b), order(&b, &a).reverse(), "{:?}", scheme);
            if order(&a, &b).is_le() && order(&b, &c).is_le() {
                prop_assert!(order(&a, &c).is_le(), "{:?} {:?} {:?} {:?}", scheme, a, b, c);
            }
        }
    }

    #[test]
    fn strict_semantic_versions_are_ordered_as_cargo_orders_them(
        a in "(0|[1-9][0-9]{0,2})(\\.(0|[1-9][0-9]?)){2}(-[a-z1-9]{1,3}(\\.[a-z1-9]{1,3})?)?",
        b in "(0|[1-9][0-9]{0,2})(\\.(0|[1-9][0-9]?)){2}(-[a-z1-9]{1,3}(\\.[a-z1-9]{1,3})?)?",
    ) {
        let (left, right) = (::semver::Version::parse(&a), ::semver::Version::parse(&b));
        let (left, right) = (left.expect("is strict"), right.expect("is strict"));
        prop_assert_eq!(compare(Scheme::Semver, &a, &b), left.cmp_precedence(&right));
    }
}
