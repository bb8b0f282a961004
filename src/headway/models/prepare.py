"""Makes the training files of the models that ship from the data folder: ``prepare.py DATA WORK NAME``.

DATA is laid out as the cards name its sets. NAME is one of

  sentences   lines for the teacher of ``embeddings``
  phrases     sentiment rows without labels, for the teacher of ``sentiment``
  words       sentences of words, for the teacher of ``ner``
  entities    CoNLL-2003 and WikiGold in one file
  silver      the sentences of words with the tags of the teacher in WORK/entity-teacher-int8
  questions   all questions that are learnt from, in SQuAD's form
  cloze       questions made of sentences
"""

import json
import lzma
import random
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from headway.core.files import atomic_file

Tagged: TypeAlias = list[tuple[str, str]]
"""A sentence: its words, each with its tag."""

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'])")
WORD = re.compile(r"[A-Za-z]\.(?:[A-Za-z]\.)+|\d+(?:[.,:]\d+)*|\w+(?:-\w+)*|'s|[^\w\s]")
SPAN = re.compile(
    r"(?:[A-Z][\w.'-]*(?:\s(?:of|the|de|and)\s(?=[A-Z]))?\s?){1,4}(?<=\w)"
    r"|\b\d[\d,.]*\d\b(?:\s(?:million|billion|percent|years|km|miles))?|\b\d\b"
)
"""A name of up to four words, or a number."""

MONTHS = tuple("January February March April May June July August September October November December".split())
QUESTIONS = (
    "squadshifts_new_wiki squadshifts_amazon squadshifts_reddit qed_train qed_dev fairytaleqa_train qamr_dev qamr_test"
).split()


def opened(path: Path) -> Iterator[str]:
    """The lines of a file, compressed or not."""
    with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as file:
        yield from file


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON Lines file."""
    return (json.loads(line) for line in opened(path))


def corpus_sentences(data: Path, name: str, *, count: int, draw: random.Random, share: float) -> list[str]:
    """So many sentences of 5 to 40 words of a corpus file, a drawn share of those that come by."""
    found: list[str] = []
    for line in opened(data / "corpus" / f"{name}.txt.xz"):
        for sentence in SENTENCE_END.split(line.strip()):
            if 5 <= len(sentence.split()) <= 40 and draw.random() < share:
                found.append(sentence)
                if len(found) == count:
                    return found
    return found


def sentences(data: Path, work: Path) -> None:
    """Lines whose vectors are learnt: captions, entailment pairs, questions, and sentences of the corpus."""
    draw, texts = random.Random(0), dict[str, None]()
    for path, columns in (
        ("snli/train_sample.jsonl", ("premise", "hypothesis")),
        ("extra/nli/lingnli_train.jsonl.xz", ("premise", "hypothesis")),
        ("glue/qnli/train_sample.jsonl", ("question", "sentence")),
        ("glue/stsb/train.jsonl", ("sentence1", "sentence2")),
    ):
        for row in rows(data / path):
            texts.update((row[column].strip().replace("\n", " "), None) for column in columns)
    for name, count in (("wikipedia2021-0", 10_000), ("simplewiki-0", 10_000), ("books-0", 5_000)):
        texts.update(dict.fromkeys(corpus_sentences(data, name, count=count, draw=draw, share=0.15)))
    lines = [text for text in texts if text]
    draw.shuffle(lines)
    write_text(work / "sentences.txt", "\n".join(lines) + "\n")


def phrases(data: Path, work: Path) -> None:
    """SST-2's training phrases, runs of words drawn from its longer ones, and sentences of film reviews, none with a label."""
    draw = random.Random(1)
    train = [row["sentence"].strip() for row in rows(data / "glue/sst2/train.jsonl")]
    texts = dict.fromkeys(train)
    for text in train:
        words = text.split()
        if len(words) >= 8:
            length = draw.randint(4, len(words))
            start = draw.randint(0, len(words) - length)
            texts[" ".join(words[start : start + length])] = None
    reviews: dict[str, None] = {}
    for row in rows(data / "imdb/train.jsonl.xz"):
        for sentence in SENTENCE_END.split(row["text"].replace("<br />", " ")):
            if 4 <= len(sentence.split()) <= 30:
                reviews[" ".join(sentence.lower().split())] = None
    texts.update(dict.fromkeys(draw.sample(list(reviews), 60_000)))
    lines = list(texts)
    draw.shuffle(lines)
    write_rows(work / "phrases.jsonl", "sentence", lines)


