"""A machine of its own for each worker of the end-to-end and interoperability tests: network, /run, /etc, /var/lib.

The lab's names, files and addresses are the same for everybody; behind these walls several labs are up at the same time
without seeing each other, or one that somebody has up on the host.
"""

import ctypes
import os
import pathlib
import subprocess

# <sched.h>; os.unshare() came with Python 3.12.
CLONE_NEWNS = 0x0002_0000
CLONE_NEWNET = 0x4000_0000

LAYERS = pathlib.Path("/mnt")  # in memory, and seen by this process and its children only
COPIED_ON_WRITE = ("/etc", "/var/lib")
EMPTY = ("/run", "/etc/netns")


def run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True)


def enter():
    """Moves the calling thread, and whatever it starts from now on, into a new machine."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"unshare: {os.strerror(error)}")
    run("mount", "--make-rprivate", "/")
    run("ip", "link", "set", "lo", "up")
    run("mount", "-t", "tmpfs", "tmpfs", str(LAYERS))
    for directory in COPIED_ON_WRITE:
        upper, work = (LAYERS / directory.strip("/") / part for part in ("upper", "work"))
        for part in (upper, work):
            part.mkdir(parents=True)
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={directory},upperdir={upper},workdir={work}", directory)
    for directory in EMPTY:
        pathlib.Path(directory).mkdir(exist_ok=True)
        run("mount", "-t", "tmpfs", "tmpfs", directory)
    pathlib.Path("/run/lock").mkdir()
