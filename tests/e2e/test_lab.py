"""There is one lab on a machine: who uses it is not disturbed by others."""

import os
import subprocess

import culvert

SCRIPT = culvert.ROOT / "scripts" / "lab"


def run_lab(*arguments, holder=None):
    environment = {name: value for name, value in os.environ.items() if name != "CULVERT_LAB_HOLDER"}
    if holder is not None:
        environment["CULVERT_LAB_HOLDER"] = str(holder)
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, env=environment)


def test_others_leave_a_lab_alone_for_as_long_as_its_holder_lives():
    with subprocess.Popen(["sleep", "600"]) as first, subprocess.Popen(["sleep", "600"]) as second:
        try:
            culvert.lab("up", "--no-services", holder=first.pid)  # waits until nobody else has it
            for attempt in (run_lab("up", holder=second.pid), run_lab("up"), run_lab("down")):
                assert attempt.returncode == culvert.LAB_IS_HELD
                assert f"the lab is used by process {first.pid} (sleep 600" in attempt.stderr
            assert run_lab("exec", "client", "--", "ping", "-c1", "203.0.113.10").returncode == 0

            # An end without a goodbye is one as well.
            first.kill()
            first.wait()
            assert run_lab("up", "--no-services", holder=second.pid).returncode == 0
            assert run_lab("down", holder=second.pid).returncode == 0
            assert run_lab("down").returncode == 0
        finally:
            first.kill()
            second.kill()
