"""What a finding about a planted defect must say."""

from __future__ import annotations

from collections.abc import Sequence

from coabench.testing import Finding


def assert_named(findings: Sequence[Finding], name: str, seen: str = "") -> None:
    """Assert that there is a finding of this name, with evidence that holds *seen*, why it matters and what to do."""
    texts = [str(finding) for finding in findings]
    [text] = [text for text in texts if f"[{name}]" in text] or ["\n".join(texts)]
    assert f"[{name}]" in text, f"{name} was not found, but: {text or 'nothing'}"
    assert seen in text
    assert "why it matters: " in text
    assert "what to do: " in text
