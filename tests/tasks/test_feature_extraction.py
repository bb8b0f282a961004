import json

import numpy as np
import pytest

from headway.core.batching import TokenSequence
from headway.errors import CheckpointError, HeadwayError, TaskError
from headway.families import family
from headway.tasks import Call, Encoded, ModelFacts, task
from headway.tasks.pooling import POOLINGS, pool, to_unit_length
from headway.tasks.sentence_modules import UnitLength
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
    np.testing.assert_allclose(POOLINGS[name](STATES, 0), expected, rtol=1e-6)


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
    assert read_side_files(old) == read_side_files(new) == SideFiles(pooling=("cls",), steps=(UnitLength(),))


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
    dropout = {"path": "2_Dropout", "type": "sentence_transformers.models.Dropout"}  # nothing is dropped but in training
    folder = side_files(tmp_path / "n", TRANSFORMER, POOLING, dropout, NORMALIZE, pooling={"pooling_mode": "cls"})
    assert features(tiny_tokenizer, "sentence-embeddings", folder=folder) == [1, 0]
    assert features(tiny_tokenizer, "sentence-embeddings", folder=folder, normalize=False) == [3, 0]


@pytest.mark.parametrize(
    ("modules", "files", "error", "message"),
    [
        pytest.param(
            [TRANSFORMER, POOLING, {"path": "2_CNN", "type": "x.models.CNN"}],
            {},
            TaskError,
            "the sentence-transformers module CNN, which is not computed here.*Use feature-extraction with pooling='mean'",
            id="convolution",
        ),
        pytest.param(
            [TRANSFORMER, NORMALIZE, POOLING],
            {},
            TaskError,
            "the sentence-transformers modules Transformer, Normalize, Pooling in this order, which is not computed here",
            id="order",
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
        ({"pooling": "median"}, "pooling is 'median', which is no choice of this task's; known are none, auto, mean, cls, max"),
        ({"normalize": True}, "normalize=True scales one vector a text, but pooling='none'"),
        ({"return_tensors": "tf"}, "return_tensors is 'tf', which is no choice of this task's; known are np, pt"),
        ({"truncate_dim": 3}, "truncate_dim shortens one vector a text, but pooling='none' gives one a token"),
        ({"pooling": "mean", "truncate_dim": 0}, "truncate_dim is 0, but it counts the values to keep"),
        ({"output_precision": "binary"}, "output_precision='binary' is for one vector a text, but pooling='none'"),
        ({"pooling": "mean", "output_precision": "int8"}, r"output_precision='int8' needs ranges.*ranges=\[vectors.min\(0\)"),
        (
            {"pooling": "mean", "precision": "uint8", "ranges": [1, 2]},
            r"ranges is an array of shape \(2,\), but it holds two rows",
        ),
        (
            {"pooling": "mean", "precision": "uint8", "ranges": [[1], [2, 3]]},
            r"ranges is \(\[1\], \[2, 3\]\), but it holds two rows",
        ),
        ({"pooling": "mean", "precision": "uint8", "ranges": [[1.0], [float("nan")]]}, "two rows of finite numbers"),
        ({"prompt": "a", "prompt_name": "query"}, "prompt .'a'. and prompt_name .'query'. both say what to put before"),
        ({"prompt": 3}, "prompt is 3, but it is put before each text, so it is a text itself. Use a string"),
        ({"tokenize_kwargs": {"colour": "red"}}, "feature-extraction has no option 'colour'. Its options are max_length"),
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


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        pytest.param({"return_tensors": True}, {"return_tensors": "pt"}, id="a tensor"),
        pytest.param({"return_tensors": False}, {}, id="lists"),
        pytest.param({"convert_to_numpy": True}, {"return_tensors": "np"}, id="NumPy"),
        pytest.param({"convert_to_tensor": True, "convert_to_numpy": False}, {"return_tensors": "pt"}, id="torch"),
        pytest.param({"tokenize_kwargs": {"truncation": True, "max_length": 7, "padding": True}}, {"max_length": 7}, id="cut"),
        pytest.param({"pooling": "mean", "normalize_embeddings": True}, {"pooling": "mean", "normalize": True}, id="length"),
        pytest.param({"normalize_embeddings": False}, {}, id="the folder's length"),
        pytest.param({"pooling": "cls", "precision": "binary"}, {"pooling": "cls", "output_precision": "binary"}, id="bits"),
        pytest.param(
            {"pooling": "cls", "precision": "int8", "ranges": np.array([[0.0], [1.0]])},
            {"pooling": "cls", "output_precision": "int8", "ranges": [[0.0], [1.0]]},
            id="ranges",
        ),
    ],
)
def test_options_of_other_libraries_mean_what_they_mean_there(theirs, ours):
    found = task("feature-extraction")
    assert found.choose(theirs) == found.choose(ours)


def test_a_call_wins_over_what_its_tokenizer_options_say():
    assert task("feature-extraction").choose({"tokenize_kwargs": {"max_length": 7}, "max_length": 9}).max_length == 9


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", [1.5, 4.5]),
        ("cls", [0, 8]),
        ("max", [3, 8]),
        ("mean_sqrt_len_tokens", [3 / 2**0.5, 9 / 2**0.5]),
        ("weightedmean", [9 / 5, (16 + 3) / 5]),
        ("lasttoken", [3, 1]),
    ],
)
def test_a_prompt_that_is_no_part_of_the_text_is_not_pooled(name, expected):
    np.testing.assert_allclose(pool(STATES, (name,), skipped=1), expected, rtol=1e-6)


