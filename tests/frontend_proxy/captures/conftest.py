from tests.frontend_proxy.captures.redis_proxies import proxies, redis, redis_server, short_lease

__all__ = ["proxies", "redis", "redis_server", "short_lease"]
