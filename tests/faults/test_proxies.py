"""Two proxies between nginx and Redis, killed and restarted."""

import asyncio

import pytest

from tests.cluster import stand_in
from tests.faults.test_tritons import balanced
from tests.load import Sessions, accepted, ends

pytestmark = pytest.mark.faults


@pytest.fixture
def triton(cluster):
    return cluster.triton(stand_in(cluster.folder / "models", step_ms=40))


@pytest.mark.timeout(150)
async def test_a_proxy_killed_under_load_loses_no_capture(cluster, redis, triton):
    settings = {"REDIS_URL": redis.url, "MAX_CAPTURES": "4"}
    nginx, proxies = await asyncio.to_thread(balanced, cluster, [triton], **settings)

    async def kill():
        await asyncio.sleep(3)
        proxies[0].kill()

    captures, _ = await asyncio.gather(accepted(nginx.base, 40, every_s=0.1), kill())
    found = await ends(nginx.base, captures, within_s=90)
    print(f"\ncaptures: {dict(found)}")
    assert found == {"succeeded": 40}


@pytest.mark.timeout(150)
async def test_a_rolling_restart_closes_each_socket_with_a_code(cluster, redis, triton):
    nginx, proxies = await asyncio.to_thread(balanced, cluster, [triton], REDIS_URL=redis.url)

    async def restart():
        for proxy in proxies:
            await asyncio.sleep(2)
            await asyncio.to_thread(proxy.stop)
            proxy.start()
            await asyncio.to_thread(proxy.wait_until_ready)

    restarting = asyncio.create_task(restart())
    sessions = Sessions(nginx.base, pause_s=0.2)
    captures = asyncio.create_task(accepted(nginx.base, 30, every_s=0.3))
    await sessions.run_until(restarting, clients=20)
    found = await ends(nginx.base, await captures, within_s=60)
    print(f"\ncloses: {dict(sessions.closes)}; keyframes: {dict(sessions.modes)}; captures: {dict(found)}")
    assert set(sessions.closes) == {1012}, "each was told that the server restarts"
    assert sessions.closes[1012] >= 20
    assert set(sessions.modes) == {"ai_enhanced"}
    assert found == {"succeeded": 30}


@pytest.mark.timeout(150)
async def test_redis_restarted_in_mid_queue_loses_nothing(cluster, redis, triton):
    settings = {"REDIS_URL": redis.url, "MAX_CAPTURES": "2"}
    nginx, _ = await asyncio.to_thread(balanced, cluster, [triton], **settings)

    async def restart():
        await asyncio.sleep(3)
        redis.kill()
        await asyncio.sleep(3)
        await asyncio.to_thread(redis.start)

    captures, _ = await asyncio.gather(accepted(nginx.base, 40, every_s=0.15), restart())
    found = await ends(nginx.base, captures, within_s=100)
    print(f"\ncaptures: {dict(found)}")
    assert found == {"succeeded": 40}
