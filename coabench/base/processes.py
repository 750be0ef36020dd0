"""The processes that do one job together, as torchrun, accelerate, srun or mpirun starts them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from coabench.errors import JobError, UserError, first_line

if TYPE_CHECKING:
    from torch import Tensor

PATIENCE = timedelta(days=30)
"""How long a process waits for the others. They may have a long way to go; one that dies is noticed at once."""

LOST = ("gloo", "onnection closed by peer", "onnection reset by peer", "roken pipe")
"""Words of the plain RuntimeError that gloo raises."""

TORCH = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
LAUNCHERS = (
    TORCH,
    ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),
)
"""What torchrun, srun, Open MPI and MPICH tell a process of itself, the first that is there counting."""


@dataclass(frozen=True)
class World:
    """The rank of this process among those that do the job.

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
        """Read what a launcher has set; one process alone without it.

        What srun or mpirun has set is put under torchrun's names, which torch and accelerate read.

        Raises:
            UserError: it is incomplete or no number, or no process can find the others.
        """
        names = next((names for names in LAUNCHERS if _started_by(names)), None)
        if names is None:
            return cls()
        try:
            rank, size, local = (int(os.environ.get(n, d)) for n, d in zip(names, ("", "1", "0"), strict=True))
        except ValueError:
            rank, size, local = -1, 0, 0
        if not 0 <= rank < size:
            raise UserError(
                "the launcher's variables do not say which process this is",
                expected=f"{names[0]} from 0 to {names[1]} - 1",
                found=", ".join(f"{name}={os.environ.get(name, '')}" for name in names),
                remedy="start the processes with torchrun, accelerate launch, srun or mpirun",
            )
        if size > 1 and names != TORCH:
            _check_address(names, size)
            os.environ.update(zip(TORCH, map(str, (rank, size, local)), strict=True))
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
        """Let the processes exchange data; one alone has its own."""
        if self.size == 1:
            yield Meeting(self)
            return
        from torch import distributed

        with lost_process_named():
            distributed.init_process_group("gloo", timeout=PATIENCE)
        try:
            yield Meeting(self)
        finally:
            distributed.destroy_process_group()


def _started_by(names: Sequence[str]) -> bool:
    """Return whether a launcher with these variables has started this process.

    Slurm sets its own for a batch script as well, which is one process whatever the number of tasks: only srun makes
    steps of a job.
    """
    if names[0] == "SLURM_PROCID" and "SLURM_JOB_ID" in os.environ and "SLURM_STEP_ID" not in os.environ:
        return False
    return names[0] in os.environ or names[1] in os.environ


def _check_address(names: Sequence[str], size: int) -> None:
    """Check that the processes can find each other; `UserError` says how to tell them."""
    if missing := [name for name in ("MASTER_ADDR", "MASTER_PORT") if name not in os.environ]:
        raise UserError(
            f"{size} processes were started ({names[1]}) that do not know where the first one is",
            expected="MASTER_ADDR and MASTER_PORT",
            found=f"no {' and no '.join(missing)}",
            remedy="export MASTER_PORT=29500 and MASTER_ADDR, the host of the first (on Slurm: "
            "$(scontrol show hostnames $SLURM_JOB_NODELIST | head -n 1)), or start one process",
        )


@dataclass(frozen=True)
class Meeting:
    """What processes exchange: plain data, seldom. The process group is there."""

    world: World

    def agree(self, value: Any = None) -> Any:
        """Return the first process's value, which JSON can hold, on all of them."""
        if self.world.size == 1:
            return value
        from torch import distributed

        with lost_process_named():
            data = _packed(value if self.world.first else None)
            length = _numbers([len(data)])
            distributed.broadcast(length, src=0)
            shared = data if self.world.first else data.new_empty(int(length))
            distributed.broadcast(shared, src=0)
        return _unpacked(shared)

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes, which JSON can hold, on every one of them, in their order."""
        if self.world.size == 1:
            return [value]
        import torch
        from torch import distributed

        with lost_process_named():
            data = _packed(value)
            lengths = [_numbers([0]) for _ in range(self.world.size)]
            distributed.all_gather(lengths, _numbers([len(data)]))
            longest = max(map(int, lengths))
            parts = [data.new_empty(longest) for _ in lengths]
            distributed.all_gather(parts, torch.nn.functional.pad(data, (0, longest - len(data))))
        return [_unpacked(part[: int(length)]) for part, length in zip(parts, lengths, strict=True)]

    def wait(self) -> None:
        """Return when every process has come this far."""
        if self.world.size > 1:
            from torch import distributed

            with lost_process_named():
                distributed.barrier()


def _packed(value: Any) -> Tensor:
    """Return a value as JSON in bytes: torch's own exchange of objects unpickles what comes from the network."""
    return _numbers(json.dumps(value).encode(), "uint8")


def _unpacked(data: Tensor) -> Any:
    return json.loads(bytes(data.tolist()))


def _numbers(values: Sequence[int], kind: str = "int64") -> Tensor:
    """Return numbers where the process group exchanges them: NCCL does so on the GPU alone."""
    import torch

    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    return torch.tensor(list(values), dtype=getattr(torch, kind), device=device)


@contextmanager
def lost_process_named() -> Iterator[None]:
    """Turn the loss of another process into a `JobError`."""
    try:
        yield
    except RuntimeError as error:
        from torch.distributed import DistError

        if not isinstance(error, DistError) and not any(words in str(error) for words in LOST):
            raise
        raise JobError(
            "another process of this job is gone",
            found=first_line(error),
            remedy="what is recorded is safe: run the same command again, with as many processes as you like",
        ) from error
