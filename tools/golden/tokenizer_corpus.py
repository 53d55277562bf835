"""Makes the corpus of packages/text: tokenizers of the published kinds, and what Python's `tokenizers` answers for
random texts in many scripts.

Run: python tools/golden/tokenizer_corpus.py (tokenizers 0.23, sentencepiece for the table of characters).

The texts are not stored. They follow from the pools of snippets in `corpus.json` and a linear congruential generator,
the same here and in `packages/text/src/corpus.ts`, so both sides make the same 20,000 texts and store or compare one
digest for each thousand.
"""

import hashlib
import io
import json
import shutil
import tempfile
from pathlib import Path

import sentencepiece
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

OUT = Path(__file__).resolve().parents[2] / "packages/text/src/__fixtures__/corpus"
TEXTS, BLOCK, SHOWN = 20_000, 1_000, 60

POOLS = {
    "latin": "the image|weaver's|It's|THEY'LL|don't|größere|Ünit|café|cafe\u0301|Zu\u0308rich|El niño|ĳsvogel|İstanbul|ıldız|ﬁn|ﬀ|Straße|ẞ|naïve|A\u030angstro\u0308m|\u1e9b\u0323|\u0130|ſ|'ſ|K|loom|looms|Loom|do not|n't|x",
    "greek": "ΣΟΦΟΣ|σοφος|Σ|ΑΣ|ΟΔΟΣ.|Ὀδυσσεύς|ὈΔΥΣΣΕΎΣ|άέήίόύώ|ΆΈΉΊΌΎΏ|ᾳᾼ|αΣβ|ΣΣ|ΌΣΟΣ|Σ'|ς|ᾷ|Ω",
    "cyrillic": "Кошка|СИДИТ|й|Й|и\u0306|ё|Ё|Ґ|ѣ|подъезд|Ӂ",
    "hebrew": "שלום|עִבְרִית|שׁ|ﬡ|״ץ׳",
    "arabic": "مرحبا|العَرَبِيَّة|ﷺ|ﻻ|لا\u0654|١٢٣|۴۵۶|،|؟|كتاب\u200cها",
    "devanagari": "नमस्ते|क्षत्रिय|ज़|क\u093c|हिन्दी।|४५६|कि",
    "thai": "สวัสดี|น้ำ|กำ|ภาษาไทย|๑๒๓|\u0e4d\u0e32",
    "han": "图片|里有三只猫|漢字|𠮷野家|豈|﨑|㐂|〇|一二|㍿|①",
    "kana": "ひらがな|カタカナ|ｶﾞｷﾞ|が|か\u3099|ー|ヿ|ゟ|々|。|「",
    "hangul": "고양이|각|ᄀ\u1161\u11a8|ㄱㅏ|한국어|\u1112\u1161\u11ab",
    "caucasian": "ქართული|ᲥᲐᲠᲗᲣᲚᲘ|Ⴀ|Հայերեն|և|ՀԱՅ|ﬓ",
    "emoji": "🙂|👩\u200d👩\u200d👧|🇨🇭|👍🏽|❤\ufe0f|☝|1\ufe0f\u20e3|🏴\U000e0067\U000e007f|😀😀",
    "space": " |  |   |\t|\n|\n\n|\r\n|\u00a0|\u3000|\u2003|\u2028|\u2029|\u0085|\u200b|\ufeff|\u1680|\u202f|\u205f|\x0b|\x0c| \n |\n ",
    "control": "\x00|\x01|\x1b|\x7f|\u0080|\u009f|\u00ad|\u200e|\u202e|\u2060|\ue000|\ufffd|\uffff|\U000f0000|\u0378",
    "digit": "0|7|12|345|2024|1,000|3.14|²|½|Ⅷ|٣|७|𝟘|₂|１２",
    "punctuation": ".|,|!|?|'|\"|``|''|...|…|-|—|_|‿|(|)|[|{|<|>|/|\\|\\\\|#|$|€|+|=|^|`|~|¡|«|»|·|†|‰|@|&|%|▁|▁▁|Ġ|##|</w>",
    "added": "<img>|<left>|<right>|<both>|loom|ΣΟΦΟΣ|Ünit|<N>|猫だ|é|<|img>|<im|<<img>>| sp |e\u0301x|Ⓐ|<|end|>",
    "line": "for i in range(10):\n\tprint(i)|a.b(c)[d]|x = {'k': [1, 2.5e-3]}|https://e.org/?q=1&r=2|<b>bold</b>|$x^2$",
}
POOLS = {name: list(dict.fromkeys(part.replace("\\\\", "\\") for part in value.split("|") if part)) for name, value in POOLS.items()}
POOLS["punctuation"].append("|")
POOLS["added"].append("<|end|>")

