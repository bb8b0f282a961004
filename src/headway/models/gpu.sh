#!/usr/bin/env bash
# Makes the models that ship on a machine with a GPU and no network, in pieces of a few minutes: gpu.sh COMMAND …
#
#   gpu.sh prepare DATA WORK    anywhere: the corpus as tokens and all other training data, as parts of 15 MiB in WORK/parts
#   gpu.sh check                on the machine: whether it has what it takes; an error says what is missing
#   gpu.sh receive PARTS WORK   there: keeps the parts that came and unpacks what is whole; status 75 while some are missing
#   gpu.sh learn WORK [PART …]  there: pre-trains, fine-tunes and distils, for MINUTES; status 75: the same command goes on
#   gpu.sh send WORK OUT        there: the next SEND MiB of what came of it; status 75 while more is left. What is lost on the way
#                               is given again once the .taken beside it in WORK/out is removed
#
# DATA is what reproduce.sh beside this takes. A PART is encoder, small, sentiment, ner, questions, embeddings or report; without one
# all are made, in this order. What comes back is unpacked by "receive" as well, also into an empty WORK on another machine: what it
# holds is not made again.
#
# The encoder has 6 layers of width 384. Its fine-tuned models are the teachers of the small ones that ship, which are of 4 layers of
# width 256, so that all of them share a table of tokens and fit into 24 MiB; WORK/scores.txt has the scores and sizes of both.
# Pre-training ends when its minutes are spent, so nothing need be known of the GPU's speed; WORK/*/speed.json says what it was.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
: "${MINUTES:=8}"          # of one call of "learn", from its beginning; what is not learning (loading, exporting) comes on top
: "${ENCODER_MINUTES:=6}"  # of pre-training at an even rate, over all calls; the last steps, at a falling one, are an eighth more
: "${SMALL_MINUTES:=2}"
: "${LAYERS:=6}"           # of the encoder; 12 where time is left
: "${SEND:=60}"            # MiB that one call of "send" gives
: "${TEACHER:=sentence-transformers/all-MiniLM-L6-v2}"
: "${TINY:=}"              # 1 tries all of it out on any machine, in small
wide=(--hidden-size 384 --intermediate-size 1024 --num-hidden-layers "$LAYERS" --num-attention-heads 6)
small=(--hidden-size 256 --intermediate-size 672 --num-hidden-layers 4 --num-attention-heads 4)
batch=(--tokens-per-batch 65536 --max-steps 1000000 --warmup-steps 500 --save-steps 1000 --logging-steps 200)
epochs=() decay_at_least=200 compile=()
if [ -n "$TINY" ]; then
    wide=(--hidden-size 24 --intermediate-size 32 --num-hidden-layers 2 --num-attention-heads 2)
    small=(--hidden-size 16 --intermediate-size 24 --num-hidden-layers 2 --num-attention-heads 2)
    batch=(--tokens-per-batch 512 --max-steps 40 --warmup-steps 5 --save-steps 10 --logging-steps 10)
    epochs=(--max-steps 6) decay_at_least=5
fi

say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"; }

check() {
    TINY=$TINY python - <<'PYTHON'
import importlib.util, os, shutil, sys
needed = ("torch", "headway", "numpy", "tokenizers", "safetensors", "onnx", "onnxruntime", "huggingface_hub", "tqdm", "pyarrow")
missing = [name for name in needed if importlib.util.find_spec(name) is None]
if missing:
    sys.exit(f"Missing in {sys.executable}: {', '.join(missing)}. Install them; headway itself may be named by PYTHONPATH=src.")
import torch
if not torch.cuda.is_available() and not os.environ["TINY"]:
    sys.exit(f"torch {torch.__version__} sees no GPU, without which these minutes come to nothing. TINY=1 tries all of it in small.")
device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
print(f"torch {torch.__version__}, {device}, {shutil.disk_usage('.').free / 2**30:.0f} GiB of disk are free")
PYTHON
}

