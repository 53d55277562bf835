"""Writes a tiny Molmo folder with its golden file. See README.md.

transformers has no Molmo; the published checkpoints bring their own code. This is an independent composition of what that
code computes, in plain PyTorch under the names of the checkpoints: the dense models (`--text qwen2`, `olmo`), and the one
with experts (`olmoe`), whose fields and names are its own.
"""

import argparse
import json
import math
import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from common import NEW_TOKENS, Sample, picture, randomize, save_golden, seed_everything, tiny_tokenizer, usable, write_tensors

VARIANTS = [
    "landscape", "portrait", "strip", "square", "small", "gray", "alpha", "bf16", "sharded", "text-only", "batch-left", "batch-right",
]
END = "<|endoftext|>"
SPECIALS = [END, "<im_start>", "<im_end>", "<im_patch>", "<im_col>", "<|image|>"]
MEAN, STD = (np.array(x, np.float32) for x in ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]))


# The model


class RmsNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def attend(q, k, v, heads, kv_heads, visible=None):
    """`q` [B, L, D], `k`, `v` [B, S, D']; `visible` [L, S] booleans."""
    q, k, v = (x.unflatten(-1, (n, -1)).transpose(1, 2) for x, n in ((q, heads), (k, kv_heads), (v, kv_heads)))
    k, v = (x.repeat_interleave(heads // kv_heads, dim=1) for x in (k, v))
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if visible is not None:
        scores = scores.masked_fill(~visible, -math.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


class VisionAttention(nn.Module):
    def __init__(self, in_size, size, heads):
        super().__init__()
        self.heads = heads
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(n, size) for n in (in_size, in_size, in_size, size))

    def forward(self, x, keys=None):
        keys = x if keys is None else keys
        return self.wo(attend(self.wq(x), self.wk(keys), self.wv(keys), self.heads, self.heads))


class FeedForward(nn.Module):
    def __init__(self, size, inner):
        super().__init__()
        self.w1, self.w2 = nn.Linear(size, inner), nn.Linear(inner, size)

    def forward(self, x):
        x = self.w1(x)
        return self.w2(x * torch.sigmoid(1.702 * x))


class VisionBlock(nn.Module):
    def __init__(self, v):
        super().__init__()
        size = v["image_emb_dim"]
        self.attention = VisionAttention(size, size, v["image_num_heads"])
        self.feed_forward = FeedForward(size, v["image_mlp_dim"])
        self.attention_norm, self.ffn_norm = (nn.LayerNorm(size, eps=v["image_norm_eps"]) for _ in range(2))

    def forward(self, x):
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.ffn_norm(x))


class VisionTransformer(nn.Module):
    def __init__(self, v):
        super().__init__()
        size, patch = v["image_emb_dim"], v["image_patch_size"]
        self.class_embedding = nn.Parameter(torch.zeros(size))
        self.positional_embedding = nn.Parameter(torch.zeros(v["image_num_pos"], size))
        self.patch_embedding = nn.Linear(3 * patch * patch, size, bias=False)
        self.pre_ln = nn.LayerNorm(size, eps=v["image_norm_eps"])
        self.transformer = nn.ModuleDict({"resblocks": nn.ModuleList(VisionBlock(v) for _ in range(v["image_num_layers"]))})

    def forward(self, patches):
        x = torch.cat([self.class_embedding.expand(len(patches), 1, -1), self.patch_embedding(patches)], dim=1)
        x = self.pre_ln(x + self.positional_embedding)
        outputs = []
        for block in self.transformer["resblocks"]:
            x = block(x)
            outputs.append(x)
        return outputs


class Projector(nn.Module):
    def __init__(self, size, inner, out):
        super().__init__()
        self.w1, self.w2, self.w3 = nn.Linear(size, inner, bias=False), nn.Linear(inner, out, bias=False), nn.Linear(size, inner, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class VisionBackbone(nn.Module):
    def __init__(self, v, layers, inner, out):
        super().__init__()
        self.layers, self.side = layers, v["image_default_input_size"][0] // v["image_patch_size"]
        size = v["image_emb_dim"]
        self.image_vit = VisionTransformer(v)
        self.image_pooling_2d = VisionAttention(size * len(layers), size, v["image_num_heads"])
        self.image_projector = Projector(size, inner, out)
        self.pad_embed = nn.Parameter(torch.zeros(2, size * len(layers)))

    def forward(self, images, masks):
        """`images` [T, P, p * p * 3], `masks` [T, P] to [T, tokens, D]."""
        outputs = self.image_vit(images)
        return self.connect(torch.cat([outputs[layer] for layer in self.layers], dim=-1)[:, 1:], masks)

    def connect(self, features, masks):
        """The connector alone: `features` [T, P, D] of all chosen layers."""
        border, partly = masks == 0, (masks < 1) & (masks != 0)
        features = features + border[..., None] * self.pad_embed[0] + partly[..., None] * self.pad_embed[1]
        square = features.unflatten(1, (self.side, self.side))
        half = (self.side + 1) // 2
        filled = square.new_zeros(len(features), 2 * half, 2 * half, square.shape[-1])
        filled[:, : self.side, : self.side] = square
        windows = filled.unflatten(2, (half, 2)).unflatten(1, (half, 2)).transpose(2, 3).flatten(3, 4)
        windows = windows.reshape(-1, 4, square.shape[-1])
        pooled = self.image_pooling_2d(windows.mean(1, keepdim=True), windows)
        return self.image_projector(pooled).reshape(len(features), half * half, -1)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        size, self.heads, self.kv_heads = c["size"], c["heads"], c["kv_heads"]
        self.kv_size = size // self.heads * self.kv_heads
        self.att_proj = nn.Linear(size, size + 2 * self.kv_size, bias=c["qkv_bias"])
        self.attn_out = nn.Linear(size, size, bias=False)
        self.q_norm, self.k_norm = (RmsNorm(n, c["eps"]) if c["qk_norm"] else nn.Identity() for n in (size, self.kv_size))
        self.theta = c["theta"]

    def turn(self, x, positions):
        """Rotary positions, halves of a head together; `x` [B, L, heads * H]."""
        size = self.attn_out.in_features // self.heads
        angles = positions[..., None].float() / self.theta ** (torch.arange(0, size, 2).float() / size)
        cos, sin = angles.cos()[..., None, :], angles.sin()[..., None, :]
        first, second = x.unflatten(-1, (-1, size)).chunk(2, dim=-1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).flatten(-2)

    def forward(self, x, positions):
        q, k, v = self.att_proj(x).split([x.shape[-1], self.kv_size, self.kv_size], dim=-1)
        q, k = self.turn(self.q_norm(q), positions), self.turn(self.k_norm(k), positions)
        visible = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        return self.attn_out(attend(q, k, v, self.heads, self.kv_heads, visible))


class DenseBlock(Attention):
    """The dense models have everything of a layer side by side."""

    def __init__(self, c):
        super().__init__(c)
        self.norm_after = c["norm_after"]
        self.attn_norm, self.ff_norm = RmsNorm(c["size"], c["eps"]), RmsNorm(c["size"], c["eps"])
        self.ff_proj = nn.Linear(c["size"], 2 * c["inner"], bias=False)
        self.ff_out = nn.Linear(c["inner"], c["size"], bias=False)

    def mlp(self, x):
        up, gate = self.ff_proj(x).chunk(2, dim=-1)
        return self.ff_out(F.silu(gate) * up)

    def forward(self, x, positions):
        attention = super().forward
        if self.norm_after:
            x = x + self.attn_norm(attention(x, positions))
            return x + self.ff_norm(self.mlp(x))
        x = x + attention(self.attn_norm(x), positions)
        return x + self.mlp(self.ff_norm(x))


class Expert(nn.Module):
    def __init__(self, size, inner):
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = (
            nn.Linear(a, b, bias=False) for a, b in ((size, inner), (size, inner), (inner, size))
        )

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Experts(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.top = c["top"]
        self.gate = nn.Linear(c["size"], c["experts"], bias=False)
        self.experts = nn.ModuleList(Expert(c["size"], c["inner"]) for _ in range(c["experts"]))
        self.ff_norm = RmsNorm(c["size"], c["eps"])

    def forward(self, x):
        x = self.ff_norm(x)
        shares, chosen = self.gate(x).softmax(-1).topk(self.top, dim=-1)
        every = torch.stack([expert(x) for expert in self.experts], dim=-2)
        picked = every.gather(-2, chosen[..., None].expand(*chosen.shape, x.shape[-1]))
        return (shares[..., None] * picked).sum(-2)


class ExpertsBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.attn, self.mlp = Attention(c), Experts(c)
        self.attn.attn_norm = RmsNorm(c["size"], c["eps"])

    def forward(self, x, positions):
        x = x + self.attn(self.attn.attn_norm(x), positions)
        return x + self.mlp(x)


class Embedding(nn.Module):
    def __init__(self, rows, extra, size):
        super().__init__()
        self.embedding, self.new_embedding = nn.Parameter(torch.zeros(rows, size)), nn.Parameter(torch.zeros(extra, size))

    def forward(self, ids):
        return F.embedding(ids, torch.cat([self.embedding, self.new_embedding]))


class Molmo(nn.Module):
    """Rows of a batch are computed one after another, without their padding."""

    def __init__(self, c, v, layers):
        super().__init__()
        transformer = {
            "wte": Embedding(c["rows"], c["extra"], c["size"]),
            "blocks": nn.ModuleList((ExpertsBlock if c["experts"] else DenseBlock)(c) for _ in range(c["layers"])),
            "ln_f": RmsNorm(c["size"], c["eps"]),
        }
        self.head = [nn.Linear(c["size"], c["rows"], bias=False)]
        if c["experts"]:
            self.lm_head = self.head[0]
        else:
            transformer["ff_out"] = self.head[0]
        self.model = nn.ModuleDict(
            {"transformer": nn.ModuleDict(transformer), "vision_backbone": VisionBackbone(v, layers, c["inner"], c["size"])}
        )
        # What the shared code asks of a model.
        self.config = argparse.Namespace(tie_word_embeddings=False)

    def tie_weights(self):
        pass

    def see(self, images, image_masks):
        """All crops of all rows that are no filler: `[B, T, tokens, D]`, zeros for filler."""
        shape = images.shape[:2]
        images, masks = images.flatten(0, 1), image_masks.flatten(0, 1)
        real = ~(images == -1).all(-1).all(-1)
        features = self.model["vision_backbone"](images, masks)
        return (features * real[:, None, None]).unflatten(0, shape)

    def row(self, ids, features, places):
        transformer = self.model["transformer"]
        x = transformer["wte"](ids)
        for crop_features, crop_places in zip(features, places):
            for feature, place in zip(crop_features, crop_places.tolist()):
                if place >= 0:
                    x[place] = x[place] + feature
        x = x[None]
        for block in transformer["blocks"]:
            x = block(x, torch.arange(len(ids)))
        return self.head[0](transformer["ln_f"](x))[0]

    def rows(self, input_ids, attention_mask, images=None, image_masks=None, image_input_idx=None, **_):
        """Ids, features and places of each row, its padding left out."""
        features = self.see(images, image_masks) if images is not None else [[]] * len(input_ids)
        places = image_input_idx if images is not None else [[]] * len(input_ids)
        for ids, mask, own, at in zip(input_ids, attention_mask.bool(), features, places):
            first = int(mask.long().argmax())
            yield mask, ids[mask], own, [torch.where(crop >= 0, crop - first, crop) for crop in at]

    def forward(self, use_cache=False, **inputs):
        logits = []
        for mask, ids, features, places in self.rows(**inputs):
            row = torch.zeros(len(mask), self.head[0].out_features)
            row[mask] = self.row(ids, features, places)
            logits.append(row)
        return argparse.Namespace(logits=torch.stack(logits))

    def generate(self, **inputs):
        gap, generated = math.inf, []
        for _, ids, features, places in self.rows(**inputs):
            for _ in range(NEW_TOKENS):
                best = self.row(ids, features, places)[-1].topk(2)
                gap = min(gap, float(best.values[0] - best.values[1]))
                ids = torch.cat([ids, best.indices[:1]])
            generated.append(ids[-NEW_TOKENS:])
        return torch.stack(generated), gap


# The processor


class Processor:
    """Pictures as the published processor cuts them; all arithmetic that is rounded to whole numbers is in float32."""

    def __init__(self, tokenizer, side, patch, margins, max_crops):
        self.tokenizer, self.side, self.patch, self.margins, self.max_crops = tokenizer, side, patch, margins, max_crops
        self.count = side // patch
        self.half = (self.count + 1) // 2
        self.window = self.count - sum(margins)
        self.ids = dict(zip(SPECIALS, tokenizer.convert_tokens_to_ids(SPECIALS)))

    def tiling(self, height, width):
        border = sum(self.margins) * self.patch
        numbers = range(1, self.max_crops + 1)
        grids = sorted(((i, j) for i in numbers for j in numbers if i * j <= self.max_crops), key=lambda g: (g[0] * g[1], g[0]))
        with np.errstate(divide="ignore"):
            across = np.array(grids, np.float32) * np.float32(self.window * self.patch)
            scales = (across / np.array([height - border, width - border], np.float32)).min(axis=1)
        if (scales < 1).all():
            return grids[int(scales.argmax())]
        return grids[int(np.where(scales < 1, np.float32(1e10), scales).argmin())]

    @staticmethod
    def size_in(own_height, own_width, height, width):
        """The height and width of a picture within a canvas."""
        scale = min(np.float32(height) / np.float32(own_height), np.float32(width) / np.float32(own_width))
        return [int(np.float32(own_height) * scale), int(np.float32(own_width) * scale)]

    def fit(self, image, height, width):
        """Resized with its proportions into the middle of a black canvas, and which pixels are its own."""
        size = self.size_in(*image.shape[:2], height, width)
        samples = torch.from_numpy(image.astype(np.float32) / np.float32(255)).permute(2, 0, 1)[None]
        resized = F.interpolate(samples, size=size, mode="bilinear", align_corners=False, antialias=True).clamp(0, 1)
        top, left = (height - size[0]) // 2, (width - size[1]) // 2
        canvas, own = np.zeros((height, width, 3), np.float32), np.zeros((height, width), bool)
        canvas[top : top + size[0], left : left + size[1]] = resized[0].permute(1, 2, 0).numpy()
        own[top : top + size[0], left : left + size[1]] = True
        return (canvas - MEAN) / STD, own

    def patches(self, square):
        """`[S, S, …]` to `[P, …]`, patches row by row."""
        n, p = self.count, self.patch
        return np.moveaxis(square.reshape(n, p, n, p, *square.shape[2:]), 2, 1).reshape(n * n, -1)

    def __call__(self, image):
        """`images` [T, P, p * p * 3], `image_masks` [T, P], `image_input_idx` [T, tokens], and the ids of the picture."""
        image = np.asarray(image.convert("RGB"))
        rows, columns = self.tiling(*image.shape[:2])
        left = self.margins[0]
        sides = [n * self.window + sum(self.margins) for n in (rows, columns)]
        canvas, own = self.fit(image, *(n * self.patch for n in sides))
        whole, _ = self.fit(image, self.side, self.side)
        high, wide = ((n + 1) // 2 for n in sides)

        start, end, patch, column = (self.ids[name] for name in ("<im_start>", "<im_end>", "<im_patch>", "<im_col>"))
        ids = [start, *([patch] * self.half + [column]) * self.half, end]
        begin = len(ids) + 1
        ids += [start, *([patch] * wide + [column]) * high, end]

        # Before the picture stands one token.
        places = [[1 + 1 + r * (self.half + 1) + c for r in range(self.half) for c in range(self.half)]]
        images, masks = [self.patches(whole)], []
        kept = lambda n, of: range(0 if n == 0 else left // 2, self.half if n == of - 1 else (self.count - self.margins[1] + 1) // 2)
        before = lambda n, of: sum(len(kept(k, of)) for k in range(n))
        for i in range(rows):
            for j in range(columns):
                y, x = (n * self.window * self.patch for n in (i, j))
                view = (slice(y, y + self.side), slice(x, x + self.side))
                images.append(self.patches(canvas[view]))
                masks.append(self.patches(own[view]).astype(np.float32).mean(-1))
                down, over = kept(i, rows), kept(j, columns)
                at = [
                    1 + begin + (before(i, rows) + r - down[0]) * (wide + 1) + before(j, columns) + c - over[0]
                    if r in down and c in over
                    else -100
                    for r in range(self.half)
                    for c in range(self.half)
                ]
                places.append(at)
        # The masks of the crops stand one place too early, as in training.
        masks.append(np.full(self.count**2, -1, np.float32))
        arrays = np.stack(images), np.stack(masks), np.array(places, np.int64)
        return *(torch.from_numpy(a) for a in arrays), ids

    def pixels(self, images):
        """`[T, P, p * p * 3]` as `[T, 3, S, S]`."""
        n, p = self.count, self.patch
        return images.reshape(-1, n, n, p, p, 3).permute(0, 5, 1, 3, 2, 4).reshape(-1, 3, self.side, self.side).contiguous()

    def sample(self, question, image=None):
        text = self.tokenizer.encode(f" User: {question} Assistant:", add_special_tokens=False)
        first = [self.ids[END]]
        if image is None:
            return {"input_ids": torch.tensor([first + text])}
        images, masks, places, ids = self(image)
        names = ("input_ids", "images", "image_masks", "image_input_idx")
        return dict(zip(names, (x[None] for x in (torch.tensor(first + ids + text), images, masks, places))))


def batch(samples, side):
    """Samples of different lengths as one batch; padding has the id 0, crops that are none are -1 all over."""
    length = max(s["input_ids"].shape[1] for s in samples)
    crops = max(s["images"].shape[1] if "images" in s else 0 for s in samples)
    like = next(s for s in samples if "images" in s)
    joined = {name: [] for name in ("input_ids", "attention_mask", "position_ids", "images", "image_masks", "image_input_idx")}
    for s in samples:
        ids = s["input_ids"][0]
        missing = length - len(ids)
        before, after = (missing, 0) if side == "left" else (0, missing)
        joined["input_ids"].append(F.pad(ids, (before, after)))
        mask = F.pad(torch.ones_like(ids), (before, after))
        joined["attention_mask"].append(mask)
        joined["position_ids"].append((mask.cumsum(0) - 1).clamp(min=0))
        for name, filler in (("images", -1), ("image_masks", -1), ("image_input_idx", -100)):
            own = s[name][0] if name in s else like[name][0][:0]
            if name == "image_input_idx":
                own = torch.where(own >= 0, own + before, own)
            joined[name].append(torch.cat([own, own.new_full((crops - len(own), *own.shape[1:]), filler)]))
    return {name: torch.stack(values) for name, values in joined.items()}


# Writing


def draw_weights(model, seed):
    """Shared randomisation, and what it does not know the names of."""
    randomize(model, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            fresh = torch.randn(parameter.shape, generator=generator)
            if "wte." in name:
                parameter.copy_(0.7 * fresh)
            elif name.endswith(("transformer.ff_out.weight", "lm_head.weight")):
                parameter.copy_(1.6 * fresh / math.sqrt(parameter.shape[1]))
            elif name.endswith("pad_embed"):
                parameter.copy_(0.8 * fresh)
            elif name.endswith("pre_ln.weight"):
                parameter.copy_(1 + 0.2 * fresh)


def outputs_of(model, sample):
    inputs = sample.inputs
    with torch.no_grad():
        logits = model(**inputs).logits
        features = None
        if "images" in inputs:
            seen = model.see(inputs["images"], inputs["image_masks"])
            rows = []
            for own, at in zip(seen.flatten(1, 2), inputs["image_input_idx"].flatten(1)):
                order = at.argsort(stable=True)
                rows.append(own[order[at[order] >= 0]])
            features = torch.cat(rows)
        if not sample.continues:
            return logits, features, None, math.inf
        generated, gap = model.generate(**inputs)
    return logits, features, generated, gap


def unseen(model, sample, logits):
    """Why the answers hardly depend on the picture or its borders, if so."""
    inputs = sample.inputs
    if "images" not in inputs:
        return None
    valid = inputs["attention_mask"].bool()
    filler = (inputs["images"] == -1).all(-1, keepdim=True)
    changes = {
        "the picture": {"images": torch.where(filler, inputs["images"], inputs["images"] * 0.7 + 0.3)},
        "the masks": {"image_masks": torch.ones_like(inputs["image_masks"])},
    }
    for what, change in changes.items():
        with torch.no_grad():
            if float((model(**inputs | change).logits - logits)[valid].abs().max()) < 0.1:
                return f"the logits hardly depend on {what}"
    return None


def save_weights(out, state, shards):
    if shards == 1:
        write_tensors(state, out / "model.safetensors")
        return
    names = sorted(state)
    groups = [names[i::shards] for i in range(shards)]
    where = {}
    for number, group in enumerate(groups, 1):
        file = f"model-{number:05}-of-{shards:05}.safetensors"
        write_tensors({name: state[name] for name in group}, out / file)
        where |= dict.fromkeys(group, file)
    index = {"metadata": {}, "weight_map": dict(sorted(where.items()))}
    (out / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def config_files(c, v, layers, vocab_size, processor):
    """`config.json` of the dense models, whose tower is fixed in code and stated here; or of the model with experts."""
    vision = {"vision_backbone": v} | ({} if layers == [-2, -9] else {"vit_layers": layers})
    if c["experts"]:
        config = {
            "d_model": c["size"], "n_heads": c["heads"], "n_kv_heads": None, "n_layers": c["layers"], "mlp_ratio": 1,
            "mlp_hidden_size": 2 * c["inner"], "moe_num_experts": c["experts"], "moe_top_k": c["top"], "block_type": "moe",
            "attention_layer_norm": True, "layer_norm_eps": c["eps"], "layer_norm_type": "rms", "rope_theta": c["theta"],
            "vocab_size": vocab_size, "embedding_size": c["rows"], "additional_vocab_size": c["extra"], "qkv_bias": False,
            "norm_after": False, "clip_qkv": None, "weight_tying": False, "include_bias": False, "rope": True, "rope_impl": "llama",
            "activation_type": "swiglu", "image_pooling_2d": "attention-meanq", "image_pooling_h": 2, "image_pooling_w": 2,
            "image_projector": "mlp", "image_padding_embed": "pad_and_partial_pad", "max_position_embeddings": 512,
        }
    else:
        config = {
            "hidden_size": c["size"], "num_attention_heads": c["heads"], "num_key_value_heads": c["kv_heads"],
            "num_hidden_layers": c["layers"], "intermediate_size": 2 * c["inner"], "attention_layer_norm": c["qk_norm"],
            "layer_norm_eps": c["eps"], "layer_norm_type": "rms", "norm_after": c["norm_after"], "rope_theta": c["theta"],
            "qkv_bias": c["qkv_bias"], "vocab_size": vocab_size, "embedding_size": c["rows"], "clip_qkv": None,
            "weight_tying": False, "tie_word_embeddings": False, "use_position_ids": True, "max_position_embeddings": 512,
        }
    preprocessor = {
        "image_processor_type": "MolmoImageProcessor", "base_image_input_size": [processor.side, processor.side],
        "do_normalize": True, "image_mean": [round(float(x), 8) for x in MEAN], "image_std": [round(float(x), 8) for x in STD],
        "image_padding_mask": True, "image_patch_size": processor.patch, "image_token_length_h": processor.half,
        "image_token_length_w": processor.half, "max_crops": processor.max_crops, "overlap_margins": processor.margins,
    }
    return {"model_type": "molmo", "architectures": ["MolmoForCausalLM"], **config, **vision}, preprocessor


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--variant", choices=VARIANTS, default="landscape")
    arguments.add_argument("--text", choices=["qwen2", "olmo", "olmoe"], default="qwen2")
    arguments.add_argument("--odd", action="store_true", help="an odd number of patches, which pooling fills up")
    arguments = arguments.parse_args()
    seed, variant, text, out = arguments.seed, arguments.variant, arguments.text, arguments.out

    draw = random.Random(seed * 104729 + 7)
    patch, count = draw.choice([3, 4]), 7 if arguments.odd else draw.choice([6, 8])
    margins = [2, 1] if arguments.odd else [2, 2]
    side = patch * count
    heads, head_dim = draw.choice([(2, 5), (3, 3), (2, 7)])
    v = {
        "image_default_input_size": [side, side], "image_patch_size": patch, "image_emb_dim": heads * head_dim,
        "image_num_heads": heads, "image_num_key_value_heads": heads, "image_head_dim": head_dim,
        "image_num_layers": 10 if text == "qwen2" else 5, "image_mlp_dim": draw.choice([17, 21]),
        "image_mlp_activations": "quick_gelu", "image_num_pos": count * count + 1, "image_norm_eps": draw.choice([1e-5, 3e-5]),
    }
    layers = [-2, -9] if text == "qwen2" else [-2, -4]

    pieces = 296 + seed % 13
    tokenizer = tiny_tokenizer("qwen2", SPECIALS, pieces + 5, eos=END, pad=END)
    # A template that is not Molmo's, as in the published files.
    tokenizer.chat_template = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}{% endfor %}"
    llm_heads, kv_heads = {"qwen2": draw.choice([(6, 2), (4, 2), (3, 1)]), "olmo": (3, 3), "olmoe": (2, 2)}[text]
    c = {
        "size": llm_heads * draw.choice([6, 8]), "heads": llm_heads, "kv_heads": kv_heads, "layers": 2,
        "inner": draw.choice([19, 23, 27]), "eps": draw.choice([1e-6, 1e-5]), "theta": draw.choice([1e4, 5e5, 1e6]),
        "qkv_bias": text == "qwen2", "qk_norm": text != "qwen2", "norm_after": text == "olmo",
        "experts": draw.choice([5, 6]) if text == "olmoe" else 0, "top": draw.choice([2, 3]),
        # Of OLMo the tokens of pictures are among the spare rows of the table.
        "rows": pieces + (0 if text == "qwen2" else 9), "extra": 128 if text != "olmoe" else 11,
    }
    processor = Processor(tokenizer, side, patch, margins, draw.choice([4, 5]))

    shapes = {
        "landscape": (2.3, 1.1), "portrait": (0.9, 1.9), "strip": (3.3, 0.4), "square": (1.6, 1.7), "small": (0.45, 0.3),
    }
    usual = (1.6, 0.7) if variant.startswith("batch") else (1.9, 1.2)
    width, height = (round(n * side) for n in shapes.get(variant, usual))
    image = picture(seed * 10, width, height)
    if variant == "gray":
        image = image.convert("L")
    if variant == "alpha":
        image.putalpha(Image.fromarray(np.linspace(0, 255, width * height).reshape(height, width).astype(np.uint8)))
    question = "Is it a star?"
    if variant.startswith("batch"):
        other = picture(seed * 10 + 1, round(0.8 * side), round(0.9 * side))
        samples = [processor.sample(question, image), processor.sample("What?", other), processor.sample("Who are you?")]
        inputs = batch(samples, variant.removeprefix("batch-"))
        if variant == "batch-right":
            del inputs["position_ids"]
        sample = Sample(inputs, continues=variant == "batch-left")
    else:
        inputs = processor.sample(question, None if variant == "text-only" else image)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        seen = variant != "text-only"
        prompt = f"{END}{'<im_patch>' if seen else ''} User: {question} Assistant:"
        names = ("image_masks", "image_input_idx") if seen else ()
        expected = {name: inputs[name].clone() for name in names}
        if seen:
            expected["pixel_values"] = processor.pixels(inputs["images"][0])
        sample = Sample(inputs, prompt, [image] if seen else [], expected=expected)

    out.mkdir(parents=True, exist_ok=True)
    avoid = set(processor.ids.values()) | set(range(pieces + 5, c["rows"] + 200))
    reasons = []
    for attempt in range(300):
        weight_seed = seed + 1000003 * attempt
        seed_everything(weight_seed)
        model = Molmo(c, v, layers).eval()
        draw_weights(model, weight_seed)
        if variant == "bf16":
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.copy_(parameter.to(torch.bfloat16))
        outputs = outputs_of(model, sample)
        reason = usable(model, sample, outputs, avoid) or unseen(model, sample, outputs[0])
        if reason is None:
            break
        reasons.append(reason)
    else:
        raise RuntimeError(f"No good weights for {out} in 300 draws: {sorted(set(reasons))}.")

    for old in out.iterdir():
        if old.is_file():
            old.unlink()
    dtype = torch.bfloat16 if variant == "bf16" else torch.float32
    state = {name: value.detach().to(dtype).contiguous() for name, value in model.state_dict().items()}
    save_weights(out, state, 3 if variant == "sharded" else 1)
    config, preprocessor = config_files(c, v, layers, pieces, processor)
    for name, value in (
        ("config.json", config),
        ("preprocessor_config.json", preprocessor),
        ("generation_config.json", {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.eos_token_id}),
    ):
        (out / name).write_text(json.dumps(value, indent=2) + "\n")
    tokenizer.save_pretrained(out)
    script = f"molmo.py --text {text} --variant {variant}{' --odd' if arguments.odd else ''}"
    save_golden(out, sample, seed, weight_seed, script, outputs, "independent composition")
    for path in out.iterdir():
        path.chmod(0o644)
    size = sum(path.stat().st_size for path in out.iterdir()) / 1024
    print(
        f"{out.name}: {size:.0f} KB, ids {list(sample.inputs['input_ids'].shape)}, "
        f"crops {list(sample.inputs['images'].shape) if 'images' in sample.inputs else '-'}, smallest gap {outputs[3]:.3f}, draws {len(reasons) + 1}"
    )


if __name__ == "__main__":
    main()
