"""Several Tritons with a stand-in for the model: shared, killed, disconnected."""

import asyncio
import os
import shutil
import subprocess

import httpx
import pytest

from tests.cluster import stand_in, wait_until
from tests.load import Sessions, accepted, ends

pytestmark = pytest.mark.faults

# So that no keyframe is late or gets fewer steps because the machine is busy.
PATIENT = {
    "KEYFRAME_TIMEOUT_S": "60",
    "MAX_KEYFRAMES": "1000",
    "LOG_LEVEL": "info",
    "TRITON_SLOW_START_S": "1",
}


def balanced(cluster, tritons, **settings):
    """nginx, two proxies behind it and the Tritons behind those, once all are ready."""
    addresses = ",".join(address for _, address in tritons)
    proxies = [cluster.proxy(TRITON_URLS=addresses, **{**PATIENT, **settings}) for _ in range(2)]
    nginx = cluster.nginx(proxies)
    for process in (*(process for process, _ in tritons), *proxies, nginx):
        process.wait_until_ready()
    for proxy in proxies:
        wait_until(lambda proxy=proxy: ready(proxy) == len(tritons), 20)
    return nginx, proxies


def ready(proxy):
    """The number of Tritons that the proxy reports as ready."""
    lines = httpx.get(f"{proxy.base}/metrics").text.splitlines()
    return sum(line.startswith("lucy_server_ready{") and line.endswith(" 1.0") for line in lines)


@pytest.mark.timeout(240)
async def test_throughput_grows_with_the_servers(cluster):
    """A server processes 4 keyframes at once in 1.2 s: 3.3 per second, however busy this machine is."""
    repository = stand_in(cluster.folder / "models", step_ms=300, jobs_at_once=4)
    tritons = [cluster.triton(repository) for _ in range(3)]
    rates = []
    for count in (1, 2, 3):
        addresses = ",".join(address for _, address in tritons[:count])
        proxies = [cluster.proxy(TRITON_URLS=addresses, **PATIENT) for _ in range(2)]
        nginx = cluster.nginx(proxies)
        for process in (*(process for process, _ in tritons), *proxies, nginx):
            await asyncio.to_thread(process.wait_until_ready)
        sessions = Sessions(nginx.base)
        running = asyncio.create_task(sessions.run(clients=48, seconds=27))
        await asyncio.sleep(2)
        before = sessions.answers
        await asyncio.sleep(24)
        rates.append((sessions.answers - before) / 24)
        await running
        assert sessions.fallbacks == 0, sessions.modes
        for process in (nginx, *proxies):
            await asyncio.to_thread(process.stop)
    print(f"\nkeyframes a second with 1, 2, 3 servers: {', '.join(f'{rate:.1f}' for rate in rates)}")
    assert rates[1] / rates[0] >= 1.9
    assert rates[2] / rates[0] >= 2.7


@pytest.mark.timeout(120)
async def test_one_of_two_is_killed_under_load(cluster, redis):
    repository = stand_in(cluster.folder / "models", step_ms=40)
    tritons = [cluster.triton(repository) for _ in range(2)]
    nginx, proxies = await asyncio.to_thread(balanced, cluster, tritons, REDIS_URL=redis.url)

    async def kill():
        await asyncio.sleep(5)
        tritons[0][0].kill()

    sessions, captures, _ = await asyncio.gather(
        Sessions(nginx.base, pause_s=0.2).run(clients=16, seconds=15),
        accepted(nginx.base, 40, every_s=0.25),
        kill(),
    )
    found = await ends(nginx.base, captures, within_s=60)
    print(f"\n{sessions.answers} keyframes: {dict(sessions.modes)}; captures: {dict(found)}")
    assert found == {"succeeded": 40}
    assert sessions.answers > 200
    assert sessions.fallbacks <= 0.01 * sessions.answers
    assert not sessions.closes

    tritons[0][0].start()
    for proxy in proxies:
        await asyncio.to_thread(wait_until, lambda proxy=proxy: ready(proxy) == 2, 40)


@pytest.fixture
def island():
    """A network namespace that can be disconnected: its name, its address, and the host's interface to it."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and the command ip (apt-get install iproute2)")
    name = f"lucy{os.getpid() % 100000}"
    host = f"{name}h"
    net = f"10.213.{os.getpid() % 250}"
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError:
        pytest.skip("network namespaces are not allowed here")
    try:
        ip("link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("addr", "add", f"{net}.1/24", "dev", host)
        ip("link", "set", host, "up")
        for command in (("addr", "add", f"{net}.2/24", "dev", "eth0"), ("link", "set", "eth0", "up"),
                        ("link", "set", "lo", "up")):  # fmt: skip
            ip("-n", name, *command)
        yield name, f"{net}.2", host
    finally:
        ip("netns", "delete", name)


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.mark.timeout(180)
async def test_a_partition_heals_by_itself(cluster, redis, island):
    namespace, address, interface = island
    repository = stand_in(cluster.folder / "models", step_ms=40)

    def inside(command):
        there = [argument.replace("-address=127.0.0.1", f"-address={address}") for argument in command]
        return ["ip", "netns", "exec", namespace, *there]

    tritons = [cluster.triton(repository), cluster.triton(repository, inside, address)]
    settings = {"REDIS_URL": redis.url, "KEYFRAME_TIMEOUT_S": "5"}
    nginx, proxies = await asyncio.to_thread(balanced, cluster, tritons, **settings)
    captures = asyncio.create_task(accepted(nginx.base, 20, every_s=0.25))
    await asyncio.sleep(1)
    ip("link", "set", interface, "down")
    for proxy in proxies:
        await asyncio.to_thread(wait_until, lambda proxy=proxy: ready(proxy) == 1, 20)
    during = await Sessions(nginx.base, pause_s=0.1).run(clients=8, seconds=5)
    ip("link", "set", interface, "up")
    for proxy in proxies:
        await asyncio.to_thread(wait_until, lambda proxy=proxy: ready(proxy) == 2, 40)
    after = await Sessions(nginx.base, pause_s=0.1).run(clients=8, seconds=5)
    found = await ends(nginx.base, await captures, within_s=90)
    print(f"\nduring: {dict(during.modes)}; after: {dict(after.modes)}; captures: {dict(found)}")
    assert set(during.modes) == set(after.modes) == {"ai_enhanced"}
    assert found == {"succeeded": 20}
