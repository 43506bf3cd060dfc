# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Before the labs: what the tests need is there, and the image is built, where there is a network."""
import json
import os
import sys

import pytest

import deploy
import lab as lab_module
import labs
from lab import ROOT, run

STORE = ["buildah", "--storage-driver", "vfs", "--root", deploy.BUILT / "storage", "--runroot", deploy.BUILT / "run"]
labs.AT_A_TIME = 1  # tests/run has tests/ns run beside these


def need():
    missing = run(ROOT / "scripts/deps", "--check", "deploy", check=False).stdout.split()
    assert not missing, f"not installed: {' '.join(missing)} (scripts/deps deploy)"
    assert os.path.exists(deploy.NODENS), f"{deploy.NODENS} is not there: run make"


def build_image():
    """NODENS_IMAGE_ROOT is where it is mounted, NODENS_IMAGE_CONFIG what it says of itself."""
    run(*STORE, "rm", "--all", check=False)  # a container for each run, of which only the newest is of use
    run(ROOT / "scripts/image", timeout=900)
    container = run(*STORE, "from", "--pull-never", "localhost/nodens:latest").stdout.strip()
    image = json.loads(run(*STORE, "inspect", "--type", "image", "localhost/nodens:latest").stdout)
    os.environ["NODENS_IMAGE_ROOT"] = run(*STORE, "mount", container).stdout.strip()
    os.environ["NODENS_IMAGE_CONFIG"] = json.dumps(image["OCIv1"]["config"])


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    if lab_module.inside() or config.option.collectonly or config.option.help or config.option.version:
        return
    try:
        need()
        if any(path.stem == "test_image" for path in labs.split(config)[0]):
            build_image()
    except AssertionError as e:
        print(e, "0 passed, 1 failed, 0 skipped", sep="\n")
        sys.exit(1)


@pytest.fixture(scope="session")
def tools():
    """kubectl and helm, as they are packed for another use; nothing of this machine's own settings."""
    deploy.unpack_tools()
    os.environ |= {"HOME": os.environ["NODENS_LAB_DIR"], "KUBECONFIG": "/dev/null"}
