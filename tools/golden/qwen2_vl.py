"""Writes a tiny Qwen2-VL or Qwen2.5-VL folder with its golden file. See README.md."""

import argparse
import random
from contextlib import nullcontext
from pathlib import Path
from types import MethodType, SimpleNamespace
from unittest.mock import patch

import numpy as np
import torch
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
)
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLModel
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VLModel
from transformers.models.qwen2_vl.processing_qwen2_vl import Qwen2VLProcessor
from transformers.processing_utils import ProcessorMixin

from common import (
    Sample,
    build,
    edit_json,
    picture,
    rename_weights,
    split_processor_config,
    stretched_rope,
    through_png,
    tiny_tokenizer,
)

VARIANTS = ["two", "one", "limits", "video", "video-side", "hub-names", "memory-names", "bf16", "sharded", "batch-left", "batch-right"]

TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}"
    "<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIALS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
SIZES = [(29, 21), (19, 34), (24, 24), (15, 13), (43, 27)]
"""Width and height."""


class ImageQwen2VLProcessor(Qwen2VLProcessor):
    """Qwen2VLProcessor without its video half, which needs torchvision. The image path is untouched."""

    def __init__(self, image_processor, tokenizer, chat_template=None, **kwargs):
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id, self.video_token_id = tokenizer.convert_tokens_to_ids([self.image_token, self.video_token])
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template, **kwargs)


# The class name is written into the processor's files, which must name the real class.
ImageQwen2VLProcessor.__name__ = "Qwen2VLProcessor"


def positions_of_training(self, input_ids, mm_token_type_ids, image_grid_thw=None, video_grid_thw=None, attention_mask=None, **kwargs):
    """Positions as in transformers 4 and in the training of the published checkpoints: what follows a picture or a
    video begins after the largest position so far. In place of `get_rope_index` of transformers 5.18."""
    vision = self.config.vision_config
    second_per_grid = kwargs.get("second_per_grid_ts")
    merge = vision.spatial_merge_size
    image_grids, video_grids = (iter([] if grids is None else grids.tolist()) for grids in (image_grid_thw, video_grid_thw))
    seconds = iter([] if second_per_grid is None else second_per_grid)
    positions = torch.zeros(3, *input_ids.shape, dtype=torch.long)
    deltas = []
    for row in range(len(input_ids)):
        valid = torch.ones_like(input_ids[row], dtype=torch.bool) if attention_mask is None else attention_mask[row].bool()
        kinds = mm_token_type_ids[row][valid].tolist()
        pieces, at, current = [], 0, 0
        while at < len(kinds):
            if kinds[at] == 0:
                pieces.append(torch.full((3, 1), current))
                at, current = at + 1, current + 1
                continue
            frames, height, width = next(image_grids if kinds[at] == 1 else video_grids)
            height, width = height // merge, width // merge
            times = torch.arange(frames)
            if kinds[at] == 2 and hasattr(vision, "tokens_per_second"):
                times = (times * next(seconds, 1.0) * vision.tokens_per_second).long()
            grid = torch.meshgrid(times, torch.arange(height), torch.arange(width), indexing="ij")
            piece = torch.stack(grid).reshape(3, -1) + current
            pieces.append(piece)
            at, current = at + piece.shape[1], int(piece.max()) + 1
        joined = torch.cat(pieces, dim=1)
        positions[:, row, valid] = joined
        deltas.append(int(joined.max()) + 1 - joined.shape[1])
    return positions, torch.tensor(deltas)[:, None]


