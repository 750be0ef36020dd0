"""A model that is loaded already: it answers as from its folder, is known by what it holds, and is left as it was."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from coabench_transformers.loaded import backbone_of
from transformers import AutoModelForImageTextToText, AutoProcessor, LlamaConfig, LlamaForCausalLM, pipeline

import coabench
from coabench.backbone import BackboneRequest
from coabench.registry.function_backbone import backbone_from
from coabench.testing.pictures import draw_face

pytestmark = pytest.mark.slow

DATA = [(draw_face(label, person), label) for person in range(2) for label in ("Happiness", "Sadness")]


@pytest.fixture(scope="module")
def llava(folders: Callable[[str], Path]) -> tuple[Any, Any]:
    folder = folders("llava")
    return AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)


def facts(model: Any, processor: Any) -> dict[str, Any]:
    return dict(backbone_of((model, processor))(BackboneRequest()).identity())


def changed(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [name for name in one if one[name] != other[name]]


def test_it_answers_as_from_its_folder_and_is_left_as_it_was(
    llava: tuple[Any, Any], folders: Callable[[str], Path], tmp_path: Path
) -> None:
    model, processor = llava
    model.train()
    own, side = model.generation_config, processor.tokenizer.padding_side
    own.repetition_penalty, own.do_sample = 5.0, True
    shared: dict[str, Any] = {"strategy": "direct", "dataset": DATA, "labels": "raf-db-basic"}
    for decode in ("generate", "score"):
        more = {**shared, "decode": decode, "options": {"max_new_tokens": 6}}
        run = coabench.evaluate(backbone=(model, processor), output=tmp_path / decode, **more)
        there = coabench.evaluate(
            backbone=f"transformers:{folders('llava')}", dtype="float32", output=tmp_path / f"{decode} there", **more
        )
        answers = [name for name in run.records if name.startswith(("response", "scores"))]
        assert len(answers) == (1 if decode == "generate" else 8)
        assert run.records[answers].equals(there.records[answers])
    assert "it answers in evaluation mode" in run.manifest["notes"][-1]
    assert run.manifest["sessions"][0]["command"][3] == "<LlavaForConditionalGeneration, from Python>"
    assert all(module.training for module in model.modules())
    assert model.generation_config is own
    assert processor.tokenizer.padding_side == side
    model.eval()
    loaded = coabench.load((model, processor), strategy="direct", labels="raf-db-basic", faces="none")
    assert loaded.predict(DATA[0][0])[0].answers["answer"] == run.records["label.answer"][0]


def test_it_is_known_by_its_weights_its_adapter_and_its_processor(llava: tuple[Any, Any]) -> None:
    model, processor = deepcopy(llava[0]), deepcopy(llava[1])
    plain = facts(model, processor)
    assert facts(*llava) == plain
    assert plain["dtype"] == "float32"
    processor.chat_template += " "
    assert changed(plain, facts(model, processor)) == ["processor"]
    with torch.no_grad():
        model.lm_head.weight[0, 0] += 1
    assert changed(plain, facts(model, llava[1])) == ["checkpoint"]
    assert changed(plain, facts(deepcopy(llava[0]).to(torch.bfloat16), llava[1])) == ["checkpoint", "dtype"]
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    wrapped = peft.get_peft_model(deepcopy(llava[0]), config)
    adapted = facts(wrapped, llava[1])
    assert changed(plain, adapted) == ["adapter"]
    with torch.no_grad():
        next(p for name, p in wrapped.named_parameters() if "lora_A" in name)[0, 0] += 1
    assert changed(adapted, facts(wrapped, llava[1])) == ["adapter"]
    wrapped.base_model.disable_adapter_layers()
    off = facts(wrapped, llava[1])
    assert off["adapter"] not in (None, adapted["adapter"])


class Twice(torch.nn.Module):
    def forward(self, image: Any, question: Any) -> str:
        return "Fear"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda model, processor: model, r"LlavaForConditionalGeneration\n(?s:.*)pass the processor beside the model"),
        (lambda model, processor: (model, None), "pass the processor beside the model"),
        (lambda model, processor: (processor, model), r"\(model, processor\)(?s:.*)LlavaProcessor, Llava"),
        (lambda model, processor: (model, processor, 1), "LlavaProcessor, int"),
        (lambda model, processor: [], "found: nothing"),
        (lambda model, processor: Twice(), r"\(model, processor\)(?s:.*)found: Twice"),
        (lambda model, processor: (model, processor.tokenizer), "has no image processor"),
        (lambda model, processor: (text_only(), processor), "LlamaForCausalLM takes no images"),
        (lambda model, processor: (prompted(model), processor), "adapter of prompts"),
        (lambda model, processor: (deepcopy(model).to("meta"), processor), "not in memory"),
    ],
)
def test_what_is_no_such_pair_is_refused(llava: tuple[Any, Any], given: Callable[..., Any], words: str) -> None:
    with pytest.raises(coabench.UserError, match=words):
        backbone_from(given(*llava))


def text_only() -> Any:
    small = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    return LlamaForCausalLM(LlamaConfig(**small, vocab_size=10))


def prompted(model: Any) -> Any:
    sizes = {"num_layers": 2, "token_dim": 64, "num_attention_heads": 4}
    return peft.get_peft_model(deepcopy(model), peft.PromptTuningConfig("CAUSAL_LM", num_virtual_tokens=2, **sizes))


def test_what_a_loaded_model_cannot_be_told(llava: tuple[Any, Any], tmp_path: Path) -> None:
    factory = backbone_of(llava)
    for request, words in (
        (BackboneRequest(dtype="bfloat16"), "dtype='bfloat16' is not what it has"),
        (BackboneRequest(device="cuda:1"), "device='cuda:1' is not what it has"),
        (BackboneRequest(adapter=str(tmp_path)), "takes no adapter"),
    ):
        with pytest.raises(coabench.UserError, match=words):
            factory(request)
    factory(BackboneRequest(device="cpu", dtype="float32"))
    with pytest.raises(coabench.UserError, match="cannot be trained"):
        coabench.train(backbone=llava, dataset=DATA, strategy="direct")


def test_a_pipeline_has_both(llava: tuple[Any, Any]) -> None:
    made = backbone_from(pipeline("image-text-to-text", model=llava[0], processor=llava[1]))
    assert not isinstance(made, str)
    assert made(BackboneRequest()).identity() == facts(*llava)
