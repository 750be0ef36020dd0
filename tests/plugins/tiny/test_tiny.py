"""What ships runs at once and is as good as the documentation says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from coabench_phi35v.backbone import Phi35Vision
from coabench_tiny.backbone import ADAPTERS, BASE, Tiny
from coabench_tiny.checkpoint import VOCABULARY, tokenizer, write
from support.in_process import in_process
from support.process import ROOT, Run
from support.runs import metrics
from tokenizers import Tokenizer

from coabench.backbone import BackboneRequest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of ``coabench evaluate`` with no options but where to write."""
    folder = tmp_path_factory.mktemp("default") / "run"
    result = in_process(folder.parent, [], {})("evaluate", "--output", folder)
    assert result.returncode == 0, result.stderr
    assert "synthetic faces: a number on them says nothing about accuracy on people" in result.stderr
    assert "differs" not in result.stderr
    return folder


def test_the_default_reaches_what_is_promised(default: Path) -> None:
    found = metrics(default)
    assert found["samples"] == 1100
    assert found["uar"] >= 0.75
    assert found["invalid"] / found["samples"] < 0.02
    identity = json.loads((default / "run.json").read_text())["identity"]
    assert identity["backbone"]["name"] == "tiny"
    assert identity["backbone"]["adapter"] == "shipped/chain-of-affect"
    assert identity["backbone"]["facts"]["adapter"]["rank"] == 16


def test_basic_emotions_reach_what_is_promised(coabench: Run, tmp_path: Path) -> None:
    result = coabench("evaluate", "--dataset", "synthface-basic", "--adapter", "none", "--output", "out")
    assert result.returncode == 0, result.stderr
    assert metrics(tmp_path / "out")["uar"] >= 0.85


def test_the_base_alone_falls_behind(coabench: Run, tmp_path: Path, default: Path) -> None:
    scores = {}
    for decode in ("generate", "score"):
        result = coabench("evaluate", "--adapter", "none", "--decode", decode, "--limit", 220, "--output", decode)
        assert result.returncode == 0, result.stderr
        scores[decode] = metrics(tmp_path / decode)["uar"]
        assert json.loads((tmp_path / decode / "run.json").read_text())["identity"]["backbone"]["adapter"] is None
    assert scores["generate"] < scores["score"] < metrics(default)["uar"]


@pytest.mark.parametrize("strategy", ["direct", "one-shot", "chain-of-affect:published"])
def test_every_strategy_has_an_adapter_that_fits(coabench: Run, tmp_path: Path, strategy: str) -> None:
    result = coabench("evaluate", "--strategy", strategy, "--limit", 4, "--output", "out")
    assert result.returncode == 0, result.stderr
    manifest = json.loads((tmp_path / "out" / "run.json").read_text())
    assert manifest["identity"]["backbone"]["adapter"] == f"shipped/{strategy.partition(':')[0]}"
    assert any("differs" in note for note in manifest["notes"]) is False
    assert any("was trained on the questions" in note for note in manifest["notes"]) is (":" in strategy)


def test_the_split_of_the_shipped_adapter_is_refused(coabench: Run) -> None:
    result = coabench("evaluate", "--split", "train", "--limit", 2)
    assert result.returncode == 2
    assert "was trained on synthface-compound, split 'train'" in result.stderr


def test_the_default_training_is_planned(coabench: Run) -> None:
    result = coabench("train", "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "400 of 64 questions" in result.stdout
    assert "1,134 chain-of-affect:corrected / primary / synthface-basic" in result.stdout


def test_what_ships_is_small_and_names_no_machine() -> None:
    files = [path for folder in (BASE, ADAPTERS) for path in folder.rglob("*") if path.is_file()]
    assert (BASE / "model.safetensors").stat().st_size < 8_000_000
    assert sum(path.stat().st_size for path in files) < 14_000_000
    for path in files:
        if path.suffix == ".json" and path.name != "tokenizer.json":
            text = path.read_text()
            assert "/home/" not in text
            assert "/tmp/" not in text
            assert str(ROOT) not in text


def test_the_adapters_were_made_on_the_base_that_ships() -> None:
    base = Tiny(BackboneRequest(options=Tiny.Options(), device="cpu")).identity()
    for folder in ADAPTERS.iterdir():
        told = json.loads((folder / "training.json").read_text())
        assert told["facts"]["checkpoint"] == base["checkpoint"]
        assert told["facts"]["tokenizer"] == base["tokenizer"]


def test_another_checkpoint_gets_no_shipped_adapter(coabench: Run, tmp_path: Path) -> None:
    write(tmp_path / "random", seed=1)
    result = coabench("evaluate", "--backbone", "tiny:random", "--limit", 2, "--output", "out")
    assert result.returncode == 0, result.stderr
    assert json.loads((tmp_path / "out" / "run.json").read_text())["identity"]["backbone"]["adapter"] is None


def test_it_is_the_same_model_class() -> None:
    assert issubclass(Tiny, Phi35Vision)
    assert type(Tiny(BackboneRequest(options=Tiny.Options(), device="cpu")).model).__name__ == "Phi3VForCausalLM"


@pytest.mark.parametrize("text", ["Happily Surprised", "Wütend, naïve 顔 😀", "'Fear', or 'Neutral'.", "a\n  b"])
def test_the_tokenizer_spells_any_text(text: str) -> None:
    shipped = Tokenizer.from_file(str(BASE / "tokenizer.json"))
    assert shipped.decode(shipped.encode(text, add_special_tokens=False).ids) == text


def test_labels_are_short_and_begin_differently() -> None:
    shipped = Tokenizer.from_file(str(BASE / "tokenizer.json"))
    basic = ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")
    ids = [shipped.encode(label, add_special_tokens=False).ids for label in basic]
    assert len({first for first, *_ in ids}) == 7
    assert all(len(own) <= 2 for own in ids)
    assert shipped.get_vocab_size() <= VOCABULARY


def test_the_tokenizer_can_be_made_again() -> None:
    text = "Select an emotion label from the following options: 'Surprise', 'Fear', or 'Neutral'."
    shipped = Tokenizer.from_file(str(BASE / "tokenizer.json"))
    again = tokenizer()
    assert len(again.encode(text).ids) < 40
    assert shipped.get_vocab_size() == again.get_vocab_size()
