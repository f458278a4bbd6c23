"""RunTask of an image that is not on the host yet, with a layer of 512 MiB."""

import gzip
import os
import statistics
import tarfile
import time
from pathlib import Path

from conftest import Region
from images import Registry, busybox_layer, image_documents
from tasks import Tasks
from waiting import wait_for


def pull(mib=512, runs=3):
    """RunTask to RUNNING of an image with one layer of 512 MiB that the host does not have: by reference, and by HTTP, as it was
    before and is from elsewhere. CPU is that of the region, which is also the host."""
    layer = large_layer(mib)
    for packing, media_type in [("gzip", "tar+gzip"), ("plain", "tar")]:
        packed = gzip.compress(layer, 1, mtime=0) if packing == "gzip" else layer
        for way in ["by reference", "by HTTP"]:
            seconds, cpu = [], []
            for _ in range(runs):
                region = Region()
                try:
                    one, used = cold_start(region, layer, packed, media_type, way == "by HTTP")
                finally:
                    region.close()
                seconds.append(one)
                cpu.append(used)
            print(f"cold RunTask -> RUNNING, {mib} MiB layer ({packing}, {len(packed) >> 20} MiB packed) {way}: "
                  f"median {statistics.median(seconds):.2f} s, min {min(seconds):.2f}, max {max(seconds):.2f} ({runs} runs); "
                  f"{statistics.median(cpu):.2f} s CPU", flush=True)


def large_layer(mib):
    """Busybox and files that compress to about half."""
    extra = []
    for number in range(mib // 8):
        entry = tarfile.TarInfo(f"data{number}")
        entry.size = 8 << 20
        extra.append((entry, os.urandom(4 << 20) + bytes(4 << 20)))
    return busybox_layer(extra)


def cold_start(region, layer, packed, media_type, by_http):
    """Seconds from RunTask to RUNNING, and seconds of CPU."""
    region.client("ecr").create_repository(repositoryName="large")
    registry = Registry(region, "large")
    blob, manifest = image_documents(layer, packed)
    manifest["layers"][0]["mediaType"] = f"application/vnd.oci.image.layer.v1.{media_type}"
    registry.push_blob(blob)
    registry.push_blob(packed)
    registry.push_manifest("latest", manifest)
    if by_http:
        # Without the socket the host downloads.
        Path(region.data_dir, "blobs/registry.sock").unlink()
    tasks = Tasks(region)
    definition = tasks.register([tasks.container(f"localhost:{region.port}/large:latest", ["sleep", "600"])])
    os.sync()
    before, begun = cpu_seconds(region.process.pid), time.perf_counter()
    task = tasks.run(definition)
    wait_for(lambda: tasks.describe(task)["lastStatus"] == "RUNNING", "RUNNING", 120, 0.005)
    return time.perf_counter() - begun, cpu_seconds(region.process.pid) - before


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
