"""A model that Headway trained knows its tokenizer, from training to the last answer."""

import json

import pytest
import torch

from headway import pipeline
from headway.cli.main import main
from headway.errors import TokenizerError
from headway.graph import export_model
from headway.neural import AutoModelForSequenceClassification
from headway.settings.pretraining import PretrainSettings
from headway.settings.training import TrainingArguments
from headway.text import AutoTokenizer, check_tokenizer, train_wordpiece
from headway.training import Trainer
from headway.training.pretraining import new_model

WRONG = r"was trained with another tokenizer than .* differ in the vocabulary \(89 pieces, the model has 97\)"
ROWS = [{"text": "the film was good", "label": 1}, {"text": "the meal was awful and cold", "label": 0}] * 3


def train(model, tokenizer, folder):
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=2, per_device_train_batch_size=3, save_strategy="no", bf16=False
    )
    trainer = Trainer(model, arguments, train_dataset=ROWS, processing_class=tokenizer, progress=False)
    trainer.train()
    trainer.save_model()
    return folder


@pytest.fixture
def tokenizer(tokenizer_folder):
    return AutoTokenizer.from_pretrained(tokenizer_folder)


@pytest.fixture(scope="session")
def another(tmp_path_factory, text_file):
    folder = tmp_path_factory.mktemp("another")
    train_wordpiece([text_file], vocab_size=89, min_frequency=1, progress=False).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    return AutoModelForSequenceClassification.from_config(tiny_config.replace(num_labels=2))


@pytest.fixture
def trained(model, tokenizer, tmp_path):
    return train(model, tokenizer, tmp_path / "trained")


def test_every_way_to_use_a_model_with_another_tokenizer_is_an_error(trained, tokenizer, another, tmp_path, capsys):
    assert pipeline("text-classification", trained, tokenizer=tokenizer)("the film was good")[0]["score"] > 0
    with pytest.raises(TokenizerError, match=rf"The model in {trained} {WRONG}"):
        pipeline("text-classification", trained, tokenizer=another)
    loaded = AutoModelForSequenceClassification.from_pretrained(trained)
    with pytest.raises(TokenizerError, match=rf"^This model {WRONG}"):
        Trainer(loaded, processing_class=another)
    with pytest.raises(TokenizerError, match=rf"^This model {WRONG}"):
        pipeline(model=loaded, tokenizer=another)
    another.save_pretrained(trained)  # as when files are copied together
    with pytest.raises(TokenizerError, match=WRONG):
        export_model(trained, tmp_path / "out", precision="fp32")
    assert not (tmp_path / "out").exists()
    assert main(["predict", "the film was good", "--model", str(trained)]) == 1
    assert "the vocabulary (89 pieces, the model has 97)" in capsys.readouterr().err


def test_an_exported_model_knows_its_tokenizer(trained, tokenizer, another, tmp_path):
    (trained / "config.json").write_text(
        json.dumps(json.loads((trained / "config.json").read_text()) | {"headway_tokenizer": None})  # as from elsewhere
    )
    export_model(trained, tmp_path / "out", precision="fp32")
    assert pipeline("text-classification", tmp_path / "out")("the film was good")[0]["score"] > 0
    with pytest.raises(TokenizerError, match=WRONG):
        pipeline("text-classification", tmp_path / "out", tokenizer=another)
    another.save_pretrained(tmp_path / "out")
    with pytest.raises(TokenizerError, match=WRONG):
        pipeline("text-classification", tmp_path / "out")


def test_a_model_that_is_pretrained_knows_its_tokenizer(tokenizer, another):
    settings = PretrainSettings(
        files=("text.txt",), tokenizer="t", output_dir="o", family="bert", hidden_size=24, num_attention_heads=2
    )
    config = new_model(settings, tokenizer).config
    check_tokenizer(tokenizer, config)
    with pytest.raises(TokenizerError, match=WRONG):
        check_tokenizer(another, config)


def test_tokens_may_be_added_before_training_goes_on(trained, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(trained)
    tokenizer.add_tokens(["dreadful"])
    with pytest.raises(TokenizerError, match=r"added tokens: 'dreadful' is new"):
        pipeline("text-classification", trained, tokenizer=tokenizer)
    again = train(AutoModelForSequenceClassification.from_pretrained(trained), tokenizer, tmp_path / "again")
    assert pipeline("text-classification", again)("a dreadful film")[0]["score"] > 0


def test_a_model_that_was_resized_for_more_tokens_takes_them(trained, tmp_path):
    tokenizer, model = AutoTokenizer.from_pretrained(trained), AutoModelForSequenceClassification.from_pretrained(trained)
    tokenizer.add_tokens(["dreadful", "delightful"])
    model.resize_token_embeddings(len(tokenizer))
    for saved in (model, tokenizer):
        saved.save_pretrained(tmp_path / "larger")
    assert pipeline("text-classification", tmp_path / "larger")("a dreadful film")[0]["score"] > 0


def test_the_note_can_be_taken_away_to_train_anew_with_another_tokenizer(trained, another, tmp_path):
    model = AutoModelForSequenceClassification.from_pretrained(trained)
    model.config = model.config.replace(headway_tokenizer=None)
    again = train(model, another, tmp_path / "again")
    assert json.loads((again / "config.json").read_text())["headway_tokenizer"]["fingerprint"] == another.fingerprint
