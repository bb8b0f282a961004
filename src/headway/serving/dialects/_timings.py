"""How long an answer took and what it cost, in the headers that text-embeddings-inference and Hugging Face's endpoints send."""

from collections.abc import Mapping, Sequence

from headway.serving.exchange import Answers


def timing_headers(answers: Sequence[Answers], *, characters: int) -> Mapping[str, str]:
    """Milliseconds as whole numbers, characters and tokens of the inputs."""
    if not answers:
        return {}
    times = [answer.timings for answer in answers]
    longest = times[0] if len(times) == 1 else map(max, zip(*times, strict=True))
    tokenization, queue, inference, total = [str(int(1000 * seconds)) for seconds in longest]
    return {
        "x-compute-type": "cpu",
        "x-compute-time": total,
        "x-compute-characters": str(characters),
        "x-compute-tokens": str(sum(answer.tokens for answer in answers)),
        "x-total-time": total,
        "x-tokenization-time": tokenization,
        "x-queue-time": queue,
        "x-inference-time": inference,
    }


def characters_in(value: object) -> int:
    """How many characters the texts have that a JSON value holds."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(characters_in, value.values()))
    return sum(map(characters_in, value)) if isinstance(value, Sequence) and not isinstance(value, bytes) else 0
