"""What tests of several folders share: one real stack, and one tiny checkpoint."""

import os
import signal
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

from tests.repository import GPU_REPOSITORY, prepared_repository
from tests.stack import running_stack

# A busy machine is no fault of the code. A thread that spins at a barrier takes the core of the thread it
# waits for, and a training step five times as long; torch reads this when it is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:  # several processes of tests, each with a core of its own
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# A picture must not depend on which runtime was measured to be the fastest on this machine.
os.environ.setdefault("CPU_RUNTIME", "onnxruntime")
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")
# A shell ignores Ctrl-C in what it runs in the background, and so would every process that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Files that take minutes begin first, so that in the end no process waits for another.
LONG = ("tests/studio/", "tests/training/", "tests/families/")


# An export of a family's networks, a second server, a program beside it: what needs them takes minutes.
NIGHTLY = {"served", "gpu_stack", "prometheus", "tiny_export"}


def pytest_addoption(parser):
    parser.addoption("--seldom", default="", help="folders, all of whose tests count as nightly")


@pytest.hookimpl(tryfirst=True)  # before those that carry a mark are selected
def pytest_collection_modifyitems(config, items):
    cases = Counter()
    seldom = tuple(f"{folder}/" for folder in config.getoption("seldom").split())
    for item in items:
        if sampled := item.get_closest_marker("sampled"):
            cases[item.parent, item.function] += 1
            if cases[item.parent, item.function] > sampled.args[0]:
                item.add_marker(pytest.mark.nightly)
        if NIGHTLY.intersection(item.fixturenames) or item.nodeid.startswith(seldom):
            item.add_marker(pytest.mark.nightly)
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """A report without lone surrogates, which a hostile text may have and no other process can be sent."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        running.wait_until(lambda health: health["ai_model_loaded"])
        yield running


@pytest.fixture(scope="session")
def gpu_stack(tmp_path_factory):
    """Profile gpu without a GPU: the networks inside `tryon`, on torch, without graphs."""
    with running_stack(
        tmp_path_factory.mktemp("gpu"),
        "--profile=gpu",
        f"--repository={prepared_repository(GPU_REPOSITORY)}",
        GPU_DEVICE="cpu",
        GPU_RUNTIME="torch",
    ) as running:
        running.wait_until(lambda health: health["ai_model_loaded"])
        yield running


@pytest.fixture(
    scope="session",
    params=["stack", pytest.param("gpu_stack", marks=pytest.mark.nightly)],
    ids=["cpu", "gpu"],
)
def either_stack(request):
    """The real stack of each profile."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """The folder of a tiny checkpoint. Copy it before you change it."""
    from tests import tiny_checkpoint  # imports torch, which most tests do not need

    return tiny_checkpoint.write(tmp_path_factory.mktemp("tiny"))
