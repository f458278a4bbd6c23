//! From a container definition and its image to what the machine shall run, and what it is told of itself.

use super::{ContainerDefinition, TaskDefinition};
use crate::engine::{ContainerPlan, MountOrigin, MountPlan, SandboxPlan, TmpfsPlan, UlimitPlan};
use crate::logs::firelens::{self, Facts};
use crate::logs::{LogOutput, Routed};
use container_image::ImageConfig;
use container_network::ENDPOINT;
use std::collections::BTreeMap;

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
            gateway: self.network.gateway,
            mac: self.network.mac.clone(),
            search: self.network.search.clone(),
            cpu: self.cpu,
            memory: self.memory,
            storage: self.storage,
            volumes: self.volumes.clone(),
            shared_processes: self.shared_processes,
            proxy: self.proxy.clone(),
        }
    }

    /// Names a container in the addresses of its metadata: the task and ten digits, the last of them its place.
    pub fn endpoint_id(&self, container: usize) -> String {
        // FNV-1a; it need not resist anyone, for only this task can ask.
        let name = self.containers[container].name.bytes();
        let hash = name.fold(0x811c_9dc5u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        format!("{}-{:09}{container}", self.id, hash % 1_000_000_000)
    }

    /// The outputs that a container routes, with the indices of those they come from.
    pub fn routed_by(&self, router: usize) -> Vec<(usize, &Routed)> {
        let outputs = self.containers.iter().enumerate();
        outputs
            .filter_map(|(index, container)| match &container.logs {
                Some(LogOutput::Firelens(routed)) if routed.router == router => Some((index, routed)),
                _ => None,
            })
            .collect()
    }

    /// The configuration of a container that routes output, and where it looks for it.
    pub fn router_configuration(&self, container: usize) -> Option<(&'static str, String)> {
        let router = self.containers[container].router.as_ref()?;
        let facts = Facts {
            cluster: self.cluster.rsplit('/').next().unwrap_or_default(),
            task_arn: &self.arn,
            definition: format!("{}:{}", self.family, self.version),
        };
        let routed: Vec<&Routed> = self.routed_by(container).into_iter().map(|(_, routed)| routed).collect();
        Some((router.kind.configuration_path(), firelens::configuration(router, &facts, &routed)))
    }

    /// Tells a container where it runs and where its metadata and credentials are, as Fargate does. The addresses
    /// take the place of variables with these names; the others are there only when nothing else sets them.
    pub fn introduce(&self, container: usize, region: &str, plan: &mut ContainerPlan) {
        let address = ENDPOINT.ip();
        let id = self.endpoint_id(container);
        let role = self.role.as_ref().map(|role| format!("/v2/credentials/{}", role.credentials_id));
        for (name, value) in [
            ("ECS_CONTAINER_METADATA_URI", Some(format!("http://{address}/v3/{id}"))),
            ("ECS_CONTAINER_METADATA_URI_V4", Some(format!("http://{address}/v4/{id}"))),
            ("ECS_AGENT_URI", Some(format!("http://{address}/api/{id}"))),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", role),
        ] {
            if let Some(value) = value {
                set_variable(&mut plan.env, name, &value);
            }
        }
        if self.containers[container].logs.as_ref().is_some_and(|logs| logs.router().is_some()) {
            set_variable(&mut plan.env, "FLUENT_HOST", firelens::HOST);
            set_variable(&mut plan.env, "FLUENT_PORT", firelens::PORT);
        }
        for (name, value) in
            [("AWS_REGION", region), ("AWS_DEFAULT_REGION", region), ("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE")]
        {
            if !plan.env.iter().any(|pair| is_variable(pair, name)) {
                plan.env.push(format!("{name}={value}"));
            }
        }
    }
}

/// Sets a variable, in the place of one with the same name.
pub(crate) fn set_variable(env: &mut Vec<String>, name: &str, value: &str) {
    env.retain(|pair| !is_variable(pair, name));
    env.push(format!("{name}={value}"));
}

fn is_variable(pair: &str, name: &str) -> bool {
    pair.strip_prefix(name).is_some_and(|rest| rest.starts_with('='))
}

impl ContainerDefinition {
    /// Docker labels.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.config.labels
    }

    /// The log driver and its options, the stream as it is really named.
    pub fn log_driver(&self) -> Option<(&str, BTreeMap<String, String>)> {
        let config = self.host.log_config.as_ref()?;
        let mut options = config.config.clone();
        if let Some(logs) = self.logs.as_ref().and_then(LogOutput::stream)
            && options.remove("awslogs-stream-prefix").is_some()
        {
            options.insert("awslogs-stream".to_owned(), logs.stream.clone());
        }
        Some((&config.r#type, options))
    }

    /// CPU shares, at least the two that every container has.
    pub fn cpu_shares(&self) -> u32 {
        self.cpu.max(2)
    }

    /// Hard limit in MiB.
    pub fn memory_mib(&self) -> Option<u64> {
        self.memory.map(|bytes| bytes >> 20)
    }

    /// The container, from its image.
    pub fn plan(&self, image: &ImageConfig) -> ContainerPlan {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (config, host) = (&self.config, &self.host);
        let mounts = self.mounts.iter().map(|mount| MountPlan {
            source: MountOrigin::Volume(mount.volume.clone()),
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
            interactive: config.open_stdin,
            terminal: config.tty,
            keep_output: self.logs.is_some(),
            run: 0,
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
        if self.config.tty {
            all.insert("TERM".to_owned(), "xterm".to_owned());
        }
        all.extend(self.environment.clone());
        all.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}
