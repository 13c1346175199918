"""Core ML's protobuf messages turned into the plain data of `graph`."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import types
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.mil.blob import BITS, NUMPY_TYPES, unpack
from runtime.mil.errors import PackageError
from runtime.mil.graph import Binding, Block, Constant, Function, Op, Shape, Value
from runtime.packages import install_command

_logger = logging.getLogger(__name__)
_ALIAS = "runtime.mil._coremltools_proto"
_DTYPES = {"FLOAT16": "fp16", "FLOAT32": "fp32", "FLOAT64": "fp64", "BFLOAT16": "bf16", "STRING": "str"}
_OPSETS = {"CoreML5": 15, "CoreML6": 16, "CoreML7": 17, "CoreML8": 18, "CoreML9": 18}


@cache
def message_types() -> tuple[Any, Any]:
    """The generated modules (Model_pb2, MIL_pb2) of the installed coremltools.

    They are loaded under a name of our own: importing coremltools itself takes five seconds, brings in torch's
    converter and prints pages of warnings. Protobuf keeps one class a message type, so both ways of loading agree.
    """
    spec = importlib.util.find_spec("coremltools")
    if spec is None or not spec.submodule_search_locations:
        raise PackageError(f"Reading Core ML programs needs coremltools. Run `{install_command('export')}`.")
    package = types.ModuleType(_ALIAS)
    package.__path__ = [str(Path(spec.submodule_search_locations[0]) / "proto")]
    sys.modules[_ALIAS] = package
    return importlib.import_module(f"{_ALIAS}.Model_pb2"), importlib.import_module(f"{_ALIAS}.MIL_pb2")


@cache
def _dtype_names() -> dict[int, str]:
    _, mil = message_types()
    return {number: _DTYPES.get(name, name.lower()) for name, number in mil.DataType.items()}


def read_functions(program: Any) -> dict[str, Function]:
    """The functions of a MIL `Program` message, by name."""
    return {name: _function(name, message) for name, message in sorted(program.functions.items())}


def _function(name: str, message: Any) -> Function:
    if message.opset not in _OPSETS:
        _logger.warning("opset %s is unknown; its ops are read as the newest known", message.opset)
    opset = _OPSETS.get(message.opset, max(_OPSETS.values()))
    block = message.block_specializations[message.opset]
    return Function(name, opset, tuple(_value(item) for item in message.inputs), _block(block))


def _block(message: Any) -> Block:
    return Block(
        inputs=tuple(_value(item) for item in message.inputs),
        ops=tuple(_op(item) for item in message.operations),
        outputs=tuple(message.outputs),
    )


def _op(message: Any) -> Op:
    inputs: dict[str, tuple[Binding, ...]] = {}
    name = ""
    # Constants, and constexpr ops before iOS 18, keep what they are made of in the attributes.
    for key, attribute in message.attributes.items():
        if key == "name":
            name = str(_constant(attribute).data)
        else:
            inputs[key] = (_constant(attribute),)
    for key, argument in message.inputs.items():
        inputs[key] = tuple(_binding(item) for item in argument.arguments)
    return Op(
        type=message.type,
        name=name,
        inputs=dict(sorted(inputs.items())),
        outputs=tuple(_value(item) for item in message.outputs),
        blocks=tuple(_block(item) for item in message.blocks),
    )


def _binding(message: Any) -> Binding:
    return message.name if message.WhichOneof("binding") == "name" else _constant(message.value)


def _value(message: Any) -> Value:
    kind = message.type.WhichOneof("type")
    if kind == "stateType":
        dtype, shape = _tensor_type(message.type.stateType.wrappedType.tensorType)
        return Value(message.name, dtype, shape, is_state=True)
    if kind == "tensorType":
        return Value(message.name, *_tensor_type(message.type.tensorType))
    return Value(message.name, kind, ())


def _tensor_type(message: Any) -> tuple[str, Shape]:
    lengths = (
        int(item.constant.size) if item.WhichOneof("dimension") == "constant" else None for item in message.dimensions
    )
    return _dtype_names()[message.dataType], tuple(lengths)


def _constant(message: Any) -> Constant:
    if message.type.WhichOneof("type") != "tensorType":
        values = [_constant(item).data for item in message.immediateValue.list.values]
        return Constant(message.type.WhichOneof("type"), (len(values),), data=values)
    dtype, open_shape = _tensor_type(message.type.tensorType)
    shape = tuple(length for length in open_shape if length is not None)
    if message.WhichOneof("value") == "blobFileValue":
        blob = message.blobFileValue
        return Constant(dtype, shape, file_name=blob.fileName, offset=int(blob.offset))
    tensor = message.immediateValue.tensor
    field = tensor.WhichOneof("value")
    if field is None:
        return Constant(dtype, shape, data=np.zeros(shape, NUMPY_TYPES.get(dtype, np.int64)))
    values = getattr(tensor, field).values
    if field == "strings":
        return Constant(dtype, shape, data=list(values) if shape else values[0])
    if field == "bytes":
        return Constant(dtype, shape, data=_from_bytes(values, dtype, shape))
    return Constant(dtype, shape, data=_from_numbers(values, dtype, shape))


def _from_numbers(values: Iterable[Any], dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    return np.array(list(values), NUMPY_TYPES.get(dtype)).reshape(shape)


def _from_bytes(data: bytes, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    if dtype not in BITS or dtype == "bf16":
        raise PackageError(f"The program has a constant of type {dtype}, which the interpreter does not know.")
    if BITS[dtype] < 8:
        packed = np.frombuffer(data, np.uint8)
        return unpack(packed, BITS[dtype], int(np.prod(shape)), signed=dtype == "int4").reshape(shape)
    return np.frombuffer(data, NUMPY_TYPES[dtype]).reshape(shape)
