"""Writes a tiny MM1.5 folder with its golden file. See README.md.

MM1.5 (arXiv 2409.20566) has no public code and no weights. This is an independent composition of what the paper says:
CLIP and Llama come from transformers, the C-Abstractor from c_abstractor.py (Honeybee), experts, splitting and layout are
written here. What the paper leaves open is decided as `packages/models/README.md` says.
"""

import argparse
import json
import math
import random
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from c_abstractor import CAbstractor
from common import NEW_TOKENS, Sample, picture, positions_of, randomize, save_golden, seed_everything, text_config, through_png, tiny_tokenizer, usable, write_tensors

VARIANTS = ["one", "two", "three", "wide-limits", "batch"]
IMAGE = "<image>"
SPECIALS = ["<|begin_of_text|>", "<|end_of_text|>", "<|pad|>", IMAGE]
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
EVERY = 2
"""Experts stand in every nth layer."""


def grid_of(width, height, side, least, most):
    """Rows and columns of tiles, and the scale, all exact."""
    best = None
    for rows in range(1, most + 1):
        for columns in range(1, most + 1):
            tiles = rows * columns
            if not least <= tiles <= most:
                continue
            scale = min(Fraction(rows * side, height), Fraction(columns * side, width))
            room = tiles * side * side - width * height * scale * scale
            # A grid that does not shrink the picture is better than one that does.
            key = (0, room, tiles, rows) if scale >= 1 else (1, -scale, room, tiles, rows)
            if best is None or key < best[0]:
                best = (key, rows, columns, scale)
    return best[1:]


def size_in(width, height, rows, columns, side, scale):
    """The width and height of a picture at a scale, within its tiles."""
    return tuple(
        min(max(1, math.floor(length * scale + Fraction(1, 2))), count * side)
        for length, count in ((width, columns), (height, rows))
    )


def fitted(image, rows, columns, side, scale):
    """The picture at a scale in the upper left corner of a canvas of tiles, which is filled with the mean."""
    size = size_in(image.width, image.height, rows, columns, side, scale)
    canvas = Image.new("RGB", (columns * side, rows * side), tuple(round(mean * 255) for mean in MEAN))
    canvas.paste(image.resize(size, Image.Resampling.BICUBIC), (0, 0))
    return canvas


