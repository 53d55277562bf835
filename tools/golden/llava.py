"""Writes a tiny LLaVA-1.5 folder with its golden file. See README.md."""

import argparse
import random
from pathlib import Path

import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from common import (
    FAMILIES,
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

VARIANTS = [
    "clip",
    "clip-full",
    "siglip",
    "layers",
    "layers-full",
    "pad-square",
    "sharded",
    "bf16",
    "hub-names",
    "memory-names",
    "batch-right",
    "batch-left",
]

VICUNA_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ 'USER: ' }}{% else %}{{ 'ASSISTANT: ' }}{% endif %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<image>\n' }}{% else %}{{ part['text'] }}"
    "{% endif %}{% endfor %}{% if not loop.last %}{{ ' ' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ ' ASSISTANT:' }}{% endif %}"
)
QWEN2_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<image>\n' }}{% else %}{{ part['text'] }}"
    "{% endif %}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

SIZES = [(53, 37), (31, 58), (40, 40), (21, 19), (97, 45)]


def vision_config(draw, tower):
    """An odd-sized tower; SigLIP's picture side is not always a multiple of the patch, as with 384 / 14."""
    heads, head_dim = draw.choice([(3, 6), (2, 10), (3, 8), (4, 5)])
    patch, grid = draw.choice([4, 5, 6]), draw.choice([3, 4])
    if tower == "dino":
        return {
            "model_type": "dinov2",
            "hidden_size": heads * head_dim,
            "mlp_ratio": 2,
            "num_hidden_layers": 3,
            "num_attention_heads": heads,
            "patch_size": patch,
            "image_size": patch * grid + 2,
            "use_swiglu_ffn": True,
        }
    config = {
        "model_type": "siglip_vision_model" if tower == "siglip" else "clip_vision_model",
        "hidden_size": heads * head_dim,
        "intermediate_size": draw.choice([38, 46, 50]),
        "num_hidden_layers": 3,
        "num_attention_heads": heads,
        "patch_size": patch,
        "image_size": patch * grid + (draw.choice([0, 2]) if tower == "siglip" else 0),
        "hidden_act": "gelu_pytorch_tanh" if tower == "siglip" else draw.choice(["quick_gelu", "gelu"]),
        "layer_norm_eps": 1e-6 if tower == "siglip" else 1e-5,
    }
    if tower == "siglip":
        config["vision_use_head"] = False
    else:
        config["projection_dim"] = 14
    return config


def make_tokenizer(kind, vocab_size):
    if kind == "qwen2":
        tokenizer = tiny_tokenizer(
            "qwen2",
            ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>"],
            vocab_size,
            eos="<|im_end|>",
            pad="<|endoftext|>",
            extra={"image_token": "<image>"},
        )
        tokenizer.chat_template = QWEN2_TEMPLATE
    elif kind == "llama3":
        tokenizer = tiny_tokenizer(
            "llama3",
            ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<image>"],
            vocab_size,
            bos="<|begin_of_text|>",
            eos="<|eot_id|>",
            pad="<|end_of_text|>",
            extra={"image_token": "<image>"},
        )
        tokenizer.chat_template = VICUNA_TEMPLATE
    else:
        tokenizer = tiny_tokenizer(
            "llama2",
            ["<image>", "<pad>"],
            vocab_size,
            bos="<s>",
            eos="</s>",
            pad="<pad>",
            unk="<unk>",
            extra={"image_token": "<image>"},
        )
        tokenizer.chat_template = VICUNA_TEMPLATE
    return tokenizer


def make_image_processor(tower, side, square):
    if tower == "siglip":
        return SiglipImageProcessorPil(size={"height": side, "width": side})
    size = {"size": {"shortest_edge": side}, "crop_size": {"height": side, "width": side}}
    if tower == "dino":
        return BitImageProcessorPil(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225], **size)
    return LlavaImageProcessorPil(do_pad=True, **size) if square else CLIPImageProcessorPil(**size)


