"""Writes a tiny InternVL folder with its golden file. See README.md."""

import argparse
import random
import re
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import InternVLConfig, InternVLForConditionalGeneration, InternVLProcessor
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.processing_utils import ProcessorMixin

from common import (
    Sample,
    build,
    edit_json,
    legacy_rope,
    picture,
    positions_of,
    rename_weights,
    split_processor_config,
    text_config,
    through_png,
    tiny_tokenizer,
    write_tensors,
)
from llava import memory_name
from nvlm import original_names

VARIANTS = ["two", "one", "single-tile", "large", "layers", "hub", "original", "memory-names", "bf16", "sharded", "batch-right", "batch-left"]
# `<IMG_CONTEXT>` is the third of nine, as in the vocabularies of the published checkpoints.
ADDED = ["<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>"]
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<IMG_CONTEXT>\n' }}{% else %}{{ part['text'] }}"
    "{% endif %}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


class ImageInternVLProcessor(InternVLProcessor):
    """InternVLProcessor without its video half, which needs torchvision. The image path is untouched."""

    def __init__(self, image_processor, tokenizer, image_seq_length=256, chat_template=None, **kwargs):
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template, **kwargs)
        self.image_seq_length = image_seq_length
        self.start_image_token, self.end_image_token = tokenizer.start_image_token, tokenizer.end_image_token
        self.start_image_token_id = tokenizer.start_image_token_id
        self.end_image_token_id = tokenizer.end_image_token_id
        self.image_token, self.image_token_id = tokenizer.context_image_token, tokenizer.context_image_token_id
        self.video_token = "<video>"
        self.multimodal_pattern = re.compile("(?P<image><IMG_CONTEXT>)|(?P<video><video>)")


# The class name is written into the processor's files, which must name the real class.
ImageInternVLProcessor.__name__ = "InternVLProcessor"


def vision_config(draw, large):
    """The small tower, with biases, or the large one, with RMS norms and norms of queries and keys."""
    heads, head_dim = draw.choice([(3, 4), (2, 6), (3, 5), (2, 7)])
    patch = draw.choice([3, 4])
    return {
        "hidden_size": heads * head_dim,
        "intermediate_size": draw.choice([22, 26, 30]),
        "num_hidden_layers": 3,
        "num_attention_heads": heads,
        "image_size": [patch * 4] * 2,
        "patch_size": [patch] * 2,
        "norm_type": "rms_norm" if large else "layer_norm",
        "use_qk_norm": large,
        "attention_bias": not large,
        "layer_norm_eps": draw.choice([1e-6, 1e-5]),
    }


