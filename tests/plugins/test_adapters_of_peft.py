"""Adapters that plain PEFT has made: merged to the very weights of PEFT's own merge, or refused by the name."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import peft
import torch
from coabench_phi35v.backbone import Phi35Vision
from coabench_tiny.checkpoint import write
from coabench_transformers.backbone import TransformersVision
from coabench_transformers.checkpoint import Checkpoint
from coabench_transformers.earlier_names import todays_names
from packaging import version
from peft import PeftModel, PeftType, get_peft_model
from safetensors.torch import load_file, save_file
from support.adapters import config_of, merged_by_peft, save_adapter
from support.process import ROOT
from support.tiny_vlms import build_llava, build_qwen2_5_vl
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText

from coabench.backbone import BackboneRequest
from coabench.errors import UserError
from coabench.support.adapter import Adapter
from coabench.support.adapter_config import MERGED
from coabench.support.adapter_folder import AdapterFolder

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

State = dict[str, Tensor]


@dataclass(frozen=True)
class Network:
    """A small network on which adapters are made, and the backbone that reads them."""

    backbone: Any
    folder: Path
    module: nn.Module

    def base(self) -> nn.Module:
        return copy.deepcopy(self.module)

    def opened(self, adapter: Path | None, dtype: str = "float32") -> Any:
        backbone = self.backbone(BackboneRequest(str(self.folder), adapter and str(adapter), "cpu", dtype))
        backbone.load()
        return backbone

    def state(self, adapter: Path) -> State:
        return module_of(self.opened(adapter)).state_dict()


def module_of(backbone: Any) -> nn.Module:
    found: nn.Module = backbone.model if isinstance(backbone, Phi35Vision) else backbone._model
    return found


@pytest.fixture(scope="module", params=["phi", "llava"])
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "phi":
        write(folder, seed=0)
        plain = Phi35Vision(BackboneRequest(str(folder), None, "cpu", "float32"))
        plain.load()
        yield Network(Phi35Vision, folder, plain.model)
    else:
        build_llava(folder)
        yield Network(TransformersVision, folder, AutoModelForImageTextToText.from_pretrained(folder))


def equal(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("method", [str(each.value) for each in PeftType])
def test_every_method_is_merged_as_peft_merges_it_or_refused_by_name(
    network: Network, method: str, tmp_path: Path
) -> None:
    folder = save_adapter(network.base(), method, tmp_path / "adapter")
    if method not in MERGED:
        with pytest.raises(UserError, match=rf"\b{method}\b"):
            network.opened(folder)
        return
    if method in ("VERA", "PVERA") and version.parse(peft.__version__) < version.parse("0.21"):
        with pytest.raises(UserError, match=rf"\b{method}\b"):  # it leaves their projections out
            network.opened(folder)
        return
    state = network.state(folder)
    assert equal(state, merged_by_peft(network.base(), folder))
    assert not equal(state, network.module.state_dict())
    if network.backbone is TransformersVision:
        answers_alike(network, folder, state)


def test_the_methods_stand_in_the_docs() -> None:
    text = (ROOT / "docs" / "guides" / "adapters.md").read_text(encoding="utf-8")
    listed = text.partition("**Methods**: ")[2].partition(". ")[0]
    assert set(listed.replace("\n", " ").replace(" ", "").split(",")) == MERGED


def answers_alike(network: Network, adapter: Path, state: State) -> None:
    """Assert that merged weights compute what the adapter computes beside its base."""
    ids = torch.arange(5, 15)[None]
    beside: Any = PeftModel.from_pretrained(network.base(), str(adapter)).eval()  # type: ignore[arg-type]
    merged: Any = network.base()
    merged.load_state_dict(state)
    with torch.inference_mode():
        assert torch.allclose(beside(input_ids=ids).logits, merged(input_ids=ids).logits, atol=1e-3, rtol=1e-4)


# -- LoRA's variants --------------------------------------------------------------------------------------------------

ALL = ["o_proj", "down_proj", "embed_tokens", "lm_head"]
VARIANTS: dict[str, dict[str, Any]] = {
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True, "target_modules": ["o_proj", "embed_tokens"]},
    "patterns": {"target_modules": ["o_proj", "down_proj"], "rank_pattern": {"o_proj": 3, "layers.0.mlp.down_proj": 5},
                 "alpha_pattern": {".*layers.1.*o_proj": 7}},
    "modules_to_save": {"modules_to_save": ["lm_head"]},
    "layers_to_transform": {"layers_to_transform": [1], "layers_pattern": "layers"},
    "all linear": {"target_modules": "all-linear"},
    "embeddings and head": {"target_modules": ALL},
    "a regular expression": {"target_modules": r".*layers\.[01]\..*(o|down)_proj"},
    "fan_in_fan_out": {"fan_in_fan_out": True},
    "a convolution": {"target_modules": ["patch_embedding", "o_proj"]},
    "gaussian": {"init_lora_weights": "gaussian"},
    "eva": {"init_lora_weights": "eva"},
    "a parameter": {"target_modules": [], "target_parameters": ["o_proj.weight"]},
    "tokens": {"trainable_token_indices": {"l.embed_tokens": [3, 5]}},  # model., or language_model.
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_of_lora_is_merged_as_peft_merges_it(network: Network, variant: str, tmp_path: Path) -> None:
    folder = save_adapter(network.base(), "LORA", tmp_path / "adapter", **VARIANTS[variant])
    state = network.state(folder)
    assert equal(state, merged_by_peft(network.base(), folder))
    assert not equal(state, network.module.state_dict())
    if network.backbone is TransformersVision:
        answers_alike(network, folder, state)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "all biases": ({"bias": "all"}, "bias = 'all' .*biases were trained"),
    "biases": ({"bias": "lora_only"}, "bias = 'lora_only'"),
    "alora": ({"alora_invocation_tokens": [3, 4]}, "alora_invocation_tokens = .*aLoRA acts"),
    "qalora": ({"use_qalora": True}, "use_qalora = True"),
    "lora_bias": ({"lora_bias": True}, "lora_bias = True"),
    "pissa": ({"init_lora_weights": "pissa"}, "init_lora_weights = 'pissa' .*path_initial_model"),
    "fast pissa": ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights = 'pissa_niter_4'"),
    "olora": ({"init_lora_weights": "olora"}, "init_lora_weights = 'olora'"),
    "overlapping alphas": ({"alpha_pattern": {"layers.0.self_attn.o_proj": 3, "o_proj": 5}}, "several alphas"),
}  # fmt: skip


@pytest.mark.parametrize("variant", REFUSED)
def test_what_no_merge_gives_is_refused_in_words(network: Network, variant: str, tmp_path: Path) -> None:
    changes, words = REFUSED[variant]
    folder = save_adapter(network.base(), "LORA", tmp_path / "adapter", **changes)
    with pytest.raises(UserError, match=words):
        network.opened(folder)


def test_overlapping_rank_patterns_are_taken_as_they_were_in_training(network: Network, tmp_path: Path) -> None:
    """PEFT sorts patterns when it saves and takes the first that fits: what comes of them is lost, the tensors know."""
    patterns = {"o_proj": 5, "layers.0.self_attn.o_proj": 3}
    folder = save_adapter(network.base(), "LORA", tmp_path / "adapter", rank_pattern=patterns)
    with pytest.raises(RuntimeError, match="size mismatch"):
        merged_by_peft(network.base(), folder)
    edited(folder / "adapter_config.json", lambda config: config.update(rank_pattern={}, r=5))
    expected = merged_by_peft(network.base(), folder)
    edited(
        folder / "adapter_config.json", lambda config: config.update(rank_pattern=dict(sorted(patterns.items())), r=8)
    )
    assert equal(network.state(folder), expected)


def test_pissa_that_was_converted_is_plain_lora(network: Network, tmp_path: Path) -> None:
    made: Any = get_peft_model(network.base(), config_of("LORA", init_lora_weights="pissa"))  # type: ignore[arg-type]
    made.save_pretrained(tmp_path / "before")
    for name, parameter in made.named_parameters():
        if "lora_" in name:
            parameter.data += 0.01
    made.peft_config["default"].init_lora_weights = "pissa"
    edited(tmp_path / "before" / "adapter_config.json", lambda config: config.update(init_lora_weights=True))
    made.save_pretrained(tmp_path / "after", path_initial_model_for_weight_conversion=str(tmp_path / "before"))
    assert equal(network.state(tmp_path / "after"), merged_by_peft(network.base(), tmp_path / "after"))


@pytest.mark.parametrize("method", ["LORA", "LOKR"])
def test_in_lower_precision_a_module_is_merged_in_float32_and_rounded_once(
    network: Network, method: str, tmp_path: Path
) -> None:
    folder = save_adapter(network.base(), method, tmp_path / "adapter")
    made = module_of(network.opened(folder, "bfloat16")).state_dict()
    base = network.base() if network.backbone is Phi35Vision else network.base().bfloat16().float()
    assert equal(made, {name: value.bfloat16() for name, value in merged_by_peft(base, folder).items()})


def test_two_modules_that_share_a_weight_cannot_both_be_updated(tmp_path: Path) -> None:
    """PEFT would merge the update of one into both."""
    build_llava(tmp_path)
    edited(tmp_path / "config.json", lambda config: config["text_config"].update(tie_word_embeddings=True))
    edited(tmp_path / "config.json", lambda config: config.update(tie_word_embeddings=True))
    edited(tmp_path / "model.safetensors", lambda state: state.pop("language_model.lm_head.weight"))
    base = AutoModelForImageTextToText.from_pretrained(tmp_path)
    folder = save_adapter(base, "LORA", tmp_path / "adapter", target_modules=["lm_head"])
    with pytest.raises(UserError, match=r"share: \S+embed_tokens.weight and lm_head.weight"):
        TransformersVision(BackboneRequest(str(tmp_path), str(folder), "cpu", "float32"))


# -- names, files and folders -----------------------------------------------------------------------------------------


def edited(path: Path, change: Callable[[Any], object]) -> None:
    """Rewrite a JSON or safetensors file through a function that edits its mapping."""
    if path.suffix == ".json":
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
    else:
        tensors = load_file(path)
        change(tensors)
        save_file(tensors, path, {"format": "pt"})


def renamed(folder: Path, old: Callable[[str], str]) -> None:
    def change(tensors: State) -> None:
        kept = {old(name): value for name, value in tensors.items()}
        tensors.clear()
        tensors.update(kept)

    edited(folder / "adapter_model.safetensors", change)


def earlier_name(network: Network) -> Callable[[str], str]:
    """Return how the modules were called before transformers 4.52 (LLaVA), or by transformers 5 (CLIP's tower)."""
    if network.backbone is Phi35Vision:
        return lambda name: name.replace("img_processor.vision_model.", "img_processor.")
    return lambda name: name.replace("model.model.language_model.", "model.language_model.model.")


@pytest.mark.parametrize(("method", "in_full"), [("LORA", False), ("LORA", True), ("IA3", False), ("LOHA", False)])
def test_names_of_earlier_versions_are_renamed_and_said(
    network: Network, method: str, in_full: bool, tmp_path: Path
) -> None:
    leaf = "out_proj" if network.backbone is Phi35Vision else "o_proj"
    changes = {"feedforward_modules": []} if method == "IA3" else {}
    folder = save_adapter(network.base(), method, tmp_path / "adapter", target_modules=[leaf], **changes)
    expected = merged_by_peft(network.base(), folder)
    renamed(folder, earlier_name(network))
    if in_full:  # as many trainings write them; PEFT's own load finds none of these modules
        names = {name.removeprefix("base_model.model.").rpartition(".lora_")[0] for name in
                 load_file(folder / "adapter_model.safetensors")}  # fmt: skip
        edited(folder / "adapter_config.json", lambda config: config.update(target_modules=sorted(names)))
    backbone = network.opened(folder)
    assert equal(module_of(backbone).state_dict(), expected)
    (note,) = backbone.details()["notes"]
    assert "names of an earlier version and were renamed: base_model.model." in note
    assert leaf in note


def test_names_that_peft_itself_no_longer_knows(tmp_path: Path) -> None:
    """Qwen2.5-VL's language model was ``model.layers`` before transformers 4.52; PEFT merges nothing of that."""
    model = tmp_path / "model"
    model.mkdir()
    build_qwen2_5_vl(model)
    base = AutoModelForImageTextToText.from_pretrained(model)
    folder = save_adapter(copy.deepcopy(base), "LORA", tmp_path / "adapter")
    expected = merged_by_peft(copy.deepcopy(base), folder)
    renamed(folder, lambda name: name.replace("model.model.language_model.layers", "model.model.layers"))
    adapter, blueprint = Adapter(AdapterFolder.read(folder)), Checkpoint(model).blueprint("sdpa")
    adapter.check(blueprint, todays_names(blueprint))
    assert equal(adapter.merge(base).state_dict(), expected)
    assert "were renamed: base_model.model.model.layers.0" in adapter.notes[0]


def test_patterns_hold_for_the_names_in_training(network: Network, tmp_path: Path) -> None:
    if network.backbone is Phi35Vision:
        pytest.skip("its language model has had one name")
    today = {"model.language_model.layers.0.self_attn.o_proj": 3}
    folder = save_adapter(network.base(), "LORA", tmp_path / "adapter", alpha_pattern=today)
    expected = merged_by_peft(network.base(), folder)
    renamed(folder, earlier_name(network))
    earlier = {"language_model.model.layers.0.self_attn.o_proj": 3}
    edited(folder / "adapter_config.json", lambda config: config.update(alpha_pattern=earlier))
    assert equal(network.state(folder), expected)


def test_two_names_for_one_tensor(network: Network, tmp_path: Path) -> None:
    folder = save_adapter(network.base(), "LORA", tmp_path / "adapter")

    def double(tensors: State) -> None:
        name = next(iter(tensors))
        tensors[name.replace(".weight", ".default.weight")] = tensors[name] + 1

    edited(folder / "adapter_model.safetensors", double)
    with pytest.raises(UserError, match="two tensors that are called"):
        network.opened(folder)


def test_names_as_they_are_in_a_raw_state_dict(network: Network, tmp_path: Path) -> None:
    folder = save_adapter(network.base(), "LORA", tmp_path / "adapter")
    expected = merged_by_peft(network.base(), folder)
    renamed(folder, lambda name: name.removeprefix("base_model.model.").replace(".weight", ".default.weight"))
    assert equal(network.state(folder), expected)


def test_a_part_of_an_earlier_adapter_that_is_missing_is_named(network: Network, tmp_path: Path) -> None:
    folder = save_adapter(network.base(), "LORA", tmp_path / "adapter")
    edited(
        folder / "adapter_model.safetensors", lambda state: [state.pop(name) for name in list(state) if ".0." in name]
    )
    with pytest.raises(UserError, match=r"no weights for .*layers\.0.*o_proj.*in all"):
        network.opened(folder)


def copied_with(network: Network, folder: Path, change: Callable[[Tensor], Tensor]) -> str:
    """Add the copy of the token embedding that PEFT saves beside a LoRA on it; return its name."""
    inner = "model." if network.backbone is Phi35Vision else "model.language_model."
    own = change(network.module.state_dict()[f"{inner}embed_tokens.weight"])
    name = f"base_model.model.{inner}embed_tokens.base_layer.weight"
    edited(folder / "adapter_model.safetensors", lambda state: state.update({name: own}))
    return name


def test_a_copy_of_the_base_beside_lora_on_embeddings(network: Network, tmp_path: Path) -> None:
    folder = save_adapter(network.base(), "LORA", tmp_path / "adapter", target_modules=ALL)
    copied_with(network, folder, torch.clone)
    backbone = network.opened(folder)
    assert equal(module_of(backbone).state_dict(), merged_by_peft(network.base(), folder))
    assert backbone.details()["notes"] == []

    name = copied_with(network, folder, lambda own: own + 1)
    backbone = network.opened(folder)
    assert equal(module_of(backbone).state_dict(), merged_by_peft(network.base(), folder))
    (note,) = backbone.details()["notes"]
    assert f"holds {name} as its base had it, which differs" in note

    copied_with(network, folder, lambda own: own[:-1].clone())
    with pytest.raises(UserError, match=r"size mismatch .*embed_tokens"):
        network.opened(folder)


@pytest.mark.parametrize("method", ["LORA", "IA3", "LOHA"])
def test_an_adapter_that_changes_nothing_says_so(network: Network, method: str, tmp_path: Path) -> None:
    folder = save_adapter(network.base(), method, tmp_path / "adapter", scale=0)
    backbone = network.opened(folder)
    assert equal(module_of(backbone).state_dict(), network.module.state_dict())
    assert backbone.details()["notes"] == [f"the adapter in {folder} changes nothing: it leaves every weight as it is"]


def test_pickled_weights_are_the_same_adapter(network: Network, tmp_path: Path) -> None:
    folder = save_adapter(network.base(), "LORA", tmp_path / "adapter")
    expected = network.state(folder)
    torch.save(load_file(folder / "adapter_model.safetensors"), folder / "adapter_model.bin")
    (folder / "adapter_model.safetensors").unlink()
    assert equal(network.state(folder), expected)
    torch.save({"weight": Trap()}, folder / "adapter_model.bin")
    with pytest.raises(UserError, match=r"adapter_model.bin cannot be read(.|\n)*tensors saved by torch.save"):
        network.opened(folder)
    assert not (folder / "sprung").exists()


class Trap:
    """Would write a file if it were unpickled without care."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("open('sprung', 'w').close()",))


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        (["checkpoint-500", "checkpoint-1000"], r"checkpoints of a training: checkpoint-500, checkpoint-1000\n"
                                                r".*--adapter .*checkpoint-1000"),
        (["basic", "compound"], "several adapters, each in a folder: basic, compound"),
    ],
)  # fmt: skip
def test_a_folder_of_folders_is_named_for_what_it_is(
    network: Network, inside: list[str], words: str, tmp_path: Path
) -> None:
    for name in inside:
        save_adapter(network.base(), "LORA", tmp_path / "root" / name)
    with pytest.raises(UserError, match=words):
        network.opened(tmp_path / "root")


def test_a_whole_model_is_no_adapter(network: Network) -> None:
    with pytest.raises(UserError, match=r"the checkpoint of a whole model\n.*--backbone NAME:"):
        network.opened(network.folder)