def question(processor, images, text):
    content = [{"type": "image"} for _ in range(images)] + [{"type": "text", "text": text}]
    return processor.tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--variant", choices=VARIANTS, default="clip")
    # The class has a head without bias, so Phi 1 and 2 would lose a part of theirs.
    families = [kind for kind in FAMILIES if kind not in ("phi", "phi-norm")]
    arguments.add_argument("--text", choices=["llama", "llama3", "qwen2", *families], default="llama")
    arguments.add_argument("--tied", action="store_true", help="tie the head to the embedding table")
    arguments.add_argument("--tower", choices=["clip", "siglip", "dino"], help="overrides the variant's tower")
    arguments.add_argument("--images", type=int, choices=[1, 2], default=1, help="pictures in the sample")
    arguments = arguments.parse_args()
    seed, variant, out = arguments.seed, arguments.variant, arguments.out

    draw = random.Random(seed * 104729 + 7)
    tower = arguments.tower or ("siglip" if variant == "siglip" else "clip")
    vision = vision_config(draw, tower)
    layer, strategy = {
        "clip-full": (-1, "full"),
        "layers": ([-2, -1], "default"),
        "layers-full": ([0, -3, -1], "full"),
    }.get(variant, (-2, "default"))
    if tower == "siglip":
        strategy = "full"
        layer = -1 if isinstance(layer, int) else layer

    vocab_size = 313 + seed % 13
    bytewise = arguments.text in families and arguments.text != "mistral"
    tokenizer = make_tokenizer("qwen2" if bytewise else arguments.text, vocab_size)
    text = text_config(
        seed,
        vocab_size + 6,
        arguments.text,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=arguments.tied,
    )
    image_processor = make_image_processor(tower, vision["image_size"], variant == "pad-square")
    processor = LlavaProcessor(
        image_processor=image_processor,
        tokenizer=tokenizer,
        patch_size=vision["patch_size"],
        vision_feature_select_strategy=strategy,
        num_additional_image_tokens=0 if tower == "siglip" else 1,
        chat_template=tokenizer.chat_template,
    )
    grid = vision["image_size"] // vision["patch_size"]
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=processor.image_token_id,
        image_seq_length=grid * grid + (1 if tower != "siglip" and strategy == "full" else 0),
        vision_feature_layer=layer,
        vision_feature_select_strategy=strategy,
        projector_hidden_act="gelu",
        tie_word_embeddings=arguments.tied,
    )

    shapes = draw.sample(SIZES, 3)
    pictures = through_png([picture(seed * 10 + index, *shape) for index, shape in enumerate(shapes)])
    if variant.startswith("batch"):
        prompts = [question(processor, 1, "A star?"), question(processor, 2, "What is it?")]
        tokenizer.padding_side = "left" if variant == "batch-left" else "right"
        inputs = dict(processor(text=prompts, images=pictures, padding=True, return_tensors="pt"))
        tokenizer.padding_side = "left"
        if variant == "batch-left":
            inputs["position_ids"] = positions_of(inputs["attention_mask"])
        # A continuation of right-padded rows would start after padding, which no caller wants.
        sample = Sample(inputs, continues=variant == "batch-left")
    else:
        images = pictures[: arguments.images]
        prompt = question(processor, len(images), "What color is the star?")
        sample = Sample(dict(processor(text=prompt, images=images, return_tensors="pt")), prompt, images)
    sample.inputs = {
        name: sample.inputs[name]
        for name in ("input_ids", "attention_mask", "position_ids", "pixel_values")
        if name in sample.inputs
    }

    def save(model):
        save_checkpoint(model, processor, out, is_sharded=variant == "sharded")
        if variant == "hub-names":
            rename_weights(out, lambda name: name.replace("vision_tower.", "vision_tower.vision_model.", 1))
            edit_json(out / "config.json", lambda value: legacy_rope(value["text_config"]))
            split_processor_config(out)
        if variant == "memory-names":
            rename_weights(out, memory_name)

    print(
        build(
            out,
            LlavaForConditionalGeneration,
            config,
            sample,
            seed,
            f"llava.py --variant {variant} --text {arguments.text} --tower {tower}",
            save=save,
            avoid={tokenizer.eos_token_id, tokenizer.pad_token_id, processor.image_token_id},
            dtype=torch.bfloat16 if variant == "bf16" else torch.float32,
        )
    )


def memory_name(name):
    """The name inside transformers 5: `lm_head.weight` at the top, everything else under `model.`."""
    if name == "language_model.lm_head.weight":
        return "lm_head.weight"
    if name.startswith("language_model.model."):
        return "model.language_model." + name.removeprefix("language_model.model.")
    return "model." + name


if __name__ == "__main__":
    main()
