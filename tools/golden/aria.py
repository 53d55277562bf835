"""Writes a tiny Aria folder with its golden file. See README.md."""

import argparse
import random
from pathlib import Path

import torch
from transformers import AriaConfig, AriaForConditionalGeneration
from transformers.models.aria.image_processing_pil_aria import AriaImageProcessorPil
from transformers.models.aria.processing_aria import AriaProcessor

from common import (
    Sample,
    build,
    edit_json,
    legacy_rope,
    picture,
    positions_of,
    rename_weights,
    save_checkpoint,
    split_processor_config,
    text_config,
    through_png,
    tiny_tokenizer,
)

VARIANTS = ["two", "one", "split", "real-490", "real-980", "hub", "memory-names", "bf16", "sharded", "batch-right", "batch-left"]

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<fim_prefix><|img|><fim_suffix>{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SIZES = [(53, 37), (31, 58), (97, 20), (40, 40), (12, 75), (90, 64)]
"""Width and height; the flattest have their shorter side raised to the least size."""


class Side(int):
    """A side of tiles that the image processor takes for one of the two it knows. The code is the same for all sides."""

    def __eq__(self, other):
        return other == 490 or int.__eq__(self, other)

    __hash__ = int.__hash__


def make_tokenizer(vocab_size):
    tokenizer = tiny_tokenizer(
        "llama3",
        ["<|begin|>", "<|im_end|>", "<|pad|>", "<|im_start|>", "<fim_prefix>", "<fim_suffix>", "<|img|>"],
        vocab_size,
        bos="<|begin|>",
        eos="<|im_end|>",
        pad="<|pad|>",
        extra={"image_token": "<|img|>"},
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def question(processor, images, text):
    content = [{"type": "image"} for _ in range(images)] + [{"type": "text", "text": text}]
    return processor.tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )


def memory_name(name):
    """The name inside transformers 5."""
    name = name.replace("mlp.experts.fc1.weight", "mlp.experts.gate_up_proj").replace("mlp.experts.fc2.weight", "mlp.experts.down_proj")
    if name == "language_model.lm_head.weight":
        return "lm_head.weight"
    return "model." + name.replace("language_model.model.", "language_model.", 1)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--variant", choices=VARIANTS, default="two")
    arguments.add_argument("--tied", action="store_true", help="tie the head to the embedding table")
    arguments = arguments.parse_args()
    seed, variant, out = arguments.seed, arguments.variant, arguments.out

    draw = random.Random(seed * 104729 + 7)
    heads, head_dim = draw.choice([(3, 6), (2, 10), (3, 8)])
    patch, grid, table = draw.choice([(4, 5, 7), (5, 4, 4), (3, 6, 5), (5, 5, 6)])
    least = draw.choice([9, 11, 13])
    if variant.startswith("real"):
        # The published sides and numbers of patches.
        patch, grid, table = (14, 70, 70) if variant == "real-980" else (14, 35, 70)
        least = 336
    side = Side(patch * grid)
    queries = draw.choice([3, 5])
    # The smaller of two numbers is asked, so that the larger one's rows are seen to be left out.
    by_patches = {grid * grid: queries, 4 * grid * grid: queries + 2}
    vocab_size = 321 + seed % 13
    tokenizer = make_tokenizer(vocab_size)
    text = text_config(
        seed,
        vocab_size + 6,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=arguments.tied,
    )
    text |= {
        "model_type": "aria_text",
        "intermediate_size": draw.choice([7, 9, 10]),
        "moe_num_experts": draw.choice([5, 6, 7]),
        "moe_topk": draw.choice([2, 3]),
        "moe_num_shared_experts": draw.choice([1, 2]),
        "hidden_act": draw.choice(["silu", "gelu"]),
    }
    config = AriaConfig(
        text_config=text,
        vision_config={
            "model_type": "idefics3_vision",
            "hidden_size": heads * head_dim,
            "intermediate_size": draw.choice([21, 27]),
            "num_hidden_layers": 2,
            "num_attention_heads": heads,
            "image_size": patch * table,
            "patch_size": patch,
            "layer_norm_eps": draw.choice([1e-6, 1e-5]),
        },
        vision_feature_layer=draw.choice([-1, -2]),
        projector_patch_to_query_dict=by_patches,
        image_token_index=tokenizer.image_token_id,
        tie_word_embeddings=arguments.tied,
    )
    settings = {"max_image_size": side, "min_image_size": least, "split_image": variant == "split"}
    if variant == "split":
        settings["split_resolutions"] = [[side, 2 * side], [2 * side, side], [2 * side, 2 * side], [side, 3 * side]]
    processor = AriaProcessor(
        AriaImageProcessorPil(**settings), tokenizer, chat_template=TEMPLATE, size_conversion={int(side): queries}
    )

    shapes = draw.sample(SIZES, 3)
    if variant == "split":
        # The reference takes as many tiles for every picture as the largest number of one, so all have as many.
        shapes = [(61, 47), (58, 50), (70, 60)]
    pictures = through_png([picture(seed * 10 + index, *shape) for index, shape in enumerate(shapes)])
    # The processor's own defaults go before the image processor's settings, unless they are given once more.
    asked = {"max_image_size": side, "split_image": settings["split_image"], "return_tensors": "pt"}
    if variant.startswith("batch"):
        prompts = [question(processor, 1, "A star?"), question(processor, 2, "What is it?")]
        padding = {"padding": True, "padding_side": variant.removeprefix("batch-")}
        inputs = dict(processor(text=prompts, images=[pictures[:1], pictures[1:]], **padding, **asked))
        if variant == "batch-left":
            inputs["position_ids"] = positions_of(inputs["attention_mask"])
        # A continuation of right-padded rows would start after padding, which no caller wants.
        sample = Sample(inputs, continues=variant == "batch-left")
    else:
        images = pictures[: 1 if variant == "one" or variant.startswith("real") else 2]
        prompt = question(processor, len(images), "What color is the star?")
        sample = Sample(dict(processor(text=[prompt], images=images, **asked)), prompt, images)
    names = ("input_ids", "attention_mask", "position_ids", "pixel_values", "pixel_mask")
    sample.inputs = {name: sample.inputs[name] for name in names if name in sample.inputs}

    def save(model):
        save_checkpoint(model, processor, out, is_sharded=variant == "sharded")
        if variant == "hub":
            edit_json(out / "config.json", lambda value: legacy_rope(value["text_config"]))
            split_processor_config(out)
        if variant == "memory-names":
            rename_weights(out, memory_name)

    print(
        build(
            out,
            AriaForConditionalGeneration,
            config,
            sample,
            seed,
            f"aria.py --variant {variant}",
            save=save,
            avoid={tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.image_token_id},
            dtype=torch.bfloat16 if variant == "bf16" else torch.float32,
        )
    )


if __name__ == "__main__":
    main()