def words(data: Path, work: Path) -> None:
    """Sentences of the corpus as words with blanks between."""
    draw = random.Random(2)
    texts = [
        sentence
        for name in ("wikipedia-0", "wikipedia2021-0", "wikipedia-1")
        for sentence in corpus_sentences(data, name, count=40_000, draw=draw, share=0.2)
    ]
    draw.shuffle(texts)
    write_rows(work / "words.jsonl", "text", [" ".join(WORD.findall(text)) for text in texts])


def write_rows(path: Path, column: str, texts: list[str]) -> None:
    """A JSON Lines file of one column."""
    write_text(path, "".join(json.dumps({column: text}, ensure_ascii=False) + "\n" for text in texts))


def write_text(path: Path, text: str) -> None:
    """The whole file or none: one that is there is not made again."""
    with atomic_file(path) as draft:
        draft.write_text(text, encoding="utf-8")


def tagged(path: Path) -> list[Tagged]:
    """The sentences of a file of words and tags, in whichever scheme, with B- at every entity's first word."""
    found: list[Tagged] = [[]]
    for line in opened(path):
        parts = line.split()
        if not parts or parts[0] == "-DOCSTART-":
            found.append([])
        else:
            found[-1].append((parts[0], parts[-1]))
    return [
        [(word, _begun(tag, sentence[at - 1][1] if at else "O")) for at, (word, tag) in enumerate(sentence)]
        for sentence in found
        if sentence
    ]


def _begun(tag: str, before: str) -> str:
    return "B-" + tag[2:] if tag.startswith("I-") and before[2:] != tag[2:] else tag


def write_tagged(path: Path, sentences: list[Tagged]) -> None:
    """A file of words and tags, an empty line after each sentence."""
    lines = ("".join(f"{word} {tag}\n" for word, tag in sentence) + "\n" for sentence in sentences)
    write_text(path, "".join(lines))


def entities(data: Path, work: Path) -> None:
    """CoNLL-2003's training sentences and WikiGold, which has the same four kinds."""
    both = tagged(data / "conll2003/train.txt") + tagged(data / "extra/ner/wikigold.txt")
    random.Random(3).shuffle(both)
    write_tagged(work / "entities.txt", both)


def silver(data: Path, work: Path) -> None:
    """The teacher's tags on the sentences of words."""
    from tqdm import tqdm

    from headway import pipeline

    texts = [row["text"] for row in rows(work / "words.jsonl")]
    tagger = pipeline("token-classification", str(work / "entity-teacher-int8"), aggregation_strategy="first")
    answers = zip(texts, tagger(iter(texts)), strict=True)
    found = [_with_tags(text, entities) for text, entities in tqdm(answers, total=len(texts), unit=" sentences")]
    write_tagged(work / "silver.txt", found)


def _with_tags(text: str, entities: list[dict[str, Any]]) -> Tagged:
    words = text.split(" ")
    starts = [sum(len(word) + 1 for word in words[:at]) for at in range(len(words))]
    tags = ["O"] * len(words)
    for entity in entities:
        inside = [at for at, start in enumerate(starts) if entity["start"] <= start < entity["end"]]
        for at in inside:
            tags[at] = ("B-" if at == inside[0] else "I-") + entity["entity_group"]
    return list(zip(words, tags, strict=True))


def questions(data: Path, work: Path) -> None:
    """SQuAD's articles for training as they are, and the questions of other sets on contexts that are cut."""
    draw = random.Random(4)
    found = _articles(data / "squad" / "train-v1.1.first-12-articles.json")
    for name in QUESTIONS:
        found += [cut(article, draw) for article in _articles(data / "extra" / "qa" / f"{name}.json.xz")]
    write_questions(work / "questions.json", found)


def _articles(path: Path) -> list[dict[str, Any]]:
    """The articles of a file without the questions that have no answer in their text."""
    articles: list[dict[str, Any]] = json.loads("".join(opened(path)))["data"]
    for paragraph in (paragraph for article in articles for paragraph in article["paragraphs"]):
        paragraph["qas"] = [question for question in paragraph["qas"] if question["answers"] and question["answers"][0]["text"]]
    return articles


def write_questions(path: Path, articles: list[dict[str, Any]]) -> None:
    """A file in SQuAD's form."""
    write_text(path, json.dumps({"version": "1.1", "data": articles}, ensure_ascii=False))


