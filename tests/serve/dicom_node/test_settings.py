"""Options that are refused, before anything listens."""

from pathlib import Path

import pytest

from vertseg.cli import main
from vertseg.errors import ConfigError
from vertseg.serve.dicom_node.settings import NodeSettings, Peer, Web, parse_peer, parse_web


def test_addresses() -> None:
    assert parse_peer("MY PACS@10.0.0.5:104") == Peer("MY PACS", "10.0.0.5", 104)
    assert parse_web("https://pacs/dicom-web/") == Web("https://pacs/dicom-web")


@pytest.mark.parametrize(
    "text", ["PACS", "PACS@host", "@host:1", "PACS@host:0", "PACS@host:70000", "A\\B@h:1", "A" * 17 + "@h:1"]
)
def test_what_is_no_address_is_refused(text) -> None:
    with pytest.raises(ConfigError):
        parse_peer(text)


@pytest.mark.parametrize("url", ["pacs/dicom-web", "ftp://pacs", "https://"])
def test_what_is_no_url_is_refused(url) -> None:
    with pytest.raises(ConfigError, match="DICOMweb"):
        parse_web(url)


def test_other_machines_need_names() -> None:
    with pytest.raises(ConfigError, match="--allow"):
        NodeSettings(folder=Path("x"), host="0.0.0.0")
    assert NodeSettings(folder=Path("x"), host="0.0.0.0", allow=("CT1",)).allow == ("CT1",)
    assert NodeSettings(folder=Path("x"), host="::1").host == "::1"


@pytest.mark.parametrize(
    "options",
    [
        ["--send-to", "nowhere"],
        ["--stow", "pacs"],
        ["--host", "0.0.0.0"],
        ["--aet", ""],
        ["--quiet-seconds", "0"],
        ["--max-instances", "0"],
        ["--port", "99999"],
    ],
)
def test_the_command_says_so_in_a_sentence_and_writes_nothing(tmp_path, capsys, options) -> None:
    assert main(["dicom-node", "--output", str(tmp_path / "node"), *options]) == 2
    assert capsys.readouterr().err.startswith("vertseg: ")
    assert not (tmp_path / "node").exists()
