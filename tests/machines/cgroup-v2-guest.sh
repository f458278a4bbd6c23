#!/bin/busybox sh
# The first process of the machine that cgroup-v2.sh boots.

if [ "$1" != machine ]; then
    # Containers leave their root by pivot_root, which the kernel's first file system does not allow.
    /bin/busybox mount -t tmpfs -o size=90% tmpfs /new
    for part in /*; do
        [ "$part" = /new ] || /bin/busybox cp -a "$part" /new/
    done
    exec /bin/busybox switch_root /new /init machine
fi

export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
/bin/busybox --install -s /bin
mkdir -p /proc /sys /dev /run /tmp /new
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
# As a service manager starts a service.
mkdir -p /sys/fs/cgroup/system.slice/longshore.service
echo 0 >/sys/fs/cgroup/system.slice/longshore.service/cgroup.procs

failed=0
# Steps may be chosen on the kernel's command line: steps=up,clean-end
chosen=$(sed -n 's/.*steps=\([^ ]*\).*/\1/p' /proc/cmdline)
# Runs a step and says how it went; each step prints what it does.
step() {
    local name=$1
    shift
    case ",${chosen:-$name}," in *",$name,"*) ;; *) return ;; esac
    echo "=== $name"
    if "$@"; then echo "--- ok: $name"; else echo "--- FAILED: $name"; failed=1; fi
}

call() {
    curl -sS --aws-sigv4 "aws:amz:$AWS_DEFAULT_REGION:$1" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
        -H "X-Amz-Target: $2" -H 'Content-Type: application/x-amz-json-1.1' -d "$3" "$AWS_ENDPOINT_URL/"
}
ecs() { call ecs "AmazonEC2ContainerServiceV20141113.$1" "$2"; }
ec2() {
    curl -sS --aws-sigv4 "aws:amz:$AWS_DEFAULT_REGION:ec2" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
        -d "Action=$1&Version=2016-11-15" "$AWS_ENDPOINT_URL/"
}
ecr() { call ecr "AmazonEC2ContainerRegistry_V20150921.$1" "$2"; }

digest() { echo "sha256:$(sha256sum "$1" | cut -d' ' -f1)"; }

push_blob() {
    local at
    at=$(curl -sS -i -X POST -H "Authorization: Basic $token" "$AWS_ENDPOINT_URL/v2/busybox/blobs/uploads/" |
        tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    case $at in http*) ;; *) at=$AWS_ENDPOINT_URL$at ;; esac
    case $at in *\?*) at="$at&" ;; *) at="$at?" ;; esac
    curl -sS -f -X PUT -H "Authorization: Basic $token" -H 'Content-Type: application/octet-stream' \
        --data-binary "@$1" "${at}digest=$(digest "$1")"
}

push_image() {
    mkdir -p /tmp/image/bin
    cp /bin/busybox /tmp/image/bin/busybox
    ln -sf busybox /tmp/image/bin/sh
    tar -C /tmp/image -cf /tmp/layer.tar bin
    gzip -c /tmp/layer.tar >/tmp/layer.gz
    echo "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"PATH=/bin\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"$(digest /tmp/layer.tar)\"]}}" >/tmp/config
    echo "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"$(digest /tmp/config)\",\"size\":$(stat -c %s /tmp/config)},\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"$(digest /tmp/layer.gz)\",\"size\":$(stat -c %s /tmp/layer.gz)}]}" >/tmp/manifest
    ecr CreateRepository '{"repositoryName":"busybox"}' >/dev/null
    token=$(ecr GetAuthorizationToken '{}' | sed -n 's/.*"authorizationToken": *"\([^"]*\)".*/\1/p')
    push_blob /tmp/layer.gz && push_blob /tmp/config &&
        curl -sS -f -X PUT -H "Authorization: Basic $token" \
            -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' --data-binary @/tmp/manifest \
            "$AWS_ENDPOINT_URL/v2/busybox/manifests/latest"
}

# Runs a script as a task with so many MiB and prints the task once it is STOPPED.
stopped_task() {
    local memory=$1 command=$2 subnet task answer tries=0
    subnet=$(ec2 DescribeSubnets | sed -n 's/.*<subnetId>\([^<]*\)<.*/\1/p' | head -n 1)
    ecs RegisterTaskDefinition "{\"family\":\"t\",\"networkMode\":\"awsvpc\",\"requiresCompatibilities\":[\"FARGATE\"],\"cpu\":\"256\",\"memory\":\"$memory\",\"containerDefinitions\":[{\"name\":\"main\",\"image\":\"localhost:4566/busybox:latest\",\"command\":[\"sh\",\"-c\",\"$command\"]}]}" >/dev/null
    task=$(ecs RunTask "{\"taskDefinition\":\"t\",\"launchType\":\"FARGATE\",\"networkConfiguration\":{\"awsvpcConfiguration\":{\"subnets\":[\"$subnet\"]}}}" |
        sed -n 's/.*"taskArn": *"\([^"]*\)".*/\1/p')
    while [ $tries -lt 600 ]; do
        answer=$(ecs DescribeTasks "{\"tasks\":[\"$task\"]}")
        case $answer in *'"stoppedAt"'*) break ;; esac
        tries=$((tries + 1))
        usleep 200000
    done
    echo "$answer"
}

up() {
    /guest/longshore up --data-dir /tmp/region >/tmp/up.log 2>&1 &
    server=$!
    local tries=0
    until curl -s http://127.0.0.1:4566/ >/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || return 1
        usleep 200000
    done
    eval "$(/guest/longshore env --data-dir /tmp/region)"
    ecs CreateCluster '{"clusterName":"default"}' >/dev/null
    push_image
}

eats_memory() {
    stopped_task 512 'exec dd if=/dev/zero of=/dev/null bs=900M count=1' >/tmp/answer
    grep -o '"exitCode":[^,}]*\|"reason":"[^"]*"\|"stoppedReason":"[^"]*"' /tmp/answer
    grep -q 'OutOfMemoryError: Container killed due to memory usage' /tmp/answer && grep -q '"exitCode": *137' /tmp/answer
}

clean_end() {
    kill -TERM $server
    wait $server || { cat /tmp/up.log; return 1; }
    local left
    left=$(find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d -name 'longshore*'; ip -o link | grep -v ' lo:'; ls /run/longshore/netns 2>/dev/null)
    [ -z "$left" ] || { echo "left: $left"; return 1; }
}

uname -r
echo "controllers: $(cat /sys/fs/cgroup/cgroup.controllers); mounted: $(grep cgroup /proc/mounts)"
step doctor /guest/longshore doctor
step demo /guest/longshore demo --once
step runtime-tests /guest/runtime-tests --test-threads=1
step up up
step eats-memory eats_memory
step clean-end clean_end
[ $failed = 0 ] && echo "MACHINE PASS" || echo "MACHINE FAIL"
sync
reboot -f