def pack_video(image_processor, frames):
    """What Qwen2VLVideoProcessor gives for one video, but by way of Pillow: patches and their grid."""
    merge, size, times = image_processor.merge_size, image_processor.patch_size, image_processor.temporal_patch_size
    planes = []
    for frame in frames:
        plane = np.asarray(frame).transpose(2, 0, 1)
        plane = image_processor.resize(plane, image_processor.size, image_processor.resample, factor=size * merge)
        plane = image_processor.rescale(plane, image_processor.rescale_factor)
        planes.append(image_processor.normalize(plane, image_processor.image_mean, image_processor.image_std))
    planes += planes[-1:] * (-len(planes) % times)
    video = np.stack(planes).astype(np.float32)
    moments, (height, width) = len(planes) // times, (side // size for side in video.shape[2:])
    cut = video.reshape(moments, times, 3, height // merge, merge, size, width // merge, merge, size)
    patches = cut.transpose(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(moments * height * width, -1)
    return torch.from_numpy(np.ascontiguousarray(patches)), torch.tensor([[moments, height, width]])


def vision_config(draw, newer, patch_size, text_size, small):
    heads, head_dim = (2, 8) if small else draw.choice([(3, 8), (2, 12), (4, 8), (3, 12)])
    size = heads * head_dim
    common = {"num_heads": heads, "patch_size": patch_size, "spatial_merge_size": 2, "temporal_patch_size": 2}
    if not newer:
        return common | {
            "depth": 2,
            "embed_dim": size,
            "hidden_size": text_size,
            "mlp_ratio": 2,
            "hidden_act": draw.choice(["quick_gelu", "gelu"]),
        }
    return common | {
        "depth": 3,
        "hidden_size": size,
        "intermediate_size": draw.choice([29, 37]),
        "out_hidden_size": text_size,
        "hidden_act": "silu",
        "window_size": patch_size * 2 * draw.choice([2, 3]),
        "fullatt_block_indexes": draw.choice([[1], [0, 2]]),
        "tokens_per_second": draw.choice([2, 4]),
    }


def text_config(draw, vocab_size, tokenizer, small):
    heads, kv_heads = (2, 1) if small else draw.choice([(6, 3), (4, 2), (3, 1), (4, 1)])
    head_dim, sections = draw.choice([(8, [1, 1, 2]), (10, [2, 1, 2]), (12, [1, 2, 3]), (12, [2, 2, 2])])
    return {
        "vocab_size": vocab_size,
        "hidden_size": heads * head_dim,
        "intermediate_size": draw.choice([42, 50]),
        "num_hidden_layers": 2,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": 512,
        "rms_norm_eps": draw.choice([1e-6, 1e-5, 3e-5]),
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": draw.choice([5000.0, 100000.0, 1000000.0]),
            "mrope_section": sections,
        },
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def question(processor, *content):
    parts = [{"type": "text", "text": part} if part not in ("image", "video") else {"type": part} for part in content]
    return processor.tokenizer.apply_chat_template(
        [{"role": "user", "content": parts}], tokenize=False, add_generation_prompt=True
    )


def published(value):
    """The config as the first published files have it: fields of the text model at the top, one rope for three axes."""
    text = value.pop("text_config")
    rope = text.pop("rope_parameters")
    text["rope_theta"] = rope["rope_theta"]
    kind = rope.pop("rope_type")
    text["rope_scaling"] = {"type": "mrope" if kind == "default" else kind} | {k: v for k, v in rope.items() if k != "rope_theta"}
    text.pop("model_type")
    value |= {name: field for name, field in text.items() if name not in value}
    vision = value["vision_config"]
    vision["in_chans"] = vision.pop("in_channels", 3)
    vision.pop("rope_parameters", None)


def published_limits(value):
    size = value.pop("size")
    value |= {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"]}
    value["image_processor_type"] = "Qwen2VLImageProcessor"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", choices=["qwen2_vl", "qwen2_5_vl"], default="qwen2_vl")
    parser.add_argument("--variant", choices=VARIANTS, default="two")
    parser.add_argument("--tied", action="store_true", help="tie the head to the embedding table")
    parser.add_argument("--patch", type=int, choices=[4, 6, 14], default=4, help="side of a patch")
    parser.add_argument("--uneven", action="store_true", help="windows that are no whole blocks wide: the rest is left out")
    parser.add_argument("--small", action="store_true", help="few heads, as in the committed fixtures")
    parser.add_argument("--rope", choices=["yarn", "dynamic"], help="stretching of the text's positions")
    arguments = parser.parse_args(arguments)
    seed, variant, out = arguments.seed, arguments.variant, arguments.out
    newer, size = arguments.model == "qwen2_5_vl", arguments.patch

    draw = random.Random(seed * 104729 + 11)
    vocab_size = 313 + seed % 13
    tokenizer = tiny_tokenizer("qwen2", SPECIALS, vocab_size, eos="<|im_end|>", pad="<|endoftext|>")
    tokenizer.chat_template = TEMPLATE
    text = text_config(draw, vocab_size + 6, tokenizer, arguments.small)
    ids = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in ("image_pad", "video_pad", "vision_start", "vision_end")}
    config_class, model_class, base = (
        (Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLModel)
        if newer
        else (Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen2VLModel)
    )
    config = config_class(
        vision_config=vision_config(draw, newer, size, text["hidden_size"], arguments.small),
        text_config=text,
        image_token_id=ids["image_pad"],
        video_token_id=ids["video_pad"],
        vision_start_token_id=ids["vision_start"],
        vision_end_token_id=ids["vision_end"],
        tie_word_embeddings=arguments.tied,
    )
    if arguments.uneven:
        config.vision_config.window_size += size
    blocks = {"limits": [3, 12], "video": [1, 40], "video-side": [1, 40]}.get(variant, [4, 40])
    limits = {"shortest_edge": blocks[0] * (2 * size) ** 2, "longest_edge": blocks[1] * (2 * size) ** 2}
    image_processor = Qwen2VLImageProcessorPil(patch_size=size, temporal_patch_size=2, merge_size=2, size=limits)
    processor = ImageQwen2VLProcessor(image_processor=image_processor, tokenizer=tokenizer, chat_template=TEMPLATE)

    scale = size / 4
    shapes = [(round(width * scale), round(height * scale)) for width, height in draw.sample(SIZES, 3)]
    if variant == "limits":
        # Shrunk, enlarged, and half a block, which rounds to even.
        shapes = [(round(71 * scale), round(43 * scale)), (9, 5), (2 * size * 5 // 2, 2 * size * 5)]
    pictures = through_png([picture(seed * 10 + index, *shape) for index, shape in enumerate(shapes)])
    metadata = {}
    videos = []
    if variant.startswith("batch"):
        prompts = [question(processor, "image", "A star?"), question(processor, "image", "What is ", "image", "it?")]
        tokenizer.padding_side = "left" if variant == "batch-left" else "right"
        inputs = dict(processor(text=prompts, images=pictures, padding=True, return_tensors="pt"))
        tokenizer.padding_side = "left"
        sample = Sample(inputs, continues=variant == "batch-left")
    elif variant.startswith("video"):
        # More moments than a frame has rows or columns, and an odd number of frames.
        width, height = round(14 * scale), round(10 * scale)
        frames = [picture(seed * 100 + index // 3, width, height) for index in range(9)]
        videos = [through_png(frames)]
        prompt = question(processor, "image", "What is this? ", "video", "And ", "image", "this?")
        patches, grid = pack_video(image_processor, videos[0])
        fps = draw.choice([1.0, 3.0, 4.0])
        tokens = int(grid.prod()) // 4
        expanded = prompt.replace(processor.video_token, processor.video_token * tokens)
        images = pictures[:2]
        inputs = dict(processor(text=expanded, images=images, return_tensors="pt"))
        inputs |= {"pixel_values_videos": patches, "video_grid_thw": grid}
        if newer:
            inputs["second_per_grid_ts"] = torch.tensor([2 / fps])
        sample = Sample(inputs, prompt, images, videos=videos)
        metadata["fps"] = str(fps)
        if variant == "video-side":
            metadata["recipe_options"] = '{"positionRule": "side"}'
    elif variant == "limits":
        prompt = question(processor, "image", "image", "What is ", "image", "shown?")
        sample = Sample(dict(processor(text=prompt, images=pictures, return_tensors="pt")), prompt, pictures)
    else:
        images = pictures[: 1 if variant == "one" else 2]
        parts = ["image", "What color is the star?"] if variant == "one" else ["Look: ", "image", "What color is ", "image", "the star?"]
        prompt = question(processor, *parts)
        sample = Sample(dict(processor(text=prompt, images=images, return_tensors="pt")), prompt, images)
    inputs = sample.inputs
    # Whole numbers of one type, as the processor with PyTorch's tensors gives them.
    inputs["mm_token_type_ids"] = (inputs["input_ids"] == ids["image_pad"]).long() + 2 * (inputs["input_ids"] == ids["video_pad"]).long()
    sample.metadata = metadata

    rule = nullcontext() if variant == "video-side" else patch.object(base, "get_rope_index", positions_of_training)
    with rule:
        holder = SimpleNamespace(config=config)
        holder.get_vision_position_ids = MethodType(base.get_vision_position_ids, holder)
        named = {name: inputs[name] for name in inputs if name in ("image_grid_thw", "video_grid_thw", "second_per_grid_ts")}
        positions, _ = base.get_rope_index(
            holder, inputs["input_ids"], mm_token_type_ids=inputs["mm_token_type_ids"], attention_mask=inputs["attention_mask"], **named
        )
        sample.expected["position_ids"] = positions
        if arguments.rope:
            dim = text["hidden_size"] // text["num_attention_heads"]
            rope, beside = stretched_rope(arguments.rope, "qwen2", seed, dim, int(positions.max()) + 1)
            sections = {"mrope_section": text["rope_parameters"]["mrope_section"]}
            config = config_class(**config.to_dict() | {"text_config": text | beside | {"rope_parameters": rope | sections}})

        def save(model):
            model.generation_config.eos_token_id = tokenizer.eos_token_id
            model.generation_config.pad_token_id = tokenizer.pad_token_id
            model.save_pretrained(out, max_shard_size="40KB" if variant == "sharded" else "1GB")
            processor.save_pretrained(out)
            if videos:
                edit_json(out / "processor_config.json", video_section)
            if variant == "hub-names":
                edit_json(out / "config.json", published)
                split_processor_config(out)
                edit_json(out / "preprocessor_config.json", published_limits)
            if variant == "memory-names":
                rename_weights(out, memory_name)

        print(
            build(
                out,
                model_class,
                config,
                sample,
                seed,
                f"qwen2_vl.py --model {arguments.model} --variant {variant} --patch {size}{' --small' if arguments.small else ''}{' --uneven' if arguments.uneven else ''}{f' --rope {arguments.rope}' if arguments.rope else ''}",
                save=save,
                avoid={tokenizer.eos_token_id, tokenizer.pad_token_id, *ids.values()},
                dtype=torch.bfloat16 if variant == "bf16" else torch.float32,
            )
        )


def video_section(value):
    """The video processor's settings besides those for pictures, as transformers 5 writes them."""
    shared = ("size", "patch_size", "temporal_patch_size", "merge_size", "image_mean", "image_std", "resample")
    image = value["image_processor"]
    value["video_processor"] = {"video_processor_type": "Qwen2VLVideoProcessor"} | {name: image[name] for name in shared if name in image}


def memory_name(name):
    """The name inside transformers 5: `lm_head.weight` at the top, everything else under `model.`."""
    if name.startswith("visual."):
        return "model." + name
    return name.replace("model.", "model.language_model.", 1) if name.startswith("model.") else name


if __name__ == "__main__":
    main()
