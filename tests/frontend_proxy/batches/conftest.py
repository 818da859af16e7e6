from tests.frontend_proxy.captures.redis_proxies import redis, redis_server

__all__ = ["redis", "redis_server"]
