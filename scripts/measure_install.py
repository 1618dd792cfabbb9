#!/usr/bin/env python3
"""Installed size of vertseg with each of its extras, from the packages of the running environment; JSON.

python scripts/measure_install.py [--output benchmarks/install.json]

Follows the requirements of pyproject.toml through the installed packages' own metadata and adds up their files.
"""

import argparse
import json
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from vertseg.io.atomic import write_text

ROOT = Path(__file__).parents[1]
SETS = {
    "vertseg[runtime]": ["runtime"],
    "vertseg[runtime,dicom]": ["runtime", "dicom"],
    "vertseg[torch]": ["torch"],
    "vertseg[runtime,torch,train,dicom]": ["runtime", "torch", "train", "dicom"],
}


def closure(wanted: list[str], project: dict[str, Any]) -> tuple[dict[str, int], list[str]]:
    """Bytes of every package that extras of the project need, and those that are not installed here."""
    extras = project["optional-dependencies"]
    todo = [Requirement(text) for text in project["dependencies"]]
    todo += [Requirement(text) for extra in wanted for text in extras[extra]]
    sizes: dict[str, int] = {}
    absent: list[str] = []
    seen: set[tuple[str, str]] = set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if name == "vertseg":
            todo += [Requirement(text) for extra in requirement.extras for text in extras[extra]]
            continue
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = distribution(name)
        except PackageNotFoundError:
            absent.append(name)
            continue
        if name not in sizes:
            sizes[name] = sum(
                p.stat().st_size for f in found.files or [] if (p := Path(str(f.locate()))).is_file()
            )
        for extra in ("", *requirement.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                todo += [
                    r for r in map(Requirement, found.requires or [])
                    if r.marker is None or (r.marker.evaluate({"extra": extra}) and (extra == "" or "extra" in str(r.marker)))
                ]  # fmt: skip
    return sizes, sorted(set(absent))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("benchmarks/install.json"))
    arguments = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    own = sum(p.stat().st_size for p in (ROOT / "checkpoints").glob("*.*") if p.is_file())
    own += sum(p.stat().st_size for p in (ROOT / "vertseg").rglob("*.py"))
    result: dict[str, Any] = {"vertseg_itself_mb": round(own / 1e6, 1)}
    for name, extras in SETS.items():
        sizes, absent = closure(extras, project)
        largest = dict(sorted(sizes.items(), key=lambda item: -item[1])[:8])
        result[name] = {
            "mb": round((own + sum(sizes.values())) / 1e6), "packages": len(sizes),
            "largest_mb": {k: round(v / 1e6, 1) for k, v in largest.items()}, "not_installed_here": absent,
        }  # fmt: skip
    write_text(arguments.output, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
