"""How everything that ships was made, from nothing: ``python -m coabench_tiny.recipe WORKDIR``.

1. 30,000 faces of random action units, rendered (`faces`), and a vision tower and projector that learn to read them
   (`pretrain`): no label of any data set is used.
2. The base: ``coabench train --preset base``, the decoder on every strategy's questions about ``synthface-basic``
   faces, 600 per class, rendered for this alone.
3. An adapter per strategy: ``coabench train`` on the faces that ship.

Needs ``pip install 'coabench[synthface]'``, two cores, 2 GB of disk and about an hour. What is there already is not
made again. ``--install`` puts the result into this package.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coabench_synthface.assets import require_numba

from coabench.base.files import write_json
from coabench.errors import UserError
from coabench.runs.adapter import MANIFEST
from coabench_tiny.backbone import ADAPTERS, BASE
from coabench_tiny.checkpoint import SIDE, halve, save, write

if TYPE_CHECKING:
    from coabench_tiny.faces import Faces

TRAIN, HELD_OUT = 30_000, 1_536
"""How many random faces are learnt from, and on how many the progress is measured."""
STRATEGIES: dict[str, tuple[str, ...]] = {"chain-of-affect": (), "direct": (), "one-shot": ("--steps", "250")}
"""Strategy -> what its adapter's training has beside the defaults: two images a question take twice the time."""
BASIC = ("--subset", "basic", "--per-class-train", "600", "--per-class-test", "0", "--seed", "1001")
"""The faces that the base learns the basic emotions from."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the recipe."""
    parser = argparse.ArgumentParser("coabench_tiny.recipe", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="WORKDIR")
    parser.add_argument("--workers", type=int, default=2, help="processes that render (2)")
    parser.add_argument("--install", action="store_true", help="replace what ships in this package")
    parsed = parser.parse_args(arguments)
    try:
        require_numba()
    except UserError as error:
        parser.error(str(error))
    folder: Path = parsed.folder
    train = faces(folder / "faces", TRAIN, seed=1, workers=parsed.workers)
    held_out = faces(folder / "faces_held_out", HELD_OUT, seed=2, workers=parsed.workers)
    see(folder / "seeing", train, held_out)
    if not (folder / "basic" / "set.json").is_file():
        coabench(folder, "synthface", "make", "basic", *BASIC, "--workers", str(parsed.workers))
    every = [part for name in STRATEGIES for part in ("--strategy", name)]
    coabench(folder, "train", "--backbone", "tiny:seeing", "--preset", "base", *every, "--dataset", "synthface-basic",
             "--data-root", "basic", "--output", "base")  # fmt: skip
    if parsed.install:
        install(folder / "base", BASE, ("config.json", "tokenizer.json", "model.safetensors"))
    for strategy, more in STRATEGIES.items():
        # Trained on the base under the name it ships by, so that the adapter's manifest names no folder.
        model = "tiny" if parsed.install else "tiny:base"
        output = f"adapters/{strategy}"
        coabench(folder, "train", "--backbone", model, "--strategy", strategy, *more, "--output", output)
        if parsed.install:
            wanted = ("adapter_config.json", "adapter_model.safetensors")
            install(folder / "adapters" / strategy, ADAPTERS / strategy, wanted)
            halve(ADAPTERS / strategy / "adapter_model.safetensors")


def faces(folder: Path, count: int, seed: int, workers: int) -> Faces:
    """Render random faces, or take those that are there."""
    from coabench_tiny.faces import Faces, make_faces

    if (folder / "targets.npy").is_file():  # written last
        return Faces.read(folder)
    print(f"rendering {count} faces into {folder}", flush=True)
    return make_faces(folder, count, seed, SIDE, workers)


def see(folder: Path, train: Faces, held_out: Faces) -> None:
    """Write a checkpoint that can see and not yet speak, unless it is there."""
    from coabench_tiny.pretrain import Plan, pretrain

    if (folder / "seen").is_file():
        return
    plan = Plan()
    model = write(folder, plan.seed)
    pretrain(model.model.vision_embed_tokens, train, held_out, plan, lambda line: print(line, flush=True))
    save(model, folder)
    (folder / "seen").touch()


def coabench(folder: Path, *arguments: str) -> None:
    """Run a command of the bench in the work folder; its names stay relative, so manifests name no machine."""
    subprocess.run([sys.executable, "-m", "coabench", *arguments], cwd=folder, check=True)


def install(made: Path, shipped: Path, names: Sequence[str]) -> None:
    """Copy what was made into the package, with its manifest: all of it but who made it when and where."""
    shutil.rmtree(shipped, ignore_errors=True)
    shipped.mkdir(parents=True)
    for name in names:
        shutil.copyfile(made / name, shipped / name)
    manifest = json.loads((made / MANIFEST).read_text(encoding="utf-8"))
    write_json(shipped / MANIFEST, {**manifest, "sessions": []})


if __name__ == "__main__":
    main()
