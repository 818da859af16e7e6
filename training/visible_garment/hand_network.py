"""MediaPipe's network of a hand's landmarks, from TensorFlow Lite to ONNX: what `preprocess` runs.

    .venv/bin/python -m training.visible_garment hands      # npm fetches it

Zhang et al., "MediaPipe Hands: on-device real-time hand tracking", 2020, https://arxiv.org/abs/2006.10214;
Apache-2.0. Only the eight operators that it has are known here.
"""

import base64
import hashlib
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

PACKAGE = "@mediapipe/hands@0.4.1675469240"
_INTEGRITY = "GxoZvL1mmhJxFxjuyj7vnC++JIuInGznHBin5c7ZSq/RbcnGyfEcJrkM/bMu5K1Mz/2Ko+vEX6/+wewmEHPrHg=="
_FILE = "package/hand_landmark_lite.tflite"
# The outputs that are kept: 21 points of the input's pixels, and the probability that a hand is there.
_OUTPUTS = {"Identity": "points", "Identity_1": "present"}
_OPERATORS = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
_TYPES = {tflite.TensorType.FLOAT32: np.float32, tflite.TensorType.FLOAT16: np.float16}


def fetch() -> bytes:
    """The network's file. Raises ValueError if it is not the one that is known."""
    with tempfile.TemporaryDirectory() as temporary:
        command = ["npm", "pack", "--silent", PACKAGE]
        subprocess.run(command, cwd=temporary, check=True, stdout=subprocess.DEVNULL)
        archive = next(Path(temporary).glob("*.tgz"))
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != _INTEGRITY:
            raise ValueError(f"{PACKAGE} has another checksum than expected: {digest}")
        with tarfile.open(archive) as files:
            member = files.extractfile(_FILE)
            assert member is not None
            return member.read()


def convert(data: bytes) -> onnx.ModelProto:
    """(N, 224, 224, 3) uint8 RGB `hands` → `points` (N, 63), `present` (N, 1) float32. The weights stay
    float16.

    data: a file of TensorFlow Lite. Raises KeyError for an operator that is not known here.
    """
    return _Conversion(tflite.Model.GetRootAsModel(data, 0)).model()


