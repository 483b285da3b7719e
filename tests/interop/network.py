"""A network namespace for this thread, with addresses that a relay may send to: loopback ones it never does."""

import contextlib
import ctypes
import os
import subprocess

RELAY_V4, RELAY_V6 = "203.0.113.50", "2001:db8:50::1"
# Of clients and peers. They are addresses of the relay's own host here, so it must be told to allow them.
HOST_V4, HOST_V6 = "203.0.113.60", "2001:db8:60::1"
NEW_NETWORK = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def own_network():
    """Threads and processes that are started inside are in it as well."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if LIBC.unshare(NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "cannot make a network namespace; run as root")
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for address in (RELAY_V4, HOST_V4):
            subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
        for address in (RELAY_V6, HOST_V6):
            subprocess.run(["ip", "address", "add", f"{address}/128", "dev", "lo", "nodad"], check=False)
        yield
    finally:
        if LIBC.setns(before, NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), "cannot go back to the network of before")
        os.close(before)
