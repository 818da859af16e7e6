"""`python -m frontend_proxy`: the proxy alone, before a Triton that runs elsewhere."""

import sys
from collections.abc import Callable

import uvicorn
from pydantic import ValidationError
from pydantic_settings import CliApp
from starlette.applications import Starlette

from frontend_proxy import logs
from frontend_proxy.app import create_app
from frontend_proxy.settings import Settings
from frontend_proxy.triton import Triton

SHUTDOWN_S = 8  # after a SIGTERM, for what is under way; then it is cancelled


def server_config(settings: Settings, app: Callable[[], Starlette]) -> uvicorn.Config:
    """How uvicorn serves `app`, which is called once uvicorn's event loop runs."""
    return uvicorn.Config(
        app,
        factory=True,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=settings.max_message_bytes,
        ws_per_message_deflate=False,  # JPEG and PNG do not shrink
        proxy_headers=True,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        server_header=False,
        access_log=False,  # RequestMiddleware's lines have the request id
        log_config=None,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )


def main() -> None:
    try:
        settings = CliApp.run(Settings, cli_exit_on_error=True)
    except ValidationError as error:
        sys.exit("\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))
    logs.configure("debug" if settings.debug else settings.log_level)

    def app() -> Starlette:
        return create_app(settings, Triton(settings.triton_url))

    uvicorn.Server(server_config(settings, app)).run()


if __name__ == "__main__":
    main()
