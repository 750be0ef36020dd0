"""Images decoded and prepared in background threads, ahead of the model, in order."""

from __future__ import annotations

import hashlib
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coabench.dataset import ImageSource
from coabench.errors import SampleError

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Loaded:
    """The prepared images of a sample, or the reason why there are none; and the hash of the query image's bytes."""

    prepared: Any
    sha256: str | None
    error: str | None = None


def read_image(source: ImageSource) -> tuple[Image, str]:
    """Return the decoded RGB image and the SHA-256 of its encoded bytes.

    Raises:
        SampleError: the image is missing, truncated, no image, or suspiciously large.
    """
    from PIL import Image

    try:
        data = source.read()
        image = Image.open(io.BytesIO(data)).convert("RGB")
    except FileNotFoundError:
        raise SampleError(f"image {source.name} is missing") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SampleError(f"image {source.name} cannot be decoded: {error}") from None
    return image, hashlib.sha256(data).hexdigest()


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
            image, digest = read_image(source)
            return Loaded(prepare(position, image), digest)
        except SampleError as error:
            return Loaded(None, digest, str(error))

    pool = ThreadPoolExecutor(workers, thread_name_prefix="load")
    waiting: deque[Future[Loaded]] = deque()
    try:
        for position, source in enumerate(sources):
            waiting.append(pool.submit(one, position, source))
            while len(waiting) > ahead():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Never waiting for the threads: a generator that an error left behind is closed by the garbage collector, in
        # any thread and in the middle of anything, where joining a thread can wait for itself.
        pool.shutdown(wait=False, cancel_futures=True)
