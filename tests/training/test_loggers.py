import csv
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.training.commands import CONFIGS, column, train
from vertseg.training.config import load_recipe
from vertseg.training.loggers import public_metric, public_set_names, public_settings

PATIENT = "DOE_JANE_19470101"


class Listener:
    """Counts the connections that a program makes to the server it is pointed at."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                self._socket.accept()[0].close()
            except OSError:
                return
            self.connections += 1


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """Proxy of all HTTP traffic, and W&B's server too."""
    listener = Listener()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "WANDB_BASE_URL"):
        monkeypatch.setenv(name, listener.address)
    for name in ("NO_PROXY", "no_proxy", "WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_SILENT", "true")
    yield listener
    listener.close()


def test_wandb_gets_curves_settings_and_pictures_without_network_or_names(
    tmp_path: Path, cache: Path, network: Listener
) -> None:
    output = tmp_path / PATIENT
    assert train("locate", output, cache, "--logger", "wandb") == 0
    assert network.connections == 0

    run = next((output / "wandb").glob("offline-run-*"))
    pictures = sorted(path.name.split("_", 1)[0] for path in run.glob("files/media/images/*.png"))
    assert pictures == ["confusion", "confusion", "validation", "validation"]  # two validations
    assert list(run.glob("files/media/table/confusion_of_levels_table*"))
    sent = next(run.glob("*.wandb")).read_bytes()
    for word in (
        b"train/loss",
        b"val/dice_vertebra",
        b"optimisation.learning_rate",
        b"data.loading.batch_size",
    ):
        assert word in sent
    for kept in (
        path.read_bytes() for path in (*run.glob("*.wandb"), *run.rglob("files/**/*")) if path.is_file()
    ):
        assert PATIENT.encode() not in kept
        assert str(cache).encode() not in kept

    assert len(column(output, "train/loss")) == 4
    settings = yaml.safe_load(next((output / "log").glob("*/hparams.yaml")).read_text())
    assert settings["run.output"] == str(output)
    assert settings["optimisation.max_steps"] == 4


def test_csv_alone_writes_the_confusion_too(tmp_path: Path, cache: Path, network: Listener) -> None:
    assert train("locate", tmp_path, cache) == 0
    assert network.connections == 0
    assert not (tmp_path / "wandb").exists()
    with (tmp_path / "confusion_of_levels.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["vertebrae"]) for row in rows) > 0
    right = sum(int(row["voxels"]) for row in rows if row["wanted"] == row["found"])
    share = right / sum(int(row["voxels"]) for row in rows)
    assert share == pytest.approx(column(tmp_path, "val/level_accuracy")[-1], abs=1e-4)
    assert (tmp_path / "confusion_of_levels.png").stat().st_size > 5000


def test_settings_and_figures_without_paths() -> None:
    sets = (
        f"[{{index: /scans/{PATIENT}/index.json, weight: 2}}, {{index: b/{PATIENT}/index.json, name: verse}}]"
    )
    overrides = [f"data.sets={sets}", f"run.initial={PATIENT}.safetensors"]
    recipe = load_recipe("locate", CONFIGS / "locate.yaml", overrides)
    found = public_settings(recipe)
    assert found["data.sets.0.index"] == found["run.initial"] == "set"
    assert (found["data.sets.0.weight"], found["data.sets.1.name"]) == (2, "verse")
    assert found["filters"] == [8, 24, 48, 96, 160]
    assert found["optimisation.learning_rate"] == 0.002
    assert found["data.phantom.field"] == "random"
    assert PATIENT not in str(found)

    names = public_set_names(recipe)
    assert public_metric(f"val/{PATIENT}/dice_body", names) == "val/set_0/dice_body"
    assert public_metric("val/verse/dice_body", names) == "val/verse/dice_body"
    assert public_metric("val/dice_body", names) == "val/dice_body"
