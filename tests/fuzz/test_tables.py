"""Tables and lists of labels: of predictions, of data sets, of RAF-DB."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import strategies as st
from support.faces_trees import face
from support.rafdb_tree import label_file, make_rafdb

from .attempt import Attempts
from .fuzzing import fuzz
from .values import damaged, json_bytes, json_files, mutated, texts

try:
    import pyarrow as pa
    from pyarrow import parquet
except ImportError:
    pa = None

PREDICTIONS = "id,image,prediction,target,subject,age\n" + "".join(
    f"s{i},s{i}.png,{p},{t},p{i},{20 + i}\n"
    for i, (p, t) in enumerate(
        [("Happiness", "Happiness"), ("Sadness", "Anger"), ("", "Fear"), ("Neutral", "Neutral"), ("Fear", "Fear")]
    )
)
ROWS = [
    {"id": f"s{i}", "prediction": label, "target": "Happiness", "subject": f"p{i}"}
    for i, label in enumerate(("Happiness", "Sadness", None, "Neutral"))
]
cells = st.lists(st.lists(texts, max_size=5), max_size=5)


def table(rows: list[list[str]]) -> bytes:
    file = io.StringIO()
    writer = csv.writer(file, escapechar="\\")
    writer.writerow(["id", "prediction", "target"])
    writer.writerows(rows)
    return file.getvalue().encode("utf-8", "surrogatepass")


@fuzz(0.03, data=damaged(PREDICTIONS.encode()) | cells.map(table))
def test_predictions_csv(attempts: Attempts, data: bytes) -> None:
    with attempts.folder() as folder:
        (folder / "p.csv").write_bytes(data)
        attempts.run(folder, "score", "p.csv", "--labels", "raf-db-basic", "--output", "run")


def jsonl(rows: object) -> bytes:
    return b"".join(json_bytes(row) + b"\n" for row in rows) if isinstance(rows, list) else json_bytes(rows)


@fuzz(0.03, data=mutated(ROWS).map(jsonl) | damaged(jsonl(ROWS)))
def test_predictions_jsonl(attempts: Attempts, data: bytes) -> None:
    with attempts.folder() as folder:
        (folder / "p.jsonl").write_bytes(data)
        attempts.run(folder, "score", "p.jsonl", "--labels", "raf-db-basic", "--output", "run")


def tool_files() -> Iterator[tuple[str, bytes]]:
    """Yield an ending and the content of a file in the shape of each tool."""
    for path in sorted((Path(__file__).parent.parent / "scoring" / "files").iterdir()):
        yield path.suffix, path.read_bytes()
        if path.name.startswith("inspect"):
            log, archive = json.loads(path.read_text()), io.BytesIO()
            with zipfile.ZipFile(archive, "w") as file:
                for sample in log.pop("samples"):
                    file.writestr(f"samples/{sample['id']}_epoch_1.json", json.dumps(sample))
                file.writestr("header.json", json.dumps(log))
            yield ".eval", archive.getvalue()


def other_tool_file(ending: str, data: bytes) -> st.SearchStrategy[tuple[str, bytes]]:
    """Return a strategy of such a file, damaged; one of JSON also with other values."""
    if ending == ".jsonl":
        rows = [json.loads(line) for line in data.splitlines()]
        return st.tuples(st.just(ending), damaged(data) | mutated(rows).map(jsonl))
    return st.tuples(st.just(ending), json_files(json.loads(data)) if ending == ".json" else damaged(data))


@fuzz(
    0.02,
    file=st.one_of(*(other_tool_file(*each) for each in tool_files())),
    options=st.sampled_from(((), ("--unknown", "invalid"), ("--parser", "lenient", "--unknown", "invalid"))),
)
def test_files_of_tools(attempts: Attempts, file: tuple[str, bytes], options: tuple[str, ...]) -> None:
    ending, data = file
    with attempts.folder() as folder:
        (folder / f"p{ending}").write_bytes(data)
        attempts.run(folder, "score", f"p{ending}", "--labels", "raf-db-basic", *options, "--output", "run")


CARD = """
name: mine
loader: faces
splits: [test, train]
labels: {classes: [{name: Anger, code: 0}, {name: Happiness, code: 1}, {name: Sadness, code: 2}]}
options: {table: labels.csv, subject: who, attributes: [age], duplicates: drop-contradictions}
"""
LABELS = b"image,label,split,who,age\na.png,Anger,test,anna,20\nb.png,1,test,ben,30\nc.png,sad,train,eve,40\n"


@fuzz(0.03, data=damaged(LABELS))
def test_tables_of_data_sets(attempts: Attempts, data: bytes) -> None:
    with attempts.folder() as folder:
        (folder / "card.yaml").write_text(CARD)
        (folder / "labels.csv").write_bytes(data)
        for name, number in (("a", 1), ("b", 2), ("c", 3)):
            (folder / f"{name}.png").write_bytes(face("Happiness", number))
        attempts.run(folder, "datasets", "verify", "card.yaml", "--data-root", ".", "--pairs", "pairs.csv")
        attempts.run(folder, "evaluate", "--backbone", "scripted", "--dataset", "card.yaml", "--data-root", ".",
                     "--strategy", "direct", "--output", "run")  # fmt: skip


def archives() -> st.SearchStrategy[tuple[str, bytes]]:
    """Return a strategy of an ending and a damaged archive of class folders, or a damaged table of images."""
    pictures = {f"faces/{label}/{i}.png": face("Happiness", i) for i, label in enumerate(("happy", "sad", "neutral"))}
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as file, tarfile.open(fileobj=tarred, mode="w") as tar:
        for name, data in pictures.items():
            file.writestr(name, data)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    made = [(".zip", zipped.getvalue()), (".tar", tarred.getvalue())]
    if pa is not None:
        table = pa.table({"image": list(pictures.values()), "label": ["happy", "sad", "neutral"]})
        parquet.write_table(table, sink := pa.BufferOutputStream())
        made.append((".parquet", sink.getvalue().to_pybytes()))
    return st.sampled_from(made).flatmap(lambda each: st.tuples(st.just(each[0]), damaged(each[1])))


@fuzz(0.02, file=st.deferred(archives))
def test_archives(attempts: Attempts, file: tuple[str, bytes]) -> None:
    ending, data = file
    with attempts.folder() as folder:
        (folder / f"faces{ending}").write_bytes(data)
        attempts.run(folder, "datasets", "verify", f"faces{ending}", "--pairs", "pairs.csv")


@cache
def rafdb() -> Path:
    """Return a small tree in the layout of RAF-DB, with drawn faces, made once."""
    return make_rafdb(Path(mkdtemp()), basic=(1, 1), compound=(0, 0))


@fuzz(0.03, data=st.deferred(lambda: damaged(label_file(rafdb(), "basic").read_bytes())))
def test_label_lists(attempts: Attempts, data: bytes) -> None:
    with attempts.folder() as folder:
        shutil.copytree(rafdb(), folder / "data")
        label_file(folder / "data", "basic").write_bytes(data)
        attempts.run(folder, "datasets", "verify", "raf-db-basic", "--data-root", "data", "--pairs", "pairs.csv")
        attempts.run(folder, "evaluate", "--backbone", "scripted", "--dataset", "raf-db-basic", "--data-root", "data",
                     "--strategy", "direct", "--output", "run")  # fmt: skip
