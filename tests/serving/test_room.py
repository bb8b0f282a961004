"""The engine room: answers of many requests at once equal pipeline()'s; limits, deadlines, clients that leave, new versions."""

import asyncio
import threading
import weakref

import pytest

from headway import pipeline
from headway.core.batching import TokenSequence
from headway.errors import CheckpointError, EngineError, InputError, TaskError
from headway.graph import export_model
from headway.serving.attention import Attention
from headway.serving.exchange import Ask
from headway.serving.jobs import Job, companies, encode, run_pieces
from headway.serving.loaded import Source, load, sources
from headway.serving.refusals import RefusedError
from headway.serving.room import Room
from headway.settings.serving import Limits
from headway.tasks import task as find_task
from serving.over_http import until

TEXTS = [f"{'very ' * (number % 13)}good, number {number}" for number in range(53)]


@pytest.fixture(scope="module")
def model():
    return load(Source(name="sentiment", model="sentiment"), threads=2)


@pytest.fixture
def room(model):
    made = Room([model], limits=Limits(), threads=2)
    yield made
    made.close()


def run(room, *asks):
    async def all_of_them():
        return await asyncio.gather(*(room.answer(ask) for ask in asks), return_exceptions=True)

    return asyncio.run(all_of_them())


def test_many_requests_at_once_are_answered_as_pipeline_answers_each(room):
    classify = pipeline(model="sentiment")
    found = run(room, *(Ask(items=[text], options={"top_k": 2}) for text in TEXTS))
    for one, text in zip(found, TEXTS, strict=True):
        for label, expected in zip(one.presented("item"), classify(text, top_k=2), strict=True):
            assert label == {**expected, "score": pytest.approx(expected["score"], abs=1e-5)}  # padding changes last bits
    assert room.counters.sum("headway_inputs_total") == 53


def test_an_item_that_cannot_be_read_does_not_spoil_its_company(room):
    (found,) = run(room, Ask(items=["good", 7, "bad"]))
    assert [type(place).__name__ for place in found.places] == ["Answered", "InputError", "Answered"]
    with pytest.raises(InputError, match="Input 1: An input is int 7"):
        found.plain()


def test_token_ids_are_read_as_the_text_they_are_of(room, model):
    (ids,) = model.served.tokenizer.encode_sequences(["good"])
    first, second = run(room, Ask(items=["good"]), Ask(items=[TokenSequence(ids.ids)]))
    assert first.plain() == second.plain()


def test_too_many_inputs_and_options_that_do_not_exist_are_refused(room):
    many, odd, unknown, other = run(
        room,
        Ask(items=["a"] * 2049),
        Ask(items=["a"], options={"topk": 1}),
        Ask(items=["a"], model="x"),
        Ask(items=["a"], task="ner"),
    )
    assert (many.reason, unknown.reason, other.reason) == ("too_many_inputs", "unknown_model", "wrong_task")
    assert "2049 inputs, but one may have 2048" in str(many)
    assert isinstance(odd, TaskError)


def test_more_requests_than_allowed_are_told_to_come_again(model):
    room = Room([model], limits=Limits(max_concurrent_requests=2), threads=1)
    found = run(room, *(Ask(items=["good"]) for _ in range(5)))
    room.close()
    refused = [one for one in found if isinstance(one, RefusedError)]
    assert len(refused) == 3
    assert {one.reason for one in refused} == {"overloaded"}
    assert refused[0].retry_after >= 1


def test_a_request_whose_time_is_over_is_refused_and_not_computed(room):
    (found,) = run(room, Ask(items=["good"], timeout=0.0000001))
    assert found.reason == "expired"
    assert "X-Request-Timeout" in str(found)


def test_a_request_that_is_cancelled_leaves_nothing_behind(room):
    async def leave():
        task = asyncio.create_task(room.answer(Ask(items=TEXTS[:30])))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await room.answer(Ask(items=["good"]))

    assert asyncio.run(leave()).plain()
    assert "headway_queue_requests 0" in room.metrics()


