"""The page for people in a real Chromium: what a reader finds in it once its scripts have run."""

import html
import json
import re
import shutil
import subprocess
from urllib.parse import urlencode

import pytest

from headway.serving.page import files
from serving.dialects.in_process import Loopback, PipelineService

pytestmark = pytest.mark.browser
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
TEXT = "the movie was great fun"


@pytest.fixture(scope="module")
def url(models):
    with Loopback(PipelineService(list(models.values()))) as found:
        yield found


@pytest.fixture
def read(url, tmp_path):
    """``read("/docs", find="x")``: the page at an address as text, with its elements, after its scripts."""

    def look(path, **query):
        command = [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path}",
            "--virtual-time-budget=3000",
            "--dump-dom",
            f"{url}{path}?{urlencode(query)}",
        ]
        found = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout
        return html.unescape(found)

    return look


def answer(page):
    """What stands under Answer, without its elements."""
    found = re.search(r'<div id="answer"[^>]*>(.*?)<details id="code"', page, re.DOTALL)
    assert found is not None
    return re.sub(r"<[^>]+>", " ", found[1])


def percent(score):
    return f"{100 * score:.1f} %"


def test_labels_are_bars(read, pipe):
    page = read("/", task="text-classification", model="mood", text=TEXT, ask="1")
    for one in pipe("mood")(TEXT, top_k=None):
        assert f"{one['label']} " in answer(page)
        assert percent(one["score"]) in answer(page)
    assert page.count('class="fill"') == 3
    assert 'pipeline("text-classification", "mood")' in page


def test_a_second_text_makes_a_pair(read, pipe):
    page = read("/", task="text-classification", model="mood", text=TEXT, text_pair="boring", ask="1")
    for one in pipe("mood")({"text": TEXT, "text_pair": "boring"}, top_k=None):
        assert percent(one["score"]) in answer(page)


def test_entities_are_marked_in_their_text(read, pipe):
    page = read("/", task="token-classification", model="tagger", text=TEXT, ask="1")
    for one in pipe("tagger")(TEXT, aggregation_strategy="simple"):
        assert re.search(rf"<mark [^>]*>{one['word']}<span class=\"kind\">{one['entity_group']}</span></mark>", page)


def test_an_answer_is_marked_in_its_context(read, pipe):
    asked = {"question": "was it fun ?", "context": "we saw a movie , it was great fun !"}
    page = read("/", task="question-answering", **asked, ask="1")
    found = pipe("reader")(asked)
    before, after = asked["context"][: found["start"]], asked["context"][found["end"] :]
    assert re.search(rf"{re.escape(before)}<mark [^>]*>{re.escape(found['answer'])}</mark>{re.escape(after)}", page)


def test_sentences_are_a_table_of_cosines(read):
    page = read("/", task="sentence-embeddings", text="a dog", ask="1")
    assert "numbers, length" in answer(page)
    several = read("/", task="sentence-similarity", source_sentence="a dog", sentences="a cat", ask="1")
    assert "a cat" in answer(several)


def test_words_are_weighed(read):
    page = read("/", task="text-classification", model="mood", text=TEXT, why="1")
    assert page.count('class="word"') == 5
    assert "falls when a word is left out" in answer(page)


def test_words_around_an_entity_and_an_answer_are_weighed_and_these_are_marked(read, pipe):
    page = read("/", task="token-classification", model="tagger", text=TEXT, why="1")
    assert "falls when a word is left out" in answer(page)
    assert page.count('class="word"') + 1 <= 5
    asked = {"question": "was it fun ?", "context": "we saw a movie , it was great fun !"}
    page = read("/", task="question-answering", **asked, why="1")
    assert f"<mark>{pipe('reader')(asked)['answer']}</mark>" in page


def test_where_a_model_looks_is_a_map_with_choices(read):
    page = read("/", task="token-classification", model="tagger", text=TEXT, look="1")
    found = answer(page)
    assert found.count("Layer ") >= 2
    assert "Mean of all" in found
    assert "What each word on the left looks at in layer" in found
    seen = page[page.index('class="scroll attention"') :].partition("</table>")[0]
    assert seen.count('<th scope="row">') == seen.count('<th scope="col">') - 1 == 7  # five words between [CLS] and [SEP]
    assert seen.count('<td class="heat"') == 49
    assert re.search(r'<div class="scroll attention" tabindex="0" role="region" aria-label="[^"]+">', page)
    assert all(re.search(rf"<label>{name} <select>", page) for name in ("Layer", "Head", "Of"))


