import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(1, os.path.join(os.path.dirname(__file__), "..", "lab"))

import culvert  # noqa: E402
import private_machine  # noqa: E402

if "PYTEST_XDIST_WORKER" in os.environ:
    private_machine.enter()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    system = item.funcargs.get("system")
    if report.failed and system is not None:
        where = culvert.save_logs(system.directory, item.name)
        report.sections.append(("Logs of all processes", str(where)))
        for process in system.processes:
            report.sections.append((f"End of {process.name}.log", process.log[-2500:]))


@pytest.fixture(scope="module")
def system(request, tmp_path_factory):
    """The whole system, running. A module may set LAB_ARGUMENTS and CONFIGURATION."""
    system = culvert.System(tmp_path_factory.mktemp("system"), getattr(request.module, "LAB_ARGUMENTS", ()))
    try:
        system.start_all(getattr(request.module, "CONFIGURATION", culvert.configuration()))
        yield system
    finally:
        system.close()


@pytest.fixture
def bare_system(tmp_path):
    """A lab in which nothing runs yet."""
    system = culvert.System(tmp_path)
    try:
        yield system
    finally:
        system.close()
