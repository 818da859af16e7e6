"""Several Tritons and several proxies on one machine, each on ports of its own, for tests that hurt them."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from serving.triton_server import TritonServer
from tests.stack import free_ports

ROOT = Path(__file__).parents[1]
STAND_IN = ROOT / "benchmarks" / "stand_in"
NGINX = """
daemon off; pid {folder}/pid; worker_processes 1;
events {{ worker_connections 2048; }}
http {{
  # All in memory: its worker is another user than root, and may not write here.
  access_log off; client_max_body_size 64m; client_body_buffer_size 64m; proxy_buffering off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" close; }}
  upstream lucy {{ {servers} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://lucy; proxy_http_version 1.1; proxy_read_timeout 1h; proxy_connect_timeout 2s;
      proxy_next_upstream error timeout http_503; proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    }}
  }}
}}
"""


class Process:
    """One server. `url` answers 200 once it is ready."""

    def __init__(self, name, command, environment, log, url):
        self.name, self.url = name, url
        self._command, self._environment, self._log = command, environment, log
        self._process = None

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def ready(self):
        try:
            with urllib.request.urlopen(self.url, timeout=3) as response:
                return response.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def wait_until_ready(self, within=60):
        wait_until(self.ready, within, lambda: f"{self.name}:\n{self._log.read_text()[-4000:]}")

    def kill(self):
        """As a power cut would: with all that it started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self, within=20):
        """As a supervisor would."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()

    @property
    def pid(self):
        return self._process.pid


class Cluster:
    """A context; all that it started ends with it."""

    def __init__(self, folder):
        self.folder = folder
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stack.close()

    def triton(self, repository, wrap=lambda command: command, host="127.0.0.1"):
        """(process, gRPC address). `wrap` changes Triton's command, where it is to live elsewhere."""
        grpc, http, metrics = free_ports(3)
        folder = self.folder / f"triton-{grpc}"
        server = TritonServer(repository, "cpu", grpc, http, metrics, folder)
        self._stack.callback(server.remove_shared_memory)
        url = f"http://{host}:{http}/v2/models/tryon/ready"
        process = self._start(
            Process(folder.name, wrap(server.command()), server.environment(), folder / "log", url)
        )
        return process, f"{host}:{grpc}"

    def proxy(self, **settings):
        """`settings` by their names in the environment."""
        (port,) = free_ports(1)
        folder = self.folder / f"proxy-{port}"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "CATALOG_DIR": str(folder / "catalog"),
            "RESULTS_DIR": str(self.folder / "results"),
            **settings,
        }
        url = f"http://127.0.0.1:{port}"
        process = self._start(
            Process(
                folder.name,
                [sys.executable, "-m", "frontend_proxy"],
                environment,
                folder / "log",
                f"{url}/health/ready",
            )
        )
        process.base = url
        return process

    def nginx(self, proxies):
        """A load balancer before the proxies, of Debian's package."""
        binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if binary is None:
            pytest.skip("no nginx here: apt-get install nginx-light")
        (port,) = free_ports(1)
        folder = self.folder / f"nginx-{port}"
        folder.mkdir()
        addresses = [proxy.base.removeprefix("http://") for proxy in proxies]
        servers = "".join(f"server {address} max_fails=1 fail_timeout=1s;" for address in addresses)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, servers=servers))
        command = [binary, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "log")]
        url = f"http://127.0.0.1:{port}"
        process = self._start(Process("nginx", command, os.environ, folder / "log", f"{url}/health/ready"))
        process.base = url
        return process

    def _start(self, process):
        process._log.parent.mkdir(parents=True, exist_ok=True)
        process.start()
        self._stack.callback(process.stop)
        return process


def stand_in(folder, step_ms=25, jobs_at_once=1000):
    """A model repository whose `tryon` waits instead of computing."""
    shutil.copytree(STAND_IN, folder)
    config = folder / "tryon" / "config.pbtxt"
    text = config.read_text()
    for key, value in (("step_ms", step_ms), ("jobs_at_once", jobs_at_once)):
        text, found = re.subn(rf'("{key}"\s+value {{ string_value: )"\d+"', rf'\1"{value}"', text)
        assert found == 1, key
    config.write_text(text)
    return folder


def wait_until(condition, within, said=lambda: ""):
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within} s: {said()}")
        time.sleep(0.1)