def test_the_operator_sees_the_models_and_may_unload_them(read):
    page = read("/")
    table = re.search(r'<details id="models">(.*?)</details>', page, re.DOTALL)
    assert table is not None
    for name in ("mood", "tagger", "org/encoder"):
        assert f'aria-label="Unload {name}"' in table[1]


def test_a_mistake_is_said_where_the_answer_would_stand(read):
    page = read("/", task="text-classification", model="mood", text=TEXT, top_k="0", ask="1")
    assert "top_k is 0, but it counts answers. Use a whole number from 1 on" in answer(page)
    assert 'role="alert"' in page


def test_labels_name_every_field(read):
    page = read("/", task="zero-shot-classification")
    without = re.sub(r"<label.*?</label>", "", page, flags=re.DOTALL)
    assert not re.search(r"<(input|select|textarea)\b", without)  # each stands within a label
    assert 'aria-live="polite"' in page


def test_the_page_of_routes_shows_all_of_them(read):
    page = read("/docs")
    assert "/v2/models/{model}/infer" in page
    assert page.count('class="operation"') > 40


PROBE = """
import { rows } from "./csv.js";
import { cosines, marked } from "./draw.js";
import { quantile, samples } from "./live.js";

const metrics = (count) => samples(`# HELP x_total what
x_total{task="a b",model="m\\\\"n"} ${count}
x_seconds_bucket{le="0.1"} ${count}
x_seconds_bucket{le="0.5"} ${2 * count}
x_seconds_bucket{le="+Inf"} ${4 * count}
`);
const refused = (text) => { try { return rows(text); } catch (error) { return error.message; } };
const found = {
  plain: rows("id,text\\n1,a b\\n2,c\\n"),
  quoted: rows('id,text\\r\\n1,"a, ""b""\\nc"\\r\\n\\r\\n2,\\r\\n'),
  tabs: rows("id\\ttext\\n1\\ta, b\\n"),
  semicolons: rows("id;text\\n1;a, b"),
  open: refused('id,text\\n1,"a'),
  metrics: metrics(3)[0],
  quantiles: [0.2, 0.5, 0.9].map((part) => String(quantile(metrics(5), metrics(3), "x_seconds", part))),
  nothing: quantile(metrics(3), metrics(3), "x_seconds", 0.5),
  cosines: cosines([[3, 4], [4, -3], [6, 8]]).map((row) => row.map((one) => Math.round(one))),
  marked: marked("\\u{1F600} a <b> c", [{ start: 4, end: 7, kind: "X", score: 1 }, { start: 5, end: 6, score: 1 }]).innerText,
};
document.body.textContent = JSON.stringify(found);
"""


def test_tables_metrics_and_places_are_read_rightly(read, monkeypatch):
    """In a page of its own, since the functions behind the pages are only reached by scripts."""
    monkeypatch.setitem(files(), "probe.html", (b'<body><script src="probe.js" type="module"></script>', "text/html"))
    monkeypatch.setitem(files(), "probe.js", (PROBE.encode(), "text/javascript"))
    body = re.search(r"<body>(.*)</body>", read("/page/probe.html"), re.DOTALL)
    assert body is not None
    assert json.loads(body[1]) == {
        "plain": [["id", "text"], ["1", "a b"], ["2", "c"]],
        "quoted": [["id", "text"], ["1", 'a, "b"\nc'], ["2", ""]],
        "tabs": [["id", "text"], ["1", "a, b"]],
        "semicolons": [["id", "text"], ["1", "a, b"]],
        "open": "Line 2 has a quote that does not end. Correct it, or put the whole field in quotes.",
        "metrics": {"name": "x_total", "value": 3, "labels": {"task": "a b", "model": 'm\\"n'}},
        "quantiles": ["0.1", "0.5", "Infinity"],
        "nothing": None,
        "cosines": [[1, 0, 1], [0, 1, 0], [1, 0, 1]],
        "marked": "\U0001f600 a <b>X c",
    }
