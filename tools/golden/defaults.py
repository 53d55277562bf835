"""Class defaults of transformers: what a `config.json` or `preprocessor_config.json` that leaves fields out means.

Each case holds the fields that a file states (`given`) and all fields that the class makes of them (`full`). The
readers of the TypeScript packages must understand both alike.

    python defaults.py
"""

import json
from pathlib import Path

import transformers

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "packages/models/src/__fixtures__/class-defaults.json"
PREPROCESSORS = ROOT / "packages/models/src/__fixtures__/preprocessor-defaults.json"

UNREAD = {
    "_name_or_path",
    "architectures",
    "bos_token_id",
    "chunk_size_feed_forward",
    "dtype",
    "eos_token_id",
    "id2label",
    "is_encoder_decoder",
    "label2id",
    "output_attentions",
    "output_hidden_states",
    "output_router_logits",
    "pad_token_id",
    "problem_type",
    "return_dict",
    "transformers_version",
    "use_cache",
    "vq_config",
}
"""Fields that say nothing of a graph."""

NARROW = {"hidden_size": 96, "num_attention_heads": 6}
"""Sizes that others follow: heads of keys, and the width of a head."""

CONFIG_CASES = {
    "CLIPVisionConfig": [{}],
    "SiglipVisionConfig": [{}],
    "InternVLVisionConfig": [{}, {"image_size": 30, "patch_size": 5}],
    "MllamaVisionConfig": [{}],
    "PixtralVisionConfig": [{}, NARROW],
    "Qwen2VLVisionConfig": [{}, {"embed_dim": 96}],
    "Qwen2_5_VLVisionConfig": [{}],
    "LlamaConfig": [{}, NARROW, {"num_key_value_heads": None, "head_dim": None}],
    "MistralConfig": [
        {},
        NARROW,
        {"head_dim": None, "sliding_window": None},
    ],
    "Qwen2Config": [
        {},
        NARROW | {"num_key_value_heads": None},
        {"use_sliding_window": True, "num_hidden_layers": 30},
        {"use_sliding_window": True, "sliding_window": None},
    ],
    "OlmoConfig": [{}, NARROW],
    "Olmo2Config": [{}, NARROW],
    "OlmoeConfig": [{}, NARROW],
    "PersimmonConfig": [{}, NARROW],
    "PhiConfig": [{}, NARROW],
    "Phi3Config": [{}, NARROW],
    "AriaTextConfig": [{}, NARROW],
}

TEXT = {"model_type": "llama", "vocab_size": 152000, **NARROW}
"""Ids of image tokens lie beyond the vocabulary that the class has by default."""

APART = {"tie_word_embeddings": False}
"""By default these classes tie the head, and untie it when they meet weights that differ, as published ones do. Readers
see no weights: they follow the text section."""

RECIPE_CASES = {
    "LlavaConfig": [
        {"vision_config": {"model_type": "clip_vision_model"}, "text_config": TEXT},
        {
            "vision_config": {"model_type": "siglip_vision_model"},
            "text_config": {"model_type": "qwen2"},
            "vision_feature_select_strategy": "full",
        },
        {
            "vision_config": {"model_type": "pixtral"},
            "text_config": {"model_type": "mistral", "vocab_size": 152000},
            "vision_feature_select_strategy": "full",
        },
    ],
    "LlavaNextConfig": [
        {"vision_config": {"model_type": "clip_vision_model", "image_size": 336}, "text_config": TEXT}
    ],
    "LlavaOnevisionConfig": [
        {
            "vision_config": {"model_type": "siglip_vision_model", "image_size": 384},
            "text_config": {"model_type": "qwen2"},
        }
    ],
    "InternVLConfig": [APART, {"text_config": TEXT | {"tie_word_embeddings": True}}],
    "MllamaConfig": [{}, {"text_config": {"num_hidden_layers": 10, "cross_attention_layers": [3, 8]}}],
    "AriaConfig": [{"text_config": {"model_type": "aria_text"}}],
    "Idefics3Config": [{"vision_config": {"image_size": 256}, "text_config": TEXT}],
    "SmolVLMConfig": [{"vision_config": {"image_size": 256}, "text_config": TEXT}],
    "JanusConfig": [{"text_config": TEXT, **APART}],
    # Fuyu was trained with a theta of 25000, the default of FuyuConfig, which 5.18 loses on the way to the text model.
    # The reader keeps it, so the case states it.
    "FuyuConfig": [{"text_config": {"model_type": "persimmon", "rope_theta": 25000.0}}],
    "Qwen2VLConfig": [{"text_config": {}}, {"text_config": {"use_sliding_window": True}}],
    "Qwen2_5_VLConfig": [{"text_config": {}}],
}

PREPROCESSOR_CLASSES = [
    "AriaImageProcessor",
    "CLIPImageProcessor",
    "FuyuImageProcessor",
    "GotOcr2ImageProcessor",
    "Idefics3ImageProcessor",
    "JanusImageProcessor",
    "LlavaNextImageProcessor",
    "LlavaOnevisionImageProcessor",
    "MllamaImageProcessor",
    "PixtralImageProcessor",
    "Qwen2VLImageProcessor",
    "SiglipImageProcessor",
    "SmolVLMImageProcessor",
]


def class_of(name):
    """A class of transformers by its name, those of sections included."""
    if hasattr(transformers, name):
        return getattr(transformers, name)
    module = {"Qwen2VLVisionConfig": "qwen2_vl", "Qwen2_5_VLVisionConfig": "qwen2_5_vl"}[name]
    return getattr(getattr(transformers.models, module), name)


def without_unread(value):
    """The fields that readers may read, in sections too."""
    if not isinstance(value, dict):
        return value
    return {key: without_unread(field) for key, field in value.items() if key not in UNREAD}


def config_case(name, given):
    """A case of a configuration class, which names its model type in any case."""
    cls = class_of(name)
    full = json.loads(json.dumps(without_unread(cls(**json.loads(json.dumps(given))).to_dict())))
    return {"class": name, "given": {"model_type": cls.model_type, **given}, "full": full}


def preprocessor_case(name):
    """The case of a Pillow-backed image processor without any field."""
    processor = class_of(f"{name}Pil")()
    full = {key: field for key, field in processor.to_dict().items() if key not in UNREAD}
    full["image_processor_type"] = name
    return {"class": name, "given": {"image_processor_type": name}, "full": json.loads(json.dumps(full))}


def cases_of(table):
    """All cases of a table of classes."""
    return [config_case(name, given) for name, cases in table.items() for given in cases]


def write(path, value):
    """Writes JSON that the formatter of the repository leaves as it is."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write(CONFIGS, {"configs": cases_of(CONFIG_CASES), "recipes": cases_of(RECIPE_CASES)})
    write(PREPROCESSORS, [preprocessor_case(name) for name in PREPROCESSOR_CLASSES])
