"""Drives a strategy over a backbone: many samples in lock-step, one batch of questions at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from coabench.backbone import Answers, Backbone, Questions, Viewing
from coabench.base.vocabulary import ERROR
from coabench.decode import DECODES, GENERATE, Decode
from coabench.dialogue import LARGEST_SCORE, Answer, Prediction, Question, Task, Turn
from coabench.errors import SampleError
from coabench.inference.parsing import BUILT_IN
from coabench.labels import Choices, LabelSpace, fold
from coabench.parser import Parser, Response
from coabench.rewrite import Rewritten
from coabench.sampling import Draw
from coabench.strategy import Conversation, Strategy


@dataclass
class Outcome:
    """What became of one sample: the turns in order, and the prediction.

    *paths* are the sampled dialogues that the prediction was voted by, one of which the turns are of; none otherwise.
    """

    turns: list[Turn] = field(default_factory=list)
    prediction: Prediction | None = None
    paths: list[Outcome] = field(default_factory=list)


def converse(
    backbone: Backbone[Any],
    strategy: Strategy,
    batch: Sequence[tuple[Any, Task]],
    decode: Decode = "generate",
    on_turn: Callable[[int, Turn], None] | None = None,
    parser: Parser | None = None,
    rewrite: Callable[[Question], Rewritten] = Rewritten,
) -> list[Outcome]:
    """Run the strategy on a batch of (prepared images, task) and return one outcome per sample, in order.

    The backbone looks once. Then, round after round, the pending question of every unfinished sample is asked in
    one call, and the answers are sent back.

    Args:
        on_turn: called with the sample's position and the turn as soon as its answer is understood.
        parser: reads the responses; None for the built-in one that the strategy names.
        rewrite: what is asked in place of a question; the strategy knows nothing of it.
    """
    viewing = backbone.look([prepared for prepared, _ in batch])
    return hold_dialogues(
        viewing, strategy, [task for _, task in batch], decode, on_turn, parser=parser, rewrite=rewrite
    )


def hold_dialogues(
    viewing: Viewing,
    strategy: Strategy,
    tasks: Sequence[Task],
    decode: Decode,
    on_turn: Callable[[int, Turn], None] | None = None,
    draw: Callable[[int, int], Draw] | None = None,
    parser: Parser | None = None,
    rewrite: Callable[[Question], Rewritten] = Rewritten,
) -> list[Outcome]:
    """Run the strategy on the samples of a viewing, as `converse` does.

    Args:
        draw: called with the sample's position and the number of its answers so far, for the next question's draw.
    """
    parser = parser or BUILT_IN[strategy.parser]
    conversations = [strategy.converse(task) for task in tasks]
    outcomes = [Outcome() for _ in tasks]
    pending = [advance(talk, None, outcome) for talk, outcome in zip(conversations, outcomes, strict=True)]
    while any(question is not None for question in pending):
        asked = _reworded(_drawn(pending, outcomes, draw), outcomes, rewrite)
        answers = _ask(viewing, [None if made is None else made.question for made in asked], decode)
        for i, (question, made, answer) in enumerate(zip(pending, asked, answers, strict=True)):
            if question is None:
                continue
            if made is None:  # for which the outcome says why
                pending[i] = None
                continue
            if answer is None:
                raise RuntimeError(f"the backbone left a question unanswered: {question.prompt!r}")
            if isinstance(answer, SampleError):
                outcomes[i].prediction, pending[i] = Prediction(None, ERROR, str(answer)), None
                continue
            answer = replace(answer, response=answer.response.lstrip())  # tokenizers differ in the space before a word
            read = read_back(made, answer, tasks[i].space, parser, decode)
            turn = Turn(_as_asked(question, made), read)
            outcomes[i].turns.append(turn)
            if on_turn is not None:
                on_turn(i, turn)
            pending[i] = advance(conversations[i], _in_order(read, question), outcomes[i])
    return outcomes


def _reworded(
    pending: Questions, outcomes: Sequence[Outcome], rewrite: Callable[[Question], Rewritten]
) -> list[Rewritten | None]:
    """Return what is asked; None where nothing is pending, or a question cannot be rewritten, as its outcome says."""
    asked: list[Rewritten | None] = []
    for question, outcome in zip(pending, outcomes, strict=True):
        try:
            asked.append(None if question is None else rewrite(question))
        except SampleError as error:
            outcome.prediction = Prediction(None, ERROR, str(error))
            asked.append(None)
    return asked


def _as_asked(question: Question, made: Rewritten) -> Question:
    """Return a question for the record: the text and the order that were asked, the labels as the strategy has them."""
    options = Choices(made.labels.get(option, option) for option in made.question.options)
    return replace(question, prompt=made.question.prompt, context=made.question.context, options=options)


def _in_order(answer: Answer, question: Question) -> Answer:
    """Return an answer for the strategy: its scores, which are its own to change, in the order of its options."""
    if answer.scores is None:
        return answer
    scores = {option: answer.scores[option] for option in question.options if option in answer.scores}
    return replace(answer, scores={**scores, **answer.scores})


def read_back(made: Rewritten, answer: Answer, space: LabelSpace, parser: Parser, decode: Decode) -> Answer:
    """Return the answer to a rewritten question as `understand` does, with the labels that the strategy knows."""
    names = made.labels
    if not names and not made.spellings:
        return understand(made.question, answer, space, parser, decode)
    shown = {names.get(option, option): option for option in made.question.recognised}
    spellings = {text: shown[label] for text, label in space.spellings(Choices(shown)).items()}
    spellings |= {fold(option): option for option in made.question.recognised}
    spellings |= {fold(text): option for text, option in made.spellings.items()}
    read = understand(made.question, answer, space, parser, decode, spellings)
    scores = read.scores and {names.get(option, option): score for option, score in read.scores.items()}
    return replace(read, label=read.label and names.get(read.label, read.label), scores=scores)


def _drawn(pending: Questions, outcomes: Sequence[Outcome], draw: Callable[[int, int], Draw] | None) -> Questions:
    """Return the questions, each with its draw where answers are drawn."""
    if draw is None:
        return pending
    return [q and replace(q, draw=draw(i, len(outcomes[i].turns))) for i, q in enumerate(pending)]


def _ask(viewing: Viewing, pending: Questions, decode: Decode) -> Answers:
    """Ask the pending questions, those of each decode mode in one call."""
    wanted = [None if question is None else question.mode(decode).name for question in pending]
    modes = [mode for mode in DECODES if mode in wanted]
    answers: list[Answer | SampleError | None] = [None] * len(pending)
    for mode in modes:
        part = [question if mode == want else None for question, want in zip(pending, wanted, strict=True)]
        for i, answer in enumerate(viewing.ask(part, mode)):
            if part[i] is not None:
                answers[i] = answer
    return answers


def advance(conversation: Conversation, answer: Answer | None, outcome: Outcome) -> Question | None:
    """Send an answer (None to begin) and return the next question, or note the prediction and return None."""
    try:
        return next(conversation) if answer is None else conversation.send(answer)
    except StopIteration as end:
        if not isinstance(end.value, Prediction):
            raise TypeError(f"a strategy must return a Prediction, not {end.value!r}") from None
        outcome.prediction = end.value
        return None


def understand(
    question: Question,
    answer: Answer,
    space: LabelSpace,
    parser: Parser,
    decode: Decode,
    spellings: Mapping[str, str] | None = None,
) -> Answer:
    """Return the answer with its label and the rule that matched: the best score, or what the parser reads.

    Args:
        spellings: folded spelling -> recognised label; None for those of the label space.
    """
    if not question.recognised:
        return answer
    mode = question.mode(decode)
    if mode.scored:
        scores = answer.scores
        if scores is None or list(scores) != list(question.options) or not _are_scores(scores.values()):
            raise RuntimeError(f"the backbone did not score the options {list(question.options)}: {scores}")
        best = max(scores, key=lambda option: scores[option])  # the first listed, on a tie
        return replace(answer, label=best, match=mode.name)
    known = space.spellings(question.recognised) if spellings is None else spellings
    label, match = parser(Response(answer.response, tuple(question.options), known))
    return replace(answer, label=label, match=match)


def _are_scores(values: Iterable[float]) -> bool:
    return all(value <= LARGEST_SCORE for value in values)  # which NaN is not


def rehearse(strategy: Strategy, task: Task, decode: Decode = "generate") -> list[Question]:
    """Return the questions that the strategy asks when every answer is the first option (of open ones, a word).

    Shows, before any model is loaded, that its prompts can be rendered for this label space.
    """
    outcome = Outcome()
    conversation = strategy.converse(task)
    questions = []
    question = advance(conversation, None, outcome)
    while question is not None:
        questions.append(question)
        answer = _certain(question, question.options[0], decode) if question.options else Answer("Nothing.")
        question = advance(conversation, answer, outcome)
    return questions


def settled_mode(questions: Sequence[Question], chosen: Decode) -> Decode:
    """Return the mode that a run stands under: the *chosen* one where no other asks all of its questions alike.

    Else the one in which they are asked, or that of free answers where some are asked so and others scored. Two choices
    that make no difference so are one run.

    Args:
        questions: those of the rehearsal.
    """
    ways = {name: [question.mode(name).name for question in questions] for name in DECODES}
    if list(ways.values()).count(ways[chosen]) == 1:
        return chosen
    used = {*ways[chosen]}
    return used.pop() if len(used) == 1 else GENERATE.name


def _certain(question: Question, option: str, decode: Decode = "generate") -> Answer:
    """Return the answer *option*, with all the probability on it where the question is scored."""
    mode = question.mode(decode)
    if mode.scored:
        scores = {o: 0.0 if o == option else -1e9 for o in question.options}
        return Answer(option, scores=scores, label=option, match=mode.name)
    return Answer(option, label=option, match="exact")


def training_turns(strategy: Strategy, task: Task, target: str, *, ambiguous: bool = False) -> list[Turn]:
    """Return the questions that the strategy asks about a sample labelled *target*, each with its right answer.

    Where several answers are right (which of two mixed emotions is the primary one?), the conversation is followed
    along each of them; the question itself is left out unless *ambiguous*, since it would be taught with contrary
    answers. For ``chain-of-affect`` that makes the published training set: stage 1 on basic labels, stage 2 on
    compound labels in both orders.
    """
    turns: list[Turn] = []
    paths: list[list[Answer]] = [[]]
    while paths:
        answers = paths.pop()
        question = _next_question(strategy, task, answers)
        if question is None:
            continue
        right = [_certain(question, answer) for answer in strategy.right_answers(question, task, target)]
        if len(right) == 1 or ambiguous:
            turns += [Turn(question, answer) for answer in right]
        paths += [[*answers, answer] for answer in reversed(right)]
    return turns


def _next_question(strategy: Strategy, task: Task, answers: Sequence[Answer]) -> Question | None:
    """Return what the strategy asks after these answers; None where it concludes."""
    outcome, conversation = Outcome(), strategy.converse(task)
    question = advance(conversation, None, outcome)
    for answer in answers:
        if question is not None:
            question = advance(conversation, answer, outcome)
    return question
