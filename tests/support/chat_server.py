"""A real HTTP server of the OpenAI chat protocol that behaves, or misbehaves as told, and remembers every request."""

from __future__ import annotations

import hashlib
import json
import math
import re
import socket
import struct
import threading
import time
import zlib
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from coabench_openai.picture import plain_picture

LABELS = ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")
PLAIN = plain_picture("png"), plain_picture("jpeg")


class Request:
    """A request as it came: its path, headers and body, and whether it got an answer of status 200."""

    def __init__(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        self.path, self.headers, self.body = path, headers, body
        self.answered = False

    @property
    def images(self) -> list[str]:
        parts = [p for m in self.body["messages"] if isinstance(m["content"], list) for p in m["content"]]
        return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]

    @property
    def prompt(self) -> str:
        content = self.body["messages"][-1]["content"]
        return content if isinstance(content, str) else content[-1]["text"]

    @property
    def trial(self) -> bool:
        """Whether it is about no sample: a plain picture, or none."""
        return not self.images or self.images[-1] in PLAIN

    @property
    def key(self) -> str:
        return hashlib.sha256(json.dumps(self.body, sort_keys=True).encode()).hexdigest()


Behaviour = Callable[["Handler", Request], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body leave in two pieces
    server: ChatServer

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        request = Request(self.path, dict(self.headers), json.loads(data))
        with suppress(ConnectionError), self.server.busy():
            self.server.behaviour_for(request)(self, request)

    def do_GET(self) -> None:
        """Say that the server is ready, and which version it is, as vLLM does."""
        answers = {"/health": "", "/version": json.dumps({"version": "0.0-stand-in"})}
        self.reply(200 if self.path in answers else 404, answers.get(self.path, ""))

    def reply(self, status: int, body: str | bytes, kind: str = "application/json", **headers: str) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


class ChatServer(ThreadingHTTPServer):
    """Serves while in the context. By default it answers with a label that depends on images and prompt alone.

    Attributes:
        requests: every request that came.
        then: what to do with the next requests about samples; after that, *always*.
        trials: the same for requests about a plain picture or none.
        always: what to do with every other request.
        most: how many requests were under way at once.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, always: Behaviour | None = None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.requests: list[Request] = []
        self.then: deque[Behaviour] = deque()
        self.trials: deque[Behaviour] = deque()
        self.always = always or honest
        self.lock = threading.Lock()
        self.now = self.most = 0

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def asked(self) -> list[Request]:
        """The requests about samples."""
        return [request for request in self.requests if not request.trial]

    @property
    def answered(self) -> Counter[str]:
        """How often each different request about a sample was answered."""
        return Counter(request.key for request in self.asked if request.answered)

    def behaviour_for(self, request: Request) -> Behaviour:
        with self.lock:
            self.requests.append(request)
            queue = self.trials if request.trial else self.then
            return queue.popleft() if queue else self.always

    def busy(self) -> _Busy:
        return _Busy(self)

    def handle_error(self, *_: Any) -> None:
        pass

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Busy:
    def __init__(self, server: ChatServer) -> None:
        self.server = server

    def __enter__(self) -> None:
        with self.server.lock:
            self.server.now += 1
            self.server.most = max(self.server.most, self.server.now)

    def __exit__(self, *_: object) -> None:
        with self.server.lock:
            self.server.now -= 1


# -- behaviours -------------------------------------------------------------------------------------------------------


def label_for(request: Request) -> str:
    """What the honest model says: a label that depends on the last image and the prompt."""
    seed = hashlib.sha256(f"{request.images[-1:]}{request.prompt}".encode()).digest()
    return LABELS[seed[0] % len(LABELS)]


def honest(handler: Handler, request: Request) -> None:
    if request.body.get("logprobs"):
        label = label_for(request)
        rest = [other for other in LABELS if other != label]
        tokens = {label[:3]: 0.7, f" {label}": 0.1, rest[0].lower(): 0.05, rest[1]: 0.05, "The": 0.02}
        likelihoods(tokens)(handler, request)
    else:
        says(label_for(request))(handler, request)


def completion(request: Request, text: str | None, **choice: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, **choice.pop("message", {})}
    shown = 100 * len(request.images)
    details = {"prompt_tokens_details": {"cached_tokens": 7}}
    return {
        "object": "chat.completion",
        "model": request.body["model"],
        "choices": [{"index": 0, "finish_reason": "stop", "message": message, **choice}],
        "usage": {"prompt_tokens": 10 + shown, "completion_tokens": 2, "total_tokens": 12 + shown, **details},
    }


def says(text: str | None, **choice: Any) -> Behaviour:
    """Answer *text*; *choice* overrides what stands beside it."""

    def behave(handler: Handler, request: Request) -> None:
        request.answered = True
        handler.reply(200, json.dumps(completion(request, text, **choice)))

    return behave


def likelihoods(tokens: dict[str, float]) -> Behaviour:
    """Tell the probabilities of first tokens."""
    likeliest = [{"token": token, "logprob": math.log(p), "bytes": None} for token, p in tokens.items()]
    content = [{**likeliest[0], "top_logprobs": likeliest}]
    return says(likeliest[0]["token"], finish_reason="length", logprobs={"content": content})


TOKENS = re.compile(r"<[^<>]+>|\w+ ?|.", re.DOTALL)


def tells_prompts(handler: Handler, request: Request, end: str = "<|end|>", generation: str = "<|assistant|>") -> None:
    """Tell the log-probabilities of a prompt's tokens where they are asked for, as vLLM does.

    Args:
        end: what the chat template writes behind a turn.
        generation: what it writes where an answer is to follow.
    """
    if "prompt_logprobs" not in request.body:
        return says(f"{label_for(request)}", logprobs={"content": [{"token": "<|stop|>"}]})(handler, request)
    text = "<s>"
    for message in request.body["messages"]:
        content = message["content"]
        said = content if isinstance(content, str) else "<image>" + content[-1]["text"]
        text += f"<|{message['role']}|>{said}{end}"
    if request.body.get("continue_final_message"):
        text = text.removesuffix(end)
    elif request.body.get("add_generation_prompt", True):
        text += generation
    told = [{str(zlib.crc32(t.encode())): {"logprob": likelihood(request.images, t), "rank": 1, "decoded_token": t}}
            for t in TOKENS.findall(text)]  # fmt: skip
    body = completion(request, "", finish_reason="length")
    body |= {"prompt_logprobs": [None, *told[1:]], "usage": {"prompt_tokens": len(told), "completion_tokens": 1}}
    request.answered = True
    return handler.reply(200, json.dumps(body))


def likelihood(images: Sequence[str], token: str) -> float:
    """Return the log-probability of a token in a prompt, which hangs on the last image."""
    return -(zlib.crc32(f"{images[-1:]}{token}".encode()) % 1000) / 100


def status(code: int, body: str | dict[str, Any] = "", kind: str = "application/json", **headers: str) -> Behaviour:
    """Answer with a status; a dictionary is the ``error`` of a JSON body."""
    text = body if isinstance(body, str) else json.dumps({"error": body})
    return lambda handler, _: handler.reply(code, text, kind, **headers)


def page(code: int = 200, title: str = "Welcome") -> Behaviour:
    return status(code, f"<!DOCTYPE html><html><head><title>{title}</title></head></html>", "text/html")


def half(handler: Handler, request: Request) -> None:
    """Answer with half a JSON, as if it were whole."""
    text = json.dumps(completion(request, "Fear"))
    handler.reply(200, text[: len(text) // 2])


def torn(handler: Handler, request: Request) -> None:
    """Announce a whole answer, send half, hang up."""
    data = json.dumps(completion(request, "Fear")).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[:20])
    handler.close_connection = True


def hang_up(handler: Handler, _: Request) -> None:
    """Reset the connection without a word."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def slowly(seconds: float, behaviour: Behaviour = honest) -> Behaviour:
    def behave(handler: Handler, request: Request) -> None:
        time.sleep(seconds)
        behaviour(handler, request)

    return behave


def waits(reached: threading.Event, release: threading.Event, then: Behaviour = honest) -> Behaviour:
    """Say that the request has come, and answer when told to."""

    def behave(handler: Handler, request: Request) -> None:
        reached.set()
        release.wait(120)
        then(handler, request)

    return behave


def by_image(refused: Sequence[str], behaviour: Behaviour) -> Behaviour:
    """Misbehave for some images only."""

    def behave(handler: Handler, request: Request) -> None:
        (behaviour if set(request.images) & set(refused) else honest)(handler, request)

    return behave


def relay(url: str, before: Callable[[Request], None] = lambda request: None) -> Behaviour:
    """Pass requests on to another server, and its answers back; hang up where it does."""
    import httpx2

    def behave(handler: Handler, request: Request) -> None:
        before(request)
        try:
            answer = httpx2.post(f"{url}/chat/completions", json=request.body, timeout=120, trust_env=False)
        except httpx2.TransportError:
            return hang_up(handler, request)
        request.answered = answer.status_code == 200
        return handler.reply(answer.status_code, answer.content, answer.headers["content-type"])

    return behave
