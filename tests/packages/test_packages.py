"""Debian packages in a fresh Debian 12: what they put where, that programs run there, upgrades, removal and purge."""

import pathlib
import shutil
import socket
import subprocess
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "build" / "release" / "packages"
PROGRAMS = ("client", "gateway", "relay", "portal")
STATE = {"client": "dev.firezone.client", "gateway": "firezone", "portal": "culvert"}


def run(*command, check=True, timeout=600):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout)
    assert not check or result.returncode == 0, f"{command}:\n{result.stdout[-3000:]}{result.stderr[-3000:]}"
    return result


@pytest.fixture(scope="module")
def packages():
    found = {name: list(PACKAGES.glob(f"culvert-{name}_*.deb")) for name in PROGRAMS}
    assert all(len(files) == 1 for files in found.values()), f"{found}: make them with scripts/package"
    return {name: files[0] for name, files in found.items()}


@pytest.fixture(scope="module")
def fresh(packages, tmp_path_factory):
    """A Debian 12 with nothing but what apt installs for the packages."""
    directory = tmp_path_factory.mktemp("fresh")
    root = directory / "root"
    # apt looks for the files outside, dpkg inside.
    handed_over = directory / "packages"
    handed_over.mkdir()
    for file in packages.values():
        shutil.copy(file, handed_over)
    wanted = ",".join(["systemd", *(str(handed_over / file.name) for file in packages.values())])
    hook = f'mkdir -p "$1{handed_over}" && cp {handed_over}/*.deb "$1{handed_over}"'
    run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={wanted}", f"--essential-hook={hook}", "bookworm", root)
    yield root
    shutil.rmtree(root)


def inside(root, *command, check=True):
    return run("chroot", root, *command, check=check)


def test_lintian_has_nothing_to_say(packages):
    run("lintian", "--allow-root", "--fail-on", "error,warning,info", *packages.values())


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_where_only_its_dependencies_are(fresh, name):
    root = fresh
    assert inside(root, f"culvert-{name}", "--version").stdout.startswith(f"culvert-{name} ")
    assert (root / f"usr/share/man/man8/culvert-{name}.8.gz").stat().st_size > 500


@pytest.mark.parametrize("name", PROGRAMS)
def test_its_unit_is_sound_and_not_started(fresh, name):
    root = fresh
    unit = f"culvert-{name}.service"
    result = inside(root, "systemd-analyze", "verify", unit)
    assert unit not in result.stderr, result.stderr
    assert inside(root, "systemctl", "is-enabled", unit, check=False).stdout.strip() == "disabled"
    assert inside(root, "id", "--user", "--name", f"culvert-{name}").stdout.strip() == f"culvert-{name}"


def test_the_portal_shows_its_pages(fresh):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (fresh / "var/lib/culvert").mkdir(mode=0o700)
    enter = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
    serve = ("culvert-portal", "serve", "--api-listen", f"127.0.0.1:{port}", "--ops-listen", "off")
    portal = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", enter, fresh, *serve], stderr=subprocess.PIPE, text=True
    )
    lines = []
    try:
        for line in portal.stderr:
            lines.append(line)
            if "Listening" in line:
                break
        else:
            pytest.fail("".join(lines))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/admin/", timeout=10) as page:
            assert page.status == 200 and b"<script" in page.read()
    finally:
        portal.terminate()
        portal.wait(timeout=10)
    shutil.rmtree(fresh / "var/lib/culvert")


def test_an_upgrade_keeps_settings_and_state_and_a_purge_leaves_nothing(fresh, packages):
    root = fresh
    before = {path.relative_to(root) for path in (root / "var/lib").glob("*")} - {pathlib.Path("var/lib", s) for s in STATE.values()}
    for name in PROGRAMS:
        (root / f"etc/culvert/{name}.env").write_text(f"FIREZONE_NAME={name}\n")
        (root / f"etc/culvert/{name}.token").write_text("secret\n")
    for name, state in STATE.items():
        (root / "var/lib" / state).mkdir()
        (root / "var/lib" / state / "kept").write_text(name)

    for file in packages.values():
        shutil.copy(file, root / file.name)
    inside(root, "dpkg", "--install", *(f"/{file.name}" for file in packages.values()))
    for name in PROGRAMS:
        assert (root / f"etc/culvert/{name}.env").read_text() == f"FIREZONE_NAME={name}\n"
    inside(root, "dpkg", "--remove", *(f"culvert-{name}" for name in PROGRAMS))
    for name, state in STATE.items():
        assert not (root / f"usr/bin/culvert-{name}").exists()
        assert (root / "var/lib" / state / "kept").read_text() == name

    inside(root, "dpkg", "--purge", *(f"culvert-{name}" for name in PROGRAMS))
    left = [
        str(path.relative_to(root))
        for place in ("etc", "usr", "var")
        for path in (root / place).rglob("*culvert*")
        if "var/lib/dpkg" not in str(path)
    ]
    assert left == []
    assert {path.relative_to(root) for path in (root / "var/lib").glob("*")} == before
