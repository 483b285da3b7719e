import os
import pathlib
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from phoenix_peer import Peer  # noqa: E402
from portal_process import ACME, Portal  # noqa: E402


@pytest.fixture
def portal(tmp_path):
    portal = Portal(tmp_path)
    portal.apply(ACME)
    portal.start()
    yield portal
    portal.stop()


@pytest.fixture(scope="session")
def phoenix_modules():
    """A folder with peer.mjs and the packages it needs, installed once for each build folder."""
    source = pathlib.Path(__file__).parent
    folder = pathlib.Path(os.environ.get("CULVERT_BUILD_DIR", "build/release")).resolve() / "interop" / "phoenix"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (source / "package.json").read_text()
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_text() != wanted:
        shutil.copy(source / "package.json", folder)
        subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder,
                       check=True, capture_output=True, timeout=300)
        installed.write_text(wanted)
    shutil.copy(source / "peer.mjs", folder)
    return folder


@pytest.fixture
def connect(phoenix_modules, portal):
    peers = []

    def start(path, agent, parameters, token=""):
        peers.append(Peer(phoenix_modules, portal, path, agent, parameters, token))
        return peers[-1]

    yield start
    for peer in peers:
        peer.stop()
