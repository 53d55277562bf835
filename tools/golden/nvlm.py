"""Writes a tiny NVLM-D, NVLM-X or NVLM-H folder with its golden file. See README.md.

There is no reference implementation of the three together, and none of X and H at all. This is an independent
composition of the paper (arXiv 2409.11402): InternVL's tower and Qwen2 come from transformers, the cross-attention
layers, their masks and the layout of the tokens are written here from the paper's text and figures.
"""

import argparse
import json
import math
import random
import re
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn
from transformers import InternVLVisionConfig, InternVLVisionModel, Qwen2Config, Qwen2ForCausalLM
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

from common import NEW_TOKENS, Sample, picture, randomize, save_golden, seed_everything, text_config, through_png, tiny_tokenizer, usable, write_tensors

VARIANTS = ["plain", "two-pictures", "later", "single-tile", "batch"]
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"]
PAD = "<|vision_pad|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<|vision_pad|>\n' }}{% else %}{{ part['text'] }}"
    "{% endif %}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MAX_TILES = 6


class RmsNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)


class CrossAttention(nn.Module):
    def __init__(self, config, head_dim):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = config.num_attention_heads, config.num_key_value_heads, head_dim
        size = config.hidden_size
        self.q_proj = nn.Linear(size, self.heads * head_dim, bias=False)
        self.k_proj = nn.Linear(size, self.kv_heads * head_dim, bias=False)
        self.v_proj = nn.Linear(size, self.kv_heads * head_dim, bias=False)
        self.o_proj = nn.Linear(self.heads * head_dim, size, bias=False)
        self.q_norm, self.k_norm = RmsNorm(head_dim, config.rms_norm_eps), RmsNorm(head_dim, config.rms_norm_eps)

    def forward(self, x, keys, visible):
        """`x` [L, D], `keys` [S, D], `visible` [L, S]; rows that see nothing get whatever the softmax gives."""
        q = self.q_norm(self.q_proj(x).unflatten(-1, (self.heads, self.head_dim)))
        k = self.k_norm(self.k_proj(keys).unflatten(-1, (self.kv_heads, self.head_dim)))
        v = self.v_proj(keys).unflatten(-1, (self.kv_heads, self.head_dim))
        group = self.heads // self.kv_heads
        k, v = (t.repeat_interleave(group, dim=1) for t in (k, v))
        scores = torch.einsum("lhd,shd->hls", q, k) / math.sqrt(self.head_dim)
        scores = scores.masked_fill(~visible, torch.finfo(torch.float32).min)
        return self.o_proj(torch.einsum("hls,shd->lhd", scores.softmax(-1), v).flatten(1))


class Mlp(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x):
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class GatedCrossAttentionLayer(nn.Module):
    """Before every nth layer of the language model; a token that sees no tile passes unchanged."""

    def __init__(self, config, head_dim):
        super().__init__()
        self.input_layernorm = RmsNorm(config.hidden_size, config.rms_norm_eps)
        self.cross_attn = CrossAttention(config, head_dim)
        self.cross_attn_attn_gate = nn.Parameter(torch.zeros(1))
        self.post_attention_layernorm = RmsNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = Mlp(config)
        self.cross_attn_mlp_gate = nn.Parameter(torch.zeros(1))

    def forward(self, x, keys, visible):
        sees = visible.any(-1, keepdim=True).float()
        x = x + self.cross_attn_attn_gate.tanh() * sees * self.cross_attn(self.input_layernorm(x), keys, visible)
        return x + self.cross_attn_mlp_gate.tanh() * sees * self.mlp(self.post_attention_layernorm(x))


