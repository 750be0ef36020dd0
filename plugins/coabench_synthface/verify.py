"""Checking a set of synthetic faces: is every file what the lists say?"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from coabench.base.vocabulary import SUBJECT
from coabench.dataset import Check
from coabench_synthface.folder import SAMPLES, SET

if TYPE_CHECKING:
    from coabench_synthface.dataset import SynthFace

EXAMPLES = 5
"""How many examples a check names."""

Line = Mapping[str, Any]


def verify(dataset: SynthFace) -> list[Check]:
    """Return the checks of one half of a set."""
    lines = [line for line in dataset.folder.samples if line["subset"] == dataset.subset]
    return [
        _made(dataset),
        _list(dataset),
        *_counts(dataset, lines),
        _labels(dataset, lines),
        _persons(lines),
        *_files(dataset, lines),
    ]


def _check(level: Literal["ok", "warning", "error"], text: str, examples: Sequence[str] = ()) -> Check:
    return Check(level, text, tuple(examples[:EXAMPLES]))


def _made(dataset: SynthFace) -> Check:
    about = dataset.folder.description
    versions = ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())
    return _check("ok", f"seed {about.get('seed')}, generator {about.get('generator')}, made with {versions}")


def _list(dataset: SynthFace) -> Check:
    digest = hashlib.sha256(dataset.folder.files.read(SAMPLES)).hexdigest()
    if digest == dataset.folder.description.get("samples_sha256"):
        return _check("ok", f"{SAMPLES}: as it was made")
    return _check("error", f"{SAMPLES} is not the one that {SET} describes", [f"sha256 {digest}"])


def _counts(dataset: SynthFace, lines: Sequence[Line]) -> Iterator[Check]:
    for split, expected in dataset.folder.description["counts"][dataset.subset].items():
        per_label = Counter(line["target"] for line in lines if line["split"] == split)
        found, sizes = per_label.total(), {per_label[name] for name in dataset.card.space.names}
        if found != expected:
            yield _check("error", f"{split}: {found:,} pictures, {SET} says {expected:,}")
        elif len(sizes) > 1:
            uneven = [f"{name}: {per_label[name]:,}" for name in dataset.card.space.names]
            yield Check("error", f"{split}: {found:,} pictures, not as many of every class", tuple(uneven))
        else:
            yield _check("ok", f"{split}: {found:,} pictures, {sizes.pop():,} of every class")


def _labels(dataset: SynthFace, lines: Sequence[Line]) -> Check:
    strange = [f"{line['id']}: {line['target']}" for line in lines if line["target"] not in dataset.card.space.names]
    if strange:
        return _check("error", f"labels that are not on the card: {len(strange):,}", strange)
    twice = [name for name, times in Counter(line["id"] for line in lines).items() if times > 1]
    if twice:
        return _check("error", f"pictures listed more than once: {len(twice):,}", twice)
    return _check("ok", f"labels: {len(lines):,}, every one on the card and given once")


def _persons(lines: Sequence[Line]) -> Check:
    splits: dict[str, set[str]] = {}
    for line in lines:
        splits.setdefault(str(line["attributes"].get(SUBJECT)), set()).add(line["split"])
    shared = [f"{subject}: {', '.join(sorted(where))}" for subject, where in splits.items() if len(where) > 1]
    if shared:
        return _check("error", f"persons in more than one split: {len(shared):,}", shared)
    return _check("ok", f"persons: {len(splits):,}, none in two splits")


def _files(dataset: SynthFace, lines: Sequence[Line]) -> Iterator[Check]:
    missing, changed = [], []
    for line in lines:
        try:
            digest = hashlib.sha256(dataset.folder.files.read(line["file"])).hexdigest()
        except FileNotFoundError:
            missing.append(line["file"])
            continue
        except OSError:
            digest = None
        if digest != line["sha256"]:
            changed.append(line["file"])
    if missing:
        yield _check("error", f"missing pictures: {len(missing):,} of {len(lines):,}", missing)
    if changed:
        yield _check("error", f"pictures that are not as they were made: {len(changed):,}", changed)
    if not missing and not changed:
        yield _check("ok", f"pictures: {len(lines):,}, every one as it was made")
    listed = {line["file"] for line in dataset.folder.samples}
    pictures = (x for x in dataset.folder.files.names() if x.startswith("images/") and x.endswith(".jpg"))
    strays = [name for name in pictures if name not in listed]
    if strays:
        yield _check("warning", f"pictures that no line names: {len(strays):,}", strays)
