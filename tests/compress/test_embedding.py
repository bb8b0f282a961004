"""Sentence vectors: a student drawn to its teacher's, in a folder that sentence-transformers loads."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from conftest import make_random_weights
from headway import pipeline
from headway.architecture import weight_shapes
from headway.checkpoints import save_checkpoint
from headway.compress import DistillSettings, distill, vectors
from headway.errors import TaskError
from headway.families import family
from headway.tasks.sentence_folder import write_side_files
from headway.tasks.sentence_transformer import SideFiles, read_side_files
from headway.text import train_tokenizer

USUAL = {"recipe": "embeddings", "measure_speed": False, "bf16": False, "logging_steps": 10, "per_device_train_batch_size": 7}
SENTENCES = [f"{who} {what} {how} ." for who in ("the dog", "a cat", "he", "she") for what in ("is", "was", "saw") for how in
             ("good", "awful", "fun", "boring", "great")]  # fmt: skip


@pytest.fixture
def sentences(tmp_path):
    path = tmp_path / "sentences.txt"
    path.write_text("\n".join(SENTENCES), encoding="utf-8")
    return str(path)


def test_the_best_student_has_the_map_of_the_best_evaluation(teacher, sentences, narrow, tmp_path):
    made = DistillSettings(teacher=teacher("base"), files=(sentences,), student=narrow, output_dir=str(tmp_path / "out"),
                           max_steps=6, learning_rate=3e-3, eval_strategy="steps", eval_steps=2, save_steps=2,
                           load_best_model_at_end=True, greater_is_better=True, **USUAL)  # fmt: skip
    found = distill(made, progress=False)
    log = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    best = max((line for line in log if "eval_loss" in line), key=lambda line: line["eval_loss"])  # as if more were better
    assert best["step"] < 6
    assert found.comparison.student.score == pytest.approx(best["eval_cosine"], abs=1e-6)


@pytest.mark.parametrize("loss", ["mse", "cosine"])
def test_a_narrower_student_comes_near_its_teacher_in_the_teacher_s_own_space(loss, teacher, sentences, narrow, tmp_path):
    made = DistillSettings(teacher=teacher("base"), files=(sentences,), student=narrow, output_dir=str(tmp_path / "out"),
                           max_steps=120, learning_rate=3e-3, vector_loss=loss, **USUAL)  # fmt: skip
    found = distill(made, progress=False)
    assert found.comparison.measure == "cosine with the teacher"
    assert found.comparison.student.score > 0.9
    ours, theirs = (np.array(pipeline("sentence-embeddings", name)(SENTENCES[:5])) for name in (made.output_dir, made.teacher))
    assert ours.shape == theirs.shape == (5, 28)


def test_sentence_transformers_loads_the_student_and_gives_the_same_vectors(minilm_folder, sentences, tmp_path):
    from sentence_transformers import SentenceTransformer

    made = DistillSettings(teacher=str(minilm_folder), files=(sentences,), output_dir=str(tmp_path / "out"), num_layers=2,
                           max_steps=6, learning_rate=3e-4, **USUAL)  # fmt: skip
    found = distill(made, progress=False)
    assert found.comparison.student.score > 0.5
    theirs = SentenceTransformer(made.output_dir, device="cpu").encode(SENTENCES[:7])
    ours = np.array(pipeline("sentence-embeddings", made.output_dir, precision="fp32")(SENTENCES[:7]))
    np.testing.assert_allclose(ours, theirs, atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)


def test_a_student_with_another_tokenizer_learns_from_whole_texts(minilm_folder, teacher, sentences, tmp_path):
    from sentence_transformers import SentenceTransformer

    pairs = tmp_path / "pairs.jsonl"
    rows = [
        {"sentence1": a, "sentence2": b, "label": float(n % 5)}
        for n, (a, b) in enumerate(zip(SENTENCES, SENTENCES[3:], strict=False))
    ]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = DistillSettings(teacher=str(minilm_folder), train=str(pairs), valid=str(pairs), student=teacher("base"),
                           output_dir=str(tmp_path / "out"), max_steps=6, **USUAL)  # fmt: skip
    found = distill(made, progress=False)
    assert found.comparison.measure == "spearman"
    assert (Path(made.output_dir) / "2_Dense" / "model.safetensors").is_file()
    theirs = SentenceTransformer(made.output_dir, device="cpu").encode(SENTENCES[:3])
    ours = np.array(pipeline("sentence-embeddings", made.output_dir, precision="fp32")(SENTENCES[:3]))
    assert ours.shape == (3, 384)
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_a_student_that_is_no_folder_here_keeps_its_own_pooling(teacher, sentences, tmp_path, monkeypatch):
    """As from the Hub: its files are elsewhere than its name says."""
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(teacher("base"), tmp_path / "student")
    write_side_files(tmp_path / "student", SideFiles(pooling=("cls",)), width=28)
    made = DistillSettings(teacher=teacher("base"), files=(sentences,), student="~/student", output_dir=str(tmp_path / "out"),
                           max_steps=1, **USUAL)  # fmt: skip
    distill(made, progress=False)
    assert read_side_files(tmp_path / "out").pooling == ("cls",)


def modernbert(folder, text):
    """A masked LM of another family, with a byte-level vocabulary of its own and no word of how vectors are made."""
    tokenizer = train_tokenizer([text], algorithm="byte-level-bpe", family="modernbert", vocab_size=301, min_frequency=1,
                                progress=False)  # fmt: skip
    form = family("modernbert")
    config = form.config(vocab_size=len(tokenizer), hidden_size=28, num_hidden_layers=2, num_attention_heads=2,
                         intermediate_size=37, max_position_embeddings=53, local_attention=16,
                         pad_token_id=tokenizer.pad_token_id)  # fmt: skip
    shapes = weight_shapes(form.architecture(config, "masked-lm"))
    save_checkpoint(folder, config=config, head="masked-lm", weights=make_random_weights(shapes))
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_a_masked_lm_of_another_family_learns_with_its_tokens_frozen(teacher, sentences, tmp_path):
    made = DistillSettings(teacher=teacher("base"), files=(sentences,), student=modernbert(tmp_path / "mlm", sentences),
                           output_dir=str(tmp_path / "out"), max_steps=120, learning_rate=3e-3, freeze="embeddings.token",
                           **USUAL)  # fmt: skip
    assert distill(made, progress=False).comparison.student.score > 0.9
    before, after = (load_file(Path(folder) / "model.safetensors") for folder in (made.student, made.output_dir))
    table = "embeddings.tok_embeddings.weight"
    np.testing.assert_array_equal(after[table], before[f"model.{table}"])
    assert not np.array_equal(after["embeddings.norm.weight"], before["model.embeddings.norm.weight"])
    assert json.loads((Path(made.output_dir) / "sentence_bert_config.json").read_text())["max_seq_length"] == 53


def test_vectors_are_the_same_bit_for_bit_where_a_killed_teacher_goes_on(teacher, monkeypatch):
    monkeypatch.setattr(vectors, "TEXTS_AT_ONCE", 7)
    whole, rest = (
        [row for rows in vectors.vectors_from(first, Path(teacher("base")), SENTENCES, max_length=None) for row in rows]
        for first in (0, 21)
    )
    np.testing.assert_array_equal(np.concatenate(whole[21:]), np.concatenate(rest))


def test_a_pooling_that_cannot_be_learnt_with_is_refused(model_folder, sentences, tmp_path):
    folder = model_folder("base", seed=9)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode": "max", "word_embedding_dimension": 28}')
    modules = [{"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{name}"}
               for n, (name, path) in enumerate((("Transformer", ""), ("Pooling", "1_Pooling")))]  # fmt: skip
    (folder / "modules.json").write_text(json.dumps(modules))
    made = DistillSettings(teacher=str(folder), files=(sentences,), output_dir=str(tmp_path / "out"), **USUAL)
    with pytest.raises(TaskError, match="pools by max, but a student learns sentence vectors with mean or cls"):
        distill(made, progress=False)
