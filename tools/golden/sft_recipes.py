"""Loss and gradients of one supervised batch of every recipe that transformers has, in PyTorch.

`python tools/golden/sft_recipes.py [FIXTURE...]` reads the checkpoints of packages/models/__fixtures__ and writes
packages/train/src/__fixtures__/sft/FIXTURE.json. Double precision.

A batch has two samples with the pictures of the fixture's golden file: its prompt, and a shorter one whose end is
another. They are independent, so each goes through the model alone, and losses and gradients are summed. Of each
gradient the file holds the largest number, some numbers at fixed places, and a sum over all of them with fixed signs:
a wrong number anywhere changes it. Names and layout are those of the fixture's own checkpoint.
"""

import json
import math
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, __version__

from common import seed_everything
from mllama_rules import capture_before, unseen_attention

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "packages" / "models" / "__fixtures__"
OUT = ROOT / "packages" / "train" / "src" / "__fixtures__" / "sft"
IGNORED = -100
RECIPES = [
    "aria-two",
    "fuyu-small",
    "idefics3-split",
    "internvl-two",
    "janus-two",
    "llava-clip",
    "llava-next-two",
    "llava-onevision-two",
    "llava-siglip-qwen2",
    "mllama-apart",
    "mllama-two-tiles",
    "pixtral-hub",
    "qwen2-vl-two",
    "qwen2.5-vl-video",
    "smolvlm-many",
]
VISUAL = ("image_token_id", "image_token_index", "video_token_id")
SHORTER = 3
ENTRIES = 8


def main(names):
    for name in names or RECIPES:
        write(name)


def write(name):
    seed_everything(0)
    folder = FIXTURES / name
    golden = load_file(folder / "golden.safetensors")
    with safe_open(folder / "golden.safetensors", "pt") as file:
        options = json.loads((file.metadata() or {}).get("recipe_options", "{}"))
    known = {"logits", "image_features", "generated"}
    inputs = {key: value for key, value in golden.items() if key not in known and not key.startswith("expected_")}
    if "expected_position_ids" in golden:
        inputs["position_ids"] = golden["expected_position_ids"]
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
    visual = {getattr(model.config, key) for key in VISUAL if getattr(model.config, key, None) is not None}
    samples = [sample(inputs, visual, end) for end in (0, SHORTER)]
    loss = torch.zeros((), dtype=torch.float64)
    with ExitStack() as rules:
        rules.enter_context(patch.object(torch, "_grouped_mm", grouped_mm))
        if options.get("capture") == "before":
            rules.enter_context(capture_before())
        if options.get("unseen") == "attention-and-mlp":
            rules.enter_context(unseen_attention())
        for given, labels in samples:
            logits = model(**given, use_cache=False).logits.double()
            part = torch.nn.functional.cross_entropy(
                logits[0, :-1], labels[1:], ignore_index=IGNORED, reduction="sum"
            )
            part.backward()
            loss += part.detach()
    OUT.mkdir(parents=True, exist_ok=True)
    gradients = in_layout_of(folder, model)
    content = {
        "made_by": f"tools/golden/sft_recipes.py with transformers {__version__}, torch {torch.__version__}",
        "samples": [{"ids": given["input_ids"][0].tolist(), "labels": labels.tolist()} for given, labels in samples],
        "loss": rounded(loss.item()),
        "gradients": {key: summary(value) for key, value in sorted(gradients.items())},
    }
    path = OUT / f"{name}.json"
    lines = ",\n".join(f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in content["gradients"].items())
    head = ",\n".join(f"  {json.dumps(key)}: {json.dumps(content[key])}" for key in ("made_by", "samples", "loss"))
    path.write_text(f'{{\n{head},\n  "gradients": {{\n{lines}\n  }}\n}}\n')
    print(path, path.stat().st_size, f"loss {loss.item():.4f}, {len(gradients)} tensors")


def grouped_mm(rows, matrices, offs, **_):
    """torch's own takes no double precision."""
    ends = offs.tolist()
    parts = [rows[start:end] @ matrix for start, end, matrix in zip([0, *ends], ends, matrices)]
    return torch.cat([*parts, rows.new_zeros(len(rows) - ends[-1], matrices.shape[-1])])


def sample(inputs, visual, end):
    """Inputs without the last `end` tokens; of a shorter one the text after the pictures runs backwards."""
    ids = inputs["input_ids"][:, : inputs["input_ids"].shape[1] - end].clone()
    length = ids.shape[1]
    after = max(i for i, token in enumerate(ids[0].tolist()) if token in visual) + 1
    if end > 0:
        ids[0, after:] = ids[0, after:].flip(0)
    full = inputs["input_ids"].shape[1]
    cut = {}
    for key, value in inputs.items():
        value = value.double() if value.is_floating_point() else value
        if key == "position_ids":
            cut[key] = value[..., :length]
        elif key == "cross_attention_mask" or value.shape == (1, full):
            cut[key] = value[:, :length]
        else:
            cut[key] = value
    labels = ids[0].clone()
    labels[[i for i, token in enumerate(ids[0].tolist()) if token in visual or i % 3 == 1]] = IGNORED
    return {**cut, "input_ids": ids}, labels


def in_layout_of(folder, model):
    """Gradients under the names and in the layout of the folder's checkpoint, by way of saving them as weights."""
    stored = {}
    for file in sorted(folder.glob("*.safetensors")):
        if file.name != "golden.safetensors":
            stored |= {name: tuple(tensor.shape) for name, tensor in load_file(file).items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)
    with tempfile.TemporaryDirectory() as where:
        model.save_pretrained(where)
        saved = load_file(Path(where) / "model.safetensors")
    found = {name: tuple(value.shape) for name, value in saved.items() if name in stored}
    missing = {name: shape for name, shape in stored.items() if found.get(name) != shape}
    if missing:
        raise SystemExit(f"{folder.name}: not in the layout of the checkpoint: {missing}, but {sorted(set(saved) - set(stored))}")
    return {name: saved[name] for name in stored}


def summary(gradient):
    flat = gradient.double().flatten()
    count = flat.numel()
    places = sorted({int(flat.abs().argmax()), *(i * (count - 1) // (ENTRIES - 1) for i in range(ENTRIES))})
    index = torch.arange(count, dtype=torch.float64)
    signs = torch.where(torch.remainder(index * index + 3 * index, 7) < 3, 1.0, -1.0)
    return {
        "shape": list(gradient.shape),
        "largest": rounded(flat.abs().max().item()),
        "sum": rounded((flat * signs).sum().item() / math.sqrt(count)),
        "places": places,
        "values": [rounded(flat[place].item()) for place in places],
    }


def rounded(value):
    return float(f"{value:.9g}")


if __name__ == "__main__":
    main(sys.argv[1:])
