"""Training on the port: the published examples and losses, and what is saved changes neither loss nor gradient."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import pytest

pytest.importorskip("torch")

import torch
from coabench_phi35v.activations import quick_gelu, swiglu
from coabench_phi35v.backbone import Phi35Vision
from coabench_phi35v.packing import TRUNK, common, pack
from coabench_phi35v.training import Encoded, Phi35Trainee
from coabench_tiny.checkpoint import write
from PIL import Image

from coabench.backbone import BackboneRequest
from coabench.dialogue import Answer, Message, Question, Turn
from coabench.labels import Choices

pytestmark = pytest.mark.slow

EXACT = 2e-6


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Phi35Vision:
    """A random model of the tiny backbone's size."""
    folder = tmp_path_factory.mktemp("small")
    write(folder, seed=5)
    options = Phi35Vision.Options(num_crops=1)
    backbone = Phi35Vision(BackboneRequest(str(folder), None, "cpu", "float32", options))
    backbone.load()
    return backbone


def trainee(backbone: Phi35Vision, extra_bos: bool = False) -> Phi35Trainee:
    return backbone.trainee(Phi35Vision.TrainingOptions(extra_bos=extra_bos))


def face(seed: int, size: tuple[int, int] = (100, 100)) -> Image.Image:
    noise = torch.randint(0, 255, (*size[::-1], 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    return Image.fromarray(noise.numpy())


def turn(prompt: str, answer: str, images: tuple[int, ...] = (0,), context: Sequence[Message] = ()) -> Turn:
    return Turn(Question(prompt, Choices([answer]), images=images, context=tuple(context)), Answer(answer))


TURNS = [
    turn("The primary emotion conveyed by this image was Happiness. And the next?", "Surprise"),
    turn("The primary emotion conveyed by this image was Surprise. And the next?", "Happiness"),
    turn("Select an emotion label.", "Happiness"),
    turn("Select an emotion label.", "Surprise"),
]


def plain(value: Sequence[Sequence[int]]) -> list[int]:
    return [token for token, times in value for _ in range(times)]


@pytest.mark.parametrize("which", ["base", "lora_random"])
def test_ids_labels_and_losses_are_the_published_ones(oracle, loaded, which):
    golden = oracle.json("train")
    lend = trainee(loaded(which, num_crops=1), extra_bos=True)
    examples = []
    for record, expected in zip(golden["records"], golden["examples"], strict=True):
        human, answer = (said["value"] for said in record["conversations"])
        # The golden run read its images from .jpg files, written with Pillow's default quality.
        file = io.BytesIO()
        Image.open(oracle.root / golden["images"][record["image"]]).save(file, "JPEG")
        prepared = loaded(which, num_crops=1).prepare([Image.open(file)])
        example = lend.encode(prepared, [turn(human.removeprefix("<image>\n"), answer)])
        (row,) = example.rows
        assert row.tokens == plain(expected["input_ids_rle"])[:-1]
        assert row.labels == [label for label in plain(expected["labels_rle"]) if label != -100]
        examples.append(example)
    with torch.inference_mode():
        loss = lend.module(**lend.collate(examples))["loss"]
    name = "loss_base_fp32" if which == "base" else "loss_lora_random_fp32"
    assert float(loss) == pytest.approx(golden[name], abs=1e-4)


def losses(lend: Phi35Trainee, examples: Sequence[Encoded], count: int) -> float:
    return float(lend.module(**lend.collate(examples), num_items_in_batch=count)["loss"].detach())


def test_packed_questions_have_the_losses_they_have_alone(small):
    lend = trainee(small)
    faces = [small.prepare([face(seed)]) for seed in (1, 2, 3)]
    packed = [lend.encode(prepared, TURNS) for prepared in faces]
    alone = [lend.encode(prepared, [one]) for prepared in faces for one in TURNS]
    assert sum(e.tokens for e in packed) < 0.6 * sum(e.tokens for e in alone)
    count = len(lend.collate(packed)["labels"])
    assert count == len(lend.collate(alone)["labels"])
    apart = sum(losses(lend, [example], count) for example in alone)
    assert losses(lend, packed, count) == pytest.approx(apart, abs=EXACT * 10)
    assert losses(lend, alone, count) == pytest.approx(apart, abs=EXACT * 10)


def gradients(lend: Phi35Trainee, examples: Sequence[Encoded]) -> dict[str, torch.Tensor]:
    lend.module.requires_grad_(True).train()
    lend.module.zero_grad()
    lend.module(**lend.collate(examples))["loss"].backward()
    found = {name: p.grad.clone() for name, p in lend.module.named_parameters() if p.grad is not None}
    lend.module.eval()
    return found


def test_packed_questions_have_the_gradients_they_have_alone(small):
    lend, prepared = trainee(small), small.prepare([face(4)])
    packed = gradients(lend, [lend.encode(prepared, TURNS)])
    alone = gradients(lend, [lend.encode(prepared, [one]) for one in TURNS])
    for name, gradient in packed.items():
        assert torch.allclose(gradient, alone[name], atol=2e-6, rtol=1e-3), name
    resting = {name for name, _ in lend.module.named_parameters()} - set(packed)
    assert resting
    assert all(any(name.startswith(module) for module in lend.unused) for name in resting)


def test_checkpointing_changes_no_gradient(small):
    lend, prepared = trainee(small), small.prepare([face(5)])
    kept = gradients(lend, [lend.encode(prepared, TURNS)])
    lend.module.gradient_checkpointing_enable()
    again = gradients(lend, [lend.encode(prepared, TURNS)])
    for module in lend.module.modules():
        if hasattr(module, "gradient_checkpointing"):
            module.gradient_checkpointing = False
    assert all(torch.allclose(kept[name], again[name], atol=1e-7) for name in kept)


def test_exemplar_images_go_where_their_message_is(small):
    lend = trainee(small)
    context = [Message("user", "And this?", (0,)), Message("assistant", "Fear")]
    shown = [turn("And this?", "Anger", images=(1,), context=context)]
    one, other = face(6), face(7)
    right = lend.encode(small.prepare([one, other]), shown)
    swapped = lend.encode(small.prepare([other, one]), shown)
    assert right.rows[0].tokens == swapped.rows[0].tokens
    assert losses(lend, [right], 1) != pytest.approx(losses(lend, [swapped], 1), abs=1e-4)


def test_questions_beyond_the_short_rope_factors_stand_in_rows_of_their_own(small):
    lend, prepared = trainee(small), small.prepare([face(8)])
    long = turn("word " * small.model.sizes.rope.original, "Fear")
    example = lend.encode(prepared, [TURNS[0], long, TURNS[1]])
    assert [(row.long, max(row.branches)) for row in example.rows] == [(False, 2), (True, 1)]


def test_a_row_is_a_trunk_with_branches():
    row = pack([([1, 2, 3, 4], [8, 9]), ([1, 2, 5], [7])], ())
    assert common([[1, 2, 3, 4], [1, 2, 5]]) == 2
    assert row.tokens == [1, 2, 3, 4, 8, 5]
    assert row.positions == [0, 1, 2, 3, 4, 2]
    assert row.branches == [TRUNK, TRUNK, 1, 1, 1, 2]
    assert (row.states, row.labels) == ([3, 4, 5], [8, 9, 7])


def test_the_published_modules_are_trained(oracle, loaded):
    lend = trainee(loaded("base", num_crops=1))
    published = json.loads((oracle.adapter / "adapter_config.json").read_text())["target_modules"]
    resting = tuple(f"{module}." for module in lend.unused)
    assert {name for part in lend.groups.values() for name in part} == {
        n for n in published if not n.startswith(resting)
    }


def test_a_fully_trained_model_is_written_as_it_was_read(small, tmp_path):
    lend = trainee(small)
    lend.save(tmp_path)
    again = Phi35Vision(BackboneRequest(str(tmp_path), None, "cpu", "float32", Phi35Vision.Options(num_crops=1)))
    again.load()
    mine, theirs = small.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert again.identity()["checkpoint"] == small.identity()["checkpoint"]


@pytest.mark.parametrize(("activation", "reference", "width"), [
    (quick_gelu, lambda x: x * torch.sigmoid(1.702 * x), 6),
    (swiglu, lambda x: torch.nn.functional.silu(x[..., :3]) * x[..., 3:], 6),
])  # fmt: skip
def test_activations_have_the_gradients_that_autograd_finds(activation, reference, width):
    x = torch.randn(4, width, dtype=torch.float64, requires_grad=True)
    wanted = reference(x)
    ours = activation(x)
    torch.testing.assert_close(ours, wanted)
    towards = torch.randn_like(wanted)
    (one,), (other,) = (torch.autograd.grad(made, x, towards) for made in (ours, wanted))
    torch.testing.assert_close(one, other)
    with torch.no_grad():
        torch.testing.assert_close(activation(x), wanted)


def test_a_batch_has_no_padding_and_rows_of_one_width_are_computed_together(small):
    lend = trainee(small)
    examples = [
        lend.encode(small.prepare([face(seed)]), turns) for seed, turns in ((1, TURNS), (2, TURNS[:1]), (3, TURNS[:1]))
    ]
    rows = lend.collate(examples)["rows"]
    assert len(rows.tokens) == sum(e.tokens for e in examples)
    assert [(span.count, span.mask is None) for span in rows.spans(torch.device("cpu"))] == [(1, False), (2, True)]
    eager = Phi35Vision.Options(num_crops=1, attention="eager")
    other = Phi35Vision(BackboneRequest(str(small._checkpoint.folder), None, "cpu", "float32", eager))
    other.load()
    assert losses(trainee(other), examples, 1) == pytest.approx(losses(lend, examples, 1), rel=1e-5)
