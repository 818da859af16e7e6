"""Two Tritons behind one proxy, on a stand-in for the model: what the balancing does on real servers."""

import re
import urllib.request
from collections import Counter

import httpx
import msgpack
import pytest
from websockets.sync.client import connect

from tests.cluster import Cluster, stand_in, wait_until
from tests.frontend_proxy.conftest import CAPTURE
from tests.tryon_client import KEYFRAMES

FOLDER = KEYFRAMES / "transparent_no_pose"
FRAME, RENDER = ((FOLDER / name).read_bytes() for name in ("camera_frame.jpg", "jacket_render.png"))


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path) as cluster:
        yield cluster


def series(proxy, name):
    """A metric by server, summed over its other labels."""
    text = urllib.request.urlopen(f"{proxy.base}/metrics").read().decode()
    found = re.findall(rf'^{name}{{[^}}]*server="([^"]+)"[^}}]*}} (\S+)$', text, re.MULTILINE)
    total = Counter()
    for server, value in found:
        total[server] += float(value)
    return total


def dress(socket, timestamp):
    socket.send(
        msgpack.packb(
            {
                "type": "keyframe",
                "timestamp": timestamp,
                "seed": timestamp,
                "camera_frame": FRAME,
                "jacket_render": RENDER,
                "pose": None,
            }
        )
    )
    return msgpack.unpackb(socket.recv(timeout=20))["mode"]


@pytest.mark.nightly
def test_one_of_two_is_killed_and_comes_back(cluster, tmp_path):
    repository = stand_in(tmp_path / "models", step_ms=5)
    tritons = dict(reversed(cluster.triton(repository)) for _ in range(2))
    proxy = cluster.proxy(TRITON_URLS=",".join(tritons), TRITON_SLOW_START_S="0")
    for process in (*tritons.values(), proxy):
        process.wait_until_ready()
    wait_until(lambda: set(series(proxy, "lucy_server_ready").values()) == {1}, 10)

    for _ in range(4):
        assert httpx.post(f"{proxy.base}/virtual-tryon", json=CAPTURE, timeout=20).status_code == 200
    assert series(proxy, "lucy_server_jobs_total") == dict.fromkeys(tritons, 2), "captures go round"

    address = proxy.base.replace("http", "ws") + "/ws"
    with connect(address, subprotocols=["lucy.msgpack.v1"], max_size=None) as socket:
        assert {dress(socket, timestamp) for timestamp in range(4)} == {"ai_enhanced"}
        jobs = series(proxy, "lucy_server_jobs_total")
        assert sorted(jobs.values()) == [2, 6], "a socket's keyframes stay together"
        home = max(jobs, key=jobs.get)
        tritons[home].kill()
        assert {dress(socket, timestamp) for timestamp in range(4, 8)} == {"ai_enhanced"}, "no fallback"
        assert series(proxy, "lucy_server_ready")[home] == 0
        assert httpx.get(f"{proxy.base}/health/ready").status_code == 200, "one is enough"

        tritons[home].start()
        wait_until(lambda: series(proxy, "lucy_server_ready")[home] == 1, 30)
        before = series(proxy, "lucy_server_jobs_total")[home]
        assert dress(socket, 8) == "ai_enhanced"
        assert series(proxy, "lucy_server_jobs_total")[home] > before, "its sessions come home"
