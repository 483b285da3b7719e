"""A machine with a system bus and systemd-resolved, in namespaces of its own: nothing of this one's is touched."""

import contextlib
import os
import pathlib
import queue
import subprocess
import threading
import time

BUILD = pathlib.Path(os.environ.get("CULVERT_BUILD_DIR", "build/release"))
PROBE = (BUILD / "interop" / "os_dns_probe").resolve()
# Installed, or unpacked by scripts/setup.
PLACES = [pathlib.Path("/"), pathlib.Path("/usr/local/lib/culvert-tests/systemd-resolved")]
RESOLVED_USER = "systemd-resolve"
RESOLVED_ID = 60920
PATIENCE = 15

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <auth>EXTERNAL</auth>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.resolve1"/>
  </policy>
  <policy user="systemd-resolve">
    <allow own="org.freedesktop.resolve1"/>
  </policy>
</busconfig>
"""


def resolved_place():
    return next((place for place in PLACES if (place / "lib/systemd/systemd-resolved").exists()), None)


def wait_until(condition, what, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{what} did not come about within {patience} s"
        time.sleep(0.05)
    return result


class Machine:
    def __init__(self, folder):
        self.folder = folder
        self.bus = self.resolved = None
        self.place = resolved_place()
        self.holder = subprocess.Popen(["unshare", "--mount", "--net", "sh", "-c", "echo ready; exec sleep infinity"],
                                       stdout=subprocess.PIPE, text=True)
        assert self.holder.stdout.readline() == "ready\n"
        self.etc = folder / "etc"
        subprocess.run(["cp", "-a", "/etc", self.etc], check=True)
        for name, entry in {"passwd": f"{RESOLVED_USER}:x:{RESOLVED_ID}:{RESOLVED_ID}::/:/usr/sbin/nologin\n",
                            "group": f"{RESOLVED_USER}:x:{RESOLVED_ID}:\n"}.items():
            others = [line for line in (self.etc / name).read_text().splitlines(keepends=True)
                      if not line.startswith(RESOLVED_USER + ":")]
            (self.etc / name).write_text("".join(others) + entry)
        (self.etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
        # Which systemd-resolved takes for a source of global resolvers.
        (self.etc / "resolv.conf").unlink(missing_ok=True)
        (self.etc / "resolv.conf").write_text("")
        self.run("mount", "--bind", self.etc, "/etc")
        (folder / "bus.conf").write_text(BUS)
        self.run("mount", "-t", "tmpfs", "tmpfs", "/run")
        self.run("mkdir", "-p", "/run/dbus", "/run/systemd/resolve", "/run/systemd/resolved.conf.d")
        self.run("chown", f"{RESOLVED_ID}:{RESOLVED_ID}", "/run/systemd/resolve")
        for command in ("link set lo up", "link add tun-test type veth peer tun-peer",
                        "address add 100.64.0.1/32 dev tun-test", "link set tun-test up", "link set tun-peer up",
                        "address add 100.100.111.1/32 dev lo",
                        "address add 100.100.111.2/32 dev lo", "address add 192.0.2.53/32 dev lo",
                        "link add lan0 type veth peer lan1", "address add 192.0.2.10/24 dev lan0", "link set lan0 up",
                        "link set lan1 up"):
            self.run("ip", *command.split())
        self.tun = self.index_of("tun-test")

    def inside(self, *command):
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", f"--net=/proc/{self.holder.pid}/ns/net",
                *map(str, command)]

    def run(self, *command):
        return subprocess.run(self.inside(*command), check=True, capture_output=True, text=True).stdout

    def index_of(self, interface):
        return int(self.run("ip", "-o", "link", "show", interface).split(":")[0])

    def start_bus(self):
        self.bus = subprocess.Popen(self.inside("dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork"))
        wait_until(lambda: self.answers("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId"),
                   "the bus")

    def start_resolved(self):
        log = open(self.folder / "resolved.log", "ab")
        self.resolved = subprocess.Popen(self.inside(self.place / "lib/systemd/systemd-resolved"), stdout=log, stderr=log)
        wait_until(lambda: self.answers("org.freedesktop.resolve1", "/org/freedesktop/resolve1",
                                        "org.freedesktop.resolve1.Manager", "FlushCaches"), "systemd-resolved")

    def answers(self, service, path, interface, method):
        return subprocess.run(self.inside("busctl", "--system", "--auto-start=no", "call", service, path, interface, method),
                              capture_output=True).returncode == 0

    def resolvectl(self, *arguments):
        return self.run(self.place / "usr/bin/resolvectl", *arguments)

    @staticmethod
    def stop(process):
        if process:
            process.kill()
            process.wait()

    def close(self):
        for process in (self.resolved, self.bus, self.holder):
            self.stop(process)


class Probe:
    """The program beside this file."""

    def __init__(self, machine, method="systemd-resolved", prefix=()):
        self.process = subprocess.Popen(machine.inside(*prefix, PROBE, method, machine.tun), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def hear(self, beginning, patience=PATIENCE):
        """The next line that begins so; others are skipped."""
        deadline = time.monotonic() + patience
        while True:
            try:
                line = self.lines.get(timeout=max(deadline - time.monotonic(), 0.01))
            except queue.Empty:
                raise AssertionError(f"no line that begins with {beginning!r}") from None
            if line.startswith(beginning):
                return line

    def end(self):
        self.tell("end")
        self.hear("ended")
        assert self.process.wait(PATIENCE) == 0

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def name_server(machine, address, answer):
    """A name server at that address of the machine that answers each query for A with that address, and notes it."""
    script = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    query, peer = s.recvfrom(4096)
    end = 12
    labels = []
    while query[end]:
        labels.append(query[end + 1:end + 1 + query[end]].decode())
        end += 1 + query[end]
    end += 5
    print(".".join(labels), flush=True)
    is_a = query[end - 4:end] == bytes([0, 1, 0, 1])
    header = query[:2] + bytes([0x81, 0x80, 0, 1, 0, is_a, 0, 0, 0, 0])
    record = bytes([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]) + socket.inet_aton(sys.argv[2])
    s.sendto(header + query[12:end] + (record if is_a else b""), peer)
"""
    process = subprocess.Popen(machine.inside("python3", "-c", script, address, answer), stdout=subprocess.PIPE, text=True)
    asked = []
    assert process.stdout.readline() == "ready\n"
    threading.Thread(target=lambda: [asked.append(line.strip()) for line in process.stdout], daemon=True).start()
    try:
        yield asked
    finally:
        process.kill()
        process.wait()
