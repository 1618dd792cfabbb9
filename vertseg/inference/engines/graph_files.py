"""ONNX files of a folder of checkpoints, for the engines that run them."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vertseg.errors import CheckpointError
from vertseg.io.nifti import file_sha256
from vertseg.nets.meta import TASKS, Meta, Task, check_task, load_meta, weights_path

WEIGHTS_KEY: Final = "vertseg.weights_sha256"
"""Metadata of a graph that holds its weights: digest of the .safetensors that they came from."""

LAYOUT_KEY: Final = "vertseg.layout_sha256"
"""Metadata of a graph whose weights lie in the .safetensors beside it: digest of that file's header.

The header gives each tensor's place, so one graph serves every checkpoint of its architecture.
"""


@dataclass(frozen=True)
class GraphFile:
    """A graph, and what the JSON beside it says of its weights."""

    path: Path
    meta: Meta

    def check(self, metadata: Callable[[str], str | None]) -> None:
        """Refuse a graph that does not belong to the checkpoint beside it; `metadata` gives its entries.

        Raises:
            CheckpointError: it is of other weights, or says nothing of them.
        """
        weights, layout = metadata(WEIGHTS_KEY), metadata(LAYOUT_KEY)
        if weights is not None:
            fits = weights == self.meta.sha256
        elif layout is not None:
            beside = self.path.with_suffix(".safetensors")
            fits = layout == layout_digest(beside)
            if fits and file_sha256(beside) != self.meta.sha256:
                raise CheckpointError(
                    f"{beside} is not the file its JSON describes (sha256 differs); copy both files again."
                )
        else:
            fits = False
        if not fits:
            raise CheckpointError(
                f"{self.path} was not exported from the checkpoint that {self.path.stem}.json describes; export it "
                "again: vertseg export onnx."
            )


def graph_files(folder: Path | None) -> dict[Task, GraphFile]:
    """Both tasks' graphs in a folder; None takes the default checkpoints'.

    Raises:
        CheckpointError: a graph or its JSON is absent or damaged.
    """
    files: dict[Task, GraphFile] = {}
    for task in TASKS:
        weights = weights_path(task, folder)
        path = weights.with_suffix(".onnx")
        if not path.exists():
            raise CheckpointError(
                f"{path} does not exist, and this engine runs ONNX files; write them with vertseg export onnx "
                f"--checkpoint-dir {path.parent} --output DIR and predict with --checkpoint-dir DIR, or use "
                "--engine torch."
            )
        meta = load_meta(weights)
        check_task(meta, task, weights)
        files[task] = GraphFile(path, meta)
    return files


def layout_digest(weights: Path) -> str:
    """SHA-256 of a .safetensors header: names, types, shapes and places of its tensors.

    Raises:
        CheckpointError: the file is absent or cut short.
    """
    return hashlib.sha256(weights_header(weights)).hexdigest()


def weights_header(weights: Path) -> bytes:
    """The header of a .safetensors, JSON after its length in 8 bytes; the tensors lie behind it.

    Raises:
        CheckpointError: the file is absent or cut short.
    """
    try:
        with weights.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = file.read(length)
    except OSError as error:
        raise CheckpointError(
            f"{weights} cannot be read ({error.strerror}); copy the checkpoint again."
        ) from None
    if len(header) != length:
        raise CheckpointError(f"{weights} is cut short; copy the checkpoint again.")
    return header


def not_loaded(path: Path, runtime: str, error: Exception) -> CheckpointError:
    """The sentence for a graph that a runtime refused."""
    return CheckpointError(f"{path} cannot be loaded by {runtime}: {' '.join(str(error).split())[:300]}")
