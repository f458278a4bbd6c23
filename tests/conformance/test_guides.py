"""The guides' commands do what the guides say, run as they are written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Region
from images import write_layout

FENCE = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "--- end of block ---"


def blocks(guide):
    """(script, lines that its output must hold) for every script of a guide, in order."""
    found = []
    for kind, body in FENCE.findall((ROOT / "docs/guides" / guide).read_text()):
        if kind == "sh":
            found.append((body, []))
        else:
            found[-1][1].extend(line for line in body.splitlines() if line.strip())
    return found


@pytest.mark.parametrize("guide", ["identity.md", "logs.md"])
def test_guide(guide, tmp_path):
    region = Region()
    try:
        write_layout(tmp_path / "app")
        parts = blocks(guide)
        script = "set -euo pipefail\n" + "\n".join(f"{body}\necho '{END}'" for body, _ in parts)
        script = script.replace("localhost:4566", region.registry)
        environment = {**region.environment(), "HOME": str(tmp_path)}
        environment["AWS_CONFIG_FILE"] = str(tmp_path / "config")
        environment["AWS_SHARED_CREDENTIALS_FILE"] = str(tmp_path / "credentials")
        environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        outputs = done.stdout.split(END)
        for (body, lines), output in zip(parts, outputs):
            for line in lines:
                assert line in output, f"{line!r} is not in what this printed:\n{body}\n--- printed ---\n{output}\n{done.stderr}"
        assert done.returncode == 0, done.stderr
    finally:
        region.close()