prepare() { # prepare DATA WORK
    local data=$1 work=$2 bundle=$2/bundle name file corpus=()
    mkdir -p "$bundle/data/conll2003" "$bundle/data/squad"
    for name in sst2 stsb; do
        mkdir -p "$bundle/data/glue/$name"
        cp "$data/glue/$name/train.jsonl" "$data/glue/$name/validation.jsonl" "$bundle/data/glue/$name"
    done
    cp "$data/conll2003/validation.txt" "$bundle/data/conll2003"
    cp "$data/squad/dev-v1.1.json" "$bundle/data/squad"
    [ -d "$bundle/tokenizer" ] || cp -r "$here/english" "$bundle/tokenizer"
    rm -f "$bundle/tokenizer"/*.safetensors "$bundle/tokenizer"/*.onnx "$bundle/tokenizer"/config.json
    for name in sentences.txt:sentences phrases.jsonl:phrases words.jsonl:words entities.txt:entities questions.json:questions \
        cloze.json:cloze; do
        [ -f "$bundle/${name%:*}" ] || python "$here/prepare.py" "$data" "$bundle" "${name#*:}"
    done
    [ -d "$bundle/teacher" ] || python "$here/parts.py" half "$TEACHER" "$bundle/teacher"
    for file in "$data"/corpus/*.txt.xz; do
        [ "${file##*/}" = wikipedia-1.txt.xz ] || corpus+=("$file") # which is what the models are measured on
    done
    headway pretrain "${corpus[@]}" --tokenizer "$bundle/tokenizer" --output-dir "$bundle" --tokenize-only
    (cd "$bundle" && python "$here/parts.py" pack tasks ../parts data tokenizer teacher sentences.txt phrases.jsonl words.jsonl \
        entities.txt questions.json cloze.json)
    (cd "$bundle" && python "$here/parts.py" pack corpus ../parts tokens)
}

left() { # the minutes that this call still has; ends it where they are too few to begin anything
    awk -v m="$MINUTES" -v s="$SECONDS" 'BEGIN { l = m - s / 60; if (l < 0.4) exit 1; printf "%.2f", l }' || {
        say "The time of this call is up. Give it again." >&2
        exit 75
    }
}

made() { # made FOLDER COMMAND …: the command for as long as this call may take, unless the model in the folder is finished
    local folder=$1 minutes
    shift
    if [ -f "$folder/model.safetensors" ]; then return; fi
    minutes=$(left) || exit 75
    say "${folder##*/}"
    "$@" --output-dir "$folder" --max-minutes "$minutes"
}

spend() { # spend FOLDER MINUTES COMMAND …: the same, but until so many minutes were spent on it in all
    local folder=$1 budget=$2 used minutes began=$SECONDS status=0
    shift 2
    used=$(cat "$folder.seconds" 2>/dev/null || echo 0)
    minutes=$(awk -v b="$budget" -v u="$used" 'BEGIN { printf "%.2f", b - u / 60 }')
    if [ -f "$folder/model.safetensors" ] || awk -v m="$minutes" 'BEGIN { exit !(m < 0.3) }'; then return; fi
    minutes=$(left | awk -v m="$minutes" '{ print ($1 < m) ? $1 : m }') || exit 75
    say "${folder##*/}, for $minutes minutes"
    "$@" --output-dir "$folder" --max-minutes "$minutes" || status=$?
    used=$((used + SECONDS - began))
    echo "$used" >"$folder.seconds"
    if [ "$status" = 75 ] && awk -v b="$budget" -v u="$used" 'BEGIN { exit !(b - u / 60 < 0.3) }'; then return; fi
    return "$status"
}

newest() { # the folder itself where it is finished, else its newest checkpoint
    if [ -f "$1/model.safetensors" ]; then echo "$1"; else printf '%s\n' "$1"/checkpoint-* | sort -V | tail -1; fi
}

pretrained() { # pretrained NAME MINUTES SIZE …: an encoder, ready to be fine-tuned
    local name=$1 minutes=$2
    shift 2
    [ -f "$work/$name/model.safetensors" ] || even_then_falling "$name" "$minutes" "$@"
    # whoever classifies texts with it reads the mean of all tokens
    sed -i 's/"classifier_pooling": "cls"/"classifier_pooling": "mean"/' "$work/$name/config.json"
    [ -f "$work/$name/speed.json" ] || python "$here/parts.py" speed "$work/$name"
}

