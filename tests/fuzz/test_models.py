"""Models and adapters: configs, tokenizers, headers of safetensors files."""

from __future__ import annotations

import json
import struct
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import coabench_tiny
from hypothesis import strategies as st
from support.colour_net import list_labels, write_onnx

from .attempt import Attempts
from .fuzzing import fuzz
from .values import damaged, json_bytes, json_files, mutated

TINY = Path(coabench_tiny.__file__).parent
BASE, ADAPTER = TINY / "base", TINY / "adapters" / "direct"
EVALUATE = ("evaluate", "--dataset", "drawn", "--set", "count=2", "--output", "run", "--strategy")
WITH_ADAPTER = (*EVALUATE, "direct", "--adapter", "adapter")
WITH_MODEL = (*EVALUATE, "direct", "--backbone", "phi-3.5-vision:model", "--dtype", "float32")


def beside(source: Path, folder: Path, name: str, content: bytes) -> None:
    """Make *folder* of the files of *source*, all but *name* as links."""
    folder.mkdir()
    for file in source.iterdir():
        if file.name != name:
            (folder / file.name).symlink_to(file)
    (folder / name).write_bytes(content)


@cache
def network() -> bytes:
    """Return a small network, made once."""
    return write_onnx(Path(mkdtemp()) / "net.onnx").read_bytes()


@fuzz(0.01, network=st.deferred(lambda: damaged(network()) | st.just(network())))
def test_classifiers(attempts: Attempts, network: bytes) -> None:
    with attempts.folder() as folder:
        (folder / "net.onnx").write_bytes(network)
        list_labels(folder / "net.onnx")
        attempts.run(folder, *EVALUATE, "top-2-pair", "--decode", "score", "--backbone", "classifier:net.onnx")


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@fuzz(0.02, config=json_files(read(ADAPTER / "adapter_config.json")))
def test_adapter_configs(attempts: Attempts, config: bytes) -> None:
    with attempts.folder() as folder:
        beside(ADAPTER, folder / "adapter", "adapter_config.json", config)
        attempts.run(folder, *WITH_ADAPTER)


@fuzz(0.01, training=json_files({k: v for k, v in read(ADAPTER / "training.json").items() if k != "images"}))
def test_training_records(attempts: Attempts, training: bytes) -> None:
    with attempts.folder() as folder:
        beside(ADAPTER, folder / "adapter", "training.json", training)
        attempts.run(folder, *WITH_ADAPTER)


@fuzz(0.02, config=json_files(read(BASE / "config.json")))
def test_model_configs(attempts: Attempts, config: bytes) -> None:
    with attempts.folder() as folder:
        beside(BASE, folder / "model", "config.json", config)
        attempts.run(folder, *WITH_MODEL)


@fuzz(0.01, tokenizer=st.deferred(lambda: json_files(read(BASE / "tokenizer.json"))))
def test_tokenizers(attempts: Attempts, tokenizer: bytes) -> None:
    with attempts.folder() as folder:
        beside(BASE, folder / "model", "tokenizer.json", tokenizer)
        attempts.run(folder, *WITH_MODEL)


@cache
def parts(path: Path) -> tuple[Any, bytes]:
    """Return the header of a safetensors file and what follows it."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def headers(path: Path) -> st.SearchStrategy[bytes]:
    """Return a strategy of safetensors files with another header, or of another length."""
    header, body = parts(path)

    def whole(text: bytes, length: int | None = None) -> bytes:
        return struct.pack("<Q", len(text) if length is None else length) + text + body

    plain = mutated(header).map(json_bytes) | damaged(json_bytes(header))
    lengths = st.sampled_from((0, 1, 7, 2**31, 2**63, 2**64 - 1, 10**8))
    return (
        plain.map(whole)
        | lengths.map(lambda length: whole(json_bytes(header), length))
        | damaged(whole(b"{}"))
        | st.just(path.read_bytes())
    )


@fuzz(0.02, weights=st.deferred(lambda: headers(ADAPTER / "adapter_model.safetensors")))
def test_adapter_weights(attempts: Attempts, weights: bytes) -> None:
    with attempts.folder() as folder:
        beside(ADAPTER, folder / "adapter", "adapter_model.safetensors", weights)
        attempts.run(folder, *WITH_ADAPTER)


@fuzz(0.02, weights=st.deferred(lambda: headers(BASE / "model.safetensors")))
def test_model_weights(attempts: Attempts, weights: bytes) -> None:
    with attempts.folder() as folder:
        beside(BASE, folder / "model", "model.safetensors", weights)
        attempts.run(folder, *WITH_MODEL)
