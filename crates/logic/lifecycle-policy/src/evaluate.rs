//! Which rule acts on which image.

use crate::candidate::Candidate;
use crate::rule::{Action, Count, LifecyclePolicy, Rule};
use environment::Timestamp;
use resources::ecr::StorageClass;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// What becomes of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Position of the image in the list that was given.
    pub image: usize,
    /// What.
    pub action: Action,
    /// Priority of the rule that says so.
    pub priority: i32,
}

/// What a policy does with the images of a repository, in the order of the rules and of age.
pub fn evaluate(policy: &LifecyclePolicy, images: &[Candidate], now: Timestamp) -> Vec<Planned> {
    let by_digest: HashMap<&str, usize> =
        images.iter().enumerate().map(|(index, image)| (image.digest.as_str(), index)).collect();
    let held = held(images, &by_digest);
    let mut followers: HashMap<usize, Vec<usize>> = HashMap::new();
    for (index, image) in images.iter().enumerate() {
        if let Some(subject) = subject_of(image, index, &by_digest) {
            followers.entry(subject).or_default().push(index);
        }
    }
    let mut shielded = vec![false; images.len()];
    let mut planned = Vec::new();
    for rule in policy.rules() {
        let selected = selected(rule, images, &by_digest);
        for &index in acted_on(rule, images, &selected, now).iter().filter(|index| !shielded[**index]) {
            if !held.contains(&index) {
                let plan = Planned { image: index, action: rule.action, priority: rule.priority };
                follow(&plan, images, (&followers, &held), &mut planned);
            }
        }
        for index in selected {
            shielded[index] = true;
        }
    }
    planned
}

/// The image that an image shares its fate with, if it is in the repository.
fn subject_of(image: &Candidate, index: usize, by_digest: &HashMap<&str, usize>) -> Option<usize> {
    let subject = by_digest.get(image.subject.as_deref()?).copied()?;
    (subject != index).then_some(subject)
}

/// Images that stay: manifests of an index that is there, what is in use, and what something in use refers to or is
/// part of.
fn held(images: &[Candidate], by_digest: &HashMap<&str, usize>) -> HashSet<usize> {
    let mut held = HashSet::new();
    for (index, image) in images.iter().enumerate() {
        let children: Vec<usize> =
            image.children.iter().filter_map(|child| by_digest.get(child.as_str()).copied()).collect();
        if image.in_use || children.iter().any(|child| images[*child].in_use) {
            held.insert(index);
        }
        held.extend(children.into_iter().filter(|child| *child != index));
    }
    held
}

/// The images that a rule is about, the youngest first.
fn selected(rule: &Rule, images: &[Candidate], by_digest: &HashMap<&str, usize>) -> Vec<usize> {
    let mut selected: Vec<usize> = (0..images.len())
        .filter(|index| {
            let image = &images[*index];
            image.storage_class == rule.storage_class
                && subject_of(image, *index, by_digest).is_none()
                && rule.tags.selects(&image.tags)
        })
        .collect();
    selected.sort_by(|a, b| {
        let key = |index: &usize| (Reverse(images[*index].pushed_at), images[*index].digest.clone());
        key(a).cmp(&key(b))
    });
    selected
}

/// Those of the selected images that the rule would act on if there were no other rule, the oldest first.
fn acted_on(rule: &Rule, images: &[Candidate], selected: &[usize], now: Timestamp) -> Vec<usize> {
    let older = |since: fn(&Candidate) -> Option<Timestamp>, age| {
        let old = |index: &&usize| since(&images[**index]).is_some_and(|since| now.since(since) > age);
        selected.iter().filter(old).copied().collect::<Vec<_>>()
    };
    let mut found = match rule.count {
        Count::MoreThan(kept) => selected.iter().skip(kept).copied().collect(),
        Count::SincePushed(age) => older(|image| Some(image.pushed_at), age),
        Count::SincePulled(age) => older(|image| Some(last_use(image)), age),
        Count::SinceTransitioned(age) => older(|image| image.archived_at, age),
    };
    found.reverse();
    found
}

/// When an image was pulled last; one never pulled counts from its push, one restored from then at the earliest.
fn last_use(image: &Candidate) -> Timestamp {
    let used = image.last_pulled_at.unwrap_or(image.pushed_at);
    image.activated_at.map_or(used, |activated| used.max(activated))
}

/// Adds an image and all that refers to it, which goes before it.
fn follow(
    plan: &Planned,
    images: &[Candidate],
    (followers, held): (&HashMap<usize, Vec<usize>>, &HashSet<usize>),
    planned: &mut Vec<Planned>,
) {
    let mut chain = vec![plan.image];
    let mut at = 0;
    while let Some(index) = chain.get(at).copied() {
        at += 1;
        let more = followers.get(&index).into_iter().flatten().copied();
        let more: Vec<usize> =
            more.filter(|follower| !chain.contains(follower) && !held.contains(follower)).collect();
        chain.extend(more);
    }
    for index in chain.into_iter().rev() {
        // What is archived already is not archived again.
        let archived = images[index].storage_class == StorageClass::Archive;
        if !(plan.action == Action::Archive && archived) {
            planned.push(Planned { image: index, ..plan.clone() });
        }
    }
}
