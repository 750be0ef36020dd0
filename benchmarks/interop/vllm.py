"""Does a real vLLM answer through ``openai:`` what ``transformers:`` answers with the same weights?

    python benchmarks/interop/vllm.py VLLM [--pictures 33] [--only adapter]

VLLM is the executable of an environment of its own; vllm.md says how one comes about on a machine without a GPU, and
has the figures, which this script writes beside itself, with vllm.json. The model is the tests' tiny LLaVA, in float32;
the pictures are drawn faces of the size that it sees, so that no two ways to scale a picture come between. It needs the
packages that the tests need. ``--only`` measures one part and adds it to the file.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT), str(ROOT / "plugins")]

STRATEGIES = ("direct", "chain-of-affect", "one-shot", "few-shot")
LENGTH = 8
"""Tokens of an answer: those of the tiny model that do not end tell nothing new after them."""
ARGUMENTS = "--dtype float32 --max-model-len 2048 --enforce-eager --limit-mm-per-prompt '{\"image\": 16}'"
COMPOUND = {
    "Happily Surprised": "Happiness", "Happily Disgusted": "Happiness", "Sadly Fearful": "Sadness",
    "Sadly Angry": "Sadness", "Sadly Surprised": "Sadness", "Sadly Disgusted": "Sadness", "Fearfully Angry": "Fear",
    "Fearfully Surprised": "Fear", "Angrily Surprised": "Anger", "Angrily Disgusted": "Anger",
    "Disgustedly Surprised": "Disgust",
}  # fmt: skip


def draw(folder: Path, number: int, faces: Mapping[str, str]) -> Path:
    """Write drawn faces as class folders of labels, each with the face of the emotion that stands for it."""
    from coabench.testing.pictures import draw_face

    for split, count in (("train", 2 * len(faces)), ("test", number)):
        for i in range(count):
            label, emotion = list(faces.items())[i % len(faces)]
            (folder / split / label).mkdir(parents=True, exist_ok=True)
            face = draw_face(emotion, i if split == "test" else 1000 + i, size=56)
            face.save(folder / split / label / f"{i}.png")
    return folder


def records(run: Path) -> list[Any]:
    """Return the records of a run in the order of the data set."""
    return [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]


def turns(one: Sequence[Any], other: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the turns of two runs that belong together."""
    for a, b in zip(one, other, strict=True):
        yield from zip(a["turns"], b["turns"], strict=False)


def compared(local: Path, served: Path) -> dict[str, Any]:
    """Return in how many labels, responses and token counts two runs agree, and how far their scores lie apart."""
    one, other = records(local), records(served)
    pairs = list(turns(one, other))
    apart = [abs(a["scores"][o] - b["scores"][o]) for a, b in pairs if a.get("scores") for o in a["scores"]]
    found = {
        "samples": len(one),
        "labelled": sum(a["prediction"] is not None for a in one),
        "labels": sum(a["prediction"] == b["prediction"] for a, b in zip(one, other, strict=True)),
        "turns": len(pairs),
        "responses": sum(a["response"] == b["response"] for a, b in pairs),
        "prompt_tokens": sum(a["prompt_tokens"] == b["prompt_tokens"] for a, b in pairs),
    }
    if apart:
        found |= {"scores": len(apart), "largest_difference": max(apart), "median_difference": statistics.median(apart)}
    return found


def measure(executable: str, pictures: int, work: Path) -> dict[str, Any]:
    """Run everything; return what was found."""
    from coabench_openai.local_server import LocalServer
    from coabench_openai.options import ServerOptions
    from support.tiny_vlms import LABELS, build_llava

    import coabench

    model = build_llava(work / "llava")
    basic = draw(work / "basic", pictures, dict(zip(LABELS, LABELS, strict=True)))
    compound = draw(work / "compound", pictures, COMPOUND)
    server = LocalServer.of(str(model), ServerOptions(serve_with=executable, serve_args=ARGUMENTS, serve_within=900))
    assert server is not None
    server.log = work / "vllm.log"
    began = time.monotonic()
    server.start()
    found: dict[str, Any] = {"vllm": server.version, "seconds_until_ready": round(time.monotonic() - began)}
    web = {"base_url": server.address.url, "max_tokens": str(LENGTH)}
    bos = {"body.add_special_tokens": "true"}

    def run(name: str, backbone: str, options: dict[str, str], **rest: Any) -> Path:
        rest = {"batch_size": 16, "dataset": str(compound if "decode" in rest else basic), **rest}
        coabench.evaluate(backbone=f"{backbone}:{model}", options=options, output=work / name, **rest)
        return work / name

    def pair(name: str, fields: dict[str, str], **rest: Any) -> dict[str, Any]:
        local = work / f"{rest['strategy']}-{rest.get('decode', 'generate')}"
        if not local.exists():
            run(local.name, "transformers", {"max_new_tokens": str(LENGTH)}, dtype="float32", **rest)
        return compared(local, run(name, "openai", {**web, **fields}, **rest))

    try:
        for strategy in STRATEGIES:
            found[strategy] = pair(f"{strategy}-served", bos, strategy=strategy)
        found["direct, scores of whole options"] = pair("exact", bos, strategy="direct", decode="score")
        scored = {"strategy": "pair-scores", "dataset": str(compound)}
        found["pair-scores, scores of whole options"] = pair("pairs", bos, **scored)
        found["pair-scores, scores of first tokens"] = pair("first", {**bos, "scores": "first-token"}, **scored)
        found["direct, without add_special_tokens"] = pair("bare", {}, strategy="direct")
        notes = json.loads((work / "bare" / "run.json").read_text())["notes"]
        found["note_of_the_lacking_bos"] = next((note for note in notes if "BOS" in note), None)
        limited = run("limited", "openai", {**web, **bos, "constrain": "auto", "max_tokens": "32"}, strategy="direct")
        facts = json.loads((limited / "run.json").read_text())
        found["constrain=auto"] = facts["identity"]["backbone"]["facts"]["constrain"]
        found["answers_within_the_options"] = sum(record["status"] == "ok" for record in records(limited))
        found["system_fingerprint"] = facts["sessions"][0]["backbone"]["system_fingerprint"]
    finally:
        server.stop()
    return found