def cut(article: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """The article with each long context cut, for each question, to a run of 60 to 110 words that holds the answer."""
    paragraphs = []
    for paragraph in article["paragraphs"]:
        starts = [match.start() for match in re.finditer(r"\S+", paragraph["context"])]
        if len(starts) <= 110:
            paragraphs.append(paragraph)
        else:
            paragraphs += [_around(question, paragraph["context"], starts, draw) for question in paragraph["qas"]]
    return {**article, "paragraphs": paragraphs}


def _around(question: dict[str, Any], context: str, starts: list[int], draw: random.Random) -> dict[str, Any]:
    """A paragraph of one question, whose context is a run of words around its answer."""
    answer = question["answers"][0]
    end = answer["answer_start"] + len(answer["text"])
    first = max(0, sum(start <= answer["answer_start"] for start in starts) - 1)
    last = sum(start < end for start in starts)
    length = max(draw.randint(60, 110), last - first)
    begin = draw.randint(max(0, last - length), min(first, len(starts) - length))
    at = starts[begin]
    stop = starts[begin + length] if begin + length < len(starts) else len(context)
    kept = {**question, "answers": [{"text": answer["text"], "answer_start": answer["answer_start"] - at}]}
    return {"context": context[at:stop], "qas": [kept]}


def cloze(data: Path, work: Path) -> None:
    """Questions made of sentences, after Lewis et al., 2019, arXiv:1906.04980.

    A name or a number of one sentence of a paragraph is the answer; what stands around it, with words dropped and a question word
    before it, is the question; the paragraph is the context.
    """
    draw, paragraphs = random.Random(5), list[dict[str, Any]]()
    for name, count in (("wikipedia-0", 22_000), ("wikipedia2021-0", 20_000), ("simplewiki-0", 8_000)):
        made = 0
        for line in opened(data / "corpus" / f"{name}.txt.xz"):
            context = line.strip()
            if not 40 <= len(context.split()) <= 110 or draw.random() < 0.5:
                continue
            question = one_cloze(context, draw, name=f"{name}-{made}")
            if question is not None:
                paragraphs.append({"context": context, "qas": [question]})
                made += 1
            if made == count:
                break
    draw.shuffle(paragraphs)
    write_questions(work / "cloze.json", [{"title": "cloze", "paragraphs": paragraphs}])


def one_cloze(context: str, draw: random.Random, *, name: str) -> dict[str, Any] | None:
    """A question whose answer is a name or a number of the context, or None where there is none."""
    starts = [0, *(match.end() for match in SENTENCE_END.finditer(context))]
    ends = [*starts[1:], len(context)]
    sentences = [(start, context[start:end].rstrip()) for start, end in zip(starts, ends, strict=True)]
    sentences = [(start, sentence) for start, sentence in sentences if len(sentence.split()) >= 6]
    if not sentences:
        return None
    start, sentence = draw.choice(sentences)
    spans = [match for match in SPAN.finditer(sentence) if match.start() > 0 or match[0][0].isdigit() or " " in match[0].strip()]
    if not spans:
        return None
    span = draw.choice(spans)
    answer = span[0].strip()
    before, after = sentence[: span.start()].split(), sentence[span.start() + len(answer) :].split()
    before, after = before[-draw.randint(4, 12) :], after[: draw.randint(4, 12)]
    rest = [word for word in before + after if draw.random() > 0.2]
    if len(rest) < 3:
        return None
    if draw.random() < 0.3:
        rest = after + before
    text = " ".join([asked(answer, before, draw), *rest]).rstrip(" .,;:") + "?"
    return {"id": name, "question": text, "answers": [{"text": answer, "answer_start": start + span.start()}]}


def asked(answer: str, before: list[str], draw: random.Random) -> str:
    """The question word for an answer that follows these words."""
    last = before[-1].lower() if before else ""
    if re.fullmatch(r"1[0-9]{3}|20[0-2][0-9]", answer) or answer.startswith(MONTHS):
        return draw.choice(("When", "What year", "In what year"))
    if answer[0].isdigit():
        return draw.choice(("How many", "How much", "What number"))
    if last in ("in", "at", "from", "to", "near"):
        return draw.choice(("Where", "What place", "In what place", "What"))
    return draw.choice(("Who", "What", "Which", "What is the name of"))


MAKERS: dict[str, Callable[[Path, Path], None]] = {
    made.__name__: made for made in (sentences, phrases, words, entities, silver, questions, cloze)
}

if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[3] not in MAKERS:
        sys.exit(__doc__)
    MAKERS[sys.argv[3]](Path(sys.argv[1]), Path(sys.argv[2]))
