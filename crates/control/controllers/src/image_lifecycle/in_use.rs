//! Which images tasks use.

use resources::ecs::{Task, TaskStatus};
use std::collections::HashSet;

/// The images of all tasks that are not over. Hosts of registries are not looked at: an image of the same name elsewhere
/// spares one here, which does no harm.
pub(super) struct InUse {
    /// Digests of what was pulled.
    digests: HashSet<String>,
    /// Repository and tag of what is yet to be pulled.
    tags: HashSet<(String, String)>,
}

impl InUse {
    pub(super) fn of<'t>(tasks: impl Iterator<Item = &'t Task>) -> Self {
        let mut found = Self { digests: HashSet::new(), tags: HashSet::new() };
        for container in
            tasks.filter(|task| task.last_status != TaskStatus::Stopped).flat_map(|task| &task.containers)
        {
            if let Some(digest) = &container.image_digest {
                found.digests.insert(digest.clone());
            }
            found.add_reference(&container.image, container.image_digest.is_some());
        }
        found
    }

    fn add_reference(&mut self, image: &str, pulled: bool) {
        let name = image.split_once('/').map_or(image, |(_, name)| name);
        if let Some((_, digest)) = name.split_once('@') {
            self.digests.insert(digest.to_owned());
        } else if !pulled {
            let (name, tag) = name.split_once(':').unwrap_or((name, "latest"));
            self.tags.insert((name.to_owned(), tag.to_owned()));
        }
    }

    pub(super) fn holds(&self, repository: &str, digest: &str, tags: &[String]) -> bool {
        self.digests.contains(digest)
            || tags.iter().any(|tag| self.tags.contains(&(repository.to_owned(), tag.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let mut found = InUse { digests: HashSet::new(), tags: HashSet::new() };
        found.add_reference("localhost:4566/team/app:v1", false);
        found.add_reference("123456789012.dkr.ecr.us-east-1.amazonaws.com/app", false);
        found.add_reference("localhost:4566/app@sha256:aa", true);
        found.add_reference("localhost:4566/app:moved", true);
        let holds =
            |repository: &str, digest: &str, tag: &str| found.holds(repository, digest, &[tag.to_owned()]);
        assert!(holds("team/app", "sha256:00", "v1"));
        assert!(holds("app", "sha256:00", "latest"));
        assert!(holds("app", "sha256:aa", "x"));
        assert!(!holds("app", "sha256:00", "moved"));
        assert!(!holds("app", "sha256:00", "v1"));
    }
}
