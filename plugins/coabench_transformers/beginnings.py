"""Beginnings of prompts, up to their last image: computed once for all questions, and kept for samples to come.

Where a prompt begins with exemplars, these go through the model alone, once for all samples that begin with them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from coabench.dialogue import Message, Question
from coabench.support.shared_cache import SharedCache
from coabench_transformers.chat import Inputs
from coabench_transformers.image_calls import ImageCalls
from coabench_transformers.roomy_layer import RoomyLayer
from coabench_transformers.shared import Sharing

if TYPE_CHECKING:
    from PIL.Image import Image

Chats = Mapping[int, Sequence[Message]]


@dataclass(frozen=True)
class Texts:
    """Prompts of some rows as the processor made them, without their images.

    Attributes:
        prompts: the token ids of each row.
        tensors: the model's keyword arguments for them, (rows, tokens), padded on the right.
    """

    prompts: Mapping[int, Sequence[int]]
    tensors: Inputs

    @classmethod
    def read(cls, rows: Sequence[int], inputs: Inputs) -> Texts:
        """Read the inputs of some rows."""
        mask = inputs["attention_mask"]
        lengths = mask.sum(dim=1).tolist()
        ids = [own[:length] for own, length in zip(inputs["input_ids"].tolist(), lengths, strict=True)]
        tensors = {name: value for name, value in inputs.items() if value.shape == mask.shape}
        return cls(dict(zip(rows, ids, strict=True)), tensors)

    def of(self, rows: Sequence[int]) -> Inputs:
        """Return the tensors of some of the rows."""
        places = list(self.prompts)
        at = [places.index(row) for row in rows]
        return {name: value[at] for name, value in self.tensors.items()}

    def images(self, row: int, token: int | None) -> list[int]:
        """Return where image tokens stand in a prompt."""
        return [place for place, each in enumerate(self.prompts[row]) if each == token]


@dataclass(frozen=True)
class Prefix:
    """The beginning of one prompt that went through the model.

    Attributes:
        layers: keys and values of each layer, (1, heads, tokens, head size); None where a layer has none of its own.
    """

    layers: Sequence[tuple[Tensor, Tensor] | None]

    @property
    def bytes(self) -> int:
        return sum(tensor.nbytes for layer in self.layers if layer for tensor in layer)


Kept = SharedCache[Any, Prefix]
"""Results of calls about images; prefixes, by token ids and digests of the images in them."""


@dataclass(frozen=True)
class Begun:
    """Prompts of some rows, equally long up to their last image, that went through the model.

    Attributes:
        keys: what tells the beginning of each row from others: its tokens, and which images they stand for.
        length: how many tokens it is.
        cache: what the model made of them, a row each; never written to.
    """

    keys: Mapping[int, Hashable]
    length: int
    cache: DynamicCache

    def of(self, rows: Sequence[int]) -> DynamicCache:
        """Return a cache of some of the rows that may be written to."""
        places = list(self.keys)
        chosen = None if list(rows) == places else [places.index(row) for row in rows]
        cache = copy.copy(self.cache)
        cache.layers = [_writable(layer, chosen) for layer in self.cache.layers]
        return cache

    @property
    def bytes(self) -> int:
        """How many bytes each row takes."""
        return Prefix(_layers(self.cache)).bytes // len(self.keys)

    def prefix(self, row: int) -> Prefix:
        """Return that of a row, in memory of its own."""
        at = slice(place := list(self.keys).index(row), place + 1)
        return Prefix([layer and (layer[0][at].clone(), layer[1][at].clone()) for layer in _layers(self.cache)])


class Beginnings:
    """Those of one viewing.

    Args:
        model: with its weights.
        sharing: what is known of the model.
        samples: the images of each row.
        inputs: makes the inputs of some rows' chats, padded on the right.
        images: knows the images.
        shared: what earlier viewings kept.
    """

    def __init__(
        self,
        model: Any,
        sharing: Sharing,
        samples: Sequence[Sequence[Image]],
        inputs: Callable[[Chats], Inputs],
        images: ImageCalls,
        shared: Kept,
    ) -> None:
        self._model, self._sharing, self._samples, self._inputs = model, sharing, samples, inputs
        self._images, self._shared = images, shared
        self._begun: dict[int, Begun] = {}
        self._before: dict[int, Begun] = {}
        self._exemplars: dict[Hashable, Prefix] = {}

    def of(
        self, asked: Mapping[int, Question], inputs: Inputs, texts: Texts, apart: bool
    ) -> list[tuple[Begun, list[int]]]:
        """Return what the model made of prompts up to their last image, and of which rows each is.

        Rows that are equally long up to there go through the model together.

        Args:
            inputs: of all rows that are asked, padded on the right.
            texts: the same without the images.
            apart: whether exemplars go through the model alone.
        """
        ends = {row: max(texts.images(row, self._sharing.image_token), default=-1) + 1 for row in asked}
        keys = {row: self._key(row, asked[row].messages, texts.prompts[row][: ends[row]]) for row in asked}
        self._before = dict(self._begun)
        begun = {row: made for row, made in self._begun.items() if row in asked and made.keys[row] == keys[row]}
        lacking: dict[int, list[int]] = {}
        for row in asked:
            if row not in begun:
                lacking.setdefault(ends[row], []).append(row)
        for end, rows in lacking.items():
            chats, own = {row: asked[row].messages for row in rows}, {row: keys[row] for row in rows}
            for made in self._made(chats, own, texts, inputs, end, apart):
                begun |= dict.fromkeys(made.keys, made)
        self._begun |= {row: begun[row] for row in begun if ends[row]}  # a question without images forgets none
        groups: dict[int, list[int]] = {}
        for row in begun:
            groups.setdefault(id(begun[row]), []).append(row)
        return [(begun[rows[0]], rows) for rows in groups.values()]

    def had(self, row: int, begun: Begun) -> bool:
        """Whether a row had this beginning before `of` was called last."""
        return self._before.get(row) is begun

    def keep(self) -> None:
        """Keep for viewings to come what was made since."""
        prefixes = self._shared.prefixes
        for row, begun in self._begun.items():
            if not self.had(row, begun) and prefixes.takes(begun.keys[row], begun.bytes):
                prefixes.put(begun.keys[row], begun.prefix(row), begun.bytes)
        for key, prefix in self._exemplars.items():
            prefixes.put(key, prefix, prefix.bytes)

    def forget(self) -> None:
        """Forget what was made since."""
        self._begun, self._exemplars = self._before, {}

    # -- what is computed ---------------------------------------------------------------------------------------------

    def _made(
        self, chats: Chats, keys: Mapping[int, Hashable], texts: Texts, inputs: Inputs, end: int, apart: bool
    ) -> Iterator[Begun]:
        """Begin rows of equal length: with what is kept, behind exemplars, or from their first token on."""
        known = {row: prefix for row, key in keys.items() if (prefix := self._shared.prefixes.get(key))}
        if known:
            yield Begun({row: keys[row] for row in known}, end, self._joined(list(known.values())))
        new = {row: chat for row, chat in chats.items() if row not in known}
        behind = self._behind_exemplars(new, texts) if apart else {}
        if first := {row: chat for row, chat in new.items() if not any(row in group for group in behind.values())}:
            cache = self._sharing.cache()
            if end:
                whole = len(first) == len(texts.prompts)
                self._run(cache, texts.of(list(first)), inputs if whole else self._inputs(first), 0, end)
            yield Begun({row: keys[row] for row in first}, end, cache)
        for length, group in behind.items():
            cache = self._joined(list(group.values()))
            last = {row: [_showing(chats[row])[-1]] for row in group}
            self._run(cache, texts.of(list(group)), self._inputs(last), length, end)
            yield Begun({row: keys[row] for row in group}, end, cache)

    def _behind_exemplars(self, chats: Chats, texts: Texts) -> dict[int, dict[int, Prefix]]:
        """Return what stands before the last image of rows that show several, and how many tokens it is."""
        last = {row: [shown[-1]] for row, chat in chats.items() if len(shown := _showing(chat)) > 1}
        alone = self._inputs(last)["input_ids"].tolist() if last else []
        behind: dict[int, dict[int, Prefix]] = {}
        for row, ids in zip(last, alone, strict=True):
            places = texts.images(row, self._sharing.image_token)
            length = places[-ids.count(self._sharing.image_token)]
            earlier = chats[row][: chats[row].index(last[row][0])]
            key = self._key(row, earlier, texts.prompts[row][:length])
            prefix = self._exemplars.get(key) or self._shared.prefixes.get(key)
            if prefix is None:
                cache = self._sharing.cache()
                self._run(cache, texts.of([row]), self._inputs({row: earlier}), 0, length)
                prefix = self._exemplars[key] = Begun({row: key}, length, cache).prefix(row)
            behind.setdefault(length, {})[row] = prefix
        return behind

    def _run(self, cache: DynamicCache, texts: Inputs, pictures: Inputs, begin: int, end: int) -> None:
        """Run tokens of some rows, which hold no padding, and the images that stand among them."""
        shape = pictures["attention_mask"].shape
        shown = {name: value for name, value in pictures.items() if value.shape != shape}
        cut = {name: value[:, begin:end] for name, value in texts.items()}
        mask = texts["attention_mask"][:, :end]
        placed = {"position_ids": torch.arange(begin, end, device=mask.device).expand(len(mask), -1)} if begin else {}
        self._model(
            **{**shown, **cut, "attention_mask": mask}, **placed, use_cache=True, logits_to_keep=1,
            **{self._sharing.cache_name: cache},
        )  # fmt: skip

    def _joined(self, prefixes: Sequence[Prefix]) -> DynamicCache:
        """Return a cache with a row for each."""
        cache = self._sharing.cache()
        for number, layers in enumerate(zip(*(prefix.layers for prefix in prefixes), strict=True)):
            if held := [layer for layer in layers if layer]:
                keys, values = (torch.cat(parts) for parts in zip(*held, strict=True))
                cache.update(keys, values, number)
        return cache

    def _key(self, row: int, chat: Sequence[Message], tokens: Sequence[int]) -> Hashable:
        shown = [self._samples[row][index] for message in chat for index in message.images]
        return tuple(tokens), tuple(map(self._images.digest, shown))


def _showing(chat: Sequence[Message]) -> list[Message]:
    return [message for message in chat if message.images]


def _layers(cache: Any) -> list[tuple[Tensor, Tensor] | None]:
    return [(layer.keys, layer.values) if layer.is_initialized else None for layer in cache.layers]


def _writable(layer: Any, rows: Sequence[int] | None) -> Any:
    if type(layer) is DynamicLayer and layer.is_initialized:
        return RoomyLayer(layer, rows)
    layer = copy.copy(layer)  # grows by new tensors
    if rows is not None:
        layer.batch_select_indices(torch.tensor(rows))
    return layer
