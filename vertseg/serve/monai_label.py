"""The protocol of MONAI Label, as 3D Slicer's and OHIF's extensions speak it.

Read from Project-MONAI/MONAILabel at commit 058ddfc4 (plugins/slicer/MONAILabel/MONAILabelLib/client.py and
MONAILabel.py, plugins/ohifv3/extensions/monai-label/src/services/MonaiLabelClient.js, monailabel/endpoints/). What this
server does not do (training, active learning, keeping labels) is refused in a sentence.
"""

import hashlib
import json
import secrets
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, HTTPException, Query, Request, UploadFile
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

import vertseg
from vertseg.dicom_out.names import SEGMENTATION
from vertseg.errors import ConfigError
from vertseg.nets.meta import weights_path
from vertseg.serve.jobs import Image, Job
from vertseg.serve.label_files import Answer, label_answer, multipart
from vertseg.serve.labelling import MODELS, LabelModel
from vertseg.serve.security import same_token
from vertseg.serve.service import Service, client_of
from vertseg.serve.wishes import Wishes, parse_level_names

Output = Literal["image", "json", "all", "dicom_seg"]

_NO_TRAINING: Final = "This server does not train; see vertseg train."
_NO_LABELS: Final = "This server keeps no labels; save the segmentation in your viewer."
_NO_SAMPLES: Final = "This server chooses no next sample; load a scan and send it."


def router(service: Service) -> APIRouter:
    """Routes of MONAI Label's protocol."""
    routes = APIRouter(tags=["MONAI Label"])
    _about(routes, service)
    _sessions(routes, service)
    _datastore(routes, service)
    _infer(routes, service)
    _not_served(routes)
    return routes


def _about(routes: APIRouter, service: Service) -> None:
    @routes.get("/info", include_in_schema=False)
    @routes.get("/info/", summary="What this server can do")
    async def info() -> dict[str, Any]:
        """Models with their labels, as the extensions list them."""
        return {
            "name": "vertseg",
            "description": "Vertebrae and the bone missing from them. Research software, not a medical device.",
            "version": vertseg.__version__,
            "labels": [name for model in MODELS.values() for name in model.labels],
            "models": {name: _described(model) for name, model in MODELS.items()},
            "trainers": {},
            "strategies": {},
            "scoring": {},
            "train_stats": {},
            "datastore": _stats(service),
        }

    @routes.get("/auth", include_in_schema=False)
    @routes.get("/auth/", summary="Is a login needed")
    async def auth() -> dict[str, Any]:
        """Whether a login is needed: any user name, with the server's token as the password."""
        return {"enabled": service.settings.token is not None, "client_id": "vertseg", "realm": None}

    @routes.post("/auth/token", summary="Log in")
    async def login(
        request: Request,
        password: Annotated[str, Form(max_length=1000)],
        username: Annotated[str, Form(max_length=200)] = "",
    ) -> dict[str, str | None]:
        """The password, which is the server's token, as a bearer token."""
        token = service.settings.token
        if token is None:
            return {"access_token": None, "token_type": None}
        if not same_token(password, token):
            service.seen("refused", client_of(request), reason="login")
            raise HTTPException(401, "The password is not this server's token.")
        return {"access_token": token, "token_type": "bearer"}

    @routes.get("/auth/token/valid", summary="Is the login still good")
    async def valid() -> dict[str, Any]:
        """200 when the token was right; the guard refuses others before."""
        return {"username": "user", "roles": ["monailabel-user"]}

    @routes.get("/logs", include_in_schema=False)
    @routes.get("/logs/", summary="The last lines of the audit log")
    async def logs(lines: Annotated[int, Query(ge=0, le=1000)] = 300) -> PlainTextResponse:
        """Times, events, jobs and states; nothing of patients."""
        return PlainTextResponse("".join(line + "\n" for line in service.audit.recent(lines)))

    @routes.get("/model/info/{model}", summary="Checksum of a model's weights")
    async def model_info(model: str) -> dict[str, Any]:
        """SHA-256 of the weights, of the network that draws the masks."""
        _model(model)
        about = service.dispatcher.about
        if about is None:
            raise HTTPException(503, "The networks are still being loaded.")
        checkpoint = about["checkpoints"].get("examine", {})
        return {"checksum": f"SHA256:{checkpoint.get('sha256', '')}", **checkpoint}

    @routes.get("/model/{model}", summary="A model's weights")
    async def model_file(model: str) -> FileResponse:
        """The examine network's weights as safetensors; locate's are in the package."""
        _model(model)
        path = weights_path("examine", service.settings.checkpoint_dir)
        if not path.is_file():
            raise HTTPException(404, "The weights' file is not there.")
        return FileResponse(path, media_type="application/octet-stream", filename=f"{model}.safetensors")