CORPUS = """
The weaver sat at the loom and wove a blue thread through a red one. What is in the image? The image shows three cats,
two dogs and 12 birds on a wire; it's 7:45 in the morning, and they're waiting. I'd say there isn't much to see.
def area(width, height):\n    return width * height\n\nfor i in range(10):\n\tprint(area(i, 2 * i))\n
Der Weber saß am Webstuhl und webte größere Muster. Un café à Zürich, s'il vous plaît. El niño comió piñas. ﬁn
Кошка сидит на окне и смотрит на улицу. 猫が窓の上に座っています。图片里有三只猫和两条狗。 고양이가 창문에 앉아 있다.
Ο σοφος Ὀδυσσεύς. שלום עולם. مرحبا بالعالم. नमस्ते दुनिया। สวัสดีชาวโลก ქართული ენა Հայերեն լեզու 123 456 2024
""" * 3


def dice(seed):
    """The generator of `packages/text/src/corpus.ts`: numbers in [0, bound)."""
    state = (seed * 2654435761) & 0xFFFFFFFF

    def roll(bound):
        nonlocal state
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        return state * bound >> 32

    return roll


def text_of(pools, seed):
    roll = dice(seed)
    parts, pool = [], pools[roll(len(pools))]
    for _ in range(1 + roll(14)):
        if roll(3) == 0:
            pool = pools[roll(len(pools))]
        parts.append(pool[roll(len(pool))])
        if roll(3) == 0:
            parts.append(" ")
    return "".join(parts)


def flags(special=False, lstrip=False, rstrip=False, single_word=False, normalized=False):
    return dict(special=special, lstrip=lstrip, rstrip=rstrip, single_word=single_word, normalized=normalized)


ADDED = [
    AddedToken("<img>", **flags(special=True)),
    AddedToken("<|end|>", **flags(special=True)),
    AddedToken("<left>", **flags(special=True, lstrip=True)),
    AddedToken("<right>", **flags(rstrip=True)),
    AddedToken("<both>", **flags(lstrip=True, rstrip=True, normalized=True)),
    AddedToken("loom", **flags(single_word=True, normalized=True)),
    AddedToken("ΣΟΦΟΣ", **flags(normalized=True)),
    AddedToken("Ünit", **flags(normalized=True)),
    AddedToken("<N>", **flags(special=True, normalized=True)),
    AddedToken("猫だ", **flags()),
    AddedToken("é", **flags(single_word=True)),
    AddedToken("e\u0301x", **flags(normalized=True)),
    AddedToken(" sp ", **flags(normalized=True)),
    AddedToken("Ⓐ", **flags(single_word=True, lstrip=True, normalized=True)),
]


def build(model, trainer, normalizer=None, pre=None, decoder=None, change=None):
    tokenizer = Tokenizer(model)
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre is not None:
        tokenizer.pre_tokenizer = pre
    tokenizer.train_from_iterator([CORPUS], trainer)
    if decoder is not None:
        tokenizer.decoder = decoder
    if change:
        state = json.loads(tokenizer.to_str())
        change(state)
        tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.add_tokens(ADDED)
    return tokenizer


def byte_bpe(pre, size=500, change=None, **rest):
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    return build(models.BPE(), trainer, pre=pre, decoder=decoders.ByteLevel(), change=change, **rest)


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert=invert)


