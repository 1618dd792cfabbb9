"""KServe's Open Inference Protocol v2, for those who send tensors: /v2/models/locate and /v2/models/examine.

Protocol: https://github.com/kserve/open-inference-protocol (REST), with the binary tensor extension of Triton
(https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md).
"""

import asyncio
import json
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from numpy.typing import NDArray

import vertseg
from vertseg.labels import FINDINGS, LEAK_ROUTES, N_LEVELS, LocateClass, Tissue
from vertseg.serve.service import Service
from vertseg.serve.worker import TensorTask

_HEADER: Final = "inference-header-content-length"
_MOST_VALUES: Final = 64 << 20
_MOST_CROPS: Final = 16


@dataclass(frozen=True)
class Tensor:
    """A tensor's name and shape; -1 is any length."""

    name: str
    shape: tuple[int, ...]


Signature = tuple[tuple[Tensor, ...], tuple[Tensor, ...]]


def signatures(crop: tuple[int, int, int] = (-1, -1, -1)) -> dict[str, Signature]:
    """Inputs and outputs of each network; see `vertseg.inference.engines.Engine`."""
    volume = (-1, -1, -1)
    locate = (
        Tensor("tissue", (-1, len(LocateClass), *volume)),
        Tensor("level", (-1, N_LEVELS, *volume)),
        Tensor("offset_mm", (-1, 3, *volume)),
    )
    examine = (
        Tensor("tissue", (-1, len(Tissue), *crop)),
        Tensor("findings", (-1, len(FINDINGS), *crop)),
        Tensor("leak", (-1, len(LEAK_ROUTES))),
        *(Tensor(name, (-1,)) for name in ("any_leak", "leak_confidence", "leak_abstained")),
    )
    return {
        "locate": ((Tensor("image", (-1, 1, *volume)),), locate),
        "examine": ((Tensor("image", (-1, 2, *crop)), Tensor("plan", (-1, 3))), examine),
    }


def router(service: Service) -> APIRouter:
    """Routes of /v2."""
    routes = APIRouter(prefix="/v2", tags=["KServe v2"])
    _metadata(routes, service)

    @routes.post("/models/{model}/infer", summary="Run a network on tensors")
    @routes.post("/models/{model}/versions/{version}/infer", include_in_schema=False)
    async def infer(request: Request, model: str, version: str = "1") -> Response:
        """FP32 tensors, as JSON or in the binary extension; null is NaN, which in `plan` means unknown."""
        inputs, outputs = _signature(service, model, version)
        header, tail = _split(await request.body(), request.headers.get(_HEADER))
        tensors = _inputs(header, tail, inputs, service)
        future = service.dispatcher.tensors(TensorTask(model, tensors))
        arrays = await asyncio.wrap_future(future)
        wanted = _wanted(header, tuple(t.name for t in outputs))
        return _answered(header, model, {name: arrays[name] for name in wanted}, wanted)

    return routes


def _metadata(routes: APIRouter, service: Service) -> None:
    @routes.get("", include_in_schema=False)
    @routes.get("/", summary="The server")
    async def server() -> dict[str, Any]:
        """Name, version and extensions."""
        return {"name": "vertseg", "version": vertseg.__version__, "extensions": ["binary_tensor_data"]}

    @routes.get("/health/live", summary="Is it alive")
    async def live() -> dict[str, bool]:
        """Always, while it answers."""
        return {"live": True}

    @routes.get("/health/ready", summary="Can it predict")
    async def ready() -> JSONResponse:
        """200 or 503."""
        is_ready = service.dispatcher.about is not None and not service.dispatcher.draining
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    @routes.get("/models/{model}", summary="A network's inputs and outputs")
    @routes.get("/models/{model}/versions/{version}", include_in_schema=False)
    async def metadata(model: str, version: str = "1") -> dict[str, Any]:
        """Names, types and shapes; -1 is any length."""
        inputs, outputs = _signature(service, model, version)
        return {
            "name": model,
            "versions": ["1"],
            "platform": "vertseg",
            "inputs": [_told(t) for t in inputs],
            "outputs": [_told(t) for t in outputs],
        }

    @routes.get("/models/{model}/ready", summary="Is a network loaded")
    @routes.get("/models/{model}/versions/{version}/ready", include_in_schema=False)
    async def model_ready(model: str, version: str = "1") -> JSONResponse:
        """200 or 503."""
        _signature(service, model, version)
        is_ready = service.dispatcher.about is not None
        return JSONResponse({"name": model, "ready": is_ready}, 200 if is_ready else 503)


def _signature(service: Service, model: str, version: str) -> Signature:
    about = service.dispatcher.about
    crop = tuple(about["crop_shape"]) if about else (-1, -1, -1)
    known = signatures((crop[0], crop[1], crop[2]))
    if model not in known or version != "1":
        raise HTTPException(
            404, f"There is no such model or version; there are {' and '.join(known)}, version 1."
        )
    return known[model]