def prompt_of(tokenizer, variant):
    image, text = {"type": "image"}, lambda words: {"type": "text", "text": words}
    content = {
        "two": [text("A red "), image, text(" or "), image, text("?")],
        "single-tile": [image, text("It?")],
    }.get(variant, [image, text("A star?")])
    return tokenizer.apply_chat_template([{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True)


def original_layout(out):
    """The names, fields and files of the repositories of OpenGVLab."""
    path = out / "model.safetensors"
    places = {"layer_norm": "mlp1.0", "linear_1": "mlp1.1", "linear_2": "mlp1.3"}
    state = {}
    for name, value in load_file(path).items():
        name = name.replace("vision_tower.", "vision_model.", 1)
        for part, place in places.items():
            name = name.replace(f"multi_modal_projector.{part}", place)
        state[name] = value
    write_tensors({name: value.contiguous() for name, value in original_names(state).items()}, path)

    def change(value):
        vision, text = value.pop("vision_config"), value.pop("text_config")
        legacy_rope(text)
        for name in list(value):
            if name not in ("dtype", "transformers_version"):
                del value[name]
        value |= {
            "model_type": "internvl_chat",
            "architectures": ["InternVLChatModel"],
            "downsample_ratio": 0.5,
            "dynamic_image_size": True,
            "force_image_size": vision["image_size"][0],
            "max_dynamic_patch": 4,
            "min_dynamic_patch": 1,
            "ps_version": "v2",
            "select_layer": -1,
            "template": "internvl2_5",
            "use_thumbnail": True,
            "llm_config": text | {"architectures": ["Qwen2ForCausalLM"]},
            "vision_config": {
                **{name: vision[name] for name in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "norm_type", "layer_norm_eps", "hidden_act")},
                "architectures": ["InternVisionModel"],
                "model_type": "intern_vit_6b",
                "image_size": vision["image_size"][0],
                "patch_size": vision["patch_size"][0],
                "qk_normalization": vision["use_qk_norm"],
                "qkv_bias": vision["attention_bias"],
            },
        }

    edit_json(out / "config.json", change)
    split_processor_config(out)

    def preprocessor(value):
        size = value["size"]["height"]
        value.clear()
        value |= {
            "crop_size": size,
            "do_center_crop": True,
            "do_normalize": True,
            "do_resize": True,
            "feature_extractor_type": "CLIPFeatureExtractor",
            "image_mean": MEAN,
            "image_std": STD,
            "resample": 3,
            "size": size,
        }

    edit_json(out / "preprocessor_config.json", preprocessor)


def write(out, seed, variant, family="qwen2", tied=False):
    out = Path(out)
    draw = random.Random(seed * 104729 + 17)
    vision = vision_config(draw, variant == "large")
    side = vision["image_size"][0]
    vocab_size = 291 + seed % 9
    tokenizer = tiny_tokenizer(
        "qwen2",
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *ADDED],
        vocab_size,
        eos="<|im_end|>",
        pad="<|endoftext|>",
        # The original vocabularies end with the nine; a named token that is not among them would be added behind.
        extra={"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
        | ({} if variant == "original" else {"video_token": "<video>"}),
    )
    tokenizer.chat_template = TEMPLATE
    image_id = tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>")
    per_tile = 4
    image_processor = GotOcr2ImageProcessorPil(
        size={"height": side, "width": side},
        crop_to_patches=True,
        min_patches=1,
        max_patches=4,
        image_mean=MEAN,
        image_std=STD,
    )
    processor = ImageInternVLProcessor(image_processor, tokenizer, image_seq_length=per_tile, chat_template=TEMPLATE)
    text = text_config(
        seed,
        # The original layout has the added tokens at the end.
        len(tokenizer) if variant == "original" else vocab_size + 3,
        family,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        # transformers ties by the flag at the top.
        tie_word_embeddings=False,
    )
    config = InternVLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=image_id,
        image_seq_length=per_tile,
        downsample_ratio=0.5,
        vision_feature_layer=-2 if variant == "layers" else -1,
        tie_word_embeddings=tied,
    )

    # Width and height in tiles.
    shapes = [(1.0, 1.02)] if variant == "single-tile" else [(2.1, 1.0), (1.0, 2.9), (1.9, 2.1)]
    draw.shuffle(shapes)
    pictures = through_png([picture(seed * 10 + i, round(w * side), round(h * side)) for i, (w, h) in enumerate(shapes)])
    if variant.startswith("batch"):
        prompts = [prompt_of(tokenizer, kind) for kind in ("one", "two")]
        tokenizer.padding_side = "left" if variant == "batch-left" else "right"
        inputs = dict(processor(text=prompts, images=[pictures[:1], pictures[1:]], padding=True, padding_side=tokenizer.padding_side, return_tensors="pt"))
        tokenizer.padding_side = "left"
        if variant == "batch-left":
            inputs["position_ids"] = positions_of(inputs["attention_mask"])
        # A continuation of right-padded rows would start after padding, which no caller wants.
        sample = Sample(inputs, continues=variant == "batch-left")
    else:
        prompt = prompt_of(tokenizer, variant)
        images = pictures[: prompt.count("<IMG_CONTEXT>")]
        sample = Sample(dict(processor(text=prompt, images=images, return_tensors="pt")), prompt, images)
    names = ("input_ids", "attention_mask", "position_ids", "pixel_values")
    sample.inputs = {name: sample.inputs[name] for name in names if name in sample.inputs}

    def save(model):
        model.generation_config.eos_token_id = tokenizer.eos_token_id
        model.generation_config.pad_token_id = tokenizer.pad_token_id
        model.save_pretrained(out, max_shard_size="40KB" if variant == "sharded" else "1GB")
        processor.save_pretrained(out)
        if variant == "hub":
            edit_json(out / "config.json", lambda value: legacy_rope(value["text_config"]))
            split_processor_config(out)
        if variant == "memory-names":
            rename_weights(out, memory_name)

    line = build(
        out,
        InternVLForConditionalGeneration,
        config,
        sample,
        seed,
        f"internvl.py --variant {variant} --text {family}",
        save=save,
        avoid={tokenizer.eos_token_id, tokenizer.pad_token_id, image_id},
        dtype=torch.bfloat16 if variant == "bf16" else torch.float32,
    )
    if variant == "original":
        # Only after the reference has read it: transformers knows the layout no more.
        original_layout(out)
    return line


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--variant", choices=VARIANTS, default="two")
    arguments.add_argument("--text", choices=["qwen2", "llama"], default="qwen2", help="llama: what InternLM2 becomes")
    arguments.add_argument("--tied", action="store_true", help="tie the head to the embedding table")
    arguments = arguments.parse_args()
    print(write(arguments.out, arguments.seed, arguments.variant, arguments.text, arguments.tied))


if __name__ == "__main__":
    main()
