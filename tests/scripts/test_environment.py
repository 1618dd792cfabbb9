"""What the set-up scripts say on a machine where they cannot work."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


def run(script: str, tmp_path: Path, python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script with an interpreter of its own and no environment yet."""
    settings = {**os.environ, "PYTHON": python, "VERTSEG_VENV": str(tmp_path / "venv")}
    command = ["bash", str(SCRIPTS / script), *arguments]
    return subprocess.run(command, env=settings, capture_output=True, text=True, timeout=60, check=False)


def interpreter(folder: Path, version: str, has_venv: bool) -> str:
    """A stand-in that answers the scripts' three questions as such a Python would."""
    path = folder / "python"
    new_enough = tuple(map(int, version.split("."))) >= (3, 11)
    path.write_text(
        '#!/bin/sh\ncase "$2" in\n'
        f"*print*) echo {version} ;;\n"
        f"*exit*) exit {0 if new_enough else 1} ;;\n"
        f"*ensurepip*) exit {0 if has_venv else 1} ;;\n"
        "*) exit 1 ;;\nesac\n"
    )
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("script", ["test.sh", "quickstart.sh"])
def test_without_the_venv_module_the_package_is_named(script: str, tmp_path: Path) -> None:
    result = run(script, tmp_path, interpreter(tmp_path, "3.12", has_venv=False))
    assert result.returncode == 2
    assert "sudo apt-get install python3.12-venv" in result.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("script", ["test.sh", "quickstart.sh"])
def test_an_old_python_is_refused(script: str, tmp_path: Path) -> None:
    result = run(script, tmp_path, interpreter(tmp_path, "3.9", has_venv=True))
    assert result.returncode == 2
    assert "needs Python 3.11 or newer" in result.stderr
    assert "is 3.9" in result.stderr


def test_an_absent_python_is_named(tmp_path: Path) -> None:
    result = run("test.sh", tmp_path, "python-that-is-not-there")
    assert result.returncode == 2
    assert "There is no 'python-that-is-not-there' here" in result.stderr


def test_an_absent_scan_is_refused_before_anything_is_installed(tmp_path: Path) -> None:
    result = run("quickstart.sh", tmp_path, "python3", str(tmp_path / "nowhere.nii.gz"))
    assert result.returncode == 2
    assert "does not exist" in result.stderr
    assert not (tmp_path / "venv").exists()
