"""The proxy as an ASGI application: what is served where, and what lives as long as it does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, WebSocketRoute

from catalog import Catalog
from frontend_proxy import metrics, request_id
from frontend_proxy.background import Background
from frontend_proxy.captures.local import CaptureRuns, Runs
from frontend_proxy.captures.routes import Captures
from frontend_proxy.errors import EXCEPTION_HANDLERS
from frontend_proxy.fabrics.catalog_routes import Fabrics
from frontend_proxy.fabrics.scans import Scans
from frontend_proxy.fabrics.textures import Textures
from frontend_proxy.health import Health
from frontend_proxy.job_factory import JobFactory
from frontend_proxy.jobs import ModelServer
from frontend_proxy.keyframes.keyframes import Keyframes
from frontend_proxy.keyframes.websocket import Sockets
from frontend_proxy.observed import Observed
from frontend_proxy.pages import api_docs, studio
from frontend_proxy.pages.index import index
from frontend_proxy.security.auth import Authenticator
from frontend_proxy.security.cors import Cors
from frontend_proxy.security.guard import Guard
from frontend_proxy.settings import Settings
from frontend_proxy.web.middleware import ErrorMiddleware, RequestMiddleware
from frontend_proxy.web.routing import resource
from frontend_proxy.web.shutdown import Shutdown
from frontend_proxy.worker import Worker


def capture_runs(settings: Settings, server: ModelServer) -> Runs:
    """With a Redis it is imported, and not without."""
    if settings.redis_url is None:
        return CaptureRuns(settings, server)
    from frontend_proxy.captures.queued import QueuedCaptures

    return QueuedCaptures(settings, server)


def create_app(
    settings: Settings,
    server: ModelServer,
    shutdown: Shutdown | None = None,
    background: Background | None = None,
) -> Starlette:
    """The application; it closes `server` and `background` when it ends.

    Raises ValueError or OSError for keys that the settings name and that cannot be used.
    """
    shutdown, background = shutdown or Shutdown(), background or Background()
    authenticator = Authenticator(settings)
    server = Observed(server)
    catalog = Catalog(settings.catalog_dir, settings.max_saved_fabrics, settings.catalog_url)
    # Two processes: a scan takes most of a second, and a keyframe's fallback must not wait behind it.
    scanner = Worker(settings.max_worker_queue, ("frontend_proxy.fabrics.scans",))
    compositor = Worker(
        settings.max_worker_queue,
        ("frontend_proxy.keyframes.fallback", "frontend_proxy.keyframes.thumbnails"),
    )

    jobs = JobFactory(settings, catalog)
    sockets = Sockets(Keyframes(settings, server, jobs, compositor), shutdown)
    fabrics = Fabrics(settings, catalog)
    runs = capture_runs(settings, server)
    captures = Captures(settings, jobs, runs, fabrics.base_url)
    scans = Scans(settings, catalog, fabrics, scanner)
    health = Health(server, scanner, shutdown, background, lambda: sockets.active, settings.triton_state_file)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        background.loop("event loop lag", metrics.watch_loop)
        if settings.catalog_url:
            background.loop("catalog refresh", fabrics.keep_fresh)
        try:
            async with scanner.running(), compositor.running(), runs.running():
                yield
        finally:
            await background.close()
            metrics.forget_process()
            await server.close()

    return Starlette(
        routes=[
            resource("/", GET=index),
            resource("/health", GET=health.show),
            resource("/health/live", GET=health.live),
            resource("/health/ready", GET=health.ready),
            resource("/metrics", GET=metrics.Metrics(server, runs.backlog).show),
            resource("/api/fabric/catalog", GET=fabrics.list),
            resource("/api/fabric/scan", POST=scans.create),
            resource("/api/fabric/{id}", GET=fabrics.show, PUT=fabrics.replace, DELETE=fabrics.delete),
            resource("/virtual-tryon", POST=captures.create),
            resource("/api/virtual-tryon", POST=captures.create),
            resource("/virtual-tryon/{id}", GET=captures.show, DELETE=captures.delete),
            resource("/api/virtual-tryon/{id}", GET=captures.show, DELETE=captures.delete),
            resource("/results/{id}/{name}", GET=captures.image),
            Mount("/textures", Textures(catalog)),
            *api_docs.routes(authenticator.required, settings.max_steps),
            *studio.routes(settings.public_url),
            WebSocketRoute("/ws", sockets.endpoint),
        ],
        middleware=[
            Middleware(RequestMiddleware),
            Middleware(
                Cors,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "POST", "PUT", "DELETE"],
                allow_headers=["*"],
                expose_headers=[request_id.HEADER, "ETag", "Location", "Preference-Applied", "Retry-After"],
            ),
            Middleware(ErrorMiddleware),
            Middleware(Guard, settings=settings, authenticator=authenticator),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )
