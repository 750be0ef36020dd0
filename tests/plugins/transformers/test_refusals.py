"""Checkpoints and adapters that cannot be used: told in words, before anything is written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel
from safetensors.torch import load_file, save_file
from support import tiny_vlms

from coabench.errors import UserError
from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import Evaluation

pytestmark = pytest.mark.slow

Change = Callable[[Path], None]


@pytest.fixture
def model(folders: Callable[[str], Path], tmp_path: Path) -> Path:
    """A copy of the tiny LLaVA, to be broken."""
    return Path(shutil.copytree(folders("llava"), tmp_path / "model"))


@pytest.fixture
def refused(tmp_path: Path) -> Iterator[Callable[..., UserError]]:
    """Evaluate, and return the error of the user that must come of it."""
    output = tmp_path / "run"

    def run(model: Path | str, **more: Any) -> UserError:
        asked = {"strategy": "direct", "dataset": "synthface-basic", "limit": 2, "device": "cpu", "dtype": "float32"}
        with pytest.raises(UserError) as caught:
            evaluate(Evaluation(f"transformers:{model}", output=output, **{**asked, **more}))
        return caught.value

    yield run
    assert not output.exists(), sorted(output.iterdir())


def config(**changes: Any) -> Change:
    def change(folder: Path) -> None:
        facts = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**facts, **changes}))

    return change


def without(*patterns: str) -> Change:
    def change(folder: Path) -> None:
        for pattern in patterns:
            for path in folder.glob(pattern):
                path.unlink()

    return change


def panicking(folder: Path) -> None:
    described = json.loads((folder / "tokenizer.json").read_text())
    described["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": "AAAA"}
    (folder / "tokenizer.json").write_text(json.dumps(described))


def pipe(folder: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("the system has no pipes in folders")
    os.mkfifo(folder / "more.txt")


def written(name: str, content: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).write_text(content)

    return change


def weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    def apply(folder: Path) -> None:
        state = load_file(folder / "model.safetensors")
        change(state)
        save_file(state, folder / "model.safetensors", {"format": "pt"})

    return apply


def text_only(folder: Path) -> None:
    facts = json.loads((folder / "config.json").read_text())["text_config"]
    (folder / "config.json").write_text(json.dumps(facts))


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")


def in_shards(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def torn(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


HEAD = "language_model.lm_head.weight"
BROKEN: dict[str, tuple[Change, str]] = {
    "no config": (without("config.json"), "no config.json"),
    "a config that is no JSON": (written("config.json", "{"), "holds no model of transformers"),
    "no type": (written("config.json", "{}"), "no model_type"),
    "a type that is no name": (config(model_type=["llava"]), "no model_type"),
    "text only": (text_only, "takes no images or answers no text"),
    "an encoder": (written("config.json", '{"model_type": "florence2"}'), "reads its prompt with an encoder"),
    "phi-3.5": (config(model_type="phi3_v"), "--backbone phi-3.5-vision:"),
    "code of its own": (config(model_type="magic_vl", auto_map={"AutoModel": "magic.Magic"}), "--backbone openai"),
    "a type of the future": (config(model_type="magic_vl"), "upgrade transformers"),
    "values that make no sense": (config(vision_config={"model_type": "clip_vision_model", "hidden_size": "wide"}),
                                  "cannot read the model"),
    "quantised": (config(quantization_config={"quant_method": "gptq", "bits": 4}), "method gptq"),
    "pickled": (pickled, "pytorch_model.bin"),
    "no weights": (without("*.safetensors"), "no weights"),
    "a shard is missing": (in_shards, "model-00002-of-00002.safetensors cannot be read"),
    "torn weights": (torn, "missing, truncated or corrupt"),
    "a missing tensor": (weights(lambda state: state.pop(HEAD)), "lacks weights"),
    "a tensor of another shape": (
        weights(lambda state: state.update({HEAD: torch.zeros(3, 64)})), "has weights of other shapes"),
    "no chat template": (without("chat_template.jinja"), "has no chat template"),
    "a template of texts": (written("chat_template.jinja", "{% for m in messages %}{{ m['content'] }}{% endfor %}"),
                            "writes no images"),
    "a template that fails": (written("chat_template.jinja", "{{ raise_exception('not today') }}"), "not today"),
    "a template that is none": (written("chat_template.jinja", "{% for %}"), "its chat template fails"),
    "a template that leaves out answers": (
        written("chat_template.jinja", "{{ messages[0]['content'][-1]['text'] }}"), "not what is said"),
    "no tokenizer": (without("tokenizer*"), "processor"),
    "no image processor": (without("processor_config.json"), "processor"),
    "a processor that is no JSON": (written("processor_config.json", "{"), "processor"),
    "a config without end": (written("config.json", "[" * 100_000), "more than 64 deep"),
    "a tokenizer without end": (written("tokenizer.json", "[" * 100_000), "more than 64 deep"),
    "a tokenizer that panics": (panicking, "Cannot parse precompiled_charsmap"),
    "a pipe": (pipe, r"a pipe, not a file"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_checkpoint(model: Path, refused: Callable[..., UserError], what: str) -> None:
    change, words = BROKEN[what]
    change(model)
    error = refused(model)
    assert words in str(error)
    assert error.remedy


def test_a_folder_that_is_not_there(refused: Callable[..., UserError], tmp_path: Path) -> None:
    assert "is no folder" in str(refused(tmp_path / "nowhere"))


def test_no_model_named(refused: Callable[..., UserError]) -> None:
    assert "needs a model" in str(refused(""))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "cuda:7"}, "the device cuda:7 cannot be used"),
        ({"device": "abacus"}, "the device abacus cannot be used"),
        ({"dtype": "int4"}, "unknown dtype int4"),
        ({"options": {"attention": "flash"}}, "sdpa or eager"),
        ({"options": {"max_new_tokens": "0"}}, "1 or more"),
    ],
)
def test_settings_that_cannot_be(
    folders: Callable[[str], Path], refused: Callable[..., UserError], options: Any, words: str
) -> None:
    assert words in str(refused(folders("llava"), **options))


def test_weights_that_the_model_has_no_use_for_are_noted(model: Path, tmp_path: Path) -> None:
    weights(lambda state: state.update({"language_model.model.layers.9.bonus": torch.zeros(2)}))(model)
    run = evaluate(
        Evaluation(f"transformers:{model}", "direct", "synthface-basic", limit=2, device="cpu", dtype="float32",
                   output=tmp_path / "run")
    )  # fmt: skip
    assert any("no use for some weights" in note and "layers.9.bonus" in note for note in run.manifest["notes"])


# -- packages that are not there ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["qwen2_5_vl", "smolvlm"])
def test_a_processor_that_needs_torchvision_says_how_to_get_it(
    refused: Callable[..., UserError], tmp_path: Path, name: str, without_torchvision: None
) -> None:
    error = refused(getattr(tiny_vlms, f"build_{name}")(tmp_path / name))
    assert "torchvision" in str(error).lower()
    assert error.remedy == "pip install 'coabench[vision]'"


# -- questions that the model cannot be asked --------------------------------------------------------------------------


def test_a_model_that_takes_one_image_refuses_exemplars(model: Path, refused: Callable[..., UserError]) -> None:
    """Its template writes one place for an image; the processor would be handed two."""
    one = (
        "{% for m in messages %}{{ m['role'] }}: {% if loop.first %}<image>{% endif %}{{ m['content'][-1]['text'] }} "
        "{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"
    )
    (model / "chat_template.jinja").write_text(one)
    error = refused(model, strategy="one-shot")
    assert "cannot be asked" in str(error)
    assert "does not write a place for every image" in str(error)


def test_a_template_without_turns_refuses_exemplars(model: Path, refused: Callable[..., UserError]) -> None:
    template = (
        "{% if messages | length > 2 %}{{ raise_exception('one question only') }}{% endif %}" + tiny_vlms.LLAVA_CHAT
    )
    (model / "chat_template.jinja").write_text(template)
    assert "one question only" in str(refused(model, strategy="one-shot"))


def test_a_question_that_is_too_long(model: Path, refused: Callable[..., UserError]) -> None:
    facts = json.loads((model / "config.json").read_text())
    facts["text_config"]["max_position_embeddings"] = 40
    (model / "config.json").write_text(json.dumps(facts))
    assert "fewer than 40 tokens" in str(refused(model))


# -- adapters ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def adapter(opened: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA that fits the tiny LLaVA, as PEFT writes it."""
    folder = tmp_path_factory.mktemp("adapter")
    base = opened("llava").checkpoint.load(torch.float32, "sdpa")
    PeftModel(base, LoraConfig(r=2, target_modules=["q_proj", "v_proj"])).save_pretrained(folder)
    return folder


