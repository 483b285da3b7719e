"""Everything below `io` gets its inputs as arguments: no clock, no random numbers, no file, no socket, no thread.

And nothing in it, or in the simulator, depends on the order of a hash table.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

import sources
import symbols

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CULVERT_BUILD_DIR", ROOT / "build/release"))

# The program around the simulator measures how fast it is.
MEASURES_TIME = {"model": {"simulate.cpp"}}


def layers_below_io():
    text = (ROOT / "CMakeLists.txt").read_text()
    layers = re.search(r"set\(CULVERT_LAYERS(.*?)\)", text, re.DOTALL)[1].split()
    return layers[:layers.index("io")]


def archive_of(layer):
    return BUILD / "culvert" / layer / f"libculvert_{layer}.a"


def cpp_files(folder):
    return {path: sources.without_comments(path.read_text())
            for path in sorted(folder.rglob("*")) if path.suffix in (".h", ".cpp")}


FOLDERS = [ROOT / "culvert" / layer for layer in layers_below_io()] + [ROOT / "tests/model"]


@pytest.mark.parametrize("layer", layers_below_io())
def test_library_asks_the_system_for_nothing(layer):
    found = [f"{member}: {symbol} ({kind})" for member, symbol, kind in symbols.hidden_inputs(archive_of(layer))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("code, symbol", [
    ("#include <chrono>\nauto f() { return std::chrono::steady_clock::now(); }", "std::chrono::_V2::steady_clock::now()"),
    ("#include <ctime>\nauto f() { return std::time(nullptr); }", "time"),
    ("#include <random>\nauto f() { return std::random_device{}(); }", "std::random_device::_M_getval()"),
    ("#include <cstdlib>\nauto f() { return std::getenv(\"HOME\"); }", "getenv"),
    ("#include <sys/socket.h>\nauto f() { return ::socket(AF_INET, SOCK_DGRAM, 0); }", "socket"),
    ("#include <sys/random.h>\nauto f(void* p) { return ::getrandom(p, 8, 0); }", "getrandom"),
    ("#include <fcntl.h>\nauto f() { return ::open(\"/dev/urandom\", O_RDONLY); }", "open"),
    ("extern \"C\" int RAND_bytes(unsigned char*, int);\nauto f(unsigned char* p) { return RAND_bytes(p, 8); }",
     "RAND_bytes"),
])
def test_a_planted_symbol_is_found(code, symbol, tmp_path):
    (tmp_path / "planted.cpp").write_text(code)
    subprocess.run(["c++", "-std=c++20", "-c", "planted.cpp", "-o", "planted.o"], cwd=tmp_path, check=True)
    assert symbol in [found for _, found, _ in symbols.hidden_inputs(tmp_path / "planted.o")]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_sources_take_no_chance(folder):
    found = [f"{path.relative_to(ROOT)}:{line}: {what}" for path, text in cpp_files(folder).items()
             for line, what in sources.chance(text)
             if path.name not in MEASURES_TIME.get(folder.name, set())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_hash_tables_are_for_looking_up(folder):
    files = cpp_files(folder)
    tables = sources.hash_tables(files.values())
    found = [f"{path.relative_to(ROOT)}:{line}: {what}" for path, text in files.items()
             for line, what in sources.iterations(text, tables)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("code, expected", [
    ("std::unordered_map<int, std::map<int, int>> table_;\nfor (auto& [k, v] : table_) {}", 2),
    ("void f(const std::unordered_set<int>& ids) {\n  return *ids.begin();\n}", 2),
    ("using Table = std::unordered_map<int, int>;\nTable rows;\n\nstd::erase_if(state->rows, p);", 4),
    ("std::unordered_map<int, int> table;\nstd::ranges::copy(table, out);", 2),
])
def test_a_planted_iteration_is_found(code, expected):
    assert [line for line, _ in sources.iterations(code, sources.hash_tables([code]))] == [expected]


@pytest.mark.parametrize("code", [
    "std::unordered_map<int, int> table;\nif (table.find(1) != table.end()) { table.erase(1); }",
    "std::map<int, int> table;\nfor (auto& row : table) {}",
])
def test_looking_up_is_fine(code):
    assert not sources.iterations(code, sources.hash_tables([code]))


def test_planted_chance_is_found():
    code = sources.without_comments("// std::mt19937\nauto text = \"std::mt19937\";\nstd::mt19937 rng{1};\n"
                                    "std::chrono::steady_clock::now();")
    assert [line for line, _ in sources.chance(code)] == [3, 4]


TIMER = re.compile(r"constexpr\s+(?:std::chrono::\w+|Duration)\s+(k\w+)")


def stray_timers(folder):
    """A timer stands in its folder's constants.h, where somebody who looks for it finds it beside its siblings. Those
    that follow from others stay with the code that computes them."""
    for path, text in cpp_files(folder).items():
        is_test = "_test." in path.name or "testing" in path.parts or path.name.endswith(("_fixture.h", "_contract.h"))
        if path.name in ("constants.h", "limits.h") or is_test:
            continue
        for line, content in enumerate(text.splitlines(), 1):
            timer = TIMER.search(content)
            if timer and not re.search(r"=[^;]*\bk[A-Z]", content):
                yield f"{path.relative_to(ROOT)}:{line}: {timer[1]}"


def test_timers_stand_in_constants():
    assert not list(stray_timers(ROOT / "culvert")), "\n".join(stray_timers(ROOT / "culvert"))