def _told(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": "FP32", "shape": list(tensor.shape)}


def _split(body: bytes, length: str | None) -> tuple[dict[str, Any], bytes]:
    """The JSON, and the binary tensors after it."""
    if length is not None and not (length.isdigit() and int(length) <= len(body)):
        raise HTTPException(400, "Inference-Header-Content-Length does not fit the body.")
    end = len(body) if length is None else int(length)
    try:
        header = json.loads(body[:end])
    except (ValueError, RecursionError):
        raise HTTPException(400, "The body is not JSON.") from None
    if not isinstance(header, dict) or not isinstance(header.get("inputs"), list):
        raise HTTPException(400, "The body must be an object with a list of inputs.")
    return header, body[end:]


def _inputs(
    header: dict[str, Any], tail: bytes, expected: tuple[Tensor, ...], service: Service
) -> tuple[NDArray[np.float32], ...]:
    given: dict[str, NDArray[np.float32]] = {}
    at = 0
    for item in header["inputs"]:
        if not isinstance(item, dict) or item.get("datatype") != "FP32":
            raise HTTPException(400, "Each input must be an object of datatype FP32.")
        shape = _shape(item.get("shape"))
        parameters = item.get("parameters")
        size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
        if size is None:
            given[str(item.get("name"))] = _from_json(item.get("data"), shape)
            continue
        if size != 4 * math.prod(shape) or at + size > len(tail):
            raise HTTPException(400, "binary_data_size does not fit the shape or the body.")
        given[str(item.get("name"))] = np.frombuffer(tail, "<f4", math.prod(shape), at).reshape(shape)
        at += size
    for tensor in expected:
        if tensor.name not in given or not _fits(given[tensor.name].shape, tensor.shape):
            raise HTTPException(
                400, f"The input {tensor.name} is missing or is not of shape {list(tensor.shape)}."
            )
    tensors = tuple(given[tensor.name] for tensor in expected)
    _check(tensors, service)
    return tensors


def _check(tensors: tuple[NDArray[np.float32], ...], service: Service) -> None:
    if len({t.shape[0] for t in tensors}) != 1 or tensors[0].shape[0] > _MOST_CROPS:
        raise HTTPException(400, f"All inputs need one batch size, {_MOST_CROPS} at most.")
    if not np.isfinite(tensors[0]).all():
        raise HTTPException(400, "The image holds values that are no numbers.")
    about = service.dispatcher.about
    if about is None:
        raise HTTPException(503, "The networks are still being loaded.")
    multiple = int(about["locate_multiple"])
    if len(tensors) == 1 and any(n % multiple or n == 0 for n in tensors[0].shape[2:]):
        raise HTTPException(400, f"The lengths of an image for locate must be multiples of {multiple}.")


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(n) is int and n > 0 for n in value):
        raise HTTPException(400, "An input's shape must be a list of positive whole numbers.")
    if len(value) > 8 or math.prod(value) > _MOST_VALUES:
        raise HTTPException(413, f"An input may hold {_MOST_VALUES} values.")
    return tuple(value)


def _from_json(data: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    try:
        array = np.array(data, dtype=np.float32).reshape(shape)
    except (TypeError, ValueError, OverflowError):
        raise HTTPException(400, f"An input's data does not fit its shape {list(shape)}.") from None
    return array


def _fits(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return len(shape) == len(expected) and all(e in (-1, n) for n, e in zip(shape, expected, strict=True))


def _wanted(header: dict[str, Any], known: tuple[str, ...]) -> dict[str, bool]:
    """Output name -> whether it goes as binary."""
    overall = header.get("parameters")
    binary = bool(overall.get("binary_data_output")) if isinstance(overall, dict) else False
    asked = header.get("outputs")
    if not asked:
        return dict.fromkeys(known, binary)
    wanted: dict[str, bool] = {}
    for item in asked if isinstance(asked, list) else [None]:
        if not isinstance(item, dict) or item.get("name") not in known:
            raise HTTPException(400, f"Each output must be an object that names one of {', '.join(known)}.")
        parameters = item.get("parameters")
        wanted[item["name"]] = bool(
            parameters.get("binary_data", binary) if isinstance(parameters, dict) else binary
        )
    return wanted


def _answered(
    header: dict[str, Any], model: str, arrays: dict[str, NDArray[np.float32]], binary: dict[str, bool]
) -> Response:
    outputs, tail = [], b""
    for name, array in arrays.items():
        values = np.ascontiguousarray(array, dtype="<f4")
        told: dict[str, Any] = {"name": name, "datatype": "FP32", "shape": list(values.shape)}
        if binary[name]:
            content = values.tobytes()
            tail += content
            told["parameters"] = {"binary_data_size": len(content)}
        else:
            told["data"] = values.ravel().tolist()
        outputs.append(told)
    answer: dict[str, Any] = {"model_name": model, "model_version": "1", "outputs": outputs}
    if isinstance(header.get("id"), str):
        answer["id"] = header["id"]
    if not tail:
        return JSONResponse(answer)
    text = json.dumps(answer).encode()
    return Response(text + tail, media_type="application/octet-stream", headers={_HEADER: str(len(text))})