def adapter_config(**changes: Any) -> Change:
    def change(folder: Path) -> None:
        facts = json.loads((folder / "adapter_config.json").read_text())
        (folder / "adapter_config.json").write_text(json.dumps({**facts, **changes}))

    return change


def adapter_weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Change:
    def apply(folder: Path) -> None:
        state = load_file(folder / "adapter_model.safetensors")
        change(state)
        save_file(state, folder / "adapter_model.safetensors")

    return apply


A = "base_model.model.model.language_model.layers.0.self_attn.q_proj.lora_A.weight"
LEFT = "base_model.model.x.lora_A.weight"
UNFIT: dict[str, tuple[Change, str]] = {
    "nothing there": (without("*"), "an empty folder"),
    "pickled": (without("*.safetensors"), "holds no adapter"),
    "no config": (without("adapter_config.json"), "holds no adapter"),
    "a config that is no JSON": (written("adapter_config.json", "{"), "adapter_config.json cannot be read"),
    "another method": (adapter_config(peft_type="PREFIX_TUNING"), "made by PREFIX_TUNING, which cannot be merged"),
    "a method of the future": (adapter_config(peft_type="MAGIC"), "adapter_config.json cannot be read"),
    "other modules": (adapter_config(target_modules=["c_attn"]), "does not fit this model"),
    "another rank": (adapter_config(r=4), "another rank than its config says"),
    "a tensor missing": (adapter_weights(lambda state: state.pop(A)), f"no weights for {A} (1 in all)"),
    "a tensor left over": (adapter_weights(lambda state: state.update({LEFT: state[A] + 0})), f"no place for {LEFT}"),
    "torn": (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"12345678 torn") and None,
             "truncated or corrupt"),
}  # fmt: skip


@pytest.mark.parametrize("what", UNFIT)
def test_an_adapter_that_does_not_fit(
    folders: Callable[[str], Path], adapter: Path, refused: Callable[..., UserError], tmp_path: Path, what: str
) -> None:
    copy = Path(shutil.copytree(adapter, tmp_path / "adapter"))
    change, words = UNFIT[what]
    change(copy)
    error = refused(folders("llava"), adapter=str(copy))
    assert words in str(error)


def test_an_adapter_of_another_model(
    folders: Callable[[str], Path], adapter: Path, refused: Callable[..., UserError]
) -> None:
    assert "does not fit this model" in str(refused(folders("gemma3"), adapter=str(adapter)))


# -- and at the command line -------------------------------------------------------------------------------------------


def test_the_command_line_exits_with_two_and_without_a_traceback(
    coabench: Any, tmp_path: Path, without_torchvision: None
) -> None:
    folder = tiny_vlms.build_qwen2_5_vl(tmp_path / "qwen")
    result = coabench("evaluate", "--backbone", f"transformers:{folder}", "--strategy", "direct", "--output", "run")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "pip install 'coabench[vision]'" in result.stderr
    assert not (tmp_path / "run").exists()