def _sessions(routes: APIRouter, service: Service) -> None:
    @routes.put("/session", include_in_schema=False)
    @routes.put("/session/", summary="Upload a scan for the calls that follow")
    async def create(files: list[UploadFile]) -> dict[str, Any]:
        """One NIfTI file, DICOM file or zip; kept for the time that the server was given."""
        if len(files) != 1:
            raise HTTPException(422, "Send one file: .nii.gz, or a zip of a DICOM series.")
        session = secrets.token_hex(16)
        await service.keep_image(files[0], session, "session")
        image = service.store.image(session, "session")
        return {"session_id": session, "session_info": _session(image, service)}

    @routes.get("/session/{session_id}", summary="A session")
    async def get(session_id: str) -> dict[str, Any]:
        """Its times; 404 when it is over, upon which the extension uploads again."""
        image = service.store.image(session_id, "session")
        if image is None:
            raise HTTPException(404, "There is no such session; it may be over. Upload the scan again.")
        return _session(image, service)

    @routes.delete("/session/{session_id}", summary="End a session")
    async def end(session_id: str) -> dict[str, Any]:
        """Remove its scan."""
        image = service.store.image(session_id, "session")
        if image is None:
            raise HTTPException(404, "There is no such session.")
        await run_in_threadpool(service.remove_image, image)
        return _session(image, service)


def _datastore(routes: APIRouter, service: Service) -> None:
    @routes.get("/datastore", include_in_schema=False)
    @routes.get("/datastore/", summary="What the datastore holds")
    async def datastore(output: Literal["train", "stats", "all"] = "stats") -> Any:
        """Counts, or a list; images' names are not kept, so none are told."""
        if output == "train":
            return []
        if output == "all":
            images = service.store.images("image")
            objects = {
                image.id: {"image": {"ext": "", "info": {"ts": int(image.created)}}, "labels": {}}
                for image in images
            }
            return {"name": "vertseg", "description": "Uploads, kept for a while", "objects": objects}
        return _stats(service)

    @routes.put("/datastore", include_in_schema=False)
    @routes.put("/datastore/", include_in_schema=False)
    @routes.put("/datastore/image", summary="Upload a scan under a name")
    async def add(
        file: UploadFile,
        image: Annotated[str | None, Query(max_length=500)] = None,
        params: Annotated[str, Form(max_length=10_000)] = "{}",
    ) -> dict[str, str]:
        """The name is kept as its hash alone, for viewers put patients' names into it."""
        name = image or secrets.token_hex(8)
        await service.keep_image(file, _digest(name), "image")
        return {"image": name}

    @routes.get("/datastore/image", summary="A scan that was uploaded")
    @routes.head("/datastore/image", include_in_schema=False)
    async def image_file(image: Annotated[str, Query(max_length=500)]) -> FileResponse:
        """The file as it came."""
        path = service.image_path(_image(service, image))
        return FileResponse(path, media_type="application/octet-stream", filename=path.name)

    @routes.get("/datastore/image/info", summary="What is known of a scan")
    async def image_info(image: Annotated[str, Query(max_length=500)]) -> dict[str, Any]:
        """When it came."""
        return {"ts": int(_image(service, image).created)}

    @routes.delete("/datastore", include_in_schema=False)
    @routes.delete("/datastore/", include_in_schema=False)
    @routes.delete("/datastore/image", summary="Remove a scan")
    async def remove(id: Annotated[str, Query(max_length=500)]) -> dict[str, Any]:
        """Remove it from the disk."""
        await run_in_threadpool(service.remove_image, _image(service, id))
        return {}

    @routes.put("/datastore/label", summary="Not served: keeping labels")
    async def save_label() -> None:
        """Refused, so that nobody thinks that a corrected label is safe here."""
        raise _not_served_here(_NO_LABELS)

    @routes.get("/datastore/label", summary="Not served: labels that were kept")
    @routes.head("/datastore/label", include_in_schema=False)
    async def label_file() -> None:
        """There are none."""
        raise HTTPException(404, _NO_LABELS)


def _infer(routes: APIRouter, service: Service) -> None:
    @routes.post("/infer/{model}", summary="Segment a scan")
    async def infer(
        request: Request,
        model: str,
        image: Annotated[str, Query(max_length=500)] = "",
        session_id: Annotated[str, Query(max_length=100)] = "",
        output: Output = "all",
        params: Annotated[str, Form(max_length=100_000)] = "{}",
        file: UploadFile | None = None,
    ) -> Response:
        """Predict the uploaded file, the session's or the datastore's image, and answer when it is done."""
        chosen = _model(model)
        asked = _params(params)
        form = Answer.asked(asked)
        source = file if file is not None else service.image_path(_source(service, image, session_id))
        job = await service.predicted(source, _wishes(asked), request)
        return await run_in_threadpool(_answer, service, job, chosen, form, output)


