#!/usr/bin/env python3
"""Feed mutated NIfTI and DICOM inputs to the reader and to the server.

python scripts/fuzz_inputs.py [--inputs 2000] [--seed 0] [--served 200] [--output benchmarks/fuzz.json]

Seeds are a small drawn CT as .nii, .nii.gz, a DICOM slice and a zip of a DICOM series. Mutations: bytes flipped,
overwritten with boundary values, cut, repeated, removed, joined from two inputs; header fields of NIfTI set to extremes;
DICOM lengths and elements changed; gzip and zip made anew around mutated contents, so that the inner parsers are
reached. Every input goes the way of an upload (look, check, unpack, read) in a process with an address-space limit; a
part of them goes to a server too. Counted: read, refused with a sentence, and what must not be: other exceptions,
crashes, hangs over 10 s, memory over 2 GB, answers of 5xx. What failed is kept beside the JSON.
"""

import argparse
import gzip
import io
import json
import multiprocessing
import os
import resource
import shutil
import struct
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom

from vertseg import __version__
from vertseg.errors import VertsegError
from vertseg.io.atomic import write_text
from vertseg.serve.reading import read_upload
from vertseg.serve.settings import Limits
from vertseg.serve.uploads import kind_of

LIMIT_S = 10.0
_NET = "in a way that its reader does not know"
"""Of `vertseg.serve.reading`: a gap in the reader's own refusals."""
LIMIT_BYTES = 2 << 30
LIMITS = Limits(upload_mib=64, inflated_mib=256, files=500)
_BOUNDARY = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x80",
    b"\xff\xff\xff\x7f",
    b"\x00" * 8,
)
_NIFTI_FIELDS = ((0, "i"), *((40 + 2 * i, "h") for i in range(8)), (70, "h"), (72, "h"), *((76 + 4 * i, "f") for i in range(8)),
                 (108, "f"), (112, "f"), (116, "f"), (123, "b"), (252, "h"), (254, "h"),
                 *((256 + 4 * i, "f") for i in range(18)))  # fmt: skip
"""Offset and type of header fields (nifti1.h): sizes, dim, datatype, bitpix, pixdim, vox_offset, scale, units, affine."""
_EXTREMES: dict[str, tuple[float, ...]] = {
    "b": (0, -1, 127, -128), "h": (0, 1, -1, 2, 3, 7, 8, 16, 64, 512, 32767, -32768),
    "i": (0, 348, 540, -1, 2**31 - 1), "f": (0.0, -1.0, 1e30, -1e30, 1e-30, float("nan"), float("inf")),
}  # fmt: skip

Rng = np.random.Generator


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """HU (X, Y, Z) of a bright column in soft tissue and air, and its affine."""
    x, y, z = np.indices((24, 24, 20))
    hu = np.where(y > 20, -1000, 40).astype(np.int16)
    hu[((x - 12) ** 2 + (y - 12) ** 2 < 25) & (z % 6 < 4)] = 700
    return hu, np.array([[-3.0, 0, 0, 30], [0, -3, 0, 40], [0, 0, 3, -20], [0, 0, 0, 1.0]])


def nifti_bytes() -> bytes:
    """The drawn CT as an uncompressed NIfTI file."""
    image = nib.Nifti1Image(*drawn())
    image.header.set_xyzt_units("mm")
    return bytes(image.to_bytes())


