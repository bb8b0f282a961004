import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.architecture import Fuse, Interleave, Rename, WeightNames

NAMES = WeightNames(
    base=(
        Rename("emb.word", "embeddings.token"),
        Rename("emb.LayerNorm", "embeddings.norm"),
        Fuse(("block.{i}.q", "block.{i}.k", "block.{i}.v"), "layers.{i}.qkv"),
        Rename("block.{i}.out", "layers.{i}.out"),
    ),
    heads=(Rename("classifier", "head.classifier"), Rename("lm.bias", "head.bias"), Rename("lm.LayerNorm", "head.norm")),
    prefix="model.",
    ignored=(r"position_ids$",),
)


def readers(arrays):
    return {name: (lambda array=array: array) for name, array in arrays.items()}


def read(found):
    return {name: function() for name, function in found.items()}


def arrays_of(layers: int, seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    shapes = {
        "embeddings.token.weight": (11, 5),
        "embeddings.norm.weight": (5,),
        "embeddings.norm.bias": (5,),
        "head.bias": (11,),
    }
    for index in range(layers):
        shapes |= {f"layers.{index}.qkv.weight": (21, 5), f"layers.{index}.qkv.bias": (21,), f"layers.{index}.out.weight": (5, 7)}
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def test_a_fusion_stacks_query_key_and_value_in_that_order():
    pieces = {f"block.4.{letter}.weight": np.full((2, 3), value, np.float32) for value, letter in enumerate("qkv")}
    found, unknown = NAMES.to_ours(readers(dict(reversed(pieces.items()))))
    assert unknown == []
    np.testing.assert_array_equal(
        found["layers.4.qkv.weight"](), np.repeat(np.arange(3, dtype=np.float32), 2)[:, None].repeat(3, 1)
    )


@given(layers=st.integers(0, 13), seed=st.integers(0, 9), has_head=st.booleans())
def test_what_was_written_is_read_back_bit_for_bit(layers, seed, has_head):
    ours = arrays_of(layers, seed)
    theirs = NAMES.to_theirs(ours, has_head=has_head)
    found, unknown = NAMES.to_ours(readers(theirs))
    assert unknown == []
    assert found.keys() == ours.keys()
    for name, array in read(found).items():
        assert array.tobytes() == ours[name].tobytes()


@given(layers=st.integers(0, 13), seed=st.integers(0, 9))
def test_what_was_read_is_written_back_under_the_same_names(layers, seed):
    theirs = NAMES.to_theirs(arrays_of(layers, seed), has_head=True)
    again = NAMES.to_theirs(read(NAMES.to_ours(readers(theirs))[0]), has_head=True)
    assert again.keys() == theirs.keys()
    assert all(again[name].tobytes() == theirs[name].tobytes() for name in theirs)


def test_the_prefix_stands_before_base_weights_where_there_is_a_head_and_nowhere_else():
    assert NAMES.names_of("layers.12.qkv.bias", has_head=True) == [
        "model.block.12.q.bias",
        "model.block.12.k.bias",
        "model.block.12.v.bias",
    ]
    assert NAMES.names_of("layers.12.qkv.bias", has_head=False) == ["block.12.q.bias", "block.12.k.bias", "block.12.v.bias"]
    assert NAMES.names_of("head.classifier.weight", has_head=True) == ["classifier.weight"]
    assert NAMES.names_of("head.bias", has_head=True) == ["lm.bias"]


@pytest.mark.parametrize(
    "spelling", ["emb.LayerNorm.beta", "model.emb.LayerNorm.beta", "emb.LayerNorm.bias", "model.emb.LayerNorm.bias"]
)
def test_old_spellings_and_a_missing_prefix_mean_the_same_weight(spelling):
    found, unknown = NAMES.to_ours(readers({spelling: np.ones(5)}))
    assert list(found) == ["embeddings.norm.bias"]
    assert unknown == []
    assert NAMES.canonical(spelling) == "emb.LayerNorm.bias"


def test_old_spellings_are_understood_in_heads_too():
    assert list(NAMES.to_ours(readers({"lm.LayerNorm.gamma": np.ones(5)}))[0]) == ["head.norm.weight"]


def test_unknown_names_are_told_sorted_and_stray_ones_are_not():
    found, unknown = NAMES.to_ours(
        readers({"zebra": np.ones(1), "block.x.out.weight": np.ones(1), "emb.position_ids": np.ones(1)})
    )
    assert found == {}
    assert unknown == ["block.x.out.weight", "zebra"]


def test_a_fusion_that_lacks_a_piece_is_not_there():
    found, unknown = NAMES.to_ours(readers({"block.0.q.weight": np.ones((2, 2)), "block.0.v.weight": np.ones((2, 2))}))
    assert found == {}
    assert unknown == []


def test_nothing_is_read_until_somebody_asks():
    def forbidden():
        raise AssertionError("read too early")

    found, _ = NAMES.to_ours(dict.fromkeys(["block.0.q.bias", "block.0.k.bias", "block.0.v.bias", "classifier.bias"], forbidden))
    assert sorted(found) == ["head.classifier.bias", "layers.0.qkv.bias"]


def test_a_name_that_no_rule_knows_cannot_be_written():
    with pytest.raises(KeyError, match=r"layers\.0\.mystery"):
        NAMES.to_theirs({"layers.0.mystery": np.ones(1)}, has_head=False)


def test_interleaved_rows_are_regrouped_and_come_back_bit_for_bit():
    names = WeightNames(base=(Interleave("att.{i}.in_proj", "layers.{i}.qkv", heads=3),), heads=(), prefix="")
    theirs = np.arange(3 * 3 * 2 * 5, dtype=np.float32).reshape(18, 5)
    ours, _ = names.to_ours({"att.4.in_proj.weight": lambda: theirs})
    array = ours["layers.4.qkv.weight"]()
    assert np.array_equal(array[:2], theirs[:2])  # the first head's queries
    assert np.array_equal(array[2:4], theirs[6:8])  # the second head's queries
    assert np.array_equal(array[6:8], theirs[2:4])  # the first head's keys
    back = names.to_theirs({"layers.4.qkv.weight": array}, has_head=False)
    assert np.array_equal(back["att.4.in_proj.weight"], theirs)


class TestTied:
    NAMES = WeightNames(
        base=(Rename("words", "token"),),
        heads=(Rename("cls.bias", "bias"),),
        prefix="model.",
        tied=(("decoder.weight", "words.weight"), ("decoder.bias", "cls.bias")),
        foreign=(r"^other\.",),
    )

    @pytest.mark.parametrize("table", ["words.weight", "model.words.weight"])
    def test_a_repetition_is_dropped_where_the_original_is_there(self, table):
        assert self.NAMES.untied({table: 1, "decoder.weight": 2, "cls.bias": 3, "decoder.bias": 4}) == {table: 1, "cls.bias": 3}

    def test_a_repetition_stands_in_where_it_is_alone(self):
        assert self.NAMES.untied({"decoder.weight": 2, "decoder.bias": 4}) == {"words.weight": 2, "cls.bias": 4}

    def test_names_of_another_head_contradict(self):
        assert self.NAMES.contradicts("other.weight")
        assert not self.NAMES.contradicts("an_other.weight")
