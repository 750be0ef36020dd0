"""Images decoded and prepared in background threads, ahead of the model, in order."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from coabench.dataset import ImageSource
from coabench.detector import Landmarks
from coabench.errors import SampleError, first_line
from coabench.inference.preparation import PreparedSource, Unprepared, original
from coabench.support.images import UnreadableImage, decode

if TYPE_CHECKING:
    from PIL.Image import Image

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Loaded:
    """The prepared images of a sample, or the reason why there are none.

    Attributes:
        sha256: of the query image's bytes.
        notes: what was done to the query image beyond decoding; see `coabench.support.images`.
        facts: what the steps of its preparation say of it, by their names.
    """

    prepared: Any
    sha256: str | None
    error: str | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """An image as 8-bit RGB, upright; the SHA-256 of its bytes; and what was done beyond decoding them.

    *facts* is what the steps of its preparation say of it, by their names; *landmarks* lie where the face's are in the
    prepared image, as far as known.
    """

    image: Image
    sha256: str
    notes: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    landmarks: Landmarks | None = None


def read_image(source: ImageSource) -> Picture:
    """Return an image as `coabench.support.images.decode` reads it, after the steps of its preparation.

    Raises:
        SampleError: the image is missing, cannot be decoded, or a step cannot do anything with it.
    """
    return _prepared(read_original(source), source)


def _prepared(picture: Picture, source: ImageSource) -> Picture:
    """Return what the steps of a source make of its picture."""
    if not isinstance(source, PreparedSource):
        return picture
    landmarks = source.landmarks
    for step in source.steps:
        try:
            made = step.apply(picture.image, source.key, landmarks)
        except Unprepared as error:
            raise Unprepared(error.problem, {**picture.facts, step.name: dict(error.facts)}) from None
        facts = {**picture.facts, **({step.name: dict(made.facts)} if made.facts else {})}
        landmarks = made.landmarks
        picture = replace(picture, image=made.image, notes=(*picture.notes, *made.notes), facts=facts)
    return replace(picture, landmarks=landmarks)


def read_original(source: ImageSource) -> Picture:
    """Return an image as `coabench.support.images.decode` reads it, whatever its preparation is.

    Raises:
        SampleError: the image is missing or cannot be decoded.
    """
    return decode_picture(source, read_encoded(source))


def decode_picture(source: ImageSource, data: bytes) -> Picture:
    """Return what the bytes of an image hold; `SampleError` where they cannot be decoded."""
    try:
        image, notes = decode(data)
    except OSError as error:
        raise _unreadable(source, error) from None
    except UnreadableImage as error:
        raise SampleError(f"image {source.name} cannot be decoded: {error}") from None
    return Picture(image, hashlib.sha256(data).hexdigest(), notes)


def read_encoded(source: ImageSource) -> bytes:
    """Return the bytes of an image; `SampleError` where it is missing or cannot be read."""
    try:
        return original(source).read()
    except FileNotFoundError:
        raise SampleError(f"image {source.name} is missing") from None
    except OSError as error:
        raise _unreadable(source, error) from None


def _unreadable(source: ImageSource, error: OSError) -> SampleError:
    return SampleError(f"image {source.name} cannot be read: {error.strerror or first_line(error)}")


def load_ahead(
    sources: Iterable[ImageSource], prepare: Callable[[int, Image], Any], ahead: Callable[[], int], workers: int = 4
) -> Iterator[Loaded]:
    """Yield a `Loaded` per source, in order, with some of them prepared before they are asked for.

    Args:
        sources: the query images.
        prepare: called in a thread with the position and the decoded image.
        ahead: how many at the moment.
    """

    def one(position: int, source: ImageSource) -> Loaded:
        digest = None
        try:
            picture = read_original(source)
            digest = picture.sha256
            picture = _prepared(picture, source)
            return Loaded(prepare(position, picture.image), digest, notes=picture.notes, facts=picture.facts)
        except SampleError as error:
            return Loaded(None, digest, str(error), facts=error.facts if isinstance(error, Unprepared) else {})

    return in_order(enumerate(sources), lambda each: one(*each), ahead, workers)


def in_order(
    items: Iterable[Item], work: Callable[[Item], Result], ahead: Callable[[], int], workers: int = 4
) -> Iterator[Result]:
    """Yield what is made of each item, in order, in background threads; see `load_ahead`."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="load")
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            while len(waiting) > ahead():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Never waiting for the threads: a generator that an error left behind is closed by the garbage collector, in
        # any thread and in the middle of anything, where joining a thread can wait for itself.
        pool.shutdown(wait=False, cancel_futures=True)
