"""Archives as data roots: the files of the folder that was packed, from every thread and process, or a refusal."""

import io
import os
import pickle
import shutil
import stat
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest
from support.special_files import posix

from coabench.errors import SampleError, UserError
from coabench.inference.loading import read_image
from coabench.support.archives import open_tree
from coabench.support.tree import Tree, TreeFile

FILES = {"happy/1.txt": b"one" * 50, "happy/deep/2.txt": b"", "sad/3.txt": b"three" * 500, "top.txt": b"top"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "faces"
    for name, data in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "empty").mkdir()
    return root


def seen(tree: Tree) -> object:
    """Return all that can be asked of a tree."""
    names = [*FILES, "happy", "empty", "nothing", "happy/nothing", ""]
    held = {name: tree.read(name) for name in tree.names()}
    return (
        held,
        tree.entries(),
        tree.entries("happy"),
        tree.entries("top.txt"),
        [(tree.exists(name), tree.is_folder(name)) for name in names],
        [tree.size(name) for name in ["top.txt", "happy/1.txt", "nothing"]],
        [tree.refused(name) for name in names],
        tree.open("sad/3.txt", 10_000).read(7),
        tree.name,
    )


@pytest.mark.parametrize("kind", ["deflated.zip", "stored.zip", "gnu.tar", "pax.tar", "dotted.tar"])
def test_an_archive_holds_what_the_folder_holds(kind: str, folder: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed" / f"faces{Path(kind).suffix}"
    packed.parent.mkdir()
    if kind.endswith("zip"):
        with ZipFile(packed, "w", ZIP_DEFLATED if kind.startswith("deflated") else ZIP_STORED) as archive:
            for path in sorted(folder.rglob("*"), reverse=True):
                archive.write(path, path.relative_to(folder))
            archive.writestr("__MACOSX/happy/._1.txt", b"of macOS")
    else:
        form = tarfile.GNU_FORMAT if kind.startswith("gnu") else tarfile.PAX_FORMAT
        with tarfile.open(packed, "w", format=form) as archive:
            archive.add(folder, "." if kind.startswith("dotted") else "")
    assert seen(open_tree(packed)) == seen(open_tree(folder))
    with open_tree(packed).open("sad/3.txt", 10_000) as file:
        assert file.seek(-4, os.SEEK_END) == 2496
        assert file.read() == b"hree"


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_the_only_folder_of_an_archive_is_a_tree_too(kind: str, folder: Path) -> None:
    (folder.parent / ".hidden").touch()
    packed = open_tree(Path(shutil.make_archive(str(folder), kind, folder.parent, "faces")))
    assert packed.inner() is not None
    assert seen(packed.inner()) == seen(open_tree(folder))  # type: ignore[arg-type]
    assert packed.where("faces/top.txt") == f"{folder}.{kind}/faces/top.txt"


def read_all(files: list[TreeFile]) -> list[bytes]:
    return [file.read() for file in files]


@posix  # which can fork
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_threads_and_processes_read_at_once(kind: str, folder: Path) -> None:
    for number in range(40):
        (folder / f"{number}.bin").write_bytes(bytes([number]) * 5000)
    tree = open_tree(Path(shutil.make_archive(str(folder), kind, folder)))
    files = [tree.file(f"{number}.bin") for number in range(40)]
    right = [bytes([number]) * 5000 for number in range(40)]
    assert read_all(pickle.loads(pickle.dumps(files))) == right  # as a process that is started anew gets them
    with ThreadPoolExecutor(8) as pool, get_context("fork").Pool(2) as processes:
        others = processes.map_async(read_all, [files] * 8)
        assert list(pool.map(read_all, [files] * 16)) == [right] * 16
        assert others.get(60) == [right] * 8


def zipped(**names: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with ZipFile(path, "w") as archive:
            for name, data in names.items():
                archive.writestr(name.replace("__", "/"), data)

    return write


def tarred(*members: tuple[str, bytes, str]) -> Callable[[Path], None]:
    """Write a tar archive of (name, type, target of a link)."""

    def write(path: Path) -> None:
        with tarfile.open(path, "w") as archive:
            for name, kind, target in members:
                info = tarfile.TarInfo(name)
                info.type, info.linkname, info.size = kind, target, 700 if kind == tarfile.REGTYPE else 0
                archive.addfile(info, io.BytesIO(b"x" * info.size))

    return write


def twice(path: Path) -> None:
    with ZipFile(path, "w") as archive:
        archive.writestr("a.png", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", b"2")


def encrypted(path: Path) -> None:
    zipped(**{"a.png": b"secret"})(path)
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)


def oddly_packed(path: Path) -> None:
    zipped(**{"a.png": b"data"})(path)
    data = bytearray(path.read_bytes())
    data[8] = data[data.index(b"PK\1\2") + 10] = 97  # WavPack
    path.write_bytes(data)


def half(write: Callable[[Path], None], keep: int) -> Callable[[Path], None]:
    def cut(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes()[:keep])

    return cut


def damaged_header(path: Path) -> None:
    tarred(("a.png", tarfile.REGTYPE, ""), ("b.png", tarfile.REGTYPE, ""))(path)
    data = bytearray(path.read_bytes())
    data[512 + 1024 + 148] ^= 0x55  # the checksum of the second header
    path.write_bytes(data)


def compressed(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.png"))


FILE = tarfile.REGTYPE


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (zipped(**{"..__evil.png": b"x"}), "leads out of it: '../evil.png'"),
        (zipped(**{"a__..__..__b": b"x"}), "leads out of it"),
        (zipped(**{"C:\\a": b"x"}), "leads out of it: 'C:/a'"),
        (tarred(("/etc/a", FILE, "")), "leads out of it: '/etc/a'"),
        (zipped(**{"d__" * 65 + "a": b"x"}), "66 folders deep: 'd/d/d"),
        (twice, "'a.png' twice"),
        (tarred(("a", FILE, ""), ("./a", FILE, "")), "'a' twice"),
        (tarred(("a", FILE, ""), ("a/b", FILE, "")), "as a file and as a folder"),
        (tarred(("a/b", FILE, ""), ("a", FILE, "")), "'a' twice"),
        (tarred(("pipe", tarfile.FIFOTYPE, "")), "'pipe', which is no plain file"),
        (encrypted, "'a.png', which is encrypted"),
        (oddly_packed, "'a.png', packed in a way that is not read"),
        (half(zipped(**{"a.png": b"x" * 900}), 500), "a ZIP archive that is cut off or damaged"),
        (half(tarred(("a", FILE, ""), ("b", FILE, "")), 512 + 300), "a tar archive that is cut off or damaged"),
        (damaged_header, "a tar archive that is damaged"),
        (compressed, r"compressed as a whole, by gzip(?s:.*)tar -xf \S+faces.zip -C FOLDER"),
        (lambda path: path.write_bytes(b"no archive at all" * 99), "another file"),
        (lambda path: path.write_bytes(b""), "another file"),
    ],
)
def test_what_cannot_be_read_safely_is_refused(write: Callable[[Path], None], words: str, tmp_path: Path) -> None:
    write(tmp_path / "faces.zip")
    with pytest.raises(UserError, match=words):
        open_tree(tmp_path / "faces.zip")


def test_links_are_not_followed_and_second_names_are(tmp_path: Path) -> None:
    links = ("link", tarfile.SYMTYPE, "/etc/passwd"), ("again", tarfile.LNKTYPE, "a"), ("lost", tarfile.LNKTYPE, "x")
    tarred(("a", FILE, ""), *links)(tmp_path / "links.tar")
    with ZipFile(tmp_path / "links.zip", "w") as archive:
        info = ZipInfo("link")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    trees = [open_tree(tmp_path / name) for name in ("links.tar", "links.zip")]
    for tree in trees:
        assert "not followed" in str(tree.refused("link"))
        assert tree.size("link") == -1
        with pytest.raises(SampleError, match="links in archives are not followed"):
            read_image(tree.file("link"))
    assert trees[0].read("again") == b"x" * 700
    assert "not followed" in str(trees[0].refused("lost"))


def test_a_file_that_lies_about_its_size_or_is_too_large_is_an_error_of_its_own(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "liar.zip", "w", ZIP_DEFLATED) as archive:
        archive.writestr("small", bytes(900_000))
        archive.writestr("fine", b"fine")
    data = bytearray((tmp_path / "liar.zip").read_bytes())
    entry = data.index(b"PK\1\2")
    data[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    (tmp_path / "liar.zip").write_bytes(data)
    tree = open_tree(tmp_path / "liar.zip")
    with pytest.raises(OSError, match="damaged in the archive"):
        tree.read("small")
    with pytest.raises(OSError, match="at most 3 are read"):
        tree.read("fine", 3)
    assert tree.read("fine") == b"fine"


def test_an_archive_that_takes_the_place_of_another_is_read_anew(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        zipped(**{"a": content})(tmp_path / "new.zip")
        (tmp_path / "new.zip").replace(tmp_path / "faces.zip")
        assert open_tree(tmp_path / "faces.zip").read("a") == content
