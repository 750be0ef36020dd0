"""Does the published export load where the method's own loader runs, in transformers 4.41.2 and peft 0.10.0?

    python -m venv OLD
    OLD/bin/pip install torch transformers==4.41.2 peft==0.10.0 "numpy<2" pillow pluggy pyyaml
    python benchmarks/interop/published_loader.py --python OLD/bin/python MODEL ADAPTER

ADAPTER is exported as ``published``; the other interpreter takes the steps of the published loader on it (the tensors
trained whole, PEFT's adapter, the merge), and every tensor is compared with what coabench merges. The modules are those
of the native port on both sides: the hub's own code is not needed, and PEFT sees the same names.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]


def blueprint(model: Path) -> Any:
    """Return the modules with the weights of the checkpoint, in float32."""
    from coabench_phi35v.checkpoint import Checkpoint
    from coabench_phi35v.config import ModelConfig
    from coabench_phi35v.model import Phi3VForCausalLM

    made = Phi3VForCausalLM.blueprint(ModelConfig.read(model))
    checkpoint = Checkpoint(model, {name: tuple(value.shape) for name, value in made.state_dict().items()})
    made.fill(dict(checkpoint.weights(torch.device("cpu"), torch.float32, lambda _, tensor: tensor)))
    return made


def load_as_published(model: Path, adapter: Path, output: Path) -> None:
    """Take the steps of the published loader; write the merged tensors."""
    from peft import PeftModel

    base = blueprint(model)
    base.prepare_inputs_for_generation = None  # PEFT asks a causal model for it
    others = torch.load(adapter / "non_lora_state_dict.bin", map_location="cpu", weights_only=True)
    names = {name.removeprefix("base_model.").removeprefix("model."): value for name, value in others.items()}
    base.load_state_dict({name: value.float() for name, value in names.items()}, strict=False)
    merged = PeftModel.from_pretrained(base, str(adapter)).merge_and_unload()
    versions = {name: importlib.metadata.version(name) for name in ("torch", "transformers", "peft")}
    print(", ".join(f"{name} {version}" for name, version in versions.items()), flush=True)
    torch.save(merged.state_dict(), output)


def main() -> None:
    """Export, load elsewhere, compare; exit code 1 where a tensor differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("adapter", type=Path)
    parser.add_argument("--python", type=Path, help="the other interpreter")
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.output:
        return load_as_published(parsed.model, parsed.adapter, parsed.output)
    from coabench_phi35v.backbone import Phi35Vision

    from coabench.adapters.export import export
    from coabench.backbone import BackboneRequest

    with tempfile.TemporaryDirectory() as folder:
        written, tensors = Path(folder) / "published", Path(folder) / "merged.pt"
        export(parsed.adapter, "published", written, f"phi-3.5-vision:{parsed.model}")
        paths = os.pathsep.join([str(ROOT), str(ROOT / "plugins")])
        command = [parsed.python or sys.executable, __file__, parsed.model, written, "--output", tensors]
        subprocess.run([*map(str, command)], check=True, env={**os.environ, "PYTHONPATH": paths})
        theirs = torch.load(tensors, weights_only=True)
    ours = Phi35Vision(BackboneRequest(str(parsed.model), str(parsed.adapter), "cpu", "float32", None))
    ours.load()
    mine = ours.model.state_dict()
    furthest = max(float((mine[name] - theirs[name]).abs().max()) for name in mine)
    equal = sum(torch.allclose(mine[name], theirs[name], rtol=1e-6, atol=1e-6) for name in mine)
    print(f"{equal} of {len(mine)} tensors equal, at most {furthest:.1e} apart; {len(theirs)} there")
    sys.exit(0 if equal == len(mine) == len(theirs) else 1)


if __name__ == "__main__":
    main()
