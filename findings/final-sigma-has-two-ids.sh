#!/usr/bin/env bash
# @huggingface/tokenizers 0.2.0 (JavaScript) and tokenizers 0.23.2 (Rust, Python) read one tokenizer.json with the
# normalizer Lowercase in two ways: the Rust library lowers every character on its own, so a capital sigma becomes σ
# wherever it stands; JavaScript's toLowerCase knows the end of a word and makes ς of it there. Greek words in capitals
# that end in sigma get other ids than the model was trained with. BERT-like tokenizers have that normalizer.
#
# Seen: over a vocabulary of both spellings ΑΣ is id 3 (ας) in JavaScript and id 2 (ασ) in Python.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init -y >/dev/null
npm install --silent @huggingface/tokenizers@0.2.0
cat > tokenizer.json <<'JSON'
{
  "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
  "normalizer": { "type": "Lowercase" }, "pre_tokenizer": { "type": "WhitespaceSplit" },
  "post_processor": null, "decoder": null,
  "model": { "type": "WordLevel", "vocab": { "<unk>": 0, "σα": 1, "ασ": 2, "ας": 3 }, "unk_token": "<unk>" }
}
JSON
cat > encode.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';

const tokenizer = new Tokenizer(JSON.parse(readFileSync('tokenizer.json', 'utf8')), {});
console.log(tokenizer.encode('ΑΣ').ids.join());
JS
python3 -m venv venv
venv/bin/pip install --quiet tokenizers==0.23.2
script=$(node encode.mjs)
rust=$(venv/bin/python -c "from tokenizers import Tokenizer; print(*Tokenizer.from_file('tokenizer.json').encode('ΑΣ').ids)")
echo "JavaScript: $script, Rust: $rust"
[ "$script" = 3 ] && [ "$rust" = 2 ] || { echo changed; exit 1; }
