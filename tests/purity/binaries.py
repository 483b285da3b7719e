"""What the toolchain has put into an executable against whoever finds a bug in it."""

import re
import subprocess


def _readelf(option, binary):
    return subprocess.run(["readelf", "--wide", option, binary], check=True, capture_output=True, text=True).stdout


def weaknesses(binary):
    """What is missing, as a list of sentences; empty for a binary as it should be."""
    header = _readelf("--file-header", binary)
    segments = _readelf("--program-headers", binary)
    dynamic = _readelf("--dynamic", binary)
    symbols = _readelf("--dyn-syms", binary)
    stack = re.search(r"GNU_STACK\s+(?:0x\w+\s+){5}(\S+)", segments)

    missing = []
    if not re.search(r"Type:\s+DYN", header) or "PIE" not in dynamic:
        missing.append("always at the same address: no PIE")
    if "GNU_RELRO" not in segments or not re.search(r"BIND_NOW|FLAGS.*\bNOW\b", dynamic):
        missing.append("function pointers of the linker stay writable: no full RELRO")
    if not stack or "E" in stack[1]:
        missing.append("executable stack")
    if re.search(r"LOAD\s+(?:0x\w+\s+){5}RWE", segments):
        missing.append("memory both writable and executable")
    if "TEXTREL" in dynamic:
        missing.append("code that is written to when it is loaded")
    if re.search(r"\((RPATH|RUNPATH)\)", dynamic):
        missing.append("libraries from places of its own: RPATH")
    if "__stack_chk_fail" not in symbols:
        missing.append("no stack protector")
    if not re.search(r"__\w+_chk\b", symbols.replace("__stack_chk_fail", "")):
        missing.append("no checks of buffer sizes: _FORTIFY_SOURCE")
    if "__glibcxx_assert_fail" not in symbols:
        missing.append("no checks in the standard library: _GLIBCXX_ASSERTIONS")
    return missing