def _answer(service: Service, job: Job, model: LabelModel, form: Answer, output: Output) -> Response:
    results = service.places.results(job.id)
    if output == "dicom_seg":
        path = results / SEGMENTATION
        if not path.exists():
            raise HTTPException(
                422, "DICOM SEG needs a DICOM series in which a vertebra is found; ask for output=image."
            )
        return FileResponse(path, media_type="application/dicom", filename=path.name)
    told, name, content = label_answer(results, model, form, job.id)
    if output == "json":
        return JSONResponse(told)
    if output == "image":
        headers = {"content-disposition": f'attachment; filename="{name}"'}
        return Response(content, media_type="application/octet-stream", headers=headers)
    body, media_type = multipart(told, name, content)
    return Response(body, media_type=media_type)


def _not_served(routes: APIRouter) -> None:
    @routes.get("/train", include_in_schema=False)
    @routes.get("/train/", summary="Not served: training")
    async def training() -> None:
        """404: no training runs."""
        raise HTTPException(404, _NO_TRAINING)

    @routes.post("/train/{model}", summary="Not served: training")
    async def train_model(model: str) -> None:
        """405."""
        raise _not_served_here(_NO_TRAINING)

    @routes.post("/train/", include_in_schema=False)
    @routes.delete("/train/", include_in_schema=False)
    async def train() -> None:
        """405."""
        raise _not_served_here(_NO_TRAINING)

    @routes.post("/activelearning/{strategy}", summary="Not served: the next sample")
    async def next_sample(strategy: str) -> None:
        """405."""
        raise _not_served_here(_NO_SAMPLES)

    @routes.get("/batch/infer/", summary="Not served: the datastore in one go")
    @routes.post("/batch/infer/{model}", include_in_schema=False)
    async def batch() -> None:
        """405."""
        raise _not_served_here(
            "This server predicts no whole datastore; see vertseg predict, which takes folders."
        )

    @routes.put("/model/{model}", summary="Not served: other weights")
    @routes.delete("/model/{model}", include_in_schema=False)
    async def change_model(model: str) -> None:
        """Weights are changed by whoever starts the server."""
        raise _not_served_here("Weights are chosen when the server is started, with --checkpoint-dir.")


def _not_served_here(sentence: str) -> HTTPException:
    """405 without any method allowed: the route is there to say so, not to work."""
    return HTTPException(405, sentence, {"allow": ""})


def _model(name: str) -> LabelModel:
    if name not in MODELS:
        raise HTTPException(404, f"There is no such model; there are {', '.join(MODELS)}.")
    return MODELS[name]


def _described(model: LabelModel) -> dict[str, Any]:
    return {
        "type": "segmentation",
        "labels": model.labels,
        "dimension": 3,
        "description": model.description,
        "config": {},
    }


def _stats(service: Service) -> dict[str, Any]:
    return {"total": len(service.store.images("image")), "completed": 0, "label_tags": {}}


def _session(image: Image | None, service: Service) -> dict[str, Any]:
    created = int(image.created) if image is not None else 0
    return {
        "name": image.id if image is not None else "", "path": "", "image": "", "meta": {}, "create_ts": created,
        "last_access_ts": created, "expiry": int(service.settings.limits.upload_h * 3600),
    }  # fmt: skip


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _image(service: Service, name: str) -> Image:
    image = service.store.image(_digest(name), "image") or service.store.image(name, "image")
    if image is None:
        raise HTTPException(
            404, "There is no such image; it may have been removed after its time. Upload it again."
        )
    return image


def _source(service: Service, image: str, session_id: str) -> Image:
    if session_id:
        session = service.store.image(session_id, "session")
        if session is None:
            raise HTTPException(404, "There is no such session; it may be over. Upload the scan again.")
        return session
    if not image:
        raise HTTPException(422, "Neither an image, a file nor a session was given.")
    return _image(service, image)


def _params(text: str) -> dict[str, Any]:
    try:
        params = json.loads(text or "{}")
    except ValueError:
        raise HTTPException(422, "The form's params are not JSON.") from None
    if params is not None and not isinstance(params, dict):
        raise HTTPException(422, "The form's params must be a JSON object.")
    return params or {}


def _wishes(params: dict[str, Any]) -> Wishes:
    levels, cement = params.get("levels"), params.get("cement_ml")
    if (
        not isinstance(levels, str | None)
        or isinstance(cement, bool)
        or not isinstance(cement, int | float | None)
    ):
        raise ConfigError("levels must be a text such as L1,L2, and cement_ml a number.")
    return Wishes(parse_level_names(levels), None, None, None if cement is None else float(cement))
