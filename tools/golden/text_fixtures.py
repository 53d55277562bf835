"""Makes the fixtures of packages/text: small tokenizers of real kinds, and what transformers answers for them.

Run: python tools/golden/text_fixtures.py (transformers 5.18, tokenizers 0.23).
"""

import json
import random
import shutil
import unicodedata
from pathlib import Path

import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

OUT = Path(__file__).resolve().parents[2] / "packages/text/src/__fixtures__"

CORPUS = """
The weaver sat at the loom and wove a blue thread through a red one. What is in the image? The image shows three cats,
two dogs and 12 birds on a wire; it's 7:45 in the morning, and they're waiting. I'd say there isn't much to see.
Describe the picture in detail. A small boat is moored by the lake, the mountains behind it are covered with snow.
USER: What colour is the ball? ASSISTANT: The ball is green. User: Count the apples. Assistant: There are 4 apples.
def area(width, height):\n    return width * height\n\nfor i in range(10):\n\tprint(area(i, 2 * i))\n
Der Weber saß am Webstuhl und webte größere Muster. Un café à Zürich, s'il vous plaît. El niño comió piñas.
Кошка сидит на окне и смотрит на улицу. 猫が窓の上に座っています。图片里有三只猫和两条狗。 고양이가 창문에 앉아 있다.
system user assistant im start im end image endoftext begin of text header id eot utterance row col global img
""" * 3

TEXTS = [
    "",
    " ",
    "Hello",
    " Hello",
    "  Hello  world  ",
    "What is in the image?",
    "It's 12345 apples, isn't it? They'LL say 7:45.",
    "line one\nline two\r\n\r\n  indented\ttab\n\n\n",
    "emoji 🙂 👩‍👩‍👧‍👦 🇨🇭 and 😀😀",
    "猫が窓の上に座っています。图片里有三只猫。 고양이",
    "café caf" + "e\u0301" + " Zu\u0308rich ñ nin\u0303o A\u030a\u0327",
    "Кошка сидит, ١٢٣ ४५६ Ⅷ ½ ² 一二",
    "zero\u200bwidth nbsp\u00a0here nel\u0085end \ufeffbom \u2028 line sep",
    "tabs\t\t and   three   spaces",
    "a" * 60,
    "x = {'key': [1, 2.5e-3]}; // comment <b>bold</b> </p>",
    "<s>hello</s>",
    "say </s> and <s> now",
    "<image>\nWhat is this?",
    "before   <image>   after",
    "<image><image> two",
    "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
    "<|im_end|",
    "<|im_<|im_end|>end|>",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>",
    "<|vision_start|><|image_pad|><|vision_end|>",
    "<fake_token_around_image><global-img><image><end_of_utterance>",
    "<tool_call>{\"a\": 1}</tool_call> and  <tool_call>  x",
    "<unk> [UNK] [CLS] word [SEP] [MASK]",
    "loomword loom loom-loom <left>  x  <right>  y <both>  z",
    "\x00\x01\x7f control",
    "▁already ▁marked ▁▁",
    "don 't do not we 've he 's I 'm , . ! ?",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𠮷野家",
]


def flags(special, lstrip=False, rstrip=False, single_word=False, normalized=False):
    return dict(special=special, lstrip=lstrip, rstrip=rstrip, single_word=single_word, normalized=normalized)


COMMON = [
    AddedToken("<tool_call>", **flags(False, normalized=False)),
    AddedToken("loom", **flags(False, single_word=True, normalized=True)),
    AddedToken("<left>", **flags(True, lstrip=True)),
    AddedToken("<right>", **flags(True, rstrip=True)),
    AddedToken("<both>", **flags(False, lstrip=True, rstrip=True)),
]


def save(name, tokenizer, special, config, template=None):
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **config)
    fast.add_tokens([AddedToken(token, **flags(True)) for token in special] + COMMON)
    if template:
        fast.chat_template = template
    folder = OUT / name
    fast.save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def bytelevel_bpe(pre_tokenizer, vocab_size, normalizer=None, ignore_merges=False):
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([CORPUS], trainer)
    state = json.loads(tokenizer.to_str())
    state["model"]["ignore_merges"] = ignore_merges
    state["decoder"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    return state


def load(state):
    return Tokenizer.from_str(json.dumps(state))


def qwen():
    pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    state = bytelevel_bpe(pre, 560, normalizers.NFC())
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    config = dict(eos_token="<|im_end|>", pad_token="<|endoftext|>", add_bos_token=False, clean_up_tokenization_spaces=False)
    return save("qwen", load(state), special, config, QWEN2_VL)


def llama2_state():
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    trained.train_from_iterator([CORPUS], trainers.BpeTrainer(vocab_size=420, show_progress=False))
    state = json.loads(trained.to_str())
    pieces = sorted(state["model"]["vocab"], key=state["model"]["vocab"].get)
    base = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    vocab = {token: id for id, token in enumerate(base + [piece for piece in pieces if piece not in base])}
    state["model"].update(vocab=vocab, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    state["pre_tokenizer"] = None
    state["normalizer"] = {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    ]}
    state["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ]}
    state["post_processor"] = json.loads(processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]).__getstate__())
    return state


LLAMA_CONFIG = dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>", clean_up_tokenization_spaces=False)


def llama2():
    return save("llama2", load(llama2_state()), ["<image>", "<pad>"], dict(LLAMA_CONFIG, pad_token="<pad>"), LLAVA)


