"""The embedded default under rewritten questions: what it keeps of a look changes no score."""

from pathlib import Path

import pytest
from support.process import Run
from support.runs import untimed

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("decode", ["generate", "score", "sample"])
def test_dialogues_about_one_look_answer_as_those_of_their_own(coabench: Run, tmp_path: Path, decode: str) -> None:
    (tmp_path / "mine.yaml").write_text(
        "conditions: [{rewrite: 'order:rotate=3'}, {name: fr, rewrite: 'language:to=fr'}]"
    )
    base = ("--limit", 3, "--batch-size", 2, "--decode", decode, *(("--samples", 2) if decode == "sample" else ()))
    result = coabench("stress", *base, "--suite", "mine.yaml", "--output", "out", "--executor", "here")
    assert result.returncode == 0, result.stderr
    for name, rewrite in (("clean", ()), ("order-rotate-3", ("order:rotate=3",)), ("fr", ("language:to=fr",))):
        words = [word for spec in rewrite for word in ("--rewrite", spec)]
        assert coabench("evaluate", *base, *words, "--output", f"alone/{name}").returncode == 0
        assert untimed(tmp_path / "out" / name) == untimed(tmp_path / "alone" / name)
