"""Checkpoints and adapters: what is accepted, what is refused and in which words, what a run's identity records."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from coabench_phi35v.backbone import Phi35Vision
from coabench_phi35v.prompt import ChatTokenizer
from safetensors.torch import load_file, save_file

from coabench.backbone import BackboneRequest
from coabench.errors import UserError

pytestmark = pytest.mark.slow

TOWER = "model.vision_embed_tokens.img_processor.vision_model"


@pytest.fixture
def tiny(oracle, tmp_path):
    """A copy of the tiny checkpoint that a test may break."""
    return shutil.copytree(oracle.tiny, tmp_path / "tiny", copy_function=shutil.copyfile)


@pytest.fixture
def adapter(oracle, tmp_path):
    """A copy of the published adapter layout that a test may break."""
    return shutil.copytree(oracle.adapter, tmp_path / "adapter", copy_function=shutil.copyfile)


def check(model, adapter=None):
    """Construct a backbone: everything but the weights is checked here."""
    return Phi35Vision(BackboneRequest(str(model), adapter and str(adapter), "cpu", "float32"))


def change(path, function):
    """Rewrite a safetensors or JSON file through a function that edits its mapping."""
    if path.suffix == ".json":
        content = json.loads(path.read_text())
        function(content)
        path.write_text(json.dumps(content))
    else:
        tensors = load_file(path)
        function(tensors)
        save_file({name: value.contiguous() for name, value in tensors.items()}, path, {"format": "pt"})


def state(backbone):
    backbone.load()
    return backbone.model.state_dict()


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# -- checkpoints ------------------------------------------------------------------------------------------------------


def test_loading_is_strict_and_names_are_the_checkpoints(oracle, loaded):
    stored = load_file(oracle.tiny / "model.safetensors")
    assert equal(loaded().model.state_dict(), {name: value.float() for name, value in stored.items()})


def test_sharded_equals_single(oracle, tiny, loaded):
    tensors = load_file(tiny / "model.safetensors")
    names = sorted(tensors)
    shards = {"model-00001-of-00002.safetensors": names[:30], "model-00002-of-00002.safetensors": names[30:]}
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, tiny / file)
    weight_map = {name: file for file, part in shards.items() for name in part}
    (tiny / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    (tiny / "model.safetensors").unlink()
    assert equal(state(check(tiny)), loaded().model.state_dict())
    (tiny / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(UserError, match=r"model-00002-of-00002"):
        check(tiny)


def test_a_second_name_of_the_embedding_is_accepted(tiny, loaded):
    change(tiny / "model.safetensors", lambda t: t.update({"model.vision_embed_tokens.wte.weight": torch.zeros(1, 64)}))
    assert equal(state(check(tiny)), loaded().model.state_dict())


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda t: t.pop("model.norm.weight"), "lacks model.norm.weight"),
        (lambda t: t.update(extra=torch.zeros(2)), "beside those of the model, extra"),
        (lambda t: t.update({"model.norm.weight": torch.zeros(3)}), r"shape .* model.norm.weight \(3,\) for \(64,\)"),
        (lambda t: t.update({"model.norm.weight": torch.zeros(64, dtype=torch.int8)}), "norm.weight is of type I8"),
    ],
)  # fmt: skip
def test_wrong_tensors_are_named(tiny, edit, words):
    change(tiny / "model.safetensors", edit)
    with pytest.raises(UserError, match=words):
        check(tiny)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def in_json(**fields):
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize(
    ("file", "damage", "words"),
    [
        ("model.safetensors", cut, "cannot be read(.|\n)*the file has"),
        ("model.safetensors", lambda p: p.write_bytes(b"\xff" * 64), "cannot be read(.|\n)*header"),
        ("model.safetensors", lambda p: p.write_bytes(b""), "cannot be read"),
        ("model.safetensors", lambda p: p.unlink(), "holds no weights"),
        ("config.json", lambda p: p.unlink(), "config.json does not exist"),
        ("config.json", lambda p: p.write_text("[]"), "config.json cannot be read"),
        ("config.json", lambda p: p.write_text("{"), "config.json cannot be read"),
        ("config.json", lambda p: p.write_text("[" * 100_000), "config.json cannot be read(.|\n)*more than 64 deep"),
        ("tokenizer.json", lambda p: p.unlink(), "tokenizer.json cannot be used"),
        ("tokenizer.json", lambda p: p.write_text("[" * 100_000), "cannot be used(.|\n)*more than 64 deep"),
        ("tokenizer.json", lambda p: p.write_text("[]"), "tokenizer.json cannot be used"),
        ("tokenizer.json", in_json(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"}), "Precompiled"),
    ],
)
def test_damaged_files_are_named(tiny, file, damage, words):
    damage(tiny / file)
    with pytest.raises(UserError, match=words):
        check(tiny)


def test_what_a_tokenizer_file_says_of_single_calls_is_passed_over(tiny):
    tokenizer = ChatTokenizer(tiny / "tokenizer.json")
    truncation = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 5}
    padding = {"strategy": {"Fixed": 2**40}, "direction": "Right", "pad_id": 0, "pad_type_id": 0, "pad_token": "x"}
    in_json(truncation=truncation, padding=padding | {"pad_to_multiple_of": None})(tiny / "tokenizer.json")
    assert ChatTokenizer(tiny / "tokenizer.json").text("What emotion?") == tokenizer.text("What emotion?")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda c: c.update(model_type="llava"), "another architecture(.|\n)*llava"),
        (lambda c: c.pop("rope_scaling"), "'rope_scaling' is missing"),
        (lambda c: c.update(hidden_size="wide"), "hidden_size cannot be read(.|\n)*whole number"),
        (lambda c: c.update(hidden_act="gelu"), "hidden_act cannot be read(.|\n)*silu"),
        (lambda c: c["img_processor"]["clip_config"].update(hidden_act="gelu"), "clip_config.hidden_act"),
        (lambda c: c["img_processor"]["clip_config"].update(image_size=330), "merged two by two"),
        (lambda c: c["img_processor"].update(image_dim_out=128), "vision tower's width"),
        (lambda c: c.update(num_attention_heads=7), "heads of the decoder"),
        (lambda c: c["rope_scaling"]["long_factor"].pop(), "8 in rope_scaling.short_factor, 7 in long_factor"),
        (lambda c: c.update(sliding_window=2047), "limited to a window"),
        (lambda c: c["rope_scaling"].update(type="yarn"), "rope_scaling.type(.|\n)*yarn"),
        (lambda c: c["embd_layer"].update(hd_transform_order="glb_sub"), "hd_transform_order"),
        (lambda c: c.update(quantization_config={"bits": 4}), "quantization_config"),
        (lambda c: c.update(num_hidden_layers=4), r"lacks model.layers.3.* and 3 more"),
    ],
)
def test_other_architectures_are_refused(tiny, edit, words):
    change(tiny / "config.json", edit)
    with pytest.raises(UserError, match=words):
        check(tiny)


def test_clip_l_is_implied(tiny):
    change(tiny / "config.json", lambda c: c["img_processor"].pop("clip_config"))
    with pytest.raises(UserError, match=r"1024, 16 and 64"):
        check(tiny)


@pytest.mark.parametrize("given", ["./nowhere", "/no/where", "~/nowhere", "nowhere", "a/b/c"])
def test_a_missing_path_is_no_hub_id(given):
    with pytest.raises(UserError, match=r"is no folder(.|\n)*owner/name"):
        check(given)


def test_a_hub_id_is_fetched(oracle, monkeypatch):
    import huggingface_hub

    asked = []
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: asked.append(name) or str(oracle.tiny))
    check("owner/model")
    assert asked == ["owner/model"]

    def fail(*_, **__):
        raise huggingface_hub.errors.LocalEntryNotFoundError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(UserError, match=r"could not be fetched(.|\n)*no network"):
        check("owner/model")


def test_a_model_must_be_given():
    with pytest.raises(UserError, match=r"phi-3.5-vision:PATH_OR_HUB_ID"):
        Phi35Vision(BackboneRequest())


@pytest.mark.parametrize("wrong", [{"device": "abacus"}, {"dtype": "int4"}])
def test_device_and_dtype_are_checked(oracle, wrong):
    with pytest.raises(UserError, match=next(iter(wrong.values()))):
        Phi35Vision(BackboneRequest(**{"model": str(oracle.tiny), "device": "cpu", **wrong}))


@pytest.mark.parametrize("wrong", [{"num_crops": 0}, {"stop": "never"}, {"attention": "none"}, {"max_new_tokens": 0}])
def test_options_are_checked(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Phi35Vision.Options(**wrong)


# -- identity ---------------------------------------------------------------------------------------------------------


def test_identity_knows_weights_not_names(oracle, tiny, adapter):
    original, copy = check(oracle.tiny, oracle.adapter).identity(), check(tiny, adapter).identity()
    assert original == copy == json.loads(json.dumps(copy))
    assert copy["num_crops"] == 4
    assert copy["dtype"] == "float32"
    assert copy["adapter"] | {"fingerprint": ""} == {
        "fingerprint": "",
        "rank": 8,
        "alpha": 16,
        "alpha_source": "adapter_config.json",
        "tensors": 66,
    }
    change(tiny / "model.safetensors", lambda t: t["model.norm.weight"].add_(1))
    change(adapter / "adapter_model.safetensors", lambda t: next(iter(t.values())).add_(1))
    changed = check(tiny, adapter).identity()
    assert changed["checkpoint"] != copy["checkpoint"]
    assert changed["adapter"]["fingerprint"] != copy["adapter"]["fingerprint"]


def test_large_files_are_sampled(tiny, adapter, monkeypatch):
    monkeypatch.setattr("coabench.support.tensorfile.SMALL", 0)
    before = check(tiny, adapter).identity()
    assert before == check(tiny, adapter).identity()
    change(tiny / "model.safetensors", lambda t: t["model.norm.weight"].add_(1))
    others = torch.load(adapter / "non_lora_state_dict.bin", weights_only=True)
    others["base_model.model.model.norm.weight"] += 1
    torch.save(others, adapter / "non_lora_state_dict.bin")
    after = check(tiny, adapter).identity()
    assert after["checkpoint"] != before["checkpoint"]
    assert after["adapter"]["fingerprint"] != before["adapter"]["fingerprint"]


def test_details_say_where_it_runs(oracle):
    details = check(oracle.tiny).details()
    assert details["device"] == "cpu"
    assert details["torch"] == torch.__version__
    assert details["notes"] == []


# -- adapters ---------------------------------------------------------------------------------------------------------


def test_three_layouts_are_one_adapter(loaded, tiny, adapter):
    merged = loaded("lora_random").model.state_dict()
    (adapter / "non_lora_state_dict.bin").unlink()
    (adapter / "config.json").unlink()
    assert equal(state(check(tiny, adapter)), merged)
    (adapter / "adapter_config.json").unlink()
    bare = check(tiny, adapter)
    assert equal(state(bare), merged)
    assert (bare.identity()["adapter"]["rank"], bare.identity()["adapter"]["alpha"]) == (8, 16.0)
    assert bare.identity()["adapter"]["alpha_source"].startswith("assumed")
    assert "alpha 16" in bare.details()["notes"][0]


def test_merging_is_exact(oracle, loaded):
    base, merged = loaded().model.state_dict(), loaded("lora_random").model.state_dict()
    lora = {name.removeprefix("base_model.model."): value.float()
            for name, value in load_file(oracle.adapter / "adapter_model.safetensors").items()}  # fmt: skip
    changed = [name for name in base if not torch.equal(base[name], merged[name])]
    assert len(changed) == 33
    for name in changed:
        module = name.removesuffix(".weight")
        if "position_embedding" in name:
            update = (lora[f"{module}.lora_embedding_B"] @ lora[f"{module}.lora_embedding_A"]).T
        else:
            update = lora[f"{module}.lora_B.weight"] @ lora[f"{module}.lora_A.weight"]
        assert torch.equal(merged[name], base[name] + 2.0 * update)


def test_patterns_and_rslora(tiny, adapter, loaded):
    base, merged = loaded().model.state_dict(), loaded("lora_random").model.state_dict()
    change(
        adapter / "adapter_config.json",
        lambda c: c.update(use_rslora=True, alpha_pattern={"o_proj": 4}, rank_pattern={"o_proj": 8}, r=8),
    )
    scaled = state(check(tiny, adapter))
    for name, factor in (("o_proj", 4 / 8**0.5), ("qkv_proj", 16 / 8**0.5)):
        name = f"model.layers.0.self_attn.{name}.weight"
        update = (merged[name] - base[name]) / 2 * factor
        assert torch.allclose(scaled[name], base[name] + update, atol=1e-5)


@pytest.mark.parametrize(
    ("field", "value"),
    [("bias", "all"), ("init_lora_weights", "pissa"), ("something_new", {"a": 1}), ("r", None)],
)
def test_what_cannot_be_merged_is_refused(tiny, adapter, field, value):
    change(adapter / "adapter_config.json", lambda c: c.update({field: value}))
    with pytest.raises(UserError, match=f"cannot be merged exactly: {field} = "):
        check(tiny, adapter)


@pytest.mark.parametrize(
    ("field", "value", "absent"),
    [("use_dora", True, "lora_magnitude_vector"), ("modules_to_save", ["lm_head"], "lm_head.weight")],
)
def test_a_config_that_asks_for_tensors_that_are_not_there_is_refused(tiny, adapter, field, value, absent):
    change(adapter / "adapter_config.json", lambda c: c.update({field: value}))
    with pytest.raises(UserError, match=f"no weights for .*{absent}"):
        check(tiny, adapter)


A = "base_model.model.model.layers.0.self_attn.o_proj.lora_A.weight"
POSITIONS = f"base_model.model.{TOWER}.embeddings.position_embedding.lora_embedding_A"


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda t: t.pop(A), "no weights for .*o_proj.lora_A"),
        (lambda t: t.update({A: torch.zeros(8, 65)}), r"size mismatch for .*o_proj.lora_A.*\[8, 65\].*\[8, 64\]"),
        (lambda t: t.update({A: torch.zeros(4, 64)}), r"size mismatch for .*o_proj.lora_A"),
        (lambda t: t.update({POSITIONS: torch.zeros(8, 99)}), "size mismatch for .*lora_embedding_A"),
        (lambda t: t.update({A.replace("layers.0", "layers.9"): t.pop(A),
                             A.replace("layers.0", "layers.9").replace("_A", "_B"): t.pop(A.replace("_A", "_B"))}),
         "no place for .*layers.9"),
        (lambda t: t.update({"base_model.model.lm_head.lora_magnitude_vector": torch.zeros(3)}),
         "no place for .*lm_head.lora_magnitude_vector"),
        (lambda t: t.clear(), "holds no tensors"),
    ],
)  # fmt: skip
def test_every_tensor_must_find_its_place(tiny, adapter, edit, words):
    change(adapter / "adapter_model.safetensors", edit)
    with pytest.raises(UserError, match=words):
        check(tiny, adapter)


def test_an_adapter_of_another_base_is_refused(tiny, adapter):
    change(adapter / "config.json", lambda c: c.update(num_hidden_layers=32))
    with pytest.raises(UserError, match=r"another base(.|\n)*num_hidden_layers: 3 / 32"):
        check(tiny, adapter)
    with pytest.raises(UserError, match=r"holds no adapter(.|\n)*checkpoint of a whole model"):
        check(tiny, tiny)


def edit_others(adapter, function):
    path = adapter / "non_lora_state_dict.bin"
    tensors = torch.load(path, weights_only=True)
    function(tensors)
    torch.save(tensors, path)


def test_tensors_trained_whole_are_applied(tiny, adapter, loaded):
    name = "model.vision_embed_tokens.glb_GN"
    edit_others(adapter, lambda t: t[f"base_model.model.{name}"].add_(1))
    backbone = check(tiny, adapter)
    changed, merged = state(backbone), loaded("lora_random").model.state_dict()
    assert torch.equal(changed.pop(name), (merged[name].bfloat16() + 1).float())
    assert equal(changed, {other: value for other, value in merged.items() if other != name})
    assert backbone.details()["notes"] == []


def test_differing_base_layers_are_noted_and_ignored(tiny, adapter, loaded):
    def edit(tensors):
        for layer in (1, 2):
            tensors[f"base_model.model.model.layers.{layer}.self_attn.o_proj.base_layer.weight"][0, 0] += 1

    edit_others(adapter, edit)
    backbone = check(tiny, adapter)
    assert equal(state(backbone), loaded("lora_random").model.state_dict())
    (note,) = backbone.details()["notes"]
    assert "differ from the base: 2, the first" in note
    assert "model.layers.1.self_attn.o_proj.weight" in note


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda t: t.update({"base_model.model.model.nothing": torch.zeros(1)}), "no place in the base: model.nothing"),
        (lambda t: t.update({"base_model.model.model.norm.weight": torch.zeros(1)}), "wrong shape: model.norm.weight"),
    ],
)
def test_other_tensors_must_find_their_place(tiny, adapter, edit, words):
    edit_others(adapter, edit)
    with pytest.raises(UserError, match=words):
        check(tiny, adapter)


class Trap:
    """Would write a file if it were unpickled without care."""

    def __reduce__(self):
        return (exec, ("open('sprung', 'w').close()",))


def test_pickles_run_no_code(tiny, adapter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model.norm.weight": Trap()}, adapter / "non_lora_state_dict.bin")
    with pytest.raises(UserError, match=r"non_lora_state_dict.bin cannot be read"):
        check(tiny, adapter)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.process
def test_listing_imports_no_torch():
    import subprocess
    import sys

    code = "import coabench_phi35v, sys; print(sorted({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
