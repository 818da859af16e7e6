"""Step 5: what a call of a network costs by the place of its tensors. This network does almost nothing.

In one process; by a call of another model of Triton through main memory; the same through the GPU's own (CUDA
IPC). The last one comes last, since it can hang where a driver does not support it.
"""

import argparse
import json
import subprocess
import time
from pathlib import Path

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

from benchmarks.gpu_proof.figures import Hop, Recorded
from benchmarks.gpu_proof.server import end_of, free_ports
from benchmarks.gpu_proof.steps.step import left, size_of
from serving.ready import _CHANNEL_OPTIONS
from serving.triton_server import TritonServer

MODELS = Path(__file__).resolve().parents[1] / "hops"


def measure(recorded: Recorded, args: argparse.Namespace) -> None:
    size, folder = size_of(args), args.work / "hops"
    folder.mkdir(parents=True, exist_ok=True)
    grpc_port, metrics_port = free_ports(2)
    triton = TritonServer(
        repository=MODELS,
        profile="cpu",
        grpc_port=grpc_port,
        http_port=None,
        metrics_port=metrics_port,
        build=folder.resolve(),
        models=("network", "caller"),
    )
    asked = {
        "device": args.device,
        "rows": size.rows,
        "shape": [size.unet["in_channels"], *(side // 8 for side in size.resolution)],
        "calls": size.calls,
        "output": str((folder / "hops.jsonl").resolve()),
    }
    Path(asked["output"]).unlink(missing_ok=True)
    with (folder / "triton.log").open("w") as log:
        process = subprocess.Popen(
            triton.command(), env=triton.environment(), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _ask(triton.grpc_address, json.dumps(asked), args, process, folder)
    except Exception as error:
        recorded.fault("Triton", f"{error!r}: {end_of(folder)}")
    finally:
        process.terminate()
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        triton.remove_shared_memory()
    _read(Path(asked["output"]), recorded)
    if args.device == "cpu":
        recorded.fault("gpu memory", "it needs a GPU")


def _ask(
    address: str, text: str, args: argparse.Namespace, process: subprocess.Popen[bytes], folder: Path
) -> None:
    """One request; the model writes each figure to a file as soon as it has it."""
    with InferenceServerClient(address, channel_args=_CHANNEL_OPTIONS) as client:
        while not _is_ready(client):
            if process.poll() is not None or left(args) <= 0:
                raise RuntimeError("Triton did not start")
            time.sleep(0.2)
        asked = InferInput("asked", [1], "BYTES")
        asked.set_data_from_numpy(np.array([text.encode()], np.object_))
        client.infer("caller", [asked], client_timeout=max(1.0, left(args)))


def _is_ready(client: InferenceServerClient) -> bool:
    try:
        return bool(client.is_model_ready("caller", client_timeout=2))
    except InferenceServerException:
        return False


def _read(path: Path, recorded: Recorded) -> None:
    if not path.exists():
        return
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        if "fault" in entry:
            recorded.fault(entry["way"], entry["fault"])
        else:
            recorded.figures.hops.append(Hop.model_validate(entry))
    recorded.write()
