"""A data set that needs no files: one coloured square per sample."""

import io
from dataclasses import dataclass

from PIL import Image

from coabench.dataset import Check, Dataset, Sample
from coabench.errors import UserError


@dataclass(frozen=True)
class Square:
    name: str
    colour: tuple
    broken: bool = False

    def read(self):
        file = io.BytesIO()
        Image.new("RGB", (8, 8), self.colour).save(file, "PNG")
        return file.getvalue()[: 40 if self.broken else None]

    def size(self):
        return len(self.read())


class Drawn(Dataset):
    needs_root = False

    @dataclass(frozen=True)
    class Options:
        count: int = 24
        broken: int = -1
        """The position of an image that cannot be decoded."""

    def __init__(self, card, root, options):
        self.card = card
        self.options = options

    def samples(self, split):
        if split not in self.card.splits:
            raise UserError(f"there is no split {split!r}", expected=", ".join(self.card.splits))
        names = self.card.space.names
        shift = 100 if split == "train" else 0
        return [
            Sample(
                id=f"drawn/{split}_{i:03}",
                image=Square(f"{split}_{i:03}.png", (i % 256, i % len(names), shift), i == self.options.broken),
                target=names[i % len(names)],
                split=split,
            )
            for i in range(self.options.count)
        ]

    def identity(self):
        return {"count": self.options.count}

    def verify(self):
        return [Check("ok", f"{self.options.count} squares")]
