import copy
import json
import pickle

import pytest

from headway.architecture import ModelConfig
from headway.errors import ConfigError

BERT = {"model_type": "bert", "hidden_size": 28, "made_by_somebody": {"else": [1, 2]}}


def test_settings_are_had_by_name_by_key_and_with_a_default():
    config = ModelConfig(BERT)
    assert config.hidden_size == config["hidden_size"] == config.get("hidden_size") == 28
    assert config.get("absent", 7) == 7
    assert "hidden_size" in config
    assert "absent" not in config


def test_what_headway_does_not_read_is_kept_whole():
    assert ModelConfig(BERT).to_dict() == BERT
    assert ModelConfig(BERT).replace(hidden_size=30).to_dict() == BERT | {"hidden_size": 30}


def test_a_configuration_does_not_change():
    given = copy.deepcopy(BERT)
    config = ModelConfig(given)
    with pytest.raises(AttributeError, match=r"Use config\.replace\(hidden_size=…\)"):
        config.hidden_size = 30
    given["made_by_somebody"]["else"].append(3)
    config.to_dict()["made_by_somebody"]["else"].append(4)
    assert config.to_dict() == BERT


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (lambda config: setattr(config, "num_labels", 3), r"config\.replace\(num_labels=…\), which makes another"),
        (lambda config: setattr(config, "id2label", {}), r"model\.config = model\.config\.replace\(id2label=…\)"),
        (lambda config: config.__setitem__("pad_token_id", 1), r"config\.replace\(pad_token_id=…\)"),
        (lambda config: config.update({"a": 1, "b": 2}), r"config\.replace\(a=…, b=…\)"),
    ],
)
def test_what_changes_a_configuration_elsewhere_says_what_to_write_here(change, remedy):
    with pytest.raises(AttributeError, match=f"A configuration does not change. Use .*{remedy}"):
        change(ModelConfig(BERT))


def test_an_unknown_setting_is_an_error_that_names_it():
    with pytest.raises(
        AttributeError, match=r"This bert configuration has no setting 'hiden_size'\. Did you mean 'hidden_size'\?"
    ):
        ModelConfig(BERT).hiden_size  # noqa: B018
    assert not hasattr(ModelConfig(BERT), "hiden_size")


def test_attributes_fall_back_on_the_familys_defaults_and_on_what_all_models_have():
    config = ModelConfig(BERT, defaults={"classifier_dropout": 0.3, "hidden_size": 99})
    assert (config.classifier_dropout, config.hidden_size, config.output_attentions) == (0.3, 28, False)
    assert "classifier_dropout" not in config
    assert config.get("classifier_dropout") is None
    assert config.to_dict() == BERT
    assert config.replace(hidden_size=30).classifier_dropout == 0.3


def test_another_spelling_reads_and_replaces_the_setting_itself():
    config = ModelConfig(
        {"model_type": "thin", "dim": 36}, defaults={"n_layers": 3}, aliases={"width": "dim", "depth": "n_layers"}
    )
    assert (config.width, config.depth) == (36, 3)
    changed = config.replace(width=48, depth=5)
    assert changed.to_dict() == {"model_type": "thin", "dim": 48, "n_layers": 5}
    assert (changed.width, changed.depth) == (48, 5)
    assert {"width", "dim", "depth", "n_layers", "return_dict"} <= {*dir(config)}


def test_a_copy_knows_what_the_original_knew():
    config = ModelConfig(BERT, defaults={"classifier_dropout": 0.3}, aliases={"width": "hidden_size"})
    again = pickle.loads(pickle.dumps(config))
    assert (again.classifier_dropout, again.width) == (0.3, 28)


def test_what_is_saved_is_read_again(tmp_path):
    config = ModelConfig(BERT | {"id2label": {"0": "no", "1": "yes"}})
    config.save_pretrained(tmp_path / "new" / "folder")
    assert ModelConfig.from_json_file(tmp_path / "new" / "folder" / "config.json") == config
    assert json.loads(config.to_json_string()) == config.to_dict()


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda config: pickle.loads(pickle.dumps(config))])
def test_copies_are_equal(again):
    config = ModelConfig(BERT)
    assert again(config) == config
    assert config != config.replace(hidden_size=30)
    assert config != BERT


def test_it_shows_itself_as_json():
    assert json.loads(repr(ModelConfig(BERT)).removeprefix("ModelConfig(").removesuffix(")")) == BERT


@pytest.mark.parametrize("values", [{}, {"model_type": ""}, {"model_type": None}, {"model_type": 5}])
def test_without_a_model_type_nothing_can_be_built(values):
    with pytest.raises(ConfigError, match=r'names no model_type.*for example "model_type": "bert"'):
        ModelConfig(values)


