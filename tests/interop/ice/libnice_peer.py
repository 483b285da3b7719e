"""libnice with the lines of ice_probe.cpp. Arguments: controlling or controlled, own address."""

import ctypes
import sys
import threading

import gi

gi.require_version("Nice", "0.1")
from gi.repository import GLib, Nice  # noqa: E402

LIBNICE = ctypes.CDLL("libnice.so.10")
ON_DATA = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p])


def say(line):
    print(line, flush=True)


class Peer:
    def __init__(self, role, address):
        self.loop = GLib.MainLoop()
        context = self.loop.get_context()
        self.agent = Nice.Agent.new(context, Nice.Compatibility.RFC5245)
        self.agent.props.controlling_mode = role == "controlling"
        self.agent.props.upnp = False
        self.agent.props.ice_tcp = False
        own = Nice.Address()
        assert own.set_from_string(address)
        assert self.agent.add_local_address(own)
        self.stream = self.agent.add_stream(1)
        self.agent.connect("candidate-gathering-done", self.gathered)
        self.agent.connect("component-state-changed", self.state_changed)
        # This one function is not offered to other languages.
        self.on_data = ON_DATA(self.received)
        assert LIBNICE.nice_agent_attach_recv(
            ctypes.c_void_p(hash(self.agent)), self.stream, 1, ctypes.c_void_p(hash(context)), self.on_data, None
        )
        self.is_ready = False
        assert self.agent.gather_candidates(self.stream)

    def gathered(self, _agent, stream):
        _, username, password = self.agent.get_local_credentials(stream)
        say(f"credentials {username} {password}")
        for candidate in self.agent.get_local_candidates(stream, 1):
            say(f"candidate {self.agent.generate_local_candidate_sdp(candidate).removeprefix('a=')}")

    def state_changed(self, _agent, _stream, _component, state):
        if state == Nice.ComponentState.READY and not self.is_ready:
            self.is_ready = True
            say("connected")
            GLib.timeout_add(50, self.greet)

    def greet(self):
        self.agent.send(self.stream, 1, 5, "hello")
        return True

    def received(self, _agent, _stream, _component, length, data, _user):
        say(f"received {ctypes.string_at(data, length).decode()}")

    def handle(self, line):
        kind, _, rest = line.strip().partition(" ")
        if kind == "credentials":
            assert self.agent.set_remote_credentials(self.stream, *rest.split())
        elif kind == "candidate":
            candidate = self.agent.parse_remote_candidate_sdp(self.stream, f"a={rest}")
            assert candidate is not None, rest
            assert self.agent.set_remote_candidates(self.stream, 1, [candidate]) == 1
        return False

    def read_lines(self):
        for line in sys.stdin:
            GLib.idle_add(self.handle, line)
        GLib.idle_add(self.loop.quit)

    def run(self):
        threading.Thread(target=self.read_lines, daemon=True).start()
        self.loop.run()


Peer(*sys.argv[1:]).run()
