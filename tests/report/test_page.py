"""`report.html` as a file; what a browser makes of it is in `test_browser`."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from vertseg import Volume
from vertseg.inference.findings import Findings
from vertseg.report.document import write_page
from vertseg.report.page_data import PageOptions

NAME = "ROSSI_MARIO"


@pytest.fixture(scope="module")
def named(findings: Findings) -> Findings:
    """Findings of a scan whose file and description hold the patient's name."""
    provenance = replace(
        findings.provenance,
        scan=f"/data/{NAME}/ct.nii.gz",
        description={"modality": "CT", "series_description": f"spine {NAME}"},
    )
    return replace(findings, provenance=provenance)


@pytest.fixture(scope="module")
def page(named: Findings, scan: Volume, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    write_page(named, scan, folder, (), PageOptions())
    return (folder / "report.html").read_text(encoding="utf-8")


def data_of(page: str) -> dict[str, object]:
    content: dict[str, object] = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    return content


def test_the_patient_is_not_named(page: str) -> None:
    assert NAME not in page
    assert data_of(page)["scan"]["description"] == {"modality": "CT"}  # type: ignore[index]


def test_the_patient_is_named_when_asked(named: Findings, scan: Volume, tmp_path: Path) -> None:
    write_page(named, scan, tmp_path, (), PageOptions(show_patient=True))
    shown = data_of((tmp_path / "report.html").read_text(encoding="utf-8"))["scan"]
    assert shown["name"] == "ct.nii.gz"  # type: ignore[index]
    assert NAME in shown["description"]["series_description"]  # type: ignore[index]


def test_only_the_page_s_own_scripts_may_run(page: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]  # type: ignore[index]
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = {base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts}
    assert hashes == allowed and len(scripts) == 2
    assert "default-src 'none'" in policy and "connect-src 'none'" in policy
    assert "unsafe-eval" not in policy and "http" not in policy


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    own = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', own)


def test_the_language_is_the_one_asked_for(findings: Findings, scan: Volume, tmp_path: Path) -> None:
    write_page(findings, scan, tmp_path, (), PageOptions(language="it"))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<html lang="it">' in page and data_of(page)["language"] == "it"


def test_a_text_cannot_end_the_data(findings: Findings, scan: Volume, tmp_path: Path) -> None:
    sentence = "</script><script>alert(1)</script>"
    write_page(replace(findings, warnings=(sentence,)), scan, tmp_path, (), PageOptions())
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert sentence not in page
    assert data_of(page)["warnings"] == [sentence]
