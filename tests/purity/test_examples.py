"""The programs under examples/ do what their comments say, and the same again each time; the dashboard shows what exists."""

import json
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CULVERT_BUILD_DIR", ROOT / "build/release"))


def output_of(name):
    return subprocess.run([BUILD / "examples" / name], check=True, capture_output=True, text=True, timeout=60).stdout


def test_embedded_client_asks_for_access_to_the_resource_of_the_first_packet():
    lines = output_of("embedded_client").splitlines()

    assert lines[0].startswith("public key: ")
    assert "configure the interface: 100.64.0.1 and fd00:2021:1111::1" in lines
    assert "  with a route for 10.20.0.0/16" in lines
    assert "resource: Wiki (10.20.0.0/16), Unknown" in lines
    assert lines[-1].startswith("to the portal: ")
    assert "create_flow" in lines[-1] and "11111111-1111-4111-8111-111111111111" in lines[-1]


def test_embedded_client_is_nothing_but_its_inputs():
    assert output_of("embedded_client") == output_of("embedded_client")


def test_dashboard_shows_metrics_that_exist():
    panels = json.loads((ROOT / "examples/grafana-dashboard.json").read_text())["panels"]
    queries = " ".join(target["expr"] for panel in panels for target in panel.get("targets", []))
    shown = set(re.findall(r"culvert_\w+", queries))
    sources = [*ROOT.glob("apps/*/metrics.cpp"), ROOT / "culvert/session/device_metrics.cpp"]
    exist = {name for source in sources for name in re.findall(r'"(culvert_\w+)"', source.read_text())}

    assert len(shown) > 20
    assert not shown - exist
