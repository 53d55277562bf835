"""Shared by the golden generators: weights, tokenizers, pictures and the writing of a golden folder.

Every fixture is made by the reference implementation (transformers, pinned in requirements.txt) from random
weights. Nothing here is needed to run the TypeScript packages: the written folders are what they test against.
"""

import json
import math
import os
import random
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import GenerationConfig, PreTrainedTokenizerFast

NEW_TOKENS = 12
"""Length of the greedy continuation."""

SMALLEST_GAP = 0.02
"""A greedy step whose two best logits are closer than this could flip with rounding: such weights are redrawn."""

CORPUS = """The quick brown fox jumps over the lazy dog. A picture of a red circle and a blue square.
How many circles are there? There are three circles, two squares and one star in the image.
Describe the picture. What color is the star? The star is yellow; the triangle is green.
USER: What is shown in this image? ASSISTANT: The image shows a small house near the river.
User: Can you describe the image? Assistant: It shows mountains, trees, lights and water.
Where is the red circle? It's left of the blue square, isn't it? I'll count: 1, 2, 3, 4, 56, 789.
def main():\n    print("hello world")\n    return 0
Ünïcödé wörds, naïve café, 東京 and emoji 🙂 appear too. We've seen them; they're fine.
"""


# Seeds


def seed_everything(seed):
    """Seeds Python, NumPy and torch, and makes torch deterministic."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)


# Weights


def randomize(model, seed):
    """Redraws every parameter and every saved floating buffer of `model`, in place.

    Default initialisation leaves biases and gates at zero and norms at one, which hides bugs. Here norm weights lie
    around 1 (deviation 0.2), biases are not zero, and matrices keep the variance of their input, so that attention is
    not saturated and logits have a standard deviation between 1 and 3.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(shape, deviation, mean=0.0):
        return torch.randn(shape, generator=generator) * deviation + mean

    tied = bool(getattr(model.config, "tie_word_embeddings", False))
    done = set()
    with torch.no_grad():
        for name, tensor in sorted(model.state_dict(keep_vars=True).items()):
            if not tensor.is_floating_point() or tensor.data_ptr() in done:
                continue
            done.add(tensor.data_ptr())
            shape = tuple(tensor.shape)
            last = name.rsplit(".", 1)[-1]
            if re.search(r"norm|layrnorm|ln_", name) and last == "weight":
                drawn = normal(shape, 0.2, 1.0)
            elif re.search(r"norm|layrnorm|ln_", name):
                drawn = normal(shape, 0.1)
            elif "embed_tokens" in name:
                drawn = normal(shape, 1.6 / math.sqrt(shape[1]) if tied else 0.7)
            elif "lm_head" in name and last == "weight":
                drawn = normal(shape, 1.6 / math.sqrt(shape[1]))
            elif re.search(r"(^|_)gate(_|$)", last):
                # A gate near zero hides what lies behind it.
                drawn = normal(shape, 0.2, 0.8)
            elif re.search(r"position_embedding|positional_embedding|tile_embedding", name):
                drawn = normal(shape, 0.4)
            elif "patch_embedding" in name and last == "weight":
                # Neighbouring pixels are alike, so their sum does not average out: a smaller gain.
                drawn = normal(shape, 0.8 / math.sqrt(math.prod(shape[1:])))
            elif last == "bias":
                drawn = normal(shape, 0.2)
            elif re.search(r"[qk]_proj|[qk]_norm", name) and len(shape) == 2:
                drawn = normal(shape, 1.2 / math.sqrt(shape[1]))
            elif ".experts." in name:
                # One matrix for each expert, stacked.
                drawn = normal(shape, 1.0 / math.sqrt(shape[-1]))
            elif len(shape) >= 2:
                drawn = normal(shape, 1.0 / math.sqrt(math.prod(shape[1:])))
            else:
                drawn = normal(shape, 0.5)
            tensor.copy_(drawn)
    model.tie_weights()
    return model


# Tokenizers


QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _added(text):
    return AddedToken(text, normalized=False, special=True)


def _byte_level(kind, corpus, size):
    tokenizer = Tokenizer(models.BPE())
    if kind == "smollm":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    else:
        pattern = QWEN2_SPLIT if kind == "qwen2" else LLAMA3_SPLIT
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), behavior="isolated", invert=False),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    if kind == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