even_then_falling() { # the same: at an even rate until its minutes are spent, then at a falling one
    local name=$1 minutes=$2 from steps
    shift 2
    spend "$work/$name-even" "$minutes" headway pretrain "$work/tokens" --tokenizer "$work/tokenizer" --family modernbert "$@" \
        "${batch[@]}" "${compile[@]}" --max-length 128 --mlm-probability 0.25 --learning-rate 2e-3 \
        --lr-scheduler-type constant_with_warmup --eval-strategy steps --eval-steps 2000 --save-total-limit 2
    from=$(newest "$work/$name-even")
    steps=$(python -c 'import json, sys; print(max(int(sys.argv[2]), json.loads([*open(sys.argv[1])][-1])["step"] // 8))' \
        "$work/$name-even/log.jsonl" "$decay_at_least")
    made "$work/$name" headway pretrain "$work/tokens" --model "$from" "${batch[@]}" --max-steps "$steps" --warmup-steps 0.02 \
        "${compile[@]}" --max-length 128 --mlm-probability 0.25 --learning-rate 2e-3 --lr-scheduler-type linear --seed 7 \
        --eval-strategy steps --eval-steps "$steps" --save-total-limit 2
}

exported() { # exported NAME: the INT8 model beside what all share
    local name=$1
    if [ ! -f "$work/models/$name/model_int8.onnx" ]; then
        headway export "$work/$name" --output "$work/models/$name" --precision int8 --share "$work/models/english"
    fi
}

encoder() { pretrained encoder "$ENCODER_MINUTES" "${wide[@]}"; }

small() {
    pretrained small "$SMALL_MINUTES" "${small[@]}"
    [ -f "$work/models/english/tokenizer.json" ] || headway export "$work/small" --output "$work/models/english" --shared-part
    ln -sfn small "$work/fill-mask"
    exported fill-mask
}

tune=(--num-train-epochs 3 --learning-rate 2e-4 --warmup-steps 0.1 --per-device-train-batch-size 64 --dropout 0.1
    --save-strategy epoch --save-total-limit 1 --logging-steps 100)
learn_from=(--freeze embeddings --learning-rate 8e-4 --warmup-steps 0.05 --per-device-train-batch-size 128
    --save-strategy epoch --save-total-limit 1 --logging-steps 100)

sentiment() {
    local sets=(--valid "$work/data/glue/sst2/validation.jsonl")
    made "$work/sentiment-wide" headway train --model "$work/encoder" --train "$work/data/glue/sst2/train.jsonl" "${sets[@]}" \
        "${tune[@]}" --label-names NEGATIVE POSITIVE "${epochs[@]}"
    made "$work/sentiment" headway distill --recipe logits --teacher "$work/sentiment-wide" --student "$work/small" \
        --train "$work/phrases.jsonl" "${sets[@]}" "${learn_from[@]}" --num-train-epochs 6 --dropout 0.1 "${epochs[@]}"
    exported sentiment
}

ner() {
    local sets=(--task token-classification --valid "$work/data/conll2003/validation.txt")
    made "$work/ner-wide" headway train --model "$work/encoder" --train "$work/entities.txt" "${sets[@]}" "${tune[@]}" \
        --num-train-epochs 6 "${epochs[@]}"
    [ -f "$work/entity-teacher-int8/model_int8.onnx" ] ||
        headway export "$work/ner-wide" --output "$work/entity-teacher-int8" --precision int8
    left >/dev/null || exit 75
    [ -f "$work/silver.txt" ] || python "$here/prepare.py" - "$work" silver
    [ -z "$TINY" ] || cp "$work/entities.txt" "$work/silver.txt"  # such a teacher does not name every kind
    made "$work/ner-silver" headway train --model "$work/small" --train "$work/silver.txt" "${sets[@]}" "${learn_from[@]}" \
        --num-train-epochs 3 "${epochs[@]}"
    made "$work/ner" headway train --model "$work/ner-silver" --train "$work/entities.txt" "${sets[@]}" "${learn_from[@]}" \
        --num-train-epochs 6 --learning-rate 4e-4 --dropout 0.1 "${epochs[@]}"
    exported ner
}

questions() {
    local task=(--task question-answering --eval-strategy no)
    made "$work/questions-wide-cloze" headway train --model "$work/encoder" --train "$work/cloze.json" "${task[@]}" "${tune[@]}" \
        --num-train-epochs 1 "${epochs[@]}"
    made "$work/questions-wide" headway train --model "$work/questions-wide-cloze" --train "$work/questions.json" "${task[@]}" \
        "${tune[@]}" "${epochs[@]}"
    made "$work/questions-cloze" headway train --model "$work/small" --train "$work/cloze.json" "${task[@]}" "${learn_from[@]}" \
        --num-train-epochs 2 "${epochs[@]}"
    made "$work/questions" headway distill --recipe logits --teacher "$work/questions-wide" --student "$work/questions-cloze" \
        --train "$work/questions.json" "${task[@]}" "${learn_from[@]}" --num-train-epochs 4 "${epochs[@]}"
    exported questions
}

