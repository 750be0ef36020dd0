"""Checking a set of synthetic faces: is every file what the lists say?"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coabench.base.text import plural
from coabench.base.vocabulary import SUBJECT
from coabench.dataset import Card, Check
from coabench.support.verification import check
from coabench_synthface.folder import SAMPLES, SET, SetFolder

Line = Mapping[str, Any]


def verify(card: Card, folder: SetFolder, subset: str) -> list[Check]:
    """Return the checks of one half of a set."""
    lines = [line for line in folder.samples if line["subset"] == subset]
    return [
        _made(folder.description),
        _list(folder),
        *_counts(card, folder.description, subset, lines),
        _labels(card, lines),
        _persons(lines),
        *_files(folder, lines),
    ]


def _made(about: Mapping[str, Any]) -> Check:
    versions = ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())
    return check("ok", f"seed {about.get('seed')}, generator {about.get('generator')}, made with {versions}")


def _list(folder: SetFolder) -> Check:
    digest = hashlib.sha256(folder.files.read(SAMPLES)).hexdigest()
    if digest == folder.description.get("samples_sha256"):
        return check("ok", f"{SAMPLES}: as it was made")
    return check("error", f"{SAMPLES} is not the one that {SET} describes", [f"sha256 {digest}"])


def _counts(card: Card, about: Mapping[str, Any], subset: str, lines: Sequence[Line]) -> Iterator[Check]:
    for split, expected in about["counts"][subset].items():
        per_label = Counter(line["target"] for line in lines if line["split"] == split)
        total, sizes = per_label.total(), {per_label[name] for name in card.space.names}
        if total != expected:
            yield check("error", f"{split}: {plural(total, 'picture')}, {SET} says {expected:,}")
        elif len(sizes) > 1 and about.get("design"):  # a neutral face has no levels
            yield check("ok", f"{split}: {plural(total, 'picture')}")
        elif len(sizes) > 1:
            uneven = [f"{name}: {per_label[name]:,}" for name in card.space.names]
            yield Check("error", f"{split}: {plural(total, 'picture')}, not as many of every class", tuple(uneven))
        else:
            yield check("ok", f"{split}: {plural(total, 'picture')}, {sizes.pop():,} of every class")


def _labels(card: Card, lines: Sequence[Line]) -> Check:
    strange = [f"{line['id']}: {line['target']}" for line in lines if line["target"] not in card.space.names]
    if strange:
        return check("error", f"labels that are not on the card: {len(strange):,}", strange)
    twice = [name for name, times in Counter(line["id"] for line in lines).items() if times > 1]
    if twice:
        return check("error", f"pictures listed more than once: {len(twice):,}", twice)
    return check("ok", f"labels: {len(lines):,}, every one on the card and given once")


def _persons(lines: Sequence[Line]) -> Check:
    splits: dict[str, set[str]] = {}
    for line in lines:
        splits.setdefault(str(line["attributes"].get(SUBJECT)), set()).add(line["split"])
    shared = [f"{subject}: {', '.join(sorted(where))}" for subject, where in splits.items() if len(where) > 1]
    if shared:
        return check("error", f"persons in more than one split: {len(shared):,}", shared)
    return check("ok", f"persons: {len(splits):,}, none in two splits")


def _files(folder: SetFolder, lines: Sequence[Line]) -> Iterator[Check]:
    missing, changed = [], []
    for line in lines:
        try:
            digest = hashlib.sha256(folder.files.read(line["file"])).hexdigest()
        except FileNotFoundError:
            missing.append(line["file"])
            continue
        except OSError:
            digest = None
        if digest != line["sha256"]:
            changed.append(line["file"])
    if missing:
        yield check("error", f"missing pictures: {len(missing):,} of {len(lines):,}", missing)
    if changed:
        yield check("error", f"pictures that are not as they were made: {len(changed):,}", changed)
    if not missing and not changed:
        yield check("ok", f"pictures: {len(lines):,}, every one as it was made")
    listed = {line["file"] for line in folder.samples}
    pictures = (x for x in folder.files.names() if x.startswith("images/") and x.endswith(".jpg"))
    strays = [name for name in pictures if name not in listed]
    if strays:
        yield check("warning", f"pictures that no line names: {len(strays):,}", strays)