def metaspace():
    """As transformers 5 builds Llama: Metaspace at the first piece only; the ids around a text from the config."""
    state = llama2_state()
    state["normalizer"] = None
    state["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    config = dict(LLAMA_CONFIG, add_bos_token=True, add_eos_token=True, extra_special_tokens=["<image>"])
    return save("metaspace", load(state), [], config)


def llama3():
    pattern = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    pre = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    state = bytelevel_bpe(pre, 560, ignore_merges=True)
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|image|>"]
    tokenizer = load(state)
    tokenizer.add_special_tokens(special)
    bos = tokenizer.token_to_id("<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", bos)]),
    ])
    config = dict(bos_token="<|begin_of_text|>", eos_token="<|eot_id|>", clean_up_tokenization_spaces=True)
    return save("llama3", tokenizer, special, config, LLAMA3)


def smol():
    pre = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    state = bytelevel_bpe(pre, 520)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<fake_token_around_image>", "<global-img>", "<image>", "<end_of_utterance>"]
    config = dict(bos_token="<|im_start|>", eos_token="<end_of_utterance>", unk_token="<|endoftext|>", pad_token="<|im_end|>",
                  extra_special_tokens={"image_token": "<image>"})
    return save("smol", load(state), special, config, SMOLVLM)


def unigram():
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    trainer = trainers.UnigramTrainer(vocab_size=260, unk_token="<unk>", special_tokens=["<pad>", "</s>", "<unk>", "<image>"], show_progress=False)
    tokenizer.train_from_iterator([CORPUS], trainer)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    config = dict(eos_token="</s>", unk_token="<unk>", pad_token="<pad>", clean_up_tokenization_spaces=True, add_eos_token=True)
    return save("unigram", tokenizer, [], config)


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator([CORPUS], trainers.WordPieceTrainer(vocab_size=400, special_tokens=special, show_progress=False))
    tokenizer.decoder = decoders.WordPiece(cleanup=True)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    config = dict(unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", mask_token="[MASK]", clean_up_tokenization_spaces=True)
    return save("wordpiece", tokenizer, [], config)


LLAVA = "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['role'].upper() + ': '}}{% endif %}{# Render all images first #}{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}{# Render all text next #}{% if message['role'] != 'assistant' %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] + ' '}}{% endfor %}{% else %}{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{% generation %}{{ content['text'] + ' '}}{% endgeneration %}{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"

SMOLVLM = "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"

QWEN2_VL = "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>{% elif content['type'] == 'video' or 'video' in content %}{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"

LLAMA3 = """{{- bos_token }}
{%- set date = strftime_now("%d %b %Y") if strftime_now is not defined else "26 Jul 2024" %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content'] | trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\nToday Date: " + date + "\\n\\n" + system_message + "<|eot_id|>" }}
{%- for message in messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Conversation roles must alternate user/assistant') }}
    {%- endif %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {%- if message['content'] is string %}
        {{- message['content'] | trim }}
    {%- else %}
        {%- for content in message['content'] %}
            {%- if content['type'] == 'image' %}{{- '<|image|>' }}{%- else %}{{- content['text'] | trim }}{%- endif %}
        {%- endfor %}
    {%- endif %}
    {{- '<|eot_id|>' }}
{%- endfor %}
{%- if tools is not none %}
    {{- tools | tojson }}
{%- endif %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""

IMAGE = {"type": "image"}


def text(value):
    return {"type": "text", "text": value}


CONVERSATIONS = [
    [{"role": "user", "content": [IMAGE, text("What is in the image?")]}],
    [{"role": "user", "content": [text("  Compare \n"), IMAGE, IMAGE, text("and tell me.  ")]}],
    [
        {"role": "user", "content": [text("Hallo, größere 猫 🙂?")]},
        {"role": "assistant", "content": [text("It's a cat.\n\n1. a\n2. b ")]},
        {"role": "user", "content": [text("x < y and a > b, |pipes| <b>")]},
    ],
]


def record(tokenizer, rng):
    encoded, decoded = [], []
    for value in TEXTS:
        plain = tokenizer.encode(value)
        bare = tokenizer.encode(value, add_special_tokens=False)
        literal = tokenizer.encode(value, add_special_tokens=False, split_special_tokens=True)
        encoded.append([plain, bare, literal])
        decoded.append(plain)
    for _ in range(25):
        decoded.append([rng.randrange(len(tokenizer)) for _ in range(rng.randrange(1, 16))])
    decode = [[ids, tokenizer.decode(ids), tokenizer.decode(ids, skip_special_tokens=True)] for ids in decoded]
    chats = []
    if tokenizer.chat_template:
        for messages in CONVERSATIONS:
            for prompt in (False, True):
                rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
                ids = tokenizer.encode(rendered, add_special_tokens=False)
                chats.append(dict(messages=messages, addGenerationPrompt=prompt, text=rendered, ids=ids))
    specials = sorted({tokenizer.convert_tokens_to_ids(token) for token in tokenizer.all_special_tokens}
                      | {id for id, token in tokenizer.added_tokens_decoder.items() if token.special})
    return dict(encode=encoded, decode=decode, chats=chats, specialIds=specials, size=len(tokenizer),
                bos=tokenizer.bos_token_id, eos=tokenizer.eos_token_id, pad=tokenizer.pad_token_id)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    rng = random.Random(7)
    cases = {}
    for make in (qwen, llama2, metaspace, llama3, smol, unigram, wordpiece):
        cases[make.__name__] = record(make(), rng)
    versions = dict(tokenizers=tokenizers.__version__, transformers=transformers.__version__, unicode=unicodedata.unidata_version)
    answers = dict(madeBy="tools/golden/text_fixtures.py", versions=versions, texts=TEXTS, tokenizers=cases)
    (OUT / "cases.json").write_text(json.dumps(answers, ensure_ascii=False, separators=(",", ":")))
    for folder in OUT.iterdir():
        if folder.is_dir():
            file = folder / "tokenizer.json"
            file.write_text(json.dumps(json.loads(file.read_text()), ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
