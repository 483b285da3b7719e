"""The programs are built with what compilers and kernel offer against whoever finds a bug in them."""

import json
import os
import platform
import re
import subprocess
from pathlib import Path

import pytest

import binaries

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CULVERT_BUILD_DIR", ROOT / "build/release"))
PROGRAMS = ["culvert-client", "culvert-gateway", "culvert-portal", "culvert-relay"]

# What cannot be seen in the binary. That includes control-flow protection: the linker notes it only if every file has it,
# and the C library's start files do not in Debian 12, where processors do not enforce it therefore.
CONTROL_FLOW = {"x86_64": ["-fcf-protection=full"], "aarch64": ["-mbranch-protection=standard"]}
FLAGS = ["-fstack-protector-strong", "-fstack-clash-protection", "-ftrivial-auto-var-init=zero", "-D_FORTIFY_SOURCE=3",
         "-D_GLIBCXX_ASSERTIONS", *CONTROL_FLOW.get(platform.machine(), [])]


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_is_hardened(program):
    assert binaries.weaknesses(BUILD / "bin" / program) == []


def test_every_file_of_the_product_is_compiled_so():
    commands = json.loads(subprocess.run(["ninja", "-C", BUILD, "-t", "compdb"], check=True, capture_output=True, text=True)
                          .stdout)
    product = [entry for entry in commands if " -c " in entry["command"] and
               (target := re.search(r"/CMakeFiles/(culvert[_-][^/]*)\.dir/", entry["command"])) and
               not target[1].startswith(("culvert_model_", "culvert-simulate"))]
    targets = {re.search(r"/CMakeFiles/([^/]*)\.dir/", entry["command"])[1] for entry in product}
    assert targets >= {*PROGRAMS, *(f"culvert_{layer}" for layer in ("base", "wireguard", "tunnel", "portal", "session"))}
    missing = [f"{entry['file']}: {flag}" for entry in product for flag in FLAGS if flag not in entry["command"].split()]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("flags, weakness", [
    (["-no-pie", "-fno-pie"], "PIE"),
    (["-Wl,-z,lazy"], "RELRO"),
    (["-Wl,-z,execstack"], "executable stack"),
    (["-Wl,-rpath,/tmp"], "RPATH"),
    (["-fno-stack-protector"], "stack protector"),
    (["-U_FORTIFY_SOURCE"], "FORTIFY"),
    (["-U_GLIBCXX_ASSERTIONS"], "GLIBCXX_ASSERTIONS"),
])
def test_a_weak_program_is_noticed(flags, weakness, tmp_path):
    (tmp_path / "weak.cpp").write_text("""
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
int main(int argc, char** argv) {
    std::vector<int> v(static_cast<unsigned>(argc));
    char text[64];
    std::strcpy(text, argv[argc - 1]);
    return std::printf("%s %d", text, v[std::strlen(text)]);
}
""")
    strong = ["-O2", "-fPIE", "-pie", "-Wl,-z,relro,-z,now", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2",
              "-D_GLIBCXX_ASSERTIONS"]
    subprocess.run(["c++", *strong, *flags, "weak.cpp", "-o", "weak"], cwd=tmp_path, check=True)
    assert any(weakness in found for found in binaries.weaknesses(tmp_path / "weak"))
