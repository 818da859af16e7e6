"""Several Tritons and proxies on one machine, each on free ports, for tests that kill them."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
from pathlib import Path

import grpc
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from serving.triton_server import TritonServer
from tests.stack import DIRECT, free_ports

ROOT = Path(__file__).parents[1]
STAND_IN = ROOT / "benchmarks" / "stand_in"
NGINX = """
daemon off; pid {folder}/pid; worker_processes 1;
events {{ worker_connections 2048; }}
http {{
  # All in memory: its worker runs as another user, which may not write here.
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
    """One server. `is_ready()` says whether it answers."""

    def __init__(self, name, command, environment, log, is_ready):
        self.name, self._is_ready = name, is_ready
        self._command, self._environment, self._log = command, environment, log
        self._process = None

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def ready(self):
        return self._is_ready()

    def wait_until_ready(self, within=60):
        wait_until(self.ready, within, lambda: f"{self.name}:\n{self._log.read_text()[-4000:]}")

    def kill(self):
        """As a power cut does: with every process that it started."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self, within=20):
        """As a supervisor does."""
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
    """A context; the processes that it started end with it."""

    def __init__(self, folder):
        self.folder = folder
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stack.close()

    def triton(self, repository, wrap=lambda command: command, host="127.0.0.1"):
        """(process, gRPC address). `wrap` changes Triton's command, for instance to run in a namespace."""
        grpc_port, metrics_port = free_ports(2)
        folder = self.folder / f"triton-{grpc_port}"
        models = (
            () if (repository / "manifest.json").exists() else ("tryon",)
        )  # nothing is exported into a stand-in
        server = TritonServer(repository, "cpu", grpc_port, None, metrics_port, folder, models=models)
        self._stack.callback(server.remove_shared_memory)
        address = f"{host}:{grpc_port}"
        process = self._start(
            Process(
                folder.name,
                wrap(server.command()),
                server.environment(),
                folder / "log",
                lambda: model_ready(address),
            )
        )
        return process, address

    def proxy(self, **settings):
        """A proxy with these settings, named as in the environment."""
        (port,) = free_ports(1)
        folder = self.folder / f"proxy-{port}"
        environment = {
            **os.environ,
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
                lambda: http_ready(f"{url}/health/ready"),
            )
        )
        process.base = url
        return process

    def nginx(self, proxies):
        """A load balancer in front of the proxies, from Debian's package."""
        binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if binary is None:
            pytest.skip("nginx is not installed: apt-get install nginx-light")
        (port,) = free_ports(1)
        folder = self.folder / f"nginx-{port}"
        folder.mkdir()
        addresses = [proxy.base.removeprefix("http://") for proxy in proxies]
        servers = "".join(f"server {address} max_fails=1 fail_timeout=1s;" for address in addresses)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, servers=servers))
        command = [binary, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "log")]
        url = f"http://127.0.0.1:{port}"
        process = self._start(
            Process("nginx", command, os.environ, folder / "log", lambda: http_ready(f"{url}/health/ready"))
        )
        process.base = url
        return process

    def _start(self, process):
        process._log.parent.mkdir(parents=True, exist_ok=True)
        process.start()
        self._stack.callback(process.stop)
        return process


def stand_in(folder, step_ms=25, jobs_at_once=1000):
    """A model repository whose `tryon` sleeps instead of computing, and which has no other model."""
    shutil.copytree(STAND_IN, folder)
    config = folder / "tryon" / "config.pbtxt"
    text = config.read_text()
    for key, value in (("step_ms", step_ms), ("jobs_at_once", jobs_at_once)):
        text, found = re.subn(rf'("{key}"\s+value {{ string_value: )"\d+"', rf'\1"{value}"', text)
        assert found == 1, key
    config.write_text(text)
    return folder


def http_ready(url):
    try:
        with DIRECT.open(url, timeout=3) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def model_ready(address):
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        try:
            return stub.ModelReady(service_pb2.ModelReadyRequest(name="tryon"), timeout=3).ready
        except grpc.RpcError:
            return False


def wait_until(condition, within, describe=lambda: ""):
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within} s: {describe()}")
        time.sleep(0.1)