def test_a_mistake_of_ours_fails_its_request_and_the_server_goes_on(room, monkeypatch):
    class Broken(Exception):
        pass

    def breaks(*_, **__):
        raise Broken

    seen = []
    monkeypatch.setattr("threading.excepthook", lambda about: seen.append(about.exc_type))
    with monkeypatch.context() as patch:
        patch.setattr("headway.serving.workers.run_pieces", breaks)
        (found,) = run(room, Ask(items=["good"]))
    assert isinstance(found, EngineError)
    assert "its log says more" in str(found)
    assert run(room, Ask(items=["good"]))[0].plain()
    assert until(lambda: seen == [Broken])


def test_a_mistake_in_encoding_fails_the_request_that_it_is_about_and_no_other(room, monkeypatch):
    class Broken(Exception):
        pass

    def breaks(items, prepared):
        if "bad" in items:
            raise Broken
        return encode(items, prepared)

    monkeypatch.setattr("threading.excepthook", lambda about: None)
    monkeypatch.setattr("headway.serving.jobs.encode", breaks)
    found = run(room, *(Ask(items=[text]) for text in ["good", "bad", *TEXTS[:20], "bad", "fine"]))
    assert [isinstance(one, EngineError) for one in found] == [False, True, *[False] * 20, True, False]


def test_requests_that_come_together_are_encoded_together_unless_they_are_long(model):
    prepared, other = (model.prepare(find_task("text-classification"), {"top_k": count}) for count in (1, 2))
    items = [["a"], ["b" * 2000], ["c" * 2001], ["d"], [{"text": "e", "text_pair": "f" * 2000}], ["g", "h"]]
    jobs = [
        Job(ask=Ask(items=texts), task="", model=model, prepared=other if place == 3 else prepared, due=0.0)
        for place, texts in enumerate(items)
    ]
    assert [[jobs.index(job) for job in company] for company in companies(jobs)] == [[0, 1, 5], [2], [3], [4]]
    jobs[0].is_apart = True
    assert [[jobs.index(job) for job in company] for company in companies(jobs)][:2] == [[0], [1, 5]]


def test_a_request_with_many_texts_lets_a_later_one_pass(model, monkeypatch):
    monkeypatch.setattr("headway.serving.batching.AT_ONCE", 300)
    monkeypatch.setattr("headway.serving.workers.LOOKED_AT", 64)  # among those that are due first, however many wait
    room, both_wait, batches = Room([model], limits=Limits(), threads=1), threading.Event(), []

    def run(pieces, *, alone):
        assert not batches or both_wait.wait(60)
        batches.append({len(piece.job.ask.items) for piece in pieces})
        return run_pieces(pieces, alone=alone)

    async def both():
        many = asyncio.create_task(room.answer(Ask(items=TEXTS * 12)))
        while not batches:
            await asyncio.sleep(0.001)
        one = asyncio.create_task(room.answer(Ask(items=["good"])))
        while "headway_queue_requests 2" not in room.metrics():
            await asyncio.sleep(0.001)
        both_wait.set()
        await asyncio.gather(many, one)

    monkeypatch.setattr("headway.serving.workers.run_pieces", run)
    asyncio.run(both())
    room.close()
    (place,) = [place for place, sizes in enumerate(batches) if 1 in sizes]
    assert place < 0.8 * len(batches)


def test_a_damaged_new_version_is_refused_and_the_old_one_goes_on(tmp_path):
    folder = export_model("sentiment", tmp_path / "mood").path.parent
    source = Source(name="mood", model=str(folder))
    room = Room([load(source, threads=1)], limits=Limits(), threads=1)
    before = room.find().version

    async def damage_and_mend():
        whole = (folder / "model_int8.onnx").read_bytes()
        (folder / "model_int8.onnx").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(RefusedError, match="could not be loaded as an ONNX model") as refused:
            await room.load("mood")
        assert refused.value.status == 500
        assert (await room.answer(Ask(items=["good"]))).served.version == before
        (folder / "model_int8.onnx").write_bytes(whole)
        (folder / "README.md").write_text("Another version.")
        await room.load_changed()
        return await room.answer(Ask(items=["good"]))

    assert asyncio.run(damage_and_mend()).served.version != before
    assert asyncio.run(room.load_changed()) == []
    room.close()