class Nvlm(nn.Module):
    """`method` is D, X or H. Rows of a batch are computed one after another, without their padding."""

    def __init__(self, method, vision, text, every, tags, pad_id):
        super().__init__()
        self.method, self.tags, self.pad_id = method, tags, pad_id
        self.vision_model = InternVLVisionModel(vision)
        self.language_model = Qwen2ForCausalLM(text)
        joined, size = 4 * vision.hidden_size, text.hidden_size
        layers = [nn.LayerNorm(joined), nn.Linear(joined, size if method == "X" else text.intermediate_size, bias=False)]
        if method != "X":
            layers += [nn.GELU(), nn.Linear(text.intermediate_size, size, bias=False)]
        self.mlp1 = nn.Sequential(*layers)
        places = range(every - 1, text.num_hidden_layers, every) if method != "D" else []
        self.cross_attn_layers = nn.ModuleDict({str(i): GatedCrossAttentionLayer(text, text.head_dim) for i in places})
        self.seen = None
        for i, layer in self.cross_attn_layers.items():
            self.language_model.model.layers[int(i)].register_forward_pre_hook(self.hook(layer), with_kwargs=True)
        # What the shared code asks of a model.
        self.config = SimpleNamespace(tie_word_embeddings=text.tie_word_embeddings)

    def tie_weights(self):
        self.language_model.tie_weights()

    def hook(self, layer):
        def apply(_, args, keywords):
            if self.seen is None:
                return None
            return (layer(args[0][0], *self.seen)[None], *args[1:]), keywords

        return apply

    def encode(self, pixels):
        """All tiles: `[tiles, P / 4, D]`."""
        features = self.vision_model(pixels).last_hidden_state[:, 1:]
        side = math.isqrt(features.shape[1])
        blocks = features.unflatten(1, (side // 2, 2, side // 2, 2)).permute(0, 1, 3, 2, 4, 5)
        return self.mlp1(blocks.reshape(len(pixels), -1, 4 * features.shape[-1]))

    def row(self, ids, tiles):
        """Logits of one row. `tiles`: the embeddings of each of its pictures, `[tiles, P, D]`."""
        embeds = self.language_model.model.embed_tokens(ids)
        marks = [[] for _ in tiles]
        owner = 0
        for at in (ids == self.pad_id).nonzero().flatten().tolist():
            if owner == len(tiles):
                break  # A generated token that means nothing.
            marks[owner].append(at)
            wanted = {"D": tiles[owner].shape[0] * tiles[owner].shape[1], "X": tiles[owner].shape[0], "H": tiles[owner].shape[1]}
            owner += len(marks[owner]) == wanted[self.method]
        keys, visible = [], []
        for rows, places in zip(tiles, marks):
            if self.method == "D":
                embeds[places] = rows.flatten(0, 1)
                continue
            if self.method == "H":
                embeds[places] = rows[-1]
                rows = rows[:-1]
            for number, tile in enumerate(rows):
                if self.method == "H":
                    tag = self.language_model.model.embed_tokens(torch.tensor(self.tags[number]))
                    tile = torch.cat([tag, tile])
                keys.append(tile)
                sees = torch.arange(len(ids)) >= places[0]
                visible.append(sees[:, None].expand(-1, len(tile)))
        if self.method == "X":
            visible = self.by_tag(visible, marks, [len(rows) for rows in tiles])
        self.seen = (torch.cat(keys), torch.cat(visible, dim=1)) if keys else None
        logits = self.language_model(inputs_embeds=embeds[None], use_cache=False).logits[0]
        self.seen = None
        return logits

    def by_tag(self, visible, marks, counts):
        """Tokens of a tag, and the mark after it, see their own tile only."""
        visible = [v.clone() for v in visible]
        number = 0
        for places, count in zip(marks, counts):
            for tile, place in enumerate(places):
                tag = self.tags[-1] if tile == count - 1 else self.tags[tile]
                for other, mask in enumerate(visible):
                    mask[max(0, place - len(tag)) : place + 1] = other == number + tile
            number += count
        return visible

    def pictures_of(self, pixel_values, num_tiles):
        embeds = self.encode(pixel_values)
        groups = iter(embeds.split(num_tiles.flatten().tolist()))
        return embeds, [[rows for rows in (next(groups) for _ in row) if len(rows)] for row in num_tiles]

    def forward(self, input_ids, attention_mask, pixel_values=None, num_tiles=None, use_cache=False, **_):
        tiles = self.pictures_of(pixel_values, num_tiles)[1] if pixel_values is not None else [[] for _ in input_ids]
        rows = []
        for ids, mask, own in zip(input_ids, attention_mask.bool(), tiles):
            logits = torch.zeros(len(ids), self.language_model.config.vocab_size)
            logits[mask] = self.row(ids[mask], own)
            rows.append(logits)
        return SimpleNamespace(logits=torch.stack(rows))

    def generate(self, input_ids, attention_mask, pixel_values=None, num_tiles=None, **_):
        tiles = self.pictures_of(pixel_values, num_tiles)[1] if pixel_values is not None else [[] for _ in input_ids]
        gap, generated = math.inf, []
        for ids, mask, own in zip(input_ids, attention_mask.bool(), tiles):
            ids = ids[mask]
            for _ in range(NEW_TOKENS):
                best = self.row(ids, own)[-1].topk(2)
                gap = min(gap, float(best.values[0] - best.values[1]))
                ids = torch.cat([ids, best.indices[:1]])
            generated.append(ids[-NEW_TOKENS:])
        return torch.stack(generated), gap


def outputs_of(model, sample):
    with torch.no_grad():
        logits = model(**sample.inputs).logits
        features = model.encode(sample.inputs["pixel_values"]).flatten(0, 1) if "pixel_values" in sample.inputs else None
        generated, gap = model.generate(**sample.inputs)
    return logits, features, generated, gap


def image_text(method, tiles, per_tile):
    tags = [f"<tile_{i + 1}>" for i in range(tiles - 1)] + ["<tile_global_thumbnail>"]
    if method == "H":
        inner = tags[-1] + PAD * per_tile
    else:
        inner = "".join(tag + PAD * (per_tile if method == "D" else 1) for tag in tags)
    return f"<Image>{inner}</Image>"


def original_names(state):
    """The state under the names of the original repository: q, k and v in one tensor, other words for the rest."""
    stored = {}
    for name, value in state.items():
        if match := re.fullmatch(r"vision_model\.encoder\.layer\.(\d+)\.attention\.([qkv])_proj\.(weight|bias)", name):
            layer, part, kind = match.groups()
            if part == "q":
                parts = [state[name.replace("q_proj", f"{other}_proj")] for other in "qkv"]
                stored[f"vision_model.encoder.layers.{layer}.attn.qkv.{kind}"] = torch.cat(parts)
            continue
        for old, new in (
            ("embeddings.cls_token", "embeddings.class_embedding"),
            ("embeddings.position_embeddings", "embeddings.position_embedding"),
            ("embeddings.patch_embeddings.projection", "embeddings.patch_embedding"),
            ("encoder.layer.", "encoder.layers."),
            ("layernorm_before", "norm1"),
            ("layernorm_after", "norm2"),
            ("lambda_1", "ls1"),
            ("lambda_2", "ls2"),
            ("attention.projection_layer", "attn.proj"),
            ("attention.", "attn."),
        ):
            if name.startswith("vision_model."):
                name = name.replace(old, new)
        if name.startswith("cross_attn_layers."):
            name = "language_model.model." + name
        stored[name] = value
    return stored


def write(out, seed, method, variant):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed * 104729 + 13)
    patch, heads, head_dim = draw.choice([3, 4]), draw.choice([2, 3]), draw.choice([4, 5])
    side = patch * 4
    vision = InternVLVisionConfig(
        hidden_size=heads * head_dim,
        intermediate_size=draw.choice([18, 22]),
        num_hidden_layers=2,
        num_attention_heads=heads,
        image_size=[side, side],
        patch_size=[patch, patch],
        norm_type="rms_norm",
        use_qk_norm=True,
    )
    vocab_size = 283 + seed % 7
    tokenizer = tiny_tokenizer("qwen2", SPECIALS, vocab_size, eos="<|im_end|>", pad="<|endoftext|>", extra={"image_token": PAD})
    tokenizer.chat_template = TEMPLATE
    pad_id = tokenizer.convert_tokens_to_ids(PAD)
    text = Qwen2Config(
        **(
            text_config(seed, vocab_size + 2, "qwen2")
            | {
                "num_hidden_layers": 4,
                "num_attention_heads": 4,
                "num_key_value_heads": draw.choice([1, 2]),
                "hidden_size": 20,
                "head_dim": 6,
                "intermediate_size": draw.choice([22, 26]),
                "bos_token_id": None,
                "eos_token_id": tokenizer.eos_token_id,
                "pad_token_id": tokenizer.pad_token_id,
            }
        )
    )
    for config in (vision, text):
        config._attn_implementation = "eager"
    tags = [
        tokenizer.encode(tag, add_special_tokens=False)
        for tag in [f"<tile_{i + 1}>" for i in range(MAX_TILES)] + ["<tile_global_thumbnail>"]
    ]
    every = draw.choice([2, 3])

    processor = GotOcr2ImageProcessorPil(
        size={"height": side, "width": side},
        crop_to_patches=True,
        min_patches=1,
        max_patches=MAX_TILES,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    # Width and height in tiles.
    shapes = [(1.0, 1.02)] if variant == "single-tile" else [(2.1, 1.0), (1.0, 2.9), (1.9, 2.1)]
    draw.shuffle(shapes)
    images = through_png([picture(seed * 10 + i, round(w * side), round(h * side)) for i, (w, h) in enumerate(shapes)])
    image = {"type": "image"}
    words = lambda content: {"type": "text", "text": content}
    contents = {
        "plain": [[image, words("It?")]],
        "single-tile": [[image, words("It?")]],
        "two-pictures": [[image, words("Red? "), image, words("It?")]],
        "later": [[words("A house. "), image, words("It?")]],
        "batch": [[image, words("A?")], [words("Red: "), image, words(" or "), image]],
    }[variant]
    prompts = [
        tokenizer.apply_chat_template([{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True)
        for content in contents
    ]
    per_tile = 4
    waiting = list(images)
    texts, groups = [], []
    for prompt in prompts:
        own = [waiting.pop(0) for _ in range(prompt.count(PAD))]
        counts = [len(processor(image, return_tensors="pt")["pixel_values"]) for image in own]
        pieces = prompt.split(PAD)
        texts.append("".join(p + (image_text(method, counts[i], per_tile) if i < len(counts) else "") for i, p in enumerate(pieces)))
        groups.append((own, counts))
    tokenizer.padding_side = "left"
    inputs = dict(tokenizer(texts, padding=True, return_tensors="pt"))
    inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    used = [image for own, _ in groups for image in own]
    most = max(len(counts) for _, counts in groups)
    inputs["pixel_values"] = torch.cat([processor(image, return_tensors="pt")["pixel_values"] for image in used])
    inputs["num_tiles"] = torch.tensor([counts + [0] * (most - len(counts)) for _, counts in groups])
    if variant == "batch":
        mask = inputs["attention_mask"]
        inputs["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)
        sample = Sample(inputs)
    else:
        sample = Sample(inputs, prompts[0], used)

    for attempt in range(200):
        weight_seed = seed + 1000003 * attempt
        seed_everything(weight_seed)
        model = randomize(Nvlm(method, vision, text, every, tags, pad_id).eval(), weight_seed)
        outputs = outputs_of(model, sample)
        avoid = {tokenizer.eos_token_id, tokenizer.pad_token_id, pad_id}
        if usable(model, sample, outputs, avoid) is None:
            break
    else:
        raise RuntimeError(f"No good weights for {out} in 200 draws.")

    for old in out.iterdir():
        old.unlink()
    stored = original_names(model.state_dict())
    write_tensors({name: value.contiguous() for name, value in stored.items()}, out / "model.safetensors")
    tokenizer.save_pretrained(out)
    processor.save_pretrained(out)
    config = {
        "model_type": {"D": "NVLM_D", "X": "nvlm_x", "H": "nvlm_h"}[method],
        "architectures": [f"NVLM_{method}"],
        "downsample_ratio": 0.5,
        "force_image_size": side,
        "max_dynamic_patch": MAX_TILES,
        "min_dynamic_patch": 1,
        "use_thumbnail": True,
        "select_layer": -1,
        "image_token_id": pad_id,
        "vision_config": {
            "hidden_size": vision.hidden_size,
            "intermediate_size": vision.intermediate_size,
            "num_hidden_layers": vision.num_hidden_layers,
            "num_attention_heads": vision.num_attention_heads,
            "image_size": side,
            "patch_size": patch,
            "hidden_act": "gelu",
            "layer_norm_eps": vision.layer_norm_eps,
            "norm_type": "rms_norm",
            "qk_normalization": True,
            "qkv_bias": False,
        },
        "llm_config": {key: value for key, value in text.to_dict().items() if key not in ("dtype", "transformers_version")},
    }
    if method != "D":
        config |= {"cross_attention_every": every, "tile_tag_ids": tags}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    save_golden(out, sample, seed, weight_seed, f"nvlm.py --method {method} --variant {variant}", outputs)
    for path in out.iterdir():
        path.chmod(0o644)
    size = sum(path.stat().st_size for path in out.iterdir()) / 1024
    return (
        f"{out.name}: {size:.0f} KB, ids {list(inputs['input_ids'].shape)}, tiles {inputs['num_tiles'].tolist()}, "
        f"logit deviation {float(outputs[0][inputs['attention_mask'].bool()].std()):.2f}, smallest gap {outputs[3]:.3f}, draws {attempt + 1}"
    )


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--method", choices=["D", "X", "H"], default="X")
    arguments.add_argument("--variant", choices=VARIANTS, default="plain")
    arguments = arguments.parse_args()
    print(write(arguments.out, arguments.seed, arguments.method, arguments.variant))


if __name__ == "__main__":
    main()