def normalized(view):
    x = (np.asarray(view).astype(np.float64) * (1 / 255)).astype(np.float32)
    x = (x - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return torch.from_numpy(x.transpose(2, 0, 1).copy())


def split(image, index, total, side, limits):
    """Pixels of all views of a picture, and the indicator of each."""
    least, most = (1, 1) if total >= 3 else limits
    rows, columns, scale = grid_of(image.width, image.height, side, least, most)
    canvas = fitted(image, rows, columns, side, scale)
    if rows * columns == 1:
        return [normalized(canvas)], [f"({index},0,0)"]
    places = [(row, column) for row in range(rows) for column in range(columns)]
    views = [canvas.crop((c * side, r * side, (c + 1) * side, (r + 1) * side)) for r, c in places]
    whole = fitted(image, *grid_of(image.width, image.height, side, 1, 1)[:2], side, Fraction(side, max(image.size)))
    indicators = [f"({index},{r + 1},{c + 1})" for r, c in places] + [f"({index},0,0)"]
    return [normalized(view) for view in [*views, whole]], indicators


class Expert(nn.Module):
    def __init__(self, size, inner):
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(size, inner, bias=False), nn.Linear(size, inner, bias=False)
        self.down_proj = nn.Linear(inner, size, bias=False)

    def forward(self, x):
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Experts(nn.Module):
    """Each token goes through the two most probable experts; their probabilities are made to add up to 1."""

    def __init__(self, config, count, chosen):
        super().__init__()
        self.chosen = chosen
        self.gate = nn.Linear(config.hidden_size, count, bias=False)
        self.experts = nn.ModuleList(Expert(config.hidden_size, config.intermediate_size) for _ in range(count))

    def forward(self, x):
        probabilities = self.gate(x).softmax(-1)
        best = probabilities.topk(self.chosen)
        shares = best.values / best.values.sum(-1, keepdim=True)
        everything = torch.stack([expert(x) for expert in self.experts], dim=-2)
        own = everything.gather(-2, best.indices[..., None].expand(*best.indices.shape, x.shape[-1]))
        return (own * shares[..., None]).sum(-2)


class Mm15(nn.Module):
    def __init__(self, vision, projector, text, experts, image_id):
        super().__init__()
        self.vision_tower = CLIPVisionModel(vision)
        self.abstractor = CAbstractor(**projector)
        self.language_model = LlamaForCausalLM(text)
        if experts:
            for layer in self.language_model.model.layers[EVERY - 1 :: EVERY]:
                layer.mlp = Experts(text, **experts)
        self.image_id = image_id
        # What the shared code asks of a model.
        self.config = SimpleNamespace(tie_word_embeddings=text.tie_word_embeddings)

    def tie_weights(self):
        self.language_model.tie_weights()

    def encode(self, pixels):
        features = self.vision_tower(pixels).last_hidden_state[:, 1:]
        return self.abstractor(features).flatten(0, 1)

    def forward(self, input_ids, attention_mask, pixel_values, position_ids=None, use_cache=False, **_):
        embeds = self.language_model.model.embed_tokens(input_ids)
        embeds[input_ids == self.image_id] = self.encode(pixel_values)
        if position_ids is None:
            position_ids = positions_of(attention_mask)
        return self.language_model(
            inputs_embeds=embeds, attention_mask=attention_mask, position_ids=position_ids, use_cache=False
        )


def generate(model, inputs):
    """The greedy continuation, without a cache, and how sure each step was."""
    gap = math.inf
    inputs = {name: inputs[name] for name in ("input_ids", "attention_mask", "pixel_values")}
    # Later tokens are text: the pictures keep their places.
    embeds = model.language_model.model.embed_tokens(inputs["input_ids"])
    embeds[inputs["input_ids"] == model.image_id] = model.encode(inputs["pixel_values"])
    mask, generated = inputs["attention_mask"], []
    for _ in range(NEW_TOKENS):
        logits = model.language_model(
            inputs_embeds=embeds, attention_mask=mask, position_ids=positions_of(mask), use_cache=False
        ).logits[:, -1]
        best = logits.topk(2)
        gap = min(gap, float((best.values[:, 0] - best.values[:, 1]).min()))
        generated.append(best.indices[:, :1])
        embeds = torch.cat([embeds, model.language_model.model.embed_tokens(generated[-1])], dim=1)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
    return torch.cat(generated, dim=1), gap


def outputs_of(model, sample):
    with torch.no_grad():
        logits = model(**sample.inputs).logits
        features = model.encode(sample.inputs["pixel_values"])
        generated, gap = generate(model, sample.inputs)
    return logits, features, generated, gap


def stored_names(state, tied):
    """The state under the names of the recipe: CLIP's tower has one more segment in published checkpoints."""
    stored = {}
    for name, value in state.items():
        if tied and name == "language_model.lm_head.weight":
            continue
        if name.startswith("vision_tower.") and not name.startswith("vision_tower.vision_model."):
            name = name.replace("vision_tower.", "vision_tower.vision_model.", 1)
        stored[name] = value.contiguous()
    return stored


def write(out, seed, variant, experts, tied):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed * 104729 + 29)
    patch, heads, head_dim = draw.choice([3, 4]), draw.choice([2, 3]), draw.choice([4, 5])
    # Five patches in a row become three or two tokens: windows overlap.
    side = patch * 5
    vision = CLIPVisionConfig(
        hidden_size=heads * head_dim,
        intermediate_size=draw.choice([18, 22]),
        num_hidden_layers=2,
        num_attention_heads=heads,
        image_size=side,
        patch_size=patch,
        hidden_act="quick_gelu",
        layer_norm_eps=2e-5,
    )
    vocab_size = 277 + seed % 9
    begin, end, pad_token, _ = SPECIALS
    tokenizer = tiny_tokenizer("llama3", SPECIALS, vocab_size, bos=begin, eos=end, pad=pad_token, extra={"image_token": IMAGE})
    image_id = tokenizer.convert_tokens_to_ids(IMAGE)
    text = LlamaConfig(
        **(
            text_config(seed, vocab_size + 3)
            | {
                **({"num_hidden_layers": 4, "intermediate_size": 14} if experts else {}),
                "tie_word_embeddings": tied,
                "bos_token_id": tokenizer.bos_token_id,
                "eos_token_id": tokenizer.eos_token_id,
                "pad_token_id": tokenizer.pad_token_id,
            }
        )
    )
    for config in (vision, text):
        config._attn_implementation = "eager"
    row = draw.choice([2, 3])
    projector = dict(
        encoder_hidden_size=vision.hidden_size,
        hidden_size=draw.choice([9, 11]),
        output_hidden_size=text.hidden_size,
        num_input_tokens=25,
        num_query_tokens=row * row,
        depth=draw.choice([1, 2]),
        mlp_depth=2,
        pos_emb=True,
        num_eos_tokens=0,
        prenorm=False,
    )
    mixture = {"count": 5, "chosen": 2} if experts else None
    limits = (2, 9) if variant == "wide-limits" else (2, 4)

    # Width and height in tiles; the third is larger than any grid.
    shapes = [(1.7, 0.9), (0.8, 1.6), (5.2, 2.2)]
    if variant != "three":
        draw.shuffle(shapes)
    images = through_png([picture(seed * 10 + i, round(w * side), round(h * side)) for i, (w, h) in enumerate(shapes)])
    prompts = {
        "one": ["Look: " + IMAGE + "Where is it?"],
        "wide-limits": [IMAGE + "Where is it?"],
        "two": [IMAGE + "Red, " + IMAGE + "or blue?"],
        "three": [IMAGE + IMAGE + "and " + IMAGE + "Which?"],
        "batch": [IMAGE + "A?", "Red: " + IMAGE + " or " + IMAGE],
    }[variant]
    waiting = list(images)
    texts, pixels, used = [], [], []
    for prompt in prompts:
        own = [waiting.pop(0) for _ in range(prompt.count(IMAGE))]
        used += own
        pieces = prompt.split(IMAGE)
        written = pieces[0]
        for index, (image, piece) in enumerate(zip(own, pieces[1:])):
            views, indicators = split(image, index, len(own), side, limits)
            pixels += views
            written += "".join(indicator + IMAGE * (row * row) for indicator in indicators) + piece
        texts.append(written)
    tokenizer.padding_side = "left"
    inputs = dict(tokenizer(texts, padding=True, return_tensors="pt"))
    inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    inputs["pixel_values"] = torch.stack(pixels)
    if variant == "batch":
        inputs["position_ids"] = positions_of(inputs["attention_mask"])
        sample = Sample(inputs)
    else:
        sample = Sample(inputs, prompts[0], used)

    for attempt in range(200):
        weight_seed = seed + 1000003 * attempt
        seed_everything(weight_seed)
        model = randomize(Mm15(vision, projector, text, mixture, image_id).eval(), weight_seed)
        outputs = outputs_of(model, sample)
        avoid = {tokenizer.eos_token_id, tokenizer.pad_token_id, image_id}
        reason = usable(model, sample, outputs, avoid)
        if reason is None:
            break
    else:
        raise RuntimeError(f"No good weights for {out} in 200 draws; the last time {reason}.")

    for old in out.iterdir():
        old.unlink()
    write_tensors(stored_names(model.state_dict(), tied), out / "model.safetensors")
    tokenizer.save_pretrained(out)
    leave_out = ("dtype", "transformers_version", "architectures")
    config = {
        "model_type": "mm1_5",
        "image_token_id": image_id,
        "vision_config": {key: value for key, value in vision.to_dict().items() if key not in leave_out},
        "projector_config": {"projector_type": "c-abs"} | projector,
        "text_config": {key: value for key, value in text.to_dict().items() if key not in leave_out},
    }
    if experts:
        config["text_config"] |= {
            "num_experts": mixture["count"],
            "num_experts_per_tok": mixture["chosen"],
            "expert_layer_period": EVERY,
        }
    preprocessor = {"image_processor_type": "MM15ImageProcessor", "min_tiles": limits[0], "max_tiles": limits[1]}
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (out / "preprocessor_config.json").write_text(json.dumps(preprocessor, indent=2) + "\n", encoding="utf-8")
    options = " --experts" * experts + " --tied" * tied
    save_golden(out, sample, seed, weight_seed, f"mm15.py --variant {variant}{options}", outputs)
    for path in out.iterdir():
        path.chmod(0o644)
    size = sum(path.stat().st_size for path in out.iterdir()) / 1024
    return (
        f"{out.name}: {size:.0f} KB, ids {list(inputs['input_ids'].shape)}, tiles {len(pixels)}, "
        f"logit deviation {float(outputs[0][inputs['attention_mask'].bool()].std()):.2f}, smallest gap {outputs[3]:.3f}, draws {attempt + 1}"
    )


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--variant", choices=VARIANTS, default="two")
    arguments.add_argument("--experts", action="store_true")
    arguments.add_argument("--tied", action="store_true")
    arguments = arguments.parse_args()
    print(write(arguments.out, arguments.seed, arguments.variant, arguments.experts, arguments.tied))


if __name__ == "__main__":
    main()