def test_nothing_to_pool_is_zero():
    np.testing.assert_array_equal(pool(STATES, ("mean", "cls"), skipped=3), np.zeros(4))


def test_prompts_are_chosen_by_name_or_given(tiny_tokenizer, tmp_path):
    said = {"prompts": {"query": "we love ", "title": "plot , "}, "default_prompt_name": "title"}
    folder = side_files(tmp_path / "p", TRANSFORMER, POOLING, pooling={"pooling_mode": "mean"}, config_sentence_transformers=said)

    def read(**options):
        (encoded,) = prepared(tiny_tokenizer, "sentence-embeddings", folder=folder, **options).encode(["fun"])
        return tiny_tokenizer.decode(list(encoded.sequences[0].ids), skip_special_tokens=True)

    assert read() == "plot, fun"
    assert read(prompt_name="query") == read(prompt_name="query", pooling="cls") == "we love fun"
    assert read(prompt_name="document") == read(prompt="") == read(pooling="cls") == "fun"
    assert read(prompt="not ") == "not fun"
    with pytest.raises(TaskError, match=r"prompt_name is 'q', but the model's prompts are query, document, title\. Name one"):
        read(prompt_name="q")


def test_a_prompts_tokens_are_left_out_where_the_folder_says_so(tiny_tokenizer, tmp_path):
    folder = side_files(
        tmp_path / "i", TRANSFORMER, POOLING, pooling={"pooling_mode": "mean", "include_prompt": False}, sentence_bert_config={}
    )
    ready = prepared(tiny_tokenizer, "sentence-embeddings", folder=folder, prompt="we love ")
    (encoded,) = ready.encode(["fun"])
    assert len(encoded.sequences[0]) == 5  # [CLS] we love fun [SEP]
    states = np.arange(10, dtype=np.float32).reshape(5, 2)
    assert ready.decode([ready.reduce({"last_hidden_state": states}, encoded, part=0)], encoded) == [7, 8]
    plain = prepared(tiny_tokenizer, "sentence-embeddings", folder=folder)
    assert plain.decode([plain.reduce({"last_hidden_state": states}, encoded, part=0)], encoded) == [4, 5]


def test_only_the_first_window_begins_with_the_prompt(tiny_tokenizer, tmp_path):
    folder = side_files(
        tmp_path / "w", TRANSFORMER, POOLING, pooling={"pooling_mode": "cls", "include_prompt": False}, sentence_bert_config={}
    )
    ready = prepared(tiny_tokenizer, "sentence-embeddings", folder=folder, prompt="we", overflow="window")
    encoded = Encoded((TokenSequence([2, 7, 3]), TokenSequence([2, 7, 3])))
    parts = [ready.reduce({"last_hidden_state": STATES}, encoded, part=part) for part in (0, 1)]
    np.testing.assert_array_equal(parts, [STATES[2], STATES[0]])


def test_vectors_are_cut_before_they_are_scaled(tiny_tokenizer):
    assert features(tiny_tokenizer, pooling="mean", truncate_dim=1) == [2]
    assert features(tiny_tokenizer, pooling="mean", truncate_dim=1, normalize=True) == [1]
    assert features(tiny_tokenizer, pooling="mean", truncate_dim=7) == pytest.approx([2, 3])


def test_the_folders_size_is_kept_unless_another_is_asked_for(tiny_tokenizer, tmp_path):
    said = {"truncate_dim": 1, "similarity_fn_name": "dot"}
    folder = side_files(tmp_path / "t", TRANSFORMER, POOLING, pooling={"pooling_mode": "mean"}, config_sentence_transformers=said)
    assert features(tiny_tokenizer, "sentence-embeddings", folder=folder) == [2]
    assert features(tiny_tokenizer, "sentence-embeddings", folder=folder, truncate_dim=2) == pytest.approx([2, 3])
    assert read_side_files(folder).similarity == "dot"


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({"sentence_bert_config": {"max_seq_length": "long"}}, {}, "max_length is 'long', but a text needs room"),
        ({"sentence_bert_config": {"max_seq_length": 9}}, {"max_length": "long"}, "max_length is 'long', but a text needs room"),
        ({"config_sentence_transformers": {"truncate_dim": "7"}}, {}, "truncate_dim is '7', but it counts the values to keep"),
    ],
)
def test_sizes_that_are_no_numbers_are_refused_wherever_they_stand(tiny_tokenizer, tmp_path, files, options, message):
    folder = side_files(tmp_path / "s", TRANSFORMER, POOLING, pooling={"pooling_mode": "mean"}, **files)
    with pytest.raises(HeadwayError, match=message):
        prepared(tiny_tokenizer, "sentence-embeddings", folder=folder, **options)


def test_small_numbers_stand_in_the_table_as_whole_numbers(tiny_tokenizer):
    ready = prepared(tiny_tokenizer, pooling="mean", precision="binary")
    (column,) = ready.columns
    assert (column.name, column.kind, column.depth) == ("embedding", "integer", 1)
    found = features(tiny_tokenizer, pooling="mean", precision="binary")
    assert found == [0b11000000 - 128]
    assert ready.row(found) == {"embedding": found}


@pytest.mark.train
def test_torchs_tensors_are_given_where_they_are_asked_for(tiny_tokenizer):
    import torch

    found = features(tiny_tokenizer, return_tensors=True)
    assert isinstance(found, torch.Tensor)
    assert found.tolist() == [STATES.tolist()]
