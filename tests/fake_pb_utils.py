"""What a `model.py` uses of Triton's Python stub (`triton_python_backend_utils`), without Triton."""

import asyncio
import importlib
import runpy
import sys
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1] / "model_repository"


class TritonModelException(Exception):
    pass


class TritonError:
    def __init__(self, message):
        self._message = message

    def message(self):
        return self._message


class Tensor:
    def __init__(self, name, array):
        self._name, self._array = name, array

    @classmethod
    def from_dlpack(cls, name, value):
        return cls(name, np.from_dlpack(value))

    def name(self):
        return self._name

    def as_numpy(self):
        return self._array

    def __dlpack__(self, stream=None):
        return self._array.__dlpack__()

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


class InferenceResponse:
    def __init__(self, output_tensors=(), error=None):
        self._outputs, self._error = list(output_tensors), error

    def output_tensors(self):
        return self._outputs

    def has_error(self):
        return self._error is not None

    def error(self):
        return self._error

    def arrays(self):
        return {tensor.name(): tensor.as_numpy() for tensor in self._outputs}


class Logger:
    def __init__(self):
        self.errors, self.told = [], []

    def log_error(self, message):
        self.errors.append(message)

    def log_info(self, message):
        self.told.append(message)


class Sender:
    """A request's stream: what was sent, each with its flags."""

    def __init__(self, refuse=lambda response, flags: None):
        self.sent, self.is_gone, self._refuse = [], False, refuse

    def send(self, response=None, flags=0):
        self._refuse(response, flags)
        self.sent.append((response, flags))

    def is_cancelled(self):
        return self.is_gone


class Request:
    """inputs: arrays by name; text is one string."""

    def __init__(self, inputs, outputs=(), request_id="a request", sender=None):
        self._inputs = [Tensor(name, _array(value)) for name, value in inputs.items()]
        self._outputs, self._id = list(outputs), request_id
        self.sender = sender or Sender()

    def inputs(self):
        return self._inputs

    def requested_output_names(self):
        return self._outputs

    def request_id(self):
        return self._id

    def get_response_sender(self):
        return self.sender


def _array(value):
    return np.array([value.encode()], np.object_) if isinstance(value, str) else np.asarray(value)


class Backend:
    """The module itself. models: answers a BLS request, InferenceRequest to InferenceResponse.

    in_threads: whether it does so in threads, as Triton does.
    """

    TRITONSERVER_RESPONSE_COMPLETE_FINAL = 1
    TRITONSERVER_MEMORY_CPU = "main memory"
    Tensor, TritonError, TritonModelException = Tensor, TritonError, TritonModelException
    InferenceResponse = InferenceResponse

    def __init__(self, models=None, in_threads=False):
        self.Logger = Logger()
        self.in_threads = in_threads
        backend = self

        class InferenceRequest:
            def __init__(self, model_name, inputs, requested_output_names, request_id, preferred_memory=None):
                self.model_name, self.request_id = model_name, request_id
                self.inputs, self.requested_output_names = inputs, requested_output_names
                self.preferred_memory = preferred_memory

            async def async_exec(self):
                """The real one waits in a thread of the loop's default executor (pb_stub.cc)."""
                if backend.in_threads:
                    return await asyncio.get_running_loop().run_in_executor(None, backend.models, self)
                return backend.models(self)

        self.PreferredMemory = lambda kind, device: (kind, device)
        self.InferenceRequest, self.models = InferenceRequest, models

    def load(self, monkeypatch, model):
        """A repository's `model.py` as Triton's stub runs it, on this backend: its TritonPythonModel."""
        self.install(monkeypatch)
        return runpy.run_path(str(REPOSITORY / model / "1" / "model.py"))["TritonPythonModel"]()

    def install(self, monkeypatch):
        """Import `serving.python_backend` on this backend; returns it."""
        for name in ("python_backend", "model_calls", "entry_models", "stages.triton_model"):
            monkeypatch.delitem(sys.modules, f"serving.{name}", raising=False)
        monkeypatch.setitem(sys.modules, "triton_python_backend_utils", self)
        return importlib.import_module("serving.python_backend")