def _sentence_piece(corpus, size):
    """A tokenizer.json of the shape published with Llama-2: no pre-tokenizer, byte fallback, a prefixed `▁`."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    bytes_and_controls = ["<unk>", "<s>", "</s>"] + [f"<0x{value:02X}>" for value in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=size - len(bytes_and_controls), show_progress=False, limit_alphabet=30)
    trained.train_from_iterator(corpus, trainer)
    learned = json.loads(trained.to_str())["model"]
    pieces = sorted(learned["vocab"], key=learned["vocab"].get)
    vocabulary = {piece: index for index, piece in enumerate(bytes_and_controls + pieces)}
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in learned["merges"]]
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([_added("<unk>"), _added("<s>"), _added("</s>")])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    return tokenizer


def tiny_tokenizer(kind, specials, vocab_size, bos=None, eos=None, pad=None, unk=None, extra=None, merge_newlines=True):
    """A real tokenizer trained on a few lines of text.

    `kind`: `llama2` (BPE with byte fallback, adds `<s>`), `llama3` (byte level, adds its `bos`), `qwen2` (byte level,
    NFC, adds nothing) or `smollm` (byte level with single digits, adds nothing).
    `specials` get the ids after the learned pieces, in order; `vocab_size` counts both.
    `extra`: named tokens of tokenizer_config.json (for example `image_token`).
    `merge_newlines`: whether two newlines in a row become one token, which real byte-level vocabularies do.
    """
    lines = CORPUS.split("\n")
    corpus = lines * 3 + (["\n\n"] * 40 if merge_newlines else [])
    size = vocab_size - len(specials)
    tokenizer = _sentence_piece(corpus, size) if kind == "llama2" else _byte_level(kind, corpus, size)
    tokenizer.add_special_tokens([_added(text) for text in specials])
    if kind == "llama3":
        tokenizer.post_processor = processors.Sequence(
            [
                processors.ByteLevel(trim_offsets=False),
                processors.TemplateProcessing(
                    single=f"{bos} $A",
                    pair=f"{bos} $A {bos} $B",
                    special_tokens=[(bos, tokenizer.token_to_id(bos))],
                ),
            ]
        )
    found = tokenizer.get_vocab_size()
    if found > vocab_size:
        raise ValueError(f"The {kind} tokenizer has {found} entries, more than the {vocab_size} asked for.")
    named = {"bos_token": bos, "eos_token": eos, "pad_token": pad, "unk_token": unk}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        padding_side="left",
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
        extra_special_tokens=extra or {},
        **{name: text for name, text in named.items() if text is not None},
    )


# Pictures


def picture(seed, width, height):
    """A synthetic RGB picture: a two-axis gradient, a few shapes, mild noise. No two seeds look alike."""
    draw = np.random.default_rng(seed)
    across = np.linspace(0, 1, width)[None, :, None]
    down = np.linspace(0, 1, height)[:, None, None]
    corners = draw.uniform(20, 235, (4, 3))
    ground = (1 - down) * ((1 - across) * corners[0] + across * corners[1]) + down * (
        (1 - across) * corners[2] + across * corners[3]
    )
    image = Image.fromarray(ground.round().astype(np.uint8), "RGB")
    canvas = ImageDraw.Draw(image)
    for _ in range(5):
        colour = tuple(int(value) for value in draw.integers(0, 256, 3))
        x, y = draw.uniform(0, width), draw.uniform(0, height)
        radius = draw.uniform(0.08, 0.3) * max(width, height)
        box = [x - radius, y - radius, x + radius * draw.uniform(0.4, 1), y + radius * draw.uniform(0.4, 1)]
        kind = draw.integers(0, 3)
        if kind == 0:
            canvas.ellipse(box, fill=colour)
        elif kind == 1:
            canvas.rectangle(box, fill=colour)
        else:
            canvas.polygon([(box[0], box[3]), (box[2], box[3]), ((box[0] + box[2]) / 2, box[1])], fill=colour)
    noisy = np.asarray(image).astype(np.float64) + draw.normal(0, 3, (height, width, 3))
    return Image.fromarray(noisy.clip(0, 255).round().astype(np.uint8), "RGB")


# Text decoders


FAMILIES = [
    "mistral",
    "qwen2-window",
    "olmo",
    "olmo-plain",
    "olmo2",
    "olmoe",
    "olmoe-merged",
    "persimmon",
    "phi",
    "phi-norm",
    "phi3",
]
"""Kinds of decoders besides Llama and plain Qwen2; what follows the dash is a setting of the family."""


def text_config(seed, vocab_size, kind="llama", **changes):
    """An odd-sized decoder config (`llama`, `llama3`: Llama with its rope scaling, `qwen2`, or one of `FAMILIES`)."""
    draw = random.Random(seed * 7919 + 13)
    heads, kv_heads = draw.choice([(6, 3), (4, 2), (6, 2), (5, 1), (3, 3), (4, 1)])
    config = {
        "model_type": "qwen2" if kind == "qwen2" else "llama",
        "vocab_size": vocab_size,
        # transformers wants a multiple of the heads, but head_dim need not be the quotient.
        "hidden_size": heads * draw.choice({3: [9, 11, 13], 4: [7, 8, 9], 5: [6, 7], 6: [5, 6, 7]}[heads]),
        "intermediate_size": draw.choice([42, 50, 58, 66]),
        "num_hidden_layers": 2,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": draw.choice([6, 8, 10, 12]),
        "max_position_embeddings": 512,
        "rms_norm_eps": draw.choice([1e-6, 1e-5, 3e-5]),
        "rope_parameters": {"rope_type": "default", "rope_theta": draw.choice([5000.0, 10000.0, 100000.0, 1000000.0])},
        "tie_word_embeddings": False,
    }
    if kind == "llama3":
        # A small original length, and at least four frequencies, so that all three bands of wavelengths occur.
        config["head_dim"] = max(8, config["head_dim"])
        config["rope_parameters"] = {
            "rope_type": "llama3",
            "rope_theta": 5000.0,
            "factor": draw.choice([4.0, 8.0]),
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": draw.choice([64, 96]),
        }
    if kind in FAMILIES:
        config = _family_config(kind, seed, config)
    return {**config, **changes}


def _family_config(kind, seed, config):
    """A Llama config turned into one of another family, with what the family adds, drawn from `seed`."""
    draw = random.Random(seed * 104729 + 7)
    family = kind.split("-")[0]
    rope = config["rope_parameters"]
    window = draw.choice([5, 7, 9])
    # These families have no width of heads apart from the hidden size, or rely on it elsewhere.
    if family in ("olmoe", "persimmon", "phi", "phi3"):
        heads = config["num_attention_heads"]
        del config["head_dim"]
        config["hidden_size"] = heads * draw.choice({3: [8, 10, 12], 4: [8, 10], 5: [6, 8], 6: [6]}[heads])
    if family in ("persimmon", "phi"):
        config["layer_norm_eps"] = config.pop("rms_norm_eps")
        config["qk_layernorm"] = family == "persimmon" or kind == "phi-norm"
    if family in ("persimmon", "phi", "phi3"):
        # A whole and even number of channels turns, but not all of them.
        size = config["hidden_size"] // config["num_attention_heads"]
        rope["partial_rotary_factor"] = (draw.choice([n for n in range(2, size, 2)]) + 0.5) / size
    if family == "persimmon":
        config.pop("num_key_value_heads")
    if family in ("mistral", "phi3"):
        config["sliding_window"] = window
    if kind == "qwen2-window":
        config |= {"num_hidden_layers": 3, "use_sliding_window": True, "sliding_window": window, "max_window_layers": draw.choice([1, 2])}
    if kind == "olmo":
        config["clip_qkv"] = draw.choice([0.8, 1.1])
    if family == "olmoe":
        config |= {
            "intermediate_size": draw.choice([9, 11, 14]),
            "num_experts": draw.choice([5, 6, 7]),
            "num_experts_per_tok": draw.choice([2, 3]),
            "norm_topk_prob": kind == "olmoe-merged",
            "clip_qkv": 1.6 if kind == "olmoe-merged" else None,
        }
    return {**config, "model_type": family}


def stretched_rope(kind, family, seed, rotary_dim, length, beyond=False):
    """The rope fields of a type for a prompt of `length` tokens, and fields beside them. Generation crosses the length at
    which frequencies change; with `beyond` the prompt does already."""
    draw = random.Random(seed * 15485863 + 3)
    border = length - 6 if beyond else length + 5
    factors = lambda low, high: [round(draw.uniform(low, high), 3) for _ in range(rotary_dim // 2)]
    rope = {"rope_type": kind, "rope_theta": draw.choice([50.0, 700.5, 5000.0])}
    if kind in ("linear", "dynamic"):
        rope["factor"] = draw.choice([2.0, 3.5])
    if kind == "proportional":
        rope |= {"factor": 1.5, "partial_rotary_factor": 0.6}
    if kind == "yarn":
        rope |= {
            "factor": 4.0,
            "original_max_position_embeddings": 48,
            "beta_fast": 6.5,
            "beta_slow": 0.75,
            "truncate": False,
            "mscale": 1.3,
            "mscale_all_dim": 0.4,
        }
    beside = {"max_position_embeddings": border} if kind == "dynamic" else {}
    if kind == "longrope":
        rope |= {"short_factor": factors(0.8, 1.6), "long_factor": factors(1.8, 5.0)}
        rope |= {} if family == "phi3" else {"original_max_position_embeddings": border}
        beside = {"max_position_embeddings": 3 * border}
        beside |= {"original_max_position_embeddings": border} if family == "phi3" else {}
    return rope, beside


# Writing


@dataclass
class Sample:
    """What a folder is checked with.

    `inputs`: forward inputs under their Hugging Face keyword names. `prompt`, `images` and `videos` (lists of frames): the
    processor's inputs for the same sample, absent for batches. `continues`: whether the greedy continuation is stored.
    `expected`: further values to compare with, stored as `expected_*`. `metadata`: further facts for the golden file.
    """

    inputs: dict
    prompt: str | None = None
    images: list = field(default_factory=list)
    continues: bool = True
    videos: list = field(default_factory=list)
    expected: dict = field(default_factory=dict)
    metadata: dict = field(default_factory=dict)
    uses_cache: bool = True
    """Whether the continuation is generated on a cache."""


def flat_image_features(model, inputs):
    """The connector's rows of all images and videos, `[tokens, hidden]`, in the order of their tokens, or `None`."""
    # The classes for generation of Janus and Fuyu lack the shortcut.
    seeing = model if hasattr(model, "get_image_features") else getattr(model, "model", model)
    found = {}
    if "aspect_ratio_ids" in inputs:
        # Llama 3.2 Vision has no method for it.
        seen = model.model.vision_model(
            **{name: inputs[name] for name in ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask")}
        )
        found["image"] = flat_rows(model.model.multi_modal_projector(seen.last_hidden_state))
    elif "pixel_values" in inputs:
        names = ("pixel_values", "pixel_attention_mask", "image_grid_thw", "image_sizes", "batch_num_images")
        keywords = {name: inputs[name] for name in names if name in inputs}
        if "pixel_mask" in inputs:
            # Aria's method does not ask the config which layer.
            keywords |= {"pixel_mask": inputs["pixel_mask"], "vision_feature_layer": model.config.vision_feature_layer}
        found["image"] = flat_rows(seeing.get_image_features(**keywords, return_dict=True).pooler_output)
    if "image_patches" in inputs:
        found["image"] = flat_rows(seeing.get_image_features(inputs["image_patches"], return_dict=True).last_hidden_state)
    if "pixel_values_videos" in inputs:
        keywords = {name: inputs[name] for name in ("pixel_values_videos", "video_grid_thw")}
        found["video"] = flat_rows(model.get_video_features(**keywords, return_dict=True).pooler_output)
    if len(found) < 2:
        return next(iter(found.values()), None)
    ids = inputs["input_ids"].flatten()
    places = {kind: ids == getattr(model.config, f"{kind}_token_id") for kind in found}
    rows = torch.zeros(len(ids), found["image"].shape[-1])
    for kind, features in found.items():
        rows[places[kind]] = features
    return rows[places["image"] | places["video"]]


def flat_rows(features):
    """Features of one or several images as `[tokens, hidden]`."""
    if isinstance(features, (list, tuple)):
        features = torch.cat([rows.reshape(-1, rows.shape[-1]) for rows in features])
    return features.reshape(-1, features.shape[-1])


def forget_lengths(model):
    """Positions of type `dynamic` keep the frequencies of the longest text so far; this makes the model new again."""
    for module in model.modules():
        if hasattr(module, "max_seq_len_cached"):
            module.max_seq_len_cached = module.original_max_seq_len
            module.inv_freq = module.original_inv_freq.clone()


def run(model, sample):
    """Runs the reference: logits, image features, greedy continuation, and how sure each greedy step was."""
    inputs = sample.inputs
    forget_lengths(model)
    with torch.no_grad():
        logits = model(**inputs, use_cache=False).logits.float()
        features = flat_image_features(model, inputs)
        if not sample.continues:
            return logits, features, None, math.inf
        without_positions = {name: value for name, value in inputs.items() if name != "position_ids"}
        settings = GenerationConfig(
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            use_cache=sample.uses_cache,
            eos_token_id=None,
            pad_token_id=0,
            output_logits=True,
            return_dict_in_generate=True,
        )
        model.generation_config.eos_token_id, kept = None, model.generation_config.eos_token_id
        forget_lengths(model)
        result = model.generate(**without_positions, generation_config=settings)
        model.generation_config.eos_token_id = kept
    generated = result.sequences[:, inputs["input_ids"].shape[1] :]
    gap = min(float((best[:, 0] - best[:, 1]).min()) for best in (step.topk(2).values for step in result.logits))
    return logits, features, generated, gap


def usable(model, sample, outputs, avoid):
    """Whether the drawn weights make a good test; the reason when they do not."""
    logits, _, generated, gap = outputs
    valid = sample.inputs["attention_mask"].bool()
    spread = float(logits[valid].std())
    if not 0.9 < spread < 3.5:
        return f"logits deviate by {spread:.2f}"
    if generated is not None:
        if gap < SMALLEST_GAP:
            return f"two best logits only {gap:.5f} apart"
        if any(token in generated for token in avoid):
            return "the continuation contains a control token"
        if any(len(set(row)) < 4 for row in generated.tolist()):
            return "the continuation repeats itself"
    for pixels in ("pixel_values", "pixel_values_videos", "image_patches"):
        if pixels not in sample.inputs:
            continue
        # A tower that norms its patches first does not see darkness alone.
        moved = []
        for shift in (0.0, 0.3):
            changed = sample.inputs | {pixels: sample.inputs[pixels] * 0.7 + shift}
            with torch.no_grad():
                other = model(**changed, use_cache=False).logits.float()
            moved.append(float((other - logits)[valid].abs().max()))
        if max(moved) < 0.1:
            return "the logits hardly depend on the picture"
    return None


def save_golden(folder, sample, seed, weight_seed, script, outputs, note=""):
    """Writes `golden.safetensors`, and `prompt.txt` and `image-N.png` where the sample has them.

    Metadata: transformers and torch versions, seed, weight seed, script, note.
    """
    folder = Path(folder)
    logits, features, generated, _ = outputs
    tensors = {name: value.contiguous() for name, value in sample.inputs.items()}
    tensors["logits"] = logits.contiguous()
    tensors |= {f"expected_{name}": value.contiguous() for name, value in sample.expected.items()}
    if features is not None:
        tensors["image_features"] = features.float().contiguous()
    if generated is not None:
        tensors["generated"] = generated.to(torch.int64).contiguous()
    if sample.prompt is not None:
        tensors["expected_input_ids"] = sample.inputs["input_ids"].clone()
        for pixels in ("pixel_values", "pixel_values_videos", "image_patches"):
            if pixels in sample.inputs:
                tensors[f"expected_{pixels}"] = sample.inputs[pixels].clone()
        (folder / "prompt.txt").write_bytes(sample.prompt.encode("utf-8"))
        for index, image in enumerate(sample.images):
            image.save(folder / f"image-{index}.png", optimize=True)
        for index, frames in enumerate(sample.videos):
            for number, frame in enumerate(frames):
                frame.save(folder / f"video-{index}-{number:02}.png", optimize=True)
    metadata = {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "seed": str(seed),
        "weight_seed": str(weight_seed),
        "script": script,
        "note": note,
        **sample.metadata,
    }
    write_tensors(tensors, folder / "golden.safetensors", metadata)


def write_tensors(tensors, path, metadata=None):
    """Writes a safetensors file under a temporary name first."""
    temporary = Path(f"{path}.tmp")
    save_file(tensors, temporary, metadata=metadata or {"format": "pt"})
    os.replace(temporary, path)


def through_png(images):
    """The pictures as a reader of the written PNG files gets them: RGB, uint8. PNG keeps them exactly."""
    return [image.convert("RGB") for image in images]


def positions_of(attention_mask):
    """Position ids of a padded batch: the count of earlier valid tokens, 0 at the padding."""
    return (attention_mask.long().cumsum(-1) - 1).clamp(min=0)


# Checkpoint shapes


def save_checkpoint(model, processor, folder, is_sharded):
    """Writes weights, configs and tokenizer; generation stops and pads with the tokenizer's tokens."""
    tokenizer = processor.tokenizer
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.bos_token_id = tokenizer.bos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder, max_shard_size="40KB" if is_sharded else "1GB")
    processor.save_pretrained(folder)


