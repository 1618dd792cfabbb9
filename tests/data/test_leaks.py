from pathlib import Path

import numpy as np
import pytest

from vertseg.data.leaks import read_leak_table
from vertseg.errors import ConfigError

HEADER = "case,level,leak_B,leak_S,leak_C,leak_D,volume_ml,viscosity,approach\n"


def test_empty_cells_are_unknown(tmp_path: Path) -> None:
    path = tmp_path / "leak.csv"
    path.write_text(
        "\ufeff" + HEADER + "p1, l1 ,1,0,,0,4.0,low,bipedicular\np2,T12,,,,,,,\n", encoding="utf-8"
    )
    table = read_leak_table(path, {"p1", "p2"})
    first, second = table["p1", 20], table["p2", 19]
    assert np.array_equal(first.leak, [1, 0, np.nan, 0], equal_nan=True)
    assert first.plan.tolist() == [4, 0, 1]
    assert np.isnan(second.leak).all() and np.isnan(second.plan).all()


def test_leaked_volumes_and_pathology_may_stand_in_the_table(tmp_path: Path) -> None:
    plain, noted = tmp_path / "plain.csv", tmp_path / "noted.csv"
    plain.write_text(HEADER + "p1,L1,1,0,0,1,4.0,low,bipedicular\n")
    noted.write_text(
        HEADER.strip() + ",volume_B_ml,volume_C_canal_ml,pathology\n"
        "p1,L1,1,0,0,1,4.0,low,bipedicular,0.31,,lytic_lesion\n"
    )
    first, second = (read_leak_table(path, {"p1"})["p1", 20] for path in (plain, noted))
    assert np.array_equal(second.leak, first.leak) and np.array_equal(second.plan, first.plan)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEADER.replace("leak_D", "leak_E"), "has the columns .*leak_E"),
        (HEADER.replace(",", ";"), "with commas between them"),
        (HEADER + "p11,L1\n", "Row 2 .* names the case 'p11'.*nearest is .'p1'"),
        (HEADER + "p1,L9\n", "Row 2 .*'L9' is not a vertebral level"),
        (HEADER + "p1,L1,yes\n", "'yes' for leak_B; it is one of 0, 1, or empty"),
        (HEADER + "p1,L1,,,,,400\n", "'400' for volume_ml"),
        (HEADER + "p1,L1,,,,,nan\n", "'nan' for volume_ml"),
        (HEADER + "p1,L1,,,,,4 ml\n", "'4 ml' for volume_ml"),
        (HEADER + "p1,L1,,,,,4,thick\n", "'thick' for viscosity; it is one of low, medium, high"),
        (HEADER + "p1,L1\np1,l1\n", "Row 3 .* is the second one of L1 of 'p1'"),
        (HEADER + "p1,L1,,,,,,,,9\n", "Row 2 .* more cells"),
    ],
)
def test_a_wrong_table_is_refused_in_a_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "leak.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        read_leak_table(path, {"p1", "p2"})


def test_an_absent_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_leak_table(tmp_path / "none.csv", {"p1"})
