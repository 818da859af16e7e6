"""`python -m frontend_proxy`: the proxy alone, for a Triton that is started elsewhere."""

import gc
import logging
import sys
from collections.abc import Callable

import uvicorn
from pydantic import ValidationError
from pydantic_settings import CliApp
from starlette.applications import Starlette

from frontend_proxy import logs, renamed_settings, tracing
from frontend_proxy.app import create_app
from frontend_proxy.background import Background
from frontend_proxy.malloc import give_back_large_blocks
from frontend_proxy.security.auth import Authenticator
from frontend_proxy.security.rate_limits import network
from frontend_proxy.settings import Settings
from frontend_proxy.triton.pool import Tritons
from frontend_proxy.web.http_protocol import http_protocol
from frontend_proxy.web.limited_websocket import websocket_protocol
from frontend_proxy.web.listen import bind_listeners
from frontend_proxy.web.shutdown import Server, Shutdown

logger = logging.getLogger(__name__)


def server_config(settings: Settings, app: Callable[[], Starlette]) -> uvicorn.Config:
    """How uvicorn serves `app`, which is called once uvicorn's event loop runs."""
    return uvicorn.Config(
        app,
        factory=True,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=http_protocol(settings),
        ws=websocket_protocol(settings, network),
        ws_max_size=settings.max_message_bytes,
        ws_per_message_deflate=False,  # JPEG and PNG do not shrink
        timeout_keep_alive=settings.keep_alive_s,  # type: ignore[arg-type]  # asyncio takes fractions
        proxy_headers=False,  # `security.forwarded` reads them
        server_header=False,
        access_log=False,  # RequestMiddleware's lines have the request id
        log_config=None,
    )


def tune_garbage_collection() -> None:
    """Make garbage collections rare and short: a full one stops the event loop for 150 ms.

    Imported modules are never garbage, and the memory of requests is freed by reference counts.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 500, 10)


def main() -> None:
    try:
        arguments = sys.argv[1:]
        settings = CliApp.run(Settings, renamed_settings.with_new_flags(arguments), cli_exit_on_error=True)
    except ValidationError as error:
        sys.exit("\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))
    logs.configure("debug" if settings.debug else settings.log_level, settings.log_format)
    for warning in renamed_settings.warnings(Settings, arguments):
        logger.warning(warning)
    try:
        Authenticator(settings)  # reports a wrong key before anything is started
        end_tracing = tracing.configure(settings.otel_exporter_otlp_endpoint)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(str(error))
    try:
        listeners = bind_listeners(settings.host, settings.port)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        sys.exit(
            f"cannot listen on {settings.host}, port {settings.port}: {reason}; set another HOST or PORT"
        )
    give_back_large_blocks()
    shutdown = Shutdown()

    def app() -> Starlette:
        addresses = settings.triton_urls or [settings.triton_url]
        background = Background()
        tritons = Tritons(addresses, background, settings.triton_slow_start_s)
        application = create_app(settings, tritons, shutdown, background)
        tune_garbage_collection()
        return application

    Server(server_config(settings, app), settings, shutdown).run(sockets=listeners)
    end_tracing()


if __name__ == "__main__":
    main()
