"""A shop's page: another origin than the server's, with a jacket of its own."""

import functools
import re
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.studio.conftest import WITHIN_MS

[DOCUMENTED] = re.findall(r"```html\n(<!doctype html>.*?)```", Path("docs/client.md").read_text(), re.DOTALL)
RENDER = Path("tests/data/keyframes/transparent_no_pose/jacket_render.png")
VIEWPORT = {"width": 720, "height": 860}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format, *arguments):
        pass


@contextmanager
def served(folder):
    """The origin of a web server for `folder`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Shop:
    """Opens pages, and collects what their consoles complain about."""

    def __init__(self, browser, folder, origin, server):
        self.errors = []
        self._browser, self._folder, self._origin, self._server = browser, folder, origin, server
        self._contexts = []
        self.holds("jacket.png", RENDER.read_bytes())
        self.holds("favicon.ico", b"")

    def open(self, html, forgiven=(), prepare=lambda page: None):
        """The page, whose server is the stack. forgiven: what errors may hold that the test provokes."""
        (self._folder / "index.html").write_text(html.replace("http://localhost:5000", self._server))
        context = self._browser.new_context(viewport=VIEWPORT, reduced_motion="reduce")
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WITHIN_MS)

        def complain(text):
            if not any(part in text for part in forgiven):
                self.errors.append(text)

        page.on("console", lambda message: complain(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complain(str(error)))
        prepare(page)
        page.goto(self._origin)
        return page

    def holds(self, name, data):
        """Puts a file beside the page."""
        (self._folder / name).write_bytes(data)

    def close(self):
        for context in self._contexts:
            context.close()
