"""Draw answers from a language model: a batch of rows that never wait for each other.

An answer's random numbers are a stream of its own, named by (seed, prompt id, index), so that neither the batch size
nor the other answers matter to it. The answers of a prompt share one pass over the prompt; a finished row leaves the
batch at once and a waiting one takes its place. n rows are in work, of T tokens at most; V words."""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from rewards.learning.events import Refused, Stop
from training.learning.slots import Slots

LIKELY = 2.0**-10  # tokens at least so likely race on their own: at most a thousand, most often a few
CACHE_TOKENS = 2**16  # tokens of keys and values held at once: where prompts are long, fewer rows are drawn at a time


class Question(NamedTuple):
    """A prompt, encoded up to where the answer begins, and which of its answers to draw."""

    prompt_id: str | int
    tokens: list[int]
    indices: Sequence[int]


class Drawing(NamedTuple):
    """How to draw. `ends` are the token ids that end an answer, `forbidden` those that no answer may hold."""

    seed: int
    max_new_tokens: int
    temperature: float
    top_p: float
    rows: int
    ends: frozenset[int]
    forbidden: tuple[int, ...]


@dataclass
class Answer:
    """An answer, whole or on its way."""

    prompt_id: str | int
    index: int
    tokens: list[int] = field(default_factory=list)
    """As drawn, the end token included."""
    logprobs: list[float] = field(default_factory=list)
    """Of each token at the drawing's temperature, before top-p; at temperature 0, where nothing is drawn, at 1."""
    finish_reason: str = ""
    """`stop` (an end token was drawn) or `length`; empty while the answer is on its way."""


class _Row(NamedTuple):
    answer: Answer
    keys: np.ndarray
    """One a token, from the answer's stream."""
    prompt: DynamicCache
    start: int
    """The prompt's length."""

    @property
    def length(self) -> int:
        """Tokens whose keys and values are in the cache: all but the one drawn last."""
        return self.start + len(self.answer.tokens) - 1


def stream(seed: int, prompt_id: str | int, index: int, count: int) -> np.ndarray:
    """The first `count` whole numbers of one answer's stream, one a token, (count,) int64.

    Philox (Salmon et al. 2011) is counter-based, and its raw stream is the same on every machine."""
    name = hashlib.sha256(f"{seed}\n{prompt_id}\n{index}".encode()).digest()
    return np.random.Philox(key=int.from_bytes(name[:16], "little")).random_raw(count).view(np.int64)


def uniform(key: Tensor, place: Tensor) -> Tensor:
    """The number at a place of a key's sequence, in (0, 1) float64; keys and places (...) int64, places from 0.

    48 bits of SplitMix64 (Steele et al. 2014). int64 wraps around as it should; its shift keeps the sign: masked."""
    mixed = key + (place + 1) * -0x61C8864680B583EB
    mixed = (mixed ^ (mixed >> 30 & 2**34 - 1)) * -0x40A7B892E31B1A47
    mixed = (mixed ^ (mixed >> 27 & 2**37 - 1)) * -0x6B2FB644ECCEEE15
    mixed = mixed ^ (mixed >> 31 & 2**33 - 1)
    return ((mixed >> 16 & 2**48 - 1).double() + 0.5) * 2.0**-48


def token_logits(logits: Tensor, *, temperature: float, forbidden: Sequence[int] = ()) -> Tensor:
    """What answers are drawn from: float32 logits at a temperature, -inf at the forbidden tokens. (..., V) -> (..., V).

    Sampling and scoring share it, so that both mean the same distribution. Temperature 0 leaves them at 1."""
    logits = logits.float() / (temperature or 1.0)  # a new tensor, also at temperature 1
    logits[..., list(forbidden)] = -torch.inf
    return logits


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """Zero all but the likeliest tokens that together reach top_p. (n, V) -> (n, V), not renormalised.

    Holtzman et al. 2020. Tokens below (1 - top_p) / V weigh less than 1 - top_p together, so only the others are
    sorted. Tokens exactly as likely as the last one kept are kept too: the order of the vocabulary does not matter."""
    size = probabilities.shape[-1]
    candidates = int((probabilities > (1 - top_p) / size).sum(dim=-1).max())
    best = probabilities.topk(max(1, candidates), dim=-1).values.double()  # (n, C), falling
    before = best.cumsum(dim=-1) - best
    floor = best.masked_fill(before >= top_p, torch.inf).amin(dim=-1, keepdim=True)
    return probabilities * (probabilities >= floor)


def draw(logits: Tensor, keys: Tensor, *, temperature: float, top_p: float = 1.0) -> tuple[Tensor, Tensor]:
    """One token a row, and its log-probability. Raises Refused where the logits are no numbers.

    logits (n, V) from `token_logits`, keys (n,) from an answer's stream -> tokens (n,), log-probabilities (n,)."""
    normaliser = logits.logsumexp(dim=-1)  # (n,)
    if not normaliser.isfinite().all():
        raise Refused("This policy's logits are not finite, so nothing can be drawn: its weights are damaged.")
    if temperature == 0:
        tokens = logits.argmax(dim=-1)
    else:
        probabilities = (logits - normaliser[:, None]).exp()
        tokens = race(nucleus(probabilities, top_p) if top_p < 1 else probabilities, keys)
    return tokens, logits.gather(-1, tokens[:, None])[:, 0] - normaliser


