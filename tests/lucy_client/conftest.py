from tests.frontend_proxy.conftest import free_port, serve, server, settings

__all__ = ["free_port", "serve", "server", "settings"]
