"""Our ICE agent against aioice and libnice, in both roles: a pair is nominated, and data passes on it both ways."""

import os
import pathlib
import queue
import subprocess
import threading

import pytest

from network import HOST_V4, RELAY_V4, own_network

FOLDER = pathlib.Path(__file__).parent
PROBE = pathlib.Path(os.environ.get("CULVERT_BUILD_DIR", "build/release")) / "interop" / "ice_probe"
OUR_ADDRESS, THEIR_ADDRESS = HOST_V4, RELAY_V4
PATIENCE = 30


@pytest.fixture(autouse=True)
def network():
    with own_network():
        yield


class Party:
    """A program that tells and is told credentials and candidates by line."""

    def __init__(self, *command):
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )
        self.lines = queue.Queue()
        self.seen = []
        threading.Thread(target=lambda: [self.lines.put(line.strip()) for line in self.process.stdout], daemon=True).start()

    def tell(self, line):
        self.process.stdin.write(line + "\n")

    def wait_for(self, beginning):
        """All lines up to one that begins so."""
        while not any(line.startswith(beginning) for line in self.seen):
            try:
                self.seen.append(self.lines.get(timeout=PATIENCE))
            except queue.Empty:
                self.process.kill()
                raise AssertionError(f'no "{beginning}" but {self.seen}, {self.process.stderr.read()}') from None
        return next(line for line in self.seen if line.startswith(beginning))

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def other_implementation(name, role):
    arguments = [THEIR_ADDRESS] if name == "libnice" else []
    return Party("/usr/bin/python3", FOLDER / f"{name}_peer.py", role, *arguments)


@pytest.mark.parametrize("name", ["aioice", "libnice"])
@pytest.mark.parametrize("our_role", ["controlling", "controlled"])
def test_a_path_is_found_and_carries_data(name, our_role):
    theirs = other_implementation(name, "controlled" if our_role == "controlling" else "controlling")
    ours = Party(PROBE, our_role, OUR_ADDRESS)
    try:
        theirs.tell(ours.wait_for("credentials"))
        ours.tell(theirs.wait_for("credentials"))
        theirs.tell(ours.wait_for("candidate"))
        ours.tell(theirs.wait_for("candidate"))
        theirs.tell("start")
        for party in (ours, theirs):
            party.wait_for("connected")
            assert party.wait_for("received") == "received hello"
        assert not any(line.startswith("refused") for line in ours.seen)
    finally:
        ours.end()
        theirs.end()


def test_a_wrong_password_finds_none():
    theirs = other_implementation("libnice", "controlled")
    ours = Party(PROBE, "controlling", OUR_ADDRESS)
    try:
        theirs.tell(ours.wait_for("credentials"))
        ours.tell(theirs.wait_for("credentials")[:-1] + "#")
        theirs.tell(ours.wait_for("candidate"))
        ours.tell(theirs.wait_for("candidate"))
        theirs.tell("start")
        ours.wait_for("state disconnected")
        assert "connected" not in ours.seen
    finally:
        ours.end()
        theirs.end()