def bytes_of(use_regex=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


def with_bytes(**fields):
    """Puts the 256 byte tokens in front of the vocabulary, as converted SentencePiece models have them."""

    def change(state):
        old = state["model"]["vocab"]
        pieces = sorted(old, key=old.get)
        base = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
        state["model"]["vocab"] = {token: at for at, token in enumerate(base + [piece for piece in pieces if piece not in base])}
        state["model"].update(unk_token="<unk>", **fields)

    return change


SPIECE = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
O200K = "|".join([
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
CLIP = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
DEEPSEEK = r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# No published model has it: it runs on the linear engine, with what the others do not use.
OWN = r"(?i)[a-zä-ü&&[^q]]+(?=\d)|\b\w{2,5}?\B|(?<!\s)\p{Lu}|(?<=[αβ])σ|[[:punct:]&&[^.]]++|(?>\d+)|^\s+|\s+$|\h|[^[:alpha:]\s]"


def charsmap():
    """A small table of characters as SentencePiece compiles it, with entries of several characters."""
    rows = {
        "Ａ": "A", "ｂ": "b", "ﬁ": "fi", "ﬀ": "ff", "①": "1", "㍿": "株式会社", "½": "1⁄2", "…": "...", "\u00a0": " ", "\u3000": " ",
        "e\u0301": "é", "u\u0308": "ü", "A\u030a": "Å", "か\u3099": "が", "ｶﾞ": "ガ", "ｷﾞ": "ギ", "ﷺ": "صلى الله عليه وسلم", "\u00ad": "",
        "\u200b": " ", "\ufeff": "", "\t": " ", "\n": " ", "\r": " ", "\x01": "", "\x7f": "", "\u2028": " ", "२": "2", "Ⅷ": "VIII", "²": "2",
        "가": "가", "\u1161": "\u1161", "น้": "น้", "क\u093c": "क़", "🙂": ":)", "ẞ": "ss", "ς": "σ", "﨑": "崎",
    }
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "rules.tsv"
        line = lambda text: " ".join(f"{ord(character):X}" for character in text)
        table.write_text("".join(f"{line(a)}\t{line(b)}\n" for a, b in rows.items() if a != b))
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS.splitlines()), model_writer=model, vocab_size=300, normalization_rule_tsv=str(table),
            hard_vocab_limit=False, minloglevel=2, character_coverage=0.99)
    from sentencepiece import sentencepiece_model_pb2 as pb
    proto = pb.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def unigram(normalizer, pre, byte_fallback=False, decoder=None):
    trainer = trainers.UnigramTrainer(vocab_size=300, unk_token="<unk>", special_tokens=["<pad>", "</s>", "<unk>"], show_progress=False)

    def change(state):
        if byte_fallback:
            state["model"]["vocab"] += [[f"<0x{byte:02X}>", -20.0] for byte in range(256)]
            state["model"]["byte_fallback"] = True

    return build(models.Unigram(), trainer, normalizer, pre, decoder or decoders.Metaspace(), change)


def characters(size, normalizer, pre, decoder, change=None, **model):
    return build(models.BPE(**model), trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=["<unk>"], **{
        key: value for key, value in model.items() if key in ("continuing_subword_prefix", "end_of_word_suffix")}), normalizer, pre, decoder, change)


def clip(state):
    """CLIP's vocabulary: every byte alone and at the end of a word, then the merges."""
    state["model"]["unk_token"] = "<|endoftext|>"
    state["model"]["vocab"].setdefault("<|endoftext|>", len(state["model"]["vocab"]))


