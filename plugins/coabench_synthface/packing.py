"""A set packed into one archive."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from coabench.base.files import replacing
from coabench.support.tree import FolderTree


def pack(folder: Path, file: Path) -> None:
    """Write the files of *folder* into the ZIP archive *file*, replacing it; the same files give the same bytes.

    Pictures are stored as they are, text is deflated (another zlib may deflate it to other bytes).
    """
    tree = FolderTree(folder)
    with replacing(file) as beside, ZipFile(beside, "w") as archive:
        for name in sorted(tree.names()):
            member = ZipInfo(name)  # dated 1980-01-01
            member.create_system, member.external_attr = 3, 0o100644 << 16
            kind = ZIP_STORED if name.endswith(".jpg") else ZIP_DEFLATED
            archive.writestr(member, tree.read(name), kind, compresslevel=9)
