"""CT series out of a DICOMweb service (QIDO-RS and WADO-RS, PS3.18)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from dicomweb_client.api import DICOMwebClient
from dicomweb_client.session_utils import create_session

from vertseg.errors import InputError

TOKEN: Final = "VERTSEG_DICOMWEB_TOKEN"
"""Environment variable with a bearer token, for services that want one."""

_MAX_INSTANCES: Final = 5000


def web_client(url: str) -> DICOMwebClient:
    """A client of the service at `url`, with the token of `TOKEN` where there is one."""
    session: Any = create_session()
    token = os.environ.get(TOKEN)
    if token:
        session.headers["Authorization"] = f"Bearer {token}"
    client = DICOMwebClient(url=url.rstrip("/"), session=session)
    client.set_http_retry_params(retry=True, max_attempts=3, wait_exponential_multiplier=500)
    return client


@contextmanager
def fetched_series(url: str, study: str, series: str | None = None) -> Iterator[Path]:
    """A folder with a CT series' instances, which is removed in the end.

    Args:
        url: of the service, such as "https://pacs/dicom-web".
        study: StudyInstanceUID.
        series: SeriesInstanceUID; None takes the only CT series of the study.

    Raises:
        InputError: the service cannot be reached or refuses, or there is no such series, or several.
    """
    with TemporaryDirectory(prefix="vertseg-") as folder:
        try:
            _fetch(web_client(url), study, series, Path(folder))
        except InputError:
            raise
        except Exception as error:  # requests' and the client's own errors have no common base
            raise InputError(
                f"The DICOMweb service at {url} did not give the series ({_reason(error)}); check the address, the UIDs "
                f"and the token in {TOKEN}."
            ) from error
        yield Path(folder)


def _fetch(client: DICOMwebClient, study: str, series: str | None, folder: Path) -> None:
    if series is None:
        series = _only_ct(client, study)
    instances = client.search_for_instances(study, series, limit=_MAX_INSTANCES + 1)
    if not instances:
        raise InputError(f"The study has no series {series}; leave --series out to see which it has.")
    if len(instances) > _MAX_INSTANCES:
        raise InputError(f"The series has more than {_MAX_INSTANCES} instances, which is no CT of a spine.")
    for index, instance in enumerate(instances):
        uid = instance["00080018"]["Value"][0]
        dataset = client.retrieve_instance(study, series, uid, media_types=(("application/dicom", "*"),))
        dataset.save_as(folder / f"{index:05d}.dcm", enforce_file_format=True)


def _only_ct(client: DICOMwebClient, study: str) -> str:
    found = client.search_for_series(study, search_filters={"Modality": "CT"})
    uids = [str(s["0020000E"]["Value"][0]) for s in found]
    if len(uids) != 1:
        listed = ", ".join(uids)
        raise InputError(
            f"The study has {len(uids)} CT series ({listed}); choose one with --series."
            if uids
            else "The service has no CT series of this study; check --study."
        )
    return uids[0]


def _reason(error: Exception) -> str:
    response: Any = getattr(error, "response", None)
    return f"HTTP {response.status_code}" if response is not None else type(error).__name__
