"""Learning to see: the vision tower and the projector read action units, pose and landmarks off random faces.

A throw-away linear head reads the mean of the image's tokens, so that what is seen stands in every token in the same
way and a small decoder finds it with plain attention.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from coabench_phi35v.images import MEAN, STD
from coabench_phi35v.vision import ImageEmbedding
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from coabench_tiny.faces import LANDMARKS, TARGETS, Faces

KNOWN = len(TARGETS)

Report = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How long and how fast to learn.

    Attributes:
        epochs: how often every face is seen, mirrored at random.
        batch: faces per step.
        matrices, others: learning rates: Muon's for the matrices of layers, AdamW's for everything else.
        decay: weight decay of the matrices.
        warmup: the part of the steps in which the rates rise; then they fall along a cosine.
        landmarks: weight of the landmarks in the loss, beside 1 for action units and pose.
        seed: of order, mirroring and light.
        threads: how many parts a batch is computed in, at the same time.
    """

    epochs: int = 9
    batch: int = 64
    matrices: float = 2e-3
    others: float = 2e-3
    decay: float = 0.05
    warmup: float = 0.03
    landmarks: float = 0.5
    seed: int = 0
    threads: int = 2


class Reader(nn.Module):
    """The eyes and the head that is thrown away.

    Args:
        eyes: vision tower and projector; they stay.
        middle, spread: (targets,) mean and standard deviation of the targets.
    """

    def __init__(self, eyes: ImageEmbedding, middle: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.eyes, self.middle, self.spread = eyes, middle, spread
        self.head = nn.Linear(eyes.img_projection.get_parameter("2.weight").shape[0], len(middle))

    def tokens(self, pixels: Tensor) -> Tensor:
        """Return the projected tokens of whole crops, without separators: (n, 3, side, side) -> (n, cells², hidden)."""
        tokens: Tensor = self.eyes.img_projection(self.eyes._merge(self.eyes.img_processor(pixels)))
        return tokens.flatten(1, 2)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the standardised targets, (n, targets)."""
        read: Tensor = self.head(self.tokens(pixels).mean(dim=1))
        return read


def pretrain(eyes: ImageEmbedding, train: Faces, held_out: Faces, plan: Plan, report: Report = print) -> Reader:
    """Train *eyes* in place; about 5 ms a face on two cores."""
    torch.manual_seed(plan.seed)
    rng = np.random.default_rng(plan.seed)
    targets = torch.from_numpy(train.targets)
    reader = Reader(eyes, targets.mean(dim=0), targets.std(dim=0)).requires_grad_(True).train()
    weight = torch.ones(targets.shape[1]) / KNOWN
    weight[KNOWN:] = plan.landmarks / (2 * LANDMARKS)
    steps = plan.epochs * (len(targets) // plan.batch)
    optimizers = _optimizers(reader, plan)
    schedules = [LambdaLR(optimizer, lambda step: rate(step / steps, plan.warmup)) for optimizer in optimizers]
    start, losses = time.monotonic(), []
    with _workers(plan.threads) as pool:
        for step, rows in enumerate(_batches(len(targets), plan, rng), 1):
            flip = torch.from_numpy(rng.random(len(rows)) < 0.5)
            images, wanted = _mirrored(_relit(pixels(train.images[rows])), targets[rows], flip)
            parts = list(
                pool.map(partial(_gradients, reader, weight), images.chunk(plan.threads), wanted.chunk(plan.threads))
            )
            for parameter, *gradients in zip(reader.parameters(), *(own for _, own in parts), strict=True):
                parameter.grad = torch.stack(gradients).mean(dim=0)
            for optimizer, schedule in zip(optimizers, schedules, strict=True):
                optimizer.step()
                schedule.step()
            losses.append(float(np.mean([loss for loss, _ in parts])))
            if step % 250 == 0 or step == steps:
                report(
                    f"{step}/{steps}  {time.monotonic() - start:.0f} s  loss {np.mean(losses[-250:]):.3f}"
                    f"  held out: {_summary(explained(reader, held_out))}"
                )
    reader.eval().requires_grad_(False)
    return reader


def _gradients(reader: Reader, weight: Tensor, images: Tensor, wanted: Tensor) -> tuple[float, Sequence[Tensor]]:
    """Return the loss and its gradient of every parameter; zeros for those that take no part."""
    error = reader(images) - (wanted - reader.middle) / reader.spread
    loss = (error.square().mean(dim=0) * weight).sum()
    return loss.item(), torch.autograd.grad(loss, list(reader.parameters()), materialize_grads=True, allow_unused=True)


@contextmanager
def _workers(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads that compute alone.

    Each takes a part of the batch: half as many images as fast as if all worked on every operation together, and
    without waiting for one another at every operation where the machine has other work.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(before)


def explained(reader: Reader, faces: Faces) -> NDArray[np.float32]:
    """Return R² of every target."""
    was = reader.training
    reader.eval()
    with torch.inference_mode():
        read = torch.cat([reader(pixels(faces.images[at : at + 64])) for at in range(0, len(faces.images), 64)])
    reader.train(was)
    wanted = (torch.from_numpy(faces.targets) - reader.middle) / reader.spread
    r2 = 1 - (read - wanted).square().mean(dim=0) / wanted.var(dim=0)
    return np.asarray(r2)


def pixels(images: NDArray[np.uint8]) -> Tensor:
    """Return what the tower takes: float32 (n, 3, side, side), CLIP's mean and standard deviation taken off."""
    values = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 255
    return (values - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def rate(done: float, warmup: float) -> float:
    """Return the part of the learning rate that is in force when *done*, 0–1, of the steps are."""
    return done / warmup if done < warmup else 0.5 * (1 + math.cos(math.pi * min(1, (done - warmup) / (1 - warmup))))


def _summary(r2: NDArray[np.float32]) -> str:
    known = "  ".join(f"{name} {value:.2f}" for name, value in zip(TARGETS, r2[:KNOWN], strict=True))
    return f"AU {r2[: KNOWN - 4].mean():.3f}  landmarks {r2[KNOWN:].mean():.3f}  | {known}"


def _optimizers(reader: Reader, plan: Plan) -> list[Optimizer]:
    """Return Muon for the matrices between layers, AdamW for embeddings, norms, biases and the head."""
    parameters = dict(reader.named_parameters())
    matrices = [v for name, v in parameters.items() if v.ndim == 2 and "embedding" not in name and "head" not in name]
    chosen = {id(value) for value in matrices}
    others = [value for value in parameters.values() if id(value) not in chosen]
    return [
        Muon(matrices, lr=plan.matrices, weight_decay=plan.decay, adjust_lr_fn="match_rms_adamw"),
        AdamW(others, lr=plan.others, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def _batches(count: int, plan: Plan, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    for _ in range(plan.epochs):
        order = rng.permutation(count)
        for at in range(0, count - plan.batch + 1, plan.batch):
            yield np.sort(order[at : at + plan.batch])


def _mirrored(images: Tensor, targets: Tensor, flip: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror the pictures for which *flip* holds, and what is to be seen in them."""
    known, x, y = targets.tensor_split((KNOWN, KNOWN + LANDMARKS), dim=1)
    sign = torch.tensor([-1.0 if name in ("yaw", "roll") else 1.0 for name in TARGETS])
    half = LANDMARKS // 2  # left and right half of the landmarks mirror each other
    mirrored = torch.cat([known * sign, 1 - x.roll(half, dims=1), y.roll(half, dims=1)], dim=1)
    return (
        torch.where(flip[:, None, None, None], images.flip(-1), images),
        torch.where(flip[:, None], mirrored, targets),
    )


def _relit(images: Tensor) -> Tensor:
    """Change contrast, brightness and tint a little."""
    n = len(images)
    return (
        images * (1 + 0.15 * torch.randn(n, 1, 1, 1)) + 0.15 * torch.randn(n, 1, 1, 1) + 0.05 * torch.randn(n, 3, 1, 1)
    )
