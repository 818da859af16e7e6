"""The option of pip against an index that answers, one that does not, and with a GPU."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deploy import torch_index
from serving.gpu import Gpu
from tests.stack import free_ports

GPU = Gpu(0, "NVIDIA H200", "9.0", "580.159.04", 143771, 143000)


@pytest.fixture
def machine(monkeypatch):
    """With or without a GPU, and with what a user has set."""

    def of(gpus=(), **environment):
        monkeypatch.delenv("TORCH_INDEX", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(torch_index, "query_gpus", lambda: list(gpus))

    return of


@pytest.fixture
def index():
    """An index that has torch alone; its address and the paths that were asked for."""
    asked = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200 if self.path == "/cpu/torch/" else 404)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/cpu", asked
    server.shutdown()
    server.server_close()


def test_without_a_gpu_torch_comes_from_the_index_of_builds_for_the_processor(machine, index, monkeypatch):
    address, asked = index
    machine()
    monkeypatch.setattr(torch_index, "CPU_BUILDS", address)
    assert torch_index.pip_option() == f"--extra-index-url {address}"
    assert asked == ["/cpu/torch/"]


def test_with_a_gpu_torch_is_pip_s_own(machine, index, monkeypatch):
    address, asked = index
    machine([GPU])
    monkeypatch.setattr(torch_index, "CPU_BUILDS", address)
    assert torch_index.pip_option() == ""
    assert asked == []


@pytest.mark.parametrize("gpus", [[], [GPU]])
def test_the_user_s_index_comes_first(machine, index, gpus):
    address, _ = index
    machine(gpus, TORCH_INDEX=f"{address}/")
    assert torch_index.pip_option() == f"--extra-index-url {address}/"
    machine(gpus, TORCH_INDEX="")
    assert torch_index.pip_option() == ""


@pytest.mark.parametrize("wrong", ["http://127.0.0.1:{closed}", "nowhere", "{address}/nothing"])
def test_an_index_that_does_not_answer_is_left_out_and_named(machine, index, capsys, wrong):
    wrong = wrong.format(closed=free_ports(1)[0], address=index[0])
    machine(TORCH_INDEX=wrong)
    assert torch_index.pip_option() == ""
    said = capsys.readouterr().err
    assert said.startswith(f"{wrong} cannot be reached (")
    assert "3 GB more" in said