def tokenizers_of_all_kinds():
    table = charsmap()
    n, p = normalizers, pre_tokenizers
    yield "gpt2", byte_bpe(bytes_of(True))
    yield "llama3", byte_bpe(p.Sequence([split(LLAMA3), bytes_of()]), change=lambda state: state["model"].update(ignore_merges=True))
    yield "qwen2", byte_bpe(p.Sequence([split(LLAMA3.replace("{1,3}", "")), bytes_of()]), normalizer=n.NFC())
    yield "o200k", byte_bpe(p.Sequence([split(O200K), bytes_of()]))
    yield "deepseek", byte_bpe(p.Sequence([split(r"\p{N}{1,3}"), split("[一-龥\u3040-ゟ゠-ヿ]+"), split(DEEPSEEK), bytes_of()]))
    yield "falcon", byte_bpe(p.Sequence([p.Punctuation("contiguous"), bytes_of(True), p.Digits(False), split("[0-9][0-9][0-9]")]))
    yield "bloom", byte_bpe(p.Sequence([split(r" ?[^(\s|[.,!?…。，、।۔،])]+"), bytes_of()]))
    yield "digits", byte_bpe(p.Sequence([p.Digits(True), bytes_of(True)]))
    yield "bytes-normalized", byte_bpe(split(r"\S+|\s+"), normalizer=n.ByteLevel())
    yield "own-pattern", byte_bpe(p.Sequence([split(OWN, "merged_with_previous"), bytes_of()]), normalizer=n.Replace(Regex(r"(\s)\s{2,}|x(?=x)"), " "))
    yield "llama2", characters(420, None, p.Metaspace(), SPIECE, lambda state: (with_bytes(byte_fallback=True, fuse_unk=True)(state), state.update(
        pre_tokenizer=None, normalizer=json.loads(n.Sequence([n.Prepend("▁"), n.Replace(" ", "▁")]).__getstate__()))))
    yield "gemma", characters(420, n.Replace(" ", "▁"), p.Split("▁", "merged_with_previous"), decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]), with_bytes(byte_fallback=True, fuse_unk=True))
    yield "metaspace-always", characters(400, n.NFKC(), p.Metaspace("▁", "always"), decoders.Metaspace("▁", "always"), None, unk_token="<unk>")
    yield "metaspace-first", characters(400, None, p.Metaspace("▁", "first", split=False), decoders.Metaspace("▁", "first"), with_bytes(byte_fallback=True))
    yield "metaspace-never", characters(400, n.NFD(), p.Metaspace("_", "never"), decoders.Metaspace("_", "never"), None, unk_token="<unk>", fuse_unk=True)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    words = lambda size: trainers.WordPieceTrainer(vocab_size=size, special_tokens=special, show_progress=False)
    yield "bert", build(models.WordPiece(unk_token="[UNK]"), words(450), n.BertNormalizer(lowercase=True), p.BertPreTokenizer(), decoders.WordPiece())
    yield "bert-cased", build(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=20), words(450), n.BertNormalizer(
        lowercase=False, strip_accents=True, clean_text=False), p.BertPreTokenizer(), decoders.WordPiece(cleanup=False))
    yield "unigram-xlmr", unigram(n.Sequence([n.Precompiled(table), n.Replace(Regex(" {2,}"), " ")]), p.Sequence([p.WhitespaceSplit(), p.Metaspace()]))
    yield "unigram-albert", unigram(n.Sequence([n.Replace("``", '"'), n.Replace("''", '"'), n.NFKD(), n.StripAccents(), n.Lowercase(), n.Precompiled(table)]), p.Metaspace(), True)
    yield "clip", byte_bpe(p.Sequence([split(CLIP, "removed", True), bytes_of(True)]), normalizer=n.Sequence(
        [n.NFC(), n.Replace(Regex(r"\s+"), " "), n.Lowercase()]), change=clip)
    yield "suffixed", characters(450, n.Sequence([n.Nmt(), n.Strip(), n.Lowercase()]), p.Sequence([p.Punctuation("merged_with_previous"), p.CharDelimiterSplit(" ")]),
        decoders.BPEDecoder("</w>"), None, unk_token="<unk>", end_of_word_suffix="</w>", continuing_subword_prefix="##")
    yield "word-level", build(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(vocab_size=300, special_tokens=["<unk>"], show_progress=False),
        n.Lowercase(), p.Whitespace())
    yield "fixed", characters(300, None, p.Sequence([p.Split("a", "merged_with_next"), p.Punctuation("merged_with_next"), p.FixedLength(4)]), decoders.Fuse(), None,
        unk_token="<unk>", dropout=None)


def digest(lines):
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    pools = list(POOLS.values())
    texts = [text_of(pools, seed) for seed in range(TEXTS)]
    answers = {}
    for name, tokenizer in tokenizers_of_all_kinds():
        state = json.loads(tokenizer.to_str())
        (OUT / f"{name}.json").write_text(json.dumps(state, ensure_ascii=False, separators=(",", ":")))
        tokenizer = Tokenizer.from_file(str(OUT / f"{name}.json"))
        size = max(tokenizer.get_vocab().values()) + 1
        lines, shown = [], []
        for seed, (text, encoding) in enumerate(zip(texts, tokenizer.encode_batch(texts, add_special_tokens=False))):
            ids = encoding.ids
            roll = dice(seed + TEXTS)
            random = [roll(size) for _ in range(1 + roll(9))]
            decoded = [tokenizer.decode(list_of, skip_special_tokens=skip) if list_of else "" for list_of in (ids, random) for skip in (False, True)]
            if seed < SHOWN:
                shown.append([ids, *decoded])
            lines.append(",".join(map(str, ids)) + "\t" + "\t".join(decoded) + "\n")
        answers[name] = dict(size=size, digests=[digest(lines[at:at + BLOCK]) for at in range(0, TEXTS, BLOCK)], shown=shown)
        print(name, size, (OUT / f"{name}.json").stat().st_size)
    corpus = dict(madeBy="tools/golden/tokenizer_corpus.py", tokenizersVersion=tokenizers.__version__, texts=TEXTS, block=BLOCK, pools=pools, tokenizers=answers)
    (OUT / "corpus.json").write_text(json.dumps(corpus, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