def test_a_model_that_was_replaced_and_one_that_was_unloaded_leave_no_memory_behind(monkeypatch):
    monkeypatch.setattr("headway.serving.room.GIVE_BACK_AFTER", 0.01)
    room = Room([load(Source(name="mood", model="sentiment"), threads=1)], limits=Limits(), threads=1)
    engines = weakref.WeakSet()

    async def gone(change):
        await room.answer(Ask(items=["good"]))
        engines.update(model.engine for model in room._models.values())
        await change("mood")
        for _ in range(2400):
            await asyncio.sleep(0.05)
            if not engines:
                return True
        return False

    async def change():
        return [await gone(room.load), await gone(room.unload)]

    assert asyncio.run(change()) == [True, True]
    room.close()


def test_an_unloaded_model_is_not_ready_until_it_is_loaded_again(room):
    async def unload():
        await room.unload("sentiment")
        assert not room.is_ready()
        with pytest.raises(RefusedError, match="No model of that name is loaded now"):
            room.find("sentiment")
        await room.load("sentiment")
        return room.is_ready("sentiment")

    assert asyncio.run(unload())


def test_a_task_may_stand_before_its_model_or_alone():
    found = sources(["zero-shot-classification", "ner", "fill-mask", "org/model", "mine=sentiment"])
    assert [(one.name, one.task, one.model) for one in found] == [
        ("zero-shot-classification", "zero-shot-classification", None),
        ("ner", None, "ner"),  # the model that ships, called like a task, for what follows is another such
        ("org/model", "fill-mask", "org/model"),
        ("mine", None, "sentiment"),
    ]
    with pytest.raises(TaskError, match="Two models are called sentiment"):
        sources(["sentiment", "sentiment"])


def look(room, *, layer=None, **ask):
    return asyncio.run(room.attention(Ask(**ask), layer=layer))


def test_attention_is_shown_layer_by_layer_by_a_graph_that_is_made_once(room, model):
    found = [look(room, items=[TEXTS[3]], layer=layer) for layer in range(4)]
    (tokens,) = model.served.tokenizer.encode_sequences([TEXTS[3]])
    for layer, one in enumerate(found):
        assert (one.tokens.ids, one.layer, one.layers) == (tokens.ids, layer, 4)
        assert one.weights.shape[1:] == (len(tokens), len(tokens))
    assert model.attention.of(model.engine) is model.attention.of(model.engine)
    assert look(room, items=[TEXTS[3]]).layer == 3


def test_attention_has_its_limits(room, model):
    with pytest.raises(InputError, match=r"The input has \d+ tokens, but attention is shown for 256 at most"):
        look(room, items=["a " * 300])
    with pytest.raises(InputError, match="layer is 4, but the model's layers are 0 to 3"):
        look(room, items=["a"], layer=4)
    with pytest.raises(RefusedError, match=r"within the 0\.0001 seconds that the request allows"):
        look(room, items=["a"], timeout=0.0001)
    room.limits = Limits(max_concurrent_requests=1)

    async def two():
        asks = [room.attention(Ask(items=["a"]), layer=None) for _ in range(2)]
        return await asyncio.gather(*asks, return_exceptions=True)

    first, second = asyncio.run(two())
    assert first.layer == 3
    assert second.reason == "overloaded"


def test_attention_of_a_model_whose_file_was_replaced_is_refused(model_folder, tmp_path):
    folder = model_folder("sequence-classification", num_labels=3)
    export_model(folder, tmp_path / "mood", precision="fp32")
    mood = load(Source(name="mood", model=str(tmp_path / "mood")), threads=1)
    export_model(folder, tmp_path / "other", precision="fp32")
    (tmp_path / "other" / "model.onnx").replace(tmp_path / "mood" / "model.onnx")
    with pytest.raises(CheckpointError, match="its attention would be another model's"):
        mood.attention.of(mood.engine)


def test_a_model_in_torch_shows_no_attention():
    with pytest.raises(InputError, match="This model runs in torch here"):
        Attention().of(object())
