"""The proxy as an ASGI application: its routes, its middleware, and the parts behind them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, WebSocketRoute

from catalog import Catalog
from frontend_proxy import metrics, request_id
from frontend_proxy.background import Background
from frontend_proxy.batches.local_batches import LocalBatches
from frontend_proxy.batches.routes import BatchRoutes
from frontend_proxy.batches.service import BatchService
from frontend_proxy.batches.store import BatchStore
from frontend_proxy.captures.local_captures import LocalCaptures
from frontend_proxy.captures.routes import CaptureRoutes
from frontend_proxy.captures.service import CaptureService
from frontend_proxy.collection.routes import CollectionRoutes
from frontend_proxy.error_answers import EXCEPTION_HANDLERS
from frontend_proxy.fabrics.catalog_routes import Fabrics
from frontend_proxy.fabrics.packs import Packs
from frontend_proxy.fabrics.scans import Scans
from frontend_proxy.fabrics.textures import Textures
from frontend_proxy.fashn.routes import FashnRoutes
from frontend_proxy.health import Health
from frontend_proxy.instrumented_server import InstrumentedServer
from frontend_proxy.job_factory import JobFactory
from frontend_proxy.jobs import ModelServer
from frontend_proxy.keyframes.service import KeyframeService
from frontend_proxy.keyframes.websocket import Sockets
from frontend_proxy.pages import api_docs, studio
from frontend_proxy.pages.index import index
from frontend_proxy.pose_finder import find_pose
from frontend_proxy.security.auth import Authenticator
from frontend_proxy.security.cors import Cors
from frontend_proxy.security.forwarded import ForwardedHeaders
from frontend_proxy.security.guard import Guard
from frontend_proxy.security.rate_limits import network
from frontend_proxy.settings import Settings
from frontend_proxy.videos.routes import VideoRoutes
from frontend_proxy.videos.service import VideoService
from frontend_proxy.web.byte_budget import ByteBudget
from frontend_proxy.web.middleware import ErrorMiddleware, RequestMiddleware
from frontend_proxy.web.request_bytes import RequestBytes
from frontend_proxy.web.routing import TidySlashes, answer_unknown_paths, resource
from frontend_proxy.web.shutdown import Shutdown
from frontend_proxy.worker import Worker


def capture_service(settings: Settings, server: ModelServer, background: Background) -> CaptureService:
    """The Redis client is an optional dependency, imported only with a REDIS_URL."""
    if settings.redis_url is None:
        return LocalCaptures(settings, server, background)
    from frontend_proxy.captures.redis_captures import RedisCaptures

    return RedisCaptures(settings, server, background)


def batch_store(settings: Settings, background: Background) -> BatchStore:
    if settings.redis_url is None:
        return LocalBatches(settings, background)
    from frontend_proxy.batches.redis_batches import RedisBatches

    return RedisBatches(settings, background)


def byte_budget(settings: Settings) -> ByteBudget:
    """Whatever the settings say, one address can send one message or body of the largest size."""
    per_address = max(settings.max_bytes_in_flight_per_address, settings.largest_body_bytes + 2**17)
    return ByteBudget(max(settings.max_bytes_in_flight, per_address), per_address)


def create_app(
    settings: Settings,
    server: ModelServer,
    shutdown: Shutdown | None = None,
    background: Background | None = None,
) -> Starlette:
    """The application; it closes `server` and `background` when it ends.

    Raises ValueError or OSError if a key that the settings name is unusable.
    """
    shutdown, background = shutdown or Shutdown(), background or Background()
    authenticator = Authenticator(settings)
    server = InstrumentedServer(server)
    catalog = Catalog(settings.catalog_dir, settings.max_saved_fabrics, settings.catalog_url)
    # Two processes: a scan takes most of a second, and a keyframe's fallback must not wait behind it.
    scanner = Worker(
        "fabric scanner",
        background,
        settings.max_worker_queue,
        ("frontend_proxy.fabrics.scan_answer", "frontend_proxy.collection.row", "frontend_proxy.pose_finder"),
        settings.max_worker_memory_bytes,
        settings.worker_timeout_s,
        share=settings.max_share_per_caller,
    )
    compositor = Worker(
        "compositor",
        background,
        settings.max_worker_queue,
        ("frontend_proxy.keyframes.fallback", "frontend_proxy.keyframes.thumbnails"),
        settings.max_worker_memory_bytes,
        settings.worker_timeout_s,
        share=settings.max_share_per_caller,
    )

    films = Worker(
        "films",
        background,
        max(settings.max_worker_queue, settings.max_videos),
        ("frontend_proxy.videos.film",),
        settings.max_worker_memory_bytes,
        settings.worker_timeout_s,
        at_once=False,
        share=settings.max_share_per_caller,
    )

    finder = (lambda image: scanner.run(find_pose, image)) if settings.find_pose else None
    jobs = JobFactory(settings, catalog, finder)
    sockets = Sockets(KeyframeService(settings, server, jobs, compositor), shutdown)
    fabrics = Fabrics(settings, catalog)
    captures = capture_service(settings, server, background)
    capture_routes = CaptureRoutes(settings, jobs, captures, fabrics.base_url)
    batches = BatchService(batch_store(settings, background), captures, jobs, background)
    batch_routes = BatchRoutes(settings, batches, fabrics.base_url)
    fashn = FashnRoutes(settings, jobs, captures, fabrics.base_url)
    videos = VideoService(settings, server, films, background)
    video_routes = VideoRoutes(settings, jobs, videos, fabrics.base_url)
    collection = CollectionRoutes(settings, captures, scanner)
    scans = Scans(settings, catalog, fabrics, scanner)
    health = Health(server, scanner, shutdown, background, lambda: sockets.active, settings.triton_state_file)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        background.loop("event loop lag", metrics.watch_loop)
        if settings.catalog_url:
            background.loop("catalog refresh", fabrics.keep_fresh)
        try:
            async with (
                scanner.running(),
                compositor.running(),
                films.running(),
                captures.running(),
                batches.running(),
                videos.running(),
            ):
                yield
        finally:
            await background.close()
            metrics.forget_process()
            await server.close()

    app = Starlette(
        routes=[
            resource("/", GET=index),
            resource("/health", GET=health.show),
            resource("/health/live", GET=health.live),
            resource("/health/ready", GET=health.ready),
            resource("/metrics", GET=metrics.Metrics(server, captures.backlog).show),
            resource("/api/fabric/catalog", GET=fabrics.list),
            resource("/api/fabric/scan", POST=scans.create),
            resource("/api/fabric/{id}", GET=fabrics.show, PUT=fabrics.replace, DELETE=fabrics.delete),
            resource("/api/fabric/{id}/pack", GET=Packs(catalog, fabrics, scanner).show),
            resource("/virtual-tryon", POST=capture_routes.create),
            resource("/api/virtual-tryon", POST=capture_routes.create),
            resource("/virtual-tryon/{id}", GET=capture_routes.show, DELETE=capture_routes.delete),
            resource("/api/virtual-tryon/{id}", GET=capture_routes.show, DELETE=capture_routes.delete),
            resource("/results/{id}/{name}", GET=capture_routes.image),
            resource("/api/collect", POST=collection.create),
            resource("/api/collect/{id}", DELETE=collection.delete),
            resource("/api/batches", POST=batch_routes.create),
            resource("/api/batches/{id}", GET=batch_routes.show, DELETE=batch_routes.delete),
            resource("/api/batches/{id}/results", GET=batch_routes.results),
            resource("/api/batches/{id}/cancel", POST=batch_routes.cancel),
            resource("/v1/run", POST=fashn.run),
            resource("/v1/status/{id}", GET=fashn.status),
            resource("/api/video", POST=video_routes.create),
            resource("/api/video/{id}", GET=video_routes.show, DELETE=video_routes.delete),
            resource("/results/videos/{id}/{name}", GET=video_routes.film),
            Mount("/textures", Textures(catalog)),
            *api_docs.routes(authenticator.required, settings.max_steps),
            *studio.routes(settings.public_url),
            WebSocketRoute("/ws", sockets.endpoint),
        ],
        middleware=[
            Middleware(ForwardedHeaders, trusted=settings.forwarded_allow_ips),
            Middleware(TidySlashes),
            Middleware(RequestMiddleware),
            Middleware(
                Cors,
                allow_origins=settings.cors_origins,
                allow_private_network=True,  # a shop on https may call a server in the local network
                allow_methods=["GET", "POST", "PUT", "DELETE"],
                allow_headers=["*"],
                expose_headers=[
                    *(request_id.HEADER, "Content-Disposition", "ETag", "Location", "Preference-Applied"),
                    "Retry-After",
                ],
            ),
            Middleware(ErrorMiddleware),
            Middleware(RequestBytes, budget=byte_budget(settings), group=network),
            Middleware(Guard, settings=settings, authenticator=authenticator, background=background),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=lifespan,
    )
    answer_unknown_paths(app)
    return app
