import json

import numpy as np
import pytest

from headway.core.batching import TokenSequence
from headway.errors import CheckpointError, TaskError
from headway.families import family
from headway.tasks import Call, Encoded, ModelFacts, task
from headway.tasks.pooling import POOLINGS, to_unit_length
from headway.tasks.sentence_transformer import SideFiles, read_side_files

STATES = np.array([[3, 0], [0, 8], [3, 1]], np.float32)  # three tokens of two numbers
TRANSFORMER = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}
POOLING = {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}
NORMALIZE = {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}


def prepared(tokenizer, name="feature-extraction", *, folder=None, **options):
    config = family("bert").config(vocab_size=len(tokenizer), max_position_embeddings=11)
    found = task(name)
    return found.prepare(ModelFacts(tokenizer=tokenizer, config=config, folder=folder), found.choose(options))


def features(tokenizer, name="feature-extraction", **options):
    ready, encoded = prepared(tokenizer, name, **options), Encoded((TokenSequence([2, 7, 3]),))
    return ready.decode([ready.reduce({"last_hidden_state": STATES}, encoded, part=0)], encoded)


def side_files(folder, *modules, **files):
    """A sentence-transformers folder's files beside the model."""
    folder.mkdir(exist_ok=True)
    (folder / "modules.json").write_text(json.dumps(list(modules)))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    for name, values in files.items():
        path = folder / ("1_Pooling/config.json" if name == "pooling" else f"{name}.json")
        path.write_text(json.dumps(values))
    return folder


def test_without_pooling_every_token_has_its_vector(tiny_tokenizer):
    assert features(tiny_tokenizer) == [[[3, 0], [0, 8], [3, 1]]]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({"pooling": "mean"}, [2, 3], id="mean"),
        pytest.param({"pooling": "cls"}, [3, 0], id="cls"),
        pytest.param({"pooling": "cls", "normalize": True}, [1, 0], id="unit length"),
        pytest.param({"pooling": "auto"}, [2, 3], id="auto without side files is the mean"),
        pytest.param({"pooling": "auto", "normalize": True}, [2 / 13**0.5, 3 / 13**0.5], id="auto, normalised"),
    ],
)
def test_pooling_gives_one_vector_a_text(tiny_tokenizer, options, expected):
    assert features(tiny_tokenizer, **options) == pytest.approx(expected)


def test_sentence_embeddings_are_pooled_unless_told_otherwise(tiny_tokenizer):
    assert features(tiny_tokenizer, "sentence-embeddings") == pytest.approx([2, 3])
    assert features(tiny_tokenizer, "sentence-embeddings", pooling="cls") == [3, 0]


def test_answers_are_json_or_arrays_as_asked(tiny_tokenizer):
    json.dumps(features(tiny_tokenizer))
    array = features(tiny_tokenizer, pooling="mean", return_tensors="np")
    assert isinstance(array, np.ndarray)
    assert array.dtype == np.float32


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", [2, 3]),
        ("cls", [3, 0]),
        ("max", [3, 8]),
        ("mean_sqrt_len_tokens", [6 / 3**0.5, 9 / 3**0.5]),
        ("weightedmean", [(3 + 9) / 6, (16 + 3) / 6]),
        ("lasttoken", [3, 1]),
    ],
)
def test_poolings_by_hand(name, expected):
    np.testing.assert_allclose(POOLINGS[name](STATES), expected, rtol=1e-6)


def test_a_vector_of_zeros_has_no_direction_but_no_error_either():
    np.testing.assert_array_equal(to_unit_length(np.zeros(3)), np.zeros(3))