def rename_weights(folder, rename):
    """Rewrites `model.safetensors` of `folder` with every tensor name passed through `rename`."""
    path = Path(folder) / "model.safetensors"
    write_tensors({rename(name): tensor for name, tensor in load_file(path).items()}, path)


def edit_json(path, change):
    """Reads a JSON file, lets `change` edit the value in place, writes it back."""
    path = Path(path)
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def legacy_rope(config):
    """Turns `rope_parameters` into the `rope_theta`, `partial_rotary_factor` and `rope_scaling` of published config files."""
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    if "partial_rotary_factor" in rope:
        config["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
    config["rope_scaling"] = None if rope["rope_type"] == "default" else rope


def split_processor_config(folder):
    """Moves the image processor out of processor_config.json into preprocessor_config.json, as published repos have it."""
    path = Path(folder) / "processor_config.json"
    processor = json.loads(path.read_text(encoding="utf-8"))
    image_processor = processor.pop("image_processor", None)
    if image_processor is None:
        return
    image_processor["processor_class"] = processor.get("processor_class")
    (Path(folder) / "preprocessor_config.json").write_text(json.dumps(image_processor, indent=2) + "\n", encoding="utf-8")
    path.write_text(json.dumps(processor, indent=2) + "\n", encoding="utf-8")


def build(folder, model_class, config, sample, seed, script, *, save, avoid, dtype=torch.float32, note=""):
    """Draws weights until the sample makes a good test, writes the folder, and stores the reference's answers.

    `save(model)` writes the checkpoint. The answers come from the folder as it was written, loaded again in float32,
    so that storage dtype, shards and names are part of what is proven. Returns a line about what was written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    reasons = []
    for attempt in range(200):
        weight_seed = seed + 1000003 * attempt
        seed_everything(weight_seed)
        config._attn_implementation = "eager"
        config._experts_implementation = "eager"
        model = model_class(config).eval()
        randomize(model, weight_seed)
        if dtype != torch.float32:
            # Weights only: casting the module would also round the rotary frequencies, which no file stores.
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.copy_(parameter.to(dtype))
        reason = usable(model, sample, run(model, sample), avoid)
        if reason is None:
            break
        reasons.append(reason)
    else:
        raise RuntimeError(f"No good weights for {folder} in 200 draws: {sorted(set(reasons))}.")
    for old in folder.iterdir():
        if old.is_file():
            old.unlink()
    forget_lengths(model)
    with torch.no_grad():
        before = model(**sample.inputs, use_cache=False).logits
    save(model.to(dtype))
    loaded, info = model_class.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager", output_loading_info=True
    )
    wrong = {kind: sorted(names) for kind, names in info.items() if names}
    if wrong:
        raise RuntimeError(f"The folder {folder} does not load cleanly: {wrong}.")
    loaded = loaded.eval()
    outputs = run(loaded, sample)
    drift = float((before - outputs[0]).abs().max())
    if drift > 1e-5:
        raise RuntimeError(f"The folder {folder} gives other logits than the model it was written from: {drift}.")
    save_golden(folder, sample, seed, weight_seed, script, outputs, note)
    for path in folder.iterdir():
        path.chmod(0o644)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1024
    valid = sample.inputs["attention_mask"].bool()
    return (
        f"{folder.name}: {size:.0f} KB, ids {list(sample.inputs['input_ids'].shape)}, "
        f"pixels {list(sample.inputs['pixel_values'].shape) if 'pixel_values' in sample.inputs else '-'}, "
        f"logit deviation {float(outputs[0][valid].std()):.2f}, smallest gap {outputs[3]:.3f}, draws {len(reasons) + 1}"
    )
