"""The official Phoenix JavaScript client as a device."""

import json
import queue
import subprocess
import threading
import time


class Peer:
    """One peer.mjs."""

    def __init__(self, folder, portal, path, agent, parameters, token=""):
        self.role = path.split("/")[0]
        self.process = subprocess.Popen(
            ["node", "peer.mjs", f"ws://127.0.0.1:{portal.port}/{path}", agent, json.dumps(parameters), token],
            cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def command(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def wait(self, **wanted):
        """The next line that has these members."""
        seen = []
        end = time.monotonic() + 60
        while True:
            try:
                line = self.lines.get(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{self.role}: no {wanted} in {seen}") from None
            seen.append(line)
            if all(name in line and (value is ... or line[name] == value) for name, value in wanted.items()):
                return line

    def event(self, name):
        return self.wait(event=name)["payload"]

    def expect_nothing(self, name, seconds=1.0):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                line = self.lines.get(timeout=left)
            except queue.Empty:
                return
            assert line.get("event") != name, line

    def join(self, payload=None):
        self.command(join=self.role, payload=payload or {})
        assert self.wait(joined=...)["joined"] == {}
        return self.event("init")

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)