class _Conversion:
    """Tensors keep their names; pictures are (N, C, H, W) instead of (N, H, W, C)."""

    def __init__(self, model: tflite.Model) -> None:
        self._model, self._graph = model, model.Subgraphs(0)
        self._numbers = {self._name(number): number for number in range(self._graph.TensorsLength())}
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, np.ndarray] = {}
        self._halves: dict[str, str] = {}  # float32 tensors that are float16 ones, dequantized
        self._makers: dict[str, Callable[[tflite.Operator], None]] = {
            "DEQUANTIZE": self._dequantize,
            "CONV_2D": self._convolution,
            "DEPTHWISE_CONV_2D": self._depthwise,
            "MAX_POOL_2D": self._max_pool,
            "ADD": self._add,
            "MEAN": self._mean,
            "FULLY_CONNECTED": self._fully_connected,
            "LOGISTIC": self._logistic,
        }

    def model(self) -> onnx.ModelProto:
        entry = self._name(self._graph.Inputs(0))
        self._node("Cast", ["hands"], "bytes", to=TensorProto.FLOAT)
        self._node("Mul", ["bytes", self._weight("to_1", np.array(1 / 255, np.float32))], "shares")
        self._node("Transpose", ["shares"], entry, perm=[0, 3, 1, 2])
        for number in range(self._graph.OperatorsLength()):
            operator = self._graph.Operators(number)
            code = self._model.OperatorCodes(operator.OpcodeIndex())
            self._makers[_OPERATORS[max(code.DeprecatedBuiltinCode(), code.BuiltinCode())]](operator)
        outputs = []
        for name, kept in _OUTPUTS.items():
            self._node("Identity", [name], kept)
            outputs.append(helper.make_tensor_value_info(kept, TensorProto.FLOAT, ["N", None]))
        hands = helper.make_tensor_value_info("hands", TensorProto.UINT8, ["N", 224, 224, 3])
        self._prune()
        weights = [numpy_helper.from_array(value, name) for name, value in self._weights.items()]
        source = f"hand_landmark_lite of {PACKAGE}, by Google, Apache-2.0"
        graph = helper.make_graph(self._nodes, "hand_landmarks", [hands], outputs, weights, doc_string=source)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model

    def _dequantize(self, operator: tflite.Operator) -> None:
        self._halves[self._name(operator.Outputs(0))] = self._name(operator.Inputs(0))

    def _convolution(self, operator: tflite.Operator) -> None:
        options = self._options(operator, tflite.Conv2DOptions())
        weights = self._constant(operator.Inputs(1)).transpose(0, 3, 1, 2)
        self._convolve(operator, options, weights)

    def _depthwise(self, operator: tflite.Operator) -> None:
        options = self._options(operator, tflite.DepthwiseConv2DOptions())
        weights = self._constant(operator.Inputs(1)).transpose(3, 0, 1, 2)
        self._convolve(operator, options, weights, group=len(weights))

    def _convolve(self, operator: tflite.Operator, options: Any, weights: np.ndarray, group: int = 1) -> None:
        window = self._window(operator, options, weights.shape[2:])
        inputs = [self._name(operator.Inputs(0))]
        inputs += [self._float(operator, 1, weights), self._float(operator, 2)]
        self._activated(operator, options, "Conv", inputs, group=group, **window)

    def _max_pool(self, operator: tflite.Operator) -> None:
        options = self._options(operator, tflite.Pool2DOptions())
        shape = options.FilterHeight(), options.FilterWidth()
        window = self._window(operator, options, shape)
        self._activated(
            operator, options, "MaxPool", [self._name(operator.Inputs(0))], kernel_shape=shape, **window
        )

    def _add(self, operator: tflite.Operator) -> None:
        options = self._options(operator, tflite.AddOptions())
        self._activated(operator, options, "Add", [self._name(operator.Inputs(k)) for k in (0, 1)])

    def _mean(self, operator: tflite.Operator) -> None:
        inputs, result = [self._name(operator.Inputs(0))], self._name(operator.Outputs(0))
        self._node("ReduceMean", inputs, result, axes=[2, 3], keepdims=0)

    def _fully_connected(self, operator: tflite.Operator) -> None:
        options = self._options(operator, tflite.FullyConnectedOptions())
        weights = self._constant(operator.Inputs(1))
        inputs = [self._name(operator.Inputs(0)), self._float(operator, 1, weights), self._float(operator, 2)]
        self._activated(operator, options, "Gemm", inputs, transB=1)

    def _logistic(self, operator: tflite.Operator) -> None:
        self._node("Sigmoid", [self._name(operator.Inputs(0))], self._name(operator.Outputs(0)))

    def _activated(
        self,
        operator: tflite.Operator,
        options: Any,
        kind: str,
        inputs: list[str],
        **how: object,
    ) -> None:
        """A node and the activation that TensorFlow Lite keeps in the same operator."""
        result, activation = self._name(operator.Outputs(0)), options.FusedActivationFunction()
        if activation == tflite.ActivationFunctionType.NONE:
            self._node(kind, inputs, result, **how)
        elif activation == tflite.ActivationFunctionType.RELU6:
            limits = [
                self._weight(name, np.array(value, np.float32)) for name, value in (("low", 0), ("high", 6))
            ]
            self._node(kind, inputs, f"{result}/linear", **how)
            self._node("Clip", [f"{result}/linear", *limits], result)
        else:
            raise KeyError(f"activation {activation}")

    def _window(
        self, operator: tflite.Operator, options: Any, shape: tuple[int, ...]
    ) -> dict[str, list[int]]:
        """Strides and padding: TensorFlow's SAME pads the far side by the odd pixel."""
        strides = options.StrideH(), options.StrideW()
        before, after = [0, 0], [0, 0]
        if options.Padding() == tflite.Padding.SAME:
            sizes = self._graph.Tensors(operator.Inputs(0)).ShapeAsNumpy()[1:3]
            for axis, (size, side, stride) in enumerate(zip(sizes, shape, strides, strict=True)):
                padded = max(int((-(-size // stride) - 1) * stride + side - size), 0)
                before[axis], after[axis] = padded // 2, padded - padded // 2
        return {"strides": list(strides), "pads": before + after}

    def _options(self, operator: tflite.Operator, options: Any) -> Any:
        table = operator.BuiltinOptions()
        options.Init(table.Bytes, table.Pos)
        return options

    def _name(self, number: int) -> str:
        return str(self._graph.Tensors(number).Name().decode())

    def _constant(self, number: int) -> np.ndarray:
        name = self._name(number)
        tensor = self._graph.Tensors(self._numbers[self._halves.get(name, name)])
        data = self._model.Buffers(tensor.Buffer()).DataAsNumpy()
        return np.asarray(data.view(_TYPES[tensor.Type()]).reshape(tensor.ShapeAsNumpy()))

    def _float(self, operator: tflite.Operator, index: int, value: np.ndarray | None = None) -> str:
        """The name of a float32 tensor of weights."""
        number = operator.Inputs(index)
        name = self._weight(f"{self._name(number)}/half", self._constant(number) if value is None else value)
        self._node("Cast", [name], f"{name}/float", to=TensorProto.FLOAT)
        return f"{name}/float"

    def _weight(self, name: str, value: np.ndarray) -> str:
        self._weights[name] = np.ascontiguousarray(value)
        return name

    def _node(self, kind: str, inputs: list[str], output: str, **how: object) -> None:
        self._nodes.append(helper.make_node(kind, inputs, [output], name=output, **how))

    def _prune(self) -> None:
        """Leave out what no output needs."""
        needed, nodes = set(_OUTPUTS.values()), []
        for node in reversed(self._nodes):
            if node.output[0] in needed:
                needed.update(node.input)
                nodes.append(node)
        self._nodes = nodes[::-1]
        self._weights = {name: value for name, value in self._weights.items() if name in needed}
