"""scripts/validate_injection.py: its three files, and wrong arguments told in a sentence."""

import importlib.util
import json
from pathlib import Path

import pytest

from vertseg.cement.routes import ROUTES
from vertseg.cement.validation import run
from vertseg.cement.validation.run import Treatment

SCRIPT = Path(__file__).parents[3] / "scripts" / "validate_injection.py"


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("validate_injection", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stand_in(vertebrae, config):
    return [
        Treatment(
            v.case, v.patient, v.population, v.level, v.severity, v.height_loss, v.cleft, v.endplate_break != 0,
            20.0 * bool(v.wall_break), 0.0, 20.0 * (v.case % 2), v.lesion, v.foramen_mm, v.trabecular_hu, 20.0,
            v.plan.volume_ml, v.plan.viscosity, v.plan.approach,
            {r: 0.1 * ((v.case + i) % 4 == 0) for i, r in enumerate(ROUTES)}, 1.0,
        )
        for v in vertebrae
    ]  # fmt: skip


def test_it_writes_the_table_as_json_markdown_and_picture(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "treat", stand_in)
    out = tmp_path / "validation.json"
    monkeypatch.setattr(
        "sys.argv",
        [
            "validate",
            "--vertebrae",
            "90",
            "--output",
            str(out),
            "--cache",
            str(tmp_path / "c"),
            "--repeats",
            "20",
        ],
    )
    assert script.main() == 0
    result = json.loads(out.read_text())
    assert (result["vertebrae"], result["asked"]) == (90, 10)
    assert result["inside"] == sum(row["inside"] for row in result["rows"] if row["row"])
    assert f"{result['inside']} of 10 rows inside" in capsys.readouterr().out
    assert out.with_suffix(".md").read_text().startswith("# Injection simulator")
    assert out.with_suffix(".png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--vertebrae", "0", "give 1 or more"),
        ("--workers", "0", "give 1 or more"),
        ("--spacing", "0", "give 0.5 to 3 mm"),
        ("--spacing", "nan", "give 0.5 to 3 mm"),
        ("--repeats", "0", "--repeats must be 1 or more"),
        ("--seed", "-1", "--seed 0 or more"),
    ],
)
def test_what_cannot_be_simulated_ends_with_a_sentence_and_status_2(
    script, option, value, word, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("sys.argv", ["validate", option, value, "--cache", str(tmp_path)])
    assert script.main() == 2
    assert word in capsys.readouterr().err
