//! From a container definition and its image to what the machine shall run.

use super::{ContainerDefinition, TaskDefinition};
use crate::engine::{ContainerPlan, MountPlan, SandboxPlan, TmpfsPlan, UlimitPlan};
use container_image::ImageConfig;
use std::collections::BTreeMap;
use std::path::Path;

/// Who keeps the image of a container: its task and its number in it.
pub fn holder(task: &str, container: usize) -> String {
    format!("{task}.{container}")
}

impl TaskDefinition {
    /// The task's sandbox.
    pub fn sandbox_plan(&self) -> SandboxPlan {
        SandboxPlan {
            id: self.id.clone(),
            hostname: self.network.hostname.clone(),
            address: self.network.address,
            mac: self.network.mac.clone(),
            search: self.network.search.clone(),
            cpu: self.cpu,
            memory: self.memory,
        }
    }
}

impl ContainerDefinition {
    /// The container, from its image. `volumes` is the directory that holds the task's volumes.
    pub fn plan(&self, image: &ImageConfig, volumes: &Path) -> ContainerPlan {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (config, host) = (&self.config, &self.host);
        let mounts = self.mounts.iter().map(|mount| MountPlan {
            source: volumes.join(&mount.volume),
            target: mount.path.clone(),
            read_only: mount.read_only,
        });
        ContainerPlan {
            name: self.name.clone(),
            argv: self.argv(image),
            env: self.variables(image),
            cwd: text(&config.working_dir).or(image.working_dir.clone()).unwrap_or_else(|| "/".to_owned()),
            user: text(&config.user).or(image.user.clone()),
            readonly_root: host.readonly_rootfs,
            init: host.init == Some(true),
            cap_add: host.cap_add.clone(),
            cap_drop: host.cap_drop.clone(),
            mounts: mounts.collect(),
            tmpfs: host
                .tmpfs
                .iter()
                .map(|(target, options)| TmpfsPlan {
                    target: target.clone(),
                    options: options.split(',').filter(|o| !o.is_empty()).map(str::to_owned).collect(),
                })
                .collect(),
            shm_size: (host.shm_size > 0).then_some(host.shm_size),
            ulimits: host
                .ulimits
                .iter()
                .map(|limit| UlimitPlan { name: limit.name.clone(), soft: limit.soft, hard: limit.hard })
                .collect(),
            memory: self.memory,
            memory_reservation: (host.memory_reservation > 0).then_some(host.memory_reservation),
            cpu_shares: self.cpu,
            sysctls: host.sysctls.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            keep_output: self.logs.is_some(),
        }
    }

    /// An entry point of our own takes the place of the image's command too, as in Docker.
    pub(super) fn argv(&self, image: &ImageConfig) -> Vec<String> {
        let (entry_point, image_command) = if self.entry_point.is_empty() {
            (&image.entrypoint, &image.cmd[..])
        } else {
            (&self.entry_point, &[][..])
        };
        let command = if self.command.is_empty() { image_command } else { &self.command[..] };
        entry_point.iter().chain(command).cloned().collect()
    }

    /// The image's variables with ours over them; `PATH` is always there.
    fn variables(&self, image: &ImageConfig) -> Vec<String> {
        let mut all = BTreeMap::from([(
            "PATH".to_owned(),
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        )]);
        for pair in &image.env {
            if let Some((name, value)) = pair.split_once('=') {
                all.insert(name.to_owned(), value.to_owned());
            }
        }
        all.extend(self.environment.clone());
        all.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}