def race(probabilities: Tensor, keys: Tensor) -> Tensor:
    """One token a row, in proportion to probabilities (n, V) that need not sum to 1; keys (n,) -> (n,).

    Each likely token runs for -log(u) / p, with a number u of its own, and the first to arrive is drawn: the Gumbel-max
    draw, told as a race. The unlikely ones run as one, and where they win the token is found by inverting their
    distribution function. Against inverting all of it, the race keeps its winner when the last bits of p change: there
    each of V bounds moves, and a number among unlikely tokens soon falls on the other side of one."""
    size = probabilities.shape[-1]
    likely = probabilities >= LIKELY
    row, token = likely.nonzero(as_tuple=True)  # (m,)
    arrival = -uniform(keys[row], token).log() / probabilities[row, token]
    first = arrival.new_full(keys.shape, torch.inf).scatter_reduce(0, row, arrival, "amin")  # (n,)
    wins = arrival == first[row]
    tokens = torch.zeros_like(keys).index_put((row[wins],), token[wins])
    rest = probabilities.masked_fill(likely, 0)  # (n, V)
    late = (-uniform(keys, keys.new_tensor(size)).log() / rest.sum(dim=-1) < first).nonzero()[:, 0]
    reached = rest[late].cumsum(dim=-1, dtype=torch.float64)
    number = uniform(keys[late], keys.new_tensor(size + 1)) * reached[:, -1]
    return tokens.index_put((late,), torch.searchsorted(reached, number[:, None], right=True)[:, 0])


class Batch:
    """The rows in work on one model, and the questions that wait for a place."""

    def __init__(self, model: PreTrainedModel, questions: Sequence[Question], drawing: Drawing) -> None:
        self.model, self.drawing = model, drawing
        self.questions = deque(sorted(questions, key=lambda question: len(question.tokens)))
        longest = max((len(question.tokens) for question in questions), default=0) + drawing.max_new_tokens
        self.slots = Slots(max(1, min(drawing.rows, CACHE_TOKENS // max(1, longest))), longest)
        self.rows: list[_Row] = []
        self.ready: deque[_Row] = deque()

    @torch.inference_mode()
    def answers(self, stop: Stop) -> Iterator[Answer]:
        """Every answer, as soon as it is whole. Raises Stopped at the next token once the flag is up."""
        while self.rows or self.ready or self.questions:
            stop.check()
            yield from self._seat(stop)
            if self.rows:
                yield from self._step()

    def _seat(self, stop: Stop) -> Iterator[Answer]:
        """Fill the free places; a prompt is read when the first of its answers gets one."""
        while len(self.rows) < self.slots.rows and (self.ready or self.questions):
            stop.check()
            if self.ready:
                row = self.ready.popleft()
                self.slots.fill(len(self.rows), row.prompt)
                self.rows.append(row)
            else:
                yield from self._open(self.questions.popleft())

    def _open(self, question: Question) -> Iterator[Answer]:
        """Read a prompt once and draw the first token of each of its answers from the same logits.

        No more at once than the batch has rows: a draw makes several tensors of (n, V)."""
        prompt = DynamicCache()
        ids = torch.tensor([question.tokens], device=self.model.device)
        logits = self.model(input_ids=ids, past_key_values=prompt, use_cache=True, logits_to_keep=1).logits[:, -1]
        rows = [self._row(question, index, prompt) for index in question.indices]
        for start in range(0, len(rows), self.slots.rows):
            part = rows[start : start + self.slots.rows]
            yield from self._take(part, logits.expand(len(part), -1))
        self.ready.extend(row for row in rows if not row.answer.finish_reason)

    def _row(self, question: Question, index: int, prompt: DynamicCache) -> _Row:
        keys = stream(self.drawing.seed, question.prompt_id, index, self.drawing.max_new_tokens)
        return _Row(Answer(question.prompt_id, index), keys, prompt, len(question.tokens))

    def _step(self) -> Iterator[Answer]:
        """One token for every row in work."""
        device = self.model.device
        lengths = torch.tensor([row.length for row in self.rows], device=device)  # (n,)
        last = torch.tensor([row.answer.tokens[-1:] for row in self.rows], device=device)  # (n, 1)
        logits = self.slots.step(self.model, last, lengths)
        yield from self._take(self.rows, logits)
        self._leave()

    def _take(self, rows: Sequence[_Row], logits: Tensor) -> Iterator[Answer]:
        """Draw the next token of each row, logits (n, V), and hand out the answers that are whole by it."""
        how = self.drawing
        keys = torch.tensor([row.keys[len(row.answer.tokens)] for row in rows], device=logits.device)
        logits = token_logits(logits, temperature=how.temperature, forbidden=how.forbidden)
        tokens, logprobs = draw(logits, keys, temperature=how.temperature, top_p=how.top_p)
        for row, token, logprob in zip(rows, tokens.tolist(), logprobs.tolist(), strict=True):
            answer = row.answer
            answer.tokens.append(token)
            answer.logprobs.append(logprob)
            if token in how.ends:
                answer.finish_reason = "stop"
            elif len(answer.tokens) == how.max_new_tokens:
                answer.finish_reason = "length"
            if answer.finish_reason:
                yield answer

    def _leave(self) -> None:
        """Close the gaps of whole answers: the last row in work moves into each."""
        for place in reversed(range(len(self.rows))):
            if self.rows[place].answer.finish_reason:
                last = self.rows.pop()
                if place < len(self.rows):
                    self.slots.move(len(self.rows), place)
                    self.rows[place] = last
