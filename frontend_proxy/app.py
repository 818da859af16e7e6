"""The proxy as an ASGI application: what is served where, and what lives as long as it does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Route, WebSocketRoute

from catalog import Catalog
from frontend_proxy import request_id
from frontend_proxy.captures import Captures
from frontend_proxy.errors import EXCEPTION_HANDLERS
from frontend_proxy.fabrics import Fabrics
from frontend_proxy.health import Health
from frontend_proxy.index import index
from frontend_proxy.job_factory import JobFactory
from frontend_proxy.jobs import ModelServer
from frontend_proxy.keyframes import Keyframes
from frontend_proxy.middleware import RequestMiddleware
from frontend_proxy.scans import Scans
from frontend_proxy.settings import Settings
from frontend_proxy.textures import Textures
from frontend_proxy.websocket import Sockets
from frontend_proxy.worker import Worker


def create_app(settings: Settings, server: ModelServer) -> Starlette:
    """The application; it closes `server` when it ends."""
    catalog = Catalog(settings.catalog_dir, settings.max_saved_fabrics)
    # Two processes: a scan takes most of a second, and a keyframe's fallback must not wait behind it.
    scanner = Worker(settings.max_worker_queue, ("frontend_proxy.scans",))
    compositor = Worker(settings.max_worker_queue, ("frontend_proxy.fallback", "frontend_proxy.thumbnails"))

    jobs = JobFactory(settings, catalog)
    sockets = Sockets(Keyframes(settings, server, jobs, compositor))
    captures = Captures(settings, server, jobs)
    fabrics = Fabrics(settings, catalog)
    scans = Scans(settings, catalog, fabrics, scanner)
    health = Health(server, scanner, lambda: sockets.active)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        try:
            async with scanner.running(), compositor.running():
                yield
        finally:
            await server.close()

    return Starlette(
        routes=[
            Route("/", index),
            Route("/health", health.show),
            Route("/api/fabric/catalog", fabrics.list),
            Route("/api/fabric/scan", scans.create, methods=["POST"]),
            Route("/api/fabric/{id}", fabrics.show),
            Route("/api/fabric/{id}", fabrics.replace, methods=["PUT"]),
            Route("/api/fabric/{id}", fabrics.delete, methods=["DELETE"]),
            Route("/virtual-tryon", captures.create, methods=["POST"]),
            Route("/api/virtual-tryon", captures.create, methods=["POST"]),
            Mount("/textures", Textures(catalog)),
            WebSocketRoute("/ws", sockets.endpoint),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST", "PUT", "DELETE"],
                allow_headers=["*"],
                expose_headers=[request_id.HEADER, "ETag", "Retry-After"],
            ),
            Middleware(RequestMiddleware),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )
