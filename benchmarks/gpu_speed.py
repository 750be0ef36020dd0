"""How fast the model is on a device: the published loop, the port in several ways and batches, training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import torch
from breakdown import breakdown
from budget import Case, Skipped
from coabench_phi35v.images import Picture, picture
from coabench_phi35v.model import Phi3VForCausalLM
from inference import Answers, Bench, floor, ported, published, race, same
from PIL.Image import Image
from subject import BASIC, clock, face, random_model, rate
from training import WORDS, Setting, contestant, held, step, work

from coabench.decode import Decode
from coabench.errors import OutOfMemory, first_line
from coabench.support.placement import dtype_of
from coabench.support.shared_cache import SharedCache

PUBLISHED_SAMPLES = {"basic, one question": 12_271, "compound, both orders": 3_162}
"""Images of the published training set, by the questions that are asked about each."""
PUBLISHED_RATE = 1.404
"""Samples (questions) a second of the published training, on two GPUs."""
QUESTIONS = {"basic, one question": 1, "compound, both orders": 2}
RECORDS = 32
"""In a step of the published training."""


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    size: str
    crops: tuple[int, ...] = (4, 16)
    batches: tuple[int, ...] = (1, 4, 16, 64)
    published: int = 8
    micro_batches: tuple[int, ...] = (4, 16)
    training_crops: int = 16
    compiler: str = "inductor"


SCALES = {
    "full": Scale("full"),
    "mid": Scale("mid", (4,), (1, 4), 4, (1,), 4),
    "tiny": Scale("tiny", (1,), (1, 2), 1, (1,), 1, "eager"),  # dynamo traces, and nothing is compiled
}


@dataclass(frozen=True)
class Prepared(Bench):
    """A bench whose pictures are cut before the clock runs, as coabench cuts them in threads ahead of the model."""

    pictures: dict[int, Picture] = field(default_factory=dict)

    def prepare(self, images: Sequence[Image]) -> None:
        new = [image for image in images if id(image) not in self.pictures]
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda image: picture(image, self.num_crops), new))
        self.pictures.update((id(image), own) for image, own in zip(new, made, strict=True))

    def picture(self, image: Image) -> Picture:
        return self.pictures.get(id(image)) or super().picture(image)


class Subject:
    """The random model and what is measured on it. Nothing is made before a case needs it."""

    def __init__(self, scale: Scale, device: str) -> None:
        self.scale, self.device = scale, device
        self.dtype = torch.float32 if scale.size == "tiny" else dtype_of("auto", torch.device(device))
        self.images = [face(number) for number in range(max(7, 2 * max(scale.batches)))]
        self._pictures: dict[int, dict[int, Picture]] = {}
        self._published: dict[int, tuple[float, Answers]] = {}
        self._trained: dict[str, float] = {}

    @cached_property
    def model(self) -> Phi3VForCausalLM:
        """Its weights are made on the device, in its precision: no copy of them is on the host."""
        pictures = [picture(image, 4) for image in self.images[: len(BASIC)]]
        return random_model(WORDS, pictures, self.scale.size, self.device, self.dtype)

    @cached_property
    def eager(self) -> Phi3VForCausalLM:
        """The same weights in eager attention."""
        return self._again("eager")

    @cached_property
    def compiled(self) -> Phi3VForCausalLM:
        """The same weights; layers without a cache are compiled by `torch.compile`, for any number of tokens."""
        made = self._again("sdpa")
        for name, module in made.named_modules():
            if type(module).__name__ in ("VisionLayer", "DecoderMLP", "RMSNorm"):
                made.get_submodule(name).compile(backend=self.scale.compiler, dynamic=True)
        return made

    @cached_property
    def graphed(self) -> Phi3VForCausalLM:
        """The same weights; the vision tower is compiled and recorded as a CUDA graph, for each number of crops."""
        made = self._again("sdpa")
        tower = made.model.vision_embed_tokens.img_processor
        how = {"backend": "inductor", "mode": "reduce-overhead"} if self.device != "cpu" else {"backend": "eager"}
        tower.compile(**how, dynamic=False)
        return made

    @cached_property
    def rate(self) -> float:
        """Operations a second of a large matrix product."""
        return rate(self.device, self.dtype, 2 if self.scale.size == "tiny" else 7)

    def _again(self, attention: Any) -> Phi3VForCausalLM:
        made = Phi3VForCausalLM.blueprint(self.model.sizes, attention)
        made.fill(dict(self.model.state_dict()))
        return made

    # -- inference --------------------------------------------------------------------------------------------------

    def inference_cases(self, num_crops: int) -> list[Case]:
        """The published loop first, then the port with more and more images at a time."""
        cases = [Case(f"published loop, {num_crops} crops", partial(self._published_loop, num_crops))]
        for smaller, batch in zip((None, *self.scale.batches), self.scale.batches, strict=False):
            for decode in ("score", "generate"):
                name, like = (f"port, {decode}, {num_crops} crops, batch {size}" for size in (batch, smaller))
                cases.append(Case(name, partial(self._port, num_crops, decode, batch, lambda: self.model), like))
        batch = self.scale.batches[-2]
        cases.append(Case(f"where the time goes, {num_crops} crops", partial(self._where, num_crops, batch)))
        return cases

    def compiled_cases(self) -> list[Case]:
        """The same with `torch.compile` and CUDA graphs, at the smallest number of crops."""
        num_crops = self.scale.crops[0]
        cases = []
        for batch in self.scale.batches[:-1]:
            name = f"port, score, {num_crops} crops, batch {batch}, torch.compile"
            cases.append(Case(name, partial(self._port, num_crops, "score", batch, lambda: self.compiled)))
        name = f"port, score, {num_crops} crops, batch 1, CUDA graphs of the vision tower"
        return [*cases, Case(name, partial(self._port, num_crops, "score", 1, lambda: self.graphed, warm_up=3))]

    def _bench(self, model: Phi3VForCausalLM, num_crops: int, images: Sequence[Image]) -> Prepared:
        kept = self._pictures.setdefault(num_crops, {})
        made = Prepared(model, WORDS, num_crops, self.device, kept)
        made.prepare(images)
        return made

    def _published_loop(self, num_crops: int) -> Mapping[str, Any]:
        images = self.images[: self.scale.published]
        run = partial(published, "chain", self._bench(self.eager, num_crops, images))
        return self._figures(num_crops, run, images, 1, "published loop")

    def _port(
        self, num_crops: int, decode: Decode, batch: int, model: Callable[[], Phi3VForCausalLM], warm_up: int = 0
    ) -> Mapping[str, Any]:
        images = self.images[: max(2 * batch, self.scale.published)]
        kept = SharedCache.on(torch.device(self.device))
        run = partial(ported, "chain", self._bench(model(), num_crops, images), batch, decode, kept)
        for _ in range(warm_up):  # a CUDA graph is recorded in the second run
            run(images[:batch])
        return self._figures(num_crops, run, images, batch, f"port, {decode}")

    def _figures(self, num_crops: int, run: Any, images: Sequence[Image], batch: int, what: str) -> Mapping[str, Any]:
        least = floor("chain", self._bench(self.model, num_crops, images[:1])) / self.rate
        forget_peak(self.device)
        with fits():
            ((seconds, answers),) = race([run], images, batch, self.device)
        if what == "published loop":
            self._published[num_crops] = seconds, answers
        reference, golden = self._published.get(num_crops, (None, []))
        return {
            "what": what, "num_crops": num_crops, "batch": batch, "images_per_second": 1 / seconds,
            "floor_ms": 1000 * least, "of_the_floor": least / seconds,
            "times_published": reference / seconds if reference else None,
            "same_answers": same(answers[: len(golden)], golden[: len(answers)]), "peak_gib": held(self.device),
        }  # fmt: skip

    def _where(self, num_crops: int, batch: int) -> Mapping[str, Any]:
        images = self.images[:batch]
        return breakdown(self._bench(self.model, num_crops, images), images, self.rate)

    def preparation(self) -> Mapping[str, Any]:
        """Measure how many images one thread cuts into crops a second: it must keep up with the device."""
        found = {}
        for num_crops in self.scale.crops:
            begin = time.perf_counter()
            for image in self.images[:4]:
                picture(image, num_crops)
            found[f"images_per_second_{num_crops}_crops"] = 4 / (time.perf_counter() - begin)
        return found

    # -- training -----------------------------------------------------------------------------------------------------

    def training_cases(self) -> list[Case]:
        """The published recipe: rank 32 on every part, 16 crops, checkpointing; micro-batches of several sizes."""
        cases = [
            Case(f"{composition}, {images} images at a time", partial(self._training, composition, images))
            for images in self.scale.micro_batches
            for composition in QUESTIONS
        ]
        return [*cases, Case("the published mix", self._published_mix)]

    @cached_property
    def setting(self) -> Setting:
        dtype = str(self.dtype).removeprefix("torch.")
        return Setting(self.scale.size, self.device, dtype, checkpointing=True, dropout=0.05)

    @cached_property
    def _trainee(self) -> Any:
        return contestant("coabench", self.model, self.setting)

    @cached_property
    def _optimizer(self) -> torch.optim.Optimizer:
        trained = [each for each in self._trainee.module.parameters() if each.requires_grad]
        return torch.optim.AdamW(trained, lr=2e-4, betas=(0.9, 0.98), eps=1e-7, fused=self.device != "cpu")

    def _training(self, composition: str, images: int) -> Mapping[str, Any]:
        job, made, rounds = work(composition, images, self.scale.training_crops), self._trainee, 2
        with fits():
            step(made, job, self.setting)  # to warm up
        forget_peak(self.device)
        begin = clock(self.device)
        for _ in range(rounds):
            step(made, job, self.setting)
        seconds = (clock(self.device) - begin) / rounds
        self._trained[composition] = min(self._trained.get(composition, float("inf")), seconds / images)
        return {"samples_per_second": job.count / seconds, "seconds_per_image": seconds / images,
                "num_crops": self.scale.training_crops, "peak_gib": held(self.device)}  # fmt: skip

    def _published_mix(self) -> Mapping[str, Any]:
        """Samples a second of the published training set at the best micro-batches, steps of the optimiser included."""
        if self._trained.keys() != QUESTIONS.keys():
            raise RuntimeError("neither kind of question was measured" if not self._trained else "one was not measured")
        self._optimizer.step()  # to warm up; its gradients are those of the last case
        begin = clock(self.device)
        self._optimizer.step()
        update = clock(self.device) - begin
        samples = sum(images * QUESTIONS[name] for name, images in PUBLISHED_SAMPLES.items())
        seconds = sum(images * self._trained[name] for name, images in PUBLISHED_SAMPLES.items())
        own = samples / (seconds + samples / RECORDS * update)
        return {"samples_per_second": own, "times_published": own / PUBLISHED_RATE, "optimizer_step_ms": 1000 * update}


@contextmanager
def fits() -> Iterator[None]:
    """Skip a case whose batch is too large for the device: that is a finding, no failure."""
    try:
        yield
    except (OutOfMemory, torch.OutOfMemoryError) as error:
        found = error.found if isinstance(error, OutOfMemory) else first_line(error)
        raise Skipped(f"it does not fit: {found}") from None


def forget_peak(device: str) -> None:
    """Let the peak of the device's memory begin anew."""
    if device != "cpu":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
