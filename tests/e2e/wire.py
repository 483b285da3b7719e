"""A wire of the lab between a router and the Internet that loses, delays and reorders (tests/lab/wire.cpp)."""

import os
import subprocess

import culvert
from culvert import run_in

PROGRAM = culvert.BIN.parent / "lab" / "lab_wire"


class Wire:
    """From when it is made until closed, what `router` (rc, rg or any machine at the bridge) sends and gets goes through it."""

    def __init__(self, router="rc", seed=1):
        self.router = router
        bridge_end, near, far = f"v-{router}", f"w-{router}", f"x-{router}"
        inet = lambda *arguments: subprocess.run(["ip", "-n", "cv-inet", *arguments], check=True)
        inet("link", "add", near, "type", "veth", "peer", "name", far)
        inet("link", "set", far, "master", "br0", "gso_max_segs", "1", "up")
        inet("link", "set", bridge_end, "nomaster", "arp", "off")
        inet("link", "set", near, "arp", "off", "up")
        # The namespace itself stays out of it.
        run_in("inet", "sysctl", "-qw", *(f"net.ipv6.conf.{name}.disable_ipv6=1" for name in (bridge_end, near)))
        # Frames that are to be cut into segments later would be lost as a whole.
        run_in(router, "ip", "link", "set", "eth0", "gso_max_segs", "1")
        self.process = subprocess.Popen(
            culvert.in_namespace("inet", PROGRAM, bridge_end, near, seed),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert self.process.stdout.readline() == "ready\n"

    def set(self, direction="", **properties):
        """Of both directions, "a2b" (from the router) or "b2a"."""
        self._ask(" ".join([direction, *(f"{name}={value}" for name, value in properties.items())]), "ok")

    def clear(self):
        self.set(loss=0, delay=0, reorder=0, rate=0)

    def dropped(self):
        """Frames since it was last asked, from the router and to it."""
        words = self._ask("stats").split()
        return tuple(int(word.removeprefix("dropped=")) for word in words if word.startswith("dropped="))

    def _ask(self, line, expected=None):
        self.process.stdin.write(line + "\n")
        answer = self.process.stdout.readline().strip()
        assert expected in (None, answer), answer
        return answer

    def close(self):
        """The cable is cut."""
        self.process.stdin.close()
        self.process.wait()
