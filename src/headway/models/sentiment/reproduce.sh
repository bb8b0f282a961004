#!/usr/bin/env bash
# Makes the shipped sentiment model again, from raw text: reproduce.sh DATA WORK TEACHER.
#
# DATA holds corpus/*.txt.xz, glue/sst2/*.jsonl and imdb/train.jsonl.xz (README.md beside this says what they are); WORK is a folder for
# everything made; TEACHER is a folder with all-MiniLM-L6-v2. Killed and called again, each command goes on where it was.
set -euo pipefail
data=$1 work=$2 teacher=$3

headway tokenizer "$data"/corpus/books-0.txt.xz "$data"/corpus/simplewiki-1.txt.xz "$data"/corpus/wikipedia-4.txt.xz \
    --vocab-size 16384 --output "$work/tokenizer"

# Checkpoint 3000 of 5000 is what was fine-tuned.
headway pretrain "$data"/corpus/books-0.txt.xz "$data"/corpus/simplewiki-0.txt.xz "$data"/corpus/wikipedia2021-0.txt.xz \
    --tokenizer "$work/tokenizer" --output-dir "$work/encoder" \
    --hidden-size 256 --num-hidden-layers 4 --num-attention-heads 4 --max-length 128 \
    --tokens-per-batch 4096 --mlm-probability 0.2 --max-steps 5000 --learning-rate 1e-3 \
    --eval-strategy steps --eval-steps 500 --save-steps 250 --logging-steps 50 --save-total-limit 20
cp "$work"/tokenizer/tokenizer*.json "$work/encoder/checkpoint-3000/"

# A teacher, fine-tuned on SST-2, labels sentences of film reviews.
headway train --model "$teacher" --train "$data/glue/sst2/train.jsonl" --valid "$data/glue/sst2/validation.jsonl" \
    --output-dir "$work/teacher" --max-steps 1200 --learning-rate 1e-4 --label-names NEGATIVE POSITIVE
headway export "$work/teacher" --output "$work/teacher-int8" --precision int8
python3 - "$data/imdb/train.jsonl.xz" "$work/sentences.jsonl" <<'PYTHON'
import json, lzma, random, re, sys
random.seed(0)
reviews = (re.sub(r"<br\s*/?>", " ", json.loads(line)["text"]) for line in lzma.open(sys.argv[1], "rt"))
sentences = [sentence.strip() for review in reviews for sentence in re.split(r"(?<=[.!?])\s+", review)]
sentences = [sentence for sentence in sentences if 4 <= len(sentence.split()) <= 32]
random.shuffle(sentences)
with open(sys.argv[2], "w") as file:
    file.writelines(json.dumps({"sentence": sentence.lower()}) + "\n" for sentence in sentences[:90000])
PYTHON
headway predict --file "$work/sentences.jsonl" --model "$work/teacher-int8" --output "$work/labelled.jsonl"

# The student learns from those labels first, then from SST-2's own.
headway train --model "$work/encoder/checkpoint-3000" --train "$work/labelled.jsonl" --valid "$data/glue/sst2/validation.jsonl" \
    --output-dir "$work/student" --num-train-epochs 1 --learning-rate 5e-4 \
    --per-device-train-batch-size 64 --dropout 0.1 --label-names NEGATIVE POSITIVE
headway train --model "$work/student" --train "$data/glue/sst2/train.jsonl" --valid "$data/glue/sst2/validation.jsonl" \
    --output-dir "$work/sentiment" --num-train-epochs 1 --learning-rate 2e-4 \
    --per-device-train-batch-size 64 --dropout 0.2 --label-names NEGATIVE POSITIVE

headway export "$work/sentiment" --output "$work/sentiment-int8" --precision int8
