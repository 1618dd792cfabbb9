"""Which scans a checkpoint's JSON says it learned from: those are no test."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vertseg.errors import ConfigError
from vertseg.evaluation.sources import IndexedCase, RenderedPhantom, Source
from vertseg.io.nifti import file_sha256

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_LEARNED: Final = ("training",)
"""Parts of an index that weights are learned from; the validation part only draws curves."""


@dataclass(frozen=True)
class Seen:
    """What the checkpoints learned from.

    Attributes:
        seeds: half-open ranges of phantom seeds.
        hashes: SHA-256 of files that were learned from.
        names: of cases, where the JSON lists names without hashes.
        unread: indices that the JSON names and that are no longer there: what they held is not known.
    """

    seeds: tuple[tuple[int, int], ...]
    hashes: frozenset[str]
    names: frozenset[str]
    unread: tuple[str, ...] = ()

    def has(self, source: Source) -> bool:
        """Whether a scan was learned from."""
        if isinstance(source, RenderedPhantom):
            return any(first <= source.seed < end for first, end in self.seeds)
        if isinstance(source, IndexedCase) and self._has_case(source):
            return True
        return source.name in self.names or any(digest in self.hashes for digest in _file_hashes(source))

    def _has_case(self, source: IndexedCase) -> bool:
        """Whether a phantom on disk has a seed that was learned from, or the very index was learned from."""
        seed = _cohort_seed(source.case.image)
        if seed is not None and any(first <= seed < end for first, end in self.seeds):
            return True
        return source.part in _LEARNED and file_sha256(source.index) in self.hashes


def seen_by(checkpoints: Mapping[str, Mapping[str, object]]) -> Seen:
    """All that the checkpoints saw, and those that they were fine-tuned from, nested as deep as it goes.

    Read from `trained_on`: lists under a key that ends in "seeds" (one half-open range or several), any SHA-256,
    lists of names under "cases" or "names", and indices (their path under "index" or "indices"), whose files and
    cases count where the index is still there.

    Args:
        checkpoints: by task, as `Engine.checkpoints` describes them.
    """
    seeds: list[tuple[int, int]] = []
    hashes: set[str] = set()
    names: set[str] = set()
    unread: list[str] = []
    for described in checkpoints.values():
        for key, value in _walk(described.get("trained_on", {})):
            if key.endswith("seeds"):
                seeds.extend(_ranges(value))
            elif key in ("index", "indices"):
                for path in _strings(value):
                    if not _read_index(Path(path), hashes, names):
                        unread.append(path)
            elif key in ("cases", "names"):
                names |= {text for text in _strings(value) if not _SHA256.fullmatch(text)}
            hashes |= {text for text in _strings(value) if _SHA256.fullmatch(text)}
    return Seen(tuple(seeds), frozenset(hashes), frozenset(names), tuple(dict.fromkeys(unread)))


def refuse_seen(seen: Seen, sources: Iterable[Source], allowed: bool) -> bool:
    """Whether any scan was learned from.

    Raises:
        ConfigError: one was, and that is not allowed.
    """
    found = [source.name for source in sources if seen.has(source)]
    if found and not allowed:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise ConfigError(
            f"The checkpoint learned from {', '.join(found[:3])}{more}, so figures on it would flatter; evaluate on "
            "other scans, or give --allow-seen, which marks the result."
        )
    return bool(found)


def _walk(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every key with its value, however deep; a nested checkpoint's own weights are no data."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name != "sha256" or key != "initial":
                yield str(name), inner
                yield from _walk(inner, str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            if isinstance(inner, Mapping):
                yield from _walk(inner, key)


def _ranges(value: Any) -> list[tuple[int, int]]:
    if isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(n, int) for n in value):
        return [(int(value[0]), int(value[1]))]
    if isinstance(value, list | tuple):
        return [r for inner in value if isinstance(inner, list | tuple) for r in _ranges(inner)]
    return []


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for key, inner in value.items() for text in (str(key), *_strings(inner))]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in _strings(inner)]
    return []


def _read_index(path: Path, hashes: set[str], names: set[str]) -> bool:
    """Add an index's cases that were learned from: files by hash, names where no file is there; False without it."""
    try:
        content = json.loads(path.read_text())
        entries = [entry for part in _LEARNED for entry in content.get(part, [])]
    except (OSError, ValueError, AttributeError):
        return False
    for entry in entries:
        image = path.parent / str(entry.get("image", ""))
        digests = {text for text in _strings(entry.get("sha256", {})) if _SHA256.fullmatch(text)}
        if not digests and image.is_file():
            digests = {file_sha256(image)}
        hashes |= digests
        if not digests:
            names.add(str(entry.get("case", entry.get("image", ""))))
    return True


def _file_hashes(source: Source) -> list[str]:
    """Of image and labels: who painted new scans on a label map has seen the patient."""
    return [digest for name, digest in source.hashes().items() if name in ("image", "level")]


def _cohort_seed(image: Path) -> int | None:
    """Seed of a written phantom, from the truth beside its image."""
    beside = image.with_name(image.name.removesuffix(".gz").removesuffix(".nii") + ".json")
    if image.is_dir() or not beside.is_file():
        return None
    try:
        return int(json.loads(beside.read_text())["seed"])
    except (KeyError, TypeError, ValueError):
        return None
