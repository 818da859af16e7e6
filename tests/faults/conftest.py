import pytest

from tests.cluster import Cluster
from tests.redis_server import running_redis


@pytest.fixture
def cluster(tmp_path):
    with Cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
def redis(tmp_path):
    with running_redis(tmp_path, append_only=True) as redis:
        yield redis
