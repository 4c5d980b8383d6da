#!/bin/sh
# model.sh OWNER/NAME [FOLDER]: downloads a model from the hub into FOLDER, in the layout of the
# Hugging Face cache, which is also where it goes without FOLDER. Tokenizer, configuration and
# safetensors, nothing else. A file that is there is not downloaded again, one that was broken off
# goes on where it stopped, and the revision counts (refs/main) only when all of it is there.
#
#   HF_ENDPOINT   another hub than https://huggingface.co
#   HF_TOKEN      for models that ask for one: sent to the hub and to nobody it redirects to
set -eu

model=${1:-}
hub=${HF_ENDPOINT:-https://huggingface.co}
hub=${hub%/}

fail() {
    echo "$model: $*" >&2
    exit 1
}

# ---- what is asked for ---------------------------------------------------------------------------

is_plain() {
    case $1 in
    '' | .* | *[!A-Za-z0-9._-]*) return 1 ;;
    esac
}

owner=${model%%/*}
name=${model#*/}
if [ "$owner/$name" != "$model" ] || ! is_plain "$owner" || ! is_plain "$name"; then
    echo "expected MODEL=owner/name as the hub has it, not '$model'" >&2
    exit 1
fi
case $hub in
http://* | https://*) ;;
*) fail "expected HF_ENDPOINT to begin with https://, not '$hub'" ;;
esac
command -v curl >/dev/null 2>&1 || fail "please install curl"

if [ -n "${2:-}" ]; then cache=$2
elif [ -n "${HF_HUB_CACHE:-}" ]; then cache=$HF_HUB_CACHE
elif [ -n "${HUGGINGFACE_HUB_CACHE:-}" ]; then cache=$HUGGINGFACE_HUB_CACHE
elif [ -n "${HF_HOME:-}" ]; then cache=$HF_HOME/hub
elif [ -n "${XDG_CACHE_HOME:-}" ]; then cache=$XDG_CACHE_HOME/huggingface/hub
else cache=${HOME:?}/.cache/huggingface/hub
fi
folder=$cache/models--$owner--$name

# ---- the hub -------------------------------------------------------------------------------------

# curl with the token, which no list of processes shows. It goes to no other host, for curl takes it
# back at a redirect; from https to http there is none.
ask() {
    case $hub in
    https://*) protocols='=https' ;;
    *) protocols='=http,https' ;;
    esac
    if [ -n "${HF_TOKEN:-}" ]; then
        printf 'header = "Authorization: Bearer %s"\n' "$HF_TOKEN"
    fi | curl -K - --location --max-redirs 5 --proto "$protocols" --proto-redir "$protocols" \
        --connect-timeout 20 --speed-limit 100 --speed-time 60 "$@"
}

# What a status that is not 200 means to a person.
explain() {
    case $1 in
    401 | 403) fail "$hub says $1: there is no such model, or its owner asks for a login:" \
        "accept the terms on its page and set HF_TOKEN" ;;
    404) fail "$hub has no such model ($2: 404)" ;;
    000) fail "$hub cannot be reached" ;;
    *) fail "$hub says $1 to $2" ;;
    esac
}

case ${HF_TOKEN:-} in
*[!A-Za-z0-9._-]*) fail "HF_TOKEN holds what no token has" ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

status=$(ask -sS --retry 2 --max-time 120 -o "$work/about" -w '%{http_code}' \
    "$hub/api/models/$model") || true
[ "$status" = 200 ] || explain "$status" "/api/models/$model"

# The values of a JSON member, one a line: members("rfilename") <FILE
members() {
    tr -d '\r\n' | tr ',{}[]' '\n\n\n\n\n' |
        sed -n "s/^[[:space:]]*\"$1\"[[:space:]]*:[[:space:]]*\"\([^\"\\]*\)\".*/\1/p"
}
revision=$(members sha <"$work/about" | head -n 1)
is_plain "$revision" || fail "$hub tells no revision of it"
members rfilename <"$work/about" >"$work/files"
has() { grep -qxF -e "$1" "$work/files"; }

# ---- files ---------------------------------------------------------------------------------------

if [ -d "$folder/snapshots/$revision" ]; then target=$folder/snapshots/$revision
else target=$folder/snapshots/.$revision
fi
new_bytes=0

bytes_of() {
    if [ -f "$1" ]; then wc -c <"$1" | tr -d ' '; else echo 0; fi
}