def dicom_slices() -> list[bytes]:
    """The drawn CT as DICOM slices."""
    hu, _ = drawn()
    slices = []
    for k in range(hu.shape[2]):
        data = pydicom.Dataset()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(f"1.2.3.{k + 1}")
        data.StudyInstanceUID, data.SeriesInstanceUID, data.Modality = "1.2", "1.2.3", "CT"
        data.PhotometricInterpretation, data.SamplesPerPixel = "MONOCHROME2", 1
        data.Rows, data.Columns = hu.shape[1], hu.shape[0]
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 1
        data.RescaleSlope, data.RescaleIntercept = 1, 0
        data.PixelSpacing, data.ImageOrientationPatient = [3, 3], [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [-30, -40, -20 + 3 * k]
        data.PixelData = hu[:, :, k].T.tobytes()
        out = io.BytesIO()
        pydicom.dcmwrite(out, data, enforce_file_format=True)
        slices.append(out.getvalue())
    return slices


def mutated(content: bytes, rng: Rng) -> bytes:
    """Content with one to eight changes of no particular format."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        if not data:
            break
        # Headers matter more than voxels.
        at = int(rng.integers(0, len(data) if rng.random() < 0.3 else min(len(data), 700)))
        change = int(rng.integers(0, 6))
        if change == 0:
            data[at] ^= 1 << int(rng.integers(0, 8))
        elif change == 1:
            value = _BOUNDARY[int(rng.integers(0, len(_BOUNDARY)))]
            data[at : at + len(value)] = value
        elif change == 2:
            del data[at:]
        elif change == 3:
            del data[at : at + int(rng.integers(1, 64))]
        elif change == 4:
            data[at:at] = data[at : at + int(rng.integers(1, 64))] * int(rng.integers(1, 4))
        else:
            data[at] = int(rng.integers(0, 256))
    return bytes(data)


def with_fields(content: bytes, rng: Rng) -> bytes:
    """A NIfTI file with header fields set to extremes."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        offset, code = _NIFTI_FIELDS[int(rng.integers(0, len(_NIFTI_FIELDS)))]
        value = _EXTREMES[code][int(rng.integers(0, len(_EXTREMES[code])))]
        struct.pack_into("<" + code, data, offset, value if code == "f" else int(value))
    return bytes(data)


def zipped(members: list[bytes]) -> bytes:
    """Members in a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for index, member in enumerate(members):
            archive.writestr(f"{index}.dcm", member)
    return out.getvalue()


class Makers:
    """Makes inputs, each from its own number."""

    def __init__(self) -> None:
        self.nifti, self.slices = nifti_bytes(), dicom_slices()
        self.packed, self.series = gzip.compress(self.nifti, 1), zipped(self.slices)
        self.ways: dict[str, Callable[[Rng], bytes]] = {
            "nifti_bytes": lambda rng: mutated(self.nifti, rng),
            "nifti_fields": lambda rng: with_fields(self.nifti, rng),
            "gzip_outside": lambda rng: mutated(self.packed, rng),
            "gzip_inside": lambda rng: gzip.compress(
                with_fields(mutated(self.nifti, rng) + bytes(400), rng), 1
            ),
            "dicom_slice": lambda rng: mutated(self._any(rng), rng),
            "zip_outside": lambda rng: mutated(self.series, rng),
            "zip_inside": self._series,
            "joined": lambda rng: (
                self._any(rng)[: int(rng.integers(1, 900))] + self.nifti[int(rng.integers(0, 900)) :]
            ),
        }

    def made(self, number: int, seed: int) -> tuple[str, bytes]:
        """The way and the bytes of an input."""
        name = list(self.ways)[number % len(self.ways)]
        return name, self.ways[name](np.random.default_rng((seed, number)))

    def _any(self, rng: Rng) -> bytes:
        return self.slices[int(rng.integers(0, len(self.slices)))]

    def _series(self, rng: Rng) -> bytes:
        members = list(self.slices)
        for index in rng.integers(0, len(members), int(rng.integers(1, 4))):
            members[int(index)] = mutated(members[int(index)], rng)
        return zipped(members)


@dataclass(frozen=True)
class Outcome:
    """How an input ended: "read", "refused", or what must not be; with a sentence, seconds and peak bytes."""

    kind: str
    said: str
    seconds: float


def uploaded(content: bytes, folder: Path) -> None:
    """What a worker does with an upload before it predicts."""
    path = folder / "upload"
    path.write_bytes(content)
    path = path.rename(folder / f"scan{kind_of(path)}")
    (folder / "unpacked").mkdir()
    read_upload(path, folder / "unpacked", LIMITS)


def reader(connection: Connection) -> None:
    """Answers inputs until the other end closes."""
    import warnings

    warnings.simplefilter("ignore")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT_BYTES, used + LIMIT_BYTES))
    while True:
        try:
            content = connection.recv_bytes()
        except EOFError:
            return
        folder = Path(tempfile.mkdtemp())
        start = time.perf_counter()
        try:
            uploaded(content, folder)
            kind, said = "read", ""
        except VertsegError as error:
            kind, said = "refused", str(error)
        except MemoryError:
            kind, said = "memory", "more than 2 GB"
        except BaseException as error:
            kind, said = "exception", f"{type(error).__name__}: {error}"[:300]
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        connection.send(Outcome(kind, said, time.perf_counter() - start))


class Reader:
    """A reader's process, replaced when it crashed or had to be killed."""

    def __init__(self) -> None:
        self._open()

    def tried(self, content: bytes) -> Outcome:
        """What became of an input."""
        try:
            self._ours.send_bytes(content)
            if not self._ours.poll(LIMIT_S):
                self._replace()
                return Outcome("hang", f"over {LIMIT_S:g} s", LIMIT_S)
            outcome: Outcome = self._ours.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode
            self._replace()
            return Outcome("crash", f"exit {code}", 0.0)
        return outcome

    def peak_bytes(self) -> int:
        """Most memory that the process ever had, while it lives."""
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()

    def _open(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=reader, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def _replace(self) -> None:
        self.close()
        self._open()


def through_reader(makers: Makers, arguments: argparse.Namespace, bad: Path) -> dict[str, Any]:
    """Figures of the reader."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in makers.ways}
    slowest, netted, failures = 0.0, 0, []
    process = Reader()
    process.tried(makers.nifti)
    for number in range(arguments.inputs):
        name, content = makers.made(number, arguments.seed)
        outcome = process.tried(content)
        counts[name][outcome.kind] += 1
        netted += _NET in outcome.said
        slowest = max(slowest, outcome.seconds)
        if outcome.kind not in ("read", "refused") or not (
            outcome.kind == "read" or outcome.said.endswith(".")
        ):
            failures.append({"number": number, "way": name, "kind": outcome.kind, "said": outcome.said})
            bad.mkdir(parents=True, exist_ok=True)
            (bad / f"{number:06d}-{name}").write_bytes(content)
    peak = process.peak_bytes()
    process.close()
    total: Counter[str] = sum(counts.values(), Counter())
    return {
        "inputs": arguments.inputs,
        "outcomes": dict(sorted(total.items())),
        "by_way": {name: dict(sorted(c.items())) for name, c in counts.items()},
        "refused_by_the_net": netted,
        "slowest_s": round(slowest, 2),
        "peak_mib": round(peak / (1 << 20)),
        "failures": failures,
    }


def through_server(makers: Makers, arguments: argparse.Namespace) -> dict[str, Any]:
    """Figures of a server: every answer and how every accepted job ended."""
    import httpx
    from bench_serve import started

    statuses: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    unsaid, slowest = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        arguments.queue, arguments.threads = 16, 1
        process, url = started(Path(folder) / "serve", arguments)
        try:
            with httpx.Client(base_url=url, timeout=60) as http:
                for number in range(arguments.served):
                    _, content = makers.made(number, arguments.seed + 1)
                    start = time.monotonic()
                    answer = http.post("/v1/jobs", files={"scan": ("scan", content)})
                    statuses[str(answer.status_code)] += 1
                    if answer.status_code != 202:
                        unsaid += [number] if not answer.json()["detail"].endswith(".") else []
                        continue
                    job = answer.json()["id"]
                    while (state := http.get(f"/v1/jobs/{job}").json())["status"] in ("queued", "running"):
                        time.sleep(0.02)
                    ended[state["status"] + (f" ({state['error_kind']})" if state["error_kind"] else "")] += 1
                    slowest = max(slowest, time.monotonic() - start)
                alive = http.get("/ready").status_code == 200
        finally:
            process.terminate()
            process.wait(180)
    return {
        "inputs": arguments.served, "answers": dict(sorted(statuses.items())), "jobs": dict(sorted(ended.items())),
        "refusals_without_a_sentence": unsaid, "slowest_s": round(slowest, 1), "alive_afterwards": alive,
    }  # fmt: skip


def main() -> int:
    """Fuzz and write; 1 when something failed that should not."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--served", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/fuzz.json"))
    arguments = parser.parse_args()
    makers = Makers()
    bad = arguments.output.with_suffix("").with_name(arguments.output.stem + "_failures")
    result: dict[str, Any] = {"version": __version__, "seed": arguments.seed, "cores": os.cpu_count()}
    result["reader"] = through_reader(makers, arguments, bad)
    if arguments.served:
        result["server"] = through_server(makers, arguments)
    write_text(arguments.output, json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    server = result.get(
        "server", {"alive_afterwards": True, "answers": {}, "refusals_without_a_sentence": []}
    )
    sound = (
        not result["reader"]["failures"]
        and server["alive_afterwards"]
        and not server["refusals_without_a_sentence"]
        and not any(status.startswith("5") for status in server["answers"])
    )
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
