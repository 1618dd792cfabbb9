"""Two predictions give the same bytes, however many threads there are and whichever ends first."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.inference.drawn import draw_spine
from tests.inference.oracle import Oracle, hu_of
from vertseg import predict
from vertseg.inference import in_threads
from vertseg.report.writer import write_outputs

NAMES = "L1 L2 L3"
SCAN = hu_of(draw_spine(NAMES, sacrum=True))


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file but the report, of which the times are taken off."""
    found = {}
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        if path.name == "report.json":
            report = json.loads(content)
            del report["seconds"]
            content = json.dumps(report).encode()
        found[path.name] = hashlib.sha256(content).hexdigest()
    return found


def test_threads_and_repetition_change_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for run, threads in enumerate((1, 3, 3)):
        monkeypatch.setattr(in_threads, "cpu_threads", lambda asked, n=threads: n)
        folder = write_outputs(predict(SCAN, engine=Oracle(NAMES.split())), SCAN, tmp_path / str(run))
        results.append(hashes(folder))
    assert {"levels.nii.gz", "vertebrae.csv", "preview.png", "report.json"} <= set(results[0])
    assert results[0] == results[1] == results[2]