def save_lora(model: Path, folder: Path) -> Path:
    """Write a random LoRA on all linear layers of a LLaVA's decoder, large enough to change answers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(3)
    layers = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
    config = LoraConfig(r=8, lora_alpha=16, target_modules=layers, init_lora_weights=False)
    get_peft_model(AutoModelForImageTextToText.from_pretrained(model), config).save_pretrained(folder)
    return folder


def measure_adapter(executable: str, pictures: int, work: Path) -> dict[str, Any]:
    """Let runs with an adapter start their own server; return how they agree with merged weights."""
    from support.tiny_vlms import LABELS, build_llava

    import coabench

    model = build_llava(work / "llava")
    asked = {
        "dataset": str(draw(work / "basic", pictures, dict(zip(LABELS, LABELS, strict=True)))),
        "strategy": "direct", "decode": "score", "batch_size": 16,
    }  # fmt: skip
    adapted = {"adapter": str(save_lora(model, work / "lora")), **asked}
    options = {"serve_with": executable, "serve_args": ARGUMENTS, "serve_within": "900"}
    options |= {"max_tokens": str(LENGTH), "body.add_special_tokens": "true", "end_token": "</s>"}
    local = {"backbone": f"transformers:{model}", "dtype": "float32"}
    coabench.evaluate(output=work / "base", **local, **asked)
    coabench.evaluate(output=work / "local", **local, **adapted)
    coabench.evaluate(output=work / "served", backbone=f"openai:{model}", options=options, **adapted)
    found = {"direct with a LoRA, scores of whole options": compared(work / "local", work / "served")}
    for row in found.values():
        row["labels_without_it"] = compared(work / "local", work / "base")["labels"]
    return found


def table(found: dict[str, Any]) -> str:
    """Return the comparisons as a table in Markdown."""
    lines = [
        "| what is asked | labels alike | responses alike | prompt tokens alike | scores apart, median and largest |",
        "|---|---|---|---|---|",
    ]
    for name, row in found.items():
        if isinstance(row, dict):
            apart = (
                f"{row['median_difference']:.1e}, {row['largest_difference']:.1e} of {row['scores']}"
                if "scores" in row
                else ""
            )
            lines.append(
                f"| {name} | {row['labels']} of {row['samples']}, {row['labelled']} with one | "
                f"{row['responses']} of {row['turns']} | "
                f"{row['prompt_tokens']} of {row['turns']} | {apart} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure, write vllm.json, print the table; exit code 1 where labels or scores of whole options differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("vllm", help="the executable")
    parser.add_argument("--pictures", type=int, default=33)
    parser.add_argument("--only", choices=["base", "adapter"])
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".json"))
    given = parser.parse_args()
    usual = {"HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    os.environ.update({name: os.environ.get(name, value) for name, value in usual.items()})
    found = json.loads(given.output.read_text()) if given.only and given.output.exists() else {}
    for part, how in (("base", measure), ("adapter", measure_adapter)):
        if given.only in (None, part):
            with tempfile.TemporaryDirectory() as work:
                found |= how(given.vllm, given.pictures, Path(work))
    given.output.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))
    scored = [row for row in found.values() if isinstance(row, dict) and "labels_without_it" in row]
    scored += [found[name] for name in ("direct, scores of whole options",) if name in found]
    same = all(found[strategy]["labels"] == found[strategy]["samples"] for strategy in STRATEGIES if strategy in found)
    sys.exit(0 if same and all(row["largest_difference"] < 0.01 for row in scored) else 1)


if __name__ == "__main__":
    main()
