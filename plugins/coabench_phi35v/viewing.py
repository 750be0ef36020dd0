"""Look once, ask many: images and shared prompt prefixes are computed once, however many questions and samples come."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import accumulate

import torch
from torch import Tensor

from coabench.backbone import Questions, Viewing
from coabench.dialogue import Answer, Question
from coabench.sampling import Draw
from coabench.support.linear import fast_linear
from coabench.support.memory import explained_oom
from coabench.support.numerics import not_a_number
from coabench.support.option_tree import OptionTree
from coabench.support.sampling import draw_tokens
from coabench_phi35v.cache import Kept, Prefix, SlotCache
from coabench_phi35v.images import Picture
from coabench_phi35v.model import Phi3VForCausalLM
from coabench_phi35v.packing import common
from coabench_phi35v.prompt import ChatTokenizer, Control, chat

TOO_LITTLE_MEMORY = (
    "the device has too little memory for this batch",
    "lower --batch-size, or --set num_crops=N (4 instead of 16 takes a third of the memory)",
)
Prepared = tuple[Picture, ...]
Asked = Mapping[int, Question]
"""The question of each row that has one."""
Prompts = Mapping[int, Sequence[int]]
"""Its token ids."""
Compute = Callable[[Prompts, Asked], Mapping[int, Answer]]


class Phi35Viewing(Viewing):
    """A batch of samples, one row each.

    Args:
        model: with its weights.
        tokenizer: of the same checkpoint.
        samples: the images of each sample.
        stop: the tokens that end an answer.
        max_new_tokens: how long an answer may become, in tokens.
        shared: what was computed for earlier viewings of the same model, and is kept for later ones.
    """

    def __init__(
        self,
        model: Phi3VForCausalLM,
        tokenizer: ChatTokenizer,
        samples: Sequence[Prepared],
        stop: frozenset[int],
        max_new_tokens: int,
        shared: Kept | None = None,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._samples = samples
        self._stop = stop
        self._max_new_tokens = max_new_tokens
        self._shared = shared or Kept()
        self._linear = fast_linear(model.device, model.lm_head.weight.dtype)
        self._encoded: dict[bytes, Tensor] = {}
        self._cache = SlotCache(len(samples), len(model.model.layers), model.device)
        self._seen = [0] * len(samples)
        self._given = [0] * len(samples)
        self._new = {*range(len(samples))}

    def restart(self) -> None:
        """Forget the questions, and keep what the decoder made of everything up to the last image of each row."""
        self._new = {*range(len(self._samples))}

    def generate(self, questions: Questions) -> list[Answer | None]:
        """Decode greedily.

        Raises:
            JobError: where memory does not suffice, or the model computes something that is no number.
        """
        return self._answers(questions, lambda prompts, _: self._generate(prompts, {}))

    def sample(self, questions: Questions) -> list[Answer | None]:
        """Draw every token as the question's draw says.

        Raises:
            JobError: as `generate` does.
        """
        return self._answers(
            questions, lambda prompts, asked: self._generate(prompts, {row: q.draw for row, q in asked.items()})
        )

    def score(self, questions: Questions) -> list[Answer | None]:
        """Score every option of each question, all of them in one pass.

        Raises:
            JobError: as `generate` does.
            UserError: where a question has no options.
        """
        return self._answers(questions, self._score)

    def _answers(
        self, questions: Questions, compute: Callable[[Prompts, Asked], dict[int, Answer]]
    ) -> list[Answer | None]:
        asked = {row: question for row, question in enumerate(questions) if question is not None}
        if not asked:
            return [None] * len(questions)
        with explained_oom(*TOO_LITTLE_MEMORY), torch.inference_mode(), self._linear:
            prompts = {row: self._prompt(row, question) for row, question in asked.items()}
            self._begin({row: prompt for row, prompt in prompts.items() if row in self._new}, asked)
            answers = compute(prompts, asked)
            self._new -= {*asked}
        return [answers.get(row) for row in range(len(questions))]

    # -- what the questions are about ---------------------------------------------------------------------------------

    def _prompt(self, row: int, question: Question) -> list[int]:
        return self._tokenizer.encode(chat(question.messages), [picture.tokens for picture in self._samples[row]])

    def _shown(self, row: int, tokens: Sequence[int]) -> Mapping[int, Picture]:
        """Return the images that stand in some tokens of a row, by index."""
        return {-1 - token: self._samples[row][-1 - token] for token in set(tokens) if token < 0}

    def _images(self, rows: Sequence[int], chunks: Sequence[Sequence[int]]) -> list[Mapping[int, Tensor]]:
        """Return the encoded images that stand in new tokens of some rows; equal ones are encoded once."""
        shown = [self._shown(row, chunk) for row, chunk in zip(rows, chunks, strict=True)]
        new: dict[bytes, Picture] = {}
        for picture in (picture for own in shown for picture in own.values()):
            if picture.digest not in self._encoded:
                kept = self._shared.images.get(picture.digest)
                if kept is None:
                    new[picture.digest] = picture
                else:
                    self._encoded[picture.digest] = kept
        if new:
            tokens = self._model.model.vision_embed_tokens(list(new.values()))
            self._encoded.update(zip(new, tokens, strict=True))
        return [{index: self._encoded[picture.digest] for index, picture in own.items()} for own in shown]

    # -- what all questions share -------------------------------------------------------------------------------------

    def _begin(self, prompts: Prompts, asked: Asked) -> None:
        """Run what stands before the first question, the images, through the decoder, unless that was done.

        A pass of its own: so it is the same whatever is then asked, and other dialogues can begin there. *_seen* is how
        many tokens of a row it has made; *_given*, how many of them other samples share.
        """
        ends = {row: max((i + 1 for i, token in enumerate(prompt) if token < 0), default=0)
                for row, prompt in prompts.items()}  # fmt: skip
        lacking = []
        for row, prompt in prompts.items():
            long = self._is_long(len(prompt))
            self._cache.keep(row, self._seen[row])
            if self._cache.long[row] != long or self._cache.tokens[row] != list(prompt[: ends[row]]):
                self._cache.keep(row, 0)
                self._cache.long[row] = long
                lacking.append(row)
        self._share({row: prompts[row] for row in lacking if asked[row].context})
        for row in lacking:
            self._given[row], self._seen[row] = len(self._cache.tokens[row]), ends[row]
        if chunks := {row: prompts[row][self._given[row] : ends[row]] for row in lacking if ends[row]}:
            self._advance(list(chunks), list(chunks.values()))

    # -- what other samples share -------------------------------------------------------------------------------------

    def _share(self, prompts: Prompts) -> None:
        """Give rows that begin with exemplars what is known of this beginning: all before the query image.

        It is computed alone, so it is the same whatever else is in the batch, and kept for batches to come.
        """
        begins: dict[int, tuple[list[int], bool, Hashable]] = {}
        for row, prompt in prompts.items():
            query = min((token for token in prompt if token < 0), default=0)
            if query < -1 and not self._cache.tokens[row]:  # the last image of several
                begin, long = list(prompt[: prompt.index(query)]), self._is_long(len(prompt))
                shown = [picture.digest for _, picture in sorted(self._shown(row, begin).items())]
                begins[row] = begin, long, (tuple(begin), tuple(shown), long)
        known = {key: self._shared.prefixes.get(key) for _, _, key in begins.values()}
        new = {key: row for row, (_, _, key) in begins.items() if known[key] is None}
        self._images(list(new.values()), [begins[row][0] for row in new.values()])  # encoded together
        for row, (begin, long, key) in begins.items():
            prefix = known[key]
            if prefix is None:
                prefix = known[key] = self._computed(row, begin, long)
                self._shared.prefixes.put(key, prefix, prefix.bytes)
                for picture in self._shown(row, begin).values():
                    tokens = self._encoded[picture.digest].clone()  # not a view of what else was encoded with it
                    self._shared.images.put(picture.digest, tokens, tokens.nbytes)
            self._cache.load(row, prefix)

    def _computed(self, row: int, tokens: Sequence[int], long: bool) -> Prefix:
        """Run the beginning of a row through the decoder."""
        cache = SlotCache(1, len(self._model.model.layers), self._model.device)
        cache.long[0] = long
        positions = torch.arange(len(tokens), device=self._model.device)[None]
        cache.begin([0], [tokens], positions)
        mask = (positions[:, None, :] <= positions[:, :, None])[:, None]
        embedded = self._model.embed([tokens], self._images([row], [tokens]))
        self._model.model(embedded, positions, [long], mask, cache)
        return cache.prefix(0)

    # -- one forward pass ---------------------------------------------------------------------------------------------

    def _is_long(self, length: int) -> bool:
        return length > self._model.sizes.rope.original

    def _reuse(self, row: int, prompt: Sequence[int], long: bool) -> int:
        """Keep in the cache what a row shares with its new prompt; return how many tokens that is.

        The last token is always computed again: what follows is read off its state.
        """
        cache = self._cache
        shared = common([cache.tokens[row], prompt[:-1]]) if cache.long[row] == long else 0
        cache.keep(row, shared)
        cache.long[row] = long
        if shared < self._seen[row]:
            self._seen[row] = 0  # it is computed together with a question now
        return shared

    def _cached(self, row: int, shared: int) -> int:
        """Return how many tokens of its prompt a row need not compute: of a first question, those of other samples."""
        return min(shared, self._given[row]) if row in self._new else shared

    def _advance(
        self, rows: Sequence[int], chunks: Sequence[Sequence[int]], trees: Sequence[OptionTree] = ()
    ) -> Tensor:
        """Run new tokens of some rows through the decoder, padded on the left to a common width.

        Args:
            rows: the rows that take part.
            chunks: the new tokens of each, its tree's included; may be empty (the row's states then mean nothing).
            trees: the tree in which the last tokens of each chunk stand; without it they follow one another.

        Returns:
            The normed hidden states, (len(rows), width, hidden).
        """
        cache, device = self._cache, self._model.device
        width = max(map(len, chunks))
        rows_of_positions = []
        for index, (row, chunk) in enumerate(zip(rows, chunks, strict=True)):
            start = len(cache.tokens[row])
            depths = trees[index].depths if trees else []
            trunk = start + len(chunk) - len(depths)
            own = [*range(start, trunk), *(trunk + depth for depth in depths)]
            rows_of_positions.append([-1] * (width - len(own)) + own)
        positions = torch.tensor(rows_of_positions, dtype=torch.long, device=device)
        held = cache.begin(rows, chunks, positions)[:, None]
        mask = (held >= 0) & (held <= positions[:, :, None])
        for index, tree in enumerate(trees):
            if size := len(tree.tokens):
                mask[index, -size:, -size:] = tree.visible().to(device)
        # Padding sees itself: a row of the mask without any key would make NaN, and NaN spreads.
        mask.diagonal(mask.shape[2] - width, dim1=1, dim2=2).fill_(True)
        states: Tensor = self._model.model(
            self._model.embed(chunks, self._images(rows, chunks)),
            positions.clamp(min=0),
            [cache.long[row] for row in rows],
            mask[:, None],
            cache,
        )
        return states

    # -- free generation ----------------------------------------------------------------------------------------------

    def _generate(self, prompts: Prompts, draws: Mapping[int, Draw]) -> dict[int, Answer]:
        """Decode token by token, greedily where there are no draws.

        Rows that have ended stay in the batch as padding until the last one has.
        """
        rows = list(prompts)
        cached = {row: self._reuse(row, ids, self._is_long(len(ids))) for row, ids in prompts.items()}
        written: dict[int, list[int]] = {row: [] for row in rows}
        chunks = [list(prompts[row][cached[row] :]) for row in rows]
        for step in range(self._max_new_tokens):
            tokens = self._chosen(self._continue(rows, chunks), [draws[row] for row in rows if draws], step)
            chunks = [[token] if chunk else [] for token, chunk in zip(tokens, chunks, strict=True)]
            for row, chunk in zip(rows, chunks, strict=True):
                written[row] += chunk
            chunks = [[] if self._stop.intersection(chunk) else chunk for chunk in chunks]
            live = [index for index, chunk in enumerate(chunks) if chunk]
            if not live:
                break
            if 2 * len(live) <= len(rows):  # fewer rows cost copies of their keys: worth it only when many have ended
                rows, chunks = [rows[index] for index in live], [chunks[index] for index in live]
        return {
            row: Answer(
                self._tokenizer.decode(ids),
                None,
                None,
                None,
                len(prompts[row]),
                self._cached(row, cached[row]),
                len(ids),
            )
            for row, ids in written.items()
        }

    def _continue(self, rows: Sequence[int], chunks: Sequence[list[int]]) -> Tensor:
        """Return the last hidden state of each row, (len(rows), hidden), after its new tokens.

        Where a row outgrows the short rope factors, its whole cache is computed again with the long ones, as in the
        published model.
        """
        cache, chunks = self._cache, list(chunks)
        outgrown = []
        for index, row in enumerate(rows):
            held = cache.tokens[row]
            if chunks[index] and not cache.long[row] and self._is_long(len(held) + len(chunks[index])):
                outgrown.append(index)
                chunks[index] = held + chunks[index]
                cache.keep(row, 0)
                cache.long[row] = True
                self._seen[row] = 0
        head = self._model.lm_head
        states = head.weight.new_zeros((len(rows), head.in_features))
        for group in ([index for index in range(len(rows)) if index not in outgrown], outgrown):
            if any(chunks[index] for index in group):
                states[group] = self._advance([rows[i] for i in group], [chunks[i] for i in group])[:, -1]
        return states

    def _chosen(self, states: Tensor, draws: Sequence[Draw], step: int) -> list[int]:
        logits = self._model.lm_head(states)
        tokens = draw_tokens(logits, draws, step) if draws else logits.argmax(dim=-1)  # of NaN its place, so it is seen
        if not bool(logits.gather(-1, tokens[:, None]).isfinite().all()):
            raise not_a_number()
        chosen: list[int] = tokens.tolist()
        return chosen

    # -- scoring options ----------------------------------------------------------------------------------------------

    def _score(self, prompts: Prompts, asked: Asked) -> dict[int, Answer]:
        """Score every option in one pass over prompt and option tree; a second pass where rope factors differ."""
        spelt = {row: {o: self._tokenizer.text(o) for o in question.options} for row, question in asked.items()}
        scores: dict[int, dict[str, float]] = {row: {} for row in prompts}
        cached: dict[int, int] = {}
        for long in (False, True):
            # An option counts with its end token: that is the sequence whose probability is asked for.
            part = {
                row: [o for o, ids in spelt[row].items() if self._is_long(len(prompt) + len(ids) + 1) == long]
                for row, prompt in prompts.items()
            }
            rows = [row for row in prompts if part[row]]
            if not rows:
                continue
            shared = {row: self._reuse(row, prompts[row], long) for row in rows}
            trees = [
                OptionTree.of([spelt[row][o] for o in part[row]], self._tokenizer.control(Control.END)) for row in rows
            ]
            chunks = [[*prompts[row][shared[row] :], *tree.tokens] for row, tree in zip(rows, trees, strict=True)]
            sums = self._read_off(self._advance(rows, chunks, trees), trees)
            for row, values in zip(rows, sums, strict=True):
                self._cache.keep(row, len(prompts[row]))
                scores[row].update(zip(part[row], values, strict=True))
                cached[row] = min(self._cached(row, shared[row]), cached.get(row, shared[row]))
        answers = {}
        for row, prompt in prompts.items():
            ordered = {option: scores[row][option] for option in asked[row].options}
            best = max(ordered, key=ordered.__getitem__)  # the first of equals
            answers[row] = Answer(best, ordered, None, None, len(prompt), cached[row], 0)
        return answers

    def _read_off(self, states: Tensor, trees: Sequence[OptionTree]) -> list[list[float]]:
        """Return the summed log-probabilities of every tree's options, from states (rows, width, hidden)."""
        kept = [row[len(row) - len(tree.tokens) - 1 :] for row, tree in zip(states, trees, strict=True)]
        first = [0, *accumulate(len(part) for part in kept)][:-1]
        logits = self._model.lm_head(torch.cat(kept)).float()
        steps = [
            (start + state, token)
            for start, tree in zip(first, trees, strict=True)
            for path in tree.paths
            for state, token in path
        ]
        at, wanted = torch.tensor(steps, dtype=torch.long, device=logits.device).T
        values = iter((logits[at, wanted] - logits.logsumexp(dim=-1)[at]).tolist())
        sums = [[math.fsum(next(values) for _ in path) for path in tree.paths] for tree in trees]
        if any(math.isnan(value) for row in sums for value in row):
            raise not_a_number()
        return sums