def test_old_and_new_side_files_mean_the_same(tmp_path):
    old = side_files(
        tmp_path / "old",
        TRANSFORMER,
        POOLING,
        NORMALIZE,
        pooling={"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
    )
    new = side_files(tmp_path / "new", TRANSFORMER, POOLING, NORMALIZE, pooling={"pooling_mode": "cls"})
    assert read_side_files(old) == read_side_files(new) == SideFiles(pooling=("cls",), normalize=True)


def test_poolings_that_stand_together_are_joined(tiny_tokenizer, tmp_path):
    folder = side_files(tmp_path / "both", TRANSFORMER, POOLING, pooling={"pooling_mode": ["cls", "mean"]})
    assert features(tiny_tokenizer, "sentence-embeddings", folder=folder) == pytest.approx([3, 0, 2, 3])


def test_length_prompt_and_case_of_the_folder_are_used(tiny_tokenizer, tmp_path):
    folder = side_files(
        tmp_path / "full",
        TRANSFORMER,
        POOLING,
        pooling={"pooling_mode": "mean"},
        sentence_bert_config={"max_seq_length": 6, "do_lower_case": True},
        config_sentence_transformers={"prompts": {"query": "we love "}, "default_prompt_name": "query"},
    )
    (encoded,) = prepared(tiny_tokenizer, "sentence-embeddings", folder=folder).encode(["A FILM a film"])
    assert tiny_tokenizer.decode(list(encoded.sequences[0].ids)) == "[CLS] we love a film [SEP]"
    (plain,) = prepared(tiny_tokenizer, folder=folder).encode(["A FILM a film"])
    assert tiny_tokenizer.decode(list(plain.sequences[0].ids)) == "[CLS] a film a film [SEP]"


def test_an_own_choice_of_normalize_wins_over_the_folder(tiny_tokenizer, tmp_path):
    folder = side_files(tmp_path / "n", TRANSFORMER, POOLING, NORMALIZE, pooling={"pooling_mode": "cls"})
    assert features(tiny_tokenizer, "sentence-embeddings", folder=folder) == [1, 0]
    assert features(tiny_tokenizer, "sentence-embeddings", folder=folder, normalize=False) == [3, 0]


@pytest.mark.parametrize(
    ("modules", "files", "error", "message"),
    [
        pytest.param(
            [TRANSFORMER, {"path": "2_Dense", "type": "x.models.Dense"}],
            {},
            TaskError,
            "the sentence-transformers module Dense",
            id="dense",
        ),
        pytest.param(
            [TRANSFORMER, POOLING],
            {"pooling": {"pooling_mode": "median"}},
            TaskError,
            "asks for the pooling median",
            id="unknown",
        ),
        pytest.param([TRANSFORMER, POOLING], {"pooling": {}}, TaskError, r"asks for the pooling \(none\)", id="none"),
        pytest.param(
            [TRANSFORMER, POOLING], {}, CheckpointError, "could not be read .*Download the model again", id="file missing"
        ),
        pytest.param(
            [TRANSFORMER],
            {"config_sentence_transformers": {"default_prompt_name": "q", "prompts": {"d": ""}}},
            CheckpointError,
            "names 'q' as its default prompt but has only d",
            id="prompt",
        ),
    ],
)
def test_side_files_that_cannot_be_followed_are_refused(tmp_path, modules, files, error, message):
    with pytest.raises(error, match=message):
        read_side_files(side_files(tmp_path / "bad", *modules, **files))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "max"}, "pooling is 'max', which is no choice of this task's; known are none, cls, mean, auto"),
        ({"normalize": True}, "normalize=True scales one vector a text, but pooling='none'"),
        ({"return_tensors": "pt"}, "return_tensors is 'pt', which is no choice of this task's; known are np"),
    ],
)
def test_wrong_options_say_the_right_ones(options, message):
    with pytest.raises(TaskError, match=message):
        task("feature-extraction").choose(options)


def test_one_text_is_answered_alone_and_a_list_with_a_list(tiny_tokenizer):
    ready = prepared(tiny_tokenizer)
    assert ready.present([[1.0]], Call("text")) == [1.0]
    assert ready.present([[1.0]], Call("list")) == [[1.0]]


def test_windows_give_an_average_that_counts_tokens(tiny_tokenizer):
    ready = prepared(tiny_tokenizer, pooling="cls", overflow="window")
    encoded = Encoded((TokenSequence([2, 7, 3]), TokenSequence([2])))
    parts = [
        ready.reduce({"last_hidden_state": states}, encoded, part=place) for place, states in enumerate((STATES, STATES[1:2]))
    ]
    assert ready.decode(parts, encoded) == pytest.approx((3 * STATES[0] + STATES[1]) / 4)


def test_windows_without_pooling_are_refused(tiny_tokenizer):
    with pytest.raises(TaskError, match="overflow='window' joins the windows' vectors into one, but pooling='none'"):
        prepared(tiny_tokenizer, overflow="window")


def test_vectors_become_rows(tiny_tokenizer):
    pooled, plain = prepared(tiny_tokenizer, pooling="mean"), prepared(tiny_tokenizer)
    assert pooled.row([1.0, 2.0]) == {"embedding": [1.0, 2.0]}
    assert plain.row([[[1.0, 2.0]]]) == {"features": [[1.0, 2.0]]}
    assert [(column.name, column.depth) for column in (*pooled.columns, *plain.columns)] == [("embedding", 1), ("features", 2)]
