"""Plugins planted as pip installs them, and what a finding about a planted defect must say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from coabench.testing import Finding


def assert_named(findings: Sequence[Finding], name: str, seen: str = "") -> None:
    """Assert that there is a finding of this name, with evidence that holds *seen*, why it matters and what to do."""
    texts = [str(finding) for finding in findings]
    [text] = [text for text in texts if f"[{name}]" in text] or ["\n".join(texts)]
    assert f"[{name}]" in text, f"{name} was not found, but: {text or 'nothing'}"
    assert seen in text
    assert "why it matters: " in text
    assert "what to do: " in text


def plant(folder: Path, name: str, code: str, *, entry: str | None = None, metadata: bool = True) -> None:
    """Write a plugin as pip would have installed it."""
    (folder / f"{name}.py").write_text("from coabench import hookimpl\n" + code)
    info = folder / f"coabench_{name}-1.0.dist-info"
    info.mkdir()
    if metadata:
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: coabench-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[coabench]\n{name} = {name if entry is None else entry}\n")