def test_a_file_is_read(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(BERT), encoding="utf-8")
    assert ModelConfig.from_json_file(tmp_path / "config.json") == ModelConfig(BERT)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b'{"model_type": "bert",', "not valid JSON"), (b"\xff\xfe", "not valid JSON"), (b'["bert"]', "holds a JSON list")],
)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, content, message):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        ModelConfig.from_json_file(path)
    assert str(path) in str(caught.value)


def test_labels_are_two_without_names_where_the_file_says_nothing():
    config = ModelConfig(BERT)
    assert config.num_labels == 2
    assert config.id2label == {0: "LABEL_0", 1: "LABEL_1"}
    assert config.label2id == {"LABEL_0": 0, "LABEL_1": 1}
    assert config.problem_type is None


def test_labels_are_read_from_the_file_by_class_index():
    config = ModelConfig(BERT | {"id2label": {"10": "k", "2": "c", **{str(n): f"n{n}" for n in (0, 1, 3, 4, 5, 6, 7, 8, 9)}}})
    assert list(config.id2label) == list(range(11))
    assert config.id2label[10] == "k"
    assert config.num_labels == 11


def test_names_decide_where_the_file_contradicts_itself():
    config = ModelConfig(BERT | {"num_labels": 7, "id2label": {"0": "no", "1": "yes", "2": "perhaps"}})
    assert config.num_labels == 3


def test_a_stale_number_of_labels_does_not_stay_beside_the_new_names():
    changed = ModelConfig(BERT | {"num_labels": 7}).replace(id2label={0: "no", 1: "yes", 2: "perhaps"})
    assert "num_labels" not in changed.to_dict()
    assert changed.num_labels == 3


@pytest.mark.parametrize("named", [["no", "yes"], {"first": "no"}])
def test_labels_that_are_no_table_are_an_error(named):
    with pytest.raises(ConfigError, match=r'id2label is .* gives a name to each class index, as in \{"0": "NEGATIVE"\}'):
        ModelConfig(BERT | {"id2label": named}).num_labels  # noqa: B018


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        pytest.param({"num_labels": 3}, ["LABEL_0", "LABEL_1", "LABEL_2"], id="another number gives new names"),
        pytest.param({"num_labels": 2}, ["NEGATIVE", "POSITIVE"], id="the same number keeps the names"),
        pytest.param({"id2label": {1: "b", 0: "a"}}, ["a", "b"], id="names by index"),
        pytest.param({"id2label": {"0": "a", "1": "b", "2": "c"}, "num_labels": 3}, ["a", "b", "c"], id="names and their number"),
        pytest.param({"label2id": {"c": 2, "a": 0, "b": 1}}, ["a", "b", "c"], id="indices by name"),
        pytest.param({"id2label": {0: "x", "1": "y"}, "label2id": {"y": 1, "x": 0}}, ["x", "y"], id="both, which agree"),
        pytest.param({"num_labels": 1}, ["LABEL_0"], id="one, for regression"),
    ],
)
def test_label_settings_stay_consistent(changes, labels):
    config = ModelConfig(BERT | {"id2label": {"0": "NEGATIVE", "1": "POSITIVE"}, "label2id": {"NEGATIVE": 0, "POSITIVE": 1}})
    changed = config.replace(**changes)
    assert list(changed.id2label.values()) == labels
    assert changed.label2id == {label: index for index, label in enumerate(labels)}
    assert changed.num_labels == len(labels)
    written = json.loads(json.dumps(changed.to_dict()))
    assert written["id2label"] == {str(index): label for index, label in enumerate(labels)}
    assert ModelConfig(written) == changed


@pytest.mark.parametrize(
    "changes", [{"id2label": {0: "a", 1: "b"}, "num_labels": 3}, {"id2label": {0: "a", 2: "c"}}, {"label2id": {"a": 1, "b": 2}}]
)
def test_labels_that_leave_a_class_without_a_name_are_refused(changes):
    with pytest.raises(ConfigError, match="Give each class one name"):
        ModelConfig(BERT).replace(**changes)


@pytest.mark.parametrize("label2id", [{"a": 1, "b": 0}, {"a": 0}, {"a": 0, "b": 1, "c": 2}], ids=str)
def test_labels_that_are_named_in_two_ways_are_refused(label2id):
    with pytest.raises(ConfigError, match=r"id2label says \{0: 'a', 1: 'b'\} and label2id .+ Leave label2id out"):
        ModelConfig(BERT).replace(id2label={0: "a", 1: "b"}, label2id=label2id)


def test_a_problem_that_nobody_knows_is_refused_wherever_it_is_said():
    said = (
        r"^problem_type is 'multilabel', which does not say .* Use single_label_classification, multi_label_classification, regr"
    )
    with pytest.raises(ConfigError, match=said):
        ModelConfig({"model_type": "bert", "problem_type": "multilabel"})
    with pytest.raises(ConfigError, match=said):
        ModelConfig({"model_type": "bert"}).replace(problem_type="multilabel")