# The size that the hub tells: of what it keeps elsewhere in x-linked-size, else the last answer's
# content-length. Empty if it does not say.
size_of() {
    ask -sS -I --max-time 60 "$1" 2>/dev/null | tr -d '\r' | awk '
        tolower($1) ~ /^http\// { status = $2; length_ = "" }
        tolower($1) == "x-linked-size:" && linked == "" { linked = $2 }
        tolower($1) == "content-length:" { length_ = $2 }
        END { size = linked != "" ? linked : status == 200 ? length_ : ""
              if (size ~ /^[0-9]+$/) print size }'
}

# fetch FILE: downloads it, or goes on with what there is of it.
fetch() {
    file=$1
    part=$target/$file.part
    url=$hub/$model/resolve/$revision/$file
    [ -f "$target/$file" ] && return
    mkdir -p "$(dirname "$part")"
    size=$(size_of "$url")
    progress=-sS
    [ -t 2 ] && progress='-#'
    attempt=0
    while [ -z "$size" ] || [ "$(bytes_of "$part")" != "$size" ]; do
        attempt=$((attempt + 1))
        [ $attempt -le 4 ] || fail "$file: given up after 4 attempts; start again to go on"
        [ $attempt -eq 1 ] || sleep $((attempt - 1))
        [ -z "$size" ] || [ "$(bytes_of "$part")" -lt "$size" ] || rm -f "$part"
        code=0
        status=$(ask $progress -f -C - -o "$part" -w '%{http_code}' "$url") || code=$?
        case $status in
        401 | 403 | 404) explain "$status" "/resolve/$revision/$file" ;;
        416) rm -f "$part" ;;
        esac
        # 33: what is there cannot be gone on with
        [ $code -ne 33 ] || rm -f "$part"
        [ $code -eq 0 ] || continue
        [ -n "$size" ] || break
        got=$(bytes_of "$part")
        [ "$got" = "$size" ] && break
        rm -f "$part"
        fail "$file: $got bytes, expected $size: nothing of it was kept"
    done
    [ -f "$part" ] || : >"$part"
    mv "$part" "$target/$file"
    got=$(bytes_of "$target/$file")
    new_bytes=$((new_bytes + got))
    echo "$file: $got bytes"
}

# ---- the model -----------------------------------------------------------------------------------

has config.json || fail "it has no config.json: not a model that is known here"
has tokenizer.json || has vocab.txt || fail "it has no tokenizer.json and no vocab.txt"
if ! has model.safetensors && ! has model.safetensors.index.json; then
    others=$(grep -E '\.(bin|h5|onnx|gguf|msgpack|ot)$' "$work/files" | head -n 3 | tr '\n' ' ')
    fail "it has no model.safetensors${others:+, only ${others% }}: ask its owner to convert it" \
        "(https://huggingface.co/spaces/safetensors/convert)"
fi

for file in config.json tokenizer.json tokenizer_config.json special_tokens_map.json vocab.txt \
    modules.json sentence_bert_config.json config_sentence_transformers.json \
    $(grep -E '^[0-9]_Pooling/config\.json$' "$work/files" || true); do
    if has "$file"; then fetch "$file"; fi
done

if has model.safetensors; then fetch model.safetensors
else
    index=model.safetensors.index.json
    fetch $index
    tr -d '\r\n' <"$target/$index" | tr ',{}' '\n\n\n' |
        sed -n 's/.*:[[:space:]]*"\([^"]*\.safetensors\)"[[:space:]]*$/\1/p' | sort -u >"$work/shards"
    [ -s "$work/shards" ] || fail "$index names no files"
    while read -r shard; do
        is_plain "$shard" || fail "$index: expected a file's name, not '$shard'"
        has "$shard" || fail "$index names $shard, which the hub does not have"
        fetch "$shard" </dev/null
    done <"$work/shards"
fi

# All of it is there: the revision counts from now on.
if [ "$target" != "$folder/snapshots/$revision" ]; then
    mv "$target" "$folder/snapshots/$revision"
fi
mkdir -p "$folder/refs"
printf '%s' "$revision" >"$work/main"
cp "$work/main" "$folder/refs/.main" && mv "$folder/refs/.main" "$folder/refs/main"
echo "$model: $new_bytes bytes downloaded, in $folder/snapshots/$revision"
