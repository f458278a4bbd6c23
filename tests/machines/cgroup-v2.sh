#!/usr/bin/env bash
# Boots a Debian kernel with control groups of version 2 only, in emulation, and runs the region and the tests of
# container-runtime there. By hand: it takes some minutes. Needs apt packages: qemu-system-x86 busybox-static cpio
# curl nftables binutils. Says PASS or FAIL at the end.
#
#   tests/machines/cgroup-v2.sh [PROGRAM]     PROGRAM is target/release/longshore unless named
#   LIMIT_S=SECONDS                           how long it may take
#   STEPS=up,clean-end                        only these steps of cgroup-v2-guest.sh
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
program=$(realpath "${1:-$top/target/release/longshore}")
cache=${CARGO_TARGET_DIR:-$top/target}/machines
limit_s=${LIMIT_S:-1500}

for tool in qemu-system-x86_64 busybox cpio curl nft strip dpkg-deb; do
    command -v "$tool" >/dev/null || { echo "missing: $tool" >&2; exit 2; }
done
[ -x "$program" ] || { echo "$program is not built: cargo build --release" >&2; exit 2; }

# The kernel, once.
mkdir -p "$cache"
if [ ! -d "$cache/kernel" ]; then
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/ *Depends: \(linux-image-.*\)/\1/p' | head -1)
    (cd "$cache" && apt-get -q download "$package" && dpkg-deb -x "$package"_*.deb kernel.new && mv kernel.new kernel)
fi
kernel=$(ls "$cache"/kernel/boot/vmlinuz-*)
version=${kernel##*/vmlinuz-}

# The tests of container-runtime, with the shim they start, whose path is compiled in.
tests=$(cd "$top" && cargo test -q -p container-runtime --test it --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\/it-[^"]*\)".*/\1/p')
shim=${CARGO_TARGET_DIR:-$top/target}/debug/longshore-test-shim

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,sbin,etc,proc,sys,dev,tmp,run,root,new,guest}

# A program and the libraries it names, at the same places as here.
add() {
    local source=$1 target=$root$2
    mkdir -p "$(dirname "$target")"
    cp -L "$source" "$target"
    strip "$target" 2>/dev/null || true
    # A static program names none.
    { ldd "$source" 2>/dev/null || true; } | { grep -o '/[^ ]*' || true; } | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        [ -e "$root$library" ] || cp -L "$library" "$root$library"
    done
}
add "$(command -v busybox)" /bin/busybox
add "$(command -v nft)" /usr/sbin/nft
add "$(command -v curl)" /usr/bin/curl
add "$program" /guest/longshore
add "$tests" /guest/runtime-tests
add "$shim" "$shim"
cp "$here/cgroup-v2-guest.sh" "$root/init"
chmod 755 "$root/init"
ln -s ../bin/busybox "$root/sbin/modprobe"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
echo '127.0.0.1 localhost' >"$root/etc/hosts"
: >"$root/etc/resolv.conf"

modules=$root/lib/modules/$version
mkdir -p "$modules/kernel/drivers/net" "$modules/kernel/fs"
from=$cache/kernel/lib/modules/$version
cp -r "$from/kernel/net" "$from/kernel/lib" "$modules/kernel/"
cp -r "$from/kernel/fs/overlayfs" "$modules/kernel/fs/"
cp "$from/kernel/drivers/net/veth.ko" "$modules/kernel/drivers/net/"
cp "$from"/modules.{builtin,order} "$modules/" 2>/dev/null || true
busybox depmod -b "$root" "$version"

(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$cache/initramfs.gz"
echo "booting $version with $(du -h "$cache/initramfs.gz" | cut -f1), at most $limit_s s"
timeout "$limit_s" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 -nographic -no-reboot \
    -nic none -kernel "$kernel" -initrd "$cache/initramfs.gz" \
    -append "console=ttyS0 panic=-1 loglevel=4 mitigations=off cgroup_no_v1=all ${STEPS:+steps=$STEPS}" </dev/null | stdbuf -oL tr -d '\r' |
    tee "$cache/console.log" || true
if grep -q '^MACHINE PASS$' "$cache/console.log"; then echo PASS; else echo "FAIL; see $cache/console.log"; exit 1; fi
