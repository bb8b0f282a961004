#!/usr/bin/env bash
# Makes the shipped sentiment model again, from raw text: reproduce.sh DATA WORK.
#
# DATA holds corpus/*.txt.xz and glue/sst2/*.jsonl (README.md beside this says what they are); WORK is a folder for everything made.
# Killed and called again, each command goes on where it was.
set -euo pipefail
data=$1 work=$2

headway tokenizer "$data"/corpus/books-0.txt.xz "$data"/corpus/simplewiki-1.txt.xz "$data"/corpus/wikipedia-4.txt.xz \
    --vocab-size 16384 --output "$work/tokenizer"

headway pretrain "$data"/corpus/books-0.txt.xz "$data"/corpus/simplewiki-0.txt.xz "$data"/corpus/wikipedia2021-0.txt.xz \
    --family modernbert --tokenizer "$work/tokenizer" --output-dir "$work/encoder" \
    --hidden-size 256 --intermediate-size 672 --num-hidden-layers 4 --num-attention-heads 4 --max-length 128 \
    --tokens-per-batch 4096 --mlm-probability 0.2 --max-steps 5000 --learning-rate 2e-3 --warmup-steps 100 \
    --eval-strategy steps --eval-steps 500 --save-steps 250 --save-total-limit 4 --logging-steps 50

headway train --model "$work/encoder" --train "$data/glue/sst2/train.jsonl" --valid "$data/glue/sst2/validation.jsonl" \
    --output-dir "$work/sentiment" --num-train-epochs 2 --learning-rate 4e-4 --per-device-train-batch-size 64 \
    --dropout 0.1 --model-settings classifier_pooling=mean --label-names NEGATIVE POSITIVE

headway export "$work/sentiment" --output "$work/sentiment-int8" --precision int8