embeddings() {
    local name from sets=(--valid "$work/data/glue/stsb/validation.jsonl")
    for name in embeddings-wide embeddings; do
        from=$work/encoder
        [ "$name" = embeddings-wide ] || from=$work/small
        made "$work/$name-taught" headway distill --recipe embeddings --teacher "$work/teacher" --student "$from" \
            --files "$work/sentences.txt" --teacher-cache "$work/answers" "${sets[@]}" "${learn_from[@]}" --num-train-epochs 6 \
            "${epochs[@]}"
        made "$work/$name" headway train --task sentence-embeddings --model "$work/$name-taught" \
            --train "$work/data/glue/stsb/train.jsonl" "${sets[@]}" "${learn_from[@]}" --num-train-epochs 4 \
            --learning-rate 3e-4 --dropout 0.1 "${epochs[@]}"
    done
    exported embeddings
}

report() { # scores of the models that ship, as they ship, beside those of their wide ones; and sizes
    local name set task model found
    for name in sentiment:glue/sst2/validation.jsonl:text-classification ner:conll2003/validation.txt:token-classification \
        questions:squad/dev-v1.1.json:question-answering embeddings:glue/stsb/validation.jsonl:sentence-similarity; do
        IFS=: read -r name set task <<<"$name"
        for model in "$work/models/$name" "$work/$name-wide"; do
            if [ ! -d "$model" ] || grep -qsF "$model " "$work/scores.txt"; then continue; fi
            left >/dev/null || exit 75
            say "$model"
            found=$(headway evaluate "$model" "$work/data/$set" --task "$task") # on a line of its own: a failure ends the call
            echo "$model ${found//$'\n'/ }" >>"$work/scores.txt"
        done
    done
    du -cb "$work"/models/* | awk '{ printf "%s %.2f MiB\n", $2, $1 / 2^20 }' | tee "$work/sizes.txt"
    cat "$work/scores.txt"
}

learn() { # learn WORK [PART …]
    local part
    work=$1
    shift
    [ $# -gt 0 ] || set -- encoder small sentiment ner questions embeddings report
    for part; do
        case $part in
        encoder | small | sentiment | ner | questions | embeddings | report) ;;
        *) say "There is no part $part. Parts are encoder, small, sentiment, ner, questions, embeddings and report." >&2 && exit 2 ;;
        esac
    done
    check
    # a compiler that works is tried once; without one all is learnt as well, but slower
    if [ ! -e "$work/compiles" ]; then
        python -c 'import torch; assert torch.cuda.is_available(); torch.compile(lambda x: x * 2)(torch.ones(8, device="cuda"))' \
            2>"$work/compiles.log" && echo yes >"$work/compiles" || echo no >"$work/compiles"
    fi
    say "torch.compile works here: $(cat "$work/compiles") (compiles.log says why not)"
    if [ "$(cat "$work/compiles")" = yes ]; then compile=(--torch-compile); fi
    export PYTORCH_CUDA_ALLOC_CONF=${PYTORCH_CUDA_ALLOC_CONF:-expandable_segments:True}
    for part; do "$part"; done
    say "All is made: give gpu.sh send."
}

send() { # send WORK OUT
    local name
    work=$1
    for name in encoder small sentiment ner questions embeddings; do
        # what was received was made elsewhere, so it is there
        if [ -f "$work/$name/model.safetensors" ] && [ ! -f "$work/out/$name.json" ] && [ ! -f "$work/incoming/$name.done" ]; then
            rm -rf "$work/half" && mkdir -p "$work/half"
            python "$here/parts.py" half "$work/$name" "$work/half/$name"
            python "$here/parts.py" pack "$name" "$work/out" "$work/half/$name"
        fi
    done
    # scores are added as models are made: with a new one all of them go again
    if [ "$work/scores.txt" -nt "$work/out/models.json" ] && [ "$work/scores.txt" -nt "$work/incoming/models.done" ]; then
        rm -f "$work/out"/models-*
        python "$here/parts.py" pack models "$work/out" "$work/models" "$work/scores.txt" "$work/sizes.txt"
    fi
    python "$here/parts.py" next "$work/out" "$2" "$SEND"
}

case ${1:-} in
prepare | learn | send | check) "$@" ;;
receive) python "$here/parts.py" unpack "$2" "$3" ;;
*)
    sed -n '2,9p' "$0" | cut -c3-
    exit 2
    ;;
esac
