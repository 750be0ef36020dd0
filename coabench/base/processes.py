"""The processes that do one job together, as torchrun (or accelerate) starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from coabench.errors import JobError, first_line

PATIENCE = timedelta(days=30)
"""How long a process waits for the others. They may have a long way to go; one that dies is noticed at once."""


@dataclass(frozen=True)
class World:
    """Where this process stands among those that do the job.

    Attributes:
        rank: its number; the first is 0, and it alone talks to the user.
        size: how many there are.
        local: its number on its host.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @classmethod
    def from_environment(cls) -> World:
        """Read what torchrun says; one process alone without it."""
        rank, size, local = (int(os.environ.get(name, d)) for name, d in
                             (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")))  # fmt: skip
        return cls(rank, size, local)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def device(self, chosen: str) -> str:
        """Return the device of this process: ``auto`` is the CUDA device of its number on its host."""
        if chosen != "auto" or self.size == 1:
            return chosen
        import torch

        return f"cuda:{self.local}" if torch.cuda.is_available() else "cpu"

    @contextmanager
    def meeting(self) -> Iterator[Meeting]:
        """Let the processes talk to each other; one alone talks to itself."""
        if self.size == 1:
            yield Meeting(self)
            return
        from torch import distributed

        with _others_told():
            distributed.init_process_group("gloo", timeout=PATIENCE)
        try:
            yield Meeting(self)
        finally:
            distributed.destroy_process_group()


@dataclass(frozen=True)
class Meeting:
    """What processes tell each other: plain data, seldom."""

    world: World

    def agree(self, value: Any) -> Any:
        """Return what the first process says, on all of them."""
        if self.world.size == 1:
            return value
        from torch import distributed

        said = [value]
        with _others_told():
            distributed.broadcast_object_list(said, src=0)
        return said[0]

    def wait(self) -> None:
        """Return when every process has come this far."""
        if self.world.size > 1:
            from torch import distributed

            with _others_told():
                distributed.barrier()


@contextmanager
def _others_told() -> Iterator[None]:
    """Turn the loss of another process into words."""
    try:
        yield
    except RuntimeError as error:
        raise JobError(
            "another process of this job is gone",
            found=first_line(error),
            remedy="what is recorded is safe: run the same command again, with as many processes as you like",
        ) from error
