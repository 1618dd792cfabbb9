"""What a server keeps on its disk, and what it clears away when it begins."""

from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from vertseg.serve.jobs import Image
from vertseg.serve.service import Service
from vertseg.serve.settings import ServeSettings


def test_scans_that_a_killed_server_kept_for_nobody_are_removed(tmp_path: Path) -> None:
    settings = ServeSettings(tmp_path)
    killed = Service(settings)
    kept, stray = killed.places.images / "kept", killed.places.images / "stray"
    upload = killed.places.jobs / "stray"
    for folder in (kept, stray, upload):
        folder.mkdir()
        (folder / "scan.nii").write_bytes(b"voxels")
    killed.store.add_image(Image("i", "image", "kept/scan.nii", 0.0))
    killed.store.close()
    killed.places.release()
    again = Service(settings)
    assert list(again.places.images.iterdir()) == [kept]
    assert not list(again.places.jobs.iterdir())
    again.store.close()
    again.places.release()
