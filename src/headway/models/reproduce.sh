#!/usr/bin/env bash
# Makes the models that ship again, from raw text: reproduce.sh DATA WORK [PART …]
#
# DATA holds the sets that the cards name, laid out as prepare.py beside this reads them; WORK is a folder for everything made. A
# PART is encoder, sentiment, ner, questions or embeddings; without one all are made, in this order. Killed and called again, each
# command goes on where it was, and what is finished is not made again. At the end WORK/models is what src/headway/models is, but
# for the cards: scripts/cards --take WORK/models brings it there and writes them.
#
# TEACHER is all-MiniLM-L6-v2. No weight of it is copied: it answers, or is fine-tuned to answer, and the models learn its answers.
set -euo pipefail
data=$1 work=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
teacher=${TEACHER:-sentence-transformers/all-MiniLM-L6-v2}
[ $# -gt 0 ] || set -- encoder sentiment ner questions embeddings
mkdir -p "$work"

made() { # made FOLDER COMMAND …: the command, unless the model in the folder is finished
    local folder=$1
    shift
    [ -f "$folder/model.safetensors" ] || "$@"
}

prepared() { # prepared FILE NAME: a training file
    [ -f "$work/$1" ] || python "$here/prepare.py" "$data" "$work" "$2"
}

shipped() { # shipped NAME LOG…: the INT8 model without what all share, and the logs of how it was learnt
    local name=$1 number=0 log
    shift
    headway export "$work/$name" --output "$work/models/$name" --precision int8 --share "$work/models/english"
    for log; do
        number=$((number + 1))
        cp "$work/$log/log.jsonl" "$work/models/$name/training-$number.jsonl"
    done
}

encoder() {
    [ -f "$work/tokenizer/tokenizer.json" ] || headway tokenizer \
        "$data"/corpus/books-0.txt.xz "$data"/corpus/simplewiki-1.txt.xz \
        "$data"/corpus/wikipedia-4.txt.xz "$data"/corpus/wikipedia2021-0.txt.xz \
        --no-lowercase --vocab-size 16384 --output "$work/tokenizer"
    # it was given with 40,000 steps, of which the last were to learn slower and slower, and stopped in the even part
    made "$work/encoder1" headway pretrain "$data"/corpus/books-0.txt.xz "$data"/corpus/simplewiki-0.txt.xz \
        "$data"/corpus/simplewiki-1.txt.xz "$data"/corpus/wikipedia2021-0.txt.xz "$data"/corpus/wikipedia-0.txt.xz \
        --family modernbert --tokenizer "$work/tokenizer" --output-dir "$work/encoder1" \
        --hidden-size 256 --intermediate-size 672 --num-hidden-layers 4 --num-attention-heads 4 --max-length 128 \
        --tokens-per-batch 4096 --mlm-probability 0.25 --max-steps 3500 --learning-rate 2e-3 --warmup-steps 200 \
        --lr-scheduler-type constant_with_warmup \
        --eval-strategy steps --eval-steps 1000 --save-steps 500 --save-total-limit 30 --logging-steps 100
    made "$work/encoder" headway pretrain "$data"/corpus/wikipedia-4.txt.xz "$data"/corpus/wikipedia-0.txt.xz \
        --model "$work/encoder1" --output-dir "$work/encoder" --max-length 128 --tokens-per-batch 4096 --mlm-probability 0.25 \
        --max-steps 450 --learning-rate 1.9e-3 --warmup-steps 10 --lr-scheduler-type linear --seed 7 \
        --eval-strategy steps --eval-steps 225 --save-steps 150 --save-total-limit 2 --logging-steps 25
    # whoever classifies texts with it reads the mean of all tokens
    sed -i 's/"classifier_pooling": "cls"/"classifier_pooling": "mean"/' "$work/encoder/config.json"
    headway export "$work/encoder" --output "$work/models/english" --shared-part
    cp "$work/encoder1/log.jsonl" "$work/models/english/pretraining-1.jsonl"
    cp "$work/encoder/log.jsonl" "$work/models/english/pretraining-2.jsonl"
    ln -sfn encoder "$work/fill-mask"
    shipped fill-mask
}

sentiment() {
    made "$work/sentiment-teacher" headway train --model "$teacher" --train "$data/glue/sst2/train.jsonl" \
        --valid "$data/glue/sst2/validation.jsonl" --output-dir "$work/sentiment-teacher" --max-steps 1200 --learning-rate 1e-4 \
        --per-device-train-batch-size 32 --label-names NEGATIVE POSITIVE --eval-strategy steps --eval-steps 400 \
        --save-strategy steps --save-steps 200 --save-total-limit 1
    prepared phrases.jsonl phrases
    made "$work/sentiment" headway distill --recipe logits --teacher "$work/sentiment-teacher" --student "$work/encoder" \
        --train "$work/phrases.jsonl" --valid "$data/glue/sst2/validation.jsonl" --output-dir "$work/sentiment" \
        --teacher-cache "$work/answers" --freeze embeddings --num-train-epochs 2 --learning-rate 6e-4 --warmup-steps 0.05 \
        --per-device-train-batch-size 64 --dropout 0.1 --logging-steps 50 \
        --save-strategy steps --save-steps 500 --save-total-limit 1
    shipped sentiment sentiment
}

ner() {
    prepared entities.txt entities
    prepared words.jsonl words
    made "$work/entity-teacher" headway train --model "$teacher" --task token-classification --train "$work/entities.txt" \
        --valid "$data/conll2003/validation.txt" --output-dir "$work/entity-teacher" --num-train-epochs 1.5 --learning-rate 2e-4 \
        --warmup-steps 0.1 --per-device-train-batch-size 32 \
        --eval-strategy steps --eval-steps 2000 --save-strategy steps --save-steps 200 --save-total-limit 1
    [ -f "$work/entity-teacher-int8/model_int8.onnx" ] ||
        headway export "$work/entity-teacher" --output "$work/entity-teacher-int8" --precision int8
    prepared silver.txt silver
    made "$work/ner1" headway train --model "$work/encoder" --task token-classification --train "$work/silver.txt" \
        --valid "$data/conll2003/validation.txt" --output-dir "$work/ner1" --freeze embeddings --num-train-epochs 0.7 \
        --learning-rate 6e-4 --warmup-steps 0.1 --per-device-train-batch-size 64 \
        --eval-strategy steps --eval-steps 1000 --save-strategy steps --save-steps 500 --save-total-limit 1
    made "$work/ner" headway train --model "$work/ner1" --task token-classification --train "$work/entities.txt" \
        --valid "$data/conll2003/validation.txt" --output-dir "$work/ner" --freeze embeddings --num-train-epochs 4 \
        --learning-rate 4e-4 --warmup-steps 0.1 --per-device-train-batch-size 32 --dropout 0.1 \
        --eval-strategy epoch --save-strategy epoch --save-total-limit 1
    shipped ner ner1 ner
}

questions() {
    prepared cloze.json cloze
    prepared questions.json questions
    # it was given for one epoch and stopped at step 642 of 1,563
    made "$work/questions1" headway train --model "$work/encoder" --task question-answering --train "$work/cloze.json" \
        --output-dir "$work/questions1" --freeze embeddings --num-train-epochs 1 --learning-rate 6e-4 --warmup-steps 0.05 \
        --per-device-train-batch-size 32 --eval-strategy no --logging-steps 50 \
        --save-strategy steps --save-steps 300 --save-total-limit 1
    # from here on each token reads the whole text: an answer is often further from its question than the windows reach
    if [ ! -d "$work/questions1-whole" ]; then
        mkdir -p "$work/questions1-half"
        cp "$work/questions1"/{model.safetensors,tokenizer.json,tokenizer_config.json,config.json} "$work/questions1-half"
        sed -i 's/"local_attention": 128/"local_attention": 512/' "$work/questions1-half/config.json"
        mv "$work/questions1-half" "$work/questions1-whole"
    fi
    made "$work/questions2" headway train --model "$work/questions1-whole" --task question-answering --train "$work/cloze.json" \
        --output-dir "$work/questions2" --freeze embeddings --num-train-epochs 1 --learning-rate 8e-4 --warmup-steps 0.03 \
        --per-device-train-batch-size 32 --eval-strategy no --logging-steps 50 \
        --save-strategy steps --save-steps 200 --save-total-limit 2
    made "$work/questions3" headway train --model "$work/questions2" --task question-answering --train "$work/questions.json" \
        --output-dir "$work/questions3" --freeze embeddings --num-train-epochs 1.5 --learning-rate 5e-4 --warmup-steps 0.03 \
        --per-device-train-batch-size 32 --eval-strategy no --logging-steps 50 \
        --save-strategy steps --save-steps 200 --save-total-limit 2
    made "$work/questions" headway train --model "$work/questions3" --task question-answering --train "$work/questions.json" \
        --output-dir "$work/questions" --freeze embeddings --num-train-epochs 0.8 --learning-rate 4e-4 --warmup-steps 0.03 \
        --per-device-train-batch-size 32 --eval-strategy no --logging-steps 50 --seed 1 \
        --save-strategy steps --save-steps 500 --save-total-limit 2
    shipped questions questions1 questions2 questions3 questions
}

embeddings() {
    prepared sentences.txt sentences
    made "$work/embeddings1" headway distill --recipe embeddings --teacher "$teacher" --student "$work/encoder" \
        --files "$work/sentences.txt" --output-dir "$work/embeddings1" --teacher-cache "$work/answers" --freeze embeddings \
        --valid "$data/glue/stsb/validation.jsonl" --num-train-epochs 2 --learning-rate 6e-4 --warmup-steps 0.05 \
        --per-device-train-batch-size 64 --logging-steps 50 --save-strategy steps --save-steps 500 --save-total-limit 1
    made "$work/embeddings" headway train --task sentence-embeddings --model "$work/embeddings1" \
        --train "$data/glue/stsb/train.jsonl" --valid "$data/glue/stsb/validation.jsonl" --output-dir "$work/embeddings" \
        --freeze embeddings --num-train-epochs 4 --learning-rate 3e-4 --warmup-steps 0.1 --per-device-train-batch-size 32 \
        --dropout 0.1 --eval-strategy epoch --save-strategy epoch --save-total-limit 1 --logging-steps 50
    shipped embeddings embeddings1 embeddings
}

for part; do
    "$part"
done
